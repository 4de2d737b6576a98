//! Whatever a program says, in whatever test, none of its secrets is in it.

use std::ffi::OsStr;
use std::process::{Command, Output};

/// The variables that hold secrets.
const SECRETS: [&str; 4] = [
    "SLACK_WEBHOOKURL",
    "FLOWDOCK_API_TOKEN",
    "LOG_TAIL_MASK",
    "AWS_SECRET_ACCESS_KEY",
];

/// Shorter parts of an address are words, `services` among them.
const SHORTEST: usize = 9;

/// What a program that has ended said, with the environment that it was given.
pub(crate) fn assert_kept(command: &Command, output: &Output) {
    let environment: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((text(name), text(value?))))
        .collect();
    for said in [&output.stdout, &output.stderr] {
        assert_said_nothing(&environment, &String::from_utf8_lossy(said));
    }
}

pub(crate) fn assert_said_nothing<T: AsRef<str>>(environment: &[(T, T)], said: &str) {
    for (name, value) in environment {
        let (name, value) = (name.as_ref(), value.as_ref());
        if SECRETS.contains(&name) {
            for part in parts(value) {
                assert!(!said.contains(part), "{name} is told: {said}");
            }
        }
    }
}

/// What of a secret must be nowhere: of an address all behind its host. Where a secret is kept is none.
fn parts(value: &str) -> impl Iterator<Item = &str> {
    let is_elsewhere = value.starts_with("ssm:") || value.starts_with("secretsmanager:");
    let path = value
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'));
    let secret = path.map_or(value, |(_, path)| path);
    let parts = secret.split(['/', '?', '&', '=']);
    parts.filter(move |part| part.len() >= SHORTEST && !is_elsewhere)
}

fn text(value: &OsStr) -> String {
    value.to_string_lossy().into_owned()
}
