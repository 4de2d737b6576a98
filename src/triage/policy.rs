//! What the operator wants to hear, over what an event means by itself.

use globset::{Glob, GlobSet, GlobSetBuilder};

use super::{Cause, DropReason, Severity, Verdict, quiet};
use crate::notice::{Container, Facts, Kind, Notice};

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

    /// Notes on a notice which containers the operator ignores, for whoever words it.
    pub fn mark(&self, notice: &mut Notice) {
        if let Facts::Task(task) = &mut notice.facts {
            for container in &mut task.containers {
                container.is_ignored = self.ignores_exit_of(container);
            }
        }
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

    pub fn matches(&self, name: Option<&str>) -> bool {
        name.is_some_and(|name| self.0.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::{Links, Origin, Subject};
    use crate::triage::loud;

    fn notice(kind: Kind) -> Notice {
        Notice {
            kind,
            origin: Origin::default(),
            subject: Subject {
                cluster: Some("dev-7".to_owned()),
                service: Some("web".to_owned()),
                ..Subject::default()
            },
            facts: Facts::Foreign,
            actor: None,
            links: Links::default(),
        }
    }

    fn out_of_memory() -> Verdict {
        Verdict::Keep(crate::triage::Telling {
            cause: Some(Cause::OutOfMemory),
            severity: Severity::Critical,
            volume: crate::triage::Volume::Loud,
        })
    }

    fn apply(policy: &Policy, meaning: Verdict) -> Verdict {
        policy.apply(&notice(Kind::TaskStopped), meaning)
    }

    const NOISE: Verdict = Verdict::Drop(DropReason::RoutineStop);
    const BY_CONFIG: Verdict = Verdict::Drop(DropReason::DroppedByConfig);

    #[test]
    fn without_wishes_nothing_changes() {
        let policy = Policy::default();
        for meaning in [
            NOISE,
            out_of_memory(),
            quiet(Severity::Info),
            loud(Severity::Warning),
        ] {
            assert_eq!(apply(&policy, meaning), meaning);
        }
    }

    #[test]
    fn what_keep_brings_back_is_quiet() {
        for selection in [
            Selection::Kind(Kind::TaskStopped),
            Selection::Reason(DropReason::RoutineStop),
        ] {
            let policy = Policy {
                keep: vec![selection],
                ..Policy::default()
            };
            assert_eq!(apply(&policy, NOISE), quiet(Severity::Info));
            assert_eq!(apply(&policy, out_of_memory()), out_of_memory());
        }
        let other = Selection::Reason(DropReason::SteadyState);
        let policy = Policy {
            keep: vec![other],
            ..Policy::default()
        };
        assert_eq!(apply(&policy, NOISE), NOISE);
    }

    #[test]
    fn drop_takes_kinds_and_causes_and_keep_wins() {
        let kind = Selection::Kind(Kind::TaskStopped);
        let cause = Selection::Cause(Cause::OutOfMemory);
        for drop in [kind, cause] {
            let policy = Policy {
                drop: vec![drop],
                ..Policy::default()
            };
            assert_eq!(apply(&policy, out_of_memory()), BY_CONFIG);
        }
        let policy = Policy {
            drop: vec![kind],
            keep: vec![cause],
            ..Policy::default()
        };
        assert_eq!(apply(&policy, out_of_memory()), out_of_memory());
        assert_eq!(apply(&policy, quiet(Severity::Success)), BY_CONFIG);
    }

    #[test]
    fn where_nobody_looks_keep_does_not_help() {
        let keep = vec![Selection::Kind(Kind::TaskStopped)];
        let clusters = Globs::new(["dev-*"]).unwrap();
        let policy = Policy {
            ignored_clusters: clusters,
            keep: keep.clone(),
            ..Policy::default()
        };
        assert_eq!(
            apply(&policy, out_of_memory()),
            Verdict::Drop(DropReason::IgnoredCluster)
        );
        let services = Globs::new(["we?"]).unwrap();
        let policy = Policy {
            ignored_services: services,
            keep: keep.clone(),
            ..Policy::default()
        };
        assert_eq!(
            apply(&policy, out_of_memory()),
            Verdict::Drop(DropReason::IgnoredService)
        );
        let clusters = Globs::new(["prod*"]).unwrap();
        let policy = Policy {
            ignored_clusters: clusters,
            keep,
            ..Policy::default()
        };
        assert_eq!(apply(&policy, out_of_memory()), out_of_memory());
        let foreign = Verdict::Drop(DropReason::NotEcs);
        assert_eq!(apply(&policy, foreign), foreign);
    }
}
