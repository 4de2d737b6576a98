//! The terminal, or a function's log: where messages go when no chat is configured.

use std::io::{ErrorKind, Write as _};

use anstyle::{AnsiColor, Style};

use super::Outcome;
use crate::notifier::policy::Severity;
use crate::notifier::render::Message;

#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal;

impl Terminal {
    /// Prints to standard output; colours only on a terminal and never with `NO_COLOR`.
    pub(super) fn print(self, message: &Message) -> Outcome {
        match writeln!(anstream::stdout(), "{}", text(message)) {
            Ok(()) => Outcome::Delivered,
            // Nobody reads any more, and nobody will.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Outcome::Refused {
                why: "standard output was closed".to_owned(),
            },
            Err(error) => Outcome::Retry {
                after: None,
                why: format!("standard output: {error}"),
            },
        }
    }
}

/// A message in the terminal's dialect, as lines with colours.
pub fn text(message: &Message) -> String {
    let style = style(message.severity);
    let mut text = format!("{style}{}{style:#}", message.headline);
    for line in &message.details {
        text.push_str("\n  ");
        text.push_str(&line.replace('\n', "\n  "));
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
