//! Decides which events of the service scheduler are posted, and how urgent each one is.
//!
//! The decision uses the event names of AWS's documentation, because for one name `eventType` differs between sources.
//! For an unknown name it uses `eventType`.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html>,
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/track-service-rebalancing.html>

use super::{Decision, DropReason, Severity, not_urgent, urgent};
use crate::ecs::notice::ServiceFacts;
use crate::ecs::service_events::{is_rollback, says_failed, says_trouble, without_names};

pub(super) fn of_action(service: &ServiceFacts) -> Decision {
    match service.event_name.as_deref() {
        Some(name) if name.ends_with("_STEADY_STATE") => Decision::Drop(DropReason::SteadyState),
        Some(
            "SERVICE_REBALANCING_STARTED"
            | "SERVICE_REBALANCING_COMPLETED"
            | "SERVICE_REBALANCING_STOPPED"
            | "TASKS_STARTED",
        ) => Decision::Drop(DropReason::Rebalancing),
        Some("TASKS_STOPPED") if says_more_than_info(service) => of_event_type(service),
        Some("TASKS_STOPPED") if announces_routine(service) => {
            Decision::Drop(DropReason::RoutineStop)
        }
        Some(
            "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED"
            | "ECS_OPERATION_THROTTLED"
            | "SERVICE_DISCOVERY_OPERATION_THROTTLED"
            | "SERVICE_TASK_PLACEMENT_FAILURE"
            | "SERVICE_TASK_CONFIGURATION_FAILURE"
            | "SERVICE_HEALTH_UNKNOWN",
        ) => urgent(Severity::Critical),
        Some(
            "SERVICE_TASK_START_IMPAIRED"
            | "SERVICE_DISCOVERY_INSTANCE_UNHEALTHY"
            | "VPC_LATTICE_TARGET_UNHEALTHY",
        ) => urgent(Severity::Warning),
        // Somebody protected the tasks, and the protection ends without any action.
        Some("TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION") => not_urgent(Severity::Warning),
        // The call that changed the count says who did it.
        Some("SERVICE_DESIRED_COUNT_UPDATED") => Decision::Drop(DropReason::Autoscaling),
        Some("TASKS_STOPPED") => not_urgent(Severity::Info),
        Some(_) | None => of_event_type(service),
    }
}

fn says_more_than_info(service: &ServiceFacts) -> bool {
    matches!(
        service.event_type.as_deref(),
        Some("ERROR" | "WARN" | "WARNING")
    )
}

/// Whether the event announces a stop that the scheduler planned. Each task has its own event that says how it ended.
/// The reason is the text of a service event: "(service web) has stopped 1 running tasks: (task …)", "… in eu-west-1a
/// due to AZ rebalancing: (task …)", "Scaling activity initiated by (deployment …)".
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

/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html>
pub(super) fn of_deployment(service: &ServiceFacts) -> Decision {
    match service.event_name.as_deref() {
        Some(name) if says_failed(name) => urgent(Severity::Critical),
        Some(_) if is_rollback(service) => urgent(Severity::Warning),
        Some("SERVICE_DEPLOYMENT_COMPLETED") => not_urgent(Severity::Success),
        Some("SERVICE_DEPLOYMENT_IN_PROGRESS") => not_urgent(Severity::Info),
        Some(_) | None => of_event_type(service),
    }
}

fn of_event_type(service: &ServiceFacts) -> Decision {
    let name = service.event_name.as_deref().unwrap_or_default();
    match service.event_type.as_deref() {
        Some("ERROR") => urgent(Severity::Critical),
        Some("WARN" | "WARNING") => urgent(Severity::Warning),
        // If the name says that something failed, this counts even if eventType is INFO.
        _ if says_trouble(name) => urgent(Severity::Warning),
        Some(_) | None => not_urgent(Severity::Info),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(reason: &str) -> Decision {
        of_action(&ServiceFacts {
            event_name: Some("TASKS_STOPPED".to_owned()),
            event_type: Some("INFO".to_owned()),
            reason: Some(reason.to_owned()),
            ..ServiceFacts::default()
        })
    }

    #[test]
    fn announcements_of_routine_stops_are_dropped() {
        for reason in [
            "(service health-api) has stopped 2 running tasks: (task 1a2b) (task 3c4d).",
            "web has stopped 1 running tasks in eu-west-1a due to AZ rebalancing: 1a2b.",
            "Scaling activity initiated by (deployment ecs-svc/1234567890)",
            "Availability-zone rebalancing initiated by (deployment ecs-svc/1234567890)",
        ] {
            assert_eq!(
                stopped(reason),
                Decision::Drop(DropReason::RoutineStop),
                "{reason}"
            );
        }
        for reason in [
            "",
            "(service web) has stopped 1 running tasks: (task 1a2b). It failed ELB health checks.",
            "Task failed container health checks",
        ] {
            assert_eq!(stopped(reason), not_urgent(Severity::Info), "{reason}");
        }
    }
}
