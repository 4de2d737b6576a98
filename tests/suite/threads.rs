//! Threads across functions and failures: one message each, with all that belongs to it, and none that is lost.

mod command;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{Timestamp, ToSpan as _};
use miniz_oxide::inflate::decompress_to_vec;
use serde_json::{Value, json};
use wiremock::matchers::{header, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::chat::{chat, ok, texts, webhook};
use crate::dedup::{Dynalite, TABLE, table_variables};
use crate::events;
use crate::fake_aws::{FakeAws, REGION};
use crate::mock_table::MockTable;
use crate::runtime_api::{Answer, Function, RuntimeApi, TIMEOUT};
use crate::slack_api::{CHANNEL, SlackApi};

const PARROT: &str = env!("CARGO_BIN_EXE_parrot");

/// The item of the service that fails in these tests.
const SERVICE: &str = "thread service 210987654321 eu-west-1 prod-web checkout";

const SUCCEEDED: Answer = Answer::Response(Value::Null);

fn seconds_ago(seconds: i64) -> String {
    (Timestamp::now() - seconds.seconds()).to_string()
}

/// A task of the service that has failed just now.
fn failure(sample: &str, number: usize) -> Value {
    let mut event = events::sample(sample);
    let now = seconds_ago(5);
    event["id"] = json!(format!("failure {number}"));
    event["time"] = json!(now);
    let detail = &mut event["detail"];
    detail["clusterArn"] = json!("arn:aws:ecs:eu-west-1:210987654321:cluster/prod-web");
    detail["taskArn"] = json!(format!(
        "arn:aws:ecs:eu-west-1:210987654321:task/prod-web/{number:032x}"
    ));
    detail["group"] = json!("service:checkout");
    for field in ["stoppedAt", "stoppingAt", "executionStoppedAt", "updatedAt"] {
        detail[field] = json!(now);
    }
    event
}

fn out_of_memory(number: usize) -> Value {
    failure("task_stopped-out-of-memory", number)
}

fn image_pull(number: usize) -> Value {
    failure("task_stopped-image-pull-not-found", number)
}

fn exit(number: usize) -> Value {
    failure("task_stopped-exited-in-service", number)
}

/// A state of one deployment of the service.
fn deployment(name: &str, seconds: i64, reason: &str) -> Value {
    let mut event = events::sample("deployment-in-progress");
    event["id"] = json!(format!("{name} {reason}"));
    event["time"] = json!(seconds_ago(seconds));
    event["resources"] = json!(["arn:aws:ecs:eu-west-1:210987654321:service/prod-web/checkout"]);
    event["detail"]["eventName"] = json!(name);
    event["detail"]["updatedAt"] = json!(seconds_ago(seconds));
    event["detail"]["reason"] = json!(reason);
    event
}

fn record(id: &str, event: &Value, receives: u32) -> Value {
    json!({
        "messageId": id,
        "receiptHandle": format!("handle of {id}"),
        "body": event.to_string(),
        "attributes": {"ApproximateReceiveCount": receives.to_string()},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:210987654321:events",
    })
}

/// The function, with a chat and a state table.
struct Stage {
    channels: Vec<(&'static str, String)>,
    /// The address of the table.
    table: Option<String>,
    /// The time of each invocation.
    time: Duration,
}

impl Stage {
    fn webhook(slack: &MockServer, table: Option<&str>) -> Self {
        Self {
            channels: vec![("SLACK_WEBHOOKURL", webhook(slack))],
            table: table.map(str::to_owned),
            time: TIMEOUT,
        }
    }

    fn app(settings: Value, table: &Dynalite) -> Self {
        Self {
            channels: vec![("CHANNELS", json!([settings]).to_string())],
            table: Some(table.url().to_owned()),
            time: TIMEOUT,
        }
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        let channels = self.channels.iter();
        let mut variables: Vec<_> = channels.map(|(name, it)| (*name, it.as_str())).collect();
        if let Some(url) = &self.table {
            variables.extend(table_variables(url));
        }
        variables
    }

    async fn api(&self, payloads: Vec<Value>) -> RuntimeApi {
        let payloads = payloads.iter().map(Value::to_string).collect();
        RuntimeApi::ending_after(self.time, payloads).await
    }

    /// Runs one process of the function.
    async fn run(&self, payloads: Vec<Value>) -> (Vec<Answer>, String) {
        self.api(payloads).await.run(&self.variables()).await
    }

    /// Runs a process and ends it as soon as `is_time` says so, before it answers.
    async fn run_until(&self, payload: Value, is_time: impl AsyncFn() -> bool) {
        let api = self.api(vec![payload]).await;
        let address = api.server.address().to_string();
        let mut function = Function::start(PARROT, &address, &self.variables());
        for _ in 0..6_000 {
            if is_time().await {
                function.stop();
                assert!(api.answers().await.is_empty());
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{}", function.stop());
    }
}

fn text<'a>(item: &'a HashMap<String, AttributeValue>, name: &str) -> &'a str {
    item[name].as_s().unwrap()
}

/// What an item says of its subject. A long record is compressed.
fn record_of(item: &HashMap<String, AttributeValue>) -> Value {
    match &item["thread"] {
        AttributeValue::B(bytes) => {
            let json = decompress_to_vec(bytes.as_ref()).unwrap();
            serde_json::from_slice(&json).unwrap()
        }
        text => serde_json::from_str(text.as_s().unwrap()).unwrap(),
    }
}

/// The stored number of failures of the service.
async fn failures(table: &Dynalite) -> Value {
    let items = table.whole_items().await;
    let thread = record_of(&items[SERVICE]);
    thread["state"]["incident"]["total"].clone()
}

fn calls(slack: &SlackApi) -> Vec<(String, Value)> {
    let calls = slack.calls().into_iter();
    calls
        .map(|call| {
            let root = match call.method.as_str() {
                "chat.update" => call.body["ts"].clone(),
                _ => call.body["thread_ts"].clone(),
            };
            (call.method, root)
        })
        .collect()
}

#[tokio::test]
async fn two_processes_with_one_table_share_a_message() {
    let (slack, table) = (SlackApi::start().await, Dynalite::start().await);
    let stage = Stage::app(slack.settings(), &table);
    let (answers, log) = stage.run(vec![out_of_memory(1)]).await;
    assert_eq!(answers, [SUCCEEDED], "{log}");
    let (answers, log) = stage.run(vec![out_of_memory(2)]).await;
    assert_eq!(answers, [SUCCEEDED], "{log}");
    assert!(log.contains("oncall counted"), "{log}");
    assert_eq!(slack.methods(), ["chat.postMessage"]);
    assert_eq!(failures(&table).await, 2);
    // Another cause is news: an edit of the first message, and a reply to it that the whole channel sees.
    let (answers, log) = stage.run(vec![image_pull(3)]).await;
    assert_eq!(answers, [SUCCEEDED], "{log}");
    let root = json!(slack.messages()[0].ts);
    assert_eq!(
        calls(&slack)[1..],
        [
            ("chat.update".to_owned(), root.clone()),
            ("chat.postMessage".to_owned(), root)
        ]
    );
    let messages = slack.messages();
    assert!(messages[1].is_broadcast, "{messages:?}");
    assert!(messages[0].text.contains("×2"), "{messages:?}");
    assert!(messages[0].text.contains("could not pull"), "{messages:?}");
}

#[tokio::test]
async fn a_function_that_ends_before_the_post_loses_nothing() {
    let (slack, table) = (chat(ok()).await, Dynalite::start().await);
    // Nothing accepts the connection, so that no message is sent.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ended = Stage {
        channels: vec![(
            "SLACK_WEBHOOKURL",
            format!("http://{}/services/x", deaf.local_addr().unwrap()),
        )],
        time: Duration::from_secs(6),
        ..Stage::webhook(&slack, Some(table.url()))
    };
    let is_written = async || table.whole_items().await.contains_key(SERVICE);
    ended.run_until(out_of_memory(1), is_written).await;
    // While the claim lasts, the function may still be there. Its record comes again.
    let stage = Stage::webhook(&slack, Some(table.url()));
    let (answers, log) = stage.run(vec![out_of_memory(1)]).await;
    assert!(matches!(answers[0], Answer::Error { .. }), "{log}");
    assert!(log.contains("another function is posting it now"), "{log}");
    assert_eq!(texts(&slack).await, [""; 0]);
    tokio::time::sleep(Duration::from_secs(9)).await;
    for _ in 0..2 {
        let (answers, log) = stage.run(vec![out_of_memory(1)]).await;
        assert_eq!(answers, [SUCCEEDED], "{log}");
        assert_eq!(texts(&slack).await.len(), 1, "{log}");
    }
    assert_eq!(failures(&table).await, 1);
}

#[tokio::test]
async fn a_function_that_ends_after_the_post_repeats_it_once() {
    let table = Dynalite::start().await;
    let slow = chat(ok().set_delay(TIMEOUT)).await;
    let ended = Stage {
        time: Duration::from_secs(6),
        ..Stage::webhook(&slow, Some(table.url()))
    };
    let is_posted = async || texts(&slow).await.len() == 1;
    ended.run_until(out_of_memory(1), is_posted).await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    let slack = chat(ok()).await;
    let stage = Stage::webhook(&slack, Some(table.url()));
    for _ in 0..3 {
        let (answers, log) = stage.run(vec![out_of_memory(1)]).await;
        assert_eq!(answers, [SUCCEEDED], "{log}");
    }
    assert_eq!(texts(&slack).await.len(), 1);
}

#[tokio::test]
async fn a_chat_that_is_down_gets_the_message_later() {
    for deployed in [false, true] {
        let (slack, table) = (chat(ok()).await, Dynalite::start().await);
        let down = chat(ResponseTemplate::new(404)).await;
        let (first, second) = match deployed {
            false => (out_of_memory(1), out_of_memory(2)),
            true => (
                deployment("SERVICE_DEPLOYMENT_IN_PROGRESS", 60, "started."),
                deployment("SERVICE_DEPLOYMENT_FAILED", 5, "tasks failed to start."),
            ),
        };
        let failing = Stage::webhook(&down, Some(table.url()));
        for _ in 0..2 {
            let (answers, log) = failing.run(vec![first.clone()]).await;
            assert!(matches!(answers[0], Answer::Error { .. }), "{log}");
        }
        let (_, log) = failing.run(vec![second.clone()]).await;
        let sent = texts(&down).await.len();
        assert_eq!(sent, 3, "each run has tried it once: {log}");
        let stage = Stage::webhook(&slack, Some(table.url()));
        for _ in 0..2 {
            for event in [&first, &second] {
                let (answers, log) = stage.run(vec![event.clone()]).await;
                assert_eq!(answers, [SUCCEEDED], "{log}");
            }
        }
        let texts = texts(&slack).await;
        match deployed {
            false => {
                assert_eq!(texts.len(), 1, "{texts:?}");
                assert_eq!(failures(&table).await, 2);
            }
            // The beginning and the end, as this channel cannot edit.
            true => assert!((1..=2).contains(&texts.len()), "{texts:?}"),
        }
    }
}

/// A service keeps only its last deployments. Those before them stay until their messages are sent.
#[tokio::test]
async fn deployments_that_failed_while_the_chat_was_down_are_all_posted() {
    let (slack, table) = (chat(ok()).await, Dynalite::start().await);
    let down = chat(ResponseTemplate::new(404)).await;
    let failing = Stage::webhook(&down, Some(table.url()));
    let failed = |number: usize| {
        let seconds = 600 - i64::try_from(number).unwrap() * 100;
        let mut event = deployment(
            "SERVICE_DEPLOYMENT_FAILED",
            seconds,
            "tasks failed to start.",
        );
        event["id"] = json!(format!("failed {number}"));
        event["detail"]["deploymentId"] = json!(format!("ecs-svc/900000000000000000{number}"));
        event
    };
    let events: Vec<_> = (1..=4).map(failed).collect();
    for event in &events {
        let (answers, log) = failing.run(vec![event.clone()]).await;
        assert!(matches!(answers[0], Answer::Error { .. }), "{log}");
    }
    let stage = Stage::webhook(&slack, Some(table.url()));
    for event in &events {
        let (answers, log) = stage.run(vec![event.clone()]).await;
        assert_eq!(answers, [SUCCEEDED], "{log}");
    }
    let texts = texts(&slack).await;
    assert_eq!(texts.len(), 4, "{texts:#?}");
    let record = record_of(&table.whole_items().await[SERVICE]);
    assert!(!record.to_string().contains("unsent"));
}

/// CloudTrail brings the agent's report of a stop minutes after ECS's own event. Without AWS's help it names no service.
#[tokio::test]
async fn a_report_of_a_stop_that_a_thread_shows_is_a_duplicate() {
    let slack = chat(ok()).await;
    let stage = Stage::webhook(&slack, None);
    let mut report = events::sample("task_stopped-submit-oom");
    let task = out_of_memory(1)["detail"]["taskArn"].clone();
    report["detail"]["requestParameters"]["task"] = task;
    report["detail"]["requestParameters"]["cluster"] = json!("prod-web");
    report["detail"]["eventTime"] = json!(seconds_ago(3));
    report["time"] = json!(seconds_ago(3));
    let (answers, log) = stage.run(vec![out_of_memory(1), report]).await;
    assert_eq!(answers, [SUCCEEDED, SUCCEEDED], "{log}");
    assert_eq!(texts(&slack).await.len(), 1, "{log}");
}

#[tokio::test]
async fn a_message_that_was_deleted_is_posted_anew() {
    let (slack, table) = (SlackApi::start().await, Dynalite::start().await);
    let stage = Stage::app(slack.settings(), &table);
    stage.run(vec![out_of_memory(1)]).await;
    slack.delete(&slack.messages()[0].ts);
    let (answers, log) = stage.run(vec![image_pull(2)]).await;
    assert_eq!(answers, [SUCCEEDED], "{log}");
    let messages = slack.messages();
    let new = messages[0].ts.clone();
    assert_eq!(messages[0].thread_ts, None);
    assert!(messages[0].text.contains("could not pull"), "{messages:?}");
    assert_eq!(messages[1].thread_ts.as_ref(), Some(&new));
    let before = slack.calls().len();
    let (answers, log) = stage.run(vec![exit(3)]).await;
    assert_eq!(answers, [SUCCEEDED], "{log}");
    let later = &calls(&slack)[before..];
    let expected = ["chat.update", "chat.postMessage"];
    assert_eq!(
        later,
        expected.map(|method| (method.to_owned(), json!(new))),
        "{log}"
    );
}

/// An edit that the chat does not take must not delay the alarm after it.
#[tokio::test]
async fn a_refused_edit_does_not_hold_back_its_reply() {
    for busy in [false, true] {
        let (slack, table) = (SlackApi::start().await, Dynalite::start().await);
        let stage = Stage::app(slack.settings(), &table);
        stage.run(vec![out_of_memory(1)]).await;
        match busy {
            true => {
                let limited = ResponseTemplate::new(429).insert_header("retry-after", "120");
                slack.answer_next(limited);
            }
            false => slack.fail_next("block_mismatch"),
        }
        let (answers, log) = stage.run(vec![image_pull(2)]).await;
        let methods = slack.methods();
        let expected = ["chat.postMessage", "chat.update", "chat.postMessage"];
        assert_eq!(methods, expected, "{log}");
        let reply = &slack.messages()[1];
        assert!(reply.is_broadcast && reply.text.contains("could not pull"));
        // A busy chat takes the edit later.
        assert_eq!(matches!(answers[0], Answer::Error { .. }), busy, "{log}");
        if busy {
            let (answers, log) = stage.run(vec![image_pull(2)]).await;
            assert_eq!(answers, [SUCCEEDED], "{log}");
            assert_eq!(slack.methods()[3..], ["chat.update"], "{log}");
            assert_eq!(slack.messages()[0].edits, 1);
        }
    }
}

#[tokio::test]
async fn an_urgent_only_channel_gets_a_deployment_when_it_fails() {
    let (slack, table) = (SlackApi::start().await, Dynalite::start().await);
    let mut settings = slack.settings();
    settings["minimum"] = json!("urgent");
    let stage = Stage::app(settings, &table);
    let id = "ecs-svc/7834536996372658235";
    let states = [
        (
            deployment("SERVICE_DEPLOYMENT_IN_PROGRESS", 300, "started."),
            0,
        ),
        (
            deployment("SERVICE_DEPLOYMENT_FAILED", 200, "tasks failed to start."),
            1,
        ),
        (
            deployment(
                "SERVICE_DEPLOYMENT_IN_PROGRESS",
                199,
                &format!("ECS deployment circuit breaker: rolling back to deploymentId {id}."),
            ),
            1,
        ),
        (
            deployment("SERVICE_DEPLOYMENT_COMPLETED", 20, "completed."),
            2,
        ),
    ];
    for (event, messages) in states {
        let (answers, log) = stage.run(vec![event]).await;
        assert_eq!(answers, [SUCCEEDED], "{log}");
        assert_eq!(slack.messages().len(), messages, "{log}");
    }
    let messages = slack.messages();
    assert_eq!(messages[1].thread_ts.as_ref(), Some(&messages[0].ts));
    assert!(!messages[1].is_broadcast, "the failure was: {messages:?}");
    assert!(messages[1].text.contains("rolled back"), "{messages:?}");
    assert_eq!(slack.calls()[0].body["channel"], CHANNEL);
}

/// An item of a newer version, or that somebody has written by hand.
#[tokio::test]
async fn an_item_that_cannot_be_read_is_set_aside() {
    let string = |text: &str| AttributeValue::S(text.to_owned());
    let number = |text: &str| AttributeValue::N(text.to_owned());
    for (version, format, thread) in [
        (Some("7"), Some("99"), "{\"new\": true}"),
        (Some("7"), Some("1"), "{ no JSON"),
        (Some("7"), Some("2"), "{}"),
        (None, None, "by hand"),
    ] {
        let (slack, table) = (chat(ok()).await, Dynalite::start().await);
        let mut item = HashMap::from([
            ("id".to_owned(), string(SERVICE)),
            ("thread".to_owned(), string(thread)),
        ]);
        for (name, value) in [("version", version), ("format", format)] {
            item.extend(value.map(|value| (name.to_owned(), number(value))));
        }
        table.put_whole(item).await;
        let stage = Stage::webhook(&slack, Some(table.url()));
        let (answers, log) = stage.run(vec![out_of_memory(1)]).await;
        assert_eq!(answers, [SUCCEEDED], "{log}");
        assert_eq!(texts(&slack).await.len(), 1, "{log}");
        assert_eq!(
            log.matches("the state of this subject cannot be read")
                .count(),
            1,
            "{log}"
        );
        let items = table.whole_items().await;
        let aside = &items[&format!("unreadable {SERVICE}")];
        assert_eq!(text(aside, "thread"), thread);
        // The next function reads the new item.
        let (_, log) = stage.run(vec![out_of_memory(2)]).await;
        assert!(!log.contains("cannot be read"), "{log}");
        assert_eq!(texts(&slack).await.len(), 1, "{log}");
        assert_eq!(failures(&table).await, 2);
    }
}

/// A table that refuses calls.
async fn refusing_table(error: &str, writes_conflict: bool) -> MockServer {
    let server = MockServer::start().await;
    let refusal = |error: &str| {
        let body =
            json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{error}"), "message": "no"});
        ResponseTemplate::new(400).set_body_json(body)
    };
    if writes_conflict {
        Mock::given(header("x-amz-target", "DynamoDB_20120810.PutItem"))
            .respond_with(refusal("ConditionalCheckFailedException"))
            .mount(&server)
            .await;
    }
    let all = Mock::given(method("POST")).respond_with(refusal(error));
    all.mount(&server).await;
    server
}

/// Without the table the threads are in the function's memory.
#[tokio::test]
async fn without_the_table_threads_are_in_memory() {
    let denied = refusing_table("AccessDeniedException", false).await;
    let throttled = refusing_table("ProvisionedThroughputExceededException", false).await;
    let unreadable = refusing_table("AccessDeniedException", true).await;
    for table in [
        "http://127.0.0.1:9",
        &denied.uri(),
        &throttled.uri(),
        &unreadable.uri(),
    ] {
        let slack = chat(ok()).await;
        let stage = Stage::webhook(&slack, Some(table));
        let batches = vec![
            json!([out_of_memory(1), out_of_memory(2)]),
            json!([image_pull(3)]),
        ];
        let (answers, log) = stage.run(batches).await;
        assert_eq!(answers, [SUCCEEDED, SUCCEEDED], "{table} {log}");
        let texts = texts(&slack).await;
        assert_eq!(texts.len(), 2, "{table} {texts:?} {log}");
        assert!(texts[0].contains("×2"), "{table} {texts:?}");
        let warnings = log.matches("the state table is not available").count();
        assert_eq!(warnings, 2, "one in each invocation: {table} {log}");
    }
}

/// Another function is faster with one subject of a batch. The others are advanced again with it, and posted once.
#[tokio::test]
async fn a_conflict_posts_no_other_thread_twice() {
    const CLUSTER: &str = "thread cluster 210987654321 eu-west-1 prod-web -";
    for contested in [SERVICE, CLUSTER] {
        let (slack, table) = (chat(ok()).await, MockTable::start().await);
        let stage = Stage::webhook(&slack, Some(&table.url()));
        let mut other = out_of_memory(2);
        other["detail"]["clusterArn"] =
            json!("arn:aws:ecs:eu-west-1:210987654321:cluster/staging-web");
        table.conflict_next(contested);
        let (answers, log) = stage.run(vec![json!([out_of_memory(1), other])]).await;
        assert_eq!(answers, [SUCCEEDED], "{log}");
        let texts = texts(&slack).await;
        assert_eq!(texts.len(), 2, "{contested}: {texts:?} {log}");
        assert_eq!(
            table.costs().conflicts,
            0,
            "the table itself refused nothing"
        );
        // The cluster knows of the incident, so that it counts for a storm.
        let openings = &table.record(CLUSTER)["state"]["cluster"]["openings"];
        assert_eq!(openings.as_array().unwrap().len(), 1, "{contested}: {log}");
    }
}

#[tokio::test]
async fn functions_with_one_hot_service_lose_no_event() {
    // If the table does not answer in time, the threads are in memory, by design. This can happen on a busy machine. Such
    // a race proves nothing, and is run again.
    for _ in 0..5 {
        if race().await {
            return;
        }
    }
    panic!("in five races the table did not answer in time");
}

/// Four functions get failures of one service at the same time. Returns false if the table did not always answer in time.
async fn race() -> bool {
    let (slack, table) = (SlackApi::start().await, Dynalite::start().await);
    let stage = Stage::app(slack.settings(), &table);
    let batches = (0..4).map(|function| {
        let events = (0..5).map(|number| {
            let number = function * 5 + number;
            record(&number.to_string(), &out_of_memory(number), 1)
        });
        json!({"Records": events.collect::<Vec<_>>()})
    });
    let batches: Vec<_> = batches.collect();
    let together = batches.iter().map(|batch| stage.run(vec![batch.clone()]));
    for (answers, log) in futures::future::join_all(together).await {
        if log.contains("the state table is not available") {
            return false;
        }
        assert!(matches!(answers[0], Answer::Response(_)), "{log}");
    }
    // What was returned comes again. So does the rest here, which does no harm.
    for batch in batches {
        let (answers, log) = stage.run(vec![batch]).await;
        if log.contains("the state table is not available") {
            return false;
        }
        let nothing = json!({"batchItemFailures": []});
        assert_eq!(answers, [Answer::Response(nothing)], "{log}");
    }
    assert_eq!(failures(&table).await, 20);
    let methods = slack.methods().into_iter();
    let posts = methods.filter(|it| it == "chat.postMessage").count();
    assert_eq!(posts, 1, "{:?}", slack.messages());
    true
}

#[tokio::test]
async fn keep_brings_single_posts_back_and_drop_hides_from_threads() {
    let mut start = events::sample("task_started-fargate");
    let starts = [1, 2].map(|number| {
        start["id"] = json!(format!("start {number}"));
        start["detail"]["taskArn"] = json!(format!(
            "arn:aws:ecs:eu-west-1:210987654321:task/prod-web/{number:032x}"
        ));
        start.clone()
    });
    for (variable, value, events, posted) in [
        ("KEEP", "", starts.to_vec(), 0),
        ("KEEP", "task_started", starts.to_vec(), 2),
        ("DROP", "", vec![out_of_memory(1), image_pull(2)], 2),
        (
            "DROP",
            "task_stopped",
            vec![out_of_memory(1), image_pull(2)],
            0,
        ),
    ] {
        let (slack, table) = (chat(ok()).await, Dynalite::start().await);
        let mut stage = Stage::webhook(&slack, Some(table.url()));
        stage.channels.push((variable, value.to_owned()));
        let (answers, log) = stage.run(events).await;
        assert_eq!(answers, [SUCCEEDED, SUCCEEDED], "{log}");
        assert_eq!(
            texts(&slack).await.len(),
            posted,
            "{variable}={value} {log}"
        );
        let has_incident = !table.whole_items().await.is_empty()
            && variable == "DROP"
            && failures(&table).await == 2;
        assert_eq!(has_incident, variable == "DROP" && value.is_empty());
    }
}

/// Ends the wait of everything that is due.
async fn end_waits(table: &Dynalite) {
    for (id, mut item) in table.whole_items().await {
        if !id.starts_with("thread ") {
            continue;
        }
        let mut thread = record_of(&item);
        let threads = thread["outbox"]["threads"].as_object_mut().unwrap();
        let channels = threads.values_mut().filter_map(Value::as_object_mut);
        for messages in channels.flat_map(|it| it.values_mut()) {
            for due in messages["due"].as_array_mut().unwrap() {
                due["not_before"] = json!(0);
            }
        }
        item.insert("thread".to_owned(), AttributeValue::S(thread.to_string()));
        item.insert("format".to_owned(), AttributeValue::N("1".to_owned()));
        table.put_whole(item).await;
    }
}

/// The opening of a thread may have arrived each time. It is sent three times. Then its record goes to the dead-letter
/// queue, and what a person sends from there is posted.
#[tokio::test]
async fn an_opening_without_an_answer_is_sent_three_times() {
    let (aws, table) = (FakeAws::start().await, Dynalite::start().await);
    let stalling = chat(ok().set_delay(TIMEOUT)).await;
    let stage = Stage::webhook(&stalling, Some(table.url()));
    let queue = aws.url();
    let mut variables = stage.variables();
    variables.push(("AWS_ENDPOINT_URL_SQS", &queue));
    for (receives, sent) in [(1, 1), (2, 1), (3, 2), (4, 3), (5, 3), (6, 3)] {
        if receives > 2 {
            end_waits(&table).await;
        }
        let batch = json!({"Records": [record("oom", &out_of_memory(1), receives)]});
        let (answers, log) = stage.api(vec![batch]).await.run(&variables).await;
        let returned = json!({"batchItemFailures": [{"itemIdentifier": "oom"}]});
        assert_eq!(answers, [Answer::Response(returned)], "{receives} {log}");
        assert_eq!(texts(&stalling).await.len(), sent, "{receives} {log}");
    }
    let delays = aws.visibility_changes().into_iter();
    let delays: Vec<_> = delays
        .map(|it| it["VisibilityTimeout"].as_i64().unwrap())
        .collect();
    assert_eq!(delays, [30, 60, 3_600, 0, 0, 0]);
    let answering = chat(ok()).await;
    let stage = Stage::webhook(&answering, Some(table.url()));
    for _ in 0..2 {
        let (answers, log) = stage.run(vec![out_of_memory(1)]).await;
        assert_eq!(answers, [SUCCEEDED], "{log}");
        assert_eq!(texts(&answering).await.len(), 1, "{log}");
    }
}

/// What a person did is read before what came of it.
#[tokio::test]
async fn a_persons_call_is_posted_before_the_incident_of_its_batch() {
    let mut call = events::sample("stop_task-by-sso-person");
    call["time"] = json!(seconds_ago(8));
    let detail = &mut call["detail"];
    detail["eventTime"] = json!(seconds_ago(8));
    detail["requestParameters"]["cluster"] = json!("prod-web");
    let task = &mut detail["responseElements"]["task"];
    task["clusterArn"] = json!("arn:aws:ecs:eu-west-1:210987654321:cluster/prod-web");
    task["group"] = json!("service:checkout");
    let mut other = call.clone();
    other["detail"]["eventID"] = json!("another call");
    other["detail"]["responseElements"]["task"]["group"] = json!("service:search");
    let batch = json!([out_of_memory(1), other, call]).to_string();
    let slack = chat(ok()).await;
    let api = RuntimeApi::ending_after(Duration::from_secs(15), vec![batch]).await;
    let (answers, log) = api.run(&[("SLACK_WEBHOOKURL", &webhook(&slack))]).await;
    assert_eq!(answers, [SUCCEEDED], "{log}");
    let texts = texts(&slack).await;
    let place = |what: &str| texts.iter().position(|it| it.contains(what));
    let (call, incident) = (
        place("checkout in prod-web: task"),
        place("ran out of memory"),
    );
    assert!(call.is_some() && call < incident, "{texts:#?}");
    // What is about another service is not more urgent than the incident.
    assert!(incident < place("search in prod-web: task"), "{texts:#?}");
}
