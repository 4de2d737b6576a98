//! Which tags are looked up: those that the channels and the templates name.

use std::collections::BTreeSet;

use super::Lookup;
use crate::config::Problem;
use crate::notifier::channel::ConfiguredChannel;
use crate::notifier::render::{Renderer, TemplateError};
use crate::notifier::tag_keys::{MOST_TAGS, TagKeys};

/// The tags that are looked up.
///
/// # Errors
///
/// [`TemplateError`] if the templates and the channels together name too many.
pub fn tag_keys(
    channels: &[ConfiguredChannel],
    renderer: &Renderer,
) -> Result<TagKeys, TemplateError> {
    let mut keys = TagKeys::named(of_channels(channels));
    keys.add(renderer.tag_keys().clone());
    match keys.are_too_many() {
        false => Ok(keys),
        true => Err(TemplateError {
            file: "templates".to_owned(),
            line: None,
            problem: format!(
                "they and the channels name {} tags; at most {MOST_TAGS} are looked up: {}",
                keys.named.len(),
                in_words(&keys.named)
            ),
        }),
    }
}

fn of_channels(channels: &[ConfiguredChannel]) -> BTreeSet<String> {
    let keys = channels.iter().flat_map(ConfiguredChannel::tag_keys);
    keys.collect()
}

fn in_words(keys: &BTreeSet<String>) -> String {
    let keys: Vec<_> = keys
        .iter()
        .map(|it| format!("`{}`", it.escape_debug()))
        .collect();
    keys.join(", ")
}

/// Checks the tags that the channels name. They can only be known if AWS is asked.
pub(super) fn check(
    channels: &[ConfiguredChannel],
    lookup: &Lookup,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) {
    let named = of_channels(channels);
    if named.len() > MOST_TAGS {
        let problem = format!("the channels name {} tags", named.len());
        problems.push(Problem::new(
            "CHANNELS",
            &problem,
            &format!("{MOST_TAGS} different tags in `only`, `except` and `mention` together"),
        ));
    }
    if lookup.enrich != Some(false) {
        return;
    }
    for channel in channels {
        let name = &channel.name;
        if !channel.route.tag_keys().is_empty() {
            warnings.push(format!(
                "the channel `{name}` gets messages whatever their tags are: ENRICH is false, so tags are not known, and its `only` and `except` refuse nothing because of a tag"
            ));
        }
        if !channel.mentioned_tags.is_empty() {
            warnings.push(format!(
                "the channel `{name}` mentions nobody by a tag: ENRICH is false, so tags are not known"
            ));
        }
    }
}
