//! What the operator wants to hear, over what an event means by itself.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{Decision, DropReason, Severity, not_urgent, urgent};
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::{Container, Facts, Kind, Notice};
use crate::text::globs::Globs;

#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Containers whose exit code does not count.
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
    Call(CallWord),
}

/// A call with a word of its own, because some want to be woken by it and others make it all day.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum CallWord {
    /// A shell in a container. A call that is refused is an `api_denied` like any other.
    ExecuteCommand,
}

impl CallWord {
    fn selects(self, notice: &Notice) -> bool {
        let Facts::Call(call) = &notice.facts else {
            return false;
        };
        match self {
            Self::ExecuteCommand => call.name == "ExecuteCommand" && call.error.is_none(),
        }
    }
}

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
    /// wins. What KEEP brings back from the noise is quiet; a call that it names by its own word is urgent.
    pub(super) fn apply(&self, notice: &Notice, meaning: Decision) -> Decision {
        let subject = &notice.subject;
        if meaning == Decision::Drop(DropReason::NotEcs) {
            return meaning;
        }
        if self.ignored_clusters.matches(subject.cluster.as_deref()) {
            return Decision::Drop(DropReason::IgnoredCluster);
        }
        if self.ignored_services.matches(subject.service.as_deref()) {
            return Decision::Drop(DropReason::IgnoredService);
        }
        let keeps = selects(&self.keep, notice, meaning);
        match meaning {
            Decision::Keep(_) if self.asks_for_call(notice) => urgent(Severity::Warning),
            Decision::Drop(_) if keeps => not_urgent(Severity::Info),
            Decision::Keep(_) if !keeps && selects(&self.drop, notice, meaning) => {
                Decision::Drop(DropReason::DroppedByConfig)
            }
            Decision::Drop(_) | Decision::Keep(_) => meaning,
        }
    }

    fn asks_for_call(&self, notice: &Notice) -> bool {
        self.keep.iter().any(|selection| match selection {
            Selection::Call(word) => word.selects(notice),
            Selection::Kind(_) | Selection::Cause(_) | Selection::Reason(_) => false,
        })
    }
}

fn selects(selections: &[Selection], notice: &Notice, meaning: Decision) -> bool {
    selections
        .iter()
        .any(|selection| match (selection, meaning) {
            (Selection::Kind(selected), _) => *selected == notice.kind,
            (Selection::Call(word), _) => word.selects(notice),
            (Selection::Cause(selected), Decision::Keep(priority)) => {
                priority.cause == Some(*selected)
            }
            (Selection::Reason(selected), Decision::Drop(reason)) => *selected == reason,
            (Selection::Cause(_), Decision::Drop(_))
            | (Selection::Reason(_), Decision::Keep(_)) => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::notice::{ApiError, CallFacts, Links, Origin, Subject};

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

    fn out_of_memory() -> Decision {
        Decision::Keep(crate::notifier::policy::Priority {
            cause: Some(Cause::OutOfMemory),
            severity: Severity::Critical,
            urgent: true,
        })
    }

    fn apply(policy: &Policy, meaning: Decision) -> Decision {
        policy.apply(&notice(Kind::TaskStopped), meaning)
    }

    const NOISE: Decision = Decision::Drop(DropReason::RoutineStop);
    const BY_CONFIG: Decision = Decision::Drop(DropReason::DroppedByConfig);

    #[test]
    fn without_wishes_nothing_changes() {
        let policy = Policy::default();
        for meaning in [
            NOISE,
            out_of_memory(),
            not_urgent(Severity::Info),
            urgent(Severity::Warning),
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
            assert_eq!(apply(&policy, NOISE), not_urgent(Severity::Info));
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
        assert_eq!(apply(&policy, not_urgent(Severity::Success)), BY_CONFIG);
    }

    #[test]
    fn a_call_with_a_word_of_its_own() {
        let session = |error: Option<&str>| Notice {
            facts: Facts::Call(CallFacts {
                name: "ExecuteCommand".to_owned(),
                error: error.map(|code| ApiError {
                    code: code.to_owned(),
                    message: None,
                }),
                ..CallFacts::default()
            }),
            ..notice(Kind::ApiCall)
        };
        let word = vec![Selection::Call(CallWord::ExecuteCommand)];
        let kind = vec![Selection::Kind(Kind::ApiCall)];
        let policy = |keep: &[Selection], drop: &[Selection]| Policy {
            keep: keep.to_vec(),
            drop: drop.to_vec(),
            ..Policy::default()
        };
        let (calm, urgent) = (not_urgent(Severity::Info), urgent(Severity::Warning));
        for (policy, expected) in [
            (policy(&[], &[]), calm),
            (policy(&kind, &[]), calm),
            (policy(&word, &[]), urgent),
            (policy(&word, &kind), urgent),
            (policy(&[], &word), BY_CONFIG),
            (policy(&kind, &word), calm),
        ] {
            assert_eq!(policy.apply(&session(None), calm), expected, "{policy:?}");
            let refused = session(Some("AccessDenied"));
            assert_ne!(policy.apply(&refused, urgent), calm, "{policy:?}");
        }
        let other = notice(Kind::ApiCall);
        assert_eq!(policy(&word, &[]).apply(&other, calm), calm);
        assert_eq!(policy(&[], &word).apply(&other, calm), calm);
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
            Decision::Drop(DropReason::IgnoredCluster)
        );
        let services = Globs::new(["we?"]).unwrap();
        let policy = Policy {
            ignored_services: services,
            keep: keep.clone(),
            ..Policy::default()
        };
        assert_eq!(
            apply(&policy, out_of_memory()),
            Decision::Drop(DropReason::IgnoredService)
        );
        let clusters = Globs::new(["prod*"]).unwrap();
        let policy = Policy {
            ignored_clusters: clusters,
            keep,
            ..Policy::default()
        };
        assert_eq!(apply(&policy, out_of_memory()), out_of_memory());
        let foreign = Decision::Drop(DropReason::NotEcs);
        assert_eq!(apply(&policy, foreign), foreign);
    }
}
