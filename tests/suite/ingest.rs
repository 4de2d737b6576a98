//! Records of the event queue that fail: they are returned to the queue with a delay, or moved to the dead-letter queue
//! at once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use crate::chat::{chat, ok, texts, webhook};
use crate::events;
use crate::fake_aws::{FakeAws, REGION, Refusal, policy::Policy};
use crate::runtime_api::{Answer, Function, RuntimeApi, TIMEOUT, memory};

const PARROT: &str = env!("CARGO_BIN_EXE_parrot");
const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/210987654321/events";

fn record(id: &str, body: &str, receives: u32) -> Value {
    json!({
        "messageId": id,
        "receiptHandle": format!("handle of {id}"),
        "body": body,
        "attributes": {"ApproximateReceiveCount": receives.to_string()},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:210987654321:events",
    })
}

fn batch() -> Value {
    let body = |name: &str| events::sample(name).to_string();
    // Its service has no other event here.
    let mut dropped = events::sample("service_action-service-steady-state");
    dropped["resources"] = json!(["arn:aws:ecs:eu-west-1:210987654321:service/prod-web/search"]);
    json!({"Records": [
        record("first", &body("stop_task-by-root"), 1),
        record("third", &body("task_stopped-out-of-memory"), 3),
        record("late", &body("deployment-failed"), 19),
        record("dropped", &dropped.to_string(), 2),
        record("poison", "{ no JSON", 1),
    ]})
}

pub(crate) async fn run(aws: &FakeAws, status: u16) -> (Value, String) {
    let slack = chat(ResponseTemplate::new(status).set_body_string("ok")).await;
    let api = RuntimeApi::with(vec![batch()]).await;
    let variables = [("SLACK_WEBHOOKURL", webhook(&slack))];
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let (mut answers, log) = aws.invoke(PARROT, api, &variables).await;
    match answers.remove(0) {
        Answer::Response(answer) => (answer, log),
        error @ Answer::Error { .. } => panic!("{error:?}: {log}"),
    }
}

/// The visibility timeout that the function set for each record.
fn visibility_timeouts(aws: &FakeAws) -> Vec<(String, i64)> {
    let changes = aws.visibility_changes().into_iter();
    let mut timeouts: Vec<_> = changes
        .map(|change| {
            assert_eq!(change["QueueUrl"], QUEUE);
            let handle = change["ReceiptHandle"].as_str().unwrap();
            let id = handle.strip_prefix("handle of ").unwrap().to_owned();
            (id, change["VisibilityTimeout"].as_i64().unwrap())
        })
        .collect();
    timeouts.sort();
    timeouts
}

#[tokio::test]
async fn a_failed_record_returns_later_each_time() {
    let aws = FakeAws::start().await;
    let (answer, log) = run(&aws, 404).await;
    let ids: Vec<_> = answer["batchItemFailures"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    let ids: Vec<_> = ids
        .iter()
        .map(|it| it["itemIdentifier"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["first", "third", "late", "poison"], "{log}");
    let expected = [("first", 30), ("late", 900), ("poison", 0), ("third", 120)];
    assert_eq!(
        visibility_timeouts(&aws),
        expected.map(|(id, seconds)| (id.to_owned(), seconds))
    );
}

#[tokio::test]
async fn the_queue_deletes_what_was_posted() {
    let aws = FakeAws::start().await;
    let (answer, _) = run(&aws, 200).await;
    assert_eq!(
        answer,
        json!({"batchItemFailures": [{"itemIdentifier": "poison"}]})
    );
    assert_eq!(visibility_timeouts(&aws), [("poison".to_owned(), 0)]);
}

/// A chat that accepts every message and does not answer.
async fn stalling() -> MockServer {
    chat(ok().set_delay(TIMEOUT)).await
}

/// One record that the queue delivers several times to the same process. Its event belongs to no thread.
fn deliveries(times: u32) -> Vec<String> {
    deliveries_of(&events::sample("task_stopped-submit-oom"), times)
}

fn deliveries_of(event: &Value, times: u32) -> Vec<String> {
    let body = event.to_string();
    (1..=times)
        .map(|receives| json!({"Records": [record("oom", &body, receives)]}).to_string())
        .collect()
}

/// The message may have arrived each time. It is sent three times in all, later each time. Then the record goes to the
/// dead-letter queue as fast as possible.
#[tokio::test]
async fn a_chat_that_does_not_answer_gets_a_message_three_times() {
    let aws = FakeAws::start().await;
    let slack = stalling().await;
    let api = RuntimeApi::ending_after(Duration::from_secs(600), deliveries(20)).await;
    let webhook = webhook(&slack);
    let (answers, log) = aws
        .invoke(PARROT, api, &[("SLACK_WEBHOOKURL", &webhook)])
        .await;
    let returned = json!({"batchItemFailures": [{"itemIdentifier": "oom"}]});
    assert_eq!(answers.len(), 20, "{log}");
    let returned = Answer::Response(returned);
    assert!(answers.iter().all(|it| *it == returned), "{answers:?}");
    assert_eq!(texts(&slack).await.len(), 3, "{log}");
    let delays: Vec<_> = visibility_timeouts(&aws)
        .into_iter()
        .map(|(_, delay)| delay)
        .collect();
    let mut expected = vec![0; 18];
    expected.extend([30, 3_600]);
    assert_eq!(delays, expected);
    assert!(
        log.contains(
            "sent 3 times, and no answer within 5 s; it may have arrived, and is not sent again"
        ),
        "{log}"
    );
}

/// A gateway may accept a message and answer with another text; a login page answers with success too. The function
/// cannot know which it was, and must not send the message twenty times. The log says what the answer was and what to
/// check.
#[tokio::test]
async fn an_unexpected_success_gets_a_message_three_times() {
    for (body, came) in [("", "nothing"), ("<html>sign in</html>", "a page")] {
        let aws = FakeAws::start().await;
        let slack = chat(ResponseTemplate::new(200).set_body_string(body)).await;
        let api = RuntimeApi::ending_after(Duration::from_secs(600), deliveries(20)).await;
        let webhook = webhook(&slack);
        let (answers, log) = aws
            .invoke(PARROT, api, &[("SLACK_WEBHOOKURL", &webhook)])
            .await;
        let returned = json!({"batchItemFailures": [{"itemIdentifier": "oom"}]});
        let returned = Answer::Response(returned);
        assert_eq!(answers.len(), 20, "{log}");
        assert!(answers.iter().all(|it| *it == returned), "{answers:?}");
        assert_eq!(texts(&slack).await.len(), 3, "{log}");
        let says = format!(
            "sent 3 times, and 200, but answered with {came}, not with `ok`: \
             is `url` (SLACK_WEBHOOKURL) the address of the webhook?; it may have arrived, and is not sent again"
        );
        assert!(log.contains(&says), "{log}");
    }
}

/// Such an event can only be identified by the queue's message id.
#[tokio::test]
async fn an_event_without_an_id_is_sent_three_times_too() {
    let aws = FakeAws::start().await;
    let slack = chat(ResponseTemplate::new(200)).await;
    let mut event = events::sample("stop_task-by-root");
    event.as_object_mut().unwrap().remove("id");
    event["detail"].as_object_mut().unwrap().remove("eventID");
    let deliveries = deliveries_of(&event, 20);
    let api = RuntimeApi::ending_after(Duration::from_secs(600), deliveries).await;
    let webhook = webhook(&slack);
    let (answers, log) = aws
        .invoke(PARROT, api, &[("SLACK_WEBHOOKURL", &webhook)])
        .await;
    assert_eq!(answers.len(), 20, "{log}");
    assert_eq!(texts(&slack).await.len(), 3, "{log}");
}

/// A new process without a table does not know how often earlier processes sent the message. It uses the queue's
/// receive count.
#[tokio::test]
async fn a_new_process_goes_by_the_queues_receive_count() {
    let aws = FakeAws::start().await;
    let slack = stalling().await;
    let webhook = webhook(&slack);
    let late = deliveries(9).split_off(6);
    let api = RuntimeApi::ending_after(Duration::from_secs(600), late).await;
    let (_, log) = aws
        .invoke(PARROT, api, &[("SLACK_WEBHOOKURL", &webhook)])
        .await;
    assert_eq!(texts(&slack).await.len(), 1, "{log}");
    assert_eq!(visibility_timeouts(&aws), vec![("oom".to_owned(), 0); 3]);
    // This process sent one message. It does not know how often others sent it.
    assert!(
        log.contains(
            "delivered by the queue 7 times, and no answer within 5 s; it may have arrived"
        ),
        "{log}"
    );
    assert!(!log.contains("sent 7 times"), "{log}");
}

/// Without a connection nothing was sent, so that the message is tried again every time.
#[tokio::test]
async fn a_chat_that_refuses_connections_is_tried_again() {
    let aws = FakeAws::start().await;
    let late = deliveries(9).split_off(6);
    let api = RuntimeApi::ending_after(Duration::from_secs(600), late).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let webhook = format!("http://{closed}/services/x");
    let (_, log) = aws
        .invoke(PARROT, api, &[("SLACK_WEBHOOKURL", &webhook)])
        .await;
    assert!(log.contains("refused"), "{log}");
    assert_eq!(visibility_timeouts(&aws), vec![("oom".to_owned(), 900); 3]);
}

/// Only this record fails, and the others of the batch are posted. The memory stays bounded.
#[tokio::test]
async fn a_record_with_too_many_events_fails_alone() {
    let aws = FakeAws::start().await;
    let slack = chat(ok()).await;
    let webhook = webhook(&slack);
    let oversized = format!("[{}]", vec!["{}"; 127_000].join(","));
    let body = events::sample("task_stopped-out-of-memory").to_string();
    let mut records = vec![record("good", &body, 1)];
    records.extend((0..12).map(|number| record(&format!("oversized {number}"), &oversized, 1)));
    let api = RuntimeApi::with(vec![json!({"Records": records})]).await;
    let address = api.server.address().to_string();
    let queue = aws.url();
    let variables = [
        ("SLACK_WEBHOOKURL", webhook.as_str()),
        ("AWS_ENDPOINT_URL", queue.as_str()),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    let mut function = Function::start(PARROT, &address, &variables);
    let started = Instant::now();
    while api.answers().await.is_empty() {
        assert!(started.elapsed() < TIMEOUT, "{}", function.stop());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let peak = memory(function.child.id());
    let (answers, log) = (api.answers().await, function.stop());
    let Answer::Response(answer) = &answers[0] else {
        panic!("{answers:?}: {log}")
    };
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 12);
    assert_eq!(texts(&slack).await.len(), 1, "{log}");
    assert!(
        log.contains("more than 10000 events in one record"),
        "{log}"
    );
    assert!(peak < 150_000, "{peak} kB");
}

/// Without the permission to change the visibility, the queue's own timeout applies. The function's answer is the same.
#[tokio::test]
async fn a_refused_visibility_change_does_not_matter() {
    let aws = FakeAws::start().await;
    aws.allow_only(Policy::new(&json!({"Statement": []})));
    aws.refuse("ChangeMessageVisibilityBatch", 9, &Refusal::throttled());
    let (answer, log) = run(&aws, 404).await;
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 4);
    assert!(
        log.contains("the queue's visibility timeout applies"),
        "{log}"
    );
}
