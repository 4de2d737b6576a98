//! CodeDeploy's GetDeployment and GetDeploymentGroup: the cluster and the service of a deployment, why it failed, and whether
//! it is a rollback. What it deploys only ECS's DescribeServices says: GetDeployment returns the application specification
//! without its content, and the task set of the service names both.
//!
//! <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeployment.html>,
//! <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeploymentGroup.html>

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;

use super::answer_cache::AnswerCache;
use super::calls::{AwsCalls, Cluster, Location};
use super::deployment::fetch_services;
use crate::aws::service;
use crate::ecs::arn::{self, is_name};
use crate::ecs::event::{Fields, Time};
use crate::ecs::notice::{Facts, Notice, RolloutFacts, RolloutState, RolloutTool};

/// A deployment group keeps its service for longer.
const FRESH: Duration = Duration::from_secs(3_600);

/// The most groups in memory.
const MOST: usize = 1_000;

/// A deployment, by its place and its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DeploymentKey {
    pub(super) location: Location,
    id: String,
}

/// A deployment group, by its place, its application and its name.
type GroupKey = (Location, String, String);

/// The names of a cluster and a service.
type ServiceNames = (String, String);

pub(super) type CodeDeployments = HashMap<DeploymentKey, CodeDeployment>;

#[derive(Debug, Clone)]
pub(super) struct CodeDeployment {
    /// `None` if AWS does not say to what it deploys.
    is_of_ecs: Option<bool>,
    /// The cluster and the service. `None` if the deployment group is not known, or names none.
    service: Option<ServiceNames>,
    task_set: Option<TaskSet>,
    reason: Option<String>,
    rolls_back: Option<String>,
    /// For how long it waits for somebody before it moves the traffic. `None` if it does not wait.
    waits: Option<Duration>,
}

/// The tasks that it starts.
#[derive(Debug, Clone)]
struct TaskSet {
    /// `ecs-svc/1234`, which its tasks have as `startedBy`.
    id: Option<String>,
    /// `checkout:58`.
    task_definition: Option<String>,
}

/// The services of deployment groups.
pub(super) type GroupCache = AnswerCache<GroupKey, Option<ServiceNames>>;

pub(super) fn cache() -> GroupCache {
    AnswerCache::new(FRESH, MOST)
}

/// The deployment to ask for.
pub(super) fn missing(notice: &Notice) -> Option<DeploymentKey> {
    let rollout = rollout(notice).filter(|it| it.is_of_ecs.is_none())?;
    let id = rollout.id.clone().filter(|it| is_deployment(it))?;
    Some(DeploymentKey {
        location: Location::of(notice)?,
        id,
    })
}

fn rollout(notice: &Notice) -> Option<&RolloutFacts> {
    match &notice.facts {
        Facts::Rollout(rollout) if rollout.tool == RolloutTool::CodeDeploy => Some(rollout),
        _ => None,
    }
}

/// `d-1A2B3C4D5`.
fn is_deployment(text: &str) -> bool {
    let id = text.strip_prefix("d-").unwrap_or_default();
    (1..=20).contains(&id.len()) && id.bytes().all(|it| it.is_ascii_alphanumeric())
}

pub(super) async fn fetch(
    aws: &AwsCalls<'_>,
    groups: &GroupCache,
    notices: &[&mut Notice],
) -> CodeDeployments {
    let wanted: BTreeSet<_> = notices.iter().filter_map(|it| missing(it)).collect();
    let asked = wanted.into_iter().map(|key| async {
        let deployment = describe(aws, groups, &key).await?;
        Some((key, deployment))
    });
    aws.all(asked).await.into_iter().collect()
}

async fn describe(
    aws: &AwsCalls<'_>,
    groups: &GroupCache,
    key: &DeploymentKey,
) -> Option<CodeDeployment> {
    const CALL: &str = "GetDeployment";
    let DeploymentKey { location, id } = key;
    let client = aws.service(service::CODE_DEPLOY, location);
    let input = json!({"deploymentId": id});
    let asked = client.call(CALL, &input);
    let answer = aws.call(CALL, location, asked).await?;
    let info = Fields::new(&answer).object("deploymentInfo");
    let is_of_ecs = info.text("computePlatform").map(|it| it == "ECS");
    let group = info
        .text("applicationName")
        .zip(info.text("deploymentGroupName"));
    let service = match group.filter(|_| is_of_ecs == Some(true)) {
        Some((application, group)) => {
            let key = (location.clone(), application, group);
            service_of(aws, groups, &client, key).await
        }
        None => None,
    };
    let task_set = match &service {
        Some(service) => task_set(aws, key, service).await,
        None => None,
    };
    Some(CodeDeployment {
        is_of_ecs,
        service,
        task_set,
        reason: reason(info),
        rolls_back: info
            .object("rollbackInfo")
            .text("rollbackTriggeringDeploymentId"),
        waits: waits(info),
    })
}

/// The service of a deployment group. `None` if AWS did not answer, or if the group has none.
async fn service_of(
    aws: &AwsCalls<'_>,
    groups: &GroupCache,
    client: &service::Client,
    key: GroupKey,
) -> Option<ServiceNames> {
    const CALL: &str = "GetDeploymentGroup";
    if let Some(known) = groups.get(&key) {
        return known;
    }
    let (location, application, group) = &key;
    let input = json!({"applicationName": application, "deploymentGroupName": group});
    let asked = client.call(CALL, &input);
    let answer = aws.call(CALL, location, asked).await?;
    let services = Fields::new(&answer)
        .object("deploymentGroupInfo")
        .list("ecsServices");
    let service = services.first().and_then(|it| {
        let cluster = it.text("clusterName")?;
        let service = it.text("serviceName")?;
        Some((
            arn::name(&cluster).to_owned(),
            arn::name(&service).to_owned(),
        ))
    });
    groups.put(key, service.clone());
    service
}

/// The task set of a deployment. `None` if there is none yet, or none any more.
async fn task_set(
    aws: &AwsCalls<'_>,
    key: &DeploymentKey,
    (cluster, service): &ServiceNames,
) -> Option<TaskSet> {
    let cluster = Cluster::new(key.location.clone(), cluster)?;
    let member = is_name(service).then(|| (cluster, service.clone()));
    let found = fetch_services(aws, member.into_iter()).await;
    let mut task_sets = found.values().flat_map(|it| &it.task_sets);
    let task_set = task_sets.find(|it| it.external_id() == Some(&key.id))?;
    Some(TaskSet {
        id: task_set.id().map(str::to_owned),
        task_definition: task_set
            .task_definition()
            .map(|it| arn::name(it).to_owned()),
    })
}

/// `HEALTH_CONSTRAINTS: The deployment failed because …`.
fn reason(info: Fields<'_>) -> Option<String> {
    let error = info.object("errorInformation");
    let message = error.text("message");
    let stopped = info.object("rollbackInfo").text("rollbackMessage");
    match (error.text("code"), message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (code, message) => code.or(message).or(stopped),
    }
}

/// CodeDeploy waits only with `STOP_DEPLOYMENT`, and then stops the deployment.
/// <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_DeploymentReadyOption.html>
fn waits(info: Fields<'_>) -> Option<Duration> {
    let ready = info
        .object("blueGreenDeploymentConfiguration")
        .object("deploymentReadyOption");
    let minutes = ready.number("waitTimeInMinutes").unwrap_or_default();
    let minutes = u64::try_from(minutes).unwrap_or_default();
    let waits = ready.text("actionOnTimeout").as_deref() == Some("STOP_DEPLOYMENT");
    waits.then(|| Duration::from_secs(minutes.saturating_mul(60)))
}

pub(super) fn add_to(notice: &mut Notice, deployments: &CodeDeployments) {
    let Some(found) = missing(notice).and_then(|key| deployments.get(&key)) else {
        return;
    };
    if let Some((cluster, service)) = &found.service {
        notice.subject.cluster = Some(cluster.clone());
        notice.subject.service = Some(service.clone());
    }
    let task_set = found.task_set.as_ref();
    if let Some(definition) = task_set.and_then(|it| it.task_definition.as_ref()) {
        let (family, revision) = arn::task_definition(definition);
        notice.subject.family = Some(family);
        notice.subject.revision = revision;
    }
    if let Facts::Rollout(rollout) = &mut notice.facts {
        rollout.task_set = task_set.and_then(|it| it.id.clone());
        rollout.decide_by = found.waits.and_then(|it| after(rollout, it));
        rollout.is_of_ecs = found.is_of_ecs;
        rollout.reason = found.reason.clone();
        rollout.rolls_back = found.rolls_back.clone();
        if rollout.state == RolloutState::Ready && found.waits.is_none() {
            // It goes on by itself.
            rollout.state = RolloutState::InProgress;
        }
    }
}

/// So long after the event. `None` if the event has no time, or if the wait is not known.
fn after(rollout: &RolloutFacts, wait: Duration) -> Option<Time> {
    let at = rollout.updated_at.as_ref()?.instant()?;
    let end = at.checked_add(SignedDuration::try_from(wait).ok()?).ok()?;
    (!wait.is_zero()).then(|| Time::read(end.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_deployments_are_asked_for() {
        assert!(is_deployment("d-1A2B3C4D5"));
        for id in ["", "d-", "d-../x", "x-1A2B3C4D5", "d-1A2B3C4D5 --x"] {
            assert!(!is_deployment(id), "{id}");
        }
    }
}
