//! What became of every event of a payload: each is delivered, dropped for a reason, or given back.

use std::time::Duration;

use crate::deliver::Outcome;
use crate::inbox::{InboxError, Receipt, Sender};
use crate::ledger::Unanswered;
use crate::metrics::{self, Became};
use crate::notice::Kind;
use crate::render::Dialect;
use crate::requeue::Again;
use crate::triage::Verdict;

/// What became of every event of a payload.
#[derive(Debug)]
pub struct Account {
    pub sender: Sender,
    pub entries: Vec<Entry>,
}

#[derive(Debug)]
pub struct Entry {
    pub receipt: Option<Receipt>,
    pub result: Result<Told, InboxError>,
}

/// An event that was read: what it was found to mean, and who was told.
#[derive(Debug)]
pub struct Told {
    pub event_id: Option<String>,
    pub kind: Kind,
    pub verdict: Verdict,
    pub deliveries: Vec<Delivery>,
}

#[derive(Debug)]
pub struct Delivery {
    pub channel: Dialect,
    pub result: Sent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The channel is in quiet mode and the notice is not loud.
    NotWanted,
    /// The channel has it already.
    AlreadyTold,
    /// Another function is telling it now, and may yet fail: it comes again.
    Elsewhere,
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
pub(super) const MOST_UNANSWERED: u32 = 3;

/// From the second time without an answer to the third: an outage of the chat that lasts an hour is over by then.
const UNANSWERED_WAIT: Duration = Duration::from_secs(3_600);

const GIVEN_UP: &str = "it may have arrived, and is not sent again";

const ELSEWHERE: &str = "another function is telling it";

impl Account {
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
    pub(super) fn count(&self) {
        metrics::count_received();
        let told = match &self.result {
            Ok(told) => told,
            Err(_) => return metrics::count_unread(),
        };
        match told.verdict {
            Verdict::Drop(reason) => metrics::count_dropped(reason),
            Verdict::Keep(_) => {
                metrics::count_kept();
                for delivery in &told.deliveries {
                    metrics::count_delivery(delivery.channel, delivery.became());
                }
            }
        }
    }

    /// One line an event: what it was, what was decided and why, and how each channel took it. Texts of
    /// events are written with their control characters escaped, so that none can forge a line.
    pub(super) fn log(&self) {
        match (&self.result, self.failure()) {
            (Ok(told), failure) => {
                let id = told.event_id.as_deref().unwrap_or_default().escape_debug();
                let kind: &str = told.kind.into();
                let (decision, reason) = (told.decision(), told.verdict.reason(told.kind));
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

impl Told {
    pub fn decision(&self) -> &'static str {
        match self.verdict {
            Verdict::Keep(_) => "keep",
            Verdict::Drop(_) => "drop",
        }
    }

    /// Whether a channel took it just now.
    pub fn is_delivered(&self) -> bool {
        let is_delivered = |it: &Delivery| it.result == Sent::Tried(Outcome::Delivered);
        self.deliveries.iter().any(is_delivered)
    }

    /// When the queue shall show it again: the latest that a channel wants.
    pub fn again(&self) -> Again {
        let all = self.deliveries.iter().filter_map(Delivery::again);
        all.max().unwrap_or(Again::Later(None))
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
    fn again(&self) -> Option<Again> {
        match &self.result {
            Sent::NotWanted | Sent::AlreadyTold | Sent::Tried(Outcome::Delivered) => None,
            Sent::Tried(Outcome::Retry { after, .. }) => Some(Again::Later(*after)),
            Sent::Elsewhere | Sent::Tried(Outcome::Refused { .. } | Outcome::Unanswered { .. }) => {
                Some(Again::Later(None))
            }
            // It is not sent any more.
            Sent::GivenUp { .. } => Some(Again::Now),
            Sent::Unanswered { count, .. } => Some(match count {
                Unanswered::Sent(0 | 1) => Again::Later(None),
                Unanswered::Sent(_) | Unanswered::HandedOut(_) => Again::After(UNANSWERED_WAIT),
            }),
        }
    }

    fn became(&self) -> Became {
        match &self.result {
            Sent::NotWanted => Became::NotWanted,
            Sent::AlreadyTold => Became::AlreadyTold,
            Sent::Elsewhere => Became::Elsewhere,
            Sent::Tried(Outcome::Delivered) => Became::Delivered,
            Sent::Tried(
                Outcome::Retry { .. } | Outcome::Unanswered { .. } | Outcome::Refused { .. },
            )
            | Sent::Unanswered { .. }
            | Sent::GivenUp { .. } => Became::Failed,
        }
    }

    fn failure(&self) -> Option<String> {
        match &self.result {
            Sent::NotWanted | Sent::AlreadyTold => None,
            Sent::Elsewhere => Some(format!("{}: {ELSEWHERE}", self.channel)),
            Sent::Tried(Outcome::Delivered) => None,
            Sent::Tried(
                Outcome::Retry { why, .. }
                | Outcome::Unanswered { why, .. }
                | Outcome::Refused { why },
            ) => Some(format!("{}: {why}", self.channel)),
            Sent::Unanswered { why, .. } => Some(format!("{}: {why}", self.channel)),
            Sent::GivenUp { why } => Some(format!("{}: {why}; {GIVEN_UP}", self.channel)),
        }
    }
}

impl std::fmt::Display for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let channel = self.channel;
        match &self.result {
            Sent::NotWanted => write!(f, "{channel} quiet"),
            Sent::AlreadyTold => write!(f, "{channel} already told"),
            Sent::Elsewhere => write!(f, "{channel} failed ({ELSEWHERE})"),
            Sent::Tried(Outcome::Delivered) => write!(f, "{channel} delivered"),
            Sent::Tried(Outcome::Retry { why, .. } | Outcome::Unanswered { why, .. }) => {
                write!(f, "{channel} failed ({why})")
            }
            Sent::Tried(Outcome::Refused { why }) => write!(f, "{channel} refused ({why})"),
            Sent::Unanswered { why, .. } => write!(f, "{channel} failed ({why})"),
            Sent::GivenUp { why } => write!(f, "{channel} failed ({why}; {GIVEN_UP})"),
        }
    }
}
