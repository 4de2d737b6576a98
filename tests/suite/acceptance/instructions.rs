//! A guard of speed that no clock and no neighbour disturbs: how many instructions the program that is deployed takes
//! to start and to tell an event. Growth by more than a tenth fails.
//!
//! The figures are of rustc 1.95 on x86_64; docs/performance.md says how they came about. What is worth more than it
//! costs is measured and written down here.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::make::packaged_program;
use crate::chat::{chat, messages, webhook};
use crate::runtime_api::RuntimeApi;
use crate::{events, tools};

/// Until the function asks for its first event.
const START: u64 = 559_000;

/// From then on until it asks for the second; the first takes what only the first needs.
const FIRST_EVENT: u64 = 2_093_000;

/// Each event after it.
const EVENT: u64 = 942_000;

/// Valgrind makes a program some fifty times slower.
const TIMEOUT: Duration = Duration::from_secs(120);

#[tokio::test]
#[ignore = "acceptance"]
async fn starting_and_telling_take_no_more_than_they_did() {
    let folder = tools::scratch();
    let program = folder.path().join("bootstrap");
    std::fs::write(&program, packaged_program("parrot")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut counts = Vec::new();
    for events in [0, 1, 11] {
        counts.push(count(&program, events).await);
    }
    let figures = [
        ("START", START, counts[0]),
        ("FIRST_EVENT", FIRST_EVENT, counts[1] - counts[0]),
        ("EVENT", EVENT, (counts[2] - counts[1]) / 10),
    ];
    for (name, committed, counted) in figures {
        println!("{name}: {counted} instructions, {committed} committed");
    }
    for (name, committed, counted) in figures {
        assert!(counted <= committed + committed / 10, "{name}: {figures:?}");
    }
}

/// The instructions that a function takes until it has told so many events and asks for the next.
async fn count(program: &Path, events: usize) -> u64 {
    let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
    let api = RuntimeApi::with((0..events).map(event).collect()).await;
    let mut child = tools::valgrind()
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .env("AWS_LAMBDA_RUNTIME_API", api.server.address().to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "parrot")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        // What AWS answers, and how fast, is no figure of ours.
        .env("ENRICH", "false")
        .env("SLACK_WEBHOOKURL", webhook(&slack))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Valgrind can be run");
    let began = Instant::now();
    while api.polls().await <= events {
        assert!(
            began.elapsed() < TIMEOUT,
            "it does not ask for event {events}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(messages(&slack).await.len(), events, "each is told");
    let ended = Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert!(ended.success());
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    child.wait().unwrap();
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, figure) = collected.unwrap_or_else(|| panic!("valgrind has counted nothing: {said}"));
    figure.trim().parse().unwrap()
}

/// A task of its own that ran out of memory.
fn event(number: usize) -> Value {
    let mut event = events::sample("task_stopped-out-of-memory");
    let arn = event["detail"]["taskArn"].as_str().unwrap();
    let (cluster, _) = arn.rsplit_once('/').unwrap();
    event["detail"]["taskArn"] = json!(format!("{cluster}/{number:032x}"));
    event["id"] = json!(format!("event {number}"));
    event
}
