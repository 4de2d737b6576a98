//! How each channel type writes bold text, code, links and times, and how it escapes values.
//!
//! Values come from events, so from everybody who can name a service or give a reason. In every markup a value must not
//! notify anybody, forge a link or end the formatting around it. A character that a markup cannot escape is replaced by
//! a similar one: a value must be readable, and exact where the markup allows it.

use std::io;

/// An invisible character. After `@` and `#` it prevents a mention or a tag.
const WORD_JOINER: char = '\u{2060}';

/// Characters that an address must not contain, because they could end the markup around it.
const NOT_IN_ADDRESS: &[u8] = br#"<>|"`()[]{}\^"#;

/// A longer address has no names of AWS in it, and not every client of a chat service opens it.
const LONGEST_ADDRESS: usize = 2_048;

/// The markup of one channel type. `escaped` is text that is markup already. `raw` is text of an event.
pub trait Markup: Sync {
    /// Escapes a character of a value. `starts_word` is false after a letter or a digit.
    fn escape_char(&self, starts_word: bool, character: char) -> Escaped;

    fn bold(&self, escaped: &str) -> String;

    fn code(&self, raw: &str) -> String;

    /// Log lines as a program wrote them, joined by `separator`.
    fn block(&self, raw: &[&str], separator: &str) -> String;

    /// `url` is an `https` address without characters that could end the markup.
    fn link(&self, url: &str, escaped: &str) -> String;

    /// A point in time, in seconds since 1970 and as text in UTC.
    fn time(&self, seconds: i64, utc: &str) -> String;

    /// [`write_escaped`] with this markup. Tera needs a function pointer, which cannot contain `self`.
    fn escape_fn(&self) -> fn(&str, &mut dyn io::Write) -> io::Result<()>;
}

/// An escaped character.
pub enum Escaped {
    Char(char),
    /// With an invisible character after it.
    Joined(char),
    Text(&'static str),
}

impl Escaped {
    /// The length in UTF-16 units, because chat services count as JavaScript does.
    fn length(&self) -> usize {
        match self {
            Self::Char(character) => character.len_utf16(),
            Self::Joined(character) => character.len_utf16() + WORD_JOINER.len_utf16(),
            Self::Text(text) => text.len(),
        }
    }

    fn push_to(&self, text: &mut String) {
        match self {
            Self::Char(character) => text.push(*character),
            Self::Joined(character) => text.extend([*character, WORD_JOINER]),
            Self::Text(escape) => text.push_str(escape),
        }
    }
}

/// Characters that mean nothing in any markup: most values have no others.
fn is_plain(raw: &str) -> bool {
    raw.bytes()
        .all(|it| it.is_ascii_alphanumeric() || b" .,:;/-+=()%".contains(&it))
}

/// Escapes a value of an event for a message.
pub fn escape(markup: &dyn Markup, raw: &str) -> String {
    if is_plain(raw) {
        return raw.to_owned();
    }
    let mut escaped = String::with_capacity(raw.len());
    let mut starts_word = true;
    for character in raw.chars() {
        markup
            .escape_char(starts_word, character)
            .push_to(&mut escaped);
        starts_word = !character.is_ascii_alphanumeric();
    }
    escaped
}

/// Escapes a value of an event and writes it.
///
/// # Errors
///
/// An error of the writer.
pub fn write_escaped(markup: &dyn Markup, raw: &str, out: &mut dyn io::Write) -> io::Result<()> {
    match is_plain(raw) {
        true => out.write_all(raw.as_bytes()),
        false => out.write_all(escape(markup, raw).as_bytes()),
    }
}

/// The greatest length of a character after escaping, in UTF-16 units.
pub fn escaped_length(markup: &dyn Markup, character: char) -> usize {
    markup.escape_char(true, character).length()
}

/// The address, if it cannot end the markup around it. Only `https` is allowed, because the AWS console uses nothing else.
pub fn link_address(url: &str) -> Option<&str> {
    let is_address = url.len() <= LONGEST_ADDRESS && url.starts_with("https://");
    let is_plain = |it: u8| it.is_ascii_graphic() && !NOT_IN_ADDRESS.contains(&it);
    (is_address && url.bytes().all(is_plain)).then_some(url)
}

/// Escaping for a Markdown that has no escape character: every character with a meaning is replaced.
pub(super) fn escape_markdown(starts_word: bool, character: char) -> Escaped {
    match character {
        '[' => Escaped::Char('［'),
        ']' => Escaped::Char('］'),
        '\\' => Escaped::Char('＼'),
        '<' => Escaped::Char('‹'),
        '>' => Escaped::Char('›'),
        '*' => Escaped::Char('∗'),
        '`' => Escaped::Char('ˋ'),
        '~' => Escaped::Char('∼'),
        // Many names contain underscores. Inside a word they have no meaning.
        '_' if starts_word => Escaped::Char('＿'),
        // In a mail address or an image digest a word comes before `@`, so it stays unchanged.
        '@' if starts_word => Escaped::Joined('@'),
        '#' if starts_word => Escaped::Joined('#'),
        _ => Escaped::Char(character),
    }
}

/// A text that begins with `- ` or `1. ` would become a list, so an invisible character is put before it.
pub(super) fn without_list(text: &str) -> String {
    let rest = text.trim_start_matches(|it: char| it.is_ascii_digit());
    let is_numbered = rest.len() < text.len() && rest.starts_with(['.', ')']);
    match is_numbered || text.starts_with(['-', '+']) {
        true => format!("{WORD_JOINER}{text}"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_is_a_list() {
        for (text, is_list) in [
            ("- bob", true),
            ("+ bob", true),
            ("1. restart it", true),
            ("12) x", true),
            ("12 tasks", false),
            ("bob - 1. x", false),
        ] {
            assert_eq!(without_list(text) != text, is_list, "{text}");
        }
    }
}
