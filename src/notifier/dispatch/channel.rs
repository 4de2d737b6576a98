//! Processes a batch for one channel, in four steps: deduplicate, group, send, record.

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};
use std::iter::successors;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use futures::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use super::budget;
use super::candidate::{Candidate, separate};
use super::chain::Chain;
use super::edit_limits::EditLimits;
use super::event::BatchEvent;
use super::rate_limiter::RateLimiter;
use super::recorder::ThreadRecorder;
use crate::aws::deadline::Deadline;
use crate::notifier::channel::{
    Attempts, ConfiguredChannel, Http, Operation, Outcome, PreparedMessage, RateLimit,
    send_with_retries,
};
use crate::notifier::dedup::{Claim, DedupKey, DedupStore, Unanswered};
use crate::notifier::group::{Group, GroupItem, MessagePlan};
use crate::notifier::metrics;
use crate::notifier::render::{Renderer, ThreadMessage, View};
use crate::notifier::report::{DeliveryStatus, MOST_UNANSWERED, SENT_BEFORE};
use crate::notifier::thread::{Step, may_explain};

/// The number of calls to the dedup store at the same time.
const AT_ONCE: usize = 16;

/// The wait of an edit for which there is no room, and what each edit before it adds.
const EDIT_AGAIN: Duration = Duration::from_secs(30);
const EACH_EDIT: Duration = Duration::from_millis(1_500);

/// The delivery status of each event, by its index in the batch.
pub(super) type Statuses = HashMap<usize, DeliveryStatus>;

/// What came of a batch in one channel.
pub(super) struct ChannelReport {
    pub(super) statuses: Statuses,
    pub(super) chains: Vec<Chain>,
}

/// What must be known from one message to the next.
struct Sending {
    limiter: RateLimiter,
    attempts: Attempts,
    /// The channel accepts nothing more in the time that is left.
    closed: Option<Outcome>,
    /// The number of edits for which there was no room.
    postponed: u32,
}

impl Sending {
    fn new(limit: Option<RateLimit>) -> Self {
        Self {
            limiter: RateLimiter::new(limit),
            attempts: Attempts::Several,
            closed: None,
            postponed: 0,
        }
    }

    /// How long the next edit waits for which there is no room. Each waits for those before it, so that not all of them
    /// are tried again at once.
    fn wait_of_next_edit(&mut self) -> Duration {
        self.postponed += 1;
        EDIT_AGAIN + EACH_EDIT * self.postponed
    }
}

pub(super) struct ChannelDispatcher<'a> {
    pub(super) channel: &'a ConfiguredChannel,
    pub(super) renderer: &'a Renderer,
    pub(super) http: &'a Http,
    pub(super) dedup: &'a DedupStore,
    pub(super) recorder: &'a ThreadRecorder<'a>,
    pub(super) edits: &'a EditLimits,
    /// The time by which the last message must be sent.
    pub(super) deadline: Deadline,
    /// The time by which everything must be recorded.
    pub(super) end: Deadline,
}

/// The events of a batch after deduplication.
struct Deduplicated {
    /// The events to send, by their index.
    granted: HashMap<usize, Candidate>,
    /// The duplicates within the batch, each with the index of the event that replaces it.
    duplicates: HashMap<usize, usize>,
    /// The events that need no message, with their status.
    statuses: Statuses,
}

impl ChannelDispatcher<'_> {
    /// Sends what is due in the threads, and the events that belong to no thread.
    pub(super) async fn dispatch(
        &self,
        events: &[BatchEvent],
        chains: Vec<Chain>,
    ) -> ChannelReport {
        let Deduplicated {
            granted,
            duplicates,
            mut statuses,
        } = self.deduplicate(events).await;
        let (sent, chains) = self.send(events, &granted, chains).await;
        statuses.extend(sent);
        // A duplicate within the batch gets the status of the event that replaces it.
        for (index, other) in &duplicates {
            let last = successors(Some(other), |other| duplicates.get(other)).last();
            let status = status_of_duplicate(last.and_then(|it| statuses.get(it)));
            statuses.insert(*index, status);
        }
        ChannelReport { statuses, chains }
    }

    /// Step 1. Events that the channel does not take and duplicates are done. The others are claimed in the dedup store.
    async fn deduplicate(&self, events: &[BatchEvent]) -> Deduplicated {
        let mut statuses = Statuses::new();
        let mut candidates = Vec::new();
        for (index, event) in events.iter().enumerate() {
            let Some((_, priority)) = event.single() else {
                continue;
            };
            let routes = LazyCell::new(|| event.routes());
            if !self.channel.takes(None, priority, || &routes) {
                statuses.insert(index, DeliveryStatus::Filtered);
            } else if event.was_posted_to(self.name()) {
                statuses.insert(index, DeliveryStatus::Duplicate);
            } else {
                candidates.push(Candidate::of(self.name(), index, event));
            }
        }
        let (mut candidates, duplicates) = separate(candidates);
        candidates.retain(|candidate| match self.given_up(candidate) {
            Some(status) => {
                statuses.insert(candidate.index, status);
                false
            }
            None => true,
        });
        let claims = self.claim_all(&candidates).await;
        let mut granted = HashMap::new();
        for candidate in candidates {
            match claims.get(&candidate.index) {
                Some(Claim::Duplicate) => {
                    statuses.insert(candidate.index, DeliveryStatus::Duplicate);
                }
                Some(Claim::InFlight) => {
                    statuses.insert(candidate.index, DeliveryStatus::InFlight);
                }
                // Without an answer in time the event is sent: a message that comes twice is better than a lost one.
                Some(Claim::Granted) | None => {
                    granted.insert(candidate.index, candidate);
                }
            }
        }
        Deduplicated {
            granted,
            duplicates,
            statuses,
        }
    }

    /// Returns the answers that come in time.
    async fn claim_all(&self, candidates: &[Candidate]) -> HashMap<usize, Claim> {
        let claims = candidates
            .iter()
            .map(|it| async { (it.index, self.claim(it).await) });
        let mut claims = stream::iter(claims).buffer_unordered(AT_ONCE);
        let until = self.deadline.share(budget::CLAIM);
        let mut answers = HashMap::new();
        while let Ok(Some((index, claim))) = timeout_at(until, claims.next()).await {
            answers.insert(index, claim);
        }
        answers
    }

    async fn claim(&self, candidate: &Candidate) -> Claim {
        match &candidate.key {
            Some(key) => self.dedup.claim(key, self.end_of_claim()).await,
            None => Claim::Granted,
        }
    }

    fn end_of_claim(&self) -> SystemTime {
        SystemTime::now() + budget::claim_for(self.end)
    }

    /// Step 3. Sends what there is time for, one after another: calls that may explain urgent threads, these threads, the
    /// other events that belong to no thread, the other threads, and then the threads that are only edited. Each one is
    /// recorded at once.
    async fn send(
        &self,
        events: &[BatchEvent],
        granted: &HashMap<usize, Candidate>,
        chains: Vec<Chain>,
    ) -> (Statuses, Vec<Chain>) {
        let mut sending = Sending::new(self.channel.channel.rate_limit());
        let (mut done, others): (Vec<_>, Vec<_>) = chains.into_iter().partition(Chain::is_urgent);
        let reserved = done.iter().filter(|it| it.has_message()).count();
        // If there is no time for all, what is urgent comes first.
        let budget = sending.limiter.budget(self.deadline);
        let has_room = budget.is_none_or(|it| it >= reserved + granted.len());
        let explains = |index: &usize| {
            let notice = events[*index].single().map(|(notice, _)| notice);
            let explains =
                |it: &Chain| notice.is_some_and(|notice| may_explain(notice, &it.subject));
            has_room && done.iter().any(explains)
        };
        let first: HashSet<_> = granted.keys().copied().filter(explains).collect();
        let plan = group(events, &|index| first.contains(&index));
        let explained = self.send_plan(plan, granted, reserved, &mut sending).await;
        for chain in &mut done {
            self.send_chain(chain, &mut sending).await;
        }
        let (mut counted, mut others) = self.too_many(others, &sending);
        let indexes: HashSet<_> = counted.iter().filter_map(|it| it.event).collect();
        let plan = group(events, &|index| {
            granted.contains_key(&index) && !first.contains(&index) || indexes.contains(&index)
        });
        let reserved = others.iter().filter(|it| it.has_message()).count();
        let mut statuses = self.send_plan(plan, granted, reserved, &mut sending).await;
        statuses.extend(explained);
        for chain in &mut counted {
            let status = chain.event.and_then(|it| statuses.remove(&it));
            chain.note_summary(status);
            self.record_chain(chain).await;
        }
        others.sort_by_key(|it| !it.has_message());
        for chain in &mut others {
            self.send_chain(chain, &mut sending).await;
        }
        done.extend(counted);
        done.extend(others);
        (statuses, done)
    }

    /// Separates the threads that only open, if there are far more than there is time for. One summary counts them.
    fn too_many(&self, chains: Vec<Chain>, sending: &Sending) -> (Vec<Chain>, Vec<Chain>) {
        let openings = chains.iter().filter(|it| it.may_be_summarized()).count();
        let budget = sending.limiter.budget(self.deadline);
        match budget.is_some_and(|budget| openings / 2 > budget) {
            true => chains.into_iter().partition(Chain::may_be_summarized),
            false => (Vec::new(), chains),
        }
    }

    async fn send_plan(
        &self,
        mut plan: MessagePlan<'_>,
        granted: &HashMap<usize, Candidate>,
        reserved: usize,
        sending: &mut Sending,
    ) -> Statuses {
        let mut statuses = Statuses::new();
        let budget = |sending: &Sending| {
            let budget = sending.limiter.budget(self.deadline)?;
            Some(budget.saturating_sub(reserved))
        };
        while let Some(planned) = plan.next(budget(sending)) {
            if let Some(outcome) = &sending.closed {
                statuses.extend(self.record(&planned.indexes, granted, outcome).await);
                continue;
            }
            sending.limiter.wait(self.deadline).await;
            let outcome = self.send_group(&planned.group, sending).await;
            statuses.extend(self.record(&planned.indexes, granted, &outcome).await);
            self.note_outcome(outcome, sending);
        }
        statuses
    }

    fn note_outcome(&self, outcome: Outcome, sending: &mut Sending) {
        sending.attempts = next_attempts(&outcome);
        sending.closed = self.is_closed(&outcome).then_some(outcome);
    }

    /// Sends the steps of a thread, and records what came of them.
    async fn send_chain(&self, chain: &mut Chain, sending: &mut Sending) {
        if let Some(outcome) = &sending.closed {
            chain.skip(outcome);
        }
        let thread = chain.thread.clone();
        while let Some(step) = chain.next() {
            let is_edit = step.claimed.due.step == Step::Edit;
            let shown = ThreadMessage {
                thread: &thread,
                turn: &step.claimed.due.turn,
                form: step.form,
            };
            let view = View::of_channel(self.channel);
            let message = self.renderer.render_thread_or_fall_back(view, &shown);
            if self.channel.channel.skips(&message, step.operation) {
                chain.note(&Outcome::Delivered { root: None });
                continue;
            }
            if is_edit && !self.may_edit() {
                chain.postpone(sending.wait_of_next_edit());
                continue;
            }
            let prepared = self.channel.channel.prepare(&message, step.operation);
            if !is_edit {
                sending.limiter.wait(self.deadline).await;
            }
            // An edit waits for nothing: a later one shows more. It has a limit of its own, so that it closes no channel.
            let attempts = match is_edit {
                true => Attempts::One,
                false => sending.attempts,
            };
            let outcome = self.send_prepared(&prepared, attempts, sending).await;
            if is_edited(step.operation, &outcome) {
                metrics::count_edit(self.name());
            }
            chain.note(&outcome);
            if is_edit {
                if let Outcome::Retry { after, .. } = outcome {
                    self.edits.hold(self.name(), after);
                }
            } else {
                self.note_outcome(outcome, sending);
            }
        }
        self.record_chain(chain).await;
    }

    fn may_edit(&self) -> bool {
        let limit = self.channel.channel.edit_limit();
        self.edits.may_edit(self.name(), limit)
    }

    /// Step 4 for a thread.
    async fn record_chain(&self, chain: &mut Chain) {
        chain.report_failure(self.name());
        let results = std::mem::take(&mut chain.results);
        self.end
            .hold(self.recorder.record(&chain.subject, &results))
            .await;
    }

    async fn send_group(&self, group: &Group<'_>, sending: &mut Sending) -> Outcome {
        let view = View::of_channel(self.channel);
        let message = self.renderer.render_or_fall_back(view, group);
        let prepared = self.channel.channel.prepare(&message, Operation::Post);
        self.send_prepared(&prepared, sending.attempts, sending)
            .await
    }

    async fn send_prepared(
        &self,
        prepared: &PreparedMessage<'_>,
        attempts: Attempts,
        sending: &mut Sending,
    ) -> Outcome {
        let started = Instant::now();
        let (is_tried, is_busy) = (AtomicBool::new(false), AtomicBool::new(false));
        let attempt = || {
            is_tried.store(true, Ordering::Relaxed);
            self.channel.channel.send(self.http, prepared)
        };
        let retrying = |wait: Duration, why: &str| {
            is_busy.store(true, Ordering::Relaxed);
            metrics::count_retry(self.name());
            self.log_wait(wait, why);
        };
        let outcome = send_with_retries(attempt, self.deadline, attempts, retrying).await;
        // Without enough time there was no attempt, and no message.
        if is_tried.into_inner() {
            metrics::count_message(self.name(), started.elapsed());
        }
        if is_busy.into_inner() {
            sending.limiter.slow_down();
        }
        outcome
    }

    /// Whether the channel accepts no more messages in the time that is left.
    fn is_closed(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Retry {
                after: Some(after), ..
            } => !self.deadline.has(*after),
            Outcome::Retry { after: None, .. }
            | Outcome::Unanswered { .. }
            | Outcome::Delivered { .. }
            | Outcome::Refused { .. } => false,
        }
    }

    /// Step 4. Records the outcome in the dedup store, as far as there is time.
    async fn record(
        &self,
        indexes: &[usize],
        granted: &HashMap<usize, Candidate>,
        outcome: &Outcome,
    ) -> Statuses {
        let tried = |index: &usize| (*index, DeliveryStatus::Tried(outcome.clone()));
        let mut statuses: Statuses = indexes.iter().map(tried).collect();
        let candidates = indexes.iter().filter_map(|index| granted.get(index));
        let recorded =
            candidates.map(|it| async { (it.index, self.record_one(it, outcome).await) });
        let mut recorded = stream::iter(recorded).buffer_unordered(AT_ONCE);
        while let Some(Some((index, status))) = self.end.hold(recorded.next()).await {
            statuses.insert(index, status);
        }
        statuses
    }

    async fn record_one(&self, candidate: &Candidate, outcome: &Outcome) -> DeliveryStatus {
        let tried = DeliveryStatus::Tried(outcome.clone());
        let Some(key) = &candidate.key else {
            return tried;
        };
        match (outcome, candidate.receives) {
            (Outcome::Delivered { .. }, _) => {
                let version = candidate.version.as_ref();
                self.dedup.commit(self.name(), key, version).await;
            }
            (Outcome::Unanswered { why, .. }, Some(receives)) => {
                let count = self.dedup.note_unanswered(key, receives).await;
                return self.unanswered(key, count, why);
            }
            (Outcome::Unanswered { .. }, None)
            | (Outcome::Retry { .. } | Outcome::Refused { .. }, _) => {
                self.dedup.release(key).await;
            }
        }
        tried
    }

    /// The event is sent again, unless it was sent too often already.
    fn unanswered(&self, key: &DedupKey, count: Unanswered, why: &str) -> DeliveryStatus {
        let status = DeliveryStatus::unanswered(count, why);
        if matches!(status, DeliveryStatus::GivenUp { .. }) {
            self.dedup.give_up(key, MOST_UNANSWERED);
        }
        status
    }

    /// Whether the event was already sent without an answer as often as allowed.
    fn given_up(&self, candidate: &Candidate) -> Option<DeliveryStatus> {
        let key = candidate.key.as_ref();
        let key = key.filter(|_| candidate.receives.is_some())?;
        let times = self.dedup.unanswered(key);
        (times >= MOST_UNANSWERED).then(|| DeliveryStatus::GivenUp {
            why: SENT_BEFORE.to_owned(),
        })
    }

    fn name(&self) -> &str {
        &self.channel.name
    }

    /// Logs a wait only if a person would notice it.
    fn log_wait(&self, wait: Duration, why: &str) {
        const NOTICEABLE: Duration = Duration::from_secs(1);
        if wait >= NOTICEABLE {
            let (channel, seconds) = (self.name(), wait.as_secs());
            tracing::warn!("{channel}: {why}; trying again in {seconds} s");
        }
    }
}

/// Step 2. Plans the messages for the channel, the most urgent first: the events that belong to no thread, and those
/// whose threads a summary counts.
fn group<'a>(events: &'a [BatchEvent], is_planned: &dyn Fn(usize) -> bool) -> MessagePlan<'a> {
    let planned = events
        .iter()
        .enumerate()
        .filter(|(index, _)| is_planned(*index));
    let items = planned.filter_map(|(index, event)| {
        let (notice, priority) = event.kept()?;
        Some(GroupItem {
            index,
            notice,
            priority,
        })
    });
    MessagePlan::of(&items.collect::<Vec<_>>())
}

fn status_of_duplicate(first: Option<&DeliveryStatus>) -> DeliveryStatus {
    match first {
        Some(DeliveryStatus::Tried(Outcome::Delivered { .. })) | None => DeliveryStatus::Duplicate,
        Some(other) => other.clone(),
    }
}

/// A message that is gone is posted anew instead.
fn is_edited(operation: Operation<'_>, outcome: &Outcome) -> bool {
    match (operation, outcome) {
        (Operation::Update(root), Outcome::Delivered { root: sent }) => {
            sent.as_ref().is_none_or(|sent| sent == root)
        }
        (Operation::Update(_) | Operation::Post | Operation::Reply { .. }, _) => false,
    }
}

/// After several failed attempts each further message is tried only once, until the channel accepts one.
fn next_attempts(outcome: &Outcome) -> Attempts {
    match outcome {
        Outcome::Retry { .. } | Outcome::Unanswered { .. } => Attempts::One,
        Outcome::Delivered { .. } | Outcome::Refused { .. } => Attempts::Several,
    }
}
