//! CodeDeploy's GetDeployment and GetDeploymentGroup: the cluster and the service of a deployment, what it deploys, why it
//! failed, and whether it is a rollback.
//!
//! <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeployment.html>,
//! <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeploymentGroup.html>

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde_json::json;

use super::answer_cache::AnswerCache;
use super::calls::{AwsCalls, region};
use crate::aws::service;
use crate::ecs::arn;
use crate::ecs::event::Fields;
use crate::ecs::notice::{Facts, Notice, RolloutFacts, RolloutState, RolloutTool};

/// A deployment group keeps its service for longer.
const FRESH: Duration = Duration::from_secs(3_600);

/// The most groups in memory.
const MOST: usize = 1_000;

/// A deployment, by its region and id.
type DeploymentKey = (String, String);

/// A deployment group, by its region, application and name.
type GroupKey = (String, String, String);

/// The names of a cluster and a service.
type ServiceNames = (String, String);

pub(super) type CodeDeployments = HashMap<DeploymentKey, CodeDeployment>;

#[derive(Debug, Clone)]
pub(super) struct CodeDeployment {
    /// `None` if AWS does not say to what it deploys.
    is_of_ecs: Option<bool>,
    /// The cluster and the service. `None` if the deployment group is not known, or names none.
    service: Option<ServiceNames>,
    /// `checkout:58`.
    task_definition: Option<String>,
    reason: Option<String>,
    rolls_back: Option<String>,
    /// Whether it waits for somebody before it moves the traffic.
    waits: bool,
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
    Some((region(notice)?, id))
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
    (region, id): &DeploymentKey,
) -> Option<CodeDeployment> {
    const CALL: &str = "GetDeployment";
    let client = aws.service(service::CODE_DEPLOY, region);
    let input = json!({"deploymentId": id});
    let answer = aws.call(CALL, client.call(CALL, &input)).await?;
    let info = Fields::new(&answer).object("deploymentInfo");
    let is_of_ecs = info.text("computePlatform").map(|it| it == "ECS");
    let group = info
        .text("applicationName")
        .zip(info.text("deploymentGroupName"));
    let service = match group.filter(|_| is_of_ecs == Some(true)) {
        Some((application, group)) => {
            let key = (region.clone(), application, group);
            service_of(aws, groups, &client, key).await
        }
        None => None,
    };
    Some(CodeDeployment {
        is_of_ecs,
        service,
        task_definition: task_definition(info),
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
    let (_, application, group) = &key;
    let input = json!({"applicationName": application, "deploymentGroupName": group});
    let answer = aws.call(CALL, client.call(CALL, &input)).await?;
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

/// The application specification names the task definition, as JSON or as YAML.
fn task_definition(info: Fields<'_>) -> Option<String> {
    let revision = info.object("revision");
    let content = ["appSpecContent", "string"]
        .iter()
        .find_map(|key| revision.object(key).text("content"))?;
    let (_, after) = content.split_once(":task-definition/")?;
    let end = after.find(|it: char| !it.is_ascii_alphanumeric() && !"-_:".contains(it));
    let name = &after[..end.unwrap_or(after.len())];
    (!name.is_empty()).then(|| name.to_owned())
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

/// The wait in minutes counts only for `STOP_DEPLOYMENT`.
/// <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_DeploymentReadyOption.html>
fn waits(info: Fields<'_>) -> bool {
    let ready = info
        .object("blueGreenDeploymentConfiguration")
        .object("deploymentReadyOption");
    ready.text("actionOnTimeout").as_deref() == Some("STOP_DEPLOYMENT")
}

pub(super) fn add_to(notice: &mut Notice, deployments: &CodeDeployments) {
    let Some(found) = missing(notice).and_then(|key| deployments.get(&key)) else {
        return;
    };
    if let Some((cluster, service)) = &found.service {
        notice.subject.cluster = Some(cluster.clone());
        notice.subject.service = Some(service.clone());
    }
    if let Some(definition) = &found.task_definition {
        let (family, revision) = arn::task_definition(definition);
        notice.subject.family = Some(family);
        notice.subject.revision = revision;
    }
    if let Facts::Rollout(rollout) = &mut notice.facts {
        rollout.is_of_ecs = found.is_of_ecs;
        rollout.reason = found.reason.clone();
        rollout.rolls_back = found.rolls_back.clone();
        if rollout.state == RolloutState::Ready && !found.waits {
            // It goes on by itself.
            rollout.state = RolloutState::InProgress;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn task_definition_in(content: &Value) -> Option<String> {
        let info = json!({"revision": {"appSpecContent": {"content": content}}});
        task_definition(Fields::new(&info))
    }

    #[test]
    fn the_specification_names_the_task_definition() {
        let arn = "arn:aws:ecs:eu-west-1:210987654321:task-definition/checkout:58";
        for (content, expected) in [
            (
                json!({"Resources": [{"TargetService": {"Properties": {"TaskDefinition": arn}}}]})
                    .to_string(),
                Some("checkout:58"),
            ),
            (
                format!(
                    "Resources:\n- TargetService:\n    Properties:\n      TaskDefinition: {arn}\n      LoadBalancerInfo: x"
                ),
                Some("checkout:58"),
            ),
            ("TaskDefinition: <TASK_DEFINITION>".to_owned(), None),
            (
                "arn:aws:ecs:eu-west-1:210987654321:task-definition/".to_owned(),
                None,
            ),
        ] {
            let found = task_definition_in(&json!(content));
            assert_eq!(found.as_deref(), expected, "{content}");
        }
        assert_eq!(task_definition_in(&Value::Null), None);
    }

    #[test]
    fn only_ids_of_deployments_are_asked_for() {
        assert!(is_deployment("d-1A2B3C4D5"));
        for id in ["", "d-", "d-../x", "x-1A2B3C4D5", "d-1A2B3C4D5 --x"] {
            assert!(!is_deployment(id), "{id}");
        }
    }
}
