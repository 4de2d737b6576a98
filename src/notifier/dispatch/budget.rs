//! How long each part of an invocation may take. What is not done in time is returned to whoever sent it.
//!
//! | part | time | reason |
//! |---|---|---|
//! | [`Deadline`]'s reserve | 500 ms before the end | to answer Lambda and to write the log |
//! | [`record_reserve`] | 2 ms an event, half of what is left at most | to record in the dedup store what was sent, and to change the visibility of what failed |
//! | [`FIND_DUPLICATES`] | 4 s, half of what is left at most | a table that does not answer must not cost the messages |
//! | the enricher's [`Limits`](crate::notifier::enrich::Limits) | 1.5 s in the function, half of what is left at most | a fact is worth less than the message |
//! | [`CLAIM`] | 60 s, half of what is left at most | without an answer in time the event is sent: twice is better than never |

use std::time::Duration;

use crate::aws::deadline::Deadline;

/// For reading the dedup store.
pub(super) const FIND_DUPLICATES: Duration = Duration::from_secs(4);

/// For claiming events in the dedup store.
pub(super) const CLAIM: Duration = Duration::from_secs(60);

/// How long a claim of the command line lasts, which has no deadline.
pub(super) const CLAIM_AT_A_TERMINAL: Duration = Duration::from_secs(300);

/// How long a claim lasts beyond its invocation: time to answer, and for clocks that differ.
pub(super) const CLAIM_BEYOND_THE_END: Duration = Duration::from_secs(2);

/// For recording what came of so many events, after the last message is sent.
pub(super) fn record_reserve(events: usize) -> Duration {
    const EACH: Duration = Duration::from_millis(2);
    EACH.saturating_mul(u32::try_from(events).unwrap_or(u32::MAX))
}

/// By when the last message is sent.
pub(super) fn send_deadline(end: Deadline, events: usize) -> Deadline {
    end.earlier(record_reserve(events))
}
