//! Advances the threads of a batch: the states are read, advanced, and written before anything is sent.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tokio::time::{sleep, timeout_at};

use super::budget;
use super::event::BatchEvent;
use super::timers::{NewTimer, needed};
use crate::aws::deadline::Deadline;
use crate::notifier::channel::ConfiguredChannel;
use crate::notifier::dedup::Transition;
use crate::notifier::ingest::TimerItem;
use crate::notifier::metrics;
use crate::notifier::policy::Decision;
use crate::notifier::route::EventRoute;
use crate::notifier::route::threads::routes;
use crate::notifier::thread::{
    Action, Asked, ClaimedDue, Expectation, MissingStates, Observation, OutboxChannel, Progress,
    Reason, States, SubjectKey, SubjectKind, Surroundings, Thread, ThreadId, ThreadSettings,
    ThreadTimer, UnixTime, advance, expected, is_configured, needs_counts, subjects,
};
use crate::notifier::thread_store::{Saved, ThreadRecord, ThreadStore};

/// How often a batch is advanced again because another function was faster.
const MOST_ATTEMPTS: u32 = 8;

/// The number of writes at the same time.
const AT_ONCE: usize = 16;

/// What the threads need besides the batch.
pub(super) struct ThreadStep<'a> {
    pub(super) store: &'a ThreadStore,
    pub(super) settings: &'a ThreadSettings,
    pub(super) channels: &'a [ConfiguredChannel],
    /// The timers of this batch.
    pub(super) fired: &'a [TimerItem],
    /// Identifies this process in claims.
    pub(super) owner: &'a str,
    pub(super) now: UnixTime,
    /// The end of the claims.
    pub(super) claimed_until: UnixTime,
    /// Whether timers can be sent.
    pub(super) has_queue: bool,
    pub(super) deadline: Deadline,
}

/// A record to write, and what happens after it is written.
struct ChangedRecord {
    key: SubjectKey,
    record: ThreadRecord,
    actions: Vec<Action>,
    claimed: Vec<ClaimedDue>,
    timer: Option<NewTimer>,
    is_changed: bool,
}

/// The threads of a batch after they were advanced and written.
#[derive(Default)]
pub(super) struct BatchThreads {
    pub(super) records: HashMap<SubjectKey, ThreadRecord>,
    /// The events that belong to a thread, with their subjects.
    pub(super) taken: BTreeMap<usize, SubjectKey>,
    /// The threads that an event changed so that something is shown.
    pub(super) shown_in: HashMap<usize, BTreeSet<ThreadId>>,
    /// The events that came before this batch, each with the subjects that have had it.
    pub(super) repeated: BTreeMap<usize, BTreeSet<SubjectKey>>,
    /// What may be sent now.
    pub(super) claimed: Vec<(SubjectKey, ClaimedDue)>,
    /// The threads as they were when their last action became due.
    snapshots: HashMap<ThreadId, Thread>,
    /// Subjects that other functions changed again and again.
    pub(super) contested: BTreeSet<SubjectKey>,
    /// The timers to send.
    pub(super) timers: Vec<NewTimer>,
    /// The subjects whose records this batch has written.
    written: BTreeSet<SubjectKey>,
}

impl BatchThreads {
    /// A thread as it is shown now.
    pub(super) fn thread(
        &self,
        subject: &SubjectKey,
        id: &ThreadId,
        records: &HashMap<SubjectKey, ThreadRecord>,
    ) -> Option<Thread> {
        let stored = || {
            let record = records.get(subject)?;
            record.threads().find(|it| it.id() == id)
        };
        self.snapshots.get(id).cloned().or_else(stored)
    }
}

impl ThreadStep<'_> {
    /// Reads the states that the events name, before AWS is asked about the events. Notes which events were counted
    /// before.
    pub(super) async fn load(&self, events: &[BatchEvent], timers: &[SubjectKey]) -> BatchThreads {
        let observations = self.observations(events);
        let mut keys: BTreeSet<_> = timers.iter().cloned().collect();
        keys.extend(observations.iter().flat_map(subjects));
        let entries = observations
            .iter()
            .flat_map(|it| expected(it, self.settings));
        keys.extend(entries.map(Expectation::subject));
        let mut threads = BatchThreads::default();
        self.load_into(&mut threads, keys).await;
        threads.note_repeated(&observations);
        threads
    }

    async fn load_into(&self, threads: &mut BatchThreads, keys: BTreeSet<SubjectKey>) {
        if keys.is_empty() {
            return;
        }
        let until = self.deadline.share(budget::FIND_DUPLICATES);
        let loaded = timeout_at(until, self.store.load(keys.clone(), self.now)).await;
        let mut loaded = loaded.unwrap_or_default();
        for key in keys {
            let record = loaded.remove(&key).unwrap_or_default();
            threads.records.insert(key, record);
        }
    }

    fn observations<'e>(&self, events: &'e [BatchEvent]) -> Vec<Observation<'e>> {
        let read = events.iter().enumerate();
        let observed = read.filter_map(|(index, event)| {
            let (notice, decision, is_brought_back) = event.observed()?;
            let observation = Observation::new(index, notice, decision, is_brought_back, self.now);
            Some(Observation {
                transition: event.transition(),
                ..observation
            })
        });
        let is_expected = |it: &Observation<'_>| expected(it, self.settings).next().is_some();
        observed
            .filter(|it| it.is_heard() || is_expected(it))
            .collect()
    }

    /// Advances the threads and writes their states. After that, nothing is lost: what is due is in the states.
    pub(super) async fn advance(
        &self,
        threads: &mut BatchThreads,
        events: &[BatchEvent],
        timers: &[SubjectKey],
        counts: HashMap<SubjectKey, (i64, i64)>,
    ) {
        let observations = self.observations(events);
        // A timer for a subject that is not remembered does nothing.
        let is_known = |key: &&SubjectKey| {
            let record = threads.records.get(*key);
            is_configured(key, self.settings) || record.is_some_and(|it| !it.state.is_empty())
        };
        let timers: Vec<_> = timers.iter().filter(is_known).cloned().collect();
        let surroundings = Surroundings {
            timers: &timers,
            counts,
        };
        for attempt in 1..=MOST_ATTEMPTS {
            let progress = self.progress(threads, &observations, &surroundings).await;
            threads.note_repeated(&observations);
            let contested = self.save(threads, progress, events, &observations).await;
            if contested.is_empty() {
                return threads.contested.clear();
            }
            if attempt < MOST_ATTEMPTS {
                self.pause(attempt).await;
                self.load_into(threads, contested.clone()).await;
            }
            threads.contested = contested;
        }
        tracing::warn!("other functions change the same subjects, so their events are returned");
    }

    /// Waits a little, each function for another time, so that they do not meet again.
    async fn pause(&self, attempt: u32) {
        let random = RandomState::new().hash_one(self.owner) % 100;
        let pause = Duration::from_millis(random) * attempt;
        if self.deadline.has(pause) {
            sleep(pause).await;
        }
    }

    /// The starts of tasks whose ends a thread has. They are outdated.
    pub(super) fn outdated(&self, threads: &BatchThreads, events: &[BatchEvent]) -> Vec<usize> {
        let observations = self.observations(events);
        let has_ended = |it: &&Observation<'_>| {
            let end = it.transition.as_ref().and_then(Transition::followed_by);
            end.is_some_and(|end| {
                let keys = subjects(it).into_iter();
                let mut records = keys.filter_map(|key| threads.records.get(&key));
                records.any(|record| record.state.has_had(Some(&end)))
            })
        };
        let outdated = observations.iter().filter(has_ended);
        outdated.map(|it| it.index).collect()
    }

    async fn progress(
        &self,
        threads: &mut BatchThreads,
        observations: &[Observation<'_>],
        surroundings: &Surroundings<'_>,
    ) -> Progress {
        loop {
            let states: States = threads
                .records
                .iter()
                .map(|(key, record)| (key.clone(), record.state.clone()))
                .collect();
            match advance(&states, observations, surroundings, self.now, self.settings) {
                Ok(progress) => return progress,
                Err(MissingStates(missing)) => self.load_into(threads, missing).await,
            }
        }
    }

    /// Writes what has changed. Returns the subjects that another function changed at the same time.
    async fn save(
        &self,
        threads: &mut BatchThreads,
        progress: Progress,
        events: &[BatchEvent],
        observations: &[Observation<'_>],
    ) -> BTreeSet<SubjectKey> {
        let mut actions: BTreeMap<SubjectKey, Vec<Action>> = BTreeMap::new();
        for action in progress.actions {
            actions
                .entry(action.subject.clone())
                .or_default()
                .push(action);
        }
        let mut changed = Vec::new();
        for (key, state) in progress.states {
            let Some(old) = threads.records.get(&key) else {
                continue;
            };
            let mut record = old.with_state(state);
            let actions = actions.remove(&key).unwrap_or_default();
            for observation in observations {
                let index = observation.index;
                let is_taken = progress.taken.get(&index) == Some(&key);
                if is_taken || actions.iter().any(|it| is_about(it, index)) {
                    let transition = observation.transition.as_ref();
                    record.state.note_handled(transition);
                }
            }
            let asked = threads.asked(&key, events);
            let mut claimed = self.fill_outbox(&key, &mut record, old, &actions, events, asked);
            // An attempt before this one may have claimed it already.
            claimed.retain(|it| !threads.has_claimed(&key, it));
            let wake_at = progress.wake_at.get(&key).copied().flatten();
            let mut fired = self.fired.iter().filter(|it| it.timer.subject == key);
            let is_repeated = asked != Asked::No || fired.any(TimerItem::came_before);
            let timer = self.set_timer(&key, &mut record, wake_at, is_repeated);
            // A timer that has fired is no change: once its time has passed it counts no more.
            let mut old = old.clone();
            self.forget_fired(&key, &mut old);
            let is_changed = !claimed.is_empty() || !actions.is_empty() || !record.is_same(&old);
            changed.push(ChangedRecord {
                key,
                record,
                actions,
                claimed,
                timer,
                is_changed,
            });
        }
        let left = &progress.left;
        let contested = self.write_all(threads, changed, left, observations).await;
        // The events of a contested subject are returned, and not posted by themselves.
        let written = &threads.written;
        threads.taken.retain(|_, key| written.contains(key));
        threads.taken.extend(progress.taken);
        contested
    }

    /// Writes what others depend on before them. An incident that is written has told its cluster about itself; a task
    /// whose run begins can be found by the other tasks of its launch; and what leaves a run is in another one.
    async fn write_all(
        &self,
        threads: &mut BatchThreads,
        changed: Vec<ChangedRecord>,
        left: &BTreeSet<SubjectKey>,
        observations: &[Observation<'_>],
    ) -> BTreeSet<SubjectKey> {
        let place = |key: &SubjectKey| match key.kind {
            SubjectKind::Cluster | SubjectKind::RecentLaunches => 0,
            _ if left.contains(key) => 2,
            _ => 1,
        };
        let mut places: [Vec<ChangedRecord>; 3] = Default::default();
        for it in changed {
            places[place(&it.key)].push(it);
        }
        let mut contested = BTreeSet::new();
        for records in places {
            let waits = |it: &ChangedRecord| contested.iter().any(|other| waits(&it.key, other));
            let (waiting, records): (Vec<_>, Vec<_>) = records.into_iter().partition(waits);
            contested.extend(waiting.into_iter().map(|it| it.key));
            contested.extend(self.write(threads, records, observations).await);
        }
        contested
    }

    /// Returns the subjects that another function changed at the same time.
    async fn write(
        &self,
        threads: &mut BatchThreads,
        changed: Vec<ChangedRecord>,
        observations: &[Observation<'_>],
    ) -> BTreeSet<SubjectKey> {
        let written = changed.into_iter().map(|mut it| async move {
            let saved = match it.is_changed {
                true => self.store.save(&it.key, &mut it.record, self.now).await,
                false => Saved::Yes,
            };
            (it, saved)
        });
        let mut written = stream::iter(written).buffer_unordered(AT_ONCE);
        let mut contested = BTreeSet::new();
        while let Some((it, saved)) = written.next().await {
            if saved == Saved::Conflict {
                contested.insert(it.key);
                continue;
            }
            let key = it.key;
            threads.timers.extend(it.timer);
            threads.note_actions(&it.actions, observations);
            let claimed = it.claimed.into_iter();
            threads
                .claimed
                .extend(claimed.map(|due| (key.clone(), due)));
            threads.written.insert(key.clone());
            threads.records.insert(key, it.record);
        }
        contested
    }

    /// Adds the actions to the outbox, and claims what may be sent.
    fn fill_outbox(
        &self,
        subject: &SubjectKey,
        record: &mut ThreadRecord,
        old: &ThreadRecord,
        actions: &[Action],
        events: &[BatchEvent],
        asked: Asked,
    ) -> Vec<ClaimedDue> {
        let known = record.state.thread_ids().chain(old.thread_ids());
        let known = known.chain(actions.iter().map(Action::id));
        let known: BTreeSet<_> = known.cloned().collect();
        let names: Vec<_> = self.channels.iter().map(|it| it.name.as_str()).collect();
        record.outbox.forget(&known, &names);
        // What a channel gets depends on whether those that escalate to it have the thread.
        let (first, then): (Vec<_>, Vec<_>) = self
            .channels
            .iter()
            .partition(|it| it.escalated_from.is_empty());
        for action in actions {
            let routes = LazyCell::new(|| self.routes(action, events));
            for channel in first.iter().chain(&then) {
                let kind = Some(action.thread.kind());
                let accepts = channel.takes(kind, action.turn.priority(), || &routes);
                record.outbox.add(action, outbox_channel(channel, accepts));
            }
        }
        // Most records keep their threads, which are then not copied.
        if record.state.thread_ids().count() < known.len() {
            let shown = actions.iter().map(|it| it.thread.clone());
            record.keep_unsent(old.threads().chain(shown));
        }
        self.forget_fired(subject, record);
        record
            .outbox
            .claim(self.owner, self.claimed_until, self.now, asked)
    }

    /// What the channels' patterns are matched against for an action.
    fn routes(&self, action: &Action, events: &[BatchEvent]) -> Vec<EventRoute> {
        let about = action.events.iter();
        let about = about.filter_map(|index| events.get(*index)?.observed());
        let about: Vec<_> = about
            .map(|(notice, decision, _)| (notice, decision))
            .collect();
        routes(action, &about)
    }

    fn forget_fired(&self, subject: &SubjectKey, record: &mut ThreadRecord) {
        let has_fired = |at: UnixTime| {
            let is_it = |it: &ThreadTimer| it.at == at && it.subject == *subject;
            at <= self.now || self.fired.iter().any(|it| is_it(&it.timer))
        };
        record.timers.retain(|at| !has_fired(*at));
    }

    /// Decides whether a timer must be sent, and notes it. If an event or a timer came again, its function may have ended
    /// before it sent the next timer.
    fn set_timer(
        &self,
        key: &SubjectKey,
        record: &mut ThreadRecord,
        wake_at: Option<UnixTime>,
        is_repeated: bool,
    ) -> Option<NewTimer> {
        if !self.has_queue {
            return None;
        }
        if is_repeated {
            record.timers.clear();
        }
        let retry = record.outbox.wake_at(self.now);
        let wake_at = wake_at.into_iter().chain(retry).min()?;
        let at = needed(&record.timers, wake_at, self.now)?;
        record.timers.push(at);
        Some(NewTimer {
            subject: key.clone(),
            at,
        })
    }

    /// The services whose incidents wait only for the number of their tasks.
    pub(super) fn services_to_count(&self, threads: &BatchThreads) -> Vec<SubjectKey> {
        let waits = |(key, record): &(&SubjectKey, &ThreadRecord)| {
            key.kind != SubjectKind::Expectation
                && needs_counts(&record.state, self.now, self.settings)
        };
        let waiting = threads.records.iter().filter(waits);
        waiting.map(|(key, _)| key.clone()).collect()
    }
}

impl BatchThreads {
    fn has_claimed(&self, key: &SubjectKey, due: &ClaimedDue) -> bool {
        self.claimed.iter().any(|(subject, it)| {
            subject == key
                && it.thread == due.thread
                && it.channel == due.channel
                && it.due.id == due.due.id
        })
    }

    /// Notes which events came before: another function, or an earlier invocation, has counted them. What this batch has
    /// written itself says nothing about that.
    fn note_repeated(&mut self, observations: &[Observation<'_>]) {
        for observation in observations {
            let transition = observation.transition.as_ref();
            let is_kept = matches!(observation.decision, Decision::Keep(_));
            let own = subjects(observation);
            let related = own.iter().filter_map(|key| {
                let record = self.records.get(key)?;
                Some(record.state.related(key))
            });
            let found = own.iter().cloned().chain(related.flatten()).filter(|key| {
                let record = self.records.get(key);
                let record = record.filter(|_| !self.written.contains(key));
                record.is_some_and(|it| match is_kept {
                    true => it.state.has_had(transition),
                    false => it.state.has_handled(transition),
                })
            });
            let found: BTreeSet<_> = found.collect();
            if !found.is_empty() {
                self.repeated
                    .entry(observation.index)
                    .or_default()
                    .extend(found);
            }
        }
    }

    /// Takes events that came again after their thread was forgotten. They are not posted by themselves.
    pub(super) fn take_repeated(&mut self, is_posted_by_thread_only: impl Fn(usize) -> bool) {
        for (index, subjects) in &self.repeated {
            if let Some(subject) = subjects
                .first()
                .filter(|_| is_posted_by_thread_only(*index))
            {
                self.taken.entry(*index).or_insert_with(|| subject.clone());
            }
        }
    }

    /// Who asks for what is due of a subject.
    fn asked(&self, key: &SubjectKey, events: &[BatchEvent]) -> Asked {
        let repeated = self.repeated.iter().filter(|(_, keys)| keys.contains(key));
        let asked = repeated.map(|(index, _)| match events[*index].receives() {
            Some(_) => Asked::ByQueue,
            None => Asked::Directly,
        });
        asked.max().unwrap_or(Asked::No)
    }

    fn note_actions(&mut self, actions: &[Action], observations: &[Observation<'_>]) {
        for action in actions {
            let id = action.id();
            metrics::count_turn(&action.thread, &action.turn);
            self.snapshots.insert(id.clone(), action.thread.clone());
            for event in &action.events {
                self.shown_in.entry(*event).or_default().insert(id.clone());
            }
            let ids = observations
                .iter()
                .filter(|it| action.events.contains(&it.index));
            let count = ids.count();
            let (thread, reason) = (id.as_str(), action.turn.reason.to_string());
            let subject = action.subject.to_string();
            let subject = subject.escape_debug();
            tracing::info!(thread, reason, %subject, events = count, "thread");
        }
    }
}

/// Whether something new is shown for the event. An edit of counts can be lost, because the next one shows the same.
fn is_about(action: &Action, index: usize) -> bool {
    let reason = action.turn.reason;
    let is_news = reason == Reason::Opened || reason.is_turn();
    is_news && action.events.contains(&index)
}

/// Whether a record is written only after another one that another function has changed.
fn waits(key: &SubjectKey, other: &SubjectKey) -> bool {
    match other.kind {
        SubjectKind::Cluster => key.of_cluster() == *other,
        SubjectKind::RecentLaunches | SubjectKind::Launch => {
            key.kind == SubjectKind::Launch && key.of_cluster() == other.of_cluster()
        }
        SubjectKind::Service
        | SubjectKind::Family
        | SubjectKind::Instance
        | SubjectKind::Activity
        | SubjectKind::Definition
        | SubjectKind::Announcement
        | SubjectKind::Alarm
        | SubjectKind::Daemon
        | SubjectKind::Expectation => false,
    }
}

fn outbox_channel(channel: &ConfiguredChannel, accepts: bool) -> OutboxChannel<'_> {
    OutboxChannel {
        name: &channel.name,
        capabilities: channel.channel_type.definition().capabilities,
        accepts,
        has_route: !channel.route.is_empty(),
        escalated_from: &channel.escalated_from,
    }
}
