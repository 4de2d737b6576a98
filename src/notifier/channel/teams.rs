//! Microsoft Teams: an Adaptive Card, posted to the webhook of a workflow (Power Automate).
//!
//! <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook>,
//! <https://adaptivecards.microsoft.com/designer>. A card cannot be edited or answered by a webhook.

use std::io;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};

use super::address::{ALLOWED, is_host, problem_of_host};
use super::answer::{Answer, Success};
use super::fit::{largest, note};
use super::markup::{Escaped, Markup, escape, escape_markdown, without_list, write_escaped};
use super::settings::{SettingDefinition, Settings, no_secret};
use super::{
    Capabilities, Channel, Http, Operation, Outcome, PreparedMessage, RateLimit, Receipt, Shown,
    TypeDefinition,
};
use crate::aws::secret::{Secret, SecretSource};
use crate::notifier::message::{Line, Message};
use crate::notifier::policy::Severity;

pub(super) static DEFINITION: TypeDefinition = TypeDefinition {
    markup: &CardMarkdown,
    capabilities: Capabilities::NONE,
    templates: None,
    settings: &[SettingDefinition::secret("url", None)],
    read,
    is_previewed: true,
    unconfigured: || {
        Box::new(Teams {
            webhook: no_secret(),
        })
    },
};

/// The largest body in bytes. Microsoft documents 28 kB, but flows answered 413 from 21 kB on (measured by
/// msteams_hermes, a Ruby client).
const LARGEST_BODY: usize = 21_000;

/// Teams throttles more than four messages a second.
const RATE_LIMIT: RateLimit = RateLimit {
    at_once: 1,
    interval: Duration::from_millis(250),
};

/// Every 2xx is a success: a workflow answers 202 before it runs, with an empty body or a short text. An HTML page comes
/// from another server.
const SUCCESS: Success = Success {
    matches: |body| !body.starts_with('<') && body.len() < 1_000,
    expected: "an empty answer",
    check: "is `url` the address that the workflow shows?",
};

/// Where the connectors of Office 365 were.
const CONNECTOR_HOSTS: [&str; 3] = [
    "webhook.office.com",
    "outlook.office.com",
    "outlook.office365.com",
];

/// Where workflows have their webhooks, also in Microsoft's clouds for governments and in China.
/// <https://learn.microsoft.com/power-automate/ip-address-configuration>
const WORKFLOW_HOSTS: [&str; 11] = [
    "logic.azure.com",
    "logic.azure.us",
    "logic.azure.cn",
    "api.powerplatform.com",
    "api.gov.powerplatform.microsoft.us",
    "api.high.powerplatform.microsoft.us",
    "api.appsplatform.us",
    "api.powerplatform.partner.microsoftonline.cn",
    "api.powerautomate.com",
    "flow.microsoft.com",
    "flow.microsoft.us",
];

const NOT_A_WORKFLOW: &str = "not the address of a workflow; in Teams, create the workflow \
     \"Send webhook alerts to a channel\" and use the address that it shows";

#[derive(Debug)]
struct Teams {
    webhook: SecretSource,
}

fn read(settings: &mut Settings<'_>) -> Option<Box<dyn Channel>> {
    let webhook = settings.secret("url", problem_of_webhook, ALLOWED);
    let webhook = settings.require("url", webhook, ALLOWED)?;
    Some(Box::new(Teams { webhook }))
}

/// Rejects the addresses of Office 365 connectors, which Microsoft has switched off.
fn problem_of_webhook(text: &str) -> Result<(), &'static str> {
    let is_connector = |url: Url| CONNECTOR_HOSTS.iter().any(|it| is_host(&url, it));
    match Url::parse(text).is_ok_and(is_connector) {
        true => Err(
            "an Office 365 connector, which Microsoft has switched off; create a workflow in Teams (Workflows, \
             \"Send webhook alerts to a channel\") and use its address",
        ),
        false => problem_of_host(text, &WORKFLOW_HOSTS, NOT_A_WORKFLOW),
    }
}

impl Channel for Teams {
    /// Leaves out whole lines from the end until the body is small enough.
    fn payload(&self, message: &Message, _: Operation<'_>) -> Option<Value> {
        Some(fitting_body(message).1)
    }

    fn send<'a>(
        &'a self,
        http: &'a Http,
        prepared: &'a PreparedMessage<'a>,
    ) -> BoxFuture<'a, Outcome> {
        let address =
            |webhook: &Secret| problem_of_webhook(webhook.expose()).map(|()| webhook.clone());
        async move {
            http.post(&self.webhook, address, &prepared.body, read_answer)
                .await
        }
        .boxed()
    }

    fn show(&self, message: &Message, html: &Message) -> Shown {
        let (count, _) = fitting_body(message);
        let mut lines = html.texts();
        lines.truncate(count);
        lines.extend(note(message.details.len() - count));
        Shown {
            sender: "Workflows".to_owned(),
            color: color(html.severity),
            headline: html.headline.clone(),
            lines,
            tags: Vec::new(),
        }
    }

    fn receipt(&self) -> Receipt {
        Receipt::Accepted(
            "the workflow took it; look in the channel, and if it is not there, at the runs of the workflow",
        )
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        Some(RATE_LIMIT)
    }
}

fn read_answer(answer: &Answer) -> Outcome {
    let outcome = answer.outcome(&SUCCESS);
    outcome.with_advice(Some(advice(answer.status)))
}

/// What the operator can do. The authorisation is `sig` in the address. Microsoft does not document the answers of a
/// workflow, so the advice names all that may be wrong.
fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "copy the whole address of the workflow again, with `sig`, and let anyone trigger the workflow"
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            "the workflow was deleted, or its owner's account was: create a workflow and store its address"
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            "the message is too large: check your templates with `ecs-parrot preview`"
        }
        StatusCode::BAD_REQUEST => {
            "check that the workflow is turned on, that it was made as \"Send webhook alerts to a channel\", and that `url` is its whole address"
        }
        _ => {
            "check that `url` is the address that the workflow shows, and that the workflow is turned on"
        }
    }
}

/// The largest body that is small enough, and how many lines it has, from the first on.
fn fitting_body(message: &Message) -> (usize, Value) {
    let make = |count| body(message, count);
    let fits = |body: &Value| body.to_string().len() <= LARGEST_BODY;
    largest(message.details.len(), make, fits)
}

/// The JSON that a workflow's trigger expects, with the first lines of the message.
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

/// An element for facts that follow each other, or for one other line.
fn element(lines: &[Line]) -> Value {
    match lines {
        [line] if line.is_block => block(&line.value),
        [line] if !is_fact(line) => text_block(&line.text),
        facts => {
            let fact = |it: &Line| json!({"title": it.label, "value": without_list(&it.value)});
            json!({"type": "FactSet", "facts": facts.iter().map(fact).collect::<Vec<_>>()})
        }
    }
}

fn text_block(text: &str) -> Value {
    json!({"type": "TextBlock", "text": without_list(text), "wrap": true})
}

/// A text run does not interpret Markdown, so log lines are shown as they were written.
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

/// The same colours for the page.
fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "#8a8886",
        Severity::Success => "#6bb700",
        Severity::Warning => "#f8d22a",
        Severity::Critical => "#c4314b",
    }
}

/// The Markdown of a card. It has bold text, links and lists, but no code.
/// <https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features>
struct CardMarkdown;

impl Markup for CardMarkdown {
    /// Two braces must not follow each other, because `{{DATE(…)}}` is a function of cards. `&` must not begin a Markdown
    /// entity such as `&amp;`.
    fn escape_char(&self, starts_word: bool, character: char) -> Escaped {
        match character {
            '{' | '&' => Escaped::Joined(character),
            _ => escape_markdown(starts_word, character),
        }
    }

    fn bold(&self, escaped: &str) -> String {
        format!("**{escaped}**")
    }

    fn code(&self, raw: &str) -> String {
        escape(self, raw)
    }

    /// Log lines become text runs. In these only the functions of cards are interpreted.
    fn block(&self, raw: &[&str], separator: &str) -> String {
        let mut text = raw.join(separator);
        while text.contains("{{") {
            text = text.replace("{{", "{\u{2060}{");
        }
        text
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
    use crate::notifier::message::MessageFacts;

    fn message(details: Vec<Line>) -> Message {
        Message {
            kind: Kind::TaskStopped,
            severity: Severity::Critical,
            urgent: true,
            mentions: true,
            subjects: Vec::new(),
            headline: "checkout ran out of memory".to_owned(),
            details,
            facts: MessageFacts::default(),
            thread: None,
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
    fn facts_are_grouped_and_log_lines_are_unchanged() {
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
    fn a_large_body_loses_whole_lines() {
        let lines = (0..100).map(|number| fact("Why", &format!("{number} {}", "ä".repeat(300))));
        let message = message(lines.collect());
        let teams = Teams {
            webhook: no_secret(),
        };
        let body = teams.payload(&message, Operation::Post).unwrap();
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
    fn an_office_connector_is_rejected_with_advice() {
        let problem =
            problem_of_webhook("https://example.webhook.office.com/webhookb2/x").unwrap_err();
        assert!(problem.contains("create a workflow"), "{problem}");
        for host in [
            "prod-1.westeurope.logic.azure.com",
            "default1.environment.api.powerplatform.com",
        ] {
            let address = format!("https://{host}/workflows/1/triggers/manual/paths/invoke?sig=x");
            assert_eq!(problem_of_webhook(&address), Ok(()));
        }
    }

    #[test]
    fn a_value_cannot_contain_a_card_function() {
        for text in [
            "{{DATE(2026-01-01T00:00:00Z)}}",
            "{{{{{DATE(2026-01-01T00:00:00Z)}}",
        ] {
            assert!(!escape(&CardMarkdown, text).contains("{{"));
            assert!(!CardMarkdown.block(&[text], "\n").contains("{{"));
        }
    }
}
