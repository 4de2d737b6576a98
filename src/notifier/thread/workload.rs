//! What events say about the incident of a family or of a container instance.

use super::incident::{self, Sign};
use super::observation::Observation;
use super::state::SubjectState;
use super::subject::{SubjectKey, SubjectKind};
use super::unix_time::UnixTime;
use crate::ecs::diagnosis::Cause;
use crate::ecs::event::Time;
use crate::ecs::notice::Facts;

/// Tells the incident about an event. Returns whether the event belongs to it, so that it is not posted by itself.
pub(super) fn observe(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    now: UnixTime,
) -> bool {
    // A call about an instance is somebody's decision, and no failure. Only a launch can fail.
    let is_decision =
        key.kind == SubjectKind::Instance && matches!(observation.notice.facts, Facts::Call(_));
    if !is_decision && incident::observe_failure(key, state, observation, now) {
        return true;
    }
    let transition = observation.transition.as_ref();
    if state.seen.has(transition) {
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
            false
        }
        Facts::Health(health) if health.overall_status.as_deref() == Some("OK") => {
            let has_incident = state.incident.as_deref().is_some_and(|it| !it.is_over());
            incident::note_sign(state, Sign::HealthOk, observation.at);
            has_incident
        }
        Facts::Instance(instance) if instance.status.as_deref() == Some("INACTIVE") => {
            end(state, observation, now)
        }
        Facts::Call(call) if call.name == "DeregisterContainerInstance" && call.error.is_none() => {
            end(state, observation, now)
        }
        Facts::Task(_)
        | Facts::Service(_)
        | Facts::Instance(_)
        | Facts::Health(_)
        | Facts::Hook(_)
        | Facts::Unknown(_)
        | Facts::Call(_)
        | Facts::Foreign => false,
    };
    if is_sign {
        state.seen.is_new(transition);
    }
    is_sign
}

/// A deregistered instance has no problem any more. The deregistration itself is still counted with the others.
fn end(state: &mut SubjectState, observation: &Observation<'_>, now: UnixTime) -> bool {
    if let Some(incident) = state.incident.as_deref_mut() {
        incident.end_by_deregistration(observation.at, now);
    }
    false
}
