//! How long each part of an invocation may take. Events that are not done in time are returned to their sender.
//!
//! | part | time | reason |
//! |---|---|---|
//! | [`Deadline`]'s reserve | 500 ms before the end | to answer Lambda and to write the log |
//! | [`record_reserve`] | 2 ms for each event, at most half of the time left | to record in the dedup store what was sent |
//! | [`RETURN_RESERVE`] | 300 ms, at most half of the time left | to change the visibility of the records that failed, after everything is recorded |
//! | [`FIND_DUPLICATES`] | 4 s, at most half of the time left | if the table does not answer, the messages must still be sent |
//! | the enricher's [`EnrichLimits`](crate::notifier::enrich::EnrichLimits) | 1.5 s in the function, at most half of the time left | a message without a fact is better than a late message |
//! | [`CLAIM`] | 60 s, at most half of the time left | without an answer in time the event is sent, because a message that comes twice is better than a lost one |
//! | [`CLAIM_BEYOND_THE_END`] | 2 s after the end | a claim lasts until nothing works on the event any more; clocks differ |
//! | [`CLAIM_AT_A_TERMINAL`] | 300 s | the command line has no deadline |
//! | one POST (`channel/transport.rs`) | 5 s | longer than a connection may take, so that a time-out says whether anything was sent |
//! | retries of a message (`channel/retry.rs`) | as long as 250 ms are left, a wait of at most 60 s | an attempt that is broken off may have arrived |

use std::time::Duration;

use crate::aws::deadline::Deadline;

/// Time for reading the dedup store.
pub(super) const FIND_DUPLICATES: Duration = Duration::from_secs(4);

/// Time for claiming events in the dedup store.
pub(super) const CLAIM: Duration = Duration::from_secs(60);

/// How long a claim of the command line lasts. The command line has no deadline.
const CLAIM_AT_A_TERMINAL: Duration = Duration::from_secs(300);

/// How long a claim lasts after the end of its invocation. It covers the time to answer and differences between clocks.
const CLAIM_BEYOND_THE_END: Duration = Duration::from_secs(2);

/// How long a claim lasts: until the end of the invocation, because nothing works on the event after it.
pub(super) fn claim_for(end: Deadline) -> Duration {
    match end.left() {
        Some(left) => left + CLAIM_BEYOND_THE_END,
        None => CLAIM_AT_A_TERMINAL,
    }
}

/// Time for changing the visibility of records, after the results are recorded.
pub(super) const RETURN_RESERVE: Duration = Duration::from_millis(300);

/// Time for recording the results of a number of events, after the last message was sent.
pub(super) fn record_reserve(events: usize) -> Duration {
    const EACH: Duration = Duration::from_millis(2);
    EACH.saturating_mul(u32::try_from(events).unwrap_or(u32::MAX))
}

/// The time by which the last message must be sent.
pub(super) fn send_deadline(recorded: Deadline, events: usize) -> Deadline {
    recorded.earlier(record_reserve(events))
}

/// The time by which everything must be recorded.
pub(super) fn record_deadline(end: Deadline) -> Deadline {
    end.earlier(RETURN_RESERVE)
}
