//! A message before it is converted to a channel's own format.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::ecs::notice::{Kind, Origin, Subject};
use crate::notifier::policy::Severity;
use crate::notifier::thread::{Reason, ThreadId, ThreadKind, ThreadState};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub kind: Kind,
    pub severity: Severity,
    pub urgent: bool,
    /// Whether the people that the channel's `mention` names are notified.
    pub mentions: bool,
    /// What the message is about: a storm is about several services. Empty if nobody is notified.
    pub subjects: Vec<MessageSubject>,
    /// The first line, in the channel's markup.
    pub headline: String,
    pub details: Vec<Line>,
    /// The same facts as plain text, for formats that have fields of their own.
    pub facts: MessageFacts,
    /// `None` if the message belongs to no thread.
    pub thread: Option<MessageThread>,
}

/// A line of the details, in the channel's markup. Only a block of log lines contains line breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The name of a fact, without the colon and without markup: `Why`, `Where`. `None` for other lines.
    pub label: Option<String>,
    /// The fact's value. For other lines, the whole line.
    pub value: String,
    /// The whole line, with the label in bold.
    pub text: String,
    /// True for log lines, which are shown as the program wrote them.
    pub is_block: bool,
}

impl Line {
    /// A line without a label.
    pub fn of_text(text: String) -> Self {
        Self {
            label: None,
            value: text.clone(),
            text,
            is_block: false,
        }
    }
}

/// What a message is about, as text without markup: one line each, without invisible characters, and cut. A fact that is
/// not known is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MessageFacts {
    /// The id of the event. A message about many events has that of the first one; a message of a thread, that of the
    /// event that it shows.
    pub event_id: Option<String>,
    /// When it happened, in RFC 3339 where AWS gave such a time.
    pub time: Option<String>,
    pub account: Option<String>,
    pub account_name: Option<String>,
    pub region: Option<String>,
    pub cluster: Option<String>,
    pub service: Option<String>,
    pub family: Option<String>,
    pub revision: Option<String>,
    pub task: Option<String>,
    /// The EC2 instance, else the id of the container instance.
    pub instance: Option<String>,
    pub actor: Option<String>,
    /// The tags that the operator's settings name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The diagnosis's cause, `out_of_memory`, else the name of the service's event.
    pub cause: Option<String>,
    pub links: Vec<MessageLink>,
    /// Whether an operator asked for this message, and it is about no event.
    #[serde(skip)]
    pub is_test: bool,
}

impl MessageFacts {
    /// What it is about: the service, else the family, the instance or the task.
    pub fn subject(&self) -> Option<&str> {
        let subjects = [&self.service, &self.family, &self.instance, &self.task];
        subjects.into_iter().find_map(|it| it.as_deref())
    }
}

/// What the keys of a channel's `mention` are compared with, as AWS gave it. It must not be shown: it is not cleaned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageSubject {
    pub account: Option<String>,
    pub account_name: Option<String>,
    pub cluster: Option<String>,
    pub service: Option<String>,
    pub family: Option<String>,
    /// `None` if they are not known.
    pub tags: Option<BTreeMap<String, String>>,
}

impl MessageSubject {
    pub fn of(subject: &Subject, origin: &Origin) -> Self {
        Self {
            account: origin.account.clone(),
            account_name: origin.account_name.clone(),
            cluster: subject.cluster.clone(),
            service: subject.service.clone(),
            family: subject.family.clone(),
            tags: subject.tags.clone(),
        }
    }
}

/// A page of the AWS console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageLink {
    /// `task`, `logs`, `service`, `cluster`.
    pub label: &'static str,
    /// An `https` address without spaces, quotes and brackets.
    pub url: String,
}

/// The thread that a message belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageThread {
    pub id: ThreadId,
    pub kind: ThreadKind,
    /// `None` for an activity.
    pub state: Option<ThreadState>,
    /// Whether the thread goes on.
    pub is_open: bool,
    /// Whether it has been urgent at some time. An incident of target tracking's alarms is not.
    #[serde(skip)]
    pub has_been_urgent: bool,
    /// Why the message is sent now.
    pub reason: Reason,
    /// When the step happened, in RFC 3339. Formats have a field of their own for it.
    #[serde(skip)]
    pub at: Option<String>,
}

impl Message {
    /// When the thread's step or the event happened. `None` if AWS gave no RFC 3339 time.
    pub fn timestamp(&self) -> Option<&str> {
        let of_thread = self.thread.as_ref().and_then(|it| it.at.as_deref());
        let time = of_thread.or(self.facts.time.as_deref())?;
        time.parse::<Timestamp>().is_ok().then_some(time)
    }

    pub fn texts(&self) -> Vec<String> {
        self.details.iter().map(|line| line.text.clone()).collect()
    }
}
