//! Finds which container ended a task, and which one the message names.

use super::{IMAGE_PULL, ecs_stopped_reason, has_stop_code, is_of_stopping, says_out_of_memory};
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::{Container, TaskFacts};

/// Whether the task may have ended because of this container.
///
/// The task definition says so. If it is not known, these containers cannot have ended the task:
///
/// - a container that AWS added, because no definition has it;
/// - a container that never ran in a task that did run, because the task did not wait for it;
/// - a container with a reason, if another container's own exit explains the end.
pub(super) fn may_end_task(container: &Container, task: &TaskFacts) -> bool {
    let ran = task.started_at.is_some();
    let was_not_needed = ran && never_ran(container);
    let has_reason = container
        .reason
        .as_deref()
        .is_some_and(|it| !is_of_stopping(it));
    let is_explained = || {
        let mut others = task
            .containers
            .iter()
            .filter(|it| !std::ptr::eq(*it, container));
        ran && has_reason && others.any(ended_by_itself)
    };
    container
        .essential
        .unwrap_or_else(|| !container.is_added_by_aws() && !was_not_needed && !is_explained())
}

/// Whether it ended without a signal from ECS, as far as its exit code shows.
fn ended_by_itself(container: &Container) -> bool {
    let may_end = container.essential.unwrap_or(!container.is_added_by_aws());
    let by_itself = !matches!(container.exit_code, None | Some(137 | 143));
    may_end && by_itself && container.reason.is_none() && !container.is_ignored
}

fn never_ran(container: &Container) -> bool {
    let reason = container.reason.as_deref().unwrap_or_default();
    let could_not = ["CannotPull", "CannotCreate", "CannotStart"];
    container.exit_code.is_none() && could_not.iter().any(|it| reason.starts_with(it))
}

/// The reasons that ECS gives for a stop: for the task, and for each container that may have ended it. Reasons that
/// only follow from the stop itself are left out.
pub(super) fn ecs_reasons(task: &TaskFacts) -> impl Iterator<Item = &str> {
    let containers = task.containers.iter().filter(|it| may_end_task(it, task));
    let of_containers = containers.filter_map(|it| it.reason.as_deref());
    let own = of_containers.filter(move |it| !is_of_stopping(it) && !was_canceled(it, task));
    ecs_stopped_reason(task).into_iter().chain(own)
}

/// Whether the container's start was canceled because the task had to stop.
fn was_canceled(reason: &str, task: &TaskFacts) -> bool {
    let requested = [
        "UserInitiated",
        "ServiceSchedulerInitiated",
        "SpotInterruption",
        "TerminationNotice",
    ];
    reason.contains("context canceled") && has_stop_code(task, &requested)
}

/// Which containers failed. If one fails, ECS ends the others by a signal, and those did not fail.
pub fn blames(cause: Option<Cause>, task: &TaskFacts) -> impl Fn(&Container) -> bool {
    let failed = |it: &Container| it.exit_code.is_some_and(|code| code != 0);
    let failed_itself = move |it: &Container| {
        it.reason.is_some() || (failed(it) && !matches!(it.exit_code, Some(137 | 143)))
    };
    let may_end = |it: &Container| may_end_task(it, task);
    let counts = move |it: &Container| may_end(it) && !it.is_ignored;
    // A container that cannot end the task, or that the configuration ignores, counts only if no other one failed.
    let mut containers = task.containers.iter();
    let any_counts = containers.any(|it| counts(it) && (failed(it) || it.reason.is_some()));
    let may_be =
        move |it: &Container| !any_counts || counts(it) || (may_end(it) && it.reason.is_some());
    let mut containers = task.containers.iter();
    let any_itself = containers.any(|it| may_be(it) && failed_itself(it));
    let has = move |it: &Container, is_it: fn(&str) -> bool| {
        may_end(it) && it.reason.as_deref().is_some_and(is_it)
    };
    let any_has = move |is_it| task.containers.iter().any(|it| has(it, is_it));
    move |it| match cause {
        Some(Cause::OutOfMemory) if any_has(says_out_of_memory) => has(it, says_out_of_memory),
        Some(Cause::ImagePull) if any_has(says_pull) => has(it, says_pull),
        // Exits by a signal do not count: ECS ended those containers.
        Some(Cause::FailedToStart) if !any_itself => {
            counts(it) && it.exit_code.is_some_and(|code| !matches!(code, 137 | 143))
        }
        Some(Cause::ExitedInService) => it.exit_code == Some(0) && counts(it),
        _ if any_itself => may_be(it) && failed_itself(it),
        _ => may_be(it) && failed(it),
    }
}

fn says_pull(reason: &str) -> bool {
    reason.contains(IMAGE_PULL)
}

/// Whether a container explains the stop better than the task's own reason.
pub fn blames_container(cause: Option<Cause>, task: &TaskFacts) -> bool {
    let reason = task.stopped_reason.as_deref().unwrap_or_default();
    match cause {
        Some(Cause::OutOfMemory) => !says_out_of_memory(reason),
        Some(Cause::ImagePull) => !says_pull(reason),
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

/// Whether the task's reason is empty, or only says that a container has the reason.
pub fn says_nothing(stopped_reason: &str) -> bool {
    stopped_reason.is_empty()
        || stopped_reason.starts_with("Essential container in task exited")
        || stopped_reason.trim_end_matches('.') == "Task failed to start"
}
