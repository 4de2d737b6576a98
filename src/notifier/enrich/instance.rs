//! DescribeContainerInstances: which EC2 instance it is, and whether it is still there.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeContainerInstances.html>

use std::collections::HashMap;

use aws_sdk_ecs::types::ContainerInstance;

use super::ask::{Ask, Cluster, Member, is_id};
use crate::aws::CallError;
use crate::ecs::arn;
use crate::ecs::notice::{Facts, Host, Kind, Notice};

/// Instances in a call.
const MOST: usize = 100;

pub(super) type Instances = HashMap<Member, Instance>;

#[derive(Debug, Default)]
pub(super) struct Instance {
    ec2: Option<String>,
    trouble: Option<Host>,
}

/// The instance under a task that ended, or that a call is about. A task that starts is well where it is.
pub(super) fn missing(notice: &Notice) -> Option<Member> {
    let subject = &notice.subject;
    let is_of_use = !matches!(notice.kind, Kind::TaskStarted | Kind::ApiDenied);
    let is_missing = subject.ec2_instance.is_none() && is_of_use;
    let instance = subject.container_instance.clone().filter(|it| is_id(it))?;
    is_missing.then_some((Cluster::of(notice)?, instance))
}

pub(super) async fn ask(ask: &Ask<'_>, notices: &[&mut Notice]) -> Instances {
    let wanted = notices.iter().filter_map(|notice| missing(notice));
    let described = ask.each(wanted, MOST, |cluster, names| describe(ask, cluster, names));
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
    ask: &Ask<'_>,
    cluster: Cluster,
    names: Vec<String>,
) -> Option<Vec<(String, Instance)>> {
    const CALL: &str = "DescribeContainerInstances";
    let ecs = ask.ecs(&cluster.region);
    let answer = async {
        ecs.describe_container_instances()
            .cluster(cluster.arn)
            .set_container_instances(Some(names))
            .send()
            .await
            .map_err(|error| CallError::of(CALL, error))
    };
    let answer = ask.call(CALL, answer).await?;
    ask.missing(CALL, answer.failures().len());
    let there = answer.container_instances().iter().filter_map(read);
    // What an event names and ECS does not know any more has gone since.
    let gone = answer.failures().iter().filter_map(|failure| {
        let instance = Instance {
            ec2: None,
            trouble: (failure.reason() == Some("MISSING")).then_some(Host::Gone),
        };
        Some((arn::name(failure.arn()?).to_owned(), instance))
    });
    Some(there.chain(gone).collect())
}

fn read(instance: &ContainerInstance) -> Option<(String, Instance)> {
    let trouble = match instance.status() {
        Some("DRAINING") => Some(Host::Draining),
        Some("DEREGISTERING" | "INACTIVE") => Some(Host::Gone),
        _ if !instance.agent_connected() => Some(Host::AgentDisconnected),
        _ => None,
    };
    let name = arn::name(instance.container_instance_arn()?).to_owned();
    let ec2 = instance.ec2_instance_id().map(str::to_owned);
    Some((name, Instance { ec2, trouble }))
}

pub(super) fn learn(notice: &mut Notice, instances: &Instances) {
    let Some(instance) = missing(notice).and_then(|member| instances.get(&member)) else {
        return;
    };
    notice.subject.ec2_instance.clone_from(&instance.ec2);
    if let (Facts::Task(task), Kind::TaskStopped) = (&mut notice.facts, notice.kind) {
        task.host = instance.trouble;
    }
}
