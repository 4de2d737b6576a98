//! The rows of Terraform's plan.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::templates::destination;
use super::{Rows, plain, short, statements, variable};
use crate::acceptance::cloud_formation::text;

type Plan = BTreeMap<String, Value>;

pub(super) fn rows(plan: &Plan) -> Rows {
    let mut rows = Rows::new();
    roles(&mut rows, plan);
    functions(&mut rows, plan);
    queues(&mut rows, plan);
    rules(&mut rows, plan);
    watching(&mut rows, plan);
    storage(&mut rows, plan);
    trail(&mut rows, plan);
    rows
}

/// The values of the resources of a type, each with its key.
fn of_type<'p>(plan: &'p Plan, kind: &str) -> impl Iterator<Item = (&'p str, &'p Value)> {
    let prefix = format!("{kind}.");
    plan.iter()
        .filter_map(move |(address, values)| Some((address.strip_prefix(&prefix)?, values)))
}

fn parsed(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap_or_else(|| panic!("{text}"))).unwrap()
}

fn roles(rows: &mut Rows, plan: &Plan) {
    let policies: BTreeMap<_, _> = of_type(plan, "aws_iam_role_policy").collect();
    for (address, role) in of_type(plan, "aws_iam_role") {
        let policy = policies[address];
        let owner = format!("role {}", text(&policy["name"]));
        rows.insert(format!("{owner} name"), role["name"].clone());
        let trust = parsed(&role["assume_role_policy"]);
        rows.insert(format!("{owner} trust"), plain(&trust["Statement"]));
        if policy["policy"].is_string() {
            statements(rows, &owner, &parsed(&policy["policy"]));
        }
    }
}

fn functions(rows: &mut Rows, plan: &Plan) {
    for (_, function) in of_type(plan, "aws_lambda_function") {
        let owner = format!("function {}", text(&function["function_name"]));
        let mut row = |fact: &str, value: &Value| {
            rows.insert(format!("{owner} {fact}"), plain(value));
        };
        row("description", &function["description"]);
        row("memory", &function["memory_size"]);
        row("timeout", &function["timeout"]);
        row("handler", &function["handler"]);
        row("runtime", &function["runtime"]);
        row("architecture", &function["architectures"]);
        let logging = &function["logging_config"][0];
        row("log format", &logging["log_format"]);
        row("log level", &logging["application_log_level"]);
        row("system log level", &logging["system_log_level"]);
        let variables = function["environment"][0]["variables"].as_object().unwrap();
        for (key, value) in variables {
            rows.insert(format!("{owner} variable {key}"), variable(key, value));
        }
    }
    for (_, config) in of_type(plan, "aws_lambda_function_event_invoke_config") {
        let owner = format!("function {} again", text(&config["function_name"]));
        for (fact, field) in [
            ("times", "maximum_retry_attempts"),
            ("age", "maximum_event_age_in_seconds"),
        ] {
            // AWS's default is the provider's too.
            let is_set = !config[field].is_null() && owner.contains("-parrot again");
            if is_set {
                rows.insert(format!("{owner} {fact}"), plain(&config[field]));
            }
        }
    }
    for (address, source) in of_type(plan, "aws_lambda_event_source_mapping") {
        let queue = match address {
            "events[0]" => "events",
            _ => "run-queue",
        };
        let owner = format!("messages of {}-{queue}", super::NAME);
        let mut row = |fact: &str, value: &Value| {
            rows.insert(format!("{owner} {fact}"), plain(value));
        };
        row("batch", &source["batch_size"]);
        let window = &source["maximum_batching_window_in_seconds"];
        let zero = json!(0);
        row("window", if window.is_null() { &zero } else { window });
        row("responses", &source["function_response_types"]);
        row(
            "functions",
            &source["scaling_config"][0]["maximum_concurrency"],
        );
    }
}

fn queues(rows: &mut Rows, plan: &Plan) {
    let mut names = BTreeMap::new();
    for (address, queue) in of_type(plan, "aws_sqs_queue") {
        let name = text(&queue["name"]);
        let owner = format!("queue {name}");
        names.insert(address, name);
        let mut row = |fact: &str, value: &Value| {
            rows.insert(format!("{owner} {fact}"), plain(value));
        };
        row("visibility", &queue["visibility_timeout_seconds"]);
        row("retention", &queue["message_retention_seconds"]);
        row("encryption", &queue["sqs_managed_sse_enabled"]);
        if let Some(redrive) = receives(address) {
            row("receives", &json!(redrive));
        }
    }
    for (address, policy) in of_type(plan, "aws_sqs_queue_policy") {
        let owner = match (names.get(address), address) {
            (Some(name), _) => name.clone(),
            (None, "run[\"run\"]") => format!("{}-run-queue", super::NAME),
            (None, _) => format!("{}-run-dead-letters", super::NAME),
        };
        if policy["policy"].is_string() {
            let owner = format!("queue policy {owner}");
            statements(rows, &owner, &parsed(&policy["policy"]));
        }
    }
}

/// The redrive policy has the ARN of another queue, which no plan knows. The text of the module has the number.
fn receives(address: &str) -> Option<u32> {
    let file = match address {
        "events[0]" => include_str!("../../../../deploy/terraform/queues.tf"),
        "run[0]" => include_str!("../../../../deploy/terraform/run_from_queue.tf"),
        _ => return None,
    };
    let (_, number) = file.split_once("maxReceiveCount")?;
    let number = number.trim_start_matches([' ', '=']);
    number.lines().next()?.trim().parse().ok()
}

fn rules(rows: &mut Rows, plan: &Plan) {
    let targets: BTreeMap<_, _> = of_type(plan, "aws_cloudwatch_event_target").collect();
    for (address, rule) in of_type(plan, "aws_cloudwatch_event_rule") {
        let name = text(&rule["name"]);
        let target = targets[address];
        let to = match (target["arn"].as_str(), address) {
            (Some(arn), _) => destination(arn),
            // The ARN is known after the function or the queue is made.
            (None, _) if target["target_id"] == "events" => "queue",
            (None, _) => "function",
        };
        let owner = format!("rule {} to {to}", short(&name));
        let retry = &target["retry_policy"][0];
        let bus = &rule["event_bus_name"];
        let none = Value::Null;
        rows.insert(
            owner.clone(),
            json!({
                "state": if rule["state"].is_null() { json!("ENABLED") } else { rule["state"].clone() },
                "pattern": parsed(&rule["event_pattern"]),
                "bus": if bus == "default" { &none } else { bus },
                "age": plain(&retry["maximum_event_age_in_seconds"]),
                "attempts": plain(&retry["maximum_retry_attempts"]),
                "dead letters": target["dead_letter_config"].as_array().is_some_and(|it| !it.is_empty()),
            }),
        );
        if to != "archive" {
            rows.insert(format!("{owner} name"), json!(name));
            rows.insert(format!("{owner} description"), rule["description"].clone());
        }
    }
    for (_, permission) in of_type(plan, "aws_lambda_permission") {
        let row = format!("permissions of {}", text(&permission["function_name"]));
        let count = rows.get(&row).and_then(Value::as_u64).unwrap_or_default();
        rows.insert(row, json!(count + 1));
    }
    for (_, bus) in of_type(plan, "aws_cloudwatch_event_bus") {
        rows.insert("bus".to_owned(), bus["name"].clone());
    }
    for (_, policy) in of_type(plan, "aws_cloudwatch_event_bus_policy") {
        statements(rows, "bus", &parsed(&policy["policy"]));
    }
}

fn watching(rows: &mut Rows, plan: &Plan) {
    for (_, alarm) in of_type(plan, "aws_cloudwatch_metric_alarm") {
        let owner = format!("alarm {}", text(&alarm["alarm_description"]));
        let mut row = |fact: &str, value: &Value| {
            rows.insert(format!("{owner}: {fact}"), plain(value));
        };
        for (fact, field) in [
            ("namespace", "namespace"),
            ("metric", "metric_name"),
            ("statistic", "statistic"),
            ("period", "period"),
            ("periods", "evaluation_periods"),
            ("threshold", "threshold"),
            ("comparison", "comparison_operator"),
            ("without data", "treat_missing_data"),
        ] {
            row(fact, &alarm[field]);
        }
        let dimensions = alarm["dimensions"].as_object().unwrap();
        row("of", dimensions.values().next().unwrap());
        let none = json!([]);
        let actions = &alarm["alarm_actions"];
        row("actions", if actions.is_null() { &none } else { actions });
    }
    for (_, dashboard) in of_type(plan, "aws_cloudwatch_dashboard") {
        rows.insert("dashboard".to_owned(), parsed(&dashboard["dashboard_body"]));
        rows.insert(
            "dashboard name".to_owned(),
            dashboard["dashboard_name"].clone(),
        );
    }
}

fn storage(rows: &mut Rows, plan: &Plan) {
    for (_, group) in of_type(plan, "aws_cloudwatch_log_group") {
        let row = format!("log group {}", text(&group["name"]));
        rows.insert(row, plain(&group["retention_in_days"]));
    }
    for (_, policy) in of_type(plan, "aws_cloudwatch_log_resource_policy") {
        let owner = format!("logs {}", text(&policy["policy_name"]));
        statements(rows, &owner, &parsed(&policy["policy_document"]));
    }
    for (_, table) in of_type(plan, "aws_dynamodb_table") {
        rows.insert(
            format!("table {}", text(&table["name"])),
            json!({
                "key": table["hash_key"],
                "expires": table["ttl"][0]["attribute_name"],
                "billing": table["billing_mode"],
                "encryption": table["server_side_encryption"][0]["enabled"],
            }),
        );
    }
    for (_, policy) in of_type(plan, "aws_dynamodb_resource_policy") {
        if policy["policy"].is_string() {
            statements(rows, "table", &parsed(&policy["policy"]));
        }
    }
}

fn trail(rows: &mut Rows, plan: &Plan) {
    for (_, trail) in of_type(plan, "aws_cloudtrail") {
        let selector = &trail["event_selector"][0];
        rows.insert(
            "trail".to_owned(),
            plain(&json!({
                "name": trail["name"],
                "regions": trail["is_multi_region_trail"],
                "global": trail["include_global_service_events"],
                "validation": trail["enable_log_file_validation"],
                "management": selector["include_management_events"],
                "calls": selector["read_write_type"],
            })),
        );
    }
    let mut row = |fact: &str, value: &Value| {
        rows.insert(format!("trail bucket {fact}"), plain(value));
    };
    for (_, it) in of_type(plan, "aws_s3_bucket_server_side_encryption_configuration") {
        let default = &it["rule"][0]["apply_server_side_encryption_by_default"][0];
        row("encryption", &default["sse_algorithm"]);
    }
    for (_, it) in of_type(plan, "aws_s3_bucket_public_access_block") {
        let switches = it.as_object().unwrap().values();
        let mut switches = switches.filter(|it| it.is_boolean());
        row("private", &json!(switches.all(|it| it == true)));
    }
    for (_, it) in of_type(plan, "aws_s3_bucket_ownership_controls") {
        row("owner", &it["rule"][0]["object_ownership"]);
    }
    for (_, it) in of_type(plan, "aws_s3_bucket_lifecycle_configuration") {
        row("days", &it["rule"][0]["expiration"][0]["days"]);
    }
}
