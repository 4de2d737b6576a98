//! The members of a hub: their rules take what the hub's own rules take, and their lookup role allows what the hub looks up.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cloud_formation::{Stack, text};
use super::package::Package;
use super::terraform::Module;
use crate::fake_aws::{ACCOUNT, REGION};
use crate::tools;

const SETTINGS: &str = "mysettings:
  stage: prod
  region: eu-west-1
  rules: {code_deploy: true, instances: true}
  account_names: ALIAS
  log_tail: {lines: 5, groups: '/apps/*'}
  hub: {organization: o-a1b2c3d4e5, lookup_role: 'arn:aws:iam::{account}:role/lookup', external_id: parrot-42}
";
const BUS: &str = "arn:aws:events:eu-west-1:999999999999:event-bus/ecs-parrot-prod";
const ROLE: &str = "arn:aws:iam::999999999999:role/ecs-parrot-prod-eu-west-1-parrot";

/// The same settings for a member, as parameters of the template and as variables of the module.
const PARAMETERS: [(&str, &str); 8] = [
    ("HubBusArn", BUS),
    ("HubRoleArn", ROLE),
    ("LookupRoleRegion", REGION),
    ("LookupRoleName", "lookup"),
    ("ExternalId", "parrot-42"),
    ("LogGroups", "/apps/*"),
    ("RulesCodeDeploy", "true"),
    ("RulesInstances", "true"),
];

fn variables() -> Value {
    json!({
        "hub_bus_arn": BUS, "hub_role_arn": ROLE, "lookup_role_name": "lookup", "external_id": "parrot-42",
        "log_groups": "/apps/*", "rules": {"code_deploy": true, "instances": true},
    })
}

fn member(parameters: &[(&str, &str)]) -> Stack {
    let root = tools::root();
    let paths = [
        root.join("deploy/cloudformation/member.yaml"),
        root.join("deploy/terraform/modules/member"),
        root.join("serverless.env.yml.example"),
    ];
    let printed = tools::run_python("infrastructure.py", &paths, "");
    let mut printed: Value = serde_json::from_str(&printed).unwrap();
    Stack::new(printed["sam"].take(), "member").with(parameters)
}

/// The pattern and the state of each rule, by the end of its name.
fn rules(stack: &Stack, prefix: &str) -> BTreeMap<String, Value> {
    let rules = stack.resources("AWS::Events::Rule").into_iter();
    let rules = rules.filter_map(|(_, it)| {
        let name = text(&it["Name"]);
        let name = name.strip_prefix(prefix)?.to_owned();
        Some((name, json!([it["EventPattern"], it["State"]])))
    });
    rules.collect()
}

fn statements(policy: &Value) -> BTreeMap<String, Value> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    let named = statements.map(|it| (text(&it["Sid"]), it.clone()));
    named.collect()
}

#[test]
#[ignore = "acceptance"]
fn a_member_sends_and_allows_what_the_hub_needs() {
    let hub = Package::new().settings(SETTINGS).template();
    let hub = Stack::new(hub, "ecs-parrot-prod");
    let member = member(&PARAMETERS);
    let sent = rules(&member, "ecs-parrot-member-");
    assert_eq!(sent.len(), 7);
    assert_eq!(sent, rules(&hub, "ecs-parrot-prod-queued-"));
    for (name, rule) in member.resources("AWS::Events::Rule") {
        let target = &rule["Targets"][0];
        assert_eq!(target["Arn"], BUS, "{name}");
        assert_eq!(
            target["RoleArn"],
            format!("arn:aws:iam::{ACCOUNT}:role/ecs-parrot-{REGION}-forward")
        );
        assert!(target["DeadLetterConfig"]["Arn"].is_string(), "{name}");
    }

    let roles: BTreeMap<_, _> = member.resources("AWS::IAM::Role").into_iter().collect();
    let lookups = statements(&roles["LookupRole"]["Policies"][0]["PolicyDocument"]);
    let of_hub: BTreeMap<_, _> = hub.resources("AWS::IAM::Role").into_iter().collect();
    let of_hub = statements(&of_hub["ParrotRole"]["Policies"][0]["PolicyDocument"]);
    for (sid, statement) in &lookups {
        // The hub asks in every region of a member.
        let of_hub = of_hub[sid].to_string().replace(REGION, "*");
        assert_eq!(statement.to_string(), of_hub, "{sid}");
        let actions = statement["Action"].to_string();
        assert!(
            !["Run", "Stop", "Put", "Update", "Delete"]
                .iter()
                .any(|it| actions.contains(it))
        );
    }
    let of_hub = of_hub
        .keys()
        .filter(|it| it.starts_with("LookUp") || *it == "ReadLastWords");
    assert!(lookups.keys().eq(of_hub), "{lookups:?}");

    let trust = &roles["LookupRole"]["AssumeRolePolicyDocument"]["Statement"][0];
    assert_eq!(
        *trust,
        json!({
            "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"}, "Action": "sts:AssumeRole",
            "Condition": {"ArnEquals": {"aws:PrincipalArn": ROLE}, "StringEquals": {"sts:ExternalId": "parrot-42"}},
        })
    );
}

/// A role is for all regions, so the other regions of a member have none.
#[test]
#[ignore = "acceptance"]
fn a_member_has_one_lookup_role() {
    for (parameters, expected) in [
        (
            vec![
                ("HubBusArn", BUS),
                ("HubRoleArn", ROLE),
                ("LookupRoleRegion", "us-east-1"),
            ],
            1,
        ),
        (vec![("HubBusArn", BUS), ("LookupRoleRegion", REGION)], 1),
        (
            vec![
                ("HubBusArn", BUS),
                ("HubRoleArn", ROLE),
                ("LookupRoleRegion", REGION),
            ],
            2,
        ),
    ] {
        let roles = member(&parameters).resources("AWS::IAM::Role").len();
        assert_eq!(roles, expected, "{parameters:?}");
    }
}

/// The module of members makes what the template makes.
#[test]
#[ignore = "acceptance"]
fn the_module_of_members_makes_the_same() {
    let Some(module) = Module::of("modules/member") else {
        return;
    };
    let plan = module.plan(&variables().to_string());
    let member = member(&PARAMETERS);
    let parsed = |it: &Value| serde_json::from_str::<Value>(it.as_str().unwrap()).unwrap();
    let planned: BTreeMap<_, _> = plan
        .iter()
        .filter(|(address, _)| address.starts_with("aws_cloudwatch_event_rule."))
        .map(|(_, it)| {
            let name = text(&it["name"]);
            let name = name.strip_prefix("ecs-parrot-prod-member-").unwrap();
            (
                name.to_owned(),
                json!([parsed(&it["event_pattern"]), it["state"]]),
            )
        })
        .collect();
    assert_eq!(planned, rules(&member, "ecs-parrot-member-"));
    let roles: BTreeMap<_, _> = member.resources("AWS::IAM::Role").into_iter().collect();
    for (of_template, of_module) in [
        ("LookupRole", "aws_iam_role_policy.lookup[0]"),
        ("ForwardRole", "aws_iam_role_policy.forward"),
    ] {
        let expected = statements(&roles[of_template]["Policies"][0]["PolicyDocument"]);
        let found = statements(&parsed(&plan[of_module]["policy"]));
        assert_eq!(found, expected, "{of_template}");
    }
    let trust = parsed(&plan["aws_iam_role.lookup[0]"]["assume_role_policy"]);
    assert_eq!(trust, roles["LookupRole"]["AssumeRolePolicyDocument"]);
    let (_, alarm) = &member.resources("AWS::CloudWatch::Alarm")[0];
    let planned = &plan["aws_cloudwatch_metric_alarm.undelivered"];
    assert_eq!(planned["alarm_description"], alarm["AlarmDescription"]);
    assert_eq!(text(&planned["threshold"]), text(&alarm["Threshold"]));
}

/// What is wrong is said before anything is made.
#[test]
#[ignore = "acceptance"]
fn wrong_variables_of_a_member_are_refused() {
    let Some(module) = Module::of("modules/member") else {
        return;
    };
    for (variable, value, expected) in [
        (
            "hub_bus_arn",
            json!("ecs-parrot-prod"),
            "hub_bus_arn is the ARN of an event bus",
        ),
        (
            "hub_role_arn",
            json!("parrot"),
            "hub_role_arn is the ARN of a role",
        ),
        ("rules", json!({"health": "maybe"}), "a bool is required"),
    ] {
        let mut all = variables();
        all[variable] = value;
        let printed = module.refusal(&all.to_string());
        assert!(printed.contains(expected), "{variable}: {printed}");
    }
}
