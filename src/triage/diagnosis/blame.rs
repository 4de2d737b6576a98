//! Which container ended a task, and which one the message names.

use super::{IMAGE_PULL, OUT_OF_MEMORY, ecs_stopped_reason};
use crate::notice::{Container, TaskFacts};
use crate::triage::Cause;

/// Whether the task may have ended because of this container.
///
/// Its definition says so. Where that is not known: not what AWS added to the task, which no definition has,
/// and not what never ran in a task that did run, for then the task did not wait for it.
pub(super) fn may_end_task(container: &Container, task: &TaskFacts) -> bool {
    let was_left_out = task.started_at.is_some() && never_ran(container);
    container
        .essential
        .unwrap_or(!container.is_added_by_aws() && !was_left_out)
}

fn never_ran(container: &Container) -> bool {
    let reason = container.reason.as_deref().unwrap_or_default();
    let could_not = ["CannotPull", "CannotCreate", "CannotStart"];
    container.exit_code.is_none() && could_not.iter().any(|it| reason.starts_with(it))
}

/// What ECS says of a stop: of the task, and of each container that may have ended it.
pub(super) fn ecs_reasons(task: &TaskFacts) -> impl Iterator<Item = &str> {
    let containers = task.containers.iter().filter(|it| may_end_task(it, task));
    let of_containers = containers.filter_map(|it| it.reason.as_deref());
    ecs_stopped_reason(task).into_iter().chain(of_containers)
}

/// Which containers failed. When one does, ECS ends the others by a signal: these did not fail.
pub fn blames(cause: Option<Cause>, task: &TaskFacts) -> impl Fn(&Container) -> bool {
    let failed = |it: &Container| it.exit_code.is_some_and(|code| code != 0);
    let failed_itself = move |it: &Container| {
        it.reason.is_some() || (failed(it) && !matches!(it.exit_code, Some(137 | 143)))
    };
    let may_end = |it: &Container| may_end_task(it, task);
    let counts = move |it: &Container| may_end(it) && !it.is_ignored;
    // What cannot end a task, or does not interest the operator, is to blame only where nothing else is.
    let mut containers = task.containers.iter();
    let any_counts = containers.any(|it| counts(it) && (failed(it) || it.reason.is_some()));
    let may_be =
        move |it: &Container| !any_counts || counts(it) || (may_end(it) && it.reason.is_some());
    let mut containers = task.containers.iter();
    let any_itself = containers.any(|it| may_be(it) && failed_itself(it));
    let mut containers = task.containers.iter();
    let any_failed = any_itself || containers.any(|it| may_be(it) && failed(it));
    move |it| match cause {
        Some(Cause::FailedToStart) if !any_failed => it.exit_code.is_some() && counts(it),
        Some(Cause::ExitedInService) => it.exit_code == Some(0) && counts(it),
        _ if any_itself => may_be(it) && failed_itself(it),
        _ => may_be(it) && failed(it),
    }
}

/// Whether a container tells why the task stopped, rather than the task's own reason.
pub fn blames_container(cause: Option<Cause>, task: &TaskFacts) -> bool {
    let reason = task.stopped_reason.as_deref().unwrap_or_default();
    match cause {
        Some(Cause::OutOfMemory) => !reason.contains(OUT_OF_MEMORY),
        Some(Cause::ImagePull) => !reason.contains(IMAGE_PULL),
        Some(Cause::ApplicationExit | Cause::ExitedInService) => true,
        Some(Cause::FailedToStart | Cause::UnknownCause) | None => says_nothing(reason),
        Some(
            Cause::LaunchFailed
            | Cause::HealthCheck
            | Cause::SpotInterruption
            | Cause::HostGone
            | Cause::StoppedByUser
            | Cause::Finished,
        ) => false,
    }
}

/// ECS's words for most stops, which only say that a container has the reason.
pub fn says_nothing(stopped_reason: &str) -> bool {
    stopped_reason.is_empty()
        || stopped_reason.starts_with("Essential container in task exited")
        || stopped_reason.trim_end_matches('.') == "Task failed to start"
}
