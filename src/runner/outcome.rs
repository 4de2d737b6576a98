//! How the tasks of a request ended.
//!
//! The exit code of the chosen container decides, but not alone. When an essential container ends, ECS stops all others
//! with SIGTERM, then SIGKILL. So a container that was stopped before it was done may exit with 0, and one that was no
//! longer needed exits with 143 or 137. ECS does not report which container ended first: DescribeTasks and the events
//! have times of the task, but no times of its containers. If the known facts are not enough, the run counts as failed:
//! an unfinished migration that looks successful is worse than a finished one that somebody has to check.

use crate::aws::Task;
use crate::ecs::diagnosis::{self, Cause};
use crate::ecs::notice::{Container, Failure};

use super::definition::TaskDefinition;

/// The tasks that were started, in their order, and the failures of those that were not.
#[derive(Debug, Clone, Default)]
pub struct RunOutcome {
    pub tasks: Vec<Task>,
    pub failures: Vec<Failure>,
    /// The container whose exit code decides.
    pub container: String,
}

/// How one task ended.
#[derive(Debug, Clone, Copy)]
pub struct TaskEnd<'a> {
    pub task: &'a Task,
    container: &'a str,
}

/// The exit status if there is no exit code of a container to use.
pub const FAILED: u8 = 1;

impl RunOutcome {
    pub fn ends(&self) -> impl Iterator<Item = TaskEnd<'_>> {
        self.tasks
            .iter()
            .map(|task| TaskEnd::of(task, &self.container))
    }

    /// The exit status of the first task that failed. If all started tasks succeeded but not all tasks were started, it
    /// is [`FAILED`].
    pub fn status(&self) -> u8 {
        let of_tasks = self.ends().map(TaskEnd::status).find(|status| *status != 0);
        let of_request = if self.failures.is_empty() && !self.tasks.is_empty() {
            0
        } else {
            FAILED
        };
        of_tasks.unwrap_or(of_request)
    }
}

/// Marks which containers are essential in the definition. A container that is not in the definition is not essential;
/// GuardDuty adds such an agent.
pub fn mark_essential(task: &mut Task, definition: &TaskDefinition) {
    if definition.containers().next().is_none() {
        return;
    }
    for container in &mut task.facts.containers {
        let name = container.name.as_deref().unwrap_or_default();
        container.essential = Some(definition.is_essential(name).unwrap_or(false));
    }
}

impl<'a> TaskEnd<'a> {
    /// `container` is the one whose exit code decides.
    pub fn of(task: &'a Task, container: &'a str) -> Self {
        Self { task, container }
    }

    /// The exit code of the chosen container. It is absent if the container never ran, and sometimes if it ran.
    pub fn exit_code(self) -> Option<i64> {
        self.container().and_then(|it| it.exit_code)
    }

    pub fn cause(self) -> Cause {
        diagnosis::cause(&self.task.facts, &self.task.subject)
    }

    /// Whether it is known how the chosen container ended: either the task has stopped, or the container has ended and
    /// the task continues without it, because it is not essential.
    pub fn is_over(self) -> bool {
        let task_continues = || {
            self.task_may_continue()
                && self
                    .container()
                    .is_some_and(|it| it.essential != Some(true))
                && !self.others().any(|it| may_end_task(it) && has_stopped(it))
        };
        self.task.has_stopped() || task_continues()
    }

    /// Whether the chosen container has ended and nothing shows that the task will stop. Only the task definition has
    /// the answer then.
    pub fn task_may_continue(self) -> bool {
        !self.task.has_stopped()
            && self.task.facts.desired_status.as_deref() != Some("STOPPED")
            && self.container().is_some_and(has_stopped)
    }

    /// Whether no one stopped the task. A container that is stopped before it is done may also exit with 0.
    pub fn ended_by_itself(self) -> bool {
        match self.task.facts.stop_code.as_deref() {
            None | Some("EssentialContainerExited") => true,
            Some(_) => false,
        }
    }

    pub fn succeeded(self) -> bool {
        self.exit_code() == Some(0) && self.ended_by_itself() && self.other_end().is_none()
    }

    /// The container's exit code as the exit status of a process. Windows has exit codes that do not fit.
    pub fn status(self) -> u8 {
        match self.exit_code() {
            Some(0) if self.succeeded() => 0,
            Some(code) => u8::try_from(code)
                .ok()
                .filter(|code| *code != 0)
                .unwrap_or(FAILED),
            None => FAILED,
        }
    }

    /// In a sentence: "`app` exited with 1", "the task could not pull its image: CannotPullContainerError: …".
    pub fn in_words(self) -> String {
        let exit = self.container().and_then(exit_in_words);
        if self.succeeded() || !self.task.has_stopped() {
            return exit.unwrap_or_else(|| format!("`{}` has no exit code", self.container));
        }
        let other = self.other_end().filter(|_| self.ended_by_itself());
        if let Some(words) = other.and_then(|it| self.with_other(exit.as_deref(), it)) {
            return words;
        }
        let cause = self.cause();
        let words = diagnosis::in_words(cause);
        match (exit, cause) {
            (Some(exit), Cause::ApplicationExit | Cause::Finished) if self.ended_by_itself() => {
                exit
            }
            (Some(exit), _) => format!("{exit}; the task {words}{}", self.reason()),
            (None, _) => format!("the task {words}{}", self.reason()),
        }
    }

    pub fn advice(self) -> Option<String> {
        if self.succeeded() {
            return None;
        }
        let of_cause = || {
            let advice = diagnosis::explain(self.cause(), &self.task.facts).advice;
            advice.map(str::to_owned)
        };
        let may_be_unfinished = self.exit_code() == Some(0) && self.ended_by_itself();
        match self.other_end().filter(|_| may_be_unfinished) {
            Some(other) if other.reason.is_none() => Some(self.essential_advice(other)),
            Some(other) => of_cause().or_else(|| Some(self.essential_advice(other))),
            None => of_cause(),
        }
    }

    /// Another container that ended the task, or may have ended it, before the chosen container was done.
    fn other_end(self) -> Option<&'a Container> {
        let mut others = self.others().filter(|it| may_end_task(it));
        let is_essential = self.container().and_then(|it| it.essential);
        if is_essential == Some(false) && self.task.has_stopped() {
            // The end of the chosen container does not stop the task.
            return others.next();
        }
        others.find(|it| failed_by_itself(it))
    }

    /// What both containers did. `None` if neither has an exit code: then the reason of the task is more useful.
    fn with_other(self, exit: Option<&str>, other: &Container) -> Option<String> {
        let of_other = match (exit_in_words(other), &other.reason) {
            (Some(exit), None) => exit,
            (Some(exit), Some(reason)) => format!("{exit}: {reason}"),
            (None, Some(reason)) if exit.is_some() => {
                let name = other.name.as_deref().unwrap_or_default();
                format!("`{name}` has no exit code: {reason}")
            }
            (None, _) => return None,
        };
        let own = self.container;
        Some(match exit {
            None => format!("`{own}` has no exit code; {of_other}"),
            Some(exit) if self.exit_code() == Some(0) => {
                format!("{exit}, but the task may have ended before `{own}` was done: {of_other}")
            }
            Some(exit) => format!("{exit}; {of_other}"),
        })
    }

    fn essential_advice(self, other: &Container) -> String {
        let (own, other) = (self.container, other.name.as_deref().unwrap_or_default());
        let is_essential = self.container().and_then(|it| it.essential);
        if is_essential == Some(false) {
            return format!("set `essential` to true for `{own}` in the task definition");
        }
        format!(
            "if the task can continue without `{other}`, set `essential` to false for it in the task definition; otherwise \
             let it exit with 0 on SIGTERM"
        )
    }

    fn container(self) -> Option<&'a Container> {
        self.task.container(self.container)
    }

    fn others(self) -> impl Iterator<Item = &'a Container> {
        let containers = self.task.facts.containers.iter();
        containers.filter(move |it| it.name.as_deref() != Some(self.container))
    }

    /// The reason that ECS reports, after a colon.
    fn reason(self) -> String {
        let facts = &self.task.facts;
        let of_container = || {
            let chosen = self.container().and_then(|it| it.reason.as_deref());
            let any = || facts.containers.iter().find_map(|it| it.reason.as_deref());
            chosen.or_else(any)
        };
        let of_task = facts.stopped_reason.as_deref();
        let reason = if diagnosis::blames_container(Some(self.cause()), facts) {
            of_container().or(of_task)
        } else {
            of_task.or_else(of_container)
        };
        reason.map(|it| format!(": {it}")).unwrap_or_default()
    }
}

/// Each container may have ended the task, unless its definition says that it is not essential.
fn may_end_task(container: &Container) -> bool {
    container.essential != Some(false)
}

fn has_stopped(container: &Container) -> bool {
    container.last_status.as_deref() == Some("STOPPED")
}

/// Whether it failed before ECS stopped it. A container that ECS stops exits with 0, 143 (SIGTERM) or 137 (SIGKILL).
fn failed_by_itself(container: &Container) -> bool {
    let reason = container.reason.as_deref().unwrap_or_default();
    let has_reason_of_failure = !reason.is_empty() && !diagnosis::is_of_stopping(reason);
    has_reason_of_failure || !matches!(container.exit_code, None | Some(0 | 137 | 143))
}

/// "`app` exited with 137 (SIGKILL)".
fn exit_in_words(container: &Container) -> Option<String> {
    let name = container.name.as_deref().unwrap_or_default();
    let code = container.exit_code?;
    let signal = match diagnosis::signal(code) {
        Some(signal) => format!(" ({signal})"),
        None => String::new(),
    };
    Some(format!("`{name}` exited with {code}{signal}"))
}

#[cfg(test)]
mod tests;
