//! Finds the cluster of an EC2 instance, and the services whose tasks run there; and the cluster whose capacity provider
//! an Auto Scaling group is behind. No event names them.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListContainerInstances.html>, with a filter in the cluster
//! query language, <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html>.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_ecs::types::{CapacityProvider, Cluster};

use super::answer_cache::AnswerCache;
use super::calls::{AwsCalls, Location};
use crate::aws::CallError;
use crate::ecs::arn::{self, Arn};
use crate::ecs::event::{HostEventType, is_instance};
use crate::ecs::notice::{Facts, Notice};

/// An instance does not change its cluster. An answer that there is none may be too early.
const FRESH: Duration = Duration::from_secs(600);

/// A cluster may get its first instance any time.
const FRESH_CLUSTERS: Duration = Duration::from_secs(120);

/// The most answers in memory.
const MOST: usize = 2_000;

/// The most pages of a list: with 100 clusters each, more than an account has.
const MOST_PAGES: usize = 20;

/// The most tasks in one call of DescribeTasks.
const MOST_TASKS: usize = 100;

/// What is asked for, in an account and a region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Question {
    location: Location,
    about: About,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum About {
    /// An EC2 instance, by its id.
    Instance(String),
    /// An Auto Scaling group, by its name.
    Group(String),
}

impl Question {
    pub(super) fn location(&self) -> &Location {
        &self.location
    }
}

/// Where an instance or a group belongs. `None` if it is in no cluster.
type Answer = Option<Place>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    cluster: String,
    container_instance: Option<String>,
    instance_type: Option<String>,
    capacity_provider: Option<String>,
    services: Vec<String>,
    tasks: Option<usize>,
}

impl Place {
    /// Whether AWS also said which tasks run on the instance.
    fn is_complete(&self) -> bool {
        self.container_instance.is_none() || self.tasks.is_some()
    }
}

pub(super) type Places = HashMap<Question, Answer>;

/// The answers of the last minutes.
#[derive(Debug)]
pub(super) struct PlaceCache {
    places: AnswerCache<Question, Answer>,
    clusters: AnswerCache<Location, Vec<KnownCluster>>,
}

/// A cluster of the account.
#[derive(Debug, Clone)]
struct KnownCluster {
    arn: String,
    has_instances: bool,
    capacity_providers: Vec<String>,
}

pub(super) fn cache() -> PlaceCache {
    PlaceCache {
        places: AnswerCache::new(FRESH, MOST),
        clusters: AnswerCache::new(FRESH_CLUSTERS, MOST),
    }
}

/// What must be asked about a notice.
pub(super) fn missing(notice: &Notice) -> Vec<Question> {
    let Some(location) = Location::of(notice) else {
        return Vec::new();
    };
    match &notice.facts {
        Facts::Host(host) if host.is_of_ecs.is_none() => {
            // What could not be launched is no container instance, but its group may be one of a cluster.
            let is_launched = host.what != HostEventType::LaunchFailed;
            let id = notice.subject.ec2_instance.as_ref();
            match (id.filter(|_| is_launched), &host.group) {
                (Some(id), _) => about_instance(&location, id).into_iter().collect(),
                (None, Some(name)) => vec![Question {
                    location,
                    about: About::Group(name.clone()),
                }],
                (None, None) => Vec::new(),
            }
        }
        Facts::AwsHealth(health) if health.is_of_ecs.is_none() => {
            let instances = health.affected.instances.iter();
            instances
                .filter_map(|it| about_instance(&location, &it.id))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn about_instance(location: &Location, id: &str) -> Option<Question> {
    is_instance(id).then(|| Question {
        location: location.clone(),
        about: About::Instance(id.to_owned()),
    })
}

pub(super) async fn fetch(
    aws: &AwsCalls<'_>,
    cache: &PlaceCache,
    notices: &[&mut Notice],
) -> Places {
    let wanted: BTreeSet<_> = notices.iter().flat_map(|it| missing(it)).collect();
    let mut places = Places::new();
    let mut unknown: HashMap<Location, Vec<Question>> = HashMap::new();
    for question in wanted {
        match cache.places.get(&question) {
            Some(answer) => _ = places.insert(question, answer),
            None => unknown
                .entry(question.location.clone())
                .or_default()
                .push(question),
        }
    }
    for (location, questions) in unknown {
        let Some(clusters) = clusters_of(aws, cache, &location).await else {
            continue;
        };
        let (location, clusters) = (&location, &clusters);
        let asked = questions.into_iter().map(|question| async move {
            let answer = match &question.about {
                About::Instance(id) => instance(aws, location, clusters, id).await?,
                About::Group(name) => group(aws, location, clusters, name).await?,
            };
            // It is kept at once: the time may end before the next answer.
            if answer.as_ref().is_none_or(Place::is_complete) {
                cache.places.put(question.clone(), answer.clone());
            }
            Some((question, answer))
        });
        places.extend(aws.all(asked).await);
    }
    places
}

/// All clusters of an account. `None` if AWS did not say: it answers about the caller's account only.
async fn clusters_of(
    aws: &AwsCalls<'_>,
    cache: &PlaceCache,
    location: &Location,
) -> Option<Vec<KnownCluster>> {
    if let Some(known) = cache.clusters.get(location) {
        return Some(known);
    }
    let is_own = aws.answers_about(&location.account);
    if is_own == Some(false) {
        return None;
    }
    let clusters = clusters(aws, location).await?;
    let account = |it: &String| Arn::parse(it).map(|it| it.account.to_owned());
    let mut accounts = clusters.iter().map(account);
    let is_own = is_own.unwrap_or(!clusters.is_empty());
    let is_answer = is_own && accounts.all(|it| it.as_ref() == Some(&location.account));
    let arns = Some(clusters).filter(|_| is_answer)?;
    let clusters = describe_clusters(aws, location, &arns).await?;
    cache.clusters.put(location.clone(), clusters.clone());
    Some(clusters)
}

/// The ARNs of all clusters of the caller's account.
async fn clusters(aws: &AwsCalls<'_>, location: &Location) -> Option<Vec<String>> {
    const CALL: &str = "ListClusters";
    let ecs = aws.ecs(location);
    let mut clusters = Vec::new();
    let mut next = None;
    for _ in 0..MOST_PAGES {
        let answer = async {
            let call = ecs.list_clusters().set_next_token(next.take());
            call.send()
                .await
                .map_err(|error| CallError::of(CALL, error))
        };
        let answer = aws.call(CALL, location, answer).await?;
        clusters.extend(answer.cluster_arns().iter().cloned());
        next = answer.next_token().map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    Some(clusters)
}

/// Looks for the instance in each cluster that has instances. `None` if AWS did not answer about all of them.
async fn instance(
    aws: &AwsCalls<'_>,
    location: &Location,
    clusters: &[KnownCluster],
    id: &str,
) -> Option<Answer> {
    let asked = clusters
        .iter()
        .filter(|cluster| cluster.has_instances)
        .map(|cluster| async move { Some(instance_in(aws, location, &cluster.arn, id).await) });
    let found = aws.all(asked).await;
    let is_complete = found.iter().all(Option::is_some);
    let place = found.into_iter().flatten().flatten().next();
    match (place, is_complete) {
        (Some(place), _) => Some(Some(with_tasks(aws, location, place).await)),
        (None, true) => Some(None),
        (None, false) => None,
    }
}

/// The container instance of an EC2 instance in a cluster. The outer `None` means that AWS did not answer.
async fn instance_in(
    aws: &AwsCalls<'_>,
    location: &Location,
    cluster: &str,
    id: &str,
) -> Option<Answer> {
    const LIST: &str = "ListContainerInstances";
    const DESCRIBE: &str = "DescribeContainerInstances";
    let ecs = aws.ecs(location);
    let listed = async {
        let call = ecs.list_container_instances().cluster(cluster);
        let call = call.filter(format!("ec2InstanceId == {id}"));
        call.send()
            .await
            .map_err(|error| CallError::of(LIST, error))
    };
    let listed = aws.call(LIST, location, listed).await?;
    let arns = listed.container_instance_arns();
    if arns.is_empty() {
        return Some(None);
    }
    let described = async {
        let call = ecs.describe_container_instances().cluster(cluster);
        let call = call.set_container_instances(Some(arns.to_vec()));
        call.send()
            .await
            .map_err(|error| CallError::of(DESCRIBE, error))
    };
    let described = aws.call(DESCRIBE, location, described).await?;
    let mut instances = described.container_instances().iter();
    let found = instances.find(|it| it.ec2_instance_id() == Some(id));
    Some(found.map(|it| {
        let mut attributes = it.attributes().iter();
        let instance_type = attributes.find(|it| it.name() == "ecs.instance-type");
        Place {
            cluster: arn::name(cluster).to_owned(),
            container_instance: it
                .container_instance_arn()
                .map(|it| arn::name(it).to_owned()),
            instance_type: instance_type.and_then(|it| it.value()).map(str::to_owned),
            capacity_provider: it.capacity_provider_name().map(str::to_owned),
            ..Place::default()
        }
    }))
}

/// Adds the services whose tasks run on the instance, if AWS says so in time.
async fn with_tasks(aws: &AwsCalls<'_>, location: &Location, place: Place) -> Place {
    match tasks_on(aws, location, &place).await {
        Some((services, tasks)) => Place {
            services,
            tasks: Some(tasks),
            ..place
        },
        None => place,
    }
}

async fn tasks_on(
    aws: &AwsCalls<'_>,
    location: &Location,
    place: &Place,
) -> Option<(Vec<String>, usize)> {
    const LIST: &str = "ListTasks";
    const DESCRIBE: &str = "DescribeTasks";
    let ecs = aws.ecs(location);
    let instance = place.container_instance.clone()?;
    let listed = async {
        let call = ecs.list_tasks().cluster(&place.cluster);
        let call = call.container_instance(instance);
        call.send()
            .await
            .map_err(|error| CallError::of(LIST, error))
    };
    let listed = aws.call(LIST, location, listed).await?;
    let arns: Vec<_> = listed
        .task_arns()
        .iter()
        .take(MOST_TASKS)
        .cloned()
        .collect();
    if arns.is_empty() {
        return Some((Vec::new(), 0));
    }
    let count = arns.len();
    let described = async {
        let call = ecs.describe_tasks().cluster(&place.cluster);
        let call = call.set_tasks(Some(arns));
        call.send()
            .await
            .map_err(|error| CallError::of(DESCRIBE, error))
    };
    let described = aws.call(DESCRIBE, location, described).await?;
    let groups = described.tasks().iter().filter_map(|it| it.group());
    let services = groups.filter_map(|it| it.strip_prefix("service:"));
    let services: BTreeSet<_> = services.map(str::to_owned).collect();
    Some((services.into_iter().collect(), count))
}

/// The cluster whose capacity provider has the group. `None` if AWS did not answer.
async fn group(
    aws: &AwsCalls<'_>,
    location: &Location,
    clusters: &[KnownCluster],
    name: &str,
) -> Option<Answer> {
    let Some(provider) = provider_of(aws, location, name).await? else {
        return Some(None);
    };
    let has_provider = |it: &&KnownCluster| it.capacity_providers.contains(&provider);
    let cluster = clusters.iter().find(has_provider);
    Some(cluster.map(|cluster| Place {
        cluster: arn::name(&cluster.arn).to_owned(),
        capacity_provider: Some(provider.clone()),
        ..Place::default()
    }))
}

async fn provider_of(
    aws: &AwsCalls<'_>,
    location: &Location,
    group: &str,
) -> Option<Option<String>> {
    const CALL: &str = "DescribeCapacityProviders";
    let ecs = aws.ecs(location);
    let mut next = None;
    for _ in 0..MOST_PAGES {
        let answer = async {
            let call = ecs.describe_capacity_providers();
            let call = call.set_next_token(next.take());
            call.send()
                .await
                .map_err(|error| CallError::of(CALL, error))
        };
        let answer = aws.call(CALL, location, answer).await?;
        let mut providers = answer.capacity_providers().iter();
        let found = providers.find(|it| is_of_group(it, group));
        if let Some(name) = found.and_then(CapacityProvider::name) {
            return Some(Some(name.to_owned()));
        }
        next = answer.next_token().map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    Some(None)
}

/// `…:autoScalingGroup:UUID:autoScalingGroupName/NAME`, or the name.
fn is_of_group(provider: &CapacityProvider, group: &str) -> bool {
    let provider = provider.auto_scaling_group_provider();
    provider.is_some_and(|it| {
        let arn = it.auto_scaling_group_arn();
        let name = arn.rsplit_once("autoScalingGroupName/");
        name.map_or(arn, |(_, name)| name) == group
    })
}

async fn describe_clusters(
    aws: &AwsCalls<'_>,
    location: &Location,
    clusters: &[String],
) -> Option<Vec<KnownCluster>> {
    const CALL: &str = "DescribeClusters";
    /// The most clusters in one call.
    const AT_ONCE: usize = 100;
    let ecs = aws.ecs(location);
    let mut found = Vec::new();
    for part in clusters.chunks(AT_ONCE) {
        let answer = async {
            let call = ecs.describe_clusters();
            let call = call.set_clusters(Some(part.to_vec()));
            call.send()
                .await
                .map_err(|error| CallError::of(CALL, error))
        };
        let answer = aws.call(CALL, location, answer).await?;
        found.extend(answer.clusters().iter().filter_map(known_cluster));
    }
    Some(found)
}

fn known_cluster(cluster: &Cluster) -> Option<KnownCluster> {
    Some(KnownCluster {
        arn: cluster.cluster_arn()?.to_owned(),
        has_instances: cluster.registered_container_instances_count() > 0,
        capacity_providers: cluster.capacity_providers().to_vec(),
    })
}

pub(super) fn add_to(notice: &mut Notice, places: &Places) {
    match missing(notice).as_slice() {
        [] => {}
        questions if questions.iter().all(|it| !places.contains_key(it)) => {}
        _ if matches!(notice.facts, Facts::AwsHealth(_)) => add_to_health(notice, places),
        [question] => {
            if let Some(answer) = places.get(question) {
                add_to_host(notice, answer.as_ref());
            }
        }
        _ => {}
    }
}

fn add_to_host(notice: &mut Notice, place: Option<&Place>) {
    let Facts::Host(host) = &mut notice.facts else {
        return;
    };
    host.is_of_ecs = Some(place.is_some());
    let Some(place) = place else {
        return;
    };
    host.services.clone_from(&place.services);
    host.tasks = place.tasks;
    host.capacity_provider.clone_from(&place.capacity_provider);
    let subject = &mut notice.subject;
    subject.cluster = Some(place.cluster.clone());
    subject
        .container_instance
        .clone_from(&place.container_instance);
    subject.instance_type.clone_from(&place.instance_type);
}

/// Of several instances, those of clusters stay.
fn add_to_health(notice: &mut Notice, places: &Places) {
    let Some(location) = Location::of(notice) else {
        return;
    };
    let Facts::AwsHealth(health) = &mut notice.facts else {
        return;
    };
    let affected = &mut health.affected;
    let mut left_out = 0;
    affected.instances.retain_mut(|it| {
        match about_instance(&location, &it.id).and_then(|it| places.get(&it)) {
            Some(Some(place)) => {
                it.cluster = Some(place.cluster.clone());
                it.container_instance.clone_from(&place.container_instance);
                it.services.clone_from(&place.services);
                true
            }
            Some(None) => {
                left_out += 1;
                false
            }
            // AWS did not answer, so it stays.
            None => true,
        }
    });
    affected.instance_count = affected.instance_count.saturating_sub(left_out);
    health.is_of_ecs = Some(affected.instance_count > 0);
    let only = affected.only_instance().cloned();
    let cluster = affected.only_cluster().map(str::to_owned);
    let subject = &mut notice.subject;
    subject.cluster = cluster;
    subject.ec2_instance = only.as_ref().map(|it| it.id.clone());
    subject.container_instance = only.and_then(|it| it.container_instance);
}
