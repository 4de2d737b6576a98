//! The names of a task that is expected and did not run.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::text;
use super::thread::rough;
use crate::ecs::notice::{MissedFacts, PastTask};

/// What a template can say about it.
#[derive(Debug, Default, Serialize)]
pub(super) struct ExpectedNames {
    /// The family or the service.
    name: String,
    schedule: String,
    since: Option<String>,
    /// The deadline that has passed.
    due_at: Option<String>,
    /// From the last good end to the deadline, or from the beginning if there is none: `26 h`.
    silent_for: Option<String>,
    good: Option<PastTaskNames>,
    /// The last task, if it did not end well.
    last: Option<PastTaskNames>,
    /// The last task, if it still runs.
    running: Option<PastTaskNames>,
    /// What is missing, after the name: `did not run`.
    says: &'static str,
}

#[derive(Debug, Serialize)]
struct PastTaskNames {
    task: Option<String>,
    at: Option<String>,
    /// In words that finish "the task …".
    ended: String,
}

impl ExpectedNames {
    pub(super) fn of(missed: &MissedFacts, due_at: Option<&str>) -> Self {
        let good = missed.good.as_ref();
        let from = good.and_then(|it| it.at.as_ref()).or(missed.since.as_ref());
        let from = from.and_then(|it| it.instant());
        let due = due_at.and_then(|it| it.parse::<Timestamp>().ok());
        let silent_for = from.zip(due).map(|(from, due)| {
            let passed = due.duration_since(from);
            in_hours(passed.unsigned_abs())
        });
        Self {
            name: missed.name.clone(),
            schedule: missed.schedule.clone(),
            since: text(missed.since.as_ref()),
            due_at: due_at.map(str::to_owned),
            silent_for,
            good: good.map(PastTaskNames::of),
            last: missed.last.as_ref().map(PastTaskNames::of),
            running: missed.running.as_ref().map(PastTaskNames::of),
            says: missed.in_words(),
        }
    }
}

/// Schedules are in hours, so a day and an hour is `25 h`.
fn in_hours(passed: Duration) -> String {
    const HOUR: u64 = 3_600;
    match passed.as_secs() / HOUR {
        0 => rough(passed),
        hours @ 1..72 => format!("{hours} h"),
        hours => format!("{} days", hours / 24),
    }
}

impl PastTaskNames {
    fn of(task: &PastTask) -> Self {
        Self {
            task: task.id.clone(),
            at: text(task.at.as_ref()),
            ended: task.words.clone(),
        }
    }
}
