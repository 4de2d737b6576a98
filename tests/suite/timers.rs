//! Timers: delayed messages that the function sends to its own queue, so that reminders and recoveries have their time.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::chat::{chat, ok, texts, webhook};
use crate::dedup::{Dynalite, TABLE};
use crate::events;
use crate::fake_aws::{FakeAws, Refusal};
use crate::metrics;
use crate::runtime_api::{Answer, RuntimeApi, TIMEOUT};

const PARROT: &str = env!("CARGO_BIN_EXE_parrot");
const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/210987654321/events";
const NOT_SENT: &str = "timers were not sent, so reminders and recoveries wait for the next event";

/// So long the chat takes. What is due after a second is due when the message is posted.
pub(crate) const SLOW: Duration = Duration::from_millis(1_100);

fn seconds_ago(seconds: i64) -> Value {
    let time = Timestamp::try_from(SystemTime::now()).unwrap();
    json!((time - jiff::SignedDuration::from_secs(seconds)).to_string())
}

/// A task of the service `checkout` that ran out of memory.
fn failure(number: u32, seconds: i64) -> Value {
    let mut event = events::sample("task_stopped-out-of-memory");
    event["id"] = json!(format!("failure {number}"));
    event["time"] = seconds_ago(seconds);
    let detail = &mut event["detail"];
    detail["taskArn"] = json!(format!(
        "arn:aws:ecs:eu-west-1:210987654321:task/prod-web/{number:032x}"
    ));
    detail["group"] = json!("service:checkout");
    detail["clusterArn"] = json!("arn:aws:ecs:eu-west-1:210987654321:cluster/prod-web");
    for field in ["stoppedAt", "stoppingAt", "updatedAt", "executionStoppedAt"] {
        if detail.get(field).is_some() {
            detail[field] = seconds_ago(seconds);
        }
    }
    event
}

/// The sign that the service `checkout` has recovered.
fn steady_state(seconds: i64) -> Value {
    let mut event = events::sample("service_action-service-steady-state");
    let service = "arn:aws:ecs:eu-west-1:210987654321:service/prod-web/checkout";
    event["id"] = json!("steady state");
    event["time"] = seconds_ago(seconds);
    event["resources"] = json!([service]);
    event["detail"]["clusterArn"] = json!("arn:aws:ecs:eu-west-1:210987654321:cluster/prod-web");
    event["detail"]["createdAt"] = seconds_ago(seconds);
    event
}

pub(crate) fn timer_of(subject: Value) -> Value {
    json!({"source": "ecs-parrot", "detail-type": "Thread Timer", "detail": {"subject": subject, "at": 1_793_064_704_000_i64}})
}

fn checkout() -> Value {
    json!({"kind": "service", "account": "210987654321", "region": "eu-west-1", "cluster": "prod-web", "name": "checkout"})
}

/// A batch of the function's own queue.
pub(crate) fn batch(bodies: &[Value]) -> Value {
    batch_of("events", bodies)
}

fn batch_of(queue: &str, bodies: &[Value]) -> Value {
    let record = |(number, body): (usize, &Value)| {
        json!({
            "messageId": format!("message {number}"),
            "receiptHandle": format!("handle {number}"),
            "body": body.to_string(),
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:eu-west-1:210987654321:{queue}"),
        })
    };
    json!({"Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>()})
}

/// One process of the function, with these payloads one after another. None of their records returns to the queue.
pub(crate) async fn run(
    aws: &FakeAws,
    slack: &MockServer,
    variables: &[(&str, &str)],
    payloads: Vec<Value>,
) -> String {
    let webhook = webhook(slack);
    let mut all = vec![("SLACK_WEBHOOKURL", webhook.as_str())];
    all.extend_from_slice(variables);
    run_with(aws, &all, payloads).await
}

/// As [`run`], with all of the function's variables.
async fn run_with(aws: &FakeAws, variables: &[(&str, &str)], payloads: Vec<Value>) -> String {
    let from_queue: Vec<_> = payloads
        .iter()
        .map(|it| it.get("Records").is_some())
        .collect();
    let api = RuntimeApi::with(payloads).await;
    let (answers, log) = aws.invoke(PARROT, api, variables).await;
    for (answer, from_queue) in answers.into_iter().zip(from_queue) {
        let expected = match from_queue {
            true => json!({"batchItemFailures": []}),
            false => Value::Null,
        };
        assert_eq!(answer, Answer::Response(expected), "{log}");
    }
    assert!(!log.contains("panicked"), "{log}");
    log
}

/// The timers that were sent: each body with its delay in seconds.
pub(crate) fn timers(aws: &FakeAws) -> Vec<(Value, i64)> {
    let sent = aws.sent_messages().into_iter();
    let timers = sent.map(|message| {
        assert_eq!(message["QueueUrl"], QUEUE);
        let body = serde_json::from_str(message["MessageBody"].as_str().unwrap()).unwrap();
        (body, message["DelaySeconds"].as_i64().unwrap())
    });
    timers.collect()
}

/// The timer comes when the recovery is due. If the claim of what is being posted ends before that, it comes then, because
/// the function may have ended in between.
#[tokio::test]
async fn an_incident_sends_one_timer_to_the_functions_own_queue() {
    let claim = i64::try_from(TIMEOUT.as_secs()).unwrap();
    for (resolve_after, longest) in [("30s", 30), ("1h", claim + 3)] {
        let aws = FakeAws::start().await;
        let slack = chat(ok()).await;
        // Three events of one service need one timer.
        let events = batch(&[failure(1, 60), failure(2, 50), steady_state(30)]);
        let variables = [("RESOLVE_AFTER", resolve_after)];
        let log = run(&aws, &slack, &variables, vec![events]).await;
        assert_eq!(texts(&slack).await.len(), 1, "{log}");
        let mut sent = timers(&aws);
        assert_eq!(sent.len(), 1, "{sent:?} {log}");
        let (mut timer, delay) = sent.remove(0);
        assert!(
            (longest - 10..=longest).contains(&delay),
            "{resolve_after}: {delay}"
        );
        let at = timer["detail"]["at"].take().as_i64().unwrap();
        let mut expected = timer_of(checkout());
        expected["detail"]["at"] = Value::Null;
        assert_eq!(timer, expected);
        let now = Timestamp::try_from(SystemTime::now()).unwrap();
        let ahead = (at - now.as_millisecond()) / 1_000;
        assert!((delay - 10..=delay).contains(&ahead), "{ahead} {delay}");
    }
}

/// A timer that comes twice, or again later, does nothing more.
#[tokio::test]
async fn a_timer_makes_the_recovery_due_once() {
    let aws = FakeAws::start().await;
    let slack = chat(ok().set_delay(SLOW)).await;
    let timer = timer_of(checkout());
    let log = run(
        &aws,
        &slack,
        &[("RESOLVE_AFTER", "1s")],
        vec![
            batch(&[failure(1, 60), steady_state(30)]),
            batch(&[timer.clone(), timer.clone()]),
            batch(&[timer]),
        ],
    )
    .await;
    let texts = texts(&slack).await;
    assert_eq!(texts.len(), 2, "{texts:#?} {log}");
    assert!(texts[1].contains("recovered"), "{texts:#?}");
    let delays: Vec<_> = timers(&aws).into_iter().map(|(_, delay)| delay).collect();
    assert_eq!(delays.first(), Some(&1), "{delays:?}");
}

/// Two failures of the service, another message, and its timer so many times.
fn until_the_reminder(timers: usize) -> Vec<Value> {
    let mut payloads = vec![
        batch(&[failure(1, 0)]),
        batch(&[failure(2, 0)]),
        batch(&[events::sample("stop_task-by-root")]),
    ];
    payloads.extend(vec![batch(&[timer_of(checkout())]); timers]);
    payloads
}

/// The delay of the chat makes time pass: the reminder is due after the message between.
#[tokio::test]
async fn a_timer_makes_the_reminder_due_once() {
    let aws = FakeAws::start().await;
    let slack = chat(ok().set_delay(Duration::from_millis(800))).await;
    let log = run(
        &aws,
        &slack,
        &[("REMIND_AFTER", "1500ms,1h")],
        until_the_reminder(2),
    )
    .await;
    let texts = texts(&slack).await;
    assert_eq!(texts.len(), 3, "{texts:#?} {log}");
    assert!(texts[2].contains("still failing"), "{texts:#?}");
}

/// The problem that stays open goes to the other channel once, though its timer comes twice. That channel hears of the
/// end too.
#[tokio::test]
async fn a_timer_makes_the_escalation_due_once() {
    let aws = FakeAws::start().await;
    let slack = chat(ok()).await;
    let on_call = chat(ok().set_delay(SLOW)).await;
    let channels = json!([
        {"name": "on-call", "type": "slack", "url": webhook(&on_call), "minimum": "escalated"},
        {"name": "ops", "type": "slack", "url": webhook(&slack), "escalate_after": "2s", "escalate_to": "on-call"},
        {"name": "slow", "type": "slack", "url": webhook(&on_call), "only": {"kind": ["stop_task"]}},
    ]);
    let channels = channels.to_string();
    let variables = [
        ("CHANNELS", channels.as_str()),
        ("REMIND_AFTER", "DISABLED"),
        ("RESOLVE_AFTER", "1s"),
    ];
    // What another channel gets in between makes the time pass.
    let wait = |number: u32| {
        let mut event = events::sample("stop_task-by-root");
        event["detail"]["eventID"] = json!(format!("wait {number}"));
        batch(&[event])
    };
    let payloads = vec![
        batch(&[failure(1, 0)]),
        batch(&[timer_of(checkout())]),
        wait(1),
        wait(2),
        batch(&[timer_of(checkout())]),
        batch(&[timer_of(checkout())]),
        batch(&[steady_state(0)]),
        wait(3),
        wait(4),
        batch(&[timer_of(checkout())]),
    ];
    let log = run_with(&aws, &variables, payloads).await;
    let on_call = texts(&on_call).await;
    let of_checkout: Vec<_> = on_call
        .iter()
        .filter(|it| it.contains("checkout"))
        .collect();
    assert_eq!(of_checkout.len(), 2, "{on_call:#?} {log}");
    assert!(of_checkout[1].contains("recovered"), "{of_checkout:#?}");
    let ops = texts(&slack).await;
    let of_checkout = ops.iter().filter(|it| it.contains("checkout"));
    assert_eq!(of_checkout.count(), 2, "{ops:#?}");
}

/// A reminder that a timer makes due, and that the chat refuses, is logged and counted, and the next timer tries it again.
#[tokio::test]
async fn a_refused_reminder_is_tried_again() {
    let aws = FakeAws::start().await;
    let slack = MockServer::start().await;
    let answers = [
        (ok().set_delay(Duration::from_millis(800)), 2),
        (
            ResponseTemplate::new(403).set_body_string("action_prohibited"),
            1,
        ),
        (ok(), u64::MAX),
    ];
    for (answer, times) in answers {
        let mock = Mock::given(method("POST")).respond_with(answer);
        mock.up_to_n_times(times).mount(&slack).await;
    }
    let log = run(
        &aws,
        &slack,
        &[("REMIND_AFTER", "1500ms,1h")],
        until_the_reminder(3),
    )
    .await;
    let texts = texts(&slack).await;
    // The opening, the call by itself, the refused reminder, and the reminder. The last timer has nothing to do.
    assert_eq!(texts.len(), 4, "{texts:#?} {log}");
    assert!(texts[3].contains("still failing"), "{texts:#?}");
    assert_eq!(texts[2], texts[3]);
    let said = r#""message":"what was due in a thread was not sent; a timer tries it again","thread":"incident-"#;
    assert_eq!(log.matches(said).count(), 1, "{log}");
    assert_eq!(
        log.matches(r#""error":"slack: 403 action_prohibited: "#)
            .count(),
        1,
        "{log}"
    );
    let sums = metrics::sums(&log);
    let sum = |name: &str| sums.get(name).copied().unwrap_or_default();
    let counted = ["ThreadFailures slack", "DeliveryFailures", "Reminders"];
    assert_eq!(counted.map(sum), [1.0, 1.0, 1.0], "{sums:?}");
    // One that is on its way comes when the claim of the reminder has ended.
    let claim = i64::try_from(TIMEOUT.as_secs()).unwrap();
    let delays: Vec<_> = timers(&aws).into_iter().map(|(_, delay)| delay).collect();
    assert!(delays.iter().any(|it| *it <= claim + 5), "{delays:?}");
}

/// What must happen later than in a quarter of an hour is looked at again every quarter of an hour.
#[tokio::test]
async fn a_timer_sends_the_next_one() {
    let aws = FakeAws::start().await;
    let slack = chat(ok()).await;
    let payloads = vec![batch(&[failure(1, 0)]), batch(&[timer_of(checkout())])];
    let early = run(&aws, &slack, &[("REMIND_AFTER", "1h")], payloads).await;
    // The timer came too early, so the first one is still on its way.
    assert_eq!(timers(&aws).len(), 1, "{early}");
    let payloads = vec![batch(&[failure(1, 0)]), batch(&[failure(1, 0)])];
    let log = run(&aws, &slack, &[("REMIND_AFTER", "1h")], payloads).await;
    let delays: Vec<_> = timers(&aws).into_iter().map(|(_, delay)| delay).collect();
    // An event that comes again sends the timer again: its function may have ended before it did.
    assert_eq!(delays.len(), 3, "{delays:?} {log}");
    assert_eq!(delays[2], 900, "{log}");
}

/// The process that gets the timer need not be the one that sent it.
#[tokio::test]
async fn another_process_gets_the_timer() {
    let (aws, dynalite) = (FakeAws::start().await, Dynalite::start().await);
    let slack = chat(ok().set_delay(SLOW)).await;
    let variables = [
        ("RESOLVE_AFTER", "1s"),
        ("STATE_TABLE", TABLE),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynalite.url()),
    ];
    let opening = batch(&[failure(1, 60), steady_state(30)]);
    run(&aws, &slack, &variables, vec![opening]).await;
    let (timer, _) = timers(&aws).remove(0);
    let log = run(&aws, &slack, &variables, vec![batch(&[timer])]).await;
    let texts = texts(&slack).await;
    assert_eq!(texts.len(), 2, "{texts:#?} {log}");
    assert!(texts[1].contains("recovered"), "{texts:#?}");
}

/// A timer before its time, for example a forged one, makes nothing due.
#[tokio::test]
async fn an_early_timer_does_nothing() {
    let aws = FakeAws::start().await;
    let slack = chat(ok()).await;
    let timer = timer_of(checkout());
    let payloads = vec![batch(&[failure(1, 0), failure(2, 0)]), batch(&[timer])];
    let log = run(&aws, &slack, &[], payloads).await;
    assert_eq!(texts(&slack).await.len(), 1, "{log}");
    // The first timer is still on its way.
    assert_eq!(timers(&aws).len(), 1, "{log}");
}

/// Forged timers are deleted from the queue. They show nothing, store nothing, and disturb no event of their batch.
#[tokio::test]
async fn a_forged_timer_does_nothing() {
    let with = |field: &str, value: Value| {
        let mut subject = checkout();
        subject[field] = value;
        timer_of(subject)
    };
    let huge = json!("x".repeat(512));
    let mut everything_huge = checkout();
    for field in ["account", "region", "cluster", "name"] {
        everything_huge[field] = huge.clone();
    }
    let mut no_subject = timer_of(checkout());
    no_subject["detail"]
        .as_object_mut()
        .unwrap()
        .remove("subject");
    let mut late = timer_of(checkout());
    late["detail"]["at"] = json!(i64::MAX);
    let mut no_detail = timer_of(checkout());
    no_detail["detail"] = json!("none");
    let mut forged = vec![
        with("name", json!("nobody")),
        with("account", json!("999999999999")),
        with("region", json!("")),
        with("name", json!("x".repeat(100_000))),
        with("name", json!("a\nb\u{202e}")),
        with("name", json!(7)),
        with("kind", json!("planet")),
        with("kind", json!("cluster")),
        with("account", Value::Null),
        timer_of(everything_huge),
        timer_of(Value::Null),
        no_subject,
        no_detail,
        late,
    ];
    let timers_only = forged.len();
    // A real incident is in the same batch.
    forged.push(failure(1, 0));
    for with_table in [true, false] {
        let (aws, dynalite) = (FakeAws::start().await, Dynalite::start().await);
        let slack = chat(ok()).await;
        let table = [
            ("STATE_TABLE", TABLE),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynalite.url()),
        ];
        let variables = if with_table { &table[..] } else { &[] };
        let log = run(
            &aws,
            &slack,
            variables,
            vec![batch(&forged), batch(&forged[..timers_only])],
        )
        .await;
        assert_eq!(texts(&slack).await.len(), 1, "{log}");
        assert!(!log.contains("the state table is not available"), "{log}");
        assert!(!log.contains("cannot be read"), "{log}");
        let sent = timers(&aws);
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert_eq!(sent[0].0["detail"]["subject"], checkout());
    }
}

/// A timer that cannot be sent costs a line in the log. The next event of the service sends it again.
#[tokio::test]
async fn a_refused_timer_costs_only_a_warning() {
    let denied = Refusal::new("AccessDenied", "Access to the resource is denied.");
    for by_itself in [true, false] {
        let aws = FakeAws::start().await;
        match by_itself {
            true => aws.refuse_messages(1),
            false => aws.refuse("SendMessageBatch", 1, &denied),
        }
        let slack = chat(ok()).await;
        let payloads = vec![batch(&[failure(1, 0)]), batch(&[failure(2, 0)])];
        let log = run(&aws, &slack, &[], payloads).await;
        assert_eq!(texts(&slack).await.len(), 1, "{log}");
        assert_eq!(log.matches(NOT_SENT).count(), 1, "{log}");
        assert_eq!(log.matches(r#""level":"ERROR""#).count(), 0, "{log}");
        assert_eq!(aws.sent_messages().len(), 2, "{log}");
    }
}

/// Without a queue there is nowhere to send a timer, and a FIFO queue has no delay for single messages. What is due then
/// waits for the next event.
#[tokio::test]
async fn without_a_queue_no_timer_is_sent() {
    let direct = |event: Value| event;
    let fifo = |event: Value| batch_of("events.fifo", &[event]);
    let kinds: [&dyn Fn(Value) -> Value; 2] = [&direct, &fifo];
    for wrapped in kinds {
        let aws = FakeAws::start().await;
        let slack = chat(ok().set_delay(SLOW)).await;
        let payloads = vec![wrapped(failure(1, 0)), wrapped(failure(2, 0))];
        let log = run(&aws, &slack, &[("REMIND_AFTER", "1s,1h")], payloads).await;
        assert_eq!(texts(&slack).await.len(), 2, "{log}");
        assert_eq!(aws.sent_messages(), [Value::Null; 0], "{log}");
        assert!(!log.contains(NOT_SENT), "{log}");
    }
}
