//! DescribeServices and DescribeTasks with `TAGS`: the tags of services and tasks, for patterns, mentions and templates.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>. Nobody is asked for a tag that
//! nothing names. Tags change rarely, so each process asks for those of a service once an hour.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_ecs::types::{ServiceField, Tag, TaskField};
use futures::future::join;

use super::answer_cache::AnswerCache;
use super::calls::{AwsCalls, Cluster, Location, Member};
use crate::aws::CallError;
use crate::ecs::arn;
use crate::ecs::arn::{is_id, is_name};
use crate::ecs::notice::Notice;
use crate::notifier::tag_keys::TagKeys;

/// The most services, and the most tasks, in one call.
const MOST_SERVICES: usize = 10;
const MOST_TASKS: usize = 100;

/// How long known tags are used.
const FRESH: Duration = Duration::from_secs(3_600);

/// The most services and tasks whose tags are kept. If there are more, all are removed.
const MOST: usize = 1_000;

type Tags = BTreeMap<String, String>;

/// The tags that were found, by the service or the task.
pub(super) type FoundTags = HashMap<Owner, Tags>;

/// The keys that something names, and the tags that are known.
#[derive(Debug)]
pub(super) struct TagCache {
    keys: TagKeys,
    known: AnswerCache<Owner, Tags>,
}

/// Whose tags are meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Owner {
    Service(Member),
    /// A task outside services.
    Task(Member),
}

impl Owner {
    pub(super) fn location(&self) -> &Location {
        match self {
            Self::Service((cluster, _)) | Self::Task((cluster, _)) => &cluster.location,
        }
    }
}

impl TagCache {
    pub(super) fn new(keys: TagKeys) -> Self {
        Self {
            keys,
            known: AnswerCache::new(FRESH, MOST),
        }
    }

    /// Whose tags a notice lacks.
    pub(super) fn missing(&self, notice: &Notice) -> Option<Owner> {
        if self.keys.is_empty() || notice.subject.tags.is_some() {
            return None;
        }
        owner(notice)
    }

    /// The tags that something uses. ECS allows fifty of them, and nobody needs the others.
    fn read(&self, tags: &[Tag]) -> Tags {
        let tags = tags.iter();
        self.keys
            .select(tags.filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default()))))
    }
}

fn owner(notice: &Notice) -> Option<Owner> {
    let (cluster, subject) = (Cluster::of(notice)?, &notice.subject);
    match (&subject.service, &subject.task) {
        (Some(service), _) if is_name(service) => Some(Owner::Service((cluster, service.clone()))),
        (None, Some(task)) if is_id(task) => Some(Owner::Task((cluster, task.clone()))),
        (_, _) => None,
    }
}

pub(super) async fn fetch(
    aws: &AwsCalls<'_>,
    cache: &TagCache,
    notices: &[&mut Notice],
) -> FoundTags {
    let wanted: BTreeSet<_> = notices.iter().filter_map(|it| cache.missing(it)).collect();
    let mut found = FoundTags::new();
    let (mut services, mut tasks) = (Vec::new(), Vec::new());
    for owner in wanted {
        match (cache.known.get(&owner), owner) {
            (Some(tags), owner) => {
                found.insert(owner, tags);
            }
            (None, Owner::Service(member)) => services.push(member),
            (None, Owner::Task(member)) => tasks.push(member),
        }
    }
    let (services, tasks) = join(
        aws.each(services, MOST_SERVICES, |cluster, names| {
            of_services(aws, cache, cluster, names)
        }),
        aws.each(tasks, MOST_TASKS, |cluster, ids| {
            of_tasks(aws, cache, cluster, ids)
        }),
    )
    .await;
    let asked = services.into_iter().chain(tasks);
    let asked: FoundTags = asked.flat_map(|(_, tags)| tags).collect();
    for (owner, tags) in &asked {
        cache.known.put(owner.clone(), tags.clone());
    }
    found.extend(asked);
    found
}

async fn of_services(
    aws: &AwsCalls<'_>,
    cache: &TagCache,
    cluster: Cluster,
    names: Vec<String>,
) -> Option<FoundTags> {
    const CALL: &str = "DescribeServices";
    let ecs = aws.ecs(&cluster.location);
    let answer = async {
        ecs.describe_services()
            .cluster(&cluster.arn)
            .set_services(Some(names))
            .include(ServiceField::Tags)
            .send()
            .await
            .map_err(|error| CallError::of(CALL, error))
    };
    let answer = aws.call(CALL, &cluster.location, answer).await?;
    aws.note_missing(CALL, answer.failures().len());
    let services = answer.services().iter().filter_map(|it| {
        let owner = Owner::Service((cluster.clone(), it.service_name()?.to_owned()));
        Some((owner, cache.read(it.tags())))
    });
    Some(services.collect())
}

async fn of_tasks(
    aws: &AwsCalls<'_>,
    cache: &TagCache,
    cluster: Cluster,
    ids: Vec<String>,
) -> Option<FoundTags> {
    const CALL: &str = "DescribeTasks";
    let ecs = aws.ecs(&cluster.location);
    let answer = async {
        ecs.describe_tasks()
            .cluster(&cluster.arn)
            .set_tasks(Some(ids))
            .include(TaskField::Tags)
            .send()
            .await
            .map_err(|error| CallError::of(CALL, error))
    };
    let answer = aws.call(CALL, &cluster.location, answer).await?;
    aws.note_missing(CALL, answer.failures().len());
    let tasks = answer.tasks().iter().filter_map(|it| {
        let id = arn::name(it.task_arn()?).to_owned();
        Some((Owner::Task((cluster.clone(), id)), cache.read(it.tags())))
    });
    Some(tasks.collect())
}

pub(super) fn add_to(notice: &mut Notice, cache: &TagCache, found: &FoundTags) {
    if let Some(tags) = cache.missing(notice).and_then(|owner| found.get(&owner)) {
        notice.subject.tags = Some(tags.clone());
    }
}
