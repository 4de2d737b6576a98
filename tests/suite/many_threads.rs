//! Very many threads at once: one summary instead of a message for each, where there is no time for them.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::dedup::table_variables;
use crate::events;
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

    /// Runs the function with this much time. `None` if the table did not answer in time, which can happen on a busy
    /// machine.
    async fn invoke(&self, batch: Value, milliseconds: u64) -> Option<(Vec<Answer>, String)> {
        let time = Duration::from_millis(milliseconds);
        let api = RuntimeApi::ending_after(time, vec![batch.to_string()]).await;
        let url = self.table.url();
        let channels = json!([self.slack.settings()]).to_string();
        let mut variables = vec![("CHANNELS", channels.as_str())];
        variables.extend(table_variables(&url));
        let (answers, log) = api.run(&variables).await;
        let is_late = log.contains("the state table is not available");
        (!is_late).then_some((answers, log))
    }

    /// Returns how many messages there are after the run.
    async fn run(&self, batch: Value, milliseconds: u64) -> Option<usize> {
        let (answers, log) = self.invoke(batch, milliseconds).await?;
        let nothing = json!({"batchItemFailures": []});
        assert_eq!(answers, [Answer::Response(nothing)], "{log}");
        Some(self.slack.messages().len())
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

/// A run whose table is late proves nothing, and is repeated.
async fn repeat(run: impl AsyncFn() -> Option<()>) {
    for _ in 0..10 {
        if run().await.is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("in ten runs the table did not answer in time");
}

#[tokio::test]
async fn deployments_that_begin_and_end_at_once_are_two_summaries() {
    repeat(async || {
        let stage = Stage::start().await;
        let batch = deployments("SERVICE_DEPLOYMENT_IN_PROGRESS", 12);
        assert_eq!(stage.run(batch, 4_000).await?, 1);
        let batch = deployments("SERVICE_DEPLOYMENT_COMPLETED", 12);
        assert_eq!(stage.run(batch, 4_000).await?, 2);
        let summary = stage.last_post();
        assert!(summary.contains("12 other events"), "{summary}");
        assert!(summary.contains("completed"), "{summary}");
        // There is no message that could be edited.
        assert_eq!(stage.due(11), [] as [Value; 0]);
        Some(())
    })
    .await;
}

/// A summary that failed is tried again as one, and not as a message for each of its threads.
#[tokio::test]
async fn a_summary_that_was_refused_is_one_message_later() {
    repeat(async || {
        let stage = Stage::start().await;
        let batch = deployments("SERVICE_DEPLOYMENT_IN_PROGRESS", 12);
        let busy = ResponseTemplate::new(429).insert_header("retry-after", "30");
        stage.slack.answer_next(busy);
        let (answers, log) = stage.invoke(batch.clone(), 4_000).await?;
        let Answer::Response(answer) = &answers[0] else {
            panic!("{answers:?} {log}");
        };
        assert_eq!(
            answer["batchItemFailures"].as_array().unwrap().len(),
            12,
            "{log}"
        );
        assert_eq!(stage.slack.messages().len(), 0);
        assert_eq!(stage.run(batch, 4_000).await?, 1);
        Some(())
    })
    .await;
}

/// The summary tells of the ends, and the threads' own messages are edited later.
#[tokio::test]
async fn a_summary_leaves_the_edits_to_come() {
    repeat(async || {
        let stage = Stage::start().await;
        let batch = deployments("SERVICE_DEPLOYMENT_IN_PROGRESS", 8);
        assert_eq!(stage.run(batch, 14_000).await?, 8);
        let batch = deployments("SERVICE_DEPLOYMENT_COMPLETED", 8);
        assert_eq!(stage.run(batch, 3_500).await?, 9);
        assert!(stage.slack.messages()[8].thread_ts.is_none());
        let summary = stage.last_post();
        assert!(summary.contains("8 other events"), "{summary}");
        assert!(summary.contains("completed"), "{summary}");
        assert_eq!(stage.due(7), [json!("edit")]);
        Some(())
    })
    .await;
}
