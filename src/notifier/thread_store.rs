//! Remembers the threads: in the state table, which all functions share, and in memory.
//!
//! A record is written on condition of its version, before anything of it is sent. If another function was faster, the
//! caller reads the record and advances it again. While the table does not answer, the threads are in memory only.

mod item;
mod open_threads;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use serde::{Deserialize, Serialize};

use crate::aws::CallError;
use crate::notifier::state_table::StateTable;
use crate::notifier::thread::{Outbox, SubjectKey, SubjectState, Thread, ThreadId, UnixTime};
use item::{ReadItem, read_item};

pub use open_threads::{
    ClosedThread, OpenThread, OpenThreads, ResolveError, ThreadTable, UnreadableThreads,
};

/// The most records in memory. Those that changed first are forgotten first, but those that the table does not have
/// because it did not answer are forgotten last.
const MOST: usize = 10_000;

/// The most threads of a record that wait only for their messages to be sent.
const MOST_UNSENT: usize = 4;

/// A subject's state, what is due of it, and the timers on their way.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ThreadRecord {
    /// The version in the table. Zero if the table has no such item.
    #[serde(skip)]
    version: u64,
    /// The item cannot be read, and this record replaces it.
    #[serde(skip)]
    replaces: bool,
    /// The table did not answer when this record was read, so that its version may be wrong.
    #[serde(skip)]
    is_unread: bool,
    pub state: SubjectState,
    pub outbox: Outbox,
    /// Threads that newer ones replaced in the state before all their messages were sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unsent: Vec<Thread>,
    /// When the timers fire that are on their way.
    pub timers: Vec<UnixTime>,
}

/// The answer to a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    Yes,
    /// Another function has changed the record since it was read.
    Conflict,
}

#[derive(Debug, Default)]
pub struct ThreadStore {
    memory: Mutex<HashMap<SubjectKey, Remembered>>,
    table: Option<Arc<StateTable>>,
}

#[derive(Debug, Clone)]
struct Remembered {
    record: ThreadRecord,
    /// Whether the table does not have it, because it did not answer.
    is_only_here: bool,
}

impl ThreadRecord {
    /// The same record with another state.
    #[must_use]
    pub fn with_state(&self, state: SubjectState) -> Self {
        Self {
            state,
            ..self.clone()
        }
    }

    /// The threads of the subject, and those before them whose messages are still to be sent.
    pub fn threads(&self) -> impl Iterator<Item = Thread> {
        self.state.threads().chain(self.unsent.iter().cloned())
    }

    pub fn thread_ids(&self) -> impl Iterator<Item = &ThreadId> {
        self.state
            .thread_ids()
            .chain(self.unsent.iter().map(Thread::id))
    }

    /// Keeps the threads that the state does not have any more, and whose messages are still to be sent. `before` are
    /// the threads of the record before, with those that opened since.
    pub fn keep_unsent(&mut self, before: impl Iterator<Item = Thread>) {
        let current: BTreeSet<ThreadId> = self.state.thread_ids().cloned().collect();
        let mut unsent: Vec<Thread> = Vec::new();
        for thread in before.filter(|it| !current.contains(it.id())) {
            let id = thread.id();
            let known = unsent.iter_mut().find(|it| it.id() == id);
            match known {
                Some(known) => *known = thread,
                None if self.outbox.has_message_due(id) => unsent.push(thread),
                None => (),
            }
        }
        let too_many = unsent.len().saturating_sub(MOST_UNSENT);
        for lost in unsent.drain(..too_many) {
            let thread = lost.id().as_str();
            tracing::error!(
                thread,
                "the chat was away for too long, so a message of this thread is not sent"
            );
        }
        self.unsent = unsent;
    }

    /// Whether the content is the same, apart from the time of the last change.
    pub fn is_same(&self, other: &Self) -> bool {
        let content = |record: &Self| {
            let mut record = record.clone();
            record.state.changed_at = UnixTime::default();
            serde_json::to_string(&record).ok()
        };
        content(self) == content(other)
    }
}

impl ThreadStore {
    pub fn new(table: Option<Arc<StateTable>>) -> Self {
        Self {
            memory: Mutex::default(),
            table,
        }
    }

    /// Forgets everything in memory.
    pub(in crate::notifier) fn forget(&self) {
        self.memory().clear();
    }

    /// Reads the records of these subjects. A subject without a record gets an empty one.
    pub async fn load(
        &self,
        keys: BTreeSet<SubjectKey>,
        now: UnixTime,
    ) -> HashMap<SubjectKey, ThreadRecord> {
        let mut records: HashMap<_, _> = keys
            .iter()
            .map(|key| (key.clone(), self.remembered(key)))
            .collect();
        let Some(table) = &self.table else {
            return records
                .into_iter()
                .map(|(key, it)| (key, it.record))
                .collect();
        };
        let ids: HashMap<_, _> = keys.into_iter().map(|key| (item::id(&key), key)).collect();
        let found = table.get(ids.keys().cloned().collect()).await;
        let mut read: HashMap<&SubjectKey, ReadItem> = HashMap::new();
        for item in &found.items {
            let Some((id, item)) = read_item(item, now) else {
                continue;
            };
            if let Some(key) = ids.get(&id) {
                read.insert(key, item);
            }
        }
        for key in ids.values() {
            let found_item = read.remove(key);
            if found_item.is_none() && !found.is_complete {
                if let Some(known) = records.get_mut(key) {
                    known.record.is_unread = true;
                }
                continue;
            }
            let record = match found_item {
                Some(ReadItem::Record(record)) => *record,
                Some(ReadItem::Unreadable { version, why }) => {
                    self.set_aside(key, &why).await;
                    ThreadRecord {
                        version,
                        replaces: true,
                        ..ThreadRecord::default()
                    }
                }
                None => ThreadRecord::default(),
            };
            match records.get_mut(key) {
                // What was decided while the table did not answer is not in it yet.
                Some(known) if known.is_only_here && known.record.version == record.version => {
                    known.record.is_unread = false;
                    known.record.replaces = record.replaces;
                }
                _ => {
                    records.insert(key.clone(), Remembered::of_table(record));
                }
            }
        }
        records
            .into_iter()
            .map(|(key, it)| (key, it.record))
            .collect()
    }

    /// Writes a record, if nobody has changed it since it was read. The record gets its new version.
    pub async fn save(&self, key: &SubjectKey, record: &mut ThreadRecord, now: UnixTime) -> Saved {
        let Some(table) = &self.table else {
            self.remember(key, record, false);
            return Saved::Yes;
        };
        match self.put(table, key, record, now).await {
            Some(Saved::Conflict) if !record.is_unread => Saved::Conflict,
            Some(Saved::Yes) => {
                record.version += 1;
                record.replaces = false;
                record.is_unread = false;
                self.remember(key, record, false);
                Saved::Yes
            }
            // The table does not answer, or only to writes. A message that comes twice is better than a lost one.
            None | Some(Saved::Conflict) => {
                self.remember(key, record, true);
                Saved::Yes
            }
        }
    }

    /// Remembers a record whose stored part has not changed.
    pub(in crate::notifier) fn keep(&self, key: &SubjectKey, record: &ThreadRecord) {
        if let Some(known) = self.memory().get_mut(key) {
            known.record = record.clone();
        }
    }

    /// Notes that no timer of the subject is on its way.
    pub async fn forget_timers(&self, key: &SubjectKey, now: UnixTime) {
        let mut loaded = self.load(BTreeSet::from([key.clone()]), now).await;
        if let Some(mut record) = loaded.remove(key).filter(|it| !it.timers.is_empty()) {
            record.timers.clear();
            self.save(key, &mut record, now).await;
        }
    }

    async fn put(
        &self,
        table: &StateTable,
        key: &SubjectKey,
        record: &ThreadRecord,
        now: UnixTime,
    ) -> Option<Saved> {
        const CALL: &str = "PutItem";
        let stored = ThreadRecord {
            outbox: record.outbox.without_counts(),
            ..record.clone()
        };
        let item = item::item(key, &stored, record.version + 1, now);
        table
            .call(CALL, |dynamo| async move {
                let put = dynamo
                    .put_item()
                    .table_name(table.name())
                    .set_item(Some(item));
                let put = match (record.version, record.replaces) {
                    (0, true) => put,
                    (0, false) => put.condition_expression("attribute_not_exists(id)"),
                    (version, _) => put
                        .condition_expression("version = :version")
                        .expression_attribute_values(":version", item::number(version)),
                };
                match put.send().await {
                    Ok(_) => Ok(Saved::Yes),
                    Err(error) => match error.as_service_error() {
                        Some(PutItemError::ConditionalCheckFailedException(_)) => {
                            Ok(Saved::Conflict)
                        }
                        _ => Err(CallError::of(CALL, error)),
                    },
                }
            })
            .await
    }

    /// Keeps an item that cannot be read under another id, so that somebody can look at it.
    async fn set_aside(&self, key: &SubjectKey, why: &str) {
        const CALL: &str = "PutItem";
        let id = item::id(key);
        let why = why.escape_debug();
        tracing::error!(subject = %id, %why, "the state of this subject cannot be read, so it begins anew");
        let Some(table) = &self.table else {
            return;
        };
        let Some(mut item) = table.get(vec![id]).await.items.pop() else {
            return;
        };
        item::mark_unreadable(&mut item, key);
        let _ = table
            .call(CALL, |dynamo| async move {
                let put = dynamo.put_item().table_name(table.name());
                let put = put.set_item(Some(item)).send().await;
                put.map_err(|error| CallError::of(CALL, error))
            })
            .await;
    }

    fn remembered(&self, key: &SubjectKey) -> Remembered {
        let memory = self.memory();
        memory.get(key).cloned().unwrap_or_else(|| Remembered {
            record: ThreadRecord::default(),
            is_only_here: false,
        })
    }

    fn remember(&self, key: &SubjectKey, record: &ThreadRecord, is_only_here: bool) {
        let mut memory = self.memory();
        if memory.len() >= MOST && !memory.contains_key(key) {
            let mut oldest: Vec<_> = memory
                .iter()
                .map(|(key, it)| (it.is_only_here, it.record.state.changed_at, key.clone()))
                .collect();
            oldest.sort_unstable();
            for (_, _, key) in oldest.into_iter().take(MOST / 10) {
                memory.remove(&key);
            }
        }
        let record = record.clone();
        memory.insert(
            key.clone(),
            Remembered {
                record,
                is_only_here,
            },
        );
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<SubjectKey, Remembered>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn of_table(record: ThreadRecord) -> Self {
        Self {
            record,
            is_only_here: false,
        }
    }
}
