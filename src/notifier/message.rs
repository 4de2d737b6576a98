//! What a channel posts, before it is put into the channel's own format.

use crate::ecs::notice::Kind;
use crate::notifier::policy::Severity;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub kind: Kind,
    pub severity: Severity,
    pub urgent: bool,
    /// The first line, in the channel's markup.
    pub headline: String,
    pub details: Vec<Line>,
}

/// A line of the details, in the channel's markup. Only a block of log lines has line breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What a fact is called, without the colon and without markup: `Why`, `Where`. None in other lines.
    pub label: Option<String>,
    /// The fact's value, or the whole line.
    pub value: String,
    /// The whole line, the label in bold.
    pub text: String,
    /// Log lines as a program wrote them.
    pub is_block: bool,
}

impl Line {
    /// A line that is no fact.
    pub fn of_text(text: String) -> Self {
        Self {
            label: None,
            value: text.clone(),
            text,
            is_block: false,
        }
    }
}

impl Message {
    /// The lines of the details.
    pub fn texts(&self) -> Vec<String> {
        self.details.iter().map(|line| line.text.clone()).collect()
    }
}
