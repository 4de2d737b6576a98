//! Records of a FIFO queue: those of one group in their order, the groups beside one another.
//!
//! Where one fails, the later ones of its group wait for it, and go back to the queue untried. They are shown again at
//! once: the queue holds a group back for as long as one of its messages is hidden, so they come behind the one that
//! failed, and would only make it later. The queue counts that as a receive of theirs.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html>
//!
//! So a group's messages may reach the limit of the dead-letter queue together. Before that happens, the one that failed
//! is out of the way: when the queue hands it out for the last time, those behind it do not wait any more.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_sqs::types::QueueAttributeName;
use futures::{StreamExt as _, stream};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::{AT_ONCE, RecordError, RecordReport, RunFromQueue, tell};
use crate::aws::CallError;
use crate::aws::visibility::{ReceivedMessage, RetryDelay, change_visibility, queue_url, receives};

/// Of the time that is kept for giving records back.
const ANSWER: Duration = Duration::from_secs(1);

impl RunFromQueue {
    pub(super) async fn work_in_order(
        &self,
        records: Vec<SqsMessage>,
        deadline: Instant,
    ) -> Vec<RecordReport> {
        let mut groups: BTreeMap<String, Vec<SqsMessage>> = BTreeMap::new();
        for record in records {
            groups.entry(group(&record)).or_default().push(record);
        }
        let entries: Vec<_> = stream::iter(groups.into_values())
            .map(|group| self.work_on_group(group, deadline))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        entries.into_iter().flatten().collect()
    }

    async fn work_on_group(
        &self,
        records: Vec<SqsMessage>,
        deadline: Instant,
    ) -> Vec<RecordReport> {
        let mut entries = Vec::new();
        let mut records = records.into_iter();
        while let Some(record) = records.next() {
            let entry = self.work_on(record.clone(), deadline).await;
            let has_failed = entry.result.is_err();
            entries.push(entry);
            if has_failed && records.len() > 0 && !self.is_last_receive(&record).await {
                break;
            }
        }
        let untried: Vec<_> = records.collect();
        let held: Vec<_> = untried.iter().filter_map(ReceivedMessage::of).collect();
        // A future of its own: this one is nested as deep as the compiler follows.
        Box::pin(change_visibility(
            &self.sqs,
            held.iter().map(|it| (it, RetryDelay::Now)),
        ))
        .await;
        entries.extend(untried.into_iter().map(behind));
        entries
    }

    /// Whether the queue hands this record out for the last time. Where the queue does not say so, it does not.
    async fn is_last_receive(&self, record: &SqsMessage) -> bool {
        let queue = record.event_source_arn.as_deref().unwrap_or_default();
        let Some(url) = queue_url(queue) else {
            return false;
        };
        let most = timeout(ANSWER, Box::pin(self.most_receives(&url))).await;
        let problem = match most {
            Ok(Ok(most)) => return most.is_some_and(|most| u64::from(receives(record)) >= most),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(
            error = problem,
            "the queue's maxReceiveCount is not known: later messages of a group wait"
        );
        false
    }

    /// How often the queue hands a message out before it goes to the dead-letter queue, where it has one.
    async fn most_receives(&self, url: &str) -> Result<Option<u64>, CallError> {
        let name = QueueAttributeName::RedrivePolicy;
        let request = self.sqs.get_queue_attributes().queue_url(url);
        let answer = request.attribute_names(name.clone()).send().await;
        let answer = answer.map_err(|error| CallError::of("GetQueueAttributes", error))?;
        let policy = answer.attributes().and_then(|it| it.get(&name));
        let policy: Option<Value> = policy.and_then(|it| serde_json::from_str(it).ok());
        let most = policy.map(|it| it["maxReceiveCount"].clone());
        // CloudFormation and the API write it as a number and as text.
        Ok(most.and_then(|it| it.as_u64().or_else(|| it.as_str()?.parse().ok())))
    }
}

pub(super) fn is_fifo(record: &SqsMessage) -> bool {
    let queue = record.event_source_arn.as_deref().unwrap_or_default();
    queue.ends_with(".fifo")
}

fn group(record: &SqsMessage) -> String {
    let group = record.attributes.get("MessageGroupId");
    group.cloned().unwrap_or_default()
}

fn behind(record: SqsMessage) -> RecordReport {
    let result = Err(RecordError::Behind);
    tell(&record, &result);
    RecordReport {
        message_id: record.message_id.unwrap_or_default(),
        result,
    }
}
