//! Slack's markup, `mrkdwn`.

use std::io;

use crate::notifier::channel::markup::{Escaped, Markup, escape_markdown, write_escaped};

/// Slack's markup. <https://docs.slack.dev/messaging/formatting-message-text>
pub(in crate::notifier::channel) struct Mrkdwn;

impl Markup for Mrkdwn {
    /// Slack can escape three characters.
    /// <https://docs.slack.dev/messaging/formatting-message-text#escaping>
    fn escape_char(&self, starts_word: bool, character: char) -> Escaped {
        match character {
            '&' => Escaped::Text("&amp;"),
            '<' => Escaped::Text("&lt;"),
            '>' => Escaped::Text("&gt;"),
            '[' | ']' | '\\' | '#' => Escaped::Char(character),
            _ => escape_markdown(starts_word, character),
        }
    }

    fn bold(&self, escaped: &str) -> String {
        format!("*{escaped}*")
    }

    fn code(&self, raw: &str) -> String {
        format!("`{}`", within_code(raw))
    }

    fn block(&self, raw: &[&str], separator: &str) -> String {
        let lines: Vec<_> = raw.iter().map(|line| within_code(line)).collect();
        format!("```{separator}{}{separator}```", lines.join(separator))
    }

    /// <https://docs.slack.dev/messaging/formatting-message-text#linking-urls>
    fn link(&self, url: &str, escaped: &str) -> String {
        let (url, text) = (url.replace('&', "&amp;"), escaped.replace('|', "∣"));
        format!("<{url}|{text}>")
    }

    /// Slack shows the time in each reader's own time zone.
    fn time(&self, seconds: i64, utc: &str) -> String {
        format!("<!date^{seconds}^{{date_num}} {{time_secs}}|{utc}>")
    }

    fn escape_fn(&self) -> fn(&str, &mut dyn io::Write) -> io::Result<()> {
        |text, out| write_escaped(&Mrkdwn, text, out)
    }
}

/// Between backticks only the backtick and Slack's three escaped characters have a meaning.
fn within_code(raw: &str) -> String {
    raw.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('`', "ˋ")
}
