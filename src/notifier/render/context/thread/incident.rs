//! How an incident is described.

use std::time::Duration;

use super::super::words::{event_past, plural};
use super::missed;
use super::{CauseWords, ThreadNames, by, cause_list, common, rough, words_of};
use crate::ecs::diagnosis::Cause;
use crate::ecs::service_events::follows_from_failures;
use crate::ecs::target_tracking::shown_name;
use crate::notifier::thread::{
    AlarmEndType, AlarmPart, CauseCount, Deployed, HostState, HostTrouble, Incident, Reason,
    Resolution, Sign, ThreadState, Touch, Turn, UnixTime,
};

pub(super) fn incident_names(
    incident: &Incident,
    turn: Option<&Turn>,
    now: UnixTime,
) -> ThreadNames {
    let many = incident.causes.len() > 1;
    let causes = incident.causes.iter().filter(|_| many);
    let since = incident.since_deployment.as_ref().map(|since| {
        let what = since.task_definition.as_deref().unwrap_or("a revision");
        let by = by(since.actor.as_deref());
        let apart = rough(incident.first_at.since(since.at));
        format!("the deployment of {what}{by}, {apart} before the first failure")
    });
    let touches = incident.touches.iter();
    let mut before: Vec<_> = touches.map(|it| touched(it, incident.first_at)).collect();
    // Tasks that a person stops within a minute are one line.
    before.dedup();
    let hosts = incident.hosts.iter();
    let hosts = hosts.map(|it| host(it, incident.first_at)).collect();
    ThreadNames {
        says: incident_says(incident, turn, now),
        total: incident.total,
        causes: causes.map(|it| CauseWords::of(it).to_string()).collect(),
        common: incident.common.iter().map(common).collect(),
        since,
        before,
        hosts,
        alarms: alarms(incident),
        part_of_storm: incident.storm.is_some(),
        escalated_after: incident.escalation.after().map(rough),
        ..ThreadNames::default()
    }
}

/// `checkout-cpu is on`, `checkout-cpu was on for 12 min`. A single alarm is the headline already.
fn alarms(incident: &Incident) -> Vec<String> {
    let many = incident.causes.len() > 1;
    let alarms = incident.alarms.iter().filter(|_| many);
    alarms.map(alarm).collect()
}

fn alarm(part: &AlarmPart) -> String {
    let name = match part.is_of_tracking {
        true => shown_name(&part.name),
        false => &part.name,
    };
    let Some(end) = part.end() else {
        return format!("{name} is on");
    };
    let lasted = rough(end.at.since(part.on_at));
    match end.how {
        AlarmEndType::Ok => format!("{name} was on for {lasted}"),
        AlarmEndType::NoData => format!("{name} has no data any more, after {lasted}"),
        AlarmEndType::Deleted => format!("{name} was deleted after {lasted}"),
        AlarmEndType::HeldTooLong => format!("{name} has been on for more than {lasted}"),
    }
}

/// The headline of an incident after its subject. `None` if the event's own headline says it: there is only one failure.
fn incident_says(incident: &Incident, turn: Option<&Turn>, now: UnixTime) -> Option<String> {
    if incident.is_of_expectation() {
        return missed::says(incident, turn);
    }
    let causes = cause_list(&incident.causes);
    let lasted = rough(now.since(incident.first_at));
    let goes_on = |how: &str| match incident.causes.len() {
        1 if now == incident.first_at => format!("{how}: {causes}"),
        1 => format!("{how}: {causes} in {lasted}"),
        _ => format!("{how} after {lasted}: {causes}"),
    };
    let Some(turn) = turn else {
        return whole(incident, &goes_on);
    };
    let problem = problem(incident);
    let said = match (turn.reason, turn.after) {
        (Reason::Worse, _) if turn.names.is_empty() => match &incident.setback {
            Some(deployed) => goes_on(&format!("is still {problem} after {}", the(deployed))),
            None => goes_on("is worse"),
        },
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
            let causes = causes_again(&incident.causes);
            format!("is {problem} again, {after} after it {end}: {causes}")
        }
        (Reason::Reminder | Reason::CameBack, _) => goes_on(&format!("is still {problem}")),
        _ => return whole(incident, &goes_on),
    };
    Some(said)
}

/// What the subject is, after "is".
fn problem(incident: &Incident) -> &'static str {
    match incident.has_only_alarms() {
        true => "in alarm",
        false => "failing",
    }
}

/// The headline of the incident's own message.
fn whole(incident: &Incident, goes_on: &impl Fn(&str) -> String) -> Option<String> {
    match incident.state() {
        ThreadState::Resolved => Some(resolved(incident)),
        ThreadState::Recovering => {
            let causes = past_causes(&incident.causes);
            Some(format!("{}; so far {causes}", recovering(incident)))
        }
        _ if incident.total < 2 && incident.returns == 0 => None,
        _ => Some(goes_on(&format!("is {}", problem(incident)))),
    }
}

fn recovering(incident: &Incident) -> &'static str {
    match incident.sign {
        Some(Sign::SteadyState) => "is steady again",
        Some(Sign::Deployment) => "is recovering, a deployment has completed",
        Some(Sign::HealthOk) => "is healthy again",
        Some(Sign::GoodEnd) => "ended well again",
        Some(Sign::AlarmOk) => "has no alarm any more",
        None => "is recovering",
    }
}

/// `recovered after 24 min: 10 of 10 tasks run; 38 tasks ran out of memory`.
fn resolved(incident: &Incident) -> String {
    let lasted = rough(incident.over_at().since(incident.first_at));
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
        // Only what did not run is expected.
        Some(Resolution::NotExpected) => format!("is not expected any more: {causes}"),
        Some(Resolution::Quiet) if incident.has_only_alarms() => {
            let is_ok = |it: &AlarmPart| it.end().is_some_and(|it| it.how == AlarmEndType::Ok);
            let others = incident.alarms.iter().filter(|it| !is_ok(it));
            let others = others.map(|it| format!("{}; ", alarm(it)));
            let others: String = others.collect();
            format!("is not in alarm any more: {others}{causes}")
        }
        Some(Resolution::Quiet) => format!("has no more failures: {runs}{causes}"),
        Some(Resolution::Recovered) | None => {
            let with = incident.recovered_with().map(with);
            format!(
                "recovered after {lasted}{}: {runs}{causes}",
                with.unwrap_or_default()
            )
        }
    }
}

/// `ran out of memory (×5 in all); before: could not pull its image ×4`. All causes, if none is known since the return.
fn causes_again(causes: &[CauseCount]) -> String {
    let (again, before): (Vec<_>, Vec<_>) = causes.iter().partition(|it| it.count > it.before);
    let before: Vec<_> = before.into_iter().cloned().collect();
    let again = again.into_iter().map(|it| {
        let words = CauseWords::of(&it.since_return());
        match it.before {
            0 => words.to_string(),
            _ => format!("{words} (×{} in all)", it.count),
        }
    });
    let again: Vec<_> = again.collect();
    match (again.is_empty(), before.is_empty()) {
        (true, _) => cause_list(causes),
        (false, true) => again.join(", "),
        (false, false) => format!("{}; before: {}", again.join(", "), cause_list(&before)),
    }
}

/// `the deployment of search:113 by maya`.
fn the(deployed: &Deployed) -> String {
    let revision = &deployed.revision;
    match deployed.is_rollback {
        true => format!("the rollback to {revision}"),
        false => format!(
            "the deployment of {revision}{}",
            by(deployed.actor.as_deref())
        ),
    }
}

/// ` with search:113 by maya`.
fn with(deployed: &Deployed) -> String {
    let revision = &deployed.revision;
    match deployed.is_rollback {
        true => format!(" with the rollback to {revision}"),
        false => format!(" with {revision}{}", by(deployed.actor.as_deref())),
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
    let follows = |it: &&CauseCount| follows_from_failures(&it.name) && !of_tasks.is_empty();
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

/// `StopTask by maya, 20 s before the first failure`.
fn touched(touch: &Touch, first_at: UnixTime) -> String {
    let actor = touch.actor.as_deref().unwrap_or("somebody");
    format!("{} by {actor}, {}", touch.call, apart(touch.at, first_at))
}

/// `the agent of i-0abc disconnected, 15 s before the first failure`.
fn host(trouble: &HostTrouble, first_at: UnixTime) -> String {
    let instance = &trouble.instance;
    let what = match &trouble.what {
        HostState::AgentDisconnected => format!("the agent of {instance} disconnected"),
        HostState::Draining => format!("{instance} began to drain"),
        HostState::Interrupted(what) => format!("{instance} {}", what.in_words()),
        HostState::Impaired(check) => format!("{instance} became impaired ({check})"),
    };
    format!("{what}, {}", apart(trouble.at, first_at))
}

/// `20 s before the first failure`.
fn apart(at: UnixTime, first_at: UnixTime) -> String {
    match at <= first_at {
        true => format!("{} before the first failure", rough(first_at.since(at))),
        false => format!("{} after the first failure", rough(at.since(first_at))),
    }
}
