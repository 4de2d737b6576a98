//! The alerts of Jira Service Management and of Opsgenie: created and closed under an alias, and errors.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ecs_parrot::notifier::channel::{ChannelType, ConfiguredChannel, Http, Operation, Outcome};
use ecs_parrot::notifier::config::NotifierConfig;
use ecs_parrot::notifier::message::Line;
use ecs_parrot::notifier::policy::Severity;
use serde_json::{Value, json};
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{bodies, channel, message, post, server};
use crate::chat_services::{ChatService, Refusal, StrictServer, refusal, send_replay, status_of};
use crate::runtime_api::{Answer, RuntimeApi};
use crate::send_test;
use crate::{events, stories};

const KEY: &str = "eb243592-very-secret-faa2-4ba2";

fn jsm(server: &MockServer) -> ConfiguredChannel {
    channel(
        json!({"name": "oncall", "type": "jsm", "url": server.uri(), "api_key": KEY, "team": "platform"}),
    )
}

fn accepted() -> ResponseTemplate {
    let answer =
        json!({"result": "Request will be processed", "took": 0.302, "requestId": "43a29c5c"});
    ResponseTemplate::new(202).set_body_json(answer)
}

/// Whether each alias's alert is open.
type Alerts = Arc<Mutex<BTreeMap<String, bool>>>;

/// The alert API, with the limits of its fields.
#[derive(Default)]
pub(crate) struct AlertApi {
    alerts: Alerts,
}

impl ChatService for AlertApi {
    fn settings(&self, base: &str) -> Value {
        json!({"url": base, "api_key": KEY})
    }

    fn answer(&mut self, request: &Request) -> Result<ResponseTemplate, Refusal> {
        if request.headers.get("authorization").map(|it| it.as_bytes())
            != Some(format!("GenieKey {KEY}").as_bytes())
        {
            return Err(refusal(401, "Could not authenticate"));
        }
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|error| refusal(422, &error.to_string()))?;
        let path = request.url.path();
        let rest = path.strip_prefix("/v2/alerts");
        match rest.filter(|_| request.method == "POST") {
            Some("") => self.create(&body)?,
            Some(rest) => {
                let alias = rest
                    .strip_prefix('/')
                    .and_then(|it| it.strip_suffix("/close"));
                let alias = alias.ok_or(refusal(404, "nothing here"))?;
                if request.url.query() != Some("identifierType=alias") {
                    return Err(refusal(422, "the identifier is no id"));
                }
                text(&body, "source", 0..=100)?;
                text(&body, "note", 0..=25_000)?;
                // Without an open alert it does nothing.
                if let Some(is_open) = self.alerts.lock().unwrap().get_mut(alias) {
                    *is_open = false;
                }
            }
            None => return Err(refusal(404, "nothing here")),
        }
        Ok(accepted())
    }
}

impl AlertApi {
    fn create(&self, body: &Value) -> Result<(), Refusal> {
        text(body, "message", 1..=130)?;
        let alias = text(body, "alias", 1..=512)?.to_owned();
        text(body, "description", 0..=15_000)?;
        text(body, "source", 0..=100)?;
        text(body, "entity", 0..=512)?;
        if !["P1", "P2", "P3", "P4", "P5"]
            .iter()
            .any(|it| body["priority"] == *it)
        {
            return Err(refusal(422, "priority is invalid"));
        }
        let tags = body["tags"]
            .as_array()
            .ok_or(refusal(422, "tags is no list"))?;
        let is_tag = |it: &Value| it.as_str().is_some_and(|it| it.chars().count() <= 50);
        if tags.len() > 20 || !tags.iter().all(is_tag) {
            return Err(refusal(422, "tags are too many or too long"));
        }
        let details = body["details"]
            .as_object()
            .ok_or(refusal(422, "details is no map"))?;
        let lengths = details
            .iter()
            .map(|(name, value)| Some(name.chars().count() + value.as_str()?.chars().count()));
        let length: Option<usize> = lengths.sum();
        if length.is_none_or(|it| it > 8_000) {
            return Err(refusal(422, "details are no texts or too long"));
        }
        self.alerts.lock().unwrap().insert(alias, true);
        Ok(())
    }
}

fn text<'a>(
    body: &'a Value,
    name: &str,
    lengths: std::ops::RangeInclusive<usize>,
) -> Result<&'a str, Refusal> {
    let text = match &body[name] {
        Value::Null => "",
        Value::String(text) => text,
        _ => return Err(refusal(422, &format!("{name} is no text"))),
    };
    match lengths.contains(&text.chars().count()) {
        true => Ok(text),
        false => Err(refusal(422, &format!("{name} is empty or too long"))),
    }
}

#[tokio::test]
async fn the_service_refuses_what_is_wrong() {
    let strict = StrictServer::start(Box::new(AlertApi::default())).await;
    let good = json!({"message": "x", "alias": "x", "priority": "P1", "tags": [], "details": {}});
    let changed = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let close = "/v2/alerts/x/close?identifierType=alias";
    for (path, body, status) in [
        ("/v2/alerts", good.clone(), 202),
        (close, json!({}), 202),
        ("/v2/alerts/x/close", json!({}), 422),
        (close, json!({"note": "x".repeat(25_001)}), 422),
        ("/v1/alerts", good.clone(), 404),
        ("/v2/alerts/x", good.clone(), 404),
        (
            "/v2/alerts",
            changed("message", json!("x".repeat(131))),
            422,
        ),
        ("/v2/alerts", changed("message", json!(null)), 422),
        ("/v2/alerts", changed("alias", json!("x".repeat(513))), 422),
        (
            "/v2/alerts",
            changed("description", json!("x".repeat(15_001))),
            422,
        ),
        ("/v2/alerts", changed("priority", json!("P0")), 422),
        ("/v2/alerts", changed("tags", json!(["x".repeat(51)])), 422),
        ("/v2/alerts", changed("details", json!({"x": 7})), 422),
        (
            "/v2/alerts",
            changed("details", json!({"x": "x".repeat(8_000)})),
            422,
        ),
    ] {
        for (key, status) in [(KEY, status), ("another", 401)] {
            let url = format!("{}{path}", strict.channel_url());
            let key = format!("GenieKey {key}");
            let found = status_of(url, &[("authorization", &key)], body.to_string()).await;
            assert_eq!(found, status, "{path}");
        }
    }
}

/// What the thread says is over is closed.
#[tokio::test]
async fn an_alert_is_open_as_long_as_its_thread() {
    let mut opened = 0;
    for name in stories::names() {
        let service = AlertApi::default();
        let alerts = Arc::clone(&service.alerts);
        let strict = StrictServer::start(Box::new(service)).await;
        let jsm = strict.channel(ChannelType::Jsm);
        let lines = stories::play(name, ChannelType::Jsm);
        send_replay(&jsm, &lines, name).await;
        assert_eq!(strict.refused(), [""; 0], "{name}");
        let mut threads = BTreeMap::new();
        for thread in lines.iter().filter_map(|it| it.shown.thread.as_ref()) {
            let kind = thread.kind.to_string();
            assert!(
                ["incident", "storm", "run"].contains(&kind.as_str()),
                "{kind}"
            );
            if kind != "run" {
                threads.insert(thread.id.to_string(), thread.is_open);
            }
        }
        let alerts = alerts.lock().unwrap();
        for (thread, is_open) in &threads {
            assert_eq!(alerts.get(thread), Some(is_open), "{name}: {thread}");
        }
        opened += threads.len();
    }
    assert!(opened > 8, "{opened}");
}

/// A deployment and what a person does is not for people who are paged.
#[test]
fn what_is_no_alert_is_not_sent() {
    for name in ["rolling-deployment", "one-off-task", "hook-waits"] {
        let lines = stories::play(name, ChannelType::Jsm);
        let headlines: Vec<_> = lines.iter().map(|it| &it.headline).collect();
        assert!(headlines.is_empty(), "{name}: {headlines:?}");
    }
}

#[tokio::test]
async fn a_critical_event_is_an_alert() {
    let server = server(accepted()).await;
    let jsm = jsm(&server);
    let mut message = message(Severity::Critical);
    message.facts.cluster = Some("prod,web".to_owned());
    message.facts.service = Some("checkout".to_owned());
    message.facts.account = Some("210987654321".to_owned());
    message.facts.cause = Some("out_of_memory".to_owned());
    let prepared = jsm.channel.prepare(&message, Operation::Post);
    let outcome = jsm.channel.send(&Http::default(), &prepared).await;
    let body = bodies(&server).await.remove(0);
    let Outcome::Delivered { root: Some(root) } = outcome else {
        panic!("{outcome:?}");
    };
    let expected = json!({
        "message": "checkout ran out of memory",
        "alias": root.id,
        "description": "*Why*: too little\n*Where*: prod-web",
        "priority": "P1",
        "source": "ecs-parrot",
        "entity": "checkout",
        "tags": ["ecs", "critical", "out_of_memory", "prod web"],
        "details": {"Account": "210987654321", "Where": "prod-web", "Why": "too little"},
        "responders": [{"name": "platform", "type": "team"}],
    });
    assert_eq!(body, expected);
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(request.url.path(), "/v2/alerts");
    assert_eq!(
        request.headers["authorization"],
        format!("GenieKey {KEY}").as_str()
    );
}

#[tokio::test]
async fn a_very_large_message_is_within_the_limits() {
    let strict = StrictServer::start(Box::new(AlertApi::default())).await;
    let jsm = strict.channel(ChannelType::Jsm);
    let mut message = message(Severity::Critical);
    message.headline = "ä".repeat(2_000);
    message.facts.service = Some("ä".repeat(2_000));
    message.facts.cluster = Some("ä".repeat(2_000));
    message.details = (0..200)
        .map(|number| Line::of_text(format!("{number} {}", "ä".repeat(300))))
        .collect();
    let prepared = jsm.channel.prepare(&message, Operation::Post);
    let outcome = jsm.channel.send(&Http::default(), &prepared).await;
    assert!(
        matches!(outcome, Outcome::Delivered { .. }),
        "{outcome:?}: {:?}",
        strict.refused()
    );
    let body = &strict.accepted()[0];
    let length = |text: &Value| text.as_str().unwrap().chars().count();
    assert_eq!(length(&body["message"]), 130);
    assert!((14_000..=15_000).contains(&length(&body["description"])));
    assert!((7_000..=8_000).contains(&length(&body["details"]["Details"])));
}

#[tokio::test]
async fn each_error_says_what_to_do() {
    for (status, message, expected) in [
        (
            401,
            "Could not authenticate",
            "401 Unauthorized: Could not authenticate: is `api_key`",
        ),
        (
            422,
            "Key format is not valid!",
            "422 Unprocessable Entity: Key format is not valid!: is `api_key`",
        ),
        (
            404,
            "No such thing",
            "404 Not Found: No such thing: is `url` the address",
        ),
    ] {
        let answer = json!({"message": message, "took": 0.001, "requestId": "43a29c5c"});
        let server = server(ResponseTemplate::new(status).set_body_json(answer)).await;
        let outcome = post(&jsm(&server), Severity::Critical).await;
        let Outcome::Refused { why } = outcome else {
            panic!("{outcome:?}");
        };
        assert!(why.starts_with(expected), "{why}");
    }
}

#[tokio::test]
async fn no_output_has_the_api_key() {
    let echo = json!({"message": format!("unknown key {KEY}")});
    let server = server(ResponseTemplate::new(401).set_body_json(echo)).await;
    let api = RuntimeApi::with(vec![events::sample("task_stopped-out-of-memory")]).await;
    let channels = json!([{"name": "oncall", "type": "jsm", "url": server.uri(), "api_key": KEY}]);
    let (answers, log) = api.run(&[("CHANNELS", &channels.to_string())]).await;
    let shown = format!("{answers:?} {log}");
    assert!(matches!(answers[..], [Answer::Error { .. }]), "{shown}");
    assert!(shown.contains("unknown key [redacted]"), "{shown}");
    assert!(!shown.contains("very-secret"), "{shown}");
}

#[test]
fn what_is_wrong_with_the_settings_is_said_without_the_key() {
    for (setting, value, problem) in [
        (
            "api_key",
            "very secret",
            "`api_key`: it contains characters that are not allowed",
        ),
        ("api_key", "", "`api_key`: it is missing"),
        (
            "url",
            "https://very-secret.example.com",
            "`url`: not an address of Jira Service Management or of Opsgenie",
        ),
        (
            "url",
            "https://api.opsgenie.com?very-secret",
            "`url`: it contains a query",
        ),
        (
            "apikey",
            KEY,
            "`apikey` is not a known setting; did you mean `api_key`?",
        ),
    ] {
        let mut settings = json!({"name": "oncall", "type": "jsm", "api_key": KEY});
        settings[setting] = json!(value);
        let variable = ("CHANNELS".to_owned(), json!([settings]).to_string());
        let error = NotifierConfig::read(&[variable]).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
        assert!(!error.contains("very-secret"), "{error}");
    }
}

/// An alert API that answers this when an alert is closed.
async fn alert_api(closed: ResponseTemplate) -> (MockServer, String) {
    let server = MockServer::start().await;
    let create = Mock::given(method("POST")).and(path("/v2/alerts"));
    create.respond_with(accepted()).mount(&server).await;
    let close = Mock::given(method("POST")).and(path_regex("^/v2/alerts/[a-z0-9-]+/close$"));
    close.respond_with(closed).mount(&server).await;
    let list = json!([{"name": "oncall", "type": "jsm", "url": server.uri(), "api_key": KEY}]);
    (server, list.to_string())
}

/// A test must not leave an open alert behind.
#[tokio::test]
async fn the_alert_of_a_test_is_closed() {
    let (server, list) = alert_api(accepted()).await;
    let output = send_test::run(&[], Some(list)).await;
    let expected = "oncall (jsm): accepted by the service: look for its alert, which was created and closed; whom it notified is a matter of the team's rules\n";
    assert_eq!(send_test::text(&output.stdout), expected, "{output:?}");
    assert_eq!(output.status.code(), Some(0));
    let requests = server.received_requests().await.unwrap();
    let [create, close] = &requests[..] else {
        panic!("{requests:?}");
    };
    let alert: Value = serde_json::from_slice(&create.body).unwrap();
    assert_eq!(alert["priority"], "P5");
    let alias = alert["alias"].as_str().unwrap();
    assert_eq!(close.url.path(), format!("/v2/alerts/{alias}/close"));
    assert_eq!(close.url.query(), Some("identifierType=alias"));
}

#[tokio::test]
async fn an_alert_that_was_not_closed_is_a_failure() {
    let (_server, list) = alert_api(ResponseTemplate::new(404)).await;
    let output = send_test::run(&[], Some(list)).await;
    let printed = send_test::text(&output.stdout);
    let expected = "oncall (jsm): accepted by the service: it was not closed, so close it there: 404 Not Found: ";
    assert!(printed.starts_with(expected), "{printed}");
    assert_eq!(output.status.code(), Some(1));
}
