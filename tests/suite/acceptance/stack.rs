//! The CloudFormation templates of different configurations. cfn-lint must find no problem in them.

use std::fs;

use serde_json::{Value, json};

use super::package::{CARNIVAL, EXAMPLE, Package, RULES, environment, function, rule};
use crate::infrastructure::service_files;

#[test]
#[ignore = "acceptance"]
fn without_settings_everything_has_a_default() {
    let template = Package::new().template();
    let parrot = function(&template);
    assert_eq!(parrot["FunctionName"], "ecs-parrot-dev-parrot");
    assert_eq!(parrot["Runtime"], "provided.al2023");
    assert_eq!(parrot["Architectures"], json!(["x86_64"]));
    assert_eq!(parrot["MemorySize"], 256);
    assert_eq!(parrot["Timeout"], 15);
    assert_eq!(parrot["LoggingConfig"]["LogFormat"], "JSON");
    assert_eq!(parrot["LoggingConfig"]["ApplicationLogLevel"], "INFO");
    assert!(
        parrot["Code"]["S3Key"]
            .as_str()
            .unwrap()
            .ends_with("/parrot.zip")
    );
    for (name, value) in environment(&template).as_object().unwrap() {
        if name != "STATE_TABLE" {
            assert_eq!(value, "", "{name} is set");
        }
    }
    let table = &template["Resources"]["StateTable"]["Properties"];
    assert_eq!(table["TableName"], "ecs-parrot-dev-state");
    assert_eq!(
        table["KeySchema"],
        json!([{"AttributeName": "id", "KeyType": "HASH"}])
    );
    assert_eq!(table["TimeToLiveSpecification"]["AttributeName"], "expires");
    assert_eq!(table["SSESpecification"]["SSEEnabled"], true);
    assert_eq!(
        template["Conditions"]["Trail"]["Fn::Equals"],
        json!(["trail: false", "trail: true"])
    );
}

#[test]
#[ignore = "acceptance"]
fn the_example_packages_as_it_is() {
    let template = Package::new().settings(EXAMPLE).template();
    assert_eq!(function(&template)["FunctionName"], "ecs-parrot-dev-parrot");
    let expected = json!({
        "CHANNELS": "",
        "SLACK_WEBHOOKURL": "DISABLED",
        "SLACK_USERNAME": "ECSParrot",
        "SLACK_CHANNEL": "#devops",
        "SLACK_ICON_EMOJI": ":bird:",
        "SLACK_QUIET": "false",
        "SLACK_MENTION": "",
        "FLOWDOCK_API_TOKEN": "DISABLED",
        "FLOWDOCK_USERNAME": "ECSParrot",
        "FLOWDOCK_ICON_EMOJI": ":bird:",
        "FLOWDOCK_QUIET": "false",
        "FLOWDOCK_URL": "",
        "IGNORED_EXIT_CODE_CONTAINER_NAMES": "",
        "IGNORED_CLUSTERS": "",
        "IGNORED_SERVICES": "",
        "KEEP": "",
        "DROP": "",
        "REMIND_AFTER": "5m,15m,1h,4h,24h",
        "RESOLVE_AFTER": "5m",
        "STORM_AFTER": "5",
        "EXPECT": "",
        "ACCOUNT_NAMES": "",
        "TEMPLATES_DIR": "",
        "ENRICH": "true",
        "LOG_TAIL_LINES": "0",
        "LOG_TAIL_MASK": "",
        "STATE_TABLE": "ecs-parrot-dev-state",
        "LOOKUP_ROLE": "",
        "LOOKUP_EXTERNAL_ID": "",
        "ARCHIVE_LOG_GROUP": "",
        "METRICS_BY": "",
    });
    assert_eq!(environment(&template), &expected);
}

/// The example file says that its values are the defaults, and it must show every key that is read.
#[test]
#[ignore = "acceptance"]
fn the_example_shows_every_key_with_its_default() {
    let mut with = Package::new().settings(EXAMPLE).template();
    let mut without = Package::new().template();
    for template in [&mut with, &mut without] {
        let parrot = &mut template["Resources"]["ParrotLambdaFunction"]["Properties"];
        parrot["Environment"] = Value::Null;
        // The name of the upload contains the time.
        parrot["Code"] = Value::Null;
    }
    assert_eq!(with, without);

    let yaml = service_files()
        .into_iter()
        .filter(|(name, _)| name.ends_with(".yml"));
    let service: String = yaml.map(|(_, text)| text).collect();
    let path_end = |c: char| !(c.is_ascii_lowercase() || c == '_' || c == '.');
    let mut keys: Vec<&str> = service
        .split("self:custom.mysettings.")
        .skip(1)
        .map(|rest| {
            rest.split(path_end)
                .next()
                .unwrap()
                .rsplit('.')
                .next()
                .unwrap()
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    assert!(
        keys.len() > 20,
        "serverless.yml reads its settings in another way than this test expects: {keys:?}"
    );
    for key in keys {
        let shown = EXAMPLE
            .lines()
            .any(|line| line.trim_start().starts_with(&format!("{key}:")));
        assert!(shown, "serverless.env.yml.example does not show `{key}`");
    }
}

#[test]
#[ignore = "acceptance"]
fn the_file_of_carnival_ecs_parrot_packages_unchanged() {
    let template = Package::new().settings(CARNIVAL).template();
    assert_eq!(
        function(&template)["FunctionName"],
        "ecs-parrot-staging-parrot"
    );
    let environment = environment(&template);
    assert_eq!(environment["SLACK_CHANNEL"], "#devops");
    assert_eq!(environment["SLACK_QUIET"], "false");
    assert_eq!(environment["FLOWDOCK_ICON_EMOJI"], ":bird:");
    assert_eq!(
        environment["IGNORED_EXIT_CODE_CONTAINER_NAMES"],
        "mongo-router::fake-test"
    );

    let documented = CARNIVAL
        .replace("  ignore:", "  ignored:")
        .replace(": False", ": True");
    assert_ne!(documented, CARNIVAL);
    let template = Package::new().settings(&documented).template();
    assert_eq!(
        self::environment(&template)["IGNORED_EXIT_CODE_CONTAINER_NAMES"],
        "mongo-router::fake-test"
    );
    assert_eq!(self::environment(&template)["FLOWDOCK_QUIET"], "true");
}

#[test]
#[ignore = "acceptance"]
fn every_setting_reaches_the_template() {
    let template = Package::new()
        .settings(
            "mysettings:
  stage: prod
  region: cn-north-1
  architecture: arm64
  memory: 512
  timeout: 20
  log_retention: 7
  log_level: DEBUG
  retry_attempts: 1
  event_age: 900
  templates_dir: /opt/templates
  layers: ['arn:aws-cn:lambda:cn-north-1:123456789012:layer:templates:1']
  slack: {webhookurl: a, username: b, channel: 12, icon_emoji: c, quiet: TRUE, mention: '<!subteam^S1>'}
  flowdock: {api_token: d, username: e, icon_emoji: null, quiet: true, url: 'https://flow.example'}
  ignored: {exit_code: {container_names: 'x::y'}, clusters: 'dev-*,test', services: '*/canary'}
  ignore: {exit_code: {container_names: the other spelling}}
  keep: steady_state
  drop: 'run_task,finished'
  remind_after: 10m,1h
  resolve_after: 90
  storm_after: 0
  expect: [report-nightly: 25h, 'prod-batch/invoices: cron(0,30 2 * * ? *) grace 2h']
  account_names: 210987654321=prod
  enrich: True
  hub: {lookup_role: 'arn:aws-cn:iam::{account}:role/lookup', external_id: parrot-42}
  log_tail: {lines: 20, mask: 'a|b'}
  state_table: shared
  metrics: {by: 'cluster,service'}
  rules: {api_calls: 'false', native: False, health: false, scaling: 'False', alarms: FALSE, code_deploy: True, instances: true}
  archive: True
  archive_retention: 3
  trail: true
  trail_retention: 30
",
        )
        .template();
    let expected = json!({
        "CHANNELS": "",
        "SLACK_WEBHOOKURL": "a",
        "SLACK_USERNAME": "b",
        "SLACK_CHANNEL": "12",
        "SLACK_ICON_EMOJI": "c",
        "SLACK_QUIET": "true",
        "SLACK_MENTION": "<!subteam^S1>",
        "FLOWDOCK_API_TOKEN": "d",
        "FLOWDOCK_USERNAME": "e",
        "FLOWDOCK_ICON_EMOJI": "",
        "FLOWDOCK_QUIET": "true",
        "FLOWDOCK_URL": "https://flow.example",
        "IGNORED_EXIT_CODE_CONTAINER_NAMES": "x::y",
        "IGNORED_CLUSTERS": "dev-*,test",
        "IGNORED_SERVICES": "*/canary",
        "KEEP": "steady_state",
        "DROP": "run_task,finished",
        "REMIND_AFTER": "10m,1h",
        "RESOLVE_AFTER": "90",
        "STORM_AFTER": "0",
        "EXPECT": "report-nightly: 25h\nprod-batch/invoices: cron(0,30 2 * * ? *) grace 2h",
        "ACCOUNT_NAMES": "210987654321=prod",
        "TEMPLATES_DIR": "/opt/templates",
        "ENRICH": "true",
        "LOOKUP_ROLE": "arn:aws-cn:iam::{account}:role/lookup",
        "LOOKUP_EXTERNAL_ID": "parrot-42",
        "LOG_TAIL_LINES": "20",
        "LOG_TAIL_MASK": "a|b",
        "STATE_TABLE": "shared",
        "ARCHIVE_LOG_GROUP": "/aws/events/ecs-parrot-prod",
        "METRICS_BY": "cluster,service",
    });
    assert_eq!(environment(&template), &expected);

    let parrot = function(&template);
    assert_eq!(parrot["FunctionName"], "ecs-parrot-prod-parrot");
    assert_eq!(parrot["Architectures"], json!(["arm64"]));
    assert_eq!(parrot["MemorySize"], 512);
    assert_eq!(parrot["Timeout"], 20);
    assert_eq!(
        parrot["Layers"],
        json!(["arn:aws-cn:lambda:cn-north-1:123456789012:layer:templates:1"])
    );
    assert_eq!(parrot["LoggingConfig"]["ApplicationLogLevel"], "DEBUG");

    let resources = &template["Resources"];
    assert_eq!(
        resources["ParrotLogGroup"]["Properties"]["RetentionInDays"],
        7
    );
    let invoke = &resources["ParrotLambdaEvConf"]["Properties"];
    assert_eq!(invoke["MaximumRetryAttempts"], 1);
    assert_eq!(invoke["MaximumEventAgeInSeconds"], 900);
    let on = ["code-deploy", "instances"];
    for (_, name) in RULES {
        let state = if on.contains(&name) {
            "ENABLED"
        } else {
            "DISABLED"
        };
        for prefix in ["queued", "archive"] {
            let rule = rule(&template, &format!("-{prefix}-{name}"));
            assert_eq!(rule["State"], state, "{name}");
            assert_eq!(
                rule["Targets"][0]["RetryPolicy"]["MaximumEventAgeInSeconds"],
                900
            );
        }
    }
    let archive = &resources["Archive"]["Properties"];
    assert_eq!(archive["LogGroupName"], "/aws/events/ecs-parrot-prod");
    assert_eq!(archive["RetentionInDays"], 3);
    assert_eq!(
        template["Conditions"]["Trail"]["Fn::Equals"],
        json!(["trail: true", "trail: true"])
    );
}

/// The archive is a log group to which EventBridge may write, and nothing else may be written by this policy.
#[test]
#[ignore = "acceptance"]
fn the_archive_is_a_log_group_of_its_own() {
    let with = Package::new()
        .settings("mysettings: {archive: true}")
        .template();
    let group = &with["Resources"]["Archive"]["Properties"];
    let expected = json!({"LogGroupName": "/aws/events/ecs-parrot-dev", "RetentionInDays": 14});
    assert_eq!(group, &expected);
    let name = &environment(&with)["ARCHIVE_LOG_GROUP"];
    assert_eq!(name, &group["LogGroupName"]);
    let policy = &with["Resources"]["ArchivePolicy"]["Properties"]["PolicyDocument"]["Fn::Sub"];
    let policy: Value = serde_json::from_str(policy.as_str().unwrap()).unwrap();
    let expected = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "KeepEvents",
            "Effect": "Allow",
            "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]},
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/events/ecs-parrot-dev:*",
        }],
    });
    assert_eq!(policy, expected);

    for settings in [
        "mysettings: {archive_retention: 3}",
        "mysettings: {archive: true, functions: {parrot: false, deploy_hook: true}}",
    ] {
        let without = Package::new().settings(settings).template();
        let resources = without["Resources"].as_object().unwrap();
        let mut archiving = resources.keys().filter(|it| it.contains("Archive"));
        assert_eq!(archiving.next(), None, "{settings}");
    }
}

#[test]
#[ignore = "acceptance"]
fn each_rule_has_its_switch_and_its_events() {
    let agent_calls = [
        "SubmitContainerStateChange",
        "SubmitAttachmentStateChanges",
        "DiscoverPollEndpoint",
    ];
    for (api_calls, native) in [(true, true), (true, false), (false, true)] {
        let template = Package::new()
            .settings(&format!(
                "mysettings: {{rules: {{api_calls: {api_calls}, native: {native}}}}}"
            ))
            .template();
        let state = |on| if on { "ENABLED" } else { "DISABLED" };
        let (calls, events) = (
            rule(&template, "-api-calls"),
            rule(&template, "-ecs-events"),
        );
        assert_eq!(calls["State"], state(api_calls));
        assert_eq!(events["State"], state(native));
        let mut left_out = agent_calls.to_vec();
        if native {
            left_out.push("SubmitTaskStateChange");
        }
        let expected = json!({
            "source": ["aws.ecs"],
            "detail-type": ["AWS API Call via CloudTrail"],
            "detail": {"eventSource": ["ecs.amazonaws.com"], "eventName": [{"anything-but": left_out}]},
        });
        assert_eq!(calls["EventPattern"], expected);
        let expected = json!({"source": ["aws.ecs"], "detail-type": [{"anything-but": ["AWS API Call via CloudTrail"]}]});
        assert_eq!(events["EventPattern"], expected);
    }
}

/// The ARNs of the rules of both `ingest` modes. It also checks that the rules of this mode have only this target, and
/// the dead-letter queue for failures.
fn senders(template: &Value, mode: &str, target: &Value) -> Vec<Value> {
    let queue = json!({"Fn::GetAtt": ["DeadLetterQueue", "Arn"]});
    let names = |mode| {
        RULES.map(|(_, name)| match mode {
            "queued" => format!("ecs-parrot-dev-queued-{name}"),
            _ => format!("ecs-parrot-dev-{name}"),
        })
    };
    for name in names(mode) {
        let rule = rule(template, &name);
        let targets = rule["Targets"].as_array().unwrap();
        assert_eq!(targets.len(), 1);
        assert_eq!(&targets[0]["Arn"], target);
        assert_eq!(targets[0]["DeadLetterConfig"]["Arn"], queue);
        assert_eq!(
            targets[0]["RetryPolicy"],
            json!({"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 185})
        );
    }
    let all = ["queued", "direct"].into_iter().flat_map(names);
    let arns = all.map(|name| {
        json!({
            "Fn::Sub": format!("arn:${{AWS::Partition}}:events:${{AWS::Region}}:${{AWS::AccountId}}:rule/{name}")
        })
    });
    arns.collect()
}

/// By default the rules send events to a queue, the function gets them in batches, and failed ones are retried for
/// about four hours.
#[test]
#[ignore = "acceptance"]
fn the_queue_delivers_batches_and_retries_failed_records() {
    let template = Package::new().template();
    let resources = &template["Resources"];
    let queue = &resources["EventQueue"]["Properties"];
    assert_eq!(queue["SqsManagedSseEnabled"], true);
    // A FIFO queue has no delay for single messages, which timers need.
    assert_eq!(queue["FifoQueue"], Value::Null);
    let target = json!({"Fn::GetAtt": ["DeadLetterQueue", "Arn"]});
    assert_eq!(queue["RedrivePolicy"]["deadLetterTargetArn"], target);
    let receives = queue["RedrivePolicy"]["maxReceiveCount"].as_u64().unwrap();
    // 30 s, twice as long each time, up to 15 minutes.
    let waits = (1..receives).map(|n| (30_u64 << n.min(10).saturating_sub(1)).min(900));
    let about_four_hours = 13_000..=15_000;
    let seconds = waits.sum::<u64>();
    assert!(about_four_hours.contains(&seconds), "{seconds}");
    // A function that crashes sets no delay. Then the queue's own visibility timeout applies.
    let seconds = queue["VisibilityTimeout"].as_u64().unwrap() * receives;
    assert!(about_four_hours.contains(&seconds), "{seconds}");

    let mapping = resources.as_object().unwrap().values();
    let mut mapping = mapping.filter(|it| it["Type"] == "AWS::Lambda::EventSourceMapping");
    let mapping = &mapping.next().unwrap()["Properties"];
    assert_eq!(
        mapping["EventSourceArn"],
        json!({"Fn::GetAtt": ["EventQueue", "Arn"]})
    );
    assert_eq!(mapping["BatchSize"], 10_000);
    assert_eq!(mapping["MaximumBatchingWindowInSeconds"], 5);
    assert_eq!(
        mapping["FunctionResponseTypes"],
        json!(["ReportBatchItemFailures"])
    );
    assert_eq!(mapping["ScalingConfig"]["MaximumConcurrency"], 2);

    let policy = &resources["EventQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"];
    let senders = senders(
        &template,
        "queued",
        &json!({"Fn::GetAtt": ["EventQueue", "Arn"]}),
    );
    assert_eq!(
        policy[0]["Condition"],
        json!({"ArnEquals": {"aws:SourceArn": senders}})
    );
    assert_eq!(
        policy[1]["Condition"],
        json!({"Bool": {"aws:SecureTransport": "false"}})
    );
}

/// The visibility timeout is at least six times the function's timeout plus the batching window, as Lambda requires.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
#[test]
#[ignore = "acceptance"]
fn the_visibility_timeout_is_long_enough_for_the_function() {
    for timeout in [1, 15, 119, 200, 900] {
        let settings = format!("mysettings: {{timeout: {timeout}}}");
        let template = Package::new().settings(&settings).template();
        let resources = &template["Resources"];
        assert_eq!(function(&template)["Timeout"], timeout);
        let mapping = &resources["ParrotEventSourceMappingSQSEventQueue"]["Properties"];
        let window = mapping["MaximumBatchingWindowInSeconds"].as_u64().unwrap();
        let visibility = &resources["EventQueue"]["Properties"]["VisibilityTimeout"];
        let least = 6 * timeout + window;
        assert_eq!(visibility.as_u64().unwrap(), least.max(720), "{timeout}");
    }
}

/// Events that are in the queue when `ingest` is switched are still posted: the function goes on reading from the same
/// queue, and the old rules may send to it until they are deleted.
#[test]
#[ignore = "acceptance"]
fn a_switch_of_ingest_keeps_the_queue_and_its_events() {
    let [queued, direct] = ["queue", "direct"].map(|ingest| {
        let settings = format!("mysettings: {{ingest: {ingest}}}");
        Package::new().settings(&settings).template()
    });
    for resource in [
        "EventQueue",
        "EventQueuePolicy",
        "DeadLetterQueue",
        "DeadLetterQueuePolicy",
        "ParrotEventSourceMappingSQSEventQueue",
        "ParrotRole",
    ] {
        let of = |template: &Value| template["Resources"][resource].clone();
        assert!(of(&queued).is_object(), "{resource}");
        assert_eq!(of(&queued), of(&direct), "{resource}");
    }
    let mapping = &direct["Resources"]["ParrotEventSourceMappingSQSEventQueue"]["Properties"];
    assert_eq!(mapping["Enabled"], true);
}

/// With `ingest: direct` no rule sends to the queue.
#[test]
#[ignore = "acceptance"]
fn rules_may_invoke_the_function_directly() {
    let template = Package::new()
        .settings("mysettings: {ingest: direct}")
        .template();
    let resources = template["Resources"].as_object().unwrap();
    let function = json!({"Fn::GetAtt": ["ParrotLambdaFunction", "Arn"]});
    senders(&template, "direct", &function);
    for name in RULES.map(|(_, name)| format!("ecs-parrot-dev-{name}")) {
        let permitted = resources.values().any(|resource| {
            resource["Type"] == "AWS::Lambda::Permission"
                && resource["Properties"]["Principal"] == "events.amazonaws.com"
                && resource["Properties"]["SourceArn"]
                    .to_string()
                    .contains(&name)
        });
        assert!(permitted, "`{name}` may not invoke the function");
    }
}

/// Every path of an event has a retry limit and a dead-letter queue, so that no event is lost.
#[test]
#[ignore = "acceptance"]
fn what_fails_goes_to_the_dead_letter_queue() {
    let template = Package::new().template();
    let resources = &template["Resources"];
    let queue = json!({"Fn::GetAtt": ["DeadLetterQueue", "Arn"]});

    let invoke = &resources["ParrotLambdaEvConf"]["Properties"];
    assert_eq!(
        invoke["FunctionName"],
        json!({"Ref": "ParrotLambdaFunction"})
    );
    assert_eq!(
        invoke["DestinationConfig"]["OnFailure"]["Destination"],
        queue
    );
    assert_eq!(invoke["MaximumRetryAttempts"], 2);
    assert_eq!(invoke["MaximumEventAgeInSeconds"], 3600);

    let senders = senders(
        &template,
        "queued",
        &json!({"Fn::GetAtt": ["EventQueue", "Arn"]}),
    );
    assert_eq!(
        resources["DeadLetterQueue"]["Properties"]["SqsManagedSseEnabled"],
        true
    );
    assert_eq!(
        resources["DeadLetterQueue"]["Properties"]["MessageRetentionPeriod"],
        14 * 24 * 60 * 60
    );
    let statements =
        &resources["DeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"];
    assert_eq!(statements.as_array().unwrap().len(), 2);
    assert_eq!(statements[0]["Effect"], "Allow");
    assert_eq!(
        statements[0]["Principal"],
        json!({"Service": "events.amazonaws.com"})
    );
    assert_eq!(statements[0]["Action"], "sqs:SendMessage");
    assert_eq!(
        statements[0]["Condition"],
        json!({"ArnEquals": {"aws:SourceArn": senders}})
    );
    assert_eq!(statements[1]["Effect"], "Deny");
    assert_eq!(statements[1]["Action"], "sqs:*");
    assert_eq!(
        statements[1]["Condition"],
        json!({"Bool": {"aws:SecureTransport": "false"}})
    );
}

#[test]
#[ignore = "acceptance"]
fn the_role_allows_the_log_and_the_dead_letter_queue_and_enrichment() {
    let template = Package::new().template();
    let resources = template["Resources"].as_object().unwrap();
    let roles: Vec<&String> = resources
        .iter()
        .filter(|(_, r)| r["Type"] == "AWS::IAM::Role")
        .map(|(name, _)| name)
        .collect();
    assert_eq!(roles, ["ParrotRole"]);
    assert!(
        resources
            .values()
            .all(|r| r["Type"] != "AWS::IAM::Policy" && r["Type"] != "AWS::IAM::ManagedPolicy")
    );
    assert_eq!(
        function(&template)["Role"],
        json!({"Fn::GetAtt": ["ParrotRole", "Arn"]})
    );

    let role = &resources["ParrotRole"]["Properties"];
    assert!(role.get("ManagedPolicyArns").is_none());
    let policies = role["Policies"].as_array().unwrap();
    assert_eq!(policies.len(), 1);
    let allowed: Vec<Value> = policies[0]["PolicyDocument"]["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| {
            json!([
                statement["Effect"],
                statement["Action"],
                statement["Resource"]
            ])
        })
        .collect();
    let log = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/ecs-parrot-dev-parrot:*";
    let expected = [
        json!(["Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], {"Fn::Sub": log}]),
        json!(["Allow", "sqs:SendMessage", {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}]),
    ];
    assert_eq!(allowed[..2], expected);
    // The other statements are for the queue, the table, topics and enrichment. `permissions.rs` checks them against the
    // calls.
    assert_eq!(allowed.len(), 16);

    let log = &resources["ParrotLogGroup"]["Properties"];
    assert_eq!(log["LogGroupName"], "/aws/lambda/ecs-parrot-dev-parrot");
    assert_eq!(log["RetentionInDays"], 30);
}

/// The stack has an alarm for each kind of failure, and a dashboard.
#[test]
#[ignore = "acceptance"]
fn the_stack_has_alarms_and_a_dashboard() {
    let settings = "mysettings: {alarm_actions: ['arn:aws:sns:us-east-1:210987654321:ops']}";
    let template = Package::new().settings(settings).template();
    let resources = &template["Resources"];
    for (alarm, metric) in [
        ("DeadLettersAlarm", "ApproximateNumberOfMessagesVisible"),
        ("DeliveryFailuresAlarm", "DeliveryFailures"),
        ("ErrorsAlarm", "Errors"),
        ("ThrottlesAlarm", "Throttles"),
    ] {
        let alarm = &resources[alarm]["Properties"];
        assert_eq!(alarm["MetricName"], metric);
        assert_eq!(
            alarm["AlarmActions"],
            json!(["arn:aws:sns:us-east-1:210987654321:ops"])
        );
    }
    let silence = &resources["SilenceAlarm"]["Properties"];
    assert_eq!(silence["TreatMissingData"], "breaching");
    assert_eq!(
        silence["AlarmActions"],
        resources["ErrorsAlarm"]["Properties"]["AlarmActions"]
    );
    // Timers invoke the function too, but they are no events.
    let metric = ["Namespace", "MetricName"].map(|name| silence[name]["Fn::If"].clone());
    assert_eq!(
        metric,
        [
            json!(["OwnMetrics", "ecs-parrot", "AWS/Lambda"]),
            json!(["OwnMetrics", "EventsReceived", "Invocations"])
        ]
    );
    let levels = template["Conditions"]["OwnMetrics"].to_string();
    for level in ["TRACE", "DEBUG", "INFO"] {
        assert!(
            levels.contains(&format!(r#"["level: INFO","level: {level}"]"#)),
            "{levels}"
        );
    }
    let body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
        .as_str()
        .unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["widgets"].as_array().unwrap().len(), 6);
    for name in [
        "EventsReceived",
        "EventsDropped",
        "Delivered",
        "DeliveryTime",
        "Throttles",
    ] {
        assert!(body.to_string().contains(name), "{name}");
    }
}

#[test]
#[ignore = "acceptance"]
fn the_stack_outputs_name_its_resources() {
    let template = Package::new().template();
    let output = |name: &str| &template["Outputs"][name]["Value"]["Ref"];
    assert_eq!(output("FunctionName"), "ParrotLambdaFunction");
    assert_eq!(output("LogGroupName"), "ParrotLogGroup");
    assert_eq!(output("DeadLetterQueueUrl"), "DeadLetterQueue");
    assert_eq!(output("TrailBucketName"), "TrailBucket");
    assert_eq!(template["Outputs"]["TrailBucketName"]["Condition"], "Trail");
}

#[test]
#[ignore = "acceptance"]
fn the_trails_bucket_is_private() {
    let template = Package::new()
        .settings("mysettings: {trail: true, trail_retention: 30}")
        .template();
    let resources = &template["Resources"];
    for name in ["Trail", "TrailBucket", "TrailBucketPolicy"] {
        assert_eq!(resources[name]["Condition"], "Trail");
    }
    let trail = &resources["Trail"]["Properties"];
    assert_eq!(trail["IsLogging"], true);
    assert_eq!(
        trail["EventSelectors"],
        json!([{"IncludeManagementEvents": true, "ReadWriteType": "WriteOnly"}])
    );

    let bucket = &resources["TrailBucket"]["Properties"];
    let encryption = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
    assert_eq!(
        encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"],
        "AES256"
    );
    let blocked = bucket["PublicAccessBlockConfiguration"]
        .as_object()
        .unwrap();
    assert_eq!(blocked.len(), 4);
    assert!(blocked.values().all(|blocks| blocks == true));
    assert_eq!(
        bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"],
        30
    );

    let arn =
        "arn:${AWS::Partition}:cloudtrail:${AWS::Region}:${AWS::AccountId}:trail/ecs-parrot-dev";
    assert_eq!(trail["TrailName"], "ecs-parrot-dev");
    let statements = resources["TrailBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        .as_array()
        .unwrap();
    for statement in statements {
        if statement["Effect"] == "Allow" {
            assert_eq!(
                statement["Principal"],
                json!({"Service": "cloudtrail.amazonaws.com"})
            );
            assert_eq!(
                statement["Condition"]["StringEquals"]["aws:SourceArn"],
                json!({"Fn::Sub": arn})
            );
        } else {
            assert_eq!(
                statement["Condition"],
                json!({"Bool": {"aws:SecureTransport": "false"}})
            );
        }
    }
    assert_eq!(statements.len(), 3);
}

#[test]
#[ignore = "acceptance"]
fn a_wrong_setting_is_refused_by_its_name() {
    for (setting, named, allowed) in [
        (
            "architecture: sparc",
            "provider.architecture",
            "[arm64, x86_64]",
        ),
        ("trail: perhaps", "custom.trail", "\"true\", \"false\""),
        (
            "rules: {native: perhaps}",
            "custom.rules.native",
            "\"true\", \"false\"",
        ),
        ("timeout: soon", "parrot.timeout", "integer"),
        ("log_retention: 31", "logRetentionInDays", "allowed values"),
        (
            "log_level: LOUD",
            "applicationLogLevel",
            "[DEBUG, ERROR, FATAL, INFO, TRACE, WARN]",
        ),
        ("retry_attempts: 3", "maximumRetryAttempts", "<= 2"),
        ("event_age: 5", "maximumEventAge", ">= 60"),
        ("keep: [a, b]", "environment.KEEP", "unsupported"),
    ] {
        let refusal = Package::new()
            .settings(&format!("mysettings: {{{setting}}}"))
            .refusal();
        assert!(
            refusal.contains(named) && refusal.contains(allowed),
            "{setting}: {refusal}"
        );
    }
}

#[test]
#[ignore = "acceptance"]
fn packaging_before_building_names_the_missing_file() {
    let package = Package::new();
    fs::remove_file(package.folder.path().join("dist/parrot.zip")).unwrap();
    assert!(package.refusal().contains("dist/parrot.zip"));
}
