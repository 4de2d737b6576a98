//! Sends timers to the function's own queue, so that a subject is looked at again.
//!
//! A subject has one timer on its way, and a second one only if something is due much sooner. A timer that comes twice or
//! late does no harm, and one that is lost is sent again with the subject's next event.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures::{StreamExt as _, stream};

use crate::aws::{CallError, LazySession};
use crate::notifier::thread::{SubjectKey, ThreadTimer, UnixTime};

/// The longest delay of a message.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// A timer that fires so soon after the wanted time is good enough.
const SLACK: Duration = Duration::from_secs(5);

/// The most messages in one call.
const MOST: usize = 10;

/// The number of calls at the same time.
const AT_ONCE: usize = 8;

const NOT_SENT: &str = "timers were not sent, so reminders and recoveries wait for the next event";

/// The function's own queue. It is known from the first record that came from it.
#[derive(Debug)]
pub struct TimerQueue {
    url: OnceLock<String>,
    session: Arc<LazySession>,
}

/// A timer to send.
#[derive(Debug, Clone)]
pub(super) struct NewTimer {
    pub(super) subject: SubjectKey,
    /// When it fires.
    pub(super) at: UnixTime,
}

impl TimerQueue {
    pub fn new(session: Arc<LazySession>) -> Self {
        Self {
            url: OnceLock::new(),
            session,
        }
    }

    /// Notes the queue that brought a record. A FIFO queue has no delay for single messages.
    pub(super) fn note(&self, url: &str) {
        if !url.ends_with(".fifo") {
            self.url.get_or_init(|| url.to_owned());
        }
    }

    pub(super) fn is_known(&self) -> bool {
        self.url.get().is_some()
    }

    /// Sends the timers. Returns the subjects whose timers could not be sent.
    pub(super) async fn send(&self, timers: &[NewTimer], now: UnixTime) -> Vec<SubjectKey> {
        let Some(url) = self.url.get().filter(|_| !timers.is_empty()) else {
            return Vec::new();
        };
        let session = match self.session.own().await {
            Ok(session) => session,
            Err(error) => {
                tracing::warn!(%error, "{NOT_SENT}");
                return timers.iter().map(|it| it.subject.clone()).collect();
            }
        };
        let sqs = session.sqs();
        let parts = timers
            .chunks(MOST)
            .map(|part| send_part(&sqs, url, part, now));
        let failed: Vec<_> = stream::iter(parts)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        failed.into_iter().flatten().collect()
    }
}

async fn send_part(
    sqs: &aws_sdk_sqs::Client,
    url: &str,
    timers: &[NewTimer],
    now: UnixTime,
) -> Vec<SubjectKey> {
    const CALL: &str = "SendMessageBatch";
    let all = || timers.iter().map(|it| it.subject.clone()).collect();
    let mut call = sqs.send_message_batch().queue_url(url);
    for (index, timer) in timers.iter().enumerate() {
        let message = ThreadTimer {
            subject: timer.subject.clone(),
            at: timer.at,
        };
        let delay = whole_seconds(timer.at.since(now).min(LONGEST_DELAY));
        let entry = SendMessageBatchRequestEntry::builder()
            .id(index.to_string())
            .message_body(message.message().to_string())
            .delay_seconds(i32::try_from(delay).unwrap_or(i32::MAX))
            .build();
        match entry {
            Ok(entry) => call = call.entries(entry),
            Err(_) => return all(),
        }
    }
    match call.send().await {
        Ok(answer) => {
            if let Some(first) = answer.failed().first() {
                let error = format!("{CALL}: {}", first.code());
                let error = error.escape_debug();
                tracing::warn!(%error, "{NOT_SENT}");
            }
            let failed = answer
                .failed()
                .iter()
                .filter_map(|it| it.id().parse::<usize>().ok());
            let failed = failed.filter_map(|index| timers.get(index));
            failed.map(|it| it.subject.clone()).collect()
        }
        Err(error) => {
            let error = CallError::of(CALL, error).to_string();
            let error = error.escape_debug();
            tracing::warn!(%error, "{NOT_SENT}");
            all()
        }
    }
}

/// A timer must not fire too early.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// When a timer must fire that looks at the subject at `wake_at`. `None` if one that is on its way is good enough.
pub(super) fn needed(
    on_their_way: &[UnixTime],
    wake_at: UnixTime,
    now: UnixTime,
) -> Option<UnixTime> {
    let wake_at = wake_at.max(now.plus(Duration::from_secs(1)));
    let mut waiting = on_their_way.iter().filter(|at| **at > now);
    let is_covered = waiting.any(|at| *at <= wake_at.plus(SLACK));
    (!is_covered).then(|| wake_at.min(now.plus(LONGEST_DELAY)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_timer_on_its_way_is_enough() {
        let at = |seconds: i64| UnixTime::of_milliseconds(seconds * 1_000);
        for (on_their_way, wake_at, expected) in [
            (vec![], 300, Some(300)),
            (vec![300], 300, None),
            // It fires first, and is sent again then.
            (vec![200], 300, None),
            (vec![300], 30, Some(30)),
            (vec![35], 30, None),
            // At most a quarter of an hour.
            (vec![], 7_200, Some(900)),
            // One that should have fired is lost.
            (vec![-60], 300, Some(300)),
            (vec![], -10, Some(1)),
        ] {
            let on_their_way: Vec<_> = on_their_way.into_iter().map(at).collect();
            let found = needed(&on_their_way, at(wake_at), at(0));
            assert_eq!(found, expected.map(at), "{on_their_way:?} {wake_at}");
        }
    }
}
