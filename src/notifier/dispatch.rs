//! The whole pipeline on one screen: from a payload to an account of what became of every event in it.

mod candidate;
mod channel;
mod rate_limiter;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;
use tokio::time::timeout_at;

use crate::aws::LazySession;
use crate::aws::deadline::Deadline;
use crate::aws::visibility::{ReceivedMessage, RetryDelay, change_visibility};
use crate::ecs::classify::classify;
use crate::ecs::event::EcsEvent;
use crate::ecs::notice::Notice;
use crate::notifier::channel::{Channel, Http};
use crate::notifier::dedup::{DedupKey, DedupStore, Transition, Version};
use crate::notifier::enrich::Enricher;
use crate::notifier::ingest::{self, IngestError, Item, Receipt};
use crate::notifier::policy::{Decision, DropReason, Policy, Priority, decide};
use crate::notifier::render::{Dialect, Renderer};
use channel::ChannelDispatcher;

use crate::notifier::report::{BatchReport, Delivery, DeliveryStatus, Entry, EventReport};

/// For reading the dedup store, before anything is posted.
const READING: Duration = Duration::from_secs(4);

/// For each event, time to note that it was told, or to have the queue show it later.
const BOOKKEEPING_RESERVE_EACH: Duration = Duration::from_millis(2);

/// In the client context of an invocation, under `custom`: the answer shall say how many events were posted and dropped.
pub const COUNTS_PLEASE: &str = "ecs-parrot-counts";

/// Tells events to channels.
pub struct Notifier {
    pub policy: Policy,
    /// None where only what the events say is told.
    pub enricher: Option<Enricher>,
    pub renderer: Renderer,
    pub channels: Vec<Channel>,
    pub http: Http,
    pub dedup: DedupStore,
    pub session: Arc<LazySession>,
}

/// What an event is about and whether it is told, as far as it says itself.
pub fn evaluate(event: &EcsEvent, policy: &Policy) -> (Notice, Decision) {
    let mut notice = classify(event);
    policy.mark(&mut notice);
    let decision = decide(&notice, policy);
    (notice, decision)
}

/// Adds to what is told what only AWS knows, and judges it again: the second decision counts.
pub async fn look_up<'a>(
    decided: impl IntoIterator<Item = &'a mut (Notice, Decision)>,
    enricher: &Enricher,
    policy: &Policy,
    deadline: Deadline,
) {
    let mut told: Vec<_> = decided
        .into_iter()
        .filter(|(_, decision)| matches!(decision, Decision::Keep(_)))
        .collect();
    let notices = told.iter_mut().map(|(notice, _)| notice).collect();
    let until = deadline.share(enricher.timeout());
    enricher.enrich(notices, policy, until).await;
    for (notice, decision) in told {
        policy.mark(notice);
        *decision = decide(notice, policy);
    }
}

impl Notifier {
    /// Tells every event of a payload, in its order, until the deadline.
    pub async fn notify(&self, payload: &Value, deadline: Deadline) -> BatchReport {
        BatchReport {
            sender: ingest::sender(payload),
            entries: self.tell(ingest::open(payload), deadline).await,
        }
    }

    /// Has the queue show what failed later, so that an hour's outage of a chat is not tried away in minutes. What
    /// is no event is shown at once: it is for the dead-letter queue.
    pub async fn return_to_queue(&self, account: &BatchReport) {
        let mut back: HashMap<&str, (&ReceivedMessage, RetryDelay)> = HashMap::new();
        for entry in account.failed() {
            let Some(receipt) = &entry.receipt else {
                continue;
            };
            let Some(held) = receipt.held.as_deref() else {
                continue;
            };
            let again = match &entry.result {
                Ok(told) => told.again(),
                // Nothing is wrong with it: there was no budget.
                Err(IngestError::BatchFull) => RetryDelay::Later(None),
                Err(_) => RetryDelay::Now,
            };
            let (_, latest) = back.entry(&receipt.id).or_insert((held, again));
            *latest = again.max(*latest);
        }
        if back.is_empty() {
            return;
        }
        let session = match self.session.own().await {
            Ok(session) => session,
            Err(error) => return tracing::warn!(%error, "the queue's own delay holds"),
        };
        let records = back.into_values();
        change_visibility(&session.sqs(), records).await;
    }

    /// Tells events to every channel that wants them and does not have them, and writes one line each to the
    /// log. Each channel is told them one after another, and no channel waits for another.
    pub async fn tell(&self, items: Vec<Item>, end: Deadline) -> Vec<Entry> {
        let reserve =
            BOOKKEEPING_RESERVE_EACH.saturating_mul(u32::try_from(items.len()).unwrap_or(u32::MAX));
        let deadline = end.earlier(reserve);
        self.dedup.begin();
        let mut decided: Vec<_> = items.into_iter().map(|item| self.decide(item)).collect();
        self.find_duplicates(&mut decided, deadline).await;
        if let Some(enricher) = &self.enricher {
            let read = decided.iter_mut().filter_map(|it| it.result.as_mut().ok());
            look_up(read, enricher, &self.policy, deadline).await;
        }
        let dispatchers = self.channels.iter().map(|channel| ChannelDispatcher {
            channel,
            renderer: &self.renderer,
            http: &self.http,
            dedup: &self.dedup,
            deadline,
            end,
        });
        let decided_ref = &decided;
        let served =
            dispatchers.map(|dispatcher| async move { dispatcher.serve(decided_ref).await });
        let mut served: Vec<_> = join_all(served)
            .await
            .into_iter()
            .map(Vec::into_iter)
            .collect();
        end.hold(self.dedup.finish()).await;
        let entries = decided.into_iter().map(|decided| {
            let sent = served.iter_mut().map(|it| it.next().flatten());
            let deliveries = self
                .channels
                .iter()
                .zip(sent)
                .filter_map(|(channel, sent)| {
                    let channel = channel.dialect();
                    sent.map(|result| Delivery { channel, result })
                });
            decided.into_entry(deliveries.collect())
        });
        let entries: Vec<_> = entries.collect();
        entries.iter().for_each(Entry::log);
        entries.iter().for_each(Entry::count);
        entries
    }

    fn decide(&self, item: Item) -> Decided {
        let result = item.event.map(|event| evaluate(&event, &self.policy));
        Decided {
            receipt: item.receipt,
            result,
            told: HashSet::new(),
        }
    }

    /// Notes who was told what already, before anything else is asked about it.
    async fn find_duplicates(&self, decided: &mut [Decided], deadline: Deadline) {
        let mut keys = Vec::new();
        for decided in decided.iter() {
            for channel in &self.channels {
                keys.extend(decided.keys(channel.dialect()));
            }
        }
        let until = deadline.share(READING);
        let told = timeout_at(until, self.dedup.told(keys))
            .await
            .unwrap_or_default();
        for decided in decided {
            let had: Vec<_> = self.channels.iter().map(Channel::dialect).collect();
            let had = had.into_iter().filter(|channel| {
                let version = decided.notice().and_then(Version::of);
                let is_old = version.is_some_and(|it| self.dedup.is_old((*channel).into(), &it));
                is_old || decided.keys(*channel).iter().any(|key| told.contains(key))
            });
            decided.told = had.collect();
            decided.drop_if_told(&self.channels);
        }
    }
}

/// An item between its decision and its deliveries.
struct Decided {
    receipt: Option<Receipt>,
    result: Result<(Notice, Decision), IngestError>,
    /// The channels that have it already.
    told: HashSet<Dialect>,
}

impl Decided {
    fn priority(&self) -> Option<Priority> {
        match self.result {
            Ok((_, Decision::Keep(priority))) => Some(priority),
            Ok((_, Decision::Drop(_))) | Err(_) => None,
        }
    }

    /// How often a queue has handed out its record.
    fn receives(&self) -> Option<u32> {
        let held = self.receipt.as_ref()?.held.as_ref()?;
        Some(held.receives())
    }

    /// What is told; of an event that has nothing that tells it from others, the queue's message stands for it.
    fn transition(&self) -> Option<Transition> {
        let transition = Transition::of(self.notice()?);
        transition.or_else(|| {
            let receipt = self.receipt.as_ref().filter(|it| it.held.is_some())?;
            Some(Transition::of_message(&receipt.id, receipt.number))
        })
    }

    fn notice(&self) -> Option<&Notice> {
        match &self.result {
            Ok((notice, Decision::Keep(_))) => Some(notice),
            Ok((_, Decision::Drop(_))) | Err(_) => None,
        }
    }

    /// Under what a channel may have been told of it: the transition, or the one that ends all.
    fn keys(&self, channel: Dialect) -> Vec<DedupKey> {
        let Some(transition) = self.transition() else {
            return Vec::new();
        };
        let others = transition.followed_by().into_iter();
        let others = others.chain(transition.nearby());
        let key = |it: &Transition| DedupKey::new(channel.into(), it);
        std::iter::once(key(&transition))
            .chain(others.map(|it| key(&it)))
            .collect()
    }

    fn was_posted_to(&self, channel: Dialect) -> bool {
        self.told.contains(&channel)
    }

    /// What everybody who wants it has is old news, about which nothing more is asked.
    fn drop_if_told(&mut self, channels: &[Channel]) {
        let Ok((_, Decision::Keep(priority))) = &self.result else {
            return;
        };
        let mut wanting = channels.iter().filter(|it| it.wants(*priority)).peekable();
        let is_wanted = wanting.peek().is_some();
        if is_wanted && wanting.all(|it| self.told.contains(&it.dialect())) {
            self.drop_as_told();
        }
    }

    fn drop_as_told(&mut self) {
        if let Ok((_, decision)) = &mut self.result {
            *decision = Decision::Drop(DropReason::Duplicate);
        }
    }

    fn into_entry(mut self, deliveries: Vec<Delivery>) -> Entry {
        let has = |sent: &DeliveryStatus| deliveries.iter().any(|it| it.result == *sent);
        let is_old = deliveries.iter().all(|it| {
            matches!(
                it.result,
                DeliveryStatus::Duplicate | DeliveryStatus::Filtered
            )
        });
        if is_old && has(&DeliveryStatus::Duplicate) {
            self.drop_as_told();
        }
        let result = self.result.map(|(notice, decision)| EventReport {
            event_id: notice.origin.event_id,
            kind: notice.kind,
            decision,
            deliveries,
        });
        Entry {
            receipt: self.receipt,
            result,
        }
    }
}
