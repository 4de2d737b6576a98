//! Limits how often the messages of a channel are edited, over all invocations of this process.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::notifier::channel::RateLimit;

/// The limits of chat services are for each minute.
const WINDOW: Duration = Duration::from_secs(60);

/// The wait after a refusal that names none.
const USUAL_WAIT: Duration = Duration::from_secs(30);

/// The latest edits of each channel.
#[derive(Debug, Default)]
pub struct EditLimits(Mutex<HashMap<String, ChannelEdits>>);

#[derive(Debug, Default)]
struct ChannelEdits {
    times: VecDeque<Instant>,
    /// The chat takes no edits before this time. Other processes edit its messages too, so that it may be less than the
    /// limit allows.
    held_until: Option<Instant>,
}

impl EditLimits {
    /// Notes an edit, if the limit allows one more now. Otherwise the edit waits.
    pub(super) fn may_edit(&self, channel: &str, limit: Option<RateLimit>) -> bool {
        let Some(limit) = limit else {
            return true;
        };
        let most = WINDOW.as_millis() / limit.interval.as_millis().max(1);
        let now = Instant::now();
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let edits = channels.entry(channel.to_owned()).or_default();
        if edits.held_until.is_some_and(|until| now < until) {
            return false;
        }
        let edits = &mut edits.times;
        while edits
            .front()
            .is_some_and(|at| now.duration_since(*at) >= WINDOW)
        {
            edits.pop_front();
        }
        let is_allowed = (edits.len() as u128) < most;
        if is_allowed {
            edits.push_back(now);
        }
        is_allowed
    }

    /// Notes that the chat takes no more edits for now.
    pub(super) fn hold(&self, channel: &str, wait: Option<Duration>) {
        let until = Instant::now() + wait.unwrap_or(USUAL_WAIT);
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let edits = channels.entry(channel.to_owned()).or_default();
        edits.held_until = Some(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn forty_edits_a_minute() {
        let limits = EditLimits::default();
        let limit = Some(RateLimit {
            at_once: 5,
            interval: Duration::from_millis(1_500),
        });
        let allowed =
            |limits: &EditLimits| (0..60).filter(|_| limits.may_edit("ops", limit)).count();
        assert_eq!(allowed(&limits), 40);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(allowed(&limits), 0);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(allowed(&limits), 40);
        assert!(limits.may_edit("other", limit) && limits.may_edit("ops", None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_chat_is_left_alone_for_as_long_as_it_says() {
        let limits = EditLimits::default();
        let limit = Some(RateLimit {
            at_once: 5,
            interval: Duration::from_millis(1_500),
        });
        limits.hold("ops", Some(Duration::from_secs(120)));
        tokio::time::advance(Duration::from_secs(119)).await;
        assert!(!limits.may_edit("ops", limit) && limits.may_edit("other", limit));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(limits.may_edit("ops", limit));
    }
}
