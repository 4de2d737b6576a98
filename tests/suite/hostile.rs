//! Hostile values in every template and every markup. They must cause no mention, no forged link and no broken message.

use std::sync::LazyLock;

use ecs_parrot::ecs::notice::{Facts, LogStream};
use ecs_parrot::notifier::channel::{ChannelType, Flavor};
use ecs_parrot::notifier::group::{GroupItem, MessagePlan};
use ecs_parrot::notifier::message::Message;
use ecs_parrot::notifier::policy::Policy;
use ecs_parrot::notifier::render::{OwnTemplates, Renderer, TemplateFile};
use regex::Regex;
use serde_json::Value;

use crate::events::{self, Rendered};

/// Texts that an attacker could write into a stop reason, a service's name or an image's tag.
pub(crate) const HOSTILE: [&str; 14] = [
    "<!channel> <!here> <!subteam^S012> <@U012>",
    "@channel @here @everyone @team #general",
    "<https://evil.example|console>",
    "x\\",
    "²@channel ä@here １@all",
    "[console](https://evil.example)",
    "https://evil.example/?a=1&b=2",
    "`*~_ ```fence``` _~*`",
    "a\nb\r\nc\u{2028}d\te",
    "\u{1b}[31mred\u{1b}]8;;https://evil.example\u{7}link\u{1b}]8;;\u{7}\u{0}",
    "\u{202e}gnirts\u{2066}\u{200b}\u{feff}",
    "&amp; &lt;!channel&gt; \" ' \\ {{ 7 * 7 }} {% if %}",
    "💥👩‍👩‍👧‍👦\u{fffd}ﷺ",
    "]) <|> ](https://evil.example) **x** |https://evil.example>",
];

// The markup that the templates themselves write: links to the console, times, code, colours.
static SLACK_OWN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"<https://[a-z0-9-]+\.console\.[a-z.-]+/ecs/v2/[A-Za-z0-9%/._~-]+\?region=[a-z0-9-]+\|[^<>|]*>|<https://[a-z0-9-]+\.console\.[a-z.-]+/cloudwatch/home\?region=[a-z0-9-]+#(?:logsV2:log-groups/log-group/[A-Za-z0-9$._~-]+/log-events/[A-Za-z0-9$._~-]+|alarmsV2:alarm/[A-Za-z0-9%._~-]+)\|[^<>|]*>|<https://docs\.aws\.amazon\.com/AmazonECS/latest/developerguide/[a-z_-]+\.html\|AWS explains>|<!date\^-?\d+\^\{date_num\} \{time_secs\}\|[0-9: -]+UTC>").unwrap()
});
static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new("`[^`]*`").unwrap());
static ENTITY: LazyLock<Regex> = LazyLock::new(|| Regex::new("&(amp|lt|gt);").unwrap());
static DISCORD_TIME: LazyLock<Regex> = LazyLock::new(|| Regex::new("<t:-?[0-9]+:[dT]>").unwrap());
static HEADING: LazyLock<Regex> = LazyLock::new(|| Regex::new("^(-?#+|>+) ").unwrap());
static CARD_TAG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"</?(b|code|pre)>|<a href="https://(?:[a-z0-9-]+\.console\.(?:aws\.amazon\.com|amazonaws\.cn|amazonaws-us-gov\.com)|docs\.aws\.amazon\.com)/[A-Za-z0-9%/._~$:=&;?#+-]*">|</a>"#).unwrap()
});
static MARKDOWN_OWN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\[[^\[\]]*\]\(https://[a-z0-9-]+\.console\.[a-z.-]+/ecs/v2/[A-Za-z0-9%/._~-]+\?region=[a-z0-9-]+\)|\[[^\[\]]*\]\(https://[a-z0-9-]+\.console\.[a-z.-]+/cloudwatch/home\?region=[a-z0-9-]+#(?:logsV2:log-groups/log-group/[A-Za-z0-9$._~-]+/log-events/[A-Za-z0-9$._~-]+|alarmsV2:alarm/[A-Za-z0-9%._~-]+)\)|\[AWS explains\]\(https://docs\.aws\.amazon\.com/AmazonECS/latest/developerguide/[a-z_-]+\.html\)").unwrap()
});
static SGR: LazyLock<Regex> = LazyLock::new(|| Regex::new("\u{1b}\\[[0-9;]*m").unwrap());
static MENTION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(^|[^\p{Alphabetic}\p{Nd}])@[\p{Alphabetic}]").unwrap());

#[test]
fn nothing_in_an_event_becomes_markup() {
    let messages = becomes_no_markup(&events::one_of_each_kind());
    assert!(messages > 400, "{messages}");
}

/// Returns how many messages were checked.
pub(crate) fn becomes_no_markup(samples: &[&(String, Value)]) -> usize {
    let renderer = events::renderer();
    let mut messages = 0;
    for (name, payload) in samples {
        for hostile in HOSTILE {
            let context = format!("{name}: {hostile:?}");
            messages += check(renderer, &poison(payload, hostile), &context);
            messages += check(renderer, &poison_all(payload, hostile), &context);
        }
    }
    messages
}

#[test]
fn a_value_of_any_length_keeps_the_message_whole() {
    keeps_whole(&events::one_of_each_kind());
}

pub(crate) fn keeps_whole(samples: &[&(String, Value)]) {
    for (name, payload) in samples {
        for (piece, times) in [("<&> ", 5_000), ("x", 300), ("ä*`@b ", 5_000)] {
            let poisoned = poison(payload, &piece.repeat(times));
            check(events::renderer(), &poisoned, name);
        }
    }
}

/// The facts that AWS's API gives of a task are not trusted either: its definition, and above all its log.
#[test]
fn nothing_that_is_looked_up_becomes_markup() {
    let renderer = events::renderer();
    for hostile in HOSTILE {
        let payload = events::sample("task_stopped-application-exit-1");
        let mut evaluated = events::evaluate(&payload, &Policy::default())
            .remove(0)
            .unwrap();
        let Facts::Task(task) = &mut evaluated.notice.facts else {
            panic!("{:?}", evaluated.notice.facts);
        };
        for container in &mut task.containers {
            container.image = Some(hostile.to_owned());
            container.log_tail = vec![hostile.to_owned(), "```".to_owned(), hostile.repeat(90)];
            container.log = Some(LogStream {
                region: "eu-west-1".to_owned(),
                group: hostile.to_owned(),
                name: hostile.to_owned(),
            });
        }
        let priority = evaluated.priority().unwrap();
        let rendered = events::render(renderer, &evaluated.notice, priority).unwrap();
        assert_clean(&rendered, hostile);
    }
}

/// Tags and the names of accounts are values too, and a template may show the keys of tags.
#[test]
fn no_tag_and_no_name_of_an_account_becomes_markup() {
    let template = TemplateFile {
        name: "task_stopped.tera".to_owned(),
        path: "task_stopped.tera".into(),
        text: "{{ tags.team }} {{ service }}\n{% for key, value in tags %}{{ key }}: {{ bold(text=value) }}\n{% endfor %}{% include \"parts/links.tera\" %}\n".to_owned(),
    };
    let own = OwnTemplates::compile(vec![template]).unwrap();
    let renderer = Renderer::new(Some(own));
    for hostile in HOSTILE {
        let payload = events::sample("task_stopped-application-exit-1");
        let mut evaluated = events::evaluate(&payload, &Policy::default())
            .remove(0)
            .unwrap();
        let tags = [("team", hostile), (hostile, hostile), ("log_tail", hostile)];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
        evaluated.notice.subject.tags = Some(tags.into());
        evaluated.notice.origin.account_name = Some(hostile.to_owned());
        evaluated.notice.origin.lookup_problem = Some(hostile.to_owned());
        let priority = evaluated.priority().unwrap();
        let rendered = events::render(&renderer, &evaluated.notice, priority).unwrap();
        assert_clean(&rendered, hostile);
        let facts = &rendered.of(ChannelType::Terminal).message.facts;
        assert_eq!(facts.tags.len(), 3, "{hostile}");
        for text in facts.tags.iter().flat_map(|(key, value)| [key, value]) {
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}

/// A message for a group contains the texts of several events.
#[test]
fn nothing_in_a_group_becomes_markup() {
    becomes_no_markup_in_groups(&events::one_of_each_kind());
}

pub(crate) fn becomes_no_markup_in_groups(samples: &[&(String, Value)]) {
    let renderer = events::renderer();
    for hostile in HOSTILE {
        let payloads: Vec<_> = samples
            .iter()
            .flat_map(|(_, payload)| [poison(payload, hostile), poison_all(payload, hostile)])
            .collect();
        let evaluated: Vec<_> = payloads
            .iter()
            .flat_map(|payload| events::evaluate(payload, &Policy::default()))
            .flatten()
            .collect();
        let items = evaluated
            .iter()
            .enumerate()
            .filter_map(|(index, evaluated)| {
                Some(GroupItem {
                    index,
                    notice: &evaluated.notice,
                    priority: evaluated.priority()?,
                })
            });
        let items: Vec<_> = items.collect();
        for budget in [None, Some(1)] {
            let mut plan = MessagePlan::of(&items);
            while let Some(group) = plan.next(budget) {
                let rendered = events::render_group(renderer, &group.group).unwrap();
                assert_clean(&rendered, hostile);
            }
        }
    }
}

/// Checks the message and the payload of every channel type.
fn assert_clean(rendered: &Rendered, context: &str) {
    for channel in rendered.channels() {
        let (message, payload) = (&channel.message, channel.payload.as_ref());
        match (channel.channel_type, channel.flavor) {
            (_, Flavor::Mattermost) => {
                let message = without_blocks(message, "```\n", "\n```", "`<>");
                assert_plain_markdown_clean(&message, context);
                assert_mattermost_limits(payload.unwrap(), context);
            }
            (ChannelType::Slack | ChannelType::SlackApp, Flavor::Own) => {
                assert_slack_clean(&without_blocks(message, "```\n", "\n```", "`<>"), context);
                assert_slack_limits(payload.unwrap(), context);
            }
            (ChannelType::Teams, Flavor::Own) => {
                assert_markdown_clean(&without_blocks(message, "", "", ""), context);
                assert_teams_limits(payload.unwrap(), context);
            }
            (ChannelType::Discord, Flavor::Own) => {
                let message = without_blocks(message, "```\n", "\n```", "`");
                assert_plain_markdown_clean(&message, context);
                assert_discord_limits(payload.unwrap(), context);
            }
            (ChannelType::GoogleChat, Flavor::Own) => {
                assert_card_html_clean(message, context);
                assert_google_chat_limits(payload.unwrap(), context);
            }
            (ChannelType::Flowdock, Flavor::Own) => {
                assert_markdown_clean(&without_blocks(message, "```\n", "\n```", "`<>"), context);
                let content = payload.unwrap()["content"].as_str().unwrap();
                assert!(content.encode_utf16().count() <= 8_096, "{context}");
            }
            (ChannelType::Webhook, Flavor::Own) => {
                assert_plain_clean(message, context);
                let length = payload.unwrap().to_string().len();
                assert!(length <= 20_000, "{context}: {length}");
            }
            (ChannelType::Pagerduty, Flavor::Own) => {
                assert_plain_clean(message, context);
                let event = &payload.unwrap()["payload"];
                let summary = event["summary"].as_str().unwrap().chars().count();
                assert!((1..=1_024).contains(&summary), "{context}: {summary}");
            }
            (ChannelType::Jsm, Flavor::Own) => {
                assert_plain_clean(message, context);
                let text = payload.unwrap()["message"].as_str().unwrap();
                assert!(
                    (1..=130).contains(&text.chars().count()),
                    "{context}: {text}"
                );
            }
            (ChannelType::Sns, Flavor::Own) => {
                assert_markdown_clean(&without_blocks(message, "```\n", "\n```", "`<>"), context);
                let content = &payload.unwrap()["content"];
                let length = |it: &Value| it.as_str().unwrap().encode_utf16().count();
                assert!(length(&content["title"]) <= 500, "{context}");
                assert!(length(&content["description"]) <= 8_000, "{context}");
            }
            (ChannelType::Terminal, Flavor::Own) => {
                assert_terminal_clean(&rendered.terminal.replace("\n  | ", " "), context);
            }
        }
    }
}

/// A message without its blocks, which are checked here. In a markup with a fence the lines of a block must not contain
/// what has a meaning there. In a markup without a fence they are sent as plain text.
fn without_blocks(message: &Message, fence: &str, end: &str, forbidden: &str) -> Message {
    let mut message = message.clone();
    message.details.retain(|line| {
        if line.is_block {
            let inner = line.text.strip_prefix(fence);
            let inner = inner.and_then(|it| it.strip_suffix(end)).unwrap();
            assert!(!inner.contains(['\r', '\u{1b}']), "{inner}");
            assert!(!inner.contains(|it| forbidden.contains(it)), "{inner}");
        }
        !line.is_block
    });
    message
}

/// Renders every event of a payload and checks each message. Returns how many messages there were.
fn check(renderer: &Renderer, payload: &Value, context: &str) -> usize {
    let mut messages = 0;
    for evaluated in events::evaluate(payload, &Policy::default()) {
        let Ok(evaluated) = evaluated else { continue };
        let Some(priority) = evaluated.priority() else {
            continue;
        };
        let rendered = events::render(renderer, &evaluated.notice, priority)
            .unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_clean(&rendered, context);
        messages += 1;
    }
    messages
}

pub(crate) fn assert_slack_clean(message: &Message, context: &str) {
    for line in lines(message) {
        let rest = SLACK_OWN.replace_all(line, "");
        let plain = CODE.replace_all(&rest, "");
        assert!(!rest.contains(['<', '>', '\n', '\r']), "{context}: {line}");
        assert!(!plain.contains('`'), "{context}: {line}");
        assert_eq!(plain.matches('*').count() % 2, 0, "{context}: {line}");
        assert!(!starts_a_mention(&plain), "{context}: {line}");
        assert!(
            !ENTITY.replace_all(&rest, "").contains('&'),
            "{context}: {line}"
        );
        assert_no_invisible(line, context);
    }
}

fn assert_markdown_clean(message: &Message, context: &str) {
    for line in lines(message) {
        let rest = MARKDOWN_OWN.replace_all(line, "");
        assert!(
            !rest.contains(['[', ']', '<', '>', '\n', '\r']) && !line.contains('\\'),
            "{context}: {line}"
        );
        assert_eq!(rest.matches('`').count() % 2, 0, "{context}: {line}");
        assert_eq!(rest.matches("**").count() % 2, 0, "{context}: {line}");
        assert!(!starts_a_mention(&rest), "{context}: {line}");
        assert_no_invisible(line, context);
    }
}

/// Plain text needs no escapes, but its lines must be lines, and nothing invisible may be in them.
fn assert_plain_clean(message: &Message, context: &str) {
    for line in lines(&without_blocks(message, "", "", "")) {
        assert!(!line.chars().any(char::is_control), "{context}: {line:?}");
        assert_no_invisible(line, context);
    }
}

/// In code nothing has a meaning but the backtick.
fn assert_plain_markdown_clean(message: &Message, context: &str) {
    for line in lines(message) {
        let rest = CODE.replace_all(line, "");
        let rest = DISCORD_TIME.replace_all(&rest, "");
        let rest = MARKDOWN_OWN.replace_all(&rest, "");
        assert!(
            !rest.contains(['[', ']', '<', '>', '`', '|', '~', '\\', '\n', '\r']),
            "{context}: {line}"
        );
        assert_eq!(rest.matches("**").count() % 2, 0, "{context}: {line}");
        let single = rest.replace("**", "");
        assert!(
            !single.contains('*') && !rest.contains("__"),
            "{context}: {line}"
        );
        assert!(!HEADING.is_match(&rest), "{context}: {line}");
        assert!(!starts_a_mention(&rest), "{context}: {line}");
        assert_no_invisible(line, context);
    }
}

/// <https://docs.discord.com/developers/resources/message#embed-object-embed-limits>
fn assert_discord_limits(payload: &Value, context: &str) {
    let length = |value: &Value| value.as_str().unwrap_or_default().encode_utf16().count();
    let embeds = payload["embeds"].as_array().unwrap();
    assert!((1..=10).contains(&embeds.len()), "{context}");
    let mut total = 0;
    for embed in embeds {
        let (title, description) = (length(&embed["title"]), length(&embed["description"]));
        assert!(title <= 256 && description <= 4_096, "{context}: {embed}");
        total += title + description;
    }
    assert!(total <= 6_000, "{context}: {total}");
    assert_eq!(
        payload["allowed_mentions"],
        serde_json::json!({"parse": []})
    );
    assert_eq!(payload.get("content"), None, "{context}");
}

/// The details are one text. A mention would notify people in both texts.
fn assert_mattermost_limits(payload: &Value, context: &str) {
    let length = |value: &Value| value.as_str().unwrap().encode_utf16().count();
    assert!(length(&payload["text"]) <= 4_000, "{context}");
    let Some(attachment) = payload["attachments"].get(0) else {
        return;
    };
    let text = &attachment["text"];
    // Mattermost counts characters.
    let characters = text.as_str().unwrap().chars().count();
    assert!((1..=7_000).contains(&characters), "{context}: {characters}");
    for text in [&payload["text"], text] {
        assert!(
            !starts_a_mention(text.as_str().unwrap()),
            "{context}: {text}"
        );
    }
}

/// Only the tags of the templates, and only whole entities. No tag is open at the end of a line.
fn assert_card_html_clean(message: &Message, context: &str) {
    for line in lines(message) {
        let rest = CARD_TAG.replace_all(line, "");
        assert!(!rest.contains(['<', '>']), "{context}: {line}");
        assert!(
            !ENTITY.replace_all(&rest, "").contains('&'),
            "{context}: {line}"
        );
        for tag in ["b", "code", "pre", "a"] {
            let opened = line.matches(&format!("<{tag}>")).count();
            let opened = opened + line.matches(&format!("<{tag} ")).count();
            let closed = line.matches(&format!("</{tag}>")).count();
            assert_eq!(opened, closed, "{context}: {line}");
        }
        assert_no_invisible(line, context);
    }
}

/// The text, which alone can mention somebody, has no value of an event.
fn assert_google_chat_limits(payload: &Value, context: &str) {
    let length = payload.to_string().len();
    assert!(length <= 32_000, "{context}: {length}");
    assert_eq!(payload.get("text"), None, "{context}");
    let widgets = &payload["cardsV2"][0]["card"]["sections"][0]["widgets"];
    assert!(
        (1..=100).contains(&widgets.as_array().unwrap().len()),
        "{context}"
    );
    let fallback = payload["fallbackText"].as_str().unwrap();
    assert!(
        !fallback.is_empty() && !fallback.contains('\n'),
        "{context}: {fallback}"
    );
}

/// The only control sequences are those for bold and colours.
fn assert_terminal_clean(text: &str, context: &str) {
    let rest = SGR.replace_all(text, "");
    assert!(
        !rest.chars().any(|c| c.is_control() && c != '\n'),
        "{context}: {rest:?}"
    );
    assert_no_invisible(&rest, context);
}

fn assert_slack_limits(payload: &Value, context: &str) {
    let length = |value: &Value| value.as_str().unwrap().encode_utf16().count();
    assert!(
        length(&payload["text"]) <= 4_000,
        "{context}: {}",
        length(&payload["text"])
    );
    let Some(attachment) = payload["attachments"].get(0) else {
        return;
    };
    let blocks = attachment["blocks"].as_array().unwrap();
    assert!((1..=50).contains(&blocks.len()), "{context}");
    let lengths: Vec<_> = blocks
        .iter()
        .map(|block| length(&block["text"]["text"]))
        .collect();
    assert!(
        lengths.iter().all(|length| (1..=3_000).contains(length)),
        "{context}: {lengths:?}"
    );
    assert!(
        lengths.iter().sum::<usize>() <= 12_000,
        "{context}: {lengths:?}"
    );
}

/// A card's texts are those of the message. Its log lines are text runs, which Teams does not read as markup.
fn assert_teams_limits(payload: &Value, context: &str) {
    let length = payload.to_string().len();
    assert!(length <= 21_000, "{context}: {length}");
    let card = &payload["attachments"][0]["content"];
    assert!(!card.to_string().contains("{{"), "{context}: {card}");
}

fn lines(message: &Message) -> impl Iterator<Item = &String> {
    let details = message.details.iter().map(|line| &line.text);
    std::iter::once(&message.headline).chain(details)
}

/// Whether the text has an `@name` where a chat service would read it as a mention.
fn starts_a_mention(text: &str) -> bool {
    MENTION.is_match(text)
}

fn assert_no_invisible(text: &str, context: &str) {
    let turns = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    assert!(!text.chars().any(turns), "{context}: {text:?}");
}

/// Replaces every text of the payload that an attacker could write. It also does this inside wrapped events.
pub(crate) fn poison(payload: &Value, hostile: &str) -> Value {
    match payload {
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| match value {
                Value::String(_) if events::DECIDING.contains(&key.as_str()) => {
                    (key.clone(), value.clone())
                }
                Value::String(inner) if key == "body" || key == "Message" => {
                    let inner: Value = serde_json::from_str(inner).unwrap();
                    (
                        key.clone(),
                        Value::String(poison(&inner, hostile).to_string()),
                    )
                }
                _ => (key.clone(), poison(value, hostile)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(|item| poison(item, hostile)).collect(),
        Value::String(text) => Value::String(poisoned(text, hostile)),
        other => other.clone(),
    }
}

/// As [`poison`], and it also appends the hostile text to fields that decide the kind of the event, and adds it as a
/// key. Messages show these too.
fn poison_all(payload: &Value, hostile: &str) -> Value {
    let mut payload = poison(payload, hostile);
    if let Some(detail) = payload.get_mut("detail").and_then(Value::as_object_mut) {
        for name in [
            "errorCode",
            "eventName",
            "eventType",
            "stopCode",
            "lastStatus",
            "overallStatus",
        ] {
            if let Some(Value::String(text)) = detail.get_mut(name) {
                text.push_str(hostile);
            }
        }
        detail.insert(hostile.to_owned(), Value::from("value"));
    }
    payload
}

/// An ARN stays an ARN and gets a hostile name at its end, because the code takes names from there.
fn poisoned(text: &str, hostile: &str) -> String {
    match text.rsplit_once('/') {
        Some((arn, _)) if text.starts_with("arn:") => format!("{arn}/{hostile}"),
        Some(_) | None => hostile.to_owned(),
    }
}
