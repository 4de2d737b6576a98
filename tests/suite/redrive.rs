//! `ecs-parrot redrive` on moto's queue: each message is posted, and deleted only after that.

mod ends;

use std::process::{Command, Output};

use aws_sdk_sqs::types::QueueAttributeName;
use base64::Engine as _;
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::chat::{chat, ok, texts, webhook};
use crate::events;
use crate::fake_aws::{REGION, sdk_config};
use crate::moto::Moto;
use crate::runtime_api::{Answer, RuntimeApi};
use crate::secret_leaks::assert_no_secrets_printed;
use crate::tools;

struct DeadLetters {
    moto: Moto,
    sqs: aws_sdk_sqs::Client,
    url: String,
}

impl DeadLetters {
    /// A queue with dead-letter messages of rules (the event), of functions (a record of the failure), and two that are
    /// not events.
    async fn new() -> Self {
        let moto = Moto::start();
        let sqs = aws_sdk_sqs::Client::new(&sdk_config(moto.url()));
        let made = sqs
            .create_queue()
            .queue_name("dead-letters")
            .send()
            .await
            .unwrap();
        let queue = Self {
            url: made.queue_url().unwrap().to_owned(),
            moto,
            sqs,
        };
        // Its service has no other event here.
        let mut dropped = events::sample("service_action-service-steady-state");
        dropped["resources"] =
            json!(["arn:aws:ecs:eu-west-1:210987654321:service/prod-web/search"]);
        let record = |payload: Value| json!({"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": payload});
        for body in [
            events::sample("task_stopped-out-of-memory").to_string(),
            record(events::sample("stop_task-by-root")).to_string(),
            dropped.to_string(),
            "{ no JSON".to_owned(),
            json!({"hello": "world"}).to_string(),
        ] {
            let request = queue.sqs.send_message().queue_url(&queue.url);
            request.message_body(body).send().await.unwrap();
        }
        queue
    }

    async fn left(&self) -> usize {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = self.sqs.get_queue_attributes().queue_url(&self.url);
        let answer = request.attribute_names(name.clone()).send().await.unwrap();
        answer.attributes().unwrap()[&name].parse().unwrap()
    }

    async fn redrive(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"));
        command
            .args(["redrive", "--region", REGION, "--queue", &self.url])
            .args(arguments)
            .env_clear()
            .env("AWS_ENDPOINT_URL", self.moto.url())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .envs(variables.iter().copied());
        let run = move || {
            let output = command.output().unwrap();
            assert_no_secrets_printed(&command, &output);
            output
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }
}

fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let after_id = text
        .lines()
        .map(|line| line.split_once(": ").unwrap().1.to_owned());
    let mut lines: Vec<_> = after_id.collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn a_dry_run_shows_all_and_deletes_nothing() {
    let queue = DeadLetters::new().await;
    let output = queue.redrive(&["--dry-run"], &[]).await;
    let printed = tools::output_text(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    let lines = lines(&output);
    assert_eq!(lines[0], "dropped as steady_state", "{printed}");
    assert!(lines[1].starts_with("kept, it is not JSON: "), "{printed}");
    assert!(lines[2].starts_with("kept, "), "{printed}");
    assert!(lines[4].contains("stopped by the root user"), "{printed}");
    assert!(
        lines[3].starts_with("🔴 checkout in prod-web: task 62e6771e ran out of memory"),
        "{printed}"
    );
    assert!(
        printed.contains("2 would be posted, 1 would be dropped, 2 kept"),
        "{printed}"
    );
    assert_eq!(queue.left().await, 5, "all are still there, and visible");
}

/// Printing to a terminal is not enough: the messages would be deleted after that.
/// A timer has no event, but a person must see what is deleted.
#[tokio::test]
async fn a_timer_is_named() {
    let queue = DeadLetters::new().await;
    let subject = json!({
        "kind": "service",
        "account": "210987654321",
        "region": "eu-west-1",
        "cluster": "prod-web",
        "name": "checkout",
    });
    let timer = json!({
        "source": "ecs-parrot",
        "detail-type": "Thread Timer",
        "detail": {"subject": subject, "at": 1_793_064_704_000_i64},
    });
    let request = queue.sqs.send_message().queue_url(&queue.url);
    request
        .message_body(timer.to_string())
        .send()
        .await
        .unwrap();
    let slack = chat(ok()).await;
    let webhook = webhook(&slack);
    for (way, variables) in [
        ("--dry-run", &[][..]),
        ("--local", &[("SLACK_WEBHOOKURL", webhook.as_str())]),
    ] {
        let output = queue.redrive(&[way], variables).await;
        let lines = lines(&output);
        let named = "timer of service checkout in prod-web, due 2026-10-27T01:31:44Z: it has no event to post";
        assert!(lines.iter().any(|it| it == named), "{way} {lines:#?}");
    }
}

#[tokio::test]
async fn local_needs_a_channel() {
    let queue = DeadLetters::new().await;
    let output = queue.redrive(&["--local"], &[]).await;
    assert!(
        tools::output_text(&output).contains("no channel is configured here"),
        "{output:?}"
    );
    assert_eq!(queue.left().await, 5);
}

#[tokio::test]
async fn local_deletes_only_what_was_posted() {
    let queue = DeadLetters::new().await;
    let broken = chat(ResponseTemplate::new(410).set_body_string("channel_is_archived")).await;
    let variables = [("SLACK_WEBHOOKURL", webhook(&broken))];
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let output = queue.redrive(&["--local"], &variables).await;
    assert!(
        tools::output_text(&output).contains("kept, slack: 410 channel_is_archived"),
        "{output:?}"
    );
    assert_eq!(queue.left().await, 4, "a dropped event is deleted too");

    let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
    let webhook = webhook(&slack);
    let output = queue
        .redrive(&["--local"], &[("SLACK_WEBHOOKURL", &webhook)])
        .await;
    assert_eq!(output.status.code(), Some(1), "two are not events");
    assert_eq!(texts(&slack).await.len(), 2);
    assert_eq!(queue.left().await, 2);
    assert!(!tools::output_text(&output).contains("very-secret"));
}

/// The function gets the original payload, and its answer decides.
#[tokio::test]
async fn the_function_is_invoked_again() {
    let queue = DeadLetters::new().await;
    let lambda = MockServer::start().await;
    let answer = |event: &str, answer: ResponseTemplate| {
        Mock::given(method("POST"))
            .and(path(
                "/2015-03-31/functions/ecs-parrot-dev-parrot/invocations",
            ))
            .and(body_partial_json(
                json!({"id": events::sample(event)["id"]}),
            ))
            .respond_with(answer)
    };
    let failed = ResponseTemplate::new(200)
        .insert_header("x-amz-function-error", "Unhandled")
        .set_body_json(json!({"errorType": "DeliveryFailed", "errorMessage": "slack: 500"}));
    answer("stop_task-by-root", failed).mount(&lambda).await;
    let fine = ResponseTemplate::new(200).set_body_string("null");
    answer("task_stopped-out-of-memory", fine.clone())
        .mount(&lambda)
        .await;
    answer("service_action-service-steady-state", fine)
        .mount(&lambda)
        .await;
    let url = lambda.uri();
    let variables = [("AWS_ENDPOINT_URL_LAMBDA", url.as_str())];
    let function = ["--function", "ecs-parrot-dev-parrot"];
    let output = queue.redrive(&function, &variables).await;
    let lines = lines(&output);
    assert_eq!(
        lines
            .iter()
            .filter(|it| *it == "accepted by the function")
            .count(),
        2,
        "{output:?}"
    );
    assert!(
        lines.contains(&"kept, the function failed: slack: 500".to_owned()),
        "{output:?}"
    );
    assert_eq!(queue.left().await, 3);
}

/// If the function reports what it dropped, that is counted as dropped.
#[tokio::test]
async fn the_function_reports_what_it_dropped() {
    let queue = DeadLetters::new().await;
    let lambda = MockServer::start().await;
    for (event, answer) in [
        ("stop_task-by-root", json!({"posted": 1, "dropped": 0})),
        (
            "task_stopped-out-of-memory",
            json!({"posted": 1, "dropped": 0}),
        ),
        (
            "service_action-service-steady-state",
            json!({"posted": 0, "dropped": 1}),
        ),
    ] {
        Mock::given(body_partial_json(
            json!({"id": events::sample(event)["id"]}),
        ))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&lambda)
        .await;
    }
    let failed = ResponseTemplate::new(200)
        .insert_header("x-amz-function-error", "Unhandled")
        .set_body_json(json!({"errorType": "NotAnEvent", "errorMessage": "not an event"}));
    Mock::given(method("POST"))
        .respond_with(failed)
        .mount(&lambda)
        .await;
    let url = lambda.uri();
    let variables = [("AWS_ENDPOINT_URL_LAMBDA", url.as_str())];
    let output = queue.redrive(&["--function", "parrot"], &variables).await;
    let printed = tools::output_text(&output);
    assert!(printed.contains("2 posted, 1 dropped, 2 kept"), "{printed}");
    assert!(
        lines(&output).contains(&"dropped by the function".to_owned()),
        "{printed}"
    );

    // The client context that the function gets, and its answer to that.
    let context = &lambda.received_requests().await.unwrap()[0].headers["x-amz-client-context"];
    let context = base64::engine::general_purpose::STANDARD.decode(context.as_bytes());
    let context = String::from_utf8(context.unwrap()).unwrap();
    let slack = chat(ok()).await;
    let payloads = [
        "task_stopped-out-of-memory",
        "service_action-service-steady-state",
    ];
    let payloads = payloads.map(|it| events::sample(it).to_string()).to_vec();
    let api = RuntimeApi::called_by(context, payloads).await;
    let (answers, log) = api.run(&[("SLACK_WEBHOOKURL", &webhook(&slack))]).await;
    let expected = [
        json!({"posted": 1, "dropped": 0}),
        json!({"posted": 0, "dropped": 1}),
    ];
    assert_eq!(answers, expected.map(Answer::Response), "{log}");
}

#[tokio::test]
async fn wrong_usage() {
    for (arguments, expected) in [
        (&["redrive", "--queue", "x"][..], "--function <NAME>"),
        (&["redrive", "--local"], "--queue <URL>"),
        (
            &["redrive", "--queue", "x", "--local", "--function", "f"],
            "cannot be used with",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(
            tools::output_text(&output).contains(expected),
            "{}",
            tools::output_text(&output)
        );
    }
}
