//! DescribeServices: the state of a deployment, and whether it is a rollback because a newer deployment failed.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>

use std::collections::HashMap;

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{Deployment, DeploymentRolloutState, ServiceEvent, TaskSet};

use super::calls::{AwsCalls, Cluster, Member};
use crate::aws::CallError;
use crate::ecs::arn;
use crate::ecs::arn::is_name;
use crate::ecs::event::Time;
use crate::ecs::notice::{Facts, Kind, Notice, Progress};
use crate::ecs::service_events::{rollback_target, says_rollback};

/// The most services in one call.
const MOST: usize = 10;

/// The deployments and events of each service.
pub(super) type Deployments = HashMap<Member, ServiceState>;

#[derive(Debug)]
pub(super) struct ServiceState {
    deployments: Vec<Deployment>,
    /// The last hundred service events.
    events: Vec<ServiceEvent>,
    /// Of a service that CodeDeploy deploys.
    pub(super) task_sets: Vec<TaskSet>,
    /// The running and the desired tasks.
    pub(super) counts: (i64, i64),
}

/// The service to ask for: that of an event that contains only the id of a deployment.
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

pub(super) async fn fetch(aws: &AwsCalls<'_>, notices: &[&mut Notice]) -> Deployments {
    let wanted = notices.iter().filter_map(|notice| missing(notice));
    fetch_services(aws, wanted).await
}

pub(super) async fn fetch_services(
    aws: &AwsCalls<'_>,
    wanted: impl Iterator<Item = Member>,
) -> Deployments {
    let described = aws.each(wanted, MOST, |cluster, names| describe(aws, cluster, names));
    let found = described.await.into_iter().flat_map(|(cluster, services)| {
        let services = services.into_iter();
        services.map(move |(name, service)| ((cluster.clone(), name), service))
    });
    found.collect()
}

async fn describe(
    aws: &AwsCalls<'_>,
    cluster: Cluster,
    names: Vec<String>,
) -> Option<Vec<(String, ServiceState)>> {
    const CALL: &str = "DescribeServices";
    let ecs = aws.ecs(&cluster.location);
    let answer = async {
        ecs.describe_services()
            .cluster(&cluster.arn)
            .set_services(Some(names))
            .send()
            .await
            .map_err(|error| CallError::of(CALL, error))
    };
    let answer = aws.call(CALL, &cluster.location, answer).await?;
    aws.note_missing(CALL, answer.failures().len());
    let services = answer.services().iter();
    let named = services.filter_map(|service| {
        let name = service.service_name()?.to_owned();
        let service = ServiceState {
            deployments: service.deployments().to_vec(),
            events: service.events().to_vec(),
            task_sets: service.task_sets().to_vec(),
            counts: (
                i64::from(service.running_count()),
                i64::from(service.desired_count()),
            ),
        };
        Some((name, service))
    });
    Some(named.collect())
}

/// A finished deployment may be missing in the answer. Then nothing is added, and no other deployment is used instead.
pub(super) fn add_to(notice: &mut Notice, services: &Deployments) {
    let found = missing(notice).and_then(|member| services.get(&member));
    let (Some(service), Facts::Service(facts)) = (found, &mut notice.facts) else {
        return;
    };
    let Some(id) = facts.deployment_id.clone() else {
        return;
    };
    let is_completed = facts.event_name.as_deref() == Some("SERVICE_DEPLOYMENT_COMPLETED");
    facts.came_back = is_completed && service.came_back(&id, facts.updated_at.as_ref());
    // An event about a rollback may contain the id of the failed deployment. The task definition is that of the deployment
    // that runs again. An event about the failure itself is about the deployment with its id.
    let has_failed = facts.event_name.as_deref() == Some("SERVICE_DEPLOYMENT_FAILED");
    let runs = facts.reason.as_deref().and_then(rollback_target);
    let runs = runs.filter(|_| !has_failed);
    let runs = service.deployment(runs.unwrap_or(&id));
    facts.progress = service.deployment(&id).or(runs).map(progress);
    let definition = runs.and_then(Deployment::task_definition);
    if let Some((family, revision)) = definition.map(arn::task_definition) {
        notice.subject.family = Some(family);
        notice.subject.revision = revision;
    }
}

fn progress(deployment: &Deployment) -> Progress {
    Progress {
        desired: i64::from(deployment.desired_count()),
        running: i64::from(deployment.running_count()),
        pending: i64::from(deployment.pending_count()),
        failed: i64::from(deployment.failed_tasks()),
    }
}

impl ServiceState {
    fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|it| it.id() == Some(id))
    }

    /// Whether the deployment runs again after a rollback. The old deployment goes through its states again, with its old
    /// id. The failed deployment is removed from the list when its tasks are gone, and then only the service events mention
    /// it. Anything later than the given time does not count.
    fn came_back(&self, id: &str, at: Option<&Time>) -> bool {
        let at = at.and_then(Time::instant).map(|it| it.as_second());
        let is_before = |time: Option<&DateTime>| match (time, at) {
            (Some(time), Some(at)) => time.secs() <= at,
            (_, _) => true,
        };
        let is_later = |one: Option<&DateTime>, other: Option<&DateTime>| {
            one.zip(other).is_some_and(|(one, other)| one > other)
        };
        let own = self.deployment(id);
        let says_so = own.and_then(Deployment::rollout_state_reason);
        let has_failed = |it: &Deployment| {
            it.rollout_state() == Some(&DeploymentRolloutState::Failed)
                && own.is_some_and(|own| is_later(it.created_at(), own.created_at()))
                && is_before(it.created_at())
        };
        let is_rollback = |it: &ServiceEvent| {
            it.message().and_then(rollback_target) == Some(id) && is_before(it.created_at())
        };
        says_so.is_some_and(says_rollback)
            || self.deployments.iter().any(has_failed)
            || self.events.iter().any(is_rollback)
    }
}
