//! Discord's Markdown.

use std::io;

use crate::notifier::channel::markup::{Escaped, Markup, escape_markdown, write_escaped};

/// Discord's Markdown. <https://docs.discord.com/developers/reference#message-formatting>,
/// <https://support.discord.com/hc/articles/210298617>
///
/// It has a backslash as escape, but not everywhere: in code, in notifications and in some clients' titles it is shown.
/// So characters with a meaning are replaced by similar ones, as in the other Markdowns. `<` begins mentions, times,
/// custom emoji and links between angle brackets, so none of these is possible without it.
pub(super) struct DiscordMarkdown;

impl Markup for DiscordMarkdown {
    /// Two bars hide the text between them.
    fn escape_char(&self, starts_word: bool, character: char) -> Escaped {
        match character {
            '|' => Escaped::Char('∣'),
            _ => escape_markdown(starts_word, character),
        }
    }

    fn bold(&self, escaped: &str) -> String {
        format!("**{escaped}**")
    }

    fn code(&self, raw: &str) -> String {
        format!("`{}`", within_code(raw))
    }

    fn block(&self, raw: &[&str], separator: &str) -> String {
        let text = within_code(&raw.join(separator));
        format!("```{separator}{text}{separator}```")
    }

    fn link(&self, url: &str, escaped: &str) -> String {
        format!("[{escaped}]({url})")
    }

    /// Discord shows the time in each reader's own time zone. `T` is the only style with seconds that all clients know.
    fn time(&self, seconds: i64, _: &str) -> String {
        format!("<t:{seconds}:d> <t:{seconds}:T>")
    }

    fn escape_fn(&self) -> fn(&str, &mut dyn io::Write) -> io::Result<()> {
        |text, out| write_escaped(&DiscordMarkdown, text, out)
    }
}

/// In code only the backtick has a meaning.
fn within_code(raw: &str) -> String {
    raw.replace('`', "ˋ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::channel::markup::escape;

    #[test]
    fn a_value_is_no_markup() {
        for (value, expected) in [
            ("a_b_c __x__", "a_b_c ＿＿x_＿"),
            ("||x|| <t:1:R> <@&1>", "∣∣x∣∣ ‹t:1:R› ‹@\u{2060}&1›"),
            ("# x -# y", "#\u{2060} x -#\u{2060} y"),
            ("@everyone", "@\u{2060}everyone"),
        ] {
            assert_eq!(escape(&DiscordMarkdown, value), expected);
        }
        assert_eq!(DiscordMarkdown.code("a`b <@1>"), "`aˋb <@1>`");
        assert_eq!(
            DiscordMarkdown.block(&["```", "x"], "\n"),
            "```\nˋˋˋ\nx\n```"
        );
    }
}
