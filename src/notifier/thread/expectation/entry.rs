//! An entry of `EXPECT`: what must end well, and how often.

use std::time::Duration;

use crate::ecs::notice::{Notice, Subject};
use crate::notifier::thread::subject::SubjectKey;
use crate::notifier::thread::unix_time::UnixTime;
use crate::text::cron::Cron;

/// A family or a service whose tasks must end well as often as the schedule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// `None` means any cluster.
    pub cluster: Option<String>,
    /// The name of the family or of the service.
    pub name: String,
    pub schedule: Schedule,
}

/// When a task must have ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub rhythm: Rhythm,
    /// How much later is still in time.
    pub grace: Duration,
    /// As the configuration has it. Another text is another schedule.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rhythm {
    /// So long after the last good end.
    Every(Duration),
    /// At or after each of these times.
    At(Box<Cron>),
}

impl Expectation {
    /// The subject with its state.
    pub fn subject(&self) -> SubjectKey {
        SubjectKey::of_expectation(self.cluster.as_deref(), &self.name)
    }

    /// `report-nightly`, `prod-batch/invoices`.
    pub fn full_name(&self) -> String {
        match &self.cluster {
            Some(cluster) => format!("{cluster}/{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Whether the task of an event is one that is expected.
    pub(super) fn includes(&self, notice: &Notice) -> bool {
        let Subject {
            cluster,
            service,
            family,
            ..
        } = &notice.subject;
        let is = |name: &Option<String>| name.as_ref() == Some(&self.name);
        let is_in_cluster = self.cluster.is_none() || *cluster == self.cluster;
        is_in_cluster && (is(service) || is(family))
    }
}

impl Schedule {
    /// The first deadline after this one for a task whose last good end was at `last`, or that is expected since then.
    /// `None` if the schedule has ended.
    pub(super) fn deadline_after(&self, last: UnixTime, deadline: UnixTime) -> Option<UnixTime> {
        match &self.rhythm {
            Rhythm::Every(every) => {
                let every = every.saturating_add(self.grace);
                let passed = deadline.since(last).as_millis();
                let number = passed.checked_div(every.as_millis())?.saturating_add(1);
                let number = u32::try_from(number).unwrap_or(u32::MAX);
                Some(last.plus(every.saturating_mul(number)))
            }
            Rhythm::At(cron) => {
                let after = last.max(deadline.minus(self.grace)).timestamp()?;
                Some(UnixTime::of(cron.next_after(after)?).plus(self.grace))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> UnixTime {
        UnixTime::of(text.parse().unwrap())
    }

    fn schedule(rhythm: Rhythm, grace: u64) -> Schedule {
        Schedule {
            rhythm,
            grace: Duration::from_secs(grace),
            text: String::new(),
        }
    }

    fn every(seconds: u64, grace: u64) -> Schedule {
        schedule(Rhythm::Every(Duration::from_secs(seconds)), grace)
    }

    #[test]
    fn deadlines_follow_the_last_good_end() {
        let night = schedule(
            Rhythm::At(Box::new(Cron::parse("30 2 * * ? *").unwrap())),
            3_600,
        );
        for (schedule, last, deadline, expected) in [
            (
                every(90_000, 0),
                "2026-11-20T02:40:00Z",
                "2026-11-20T02:40:00Z",
                "2026-11-21T03:40:00Z",
            ),
            (
                every(90_000, 0),
                "2026-11-20T02:40:00Z",
                "2026-11-21T03:40:00Z",
                "2026-11-22T04:40:00Z",
            ),
            (
                every(82_800, 7_200),
                "2026-11-20T02:40:00Z",
                "1970-01-01T00:00:00Z",
                "2026-11-21T03:40:00Z",
            ),
            // It ended after the schedule's time, so the next one is a day later.
            (
                night.clone(),
                "2026-11-20T02:40:00Z",
                "2026-11-20T02:40:00Z",
                "2026-11-21T03:30:00Z",
            ),
            (
                night.clone(),
                "2026-11-20T02:40:00Z",
                "2026-11-21T03:30:00Z",
                "2026-11-22T03:30:00Z",
            ),
            // Somebody ran it an hour before: that is not the run of this night.
            (
                night,
                "2026-11-21T01:30:00Z",
                "2026-11-21T01:30:00Z",
                "2026-11-21T03:30:00Z",
            ),
        ] {
            let found = schedule.deadline_after(at(last), at(deadline));
            assert_eq!(found, Some(at(expected)), "{schedule:?} {last} {deadline}");
        }
        let ended = schedule(
            Rhythm::At(Box::new(Cron::parse("30 2 * * ? 2020").unwrap())),
            0,
        );
        let last = at("2026-11-20T02:40:00Z");
        assert_eq!(ended.deadline_after(last, last), None);
    }

    proptest! {
        /// A deadline is never before what it follows, so that no wait is endless, and is the same from any time before.
        #[test]
        fn deadlines_go_on(
            last in 0..4_000_000_000_000_i64,
            since in 0..400_000_000_i64,
            seconds in 60..40_000_000_u64,
            grace in 0..200_000_u64,
            minute in 0..60,
        ) {
            let last = UnixTime::of_milliseconds(last);
            let from = last.plus(Duration::from_millis(since.unsigned_abs()));
            let cron = Cron::parse(&format!("{minute} 2 * * ? *")).unwrap();
            for schedule in [every(seconds, grace), schedule(Rhythm::At(Box::new(cron)), grace)] {
                let first = schedule.deadline_after(last, from).unwrap();
                prop_assert!(first > from && first > last);
                let second = schedule.deadline_after(last, first).unwrap();
                prop_assert!(second > first);
                let between = UnixTime::of_milliseconds(first.as_milliseconds() - 1).max(from);
                prop_assert_eq!(schedule.deadline_after(last, between), Some(first));
            }
        }
    }
}
