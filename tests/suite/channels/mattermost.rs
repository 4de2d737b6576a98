//! The flavor `mattermost` of the type `slack`: what is posted, and a server that refuses what Mattermost does not show.

use ecs_parrot::notifier::channel::{Flavor, Http, Operation, Outcome};
use ecs_parrot::notifier::config::NotifierConfig;
use ecs_parrot::notifier::message::{Line, Message};
use ecs_parrot::notifier::policy::Severity;
use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

use super::{bodies, channel, message, server};
use crate::chat_services::{ChatService, Refusal, refusal};
use crate::runtime_api::{Answer, RuntimeApi};
use crate::{chat, events};

fn settings(base: &str) -> Value {
    json!({
        "url": format!("{base}/hooks/very-secret-hook"),
        "flavor": "mattermost",
        "mention": "@channel @on-call",
    })
}

fn named(mut settings: Value) -> Value {
    settings["name"] = json!("ops");
    settings["type"] = json!("slack");
    settings
}

#[tokio::test]
async fn a_message_is_an_attachment_without_blocks() {
    let server = server(ResponseTemplate::new(200).set_body_string("ok")).await;
    let channel = channel(named(settings(&server.uri())));
    assert_eq!(channel.channel.flavor(), Flavor::Mattermost);
    for severity in [Severity::Warning, Severity::Critical] {
        let message = message(severity);
        let prepared = channel.channel.prepare(&message, Operation::Post);
        let outcome = channel.channel.send(&Http::default(), &prepared).await;
        assert_eq!(outcome, Outcome::Delivered { root: None });
    }
    let body = |text: &str, color: &str| {
        let details = "*Why*: too little\n*Where*: prod-web";
        let fallback = "checkout ran out of memory";
        let attachment = json!({"color": color, "fallback": fallback, "text": details});
        json!({"text": text, "attachments": [attachment]})
    };
    let expected = [
        body("checkout ran out of memory", "#daa038"),
        body("@channel @on-call checkout ran out of memory", "#a30200"),
    ];
    assert_eq!(bodies(&server).await, expected);
}

/// The function renders in the channel's own Markdown, not in that of Slack.
#[tokio::test]
async fn the_function_posts_mattermosts_markdown() {
    let server = chat::chat(chat::ok()).await;
    let list = json!([named(settings(&server.uri()))]).to_string();
    let event = events::sample("task_stopped-out-of-memory");
    let api = RuntimeApi::with(vec![event]).await;
    let (answers, log) = api.run(&[("CHANNELS", &list)]).await;
    assert_eq!(answers, [Answer::Response(Value::Null)], "{log}");
    let bodies = bodies(&server).await;
    let text = bodies[0]["attachments"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("**Why**: `checkout` exited 137"), "{text}");
    assert!(text.contains("[task 62e6771e](https://"), "{text}");
    assert!(
        !text.contains("<https") && !text.contains("<!date"),
        "{text}"
    );
}

#[test]
fn a_very_long_message_is_within_the_limits() {
    let channel = channel(named(settings("https://mattermost.example")));
    let long = Message {
        headline: "checkout ".repeat(1_000),
        details: vec![Line::of_text(format!("- {}", "word ".repeat(50))); 200],
        ..message(Severity::Critical)
    };
    let body = channel.channel.payload(&long, Operation::Post).unwrap();
    assert!(problem_of(&body).is_ok());
    let text = body["attachments"][0]["text"].as_str().unwrap();
    assert!(text.ends_with("more lines left out"), "{text}");
    assert!(body["text"].as_str().unwrap().ends_with("checkout…"));
}

#[test]
fn wrong_settings_are_named() {
    for (setting, value, problem) in [
        (
            "flavor",
            "whsec_abcdefghijk",
            "not a flavor; allowed: `slack`, or `mattermost` for Mattermost and Rocket.Chat",
        ),
        ("mention", "<!here>", "not a mention in Mattermost's markup"),
        (
            "mention",
            "@here now",
            "not a mention in Mattermost's markup",
        ),
    ] {
        let mut settings = named(settings("https://mattermost.example"));
        settings[setting] = json!(value);
        let variable = ("CHANNELS".to_owned(), json!([settings]).to_string());
        let error = NotifierConfig::read(&[variable]).unwrap_err().to_string();
        let expected = format!("CHANNELS, `ops`, `{setting}`: {problem}");
        assert!(error.starts_with(&expected), "{error}");
        assert!(setting != "flavor" || !error.contains(value), "{error}");
    }
}

/// Each flavor has its own mentions.
#[test]
fn a_mention_of_the_other_flavor_is_refused() {
    let mut settings = named(settings("https://hooks.slack.com"));
    settings["flavor"] = json!("slack");
    let variable = ("CHANNELS".to_owned(), json!([settings]).to_string());
    let error = NotifierConfig::read(&[variable]).unwrap_err().to_string();
    assert!(error.contains("not a mention in Slack's markup"), "{error}");
}

#[test]
fn the_server_refuses_what_mattermost_does_not_show() {
    let attachment = json!({"color": "#a30200", "fallback": "x", "text": "**x**"});
    let good = json!({"text": "x", "attachments": [attachment]});
    assert!(problem_of(&good).is_ok());
    let with = |key: &str, value: Value| {
        let mut attachment = attachment.clone();
        attachment[key] = value;
        json!({"text": "x", "attachments": [attachment]})
    };
    for body in [
        json!({}),
        json!({"text": ""}),
        json!({"text": "x".repeat(16_384)}),
        json!({"text": "x", "blocks": []}),
        json!({"text": "x", "mrkdwn": true}),
        json!({"text": "x", "link_names": true}),
        json!({"text": "<https://example.com|x>"}),
        json!({"text": "<!here> x"}),
        with("blocks", json!([])),
        with("color", json!("danger")),
        with("fallback", json!("")),
        with("text", json!("")),
        with("text", json!("<https://example.com|x>")),
        with("text", json!("x".repeat(7_600))),
    ] {
        assert!(problem_of(&body).is_err(), "{body}");
    }
}

/// The incoming webhook of a Mattermost server.
pub(crate) struct Mattermost;

impl ChatService for Mattermost {
    fn settings(&self, base: &str) -> Value {
        settings(base)
    }

    fn answer(&mut self, request: &Request) -> Result<ResponseTemplate, Refusal> {
        if request.url.path() != "/hooks/very-secret-hook" {
            return Err(refusal(400, "Invalid webhook."));
        }
        let body = serde_json::from_slice(&request.body)
            .map_err(|error| refusal(400, &error.to_string()))?;
        problem_of(&body)?;
        Ok(ResponseTemplate::new(200).set_body_string("ok"))
    }
}

/// Mattermost ignores unknown fields, and shows Slack's markup as it is written. Both are mistakes here.
fn problem_of(body: &Value) -> Result<(), Refusal> {
    only_known(
        body,
        &["text", "attachments", "channel", "username", "icon_emoji"],
    )?;
    text_of(body, "text", 16_383)?;
    let Some(attachments) = body.get("attachments") else {
        return Ok(());
    };
    let attachments = attachments.as_array().filter(|it| !it.is_empty());
    let attachments = attachments.ok_or_else(|| refusal(400, "attachments"))?;
    for attachment in attachments {
        only_known(attachment, &["color", "fallback", "text", "title"])?;
        text_of(attachment, "fallback", 4_000)?;
        text_of(attachment, "text", 7_600)?;
        let color = attachment["color"].as_str().unwrap_or_default();
        let digits = color.strip_prefix('#').unwrap_or_default();
        if digits.len() != 6 || !digits.chars().all(|it| it.is_ascii_hexdigit()) {
            return Err(refusal(400, "color"));
        }
    }
    match body["attachments"].to_string().chars().count() <= 7_600 {
        true => Ok(()),
        false => Err(refusal(400, "the attachments are too large")),
    }
}

fn only_known(value: &Value, known: &[&str]) -> Result<(), Refusal> {
    let object = value.as_object();
    let object = object.ok_or_else(|| refusal(400, "not an object"))?;
    let unknown = object.keys().find(|it| !known.contains(&it.as_str()));
    unknown.map_or(Ok(()), |it| Err(refusal(400, &format!("unknown `{it}`"))))
}

fn text_of(value: &Value, key: &str, longest: usize) -> Result<(), Refusal> {
    let text = value[key].as_str().unwrap_or_default();
    let has_slacks_markup = ["<http", "<!", "<@"].iter().any(|it| text.contains(it));
    match text.is_empty() || text.chars().count() > longest || has_slacks_markup {
        true => Err(refusal(400, key)),
        false => Ok(()),
    }
}
