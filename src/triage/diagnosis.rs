//! Why a task stopped, from the strings and codes that ECS leaves behind.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>. The first
//! cause that matches counts; the order is from what a reader must know to what explains itself.

use super::{Cause, DropReason, Policy, Severity, Telling, Verdict, Volume};
use crate::event::Container;
use crate::notice::{Subject, TaskFacts, TaskSource};

pub(super) fn of_stop(task: &TaskFacts, subject: &Subject, policy: &Policy) -> Verdict {
    let stop = Stop {
        task,
        subject,
        policy,
    };
    let asked_for = stop.early_cause();
    if asked_for.is_none() && stop.is_scaled_in() {
        return stop.scaled_in();
    }
    verdict(asked_for.unwrap_or_else(|| stop.late_cause()), &stop)
}

fn verdict(cause: Cause, stop: &Stop<'_>) -> Verdict {
    let (volume, severity) = match cause {
        Cause::LaunchFailed
        | Cause::OutOfMemory
        | Cause::ImagePull
        | Cause::FailedToStart
        | Cause::HealthCheck => (Volume::Loud, Severity::Critical),
        Cause::ApplicationExit if stop.only_ignored_exits() => (Volume::Quiet, Severity::Info),
        Cause::ApplicationExit => (Volume::Loud, Severity::Critical),
        Cause::SpotInterruption | Cause::ExitedInService | Cause::UnknownCause => {
            (Volume::Loud, Severity::Warning)
        }
        Cause::HostGone | Cause::StoppedByUser => (Volume::Quiet, Severity::Info),
        Cause::Finished => (Volume::Quiet, Severity::Success),
    };
    Verdict::Keep(Telling {
        cause: Some(cause),
        severity,
        volume,
    })
}

/// A stopped task, with what is asked of it.
struct Stop<'a> {
    task: &'a TaskFacts,
    subject: &'a Subject,
    policy: &'a Policy,
}

impl Stop<'_> {
    /// Causes that hold whoever wanted the task stopped.
    fn early_cause(&self) -> Option<Cause> {
        if self.any_reason(&["OutOfMemoryError"]) {
            Some(Cause::OutOfMemory)
        } else if self.any_reason(&["CannotPull"]) {
            Some(Cause::ImagePull)
        } else if self.failed_to_start() {
            Some(Cause::FailedToStart)
        } else if self
            .stopped_reason(&["failed ELB health checks", "failed container health checks"])
        {
            Some(Cause::HealthCheck)
        } else if self.stop_code(&["SpotInterruption", "TerminationNotice"])
            || self.any_reason(&["Spot Task was interrupted"])
        {
            Some(Cause::SpotInterruption)
        } else if self.host_is_gone() {
            Some(Cause::HostGone)
        } else {
            None
        }
    }

    fn late_cause(&self) -> Cause {
        if self.stop_code(&["UserInitiated"]) || self.stopped_reason(&["Task stopped by user"]) {
            return Cause::StoppedByUser;
        }
        let failed = self.exits().any(|code| code != 0);
        let finished = !failed && self.exits().next().is_some();
        let by_ecs = self.stop_code(&["ServiceSchedulerInitiated", "InfrastructureHealth"]);
        // ECS sends SIGTERM, then SIGKILL: an exit by either is its doing, and so is a clean one.
        let is_ecs_doing = by_ecs && self.exits().all(is_clean_or_killed);
        // The agent does not say who sent the signal.
        let is_a_guess = self.task.told_by == TaskSource::AgentReport
            && failed
            && self.exits().all(is_clean_or_killed)
            && self.task.stopped_reason.is_none()
            && self
                .task
                .containers
                .iter()
                .all(|container| container.reason.is_none());
        match () {
            () if is_ecs_doing || is_a_guess => Cause::UnknownCause,
            () if failed => Cause::ApplicationExit,
            () if finished && self.subject.service.is_some() => Cause::ExitedInService,
            () if finished => Cause::Finished,
            () => Cause::UnknownCause,
        }
    }

    fn is_scaled_in(&self) -> bool {
        let says_so = self.stopped_reason(&["Scaling activity initiated by"]);
        says_so && (self.task.stop_code.is_none() || self.stop_code(&["ServiceSchedulerInitiated"]))
    }

    /// A service that shrinks or replaces its tasks is at work, not in trouble.
    fn scaled_in(&self) -> Verdict {
        if self.counting_exits().all(is_clean_or_killed) {
            return Verdict::Drop(DropReason::RoutineStop);
        }
        Verdict::Keep(Telling {
            cause: Some(Cause::ApplicationExit),
            severity: Severity::Warning,
            volume: Volume::Quiet,
        })
    }

    fn failed_to_start(&self) -> bool {
        let nothing_ran = self.never_started() && self.exits().next().is_none();
        self.stop_code(&["TaskFailedToStart"])
            || (self.never_started() && self.names_an_error())
            || (nothing_ran
                && !self.was_wanted()
                && !self.host_is_gone()
                && self.speaks_of_containers())
    }

    /// The agent's report has no times: there, a container that ran is one with an exit code.
    fn never_started(&self) -> bool {
        match self.task.told_by {
            TaskSource::StateChange => self.task.started_at.is_none(),
            TaskSource::AgentReport => self.exits().next().is_none(),
        }
    }

    /// `SomethingError: …`, the form of every reason that ECS gives for a failure.
    fn names_an_error(&self) -> bool {
        self.reasons().any(|reason| {
            reason.split_once(':').is_some_and(|(name, _)| {
                name.ends_with("Error") && name.chars().all(|c| c.is_ascii_alphanumeric())
            })
        })
    }

    /// Stopping a task before it ran is not a failure where somebody asked for it.
    fn was_wanted(&self) -> bool {
        self.stop_code(&[
            "UserInitiated",
            "ServiceSchedulerInitiated",
            "SpotInterruption",
            "TerminationNotice",
        ]) || self.stopped_reason(&[
            "Task stopped by user",
            "Scaling activity initiated by",
            "failed ELB health checks",
            "failed container health checks",
            "Spot Task was interrupted",
        ])
    }

    /// The agent may report a stop without a word on containers, which says nothing of whether they ran.
    fn speaks_of_containers(&self) -> bool {
        !self.task.containers.is_empty() || self.task.told_by == TaskSource::StateChange
    }

    fn host_is_gone(&self) -> bool {
        let reason = self
            .task
            .stopped_reason
            .as_deref()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let host = reason.contains("host ec2")
            && (reason.contains("terminated") || reason.contains("stopped"));
        let instance = reason.contains("container instance")
            && (reason.contains("deregist") || reason.contains("draining"));
        host || instance
    }

    fn stop_code(&self, codes: &[&str]) -> bool {
        self.task
            .stop_code
            .as_deref()
            .is_some_and(|code| codes.contains(&code))
    }

    fn stopped_reason(&self, marks: &[&str]) -> bool {
        self.task
            .stopped_reason
            .as_deref()
            .is_some_and(|reason| marks.iter().any(|mark| reason.contains(mark)))
    }

    fn any_reason(&self, marks: &[&str]) -> bool {
        self.reasons()
            .any(|reason| marks.iter().any(|mark| reason.contains(mark)))
    }

    fn reasons(&self) -> impl Iterator<Item = &str> {
        let containers = self
            .task
            .containers
            .iter()
            .filter_map(|it| it.reason.as_deref());
        self.task
            .stopped_reason
            .as_deref()
            .into_iter()
            .chain(containers)
    }

    fn exits(&self) -> impl Iterator<Item = i64> {
        self.task
            .containers
            .iter()
            .filter_map(|container| container.exit_code)
    }

    /// Exits of the containers that the operator did not ask to ignore.
    fn counting_exits(&self) -> impl Iterator<Item = i64> {
        self.counting().filter_map(|container| container.exit_code)
    }

    fn counting(&self) -> impl Iterator<Item = &Container> {
        self.task
            .containers
            .iter()
            .filter(|container| !self.policy.ignores_exit_of(container))
    }

    fn only_ignored_exits(&self) -> bool {
        self.counting_exits().all(|code| code == 0)
    }
}

/// 137 is SIGKILL and 143 SIGTERM: how a container ends that is told to.
fn is_clean_or_killed(code: i64) -> bool {
    matches!(code, 0 | 137 | 143)
}

/// What an exit code above 128 says: the number of the signal that ended the process.
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

/// A cause in words that finish "the task …".
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
        Cause::ExitedInService => "exited, though its service wants it running",
        Cause::UnknownCause => "stopped",
    }
}
