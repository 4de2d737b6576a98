//! What ECS knows about clusters, their instances and their capacity providers. Container instances and tasks are those
//! that a test described.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListContainerInstances.html> and the pages of the other
//! calls.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ecs::Ecs;
use super::{ACCOUNT, Answer, FakeAws, REGION, Refusal, arn};

/// Clusters of 100 are the most in one answer.
const MOST_ON_A_PAGE: usize = 100;

#[derive(Default)]
pub(super) struct Hosts {
    /// The name of each provider, with its Auto Scaling group and its cluster.
    providers: BTreeMap<String, (String, Option<String>)>,
    /// AWS may put fewer items on a page than asked for.
    page: Option<usize>,
    /// Lists all container instances, whatever the filter says.
    ignores_filters: bool,
    /// The account of the clusters.
    account: Option<String>,
}

impl FakeAws {
    /// Adds a capacity provider with an Auto Scaling group, and the cluster that has it.
    pub(crate) fn provider(&self, name: &str, group: &str, cluster: Option<&str>) {
        let place = (group.to_owned(), cluster.map(str::to_owned));
        let mut state = self.state();
        state.ecs.hosts.providers.insert(name.to_owned(), place);
    }

    /// From now on an answer has at most so many items.
    pub(crate) fn page(&self, most: usize) {
        self.state().ecs.hosts.page = Some(most);
    }

    pub(crate) fn ignore_filters(&self) {
        self.state().ecs.hosts.ignores_filters = true;
    }

    /// The clusters are those of this account.
    pub(crate) fn clusters_of(&self, account: &str) {
        self.state().ecs.hosts.account = Some(account.to_owned());
    }
}

impl Ecs {
    pub(super) fn list_clusters(&self, body: &Value) -> Answer {
        has_only(body, &["maxResults", "nextToken"])?;
        let arns = self.clusters.iter().map(|it| json!(self.cluster_arn(it)));
        Ok(self.part(body, "clusterArns", arns.collect()))
    }

    pub(super) fn describe_clusters(&self, body: &Value) -> Answer {
        has_only(body, &["clusters", "include"])?;
        let wanted = body["clusters"].as_array().unwrap();
        if wanted.len() > MOST_ON_A_PAGE {
            return Err(invalid("Clusters cannot have more than 100 elements."));
        }
        let known = |it: &&Value| self.clusters.iter().any(|name| last(it) == name);
        let shown = wanted.iter().filter(known).map(|it| {
            let name = last(it);
            let providers = self.hosts.providers.iter();
            let providers = providers.filter(|(_, (_, cluster))| cluster.as_deref() == Some(name));
            let instances = self
                .members("container-instance", &json!({"cluster": name}))
                .count();
            json!({
                "clusterArn": self.cluster_arn(name), "clusterName": name, "status": "ACTIVE",
                "registeredContainerInstancesCount": instances,
                "capacityProviders": providers.map(|(name, _)| name).collect::<Vec<_>>(),
            })
        });
        Ok(json!({"clusters": shown.collect::<Vec<_>>(), "failures": []}))
    }

    pub(super) fn describe_providers(&self, body: &Value) -> Answer {
        has_only(body, &["maxResults", "nextToken"])?;
        let own = ["FARGATE", "FARGATE_SPOT"];
        let own = own
            .iter()
            .map(|name| json!({"name": name, "status": "ACTIVE"}));
        let providers = self.hosts.providers.iter().map(|(name, (group, _))| {
            let group = format!(
                "arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:3ce1268c:autoScalingGroupName/{group}"
            );
            json!({
                "capacityProviderArn": arn(&format!("capacity-provider/{name}")), "name": name, "status": "ACTIVE",
                "autoScalingGroupProvider": {"autoScalingGroupArn": group},
            })
        });
        Ok(self.part(body, "capacityProviders", own.chain(providers).collect()))
    }

    pub(super) fn list_instances(&self, body: &Value) -> Answer {
        has_only(
            body,
            &["cluster", "filter", "maxResults", "nextToken", "status"],
        )?;
        self.check_cluster(body)?;
        let filter = body["filter"].as_str().unwrap();
        let id = filter.strip_prefix("ec2InstanceId == ");
        let is_word = |it: &&str| {
            it.chars()
                .all(|it| it.is_ascii_alphanumeric() || "-_.:".contains(it))
        };
        let id = id
            .filter(is_word)
            .ok_or_else(|| invalid("The filter is not valid."))?;
        let kept = |it: &&Value| self.hosts.ignores_filters || it["ec2InstanceId"] == id;
        let found = self.members("container-instance", body).filter(kept);
        let arns = found.map(|it| it["containerInstanceArn"].clone());
        Ok(self.part(body, "containerInstanceArns", arns.collect()))
    }

    pub(super) fn list_tasks(&self, body: &Value) -> Answer {
        has_only(
            body,
            &["cluster", "containerInstance", "maxResults", "nextToken"],
        )?;
        self.check_cluster(body)?;
        let instance = last(&body["containerInstance"]);
        let mut instances = self.members("container-instance", body);
        if !instances.any(|it| last(&it["containerInstanceArn"]) == instance) {
            return Err(invalid("The container instance was not found."));
        }
        let tasks = self.members("task", body);
        let tasks = tasks.filter(|it| last(&it["containerInstanceArn"]) == instance);
        let tasks = tasks.filter(|it| it["lastStatus"] == "RUNNING");
        let arns = tasks.map(|it| it["taskArn"].clone());
        Ok(self.part(body, "taskArns", arns.collect()))
    }

    /// The described tasks or container instances of the call's cluster.
    fn members<'a>(&'a self, kind: &str, body: &'a Value) -> impl Iterator<Item = &'a Value> {
        let prefix = format!(":{kind}/{}/", last(&body["cluster"]));
        let field = match kind {
            "task" => "taskArn",
            _ => "containerInstanceArn",
        };
        let is_task = kind == "task";
        let described = self.described.values();
        let of_kind = described.filter(move |it| it.get("taskArn").is_some() == is_task);
        of_kind.filter(move |it| it[field].as_str().is_some_and(|it| it.contains(&prefix)))
    }

    fn cluster_arn(&self, name: &str) -> String {
        let account = self.hosts.account.as_deref().unwrap_or(ACCOUNT);
        format!("arn:aws:ecs:{REGION}:{account}:cluster/{name}")
    }

    /// A page of a list. The token is the number of items before it.
    fn part(&self, body: &Value, field: &str, items: Vec<Value>) -> Value {
        let start = body["nextToken"].as_str();
        let start = start.map_or(0, |it| it.parse::<usize>().unwrap());
        let end = items
            .len()
            .min(start + self.hosts.page.unwrap_or(MOST_ON_A_PAGE));
        let mut answer = json!({field: items[start..end]});
        if end < items.len() {
            answer["nextToken"] = json!(end.to_string());
        }
        answer
    }
}

/// AWS ignores fields that it does not know. A call that has one is wrong all the same.
fn has_only(body: &Value, known: &[&str]) -> Result<(), Refusal> {
    let fields = body.as_object().unwrap().keys();
    let unknown: Vec<_> = fields
        .filter(|field| !known.contains(&field.as_str()))
        .collect();
    match unknown.as_slice() {
        [] => Ok(()),
        unknown => Err(invalid(&format!("unexpected {unknown:?}"))),
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal::new("InvalidParameterException", message)
}

/// The last part of an ARN, or the name.
fn last(name: &Value) -> &str {
    name.as_str()
        .unwrap_or("default")
        .rsplit('/')
        .next()
        .unwrap()
}
