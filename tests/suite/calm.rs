//! An hour of what a healthy cluster does by itself: nobody is woken, and little is said.

use std::process::Command;

use ecs_parrot::notifier::policy::{Decision, Policy};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::chat::{chat, texts, webhook};
use crate::{events, tools};

/// Events of an hour, each `times` times, as ECS and the services around it send them.
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
fn nobody_is_woken_by_what_a_cluster_does_by_itself() {
    for (operation, samples) in HOUR {
        for name in samples {
            for evaluated in events::evaluate(&events::sample(name), &Policy::default()) {
                let evaluated = evaluated.unwrap();
                let is_loud = evaluated.priority().is_some_and(|priority| priority.urgent);
                assert!(!is_loud, "{operation}: {name} is {}", evaluated.reason());
            }
        }
    }
}

/// What a channel for urgent messages alone gets of that hour, and that it gets what is urgent.
#[tokio::test]
async fn an_urgent_channel_hears_of_none_of_it() {
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
        assert!(output.status.success(), "{}", tools::told(&output));
        assert_eq!(texts(&slack).await.len(), expected);
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
            let evaluated = events::evaluate(&event, &Policy::default())
                .remove(0)
                .unwrap();
            assert!(matches!(evaluated.decision, Decision::Drop(_)), "{name}");
            assert_eq!(evaluated.reason(), "rebalancing", "{name}");
        }
    }
}

/// Managed draining ends with ECS's own deregistration: the instance's event tells of it, and only a person's is news.
#[test]
fn what_ecs_does_to_instances_is_noise() {
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
    // What could not be done is news, whoever tried.
    let mut event = events::sample("instance_state-draining-by-ecs");
    event["detail"]["responseElements"]["failures"] = json!([{"reason": "INACTIVE"}]);
    let evaluated = events::evaluate(&event, &Policy::default())
        .remove(0)
        .unwrap();
    assert_eq!(evaluated.reason(), "instance_state");
}
