//! What the function asks AWS for, what it makes of the answers, and what it tells where there are none.

mod command_line;
mod log_tail;
mod troubles;

use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use crate::chat::{chat, messages, webhook};
use crate::events;
use crate::fake_aws::{FakeAws, arn};
use crate::runtime_api::{Answer, RuntimeApi};

const PARROT: &str = env!("CARGO_BIN_EXE_parrot");
const TASK: &str = "1c251a5a7a6e5fafd3f6a51b1194ef60";
const INSTANCE: &str = "7f3d0a9c51e84b26b1c4d2e8f6a70593";
/// The stream of its container.
pub(crate) const STREAM: &str = "ecs/report-nightly/1c251a5a7a6e5fafd3f6a51b1194ef60";
const EC2: &str = "i-0ef2883a096765cc9";

/// An account in which the task of the sample [`report`] ran: on an EC2 instance, for a service.
pub(crate) async fn account() -> FakeAws {
    let aws = FakeAws::start().await;
    aws.cluster("batch");
    let definition = aws.definition(
        json!({"family": "report", "containerDefinitions": [
            {
                "name": "report-nightly", "image": "registry.example/report:4.2.0", "memory": 512,
                "logConfiguration": {"logDriver": "awslogs", "options": {
                    "awslogs-group": "/ecs/report", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "ecs"}},
            },
            {"name": "metrics", "image": "registry.example/metrics:1", "memory": 64, "essential": false},
        ]}),
        json!([]),
    );
    aws.described(TASK, task(TASK, &definition));
    aws.described(INSTANCE, instance("ACTIVE", true));
    aws
}

/// The service of the sample `deployment-failed`, in the middle of it.
pub(crate) fn deployment(aws: &FakeAws) {
    aws.cluster("prod-web");
    aws.service(
        "checkout",
        json!({"serviceName": "checkout", "serviceArn": arn("service/prod-web/checkout"), "deployments": [
            {"id": "ecs-svc/1", "taskDefinition": arn("task-definition/checkout:56"),
             "desiredCount": 3, "runningCount": 3},
            {"id": "ecs-svc/7834536996372658235", "taskDefinition": arn("task-definition/checkout:57"),
             "desiredCount": 3, "runningCount": 1, "pendingCount": 1, "failedTasks": 4},
        ]}),
    );
}

fn task(id: &str, definition: &str) -> Value {
    json!({
        "taskArn": arn(&format!("task/batch/{id}")),
        "clusterArn": arn("cluster/batch"),
        "taskDefinitionArn": definition,
        "containerInstanceArn": arn(&format!("container-instance/batch/{INSTANCE}")),
        "group": "service:report",
        "startedBy": "ecs-svc/5716040186268614494",
        "launchType": "EC2",
        "lastStatus": "STOPPED",
        "startedAt": 1_793_062_900.0,
        "stoppedAt": 1_793_064_700.0,
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": [
            {"name": "report-nightly", "image": "registry.example/report:4.2.0", "exitCode": 137,
             "lastStatus": "STOPPED", "memory": "512",
             "reason": "OutOfMemoryError: Container killed due to memory usage"},
            {"name": "metrics", "image": "registry.example/metrics:1", "exitCode": 0, "lastStatus": "STOPPED"},
        ],
    })
}

fn instance(status: &str, agent_connected: bool) -> Value {
    json!({
        "containerInstanceArn": arn(&format!("container-instance/batch/{INSTANCE}")),
        "ec2InstanceId": EC2, "status": status, "agentConnected": agent_connected,
    })
}

/// SubmitTaskStateChange: a task, its containers' exit codes, and no word of whose it is or why.
pub(crate) fn report() -> Value {
    events::sample("task_stopped-submit-exit-137")
}

/// What the chat is told of these payloads, and what the function answers and logs.
pub(crate) struct Told {
    pub(crate) messages: Vec<String>,
    answers: Vec<Answer>,
    pub(crate) log: String,
}

pub(crate) async fn tell(aws: &FakeAws, payloads: Vec<Value>, variables: &[(&str, &str)]) -> Told {
    let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
    tell_to(&slack, aws, RuntimeApi::with(payloads).await, variables).await
}

async fn tell_to(
    slack: &MockServer,
    aws: &FakeAws,
    api: RuntimeApi,
    variables: &[(&str, &str)],
) -> Told {
    let webhook = webhook(slack);
    let mut all = vec![("SLACK_WEBHOOKURL", webhook.as_str()), ("ENRICH", "")];
    all.extend_from_slice(variables);
    let (answers, log) = aws.invoke(PARROT, api, &all).await;
    Told {
        messages: messages(slack).await,
        answers,
        log,
    }
}

/// The calls by name, each with how often it was made.
fn counted(aws: &FakeAws) -> Vec<(String, usize)> {
    let operations = aws.operations().into_iter();
    operations
        .map(|name| {
            let times = aws.bodies(&name).len();
            (name, times)
        })
        .collect()
}

fn once(names: &[&str]) -> Vec<(String, usize)> {
    let mut calls: Vec<_> = names.iter().map(|name| ((*name).to_owned(), 1)).collect();
    calls.sort();
    calls
}

fn sorted(mut calls: Vec<(String, usize)>) -> Vec<(String, usize)> {
    calls.sort();
    calls
}

#[tokio::test]
async fn a_poor_report_becomes_a_whole_message() {
    let aws = account().await;
    let told = tell(&aws, vec![report()], &[]).await;
    insta::assert_snapshot!(told.messages.join("\n---\n"));
    let calls = [
        "DescribeContainerInstances",
        "DescribeTaskDefinition",
        "DescribeTasks",
    ];
    assert_eq!(sorted(counted(&aws)), once(&calls), "{}", told.log);
    // In the event's own account: another's task of the same id would be refused.
    assert_eq!(
        aws.bodies("DescribeTasks"),
        [json!({"cluster": arn("cluster/batch"), "tasks": [TASK]})]
    );
    assert_eq!(
        aws.bodies("DescribeTaskDefinition"),
        [json!({"taskDefinition": arn("task-definition/report:1")})]
    );
    assert!(!told.log.contains("messages lack"), "{}", told.log);
}

/// Without enrichment the same event can only be called `unknown_cause`.
#[tokio::test]
async fn the_second_verdict_counts() {
    let aws = account().await;
    let told = tell(&aws, vec![report()], &[]).await;
    assert!(
        told.log.contains(r#""reason":"out_of_memory""#),
        "{}",
        told.log
    );
    let told = tell(&aws, vec![report()], &[("ENRICH", "false")]).await;
    assert!(
        told.log.contains(r#""reason":"unknown_cause""#),
        "{}",
        told.log
    );
    assert_eq!(aws.bodies("DescribeTasks").len(), 1);

    let mut shown = task(TASK, &arn("task-definition/report:1"));
    shown["stopCode"] = json!("ServiceSchedulerInitiated");
    shown["stoppedReason"] =
        json!("Scaling activity initiated by (deployment ecs-svc/5716040186268614494)");
    shown["containers"][0]["reason"] = Value::Null;
    aws.described(TASK, shown);
    let told = tell(&aws, vec![report()], &[]).await;
    assert_eq!(told.messages, Vec::<String>::new());
    assert!(
        told.log.contains(r#""reason":"routine_stop""#),
        "{}",
        told.log
    );
    // What turns out to be noise is not asked about any further.
    assert_eq!(aws.bodies("DescribeTaskDefinition").len(), 1);
}

#[tokio::test]
async fn nothing_is_asked_about_what_is_dropped_or_says_it_all() {
    let aws = account().await;
    for sample in [
        "task_stopped-scaled-in-exit-0",
        "service_action-service-steady-state",
        "task_running-submit-pending",
        "other-ec2-api-call",
        "task_started-fargate",
        "task_started-ec2",
        "task_stopped-image-pull-not-found",
        "service_action-service-task-placement-failure",
        "stop_task-by-sso-person",
        "instance_state-draining",
    ] {
        let told = tell(&aws, vec![events::sample(sample)], &[]).await;
        assert_eq!(told.answers, [Answer::Response(Value::Null)], "{sample}");
        assert_eq!(counted(&aws), [], "{sample}");
    }
}

/// A hundred reports of one service: one call of each kind, whichever instance hands them to us.
#[tokio::test]
async fn a_batch_is_asked_about_at_once() {
    let aws = account().await;
    let definition = arn("task-definition/report:1");
    let records = (0..100).map(|number| {
        let id = format!("{number:032x}");
        aws.described(&id, task(&id, &definition));
        let mut event = report();
        event["id"] = json!(format!("event-{number}"));
        event["detail"]["requestParameters"]["task"] = json!(arn(&format!("task/batch/{id}")));
        json!({"messageId": number.to_string(), "eventSource": "aws:sqs", "body": event.to_string()})
    });
    let batch = json!({"Records": records.collect::<Vec<_>>()});
    let told = tell(&aws, vec![batch], &[]).await;
    // The hundred are told as one.
    let [message] = &told.messages[..] else {
        panic!("{:?}: {}", told.messages, told.log)
    };
    assert!(
        message.starts_with("🔴 report in batch: 100 tasks ran out of memory (limit 512 MiB)\n"),
        "{message}"
    );
    assert!(message.contains("*Tasks*: 00000000, 00000000"), "{message}");
    let calls = [
        "DescribeContainerInstances",
        "DescribeTaskDefinition",
        "DescribeTasks",
    ];
    assert_eq!(sorted(counted(&aws)), once(&calls));
    assert_eq!(
        aws.bodies("DescribeTasks")[0]["tasks"]
            .as_array()
            .unwrap()
            .len(),
        100
    );
}

/// A revision never changes: a process asks for it once.
#[tokio::test]
async fn a_revision_is_asked_for_once() {
    let aws = account().await;
    let definition = arn("task-definition/report:1");
    let reports = (1..=3).map(|number| {
        let id = format!("{number:032x}");
        aws.described(&id, task(&id, &definition));
        let mut event = report();
        event["detail"]["requestParameters"]["task"] = json!(arn(&format!("task/batch/{id}")));
        event
    });
    let told = tell(&aws, reports.collect(), &[]).await;
    assert_eq!(told.messages.len(), 3);
    let calls = counted(&aws);
    assert!(
        calls.contains(&("DescribeTasks".to_owned(), 3)),
        "{calls:?}"
    );
    assert!(
        calls.contains(&("DescribeTaskDefinition".to_owned(), 1)),
        "{calls:?}"
    );
}

/// The definition says which container ends the task: the exit of another is no failure.
#[tokio::test]
async fn an_essential_container_counts_and_another_does_not() {
    let aws = account().await;
    let mut event = report();
    let containers = event["detail"]["requestParameters"]["containers"]
        .as_array_mut()
        .unwrap();
    containers[0]["exitCode"] = json!(0);
    containers.push(json!({"containerName": "metrics", "exitCode": 2, "status": "STOPPED"}));
    let mut shown = task(TASK, &arn("task-definition/report:1"));
    shown["group"] = json!("family:report");
    shown["startedBy"] = json!("nightly");
    shown["containers"][0] = json!({"name": "report-nightly", "exitCode": 0});
    shown["containers"][1] = json!({"name": "metrics", "exitCode": 2});
    aws.described(TASK, shown);
    let told = tell(&aws, vec![event.clone()], &[]).await;
    assert!(told.log.contains(r#""reason":"finished""#), "{}", told.log);
    let told = tell(&aws, vec![event], &[("ENRICH", "FALSE")]).await;
    assert!(
        told.log.contains(r#""reason":"application_exit""#),
        "{}",
        told.log
    );
}

/// A task that is killed on an instance which drains is moved, not broken. What else the instance is by now is
/// for the words: it may have been well when the task ended.
#[tokio::test]
async fn the_instance_explains_a_kill() {
    const SCHEDULER: &str = "ServiceSchedulerInitiated";
    const EXITED: &str = "EssentialContainerExited";
    let draining = || Some(instance("DRAINING", true));
    for (shown, code, exit, words, reason) in [
        (
            draining(),
            SCHEDULER,
            137,
            "was stopped because its host is draining",
            "host_gone",
        ),
        (draining(), SCHEDULER, 0, "stopped", "unknown_cause"),
        (
            draining(),
            EXITED,
            137,
            "was killed (exit 137)",
            "application_exit",
        ),
        (
            draining(),
            EXITED,
            0,
            "exited, although its service must keep running",
            "exited_in_service",
        ),
        (
            draining(),
            "UserInitiated",
            137,
            "was stopped by request",
            "stopped_by_user",
        ),
        (
            Some(instance("ACTIVE", false)),
            SCHEDULER,
            137,
            "the ECS agent of its instance is disconnected",
            "unknown_cause",
        ),
        (
            None,
            SCHEDULER,
            137,
            "its instance no longer exists",
            "unknown_cause",
        ),
        (
            None,
            EXITED,
            137,
            "was killed (exit 137)",
            "application_exit",
        ),
        (
            Some(instance("ACTIVE", true)),
            SCHEDULER,
            137,
            "stopped",
            "unknown_cause",
        ),
    ] {
        let aws = account().await;
        let mut killed = task(TASK, &arn("task-definition/report:1"));
        killed["stopCode"] = json!(code);
        killed["stoppedReason"] = json!("Task stopped");
        killed["containers"] = json!([{"name": "report-nightly", "exitCode": exit}]);
        aws.described(TASK, killed);
        match shown {
            Some(shown) => aws.described(INSTANCE, shown),
            None => aws.forget(INSTANCE),
        }
        let mut event = report();
        event["detail"]["requestParameters"]["containers"][0]["exitCode"] = json!(exit);
        let told = tell(&aws, vec![event], &[]).await;
        let headline = told.messages[0].lines().next().unwrap();
        assert!(headline.ends_with(words), "{headline}: {}", told.log);
        let reason = format!(r#""reason":"{reason}""#);
        assert!(told.log.contains(&reason), "{reason}: {}", told.log);
    }
}

/// Nobody said who started it: the agent that reports its end did not.
#[tokio::test]
async fn the_reporter_is_not_to_blame() {
    let aws = account().await;
    let mut shown = task(TASK, &arn("task-definition/report:1"));
    shown["startedBy"] = Value::Null;
    aws.described(TASK, shown);
    let told = tell(&aws, vec![report()], &[]).await;
    assert!(!told.messages[0].contains("agent"), "{}", told.messages[0]);
}

/// A sidecar that fails on the way down, and one that nobody wants to hear of, explain nothing.
#[tokio::test]
async fn the_container_that_counts_is_to_blame() {
    for (sidecar, variables) in [
        ("metrics", &[][..]),
        ("proxy", &[("IGNORED_EXIT_CODE_CONTAINER_NAMES", "proxy")]),
    ] {
        let aws = account().await;
        let mut shown = task(TASK, &arn("task-definition/report:1"));
        shown["containers"] = json!([
            {"name": "report-nightly", "exitCode": 1},
            {"name": sidecar, "exitCode": 139},
        ]);
        aws.described(TASK, shown);
        let mut event = report();
        event["detail"]["requestParameters"]["containers"] = json!([
            {"containerName": "report-nightly", "exitCode": 1, "status": "STOPPED"},
            {"containerName": sidecar, "exitCode": 139, "status": "STOPPED"},
        ]);
        let told = tell(&aws, vec![event], variables).await;
        let message = &told.messages[0];
        assert!(
            message.contains("exited with 1\n*Why*: `report-nightly` exited 1"),
            "{message}"
        );
        assert!(
            !message.contains(&format!("*Why*: `{sidecar}`")),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_deployments_id_becomes_a_version_and_a_count() {
    let aws = account().await;
    deployment(&aws);
    let told = tell(&aws, vec![events::sample("deployment-failed")], &[]).await;
    let message = &told.messages[0];
    assert!(
        message.contains("*Tasks*: 1 of 3 running, 1 pending, 4 failed"),
        "{message}"
    );
    assert!(
        message.contains("deployment of checkout:57 failed"),
        "{message}"
    );
    assert!(!message.contains("ecs-svc/"), "{message}");
    assert!(
        message.contains("task-definitions/checkout/57/"),
        "{message}"
    );
    assert_eq!(counted(&aws), once(&["DescribeServices"]));

    // Rolled back since, and gone: nothing is said of the one in its place.
    aws.service("checkout", json!({"serviceName": "checkout", "deployments": [
        {"id": "ecs-svc/1", "taskDefinition": arn("task-definition/checkout:56"), "desiredCount": 3}]}));
    let told = tell(&aws, vec![events::sample("deployment-failed")], &[]).await;
    assert!(
        !told.messages[0].contains("checkout:56"),
        "{}",
        told.messages[0]
    );
}

/// The old deployment runs again after the new one failed: its end reads like that of any other, and only what
/// DescribeServices tells of the service shows that the new revision did not stay.
#[tokio::test]
async fn a_deployment_that_came_back_is_no_plain_success() {
    const OLD: &str = "ecs-svc/5339019441288198721";
    let event = |reason: &str, name: &str| {
        let mut event = events::sample("deployment-completed");
        event["resources"] = json!([arn("service/prod-web/checkout")]);
        event["detail"]["eventName"] = json!(name);
        event["detail"]["deploymentId"] = json!(OLD);
        event["detail"]["updatedAt"] = json!("2026-11-12T11:12:30Z");
        event["detail"]["reason"] = json!(reason);
        event
    };
    let completed = event(
        "ECS deployment ecs-svc/5339019441288198721 completed.",
        "SERVICE_DEPLOYMENT_COMPLETED",
    );
    // 2026-11-12T11:12:30Z, in seconds.
    let at = 1_794_481_950.0;
    let old = |more: Value| {
        let mut deployment = json!({"id": OLD, "taskDefinition": arn("task-definition/checkout:56"),
            "createdAt": at - 7_200.0, "desiredCount": 3, "runningCount": 3, "rolloutState": "COMPLETED"});
        deployment
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        deployment
    };
    let new = |state: &str, created: f64| {
        json!({"id": "ecs-svc/7", "taskDefinition": arn("task-definition/checkout:57"),
            "createdAt": created, "rolloutState": state})
    };
    let said =
        |message: &str, when: f64| json!([{"id": "1", "createdAt": when, "message": message}]);
    let rolling = format!("(service checkout) rolling back to deployment {OLD}.");
    let nothing = || json!([]);
    let because = json!({"rolloutStateReason":
        format!("ECS deployment circuit breaker: rolling back to deploymentId {OLD}.")});
    for (deployments, sentences, came_back) in [
        (json!([old(json!({}))]), nothing(), false),
        (
            json!([old(json!({})), new("FAILED", at - 600.0)]),
            nothing(),
            true,
        ),
        (
            json!([old(json!({})), new("IN_PROGRESS", at - 600.0)]),
            nothing(),
            false,
        ),
        // A newer one that replaced a failed one, and one that failed only later.
        (
            json!([old(json!({})), new("FAILED", at - 9_000.0)]),
            nothing(),
            false,
        ),
        (
            json!([old(json!({})), new("FAILED", at + 600.0)]),
            nothing(),
            false,
        ),
        (json!([old(because)]), nothing(), true),
        (json!([old(json!({}))]), said(&rolling, at - 120.0), true),
        (json!([old(json!({}))]), said(&rolling, at + 120.0), false),
        (
            json!([old(json!({}))]),
            said(
                "(service checkout) rolling back to deployment ecs-svc/53.",
                at - 120.0,
            ),
            false,
        ),
    ] {
        let aws = account().await;
        aws.cluster("prod-web");
        aws.service("checkout", json!({"serviceName": "checkout",
            "serviceArn": arn("service/prod-web/checkout"), "deployments": deployments, "events": sentences}));
        let quiet = [("SLACK_QUIET", "true")];
        for variables in [&[][..], &quiet] {
            let told = tell(&aws, vec![completed.clone()], variables).await;
            let is_told = came_back || variables.is_empty();
            assert_eq!(
                told.messages.len(),
                usize::from(is_told),
                "{deployments} {sentences} {}",
                told.log
            );
            let Some(message) = told.messages.first() else {
                continue;
            };
            let headline = message.lines().next().unwrap();
            let expected = match came_back {
                true => {
                    "🟠 checkout in prod-web: deployment was rolled back, checkout:56 runs again"
                }
                false => "🟢 checkout in prod-web: deployment of checkout:56 completed",
            };
            assert_eq!(headline, expected, "{deployments} {sentences}");
            assert!(!message.contains("ecs-svc/"), "{message}");
        }
    }

    // The beginning of the rollback names where it goes.
    let aws = account().await;
    aws.cluster("prod-web");
    aws.service(
        "checkout",
        json!({"serviceName": "checkout", "serviceArn": arn("service/prod-web/checkout"),
        "deployments": [old(json!({})), new("FAILED", at - 600.0)]}),
    );
    let reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {OLD}.");
    let mut rollback = event(&reason, "SERVICE_DEPLOYMENT_IN_PROGRESS");
    for id in [OLD, "ecs-svc/7"] {
        rollback["detail"]["deploymentId"] = json!(id);
        let told = tell(&aws, vec![rollback.clone()], &[]).await;
        let message = &told.messages[0];
        assert!(
            message.starts_with(
                "🟠 checkout in prod-web: deployment is rolling back to checkout:56
"
            ),
            "{message}"
        );
        assert!(
            message.contains("circuit breaker: rolling back to checkout:56."),
            "{message}"
        );
    }
}

/// A call that names nothing but the task.
#[tokio::test]
async fn whose_task_was_stopped() {
    let aws = account().await;
    let mut event = events::sample("stop_task-no-group");
    event["detail"]["requestParameters"] = json!({"cluster": "batch", "task": TASK});
    event["detail"]["responseElements"] = Value::Null;
    let told = tell(&aws, vec![event], &[]).await;
    assert!(
        told.messages[0].contains("report in batch: task 1c251a5a stopped by"),
        "{}",
        told.messages[0]
    );
}

/// Region, account and names become part of hosts and ARNs.
#[tokio::test]
async fn nothing_is_asked_in_a_place_that_is_none() {
    let aws = account().await;
    for (field, value) in [
        ("/region", "evil.example/"),
        ("/account", "1"),
        ("/detail/requestParameters/cluster", "a b"),
        ("/detail/requestParameters/task", "x; rm -rf /"),
    ] {
        let mut event = report();
        *event.pointer_mut(field).unwrap() = json!(value);
        event["detail"]["awsRegion"] = event["region"].clone();
        event["detail"]["recipientAccountId"] = event["account"].clone();
        let told = tell(&aws, vec![event], &[]).await;
        assert_eq!(told.messages.len(), 1, "{field} {value}: {}", told.log);
        assert_eq!(counted(&aws), [], "{field} {value}");
    }
}
