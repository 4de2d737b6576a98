//! Suggests a known word for a misspelt one.

use std::cmp::Reverse;

use strsim::osa_distance;

/// The nearest known word, if it is near enough. Letter case and separators do not count. A few letters may be wrong,
/// or the end may be missing.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = normalized(word);
    let near = words.into_iter().filter_map(|candidate| {
        // Compare the lengths first: this runs for every variable at a cold start, so it must be fast.
        if candidate.len().abs_diff(word.len()) > MAX_LENGTH_DIFFERENCE {
            return None;
        }
        let meant = normalized(candidate);
        let distance = osa_distance(&typed, &meant);
        let is_near =
            distance <= allowed_errors(typed.len().min(meant.len())) || is_cut_off(&typed, &meant);
        is_near.then_some((distance, candidate))
    });
    let near = near
        .min_by_key(|(distance, candidate)| (*distance, Reverse(common_prefix(word, candidate))));
    near.map(|(_, candidate)| candidate)
}

/// Whether `name` is probably `meant` with a typing error: one wrong letter, two in a long name, or a long name whose
/// end is missing. The names of other programs are this similar only by chance.
pub fn is_typo(name: &str, meant: &str) -> bool {
    let (typed, meant) = (normalized(name), normalized(meant));
    let allowed = match typed.len().min(meant.len()) {
        0..=10 => 1,
        _ => 2,
    };
    let lacks_end = typed.len() > 10 && is_cut_off(&typed, &meant);
    lacks_end || osa_distance(&typed, &meant) <= allowed
}

/// In bytes, separators included.
const MAX_LENGTH_DIFFERENCE: usize = 6;

/// Whether only the end is missing: `SLACK_WEBHOOK` for `SLACK_WEBHOOKURL`.
fn is_cut_off(typed: &str, meant: &str) -> bool {
    meant.starts_with(typed) && typed.len() >= 5 && typed.len() * 3 >= meant.len() * 2
}

/// How many letters may be wrong, missing, extra or swapped with the next one in a word of this length.
fn allowed_errors(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=11 => 2,
        _ => 3,
    }
}

fn normalized(word: &str) -> String {
    let letters = word.chars().filter(|it| it.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// The length of the common prefix. It decides between words that are equally near.
fn common_prefix(word: &str, candidate: &str) -> usize {
    let both = word.chars().zip(candidate.chars());
    both.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_words_are_near_and_other_words_are_not() {
        let words = [
            "task_stopped",
            "stop_task",
            "keep",
            "SLACK_WEBHOOKURL",
            "SLACK_QUIET",
        ];
        for (typed, meant) in [
            ("SLACK_WEBHOOK_URL", Some("SLACK_WEBHOOKURL")),
            ("SLACK_WEBHOOK", Some("SLACK_WEBHOOKURL")),
            ("slack-quite", Some("SLACK_QUIET")),
            ("stop_tsk", Some("stop_task")),
            ("StopTask", Some("stop_task")),
            ("task_stoped", Some("task_stopped")),
            ("kep", Some("keep")),
            ("keeps", Some("keep")),
            ("stop", None),
            ("ke", None),
            ("everything", None),
            ("SLACK_BOT_TOKEN", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, words), meant, "{typed}");
        }
    }
}
