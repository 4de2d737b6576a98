//! Slack's own Python SDK checks every payload: those of the samples, hostile ones, and very long ones.

use ecs_parrot::notifier::channel::ChannelType;
use ecs_parrot::notifier::policy::Policy;
use serde_json::Value;

use crate::events::Rendered;
use crate::{events, hostile, tools};

#[test]
fn slacks_own_models_accept_every_payload() {
    models_accept(&events::one_of_each_kind());
}

pub(crate) fn models_accept(samples: &[&(String, Value)]) {
    let mut payloads = Vec::new();
    for (_, event) in samples {
        payloads.extend(slack_payloads(event));
        for text in hostile::HOSTILE {
            payloads.extend(slack_payloads(&hostile::poison(event, text)));
        }
        payloads.extend(slack_payloads(&hostile::poison(
            event,
            &"<&> ".repeat(20_000),
        )));
    }
    let input = serde_json::to_string(&payloads).unwrap();
    let checked = tools::run_python::<&str>("validate_slack.py", &[], &input);
    assert_eq!(checked.trim(), payloads.len().to_string());
}

fn slack_payloads(event: &Value) -> Vec<Value> {
    let renderer = events::renderer();
    let evaluated = events::evaluate(event, &Policy::default())
        .into_iter()
        .flatten();
    let rendered = evaluated.filter_map(|evaluated| {
        let priority = evaluated.priority()?;
        Some(events::render(renderer, &evaluated.notice, priority).unwrap())
    });
    let payloads = |rendered: Rendered| {
        [ChannelType::Slack, ChannelType::SlackApp]
            .map(|channel_type| rendered.of(channel_type).payload.clone().unwrap())
    };
    rendered.flat_map(payloads).collect()
}
