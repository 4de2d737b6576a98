//! Tests for every channel type: what it posts, what each answer of the server means, and that it never shows a secret.

mod discord;
mod google_chat;
mod jsm;
mod mattermost;
mod pagerduty;
mod slack_app;
mod sns;
mod teams;
mod webhook;

use std::time::Duration;

use ecs_parrot::aws::deadline::Deadline;
use ecs_parrot::config::ConfigError;
use ecs_parrot::ecs::notice::Kind;
use ecs_parrot::notifier::channel::{
    Capabilities, ChannelType, ConfiguredChannel, Flavor, Http, MessageRef, Operation, Outcome,
    UnansweredKind,
};
use ecs_parrot::notifier::config::NotifierConfig;
use ecs_parrot::notifier::message::{Line, Message, MessageFacts};
use ecs_parrot::notifier::policy::Severity;
use ecs_parrot::notifier::send_test::{TestRequest, TestRun};
use serde_json::{Map, Value, json};
use strum::VariantArray as _;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::chat_services::ChatService;

/// It has the form that every type accepts.
const TOKEN: &str = "xoxb-T0KEN-very-secret-123456789";

fn message(severity: Severity) -> Message {
    Message {
        kind: Kind::TaskStopped,
        severity,
        urgent: true,
        mentions: severity == Severity::Critical,
        subjects: Vec::new(),
        headline: "checkout ran out of memory".to_owned(),
        details: vec![fact("Why", "too little"), fact("Where", "prod-web")],
        facts: MessageFacts::default(),
        thread: None,
    }
}

fn fact(label: &str, value: &str) -> Line {
    Line {
        label: Some(label.to_owned()),
        value: value.to_owned(),
        text: format!("*{label}*: {value}"),
        is_block: false,
    }
}

/// The only channel of this configuration.
fn channel(settings: Value) -> ConfiguredChannel {
    let variable = ("CHANNELS".to_owned(), json!([settings]).to_string());
    let mut channels = NotifierConfig::read(&[variable])
        .unwrap()
        .channels
        .configured;
    assert_eq!(channels.len(), 1);
    channels.remove(0)
}

/// A channel of this type, or `None` for the terminal, which posts nothing. The compiler requires a case here for a new
/// type.
fn channel_at(channel_type: ChannelType, base: &str) -> Option<ConfiguredChannel> {
    let url = format!("{base}/v1/messages/chat/{TOKEN}");
    let settings = match channel_type {
        ChannelType::Slack => json!({
            "url": url,
            "channel": "#devops",
            "username": "ECSParrot",
            "icon_emoji": ":bird:",
            "mention": "<!subteam^S123>",
        }),
        ChannelType::SlackApp => {
            json!({"url": base, "token": TOKEN, "channel": "C0123456789"})
        }
        ChannelType::Teams => json!({"url": url}),
        ChannelType::Discord => {
            json!({"url": format!("{base}/api/webhooks/1234567890/{TOKEN}")})
        }
        ChannelType::GoogleChat => {
            json!({"url": format!("{base}/v1/spaces/AAAA/messages?key=k&token={TOKEN}")})
        }
        ChannelType::Flowdock => json!({
            "url": base,
            "token": TOKEN,
            "username": "Parrot",
            "icon_emoji": ":bird:",
        }),
        ChannelType::Webhook => json!({"url": url, "secret": webhook::SECRET}),
        ChannelType::Pagerduty => json!({"url": base, "routing_key": TOKEN}),
        ChannelType::Jsm => json!({"url": base, "api_key": TOKEN}),
        // It posts through AWS's own client, so `sns.rs` has its tests.
        ChannelType::Sns | ChannelType::Terminal => return None,
    };
    let mut settings = settings;
    settings["name"] = json!("ops");
    settings["type"] = json!(channel_type.to_string());
    Some(channel(settings))
}

fn slack_at(base: &str) -> ConfiguredChannel {
    channel_at(ChannelType::Slack, base).unwrap()
}

fn flowdock_at(base: &str) -> ConfiguredChannel {
    channel_at(ChannelType::Flowdock, base).unwrap()
}

/// A channel of every type that posts to a server.
fn all_at(base: &str) -> Vec<ConfiguredChannel> {
    let types = ChannelType::VARIANTS.iter();
    types.filter_map(|it| channel_at(*it, base)).collect()
}

/// Posts a message, with one attempt.
async fn post(channel: &ConfiguredChannel, severity: Severity) -> Outcome {
    let message = message(severity);
    let prepared = channel.channel.prepare(&message, Operation::Post);
    channel.channel.send(&Http::default(), &prepared).await
}

async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}

/// The bodies that a server received.
async fn bodies(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    requests
        .iter()
        .map(|request| {
            assert_eq!(request.headers["content-type"], "application/json");
            serde_json::from_slice(&request.body).unwrap()
        })
        .collect()
}

#[tokio::test]
async fn slack_gets_the_headline_once_and_the_details_in_colour() {
    let server = server(ResponseTemplate::new(200).set_body_string("ok")).await;
    let channel = slack_at(&server.uri());
    let outcome = post(&channel, Severity::Critical).await;
    assert_eq!(outcome, Outcome::Delivered { root: None });
    let text = "*Why*: too little\n*Where*: prod-web";
    let expected = json!({
        "text": "<!subteam^S123> checkout ran out of memory",
        "attachments": [{
            "color": "danger",
            "fallback": "checkout ran out of memory",
            "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}}],
        }],
        "channel": "#devops",
        "username": "ECSParrot",
        "icon_emoji": ":bird:",
    });
    assert_eq!(bodies(&server).await, [expected]);
}

#[tokio::test]
async fn only_critical_messages_mention_somebody() {
    let slack = channel(json!({
        "name": "ops",
        "type": "slack",
        "url": "https://hooks.slack.com/x",
        "mention": "<!here>",
    }));
    for (severity, mentions) in [
        (Severity::Info, false),
        (Severity::Success, false),
        (Severity::Warning, false),
        (Severity::Critical, true),
    ] {
        let payload = slack
            .channel
            .payload(&message(severity), Operation::Post)
            .unwrap();
        assert_eq!(
            payload["text"].as_str().unwrap().starts_with("<!here> "),
            mentions,
            "{severity}"
        );
        assert!(payload.get("channel").is_none());
    }
}

#[tokio::test]
async fn flowdock_gets_one_text_with_tags() {
    let server = server(ResponseTemplate::new(200).set_body_string("{}")).await;
    let channel = flowdock_at(&server.uri());
    let outcome = post(&channel, Severity::Warning).await;
    assert_eq!(outcome, Outcome::Delivered { root: None });
    let expected = json!({
        "content": ":bird: checkout ran out of memory\n*Why*: too little\n*Where*: prod-web",
        "external_user_name": "Parrot",
        "tags": ["ecs", "task_stopped", "warning"],
    });
    assert_eq!(bodies(&server).await, [expected]);
}

/// A channel that can neither edit nor reply posts the whole message in every case.
#[test]
fn what_a_channel_cannot_do_it_posts() {
    let (message, root) = (
        message(Severity::Critical),
        MessageRef {
            channel: "C0123456789".to_owned(),
            id: "1793064704.000001".to_owned(),
        },
    );
    for channel in all_at("http://127.0.0.1") {
        let Capabilities { edits, replies } = channel.channel_type.definition().capabilities;
        let payload = |operation| channel.channel.payload(&message, operation);
        let (posted, root) = (payload(Operation::Post), &root);
        let is_posted = [
            Operation::Update(root),
            Operation::Reply {
                root,
                broadcast: true,
            },
        ]
        .map(|operation| payload(operation) == posted);
        // What it can do may look the same: an alert's new state has the form of its first.
        for (can, is_posted) in [edits, replies].into_iter().zip(is_posted) {
            assert!(can || is_posted, "{}", channel.channel_type);
        }
        assert_eq!(channel.channel.edit_limit().is_some(), edits);
    }
}

#[tokio::test]
async fn each_answer_has_its_meaning() {
    enum Expected {
        Retry(Option<u64>, &'static str),
        Refused(&'static str),
    }
    use Expected::{Refused, Retry};
    let validation = r#"{"message":"Validation error","errors":{"content":["can't be blank"]}}"#;
    for (status, body, expected) in [
        (
            200,
            r#"{"ok":false,"error":"an_error_of_tomorrow"}"#,
            Refused("200 an_error_of_tomorrow"),
        ),
        (
            200,
            r#"{"success":false}"#,
            Refused("200 an error without a name"),
        ),
        (200, "no_text", Refused("200 no_text")),
        (301, "", Refused("301 Moved Permanently")),
        (302, "", Refused("302 Found")),
        (400, "invalid_payload", Refused("400 invalid_payload")),
        (400, validation, Refused("400 Validation error")),
        (
            400,
            r#"{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"The trigger is off."}}"#,
            Refused("400 WorkflowTriggerIsNotEnabled"),
        ),
        (403, "action_prohibited", Refused("403 action_prohibited")),
        (404, "channel_not_found", Refused("404 channel_not_found")),
        (404, "<html>nothing here</html>", Refused("404 Not Found")),
        (
            410,
            "channel_is_archived",
            Refused("410 channel_is_archived"),
        ),
        (429, "", Retry(Some(17), "429 Too Many Requests")),
        (500, "rollup_error", Retry(None, "500 rollup_error")),
        (503, "", Retry(None, "503 Service Unavailable")),
    ] {
        let mut answer = ResponseTemplate::new(status).set_body_string(body);
        if status == 429 {
            answer = answer.insert_header("retry-after", "17");
        }
        let server = server(answer).await;
        for channel in all_at(&server.uri()) {
            let outcome = post(&channel, Severity::Info).await;
            // A type without a hint reads no body of a success.
            let Successes { hint, .. } = successes_of(channel.channel_type).unwrap();
            let is_success = (200..300).contains(&status) && hint.is_empty();
            // A type may add what to do about it.
            let is_expected = is_success
                || match (&outcome, &expected) {
                    (Outcome::Refused { why }, Refused(expected)) => why.starts_with(expected),
                    (Outcome::Retry { after, why, advice }, Retry(expected_after, expected)) => {
                        assert!(advice.is_some(), "{status}: {why}");
                        *after == expected_after.map(Duration::from_secs)
                            && why.starts_with(expected)
                    }
                    (_, _) => false,
                };
            let is_expected =
                is_expected && (!is_success || matches!(outcome, Outcome::Delivered { .. }));
            let channel_type = channel.channel_type;
            assert!(is_expected, "{channel_type}: {status} {body}: {outcome:?}");
        }
        assert_eq!(
            bodies(&server).await.len(),
            all_at("http://127.0.0.1").len(),
            "{status}: one attempt a channel"
        );
    }
}

/// What a type takes for a success.
struct Successes {
    is_success: fn(&str) -> bool,
    /// What the error says after another answer.
    hint: &'static str,
}

fn is_object(body: &str) -> bool {
    serde_json::from_str::<Map<String, Value>>(body).is_ok()
}

/// The compiler requires a case here for a new type.
fn successes_of(channel_type: ChannelType) -> Option<Successes> {
    let (is_success, hint): (fn(&str) -> bool, _) = match channel_type {
        ChannelType::Slack => (
            |body| body == "ok" || body.contains(r#"":true"#),
            "not with `ok`: is `url` (SLACK_WEBHOOKURL) the address of the webhook?",
        ),
        ChannelType::SlackApp => (
            |body| body.contains(r#""ok":true"#),
            "not with Slack's JSON: is `url` the address of Slack's API?",
        ),
        ChannelType::Flowdock => (
            is_object,
            "not with a JSON object: is `url` (FLOWDOCK_URL) the address of a server with Flowdock's API?",
        ),
        ChannelType::Teams => (
            |body| !body.starts_with('<'),
            "not with an empty answer: is `url` the address that the workflow shows?",
        ),
        ChannelType::Discord => (
            |body| body.contains(r#""channel_id":""#),
            "not with the message: is `url` the address of a Discord webhook?",
        ),
        ChannelType::GoogleChat => (
            |body| body.contains(r#""name":"spaces/"#),
            "not with the message: is `url` the address of a Google Chat webhook?",
        ),
        ChannelType::Webhook => (|_| true, ""),
        ChannelType::Pagerduty => (
            |body| body.contains(r#""status":"success""#),
            "not with PagerDuty's JSON: is `url` the address of PagerDuty's Events API?",
        ),
        ChannelType::Jsm => (
            |body| body.contains(r#""requestId""#),
            "not with the JSON of an accepted request: is `url` the address of the alert API?",
        ),
        ChannelType::Sns | ChannelType::Terminal => return None,
    };
    Some(Successes { is_success, hint })
}

/// The strict service of a type. `None` for types without one, and for the terminal. The compiler requires a case here
/// for a new type.
pub(crate) fn service_of(channel_type: ChannelType) -> Option<Box<dyn ChatService>> {
    match channel_type {
        // `slack_sdk.rs` checks the payload for Slack itself, and `slack_api.rs` is the service of `slack_app`.
        ChannelType::Slack => Some(Box::new(mattermost::Mattermost)),
        ChannelType::Teams => Some(Box::new(teams::Workflow)),
        ChannelType::Discord => Some(Box::new(discord::Webhook::default())),
        ChannelType::GoogleChat => Some(Box::new(google_chat::Space::default())),
        ChannelType::Webhook => Some(Box::new(webhook::Receiver)),
        ChannelType::Pagerduty => Some(Box::new(pagerduty::PagerDuty::default())),
        ChannelType::Jsm => Some(Box::new(jsm::AlertApi::default())),
        ChannelType::SlackApp
        | ChannelType::Flowdock
        // `sns.rs` has an SNS.
        | ChannelType::Sns
        | ChannelType::Terminal => None,
    }
}

/// A login page answers with 200 too. Each channel type has a known success answer. With any other answer it is not
/// known whether the message arrived, and the error says what the answer was and what to check.
#[tokio::test]
async fn each_channel_has_its_own_success() {
    const PAGE: &str = "<!DOCTYPE html><html><title>Sign in</title></html>";
    // How a channel describes this answer, unless it is a success for it.
    for (status, body, came) in [
        (200, "ok", "`ok`"),
        (200, "ok\n", "`ok`"),
        (200, r#"{"success":true}"#, "other JSON"),
        (200, r#"{"ok":true,"error":null}"#, "other JSON"),
        (200, "{}", "other JSON"),
        (202, r#"{"id":7,"event":"message"}"#, "other JSON"),
        (200, PAGE, "a page"),
        (200, "\n  <html>x</html>", "a page"),
        (200, "[]", "other JSON"),
        (202, "", "nothing"),
        (204, "", "nothing"),
        (200, "welcome", "`welcome`"),
        (201, "okay", "`okay`"),
    ] {
        let server = server(ResponseTemplate::new(status).set_body_string(body)).await;
        for channel in all_at(&server.uri()) {
            let Successes { is_success, hint } = successes_of(channel.channel_type).unwrap();
            let outcome = post(&channel, Severity::Info).await;
            let context = format!("{}: {status} {body}: {outcome:?}", channel.channel_type);
            if is_success(body.trim()) {
                assert!(matches!(outcome, Outcome::Delivered { .. }), "{context}");
                continue;
            }
            let expected = Outcome::Unanswered {
                kind: UnansweredKind::Unexpected,
                why: format!("{status}, but answered with {came}, {hint}"),
            };
            assert_eq!(outcome, expected, "{context}");
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = server(ResponseTemplate::new(200)).await;
    let address = format!("{}/v1/messages/chat/{TOKEN}", target.uri());
    for status in [301, 302, 303, 307, 308] {
        let here =
            server(ResponseTemplate::new(status).insert_header("location", address.as_str())).await;
        for channel in all_at(&here.uri()) {
            let outcome = post(&channel, Severity::Info).await;
            assert!(
                matches!(outcome, Outcome::Refused { .. }),
                "{status}: {outcome:?}"
            );
        }
    }
    assert!(bodies(&target).await.is_empty());
}

#[tokio::test]
async fn a_request_times_out_after_five_seconds() {
    let server = server(ResponseTemplate::new(200).set_delay(Duration::from_secs(60))).await;
    let channels = all_at(&server.uri());
    let sending = channels.iter().map(|it| post(it, Severity::Info));
    for outcome in futures::future::join_all(sending).await {
        let advice = outcome.advice().unwrap();
        assert!(advice.starts_with("look in the chat"), "{advice}");
        assert_eq!(
            outcome,
            Outcome::Unanswered {
                kind: UnansweredKind::Stalled,
                why: "no answer within 5 s".to_owned()
            }
        );
    }
}

#[tokio::test]
async fn a_refused_connection_is_retryable() {
    // Nothing listens on this port: it was bound to get its number, and released again.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for channel in all_at(&format!("http://{address}")) {
        match post(&channel, Severity::Info).await {
            Outcome::Retry {
                after: None,
                why,
                advice,
            } => {
                assert!(why.contains("refused"), "{why}");
                assert!(advice.unwrap().contains("NAT gateway"), "{advice:?}");
                assert!(!why.contains(TOKEN), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The name has a label of 64 characters, so no server is asked for it. The other address is that of a server without TLS.
#[tokio::test]
async fn a_wrong_host_is_named_as_the_reason() {
    let server = server(ResponseTemplate::new(200)).await;
    let unknown = format!("https://{}.example", "x".repeat(64));
    for (base, expected) in [
        (unknown, "the name of the host was not found"),
        (
            server.uri().replace("http:", "https:"),
            "another server answers there",
        ),
    ] {
        let outcome = post(&flowdock_at(&base), Severity::Info).await;
        let Outcome::Retry {
            after: None,
            why,
            advice: Some(advice),
        } = outcome
        else {
            panic!("{outcome:?}");
        };
        assert!(advice.contains(expected), "{why}: {advice}");
        assert!(!why.contains(expected) && !why.contains(TOKEN), "{why}");
    }
}

#[tokio::test]
async fn a_refusal_of_a_webhook_says_what_to_do() {
    const REMOVED: &str = "the webhook was removed, or its address is incomplete: make a webhook and store its address";
    const CHECK: &str =
        "check that `url` is the whole address of the webhook, and that the webhook still exists";
    const TEMPLATES: &str =
        "the service does not accept the message: check your templates with `ecs-parrot preview`";
    const ADMINISTRATOR: &str = "an administrator of the workspace must allow the webhook to post in the channel; or make a webhook for another one";
    const COPY: &str = "copy the whole address of the workflow again, with `sig`, and let anyone trigger the workflow";
    const NO_WORKFLOW: &str = "the workflow was deleted, or its owner's account was: create a workflow and store its address";
    use ChannelType::{Flowdock, Slack, Teams};
    for (channel_type, status, body, why) in [
        (Slack, 404, "no_service", format!("404 no_service: {REMOVED}")),
        (Slack, 404, "no_team", format!("404 no_team: {REMOVED}")),
        (Slack, 403, "invalid_token", format!("403 invalid_token: {REMOVED}")),
        (Slack, 400, "invalid_payload", format!("400 invalid_payload: {TEMPLATES}")),
        (Slack, 403, "action_prohibited", format!("403 action_prohibited: {ADMINISTRATOR}")),
        (
            Slack,
            410,
            "channel_is_archived",
            "410 channel_is_archived: unarchive the channel, or make a webhook for another one".to_owned(),
        ),
        (
            Slack,
            404,
            "channel_not_found",
            "404 channel_not_found: who or what `channel` names does not exist, or the webhook's own channel was deleted".to_owned(),
        ),
        (Slack, 400, "bad url", format!("400 Bad Request: {CHECK}")),
        (Slack, 302, "", format!("302 Found: {CHECK}")),
        (
            Slack,
            413,
            "",
            "413 Payload Too Large: the message is too large: check your templates with `ecs-parrot preview`".to_owned(),
        ),
        (
            Teams,
            400,
            r#"{"error":{"code":"TriggerInputSchemaMismatch"}}"#,
            "400 TriggerInputSchemaMismatch: check that the workflow is turned on, that it was made as \"Send webhook alerts to a channel\", and that `url` is its whole address".to_owned(),
        ),
        (Teams, 401, "", format!("401 Unauthorized: {COPY}")),
        (Teams, 403, "", format!("403 Forbidden: {COPY}")),
        (Teams, 404, "", format!("404 Not Found: {NO_WORKFLOW}")),
        (
            Flowdock,
            401,
            "",
            "401 Unauthorized: check `token`, and that `url` is the address of a server with Flowdock's API".to_owned(),
        ),
    ] {
        let server = server(ResponseTemplate::new(status).set_body_string(body)).await;
        let channel = channel_at(channel_type, &server.uri()).unwrap();
        assert_eq!(post(&channel, Severity::Info).await, Outcome::Refused { why });
    }
}

/// What a bold label is in a channel's markup. The compiler requires a case here for a new type.
fn bold_label(channel_type: ChannelType, flavor: Flavor) -> &'static str {
    match (channel_type, flavor) {
        (ChannelType::Slack | ChannelType::SlackApp, Flavor::Own) => "*What*: ",
        (ChannelType::Slack, Flavor::Mattermost)
        | (ChannelType::Discord | ChannelType::Flowdock, _) => "**What**: ",
        (ChannelType::GoogleChat, _) => "<b>What</b>: ",
        // These have the label in a field of its own, or no markup.
        (ChannelType::Teams, _) => r#""title":"What""#,
        (ChannelType::Webhook, _) => r#""label":"What""#,
        (ChannelType::Pagerduty, _) => r#""What":"#,
        (ChannelType::Jsm, _) => "What: ",
        (ChannelType::SlackApp, Flavor::Mattermost)
        | (ChannelType::Sns | ChannelType::Terminal, _) => panic!("not posted here"),
    }
}

#[tokio::test]
async fn a_test_message_has_the_markup_of_its_channel() {
    let server = server(ResponseTemplate::new(200)).await;
    let mut channels = all_at(&server.uri());
    let url = format!("{}/hooks/{TOKEN}", server.uri());
    channels.push(channel(
        json!({"name": "ops", "type": "slack", "flavor": "mattermost", "url": url}),
    ));
    for channel in channels {
        let (channel_type, flavor) = (channel.channel_type, channel.channel.flavor());
        let before = server.received_requests().await.unwrap().len();
        let channels = [channel];
        let run = TestRun {
            http: &Http::default(),
            sender: "a test",
            deadline: Deadline::NONE,
            waiting: |_, _, _| (),
        };
        let tests = run.tests(&TestRequest::default(), &channels).unwrap();
        assert_eq!(futures::future::join_all(tests).await.len(), 1);
        let received = server.received_requests().await.unwrap();
        let body = String::from_utf8(received[before].body.clone()).unwrap();
        let label = bold_label(channel_type, flavor);
        assert!(body.contains(label), "{channel_type} {flavor:?}: {body}");
        // Italics in Mattermost.
        let is_slacks = body.replace("**What**", "").contains("*What*");
        let is_slack = label == "*What*: ";
        assert_eq!(is_slacks, is_slack, "{channel_type} {flavor:?}: {body}");
    }
}

#[tokio::test]
async fn an_address_in_an_error_answer_is_not_shown() {
    let echo = json!({"ok": false, "error": format!("no such hook: /v1/messages/chat/{TOKEN}")});
    for status in [200, 404, 500] {
        let server = server(ResponseTemplate::new(status).set_body_json(&echo)).await;
        for channel in all_at(&server.uri()) {
            let outcome = post(&channel, Severity::Info).await;
            let shown = format!("{outcome:?} {channel:?}");
            let is_delivered = matches!(outcome, Outcome::Delivered { .. });
            assert!(is_delivered || shown.contains("no such hook"), "{shown}");
            assert!(!is_delivered || status == 200, "{shown}");
            assert!(!shown.contains(TOKEN), "{shown}");
        }
    }
}

/// A long error is cut. The cut must not leave a part of a secret.
#[tokio::test]
async fn a_part_of_an_address_is_not_shown_either() {
    for before in 80..125 {
        let error = format!("{} {TOKEN}", "x".repeat(before));
        let echo = json!({"ok": false, "error": error});
        let server = server(ResponseTemplate::new(404).set_body_json(&echo)).await;
        for channel in all_at(&server.uri()) {
            let outcome = post(&channel, Severity::Info).await;
            let shown = format!("{outcome:?}");
            assert!(!shown.contains(&TOKEN[..8]), "{before}: {shown}");
        }
    }
}

/// An answer that is too long to read is not the channel's success answer.
#[tokio::test]
async fn a_very_long_answer_is_not_a_success() {
    let long = json!({"ok": false, "error": "no_text", "more": "x".repeat(100_000)});
    for body in [long.to_string(), "x".repeat(100_000)] {
        let server = server(ResponseTemplate::new(200).set_body_string(&body)).await;
        for channel in all_at(&server.uri()) {
            let outcome = post(&channel, Severity::Info).await;
            let Successes { is_success, .. } = successes_of(channel.channel_type).unwrap();
            let is_unknown = is_success(&body)
                || matches!(
                    outcome,
                    Outcome::Unanswered {
                        kind: UnansweredKind::Unexpected,
                        ..
                    }
                );
            assert!(is_unknown, "{outcome:?}");
        }
    }
}

/// If an unexpected answer contains the address, the outcome must not contain its secret.
#[tokio::test]
async fn an_address_in_an_unexpected_answer_is_not_shown() {
    let body = format!("posted to /v1/messages/chat/{TOKEN}");
    let server = server(ResponseTemplate::new(200).set_body_string(&body)).await;
    for channel in all_at(&server.uri()) {
        let outcome = post(&channel, Severity::Info).await;
        let shown = format!("{outcome:?}");
        let is_success = successes_of(channel.channel_type).unwrap().is_success;
        assert!(is_success(&body) || shown.contains("posted to"), "{shown}");
        assert!(!shown.contains(TOKEN), "{shown}");
    }
}

/// The request was sent, but no whole answer came. The outcome must say that the message may have arrived.
#[tokio::test]
async fn a_message_that_may_have_arrived_is_unanswered() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    for (answer, kind) in [
        ("", UnansweredKind::Closed),
        ("HTTP/1.1 200 OK\r\ncontent-le", UnansweredKind::Closed),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no",
            UnansweredKind::Stalled,
        ),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"}") {
                    assert!(stream.read_buf(&mut request).await.unwrap() > 0);
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        for channel in all_at(&format!("http://{address}")) {
            let outcome = post(&channel, Severity::Info).await;
            match outcome {
                Outcome::Unanswered { kind: found, why } => {
                    assert_eq!(found, kind, "{answer}: {why}");
                    assert!(!why.contains(TOKEN), "{why}");
                }
                other => panic!("{answer}: {other:?}"),
            }
        }
    }
}

/// Only servers that a team runs itself may have any host.
#[test]
fn the_address_of_a_service_must_be_its_own() {
    const KEY: &str = "0123456789abcdef0123456789abcdef";
    let settings = [
        json!({"type": "slack", "url": "https://10.0.0.7/services/x"}),
        json!({"type": "slack", "url": "https://hooks.slack.com.example.com/services/x"}),
        json!({"type": "slack_app", "url": "https://10.0.0.7/api", "token": "xoxb-1", "channel": "C1"}),
        json!({"type": "teams", "url": "https://10.0.0.7/workflows/x"}),
        json!({"type": "discord", "url": "https://10.0.0.7/api/webhooks/1/0123456789"}),
        json!({"type": "google_chat", "url": "https://10.0.0.7/v1/spaces/A/messages?key=k&token=t"}),
        json!({"type": "pagerduty", "url": "https://10.0.0.7", "routing_key": KEY}),
        json!({"type": "jsm", "url": "https://10.0.0.7", "api_key": KEY}),
        json!({"type": "jsm", "url": "https://api.atlassian.com", "api_key": KEY}),
    ];
    for mut settings in settings {
        settings["name"] = json!("ops");
        let error = read_list(&json!([settings])).unwrap_err().to_string();
        assert!(error.contains("`ops`, `url`: not "), "{error}");
        assert!(!error.contains("10.0.0.7"), "{error}");
    }
    let own = [
        json!({"type": "slack", "flavor": "mattermost", "url": "https://10.0.0.7/hooks/x"}),
        json!({"type": "webhook", "url": "https://10.0.0.7/hooks/x", "secret": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}),
    ];
    for mut settings in own {
        settings["name"] = json!("ops");
        read_list(&json!([settings])).unwrap();
    }
    let older = ("SLACK_WEBHOOKURL", "https://10.0.0.7/hooks/x");
    let older = (older.0.to_owned(), older.1.to_owned());
    NotifierConfig::read(&[older]).unwrap();
}

fn read_list(list: &Value) -> Result<NotifierConfig, ConfigError> {
    NotifierConfig::read(&[("CHANNELS".to_owned(), list.to_string())])
}
