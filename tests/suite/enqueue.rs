//! `ecs-parrot enqueue`: what is sent, and what is not.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::fake_aws::{FakeAws, REGION};
use crate::tools;

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/210987654321/jobs";

async fn enqueue(aws: &FakeAws, messages: &[(&str, Value)]) -> Output {
    let folder = tools::scratch();
    for (name, message) in messages {
        fs::write(folder.path().join(name), message.to_string()).unwrap();
    }
    enqueue_from(aws, folder.path()).await
}

async fn enqueue_from(aws: &FakeAws, folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
        .args(["enqueue", "--queue", QUEUE, "."])
        .current_dir(folder)
        .env_clear()
        .env("AWS_ENDPOINT_URL", aws.url())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output()
        .await
        .unwrap()
}

/// The region is the queue's, where nobody names one.
#[tokio::test]
async fn messages_are_sent_as_they_are() {
    let aws = FakeAws::start().await;
    let message =
        json!({"ECS": {"cluster": "prod", "task_def": "job", "service": "web"}, "SQS_Retries": 0});
    let output = enqueue(&aws, &[("a.json", message.clone())]).await;
    let told = tools::told(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(
        told.contains("./a.json: sent as 5fea7756-0ea4-451a-a703-a558b933e274"),
        "{told}"
    );
    let sent = &aws.bodies("SendMessage")[0];
    assert_eq!(sent["QueueUrl"], QUEUE);
    assert_eq!(
        serde_json::from_str::<Value>(sent["MessageBody"].as_str().unwrap()).unwrap(),
        message
    );
    assert_eq!(REGION, "eu-west-1");
}

/// A batch is sent to its end, whether somebody reads on or not.
#[tokio::test]
async fn a_closed_pipe_stops_no_message() {
    let aws = FakeAws::start().await;
    let folder = tools::scratch();
    for name in ["a", "b", "c"] {
        let message = json!({"ECS": {"taskDefinition": name}}).to_string();
        fs::write(folder.path().join(format!("{name}.json")), message).unwrap();
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
        .args(["enqueue", "--queue", QUEUE, "."])
        .current_dir(folder.path())
        .env_clear()
        .env("AWS_ENDPOINT_URL", aws.url())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", tools::told(&output));
    assert_eq!(aws.bodies("SendMessage").len(), 3);
}

/// If one is wrong, none is sent.
#[tokio::test]
async fn a_wrong_message_is_said_and_nothing_is_sent() {
    let aws = FakeAws::start().await;
    let good = json!({"ECS": {"taskDefinition": "job"}});
    let bad = json!({"ECS": {"taskDefinition": "job", "comand": ["a"]}});
    let output = enqueue(&aws, &[("a.json", good), ("b.json", bad)]).await;
    let told = tools::told(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("./b.json: RunTask has no `comand`"), "{told}");
    assert!(
        told.contains("ecs-parrot: 1 of 2 went wrong: ./b.json"),
        "{told}"
    );
    assert_eq!(aws.calls().len(), 0);
}

#[tokio::test]
async fn the_sample_is_a_message() {
    let aws = FakeAws::start().await;
    let output = enqueue_from(&aws, &tools::root().join("samples/messages")).await;
    assert_eq!(output.status.code(), Some(0), "{}", tools::told(&output));
    assert_eq!(aws.bodies("SendMessage").len(), 1);
}
