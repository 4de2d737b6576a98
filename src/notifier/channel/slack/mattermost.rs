//! The flavor `mattermost` of the type `slack`: Mattermost and Rocket.Chat accept Slack's JSON, but show no blocks and
//! have a Markdown of their own.
//!
//! <https://developers.mattermost.com/integrate/webhooks/incoming/>,
//! <https://developers.mattermost.com/integrate/reference/message-attachments/>,
//! <https://docs.rocket.chat/docs/integrations>

use std::io;

use serde::Serialize;
use serde_json::json;

use super::{color, text};
use crate::notifier::channel::Shown;
use crate::notifier::channel::fit::{cut, largest, note};
use crate::notifier::channel::html::Html;
use crate::notifier::channel::markup::{
    Escaped, Markup, escape, escape_markdown, without_list, write_escaped,
};
use crate::notifier::channel::mention::{Mention, MentionForm, text_for};
use crate::notifier::message::Message;

/// Mattermost splits a text of more than 16,383 characters, and Rocket.Chat refuses one of more than 5,000, if its
/// administrator has set nothing else.
const LONGEST_TEXT: usize = 4_000;

/// The largest attachment, as JSON, in characters. Mattermost accepts 760,000, but older versions 7,600, counted with the
/// escapes of its own JSON. <https://github.com/mattermost/mattermost/blob/master/server/public/model/post.go>
const LARGEST_ATTACHMENT: usize = 7_000;

/// Notifications show no more.
const FALLBACK: usize = 500;

/// <https://docs.mattermost.com/collaborate/mention-people.html>
pub(super) const MENTIONS: MentionForm = MentionForm {
    is_mention: are_mentions,
    problem: "not a mention in Mattermost's markup",
    allowed: "`@channel`, `@here`, `@all`, `@NAME` of a person or a group, several separated by spaces",
};

/// The details. Mattermost shows the text, and the fallback in notifications.
#[derive(Debug, Serialize)]
pub(super) struct Attachment {
    /// Mattermost knows the names `good`, `warning` and `danger` too, but Rocket.Chat needs a number.
    color: &'static str,
    fallback: String,
    text: String,
}

fn are_mentions(text: &str) -> bool {
    text.split_whitespace().all(|word| {
        let name = word.strip_prefix('@').unwrap_or_default();
        let is_allowed = |it: char| it.is_ascii_alphanumeric() || ".-_".contains(it);
        !name.is_empty() && name.chars().all(is_allowed)
    })
}

pub(super) fn short_text(message: &Message, mention: Option<&Mention>) -> String {
    cut(&text(message, mention), LONGEST_TEXT)
}

/// One attachment with the details, as far as they fit. None if there are no details.
pub(super) fn attachments(message: &Message) -> Vec<Attachment> {
    match message.details.is_empty() {
        true => Vec::new(),
        false => vec![fitting_attachment(message).1],
    }
}

/// The attachment, and how many lines it has, from the first on.
fn fitting_attachment(message: &Message) -> (usize, Attachment) {
    let make = |count| attachment(message, count);
    let size = |it: &Attachment| json!(it).to_string().chars().count();
    largest(message.details.len(), make, |it| {
        size(it) <= LARGEST_ATTACHMENT
    })
}

fn attachment(message: &Message, lines: usize) -> Attachment {
    let (shown, left_out) = message.details.split_at(lines);
    let lines = shown.iter().map(|line| without_list(&line.text));
    let lines: Vec<_> = lines.chain(note(left_out.len())).collect();
    Attachment {
        color: color(message.severity),
        fallback: cut(&message.headline, FALLBACK),
        text: lines.join("\n"),
    }
}

pub(super) fn shown(
    sender: &str,
    mention: Option<&Mention>,
    message: &Message,
    html: &Message,
) -> Shown {
    let (count, _) = fitting_attachment(message);
    let mut lines = html.texts();
    lines.truncate(count);
    lines.extend(note(message.details.len() - count));
    Shown {
        sender: sender.to_owned(),
        color: color(message.severity),
        headline: match text_for(mention, message) {
            Some(mention) => format!("{} {}", escape(&Html, &mention), html.headline),
            None => html.headline.clone(),
        },
        lines,
        tags: Vec::new(),
    }
}

/// The Markdown of Mattermost and Rocket.Chat. <https://docs.mattermost.com/collaborate/format-messages.html>
///
/// `@channel`, `@here`, `@all` and names notify people, also in an attachment, and also after a sign: so an invisible
/// character stands between `@` and the name. Mattermost converts Slack's `<!channel>` too.
pub(in crate::notifier::channel) struct MattermostMarkdown;

impl Markup for MattermostMarkdown {
    /// Bars would make a table. `&` must not begin an entity such as `&lt;`.
    fn escape_char(&self, starts_word: bool, character: char) -> Escaped {
        match character {
            '|' => Escaped::Char('∣'),
            '&' => Escaped::Joined('&'),
            _ => escape_markdown(starts_word, character),
        }
    }

    fn bold(&self, escaped: &str) -> String {
        format!("**{escaped}**")
    }

    fn code(&self, raw: &str) -> String {
        format!("`{}`", within_code(raw))
    }

    fn block(&self, raw: &[&str], separator: &str) -> String {
        let text = within_code(&raw.join(separator));
        format!("```{separator}{text}{separator}```")
    }

    fn link(&self, url: &str, escaped: &str) -> String {
        format!("[{escaped}]({url})")
    }

    fn time(&self, _: i64, utc: &str) -> String {
        utc.to_owned()
    }

    fn escape_fn(&self) -> fn(&str, &mut dyn io::Write) -> io::Result<()> {
        |text, out| write_escaped(&MattermostMarkdown, text, out)
    }
}

/// Mattermost reads nothing in code but the backtick, and what Slack's own markup has between angle brackets. Rocket.Chat
/// looks for mentions there too.
fn within_code(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut starts_word = true;
    for character in raw.chars() {
        match character {
            '`' => text.push('ˋ'),
            '<' => text.push('‹'),
            '>' => text.push('›'),
            '@' if starts_word => text.push_str("@\u{2060}"),
            _ => text.push(character),
        }
        starts_word = !character.is_ascii_alphanumeric();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_names_a_channel_a_group_or_a_person() {
        for (text, is_mention) in [
            ("@channel", true),
            ("@here @all", true),
            ("@maya.lindqvist @on-call_1", true),
            ("@", false),
            ("channel", false),
            ("<!here>", false),
            ("@here now", false),
            ("@a@b", false),
        ] {
            assert_eq!(are_mentions(text), is_mention, "{text}");
        }
    }

    #[test]
    fn a_value_is_no_markup() {
        for (value, expected) in [
            (
                "@channel x.@here a@b",
                "@\u{2060}channel x.@\u{2060}here a@b",
            ),
            ("<!channel> ~town | #x", "‹!channel› ∼town ∣ #\u{2060}x"),
            ("&lt;", "&\u{2060}lt;"),
            ("[x](https://y) ![z]", "［x］(https://y) !［z］"),
        ] {
            assert_eq!(escape(&MattermostMarkdown, value), expected);
        }
        assert_eq!(
            MattermostMarkdown.code("a`@all r@s|<!here>"),
            "`aˋ@\u{2060}all r@s|‹!here›`"
        );
        assert_eq!(
            MattermostMarkdown.block(&["```", "x"], "\n"),
            "```\nˋˋˋ\nx\n```"
        );
    }
}
