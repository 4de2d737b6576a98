//! What is told once.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::notice::{Facts, Kind, Notice};

/// A change that several events may tell of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Transition(String);

/// The state of something that counts its states: a lower one than was told is old news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub subject: String,
    pub number: i64,
}

/// Longer ids than AWS makes are told apart by their hash: they are keys of a table.
const LONGEST: usize = 200;

const RUNNING: &str = " RUNNING";
const STOPPED: &str = " STOPPED";

impl Transition {
    /// None where an event has nothing that tells it from others: it is then told each time.
    pub fn of(notice: &Notice) -> Option<Self> {
        let origin = &notice.origin;
        let id = match (&notice.facts, notice.kind) {
            (Facts::Task(_), Kind::TaskStopped) => {
                task(notice).map(|task| format!("{task}{STOPPED}"))
            }
            (Facts::Task(_), Kind::TaskStarted) => {
                task(notice).map(|task| format!("{task}{RUNNING}"))
            }
            (Facts::Service(service), Kind::Deployment) => {
                let deployment = service
                    .deployment_id
                    .as_ref()
                    .zip(service.event_name.as_ref());
                deployment.map(|(id, name)| format!("deployment {id} {name}"))
            }
            (Facts::Call(_), _) => origin.call_id.as_ref().map(|id| format!("call {id}")),
            (_, _) => None,
        };
        let id = id.or_else(|| origin.event_id.as_ref().map(|id| format!("event {id}")))?;
        Some(Self(bounded(id)))
    }

    /// What makes this one old news: of a task that is known to have stopped its start is none.
    pub fn followed_by(&self) -> Option<Self> {
        let task = self.0.strip_suffix(RUNNING)?;
        Some(Self(format!("{task}{STOPPED}")))
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
    let account = notice.origin.account.as_deref().unwrap_or_default();
    Some(format!("task {account} {task}"))
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
