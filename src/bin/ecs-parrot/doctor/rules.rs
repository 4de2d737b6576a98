//! The rules: whether events arrive, and whether each arrives once.

use std::collections::{BTreeMap, BTreeSet};

use ecs_parrot::aws::service::{self, Client};
use ecs_parrot::aws::{CallError, Session};
use ecs_parrot::notifier::route::pattern::{FieldValues, Pattern, UnknownField};
use serde_json::{Value, json};

use super::finding::Findings;
use super::installation::Installation;

/// The most pages of a list.
const MOST_PAGES: usize = 20;

/// A rule of the default event bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    name: String,
    is_on: bool,
    pattern: Value,
}

/// What the rules of an installation bring.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Whether they are known.
    pub(super) is_known: bool,
    pub(super) has_api_calls: bool,
}

/// Events that must arrive, by what they are called for people. The others have switches that are often off.
fn samples() -> [(&'static str, Value); 3] {
    let call = |name: &str| {
        json!({"source": "aws.ecs", "detail-type": "AWS API Call via CloudTrail",
               "detail": {"eventSource": "ecs.amazonaws.com", "eventName": name}})
    };
    let own = |detail_type: &str, detail: Value| json!({"source": "aws.ecs", "detail-type": detail_type, "detail": detail});
    [
        ("API calls", call("StopTask")),
        (
            "stopped tasks",
            own(
                "ECS Task State Change",
                json!({"lastStatus": "STOPPED", "desiredStatus": "STOPPED"}),
            ),
        ),
        (
            "deployments",
            own(
                "ECS Deployment State Change",
                json!({"eventType": "ERROR", "eventName": "SERVICE_DEPLOYMENT_FAILED"}),
            ),
        ),
    ]
}

pub(super) async fn check(session: &Session, it: &Installation, findings: &mut Findings) -> Heard {
    let before = findings.findings.len();
    let client = session.service(service::EVENT_BRIDGE);
    for (queue, state) in &it.sources {
        if !state.starts_with("Enabl") {
            findings.wrong(
                "event_source_off",
                format!("the function does not read its queue {queue}: the event source is {state}"),
                format!("aws lambda list-event-source-mappings --function-name {}, then update-event-source-mapping --enabled", it.name),
            );
        }
    }
    let rules = match rules_of(&client, it).await {
        Ok(rules) => rules,
        Err(error) => {
            findings.not_checked("rules", &error);
            return Heard::default();
        }
    };
    judge(&rules, findings);
    let heard = Heard {
        is_known: true,
        has_api_calls: takes(&rules, &samples()[0].1).next().is_some(),
    };
    findings.done("rules", before);
    heard
}

/// The rules that send to the function or to one of its queues, but not those of the archive.
async fn rules_of(client: &Client, it: &Installation) -> Result<Vec<Rule>, CallError> {
    let targets = it.sources.iter().map(|(queue, _)| queue.as_str());
    let mut names = BTreeSet::new();
    for target in targets.chain([it.arn.as_str()]) {
        let mut token = Value::Null;
        for _ in 0..MOST_PAGES {
            let mut input = json!({"TargetArn": target});
            if token.is_string() {
                input["NextToken"] = token;
            }
            let answer = client.call("ListRuleNamesByTarget", &input).await?;
            let found = answer["RuleNames"].as_array().into_iter().flatten();
            names.extend(found.filter_map(Value::as_str).map(str::to_owned));
            token = answer["NextToken"].clone();
            if token.is_null() {
                break;
            }
        }
    }
    let mut rules = Vec::new();
    for name in names {
        let answer = client.call("DescribeRule", &json!({"Name": name})).await?;
        let pattern = answer["EventPattern"].as_str().unwrap_or("{}");
        rules.push(Rule {
            is_on: answer["State"]
                .as_str()
                .is_some_and(|it| it.starts_with("ENABLED")),
            pattern: serde_json::from_str(pattern).unwrap_or_default(),
            name,
        });
    }
    Ok(rules)
}

fn judge(rules: &[Rule], findings: &mut Findings) {
    if rules.is_empty() {
        findings.wrong(
            "no_rules",
            "no rule of EventBridge sends events to the function or to its queue".to_owned(),
            "deploy again: the rules were deleted, or they are in another region".to_owned(),
        );
        return;
    }
    let mut doubled: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
    for (what, sample) in samples() {
        let taking: Vec<_> = takes(rules, &sample).collect();
        if taking.is_empty() {
            let off = rules
                .iter()
                .filter(|it| !it.is_on && matches(&it.pattern, &sample));
            let off: Vec<_> = off.map(|it| it.name.as_str()).collect();
            let (problem, remedy) = match off.first() {
                Some(name) => (
                    format!("{what} are not heard: the rule {name} is off"),
                    format!("aws events enable-rule --name {name}, or the switch in the settings"),
                ),
                None => (
                    format!("{what} are not heard: no rule takes them"),
                    "deploy again".to_owned(),
                ),
            };
            findings.wrong("rule_off", problem, remedy);
        }
        if taking.len() > 1 {
            doubled.entry(taking).or_default().push(what);
        }
    }
    for (names, what) in doubled {
        findings.wrong(
            "rules_overlap",
            format!("each event of {} comes {} times: the rules {} take it", what.join(", "), names.len(), names.join(" and ")),
            "delete the rule that was made by hand; duplicates are posted once, but each is paid for".to_owned(),
        );
    }
}

/// The names of the rules that are on and take an event.
fn takes<'a>(rules: &'a [Rule], event: &Value) -> impl Iterator<Item = &'a str> {
    let taking = rules
        .iter()
        .filter(|it| it.is_on && matches(&it.pattern, event));
    taking.map(|it| it.name.as_str())
}

fn matches(pattern: &Value, event: &Value) -> bool {
    let fields = FieldValues::of_event(event);
    Pattern::read(pattern).is_ok_and(|it| it.matches(&fields, UnknownField::CountsAsMismatch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, is_on: bool, pattern: Value) -> Rule {
        Rule {
            name: name.to_owned(),
            is_on,
            pattern,
        }
    }

    fn found(rules: &[Rule]) -> Vec<(&'static str, String)> {
        let mut findings = Findings::default();
        judge(rules, &mut findings);
        let findings = findings.findings.into_iter();
        findings.map(|it| (it.id, it.problem)).collect()
    }

    #[test]
    fn each_event_needs_one_rule() {
        let calls = json!({"source": ["aws.ecs"], "detail-type": ["AWS API Call via CloudTrail"]});
        let own = json!({"source": ["aws.ecs"], "detail-type": [{"anything-but": ["AWS API Call via CloudTrail"]}]});
        let good = [
            rule("calls", true, calls.clone()),
            rule("own", true, own.clone()),
        ];
        assert_eq!(found(&good), []);
        assert_eq!(found(&[])[0].0, "no_rules");
        let off = [rule("calls", false, calls), rule("own", true, own)];
        assert_eq!(
            found(&off),
            [(
                "rule_off",
                "API calls are not heard: the rule calls is off".to_owned()
            )]
        );
        let all = rule("by-hand", true, json!({"source": ["aws.ecs"]}));
        let doubled = [good.to_vec(), vec![all]].concat();
        let problems: Vec<_> = found(&doubled).into_iter().map(|it| it.1).collect();
        assert_eq!(
            problems,
            [
                "each event of API calls comes 2 times: the rules calls and by-hand take it",
                "each event of stopped tasks, deployments comes 2 times: the rules own and by-hand take it",
            ]
        );
    }
}
