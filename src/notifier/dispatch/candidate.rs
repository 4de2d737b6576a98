//! Which events of a batch stand for themselves in a channel, and which are duplicates of another of the same batch.

use std::collections::HashMap;

use super::event::BatchEvent;
use crate::notifier::dedup::{DedupKey, Transition, Version};

/// An event of the batch that the channel gets, unless it has it already.
pub(super) struct Candidate {
    pub(super) index: usize,
    pub(super) key: Option<DedupKey>,
    /// What makes it old news.
    ended_by: Option<DedupKey>,
    /// What else it may be called by another event of the same.
    nearby: Vec<DedupKey>,
    pub(super) version: Option<Version>,
    /// How often a queue has handed out its record, this time included; none for what comes from elsewhere: Lambda
    /// itself tries twice again, and what a person sends is sent.
    pub(super) receives: Option<u32>,
}

impl Candidate {
    pub(super) fn of(channel: &str, index: usize, event: &BatchEvent) -> Self {
        let notice = event.kept().map(|(notice, _)| notice);
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

/// Those that stand for themselves, and the duplicates, each with the index of the event that says the same or more:
/// the same change, the end of what begins here, or a later version that came before.
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
        // The earlier one is posted: two that are near each other must not both wait for the other.
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
