//! Finds out why a task stopped, from the texts and codes of ECS.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>. The first cause that
//! matches is used. The causes that matter most to a reader come first. Reasons are checked before stop codes, because
//! the codes are few and less exact.

mod blame;
pub mod launches;
pub mod placement;
mod stop;
mod stops;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::ecs::notice::{Subject, TaskFacts};
use blame::{ecs_reasons, may_end_task};
use stops::StopFacts;

pub use blame::{blames, blames_container, says_nothing};
pub use stop::{Meaning, Stop};
pub use stops::{Explanation, StopEntry, table};

/// Why something happened, if the event shows it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    LaunchFailed,
    OutOfMemory,
    ImagePull,
    FailedToStart,
    HealthCheck,
    SpotInterruption,
    HostGone,
    StoppedByUser,
    ApplicationExit,
    Finished,
    ExitedInService,
    UnknownCause,
}

const IMAGE_PULL: &str = "CannotPull";

/// Why a task stopped.
pub fn cause(task: &TaskFacts, subject: &Subject) -> Cause {
    let stop = Stop::new(task, subject);
    match stop.meaning() {
        Meaning::Because(cause) => cause,
        Meaning::RoutineOfService => stop.by_its_end(),
    }
}

/// What a cause means for this task, and what to do about it.
pub fn explain(cause: Cause, task: &TaskFacts) -> Explanation {
    let facts = stop_facts(task);
    stops::entry(cause, &facts).explain(task, &facts)
}

/// The entry of the table that explains a stop.
pub fn entry(cause: Cause, task: &TaskFacts) -> &'static StopEntry {
    stops::entry(cause, &stop_facts(task))
}

fn stop_facts(task: &TaskFacts) -> StopFacts<'_> {
    let is_blamed = blames(None, task);
    let failed = || task.containers.iter().filter(|it| is_blamed(it));
    let mut may_end = task.containers.iter().filter(|it| may_end_task(it, task));
    let reasons = task.containers.iter().filter_map(|it| it.reason.as_deref());
    let of_stopping = reasons.filter(|it| is_of_stopping(it));
    StopFacts {
        has_wrong_format: failed().any(|it| {
            let mut lines = it.log_tail.iter();
            lines.any(|line| line.contains(stops::WRONG_FORMAT))
        }),
        exits: failed().filter_map(|it| it.exit_code).collect(),
        has_ended: may_end.any(|it| it.exit_code.is_some()),
        host: task.host,
        is_on_fargate: [&task.launch_type, &task.capacity_provider]
            .into_iter()
            .flatten()
            .any(|it| it.starts_with("FARGATE")),
        ..StopFacts::of_reasons(ecs_reasons(task).chain(of_stopping).collect())
    }
}

/// `OutOfMemoryError: Container killed due to memory usage`; the name of the error is sometimes missing.
fn says_out_of_memory(reason: &str) -> bool {
    reason.contains("OutOfMemoryError") || reason.contains("killed due to memory usage")
}

/// Whether ECS gave this reason because it could not stop the container in time. The container itself did not fail.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>
pub fn is_of_stopping(reason: &str) -> bool {
    reason.contains("CannotStopContainerError") || reason.contains("ould not transition to stopped")
}

fn has_stop_code(task: &TaskFacts, codes: &[&str]) -> bool {
    let code = task.stop_code.as_deref();
    code.is_some_and(|code| codes.contains(&code))
}

/// The task's stopped reason, if ECS wrote it. A caller of StopTask can write any text there.
fn ecs_stopped_reason(task: &TaskFacts) -> Option<&str> {
    let reason = task.stopped_reason.as_deref()?;
    let is_ecs = !has_stop_code(task, &["UserInitiated"])
        || reason.starts_with("Container instance deregistration forced by user");
    is_ecs.then_some(reason)
}

/// The signal that ended a process. An exit code above 128 is the number of the signal plus 128.
pub fn signal(exit_code: i64) -> Option<&'static str> {
    match exit_code {
        129 => Some("SIGHUP"),
        130 => Some("SIGINT"),
        131 => Some("SIGQUIT"),
        132 => Some("SIGILL"),
        134 => Some("SIGABRT"),
        135 => Some("SIGBUS"),
        136 => Some("SIGFPE"),
        137 => Some("SIGKILL"),
        139 => Some("SIGSEGV"),
        141 => Some("SIGPIPE"),
        143 => Some("SIGTERM"),
        _ => None,
    }
}

/// A cause in words that complete the sentence "the task …".
pub fn in_words(cause: Cause) -> &'static str {
    match cause {
        Cause::LaunchFailed => "could not be launched",
        Cause::OutOfMemory => "ran out of memory",
        Cause::ImagePull => "could not pull its image",
        Cause::FailedToStart => "failed to start",
        Cause::HealthCheck => "failed its health checks",
        Cause::SpotInterruption => "lost its Spot capacity",
        Cause::HostGone => "lost its host",
        Cause::StoppedByUser => "was stopped by request",
        Cause::ApplicationExit => "exited with an error",
        Cause::Finished => "finished",
        Cause::ExitedInService => "exited, although its service must keep running",
        Cause::UnknownCause => "stopped",
    }
}
