//! Escalations: a problem that stays open for long is also sent to another channel, once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Reason, Turn};
use super::settings::ThreadSettings;
use super::unix_time::UnixTime;
use crate::notifier::policy::Severity;

/// The last escalation of a problem.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Escalation {
    /// How long the problem was open, in milliseconds: the longest time of the settings that has passed.
    after: Option<u64>,
}

impl Escalation {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The longest time of the settings for which the problem has been open.
    pub fn after(&self) -> Option<Duration> {
        self.after.map(Duration::from_millis)
    }

    /// When the next escalation of a problem is due that is open since then.
    pub(super) fn due_at(&self, since: UnixTime, settings: &ThreadSettings) -> Option<UnixTime> {
        Some(since.plus(self.next(settings).next()?))
    }

    /// The longest time that has passed since then, if it was not noted yet.
    pub(super) fn passed(
        &self,
        since: UnixTime,
        now: UnixTime,
        settings: &ThreadSettings,
    ) -> Option<Duration> {
        let is_over = |after: &Duration| since.plus(*after) <= now;
        self.next(settings).take_while(is_over).last()
    }

    /// The times that are longer than the last one. They are in order.
    fn next(&self, settings: &ThreadSettings) -> impl Iterator<Item = Duration> {
        let longer = move |it: &Duration| self.after().is_none_or(|after| *it > after);
        let all = settings.escalate_after.iter().copied();
        all.filter(longer)
    }

    /// Notes what a turn changes. From a return on the time counts anew.
    pub(super) fn note(&mut self, turn: &Turn) {
        if turn.reason == Reason::Escalated {
            self.after = turn.after;
        } else if turn.reason == Reason::CameBack {
            self.after = None;
        }
    }
}

/// The turn of a problem that has been open for so long.
pub(super) fn turn(now: UnixTime, severity: Severity, after: Option<Duration>) -> Turn {
    let after = after.and_then(|it| u64::try_from(it.as_millis()).ok());
    let turn = Turn::new(Reason::Escalated, now, severity, true);
    Turn { after, ..turn }.with_mention(severity == Severity::Critical)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(minutes * 60)
    }

    /// Several times pass at once if no function ran, and the times change with the configuration.
    #[test]
    fn the_longest_time_that_passed_is_noted() {
        let since = UnixTime::default();
        let mut escalation = Escalation::default();
        for (times, now, expected) in [
            (vec![10, 20, 60], 5, None),
            (vec![10, 20, 60], 25, Some(20)),
            (vec![10, 20, 60], 26, None),
            (vec![30], 31, Some(30)),
            (vec![10], 32, None),
        ] {
            let settings = ThreadSettings {
                escalate_after: times.into_iter().map(minutes).collect(),
                ..ThreadSettings::default()
            };
            let now = since.plus(minutes(now));
            let passed = escalation.passed(since, now, &settings);
            assert_eq!(passed, expected.map(minutes));
            if passed.is_some() {
                escalation.note(&turn(now, Severity::Critical, passed));
            }
        }
    }
}
