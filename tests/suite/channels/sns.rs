//! A topic of SNS: the custom notification of Amazon Q, the call in the topic's region, and errors.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::{Arc, Mutex};

use ecs_parrot::notifier::channel::{ChannelType, Operation, Receipt};
use ecs_parrot::notifier::config::NotifierConfig;
use ecs_parrot::notifier::policy::{Policy, Severity};
use reqwest::Url;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::{channel, message};
use crate::moto::Moto;
use crate::runtime_api::{Answer, RuntimeApi};
use crate::{events, stories, tools};

const TOPIC: &str = "arn:aws:sns:us-east-1:210987654321:alerts";

const FIFO: &str = "arn:aws:sns:us-east-1:210987654321:alerts.fifo";

type Fields = BTreeMap<String, String>;

/// SNS, as far as Publish needs it.
struct Sns {
    published: Arc<Mutex<Vec<Fields>>>,
    /// The error of every call: its status, code and message.
    error: Option<(u16, &'static str, &'static str)>,
}

impl Respond for Sns {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let fields = fields(request);
        let found = match self.error {
            Some(error) => Err(error),
            None => check(request, &fields).map_err(|why| (400, "InvalidParameter", why)),
        };
        match found {
            Ok(()) => {
                self.published.lock().unwrap().push(fields);
                ResponseTemplate::new(200).set_body_string(
                    "<PublishResponse><PublishResult><MessageId>94f2</MessageId></PublishResult></PublishResponse>",
                )
            }
            Err((status, code, message)) => ResponseTemplate::new(status).set_body_string(format!(
                "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type>\
                 <Code>{code}</Code><Message>{message}</Message></Error><RequestId>5c1d</RequestId></ErrorResponse>"
            )),
        }
    }
}

fn fields(request: &Request) -> Fields {
    let form = String::from_utf8(request.body.clone()).unwrap();
    // A form has the syntax of a query.
    let url = Url::parse(&format!("http://form/?{form}")).unwrap();
    url.query_pairs().into_owned().collect()
}

fn check(request: &Request, fields: &Fields) -> Result<(), &'static str> {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let content_type = request.headers["content-type"].to_str().unwrap();
    if content_type != "application/x-www-form-urlencoded" {
        return Err("not a form");
    }
    if field("Action") != "Publish" || field("Version") != "2010-03-31" {
        return Err("not Publish");
    }
    let signature = request.headers["authorization"].to_str().unwrap();
    if !signature.contains("/us-east-1/sns/aws4_request") {
        return Err("not signed for the topic's region");
    }
    if !(1..=262_144).contains(&field("Message").len()) {
        return Err("Message is empty or too long");
    }
    let is_id =
        |it: &str| (1..=128).contains(&it.len()) && it.chars().all(|c| c.is_ascii_graphic());
    let ids = [field("MessageGroupId"), field("MessageDeduplicationId")];
    match field("TopicArn") {
        TOPIC if ids == ["", ""] => Ok(()),
        FIFO if ids.into_iter().all(is_id) => Ok(()),
        TOPIC | FIFO => Err("MessageGroupId is wrong for this topic"),
        _ => Err("TopicArn is wrong"),
    }
}

/// What Amazon Q shows. It ignores anything else without a word.
fn check_notification(body: &Value) {
    assert_eq!(
        (&body["version"], &body["source"]),
        (&json!("1.0"), &json!("custom")),
        "{body}"
    );
    let (content, metadata) = (&body["content"], &body["metadata"]);
    assert_eq!(content["textType"], "client-markdown");
    let length = |text: &Value| text.as_str().unwrap().encode_utf16().count();
    assert!((1..=500).contains(&length(&content["title"])), "{content}");
    assert!(
        (1..=8_000).contains(&length(&content["description"])),
        "{content}"
    );
    let are_texts = |it: &Value| it.as_array().unwrap().iter().all(Value::is_string);
    assert!(
        are_texts(&content["keywords"]) && are_texts(&metadata["relatedResources"]),
        "{body}"
    );
    assert!(content.get("nextSteps").is_none_or(are_texts), "{content}");
    let context = metadata["additionalContext"].as_object().unwrap();
    assert!(context.values().all(Value::is_string), "{context:?}");
    assert!(body["id"].is_string() && metadata["eventType"].is_string());
    let known = ["version", "source", "id", "content", "metadata"];
    assert!(
        body.as_object()
            .unwrap()
            .keys()
            .all(|it| known.contains(&it.as_str())),
        "{body}"
    );
}

#[test]
fn every_notification_is_what_amazon_q_shows() {
    let mut threads = BTreeSet::new();
    for name in stories::names() {
        let lines = stories::play(name, ChannelType::Sns);
        for line in lines.iter() {
            check_notification(&line.payload);
            threads.extend(line.thread.clone());
            let thread = line.thread.as_ref().map(|it| json!(it));
            let found = line.payload["metadata"].get("threadId").cloned();
            assert_eq!(found, thread, "{}", line.headline);
        }
    }
    for (_, payload) in events::all() {
        for evaluated in events::evaluate(payload, &Policy::default())
            .into_iter()
            .flatten()
        {
            let Some(priority) = evaluated.priority() else {
                continue;
            };
            let rendered = events::render(events::renderer(), &evaluated.notice, priority).unwrap();
            check_notification(rendered.of(ChannelType::Sns).payload.as_ref().unwrap());
        }
    }
    assert!(threads.len() > 10, "{threads:?}");
}

#[test]
fn advice_is_a_next_step() {
    let sns = channel(json!({"name": "q", "type": "sns", "topic": TOPIC}));
    let mut message = message(Severity::Critical);
    message.details.push(super::fact("Try", "more memory"));
    message.facts.cluster = Some("prod-web".to_owned());
    message.facts.service = Some("checkout".to_owned());
    message.facts.account = Some("210987654321".to_owned());
    let body = sns.channel.payload(&message, Operation::Post).unwrap();
    let expected = json!({
        "version": "1.0",
        "source": "custom",
        "id": body["id"],
        "content": {
            "textType": "client-markdown",
            "title": "checkout ran out of memory",
            "description": "*Why*: too little\n*Where*: prod-web",
            "nextSteps": ["more memory"],
            "keywords": ["ecs", "task_stopped", "critical"],
        },
        "metadata": {
            "summary": "checkout ran out of memory",
            "eventType": "ecs_parrot.event.task_stopped",
            "relatedResources": ["prod-web", "checkout"],
            "additionalContext": {"account": "210987654321"},
        },
    });
    assert_eq!(body, expected);
}

/// Runs the function, whose own region is another than the topic's.
async fn run(url: &str, settings: &Value, payload: Value) -> (Vec<Answer>, String) {
    let channels = json!([settings]).to_string();
    let environment = [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("ENRICH", "false"),
        ("CHANNELS", &channels),
    ];
    let api = RuntimeApi::with(vec![payload]).await;
    api.run_program(env!("CARGO_BIN_EXE_parrot"), &environment)
        .await
}

async fn sns(
    error: Option<(u16, &'static str, &'static str)>,
) -> (MockServer, Arc<Mutex<Vec<Fields>>>) {
    let server = MockServer::start().await;
    let published = Arc::default();
    let sns = Sns {
        published: Arc::clone(&published),
        error,
    };
    Mock::given(any()).respond_with(sns).mount(&server).await;
    (server, published)
}

#[tokio::test]
async fn a_message_is_published_in_the_topics_region() {
    for topic in [TOPIC, FIFO] {
        let (server, published) = sns(None).await;
        let settings = json!({"name": "q", "type": "sns", "topic": topic});
        let event = events::sample("stop_task-by-root");
        let (answers, log) = run(&server.uri(), &settings, event).await;
        assert_eq!(answers, [Answer::Response(Value::Null)], "{log}");
        let published = published.lock().unwrap();
        assert_eq!(published.len(), 1, "{log}");
        assert_eq!(published[0]["TopicArn"], topic);
        check_notification(&serde_json::from_str(&published[0]["Message"]).unwrap());
    }
}

#[tokio::test]
async fn the_json_is_that_of_a_webhook() {
    let (server, published) = sns(None).await;
    let settings = json!({"name": "q", "type": "sns", "topic": TOPIC, "format": "json"});
    let event = events::sample("stop_task-by-root");
    let (_, log) = run(&server.uri(), &settings, event).await;
    let published = published.lock().unwrap();
    let body: Value = serde_json::from_str(&published[0]["Message"]).unwrap();
    assert_eq!(body["data"]["version"], 1, "{log}");
    let checked = tools::run_python::<&str>("validate_webhook.py", &[], &json!([body]).to_string());
    assert_eq!(checked.trim(), "1");
}

#[tokio::test]
async fn each_error_says_what_to_do() {
    let denied = "User: arn:aws:sts::210987654321:assumed-role/parrot/x is not authorized to perform: SNS:Publish on \
                  resource: arn:aws:sns:us-east-1:210987654321:alerts";
    for (error, advice) in [
        (
            (403, "AuthorizationError", denied),
            "allow sns:Publish on the topic",
        ),
        (
            (404, "NotFound", "Topic does not exist"),
            "Topic does not exist: is `topic` the ARN of a topic that exists",
        ),
        (
            (400, "InvalidParameter", "Invalid parameter: x"),
            "is `topic` the ARN of the topic",
        ),
        (
            (400, "KMSAccessDenied", "The ciphertext is x"),
            "allow kms:GenerateDataKey and kms:Decrypt",
        ),
        (
            (400, "KMSDisabled", "The key is disabled"),
            "check that the key is enabled",
        ),
        (
            (403, "InvalidClientTokenId", "The token is invalid"),
            "renew the credentials",
        ),
    ] {
        let (server, published) = sns(Some(error)).await;
        let settings = json!({"name": "q", "type": "sns", "topic": TOPIC});
        let (answers, log) = run(
            &server.uri(),
            &settings,
            events::sample("stop_task-by-root"),
        )
        .await;
        assert!(matches!(answers[..], [Answer::Error { .. }]), "{answers:?}");
        assert!(
            log.contains("q refused (Publish: ") && log.contains(advice),
            "{advice}: {log}"
        );
        assert!(published.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_throttled_message_is_tried_again() {
    let (server, _) = sns(Some((429, "Throttled", "Rate exceeded"))).await;
    let settings = json!({"name": "q", "type": "sns", "topic": TOPIC});
    let (answers, log) = run(
        &server.uri(),
        &settings,
        events::sample("stop_task-by-root"),
    )
    .await;
    assert!(matches!(answers[..], [Answer::Error { .. }]), "{answers:?}");
    let attempts = server.received_requests().await.unwrap().len();
    assert!(attempts > 2, "{attempts}: {log}");
    assert!(
        log.contains("Publish: Rate exceeded") && !log.contains("q refused"),
        "{log}"
    );
}

/// moto's SNS delivers to its SQS.
#[tokio::test]
async fn what_is_published_arrives_in_a_queue_of_moto() {
    let folder = tools::scratch();
    let moto = Moto::recording(&folder.path().join("requests"));
    let topic = tools::run_python("topic.py", &[moto.url(), "create"], "");
    let settings = json!({"name": "q", "type": "sns", "topic": topic.trim()});
    let event = events::sample("task_stopped-out-of-memory");
    let (answers, log) = run(moto.url(), &settings, event).await;
    assert_eq!(answers, [Answer::Response(Value::Null)], "{log}");
    let arrived = tools::run_python("topic.py", &[moto.url(), "read"], "");
    let arrived: Vec<String> = serde_json::from_str(&arrived).unwrap();
    let [message] = &arrived[..] else {
        panic!("{arrived:?}: {log}");
    };
    let message: Value = serde_json::from_str(message).unwrap();
    check_notification(&message);
    let title = message["content"]["title"].as_str().unwrap();
    assert!(title.contains("ran out of memory"), "{title}");
}

#[test]
fn a_terminal_without_credentials_says_so() {
    let settings = json!([{"name": "q", "type": "sns", "topic": TOPIC}]).to_string();
    let sample = events::folder().join("stop_task-by-root.json");
    let output = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
        .arg("notify")
        .arg(sample)
        .env_clear()
        .env("CHANNELS", settings)
        .env("ENRICH", "false")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let shown = tools::output_text(&output);
    assert!(shown.contains("no AWS credentials"), "{shown}");
    assert!(shown.contains("AWS_PROFILE"), "{shown}");
}

#[test]
fn what_is_wrong_with_the_settings_is_said() {
    for (setting, value, problem) in [
        (
            "topic",
            "alerts",
            "`topic`: not an ARN; allowed: the ARN of a topic",
        ),
        ("topic", "", "`topic`: it is missing"),
        (
            "topic",
            "arn:aws:sqs:eu-west-1:210987654321:alerts",
            "`topic`: not an ARN of SNS",
        ),
        (
            "format",
            "text",
            "`format`: not a format; allowed: `amazon_q` or `json`",
        ),
        (
            "topics",
            TOPIC,
            "`topics` is not a known setting; did you mean `topic`?",
        ),
    ] {
        let mut settings = json!({"name": "q", "type": "sns", "topic": TOPIC});
        settings[setting] = json!(value);
        let variable = ("CHANNELS".to_owned(), json!([settings]).to_string());
        let error = NotifierConfig::read(&[variable]).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

/// SNS says only that the topic took the message.
#[test]
fn a_topic_only_accepts() {
    for (format, look) in [
        (json!("amazon_q"), "look in the chats that Amazon Q serves"),
        (json!("json"), "look at its subscribers"),
    ] {
        let settings = json!({"name": "q", "type": "sns", "topic": TOPIC, "format": format});
        let receipt = channel(settings).channel.receipt();
        let is_accepted = matches!(receipt, Receipt::Accepted(note) if note.contains(look));
        assert!(is_accepted, "{receipt:?}");
    }
}
