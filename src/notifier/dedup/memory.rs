//! The dedup store of one process. It remembers the latest entries.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::{DedupKey, Version};

/// The most entries. It is enough for the largest batch in two channels, and needs a few megabytes.
const MOST: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<MemoryState>);

#[derive(Debug, Default)]
struct MemoryState {
    posted: Latest<DedupKey, ()>,
    /// How often each message was sent without an answer.
    unanswered: Latest<DedupKey, u32>,
    versions: Latest<(String, String), i64>,
    claims: HashMap<DedupKey, SystemTime>,
}

/// A map that removes its oldest entries when it has more than [`MOST`].
#[derive(Debug)]
struct Latest<K, V> {
    values: HashMap<K, V>,
    order: VecDeque<K>,
}

impl Memory {
    pub(super) fn forget(&self) {
        *self.state() = MemoryState::default();
    }

    pub(super) fn is_posted(&self, key: &DedupKey) -> bool {
        self.state().posted.values.contains_key(key)
    }

    pub(super) fn commit(&self, key: DedupKey) {
        let mut state = self.state();
        state.claims.remove(&key);
        state.posted.insert(key, ());
    }

    /// Returns false while another claim lasts.
    pub(super) fn claim(&self, key: &DedupKey, until: SystemTime) -> bool {
        let mut state = self.state();
        let now = SystemTime::now();
        if state.claims.get(key).is_some_and(|until| *until > now) {
            return false;
        }
        state.claims.insert(key.clone(), until);
        true
    }

    /// Removes the claims that were not released and whose time is over.
    pub(super) fn begin(&self) {
        let now = SystemTime::now();
        self.state().claims.retain(|_, until| *until > now);
    }

    pub(super) fn release(&self, key: &DedupKey) {
        self.state().claims.remove(key);
    }

    pub(super) fn unanswered(&self, key: &DedupKey) -> u32 {
        let state = self.state();
        state
            .unanswered
            .values
            .get(key)
            .copied()
            .unwrap_or_default()
    }

    /// Sets the count. A lower count than the known one is ignored.
    pub(super) fn note_unanswered(&self, key: &DedupKey, times: u32) {
        let mut state = self.state();
        let known = state.unanswered.values.get(key).copied();
        if known.unwrap_or_default() < times {
            state.unanswered.insert(key.clone(), times);
        }
    }

    pub(super) fn is_old(&self, channel: &str, version: &Version) -> bool {
        let subject = (channel.to_owned(), version.subject.clone());
        let latest = self.state().versions.values.get(&subject).copied();
        latest.is_some_and(|latest| version.number < latest)
    }

    pub(super) fn note_version(&self, channel: &str, version: &Version) {
        let subject = (channel.to_owned(), version.subject.clone());
        let mut state = self.state();
        let latest = state.versions.values.get(&subject).copied();
        if latest.is_none_or(|latest| version.number > latest) {
            state.versions.insert(subject, version.number);
        }
    }

    fn state(&self) -> MutexGuard<'_, MemoryState> {
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
    fn the_oldest_entries_are_removed() {
        let memory = Memory::default();
        for number in 0..=MOST {
            memory.commit(key(&number.to_string()));
        }
        assert!(!memory.is_posted(&key("0")));
        assert!(memory.is_posted(&key("1")) && memory.is_posted(&key(&MOST.to_string())));
        assert_eq!(memory.state().posted.values.len(), MOST);
    }

    #[test]
    fn a_claim_ends_with_its_time_or_when_it_is_released() {
        let memory = Memory::default();
        let (past, later) = (
            SystemTime::now() - Duration::from_secs(1),
            SystemTime::now() + Duration::from_secs(60),
        );
        assert!(memory.claim(&key("a"), past));
        assert!(memory.claim(&key("a"), later), "the first claim is over");
        assert!(!memory.claim(&key("a"), later));
        memory.release(&key("a"));
        assert!(memory.claim(&key("a"), later));
        memory.commit(key("a"));
        assert!(memory.is_posted(&key("a")));
    }

    #[test]
    fn a_lower_version_is_old() {
        let memory = Memory::default();
        let version = |number| Version {
            subject: "task 1".to_owned(),
            number,
        };
        assert!(!memory.is_old("slack", &version(3)));
        memory.note_version("slack", &version(7));
        memory.note_version("slack", &version(5));
        assert!(memory.is_old("slack", &version(6)));
        assert!(!memory.is_old("slack", &version(7)) && !memory.is_old("flowdock", &version(6)));
    }
}
