//! No output of a program may contain one of its secrets. The helpers that run programs check this in every test.

use std::ffi::OsStr;
use std::process::{Command, Output};

use serde_json::Value;

/// The environment variables that hold secrets.
const SECRETS: [&str; 4] = [
    "SLACK_WEBHOOKURL",
    "FLOWDOCK_API_TOKEN",
    "LOG_TAIL_MASK",
    "AWS_SECRET_ACCESS_KEY",
];

/// A shorter part of an address is an ordinary word, for example `services`.
const MIN_LENGTH: usize = 9;

/// Checks the output of a program that has ended against the environment that it was given.
pub(crate) fn assert_no_secrets_printed(command: &Command, output: &Output) {
    let environment: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((text(name), text(value?))))
        .collect();
    for stream in [&output.stdout, &output.stderr] {
        assert_no_secrets(&environment, &String::from_utf8_lossy(stream));
    }
}

pub(crate) fn assert_no_secrets<T: AsRef<str>>(environment: &[(T, T)], printed: &str) {
    for (name, value) in environment {
        let (name, value) = (name.as_ref(), value.as_ref());
        for part in secrets(name, value).iter().flat_map(|it| parts(it)) {
            assert!(
                !printed.contains(part),
                "the output contains {name}: {printed}"
            );
        }
    }
}

/// The secrets in a variable.
fn secrets(name: &str, value: &str) -> Vec<String> {
    if name == "CHANNELS" {
        let list: Vec<Value> = serde_json::from_str(value).unwrap_or_default();
        let names = ["url", "token", "secret", "routing_key", "api_key"];
        let settings = list.iter().flat_map(|it| names.map(|name| &it[name]));
        // A setting may be a list of secrets.
        let texts = settings.flat_map(|it| it.as_array().cloned().unwrap_or(vec![it.clone()]));
        return texts
            .filter_map(|it| it.as_str().map(str::to_owned))
            .collect();
    }
    let is_secret = SECRETS.contains(&name);
    is_secret.then(|| value.to_owned()).into_iter().collect()
}

/// The parts of a value that must not be printed. Of an address, this is everything after the host. A reference to a
/// stored secret is not secret itself.
fn parts(value: &str) -> impl Iterator<Item = &str> {
    let is_reference = value.starts_with("ssm:") || value.starts_with("secretsmanager:");
    let path = value
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'));
    let secret = path.map_or(value, |(_, path)| path);
    let parts = secret.split(['/', '?', '&', '=']);
    parts.filter(move |part| part.len() >= MIN_LENGTH && !is_reference)
}

fn text(value: &OsStr) -> String {
    value.to_string_lossy().into_owned()
}
