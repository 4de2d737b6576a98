//! DescribeTaskDefinition: which containers are essential, their memory limits, and where they log to.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html>. A revision never
//! changes, so each process asks for it once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ecs::types;
use aws_sdk_ecs::types::LogDriver;

use super::calls::{AwsCalls, Location};
use super::task::fill;
use crate::aws::{CallError, LogDestination};
use crate::ecs::notice::{Container, Facts, Kind, LogStream, Notice, TaskFacts};

/// The place and the ARN of a revision.
pub(super) type Revision = (Location, String);

pub(super) type FoundDefinitions = HashMap<Revision, Arc<DefinitionFacts>>;

/// The known revisions. A process sees only a few services. If there are too many revisions, all are removed.
#[derive(Debug, Default)]
pub(super) struct DefinitionCache(Mutex<FoundDefinitions>);

const MOST_KEPT: usize = 1_000;

#[derive(Debug)]
pub(super) struct DefinitionFacts {
    memory_limit: Option<i64>,
    containers: HashMap<String, DefinedContainer>,
}

#[derive(Debug)]
struct DefinedContainer {
    image: Option<String>,
    is_essential: bool,
    memory_limit: Option<i64>,
    log: Option<LogDestination>,
}

const SERVICE_CONNECT_PROXY: &str = "ecs-service-connect";

impl DefinitionCache {
    fn get(&self, revision: &Revision) -> Option<Arc<DefinitionFacts>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(revision).cloned()
    }

    fn keep(&self, revision: Revision, definition: Arc<DefinitionFacts>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KEPT {
            known.clear();
        }
        known.insert(revision, definition);
    }
}

/// The revision to ask for: that of a task that ran, and that stopped or lost a container. The definition says where its
/// logs are.
pub(super) fn missing(notice: &Notice) -> Option<Revision> {
    let Facts::Task(task) = &notice.facts else {
        return None;
    };
    let is_missing = task
        .containers
        .iter()
        .any(|it| it.log.is_none() && has_run(it, task));
    let is_about_an_end = matches!(notice.kind, Kind::TaskStopped | Kind::TaskRunning);
    let (family, revision) = (
        notice.subject.family.as_deref()?,
        notice.subject.revision.as_deref()?,
    );
    let location = Location::of(notice)?;
    let arn = location.arn(&format!("task-definition/{family}:{revision}"));
    (is_missing && is_about_an_end).then_some((location, arn))
}

/// A container that never ran has no log stream.
fn has_run(container: &Container, task: &TaskFacts) -> bool {
    container.exit_code.is_some() || (task.started_at.is_some() && container.reason.is_none())
}

pub(super) async fn fetch(
    aws: &AwsCalls<'_>,
    known: &DefinitionCache,
    notices: &[&mut Notice],
) -> FoundDefinitions {
    let wanted: BTreeSet<_> = notices
        .iter()
        .filter_map(|notice| missing(notice))
        .collect();
    let calls = wanted.into_iter().map(|revision| async move {
        let definition = match known.get(&revision) {
            Some(definition) => definition,
            None => {
                let definition = Arc::new(describe(aws, &revision).await?);
                known.keep(revision.clone(), Arc::clone(&definition));
                definition
            }
        };
        Some((revision, definition))
    });
    aws.all(calls).await.into_iter().collect()
}

async fn describe(aws: &AwsCalls<'_>, (location, arn): &Revision) -> Option<DefinitionFacts> {
    const CALL: &str = "DescribeTaskDefinition";
    let ecs = aws.ecs(location);
    let answer = async {
        ecs.describe_task_definition()
            .task_definition(arn)
            .send()
            .await
            .map_err(|error| CallError::of(CALL, error))
    };
    aws.call(CALL, location, answer)
        .await?
        .task_definition()
        .map(read)
}

fn read(definition: &types::TaskDefinition) -> DefinitionFacts {
    let containers = definition.container_definitions().iter();
    let containers = containers.filter_map(|it| Some((it.name()?.to_owned(), container(it))));
    DefinitionFacts {
        memory_limit: definition.memory().and_then(|it| it.parse().ok()),
        containers: containers.collect(),
    }
}

fn container(definition: &types::ContainerDefinition) -> DefinedContainer {
    let log = definition.log_configuration();
    let log = log.filter(|it| *it.log_driver() == LogDriver::Awslogs);
    DefinedContainer {
        image: definition.image().map(str::to_owned),
        // ECS uses the same default.
        is_essential: definition.essential().unwrap_or(true),
        memory_limit: definition.memory().map(i64::from),
        log: log.and_then(|it| LogDestination::read(|name| it.options()?.get(name).cloned())),
    }
}

pub(super) fn add_to(notice: &mut Notice, found: &FoundDefinitions) {
    let Some(definition) = missing(notice).and_then(|revision| found.get(&revision)) else {
        return;
    };
    let region = notice.origin.region.clone().unwrap_or_default();
    let task_id = notice.subject.task.clone();
    let Facts::Task(task) = &mut notice.facts else {
        return;
    };
    fill(&mut task.memory_limit, &definition.memory_limit);
    let had_run: Vec<_> = task.containers.iter().map(|it| has_run(it, task)).collect();
    for (container, had_run) in task.containers.iter_mut().zip(had_run) {
        let Some((name, defined)) = container
            .name
            .as_ref()
            .and_then(|name| definition.containers.get_key_value(name))
        else {
            // The Service Connect proxy is not in the task definition, but it is essential for its task.
            let is_proxy = |name: &String| name.starts_with(SERVICE_CONNECT_PROXY);
            let is_essential = container.name.as_ref().is_some_and(is_proxy);
            container.essential = Some(is_essential);
            continue;
        };
        container.essential = Some(defined.is_essential);
        fill(&mut container.image, &defined.image);
        fill(&mut container.memory_limit, &defined.memory_limit);
        container.log = match (&defined.log, &task_id) {
            (Some(log), Some(task_id)) if had_run => Some(LogStream {
                region: log.region(&region).to_owned(),
                group: log.group.clone(),
                name: log.stream(name, task_id),
            }),
            (_, _) => None,
        };
    }
}
