//! `--output html`: every event with its decision, and its message as each channel shows it.

use std::collections::BTreeSet;

use ecs_parrot::notifier::channel::Shown;
use serde::Serialize;
use tera::{Context, Tera};

use super::line::Line;

/// A message in one channel.
#[derive(Debug, Serialize)]
pub(super) struct ChannelView {
    pub(super) name: String,
    pub(super) channel_type: &'static str,
    /// False where the channel's minimum leaves it out.
    pub(super) is_wanted: bool,
    /// Its texts are HTML.
    pub(super) shown: Shown,
}

/// What the page's template sees.
#[derive(Debug, Serialize)]
struct Event<'a> {
    file: &'a str,
    decision: &'static str,
    reason: &'static str,
    kind: &'static str,
    severity: &'static str,
    urgent: bool,
    error: Option<&'a str>,
    grouped_in: Option<&'a str>,
    views: &'a [ChannelView],
}

/// The values of one filter.
#[derive(Debug, Serialize)]
struct Filter {
    /// The attribute of the events that it selects by.
    name: &'static str,
    values: BTreeSet<&'static str>,
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
    let filters = [
        filter("decision", &events, |it| it.decision),
        filter("severity", &events, |it| it.severity),
        filter("kind", &events, |it| it.kind),
    ];
    context.insert("filters", &filters);
    context.insert("events", &events);
    Ok(tera.render("page.html", &context)?)
}

fn filter(
    name: &'static str,
    events: &[Event<'_>],
    value: impl Fn(&Event<'_>) -> &'static str,
) -> Filter {
    let values = events.iter().map(value).filter(|it| !it.is_empty());
    Filter {
        name,
        values: values.collect(),
    }
}

fn event(line: &Line) -> Event<'_> {
    Event {
        file: &line.file,
        decision: line.decision,
        reason: line.reason.unwrap_or_default(),
        kind: line.kind.unwrap_or_default(),
        severity: line.severity.unwrap_or_default(),
        urgent: line.urgent == Some(true),
        error: line.error.as_deref(),
        grouped_in: line.grouped_in.as_deref(),
        views: &line.views,
    }
}
