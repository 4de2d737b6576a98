//! What the core decides: which message of which thread is due, and why.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::state::Thread;
use super::subject::{SubjectKey, hash};
use super::unix_time::UnixTime;
use crate::notifier::policy::{Priority, Severity};

/// The kinds of threads.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ThreadKind {
    Deployment,
    Incident,
    Storm,
    Run,
    Activity,
    Announcement,
}

/// Identifies a thread: its kind, and a hash of its subject and its beginning. `incident-1f0a…`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ThreadId(String);

impl ThreadId {
    pub(super) fn new(kind: ThreadKind, subject: &SubjectKey, beginning: &str) -> Self {
        const LENGTH: usize = 16;
        let hash = hash(&format!("{subject} {beginning}"));
        Self(format!("{kind}-{}", &hash[..LENGTH]))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ThreadId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The state of a thread, as readers see it. An activity has none.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ThreadState {
    // A deployment.
    InProgress,
    Waiting,
    RollingBack,
    Completed,
    Failed,
    Replaced,
    // An incident or a storm.
    Open,
    Recovering,
    Resolved,
    // A run.
    Launched,
    Running,
    Stopped,
    // An announcement. It is also open and resolved.
    Scheduled,
}

impl ThreadState {
    /// Whether the thread has ended.
    pub(super) fn is_over(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Replaced | Self::Resolved | Self::Stopped => {
                true
            }
            Self::InProgress
            | Self::Waiting
            | Self::RollingBack
            | Self::Open
            | Self::Recovering
            | Self::Launched
            | Self::Running
            | Self::Scheduled => false,
        }
    }
}

/// What an action does in a chat that can edit and reply. `display.rs` says what other chats do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, IntoStaticStr, Serialize, Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// A new message.
    Post,
    /// The message is edited.
    Update,
    /// The message is edited, and gets a reply.
    Reply,
    /// The message is edited, and gets a reply that the whole channel sees.
    Broadcast,
}

/// Why an action is due.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The thread begins.
    Opened,
    /// Counts have grown.
    Counted,
    /// Something was learned that needs no attention.
    Learned,
    /// A count of an activity, for channels that cannot edit.
    Summary,
    /// A deployment's hook waits for a person.
    Waits,
    /// A person let a deployment go on.
    Continued,
    /// A deployment's hook failed or timed out.
    HookFailed,
    RollsBack,
    /// A deployment or a task of a run failed.
    Failed,
    /// The end of a rollback.
    RolledBack,
    Completed,
    /// An incident has a new cause, or became critical, or a storm has new services, or an announcement affects more or
    /// has another time.
    Worse,
    Reminder,
    /// A problem has been open for long, so that another channel gets it too.
    Escalated,
    /// Failures came back after the recovery.
    CameBack,
    Recovered,
    /// The last task of a run has stopped.
    Stopped,
}

impl Reason {
    /// What a chat that can edit and reply does.
    pub fn action(self) -> ActionKind {
        match self {
            Self::Opened => ActionKind::Post,
            Self::Counted | Self::Learned | Self::Summary | Self::Escalated => ActionKind::Update,
            Self::Continued
            | Self::RolledBack
            | Self::Completed
            | Self::Reminder
            | Self::Recovered
            | Self::Stopped => ActionKind::Reply,
            Self::Waits
            | Self::HookFailed
            | Self::RollsBack
            | Self::Failed
            | Self::Worse
            | Self::CameBack => ActionKind::Broadcast,
        }
    }

    /// Whether a channel that does not have the thread yet gets it now.
    fn begins_a_thread(self) -> bool {
        !matches!(
            self,
            Self::Counted | Self::Learned | Self::Escalated | Self::Recovered
        )
    }

    /// Whether the message of this action is about a step, and not the whole thread.
    pub fn is_turn(self) -> bool {
        !matches!(
            self,
            Self::Opened | Self::Counted | Self::Learned | Self::Escalated
        )
    }
}

/// One step of a thread. It is stored until it is shown, so it has only what the thread itself does not know later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    pub reason: Reason,
    pub at: UnixTime,
    pub severity: Severity,
    pub urgent: bool,
    /// Whether the channel's mention is used: the thread became critical, or came back critical.
    #[serde(default)]
    pub mentions: bool,
    /// What is new: causes, services, or who did it.
    #[serde(default)]
    pub names: Vec<String>,
    /// How long something lasted, in milliseconds: from the recovery to the return, or until an escalation.
    #[serde(default)]
    pub after: Option<u64>,
}

impl Turn {
    pub(super) fn new(reason: Reason, at: UnixTime, severity: Severity, urgent: bool) -> Self {
        Self {
            reason,
            at,
            severity,
            urgent,
            mentions: false,
            names: Vec::new(),
            after: None,
        }
    }

    /// Without a cause, because a thread may have several.
    pub fn priority(&self) -> Priority {
        Priority {
            cause: None,
            severity: self.severity,
            urgent: self.urgent,
        }
    }

    #[must_use]
    pub(super) fn with_mention(self, mentions: bool) -> Self {
        Self { mentions, ..self }
    }

    #[must_use]
    pub(super) fn with_names(self, names: Vec<String>) -> Self {
        Self { names, ..self }
    }
}

/// A turn of a thread, with the thread as it is then.
#[derive(Debug, Clone)]
pub struct Action {
    pub subject: SubjectKey,
    pub thread: Thread,
    pub turn: Turn,
    /// The indexes of the events of this batch that it is about.
    pub events: Vec<usize>,
}

impl Action {
    /// Whether a channel that takes the action, and does not have the thread yet, gets it now. A channel with patterns
    /// (`has_route`) may wait for a fact that comes late: CloudTrail says minutes after a deployment or a launch who did
    /// it.
    pub fn begins_a_thread(&self, has_route: bool) -> bool {
        let learns_who = match self.thread {
            Thread::Deployment(_) | Thread::Run(_) => {
                matches!(self.turn.reason, Reason::Learned | Reason::Counted)
            }
            // The incidents of a storm are edited while the storm shows them.
            Thread::Incident(_)
            | Thread::Storm(_)
            | Thread::Activity(_)
            | Thread::Announcement(_) => false,
        };
        self.turn.reason.begins_a_thread() || has_route && learns_who
    }

    pub fn id(&self) -> &ThreadId {
        self.thread.id()
    }
}
