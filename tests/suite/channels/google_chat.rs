//! Google Chat: what is posted, which thread it joins, what follows from each error, and a server that refuses what Google
//! refuses.

use std::collections::BTreeSet;
use std::time::Duration;

use ecs_parrot::http::SharedClient;
use ecs_parrot::notifier::channel::{ConfiguredChannel, Http, MessageRef, Operation, Outcome};
use ecs_parrot::notifier::config::NotifierConfig;
use ecs_parrot::notifier::message::{Line, Message};
use ecs_parrot::notifier::policy::Severity;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{channel, message};
use crate::chat_services::{ChatService, Refusal, StrictServer, refusal};
use crate::stories;

const KEY: &str = "K3y-very-secret";
const TOKEN: &str = "T0ken_very-secret%3D";
const REPLY: &str = "messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD";

fn url(base: &str) -> String {
    format!("{base}/v1/spaces/AAAAbbbb/messages?key={KEY}&token={TOKEN}")
}

fn chat(base: &str) -> ConfiguredChannel {
    channel(json!({
        "name": "ops",
        "type": "google_chat",
        "url": url(base),
        "mention": "<users/all>",
    }))
}

async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

fn accepted() -> ResponseTemplate {
    let message = json!({
        "name": "spaces/AAAAbbbb/messages/B.B",
        "thread": {"name": "spaces/AAAAbbbb/threads/B"},
    });
    ResponseTemplate::new(200).set_body_json(message)
}

async fn send(channel: &ConfiguredChannel, message: &Message, operation: Operation<'_>) -> Outcome {
    let prepared = channel.channel.prepare(message, operation);
    channel.channel.send(&Http::default(), &prepared).await
}

/// The query and the body of each request.
async fn received(server: &MockServer) -> Vec<(String, Value)> {
    let requests = server.received_requests().await.unwrap();
    let requests = requests.iter().map(|it| {
        assert_eq!(it.method.as_str(), "POST");
        assert_eq!(it.url.path(), "/v1/spaces/AAAAbbbb/messages");
        let body = serde_json::from_slice(&it.body).unwrap();
        (it.url.query().unwrap_or_default().to_owned(), body)
    });
    requests.collect()
}

fn paragraphs(texts: &[&str]) -> Value {
    let widget = |text: &&str| json!({"textParagraph": {"text": text}});
    let widgets: Vec<_> = texts.iter().map(widget).collect();
    json!([{"cardId": "message", "card": {"sections": [{"widgets": widgets}]}}])
}

#[tokio::test]
async fn an_event_without_a_thread_is_a_card_by_itself() {
    let server = server(accepted()).await;
    let channel = chat(&server.uri());
    let outcome = send(&channel, &message(Severity::Warning), Operation::Post).await;
    assert_eq!(outcome, Outcome::Delivered { root: None });
    let headline = "<b><font color=\"#e37400\">checkout ran out of memory</font></b>";
    let body = json!({
        "fallbackText": "checkout ran out of memory",
        "cardsV2": paragraphs(&[headline, "*Why*: too little<br>*Where*: prod-web"]),
    });
    let query = format!("key={KEY}&token={TOKEN}");
    assert_eq!(received(&server).await, [(query, body)]);
}

#[tokio::test]
async fn only_a_message_that_mentions_has_the_mention() {
    let server = server(accepted()).await;
    let channel = chat(&server.uri());
    for severity in [Severity::Warning, Severity::Critical] {
        send(&channel, &message(severity), Operation::Post).await;
    }
    let received = received(&server).await;
    let texts: Vec<_> = received.iter().map(|(_, body)| body.get("text")).collect();
    assert_eq!(texts, [None, Some(&json!("<users/all>"))]);
}

/// All messages of a thread have the key that the reference of its first message names.
#[tokio::test]
async fn the_messages_of_a_thread_have_its_key() {
    let server = server(accepted()).await;
    let channel = chat(&server.uri());
    let lines = stories::play("crash-loop", channel.channel_type);
    let first = &lines[0].shown;
    let key = first.thread.as_ref().unwrap().id.to_string();
    let Outcome::Delivered { root: Some(root) } = send(&channel, first, Operation::Post).await
    else {
        panic!("no reference");
    };
    for broadcast in [false, true] {
        let reply = Operation::Reply {
            root: &root,
            broadcast,
        };
        let outcome = send(&channel, &lines[1].shown, reply).await;
        assert_eq!(outcome, Outcome::Delivered { root: None });
    }
    let received = received(&server).await;
    assert_eq!(received.len(), 3);
    for (query, body) in received {
        assert_eq!(query, format!("key={KEY}&token={TOKEN}&{REPLY}"));
        assert_eq!(body["thread"], json!({ "threadKey": key }));
    }
}

/// The order of a story: each thread is posted once, and everything else about it is a reply.
#[tokio::test]
async fn a_story_has_a_thread_for_each_problem() {
    let server = StrictServer::start(Box::<Space>::default()).await;
    let channel = server.channel("google_chat".parse().unwrap());
    let lines = stories::play("crash-after-deployment", channel.channel_type);
    let (mut threads, mut replies) = (BTreeSet::new(), 0);
    for line in lines.iter() {
        let key = line.thread.as_ref().unwrap().to_string();
        let root = MessageRef {
            channel: "thread".to_owned(),
            id: key.clone(),
        };
        let operation = match threads.insert(key) {
            true => Operation::Post,
            false => Operation::Reply {
                root: &root,
                broadcast: false,
            },
        };
        replies += u32::from(operation != Operation::Post);
        let outcome = send(&channel, &line.shown, operation).await;
        assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    }
    let keys: BTreeSet<_> = server
        .accepted()
        .iter()
        .map(|body| body["thread"]["threadKey"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(keys, threads);
    assert!(replies > 0 && threads.len() > 1, "{replies} {threads:?}");
}

fn error(code: u16, status: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "status": status}})
}

#[tokio::test]
async fn each_error_says_what_to_do() {
    let mut invalid = error(400, "INVALID_ARGUMENT", "API key not valid.");
    invalid["error"]["details"] = json!([{"reason": "API_KEY_INVALID"}]);
    for (status, body, why) in [
        (
            400,
            invalid,
            "400 INVALID_ARGUMENT: API key not valid.: check `key` in `url`: copy the whole address again",
        ),
        (
            400,
            error(400, "INVALID_ARGUMENT", "Message is too long."),
            "400 INVALID_ARGUMENT: Message is too long.: Google Chat does not accept this message: check your own templates and `mention`",
        ),
        (
            401,
            error(401, "UNAUTHENTICATED", "x"),
            "401 UNAUTHENTICATED: x: check `key` and `token` in `url`, and that the webhook and the right to add webhooks still exist",
        ),
        (
            403,
            error(
                403,
                "PERMISSION_DENIED",
                "The API is called without a valid token.",
            ),
            "403 PERMISSION_DENIED: The API is called without a valid token.: check `key` and `token` in `url`, and that the webhook and the right to add webhooks still exist",
        ),
        (
            404,
            error(404, "NOT_FOUND", "Space not found."),
            "404 NOT_FOUND: Space not found.: the space or the webhook is gone: make a webhook and store its address",
        ),
        (
            404,
            json!("x"),
            "404 Not Found: the space or the webhook is gone: make a webhook and store its address",
        ),
        (
            413,
            json!("x"),
            "413 Payload Too Large: Google Chat does not accept this message: check your own templates and `mention`",
        ),
    ] {
        let server = server(ResponseTemplate::new(status).set_body_json(body)).await;
        let outcome = send(
            &chat(&server.uri()),
            &message(Severity::Info),
            Operation::Post,
        )
        .await;
        assert_eq!(
            outcome,
            Outcome::Refused {
                why: why.to_owned()
            }
        );
    }
}

/// Google gives no delay, so the delays grow. If it gives one, it counts.
#[tokio::test]
async fn what_passes_is_tried_again() {
    const SHARED: &str = "all apps of a space share 60 messages a minute";
    const OUTAGE: &str = "the service has a problem: try again later";
    const BUSY: &str = "the service accepts no more messages for now: try again later";
    for (status, name, header, after, advice) in [
        (429, "RESOURCE_EXHAUSTED", None, None, SHARED),
        (429, "RESOURCE_EXHAUSTED", Some("9"), Some(9), SHARED),
        (503, "UNAVAILABLE", None, None, OUTAGE),
        (500, "INTERNAL", None, None, OUTAGE),
        (409, "ABORTED", None, None, BUSY),
    ] {
        let body = error(status, name, "Quota exceeded.");
        let mut answer = ResponseTemplate::new(status).set_body_json(body);
        if let Some(seconds) = header {
            answer = answer.insert_header("retry-after", seconds);
        }
        let server = server(answer).await;
        let outcome = send(
            &chat(&server.uri()),
            &message(Severity::Info),
            Operation::Post,
        )
        .await;
        let expected = Outcome::Retry {
            after: after.map(Duration::from_secs),
            why: format!("{status} {name}: Quota exceeded."),
            advice: Some(advice),
        };
        assert_eq!(outcome, expected);
    }
}

/// An answer may repeat the address as it was sent, or decoded.
#[tokio::test]
async fn an_error_shows_neither_key_nor_token() {
    for echo in [KEY, TOKEN, "T0ken_very-secret=", "T0ken_very-secret"] {
        let body = error(
            403,
            "PERMISSION_DENIED",
            &format!("no such webhook: {echo}"),
        );
        let server = server(ResponseTemplate::new(403).set_body_json(body)).await;
        let channel = chat(&server.uri());
        let outcome = send(&channel, &message(Severity::Info), Operation::Post).await;
        let shown = format!("{outcome:?} {channel:?}");
        assert!(shown.contains("no such webhook"), "{shown}");
        assert!(!shown.contains("very-secret"), "{shown}");
    }
}

#[test]
fn wrong_settings_are_named_without_the_address() {
    let google = "https://chat.googleapis.com";
    for (setting, value, problem) in [
        (
            "url",
            json!(url("https://example.com")),
            "not the address of a Google Chat webhook",
        ),
        (
            "url",
            json!(format!("{google}/v1/spaces/A/messages?key={KEY}")),
            "with `key` and `token`",
        ),
        (
            "url",
            json!(url("http://chat.googleapis.com")),
            "messages would be sent unencrypted",
        ),
        ("url", json!(null), "it is missing"),
        (
            "mention",
            json!("@all"),
            "not a mention in Google Chat's markup",
        ),
    ] {
        let mut settings = json!({"name": "ops", "type": "google_chat", "url": url(google)});
        settings[setting] = value;
        let variable = ("CHANNELS".to_owned(), json!([settings]).to_string());
        let error = NotifierConfig::read(&[variable]).unwrap_err().to_string();
        let expected = format!("CHANNELS, `ops`, `{setting}`: ");
        assert!(error.starts_with(&expected), "{error}");
        assert!(
            error.contains(problem) && !error.contains("very-secret"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_server_refuses_what_google_refuses() {
    let space = StrictServer::start(Box::<Space>::default()).await;
    let base = space.address();
    let client = SharedClient::default();
    let client = client.get().unwrap();
    let card = paragraphs(&["<b>x</b>"]);
    let good = json!({"cardsV2": card, "fallbackText": "x"});
    let threaded = json!({"cardsV2": card, "thread": {"threadKey": "a"}});
    let long = "x".repeat(32_000);
    for (query, body, status) in [
        ("", good.clone(), 200),
        (REPLY, threaded.clone(), 200),
        ("", threaded, 400),
        (REPLY, good.clone(), 400),
        ("messageReplyOption=REPLY", good, 400),
        ("", json!({"text": "hello"}), 200),
        ("", json!({}), 400),
        ("", json!({"fallbackText": "x"}), 400),
        ("", json!({"text": long}), 400),
        ("", json!({"text": "x", "blocks": []}), 400),
        ("", json!({"cards": card}), 400),
        ("", json!({"cardsV2": []}), 400),
        ("", json!({"cardsV2": [{"card": {"sections": []}}]}), 400),
        ("", json!({"cardsV2": paragraphs(&[""])}), 400),
        (
            "",
            json!({"cardsV2": paragraphs(&["<script>x</script>"])}),
            400,
        ),
        ("", json!({"cardsV2": paragraphs(&["<b>x"])}), 400),
        ("", json!({"cardsV2": paragraphs(&["a & b"])}), 400),
    ] {
        let request = client.post(format!("{}&{query}", url(&base)));
        let answer = request.json(&body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{query} {body}");
    }
    for (url, status) in [
        (format!("{base}/v1/spaces/AAAAbbbb/messages?key={KEY}"), 403),
        (
            format!("{base}/v1/spaces/AAAAbbbb/messages?token={TOKEN}"),
            400,
        ),
        (
            format!("{base}/v1/spaces/other/messages?key={KEY}&token={TOKEN}"),
            404,
        ),
    ] {
        let request = client.post(&url).json(&json!({"text": "x"}));
        assert_eq!(request.send().await.unwrap().status(), status, "{url}");
    }
}

#[tokio::test]
async fn a_very_long_message_is_accepted() {
    let server = StrictServer::start(Box::<Space>::default()).await;
    let channel = server.channel("google_chat".parse().unwrap());
    let long = Message {
        details: vec![Line::of_text("ä&amp; ".repeat(200)); 100],
        ..message(Severity::Critical)
    };
    let outcome = send(&channel, &long, Operation::Post).await;
    assert_eq!(outcome, Outcome::Delivered { root: None });
    let body = server.accepted()[0].to_string();
    assert!(body.contains("more lines left out"), "{body}");
}

/// A space with one webhook, as Google's API plays it.
#[derive(Default)]
pub(crate) struct Space {
    messages: u32,
}

impl ChatService for Space {
    fn settings(&self, base: &str) -> Value {
        json!({"url": url(base), "mention": "<users/all>"})
    }

    fn answer(&mut self, request: &Request) -> Result<ResponseTemplate, Refusal> {
        if request.url.path() != "/v1/spaces/AAAAbbbb/messages" {
            return Err(refusal(404, "Space not found."));
        }
        if request.method.as_str() != "POST" {
            return Err(refusal(405, "Method not allowed."));
        }
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|error| refusal(400, &error.to_string()))?;
        problem_of_query(request, body.get("thread").is_some())?;
        if request.body.len() > 32_000 {
            return Err(refusal(400, "Message is too long."));
        }
        problem_of(&body)?;
        self.messages += 1;
        let name = format!("spaces/AAAAbbbb/messages/{}", self.messages);
        Ok(ResponseTemplate::new(200).set_body_json(json!({ "name": name })))
    }
}

/// Google ignores the key of a thread without the parameter, and the parameter without a key. Both are mistakes here.
fn problem_of_query(request: &Request, has_thread: bool) -> Result<(), Refusal> {
    let (mut key, mut token, mut replies) = (false, false, false);
    for (name, value) in request.url.query_pairs() {
        match (&*name, &*value) {
            ("key", KEY) => key = true,
            ("token", "T0ken_very-secret=") => token = true,
            ("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD") => replies = true,
            ("", "") => {}
            _ => return Err(refusal(400, &format!("parameter `{name}`"))),
        }
    }
    match (key, token) {
        (false, _) => Err(refusal(400, "API key not valid.")),
        (_, false) => Err(refusal(403, "The API is called without a valid token.")),
        (true, true) if replies != has_thread => Err(refusal(400, "messageReplyOption")),
        (true, true) => Ok(()),
    }
}

fn problem_of(body: &Value) -> Result<(), Refusal> {
    let known = ["text", "fallbackText", "cardsV2", "thread"];
    only_known(body, &known)?;
    let text = body.get("text");
    if text.is_none() && body.get("cardsV2").is_none() {
        return Err(refusal(400, "Message cannot be empty."));
    }
    for text in [text, body.get("fallbackText")].into_iter().flatten() {
        if text.as_str().is_none_or(str::is_empty) {
            return Err(refusal(400, "not a text"));
        }
    }
    if let Some(thread) = body.get("thread") {
        only_known(thread, &["threadKey"])?;
        let key = thread["threadKey"].as_str().unwrap_or_default();
        if key.is_empty() || key.chars().count() > 4_000 {
            return Err(refusal(400, "threadKey"));
        }
    }
    match body.get("cardsV2") {
        Some(cards) => list(cards)?.iter().try_for_each(problem_of_card),
        None => Ok(()),
    }
}

fn problem_of_card(card: &Value) -> Result<(), Refusal> {
    only_known(card, &["cardId", "card"])?;
    only_known(&card["card"], &["header", "sections"])?;
    for section in list(&card["card"]["sections"])? {
        only_known(section, &["header", "widgets"])?;
        let widgets = list(&section["widgets"])?;
        if widgets.len() > 100 {
            return Err(refusal(400, "more than 100 widgets"));
        }
        for widget in widgets {
            only_known(widget, &["textParagraph"])?;
            only_known(&widget["textParagraph"], &["text"])?;
            problem_of_html(widget["textParagraph"]["text"].as_str().unwrap_or_default())?;
        }
    }
    Ok(())
}

/// Google shows unknown tags in some way or other, so they are refused here.
/// <https://developers.google.com/workspace/chat/format-messages#card-formatting>
fn problem_of_html(text: &str) -> Result<(), Refusal> {
    const TAGS: [&str; 11] = [
        "b", "i", "u", "s", "font", "a", "br", "time", "code", "pre", "strike",
    ];
    let wrong = |what: &str| Err(refusal(400, &format!("{what}: {text}")));
    let mut open: Vec<&str> = Vec::new();
    let mut parts = text.split('<');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((tag, rest)) = part.split_once('>') else {
            return wrong("an open bracket");
        };
        plain.push_str(rest);
        let name = tag.trim_start_matches('/').split(' ').next();
        let name = name.unwrap_or_default();
        if !TAGS.contains(&name) {
            return wrong("an unknown tag");
        }
        match (tag.starts_with('/'), name) {
            (_, "br") => {}
            (false, _) => open.push(name),
            (true, _) if open.pop() == Some(name) => {}
            (true, _) => return wrong("a tag closed before another"),
        }
    }
    let entities = ["&amp;", "&lt;", "&gt;"].iter();
    let rest = entities.fold(plain.clone(), |text, entity| text.replace(entity, ""));
    if !open.is_empty() || rest.contains(['&', '>']) {
        return wrong("an open tag or a bare `&`");
    }
    match plain.trim().is_empty() {
        true => wrong("an empty paragraph"),
        false => Ok(()),
    }
}

fn only_known(value: &Value, known: &[&str]) -> Result<(), Refusal> {
    let unknown = || refusal(400, "Invalid JSON payload received.");
    let object = value.as_object().ok_or_else(unknown)?;
    let unknown = object.keys().find(|it| !known.contains(&it.as_str()));
    unknown.map_or(Ok(()), |it| {
        Err(refusal(400, &format!("Unknown name \"{it}\"")))
    })
}

fn list(value: &Value) -> Result<&Vec<Value>, Refusal> {
    let list = value.as_array().filter(|it| !it.is_empty());
    list.ok_or_else(|| refusal(400, "an empty list"))
}
