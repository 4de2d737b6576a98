//! How long each part of an invocation may take. Events that are not done in time are returned to their sender.
//!
//! | part | time | reason |
//! |---|---|---|
//! | [`Deadline`]'s reserve | 500 ms before the end | to answer Lambda and to write the log |
//! | [`record_reserve`] | 2 ms for each event, at most half of the time left | to record in the dedup store what was sent, and to change the visibility of records that failed |
//! | [`FIND_DUPLICATES`] | 4 s, at most half of the time left | if the table does not answer, the messages must still be sent |
//! | the enricher's [`EnrichLimits`](crate::notifier::enrich::EnrichLimits) | 1.5 s in the function, at most half of the time left | a message without a fact is better than a late message |
//! | [`CLAIM`] | 60 s, at most half of the time left | without an answer in time the event is sent, because a message that comes twice is better than a lost one |

use std::time::Duration;

use crate::aws::deadline::Deadline;

/// Time for reading the dedup store.
pub(super) const FIND_DUPLICATES: Duration = Duration::from_secs(4);

/// Time for claiming events in the dedup store.
pub(super) const CLAIM: Duration = Duration::from_secs(60);

/// How long a claim of the command line lasts. The command line has no deadline.
pub(super) const CLAIM_AT_A_TERMINAL: Duration = Duration::from_secs(300);

/// How long a claim lasts after the end of its invocation. It covers the time to answer and differences between clocks.
pub(super) const CLAIM_BEYOND_THE_END: Duration = Duration::from_secs(2);

/// Time for recording the results of a number of events, after the last message was sent.
pub(super) fn record_reserve(events: usize) -> Duration {
    const EACH: Duration = Duration::from_millis(2);
    EACH.saturating_mul(u32::try_from(events).unwrap_or(u32::MAX))
}

/// The time by which the last message must be sent.
pub(super) fn send_deadline(end: Deadline, events: usize) -> Deadline {
    end.earlier(record_reserve(events))
}
