//! DescribeContainerInstances: the EC2 instance, and whether it still exists.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeContainerInstances.html>

use std::collections::HashMap;

use aws_sdk_ecs::types::ContainerInstance;

use super::calls::{AwsCalls, Cluster, Member};
use crate::aws::CallError;
use crate::ecs::arn;
use crate::ecs::arn::is_id;
use crate::ecs::notice::{Facts, Host, Kind, Notice};

/// The most instances in one call.
const MOST: usize = 100;

pub(super) type Instances = HashMap<Member, Instance>;

#[derive(Debug, Default)]
pub(super) struct Instance {
    ec2: Option<String>,
    instance_type: Option<String>,
    host: Option<Host>,
}

/// The instance to ask for: that of a call, or of a task that does not just start. For a task that starts, it is of no
/// use.
pub(super) fn missing(notice: &Notice) -> Option<Member> {
    let subject = &notice.subject;
    let is_of_use = !matches!(notice.kind, Kind::TaskStarted | Kind::ApiDenied);
    let is_missing = subject.ec2_instance.is_none() && is_of_use;
    let instance = subject.container_instance.clone().filter(|it| is_id(it))?;
    is_missing.then_some((Cluster::of(notice)?, instance))
}

pub(super) async fn fetch(aws: &AwsCalls<'_>, notices: &[&mut Notice]) -> Instances {
    let wanted = notices.iter().filter_map(|notice| missing(notice));
    let described = aws.each(wanted, MOST, |cluster, names| describe(aws, cluster, names));
    let found = described
        .await
        .into_iter()
        .flat_map(|(cluster, instances)| {
            let instances = instances.into_iter();
            instances.map(move |(name, instance)| ((cluster.clone(), name), instance))
        });
    found.collect()
}

async fn describe(
    aws: &AwsCalls<'_>,
    cluster: Cluster,
    names: Vec<String>,
) -> Option<Vec<(String, Instance)>> {
    const CALL: &str = "DescribeContainerInstances";
    let ecs = aws.ecs(&cluster.location);
    let answer = async {
        ecs.describe_container_instances()
            .cluster(&cluster.arn)
            .set_container_instances(Some(names))
            .send()
            .await
            .map_err(|error| CallError::of(CALL, error))
    };
    let answer = aws.call(CALL, &cluster.location, answer).await?;
    aws.note_missing(CALL, answer.failures().len());
    let there = answer.container_instances().iter().filter_map(read);
    // If ECS does not know the instance of an event any more, it was removed since.
    let gone = answer.failures().iter().filter_map(|failure| {
        let instance = Instance {
            ec2: None,
            instance_type: None,
            host: (failure.reason() == Some("MISSING")).then_some(Host::Gone),
        };
        Some((arn::name(failure.arn()?).to_owned(), instance))
    });
    Some(there.chain(gone).collect())
}

fn read(instance: &ContainerInstance) -> Option<(String, Instance)> {
    let host = match instance.status() {
        Some("DRAINING") => Some(Host::Draining),
        Some("DEREGISTERING" | "INACTIVE") => Some(Host::Gone),
        _ if !instance.agent_connected() => Some(Host::AgentDisconnected),
        _ => None,
    };
    let name = arn::name(instance.container_instance_arn()?).to_owned();
    let ec2 = instance.ec2_instance_id().map(str::to_owned);
    let mut attributes = instance.attributes().iter();
    let instance_type = attributes.find(|it| it.name() == "ecs.instance-type");
    let instance = Instance {
        ec2,
        instance_type: instance_type.and_then(|it| it.value()).map(str::to_owned),
        host,
    };
    Some((name, instance))
}

pub(super) fn add_to(notice: &mut Notice, instances: &Instances) {
    let Some(instance) = missing(notice).and_then(|member| instances.get(&member)) else {
        return;
    };
    notice.subject.ec2_instance.clone_from(&instance.ec2);
    let instance_type = &mut notice.subject.instance_type;
    if instance_type.is_none() {
        instance_type.clone_from(&instance.instance_type);
    }
    if let (Facts::Task(task), Kind::TaskStopped) = (&mut notice.facts, notice.kind) {
        task.host = instance.host;
    }
}
