//! How a storm is described.

use std::time::Duration;

use super::{CauseWords, ThreadNames, common, rough, words_of};
use crate::notifier::thread::{Member, Reason, Storm, ThreadState, Turn, UnixTime};

/// The most services that a storm's headline names.
const MOST_NAMES: usize = 5;

/// The most services of a storm that have a line of their own.
const MOST_MEMBERS: usize = 20;

pub(super) fn storm_names(storm: &Storm, turn: Option<&Turn>, now: UnixTime) -> ThreadNames {
    let members = storm.members.iter().take(MOST_MEMBERS);
    let mut members: Vec<_> = members.map(member).collect();
    let hidden = storm.members.len().saturating_sub(MOST_MEMBERS) + storm.others as usize;
    if hidden > 0 {
        members.push(format!("and {hidden} more"));
    }
    let zone = storm.common.iter().find(|it| it.fact == "zone");
    ThreadNames {
        says: Some(storm_says(storm, turn, now)),
        total: storm.total(),
        escalated_after: storm.escalation.after().map(rough),
        common: storm.common.iter().map(common).collect(),
        members,
        zone: zone.filter(|_| !storm.is_over()).map(|it| it.value.clone()),
        ..ThreadNames::default()
    }
}

fn storm_says(storm: &Storm, turn: Option<&Turn>, now: UnixTime) -> String {
    let count = storm.members.len() + storm.others as usize;
    let what = match storm.members.iter().all(Member::is_service) {
        true => "services",
        false => "services and tasks",
    };
    let lasted = rough(now.since(storm.first_at));
    let common = storm.common.iter().map(|it| format!("; {}", common(it)));
    let common: String = common.collect();
    let total = storm.total();
    let causes = storm_causes(storm);
    if let Some(turn) = turn {
        match turn.reason {
            Reason::Worse => {
                return format!(
                    "{} failing too, {count} {what} now{common}",
                    are(&turn.names)
                );
            }
            Reason::Reminder => {
                return format!(
                    "{} still failing: {causes}{total} failures in {lasted}{common}",
                    failing(storm, count, what)
                );
            }
            _ => {}
        }
    }
    let over = || match storm.ended_at.unwrap_or(now).since(storm.first_at) {
        Duration::ZERO => "over".to_owned(),
        lasted => format!("over after {}", rough(lasted)),
    };
    match storm.state() {
        ThreadState::Resolved if storm.is_closed_by_hand => {
            let recovered = storm.recovered();
            let over = over().replacen("over", "closed by hand", 1);
            format!("{over}: {recovered} of {count} {what} recovered")
        }
        ThreadState::Resolved if storm.recovered() >= storm.members.len() => {
            format!("{}: all {count} {what} recovered", over())
        }
        ThreadState::Resolved => {
            let (failing, quiet) = storm.left();
            let recovered = match storm.recovered() {
                0 => None,
                recovered => Some(format!("{recovered} of {count} {what} recovered")),
            };
            let failing =
                (!failing.is_empty()).then(|| format!("{} still failing", are(&names(&failing))));
            let quiet = (!quiet.is_empty()).then(|| match (&recovered, &failing) {
                (None, None) => format!(
                    "no more failures for an hour; {causes}{total} failures of {count} {what}"
                ),
                (_, _) => format!("no failure of {} for an hour", listed(&names(&quiet))),
            });
            let parts = [recovered, failing, quiet].into_iter().flatten();
            let parts: Vec<_> = parts.collect();
            format!("{}: {}", over(), parts.join(", "))
        }
        ThreadState::Recovering => {
            format!("{count} {what} are recovering after {lasted}{common}")
        }
        _ => format!(
            "{} failing: {causes}{total} failures in {lasted}{common}",
            failing(storm, count, what)
        ),
    }
}

/// `8 services are`, or `3 of 8 services are` if others have recovered or are about to.
fn failing(storm: &Storm, count: usize, what: &str) -> String {
    let left = storm.failing().len() + storm.others as usize;
    match left {
        left if left >= count => format!("{count} {what} are"),
        1 => format!("1 of {count} {what} is"),
        left => format!("{left} of {count} {what} are"),
    }
}

/// `could not pull its image ×6, ran out of memory; `, the two most frequent ones of all services.
fn storm_causes(storm: &Storm) -> String {
    const MOST: usize = 2;
    let counts = storm.causes();
    let words = counts.iter().take(MOST).map(|(name, count)| CauseWords {
        words: words_of(name, shared_words(storm, name)),
        count: *count,
    });
    let mut words: Vec<_> = words.map(|it| it.to_string()).collect();
    if counts.len() > MOST {
        words.push("and more".to_owned());
    }
    match words.is_empty() {
        true => String::new(),
        false => format!("{}; ", words.join(", ")),
    }
}

/// The words of a cause, if all services that have it mostly have the same.
fn shared_words<'s>(storm: &'s Storm, cause: &str) -> Option<&'s str> {
    let has_it = |it: &&Member| it.causes.iter().any(|(name, _)| name == cause);
    let words = storm
        .members
        .iter()
        .filter(has_it)
        .map(|it| it.words.as_ref());
    // A service whose most frequent cause is another one says nothing about this one.
    let mut words = words.filter(|it| it.is_none_or(|(name, _)| name == cause));
    let first = words.next()??;
    words.all(|it| it == Some(first)).then_some(&first.1)
}

fn names(members: &[&Member]) -> Vec<String> {
    members.iter().map(|it| it.name().to_owned()).collect()
}

/// `web, search and 3 more are`.
fn are(names: &[String]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", listed(names))
}

/// `web, search and 3 more`.
fn listed(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(MOST_NAMES).map(String::as_str).collect();
    match names.len().saturating_sub(MOST_NAMES) {
        0 => shown.join(", "),
        hidden => format!("{} and {hidden} more", shown.join(", ")),
    }
}

/// `checkout: failed its health checks ×4, recovered`.
fn member(member: &Member) -> String {
    let mut causes: Vec<_> = member.causes.iter().collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let causes = causes.into_iter().map(|(name, count)| CauseWords {
        words: words_of(name, None),
        count,
    });
    let causes: Vec<_> = causes.map(|it| it.to_string()).collect();
    let causes = causes.join(", ");
    let state = match member.state {
        ThreadState::Resolved => ", recovered",
        ThreadState::Recovering => ", recovering",
        _ => "",
    };
    format!("{}: {causes}{state}", member.name())
}
