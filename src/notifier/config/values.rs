//! The values of the notifier's own variables.

use regex::Regex;

use crate::aws::secret::Secret;
use crate::config::values::{quoted, split};
use crate::config::{DISABLED, Problem};

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
    let name = crate::ecs::arn::name(value);
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
