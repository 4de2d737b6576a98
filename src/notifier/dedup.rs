//! Remembers what was posted to each channel, so that each transition is posted once.
//!
//! EventBridge, Lambda and SQS deliver at least once. The end of a task may come as ECS's own event and as an agent's
//! report. A deployment comes under two event types. A claim prevents two functions from posting the same transition at
//! the same time. It ends with its invocation: if a claimed transition was not posted, the next invocation posts it.
//!
//! Without a table, only the process remembers. With a table, all processes share what was posted. While the table does
//! not answer, a message may come twice, but none is lost.

mod memory;
mod posted_memory;
mod table;
mod transition;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use crate::notifier::state_table::StateTable;
use memory::Memory;
use table::{DedupTable, FoundKeys};

pub use posted_memory::PostedMemory;
pub use transition::{Transition, Version};

/// A transition in one channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DedupKey(String);

impl DedupKey {
    pub fn new(channel: &str, transition: &Transition) -> Self {
        Self(format!("{channel} {transition}"))
    }

    fn as_str(&self) -> &str {
        &self.0
    }
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// This invocation may post the transition. Until the claim ends, no other one may.
    Granted,
    /// The transition was posted already.
    Duplicate,
    /// Another invocation is posting it now, and may still fail.
    InFlight,
}

/// How often a message was sent without an answer, this time included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    Sent(u32),
    /// No earlier count is known. The queue has delivered the record so often, and other processes may have sent the
    /// message each time.
    Received(u32),
}

#[derive(Debug, Default)]
pub struct DedupStore {
    memory: Memory,
    table: Option<DedupTable>,
}

impl DedupStore {
    pub fn new(table: Option<Arc<StateTable>>) -> Self {
        Self {
            memory: Memory::default(),
            table: table.map(DedupTable::new),
        }
    }

    /// Forgets everything in memory.
    pub(in crate::notifier) fn forget(&self) {
        self.memory.forget();
    }

    /// Call this at the start of an invocation.
    pub fn begin(&self) {
        self.memory.begin();
    }

    /// Returns the keys that were posted already. They are read in one batch, before AWS is asked about the events.
    pub async fn posted(&self, keys: impl IntoIterator<Item = DedupKey>) -> HashSet<DedupKey> {
        // A batch may contain duplicates, and DynamoDB refuses a request with the same key twice.
        let keys: BTreeSet<_> = keys.into_iter().collect();
        let (posted, unknown): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|key| self.memory.is_posted(key));
        let mut posted: HashSet<_> = posted.into_iter().collect();
        if let Some(table) = &self.table {
            let FoundKeys {
                posted: found,
                unanswered,
            } = table.find(&unknown).await;
            found.iter().for_each(|key| self.memory.commit(key.clone()));
            for (key, times) in unanswered {
                self.memory.note_unanswered(&key, times);
            }
            posted.extend(found);
        }
        posted
    }

    /// Whether a later version of the same subject was posted to the channel. Then this version is outdated.
    pub fn is_old(&self, channel: &str, version: &Version) -> bool {
        self.memory.is_old(channel, version)
    }

    pub async fn claim(&self, key: &DedupKey, until: SystemTime) -> Claim {
        if self.memory.is_posted(key) {
            return Claim::Duplicate;
        }
        if !self.memory.claim(key, until) {
            return Claim::InFlight;
        }
        let Some(table) = &self.table else {
            return Claim::Granted;
        };
        let claim = table.claim(key, until, self.memory.unanswered(key)).await;
        match claim {
            Claim::Granted => {}
            Claim::Duplicate => self.memory.commit(key.clone()),
            Claim::InFlight => self.memory.release(key),
        }
        claim
    }

    /// Records that the transition was posted.
    pub async fn commit(&self, channel: &str, key: &DedupKey, version: Option<&Version>) {
        self.memory.commit(key.clone());
        if let Some(version) = version {
            self.memory.note_version(channel, version);
        }
        if let Some(table) = &self.table {
            table.commit(key).await;
        }
    }

    /// Notes in memory that a thread shows the transition. An agent's report of the same may follow, which names no
    /// service, so that no thread takes it. The table is not worth a write for that.
    pub fn note_shown(&self, key: DedupKey) {
        self.memory.commit(key);
    }

    /// Call this at the end of an invocation.
    pub async fn finish(&self) {
        if let Some(table) = &self.table {
            table.finish().await;
        }
    }

    /// How often the message was sent without an answer, as far as this process knows.
    pub fn unanswered(&self, key: &DedupKey) -> u32 {
        self.memory.unanswered(key)
    }

    /// Records that the message was sent without an answer, and returns how often by now. Ends the claim, so that every
    /// process may try again.
    pub async fn note_unanswered(&self, key: &DedupKey, receives: u32) -> Unanswered {
        self.memory.release(key);
        let known = self.memory.unanswered(key) + 1;
        let noted = match &self.table {
            Some(table) => table.note_unanswered(key).await,
            None => None,
        };
        let times = noted.unwrap_or(known).max(known);
        self.memory.note_unanswered(key, times);
        match noted {
            None if times == 1 && receives > 1 => Unanswered::Received(receives),
            None | Some(_) => Unanswered::Sent(times),
        }
    }

    /// Counts the message as sent so often without an answer. So this process does not send it again.
    pub fn give_up(&self, key: &DedupKey, times: u32) {
        self.memory.note_unanswered(key, times);
    }

    /// Ends the claim of a transition that was not posted, so that every process may try again.
    pub async fn release(&self, key: &DedupKey) {
        self.memory.release(key);
        if let Some(table) = &self.table {
            table.release(key, self.memory.unanswered(key)).await;
        }
    }
}
