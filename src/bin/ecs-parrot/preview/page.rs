//! `--output html`: a page with every event, its decision, and its message as each channel shows it.

use std::collections::BTreeSet;

use serde::Serialize;
use tera::{Context, Tera};

use super::line::{ChannelView, EventLine};

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

/// A filter on the page, with its values.
#[derive(Debug, Serialize)]
struct PageFilter {
    /// The attribute of the events that the filter compares.
    name: &'static str,
    values: BTreeSet<&'static str>,
}

pub(super) fn page(lines: &[EventLine]) -> anyhow::Result<String> {
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
