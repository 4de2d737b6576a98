//! The programs that are compared. They are built and installed as a user would do it.

use std::fmt;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contestant {
    /// A function in Rust that returns the event.
    Echo,
    /// A function in Rust that posts the event's id.
    Post,
    /// `parrot` without a queue, a table and enrichment.
    Parrot,
    /// `parrot` as it is deployed by default: with a queue, a table and enrichment.
    Deployed,
    Python,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    Tls,
}

/// Builds and installs all of them.
pub(crate) fn all() -> Vec<Contestant> {
    succeed(
        Command::new(env!("CARGO"))
            .args([
                "build",
                "--release",
                "--locked",
                "--quiet",
                "--manifest-path",
            ])
            .arg(folder().join("floor/Cargo.toml"))
            .arg("--target-dir")
            .arg(target().join("floor")),
    );
    let python = python();
    if !python.join("bin/python").exists() {
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&python));
    }
    succeed(
        Command::new(python.join("bin/pip"))
            .args([
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
            ])
            .arg(folder().join("requirements.txt")),
    );
    vec![
        Contestant::Echo,
        Contestant::Post,
        Contestant::Parrot,
        Contestant::Deployed,
        Contestant::Python,
    ]
}

impl Contestant {
    pub(crate) fn command(self) -> Command {
        match self {
            Self::Echo => Command::new(target().join("floor/release/echo")),
            Self::Post => Command::new(target().join("floor/release/post")),
            Self::Parrot | Self::Deployed => Command::new(env!("CARGO_BIN_EXE_parrot")),
            Self::Python => {
                let mut command = Command::new(python().join("bin/python"));
                command
                    .args(["-B", "-m", "awslambdaric", "handler.handle"])
                    .current_dir(folder());
                command
            }
        }
    }

    pub(crate) fn posts(self) -> bool {
        self != Self::Echo
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Echo => "echo",
            Self::Post => "one POST",
            Self::Parrot => "parrot",
            Self::Deployed => "parrot as deployed",
            Self::Python => "Python",
        })
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain HTTP",
            Self::Tls => "TLS",
        })
    }
}

/// Prints the sizes of the zips that Lambda would load.
pub(crate) fn print_sizes() {
    println!("| zip | size |\n|---|---|");
    let parrot = Path::new(env!("CARGO_BIN_EXE_parrot"));
    let programs = [
        target().join("floor/release/echo"),
        target().join("floor/release/post"),
        parrot.to_owned(),
        parrot.with_file_name("run-from-queue"),
        parrot.with_file_name("deploy-hook"),
    ];
    for program in programs.iter().filter(|program| program.exists()) {
        let name = program.file_name().unwrap().to_string_lossy();
        println!("| {name} | {:.2} MB |", zipped(program) as f64 / 1e6);
    }
}

fn zipped(program: &Path) -> usize {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::default())
        .unwrap();
    zip.write_all(&fs::read(program).unwrap()).unwrap();
    zip.finish().unwrap().into_inner().len()
}

fn folder() -> PathBuf {
    Path::new(ROOT).join("benches/cold_start")
}

/// Cargo's target folder. It need not be called `target`.
fn target() -> PathBuf {
    let profile = Path::new(env!("CARGO_BIN_EXE_parrot")).parent().unwrap();
    profile.parent().unwrap().to_owned()
}

fn python() -> PathBuf {
    target().join("floor/python")
}

fn succeed(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
