//! Slack's incoming webhooks, and services that accept the same JSON: Mattermost, Rocket.Chat.
//!
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>

use std::io;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::address::{ALLOWED, problem_of};
use super::answer::{Success, object};
use super::fit::{Limits, fit, fitting, length};
use super::html::Html;
use super::markup::{Escaped, Markup, escape, escape_markdown, write_escaped};
use super::settings::{SettingDefinition, Settings, no_secret};
use super::{
    Capabilities, Channel, Http, Operation, Outcome, PreparedMessage, RateLimit, Shown,
    TypeDefinition,
};
use crate::aws::secret::{Secret, SecretSource};
use crate::notifier::message::Message;
use crate::notifier::policy::Severity;

pub(super) static DEFINITION: TypeDefinition = TypeDefinition {
    markup: &Mrkdwn,
    capabilities: Capabilities::NONE,
    settings: &[
        SettingDefinition::secret("url", Some("SLACK_WEBHOOKURL")),
        SettingDefinition::text("channel", Some("SLACK_CHANNEL")),
        SettingDefinition::text("username", Some("SLACK_USERNAME")),
        SettingDefinition::text("icon_emoji", Some("SLACK_ICON_EMOJI")),
        SettingDefinition::text("mention", Some("SLACK_MENTION")),
    ],
    read,
    is_previewed: true,
    unconfigured: || Box::new(Slack::new(no_secret())),
};

/// The most characters in the text of a section. <https://docs.slack.dev/reference/block-kit/blocks/section-block>
const SECTION: usize = 3_000;

/// The limit for all details together is lower than Slack's own: from about 13,200 characters on, Slack answers
/// `msg_blocks_too_long`.
const LIMITS: Limits = Limits {
    line: SECTION,
    total: 10_000,
};

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
    /// Text before critical messages, in Slack's markup.
    mention: Option<String>,
}

#[derive(Debug, Serialize)]
struct Payload<'a> {
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon_emoji: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Attachment<'a> {
    color: &'static str,
    fallback: &'a str,
    blocks: Vec<Value>,
}

fn read(settings: &mut Settings<'_>) -> Option<Box<dyn Channel>> {
    let webhook = settings.secret("url", problem_of, ALLOWED);
    let webhook = settings.require("url", webhook, ALLOWED);
    let mention = settings.text("mention");
    if mention.as_deref().is_some_and(|it| !are_mentions(it)) {
        let allowed = "`<!subteam^S…>`, `<@U…>`, `<!here>`, `<!channel>` or `<!everyone>`, several separated by spaces";
        settings.problem("mention", "not a mention in Slack's markup", allowed);
    }
    let slack = Slack {
        channel: settings.text("channel"),
        username: settings.text("username"),
        icon_emoji: settings.text("icon_emoji"),
        mention,
        ..Slack::new(webhook?)
    };
    Some(Box::new(slack))
}

impl Slack {
    fn new(webhook: SecretSource) -> Self {
        Self {
            webhook,
            channel: None,
            username: None,
            icon_emoji: None,
            mention: None,
        }
    }

    fn mention_for(&self, message: &Message) -> Option<&str> {
        let mention = self.mention.as_deref();
        mention.filter(|_| message.mentions)
    }
}

/// <https://docs.slack.dev/messaging/formatting-message-text#mentioning-users>
fn are_mentions(text: &str) -> bool {
    text.split_whitespace().all(is_mention)
}

fn is_mention(word: &str) -> bool {
    let inner = word.strip_prefix('<').and_then(|it| it.strip_suffix('>'));
    let Some(inner) = inner else {
        return false;
    };
    let is_id = |id: &str| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric());
    let group = inner.strip_prefix("!subteam^");
    match group.or_else(|| inner.strip_prefix('@')) {
        Some(id) => is_id(id),
        None => matches!(inner, "!here" | "!channel" | "!everyone"),
    }
}

impl Channel for Slack {
    fn payload(&self, message: &Message, _: Operation<'_>) -> Option<Value> {
        let mention = self.mention_for(message);
        let blocks = sections(&fit(&message.texts(), LIMITS));
        let payload = Payload {
            text: match mention {
                Some(mention) => format!("{mention} {}", message.headline),
                None => message.headline.clone(),
            },
            attachments: match blocks.is_empty() {
                true => Vec::new(),
                false => vec![Attachment {
                    color: named_color(message.severity),
                    fallback: &message.headline,
                    blocks,
                }],
            },
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
        let address = |webhook: &Secret| problem_of(webhook.expose()).map(|()| webhook.clone());
        async move {
            http.post(&self.webhook, address, &prepared.body, &SUCCESS)
                .await
        }
        .boxed()
    }

    fn show(&self, message: &Message, html: &Message) -> Shown {
        Shown {
            sender: self
                .username
                .clone()
                .unwrap_or_else(|| "ecs-parrot".to_owned()),
            color: color(message.severity),
            headline: match self.mention_for(message) {
                Some(mention) => format!("{} {}", escape(&Html, mention), html.headline),
                None => html.headline.clone(),
            },
            lines: fitting(&message.texts(), &html.texts(), LIMITS),
            tags: Vec::new(),
        }
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        Some(RateLimit::OF_A_WEBHOOK)
    }
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

/// Puts all lines into as few sections as possible.
fn sections(lines: &[String]) -> Vec<Value> {
    let mut texts: Vec<String> = Vec::new();
    for line in lines {
        match texts.last_mut() {
            Some(text) if length(text) + 1 + length(line) <= SECTION => {
                text.push('\n');
                text.push_str(line);
            }
            Some(_) | None => texts.push(line.clone()),
        }
    }
    texts.into_iter().map(section).collect()
}

/// With `verbatim` Slack does not convert text that looks like a link or a mention.
fn section(text: String) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}})
}

/// Slack's names of colours.
/// <https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments>
fn named_color(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "#8a939b",
        Severity::Success => "good",
        Severity::Warning => "warning",
        Severity::Critical => "danger",
    }
}

/// The same colours for the page.
fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "#8a939b",
        Severity::Success => "#2eb886",
        Severity::Warning => "#daa038",
        Severity::Critical => "#a30200",
    }
}

/// Slack's markup. <https://docs.slack.dev/messaging/formatting-message-text>
struct Mrkdwn;

impl Markup for Mrkdwn {
    /// Slack can escape three characters.
    /// <https://docs.slack.dev/messaging/formatting-message-text#escaping>
    fn escape_char(&self, starts_word: bool, character: char) -> Escaped {
        match character {
            '&' => Escaped::Text("&amp;"),
            '<' => Escaped::Text("&lt;"),
            '>' => Escaped::Text("&gt;"),
            '[' | ']' | '\\' | '#' => Escaped::Char(character),
            _ => escape_markdown(starts_word, character),
        }
    }

    fn bold(&self, escaped: &str) -> String {
        format!("*{escaped}*")
    }

    fn code(&self, raw: &str) -> String {
        format!("`{}`", within_code(raw))
    }

    fn block(&self, raw: &[&str], separator: &str) -> String {
        let lines: Vec<_> = raw.iter().map(|line| within_code(line)).collect();
        format!("```{separator}{}{separator}```", lines.join(separator))
    }

    /// <https://docs.slack.dev/messaging/formatting-message-text#linking-urls>
    fn link(&self, url: &str, escaped: &str) -> String {
        let (url, text) = (url.replace('&', "&amp;"), escaped.replace('|', "∣"));
        format!("<{url}|{text}>")
    }

    /// Slack shows the time in each reader's own time zone.
    fn time(&self, seconds: i64, utc: &str) -> String {
        format!("<!date^{seconds}^{{date_num}} {{time_secs}}|{utc}>")
    }

    fn escape_fn(&self) -> fn(&str, &mut dyn io::Write) -> io::Result<()> {
        |text, out| write_escaped(&Mrkdwn, text, out)
    }
}

/// Between backticks only the backtick and Slack's three escaped characters have a meaning.
fn within_code(raw: &str) -> String {
    raw.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('`', "ˋ")
}
