//! ECS's reason strings, each with every stop code: the right one, wrong ones and no code. The string decides the
//! cause.
//!
//! The strings are from AWS's pages and from the ECS agent, with example values. The column `where` says which field
//! holds the string: the reason of a task that never ran (`task`), the reason of a task that ran (`ran`), the reason of
//! a container of a task that never ran (`container`), or both the task and the container (`both`).

use ecs_parrot::notifier::policy::{Decision, Policy, Severity};
use serde_json::{Value, json};

use crate::events::{self, Evaluated};

const STRINGS: &str = include_str!("stop_strings.tsv");

/// With these stop codes, a reason in ECS's words comes from ECS itself.
const CODES: [Option<&str>; 8] = [
    None,
    Some("TaskFailedToStart"),
    Some("EssentialContainerExited"),
    Some("ServiceSchedulerInitiated"),
    Some("SpotInterruption"),
    Some("TerminationNotice"),
    Some("InfrastructureHealth"),
    Some("CodeThatAwsInventsTomorrow"),
];

struct Row {
    place: &'static str,
    cause: &'static str,
    reason: &'static str,
}

fn rows() -> impl Iterator<Item = Row> {
    STRINGS.lines().skip(1).map(|line| {
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap();
        Row {
            place: field(),
            cause: field(),
            reason: field(),
        }
    })
}

impl Row {
    /// The event of a stopped task of a service, with this stop code and launch type.
    fn event(&self, code: Option<&str>, launch_type: &str) -> Value {
        let mut event = events::sample("task_stopped-scaled-in-exit-143");
        let detail = event["detail"].as_object_mut().unwrap();
        detail.insert("launchType".to_owned(), json!(launch_type));
        detail.insert("stopCode".to_owned(), json!(code));
        detail.insert("stoppedReason".to_owned(), Value::Null);
        let ran = self.place == "ran";
        for container in detail["containers"].as_array_mut().unwrap() {
            container["exitCode"] = if ran { json!(143) } else { Value::Null };
        }
        if !ran {
            detail.remove("startedAt");
        }
        if self.place != "container" {
            detail.insert("stoppedReason".to_owned(), json!(self.reason));
        }
        if ["container", "both"].contains(&self.place) {
            detail["containers"][0]["reason"] = json!(self.reason);
        }
        event
    }

    fn evaluated(&self, code: Option<&str>, launch_type: &str) -> Evaluated {
        let event = self.event(code, launch_type);
        events::evaluate(&event, &Policy::default())
            .remove(0)
            .unwrap()
    }
}

#[test]
fn the_string_decides_with_every_stop_code() {
    let mut wrong = Vec::new();
    for row in rows() {
        for code in CODES {
            for launch_type in ["FARGATE", "EC2", "EXTERNAL"] {
                let evaluated = row.evaluated(code, launch_type);
                if evaluated.reason() != row.cause {
                    wrong.push((evaluated.reason().to_owned(), code, row.reason));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(rows().count() > 100);
}

/// A routine stop by ECS is never urgent, and a failure always is.
#[test]
fn only_failures_are_urgent() {
    for row in rows() {
        for code in CODES {
            let evaluated = row.evaluated(code, "FARGATE");
            let is_routine = ["host_gone", "routine_stop"].contains(&row.cause);
            let is_urgent = evaluated.priority().is_some_and(|priority| priority.urgent);
            assert_eq!(is_urgent, !is_routine, "{code:?}: {}", row.reason);
            let is_critical = matches!(
                evaluated.decision,
                Decision::Keep(priority) if priority.severity == Severity::Critical
            );
            assert!(!(is_routine && is_critical), "{code:?}: {}", row.reason);
        }
    }
}

/// The reason that a caller of StopTask writes must neither make an event urgent nor hide it.
#[test]
fn a_reason_that_a_person_writes_does_not_decide() {
    let of_task = rows().filter(|row| ["task", "ran"].contains(&row.place));
    for row in of_task {
        let reason = row.reason;
        let is_ecs = reason.starts_with("Container instance deregistration forced by user");
        let evaluated = row.evaluated(Some("UserInitiated"), "FARGATE");
        let expected = if is_ecs {
            "host_gone"
        } else {
            "stopped_by_user"
        };
        assert_eq!(evaluated.reason(), expected, "{reason}");
    }
}
