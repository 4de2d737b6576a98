//! A transition is posted once, even if several events report it.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::ecs::event::Time;
use crate::ecs::notice::{AwsHealthFacts, Facts, Kind, Notice};
use crate::ecs::service_events::says_rollback;

/// A change that several events may report.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Transition {
    id: String,
    /// Other ids of the same change. Two events of one change may differ by a few seconds.
    nearby: Vec<String>,
}

/// The version of a subject's state. A version that is lower than a posted one is outdated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub subject: String,
    pub number: i64,
}

/// Ids are keys of a table. An id that is longer than any id of AWS is replaced by its hash.
const LONGEST: usize = 200;

/// In seconds. The times in two events of one state differ a little. A deployment does not reach the same state twice in
/// so short a time.
const SAME_TIME: i64 = 30;

const RUNNING: &str = " RUNNING";
const STOPPED: &str = " STOPPED";

impl Transition {
    /// `None` if nothing identifies the event. Then it is posted each time.
    pub fn of(notice: &Notice) -> Option<Self> {
        of_deployment(notice).or_else(|| Self::of_other(notice))
    }

    /// The stop of the task that an event is about.
    pub fn of_stop(notice: &Notice) -> Option<Self> {
        let task = task(notice)?;
        Some(Self::with_id(format!("{task}{STOPPED}")))
    }

    /// The transition of an event that only its SQS message identifies.
    pub fn of_message(id: &str, number: usize) -> Self {
        Self::with_id(format!("message {id} {number}"))
    }

    /// That an account may not be asked in a region, on a day.
    pub fn of_lookup_problem(account: &str, region: &str, day: i64) -> Self {
        Self::with_id(format!("lookup {account} {region} {day}"))
    }

    fn of_other(notice: &Notice) -> Option<Self> {
        let origin = &notice.origin;
        let id = match (&notice.facts, notice.kind) {
            (Facts::Task(_), Kind::TaskStopped) => Self::of_stop(notice).map(|it| it.id),
            (Facts::Task(_), Kind::TaskStarted) => {
                task(notice).map(|task| format!("{task}{RUNNING}"))
            }
            // While an instance drains, ECS sends an event for every task that stops on it.
            (Facts::Instance(instance), _) => instance
                .status
                .as_ref()
                .zip(notice.subject.container_instance.as_ref())
                .filter(|(status, _)| *status != "ACTIVE")
                .map(|(status, id)| of_instance(notice, id, status)),
            (Facts::AwsHealth(health), _) => of_health_event(notice, health),
            (Facts::Call(_), _) => origin.call_id.as_ref().map(|id| format!("call {id}")),
            (_, _) => None,
        };
        let id = id.or_else(|| origin.event_id.as_ref().map(|id| format!("event {id}")))?;
        Some(Self::with_id(id))
    }

    fn with_id(id: String) -> Self {
        Self {
            id: bounded(id),
            nearby: Vec::new(),
        }
    }

    /// The states of a container instance that a call leads to. ECS reports them in events of their own.
    pub fn of_asked_states(notice: &Notice, instance: &str) -> Vec<Self> {
        let Facts::Call(call) = &notice.facts else {
            return Vec::new();
        };
        if call.error.is_some() || !call.instances.iter().any(|it| it == instance) {
            return Vec::new();
        }
        let status = call.changes.iter().find(|it| it.label == "Status");
        let states = match (call.name.as_str(), status.map(|it| it.value.as_str())) {
            ("DeregisterContainerInstance", _) => ["DEREGISTERING", "INACTIVE"].as_slice(),
            ("UpdateContainerInstancesState", Some("DRAINING")) => &["DRAINING"],
            (_, _) => &[],
        };
        let states = states.iter();
        let states = states.map(|status| of_instance(notice, instance, status));
        states.map(Self::with_id).collect()
    }

    /// The same change of an instance, as the call asks for it.
    pub fn as_asked(&self) -> Self {
        Self::with_id(format!("{} asked", self.id))
    }

    /// The later transition that makes this one outdated: a task that has stopped is not posted as started.
    pub fn followed_by(&self) -> Option<Self> {
        let task = self.id.strip_suffix(RUNNING)?;
        Some(Self::with_id(format!("{task}{STOPPED}")))
    }

    /// The same transition under its other ids.
    pub fn nearby(&self) -> impl Iterator<Item = Self> {
        self.nearby.clone().into_iter().map(Self::with_id)
    }
}

/// A state of a deployment. The deployment's id is not enough: a start and a rollback have the same event name, and
/// after a rollback the old deployment goes through its states again.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html>
fn of_deployment(notice: &Notice) -> Option<Transition> {
    let (Facts::Service(service), Kind::Deployment) = (&notice.facts, notice.kind) else {
        return None;
    };
    let (id, name) = (
        service.deployment_id.as_ref()?,
        service.event_name.as_ref()?,
    );
    // `is_rollback` is not used here, because it depends on facts that AWS adds later. They must not change the key.
    let says_rollback = service.reason.as_deref().is_some_and(says_rollback);
    let direction = if says_rollback { " back" } else { "" };
    let state = format!("deployment {} {id} {name}{direction}", account(notice));
    let time = service.updated_at.as_ref().and_then(Time::instant);
    let Some(slot) = time.map(|time| time.as_second().div_euclid(SAME_TIME)) else {
        return Some(Transition::with_id(state));
    };
    let at = |slot: i64| format!("{state} {slot}");
    Some(Transition {
        nearby: vec![at(slot - 1), at(slot + 1)],
        ..Transition::with_id(at(slot))
    })
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

impl Version {
    pub fn of(notice: &Notice) -> Option<Self> {
        let (subject, number) = match &notice.facts {
            Facts::Task(facts) => (task(notice)?, facts.version?),
            Facts::Instance(facts) => {
                let instance = notice.subject.container_instance.as_ref()?;
                (format!("instance {instance}"), facts.version?)
            }
            _ => return None,
        };
        Some(Self {
            subject: bounded(subject),
            number,
        })
    }
}

/// Health delivers public events a second time through another region, with another id of EventBridge.
/// <https://docs.aws.amazon.com/health/latest/ug/about-public-events.html>
fn of_health_event(notice: &Notice, health: &AwsHealthFacts) -> Option<String> {
    let (event, update) = (
        health.event_arn.as_ref()?,
        health.communication_id.as_ref()?,
    );
    let page = health.page.unwrap_or(1);
    let region = notice.origin.region.as_deref().unwrap_or("-");
    Some(format!(
        "health {} {region} {event} {update} {page}",
        account(notice)
    ))
}

/// A task by account and id. Only some events contain the cluster.
fn task(notice: &Notice) -> Option<String> {
    let task = notice.subject.task.as_ref()?;
    Some(format!("task {} {task}", account(notice)))
}

fn of_instance(notice: &Notice, id: &str, status: &str) -> String {
    format!("instance {} {id} {status}", account(notice))
}

fn account(notice: &Notice) -> &str {
    notice.origin.account.as_deref().unwrap_or_default()
}

fn bounded(id: String) -> String {
    let is_plain = id.len() <= LONGEST && id.chars().all(|it| it == ' ' || it.is_ascii_graphic());
    if is_plain {
        return id;
    }
    let hash = Sha256::digest(id.as_bytes());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256 {hash}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::notice::{Links, Origin, ServiceFacts, Subject};

    fn deployment(name: &str, reason: &str, at: Option<&str>) -> Notice {
        Notice {
            kind: Kind::Deployment,
            origin: Origin {
                event_id: Some(format!("{name} {reason} {at:?}")),
                account: Some("210987654321".to_owned()),
                ..Origin::default()
            },
            subject: Subject::default(),
            facts: Facts::Service(ServiceFacts {
                event_name: Some(format!("SERVICE_DEPLOYMENT_{name}")),
                reason: Some(reason.to_owned()),
                deployment_id: Some("ecs-svc/1".to_owned()),
                updated_at: at.map(|it| Time::read(it.to_owned())),
                ..ServiceFacts::default()
            }),
            actor: None,
            links: Links::default(),
        }
    }

    fn are_same(one: &Notice, other: &Notice) -> bool {
        let (one, other) = (Transition::of(one).unwrap(), Transition::of(other).unwrap());
        let nearby: Vec<_> = one.nearby().map(|it| it.to_string()).collect();
        one.to_string() == other.to_string() || nearby.contains(&other.to_string())
    }

    const BACK: &str = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.";

    #[test]
    fn states_of_a_deployment_are_distinguished() {
        let started = deployment("IN_PROGRESS", "in progress", Some("2026-11-12T10:00:00Z"));
        for (other, expected) in [
            (
                deployment(
                    "IN_PROGRESS",
                    "in progress.",
                    Some("2026-11-12T10:00:01.7Z"),
                ),
                true,
            ),
            (
                deployment("IN_PROGRESS", "in progress", Some("2026-11-12T09:59:58Z")),
                true,
            ),
            (
                deployment("IN_PROGRESS", BACK, Some("2026-11-12T10:00:00Z")),
                false,
            ),
            (
                deployment("IN_PROGRESS", "in progress", Some("2026-11-12T10:04:00Z")),
                false,
            ),
            (
                deployment("COMPLETED", "in progress", Some("2026-11-12T10:00:00Z")),
                false,
            ),
        ] {
            assert_eq!(are_same(&started, &other), expected, "{:?}", other.facts);
            assert_eq!(are_same(&other, &started), expected, "{:?}", other.facts);
        }
        // Without a time the state alone counts.
        let timeless = |name: &str, reason: &str| deployment(name, reason, None);
        assert!(are_same(&timeless("FAILED", "a"), &timeless("FAILED", "b")));
        assert!(!are_same(
            &timeless("FAILED", "a"),
            &timeless("FAILED", BACK)
        ));
    }

    #[test]
    fn facts_that_aws_adds_later_do_not_change_the_key() {
        let notice = deployment("COMPLETED", "completed", Some("2026-11-12T10:00:00Z"));
        let mut enriched = notice.clone();
        if let Facts::Service(service) = &mut enriched.facts {
            service.came_back = true;
        }
        assert_eq!(Transition::of(&notice), Transition::of(&enriched));
    }
}
