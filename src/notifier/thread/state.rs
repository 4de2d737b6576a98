//! What is remembered of a subject: a small item, as JSON in the state table.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::action::{ThreadId, ThreadKind, ThreadState};
use super::activity::Activity;
use super::announcement::Announcement;
use super::deployment::Deployment;
use super::expectation::ExpectationMemory;
use super::host::HostMemory;
use super::incident::Incident;
use super::recent_launches::RecentLaunches;
use super::registration::{Awaiting, Registration};
use super::run::Run;
use super::seen::Seen;
use super::service::ServiceMemory;
use super::shown::Shown;
use super::storm::ClusterMemory;
use super::storm::Storm;
use super::subject::SubjectKey;
use super::tags;
use super::text::cut;
use super::unix_time::UnixTime;
use crate::ecs::notice::Notice;
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Box<Deployment>>,
    /// The deployment before, until its last edit is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replaced: Option<Box<Deployment>>,
    /// Deployments before these, whose last change this batch shows.
    #[serde(skip)]
    pub(super) outgoing: Vec<Deployment>,
    #[serde(skip_serializing_if = "ServiceMemory::is_empty")]
    pub(super) service: ServiceMemory,
    #[serde(skip_serializing_if = "HostMemory::is_empty")]
    pub(super) host: HostMemory,
    /// The open incident, or the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<Box<Incident>>,
    /// The incident before, until its end is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Box<Incident>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<Run>>,
    /// Of a task that a launch of several tasks started: the first task, whose item has the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) launched_with: Option<String>,
    /// The task whose run had this one before the call said that it launched this one and not that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) left: Option<String>,
    #[serde(skip_serializing_if = "RecentLaunches::is_empty")]
    pub(super) launches: RecentLaunches,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<Box<Activity>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announcement: Option<Box<Announcement>>,
    #[serde(skip_serializing_if = "ClusterMemory::is_empty")]
    pub(super) cluster: ClusterMemory,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm: Option<Box<Storm>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) registrations: Vec<Registration>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) awaiting: Vec<Awaiting>,
    /// Of a composite alarm: the subject whose incident it is a part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) alarm_of: Option<SubjectKey>,
    /// Of an entry of `EXPECT`: the last tasks and the clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expectation: Option<Box<ExpectationMemory>>,
    /// The last change.
    pub changed_at: UnixTime,
}

/// A thread with what is known about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thread {
    Deployment(Box<Deployment>),
    Incident(Box<Incident>),
    Storm(Box<Storm>),
    Run(Box<Run>),
    Activity(Box<Activity>),
    Announcement(Box<Announcement>),
}

impl Thread {
    pub fn id(&self) -> &ThreadId {
        match self {
            Self::Deployment(it) => &it.thread,
            Self::Incident(it) => &it.thread,
            Self::Storm(it) => &it.thread,
            Self::Run(it) => &it.thread,
            Self::Activity(it) => &it.thread,
            Self::Announcement(it) => &it.thread,
        }
    }

    pub fn kind(&self) -> ThreadKind {
        match self {
            Self::Deployment(_) => ThreadKind::Deployment,
            Self::Incident(_) => ThreadKind::Incident,
            Self::Storm(_) => ThreadKind::Storm,
            Self::Run(_) => ThreadKind::Run,
            Self::Activity(_) => ThreadKind::Activity,
            Self::Announcement(_) => ThreadKind::Announcement,
        }
    }

    pub fn state(&self) -> Option<ThreadState> {
        match self {
            Self::Deployment(it) => Some(it.state()),
            Self::Incident(it) => Some(it.state()),
            Self::Storm(it) => Some(it.state()),
            Self::Run(it) => Some(it.state()),
            Self::Activity(_) => None,
            Self::Announcement(it) => Some(it.state()),
        }
    }

    /// For how long it has been open, if it is a problem that is open now. See [`Escalation::after`].
    pub(super) fn open_for(&self) -> Option<Duration> {
        let escalation = match self {
            Self::Incident(it) => &it.escalation,
            Self::Storm(it) => &it.escalation,
            Self::Deployment(_) | Self::Run(_) | Self::Activity(_) | Self::Announcement(_) => {
                return None;
            }
        };
        let is_open = self.state() == Some(ThreadState::Open);
        escalation.after().filter(|_| is_open)
    }

    /// Whether it has been urgent at some time.
    pub fn has_been_urgent(&self) -> bool {
        match self {
            Self::Incident(it) => it.has_been_urgent(),
            Self::Storm(_) => true,
            Self::Deployment(_) | Self::Run(_) | Self::Activity(_) | Self::Announcement(_) => false,
        }
    }

    /// Whether the thread goes on.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Deployment(it) => it.is_open(),
            Self::Incident(it) => !it.is_over(),
            Self::Storm(it) => !it.is_over(),
            Self::Run(it) => it.state() != ThreadState::Stopped && !it.is_closed,
            Self::Activity(it) => it.is_open(),
            Self::Announcement(it) => !it.is_over(),
        }
    }

    /// When it began.
    pub fn since(&self) -> Option<UnixTime> {
        match self {
            Self::Deployment(it) => Some(it.started_at),
            Self::Incident(it) => Some(it.first_at),
            Self::Storm(it) => Some(it.first_at),
            Self::Run(it) => it.launch.as_ref().map(|it| it.at).or(it.shown.opened_at),
            Self::Activity(it) => Some(it.first_at),
            Self::Announcement(it) => Some(it.first_at),
        }
    }

    /// The number of its failures, tasks or events.
    pub fn count(&self) -> u32 {
        match self {
            Self::Deployment(it) => it.tasks.started.saturating_add(it.tasks.failed),
            Self::Incident(it) => it.total,
            Self::Storm(it) => it.total(),
            Self::Run(it) => u32::try_from(it.total()).unwrap_or(u32::MAX),
            Self::Activity(it) => it.total,
            Self::Announcement(it) => it.affected(),
        }
    }

    /// When its last message was sent or edited.
    pub fn last_message_at(&self) -> Option<UnixTime> {
        let shown = self.shown();
        shown.opened_at.map(|_| shown.edited_at)
    }

    /// When a message showed for the first time that it has ended.
    pub fn first_end(&self) -> Option<UnixTime> {
        self.shown().first_end
    }

    fn shown(&self) -> &Shown {
        match self {
            Self::Deployment(it) => &it.shown,
            Self::Incident(it) => &it.shown,
            Self::Storm(it) => &it.shown,
            Self::Run(it) => &it.shown,
            Self::Activity(it) => &it.shown,
            Self::Announcement(it) => &it.shown,
        }
    }

    pub fn severity(&self) -> Severity {
        match self {
            Self::Deployment(it) => it.severity(),
            Self::Incident(it) => it.severity(),
            Self::Storm(it) => it.severity(),
            Self::Run(it) => it.severity(),
            Self::Activity(it) => it.severity(),
            Self::Announcement(it) => it.severity(),
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

    /// Closes a thread that somebody has looked after.
    pub fn close_by_hand(&mut self, id: &ThreadId, now: UnixTime) {
        if let Some(it) = self.deployment.as_mut().filter(|it| it.thread == *id) {
            it.close_by_hand();
        }
        if let Some(it) = self.incident.as_mut().filter(|it| it.thread == *id) {
            it.end_by_hand(now);
        }
        if let Some(it) = self.storm.as_mut().filter(|it| it.thread == *id) {
            it.end_by_hand(now);
        }
        if let Some(it) = self.run.as_mut().filter(|it| it.thread == *id) {
            it.close_by_hand();
        }
        if let Some(it) = self.activity.as_mut().filter(|it| it.thread == *id) {
            it.close_by_hand();
        }
        if let Some(it) = self.announcement.as_mut().filter(|it| it.thread == *id) {
            it.close_by_hand();
        }
    }

    /// Until when it must be remembered, although nothing happens.
    pub fn lasts_until(&self) -> Option<UnixTime> {
        self.announcement.as_ref()?.lasts_until()
    }

    /// The ids of its threads.
    pub fn thread_ids(&self) -> impl Iterator<Item = &ThreadId> {
        let deployments = [&self.deployment, &self.replaced].into_iter().flatten();
        let incidents = [&self.incident, &self.ended].into_iter().flatten();
        deployments
            .map(|it| &it.thread)
            .chain(incidents.map(|it| &it.thread))
            .chain(self.storm.iter().map(|it| &it.thread))
            .chain(self.run.iter().map(|it| &it.thread))
            .chain(self.activity.iter().map(|it| &it.thread))
            .chain(self.announcement.iter().map(|it| &it.thread))
    }

    /// The threads of the subject.
    pub fn threads(&self) -> impl Iterator<Item = Thread> {
        let deployments = [&self.deployment, &self.replaced].into_iter().flatten();
        let deployments = deployments.map(|it| Thread::Deployment(it.clone()));
        let incidents = [&self.incident, &self.ended].into_iter().flatten();
        let incidents = incidents.map(|it| Thread::Incident(it.clone()));
        let storm = self.storm.iter().map(|it| Thread::Storm(it.clone()));
        let run = self.run.iter().map(|it| Thread::Run(it.clone()));
        let activity = self.activity.iter().map(|it| Thread::Activity(it.clone()));
        let announcement = self.announcement.iter();
        let announcement = announcement.map(|it| Thread::Announcement(it.clone()));
        deployments
            .chain(incidents)
            .chain(storm)
            .chain(run)
            .chain(activity)
            .chain(announcement)
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

    /// Leaves out all texts and lists that are not short. Tags are whole or not known: patterns compare them.
    pub(super) fn shrink(&mut self) {
        let tags = &mut self.notice.subject.tags;
        tags.take_if(|it| !tags::are_short(it));
        let short = compact::to_value(&self.notice, compact::Size::SHORT);
        let notice = short.and_then(compact::from_value);
        if let Ok(notice) = notice {
            self.notice = notice;
        }
    }

    /// The task that it is about.
    pub(super) fn task(&self) -> Option<&str> {
        self.notice.subject.task.as_deref()
    }
}

/// Stores a notice without its empty fields and its links, and with its texts and lists cut.
mod compact {
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{Notice, Value, cut};
    use crate::ecs::links::links;
    use crate::ecs::notice::Links;

    /// The longest texts, in bytes, and the longest lists.
    #[derive(Clone, Copy)]
    pub(super) struct Size {
        text: usize,
        list: usize,
    }

    impl Size {
        const USUAL: Self = Self {
            text: 400,
            list: 10,
        };
        pub(super) const SHORT: Self = Self { text: 120, list: 2 };
    }

    pub(super) fn to_value(notice: &Notice, size: Size) -> serde_json::Result<Value> {
        let notice = Notice {
            links: Links::default(),
            ..notice.clone()
        };
        Ok(compact(serde_json::to_value(notice)?, size))
    }

    pub(super) fn from_value(value: Value) -> serde_json::Result<Notice> {
        let mut notice = Notice::deserialize(value)?;
        notice.links = links(notice.kind, &notice.subject, &notice.origin);
        Ok(notice)
    }

    pub(super) fn serialize<S: Serializer>(notice: &Notice, to: S) -> Result<S::Ok, S::Error> {
        let value = to_value(notice, Size::USUAL).map_err(S::Error::custom)?;
        value.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Notice, D::Error> {
        from_value(Value::deserialize(from)?).map_err(D::Error::custom)
    }

    fn compact(value: Value, size: Size) -> Value {
        match value {
            Value::String(text) if text.len() > size.text => Value::String(cut(&text, size.text)),
            Value::Array(items) => {
                let items = items.into_iter().take(size.list);
                Value::Array(items.map(|it| compact(it, size)).collect())
            }
            Value::Object(fields) => {
                let fields = fields.into_iter();
                let fields = fields.map(|(key, value)| (key, compact(value, size)));
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
