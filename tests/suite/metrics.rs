//! The function's metrics in the embedded metric format: every event is counted, and the sums agree.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::chat::{chat, texts, webhook};
use crate::events;
use crate::runtime_api::RuntimeApi;
use crate::slack_api::SlackApi;

/// Sums by metric and, where it has one, its reason or channel.
pub(crate) fn sums(log: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    for line in lines.filter(|line| line.get("_aws").is_some()) {
        assert_eq!(line["FunctionName"], "parrot");
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            assert_eq!(directive["Namespace"], "ecs-parrot");
            let dimensions = directive["Dimensions"][0].as_array().unwrap().iter();
            let dimension = dimensions
                .map(|it| it.as_str().unwrap())
                .find(|it| *it != "FunctionName");
            for metric in directive["Metrics"].as_array().unwrap() {
                let name = metric["Name"].as_str().unwrap();
                let of = dimension.map(|it| format!(" {}", line[it].as_str().unwrap()));
                let value = match &line[name] {
                    Value::Number(number) => number.as_f64().unwrap(),
                    // The value is a histogram: count the measurements.
                    histogram => count(histogram.as_array().unwrap().len()),
                };
                *sums
                    .entry(format!("{name}{}", of.unwrap_or_default()))
                    .or_default() += value;
            }
        }
    }
    sums
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap())
}

/// The samples of ECS's own events. One invocation has no time for the urgent messages of all samples.
fn samples() -> impl Iterator<Item = &'static Value> {
    let is_of_ecs = |payload: &&Value| {
        let source = payload["source"].as_str();
        source.is_none_or(|it| it == "aws.ecs")
    };
    let payloads = events::all().iter().map(|(_, payload)| payload);
    payloads.filter(is_of_ecs)
}

#[tokio::test]
async fn the_figures_add_up() {
    let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
    let flowdock = chat(ResponseTemplate::new(500)).await;
    let payloads: Vec<_> = samples().cloned().collect();
    let body = |name: &str| events::sample(name).to_string();
    let records = [
        body("stop_task-by-root"),
        body("stop_task-by-root"),
        "{ no JSON".to_owned(),
    ];
    let records =
        records.map(|body| json!({"eventSource": "aws:sqs", "messageId": "1", "body": body}));
    let batches = [json!({"Records": records}), Value::from(payloads)];
    let batches = batches.iter().map(Value::to_string).collect();
    let (webhook, flow) = (webhook(&slack), flowdock.uri());
    let (_, log) = RuntimeApi::ending_after(Duration::from_secs(40), batches)
        .await
        .run(&[
            ("SLACK_WEBHOOKURL", &webhook),
            ("SLACK_QUIET", "true"),
            ("FLOWDOCK_API_TOKEN", "very-secret-token"),
            ("FLOWDOCK_URL", &flow),
        ])
        .await;
    assert!(!log.contains("very-secret"));
    let sums = sums(&log);
    let sum = |name: &str| sums.get(name).copied().unwrap_or_default();
    let all = |name: &str| {
        let of = sums
            .iter()
            .filter(|(key, _)| key.split(' ').next() == Some(name));
        of.map(|(_, value)| value).sum::<f64>()
    };
    let read: usize = samples()
        .map(|payload| {
            events::evaluate(payload, &ecs_parrot::notifier::policy::Policy::default()).len()
        })
        .sum();
    let received = count(read + 3);
    assert_eq!(sum("EventsReceived"), received, "{sums:?}");
    assert_eq!(
        received,
        sum("EventsKept") + all("EventsDropped") + sum("EventsInvalid"),
        "{sums:?}"
    );
    assert_eq!(sum("EventsInvalid"), 1.0);
    for channel in ["slack", "flowdock"] {
        let parts = [
            "Delivered",
            "Failed",
            "InFlight",
            "Duplicates",
            "Filtered",
            "Counted",
        ];
        let parts = parts.map(|name| sum(&format!("{name} {channel}")));
        assert_eq!(
            sum("EventsKept"),
            parts.iter().sum::<f64>(),
            "{channel} {sums:?}"
        );
    }
    let posted = count(texts(&slack).await.len());
    assert_eq!(sum("Messages slack"), posted);
    assert_eq!(sum("DeliveryTime slack"), posted, "a time for each message");
    assert!(
        sum("Filtered slack") > 0.0 && sum("Retries flowdock") > 0.0,
        "{sums:?}"
    );
    assert_eq!(sum("DeliveryFailures"), all("Failed"));
    assert_eq!(
        (
            sum("Delivered flowdock"),
            sum("Failed slack"),
            sum("Filtered flowdock")
        ),
        (0.0, 0.0, 0.0),
        "{sums:?}"
    );
    // A message is about one event or more.
    assert!(sum("Delivered slack") >= posted && posted > 5.0, "{sums:?}");
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let channels = lines.filter_map(|line| Some(line["fields"]["channels"].as_str()?.to_owned()));
    let delivered = channels.filter(|it| it.contains("slack delivered"));
    assert_eq!(sum("Delivered slack"), count(delivered.count()), "{sums:?}");
}

/// An event of a deployment of `checkout`, so many seconds ago.
fn of_deployment(sample: &str, id: &str, seconds: i64) -> Value {
    let mut event = events::sample(sample);
    let at = (Timestamp::now() - seconds.seconds()).to_string();
    event["id"] = json!(sample);
    event["time"] = json!(at);
    event["detail"]["updatedAt"] = json!(at);
    event["detail"]["deploymentId"] = json!(id);
    let service = "arn:aws:ecs:eu-west-1:210987654321:service/prod-web/checkout";
    event["resources"] = json!([service]);
    event
}

/// A deployment that fails and is rolled back ends once, and an edit that the chat refuses is no edit.
#[tokio::test]
async fn a_rollback_ends_once_and_a_refused_edit_is_none() {
    let (old, new) = ("ecs-svc/1", "ecs-svc/2");
    let mut rollback = of_deployment("deployment-rollback", old, 120);
    rollback["detail"]["reason"] = json!(format!(
        "ECS deployment circuit breaker: rolling back to deploymentId {old}."
    ));
    let batches = [
        of_deployment("deployment-in-progress", new, 400),
        of_deployment("deployment-failed", new, 180),
        rollback,
        of_deployment("deployment-completed", old, 20),
    ];
    let batches: Vec<_> = batches.iter().map(Value::to_string).collect();
    let slack = SlackApi::start().await;
    let channels = json!([slack.settings()]).to_string();
    let api = RuntimeApi::ending_after(Duration::from_secs(20), batches).await;
    // The first edit is refused. The message before it is not.
    slack.answer_next(
        ResponseTemplate::new(200).set_body_json(
            json!({"ok": true, "channel": "C0123456789", "ts": "1793064704.000001"}),
        ),
    );
    slack.fail_next("invalid_arguments");
    let (_, log) = api.run(&[("CHANNELS", channels.as_str())]).await;
    let sums = sums(&log);
    let updates = slack
        .methods()
        .iter()
        .filter(|it| *it == "chat.update")
        .count();
    let sum = |name: &str| sums.get(name).copied();
    assert_eq!(sum("ThreadsOpened deployment"), Some(1.0), "{sums:?}");
    assert_eq!(sum("ThreadsResolved deployment"), Some(1.0), "{sums:?}");
    assert!(updates > 1, "{:?}", slack.methods());
    assert_eq!(sum("Edits oncall"), Some(count(updates - 1)), "{sums:?}");
}

/// The values of the metric `Events`: the dimensions of each set with their values, and the sum.
fn events_by_dimensions(log: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    for line in lines.filter(|line| line.get("Events").is_some()) {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "ecs-parrot");
        assert!(line["_aws"]["Timestamp"].as_u64() > Some(1_700_000_000_000));
        for set in directive["Dimensions"].as_array().unwrap() {
            let names = set
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it.as_str().unwrap());
            let values = names.map(|name| format!("{name}={}", line[name].as_str().unwrap()));
            let key = values.collect::<Vec<_>>().join(" ");
            *sums.entry(key).or_default() += line["Events"].as_f64().unwrap();
        }
    }
    sums
}

/// A task of a service that ran out of memory.
fn out_of_memory(task: &str, service: &str) -> Value {
    let mut event = events::sample("task_stopped-out-of-memory");
    event["id"] = json!(task);
    let arn = format!("arn:aws:ecs:eu-west-1:210987654321:task/prod-web/{task}");
    event["detail"]["taskArn"] = json!(arn);
    event["detail"]["group"] = json!(format!("service:{service}"));
    event
}

/// The alarm on a cause has its number with and without `METRICS_BY`, once for each event: also if there are two channels,
/// if one of them fails, and if the event comes again.
#[tokio::test]
async fn events_are_counted_once_by_cause() {
    let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
    let flowdock = chat(ResponseTemplate::new(500)).await;
    let stops = [
        out_of_memory("10000000000000000000000000000001", "checkout"),
        out_of_memory("10000000000000000000000000000002", "checkout"),
        out_of_memory("10000000000000000000000000000003", "search"),
    ];
    let run = events::sample("run_task-by-person");
    let batches = [
        json!([stops[0], stops[1], stops[2], run]),
        json!([run, stops[0]]),
    ];
    let (webhook, flow) = (webhook(&slack), flowdock.uri());
    let total = "FunctionName=parrot Kind=task_stopped Cause=out_of_memory";
    for (by, expected) in [
        ("", vec![(total.to_owned(), 3.0)]),
        (
            "service,cluster",
            vec![
                (total.to_owned(), 3.0),
                (format!("{total} Cluster=prod-web Service=checkout"), 2.0),
                (format!("{total} Cluster=prod-web Service=search"), 1.0),
            ],
        ),
        (
            "cluster",
            vec![
                (total.to_owned(), 3.0),
                (format!("{total} Cluster=prod-web"), 3.0),
            ],
        ),
    ] {
        let batches = batches.iter().map(Value::to_string).collect();
        let (_, log) = RuntimeApi::ending_after(Duration::from_secs(40), batches)
            .await
            .run(&[
                ("SLACK_WEBHOOKURL", &webhook),
                ("FLOWDOCK_API_TOKEN", "very-secret-token"),
                ("FLOWDOCK_URL", &flow),
                ("METRICS_BY", by),
            ])
            .await;
        let mut found = events_by_dimensions(&log);
        let runs = found.remove("FunctionName=parrot Kind=run_task Cause=none");
        assert_eq!(runs, Some(1.0), "{found:?}");
        found.retain(|key, _| !key.contains("Kind=run_task"));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{by}");
    }
}

/// A name in an event is no dimension that CloudWatch refuses, and an event that no channel takes is counted too.
#[tokio::test]
async fn hostile_names_are_values_that_cloudwatch_takes() {
    let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
    let mut event = events::sample("run_task-by-person");
    event["detail"]["requestParameters"]["cluster"] = json!("a\n\u{202e}\u{e9}".repeat(200));
    event["detail"]["responseElements"] = Value::Null;
    let api = RuntimeApi::ending_after(Duration::from_secs(20), vec![event.to_string()]).await;
    let webhook = webhook(&slack);
    let (_, log) = api
        .run(&[
            ("SLACK_WEBHOOKURL", webhook.as_str()),
            ("SLACK_QUIET", "true"),
            ("METRICS_BY", "cluster"),
        ])
        .await;
    let found = events_by_dimensions(&log);
    let cluster = found.keys().find_map(|it| it.split_once("Cluster="));
    let (_, cluster) = cluster.unwrap_or_else(|| panic!("{found:?}"));
    assert!(
        cluster.len() <= 255 && cluster.starts_with("a?"),
        "{cluster}"
    );
    assert!(
        cluster.bytes().all(|it| (32..127).contains(&it)),
        "{cluster}"
    );
    assert_eq!(found.values().copied().collect::<Vec<_>>(), [1.0, 1.0]);
}
