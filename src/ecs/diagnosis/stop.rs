//! Decides what the texts, codes and exits of a stopped task mean together.

use super::blame::{ecs_reasons, may_end_task, says_nothing};
use super::{
    Cause, IMAGE_PULL, ecs_stopped_reason, has_stop_code, is_of_stopping, says_out_of_memory, stops,
};
use crate::ecs::notice::{Container, Host, Subject, TaskFacts, TaskSource};

/// A stopped task and its subject.
pub struct Stop<'a> {
    task: &'a TaskFacts,
    subject: &'a Subject,
}

pub enum Meaning {
    Because(Cause),
    /// A service scales in, replaces its tasks or moves them to another zone.
    RoutineOfService,
}

impl<'a> Stop<'a> {
    pub fn new(task: &'a TaskFacts, subject: &'a Subject) -> Self {
        Self { task, subject }
    }

    /// First come the causes that do not depend on who requested the stop, then the reasons of ECS, then the exits.
    pub fn meaning(&self) -> Meaning {
        let cause = match () {
            () if ecs_reasons(self.task).any(says_out_of_memory) => Cause::OutOfMemory,
            () if self.ecs_says(IMAGE_PULL) => Cause::ImagePull,
            () if self.never_started() && self.names_an_error() => Cause::FailedToStart,
            () if self.is_service_routine() => return Meaning::RoutineOfService,
            () if self.health_check_failed() => Cause::HealthCheck,
            () if self.says_spot() => Cause::SpotInterruption,
            () if self.says_host_is_gone() => Cause::HostGone,
            () if self.ended_at_once() => Cause::ApplicationExit,
            () if self.says_it_never_ran() => Cause::FailedToStart,
            () if self.says_host_is_unhealthy() => Cause::UnknownCause,
            () if self.stop_code(&["SpotInterruption"]) => Cause::SpotInterruption,
            () if self.stop_code(&["TerminationNotice"]) => Cause::HostGone,
            () if self.failed_to_start() => Cause::FailedToStart,
            () => self.by_its_end(),
        };
        Meaning::Because(cause)
    }

    /// The cause, from who requested the stop and how the containers ended.
    pub fn by_its_end(&self) -> Cause {
        let failed = self.counting_exits().any(|code| code != 0);
        let has_exits = self.counting_exits().next().is_some();
        let has_reasons = self.has_reasons();
        // To stop a container, ECS sends SIGTERM, then SIGKILL. An exit by one of them, or a clean exit, follows from
        // that.
        let exits_cleanly = self.exits_cleanly();
        let ecs_stopped_it = self.was_asked_for() || self.could_not_be_stopped();
        let is_done = self.is_done() && !ecs_stopped_it;
        // The agent's report does not say who sent the signal.
        let is_sender_unknown = self.task.reported_by == TaskSource::AgentReport
            && failed
            && self.task.stopped_reason.is_none()
            && !has_reasons
            && !is_done;
        match () {
            () if self.user_stopped_it() => Cause::StoppedByUser,
            () if exits_cleanly && (ecs_stopped_it || is_sender_unknown) && self.had_to_leave() => {
                Cause::HostGone
            }
            () if exits_cleanly && (ecs_stopped_it || is_sender_unknown) => Cause::UnknownCause,
            () if is_done && self.is_in_service() => Cause::ExitedInService,
            () if is_done => Cause::Finished,
            () if failed => Cause::ApplicationExit,
            () if has_reasons => Cause::UnknownCause,
            () if has_exits && self.is_in_service() => Cause::ExitedInService,
            () if self.exits().any(|code| code != 0) => Cause::ApplicationExit,
            () if has_exits => Cause::Finished,
            () => Cause::UnknownCause,
        }
    }

    /// "Scaling activity initiated by (deployment …)", "Availability-zone rebalancing initiated by (deployment
    /// …)": the scheduler names the deployment for which it stopped the task.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/track-service-rebalancing.html>
    fn is_service_routine(&self) -> bool {
        let reason = ecs_stopped_reason(self.task).unwrap_or_default();
        let reason = reason.to_ascii_lowercase();
        let marks = [
            "initiated by (deployment ",
            "initiated by (taskset ",
            "initiated by (task set ",
            "scaling activity initiated by",
            "rebalanc",
        ];
        let is_in_trouble = ["fail", "unhealthy", "error"]
            .iter()
            .any(|it| reason.contains(it));
        marks.iter().any(|mark| reason.contains(mark)) && !is_in_trouble
    }

    pub fn exits_cleanly(&self) -> bool {
        self.counting_exits().all(is_clean_or_killed)
    }

    pub fn only_ignored_failed(&self) -> bool {
        self.counting_exits().all(|code| code == 0)
    }

    /// Whether the task finished. A container that exits 0 may end its task; ECS then stops the others by SIGTERM and
    /// SIGKILL.
    fn is_done(&self) -> bool {
        let has_reasons = self.has_reasons();
        let is_clean = self.exits().all(is_clean_or_killed);
        !has_reasons && is_clean && self.counting_exits().any(|code| code == 0)
    }

    /// Whether a container ended while the task was still starting. Its exit then explains the stop.
    fn ended_at_once(&self) -> bool {
        let reason = ecs_stopped_reason(self.task).unwrap_or_default();
        self.stop_code(&["TaskFailedToStart"])
            && says_nothing(reason)
            && !self.has_reasons()
            && self.counting_exits().any(|code| !is_clean_or_killed(code))
    }

    fn failed_to_start(&self) -> bool {
        let nothing_ran = self.never_started()
            && self.exits().next().is_none()
            && !self.task.containers.is_empty();
        let code = self.stop_code(&["TaskFailedToStart"]) && self.task.started_at.is_none();
        code || (nothing_ran && !self.was_requested())
    }

    fn says_it_never_ran(&self) -> bool {
        let says_so = |reason: &str| {
            START_FAILURES.iter().any(|it| reason.starts_with(it))
                || stops::names_a_failed_start(reason)
        };
        self.never_started() && ecs_stopped_reason(self.task).is_some_and(says_so)
    }

    /// The agent's report has no times. There, a container that ran is one that has an exit code.
    fn never_started(&self) -> bool {
        match self.task.reported_by {
            TaskSource::StateChange => self.task.started_at.is_none(),
            TaskSource::AgentReport => self.exits().next().is_none(),
        }
    }

    /// Whether a reason has the form `SomethingError: …`, which ECS uses for failures. Spot interruptions have it too,
    /// but they do not count.
    fn names_an_error(&self) -> bool {
        ecs_reasons(self.task).any(|reason| {
            reason.split_once(':').is_some_and(|(name, _)| {
                name.ends_with("Error")
                    && name != SPOT_ERROR
                    && name.chars().all(|c| c.is_ascii_alphanumeric())
            })
        })
    }

    /// If the stop was requested, a task that never ran has not failed.
    fn was_requested(&self) -> bool {
        self.was_asked_for() || self.user_stopped_it()
    }

    /// Whether a person or a service requested the stop. Every stop code except these two means so. If the code is
    /// missing, a reason means so too, unless it only refers to a container.
    pub fn was_asked_for(&self) -> bool {
        match self.task.stop_code {
            Some(_) => !self.stop_code(&["EssentialContainerExited", "TaskFailedToStart"]),
            None => {
                let reason = self.task.stopped_reason.as_deref().unwrap_or_default();
                self.task.started_at.is_some() && !says_nothing(reason) && !self.names_an_error()
            }
        }
    }

    fn user_stopped_it(&self) -> bool {
        let reason = self.task.stopped_reason.as_deref().unwrap_or_default();
        self.stop_code(&["UserInitiated"]) || reason.contains("Task stopped by user")
    }

    /// Whether ECS failed to stop a container, which means that it had asked the container to stop.
    fn could_not_be_stopped(&self) -> bool {
        let mut containers = self.task.containers.iter();
        containers.any(|it| it.reason.as_deref().is_some_and(is_of_stopping))
            || ecs_stopped_reason(self.task).is_some_and(is_of_stopping)
    }

    /// "Task failed ELB health checks in …", "Task failed container health checks", and so on.
    fn health_check_failed(&self) -> bool {
        ecs_reasons(self.task).any(|reason| {
            let reason = reason.to_ascii_lowercase();
            reason.contains("fail") && reason.contains("health check")
        })
    }

    fn says_spot(&self) -> bool {
        let reason = ecs_stopped_reason(self.task).unwrap_or_default();
        let reason = reason.to_ascii_lowercase();
        let is_taken = ["interrupt", "termination notice", "reclaim"];
        let own = reason.contains("spot") && is_taken.iter().any(|mark| reason.contains(mark));
        own || self.ecs_says(SPOT_ERROR)
    }

    /// Whether the host was terminated, stopped, drained or deregistered, or is under maintenance by AWS.
    fn says_host_is_gone(&self) -> bool {
        let reason = ecs_stopped_reason(self.task).unwrap_or_default();
        let reason = reason.to_ascii_lowercase();
        let host = reason.contains("host ec2")
            && (reason.contains("terminated") || reason.contains("stopped"));
        // "Container instance is draining", "Task stopped during instance draining" (Managed Instances).
        let instance = reason.contains("instance")
            && (reason.contains("deregist") || reason.contains("draining"));
        host || instance || self.is_maintenance()
    }

    /// "infrastructure reported unhealthy". AWS gives no further details.
    fn says_host_is_unhealthy(&self) -> bool {
        let reason = ecs_stopped_reason(self.task).unwrap_or_default();
        reason.contains("infrastructure") && reason.contains("unhealthy")
    }

    /// "ECS is performing maintenance on the underlying infrastructure hosting the task".
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-maintenance.html>
    pub fn is_maintenance(&self) -> bool {
        let reason = ecs_stopped_reason(self.task).unwrap_or_default();
        reason.contains("performing maintenance")
    }

    /// A task that was killed on a draining instance had to leave it, if nothing else explains the stop. An instance
    /// that is gone or disconnected now may have worked at that time. So that state changes only the message, not the
    /// cause.
    fn had_to_leave(&self) -> bool {
        let by_ecs = self.task.stop_code.is_none() || self.was_asked_for();
        let was_killed = self.counting_exits().any(|code| matches!(code, 137 | 143));
        self.task.host == Some(Host::Draining) && by_ecs && was_killed
    }

    /// Whether the service scheduler started it, even if the group does not name the service.
    pub fn is_in_service(&self) -> bool {
        let started_by = self.task.started_by.as_deref().unwrap_or_default();
        self.subject.service.is_some() || started_by.starts_with("ecs-svc/")
    }

    fn stop_code(&self, codes: &[&str]) -> bool {
        has_stop_code(self.task, codes)
    }

    fn ecs_says(&self, mark: &str) -> bool {
        ecs_reasons(self.task).any(|reason| reason.contains(mark))
    }

    /// The exit codes of the containers that may have ended the task.
    fn exits(&self) -> impl Iterator<Item = i64> {
        let containers = self.task.containers.iter();
        let may_end = containers.filter(|it| may_end_task(it, self.task));
        may_end.filter_map(|container| container.exit_code)
    }

    /// The same without the containers that the configuration ignores.
    fn counting_exits(&self) -> impl Iterator<Item = i64> {
        self.counting().filter_map(|container| container.exit_code)
    }

    fn has_reasons(&self) -> bool {
        let mut reasons = self.counting().filter_map(|it| it.reason.as_deref());
        reasons.any(|reason| !is_of_stopping(reason))
    }

    fn counting(&self) -> impl Iterator<Item = &Container> {
        let containers = self.task.containers.iter();
        let may_end = containers.filter(|it| may_end_task(it, self.task));
        may_end.filter(|container| !container.is_ignored)
    }
}

/// ECS's sentences about a failed start begin like this if they have no error name.
const START_FAILURES: [&str; 4] = [
    "Task failed to start",
    "Timeout waiting for ",
    "Unable to ",
    "Unexpected ",
];

const SPOT_ERROR: &str = "SpotInterruptionError";

/// 137 is SIGKILL and 143 is SIGTERM, the signals that ECS sends to stop a container.
fn is_clean_or_killed(code: i64) -> bool {
    matches!(code, 0 | 137 | 143)
}
