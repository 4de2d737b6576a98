//! What the service scheduler's event names mean.
//!
//! Judged by the names of AWS's page, because `eventType` differs by source for one name; a name that is
//! not known here takes its `eventType`.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html>

use super::{DropReason, Severity, Verdict, loud, quiet};
use crate::notice::ServiceFacts;

pub(super) fn of_action(service: &ServiceFacts) -> Verdict {
    match service.event_name.as_deref() {
        Some(name) if name.ends_with("_STEADY_STATE") => Verdict::Drop(DropReason::SteadyState),
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
        Some("SERVICE_DESIRED_COUNT_UPDATED" | "TASKS_STOPPED") => quiet(Severity::Info),
        Some(_) | None => of_event_type(service),
    }
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html>
pub(super) fn of_deployment(service: &ServiceFacts) -> Verdict {
    match service.event_name.as_deref() {
        Some("SERVICE_DEPLOYMENT_FAILED") => loud(Severity::Critical),
        Some("SERVICE_DEPLOYMENT_COMPLETED") => quiet(Severity::Success),
        Some("SERVICE_DEPLOYMENT_IN_PROGRESS") if is_rollback(service) => loud(Severity::Warning),
        Some("SERVICE_DEPLOYMENT_IN_PROGRESS") => quiet(Severity::Info),
        Some(_) | None => of_event_type(service),
    }
}

/// "ECS deployment circuit breaker: rolling back to deploymentId …"; alarms word it alike.
pub fn is_rollback(service: &ServiceFacts) -> bool {
    service.reason.as_deref().is_some_and(|reason| {
        let reason = reason.to_ascii_lowercase();
        reason.contains("rolling back") || reason.contains("rollback")
    })
}

fn of_event_type(service: &ServiceFacts) -> Verdict {
    match service.event_type.as_deref() {
        Some("ERROR") => loud(Severity::Critical),
        Some("WARN" | "WARNING") => loud(Severity::Warning),
        Some(_) | None => quiet(Severity::Info),
    }
}
