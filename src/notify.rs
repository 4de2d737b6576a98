//! The whole pipeline on one screen: from a payload to an account of what became of every event in it.

use futures::future::join_all;
use serde_json::Value;

use crate::classify::classify;
use crate::deliver::{Channel, Http, Outcome};
use crate::event::EcsEvent;
use crate::inbox::{self, InboxError, Item, Receipt, Sender};
use crate::notice::{Kind, Notice};
use crate::render::{Dialect, Renderer};
use crate::triage::{Policy, Telling, Verdict, judge};

/// Tells events to channels.
pub struct Notifier {
    pub policy: Policy,
    pub renderer: Renderer,
    pub channels: Vec<Channel>,
    pub http: Http,
}

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

#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// The channel is in quiet mode and the notice is not loud.
    NotWanted,
    Tried(Outcome),
}

/// What an event is about and whether it is told.
///
/// What only AWS knows is looked up between the two steps, and the second verdict counts; that comes later.
pub fn decide(event: &EcsEvent, policy: &Policy) -> (Notice, Verdict) {
    let notice = classify(event);
    let verdict = judge(&notice, policy);
    (notice, verdict)
}

impl Notifier {
    /// Tells every event of a payload, in its order.
    pub async fn notify(&self, payload: &Value) -> Account {
        let mut entries = Vec::new();
        for item in inbox::open(payload) {
            entries.push(self.tell(item).await);
        }
        Account {
            sender: inbox::sender(payload),
            entries,
        }
    }

    /// Tells one event to every channel that wants it, and writes one line to the log.
    pub async fn tell(&self, item: Item) -> Entry {
        let result = match item.event {
            Ok(event) => Ok(self.tell_event(&event).await),
            Err(error) => Err(error),
        };
        let entry = Entry {
            receipt: item.receipt,
            result,
        };
        entry.log();
        entry
    }

    async fn tell_event(&self, event: &EcsEvent) -> Told {
        let (notice, verdict) = decide(event, &self.policy);
        let deliveries = match verdict {
            Verdict::Drop(_) => Vec::new(),
            Verdict::Keep(telling) => {
                join_all(
                    self.channels
                        .iter()
                        .map(|channel| self.send(channel, &notice, telling)),
                )
                .await
            }
        };
        Told {
            event_id: notice.origin.event_id,
            kind: notice.kind,
            verdict,
            deliveries,
        }
    }

    async fn send(&self, channel: &Channel, notice: &Notice, telling: Telling) -> Delivery {
        let dialect = channel.dialect();
        let result = if channel.wants(telling) {
            let message = self.renderer.render_or_fall_back(dialect, notice, telling);
            Sent::Tried(channel.deliver(&self.http, &message).await)
        } else {
            Sent::NotWanted
        };
        Delivery {
            channel: dialect,
            result,
        }
    }
}

impl Account {
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

    /// One line an event: what it was, what was decided and why, and how each channel took it. Texts of
    /// events are written with their control characters escaped, so that none can forge a line.
    fn log(&self) {
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

    fn channels(&self) -> String {
        self.deliveries
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

impl Delivery {
    fn failure(&self) -> Option<String> {
        match &self.result {
            Sent::NotWanted => None,
            Sent::Tried(outcome) => outcome.why().map(|why| format!("{}: {why}", self.channel)),
        }
    }
}

impl std::fmt::Display for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let channel = self.channel;
        match &self.result {
            Sent::NotWanted => write!(f, "{channel} quiet"),
            Sent::Tried(Outcome::Delivered) => write!(f, "{channel} delivered"),
            Sent::Tried(Outcome::Retry { why, .. }) => write!(f, "{channel} failed ({why})"),
            Sent::Tried(Outcome::Refused { why }) => write!(f, "{channel} refused ({why})"),
        }
    }
}
