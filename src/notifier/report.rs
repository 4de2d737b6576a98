//! What became of every event of a payload: each is delivered, dropped for a reason, or given back.

use std::time::Duration;

use crate::aws::visibility::RetryDelay;
use crate::ecs::notice::Kind;
use crate::notifier::channel::Outcome;
use crate::notifier::dedup::Unanswered;
use crate::notifier::ingest::{IngestError, Receipt, Sender};
use crate::notifier::metrics;
use crate::notifier::policy::Decision;

/// What became of every event of a payload.
#[derive(Debug)]
pub struct BatchReport {
    pub sender: Sender,
    pub entries: Vec<Entry>,
}

#[derive(Debug)]
pub struct Entry {
    pub receipt: Option<Receipt>,
    pub result: Result<EventReport, IngestError>,
}

/// An event that was read: what it was found to mean, and who was told.
#[derive(Debug)]
pub struct EventReport {
    pub event_id: Option<String>,
    pub kind: Kind,
    pub decision: Decision,
    pub deliveries: Vec<Delivery>,
}

#[derive(Debug)]
pub struct Delivery {
    /// The channel's name.
    pub channel: String,
    pub status: DeliveryStatus,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// The channel is in quiet mode and the notice is not loud.
    Filtered,
    /// The channel has it already.
    Duplicate,
    /// Another function is posting it now and may still fail, so the event comes again.
    InFlight,
    Tried(Outcome),
    /// It was sent and may have arrived; it is sent again.
    Unanswered {
        count: Unanswered,
        why: String,
    },
    /// It may have arrived, and was sent as often as it may be.
    GivenUp {
        why: String,
    },
}

/// How often a record of a queue is sent without an answer. It may have arrived each time; nobody wants it twenty times,
/// and never is worse than three times. After that it goes to the dead-letter queue.
pub(in crate::notifier) const MOST_UNANSWERED: u32 = 3;

/// From the second time without an answer to the third: an outage of the chat that lasts an hour is over by then.
const UNANSWERED_WAIT: Duration = Duration::from_secs(3_600);

const GIVEN_UP: &str = "it may have arrived, and is not sent again";

const IN_FLIGHT: &str = "another function is priority it";

impl BatchReport {
    /// Events that a channel took just now, and all others that need not come again.
    pub fn posted_and_dropped(&self) -> (usize, usize) {
        let read = self.entries.iter().filter(|it| it.failure().is_none());
        let told: Vec<_> = read.filter_map(|it| it.result.as_ref().ok()).collect();
        let posted = told.iter().filter(|it| it.is_delivered()).count();
        (posted, told.len() - posted)
    }

    /// Entries that must come again.
    pub fn failed(&self) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(|entry| entry.failure().is_some())
    }
}

impl Entry {
    /// Why this entry is not accounted for, where it is not.
    pub fn failure(&self) -> Option<String> {
        match &self.result {
            Ok(told) => {
                let failures: Vec<_> = told
                    .deliveries
                    .iter()
                    .filter_map(Delivery::failure)
                    .collect();
                (!failures.is_empty()).then(|| failures.join("; "))
            }
            Err(error) => Some(error.to_string()),
        }
    }

    /// As one event, and as what became of it.
    pub(in crate::notifier) fn count(&self) {
        metrics::count_received();
        let told = match &self.result {
            Ok(told) => told,
            Err(_) => return metrics::count_invalid(),
        };
        match told.decision {
            Decision::Drop(reason) => metrics::count_dropped(reason),
            Decision::Keep(_) => {
                metrics::count_kept();
                for delivery in &told.deliveries {
                    metrics::count_delivery(&delivery.channel, delivery.metric());
                }
            }
        }
    }

    /// One line an event: what it was, what was decided and why, and how each channel took it. Texts of
    /// events are written with their control characters escaped, so that none can forge a line.
    pub(in crate::notifier) fn log(&self) {
        match (&self.result, self.failure()) {
            (Ok(told), failure) => {
                let id = told.event_id.as_deref().unwrap_or_default().escape_debug();
                let kind: &str = told.kind.into();
                let (decision, reason) = (told.decision(), told.decision.reason(told.kind));
                let channels = told.channels();
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

    /// Whether a channel took it just now.
    pub fn is_delivered(&self) -> bool {
        let is_delivered = |it: &Delivery| it.status == DeliveryStatus::Tried(Outcome::Delivered);
        self.deliveries.iter().any(is_delivered)
    }

    /// When the queue shall show it again: the latest that a channel wants.
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
    /// None where it need not come again for this channel.
    fn retry_delay(&self) -> Option<RetryDelay> {
        match &self.status {
            DeliveryStatus::Filtered
            | DeliveryStatus::Duplicate
            | DeliveryStatus::Tried(Outcome::Delivered) => None,
            DeliveryStatus::Tried(Outcome::Retry { after, .. }) => Some(RetryDelay::Later(*after)),
            DeliveryStatus::InFlight
            | DeliveryStatus::Tried(Outcome::Refused { .. } | Outcome::Unanswered { .. }) => {
                Some(RetryDelay::Later(None))
            }
            // It is not sent any more.
            DeliveryStatus::GivenUp { .. } => Some(RetryDelay::Now),
            DeliveryStatus::Unanswered { count, .. } => Some(match count {
                Unanswered::Sent(0 | 1) => RetryDelay::Later(None),
                Unanswered::Sent(_) | Unanswered::HandedOut(_) => {
                    RetryDelay::After(UNANSWERED_WAIT)
                }
            }),
        }
    }

    /// The name of the metric that counts it.
    fn metric(&self) -> &'static str {
        match &self.status {
            DeliveryStatus::Filtered => "Filtered",
            DeliveryStatus::Duplicate => "Duplicates",
            DeliveryStatus::InFlight => "InFlight",
            DeliveryStatus::Tried(Outcome::Delivered) => "Delivered",
            DeliveryStatus::Tried(
                Outcome::Retry { .. } | Outcome::Unanswered { .. } | Outcome::Refused { .. },
            )
            | DeliveryStatus::Unanswered { .. }
            | DeliveryStatus::GivenUp { .. } => metrics::FAILED,
        }
    }

    fn failure(&self) -> Option<String> {
        match &self.status {
            DeliveryStatus::Filtered | DeliveryStatus::Duplicate => None,
            DeliveryStatus::InFlight => Some(format!("{}: {IN_FLIGHT}", self.channel)),
            DeliveryStatus::Tried(Outcome::Delivered) => None,
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
            DeliveryStatus::Duplicate => write!(f, "{channel} duplicate"),
            DeliveryStatus::InFlight => write!(f, "{channel} failed ({IN_FLIGHT})"),
            DeliveryStatus::Tried(Outcome::Delivered) => write!(f, "{channel} delivered"),
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
