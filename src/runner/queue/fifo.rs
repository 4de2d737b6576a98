//! Records of a FIFO queue: the messages of one group in their order, different groups at the same time.
//!
//! When one message fails, the later ones of its group are returned to the queue without a try. They become visible at
//! once: the queue delivers no message of a group while another one of the group is invisible, so a delay of theirs
//! would also delay the message that failed. The queue counts this as a receive of each of them.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html>
//!
//! So the messages of a group may reach the limit of the dead-letter queue together. To prevent that, the later
//! messages do not wait any more when the queue delivers the failed one for the last time.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_sqs::types::QueueAttributeName;
use futures::{StreamExt as _, stream};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::{AT_ONCE, RecordError, RecordReport, RunFromQueue, log};
use crate::aws::CallError;
use crate::aws::visibility::{ReceivedMessage, RetryDelay, change_visibility, queue_url, receives};

/// Time limit for GetQueueAttributes: a part of the time that is reserved for returning records to the queue.
const ATTRIBUTES_TIMEOUT: Duration = Duration::from_secs(1);

impl RunFromQueue {
    pub(super) async fn handle_in_order(
        &self,
        records: Vec<SqsMessage>,
        deadline: Instant,
    ) -> Vec<RecordReport> {
        let mut groups: BTreeMap<String, Vec<SqsMessage>> = BTreeMap::new();
        for record in records {
            groups.entry(group(&record)).or_default().push(record);
        }
        let reports: Vec<_> = stream::iter(groups.into_values())
            .map(|group| self.handle_group(group, deadline))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        reports.into_iter().flatten().collect()
    }

    async fn handle_group(&self, records: Vec<SqsMessage>, deadline: Instant) -> Vec<RecordReport> {
        let mut reports = Vec::new();
        let mut records = records.into_iter();
        while let Some(record) = records.next() {
            let report = self.handle_record(record.clone(), deadline).await;
            let has_failed = report.result.is_err();
            reports.push(report);
            if has_failed && records.len() > 0 && !self.is_last_receive(&record).await {
                break;
            }
        }
        let untried: Vec<_> = records.collect();
        let messages: Vec<_> = untried.iter().filter_map(ReceivedMessage::of).collect();
        // Boxed, because the type of the batch's future would be too deep for the compiler.
        Box::pin(change_visibility(
            &self.sqs,
            messages.iter().map(|it| (it, RetryDelay::Now)),
        ))
        .await;
        reports.extend(untried.into_iter().map(behind));
        reports
    }

    /// Whether the queue delivers this record for the last time. If the limit is not known, the answer is no.
    async fn is_last_receive(&self, record: &SqsMessage) -> bool {
        let queue = record.event_source_arn.as_deref().unwrap_or_default();
        let Some(url) = queue_url(queue) else {
            return false;
        };
        let limit = timeout(ATTRIBUTES_TIMEOUT, Box::pin(self.max_receive_count(&url))).await;
        let problem = match limit {
            Ok(Ok(limit)) => {
                return limit.is_some_and(|limit| u64::from(receives(record)) >= limit);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(
            error = problem,
            "the queue's maxReceiveCount is not known, so the later messages of the group wait"
        );
        false
    }

    /// How often the queue delivers a message before it moves it to the dead-letter queue, if it has one.
    async fn max_receive_count(&self, url: &str) -> Result<Option<u64>, CallError> {
        let name = QueueAttributeName::RedrivePolicy;
        let request = self.sqs.get_queue_attributes().queue_url(url);
        let answer = request.attribute_names(name.clone()).send().await;
        let answer = answer.map_err(|error| CallError::of("GetQueueAttributes", error))?;
        let policy = answer.attributes().and_then(|it| it.get(&name));
        let policy: Option<Value> = policy.and_then(|it| serde_json::from_str(it).ok());
        let count = policy.map(|it| it["maxReceiveCount"].clone());
        // CloudFormation and the API write it as a number or as text.
        Ok(count.and_then(|it| it.as_u64().or_else(|| it.as_str()?.parse().ok())))
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
    log(&record, &result);
    RecordReport {
        message_id: record.message_id.unwrap_or_default(),
        result,
    }
}
