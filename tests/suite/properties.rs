//! Every payload gets a decision, and no payload causes a panic.

use std::sync::LazyLock;

use ecs_parrot::notifier::channel::ChannelType;
use ecs_parrot::notifier::channel::terminal;
use ecs_parrot::notifier::group::Group;
use ecs_parrot::notifier::policy::Policy;
use ecs_parrot::notifier::render::{Renderer, View};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::any_events;
use crate::events;
use crate::hostile;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let key = prop_oneof![
            prop::sample::select(KEYS.to_vec()).prop_map(str::to_owned),
            any::<String>()
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(key, inner, 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Keys that the code reads.
const KEYS: [&str; 16] = [
    "Records",
    "body",
    "Sns",
    "Message",
    "Type",
    "requestPayload",
    "requestContext",
    "source",
    "detail",
    "detail-type",
    "eventSource",
    "eventName",
    "messageId",
    "resources",
    "containers",
    "userIdentity",
];

/// Runs every stage on a payload except the sending.
fn decide(payload: &Value, renderer: &Renderer) {
    let evaluated = events::evaluate(payload, &Policy::default());
    assert_accounted_for(payload, evaluated.len());
    for evaluated in evaluated {
        let Ok(evaluated) = evaluated else { continue };
        assert!(!evaluated.reason().is_empty());
        let Some(priority) = evaluated.priority() else {
            continue;
        };
        let rendered = events::render(renderer, &evaluated.notice, priority)
            .unwrap_or_else(|error| panic!("{error}\n{payload}"));
        assert!(!rendered.of(ChannelType::Slack).message.headline.is_empty());
        hostile::assert_slack_clean(
            &rendered.of(ChannelType::Slack).message,
            &payload.to_string(),
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_value(payload in any_json()) {
        decide(&payload, events::renderer());
    }

    #[test]
    fn any_json_as_an_ecs_event(detail in any_json(), detail_type in prop::sample::select(DETAIL_TYPES.to_vec())) {
        let event = json!({"source": "aws.ecs", "detail-type": detail_type, "detail": detail, "region": "eu-west-1"});
        decide(&event, events::renderer());
        let call = json!({"source": "aws.ecs", "detail-type": detail_type, "region": "eu-west-1",
            "detail": {"eventSource": "ecs.amazonaws.com", "requestParameters": detail}});
        decide(&call, events::renderer());
    }

    #[test]
    fn a_sample_with_one_field_changed(
        index in any::<prop::sample::Index>(),
        field in any::<prop::sample::Index>(),
        change in prop_oneof![Just(None), any_json().prop_map(Some)],
    ) {
        let samples = events::all();
        let (_, mut payload) = index.get(samples).clone();
        let paths = paths(&payload);
        let path: &String = field.get(&paths);
        mutate(&mut payload, path, change);
        decide(&payload, events::renderer());
    }

    #[test]
    fn any_text_as_a_reason(reason in any::<String>()) {
        let mut payload = events::sample("stop_task-by-iam-user");
        payload["detail"]["requestParameters"]["reason"] = Value::from(reason);
        let renderer = events::renderer();
        decide(&payload, renderer);
        let evaluated = events::evaluate(&payload, &Policy::default()).remove(0).unwrap();
        let rendered = events::render(renderer, &evaluated.notice, evaluated.priority().unwrap()).unwrap();
        let usual = events::sample("stop_task-by-iam-user");
        let usual = events::evaluate(&usual, &Policy::default()).remove(0).unwrap();
        let usual = events::render(renderer, &usual.notice, usual.priority().unwrap()).unwrap();
        let lines = |text: &str| terminal::plain(text).lines().count();
        prop_assert_eq!(lines(&rendered.terminal), lines(&usual.terminal));
        prop_assert_eq!(rendered.of(ChannelType::Slack).message.details.len(), usual.of(ChannelType::Slack).message.details.len());
    }
}

const DETAIL_TYPES: [&str; 8] = [
    "AWS API Call via CloudTrail",
    "ECS Task State Change",
    "ECS Service Action",
    "ECS Deployment State Change",
    "ECS Hook State Change",
    "ECS Container Instance State Change",
    "ECS Container Instance Health Change",
    "ECS Something New",
];

/// Every field of a sample is removed, set to null and set to each other type, one at a time.
#[test]
fn every_field_broken_in_every_way() {
    survive_breakages(&events::one_of_each_kind());
}

pub(crate) fn survive_breakages(samples: &[&(String, Value)]) {
    let breakages = [
        None,
        Some(Value::Null),
        Some(json!(7)),
        Some(json!("x")),
        Some(json!([])),
        Some(json!({})),
    ];
    for (_, payload) in samples {
        for path in paths(payload) {
            for breakage in &breakages {
                let mut broken = payload.clone();
                mutate(&mut broken, &path, breakage.clone());
                survive(&broken, events::renderer());
            }
        }
    }
}

/// Every item has a decision or an error. Only an empty list may give nothing.
fn assert_accounted_for(payload: &Value, decisions: usize) {
    let may_be_empty = payload.to_string().contains("[]");
    assert!(decisions > 0 || may_be_empty, "lost: {payload}");
}

/// Evaluates every event, and renders those that are kept. One markup is enough: the templates are the same for all.
fn survive(payload: &Value, renderer: &Renderer) {
    let evaluated = events::evaluate(payload, &Policy::default());
    assert_accounted_for(payload, evaluated.len());
    for evaluated in evaluated.into_iter().flatten() {
        let Some(priority) = evaluated.priority() else {
            continue;
        };
        let message = renderer.render(
            View::of(ChannelType::Terminal),
            &Group::of_one(&evaluated.notice, priority),
        );
        assert!(message.is_ok(), "{message:?}\n{payload}");
    }
}

/// JSON pointers to every field.
fn paths(value: &Value) -> Vec<String> {
    fn walk(prefix: &str, value: &Value, found: &mut Vec<String>) {
        let below = |key: &str| format!("{prefix}/{}", key.replace('~', "~0").replace('/', "~1"));
        let children: Vec<(String, &Value)> = match value {
            Value::Object(entries) => entries
                .iter()
                .map(|(key, value)| (below(key), value))
                .collect(),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(i, value)| (below(&i.to_string()), value))
                .collect(),
            _ => Vec::new(),
        };
        for (path, child) in children {
            walk(&path, child, found);
            found.push(path);
        }
    }
    let mut found = Vec::new();
    walk("", value, &mut found);
    found
}

/// Puts a value in a field's place, or takes the field away.
fn mutate(payload: &mut Value, path: &str, change: Option<Value>) {
    match change {
        Some(value) => {
            if let Some(field) = payload.pointer_mut(path) {
                *field = value;
            }
        }
        None => {
            let (parent, key) = path.rsplit_once('/').unwrap();
            let key = key.replace("~1", "/").replace("~0", "~");
            match payload.pointer_mut(parent) {
                Some(Value::Object(entries)) => drop(entries.remove(&key)),
                Some(Value::Array(items)) => drop(items.remove(key.parse().unwrap())),
                _ => {}
            }
        }
    }
}

/// What stands in the place of a value of an event.
const ODD: [&str; 14] = [
    "null",
    "\"\"",
    "0",
    "-1",
    "9223372036854775807",
    "[]",
    "{}",
    "\"0001-01-01T00:00:00Z\"",
    "\"9999-12-31T23:59:59Z\"",
    "\"2026-11-16T15:31:00Z\"",
    "\"1970-01-01T00:00:00Z\"",
    "\"STOPPED\"",
    "\"a\\u001b[31m\\u202e\\n<!channel>\"",
    "\"arn:aws:ecs:eu-west-1:210987654321:service/prod-web/checkout\"",
];

/// Replaces a value, somewhere in the document.
fn replace_leaf(value: &mut Value, number: usize, odd: &Value) -> usize {
    let mut seen = 0;
    match value {
        Value::Array(items) => {
            for item in items {
                seen += replace_leaf(item, number.wrapping_sub(seen), odd);
            }
        }
        Value::Object(fields) => {
            for (_, item) in fields.iter_mut() {
                seen += replace_leaf(item, number.wrapping_sub(seen), odd);
            }
        }
        leaf => {
            if number == 0 {
                *leaf = odd.clone();
            }
            seen = 1;
        }
    }
    seen
}

/// An event of a story: which one, what replaces which of its values, and the seconds before it.
fn any_step() -> impl Strategy<Value = (usize, Option<(usize, usize)>, u32)> {
    let odd = prop::option::weighted(0.4, (0..60_usize, 0..ODD.len()));
    (
        0..40_usize,
        odd,
        prop_oneof![4 => Just(0_u32), 1 => 0..100_000_u32],
    )
}

fn stories() -> &'static [Vec<Value>] {
    static STORIES: LazyLock<Vec<Vec<Value>>> = LazyLock::new(|| {
        let folder = std::fs::read_dir(events::folder().join("stories")).unwrap();
        let files = folder.map(|it| it.unwrap().path());
        let mut files: Vec<_> = files
            .filter(|it| it.extension().is_some_and(|it| it == "json"))
            .collect();
        files.sort();
        let read = |it| std::fs::read_to_string(it).unwrap();
        let texts = files.into_iter().map(read);
        let lines = |text: String| {
            text.lines()
                .map(|it| serde_json::from_str(it).unwrap())
                .collect()
        };
        texts.map(lines).collect()
    });
    &STORIES
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    /// The target of the fuzzer with parts of the stories, in any order, with odd values.
    #[test]
    fn any_events_in_any_order(story in 0..stories().len(), from in 0..600_usize, steps in prop::collection::vec(any_step(), 1..40)) {
        let story = &stories()[story];
        let mut input = String::new();
        for (event, odd, seconds) in steps {
            let mut event = story[(from + event) % story.len()].clone();
            if let Some((leaf, odd)) = odd {
                let odd = serde_json::from_str(ODD[odd]).unwrap();
                replace_leaf(&mut event, leaf, &odd);
            }
            input.push_str(&format!("{seconds}\n{event}\n"));
        }
        any_events::run(input.as_bytes());
    }
}

/// `PROPTEST_CASES` for a long run.
fn cases() -> u32 {
    let set = std::env::var("PROPTEST_CASES").ok();
    set.and_then(|it| it.parse().ok()).unwrap_or(64)
}
