//! Escalations: a problem that stays open for long is also sent to another channel, once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Reason, Turn};
use super::settings::ThreadSettings;
use super::unix_time::UnixTime;
use crate::notifier::policy::Severity;

/// The escalations of a problem so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Escalation {
    /// How many of the times of the settings have passed.
    step: usize,
    /// How long the problem was open at the last one, in milliseconds.
    after: Option<u64>,
}

impl Escalation {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How long the problem was open when it was escalated last.
    pub fn after(&self) -> Option<Duration> {
        self.after.map(Duration::from_millis)
    }

    /// When the next escalation of a problem is due that is open since then.
    pub(super) fn due_at(&self, since: UnixTime, settings: &ThreadSettings) -> Option<UnixTime> {
        let after = settings.escalate_after.get(self.step)?;
        Some(since.plus(*after))
    }

    pub(super) fn is_due(&self, since: UnixTime, now: UnixTime, settings: &ThreadSettings) -> bool {
        self.due_at(since, settings).is_some_and(|due| due <= now)
    }

    /// The turn of the escalation that is due.
    pub(super) fn turn(
        &self,
        now: UnixTime,
        severity: Severity,
        settings: &ThreadSettings,
    ) -> Turn {
        let after = settings.escalate_after.get(self.step);
        let after = after.and_then(|it| u64::try_from(it.as_millis()).ok());
        let turn = Turn::new(Reason::Escalated, now, severity, true);
        Turn { after, ..turn }.with_mention(severity == Severity::Critical)
    }

    /// Notes that this turn was decided.
    pub(super) fn note(&mut self, turn: &Turn) {
        if turn.reason == Reason::Escalated {
            self.step += 1;
            self.after = turn.after;
        }
    }
}
