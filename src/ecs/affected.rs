//! What an event of AWS Health affects: services, tasks outside services, and other resources.
//!
//! AWS's documents and mails write a service in three ways: `CLUSTER|SERVICE`, `CLUSTER | SERVICE` and `CLUSTER/SERVICE`.
//! A task outside services is an ARN, or its id.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-maintenance.html>

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::ecs::arn::{self, Arn};
use crate::ecs::event::is_instance;

/// The affected resources. One event may name thousands, so a state keeps the first of each list. The counts are of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Affected {
    pub services: Vec<AffectedService>,
    pub service_count: usize,
    /// Tasks that no service replaces.
    pub tasks: Vec<AffectedTask>,
    pub task_count: usize,
    /// EC2 instances.
    pub instances: Vec<AffectedInstance>,
    pub instance_count: usize,
    pub others: Vec<String>,
    pub other_count: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AffectedService {
    pub cluster: String,
    pub service: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AffectedTask {
    /// `None` if the event names the task without its cluster.
    pub cluster: Option<String>,
    pub task: String,
    /// `report-nightly:3`. Only AWS can tell it, and who launched the task.
    pub task_definition: Option<String>,
    pub launched_by: Option<String>,
}

/// An instance, and where it is. Only AWS can tell its cluster and what runs on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AffectedInstance {
    pub id: String,
    pub cluster: Option<String>,
    pub container_instance: Option<String>,
    pub services: Vec<String>,
}

impl Affected {
    pub fn read<'a>(entities: impl IntoIterator<Item = &'a str>) -> Self {
        let mut affected = Self::default();
        for entity in entities {
            affected.add(entity.trim());
        }
        affected.drop_equal();
        affected.service_count = affected.services.len();
        affected.task_count = affected.tasks.len();
        affected.instance_count = affected.instances.len();
        affected.other_count = affected.others.len();
        affected
    }

    /// One resource may be named in two ways. Of a task, the one with its cluster stays.
    fn drop_equal(&mut self) {
        let mut seen = HashSet::new();
        self.services.retain(|it| seen.insert(it.clone()));
        let mut seen = HashSet::new();
        self.tasks.sort_by_key(|it| it.cluster.is_none());
        self.tasks.retain(|it| seen.insert(it.task.clone()));
        let mut seen = HashSet::new();
        self.instances.retain(|it| seen.insert(it.id.clone()));
        let mut seen = HashSet::new();
        self.others.retain(|it| seen.insert(it.clone()));
    }

    fn add(&mut self, entity: &str) {
        match Arn::parse(entity) {
            Some(arn) => self.add_arn(arn, entity),
            None if is_instance(entity) => self.instances.push(AffectedInstance {
                id: entity.to_owned(),
                ..AffectedInstance::default()
            }),
            None if arn::is_id(entity) => self.tasks.push(AffectedTask {
                task: entity.to_owned(),
                ..AffectedTask::default()
            }),
            None => match service(entity) {
                Some(service) => self.services.push(service),
                None => self.others.push(entity.to_owned()),
            },
        }
    }

    fn add_arn(&mut self, arn: Arn<'_>, entity: &str) {
        let cluster = arn.cluster().map(str::to_owned);
        let name = arn::name(entity).to_owned();
        match (arn.kind(), cluster) {
            ("task", cluster) => self.tasks.push(AffectedTask {
                cluster,
                task: name,
                ..AffectedTask::default()
            }),
            ("service", Some(cluster)) => self.services.push(AffectedService {
                cluster,
                service: name,
            }),
            (_, _) => self.others.push(entity.to_owned()),
        }
    }

    pub fn count(&self) -> usize {
        self.service_count + self.task_count + self.instance_count + self.other_count
    }

    /// The cluster, if all that is named is in one.
    pub fn only_cluster(&self) -> Option<&str> {
        let of_services = self.services.iter().map(|it| Some(it.cluster.as_str()));
        let of_tasks = self.tasks.iter().map(|it| it.cluster.as_deref());
        let of_instances = self.instances.iter().map(|it| it.cluster.as_deref());
        let mut clusters = of_services.chain(of_tasks).chain(of_instances);
        let first = clusters.next()??;
        let is_only =
            self.others.is_empty() && self.is_complete() && clusters.all(|it| it == Some(first));
        is_only.then_some(first)
    }

    /// The service, if nothing else is affected.
    pub fn only_service(&self) -> Option<&AffectedService> {
        match self.services.as_slice() {
            [only] if self.is_one() => Some(only),
            _ => None,
        }
    }

    /// The task, if nothing else is affected.
    pub fn only_task(&self) -> Option<&AffectedTask> {
        match self.tasks.as_slice() {
            [only] if self.is_one() => Some(only),
            _ => None,
        }
    }

    /// The instance, if nothing else is affected.
    pub fn only_instance(&self) -> Option<&AffectedInstance> {
        match self.instances.as_slice() {
            [only] if self.is_one() => Some(only),
            _ => None,
        }
    }

    /// Whether all that is affected is in the lists. A state keeps the first of each list.
    fn is_complete(&self) -> bool {
        let listed =
            self.services.len() + self.tasks.len() + self.instances.len() + self.others.len();
        listed >= self.count()
    }

    fn is_one(&self) -> bool {
        self.count() == 1
    }

    /// Adds the resources of another page of the same event.
    pub fn merge(&mut self, page: &Self) {
        let known = self.clone();
        self.services.extend(page.services.iter().cloned());
        self.tasks.extend(page.tasks.iter().cloned());
        self.instances.extend(page.instances.iter().cloned());
        self.others.extend(page.others.iter().cloned());
        self.drop_equal();
        // A list that was stored has only its first items, so the counts grow by what is new.
        let added = |now: usize, before: usize, on_page: usize, count: usize| {
            (count - on_page.min(count)) + now.saturating_sub(before)
        };
        self.service_count += added(
            self.services.len(),
            known.services.len(),
            page.services.len(),
            page.service_count,
        );
        self.task_count += added(
            self.tasks.len(),
            known.tasks.len(),
            page.tasks.len(),
            page.task_count,
        );
        self.instance_count += added(
            self.instances.len(),
            known.instances.len(),
            page.instances.len(),
            page.instance_count,
        );
        self.other_count += added(
            self.others.len(),
            known.others.len(),
            page.others.len(),
            page.other_count,
        );
    }
}

fn service(entity: &str) -> Option<AffectedService> {
    let (cluster, service) = entity.split_once('|').or_else(|| entity.split_once('/'))?;
    let (cluster, service) = (cluster.trim(), service.trim());
    let is_service = arn::is_name(cluster) && arn::is_name(service);
    is_service.then(|| AffectedService {
        cluster: cluster.to_owned(),
        service: service.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(cluster: &str, service: &str) -> AffectedService {
        AffectedService {
            cluster: cluster.to_owned(),
            service: service.to_owned(),
        }
    }

    #[test]
    fn every_spelling_of_a_resource_is_read() {
        let affected = Affected::read([
            "prod|web",
            "prod | api",
            "prod/mailer",
            "arn:aws:ecs:eu-west-1:210987654321:service/prod/search",
            "arn:aws:ecs:eu-west-1:210987654321:task/batch/607a86f7c2d14e0f9b3a5d8e1c4f7a20",
            "arn:aws:ecs:eu-west-1:210987654321:task/607a86f7-c2d1-4e0f-9b3a-5d8e1c4f7a20",
            "607a86f7c2d14e0f9b3a5d8e1c4f7a21",
            "prod|<!channel>",
            "arn:aws:ecs:eu-west-1:210987654321:service/web",
            "i-0abc",
            "i-0abc1234",
        ]);
        assert_eq!(
            affected.services,
            [
                service("prod", "web"),
                service("prod", "api"),
                service("prod", "mailer"),
                service("prod", "search")
            ]
        );
        let tasks: Vec<_> = affected
            .tasks
            .iter()
            .map(|it| (it.cluster.as_deref(), it.task.as_str()))
            .collect();
        assert_eq!(
            tasks,
            [
                (Some("batch"), "607a86f7c2d14e0f9b3a5d8e1c4f7a20"),
                (None, "607a86f7-c2d1-4e0f-9b3a-5d8e1c4f7a20"),
                (None, "607a86f7c2d14e0f9b3a5d8e1c4f7a21"),
            ]
        );
        assert_eq!(affected.instance_count, 1);
        assert_eq!((affected.other_count, affected.only_cluster()), (3, None));
    }

    #[test]
    fn what_is_affected_alone_is_the_subject() {
        let one = Affected::read(["prod|web"]);
        assert_eq!(one.only_service(), Some(&service("prod", "web")));
        assert_eq!(one.only_cluster(), Some("prod"));
        let two = Affected::read(["prod|web", "prod|api"]);
        assert_eq!(
            (two.only_service(), two.only_cluster()),
            (None, Some("prod"))
        );
        assert_eq!(Affected::read([]).only_cluster(), None);
    }

    #[test]
    fn a_resource_in_two_spellings_is_one() {
        let affected = Affected::read([
            "prod|web",
            "prod | web",
            "prod/web",
            "arn:aws:ecs:eu-west-1:210987654321:service/prod/web",
            "607a86f7c2d14e0f9b3a5d8e1c4f7a20",
            "arn:aws:ecs:eu-west-1:210987654321:task/batch/607a86f7c2d14e0f9b3a5d8e1c4f7a20",
        ]);
        assert_eq!((affected.service_count, affected.task_count), (1, 1));
        assert_eq!(affected.tasks[0].cluster.as_deref(), Some("batch"));
    }

    #[test]
    fn the_cluster_of_a_list_that_is_cut_is_not_known() {
        let mut affected = Affected::read(["prod|web", "prod|api", "batch|report"]);
        affected.services.truncate(2);
        assert_eq!(affected.only_cluster(), None);
    }

    #[test]
    fn pages_are_added() {
        let mut affected = Affected::read(["prod|web", "prod|api"]);
        affected.merge(&Affected::read(["prod|api", "prod|mailer", "i-0abc"]));
        assert_eq!((affected.service_count, affected.other_count), (3, 1));
    }
}
