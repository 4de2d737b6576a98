//! HTML as markup: how the page of `preview --output html` shows a message of any channel.

use std::io;

use crate::notifier::channel::markup::{Markup, Piece, escape, write_escaped};

pub(super) struct Html;

impl Markup for Html {
    fn escape_char(&self, _: bool, character: char) -> Piece {
        match character {
            '&' => Piece::Text("&amp;"),
            '<' => Piece::Text("&lt;"),
            '>' => Piece::Text("&gt;"),
            '"' => Piece::Text("&quot;"),
            '\'' => Piece::Text("&#39;"),
            _ => Piece::Char(character),
        }
    }

    fn bold(&self, escaped: &str) -> String {
        format!("<b>{escaped}</b>")
    }

    fn code(&self, raw: &str) -> String {
        format!("<code>{}</code>", escape(self, raw))
    }

    fn block(&self, raw: &[&str], separator: &str) -> String {
        let lines: Vec<_> = raw.iter().map(|line| escape(self, line)).collect();
        format!("<pre>{}</pre>", lines.join(separator))
    }

    fn link(&self, url: &str, escaped: &str) -> String {
        let url = escape(self, url);
        format!("<a href=\"{url}\" title=\"{url}\" rel=\"noreferrer\">{escaped}</a>")
    }

    fn time(&self, _: i64, utc: &str) -> String {
        format!("<time>{utc}</time>")
    }

    fn escape_fn(&self) -> fn(&str, &mut dyn io::Write) -> io::Result<()> {
        |text, out| write_escaped(&Html, text, out)
    }
}
