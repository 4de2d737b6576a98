//! Where messages are sent: [`Message`] in, [`Outcome`] out.
//!
//! Each type of channel has one file, with its settings, its markup, its limits, its payload and its way of sending.
//! [`ChannelType`] lists the types; nothing else in the project does. CONTRIBUTING says how to add one.

mod address;
mod answer;
mod fit;
mod flowdock;
mod http;
pub mod markup;
mod retry;
pub mod settings;
mod slack;
mod teams;
pub mod terminal;
mod transport;

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

pub use http::Http;
pub use retry::{Attempts, persist};

use crate::notifier::message::Message;
use crate::notifier::policy::Priority;
use markup::Markup;
use settings::{SettingDefinition, Settings};

/// Chat services take a message a second from a webhook.
/// <https://docs.slack.dev/apis/web-api/rate-limits>
pub const MESSAGE_INTERVAL: Duration = Duration::from_secs(1);

/// Every type of channel, by the name that it has in a configuration.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum ChannelType {
    Slack,
    Teams,
    Flowdock,
    Terminal,
}

impl ChannelType {
    pub fn definition(self) -> &'static Definition {
        match self {
            Self::Slack => &slack::DEFINITION,
            Self::Teams => &teams::DEFINITION,
            Self::Flowdock => &flowdock::DEFINITION,
            Self::Terminal => &terminal::DEFINITION,
        }
    }

    pub fn markup(self) -> &'static dyn Markup {
        self.definition().markup
    }
}

/// What a type of channel is.
pub struct Definition {
    pub markup: &'static dyn Markup,
    /// What may be configured, besides the name, the type and the minimum.
    pub settings: &'static [SettingDefinition],
    /// A channel with these settings. None where a setting that is needed is missing or wrong; that is noted.
    pub read: fn(&mut Settings<'_>) -> Option<Box<dyn Channel>>,
    /// Whether the page of a preview shows it where no channel is configured.
    pub is_previewed: bool,
    /// A channel without a configuration, for previews: it has a payload, and nowhere to send it.
    pub unconfigured: fn() -> Box<dyn Channel>,
}

/// One channel of a type, with its settings.
pub trait Channel: fmt::Debug + Send + Sync {
    /// The body that is sent. None where nothing but text is.
    fn payload(&self, message: &Message) -> Option<Value>;

    /// Tries once.
    fn send<'a>(&'a self, http: &'a Http, message: &'a Message) -> BoxFuture<'a, Outcome>;

    /// How its reader sees a message. Its `html` is the same message with HTML for markup.
    fn show(&self, message: &Message, html: &Message) -> Shown;

    /// The service's own limit: so long between two messages. None where there is no limit.
    fn interval(&self) -> Option<Duration>;
}

/// A message as its reader sees it. All texts are HTML, but for the colour.
#[derive(Debug, Default, serde::Serialize)]
pub struct Shown {
    /// The name under which it is posted.
    pub sender: String,
    /// Of the bar beside it, `#rrggbb`.
    pub color: &'static str,
    pub headline: String,
    pub lines: Vec<String>,
    pub tags: Vec<String>,
}

/// A channel of the configuration.
#[derive(Debug)]
pub struct ConfiguredChannel {
    /// Its identity: in metrics, logs and the dedup store.
    pub name: String,
    pub channel_type: ChannelType,
    pub minimum: Minimum,
    pub channel: Box<dyn Channel>,
}

impl ConfiguredChannel {
    /// One with its type's name and no settings, for previews.
    pub fn unconfigured(channel_type: ChannelType) -> Self {
        Self {
            name: channel_type.to_string(),
            channel_type,
            minimum: Minimum::All,
            channel: (channel_type.definition().unconfigured)(),
        }
    }

    pub fn wants(&self, priority: Priority) -> bool {
        match self.minimum {
            Minimum::All => true,
            Minimum::Urgent => priority.urgent,
        }
    }
}

/// What a channel is sent.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Display, EnumString, VariantArray, IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Minimum {
    #[default]
    All,
    Urgent,
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
