//! The `parrot` program end to end. A fake Runtime API gives it events and records its answers, and chat servers record
//! the messages that they receive.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;

use crate::chat::{SECRET, answer_all, chat, flowdock_ok, ok, texts, webhook};
use crate::events;
use crate::runtime_api::{Answer, Function, RuntimeApi, TIMEOUT};

const PARROT: &str = env!("CARGO_BIN_EXE_parrot");

/// The log lines about events.
fn event_lines(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    });
    lines
        .map(|line| line["fields"].clone())
        .filter(|fields| fields["message"] == "event")
        .collect()
}

#[tokio::test]
async fn an_event_is_posted_to_both_channels() {
    let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
    let flowdock = chat(ResponseTemplate::new(200).set_body_string("{}")).await;
    let api = RuntimeApi::with(vec![events::sample("task_stopped-out-of-memory")]).await;
    let (answers, log) = api
        .run(&[
            ("SLACK_WEBHOOKURL", &webhook(&slack)),
            ("SLACK_CHANNEL", "#devops"),
            ("FLOWDOCK_API_TOKEN", "very-secret-token"),
            ("FLOWDOCK_URL", &flowdock.uri()),
        ])
        .await;
    assert_eq!(answers, [Answer::Response(Value::Null)]);
    let headline = "🔴 checkout in prod-web: task 62e6771e ran out of memory (limit 2048 MiB)";
    assert_eq!(texts(&slack).await, [headline]);
    assert_eq!(texts(&flowdock).await, [headline]);
    let requests = slack.received_requests().await.unwrap();
    assert_eq!(requests[0].url.path(), format!("/services/{SECRET}"));
    let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
    assert_eq!(
        (&body["channel"], &body["attachments"][0]["color"]),
        (&json!("#devops"), &json!("danger"))
    );
    let requests = flowdock.received_requests().await.unwrap();
    assert_eq!(
        requests[0].url.path(),
        "/v1/messages/chat/very-secret-token"
    );
    let lines = event_lines(&log);
    assert_eq!(lines.len(), 1, "{log}");
    assert_eq!(
        lines[0]["id"],
        events::sample("task_stopped-out-of-memory")["id"]
    );
    assert_eq!(lines[0]["channels"], "slack delivered, flowdock delivered");
    assert_eq!(
        (
            &lines[0]["kind"],
            &lines[0]["decision"],
            &lines[0]["reason"]
        ),
        (
            &json!("task_stopped"),
            &json!("keep"),
            &json!("out_of_memory")
        )
    );
    assert!(!log.contains("very-secret"), "{log}");
}

#[tokio::test]
async fn a_dropped_event_is_not_posted() {
    let slack = chat(ok()).await;
    let api = RuntimeApi::with(vec![
        events::sample("task_stopped-scaled-in-exit-0"),
        events::sample("other-s3-object-created"),
        json!([]),
    ])
    .await;
    let (answers, log) = api.run(&[("SLACK_WEBHOOKURL", &webhook(&slack))]).await;
    assert!(
        answers
            .iter()
            .all(|answer| *answer == Answer::Response(Value::Null)),
        "{answers:?}"
    );
    assert!(texts(&slack).await.is_empty());
    let reasons: Vec<_> = event_lines(&log)
        .iter()
        .map(|line| line["reason"].clone())
        .collect();
    assert_eq!(reasons, ["routine_stop", "not_ecs"]);
}

#[tokio::test]
async fn an_urgent_only_channel_gets_only_urgent_events() {
    let slack = chat(ok()).await;
    let flowdock = chat(flowdock_ok()).await;
    let api = RuntimeApi::with(vec![
        events::sample("service_changed-update"),
        events::sample("stop_task-by-iam-user"),
    ])
    .await;
    let (_, log) = api
        .run(&[
            ("SLACK_WEBHOOKURL", &webhook(&slack)),
            ("SLACK_QUIET", "True"),
            ("FLOWDOCK_API_TOKEN", "token"),
            ("FLOWDOCK_URL", &flowdock.uri()),
        ])
        .await;
    assert_eq!(texts(&slack).await.len(), 1);
    assert!(texts(&slack).await[0].contains("stopped by"));
    assert_eq!(texts(&flowdock).await.len(), 2);
    assert_eq!(
        event_lines(&log)[0]["channels"],
        "slack filtered, flowdock delivered"
    );
}

#[tokio::test]
async fn a_refused_message_fails_the_invocation() {
    let slow = ResponseTemplate::new(200).set_delay(TIMEOUT);
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "3600");
    for (answer, why, attempts) in [
        (
            ResponseTemplate::new(410).set_body_string("channel_is_archived"),
            "slack: 410 channel_is_archived: unarchive the channel, or make a webhook for another one",
            1,
        ),
        (
            ResponseTemplate::new(500),
            "slack: 500 Internal Server Error",
            5,
        ),
        (
            ResponseTemplate::new(302).insert_header("location", "https://example.com/"),
            "slack: 302 Found: check that `url` is the whole address of the webhook, and that the webhook still exists",
            1,
        ),
        (busy, "slack: 429 Too Many Requests", 1),
        (slow, "slack: no answer within 5 s", 1),
    ] {
        let slack = chat(answer).await;
        let flowdock = chat(flowdock_ok()).await;
        let event = events::sample("stop_task-by-iam-user").to_string();
        let api = RuntimeApi::ending_after(Duration::from_secs(8), vec![event]).await;
        let (answers, log) = api
            .run(&[
                ("SLACK_WEBHOOKURL", &webhook(&slack)),
                ("FLOWDOCK_API_TOKEN", "token"),
                ("FLOWDOCK_URL", &flowdock.uri()),
            ])
            .await;
        let expected = Answer::Error {
            kind: "DeliveryFailed".to_owned(),
            message: why.to_owned(),
        };
        assert_eq!(answers, [expected]);
        assert_eq!(texts(&slack).await.len(), attempts, "{why}");
        assert_eq!(
            texts(&flowdock).await.len(),
            1,
            "a failure of one channel must not affect the other"
        );
        assert!(!log.contains("very-secret"), "{log}");
    }
}

#[tokio::test]
async fn a_payload_that_is_not_an_event_fails() {
    let slack = chat(ok()).await;
    let payloads = vec![
        json!({}),
        json!(null),
        json!("text"),
        json!(7),
        json!({"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": "text"}),
        json!([events::sample("stop_task-by-iam-user"), {}]),
    ];
    let api = RuntimeApi::with(payloads).await;
    let (answers, _) = api.run(&[("SLACK_WEBHOOKURL", &webhook(&slack))]).await;
    for answer in &answers {
        assert!(
            matches!(answer, Answer::Error { kind, .. } if kind == "NotAnEvent"),
            "{answer:?}"
        );
    }
    assert_eq!(
        texts(&slack).await.len(),
        1,
        "the valid event of the list is posted"
    );
}

#[tokio::test]
async fn a_payload_that_is_not_json_fails_and_the_next_is_posted() {
    let slack = chat(ok()).await;
    let event = events::sample("stop_task-by-iam-user").to_string();
    let (truncated, whole) = (event[..event.len() / 2].to_owned(), event);
    let api = RuntimeApi::with_texts(vec![truncated, whole]).await;
    let (answers, _) = api.run(&[("SLACK_WEBHOOKURL", &webhook(&slack))]).await;
    assert!(matches!(answers[0], Answer::Error { .. }), "{answers:?}");
    assert_eq!(answers[1], Answer::Response(Value::Null));
    assert_eq!(texts(&slack).await.len(), 1);
}

#[tokio::test]
async fn only_failed_records_return_to_the_queue() {
    let body = |name| Value::from(events::sample(name).to_string());
    let record =
        |id: &str, body: Value| json!({"messageId": id, "eventSource": "aws:sqs", "body": body});
    let batch = json!({"Records": [
        record("good", body("stop_task-by-iam-user")),
        record("poison", json!("{ not json")),
        record("dropped", body("task_stopped-scaled-in-exit-0")),
        record("empty", Value::Null),
    ]});
    let slack = chat(ok()).await;
    let api = RuntimeApi::with(vec![batch.clone()]).await;
    let (answers, _) = api.run(&[("SLACK_WEBHOOKURL", &webhook(&slack))]).await;
    let returned = |ids: &[&str]| {
        let failures: Vec<_> = ids.iter().map(|id| json!({"itemIdentifier": id})).collect();
        Answer::Response(json!({"batchItemFailures": failures}))
    };
    assert_eq!(answers, [returned(&["poison", "empty"])]);
    assert_eq!(texts(&slack).await.len(), 1);

    let broken = chat(ResponseTemplate::new(503)).await;
    let api = RuntimeApi::with(vec![batch]).await;
    let (answers, _) = api.run(&[("SLACK_WEBHOOKURL", &webhook(&broken))]).await;
    assert_eq!(answers, [returned(&["good", "poison", "empty"])]);
}

/// Slack does not answer during the whole batch. Flowdock gets all messages before the first timeout has passed.
#[tokio::test]
async fn a_channel_that_does_not_answer_delays_no_other() {
    let slack = chat(ResponseTemplate::new(200).set_delay(TIMEOUT)).await;
    let flowdock = chat(flowdock_ok()).await;
    let events = ["by-iam-user", "by-root", "by-sso-person"];
    let events = events.map(|who| events::sample(&format!("stop_task-{who}")));
    let api = RuntimeApi::with(vec![Value::from(events.to_vec())]).await;
    let (slack_url, flowdock_url) = (webhook(&slack), flowdock.uri());
    let environment = [
        ("SLACK_WEBHOOKURL", slack_url.as_str()),
        ("FLOWDOCK_API_TOKEN", "token"),
        ("FLOWDOCK_URL", flowdock_url.as_str()),
    ];
    let mut function = Function::start(PARROT, &api.server.address().to_string(), &environment);
    let started = Instant::now();
    while texts(&flowdock).await.len() < 3 {
        assert!(started.elapsed() < TIMEOUT, "{}", function.stop());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(
        texts(&slack).await.len(),
        1,
        "the first message still waits for its answer"
    );
    function.stop();
}

/// Records for which there is not enough time return to the queue before Lambda ends the function.
#[tokio::test]
async fn records_return_to_the_queue_before_the_time_is_over() {
    let slack = chat(ResponseTemplate::new(200).set_delay(TIMEOUT)).await;
    let body = events::sample("stop_task-by-iam-user").to_string();
    let record = |id: &str| json!({"messageId": id, "eventSource": "aws:sqs", "body": body});
    let batch = json!({"Records": [record("one"), record("two"), record("three")]});
    let api = RuntimeApi::ending_after(Duration::from_secs(2), vec![batch.to_string()]).await;
    let (answers, log) = api.run(&[("SLACK_WEBHOOKURL", &webhook(&slack))]).await;
    let ids = ["one", "two", "three"].map(|id| json!({"itemIdentifier": id}));
    assert_eq!(
        answers,
        [Answer::Response(json!({"batchItemFailures": ids}))]
    );
    assert!(log.contains("there is no time left"), "{log}");
}

#[tokio::test]
async fn a_broken_template_loses_no_message() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("slack")).unwrap();
    std::fs::write(folder.path().join("slack/stop_task.tera"), "{{ misspelt }}").unwrap();
    std::fs::write(
        folder.path().join("stop_task.tera"),
        "own: {{ mark }} {{ call }}",
    )
    .unwrap();
    let slack = chat(ok()).await;
    let api = RuntimeApi::with(vec![events::sample("stop_task-by-iam-user")]).await;
    let templates = folder.path().to_str().unwrap();
    let (answers, log) = api
        .run(&[
            ("SLACK_WEBHOOKURL", &webhook(&slack)),
            ("TEMPLATES_DIR", templates),
        ])
        .await;
    assert_eq!(answers, [Answer::Response(Value::Null)]);
    assert_eq!(texts(&slack).await, ["own: 🟠 StopTask"]);
    assert!(log.contains("slack/stop_task.tera:1"), "{log}");
}

#[tokio::test]
async fn without_a_channel_messages_go_to_the_log() {
    let api = RuntimeApi::with(vec![events::sample("stop_task-by-iam-user")]).await;
    let mut function = Function::start(PARROT, &api.server.address().to_string(), &[]);
    let started = Instant::now();
    while api.answers().await.is_empty() {
        assert!(started.elapsed() < TIMEOUT, "{}", function.stop());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let log = function.stop();
    assert!(log.contains("stopped by"), "{log}");
    assert!(log.contains("no channel is configured"), "{log}");
}

#[test]
fn a_wrong_configuration_stops_the_start() {
    let mut function = Function::start(
        PARROT,
        "127.0.0.1:9",
        &[
            ("SLACK_WEBHOOKURL", "http://example.com/very-secret"),
            ("SLACK_QUIET", "perhaps"),
            ("STATE_TABLE", "x"),
        ],
    );
    let status = function.child.wait().unwrap();
    let log = function.stop();
    assert!(!status.success());
    for problem in [
        "SLACK_WEBHOOKURL: messages would be sent unencrypted; allowed: an https:// address",
        "SLACK_QUIET: `perhaps` cannot be used; allowed: `true` or `false`",
        "STATE_TABLE: `x` is not the name of a table; allowed: 3 to 255 letters",
    ] {
        assert!(log.contains(problem), "{problem} in {log}");
    }
    assert!(!log.contains("very-secret"), "{log}");
}

/// Connecting, with its TLS handshake, takes longer than sending a message. It must happen once, and not for each
/// invocation.
#[tokio::test]
async fn a_connection_serves_many_invocations() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook = format!("http://{}/services/x", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(answer_all(stream, "ok".to_owned()));
        }
    });
    let payloads = [
        "task_stopped-out-of-memory",
        "stop_task-by-root",
        "deployment-failed",
    ];
    let api = RuntimeApi::with(payloads.map(events::sample).to_vec()).await;
    let (answers, log) = api.run(&[("SLACK_WEBHOOKURL", &webhook)]).await;
    let succeeded = [const { Answer::Response(Value::Null) }; 3];
    assert_eq!(answers, succeeded, "{log}");
    assert_eq!(connections.load(Ordering::SeqCst), 1, "{log}");
}
