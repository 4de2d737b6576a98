//! ECS's own strings with every stop code, the right one, a wrong one and none: the string decides.
//!
//! The strings are those of AWS's pages and of the ECS agent, with values of our own. `where` says where they
//! stand: in the reason of a task that never ran, in that of one that ran, in a container's of a task that never
//! ran, or in both of these.

use ecs_parrot::notifier::policy::{Decision, Policy, Severity};
use serde_json::{Value, json};

use crate::events::{self, Evaluated};

const STRINGS: &str = include_str!("stop_strings.tsv");

/// With these, a reason that ECS would give is ECS's own.
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
    /// A stopped task of a service, on the launch type that AWS's page names or on the other one.
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
fn the_string_decides_whatever_the_stop_code_says() {
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

/// What ECS does on its own is never an alarm, and what failed is never calm.
#[test]
fn urgent_is_what_failed_and_nothing_else() {
    for row in rows() {
        for code in CODES {
            let evaluated = row.evaluated(code, "FARGATE");
            let is_calm = ["host_gone", "routine_stop"].contains(&row.cause);
            let is_urgent = evaluated.priority().is_some_and(|priority| priority.urgent);
            assert_eq!(is_urgent, !is_calm, "{code:?}: {}", row.reason);
            let is_critical = matches!(
                evaluated.decision,
                Decision::Keep(priority) if priority.severity == Severity::Critical
            );
            assert!(!(is_calm && is_critical), "{code:?}: {}", row.reason);
        }
    }
}

/// Nobody who calls StopTask can raise an alarm or hide one by what they write.
#[test]
fn what_a_person_writes_is_no_sign() {
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
