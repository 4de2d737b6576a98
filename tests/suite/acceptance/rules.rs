//! The rules of serverless.yml on moto's event bus: each sample is routed by the one rule that is meant for it, or by
//! no rule.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::package::Package;
use crate::{events, tools};

const API_CALL: &str = "AWS API Call via CloudTrail";
const AGENT_CALLS: [&str; 3] = [
    "SubmitContainerStateChange",
    "SubmitAttachmentStateChanges",
    "DiscoverPollEndpoint",
];

#[derive(Clone, Copy, Debug, PartialEq)]
struct Switches {
    api_calls: bool,
    native: bool,
}

impl Switches {
    /// The rule that should route an event, by the end of the rule's name.
    fn expected(self, event: &Value) -> Option<&'static str> {
        if event["source"] != "aws.ecs" {
            return None;
        }
        if event["detail-type"] != API_CALL {
            return self.native.then_some("ecs-events");
        }
        let name = event["detail"]["eventName"].as_str()?;
        let wanted = match name {
            "SubmitTaskStateChange" => !self.native,
            name => !AGENT_CALLS.contains(&name),
        };
        (self.api_calls && wanted).then_some("api-calls")
    }

    fn package(self) -> Value {
        let Self { api_calls, native } = self;
        Package::new()
            .settings(&format!(
                "mysettings: {{rules: {{api_calls: {api_calls}, native: {native}}}}}"
            ))
            .template()
    }
}

/// Puts the events on a bus with the template's rules. Returns for each event the rules that routed it, by the end of
/// their names.
fn route(template: &Value, events: &[&Value]) -> Vec<Vec<String>> {
    let rules: Vec<&Value> = template["Resources"]
        .as_object()
        .unwrap()
        .values()
        .filter(|resource| resource["Type"] == "AWS::Events::Rule")
        .map(|resource| &resource["Properties"])
        .collect();
    assert_eq!(rules.len(), 2);
    let answer = tools::run_acceptance_python(
        "route.py",
        &json!({"rules": rules, "events": events}).to_string(),
    );
    let routed: Vec<Vec<String>> = serde_json::from_str(&answer).unwrap();
    assert_eq!(routed.len(), events.len());
    let short = |name: String| name.trim_start_matches("ecs-parrot-dev-queued-").to_owned();
    routed
        .into_iter()
        .map(|names| names.into_iter().map(short).collect())
        .collect()
}

/// The samples that EventBridge could deliver, by file name.
fn samples() -> BTreeMap<&'static str, &'static Value> {
    let samples = events::all().iter().filter(|(_, event)| {
        event["source"].is_string()
            && event["detail-type"].is_string()
            && event["detail"].is_object()
    });
    let samples: BTreeMap<_, _> = samples
        .map(|(name, event)| (name.as_str(), event))
        .collect();
    assert!(!samples.is_empty(), "samples/ holds no EventBridge event");
    samples
}

#[test]
#[ignore = "acceptance"]
fn each_sample_is_routed_by_the_one_rule_that_is_meant_for_it() {
    let samples = samples();
    let events: Vec<&Value> = samples.values().copied().collect();
    for (api_calls, native) in [(true, true), (true, false), (false, true), (false, false)] {
        let switches = Switches { api_calls, native };
        let routed = route(&switches.package(), &events);
        let mut seen = BTreeMap::new();
        for ((file, event), rules) in samples.iter().zip(&routed) {
            let expected: Vec<&str> = switches.expected(event).into_iter().collect();
            assert_eq!(rules, &expected, "{file}, with {switches:?}");
            *seen
                .entry(rules.first().map_or("none", String::as_str))
                .or_insert(0) += 1;
        }
        let rules: Vec<&str> = seen.keys().copied().collect();
        let all: Vec<&str> = [
            ("api-calls", api_calls),
            ("ecs-events", native),
            ("none", true),
        ]
        .into_iter()
        .filter_map(|(rule, on)| on.then_some(rule))
        .collect();
        assert_eq!(
            rules, all,
            "the samples do not use every rule, with {switches:?}: {seen:?}"
        );
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
    let events: Vec<&Value> = cases.iter().map(|(event, _, _)| event).collect();
    let with_native = route(
        &Switches {
            api_calls: true,
            native: true,
        }
        .package(),
        &events,
    );
    let without = route(
        &Switches {
            api_calls: true,
            native: false,
        }
        .package(),
        &events,
    );
    for ((event, on, off), (routed_on, routed_off)) in
        cases.iter().zip(with_native.iter().zip(&without))
    {
        assert_eq!(routed_on.join(" "), *on, "native on: {event}");
        assert_eq!(routed_off.join(" "), *off, "native off: {event}");
    }
}
