//! Reads `KEEP` and `DROP`.

use std::str::FromStr;

use strum::VariantArray;

use crate::config::values::{quoted, split};
use crate::config::{Problem, Remedy};
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::Kind;
use crate::notifier::policy::{CallWord, DropReason, Selection};
use crate::text::spelling::nearest;

/// Reads the words of `KEEP` or `DROP`. Both accept kinds, causes and calls. KEEP accepts drop reasons, too.
pub(super) fn read(name: &str, value: Option<&str>, problems: &mut Vec<Problem>) -> Vec<Selection> {
    let accepts_reasons = name == "KEEP";
    let mut selections = Vec::new();
    let mut wrong = Vec::new();
    for word in split(value, ",") {
        match selection(word).filter(|it| accepts_reasons || !matches!(it, Selection::Reason(_))) {
            Some(selection) => selections.push(selection),
            None => wrong.push((word, remedy(word, accepts_reasons))),
        }
    }
    let last = wrong.iter().rposition(|(_, remedy)| remedy.is_none());
    for (at, (word, remedy)) in wrong.into_iter().enumerate() {
        problems.push(Problem {
            variable: name.to_owned(),
            problem: match DropReason::from_str(word) {
                Ok(_) => format!("{} cannot be used here", quoted(word)),
                Err(_) => format!("{} is not a known word", quoted(word)),
            },
            remedy: remedy.unwrap_or_else(|| all_words(accepts_reasons, last == Some(at))),
        });
    }
    selections
}

/// If several words are wrong, only the last problem lists all words.
fn all_words(accepts_reasons: bool, in_full: bool) -> Remedy {
    let groups = match accepts_reasons {
        true => "kinds, causes and reasons for dropping",
        false => "kinds and causes",
    };
    Remedy::Allowed(match in_full {
        true => {
            let words: Vec<_> = allowed(accepts_reasons).collect();
            format!("{groups}: {}", words.join(", "))
        }
        false => format!("{groups}, which are listed below"),
    })
}

/// The advice for a wrong word. `None` if only the list of all words helps.
fn remedy(word: &str, accepts_reasons: bool) -> Option<Remedy> {
    let several = word.split([' ', ';', ':', '|']).filter(|it| !it.is_empty());
    if several.clone().count() > 1 && several.clone().all(|it| selection(it).is_some()) {
        return Some(Remedy::Advice("separate words by `,`".to_owned()));
    }
    if Kind::from_str(word) == Ok(Kind::DidNotRun) {
        let advice = "no event is one; add or remove the entry in EXPECT instead";
        return Some(Remedy::Advice(advice.to_owned()));
    }
    if let Ok(reason) = DropReason::from_str(word) {
        return Some(Remedy::Advice(
            advice_on_reason(reason, accepts_reasons).to_owned(),
        ));
    }
    let meant = nearest(word, allowed(accepts_reasons))?;
    Some(Remedy::DidYouMean(meant.to_owned()))
}

/// The advice for a drop reason that the variable does not accept.
fn advice_on_reason(reason: DropReason, accepts_reasons: bool) -> &'static str {
    if !accepts_reasons && can_be_kept(reason) {
        return "events with this reason are dropped anyway; only KEEP accepts it";
    }
    if !accepts_reasons {
        return "events with this reason are dropped anyway";
    }
    why_not_kept(reason).unwrap_or("write it as in docs/events.md")
}

fn selection(word: &str) -> Option<Selection> {
    let kind = Kind::from_str(word).ok().filter(|it| is_of_events(*it));
    let kind = kind
        .map(Selection::Kind)
        .ok_or(strum::ParseError::VariantNotFound);
    let cause = Cause::from_str(word).map(Selection::Cause);
    let reason = DropReason::from_str(word)
        .ok()
        .filter(|reason| can_be_kept(*reason));
    let call = CallWord::from_str(word).map(Selection::Call);
    kind.or(cause)
        .or(call)
        .ok()
        .or(reason.map(Selection::Reason))
}

/// Why KEEP does not accept this reason. It cannot keep events that the operator excludes, duplicates, and events of
/// other services.
fn why_not_kept(reason: DropReason) -> Option<&'static str> {
    match reason {
        DropReason::IgnoredCluster => Some(
            "IGNORED_CLUSTERS drops these events; remove the cluster from IGNORED_CLUSTERS instead",
        ),
        DropReason::IgnoredService => Some(
            "IGNORED_SERVICES drops these events; remove the service from IGNORED_SERVICES instead",
        ),
        DropReason::DroppedByConfig => {
            Some("DROP drops these events; remove the word from DROP instead")
        }
        DropReason::Duplicate => Some("a duplicate is never posted"),
        DropReason::NotEcs => Some("events with this reason are not about Amazon ECS"),
        DropReason::NotInCluster => Some("these instances are in no cluster of Amazon ECS"),
        DropReason::AlarmSuppressed => {
            Some("another alarm suppresses these; change its suppression in CloudWatch instead")
        }
        DropReason::RoutineLaunch
        | DropReason::RoutineStart
        | DropReason::CoveredByDeployment
        | DropReason::TransitionalState
        | DropReason::CoveredByTask
        | DropReason::Autoscaling
        | DropReason::ReadOnly
        | DropReason::AwsInternal
        | DropReason::StillRunning
        | DropReason::RoutineStop
        | DropReason::SteadyState
        | DropReason::Rebalancing
        | DropReason::RoutineDraining
        | DropReason::AgentReconnect
        | DropReason::ResourcesOnly
        | DropReason::AlarmOk
        | DropReason::AlarmChanged => None,
    }
}

/// What did not happen is no event that could be kept or dropped.
fn is_of_events(kind: Kind) -> bool {
    kind != Kind::DidNotRun
}

fn can_be_kept(reason: DropReason) -> bool {
    why_not_kept(reason).is_none()
}

fn allowed(accepts_reasons: bool) -> impl Iterator<Item = &'static str> {
    let kinds = Kind::VARIANTS.iter().filter(|it| is_of_events(**it));
    let kinds = kinds.map(<&str>::from);
    let causes = Cause::VARIANTS.iter().map(<&str>::from);
    let reasons = DropReason::VARIANTS
        .iter()
        .filter(move |reason| accepts_reasons && can_be_kept(**reason))
        .map(<&str>::from);
    let calls = CallWord::VARIANTS.iter().map(<&str>::from);
    kinds.chain(causes).chain(calls).chain(reasons)
}
