//! Classifies events of container instances, the hosts of EC2 tasks.

use super::{Classification, cluster_name, owned_name};
use crate::ecs::event::{InstanceHealthChange, InstanceStateChange};
use crate::ecs::notice::{Facts, Kind, Subject};

pub(super) fn find_state(change: &InstanceStateChange) -> Classification {
    Classification {
        kind: Kind::InstanceState,
        subject: Subject {
            availability_zone: change.availability_zone.clone(),
            instance_type: change.instance_type.clone(),
            ..subject(
                change.cluster_arn.as_deref(),
                change.container_instance_arn.as_deref(),
                change.ec2_instance.as_deref(),
            )
        },
        facts: Facts::Instance(change.clone()),
        actor: None,
    }
}

pub(super) fn find_health(change: &InstanceHealthChange) -> Classification {
    Classification {
        kind: Kind::InstanceHealth,
        subject: subject(
            change.cluster_arn.as_deref(),
            change.container_instance_arn.as_deref(),
            change.ec2_instance.as_deref(),
        ),
        facts: Facts::Health(change.clone()),
        actor: None,
    }
}

fn subject(
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
