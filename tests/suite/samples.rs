//! Every sample is evaluated and rendered: the table of decisions, a snapshot of each sample's message, and a snapshot
//! for each channel type.

use std::collections::BTreeMap;

use ecs_parrot::ecs::diagnosis::{self, Cause};
use ecs_parrot::ecs::notice::{Container, Facts, Host, Kind, Notice, TaskFacts};
use ecs_parrot::notifier::channel::terminal;
use ecs_parrot::notifier::policy::{Decision, Policy, decide};
use ecs_parrot::notifier::render::Renderer;
use regex::Regex;
use serde_json::Value;
use strum::VariantArray as _;

use crate::events::{self, Evaluated};

/// The expected decisions. They were written before the code, from the meaning of the events. The columns are: file,
/// decision, reason, severity, urgent.
const DECISIONS: &str = include_str!("decisions.tsv");

#[test]
fn every_sample_is_decided_as_the_table_says() {
    let mut decided = BTreeMap::new();
    for (name, payload) in events::all() {
        let evaluated = events::evaluate(payload, &Policy::default());
        let several = evaluated.len() > 1;
        for (index, evaluated) in evaluated.into_iter().enumerate() {
            let name = if several {
                format!("{name}#{}", index + 1)
            } else {
                name.clone()
            };
            let evaluated = evaluated.unwrap_or_else(|error| panic!("{name}: {error}"));
            decided.insert(name, decision(&evaluated));
        }
    }
    let expected: BTreeMap<_, _> = DECISIONS
        .lines()
        .skip(1)
        .map(|line| line.split_once('\t').unwrap())
        .map(|(name, decision)| (name.to_owned(), decision.to_owned()))
        .collect();
    for (name, expected) in &expected {
        assert_eq!(decided.get(name), Some(expected), "{name}");
    }
    let new: Vec<_> = decided
        .keys()
        .filter(|name| !expected.contains_key(*name))
        .collect();
    assert!(
        new.is_empty(),
        "samples without a line in decisions.tsv: {new:?}"
    );
}

fn decision(evaluated: &Evaluated) -> String {
    let reason = evaluated.reason();
    match evaluated.decision {
        Decision::Drop(_) => format!("drop\t{reason}\t-\t-"),
        Decision::Keep(priority) => {
            let urgent = if priority.urgent { "yes" } else { "no" };
            format!("keep\t{reason}\t{}\t{urgent}", priority.severity)
        }
    }
}

#[test]
fn every_samples_message() {
    let renderer = events::renderer();
    insta::glob!("../../samples", "*.json", |path| {
        let payload = events::read(path);
        let mut shown = String::new();
        for evaluated in events::evaluate(&payload, &Policy::default()) {
            shown.push_str(&show(renderer, &evaluated.unwrap()));
        }
        insta::assert_snapshot!(shown);
    });
}

fn show(renderer: &Renderer, evaluated: &Evaluated) -> String {
    let head = format!(
        "== {} {}\n",
        evaluated.notice.kind,
        decision(evaluated).replace('\t', " ")
    );
    let Some(priority) = evaluated.priority() else {
        return head;
    };
    let rendered = events::render(renderer, &evaluated.notice, priority).unwrap();
    format!("{head}{}\n", terminal::plain(&rendered.terminal))
}

/// The payloads of a few samples for each channel type. A few are enough: between channel types only the markup
/// differs.
#[test]
fn payloads_of_each_channel_type() {
    const SAMPLES: [&str; 5] = [
        "task_stopped-out-of-memory",
        "api_denied-run-task",
        "deployment-completed",
        "service_action-service-task-placement-failure",
        "deployment_hook-awaiting-action",
    ];
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for sample in SAMPLES {
        for evaluated in events::evaluate(&events::sample(sample), &Policy::default()) {
            let evaluated = evaluated.unwrap();
            let priority = evaluated.priority().unwrap();
            let rendered = events::render(events::renderer(), &evaluated.notice, priority);
            for channel in rendered.unwrap().channels() {
                if let Some(payload) = &channel.payload {
                    let shown = shown.entry(channel.name.clone()).or_default();
                    shown.push_str(&format!("== {sample}\n{}\n", pretty(payload)));
                }
            }
        }
    }
    for (name, shown) in shown {
        insta::assert_snapshot!(format!("payloads_of_{name}"), shown);
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// Every kind, cause and drop reason has at least one sample.
#[test]
fn every_kind_cause_and_reason_has_a_sample() {
    use ecs_parrot::notifier::policy::DropReason;
    let mut seen = std::collections::BTreeSet::new();
    for (_, payload) in events::all() {
        for evaluated in events::evaluate(payload, &Policy::default()) {
            let evaluated = evaluated.unwrap();
            seen.insert(evaluated.notice.kind.to_string());
            seen.insert(evaluated.reason().to_owned());
        }
    }
    let configured = [
        DropReason::IgnoredCluster,
        DropReason::IgnoredService,
        DropReason::DroppedByConfig,
        DropReason::Duplicate,
        // Only AWS can tell: `enrich::around` has it.
        DropReason::NotInCluster,
    ];
    // No event says what did not happen.
    let kinds = Kind::VARIANTS.iter().filter(|it| **it != Kind::DidNotRun);
    let kinds = kinds.map(ToString::to_string);
    let causes = Cause::VARIANTS.iter().map(ToString::to_string);
    let reasons = DropReason::VARIANTS
        .iter()
        .filter(|reason| !configured.contains(reason))
        .map(ToString::to_string);
    let unseen: Vec<_> = kinds
        .chain(causes)
        .chain(reasons)
        .filter(|word| !seen.contains(word))
        .collect();
    assert!(unseen.is_empty(), "without a sample: {unseen:?}");
}

/// Every message contains what a reader needs at 3 a.m.
#[test]
fn every_message_has_what_where_when_who_why_and_a_link() {
    let renderer = events::renderer();
    for (name, payload) in events::all() {
        for evaluated in events::evaluate(payload, &Policy::default()) {
            let evaluated = evaluated.unwrap();
            let Some(priority) = evaluated.priority() else {
                continue;
            };
            let text = events::render(renderer, &evaluated.notice, priority)
                .unwrap()
                .terminal;
            let text = terminal::plain(&text);
            let subject = &evaluated.notice.subject;
            for fact in [
                &subject.cluster,
                &subject.service,
                &evaluated.notice.origin.region,
            ] {
                assert!(
                    fact.as_ref()
                        .is_none_or(|fact| text.contains(fact.as_str())),
                    "{name}: {fact:?} in\n{text}"
                );
            }
            let actor = evaluated
                .notice
                .actor
                .as_ref()
                .map(|actor| actor.name.as_str());
            assert!(
                actor.is_none_or(|actor| text.contains(actor)),
                "{name}: {actor:?} in\n{text}"
            );
            if priority.urgent && says_why(&evaluated.notice) {
                let why = ["Why: ", "Failed: ", "Check ", "Decide by: ", "Effect: "];
                assert!(why.iter().any(|why| text.contains(why)), "{name}\n{text}");
            }
            assert!(text.contains("When: "), "{name}\n{text}");
            assert!(text.contains("Where: "), "{name}\n{text}");
            assert_eq!(
                text.contains("Open "),
                subject.cluster.is_some()
                    || subject.family.is_some()
                    || matches!(evaluated.notice.facts, Facts::Alarm(_)),
                "{name}\n{text}"
            );
        }
    }
}

/// An event may have no fields except those that classify it. Its message is short, but its sentences are complete.
#[test]
fn a_message_without_facts_has_complete_sentences() {
    let renderer = events::renderer();
    let broken = Regex::new(r"\S  +\S|[:·,—(] *$|\(\)| of *$").unwrap();
    let mut kept = 0;
    for (name, payload) in events::all() {
        for evaluated in events::evaluate(&without_facts(payload), &Policy::default())
            .into_iter()
            .flatten()
        {
            let Some(priority) = evaluated.priority() else {
                continue;
            };
            let text = events::render(renderer, &evaluated.notice, priority)
                .unwrap()
                .terminal;
            for line in terminal::plain(&text).lines() {
                assert!(!broken.is_match(line), "{name}: {line:?}");
            }
            kept += 1;
        }
    }
    assert!(kept > 100, "{kept}");
}

fn without_facts(value: &Value) -> Value {
    match value {
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| match value {
                _ if events::DECIDING.contains(&key.as_str()) => (key.clone(), value.clone()),
                Value::Object(_) => (key.clone(), without_facts(value)),
                _ => (key.clone(), Value::Null),
            })
            .collect(),
        other => other.clone(),
    }
}

/// Whether an urgent message must say why. A deletion needs no reason, and of an event that AWS adds later only its
/// name is known.
fn says_why(notice: &Notice) -> bool {
    match (&notice.facts, notice.kind) {
        (_, Kind::ServiceChanged | Kind::Other) => false,
        (Facts::Service(service), Kind::ServiceAction) => {
            let name = service.event_name.as_deref().unwrap_or_default();
            service.reason.is_some()
                || !["SERVICE_TIDE", "SERVICE_MOON"]
                    .iter()
                    .any(|it| name.starts_with(it))
        }
        (_, _) => true,
    }
}

/// Every entry of the table of diagnoses has a sample. Some entries depend on facts that only AWS's API gives; the test
/// `what_only_aws_knows_explains_a_stop` has these.
#[test]
fn every_explanation_has_a_sample() {
    let mut seen = Vec::new();
    let mut see = |cause, facts: &TaskFacts| {
        let entry = diagnosis::entry(cause, facts);
        seen.push((entry.cause, entry.words));
    };
    for (_, payload) in events::all() {
        for evaluated in events::evaluate(payload, &Policy::default()) {
            let evaluated = evaluated.unwrap();
            let cause = evaluated.priority().and_then(|priority| priority.cause);
            match (&evaluated.notice.facts, cause) {
                (Facts::Task(task), Some(cause)) => see(cause, task),
                (_, Some(cause)) => see(cause, &TaskFacts::default()),
                (_, None) => {}
            }
        }
    }
    for (cause, facts) in known_to_aws_alone() {
        see(cause, &facts);
    }
    let unseen: Vec<_> = diagnosis::table()
        .map(|entry| (entry.cause, entry.words))
        .filter(|entry| !seen.contains(entry))
        .collect();
    assert!(unseen.is_empty(), "without a sample: {unseen:#?}");
}

/// Facts that no event contains: the state of the instance, and a container's log tail.
fn known_to_aws_alone() -> Vec<(Cause, TaskFacts)> {
    let on = |host| TaskFacts {
        host: Some(host),
        ..TaskFacts::default()
    };
    let said = TaskFacts {
        containers: vec![Container {
            exit_code: Some(255),
            log_tail: vec!["exec /bin/web: exec format error".to_owned()],
            ..Container::default()
        }],
        ..TaskFacts::default()
    };
    vec![
        (Cause::HostGone, on(Host::Draining)),
        (Cause::UnknownCause, on(Host::AgentDisconnected)),
        (Cause::UnknownCause, on(Host::Gone)),
        (Cause::ApplicationExit, said),
    ]
}

/// The agent's report of a stop with exit code 143, once for each of these facts.
#[test]
fn what_only_aws_knows_explains_a_stop() {
    let renderer = events::renderer();
    let mut shown = String::new();
    for (_, learned) in known_to_aws_alone() {
        let payload = events::sample("task_stopped-submit-exit-143");
        let mut evaluated = events::evaluate(&payload, &Policy::default())
            .remove(0)
            .unwrap();
        let Facts::Task(task) = &mut evaluated.notice.facts else {
            panic!("{:?}", evaluated.notice.facts);
        };
        task.host = learned.host;
        if let [container] = &learned.containers[..] {
            task.containers[0].exit_code = container.exit_code;
            task.containers[0].log_tail = container.log_tail.clone();
        }
        evaluated.decision = decide(&evaluated.notice, &Policy::default());
        shown.push_str(&show(renderer, &evaluated));
    }
    insta::assert_snapshot!(shown);
}
