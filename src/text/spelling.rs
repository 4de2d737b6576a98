//! Which word was meant by one that is none.

use std::cmp::Reverse;

use strsim::osa_distance;

/// The word that is nearest, where it is near enough to have been meant: the same but for case and the marks
/// between its parts, a few slips, or a beginning of it.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = plain(word);
    let near = words.into_iter().filter_map(|candidate| {
        // Without a look at the letters, because this is asked of every variable at a cold start.
        if candidate.len().abs_diff(word.len()) > LONGEST_DIFFERENCE {
            return None;
        }
        let meant = plain(candidate);
        let distance = osa_distance(&typed, &meant);
        let is_near = distance <= slips(typed.len().min(meant.len())) || begins(&typed, &meant);
        is_near.then_some((distance, candidate))
    });
    let near =
        near.min_by_key(|(distance, candidate)| (*distance, Reverse(common(word, candidate))));
    near.map(|(_, candidate)| candidate)
}

/// Whether a name was meant as that one and typed wrong: a single letter, or two where both names are long, or most of
/// a long one and its end is missing. Others' names are nearer to ours than that only by chance.
pub fn is_slip(name: &str, meant: &str) -> bool {
    let (typed, meant) = (plain(name), plain(meant));
    let allowed = match typed.len().min(meant.len()) {
        0..=10 => 1,
        _ => 2,
    };
    let is_cut_off = typed.len() > 10 && begins(&typed, &meant);
    is_cut_off || osa_distance(&typed, &meant) <= allowed
}

/// In the bytes of a word and of what was meant by it, marks included.
const LONGEST_DIFFERENCE: usize = 6;

/// `SLACK_WEBHOOK` for `SLACK_WEBHOOKURL`: most of the word, and its end is missing.
fn begins(typed: &str, meant: &str) -> bool {
    meant.starts_with(typed) && typed.len() >= 5 && typed.len() * 3 >= meant.len() * 2
}

/// How many letters may be wrong, missing, too many or exchanged with the next in a word of this length.
fn slips(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=11 => 2,
        _ => 3,
    }
}

fn plain(word: &str) -> String {
    let letters = word.chars().filter(|it| it.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// How far both begin alike: of words that are equally near the one that was typed further.
fn common(word: &str, candidate: &str) -> usize {
    let both = word.chars().zip(candidate.chars());
    both.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_near_and_other_words_are_not() {
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
