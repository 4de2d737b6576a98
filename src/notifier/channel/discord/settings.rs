//! The settings of a Discord channel: the address of its webhook, whom it mentions, and its name.

use reqwest::Url;
use serde_json::{Value, json};

use crate::notifier::channel::address::problem_of_host;
use crate::notifier::channel::fit::length;
use crate::notifier::channel::mention::MentionForm;

/// Also `canary.discord.com` and `ptb.discord.com`, the hosts of Discord's test programs.
const HOSTS: [&str; 2] = ["discord.com", "discordapp.com"];

pub(super) const NOT_A_WEBHOOK: &str = "not the address of a Discord webhook; in the channel's settings, open Integrations, Webhooks, \
     and use what `Copy Webhook URL` gives";

const OF_SLACK: &str =
    "it ends in `/slack`, where Discord expects Slack's JSON; leave out `/slack`";

const OF_GITHUB: &str =
    "it ends in `/github`, where Discord expects GitHub's events; leave out `/github`";

/// The longest text beside the embeds.
const CONTENT: usize = 2_000;

const LONGEST_USERNAME: usize = 80;

/// <https://docs.discord.com/developers/resources/webhook#create-webhook>
pub(super) const USERNAME: &str = "at most 80 characters, without `discord` and `clyde`";

/// <https://docs.discord.com/developers/reference#message-formatting>
pub(super) const MENTIONS: MentionForm = MentionForm {
    is_mention: are_mentions,
    problem: "not a mention in Discord's markup",
    allowed: "`<@&ROLE>`, `<@USER>` with the number that `Copy ID` gives, `@here` or `@everyone`, several separated by spaces",
};

/// Accepts `…/webhooks/ID/TOKEN` only.
pub(super) fn problem_of_webhook(text: &str) -> Result<(), &'static str> {
    problem_of_host(text, &HOSTS, NOT_A_WEBHOOK)?;
    let url = Url::parse(text).map_err(|_| NOT_A_WEBHOOK)?;
    let mut parts: Vec<_> = url.path_segments().into_iter().flatten().collect();
    parts.retain(|it| !it.is_empty());
    match parts[..] {
        [.., "webhooks", id, token] if is_id(id) && is_token(token) => Ok(()),
        [.., "slack"] => Err(OF_SLACK),
        [.., "github"] => Err(OF_GITHUB),
        _ => Err(NOT_A_WEBHOOK),
    }
}

fn is_token(text: &str) -> bool {
    text.len() >= 8
        && text
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || "-_.".contains(it))
}

/// Discord's ids are numbers of 64 bits.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 20 && text.chars().all(|it| it.is_ascii_digit())
}

pub(super) fn problem_of_username(text: &str) -> Result<(), &'static str> {
    let lower = text.to_lowercase();
    if lower.contains("discord") || lower.contains("clyde") {
        return Err("Discord does not allow this name");
    }
    match length(text) <= LONGEST_USERNAME {
        true => Ok(()),
        false => Err("it is too long"),
    }
}

fn are_mentions(text: &str) -> bool {
    length(text) <= CONTENT && text.split_whitespace().all(|word| target(word).is_some())
}

/// Whom a mention notifies.
enum Target<'a> {
    Everyone,
    Role(&'a str),
    User(&'a str),
}

fn target(word: &str) -> Option<Target<'_>> {
    if matches!(word, "@everyone" | "@here") {
        return Some(Target::Everyone);
    }
    let inner = word.strip_prefix("<@")?.strip_suffix('>')?;
    let (id, target) = match inner.strip_prefix('&') {
        Some(id) => (id, Target::Role(id)),
        None => (inner, Target::User(inner)),
    };
    is_id(id).then_some(target)
}

/// The only mentions that Discord acts on. Without this field it would act on all that it finds.
/// <https://docs.discord.com/developers/resources/message#allowed-mentions-object>
pub(super) fn allowed_mentions(mention: Option<&str>) -> Value {
    let (mut parse, mut roles, mut users) = (Vec::new(), Vec::new(), Vec::new());
    for word in mention.unwrap_or_default().split_whitespace() {
        let (list, item) = match target(word) {
            Some(Target::Everyone) => (&mut parse, "everyone"),
            Some(Target::Role(id)) => (&mut roles, id),
            Some(Target::User(id)) => (&mut users, id),
            None => continue,
        };
        // Discord refuses a list that names somebody twice.
        if !list.contains(&item) {
            list.push(item);
        }
    }
    let mut allowed = json!({ "parse": parse });
    for (key, list) in [("roles", roles), ("users", users)] {
        if !list.is_empty() {
            allowed[key] = json!(list);
        }
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBHOOK: &str = "https://discord.com/api/webhooks/1234567890/T0KEN-very_secret";

    #[test]
    fn only_the_address_of_a_webhook_is_accepted() {
        for (address, problem) in [
            (WEBHOOK, None),
            (
                "https://discordapp.com/api/webhooks/1234567890/T0KEN-very_secret/",
                None,
            ),
            (
                "https://canary.discord.com/api/v10/webhooks/1234567890/T0KEN-very_secret?thread_id=7",
                None,
            ),
            (
                "https://ptb.discord.com/api/webhooks/1234567890/T0KEN-very_secret",
                None,
            ),
            (
                "http://127.0.0.1:8080/api/webhooks/1234567890/T0KEN-very_secret",
                None,
            ),
            (
                "https://discord.com/api/webhooks/1234567890/T0KEN-very_secret/slack",
                Some(OF_SLACK),
            ),
            (
                "https://discord.com/api/webhooks/1234567890/T0KEN-very_secret/slack/?wait=true",
                Some(OF_SLACK),
            ),
            (
                "https://discord.com/api/webhooks/1234567890/T0KEN-very_secret/github",
                Some(OF_GITHUB),
            ),
            (
                "https://discord.com/api/webhooks/1234567890/",
                Some(NOT_A_WEBHOOK),
            ),
            (
                "https://discord.com/api/webhooks/mine/T0KEN-very_secret",
                Some(NOT_A_WEBHOOK),
            ),
            (
                "https://discord.com/channels/1234567890/1234567891",
                Some(NOT_A_WEBHOOK),
            ),
            (
                "https://discord.com.evil.example/api/webhooks/1/T0KEN-very_secret",
                Some(NOT_A_WEBHOOK),
            ),
            (
                "https://notdiscord.com/api/webhooks/1/T0KEN-very_secret",
                Some(NOT_A_WEBHOOK),
            ),
            (
                "http://discord.com/api/webhooks/1/T0KEN-very_secret",
                Some("messages would be sent unencrypted"),
            ),
        ] {
            assert_eq!(problem_of_webhook(address).err(), problem, "{address}");
        }
    }

    #[test]
    fn a_mention_names_a_role_a_user_or_all() {
        for (text, is_mention) in [
            ("<@&165511591545143296>", true),
            ("<@80351110224678912> @here", true),
            ("@everyone", true),
            ("<@!80351110224678912>", false),
            ("<#103735883630395392>", false),
            ("<!subteam^S123>", false),
            ("@ops", false),
            ("<@&>", false),
            ("<@80351110224678912> hello", false),
        ] {
            assert_eq!(are_mentions(text), is_mention, "{text}");
        }
    }

    #[test]
    fn only_the_configured_mention_is_allowed() {
        for (mention, expected) in [
            (None, json!({"parse": []})),
            (Some("@here"), json!({"parse": ["everyone"]})),
            (Some("@here @everyone"), json!({"parse": ["everyone"]})),
            (
                Some("<@&1> <@2> <@&3> <@&1>"),
                json!({"parse": [], "roles": ["1", "3"], "users": ["2"]}),
            ),
        ] {
            assert_eq!(allowed_mentions(mention), expected, "{mention:?}");
        }
    }

    #[test]
    fn a_name_that_discord_refuses_is_rejected() {
        for (name, is_allowed) in [
            ("ecs-parrot", true),
            (&*"x".repeat(80), true),
            (&*"x".repeat(81), false),
            ("My Discord bot", false),
            ("CLYDE", false),
        ] {
            assert_eq!(problem_of_username(name).is_ok(), is_allowed, "{name}");
        }
    }
}
