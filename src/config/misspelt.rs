//! Variables that are set, that nobody reads, and that look like one that somebody does: what was meant by them would
//! have no effect, and nobody would hear of it.

use super::{Problem, Remedy, names};
use crate::spelling::nearest;

/// An error where a name is nearly one of these that is not set, and in a function, where nobody else has variables,
/// also where it merely begins as several of them do; else a warning, because a shell has other programs' variables
/// too.
pub(super) fn check(
    own: &[String],
    environment: &[(String, String)],
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) {
    let is_set = |name: &str| {
        let mut found = environment.iter().filter(|(set, _)| set == name);
        found.any(|(_, value)| !value.trim().is_empty())
    };
    let foreign = environment.iter().filter(|(name, value)| {
        !is_of_lambda(name) && !own.contains(name) && !value.trim().is_empty()
    });
    for (name, _) in foreign {
        let problem = |remedy| Problem {
            variable: name.clone(),
            problem: "there is no such variable".to_owned(),
            remedy,
        };
        match resemblance(name, own) {
            Some(_) if is_of_another_program(name) => {}
            Some(Resemblance::Of(meant)) if !is_set(meant) => {
                problems.push(problem(Remedy::DidYouMean(meant.to_owned())));
            }
            Some(Resemblance::Of(meant)) => warnings.push(format!(
                "{name} is not read: there is no such variable, and {meant} is set"
            )),
            Some(Resemblance::Family(known)) if is_set("AWS_LAMBDA_FUNCTION_NAME") => {
                problems.push(problem(Remedy::Allowed(known.join(", "))));
            }
            Some(Resemblance::Family(known)) => warnings.push(format!(
                "{name} is not read: there is no such variable, only {}",
                known.join(", ")
            )),
            None => {}
        }
    }
}

/// What a name looks like.
enum Resemblance<'a> {
    /// Nearly this one.
    Of(&'a str),
    /// It begins as all of these do.
    Family(Vec<&'a str>),
}

fn resemblance<'a>(name: &str, own: &'a [String]) -> Option<Resemblance<'a>> {
    let meant = meant(name, own).map(Resemblance::Of);
    meant.or_else(|| family(name, own).map(Resemblance::Family))
}

/// Lambda sets some thirty, and none of ours begins so: a cold start has no time to look at them.
fn is_of_lambda(name: &str) -> bool {
    name.starts_with("AWS_") || name.starts_with("LAMBDA_") || name.starts_with('_')
}

fn is_of_another_program(name: &str) -> bool {
    let mut all = names().into_iter().flat_map(|(_, names)| names);
    all.any(|it| it == name)
}

/// A word of one part, such as KEEP, is like many that are somebody else's: only in its own letters.
fn meant<'a>(name: &str, own: &'a [String]) -> Option<&'a str> {
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
