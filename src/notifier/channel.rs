//! Brings a message to a channel: [`Message`] in, [`Outcome`] out.
//!
//! The channels are a closed set: whoever adds one is led by the compiler through what it must have.

mod address;
mod answer;
mod fit;
pub mod flowdock;
mod http;
mod retry;
pub mod slack;
pub mod terminal;
mod transport;

use std::time::Duration;

pub use address::{problem_of, problem_of_token};
pub use flowdock::Flowdock;
pub use http::Http;
pub use retry::{Attempts, persist};
pub use slack::Slack;
pub use terminal::Terminal;

use crate::notifier::policy::Priority;
use crate::notifier::render::{Dialect, Message};

/// Where messages go.
#[derive(Debug, Clone)]
pub enum Channel {
    Slack(Slack),
    Flowdock(Flowdock),
    Terminal(Terminal),
}

/// What came of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    /// It may work later; `after` is when the channel said so.
    Retry {
        after: Option<Duration>,
        why: String,
    },
    /// It was sent, and it is not known whether it arrived.
    Unanswered {
        silence: Silence,
        why: String,
    },
    /// It will not work as long as nothing is changed.
    Refused {
        why: String,
    },
}

/// How an answer failed to say whether the message arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The message was sent, and the answer did not come, or ended in the middle. Sent again, it would be there twice.
    Stalled,
    /// The connection was closed without an answer. One that was idle for long looks the same, and took nothing.
    Closed,
    /// A success came, but not in this channel's words.
    Unexpected,
}

/// What a channel is told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Minimum {
    #[default]
    All,
    /// Quiet mode.
    Urgent,
}

impl Minimum {
    fn wants(self, priority: Priority) -> bool {
        match self {
            Self::All => true,
            Self::Urgent => priority.urgent,
        }
    }
}

impl Channel {
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Slack(_) => Dialect::Slack,
            Self::Flowdock(_) => Dialect::Flowdock,
            Self::Terminal(_) => Dialect::Terminal,
        }
    }

    pub fn wants(&self, priority: Priority) -> bool {
        match self {
            Self::Slack(slack) => slack.minimum.wants(priority),
            Self::Flowdock(flowdock) => flowdock.minimum.wants(priority),
            Self::Terminal(_) => true,
        }
    }

    pub async fn deliver(&self, http: &Http, message: &Message) -> Outcome {
        match self {
            Self::Slack(slack) => slack.deliver(http, message).await,
            Self::Flowdock(flowdock) => flowdock.deliver(http, message).await,
            Self::Terminal(terminal) => terminal.print(message),
        }
    }
}

impl Outcome {
    fn retry(why: String) -> Self {
        Self::Retry { after: None, why }
    }

    /// Why it did not arrive.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Delivered => None,
            Self::Retry { why, .. } | Self::Unanswered { why, .. } | Self::Refused { why } => {
                Some(why)
            }
        }
    }
}
