//! The latest launches of a family by one caller. Tasks that were created within seconds are taken for one launch until
//! CloudTrail's event of the call says otherwise.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::observation::Observation;
use super::subject::{SubjectKey, SubjectKind};
use super::unix_time::UnixTime;

/// Tasks of one launch are created within this time.
const TOGETHER: Duration = Duration::from_secs(10);

/// The most launches that are remembered.
const MOST: usize = 8;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RecentLaunches(Vec<RecentLaunch>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct RecentLaunch {
    created_at: UnixTime,
    /// The task that has the run.
    first: String,
}

/// The launches among which a task's own may be: those of its family with its `startedBy` and its group.
pub(super) fn subject(observation: &Observation<'_>) -> Option<SubjectKey> {
    let task = observation.task()?;
    let family = observation.notice.subject.family.as_deref()?;
    created_at(observation)?;
    let started_by = task.started_by.as_deref().unwrap_or("-");
    let group = task.group.as_deref().unwrap_or("-");
    let name = format!("{family} {started_by} {group}");
    let kind = SubjectKind::RecentLaunches;
    Some(SubjectKey::new(kind, observation.notice, &name))
}

pub(super) fn created_at(observation: &Observation<'_>) -> Option<UnixTime> {
    let created_at = observation.task()?.created_at.as_ref()?;
    created_at.instant().map(UnixTime::of)
}

impl RecentLaunches {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first tasks of the launches that a task of this time may belong to, the nearest first.
    pub(super) fn near(&self, created_at: UnixTime) -> Vec<String> {
        let distance = |it: &RecentLaunch| {
            let (one, other) = (it.created_at, created_at);
            one.since(other).max(other.since(one))
        };
        let mut near: Vec<_> = self.0.iter().collect();
        near.retain(|it| distance(it) <= TOGETHER);
        near.sort_by_key(|it| distance(it));
        near.into_iter().map(|it| it.first.clone()).collect()
    }

    /// Notes a launch. The oldest ones are forgotten.
    pub(super) fn note(&mut self, created_at: UnixTime, first: &str) {
        self.0.retain(|it| it.first != first);
        let first = first.to_owned();
        self.0.push(RecentLaunch { created_at, first });
        self.0.sort_by(|one, other| {
            (one.created_at, &one.first).cmp(&(other.created_at, &other.first))
        });
        let excess = self.0.len().saturating_sub(MOST);
        self.0.drain(..excess);
    }
}
