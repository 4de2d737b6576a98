//! What the service scheduler's event names mean.
//!
//! Judged by the names of AWS's pages, because `eventType` differs by source for one name; a name that is
//! not known here takes its `eventType`.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html>,
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/track-service-rebalancing.html>

use super::{DropReason, Severity, Verdict, loud, quiet};
use crate::notice::ServiceFacts;

pub(super) fn of_action(service: &ServiceFacts) -> Verdict {
    match service.event_name.as_deref() {
        Some(name) if name.ends_with("_STEADY_STATE") => Verdict::Drop(DropReason::SteadyState),
        Some(
            "SERVICE_REBALANCING_STARTED"
            | "SERVICE_REBALANCING_COMPLETED"
            | "SERVICE_REBALANCING_STOPPED"
            | "TASKS_STARTED",
        ) => Verdict::Drop(DropReason::Rebalancing),
        Some("TASKS_STOPPED") if says_more_than_info(service) => of_event_type(service),
        Some("TASKS_STOPPED") if announces_routine(service) => {
            Verdict::Drop(DropReason::RoutineStop)
        }
        Some(
            "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED"
            | "ECS_OPERATION_THROTTLED"
            | "SERVICE_DISCOVERY_OPERATION_THROTTLED"
            | "SERVICE_TASK_PLACEMENT_FAILURE"
            | "SERVICE_TASK_CONFIGURATION_FAILURE"
            | "SERVICE_HEALTH_UNKNOWN",
        ) => loud(Severity::Critical),
        Some(
            "SERVICE_TASK_START_IMPAIRED"
            | "SERVICE_DISCOVERY_INSTANCE_UNHEALTHY"
            | "VPC_LATTICE_TARGET_UNHEALTHY",
        ) => loud(Severity::Warning),
        // Somebody protected the tasks, and their protection ends by itself.
        Some("TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION") => quiet(Severity::Warning),
        Some("SERVICE_DESIRED_COUNT_UPDATED" | "TASKS_STOPPED") => quiet(Severity::Info),
        Some(_) | None => of_event_type(service),
    }
}

fn says_more_than_info(service: &ServiceFacts) -> bool {
    matches!(
        service.event_type.as_deref(),
        Some("ERROR" | "WARN" | "WARNING")
    )
}

/// Each task's own event says how it ended: a stop that the scheduler wanted is announced here and dropped there.
/// The reason is a service event's text: "(service web) has stopped 1 running tasks: (task …)", "… in eu-west-1a due
/// to AZ rebalancing: (task …)", "Scaling activity initiated by (deployment …)".
fn announces_routine(service: &ServiceFacts) -> bool {
    const ROUTINE: [&str; 4] = [
        "scaling activity initiated by",
        "rebalanc",
        "has stopped",
        "draining",
    ];
    const TROUBLE: [&str; 5] = ["health", "fail", "error", "deregister", "memory"];
    let reason = service.reason.as_deref().unwrap_or_default();
    let reason = without_names(&reason.to_ascii_lowercase());
    let says = |marks: &[&str]| marks.iter().any(|mark| reason.contains(mark));
    says(&ROUTINE) && !says(&TROUBLE)
}

/// A service event's text without what stands in parentheses: these are names, and a service may be called `health`
/// or `AGENT`.
pub fn without_names(reason: &str) -> String {
    let mut depth = 0_usize;
    let outside = reason.chars().filter(|character| match character {
        '(' => {
            depth += 1;
            false
        }
        ')' => {
            depth = depth.saturating_sub(1);
            false
        }
        _ => depth == 0,
    });
    outside.collect()
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html>
pub(super) fn of_deployment(service: &ServiceFacts) -> Verdict {
    match service.event_name.as_deref() {
        Some(name) if says_failed(name) => loud(Severity::Critical),
        Some(_) if is_rollback(service) => loud(Severity::Warning),
        Some("SERVICE_DEPLOYMENT_COMPLETED") => quiet(Severity::Success),
        Some("SERVICE_DEPLOYMENT_IN_PROGRESS") => quiet(Severity::Info),
        Some(_) | None => of_event_type(service),
    }
}

/// "ECS deployment circuit breaker: rolling back to deploymentId …"; alarms word it alike. The end of a rollback
/// reads like that of any deployment: only AWS knows that it came back.
pub fn is_rollback(service: &ServiceFacts) -> bool {
    service.came_back
        || service.reason.as_deref().is_some_and(says_rollback)
        || service.event_name.as_deref().is_some_and(says_rollback)
}

/// A name or a sentence.
pub fn says_rollback(text: &str) -> bool {
    let text = text.to_ascii_lowercase().replace('_', " ");
    let marks = ["rolling back", "rolled back", "rollback", "reverting to"];
    let says_so = marks.iter().any(|mark| text.contains(mark));
    says_so && !text.contains("no rollback")
}

/// The deployment that a service goes back to: "… rolling back to deploymentId ecs-svc/1234." and, among a service's
/// events, "(service web) rolling back to deployment ecs-svc/1234."
pub fn rollback_target(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("rolling back to deployment")?;
    let start = after.find("ecs-svc/")?;
    let target = &after[start..];
    let end = target
        .find(|c: char| c.is_whitespace() || ".,;)".contains(c))
        .unwrap_or(target.len());
    Some(&target[..end])
}

fn of_event_type(service: &ServiceFacts) -> Verdict {
    let name = service.event_name.as_deref().unwrap_or_default();
    match service.event_type.as_deref() {
        Some("ERROR") => loud(Severity::Critical),
        Some("WARN" | "WARNING") => loud(Severity::Warning),
        // A name that says failure is one, also where its eventType says INFO.
        _ if says_trouble(name) => loud(Severity::Warning),
        Some(_) | None => quiet(Severity::Info),
    }
}

/// Whether an event's or a state's name says that something failed.
pub(super) fn says_failed(name: &str) -> bool {
    ["_FAILURE", "_FAILED"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// … or that it does not do what it should.
pub(super) fn says_trouble(name: &str) -> bool {
    says_failed(name)
        || ["_IMPAIRED", "_UNHEALTHY", "_TIMED_OUT"]
            .iter()
            .any(|end| name.ends_with(end))
        || says_rollback(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(reason: &str) -> Verdict {
        of_action(&ServiceFacts {
            event_name: Some("TASKS_STOPPED".to_owned()),
            event_type: Some("INFO".to_owned()),
            reason: Some(reason.to_owned()),
            ..ServiceFacts::default()
        })
    }

    #[test]
    fn an_announcement_of_what_is_routine_is_routine() {
        for reason in [
            "(service health-api) has stopped 2 running tasks: (task 1a2b) (task 3c4d).",
            "web has stopped 1 running tasks in eu-west-1a due to AZ rebalancing: 1a2b.",
            "Scaling activity initiated by (deployment ecs-svc/1234567890)",
            "Availability-zone rebalancing initiated by (deployment ecs-svc/1234567890)",
        ] {
            assert_eq!(
                stopped(reason),
                Verdict::Drop(DropReason::RoutineStop),
                "{reason}"
            );
        }
        for reason in [
            "",
            "(service web) has stopped 1 running tasks: (task 1a2b). It failed ELB health checks.",
            "Task failed container health checks",
        ] {
            assert_eq!(stopped(reason), quiet(Severity::Info), "{reason}");
        }
    }

    #[test]
    fn where_a_rollback_goes() {
        for (text, expected) in [
            (
                "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/582.",
                Some("ecs-svc/582"),
            ),
            (
                "(service web) rolling back to deployment ecs-svc/582.",
                Some("ecs-svc/582"),
            ),
            (
                "(service web) rolling back to deployment (ecs-svc/582)",
                Some("ecs-svc/582"),
            ),
            ("ECS deployment ecs-svc/582 in progress.", None),
            ("rolling back to deployment", None),
        ] {
            assert_eq!(rollback_target(text), expected, "{text}");
        }
    }
}
