//! Enrichment: which calls the function makes to AWS, how it uses the answers, and what it posts without them.

mod accounts;
mod around;
mod command_line;
mod failures;
mod log_tail;
mod owners;

use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use crate::chat::{chat, messages, webhook};
use crate::events;
use crate::fake_aws::{FakeAws, arn};
use crate::runtime_api::{Answer, RuntimeApi};

const PARROT: &str = env!("CARGO_BIN_EXE_parrot");
const TASK: &str = "1c251a5a7a6e5fafd3f6a51b1194ef60";
const INSTANCE: &str = "7f3d0a9c51e84b26b1c4d2e8f6a70593";
/// The log stream of the task's container.
pub(crate) const STREAM: &str = "ecs/report-nightly/1c251a5a7a6e5fafd3f6a51b1194ef60";
const EC2: &str = "i-0ef2883a096765cc9";

/// An AWS account in which the task of the sample [`report`] ran, for a service, on an EC2 instance.
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

/// Adds the service of the sample `deployment-failed`, during the deployment.
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

/// A SubmitTaskStateChange call. It has the task and the exit codes of its containers, but neither its service nor the
/// reason of the stop.
pub(crate) fn report() -> Value {
    events::sample("task_stopped-submit-exit-137")
}

/// The result of a run of the function: the posted messages, its answers and its log.
pub(crate) struct NotifyRun {
    pub(crate) messages: Vec<String>,
    answers: Vec<Answer>,
    pub(crate) log: String,
}

pub(crate) async fn notify(
    aws: &FakeAws,
    payloads: Vec<Value>,
    variables: &[(&str, &str)],
) -> NotifyRun {
    let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
    notify_with(&slack, aws, RuntimeApi::with(payloads).await, variables).await
}

async fn notify_with(
    slack: &MockServer,
    aws: &FakeAws,
    api: RuntimeApi,
    variables: &[(&str, &str)],
) -> NotifyRun {
    let webhook = webhook(slack);
    let mut all = vec![("SLACK_WEBHOOKURL", webhook.as_str()), ("ENRICH", "")];
    all.extend_from_slice(variables);
    let (answers, log) = aws.invoke(PARROT, api, &all).await;
    NotifyRun {
        messages: messages(slack).await,
        answers,
        log,
    }
}

/// The names of the calls, each with the number of calls.
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
async fn a_report_with_few_fields_becomes_a_whole_message() {
    let aws = account().await;
    let run = notify(&aws, vec![report()], &[]).await;
    insta::assert_snapshot!(run.messages.join("\n---\n"));
    let calls = [
        "DescribeContainerInstances",
        "DescribeTaskDefinition",
        "DescribeTasks",
    ];
    assert_eq!(sorted(counted(&aws)), once(&calls), "{}", run.log);
    // The ARN has the event's own account, so that AWS would refuse a call for another account's task with the same id.
    assert_eq!(
        aws.bodies("DescribeTasks"),
        [json!({"cluster": arn("cluster/batch"), "tasks": [TASK]})]
    );
    assert_eq!(
        aws.bodies("DescribeTaskDefinition"),
        [json!({"taskDefinition": arn("task-definition/report:1")})]
    );
    assert!(!run.log.contains("messages lack"), "{}", run.log);
}

/// Without enrichment the same event can only be called `unknown_cause`.
#[tokio::test]
async fn the_decision_is_made_again_after_enrichment() {
    let aws = account().await;
    let run = notify(&aws, vec![report()], &[]).await;
    assert!(
        run.log.contains(r#""reason":"out_of_memory""#),
        "{}",
        run.log
    );
    let run = notify(&aws, vec![report()], &[("ENRICH", "false")]).await;
    assert!(
        run.log.contains(r#""reason":"unknown_cause""#),
        "{}",
        run.log
    );
    assert_eq!(aws.bodies("DescribeTasks").len(), 1);

    let mut shown = task(TASK, &arn("task-definition/report:1"));
    shown["stopCode"] = json!("ServiceSchedulerInitiated");
    shown["stoppedReason"] =
        json!("Scaling activity initiated by (deployment ecs-svc/5716040186268614494)");
    shown["containers"][0]["reason"] = Value::Null;
    aws.described(TASK, shown);
    let run = notify(&aws, vec![report()], &[]).await;
    assert_eq!(run.messages, Vec::<String>::new());
    assert!(
        run.log.contains(r#""reason":"routine_stop""#),
        "{}",
        run.log
    );
    // For an event that turns out to be routine no further call is made.
    assert_eq!(aws.bodies("DescribeTaskDefinition").len(), 1);
}

#[tokio::test]
async fn no_call_is_made_for_dropped_or_complete_events() {
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
        let run = notify(&aws, vec![events::sample(sample)], &[]).await;
        assert_eq!(run.answers, [Answer::Response(Value::Null)], "{sample}");
        assert_eq!(counted(&aws), [], "{sample}");
    }
}

/// For a hundred reports of one service the function makes one call of each kind.
#[tokio::test]
async fn a_batch_needs_one_call_of_each_kind() {
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
    let run = notify(&aws, vec![batch], &[]).await;
    // The hundred events are one incident.
    let [message] = &run.messages[..] else {
        panic!("{:?}: {}", run.messages, run.log)
    };
    assert!(
        message.starts_with(
            "🔴 report in batch is failing: ran out of memory (limit 512 MiB) ×100 in "
        ),
        "{message}"
    );
    assert!(message.contains("all 100 of report:1"), "{message}");
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

/// A revision never changes, so that a process requests it only once.
#[tokio::test]
async fn a_revision_is_requested_once() {
    let aws = account().await;
    let definition = arn("task-definition/report:1");
    let reports = (1..=3).map(|number| {
        let id = format!("{number:032x}");
        aws.described(&id, task(&id, &definition));
        let mut event = report();
        event["detail"]["requestParameters"]["task"] = json!(arn(&format!("task/batch/{id}")));
        event
    });
    let run = notify(&aws, reports.collect(), &[]).await;
    // The first one opens the incident, and the others are counted.
    assert_eq!(run.messages.len(), 1);
    assert_eq!(run.log.matches("slack counted").count(), 2, "{}", run.log);
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

/// The task definition says which containers are essential. The exit of another container is not a failure.
#[tokio::test]
async fn only_the_exit_of_an_essential_container_is_a_failure() {
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
    let run = notify(&aws, vec![event.clone()], &[]).await;
    assert!(run.log.contains(r#""reason":"finished""#), "{}", run.log);
    let run = notify(&aws, vec![event], &[("ENRICH", "FALSE")]).await;
    assert!(
        run.log.contains(r#""reason":"application_exit""#),
        "{}",
        run.log
    );
}

/// A task that is killed on a draining instance is moved and has not failed. Any other state of the instance only
/// changes the text: the instance may have been healthy when the task ended.
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
        let run = notify(&aws, vec![event], &[]).await;
        let headline = run.messages[0].lines().next().unwrap();
        assert!(headline.ends_with(words), "{headline}: {}", run.log);
        let reason = format!(r#""reason":"{reason}""#);
        assert!(run.log.contains(&reason), "{reason}: {}", run.log);
    }
}

/// The event does not say who started the task. The agent that reports its end must not be named as the one who did.
#[tokio::test]
async fn the_reporting_agent_is_not_the_actor() {
    let aws = account().await;
    let mut shown = task(TASK, &arn("task-definition/report:1"));
    shown["startedBy"] = Value::Null;
    aws.described(TASK, shown);
    let run = notify(&aws, vec![report()], &[]).await;
    assert!(!run.messages[0].contains("agent"), "{}", run.messages[0]);
}

/// A non-essential sidecar that failed during the stop, and a container that is ignored by configuration, do not
/// explain the stop.
#[tokio::test]
async fn the_essential_container_explains_the_stop() {
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
        let run = notify(&aws, vec![event], variables).await;
        let message = &run.messages[0];
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
    let run = notify(&aws, vec![events::sample("deployment-failed")], &[]).await;
    let message = &run.messages[0];
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

    // The deployment was rolled back and does not exist any more. The message must not show the deployment in its
    // place.
    aws.service("checkout", json!({"serviceName": "checkout", "deployments": [
        {"id": "ecs-svc/1", "taskDefinition": arn("task-definition/checkout:56"), "desiredCount": 3}]}));
    let run = notify(&aws, vec![events::sample("deployment-failed")], &[]).await;
    assert!(
        !run.messages[0].contains("checkout:56"),
        "{}",
        run.messages[0]
    );
}

/// The old deployment runs again after the new one failed. Its completion looks like any other. Only DescribeServices
/// shows that the new revision was rolled back.
#[tokio::test]
async fn a_completed_rollback_is_not_a_plain_success() {
    const OLD: &str = "ecs-svc/5339019441288198721";
    let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap();
    let event = |reason: &str, name: &str| {
        let mut event = events::sample("deployment-completed");
        event["resources"] = json!([arn("service/prod-web/checkout")]);
        event["detail"]["eventName"] = json!(name);
        event["detail"]["deploymentId"] = json!(OLD);
        event["detail"]["updatedAt"] = json!(now.to_string());
        event["detail"]["reason"] = json!(reason);
        event
    };
    let completed = event(
        "ECS deployment ecs-svc/5339019441288198721 completed.",
        "SERVICE_DEPLOYMENT_COMPLETED",
    );
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact")]
    let at = now.as_second() as f64;
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
    let service_event =
        |message: &str, when: f64| json!([{"id": "1", "createdAt": when, "message": message}]);
    let rolling = format!("(service checkout) rolling back to deployment {OLD}.");
    let nothing = || json!([]);
    let because = json!({"rolloutStateReason":
        format!("ECS deployment circuit breaker: rolling back to deploymentId {OLD}.")});
    for (deployments, service_events, is_rollback) in [
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
        // The deployment came after a failed one, or another deployment failed only later.
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
        (
            json!([old(json!({}))]),
            service_event(&rolling, at - 120.0),
            true,
        ),
        (
            json!([old(json!({}))]),
            service_event(&rolling, at + 120.0),
            false,
        ),
        (
            json!([old(json!({}))]),
            service_event(
                "(service checkout) rolling back to deployment ecs-svc/53.",
                at - 120.0,
            ),
            false,
        ),
    ] {
        let aws = account().await;
        aws.cluster("prod-web");
        aws.service("checkout", json!({"serviceName": "checkout",
            "serviceArn": arn("service/prod-web/checkout"), "deployments": deployments, "events": service_events}));
        let urgent_only = [("SLACK_QUIET", "true")];
        for variables in [&[][..], &urgent_only] {
            let run = notify(&aws, vec![completed.clone()], variables).await;
            let is_posted = is_rollback || variables.is_empty();
            assert_eq!(
                run.messages.len(),
                usize::from(is_posted),
                "{deployments} {service_events} {}",
                run.log
            );
            let Some(message) = run.messages.first() else {
                continue;
            };
            let headline = message.lines().next().unwrap();
            let (expected, says) = match is_rollback {
                true => ("🟠 checkout in prod-web: ", "rolled back"),
                false => ("🟢 checkout in prod-web: checkout:56 deployed", ""),
            };
            let is_expected = headline.starts_with(expected) && headline.contains(says);
            assert!(is_expected, "{headline} {deployments} {service_events}");
            assert!(
                headline.contains("checkout:56"),
                "{headline} {deployments} {service_events}"
            );
            assert!(!message.contains("ecs-svc/"), "{message}");
        }
    }

    // The message about the start of the rollback names the revision that it returns to.
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
        let run = notify(&aws, vec![rollback.clone()], &[]).await;
        let message = &run.messages[0];
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

/// The StopTask call names only the task. The message names its service.
#[tokio::test]
async fn the_service_of_a_stopped_task_is_named() {
    let aws = account().await;
    let mut event = events::sample("stop_task-no-group");
    event["detail"]["requestParameters"] = json!({"cluster": "batch", "task": TASK});
    event["detail"]["responseElements"] = Value::Null;
    let run = notify(&aws, vec![event], &[]).await;
    assert!(
        run.messages[0].contains("report in batch: task 1c251a5a stopped by"),
        "{}",
        run.messages[0]
    );
}

/// Region, account and names become part of host names and ARNs, so that invalid ones cause no call.
#[tokio::test]
async fn invalid_regions_accounts_and_names_cause_no_call() {
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
        let run = notify(&aws, vec![event], &[]).await;
        assert_eq!(run.messages.len(), 1, "{field} {value}: {}", run.log);
        assert_eq!(counted(&aws), [], "{field} {value}");
    }
}
