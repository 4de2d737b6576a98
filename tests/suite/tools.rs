//! The tools that the tests run and that cargo does not install: Python packages, Node.js packages (a browser is one of
//! them), and Valgrind. Each is installed once, in the version that this project pins, under `target/tmp`. A test that
//! cannot install a tool names it and fails.

mod install;
mod node;
mod python;
mod valgrind;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub(crate) use install::reserve;
pub(crate) use node::{browse, node_script, osls, visible_texts};
pub(crate) use python::{
    acceptance_script, cfn_lint, packaging, run_acceptance_python, run_python, script,
};
pub(crate) use valgrind::valgrind;

/// Removes this machine's AWS credentials and settings from the environment of a program. Requests to the tests' own
/// servers go past any proxy.
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

/// The folder of this project.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A new folder under `target/tmp`. It is deleted when the value is dropped.
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
    // This needs a separate thread: a child may fill its stdout before it has read all of its stdin.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child
        .wait_with_output()
        .expect("the child can be waited for");
    // A child may end before it has read everything. Its exit status then shows what went wrong.
    let _ = writer.join().expect("the writer does not panic");
    output
}

/// The exit status, stdout and stderr of a program, for an assertion message.
pub(crate) fn output_text(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{}\n{out}{err}", output.status)
}
