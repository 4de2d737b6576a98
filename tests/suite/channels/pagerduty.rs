//! PagerDuty's Events API: alerts that are triggered and resolved, change events, and errors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use ecs_parrot::notifier::channel::{
    ChannelType, ConfiguredChannel, Http, MessageRef, Operation, Outcome,
};
use ecs_parrot::notifier::config::NotifierConfig;
use ecs_parrot::notifier::message::Line;
use ecs_parrot::notifier::policy::Severity;
use serde_json::{Value, json};
use wiremock::{MockServer, Request, ResponseTemplate};

use super::{bodies, channel, message, post, server};
use crate::chat_services::{ChatService, Refusal, StrictServer, refusal, send_replay, status_of};
use crate::runtime_api::{Answer, RuntimeApi};
use crate::{events, stories};

pub(crate) const KEY: &str = "R0very-secret-key-of-32-charactr";

fn pagerduty(server: &MockServer) -> ConfiguredChannel {
    channel(json!({"name": "oncall", "type": "pagerduty", "url": server.uri(), "routing_key": KEY}))
}

fn accepted() -> ResponseTemplate {
    let answer = json!({"status": "success", "message": "Event processed", "dedup_key": "x"});
    ResponseTemplate::new(202).set_body_json(answer)
}

/// Whether each key's incident is open.
pub(crate) type Incidents = Arc<Mutex<BTreeMap<String, bool>>>;

/// PagerDuty, with the incidents of one service.
#[derive(Default)]
pub(crate) struct PagerDuty {
    incidents: Incidents,
}

impl ChatService for PagerDuty {
    fn settings(&self, base: &str) -> Value {
        json!({"url": base, "routing_key": KEY})
    }

    fn answer(&mut self, request: &Request) -> Result<ResponseTemplate, Refusal> {
        if request.method != "POST" || request.headers["content-type"] != "application/json" {
            return Err(refusal(400, "not a POST of JSON"));
        }
        if request.body.len() > 512 * 1_000 {
            return Err(refusal(413, "too large"));
        }
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|error| refusal(400, &error.to_string()))?;
        let key = body["routing_key"].as_str().unwrap_or_default();
        if key.len() != 32 {
            return Err(refusal(
                400,
                "Length of 'routing_key' is incorrect (should be 32 characters)",
            ));
        }
        match request.url.path() {
            "/v2/enqueue" => self.enqueue(&body)?,
            "/v2/change/enqueue" => check_change(&body)?,
            _ => return Err(refusal(404, "nothing here")),
        }
        Ok(accepted())
    }
}

impl PagerDuty {
    fn enqueue(&self, body: &Value) -> Result<(), Refusal> {
        let key = text(body, "dedup_key", 255)?.to_owned();
        let mut incidents = self.incidents.lock().unwrap();
        match body["event_action"].as_str() {
            Some("trigger") => {
                let payload = &body["payload"];
                check_payload(payload)?;
                let severities = ["critical", "error", "warning", "info"];
                if !severities.iter().any(|it| payload["severity"] == *it) {
                    return Err(refusal(400, "'payload.severity' is invalid"));
                }
                check_links(&body["links"])?;
                incidents.insert(key, true);
            }
            // Without an open incident it does nothing.
            Some("resolve") => {
                if let Some(is_open) = incidents.get_mut(&key) {
                    *is_open = false;
                }
            }
            _ => return Err(refusal(400, "'event_action' is invalid")),
        }
        Ok(())
    }
}

fn check_change(body: &Value) -> Result<(), Refusal> {
    for unknown in ["event_action", "dedup_key", "client"] {
        if body.get(unknown).is_some() {
            return Err(refusal(400, "not a field of a change event"));
        }
    }
    check_payload(&body["payload"])?;
    check_links(&body["links"])
}

fn check_payload(payload: &Value) -> Result<(), Refusal> {
    text(payload, "summary", 1_024)?;
    text(payload, "source", 1_024)?;
    let is_time = |it: &str| it.parse::<jiff::Timestamp>().is_ok();
    match &payload["timestamp"] {
        Value::Null => {}
        Value::String(time) if is_time(time) => {}
        _ => return Err(refusal(400, "'payload.timestamp' is invalid")),
    }
    match payload["custom_details"].is_object() {
        true => Ok(()),
        false => Err(refusal(400, "'payload.custom_details' is no object")),
    }
}

fn check_links(links: &Value) -> Result<(), Refusal> {
    let is_link = |it: &Value| {
        let href = it["href"].as_str().unwrap_or_default();
        href.starts_with("https://") && it["text"].is_string()
    };
    match links.as_array().is_some_and(|it| it.iter().all(is_link)) {
        true => Ok(()),
        false => Err(refusal(400, "'links' is invalid")),
    }
}

fn text<'a>(body: &'a Value, name: &str, longest: usize) -> Result<&'a str, Refusal> {
    let text = body[name].as_str().unwrap_or_default();
    match (1..=longest).contains(&text.chars().count()) {
        true => Ok(text),
        false => Err(refusal(
            400,
            &format!("'{name}' is missing, blank or too long"),
        )),
    }
}

#[tokio::test]
async fn the_service_refuses_what_is_wrong() {
    let strict = StrictServer::start(Box::new(PagerDuty::default())).await;
    let payload = json!({"summary": "x", "source": "x", "severity": "info", "custom_details": {}});
    let good = json!({
        "routing_key": KEY, "event_action": "trigger", "dedup_key": "x", "payload": payload, "links": [],
    });
    let change = json!({"routing_key": KEY, "payload": payload, "links": []});
    let changed = |pointer: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    for (path, body, status) in [
        ("/v2/enqueue", good.clone(), 202),
        ("/v2/change/enqueue", change.clone(), 202),
        ("/v2/enqueue", change, 400),
        ("/v2/change/enqueue", good.clone(), 400),
        ("/v1/enqueue", good.clone(), 404),
        ("/v2/enqueue", changed("/routing_key", json!("short")), 400),
        (
            "/v2/enqueue",
            changed("/dedup_key", json!("x".repeat(256))),
            400,
        ),
        ("/v2/enqueue", changed("/event_action", json!("close")), 400),
        ("/v2/enqueue", changed("/payload/summary", json!("")), 400),
        (
            "/v2/enqueue",
            changed("/payload/summary", json!("x".repeat(1_025))),
            400,
        ),
        ("/v2/enqueue", changed("/payload/source", json!(null)), 400),
        (
            "/v2/enqueue",
            changed("/payload/severity", json!("fatal")),
            400,
        ),
        (
            "/v2/enqueue",
            changed("/payload/custom_details", json!([])),
            400,
        ),
        (
            "/v2/enqueue",
            changed("/payload/custom_details", json!({"x": "x".repeat(512_000)})),
            413,
        ),
        (
            "/v2/enqueue",
            changed("/links", json!([{"href": "http://x"}])),
            400,
        ),
    ] {
        let url = format!("{}{path}", strict.channel_url());
        let headers = [("content-type", "application/json")];
        let found = status_of(url, &headers, body.to_string()).await;
        let body: String = body.to_string().chars().take(100).collect();
        assert_eq!(found, status, "{path} {body}");
    }
}

/// What the thread says is over is over in PagerDuty too, and nothing else is.
#[tokio::test]
async fn an_incident_is_open_as_long_as_its_thread() {
    let (mut opened, mut left) = (0, 0);
    for name in stories::names() {
        let service = PagerDuty::default();
        let incidents = Arc::clone(&service.incidents);
        let strict = StrictServer::start(Box::new(service)).await;
        let pagerduty = strict.channel(ChannelType::Pagerduty);
        let lines = stories::play(name, ChannelType::Pagerduty);
        send_replay(&pagerduty, &lines, name).await;
        assert_eq!(strict.refused(), [""; 0], "{name}");
        let mut threads = BTreeMap::new();
        for thread in lines.iter().filter_map(|it| it.shown.thread.as_ref()) {
            let is_alert = ["incident", "storm"].contains(&thread.kind.to_string().as_str());
            if is_alert {
                threads.insert(thread.id.to_string(), thread.is_open);
            }
        }
        let incidents = incidents.lock().unwrap();
        for (thread, is_open) in &threads {
            assert_eq!(incidents.get(thread), Some(is_open), "{name}: {thread}");
        }
        opened += threads.len();
        left += incidents.values().filter(|it| **it).count();
    }
    assert!(opened > 8, "{opened}");
    // Runs and single events that failed stay open until a person resolves them.
    assert!(left < opened, "{left} of {opened}");
}

/// PagerDuty is told of its beginning and of its end, and never by an alert.
#[test]
fn a_deployment_is_change_events() {
    let lines = stories::play("rolling-deployment", ChannelType::Pagerduty);
    assert!(!lines.is_empty());
    for line in lines.iter() {
        assert!(
            line.payload.get("event_action").is_none(),
            "{}",
            line.payload
        );
    }
    let actions: Vec<_> = lines.iter().map(|it| it.action.to_string()).collect();
    assert_eq!(actions, ["post", "update"], "{lines:#?}");
    let summary = &lines[1].payload["payload"]["summary"];
    assert!(summary.as_str().unwrap().contains("deployed"), "{summary}");
}

/// In a storm an incident has only edits, so its resolution is one.
#[test]
fn a_resolution_in_a_storm_is_sent() {
    let lines = stories::play("zone-outage", ChannelType::Pagerduty);
    let of = |action: &str| -> BTreeSet<_> {
        let lines = lines
            .iter()
            .filter(|it| it.payload["event_action"] == action);
        lines
            .map(|it| it.payload["dedup_key"].as_str().unwrap().to_owned())
            .collect()
    };
    let (triggered, resolved) = (of("trigger"), of("resolve"));
    assert!(triggered.len() > 2, "{triggered:?}");
    assert_eq!(triggered, resolved);
    assert!(triggered.iter().any(|it| it.starts_with("storm-")));
}

#[tokio::test]
async fn a_critical_event_is_an_alert() {
    let server = server(accepted()).await;
    let pagerduty = pagerduty(&server);
    let mut message = message(Severity::Critical);
    message.facts.cluster = Some("prod-web".to_owned());
    message.facts.service = Some("checkout".to_owned());
    message.facts.region = Some("eu-west-1".to_owned());
    message.facts.cause = Some("out_of_memory".to_owned());
    message.facts.time = Some("2026-11-20T03:12:09Z".to_owned());
    let prepared = pagerduty.channel.prepare(&message, Operation::Post);
    let outcome = pagerduty.channel.send(&Http::default(), &prepared).await;
    let body = bodies(&server).await.remove(0);
    let key = body["dedup_key"].as_str().unwrap();
    let expected = MessageRef {
        channel: "alert".to_owned(),
        id: key.to_owned(),
    };
    assert_eq!(
        outcome,
        Outcome::Delivered {
            root: Some(expected)
        }
    );
    let expected = json!({
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": key,
        "payload": {
            "summary": "checkout ran out of memory",
            "source": "prod-web",
            "severity": "critical",
            "timestamp": "2026-11-20T03:12:09Z",
            "component": "checkout",
            "group": "prod-web",
            "class": "out_of_memory",
            "custom_details": {"Region": "eu-west-1", "Where": "prod-web", "Why": "too little"},
        },
        "links": [],
        "client": "ecs-parrot",
    });
    assert_eq!(body, expected);
    assert!(
        prepared.body.get("routing_key").is_none(),
        "{:?}",
        prepared.body
    );
    let path = server.received_requests().await.unwrap()[0]
        .url
        .path()
        .to_owned();
    assert_eq!(path, "/v2/enqueue");
}

#[tokio::test]
async fn what_is_no_alert_is_a_change_event() {
    let server = server(accepted()).await;
    post(&pagerduty(&server), Severity::Info).await;
    let expected = json!({
        "routing_key": KEY,
        "payload": {
            "summary": "checkout ran out of memory",
            "source": "Amazon ECS",
            "custom_details": {"Where": "prod-web", "Why": "too little"},
        },
        "links": [],
    });
    assert_eq!(bodies(&server).await, [expected]);
    let path = server.received_requests().await.unwrap()[0]
        .url
        .path()
        .to_owned();
    assert_eq!(path, "/v2/change/enqueue");
}

#[tokio::test]
async fn a_very_large_message_loses_whole_lines() {
    let strict = StrictServer::start(Box::new(PagerDuty::default())).await;
    let pagerduty = strict.channel(ChannelType::Pagerduty);
    let mut message = message(Severity::Critical);
    message.headline = "ä".repeat(2_000);
    message.details = (0..200)
        .map(|number| Line::of_text(format!("{number} {}", "ä".repeat(3_000))))
        .collect();
    let prepared = pagerduty.channel.prepare(&message, Operation::Post);
    let outcome = pagerduty.channel.send(&Http::default(), &prepared).await;
    assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    let body = &strict.accepted()[0];
    let length = body.to_string().len();
    assert!((500_000..=512_000).contains(&length), "{length}");
    let details = body["payload"]["custom_details"]["Details"]
        .as_str()
        .unwrap();
    assert!(details.ends_with("more lines left out"));
}

#[tokio::test]
async fn each_error_says_what_to_do() {
    let invalid = json!({
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": ["Length of 'routing_key' is incorrect (should be 32 characters)"],
    });
    let server = server(ResponseTemplate::new(400).set_body_json(invalid)).await;
    let expected = "400 Event object is invalid: Length of 'routing_key' is incorrect (should be 32 characters): \
                    is `routing_key` an integration key of the type Events API v2, and `url` of its region?";
    assert_eq!(
        post(&pagerduty(&server), Severity::Critical).await,
        Outcome::Refused {
            why: expected.to_owned()
        }
    );
}

#[tokio::test]
async fn no_output_has_the_routing_key() {
    let echo = json!({"message": "no", "errors": [format!("unknown key {KEY}")]});
    let server = server(ResponseTemplate::new(400).set_body_json(echo)).await;
    let api = RuntimeApi::with(vec![events::sample("stop_task-by-root")]).await;
    let channels = json!([
        {"name": "oncall", "type": "pagerduty", "url": server.uri(), "routing_key": KEY}
    ]);
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
            "routing_key",
            "very-secret",
            "`routing_key`: it has not 32 characters; is it an integration key",
        ),
        (
            "routing_key",
            "very secret",
            "`routing_key`: it contains characters that are not allowed",
        ),
        ("routing_key", "", "`routing_key`: it is missing"),
        (
            "url",
            "https://very-secret.example.com",
            "`url`: not an address of PagerDuty; the Events API is at",
        ),
        (
            "url",
            "https://events.pagerduty.com?very-secret",
            "`url`: it contains a query",
        ),
        ("key", KEY, "`key` is not a known setting"),
    ] {
        let mut settings = json!({"name": "oncall", "type": "pagerduty", "routing_key": KEY});
        settings[setting] = json!(value);
        let variable = ("CHANNELS".to_owned(), json!([settings]).to_string());
        let error = NotifierConfig::read(&[variable]).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
        assert!(!error.contains("very-secret"), "{error}");
    }
}
