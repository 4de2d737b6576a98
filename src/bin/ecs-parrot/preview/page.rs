//! `--output html`: every event with its decision, and its message as each channel would show it.

use serde::Serialize;
use serde_json::Value;
use tera::{Context, Tera};

use super::line::Line;
use super::markup;

/// What the page's template sees; what ends in `html` is HTML.
#[derive(Debug, Default, Serialize)]
struct Event<'a> {
    file: &'a str,
    decision: &'static str,
    reason: &'static str,
    kind: &'static str,
    severity: &'static str,
    urgent: bool,
    error: Option<&'a str>,
    grouped_in: Option<&'a str>,
    slack: Option<Slack>,
    flowdock: Option<Flowdock>,
    terminal_html: String,
}

#[derive(Debug, Serialize)]
struct Slack {
    headline_html: String,
    color: &'static str,
    blocks_html: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Flowdock {
    user: String,
    content_html: String,
    tags: Vec<String>,
}

pub(super) fn page(lines: &[Line]) -> anyhow::Result<String> {
    let mut tera = Tera::new();
    tera.add_raw_templates([("page.html", include_str!("page.html"))])?;
    let mut context = Context::new();
    let events: Vec<_> = lines.iter().map(event).collect();
    for decision in ["keep", "drop", "error"] {
        let count = events.iter().filter(|it| it.decision == decision).count();
        context.insert(decision, &count);
    }
    context.insert("events", &events);
    Ok(tera.render("page.html", &context)?)
}

fn event(line: &Line) -> Event<'_> {
    let payload = |channel: &str| line.payloads.as_ref()?.get(channel);
    Event {
        file: &line.file,
        decision: line.decision,
        reason: line.reason.unwrap_or_default(),
        kind: line.kind.unwrap_or_default(),
        severity: line.severity.unwrap_or_default(),
        urgent: line.urgent == Some(true),
        error: line.error.as_deref(),
        grouped_in: line.grouped_in.as_deref(),
        slack: payload("slack").map(slack),
        flowdock: payload("flowdock").map(flowdock),
        terminal_html: markup::terminal(&line.terminal),
    }
}

/// The body that would be posted, read as Slack reads it.
fn slack(payload: &Value) -> Slack {
    let attachment = &payload["attachments"][0];
    let blocks = attachment["blocks"].as_array().into_iter().flatten();
    let texts = blocks.filter_map(|block| block["text"]["text"].as_str());
    Slack {
        headline_html: markup::slack(text(&payload["text"])),
        // https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments
        color: match attachment["color"].as_str() {
            Some("good") => "#2eb886",
            Some("warning") => "#daa038",
            Some("danger") => "#a30200",
            Some(_) | None => "#8a939b",
        },
        blocks_html: texts.map(markup::slack).collect(),
    }
}

fn flowdock(payload: &Value) -> Flowdock {
    let tags = payload["tags"].as_array().into_iter().flatten();
    Flowdock {
        user: text(&payload["external_user_name"]).to_owned(),
        content_html: markup::flowdock(text(&payload["content"])),
        tags: tags.map(|tag| text(tag).to_owned()).collect(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
