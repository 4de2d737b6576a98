//! Any bytes as a payload. There must be no panic, a built-in template must render, and no line of a message may
//! contain a control character.

#![no_main]

use std::sync::LazyLock;

use ecs_parrot::notifier::channel::{ChannelType, ConfiguredChannel, Operation};
use ecs_parrot::notifier::group::{GroupItem, MessagePlan};
use ecs_parrot::notifier::ingest;
use ecs_parrot::notifier::dispatch::evaluate;
use ecs_parrot::notifier::render::{Renderer, View};
use ecs_parrot::notifier::policy::Policy;
use libfuzzer_sys::fuzz_target;
use strum::VariantArray as _;

static RENDERER: LazyLock<Renderer> = LazyLock::new(Renderer::default);

fuzz_target!(|bytes: &[u8]| {
    let Ok(payload) = serde_json::from_slice(bytes) else {
        return;
    };
    let policy = Policy::default();
    let events = ingest::open(&payload).items
        .into_iter()
        .filter_map(|item| item.event.ok());
    let decided: Vec<_> = events.map(|event| evaluate(&event, &policy)).collect();
    let items = decided.iter().enumerate();
    let items = items.filter_map(|(index, decided)| GroupItem::of(index, decided));
    let items: Vec<_> = items.collect();
    let (mut each, mut all) = (MessagePlan::of(&items), MessagePlan::of(&items));
    while let Some(group) = each.next(None).or_else(|| all.next(Some(1))) {
        for channel_type in ChannelType::VARIANTS {
            let message = RENDERER
                .render(View::of(*channel_type), &group.group)
                .expect("a built-in template renders");
            let channel = ConfiguredChannel::unconfigured(*channel_type).channel;
            let Some(body) = channel.payload(&message, Operation::Post) else {
                continue;
            };
            assert!(!body.to_string().is_empty());
            let lines = message.details.iter().filter(|line| !line.is_block);
            let texts = std::iter::once(&message.headline).chain(lines.map(|line| &line.text));
            texts.for_each(|text| assert!(!text.contains(char::is_control), "{text:?}"));
        }
    }
});
