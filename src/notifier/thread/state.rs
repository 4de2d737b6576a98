//! What is remembered of a subject: a small item, as JSON in the state table.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::action::{ThreadId, ThreadKind, ThreadState};
use super::activity::Activity;
use super::deployment::Deployment;
use super::incident::Incident;
use super::registration::Registration;
use super::run::Run;
use super::seen::Seen;
use super::service::ServiceMemory;
use super::storm::ClusterMemory;
use super::storm::Storm;
use super::subject::SubjectKey;
use super::unix_time::UnixTime;
use crate::ecs::notice::{Facts, Notice};
use crate::notifier::dedup::Transition;
use crate::notifier::policy::{Priority, Severity};

/// The state of a subject. A subject has only the parts of its kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SubjectState {
    pub(super) seen: Seen,
    /// Other events that changed a thread of it, for example those of a deployment.
    handled: Seen,
    /// The open deployment, or the last one.
    pub deployment: Option<Box<Deployment>>,
    /// The deployment before, until its last edit is shown.
    pub(super) replaced: Option<Box<Deployment>>,
    pub(super) service: ServiceMemory,
    /// The open incident, or the last one.
    pub incident: Option<Box<Incident>>,
    pub run: Option<Box<Run>>,
    /// Of a task that a launch of several tasks started: the first task, whose item has the run.
    pub(super) launched_with: Option<String>,
    pub activity: Option<Box<Activity>>,
    pub(super) cluster: ClusterMemory,
    pub storm: Option<Box<Storm>>,
    pub(super) registrations: Vec<Registration>,
    /// The last change.
    pub changed_at: UnixTime,
}

/// A thread with what is known about it.
#[derive(Debug, Clone)]
pub enum Thread {
    Deployment(Box<Deployment>),
    Incident(Box<Incident>),
    Storm(Box<Storm>),
    Run(Box<Run>),
    Activity(Box<Activity>),
}

impl Thread {
    pub fn id(&self) -> &ThreadId {
        match self {
            Self::Deployment(it) => &it.thread,
            Self::Incident(it) => &it.thread,
            Self::Storm(it) => &it.thread,
            Self::Run(it) => &it.thread,
            Self::Activity(it) => &it.thread,
        }
    }

    pub fn kind(&self) -> ThreadKind {
        match self {
            Self::Deployment(_) => ThreadKind::Deployment,
            Self::Incident(_) => ThreadKind::Incident,
            Self::Storm(_) => ThreadKind::Storm,
            Self::Run(_) => ThreadKind::Run,
            Self::Activity(_) => ThreadKind::Activity,
        }
    }

    pub fn state(&self) -> Option<ThreadState> {
        match self {
            Self::Deployment(it) => Some(it.state()),
            Self::Incident(it) => Some(it.state()),
            Self::Storm(it) => Some(it.state()),
            Self::Run(it) => Some(it.state()),
            Self::Activity(_) => None,
        }
    }

    pub fn severity(&self) -> Severity {
        match self {
            Self::Deployment(it) => it.severity(),
            Self::Incident(it) => it.severity(),
            Self::Storm(it) => it.severity(),
            Self::Run(it) => it.severity(),
            Self::Activity(it) => it.severity(),
        }
    }
}

impl SubjectState {
    /// Whether the subject has had this transition.
    pub fn has_had(&self, transition: Option<&Transition>) -> bool {
        self.seen.has(transition) || self.has_handled(transition)
    }

    /// Whether the transition was noted as handled.
    pub fn has_handled(&self, transition: Option<&Transition>) -> bool {
        self.handled.has(transition)
    }

    /// Notes that a thread took the transition, or showed something for it.
    pub fn note_handled(&mut self, transition: Option<&Transition>) {
        self.handled.is_new(transition);
    }

    /// The other subjects whose threads may show an event of this one: the launch that this task belongs to, and the
    /// cluster with its storm.
    pub fn related(&self, key: &SubjectKey) -> Vec<SubjectKey> {
        let launch = self.launched_with.as_ref().map(|first| SubjectKey {
            name: first.clone(),
            ..key.clone()
        });
        launch.into_iter().chain([key.of_cluster()]).collect()
    }

    /// Whether anything is remembered.
    pub fn is_empty(&self) -> bool {
        self.changed_at == UnixTime::default()
    }

    /// The threads of the subject.
    pub fn threads(&self) -> impl Iterator<Item = Thread> {
        let deployments = [&self.deployment, &self.replaced].into_iter().flatten();
        let deployments = deployments.map(|it| Thread::Deployment(it.clone()));
        let incident = self.incident.iter().map(|it| Thread::Incident(it.clone()));
        let storm = self.storm.iter().map(|it| Thread::Storm(it.clone()));
        let run = self.run.iter().map(|it| Thread::Run(it.clone()));
        let activity = self.activity.iter().map(|it| Thread::Activity(it.clone()));
        deployments
            .chain(incident)
            .chain(storm)
            .chain(run)
            .chain(activity)
    }
}

/// An event that a message shows, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownNotice {
    #[serde(with = "compact")]
    pub notice: Notice,
    pub priority: Priority,
}

impl ShownNotice {
    pub(super) fn new(notice: &Notice, priority: Priority) -> Box<Self> {
        let notice = notice.clone();
        Box::new(Self { notice, priority })
    }

    pub(super) fn is_of_task(&self) -> bool {
        matches!(self.notice.facts, Facts::Task(_))
    }
}

/// Stores a notice without its empty fields and its links, and with its texts and lists cut.
mod compact {
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{Notice, Value};
    use crate::ecs::links::links;
    use crate::ecs::notice::Links;

    const LONGEST_TEXT: usize = 400;
    const LONGEST_LIST: usize = 10;

    pub(super) fn serialize<S: Serializer>(notice: &Notice, to: S) -> Result<S::Ok, S::Error> {
        let notice = Notice {
            links: Links::default(),
            ..notice.clone()
        };
        let value = serde_json::to_value(notice).map_err(S::Error::custom)?;
        compact(value).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Notice, D::Error> {
        let value = Value::deserialize(from)?;
        let mut notice = Notice::deserialize(value).map_err(D::Error::custom)?;
        notice.links = links(notice.kind, &notice.subject, &notice.origin);
        Ok(notice)
    }

    fn compact(value: Value) -> Value {
        match value {
            Value::String(text) if text.len() > LONGEST_TEXT => {
                Value::String(text.chars().take(LONGEST_TEXT).collect())
            }
            Value::Array(items) => {
                let items = items.into_iter().take(LONGEST_LIST).map(compact);
                Value::Array(items.collect())
            }
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(key, value)| (key, compact(value)));
                Value::Object(fields.filter(|(_, value)| !is_empty(value)).collect())
            }
            other => other,
        }
    }

    fn is_empty(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => false,
        }
    }
}
