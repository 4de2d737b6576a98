//! Finds the events of a batch that are duplicates of another event in the same batch.

use std::collections::HashMap;

use super::event::BatchEvent;
use crate::notifier::dedup::{DedupKey, Transition, Version};

/// An event of the batch that is sent to the channel, unless it is a duplicate.
pub(super) struct Candidate {
    pub(super) index: usize,
    pub(super) key: Option<DedupKey>,
    /// The key of a later state. If the channel has that one, this event is outdated.
    ended_by: Option<DedupKey>,
    /// Other keys that another event of the same transition may have.
    nearby: Vec<DedupKey>,
    pub(super) version: Option<Version>,
    /// How often the queue has delivered the record, this time included. `None` without a queue: Lambda itself tries
    /// only twice more, and an event that a person sends is always sent.
    pub(super) receives: Option<u32>,
}

impl Candidate {
    pub(super) fn of(channel: &str, index: usize, event: &BatchEvent) -> Self {
        let notice = event.single().map(|(notice, _)| notice);
        let transition = event.transition();
        let key = |transition: &Transition| DedupKey::new(channel, transition);
        Self {
            index,
            key: transition.as_ref().map(key),
            nearby: transition
                .iter()
                .flat_map(Transition::nearby)
                .map(|it| key(&it))
                .collect(),
            ended_by: transition.and_then(|it| it.followed_by()).as_ref().map(key),
            version: notice.and_then(Version::of),
            receives: event.receives(),
        }
    }
}

/// Separates the candidates from the duplicates. Each duplicate has the index of the event that replaces it: an event of
/// the same transition, a stop that follows this start, or a later version that came earlier.
pub(super) fn separate(candidates: Vec<Candidate>) -> (Vec<Candidate>, HashMap<usize, usize>) {
    let mut firsts: HashMap<DedupKey, usize> = HashMap::new();
    for candidate in &candidates {
        if let Some(key) = &candidate.key {
            firsts.entry(key.clone()).or_insert(candidate.index);
        }
    }
    let mut latest: HashMap<String, (i64, usize)> = HashMap::new();
    let (mut separate, mut duplicates) = (Vec::new(), HashMap::new());
    for candidate in candidates {
        let index = candidate.index;
        let first = candidate
            .key
            .as_ref()
            .and_then(|key| firsts.get(key).copied());
        // Only the earlier one is posted. Two events with nearby keys must not replace each other.
        let mut near = candidate
            .nearby
            .iter()
            .filter_map(|key| firsts.get(key).copied());
        let near = near.find(|first| *first < index);
        let end = candidate
            .ended_by
            .as_ref()
            .and_then(|key| firsts.get(key).copied());
        let newer = candidate.version.as_ref().and_then(|version| {
            let (number, newer) = latest.get(&version.subject)?;
            (version.number < *number).then_some(*newer)
        });
        match first
            .filter(|first| *first != index)
            .or(near)
            .or(end)
            .or(newer)
        {
            Some(other) => {
                duplicates.insert(index, other);
            }
            None => {
                if let Some(version) = &candidate.version {
                    latest.insert(version.subject.clone(), (version.number, index));
                }
                separate.push(candidate);
            }
        }
    }
    (separate, duplicates)
}
