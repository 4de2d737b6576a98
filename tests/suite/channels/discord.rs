//! Discord: what each operation sends, what follows from each error, and a server that refuses what Discord refuses.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ecs_parrot::http::SharedClient;
use ecs_parrot::notifier::channel::{ConfiguredChannel, Http, MessageRef, Operation, Outcome};
use ecs_parrot::notifier::config::NotifierConfig;
use ecs_parrot::notifier::message::{Line, Message};
use ecs_parrot::notifier::policy::Severity;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::{channel, fact, message};
use crate::chat_services::{ChatService, Refusal, refusal};
use crate::events;
use crate::fake_aws::FakeAws;
use crate::runtime_api::{Answer, RuntimeApi};

const PARROT: &str = env!("CARGO_BIN_EXE_parrot");

const ID: &str = "1234567890";
const TOKEN: &str = "T0KEN-very_secret";
const CHANNEL: &str = "7000000001";

/// The server of one webhook, and what it received.
struct Discord {
    server: MockServer,
    webhook: Arc<Mutex<Webhook>>,
}

struct Answers(Arc<Mutex<Webhook>>);

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut webhook = self.0.lock().unwrap();
        webhook
            .respond(request)
            .unwrap_or_else(|fault| fault.answer())
    }
}

impl Discord {
    async fn start() -> Self {
        let server = MockServer::start().await;
        let webhook = Arc::new(Mutex::new(Webhook::default()));
        let every = Mock::given(any()).respond_with(Answers(Arc::clone(&webhook)));
        every.mount(&server).await;
        Self { server, webhook }
    }

    fn url(&self) -> String {
        format!("{}/api/webhooks/{ID}/{TOKEN}", self.server.uri())
    }

    fn channel(&self, more: &Value) -> ConfiguredChannel {
        let mut settings = json!({"name": "ops", "type": "discord", "url": self.url()});
        for (key, value) in more.as_object().unwrap() {
            settings[key] = value.clone();
        }
        channel(settings)
    }

    fn change(&self, change: impl FnOnce(&mut Webhook)) {
        change(&mut self.webhook.lock().unwrap());
    }

    /// The method, the path and query, and the body of each request.
    async fn requests(&self) -> Vec<(String, String, Value)> {
        let requests = self.server.received_requests().await.unwrap();
        let requests = requests.iter().map(|it| {
            let query = it.url.query().map(|it| format!("?{it}"));
            let place = format!("{}{}", it.url.path(), query.unwrap_or_default());
            let body = serde_json::from_slice(&it.body).unwrap();
            (it.method.to_string(), place, body)
        });
        requests.collect()
    }
}

async fn send(channel: &ConfiguredChannel, message: &Message, operation: Operation<'_>) -> Outcome {
    let prepared = channel.channel.prepare(message, operation);
    channel.channel.send(&Http::default(), &prepared).await
}

async fn posted(channel: &ConfiguredChannel) -> MessageRef {
    match send(channel, &message(Severity::Warning), Operation::Post).await {
        Outcome::Delivered { root: Some(root) } => root,
        other => panic!("{other:?}"),
    }
}

fn root(number: u64) -> MessageRef {
    MessageRef {
        channel: CHANNEL.to_owned(),
        id: (9_000_000_000 + number).to_string(),
    }
}

fn delivered(number: u64) -> Outcome {
    let root = Some(root(number));
    Outcome::Delivered { root }
}

fn embed(title: &str) -> Value {
    let description = "*Why*: too little\n*Where*: prod-web";
    json!([{"title": title, "description": description, "color": 0x00f1_c40f}])
}

#[tokio::test]
async fn a_post_gives_the_reference_of_the_message() {
    let discord = Discord::start().await;
    let channel = discord.channel(&json!({"username": "Parrot"}));
    let outcome = send(&channel, &message(Severity::Warning), Operation::Post).await;
    assert_eq!(outcome, delivered(1));
    let body = json!({
        "embeds": embed("checkout ran out of memory"),
        "allowed_mentions": {"parse": []},
        "username": "Parrot",
    });
    let place = format!("/api/webhooks/{ID}/{TOKEN}?wait=true");
    assert_eq!(discord.requests().await, [("POST".to_owned(), place, body)]);
}

#[tokio::test]
async fn an_edit_replaces_the_message_and_mentions_nobody() {
    let discord = Discord::start().await;
    let mut settings = json!({"mention": "<@&42> @here", "username": "Parrot"});
    settings["url"] = json!(format!("{}?thread_id={CHANNEL}", discord.url()));
    let channel = discord.channel(&settings);
    let critical = message(Severity::Critical);
    assert_eq!(
        send(&channel, &critical, Operation::Post).await,
        delivered(1)
    );
    let mut later = message(Severity::Warning);
    later.mentions = true;
    later.headline = "checkout recovered".to_owned();
    let outcome = send(&channel, &later, Operation::Update(&root(1))).await;
    assert_eq!(outcome, Outcome::Delivered { root: None });
    let requests = discord.requests().await;
    assert_eq!(requests[0].2["content"], "<@&42> @here");
    let allowed = json!({"parse": ["everyone"], "roles": ["42"]});
    assert_eq!(requests[0].2["allowed_mentions"], allowed);
    let body = json!({
        "content": null,
        "embeds": embed("checkout recovered"),
        "allowed_mentions": {"parse": []},
    });
    let place = format!("/api/webhooks/{ID}/{TOKEN}/messages/9000000001?thread_id={CHANNEL}");
    assert_eq!(requests[1], ("PATCH".to_owned(), place, body));
}

#[tokio::test]
async fn only_a_message_that_mentions_has_the_mention() {
    let discord = Discord::start().await;
    let channel = discord.channel(&json!({"mention": "<@80351110224678912>"}));
    for severity in [Severity::Warning, Severity::Critical] {
        send(&channel, &message(severity), Operation::Post).await;
    }
    let requests = discord.requests().await;
    assert_eq!(requests[0].2.get("content"), None);
    assert_eq!(requests[0].2["allowed_mentions"], json!({"parse": []}));
    assert_eq!(requests[1].2["content"], "<@80351110224678912>");
    let users = json!({"parse": [], "users": ["80351110224678912"]});
    assert_eq!(requests[1].2["allowed_mentions"], users);
}

/// The message was deleted, is another webhook's, or is one of another chat from before the type was changed.
#[tokio::test]
async fn an_edit_of_a_message_that_is_gone_posts_it_anew() {
    for (id, requests) in [("9000000077", 2), ("1793064704.000001", 1), ("../x", 1)] {
        let discord = Discord::start().await;
        let channel = discord.channel(&json!({}));
        let gone = MessageRef {
            id: id.to_owned(),
            ..root(0)
        };
        let message = message(Severity::Warning);
        let outcome = send(&channel, &message, Operation::Update(&gone)).await;
        assert_eq!(outcome, delivered(1), "{id}");
        let received = discord.requests().await;
        assert_eq!(received.len(), requests, "{id}");
        let (method, _, body) = received.last().unwrap();
        assert_eq!((method.as_str(), body.get("content")), ("POST", None));
    }
}

/// Discord bans those who call a webhook again that is gone.
#[tokio::test]
async fn a_webhook_that_is_gone_is_not_called_again() {
    let discord = Discord::start().await;
    let channel = discord.channel(&json!({}));
    let root = posted(&channel).await;
    discord.change(|webhook| webhook.is_gone = true);
    let message = message(Severity::Warning);
    for operation in [Operation::Update(&root), Operation::Post, Operation::Post] {
        match send(&channel, &message, operation).await {
            Outcome::Refused { why } => {
                let expected = match operation {
                    Operation::Update(_) => "404 Unknown Webhook (10015): the webhook was deleted",
                    Operation::Post | Operation::Reply { .. } => {
                        "the secret cannot be used: the service said that this address is gone"
                    }
                };
                assert!(why.starts_with(expected), "{why}");
                assert!(!why.contains(TOKEN), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(discord.requests().await.len(), 2);
}

/// Whatever the error is, Discord demands that an address that answered 404 is not called again. The only other meaning
/// of a 404 is that the edited message is gone.
#[tokio::test]
async fn after_any_404_the_address_is_not_called_again() {
    let of_code = |code: u64| json!({"message": "Unknown", "code": code});
    for (body, is_edit, requests) in [
        (of_code(10_015), false, 1),
        (of_code(10_003), false, 1),
        (of_code(0), false, 1),
        (of_code(10_008), false, 1),
        (json!("a page"), false, 1),
        (of_code(10_003), true, 1),
        (json!("a page"), true, 1),
        // The message is gone, so it is posted anew, and the address works.
        (of_code(10_008), true, 3),
    ] {
        let discord = Discord::start().await;
        let channel = discord.channel(&json!({}));
        let answer = ResponseTemplate::new(404).set_body_json(&body);
        discord.change(|webhook| webhook.next = Some(answer));
        let root = root(1);
        let operation = match is_edit {
            true => Operation::Update(&root),
            false => Operation::Post,
        };
        let message = message(Severity::Warning);
        let first = send(&channel, &message, operation).await;
        let second = send(&channel, &message, Operation::Post).await;
        let is_refused = |it: &Outcome| matches!(it, Outcome::Refused { .. });
        let expected = requests == 1;
        assert_eq!([&first, &second].map(is_refused), [expected; 2], "{body}");
        assert_eq!(
            discord.requests().await.len(),
            requests,
            "{body}: {second:?}"
        );
    }
}

/// The address in Parameter Store was changed: the old webhook is called once, the new one for every message.
#[tokio::test]
async fn the_new_address_of_a_webhook_is_used() {
    let (old, new) = (Discord::start().await, Discord::start().await);
    old.change(|webhook| webhook.is_gone = true);
    let aws = FakeAws::start().await;
    aws.secret("/ops/discord", &new.url());
    aws.answer_once("GetParameter", json!({"Parameter": {"Value": old.url()}}));
    let list = json!([{"name": "ops", "type": "discord", "url": "ssm:/ops/discord"}]).to_string();
    let stops = ["stop_task-by-iam-user", "stop_task-by-root"].map(events::sample);
    let api = RuntimeApi::with(stops.to_vec()).await;
    let (answers, log) = aws.invoke(PARROT, api, &[("CHANNELS", &list)]).await;
    let done = || Answer::Response(Value::Null);
    assert_eq!(answers, [done(), done()], "{log}");
    assert_eq!(old.requests().await.len(), 1);
    assert_eq!(new.requests().await.len(), 2);
    assert!(!log.contains(TOKEN), "{log}");
}

#[tokio::test]
async fn each_error_says_what_to_do() {
    let form = json!({"username": {"_errors": [{"message": "Username cannot contain \"x\""}]}});
    for (status, body, why) in [
        (
            401,
            json!({"message": "Invalid Webhook Token", "code": 50027}),
            "401 Invalid Webhook Token (50027): the webhook was deleted, or its address is incomplete: make a webhook and store its address",
        ),
        (
            401,
            json!({"message": "401: Unauthorized", "code": 0}),
            "401 Unauthorized: check that `url` is the whole address that `Copy Webhook URL` gives",
        ),
        (
            403,
            json!({"message": "Missing Permissions", "code": 50013}),
            "403 Missing Permissions (50013): the webhook must be allowed to post in the channel: check the channel's permissions, or make a webhook anew",
        ),
        (
            403,
            json!("error code: 1010"),
            "403 Forbidden: Discord does not let this webhook, or this IP address, post",
        ),
        (
            404,
            json!({"message": "Unknown Channel", "code": 10003}),
            "404 Unknown Channel (10003): the channel or the thread is gone: check `thread_id` in `url`",
        ),
        (
            404,
            json!({"message": "Unknown Message", "code": 10008}),
            "404 Unknown Message (10008): check that `url` is the whole address that `Copy Webhook URL` gives",
        ),
        (
            400,
            json!({"message": "Webhooks posted to forum channels must have a thread_name or thread_id", "code": 220_001}),
            "400 Webhooks posted to forum channels must have a thread_name or thread_id (220001): the channel is a forum: add `?thread_id=ID` of one of its posts to `url`",
        ),
        (
            400,
            json!({"message": "Invalid Form Body", "code": 50035, "errors": form}),
            "400 Invalid Form Body (50035): username: Username cannot contain \"x\"",
        ),
        (
            413,
            json!({"message": "Request entity too large", "code": 40005}),
            "413 Request entity too large (40005): the message is too large for Discord: check your own templates",
        ),
        (
            413,
            json!("too large"),
            "413 Payload Too Large: the message is too large: check your own templates",
        ),
    ] {
        let discord = Discord::start().await;
        let answer = ResponseTemplate::new(status).set_body_json(body);
        discord.change(|webhook| webhook.next = Some(answer));
        let channel = discord.channel(&json!({}));
        let outcome = send(&channel, &message(Severity::Warning), Operation::Post).await;
        assert_eq!(
            outcome,
            Outcome::Refused {
                why: why.to_owned()
            }
        );
    }
}

#[tokio::test]
async fn the_delay_is_the_one_of_the_body() {
    let busy = |delay: Value| json!({"message": "You are being rate limited.", "retry_after": delay, "global": false});
    let why = "429 You are being rate limited.";
    for (body, after, why) in [
        (busy(json!(64.57)), 65, why),
        (busy(json!(0.3)), 1, why),
        (
            json!({"message": "Too many edits", "retry_after": 1, "code": 30046}),
            1,
            "429 Too many edits (30046)",
        ),
        (
            json!("a page of another server"),
            17,
            "429 Too Many Requests",
        ),
    ] {
        let discord = Discord::start().await;
        let answer = ResponseTemplate::new(429).set_body_json(body);
        let answer = answer.insert_header("retry-after", "17");
        discord.change(|webhook| webhook.next = Some(answer));
        let channel = discord.channel(&json!({}));
        let outcome = send(&channel, &message(Severity::Warning), Operation::Post).await;
        let expected = Outcome::Retry {
            after: Some(Duration::from_secs(after)),
            why: why.to_owned(),
            advice: Some("the service accepts no more messages for now: try again later"),
        };
        assert_eq!(outcome, expected);
    }
}

/// An edit without an answer may be made again, a post may not.
#[tokio::test]
async fn only_an_edit_is_repeated_after_a_strange_answer() {
    for is_edit in [false, true] {
        let discord = Discord::start().await;
        let channel = discord.channel(&json!({}));
        let root = posted(&channel).await;
        discord.change(|webhook| webhook.next = Some(ResponseTemplate::new(200)));
        let operation = match is_edit {
            true => Operation::Update(&root),
            false => Operation::Post,
        };
        let outcome = send(&channel, &message(Severity::Warning), operation).await;
        let is_retry = matches!(outcome, Outcome::Retry { after: None, .. });
        assert_eq!(is_retry, is_edit, "{outcome:?}");
        let why = "200, but answered with nothing, not with the message: is `url` the address of a Discord webhook?";
        assert_eq!(outcome.why(), Some(why));
    }
}

#[tokio::test]
async fn a_very_long_message_is_within_discords_limits() {
    let discord = Discord::start().await;
    let channel = discord.channel(&json!({"mention": "@here"}));
    let root = posted(&channel).await;
    let long = Message {
        headline: "checkout ".repeat(1_000),
        details: (0..200)
            .map(|it| fact(&it.to_string(), &"word ".repeat(50)))
            .collect(),
        ..message(Severity::Critical)
    };
    let block = Message {
        details: vec![Line::of_text(format!("```\n{}\n```", "x\n".repeat(740))); 4],
        ..message(Severity::Critical)
    };
    for message in [&long, &block] {
        for operation in [Operation::Post, Operation::Update(&root)] {
            let outcome = send(&channel, message, operation).await;
            assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
        }
    }
    let requests = discord.requests().await;
    let embeds = requests[1].2["embeds"].to_string();
    assert!(embeds.contains("more lines left out"), "{embeds}");
}

#[test]
fn wrong_settings_are_named_without_the_address() {
    for (setting, value, problem) in [
        (
            "url",
            json!(format!(
                "https://discord.com/api/webhooks/{ID}/{TOKEN}/slack"
            )),
            "leave out `/slack`",
        ),
        (
            "url",
            json!(format!(
                "https://discord.com/api/webhooks/{ID}/{TOKEN}/github"
            )),
            "leave out `/github`",
        ),
        (
            "url",
            json!(format!("https://example.com/api/webhooks/{ID}/{TOKEN}")),
            "not the address of a Discord webhook",
        ),
        ("url", json!(null), "it is missing"),
        (
            "username",
            json!("Discord"),
            "Discord does not allow this name",
        ),
        (
            "mention",
            json!("<!here>"),
            "not a mention in Discord's markup",
        ),
    ] {
        let url = format!("https://discord.com/api/webhooks/{ID}/{TOKEN}");
        let mut settings = json!({"name": "ops", "type": "discord", "url": url});
        settings[setting] = value;
        let variable = ("CHANNELS".to_owned(), json!([settings]).to_string());
        let error = NotifierConfig::read(&[variable]).unwrap_err().to_string();
        let expected = format!("CHANNELS, `ops`, `{setting}`: ");
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains(problem) && !error.contains(TOKEN), "{error}");
    }
}

#[test]
fn the_server_refuses_what_discord_refuses() {
    let good = json!({"embeds": [{"title": "x"}], "allowed_mentions": {"parse": []}});
    assert!(problem_of(&good, Use::Post).is_ok());
    let text = |count: usize| "x".repeat(count);
    for (change, problem) in [
        (json!({"embeds": []}), "empty message"),
        (json!({"embeds": null, "content": ""}), "empty message"),
        (json!({"embeds": [{"color": 1}]}), "an empty embed"),
        (json!({"embeds": [{"title": text(257)}]}), "title"),
        (
            json!({"embeds": [{"description": text(4_097)}]}),
            "description",
        ),
        (
            json!({"embeds": [{"description": text(3_001)}, {"description": text(3_000)}]}),
            "6000",
        ),
        (json!({"embeds": vec![json!({"title": "x"}); 11]}), "embeds"),
        (json!({"embeds": [{"title": "x", "color": "red"}]}), "color"),
        (
            json!({"embeds": [{"title": "x", "text": "y"}]}),
            "unknown field `text`",
        ),
        (json!({"content": text(2_001)}), "content"),
        (json!({"username": "discord"}), "username"),
        (json!({"text": "x"}), "unknown field `text`"),
        (json!({"allowed_mentions": null}), "allowed_mentions"),
        (
            json!({"allowed_mentions": {"parse": ["here"]}}),
            "allowed_mentions",
        ),
        (
            json!({"allowed_mentions": {"parse": [], "roles": ["1", "1"]}}),
            "allowed_mentions",
        ),
        (
            json!({"allowed_mentions": {"parse": ["roles"], "roles": ["1"]}}),
            "allowed_mentions",
        ),
    ] {
        let mut body = good.clone();
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        let fault = problem_of(&body, Use::Post).unwrap_err();
        assert!(fault.why.contains(problem), "{change}: {}", fault.why);
    }
    let mut named = good;
    named["username"] = json!("Parrot");
    assert!(problem_of(&named, Use::Post).is_ok());
    assert!(problem_of(&named, Use::Edit).is_err());
}

#[tokio::test]
async fn the_server_refuses_other_requests() {
    let discord = Discord::start().await;
    let body = json!({"embeds": [{"title": "x"}], "allowed_mentions": {"parse": []}});
    let client = SharedClient::default();
    let client = client.get().unwrap();
    for (method, rest, status) in [
        ("POST", "?wait=true", 200),
        ("POST", "", 400),
        ("POST", "?wait=true&threadId=1", 400),
        ("POST", "?wait=true&thread_id=x", 400),
        ("PATCH", "/messages/9000000001", 200),
        ("PATCH", "/messages/9000000001?wait=true", 400),
        ("PATCH", "/messages/9000000002", 404),
        ("PATCH", "", 405),
        ("PUT", "?wait=true", 405),
        ("POST", "x?wait=true", 401),
    ] {
        let method = method.parse().unwrap();
        let request = client.request(method, format!("{}{rest}", discord.url()));
        let answer = request.json(&body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{rest}");
    }
}

/// One webhook, as Discord's API plays it.
#[derive(Default)]
pub(crate) struct Webhook {
    messages: BTreeSet<String>,
    is_gone: bool,
    /// The answer to the next request, whatever it is.
    next: Option<ResponseTemplate>,
}

/// What a request is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Post,
    Edit,
}

/// An error of Discord.
struct Fault {
    status: u16,
    code: u64,
    why: String,
}

impl Fault {
    fn new(status: u16, code: u64, why: &str) -> Self {
        let why = why.to_owned();
        Self { status, code, why }
    }

    fn answer(&self) -> ResponseTemplate {
        let body = json!({"message": self.why, "code": self.code});
        ResponseTemplate::new(self.status).set_body_json(body)
    }
}

/// The error of a body that Discord does not accept.
fn form(why: &str) -> Fault {
    Fault::new(400, 50_035, why)
}

impl ChatService for Webhook {
    fn settings(&self, base: &str) -> Value {
        json!({"url": format!("{base}/api/webhooks/{ID}/{TOKEN}"), "mention": "<@&42>"})
    }

    fn answer(&mut self, request: &Request) -> Result<ResponseTemplate, Refusal> {
        let answer = self.respond(request);
        answer.map_err(|fault| refusal(fault.status, &fault.why))
    }
}

impl Webhook {
    fn respond(&mut self, request: &Request) -> Result<ResponseTemplate, Fault> {
        if let Some(answer) = self.next.take() {
            return Ok(answer);
        }
        let path: Vec<_> = request.url.path_segments().unwrap().collect();
        let ["api", "webhooks", ID, token, rest @ ..] = &path[..] else {
            return Err(Fault::new(404, 0, "404: Not Found"));
        };
        if self.is_gone {
            return Err(Fault::new(404, 10_015, "Unknown Webhook"));
        }
        if *token != TOKEN {
            return Err(Fault::new(401, 50_027, "Invalid Webhook Token"));
        }
        let made = match (request.method.as_str(), rest) {
            ("POST", []) => Use::Post,
            ("PATCH", ["messages", _]) => Use::Edit,
            _ => return Err(Fault::new(405, 0, "405: Method Not Allowed")),
        };
        problem_of_query(request, made)?;
        let is_json = request.headers.get("content-type");
        if is_json.is_none_or(|it| it != "application/json") {
            return Err(form("not JSON"));
        }
        let body = serde_json::from_slice(&request.body);
        problem_of(&body.map_err(|_| form("not JSON"))?, made)?;
        let id = match rest {
            ["messages", id] => match self.messages.contains(*id) {
                true => (*id).to_owned(),
                false => return Err(Fault::new(404, 10_008, "Unknown Message")),
            },
            _ => root(self.messages.len() as u64 + 1).id,
        };
        self.messages.insert(id.clone());
        let message = json!({"id": id, "channel_id": CHANNEL, "type": 0, "embeds": []});
        Ok(ResponseTemplate::new(200).set_body_json(message))
    }
}

/// Without `wait` Discord gives neither the message nor an error, so it is required here.
fn problem_of_query(request: &Request, made: Use) -> Result<(), Fault> {
    let mut waits = false;
    for (name, value) in request.url.query_pairs() {
        let is_number = !value.is_empty() && value.chars().all(|it| it.is_ascii_digit());
        match &*name {
            "wait" if made == Use::Post && value == "true" => waits = true,
            "thread_id" if is_number => {}
            _ => return Err(form(&format!("query parameter `{name}`"))),
        }
    }
    match waits || made == Use::Edit {
        true => Ok(()),
        false => Err(form("without `wait=true`")),
    }
}

fn problem_of(body: &Value, made: Use) -> Result<(), Fault> {
    let known: &[&str] = match made {
        Use::Post => &["content", "embeds", "allowed_mentions", "username"],
        Use::Edit => &["content", "embeds", "allowed_mentions"],
    };
    only_known(body, known)?;
    let content = text_of(body, "content", 2_000)?;
    let username = text_of(body, "username", 80)?;
    if username.to_lowercase().contains("discord") {
        return Err(form("username"));
    }
    let embeds = body["embeds"].as_array().map(Vec::as_slice);
    let embeds = embeds.unwrap_or_default();
    if embeds.is_empty() && content.is_empty() {
        return Err(Fault::new(400, 50_006, "Cannot send an empty message"));
    }
    if embeds.len() > 10 {
        return Err(form("embeds: more than 10"));
    }
    let mut total = 0;
    for embed in embeds {
        total += length_of_embed(embed)?;
    }
    if total > 6_000 {
        return Err(form("embeds: more than 6000 characters"));
    }
    problem_of_mentions(&body["allowed_mentions"])
}

fn only_known(value: &Value, known: &[&str]) -> Result<(), Fault> {
    let object = value.as_object().ok_or_else(|| form("not an object"))?;
    let unknown = object.keys().find(|it| !known.contains(&it.as_str()));
    unknown.map_or(Ok(()), |it| Err(form(&format!("unknown field `{it}`"))))
}

/// A text of at most so many characters. A missing one and `null` are empty.
fn text_of(value: &Value, key: &str, longest: usize) -> Result<String, Fault> {
    match &value[key] {
        Value::Null => Ok(String::new()),
        Value::String(text) if text.chars().count() <= longest => Ok(text.clone()),
        _ => Err(form(&format!("{key}: not a text of at most {longest}"))),
    }
}

fn length_of_embed(embed: &Value) -> Result<usize, Fault> {
    only_known(embed, &["title", "description", "color"])?;
    let title = text_of(embed, "title", 256)?;
    let description = text_of(embed, "description", 4_096)?;
    if title.trim().is_empty() && description.trim().is_empty() {
        return Err(form("an empty embed"));
    }
    let color = &embed["color"];
    let is_number = color.as_u64().is_some_and(|it| it <= 0xff_ffff);
    if !(color.is_null() || is_number) {
        return Err(form("color: not a number of 24 bits"));
    }
    Ok(title.chars().count() + description.chars().count())
}

/// Discord allows it to be missing, and then notifies whomever the text names. So it is required here.
fn problem_of_mentions(allowed: &Value) -> Result<(), Fault> {
    let list = |key: &str| -> Option<Vec<&str>> {
        match &allowed[key] {
            Value::Null => Some(Vec::new()),
            list => list.as_array()?.iter().map(Value::as_str).collect(),
        }
    };
    let is_unique = |list: &[&str]| list.iter().collect::<BTreeSet<_>>().len() == list.len();
    let is_right = (|| {
        let (parse, roles, users) = (list("parse")?, list("roles")?, list("users")?);
        let kinds = ["everyone", "roles", "users"];
        let is_known = parse.iter().all(|it| kinds.contains(it));
        let is_twice = parse.contains(&"roles") && !roles.is_empty()
            || parse.contains(&"users") && !users.is_empty();
        let are_unique = [&parse, &roles, &users]
            .iter()
            .all(|it| is_unique(it) && it.len() <= 100);
        Some(allowed["parse"].is_array() && is_known && !is_twice && are_unique)
    })();
    match is_right {
        Some(true) => Ok(()),
        Some(false) | None => Err(form("allowed_mentions")),
    }
}
