//! A stopped task, and what its strings, codes and exits mean together.

use super::blame::{ecs_reasons, may_end_task, says_nothing};
use super::{
    Cause, IMAGE_PULL, ecs_stopped_reason, has_stop_code, is_of_stopping, says_out_of_memory, stops,
};
use crate::ecs::notice::{Container, Host, Subject, TaskFacts, TaskSource};

/// A stopped task, with what is asked of it.
pub struct Stop<'a> {
    task: &'a TaskFacts,
    subject: &'a Subject,
}

pub enum Meaning {
    Because(Cause),
    /// A service shrinks, replaces its tasks or moves them to another zone.
    RoutineOfService,
}

impl<'a> Stop<'a> {
    pub fn new(task: &'a TaskFacts, subject: &'a Subject) -> Self {
        Self { task, subject }
    }

    /// From what holds whoever wanted the stop, over what ECS says of it, to what the exits say.
    pub fn meaning(&self) -> Meaning {
        let cause = match () {
            () if ecs_reasons(self.task).any(says_out_of_memory) => Cause::OutOfMemory,
            () if self.ecs_says(IMAGE_PULL) => Cause::ImagePull,
            () if self.never_started() && self.names_an_error() => Cause::FailedToStart,
            () if self.is_service_at_work() => return Meaning::RoutineOfService,
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

    /// By who asked for the stop and how the containers ended.
    pub fn by_its_end(&self) -> Cause {
        let failed = self.counting_exits().any(|code| code != 0);
        let has_exits = self.counting_exits().next().is_some();
        let has_reasons = self.has_reasons();
        // ECS sends SIGTERM, then SIGKILL: an exit by either is its doing, and so is a clean one.
        let by_signal_at_most = self.exits_cleanly();
        let was_told_to = self.was_asked_for() || self.could_not_be_stopped();
        let is_done = self.is_done() && !was_told_to;
        // The agent does not say who sent the signal.
        let by_nobody_known = self.task.reported_by == TaskSource::AgentReport
            && failed
            && self.task.stopped_reason.is_none()
            && !has_reasons
            && !is_done;
        match () {
            () if self.user_stopped_it() => Cause::StoppedByUser,
            () if by_signal_at_most && (was_told_to || by_nobody_known) && self.had_to_leave() => {
                Cause::HostGone
            }
            () if by_signal_at_most && (was_told_to || by_nobody_known) => Cause::UnknownCause,
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
    fn is_service_at_work(&self) -> bool {
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

    /// A container that exits 0 may end its task; ECS then stops the others, by SIGTERM and by SIGKILL.
    fn is_done(&self) -> bool {
        let has_reasons = self.has_reasons();
        let is_clean = self.exits().all(is_clean_or_killed);
        !has_reasons && is_clean && self.counting_exits().any(|code| code == 0)
    }

    /// A container of a task that never ran has ended: that one says why, not what a start needs.
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
        code || (nothing_ran && !self.was_wanted())
    }

    fn says_it_never_ran(&self) -> bool {
        let says_so = |reason: &str| {
            FAILURES.iter().any(|it| reason.starts_with(it)) || stops::names_a_failed_start(reason)
        };
        self.never_started() && ecs_stopped_reason(self.task).is_some_and(says_so)
    }

    /// The agent's report has no times: there, a container that ran is one with an exit code.
    fn never_started(&self) -> bool {
        match self.task.reported_by {
            TaskSource::StateChange => self.task.started_at.is_none(),
            TaskSource::AgentReport => self.exits().next().is_none(),
        }
    }

    /// `SomethingError: …`, the form of every reason that ECS gives for a failure. Spot has it too.
    fn names_an_error(&self) -> bool {
        ecs_reasons(self.task).any(|reason| {
            reason.split_once(':').is_some_and(|(name, _)| {
                name.ends_with("Error")
                    && name != SPOT_ERROR
                    && name.chars().all(|c| c.is_ascii_alphanumeric())
            })
        })
    }

    /// Stopping a task before it ran is not a failure where somebody asked for it.
    fn was_wanted(&self) -> bool {
        self.was_asked_for() || self.user_stopped_it()
    }

    /// Every stop code but these two says that somebody or something asked for the stop. Where the code is missing, so
    /// does every reason that does not just point at a container.
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

    /// ECS had told the container to stop before this happened.
    fn could_not_be_stopped(&self) -> bool {
        let mut containers = self.task.containers.iter();
        containers.any(|it| it.reason.as_deref().is_some_and(is_of_stopping))
            || ecs_stopped_reason(self.task).is_some_and(is_of_stopping)
    }

    /// "Task failed ELB health checks in …", "Task failed container health checks": of whomever they are.
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

    /// Terminated, stopped, drained, deregistered, or maintained by AWS.
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

    /// "infrastructure reported unhealthy": AWS does not say what was wrong with it.
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

    /// Where nothing else explains it, a task that is killed on an instance that drains had to go. An instance
    /// that is gone or silent by now may have been well then: that is for the words, not for the decision.
    fn had_to_leave(&self) -> bool {
        let by_ecs = self.task.stop_code.is_none() || self.was_asked_for();
        let was_killed = self.counting_exits().any(|code| matches!(code, 137 | 143));
        self.task.host == Some(Host::Draining) && by_ecs && was_killed
    }

    /// The service scheduler started it, also where the group does not name the service.
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

    /// Of the containers that may have ended the task.
    fn exits(&self) -> impl Iterator<Item = i64> {
        let containers = self.task.containers.iter();
        let may_end = containers.filter(|it| may_end_task(it, self.task));
        may_end.filter_map(|container| container.exit_code)
    }

    /// The same without those that the operator asked to ignore.
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

/// How ECS begins a sentence about a start that failed, where it gives no error a name.
const FAILURES: [&str; 4] = [
    "Task failed to start",
    "Timeout waiting for ",
    "Unable to ",
    "Unexpected ",
];

const SPOT_ERROR: &str = "SpotInterruptionError";

/// 137 is SIGKILL and 143 SIGTERM: how a container ends that is told to.
fn is_clean_or_killed(code: i64) -> bool {
    matches!(code, 0 | 137 | 143)
}
