//! `CHANNELS`: several channels of one type, and a list that is kept in Parameter Store.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use crate::chat::{chat, ok, texts, webhook};
use crate::events;
use crate::fake_aws::{FakeAws, REGION, Refusal};
use crate::runtime_api::{Answer, Function, RuntimeApi, TIMEOUT};

const PARROT: &str = env!("CARGO_BIN_EXE_parrot");

/// One event that is not urgent, and one that is.
fn payloads() -> Vec<Value> {
    vec![
        events::sample("service_changed-update"),
        events::sample("stop_task-by-iam-user"),
    ]
}

/// The list of each event's log line, in their order.
fn channels_of_events(log: &str) -> Vec<String> {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let channels = lines.filter_map(|line| Some(line["fields"]["channels"].as_str()?.to_owned()));
    channels.collect()
}

fn slack(name: &str, server: &MockServer, minimum: &str) -> Value {
    json!({"name": name, "type": "slack", "url": webhook(server), "minimum": minimum})
}

#[tokio::test]
async fn two_slack_channels_with_different_minimums() {
    let (ops, oncall) = (chat(ok()).await, chat(ok()).await);
    let list = json!([
        slack("ops", &ops, "all"),
        slack("oncall", &oncall, "urgent")
    ]);
    let api = RuntimeApi::with(payloads()).await;
    let (_, log) = api.run(&[("CHANNELS", &list.to_string())]).await;
    assert_eq!(texts(&ops).await.len(), 2, "{log}");
    assert_eq!(texts(&oncall).await.len(), 1, "{log}");
    assert_eq!(
        channels_of_events(&log),
        [
            "ops delivered, oncall filtered",
            "ops delivered, oncall delivered"
        ]
    );
    // The metrics have the channels' names.
    assert!(log.contains(r#""Channel":"oncall""#), "{log}");
}

/// One channel's failure is its own: the other keeps what it got, and a retry goes to the failed one only.
#[tokio::test]
async fn channels_of_one_type_fail_by_themselves() {
    let (ops, gone) = (chat(ok()).await, chat(ResponseTemplate::new(404)).await);
    let list = json!([slack("ops", &ops, "all"), slack("gone", &gone, "all")]);
    let event = events::sample("stop_task-by-iam-user");
    let api = RuntimeApi::with(vec![event.clone(), event]).await;
    let (answers, log) = api.run(&[("CHANNELS", &list.to_string())]).await;
    assert!(
        answers.iter().all(|it| matches!(it, Answer::Error { .. })),
        "{log}"
    );
    assert_eq!(texts(&ops).await.len(), 1, "{log}");
    assert_eq!(texts(&gone).await.len(), 2, "{log}");
    let lines = channels_of_events(&log);
    let advice =
        "check that `url` is the whole address of the webhook, and that the webhook still exists";
    let expected = format!("ops duplicate, gone refused (404 Not Found: {advice})");
    assert_eq!(lines[1], expected);
}

#[tokio::test]
async fn a_list_is_read_from_parameter_store() {
    let aws = FakeAws::start().await;
    let ops = chat(ok()).await;
    let list = json!([slack("ops", &ops, "all")]);
    aws.secret("/parrot/channels", &list.to_string());
    let variables = [("CHANNELS", "ssm:/parrot/channels")];
    let api = RuntimeApi::with(payloads()).await;
    let (_, log) = aws.invoke(PARROT, api, &variables).await;
    assert_eq!(texts(&ops).await.len(), 2, "{log}");
    assert_eq!(aws.calls().len(), 1, "read once: {log}");
}

/// What is wrong is said before anything starts, and no secret with it.
#[tokio::test]
async fn a_list_that_cannot_be_used_stops_the_start() {
    let denied = Refusal::new("AccessDeniedException", "not authorized to read it");
    for (value, refusal, says) in [
        (Some("[very-secret"), None, "CHANNELS: not JSON"),
        (
            Some(r#"[{"name": "ops", "type": "slack", "url": "http://example.com/very-secret"}]"#),
            None,
            "CHANNELS, `ops`, `url`: messages would be sent unencrypted",
        ),
        (
            Some("ssm:/parrot/other"),
            None,
            "CHANNELS: ssm:/parrot/channels contains another reference",
        ),
        (
            None,
            None,
            "CHANNELS cannot be read from ssm:/parrot/channels: GetParameter: ",
        ),
        (
            Some("[]"),
            Some(&denied),
            "CHANNELS cannot be read from ssm:/parrot/channels: GetParameter: ",
        ),
    ] {
        let aws = FakeAws::start().await;
        if let Some(value) = value {
            aws.secret("/parrot/channels", value);
        }
        if let Some(refusal) = refusal {
            aws.refuse("GetParameter", 99, refusal);
        }
        let log = failed_start(&aws).await;
        assert_eq!(log.matches(says).count(), 1, "{says}: {log}");
        assert!(!log.contains("very-secret"), "{log}");
    }
}

/// The log of a function that does not start.
async fn failed_start(aws: &FakeAws) -> String {
    let api = RuntimeApi::with(Vec::new()).await;
    let url = aws.url();
    let environment = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("CHANNELS", "ssm:/parrot/channels"),
    ];
    let address = api.server.address().to_string();
    let mut function = Function::start(PARROT, &address, &environment);
    let started = Instant::now();
    while function.child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < TIMEOUT, "it runs: {}", function.stop());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(api.polls().await, 0);
    function.stop()
}

/// Each setting with where it stands, and no secret.
#[test]
fn config_shows_each_channel() {
    let list = json!([
        {"name": "ops", "type": "slack", "url": "https://hooks.slack.com/very-secret", "channel": "#ops"},
        {"name": "oncall", "type": "slack", "url": "ssm:/parrot/oncall", "minimum": "urgent"},
        {"name": "app", "type": "slack_app", "token": "xoxb-very-secret", "channel": "C0123456789"},
        {"name": "gov", "type": "slack_app", "token": "ssm:/parrot/gov", "channel": "C0123456789", "url": "https://slack-gov.com/api/"},
    ]);
    let output = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
        .arg("config")
        .env_clear()
        .env("CHANNELS", list.to_string())
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let (_, channels) = shown.split_once("channels:\n").unwrap();
    insta::assert_snapshot!(channels);
    assert!(!shown.contains("very-secret"), "{shown}");
}
