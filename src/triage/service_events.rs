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
        Some(_) if is_rollback(service) => loud(Severity::Warning),
        Some("SERVICE_DEPLOYMENT_IN_PROGRESS") => quiet(Severity::Info),
        Some(_) | None => of_event_type(service),
    }
}

/// "ECS deployment circuit breaker: rolling back to deploymentId …"; alarms word it alike.
pub fn is_rollback(service: &ServiceFacts) -> bool {
    let says_so = |text: &Option<String>, mark: &str| {
        text.as_deref()
            .is_some_and(|text| text.to_ascii_lowercase().contains(mark))
    };
    says_so(&service.reason, "rolling back") || says_so(&service.event_name, "rollback")
}

fn of_event_type(service: &ServiceFacts) -> Verdict {
    match service.event_type.as_deref() {
        Some("ERROR") => loud(Severity::Critical),
        Some("WARN" | "WARNING") => loud(Severity::Warning),
        // A name that says failure is one, also where its eventType says INFO.
        _ if names_a_failure(service) => loud(Severity::Warning),
        Some(_) | None => quiet(Severity::Info),
    }
}

fn names_a_failure(service: &ServiceFacts) -> bool {
    let name = service.event_name.as_deref().unwrap_or_default();
    ["_FAILURE", "_FAILED", "_IMPAIRED", "_UNHEALTHY"]
        .iter()
        .any(|end| name.ends_with(end))
}
