//! What events mean for the incident of a subject.

use super::{Incident, LONGEST_DELAY, Sign, alarms};
use crate::ecs::diagnosis::{explain, placement};
use crate::ecs::notice::{Facts, Kind, Notice};
use crate::notifier::policy::Priority;
use crate::notifier::thread::host::HostTrouble;
use crate::notifier::thread::observation::Observation;
use crate::notifier::thread::shared_facts::SharedFacts;
use crate::notifier::thread::state::SubjectState;
use crate::notifier::thread::subject::SubjectKey;
use crate::notifier::thread::unix_time::UnixTime;

/// Counts a failure. Returns false for any other event, and for one from long before the incident: that one is
/// posted by itself.
pub(in crate::notifier::thread) fn observe_failure(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    now: UnixTime,
) -> bool {
    let Some(priority) = observation.failure() else {
        return false;
    };
    let at = observation.at;
    let known = state.incident.as_deref();
    if known.is_some_and(|it| at.plus(LONGEST_DELAY) < it.first_at) {
        return false;
    }
    if !state.seen.is_new(observation.transition.as_ref()) {
        return true;
    }
    if !known.is_some_and(|it| it.includes(at)) {
        begin(key, state, at);
    }
    if let Some(incident) = state.incident.as_deref_mut() {
        incident.add(observation, priority, now);
        incident.find_common(&state.service.places);
    }
    if let (Some(incident), Some(gone_at)) = (&mut state.incident, state.service.gone_at)
        && incident.first_at < gone_at
    {
        incident.end_by_deletion(None, gone_at, now);
    }
    note_background(state);
    true
}

/// Begins a new incident. The one before is over, but perhaps this was not shown yet.
pub(super) fn begin(key: &SubjectKey, state: &mut SubjectState, at: UnixTime) {
    let mut incident = Box::new(Incident::open(key, at));
    if let Some((sign, sign_at)) = state.service.last_sign {
        incident.note_sign(sign, sign_at);
    }
    if let Some(mut old) = state.incident.replace(incident) {
        old.shared = SharedFacts::default();
        state.ended = Some(old);
    }
}

/// Notes a sign of a recovery. It is remembered for a failure that happened before it and comes after it.
pub(in crate::notifier::thread) fn note_sign(state: &mut SubjectState, sign: Sign, at: UnixTime) {
    let known = &mut state.service.last_sign;
    if known.is_none_or(|(_, known)| known < at) {
        *known = Some((sign, at));
    }
    if let Some(incident) = &mut state.incident {
        incident.note_sign(sign, at);
    }
}

/// Tells the incident what people did shortly before, and what was deployed before.
pub(in crate::notifier::thread) fn note_background(state: &mut SubjectState) {
    let Some(incident) = state.incident.as_deref_mut().filter(|it| !it.is_over()) else {
        return;
    };
    for touch in &state.service.touches {
        incident.note_touch(touch);
    }
    for deployment in [&state.replaced, &state.deployment].into_iter().flatten() {
        incident.note_deployment(deployment);
    }
}

/// Tells the incident what the instance of a failed task had.
pub(in crate::notifier::thread) fn note_host_trouble(
    state: &mut SubjectState,
    trouble: HostTrouble,
) {
    if let Some(incident) = state.incident.as_deref_mut() {
        incident.note_host(trouble);
    }
}

/// Tells the incident of a family about a task that ended well. Returns whether the incident goes on: the good end is not
/// posted by itself then.
pub(in crate::notifier::thread) fn observe_good_end(
    state: &mut SubjectState,
    started_at: UnixTime,
    now: UnixTime,
) -> bool {
    let incident = state.incident.as_deref();
    let goes_on = incident.is_some_and(|it| !it.is_over());
    note_sign(state, Sign::GoodEnd, started_at);
    if let Some(incident) = state.incident.as_deref_mut().filter(|it| !it.is_over()) {
        incident.sign_seen_at = incident.sign_seen_at.max(now);
    }
    goes_on
}

/// The name of an event's cause, if the event shows one: the diagnosis's, or of an urgent event its own name.
pub fn cause_name(notice: &Notice, priority: Priority) -> Option<String> {
    match priority.cause {
        Some(cause) => Some(cause.to_string()),
        None if notice.kind == Kind::DidNotRun => Some(notice.kind.to_string()),
        None if priority.urgent || matches!(notice.facts, Facts::Alarm(_)) => {
            let (name, _) = cause_of(notice, priority);
            Some(name).filter(|it| it.parse::<Kind>().is_err())
        }
        None => None,
    }
}

/// The cause of a failure: its name, and the words that say more.
pub(in crate::notifier::thread) fn cause_of(
    notice: &Notice,
    priority: Priority,
) -> (String, Option<String>) {
    let name = |text: &Option<String>| text.clone().unwrap_or_else(|| notice.kind.to_string());
    match (&notice.facts, priority.cause) {
        (Facts::Task(task), Some(cause)) => (cause.to_string(), Some(explain(cause, task).words)),
        (_, Some(cause)) => (cause.to_string(), None),
        (Facts::Service(service), None) => (name(&service.event_name), placement::missing(service)),
        (Facts::Unknown(unknown), None) => (name(&unknown.event_name), None),
        (Facts::Instance(instance), None) => (name(&instance.status), None),
        (Facts::Health(health), None) => {
            let status = health.overall_status.as_ref();
            let mut checks = health.health_checks.iter();
            let check = checks.find(|it| it.status.as_ref() == status);
            (name(&check.and_then(|it| it.kind.clone())), None)
        }
        (Facts::Alarm(alarm), None) => (alarms::cause(alarm), alarms::words(alarm)),
        (Facts::Scaling(scaling), None) => (notice.kind.to_string(), Some(scaling.in_words())),
        (Facts::Call(call), None) => {
            let code = call.error.as_ref().map(|it| it.code.clone());
            let words = code
                .as_ref()
                .map(|code| format!("{} was refused: {code}", call.name));
            (name(&code), words)
        }
        (Facts::Rollout(rollout), None) => (name(&rollout.event_name), None),
        (
            Facts::Task(_)
            | Facts::Hook(_)
            | Facts::Host(_)
            | Facts::AwsHealth(_)
            | Facts::Missed(_)
            | Facts::Foreign,
            None,
        ) => (notice.kind.to_string(), None),
    }
}
