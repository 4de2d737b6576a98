//! What the tests run that cargo does not bring: Python packages, Node.js packages, a browser among them, and Valgrind.
//! Each is installed once, in the version that this project pins, under `target/tmp`; what cannot be is named.

mod install;
mod node;
mod python;
mod valgrind;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub(crate) use install::reserve;
pub(crate) use node::{browse, node_script, osls};
pub(crate) use python::{
    acceptance_script, cfn_lint, packaging, run_acceptance_python, run_python, script,
};
pub(crate) use valgrind::valgrind;

/// The same program without this machine's AWS account, and without a proxy before our own servers.
fn without_account(mut command: Command) -> Command {
    for (name, _) in std::env::vars() {
        if name.starts_with("AWS_") || name.starts_with("SLS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_CONFIG_FILE", "/nonexistent");
    command.env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
    command.env("NO_PROXY", "127.0.0.1");
    command
}

/// This project's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A fresh folder under `target/tmp`, gone with the value.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("target/tmp can be written to")
}

pub(crate) fn run_with_input(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_owned();
    // A thread of its own: a child may fill its stdout before it has read everything.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child
        .wait_with_output()
        .expect("the child can be waited for");
    // A child that ends without reading on is evaluated by its own status.
    let _ = writer.join().expect("the writer does not panic");
    output
}

/// Both streams of a program, for a message.
pub(crate) fn told(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{}\n{out}{err}", output.status)
}
