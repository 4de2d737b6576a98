//! The metrics of the alarms that a composite alarm is made of. They show whether it is about ECS, and about which service.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::calls::{AwsCalls, region};
use crate::aws::service::{self, cloud_watch};
use crate::ecs::classify::of_dimensions;
use crate::ecs::notice::{Facts, Notice, Subject};

/// Rules of composite alarms change hardly ever.
const FRESH: Duration = Duration::from_secs(600);

/// The most answers in memory.
const MOST: usize = 500;

/// The region, and the names of the alarms.
type Children = (String, Vec<String>);

/// The cluster, the service and the family. `None` if the alarms are not about ECS.
type Answer = Option<Subject>;

pub(super) type AlarmSubjects = HashMap<Children, Answer>;

#[derive(Debug, Default)]
pub(super) struct AlarmCache {
    known: Mutex<HashMap<Children, (Instant, Answer)>>,
}

impl AlarmCache {
    fn get(&self, children: &Children) -> Option<Answer> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, answer) = known.get(children)?;
        (since.elapsed() < FRESH).then(|| answer.clone())
    }

    fn put(&self, children: &Children, answer: &Answer) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(children.clone(), (Instant::now(), answer.clone()));
    }
}

/// The alarms to ask for.
pub(super) fn missing(notice: &Notice) -> Option<Children> {
    let Facts::Alarm(alarm) = &notice.facts else {
        return None;
    };
    let is_missing = alarm.is_of_ecs.is_none() && !alarm.children.is_empty();
    is_missing.then_some((region(notice)?, alarm.children.clone()))
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
        let (region, names) = &children;
        let client = aws.service(service::CLOUD_WATCH, region);
        let metrics = cloud_watch::metrics_of_alarms(&client, names);
        let metrics = aws.call("DescribeAlarms", metrics).await?;
        let of_ecs = metrics
            .iter()
            .filter(|it| crate::ecs::event::is_namespace_of_ecs(&it.namespace));
        let dimensions: Vec<_> = of_ecs.map(|it| &it.dimensions).collect();
        let answer = (!dimensions.is_empty()).then(|| of_dimensions(&dimensions));
        cache.put(&children, &answer);
        Some((children, answer))
    });
    aws.all(asked).await.into_iter().collect()
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
