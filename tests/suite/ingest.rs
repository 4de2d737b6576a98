//! Records of the queue that brings events: given back to be shown later, or at once to the dead-letter queue.

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
    json!({"Records": [
        record("first", &body("stop_task-by-root"), 1),
        record("third", &body("task_stopped-out-of-memory"), 3),
        record("late", &body("deployment-failed"), 19),
        record("dropped", &body("service_action-service-steady-state"), 2),
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

/// A chat that takes every message and never says so.
async fn stalling() -> MockServer {
    chat(ok().set_delay(TIMEOUT)).await
}

/// One record as a queue hands it out again and again, in one process.
fn handed_out(times: u32) -> Vec<String> {
    handed_out_with(&events::sample("task_stopped-out-of-memory"), times)
}

fn handed_out_with(event: &Value, times: u32) -> Vec<String> {
    let body = event.to_string();
    (1..=times)
        .map(|receives| json!({"Records": [record("oom", &body, receives)]}).to_string())
        .collect()
}

/// It may have arrived each time: it is sent three times in all, later and later, and then goes to the dead-letter
/// queue as fast as it can.
#[tokio::test]
async fn a_chat_that_does_not_answer_gets_a_message_three_times() {
    let aws = FakeAws::start().await;
    let slack = stalling().await;
    let api = RuntimeApi::ending_after(Duration::from_secs(600), handed_out(20)).await;
    let webhook = webhook(&slack);
    let (answers, log) = aws
        .invoke(PARROT, api, &[("SLACK_WEBHOOKURL", &webhook)])
        .await;
    let given_back = json!({"batchItemFailures": [{"itemIdentifier": "oom"}]});
    assert_eq!(answers.len(), 20, "{log}");
    let given_back = Answer::Response(given_back);
    assert!(answers.iter().all(|it| *it == given_back), "{answers:?}");
    assert_eq!(texts(&slack).await.len(), 3, "{log}");
    let delays: Vec<_> = shown_again(&aws)
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

/// A gateway that takes a message and answers in its own words, or a login page: nobody knows which, and nobody wants
/// it twenty times. What came and what to check is said.
#[tokio::test]
async fn a_success_in_other_words_gets_a_message_three_times() {
    for (body, came) in [("", "nothing"), ("<html>sign in</html>", "a page")] {
        let aws = FakeAws::start().await;
        let slack = chat(ResponseTemplate::new(200).set_body_string(body)).await;
        let api = RuntimeApi::ending_after(Duration::from_secs(600), handed_out(20)).await;
        let webhook = webhook(&slack);
        let (answers, log) = aws
            .invoke(PARROT, api, &[("SLACK_WEBHOOKURL", &webhook)])
            .await;
        let given_back = json!({"batchItemFailures": [{"itemIdentifier": "oom"}]});
        let given_back = Answer::Response(given_back);
        assert_eq!(answers.len(), 20, "{log}");
        assert!(answers.iter().all(|it| *it == given_back), "{answers:?}");
        assert_eq!(texts(&slack).await.len(), 3, "{log}");
        let says = format!(
            "sent 3 times, and 200, but answered with {came}, not with `ok`: \
             is `url` (SLACK_WEBHOOKURL) the address of the webhook?; it may have arrived, and is not sent again"
        );
        assert!(log.contains(&says), "{log}");
    }
}

/// Nothing tells it from others but the message that brings it.
#[tokio::test]
async fn an_event_without_an_id_is_bounded_as_well() {
    let aws = FakeAws::start().await;
    let slack = chat(ResponseTemplate::new(200)).await;
    let mut event = events::sample("stop_task-by-root");
    event.as_object_mut().unwrap().remove("id");
    event["detail"].as_object_mut().unwrap().remove("eventID");
    let handed_out = handed_out_with(&event, 20);
    let api = RuntimeApi::ending_after(Duration::from_secs(600), handed_out).await;
    let webhook = webhook(&slack);
    let (answers, log) = aws
        .invoke(PARROT, api, &[("SLACK_WEBHOOKURL", &webhook)])
        .await;
    assert_eq!(answers.len(), 20, "{log}");
    assert_eq!(texts(&slack).await.len(), 3, "{log}");
}

/// A process that knows nothing of those before it, and has no table to ask, goes by what the queue says.
#[tokio::test]
async fn without_a_memory_the_queues_count_is_the_bound() {
    let aws = FakeAws::start().await;
    let slack = stalling().await;
    let webhook = webhook(&slack);
    let late = handed_out(9).split_off(6);
    let api = RuntimeApi::ending_after(Duration::from_secs(600), late).await;
    let (_, log) = aws
        .invoke(PARROT, api, &[("SLACK_WEBHOOKURL", &webhook)])
        .await;
    assert_eq!(texts(&slack).await.len(), 1, "{log}");
    assert_eq!(shown_again(&aws), vec![("oom".to_owned(), 0); 3]);
    // One was sent by this process; of the others it does not know.
    assert!(
        log.contains(
            "delivered by the queue 7 times, and no answer within 5 s; it may have arrived"
        ),
        "{log}"
    );
    assert!(!log.contains("sent 7 times"), "{log}");
}

/// Without a connection nothing was sent: that is tried as long as ever.
#[tokio::test]
async fn a_chat_that_is_away_is_tried_on() {
    let aws = FakeAws::start().await;
    let late = handed_out(9).split_off(6);
    let api = RuntimeApi::ending_after(Duration::from_secs(600), late).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let webhook = format!("http://{nobody}/services/x");
    let (_, log) = aws
        .invoke(PARROT, api, &[("SLACK_WEBHOOKURL", &webhook)])
        .await;
    assert!(log.contains("refused"), "{log}");
    assert_eq!(shown_again(&aws), vec![("oom".to_owned(), 900); 3]);
}

/// It alone fails, and the others of its batch are posted. What it would take is not taken.
#[tokio::test]
async fn a_record_that_holds_too_much_harms_no_other() {
    let aws = FakeAws::start().await;
    let slack = chat(ok()).await;
    let webhook = webhook(&slack);
    let monster = format!("[{}]", vec!["{}"; 127_000].join(","));
    let body = events::sample("task_stopped-out-of-memory").to_string();
    let mut records = vec![record("good", &body, 1)];
    records.extend((0..12).map(|number| record(&format!("monster {number}"), &monster, 1)));
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

/// Without the right to it the queue's own time holds, and the answer is the same.
#[tokio::test]
async fn a_queue_that_does_not_listen() {
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
