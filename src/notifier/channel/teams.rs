//! Microsoft Teams: an Adaptive Card, posted to the webhook of a workflow (Power Automate).
//!
//! <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook>,
//! <https://adaptivecards.microsoft.com/designer>. A card cannot be edited or answered by a webhook.

use std::io;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::Url;
use serde_json::{Value, json};

use super::address::{ALLOWED, problem_of};
use super::answer::Success;
use super::fit::note;
use super::markup::{Markup, Piece, escape, escape_markdown, write_escaped};
use super::settings::{SettingDefinition, Settings, no_secret};
use super::{Channel, Definition, Http, Outcome, Shown};
use crate::aws::secret::{Secret, SecretSource};
use crate::notifier::message::{Line, Message};
use crate::notifier::policy::Severity;

pub(super) static DEFINITION: Definition = Definition {
    markup: &CardMarkdown,
    settings: &[SettingDefinition::secret("url", None)],
    read,
    is_previewed: true,
    unconfigured: || {
        Box::new(Teams {
            webhook: no_secret(),
        })
    },
};

/// Bytes of a body. Microsoft documents 28 kB, and flows were seen to refuse with 413 from 21 kB on
/// (msteams_hermes, a Ruby client, measured it).
const LARGEST_BODY: usize = 21_000;

/// Teams throttles what is sent more often than four times a second.
const INTERVAL: Duration = Duration::from_millis(250);

/// Every 2xx is a success: a workflow answers 202 before it runs, with an empty body or a few words of its own. A page
/// is another server's.
const SUCCESS: Success = Success {
    is_said: |body| !body.starts_with('<') && body.len() < 1_000,
    expected: "an empty answer",
    check: "is `url` the address that the workflow shows?",
};

#[derive(Debug)]
struct Teams {
    webhook: SecretSource,
}

fn read(settings: &mut Settings<'_>) -> Option<Box<dyn Channel>> {
    let webhook = settings.secret("url", problem_of_webhook, ALLOWED);
    let webhook = settings.require("url", webhook, ALLOWED)?;
    Some(Box::new(Teams { webhook }))
}

/// Microsoft has switched off the connectors of Microsoft 365, whose addresses end so.
fn problem_of_webhook(text: &str) -> Result<(), &'static str> {
    problem_of(text)?;
    let url = Url::parse(text).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let is_connector = host.ends_with("webhook.office.com") || host.ends_with("outlook.office.com");
    match is_connector {
        true => Err(
            "an Office 365 connector, which Microsoft has switched off: make a workflow in Teams (Workflows, \
             \"Send webhook alerts to a channel\") and use its address",
        ),
        false => Ok(()),
    }
}

impl Channel for Teams {
    /// Whole lines are left out from the end on until the body is small enough.
    fn payload(&self, message: &Message) -> Option<Value> {
        let bodies = (0..=message.details.len())
            .rev()
            .map(|count| body(message, count));
        let mut bodies = bodies.peekable();
        let fitting = bodies.find(|body| body.to_string().len() <= LARGEST_BODY);
        Some(fitting.unwrap_or_else(|| body(message, 0)))
    }

    fn send<'a>(&'a self, http: &'a Http, message: &'a Message) -> BoxFuture<'a, Outcome> {
        let address =
            |webhook: &Secret| problem_of_webhook(webhook.expose()).map(|()| webhook.clone());
        let body = self.payload(message).unwrap_or_default();
        async move { http.post(&self.webhook, address, &body, &SUCCESS).await }.boxed()
    }

    fn show(&self, _: &Message, html: &Message) -> Shown {
        Shown {
            sender: "Workflows".to_owned(),
            color: color(html.severity),
            headline: html.headline.clone(),
            lines: html.texts(),
            tags: Vec::new(),
        }
    }

    fn interval(&self) -> Option<Duration> {
        Some(INTERVAL)
    }
}

/// The envelope that a workflow's trigger takes, with the first lines of the message.
fn body(message: &Message, lines: usize) -> Value {
    let mut elements = vec![headline(message)];
    let (shown, left_out) = message.details.split_at(lines);
    elements.extend(
        shown
            .chunk_by(|one, next| is_fact(one) && is_fact(next))
            .map(element),
    );
    elements.extend(note(left_out.len()).map(|note| text_block(&note)));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "fallbackText": message.headline,
                "body": elements,
                "msteams": {"width": "Full"},
            },
        }],
    })
}

fn headline(message: &Message) -> Value {
    json!({
        "type": "Container",
        "style": style(message.severity),
        "bleed": true,
        "items": [{
            "type": "TextBlock",
            "text": message.headline,
            "weight": "Bolder",
            "size": "Medium",
            "wrap": true,
            "style": "heading",
        }],
    })
}

fn is_fact(line: &Line) -> bool {
    line.label.is_some() && !line.is_block
}

/// Facts that follow each other, or one other line.
fn element(lines: &[Line]) -> Value {
    match lines {
        [line] if line.is_block => block(&line.value),
        [line] if !is_fact(line) => text_block(&line.text),
        facts => {
            let fact = |it: &Line| json!({"title": it.label, "value": it.value});
            json!({"type": "FactSet", "facts": facts.iter().map(fact).collect::<Vec<_>>()})
        }
    }
}

fn text_block(text: &str) -> Value {
    json!({"type": "TextBlock", "text": text, "wrap": true})
}

/// A text run reads no Markdown, so that log lines stand there as they were written.
fn block(text: &str) -> Value {
    let line = |line: &str| {
        let run =
            json!({"type": "TextRun", "text": line, "fontType": "Monospace", "size": "Small"});
        json!({"type": "RichTextBlock", "spacing": "None", "inlines": [run]})
    };
    let lines: Vec<_> = text.lines().map(line).collect();
    json!({"type": "Container", "style": "emphasis", "items": lines})
}

/// The colour behind the headline.
/// <https://adaptivecards.microsoft.com/?topic=Container>
fn style(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "emphasis",
        Severity::Success => "good",
        Severity::Warning => "warning",
        Severity::Critical => "attention",
    }
}

/// What these look like, for the page.
fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "#8a8886",
        Severity::Success => "#6bb700",
        Severity::Warning => "#f8d22a",
        Severity::Critical => "#c4314b",
    }
}

/// The Markdown of a card: bold, links and lists, and no code.
/// <https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features>
struct CardMarkdown;

impl Markup for CardMarkdown {
    /// `{{DATE(…)}}` is a function of cards, so two braces never stand together, and `&amp;` is an entity of Markdown.
    fn escape_char(&self, starts_word: bool, character: char) -> Piece {
        match character {
            '{' | '&' => Piece::Joined(character),
            _ => escape_markdown(starts_word, character),
        }
    }

    fn bold(&self, escaped: &str) -> String {
        format!("**{escaped}**")
    }

    fn code(&self, raw: &str) -> String {
        escape(self, raw)
    }

    /// Log lines become runs of text, which are no markup but for the functions of cards.
    fn block(&self, raw: &[&str], separator: &str) -> String {
        raw.join(separator).replace("{{", "{\u{2060}{")
    }

    fn link(&self, url: &str, escaped: &str) -> String {
        format!("[{escaped}]({url})")
    }

    fn time(&self, _: i64, utc: &str) -> String {
        utc.to_owned()
    }

    fn escape_fn(&self) -> fn(&str, &mut dyn io::Write) -> io::Result<()> {
        |text, out| write_escaped(&CardMarkdown, text, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::notice::Kind;

    fn message(details: Vec<Line>) -> Message {
        Message {
            kind: Kind::TaskStopped,
            severity: Severity::Critical,
            urgent: true,
            headline: "checkout ran out of memory".to_owned(),
            details,
        }
    }

    fn fact(label: &str, value: &str) -> Line {
        Line {
            label: Some(label.to_owned()),
            value: value.to_owned(),
            text: format!("**{label}**: {value}"),
            is_block: false,
        }
    }

    fn elements(message: &Message) -> Vec<Value> {
        let body = body(message, message.details.len());
        let elements = body["attachments"][0]["content"]["body"].as_array();
        elements.unwrap()[1..].to_vec()
    }

    #[test]
    fn facts_stand_together_and_log_lines_as_they_were_written() {
        let log = Line {
            is_block: true,
            ..Line::of_text("* not a list\n_x_".to_owned())
        };
        let lines = vec![
            fact("Why", "too little"),
            fact("Where", "prod-web"),
            Line::of_text("Last log lines of web:".to_owned()),
            log,
            fact("Open", "[task](https://example.com)"),
        ];
        let found = elements(&message(lines));
        let types: Vec<_> = found
            .iter()
            .map(|it| it["type"].as_str().unwrap())
            .collect();
        assert_eq!(types, ["FactSet", "TextBlock", "Container", "FactSet"]);
        assert_eq!(
            found[0]["facts"][1],
            json!({"title": "Where", "value": "prod-web"})
        );
        assert_eq!(found[2]["items"][0]["inlines"][0]["text"], "* not a list");
    }

    #[test]
    fn a_body_is_cut_by_whole_lines() {
        let lines = (0..100).map(|number| fact("Why", &format!("{number} {}", "ä".repeat(300))));
        let message = message(lines.collect());
        let teams = Teams {
            webhook: no_secret(),
        };
        let body = teams.payload(&message).unwrap();
        let length = body.to_string().len();
        assert!((20_000..=LARGEST_BODY).contains(&length), "{length}");
        let elements = body["attachments"][0]["content"]["body"]
            .as_array()
            .unwrap();
        let [_, facts, note] = &elements[..] else {
            panic!("{elements:?}");
        };
        let shown = facts["facts"].as_array().unwrap().len();
        let expected = format!("… {} more lines left out", 100 - shown);
        assert_eq!(note["text"], *expected);
    }

    #[test]
    fn an_office_connector_is_refused_with_what_to_do() {
        let problem =
            problem_of_webhook("https://example.webhook.office.com/webhookb2/x").unwrap_err();
        assert!(problem.contains("make a workflow"), "{problem}");
        for host in [
            "prod-1.westeurope.logic.azure.com",
            "default1.environment.api.powerplatform.com",
        ] {
            let address = format!("https://{host}/workflows/1/triggers/manual/paths/invoke?sig=x");
            assert_eq!(problem_of_webhook(&address), Ok(()));
        }
    }

    #[test]
    fn nothing_in_a_value_is_a_function_of_cards() {
        assert!(!escape(&CardMarkdown, "{{DATE(2026-01-01T00:00:00Z)}}").contains("{{"));
    }
}
