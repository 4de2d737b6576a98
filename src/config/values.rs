//! Reads the kinds of values that several programs have: lists, switches, patterns.

use super::Problem;
use crate::text::globs::Globs;

/// The parts of a list, trimmed and without empty ones.
pub(crate) fn split<'a>(value: Option<&'a str>, by: &'a str) -> impl Iterator<Item = &'a str> {
    value
        .unwrap_or_default()
        .split(by)
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// Quotes a value for the text of a problem. It does not show a value that may be a secret in the wrong place: an
/// address, a long text with digits, or a Slack token, `xoxb-…`.
pub(crate) fn quoted(value: &str) -> String {
    match may_be_secret(value) {
        true => "its value".to_owned(),
        false => format!("`{value}`"),
    }
}

pub(crate) fn may_be_secret(text: &str) -> bool {
    let is_long = text.len() >= 20 && text.contains(|it: char| it.is_ascii_digit());
    let is_token = text.to_ascii_lowercase().starts_with("xox") && text.contains('-');
    text.contains("://") || is_token || (is_long && !text.contains(' '))
}

/// Reads `true` or `false` in any letter case, because YAML passes them on like that.
pub(crate) fn switch(name: &str, value: Option<&str>, problems: &mut Vec<Problem>) -> Option<bool> {
    match value?.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        other => {
            let problem = format!("{} cannot be used", quoted(other));
            problems.push(Problem::new(name, &problem, "`true` or `false`"));
            None
        }
    }
}

pub(crate) fn globs(name: &str, value: Option<&str>, problems: &mut Vec<Problem>) -> Globs {
    Globs::new(split(value, ",")).unwrap_or_else(|error| {
        let glob = error.glob().map(quoted).unwrap_or_default();
        let problem = format!("{glob} is not a valid pattern: {}", error.kind());
        let has_braces = value.is_some_and(|it| it.contains('{'));
        let allowed = match has_braces {
            true => "glob patterns separated by commas; a comma within `{…}` separates too, so write each pattern in full, `dev-a,dev-b`",
            false => "glob patterns separated by commas, such as `dev-*,sandbox`",
        };
        problems.push(Problem::new(name, &problem, allowed));
        Globs::default()
    })
}
