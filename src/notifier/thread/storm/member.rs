//! A service, a family or an instance of a storm.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::notifier::policy::Severity;
use crate::notifier::thread::action::{ThreadId, ThreadState};
use crate::notifier::thread::counter::Counter;
use crate::notifier::thread::incident::Incident;
use crate::notifier::thread::shared_facts::Places;
use crate::notifier::thread::shared_facts::SharedFacts;
use crate::notifier::thread::subject::{SubjectKey, SubjectKind};
use crate::notifier::thread::text::cut;
use crate::notifier::thread::unix_time::UnixTime;

/// The most causes of one service that are remembered.
const MOST_CAUSES: usize = 3;

/// The longest words of a cause, in bytes.
const LONGEST_WORDS: usize = 120;

/// The longest name that is stored twice, in bytes.
pub(super) const LONGEST_NAME: usize = 64;

/// A service, a family or an instance of the storm, with its latest incident.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    #[serde(default)]
    incident: ThreadId,
    /// The failures of its incidents before this one.
    #[serde(default)]
    pub(super) before: u32,
    /// How often the incident has come back.
    #[serde(default)]
    returns: u32,
    /// The most frequent cause in words that say more than its name.
    #[serde(default)]
    pub words: Option<(String, String)>,
    kind: SubjectKind,
    /// The service's name, the family's, or the instance's id.
    name: String,
    /// The name that people know, if it is another one.
    #[serde(default)]
    shown_name: Option<String>,
    /// The tags of the newest failure, for routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    pub state: ThreadState,
    pub severity: Severity,
    /// The most frequent causes.
    pub causes: Counter,
    pub total: u32,
    pub(super) first_at: UnixTime,
    /// When it failed last, or when it recovered.
    pub(super) changed_at: UnixTime,
    pub(super) shared: SharedFacts,
}

/// What an incident tells its cluster.
#[derive(Debug)]
pub(in crate::notifier::thread) struct Report<'a> {
    pub(in crate::notifier::thread) key: &'a SubjectKey,
    pub(in crate::notifier::thread) incident: &'a Incident,
    pub(in crate::notifier::thread) places: &'a Places,
    /// Whether it opened now, or came back.
    pub(in crate::notifier::thread) is_new: bool,
}

impl Member {
    pub(super) fn of(report: &Report<'_>) -> Self {
        let incident = report.incident;
        let subject = incident.newest.as_ref().map(|it| &it.notice.subject);
        let host = subject.and_then(|it| it.ec2_instance.clone());
        let is_instance = report.key.kind == SubjectKind::Instance;
        let mut causes: Vec<_> = incident.causes.iter().collect();
        causes.sort_by_key(|it| std::cmp::Reverse(it.count));
        let mut counted = Counter::default();
        for cause in causes.iter().take(MOST_CAUSES) {
            counted.add_many(&cause.name, cause.count);
        }
        Self {
            incident: incident.thread.clone(),
            before: 0,
            returns: incident.returns,
            words: causes.first().and_then(|it| {
                let words = cut(it.words.as_deref()?, LONGEST_WORDS);
                Some((it.name.clone(), words))
            }),
            kind: report.key.kind,
            name: report.key.name.clone(),
            shown_name: host
                .filter(|_| is_instance)
                .map(|it| cut(&it, LONGEST_NAME)),
            tags: subject.and_then(|it| it.tags.clone()),
            state: incident.state(),
            severity: incident.severity(),
            causes: counted,
            total: incident.total,
            first_at: incident.first_at,
            changed_at: incident.ended_at(),
            shared: incident.shared().of_place(),
        }
    }

    pub(super) fn key(&self, cluster: &SubjectKey) -> SubjectKey {
        SubjectKey {
            kind: self.kind,
            name: self.name.clone(),
            ..cluster.clone()
        }
    }

    pub fn kind(&self) -> SubjectKind {
        self.kind
    }

    pub fn has_recovered(&self) -> bool {
        self.state == ThreadState::Resolved
    }

    pub fn is_service(&self) -> bool {
        self.kind == SubjectKind::Service
    }

    /// The service, the family or the instance.
    pub fn name(&self) -> &str {
        self.shown_name.as_deref().unwrap_or(&self.name)
    }

    /// Takes what is newer. Returns whether another incident of it has opened. Functions report in any order, and the
    /// counts of an incident only grow.
    pub(super) fn learn(&mut self, newer: Self) -> bool {
        let is_same = self.incident == newer.incident;
        if is_same && newer.total >= self.total {
            let came_back = newer.returns > self.returns;
            *self = Self {
                before: self.before,
                tags: newer.tags.or(self.tags.take()),
                ..newer
            };
            return came_back;
        }
        if is_same || newer.first_at <= self.first_at {
            return false;
        }
        *self = Self {
            before: self.before.saturating_add(self.total),
            ..newer
        };
        true
    }

    /// Leaves out the tags. They are not known any more.
    pub(in crate::notifier::thread) fn forget_tags(&mut self) {
        self.tags = None;
    }

    pub(in crate::notifier::thread) fn is(&self, key: &SubjectKey) -> bool {
        self.kind == key.kind && self.name == key.name
    }
}
