//! How the tasks of a request ended.
//!
//! The chosen container's exit code decides, but not alone. When an essential container ends, ECS stops all others with
//! SIGTERM, then SIGKILL. So a container that was stopped half-way may end with 0, and one that was not needed any more
//! ends with 143 or 137. ECS does not say which container ended first: DescribeTasks and the events have times of the
//! task, and none of its containers. What is known is used; where it does not suffice, the run has failed, because a
//! migration that ended half-way and looks done costs more than one that is looked at again.

use crate::aws::Task;
use crate::ecs::diagnosis::{self, Cause};
use crate::ecs::notice::{Container, Failure};

use super::definition::TaskDefinition;

/// Every task that was started, in the order in which it was, and what was not started.
#[derive(Debug, Clone, Default)]
pub struct RunOutcome {
    pub tasks: Vec<Task>,
    pub failures: Vec<Failure>,
    /// The container whose exit code is the task's.
    pub container: String,
}

/// How one task ended.
#[derive(Debug, Clone, Copy)]
pub struct TaskEnd<'a> {
    pub task: &'a Task,
    container: &'a str,
}

/// A process that ran and failed in a way of its own would have said so: this is ours.
pub const FAILED: u8 = 1;

impl RunOutcome {
    pub fn ends(&self) -> impl Iterator<Item = TaskEnd<'_>> {
        self.tasks
            .iter()
            .map(|task| TaskEnd::of(task, &self.container))
    }

    /// The exit status for whoever asked: of the first task that failed; of the request, where every task
    /// that was started succeeded but not all were.
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

/// Notes which containers end their task: as the definition says; one that it does not have (GuardDuty adds an agent)
/// does not.
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
    /// `container` is the one whose exit code counts.
    pub fn of(task: &'a Task, container: &'a str) -> Self {
        Self { task, container }
    }

    /// The chosen container's; absent where it never ran, and sometimes where it did.
    pub fn exit_code(self) -> Option<i64> {
        self.container().and_then(|it| it.exit_code)
    }

    pub fn cause(self) -> Cause {
        diagnosis::cause(&self.task.facts, &self.task.subject)
    }

    /// Whether it is known how the chosen container ended: with its task, or before it, where the task runs on without
    /// it because it is not essential.
    pub fn is_over(self) -> bool {
        let is_left_alone = || {
            self.may_be_left_alone()
                && self
                    .container()
                    .is_some_and(|it| it.essential != Some(true))
                && !self.others().any(|it| may_end_task(it) && has_stopped(it))
        };
        self.task.has_stopped() || is_left_alone()
    }

    /// The chosen container has ended, and nothing shows that the task will: only its definition tells.
    pub fn may_be_left_alone(self) -> bool {
        !self.task.has_stopped()
            && self.task.facts.desired_status.as_deref() != Some("STOPPED")
            && self.container().is_some_and(has_stopped)
    }

    /// A container that was told to stop before it was done may exit with 0 as well.
    pub fn ended_by_itself(self) -> bool {
        match self.task.facts.stop_code.as_deref() {
            None | Some("EssentialContainerExited") => true,
            Some(_) => false,
        }
    }

    pub fn succeeded(self) -> bool {
        self.exit_code() == Some(0) && self.ended_by_itself() && self.other_end().is_none()
    }

    /// The container's own exit code as a process's status. Windows has codes that a status cannot hold.
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

    /// In a sentence: "`app` exited with 1", "could not pull its image: CannotPullContainerError: …".
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
        let may_be_half_done = self.exit_code() == Some(0) && self.ended_by_itself();
        match self.other_end().filter(|_| may_be_half_done) {
            Some(other) if other.reason.is_none() => Some(self.on_essential(other)),
            Some(other) => of_cause().or_else(|| Some(self.on_essential(other))),
            None => of_cause(),
        }
    }

    /// Another container that ended the task, or may have: before the chosen one, or without its end.
    fn other_end(self) -> Option<&'a Container> {
        let mut others = self.others().filter(|it| may_end_task(it));
        let is_essential = self.container().and_then(|it| it.essential);
        if is_essential == Some(false) && self.task.has_stopped() {
            // The task did not end with the chosen container.
            return others.next();
        }
        others.find(|it| failed_itself(it))
    }

    /// What both containers did. None where neither has an exit code: then the task's own words say more.
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

    fn on_essential(self, other: &Container) -> String {
        let (own, other) = (self.container, other.name.as_deref().unwrap_or_default());
        let is_essential = self.container().and_then(|it| it.essential);
        if is_essential == Some(false) {
            return format!("set `essential` to true for `{own}` in the task definition");
        }
        format!(
            "if the task can do without `{other}`, set `essential` to false for it in the task definition; else let it \
             exit with 0 on SIGTERM"
        )
    }

    fn container(self) -> Option<&'a Container> {
        self.task.container(self.container)
    }

    fn others(self) -> impl Iterator<Item = &'a Container> {
        let containers = self.task.facts.containers.iter();
        containers.filter(move |it| it.name.as_deref() != Some(self.container))
    }

    /// What ECS says of it, after a colon.
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

/// Unless its definition says otherwise, any container may be the one that ended the task.
fn may_end_task(container: &Container) -> bool {
    container.essential != Some(false)
}

fn has_stopped(container: &Container) -> bool {
    container.last_status.as_deref() == Some("STOPPED")
}

/// Not because ECS stopped it: 0, 143 (SIGTERM) and 137 (SIGKILL) are how it ends then.
fn failed_itself(container: &Container) -> bool {
    let reason = container.reason.as_deref().unwrap_or_default();
    let has_own_reason = !reason.is_empty() && !diagnosis::is_of_stopping(reason);
    has_own_reason || !matches!(container.exit_code, None | Some(0 | 137 | 143))
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
