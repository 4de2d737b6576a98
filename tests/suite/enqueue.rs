//! `ecs-parrot enqueue`: which messages are sent, and how errors are reported.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::fake_aws::{ACCOUNT, FakeAws, REGION, Refusal};
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
    enqueue_with(aws, folder, &["--queue", QUEUE]).await
}

async fn enqueue_with(aws: &FakeAws, folder: &Path, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
        .arg("enqueue")
        .args(flags)
        .arg(".")
        .current_dir(folder)
        .env_clear()
        .env("AWS_ENDPOINT_URL", aws.url())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output()
        .await
        .unwrap()
}

/// Without --region, the region of the queue is used.
#[tokio::test]
async fn messages_are_sent_unchanged() {
    let aws = FakeAws::start().await;
    let message =
        json!({"ECS": {"cluster": "prod", "task_def": "job", "service": "web"}, "SQS_Retries": 0});
    let output = enqueue(&aws, &[("a.json", message.clone())]).await;
    let printed = tools::output_text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(
        printed.contains("./a.json: sent as 5fea7756-0ea4-451a-a703-a558b933e274"),
        "{printed}"
    );
    let sent = &aws.bodies("SendMessage")[0];
    assert_eq!(sent["QueueUrl"], QUEUE);
    assert_eq!(
        serde_json::from_str::<Value>(sent["MessageBody"].as_str().unwrap()).unwrap(),
        message
    );
    assert_eq!(REGION, "eu-west-1");
}

/// All messages are sent, even if standard output is closed.
#[tokio::test]
async fn a_closed_pipe_does_not_stop_the_messages() {
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
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        tools::output_text(&output)
    );
    assert_eq!(aws.bodies("SendMessage").len(), 3);
}

/// If one is wrong, none is sent.
#[tokio::test]
async fn after_an_error_no_message_is_sent() {
    let aws = FakeAws::start().await;
    let good = json!({"ECS": {"taskDefinition": "job"}});
    let bad = json!({"ECS": {"taskDefinition": "job", "comand": ["a"]}});
    let output = enqueue(&aws, &[("a.json", good), ("b.json", bad)]).await;
    let printed = tools::output_text(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        printed.contains("./b.json: RunTask has no field `comand` (did you mean `command`?)"),
        "{printed}"
    );
    assert!(
        printed.contains("ecs-parrot: 1 of 2 went wrong: ./b.json"),
        "{printed}"
    );
    assert_eq!(aws.calls().len(), 0);
}

/// Each wrong field is named, with the expected type or value.
#[tokio::test]
async fn a_wrong_field_is_named() {
    for (field, value, expected) in [
        (
            "count",
            json!("2"),
            "`count` must be a whole number, but is text",
        ),
        ("command", json!("ls"), "`command`: expected a list"),
        (
            "taskDefinitoin",
            json!("job"),
            "RunTask has no field `taskDefinitoin` (did you mean `taskDefinition`?)",
        ),
        (
            "contaner_name",
            json!("app"),
            "RunTask has no field `contaner_name` (did you mean `container_name`?)",
        ),
        (
            "launchType",
            json!("FARGAT"),
            "`launchType`: `FARGAT` is not a known value; allowed: EC2, EXTERNAL, FARGATE, MANAGED_INSTANCES (did you mean `FARGATE`?)",
        ),
    ] {
        let aws = FakeAws::start().await;
        let message = json!({"ECS": {"taskDefinition": "job", field: value}});
        let output = enqueue(&aws, &[("a.json", message)]).await;
        let all = tools::output_text(&output);
        assert_eq!(output.status.code(), Some(1), "{all}");
        assert!(all.contains(&format!("./a.json: {expected}\n")), "{all}");
        assert_eq!(aws.calls().len(), 0);
    }
}

/// If SQS does not accept a message, the user must know which messages to send again.
#[tokio::test]
async fn an_error_of_sqs_names_the_messages_that_were_sent() {
    let aws = FakeAws::start().await;
    aws.answer_once("SendMessage", json!({"MessageId": "first"}));
    let refusal = Refusal::new(
        "InvalidMessageContents",
        "The message has invalid characters.",
    );
    aws.refuse("SendMessage", 1, &refusal);
    let message = json!({"ECS": {"taskDefinition": "job"}});
    let messages = ["a.json", "b.json", "c.json"].map(|name| (name, message.clone()));
    let output = enqueue(&aws, &messages).await;
    let all = tools::output_text(&output);
    assert_eq!(output.status.code(), Some(1), "{all}");
    let expected = format!(
        "ecs-parrot: ./b.json was not sent to {QUEUE}: SendMessage: The message has invalid characters.; sent: ./a.json; not \
         sent: ./b.json, ./c.json"
    );
    assert!(all.contains(&expected), "{all}");
    assert_eq!(aws.bodies("SendMessage").len(), 2);
}

#[tokio::test]
async fn the_sample_is_a_message() {
    let aws = FakeAws::start().await;
    let output = enqueue_from(&aws, &tools::root().join("samples/messages")).await;
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        tools::output_text(&output)
    );
    assert_eq!(aws.bodies("SendMessage").len(), 1);
}

/// One message, of the family `job`.
fn one_message() -> tempfile::TempDir {
    let folder = tools::scratch();
    let message = json!({"ECS": {"taskDefinition": "arn:aws:ecs:eu-west-1:210987654321:task-definition/job:7"}});
    fs::write(folder.path().join("a.json"), message.to_string()).unwrap();
    folder
}

/// A name or an ARN is looked up. An ARN may belong to another account.
#[tokio::test]
async fn a_queue_by_its_name_or_arn() {
    let aws = FakeAws::start().await;
    aws.queue("jobs", ACCOUNT);
    aws.queue("theirs", "111122223333");
    let folder = one_message();
    for (flags, url) in [
        (vec!["--queue", "jobs", "--region", REGION], QUEUE),
        (
            vec!["--queue", "arn:aws:sqs:eu-west-1:210987654321:jobs"],
            QUEUE,
        ),
        (
            vec!["--queue", "arn:aws:sqs:eu-west-1:111122223333:theirs"],
            "https://sqs.eu-west-1.amazonaws.com/111122223333/theirs",
        ),
    ] {
        let output = enqueue_with(&aws, folder.path(), &flags).await;
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            tools::output_text(&output)
        );
        assert_eq!(aws.bodies("SendMessage").pop().unwrap()["QueueUrl"], url);
    }
}

/// The error contains the queue as it was typed.
#[tokio::test]
async fn a_queue_that_does_not_exist_is_named() {
    let aws = FakeAws::start().await;
    let folder = one_message();
    for (queue, expected) in [
        ("jbos", "--queue jbos: no URL was found for it in eu-west-1"),
        (
            "arn:aws:sqs:eu-west-1:111122223333:jobs",
            "--queue arn:aws:sqs:eu-west-1:111122223333:jobs: no URL",
        ),
        (
            "arn:aws:sqs:us-east-1:210987654321:jobs",
            "the queue is in us-east-1, but --region is eu-west-1",
        ),
        (
            "arn:aws:sns:eu-west-1:210987654321:jobs",
            "expected the ARN of a queue; this is an ARN of `sns`",
        ),
        (
            "my jobs",
            "expected the URL, the name or the ARN of a queue",
        ),
    ] {
        let flags = ["--queue", queue, "--region", REGION];
        let output = enqueue_with(&aws, folder.path(), &flags).await;
        let all = tools::output_text(&output);
        assert_eq!(output.status.code(), Some(1), "{all}");
        assert!(all.contains(expected), "{expected}: {all}");
        assert_eq!(aws.bodies("SendMessage").len(), 0);
    }
}

/// For a FIFO queue, each message gets a group (by default the family of the task) and an id of its own.
#[tokio::test]
async fn a_fifo_queue_gets_a_group_and_an_id() {
    const FIFO: &str = "https://sqs.eu-west-1.amazonaws.com/210987654321/jobs.fifo";
    let aws = FakeAws::start().await;
    let folder = one_message();
    let fifo = ["--queue", FIFO];
    let grouped = ["--queue", FIFO, "--group", "nightly"];
    let standard = ["--queue", QUEUE];
    let fair = ["--queue", QUEUE, "--group", "nightly"];
    for flags in [&fifo[..], &fifo, &grouped, &standard, &fair] {
        let output = enqueue_with(&aws, folder.path(), flags).await;
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            tools::output_text(&output)
        );
    }
    let sent = aws.bodies("SendMessage");
    let groups: Vec<_> = sent.iter().map(|it| &it["MessageGroupId"]).collect();
    assert_eq!(
        groups,
        [
            &json!("job"),
            &json!("job"),
            &json!("nightly"),
            &json!(null),
            &json!("nightly")
        ]
    );
    let ids = sent.iter().map(|it| it["MessageDeduplicationId"].as_str());
    let ids: Vec<_> = ids.collect();
    assert!(ids[..3].iter().all(Option::is_some), "{ids:?}");
    assert_ne!(ids[0], ids[1], "the same job may be wanted twice");
    assert_eq!(ids[3..], [None, None]);

    let output = enqueue_with(&aws, folder.path(), &["--queue", FIFO, "--group", "a b"]).await;
    assert_eq!(
        output.status.code(),
        Some(2),
        "{}",
        tools::output_text(&output)
    );
}
