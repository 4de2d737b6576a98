//! Slack. Its two channel types post the same content: `slack` to a webhook, `slack_app` with a bot's token, which can
//! also edit and reply. This file has what they share: the text, the coloured details, the mention.

mod api;
pub(super) mod app;
mod errors;
mod markup;
pub(super) mod mattermost;
pub(super) mod webhook;

use serde::Serialize;
use serde_json::{Value, json};

use super::Shown;
use super::fit::{Limits, fit, fitting, stacked};
use super::html::Html;
use super::markup::escape;
use super::mention::{Mention, MentionForm, text_for};
use crate::notifier::message::Message;
use crate::notifier::policy::Severity;

/// The domains of webhooks and of the API. The second one is GovSlack's, which is not verified from a page of Slack's.
const HOSTS: [&str; 2] = ["slack.com", "slack-gov.com"];

/// The most characters in the text of a section. <https://docs.slack.dev/reference/block-kit/blocks/section-block>
const SECTION: usize = 3_000;

/// The limit for all details together is lower than Slack's own: from about 13,200 characters on, Slack answers
/// `msg_blocks_too_long`.
const LIMITS: Limits = Limits {
    line: SECTION,
    total: 10_000,
};

/// <https://docs.slack.dev/messaging/formatting-message-text#mentioning-users>
const MENTIONS: MentionForm = MentionForm {
    is_mention: are_mentions,
    problem: "not a mention in Slack's markup",
    allowed: "`<!subteam^S…>`, `<@U…>`, `<!here>`, `<!channel>` or `<!everyone>`, several separated by spaces",
};

/// The details of a message, with a colour beside them.
#[derive(Debug, Serialize)]
struct Attachment<'a> {
    color: &'static str,
    fallback: &'a str,
    blocks: Vec<Value>,
}

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

/// The headline, after the mention if this message mentions somebody.
fn text(message: &Message, mention: Option<&Mention>) -> String {
    match text_for(mention, message) {
        Some(mention) => format!("{mention} {}", message.headline),
        None => message.headline.clone(),
    }
}

/// One attachment with the details, as far as they fit. None if there are no details.
fn attachments(message: &Message, limits: Limits) -> Vec<Attachment<'_>> {
    let texts = stacked(&fit(&message.texts(), limits), SECTION);
    let blocks: Vec<_> = texts.into_iter().map(section).collect();
    match blocks.is_empty() {
        true => Vec::new(),
        false => vec![Attachment {
            color: named_color(message.severity),
            fallback: &message.headline,
            blocks,
        }],
    }
}

/// With `verbatim` Slack does not convert text that looks like a link or a mention.
fn section(text: String) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}})
}

fn shown(sender: &str, mention: Option<&Mention>, message: &Message, html: &Message) -> Shown {
    Shown {
        sender: sender.to_owned(),
        color: color(message.severity),
        headline: match text_for(mention, message) {
            Some(mention) => format!("{} {}", escape(&Html, &mention), html.headline),
            None => html.headline.clone(),
        },
        lines: fitting(&message.texts(), &html.texts(), LIMITS),
        tags: Vec::new(),
    }
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
