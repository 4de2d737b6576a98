//! The functions against moto, whose wire shapes of SQS and ECS are AWS's.

use std::fs;
use std::process::Command;

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::chat::{chat, messages, webhook};
use crate::events;
use crate::fake_aws::{ACCOUNT, REGION, sdk_config};
use crate::moto::Moto;
use crate::runtime_api::{Answer, RuntimeApi};
use crate::tools;

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/210987654321/jobs";

/// moto with a cluster, an instance, `myapp` and a service with a network.
fn account() -> (Moto, tempfile::TempDir) {
    let folder = tools::scratch();
    let moto = Moto::recording(&folder.path().join("requests"));
    tools::run_python("cluster.py", &[moto.url()], "");
    (moto, folder)
}

fn sqs(moto: &Moto) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(&sdk_config(moto.url()))
}

async fn invoke(
    moto: &Moto,
    program: &str,
    payload: Value,
    variables: &[(&str, &str)],
) -> (Value, String) {
    let mut environment = vec![
        ("AWS_ENDPOINT_URL", moto.url()),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    environment.extend_from_slice(variables);
    let (mut answers, log) = RuntimeApi::with(vec![payload])
        .await
        .run_program(program, &environment)
        .await;
    match answers.remove(0) {
        Answer::Response(answer) => (answer, log),
        error @ Answer::Error { .. } => panic!("{error:?}: {log}"),
    }
}

fn enqueue(moto: &Moto, messages: &[(&str, Value)]) {
    let folder = tools::scratch();
    for (name, message) in messages {
        fs::write(folder.path().join(name), message.to_string()).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
        .args(["enqueue", "--queue", "jobs", "--region", REGION, "."])
        .current_dir(&folder)
        .env_clear()
        .env("AWS_ENDPOINT_URL", moto.url())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", tools::output_text(&output));
}

/// The records that Lambda makes of received messages.
async fn receive(sqs: &aws_sdk_sqs::Client) -> Vec<Value> {
    let received = sqs
        .receive_message()
        .queue_url(QUEUE)
        .max_number_of_messages(10)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .unwrap();
    let records = received.messages().iter().map(|message| {
        let receives = message.attributes().unwrap();
        let receives = &receives[&MessageSystemAttributeName::ApproximateReceiveCount];
        json!({
            "messageId": message.message_id(),
            "receiptHandle": message.receipt_handle(),
            "body": message.body(),
            "attributes": {"ApproximateReceiveCount": receives},
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:jobs"),
        })
    });
    records.collect()
}

/// From `enqueue` to the task. One message is run. The other is not allowed, and only that one is visible again, at
/// once.
#[tokio::test]
async fn from_the_queue_to_the_task() {
    let (moto, _folder) = account();
    let sqs = sqs(&moto);
    sqs.create_queue()
        .queue_name("jobs")
        .attributes(QueueAttributeName::VisibilityTimeout, "360")
        .send()
        .await
        .unwrap();
    let message = |cluster: &str| {
        json!({"ECS": {
            "cluster": cluster, "taskDefinition": "myapp", "service": "web",
            "overrides": {"containerOverrides": [{"command": ["report"]}]},
        }})
    };
    enqueue(
        &moto,
        &[
            ("good.json", message("myEcsCluster")),
            ("bad.json", message("elsewhere")),
        ],
    );
    let records = receive(&sqs).await;
    assert_eq!(records.len(), 2);

    let allowed = [
        ("ALLOWED_CLUSTERS", "myEcs*"),
        ("ALLOWED_TASK_DEFINITIONS", "myapp"),
    ];
    let program = env!("CARGO_BIN_EXE_run-from-queue");
    let (answer, log) = invoke(&moto, program, json!({"Records": records}), &allowed).await;
    let failures = answer["batchItemFailures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{log}");
    let bad = records
        .iter()
        .find(|it| it["body"].as_str().unwrap().contains("elsewhere"))
        .unwrap();
    assert_eq!(failures[0]["itemIdentifier"], bad["messageId"]);
    assert!(log.contains(r#""decision":"started""#), "{log}");

    let again = receive(&sqs).await;
    assert_eq!(
        again.len(),
        1,
        "the message that is not allowed is visible at once"
    );
    assert_eq!(again[0]["messageId"], bad["messageId"]);
    assert_eq!(again[0]["attributes"]["ApproximateReceiveCount"], "2");
}

/// ECS calls again and again, until moto's task has stopped with exit code 0.
#[tokio::test]
async fn from_a_deployment_to_the_task() {
    let (moto, _folder) = account();
    let variables = [
        ("TASK_DEFINITION", "myapp"),
        ("CLUSTER_NAME", "myEcsCluster"),
        ("COMMAND", "rake db:migrate"),
    ];
    let arn = |resource: &str| format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{resource}");
    let mut call = json!({
        "executionId": "a1b2c3d4",
        "lifecycleStage": "POST_SCALE_UP",
        "executionDetails": {"serviceArn": arn("service/myEcsCluster/web")},
    });
    for _ in 0..20 {
        let program = env!("CARGO_BIN_EXE_deploy-hook");
        let (answer, log) = invoke(&moto, program, call.clone(), &variables).await;
        if answer["hookStatus"] != "IN_PROGRESS" {
            assert_eq!(answer["hookStatus"], "SUCCEEDED", "{log}");
            assert!(log.contains("`app` exited with 0"), "{log}");
            return;
        }
        call["hookDetails"] = answer["hookDetails"].clone();
    }
    panic!("the task never stopped");
}

/// A report of an ECS agent, completed with data from moto: the service of the task, its running time and its image.
#[tokio::test]
async fn from_an_incomplete_report_to_a_complete_message() {
    let (moto, _folder) = account();
    let task: Value =
        serde_json::from_str(&tools::run_python("ended_task.py", &[moto.url()], "")).unwrap();
    let mut report = events::sample("task_stopped-submit-exit-137");
    let request = &mut report["detail"]["requestParameters"];
    request["cluster"] = json!("myEcsCluster");
    request["task"] = task["taskArn"].clone();
    request["containers"][0]["containerName"] = json!("report");
    let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
    let webhook = webhook(&slack);
    let variables = [("SLACK_WEBHOOKURL", webhook.as_str()), ("ENRICH", "true")];
    let (_, log) = invoke(&moto, env!("CARGO_BIN_EXE_parrot"), report, &variables).await;
    let messages = messages(&slack).await;
    let [message] = &messages[..] else {
        panic!("{messages:?}: {log}")
    };
    let instance = task["containerInstanceArn"].as_str().unwrap();
    let instance = instance.rsplit('/').next().unwrap();
    let id = task["taskArn"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap();
    let stream = format!("$252Fecs$252Freport/log-events/ecs$252Freport$252F{id}");
    for fact in [
        "report in myEcsCluster: task ",
        "`report` exited 137 (SIGKILL) · image `report:4.2.0`",
        "of `report:1` on EC2, started by the ECS service scheduler",
        "after running 30 min 0 s",
        "/ecs/v2/clusters/myEcsCluster/services/report/",
        &format!("/container-instances/{instance}?region=eu-west-1|instance i-"),
        &format!("#logsV2:log-groups/log-group/{stream}|logs of report>"),
    ] {
        assert!(message.contains(fact), "{fact}: {message}\n{log}");
    }
    assert!(!log.contains("messages lack"), "{log}");
}
