//! What a thread is about: a service, a family, a container instance, a launch, a cluster, or a kind of activity.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use strum::{Display, EnumString, IntoStaticStr};

use crate::ecs::notice::Notice;

/// A subject. Its text is the key of its item in the state table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubjectKey {
    pub kind: SubjectKind,
    pub account: String,
    pub region: String,
    /// Empty for a task definition, which belongs to no cluster.
    pub cluster: String,
    /// The service, the family, the instance's id, the task's id, or what an activity is about.
    pub name: String,
}

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
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A service: its deployments and its incidents.
    Service,
    /// A task definition's family in a cluster: the incidents of its scheduled tasks.
    Family,
    /// A container instance: its incidents.
    Instance,
    /// One launch of tasks outside services.
    Launch,
    /// A family's latest launches whose calls are not known yet.
    RecentLaunches,
    /// A cluster: its storms.
    Cluster,
    /// Events that are not urgent and come in dozens, or repeated calls.
    Activity,
    /// A family's latest registrations, which deployments mention.
    Definition,
    /// An event of AWS Health.
    Announcement,
    /// An alarm about a cluster: its incidents.
    Alarm,
    /// A managed daemon: its deployments and its incidents.
    Daemon,
    /// An entry of `EXPECT`: the incident that a task did not run.
    Expectation,
}

/// A name that is longer than any name of AWS is replaced by its hash.
const LONGEST: usize = 200;

impl SubjectKey {
    pub(super) fn new(kind: SubjectKind, notice: &Notice, name: &str) -> Self {
        let origin = &notice.origin;
        let part = |text: Option<&str>| bounded(text.unwrap_or_default());
        let cluster = match kind {
            SubjectKind::Definition | SubjectKind::Announcement | SubjectKind::Expectation => None,
            SubjectKind::Service
            | SubjectKind::Family
            | SubjectKind::Instance
            | SubjectKind::Launch
            | SubjectKind::RecentLaunches
            | SubjectKind::Cluster
            | SubjectKind::Activity
            | SubjectKind::Alarm
            | SubjectKind::Daemon => notice.subject.cluster.as_deref(),
        };
        Self {
            kind,
            account: part(origin.account.as_deref()),
            region: part(origin.region.as_deref()),
            cluster: part(cluster),
            name: bounded(name),
        }
    }

    /// The subject of an entry of `EXPECT`. It belongs to no account: the entry does not say one.
    pub(super) fn of_expectation(cluster: Option<&str>, name: &str) -> Self {
        Self {
            kind: SubjectKind::Expectation,
            account: String::new(),
            region: String::new(),
            cluster: bounded(cluster.unwrap_or_default()),
            name: bounded(name),
        }
    }

    /// The cluster that the subject is in.
    pub fn of_cluster(&self) -> Self {
        Self {
            kind: SubjectKind::Cluster,
            name: String::new(),
            ..self.clone()
        }
    }
}

/// `service 210987654321 eu-west-1 prod-web checkout`. A part that is missing is `-`.
impl fmt::Display for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        for part in [&self.account, &self.region, &self.cluster, &self.name] {
            let part = if part.is_empty() { "-" } else { part };
            write!(f, " {part}")?;
        }
        Ok(())
    }
}

/// Whether a text is a part of a subject as it is.
pub(super) fn is_plain(text: &str) -> bool {
    text.len() <= LONGEST && text.chars().all(|it| it == ' ' || it.is_ascii_graphic())
}

/// A name, or its hash if it is no name of AWS.
pub(super) fn bounded(text: &str) -> String {
    match is_plain(text) {
        true => text.to_owned(),
        false => format!("sha256:{}", hash(text)),
    }
}

/// The SHA-256 of a text, in hexadecimal.
pub(super) fn hash(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
