//! Deployments of managed daemons and of CodeDeploy: one message each, as the deployments of services have.

use serde_json::json;

use super::events::*;
use super::scene::{Evaluated, Scene, evaluated, time};
use crate::ecs::notice::Facts;
use crate::ecs::notice::RolloutFacts;
use crate::notifier::policy::Severity;
use crate::notifier::thread::{Deployment, SubjectKind, Thread, ThreadKind};

const ARN: &str = "arn:aws:ecs:eu-west-1:210987654321";

fn daemon(state: &str, id: &str, time: &str) -> Event {
    let detail = json!({
        "eventType": "INFO",
        "eventName": format!("DAEMON_DEPLOYMENT_{state}"),
        "clusterArn": format!("{ARN}:cluster/prod-web"),
        "daemonArn": format!("{ARN}:daemon/prod-web/node-exporter"),
        "daemonDeploymentArn": format!("{ARN}:daemon-deployment/prod-web/node-exporter/{id}"),
        "updatedAt": "",
    });
    of(
        "aws.ecs",
        "ECS Daemon Deployment State Change",
        time,
        detail,
    )
}

fn impaired(time: &str) -> Event {
    let detail = json!({
        "eventType": "WARNING",
        "eventName": "DAEMON_TASK_START_IMPAIRED",
        "failureType": "TASK_FAILED_TO_RUN",
        "clusterArn": format!("{ARN}:cluster/prod-web"),
        "daemonArn": format!("{ARN}:daemon/prod-web/node-exporter"),
        "containerInstanceArn": format!("{ARN}:container-instance/prod-web/aa"),
        "createdAt": format!("2026-11-12T{time}Z"),
    });
    of("aws.ecs", "ECS Daemon Service Action", time, detail)
}

/// An event of CodeDeploy, after AWS has said what it is about.
fn code_deploy(state: &str, id: &str, rolls_back: Option<&str>, time: &str) -> Evaluated {
    let detail = json!({
        "deploymentId": id, "application": "checkout", "deploymentGroup": "checkout-prod",
        "state": state,
    });
    let detail_type = "CodeDeploy Deployment State-change Notification";
    let (mut notice, decision) = evaluated(&of("aws.codedeploy", detail_type, time, detail));
    notice.subject.cluster = Some("prod-web".to_owned());
    notice.subject.service = Some("checkout".to_owned());
    notice.subject.family = Some("checkout".to_owned());
    // A rollback deploys the revision before.
    let revision = if rolls_back.is_some() { "57" } else { "58" };
    notice.subject.revision = Some(revision.to_owned());
    if let Facts::Rollout(rollout) = &mut notice.facts {
        rollout.is_of_ecs = Some(true);
        rollout.rolls_back = rolls_back.map(str::to_owned);
        rollout.task_set = Some(format!("ecs-svc/{revision}"));
    }
    (notice, decision)
}

#[test]
fn a_daemons_deployment_is_one_message() {
    let mut scene = Scene::default();
    scene.play(&[
        daemon("PENDING", "a", "10:00:00"),
        daemon("IN_PROGRESS", "a", "10:00:05"),
        daemon("SUCCESSFUL", "a", "10:20:00"),
    ]);
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 deployment opened in_progress",
            "10:20:00 deployment completed completed",
        ]
    );
    assert_eq!(scene.singles, [] as [&str; 0]);
    let mut keys = scene.states.keys();
    assert!(keys.any(|it| it.kind == SubjectKind::Daemon && it.name == "node-exporter"));
}

#[test]
fn a_daemon_that_rolls_back_is_urgent() {
    let mut scene = Scene::default();
    scene.play(&[
        daemon("IN_PROGRESS", "a", "10:00:00"),
        daemon("ROLLBACK_IN_PROGRESS", "a", "10:05:00"),
        daemon("ROLLBACK_SUCCESSFUL", "a", "10:08:00"),
    ]);
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 deployment opened in_progress",
            "10:05:00 deployment rolls_back rolling_back",
            "10:08:00 deployment rolled_back failed",
        ]
    );
    let urgent: Vec<_> = scene.actions.iter().map(|(_, it)| it.turn.urgent).collect();
    assert_eq!(urgent, [false, true, false]);
    let mut scene = Scene::default();
    scene.play(&[daemon("ROLLBACK_FAILED", "a", "10:05:00")]);
    assert_eq!(scene.turns(), ["10:05:00 deployment opened failed"]);
    assert!(scene.last(ThreadKind::Deployment).turn.urgent);
}

#[test]
fn a_daemons_deployment_that_a_newer_one_replaces_has_not_failed() {
    let mut scene = Scene::default();
    scene.play(&[
        daemon("IN_PROGRESS", "a", "10:00:00"),
        daemon("IN_PROGRESS", "b", "10:05:00"),
        daemon("STOPPED", "a", "10:05:02"),
    ]);
    assert!(!scene.turns().iter().any(|it| it.contains("failed")));
    let mut scene = Scene::default();
    scene.play(&[
        daemon("IN_PROGRESS", "a", "10:00:00"),
        daemon("STOPPED", "a", "10:05:02"),
    ]);
    assert_eq!(
        scene.turns().last().unwrap(),
        "10:05:02 deployment failed stopped"
    );
}

#[test]
fn a_daemon_that_cannot_start_is_an_incident_that_its_deployment_ends() {
    let mut scene = Scene::default();
    scene.play(&[
        impaired("10:00:00"),
        impaired("10:00:30"),
        daemon("SUCCESSFUL", "a", "10:10:00"),
    ]);
    scene.finish();
    assert_eq!(
        scene.turns_of(ThreadKind::Incident),
        [
            "10:00:00 opened open",
            "10:10:00 learned recovering",
            "10:15:00 recovered resolved",
        ]
    );
    assert_eq!(scene.singles, [] as [&str; 0]);
}

#[test]
fn a_deployment_of_code_deploy_is_one_message_of_its_service() {
    let mut scene = Scene::default();
    scene.arrive_evaluated("10:00:01", &[code_deploy("START", "d-1", None, "10:00:00")]);
    scene.arrive_evaluated("10:05:01", &[code_deploy("READY", "d-1", None, "10:05:00")]);
    scene.arrive_evaluated(
        "10:20:01",
        &[code_deploy("SUCCESS", "d-1", None, "10:20:00")],
    );
    assert_eq!(
        scene.turns(),
        [
            "10:00:01 deployment opened in_progress",
            "10:05:01 deployment waits waiting",
            "10:20:01 deployment completed completed",
        ]
    );
    assert_eq!(scene.singles, [] as [&str; 0]);
}

#[test]
fn a_rollback_of_code_deploy_belongs_to_the_deployment_that_failed() {
    let mut scene = Scene::default();
    let back = Some("d-1");
    scene.arrive_evaluated("10:00:01", &[code_deploy("START", "d-1", None, "10:00:00")]);
    scene.arrive_evaluated(
        "10:05:01",
        &[code_deploy("FAILURE", "d-1", None, "10:05:00")],
    );
    scene.arrive_evaluated("10:07:01", &[code_deploy("START", "d-2", back, "10:07:00")]);
    scene.arrive_evaluated(
        "10:09:01",
        &[code_deploy("SUCCESS", "d-2", back, "10:09:00")],
    );
    assert_eq!(
        scene.turns(),
        [
            "10:00:01 deployment opened in_progress",
            "10:05:01 deployment failed failed",
            "10:07:01 deployment rolls_back rolling_back",
            "10:09:01 deployment rolled_back failed",
        ]
    );
}

#[test]
fn an_event_of_code_deploy_whose_service_is_not_known_is_posted_by_itself() {
    let detail = json!({"deploymentId": "d-1", "state": "FAILURE", "application": "checkout"});
    let detail_type = "CodeDeploy Deployment State-change Notification";
    let mut scene = Scene::default();
    scene.play(&[of("aws.codedeploy", detail_type, "10:00:00", detail)]);
    assert_eq!(scene.singles, ["code_deploy"]);
    assert_eq!(scene.turns(), [] as [&str; 0]);
}

fn deployment(scene: &Scene) -> &Deployment {
    match &scene.last(ThreadKind::Deployment).thread {
        Thread::Deployment(it) => it,
        other => panic!("{other:?}"),
    }
}

fn rollout(evaluated: &mut Evaluated) -> &mut RolloutFacts {
    match &mut evaluated.0.facts {
        Facts::Rollout(it) => it,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_rollback_deploys_is_what_runs_again() {
    let back = Some("d-1");
    let rollback = |state, time| code_deploy(state, "d-2", back, time);
    // Also if only the rollback is seen.
    for first in [Some(code_deploy("START", "d-1", None, "10:00:00")), None] {
        let is_known = first.is_some();
        let mut scene = Scene::default();
        scene.arrive_evaluated("10:00:01", first.as_slice());
        scene.arrive_evaluated("10:07:01", &[rollback("START", "10:07:00")]);
        scene.arrive_evaluated("10:09:01", &[rollback("SUCCESS", "10:09:00")]);
        assert_eq!(deployment(&scene).goes_back_to(), Some("checkout:57"));
        let to = is_known.then_some("checkout:58");
        assert_eq!(deployment(&scene).to.as_deref(), to);
    }
}

#[test]
fn the_tasks_of_a_task_set_belong_to_the_deployment_of_code_deploy() {
    let mut scene = Scene::default();
    scene.arrive_evaluated("10:00:01", &[code_deploy("START", "d-1", None, "10:00:00")]);
    scene.play(&[at(
        "10:02:00",
        failed("checkout", OUT_OF_MEMORY).by_deployment("ecs-svc/58"),
    )]);
    scene.arrive_evaluated(
        "10:05:01",
        &[code_deploy("FAILURE", "d-1", None, "10:05:00")],
    );
    assert_eq!(deployment(&scene).tasks.failed, 1);
}

#[test]
fn a_state_that_is_not_known_opens_and_replaces_nothing() {
    let mut scene = Scene::default();
    scene.play(&[daemon("PAUSED", "a", "10:00:00")]);
    assert_eq!(scene.turns(), [] as [&str; 0]);
    assert_eq!(scene.singles.len(), 1);
    scene.play(&[
        daemon("IN_PROGRESS", "b", "10:05:00"),
        daemon("PAUSED", "c", "10:06:00"),
        daemon("SUCCESSFUL", "b", "10:10:00"),
    ]);
    assert_eq!(
        scene.turns(),
        [
            "10:05:00 deployment opened in_progress",
            "10:10:00 deployment completed completed",
        ]
    );
}

#[test]
fn a_deployment_that_is_stopped_has_not_failed() {
    let mut scene = Scene::default();
    scene.arrive_evaluated("10:00:01", &[code_deploy("START", "d-1", None, "10:00:00")]);
    scene.arrive_evaluated("10:05:01", &[code_deploy("STOP", "d-1", None, "10:05:00")]);
    assert_eq!(
        scene.turns().last().unwrap(),
        "10:05:01 deployment failed stopped"
    );
    assert_eq!(deployment(&scene).severity(), Severity::Warning);
    let mut scene = Scene::default();
    scene.play(&[
        daemon("IN_PROGRESS", "a", "10:00:00"),
        daemon("STOP_REQUESTED", "a", "10:05:00"),
    ]);
    scene.until("10:06:00");
    assert!(deployment(&scene).is_being_stopped());
    assert_eq!(deployment(&scene).severity(), Severity::Warning);
}

#[test]
fn a_wait_of_code_deploy_ends_with_its_time() {
    let mut ready = code_deploy("READY", "d-1", None, "10:05:00");
    rollout(&mut ready).decide_by = Some(crate::ecs::event::Time::read(
        "2026-11-12T11:05:00Z".to_owned(),
    ));
    let mut scene = Scene::default();
    scene.arrive_evaluated("10:05:01", &[ready]);
    assert_eq!(deployment(&scene).ready_until, Some(time("11:05:00")));
    assert!(deployment(&scene).waits_at(time("11:04:59")));
    assert!(!deployment(&scene).waits_at(time("11:05:00")));
}
