//! The terminal, or a function's log: where messages go when no channel is configured.

use std::io::{self, ErrorKind, Write as _};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;

use super::markup::{Markup, Piece};
use super::{Channel, Definition, Http, Outcome, Shown};
use crate::notifier::message::Message;
use crate::notifier::policy::Severity;

pub(super) static DEFINITION: Definition = Definition {
    markup: &Plain,
    settings: &[],
    read: |_| Some(Box::new(Terminal)),
    is_previewed: true,
    unconfigured: || Box::new(Terminal),
};

#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal;

impl Channel for Terminal {
    fn payload(&self, _: &Message) -> Option<Value> {
        None
    }

    fn send<'a>(&'a self, _: &'a Http, message: &'a Message) -> BoxFuture<'a, Outcome> {
        async { print(message) }.boxed()
    }

    fn show(&self, message: &Message, html: &Message) -> Shown {
        Shown {
            color: color(message.severity),
            headline: html.headline.clone(),
            lines: html.texts(),
            ..Shown::default()
        }
    }

    fn interval(&self) -> Option<Duration> {
        None
    }
}

/// Prints to standard output; colours only on a terminal and never with `NO_COLOR`.
fn print(message: &Message) -> Outcome {
    match writeln!(anstream::stdout(), "{}", text(message)) {
        Ok(()) => Outcome::Delivered,
        // A later message would not be read either.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Outcome::Refused {
            why: "standard output was closed".to_owned(),
        },
        Err(error) => Outcome::Retry {
            after: None,
            why: format!("standard output: {error}"),
        },
    }
}

/// A message in the terminal's markup, as lines with colours.
pub fn text(message: &Message) -> String {
    let style = style(message.severity);
    let mut text = format!("{style}{}{style:#}", message.headline);
    for line in &message.details {
        text.push_str("\n  ");
        text.push_str(&line.text.replace('\n', "\n  "));
    }
    text
}

/// The same without colours.
pub fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn style(severity: Severity) -> Style {
    let style = Style::new().bold();
    match severity {
        Severity::Info => style,
        Severity::Success => style.fg_color(Some(AnsiColor::Green.into())),
        Severity::Warning => style.fg_color(Some(AnsiColor::Yellow.into())),
        Severity::Critical => style.fg_color(Some(AnsiColor::Red.into())),
    }
}

/// The same colours for the page, on a dark ground.
fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "#e6e6e6",
        Severity::Success => "#7bc275",
        Severity::Warning => "#e0b04c",
        Severity::Critical => "#ec7063",
    }
}

/// Nothing is markup in a terminal but escape sequences, and cleaned values have none.
struct Plain;

impl Markup for Plain {
    fn escape_char(&self, _: bool, character: char) -> Piece {
        Piece::Char(character)
    }

    fn bold(&self, escaped: &str) -> String {
        let bold = Style::new().bold();
        format!("{bold}{escaped}{bold:#}")
    }

    fn code(&self, raw: &str) -> String {
        raw.to_owned()
    }

    fn block(&self, raw: &[&str], separator: &str) -> String {
        let lines: Vec<_> = raw.iter().map(|line| format!("| {line}")).collect();
        lines.join(separator)
    }

    /// The address itself: terminals do not agree on links, and an address can be copied.
    fn link(&self, url: &str, escaped: &str) -> String {
        format!("{escaped} {url}")
    }

    fn time(&self, _: i64, utc: &str) -> String {
        utc.to_owned()
    }

    fn escape_fn(&self) -> fn(&str, &mut dyn io::Write) -> io::Result<()> {
        |text, out| out.write_all(text.as_bytes())
    }
}
