//! The names of a thread, for the templates of deployments, incidents, storms, runs, activities and announcements.

mod activity;
mod announcement;
mod deployment;
mod incident;
mod missed;
mod storm;

use std::time::Duration;

use jiff::SignedDuration;
use serde::Serialize;

use super::other_services::CommandNames;
use super::words::{duration, event_text, image};
use crate::ecs::diagnosis::{Cause, in_words};
use crate::notifier::thread::{
    CauseCount, CommonFact, Reason, Run, RunTask, Thread, ThreadState, Turn, UnixTime,
};
use activity::activity_names;
use announcement::announcement_names;
use deployment::deployment_names;
use incident::incident_names;
use storm::storm_names;

/// What a template can say about a thread. A fact that is not known is `none`.
#[derive(Debug, Default, Serialize)]
pub(super) struct ThreadNames {
    id: String,
    kind: &'static str,
    state: Option<&'static str>,
    /// Why this message is written. `none` for the thread's own message.
    turn: Option<&'static str>,
    /// The headline after the subject, or `none` where the event's own headline says it.
    says: Option<String>,
    total: u32,
    causes: Vec<String>,
    common: Vec<String>,
    /// The deployment before.
    since: Option<String>,
    /// What people did before and since.
    before: Vec<String>,
    /// The problems of the instances on which tasks failed.
    hosts: Vec<String>,
    /// The alarms that are parts of an incident with other causes.
    alarms: Vec<String>,
    part_of_storm: bool,
    /// How long it was open when it was sent to another channel too.
    escalated_after: Option<String>,
    // A deployment.
    from: Option<String>,
    to: Option<String>,
    images: Option<String>,
    started_by: Option<String>,
    registered_by: Option<String>,
    progress: Option<String>,
    why: Option<String>,
    waits: bool,
    rolled_back: bool,
    commands: Vec<CommandNames>,
    /// Until when CodeDeploy waits for somebody.
    decide_by: Option<String>,
    /// Its id in CodeDeploy.
    code_deploy: Option<String>,
    advice: Option<&'static str>,
    advice_url: Option<&'static str>,
    // A storm.
    members: Vec<String>,
    /// The zone that most failures share.
    zone: Option<String>,
    // An activity.
    counts: Vec<String>,
    of_instances: bool,
    // A run.
    launched_by: Option<String>,
    failed_tasks: Vec<String>,
    // An end.
    runs_now: Option<String>,
}

/// Makes the names of a thread.
pub(super) fn thread_names(thread: &Thread, turn: Option<&Turn>, now: UnixTime) -> ThreadNames {
    let mut names = match thread {
        Thread::Deployment(it) => deployment_names(it, turn, now),
        Thread::Incident(it) => incident_names(it, turn, now),
        Thread::Storm(it) => storm_names(it, turn, now),
        Thread::Run(it) => run_names(it, turn),
        Thread::Activity(it) => activity_names(it, turn, now),
        Thread::Announcement(it) => announcement_names(it, turn, now),
    };
    names.id = thread.id().to_string();
    names.kind = thread.kind().into();
    names.state = thread.state().map(Into::into);
    names.turn = turn.map(|it| it.reason.into());
    names
}

fn run_names(run: &Run, turn: Option<&Turn>) -> ThreadNames {
    let launch = run.launch.as_ref();
    let total = run.total();
    let failed: Vec<_> = run.failed().collect();
    let ended = run.tasks.iter().filter(|it| it.end.is_some()).count();
    let started = run.tasks.iter().filter(|it| it.has_started).count();
    let is_closed = run.is_closed && run.state() != ThreadState::Stopped;
    let says = match (total, turn.map(|it| it.reason)) {
        (_, None) if is_closed => Some("the run was closed by hand".to_owned()),
        (0 | 1, _) => None,
        (_, Some(Reason::Failed)) if ended < total => Some(some_failed(&failed, total)),
        (_, _) if ended == total && failed.is_empty() => {
            Some(format!("all {total} tasks finished"))
        }
        (_, _) if ended == total => Some(format!("ended, {}", some_failed(&failed, total))),
        (_, _) if ended > 0 => Some(format!("{ended} of {total} tasks have ended")),
        (_, _) if started == total => Some(format!("{total} tasks run")),
        (_, _) if started > 0 => Some(format!("{started} of {total} tasks run")),
        (_, _) => None,
    };
    ThreadNames {
        says,
        total: u32::try_from(total).unwrap_or(u32::MAX),
        launched_by: launch.and_then(|it| it.actor.clone()),
        failed_tasks: failed
            .iter()
            .filter_map(|it| Some(format!("{} {}", short(&it.id), it.end.as_ref()?.words)))
            .collect(),
        ..ThreadNames::default()
    }
}

/// `2 of 3 tasks failed: exited with 1`.
fn some_failed(failed: &[&RunTask], total: usize) -> String {
    let why = shared_end(failed).map(|it| format!(": {it}"));
    let why = why.unwrap_or_default();
    format!("{} of {total} tasks failed{why}", failed.len())
}

/// How the tasks ended, if all ended in the same way.
fn shared_end<'r>(failed: &[&'r RunTask]) -> Option<&'r str> {
    let mut words = failed
        .iter()
        .map(|it| it.end.as_ref().map(|end| end.words.as_str()));
    let first = words.next()??;
    words.all(|it| it == Some(first)).then_some(first)
}

/// A cause with its count.
struct CauseWords {
    words: String,
    count: u32,
}

impl CauseWords {
    fn of(cause: &CauseCount) -> Self {
        let words = words_of(&cause.name, cause.words.as_deref());
        Self {
            words,
            count: cause.count,
        }
    }
}

impl std::fmt::Display for CauseWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.count {
            0 | 1 => f.write_str(&self.words),
            count => write!(f, "{} ×{count}", self.words),
        }
    }
}

/// `ran out of memory ×38, could not pull its image ×2`, the most frequent first.
fn cause_list(causes: &[CauseCount]) -> String {
    let mut causes: Vec<_> = causes.iter().map(CauseWords::of).collect();
    causes.sort_by_key(|it| std::cmp::Reverse(it.count));
    let causes: Vec<_> = causes.iter().map(ToString::to_string).collect();
    causes.join(", ")
}

/// The words of a cause, an event's name or a health check's type. What is known besides follows an event's name.
fn words_of(name: &str, words: Option<&str>) -> String {
    match (words, event_text(name)) {
        (Some(words), Some(text)) => format!("{text}: {words}"),
        (Some(words), None) => words.to_owned(),
        (None, Some(text)) => text.to_owned(),
        (None, None) => name
            .parse::<Cause>()
            .map_or_else(|_| name.to_owned(), |cause| in_words(cause).to_owned()),
    }
}

/// `11 of 12 in eu-west-1a`, `all 12 of checkout:58`.
fn common(common: &CommonFact) -> String {
    let CommonFact {
        fact,
        value,
        count,
        of,
    } = common;
    let count = match count >= of {
        true => format!("all {of}"),
        false => format!("{count} of {of}"),
    };
    match fact.as_str() {
        "zone" => format!("{count} in {value}"),
        "instance" => format!("{count} on {value}"),
        "exit" => format!("{count} exited with {value}"),
        "image" => format!("{count} of image {}", image(value)),
        _ => format!("{count} of {value}"),
    }
}

/// In a headline the name is enough: without the role in parentheses.
fn by(actor: Option<&str>) -> String {
    let name = actor.map(|it| it.split(" (").next().unwrap_or(it));
    name.map(|it| format!(" by {it}")).unwrap_or_default()
}

/// `once`, `3 times`.
fn by_times(count: u32) -> String {
    match count {
        0 | 1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

fn short(task: &str) -> String {
    task.chars().take(8).collect()
}

/// A duration as people say it: seconds only if it is shorter than two minutes.
pub(super) fn rough(passed: Duration) -> String {
    let seconds = i64::try_from(passed.as_secs()).unwrap_or(i64::MAX);
    match seconds {
        0..120 => duration(SignedDuration::from_secs(seconds)),
        120..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 if seconds / 60 % 60 == 0 => format!("{} h", seconds / 3_600),
        _ => duration(SignedDuration::from_secs(seconds)),
    }
}
