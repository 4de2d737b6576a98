//! The line of an event, and how it is printed.

use std::io::{self, Write};

use ecs_parrot::notifier::channel::Shown;
use serde::Serialize;
use serde_json::{Map, Value};

use super::channels::{ChannelLine, Why, in_words};

/// One line of `--output json`. Scripts depend on the names of the fields.
#[derive(Debug, Default, Serialize)]
pub(super) struct EventLine {
    pub(super) file: String,
    pub(super) event_id: Option<String>,
    pub(super) kind: Option<&'static str>,
    pub(super) decision: &'static str,
    pub(super) reason: Option<&'static str>,
    /// The kinds of thread that hear of the event.
    pub(super) threads: Vec<&'static str>,
    /// What `only` and `except` of channels are matched against. Null if the event could not be read.
    pub(super) route: Option<Map<String, Value>>,
    /// What each configured channel does with the event. Empty if the event is dropped, or if no channel is configured.
    pub(super) channels: Vec<ChannelLine>,
    pub(super) severity: Option<&'static str>,
    pub(super) urgent: Option<bool>,
    pub(super) headline: Option<String>,
    pub(super) text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payloads: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// The id of the event whose line contains the message of this event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grouped_in: Option<String>,
    /// With `--why`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<Why>,
    /// The text for `--output text`: the message in the requested markup.
    #[serde(skip)]
    pub(super) shown: String,
    /// The message as the reader of each channel sees it, for `--output html`.
    #[serde(skip)]
    pub(super) views: Vec<ChannelView>,
}

/// A message in one channel.
#[derive(Debug, Serialize)]
pub(super) struct ChannelView {
    pub(super) name: String,
    pub(super) channel_type: &'static str,
    /// Why the channel does not get the message.
    pub(super) refused: Option<String>,
    /// The texts are HTML.
    pub(super) shown: Shown,
}

impl EventLine {
    pub(super) fn error(error: String) -> Self {
        Self {
            decision: "error",
            error: Some(error),
            ..Self::default()
        }
    }
}

impl EventLine {
    /// Adds the message.
    pub(super) fn set_message(&mut self, message: Self) {
        *self = Self {
            file: std::mem::take(&mut self.file),
            event_id: self.event_id.take(),
            kind: self.kind,
            decision: self.decision,
            reason: self.reason,
            threads: std::mem::take(&mut self.threads),
            route: self.route.take(),
            channels: std::mem::take(&mut self.channels),
            why: self.why.take(),
            ..message
        };
    }

    /// Adds the error of a message that could not be rendered.
    pub(super) fn set_error(&mut self, error: String) {
        *self = Self {
            file: std::mem::take(&mut self.file),
            event_id: self.event_id.take(),
            kind: self.kind,
            ..Self::error(error)
        };
    }
}

/// Prints a line for `--output text`.
pub(super) fn print(out: &mut impl Write, line: &EventLine) -> io::Result<()> {
    let bold = anstyle::Style::new().bold();
    writeln!(out, "{bold}{}{bold:#}", line.file)?;
    if let Some(error) = &line.error {
        return writeln!(out, "error: {error}\n");
    }
    let kind = line.kind.unwrap_or_default();
    let reason = line.reason.unwrap_or_default();
    let threads = match line.threads.is_empty() {
        true => String::new(),
        false => format!(", threads: {}", line.threads.join(", ")),
    };
    let urgent = if line.urgent == Some(true) {
        ", urgent"
    } else {
        ""
    };
    match (&line.grouped_in, line.severity) {
        (Some(first), _) => {
            writeln!(
                out,
                "keep: {reason} ({kind}), grouped with {first}{threads}"
            )?;
        }
        (None, Some(severity)) => {
            writeln!(out, "keep: {reason} ({kind}, {severity}{urgent}){threads}")?;
        }
        (None, None) => writeln!(out, "drop: {reason} ({kind}){threads}")?,
    }
    if !line.channels.is_empty() {
        writeln!(out, "channels: {}", in_words(&line.channels))?;
    }
    if let Some(why) = &line.why {
        writeln!(out, "{}", why.in_words())?;
    }
    match line.shown.as_str() {
        "" => writeln!(out),
        shown => writeln!(out, "{shown}\n"),
    }
}
