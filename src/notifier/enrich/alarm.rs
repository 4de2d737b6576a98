//! The metrics of the alarms that a composite alarm is made of. They show whether it is about ECS, and about which service.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::answer_cache::AnswerCache;
use super::calls::{AwsCalls, Location};
use crate::aws::service::{self, cloud_watch};
use crate::ecs::arn::Arn;
use crate::ecs::classify::{alarms_in, of_dimensions};
use crate::ecs::event::is_namespace_of_ecs;
use crate::ecs::notice::{Facts, Notice, Subject};

/// Rules of composite alarms change hardly ever.
const FRESH: Duration = Duration::from_secs(600);

/// The most answers in memory.
const MOST: usize = 500;

/// A composite alarm may be made of others. So many levels are asked for.
const MOST_LEVELS: usize = 3;

/// The alarms that a rule names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Children {
    location: Location,
    names: Vec<String>,
}

impl Children {
    pub(super) fn location(&self) -> &Location {
        &self.location
    }
}

/// The cluster, the service and the family. `None` if the alarms are not about ECS.
type Answer = Option<Subject>;

pub(super) type AlarmSubjects = HashMap<Children, Answer>;

pub(super) type AlarmCache = AnswerCache<Children, Answer>;

pub(super) fn cache() -> AlarmCache {
    AnswerCache::new(FRESH, MOST)
}

/// The alarms to ask for.
pub(super) fn missing(notice: &Notice) -> Option<Children> {
    let Facts::Alarm(alarm) = &notice.facts else {
        return None;
    };
    let is_missing = alarm.is_of_ecs.is_none() && !alarm.children.is_empty();
    is_missing.then_some(Children {
        location: Location::of(notice)?,
        names: alarm.children.clone(),
    })
}

/// Whether an alarm says that it is over, and only AWS can say of which service. It is not posted, but it may end an
/// incident of the service.
pub(super) fn may_end_incident(notice: &Notice) -> bool {
    let is_over = match &notice.facts {
        Facts::Alarm(alarm) => alarm.is_over(),
        _ => false,
    };
    is_over && missing(notice).is_some()
}

pub(super) async fn fetch(
    aws: &AwsCalls<'_>,
    cache: &AlarmCache,
    notices: &[&mut Notice],
) -> AlarmSubjects {
    let wanted: BTreeSet<_> = notices.iter().filter_map(|it| missing(it)).collect();
    let asked = wanted.into_iter().map(|children| async {
        if let Some(known) = cache.get(&children) {
            return Some((children, known));
        }
        let answer = subject(aws, &children).await?;
        cache.put(children.clone(), answer.clone());
        Some((children, answer))
    });
    aws.all(asked).await.into_iter().collect()
}

/// What the metrics of ECS are about. The outer `None` means that AWS did not say: it did not answer about all alarms,
/// and none of the others is about ECS.
async fn subject(aws: &AwsCalls<'_>, children: &Children) -> Option<Answer> {
    const CALL: &str = "DescribeAlarms";
    let client = aws.service(service::CLOUD_WATCH, &children.location);
    let mut wanted: BTreeSet<_> = children.names.iter().cloned().collect();
    let mut asked = BTreeSet::new();
    let mut dimensions: Vec<BTreeMap<String, String>> = Vec::new();
    let mut is_complete = true;
    for _ in 0..MOST_LEVELS {
        let names: Vec<_> = wanted.difference(&asked).cloned().collect();
        if names.is_empty() {
            break;
        }
        let found = aws
            .call(
                CALL,
                &children.location,
                cloud_watch::alarms(&client, &names),
            )
            .await?;
        let found: Vec<_> = found
            .into_iter()
            .filter(|it| is_of(&it.arn, &children.location.account))
            .collect();
        let missing = names.len().saturating_sub(found.len());
        aws.note_missing(CALL, missing);
        is_complete &= missing == 0;
        asked.extend(names);
        for alarm in found {
            let of_ecs = alarm.metrics.into_iter();
            let of_ecs = of_ecs.filter(|it| is_namespace_of_ecs(&it.namespace));
            dimensions.extend(of_ecs.map(|it| it.dimensions));
            wanted.extend(alarms_in(alarm.rule.as_deref().unwrap_or_default()));
        }
    }
    is_complete &= wanted.is_subset(&asked);
    let known: Vec<_> = dimensions.iter().collect();
    match known.is_empty() {
        false => Some(Some(of_dimensions(&known))),
        true => is_complete.then_some(None),
    }
}

/// The event may come from another account. AWS answers about the caller's own alarms, which may have the same names.
fn is_of(arn: &str, account: &str) -> bool {
    Arn::parse(arn).is_some_and(|it| it.account == account)
}

pub(super) fn add_to(notice: &mut Notice, subjects: &AlarmSubjects) {
    let Some(answer) = missing(notice).and_then(|it| subjects.get(&it)) else {
        return;
    };
    if let Facts::Alarm(alarm) = &mut notice.facts {
        alarm.is_of_ecs = Some(answer.is_some());
    }
    if let Some(found) = answer {
        let resource = notice.subject.resource.take();
        notice.subject = Subject {
            resource,
            ..found.clone()
        };
    }
}
