//! How a type of channel writes bold, code, links and times, and how it is kept from reading markup in values.
//!
//! Values come from events, so from whoever can name a service or give a reason. In every markup they may not ping
//! anybody, forge a link or end the formatting around them. What a markup cannot escape is replaced by a character
//! that looks alike: it must stay readable first, and exact where it can.

use std::io;

/// An invisible character that keeps `@` and `#` from being read together with what follows.
const WORD_JOINER: char = '\u{2060}';

/// What an address may not hold, because it could end the markup around it.
const NOT_IN_ADDRESS: &[char] = &[
    '<', '>', '|', '"', '`', '(', ')', '[', ']', '{', '}', '\\', '^',
];

/// Text of one type of channel. `escaped` is text that is markup already; `raw` is text of an event.
pub trait Markup: Sync {
    /// A character of a value, so that it means nothing. `starts_word` is false behind a letter or a digit.
    fn escape_char(&self, starts_word: bool, character: char) -> Piece;

    fn bold(&self, escaped: &str) -> String;

    fn code(&self, raw: &str) -> String;

    /// Lines as a program wrote them, joined by `separator`.
    fn block(&self, raw: &[&str], separator: &str) -> String;

    /// `url` is an `https` address that holds nothing which could end the markup.
    fn link(&self, url: &str, escaped: &str) -> String;

    /// A point in time, in seconds since 1970 and as text in UTC.
    fn time(&self, seconds: i64, utc: &str) -> String;

    /// [`write_escaped`] with this markup. Tera takes a function pointer, which knows no `self`.
    fn escape_fn(&self) -> fn(&str, &mut dyn io::Write) -> io::Result<()>;
}

/// A character, escaped.
pub enum Piece {
    Char(char),
    /// With an invisible character behind it.
    Joined(char),
    Text(&'static str),
}

impl Piece {
    /// UTF-16 units: chat services count as JavaScript does.
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

/// A value of an event, as it may stand in a message.
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

/// Writes a value of an event as it may stand in a message.
///
/// # Errors
///
/// The writer's own.
pub fn write_escaped(markup: &dyn Markup, raw: &str, out: &mut dyn io::Write) -> io::Result<()> {
    match is_plain(raw) {
        true => out.write_all(raw.as_bytes()),
        false => out.write_all(escape(markup, raw).as_bytes()),
    }
}

/// UTF-16 units of a character once it is escaped, at most.
pub fn escaped_length(markup: &dyn Markup, character: char) -> usize {
    markup.escape_char(true, character).length()
}

/// An address that cannot end the markup around it, or none. Only `https`: the console has no other.
pub fn link_address(url: &str) -> Option<&str> {
    let is_plain = url.chars().all(|it| it.is_ascii_graphic()) && !url.contains(NOT_IN_ADDRESS);
    (url.starts_with("https://") && is_plain).then_some(url)
}

/// Markup that is Markdown without a way to escape: every character that it would read is replaced.
pub(super) fn escape_markdown(starts_word: bool, character: char) -> Piece {
    match character {
        '[' => Piece::Char('［'),
        ']' => Piece::Char('］'),
        '\\' => Piece::Char('＼'),
        '<' => Piece::Char('‹'),
        '>' => Piece::Char('›'),
        '*' => Piece::Char('∗'),
        '`' => Piece::Char('ˋ'),
        '~' => Piece::Char('∼'),
        // Names are full of underscores, and inside a word they format nothing.
        '_' if starts_word => Piece::Char('＿'),
        // An address or an image digest has a word before it and stays as it is.
        '@' if starts_word => Piece::Joined('@'),
        '#' if starts_word => Piece::Joined('#'),
        _ => Piece::Char(character),
    }
}
