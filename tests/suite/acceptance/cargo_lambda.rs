//! The `parrot` binary in cargo-lambda's emulator, as a user runs it who tries it without AWS.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use crate::{events, tools};

const SAMPLE: &str = "samples/task_stopped-application-exit-1.json";

/// The emulator, and `parrot` that waits there for events. Both end when the value is dropped.
struct Emulator {
    port: String,
    _processes: [Child; 2],
}

impl Emulator {
    async fn start(webhook: &str) -> Self {
        let port = free_port().to_string();
        // Without these options `watch` would build the binary again.
        let emulator = cargo_lambda("watch", &port)
            .args(["--only-lambda-apis", "--ignore-changes"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        wait_until_it_listens(&port).await;
        let parrot = Command::new(env!("CARGO_BIN_EXE_parrot"))
            .env_clear()
            .env(
                "AWS_LAMBDA_RUNTIME_API",
                format!("http://127.0.0.1:{port}/.rt/parrot"),
            )
            .env("AWS_LAMBDA_FUNCTION_NAME", "parrot")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_REGION", "eu-west-1")
            .env("SLACK_WEBHOOKURL", webhook)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            port,
            _processes: [emulator, parrot],
        }
    }

    async fn invoke(&self, payload: &Path) -> Output {
        let mut invoke = cargo_lambda("invoke", &self.port);
        invoke.args(["parrot", "--data-file"]).arg(payload);
        let invocation =
            tokio::time::timeout(Duration::from_secs(60), invoke.kill_on_drop(true).output());
        invocation.await.expect("the invocation ends").unwrap()
    }
}

fn cargo_lambda(command: &str, port: &str) -> Command {
    let mut cargo_lambda = Command::new(tools::packaging().join("cargo-lambda"));
    cargo_lambda
        .current_dir(tools::root())
        .env("NO_PROXY", "127.0.0.1");
    cargo_lambda.args([
        "lambda",
        command,
        "--invoke-address",
        "127.0.0.1",
        "--invoke-port",
        port,
    ]);
    cargo_lambda
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

async fn wait_until_it_listens(port: &str) {
    let start = Instant::now();
    while TcpStream::connect(format!("127.0.0.1:{port}"))
        .await
        .is_err()
    {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "the emulator does not answer on port {port}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn sample() -> PathBuf {
    tools::root().join(SAMPLE)
}

#[tokio::test]
#[ignore = "acceptance"]
async fn a_stopped_task_is_posted_to_slack() {
    let slack = MockServer::start().await;
    Mock::given(matchers::any())
        .respond_with(ResponseTemplate::new(200).set_body_string("ok"))
        .mount(&slack)
        .await;
    let emulator = Emulator::start(&format!("{}/services/T0/B0/secret", slack.uri())).await;

    let output = emulator.invoke(&sample()).await;

    assert!(output.status.success(), "{}", tools::output_text(&output));
    let received = slack.received_requests().await.unwrap();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].method, "POST");
    assert_eq!(received[0].url.path(), "/services/T0/B0/secret");
    let message: Value = received[0].body_json().unwrap();
    assert!(
        message["text"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "no headline: {message}"
    );
    let detail = &events::read(&sample())["detail"];
    let [cluster, task] = ["clusterArn", "taskArn"]
        .map(|arn| detail[arn].as_str().unwrap().rsplit('/').next().unwrap());
    let attachments = message["attachments"].to_string();
    for known in [cluster, &task[..8]] {
        assert!(
            attachments.contains(known),
            "`{known}` is not in the details: {message:#}"
        );
    }
}

#[tokio::test]
#[ignore = "acceptance"]
async fn a_message_that_slack_refuses_fails_the_invocation_without_naming_the_webhook() {
    let slack = MockServer::start().await;
    Mock::given(matchers::any())
        .respond_with(ResponseTemplate::new(410).set_body_string("channel_is_archived"))
        .mount(&slack)
        .await;
    let emulator = Emulator::start(&format!("{}/services/T0/B0/secret", slack.uri())).await;

    let output = emulator.invoke(&sample()).await;

    let printed = tools::output_text(&output);
    assert!(
        !output.status.success(),
        "Lambda would not try again: {printed}"
    );
    assert!(printed.contains("channel_is_archived"), "{printed}");
    assert!(!printed.contains("secret"), "{printed}");
    assert!(!slack.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
#[ignore = "acceptance"]
async fn an_event_of_another_service_is_dropped_without_an_error() {
    let slack = MockServer::start().await;
    Mock::given(matchers::any())
        .respond_with(ResponseTemplate::new(200).set_body_string("ok"))
        .mount(&slack)
        .await;
    let emulator = Emulator::start(&slack.uri()).await;
    let folder = tools::scratch();
    let payload = folder.path().join("event.json");
    let event = json!({"source": "aws.s3", "detail-type": "Object Created", "detail": {}});
    std::fs::write(&payload, event.to_string()).unwrap();

    let output = emulator.invoke(&payload).await;

    assert!(output.status.success(), "{}", tools::output_text(&output));
    assert_eq!(slack.received_requests().await.unwrap().len(), 0);
}
