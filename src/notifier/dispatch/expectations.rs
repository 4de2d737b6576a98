//! Looks at what is expected, although no event says anything about it.
//!
//! Each entry of `EXPECT` has a timer, as every thread that waits. But a new entry has no event that could send its first
//! timer, a timer can be lost, and without a queue there are none. So after a batch was sent the function looks at all
//! entries, every quarter of an hour.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::notifier::thread::{SubjectKey, ThreadSettings, UnixTime};

/// Between two looks of a process. A timer comes as often.
const BETWEEN: Duration = Duration::from_secs(900);

/// A look reads and perhaps writes a few states. With less time it waits for the next batch.
pub(super) const LEAST_TIME: Duration = Duration::from_secs(2);

/// When this process looked at the expectations last.
#[derive(Debug, Default)]
pub struct ExpectationWatch(Mutex<Option<UnixTime>>);

impl ExpectationWatch {
    /// The subjects to look at now, if it is time for that.
    pub(super) fn due(&self, settings: &ThreadSettings, now: UnixTime) -> Vec<SubjectKey> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.since(last) < BETWEEN) {
            return Vec::new();
        }
        *last = Some(now);
        let entries = settings.expectations().iter();
        entries.map(|it| it.subject()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::thread::{Expectation, Rhythm, Schedule};

    #[test]
    fn a_process_looks_at_its_start_and_every_quarter_of_an_hour() {
        let hour = Duration::from_secs(3_600);
        let settings = ThreadSettings {
            expectations: Some(vec![Expectation {
                cluster: None,
                name: "report-nightly".to_owned(),
                schedule: Schedule {
                    rhythm: Rhythm::Every(hour),
                    grace: Duration::ZERO,
                    text: "1h".to_owned(),
                },
            }]),
            ..ThreadSettings::default()
        };
        let watch = ExpectationWatch::default();
        let due = |seconds: i64| {
            let now = UnixTime::of_milliseconds(1_793_064_704_000 + seconds * 1_000);
            watch.due(&settings, now).len()
        };
        let found = [0, 1, 899, 900, 901, 1_800].map(due);
        assert_eq!(found, [1, 0, 0, 1, 0, 1]);
    }
}
