//! The embeds of a message in Discord: what fits, and their colour.

use serde_json::{Value, json};

use crate::notifier::channel::fit::{Limits, cut, fit, length, stacked};
use crate::notifier::channel::markup::without_list;
use crate::notifier::message::Message;
use crate::notifier::policy::Severity;

/// The longest title and description of an embed, and all texts of a message's embeds together. Discord counts
/// characters, of which a text never has more than UTF-16 units.
/// <https://docs.discord.com/developers/resources/message#embed-object-embed-limits>
const TITLE: usize = 256;
const DESCRIPTION: usize = 4_096;
const EMBEDS: usize = 6_000;

/// The headline is the title. If it is too long for a title, it is the first line instead.
pub(super) fn embeds(message: &Message) -> Vec<Value> {
    let mut lines: Vec<_> = fit(&message.texts(), limits(message));
    for line in &mut lines {
        *line = without_list(line);
    }
    let is_title = is_title(message);
    if !is_title {
        lines.insert(0, cut(&message.headline, DESCRIPTION));
    }
    let descriptions = stacked(&lines, DESCRIPTION);
    let color = color(message.severity).0;
    let mut embeds: Vec<_> = descriptions
        .into_iter()
        .map(|text| json!({"description": text, "color": color}))
        .collect();
    if embeds.is_empty() {
        embeds.push(json!({ "color": color }));
    }
    if is_title {
        embeds[0]["title"] = json!(message.headline);
    }
    embeds
}

fn is_title(message: &Message) -> bool {
    length(&message.headline) <= TITLE
}

/// The limits of the lines below the headline. Each line may get one more character, which prevents a list.
pub(super) fn limits(message: &Message) -> Limits {
    let headline = length(&message.headline).min(DESCRIPTION);
    Limits {
        line: DESCRIPTION - 1,
        total: EMBEDS.saturating_sub(headline + message.details.len() + 1),
    }
}

/// The colour beside an embed, as Discord and as the page write it.
pub(super) fn color(severity: Severity) -> (u32, &'static str) {
    match severity {
        Severity::Info => (0x0099_aab5, "#99aab5"),
        Severity::Success => (0x002e_cc71, "#2ecc71"),
        Severity::Warning => (0x00f1_c40f, "#f1c40f"),
        Severity::Critical => (0x00e7_4c3c, "#e74c3c"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::notice::Kind;
    use crate::notifier::message::{Line, MessageFacts};

    fn message(headline: &str, lines: Vec<String>) -> Message {
        Message {
            kind: Kind::TaskStopped,
            severity: Severity::Critical,
            urgent: true,
            mentions: true,
            headline: headline.to_owned(),
            details: lines.into_iter().map(Line::of_text).collect(),
            facts: MessageFacts::default(),
            subjects: Vec::new(),
            thread: None,
        }
    }

    /// The length of all texts of the embeds.
    fn total(embeds: &[Value]) -> usize {
        let texts = embeds
            .iter()
            .flat_map(|it| [&it["title"], &it["description"]]);
        texts.filter_map(Value::as_str).map(length).sum()
    }

    #[test]
    fn a_long_headline_is_the_first_line() {
        for (length, title, description) in [
            (TITLE, Some(TITLE), Some("Why: x")),
            (TITLE + 1, None, None),
        ] {
            let headline = "x".repeat(length);
            let embeds = embeds(&message(&headline, vec!["Why: x".to_owned()]));
            assert_eq!(embeds.len(), 1);
            assert_eq!(embeds[0]["title"].as_str().map(str::len), title);
            let lines = embeds[0]["description"].as_str().unwrap();
            assert_eq!(lines, description.unwrap_or(&format!("{headline}\nWhy: x")));
        }
    }

    #[test]
    fn a_message_without_details_is_a_title() {
        let embeds = embeds(&message("checkout recovered", Vec::new()));
        let expected = json!({"title": "checkout recovered", "color": color(Severity::Critical).0});
        assert_eq!(embeds, [expected]);
    }

    #[test]
    fn a_long_message_is_within_the_limits() {
        for (headline, line, count) in [
            ("short".to_owned(), "🔴 x".repeat(40), 100),
            ("long ".repeat(200), "word ".repeat(100), 100),
            ("long ".repeat(2_000), "word ".repeat(800), 9),
            ("short".to_owned(), "- x".to_owned(), 4_000),
        ] {
            let embeds = embeds(&message(&headline, vec![line.clone(); count]));
            let total = total(&embeds);
            assert!(total <= EMBEDS, "{total}");
            assert!((1..=10).contains(&embeds.len()), "{}", embeds.len());
            let longest = embeds
                .iter()
                .map(|it| length(it["description"].as_str().unwrap_or_default()));
            assert!(longest.max().unwrap_or_default() <= DESCRIPTION);
            let last = embeds.last().unwrap()["description"].as_str().unwrap();
            assert!(last.ends_with("more lines left out"), "{last}");
        }
    }

    #[test]
    fn the_two_forms_of_a_colour_are_the_same() {
        for severity in [
            Severity::Info,
            Severity::Success,
            Severity::Warning,
            Severity::Critical,
        ] {
            let (number, text) = color(severity);
            assert_eq!(format!("#{number:06x}"), text);
        }
    }
}
