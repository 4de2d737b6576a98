//! What is told once.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::ecs::event::Time;
use crate::ecs::notice::{Facts, Kind, Notice};
use crate::ecs::service_events::says_rollback;

/// A change that several events may tell of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Transition {
    id: String,
    /// The same change under the ids that it has where two events of it differ by seconds.
    nearby: Vec<String>,
}

/// The state of something that counts its states: a lower one than was told is old news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub subject: String,
    pub number: i64,
}

/// Longer ids than AWS makes are told apart by their hash: they are keys of a table.
const LONGEST: usize = 200;

/// Seconds. Two events of one state name its time, each a little different; a deployment does not reach the same
/// state twice in so short a time.
const SAME_TIME: i64 = 30;

const RUNNING: &str = " RUNNING";
const STOPPED: &str = " STOPPED";

impl Transition {
    /// None where an event has nothing that tells it from others: it is then told each time.
    pub fn of(notice: &Notice) -> Option<Self> {
        of_deployment(notice).or_else(|| Self::of_other(notice))
    }

    /// An event of a queue's message that nothing else tells from others.
    pub fn of_message(id: &str, number: usize) -> Self {
        Self::under(format!("message {id} {number}"))
    }

    fn of_other(notice: &Notice) -> Option<Self> {
        let origin = &notice.origin;
        let id = match (&notice.facts, notice.kind) {
            (Facts::Task(_), Kind::TaskStopped) => {
                task(notice).map(|task| format!("{task}{STOPPED}"))
            }
            (Facts::Task(_), Kind::TaskStarted) => {
                task(notice).map(|task| format!("{task}{RUNNING}"))
            }
            // ECS sends one for every task that leaves an instance which drains.
            (Facts::Instance(instance), _) => instance
                .status
                .as_ref()
                .zip(notice.subject.container_instance.as_ref())
                .filter(|(status, _)| *status != "ACTIVE")
                .map(|(status, id)| format!("instance {} {id} {status}", account(notice))),
            (Facts::Call(_), _) => origin.call_id.as_ref().map(|id| format!("call {id}")),
            (_, _) => None,
        };
        let id = id.or_else(|| origin.event_id.as_ref().map(|id| format!("event {id}")))?;
        Some(Self::under(id))
    }

    fn under(id: String) -> Self {
        Self {
            id: bounded(id),
            nearby: Vec::new(),
        }
    }

    /// What makes this one old news: of a task that is known to have stopped its start is none.
    pub fn followed_by(&self) -> Option<Self> {
        let task = self.id.strip_suffix(RUNNING)?;
        Some(Self::under(format!("{task}{STOPPED}")))
    }

    /// What else this one may have been noted as.
    pub fn nearby(&self) -> impl Iterator<Item = Self> {
        self.nearby.clone().into_iter().map(Self::under)
    }
}

/// A state of a deployment: its id alone does not tell two apart. A start and a rollback have one name, and after a
/// rollback the old deployment goes through its states again.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html>
fn of_deployment(notice: &Notice) -> Option<Transition> {
    let (Facts::Service(service), Kind::Deployment) = (&notice.facts, notice.kind) else {
        return None;
    };
    let (id, name) = (
        service.deployment_id.as_ref()?,
        service.event_name.as_ref()?,
    );
    // Not `is_rollback`: what AWS is asked later must not change the key.
    let says_rollback = service.reason.as_deref().is_some_and(says_rollback);
    let direction = if says_rollback { " back" } else { "" };
    let state = format!("deployment {} {id} {name}{direction}", account(notice));
    let time = service.updated_at.as_ref().and_then(Time::instant);
    let Some(slot) = time.map(|time| time.as_second().div_euclid(SAME_TIME)) else {
        return Some(Transition::under(state));
    };
    let at = |slot: i64| format!("{state} {slot}");
    Some(Transition {
        nearby: vec![at(slot - 1), at(slot + 1)],
        ..Transition::under(at(slot))
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

/// A task by account and id: its cluster stands in some events only.
fn task(notice: &Notice) -> Option<String> {
    let task = notice.subject.task.as_ref()?;
    Some(format!("task {} {task}", account(notice)))
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

    fn are_one(one: &Notice, other: &Notice) -> bool {
        let (one, other) = (Transition::of(one).unwrap(), Transition::of(other).unwrap());
        let nearby: Vec<_> = one.nearby().map(|it| it.to_string()).collect();
        one.to_string() == other.to_string() || nearby.contains(&other.to_string())
    }

    const BACK: &str = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.";

    #[test]
    fn what_tells_two_states_of_a_deployment_apart() {
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
            assert_eq!(are_one(&started, &other), expected, "{:?}", other.facts);
            assert_eq!(are_one(&other, &started), expected, "{:?}", other.facts);
        }
        // Without a time the state alone counts.
        let timeless = |name: &str, reason: &str| deployment(name, reason, None);
        assert!(are_one(&timeless("FAILED", "a"), &timeless("FAILED", "b")));
        assert!(!are_one(
            &timeless("FAILED", "a"),
            &timeless("FAILED", BACK)
        ));
    }

    #[test]
    fn what_aws_tells_later_does_not_change_the_key() {
        let told = deployment("COMPLETED", "completed", Some("2026-11-12T10:00:00Z"));
        let mut looked_up = told.clone();
        if let Facts::Service(service) = &mut looked_up.facts {
            service.came_back = true;
        }
        assert_eq!(Transition::of(&told), Transition::of(&looked_up));
    }
}
