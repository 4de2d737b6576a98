//! The Terraform module, planned by Terraform and compared with the stack of serverless.yml, resource by resource.
//!
//! Terraform and its provider are not in a package registry, so these tests use those of the machine, and say it if there
//! are none. `terraform init` must find the provider `hashicorp/aws`: on the network, or in a
//! [local directory](https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories).
//! Without them the module is only parsed, in `infrastructure.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::package::Package;
use super::permissions::holds;
use crate::fake_aws::{ACCOUNT, REGION};
use crate::moto::Moto;
use crate::tools;

/// The same settings for both. The stack has the stage `prod`, so that the names are the same too.
const SETTINGS: [(&str, &str); 2] = [
    ("mysettings: {stage: prod, region: eu-west-1}", "{}"),
    (
        "mysettings:
  stage: prod
  region: eu-west-1
  functions: {run_from_queue: true, deploy_hook: true}
  rules: {native: false, code_deploy: true, instances: true}
  channels: [{name: ops, type: slack, url: 'ssm:/parrot/ops'}, {name: page, type: sns, topic: 'arn:aws:sns:eu-west-1:210987654321:page'}]
  archive: true
  trail: true
  account_names: ALIAS
  log_tail: {lines: 5, groups: '/apps/*'}
  pass_roles: ['arn:aws:iam::210987654321:role/job']
  run_from_queue: {allowed_clusters: 'prod,dev-*', allowed_task_definitions: 'job*,report:3', maximum_concurrency: 7}
  deploy_hook: {task_definition: migrate, cluster_name: prod, command: php -v, hook_events: true}
  timeout: 200
",
        r#"{
  "functions": {"run_from_queue": true, "deploy_hook": true},
  "rules": {"native": false, "code_deploy": true, "instances": true},
  "channels": [{"name": "ops", "type": "slack", "url": "ssm:/parrot/ops"}, {"name": "page", "type": "sns", "topic": "arn:aws:sns:eu-west-1:210987654321:page"}],
  "archive": true,
  "trail": true,
  "account_names": "ALIAS",
  "log_tail": {"lines": 5, "groups": "/apps/*"},
  "pass_roles": ["arn:aws:iam::210987654321:role/job"],
  "run_from_queue": {"allowed_clusters": ["prod", "dev-*"], "allowed_task_definitions": ["job*", "report:3"], "maximum_concurrency": 7},
  "deploy_hook": {"task_definition": "migrate", "cluster_name": "prod", "command": "php -v", "hook_events": true},
  "timeout": 200
}"#,
    ),
];

/// A copy of the module, with zips that contain no program.
struct Module(TempDir);

impl Module {
    /// `None` if there is no Terraform, or no provider.
    fn new() -> Option<Self> {
        if Command::new("terraform").arg("version").output().is_err() {
            println!("terraform is not on the PATH: the module is parsed, and not planned");
            return None;
        }
        let folder = tools::scratch();
        for entry in fs::read_dir(tools::root().join("deploy/terraform")).unwrap() {
            let file = entry.unwrap().path();
            if file.is_file() {
                fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
            }
        }
        fs::create_dir(folder.path().join("dist")).unwrap();
        for (program, _) in ecs_parrot::config::names() {
            fs::write(
                folder.path().join(format!("dist/{program}.zip")),
                "no program",
            )
            .unwrap();
        }
        let module = Self(folder);
        let init = module.terraform(&["init", "-input=false", "-backend=false"]);
        let printed = tools::output_text(&init);
        if !init.status.success() && printed.contains("query available provider packages") {
            println!("terraform finds no provider: the module is parsed, and not planned");
            return None;
        }
        assert!(init.status.success(), "{printed}");
        Some(module)
    }

    fn terraform(&self, arguments: &[&str]) -> Output {
        terraform(self.0.path(), None, arguments)
    }

    /// The values of the planned resources by their types and names: `aws_sqs_queue.events[0]`.
    fn plan(&self, variables: &str) -> BTreeMap<String, Value> {
        let recording = self.0.path().join("recorded");
        let moto = Moto::recording(&recording);
        let mut variables: Value = serde_json::from_str(variables).unwrap();
        variables["name"] = json!("ecs-parrot-prod");
        fs::write(
            self.0.path().join("test.auto.tfvars.json"),
            variables.to_string(),
        )
        .unwrap();
        let planned = terraform(
            self.0.path(),
            Some(moto.url()),
            &["plan", "-input=false", "-out=plan"],
        );
        assert!(planned.status.success(), "{}", tools::output_text(&planned));
        let shown = self.terraform(&["show", "-json", "plan"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        let resources = shown["planned_values"]["root_module"]["resources"].as_array();
        let resources = resources.unwrap().iter().map(|it| {
            let address = it["address"].as_str().unwrap().to_owned();
            (address, it["values"].clone())
        });
        resources.collect()
    }
}

fn terraform(folder: &Path, endpoint: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new("terraform");
    command
        .args(arguments)
        .arg("-no-color")
        .current_dir(folder)
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("CHECKPOINT_DISABLE", "1");
    if let Some(endpoint) = endpoint {
        command.env("AWS_ENDPOINT_URL", endpoint);
    }
    command.output().unwrap()
}

/// A stack of serverless.yml.
struct Stack(Value);

impl Stack {
    fn resources(&self, kind: &str) -> impl Iterator<Item = (&String, Value)> {
        let resources = self.0["Resources"].as_object().unwrap().iter();
        let kind = kind.to_owned();
        let conditions = &self.0["Conditions"];
        resources.filter_map(move |(name, it)| {
            let condition = it["Condition"].as_str();
            let exists = condition.is_none_or(|it| holds(&conditions[it], conditions));
            let is_wanted = it["Type"] == kind.as_str() && exists;
            is_wanted.then(|| (name, self.resolved(&it["Properties"])))
        })
    }

    /// Resolves the intrinsic functions as CloudFormation does. The names and ARNs are those that AWS would give.
    fn resolved(&self, value: &Value) -> Value {
        let Value::Object(fields) = value else {
            return match value {
                Value::Array(values) => values
                    .iter()
                    .map(|it| self.resolved(it))
                    .filter(|it| *it != json!({"Ref": "AWS::NoValue"}))
                    .collect(),
                other => other.clone(),
            };
        };
        let conditions = &self.0["Conditions"];
        match fields
            .iter()
            .next()
            .map(|(name, value)| (name.as_str(), value))
        {
            Some(("Fn::If", branches)) => {
                let holds = holds(&conditions[branches[0].as_str().unwrap()], conditions);
                self.resolved(&branches[if holds { 1 } else { 2 }])
            }
            Some(("Fn::Sub", text)) => json!(self.substituted(text.as_str().unwrap())),
            Some(("Fn::GetAtt", of)) => {
                json!(self.attribute(of[0].as_str().unwrap(), of[1].as_str().unwrap()))
            }
            Some(("Ref", name)) if self.0["Resources"].get(name.as_str().unwrap()).is_some() => {
                json!(self.name(name.as_str().unwrap()))
            }
            _ => fields
                .iter()
                .map(|(name, value)| (name.clone(), self.resolved(value)))
                .collect(),
        }
    }

    fn substituted(&self, text: &str) -> String {
        let mut text = text
            .replace("${AWS::Partition}", "aws")
            .replace("${AWS::Region}", REGION)
            .replace("${AWS::AccountId}", ACCOUNT);
        while let Some((before, rest)) = text.split_once("${") {
            let (name, after) = rest.split_once('}').unwrap();
            let value = match name.split_once('.') {
                Some((resource, attribute)) => self.attribute(resource, attribute),
                None => self.name(name),
            };
            text = format!("{before}{value}{after}");
        }
        text
    }

    fn name(&self, resource: &str) -> String {
        let properties = &self.0["Resources"][resource]["Properties"];
        let names = ["QueueName", "FunctionName", "TableName", "LogGroupName"];
        let name = names.iter().find_map(|it| properties[it].as_str());
        name.map_or_else(|| format!("[{resource}]"), str::to_owned)
    }

    fn attribute(&self, resource: &str, attribute: &str) -> String {
        let name = self.name(resource);
        let kind = self.0["Resources"][resource]["Type"].as_str().unwrap();
        match (kind, attribute) {
            (_, "QueueName") => name,
            ("AWS::SQS::Queue", "Arn") => format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"),
            ("AWS::DynamoDB::Table", "Arn") => {
                format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}")
            }
            (_, _) => format!("[{resource}.{attribute}]"),
        }
    }
}

/// The values of the resources of a type.
fn of_type<'p>(
    plan: &'p BTreeMap<String, Value>,
    kind: &str,
) -> impl Iterator<Item = (&'p str, &'p Value)> {
    let prefix = format!("{kind}.");
    plan.iter()
        .filter_map(move |(address, values)| Some((address.strip_prefix(&prefix)?, values)))
}

/// Lists of one element are that element: AWS takes both for an action or a resource.
fn plain(value: &Value) -> Value {
    match value {
        Value::Array(items) if items.len() == 1 => plain(&items[0]),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, it)| (key.clone(), plain(it)))
            .collect(),
        other => other.clone(),
    }
}

fn by_sid(policy: &Value) -> BTreeMap<String, Value> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    let named = statements.map(|it| (it["Sid"].as_str().unwrap_or("-").to_owned(), plain(it)));
    named.collect()
}

fn parsed(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap_or_else(|| panic!("{text}"))).unwrap()
}

#[test]
#[ignore = "acceptance"]
fn the_module_plans_the_stack_of_serverless_yml() {
    let Some(module) = Module::new() else {
        return;
    };
    let valid = module.terraform(&["validate"]);
    assert!(valid.status.success(), "{}", tools::output_text(&valid));
    for (yaml, variables) in SETTINGS {
        let stack = Stack(Package::new().settings(yaml).template());
        let plan = module.plan(variables);
        compare_roles(&stack, &plan);
        compare_functions(&stack, &plan);
        compare_queues(&stack, &plan);
        compare_rules(&stack, &plan);
        compare_alarms(&stack, &plan);
        compare_others(&stack, &plan);
    }
}

/// Each role has the same statements.
fn compare_roles(stack: &Stack, plan: &BTreeMap<String, Value>) {
    let of_stack: BTreeMap<_, _> = stack
        .resources("AWS::IAM::Role")
        .filter_map(|(_, role)| {
            let policy = &role["Policies"][0];
            let name = policy["PolicyName"].as_str()?.to_owned();
            Some((name, by_sid(&policy["PolicyDocument"])))
        })
        .filter(|(name, _)| name != "call-the-hook")
        .collect();
    let of_plan: BTreeMap<_, _> = of_type(plan, "aws_iam_role_policy")
        .filter(|(address, _)| address.starts_with("function"))
        .map(|(_, it)| {
            (
                it["name"].as_str().unwrap().to_owned(),
                by_sid(&parsed(&it["policy"])),
            )
        })
        .collect();
    let names = |it: &BTreeMap<String, _>| it.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&of_plan), names(&of_stack));
    for (name, statements) in &of_stack {
        for (sid, statement) in statements {
            assert_eq!(of_plan[name].get(sid), Some(statement), "{name}: {sid}");
        }
        assert_eq!(of_plan[name].len(), statements.len(), "{name}");
    }
}

fn compare_functions(stack: &Stack, plan: &BTreeMap<String, Value>) {
    let of_stack: BTreeMap<_, _> = stack
        .resources("AWS::Lambda::Function")
        .map(|(_, it)| (it["FunctionName"].clone().to_string(), it))
        .collect();
    let planned: Vec<_> = of_type(plan, "aws_lambda_function").collect();
    assert_eq!(planned.len(), of_stack.len());
    for (address, function) in planned {
        let expected = &of_stack[&function["function_name"].to_string()];
        for (field, of_stack) in [
            ("memory_size", "MemorySize"),
            ("timeout", "Timeout"),
            ("handler", "Handler"),
            ("runtime", "Runtime"),
        ] {
            assert_eq!(function[field], expected[of_stack], "{address} {field}");
        }
        let variables = function["environment"][0]["variables"].as_object().unwrap();
        let expected = expected["Environment"]["Variables"].as_object().unwrap();
        for (variable, value) in expected {
            let planned = variables[variable].as_str().unwrap();
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            // Both are the default.
            let is_default = [planned, value.as_str()]
                .iter()
                .all(|it| ["", "true", "false", "0"].contains(it));
            let is_same = match serde_json::from_str::<Value>(&value) {
                Ok(json) if json.is_array() => {
                    serde_json::from_str::<Value>(planned).unwrap() == json
                }
                _ => planned == value,
            };
            assert!(
                is_same || is_default,
                "{address} {variable}: `{planned}` and `{value}`"
            );
        }
        assert_eq!(variables.len(), expected.len(), "{address}");
    }
}

fn compare_queues(stack: &Stack, plan: &BTreeMap<String, Value>) {
    let of_stack: BTreeMap<_, _> = stack
        .resources("AWS::SQS::Queue")
        .map(|(_, it)| {
            let values = [
                &it["VisibilityTimeout"],
                &it["MessageRetentionPeriod"],
                &it["SqsManagedSseEnabled"],
            ];
            let values = values.map(|it| if it.is_null() { json!(30) } else { it.clone() });
            (it["QueueName"].to_string(), values)
        })
        .collect();
    let of_plan: BTreeMap<_, _> = of_type(plan, "aws_sqs_queue")
        .map(|(_, it)| {
            let values = [
                &it["visibility_timeout_seconds"],
                &it["message_retention_seconds"],
                &it["sqs_managed_sse_enabled"],
            ];
            (it["name"].to_string(), values.map(Clone::clone))
        })
        .collect();
    assert_eq!(of_plan, of_stack);
}

/// The name of each rule, with its pattern and its state.
fn compare_rules(stack: &Stack, plan: &BTreeMap<String, Value>) {
    let of_stack: BTreeMap<_, _> = stack
        .resources("AWS::Events::Rule")
        .map(|(_, it)| {
            let state = it.get("State").cloned().unwrap_or_else(|| json!("ENABLED"));
            (
                it["Name"].to_string(),
                (state, it["EventPattern"].clone(), it["Description"].clone()),
            )
        })
        .collect();
    let of_plan: BTreeMap<_, _> = of_type(plan, "aws_cloudwatch_event_rule")
        .map(|(_, it)| {
            let state = it.get("state").filter(|it| !it.is_null()).cloned();
            let state = state.unwrap_or_else(|| json!("ENABLED"));
            (
                it["name"].to_string(),
                (
                    state,
                    parsed(&it["event_pattern"]),
                    it["description"].clone(),
                ),
            )
        })
        .collect();
    let names = |it: &BTreeMap<String, _>| it.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&of_plan), names(&of_stack));
    for (name, rule) in &of_stack {
        assert_eq!(&of_plan[name], rule, "{name}");
    }
}

/// What each alarm watches and when it is on. CloudFormation gives them names of its own.
fn compare_alarms(stack: &Stack, plan: &BTreeMap<String, Value>) {
    const FIELDS: [(&str, &str); 9] = [
        ("Namespace", "namespace"),
        ("MetricName", "metric_name"),
        ("Statistic", "statistic"),
        ("Period", "period"),
        ("EvaluationPeriods", "evaluation_periods"),
        ("Threshold", "threshold"),
        ("ComparisonOperator", "comparison_operator"),
        ("TreatMissingData", "treat_missing_data"),
        ("AlarmDescription", "alarm_description"),
    ];
    let of_stack: BTreeSet<_> = stack
        .resources("AWS::CloudWatch::Alarm")
        .map(|(_, it)| {
            let values = FIELDS.map(|(field, _)| it[field].to_string());
            (values.join(" "), it["Dimensions"][0]["Value"].to_string())
        })
        .collect();
    let of_plan: BTreeSet<_> = of_type(plan, "aws_cloudwatch_metric_alarm")
        .map(|(_, it)| {
            let values = FIELDS.map(|(_, field)| it[field].to_string());
            let dimensions = it["dimensions"].as_object().unwrap();
            (
                values.join(" "),
                dimensions.values().next().unwrap().to_string(),
            )
        })
        .collect();
    assert_eq!(of_plan, of_stack);
}

/// The table, the logs, the dashboard, the trail, and the sources of the functions' events.
fn compare_others(stack: &Stack, plan: &BTreeMap<String, Value>) {
    for (kind, of_plan) in [
        ("AWS::DynamoDB::Table", "aws_dynamodb_table"),
        ("AWS::CloudWatch::Dashboard", "aws_cloudwatch_dashboard"),
        ("AWS::CloudTrail::Trail", "aws_cloudtrail"),
        ("AWS::Logs::LogGroup", "aws_cloudwatch_log_group"),
        (
            "AWS::Logs::ResourcePolicy",
            "aws_cloudwatch_log_resource_policy",
        ),
        (
            "AWS::Lambda::EventSourceMapping",
            "aws_lambda_event_source_mapping",
        ),
        (
            "AWS::Lambda::EventInvokeConfig",
            "aws_lambda_function_event_invoke_config",
        ),
    ] {
        let expected = stack.resources(kind).count();
        assert_eq!(of_type(plan, of_plan).count(), expected, "{kind}");
    }
    let (_, dashboard) = of_type(plan, "aws_cloudwatch_dashboard").next().unwrap();
    let (_, expected) = stack
        .resources("AWS::CloudWatch::Dashboard")
        .next()
        .unwrap();
    assert_eq!(
        parsed(&dashboard["dashboard_body"]),
        parsed(&expected["DashboardBody"])
    );
    let (_, table) = of_type(plan, "aws_dynamodb_table").next().unwrap();
    assert_eq!(
        (&table["hash_key"], &table["ttl"][0]["attribute_name"]),
        (&json!("id"), &json!("expires"))
    );
    let concurrency = |it: &Value| it["scaling_config"][0]["maximum_concurrency"].to_string();
    let of_plan: BTreeSet<_> = of_type(plan, "aws_lambda_event_source_mapping")
        .map(|(_, it)| concurrency(it))
        .collect();
    let of_stack: BTreeSet<_> = stack
        .resources("AWS::Lambda::EventSourceMapping")
        .map(|(_, it)| it["ScalingConfig"]["MaximumConcurrency"].to_string())
        .collect();
    assert_eq!(of_plan, of_stack);
}

/// What is wrong is said before anything is made.
#[test]
#[ignore = "acceptance"]
fn wrong_variables_are_refused() {
    let Some(module) = Module::new() else {
        return;
    };
    for (variables, expected) in [
        (r#"{"ingest": "queu"}"#, "ingest is queue or direct"),
        (
            r#"{"channels": [{"name": "a", "type": "slack", "only": "service"}]}"#,
            "use jsonencode()",
        ),
        (r#"{"archive_retention": 2}"#, "CloudWatch Logs allows"),
        (r#"{"rules": {"health": "maybe"}}"#, "a bool is required"),
        (r#"{"name": "a name"}"#, "at most 30 letters"),
        (
            r#"{"zip_checksums": {"parrot": "0000000000000000000000000000000000000000000000000000000000000000"}}"#,
            "is not the file of zip_checksums",
        ),
    ] {
        let moto = Moto::recording(&module.0.path().join("recorded"));
        fs::write(module.0.path().join("test.auto.tfvars.json"), variables).unwrap();
        let planned = terraform(module.0.path(), Some(moto.url()), &["plan", "-input=false"]);
        let printed = tools::output_text(&planned);
        assert!(!planned.status.success(), "{variables}: {printed}");
        let printed: Vec<_> = printed.split_whitespace().filter(|it| *it != "│").collect();
        assert!(
            printed.join(" ").contains(expected),
            "{variables}: {printed:?}"
        );
    }
}
