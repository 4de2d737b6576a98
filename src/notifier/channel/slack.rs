//! Slack's incoming webhooks, and whatever speaks their JSON.
//!
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>

use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Success, object};
use super::fit::{Limits, fit, length};
use super::{Http, Minimum, Outcome, problem_of};
use crate::aws::secret::{Secret, SecretSource};
use crate::notifier::policy::Severity;
use crate::notifier::render::Message;

/// Characters of a section's text. <https://docs.slack.dev/reference/block-kit/blocks/section-block>
const SECTION: usize = 3_000;

/// All details together: Slack answers `msg_blocks_too_long` from some 13,200 characters on.
const LIMITS: Limits = Limits {
    line: SECTION,
    total: 10_000,
};

#[derive(Debug, Clone)]
pub struct Slack {
    pub webhook: SecretSource,
    pub look: Look,
    pub minimum: Minimum,
}

/// How messages look; legacy webhooks honour the overrides, an app's webhook ignores them.
#[derive(Debug, Clone, Default)]
pub struct Look {
    pub channel: Option<String>,
    pub username: Option<String>,
    pub icon_emoji: Option<String>,
    /// Who is called for critical messages, in Slack's own markup.
    pub mention: Option<String>,
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

impl Slack {
    pub(super) async fn deliver(&self, http: &Http, message: &Message) -> Outcome {
        let address = |webhook: &Secret| problem_of(webhook.expose()).map(|()| webhook.clone());
        http.post(
            &self.webhook,
            address,
            &payload(message, &self.look),
            &SUCCESS,
        )
        .await
    }
}

const SUCCESS: Success = Success {
    is_said: says_ok,
    expected: "`ok`",
    check: "is SLACK_WEBHOOKURL the webhook's own address?",
};

/// Slack and [Mattermost](https://developers.mattermost.com/integrate/webhooks/incoming/) answer `ok`,
/// [Rocket.Chat](https://github.com/RocketChat/Rocket.Chat/issues/29230) `{"success": true}`, others that speak
/// Slack's JSON `{"ok": true}`.
fn says_ok(body: &str) -> bool {
    let is_yes = |answer: serde_json::Map<String, Value>| {
        ["ok", "success"]
            .iter()
            .any(|key| answer.get(*key) == Some(&Value::Bool(true)))
    };
    body == "ok" || object(body).is_some_and(is_yes)
}

/// The body that is posted.
pub fn payload(message: &Message, look: &Look) -> Value {
    let mention = look
        .mention
        .as_deref()
        .filter(|_| message.severity == Severity::Critical);
    let blocks = sections(&fit(&message.details, LIMITS));
    let payload = Payload {
        text: match mention {
            Some(mention) => format!("{mention} {}", message.headline),
            None => message.headline.clone(),
        },
        attachments: match blocks.is_empty() {
            true => Vec::new(),
            false => vec![Attachment {
                color: color(message.severity),
                fallback: &message.headline,
                blocks,
            }],
        },
        channel: look.channel.as_deref(),
        username: look.username.as_deref(),
        icon_emoji: look.icon_emoji.as_deref(),
    };
    json!(payload)
}

/// As few sections as hold all lines.
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

/// `verbatim` keeps Slack from making links and mentions of what looks like one.
fn section(text: String) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}})
}

fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "#8a939b",
        Severity::Success => "good",
        Severity::Warning => "warning",
        Severity::Critical => "danger",
    }
}
