//! A message before it is converted to a channel's own format.

use crate::ecs::notice::Kind;
use crate::notifier::policy::Severity;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub kind: Kind,
    pub severity: Severity,
    pub urgent: bool,
    /// Whether the people that the channel's `mention` names are notified.
    pub mentions: bool,
    /// The first line, in the channel's markup.
    pub headline: String,
    pub details: Vec<Line>,
}

/// A line of the details, in the channel's markup. Only a block of log lines contains line breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The name of a fact, without the colon and without markup: `Why`, `Where`. `None` for other lines.
    pub label: Option<String>,
    /// The fact's value. For other lines, the whole line.
    pub value: String,
    /// The whole line, with the label in bold.
    pub text: String,
    /// True for log lines, which are shown as the program wrote them.
    pub is_block: bool,
}

impl Line {
    /// A line without a label.
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
    pub fn texts(&self) -> Vec<String> {
        self.details.iter().map(|line| line.text.clone()).collect()
    }
}
