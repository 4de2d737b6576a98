//! Classifies deployments that are not ECS's own of a service: those of managed daemons, and those of CodeDeploy.

use super::{Classification, cluster_name, owned_name, resource};
use crate::ecs::arn;
use crate::ecs::event::{CodeDeployStateChange, DaemonAction, DaemonDeployment, Envelope};
use crate::ecs::notice::{
    Facts, Kind, Resource, RolloutFacts, RolloutState, RolloutTool, ServiceFacts, Subject,
};

pub(super) fn find_daemon_deployment(
    change: &DaemonDeployment,
    envelope: &Envelope,
) -> Classification {
    let daemon = change
        .daemon_arn
        .as_deref()
        .or_else(|| resource(envelope, "daemon"));
    let deployment = change.deployment_arn.as_deref();
    Classification {
        kind: Kind::DaemonDeployment,
        subject: Subject {
            cluster: cluster_name(change.cluster_arn.as_deref(), &[daemon, deployment]),
            resource: daemon.map(of_daemon),
            ..Subject::default()
        },
        facts: Facts::Rollout(Box::new(RolloutFacts {
            tool: RolloutTool::Daemon,
            id: owned_name(deployment),
            state: daemon_state(change.event_name.as_deref()),
            event_name: change.event_name.clone(),
            reason: change.reason.clone(),
            revision: owned_name(change.revision_arn.as_deref()),
            updated_at: change.updated_at.clone().or_else(|| envelope.time.clone()),
            is_of_ecs: Some(true),
            ..RolloutFacts::default()
        })),
        actor: None,
    }
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DaemonDeploymentSummary.html>
fn daemon_state(name: Option<&str>) -> RolloutState {
    let name = name.unwrap_or_default();
    match name.strip_prefix("DAEMON_DEPLOYMENT_").unwrap_or(name) {
        "PENDING" | "IN_PROGRESS" => RolloutState::InProgress,
        "SUCCESSFUL" => RolloutState::Succeeded,
        "STOP_REQUESTED" => RolloutState::Stopping,
        "STOPPED" => RolloutState::Stopped,
        "ROLLBACK_IN_PROGRESS" => RolloutState::RollingBack,
        "ROLLBACK_SUCCESSFUL" => RolloutState::RolledBack,
        "ROLLBACK_FAILED" => RolloutState::RollbackFailed,
        _ => RolloutState::Unknown,
    }
}

pub(super) fn find_daemon_action(action: &DaemonAction, envelope: &Envelope) -> Classification {
    let daemon = action
        .daemon_arn
        .as_deref()
        .or_else(|| resource(envelope, "daemon"));
    let instance = action.container_instance_arn.as_deref();
    let task = action
        .task_arn
        .as_deref()
        .or_else(|| resource(envelope, "task"));
    let definition = action.task_definition_arn.as_deref();
    let (family, revision) = definition.map(arn::task_definition).unzip();
    Classification {
        kind: Kind::DaemonAction,
        subject: Subject {
            cluster: cluster_name(action.cluster_arn.as_deref(), &[daemon, instance, task]),
            resource: daemon.map(of_daemon),
            container_instance: owned_name(instance),
            task: owned_name(task),
            family,
            revision: revision.flatten(),
            ..Subject::default()
        },
        facts: Facts::Service(ServiceFacts {
            event_name: action.event_name.clone(),
            event_type: action.event_type.clone(),
            failure_type: action.failure_type.clone(),
            reason: action.reason.clone(),
            updated_at: action.created_at.clone().or_else(|| envelope.time.clone()),
            capacity_providers: action.capacity_provider.iter().cloned().collect(),
            ..ServiceFacts::default()
        }),
        actor: None,
    }
}

fn of_daemon(arn: &str) -> Resource {
    Resource::new("daemon", arn::name(arn))
}

/// The cluster and the service are looked up.
pub(super) fn find_code_deploy(
    change: &CodeDeployStateChange,
    envelope: &Envelope,
) -> Classification {
    let group = change.group.as_deref();
    Classification {
        kind: Kind::CodeDeploy,
        subject: Subject {
            resource: group.map(|it| Resource::new("deployment-group", it)),
            ..Subject::default()
        },
        facts: Facts::Rollout(Box::new(RolloutFacts {
            tool: RolloutTool::CodeDeploy,
            id: change.deployment.clone(),
            state: match change.state.as_deref() {
                Some("START") => RolloutState::InProgress,
                Some("READY") => RolloutState::Ready,
                Some("SUCCESS") => RolloutState::Succeeded,
                Some("FAILURE") => RolloutState::Failed,
                Some("STOP") => RolloutState::Stopped,
                Some(_) | None => RolloutState::Unknown,
            },
            event_name: change.state.clone(),
            application: change.application.clone(),
            group: change.group.clone(),
            updated_at: envelope.time.clone(),
            is_of_ecs: None,
            ..RolloutFacts::default()
        })),
        actor: None,
    }
}
