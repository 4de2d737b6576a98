//! The rules of serverless.yml on moto's event bus, and by the notifier's own reading of EventBridge's patterns: each
//! event is routed by the one rule that is meant for it, or by no rule.

mod around_ecs;

use std::collections::{BTreeMap, BTreeSet};

use ecs_parrot::notifier::route::pattern::{FieldValues, Pattern, UnknownField};
use serde_json::{Value, json};

use super::package::{Package, RULES};
use crate::{events, tools};
use around_ecs::around_ecs;

const API_CALL: &str = "AWS API Call via CloudTrail";
const AGENT_CALLS: [&str; 3] = [
    "SubmitContainerStateChange",
    "SubmitAttachmentStateChanges",
    "DiscoverPollEndpoint",
];

/// The switches that are on.
#[derive(Clone, Debug, PartialEq)]
struct Switches(BTreeSet<&'static str>);

impl Switches {
    fn all() -> Self {
        Self(RULES.iter().map(|(switch, _)| *switch).collect())
    }

    fn without(switch: &'static str) -> Self {
        let mut switches = Self::all();
        switches.0.remove(switch);
        switches
    }

    /// The rule that should route an event, by the end of the rule's name.
    fn expected(&self, event: &Value) -> Option<&'static str> {
        let switch = self.switch_of(event)?;
        let rule = RULES.iter().find(|(name, _)| *name == switch);
        rule.map(|(_, rule)| *rule)
            .filter(|_| self.0.contains(switch))
    }

    /// The switch of the rule that is meant for an event, by its source and its detail.
    fn switch_of(&self, event: &Value) -> Option<&'static str> {
        let detail = &event["detail"];
        let kind = event["detail-type"].as_str()?;
        match (event["source"].as_str()?, kind) {
            ("aws.ecs", API_CALL) => {
                let is_wanted = match detail["eventName"].as_str()? {
                    "SubmitTaskStateChange" => !self.0.contains("native"),
                    name => !AGENT_CALLS.contains(&name),
                };
                is_wanted.then_some("api_calls")
            }
            ("aws.ecs", _) => Some("native"),
            ("aws.health", "AWS Health Event") => match detail["service"].as_str()? {
                "ECS" | "FARGATE" => Some("health"),
                "EC2" if detail["eventTypeCategory"] == "scheduledChange" => Some("instances"),
                _ => None,
            },
            (
                "aws.application-autoscaling",
                "Application Auto Scaling Scaling Activity State Change",
            ) => {
                let is_ecs = detail["serviceNamespace"] == "ecs" && detail["scaledToMax"] == true;
                is_ecs.then_some("scaling")
            }
            (
                "aws.cloudwatch",
                "CloudWatch Alarm State Change" | "CloudWatch Alarm Configuration Change",
            ) => is_alarm_of_ecs(detail).then_some("alarms"),
            ("aws.codedeploy", "CodeDeploy Deployment State-change Notification") => {
                Some("code_deploy")
            }
            (
                "aws.ec2",
                "EC2 Spot Instance Interruption Warning" | "EC2 Instance Rebalance Recommendation",
            )
            | (
                "aws.autoscaling",
                "EC2 Instance Launch Unsuccessful" | "EC2 Instance-terminate Lifecycle Action",
            ) => Some("instances"),
            _ => None,
        }
    }

    fn package(&self) -> Value {
        let switches = RULES.map(|(switch, _)| format!("{switch}: {}", self.0.contains(switch)));
        Package::new()
            .settings(&format!(
                "mysettings: {{rules: {{{}}}}}",
                switches.join(", ")
            ))
            .template()
    }
}

fn is_alarm_of_ecs(detail: &Value) -> bool {
    let configuration = &detail["configuration"];
    let mut metrics = configuration["metrics"].as_array().into_iter().flatten();
    let is_of_ecs = |it: &Value| {
        let namespace = &it["metricStat"]["metric"]["namespace"];
        ["AWS/ECS", "ECS/ContainerInsights"].contains(&namespace.as_str().unwrap_or_default())
    };
    let name = detail["alarmName"].as_str().unwrap_or_default();
    metrics.any(is_of_ecs)
        || name.starts_with("TargetTracking-service/")
        || configuration["alarmRule"].is_string()
}

/// The properties of the template's rules, without those of the hub's own bus.
fn rules(template: &Value) -> Vec<&Value> {
    let resources = template["Resources"].as_object().unwrap().values();
    let rules = resources.filter(|resource| resource["Type"] == "AWS::Events::Rule");
    let rules = rules.map(|resource| &resource["Properties"]);
    rules.filter(|it| it["EventBusName"].is_null()).collect()
}

/// Puts the events on a bus with the template's rules. Returns for each event the rules that routed it, by the end of
/// their names. The patterns, read by the notifier itself, must match the same events.
fn route(template: &Value, events: &[&Value]) -> Vec<Vec<String>> {
    let rules = rules(template);
    assert_eq!(rules.len(), RULES.len());
    let answer = tools::run_acceptance_python(
        "route.py",
        &[""; 0],
        &json!({"rules": rules, "events": events}).to_string(),
    );
    let routed: Vec<Vec<String>> = serde_json::from_str(&answer).unwrap();
    assert_eq!(routed.len(), events.len());
    for (event, by_moto) in events.iter().zip(&routed) {
        let by_us: BTreeSet<_> = matching(&rules, event).collect();
        assert_eq!(by_moto.iter().collect::<BTreeSet<_>>(), by_us, "{event}");
    }
    let short = |name: String| name.trim_start_matches("ecs-parrot-dev-queued-").to_owned();
    routed
        .into_iter()
        .map(|names| names.into_iter().map(short).collect())
        .collect()
}

/// The names of the rules that are on and whose patterns match an event.
fn matching<'a>(rules: &'a [&'a Value], event: &Value) -> impl Iterator<Item = &'a String> {
    let values = FieldValues::of_event(event);
    let matches = move |rule: &&&Value| {
        let pattern = Pattern::read(&rule["EventPattern"]).unwrap();
        rule["State"] == "ENABLED" && pattern.matches(&values, UnknownField::CountsAsMismatch)
    };
    let names = rules.iter().filter(matches).map(|rule| &rule["Name"]);
    names.map(|name| match name {
        Value::String(name) => name,
        other => panic!("{other}"),
    })
}

/// The samples that EventBridge could deliver, by file name, and events from around ECS.
fn samples() -> BTreeMap<String, Value> {
    let samples = events::all().iter().filter(|(_, event)| {
        event["source"].is_string()
            && event["detail-type"].is_string()
            && event["detail"].is_object()
    });
    let samples: BTreeMap<_, _> = samples.cloned().collect();
    assert!(!samples.is_empty(), "samples/ holds no EventBridge event");
    let others = around_ecs().into_iter();
    let others = others.map(|(name, event, _)| (name.to_owned(), event));
    samples.into_iter().chain(others).collect()
}

#[test]
#[ignore = "acceptance"]
fn each_sample_is_routed_by_the_one_rule_that_is_meant_for_it() {
    let samples = samples();
    let events: Vec<&Value> = samples.values().collect();
    // Only the pattern of the API calls depends on a switch. Another test switches each rule off by itself.
    let none = Switches(BTreeSet::new());
    for switches in [Switches::all(), Switches::without("native"), none] {
        let routed = route(&switches.package(), &events);
        let mut seen = BTreeSet::new();
        for ((file, event), rules) in samples.iter().zip(&routed) {
            let expected: Vec<&str> = switches.expected(event).into_iter().collect();
            assert_eq!(rules, &expected, "{file}, with {switches:?}");
            seen.extend(expected);
        }
        let on = RULES.iter().filter(|(name, _)| switches.0.contains(name));
        let on: BTreeSet<_> = on.map(|(_, rule)| *rule).collect();
        assert_eq!(
            seen, on,
            "the samples do not use every rule, with {switches:?}"
        );
    }
}

/// The archive's rules take what the others take, and are on where those are on, in both modes of `ingest`.
#[test]
#[ignore = "acceptance"]
fn the_archive_keeps_what_the_rules_take() {
    for ingest in ["queue", "direct"] {
        for switches in ["health: false, instances: true", "native: false"] {
            let settings =
                format!("mysettings: {{ingest: {ingest}, archive: true, rules: {{{switches}}}}}");
            let template = Package::new().settings(&settings).template();
            let rules = rules(&template);
            assert_eq!(rules.len(), 2 * RULES.len());
            for (_, name) in RULES {
                let prefix = match ingest {
                    "queue" => "ecs-parrot-dev-queued",
                    _ => "ecs-parrot-dev",
                };
                let of = |name: String| {
                    let mut found = rules.iter().filter(|it| it["Name"] == *name);
                    *found.next().unwrap_or_else(|| panic!("no rule {name}"))
                };
                let own = of(format!("{prefix}-{name}"));
                let archiving = of(format!("ecs-parrot-dev-archive-{name}"));
                for property in ["EventPattern", "State"] {
                    assert_eq!(own[property], archiving[property], "{name}");
                }
                let group = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/events/ecs-parrot-dev";
                let target = json!([{
                    "Id": "archive",
                    "Arn": {"Fn::Sub": group},
                    "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 185},
                }]);
                assert_eq!(archiving["Targets"], target, "{name}");
            }
        }
    }
}

/// Events that the samples may lack. The expected rules are written by hand, and not computed as above.
#[test]
#[ignore = "acceptance"]
fn borderline_events_go_to_the_right_rule() {
    let call = |source: &str, service: &str, name: &str| json!({"source": source, "detail-type": API_CALL, "detail": {"eventSource": service, "eventName": name}});
    let own = |source: &str, detail_type: &str, detail: Value| json!({"source": source, "detail-type": detail_type, "detail": detail});
    let ecs = "ecs.amazonaws.com";
    // The event, the rule that routes it while native is on, and the rule while native is off.
    let cases = [
        (call("aws.ecs", ecs, "RunTask"), "api-calls", "api-calls"),
        (
            call("aws.ecs", ecs, "InventedTomorrow"),
            "api-calls",
            "api-calls",
        ),
        (
            call("aws.ecs", ecs, "SubmitTaskStateChange"),
            "",
            "api-calls",
        ),
        (call("aws.ecs", ecs, "SubmitContainerStateChange"), "", ""),
        (call("aws.ecs", ecs, "SubmitAttachmentStateChanges"), "", ""),
        (call("aws.ecs", ecs, "DiscoverPollEndpoint"), "", ""),
        (call("aws.ec2", "ec2.amazonaws.com", "RunInstances"), "", ""),
        (call("aws.ecr", "ecr.amazonaws.com", "PutImage"), "", ""),
        (
            call(
                "aws.codedeploy",
                "codedeploy.amazonaws.com",
                "CreateDeployment",
            ),
            "",
            "",
        ),
        (
            own(
                "aws.ecs",
                "ECS Task State Change",
                json!({"lastStatus": "STOPPED"}),
            ),
            "ecs-events",
            "",
        ),
        (
            own(
                "aws.ecs",
                "ECS Invented Tomorrow",
                json!({"lastStatus": "ODD"}),
            ),
            "ecs-events",
            "",
        ),
        (
            own(
                "aws.ecs",
                "AWS Service Event via CloudTrail",
                json!({"eventSource": ecs}),
            ),
            "ecs-events",
            "",
        ),
        (
            own(
                "my.app",
                "ECS Task State Change",
                json!({"lastStatus": "STOPPED"}),
            ),
            "",
            "",
        ),
        (
            own("aws.s3", "Object Created", json!({"bucket": {}})),
            "",
            "",
        ),
    ];
    let around = around_ecs().into_iter();
    let around = around.map(|(_, event, rule)| (event, rule, rule));
    let cases: Vec<_> = cases.into_iter().chain(around).collect();
    let events: Vec<&Value> = cases.iter().map(|(event, _, _)| event).collect();
    let with_native = route(&Switches::all().package(), &events);
    let without = route(&Switches::without("native").package(), &events);
    for ((event, on, off), (routed_on, routed_off)) in
        cases.iter().zip(with_native.iter().zip(&without))
    {
        assert_eq!(routed_on.join(" "), *on, "native on: {event}");
        assert_eq!(routed_off.join(" "), *off, "native off: {event}");
    }
}
