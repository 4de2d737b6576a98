//! Sends messages to chat services: [`Message`] in, [`Outcome`] out.
//!
//! Each channel type has one file with its settings, its markup, its limits, its payload and its `send`.
//! [`ChannelType`] is the only list of the types in the project. CONTRIBUTING explains how to add one.

mod address;
mod alert;
mod answer;
mod discord;
mod fit;
mod flowdock;
mod gone;
mod google_chat;
mod hash;
pub mod html;
mod http;
mod jsm;
pub mod markup;
mod mention;
mod operation;
mod pagerduty;
mod plain;
mod retry;
pub mod settings;
mod slack;
mod sns;
mod teams;
pub mod terminal;
mod transport;
mod webhook;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

pub use http::Http;
pub use mention::tag_keys as mentioned_tags;
pub use operation::{Capabilities, MessageRef, Operation, PreparedMessage};
pub use retry::{Attempts, send_with_retries};

use crate::notifier::message::Message;
use crate::notifier::policy::Priority;
use crate::notifier::route::{EventRoute, RouteFilter};
use crate::notifier::thread::ThreadKind;
use markup::Markup;
use settings::{SettingDefinition, Settings};

/// Every channel type, by its name in a configuration.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum ChannelType {
    Slack,
    SlackApp,
    Teams,
    Discord,
    GoogleChat,
    Flowdock,
    Webhook,
    Pagerduty,
    Jsm,
    Sns,
    Terminal,
}

impl ChannelType {
    pub fn definition(self) -> &'static TypeDefinition {
        match self {
            Self::Slack => &slack::webhook::DEFINITION,
            Self::SlackApp => &slack::app::DEFINITION,
            Self::Teams => &teams::DEFINITION,
            Self::Discord => &discord::DEFINITION,
            Self::GoogleChat => &google_chat::DEFINITION,
            Self::Flowdock => &flowdock::DEFINITION,
            Self::Webhook => &webhook::DEFINITION,
            Self::Pagerduty => &pagerduty::DEFINITION,
            Self::Jsm => &jsm::DEFINITION,
            Self::Sns => &sns::DEFINITION,
            Self::Terminal => &terminal::DEFINITION,
        }
    }

    pub fn markup(self) -> &'static dyn Markup {
        self.definition().markup
    }

    /// The types whose folders in `TEMPLATES_DIR` have templates for this one, its own first.
    pub fn template_folders(self) -> impl Iterator<Item = Self> {
        [Some(self), self.definition().templates]
            .into_iter()
            .flatten()
    }
}

/// Whose markup a channel has. Services that accept the JSON of a type may have a markup of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flavor {
    /// The markup of the type.
    #[default]
    Own,
    /// The Markdown of Mattermost and Rocket.Chat, for the type `slack`.
    Mattermost,
}

impl Flavor {
    pub fn markup(self, channel_type: ChannelType) -> &'static dyn Markup {
        match self {
            Self::Own => channel_type.markup(),
            Self::Mattermost => &slack::mattermost::MattermostMarkdown,
        }
    }
}

/// The properties of a channel type.
pub struct TypeDefinition {
    pub markup: &'static dyn Markup,
    pub capabilities: Capabilities,
    /// The type whose templates it uses where `TEMPLATES_DIR` has none for itself.
    pub templates: Option<ChannelType>,
    /// The settings, besides the name, the type and the minimum.
    pub settings: &'static [SettingDefinition],
    /// Makes a channel with these settings. `None` if a required setting is missing or wrong; the problem is noted.
    pub read: fn(&mut Settings<'_>) -> Option<Box<dyn Channel>>,
    /// Whether the page of a preview shows this type if no channel is configured.
    pub is_previewed: bool,
    /// Makes a channel without a configuration. Previews need its payload. It cannot send.
    pub unconfigured: fn() -> Box<dyn Channel>,
}

/// A channel of one type, with its settings.
pub trait Channel: fmt::Debug + Send + Sync {
    /// The body that is sent. `None` if the channel writes text only.
    fn payload(&self, message: &Message, operation: Operation<'_>) -> Option<Value>;

    /// Makes the body, which [`Self::send`] sends at each attempt.
    fn prepare<'a>(&self, message: &'a Message, operation: Operation<'a>) -> PreparedMessage<'a> {
        PreparedMessage {
            message,
            operation,
            body: self.payload(message, operation).unwrap_or_default(),
        }
    }

    /// Whether the channel has a use for a thread of this kind, or for an event that belongs to none.
    fn takes(&self, _: Option<ThreadKind>, _: Priority) -> bool {
        true
    }

    /// Whether the channel has nothing to send for this operation on a thread. The operation then counts as done.
    fn skips(&self, _: &Message, _: Operation<'_>) -> bool {
        false
    }

    /// Tries to send once.
    fn send<'a>(
        &'a self,
        http: &'a Http,
        prepared: &'a PreparedMessage<'a>,
    ) -> BoxFuture<'a, Outcome>;

    /// Asks the service whether it accepts the channel's token, and posts nothing. `None` if it cannot be asked.
    fn check<'a>(&'a self, _: &'a Http) -> Option<BoxFuture<'a, Outcome>> {
        None
    }

    /// The message as its reader sees it. `html` is the same message with HTML as markup.
    fn show(&self, message: &Message, html: &Message) -> Shown;

    /// Whose markup the message must have.
    fn flavor(&self) -> Flavor {
        Flavor::Own
    }

    /// What a success of the service says about the message.
    fn receipt(&self) -> Receipt {
        Receipt::Delivered
    }

    /// Whether a test message leaves something open, which an [`Operation::Update`] with the same message closes.
    fn leaves_test_open(&self) -> bool {
        false
    }

    /// The chat service's limit. `None` if there is no limit.
    fn rate_limit(&self) -> Option<RateLimit>;

    /// The chat service's limit for edits. `None` if there is none, or if the channel cannot edit.
    fn edit_limit(&self) -> Option<RateLimit> {
        None
    }
}

/// What the success of a service says about the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It has arrived.
    Delivered,
    /// The service has accepted it, and handles it later. The text says where to look whether it arrived.
    Accepted(&'static str),
}

/// How many messages a chat service accepts.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit {
    /// So many at once, at the beginning.
    pub at_once: u32,
    /// After them one in this time.
    pub interval: Duration,
}

impl RateLimit {
    /// Most services accept one message a second from a webhook, and a few more at once.
    /// <https://docs.slack.dev/apis/web-api/rate-limits>
    const OF_A_WEBHOOK: Self = Self {
        at_once: 5,
        interval: Duration::from_secs(1),
    };
}

/// A message as its reader sees it. The headline and the lines are HTML, all else is text.
#[derive(Debug, Default, serde::Serialize)]
pub struct Shown {
    /// The name under which it is posted.
    pub sender: String,
    /// The colour of the bar beside the message, `#rrggbb`.
    pub color: &'static str,
    pub headline: String,
    pub lines: Vec<String>,
    pub tags: Vec<String>,
}

/// A channel of the configuration.
#[derive(Debug)]
pub struct ConfiguredChannel {
    /// Identifies the channel in metrics, logs and the dedup store.
    pub name: String,
    pub channel_type: ChannelType,
    pub minimum: Minimum,
    /// `only` and `except`.
    pub route: RouteFilter,
    /// The keys of the tags that its `mention` names.
    pub mentioned_tags: BTreeSet<String>,
    /// The channels that escalate to this one.
    pub escalated_from: Vec<EscalationSource>,
    pub channel: Box<dyn Channel>,
}

impl ConfiguredChannel {
    /// A channel with the name of its type and without settings, for previews.
    pub fn unconfigured(channel_type: ChannelType) -> Self {
        Self {
            name: channel_type.to_string(),
            channel_type,
            minimum: Minimum::All,
            route: RouteFilter::NONE,
            mentioned_tags: BTreeSet::new(),
            escalated_from: Vec::new(),
            channel: (channel_type.definition().unconfigured)(),
        }
    }

    /// The markup that its messages must have.
    pub fn markup(&self) -> &'static dyn Markup {
        self.channel.flavor().markup(self.channel_type)
    }

    /// Whether the priority reaches the channel's minimum.
    pub fn accepts(&self, priority: Priority) -> bool {
        self.accepts_urgency(priority.urgent) && self.channel.takes(None, priority)
    }

    /// The keys of the tags that its settings name.
    pub fn tag_keys(&self) -> BTreeSet<String> {
        let mut keys = self.route.tag_keys();
        keys.extend(self.mentioned_tags.iter().cloned());
        keys
    }

    pub fn accepts_urgency(&self, urgent: bool) -> bool {
        match self.minimum {
            Minimum::All => true,
            Minimum::Urgent => urgent,
            Minimum::Escalated => false,
        }
    }

    /// Whether the channel takes what has these routes: its service has a use for it, it reaches the minimum, and `only`
    /// and `except` take one of the routes. They are made only if the channel asks for them. `thread` is `None` for an
    /// event that belongs to no thread.
    pub fn takes<'a>(
        &self,
        thread: Option<ThreadKind>,
        priority: Priority,
        routes: impl FnOnce() -> &'a [EventRoute],
    ) -> bool {
        let has_route = || routes().iter().any(|it| self.route.accepts(it));
        self.channel.takes(thread, priority)
            && self.accepts_urgency(priority.urgent)
            && (self.route.is_empty() || has_route())
    }
}

/// A channel whose open problems another channel gets too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscalationSource {
    /// The channel's name.
    pub channel: String,
    /// How long a problem must be open there.
    pub after: Duration,
}

/// The least priority that a channel accepts.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Display, EnumString, VariantArray, IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Minimum {
    #[default]
    All,
    Urgent,
    /// Only what another channel escalates to this one.
    Escalated,
}

/// The result of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// `root` is the new message that can be edited and replied to from now on. An edit and a reply have one only if
    /// the old message was gone. `None` if nothing changed, or if the chat gives no references.
    Delivered { root: Option<MessageRef> },
    /// Sending may work later. `after` is the delay that the channel asked for.
    Retry {
        after: Option<Duration>,
        why: String,
        /// What to do if it happens again and again. It is no part of `why`, which is logged at each attempt.
        advice: Option<&'static str>,
    },
    /// The message was sent, and it is not known whether it arrived.
    Unanswered { kind: UnansweredKind, why: String },
    /// Sending will not work until somebody changes something. `why` also says what.
    Refused { why: String },
}

/// Why it is not known whether a message arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnansweredKind {
    /// The message was sent, and the answer did not come, or was incomplete. If the message is sent again, it may be
    /// there twice.
    Stalled,
    /// The connection was closed without an answer. An old connection that the service closed looks the same, and it
    /// carried no message.
    Closed,
    /// The status was a success, but the body was not the one that this channel type expects.
    Unexpected,
}

impl UnansweredKind {
    /// `why` says what to check after an unexpected answer.
    fn advice(self) -> Option<&'static str> {
        match self {
            Self::Stalled | Self::Closed => Some(
                "look in the chat whether it arrived; if it did not, check the address, and what is between: a firewall or a proxy",
            ),
            Self::Unexpected => None,
        }
    }
}

impl Outcome {
    /// The chat accepted the message and gave no reference to it.
    const DELIVERED: Self = Self::Delivered { root: None };

    /// The outcome, with the reference to the new message if it was delivered.
    fn with_root(self, root: impl FnOnce() -> Option<MessageRef>) -> Self {
        match self {
            Self::Delivered { .. } => Self::Delivered { root: root() },
            other => other,
        }
    }

    /// The outcome, with what to do about it if the message was refused.
    fn with_advice(self, advice: Option<&str>) -> Self {
        match (self, advice) {
            (Self::Refused { why }, Some(advice)) => Self::Refused {
                why: format!("{why}: {advice}"),
            },
            (other, _) => other,
        }
    }

    /// The outcome, with what to do about it if the message may be accepted later.
    fn with_advice_for_later(self, advice: Option<&'static str>) -> Self {
        match (self, advice) {
            (Self::Retry { after, why, .. }, Some(_)) => Self::Retry { after, why, advice },
            (other, _) => other,
        }
    }

    fn retry(why: String) -> Self {
        Self::Retry {
            after: None,
            why,
            advice: None,
        }
    }

    /// What to do about a failure that may pass. What to do about a refusal is in [`Self::why`].
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Retry { advice, .. } => *advice,
            Self::Unanswered { kind, .. } => kind.advice(),
            Self::Delivered { .. } | Self::Refused { .. } => None,
        }
    }

    /// Why the message did not arrive.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Delivered { .. } => None,
            Self::Retry { why, .. } | Self::Unanswered { why, .. } | Self::Refused { why } => {
                Some(why)
            }
        }
    }
}
