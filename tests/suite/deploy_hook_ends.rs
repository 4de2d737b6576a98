//! The result of a hook's task if its exit code is not enough, or if the configuration has changed since its start.

use serde_json::{Value, json};

use crate::deploy_hook::{
    SIX, account, code_deploy, exits_with, invoke, lifecycle, response, revision,
};
use crate::fake_aws::{FakeAws, Life, Refusal, arn};
use crate::runtime_api::Answer;

const EVENTS: (&str, &str) = ("HOOK_EVENTS", "true");

/// A task whose `app` exits with 0, with this end of `sidecar`.
fn with_sidecar(sidecar: Value) -> Life {
    Life {
        containers: json!({"app": {"exitCode": 0}, "sidecar": sidecar}),
        ..Life::default()
    }
}

fn out_of_memory() -> Value {
    json!({"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"})
}

/// Registers a definition with these essential containers.
fn define(aws: &FakeAws, family: &str, app: bool, sidecar: bool) {
    let containers = json!([
        {"name": "app", "image": "x:1", "essential": app},
        {"name": "sidecar", "image": "s:1", "essential": sidecar},
    ]);
    let definition =
        json!({"family": family, "networkMode": "awsvpc", "containerDefinitions": containers});
    aws.definition(definition, json!([]));
}

/// Starts a task whose stop event reports, and ends it. Returns the event of its stop.
async fn stop_of(aws: &FakeAws, variables: &[(&str, &str)]) -> Value {
    let (answers, log) = invoke(aws, vec![code_deploy()], variables).await;
    assert_eq!(response(&answers[0])["status"], "Started", "{log}");
    let task = aws.tasks().remove(0);
    aws.end(&task);
    aws.stop_event(&task)
}

/// A database proxy crashes, ECS stops the migration before it is done, and it exits with 0. The hook fails, whether
/// the call waits or the event reports.
#[tokio::test]
async fn a_sidecar_that_crashed_fails_the_deployment() {
    let cases = [
        (
            out_of_memory(),
            "Failed",
            "`sidecar` exited with 137 (SIGKILL): OutOfMemoryError",
        ),
        (
            json!({"exitCode": 1}),
            "Failed",
            "`sidecar` exited with 1; if the task can continue without",
        ),
        // ECS stops the other containers when the migration is done.
        (json!({"exitCode": 143}), "Succeeded", "`app` exited with 0"),
        (json!({"exitCode": 137}), "Succeeded", "`app` exited with 0"),
    ];
    for (sidecar, status, why) in cases {
        let waiting = account().await;
        waiting.next_task(with_sidecar(sidecar.clone()));
        let (_, log) = invoke(&waiting, vec![code_deploy()], &SIX).await;
        assert_eq!(
            waiting.reported_status("execution-1").as_deref(),
            Some(status),
            "{log}"
        );
        assert!(log.contains(why), "{why}: {log}");

        let by_event = account().await;
        by_event.next_task(with_sidecar(sidecar));
        let variables = [&SIX[..], &[EVENTS]].concat();
        let event = stop_of(&by_event, &variables).await;
        let (_, log) = invoke(&by_event, vec![event], &variables).await;
        assert_eq!(
            by_event.reported_status("execution-1").as_deref(),
            Some(status),
            "{log}"
        );
        assert!(log.contains(why), "{why}: {log}");
    }
}

/// A container that is not essential cannot end a task. If it is not known whether it is essential, the deployment
/// fails.
#[tokio::test]
async fn essential_containers_decide_if_they_are_known() {
    for (is_denied, status) in [(false, "Succeeded"), (true, "Failed")] {
        let aws = account().await;
        define(&aws, "migrate", true, false);
        aws.next_task(with_sidecar(out_of_memory()));
        if is_denied {
            let denied = Refusal::new("AccessDeniedException", "no");
            aws.refuse("DescribeTaskDefinition", 2, &denied);
        }
        let (_, log) = invoke(&aws, vec![code_deploy()], &SIX).await;
        assert_eq!(
            aws.reported_status("execution-1").as_deref(),
            Some(status),
            "{log}"
        );
    }
}

/// The configuration changes while the task is running. The variables of the task are enough for the report.
#[tokio::test]
async fn a_stop_is_reported_after_a_change_of_the_configuration() {
    let others: [&[(&str, &str)]; 4] = [
        &[("TASK_DEFINITION", "migrate:5")],
        &[("CLUSTER_NAME", "staging"), ("CONTAINER_NAME", "worker")],
        &[("WAIT", "never")],
        &[("TASK_DEFINITION", ""), ("HOOK_EVENTS", "")],
    ];
    for other in others {
        for (code, status) in [(0, "Succeeded"), (4, "Failed")] {
            let aws = account().await;
            aws.next_task(exits_with(code));
            let event = stop_of(&aws, &[&SIX[..], &[EVENTS]].concat()).await;
            let variables = [&SIX[..], &[EVENTS], other].concat();
            let (answers, log) = invoke(&aws, vec![event], &variables).await;
            assert_eq!(response(&answers[0])["status"], status, "{other:?}: {log}");
            assert_eq!(
                aws.reported_status("execution-1").as_deref(),
                Some(status),
                "{log}"
            );
        }
    }
}

/// If the result of a task of this function cannot be reported, the invocation fails with a stable error name.
#[tokio::test]
async fn a_stop_that_cannot_be_reported_is_an_error() {
    let aws = account().await;
    let variables = [&SIX[..], &[EVENTS]].concat();
    let event = stop_of(&aws, &variables).await;
    let mut no_overrides = event.clone();
    no_overrides["detail"]["overrides"] = json!({});
    let mut other_execution = event.clone();
    other_execution["detail"]["startedBy"] = json!("deploy-hook/execution-2");
    let mut half = event.clone();
    let list = &mut half["detail"]["overrides"]["containerOverrides"][0]["environment"];
    list.as_array_mut().unwrap().remove(1);
    let events = vec![no_overrides, other_execution, half];
    let (answers, log) = invoke(&aws, events, &variables).await;
    for answer in &answers {
        let Answer::Error { kind, message } = answer else {
            panic!("{answer:?}: {log}")
        };
        assert_eq!(kind, "NotReported");
        assert!(message.contains(&aws.tasks()[0]), "{message}");
    }
    assert_eq!(aws.reported_status("execution-1"), None);
}

/// With HOOK_EVENTS, the container must be essential: if the task continues after its end, no event arrives.
#[tokio::test]
async fn events_need_an_essential_container() {
    let aws = account().await;
    define(&aws, "migrate", false, true);
    let variables = [&SIX[..], &[EVENTS]].concat();
    let (_, log) = invoke(&aws, vec![code_deploy()], &variables).await;
    assert_eq!(
        aws.reported_status("execution-1").as_deref(),
        Some("Failed"),
        "{log}"
    );
    assert!(log.contains("`app` is not essential in migrate"), "{log}");
    assert_eq!(aws.tasks().len(), 0);
}

/// `app` has ended, and the task continues with `sidecar`.
fn continues_without(code: i64) -> Life {
    Life {
        endless: true,
        running: json!({"app": {"lastStatus": "STOPPED", "exitCode": code}}),
        containers: json!({"app": {}, "sidecar": {}}),
        ..Life::default()
    }
}

/// The hook ends when its container ends, and the task is stopped.
#[tokio::test]
async fn a_container_that_is_not_essential_ends_the_hook() {
    for (code, status) in [(0, "Succeeded"), (3, "Failed")] {
        let aws = account().await;
        define(&aws, "migrate", false, true);
        aws.next_task(continues_without(code));
        let (_, log) = invoke(&aws, vec![code_deploy()], &SIX).await;
        assert_eq!(
            aws.reported_status("execution-1").as_deref(),
            Some(status),
            "{log}"
        );
        assert!(log.contains(&format!("`app` exited with {code}")), "{log}");
        let stops = aws.bodies("StopTask");
        assert_eq!(stops[0]["reason"], "deploy-hook: `app` has ended");
        assert_eq!(aws.running(), [""; 0]);
    }
}

/// Calls the hook as ECS does until it has an answer. Returns the last call, its answer and the log.
async fn until_answered(aws: &FakeAws, variables: &[(&str, &str)]) -> (Value, Value, String) {
    let mut call = lifecycle("POST_SCALE_UP", json!(0), json!(0));
    for _ in 0..10 {
        let (answers, log) = invoke(aws, vec![call.clone()], variables).await;
        let answer = response(&answers[0]).clone();
        if answer["hookStatus"] != "IN_PROGRESS" {
            return (call, answer, log);
        }
        call["hookDetails"] = answer["hookDetails"].clone();
    }
    panic!("no answer");
}

/// The same for hooks of ECS. A repeated call gets the same answer.
#[tokio::test]
async fn a_container_that_is_not_essential_ends_the_hook_of_ecs() {
    for (code, status) in [(0, "SUCCEEDED"), (3, "FAILED")] {
        let aws = account().await;
        revision(&aws);
        define(&aws, "migrate", false, true);
        aws.next_task(continues_without(code));
        let (call, answer, log) = until_answered(&aws, &SIX).await;
        assert_eq!(answer["hookStatus"], status, "{log}");
        assert_eq!(aws.running(), [""; 0]);
        let (again, log) = invoke(&aws, vec![call], &SIX).await;
        assert_eq!(response(&again[0])["hookStatus"], status, "{log}");
    }
}

/// If the container is essential, the hook waits until the task has stopped: then the reason is known.
#[tokio::test]
async fn an_essential_container_is_judged_with_its_task() {
    let aws = account().await;
    revision(&aws);
    aws.next_task(Life {
        states: vec![("RUNNING", 2)],
        running: json!({"app": {"lastStatus": "STOPPED", "exitCode": 0}}),
        ..with_sidecar(out_of_memory())
    });
    let (_, answer, log) = until_answered(&aws, &SIX).await;
    assert_eq!(answer["hookStatus"], "FAILED", "{log}");
    assert!(log.contains("`sidecar` exited with 137"), "{log}");
    assert_eq!(aws.bodies("StopTask").len(), 0);
}

/// A task may run for hours with some throttled calls. Only many failed calls in a row fail the deployment.
#[tokio::test]
async fn calls_that_fail_are_counted_in_a_row() {
    let aws = account().await;
    revision(&aws);
    aws.next_task(Life {
        endless: true,
        ..exits_with(0)
    });
    let mut call = lifecycle("POST_SCALE_UP", json!(0), json!(0));
    let (answers, _) = invoke(&aws, vec![call.clone()], &SIX).await;
    call["hookDetails"] = response(&answers[0])["hookDetails"].clone();
    call["hookDetails"]["ecsParrotTried"] = json!(59);
    for (is_throttled, status, tried) in [
        (true, "IN_PROGRESS", 60),
        (false, "IN_PROGRESS", 0),
        (true, "IN_PROGRESS", 1),
    ] {
        if is_throttled {
            // The SDK makes three attempts in one call.
            aws.refuse("DescribeTasks", 3, &Refusal::throttled());
        }
        let (answers, log) = invoke(&aws, vec![call.clone()], &SIX).await;
        let answer = response(&answers[0]);
        assert_eq!(answer["hookStatus"], status, "{log}");
        assert_eq!(answer["hookDetails"]["ecsParrotTried"], tried, "{log}");
        call["hookDetails"] = answer["hookDetails"].clone();
    }
    call["hookDetails"]["ecsParrotTried"] = json!(60);
    aws.refuse("DescribeTasks", 3, &Refusal::throttled());
    let (answers, log) = invoke(&aws, vec![call], &SIX).await;
    assert_eq!(response(&answers[0])["hookStatus"], "FAILED", "{log}");
    let task = &aws.tasks()[0];
    assert!(
        log.contains(&format!("60 times in a row; {task} may still be running")),
        "{log}"
    );
}

/// Quotas and missing capacity, as an exception and as a failure, are tried again.
#[tokio::test]
async fn quotas_and_capacity_are_tried_again() {
    const VCPUS: &str = "You've reached the limit on the number of vCPUs you can run concurrently";
    const PROVISIONING: &str = "Tasks provisioning capacity limit exceeded.";
    for words in [VCPUS, PROVISIONING] {
        for is_failure in [false, true] {
            let aws = account().await;
            if is_failure {
                aws.next_task(Life {
                    failures: vec![json!({"reason": words, "arn": arn("cluster/prod")})],
                    ..Life::default()
                });
            } else {
                aws.refuse("RunTask", 1, &Refusal::new("ClientException", words));
            }
            aws.next_task(exits_with(0));
            let (_, log) = invoke(&aws, vec![code_deploy()], &SIX).await;
            assert_eq!(
                aws.reported_status("execution-1").as_deref(),
                Some("Succeeded"),
                "{log}"
            );
            assert_eq!(aws.bodies("RunTask").len(), 2);
        }
    }
}
