//! One event of a batch, from its decision to its deliveries.

use std::collections::HashSet;

use super::evaluate;
use crate::ecs::notice::Notice;
use crate::notifier::channel::ConfiguredChannel;
use crate::notifier::dedup::{DedupKey, DedupStore, Transition, Version};
use crate::notifier::ingest::{IngestError, IngestItem, Receipt};
use crate::notifier::policy::{Decision, DropReason, Policy, Priority};
use crate::notifier::report::{Delivery, DeliveryStatus, EventReport, ReportEntry};

pub(super) struct BatchEvent {
    receipt: Option<Receipt>,
    result: Result<(Notice, Decision), IngestError>,
    /// The names of the channels that have the event already.
    posted_to: HashSet<String>,
    pub(super) deliveries: Vec<Delivery>,
}

impl BatchEvent {
    pub(super) fn read(item: IngestItem, policy: &Policy) -> Self {
        Self {
            receipt: item.receipt,
            result: item.event.map(|event| evaluate(&event, policy)),
            posted_to: HashSet::new(),
            deliveries: Vec::new(),
        }
    }

    pub(super) fn evaluated_mut(&mut self) -> Option<&mut (Notice, Decision)> {
        self.result.as_mut().ok()
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
        let (notice, _) = self.kept()?;
        Transition::of(notice).or_else(|| {
            let receipt = self.receipt.as_ref().filter(|it| it.message.is_some())?;
            Some(Transition::of_message(&receipt.id, receipt.number))
        })
    }

    /// The keys under which a channel may have the event already: its own key, and that of a later state.
    pub(super) fn keys(&self, channel: &str) -> Vec<DedupKey> {
        let Some(transition) = self.transition() else {
            return Vec::new();
        };
        let others = transition.followed_by().into_iter();
        let others = others.chain(transition.nearby());
        let key = |it: &Transition| DedupKey::new(channel, it);
        std::iter::once(key(&transition))
            .chain(others.map(|it| key(&it)))
            .collect()
    }

    /// Notes which channels have the event already. If all channels that accept it have it, the event is dropped, so that
    /// AWS is not asked about it.
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

    fn drop_as_duplicate(&mut self) {
        if let Ok((_, decision)) = &mut self.result {
            *decision = Decision::Drop(DropReason::Duplicate);
        }
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
        let deliveries = self.deliveries;
        let result = self.result.map(|(notice, decision)| EventReport {
            event_id: notice.origin.event_id,
            kind: notice.kind,
            decision,
            deliveries,
        });
        ReportEntry {
            receipt: self.receipt,
            result,
        }
    }
}
