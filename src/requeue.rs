//! When a queue shows a record again that was given back: later and later.

use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_sqs::Client;

use crate::arn::Arn;
use crate::aws::CallError;

/// Before a record is shown for the second time, and at most.
const SHORTEST_DELAY: Duration = Duration::from_secs(30);
const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// A record of a queue, as far as the queue must be told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    queue_url: String,
    handle: String,
    receives: u32,
}

impl Held {
    /// None for a record that no queue of AWS's has handed out.
    pub fn of(record: &SqsMessage) -> Option<Self> {
        Some(Self {
            queue_url: queue_url(record.event_source_arn.as_deref()?)?,
            handle: record.receipt_handle.clone()?,
            receives: receives(record),
        })
    }

    /// Has the queue show it later, each time twice as late. It comes back without this too.
    pub async fn show_later(&self, sqs: &Client) {
        self.show_after(sqs, delay_after(self.receives)).await;
    }

    /// Has the queue show it now: what can never work reaches the dead-letter queue the sooner.
    pub async fn show_now(&self, sqs: &Client) {
        self.show_after(sqs, Duration::ZERO).await;
    }

    async fn show_after(&self, sqs: &Client, delay: Duration) {
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX);
        let changed = sqs
            .change_message_visibility()
            .queue_url(&self.queue_url)
            .receipt_handle(&self.handle)
            .visibility_timeout(seconds)
            .send()
            .await;
        if let Err(error) = changed {
            let error = CallError::of("ChangeMessageVisibility", error);
            tracing::warn!(%error, "the queue's own delay holds");
        }
    }
}

/// How often the queue has handed a record out, this time included.
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

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html>
fn queue_url(queue: &str) -> Option<String> {
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
    fn urls_of_queues() {
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
