//! Notes what came of each step of a thread, as soon as it is known.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::notifier::thread::{ClaimedDue, DueResult, SubjectKey, UnixTime};
use crate::notifier::thread_store::{Saved, ThreadRecord, ThreadStore};

/// How often a record is read again because another function changed it.
const MOST_ATTEMPTS: usize = 6;

/// The records of a batch. Channels note their results at the same time, so each record has a lock.
pub(super) struct ThreadRecorder<'a> {
    store: &'a ThreadStore,
    records: HashMap<SubjectKey, Arc<Mutex<ThreadRecord>>>,
    now: UnixTime,
}

impl<'a> ThreadRecorder<'a> {
    pub(super) fn new(
        store: &'a ThreadStore,
        records: HashMap<SubjectKey, ThreadRecord>,
        now: UnixTime,
    ) -> Self {
        let records = records.into_iter();
        let records = records.map(|(key, record)| (key, Arc::new(Mutex::new(record))));
        Self {
            store,
            records: records.collect(),
            now,
        }
    }

    /// Notes the results, and writes the record. If another function has changed it, it is read again.
    pub(super) async fn record(&self, subject: &SubjectKey, results: &[(ClaimedDue, DueResult)]) {
        let Some(record) = self.records.get(subject).filter(|_| !results.is_empty()) else {
            return;
        };
        let mut record = record.lock().await;
        for _ in 0..MOST_ATTEMPTS {
            let before = record.outbox.without_counts();
            for (due, result) in results {
                record.outbox.note(due, result, self.now);
            }
            let is_stored = before == record.outbox.without_counts();
            if is_stored || self.store.save(subject, &mut record).await == Saved::Yes {
                return;
            }
            let keys = BTreeSet::from([subject.clone()]);
            let loaded = self.store.load(keys).await.remove(subject);
            *record = loaded.unwrap_or_default();
        }
    }

    /// Whether something of the subject is still due in the channel.
    pub(super) async fn is_due_in(&self, subject: &SubjectKey, channel: &str) -> bool {
        match self.records.get(subject) {
            Some(record) => record.lock().await.outbox.is_due_in(channel),
            None => false,
        }
    }
}
