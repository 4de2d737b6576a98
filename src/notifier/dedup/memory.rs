//! What this process remembers, the latest of it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::{DedupKey, Version};

/// The largest batch, in two channels; some megabytes, after a flood.
const MOST: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    told: Latest<DedupKey, ()>,
    /// How often each was sent without an answer.
    unanswered: Latest<DedupKey, u32>,
    versions: Latest<(String, String), i64>,
    claims: HashMap<DedupKey, SystemTime>,
}

/// The latest of many, the older ones forgotten.
#[derive(Debug)]
struct Latest<K, V> {
    values: HashMap<K, V>,
    order: VecDeque<K>,
}

impl Memory {
    pub(super) fn is_posted(&self, key: &DedupKey) -> bool {
        self.kept().told.values.contains_key(key)
    }

    pub(super) fn keep(&self, key: DedupKey) {
        let mut kept = self.kept();
        kept.claims.remove(&key);
        kept.told.insert(key, ());
    }

    /// False while another claim lasts.
    pub(super) fn claim(&self, key: &DedupKey, until: SystemTime) -> bool {
        let mut kept = self.kept();
        let now = SystemTime::now();
        if kept.claims.get(key).is_some_and(|until| *until > now) {
            return false;
        }
        kept.claims.insert(key.clone(), until);
        true
    }

    /// Forgets the claims that nobody released and that are over.
    pub(super) fn begin(&self) {
        let now = SystemTime::now();
        self.kept().claims.retain(|_, until| *until > now);
    }

    pub(super) fn release(&self, key: &DedupKey) {
        self.kept().claims.remove(key);
    }

    pub(super) fn unanswered(&self, key: &DedupKey) -> u32 {
        let kept = self.kept();
        kept.unanswered.values.get(key).copied().unwrap_or_default()
    }

    /// Never fewer than were known.
    pub(super) fn keep_unanswered(&self, key: &DedupKey, times: u32) {
        let mut kept = self.kept();
        let known = kept.unanswered.values.get(key).copied();
        if known.unwrap_or_default() < times {
            kept.unanswered.insert(key.clone(), times);
        }
    }

    pub(super) fn is_old(&self, channel: &str, version: &Version) -> bool {
        let subject = (channel.to_owned(), version.subject.clone());
        let latest = self.kept().versions.values.get(&subject).copied();
        latest.is_some_and(|latest| version.number < latest)
    }

    pub(super) fn keep_version(&self, channel: &str, version: &Version) {
        let subject = (channel.to_owned(), version.subject.clone());
        let mut kept = self.kept();
        let latest = kept.versions.values.get(&subject).copied();
        if latest.is_none_or(|latest| version.number > latest) {
            kept.versions.insert(subject, version.number);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Default for Latest<K, V> {
    fn default() -> Self {
        Self {
            values: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<K: Clone + Eq + Hash, V> Latest<K, V> {
    fn insert(&mut self, key: K, value: V) {
        if self.values.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.values.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(text: &str) -> DedupKey {
        DedupKey(text.to_owned())
    }

    #[test]
    fn the_latest_are_kept() {
        let memory = Memory::default();
        for number in 0..=MOST {
            memory.keep(key(&number.to_string()));
        }
        assert!(!memory.is_posted(&key("0")));
        assert!(memory.is_posted(&key("1")) && memory.is_posted(&key(&MOST.to_string())));
        assert_eq!(memory.kept().told.values.len(), MOST);
    }

    #[test]
    fn a_claim_ends_by_its_time_or_before() {
        let memory = Memory::default();
        let (past, later) = (
            SystemTime::now() - Duration::from_secs(1),
            SystemTime::now() + Duration::from_secs(60),
        );
        assert!(memory.claim(&key("a"), past));
        assert!(memory.claim(&key("a"), later), "the first is over");
        assert!(!memory.claim(&key("a"), later));
        memory.release(&key("a"));
        assert!(memory.claim(&key("a"), later));
        memory.keep(key("a"));
        assert!(memory.is_posted(&key("a")));
    }

    #[test]
    fn an_older_version_is_old_news() {
        let memory = Memory::default();
        let version = |number| Version {
            subject: "task 1".to_owned(),
            number,
        };
        assert!(!memory.is_old("slack", &version(3)));
        memory.keep_version("slack", &version(7));
        memory.keep_version("slack", &version(5));
        assert!(memory.is_old("slack", &version(6)));
        assert!(!memory.is_old("slack", &version(7)) && !memory.is_old("flowdock", &version(6)));
    }
}
