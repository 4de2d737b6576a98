//! `run-from-queue` end to end: the records that it gets, the tasks that it starts and the records that it returns.

use std::collections::BTreeSet;

use ecs_parrot::runner::queue::RunFromQueue;
use serde_json::{Value, json};

use crate::fake_aws::{FakeAws, Life, REGION, Refusal, arn, sdk_config};
use crate::runtime_api::{Answer, RuntimeApi};

const PROGRAM: &str = env!("CARGO_BIN_EXE_run-from-queue");

/// An account with a cluster, a definition `job` of two containers, and a service with a network.
pub(crate) async fn account() -> FakeAws {
    let aws = FakeAws::start().await;
    aws.cluster("prod");
    aws.definition(
        json!({"family": "job", "networkMode": "awsvpc", "containerDefinitions": [
            {"name": "worker", "image": "job:1"}, {"name": "sidecar", "image": "s:1"},
        ]}),
        json!([]),
    );
    aws.service(
        "web",
        json!({"serviceName": "web", "status": "ACTIVE", "networkConfiguration": {"awsvpcConfiguration": {
            "subnets": ["subnet-s"], "securityGroups": ["sg-s"], "assignPublicIp": "ENABLED",
        }}}),
    );
    aws
}

pub(crate) fn record(id: &str, body: &str, receives: u32) -> Value {
    json!({
        "messageId": id,
        "receiptHandle": format!("receipt-of-{id}"),
        "body": body,
        "attributes": {"ApproximateReceiveCount": receives.to_string()},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:210987654321:jobs",
        "awsRegion": REGION,
    })
}

pub(crate) fn message(more: Value) -> String {
    let mut request = json!({"cluster": "prod", "taskDefinition": "job", "service": "web", "launchType": "FARGATE"});
    for (field, value) in more.as_object().unwrap() {
        request[field] = value.clone();
    }
    json!({"ECS": request}).to_string()
}

/// Invokes the function with each payload, and returns its answers and its log.
pub(crate) async fn invoke(aws: &FakeAws, payloads: Vec<Value>) -> (Vec<Answer>, String) {
    invoke_with(
        aws,
        payloads,
        &[
            ("ALLOWED_CLUSTERS", "prod"),
            ("ALLOWED_TASK_DEFINITIONS", "job*"),
        ],
    )
    .await
}

async fn invoke_with(
    aws: &FakeAws,
    payloads: Vec<Value>,
    more: &[(&str, &str)],
) -> (Vec<Answer>, String) {
    aws.invoke(PROGRAM, RuntimeApi::with(payloads).await, more)
        .await
}

/// The ids of the records that an answer returns to the queue.
fn returned(answer: &Answer) -> BTreeSet<String> {
    let Answer::Response(answer) = answer else {
        panic!("{answer:?}")
    };
    let failures = answer["batchItemFailures"].as_array().unwrap().iter();
    failures
        .map(|it| it["itemIdentifier"].as_str().unwrap().to_owned())
        .collect()
}

fn ids(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// The RunTask requests, without client tokens and without the variable for a restart.
fn requests(aws: &FakeAws) -> Vec<Value> {
    let mut requests = aws.bodies("RunTask");
    for request in &mut requests {
        request.as_object_mut().unwrap().remove("clientToken");
        let variables = request["overrides"]["containerOverrides"][0]["environment"]
            .as_array_mut()
            .unwrap();
        variables.retain(|it| it["name"] != "ECS_PARROT_RERUN");
    }
    requests
}

fn network(subnet: &str, group: &str, public: &str) -> Value {
    json!({"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group], "assignPublicIp": public}})
}

/// The complete example of aws-lambda-ecs-run-task and its variations: without a network, without a part of it, without
/// a container name, with the flat names of its README, and with single quotes.
#[tokio::test]
async fn messages_for_aws_lambda_ecs_run_task_run_unchanged() {
    let override_of = |name: &str| {
        json!({"containerOverrides": [{
            "name": name,
            "command": ["sh", "-c", "sleep 120 && df -h"],
            "environment": [{"name": "s3_bucket", "value": "pictures"}],
        }], "cpu": "1024", "memory": "2048"})
    };
    let whole = json!({
        "platformVersion": "LATEST", "propagateTags": "TASK_DEFINITION", "referenceId": "",
        "overrides": override_of("sidecar"),
        "networkConfiguration": network("subnet-1", "sg-1", "ENABLED"),
    });
    let mut nameless = override_of("sidecar");
    nameless["containerOverrides"][0]
        .as_object_mut()
        .unwrap()
        .remove("name");
    let flat = json!({"ECS": {
        "cluster": "prod", "task_def": "job", "service": "web", "launchType": "FARGATE", "container_name": "sidecar",
        "command": ["df"], "environment": [], "security_groups": ["sg-9"],
    }});
    let expected = |overrides: Value, network: Value| {
        json!({
            "cluster": "prod", "taskDefinition": "job", "launchType": "FARGATE", "startedBy": "run-from-queue/jobs",
            "overrides": overrides, "networkConfiguration": network,
        })
    };
    let bare = |name: &str| json!({"containerOverrides": [{"name": name, "environment": []}]});
    let mut of_whole = expected(
        override_of("sidecar"),
        network("subnet-1", "sg-1", "ENABLED"),
    );
    of_whole["platformVersion"] = json!("LATEST");
    of_whole["propagateTags"] = json!("TASK_DEFINITION");
    let mut of_flat = bare("sidecar");
    of_flat["containerOverrides"][0]["command"] = json!(["df"]);
    for (body, expected) in [
        (message(whole), of_whole),
        (
            message(json!({})),
            expected(bare("worker"), network("subnet-s", "sg-s", "ENABLED")),
        ),
        (
            message(
                json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-2"]}}}),
            ),
            expected(bare("worker"), network("subnet-2", "sg-s", "ENABLED")),
        ),
        (
            message(json!({"overrides": nameless})),
            expected(
                override_of("worker"),
                network("subnet-s", "sg-s", "ENABLED"),
            ),
        ),
        (
            flat.to_string(),
            expected(of_flat, network("subnet-s", "sg-9", "ENABLED")),
        ),
        (
            message(json!({})).replace('"', "'"),
            expected(bare("worker"), network("subnet-s", "sg-s", "ENABLED")),
        ),
    ] {
        let aws = account().await;
        let (answers, log) = invoke(&aws, vec![json!({"Records": [record("1", &body, 1)]})]).await;
        assert_eq!(returned(&answers[0]), ids(&[]), "{log}");
        assert_eq!(requests(&aws), [expected], "{body}");
    }
}

/// Seven messages are run and three are returned. The same batch again starts nothing new.
#[tokio::test]
async fn a_batch_of_ten_with_three_bad_ones() {
    let aws = account().await;
    let bad = [
        ("b1", "no JSON at all"),
        ("b2", r#"{"SQS_Retries": 1}"#),
        ("b3", &message(json!({"cluster": "staging"}))),
    ];
    let mut records: Vec<_> = (1..=7)
        .map(|n| record(&format!("g{n}"), &message(json!({})), 1))
        .collect();
    records.extend(bad.map(|(id, body)| record(id, body, 1)));
    let batch = json!({"Records": records});
    let (answers, log) = invoke(&aws, vec![batch.clone(), batch]).await;
    for answer in &answers {
        assert_eq!(returned(answer), ids(&["b1", "b2", "b3"]), "{log}");
    }
    assert_eq!(aws.tasks().len(), 7, "{log}");
    let hidden = aws.visibility_changes();
    assert_eq!(hidden.len(), 6);
    for change in hidden {
        assert_eq!(
            change["VisibilityTimeout"], 0,
            "a message that can never work reaches the dead-letter queue at once"
        );
        assert_eq!(
            change["QueueUrl"],
            "https://sqs.eu-west-1.amazonaws.com/210987654321/jobs"
        );
    }
    for expected in [
        "the body is not JSON",
        "the body has no `ECS`",
        "cluster `staging` is not allowed",
    ] {
        assert!(log.contains(expected), "{log}");
    }
}

/// The log contains the error and what is allowed, and RunTask is not called.
#[tokio::test]
async fn a_wrong_message_is_explained() {
    let subnets: Vec<_> = (0..17).map(|n| format!("subnet-{n}")).collect();
    let large = "x".repeat(9_000);
    for (more, expected) in [
        (json!({"overides": {}}), "RunTask has no field `overides`"),
        (json!({"count": 11}), "`count` is 11; allowed: 1 to 10"),
        (
            json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": ["sg-1"]}}}),
            "17 subnets; allowed: at most 16",
        ),
        (
            json!({"overrides": {"containerOverrides": [{"name": "worker", "command": [large]}]}}),
            "allowed: at most 8,192",
        ),
        (
            json!({"taskDefinition": "web"}),
            "task definition `web` is not allowed: ALLOWED_TASK_DEFINITIONS allows `job*`",
        ),
        (
            json!({"service": "api"}),
            "cluster `prod` has no service `api`",
        ),
        (
            json!({"networkConfiguration": "x"}),
            "`networkConfiguration`: expected an object",
        ),
    ] {
        let aws = account().await;
        let records = json!({"Records": [record("1", &message(more), 1)]});
        let (answers, log) = invoke(&aws, vec![records]).await;
        assert_eq!(returned(&answers[0]), ids(&["1"]), "{log}");
        assert!(log.contains(expected), "{expected}: {log}");
        assert!(log.contains(r#""advice":""#), "what to do: {log}");
        assert!(!log.contains(r#""advice":"""#), "{log}");
        assert_eq!(aws.bodies("RunTask").len(), 0);
        assert_eq!(aws.visibility_changes()[0]["VisibilityTimeout"], 0);
    }
}

#[tokio::test]
async fn nothing_is_allowed_by_default() {
    let aws = account().await;
    let records = json!({"Records": [record("1", &message(json!({})), 1)]});
    let (answers, log) = invoke_with(&aws, vec![records], &[]).await;
    assert_eq!(returned(&answers[0]), ids(&["1"]));
    assert!(
        log.contains("no task may be run: set ALLOWED_CLUSTERS and ALLOWED_TASK_DEFINITIONS"),
        "{log}"
    );
    assert_eq!(aws.operations(), ["ChangeMessageVisibilityBatch"]);
}

/// After an error that may go away, the record is returned, with a longer delay each time.
#[tokio::test]
async fn a_retryable_error_returns_the_record_with_a_growing_delay() {
    let tasks = "You've reached the limit on the number of tasks you can run concurrently";
    let vcpus = "You've reached the limit on the number of vCPUs you can run concurrently";
    let provisioning = "Tasks provisioning capacity limit exceeded.";
    let ec2s = "Error retrieving subnet information: Request limit exceeded. (ErrorCode: RequestLimitExceeded)";
    let capacity = "Capacity is unavailable at this time. Please try again later or in a different availability zone";
    let refused = |code, message| (Some(Refusal::new(code, message)), "");
    let refusals = [
        (Some(Refusal::throttled()), ""),
        (Some(Refusal::server()), ""),
        refused("ClientException", tasks),
        refused("ClientException", vcpus),
        refused("LimitExceededException", vcpus),
        refused("InvalidParameterException", provisioning),
        refused("InvalidParameterException", ec2s),
        refused("ClientException", capacity),
        (None, "RESOURCE:MEMORY"),
        (None, tasks),
        (None, vcpus),
        (None, provisioning),
        (None, ec2s),
        (None, capacity),
    ];
    for (refusal, reason) in refusals {
        for (receives, delay) in [(1, 30), (3, 120), (12, 900)] {
            let aws = account().await;
            match &refusal {
                Some(refusal) => aws.refuse("RunTask", 1, refusal),
                None => {
                    for _ in 0..receives {
                        let full =
                            json!({"reason": reason, "arn": arn("container-instance/prod/1")});
                        aws.next_task(Life {
                            failures: vec![full],
                            ..Life::default()
                        });
                    }
                }
            }
            let records = json!({"Records": [record("1", &message(json!({})), receives)]});
            let (answers, log) = invoke(&aws, vec![records]).await;
            assert_eq!(returned(&answers[0]), ids(&["1"]), "{log}");
            let change = &aws.visibility_changes()[0];
            assert_eq!(change["VisibilityTimeout"], delay, "{receives}: {log}");
            assert_eq!(change["ReceiptHandle"], "receipt-of-1");
        }
    }
}

/// Three tasks are requested and two are placed. When the message is received again, only the third one is started.
#[tokio::test]
async fn missing_tasks_of_a_count_are_started_later() {
    let aws = account().await;
    let full = || Life {
        failures: vec![json!({"reason": "RESOURCE:CPU"})],
        ..Life::default()
    };
    for life in [Life::default(), full(), Life::default(), full()] {
        aws.next_task(life);
    }
    let record =
        |receives| json!({"Records": [record("1", &message(json!({"count": 3})), receives)]});
    let (answers, log) = invoke(&aws, vec![record(1), record(2), record(3)]).await;
    assert_eq!(returned(&answers[0]), ids(&["1"]), "{log}");
    assert_eq!(returned(&answers[1]), ids(&[]), "{log}");
    assert_eq!(returned(&answers[2]), ids(&[]), "{log}");
    assert_eq!(aws.tasks().len(), 3, "{log}");
}

/// Errors of AWS about a cluster or a task definition do not name it, but the log line does.
#[tokio::test]
async fn the_log_names_what_aws_does_not_find() {
    let aws = account().await;
    let message = message(json!({"cluster": "prod-2", "taskDefinition": "job-x", "service": null}));
    let records = json!({"Records": [record("1", &message, 1)]});
    let allowed = [
        ("ALLOWED_CLUSTERS", "prod*"),
        ("ALLOWED_TASK_DEFINITIONS", "job*"),
    ];
    let (_, log) = invoke_with(&aws, vec![records], &allowed).await;
    for expected in [
        "Unable to describe task definition",
        r#""cluster":"prod-2""#,
        r#""task_definition":"job-x""#,
    ] {
        assert!(log.contains(expected), "{expected}: {log}");
    }
}

/// After a denial the log contains the IAM statement to add, and the message goes to the dead-letter queue.
#[tokio::test]
async fn a_denied_role_is_named() {
    let aws = account().await;
    let denied = "User: arn:aws:sts::210987654321:assumed-role/queue/f is not authorized to perform: iam:PassRole \
                  on resource: arn:aws:iam::210987654321:role/job because no identity-based policy allows it";
    aws.refuse("RunTask", 1, &Refusal::new("AccessDeniedException", denied));
    let records = json!({"Records": [record("1", &message(json!({})), 1)]});
    let (answers, log) = invoke(&aws, vec![records]).await;
    assert_eq!(returned(&answers[0]), ids(&["1"]));
    assert!(
        log.contains(r#"\"Action\":\"iam:PassRole\""#) && log.contains("role/job"),
        "{log}"
    );
    assert_eq!(aws.visibility_changes()[0]["VisibilityTimeout"], 0);
}

/// Records of a FIFO queue, each of a group.
fn fifo_records(records: &[(&str, &str, &str, u32)]) -> Value {
    let records = records.iter().map(|(id, group, body, receives)| {
        let mut record = record(id, body, *receives);
        record["eventSourceARN"] = json!("arn:aws:sqs:eu-west-1:210987654321:jobs.fifo");
        record["attributes"]["MessageGroupId"] = json!(group);
        record
    });
    json!({"Records": records.collect::<Vec<_>>()})
}

/// Each record whose visibility timeout was changed, with the new timeout.
fn visibility(aws: &FakeAws) -> BTreeSet<(String, i64)> {
    let changes = aws.visibility_changes().into_iter().map(|it| {
        let receipt = it["ReceiptHandle"].as_str().unwrap().to_owned();
        (receipt, it["VisibilityTimeout"].as_i64().unwrap())
    });
    changes.collect()
}

/// After a failure, the later messages of the group are returned without a try and become visible at once. Other groups
/// continue.
#[tokio::test]
async fn a_fifo_queue_keeps_the_order_of_each_group() {
    let aws = account().await;
    let good = message(json!({}));
    aws.refuse(
        "RunTask",
        1,
        &Refusal::new(
            "ClientException",
            "Tasks provisioning capacity limit exceeded.",
        ),
    );
    let records = fifo_records(&[
        ("1", "a", &good, 2),
        ("2", "a", &good, 2),
        ("3", "a", &good, 1),
    ]);
    let (answers, log) = invoke(&aws, vec![records]).await;
    assert_eq!(returned(&answers[0]), ids(&["1", "2", "3"]), "{log}");
    assert_eq!(aws.tasks().len(), 0);
    let at = |receipt: &str, seconds| (format!("receipt-of-{receipt}"), seconds);
    assert_eq!(
        visibility(&aws),
        [at("1", 60), at("2", 0), at("3", 0)].into()
    );
    assert!(
        log.contains("an earlier message of its group must be done first"),
        "{log}"
    );

    let aws = account().await;
    let records = fifo_records(&[
        ("1", "a", &good, 1),
        ("2", "b", "broken", 1),
        ("3", "a", &good, 1),
        ("4", "b", &good, 1),
        ("5", "c", &good, 1),
    ]);
    let (answers, log) = invoke(&aws, vec![records]).await;
    assert_eq!(returned(&answers[0]), ids(&["2", "4"]), "{log}");
    assert_eq!(aws.tasks().len(), 3);
    assert_eq!(visibility(&aws), [at("2", 0), at("4", 0)].into());
}

/// The messages of one group reach the limit of the dead-letter queue together. At the last try of the first one, the
/// others are tried as well.
#[tokio::test]
async fn each_message_of_a_fifo_queue_is_tried() {
    for (receives, started) in [(11, 0), (12, 1), (13, 1)] {
        let aws = account().await;
        aws.max_receives("jobs.fifo", 12);
        let good = message(json!({}));
        let records = fifo_records(&[("1", "a", "broken", receives), ("2", "a", &good, receives)]);
        let (answers, log) = invoke(&aws, vec![records]).await;
        assert_eq!(aws.tasks().len(), started, "{receives}: {log}");
        let expected = if started == 0 {
            ids(&["1", "2"])
        } else {
            ids(&["1"])
        };
        assert_eq!(returned(&answers[0]), expected, "{log}");
    }
}

/// A task whose network interface was not ready in time is started again with the same request, at most three times.
#[tokio::test]
async fn a_task_without_its_network_interface_is_started_again() {
    let aws = account().await;
    for _ in 0..4 {
        aws.next_task(Life {
            states: Vec::new(),
            end: json!({
                "stopCode": "TaskFailedToStart",
                "stoppedReason": "Timeout waiting for network interface provisioning to complete.",
            }),
            ..Life::default()
        });
    }
    let command =
        json!({"overrides": {"containerOverrides": [{"name": "worker", "command": ["once"]}]}});
    let records = json!({"Records": [record("1", &message(command), 1)]});
    invoke(&aws, vec![records]).await;
    for again in 1..=3 {
        let event = aws.stop_event(aws.tasks().last().unwrap());
        // The same event twice, as EventBridge may deliver it, starts one task.
        let (answers, log) = invoke(&aws, vec![event.clone(), event]).await;
        assert!(
            answers.iter().all(|it| matches!(it, Answer::Response(_))),
            "{log}"
        );
        assert_eq!(aws.tasks().len(), 1 + again, "{log}");
        let requests = requests(&aws);
        let request = requests.last().unwrap();
        assert_eq!(
            request["networkConfiguration"],
            network("subnet-s", "sg-s", "ENABLED")
        );
        assert_eq!(
            request["overrides"]["containerOverrides"][0]["command"],
            json!(["once"])
        );
        assert_eq!(request["startedBy"], "run-from-queue/jobs");
    }
    let event = aws.stop_event(aws.tasks().last().unwrap());
    let (answers, _) = invoke(&aws, vec![event]).await;
    let Answer::Error { kind, message } = &answers[0] else {
        panic!("{answers:?}")
    };
    assert_eq!(
        (kind.as_str(), message.as_str()),
        (
            "NotStarted",
            "it was started 3 times, and is not started again"
        )
    );
    assert_eq!(aws.tasks().len(), 4);
}

/// The next task stops because its network interface is not ready in time.
fn without_interface() -> Life {
    Life {
        states: Vec::new(),
        end: json!({
            "stopCode": "TaskFailedToStart",
            "stoppedReason": "Timeout waiting for network interface provisioning to complete.",
        }),
        ..Life::default()
    }
}

/// The task carries what its event does not contain.
#[tokio::test]
async fn a_restart_has_the_tags_group_and_volumes_of_the_first() {
    let aws = account().await;
    aws.next_task(without_interface());
    let more = json!({
        "tags": [{"key": "team", "value": "blue"}],
        "group": "nightly",
        "enableECSManagedTags": true,
        "propagateTags": "TASK_DEFINITION",
        "volumeConfigurations": [{"name": "data", "managedEBSVolume": {
            "sizeInGiB": 20, "roleArn": "arn:aws:iam::210987654321:role/ebs",
        }}],
        "placementConstraints": [{"type": "distinctInstance"}],
    });
    let records = json!({"Records": [record("1", &message(more.clone()), 1)]});
    invoke(&aws, vec![records]).await;
    let event = aws.stop_event(&aws.tasks()[0]);
    let (_, log) = invoke(&aws, vec![event]).await;
    assert_eq!(aws.tasks().len(), 2, "{log}");
    let requests = requests(&aws);
    for (field, value) in more.as_object().unwrap() {
        assert_eq!(&requests[0][field], value);
        assert_eq!(requests[1][field], requests[0][field], "{field}");
    }
    assert_eq!(requests[1]["launchType"], "FARGATE");
}

/// The event rule matches the stops of all functions of this kind, also of another stage.
#[tokio::test]
async fn a_task_of_another_function_is_ignored() {
    let aws = account().await;
    aws.next_task(without_interface());
    let records = json!({"Records": [record("1", &message(json!({})), 1)]});
    invoke(&aws, vec![records]).await;
    let event = aws.stop_event(&aws.tasks()[0]);
    let body = event.to_string();
    assert_eq!(body.matches("parrot").count(), 1, "{body}");
    let theirs: Value = serde_json::from_str(&body.replace("parrot", "carnival")).unwrap();
    // Nothing is allowed here, so a task of this function would be an error.
    let nothing = [("ALLOWED_CLUSTERS", "x"), ("ALLOWED_TASK_DEFINITIONS", "x")];
    let (answers, log) = invoke_with(&aws, vec![theirs, event], &nothing).await;
    assert_eq!(answers[0], Answer::Response(json!({"tasks": []})), "{log}");
    assert!(
        matches!(&answers[1], Answer::Error { kind, .. } if kind == "NotStarted"),
        "{answers:?}"
    );
    // The message is not in the queue any more, so it cannot be corrected.
    assert!(!log.contains("name another one in the message"), "{log}");
    assert!(
        log.contains("permissions of the function's role, and send the task's message again"),
        "{log}"
    );
    assert_eq!(aws.tasks().len(), 1);
}

/// The functions of all stages get the event of a task that names no function. It must not be started by each of them,
/// nor fail in each of them. One task had no space for the variable, the other is of an earlier version.
#[tokio::test]
async fn a_task_that_names_no_function_raises_no_alarm() {
    let aws = account().await;
    aws.next_task(without_interface());
    let records = json!({"Records": [record("1", &message(json!({})), 1)]});
    invoke(&aws, vec![records]).await;
    let event = aws.stop_event(&aws.tasks()[0]);
    let mut without_space = event.clone();
    without_space["detail"]["overrides"]["containerOverrides"][0]["environment"] = json!([]);
    let named = r#"\"function\":\"parrot\","#;
    let body = event.to_string();
    assert_eq!(body.matches(named).count(), 1, "{body}");
    let earlier: Value = serde_json::from_str(&body.replace(named, "")).unwrap();
    let (answers, log) = invoke(&aws, vec![without_space, earlier]).await;
    let nothing = || Answer::Response(json!({"tasks": []}));
    assert_eq!(answers, [nothing(), nothing()], "{log}");
    assert_eq!(aws.tasks().len(), 1);
}

/// ECS always gives the same answer for a token. The next try of Lambda has another token, and a repeated event starts
/// one task.
#[tokio::test]
async fn a_restart_that_was_not_placed_is_tried_again() {
    let aws = account().await;
    aws.next_task(without_interface());
    let records = json!({"Records": [record("1", &message(json!({})), 1)]});
    invoke(&aws, vec![records]).await;
    let mut event = aws.stop_event(&aws.tasks()[0])["detail"].clone();
    event["stoppedAt"] = json!("2026-11-20T04:02:05Z");
    let config = sdk_config(&aws.url());
    let variables = [
        ("ALLOWED_CLUSTERS", "prod"),
        ("ALLOWED_TASK_DEFINITIONS", "job"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let queue = RunFromQueue {
        ecs: aws_sdk_ecs::Client::new(&config),
        sqs: aws_sdk_sqs::Client::new(&config),
        allowed: ecs_parrot::runner::queue::QueueConfig::read(&variables)
            .unwrap()
            .allowed,
        function: "parrot".to_owned(),
    };
    let at = |time: &str| time.parse().unwrap();
    aws.next_task(Life {
        failures: vec![json!({"reason": "RESOURCE:FARGATE"})],
        ..Life::default()
    });
    let first = queue.run_again(&event, at("2026-11-20T04:02:07Z")).await;
    let first = first.unwrap_err().to_string();
    assert_eq!(first, "ECS started no task: RESOURCE:FARGATE");
    let second = queue.run_again(&event, at("2026-11-20T04:03:08Z")).await;
    let twice = queue.run_again(&event, at("2026-11-20T04:05:10Z")).await;
    assert_eq!(second.unwrap(), twice.unwrap());
    assert_eq!(aws.tasks().len(), 2);
}

/// Stops for another reason, and tasks of others, are ignored.
#[tokio::test]
async fn other_stops_start_nothing() {
    let aws = account().await;
    let records = json!({"Records": [record("1", &message(json!({})), 1)]});
    invoke(&aws, vec![records]).await;
    let task = aws.tasks().remove(0);
    let ordinary = aws.stop_event(&task);
    let mut foreign = aws.stop_event(&task);
    foreign["detail"]["lastStatus"] = json!("STOPPED");
    foreign["detail"]["stoppedReason"] =
        json!("Timeout waiting for network interface provisioning to complete.");
    foreign["detail"]["startedBy"] = json!("somebody");
    let (answers, _) = invoke(&aws, vec![ordinary, foreign]).await;
    assert_eq!(
        answers,
        [
            Answer::Response(json!({"tasks": []})),
            Answer::Response(json!({"tasks": []}))
        ]
    );
    assert_eq!(aws.tasks().len(), 1);
}

/// A message is not lost when the function's time is over.
#[tokio::test]
async fn after_a_time_out_the_record_is_returned() {
    let aws = account().await;
    aws.answer_late("RunTask", std::time::Duration::from_secs(8));
    let records = json!({"Records": [record("1", &message(json!({})), 1)]});
    let api =
        RuntimeApi::ending_after(std::time::Duration::from_secs(5), vec![records.to_string()])
            .await;
    let allowed = [("ALLOWED_CLUSTERS", "*"), ("ALLOWED_TASK_DEFINITIONS", "*")];
    let (answers, log) = aws.invoke(PROGRAM, api, &allowed).await;
    assert_eq!(returned(&answers[0]), ids(&["1"]), "{log}");
    assert!(log.contains("the function's time was over"), "{log}");
}

#[tokio::test]
async fn an_unknown_payload_fails_with_a_stable_name() {
    let aws = account().await;
    let (answers, _) = invoke(&aws, vec![json!({}), json!([]), json!({"Records": 1})]).await;
    for answer in answers {
        assert!(
            matches!(&answer, Answer::Error { kind, .. } if kind == "NotAMessage"),
            "{answer:?}"
        );
    }
}

/// The samples are payloads as AWS sends them. Each is understood, and only the broken record is returned.
#[tokio::test]
async fn every_sample_is_understood() {
    let aws = account().await;
    for family in ["job-resize", "job-report"] {
        for _ in 0..12 {
            let containers = json!([{"name": "worker", "image": "job:1"}]);
            let definition = json!({"family": family, "networkMode": "awsvpc", "containerDefinitions": containers});
            aws.definition(definition, json!([]));
        }
    }
    let network = network("subnet-s", "sg-s", "DISABLED");
    let service =
        json!({"serviceName": "pictures", "status": "ACTIVE", "networkConfiguration": network});
    aws.service("pictures", service);
    let samples = std::fs::read_dir(crate::tools::root().join("samples/run-from-queue")).unwrap();
    let mut broken = 0;
    for sample in samples {
        let path = sample.unwrap().path();
        let payload: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let variables = [
            ("ALLOWED_CLUSTERS", "prod"),
            ("ALLOWED_TASK_DEFINITIONS", "job*"),
            ("AWS_LAMBDA_FUNCTION_NAME", "ecs-parrot-prod-run-from-queue"),
        ];
        let (answers, log) = invoke_with(&aws, vec![payload], &variables).await;
        let Answer::Response(answer) = &answers[0] else {
            panic!("{}: {log}", path.display())
        };
        broken += answer["batchItemFailures"].as_array().map_or(0, Vec::len);
    }
    assert_eq!(broken, 1);
    // The same messages in two samples are the same messages.
    assert_eq!(aws.tasks().len(), 4);
}
