//! Plain text, for services whose formats have fields of their own and no markup.

use std::io;

use serde_json::Value;

use super::Shown;
use super::markup::{Escaped, Markup};
use crate::notifier::message::Message;
use crate::notifier::policy::Severity;

/// Text without markup. Cleaned values contain neither line breaks nor control characters.
pub(super) struct PlainText;

impl Markup for PlainText {
    fn escape_char(&self, _: bool, character: char) -> Escaped {
        Escaped::Char(character)
    }

    fn bold(&self, escaped: &str) -> String {
        escaped.to_owned()
    }

    fn code(&self, raw: &str) -> String {
        raw.to_owned()
    }

    fn block(&self, raw: &[&str], separator: &str) -> String {
        raw.join(separator)
    }

    fn link(&self, url: &str, escaped: &str) -> String {
        format!("{escaped} {url}")
    }

    fn time(&self, _: i64, utc: &str) -> String {
        utc.to_owned()
    }

    fn escape_fn(&self) -> fn(&str, &mut dyn io::Write) -> io::Result<()> {
        |text, out| out.write_all(text.as_bytes())
    }
}

/// The beginning of a text, in Unicode characters, with `…` in the place of the rest.
pub(super) fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let kept: String = text.chars().take(longest.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// The body with as many lines as a number of bytes allows, from the first on. If even none is too much, it has none.
pub(super) fn fitting(lines: usize, largest: usize, of_lines: impl Fn(usize) -> Value) -> Value {
    let whole = of_lines(lines);
    let fits = |body: &Value| body.to_string().len() <= largest;
    if fits(&whole) {
        return whole;
    }
    // A body grows with each line, so halving the range finds the largest that fits in few steps.
    let (mut fitting, mut too_many) = (0, lines);
    while too_many - fitting > 1 {
        let middle = usize::midpoint(fitting, too_many);
        match fits(&of_lines(middle)) {
            true => fitting = middle,
            false => too_many = middle,
        }
    }
    of_lines(fitting)
}

/// What these services are shown as on a page: the text, since each draws it in its own way.
pub(super) fn shown(sender: &str, html: &Message, tags: Vec<String>) -> Shown {
    Shown {
        sender: sender.to_owned(),
        color: color(html.severity),
        headline: html.headline.clone(),
        lines: html.texts(),
        tags,
    }
}

fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "#8a8886",
        Severity::Success => "#2e9e4f",
        Severity::Warning => "#d9a400",
        Severity::Critical => "#c4314b",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_lines_as_fit_are_kept() {
        let of_lines = |lines: usize| Value::from("x".repeat(10 * lines));
        for (lines, largest, kept) in [
            (0, 100, 0),
            (9, 100, 9),
            (10, 100, 9),
            (99, 100, 9),
            (1, 5, 0),
        ] {
            let body = fitting(lines, largest, of_lines);
            assert_eq!(body, of_lines(kept), "{lines} {largest}");
        }
    }

    #[test]
    fn a_cut_text_has_at_most_so_many_characters() {
        for (text, longest, expected) in [
            ("one two", 7, "one two"),
            ("one two", 6, "one t…"),
            ("one two", 5, "one…"),
            ("ääää", 3, "ää…"),
        ] {
            assert_eq!(cut(text, longest), expected);
        }
    }
}
