//! What events say about the incident of a family or of a container instance.

use super::activity;
use super::incident::{self, Sign};
use super::observation::Observation;
use super::service;
use super::service_task;
use super::state::SubjectState;
use super::subject::{SubjectKey, SubjectKind};
use super::unix_time::UnixTime;
use crate::ecs::diagnosis::Cause;
use crate::ecs::event::Time;
use crate::ecs::launcher::is_stop_of_scheduled;
use crate::ecs::notice::Facts;
use crate::notifier::dedup::Transition;

/// Tells the incident about an event. Returns whether the event belongs to it, so that it is not posted by itself.
pub(super) fn observe(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    now: UnixTime,
) -> bool {
    if key.kind == SubjectKind::Instance {
        state.host.note(observation);
    }
    if let Facts::Alarm(alarm) = &observation.notice.facts {
        return incident::observe_alarm(key, state, observation, alarm, now);
    }
    if let Facts::Call(call) = &observation.notice.facts
        && is_stop_of_scheduled(observation.notice, call)
    {
        service::note_deed(state, observation, call);
        incident::note_background(state);
        return false;
    }
    // A call about an instance is somebody's decision, and no failure. Only a launch can fail.
    let is_decision =
        key.kind == SubjectKind::Instance && matches!(observation.notice.facts, Facts::Call(_));
    if !is_decision && incident::observe_failure(key, state, observation, now) {
        return true;
    }
    let transition = observation.transition.as_ref();
    let is_state = matches!(observation.notice.facts, Facts::Instance(_));
    if !is_state && state.seen.has(transition) {
        // It ended the incident when it came first.
        return true;
    }
    let is_sign = match &observation.notice.facts {
        Facts::Task(task) if observation.cause() == Some(Cause::Finished) => {
            let started_at = task.started_at.as_ref().and_then(Time::instant);
            let started_at = started_at.map(UnixTime::of);
            started_at.is_some_and(|it| incident::observe_good_end(state, it, now))
        }
        Facts::Task(_) if observation.is_stop() || observation.is_start() => {
            state.service.places.note(observation);
            service_task::is_stopped_by_call(state, observation)
        }
        Facts::Health(health) if health.overall_status.as_deref() == Some("OK") => {
            let has_incident = state.incident.as_deref().is_some_and(|it| !it.is_over());
            incident::note_sign(state, Sign::HealthOk, observation.at);
            has_incident
        }
        Facts::Instance(instance) => {
            if instance.status.as_deref() == Some("INACTIVE") {
                end(state, observation, now);
            }
            is_told_by_call(state, observation)
        }
        Facts::Call(call) => {
            if call.name == "DeregisterContainerInstance" && call.error.is_none() {
                end(state, observation, now);
            }
            is_told_by_event(key, state, observation)
        }
        Facts::Task(_)
        | Facts::Service(_)
        | Facts::Health(_)
        | Facts::Hook(_)
        | Facts::Rollout(_)
        | Facts::Host(_)
        | Facts::AwsHealth(_)
        | Facts::Scaling(_)
        | Facts::Alarm(_)
        | Facts::Unknown(_)
        | Facts::Missed(_)
        | Facts::Foreign => false,
    };
    if is_sign {
        state.seen.is_new(transition);
    }
    is_sign
}

/// A deregistered instance has no problem any more. The deregistration itself is still counted with the others.
fn end(state: &mut SubjectState, observation: &Observation<'_>, now: UnixTime) {
    if let Some(incident) = state.incident.as_deref_mut() {
        incident.end_by_deregistration(observation.at, now);
    }
}

/// Whether a call has said that the instance gets this state: it is one change, and not two. If not, the event is noted
/// for a call that comes later.
///
/// Only the other one of the two is noted here. The one that comes first is counted by the activity, whose state may be
/// written later than this one.
fn is_told_by_call(state: &mut SubjectState, observation: &Observation<'_>) -> bool {
    let is_told = state.seen.has(observation.transition.as_ref());
    let is_change = observation.priority().is_some();
    if let Some(transition) = observation.transition.as_ref().filter(|_| is_change)
        && !is_told
    {
        state.seen.is_new(Some(&transition.as_asked()));
    }
    is_told
}

/// Whether ECS's own event has said what the call says. A person's decision is posted in any case: it says who did it.
/// If not, the call is noted for the event that comes later. A call may be about several instances.
pub(super) fn is_told_by_event(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
) -> bool {
    let asked = Transition::of_asked_states(observation.notice, &key.name);
    let asked = asked.iter().filter(|_| observation.priority().is_some());
    let is_decision = activity::is_decision(observation.notice);
    let mut is_told = false;
    for change in asked {
        match !is_decision && state.seen.has(Some(&change.as_asked())) {
            true => is_told = true,
            false => _ = state.seen.is_new(Some(change)),
        }
    }
    is_told
}
