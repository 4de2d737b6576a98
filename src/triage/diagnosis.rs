//! Why a task stopped, from the strings and codes that ECS leaves behind.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>. The first
//! cause that matches counts; the order is from what a reader must know to what explains itself.

pub mod launches;
mod stops;

use super::{Cause, DropReason, Policy, Severity, Telling, Verdict, Volume};
use crate::notice::{Container, Host, Subject, TaskFacts, TaskSource};
use stops::Said;

pub use stops::{Entry, Explanation, table};

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

/// Why a task stopped, whoever wanted to hear of it.
pub fn cause(task: &TaskFacts, subject: &Subject) -> Cause {
    let stop = Stop {
        task,
        subject,
        policy: &Policy::default(),
    };
    stop.early_cause().unwrap_or_else(|| stop.late_cause())
}

/// What a cause means for this task, and what to do about it.
pub fn explain(cause: Cause, task: &TaskFacts) -> Explanation {
    let said = said(task);
    stops::entry(cause, &said).explain(task, &said)
}

/// The line of the table that explains a stop.
pub fn entry(cause: Cause, task: &TaskFacts) -> &'static Entry {
    stops::entry(cause, &said(task))
}

fn said(task: &TaskFacts) -> Said<'_> {
    let blamed = blames(None, &task.containers);
    let reasons: Vec<_> = ecs_reasons(task).collect();
    let mut failed = task.containers.iter().filter(|it| blamed(it));
    Said {
        texts: reasons.iter().map(|reason| reason.to_lowercase()).collect(),
        reasons,
        has_wrong_format: failed.any(|it| {
            let mut lines = it.last_words.iter();
            lines.any(|line| line.contains(stops::WRONG_FORMAT))
        }),
        exits: task
            .containers
            .iter()
            .filter(|it| blamed(it))
            .filter_map(|it| it.exit_code)
            .collect(),
        host: task.host,
    }
}

fn verdict(cause: Cause, stop: &Stop<'_>) -> Verdict {
    let (volume, severity) = match cause {
        Cause::LaunchFailed
        | Cause::OutOfMemory
        | Cause::ImagePull
        | Cause::FailedToStart
        | Cause::HealthCheck => (Volume::Loud, Severity::Critical),
        Cause::ApplicationExit if stop.counting_exits().all(|code| code == 0) => {
            (Volume::Quiet, Severity::Info)
        }
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

const OUT_OF_MEMORY: &str = "OutOfMemoryError";
const IMAGE_PULL: &str = "CannotPull";

/// A stopped task, with what is asked of it.
struct Stop<'a> {
    task: &'a TaskFacts,
    subject: &'a Subject,
    policy: &'a Policy,
}

impl Stop<'_> {
    /// Causes that hold whoever wanted the task stopped.
    fn early_cause(&self) -> Option<Cause> {
        if self.ecs_says(OUT_OF_MEMORY) {
            Some(Cause::OutOfMemory)
        } else if self.ecs_says(IMAGE_PULL) {
            Some(Cause::ImagePull)
        } else if self.failed_to_start() {
            Some(Cause::FailedToStart)
        } else if self.health_check_failed() {
            Some(Cause::HealthCheck)
        } else if self.spot_is_gone() {
            Some(Cause::SpotInterruption)
        } else if self.host_is_gone() {
            Some(Cause::HostGone)
        } else {
            None
        }
    }

    fn late_cause(&self) -> Cause {
        let failed = self.counting_exits().any(|code| code != 0);
        let has_exits = self.counting_exits().next().is_some();
        let has_reasons = self.counting().any(|container| container.reason.is_some());
        let by_signal_at_most = self.counting_exits().all(is_clean_or_killed);
        // ECS sends SIGTERM, then SIGKILL: an exit by either is its doing, and so is a clean one.
        let by_ecs = self.stop_code(&["ServiceSchedulerInitiated", "InfrastructureHealth"]);
        // The agent does not say who sent the signal.
        let by_nobody_known = self.task.told_by == TaskSource::AgentReport
            && failed
            && self.task.stopped_reason.is_none()
            && !has_reasons;
        match () {
            () if self.user_stopped_it() => Cause::StoppedByUser,
            () if by_signal_at_most && (by_ecs || by_nobody_known) && self.had_to_leave() => {
                Cause::HostGone
            }
            () if by_signal_at_most && (by_ecs || by_nobody_known) => Cause::UnknownCause,
            () if failed => Cause::ApplicationExit,
            () if has_reasons => Cause::UnknownCause,
            () if has_exits && self.is_in_service() => Cause::ExitedInService,
            () if self.exits().any(|code| code != 0) => Cause::ApplicationExit,
            () if has_exits => Cause::Finished,
            () => Cause::UnknownCause,
        }
    }

    fn is_scaled_in(&self) -> bool {
        let says_so = self.stopped_reason_has("Scaling activity initiated by");
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
        let nothing_ran = self.never_started()
            && self.exits().next().is_none()
            && !self.task.containers.is_empty();
        self.stop_code(&["TaskFailedToStart"])
            || (self.never_started() && !self.spot_is_gone() && self.names_an_error())
            || (nothing_ran && !self.was_wanted())
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
        ecs_reasons(self.task).any(|reason| {
            reason.split_once(':').is_some_and(|(name, _)| {
                name.ends_with("Error") && name.chars().all(|c| c.is_ascii_alphanumeric())
            })
        })
    }

    /// Stopping a task before it ran is not a failure where somebody asked for it.
    fn was_wanted(&self) -> bool {
        self.stop_code(&["ServiceSchedulerInitiated"])
            || self.user_stopped_it()
            || self.is_scaled_in()
            || self.health_check_failed()
            || self.spot_is_gone()
            || self.host_is_gone()
    }

    fn user_stopped_it(&self) -> bool {
        self.stop_code(&["UserInitiated"]) || self.stopped_reason_has("Task stopped by user")
    }

    fn health_check_failed(&self) -> bool {
        self.ecs_says("failed ELB health checks") || self.ecs_says("failed container health checks")
    }

    fn spot_is_gone(&self) -> bool {
        self.stop_code(&["SpotInterruption", "TerminationNotice"])
            || self.ecs_says("Spot Task was interrupted")
            || self.ecs_says("SpotInterruptionError")
    }

    fn host_is_gone(&self) -> bool {
        let reason = ecs_stopped_reason(self.task)
            .unwrap_or_default()
            .to_ascii_lowercase();
        let host = reason.contains("host ec2")
            && (reason.contains("terminated") || reason.contains("stopped"));
        let instance = reason.contains("container instance")
            && (reason.contains("deregist") || reason.contains("draining"));
        host || instance
    }

    /// Where nothing else explains it, a task that is killed on an instance that drains had to go. An instance
    /// that is gone or silent by now may have been well then: that is for the words, not for the verdict.
    fn had_to_leave(&self) -> bool {
        let by_ecs =
            self.task.stop_code.is_none() || self.stop_code(&["ServiceSchedulerInitiated"]);
        let was_killed = self.counting_exits().any(|code| matches!(code, 137 | 143));
        self.task.host == Some(Host::Draining) && by_ecs && was_killed
    }

    /// The service scheduler started it, also where the group does not name the service.
    fn is_in_service(&self) -> bool {
        let started_by = self.task.started_by.as_deref().unwrap_or_default();
        self.subject.service.is_some() || started_by.starts_with("ecs-svc/")
    }

    fn stop_code(&self, codes: &[&str]) -> bool {
        has_stop_code(self.task, codes)
    }

    fn stopped_reason_has(&self, mark: &str) -> bool {
        self.task
            .stopped_reason
            .as_deref()
            .is_some_and(|reason| reason.contains(mark))
    }

    fn ecs_says(&self, mark: &str) -> bool {
        ecs_reasons(self.task).any(|reason| reason.contains(mark))
    }

    fn exits(&self) -> impl Iterator<Item = i64> {
        let containers = self.task.containers.iter().filter(|it| may_end_task(it));
        containers.filter_map(|container| container.exit_code)
    }

    /// Exits of the containers that end the task and that the operator did not ask to ignore.
    fn counting_exits(&self) -> impl Iterator<Item = i64> {
        self.counting().filter_map(|container| container.exit_code)
    }

    fn counting(&self) -> impl Iterator<Item = &Container> {
        let containers = self.task.containers.iter().filter(|it| may_end_task(it));
        containers.filter(|container| !self.policy.ignores_exit_of(container))
    }
}

fn has_stop_code(task: &TaskFacts, codes: &[&str]) -> bool {
    let code = task.stop_code.as_deref();
    code.is_some_and(|code| codes.contains(&code))
}

/// What ECS says of a stop, of the task and of each container.
fn ecs_reasons(task: &TaskFacts) -> impl Iterator<Item = &str> {
    let containers = task.containers.iter();
    let of_containers = containers.filter_map(|it| it.reason.as_deref());
    ecs_stopped_reason(task).into_iter().chain(of_containers)
}

/// The task's reason where it is ECS's own: whoever calls StopTask may write anything there.
fn ecs_stopped_reason(task: &TaskFacts) -> Option<&str> {
    let reason = task.stopped_reason.as_deref()?;
    let is_ecs = !has_stop_code(task, &["UserInitiated"])
        || reason.starts_with("Container instance deregistration forced by user");
    is_ecs.then_some(reason)
}

/// Unless its definition says otherwise, a container may be the one that ended the task.
fn may_end_task(container: &Container) -> bool {
    container.essential != Some(false)
}

/// 137 is SIGKILL and 143 SIGTERM: how a container ends that is told to.
fn is_clean_or_killed(code: i64) -> bool {
    matches!(code, 0 | 137 | 143)
}

/// Which containers failed. When one does, ECS ends the others by a signal: these did not fail.
pub fn blames(
    cause: Option<Cause>,
    containers: &[Container],
) -> impl Fn(&Container) -> bool + use<> {
    let failed = |it: &Container| it.exit_code.is_some_and(|code| code != 0);
    let failed_itself = move |it: &Container| {
        it.reason.is_some() || (failed(it) && !matches!(it.exit_code, Some(137 | 143)))
    };
    let counts = |it: &Container| may_end_task(it) && !it.is_ignored;
    // What cannot end a task, or does not interest the operator, is to blame only where nothing else is.
    let any_counts = containers.iter().any(|it| counts(it) && failed(it));
    let may_be = move |it: &Container| !any_counts || counts(it) || it.reason.is_some();
    let any_itself = containers.iter().any(|it| may_be(it) && failed_itself(it));
    move |it| match cause {
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
fn says_nothing(stopped_reason: &str) -> bool {
    stopped_reason.is_empty()
        || stopped_reason.starts_with("Essential container in task exited")
        || stopped_reason == "Task failed to start"
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Time;

    /// A stopped task that ran: its stop code, its reason, and exit code and reason of `web` and `sidecar`.
    struct Case<'a> {
        code: &'a str,
        reason: &'a str,
        web: (Option<i64>, &'a str),
        sidecar: Option<i64>,
    }

    const RAN: Case<'_> = Case {
        code: "",
        reason: "",
        web: (None, ""),
        sidecar: None,
    };

    fn told(text: &str) -> Option<String> {
        Some(text.to_owned()).filter(|text| !text.is_empty())
    }

    fn task(case: &Case<'_>) -> TaskFacts {
        let container = |name: &str, exit_code, reason: &str| Container {
            name: told(name),
            exit_code,
            reason: told(reason),
            ..Container::default()
        };
        TaskFacts {
            stop_code: told(case.code),
            stopped_reason: told(case.reason),
            started_at: Some(Time::read("2026-11-05T12:00:00Z".to_owned())),
            containers: vec![
                container("web", case.web.0, case.web.1),
                container("sidecar", case.sidecar, ""),
            ],
            ..TaskFacts::default()
        }
    }

    fn cause(task: &TaskFacts, policy: &Policy) -> String {
        match of_stop(task, &Subject::default(), policy) {
            Verdict::Drop(reason) => reason.to_string(),
            Verdict::Keep(Telling { cause, volume, .. }) => {
                format!("{} {volume:?}", cause.unwrap()).to_lowercase()
            }
        }
    }

    fn check(cases: &[(Case<'_>, &str)], policy: &Policy) {
        for (case, expected) in cases {
            let context = format!(
                "{} {} {:?} {:?}",
                case.code, case.reason, case.web, case.sidecar
            );
            assert_eq!(cause(&task(case), policy), *expected, "{context}");
        }
    }

    #[test]
    fn exits_of_a_task_outside_a_service() {
        let exited = "Essential container in task exited";
        check(
            &[
                (
                    Case {
                        reason: exited,
                        web: (Some(0), ""),
                        ..RAN
                    },
                    "finished quiet",
                ),
                (
                    Case {
                        reason: exited,
                        web: (Some(1), ""),
                        ..RAN
                    },
                    "application_exit loud",
                ),
                (
                    Case {
                        reason: exited,
                        web: (Some(139), ""),
                        ..RAN
                    },
                    "application_exit loud",
                ),
                (
                    Case {
                        reason: exited,
                        web: (Some(0), ""),
                        sidecar: Some(2),
                        ..RAN
                    },
                    "application_exit loud",
                ),
                (
                    Case {
                        reason: exited,
                        web: (None, "DockerTimeoutError: x"),
                        ..RAN
                    },
                    "unknown_cause loud",
                ),
                (RAN, "unknown_cause loud"),
            ],
            &Policy::default(),
        );
    }

    #[test]
    fn an_ignored_exit_is_never_loud_and_hides_nobody() {
        let policy = Policy {
            ignored_containers: vec!["sidecar".to_owned()],
            ..Policy::default()
        };
        check(
            &[
                (
                    Case {
                        web: (Some(0), ""),
                        sidecar: Some(2),
                        ..RAN
                    },
                    "application_exit quiet",
                ),
                (
                    Case {
                        sidecar: Some(2),
                        ..RAN
                    },
                    "application_exit quiet",
                ),
                (
                    Case {
                        web: (Some(1), ""),
                        sidecar: Some(2),
                        ..RAN
                    },
                    "application_exit loud",
                ),
                (
                    Case {
                        web: (Some(137), "OutOfMemoryError: x"),
                        sidecar: Some(2),
                        ..RAN
                    },
                    "out_of_memory loud",
                ),
                (
                    Case {
                        web: (None, "DockerTimeoutError: x"),
                        sidecar: Some(2),
                        ..RAN
                    },
                    "unknown_cause loud",
                ),
            ],
            &policy,
        );
        let mut in_service = task(&Case {
            web: (Some(0), ""),
            sidecar: Some(2),
            ..RAN
        });
        in_service.started_by = told("ecs-svc/1");
        assert_eq!(cause(&in_service, &policy), "exited_in_service loud");
        let scaled = "Scaling activity initiated by (deployment ecs-svc/1)";
        check(
            &[(
                Case {
                    reason: scaled,
                    web: (Some(0), ""),
                    sidecar: Some(2),
                    ..RAN
                },
                "routine_stop",
            )],
            &policy,
        );
    }

    #[test]
    fn who_asked_for_the_stop() {
        let scaled = "Scaling activity initiated by (deployment ecs-svc/1)";
        let by_scheduler = Case {
            code: "ServiceSchedulerInitiated",
            web: (Some(143), ""),
            ..RAN
        };
        check(
            &[
                (
                    Case {
                        reason: scaled,
                        ..by_scheduler
                    },
                    "routine_stop",
                ),
                (
                    Case {
                        reason: scaled,
                        web: (Some(1), ""),
                        ..by_scheduler
                    },
                    "application_exit quiet",
                ),
                (
                    Case {
                        reason: "for a reason of its own",
                        ..by_scheduler
                    },
                    "unknown_cause loud",
                ),
                (
                    Case {
                        code: "UserInitiated",
                        reason: "OutOfMemoryError, CannotPull",
                        ..RAN
                    },
                    "stopped_by_user quiet",
                ),
                (
                    Case {
                        code: "UserInitiated",
                        web: (Some(137), "OutOfMemoryError: x"),
                        ..RAN
                    },
                    "out_of_memory loud",
                ),
                (
                    Case {
                        code: "SpotInterruption",
                        web: (Some(143), ""),
                        ..RAN
                    },
                    "spot_interruption loud",
                ),
                (
                    Case {
                        reason: "Host EC2 (instance i-0) terminated.",
                        web: (Some(137), ""),
                        ..RAN
                    },
                    "host_gone quiet",
                ),
                (
                    Case {
                        reason: "Task failed ELB health checks in (target-group x)",
                        ..by_scheduler
                    },
                    "health_check loud",
                ),
            ],
            &Policy::default(),
        );
    }

    #[test]
    fn before_it_started() {
        let pending = |case: Case<'_>| {
            let mut task = task(&case);
            task.started_at = None;
            cause(&task, &Policy::default())
        };
        assert_eq!(
            pending(Case {
                code: "TaskFailedToStart",
                ..RAN
            }),
            "failed_to_start loud"
        );
        assert_eq!(
            pending(Case {
                reason: "ResourceInitializationError: x",
                ..RAN
            }),
            "failed_to_start loud"
        );
        assert_eq!(pending(RAN), "failed_to_start loud");
        assert_eq!(
            pending(Case {
                code: "UserInitiated",
                reason: "SomeError: x",
                ..RAN
            }),
            "stopped_by_user quiet"
        );
        assert_eq!(
            pending(Case {
                code: "SpotInterruption",
                ..RAN
            }),
            "spot_interruption loud"
        );
        let scaled = "Scaling activity initiated by (deployment ecs-svc/1)";
        assert_eq!(
            pending(Case {
                reason: scaled,
                ..RAN
            }),
            "routine_stop"
        );
    }
}
