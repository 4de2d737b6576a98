//! What the pages of `--output html` have in common: the style sheet, messages as the chats show them, filters.

use std::collections::BTreeSet;

use serde::Serialize;
use tera::{Context, Tera};

/// A filter on a page, with its values.
#[derive(Debug, Serialize)]
pub(crate) struct PageFilter {
    /// The attribute `data-NAME` of the articles, which has their values.
    pub(crate) name: &'static str,
    pub(crate) values: BTreeSet<&'static str>,
}

/// Renders a page. Its template may use the components of `parts.html`, and includes `style.css`.
pub(crate) fn render(template: &str, context: &Context) -> anyhow::Result<String> {
    let mut tera = Tera::new();
    tera.add_raw_templates([
        ("page.html", template),
        ("parts.html", include_str!("page/parts.html")),
        ("style.css", include_str!("page/style.css")),
    ])?;
    Ok(tera.render("page.html", context)?)
}
