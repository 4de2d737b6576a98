//! `KEEP` and `DROP`.

use std::str::FromStr;

use strum::VariantArray;

use crate::config::values::{quoted, split};
use crate::config::{Problem, Remedy};
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::Kind;
use crate::notifier::policy::{CallWord, DropReason, Selection};
use crate::text::spelling::nearest;

/// The words of `KEEP` and `DROP`: kinds and causes, and what KEEP can bring back by its drop reason.
pub(super) fn read(name: &str, value: Option<&str>, problems: &mut Vec<Problem>) -> Vec<Selection> {
    let takes_reasons = name == "KEEP";
    let mut selections = Vec::new();
    let mut wrong = Vec::new();
    for word in split(value, ",") {
        match selection(word).filter(|it| takes_reasons || !matches!(it, Selection::Reason(_))) {
            Some(selection) => selections.push(selection),
            None => wrong.push((word, remedy(word, takes_reasons))),
        }
    }
    let last = wrong.iter().rposition(|(_, remedy)| remedy.is_none());
    for (at, (word, remedy)) in wrong.into_iter().enumerate() {
        problems.push(Problem {
            variable: name.to_owned(),
            problem: format!("{} is none of its words", quoted(word)),
            remedy: remedy.unwrap_or_else(|| all_words(takes_reasons, last == Some(at))),
        });
    }
    selections
}

/// The words themselves are listed once, however many are wrong.
fn all_words(takes_reasons: bool, in_full: bool) -> Remedy {
    let sorts = match takes_reasons {
        true => "kinds, causes and reasons for dropping",
        false => "kinds and causes",
    };
    Remedy::Allowed(match in_full {
        true => {
            let words: Vec<_> = allowed(takes_reasons).collect();
            format!("{sorts}: {}", words.join(", "))
        }
        false => format!("{sorts}, which are listed below"),
    })
}

/// What to do about a word that is none, where more can be said than which words there are.
fn remedy(word: &str, takes_reasons: bool) -> Option<Remedy> {
    let several = word.split([' ', ';', ':', '|']).filter(|it| !it.is_empty());
    if several.clone().count() > 1 && several.clone().all(|it| selection(it).is_some()) {
        return Some(Remedy::Advice("split words by `,`".to_owned()));
    }
    if let Ok(reason) = DropReason::from_str(word) {
        return Some(Remedy::Advice(instead(reason, takes_reasons).to_owned()));
    }
    let meant = nearest(word, allowed(takes_reasons))?;
    Some(Remedy::DidYouMean(meant.to_owned()))
}

/// What to do about a reason for dropping that is none of the words.
fn instead(reason: DropReason, takes_reasons: bool) -> &'static str {
    if !takes_reasons && can_be_kept(reason) {
        return "what has this reason is dropped as it is; only KEEP takes it";
    }
    if !takes_reasons {
        return "what has this reason is dropped as it is";
    }
    why_not_kept(reason).unwrap_or("write it as README has it")
}

fn selection(word: &str) -> Option<Selection> {
    let kind = Kind::from_str(word).map(Selection::Kind);
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

/// Why KEEP cannot bring back what is dropped for this reason: what the operator refused, and other people's events. The
/// noise it can.
fn why_not_kept(reason: DropReason) -> Option<&'static str> {
    match reason {
        DropReason::IgnoredCluster => Some("IGNORED_CLUSTERS drops it: remove the cluster there"),
        DropReason::IgnoredService => Some("IGNORED_SERVICES drops it: remove the service there"),
        DropReason::DroppedByConfig => Some("DROP drops it: remove the word there"),
        DropReason::Duplicate => {
            Some("what was posted is not posted again, and no word changes that")
        }
        DropReason::NotEcs => Some("what has this reason is no event of Amazon ECS"),
        DropReason::RoutineLaunch
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
        | DropReason::ResourcesOnly => None,
    }
}

fn can_be_kept(reason: DropReason) -> bool {
    why_not_kept(reason).is_none()
}

fn allowed(takes_reasons: bool) -> impl Iterator<Item = &'static str> {
    let kinds = Kind::VARIANTS.iter().map(<&str>::from);
    let causes = Cause::VARIANTS.iter().map(<&str>::from);
    let reasons = DropReason::VARIANTS
        .iter()
        .filter(move |reason| takes_reasons && can_be_kept(**reason))
        .map(<&str>::from);
    let calls = CallWord::VARIANTS.iter().map(<&str>::from);
    kinds.chain(causes).chain(calls).chain(reasons)
}
