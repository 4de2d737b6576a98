//! `deploy-hook` end to end: the answer to each caller in each case.

use std::time::Duration;

use aws_sdk_ecs::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_ecs::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ecs::error::BoxError;
use ecs_parrot::aws::service;
use ecs_parrot::runner::hook::{Caller, DeployHook};
use serde_json::{Value, json};

use crate::fake_aws::{FakeAws, Life, Refusal, arn, sdk_config};
use crate::runtime_api::{Answer, RuntimeApi};

const PROGRAM: &str = env!("CARGO_BIN_EXE_deploy-hook");

/// The six variables of the predecessor.
pub(crate) const SIX: [(&str, &str); 6] = [
    ("TASK_DEFINITION", "migrate"),
    ("CLUSTER_NAME", "prod"),
    ("COMMAND", "php -v"),
    ("CONTAINER_NAME", "app"),
    ("SUBNETS", "subnet-1,subnet-2"),
    ("SECURITY_GROUPS", "sg-1"),
];

pub(crate) async fn account() -> FakeAws {
    let aws = FakeAws::start().await;
    aws.cluster("prod");
    for family in ["migrate", "web"] {
        let containers =
            json!([{"name": "app", "image": "x:1"}, {"name": "sidecar", "image": "s:1"}]);
        let definition =
            json!({"family": family, "networkMode": "awsvpc", "containerDefinitions": containers});
        aws.definition(definition, json!([]));
    }
    aws
}

pub(crate) async fn invoke(
    aws: &FakeAws,
    payloads: Vec<Value>,
    variables: &[(&str, &str)],
) -> (Vec<Answer>, String) {
    invoke_within(aws, Duration::from_secs(60), payloads, variables).await
}

async fn invoke_within(
    aws: &FakeAws,
    time: Duration,
    payloads: Vec<Value>,
    variables: &[(&str, &str)],
) -> (Vec<Answer>, String) {
    let payloads = payloads.iter().map(Value::to_string).collect();
    let api = RuntimeApi::ending_after(time, payloads).await;
    aws.invoke(PROGRAM, api, variables).await
}

pub(crate) fn response(answer: &Answer) -> &Value {
    let Answer::Response(value) = answer else {
        panic!("{answer:?}")
    };
    value
}

pub(crate) fn exits_with(code: i64) -> Life {
    Life {
        containers: json!({"app": {"exitCode": code}, "sidecar": {"exitCode": 0}}),
        ..Life::default()
    }
}

/// CodeDeploy's call.
pub(crate) fn code_deploy() -> Value {
    json!({"DeploymentId": "d-1ABCDEFGH", "LifecycleEventHookExecutionId": "execution-1"})
}

/// Amazon ECS's call at a stage, with the target's weights there.
pub(crate) fn lifecycle(stage: &str, test: Value, production: Value) -> Value {
    let revision = arn("service-revision/prod/web/2");
    let weights = |target: Value| {
        let mut weights = json!({arn("service-revision/prod/web/1"): 100});
        weights[&revision] = target;
        weights
    };
    json!({
        "executionId": "a1b2c3d4-execution",
        "lifecycleStage": stage,
        "resourceArn": arn("service-deployment/prod/web/3"),
        "executionDetails": {
            "serviceArn": arn("service/prod/web"),
            "targetServiceRevisionArn": revision,
            "testTrafficWeights": weights(test),
            "productionTrafficWeights": weights(production),
        },
        "hookDetails": {},
    })
}

/// The revision that is being deployed.
pub(crate) fn revision(aws: &FakeAws) {
    aws.service_revision(
        &arn("service-revision/prod/web/2"),
        json!({
            "serviceRevisionArn": arn("service-revision/prod/web/2"),
            "clusterArn": arn("cluster/prod"),
            "taskDefinition": arn("task-definition/web:1"),
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
            "platformVersion": "1.4.0",
            "networkConfiguration": {"awsvpcConfiguration": {
                "subnets": ["subnet-r"], "securityGroups": ["sg-r"], "assignPublicIp": "DISABLED",
            }},
        }),
    );
}

/// The last RunTask request, without its token.
fn last_request(aws: &FakeAws) -> Value {
    let mut request = aws.bodies("RunTask").pop().unwrap();
    request.as_object_mut().unwrap().remove("clientToken");
    request
}

#[tokio::test]
async fn code_deploy_continues_only_after_exit_code_0() {
    for (code, status) in [(0, "Succeeded"), (1, "Failed"), (137, "Failed")] {
        let aws = account().await;
        aws.next_task(exits_with(code));
        let (answers, log) = invoke(&aws, vec![code_deploy()], &SIX).await;
        assert_eq!(
            aws.reported_status("execution-1").as_deref(),
            Some(status),
            "{log}"
        );
        assert_eq!(response(&answers[0])["status"], status);
        assert!(log.contains(&format!("`app` exited with {code}")), "{log}");
    }
}

/// The request is the same as that of the predecessor.
#[tokio::test]
async fn the_task_for_code_deploy_is_as_in_the_predecessor() {
    let aws = account().await;
    invoke(&aws, vec![code_deploy()], &SIX).await;
    let network = |public: &str| {
        json!({"awsvpcConfiguration": {
            "subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"], "assignPublicIp": public,
        }})
    };
    let mut expected = json!({
        "taskDefinition": "migrate",
        "count": 1,
        "launchType": "FARGATE",
        "cluster": "prod",
        "overrides": {"containerOverrides": [{"name": "app", "command": ["php", "-v"]}]},
        "networkConfiguration": network("ENABLED"),
        "startedBy": "deploy-hook/execution-1",
    });
    assert_eq!(last_request(&aws), expected);

    let aws = account().await;
    let private = [
        &SIX[..],
        &[("ASSIGN_PUBLIC_IP", "False"), ("COMMAND", "sh -c 'a && b'")],
    ]
    .concat();
    invoke(&aws, vec![code_deploy()], &private).await;
    expected["networkConfiguration"] = network("DISABLED");
    expected["overrides"]["containerOverrides"][0]["command"] = json!(["sh", "-c", "a && b"]);
    assert_eq!(last_request(&aws), expected);
}

#[tokio::test]
async fn the_same_call_twice_starts_one_task_and_reports_once() {
    let aws = account().await;
    let (answers, log) = invoke(&aws, vec![code_deploy(), code_deploy()], &SIX).await;
    assert_eq!(aws.tasks().len(), 1, "{log}");
    assert_eq!(aws.bodies("PutLifecycleEventHookExecutionStatus").len(), 2);
    assert!(
        answers
            .iter()
            .all(|it| response(it)["status"] == "Succeeded"),
        "the earlier report counts"
    );
}

/// A call that fails, variables that replace some of the six, and the expected text in the log.
type CodeDeployCase<'a> = (&'a str, Option<Refusal>, &'a [(&'a str, &'a str)], &'a str);

/// After any error, CodeDeploy gets Failed.
#[tokio::test]
async fn code_deploy_gets_an_answer_after_any_error() {
    let pass_role = "User: x is not authorized to perform: iam:PassRole on resource: \
                     arn:aws:iam::210987654321:role/job because no policy allows it";
    let cases: [CodeDeployCase<'_>; 8] = [
        (
            "RunTask",
            Some(Refusal::new("AccessDeniedException", pass_role)),
            &[],
            "role/job",
        ),
        (
            "RunTask",
            Some(Refusal::new(
                "ClusterNotFoundException",
                "Cluster not found.",
            )),
            &[],
            "Cluster not found.; check the cluster's name and the region (TASK_DEFINITION `migrate`, CLUSTER_NAME `prod`)",
        ),
        (
            "DescribeTasks",
            Some(Refusal::new("AccessDeniedException", "no")),
            &[],
            "is not known any more",
        ),
        (
            "",
            None,
            &[("COMMAND", "sh -c 'x")],
            "COMMAND: a quote is not closed",
        ),
        ("", None, &[("COMMAND", "")], "COMMAND is not set"),
        ("", None, &[("SUBNETS", "")], "SUBNETS is not set"),
        (
            "",
            None,
            &[("WAIT", "never")],
            "`never` is not a known word",
        ),
        (
            "",
            None,
            &[("TASK_DEFINITION", "nothing")],
            "TaskDefinition is inactive",
        ),
    ];
    for (operation, refusal, variables, why) in cases {
        let aws = account().await;
        aws.next_task(exits_with(0));
        if let Some(refusal) = refusal {
            aws.refuse(operation, 1, &refusal);
        }
        let (answers, log) =
            invoke(&aws, vec![code_deploy()], &[&SIX[..], variables].concat()).await;
        assert_eq!(
            aws.reported_status("execution-1").as_deref(),
            Some("Failed"),
            "{why}: {log}"
        );
        assert!(log.contains(why), "{why}: {log}");
        assert_eq!(response(&answers[0])["status"], "Failed");
        assert_eq!(aws.running(), [""; 0], "no task is still running: {log}");
    }
}

/// Missing capacity, throttling and failures of the service are tried again until the deadline.
#[tokio::test]
async fn retryable_errors_are_tried_again() {
    let aws = account().await;
    aws.next_task(Life {
        failures: vec![json!({"reason": "RESOURCE:CPU"})],
        ..Life::default()
    });
    aws.next_task(exits_with(0));
    aws.refuse("RunTask", 1, &Refusal::throttled());
    aws.refuse(
        "PutLifecycleEventHookExecutionStatus",
        4,
        &Refusal::server(),
    );
    let (_, log) = invoke(&aws, vec![code_deploy()], &SIX).await;
    assert_eq!(
        aws.reported_status("execution-1").as_deref(),
        Some("Succeeded"),
        "{log}"
    );
    assert_eq!(aws.tasks().len(), 1);
}

/// Before the function's time is over, the task is stopped and Failed is reported.
#[tokio::test]
async fn a_task_that_runs_longer_than_the_function() {
    let aws = account().await;
    aws.next_task(Life {
        endless: true,
        ..exits_with(0)
    });
    let time = Duration::from_secs(18);
    let (_, log) = invoke_within(&aws, time, vec![code_deploy()], &SIX).await;
    assert_eq!(
        aws.reported_status("execution-1").as_deref(),
        Some("Failed"),
        "{log}"
    );
    assert!(
        log.contains("for longer tasks, set HOOK_EVENTS=true"),
        "{log}"
    );
    assert_eq!(aws.bodies("StopTask").len(), 1);
}

#[tokio::test]
async fn with_wait_started_the_deployment_continues_at_once() {
    let aws = account().await;
    aws.next_task(Life {
        endless: true,
        ..exits_with(0)
    });
    let (_, log) = invoke(
        &aws,
        vec![code_deploy()],
        &[&SIX[..], &[("WAIT", "started")]].concat(),
    )
    .await;
    assert_eq!(
        aws.reported_status("execution-1").as_deref(),
        Some("Succeeded"),
        "{log}"
    );
    assert_eq!(
        aws.bodies("DescribeTasks").len() + aws.bodies("StopTask").len(),
        0
    );
}

/// With HOOK_EVENTS a task may take the whole hour of CodeDeploy: the call starts it, and the event of its stop
/// reports.
#[tokio::test]
async fn a_task_of_forty_minutes_for_code_deploy() {
    for (code, status) in [(0, "Succeeded"), (2, "Failed")] {
        let aws = account().await;
        aws.next_task(exits_with(code));
        let variables = [&SIX[..], &[("HOOK_EVENTS", "true")]].concat();
        let (answers, log) = invoke(&aws, vec![code_deploy()], &variables).await;
        assert_eq!(
            response(&answers[0]),
            &json!({"status": "Started"}),
            "{log}"
        );
        assert_eq!(aws.reported_status("execution-1"), None);

        let task = aws.tasks().remove(0);
        aws.end(&task);
        let event = aws.stop_event(&task);
        let mut foreign = event.clone();
        foreign["detail"]["startedBy"] = json!("somebody");
        let mut running = event.clone();
        running["detail"]["lastStatus"] = json!("RUNNING");
        let mut of_other_function = event.clone();
        let list =
            &mut of_other_function["detail"]["overrides"]["containerOverrides"][0]["environment"];
        list[2] = json!({"name": "ECS_PARROT_HOOK_FUNCTION", "value": "CodeDeployHook_other"});
        // A task of a hook of Amazon ECS, or of a call that waits for it.
        let mut waited_for = event.clone();
        waited_for["detail"]["overrides"]["containerOverrides"][0]["environment"] = json!([]);
        let events = vec![foreign, running, of_other_function, waited_for];
        let (answers, log) = invoke(&aws, events, &variables).await;
        assert!(
            answers.iter().all(|it| response(it)["status"] == "Ignored"),
            "{log}"
        );
        assert_eq!(
            aws.reported_status("execution-1"),
            None,
            "nothing is reported for tasks of others"
        );

        let (answers, log) = invoke(&aws, vec![event.clone(), event], &variables).await;
        assert!(
            answers.iter().all(|it| response(it)["status"] == status),
            "{log}"
        );
        assert_eq!(aws.reported_status("execution-1").as_deref(), Some(status));
    }
}

/// If CodeDeploy does not accept the report, the invocation fails, so that Lambda tries again and an alarm is raised.
#[tokio::test]
async fn a_report_that_is_not_accepted_fails_the_invocation() {
    let aws = account().await;
    aws.refuse(
        "PutLifecycleEventHookExecutionStatus",
        1,
        &Refusal::new("AccessDeniedException", "no"),
    );
    let (answers, _) = invoke(&aws, vec![code_deploy()], &SIX).await;
    let Answer::Error { kind, message } = &answers[0] else {
        panic!("{answers:?}")
    };
    assert_eq!(kind, "CallbackFailed");
    assert!(
        message.contains("`Succeeded` could not be reported for deployment d-1ABCDEFGH"),
        "{message}"
    );
}

/// Forty minutes with a call every thirty seconds: no call waits for the task.
#[tokio::test]
async fn a_task_of_forty_minutes_for_ecs() {
    for (code, status) in [(0, "SUCCEEDED"), (3, "FAILED")] {
        let aws = account().await;
        revision(&aws);
        let minutes = 40;
        aws.next_task(Life {
            states: vec![("PENDING", 2), ("RUNNING", minutes * 2 - 3)],
            ..exits_with(code)
        });
        let mut call = lifecycle("POST_SCALE_UP", json!(0), json!(0));
        let mut simulated = Duration::ZERO;
        loop {
            let (answers, log) =
                invoke(&aws, vec![call.clone()], &[("COMMAND", "rake db:migrate")]).await;
            let answer = response(&answers[0]);
            call["hookDetails"] = answer["hookDetails"].clone();
            if answer["hookStatus"] == "IN_PROGRESS" {
                simulated += Duration::from_secs(answer["callBackDelay"].as_u64().unwrap());
                continue;
            }
            assert_eq!(answer["hookStatus"], status, "{log}");
            assert!(log.contains(&format!("`app` exited with {code}")), "{log}");
            break;
        }
        assert_eq!(simulated, Duration::from_secs(minutes as u64 * 60));
        assert_eq!(aws.tasks().len(), 1);
    }
}

/// The migration runs with the revision that is being deployed, and in its network.
#[tokio::test]
async fn the_task_for_ecs_is_that_of_the_revision() {
    let aws = account().await;
    revision(&aws);
    invoke(
        &aws,
        vec![lifecycle("PRE_SCALE_UP", json!(null), json!(null))],
        &[("COMMAND", "rake db:migrate")],
    )
    .await;
    let expected = json!({
        "taskDefinition": arn("task-definition/web:1"),
        "count": 1,
        "cluster": arn("cluster/prod"),
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
        "platformVersion": "1.4.0",
        "overrides": {"containerOverrides": [{"name": "app", "command": ["rake", "db:migrate"]}]},
        "networkConfiguration": {"awsvpcConfiguration": {
            "subnets": ["subnet-r"], "securityGroups": ["sg-r"], "assignPublicIp": "DISABLED",
        }},
        "startedBy": "deploy-hook/a1b2c3d4-execution",
    });
    assert_eq!(last_request(&aws), expected);

    // The details of the hook have priority over the configuration of the function.
    let aws = account().await;
    revision(&aws);
    let mut call = lifecycle("PRE_SCALE_UP", json!(null), json!(null));
    call["hookDetails"] =
        json!({"COMMAND": "seed 'all of it'", "CONTAINER_NAME": "sidecar", "team": "blue"});
    let (answers, _) = invoke(&aws, vec![call], &SIX).await;
    let request = last_request(&aws);
    assert_eq!(
        request["overrides"]["containerOverrides"],
        json!([{"name": "sidecar", "command": ["seed", "all of it"]}])
    );
    assert_eq!(
        request["taskDefinition"], "migrate",
        "the configuration has priority over the revision"
    );
    assert_eq!(request["launchType"], "FARGATE");
    assert_eq!(
        response(&answers[0])["hookDetails"]["team"],
        "blue",
        "the details of the service are kept"
    );
}

/// A rollback runs nothing. In a normal deployment the production weight of the target is also 0, before its shift.
#[tokio::test]
async fn a_rollback_runs_nothing() {
    for (stage, test, production, runs) in [
        ("TEST_TRAFFIC_SHIFT", 0, 0, false),
        ("PRODUCTION_TRAFFIC_SHIFT", 0, 0, false),
        ("TEST_TRAFFIC_SHIFT", 100, 0, true),
        ("PRODUCTION_TRAFFIC_SHIFT", 100, 100, true),
        ("POST_TEST_TRAFFIC_SHIFT", 100, 0, true),
        ("PRE_PRODUCTION_TRAFFIC_SHIFT", 100, 0, true),
        ("RECONCILE_SERVICE", 0, 0, true),
    ] {
        let aws = account().await;
        revision(&aws);
        let call = lifecycle(stage, json!(test), json!(production));
        let (answers, log) = invoke(&aws, vec![call], &[]).await;
        let status = if runs { "IN_PROGRESS" } else { "SUCCEEDED" };
        assert_eq!(
            response(&answers[0])["hookStatus"],
            status,
            "{stage}: {log}"
        );
        assert_eq!(aws.tasks().len(), usize::from(runs), "{stage}");
    }
}

/// A call that is delivered twice starts one task. Another stage of the same deployment starts another task.
#[tokio::test]
async fn one_task_for_each_call_and_stage() {
    let aws = account().await;
    revision(&aws);
    let call = |stage| lifecycle(stage, json!(100), json!(100));
    let calls = vec![
        call("PRE_SCALE_UP"),
        call("PRE_SCALE_UP"),
        call("POST_SCALE_UP"),
    ];
    let (answers, log) = invoke(&aws, calls, &[]).await;
    assert_eq!(aws.tasks().len(), 2, "{log}");
    assert_eq!(
        response(&answers[0])["hookDetails"],
        response(&answers[1])["hookDetails"]
    );
}

/// A call that fails, the payload, variables, and the expected text in the log.
type EcsCase<'a> = (
    &'a str,
    Option<Refusal>,
    Value,
    &'a [(&'a str, &'a str)],
    &'a str,
);

/// After any error, ECS gets FAILED, and the log contains advice.
#[tokio::test]
async fn ecs_gets_an_answer_after_any_error() {
    let mut quote = lifecycle("POST_SCALE_UP", json!(0), json!(0));
    quote["hookDetails"] = json!({"COMMAND": "sh -c 'x"});
    let call = || lifecycle("POST_SCALE_UP", json!(0), json!(0));
    let denied = Refusal::new("AccessDeniedException", "no");
    let cases: [EcsCase<'_>; 5] = [
        (
            "DescribeServiceRevisions",
            Some(denied.clone()),
            call(),
            &[],
            "allow DescribeServiceRevisions",
        ),
        ("RunTask", Some(denied), call(), &[], "allow RunTask"),
        (
            "",
            None,
            quote,
            &[],
            "COMMAND in hookDetails: a quote is not closed",
        ),
        (
            "",
            None,
            call(),
            &[("WAIT", "x")],
            "`x` is not a known word",
        ),
        (
            "",
            None,
            json!({"executionId": "e", "lifecycleStage": "POST_SCALE_UP"}),
            &[],
            "there is no task definition",
        ),
    ];
    for (operation, refusal, payload, variables, why) in cases {
        let aws = account().await;
        revision(&aws);
        if let Some(refusal) = refusal {
            aws.refuse(operation, 1, &refusal);
        }
        let (answers, log) = invoke(&aws, vec![payload], variables).await;
        assert_eq!(
            response(&answers[0])["hookStatus"],
            "FAILED",
            "{why}: {log}"
        );
        assert!(log.contains(why), "{why}: {log}");
    }
}

/// Panics in a call, in place of a future bug.
#[derive(Debug)]
struct Panics;

impl Intercept for Panics {
    fn name(&self) -> &'static str {
        "Panics"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        panic!("on purpose")
    }
}

/// After a panic, both callers get Failed.
#[tokio::test]
async fn a_panic_fails_the_deployment() {
    let aws = account().await;
    revision(&aws);
    let config = sdk_config(&aws.url());
    let ecs = aws_sdk_ecs::config::Builder::from(&config).interceptor(Panics);
    let six = SIX.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let hook = DeployHook {
        config: ecs_parrot::runner::hook::HookConfig::read(&six),
        ecs: aws_sdk_ecs::Client::from_conf(ecs.build()),
        code_deploy: service::Client::new(config, service::CODE_DEPLOY),
        function: "parrot".to_owned(),
    };
    let minute = Duration::from_secs(60);
    let answer = hook
        .answer(Caller::of(&code_deploy()).unwrap(), minute)
        .await
        .unwrap();
    assert_eq!(
        answer,
        json!({"status": "Failed", "reason": "this function panicked"})
    );
    assert_eq!(
        aws.reported_status("execution-1").as_deref(),
        Some("Failed")
    );

    let call = lifecycle("POST_SCALE_UP", json!(0), json!(0));
    let answer = hook
        .answer(Caller::of(&call).unwrap(), minute)
        .await
        .unwrap();
    assert_eq!(answer["hookStatus"], "FAILED");
}

/// If the task was not placed, the next call tries again with a new token.
#[tokio::test]
async fn a_retryable_error_asks_ecs_to_call_again() {
    let aws = account().await;
    revision(&aws);
    aws.next_task(Life {
        failures: vec![json!({"reason": "RESOURCE:CPU"})],
        ..Life::default()
    });
    aws.next_task(exits_with(0));
    let mut call = lifecycle("POST_SCALE_UP", json!(0), json!(0));
    let (answers, log) = invoke(&aws, vec![call.clone()], &[]).await;
    assert_eq!(response(&answers[0])["hookStatus"], "IN_PROGRESS", "{log}");
    assert_eq!(aws.tasks().len(), 0);
    call["hookDetails"] = response(&answers[0])["hookDetails"].clone();
    let (answers, log) = invoke(&aws, vec![call], &[]).await;
    assert_eq!(response(&answers[0])["hookStatus"], "IN_PROGRESS", "{log}");
    assert_eq!(aws.tasks().len(), 1);
}

#[tokio::test]
async fn an_unknown_payload_fails_with_a_stable_name() {
    let aws = account().await;
    let payloads = vec![
        json!({}),
        json!({"DeploymentId": "d-1"}),
        json!(null),
        json!({"detail": {}}),
    ];
    let (answers, _) = invoke(&aws, payloads, &SIX).await;
    for answer in answers {
        assert!(
            matches!(&answer, Answer::Error { kind, .. } if kind == "UnknownPayload"),
            "{answer:?}"
        );
    }
}

/// The samples are payloads as AWS sends them.
#[tokio::test]
async fn every_sample_is_understood() {
    for (sample, variables, answer) in [
        ("code-deploy", &SIX[..], json!({"status": "Succeeded"})),
        ("ecs-first-call", &[], json!({"hookStatus": "IN_PROGRESS"})),
        ("ecs-asked-again", &[], json!({"hookStatus": "IN_PROGRESS"})),
        ("ecs-rollback", &[], json!({"hookStatus": "SUCCEEDED"})),
        ("task-stopped", &SIX[..], json!({"status": "Succeeded"})),
    ] {
        let aws = account().await;
        let path = crate::tools::root().join(format!("samples/deploy-hook/{sample}.json"));
        let payload: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        if let Some(arn) = payload["executionDetails"]["targetServiceRevisionArn"].as_str() {
            let revision = json!({"serviceRevisionArn": arn, "clusterArn": "prod", "taskDefinition": "web",
                "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-r"]}}});
            aws.service_revision(arn, revision);
        }
        let (answers, log) = invoke(&aws, vec![payload], variables).await;
        for (field, value) in answer.as_object().unwrap() {
            assert_eq!(&response(&answers[0])[field], value, "{sample}: {log}");
        }
    }
}
