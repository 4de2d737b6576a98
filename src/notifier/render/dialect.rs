//! How each channel writes bold, code, links and times, and how it is kept from reading markup in values.
//!
//! Values come from events, so from whoever can name a service or give a reason. In every dialect they may
//! not ping anybody, forge a link or end the formatting around them. What a dialect cannot escape is
//! replaced by a character that looks alike: it must stay readable first, and exact where it can.

use std::io;

use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use tera::{EscapeFn, Kwargs, State, Tera, TeraResult, Value};

use crate::ecs::event::Time;

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Dialect {
    Slack,
    Flowdock,
    Terminal,
}

/// An invisible character that keeps `@` and `#` from being read together with what follows.
const WORD_JOINER: char = '\u{2060}';

/// Ends a line within a block, until the message's own lines are told apart; no value has it.
pub(super) const LINE_OF_BLOCK: char = '\u{e000}';

/// Says that a headline has said how many it tells of; no value has it.
pub(super) const COUNT_IS_SAID: char = '\u{e001}';

/// UTF-16 units of a block: three of them leave room for all else in every channel.
const LONGEST_BLOCK: usize = 1_500;

/// The bytes that some channel would read as markup: all that [`Dialect::escape_char`] knows.
const SPECIAL: [bool; 256] = bytes(b"&<>[]\\*`~_@#");

/// What an address may not hold, because it could end the markup around it.
const NO_ADDRESS: [bool; 256] = {
    let mut no = bytes(b"<>|\"`()[]{}\\^");
    let mut byte = 0;
    while byte < no.len() {
        no[byte] |= !(byte as u8).is_ascii_graphic();
        byte += 1;
    }
    no
};

const fn bytes(all: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut place = 0;
    while place < all.len() {
        table[all[place] as usize] = true;
        place += 1;
    }
    table
}

/// The names whose values are times.
const TIMES: [&str; 5] = [
    "happened_at",
    "first_at",
    "last_at",
    "expires_at",
    "health_checks[].since",
];

/// Filters that would let a value through unescaped.
const UNSAFE_FILTERS: [&str; 4] = ["safe", "escape_html", "escape_xml", "newlines_to_br"];

impl Dialect {
    pub(super) fn compile<N: AsRef<str>, T: AsRef<str>>(
        self,
        sources: impl IntoIterator<Item = (N, T)>,
    ) -> TeraResult<Tera> {
        let mut tera = Tera::new();
        tera.autoescape_on([".tera"]);
        tera.set_escape_fn(self.escape_fn());
        tera.register_function(
            "bold",
            Markup(move |kwargs: &Kwargs, _: &State<'_>| {
                Ok(self.bold(&self.argument(kwargs, "text")?))
            }),
        );
        tera.register_function(
            "code",
            Markup(move |kwargs: &Kwargs, _: &State<'_>| Ok(self.code(&raw(kwargs, "text")?))),
        );
        tera.register_function(
            "counted",
            Markup(move |kwargs: &Kwargs, _: &State<'_>| {
                let (count, of) = (raw(kwargs, "count")?, self.argument(kwargs, "of")?);
                Ok(format!("{}{COUNT_IS_SAID} {of}", self.escape(&count)))
            }),
        );
        tera.register_function(
            "block",
            Markup(move |kwargs: &Kwargs, _: &State<'_>| Ok(self.block(&texts(kwargs, "lines")?))),
        );
        tera.register_function(
            "link",
            Markup(move |kwargs: &Kwargs, _: &State<'_>| {
                Ok(self.link(&raw(kwargs, "url")?, &self.argument(kwargs, "text")?))
            }),
        );
        tera.register_function(
            "time",
            Markup(move |kwargs: &Kwargs, state: &State<'_>| {
                Ok(self.time(&time_of(raw(kwargs, "at")?, state)?))
            }),
        );
        for name in UNSAFE_FILTERS {
            tera.register_filter(name, move |_: Value, _: Kwargs, _: &State<'_>| {
                refuse_unsafe(name)
            });
        }
        tera.add_raw_templates(sources)?;
        Ok(tera)
    }

    /// Whether nothing in a text means anything to a channel.
    fn is_plain(self, text: &str) -> bool {
        self == Self::Terminal || !text.bytes().any(|byte| SPECIAL[usize::from(byte)])
    }

    pub(super) fn escape(self, text: &str) -> String {
        if self.is_plain(text) {
            return text.to_owned();
        }
        text.chars()
            .scan(None, |before, character| {
                let piece = self.escape_char(*before, character);
                *before = Some(character);
                Some(piece)
            })
            .collect()
    }

    /// UTF-16 units of a character once escaped, at most: chat services count as JavaScript does.
    pub(super) fn escaped_length(self, character: char) -> usize {
        match self.escape_char(None, character) {
            Piece::Char(character) => character.len_utf16(),
            Piece::Joined(character) => character.len_utf16() + WORD_JOINER.len_utf16(),
            Piece::Text(escape) => escape.len(),
        }
    }

    /// A function pointer, because Tera asks for one.
    fn escape_fn(self) -> EscapeFn {
        fn write(dialect: Dialect, text: &str, out: &mut dyn io::Write) -> io::Result<()> {
            match dialect.is_plain(text) {
                true => out.write_all(text.as_bytes()),
                false => out.write_all(dialect.escape(text).as_bytes()),
            }
        }
        match self {
            Self::Slack => |text, out| write(Self::Slack, text, out),
            Self::Flowdock => |text, out| write(Self::Flowdock, text, out),
            Self::Terminal => |text, out| write(Self::Terminal, text, out),
        }
    }

    fn escape_char(self, before: Option<char>, character: char) -> Piece {
        let starts_word = !before.is_some_and(|before| before.is_ascii_alphanumeric());
        match (self, character) {
            // https://docs.slack.dev/messaging/formatting-message-text#escaping
            (Self::Slack, '&') => Piece::Text("&amp;"),
            (Self::Slack, '<') => Piece::Text("&lt;"),
            (Self::Slack, '>') => Piece::Text("&gt;"),
            (Self::Flowdock, '[') => Piece::Char('［'),
            (Self::Flowdock, ']') => Piece::Char('］'),
            (Self::Flowdock, '\\') => Piece::Char('＼'),
            (Self::Flowdock, '<') => Piece::Char('‹'),
            (Self::Flowdock, '>') => Piece::Char('›'),
            (Self::Slack | Self::Flowdock, '*') => Piece::Char('∗'),
            (Self::Slack | Self::Flowdock, '`') => Piece::Char('ˋ'),
            (Self::Slack | Self::Flowdock, '~') => Piece::Char('∼'),
            // Names are full of underscores, and inside a word they format nothing.
            (Self::Slack | Self::Flowdock, '_') if starts_word => Piece::Char('＿'),
            // An address or an image group has a word before it and stays as it is.
            (Self::Slack | Self::Flowdock, '@') if starts_word => Piece::Joined('@'),
            (Self::Flowdock, '#') if starts_word => Piece::Joined('#'),
            (Self::Slack | Self::Flowdock | Self::Terminal, _) => Piece::Char(character),
        }
    }

    fn bold(self, text: &str) -> String {
        match self {
            _ if text.is_empty() => String::new(),
            Self::Slack => format!("*{text}*"),
            Self::Flowdock => format!("**{text}**"),
            Self::Terminal => {
                let bold = anstyle::Style::new().bold();
                format!("{bold}{text}{bold:#}")
            }
        }
    }

    /// Takes the raw text.
    fn code(self, text: &str) -> String {
        match self {
            _ if text.is_empty() => String::new(),
            Self::Slack | Self::Flowdock => format!("`{}`", self.within_code(text)),
            Self::Terminal => text.to_owned(),
        }
    }

    /// Within backticks nothing is markup but the backtick, and in Slack `&<>`.
    fn within_code(self, text: &str) -> String {
        match self {
            Self::Slack => text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('`', "ˋ"),
            Self::Flowdock => self.escape(text),
            Self::Terminal => text.to_owned(),
        }
    }

    /// Lines as a program wrote them, the last of them where they are too many: one line of the message for
    /// whoever fits it, so that none is told without its fence.
    fn block(self, lines: &[String]) -> String {
        let escaped: Vec<_> = lines.iter().map(|line| self.within_code(line)).collect();
        let mut room = LONGEST_BLOCK;
        let fitting = escaped.iter().rev().take_while(|line| {
            let needed = line.encode_utf16().count() + 1;
            let fits = needed <= room;
            room = room.saturating_sub(needed);
            fits
        });
        let first = escaped.len() - fitting.count();
        let shown = &escaped[first..];
        let inner = LINE_OF_BLOCK.to_string();
        match self {
            _ if shown.is_empty() => String::new(),
            Self::Slack | Self::Flowdock => {
                format!("```{inner}{}{inner}```", shown.join(&inner))
            }
            Self::Terminal => {
                let lines: Vec<_> = shown.iter().map(|line| format!("| {line}")).collect();
                lines.join(&inner)
            }
        }
    }

    /// Takes text that is escaped already. Without an `https` address, the text alone.
    fn link(self, url: &str, text: &str) -> String {
        let Some(url) = link_address(url) else {
            return text.to_owned();
        };
        match self {
            // https://docs.slack.dev/messaging/formatting-message-text#linking-urls
            Self::Slack => format!("<{}|{}>", url.replace('&', "&amp;"), text.replace('|', "∣")),
            Self::Flowdock => format!("[{text}]({url})"),
            Self::Terminal => format!("{text} {url}"),
        }
    }

    /// Slack shows it in each reader's own time zone; elsewhere it is UTC.
    fn time(self, time: &Time) -> String {
        let Some(instant) = time.instant() else {
            return self.escape(time.text());
        };
        let utc = instant.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        match self {
            Self::Slack => {
                let seconds = instant.as_second();
                format!("<!date^{seconds}^{{date_num}} {{time_secs}}|{utc}>")
            }
            Self::Flowdock | Self::Terminal => utc,
        }
    }

    /// An argument as it may stand in a message: what another function made is not escaped again.
    fn argument(self, kwargs: &Kwargs, name: &str) -> TeraResult<String> {
        let value = given(kwargs, name)?;
        let text = text_of(&value)?;
        Ok(if value.is_safe() {
            text
        } else {
            self.escape(&text)
        })
    }
}

/// A time, or what an event has in the place of one, which is shown as it is. All else is the template's mistake.
fn time_of(text: String, state: &State<'_>) -> TeraResult<Time> {
    let time = Time::read(text);
    if time.instant().is_some() || time.text().is_empty() || is_of_event(time.text(), state)? {
        return Ok(time);
    }
    let shown: String = time.text().chars().take(40).collect();
    Err(tera::Error::message(format!(
        "`{shown}` is no time; the names that are one: {}",
        TIMES.join(", ")
    )))
}

/// Whether a name for a time has this text.
fn is_of_event(text: &str, state: &State<'_>) -> TeraResult<bool> {
    for name in TIMES {
        let is_it = match name.split_once("[].") {
            Some((list, field)) => state.get::<Value>(list)?.is_some_and(|list| {
                let mut items = list.as_array().into_iter().flatten();
                items.any(|item| item.get_from_path(field).and_then(Value::as_str) == Some(text))
            }),
            None => state
                .get::<Value>(name)?
                .is_some_and(|it| it.as_str() == Some(text)),
        };
        if is_it {
            return Ok(true);
        }
    }
    Ok(false)
}

fn raw(kwargs: &Kwargs, name: &str) -> TeraResult<String> {
    text_of(&given(kwargs, name)?)
}

/// A list of texts.
fn texts(kwargs: &Kwargs, name: &str) -> TeraResult<Vec<String>> {
    let list = given(kwargs, name)?;
    let items = list
        .as_array()
        .ok_or_else(|| tera::Error::message(format!("`{name}` is no list")))?;
    items.iter().map(text_of).collect()
}

/// An argument may be none, but it must be there: a misspelt one would render to nothing.
fn given(kwargs: &Kwargs, name: &str) -> TeraResult<Value> {
    kwargs
        .get::<Value>(name)?
        .ok_or_else(|| tera::Error::message(format!("the function needs `{name}=…`")))
}

fn text_of(value: &Value) -> TeraResult<String> {
    if value.is_none() {
        return Ok(String::new());
    }
    if value.is_undefined() {
        return Err(tera::Error::message("the argument is undefined"));
    }
    Ok(value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned))
}

/// An address that cannot end the markup around it, or none. Only `https`: the console has no other.
fn link_address(url: &str) -> Option<&str> {
    let is_plain = |byte: u8| !NO_ADDRESS[usize::from(byte)];
    (url.starts_with("https://") && url.bytes().all(is_plain)).then_some(url)
}

fn refuse_unsafe(filter: &str) -> TeraResult<Value> {
    Err(tera::Error::message(format!(
        "`{filter}` would let an event's text through unescaped; link(), bold(), code() and time() make markup"
    )))
}

/// A character, escaped.
enum Piece {
    Char(char),
    Joined(char),
    Text(&'static str),
}

impl FromIterator<Piece> for String {
    fn from_iter<I: IntoIterator<Item = Piece>>(pieces: I) -> Self {
        let mut text = Self::new();
        for piece in pieces {
            match piece {
                Piece::Char(character) => text.push(character),
                Piece::Joined(character) => text.extend([character, WORD_JOINER]),
                Piece::Text(escape) => text.push_str(escape),
            }
        }
        text
    }
}

/// A template function whose result is markup and is not escaped again.
struct Markup<F>(F);

impl<F> tera::Function<TeraResult<String>> for Markup<F>
where
    F: Fn(&Kwargs, &State<'_>) -> TeraResult<String> + Send + Sync + 'static,
{
    fn call(&self, kwargs: Kwargs, state: &State<'_>) -> TeraResult<String> {
        self.0(&kwargs, state)
    }

    fn is_safe(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::render::names;

    /// By its name: whoever adds one ends it like this.
    #[test]
    fn every_time_is_known_as_one() {
        let ended = names().into_iter().filter(|name| name.ends_with("_at"));
        let mut known: Vec<_> = TIMES.iter().filter(|it| !it.contains('[')).collect();
        known.sort();
        assert_eq!(
            ended.collect::<Vec<_>>(),
            known.into_iter().copied().collect::<Vec<_>>()
        );
    }
}
