//! The exit status: the container's exit code, a time-out, a signal.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::io::AsyncBufReadExt as _;
use tokio::process::Command;

use super::{MIGRATE, account, exits_with, finish, program, received, run, web};
use crate::fake_aws::{Life, Refusal};

fn endless() -> Life {
    Life {
        endless: true,
        ..Life::default()
    }
}

#[tokio::test]
async fn the_exit_code_of_the_container() {
    join_all([0, 1, 3, 42, 255].map(|code| async move {
        let aws = account().await;
        aws.next_task(exits_with(code));
        let finished = run(&aws, MIGRATE).await;
        assert_eq!(i64::from(finished.status), code, "{finished:?}");
        assert!(
            finished.err.contains(&format!("`app` exited with {code}")),
            "{finished:?}"
        );
        assert_eq!(finished.out, "");
    }))
    .await;
}

/// The complete output, in the order of the events.
#[tokio::test]
async fn a_run_from_beginning_to_end() {
    let aws = account().await;
    let finished = run(&aws, MIGRATE).await;
    let lines: Vec<_> = finished
        .err
        .lines()
        .map(|line| line.rsplit_once(" (").map_or(line, |(line, _)| line))
        .collect();
    assert_eq!(
        lines,
        [
            "registered web-migrate:1, a copy of web:1",
            "logs go to /ecs/web-migrate, a new log group that keeps them 7 days",
            "started arn:aws:ecs:eu-west-1:210987654321:task/prod/1a2b3c4d000000000000000000000000",
            "  https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/prod/tasks/\
             1a2b3c4d000000000000000000000000/configuration?region=eu-west-1",
            "PENDING",
            "RUNNING",
            "STOPPED",
            "task 1a2b3c4d000000000000000000000000 stopped after 43 s: `app` exited with 0",
        ],
        "{finished:?}"
    );
    assert_eq!(
        aws.operations(),
        [
            "DescribeTaskDefinition",
            "DescribeTasks",
            "RegisterTaskDefinition",
            "CreateLogGroup",
            "PutRetentionPolicy",
            "RunTask",
            "GetLogEvents",
        ]
    );
    assert_eq!(aws.retention("/ecs/web-migrate"), Some(7));
}

#[tokio::test]
async fn a_task_that_never_ran_fails_with_its_cause_and_advice() {
    for (stopped_reason, reason, cause, advice) in [
        (
            "Task failed to start",
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found",
            "could not pull its image: CannotPullContainerError",
            "check the name and the tag",
        ),
        (
            "ResourceInitializationError: unable to pull secrets or registry auth",
            "",
            "failed to start: ResourceInitializationError",
            "check the execution role's permissions",
        ),
    ] {
        let aws = account().await;
        aws.next_task(Life {
            states: vec![("PROVISIONING", 1)],
            end: json!({"stopCode": "TaskFailedToStart", "stoppedReason": stopped_reason}),
            containers: json!({"app": {"reason": reason}}),
            ..Life::default()
        });
        let finished = run(&aws, MIGRATE).await;
        assert_eq!(finished.status, 1, "{finished:?}");
        assert!(
            finished.err.contains(cause) && finished.err.contains(advice),
            "{finished:?}"
        );
    }
}

/// A database proxy runs out of memory. ECS stops the migration before it is done, and it exits with 0.
#[tokio::test]
async fn not_0_if_another_container_ended_the_task() {
    let out_of_memory = json!({
        "exitCode": 137,
        "reason": "OutOfMemoryError: Container killed due to memory usage",
    });
    let cases = [
        (
            true,
            out_of_memory.clone(),
            1,
            "`app` exited with 0, but the task may have ended before `app` was done: `proxy` exited with 137 (SIGKILL): \
             OutOfMemoryError: Container killed due to memory usage",
        ),
        (true, json!({"exitCode": 2}), 1, "`proxy` exited with 2"),
        (true, json!({"exitCode": 143}), 0, "`app` exited with 0"),
        (false, out_of_memory, 0, "`app` exited with 0"),
    ];
    join_all(
        cases.map(|(essential, proxy, status, expected)| async move {
            let aws = account().await;
            let mut definition = web();
            let containers = definition["containerDefinitions"].as_array_mut().unwrap();
            containers.push(json!({"name": "proxy", "image": "p:1", "essential": essential}));
            aws.definition(definition, json!([]));
            aws.next_task(Life {
                containers: json!({"app": {"exitCode": 0}, "proxy": proxy}),
                ..Life::default()
            });
            let finished = run(&aws, &format!("--output json {MIGRATE}")).await;
            assert_eq!(finished.status, status, "{finished:?}");
            assert!(finished.err.contains(expected), "{finished:?}");
            let report = finished.json();
            assert_eq!(report["error"].is_null(), status == 0, "{report}");
            assert_eq!(report["advice"].is_null(), status == 0, "{report}");
        }),
    )
    .await;
}

/// The exit code is already known, so a signal only ends the reading of the logs.
#[cfg(unix)]
#[tokio::test]
async fn a_signal_after_the_end_does_not_change_the_status() {
    let aws = account().await;
    aws.next_task(exits_with(3));
    let mut child = program(&aws, MIGRATE).spawn().unwrap();
    let err = child.stderr.take().unwrap();
    let mut lines = tokio::io::BufReader::new(err).lines();
    let mut printed = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.starts_with("STOPPED") {
            send("-INT", child.id().unwrap()).await;
        }
        printed += &line;
    }
    let finished = finish(child).await;
    assert_eq!(finished.status, 3, "{printed}");
    assert!(
        printed.contains("SIGINT: the last lines may be missing"),
        "{printed}"
    );
    assert!(printed.contains("`app` exited with 3"), "{printed}");
    assert_eq!(aws.bodies("StopTask").len(), 0);
}

#[tokio::test]
async fn status_124_after_a_time_out_and_the_task_is_stopped() {
    let aws = account().await;
    aws.next_task(endless());
    let finished = run(&aws, &format!("--timeout 2s --output json {MIGRATE}")).await;
    assert_eq!(finished.status, 124, "{finished:?}");
    let stops = aws.bodies("StopTask");
    assert_eq!(stops.len(), 1);
    assert_eq!(stops[0]["reason"], "ecs-parrot run: time-out after 2 s");
    assert_eq!(
        aws.left_behind(),
        ["arn:aws:ecs:eu-west-1:210987654321:task-definition/web-migrate:1"]
    );
    let report = finished.json();
    assert_eq!(report["status"], 124);
    assert_eq!(report["error"], "time-out after 2 s");
    assert_eq!(report["tasks"][0]["last_status"], "STOPPED");
    assert_eq!(report["tasks"][0]["cause"], "stopped_by_user");
}

#[cfg(unix)]
#[tokio::test]
async fn the_status_of_a_signal_and_the_task_is_stopped() {
    for (signal, name, status) in [("-INT", "SIGINT", 130), ("-TERM", "SIGTERM", 143)] {
        let aws = account().await;
        aws.next_task(endless());
        let child = program(&aws, &format!("--deregister {MIGRATE}"))
            .spawn()
            .unwrap();
        // The first call is made before a task is started.
        received(&aws, "DescribeTasks", 2).await;
        send(signal, child.id().unwrap()).await;
        let finished = finish(child).await;
        assert_eq!(finished.status, status, "{finished:?}");
        assert!(
            finished
                .err
                .contains(&format!("{name}: stopping arn:aws:ecs")),
            "{finished:?}"
        );
        assert!(
            finished
                .err
                .ends_with(&format!("ecs-parrot: stopped by {name}\n")),
            "{finished:?}"
        );
        assert_eq!(
            aws.bodies("StopTask")[0]["reason"],
            format!("ecs-parrot run: {name}")
        );
        assert_eq!(aws.left_behind(), [""; 0]);
    }
}

/// A signal during the call of RunTask: the task that it starts is known, and stopped.
#[cfg(unix)]
#[tokio::test]
async fn a_signal_during_the_start() {
    let aws = account().await;
    aws.next_task(endless());
    aws.answer_late("RunTask", Duration::from_secs(2));
    let child = program(&aws, MIGRATE).spawn().unwrap();
    received(&aws, "RunTask", 1).await;
    send("-INT", child.id().unwrap()).await;
    let finished = finish(child).await;
    assert_eq!(finished.status, 130, "{finished:?}");
    assert_eq!(aws.bodies("StopTask").len(), 1);
}

/// If no task was started, the created resources are removed.
#[cfg(unix)]
#[tokio::test]
async fn a_signal_before_the_start() {
    let aws = account().await;
    aws.answer_late("CreateLogGroup", Duration::from_secs(2));
    let child = program(&aws, MIGRATE).spawn().unwrap();
    received(&aws, "CreateLogGroup", 1).await;
    send("-TERM", child.id().unwrap()).await;
    let finished = finish(child).await;
    assert_eq!(finished.status, 143, "{finished:?}");
    assert_eq!(aws.bodies("RunTask").len(), 0);
    assert_eq!(aws.left_behind(), [""; 0]);
}

#[cfg(unix)]
#[tokio::test]
async fn if_the_stop_is_denied_the_command_is_printed() {
    let aws = account().await;
    aws.next_task(endless());
    aws.refuse("StopTask", 1, &Refusal::new("AccessDeniedException", "no"));
    let finished = run(&aws, &format!("--timeout 1 {MIGRATE}")).await;
    assert_eq!(finished.status, 124);
    let command = "aws ecs stop-task --cluster prod --task \
                   arn:aws:ecs:eu-west-1:210987654321:task/prod/1a2b3c4d000000000000000000000000 --region eu-west-1";
    assert!(finished.err.contains(command), "{finished:?}");
}

#[tokio::test]
async fn no_wait_prints_the_tasks_and_exits_at_once() {
    let aws = account().await;
    aws.next_task(endless());
    let finished = run(&aws, &format!("--no-wait {MIGRATE}")).await;
    assert_eq!(finished.status, 0, "{finished:?}");
    assert_eq!(
        finished.out,
        "arn:aws:ecs:eu-west-1:210987654321:task/prod/1a2b3c4d000000000000000000000000\n"
    );
}

#[cfg(unix)]
pub(super) async fn send(signal: &str, process: u32) {
    let kill = Command::new("kill")
        .arg(signal)
        .arg(process.to_string())
        .status()
        .await;
    assert!(kill.unwrap().success());
}
