//! Makes a text from an event harmless: on one line, without control or direction characters, and cut to a
//! length that leaves room for the rest.

use serde::Serialize;
use serde_json::Value;

use crate::render::Dialect;
use crate::render::dialect::LINE_OF_BLOCK;

/// UTF-16 units of one value once it is escaped: a line holds four values at most and a headline five, so
/// that both stay within what Slack shows (3,000 for a section's text, 4,000 for a message's).
const LONGEST_VALUE: usize = 700;

/// The fields of a struct by name, every text in them cleaned.
pub(super) fn clean_all(names: &impl Serialize, dialect: Dialect) -> Vec<(String, Value)> {
    match serde_json::to_value(names) {
        Ok(Value::Object(entries)) => entries
            .into_iter()
            .map(|(name, value)| (name, clean_value(value, dialect)))
            .collect(),
        // A struct of texts, numbers and lists always makes an object.
        Ok(_) | Err(_) => Vec::new(),
    }
}

fn clean_value(value: Value, dialect: Dialect) -> Value {
    match value {
        Value::String(text) => Value::String(clean(&text, dialect)),
        Value::Array(items) => items
            .into_iter()
            .map(|item| clean_value(item, dialect))
            .collect(),
        Value::Object(entries) => entries
            .into_iter()
            .map(|(key, value)| (key, clean_value(value, dialect)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

/// One line, nothing invisible that a terminal or a reader would obey, and not too long.
pub(super) fn clean(text: &str, dialect: Dialect) -> String {
    let harmless = text
        .trim()
        .chars()
        .filter(|c| !turns_direction(*c))
        .map(harmless);
    let mut cleaned = String::new();
    let mut length = 0;
    for character in harmless {
        length += dialect.escaped_length(character);
        if length > LONGEST_VALUE {
            cleaned.push('…');
            break;
        }
        cleaned.push(character);
    }
    cleaned
}

fn harmless(character: char) -> char {
    match character {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' | '\u{85}' => ' ',
        control if control.is_control() => '\u{fffd}',
        other => other,
    }
}

/// Marks that make text read other than it is written, characters that nobody sees, and our own mark.
fn turns_direction(character: char) -> bool {
    matches!(
        character,
        LINE_OF_BLOCK | '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{e0000}'..='\u{e007f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_harmless() {
        let cleaned = clean(" a\r\nb\tc\u{1b}[31m\u{202e}d\u{200b} ", Dialect::Slack);
        assert_eq!(cleaned, "a  b c\u{fffd}[31md");
    }

    #[test]
    fn a_long_value_is_cut_by_what_it_becomes() {
        let plain = clean(&"ä".repeat(2000), Dialect::Slack);
        assert_eq!(plain.chars().count(), LONGEST_VALUE + 1);
        let ampersands = clean(&"&".repeat(2000), Dialect::Slack);
        assert_eq!(
            ampersands.chars().count(),
            LONGEST_VALUE / "&amp;".len() + 1
        );
        assert!(plain.ends_with('…') && ampersands.ends_with('…'));
    }
}
