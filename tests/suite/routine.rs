//! One hour of routine events of a healthy cluster: none of them is urgent.

use std::process::Command;

use ecs_parrot::notifier::policy::{Decision, Policy};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::chat::{chat, texts, webhook};
use crate::{events, tools};

/// The events of one hour, as ECS and the services around it send them.
const HOUR: [(&str, &[&str]); 6] = [
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
            "task_running-provisioning",
            "task_running-pending",
            "task_started-fargate",
            "task_running-deprovisioning",
            "task_stopped-scaled-in-exit-0",
            "task_stopped-scaled-in-exit-137",
            "task_stopped-scaled-in-exit-143",
            "task_stopped-scaled-in-no-exit-code",
            "task_stopped-scaled-in-before-start",
            "task_stopped-scaled-in-guardduty-agent-not-pulled",
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
            "task_stopped-zone-rebalancing",
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
            "task_stopped-host-gone-draining",
            "task_stopped-host-gone-instance-draining",
            "task_stopped-host-gone-terminated",
            "task_stopped-host-gone-termination-notice",
        ],
    ),
    (
        "nightly batch with log sidecars",
        &[
            "run_task-by-eventbridge-rule",
            "run_task-by-scheduler",
            "task_started-ec2",
            "task_running-init-container-finished",
            "task_stopped-finished",
            "task_stopped-finished-log-router-sigterm",
            "task_stopped-finished-log-router-killed",
        ],
    ),
    (
        "task retirement",
        &["task_stopped-host-gone-maintenance", "task_started-fargate"],
    ),
];

#[test]
fn routine_operations_are_not_urgent() {
    for (operation, samples) in HOUR {
        for name in samples {
            for evaluated in events::evaluate(&events::sample(name), &Policy::default()) {
                let evaluated = evaluated.unwrap();
                let is_urgent = evaluated.priority().is_some_and(|priority| priority.urgent);
                assert!(!is_urgent, "{operation}: {name} is {}", evaluated.reason());
            }
        }
    }
}

/// A channel with the minimum `urgent` gets nothing of that hour, and it gets an urgent event.
#[tokio::test]
async fn an_urgent_only_channel_gets_no_routine_event() {
    let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
    let uri = webhook(&slack);
    let hour = HOUR.iter().flat_map(|(_, samples)| samples.iter());
    let files: Vec<_> = hour
        .map(|name| events::folder().join(format!("{name}.json")))
        .collect();
    assert!(files.len() > 50, "{}", files.len());
    let critical = events::folder().join("task_stopped-out-of-memory.json");
    for (files, expected) in [(files, 0), (vec![critical], 1)] {
        let uri = uri.clone();
        let notify = move || {
            Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
                .arg("notify")
                .args(files)
                .env_clear()
                .env("SLACK_WEBHOOKURL", uri)
                .env("SLACK_QUIET", "true")
                .output()
                .unwrap()
        };
        let output = tokio::task::spawn_blocking(notify).await.unwrap();
        assert!(output.status.success(), "{}", tools::output_text(&output));
        assert_eq!(texts(&slack).await.len(), expected);
    }
}

/// Rebalancing events are dropped because of their names, whatever their `eventType` is.
#[test]
fn rebalancing_is_dropped_by_its_name() {
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
            let evaluated = events::evaluate(&event, &Policy::default())
                .remove(0)
                .unwrap();
            assert!(matches!(evaluated.decision, Decision::Drop(_)), "{name}");
            assert_eq!(evaluated.reason(), "rebalancing", "{name}");
        }
    }
}

/// Managed draining ends when ECS deregisters the instance. The instance's own event reports this already, so that only
/// a person's call is kept.
#[test]
fn calls_by_ecs_on_instances_are_dropped() {
    let by_ecs = events::sample("instance_state-draining-by-ecs")["detail"]["userIdentity"].clone();
    for (name, reason) in [
        ("UpdateContainerInstancesState", "instance_state"),
        ("DeregisterContainerInstance", "instance_deregistered"),
    ] {
        for (identity, expected) in [(Some(&by_ecs), "routine_draining"), (None, reason)] {
            let mut event = events::sample("instance_state-draining-call");
            event["detail"]["eventName"] = json!(name);
            if let Some(identity) = identity {
                event["detail"]["userIdentity"] = identity.clone();
            }
            let evaluated = events::evaluate(&event, &Policy::default())
                .remove(0)
                .unwrap();
            assert_eq!(evaluated.reason(), expected, "{name}");
        }
    }
    // A call that failed is kept, also where ECS made it.
    let mut event = events::sample("instance_state-draining-by-ecs");
    event["detail"]["responseElements"]["failures"] = json!([{"reason": "INACTIVE"}]);
    let evaluated = events::evaluate(&event, &Policy::default())
        .remove(0)
        .unwrap();
    assert_eq!(evaluated.reason(), "instance_state");
}
