//! The start of tasks, and what happens if no task starts.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use super::{MIGRATE, account, exits_with, finish, program, received, run, web};
use crate::fake_aws::{Life, Refusal, arn};

fn failure(reason: &str) -> Life {
    Life {
        failures: vec![json!({"arn": arn("container-instance/prod/9f8e"), "reason": reason})],
        ..Life::default()
    }
}

#[tokio::test]
#[ignore = "acceptance: it takes a minute"]
async fn a_task_that_is_not_placed_leaves_nothing_behind() {
    // Errors that may go away are tried eight times, for about one minute.
    let cases = [
        ("RESOURCE:MEMORY", 8, "no instance has enough free memory"),
        (
            "You've reached the limit on the number of vCPUs you can run concurrently",
            8,
            "the account's quota of running vCPUs is reached",
        ),
        (
            "ATTRIBUTE",
            1,
            "no instance has an attribute that the task needs",
        ),
    ];
    join_all(cases.map(|(reason, times, advice)| async move {
        let aws = account().await;
        for _ in 0..times {
            aws.next_task(failure(reason));
        }
        let finished = run(&aws, MIGRATE).await;
        assert_eq!(finished.status, 1, "{finished:?}");
        assert!(
            finished
                .err
                .contains(&format!("ecs-parrot: ECS started no task: {reason}")),
            "{finished:?}"
        );
        assert!(
            finished.err.contains(&format!("advice: {advice}")),
            "{finished:?}"
        );
        assert_eq!(aws.bodies("RunTask").len(), times);
        assert_eq!(aws.left_behind(), [""; 0]);
    }))
    .await;
}

/// Quotas, as an exception and as a failure, are tried again, because a CI job prefers waiting to failing. After a
/// failure the next call has another client token, because ECS would repeat the answer.
#[tokio::test]
async fn a_task_that_is_placed_later() {
    let aws = account().await;
    let limit = "Tasks provisioning capacity limit exceeded.";
    aws.refuse("RunTask", 1, &Refusal::new("ClientException", limit));
    aws.next_task(failure(
        "Capacity is unavailable at this time. Please try again later",
    ));
    aws.next_task(exits_with(6));
    let finished = run(&aws, MIGRATE).await;
    assert_eq!(finished.status, 6, "{finished:?}");
    let calls = aws.bodies("RunTask");
    let token = |index: usize| &calls[index]["clientToken"];
    assert_eq!(calls.len(), 3);
    assert_eq!(
        token(0),
        token(1),
        "an exception may hide a task that was started"
    );
    assert_ne!(token(1), token(2));
}

/// The time-out includes the tries to start the task.
#[tokio::test]
async fn the_time_out_includes_the_tries_to_start() {
    let aws = account().await;
    aws.refuse("RunTask", 20, &Refusal::throttled());
    let finished = run(&aws, &format!("--timeout 2 {MIGRATE}")).await;
    assert_eq!(finished.status, 124, "{finished:?}");
    assert!(
        finished
            .err
            .contains("ecs-parrot: time-out after 2 s: RunTask: Rate exceeded"),
        "{finished:?}"
    );
    // A busy machine has time for fewer tries.
    let tries = aws.bodies("RunTask").len();
    assert!((2..=3).contains(&tries), "{tries}");
    assert_eq!(aws.left_behind(), [""; 0]);

    // The tries take seven and a half of the nine seconds. The task has only the rest.
    let aws = account().await;
    aws.refuse("RunTask", 4, &Refusal::throttled());
    aws.next_task(Life {
        endless: true,
        ..Life::default()
    });
    let finished = run(&aws, &format!("--timeout 9 {MIGRATE}")).await;
    assert_eq!(finished.status, 124, "{finished:?}");
    let calls = aws.calls().into_iter().map(|call| call.operation);
    let until_stop: Vec<_> = calls.take_while(|it| it != "StopTask").collect();
    let polls = until_stop.iter().filter(|it| *it == "DescribeTasks");
    // The first call is made before a task is started.
    assert!(polls.count() <= 3, "{until_stop:?}");
}

#[tokio::test]
async fn with_keep_the_revision_stays() {
    let aws = account().await;
    aws.next_task(failure("ATTRIBUTE"));
    let finished = run(&aws, &format!("--keep {MIGRATE}")).await;
    assert_eq!(finished.status, 1);
    assert_eq!(aws.left_behind(), [arn("task-definition/web-migrate:1")]);
}

/// An existing group is neither created nor removed, and keeps its retention.
#[tokio::test]
async fn an_existing_log_group_is_left_as_it_is() {
    let aws = account().await;
    aws.log_group("/ecs/web-migrate");
    aws.next_task(failure("ATTRIBUTE"));
    let finished = run(&aws, MIGRATE).await;
    assert_eq!(finished.status, 1, "{finished:?}");
    assert_eq!(
        aws.bodies("PutRetentionPolicy").len() + aws.bodies("DeleteLogGroup").len(),
        0
    );
}

#[tokio::test]
async fn some_of_several_tasks() {
    let aws = account().await;
    aws.next_task(exits_with(0));
    aws.next_task(failure("RESOURCE:CPU"));
    aws.next_task(exits_with(0));
    let finished = run(&aws, &format!("--count 3 --output json {MIGRATE}")).await;
    assert_eq!(
        finished.status, 1,
        "one of the tasks did not run: {finished:?}"
    );
    let report = finished.json();
    assert_eq!(report["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(report["failures"][0]["reason"], "RESOURCE:CPU");
    assert!(
        report["warnings"][0]
            .as_str()
            .unwrap()
            .contains("no instance has enough free CPU")
    );
}

/// Errors that may go away are tried again: a task that is not known yet, throttling in both forms, failures of the
/// service.
#[tokio::test]
async fn retryable_errors_are_tried_again() {
    let aws = account().await;
    aws.next_task(Life {
        unknown: 2,
        ..exits_with(7)
    });
    // The SDK makes three attempts in one call; these are more.
    aws.refuse("DescribeTasks", 4, &Refusal::server());
    aws.refuse("DescribeTasks", 4, &Refusal::throttled());
    aws.refuse("GetLogEvents", 4, &Refusal::throttled());
    aws.refuse("RegisterTaskDefinition", 1, &Refusal::throttled());
    let finished = run(&aws, MIGRATE).await;
    assert_eq!(finished.status, 7, "{finished:?}");
    assert_eq!(aws.bodies("RunTask").len(), 1);
}

/// One task is started, also if the call must be repeated.
#[tokio::test]
async fn a_repeated_call_starts_one_task() {
    let aws = account().await;
    let hidden = Refusal::new(
        "InvalidParameterException",
        "Error retrieving subnet information: Rate exceeded",
    );
    aws.refuse("RunTask", 1, &hidden);
    aws.refuse("RunTask", 1, &Refusal::server());
    aws.lose_answer("RunTask");
    let finished = run(&aws, MIGRATE).await;
    assert_eq!(finished.status, 0, "{finished:?}");
    let calls = aws.bodies("RunTask");
    assert_eq!(calls.len(), 4);
    assert!(
        calls.iter().all(|call| call == &calls[0]),
        "the same client token and parameters"
    );
    assert!(
        aws.left_behind().len() == 1,
        "the revision that was kept: {:?}",
        aws.left_behind()
    );
}

/// If RunTask is not answered, a task may be running. Its resources are kept, and the user gets the command that lists
/// it.
#[tokio::test]
async fn after_an_unanswered_start_nothing_is_removed() {
    let aws = account().await;
    aws.next_task(Life {
        endless: true,
        ..Life::default()
    });
    aws.lose_answer("RunTask");
    let child = program(&aws, MIGRATE).spawn().unwrap();
    received(&aws, "RunTask", 1).await;
    aws.refuse("RunTask", 20, &Refusal::throttled());
    crate::run::exits::send("-INT", child.id().unwrap()).await;
    let finished = finish(child).await;
    assert_eq!(finished.status, 130, "{finished:?}");
    let started_by = aws.bodies("RunTask")[0]["startedBy"]
        .as_str()
        .unwrap()
        .to_owned();
    let command = format!(
        "`aws ecs list-tasks --cluster prod --started-by {started_by} --region eu-west-1` lists it"
    );
    assert!(finished.err.contains(&command), "{finished:?}");
    assert_eq!(
        aws.bodies("DeregisterTaskDefinition").len() + aws.bodies("DeleteLogGroup").len(),
        0
    );
}

/// A RunTask call without an answer does not delay --timeout or a signal. The answer would arrive before the SDK's
/// time-out.
#[cfg(unix)]
#[tokio::test]
async fn a_start_without_an_answer_does_not_block() {
    let cases = [("--timeout 1", None, 124), ("", Some("-INT"), 130)];
    join_all(cases.map(|(flags, signal, status)| async move {
        let aws = account().await;
        aws.next_task(Life {
            endless: true,
            ..Life::default()
        });
        aws.answer_late("RunTask", Duration::from_secs(18));
        let child = program(&aws, &format!("{flags} {MIGRATE}")).spawn().unwrap();
        received(&aws, "RunTask", 1).await;
        if let Some(signal) = signal {
            crate::run::exits::send(signal, child.id().unwrap()).await;
        }
        let finished = finish(child).await;
        assert_eq!(finished.status, status, "{finished:?}");
        let started_by = aws.bodies("RunTask")[0]["startedBy"].clone();
        let expected = format!(
            "RunTask: AWS has not answered yet; if a task was started, `aws ecs list-tasks --cluster prod --started-by {} \
             --region eu-west-1` lists it",
            started_by.as_str().unwrap()
        );
        assert!(finished.err.contains(&expected), "{finished:?}");
        assert_eq!(aws.bodies("RunTask").len(), 1);
        // The resources of the task are kept, because it may be running.
        let removals = ["StopTask", "DeregisterTaskDefinition", "DeleteLogGroup"];
        let removals = removals.map(|operation| aws.bodies(operation).len());
        assert_eq!(removals, [0, 0, 0]);
    }))
    .await;
}

/// A throttled call has started nothing, so the created resources are removed.
#[tokio::test]
#[ignore = "acceptance: it takes a minute"]
async fn a_start_that_is_always_throttled_leaves_nothing_behind() {
    let aws = account().await;
    aws.refuse("RunTask", 20, &Refusal::throttled());
    let finished = run(&aws, MIGRATE).await;
    assert_eq!(finished.status, 1, "{finished:?}");
    assert!(
        finished
            .err
            .contains("advice: this account makes too many calls to AWS"),
        "{finished:?}"
    );
    assert_eq!(aws.bodies("RunTask").len(), 8);
    assert_eq!(aws.left_behind(), [""; 0]);
}

/// An error that cannot go away is not tried again.
#[tokio::test]
async fn permanent_errors_fail_at_once() {
    for (operation, refusal) in [
        (
            "DescribeTaskDefinition",
            Refusal::new("ClientException", "Unable to describe task definition."),
        ),
        (
            "RegisterTaskDefinition",
            Refusal::new(
                "ClientException",
                "Container.image contains invalid characters.",
            ),
        ),
        (
            "RunTask",
            Refusal::new(
                "PlatformUnknownException",
                "The specified platform does not exist.",
            ),
        ),
        ("DescribeTasks", Refusal::new("AccessDeniedException", "no")),
    ] {
        let aws = account().await;
        aws.refuse(operation, 1, &refusal);
        let finished = run(&aws, MIGRATE).await;
        assert_eq!(finished.status, 1, "{finished:?}");
        assert_eq!(aws.bodies(operation).len(), 1, "{operation}");
        assert_eq!(aws.left_behind(), [""; 0], "{operation}");
    }
}

#[tokio::test]
async fn if_the_tasks_cannot_be_polled_any_more_they_keep_running() {
    let aws = account().await;
    aws.next_task(Life {
        endless: true,
        ..Life::default()
    });
    let child = program(&aws, MIGRATE).spawn().unwrap();
    received(&aws, "DescribeTasks", 2).await;
    aws.refuse(
        "DescribeTasks",
        1,
        &Refusal::new("ExpiredTokenException", "The security token has expired"),
    );
    let finished = finish(child).await;
    assert_eq!(finished.status, 1, "{finished:?}");
    assert!(
        finished.err.contains("is not known any more"),
        "{finished:?}"
    );
    assert!(
        finished.err.contains("aws ecs stop-task --cluster prod"),
        "{finished:?}"
    );
    assert!(
        finished.err.contains("advice: renew the credentials"),
        "{finished:?}"
    );
    assert_eq!(aws.bodies("StopTask").len(), 0);
}

/// Each field of the reference that a caller may set reaches RegisterTaskDefinition, also if the SDK does not know it.
#[tokio::test]
async fn the_copy_is_complete() {
    let aws = account().await;
    let mut reference = web();
    for (field, value) in [
        ("family", json!("whole")),
        (
            "taskRoleArn",
            json!("arn:aws:iam::210987654321:role/web-task"),
        ),
        (
            "volumes",
            json!([{"name": "efs", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "new": {"x": 1}}}]),
        ),
        (
            "runtimePlatform",
            json!({"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}),
        ),
        ("fieldOfTomorrow", json!({"list": [1, 2.5, null, "x"]})),
    ] {
        reference[field] = value;
    }
    reference["containerDefinitions"][0]["optionOfTomorrow"] = json!(true);
    aws.definition(reference.clone(), json!([{"key": "team", "value": "blue"}]));
    let finished = run(
        &aws,
        &MIGRATE.replace("--from-task web", "--from-task whole"),
    )
    .await;
    assert_eq!(finished.status, 0, "{finished:?}");
    let registered = &aws.bodies("RegisterTaskDefinition")[0];
    let mut expected = reference;
    expected["family"] = json!("web-migrate");
    expected["tags"] = json!([{"key": "team", "value": "blue"}]);
    let app = &mut expected["containerDefinitions"][0];
    app["command"] = json!(["rake", "db:migrate"]);
    app["logConfiguration"] = json!({"logDriver": "awslogs", "options": {
        "awslogs-group": "/ecs/web-migrate",
        "awslogs-region": "eu-west-1",
        "awslogs-stream-prefix": "ecs",
        "mode": "blocking",
    }});
    assert_eq!(registered, &expected);
}

/// The request for each set of flags, without the token.
#[tokio::test]
async fn the_request_for_each_set_of_flags() {
    let network = |subnets: &[&str], groups: &[&str], public: &str| {
        json!({"awsvpcConfiguration": {
            "subnets": subnets, "securityGroups": groups, "assignPublicIp": public,
        }})
    };
    let aws = account().await;
    aws.service("web", json!({
        "serviceName": "web",
        "status": "ACTIVE",
        "taskDefinition": "web",
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
        "platformVersion": "1.4.0",
        "networkConfiguration": network(&["subnet-s1"], &["sg-s"], "ENABLED"),
    }));
    let spot = json!([{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]);
    let fargate =
        "--launch-type FARGATE --networks-id subnet-1 subnet-2 --security-groups-id sg-1,sg-2";
    for (flags, expected) in [
        ("", json!({})),
        ("--launch-type EC2", json!({})),
        (
            fargate,
            json!({
                "launchType": "FARGATE",
                "networkConfiguration": network(&["subnet-1", "subnet-2"], &["sg-1", "sg-2"], "DISABLED"),
            }),
        ),
        (
            "--like-service web",
            json!({
                "capacityProviderStrategy": spot,
                "platformVersion": "1.4.0",
                "networkConfiguration": network(&["subnet-s1"], &["sg-s"], "ENABLED"),
            }),
        ),
        (
            "--like-service web --security-groups-id sg-9",
            json!({
                "capacityProviderStrategy": spot,
                "platformVersion": "1.4.0",
                "networkConfiguration": network(&["subnet-s1"], &["sg-9"], "ENABLED"),
            }),
        ),
        (
            "--capacity-provider FARGATE --networks-id subnet-1 --security-groups-id sg-1 --assign-public-ip",
            json!({
                "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}],
                "networkConfiguration": network(&["subnet-1"], &["sg-1"], "ENABLED"),
            }),
        ),
        (
            "--tag team=blue",
            json!({"tags": [{"key": "team", "value": "blue"}]}),
        ),
    ] {
        let finished = run(&aws, &format!("{flags} --no-wait {MIGRATE}")).await;
        assert_eq!(finished.status, 0, "{finished:?}");
        let mut request = aws.bodies("RunTask").pop().unwrap();
        let request = request.as_object_mut().unwrap();
        for (field, start) in [("clientToken", ""), ("startedBy", "ecs-parrot-run/")] {
            let value = request.remove(field).unwrap();
            assert!(value.as_str().unwrap().starts_with(start));
        }
        request.remove("taskDefinition").unwrap();
        let mut expected = expected;
        expected["cluster"] = json!("prod");
        expected["count"] = json!(1);
        assert_eq!(Value::Object(request.clone()), expected, "{flags}");
    }
}

#[tokio::test]
async fn a_dry_run_creates_nothing_and_hides_values() {
    let aws = account().await;
    let mut reference = web();
    reference["containerDefinitions"][0]["environment"] =
        json!([{"name": "DB", "value": "hush-hush"}, {"name": "MODE", "value": "web"}]);
    aws.definition(reference, json!([]));
    let finished = run(
        &aws,
        &format!("--dry-run --env MODE=whisper --image web:2 {MIGRATE}"),
    )
    .await;
    assert_eq!(finished.status, 0, "{finished:?}");
    assert_eq!(aws.operations(), ["DescribeTaskDefinition"]);
    for line in [
        "-       \"image\": \"web:1\",",
        "+       \"image\": \"web:2\",",
        "-   \"family\": \"web\"",
        "+         \"rake\",",
    ] {
        assert!(finished.out.contains(line), "{line}: {}", finished.out);
    }
    assert!(
        finished.out.contains("[redacted], given by --env"),
        "{finished:?}"
    );
    for secret in ["hush-hush", "whisper"] {
        assert!(
            !finished.out.contains(secret) && !finished.err.contains(secret),
            "{finished:?}"
        );
    }
    let finished = run(&aws, &format!("--dry-run --output json {MIGRATE}")).await;
    let plan = finished.json();
    assert_eq!(plan["task_definition"]["family"], "web-migrate");
    assert_eq!(plan["request"]["cluster"], "prod");
    assert!(!finished.out.contains("hush-hush"));
}
