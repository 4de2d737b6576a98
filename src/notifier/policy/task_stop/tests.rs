//! Tables of stopped tasks and their causes.

use super::*;
use crate::ecs::diagnosis::{blames, explain};
use crate::ecs::event::Time;
use crate::ecs::notice::Container;
use crate::notifier::policy::Policy;

/// A stopped task that ran: its stop code and reason, and the exit codes and reasons of `web` and `sidecar`.
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

fn non_empty(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn task(case: &Case<'_>) -> TaskFacts {
    let container = |name: &str, exit_code, reason: &str| Container {
        name: non_empty(name),
        exit_code,
        reason: non_empty(reason),
        ..Container::default()
    };
    TaskFacts {
        stop_code: non_empty(case.code),
        stopped_reason: non_empty(case.reason),
        started_at: Some(Time::read("2026-11-05T12:00:00Z".to_owned())),
        containers: vec![
            container("web", case.web.0, case.web.1),
            container("sidecar", case.sidecar, ""),
        ],
        ..TaskFacts::default()
    }
}

fn cause(task: &TaskFacts, policy: &Policy) -> String {
    let mut task = task.clone();
    for container in &mut task.containers {
        container.is_ignored = policy.ignores_exit_of(container);
    }
    match decide(&task, &Subject::default()) {
        Decision::Drop(reason) => reason.to_string(),
        Decision::Keep(Priority { cause, urgent, .. }) => match urgent {
            true => format!("{} urgent", cause.unwrap()),
            false => cause.unwrap().to_string(),
        },
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
                "finished",
            ),
            (
                Case {
                    reason: exited,
                    web: (Some(1), ""),
                    ..RAN
                },
                "application_exit urgent",
            ),
            (
                Case {
                    reason: exited,
                    web: (Some(139), ""),
                    ..RAN
                },
                "application_exit urgent",
            ),
            (
                Case {
                    reason: exited,
                    web: (Some(0), ""),
                    sidecar: Some(2),
                    ..RAN
                },
                "application_exit urgent",
            ),
            (
                Case {
                    reason: exited,
                    web: (None, "DockerTimeoutError: x"),
                    ..RAN
                },
                "unknown_cause urgent",
            ),
            (RAN, "unknown_cause urgent"),
        ],
        &Policy::default(),
    );
}

#[test]
fn an_ignored_exit_is_never_urgent_and_hides_no_other_exit() {
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
                "application_exit",
            ),
            (
                Case {
                    sidecar: Some(2),
                    ..RAN
                },
                "application_exit",
            ),
            (
                Case {
                    web: (Some(1), ""),
                    sidecar: Some(2),
                    ..RAN
                },
                "application_exit urgent",
            ),
            (
                Case {
                    web: (Some(137), "OutOfMemoryError: x"),
                    sidecar: Some(2),
                    ..RAN
                },
                "out_of_memory urgent",
            ),
            (
                Case {
                    web: (None, "DockerTimeoutError: x"),
                    sidecar: Some(2),
                    ..RAN
                },
                "unknown_cause urgent",
            ),
        ],
        &policy,
    );
    let mut in_service = task(&Case {
        web: (Some(0), ""),
        sidecar: Some(2),
        ..RAN
    });
    in_service.started_by = non_empty("ecs-svc/1");
    assert_eq!(cause(&in_service, &policy), "exited_in_service urgent");
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
fn the_cause_depends_on_who_requested_the_stop() {
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
                "application_exit",
            ),
            (
                Case {
                    reason: "for a reason of its own",
                    ..by_scheduler
                },
                "unknown_cause urgent",
            ),
            (
                Case {
                    code: "UserInitiated",
                    reason: "OutOfMemoryError, CannotPull",
                    ..RAN
                },
                "stopped_by_user",
            ),
            (
                Case {
                    code: "UserInitiated",
                    web: (Some(137), "OutOfMemoryError: x"),
                    ..RAN
                },
                "out_of_memory urgent",
            ),
            (
                Case {
                    code: "SpotInterruption",
                    web: (Some(143), ""),
                    ..RAN
                },
                "spot_interruption urgent",
            ),
            (
                Case {
                    reason: "Host EC2 (instance i-0) terminated.",
                    web: (Some(137), ""),
                    ..RAN
                },
                "host_gone",
            ),
            (
                Case {
                    reason: "Task failed ELB health checks in (target-group x)",
                    ..by_scheduler
                },
                "health_check urgent",
            ),
        ],
        &Policy::default(),
    );
}

#[test]
fn tasks_that_stopped_before_they_started() {
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
        "failed_to_start urgent"
    );
    assert_eq!(
        pending(Case {
            reason: "ResourceInitializationError: x",
            ..RAN
        }),
        "failed_to_start urgent"
    );
    assert_eq!(pending(RAN), "failed_to_start urgent");
    assert_eq!(
        pending(Case {
            code: "UserInitiated",
            reason: "SomeError: x",
            ..RAN
        }),
        "stopped_by_user"
    );
    assert_eq!(
        pending(Case {
            code: "SpotInterruption",
            ..RAN
        }),
        "spot_interruption urgent"
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

/// The task definition says whether `web` and `sidecar` are essential.
fn with_definition(case: &Case<'_>, web: bool, sidecar: bool) -> TaskFacts {
    let mut task = task(case);
    task.containers[0].essential = Some(web);
    task.containers[1].essential = Some(sidecar);
    task
}

#[test]
fn an_exit_0_stops_the_other_containers() {
    let exited = Case {
        code: "EssentialContainerExited",
        reason: "Essential container in task exited",
        web: (Some(0), ""),
        ..RAN
    };
    for (sidecar, expected) in [
        (143, "finished"),
        (137, "finished"),
        (1, "application_exit urgent"),
    ] {
        let case = Case {
            sidecar: Some(sidecar),
            ..exited
        };
        assert_eq!(cause(&task(&case), &Policy::default()), expected);
    }
    let mut in_service = task(&Case {
        sidecar: Some(143),
        ..exited
    });
    in_service.started_by = non_empty("ecs-svc/1");
    let found = cause(&in_service, &Policy::default());
    assert_eq!(found, "exited_in_service urgent");
    // No container exited without being stopped.
    let killed = Case {
        web: (Some(143), ""),
        sidecar: Some(137),
        ..exited
    };
    let found = cause(&task(&killed), &Policy::default());
    assert_eq!(found, "application_exit urgent");
}

#[test]
fn a_container_that_is_not_essential_is_not_the_cause() {
    let scaled = Case {
        code: "ServiceSchedulerInitiated",
        reason: "Scaling activity initiated by (deployment ecs-svc/1)",
        web: (Some(143), ""),
        sidecar: Some(137),
    };
    let decided = |essential: Option<bool>| {
        let mut task = task(&scaled);
        task.containers[0].essential = essential.map(|_| true);
        task.containers[1].essential = essential;
        task.containers[1].reason =
            non_empty("OutOfMemoryError: Container killed due to memory usage");
        cause(&task, &Policy::default())
    };
    assert_eq!(decided(Some(false)), "routine_stop");
    assert_eq!(decided(Some(true)), "out_of_memory urgent");
    assert_eq!(decided(None), "out_of_memory urgent", "it may be essential");

    let pull = "CannotPullContainerError: ref pull has been retried 5 time(s)";
    let agent = |name: &str| {
        let mut task = task(&scaled);
        task.containers[1] = Container {
            name: non_empty(name),
            reason: non_empty(pull),
            ..Container::default()
        };
        task
    };
    let found = |task: &TaskFacts| cause(task, &Policy::default());
    assert_eq!(found(&agent("aws-guardduty-agent-x1")), "routine_stop");
    // The task ran without this container.
    assert_eq!(found(&agent("anything")), "routine_stop");
    let mut never_ran = agent("anything");
    never_ran.started_at = None;
    never_ran.containers[0].exit_code = None;
    assert_eq!(found(&never_ran), "image_pull urgent");
    never_ran.containers[1].name = non_empty("aws-guardduty-agent-x1");
    assert_eq!(found(&never_ran), "routine_stop");
}

#[test]
fn the_essential_container_is_named() {
    let task = with_definition(
        &Case {
            web: (Some(1), ""),
            sidecar: Some(2),
            ..RAN
        },
        true,
        false,
    );
    let is_blamed = blames(Some(Cause::ApplicationExit), &task);
    let blamed: Vec<_> = task.containers.iter().map(is_blamed).collect();
    assert_eq!(blamed, [true, false]);
    assert_eq!(
        explain(Cause::ApplicationExit, &task).words,
        "exited with 1"
    );
}

#[test]
fn a_reason_counts_more_than_an_exit_code() {
    let ended = |code, reason, exit| {
        let case = Case {
            code,
            reason,
            web: (Some(exit), ""),
            ..RAN
        };
        cause(&task(&case), &Policy::default())
    };
    let host = "Host EC2 (instance i-0d4b8c17ae52f9036) terminated.";
    let spot = "Your Spot Task was interrupted.";
    let rebalancing = "Availability-zone rebalancing initiated by (deployment ecs-svc/1)";
    for code in [
        "",
        "TerminationNotice",
        "SpotInterruption",
        "EssentialContainerExited",
        "New",
    ] {
        assert_eq!(ended(code, host, 143), "host_gone", "{code}");
        assert_eq!(ended(code, spot, 143), "spot_interruption urgent", "{code}");
        assert_eq!(ended(code, rebalancing, 143), "routine_stop", "{code}");
    }
    assert_eq!(ended("TerminationNotice", "", 143), "host_gone");
    assert_eq!(
        ended("SpotInterruption", "", 143),
        "spot_interruption urgent"
    );
    // Somebody requested the stop, so it is not a crash.
    assert_eq!(ended("New", "", 143), "unknown_cause urgent");
    assert_eq!(
        ended("EssentialContainerExited", "", 143),
        "application_exit urgent"
    );
}

/// A reason that a person writes is not a sign of a crash, and a cancelled start is not a failure.
#[test]
fn a_requested_stop_is_not_a_crash() {
    let decided = |code, reason, exit, why| {
        let case = Case {
            code,
            reason,
            web: (exit, why),
            ..RAN
        };
        task(&case)
    };
    let found = |task: &TaskFacts| cause(task, &Policy::default());
    let words = "Stuck on one connection, restart it (maya)";
    assert_eq!(
        found(&decided("", words, Some(143), "")),
        "unknown_cause urgent"
    );
    let failed = decided("New", "", Some(1), "");
    let Decision::Keep(priority) = decide(&failed, &Subject::default()) else {
        panic!("it is kept");
    };
    assert_eq!(priority.severity, Severity::Warning);

    let scaled = "Scaling activity initiated by (deployment ecs-svc/1)";
    let canceled = "CannotPullContainerError: context canceled";
    let stopping = "CannotStopContainerError: context deadline exceeded";
    let late = "DockerTimeoutError: Could not transition to stopped; timed out after waiting 2m0s";
    for why in [canceled, stopping, late] {
        let mut pending = decided("ServiceSchedulerInitiated", scaled, None, why);
        pending.started_at = None;
        assert_eq!(found(&pending), "routine_stop", "{why}");
    }
    let trouble =
        "Rollback because tasks failed ELB health checks, initiated by (deployment ecs-svc/1)";
    let unhealthy = decided("ServiceSchedulerInitiated", trouble, Some(143), "");
    assert_eq!(found(&unhealthy), "health_check urgent");
}

#[test]
fn another_containers_exit_explains_the_end() {
    let ended = |exit| {
        let mut task = task(&Case {
            code: "EssentialContainerExited",
            reason: "Essential container in task exited",
            web: (Some(exit), ""),
            sidecar: Some(137),
        });
        task.containers[1].reason =
            non_empty("OutOfMemoryError: Container killed due to memory usage");
        task
    };
    let found = |task: &TaskFacts| cause(task, &Policy::default());
    assert_eq!(found(&ended(0)), "finished");
    assert_eq!(found(&ended(1)), "application_exit urgent");
    assert_eq!(
        found(&ended(143)),
        "out_of_memory urgent",
        "nothing else explains it"
    );
    let mut essential = ended(0);
    essential.containers[1].essential = Some(true);
    assert_eq!(found(&essential), "out_of_memory urgent");
    let is_blamed = blames(Some(Cause::OutOfMemory), &essential);
    assert!(!is_blamed(&essential.containers[0]) && is_blamed(&essential.containers[1]));
}

#[test]
fn maintenance_is_urgent_outside_a_service() {
    let case = Case {
        reason: "ECS is performing maintenance on the underlying infrastructure hosting the task",
        web: (Some(143), ""),
        ..RAN
    };
    let mut task = task(&case);
    assert_eq!(cause(&task, &Policy::default()), "host_gone urgent");
    task.started_by = non_empty("ecs-svc/1");
    assert_eq!(cause(&task, &Policy::default()), "host_gone");
}

#[test]
fn a_container_that_stopped_before_the_task_ran_explains_the_stop() {
    let mut task = task(&Case {
        code: "TaskFailedToStart",
        reason: "Task failed to start",
        web: (Some(3), ""),
        ..RAN
    });
    task.started_at = None;
    assert_eq!(cause(&task, &Policy::default()), "application_exit urgent");
    task.containers[0].exit_code = Some(0);
    assert_eq!(cause(&task, &Policy::default()), "failed_to_start urgent");
    let is_blamed = blames(Some(Cause::FailedToStart), &task);
    assert!(is_blamed(&task.containers[0]) && !is_blamed(&task.containers[1]));
}
