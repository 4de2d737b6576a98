//! An hour of what a healthy cluster does by itself: nobody is woken, and little is said.

use ecs_parrot::triage::{Policy, Verdict};
use serde_json::{Value, json};

use crate::events;

/// Events of an hour, each `times` times, as ECS and the services around it send them.
const HOUR: [(&str, &[&str]); 4] = [
    (
        "rolling deployment",
        &[
            "task_definition-register",
            "service_changed-update",
            "deployment-in-progress",
            "deployment-service-action-in-progress",
            "service_action-tasks-stopped-scaled-in",
            "deployment_hook-in-progress",
            "deployment_hook-succeeded",
            "api_call-continue-service-deployment",
            "api_call-delete-task-set-by-codedeploy",
            "deployment-completed",
            "deployment-service-action-completed",
            "service_action-service-steady-state",
            "service_action-taskset-steady-state",
        ],
    ),
    (
        "zone rebalancing",
        &[
            "service_action-service-rebalancing-started",
            "service_action-tasks-started",
            "service_action-tasks-stopped-rebalancing",
            "service_action-taskset-scale-in-failure-by-task-protection",
            "service_action-service-rebalancing-stopped",
            "service_action-service-rebalancing-completed",
        ],
    ),
    (
        "scaling",
        &[
            "service_changed-autoscaling",
            "service_changed-autoscaling-to-zero",
            "service_changed-update-to-zero-by-scheduler",
            "service_action-service-desired-count-updated",
            "service_action-tasks-stopped",
            "service_action-tasks-stopped-scaled-in",
            "service_action-capacity-provider-steady-state",
        ],
    ),
    (
        "managed draining",
        &[
            "instance_state-draining-by-ecs",
            "instance_state-draining",
            "instance_state-inactive",
            "instance_state-agent-reconnect",
            "instance_state-resources-only",
            "instance_registered-by-agent",
            "instance_deregistered-not-forced",
        ],
    ),
];

#[test]
fn nobody_is_woken_by_what_a_cluster_does_by_itself() {
    for (operation, samples) in HOUR {
        for name in samples {
            for judged in events::judge(&events::sample(name), &Policy::default()) {
                let judged = judged.unwrap();
                let is_loud = judged.telling().is_some_and(|telling| telling.is_loud());
                assert!(!is_loud, "{operation}: {name} is {}", judged.reason());
            }
        }
    }
}

/// The same names with another eventType are no alarm either, and the next zone's name is none.
#[test]
fn rebalancing_is_noise_by_its_name() {
    for name in [
        "SERVICE_REBALANCING_STARTED",
        "SERVICE_REBALANCING_COMPLETED",
        "SERVICE_REBALANCING_STOPPED",
        "TASKS_STARTED",
    ] {
        for kind in [json!("INFO"), json!("WARN"), Value::Null] {
            let mut event = events::sample("service_action-service-rebalancing-started");
            event["detail"]["eventName"] = json!(name);
            event["detail"]["eventType"] = kind;
            let judged = events::judge(&event, &Policy::default()).remove(0).unwrap();
            assert!(matches!(judged.verdict, Verdict::Drop(_)), "{name}");
            assert_eq!(judged.reason(), "rebalancing", "{name}");
        }
    }
}
