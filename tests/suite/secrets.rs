//! Webhooks that are stored in Parameter Store or Secrets Manager. Neither the log nor an answer may contain them.

use std::time::{Duration, SystemTime};

use futures::future::join_all;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

use crate::chat::texts;
use crate::events;
use crate::fake_aws::{FakeAws, REGION, Refusal};
use crate::runtime_api::{Answer, RuntimeApi};

const PARROT: &str = env!("CARGO_BIN_EXE_parrot");
const OLD: &str = "/services/old-very-secret-part";
const NEW: &str = "/services/new-very-secret-part";

/// A chat server that accepts messages at one path only.
async fn chat_at(address: &str) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path(address))
        .respond_with(ResponseTemplate::new(200).set_body_string("ok"))
        .mount(&server)
        .await;
    server
}

async fn run(
    aws: &FakeAws,
    payloads: Vec<Value>,
    variables: &[(&str, &str)],
) -> (Vec<Answer>, String) {
    let (answers, log) = aws
        .invoke(PARROT, RuntimeApi::with(payloads).await, variables)
        .await;
    assert!(
        !format!("{answers:?} {log}").contains("very-secret"),
        "{answers:?} {log}"
    );
    (answers, log)
}

fn stop(who: &str) -> Value {
    events::sample(&format!("stop_task-{who}"))
}

#[tokio::test]
async fn a_secret_is_fetched_when_first_needed_and_kept() {
    for (reference, name, value) in [
        ("ssm:/ops/webhook", "/ops/webhook", "URL"),
        ("secretsmanager:ops/webhook", "ops/webhook", " URL\n"),
        (
            "secretsmanager:ops/chat:slack",
            "ops/chat",
            r#"{"slack": "URL", "other": "x"}"#,
        ),
    ] {
        let aws = FakeAws::start().await;
        let slack = chat_at(OLD).await;
        aws.secret(
            name,
            &value.replace("URL", &format!("{}{OLD}", slack.uri())),
        );
        let payloads = vec![
            events::sample("task_stopped-scaled-in-exit-0"),
            stop("by-iam-user"),
            stop("by-root"),
        ];
        let variables = [("SLACK_WEBHOOKURL", reference)];
        let (_, log) = run(&aws, payloads, &variables).await;
        assert_eq!(texts(&slack).await.len(), 2, "{reference}: {log}");
        assert_eq!(aws.calls().len(), 1, "{reference}");
        let nothing = vec![events::sample("task_stopped-scaled-in-exit-0")];
        run(&aws, nothing, &variables).await;
        assert_eq!(aws.calls().len(), 1, "what is dropped needs no webhook");
    }
}

#[tokio::test]
async fn a_flowdock_token_may_be_a_reference() {
    let aws = FakeAws::start().await;
    aws.secret("/ops/token", "very-secret-token");
    let flowdock = chat_at("/v1/messages/chat/very-secret-token").await;
    let url = flowdock.uri();
    let variables = [
        ("FLOWDOCK_API_TOKEN", "ssm:/ops/token"),
        ("FLOWDOCK_URL", url.as_str()),
    ];
    run(&aws, vec![stop("by-root")], &variables).await;
    assert_eq!(texts(&flowdock).await.len(), 1);
}

/// A webhook can be rotated without a new deployment.
#[tokio::test]
async fn a_secret_is_fetched_again_when_the_channel_refuses_it() {
    let aws = FakeAws::start().await;
    let slack = chat_at(NEW).await;
    let api = RuntimeApi::with(vec![stop("by-iam-user"), stop("by-root")]).await;
    let variables = [("SLACK_WEBHOOKURL", "ssm:/ops/webhook")];
    aws.secret("/ops/webhook", &format!("{}{NEW}", slack.uri()));
    aws.answer_once(
        "GetParameter",
        json!({"Parameter": {"Value": format!("{}{OLD}", slack.uri())}}),
    );
    let (answers, log) = aws.invoke(PARROT, api, &variables).await;
    assert_eq!(
        answers,
        [Answer::Response(Value::Null), Answer::Response(Value::Null)],
        "{log}"
    );
    assert_eq!(aws.bodies("GetParameter").len(), 2, "{log}");
    let paths = slack.received_requests().await.unwrap();
    let paths: Vec<_> = paths
        .iter()
        .map(|request| request.url.path().to_owned())
        .collect();
    assert_eq!(paths, [OLD, NEW, NEW]);
}

/// If a secret cannot be read, the invocation fails, and the error says what is missing.
#[tokio::test]
async fn a_secret_that_cannot_be_read_fails_the_invocation() {
    let denied = Refusal::new(
        "AccessDeniedException",
        "User is not authorized to perform: ssm:GetParameter",
    );
    let cases = [
        (
            "ssm:/ops/webhook",
            "/other",
            "x",
            "GetParameter: ParameterNotFound",
        ),
        (
            "secretsmanager:chat",
            "/other",
            "x",
            "can't find the specified secret",
        ),
        (
            "secretsmanager:chat:slack",
            "chat",
            "very-secret",
            "has no such key, or is not a JSON object",
        ),
        (
            "ssm:/ops/webhook",
            "/ops/webhook",
            "http://chat.example/very-secret",
            "would be sent unencrypted",
        ),
        (
            "ssm:/ops/webhook",
            "/ops/webhook",
            "very-secret",
            "not an address",
        ),
        ("ssm:/ops/webhook", "/ops/webhook", " ", "is empty"),
        (
            "ssm:/ops/webhook",
            "denied",
            "x",
            "allow this call to the function's role",
        ),
    ];
    let denied = &denied;
    join_all(cases.map(|(reference, name, value, says)| async move {
        let aws = FakeAws::start().await;
        aws.secret(name, value);
        if name == "denied" {
            aws.refuse("GetParameter", 99, denied);
        }
        let (answers, log) = run(
            &aws,
            vec![stop("by-root")],
            &[("SLACK_WEBHOOKURL", reference)],
        )
        .await;
        let [Answer::Error { kind, message }] = &answers[..] else {
            panic!("{reference}: {answers:?} {log}")
        };
        assert_eq!(kind, "DeliveryFailed");
        assert!(message.contains(says), "{reference} {value}: {message}");
    }))
    .await;
}

/// An AWS endpoint that gives every call the same answer.
async fn aws_that(answer: impl Respond + 'static) -> MockServer {
    let server = MockServer::start().await;
    let every = Mock::given(method("POST")).respond_with(answer);
    every.mount(&server).await;
    server
}

/// Runs the function on one event, with its webhook in Parameter Store. Returns its answers and its log.
async fn run_at(aws: &MockServer) -> (Vec<Answer>, String) {
    let uri = aws.uri();
    let variables = [
        ("SLACK_WEBHOOKURL", "ssm:/ops/webhook"),
        ("AWS_REGION", REGION),
        ("AWS_ENDPOINT_URL", uri.as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("ENRICH", "false"),
    ];
    let api = RuntimeApi::with(vec![stop("by-root")]).await;
    api.run(&variables).await
}

#[tokio::test]
async fn an_answer_that_is_not_valid_is_an_error() {
    let cases = [
        ("[1]", "the answer is not a JSON object"),
        ("\"x\"", "the answer is not a JSON object"),
        ("null", "the answer is not a JSON object"),
        ("<html>", "the answer is not a JSON object"),
        ("", "ssm:/ops/webhook is empty"),
        (r#"{"Parameter": "x"}"#, "ssm:/ops/webhook is empty"),
        (
            r#"{"Parameter": {"Value": 7}}"#,
            "ssm:/ops/webhook is empty",
        ),
    ];
    join_all(cases.map(|(body, says)| async move {
        let aws = aws_that(ResponseTemplate::new(200).set_body_string(body)).await;
        let (answers, log) = run_at(&aws).await;
        let [Answer::Error { kind, message }] = &answers[..] else {
            panic!("{body}: {answers:?} {log}")
        };
        assert_eq!(kind, "DeliveryFailed", "{body}");
        assert!(message.contains(says), "{body}: {message}");
    }))
    .await;
}

/// An AWS endpoint whose clock is one hour ahead. It accepts requests that were signed within five minutes of its time,
/// and answers with a webhook.
struct ClockAhead {
    webhook: String,
}

impl Respond for ClockAhead {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        let now = SystemTime::now() + Duration::from_secs(3_600);
        let date = httpdate::fmt_http_date(now);
        let now: jiff::Timestamp = now.try_into().unwrap();
        let signed = request.headers["x-amz-date"].to_str().unwrap();
        let signed = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", signed).unwrap();
        let signed = signed
            .to_datetime()
            .unwrap()
            .to_zoned(jiff::tz::TimeZone::UTC);
        let apart = now.duration_since(signed.unwrap().timestamp()).abs();
        let answer = match apart.as_secs() < 300 {
            true => ResponseTemplate::new(200)
                .set_body_json(json!({"Parameter": {"Value": self.webhook}})),
            false => ResponseTemplate::new(400).set_body_json(json!({
                "__type": "InvalidSignatureException",
                "message": "Signature expired",
            })),
        };
        answer.insert_header("date", date.as_str())
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_by_an_hour_is_corrected() {
    let chat = chat_at(NEW).await;
    let webhook = format!("{}{NEW}", chat.uri());
    let aws = aws_that(ClockAhead { webhook }).await;
    let (answers, log) = run_at(&aws).await;
    assert_eq!(answers, [Answer::Response(Value::Null)], "{log}");
    assert_eq!(aws.received_requests().await.unwrap().len(), 2, "{log}");
}

/// A failed call to AWS is not logged as an error of the function.
#[tokio::test]
async fn a_failed_call_to_aws_is_not_logged_as_an_error() {
    let chat = chat_at(NEW).await;
    let webhook = format!("{}{NEW}", chat.uri());
    let aws = aws_that(ResponseTemplate::new(503)).await;
    let uri = aws.uri();
    let variables = [
        ("SLACK_WEBHOOKURL", webhook.as_str()),
        ("STATE_TABLE", "state"),
        ("AWS_REGION", REGION),
        ("AWS_ENDPOINT_URL", uri.as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    let api = RuntimeApi::with(vec![stop("by-root")]).await;
    let (answers, log) = api.run(&variables).await;
    assert_eq!(answers, [Answer::Response(Value::Null)], "{log}");
    assert!(!aws.received_requests().await.unwrap().is_empty());
    assert!(!log.contains("\"ERROR\""), "{log}");
}
