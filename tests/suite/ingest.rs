//! Records of the queue that brings events: given back to be shown later, or at once to the dead-letter queue.

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::chat::{chat, webhook};
use crate::events;
use crate::fake_aws::{FakeAws, Refusal, policy::Policy};
use crate::runtime_api::{Answer, RuntimeApi};

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
    json!({"Records": [
        record("first", &body("stop_task-by-root"), 1),
        record("third", &body("task_stopped-out-of-memory"), 3),
        record("late", &body("deployment-failed"), 19),
        record("dropped", &body("service_action-service-steady-state"), 2),
        record("poison", "{ no JSON", 1),
    ]})
}

pub(crate) async fn run(aws: &FakeAws, status: u16) -> (Value, String) {
    let slack = chat(ResponseTemplate::new(status)).await;
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

/// When the queue shall show each record again.
fn shown_again(aws: &FakeAws) -> Vec<(String, i64)> {
    let shown = aws.shown_again().into_iter();
    let mut shown: Vec<_> = shown
        .map(|shown| {
            assert_eq!(shown["QueueUrl"], QUEUE);
            let handle = shown["ReceiptHandle"].as_str().unwrap();
            let id = handle.strip_prefix("handle of ").unwrap().to_owned();
            (id, shown["VisibilityTimeout"].as_i64().unwrap())
        })
        .collect();
    shown.sort();
    shown
}

#[tokio::test]
async fn what_failed_is_shown_later_and_later() {
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
        shown_again(&aws),
        expected.map(|(id, seconds)| (id.to_owned(), seconds))
    );
}

#[tokio::test]
async fn what_was_told_is_the_queues_to_delete() {
    let aws = FakeAws::start().await;
    let (answer, _) = run(&aws, 200).await;
    assert_eq!(
        answer,
        json!({"batchItemFailures": [{"itemIdentifier": "poison"}]})
    );
    assert_eq!(shown_again(&aws), [("poison".to_owned(), 0)]);
}

/// Without the right to it the queue's own time holds, and the answer is the same.
#[tokio::test]
async fn a_queue_that_does_not_listen() {
    let aws = FakeAws::start().await;
    aws.allow_only(Policy::new(&json!({"Statement": []})));
    aws.refuse("ChangeMessageVisibilityBatch", 9, &Refusal::throttled());
    let (answer, log) = run(&aws, 404).await;
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 4);
    assert!(log.contains("the queue's own delay holds"), "{log}");
}
