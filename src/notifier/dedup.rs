//! Remembers what was told to whom, so that one transition is told once.
//!
//! EventBridge, Lambda and SQS deliver at least once; a task's end may come as ECS's own event and as an agent's
//! report; a deployment comes under two event types. A claim keeps two functions from posting the same thing at
//! the same time, and ends with its invocation: what is claimed and never told is told by the next.
//!
//! Memory serves a process. With a table, processes share what they know; while it is out of reach a message may
//! come twice, but none is lost to it.

mod memory;
mod table;
mod transition;

use std::collections::{BTreeSet, HashSet};
use std::time::SystemTime;

use memory::Memory;
use table::Found;

pub use table::Table;
pub use transition::{Transition, Version};

/// A transition, as one channel is told of it.
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

/// Who may tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// We may, and nobody else until then.
    Granted,
    /// Nobody: it was told.
    Duplicate,
    /// Somebody else is about to, and may yet fail.
    InFlight,
}

/// What is known of how often a message was sent without an answer, this time included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    Sent(u32),
    /// Nobody counted before this time. The queue has handed the record out so often, and other processes may have
    /// sent it each time.
    HandedOut(u32),
}

#[derive(Debug, Default)]
pub struct DedupStore {
    memory: Memory,
    table: Option<Table>,
}

impl DedupStore {
    pub fn new(table: Option<Table>) -> Self {
        Self {
            memory: Memory::default(),
            table,
        }
    }

    /// A new invocation.
    pub fn begin(&self) {
        self.memory.begin();
        if let Some(table) = &self.table {
            table.begin();
        }
    }

    /// Which of these were told already: read in a batch, before anything else is asked about them.
    pub async fn posted(&self, keys: impl IntoIterator<Item = DedupKey>) -> HashSet<DedupKey> {
        // Duplicates in a batch ask for the same; DynamoDB refuses a question that holds another twice.
        let keys: BTreeSet<_> = keys.into_iter().collect();
        let (told, unknown): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|key| self.memory.is_posted(key));
        let mut told: HashSet<_> = told.into_iter().collect();
        if let Some(table) = &self.table {
            let Found {
                told: found,
                unanswered,
            } = table.find(unknown).await;
            found.iter().for_each(|key| self.memory.keep(key.clone()));
            for (key, times) in unanswered {
                self.memory.keep_unanswered(&key, times);
            }
            told.extend(found);
        }
        told
    }

    /// Whether something older of the same subject was told to the channel: then this is old news.
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
            Claim::Duplicate => self.memory.keep(key.clone()),
            Claim::InFlight => self.memory.release(key),
        }
        claim
    }

    /// It was told.
    pub async fn commit(&self, channel: &str, key: &DedupKey, version: Option<&Version>) {
        self.memory.keep(key.clone());
        if let Some(version) = version {
            self.memory.keep_version(channel, version);
        }
        if let Some(table) = &self.table {
            table.commit(key).await;
        }
    }

    /// The end of an invocation.
    pub async fn finish(&self) {
        if let Some(table) = &self.table {
            table.finish().await;
        }
    }

    /// How often it was sent without an answer, as far as is known since this was read.
    pub fn unanswered(&self, key: &DedupKey) -> u32 {
        self.memory.unanswered(key)
    }

    /// It was sent without an answer: how often by now. Anybody may try again.
    pub async fn note_unanswered(&self, key: &DedupKey, receives: u32) -> Unanswered {
        self.memory.release(key);
        let known = self.memory.unanswered(key) + 1;
        let noted = match &self.table {
            Some(table) => table.note_unanswered(key).await,
            None => None,
        };
        let times = noted.unwrap_or(known).max(known);
        self.memory.keep_unanswered(key, times);
        match noted {
            None if times == 1 && receives > 1 => Unanswered::HandedOut(receives),
            None | Some(_) => Unanswered::Sent(times),
        }
    }

    /// This process does not send it again: it counts as sent so often.
    pub fn give_up(&self, key: &DedupKey, times: u32) {
        self.memory.keep_unanswered(key, times);
    }

    /// It was not told, and anybody may try.
    pub async fn release(&self, key: &DedupKey) {
        self.memory.release(key);
        if let Some(table) = &self.table {
            table.release(key, self.memory.unanswered(key)).await;
        }
    }
}
