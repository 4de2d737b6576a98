//! Classifies service actions, deployments and their hooks. Each is about one service.

use super::{Classification, cluster_name, owned_name, resource};
use crate::ecs::arn::Arn;
use crate::ecs::event::{DeploymentStateChange, Envelope, HookStateChange, ServiceAction};
use crate::ecs::notice::{Facts, Kind, ServiceFacts, Subject};

pub(super) fn find_action(action: &ServiceAction, envelope: &Envelope) -> Classification {
    let is_deployment = action
        .event_name
        .as_deref()
        .is_some_and(|name| name.starts_with("SERVICE_DEPLOYMENT_"));
    Classification {
        kind: if is_deployment {
            Kind::Deployment
        } else {
            Kind::ServiceAction
        },
        subject: Subject {
            task: match action.tasks.as_slice() {
                [task] => owned_name(Some(task)),
                _ => None,
            },
            ..subject(action.cluster_arn.as_deref(), resource(envelope, "service"))
        },
        facts: Facts::Service(ServiceFacts {
            event_name: action.event_name.clone(),
            event_type: action.event_type.clone(),
            reason: action.reason.clone(),
            deployment_id: action.deployment_id.clone(),
            updated_at: action.created_at.clone().or_else(|| envelope.time.clone()),
            desired_count: action.desired_count,
            capacity_providers: names(&action.capacity_providers),
            container_instances: names(&action.container_instances),
            tasks: names(&action.tasks),
            targets: action.targets.clone(),
            ..ServiceFacts::default()
        }),
        actor: None,
    }
}

pub(super) fn find_deployment(
    change: &DeploymentStateChange,
    envelope: &Envelope,
) -> Classification {
    Classification {
        kind: Kind::Deployment,
        subject: subject(change.cluster_arn.as_deref(), resource(envelope, "service")),
        facts: Facts::Service(ServiceFacts {
            event_name: change.event_name.clone(),
            event_type: change.event_type.clone(),
            reason: change.reason.clone(),
            deployment_id: change.deployment_id.clone(),
            updated_at: change.updated_at.clone().or_else(|| envelope.time.clone()),
            ..ServiceFacts::default()
        }),
        actor: None,
    }
}

pub(super) fn find_hook(change: &HookStateChange, envelope: &Envelope) -> Classification {
    let service = change
        .service_arn
        .as_deref()
        .or_else(|| resource(envelope, "service"));
    let deployment = change
        .service_deployment_arn
        .as_deref()
        .or_else(|| resource(envelope, "service-deployment"));
    Classification {
        kind: Kind::DeploymentHook,
        subject: Subject {
            cluster: cluster_name(change.cluster_arn.as_deref(), &[service, deployment]),
            service: service
                .and_then(service_name)
                .or_else(|| deployed_service(deployment?)),
            ..Subject::default()
        },
        facts: Facts::Hook(change.clone()),
        actor: None,
    }
}

fn subject(cluster_arn: Option<&str>, service_arn: Option<&str>) -> Subject {
    Subject {
        cluster: cluster_name(cluster_arn, &[service_arn]),
        service: service_arn.and_then(service_name),
        ..Subject::default()
    }
}

fn service_name(arn: &str) -> Option<String> {
    (Arn::parse(arn)?.kind() == "service").then(|| crate::ecs::arn::name(arn).to_owned())
}

/// `service-deployment/CLUSTER/SERVICE/ID` → `SERVICE`.
fn deployed_service(arn: &str) -> Option<String> {
    let arn = Arn::parse(arn)?;
    let service = arn.resource.split('/').nth(2)?;
    (arn.kind() == "service-deployment").then(|| service.to_owned())
}

fn names(arns: &[String]) -> Vec<String> {
    arns.iter()
        .filter_map(|arn| owned_name(Some(arn)))
        .collect()
}
