//! Decides which stopped tasks are posted, and how urgent each one is.

#[cfg(test)]
mod tests;

use super::{Decision, DropReason, Priority, Severity};
use crate::ecs::diagnosis::{Cause, Meaning, Stop};
use crate::ecs::notice::{Subject, TaskFacts};

pub(super) fn decide(task: &TaskFacts, subject: &Subject) -> Decision {
    let stop = Stop::new(task, subject);
    match stop.meaning() {
        Meaning::Because(cause) => of_cause(cause, &stop),
        // A service that scales in or replaces its tasks works as intended.
        Meaning::RoutineOfService if stop.exits_cleanly() => {
            Decision::Drop(DropReason::RoutineStop)
        }
        Meaning::RoutineOfService => Decision::Keep(Priority {
            cause: Some(Cause::ApplicationExit),
            severity: Severity::Warning,
            urgent: false,
        }),
    }
}

fn of_cause(cause: Cause, stop: &Stop<'_>) -> Decision {
    let (urgent, severity) = match cause {
        Cause::LaunchFailed
        | Cause::OutOfMemory
        | Cause::ImagePull
        | Cause::FailedToStart
        | Cause::HealthCheck => (true, Severity::Critical),
        Cause::ApplicationExit if stop.only_ignored_failed() => (false, Severity::Info),
        // ECS was stopping the task, and a container ended with an error.
        Cause::ApplicationExit if stop.was_asked_for() => (true, Severity::Warning),
        Cause::ApplicationExit => (true, Severity::Critical),
        Cause::SpotInterruption | Cause::ExitedInService | Cause::UnknownCause => {
            (true, Severity::Warning)
        }
        // Outside a service, ECS does not start a replacement task.
        Cause::HostGone if stop.is_maintenance() && !stop.is_in_service() => {
            (true, Severity::Warning)
        }
        Cause::HostGone | Cause::StoppedByUser => (false, Severity::Info),
        Cause::Finished => (false, Severity::Success),
    };
    Decision::Keep(Priority {
        cause: Some(cause),
        severity,
        urgent,
    })
}
