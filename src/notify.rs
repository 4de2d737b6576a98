//! The whole pipeline on one screen: from a payload to an account of what became of every event in it.

use std::future::Future;
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::classify::classify;
use crate::deliver::{Channel, Http, Outcome};
use crate::enrich::Enricher;
use crate::event::EcsEvent;
use crate::inbox::{self, InboxError, Item, Receipt, Sender};
use crate::notice::{Kind, Notice};
use crate::render::{Dialect, Renderer};
use crate::triage::{Policy, Telling, Verdict, judge};

/// Tells events to channels.
pub struct Notifier {
    pub policy: Policy,
    /// None where only what the events say is told.
    pub enricher: Option<Enricher>,
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

/// What an event is about and whether it is told, as far as it says itself.
pub fn decide(event: &EcsEvent, policy: &Policy) -> (Notice, Verdict) {
    let mut notice = classify(event);
    policy.mark(&mut notice);
    let verdict = judge(&notice, policy);
    (notice, verdict)
}

/// Adds to what is told what only AWS knows, and judges it again: the second verdict counts.
pub async fn look_up<'a>(
    decided: impl IntoIterator<Item = &'a mut (Notice, Verdict)>,
    enricher: &Enricher,
    policy: &Policy,
    deadline: Deadline,
) {
    let mut told: Vec<_> = decided
        .into_iter()
        .filter(|(_, verdict)| matches!(verdict, Verdict::Keep(_)))
        .collect();
    let notices = told.iter_mut().map(|(notice, _)| notice).collect();
    let until = deadline.share(enricher.patience());
    enricher.enrich(notices, policy, until).await;
    for (notice, verdict) in told {
        policy.mark(notice);
        *verdict = judge(notice, policy);
    }
}

impl Notifier {
    /// Tells every event of a payload, in its order, until the deadline.
    pub async fn notify(&self, payload: &Value, deadline: Deadline) -> Account {
        Account {
            sender: inbox::sender(payload),
            entries: self.tell(inbox::open(payload), deadline).await,
        }
    }

    /// Tells events to every channel that wants them, and writes one line each to the log.
    ///
    /// Each channel is told them one after another, and no channel waits for another.
    pub async fn tell(&self, items: Vec<Item>, deadline: Deadline) -> Vec<Entry> {
        let mut decided: Vec<_> = items.into_iter().map(|item| self.decide(item)).collect();
        if let Some(enricher) = &self.enricher {
            let read = decided.iter_mut().filter_map(|it| it.result.as_mut().ok());
            look_up(read, enricher, &self.policy, deadline).await;
        }
        let channels = self
            .channels
            .iter()
            .map(|channel| self.serve(channel, &decided, deadline));
        let mut served: Vec<_> = join_all(channels)
            .await
            .into_iter()
            .map(Vec::into_iter)
            .collect();
        let entries: Vec<_> = decided
            .into_iter()
            .map(|decided| {
                let deliveries = served
                    .iter_mut()
                    .filter_map(Iterator::next)
                    .flatten()
                    .collect();
                decided.into_entry(deliveries)
            })
            .collect();
        entries.iter().for_each(Entry::log);
        entries
    }

    fn decide(&self, item: Item) -> Decided {
        let result = item.event.map(|event| decide(&event, &self.policy));
        Decided {
            receipt: item.receipt,
            result,
        }
    }

    /// One channel's deliveries, one for each event in its place; none for an event that is not told.
    async fn serve(
        &self,
        channel: &Channel,
        decided: &[Decided],
        deadline: Deadline,
    ) -> Vec<Option<Delivery>> {
        let mut deliveries = Vec::with_capacity(decided.len());
        for decided in decided {
            deliveries.push(match &decided.result {
                Ok((notice, Verdict::Keep(telling))) => {
                    let result = self.send(channel, notice, *telling, deadline).await;
                    Some(Delivery {
                        channel: channel.dialect(),
                        result,
                    })
                }
                Ok((_, Verdict::Drop(_))) | Err(_) => None,
            });
        }
        deliveries
    }

    async fn send(
        &self,
        channel: &Channel,
        notice: &Notice,
        telling: Telling,
        deadline: Deadline,
    ) -> Sent {
        if !channel.wants(telling) {
            return Sent::NotWanted;
        }
        let message = self
            .renderer
            .render_or_fall_back(channel.dialect(), notice, telling);
        Sent::Tried(deadline.hold(channel.deliver(&self.http, &message)).await)
    }
}

/// When an invocation must have been answered. What is not done by then is given back, not lost with it.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Time to answer and to write the log.
    const RESERVE: Duration = Duration::from_millis(500);

    /// Nobody waits: the command line.
    pub const NONE: Self = Self(None);

    /// That of an invocation which ends at this time; one that is over before it began has a clock that is
    /// wrong, not no time.
    pub fn at(end: SystemTime) -> Self {
        let left = end.duration_since(SystemTime::now()).ok();
        Self(left.and_then(|left| Instant::now().checked_add(left.saturating_sub(Self::RESERVE))))
    }

    /// The end of something that may take this long, but no more than half of the time that is left.
    fn share(self, most: Duration) -> Instant {
        let now = Instant::now();
        let half = self.0.map(|end| end.saturating_duration_since(now) / 2);
        now + half.map_or(most, |half| half.min(most))
    }

    async fn hold(self, delivery: impl Future<Output = Outcome>) -> Outcome {
        match self.0 {
            None => delivery.await,
            Some(end) => timeout_at(end, delivery)
                .await
                .unwrap_or_else(|_| Outcome::Retry {
                    after: None,
                    why: "the function's time is over".to_owned(),
                }),
        }
    }
}

/// An item between its decision and its deliveries.
struct Decided {
    receipt: Option<Receipt>,
    result: Result<(Notice, Verdict), InboxError>,
}

impl Decided {
    fn into_entry(self, deliveries: Vec<Delivery>) -> Entry {
        let result = self.result.map(|(notice, verdict)| Told {
            event_id: notice.origin.event_id,
            kind: notice.kind,
            verdict,
            deliveries,
        });
        Entry {
            receipt: self.receipt,
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
