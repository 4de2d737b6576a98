//! Values that variables of several programs hold: lists, switches, patterns.

use super::Problem;
use crate::text::globs::Globs;

/// Parts of a list, trimmed, empty ones left out.
pub(crate) fn split<'a>(value: Option<&'a str>, by: &'a str) -> impl Iterator<Item = &'a str> {
    value
        .unwrap_or_default()
        .split(by)
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// A value as a problem shows it, unless it may be a secret that stands in the wrong place: an address, what is
/// long and has digits in it, or a token of Slack's, `xoxb-…`.
pub(crate) fn quoted(value: &str) -> String {
    match may_be_secret(value) {
        true => "its value".to_owned(),
        false => format!("`{value}`"),
    }
}

pub(crate) fn may_be_secret(text: &str) -> bool {
    let is_long = text.len() >= 20 && text.contains(|it: char| it.is_ascii_digit());
    let is_token = text.starts_with("xox") && text.contains('-');
    text.contains("://") || is_token || (is_long && !text.contains(' '))
}

/// `true` or `false` in any case, because YAML hands them on that way.
pub(crate) fn switch(name: &str, value: Option<&str>, problems: &mut Vec<Problem>) -> Option<bool> {
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

/// Patterns of names.
pub(crate) fn globs(name: &str, value: Option<&str>, problems: &mut Vec<Problem>) -> Globs {
    Globs::new(split(value, ",")).unwrap_or_else(|error| {
        let glob = error.glob().map(quoted).unwrap_or_default();
        let problem = format!("{glob} is no pattern: {}", error.kind());
        let has_braces = value.is_some_and(|it| it.contains('{'));
        let allowed = match has_braces {
            true => "glob patterns split by commas, also within `{…}`: write each in full, `dev-a,dev-b`",
            false => "glob patterns split by commas, such as `dev-*,sandbox`",
        };
        problems.push(Problem::new(name, &problem, allowed));
        Globs::default()
    })
}
