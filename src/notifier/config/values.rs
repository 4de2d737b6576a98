//! Reads the values of the variables that only the notifier has.

use regex::Regex;

use crate::aws::secret::Secret;
use crate::config::values::{quoted, split};
use crate::config::{DISABLED, Problem};

/// Names of containers, separated by `::` as in carnival-ecs-parrot.
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
            &format!("{} is not the name of a container", quoted(name)),
            "names of letters, digits, `-` and `_`, separated by `::`",
        ));
    }
    names
}

/// More lines are not useful in a chat message.
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
            &format!("{} is not an allowed number", quoted(value)),
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
            &format!("{} is not the name of a table", quoted(value)),
            "3 to 255 letters, digits, `-`, `_` and `.`, or the ARN of a table, or DISABLED",
        ));
    }
    Some(value.to_owned())
}

/// `LOG_TAIL_MASK`: one regular expression on each line. Any other separator could be a part of an expression.
pub(super) fn masks(value: Option<&Secret>, problems: &mut Vec<Problem>) -> Vec<Regex> {
    let mut masks = Vec::new();
    for (number, pattern) in split(value.map(Secret::expose), "\n").enumerate() {
        let number = number + 1;
        let problem = match Regex::new(pattern) {
            Ok(mask) if !mask.is_match("") => {
                masks.push(mask);
                continue;
            }
            Ok(_) => format!("pattern {number} matches an empty text"),
            Err(error) => {
                let error = error.to_string();
                let last = error.lines().last().unwrap_or_default();
                format!("pattern {number} is not a regular expression ({last})")
            }
        };
        problems.push(Problem::new(
            "LOG_TAIL_MASK",
            &problem,
            "one regular expression on each line, such as `(?i)(password|token)=\\S+`",
        ));
    }
    masks
}
