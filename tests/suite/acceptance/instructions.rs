//! A test of speed that does not depend on the load of the machine: it counts the instructions that the deployed
//! program needs to start and to post an event. It fails if a count has grown by more than a tenth.
//!
//! The figures are for rustc 1.95 on x86_64; docs/performance.md says how they were measured. If a change is worth more
//! instructions, measure again and change the figures here.

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
const START: u64 = 646_000;

/// From then on until it asks for the second event. This includes the work that only the first event needs.
const FIRST_EVENT: u64 = 4_958_000;

/// Each event after it.
const EVENT: u64 = 2_761_000;

/// Valgrind makes a program some fifty times slower.
const TIMEOUT: Duration = Duration::from_secs(120);

#[tokio::test]
#[ignore = "acceptance"]
async fn start_and_events_need_no_more_instructions_than_committed() {
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

/// The instructions that the function needs until it has posted this many events and asks for the next.
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
        // The figures must not depend on AWS's answers and their speed.
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
    assert_eq!(messages(&slack).await.len(), events, "each event is posted");
    let ended = Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert!(ended.success());
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    child.wait().unwrap();
    let collected = stderr
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, figure) = collected.unwrap_or_else(|| panic!("valgrind printed no count: {stderr}"));
    figure.trim().parse().unwrap()
}

/// The event of a new task that ran out of memory, each in another cluster: it opens an incident, and is posted.
fn event(number: usize) -> Value {
    let sample = events::sample("task_stopped-out-of-memory").to_string();
    let sample = sample.replace("prod-web", &format!("web-{number}"));
    let mut event: Value = serde_json::from_str(&sample).unwrap();
    let arn = event["detail"]["taskArn"].as_str().unwrap();
    let (cluster, _) = arn.rsplit_once('/').unwrap();
    event["detail"]["taskArn"] = json!(format!("{cluster}/{number:032x}"));
    event["id"] = json!(format!("event {number}"));
    event
}
