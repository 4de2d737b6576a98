//! Container instances: the hosts of EC2 tasks.

use super::{Finding, cluster_name, owned_name};
use crate::event::{InstanceHealthChange, InstanceStateChange};
use crate::notice::{Facts, HealthFacts, InstanceFacts, Kind, Subject};

pub(super) fn find_state(change: &InstanceStateChange) -> Finding {
    let instance = change.container_instance_arn.as_deref();
    Finding {
        kind: Kind::InstanceState,
        subject: subject(
            change.cluster_arn.as_deref(),
            instance,
            change.ec2_instance.as_deref(),
        ),
        facts: Facts::Instance(InstanceFacts {
            status: change.status.clone(),
            status_reason: change.status_reason.clone(),
            agent_connected: change.agent_connected,
            agent_version: change.agent_version.clone(),
            docker_version: change.docker_version.as_deref().map(docker_version),
            running_tasks: change.running_tasks,
        }),
        actor: None,
    }
}

pub(super) fn find_health(change: &InstanceHealthChange) -> Finding {
    let instance = change.container_instance_arn.as_deref();
    Finding {
        kind: Kind::InstanceHealth,
        subject: subject(
            change.cluster_arn.as_deref(),
            instance,
            change.ec2_instance.as_deref(),
        ),
        facts: Facts::Health(HealthFacts {
            overall_status: change.overall_status.clone(),
            capacity_provider: change.capacity_provider.clone(),
            checks: change.health_checks.clone(),
        }),
        actor: None,
    }
}

pub(super) fn subject(
    cluster: Option<&str>,
    container_instance: Option<&str>,
    ec2_instance: Option<&str>,
) -> Subject {
    Subject {
        cluster: cluster_name(cluster, &[container_instance]),
        container_instance: owned_name(container_instance),
        ec2_instance: ec2_instance.map(str::to_owned),
        ..Subject::default()
    }
}

/// The agent reports "DockerVersion: 25.0.6".
pub(super) fn docker_version(text: &str) -> String {
    text.trim_start_matches("DockerVersion:").trim().to_owned()
}
