//! The type `slack_app`: Slack's Web API with the token of a Slack app's bot. It can edit what it has posted, and reply.
//!
//! <https://docs.slack.dev/reference/methods/chat.postMessage>, <https://docs.slack.dev/reference/methods/chat.update>

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::{Value, json};

use super::api::{Api, Failure, Sent, problem_of_bot_token};
use super::errors::ErrorClass;
use super::markup::Mrkdwn;
use super::{Attachment, HOSTS, LIMITS, MENTIONS, attachments, shown, text};
use crate::notifier::channel::address::{ALLOWED, problem_of_base, problem_of_host};
use crate::notifier::channel::fit::{Limits, cut, fit};
use crate::notifier::channel::mention::Mention;
use crate::notifier::channel::settings::{SettingDefinition, Settings, no_secret};
use crate::notifier::channel::{
    Capabilities, Channel, ChannelType, Http, Operation, Outcome, PreparedMessage, RateLimit,
    Shown, TypeDefinition,
};
use crate::notifier::message::Message;

pub(in crate::notifier::channel) static DEFINITION: TypeDefinition = TypeDefinition {
    markup: &Mrkdwn,
    capabilities: Capabilities {
        edits: true,
        replies: true,
    },
    templates: Some(ChannelType::Slack),
    settings: &[
        SettingDefinition::secret("token", None),
        SettingDefinition::text("channel", None),
        SettingDefinition::text("mention", None),
        SettingDefinition {
            default: SLACK_API,
            ..SettingDefinition::address("url", None)
        },
    ],
    read,
    // On the page it looks like `slack`.
    is_previewed: false,
    unconfigured: || {
        Box::new(SlackApp {
            api: Api {
                token: no_secret(),
                base: SLACK_API.to_owned(),
            },
            channel: String::new(),
            mention: None,
        })
    },
};

const SLACK_API: &str = "https://slack.com/api";

const NOT_SLACK: &str =
    "not an address of Slack's API: https://slack.com/api or https://slack-gov.com/api";

const TOKEN: &str = "the Bot User OAuth Token of a Slack app, `xoxb-…`";

const CHANNEL: &str = "the ID of a channel, `C…`, `G…` or `D…`, which Slack shows at the end of the channel's details";

/// The longest text of an edit. A post may be longer, but then it could not be edited.
const LONGEST_TEXT: usize = 4_000;

/// For a message that Slack does not accept whole.
const SHORT: Limits = Limits {
    line: 2_500,
    total: 2_500,
};

/// Slack allows 50 edits a minute and app, in all channels together.
/// <https://docs.slack.dev/apis/web-api/rate-limits>
const EDIT_LIMIT: RateLimit = RateLimit {
    at_once: 5,
    interval: Duration::from_millis(1_500),
};

/// The app's own name and icon are used. An edit could not change others.
#[derive(Debug)]
struct SlackApp {
    api: Api,
    channel: String,
    mention: Option<Mention>,
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    channel: &'a str,
    #[serde(flatten)]
    place: Place<'a>,
    text: String,
    /// An empty list removes the old attachments of an edited message.
    attachments: Vec<Attachment<'a>>,
    /// These two are the defaults of a post, but not those of an edit.
    parse: &'static str,
    link_names: bool,
}

/// Where the message appears.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Place<'a> {
    Edited {
        ts: &'a str,
    },
    Posted {
        #[serde(skip_serializing_if = "Option::is_none")]
        thread_ts: Option<&'a str>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        reply_broadcast: bool,
        /// The links lead to the AWS console, which shows nothing without a login.
        unfurl_links: bool,
        unfurl_media: bool,
    },
}

/// How much of a message is sent.
#[derive(Debug, Clone, Copy)]
enum Extent {
    Whole,
    FewerLines,
    /// A few lines, without blocks and colour.
    TextOnly,
}

fn read(settings: &mut Settings<'_>) -> Option<Box<dyn Channel>> {
    let token = settings.secret("token", problem_of_bot_token, TOKEN);
    let token = settings.require("token", token, TOKEN);
    let channel = settings.text("channel");
    let channel = settings.require("channel", channel, CHANNEL);
    if let Some(Err(problem)) = channel.as_deref().map(problem_of_channel) {
        settings.problem("channel", problem, CHANNEL);
    }
    let mention = Mention::read(settings, &MENTIONS);
    let base = settings.address("url");
    if let Some(Err(problem)) = base.as_deref().map(problem_of_address) {
        settings.problem("url", problem, ALLOWED);
    }
    let app = SlackApp {
        api: Api {
            token: token?,
            base: base.unwrap_or_else(|| SLACK_API.to_owned()),
        },
        channel: channel?,
        mention,
    };
    Some(Box::new(app))
}

fn problem_of_address(text: &str) -> Result<(), &'static str> {
    problem_of_host(text, &HOSTS, NOT_SLACK)?;
    problem_of_base(text)
}

/// A name is refused, because it can change, and because Slack edits messages only by the channel's ID.
fn problem_of_channel(text: &str) -> Result<(), &'static str> {
    let is_id = text.starts_with(['C', 'G', 'D'])
        && text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    match is_id {
        true => Ok(()),
        false => Err("not the ID of a channel; its name cannot be used"),
    }
}

impl SlackApp {
    /// Sends the message. If the message that it belongs to is gone, it becomes a new one.
    async fn deliver(&self, http: &Http, prepared: &PreparedMessage<'_>) -> Outcome {
        let mut sent = self.send_fitting(http, prepared).await;
        if self.is_root_gone(prepared.operation, &sent) {
            let post = self.prepare(prepared.message, Operation::Post);
            sent = self.send_fitting(http, &post).await;
        }
        match sent {
            Ok(root) => Outcome::Delivered { root },
            Err(failure) => failure.into_outcome(),
        }
    }

    /// Whether the message must be posted anew. It also must if the operator has changed the channel and the app cannot
    /// reach the old one.
    fn is_root_gone(&self, operation: Operation<'_>, sent: &Sent) -> bool {
        let root = match operation {
            Operation::Post => return false,
            Operation::Update(root) | Operation::Reply { root, .. } => root,
        };
        match class(sent) {
            Some(ErrorClass::RootGone) => true,
            Some(ErrorClass::Channel) => root.channel != self.channel,
            Some(
                ErrorClass::Busy
                | ErrorClass::Outage
                | ErrorClass::Token
                | ErrorClass::Right
                | ErrorClass::Content
                | ErrorClass::Unknown,
            )
            | None => false,
        }
    }

    /// Sends the whole message, and less of it if Slack does not accept its content.
    async fn send_fitting(&self, http: &Http, prepared: &PreparedMessage<'_>) -> Sent {
        let PreparedMessage {
            message,
            operation,
            body,
        } = prepared;
        let mut sent = self.api.call(http, *operation, body).await;
        for extent in [Extent::FewerLines, Extent::TextOnly] {
            if class(&sent) == Some(ErrorClass::Content) {
                let body = self.body(message, *operation, extent);
                sent = self.api.call(http, *operation, &body).await;
            }
        }
        sent
    }

    fn body(&self, message: &Message, operation: Operation<'_>, extent: Extent) -> Value {
        let mut text = text(message, self.mention.as_ref());
        let attachments = match extent {
            Extent::Whole => attachments(message, LIMITS),
            Extent::FewerLines => attachments(message, SHORT),
            Extent::TextOnly => {
                for line in fit(&message.texts(), SHORT) {
                    text.push('\n');
                    text.push_str(&line);
                }
                Vec::new()
            }
        };
        json!(Body {
            channel: match operation {
                Operation::Post => &self.channel,
                Operation::Update(root) | Operation::Reply { root, .. } => &root.channel,
            },
            place: place(operation),
            text: cut(&text, LONGEST_TEXT),
            attachments,
            parse: "none",
            link_names: false,
        })
    }
}

impl Channel for SlackApp {
    fn payload(&self, message: &Message, operation: Operation<'_>) -> Option<Value> {
        Some(self.body(message, operation, Extent::Whole))
    }

    fn send<'a>(
        &'a self,
        http: &'a Http,
        prepared: &'a PreparedMessage<'a>,
    ) -> BoxFuture<'a, Outcome> {
        self.deliver(http, prepared).boxed()
    }

    fn check<'a>(&'a self, http: &'a Http) -> Option<BoxFuture<'a, Outcome>> {
        Some(self.api.check(http).boxed())
    }

    fn show(&self, message: &Message, html: &Message) -> Shown {
        shown("ecs-parrot", self.mention.as_ref(), message, html)
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        Some(RateLimit::OF_A_WEBHOOK)
    }

    fn edit_limit(&self) -> Option<RateLimit> {
        Some(EDIT_LIMIT)
    }
}

/// What the error of a call is about, if Slack named one.
fn class(sent: &Sent) -> Option<ErrorClass> {
    sent.as_ref().err().and_then(Failure::class)
}

fn place(operation: Operation<'_>) -> Place<'_> {
    let (thread_ts, reply_broadcast) = match operation {
        Operation::Update(root) => return Place::Edited { ts: &root.id },
        Operation::Post => (None, false),
        Operation::Reply { root, broadcast } => (Some(root.id.as_str()), broadcast),
    };
    Place::Posted {
        thread_ts,
        reply_broadcast,
        unfurl_links: false,
        unfurl_media: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_names_a_channel() {
        for (channel, is_id) in [
            ("C0123456789", true),
            ("G0123456789", true),
            ("D0123456789", true),
            ("#ops", false),
            ("ops", false),
            ("Cops", false),
            ("U0123456789", false),
            ("", false),
        ] {
            assert_eq!(problem_of_channel(channel).is_ok(), is_id, "{channel}");
        }
    }

    /// Slack allows 50, and other functions may use the same app.
    #[test]
    fn at_most_45_edits_are_made_in_a_minute() {
        let RateLimit { at_once, interval } = EDIT_LIMIT;
        let after_them = Duration::from_secs(60).as_millis() / interval.as_millis();
        assert_eq!(u128::from(at_once) + after_them, 45);
    }
}
