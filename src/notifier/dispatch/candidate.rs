//! Which events of a batch a channel is told of by themselves, and which by another of the same batch.

use std::collections::HashMap;

use super::Decided;
use crate::notifier::dedup::{DedupKey, Transition, Version};
use crate::notifier::policy::Priority;

/// An event of the batch that the channel shall be told of, if nobody else tells it.
pub(super) struct Candidate {
    pub(super) place: usize,
    pub(super) priority: Priority,
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
    pub(super) fn of(channel: &str, place: usize, priority: Priority, decided: &Decided) -> Self {
        let notice = decided.notice();
        let transition = decided.transition();
        let key = |transition: &Transition| DedupKey::new(channel, transition);
        Self {
            place,
            priority,
            key: transition.as_ref().map(key),
            nearby: transition
                .iter()
                .flat_map(Transition::nearby)
                .map(|it| key(&it))
                .collect(),
            ended_by: transition.and_then(|it| it.followed_by()).as_ref().map(key),
            version: notice.and_then(Version::of),
            receives: decided.receives(),
        }
    }
}

/// Those that are told, and the others, each with the one of them that says the same or more: a duplicate, the end of
/// what begins here, or a later version that came before.
pub(super) fn apart(candidates: Vec<Candidate>) -> (Vec<Candidate>, HashMap<usize, usize>) {
    let mut firsts: HashMap<DedupKey, usize> = HashMap::new();
    for candidate in &candidates {
        if let Some(key) = &candidate.key {
            firsts.entry(key.clone()).or_insert(candidate.place);
        }
    }
    let mut latest: HashMap<String, (i64, usize)> = HashMap::new();
    let (mut told, mut duplicates) = (Vec::new(), HashMap::new());
    for candidate in candidates {
        let place = candidate.place;
        let first = candidate
            .key
            .as_ref()
            .and_then(|key| firsts.get(key).copied());
        // The earlier one is told: two that are near each other must not both wait for the other.
        let mut near = candidate
            .nearby
            .iter()
            .filter_map(|key| firsts.get(key).copied());
        let near = near.find(|first| *first < place);
        let end = candidate
            .ended_by
            .as_ref()
            .and_then(|key| firsts.get(key).copied());
        let newer = candidate.version.as_ref().and_then(|version| {
            let (number, newer) = latest.get(&version.subject)?;
            (version.number < *number).then_some(*newer)
        });
        match first
            .filter(|first| *first != place)
            .or(near)
            .or(end)
            .or(newer)
        {
            Some(other) => {
                duplicates.insert(place, other);
            }
            None => {
                if let Some(version) = &candidate.version {
                    latest.insert(version.subject.clone(), (version.number, place));
                }
                told.push(candidate);
            }
        }
    }
    (told, duplicates)
}
