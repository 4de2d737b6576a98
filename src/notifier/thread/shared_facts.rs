//! What failures have in common: a zone, a revision, an instance, an image, an exit code.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::counter::Counter;
use super::observation::Observation;
use super::text::cut;
use crate::ecs::diagnosis::Cause;

/// Fewer failures have nothing in common.
const FEWEST: u32 = 3;

/// The longest id of an instance that is stored.
const LONGEST_HOST: usize = 64;

/// The facts of all failures, each with its most frequent values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SharedFacts {
    /// The number of tasks that failed.
    tasks: u32,
    zones: Counter,
    revisions: Counter,
    instances: Counter,
    /// The EC2 instances of container instances, which people know.
    hosts: Vec<(String, String)>,
    images: Counter,
    exits: Counter,
}

/// A fact that at least four in five failures share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Common {
    pub fact: SharedFact,
    pub value: String,
    pub count: u32,
    pub of: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, Serialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SharedFact {
    Zone,
    Revision,
    Instance,
    Image,
    Exit,
}

impl SharedFacts {
    /// The number of tasks that failed. What the scheduler says about its tasks is not counted.
    pub(super) fn tasks(&self) -> u32 {
        self.tasks
    }

    pub(super) fn add(&mut self, observation: &Observation<'_>) {
        let subject = &observation.notice.subject;
        let instance = subject.container_instance.as_deref();
        if let (Some(instance), Some(host)) = (instance, subject.ec2_instance.as_deref()) {
            self.note_host(instance, host);
        }
        let revision = subject.task_definition();
        for (values, value) in [
            (&mut self.zones, subject.availability_zone.as_deref()),
            (&mut self.revisions, revision.as_deref()),
            (&mut self.instances, instance),
        ] {
            if let Some(value) = value {
                values.add(value);
            }
        }
        let Some(task) = observation.task() else {
            return;
        };
        self.tasks = self.tasks.saturating_add(1);
        let is_ours = |it: &&crate::ecs::notice::Container| !it.is_added_by_aws();
        let containers = || task.containers.iter().filter(is_ours);
        if let Some(image) = containers().find_map(|it| it.image.as_deref()) {
            self.images.add(image);
        }
        // Another cause already says how its tasks exit.
        let exit = containers()
            .filter_map(|it| it.exit_code)
            .find(|code| *code != 0);
        if let (Some(exit), Some(Cause::ApplicationExit)) = (exit, observation.cause()) {
            self.exits.add(&exit.to_string());
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.tasks = self.tasks.saturating_add(other.tasks);
        self.zones.merge(&other.zones);
        self.instances.merge(&other.instances);
        for (instance, host) in &other.hosts {
            self.note_host(instance, host);
        }
        self.images.merge(&other.images);
        self.revisions.merge(&other.revisions);
        self.exits.merge(&other.exits);
    }

    fn note_host(&mut self, instance: &str, host: &str) {
        const MOST: usize = 8;
        let is_known = self.hosts.iter().any(|(known, _)| known == instance);
        if !is_known && self.hosts.len() < MOST {
            let host = cut(host, LONGEST_HOST);
            self.hosts.push((cut(instance, LONGEST_HOST), host));
        }
    }

    fn host_of(&self, instance: String) -> String {
        let known = self.hosts.iter().find(|(known, _)| *known == instance);
        known.map_or(instance, |(_, host)| host.clone())
    }

    /// Only the most frequent zones and instances: services have nothing else in common.
    pub(super) fn of_place(&self) -> Self {
        const MOST: usize = 2;
        let instances = self.instances.most_frequent(MOST);
        let is_named = |(known, _): &&(String, String)| instances.iter().any(|it| it.0 == known);
        Self {
            zones: self.zones.most_frequent(MOST),
            hosts: self.hosts.iter().filter(is_named).cloned().collect(),
            instances,
            ..Self::default()
        }
    }

    /// What at least four in five of all failures share. Not what is true of all tasks, as far as tasks that did not
    /// fail were seen.
    pub(super) fn in_common(&self, total: u32, places: &Places) -> Vec<Common> {
        let common = |fact, values: &Counter| {
            let (value, count) = values.most()?;
            let is_shared = total >= FEWEST && u64::from(count) * 5 >= u64::from(total) * 4;
            is_shared.then(|| Common {
                fact,
                value: value.to_owned(),
                count: count.min(total),
                of: total,
            })
        };
        let differs =
            |found: &Common, seen: &Counter| seen.is_empty() || seen.has_other_than(&found.value);
        let zone = common(SharedFact::Zone, &self.zones).filter(|it| differs(it, &places.zones));
        let revision = common(SharedFact::Revision, &self.revisions)
            .filter(|it| differs(it, &places.revisions));
        let instance = common(SharedFact::Instance, &self.instances)
            .filter(|it| differs(it, &places.instances))
            .map(|it| Common {
                value: self.host_of(it.value),
                ..it
            });
        let image = common(SharedFact::Image, &self.images)
            .filter(|it| revision.is_none() && self.images.has_other_than(&it.value));
        let exit = common(SharedFact::Exit, &self.exits);
        [zone, revision, instance, image, exit]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// Where the tasks of a service are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Places {
    pub(super) zones: Counter,
    pub(super) instances: Counter,
    pub(super) revisions: Counter,
}

impl Places {
    pub(super) fn merge(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.zones, &other.zones),
            (&mut self.instances, &other.instances),
        ] {
            for (value, _) in other.iter() {
                own.add_once(value);
            }
        }
    }

    /// Notes where a task is. Each value counts once: only whether there are others matters.
    pub(super) fn note(&mut self, observation: &Observation<'_>) {
        let subject = &observation.notice.subject;
        let revision = subject.task_definition();
        for (values, value) in [
            (&mut self.zones, subject.availability_zone.as_deref()),
            (&mut self.instances, subject.container_instance.as_deref()),
            (&mut self.revisions, revision.as_deref()),
        ] {
            if let Some(value) = value {
                values.add_once(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(values: &[(&str, u32)]) -> Counter {
        let mut counter = Counter::default();
        for (value, count) in values {
            counter.add_many(value, *count);
        }
        counter
    }

    #[test]
    fn only_what_four_in_five_share_and_not_all_have() {
        let places = Places {
            zones: counted(&[("a", 1), ("b", 1)]),
            revisions: counted(&[("web:7", 1)]),
            ..Places::default()
        };
        let found = |zones: &[(&str, u32)], total| {
            let facts = SharedFacts {
                zones: counted(zones),
                revisions: counted(&[("web:7", total)]),
                ..SharedFacts::default()
            };
            let common = facts.in_common(total, &places);
            let shown = common
                .iter()
                .map(|it| format!("{} {} of {}", it.value, it.count, it.of));
            shown.collect::<Vec<_>>()
        };
        assert_eq!(found(&[("a", 11), ("b", 1)], 12), ["a 11 of 12"]);
        assert_eq!(found(&[("a", 9), ("b", 3)], 12), Vec::<String>::new());
        assert_eq!(found(&[("a", 2)], 2), Vec::<String>::new());
        assert_eq!(found(&[("a", 3)], 3), ["a 3 of 3"]);
        assert_eq!(found(&[("c", 4)], 4), ["c 4 of 4"]);
        // Every task of the service is in this zone.
        let one = Places {
            zones: counted(&[("a", 1)]),
            ..Places::default()
        };
        let facts = SharedFacts {
            zones: counted(&[("a", 4)]),
            ..SharedFacts::default()
        };
        assert_eq!(facts.in_common(4, &one), []);
        assert_eq!(facts.in_common(4, &Places::default()).len(), 1);
    }
}
