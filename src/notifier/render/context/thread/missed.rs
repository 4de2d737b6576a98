//! How the incident of a task is described that did not run.

use std::time::Duration;

use super::{by_times, rough};
use crate::ecs::notice::{Facts, MissedFacts};
use crate::notifier::thread::{Incident, Reason, Resolution, ThreadState, Turn};

/// The headline after the subject. `None` if the notice's own headline says it: one deadline was missed.
pub(super) fn says(incident: &Incident, turn: Option<&Turn>) -> Option<String> {
    let missed = by_times(incident.total);
    let facts = facts(incident);
    let what = facts.map_or("did not run", MissedFacts::in_words);
    match (turn.map(|it| it.reason), turn.and_then(|it| it.after)) {
        (Some(Reason::CameBack), Some(after)) => {
            let after = rough(Duration::from_millis(after));
            Some(format!(
                "{what} again, {after} after it ended well: missed {missed}"
            ))
        }
        (Some(Reason::Reminder | Reason::CameBack | Reason::Worse), _) => {
            Some(format!("still {what}: missed {missed}"))
        }
        (_, _) if incident.state() == ThreadState::Resolved => Some(resolved(incident)),
        (_, _) if incident.total > 1 => Some(format!("{what}: missed {missed}")),
        (_, _) => None,
    }
}

fn facts(incident: &Incident) -> Option<&MissedFacts> {
    match &incident.newest.as_deref()?.notice.facts {
        Facts::Missed(missed) => Some(missed),
        _ => None,
    }
}

fn resolved(incident: &Incident) -> String {
    let missed = match incident.total {
        0 | 1 => String::new(),
        total => format!(": missed {}", by_times(total)),
    };
    match incident.resolution {
        Some(Resolution::NotExpected) => {
            format!("is not expected any more, because EXPECT has changed{missed}")
        }
        Some(Resolution::ByHand) => format!("was closed by hand{missed}"),
        Some(
            Resolution::Recovered
            | Resolution::Quiet
            | Resolution::Deleted
            | Resolution::Deregistered,
        )
        | None => {
            let late = incident.sign_at.since(incident.first_at);
            match late.is_zero() {
                // Its event came late.
                true => "ended well in time".to_owned(),
                false => {
                    let task = facts(incident).and_then(|it| it.good.as_ref()?.id.as_ref());
                    let task = task.map(|it| format!(" (task {it})")).unwrap_or_default();
                    format!("ended well, {} after it was due{task}{missed}", rough(late))
                }
            }
        }
    }
}
