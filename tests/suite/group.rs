//! A batch becomes few messages: similar events are one message with a count, urgent messages are sent first, and a
//! short time loses no event.

use std::time::Duration;

use ecs_parrot::notifier::channel::ChannelType;
use ecs_parrot::notifier::group::{GroupItem, MessagePlan};
use ecs_parrot::notifier::policy::Policy;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::chat::{chat, messages, ok, texts, webhook};
use crate::events;
use crate::runtime_api::{Answer, RuntimeApi};

/// What KEEP brings back is posted by itself, and not counted in a thread.
const KEEP: (&str, &str) = ("KEEP", "task_started");

/// An agent's report of a stop, with this cluster, task number and exit code. It does not say which service the task
/// belonged to, so that no thread has it.
fn report(sample: &str, cluster: &str, number: usize) -> Value {
    let mut event = events::sample(sample);
    event["id"] = json!(format!("{cluster} {number}"));
    let request = &mut event["detail"]["requestParameters"];
    request["cluster"] = json!(cluster);
    request["task"] = json!(format!(
        "arn:aws:ecs:eu-west-1:210987654321:task/{cluster}/{number:08x}000000000000000000000000"
    ));
    event
}

const OUT_OF_MEMORY: &str = "task_stopped-submit-oom";

/// A sample of a task event, with this service and task number.
fn task(sample: &str, service: &str, number: usize) -> Value {
    let mut event = events::sample(sample);
    event["id"] = json!(format!("{service} {number}"));
    event["detail"]["taskArn"] = json!(format!(
        "arn:aws:ecs:eu-west-1:210987654321:task/prod-web/{number:08x}000000000000000000000000"
    ));
    event["detail"]["group"] = json!(format!("service:{service}"));
    event
}

fn batch_of(events: &[Value]) -> String {
    batch(events).to_string()
}

fn batch(events: &[Value]) -> Value {
    let records = events.iter().map(|event| {
        json!({"messageId": event["id"], "eventSource": "aws:sqs", "body": event.to_string()})
    });
    json!({"Records": records.collect::<Vec<_>>()})
}

/// Runs the function on a batch with this much time. Returns the messages, and the ids of the records that return to
/// the queue.
async fn post(
    events: &[Value],
    seconds: u64,
    answer: ResponseTemplate,
) -> (Vec<String>, Vec<String>) {
    let slack = chat(answer).await;
    let time = Duration::from_millis(seconds * 1_000 + 500);
    let api = RuntimeApi::ending_after(time, vec![batch(events).to_string()]).await;
    let (answers, log) = api
        .run(&[("SLACK_WEBHOOKURL", &webhook(&slack)), KEEP])
        .await;
    let Answer::Response(answer) = &answers[0] else {
        panic!("{answers:?}: {log}")
    };
    let returned = answer["batchItemFailures"].as_array().unwrap().iter();
    let returned = returned.map(|it| it["itemIdentifier"].as_str().unwrap().to_owned());
    (messages(&slack).await, returned.collect())
}

/// The messages about these events if no thread takes them, as Slack gets them. Nothing is sent.
fn grouped(events: &[Value]) -> Vec<String> {
    let evaluated = events
        .iter()
        .flat_map(|event| events::evaluate(event, &Policy::default()));
    let evaluated: Vec<_> = evaluated.map(Result::unwrap).collect();
    let kept = evaluated.iter().enumerate().filter_map(|(index, it)| {
        Some(GroupItem {
            index,
            notice: &it.notice,
            priority: it.priority()?,
        })
    });
    let mut plan = MessagePlan::of(&kept.collect::<Vec<_>>());
    let planned = std::iter::from_fn(|| plan.next(None));
    planned
        .map(|planned| {
            let rendered = events::render_group(events::renderer(), &planned.group).unwrap();
            let payload = rendered.of(ChannelType::Slack).payload.clone().unwrap();
            let blocks = payload["attachments"][0]["blocks"].as_array().unwrap();
            let blocks = blocks.iter().map(|it| it["text"]["text"].as_str().unwrap());
            let lines = [payload["text"].as_str().unwrap()].into_iter();
            lines.chain(blocks).collect::<Vec<_>>().join("\n")
        })
        .collect()
}

#[tokio::test]
async fn similar_events_are_one_message_and_urgent_ones_come_first() {
    let mut batch: Vec<_> = (0..30)
        .map(|number| task("task_started-fargate", "web", number))
        .collect();
    batch.push(task("task_stopped-out-of-memory", "api", 40));
    batch.push(task("task_stopped-out-of-memory", "api", 41));
    batch.push(task("task_started-fargate", "mail", 42));
    let (messages, returned) = post(&batch, 20, ok()).await;
    let headlines: Vec<_> = messages
        .iter()
        .map(|it| it.lines().next().unwrap())
        // How long it lasts is not a matter of this test.
        .map(|it| it.split(" in 2").next().unwrap())
        .collect();
    assert_eq!(
        headlines,
        [
            "🔴 api in prod-web is failing: ran out of memory (limit 2048 MiB) ×2",
            "⚪ web in prod-web: 30 tasks started",
            "⚪ mail in prod-web: task 0000002a started",
        ]
    );
    assert_eq!(returned, [""; 0]);
    // Of events that belong to no thread.
    let messages = grouped(&batch);
    assert!(
        messages[0].contains("*Tasks*: 00000028, 00000029\n"),
        "{}",
        messages[0]
    );
    assert!(messages[0].contains(": 2 times, from "), "{}", messages[0]);
}

/// There is time for the urgent message, for a few others, and for a summary of the rest.
#[tokio::test]
async fn events_without_time_for_a_message_are_summarised() {
    let mut batch: Vec<_> = (0..9)
        .map(|number| task("task_started-fargate", &format!("web-{number}"), number))
        .collect();
    batch.push(report(OUT_OF_MEMORY, "batch", 40));
    let (messages, returned) = post(&batch, 5, ok()).await;
    let headlines: Vec<_> = messages
        .iter()
        .map(|it| it.lines().next().unwrap())
        .collect();
    assert!(
        headlines[0].starts_with("🔴 Task 00000028 in batch"),
        "{headlines:?}"
    );
    let last = messages.last().unwrap();
    let counted = 9 - (messages.len() - 2);
    assert!(counted < 9, "{messages:?}");
    assert!(
        last.starts_with(&format!("⚪ {counted} other events in prod-web, grouped")),
        "{last}"
    );
    assert!(
        last.contains("\nweb-8 in prod-web: task 00000008 started · <https://"),
        "{last}"
    );

    assert_eq!(
        returned, [""; 0],
        "no record may return to the queue because of the time"
    );
}

/// If the message of a group is refused, all records of the group return to the queue.
#[tokio::test]
async fn a_refused_group_returns_all_its_records() {
    let batch: Vec<_> = (0..4)
        .map(|number| task("task_started-fargate", "web", number))
        .collect();
    let (messages, returned) = post(&batch, 20, ResponseTemplate::new(404)).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(returned, ["web 0", "web 1", "web 2", "web 3"]);
}

/// The function waits as long as the channel's `Retry-After` says, within its time. No message is posted twice.
#[tokio::test]
async fn a_busy_channel_is_waited_for() {
    use wiremock::matchers::method;
    use wiremock::{Mock, MockServer};

    let slack = MockServer::start().await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "1");
    Mock::given(method("POST"))
        .respond_with(busy)
        .up_to_n_times(2)
        .mount(&slack)
        .await;
    Mock::given(method("POST"))
        .respond_with(ok())
        .mount(&slack)
        .await;
    let events = [
        task("task_started-fargate", "web", 1),
        task("task_started-fargate", "api", 2),
    ];
    let api = RuntimeApi::with(vec![batch(&events)]).await;
    let (answers, log) = api
        .run(&[("SLACK_WEBHOOKURL", &webhook(&slack)), KEEP])
        .await;
    assert_eq!(
        answers,
        [Answer::Response(json!({"batchItemFailures": []}))],
        "{log}"
    );
    let texts = texts(&slack).await;
    assert_eq!(texts.len(), 4, "{texts:?}");
    assert_eq!(
        texts[..3],
        vec![texts[0].clone(); 3],
        "the first message is sent until it is accepted"
    );
}

/// If `Retry-After` is longer than the time that is left, the function sends nothing more to this chat.
#[tokio::test]
async fn a_long_retry_after_ends_the_sending() {
    let batch: Vec<_> = (0..4)
        .map(|number| task("task_started-fargate", &format!("web-{number}"), number))
        .collect();
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "60");
    let (messages, returned) = post(&batch, 10, busy).await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(returned.len(), 4);
}

/// Urgent messages must leave time for the others.
#[tokio::test]
async fn other_events_have_a_message_beside_many_urgent_ones() {
    let mut batch: Vec<_> = (0..9)
        .map(|number| report(OUT_OF_MEMORY, &format!("batch-{number}"), number))
        .collect();
    batch.push(task("task_started-fargate", "web", 40));
    let slow = ok().set_delay(Duration::from_millis(700));
    let (messages, returned) = post(&batch, 4, slow).await;
    assert_eq!(returned, [""; 0]);
    let last = messages.last().unwrap();
    assert!(last.starts_with("⚪ web in prod-web: task"), "{messages:?}");
    let counted = &messages[messages.len() - 2];
    assert!(counted.contains(" urgent events, grouped"), "{messages:?}");
    assert!(
        counted.contains("\nTask 00000008 in batch-8 ran out of memory · <https://"),
        "{counted}"
    );
}

/// A denied call, each with another caller and service. Of one caller, a thread would count them.
fn denied(number: usize) -> Value {
    let mut call = events::sample("api_denied-update-service-client-exception");
    call["id"] = json!(format!("denied {number}"));
    call["detail"]["eventID"] = json!(format!("denied {number}"));
    call["detail"]["requestParameters"]["service"] = json!(format!("web-{number}"));
    call["detail"]["userIdentity"]["arn"] = json!(format!(
        "arn:aws:sts::210987654321:assumed-role/ci-deploy/deploy-web-{number}"
    ));
    call
}

/// There are many warnings and one critical event. The critical message comes first, alone, with its task and its link.
/// The summary of the rest has a sentence and a link for each event.
#[tokio::test]
async fn a_critical_event_comes_before_many_warnings() {
    let mut batch: Vec<_> = (0..40).map(denied).collect();
    batch.push(task("task_stopped-out-of-memory", "checkout", 62));
    let (messages, returned) = post(&batch, 6, ok()).await;
    assert_eq!(returned, [""; 0]);
    let first = &messages[0];
    assert!(
        first.starts_with(
            "🔴 checkout in prod-web: task 0000003e ran out of memory (limit 2048 MiB)\n"
        ),
        "{first}"
    );
    assert!(first.contains("|task 0000003e>"), "{first}");
    let last = messages.last().unwrap();
    assert!(last.starts_with("🟠 "), "{last}");
    assert!(last.contains(" urgent events"), "{last}");
    let lines: Vec<_> = last
        .lines()
        .filter(|it| it.contains("UpdateService"))
        .collect();
    assert!(lines.len() > 20, "{last}");
    for line in lines {
        assert!(line.contains(" failed for "), "{line}");
        assert!(line.contains(" · <https://"), "{line}");
    }
    assert!(!last.contains("api_denied"), "{last}");
}

/// Where there is time only for summaries, critical events have a separate one.
#[tokio::test]
async fn critical_events_have_a_separate_summary() {
    let mut batch: Vec<_> = (0..4).map(denied).collect();
    batch.extend((0..4).map(|number| report(OUT_OF_MEMORY, &format!("batch-{number}"), number)));
    batch.push(task("task_started-fargate", "web", 40));
    let slow = ok().set_delay(Duration::from_millis(700));
    let (messages, returned) = post(&batch, 3, slow).await;
    assert_eq!(returned, [""; 0]);
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(
        messages[0].starts_with("🔴 4 urgent events, grouped"),
        "{messages:?}"
    );
    assert!(
        messages[1].starts_with("🟠 4 urgent events"),
        "{messages:?}"
    );
    assert!(
        messages[2].starts_with("⚪ web in prod-web: task"),
        "{messages:?}"
    );
}

/// A summary of events that are not urgent has neither the mark nor the colour of a warning.
#[tokio::test]
async fn a_summary_of_events_that_are_not_urgent_has_no_warning_colour() {
    let batch: Vec<_> = (0..9)
        .map(|number| {
            task(
                "task_running-sidecar-crashed",
                &format!("web-{number}"),
                number,
            )
        })
        .collect();
    let slack = chat(ok()).await;
    let api = RuntimeApi::ending_after(Duration::from_millis(2_500), vec![batch_of(&batch)]).await;
    api.run(&[("SLACK_WEBHOOKURL", &webhook(&slack))]).await;
    let requests = slack.received_requests().await.unwrap();
    let last: Value = serde_json::from_slice(&requests.last().unwrap().body).unwrap();
    let text = last.to_string();
    assert!(text.contains("9 other events"), "{text}");
    assert!(text.contains("web-8 in prod-web"), "{text}");
    assert!(!text.contains('🟠'), "{text}");
    assert_eq!(last["attachments"][0]["color"], "#8a939b");
}

/// Events are grouped only where the headline is true of each.
#[test]
fn a_group_contains_only_events_with_the_same_headline() {
    let mut batch: Vec<_> = (0..5)
        .map(|number| task("task_stopped-out-of-memory", "api", number))
        .collect();
    for event in &mut batch[3..] {
        event["detail"]["overrides"]["memory"] = json!("512");
        event["detail"]["memory"] = json!("512");
        for container in event["detail"]["containers"].as_array_mut().unwrap() {
            container["memory"] = json!("512");
        }
    }
    let messages = grouped(&batch);
    let headlines: Vec<_> = messages
        .iter()
        .map(|it| it.lines().next().unwrap())
        .collect();
    assert_eq!(
        headlines,
        [
            "🔴 api in prod-web: 3 tasks ran out of memory (limit 2048 MiB)",
            "🔴 api in prod-web: 2 tasks ran out of memory (limit 512 MiB)",
        ]
    );
}

/// In the headline of several tasks, verbs and pronouns are plural: "3 tasks were stopped".
#[test]
fn headlines_of_several_tasks_are_plural() {
    let mut batch = Vec::new();
    for (sample, service) in [
        ("task_stopped-stopped-by-user", "a"),
        ("task_stopped-image-pull-not-found", "b"),
        ("task_stopped-exited-in-service", "c"),
        ("task_running-sidecar-crashed", "d"),
    ] {
        batch.extend((0..3).map(|number| task(sample, service, number)));
    }
    for (number, event) in batch.iter_mut().enumerate() {
        event["detail"]["taskArn"] = json!(format!(
            "arn:aws:ecs:eu-west-1:210987654321:task/prod-web/{number:08x}000000000000000000000000"
        ));
    }
    let messages = grouped(&batch);
    let mut headlines: Vec<_> = messages
        .iter()
        .map(|it| it.lines().next().unwrap())
        .collect();
    headlines.sort_unstable();
    insta::assert_debug_snapshot!(headlines);
}

/// A call on a task is posted before the event that it caused.
#[tokio::test]
async fn urgent_events_of_a_task_keep_their_order() {
    let mut batch = Vec::new();
    for number in 0..4 {
        let service = format!("api-{number}");
        let mut stop = events::sample("stop_task-by-root");
        stop["id"] = json!(format!("call {number}"));
        stop["detail"]["eventID"] = json!(format!("call {number}"));
        stop["detail"]["requestParameters"]["reason"] = json!(service);
        batch.push(stop);
        batch.push(report(OUT_OF_MEMORY, &service, number));
    }
    let (messages, returned) = post(&batch, 20, ok()).await;
    assert_eq!(returned, [""; 0]);
    let place = |words: [&str; 2]| {
        let found = messages
            .iter()
            .position(|it| words.iter().all(|word| it.contains(word)));
        found.unwrap_or_else(|| panic!("{words:?}: {messages:?}"))
    };
    for number in 0..4 {
        let service = format!("api-{number}");
        let (call, end) = (
            place(["root user", ""]),
            place(["ran out of memory", &service]),
        );
        assert!(call < end, "{messages:?}");
    }
}

/// A start is not posted after the stop of the same task, even if both are in one batch and the stop is sent first.
#[tokio::test]
async fn only_the_stop_of_a_task_that_started_and_stopped_is_posted() {
    let mut batch = [
        task("task_started-fargate", "api", 7),
        task("task_stopped-out-of-memory", "api", 7),
    ];
    batch[1]["id"] = json!("the stop");
    let (messages, returned) = post(&batch, 20, ok()).await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("ran out of memory"));
    assert_eq!(returned, [""; 0]);
    let (messages, returned) = post(&batch, 3, ResponseTemplate::new(404)).await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(returned, ["the stop"], "the start is outdated in any case");
}

/// Threads that open and are not urgent are counted in a summary if there is no time for a message of each. Their
/// records do not return to the queue.
#[tokio::test]
async fn threads_without_time_for_an_opening_are_summarised() {
    let ends = (0..9).map(|number| {
        let mut event = task("task_stopped-finished", "x", number);
        event["detail"]["group"] = json!(format!("family:night-{number}"));
        event["detail"]["startedBy"] = json!("events-rule/nightly");
        event["detail"]["taskDefinitionArn"] = json!(format!(
            "arn:aws:ecs:eu-west-1:210987654321:task-definition/night-{number}:1"
        ));
        event
    });
    let (messages, returned) = post(&ends.collect::<Vec<_>>(), 3, ok()).await;
    assert_eq!(returned, [""; 0], "{messages:?}");
    let [message] = &messages[..] else {
        panic!("{messages:?}")
    };
    assert!(message.contains("9 other events"), "{message}");
}
