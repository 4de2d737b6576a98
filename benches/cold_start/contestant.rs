//! The programs that are compared. They are built and installed as a user would do it.

use std::fmt;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
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
    /// `parrot` with twelve channels of most types, and otherwise as [`Self::Parrot`].
    TwelveChannels,
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
        Contestant::TwelveChannels,
        Contestant::Python,
    ]
}

impl Contestant {
    pub(crate) fn command(self) -> Command {
        match self {
            Self::Echo => Command::new(target().join("floor/release/echo")),
            Self::Post => Command::new(target().join("floor/release/post")),
            Self::Parrot | Self::Deployed | Self::TwelveChannels => {
                Command::new(env!("CARGO_BIN_EXE_parrot"))
            }
            Self::Python => {
                let mut command = Command::new(python().join("bin/python"));
                command
                    .args(["-B", "-m", "awslambdaric", "handler.handle"])
                    .current_dir(folder());
                command
            }
        }
    }

    /// The number of messages that it posts for an event.
    pub(crate) fn posts(self) -> usize {
        match self {
            Self::Echo => 0,
            Self::Post | Self::Parrot | Self::Deployed | Self::Python => 1,
            Self::TwelveChannels => 12,
        }
    }

    /// What the server answers, so that each of its channels takes it for a success.
    pub(crate) fn answer(self) -> &'static str {
        match self {
            Self::TwelveChannels => {
                r#"{"ok": true, "channel": "C1", "ts": "1.1", "id": "1", "channel_id": "2", "name": "spaces/A/messages/B",
                "thread": {"name": "spaces/A/threads/C"}, "status": "success", "dedup_key": "x",
                "result": "Request will be processed", "requestId": "1"}"#
            }
            Self::Echo | Self::Post | Self::Parrot | Self::Deployed | Self::Python => "ok",
        }
    }

    /// The variables of its channels, which post to this server.
    pub(crate) fn channels(self, server: &str) -> (&'static str, String) {
        match self {
            Self::TwelveChannels => ("CHANNELS", twelve_channels(server).to_string()),
            Self::Echo | Self::Post | Self::Parrot | Self::Deployed | Self::Python => {
                ("SLACK_WEBHOOKURL", format!("{server}/services/T0/B0/x"))
            }
        }
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Echo => "echo",
            Self::Post => "one POST",
            Self::Parrot => "parrot",
            Self::Deployed => "parrot as deployed",
            Self::TwelveChannels => "parrot, twelve channels",
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

/// Most types that post to an address of their own, and some twice.
fn twelve_channels(server: &str) -> Value {
    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const SIGNING_KEY: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let slack =
        |name: &str| json!({"name": name, "type": "slack", "url": format!("{server}/slack")});
    let app = |name: &str| json!({"name": name, "type": "slack_app", "url": server, "token": "xoxb-1", "channel": "C1"});
    json!([
        slack("slack"),
        slack("slack-2"),
        {"name": "mattermost", "type": "slack", "flavor": "mattermost", "url": format!("{server}/mattermost")},
        app("app"),
        app("app-2"),
        {"name": "discord", "type": "discord", "url": format!("{server}/api/webhooks/1/0123456789abcdef")},
        {"name": "discord-2", "type": "discord", "url": format!("{server}/api/webhooks/2/0123456789abcdef")},
        {"name": "google", "type": "google_chat", "url": format!("{server}/v1/spaces/A/messages?key=k&token=t")},
        {"name": "flowdock", "type": "flowdock", "url": server, "token": "token"},
        {"name": "webhook", "type": "webhook", "url": format!("{server}/webhook"), "secret": SIGNING_KEY},
        {"name": "pagerduty", "type": "pagerduty", "url": server, "routing_key": KEY},
        {"name": "jsm", "type": "jsm", "url": server, "api_key": KEY},
    ])
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
