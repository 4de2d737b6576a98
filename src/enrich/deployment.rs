//! DescribeServices: what a deployment's id stands for.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>

use std::collections::HashMap;

use aws_sdk_ecs::types::Deployment;

use super::ask::{Ask, Cluster, Member, is_name};
use crate::arn;
use crate::aws::CallError;
use crate::notice::{Facts, Kind, Notice, Progress};

/// Services in a call.
const MOST: usize = 10;

/// Of each service, all that it has.
pub(super) type Deployments = HashMap<Member, Vec<Deployment>>;

/// The service of an event that names no more of a deployment than its id.
pub(super) fn missing(notice: &Notice) -> Option<Member> {
    let Facts::Service(facts) = &notice.facts else {
        return None;
    };
    let is_missing = notice.kind == Kind::Deployment
        && facts.deployment_id.is_some()
        && facts.progress.is_none();
    let service = notice.subject.service.clone().filter(|it| is_name(it))?;
    is_missing.then_some((Cluster::of(notice)?, service))
}

pub(super) async fn ask(ask: &Ask<'_>, notices: &[&mut Notice]) -> Deployments {
    let wanted = notices.iter().filter_map(|notice| missing(notice));
    let described = ask.each(wanted, MOST, |cluster, names| describe(ask, cluster, names));
    let found = described.await.into_iter().flat_map(|(cluster, services)| {
        let services = services.into_iter();
        services.map(move |(name, deployments)| ((cluster.clone(), name), deployments))
    });
    found.collect()
}

async fn describe(
    ask: &Ask<'_>,
    cluster: Cluster,
    names: Vec<String>,
) -> Option<Vec<(String, Vec<Deployment>)>> {
    const CALL: &str = "DescribeServices";
    let ecs = ask.ecs(&cluster.region);
    let answer = async {
        ecs.describe_services()
            .cluster(cluster.arn)
            .set_services(Some(names))
            .send()
            .await
            .map_err(|error| CallError::of(CALL, error))
    };
    let answer = ask.call(CALL, answer).await?;
    ask.missing(CALL, answer.failures().len());
    let services = answer.services().iter();
    let named = services.filter_map(|service| {
        let name = service.service_name()?.to_owned();
        Some((name, service.deployments().to_vec()))
    });
    Some(named.collect())
}

/// A deployment that is over may be gone from the service: then nothing is said of another in its place.
pub(super) fn learn(notice: &mut Notice, deployments: &Deployments) {
    let found = missing(notice).and_then(|member| deployments.get(&member));
    let (Some(found), Facts::Service(facts)) = (found, &mut notice.facts) else {
        return;
    };
    let mut found = found.iter();
    let Some(deployment) = found.find(|it| it.id() == facts.deployment_id.as_deref()) else {
        return;
    };
    facts.progress = Some(Progress {
        desired: i64::from(deployment.desired_count()),
        running: i64::from(deployment.running_count()),
        pending: i64::from(deployment.pending_count()),
        failed: i64::from(deployment.failed_tasks()),
    });
    if let Some((family, revision)) = deployment.task_definition().map(arn::task_definition) {
        notice.subject.family = Some(family);
        notice.subject.revision = revision;
    }
}
