//! One event of a batch, from its decision to its deliveries.

use std::collections::HashSet;

use super::evaluate;
use crate::ecs::notice::{Facts, Notice};
use crate::notifier::channel::ConfiguredChannel;
use crate::notifier::dedup::{DedupKey, DedupStore, Transition, Version};
use crate::notifier::event_counts::EventCount;
use crate::notifier::ingest::{IngestError, IngestItem, Receipt};
use crate::notifier::policy::{Decision, DropReason, Policy, Priority, is_brought_back};
use crate::notifier::report::{Delivery, DeliveryStatus, EventReport, ReportEntry};
use crate::notifier::route::EventRoute;
use crate::notifier::thread::{Observation, UnixTime, kinds_heard, subjects};

pub(super) struct BatchEvent {
    receipt: Option<Receipt>,
    result: Result<(Notice, Decision), IngestError>,
    /// The event is noise, and `KEEP` brings it back.
    is_brought_back: bool,
    /// Whether a thread counts the event, so that it is not posted by itself.
    pub(super) is_in_thread: bool,
    /// Whether a thread had the event before this batch.
    pub(super) is_repeated: bool,
    /// What a thread that this event changed could not show.
    pub(super) unsent: Vec<String>,
    /// The names of the channels that have the event already.
    posted_to: HashSet<String>,
    pub(super) deliveries: Vec<Delivery>,
}

impl BatchEvent {
    pub(super) fn read(item: IngestItem, policy: &Policy) -> Self {
        let result = item.event.map(|event| evaluate(&event, policy));
        let is_brought_back = matches!(&result, Ok((notice, _)) if is_brought_back(notice, policy));
        Self {
            receipt: item.receipt,
            result,
            is_brought_back,
            is_in_thread: false,
            is_repeated: false,
            unsent: Vec::new(),
            posted_to: HashSet::new(),
            deliveries: Vec::new(),
        }
    }

    /// The notice and the decision, as threads see them. `None` if the event could not be read.
    pub(super) fn observed(&self) -> Option<(&Notice, Decision, bool)> {
        let (notice, decision) = self.result.as_ref().ok()?;
        Some((notice, *decision, self.is_brought_back))
    }

    pub(super) fn is_call(&self) -> bool {
        matches!(&self.result, Ok((notice, _)) if matches!(notice.facts, Facts::Call(_)))
    }

    /// Whether an event that a thread has had is never posted by itself. A call may be, and what `KEEP` brings back.
    pub(super) fn is_posted_by_thread_only(&self) -> bool {
        !self.is_call() && !self.is_brought_back && self.kept().is_some()
    }

    /// Decides again what depends on facts that AWS added.
    pub(super) fn judge_again(&mut self, policy: &Policy) {
        self.is_brought_back =
            matches!(&self.result, Ok((notice, _)) if is_brought_back(notice, policy));
    }

    /// The keys that are read before anything is done. An event of a thread needs none, because its subject knows it.
    pub(super) fn keys_to_read(&self, channel: &str) -> Vec<DedupKey> {
        let Ok((notice, decision)) = &self.result else {
            return Vec::new();
        };
        let now = UnixTime::default();
        let observation = Observation::new(0, notice, *decision, self.is_brought_back, now);
        match subjects(&observation).is_empty() || self.is_brought_back {
            true => self.keys(channel),
            false => Vec::new(),
        }
    }

    /// The notice and its priority, if it is posted by itself.
    pub(super) fn single(&self) -> Option<(&Notice, Priority)> {
        self.kept().filter(|_| !self.is_in_thread)
    }

    /// What the channels' patterns are matched against, if the event is posted by itself.
    pub(super) fn routes(&self) -> Vec<EventRoute> {
        let route = self.observed().map(|(notice, decision, is_brought_back)| {
            let now = UnixTime::default();
            let observation = Observation::new(0, notice, decision, is_brought_back, now);
            EventRoute::of_event(notice, decision, &kinds_heard(&observation))
        });
        route.into_iter().collect()
    }

    pub(super) fn evaluated_mut(&mut self) -> Option<&mut (Notice, Decision)> {
        self.result.as_mut().ok()
    }

    /// Takes away why the account may not be asked, because it was told today.
    pub(super) fn forget_lookup_problem(&mut self) {
        if let Ok((notice, _)) = &mut self.result {
            notice.origin.lookup_problem = None;
        }
    }

    /// Whether a channel shows it.
    pub(super) fn is_shown(&self) -> bool {
        self.deliveries.iter().any(|it| it.status.is_shown())
    }

    /// `None` if the event is dropped or could not be read.
    pub(super) fn kept(&self) -> Option<(&Notice, Priority)> {
        match &self.result {
            Ok((notice, Decision::Keep(priority))) => Some((notice, *priority)),
            Ok((_, Decision::Drop(_))) | Err(_) => None,
        }
    }

    /// How often a queue has delivered the event's record.
    pub(super) fn receives(&self) -> Option<u32> {
        let message = self.receipt.as_ref()?.message.as_ref()?;
        Some(message.receives())
    }

    /// The transition of the event, which is posted once. If nothing in the event identifies it, the id of the SQS
    /// message does.
    pub(super) fn transition(&self) -> Option<Transition> {
        let (notice, _) = self.result.as_ref().ok()?;
        Transition::of(notice).or_else(|| {
            let receipt = self.receipt.as_ref().filter(|it| it.message.is_some())?;
            Some(Transition::of_message(&receipt.id, receipt.number))
        })
    }

    /// The keys under which a channel may have the event already: its own key, and that of a later state.
    fn keys(&self, channel: &str) -> Vec<DedupKey> {
        let Some(transition) = self.kept().and_then(|_| self.transition()) else {
            return Vec::new();
        };
        let others = transition.followed_by().into_iter();
        let others = others.chain(transition.nearby());
        let key = |it: &Transition| DedupKey::new(channel, it);
        std::iter::once(key(&transition))
            .chain(others.map(|it| key(&it)))
            .collect()
    }

    /// Notes which channels have the event already. If all channels whose minimum it reaches have it, the event is
    /// dropped, so that AWS is not asked about it. Their patterns do not count here: a fact that AWS adds may match.
    pub(super) fn note_duplicates(
        &mut self,
        channels: &[ConfiguredChannel],
        dedup: &DedupStore,
        posted: &HashSet<DedupKey>,
    ) {
        let version = self.kept().and_then(|(notice, _)| Version::of(notice));
        let has_it = |channel: &&ConfiguredChannel| {
            let name = channel.name.as_str();
            let is_old = version.as_ref().is_some_and(|it| dedup.is_old(name, it));
            is_old || self.keys(name).iter().any(|key| posted.contains(key))
        };
        let names = channels.iter().filter(has_it).map(|it| it.name.clone());
        self.posted_to = names.collect();
        let Some((_, priority)) = self.kept() else {
            return;
        };
        let mut accepting = channels.iter().filter(|it| it.accepts(priority)).peekable();
        if accepting.peek().is_some() && accepting.all(|it| self.was_posted_to(&it.name)) {
            self.drop_as_duplicate();
        }
    }

    pub(super) fn was_posted_to(&self, channel: &str) -> bool {
        self.posted_to.contains(channel)
    }

    pub(super) fn drop_as_duplicate(&mut self) {
        if let Ok((_, decision)) = &mut self.result {
            *decision = Decision::Drop(DropReason::Duplicate);
        }
    }

    /// What the metric `Events` counts. A thread knows whether the event is new. Any other event is new when a channel has
    /// it for the first time, or when no channel takes it.
    fn count(&self) -> Option<EventCount> {
        let (notice, priority) = self.kept()?;
        let is_known = |it: &Delivery| match it.status {
            DeliveryStatus::Duplicate | DeliveryStatus::InFlight => true,
            DeliveryStatus::Filtered
            | DeliveryStatus::Counted
            | DeliveryStatus::Tried(_)
            | DeliveryStatus::Unanswered { .. }
            | DeliveryStatus::GivenUp { .. } => false,
        };
        let is_filtered = |it: &Delivery| it.status == DeliveryStatus::Filtered;
        let mut deliveries = self.deliveries.iter();
        let is_new = !self.is_repeated && !deliveries.clone().any(is_known);
        let is_settled = self.is_in_thread || self.is_shown() || deliveries.all(is_filtered);
        let count = || EventCount::new(notice, priority, self.transition());
        (is_new && is_settled).then(count)
    }

    pub(super) fn into_entry(mut self) -> ReportEntry {
        let has = |status: &DeliveryStatus| self.deliveries.iter().any(|it| it.status == *status);
        let is_duplicate = has(&DeliveryStatus::Duplicate);
        let is_done = self.deliveries.iter().all(|it| {
            matches!(
                it.status,
                DeliveryStatus::Duplicate | DeliveryStatus::Filtered
            )
        });
        if is_done && is_duplicate {
            self.drop_as_duplicate();
        }
        let count = self.count();
        let deliveries = self.deliveries;
        let result = self.result.map(|(notice, decision)| EventReport {
            event_id: notice.origin.event_id,
            kind: notice.kind,
            decision,
            deliveries,
            count,
            unsent: (!self.unsent.is_empty()).then(|| self.unsent.join("; ")),
        });
        ReportEntry {
            receipt: self.receipt,
            result,
        }
    }
}
