//! Any bytes as a payload: no panic, and every message within its channel's limits and without a character that a
//! terminal or a reader would obey.

#![no_main]

use std::sync::LazyLock;

use ecs_parrot::notifier::channel::{flowdock, slack};
use ecs_parrot::notifier::group::{Item, Plan};
use ecs_parrot::notifier::ingest;
use ecs_parrot::notifier::dispatch::evaluate;
use ecs_parrot::notifier::render::{Dialect, Renderer};
use ecs_parrot::notifier::policy::Policy;
use libfuzzer_sys::fuzz_target;
use strum::VariantArray as _;

static RENDERER: LazyLock<Renderer> = LazyLock::new(Renderer::default);

fuzz_target!(|bytes: &[u8]| {
    let Ok(payload) = serde_json::from_slice(bytes) else {
        return;
    };
    let policy = Policy::default();
    let events = ingest::open(&payload)
        .into_iter()
        .filter_map(|item| item.event.ok());
    let decided: Vec<_> = events.map(|event| evaluate(&event, &policy)).collect();
    let items = decided.iter().enumerate();
    let items = items.filter_map(|(place, decided)| Item::of(place, decided));
    let items: Vec<_> = items.collect();
    let (mut each, mut all) = (Plan::of(&items), Plan::of(&items));
    while let Some(group) = each.next(None).or_else(|| all.next(Some(1))) {
        for dialect in Dialect::VARIANTS {
            let message = RENDERER
                .render(*dialect, &group.group)
                .expect("a built-in template renders");
            if *dialect != Dialect::Terminal {
                let lines = std::iter::once(&message.headline).chain(&message.details);
                lines.for_each(|line| assert!(!line.contains(char::is_control), "{line:?}"));
            }
            match dialect {
                Dialect::Slack => {
                    let body = slack::payload(&message, &slack::Look::default());
                    let blocks = body["attachments"][0]["blocks"]
                        .as_array()
                        .into_iter()
                        .flatten();
                    for block in blocks {
                        let text = block["text"]["text"].as_str().expect("a section has text");
                        assert!(text.encode_utf16().count() <= 3_000);
                    }
                }
                Dialect::Flowdock => {
                    let body = flowdock::payload(&message, &flowdock::Look::default());
                    let content = body["content"].as_str().expect("a message has content");
                    assert!(content.encode_utf16().count() <= 8_096);
                }
                Dialect::Terminal => {}
            }
        }
    }
});
