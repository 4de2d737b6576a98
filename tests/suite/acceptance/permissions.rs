//! The roles of the deployed functions allow exactly what the functions need, and the functions that run tasks have the
//! resources that they need.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::cloud_formation::Stack;
use super::package::{Package, rule};
use crate::chat::{chat, texts, webhook};
use crate::enrich::NotifyRun;
use crate::fake_aws::policy::Policy;
use crate::fake_aws::{ACCOUNT, FakeAws, Life, REGION};
use crate::runtime_api::RuntimeApi;
use crate::{deploy_hook, enrich, events, ingest, run_from_queue};

const SETTINGS: &str = "mysettings:
  region: eu-west-1
  functions: {run_from_queue: true, deploy_hook: true}
  pass_roles: ['arn:aws:iam::210987654321:role/job']
  run_from_queue: {allowed_clusters: 'prod,dev-*', allowed_task_definitions: 'job*,report:3', maximum_concurrency: 7}
  deploy_hook: {task_definition: migrate, cluster_name: prod, command: php -v, hook_events: true}
";

fn template() -> Value {
    Package::new().settings(SETTINGS).template()
}

/// The policy of a role, as CloudFormation makes it. The queues and the table have the names that the tests use.
fn policy(template: &Value, role: &str) -> Value {
    let stack = Stack::new(template.clone(), "ecs-parrot-dev");
    let document = &template["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"];
    let mut policy = stack.resolved(document).to_string();
    for (name, used) in [
        ("table/ecs-parrot-dev-state", "table/state"),
        ("ecs-parrot-dev-events", "events"),
        ("ecs-parrot-dev-run-queue", "jobs"),
    ] {
        policy = policy.replace(name, used);
    }
    serde_json::from_str(&policy).unwrap()
}

/// Checks that no call was denied, and that every statement was used. `others` are statements for calls that the fake
/// AWS does not get.
fn assert_exactly_enough(aws: &FakeAws, policy: &Value, others: &[&str]) {
    let denied: Vec<_> = aws
        .calls()
        .into_iter()
        .filter(|call| call.is_denied)
        .collect();
    assert!(denied.is_empty(), "{denied:?}");
    let statements = policy["Statement"].as_array().unwrap().iter();
    let sids: BTreeSet<_> = statements
        .map(|it| it["Sid"].as_str().unwrap().to_owned())
        .collect();
    let mut used: BTreeSet<_> = aws.used_statements().into_iter().collect();
    used.extend(others.iter().map(|sid| (*sid).to_owned()));
    assert_eq!(used, sids);
}

/// Statements for what the rules of other services bring.
const LOOK_UP: [&str; 4] = [
    "LookUpCodeDeploy",
    "LookUpInstances",
    "LookUpClusters",
    "LookUpAlarms",
];

/// The role may look up what the rules bring, each only with its rule and with enrichment.
#[test]
#[ignore = "acceptance"]
fn the_role_allows_looking_up_what_the_rules_bring() {
    let ecs = |resource: &str| format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{resource}/*");
    let all = [
        json!({"Sid": "LookUpCodeDeploy", "Effect": "Allow", "Action": ["codedeploy:GetDeployment", "codedeploy:GetDeploymentGroup"],
               "Resource": format!("arn:aws:codedeploy:{REGION}:{ACCOUNT}:deploymentgroup:*")}),
        json!({"Sid": "LookUpInstances", "Effect": "Allow",
               "Action": ["ecs:ListContainerInstances", "ecs:ListTasks", "ecs:DescribeCapacityProviders", "ecs:DescribeClusters"],
               "Resource": [ecs("cluster"), ecs("container-instance"), ecs("capacity-provider")]}),
        json!({"Sid": "LookUpClusters", "Effect": "Allow", "Action": "ecs:ListClusters", "Resource": "*"}),
        json!({"Sid": "LookUpAlarms", "Effect": "Allow", "Action": "cloudwatch:DescribeAlarms", "Resource": "*"}),
    ];
    for (settings, allowed) in [
        ("rules: {alarms: false}", &all[..0]),
        ("rules: {alarms: false, code_deploy: true}", &all[..1]),
        ("rules: {alarms: false, instances: true}", &all[1..3]),
        ("stage: dev", &all[3..]),
        ("rules: {code_deploy: true, instances: true}", &all[..]),
        (
            "enrich: false, rules: {code_deploy: true, instances: true}",
            &all[..0],
        ),
    ] {
        let settings = format!("mysettings: {{region: eu-west-1, {settings}}}");
        let policy = policy(&Package::new().settings(&settings).template(), "ParrotRole");
        let statements = policy["Statement"].as_array().unwrap().iter();
        let found: Vec<_> = statements
            .filter(|it| LOOK_UP.contains(&it["Sid"].as_str().unwrap()))
            .cloned()
            .collect();
        assert_eq!(found, allowed, "{settings}");
    }
}

fn with_role(family: &str, container: &str) -> Value {
    json!({"family": family, "executionRoleArn": "arn:aws:iam::210987654321:role/job", "networkMode": "awsvpc",
           "containerDefinitions": [{"name": container, "image": "job:2"}]})
}

#[tokio::test]
#[ignore = "acceptance"]
async fn the_role_of_run_from_queue_is_exactly_enough() {
    let policy = policy(&template(), "RunFromQueueRole");
    let aws = run_from_queue::account().await;
    aws.definition(with_role("job", "worker"), json!([]));
    aws.allow_only(Policy::new(&policy));
    let volume = json!({"sizeInGiB": 20, "roleArn": "arn:aws:iam::210987654321:role/job"});
    let more = json!({
        "tags": [{"key": "team", "value": "blue"}],
        "volumeConfigurations": [{"name": "data", "managedEBSVolume": volume}],
    });
    let good = run_from_queue::record("1", &run_from_queue::message(more), 1);
    let bad = run_from_queue::record("2", "broken", 1);
    let (_, log) = run_from_queue::invoke(&aws, vec![json!({"Records": [good, bad]})]).await;
    assert_eq!(aws.tasks().len(), 1, "{log}");
    assert_exactly_enough(&aws, &policy, &["WriteItsOwnLog", "KeepWhatFailed"]);
}

#[tokio::test]
#[ignore = "acceptance"]
async fn the_role_of_deploy_hook_is_exactly_enough() {
    // Without a configured task definition and cluster, the hook runs the definition that is deployed.
    let settings = SETTINGS.replace("task_definition: migrate, cluster_name: prod, ", "");
    let policy = policy(
        &Package::new().settings(&settings).template(),
        "DeployHookRole",
    );
    let aws = deploy_hook::account().await;
    for family in ["migrate", "web"] {
        aws.definition(with_role(family, "app"), json!([]));
    }
    deploy_hook::revision(&aws);
    aws.allow_only(Policy::new(&policy));
    aws.next_task(Life {
        endless: true,
        ..Life::default()
    });
    let lifecycle = deploy_hook::lifecycle("POST_SCALE_UP", json!(0), json!(0));
    let (_, log) = deploy_hook::invoke(&aws, vec![lifecycle], &[]).await;
    assert_eq!(aws.tasks().len(), 1, "{log}");
    let code_deploy = vec![deploy_hook::code_deploy()];
    let (_, log) = deploy_hook::invoke(&aws, code_deploy, &deploy_hook::SIX).await;
    assert_eq!(
        aws.reported_status("execution-1").as_deref(),
        Some("Succeeded"),
        "{log}"
    );
    assert_exactly_enough(&aws, &policy, &["WriteItsOwnLog"]);
}

/// The statements of `parrot`'s role that looking up does not use. Other tests use them.
const OTHERS: [&str; 6] = [
    "WriteItsOwnLog",
    "KeepWhatFailed",
    "OpenChannels",
    "PublishToChannels",
    "TakeEvents",
    "SendTimers",
];

/// Runs again until AWS answered each call. On a machine that is busy, one that takes longer than 0.8 s is given up, and
/// what depends on its answer is not asked. A call that is denied is denied each time.
async fn complete(run: impl AsyncFn() -> (FakeAws, NotifyRun)) -> FakeAws {
    for _ in 0..4 {
        let (aws, run) = run().await;
        if !run.log.contains("no answer in time") && !run.log.contains("no time left") {
            return aws;
        }
    }
    run().await.0
}

/// The function makes only calls that its role allows, and the role allows no other calls. Without
/// enrichment there are neither such calls nor such permissions.
#[tokio::test]
#[ignore = "acceptance"]
async fn the_role_of_parrot_is_exactly_enough() {
    let table = ("STATE_TABLE", "state");
    let tail = [table, ("LOG_TAIL_LINES", "5")];
    let read = "{lines: 5, groups: '/ecs/*'}, state_table: state";
    for (settings, variables) in [
        ("mysettings: {region: eu-west-1}".to_owned(), &[table][..]),
        (
            format!("mysettings: {{region: eu-west-1, log_tail: {read}}}"),
            &tail,
        ),
        (
            "mysettings: {region: eu-west-1, account_names: '123456789012=test,ALIAS'}".to_owned(),
            &[table, ("ACCOUNT_NAMES", "123456789012=test,ALIAS")],
        ),
        (
            "mysettings: {enrich: false, state_table: DISABLED}".to_owned(),
            &[("ENRICH", "false"), ("STATE_TABLE", "DISABLED")],
        ),
        (
            format!("mysettings: {{enrich: false, log_tail: {read}}}"),
            &[("ENRICH", "false"), table],
        ),
    ] {
        let policy = policy(&Package::new().settings(&settings).template(), "ParrotRole");
        let aws = complete(async || {
            let aws = enrich::account().await;
            enrich::deployment(&aws);
            aws.log_stream("/ecs/report", enrich::STREAM, &["bye"]);
            aws.allow_only(Policy::new(&policy));
            let payloads = vec![
                enrich::report(),
                events::sample("deployment-failed"),
                events::sample("alarm-composite"),
            ];
            let run = enrich::notify(&aws, payloads, variables).await;
            assert_eq!(run.messages.len(), 3, "{settings}: {}", run.log);
            (aws, run)
        })
        .await;
        assert_exactly_enough(&aws, &policy, &OTHERS);
    }
}

/// The same with the rules that are off by default.
#[tokio::test]
#[ignore = "acceptance"]
async fn the_role_of_parrot_looks_up_what_all_rules_bring() {
    let settings = "mysettings: {region: eu-west-1, rules: {code_deploy: true, instances: true}}";
    let policy = policy(&Package::new().settings(settings).template(), "ParrotRole");
    let samples = [
        "code_deploy-failure",
        "instance_launch_failed-no-capacity",
        "instance_interruption-spot",
        "alarm-composite",
        "task_retirement-tasks",
    ];
    let aws = complete(async || {
        let aws = around_ecs().await;
        aws.allow_only(Policy::new(&policy));
        let payloads = samples.map(events::sample).to_vec();
        let run = enrich::notify(&aws, payloads, &[("STATE_TABLE", "state")]).await;
        assert_eq!(run.messages.len(), 4, "{}", run.log);
        assert!(run.log.contains("not_in_cluster"), "{}", run.log);
        (aws, run)
    })
    .await;
    assert_exactly_enough(
        &aws,
        &policy,
        &[&OTHERS[..], &["LookUpTaskDefinitions"]].concat(),
    );
}

/// The role may assume the lookup roles, in any account, and no other role.
#[tokio::test]
#[ignore = "acceptance"]
async fn the_role_of_parrot_may_assume_the_lookup_roles() {
    const ROLE: &str = "arn:aws:iam::{account}:role/ecs-parrot-lookup";
    let settings = format!("mysettings: {{region: eu-west-1, hub: {{lookup_role: '{ROLE}'}}}}");
    let policy = policy(&Package::new().settings(&settings).template(), "ParrotRole");
    for (role, is_allowed) in [(ROLE, true), ("arn:aws:iam::{account}:role/admin", false)] {
        let aws = complete(async || {
            let aws = FakeAws::start().await;
            aws.allow_only(Policy::new(&policy));
            let report = enrich::report()
                .to_string()
                .replace(ACCOUNT, "123456789012");
            let payloads = vec![serde_json::from_str(&report).unwrap()];
            let variables = [("STATE_TABLE", "state"), ("LOOKUP_ROLE", role)];
            let run = enrich::notify(&aws, payloads, &variables).await;
            (aws, run)
        })
        .await;
        let denied = aws.calls().iter().any(|it| it.is_denied);
        assert_eq!(denied, !is_allowed, "{:?}", aws.calls());
        let used = aws.used_statements();
        let is_used = used.contains(&"AssumeLookupRoles".to_owned());
        assert_eq!(is_used, is_allowed, "{used:?}");
    }
}

/// What the samples of other services are about.
async fn around_ecs() -> FakeAws {
    let aws = FakeAws::start().await;
    aws.cluster("prod-web");
    aws.provider("prod-web-spot", "prod-web-hosts", Some("prod-web"));
    let services = json!([{"clusterName": "prod-web", "serviceName": "checkout"}]);
    aws.deployment_group("checkout", "checkout-prod", services);
    aws.code_deployment(
        "d-4F7QK2M9X",
        json!({"applicationName": "checkout", "deploymentGroupName": "checkout-prod", "computePlatform": "ECS"}),
    );
    aws.alarm(
        "checkout-latency",
        "AWS/ECS",
        &[("ClusterName", "prod-web")],
    );
    aws.alarm("search-latency", "AWS/ECS", &[("ClusterName", "prod-web")]);
    aws
}

/// A failed record returns to the queue with a delay, and an incident sends a timer to it. Both need a permission.
#[tokio::test]
#[ignore = "acceptance"]
async fn the_role_of_parrot_allows_visibility_changes_and_timers() {
    let settings = "mysettings: {region: eu-west-1, enrich: false, state_table: DISABLED}";
    let policy = policy(&Package::new().settings(settings).template(), "ParrotRole");
    let aws = FakeAws::start().await;
    aws.allow_only(Policy::new(&policy));
    let (_, log) = ingest::run(&aws, 404).await;
    assert!(!aws.visibility_changes().is_empty(), "{log}");
    assert!(!aws.sent_messages().is_empty(), "{log}");
    let others = [
        "WriteItsOwnLog",
        "KeepWhatFailed",
        "OpenChannels",
        "PublishToChannels",
    ];
    assert_exactly_enough(&aws, &policy, &others);
}

/// Another table is set by its name or by its ARN.
#[test]
#[ignore = "acceptance"]
fn the_role_allows_another_table_by_its_name_or_arn() {
    let arn = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/mine");
    for named in ["mine", &arn] {
        let settings = format!("mysettings: {{region: eu-west-1, state_table: '{named}'}}");
        let policy = policy(&Package::new().settings(&settings).template(), "ParrotRole");
        let statements = policy["Statement"].as_array().unwrap().iter();
        let mut table = statements.filter(|it| it["Sid"] == "StateTable");
        assert_eq!(table.next().unwrap()["Resource"], json!(arn), "{named}");
    }
}

/// IAM's only wildcards are `*` and `?`. The role must allow everything that the function's own patterns allow.
#[test]
#[ignore = "acceptance"]
fn patterns_become_iam_wildcards() {
    for (pattern, of_cluster, of_definition) in [
        ("prod", "prod", "prod:*"),
        ("dev-*", "dev-*", "dev-*:*"),
        ("job-?", "job-?", "job-?:*"),
        ("prod-[ab]", "prod-?", "prod-?:*"),
        ("[!x]y[0-9][a-z]", "?y??", "?y??:*"),
        ("a[]b]c", "a?c", "a?c:*"),
        ("report:[1-3]", "report:?", "report:?"),
        ("a**b", "a*b", "a*b:*"),
    ] {
        let settings = format!(
            "mysettings: {{functions: {{run_from_queue: true}}, run_from_queue: {{allowed_clusters: '{pattern}', allowed_task_definitions: '{pattern}'}}}}"
        );
        let template = Package::new().settings(&settings).template();
        let policy = policy(&template, "RunFromQueueRole");
        let statements = policy["Statement"].as_array().unwrap().iter();
        let run = { statements }.find(|it| it["Sid"] == "RunTasks").unwrap();
        let arn = |resource: String| json!([format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{resource}")]);
        let definitions = arn(format!("task-definition/{of_definition}"));
        assert_eq!(run["Resource"], definitions, "{pattern}");
        let clusters = arn(format!("cluster/{of_cluster}"));
        assert_eq!(
            run["Condition"]["ArnLike"]["ecs:cluster"], clusters,
            "{pattern}"
        );
    }
}

/// `DISABLED` may be written in upper or lower case, as for the function.
#[test]
#[ignore = "acceptance"]
fn a_table_that_is_disabled_is_no_table() {
    for named in ["DISABLED", "disabled", "Disabled"] {
        let settings = format!("mysettings: {{state_table: {named}}}");
        let template = Package::new().settings(&settings).template();
        let policy = policy(&template, "ParrotRole").to_string();
        assert!(!policy.contains("dynamodb"), "{named}: {policy}");
    }
}

/// The role allows reading the secrets that the settings name, and no others.
#[tokio::test]
#[ignore = "acceptance"]
async fn the_role_of_parrot_allows_only_its_own_secrets() {
    for (reference, name) in [
        ("ssm:/ops/webhook", "/ops/webhook"),
        ("ssm:/ops/webhook:3", "/ops/webhook:3"),
        (
            "ssm:arn:aws:ssm:eu-west-1:210987654321:parameter/ops/webhook",
            "arn:aws:ssm:eu-west-1:210987654321:parameter/ops/webhook",
        ),
        ("secretsmanager:ops/webhook", "ops/webhook"),
    ] {
        let settings = format!(
            "mysettings: {{region: eu-west-1, enrich: false, slack: {{webhookurl: '{reference}'}}}}"
        );
        let policy = policy(&Package::new().settings(&settings).template(), "ParrotRole");
        for (requested, is_allowed) in [
            (reference, true),
            ("ssm:/other", false),
            ("secretsmanager:other", false),
        ] {
            let aws = FakeAws::start().await;
            let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
            for name in [name, "/other", "other"] {
                aws.secret(name, &webhook(&slack));
            }
            aws.allow_only(Policy::new(&policy));
            let api = RuntimeApi::with(vec![events::sample("stop_task-by-root")]).await;
            let variables = [("SLACK_WEBHOOKURL", requested)];
            aws.invoke(env!("CARGO_BIN_EXE_parrot"), api, &variables)
                .await;
            assert_eq!(
                texts(&slack).await.len(),
                usize::from(is_allowed),
                "{reference} {requested}"
            );
        }
    }
}

/// Only listed roles may be passed to tasks; by default no role may. A message's `volumeConfigurations` pass a role to
/// ECS itself: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/infrastructure_IAM_role.html>
#[test]
#[ignore = "acceptance"]
fn roles_are_passed_by_name_only() {
    for (settings, roles) in [
        (
            SETTINGS.to_owned(),
            json!(["arn:aws:iam::210987654321:role/job"]),
        ),
        (
            SETTINGS.replace("  pass_roles: ['arn:aws:iam::210987654321:role/job']\n", ""),
            json!(["arn:aws:iam::210987654321:role/none/none"]),
        ),
    ] {
        let template = Package::new().settings(&settings).template();
        let tasks = "ecs-tasks.amazonaws.com";
        for (role, services) in [
            ("RunFromQueueRole", json!([tasks, "ecs.amazonaws.com"])),
            ("DeployHookRole", json!(tasks)),
        ] {
            let policy = policy(&template, role);
            let passing: Vec<_> = policy["Statement"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|it| it["Action"] == "iam:PassRole")
                .collect();
            assert_eq!(passing.len(), 1);
            assert_eq!(passing[0]["Resource"], roles);
            let service = &passing[0]["Condition"]["StringEquals"]["iam:PassedToService"];
            assert_eq!(service, &services);
        }
    }
}

#[test]
#[ignore = "acceptance"]
fn the_run_queue_retries_a_message_for_two_hours() {
    let template = template();
    let resources = &template["Resources"];
    let function = &resources["RunFromQueueLambdaFunction"]["Properties"];
    let timeout = function["Timeout"].as_u64().unwrap();
    assert_eq!(
        function["Environment"]["Variables"]["ALLOWED_CLUSTERS"],
        "prod,dev-*"
    );
    assert_eq!(
        function["Environment"]["Variables"]["ALLOWED_TASK_DEFINITIONS"],
        "job*,report:3"
    );
    let queue = &resources["RunQueue"]["Properties"];
    assert!(queue["VisibilityTimeout"].as_u64().unwrap() >= timeout * 6);
    assert_eq!(queue["SqsManagedSseEnabled"], true);
    let receives = queue["RedrivePolicy"]["maxReceiveCount"].as_u64().unwrap();
    // 30 s, twice as long each time, at most 15 minutes.
    let waits: u64 = (0..receives).map(|n| (30 << n.min(5)).min(900)).sum();
    let two_hours = 115 * 60..=125 * 60;
    assert!(two_hours.contains(&waits), "{waits} s");
    // A function that crashes sets no delay. Then the queue's own visibility timeout applies.
    let waits = queue["VisibilityTimeout"].as_u64().unwrap() * receives;
    assert!(two_hours.contains(&waits), "{waits} s");
    let target = json!({"Fn::GetAtt": ["RunDeadLetterQueue", "Arn"]});
    assert_eq!(queue["RedrivePolicy"]["deadLetterTargetArn"], target);

    let mapping = &resources["RunFromQueueEventSourceMappingSQSRunQueue"]["Properties"];
    assert_eq!(
        mapping["FunctionResponseTypes"],
        json!(["ReportBatchItemFailures"])
    );
    assert_eq!(mapping["ScalingConfig"]["MaximumConcurrency"], 7);

    let statement = &resources["RunQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"][0];
    assert_eq!(statement["Effect"], "Deny");
    assert_eq!(
        statement["Condition"],
        json!({"Bool": {"aws:SecureTransport": "false"}})
    );

    let again = &rule(&template, "-run-again")["EventPattern"]["detail"];
    assert_eq!(
        again["startedBy"],
        json!([{"prefix": format!("{}/", ecs_parrot::runner::queue::PROGRAM)}])
    );
    assert_eq!(
        again["stoppedReason"],
        json!([{"prefix": ecs_parrot::runner::queue::rerun::REASON}])
    );
}

#[test]
#[ignore = "acceptance"]
fn codedeploy_and_ecs_may_call_the_hook() {
    let template = template();
    let resources = &template["Resources"];
    let function = &resources["DeployHookLambdaFunction"]["Properties"];
    assert_eq!(function["FunctionName"], "CodeDeployHook_ecs-parrot-dev");
    assert_eq!(function["Timeout"], 900);
    assert_eq!(function["Environment"]["Variables"]["COMMAND"], "php -v");
    assert_eq!(function["Environment"]["Variables"]["HOOK_EVENTS"], "true");
    let events = rule(&template, "-hook-tasks");
    assert_eq!(events["State"], "ENABLED");
    let started_by = json!([{"prefix": format!("{}/", ecs_parrot::runner::hook::PROGRAM)}]);
    assert_eq!(events["EventPattern"]["detail"]["startedBy"], started_by);

    let role = &resources["LifecycleHookRole"]["Properties"];
    // The trust policy is the one of AWS's page. A condition that ECS does not fulfil would deny every hook.
    let trusted = &role["AssumeRolePolicyDocument"]["Statement"];
    let expected = json!([{"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}]);
    assert_eq!(trusted, &expected);
    let statement = &role["Policies"][0]["PolicyDocument"]["Statement"][0];
    assert_eq!(statement["Action"], "lambda:InvokeFunction");
    assert_eq!(
        statement["Resource"],
        json!({"Fn::GetAtt": ["DeployHookLambdaFunction", "Arn"]})
    );
    let outputs = &template["Outputs"];
    assert_eq!(
        outputs["LifecycleHookRoleArn"]["Value"],
        json!({"Fn::GetAtt": ["LifecycleHookRole", "Arn"]})
    );
}

#[test]
#[ignore = "acceptance"]
fn each_function_can_be_left_out() {
    for (on, expected) in [
        ("parrot: true", "ParrotLambdaFunction"),
        (
            "parrot: false, run_from_queue: true",
            "RunFromQueueLambdaFunction",
        ),
        (
            "parrot: false, deploy_hook: true",
            "DeployHookLambdaFunction",
        ),
    ] {
        let settings = format!("mysettings: {{functions: {{{on}}}}}");
        let template = Package::new().settings(&settings).template();
        let resources = template["Resources"].as_object().unwrap().iter();
        let functions: Vec<_> = resources
            .filter(|(_, it)| it["Type"] == "AWS::Lambda::Function")
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(functions, [expected]);
    }
}

/// The functions that run tasks have alarms, and a failed invocation goes to the dead-letter queue.
#[test]
#[ignore = "acceptance"]
fn failures_raise_an_alarm() {
    let settings =
        format!("{SETTINGS}  alarm_actions: ['arn:aws:sns:eu-west-1:210987654321:ops']\n");
    let template = Package::new().settings(&settings).template();
    let resources = &template["Resources"];
    for (alarm, metric) in [
        ("DeployHookAlarm", "Errors"),
        ("RunFromQueueErrorsAlarm", "Errors"),
        ("RunDeadLettersAlarm", "ApproximateNumberOfMessagesVisible"),
    ] {
        let alarm = &resources[alarm]["Properties"];
        assert_eq!(alarm["MetricName"], metric);
        assert_eq!(alarm["Threshold"], 0);
        assert_eq!(
            alarm["AlarmActions"],
            json!(["arn:aws:sns:eu-west-1:210987654321:ops"])
        );
    }
    let failed = &resources["RunFromQueueLambdaEvConf"]["Properties"]["DestinationConfig"];
    let queue = json!({"Fn::GetAtt": ["RunDeadLetterQueue", "Arn"]});
    assert_eq!(failed["OnFailure"]["Destination"], queue);
}
