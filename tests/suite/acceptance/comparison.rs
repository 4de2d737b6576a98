//! serverless.yml is the description of the deployment. The SAM template and the Terraform module make the same: this
//! compares them row by row, and each difference has a written reason.

mod planned;
mod templates;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::cloud_formation::text;
use super::package::Package;
use super::sam::expanded;
use super::terraform::Module;

/// What a deployment makes: a value for each fact that AWS gets.
type Rows = BTreeMap<String, Value>;

/// Where SAM or Terraform differs from serverless.yml, by the beginning of the rows' names, and why.
const EXCEPTIONS: [(Tool, &str, &str); 8] = [
    (
        Tool::Sam,
        "role run-from-queue RunTasks",
        "CloudFormation cannot make ARNs of a list of patterns, so that the parameters are ARNs, for both functions",
    ),
    (
        Tool::Sam,
        "role run-from-queue TagTasks",
        "as RunTasks: the clusters are in a condition, or the task was just started",
    ),
    (
        Tool::Sam,
        "role run-from-queue TakeNetworkOfServices",
        "as RunTasks: the clusters are in a condition",
    ),
    (
        Tool::Sam,
        "role deploy-hook RunTasks",
        "CloudFormation cannot make ARNs of a list of patterns, so that the parameters are ARNs, for both functions",
    ),
    (
        Tool::Sam,
        "role deploy-hook FollowAndStopTasks",
        "as RunTasks: the clusters are in a condition",
    ),
    (
        Tool::Sam,
        "queue ecs-parrot-prod-events visibility",
        "CloudFormation cannot multiply, so that the timeout of the function is at most 119 s",
    ),
    (
        Tool::Sam,
        "function ecs-parrot-prod-parrot timeout",
        "the settings here have 200 s, which the template does not allow",
    ),
    (
        Tool::Terraform,
        "queue policy ecs-parrot-prod-run",
        "each queue has its own policy, which names it; the one of serverless.yml is for both, and cannot",
    ),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Sam,
    Terraform,
}

/// The same settings for all three. The stack has the stage `prod`, so that the names are the same too.
struct Settings {
    yaml: &'static str,
    sam: &'static [(&'static str, &'static str)],
    terraform: &'static str,
}

const SETTINGS: [Settings; 3] = [
    Settings {
        yaml: "mysettings: {stage: prod, region: eu-west-1}",
        sam: &[],
        terraform: "{}",
    },
    Settings {
        yaml: "mysettings:
  stage: prod
  region: eu-west-1
  functions: {run_from_queue: true, deploy_hook: true}
  rules: {native: false, code_deploy: true, instances: true}
  channels: [{name: ops, type: slack, url: 'ssm:/parrot/ops'}, {name: page, type: sns, topic: 'arn:aws:sns:eu-west-1:210987654321:page'}]
  archive: true
  trail: true
  account_names: ALIAS
  hub: {organization: o-a1b2c3d4e5, lookup_role: 'arn:aws:iam::{account}:role/lookup', external_id: parrot-42}
  log_tail: {lines: 5, groups: '/apps/*'}
  pass_roles: ['arn:aws:iam::210987654321:role/job']
  run_from_queue: {allowed_clusters: 'prod,dev-*', allowed_task_definitions: 'job*,report:3', maximum_concurrency: 7}
  deploy_hook: {task_definition: migrate, cluster_name: prod, command: php -v, hook_events: true}
  timeout: 200
",
        sam: &[
            ("RunFromQueue", "true"),
            ("DeployHook", "true"),
            ("RulesNative", "false"),
            ("RulesCodeDeploy", "true"),
            ("RulesInstances", "true"),
            (
                "Channels",
                r#"[{"name": "ops", "type": "slack", "url": "ssm:/parrot/ops"}, {"name": "page", "type": "sns", "topic": "arn:aws:sns:eu-west-1:210987654321:page"}]"#,
            ),
            (
                "SecretArns",
                "arn:aws:ssm:eu-west-1:210987654321:parameter/parrot/ops",
            ),
            ("TopicArns", "arn:aws:sns:eu-west-1:210987654321:page"),
            ("Archive", "true"),
            ("Trail", "true"),
            ("AccountNames", "ALIAS"),
            ("HubOrganization", "o-a1b2c3d4e5"),
            ("LookupRole", "arn:aws:iam::{account}:role/lookup"),
            ("LookupExternalId", "parrot-42"),
            ("LogTailLines", "5"),
            ("LogTailGroups", "/apps/*"),
            ("PassRoleArns", "arn:aws:iam::210987654321:role/job"),
            ("AllowedClusters", "prod,dev-*"),
            ("AllowedTaskDefinitions", "job*,report:3"),
            ("RunFromQueueMaximumConcurrency", "7"),
            ("TaskDefinition", "migrate"),
            ("ClusterName", "prod"),
            ("Command", "php -v"),
            ("HookEvents", "true"),
        ],
        terraform: r#"{
  "functions": {"run_from_queue": true, "deploy_hook": true},
  "rules": {"native": false, "code_deploy": true, "instances": true},
  "channels": [{"name": "ops", "type": "slack", "url": "ssm:/parrot/ops"}, {"name": "page", "type": "sns", "topic": "arn:aws:sns:eu-west-1:210987654321:page"}],
  "archive": true,
  "trail": true,
  "account_names": "ALIAS",
  "hub": {"organization": "o-a1b2c3d4e5", "lookup_role": "arn:aws:iam::{account}:role/lookup", "external_id": "parrot-42"},
  "log_tail": {"lines": 5, "groups": "/apps/*"},
  "pass_roles": ["arn:aws:iam::210987654321:role/job"],
  "run_from_queue": {"allowed_clusters": ["prod", "dev-*"], "allowed_task_definitions": ["job*", "report:3"], "maximum_concurrency": 7},
  "deploy_hook": {"task_definition": "migrate", "cluster_name": "prod", "command": "php -v", "hook_events": true},
  "timeout": 200
}"#,
    },
    Settings {
        yaml: "mysettings: {stage: prod, region: eu-west-1, ingest: direct, state_table: DISABLED, enrich: false, log_level: ERROR, alarm_actions: ['arn:aws:sns:eu-west-1:210987654321:alarms']}",
        sam: &[
            ("Ingest", "direct"),
            ("StateTable", "DISABLED"),
            ("Enrich", "false"),
            ("LogLevel", "ERROR"),
            ("AlarmActions", "arn:aws:sns:eu-west-1:210987654321:alarms"),
        ],
        terraform: r#"{"ingest": "direct", "state_table": "DISABLED", "enrich": false, "log_level": "ERROR", "alarm_actions": ["arn:aws:sns:eu-west-1:210987654321:alarms"]}"#,
    },
];

const NAME: &str = "ecs-parrot-prod";

#[test]
#[ignore = "acceptance"]
fn sam_and_terraform_make_the_stack_of_serverless_yml() {
    let module = Module::new();
    let mut used = BTreeSet::new();
    let mut compared = vec![Tool::Sam];
    for settings in &SETTINGS {
        let packaged = Package::new().settings(settings.yaml).template();
        let expected = templates::rows(packaged, &[]);
        assert!(expected.len() > 100, "{}", expected.len());
        let sam = templates::rows(expanded(settings.sam), settings.sam);
        used.extend(compare(Tool::Sam, &expected, &sam));
        if let Some(module) = &module {
            let planned = planned::rows(&module.plan(settings.terraform));
            used.extend(compare(Tool::Terraform, &expected, &planned));
            compared = vec![Tool::Sam, Tool::Terraform];
        }
    }
    for (tool, row, _) in EXCEPTIONS {
        let is_used = used.contains(row) || !compared.contains(&tool);
        assert!(is_used, "{tool:?} and `{row}` need no exception");
    }
}

/// The exceptions that were needed. Fails if there are other differences.
fn compare(tool: Tool, expected: &Rows, found: &Rows) -> BTreeSet<&'static str> {
    let names: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let mut used = BTreeSet::new();
    let mut differences = Vec::new();
    for name in names {
        let (left, right) = (expected.get(name), found.get(name));
        if left == right {
            continue;
        }
        let mut exceptions = EXCEPTIONS.iter();
        match exceptions.find(|(of, row, _)| *of == tool && name.starts_with(row)) {
            Some((_, row, _)) => _ = used.insert(*row),
            None => differences.push(format!(
                "{name}\n  serverless.yml: {}\n  {tool:?}: {}",
                left.unwrap_or(&Value::Null),
                right.unwrap_or(&Value::Null)
            )),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    used
}

/// Scalars as texts, lists in one order, and lists of one element as that element: to AWS they are the same in policies.
fn plain(value: &Value) -> Value {
    match value {
        Value::Array(items) if items.len() == 1 => plain(&items[0]),
        Value::Array(items) => {
            let mut items: Vec<_> = items.iter().map(plain).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, it)| !it.is_null())
            .map(|(key, it)| (key.clone(), plain(it)))
            .collect(),
        scalar => json!(text(scalar)),
    }
}

/// A row for each statement of a policy.
fn statements(rows: &mut Rows, owner: &str, policy: &Value) {
    let all = policy["Statement"].as_array().unwrap().iter();
    for statement in all {
        let sid = statement["Sid"].as_str().unwrap_or("without Sid");
        rows.insert(format!("{owner} {sid}"), plain(statement));
    }
}

/// The value of a variable, as the function understands it: a default as nothing, a list without its spaces.
fn variable(name: &str, value: &Value) -> Value {
    const DEFAULTS: [(&str, &str); 3] = [
        ("ENRICH", "true"),
        ("LOG_TAIL_LINES", "0"),
        ("HOOK_EVENTS", "false"),
    ];
    let value = text(value);
    match serde_json::from_str::<Value>(&value) {
        _ if DEFAULTS.contains(&(name, value.as_str())) => json!(""),
        Ok(list) if list.is_array() => list,
        _ => json!(value),
    }
}

/// The end of a rule's name, which is the same for both ways of `ingest` and for the archive.
fn short(rule: &str) -> &str {
    let rule = rule.strip_prefix(NAME).unwrap_or(rule);
    let rule = rule.strip_prefix("-queued").unwrap_or(rule);
    let rule = rule.strip_prefix("-archive").unwrap_or(rule);
    rule.trim_start_matches('-')
}
