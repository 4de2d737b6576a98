//! Very many threads at once: one summary instead of a message for each, where there is no time for them.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use crate::events;
use crate::fake_aws::REGION;
use crate::mock_table::MockTable;
use crate::runtime_api::{Answer, RuntimeApi};
use crate::slack_api::SlackApi;

/// A state of the deployments of these services.
fn deployments(name: &str, count: usize) -> Value {
    let now = (Timestamp::now() - 2.seconds()).to_string();
    let records = (0..count).map(|number| {
        let mut event = events::sample("deployment-in-progress");
        let service = format!("service/prod-web/web-{number:03}");
        event["id"] = json!(format!("{name} {number}"));
        event["time"] = json!(now);
        event["resources"] = json!([format!("arn:aws:ecs:eu-west-1:210987654321:{service}")]);
        event["detail"]["eventName"] = json!(name);
        event["detail"]["updatedAt"] = json!(now);
        event["detail"]["deploymentId"] = json!(format!("ecs-svc/{number:019}"));
        event["detail"]["reason"] = json!("as AWS says");
        json!({"messageId": event["id"], "eventSource": "aws:sqs", "body": event.to_string()})
    });
    json!({"Records": records.collect::<Vec<_>>()})
}

struct Stage {
    slack: SlackApi,
    table: MockTable,
}

impl Stage {
    async fn start() -> Self {
        Self {
            slack: SlackApi::start().await,
            table: MockTable::start().await,
        }
    }

    /// Runs the function with this much time, and returns how many messages there are then.
    async fn run(&self, batch: Value, milliseconds: u64) -> usize {
        let time = Duration::from_millis(milliseconds);
        let api = RuntimeApi::ending_after(time, vec![batch.to_string()]).await;
        let (url, channels) = (self.table.url(), json!([self.slack.settings()]).to_string());
        let variables = [
            ("CHANNELS", channels.as_str()),
            ("STATE_TABLE", "state"),
            ("AWS_ENDPOINT_URL", &url),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ];
        let (answers, log) = api.run(&variables).await;
        let nothing = json!({"batchItemFailures": []});
        assert_eq!(answers, [Answer::Response(nothing)], "{log}");
        self.slack.messages().len()
    }

    fn last_post(&self) -> String {
        self.slack.calls().pop().unwrap().body.to_string()
    }

    /// What is still due for a service's threads: the steps.
    fn due(&self, number: usize) -> Vec<Value> {
        let id = format!("thread service 210987654321 eu-west-1 prod-web web-{number:03}");
        let record = self.table.record(&id);
        assert!(!record["state"]["deployment"]["completed_at"].is_null());
        let threads = record["outbox"]["threads"].as_object().unwrap().values();
        let due = threads.flat_map(|it| it["oncall"]["due"].as_array().unwrap());
        due.map(|it| it["step"].clone()).collect()
    }
}

#[tokio::test]
async fn deployments_that_begin_and_end_at_once_are_two_summaries() {
    let stage = Stage::start().await;
    let batch = deployments("SERVICE_DEPLOYMENT_IN_PROGRESS", 100);
    assert_eq!(stage.run(batch, 5_000).await, 1);
    let batch = deployments("SERVICE_DEPLOYMENT_COMPLETED", 100);
    assert_eq!(stage.run(batch, 5_000).await, 2);
    let summary = stage.last_post();
    assert!(summary.contains("100 other events"), "{summary}");
    assert!(summary.contains("completed"), "{summary}");
    // There is no message that could be edited.
    assert_eq!(stage.due(99), [] as [Value; 0]);
}

/// The summary tells of the ends, and the threads' own messages are edited later.
#[tokio::test]
async fn a_summary_leaves_the_edits_to_come() {
    let stage = Stage::start().await;
    let batch = deployments("SERVICE_DEPLOYMENT_IN_PROGRESS", 8);
    assert_eq!(stage.run(batch, 15_000).await, 8);
    let batch = deployments("SERVICE_DEPLOYMENT_COMPLETED", 8);
    assert_eq!(stage.run(batch, 3_500).await, 9);
    assert!(stage.slack.messages()[8].thread_ts.is_none());
    let summary = stage.last_post();
    assert!(summary.contains("8 other events"), "{summary}");
    assert!(summary.contains("completed"), "{summary}");
    assert_eq!(stage.due(7), [json!("edit")]);
}
