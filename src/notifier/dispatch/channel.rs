//! One channel's share of a batch: what it wants and does not have yet, one after another.

use std::collections::HashMap;
use std::future::ready;
use std::iter::successors;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use futures::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use super::Decided;
use super::candidate::{Candidate, apart};
use super::rate_limiter::RateLimiter;
use crate::aws::deadline::Deadline;
use crate::notifier::channel::{Attempts, Channel, Http, Outcome, persist};
use crate::notifier::dedup::{Claim, DedupKey, DedupStore, Unanswered};
use crate::notifier::group::{Item, Plan, PlannedMessage};
use crate::notifier::metrics;
use crate::notifier::render::{Dialect, Renderer};
use crate::notifier::report::{DeliveryStatus, MOST_UNANSWERED};

/// Claims on their way at the same time.
const AT_ONCE: usize = 16;

/// For all claims, where there is no end.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What sending to a channel needs.
pub(super) struct ChannelDispatcher<'a> {
    pub(super) channel: &'a Channel,
    pub(super) renderer: &'a Renderer,
    pub(super) http: &'a Http,
    pub(super) dedup: &'a DedupStore,
    /// By when the last message is out.
    pub(super) deadline: Deadline,
    /// By when everything is noted.
    pub(super) end: Deadline,
}

impl ChannelDispatcher<'_> {
    /// What came of each event, in its place; none for one that is not told to anybody.
    pub(super) async fn serve(&self, decided: &[Decided]) -> Vec<Option<DeliveryStatus>> {
        let mut sent: Vec<_> = decided.iter().map(|it| self.before_claims(it)).collect();
        let wanted = decided.iter().enumerate().zip(&sent);
        let wanted =
            wanted.filter_map(
                |((place, decided), sent)| match (decided.priority(), sent) {
                    (Some(priority), None) => {
                        Some(Candidate::of(self.name(), place, priority, decided))
                    }
                    _ => None,
                },
            );
        let (mut candidates, duplicates) = apart(wanted.collect());
        candidates.retain(|candidate| {
            let given_up = self.given_up(candidate);
            let is_left = given_up.is_none();
            sent[candidate.place] = given_up;
            is_left
        });
        let answers = self.claim_all(&candidates).await;
        let mut granted = HashMap::new();
        let mut items = Vec::new();
        for candidate in candidates {
            let place = candidate.place;
            match answers.get(&place) {
                Some(Claim::Duplicate) => sent[place] = Some(DeliveryStatus::Duplicate),
                Some(Claim::InFlight) => sent[place] = Some(DeliveryStatus::InFlight),
                // Without an answer in time, better twice than never.
                Some(Claim::Granted) | None => {
                    items.extend(decided[place].notice().map(|notice| Item {
                        place,
                        notice,
                        priority: candidate.priority,
                    }));
                    granted.insert(place, candidate);
                }
            }
        }
        for (place, result) in self.tell(&items, &granted).await {
            sent[place] = Some(result);
        }
        // What says the same, or less, in the same batch shares what came of the one that was told.
        for (place, other) in &duplicates {
            let last = successors(Some(other), |other| duplicates.get(other)).last();
            sent[*place] = Some(status_of_duplicate(
                last.and_then(|told| sent[*told].as_ref()),
            ));
        }
        sent
    }

    /// The dedup store's answers, as far as they come in half of the time that there is.
    async fn claim_all(&self, candidates: &[Candidate]) -> HashMap<usize, Claim> {
        let claims = candidates
            .iter()
            .map(|it| async { (it.place, self.claim(it).await) });
        let mut claims = stream::iter(claims).buffer_unordered(AT_ONCE);
        let until = self.deadline.share(TIMEOUT);
        let mut answers = HashMap::new();
        while let Ok(Some((place, claim))) = timeout_at(until, claims.next()).await {
            answers.insert(place, claim);
        }
        answers
    }

    /// As few messages as there is time for, one after another, and what came of each.
    async fn tell(
        &self,
        items: &[Item<'_>],
        granted: &HashMap<usize, Candidate>,
    ) -> Vec<(usize, DeliveryStatus)> {
        let mut plan = Plan::of(items);
        let mut rate_limiter = RateLimiter::new(self.channel);
        let mut attempts = Attempts::Several;
        let mut told = Vec::new();
        let mut closed = None;
        while let Some(PlannedMessage { places, group }) =
            plan.next(rate_limiter.budget(self.deadline))
        {
            if let Some(closed) = &closed {
                told.extend(self.note(&places, granted, closed).await);
                continue;
            }
            rate_limiter.wait(self.deadline).await;
            let dialect = self.channel.dialect();
            let message = self.renderer.render_or_fall_back(dialect, &group);
            let attempt = || self.channel.deliver(self.http, &message);
            let started = Instant::now();
            let is_busy = AtomicBool::new(false);
            let retrying = |wait: Duration, why: &str| {
                is_busy.store(true, Ordering::Relaxed);
                metrics::count_retry(dialect);
                say_wait(dialect, wait, why);
            };
            let outcome = persist(attempt, self.deadline, attempts, retrying).await;
            metrics::count_message(dialect, started.elapsed());
            if is_busy.into_inner() {
                rate_limiter.slow_down();
            }
            told.extend(self.note(&places, granted, &outcome).await);
            attempts = lesson(&outcome);
            closed = self.is_closed(&outcome).then_some(outcome);
        }
        told
    }

    /// Whether the channel wants to hear nothing more in the time that there is.
    fn is_closed(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Retry {
                after: Some(after), ..
            } => !self.deadline.has(*after),
            Outcome::Retry { after: None, .. }
            | Outcome::Unanswered { .. }
            | Outcome::Delivered
            | Outcome::Refused { .. } => false,
        }
    }

    /// Records in the dedup store what came of these, as far as there is time.
    async fn note(
        &self,
        places: &[usize],
        granted: &HashMap<usize, Candidate>,
        outcome: &Outcome,
    ) -> HashMap<usize, DeliveryStatus> {
        let tried = |place: &usize| (*place, DeliveryStatus::Tried(outcome.clone()));
        let mut sent: HashMap<_, _> = places.iter().map(tried).collect();
        let candidates = places.iter().filter_map(|place| granted.get(place));
        let committed = candidates.map(|it| async { (it.place, self.commit(it, outcome).await) });
        let committed = stream::iter(committed).buffer_unordered(AT_ONCE);
        let noted = committed.for_each(|(place, result)| {
            sent.insert(place, result);
            ready(())
        });
        self.end.hold(noted).await;
        sent
    }

    fn before_claims(&self, decided: &Decided) -> Option<DeliveryStatus> {
        let priority = decided.priority()?;
        if !self.channel.wants(priority) {
            return Some(DeliveryStatus::Filtered);
        }
        decided
            .was_posted_to(self.channel.dialect())
            .then_some(DeliveryStatus::Duplicate)
    }

    fn name(&self) -> &'static str {
        self.channel.dialect().into()
    }

    async fn claim(&self, candidate: &Candidate) -> Claim {
        match &candidate.key {
            Some(key) => self.dedup.claim(key, self.end_of_claim()).await,
            None => Claim::Granted,
        }
    }

    /// The end of the invocation: after it nobody works on this any more.
    fn end_of_claim(&self) -> SystemTime {
        const AT_A_TERMINAL: Duration = Duration::from_secs(300);
        // To answer, and for clocks that differ.
        const MORE: Duration = Duration::from_secs(2);
        let left = self.end.left().map_or(AT_A_TERMINAL, |left| left + MORE);
        SystemTime::now() + left
    }

    /// What came of it, for the dedup store and for whoever brought it.
    async fn commit(&self, candidate: &Candidate, outcome: &Outcome) -> DeliveryStatus {
        let tried = DeliveryStatus::Tried(outcome.clone());
        let Some(key) = &candidate.key else {
            return tried;
        };
        match (outcome, candidate.receives) {
            (Outcome::Delivered, _) => {
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

    /// DeliveryStatus again, or not any more, with what is known of how often it was sent.
    fn unanswered(&self, key: &DedupKey, count: Unanswered, why: &str) -> DeliveryStatus {
        let (times, what) = match count {
            Unanswered::Sent(times) => (times, "sent"),
            Unanswered::HandedOut(times) => (times, "handed out"),
        };
        if times < MOST_UNANSWERED {
            let why = why.to_owned();
            return DeliveryStatus::Unanswered { count, why };
        }
        self.dedup.give_up(key, MOST_UNANSWERED);
        DeliveryStatus::GivenUp {
            why: format!("{what} {times} times, and {why}"),
        }
    }

    /// Whether it was sent without an answer as often as it may be.
    fn given_up(&self, candidate: &Candidate) -> Option<DeliveryStatus> {
        let key = candidate
            .key
            .as_ref()
            .filter(|_| candidate.receives.is_some())?;
        let times = self.dedup.unanswered(key);
        (times >= MOST_UNANSWERED).then(|| DeliveryStatus::GivenUp {
            why: "sent before, and no answer said that it arrived".to_owned(),
        })
    }
}

/// Says that nothing stands still, where it takes longer than a moment.
fn say_wait(channel: Dialect, wait: Duration, why: &str) {
    const MOMENT: Duration = Duration::from_secs(1);
    if wait >= MOMENT {
        let seconds = wait.as_secs();
        tracing::warn!("{channel}: {why}; trying again in {seconds} s");
    }
}

fn status_of_duplicate(first: Option<&DeliveryStatus>) -> DeliveryStatus {
    match first {
        Some(DeliveryStatus::Tried(Outcome::Delivered)) | None => DeliveryStatus::Duplicate,
        Some(other) => other.clone(),
    }
}

/// What one delivery teaches about the next: a channel that took nothing after several attempts is asked once a
/// message, until it takes one.
fn lesson(outcome: &Outcome) -> Attempts {
    match outcome {
        Outcome::Retry { .. } | Outcome::Unanswered { .. } => Attempts::One,
        Outcome::Delivered | Outcome::Refused { .. } => Attempts::Several,
    }
}
