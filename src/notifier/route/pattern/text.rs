//! Tests of texts: `prefix`, `suffix`, `wildcard` and `equals-ignore-case`.

use super::error::PatternProblem;

/// A test of a text. Values that are not texts pass none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextTest {
    Prefix(String, Case),
    Suffix(String, Case),
    Wildcard(Wildcard),
    EqualsIgnoreCase(String),
}

/// Whether the case of letters matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Matters,
    Ignored,
}

impl TextTest {
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix, Case::Matters) => text.starts_with(prefix.as_str()),
            Self::Prefix(prefix, Case::Ignored) => folded(text).starts_with(&folded(prefix)),
            Self::Suffix(suffix, Case::Matters) => text.ends_with(suffix.as_str()),
            Self::Suffix(suffix, Case::Ignored) => folded(text).ends_with(&folded(suffix)),
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::EqualsIgnoreCase(other) => folded(text) == folded(other),
        }
    }
}

/// The text without the difference between large and small letters. Characters are folded one by one, so that a text's
/// beginning is the beginning of the folded text. (The end of a word makes another small letter of a large sigma.)
fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// A text in which each `*` stands for any characters, or none. `\*` is an asterisk, `\\` a backslash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wildcard {
    /// The texts between the wildcards. One more than there are wildcards.
    parts: Vec<String>,
}

impl Wildcard {
    /// # Errors
    ///
    /// Two wildcards in a row, and a backslash before anything but `*` and `\`.
    pub fn read(text: &str) -> Result<Self, PatternProblem> {
        let mut parts = vec![String::new()];
        let mut characters = text.chars();
        let mut after_wildcard = false;
        while let Some(character) = characters.next() {
            let literal = match character {
                '*' if after_wildcard => return Err(PatternProblem::TwoWildcards),
                '*' => {
                    parts.push(String::new());
                    after_wildcard = true;
                    continue;
                }
                '\\' => match characters.next() {
                    Some(escaped @ ('*' | '\\')) => escaped,
                    Some(_) | None => return Err(PatternProblem::WrongEscape),
                },
                other => other,
            };
            after_wildcard = false;
            if let Some(part) = parts.last_mut() {
                part.push(literal);
            }
        }
        Ok(Self { parts })
    }

    /// Takes each part where it is found first, so it never tries again: the time is at most the product of both lengths.
    pub fn matches(&self, text: &str) -> bool {
        let Some((first, others)) = self.parts.split_first() else {
            return false;
        };
        let Some((last, between)) = others.split_last() else {
            return text == first;
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        for part in between {
            let Some((_, after)) = rest.split_once(part.as_str()) else {
                return false;
            };
            rest = after;
        }
        rest.ends_with(last.as_str())
    }
}
