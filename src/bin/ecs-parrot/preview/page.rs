//! `--output html`: a page with every event, its decision, and its message as each channel shows it.

use serde::Serialize;
use tera::Context;

use super::line::{ChannelView, EventLine};
use crate::page::{self, PageFilter};

/// An event for the page's template.
#[derive(Debug, Serialize)]
struct PageEvent<'a> {
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

pub(super) fn page(lines: &[EventLine]) -> anyhow::Result<String> {
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
    page::render(include_str!("page.html"), &context)
}

fn filter(
    name: &'static str,
    events: &[PageEvent<'_>],
    value: impl Fn(&PageEvent<'_>) -> &'static str,
) -> PageFilter {
    let values = events.iter().map(value).filter(|it| !it.is_empty());
    PageFilter {
        name,
        values: values.collect(),
    }
}

fn event(line: &EventLine) -> PageEvent<'_> {
    PageEvent {
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
