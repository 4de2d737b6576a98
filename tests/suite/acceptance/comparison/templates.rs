//! The rows of a CloudFormation template: of serverless.yml, packaged, and of SAM, expanded.

use serde_json::{Value, json};

use super::{NAME, Rows, plain, short, statements, variable};
use crate::acceptance::cloud_formation::{Stack, text};

pub(super) fn rows(template: Value, parameters: &[(&str, &str)]) -> Rows {
    let stack = Stack::new(template, NAME).with(parameters);
    let mut rows = Rows::new();
    roles(&mut rows, &stack);
    functions(&mut rows, &stack);
    queues(&mut rows, &stack);
    rules(&mut rows, &stack);
    watching(&mut rows, &stack);
    storage(&mut rows, &stack);
    trail(&mut rows, &stack);
    rows
}

fn roles(rows: &mut Rows, stack: &Stack) {
    for (_, role) in stack.resources("AWS::IAM::Role") {
        let Some(policy) = role["Policies"][0]["PolicyName"].as_str() else {
            // Serverless makes a role for the removal of objects in its bucket.
            continue;
        };
        let owner = format!("role {policy}");
        rows.insert(format!("{owner} name"), role["RoleName"].clone());
        let trust = plain(&role["AssumeRolePolicyDocument"]["Statement"]);
        rows.insert(format!("{owner} trust"), trust);
        statements(rows, &owner, &role["Policies"][0]["PolicyDocument"]);
    }
}

fn functions(rows: &mut Rows, stack: &Stack) {
    for (_, function) in stack.resources("AWS::Lambda::Function") {
        let name = text(&function["FunctionName"]);
        let owner = format!("function {name}");
        let mut row = |fact: &str, value: &Value| {
            rows.insert(format!("{owner} {fact}"), plain(value));
        };
        row("description", &function["Description"]);
        row("memory", &function["MemorySize"]);
        row("timeout", &function["Timeout"]);
        row("handler", &function["Handler"]);
        row("runtime", &function["Runtime"]);
        row("architecture", &function["Architectures"]);
        let logging = &function["LoggingConfig"];
        row("log format", &logging["LogFormat"]);
        row("log level", &logging["ApplicationLogLevel"]);
        row("system log level", &logging["SystemLogLevel"]);
        let variables = function["Environment"]["Variables"].as_object().unwrap();
        for (key, value) in variables {
            rows.insert(format!("{owner} variable {key}"), variable(key, value));
        }
    }
    for (_, config) in stack.resources("AWS::Lambda::EventInvokeConfig") {
        let owner = format!("function {} again", text(&config["FunctionName"]));
        let mut row = |fact: &str, value: &Value| {
            if !value.is_null() {
                rows.insert(format!("{owner} {fact}"), plain(value));
            }
        };
        row("times", &config["MaximumRetryAttempts"]);
        row("age", &config["MaximumEventAgeInSeconds"]);
    }
    for (_, source) in stack.resources("AWS::Lambda::EventSourceMapping") {
        let queue = text(&source["EventSourceArn"]);
        let owner = format!("messages of {}", queue.rsplit(':').next().unwrap());
        let mut row = |fact: &str, value: &Value| {
            rows.insert(format!("{owner} {fact}"), plain(value));
        };
        row("batch", &source["BatchSize"]);
        let window = &source["MaximumBatchingWindowInSeconds"];
        let zero = json!(0);
        row("window", if window.is_null() { &zero } else { window });
        row("responses", &source["FunctionResponseTypes"]);
        row("functions", &source["ScalingConfig"]["MaximumConcurrency"]);
    }
}

fn queues(rows: &mut Rows, stack: &Stack) {
    for (_, queue) in stack.resources("AWS::SQS::Queue") {
        let owner = format!("queue {}", text(&queue["QueueName"]));
        let mut row = |fact: &str, value: &Value| {
            rows.insert(format!("{owner} {fact}"), plain(value));
        };
        let default = json!(30);
        let visibility = queue.get("VisibilityTimeout").unwrap_or(&default);
        row("visibility", visibility);
        row("retention", &queue["MessageRetentionPeriod"]);
        row("encryption", &queue["SqsManagedSseEnabled"]);
        if let Some(redrive) = queue.get("RedrivePolicy") {
            row("receives", &redrive["maxReceiveCount"]);
        }
    }
    for (_, policy) in stack.resources("AWS::SQS::QueuePolicy") {
        for queue in policy["Queues"].as_array().unwrap() {
            let owner = format!("queue policy {}", text(queue));
            statements(rows, &owner, &policy["PolicyDocument"]);
        }
    }
}

/// A row for each target of a rule: the archive may be the second target of a rule, or that of a rule of its own.
fn rules(rows: &mut Rows, stack: &Stack) {
    for (_, rule) in stack.resources("AWS::Events::Rule") {
        let name = text(&rule["Name"]);
        let enabled = json!("ENABLED");
        let state = rule.get("State").unwrap_or(&enabled);
        for target in rule["Targets"].as_array().unwrap() {
            let to = destination(&text(&target["Arn"]));
            let owner = format!("rule {} to {to}", short(&name));
            let retry = &target["RetryPolicy"];
            rows.insert(
                owner.clone(),
                json!({
                    "state": state,
                    "pattern": rule["EventPattern"],
                    "bus": rule["EventBusName"],
                    "age": plain(&retry["MaximumEventAgeInSeconds"]),
                    "attempts": plain(&retry["MaximumRetryAttempts"]),
                    "dead letters": target["DeadLetterConfig"].is_object(),
                }),
            );
            if to != "archive" {
                rows.insert(format!("{owner} name"), json!(name));
                rows.insert(format!("{owner} description"), rule["Description"].clone());
            }
        }
    }
    for (_, permission) in stack.resources("AWS::Lambda::Permission") {
        let function = text(&permission["FunctionName"]);
        let function = function.rsplit(':').next().unwrap();
        let row = format!("permissions of {function}");
        let count = rows.get(&row).and_then(Value::as_u64).unwrap_or_default();
        rows.insert(row, json!(count + 1));
    }
    for (_, bus) in stack.resources("AWS::Events::EventBus") {
        rows.insert("bus".to_owned(), bus["Name"].clone());
    }
    for (_, policy) in stack.resources("AWS::Events::EventBusPolicy") {
        let mut statement = policy["Statement"].clone();
        statement["Sid"] = policy["StatementId"].clone();
        statements(rows, "bus", &json!({"Statement": [statement]}));
    }
}

/// Where a rule sends its events.
pub(super) fn destination(arn: &str) -> &'static str {
    match arn.split(':').nth(2) {
        Some("logs") => "archive",
        Some("sqs") => "queue",
        _ => "function",
    }
}

fn watching(rows: &mut Rows, stack: &Stack) {
    for (_, alarm) in stack.resources("AWS::CloudWatch::Alarm") {
        let owner = format!("alarm {}", text(&alarm["AlarmDescription"]));
        let mut row = |fact: &str, value: &Value| {
            rows.insert(format!("{owner}: {fact}"), plain(value));
        };
        for (fact, field) in [
            ("namespace", "Namespace"),
            ("metric", "MetricName"),
            ("statistic", "Statistic"),
            ("period", "Period"),
            ("periods", "EvaluationPeriods"),
            ("threshold", "Threshold"),
            ("comparison", "ComparisonOperator"),
            ("without data", "TreatMissingData"),
        ] {
            row(fact, &alarm[field]);
        }
        row("of", &alarm["Dimensions"][0]["Value"]);
        let none = json!([]);
        row("actions", alarm.get("AlarmActions").unwrap_or(&none));
    }
    for (_, dashboard) in stack.resources("AWS::CloudWatch::Dashboard") {
        let body: Value = serde_json::from_str(&text(&dashboard["DashboardBody"])).unwrap();
        rows.insert("dashboard".to_owned(), body);
        rows.insert(
            "dashboard name".to_owned(),
            dashboard["DashboardName"].clone(),
        );
    }
}

fn storage(rows: &mut Rows, stack: &Stack) {
    for (_, group) in stack.resources("AWS::Logs::LogGroup") {
        let row = format!("log group {}", text(&group["LogGroupName"]));
        rows.insert(row, plain(&group["RetentionInDays"]));
    }
    for (_, policy) in stack.resources("AWS::Logs::ResourcePolicy") {
        let document = serde_json::from_str(&text(&policy["PolicyDocument"])).unwrap();
        statements(
            rows,
            &format!("logs {}", text(&policy["PolicyName"])),
            &document,
        );
    }
    for (_, table) in stack.resources("AWS::DynamoDB::Table") {
        let expires = &table["TimeToLiveSpecification"];
        rows.insert(
            format!("table {}", text(&table["TableName"])),
            json!({
                "key": table["KeySchema"][0]["AttributeName"],
                "expires": expires["AttributeName"],
                "billing": table["BillingMode"],
                "encryption": table["SSESpecification"]["SSEEnabled"],
            }),
        );
        statements(rows, "table", &table["ResourcePolicy"]["PolicyDocument"]);
    }
}

fn trail(rows: &mut Rows, stack: &Stack) {
    for (_, trail) in stack.resources("AWS::CloudTrail::Trail") {
        rows.insert(
            "trail".to_owned(),
            plain(&json!({
                "name": trail["TrailName"],
                "regions": trail["IsMultiRegionTrail"],
                "global": trail["IncludeGlobalServiceEvents"],
                "validation": trail["EnableLogFileValidation"],
                "management": trail["EventSelectors"][0]["IncludeManagementEvents"],
                "calls": trail["EventSelectors"][0]["ReadWriteType"],
            })),
        );
    }
    for (name, bucket) in stack.resources("AWS::S3::Bucket") {
        if name != "TrailBucket" {
            // Serverless keeps its uploads in a bucket of its own.
            continue;
        }
        let mut row = |fact: &str, value: &Value| {
            rows.insert(format!("trail bucket {fact}"), plain(value));
        };
        let encryption = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
        row(
            "encryption",
            &encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"],
        );
        let access = bucket["PublicAccessBlockConfiguration"]
            .as_object()
            .unwrap();
        row("private", &json!(access.values().all(|it| it == true)));
        row(
            "owner",
            &bucket["OwnershipControls"]["Rules"][0]["ObjectOwnership"],
        );
        row(
            "days",
            &bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"],
        );
    }
}
