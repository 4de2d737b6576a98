//! One channel's share of a batch: what it wants and does not have yet, one after another.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use futures::{StreamExt as _, stream};

use super::Decided;
use super::account::Sent;
use crate::deadline::Deadline;
use crate::deliver::{Attempts, Channel, Http, Outcome, persist};
use crate::ledger::{Claim, Key, Ledger, Transition, Version};
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
        let mut attempts = Attempts::Several;
        for (index, telling, claimed, twin) in claims {
            sent[index] = Some(match (twin, answers.get(&index)) {
                // The same transition again, in the same batch: it shares what came of the first.
                (Some(first), _) => twin_of(sent[first].as_ref()),
                (None, Some(Claim::Told)) => Sent::AlreadyTold,
                (None, Some(Claim::Elsewhere)) => Sent::Elsewhere,
                (None, Some(Claim::Granted) | None) => {
                    let outcome = self.tell(&decided[index], telling, attempts).await;
                    self.settle(&claimed, &outcome).await;
                    attempts = lesson(&outcome);
                    Sent::Tried(outcome)
                }
            });
        }
        sent
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

    async fn tell(&self, decided: &Decided, telling: Telling, attempts: Attempts) -> Outcome {
        let Ok((notice, _)) = &decided.result else {
            return Outcome::Delivered;
        };
        let dialect = self.channel.dialect();
        let message = self.renderer.render_or_fall_back(dialect, notice, telling);
        let attempt = || self.channel.deliver(self.http, &message);
        persist(attempt, self.deadline, attempts).await
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
