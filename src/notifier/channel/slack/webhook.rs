//! The type `slack`: Slack's incoming webhooks, and services that accept the same JSON. Mattermost and Rocket.Chat have
//! the flavor `mattermost`.
//!
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>. What a webhook has posted cannot be
//! edited, and gets no replies.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::errors::webhook_advice;
use super::markup::Mrkdwn;
use super::{HOSTS, LIMITS, MENTIONS, attachments, mattermost, shown, text};
use crate::aws::secret::{Secret, SecretSource};
use crate::notifier::channel::address::{ALLOWED, problem_of, problem_of_host};
use crate::notifier::channel::answer::{Answer, Success, object};
use crate::notifier::channel::mention::Mention;
use crate::notifier::channel::settings::{SettingDefinition, Settings, no_secret};
use crate::notifier::channel::{
    Capabilities, Channel, Flavor, Http, Operation, Outcome, PreparedMessage, RateLimit, Shown,
    TypeDefinition,
};
use crate::notifier::message::Message;

pub(in crate::notifier::channel) static DEFINITION: TypeDefinition = TypeDefinition {
    markup: &Mrkdwn,
    capabilities: Capabilities::NONE,
    templates: None,
    settings: &[
        SettingDefinition::secret("url", Some("SLACK_WEBHOOKURL")),
        SettingDefinition::text("channel", Some("SLACK_CHANNEL")),
        SettingDefinition::text("username", Some("SLACK_USERNAME")),
        SettingDefinition::text("icon_emoji", Some("SLACK_ICON_EMOJI")),
        SettingDefinition::text("mention", Some("SLACK_MENTION")),
        SettingDefinition {
            default: SLACK,
            ..SettingDefinition::text("flavor", None)
        },
    ],
    read,
    is_previewed: true,
    unconfigured: || Box::new(Slack::new(no_secret())),
};

const NOT_SLACK: &str = "not an address of Slack: https://hooks.slack.com/services/…; Mattermost and Rocket.Chat need `flavor: mattermost`";

/// The values of `flavor`.
const SLACK: &str = "slack";
const MATTERMOST: &str = "mattermost";

const FLAVORS: &str = "`slack`, or `mattermost` for Mattermost and Rocket.Chat";

const SUCCESS: Success = Success {
    matches: is_ok,
    expected: "`ok`",
    check: "is `url` (SLACK_WEBHOOKURL) the address of the webhook?",
};

/// Legacy webhooks use `channel`, `username` and `icon_emoji`. The webhooks of Slack apps ignore them.
#[derive(Debug)]
struct Slack {
    webhook: SecretSource,
    channel: Option<String>,
    username: Option<String>,
    icon_emoji: Option<String>,
    mention: Option<Mention>,
    flavor: Flavor,
    /// What is wrong with an address.
    problem_of_webhook: fn(&str) -> Result<(), &'static str>,
}

#[derive(Debug, Serialize)]
struct Payload<'a> {
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon_emoji: Option<&'a str>,
}

fn read(settings: &mut Settings<'_>) -> Option<Box<dyn Channel>> {
    let flavor = read_flavor(settings);
    let problem_of_webhook = match (flavor, settings.is_in_list()) {
        (Flavor::Own, true) => problem_of_slack,
        // Mattermost has hosts of its own. Users of the older variables may post to another server with Slack's JSON.
        (Flavor::Own, false) | (Flavor::Mattermost, _) => problem_of,
    };
    let webhook = settings.secret("url", problem_of_webhook, ALLOWED);
    let webhook = settings.require("url", webhook, ALLOWED);
    let mention = match flavor {
        Flavor::Own => Mention::read(settings, &MENTIONS),
        Flavor::Mattermost => Mention::read(settings, &mattermost::MENTIONS),
    };
    let slack = Slack {
        channel: settings.text("channel"),
        username: settings.text("username"),
        icon_emoji: settings.text("icon_emoji"),
        mention,
        flavor,
        problem_of_webhook,
        ..Slack::new(webhook?)
    };
    Some(Box::new(slack))
}

fn problem_of_slack(text: &str) -> Result<(), &'static str> {
    problem_of_host(text, &HOSTS, NOT_SLACK)
}

fn read_flavor(settings: &mut Settings<'_>) -> Flavor {
    match settings.text("flavor").as_deref() {
        None | Some(SLACK) => Flavor::Own,
        Some(MATTERMOST) => Flavor::Mattermost,
        // Another value is not shown, because it may be a secret in the wrong place.
        Some(_) => {
            settings.problem("flavor", "not a flavor", FLAVORS);
            Flavor::Own
        }
    }
}

impl Slack {
    fn new(webhook: SecretSource) -> Self {
        Self {
            webhook,
            channel: None,
            username: None,
            icon_emoji: None,
            mention: None,
            flavor: Flavor::Own,
            problem_of_webhook: problem_of,
        }
    }
}

impl Channel for Slack {
    fn payload(&self, message: &Message, _: Operation<'_>) -> Option<Value> {
        let mention = self.mention.as_ref();
        let (text, attachments) = match self.flavor {
            Flavor::Own => (
                text(message, mention),
                values(&attachments(message, LIMITS)),
            ),
            Flavor::Mattermost => (
                mattermost::short_text(message, mention),
                values(&mattermost::attachments(message)),
            ),
        };
        let payload = Payload {
            text,
            attachments,
            channel: self.channel.as_deref(),
            username: self.username.as_deref(),
            icon_emoji: self.icon_emoji.as_deref(),
        };
        Some(json!(payload))
    }

    fn send<'a>(
        &'a self,
        http: &'a Http,
        prepared: &'a PreparedMessage<'a>,
    ) -> BoxFuture<'a, Outcome> {
        let problem_of = self.problem_of_webhook;
        let address =
            move |webhook: &Secret| problem_of(webhook.expose()).map(|()| webhook.clone());
        async move {
            http.post(&self.webhook, address, &prepared.body, read_answer)
                .await
        }
        .boxed()
    }

    fn show(&self, message: &Message, html: &Message) -> Shown {
        let sender = self.username.as_deref().unwrap_or("ecs-parrot");
        let mention = self.mention.as_ref();
        match self.flavor {
            Flavor::Own => shown(sender, mention, message, html),
            Flavor::Mattermost => mattermost::shown(sender, mention, message, html),
        }
    }

    fn flavor(&self) -> Flavor {
        self.flavor
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        Some(RateLimit::OF_A_WEBHOOK)
    }
}

fn read_answer(answer: &Answer) -> Outcome {
    let outcome = answer.outcome(&SUCCESS);
    outcome.with_advice(Some(webhook_advice(answer)))
}

fn values(attachments: &[impl Serialize]) -> Vec<Value> {
    attachments.iter().map(|it| json!(it)).collect()
}

/// Slack and [Mattermost](https://developers.mattermost.com/integrate/webhooks/incoming/) answer `ok`,
/// [Rocket.Chat](https://github.com/RocketChat/Rocket.Chat/issues/29230) `{"success": true}`, other services with Slack's
/// JSON `{"ok": true}`.
fn is_ok(body: &str) -> bool {
    let is_yes = |answer: Map<String, Value>| {
        let mut keys = ["ok", "success"].iter();
        keys.any(|key| answer.get(*key) == Some(&Value::Bool(true)))
    };
    body == "ok" || object(body).is_some_and(is_yes)
}
