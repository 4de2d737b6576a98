//! Finds variables that no program reads, but whose names look like known ones.
//!
//! Their names are probably misspelt. Without this check they would have no effect, and no one would notice.

use super::{DISABLED, Problem, Remedy, names};
use crate::text::spelling::{is_typo, nearest};

/// When a misspelt name is an error and not only a warning.
pub(crate) enum OnMisspelling {
    /// The notifier needs a channel, and one of these is enough.
    NeedsOneOf(&'static [&'static str]),
    /// The program allows nothing unless all of these are set.
    NeedsAll(&'static [&'static str]),
    /// A misspelt name is never an error: the variable may belong to another program.
    Warn,
}

/// These decide where a message goes, together with the variables of the channels themselves.
const DESTINATIONS: [&str; 2] = ["SLACK_CHANNEL", "FLOWDOCK_URL"];

/// A typing error in the name of a variable that is not set is an error. A name that only begins like several of ours
/// is a warning if the program has what it needs. A name that resembles a part of ours is always a warning. A shell
/// also has variables of other programs: there a typing error is an error only in the name of a variable that decides
/// where messages go.
pub(crate) fn check(
    own: &[String],
    on_misspelling: &OnMisspelling,
    environment: &[(String, String)],
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) {
    let values = Values(environment);
    let in_function = values.is_set("AWS_LAMBDA_FUNCTION_NAME");
    let unread = environment.iter().filter(|(name, value)| {
        !is_of_lambda(name)
            && !own.contains(name)
            && !value.trim().is_empty()
            && may_resemble(name, own)
    });
    for (name, _) in unread {
        let Some(resemblance) = resemblance(name, own, in_function) else {
            continue;
        };
        if is_of_another_program(name) {
            continue;
        }
        let remedy = match &resemblance {
            Resemblance::Typo(meant) => Remedy::DidYouMean((*meant).to_owned()),
            Resemblance::Part(wholes) if wholes.len() == 1 => Remedy::DidYouMean(wholes.concat()),
            Resemblance::Part(known) | Resemblance::SamePrefix(known) => {
                Remedy::Allowed(known.join(", "))
            }
        };
        let is_error = match &resemblance {
            Resemblance::Typo(meant) if values.is_set(meant) => {
                warnings.push(format!(
                    "{name} is not read: there is no such variable, and {meant} is set"
                ));
                continue;
            }
            Resemblance::Part(wholes) if wholes.iter().any(|it| values.is_set(it)) => continue,
            Resemblance::Typo(meant) => on_misspelling.is_error_for(meant, in_function),
            Resemblance::Part(_) => false,
            Resemblance::SamePrefix(known) => {
                in_function && known.iter().any(|it| on_misspelling.lacks(it, &values))
            }
        };
        let problem = "there is no such variable".to_owned();
        match is_error {
            true => problems.push(Problem {
                variable: name.clone(),
                problem,
                remedy,
            }),
            false => warnings.push(format!("{name} is not read: {problem}; {remedy}")),
        }
    }
}

struct Values<'a>(&'a [(String, String)]);

impl Values<'_> {
    /// An empty or disabled value counts as unset.
    fn is_set(&self, name: &str) -> bool {
        let mut found = self.0.iter().filter(|(set, _)| set == name);
        found.any(|(_, value)| {
            let value = value.trim();
            !value.is_empty() && !value.eq_ignore_ascii_case(DISABLED)
        })
    }
}

impl OnMisspelling {
    /// Whether a typing error in the name of this variable is an error.
    fn is_error_for(&self, meant: &str, in_function: bool) -> bool {
        match self {
            Self::NeedsOneOf(channels) => {
                // A shell's CHANNEL is mostly another program's.
                let is_ours = meant.contains('_');
                in_function
                    || is_ours && (channels.contains(&meant) || DESTINATIONS.contains(&meant))
            }
            Self::NeedsAll(_) => true,
            Self::Warn => false,
        }
    }

    /// Whether the program lacks something that this variable would provide.
    fn lacks(&self, name: &str, values: &Values<'_>) -> bool {
        match self {
            Self::NeedsOneOf(channels) => {
                channels.contains(&name) && !channels.iter().any(|it| values.is_set(it))
            }
            Self::NeedsAll(needed) => needed.contains(&name) && !values.is_set(name),
            Self::Warn => false,
        }
    }
}

/// How an unread name resembles known ones.
enum Resemblance<'a> {
    /// It is this name with a typing error.
    Typo(&'a str),
    /// It begins like all of these.
    SamePrefix(Vec<&'a str>),
    /// It is a part of each of these, or has words of theirs in other forms.
    Part(Vec<&'a str>),
}

fn resemblance<'a>(name: &str, own: &'a [String], in_function: bool) -> Option<Resemblance<'a>> {
    let near = near(name, own);
    let is_longer = |it: &str| name.strip_prefix(it).is_some_and(|it| it.starts_with('_'));
    let typo = near.filter(|it| is_typo(name, it) && !is_longer(it));
    // In a shell, a single short word may belong to any program.
    let may_be_part = name.contains('_') || name.len() > if in_function { 3 } else { 8 };
    typo.map(Resemblance::Typo)
        .or_else(|| same_prefix(name, own).map(Resemblance::SamePrefix))
        .or_else(|| wholes(name, own, may_be_part).map(Resemblance::Part))
        .or_else(|| {
            let near = near.filter(|it| it.contains('_'))?;
            Some(Resemblance::Part(vec![near]))
        })
}

/// Lambda sets about thirty variables, and none of ours begins like them. Skipping them saves time at a cold start.
fn is_of_lambda(name: &str) -> bool {
    const OTHERS: [&str; 4] = ["LANG", "LD_LIBRARY_PATH", "PATH", "TZ"];
    name.starts_with("AWS_")
        || name.starts_with("LAMBDA_")
        || name.starts_with('_')
        || OTHERS.contains(&name)
}

/// A fast check that excludes most variables, because the exact one would slow down every cold start. A typing error
/// leaves the start or the end of a long name unchanged. So a long name can resemble one of ours only if ours contains
/// its first or its last letters.
fn may_resemble(name: &str, own: &[String]) -> bool {
    const END: usize = 3;
    let bytes = name.as_bytes();
    if bytes.len() < 2 * END {
        return true;
    }
    let is_in = |end: &[u8], own: &str| {
        let mut windows = own.as_bytes().windows(END);
        windows.any(|part| part.eq_ignore_ascii_case(end))
    };
    let (first, last) = (&bytes[..END], &bytes[bytes.len() - END..]);
    own.iter().any(|own| is_in(first, own) || is_in(last, own))
}

fn is_of_another_program(name: &str) -> bool {
    let mut all = names().into_iter().flat_map(|(_, names)| names);
    all.any(|it| it == name)
}

/// A name of one word, such as KEEP, resembles many names of other programs. It is suggested only for a name in capital
/// letters that begins with the same letter.
fn near<'a>(name: &str, own: &'a [String]) -> Option<&'a str> {
    let comparable = own.iter().filter(|it| match it.contains('_') {
        true => name.contains(['_', '-']) || name.len() > 8,
        false => name.chars().next() == it.chars().next() && name == name.to_uppercase(),
    });
    nearest(name, comparable.map(String::as_str))
}

/// The names that begin like this one, up to the last `_` that they share: `SLACK_`, `LOG_TAIL_`.
fn same_prefix<'a>(name: &str, own: &'a [String]) -> Option<Vec<&'a str>> {
    let (first, _) = name.split_once('_')?;
    let is_member = |it: &&str| it.split_once('_').is_some_and(|(start, _)| start == first);
    let members: Vec<_> = own.iter().map(String::as_str).filter(is_member).collect();
    let [one, _, ..] = members[..] else {
        return None;
    };
    let mut marks = one.match_indices('_').map(|(end, _)| &one[..=end]);
    let shared = marks.rfind(|start| members.iter().all(|it| it.starts_with(start)))?;
    name.starts_with(shared).then_some(members)
}

/// The names of which this one is a part: `WEBHOOK_URL` is the end of `SLACK_WEBHOOKURL`, `LOG_LINES` has words of
/// `LOG_TAIL_LINES`, and `TASK_DEF` has the beginnings of the words of `TASK_DEFINITION`.
fn wholes<'a>(name: &str, own: &'a [String], may_be_part: bool) -> Option<Vec<&'a str>> {
    if !may_be_part || name != name.to_uppercase() {
        return None;
    }
    let longer = own.iter().map(String::as_str).filter(|it| it.contains('_'));
    let wholes: Vec<_> = longer.filter(|it| has_words(it, name)).collect();
    (!wholes.is_empty()).then_some(wholes)
}

/// Whether `part` has words of `whole` in the same order, and one of them is the first or the last word of `whole`.
fn has_words(whole: &str, part: &str) -> bool {
    let letters = part.replace('_', "");
    let mut ends = whole.match_indices('_').map(|(at, _)| &whole[at + 1..]);
    if ends.any(|end| end.replace('_', "") == letters) {
        return true;
    }
    let words: Vec<_> = whole.split('_').collect();
    let parts: Vec<_> = part.split('_').collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return false;
    };
    let at_an_end = is_form(words[0], first) || is_form(words[words.len() - 1], last);
    let mut rest = words.iter();
    at_an_end
        && parts
            .iter()
            .all(|part| rest.any(|word| is_form(word, part)))
}

/// Whether both are forms of one word: `IGNORE` and `IGNORED`, `DEF` and `DEFINITION`.
fn is_form(one: &str, other: &str) -> bool {
    let shorter = one.len().min(other.len());
    one == other || (shorter >= 3 && (one.starts_with(other) || other.starts_with(one)))
}
