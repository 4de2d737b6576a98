//! Variables that are set, that nobody reads, and that look like one that somebody does: what was meant by them would
//! have no effect, and nobody would hear of it.

use super::{DISABLED, Problem, Remedy, names};
use crate::text::spelling::{is_slip, nearest};

/// What depends on the variables of one program, and so how much what looks like one of them matters.
pub(crate) enum Stakes {
    /// The notifier has to send somewhere, and one of these is enough.
    Channel(&'static [&'static str]),
    /// Nothing is allowed without each of these.
    Each(&'static [&'static str]),
    /// No variable of somebody else's may stop this program: it is only warned.
    None,
}

/// With the channels themselves, the variables that decide where a message goes.
const DESTINATIONS: [&str; 2] = ["SLACK_CHANNEL", "FLOWDOCK_URL"];

/// A slip in the name of one that is not set is an error. What merely begins as several of ours do is a warning
/// wherever the program has what it needs, and any likeness to a part of a name is one. A shell has other programs'
/// variables too: there only a slip in what decides where messages go is an error.
pub(crate) fn check(
    own: &[String],
    stakes: &Stakes,
    environment: &[(String, String)],
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) {
    let values = Values(environment);
    let in_function = values.is_set("AWS_LAMBDA_FUNCTION_NAME");
    let foreign = environment.iter().filter(|(name, value)| {
        !is_of_lambda(name)
            && !own.contains(name)
            && !value.trim().is_empty()
            && may_resemble(name, own)
    });
    for (name, _) in foreign {
        let Some(resemblance) = resemblance(name, own, in_function) else {
            continue;
        };
        if is_of_another_program(name) {
            continue;
        }
        let remedy = match &resemblance {
            Resemblance::Slip(meant) => Remedy::DidYouMean((*meant).to_owned()),
            Resemblance::Part(wholes) if wholes.len() == 1 => Remedy::DidYouMean(wholes.concat()),
            Resemblance::Part(known) | Resemblance::Family(known) => {
                Remedy::Allowed(known.join(", "))
            }
        };
        let is_error = match &resemblance {
            Resemblance::Slip(meant) if values.is_set(meant) => {
                warnings.push(format!(
                    "{name} is not read: there is no such variable, and {meant} is set"
                ));
                continue;
            }
            Resemblance::Part(wholes) if wholes.iter().any(|it| values.is_set(it)) => continue,
            Resemblance::Slip(meant) => stakes.is_stopped_by(meant, in_function),
            Resemblance::Part(_) => false,
            Resemblance::Family(known) => {
                in_function && known.iter().any(|it| stakes.lacks(it, &values))
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
    /// What is empty or switched off sets nothing.
    fn is_set(&self, name: &str) -> bool {
        let mut found = self.0.iter().filter(|(set, _)| set == name);
        found.any(|(_, value)| {
            let value = value.trim();
            !value.is_empty() && !value.eq_ignore_ascii_case(DISABLED)
        })
    }
}

impl Stakes {
    /// By a slip in the name of this variable.
    fn is_stopped_by(&self, meant: &str, in_function: bool) -> bool {
        match self {
            Self::Channel(channels) => {
                // A shell's CHANNEL is mostly another program's.
                let is_ours = meant.contains('_');
                in_function
                    || is_ours && (channels.contains(&meant) || DESTINATIONS.contains(&meant))
            }
            Self::Each(_) => true,
            Self::None => false,
        }
    }

    /// Whether nothing works, and this variable would help.
    fn lacks(&self, name: &str, values: &Values<'_>) -> bool {
        match self {
            Self::Channel(channels) => {
                channels.contains(&name) && !channels.iter().any(|it| values.is_set(it))
            }
            Self::Each(needed) => needed.contains(&name) && !values.is_set(name),
            Self::None => false,
        }
    }
}

/// What a name looks like.
enum Resemblance<'a> {
    /// This one with a slip or two.
    Slip(&'a str),
    /// It begins as all of these do.
    Family(Vec<&'a str>),
    /// A part of each of these, or their words in other forms.
    Part(Vec<&'a str>),
}

fn resemblance<'a>(name: &str, own: &'a [String], in_function: bool) -> Option<Resemblance<'a>> {
    let near = near(name, own);
    let is_longer = |it: &str| name.strip_prefix(it).is_some_and(|it| it.starts_with('_'));
    let slip = near.filter(|it| is_slip(name, it) && !is_longer(it));
    // A single short word of a shell may be anybody's.
    let may_be_part = name.contains('_') || name.len() > if in_function { 3 } else { 8 };
    slip.map(Resemblance::Slip)
        .or_else(|| family(name, own).map(Resemblance::Family))
        .or_else(|| wholes(name, own, may_be_part).map(Resemblance::Part))
        .or_else(|| {
            let near = near.filter(|it| it.contains('_'))?;
            Some(Resemblance::Part(vec![near]))
        })
}

/// Lambda sets some thirty, and none of ours begins so: a cold start has no time to look at them.
fn is_of_lambda(name: &str) -> bool {
    const OTHERS: [&str; 4] = ["LANG", "LD_LIBRARY_PATH", "PATH", "TZ"];
    name.starts_with("AWS_")
        || name.starts_with("LAMBDA_")
        || name.starts_with('_')
        || OTHERS.contains(&name)
}

/// Most variables are nothing like ours, and every cold start would pay for a closer look at them: a name that is long
/// enough for a slip to leave one of its ends whole begins or ends as a part of ours does.
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

/// A word of one part, such as KEEP, is like many that are somebody else's: only in its own letters.
fn near<'a>(name: &str, own: &'a [String]) -> Option<&'a str> {
    let alike = own.iter().filter(|it| match it.contains('_') {
        true => name.contains(['_', '-']) || name.len() > 8,
        false => name.chars().next() == it.chars().next() && name == name.to_uppercase(),
    });
    nearest(name, alike.map(String::as_str))
}

/// Those that begin as this name does, up to the last mark that they share: `SLACK_`, `LOG_TAIL_`.
fn family<'a>(name: &str, own: &'a [String]) -> Option<Vec<&'a str>> {
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

/// Those of which this is a part: `WEBHOOK_URL` is the end of `SLACK_WEBHOOKURL`, `LOG_LINES` has words of
/// `LOG_TAIL_LINES`, and `TASK_DEF` the beginnings of those of `TASK_DEFINITION`.
fn wholes<'a>(name: &str, own: &'a [String], may_be_part: bool) -> Option<Vec<&'a str>> {
    if !may_be_part || name != name.to_uppercase() {
        return None;
    }
    let longer = own.iter().map(String::as_str).filter(|it| it.contains('_'));
    let wholes: Vec<_> = longer.filter(|it| has_words(it, name)).collect();
    (!wholes.is_empty()).then_some(wholes)
}

/// In their order, from the first or up to the last.
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

/// The same word, longer or shorter: `IGNORE` and `IGNORED`, `DEF` and `DEFINITION`.
fn is_form(one: &str, other: &str) -> bool {
    let shorter = one.len().min(other.len());
    one == other || (shorter >= 3 && (one.starts_with(other) || other.starts_with(one)))
}
