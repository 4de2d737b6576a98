//! serverless.yml, the SAM template and the Terraform module: checks that need no packaging.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ecs_parrot::config;
use ecs_parrot::env_file::keys::{Allows, KEYS, Key};
use serde_json::{Value, json};

use crate::tools;

/// serverless.yml and the files that it includes, each with its name and text.
pub(crate) fn service_files() -> Vec<(String, String)> {
    let mut names = vec!["serverless.yml".to_owned()];
    let folder = "deploy/serverless";
    for entry in fs::read_dir(tools::root().join(folder)).unwrap() {
        let name = entry.unwrap().file_name();
        names.push(format!("{folder}/{}", name.to_str().unwrap()));
    }
    let read = |name: String| {
        let text = fs::read_to_string(tools::root().join(&name)).unwrap();
        (name, text)
    };
    names.into_iter().map(read).collect()
}

/// The name of a program's function in the SAM template.
fn in_sam(program: &str) -> &'static str {
    match program {
        "parrot" => "ParrotFunction",
        "run-from-queue" => "RunFromQueueFunction",
        "deploy-hook" => "DeployHookFunction",
        other => panic!("the template has no function for {other}"),
    }
}

fn both() -> (Value, Value) {
    let (sam, terraform, _) = all();
    (sam, terraform)
}

/// The SAM template, the Terraform module, and the example of serverless.env.yml.
fn all() -> (Value, Value, Value) {
    let root = tools::root();
    let paths = [
        "deploy/sam/template.yaml",
        "deploy/terraform",
        "serverless.env.yml.example",
    ];
    let paths = paths.map(|it| root.join(it));
    let mut all: Value =
        serde_json::from_str(&tools::run_python("infrastructure.py", &paths, "")).unwrap();
    (
        all["sam"].take(),
        all["terraform"].take(),
        all["settings"].take(),
    )
}

/// The module's files are as `terraform fmt` would write them.
#[test]
fn the_terraform_module_is_formatted() {
    let folder = tools::root().join("deploy/terraform");
    let parts = [
        "",
        "modules/member",
        "modules/rules",
        "examples/minimal",
        "examples/complete",
        "examples/organization",
    ];
    let files = parts
        .iter()
        .flat_map(|it| fs::read_dir(folder.join(it)).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    let is_code = |it: &std::path::PathBuf| it.extension().is_some_and(|it| it == "tf");
    let files: Vec<_> = files.filter(is_code).collect();
    assert!(files.len() >= 4, "{files:?}");
    assert_eq!(tools::run_python("terraform_fmt.py", &files, ""), "");
}

/// The check above finds a module that is not formatted.
#[test]
fn an_unformatted_module_is_found() {
    let folder = tools::scratch();
    let file = folder.path().join("main.tf");
    for (text, formatted) in [
        (
            "a {\n  b = 1\n  long = 2\n}\n",
            "a {\n  b    = 1\n  long = 2\n}\n",
        ),
        ("a {\n    b = \"}\"\n}\n", "a {\n  b = \"}\"\n}\n"),
        (
            "a {\n  b = {\n    c = x != y ? 1 : 2\n  }\n  long=[1]\n}\n",
            "a {\n  b = {\n    c = x != y ? 1 : 2\n  }\n  long = [1]\n}\n",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let printed = tools::run_python("terraform_fmt.py", &[&file], "");
        assert!(printed.contains("@@"), "{text}");
        fs::write(&file, formatted).unwrap();
        let printed = tools::run_python("terraform_fmt.py", &[&file], "");
        assert_eq!(printed, "", "{formatted}");
    }
}

/// Resolves a value of the template as CloudFormation does: its conditions, and what depends on them, with these
/// parameters.
fn resolved(value: &Value, sam: &Value, parameters: &[(&str, &str)]) -> Value {
    let of = |value: &Value| resolved(value, sam, parameters);
    let Value::Object(fields) = value else {
        return match value {
            Value::Array(items) => items.iter().map(of).collect(),
            other => other.clone(),
        };
    };
    let only = (fields.len() == 1).then(|| fields.iter().next().unwrap());
    match only.map(|(function, value)| (function.as_str(), value)) {
        Some(("Ref", name)) if sam["Parameters"].get(name.as_str().unwrap()).is_some() => {
            let name = name.as_str().unwrap();
            let given = parameters.iter().find(|(parameter, _)| *parameter == name);
            let default = || sam["Parameters"][name]["Default"].clone();
            given.map_or_else(default, |(_, value)| json!(value))
        }
        Some(("Condition", name)) if name.is_string() => {
            of(&sam["Conditions"][name.as_str().unwrap()])
        }
        Some(("Fn::If", branches)) => {
            let holds = of(&sam["Conditions"][branches[0].as_str().unwrap()]) == true;
            of(&branches[if holds { 1 } else { 2 }])
        }
        Some(("Fn::Equals", both)) => json!(of(&both[0]) == of(&both[1])),
        Some(("Fn::Not", one)) => json!(of(&one[0]) != true),
        Some(("Fn::And", all)) => json!(all.as_array().unwrap().iter().all(|it| of(it) == true)),
        Some(("Fn::Or", all)) => json!(all.as_array().unwrap().iter().any(|it| of(it) == true)),
        Some(("Fn::Split", both)) => {
            let text = of(&both[1]);
            let parts = text.as_str().unwrap().split(both[0].as_str().unwrap());
            parts.map(|part| json!(part)).collect()
        }
        Some(("Fn::Select", both)) => {
            of(&both[1])[usize::try_from(both[0].as_u64().unwrap()).unwrap()].clone()
        }
        _ => fields
            .iter()
            .map(|(name, value)| (name.clone(), of(value)))
            .collect(),
    }
}

/// The local values of all files of the module.
fn locals(terraform: &Value) -> Value {
    let blocks = terraform["locals"].as_array().unwrap().iter();
    let values = blocks.filter_map(Value::as_object).flatten();
    let values = values.map(|(name, value)| (name.trim_matches('"').to_owned(), value.clone()));
    Value::Object(values.collect())
}

/// The function of a program in the module's local values.
/// The statements of a role in the SAM template.
fn statements_of(sam: &Value, role: &str) -> Value {
    let policy = &sam["Resources"][role]["Properties"]["Policies"][0];
    policy["PolicyDocument"]["Statement"].clone()
}

fn in_terraform<'v>(locals: &'v Value, program: &str) -> &'v Value {
    &locals[program.replace('-', "_")]
}

/// The function reads these words in upper and lower case, so that the template must too.
#[test]
fn words_mean_the_same_in_any_case() {
    let (sam, _) = both();
    for (word, is_on) in [
        ("true", true),
        ("True", true),
        ("TRUE", true),
        ("False", false),
        ("", false),
    ] {
        let parameters = [("DeployHook", "true"), ("HookEvents", word)];
        let holds = resolved(&sam["Conditions"]["HasHookEvents"], &sam, &parameters);
        assert_eq!(holds, is_on, "{word}");
        let allowed = sam["Parameters"]["HookEvents"]["AllowedValues"].as_array();
        assert!(allowed.unwrap().contains(&json!(word)), "{word}");
        let enriches = resolved(&sam["Conditions"]["Enriches"], &sam, &[("Enrich", word)]);
        assert_eq!(enriches, !word.eq_ignore_ascii_case("false"), "{word}");
    }
    let state = &sam["Resources"]["HookTasksRule"]["Properties"]["State"];
    assert_eq!(state["Fn::If"][0], "HasHookEvents");
}

/// Another table is set by its name or its ARN. DISABLED means no table.
#[test]
fn the_role_allows_the_table_that_is_set() {
    const ARN: &str = "arn:aws:dynamodb:eu-west-1:210987654321:table/mine";
    let (sam, terraform) = both();
    let statements = &statements_of(&sam, "ParrotRole");
    let named = |name: Value| {
        let arn = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Name}";
        Some(json!({"Fn::Sub": [arn, {"Name": name}]}))
    };
    for (given, expected) in [
        (ARN, Some(json!(ARN))),
        ("mine", named(json!("mine"))),
        ("", named(json!({"Fn::Sub": "${AWS::StackName}-state"}))),
        ("DISABLED", None),
        ("disabled", None),
    ] {
        let statements = resolved(statements, &sam, &[("StateTable", given)]);
        let mut tables = statements.as_array().unwrap().iter();
        let table = tables.find(|it| it["Sid"] == "StateTable");
        assert_eq!(table.map(|it| it["Resource"].clone()), expected, "{given}");
    }
    let locals = locals(&terraform);
    assert!(
        locals["table_kind"]
            .to_string()
            .contains("upper(local.table) == \\\"DISABLED")
    );
    let arn = locals["table_arn"].to_string();
    assert!(arn.contains("startswith(local.table"), "{arn}");
    assert_eq!(locals["remembering"][0]["Resource"], "${local.table_arn}");
}

/// Only a function that looks up its account's alias may ask IAM.
#[test]
fn the_role_allows_the_alias_where_it_is_looked_up() {
    let (sam, terraform) = both();
    let statements = &statements_of(&sam, "ParrotRole");
    for (names, enrich, is_allowed) in [
        ("ALIAS", "", true),
        ("210987654321=prod, ALIAS", "true", true),
        ("ALIAS", "false", false),
        ("210987654321=prod", "", false),
        ("", "", false),
    ] {
        let parameters = [("AccountNames", names), ("Enrich", enrich)];
        let statements = resolved(statements, &sam, &parameters);
        let mut statements = statements.as_array().unwrap().iter();
        let alias = statements.find(|it| it["Action"] == "iam:ListAccountAliases");
        assert_eq!(alias.is_some(), is_allowed, "{names} {enrich}");
    }
    let statements = locals(&terraform)["parrot"]["statements"].to_string();
    let condition = "for it in local.looking_up_alias : it if var.enrich && local.uses_alias";
    assert!(statements.contains(condition), "{statements}");
}

/// The role's trust policy is the one of AWS's page. A condition that Amazon ECS does not fulfil would deny every hook.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-permissions.html>
#[test]
fn ecs_may_assume_the_hooks_role_without_a_condition() {
    let (sam, terraform) = both();
    let role = &sam["Resources"]["LifecycleHookRole"]["Properties"]["AssumeRolePolicyDocument"];
    let expected = json!([{"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}]);
    assert_eq!(role["Statement"], expected);
    let roles = terraform["resource"].as_array().unwrap().iter();
    let mut roles = roles
        .map(ToString::to_string)
        .filter(|it| it.contains("ecs.amazonaws.com"));
    let role = roles.next().unwrap();
    assert!(!role.contains("SourceAccount"), "{role}");
    assert_eq!(roles.next(), None);
}

/// Each function and each dead-letter queue has an alarm. After a crash a message is delivered again for two hours.
#[test]
fn failures_raise_an_alarm() {
    let (sam, terraform) = both();
    let resources = &sam["Resources"];
    for (alarm, metric) in [
        ("ErrorsAlarm", "Errors"),
        ("RunFromQueueErrorsAlarm", "Errors"),
        ("DeployHookAlarm", "Errors"),
        ("DeadLettersAlarm", "ApproximateNumberOfMessagesVisible"),
        ("RunDeadLettersAlarm", "ApproximateNumberOfMessagesVisible"),
    ] {
        let alarm = &resources[alarm]["Properties"];
        assert_eq!(alarm["MetricName"], metric);
        assert_eq!(alarm["Threshold"], 0);
        assert!(alarm["AlarmActions"].to_string().contains("AlarmActions"));
    }
    let queue = &resources["RunQueue"]["Properties"];
    let times = queue["RedrivePolicy"]["maxReceiveCount"].as_u64().unwrap();
    assert_eq!(
        queue["VisibilityTimeout"].as_u64().unwrap() * times,
        2 * 3_600
    );

    let module = terraform["resource"].to_string();
    for alarm in [
        "errors",
        "queue",
        "delivery_failures",
        "throttles",
        "silence",
    ] {
        let resources = terraform["resource"].as_array().unwrap().iter();
        let mut alarms = resources.filter_map(|it| {
            it.get("aws_cloudwatch_metric_alarm")
                .or_else(|| it.get("\"aws_cloudwatch_metric_alarm\""))
        });
        let found = alarms.find_map(|it| it.get(alarm).or_else(|| it.get(format!("\"{alarm}\""))));
        let found = found.unwrap_or_else(|| panic!("no alarm {alarm} in {module}"));
        assert!(found.to_string().contains("var.alarm_actions"), "{found}");
    }
    assert!(
        module.contains(r#""visibility_timeout_seconds":600"#),
        "{module}"
    );
}

/// The template and the module set every variable of every program, each from its own parameter.
#[test]
fn every_variable_can_be_set() {
    let (sam, terraform) = both();
    let locals = locals(&terraform);
    for (program, variables) in config::names() {
        let template = &sam["Resources"][in_sam(program)]["Properties"]["Environment"]["Variables"];
        let module = &in_terraform(&locals, program)["environment"];
        assert_eq!(
            template.as_object().unwrap().len(),
            variables.len(),
            "{program}"
        );
        assert_eq!(
            module.as_object().unwrap().len(),
            variables.len(),
            "{program}"
        );
        for variable in variables {
            // The stack knows the names of its own table and log group.
            if !["STATE_TABLE", "ARCHIVE_LOG_GROUP"].contains(&variable.as_str()) {
                let parameter = template[&variable]["Ref"].as_str().unwrap();
                assert_eq!(parameter.to_uppercase(), variable.replace('_', ""));
                assert_eq!(sam["Parameters"][parameter]["Default"], "", "{parameter}");
            }
            // Its variables are typed, so that each becomes a text in its own way.
            let value = module[&variable].to_string();
            assert!(
                value.contains("var.") || value.contains("local."),
                "{program}: {variable} is {value}"
            );
        }
    }
}

/// Keys of serverless.env.yml that SAM or Terraform has under another name, or not at all, and why.
const OTHER_NAMES: [(&str, Option<&str>, Option<&str>, &str); 8] = [
    (
        "stage",
        None,
        Some("name"),
        "the name of SAM's stack, or of the installation, stands for the service and the stage",
    ),
    (
        "region",
        None,
        None,
        "SAM and Terraform get it from the caller's session or provider",
    ),
    (
        "pass_roles",
        Some("PassRoleArns"),
        Some("pass_roles"),
        "SAM's parameters of ARNs are named so",
    ),
    (
        "metrics.by",
        Some("MetricsBy"),
        Some("metrics_by"),
        "a section with one key",
    ),
    (
        "ignored.exit_code.container_names",
        Some("IgnoredExitCodeContainerNames"),
        Some("ignored.exit_code_container_names"),
        "a section with one key",
    ),
    (
        "ignore.exit_code.container_names",
        Some("IgnoredExitCodeContainerNames"),
        Some("ignored.exit_code_container_names"),
        "the spelling of carnival-ecs-parrot, which only serverless.yml reads",
    ),
    (
        "functions.parrot",
        Some("Parrot"),
        Some("functions.parrot"),
        "SAM's switch of a function is named after it",
    ),
    (
        "timeout",
        Some("Timeout"),
        Some("timeout"),
        "SAM allows at most 119 s: CloudFormation cannot multiply",
    ),
];

/// Each key is a parameter of the template and a variable of the module, with the same default.
#[test]
fn the_settings_have_the_same_names_and_defaults() {
    let (sam, terraform, settings) = all();
    let declared = terraform["variable"]
        .as_array()
        .unwrap()
        .iter()
        .map(unquoted);
    let declared: Vec<_> = declared.collect();
    for key in KEYS {
        let other = OTHER_NAMES.iter().find(|(path, ..)| *path == key.path);
        let (in_sam, in_terraform) = match other {
            Some((_, in_sam, in_terraform, _)) => {
                (in_sam.map(str::to_owned), in_terraform.map(str::to_owned))
            }
            None => (Some(parameter_of(&key)), Some(key.path.to_owned())),
        };
        if let Some(name) = in_sam {
            let parameter = &sam["Parameters"][&name];
            assert!(parameter.is_object(), "{}: no parameter {name}", key.path);
            assert!(parameter["Description"].is_string(), "{name}");
            let default = default_of(&settings, key.path);
            let has_own_default = !matches!(
                key.allows,
                Allows::Variable(_) | Allows::Expectations(_) | Allows::Channels(_)
            );
            if has_own_default && other.is_none() {
                let found = scalar(&parameter["Default"]);
                assert_eq!(found, default, "{name}");
            }
        }
        if let Some(path) = in_terraform {
            let (name, field) = path.split_once('.').unwrap_or((&path, ""));
            let variable = declared.iter().find_map(|it| it.get(name));
            let variable = variable.unwrap_or_else(|| panic!("{}: no variable {name}", key.path));
            let fields = variable["type"].to_string();
            assert!(fields.contains(field), "{path}: {fields}");
        }
    }
}

/// `HubOrganization` for `hub.organization`. A variable's parameter is named after the variable.
fn parameter_of(key: &Key) -> String {
    let words = match key.allows {
        Allows::Variable(name) => name.to_lowercase(),
        _ => key.path.trim_start_matches("functions.").to_owned(),
    };
    let words = words.split(['_', '.']).map(|it| {
        let (first, rest) = it.split_at(1);
        first.to_uppercase() + rest
    });
    words.collect()
}

fn default_of(settings: &Value, path: &str) -> String {
    let found = path
        .split('.')
        .fold(settings, |section, name| &section[name]);
    scalar(found)
}

/// Nothing and an empty list are both no value.
fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => String::new(),
        other => other.to_string(),
    }
}

/// A value of Terraform's files without the quotes that the parser leaves around texts and keys.
fn unquoted(value: &Value) -> Value {
    let text = |quoted: &str| quoted.trim_matches('"').to_owned();
    match value {
        Value::String(quoted) => json!(text(quoted)),
        Value::Array(items) => items.iter().map(unquoted).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (text(key), unquoted(value)))
            .collect(),
        other => other.clone(),
    }
}

/// The rules of the notifier: the name in SAM, the name in Terraform, and the variable of its switch there.
const RULES: [(&str, &str, &str); 7] = [
    ("ApiCalls", "api-calls", "api_calls"),
    ("EcsEvents", "ecs-events", "native"),
    ("Health", "health", "health"),
    ("Scaling", "scaling", "scaling"),
    ("Alarms", "alarms", "alarms"),
    ("CodeDeploy", "code-deploy", "code_deploy"),
    ("Instances", "instances", "instances"),
];

/// Each rule takes the same events in both, and has the same switch.
#[test]
fn both_have_the_same_rules() {
    let (sam, terraform) = both();
    let rules = unquoted(&locals(&terraform)["rules"]);
    for (in_sam, in_terraform, variable) in RULES {
        let of_sam = &sam["Resources"][format!("{in_sam}Rule")]["Properties"];
        let mut pattern = of_sam["EventPattern"].clone();
        let mut rule = rules[in_terraform].clone();
        assert!(pattern.is_object(), "{in_sam}");
        if in_terraform == "api-calls" {
            // Both compute this list from a switch.
            pattern["detail"]["eventName"].take();
            rule["pattern"]["detail"]["eventName"].take();
        }
        assert_eq!(rule["pattern"], pattern, "{in_terraform}");
        assert_eq!(rule["on"], format!("${{var.rules.{variable}}}"));
        let parameter = match in_sam {
            "EcsEvents" => "RulesNative".to_owned(),
            _ => format!("Rules{in_sam}"),
        };
        let parameter = parameter.as_str();
        for (given, state) in [("true", "ENABLED"), ("false", "DISABLED")] {
            let found = resolved(&of_sam["State"], &sam, &[(parameter, given)]);
            assert_eq!(found, state, "{parameter}");
        }
        // Two are off by default.
        let is_off = ["RulesCodeDeploy", "RulesInstances"].contains(&parameter);
        let default = &sam["Parameters"][parameter]["Default"];
        assert_eq!(default, &json!((!is_off).to_string()), "{parameter}");
        let variables = terraform["variable"].as_array().unwrap().iter();
        let variables: Vec<_> = variables.map(unquoted).collect();
        let declared = variables.iter().find_map(|it| it.get("rules")).unwrap();
        let declared = declared["type"].to_string();
        let optional = format!("optional(bool, {})", !is_off);
        let of_switch = declared.split(variable).nth(1).unwrap_or_default();
        assert!(
            of_switch.find(&optional) == of_switch.find("optional("),
            "{variable}: {declared}"
        );
    }
}

/// Each rule may invoke the function and send to the dead-letter queue. The archive is its second target, if there is one.
#[test]
fn every_rule_reaches_the_function_and_the_archive() {
    let (sam, terraform) = both();
    let resources = &sam["Resources"];
    for (name, ..) in RULES {
        let permission = &resources[format!("{name}Permission")]["Properties"];
        let rule = json!({"Fn::GetAtt": [format!("{name}Rule"), "Arn"]});
        assert_eq!(permission["SourceArn"], rule);
        for (ingest, archive, targets) in [
            ("queue", "false", vec!["events"]),
            ("direct", "true", vec!["parrot", "archive"]),
        ] {
            let parameters = [("Ingest", ingest), ("Archive", archive)];
            let found = &resources[format!("{name}Rule")]["Properties"]["Targets"];
            let found = resolved(found, &sam, &parameters);
            let ids: Vec<_> = found
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|it| it["Id"].as_str())
                .collect();
            assert_eq!(ids, targets, "{name}");
        }
    }
    let module = terraform["resource"].to_string();
    for part in [
        "aws_cloudwatch_log_resource_policy",
        "for_each\":\"${local.archived}",
        "for_each\":\"${local.parrot_rules}",
    ] {
        assert!(module.contains(part), "{part}: {module}");
    }
}

/// The archive keeps events for a number of days that CloudWatch Logs allows.
#[test]
fn the_archive_is_checked_before_it_is_deployed() {
    let (sam, terraform) = both();
    let parameters = &sam["Parameters"];
    let of_sam = &parameters["ArchiveRetention"]["AllowedValues"];
    let days: Vec<_> = of_sam
        .as_array()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    let key = KEYS
        .iter()
        .find(|it| it.path == "archive_retention")
        .unwrap();
    let Allows::OneOf(allowed) = key.allows else {
        panic!("{key:?}");
    };
    assert_eq!(days, allowed);
    let variables = terraform["variable"].to_string();
    assert!(
        variables.contains(&format!(
            "contains([{}], var.archive_retention)",
            days.join(", ")
        )),
        "{variables}"
    );
}

/// What the function may look up depends on the rules that are on.
#[test]
fn the_role_allows_looking_up_what_the_rules_bring() {
    let (sam, terraform) = both();
    let statements = &statements_of(&sam, "ParrotRole");
    let locals = locals(&terraform);
    let module = locals["parrot"]["statements"].to_string();
    for (parameter, variable, sids) in [
        ("RulesCodeDeploy", "code_deploy", vec!["LookUpCodeDeploy"]),
        (
            "RulesInstances",
            "instances",
            vec!["LookUpInstances", "LookUpClusters"],
        ),
        ("RulesAlarms", "alarms", vec!["LookUpAlarms"]),
    ] {
        for (given, enrich, is_allowed) in [
            ("true", "", true),
            ("true", "false", false),
            ("false", "", false),
        ] {
            let parameters = [(parameter, given), ("Enrich", enrich)];
            let statements = resolved(statements, &sam, &parameters);
            for sid in &sids {
                let mut statements = statements.as_array().unwrap().iter();
                let found = statements.any(|it| it["Sid"] == *sid);
                assert_eq!(found, is_allowed, "{sid} {given} {enrich}");
            }
        }
        let condition = format!("var.enrich && var.rules.{variable}");
        assert!(module.contains(&condition), "{module}");
        let of_module = locals[format!("looking_up_{variable}")].to_string();
        for sid in sids {
            assert!(of_module.contains(sid), "{of_module}");
        }
    }
}

/// Both deploy the zips that `make package` builds.
#[test]
fn every_program_is_deployed_from_its_zip() {
    let (sam, terraform) = both();
    for (program, _) in config::names() {
        let zip = format!("dist/{program}.zip");
        let code = sam["Resources"][in_sam(program)]["Properties"]["CodeUri"]
            .as_str()
            .unwrap();
        assert_eq!(code, format!("../../{zip}"));
    }
    let module = terraform["resource"].to_string();
    let file = r#""filename":"\"${local.zips}/${each.key}.zip\"""#;
    assert!(module.contains(file), "{module}");
}

/// `iam:PassRole` names each role, and only tasks may get it. One exception: `run-from-queue` may also pass a role to
/// ECS itself, for the EBS volumes of a message.
#[test]
fn no_role_is_passed_by_a_wildcard() {
    let (sam, terraform) = both();
    let locals = locals(&terraform);
    let mut passing = Vec::new();
    for (program, _) in config::names() {
        let role = in_sam(program).replace("Function", "Role");
        let of_sam = statements_of(&sam, &role);
        let of_sam = of_sam.as_array().into_iter().flatten();
        let statements = &in_terraform(&locals, program)["statements"];
        let of_terraform = statements.as_array().into_iter().flatten();
        let all = of_sam.chain(of_terraform);
        let all = all.filter(|it| it["Action"].to_string().contains("iam:PassRole"));
        passing.extend(all.map(|it| (program, it.clone())));
    }
    assert_eq!(passing.len(), 4, "two functions, twice");
    for (program, statement) in passing {
        let resource = statement["Resource"].to_string();
        assert!(
            resource.contains("PassRoleArns") || resource.contains("local.passed_roles"),
            "{resource}"
        );
        let condition = statement["Condition"].to_string();
        assert!(condition.contains("iam:PassedToService"), "{condition}");
        assert!(condition.contains("ecs-tasks.amazonaws.com"), "{condition}");
        let is_to_ecs = condition.contains("ecs.amazonaws.com");
        assert_eq!(is_to_ecs, program == "run-from-queue", "{condition}");
    }
}

/// The names of a list of Terraform's blocks.
fn block_names(blocks: &Value) -> BTreeSet<String> {
    let blocks = blocks.as_array().unwrap().iter();
    let names = blocks.filter_map(Value::as_object).flat_map(|it| it.keys());
    names.map(|it| it.trim_matches('"').to_owned()).collect()
}

/// The page of each module has a row for each variable and each output, and no other rows.
#[test]
fn the_pages_of_the_modules_list_their_variables_and_outputs() {
    let root = tools::root();
    let template = root.join("deploy/sam/template.yaml");
    let settings = root.join("serverless.env.yml.example");
    for module in ["deploy/terraform", "deploy/terraform/modules/member"] {
        let module = root.join(module);
        let paths = [&template, &module, &settings];
        let printed = tools::run_python("infrastructure.py", &paths, "");
        let printed: Value = serde_json::from_str(&printed).unwrap();
        check_page(&module.join("README.md"), &printed["terraform"]);
    }
}

fn check_page(page: &Path, terraform: &Value) {
    let page = fs::read_to_string(page).unwrap();
    for (title, blocks) in [("## Inputs", "variable"), ("## Outputs", "output")] {
        let (_, table) = page.split_once(title).unwrap();
        let table = table.split("\n## ").next().unwrap();
        let rows = table.lines().skip_while(|it| !it.starts_with("|---"));
        let names = rows.skip(1).filter_map(|it| it.split('|').nth(1));
        let names: BTreeSet<_> = names.map(|it| it.trim().to_owned()).collect();
        assert_eq!(names, block_names(&terraform[blocks]), "{title}");
    }
}
