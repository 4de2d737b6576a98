//! The whole pipeline on one screen: a payload in, a [`BatchReport`] out.
//!
//! A batch takes four steps: deduplicate, advance the threads, send, record. The states of the threads are written before
//! anything is sent (`ThreadStep`): after that line, a function that ends loses nothing. Each
//! channel sends and records for itself (`ChannelDispatcher`), and waits for no other one.

mod budget;
mod candidate;
mod chain;
mod channel;
mod delivery;
mod edit_limits;
mod event;
mod expectations;
mod lookup_problems;
mod rate_limiter;
mod recorder;
mod threads;
mod timers;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::future::{join, join_all};
use serde_json::Value;
use tokio::time::timeout_at;

use crate::aws::LazySession;
use crate::aws::deadline::Deadline;
use crate::aws::visibility::{ReceivedMessage, RetryDelay, change_visibility};
use crate::ecs::classify::classify;
use crate::ecs::event::EcsEvent;
use crate::ecs::notice::Notice;
use crate::notifier::channel::{ConfiguredChannel, Http};
use crate::notifier::dedup::{DedupKey, DedupStore};
use crate::notifier::enrich::{Enricher, ServiceName};
use crate::notifier::event_counts::MetricsBy;
use crate::notifier::ingest::{self, IngestError, IngestItem, Opened, Receipt, TimerItem};
use crate::notifier::policy::{Decision, Policy, decide};
use crate::notifier::render::Renderer;
use crate::notifier::report::{BatchReport, Delivery, DeliveryStatus, ReportEntry};
use crate::notifier::state_table::StateTable;
use crate::notifier::thread::{ClaimedDue, SubjectKey, ThreadId, ThreadSettings, UnixTime};
use crate::notifier::thread_store::{ThreadRecord, ThreadStore};
use chain::Chain;
use channel::ChannelDispatcher;
use delivery::EventInChannel;
use event::BatchEvent;
use lookup_problems::ToldProblems;
use recorder::ThreadRecorder;
use threads::{BatchThreads, ThreadStep};

pub use edit_limits::EditLimits;
pub use expectations::ExpectationWatch;
pub use timers::TimerQueue;

/// A key under `custom` in the client context of an invocation. With it, the function answers how many events it posted
/// and dropped.
pub const COUNTS_PLEASE: &str = "ecs-parrot-counts";

/// Posts events to channels.
pub struct Notifier {
    pub policy: Policy,
    /// `None` if AWS is not asked for more facts.
    pub enricher: Option<Enricher>,
    pub renderer: Renderer,
    pub channels: Vec<ConfiguredChannel>,
    pub http: Http,
    /// `None` if only this process remembers.
    pub state_table: Option<Arc<StateTable>>,
    pub dedup: DedupStore,
    pub threads: ThreadStore,
    pub settings: ThreadSettings,
    pub timers: TimerQueue,
    pub edits: EditLimits,
    /// What the metric `Events` is counted by besides kind and cause.
    pub metrics_by: BTreeSet<MetricsBy>,
    /// When this process looked at what is expected.
    pub watch: ExpectationWatch,
    /// Identifies this process in claims.
    pub owner: String,
    pub session: Arc<LazySession>,
}

/// Classifies an event and decides whether it is posted. Uses only the facts in the event itself.
pub fn evaluate(event: &EcsEvent, policy: &Policy) -> (Notice, Decision) {
    let mut notice = classify(event);
    policy.mark(&mut notice);
    let decision = decide(&notice, policy);
    (notice, decision)
}

/// Asks AWS for more facts about the notices that are kept or may end an incident, and decides again. The second decision
/// counts.
pub async fn look_up<'a>(
    evaluated: impl IntoIterator<Item = &'a mut (Notice, Decision)>,
    enricher: &Enricher,
    policy: &Policy,
    deadline: Deadline,
) {
    let is_asked = |it: &&mut (Notice, Decision)| {
        matches!(it.1, Decision::Keep(_)) || Enricher::may_end_incident(&it.0)
    };
    let (mut asked, others): (Vec<_>, Vec<_>) = evaluated.into_iter().partition(is_asked);
    let notices = asked.iter_mut().map(|(notice, _)| notice).collect();
    let until = deadline.share(enricher.timeout());
    enricher.enrich(notices, policy, until).await;
    for (notice, _) in others {
        enricher.name_account(notice);
    }
    for (notice, decision) in asked {
        enricher.name_account(notice);
        policy.mark(notice);
        *decision = decide(notice, policy);
    }
}

impl Notifier {
    /// Notes the function's own ARN: its account may have an alias.
    pub fn note_function(&self, arn: &str) {
        if let Some(enricher) = &self.enricher {
            enricher.note_function(arn);
        }
    }

    /// Forgets all events, if there is no state table. The next event is then the first.
    pub fn forget(&self) {
        if self.state_table.is_none() {
            self.threads.forget();
            self.dedup.forget();
        }
    }

    /// Posts every event of a payload, until the deadline.
    pub async fn notify(&self, payload: &Value, deadline: Deadline) -> BatchReport {
        let sender = ingest::sender(payload);
        let (entries, failed_timers) = self.process(ingest::open(payload), deadline).await;
        BatchReport {
            sender,
            entries,
            failed_timers,
        }
    }

    /// Posts events to every channel that takes them and does not have them yet. Writes one log line for
    /// each event.
    pub async fn dispatch(&self, items: Vec<IngestItem>, end: Deadline) -> Vec<ReportEntry> {
        let timers = Vec::new();
        let (entries, _) = self.process(Opened { items, timers }, end).await;
        entries
    }

    /// The whole flow. Returns the entries, and the records of timers that must come again.
    async fn process(&self, opened: Opened, end: Deadline) -> (Vec<ReportEntry>, Vec<Receipt>) {
        let end = budget::record_deadline(end);
        let deadline = budget::send_deadline(end, opened.items.len() + opened.timers.len());
        self.begin(&opened);
        let Opened { items, timers } = opened;
        let step = self.thread_step(&timers, deadline, end);
        let subjects: Vec<_> = timers.iter().map(|it| it.timer.subject.clone()).collect();
        let read = |item| BatchEvent::read(item, &self.policy);
        let mut events: Vec<_> = items.into_iter().map(read).collect();
        let mut threads = self.find_known(&mut events, &step, &subjects).await;
        self.look_up(&mut events, &threads, deadline).await;
        let problems = ToldProblems::claim(&mut events, &self.dedup, step.now, end).await;
        self.advance(&mut events, &mut threads, &step, &subjects)
            .await;
        self.send(&mut events, &mut threads, &step, end).await;
        end.hold(problems.settle(&events, &self.dedup)).await;
        end.hold(self.look_at_expected(deadline, end)).await;
        let failed = timers
            .iter()
            .filter(|it| threads.contested.contains(&it.timer.subject));
        let failed = failed.filter_map(|it| it.receipt.clone()).collect();
        let entries: Vec<_> = events.into_iter().map(BatchEvent::into_entry).collect();
        entries.iter().for_each(ReportEntry::log);
        entries.iter().for_each(ReportEntry::count);
        (entries, failed)
    }

    /// Sends the messages and the timers of a batch.
    async fn send(
        &self,
        events: &mut [BatchEvent],
        threads: &mut BatchThreads,
        step: &ThreadStep<'_>,
        end: Deadline,
    ) {
        let new_timers = std::mem::take(&mut threads.timers);
        let ((), sent) = join(
            self.deliver(events, threads, step, end),
            end.hold(self.timers.send(&new_timers, step.now)),
        )
        .await;
        let without_timer = sent.unwrap_or_default();
        end.hold(self.dedup.finish()).await;
        // The next event of the subject sends the timer again.
        for subject in &without_timer {
            end.hold(self.threads.forget_timers(subject, step.now))
                .await;
        }
    }

    /// Makes sure that each entry of `EXPECT` has a state and a timer, and notes what did not happen in time. This comes
    /// after the messages of the batch, because no event needs it.
    async fn look_at_expected(&self, deadline: Deadline, end: Deadline) {
        if !deadline.has(expectations::LEAST_TIME) {
            return;
        }
        let step = self.thread_step(&[], deadline, end);
        let subjects = self.watch.due(&self.settings, step.now);
        if subjects.is_empty() {
            return;
        }
        let mut threads = step.load(&[], &subjects).await;
        step.advance(&mut threads, &[], &subjects, HashMap::new())
            .await;
        self.send(&mut [], &mut threads, &step, end).await;
    }

    fn begin(&self, opened: &Opened) {
        self.dedup.begin();
        if let Some(table) = &self.state_table {
            table.begin_invocation();
        }
        let receipts = opened.items.iter().filter_map(|it| it.receipt.as_ref());
        let receipts = receipts.chain(opened.timers.iter().filter_map(|it| it.receipt.as_ref()));
        let mut messages = receipts.filter_map(|it| it.message.as_deref());
        if let Some(message) = messages.next() {
            self.timers.note(message.queue_url());
        }
    }

    fn thread_step<'a>(
        &'a self,
        fired: &'a [TimerItem],
        deadline: Deadline,
        end: Deadline,
    ) -> ThreadStep<'a> {
        let now = SystemTime::now();
        let until = now + budget::claim_for(end);
        ThreadStep {
            store: &self.threads,
            settings: &self.settings,
            channels: &self.channels,
            fired,
            owner: &self.owner,
            now: unix_time(now),
            claimed_until: unix_time(until),
            has_queue: self.timers.is_known(),
            deadline,
        }
    }

    /// Finds out which channels have an event already, and reads the threads of the events. This comes before any call
    /// to AWS about the events.
    async fn find_known(
        &self,
        events: &mut [BatchEvent],
        step: &ThreadStep<'_>,
        timers: &[SubjectKey],
    ) -> BatchThreads {
        let names = self.channels.iter().map(|it| it.name.as_str());
        let mut keys = Vec::new();
        for name in names {
            keys.extend(events.iter().flat_map(|event| event.keys_to_read(name)));
        }
        let until = step.deadline.share(budget::FIND_DUPLICATES);
        let posted = timeout_at(until, self.dedup.posted(keys));
        let (posted, threads) = join(posted, step.load(events, timers)).await;
        let posted = posted.unwrap_or_default();
        for event in events {
            event.note_duplicates(&self.channels, &self.dedup, &posted);
        }
        threads
    }

    /// Asks AWS about the events that are kept and new.
    async fn look_up(&self, events: &mut [BatchEvent], threads: &BatchThreads, deadline: Deadline) {
        let Some(enricher) = &self.enricher else {
            return;
        };
        let new = events.iter_mut().enumerate();
        // What a thread shows of an event that comes again is in its state. A call may be posted by itself.
        let new = new.filter(|(index, it)| it.is_call() || !threads.repeated.contains_key(index));
        let new = new.filter_map(|(_, event)| event.evaluated_mut());
        look_up(new, enricher, &self.policy, deadline).await;
        events
            .iter_mut()
            .for_each(|it| it.judge_again(&self.policy));
    }

    /// Advances the threads, and notes which events belong to them.
    async fn advance(
        &self,
        events: &mut [BatchEvent],
        threads: &mut BatchThreads,
        step: &ThreadStep<'_>,
        timers: &[SubjectKey],
    ) {
        let counts = self.service_counts(threads, step).await;
        step.advance(threads, events, timers, counts).await;
        threads.take_repeated(|index| events[index].is_posted_by_thread_only());
        for index in threads.taken.keys() {
            events[*index].is_in_thread = true;
        }
        for index in threads.repeated.keys() {
            events[*index].is_repeated = true;
        }
        for index in step.outdated(threads, events) {
            if events[index].single().is_some() {
                events[index].drop_as_duplicate();
            }
        }
    }

    /// The numbers of tasks of services whose incidents may be over.
    async fn service_counts(
        &self,
        threads: &BatchThreads,
        step: &ThreadStep<'_>,
    ) -> HashMap<SubjectKey, (i64, i64)> {
        let services = step.services_to_count(threads);
        let Some(enricher) = self.enricher.as_ref().filter(|_| !services.is_empty()) else {
            return HashMap::new();
        };
        let until = step.deadline.share(enricher.timeout());
        let named = services.iter().map(|it| ServiceName {
            account: &it.account,
            region: &it.region,
            cluster: &it.cluster,
            service: &it.name,
        });
        let counts = enricher.service_counts(named.collect(), until).await;
        let found = services.iter().zip(counts);
        found
            .filter_map(|(key, counts)| Some((key.clone(), counts?)))
            .collect()
    }

    /// Changes the visibility of the records that failed, so that the queue delivers them again with growing delays. An
    /// outage of a chat service that lasts an hour must not use up all attempts in minutes. A record that cannot be read
    /// is delivered again at once, because it must go to the dead-letter queue.
    pub async fn return_to_queue(&self, report: &BatchReport) {
        let mut records: HashMap<&str, (&ReceivedMessage, RetryDelay)> = HashMap::new();
        for receipt in &report.failed_timers {
            if let Some(message) = receipt.message.as_deref() {
                records.insert(&receipt.id, (message, RetryDelay::Later(None)));
            }
        }
        for entry in report.failed() {
            let Some(receipt) = &entry.receipt else {
                continue;
            };
            let Some(message) = receipt.message.as_deref() else {
                continue;
            };
            let delay = match &entry.result {
                Ok(event) => event.retry_delay(),
                // The record itself is correct. The batch before it was full.
                Err(IngestError::BatchFull) => RetryDelay::Later(None),
                Err(_) => RetryDelay::Now,
            };
            let (_, latest) = records.entry(&receipt.id).or_insert((message, delay));
            *latest = delay.max(*latest);
        }
        if records.is_empty() {
            return;
        }
        let session = match self.session.own().await {
            Ok(session) => session,
            Err(error) => {
                return tracing::warn!(%error, "the visibility was not changed, so the queue's own visibility timeout applies");
            }
        };
        change_visibility(&session.sqs(), records.into_values()).await;
    }

    /// Sends to all channels at the same time, and adds one delivery for each channel to each event.
    async fn deliver(
        &self,
        events: &mut [BatchEvent],
        threads: &mut BatchThreads,
        step: &ThreadStep<'_>,
        end: Deadline,
    ) {
        let records = std::mem::take(&mut threads.records);
        let mut chains = self.chains(events, threads, &records);
        let recorder = ThreadRecorder::new(&self.threads, records, step.now);
        let recorder = &recorder;
        let shared: &[BatchEvent] = events;
        let dispatched = self.channels.iter().map(|channel| {
            let dispatcher = ChannelDispatcher {
                channel,
                renderer: &self.renderer,
                http: &self.http,
                dedup: &self.dedup,
                recorder,
                edits: &self.edits,
                deadline: step.deadline,
                end,
            };
            let chains = chains.remove(&channel.name).unwrap_or_default();
            async move { dispatcher.dispatch(shared, chains).await }
        });
        let dispatched: Vec<_> = dispatched.collect();
        let reports = join_all(dispatched).await;
        for (channel, report) in self.channels.iter().zip(&reports) {
            for (index, event) in events.iter_mut().enumerate() {
                let in_channel = EventInChannel {
                    index,
                    receives: event.receives(),
                    channel: &channel.name,
                    report,
                    threads,
                    recorder,
                };
                let is_concerned =
                    threads.shown_in.contains_key(&index) || threads.repeated.contains_key(&index);
                let status = match (threads.taken.get(&index), event.kept()) {
                    (Some(subject), Some(_)) => Some(in_channel.status(subject).await),
                    (None, Some(_)) => report.statuses.get(&index).cloned(),
                    (_, None) if is_concerned => {
                        event.unsent.extend(in_channel.failure().await);
                        None
                    }
                    (_, None) => None,
                };
                let is_shown = threads.taken.contains_key(&index)
                    && status.as_ref().is_some_and(DeliveryStatus::is_shown);
                if let Some(transition) = event.transition().filter(|_| is_shown) {
                    self.dedup
                        .note_shown(DedupKey::new(&channel.name, &transition));
                }
                let channel = channel.name.clone();
                let delivery = status.map(|status| Delivery { channel, status });
                event.deliveries.extend(delivery);
            }
        }
    }

    /// What is due in each channel, thread by thread.
    fn chains(
        &self,
        events: &[BatchEvent],
        threads: &mut BatchThreads,
        records: &HashMap<SubjectKey, ThreadRecord>,
    ) -> HashMap<String, Vec<Chain>> {
        let mut steps: BTreeMap<(String, SubjectKey, ThreadId), Vec<ClaimedDue>> = BTreeMap::new();
        for (subject, due) in std::mem::take(&mut threads.claimed) {
            let key = (due.channel.clone(), subject, due.thread.clone());
            steps.entry(key).or_default().push(due);
        }
        let mut chains: HashMap<String, Vec<Chain>> = HashMap::new();
        for ((channel, subject, id), steps) in steps {
            let shown_in = threads.shown_in.iter();
            let shown = shown_in.filter(|(_, ids)| ids.contains(&id));
            let shown: Vec<_> = shown.map(|(index, _)| *index).collect();
            let of_thread = |index: &usize| threads.taken.get(index) == Some(&subject);
            // What could not be sent before is about an event that comes again.
            let again = threads.repeated.iter().filter(|(index, subjects)| {
                let is_calm = events[**index].kept().is_some_and(|(_, it)| !it.urgent);
                is_calm && subjects.contains(&subject)
            });
            let again = again.map(|(index, _)| *index);
            // The latest one says how the thread is now.
            let event = shown.iter().copied().chain(again).filter(of_thread).max();
            let new = shown.iter().filter(|it| !threads.repeated.contains_key(it));
            let receives = new.filter_map(|it| events[*it].receives()).max();
            if let Some(thread) = threads.thread(&subject, &id, records) {
                let mut repeated = threads.repeated.values();
                let has_sender = !shown.is_empty() || repeated.any(|it| it.contains(&subject));
                let mut chain = Chain::new(subject, thread, steps, event, receives.unwrap_or(1));
                chain.has_sender = has_sender;
                chains.entry(channel).or_default().push(chain);
            }
        }
        chains
    }
}

fn unix_time(time: SystemTime) -> UnixTime {
    let passed = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::of_milliseconds(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX))
}
