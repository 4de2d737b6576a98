//! Keeps a message within a channel's limits. It leaves out whole lines, because a part of a line would be broken
//! markup.

/// A channel's limits, in UTF-16 units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub line: usize,
    pub total: usize,
}

/// Space for the line that says how many lines were left out.
const NOTE: usize = 60;

/// The length in UTF-16 units, because chat services count as JavaScript does.
pub(super) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Returns the lines that fit, from the first one on. If lines are left out, a last line says how many.
pub(super) fn fit(lines: &[String], limits: Limits) -> Vec<String> {
    fitting(lines, lines, limits)
}

/// The same for a second form of the lines: returns a line of `shown` if the line of `lines` at the same index fits.
pub(super) fn fitting(lines: &[String], shown: &[String], limits: Limits) -> Vec<String> {
    let mut kept = Vec::with_capacity(lines.len());
    let mut budget = limits.total.saturating_sub(NOTE);
    for (line, shown) in lines.iter().zip(shown) {
        let needed = length(line) + 1;
        if needed <= limits.line && needed <= budget {
            budget -= needed;
            kept.push(shown.clone());
        } else if needed <= limits.line {
            // After the first line that does not fit, no further line is added. A line that is too long by itself is
            // only skipped.
            budget = 0;
        }
    }
    let left_out = lines.len() - kept.len();
    kept.extend(note(left_out));
    kept
}

/// The largest form of a message that fits, and how many of its lines it has, from the first on. `make` makes the form
/// with so many lines.
pub(super) fn largest<T>(
    lines: usize,
    make: impl Fn(usize) -> T,
    fits: impl Fn(&T) -> bool,
) -> (usize, T) {
    let mut forms = (1..=lines).rev().map(|count| (count, make(count)));
    let fitting = forms.find(|(_, form)| fits(form));
    fitting.unwrap_or_else(|| (0, make(0)))
}

/// The line that says how many lines were left out.
pub(super) fn note(left_out: usize) -> Option<String> {
    match left_out {
        0 => None,
        1 => Some("… 1 more line left out".to_owned()),
        _ => Some(format!("… {left_out} more lines left out")),
    }
}

/// Puts all lines into as few texts as possible.
pub(super) fn stacked(lines: &[String], longest: usize) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for line in lines {
        match texts.last_mut() {
            Some(text) if length(text) + 1 + length(line) <= longest => {
                text.push('\n');
                text.push_str(line);
            }
            Some(_) | None => texts.push(line.clone()),
        }
    }
    texts
}

/// Cuts a text that is too long. Keeps whole words, and no part of a link or a mention, which contain their spaces between `<` and `>`.
pub(super) fn cut(text: &str, longest: usize) -> String {
    if length(text) <= longest {
        return text.to_owned();
    }
    let (mut units, mut is_in_markup, mut end) = (length("…"), false, 0);
    for (index, character) in text.char_indices() {
        if units > longest {
            break;
        }
        match character {
            '<' => is_in_markup = true,
            '>' => is_in_markup = false,
            ' ' | '\n' if !is_in_markup => end = index,
            _ => {}
        }
        units += character.len_utf16();
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        line: 30,
        total: 120,
    };

    #[test]
    fn length_counts_utf16_units() {
        for (text, units) in [
            ("", 0),
            ("abc", 3),
            ("zażółć", 6),
            ("∗ˋ·—", 4),
            ("🔴 a 👩‍🚀", 10),
            ("\u{10ffff}\u{ffff}\u{7ff}\u{80}", 5),
        ] {
            assert_eq!(length(text), units, "{text}");
        }
    }

    #[test]
    fn lines_that_fit_are_unchanged() {
        let lines = ["one".to_owned(), "two".to_owned()];
        assert_eq!(fit(&lines, LIMITS), lines);
    }

    #[test]
    fn whole_lines_are_left_out_from_the_end() {
        let lines: Vec<_> = (0..10)
            .map(|number| format!("line number {number}"))
            .collect();
        let kept = fit(&lines, LIMITS);
        assert_eq!(kept[..4], lines[..4]);
        assert_eq!(kept[4..], ["… 6 more lines left out"]);
        assert!(kept.iter().map(|line| length(line) + 1).sum::<usize>() <= LIMITS.total);
    }

    #[test]
    fn only_the_line_that_is_too_long_is_skipped() {
        let lines = ["short".to_owned(), "x".repeat(40), "last".to_owned()];
        assert_eq!(
            fit(&lines, LIMITS),
            ["short", "last", "… 1 more line left out"]
        );
    }

    #[test]
    fn a_long_text_is_cut_between_words() {
        for (text, longest, expected) in [
            ("one two three", 13, "one two three"),
            ("one two three", 12, "one two…"),
            ("one two three", 8, "one two…"),
            ("one two three", 7, "one…"),
            ("🔴 two three", 7, "🔴 two…"),
            ("see <https://x|a b c> now", 20, "see…"),
            ("see <https://x|a b c> now", 24, "see <https://x|a b c>…"),
            ("one\ntwo three", 9, "one\ntwo…"),
        ] {
            let cut = cut(text, longest);
            assert_eq!(cut, expected);
            assert!(length(&cut) <= longest, "{cut}");
        }
    }

    #[test]
    fn the_form_with_the_most_lines_that_fits_is_chosen() {
        for (longest, expected) in [(5, "xxx"), (3, "xxx"), (2, "xx"), (0, "")] {
            let (count, form) = largest(3, |count| "x".repeat(count), |it| it.len() <= longest);
            assert_eq!((count, form.as_str()), (expected.len(), expected));
        }
    }
}
