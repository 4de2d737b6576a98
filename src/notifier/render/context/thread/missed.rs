//! How the incident of a task is described that did not run.

use std::time::Duration;

use super::{by_times, rough};
use crate::notifier::thread::{Incident, Reason, Resolution, ThreadState, Turn};

/// The headline after the subject. `None` if the notice's own headline says it: one deadline was missed.
pub(super) fn says(incident: &Incident, turn: Option<&Turn>) -> Option<String> {
    let missed = by_times(incident.total);
    match (turn.map(|it| it.reason), turn.and_then(|it| it.after)) {
        (Some(Reason::CameBack), Some(after)) => {
            let after = rough(Duration::from_millis(after));
            Some(format!(
                "did not run again, {after} after it ended well: missed {missed}"
            ))
        }
        (Some(Reason::Reminder | Reason::CameBack | Reason::Worse), _) => {
            Some(format!("still did not run: missed {missed}"))
        }
        (_, _) if incident.state() == ThreadState::Resolved => Some(resolved(incident)),
        (_, _) if incident.total > 1 => Some(format!("did not run: missed {missed}")),
        (_, _) => None,
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
                false => format!("ended well, {} after it was due{missed}", rough(late)),
            }
        }
    }
}
