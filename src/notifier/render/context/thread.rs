//! The names of a thread, for the templates of deployments, incidents, storms, runs and activities.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use serde::Serialize;

use super::words::{deployment_reason, duration, event_past, event_text, image, plural};
use crate::ecs::diagnosis::{Cause, in_words};
use crate::ecs::notice::{HookDecision, Kind, Progress};
use crate::ecs::service_events::rollback_target;
use crate::notifier::thread::{
    Activity, ActivityCount, CauseCount, CommonFact, Deployment, Hook, Incident, Member, Reason,
    Replacement, Resolution, Run, Sign, Storm, Thread, ThreadState, Touch, Turn, UnixTime,
};

/// The most services that a storm's headline names.
const MOST_NAMES: usize = 5;

/// The most services of a storm that have a line of their own.
const MOST_MEMBERS: usize = 20;

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
    part_of_storm: bool,
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
    // A storm.
    members: Vec<String>,
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
    };
    names.id = thread.id().to_string();
    names.kind = thread.kind().into();
    names.state = thread.state().map(Into::into);
    names.turn = turn.map(|it| it.reason.into());
    names
}

fn deployment_names(deployment: &Deployment, turn: Option<&Turn>, now: UnixTime) -> ThreadNames {
    let failures: Vec<_> = deployment.causes.iter().collect();
    let failures = failures.into_iter().map(|(name, count)| CauseWords {
        words: words_of(name, None),
        count,
    });
    ThreadNames {
        says: Some(deployment_says(deployment, turn, now)),
        from: match deployment.is_rolled_back() {
            true => deployment.goes_back_to().map(str::to_owned),
            false => deployment.from.clone(),
        },
        to: deployment.to.clone(),
        images: images(deployment),
        started_by: deployment.actor.clone(),
        registered_by: deployment
            .registered_by
            .clone()
            .filter(|it| Some(it) != deployment.actor.as_ref()),
        progress: progress(deployment),
        causes: match failures.len() {
            0 | 1 => Vec::new(),
            _ => failures.map(|it| it.to_string()).collect(),
        },
        rolled_back: deployment.is_rolled_back(),
        why: deployment_why(deployment),
        waits: deployment.state() == ThreadState::Waiting,
        ..ThreadNames::default()
    }
}

/// The headline of a deployment after the name of the service.
fn deployment_says(deployment: &Deployment, turn: Option<&Turn>, now: UnixTime) -> String {
    let to = deployment.to.as_deref();
    let what = match to {
        Some(to) => format!("deployment of {to}"),
        None => "deployment".to_owned(),
    };
    let by = by(deployment.actor.as_deref());
    let lasted = |word: &str| lasted(deployment, word, now);
    match turn.map(|it| it.reason) {
        Some(Reason::Continued) => return continued(deployment, &what),
        Some(Reason::HookFailed) => {
            return hook_failed(deployment, &what);
        }
        _ => {}
    }
    match deployment.state() {
        ThreadState::RollingBack | ThreadState::Waiting | ThreadState::InProgress
            if deployment.is_closed =>
        {
            match deployment.is_closed_by_hand {
                true => format!("{what} was closed by hand{}", lasted("after")),
                false => format!("{what} has not ended after a day"),
            }
        }
        ThreadState::Completed if deployment.is_creation => {
            let lasted = lasted("after");
            format!("created{by}: {} runs{lasted}", to.unwrap_or("it"))
        }
        ThreadState::Completed => {
            let lasted = lasted("in");
            match (to, &deployment.from) {
                (Some(to), Some(from)) => format!("{from} → {to} deployed{lasted}{by}"),
                (Some(to), None) => format!("{to} deployed{lasted}{by}"),
                (None, _) => format!("deployment completed{lasted}{by}"),
            }
        }
        ThreadState::Failed if deployment.is_rolled_back() => {
            let new = to.unwrap_or("the new revision");
            let old = deployment.goes_back_to();
            let old = old.unwrap_or("the previous revision");
            let lasted = lasted("after");
            format!("{new} did not stay, rolled back{lasted}; {old} runs")
        }
        ThreadState::Failed => format!("{what} failed{}", lasted("after")),
        ThreadState::RollingBack => {
            let to = deployment.goes_back_to().map(|it| format!(" to {it}"));
            let failed = if deployment.failed.is_some() {
                " failed and"
            } else {
                ""
            };
            format!("{what}{failed} is rolling back{}", to.unwrap_or_default())
        }
        ThreadState::Waiting => format!("{what} waits for a decision"),
        ThreadState::Replaced => {
            let failed = match deployment.tasks.failed {
                0 => String::new(),
                1 => ", 1 task failed".to_owned(),
                failed => format!(", {failed} tasks failed"),
            };
            format!(
                "{what} {}{failed}",
                replaced(deployment.replaced_by.as_ref())
            )
        }
        _ => begun(deployment, &by),
    }
}

/// ` after 6 min`. Empty if only the end is known.
fn lasted(deployment: &Deployment, word: &str, now: UnixTime) -> String {
    let end = deployment.ended_at().unwrap_or(now);
    match end.since(deployment.started_at) {
        Duration::ZERO => String::new(),
        lasted => format!(" {word} {}", rough(lasted)),
    }
}

fn replaced(by: Option<&Replacement>) -> String {
    match by {
        Some(Replacement::Revision(revision)) => format!("was replaced by {revision}"),
        Some(Replacement::Deletion) => "ended: the service was deleted".to_owned(),
        Some(Replacement::Newer) | None => "was replaced by a newer deployment".to_owned(),
    }
}

/// The headline of a deployment that goes on.
fn begun(deployment: &Deployment, by: &str) -> String {
    let what = match (&deployment.from, &deployment.to) {
        _ if deployment.is_creation => match &deployment.to {
            Some(to) => format!("is being created with {to}"),
            None => "is being created".to_owned(),
        },
        (Some(from), Some(to)) if from != to => format!("deploying {from} → {to}"),
        (_, Some(to)) => format!("deploying {to}"),
        (_, None) => "deploying".to_owned(),
    };
    let progress = progress(deployment).map(|it| format!(", {it}"));
    let hook = deployment.hook.as_ref().filter(|it| it.has_failed());
    let hook = hook.map(|it| format!("; a hook {}", hook_says(it)));
    format!(
        "{what}{by}{}{}",
        progress.unwrap_or_default(),
        hook.unwrap_or_default()
    )
}

fn continued(deployment: &Deployment, what: &str) -> String {
    let answer = deployment.decision.as_ref();
    let actor = answer.and_then(|it| it.actor.as_deref());
    let actor = actor
        .and_then(|it| it.split(" (").next())
        .unwrap_or("somebody");
    match answer.map(|it| it.decision) {
        Some(HookDecision::RollBack) => format!("{actor} rolls the {what} back"),
        Some(HookDecision::Continue) | None => format!("{actor} let the {what} go on"),
    }
}

/// `nobody decided in time, and the deployment of checkout:59 goes on`.
fn hook_failed(deployment: &Deployment, what: &str) -> String {
    let Some(hook) = &deployment.hook else {
        return format!("{what}: a hook has failed");
    };
    let action = hook.timeout_action.as_deref().unwrap_or_default();
    match (hook.name.as_str(), action) {
        ("HOOK_TIMED_OUT", "CONTINUE") => format!("nobody decided in time, and the {what} goes on"),
        ("HOOK_TIMED_OUT", "ROLLBACK") => {
            format!("nobody decided in time, and the {what} rolls back")
        }
        _ => format!("{what}: a hook {}", hook_says(hook)),
    }
}

fn hook_says(hook: &Hook) -> &'static str {
    match hook.name.as_str() {
        "HOOK_TIMED_OUT" => "did not answer in time",
        _ => "has failed",
    }
}

/// `7 of 10 running, 2 failed: ran out of memory`.
fn progress(deployment: &Deployment) -> Option<String> {
    let tasks = &deployment.tasks;
    if tasks.started == 0 && tasks.failed == 0 {
        return deployment.reported.map(reported);
    }
    let failed = failed_tasks(deployment);
    if deployment.is_rolled_back() {
        return failed;
    }
    let running = match deployment.desired {
        Some(desired) => {
            let running = i64::from(tasks.running()).min(desired);
            format!("{running} of {desired} running")
        }
        None => format!("{} running", tasks.running()),
    };
    let failed = failed.map(|it| format!(", {it}"));
    Some(format!("{running}{}", failed.unwrap_or_default()))
}

/// `2 failed: ran out of memory`.
fn failed_tasks(deployment: &Deployment) -> Option<String> {
    let failed = deployment.tasks.failed;
    let why = deployment.causes.iter().max_by_key(|(_, count)| *count);
    let why = why.map(|(name, _)| format!(": {}", words_of(name, None)));
    (failed > 0).then(|| format!("{failed} failed{}", why.unwrap_or_default()))
}

/// The same from AWS's own counts.
fn reported(progress: Progress) -> String {
    let Progress {
        desired,
        running,
        pending,
        failed,
    } = progress;
    let also = |count: i64, what: &str| match count {
        0 => String::new(),
        count => format!(", {count} {what}"),
    };
    let (pending, failed) = (also(pending, "pending"), also(failed, "failed"));
    format!("{running} of {desired} running{pending}{failed}")
}

/// `checkout:1.4.2 → checkout:1.4.3`.
fn images(deployment: &Deployment) -> Option<String> {
    let shown = |images: &[String]| images.iter().map(|it| image(it)).collect::<Vec<_>>();
    let (to, from) = (shown(&deployment.images), shown(&deployment.from_images));
    let new: Vec<_> = to.iter().filter(|it| !from.contains(it)).cloned().collect();
    let old: Vec<_> = from.iter().filter(|it| !to.contains(it)).cloned().collect();
    match (old.is_empty(), new.is_empty()) {
        (_, true) if to.is_empty() => None,
        (_, true) => Some(to.join(", ")),
        (true, false) => Some(new.join(", ")),
        (false, false) => Some(format!("{} → {}", old.join(", "), new.join(", "))),
    }
}

fn deployment_why(deployment: &Deployment) -> Option<String> {
    let failed = deployment.rollback_failed.as_ref();
    let failed = failed.or(deployment.failed.as_ref());
    let fact = failed.or(deployment.rollback.as_ref());
    let hook = deployment.hook.as_ref().and_then(|it| it.reason.clone());
    let reason = fact.and_then(|it| it.reason.as_deref());
    let reason = reason.and_then(|reason| match rollback_target(reason) {
        Some(target) => deployment_reason(reason, Some(target), deployment.goes_back_to()),
        None => deployment_reason(reason, deployment.id.as_deref(), deployment.to.as_deref()),
    });
    reason.or(hook)
}

fn incident_names(incident: &Incident, turn: Option<&Turn>, now: UnixTime) -> ThreadNames {
    let many = incident.causes.len() > 1;
    let causes = incident.causes.iter().filter(|_| many);
    let since = incident.since_deployment.as_ref().map(|since| {
        let what = since.task_definition.as_deref().unwrap_or("a revision");
        let by = by(since.actor.as_deref());
        let apart = rough(incident.first_at.since(since.at));
        format!("the deployment of {what}{by}, {apart} before the first failure")
    });
    let touches = incident.touches.iter();
    let before = touches.map(|it| touched(it, incident.first_at)).collect();
    ThreadNames {
        says: incident_says(incident, turn, now),
        total: incident.total,
        causes: causes.map(|it| CauseWords::of(it).to_string()).collect(),
        common: incident.common.iter().map(common).collect(),
        since,
        before,
        part_of_storm: incident.storm.is_some(),
        ..ThreadNames::default()
    }
}

/// The headline of an incident after its subject. `None` if the event's own headline says it: there is only one failure.
fn incident_says(incident: &Incident, turn: Option<&Turn>, now: UnixTime) -> Option<String> {
    let causes = cause_list(&incident.causes);
    let lasted = rough(now.since(incident.first_at));
    let goes_on = |how: &str| match incident.causes.len() {
        1 if now == incident.first_at => format!("{how}: {causes}"),
        1 => format!("{how}: {causes} in {lasted}"),
        _ => format!("{how} after {lasted}: {causes}"),
    };
    let Some(turn) = turn else {
        return whole(incident, goes_on);
    };
    let said = match (turn.reason, turn.after) {
        (Reason::Worse, _) if turn.names.is_empty() => goes_on("is worse"),
        (Reason::Worse, _) => {
            let is_new = |it: &&CauseCount| turn.names.contains(&it.name);
            let new: Vec<_> = incident.causes.iter().filter(is_new).cloned().collect();
            format!("is worse: now also {}", cause_list(&new))
        }
        (Reason::CameBack, Some(after)) => {
            let after = rough(Duration::from_millis(after));
            let end = match incident.was_closed_by_hand {
                true => "was closed by hand",
                false => "recovered",
            };
            format!("is failing again, {after} after it {end}: {causes}")
        }
        (Reason::Reminder | Reason::CameBack, _) => goes_on("is still failing"),
        _ => return whole(incident, goes_on),
    };
    Some(said)
}

/// The headline of the incident's own message.
fn whole(incident: &Incident, goes_on: impl Fn(&str) -> String) -> Option<String> {
    match incident.state() {
        ThreadState::Resolved => Some(resolved(incident)),
        ThreadState::Recovering => {
            let causes = past_causes(&incident.causes);
            Some(format!("{}; so far {causes}", recovering(incident)))
        }
        _ if incident.total < 2 && incident.returns == 0 => None,
        _ => Some(goes_on("is failing")),
    }
}

fn recovering(incident: &Incident) -> &'static str {
    match incident.sign {
        Some(Sign::SteadyState) => "is steady again",
        Some(Sign::Deployment) => "is recovering, a deployment has completed",
        Some(Sign::HealthOk) => "is healthy again",
        Some(Sign::GoodEnd) => "ended well again",
        None => "is recovering",
    }
}

/// `recovered after 24 min: 10 of 10 tasks run; 38 tasks ran out of memory`.
fn resolved(incident: &Incident) -> String {
    let lasted = rough(incident.recovered_at().since(incident.first_at));
    let causes = past_causes(&incident.causes);
    let runs = incident.counts.map(|(running, desired)| {
        let tasks = if desired == 1 {
            "task runs"
        } else {
            "tasks run"
        };
        format!("{running} of {desired} {tasks}; ")
    });
    let runs = runs.unwrap_or_default();
    match incident.resolution {
        Some(Resolution::Deleted) => {
            let by = by(incident.deleted_by.as_deref());
            format!("was deleted{by}, {lasted} after its first failure: {causes}")
        }
        Some(Resolution::Deregistered) => {
            format!("was deregistered, {lasted} after its first failure: {causes}")
        }
        Some(Resolution::ByHand) => format!("was closed by hand after {lasted}: {causes}"),
        Some(Resolution::Quiet) => format!("has no more failures: {runs}in {lasted} {causes}"),
        Some(Resolution::Recovered) | None => format!("recovered after {lasted}: {runs}{causes}"),
    }
}

/// `38 tasks ran out of memory, 2 tasks could not pull their image; it could not place a task ×4`.
fn past_causes(causes: &[CauseCount]) -> String {
    let mut causes: Vec<_> = causes.iter().collect();
    causes.sort_by_key(|it| std::cmp::Reverse(it.count));
    let is_of_task = |it: &&CauseCount| it.name.parse::<Cause>().is_ok();
    let (of_tasks, others): (Vec<_>, Vec<_>) = causes.into_iter().partition(is_of_task);
    let of_tasks: Vec<_> = of_tasks.into_iter().map(failed_by).collect();
    // It only follows from the failures of the tasks.
    let follows =
        |it: &&CauseCount| it.name == "SERVICE_TASK_START_IMPAIRED" && !of_tasks.is_empty();
    let others = others.into_iter().filter(|it| !follows(it)).map(|it| {
        let words = event_past(&it.name).map_or_else(
            || words_of(&it.name, it.words.as_deref()),
            |it| format!("it {it}"),
        );
        CauseWords {
            words,
            count: it.count,
        }
        .to_string()
    });
    let others: Vec<_> = others.collect();
    let parts = [of_tasks.join(", "), others.join(", ")];
    let parts: Vec<_> = parts.into_iter().filter(|it| !it.is_empty()).collect();
    parts.join("; ")
}

/// `38 tasks ran out of memory`.
fn failed_by(cause: &CauseCount) -> String {
    let words = words_of(&cause.name, cause.words.as_deref());
    match cause.count {
        1 => format!("1 task {words}"),
        count => format!("{count} tasks {}", plural(&words)),
    }
}

/// `maya stopped a task, 20 s before the first failure`.
fn touched(touch: &Touch, first_at: UnixTime) -> String {
    let actor = touch.actor.as_deref().unwrap_or("somebody");
    let call = &touch.call;
    match touch.at <= first_at {
        true => {
            let apart = rough(first_at.since(touch.at));
            format!("{call} by {actor}, {apart} before the first failure")
        }
        false => {
            let apart = rough(touch.at.since(first_at));
            format!("{call} by {actor}, {apart} after the first failure")
        }
    }
}

fn storm_names(storm: &Storm, turn: Option<&Turn>, now: UnixTime) -> ThreadNames {
    let members = storm.members.iter().take(MOST_MEMBERS);
    let mut members: Vec<_> = members.map(member).collect();
    let hidden = storm.members.len().saturating_sub(MOST_MEMBERS) + storm.others as usize;
    if hidden > 0 {
        members.push(format!("and {hidden} more"));
    }
    ThreadNames {
        says: Some(storm_says(storm, turn, now)),
        total: storm.total(),
        common: storm.common.iter().map(common).collect(),
        members,
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
    let common = storm
        .common
        .iter()
        .map(|it| format!("; {}", self::common(it)));
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
                    "{count} {what} are still failing: {total} failures in {lasted}{common}"
                );
            }
            _ => {}
        }
    }
    let lasted_in_all = || rough(storm.ended_at.unwrap_or(now).since(storm.first_at));
    match storm.state() {
        ThreadState::Resolved if storm.is_closed_by_hand => {
            let recovered = storm.recovered();
            format!(
                "closed by hand after {}: {recovered} of {count} services recovered",
                lasted_in_all()
            )
        }
        ThreadState::Resolved if storm.recovered() >= storm.members.len() => {
            format!(
                "over after {}: all {count} {what} recovered",
                lasted_in_all()
            )
        }
        ThreadState::Resolved => {
            let recovered = storm.recovered();
            let goes_on = |it: &&Member| it.state != ThreadState::Resolved;
            let names = storm.members.iter().filter(goes_on);
            let names: Vec<_> = names.map(|it| it.name().to_owned()).collect();
            format!(
                "over after {}: {recovered} of {count} {what} recovered, {} still failing",
                lasted_in_all(),
                are(&names)
            )
        }
        ThreadState::Recovering => {
            format!("{count} {what} are recovering after {lasted}{common}")
        }
        _ => format!("{count} {what} are failing: {causes}{total} failures in {lasted}{common}"),
    }
}

/// `could not pull its image ×6, ran out of memory; `, the two most frequent ones of all services.
fn storm_causes(storm: &Storm) -> String {
    const MOST: usize = 2;
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for (name, count) in storm.members.iter().flat_map(|it| it.causes.iter()) {
        *counts.entry(name).or_default() += count;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words = counts.iter().take(MOST).map(|(name, count)| CauseWords {
        words: words_of(name, None),
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

/// `web, search and 3 more are`.
fn are(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(MOST_NAMES).map(String::as_str).collect();
    let hidden = names.len().saturating_sub(MOST_NAMES);
    let verb = if names.len() == 1 { "is" } else { "are" };
    match hidden {
        0 => format!("{} {verb}", shown.join(", ")),
        hidden => format!("{} and {hidden} more {verb}", shown.join(", ")),
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

fn run_names(run: &Run, turn: Option<&Turn>) -> ThreadNames {
    let launch = run.launch.as_ref();
    let total = run.total();
    let failed: Vec<_> = run.failed().collect();
    let ended = run.tasks.iter().filter(|it| it.end.is_some()).count();
    let is_closed = run.is_closed && run.state() != ThreadState::Stopped;
    let says = match (total, turn.map(|it| it.reason)) {
        (_, None) if is_closed => Some("the run was closed by hand".to_owned()),
        (0 | 1, _) => None,
        (_, Some(Reason::Failed)) if ended < total => {
            Some(format!("{} of {total} tasks failed", failed.len()))
        }
        (_, _) if ended == total && failed.is_empty() => {
            Some(format!("all {total} tasks finished"))
        }
        (_, _) if ended == total => {
            Some(format!("ended, {} of {total} tasks failed", failed.len()))
        }
        (_, _) if ended > 0 => Some(format!("{ended} of {total} tasks have ended")),
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

fn activity_names(activity: &Activity, turn: Option<&Turn>, now: UnixTime) -> ThreadNames {
    let counts: Vec<_> = activity
        .counts
        .iter()
        .map(|it| counted(it, activity))
        .collect();
    let is_one = activity.total < 2;
    let end = activity.last_at.max(activity.first_at);
    let lasted = match turn {
        Some(_) => rough(end.since(activity.first_at)),
        None => rough(now.min(end).since(activity.first_at)),
    };
    let is_at_once = end == activity.first_at;
    let says = (!is_one).then(|| match is_at_once {
        true => counts.join(", "),
        false => format!("{} in {lasted}", counts.join(", ")),
    });
    ThreadNames {
        says,
        total: activity.total,
        counts,
        of_instances: activity.is_of_instances,
        ..ThreadNames::default()
    }
}

/// `18 instances draining`, `maya stopped 12 tasks`.
fn counted(count: &ActivityCount, activity: &Activity) -> String {
    let number = count.count;
    let detail = count.detail.as_deref().unwrap_or_default();
    let things = |one: &str, many: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    };
    match count.kind {
        Kind::InstanceRegistered => format!("{} registered", things("instance", "instances")),
        Kind::InstanceDeregistered => format!("{} deregistered", things("instance", "instances")),
        Kind::InstanceState | Kind::InstanceHealth => {
            let status = match detail {
                "INACTIVE" => "deregistered".to_owned(),
                other => other.to_ascii_lowercase(),
            };
            format!("{} {status}", things("instance", "instances"))
        }
        Kind::TaskStopped if activity.is_of_instances => {
            let is_instance = |it: &ActivityCount| !matches!(it.kind, Kind::TaskStopped);
            let whom = match activity.counts.iter().any(is_instance) {
                true => "them",
                false => "their instance",
            };
            format!("{} stopped with {whom}", things("task", "tasks"))
        }
        Kind::TaskStopped => {
            let words = detail.parse().map_or("stopped", in_words);
            let words = match number {
                1 => words.to_owned(),
                _ => plural(words),
            };
            format!("{} {words}", things("task", "tasks"))
        }
        Kind::ApiDenied => match number {
            1 => format!("{detail} refused"),
            number => format!("{detail} refused {number} times"),
        },
        Kind::ServiceAction | Kind::Deployment => format!("{detail} ×{number}"),
        _ => match detail {
            "StopTask" => format!("{} stopped", things("task", "tasks")),
            "" => format!("{} ×{number}", count.kind),
            call => format!("{call} ×{number}"),
        },
    }
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

/// The words of a cause, an event's name or a health check's type.
fn words_of(name: &str, words: Option<&str>) -> String {
    if let Some(words) = words {
        return words.to_owned();
    }
    if let Ok(cause) = name.parse::<Cause>() {
        return in_words(cause).to_owned();
    }
    event_text(name).map_or_else(|| name.to_owned(), str::to_owned)
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

fn short(task: &str) -> String {
    task.chars().take(8).collect()
}

/// A duration as people say it: seconds only if it is shorter than two minutes.
fn rough(passed: Duration) -> String {
    let seconds = i64::try_from(passed.as_secs()).unwrap_or(i64::MAX);
    match seconds {
        0..120 => duration(SignedDuration::from_secs(seconds)),
        120..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 if seconds / 60 % 60 == 0 => format!("{} h", seconds / 3_600),
        _ => duration(SignedDuration::from_secs(seconds)),
    }
}
