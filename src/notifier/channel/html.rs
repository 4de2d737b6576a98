//! HTML as markup. The page of `preview --output html` uses it for the messages of all channels.

use std::io;

use super::markup::{Escaped, Markup, escape, write_escaped};

pub struct Html;

impl Markup for Html {
    fn escape_char(&self, _: bool, character: char) -> Escaped {
        match character {
            '&' => Escaped::Text("&amp;"),
            '<' => Escaped::Text("&lt;"),
            '>' => Escaped::Text("&gt;"),
            '"' => Escaped::Text("&quot;"),
            '\'' => Escaped::Text("&#39;"),
            _ => Escaped::Char(character),
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
