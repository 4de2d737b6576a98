//! Notes what came of each step of a thread, as soon as it is known.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::notifier::report::{DeliveryStatus, SENT_BEFORE};
use crate::notifier::thread::{ClaimedDue, DueResult, SubjectKey, ThreadId, UnixTime};
use crate::notifier::thread_store::{Saved, ThreadRecord, ThreadStore};

/// How often a record is read again because another function changed it.
const MOST_ATTEMPTS: u32 = 8;

/// The wait before the second attempt. The next waits are longer.
const PAUSE: Duration = Duration::from_millis(25);

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
        for attempt in 0..MOST_ATTEMPTS {
            sleep(PAUSE * attempt).await;
            let before = record.outbox.without_counts();
            for (due, result) in results {
                record.outbox.note(due, result, self.now);
            }
            let is_stored = before == record.outbox.without_counts();
            if is_stored {
                return self.store.keep(subject, &record);
            }
            if self.store.save(subject, &mut record, self.now).await == Saved::Yes {
                return;
            }
            let keys = BTreeSet::from([subject.clone()]);
            let loaded = self.store.load(keys, self.now).await.remove(subject);
            *record = loaded.unwrap_or_default();
        }
        let subject = subject.to_string();
        let subject = subject.escape_debug();
        tracing::error!(%subject, "other functions change this thread, so what was sent is not recorded and may be sent again");
    }

    /// The status of an event that the subjects have had before, and for which nothing was sent now.
    pub(super) async fn status_in(
        &self,
        subjects: &BTreeSet<SubjectKey>,
        channel: &str,
    ) -> DeliveryStatus {
        let mut status = DeliveryStatus::Duplicate;
        for record in subjects.iter().filter_map(|it| self.records.get(it)) {
            let outbox = &record.lock().await.outbox;
            if outbox.is_due_in(channel) {
                return DeliveryStatus::InFlight;
            }
            if outbox.has_given_up_in(channel) {
                status = DeliveryStatus::GivenUp {
                    why: SENT_BEFORE.to_owned(),
                };
            }
        }
        status
    }

    /// Whether the channel has one of the threads.
    pub(super) async fn has_begun(&self, threads: &[&ThreadId], channel: &str) -> bool {
        for record in self.records.values() {
            let outbox = &record.lock().await.outbox;
            if threads.iter().any(|it| outbox.has_begun(channel, it)) {
                return true;
            }
        }
        false
    }
}
