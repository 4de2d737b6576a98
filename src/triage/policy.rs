//! What the operator wants to hear, over what an event means by itself.

use globset::{Glob, GlobSet, GlobSetBuilder};

use super::{Cause, DropReason, Severity, Verdict, quiet};
use crate::event::Container;
use crate::notice::{Kind, Notice};

#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Containers whose exit code says nothing.
    pub ignored_containers: Vec<String>,
    pub ignored_clusters: Globs,
    pub ignored_services: Globs,
    pub keep: Vec<Selection>,
    pub drop: Vec<Selection>,
}

/// A word of `KEEP` or `DROP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    Kind(Kind),
    Cause(Cause),
    Reason(DropReason),
}

/// Patterns of names, `*` and `?` and `[…]`.
#[derive(Debug, Clone, Default)]
pub struct Globs(GlobSet);

impl Policy {
    pub(super) fn ignores_exit_of(&self, container: &Container) -> bool {
        container
            .name
            .as_ref()
            .is_some_and(|name| self.ignored_containers.contains(name))
    }

    /// Ignoring a cluster or service is about where and holds for everything; between KEEP and DROP, KEEP
    /// wins. What KEEP brings back from the noise is quiet.
    pub(super) fn apply(&self, notice: &Notice, meaning: Verdict) -> Verdict {
        let subject = &notice.subject;
        if meaning == Verdict::Drop(DropReason::NotEcs) {
            return meaning;
        }
        if self.ignored_clusters.matches(subject.cluster.as_deref()) {
            return Verdict::Drop(DropReason::IgnoredCluster);
        }
        if self.ignored_services.matches(subject.service.as_deref()) {
            return Verdict::Drop(DropReason::IgnoredService);
        }
        let keeps = selects(&self.keep, notice.kind, meaning);
        match meaning {
            Verdict::Drop(_) if keeps => quiet(Severity::Info),
            Verdict::Keep(_) if !keeps && selects(&self.drop, notice.kind, meaning) => {
                Verdict::Drop(DropReason::DroppedByConfig)
            }
            Verdict::Drop(_) | Verdict::Keep(_) => meaning,
        }
    }
}

fn selects(selections: &[Selection], kind: Kind, meaning: Verdict) -> bool {
    selections
        .iter()
        .any(|selection| match (selection, meaning) {
            (Selection::Kind(selected), _) => *selected == kind,
            (Selection::Cause(selected), Verdict::Keep(telling)) => {
                telling.cause == Some(*selected)
            }
            (Selection::Reason(selected), Verdict::Drop(reason)) => *selected == reason,
            (Selection::Cause(_), Verdict::Drop(_)) | (Selection::Reason(_), Verdict::Keep(_)) => {
                false
            }
        })
}

impl Globs {
    /// # Errors
    ///
    /// The first pattern that is none.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, globset::Error> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            set.add(Glob::new(pattern)?);
        }
        set.build().map(Self)
    }

    fn matches(&self, name: Option<&str>) -> bool {
        name.is_some_and(|name| self.0.is_match(name))
    }
}
