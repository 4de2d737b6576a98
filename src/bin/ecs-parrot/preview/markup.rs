//! Each channel's markup as HTML, as its reader would see it.
//!
//! The texts come from events: whatever is no markup of ours is shown as the characters that it is.

/// Slack's mrkdwn. <https://docs.slack.dev/messaging/formatting-message-text>
pub(super) fn slack(text: &str) -> String {
    const SPANS: [Span; 4] = [
        Span {
            open: "```",
            close: "```",
            html: |inner| format!("<pre>{}</pre>", slack_text(inner.trim_matches('\n'))),
        },
        Span {
            open: "`",
            close: "`",
            html: |inner| format!("<code>{}</code>", slack_text(inner)),
        },
        Span {
            open: "<",
            close: ">",
            html: slack_link,
        },
        Span {
            open: "*",
            close: "*",
            html: |inner| format!("<b>{}</b>", slack(inner)),
        },
    ];
    render(text, &SPANS, slack_text)
}

/// Flowdock's Markdown.
pub(super) fn flowdock(text: &str) -> String {
    const SPANS: [Span; 4] = [
        Span {
            open: "```",
            close: "```",
            html: |inner| format!("<pre>{}</pre>", lines(inner.trim_matches('\n'))),
        },
        Span {
            open: "`",
            close: "`",
            html: |inner| format!("<code>{}</code>", lines(inner)),
        },
        Span {
            open: "**",
            close: "**",
            html: |inner| format!("<b>{}</b>", lines(inner)),
        },
        Span {
            open: "[",
            close: ")",
            html: flowdock_link,
        },
    ];
    render(text, &SPANS, lines)
}

/// What a terminal makes of its colours.
pub(super) fn terminal(text: &str) -> String {
    let mut html = String::new();
    let mut parts = text.split("\u{1b}[");
    html.push_str(&escape(parts.next().unwrap_or_default()));
    let mut open = 0;
    for part in parts {
        let (codes, rest) = part.split_once('m').unwrap_or(("", part));
        let class = match codes {
            "1" => "bold",
            "31" => "red",
            "32" => "green",
            "33" => "yellow",
            _ => "",
        };
        if class.is_empty() {
            html.push_str(&"</span>".repeat(open));
            open = 0;
        } else {
            html.push_str(&format!("<span class=\"{class}\">"));
            open += 1;
        }
        html.push_str(&escape(rest));
    }
    html + &"</span>".repeat(open)
}

pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Something between two marks.
struct Span {
    open: &'static str,
    close: &'static str,
    html: fn(&str) -> String,
}

/// The first mark that opens and closes decides; what stands before it is plain.
fn render(mut text: &str, spans: &[Span], plain: fn(&str) -> String) -> String {
    let mut html = String::new();
    let mut start = 0;
    while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        let found = spans.iter().find_map(|span| {
            let inner = rest.strip_prefix(span.open)?;
            let end = inner.find(span.close).filter(|end| *end > 0)?;
            let is_block = span.open.len() == 3;
            let inner_text = &inner[..end];
            let is_one_line = is_block || !inner_text.contains('\n');
            is_one_line.then(|| (span, inner_text, span.open.len() + end + span.close.len()))
        });
        match found {
            Some((span, inner, length)) => {
                html.push_str(&plain(&text[..start]));
                html.push_str(&(span.html)(inner));
                text = &text[start + length..];
                start = 0;
            }
            None => start += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    html + &plain(text)
}

/// Slack shows its three escapes as the characters that they stand for.
fn slack_text(text: &str) -> String {
    let plain = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    lines(&plain)
}

fn lines(text: &str) -> String {
    escape(text).replace('\n', "<br>")
}

/// `<url|text>`, `<!date^…|text>`, and mentions.
fn slack_link(inner: &str) -> String {
    let (target, text) = inner.split_once('|').unwrap_or((inner, inner));
    if target.starts_with("!date^") {
        return format!("<time>{}</time>", slack_text(text));
    }
    if target.starts_with(['!', '@', '#']) {
        return format!("<span class=\"mention\">{}</span>", slack_text(text));
    }
    link(&target.replace("&amp;", "&"), &slack_text(text))
}

/// `[text](url)`; another bracket is one.
fn flowdock_link(inner: &str) -> String {
    match inner.split_once("](") {
        Some((text, url)) => link(url, &lines(text)),
        None => lines(&format!("[{inner})")),
    }
}

/// `text` is HTML already.
fn link(url: &str, text: &str) -> String {
    if !url.starts_with("https://") {
        return text.to_owned();
    }
    let url = escape(url);
    format!("<a href=\"{url}\" title=\"{url}\" rel=\"noreferrer\">{text}</a>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slacks_markup() {
        for (text, html) in [
            (
                "*Why*: &lt;b&gt; &amp; `a*b*`",
                "<b>Why</b>: &lt;b&gt; &amp; <code>a*b*</code>",
            ),
            (
                "<https://a.example/x?y=1&amp;z=2|the *logs*>",
                "<a href=\"https://a.example/x?y=1&amp;z=2\" title=\"https://a.example/x?y=1&amp;z=2\" rel=\"noreferrer\">the *logs*</a>",
            ),
            ("<!date^1790000000^{date_num}|noon>", "<time>noon</time>"),
            (
                "<!subteam^S1>",
                "<span class=\"mention\">!subteam^S1</span>",
            ),
            ("```\na\n  *b*\n```", "<pre>a<br>  *b*</pre>"),
            ("2 * 3\n4 * 5", "2 * 3<br>4 * 5"),
            ("<javascript:alert(1)|click>", "click"),
            ("\" onload='x", "&quot; onload=&#39;x"),
        ] {
            assert_eq!(slack(text), html);
        }
    }

    #[test]
    fn flowdocks_markup() {
        for (text, html) in [
            (
                "**Open**: [task](https://a.example/1) [x] (y)",
                "<b>Open</b>: <a href=\"https://a.example/1\" title=\"https://a.example/1\" rel=\"noreferrer\">task</a> [x] (y)",
            ),
            ("`<script>`", "<code>&lt;script&gt;</code>"),
        ] {
            assert_eq!(flowdock(text), html);
        }
    }

    #[test]
    fn a_terminals_colours() {
        assert_eq!(
            terminal("\u{1b}[1m\u{1b}[31mred <b>\u{1b}[0m plain"),
            "<span class=\"bold\"><span class=\"red\">red &lt;b&gt;</span></span> plain"
        );
    }
}
