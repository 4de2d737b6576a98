//! Cleans a text from an event: it becomes one line without control or direction characters, and is cut so that other
//! values have enough space.

use serde::Serialize;
use tera::Value;

use crate::notifier::channel::markup::{Markup, escaped_length};
use crate::notifier::render::functions::marks::is_mark;
use crate::text::characters::is_unseen;

/// The length of one escaped value in UTF-16 units. A line contains at most four values and a headline five, so both stay
/// within Slack's limits (3,000 for the text of a section, 4,000 for the text of a message).
const LONGEST_VALUE: usize = 700;

/// A text of this length is never too long after escaping, because `&amp;` is the longest escape.
const LONGEST_PLAIN: usize = LONGEST_VALUE / 5;

/// The fields of a struct by name, every text in them cleaned.
pub(super) fn clean_all(names: &impl Serialize, markup: &dyn Markup) -> Vec<(String, Value)> {
    let fields = Value::from_serializable(names).into_map();
    let fields = fields.unwrap_or_default().into_iter();
    fields
        .map(|(name, value)| (name.to_string(), clean_value(value, markup)))
        .collect()
}

fn clean_value(value: Value, markup: &dyn Markup) -> Value {
    if let Some(text) = value.as_str() {
        return match is_clean(text) {
            true => value,
            false => Value::normal_string(&clean(text, markup)),
        };
    }
    if let Some(items) = value.as_array() {
        let items = items.iter().map(|item| clean_value(item.clone(), markup));
        return Value::from(items.collect::<Vec<_>>());
    }
    if !value.is_map() {
        return value;
    }
    let entries = value.into_map().unwrap_or_default().into_iter();
    let cleaned = entries.map(|(key, value)| match key.as_str() {
        Some("log_tail") if value.is_array() => (key, clean_lines(&value, markup)),
        _ => (key, clean_value(value, markup)),
    });
    Value::from(cleaned.collect::<tera::Map>())
}

fn clean_lines(lines: &Value, markup: &dyn Markup) -> Value {
    let lines = lines.as_array().into_iter().flatten();
    let lines = lines.filter_map(Value::as_str).map(|line| {
        let line = clean_untrimmed(line.trim_end(), markup);
        Value::normal_string(&line)
    });
    Value::from(lines.collect::<Vec<_>>())
}

/// Makes one line that is not too long and contains no invisible characters with an effect on terminals or readers.
pub(super) fn clean(text: &str, markup: &dyn Markup) -> String {
    clean_untrimmed(text.trim(), markup)
}

/// Whether a text is clean already. Most texts are, and this check is faster than cleaning.
fn is_clean(text: &str) -> bool {
    text.len() <= LONGEST_PLAIN
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && !text.starts_with(' ')
        && !text.ends_with(' ')
}

/// Cleans a text and keeps its leading spaces, which are a part of log lines.
fn clean_untrimmed(text: &str, markup: &dyn Markup) -> String {
    let characters = text
        .chars()
        .filter(|c| !is_unseen(*c) && !is_mark(*c))
        .map(replace_control);
    let mut cleaned = String::with_capacity(text.len().min(LONGEST_VALUE));
    let mut length = 0;
    for character in characters {
        length += escaped_length(markup, character);
        if length > LONGEST_VALUE {
            cleaned.push('…');
            break;
        }
        cleaned.push(character);
    }
    cleaned
}

fn replace_control(character: char) -> char {
    match character {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' | '\u{85}' => ' ',
        control if control.is_control() => '\u{fffd}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::channel::ChannelType;

    #[test]
    fn values_are_cleaned() {
        let cleaned = clean(
            " a\r\nb\tc\u{1b}[31m\u{202e}d\u{200b} ",
            ChannelType::Slack.markup(),
        );
        assert_eq!(cleaned, "a  b c\u{fffd}[31md");
    }

    #[test]
    fn a_long_value_is_cut_by_its_escaped_length() {
        let plain = clean(&"ä".repeat(2000), ChannelType::Slack.markup());
        assert_eq!(plain.chars().count(), LONGEST_VALUE + 1);
        let ampersands = clean(&"&".repeat(2000), ChannelType::Slack.markup());
        assert_eq!(
            ampersands.chars().count(),
            LONGEST_VALUE / "&amp;".len() + 1
        );
        assert!(plain.ends_with('…') && ampersands.ends_with('…'));
    }
}
