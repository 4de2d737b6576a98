//! Lists of words in a variable.

use std::str::FromStr;

use regex::Regex;
use strum::VariantArray;

use super::{DISABLED, Problem, Remedy};
use crate::notice::Kind;
use crate::secret::Secret;
use crate::spelling::nearest;
use crate::triage::{CallWord, Cause, DropReason, Selection};

/// Parts of a list, trimmed, empty ones left out.
pub(super) fn split<'a>(value: Option<&'a str>, by: &'a str) -> impl Iterator<Item = &'a str> {
    value
        .unwrap_or_default()
        .split(by)
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// A value as a problem shows it, unless it may be a secret that stands in the wrong place: an address, what is
/// long and has digits in it, or a token of Slack's, `xoxb-…`.
pub(super) fn quoted(value: &str) -> String {
    match may_be_secret(value) {
        true => "its value".to_owned(),
        false => format!("`{value}`"),
    }
}

pub(super) fn may_be_secret(text: &str) -> bool {
    let is_long = text.len() >= 20 && text.contains(|it: char| it.is_ascii_digit());
    let is_token = text.starts_with("xox") && text.contains('-');
    text.contains("://") || is_token || (is_long && !text.contains(' '))
}

/// `true` or `false` in any case, because YAML hands them on that way.
pub(super) fn switch(name: &str, value: Option<&str>, problems: &mut Vec<Problem>) -> Option<bool> {
    match value?.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        other => {
            let problem = format!("{} is neither", quoted(other));
            problems.push(Problem::new(name, &problem, "`true` or `false`"));
            None
        }
    }
}

/// Names of containers, split by `::` as the ancestor had it.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>
pub(super) fn containers(value: Option<&str>, problems: &mut Vec<Problem>) -> Vec<String> {
    let names: Vec<_> = split(value, "::").map(str::to_owned).collect();
    let is_name = |name: &String| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    if let Some(name) = names.iter().find(|name| !is_name(name)) {
        problems.push(Problem::new(
            "IGNORED_EXIT_CODE_CONTAINER_NAMES",
            &format!("{} is no container's name", quoted(name)),
            "names split by `::`, of letters, digits, `-` and `_`",
        ));
    }
    names
}

/// More lines than this say no more in a chat.
const MOST_LINES: u16 = 50;

/// `LOG_TAIL_LINES`.
pub(super) fn lines(value: Option<&str>, problems: &mut Vec<Problem>) -> u16 {
    let Some(value) = value.map(str::trim) else {
        return 0;
    };
    let lines = value.parse().ok().filter(|lines| *lines <= MOST_LINES);
    if lines.is_none() {
        problems.push(Problem::new(
            "LOG_TAIL_LINES",
            &format!("{} is no such number", quoted(value)),
            &format!("0 to {MOST_LINES}; 0 shows no log lines"),
        ));
    }
    lines.unwrap_or_default()
}

/// The name of a table, or its ARN.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>
pub(super) fn table(value: Option<&str>, problems: &mut Vec<Problem>) -> Option<String> {
    let value = value?.trim();
    if value.eq_ignore_ascii_case(DISABLED) {
        return None;
    }
    let name = crate::arn::name(value);
    let is_name = (3..=255).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !is_name {
        problems.push(Problem::new(
            "DEDUP_TABLE",
            &format!("{} is no table's name", quoted(value)),
            "3 to 255 letters, digits, `-`, `_`, `.`, or a table's ARN, or DISABLED",
        ));
    }
    Some(value.to_owned())
}

/// `LOG_TAIL_MASK`: a regular expression on each line of the variable, since any other mark between them may
/// stand within one.
pub(super) fn masks(value: Option<&Secret>, problems: &mut Vec<Problem>) -> Vec<Regex> {
    let mut masks = Vec::new();
    for (number, pattern) in split(value.map(Secret::expose), "\n").enumerate() {
        let number = number + 1;
        let problem = match Regex::new(pattern) {
            Ok(mask) if !mask.is_match("") => {
                masks.push(mask);
                continue;
            }
            Ok(_) => format!("pattern {number} matches where nothing is"),
            Err(error) => {
                let error = error.to_string();
                let last = error.lines().last().unwrap_or_default();
                format!("pattern {number} is no regular expression ({last})")
            }
        };
        problems.push(Problem::new(
            "LOG_TAIL_MASK",
            &problem,
            "regular expressions, one a line, such as `(?i)(password|token)=\\S+`",
        ));
    }
    masks
}

/// The words of `KEEP` and `DROP`: kinds and causes, and what KEEP can bring back by its drop reason.
pub(super) fn selections(
    name: &str,
    value: Option<&str>,
    problems: &mut Vec<Problem>,
) -> Vec<Selection> {
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
        DropReason::AlreadyTold => {
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

/// Who is called: any number of Slack's own mentions, and nothing else.
/// <https://docs.slack.dev/messaging/formatting-message-text#mentioning-users>
pub(super) fn mention(value: Option<&str>, problems: &mut Vec<Problem>) -> Option<String> {
    let value = value?.trim();
    if !value.split_whitespace().all(is_mention) {
        problems.push(Problem::new(
            "SLACK_MENTION",
            "it is no mention in Slack's markup",
            "`<!subteam^S…>`, `<@U…>`, `<!here>`, `<!channel>` or `<!everyone>`, several split by spaces",
        ));
    }
    Some(value.to_owned())
}

fn is_mention(word: &str) -> bool {
    let Some(inner) = word
        .strip_prefix('<')
        .and_then(|word| word.strip_suffix('>'))
    else {
        return false;
    };
    let is_id = |id: &str| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric());
    match inner
        .strip_prefix("!subteam^")
        .or_else(|| inner.strip_prefix('@'))
    {
        Some(id) => is_id(id),
        None => matches!(inner, "!here" | "!channel" | "!everyone"),
    }
}
