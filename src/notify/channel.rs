//! One channel's share of a batch: what it wants and does not have yet, one after another.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use futures::{StreamExt as _, stream};
use tokio::time::Instant;

use super::Decided;
use super::account::Sent;
use crate::deadline::Deadline;
use crate::deliver::{Attempts, Channel, Http, Outcome, persist};
use crate::digest::{Group, Item, PACE, Plan};
use crate::ledger::{Claim, Key, Ledger, Transition, Version};
use crate::metrics;
use crate::render::Renderer;
use crate::triage::{Telling, Verdict};

/// Claims on their way at the same time.
const AT_ONCE: usize = 16;

/// What telling a channel needs.
pub(super) struct Telegraph<'a> {
    pub(super) channel: &'a Channel,
    pub(super) renderer: &'a Renderer,
    pub(super) http: &'a Http,
    pub(super) ledger: &'a Ledger,
    pub(super) deadline: Deadline,
}

/// A claim that was made for one event of the batch.
struct Claimed {
    key: Option<Key>,
    version: Option<Version>,
}

impl Telegraph<'_> {
    /// What came of each event, in its place; none for one that is not told to anybody.
    pub(super) async fn serve(&self, decided: &[Decided]) -> Vec<Option<Sent>> {
        let mut sent: Vec<Option<Sent>> = Vec::with_capacity(decided.len());
        let mut firsts: HashMap<Key, usize> = HashMap::new();
        let mut claims = Vec::new();
        for (index, decided) in decided.iter().enumerate() {
            sent.push(self.before_claims(decided));
            if let (Some(telling), None) = (decided.telling(), &sent[index]) {
                let claimed = Claimed::of(self.name(), decided);
                let twin = claimed
                    .key
                    .as_ref()
                    .and_then(|key| firsts.get(key).copied());
                if let Some(key) = claimed.key.clone().filter(|_| twin.is_none()) {
                    firsts.insert(key, index);
                }
                claims.push((index, telling, claimed, twin));
            }
        }
        let own = claims.iter().filter(|(_, _, _, twin)| twin.is_none());
        let answers =
            own.map(|(index, _, claimed, _)| async { (*index, self.claim(claimed).await) });
        let answers: HashMap<_, _> = stream::iter(answers)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut twins = Vec::new();
        let mut granted = HashMap::new();
        let mut items = Vec::new();
        for (place, telling, claimed, twin) in claims {
            match (twin, answers.get(&place)) {
                (Some(first), _) => twins.push((place, first)),
                (None, Some(Claim::Told)) => sent[place] = Some(Sent::AlreadyTold),
                (None, Some(Claim::Elsewhere)) => sent[place] = Some(Sent::Elsewhere),
                (None, Some(Claim::Granted) | None) => {
                    granted.insert(place, claimed);
                    items.extend(decided[place].notice().map(|notice| Item {
                        place,
                        notice,
                        telling,
                    }));
                }
            }
        }
        for (places, outcome) in self.tell(&items, &granted).await {
            for place in places {
                sent[place] = Some(Sent::Tried(outcome.clone()));
            }
        }
        // The same transition again, in the same batch, shares what came of the first.
        for (place, first) in twins {
            sent[place] = Some(twin_of(sent[first].as_ref()));
        }
        sent
    }

    /// As few messages as there is time for, one after another, and what came of each.
    async fn tell(
        &self,
        items: &[Item<'_>],
        granted: &HashMap<usize, Claimed>,
    ) -> Vec<(Vec<usize>, Outcome)> {
        let mut plan = Plan::of(items);
        let mut pace = Pace::new(self.channel);
        let mut attempts = Attempts::Several;
        let mut told = Vec::new();
        while let Some(Group { places, digest }) = plan.next(pace.room(self.deadline)) {
            pace.wait(self.deadline).await;
            let dialect = self.channel.dialect();
            let message = self.renderer.render_or_fall_back(dialect, &digest);
            let attempt = || self.channel.deliver(self.http, &message);
            let started = Instant::now();
            let retried = || metrics::count_retry(dialect);
            let outcome = persist(attempt, self.deadline, attempts, retried).await;
            metrics::count_message(dialect, started.elapsed());
            let claims = places.iter().filter_map(|place| granted.get(place));
            let settled = claims.map(|claimed| self.settle(claimed, &outcome));
            stream::iter(settled)
                .buffer_unordered(AT_ONCE)
                .collect::<Vec<_>>()
                .await;
            attempts = lesson(&outcome);
            told.push((places, outcome));
        }
        told
    }

    fn before_claims(&self, decided: &Decided) -> Option<Sent> {
        let telling = decided.telling()?;
        if !self.channel.wants(telling) {
            return Some(Sent::NotWanted);
        }
        decided
            .was_told_to(self.channel.dialect())
            .then_some(Sent::AlreadyTold)
    }

    fn name(&self) -> &'static str {
        self.channel.dialect().into()
    }

    async fn claim(&self, claimed: &Claimed) -> Claim {
        match &claimed.key {
            Some(key) => self.ledger.claim(key, self.end_of_claim()).await,
            None => Claim::Granted,
        }
    }

    /// The end of the invocation: after it nobody works on this any more.
    fn end_of_claim(&self) -> SystemTime {
        const AT_A_TERMINAL: Duration = Duration::from_secs(300);
        const TO_ANSWER: Duration = Duration::from_secs(1);
        let left = self
            .deadline
            .left()
            .map_or(AT_A_TERMINAL, |left| left + TO_ANSWER);
        SystemTime::now() + left
    }

    async fn settle(&self, claimed: &Claimed, outcome: &Outcome) {
        let Some(key) = &claimed.key else { return };
        match outcome {
            Outcome::Delivered => {
                let version = claimed.version.as_ref();
                self.ledger.settle(self.name(), key, version).await;
            }
            Outcome::Retry { .. } | Outcome::Refused { .. } => self.ledger.release(key).await,
        }
    }
}

impl Claimed {
    fn of(channel: &str, decided: &Decided) -> Self {
        let notice = decided.result.as_ref().ok().map(|(notice, _)| notice);
        Self {
            key: notice
                .and_then(Transition::of)
                .map(|transition| Key::new(channel, &transition)),
            version: notice.and_then(Version::of),
        }
    }
}

/// Chat services bear a few messages at once, and then one a second.
struct Pace {
    started: Instant,
    told: u32,
    is_kept: bool,
}

impl Pace {
    const AT_ONCE: u32 = 5;

    fn new(channel: &Channel) -> Self {
        Self {
            started: Instant::now(),
            told: 0,
            is_kept: is_chat(channel),
        }
    }

    /// How many messages more the time suffices for; none where that does not matter.
    fn room(&self, deadline: Deadline) -> Option<usize> {
        let left = deadline.left().filter(|_| self.is_kept)?;
        let left = left.saturating_sub(self.until_next());
        // A chat that is slower, or busy with what others tell it, is taken at its own pace.
        let taken = self.started.elapsed() / self.told.max(1);
        let each = match self.told < Self::AT_ONCE {
            true => PACE,
            false => PACE.max(taken),
        };
        usize::try_from(left.as_millis() / each.as_millis()).ok()
    }

    fn until_next(&self) -> Duration {
        let next = self.started + PACE * (self.told + 1).saturating_sub(Self::AT_ONCE);
        next.saturating_duration_since(Instant::now())
    }

    /// Until the next message may go, or the time is over: then the channel itself shall say.
    async fn wait(&mut self, deadline: Deadline) {
        let wait = self.until_next();
        self.told += 1;
        if self.is_kept && deadline.has(wait) {
            tokio::time::sleep(wait).await;
        }
    }
}

fn is_chat(channel: &Channel) -> bool {
    match channel {
        Channel::Slack(_) | Channel::Flowdock(_) => true,
        Channel::Terminal(_) => false,
    }
}

fn twin_of(first: Option<&Sent>) -> Sent {
    match first {
        Some(Sent::Tried(Outcome::Delivered)) | None => Sent::AlreadyTold,
        Some(other) => other.clone(),
    }
}

/// What one delivery teaches about the next: a channel that took nothing after several attempts is asked once a
/// message, until it takes one.
fn lesson(outcome: &Outcome) -> Attempts {
    match outcome {
        Outcome::Retry { .. } => Attempts::One,
        Outcome::Delivered | Outcome::Refused { .. } => Attempts::Several,
    }
}

impl Decided {
    fn telling(&self) -> Option<Telling> {
        match self.result {
            Ok((_, Verdict::Keep(telling))) => Some(telling),
            Ok((_, Verdict::Drop(_))) | Err(_) => None,
        }
    }
}
