//! A batch in few messages: what is alike told once with a count, the loud first, and nothing lost to pacing.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::chat::{chat, messages, ok, texts, webhook};
use crate::events;
use crate::runtime_api::{Answer, RuntimeApi};

/// A task of a service that started, or with a loud end.
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

/// What the chat is told of a batch in so much time, and which records are given back.
async fn tell(
    events: &[Value],
    seconds: u64,
    answer: ResponseTemplate,
) -> (Vec<String>, Vec<String>) {
    let slack = chat(answer).await;
    let time = Duration::from_millis(seconds * 1_000 + 500);
    let api = RuntimeApi::ending_after(time, vec![batch(events).to_string()]).await;
    let (answers, log) = api.run(&[("SLACK_WEBHOOKURL", &webhook(&slack))]).await;
    let Answer::Response(answer) = &answers[0] else {
        panic!("{answers:?}: {log}")
    };
    let given_back = answer["batchItemFailures"].as_array().unwrap().iter();
    let given_back = given_back.map(|it| it["itemIdentifier"].as_str().unwrap().to_owned());
    (messages(&slack).await, given_back.collect())
}

#[tokio::test]
async fn alike_are_told_once_and_the_loud_first() {
    let mut batch: Vec<_> = (0..30)
        .map(|number| task("task_started-fargate", "web", number))
        .collect();
    batch.push(task("task_stopped-out-of-memory", "api", 40));
    batch.push(task("task_stopped-out-of-memory", "api", 41));
    batch.push(task("task_started-fargate", "mail", 42));
    let (messages, given_back) = tell(&batch, 20, ok()).await;
    let headlines: Vec<_> = messages
        .iter()
        .map(|it| it.lines().next().unwrap())
        .collect();
    assert_eq!(
        headlines,
        [
            "🔴 api in prod-web: 2 tasks ran out of memory (limit 2048 MiB)",
            "⚪ web in prod-web: 30 tasks started",
            "⚪ mail in prod-web: task 0000002a started",
        ]
    );
    assert!(
        messages[0].contains("*Tasks*: 00000028, 00000029\n"),
        "{}",
        messages[0]
    );
    assert!(messages[0].contains(": 2 times, from "), "{}", messages[0]);
    assert_eq!(given_back, [""; 0]);
}

/// There is time for the loud one, a few calm ones, and a count of the others.
#[tokio::test]
async fn what_there_is_no_time_for_is_counted() {
    let mut batch: Vec<_> = (0..9)
        .map(|number| task("task_started-fargate", &format!("web-{number}"), number))
        .collect();
    batch.push(task("task_stopped-out-of-memory", "api", 40));
    let (messages, given_back) = tell(&batch, 5, ok()).await;
    let headlines: Vec<_> = messages
        .iter()
        .map(|it| it.lines().next().unwrap())
        .collect();
    assert!(
        headlines[0].starts_with("🔴 api in prod-web: task 00000028"),
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
        given_back, [""; 0],
        "nothing is given back for want of time"
    );
}

/// A group that is not taken gives back all that it would have told.
#[tokio::test]
async fn a_digest_that_fails_gives_back_all() {
    let batch: Vec<_> = (0..4)
        .map(|number| task("task_started-fargate", "web", number))
        .collect();
    let (messages, given_back) = tell(&batch, 20, ResponseTemplate::new(404)).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(given_back, ["web 0", "web 1", "web 2", "web 3"]);
}

/// The channel's own word counts: it is obeyed within the time, and nobody is told twice.
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
    let (answers, log) = api.run(&[("SLACK_WEBHOOKURL", &webhook(&slack))]).await;
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
        "the first until it is taken"
    );
}

/// A chat that wants to be left alone for longer than there is time is left alone.
#[tokio::test]
async fn who_says_when_to_come_again_is_asked_once() {
    let batch: Vec<_> = (0..4)
        .map(|number| task("task_started-fargate", &format!("web-{number}"), number))
        .collect();
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "60");
    let (messages, given_back) = tell(&batch, 10, busy).await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(given_back.len(), 4);
}

/// The loud ones may not take all the time there is.
#[tokio::test]
async fn the_calm_have_their_message_however_many_are_loud() {
    let mut batch: Vec<_> = (0..9)
        .map(|number| {
            task(
                "task_stopped-out-of-memory",
                &format!("api-{number}"),
                number,
            )
        })
        .collect();
    batch.push(task("task_started-fargate", "web", 40));
    let slow = ok().set_delay(Duration::from_millis(700));
    let (messages, given_back) = tell(&batch, 4, slow).await;
    assert_eq!(given_back, [""; 0]);
    let last = messages.last().unwrap();
    assert!(last.starts_with("⚪ web in prod-web: task"), "{messages:?}");
    let counted = &messages[messages.len() - 2];
    assert!(
        counted.contains(" urgent events in prod-web"),
        "{messages:?}"
    );
    assert!(
        counted.contains(
            "\napi-8 in prod-web: task 00000008 ran out of memory (limit 2048 MiB) · <https://"
        ),
        "{counted}"
    );
}

/// A call that was denied, as any of many.
fn denied(number: usize) -> Value {
    let mut call = events::sample("api_denied-update-service-client-exception");
    call["id"] = json!(format!("denied {number}"));
    call["detail"]["eventID"] = json!(format!("denied {number}"));
    call["detail"]["requestParameters"]["service"] = json!(format!("web-{number}"));
    call
}

/// However many warnings there are: the critical one is first, by itself, with its task and its link. What there is no
/// time for is said in sentences that can be opened.
#[tokio::test]
async fn a_critical_event_does_not_drown() {
    let mut batch: Vec<_> = (0..40).map(denied).collect();
    batch.push(task("task_stopped-out-of-memory", "checkout", 62));
    let (messages, given_back) = tell(&batch, 6, ok()).await;
    assert_eq!(given_back, [""; 0]);
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

/// With time for one message only, the critical ones are not mixed with the others.
#[tokio::test]
async fn critical_ones_have_a_summary_of_their_own() {
    let mut batch: Vec<_> = (0..4).map(denied).collect();
    batch.extend((0..4).map(|number| {
        task(
            "task_stopped-out-of-memory",
            &format!("api-{number}"),
            number,
        )
    }));
    batch.push(task("task_started-fargate", "web", 40));
    let slow = ok().set_delay(Duration::from_millis(700));
    let (messages, given_back) = tell(&batch, 3, slow).await;
    assert_eq!(given_back, [""; 0]);
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(
        messages[0].starts_with("🔴 4 urgent events in prod-web"),
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

/// What is not urgent does not look as if it were, whatever is in it.
#[tokio::test]
async fn a_summary_of_calm_events_has_no_warning_colour() {
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

/// One headline speaks for many only where it is true of each.
#[tokio::test]
async fn a_count_is_of_what_the_headline_says() {
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
    let (messages, _) = tell(&batch, 20, ok()).await;
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

/// Three tasks were stopped, not "was": verbs and pronouns agree with the number.
#[tokio::test]
async fn many_are_spoken_of_as_many() {
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
    let (messages, _) = tell(&batch, 20, ok()).await;
    let mut headlines: Vec<_> = messages
        .iter()
        .map(|it| it.lines().next().unwrap())
        .collect();
    headlines.sort_unstable();
    insta::assert_debug_snapshot!(headlines);
}

/// What was done to a task is told before what came of it.
#[tokio::test]
async fn loud_ones_of_a_task_keep_their_order() {
    let mut batch = Vec::new();
    for number in 0..4 {
        let service = format!("api-{number}");
        let mut stop = events::sample("stop_task-by-root");
        stop["id"] = json!(format!("call {number}"));
        stop["detail"]["eventID"] = json!(format!("call {number}"));
        stop["detail"]["requestParameters"]["reason"] = json!(service);
        batch.push(stop);
        batch.push(task("task_stopped-out-of-memory", &service, number));
    }
    let (messages, given_back) = tell(&batch, 20, ok()).await;
    assert_eq!(given_back, [""; 0]);
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

/// A start is old news once its stop is told, also where both come at once and the stop goes first.
#[tokio::test]
async fn of_a_task_that_started_and_stopped_the_stop_is_told() {
    let mut batch = [
        task("task_started-fargate", "api", 7),
        task("task_stopped-out-of-memory", "api", 7),
    ];
    batch[1]["id"] = json!("the stop");
    let (messages, given_back) = tell(&batch, 20, ok()).await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("ran out of memory"));
    assert_eq!(given_back, [""; 0]);
    let (_, given_back) = tell(&batch, 3, ResponseTemplate::new(404)).await;
    assert_eq!(given_back.len(), 2, "neither is known to be told");
}
