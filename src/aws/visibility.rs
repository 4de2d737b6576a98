//! Sets when a message that was returned to a queue becomes visible again, with growing delays.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use futures::{StreamExt as _, stream};

use crate::aws::CallError;
use crate::ecs::arn::Arn;

/// The delay before a message is received for the second time.
const SHORTEST_DELAY: Duration = Duration::from_secs(30);
/// The delay does not grow beyond this.
const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// The number of messages in one call.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html>
const MAX_BATCH: usize = 10;

/// The number of calls at the same time.
const CONCURRENT_CALLS: usize = 8;

/// A message that was received, with what is needed to change its visibility.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    queue_url: String,
    handle: String,
    receives: u32,
}

impl ReceivedMessage {
    /// The address of its queue.
    pub fn queue_url(&self) -> &str {
        &self.queue_url
    }

    /// How often it has been received, this time included.
    pub fn receives(&self) -> u32 {
        self.receives
    }

    /// In seconds.
    fn delay(&self, retry: RetryDelay) -> i32 {
        let delay = match retry {
            RetryDelay::Now => Duration::ZERO,
            RetryDelay::Later(least) => {
                let least = least.unwrap_or_default().min(LONGEST_DELAY);
                delay_after(self.receives).max(least)
            }
            RetryDelay::After(delay) => delay,
        };
        i32::try_from(delay.as_secs()).unwrap_or(i32::MAX)
    }

    /// `None` for a record that did not come from an SQS queue.
    pub fn of(record: &SqsMessage) -> Option<Self> {
        Some(Self {
            queue_url: queue_url(record.event_source_arn.as_deref()?)?,
            handle: record.receipt_handle.clone()?,
            receives: receives(record),
        })
    }
}

/// When a message that was returned to the queue becomes visible again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RetryDelay {
    /// At once. A message that can never succeed reaches the dead-letter queue sooner in this way.
    Now,
    /// After a delay that doubles at each receive, and is at least this long.
    Later(Option<Duration>),
    /// After this delay, however often it was received.
    After(Duration),
}

/// Sets when these messages become visible again. If a call fails, the queue's own visibility timeout applies.
pub async fn change_visibility(
    sqs: &Client,
    messages: impl IntoIterator<Item = (&ReceivedMessage, RetryDelay)>,
) {
    let mut queues: BTreeMap<&str, Vec<(&ReceivedMessage, RetryDelay)>> = BTreeMap::new();
    for (message, retry) in messages {
        queues
            .entry(&message.queue_url)
            .or_default()
            .push((message, retry));
    }
    let parts = queues
        .iter()
        .flat_map(|(queue, messages)| messages.chunks(MAX_BATCH).map(move |part| (*queue, part)));
    let changed: Vec<_> = stream::iter(parts)
        .map(|(queue, part)| change_batch(sqs, queue, part))
        .buffer_unordered(CONCURRENT_CALLS)
        .collect()
        .await;
    if let Some(error) = changed.into_iter().find_map(Result::err) {
        let error = error.escape_debug();
        tracing::warn!(%error, "the queue's visibility timeout applies");
    }
}

async fn change_batch(
    sqs: &Client,
    queue: &str,
    messages: &[(&ReceivedMessage, RetryDelay)],
) -> Result<(), String> {
    const CALL: &str = "ChangeMessageVisibilityBatch";
    let mut call = sqs.change_message_visibility_batch().queue_url(queue);
    for (index, (message, retry)) in messages.iter().enumerate() {
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(index.to_string())
            .receipt_handle(&message.handle)
            .visibility_timeout(message.delay(*retry))
            .build()
            .map_err(|error| error.to_string())?;
        call = call.entries(entry);
    }
    let answer = call.send().await;
    let answer = answer.map_err(|error| CallError::of(CALL, error).to_string())?;
    match answer.failed().first() {
        Some(failed) => Err(format!(
            "{CALL}: {}",
            failed.message().unwrap_or(failed.code())
        )),
        None => Ok(()),
    }
}

/// How often a record has been received, this time included.
pub fn receives(record: &SqsMessage) -> u32 {
    let count = record.attributes.get("ApproximateReceiveCount");
    let count = count.and_then(|count| count.parse().ok());
    count.unwrap_or(1).max(1)
}

/// 30 s, then twice as long each time, up to 15 minutes.
fn delay_after(receives: u32) -> Duration {
    let doubled = SHORTEST_DELAY.checked_mul(2_u32.saturating_pow(receives - 1));
    doubled.unwrap_or(LONGEST_DELAY).min(LONGEST_DELAY)
}

/// The URL of a queue, built from its ARN.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html>
pub fn queue_url(queue: &str) -> Option<String> {
    let Arn {
        partition,
        region,
        account,
        resource,
        ..
    } = Arn::parse(queue)?;
    let domain = if partition == "aws-cn" {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    Some(format!(
        "https://sqs.{region}.{domain}/{account}/{resource}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_fifteen_minutes() {
        let delays: Vec<_> = (1..=8).map(|n| delay_after(n).as_secs()).collect();
        assert_eq!(delays, [30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(delay_after(u32::MAX), LONGEST_DELAY);
    }

    #[test]
    fn queue_urls_are_built_from_arns() {
        for (arn, url) in [
            (
                "arn:aws:sqs:eu-west-1:210987654321:jobs",
                "https://sqs.eu-west-1.amazonaws.com/210987654321/jobs",
            ),
            (
                "arn:aws-cn:sqs:cn-north-1:210987654321:jobs",
                "https://sqs.cn-north-1.amazonaws.com.cn/210987654321/jobs",
            ),
        ] {
            assert_eq!(queue_url(arn).as_deref(), Some(url));
        }
        assert_eq!(queue_url("jobs"), None);
    }
}
