//! What events cost in the state table: each item that is read, each that is written, and its size.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use crate::dedup::table_variables;
use crate::events;
use crate::mock_table::MockTable;
use crate::runtime_api::{Answer, RuntimeApi};
use crate::slack_api::SlackApi;

/// Two deployments of the service: one before, and one that begins.
const OLD: &str = "ecs-svc/1000000000000000001";
const NEW: &str = "ecs-svc/1000000000000000002";

/// An event of the service `checkout`, a few seconds ago.
fn event(sample: &str, number: usize, deployment: &str) -> Value {
    let mut event = events::sample(sample);
    let detail = &event["detail"];
    let old = detail["deploymentId"]
        .as_str()
        .or(detail["startedBy"].as_str());
    if let Some(old) = old {
        event = serde_json::from_str(&event.to_string().replace(old, deployment)).unwrap();
    }
    let now = (Timestamp::now() - 5.seconds()).to_string();
    event["id"] = json!(format!("{sample} {number}"));
    event["time"] = json!(now);
    let detail = &mut event["detail"];
    if detail["taskArn"].is_string() {
        let task = format!("task/prod-web/{number:032x}");
        detail["taskArn"] = json!(format!("arn:aws:ecs:eu-west-1:210987654321:{task}"));
        detail["group"] = json!("service:checkout");
    } else {
        let service = "arn:aws:ecs:eu-west-1:210987654321:service/prod-web/checkout";
        event["resources"] = json!([service]);
    }
    let detail = event["detail"].as_object_mut().unwrap();
    for field in ["startedAt", "stoppedAt", "updatedAt"] {
        detail.entry(field).and_modify(|it| *it = json!(now));
    }
    event
}

/// A task of a launch by a person, a few seconds ago.
fn of_launch(number: usize) -> Value {
    let mut event = event("task_started-one-off-with-command", number, "");
    let detail = &mut event["detail"];
    detail["createdAt"] = json!((Timestamp::now() - 30.seconds()).to_string());
    detail["group"] = json!("family:migrate");
    event
}

/// The items that a batch reads and writes, and the units of the writes.
async fn costs(slack: &SlackApi, table: &MockTable, batch: Vec<Value>) -> (usize, usize, usize) {
    let before = table.costs();
    let api =
        RuntimeApi::ending_after(Duration::from_secs(15), vec![json!(batch).to_string()]).await;
    let (url, channels) = (table.url(), json!([slack.settings()]).to_string());
    let mut variables = vec![("CHANNELS", channels.as_str())];
    variables.extend(table_variables(&url));
    let (answers, log) = api.run(&variables).await;
    assert_eq!(answers, [Answer::Response(Value::Null)], "{log}");
    let after = table.costs();
    (
        after.reads - before.reads,
        after.writes - before.writes,
        after.write_units - before.write_units,
    )
}

#[tokio::test]
async fn what_threads_only_count_costs_one_write_for_each_batch_and_subject() {
    let (slack, table) = (SlackApi::start().await, MockTable::start().await);
    let many = |sample: &str, first: usize, deployment: &str| {
        let numbers = first..first + 20;
        numbers
            .map(|it| event(sample, it, deployment))
            .collect::<Vec<_>>()
    };
    let transitional = ["provisioning", "pending", "deprovisioning"];
    let transitional = transitional.map(|it| event(&format!("task_running-{it}"), 1, NEW));
    let mut found = Vec::new();
    for (what, batch) in [
        ("states between start and stop", transitional.to_vec()),
        (
            "a deployment",
            vec![event("deployment-in-progress", 0, NEW)],
        ),
        ("its starts", many("task_started-fargate", 100, NEW)),
        (
            "the stops of older tasks",
            many("task_stopped-scaled-in-exit-0", 200, OLD),
        ),
        (
            "more of them",
            many("task_stopped-scaled-in-exit-0", 300, OLD),
        ),
        (
            "an incident",
            vec![event("task_stopped-out-of-memory", 400, NEW)],
        ),
        (
            "more failures",
            many("task_stopped-out-of-memory", 500, NEW),
        ),
    ] {
        let (reads, writes, units) = costs(&slack, &table, batch).await;
        found.push(format!(
            "{what}: {reads} read, {writes} written, {units} units"
        ));
    }
    assert_eq!(
        found,
        [
            "states between start and stop: 0 read, 0 written, 0 units",
            "a deployment: 1 read, 2 written, 2 units",
            "its starts: 1 read, 1 written, 1 units",
            "the stops of older tasks: 1 read, 1 written, 1 units",
            "more of them: 1 read, 0 written, 0 units",
            "an incident: 2 read, 3 written, 5 units",
            "more failures: 1 read, 1 written, 2 units",
        ]
    );
}

/// The second task finds the first one's launch, also in another function. Events of services cost nothing for it.
#[tokio::test]
async fn tasks_of_one_launch_are_one_message() {
    let (slack, table) = (SlackApi::start().await, MockTable::start().await);
    let first = costs(&slack, &table, vec![of_launch(1)]).await;
    let second = costs(&slack, &table, vec![of_launch(2)]).await;
    assert_eq!(slack.messages().len(), 1, "{:?}", slack.methods());
    let (reads, writes, _) = first;
    assert_eq!((reads, writes), (3, 3));
    let (reads, writes, _) = second;
    assert_eq!((reads, writes), (4, 2));
}
