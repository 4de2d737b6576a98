//! What an operator can set about threads.

use std::time::Duration;

use super::expectation::Expectation;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// When threads remind, end and become storms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadSettings {
    /// `REMIND_AFTER`: the times after the opening at which a reminder is due, in order. The last one repeats.
    pub remind_after: Vec<Duration>,
    /// `RESOLVE_AFTER`: how long there must be no failure after the sign of a recovery.
    pub resolve_after: Duration,
    /// `escalate_after` of the channels: how long a problem is open until another channel gets it too. In order, each
    /// time once.
    pub escalate_after: Vec<Duration>,
    /// `STORM_AFTER`: how many incidents of a cluster within five minutes are one storm. Zero means never.
    pub storm_after: usize,
    /// `EXPECT`: which tasks must end well, and how often. `None` if this process does not know it: it then closes no
    /// incident whose entry is missing.
    pub expectations: Option<Vec<Expectation>>,
    /// Whether a channel can edit. Otherwise no timer is needed for an edit.
    pub has_edits: bool,
    /// Whether AWS may be asked how many tasks a service runs.
    pub may_ask: bool,
}

impl Default for ThreadSettings {
    fn default() -> Self {
        Self {
            remind_after: vec![5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, 24 * HOUR],
            resolve_after: 5 * MINUTE,
            escalate_after: Vec::new(),
            storm_after: 5,
            expectations: None,
            has_edits: true,
            may_ask: false,
        }
    }
}

impl ThreadSettings {
    pub fn expectations(&self) -> &[Expectation] {
        self.expectations.as_deref().unwrap_or_default()
    }

    /// The time after the opening of the reminder with this number, counted from zero.
    pub(super) fn step(&self, number: u32) -> Option<Duration> {
        let last = *self.remind_after.last()?;
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        match self.remind_after.get(index) {
            Some(step) => Some(*step),
            None => {
                let repeats = index
                    .saturating_sub(self.remind_after.len())
                    .saturating_add(2);
                last.checked_mul(u32::try_from(repeats).ok()?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_repeats() {
        let settings = ThreadSettings::default();
        let hours: Vec<_> = (3..7)
            .filter_map(|number| settings.step(number))
            .map(|step| step.as_secs() / 3_600)
            .collect();
        assert_eq!(hours, [4, 24, 48, 72]);
        let never = ThreadSettings {
            remind_after: Vec::new(),
            ..settings
        };
        assert_eq!(never.step(0), None);
    }
}
