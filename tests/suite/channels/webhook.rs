//! A receiver of webhooks: the body, its schema, the signature, and what each answer means.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ecs_parrot::aws::deadline::Deadline;
use ecs_parrot::notifier::channel::{
    ChannelType, ConfiguredChannel, Http, MessageRef, Operation, Outcome,
};
use ecs_parrot::notifier::config::NotifierConfig;
use ecs_parrot::notifier::message::{Line, Message, MessageThread};
use ecs_parrot::notifier::policy::{Policy, Severity};
use ecs_parrot::notifier::replay::ReplayLine;
use ecs_parrot::notifier::send_test::{TestRequest, TestRun};
use ecs_parrot::notifier::thread::{Reason, ThreadId, ThreadKind};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use wiremock::{MockServer, Request, ResponseTemplate};

use super::{channel, message, post, server};
use crate::chat_services::{ChatService, Refusal, StrictServer, refusal, status_of};
use crate::fake_aws::FakeAws;
use crate::runtime_api::{Answer, RuntimeApi};
use crate::{events, hostile, stories, tools};

/// 32 bytes.
pub(crate) const SECRET: &str = "whsec_dmVyeS1zZWNyZXQta2V5LW9mLTMyLWJ5dGVzLTAwMDE=";

const OTHER_SECRET: &str = "whsec_dmVyeS1zZWNyZXQta2V5LW9mLTMyLWJ5dGVzLTAwMDI=";

const URL_SECRET: &str = "very-secret-part";

fn settings(server: &MockServer) -> Value {
    json!({
        "name": "audit",
        "type": "webhook",
        "url": format!("{}/hooks/{URL_SECRET}", server.uri()),
        "secret": SECRET,
    })
}

fn webhook(server: &MockServer, more: &[(&str, Value)]) -> ConfiguredChannel {
    let mut settings = settings(server);
    for (name, value) in more {
        settings[name] = value.clone();
    }
    channel(settings)
}

async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.unwrap()
}

/// Checks a request as the specification says.
fn verify(secret: &str, request: &Request) -> Result<(), String> {
    let header = |name: &str| {
        let value = request.headers.get(name).and_then(|it| it.to_str().ok());
        value.ok_or(format!("no {name}"))
    };
    let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let sent: u64 = timestamp.parse().map_err(|_| "not seconds")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    if now.as_secs().abs_diff(sent) > 300 {
        return Err("too old".to_owned());
    }
    if id.contains('.') {
        return Err("an id with a dot".to_owned());
    }
    let key = BASE64_STANDARD.decode(&secret["whsec_".len()..]).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(&request.body);
    let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    let given = header("webhook-signature")?;
    match given.split(' ').any(|it| it == expected) {
        true => Ok(()),
        false => Err("no matching signature".to_owned()),
    }
}

/// A receiver that checks the signature, the content type and the outline of the body.
pub(crate) struct Receiver;

impl ChatService for Receiver {
    fn settings(&self, base: &str) -> Value {
        json!({"url": format!("{base}/hooks/{URL_SECRET}"), "secret": SECRET})
    }

    fn answer(&mut self, request: &Request) -> Result<ResponseTemplate, Refusal> {
        if request.method != "POST" || request.url.path() != format!("/hooks/{URL_SECRET}") {
            return Err(refusal(404, "nothing here"));
        }
        verify(SECRET, request).map_err(|why| refusal(401, &why))?;
        if request.headers["content-type"] != "application/json" {
            return Err(refusal(415, "not JSON"));
        }
        if request.body.len() > 20_000 {
            return Err(refusal(413, "larger than 20 kB"));
        }
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|error| refusal(400, &error.to_string()))?;
        let event_type = body["type"].as_str().unwrap_or_default();
        let is_type = event_type.split('.').count() == 3
            && event_type
                .chars()
                .all(|c| c.is_ascii_lowercase() || "._".contains(c));
        match is_type && body["data"].is_object() {
            true => Ok(ResponseTemplate::new(204)),
            false => Err(refusal(400, "no type or no data")),
        }
    }
}

/// A request like the ones of the channel, with another body and headers.
async fn answer_to(body: &str, signature: Option<&str>) -> u16 {
    let service: Box<dyn ChatService> = Box::new(Receiver);
    let strict = StrictServer::start(service).await;
    let url = strict.channel_url();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let timestamp = now.as_secs().to_string();
    let key = BASE64_STANDARD.decode(&SECRET["whsec_".len()..]).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("msg_1.{timestamp}.{body}").as_bytes());
    let right = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    let headers = [
        ("content-type", "application/json"),
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", &timestamp),
        ("webhook-signature", signature.unwrap_or(&right)),
    ];
    status_of(url, &headers, body.to_owned()).await
}

#[tokio::test]
async fn the_receiver_refuses_what_is_wrong() {
    let good = r#"{"type": "ecs_parrot.event.other", "data": {}}"#;
    let large = json!({"type": "ecs_parrot.event.other", "data": {"x": "x".repeat(20_000)}});
    for (body, signature, status) in [
        (good, None, 204),
        (good, Some("v1,AAAA"), 401),
        (good, Some("v1a,AAAA"), 401),
        (r#"{"type": "other", "data": {}}"#, None, 400),
        (r#"{"type": "ecs_parrot.event.other"}"#, None, 400),
        ("{", None, 400),
        (&large.to_string(), None, 413),
    ] {
        assert_eq!(answer_to(body, signature).await, status, "{body:.80}");
    }
}

#[tokio::test]
async fn a_message_is_signed_json() {
    let server = server(ResponseTemplate::new(204)).await;
    let webhook = webhook(&server, &[]);
    assert_eq!(
        post(&webhook, Severity::Critical).await,
        Outcome::Delivered { root: None }
    );
    let [request] = &requests(&server).await[..] else {
        panic!("one request");
    };
    verify(SECRET, request).unwrap();
    assert!(verify(OTHER_SECRET, request).is_err());
    let facts = json!({
        "event_id": null, "time": null, "account": null, "account_name": null, "region": null, "cluster": null, "service": null,
        "family": null, "revision": null, "task": null, "instance": null, "actor": null, "cause": null, "links": [],
    });
    let expected = json!({
        "type": "ecs_parrot.event.task_stopped",
        "timestamp": null,
        "data": {
            "version": 1,
            "action": "post",
            "thread": null,
            "message": {
                "kind": "task_stopped",
                "severity": "critical",
                "urgent": true,
                "headline": "checkout ran out of memory",
                "lines": [{"label": "Why", "text": "too little"}, {"label": "Where", "text": "prod-web"}],
                "lines_left_out": 0,
            },
            "facts": facts,
        },
    });
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body, expected);
}

/// The id says that it is the same action. So it is the same in every attempt, and another for another action.
#[tokio::test]
async fn the_id_is_that_of_the_action() {
    let server = server(ResponseTemplate::new(503)).await;
    let webhook = webhook(&server, &[]);
    let (message, root) = (message(Severity::Warning), root());
    for operation in [Operation::Post, Operation::Post, Operation::Update(&root)] {
        let prepared = webhook.channel.prepare(&message, operation);
        for _ in 0..2 {
            webhook.channel.send(&Http::default(), &prepared).await;
        }
    }
    let requests = requests(&server).await;
    requests.iter().for_each(|it| verify(SECRET, it).unwrap());
    let ids: Vec<_> = requests
        .iter()
        .map(|it| it.headers["webhook-id"].to_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 6);
    assert!(ids[..4].iter().all(|it| *it == ids[0]), "{ids:?}");
    assert!(ids[4] == ids[5] && ids[4] != ids[0], "{ids:?}");
    assert!(ids[0].starts_with("msg_"), "{ids:?}");
}

/// A later invocation renders the thread anew, and knows more of it. Another step has another id, and so has a message
/// about more events than the first one.
#[tokio::test]
async fn an_id_does_not_depend_on_what_is_known_later() {
    let server = server(ResponseTemplate::new(200)).await;
    let webhook = webhook(&server, &[]);
    let step = |reason: Reason, at: &str| Message {
        thread: Some(MessageThread {
            id: ThreadId::default(),
            kind: ThreadKind::Incident,
            state: None,
            is_open: true,
            has_been_urgent: true,
            reason,
            at: Some(at.to_owned()),
        }),
        ..message(Severity::Warning)
    };
    let of_event = |id: &str| {
        let mut message = message(Severity::Warning);
        message.facts.event_id = Some(id.to_owned());
        message
    };
    let (first, other) = ("2026-11-02T03:04:05.001Z", "2026-11-02T03:04:05.002Z");
    let mut later = step(Reason::Opened, first);
    later.headline = "5 tasks ran out of memory".to_owned();
    let mut looked_up = of_event("event 1");
    looked_up.details.push(Line::of_text("image".to_owned()));
    let mut more = of_event("event 1");
    more.headline = "2 tasks stopped".to_owned();
    let messages = [
        (step(Reason::Opened, first), 0),
        (later, 0),
        (step(Reason::Opened, other), 2),
        (step(Reason::Worse, first), 3),
        (of_event("event 1"), 4),
        (looked_up, 4),
        (more, 6),
        (of_event("event 2"), 7),
    ];
    for (message, _) in &messages {
        let prepared = webhook.channel.prepare(message, Operation::Post);
        webhook.channel.send(&Http::default(), &prepared).await;
    }
    let requests = requests(&server).await;
    let ids: Vec<_> = requests
        .iter()
        .map(|it| &it.headers["webhook-id"])
        .collect();
    for (index, (_, same)) in messages.iter().enumerate() {
        let found = ids.iter().position(|it| *it == ids[index]);
        assert_eq!(found, Some(*same), "{index}: {ids:?}");
    }
}

fn root() -> MessageRef {
    MessageRef {
        channel: "webhook".to_owned(),
        id: "incident-1f0a6c2b9d3e4f50".to_owned(),
    }
}

#[tokio::test]
async fn each_of_two_secrets_signs() {
    let server = server(ResponseTemplate::new(200)).await;
    let webhook = webhook(&server, &[("secret", json!([OTHER_SECRET, SECRET]))]);
    post(&webhook, Severity::Info).await;
    let requests = requests(&server).await;
    for secret in [SECRET, OTHER_SECRET] {
        verify(secret, &requests[0]).unwrap();
    }
    let signatures = requests[0].headers["webhook-signature"].to_str().unwrap();
    assert_eq!(signatures.split(' ').count(), 2, "{signatures}");
}

#[tokio::test]
async fn a_cloud_event_has_its_attributes() {
    let server = server(ResponseTemplate::new(202)).await;
    let webhook = webhook(&server, &[("format", json!("cloudevents"))]);
    let line = first_line("crash-loop");
    let prepared = webhook.channel.prepare(&line.shown, Operation::Post);
    let outcome = webhook.channel.send(&Http::default(), &prepared).await;
    let thread = line.thread.as_ref().unwrap().to_string();
    let expected = MessageRef {
        channel: "webhook".to_owned(),
        id: thread,
    };
    assert_eq!(
        outcome,
        Outcome::Delivered {
            root: Some(expected)
        }
    );
    let request = &requests(&server).await[0];
    verify(SECRET, request).unwrap();
    let content_type = "application/cloudevents+json; charset=utf-8";
    assert_eq!(request.headers["content-type"], content_type);
    let mut body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["id"], request.headers["webhook-id"].to_str().unwrap());
    let plain = &line.payload;
    assert_eq!(body["data"].take(), plain["data"]);
    let facts = &line.shown.facts;
    let (region, account) = (
        facts.region.as_ref().unwrap(),
        facts.account.as_ref().unwrap(),
    );
    let cluster = facts.cluster.as_ref().unwrap();
    let source = format!("arn:aws:ecs:{region}:{account}:cluster/{cluster}");
    let expected = json!({
        "specversion": "1.0",
        "id": body["id"],
        "source": source,
        "type": plain["type"],
        "time": plain["timestamp"],
        "subject": facts.service,
        "datacontenttype": "application/json",
        "data": null,
    });
    assert_eq!(body, expected);
}

fn first_line(story: &'static str) -> ReplayLine {
    let lines: Arc<Vec<ReplayLine>> = stories::play(story, ChannelType::Webhook);
    lines.iter().find(|it| it.thread.is_some()).unwrap().clone()
}

/// Every body of the samples, the stories and hostile events is what the schema says, and has no other field.
#[tokio::test]
async fn every_body_is_what_the_schema_says() {
    let mut bodies = vec![test_body("json").await];
    for name in stories::names() {
        let lines = stories::play(name, ChannelType::Webhook);
        bodies.extend(lines.iter().map(|it| it.payload.clone()));
    }
    let actions = ["post", "update", "reply", "broadcast"];
    for action in actions {
        assert!(
            bodies.iter().any(|it| it["data"]["action"] == action),
            "{action}"
        );
    }
    let over = |it: &Value| it["data"]["thread"]["is_open"] == false;
    assert!(bodies.iter().any(over));
    for (_, payload) in events::all() {
        bodies.extend(sample_bodies(payload));
    }
    let hostile = "<&> \"\u{202e}\n".repeat(300);
    for (_, payload) in events::one_of_each_kind() {
        bodies.extend(sample_bodies(&hostile::poison(payload, &hostile)));
    }
    let largest = bodies.iter().map(|it| it.to_string().len()).max();
    assert!(largest.unwrap() <= 20_000, "{largest:?}");
    let checked = tools::run_python::<&str>("validate_webhook.py", &[], &json!(bodies).to_string());
    assert_eq!(checked.trim(), bodies.len().to_string());
}

fn sample_bodies(payload: &Value) -> Vec<Value> {
    let evaluated = events::evaluate(payload, &Policy::default());
    let bodies = evaluated.into_iter().flatten().filter_map(|evaluated| {
        let rendered = events::render(events::renderer(), &evaluated.notice, evaluated.priority()?);
        rendered.unwrap().of(ChannelType::Webhook).payload.clone()
    });
    bodies.collect()
}

/// The example of the page accepts what is sent, and refuses it after a change.
#[tokio::test]
async fn the_example_of_the_page_checks_the_signature() {
    let server = server(ResponseTemplate::new(200)).await;
    post(&webhook(&server, &[]), Severity::Critical).await;
    let request = &requests(&server).await[0];
    let page = std::fs::read_to_string(Path::new(tools::root()).join("docs/webhook.md")).unwrap();
    let (_, example) = page.split_once("```python\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers = names.map(|name| (name, request.headers[name].to_str().unwrap()));
    let headers: serde_json::Map<_, _> = headers
        .map(|(name, it)| (name.to_owned(), json!(it)))
        .into_iter()
        .collect();
    let body = String::from_utf8(request.body.clone()).unwrap();
    let input = json!({"headers": headers, "body": body, "secret": SECRET, "other": OTHER_SECRET});
    let program = format!(
        "{example}\nimport json, sys\nit = json.load(sys.stdin)\nbody = it['body'].encode()\n\
         print(is_genuine(it['secret'], it['headers'], body), is_genuine(it['other'], it['headers'], body), \
         is_genuine(it['secret'], it['headers'], body + b' '))"
    );
    let mut python = std::process::Command::new("python3");
    let output = tools::run_with_input(python.args(["-c", &program]), &input.to_string());
    assert!(output.status.success(), "{}", tools::output_text(&output));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "True False False"
    );
}

#[tokio::test]
async fn an_answer_says_what_to_do() {
    for (status, advice) in [
        (301, "redirects are not followed"),
        (308, "redirects are not followed"),
        (401, "does the receiver know the same `secret`"),
        (404, "set `url` to the whole address"),
        (410, "the receiver says that it is gone"),
        (415, "set `format`"),
    ] {
        let server = server(ResponseTemplate::new(status)).await;
        let outcome = post(&webhook(&server, &[]), Severity::Info).await;
        let Outcome::Refused { why } = outcome else {
            panic!("{status}: {outcome:?}");
        };
        assert!(why.contains(advice), "{status}: {why}");
    }
    for status in [429, 502, 504] {
        let answer = ResponseTemplate::new(status).insert_header("retry-after", "7");
        let server = server(answer).await;
        let outcome = post(&webhook(&server, &[]), Severity::Info).await;
        let is_busy = matches!(&outcome, Outcome::Retry { after: Some(after), .. } if *after == Duration::from_secs(7));
        assert!(is_busy, "{outcome:?}");
    }
}

/// Standard Webhooks demands that nothing more is sent to a receiver that answers 410.
#[tokio::test]
async fn a_receiver_that_is_gone_gets_nothing_more() {
    let gone = server(ResponseTemplate::new(410)).await;
    let channel = webhook(&gone, &[]);
    let first = post(&channel, Severity::Info).await;
    let second = post(&channel, Severity::Info).await;
    for (outcome, expected) in [
        (first, "410 Gone: the receiver says that it is gone"),
        (
            second,
            "the secret cannot be used: the service said that this address is gone",
        ),
    ] {
        let why = outcome.why().unwrap();
        assert!(
            matches!(outcome, Outcome::Refused { .. }) && why.starts_with(expected),
            "{outcome:?}"
        );
        assert!(!why.contains(URL_SECRET), "{why}");
    }
    assert_eq!(requests(&gone).await.len(), 1);
}

/// The address in Parameter Store was changed: the old receiver gets one message, the new one all.
#[tokio::test]
async fn the_new_address_of_a_receiver_is_used() {
    let (old, new) = (
        server(ResponseTemplate::new(410)).await,
        server(ResponseTemplate::new(204)).await,
    );
    let url = |server: &MockServer| format!("{}/hooks/{URL_SECRET}", server.uri());
    let aws = FakeAws::start().await;
    aws.secret("/ops/hook", &url(&new));
    aws.answer_once("GetParameter", json!({"Parameter": {"Value": url(&old)}}));
    let mut settings = settings(&old);
    settings["url"] = json!("ssm:/ops/hook");
    let list = json!([settings]).to_string();
    let stops = ["stop_task-by-iam-user", "stop_task-by-root"].map(events::sample);
    let api = RuntimeApi::with(stops.to_vec()).await;
    let (answers, log) = aws
        .invoke(env!("CARGO_BIN_EXE_parrot"), api, &[("CHANNELS", &list)])
        .await;
    let done = || Answer::Response(Value::Null);
    assert_eq!(answers, [done(), done()], "{log}");
    assert_eq!(requests(&old).await.len(), 1);
    assert_eq!(requests(&new).await.len(), 2);
}

/// What a receiver gets of a test message.
async fn test_body(format: &str) -> Value {
    let server = server(ResponseTemplate::new(204)).await;
    let channels = [webhook(&server, &[("format", json!(format))])];
    let run = TestRun {
        http: &Http::default(),
        sender: "a test",
        deadline: Deadline::NONE,
        waiting: |_, _, _| (),
    };
    let tests = run.tests(&TestRequest::default(), &channels).unwrap();
    let results = futures::future::join_all(tests).await;
    assert!(results[0].is_success(), "{results:?}");
    let [request] = &requests(&server).await[..] else {
        panic!("not one request");
    };
    serde_json::from_slice(&request.body).unwrap()
}

/// A test message is about no event, but has a time and a type of its own.
#[tokio::test]
async fn a_test_message_has_a_time_and_its_own_type() {
    for (format, time) in [("json", "timestamp"), ("cloudevents", "time")] {
        let body = test_body(format).await;
        assert_eq!(body["type"], "ecs_parrot.test");
        let time = body[time].as_str().unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
        assert_eq!(body["data"]["facts"].get("is_test"), None);
    }
}

/// A secret of the signature can be replaced without a new deployment.
#[tokio::test]
async fn a_refused_secret_is_read_again_from_where_it_is_kept() {
    let (aws, server) = (FakeAws::start().await, MockServer::start().await);
    let strict =
        wiremock::Mock::given(wiremock::matchers::any()).respond_with(|request: &Request| {
            let status = verify(SECRET, request).map_or(401, |()| 204);
            ResponseTemplate::new(status)
        });
    strict.mount(&server).await;
    let mut settings = settings(&server);
    settings["secret"] = json!("ssm:/ops/webhook");
    aws.secret("/ops/webhook", SECRET);
    aws.answer_once(
        "GetParameter",
        json!({"Parameter": {"Value": OTHER_SECRET}}),
    );
    let api = RuntimeApi::with(vec![events::sample("stop_task-by-root")]).await;
    let channels = json!([settings]).to_string();
    let program = env!("CARGO_BIN_EXE_parrot");
    let (answers, log) = aws.invoke(program, api, &[("CHANNELS", &channels)]).await;
    assert_eq!(answers, [Answer::Response(Value::Null)], "{log}");
    assert_eq!(requests(&server).await.len(), 2, "{log}");
    for secret in [SECRET, OTHER_SECRET] {
        assert!(!log.contains(&secret["whsec_".len()..]), "{log}");
    }
}

#[test]
fn what_is_wrong_with_the_settings_is_said_without_the_secrets() {
    let secret_list = "`secret`: a list that is empty or too long";
    for (setting, value, problem) in [
        (
            "url",
            json!("http://example.com/very-secret"),
            "`url`: messages would be sent unencrypted",
        ),
        (
            "url",
            json!("ftp://example.com/very-secret"),
            "`url`: its scheme is not https",
        ),
        ("url", json!(""), "`url`: it is missing"),
        (
            "secret",
            json!("very-secret"),
            "`secret`: it does not begin with `whsec_`",
        ),
        (
            "secret",
            json!("whsec_very-secret"),
            "`secret`: it is not base64",
        ),
        (
            "secret",
            json!("whsec_dmVyeQ=="),
            "`secret`: it has fewer than 24",
        ),
        ("secret", json!(null), "`secret`: it is missing"),
        ("secret", json!([]), secret_list),
        ("secret", json!([SECRET, SECRET, SECRET]), secret_list),
        ("secret", json!([7]), secret_list),
        (
            "secret",
            json!([SECRET, "very-secret"]),
            "`secret`: it does not begin with `whsec_`",
        ),
        (
            "format",
            json!("xml"),
            "`format`: not a format; allowed: `json` or `cloudevents`",
        ),
        (
            "secrets",
            json!(SECRET),
            "`secrets` is not a known setting; did you mean `secret`?",
        ),
    ] {
        let mut settings = json!({
            "name": "audit",
            "type": "webhook",
            "url": "https://10.0.0.7:8443/hooks/very-secret",
            "secret": SECRET,
        });
        settings[setting] = value;
        let variable = ("CHANNELS".to_owned(), json!([settings]).to_string());
        let error = NotifierConfig::read(&[variable]).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
        assert!(
            !error.contains("very-secret") && !error.contains("dmVye"),
            "{error}"
        );
    }
}

/// Another problem in an operator's list is a secret that `config` shows.
#[test]
fn a_list_of_secrets_is_shown_without_them() {
    let settings = json!([{
        "name": "audit",
        "type": "webhook",
        "url": "https://10.0.0.7:8443/hooks/very-secret",
        "secret": [SECRET, "ssm:/ops/webhook"],
    }]);
    let variable = ("CHANNELS".to_owned(), settings.to_string());
    let config = NotifierConfig::read(&[variable]).unwrap();
    let shown = &config.channels.shown[0].settings;
    let secret = shown.iter().find(|it| it.name == "secret").unwrap();
    assert_eq!(secret.value, "[redacted], ssm:/ops/webhook");
}
