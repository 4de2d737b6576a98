//! Writes messages to the terminal or to the function's log. It is used if no channel is configured.

use std::io::{self, ErrorKind, Write as _};

use anstyle::{AnsiColor, Style};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;

use super::markup::{Escaped, Markup};
use super::{
    Capabilities, Channel, Http, Operation, Outcome, PreparedMessage, RateLimit, Shown,
    TypeDefinition,
};
use crate::notifier::message::Message;
use crate::notifier::policy::Severity;

pub(super) static DEFINITION: TypeDefinition = TypeDefinition {
    markup: &Plain,
    capabilities: Capabilities::NONE,
    templates: None,
    settings: &[],
    read: |_| Some(Box::new(Terminal)),
    is_previewed: true,
    unconfigured: || Box::new(Terminal),
};

#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal;

impl Channel for Terminal {
    fn payload(&self, _: &Message, _: Operation<'_>) -> Option<Value> {
        None
    }

    fn send<'a>(
        &'a self,
        _: &'a Http,
        prepared: &'a PreparedMessage<'a>,
    ) -> BoxFuture<'a, Outcome> {
        async { print(prepared.message) }.boxed()
    }

    fn show(&self, message: &Message, html: &Message) -> Shown {
        Shown {
            color: color(message.severity),
            headline: html.headline.clone(),
            lines: html.texts(),
            ..Shown::default()
        }
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        None
    }
}

/// Prints to standard output. Colours are used only on a terminal, and not if `NO_COLOR` is set.
fn print(message: &Message) -> Outcome {
    match writeln!(anstream::stdout(), "{}", text(message)) {
        Ok(()) => Outcome::DELIVERED,
        // Nothing reads standard output any more, so it makes no sense to try again.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Outcome::Refused {
            why: "standard output was closed".to_owned(),
        },
        Err(error) => Outcome::Retry {
            advice: None,
            after: None,
            why: format!("standard output: {error}"),
        },
    }
}

/// The message as lines with colours.
pub fn text(message: &Message) -> String {
    let style = style(message.severity);
    let mut text = format!("{style}{}{style:#}", message.headline);
    for line in &message.details {
        text.push_str("\n  ");
        text.push_str(&line.text.replace('\n', "\n  "));
    }
    text
}

/// The text without colours.
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

/// The same colours for the page, on a dark background.
fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "#e6e6e6",
        Severity::Success => "#7bc275",
        Severity::Warning => "#e0b04c",
        Severity::Critical => "#ec7063",
    }
}

/// A terminal has no markup except escape sequences, and cleaned values contain none.
struct Plain;

impl Markup for Plain {
    fn escape_char(&self, _: bool, character: char) -> Escaped {
        Escaped::Char(character)
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

    /// Shows the address itself, because not all terminals support links, and a reader can copy the address.
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
