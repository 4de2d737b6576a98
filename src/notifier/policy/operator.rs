//! The operator's configuration, which can change the decision about an event.

use std::collections::BTreeMap;

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{Decision, DropReason, Severity, not_urgent, urgent};
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::{Container, Facts, Kind, Notice};
use crate::text::globs::Globs;

#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The names of containers whose exit code does not count.
    pub ignored_containers: Vec<String>,
    pub ignored_clusters: Globs,
    pub ignored_services: Globs,
    pub keep: Vec<Selection>,
    pub drop: Vec<Selection>,
    /// The names of AWS accounts, by their numbers.
    pub account_names: BTreeMap<String, String>,
}

/// One value of `KEEP` or `DROP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    Kind(Kind),
    Cause(Cause),
    Reason(DropReason),
    Call(CallWord),
}

/// An API call that `KEEP` and `DROP` can name, because some operators need an alert for it and others make it all day.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum CallWord {
    /// A shell session in a container. A call that AWS refuses is an `api_denied`, as for all other calls.
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

    /// Names the account, and marks the containers that the operator ignores, so that the message can show both.
    pub fn mark(&self, notice: &mut Notice) {
        let origin = &mut notice.origin;
        let name = origin
            .account
            .as_ref()
            .and_then(|it| self.account_names.get(it));
        if let Some(name) = name {
            origin.account_name = Some(name.clone());
        }
        if let Facts::Task(task) = &mut notice.facts {
            for container in &mut task.containers {
                container.is_ignored = self.ignores_exit_of(container);
            }
        }
    }

    /// Applies the operator's configuration. An ignored cluster or service counts for all its events, even with KEEP.
    /// Between KEEP and DROP, KEEP wins. An event that is posted only because of KEEP is not urgent. A call that KEEP
    /// names by its own word is urgent.
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
            Decision::Keep(_) if self.keeps_call(notice) => urgent(Severity::Warning),
            Decision::Drop(_) if keeps => not_urgent(Severity::Info),
            Decision::Keep(_) if !keeps && selects(&self.drop, notice, meaning) => {
                Decision::Drop(DropReason::DroppedByConfig)
            }
            Decision::Drop(_) | Decision::Keep(_) => meaning,
        }
    }

    fn keeps_call(&self, notice: &Notice) -> bool {
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

    const ROUTINE: Decision = Decision::Drop(DropReason::RoutineStop);
    const BY_CONFIG: Decision = Decision::Drop(DropReason::DroppedByConfig);

    #[test]
    fn an_empty_policy_changes_nothing() {
        let policy = Policy::default();
        for meaning in [
            ROUTINE,
            out_of_memory(),
            not_urgent(Severity::Info),
            urgent(Severity::Warning),
        ] {
            assert_eq!(apply(&policy, meaning), meaning);
        }
    }

    #[test]
    fn an_event_posted_because_of_keep_is_not_urgent() {
        for selection in [
            Selection::Kind(Kind::TaskStopped),
            Selection::Reason(DropReason::RoutineStop),
        ] {
            let policy = Policy {
                keep: vec![selection],
                ..Policy::default()
            };
            assert_eq!(apply(&policy, ROUTINE), not_urgent(Severity::Info));
            assert_eq!(apply(&policy, out_of_memory()), out_of_memory());
        }
        let other = Selection::Reason(DropReason::SteadyState);
        let policy = Policy {
            keep: vec![other],
            ..Policy::default()
        };
        assert_eq!(apply(&policy, ROUTINE), ROUTINE);
    }

    #[test]
    fn drop_accepts_kinds_and_causes_and_keep_wins() {
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
    fn keep_and_drop_can_name_a_call() {
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
        let (not_urgent, urgent) = (not_urgent(Severity::Info), urgent(Severity::Warning));
        for (policy, expected) in [
            (policy(&[], &[]), not_urgent),
            (policy(&kind, &[]), not_urgent),
            (policy(&word, &[]), urgent),
            (policy(&word, &kind), urgent),
            (policy(&[], &word), BY_CONFIG),
            (policy(&kind, &word), not_urgent),
        ] {
            assert_eq!(
                policy.apply(&session(None), not_urgent),
                expected,
                "{policy:?}"
            );
            let refused = session(Some("AccessDenied"));
            assert_ne!(policy.apply(&refused, urgent), not_urgent, "{policy:?}");
        }
        let other = notice(Kind::ApiCall);
        assert_eq!(policy(&word, &[]).apply(&other, not_urgent), not_urgent);
        assert_eq!(policy(&[], &word).apply(&other, not_urgent), not_urgent);
    }

    #[test]
    fn ignored_clusters_and_services_win_over_keep() {
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
