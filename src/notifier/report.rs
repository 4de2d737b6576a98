//! The result of every event of a payload: it is delivered, dropped for a reason, or returned to its sender.

use std::time::Duration;

use crate::aws::visibility::RetryDelay;
use crate::ecs::notice::Kind;
use crate::notifier::channel::Outcome;
use crate::notifier::dedup::Unanswered;
use crate::notifier::event_counts::EventCount;
use crate::notifier::ingest::{IngestError, Receipt, Sender};
use crate::notifier::metrics;
use crate::notifier::policy::Decision;

#[derive(Debug)]
pub struct BatchReport {
    pub sender: Sender,
    pub entries: Vec<ReportEntry>,
    /// The records of timers that must come again.
    pub failed_timers: Vec<Receipt>,
}

#[derive(Debug)]
pub struct ReportEntry {
    pub receipt: Option<Receipt>,
    pub result: Result<EventReport, IngestError>,
}

/// The decision about an event, and its deliveries.
#[derive(Debug)]
pub struct EventReport {
    pub event_id: Option<String>,
    pub kind: Kind,
    pub decision: Decision,
    pub deliveries: Vec<Delivery>,
    /// What the metric `Events` counts. `None` if the event is dropped, or was counted when it came before.
    pub count: Option<EventCount>,
    /// What a thread that the event changed could not show, of an event that is dropped.
    pub unsent: Option<String>,
}

#[derive(Debug)]
pub struct Delivery {
    /// The channel's name.
    pub channel: String,
    pub status: DeliveryStatus,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// The channel does not take it: its minimum is higher, or its patterns refuse it.
    Filtered,
    /// A thread that the channel has, or may have, counts it.
    Counted,
    /// The channel has it already.
    Duplicate,
    /// Another function is posting it now and may still fail, so the event must come again.
    InFlight,
    Tried(Outcome),
    /// The message was sent and may have arrived. It is sent again.
    Unanswered {
        count: Unanswered,
        why: String,
    },
    /// The message may have arrived. It was sent as often as allowed, and is not sent again.
    GivenUp {
        why: String,
    },
}

/// How often a record of a queue is sent without an answer. The message may have arrived each time. Three messages are
/// better than none, but twenty are too many. After that the record goes to the dead-letter queue.
pub(in crate::notifier) const MOST_UNANSWERED: u32 = 3;

/// The wait between the second and the third time without an answer. So an outage of an hour is over before the third.
const UNANSWERED_WAIT: Duration = Duration::from_secs(3_600);

pub(in crate::notifier) const SENT_BEFORE: &str =
    "sent before, and no answer confirmed that it arrived";

const GIVEN_UP: &str = "it may have arrived, and is not sent again";

const IN_FLIGHT: &str = "another function is posting it now";

impl DeliveryStatus {
    /// Whether the channel shows the event: in a message, or as one of those that a thread counts.
    pub(in crate::notifier) fn is_shown(&self) -> bool {
        matches!(self, Self::Counted | Self::Tried(Outcome::Delivered { .. }))
    }

    /// The message is sent again, unless it was sent too often already.
    pub(in crate::notifier) fn unanswered(count: Unanswered, why: &str) -> Self {
        let (times, what) = match count {
            Unanswered::Sent(times) => (times, "sent"),
            Unanswered::Received(times) => (times, "delivered by the queue"),
        };
        match times < MOST_UNANSWERED {
            true => Self::Unanswered {
                count,
                why: why.to_owned(),
            },
            false => Self::GivenUp {
                why: format!("{what} {times} times, and {why}"),
            },
        }
    }
}

impl BatchReport {
    /// The number of events that a channel accepted now, and the number of other events that need not come again.
    pub fn posted_and_dropped(&self) -> (usize, usize) {
        let read = self.entries.iter().filter(|it| it.failure().is_none());
        let done: Vec<_> = read.filter_map(|it| it.result.as_ref().ok()).collect();
        let posted = done.iter().filter(|it| it.is_delivered()).count();
        (posted, done.len() - posted)
    }

    /// Entries that must come again.
    pub fn failed(&self) -> impl Iterator<Item = &ReportEntry> {
        self.entries
            .iter()
            .filter(|entry| entry.failure().is_some())
    }
}

impl ReportEntry {
    /// Why this entry failed. `None` if it did not fail.
    pub fn failure(&self) -> Option<String> {
        match &self.result {
            Ok(report) => {
                let failures: Vec<_> = report
                    .deliveries
                    .iter()
                    .filter_map(Delivery::failure)
                    .chain(report.unsent.clone())
                    .collect();
                (!failures.is_empty()).then(|| failures.join("; "))
            }
            Err(error) => Some(error.to_string()),
        }
    }

    /// Counts the event and its result.
    pub(in crate::notifier) fn count(&self) {
        metrics::count_received();
        let report = match &self.result {
            Ok(report) => report,
            Err(_) => return metrics::count_invalid(),
        };
        match report.decision {
            Decision::Drop(reason) => metrics::count_dropped(reason),
            Decision::Keep(_) => {
                metrics::count_kept();
                for delivery in &report.deliveries {
                    metrics::count_delivery(&delivery.channel, delivery.metric());
                }
            }
        }
    }

    /// Logs one line for the event: its kind, the decision, the reason, and the status in each channel. Control characters
    /// in texts of events are escaped, so that an event cannot forge a line.
    pub(in crate::notifier) fn log(&self) {
        match (&self.result, self.failure()) {
            (Ok(report), failure) => {
                let id = report.event_id.as_deref().unwrap_or_default();
                let id = id.escape_debug();
                let kind: &str = report.kind.into();
                let (decision, reason) = (report.decision(), report.decision.reason(report.kind));
                let channels = report.channels();
                match failure {
                    None => tracing::info!(%id, kind, decision, reason, channels, "event"),
                    Some(_) => tracing::error!(%id, kind, decision, reason, channels, "event"),
                }
            }
            (Err(error), _) => {
                let error = error.to_string();
                let error = error.escape_debug();
                tracing::error!(decision = "error", %error, "event");
            }
        }
    }
}

impl EventReport {
    pub fn decision(&self) -> &'static str {
        match self.decision {
            Decision::Keep(_) => "keep",
            Decision::Drop(_) => "drop",
        }
    }

    /// Whether a channel accepted the event now.
    pub fn is_delivered(&self) -> bool {
        let mut statuses = self.deliveries.iter().map(|it| &it.status);
        statuses.any(|it| matches!(it, DeliveryStatus::Tried(Outcome::Delivered { .. })))
    }

    /// Whether a thread counts the event, and no channel shows anything for it now.
    pub fn is_counted(&self) -> bool {
        let is_counted = |it: &Delivery| it.status == DeliveryStatus::Counted;
        !self.is_delivered() && self.deliveries.iter().any(is_counted)
    }

    /// When the queue must deliver the record again: the longest delay of all channels.
    pub fn retry_delay(&self) -> RetryDelay {
        let all = self.deliveries.iter().filter_map(Delivery::retry_delay);
        all.max().unwrap_or(RetryDelay::Later(None))
    }

    fn channels(&self) -> String {
        self.deliveries
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

impl Delivery {
    /// `None` if the event need not come again for this channel.
    fn retry_delay(&self) -> Option<RetryDelay> {
        match &self.status {
            DeliveryStatus::Filtered
            | DeliveryStatus::Counted
            | DeliveryStatus::Duplicate
            | DeliveryStatus::Tried(Outcome::Delivered { .. }) => None,
            DeliveryStatus::Tried(Outcome::Retry { after, .. }) => Some(RetryDelay::Later(*after)),
            DeliveryStatus::InFlight
            | DeliveryStatus::Tried(Outcome::Refused { .. } | Outcome::Unanswered { .. }) => {
                Some(RetryDelay::Later(None))
            }
            // It is not sent again, so it goes to the dead-letter queue without a delay.
            DeliveryStatus::GivenUp { .. } => Some(RetryDelay::Now),
            DeliveryStatus::Unanswered { count, .. } => Some(match count {
                Unanswered::Sent(0 | 1) => RetryDelay::Later(None),
                Unanswered::Sent(_) | Unanswered::Received(_) => RetryDelay::After(UNANSWERED_WAIT),
            }),
        }
    }

    /// The name of the metric that counts this delivery.
    fn metric(&self) -> &'static str {
        match &self.status {
            DeliveryStatus::Filtered => "Filtered",
            DeliveryStatus::Counted => "Counted",
            DeliveryStatus::Duplicate => "Duplicates",
            DeliveryStatus::InFlight => "InFlight",
            DeliveryStatus::Tried(Outcome::Delivered { .. }) => "Delivered",
            DeliveryStatus::Tried(
                Outcome::Retry { .. } | Outcome::Unanswered { .. } | Outcome::Refused { .. },
            )
            | DeliveryStatus::Unanswered { .. }
            | DeliveryStatus::GivenUp { .. } => metrics::FAILED,
        }
    }

    pub(in crate::notifier) fn failure(&self) -> Option<String> {
        match &self.status {
            DeliveryStatus::Filtered | DeliveryStatus::Counted | DeliveryStatus::Duplicate => None,
            DeliveryStatus::InFlight => Some(format!("{}: {IN_FLIGHT}", self.channel)),
            DeliveryStatus::Tried(Outcome::Delivered { .. }) => None,
            DeliveryStatus::Tried(
                Outcome::Retry { why, .. }
                | Outcome::Unanswered { why, .. }
                | Outcome::Refused { why },
            ) => Some(format!("{}: {why}", self.channel)),
            DeliveryStatus::Unanswered { why, .. } => Some(format!("{}: {why}", self.channel)),
            DeliveryStatus::GivenUp { why } => Some(format!("{}: {why}; {GIVEN_UP}", self.channel)),
        }
    }
}

impl std::fmt::Display for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let channel = &self.channel;
        match &self.status {
            DeliveryStatus::Filtered => write!(f, "{channel} filtered"),
            DeliveryStatus::Counted => write!(f, "{channel} counted"),
            DeliveryStatus::Duplicate => write!(f, "{channel} duplicate"),
            DeliveryStatus::InFlight => write!(f, "{channel} failed ({IN_FLIGHT})"),
            DeliveryStatus::Tried(Outcome::Delivered { .. }) => write!(f, "{channel} delivered"),
            DeliveryStatus::Tried(Outcome::Retry { why, .. } | Outcome::Unanswered { why, .. }) => {
                write!(f, "{channel} failed ({why})")
            }
            DeliveryStatus::Tried(Outcome::Refused { why }) => {
                write!(f, "{channel} refused ({why})")
            }
            DeliveryStatus::Unanswered { why, .. } => write!(f, "{channel} failed ({why})"),
            DeliveryStatus::GivenUp { why } => write!(f, "{channel} failed ({why}; {GIVEN_UP})"),
        }
    }
}
