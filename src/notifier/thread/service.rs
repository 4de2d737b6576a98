//! What a service's events say about its deployments and its incident.

use serde::{Deserialize, Serialize};

use super::action::ThreadState;
use super::deployment::Replacement;
use super::incident::{self, AlarmEnd, Deployed, Sign, Touch};
use super::observation::Observation;
use super::other_rollout;
use super::registration::Registration;
use super::rollout;
use super::service_task::{self, StrayTasks};
use super::shared_facts::Places;
use super::state::SubjectState;
use super::subject::SubjectKey;
use super::tags;
use super::text::{LONGEST_ID, LONGEST_NAME, cut, cut_known};
use super::unix_time::UnixTime;
use crate::ecs::notice::{CallFacts, CallPurpose, Facts, Kind, ServiceFacts};

/// The most ids of deployments that are remembered.
const MOST_IDS: usize = 8;

/// The most actions of people that are remembered.
const MOST_TOUCHES: usize = 5;

/// The most tasks that people stopped and whose ends are still expected.
const MOST_STOPPED: usize = 20;

/// What is remembered of a service besides its threads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ServiceMemory {
    /// The ids of its deployments that have had a thread.
    deployments: Vec<String>,
    /// The ids that a call's answer named as older ones.
    older: Vec<String>,
    /// The task definitions of deployments, by their ids. A rollback names only the id.
    definitions: Vec<(String, String)>,
    /// The task definition of the last deployment that completed, and its images.
    pub(super) runs: Option<String>,
    pub(super) runs_images: Vec<String>,
    pub(super) desired: Option<i64>,
    /// Where tasks were that did not fail.
    pub(super) places: Places,
    /// What people did to it.
    pub(super) touches: Vec<Touch>,
    /// The tasks that people stopped: the calls were posted, so the stops are not.
    pub(super) stopped_by_call: Vec<String>,
    /// A completion under an id that no deployment has: the end of a rollback whose beginning is still to come.
    pub(super) stray_completion: Option<(String, UnixTime)>,
    /// The tasks of deployments whose beginnings are still to come.
    pub(super) strays: Vec<StrayTasks>,
    /// When alarms were over last. An alarm may come after the event that says that it is over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alarm_ends: Vec<(String, AlarmEnd)>,
    /// The latest sign of a recovery: a failure before it may come after it.
    pub(super) last_sign: Option<(Sign, UnixTime)>,
    /// When the service was created and deleted last.
    created_at: Option<UnixTime>,
    pub(super) gone_at: Option<UnixTime>,
}

impl ServiceMemory {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn knows(&self, id: &str) -> bool {
        let id = cut(id, LONGEST_ID);
        self.deployments.contains(&id)
    }

    pub(super) fn is_older(&self, id: &str) -> bool {
        self.older.contains(&cut(id, LONGEST_ID))
    }

    pub(super) fn remember_older(&mut self, id: &str) {
        if !self.is_older(id) {
            self.older.push(cut(id, LONGEST_ID));
            drop_first(&mut self.older, MOST_IDS);
        }
    }

    /// Notes the task definition of a deployment.
    pub(super) fn note_definition(&mut self, id: &str, definition: &str) {
        if self.definition_of(id).is_none() {
            let definition = cut(definition, LONGEST_NAME);
            self.definitions.push((cut(id, LONGEST_ID), definition));
            drop_first(&mut self.definitions, MOST_IDS);
        }
    }

    pub(super) fn definition_of(&self, id: &str) -> Option<&str> {
        let id = cut(id, LONGEST_ID);
        let known = self.definitions.iter().find(|(known, _)| *known == id);
        known.map(|(_, definition)| definition.as_str())
    }

    /// Notes that an alarm is over.
    pub(super) fn note_alarm_end(&mut self, name: &str, end: AlarmEnd) {
        let known = self.alarm_end(name).filter(|it| it.at > end.at);
        self.alarm_ends.retain(|(known, _)| known != name);
        self.alarm_ends
            .push((name.to_owned(), known.unwrap_or(end)));
        drop_first(&mut self.alarm_ends, MOST_IDS);
    }

    /// When an alarm was over last, and how.
    pub(super) fn alarm_end(&self, name: &str) -> Option<AlarmEnd> {
        let known = self.alarm_ends.iter().find(|(known, _)| known == name);
        known.map(|(_, end)| *end)
    }

    pub(super) fn remember(&mut self, id: &str) {
        if !self.knows(id) {
            self.deployments.push(cut(id, LONGEST_ID));
            drop_first(&mut self.deployments, MOST_IDS);
        }
    }
}

fn drop_first<T>(list: &mut Vec<T>, most: usize) {
    let excess = list.len().saturating_sub(most);
    list.drain(..excess);
}

/// Tells the service's threads about an event. Returns whether it belongs to one of them, so that it is not posted by
/// itself.
pub(super) fn observe(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    registration: Option<&Registration>,
    now: UnixTime,
) -> bool {
    let known_tags = tags::known(state);
    let is_taken = match &observation.notice.facts {
        Facts::Call(call) => observe_call(key, state, observation, call, registration, now),
        Facts::Task(task) => service_task::observe(key, state, observation, task, now),
        Facts::Service(service) if observation.notice.kind == Kind::Deployment => {
            rollout::observe_event(key, state, observation, service)
                || incident_of_unknown(key, state, observation, service, now)
        }
        Facts::Service(service) => observe_action(key, state, observation, service, now),
        Facts::Hook(hook) => rollout::observe_hook(key, state, observation, hook),
        Facts::Rollout(rollout) => other_rollout::observe(key, state, observation, rollout),
        Facts::Unknown(_) => incident::observe_failure(key, state, observation, now),
        Facts::Alarm(alarm) => incident::observe_alarm(key, state, observation, alarm, now),
        // Alone it is no problem yet.
        Facts::Scaling(_) if has_open_incident(state) => {
            incident::observe_failure(key, state, observation, now)
        }
        Facts::Scaling(_)
        | Facts::AwsHealth(_)
        | Facts::Host(_)
        | Facts::Instance(_)
        | Facts::Health(_)
        | Facts::Missed(_)
        | Facts::Foreign => false,
    };
    service_task::adopt_strays(state);
    rollout::name_replacement(state);
    if matches!(observation.notice.facts, Facts::Call(_)) {
        // A late call may name the revision of a deployment that has ended.
        note_end(state);
    }
    incident::note_background(state);
    tags::learn(state, observation.notice, known_tags);
    is_taken
}

fn has_open_incident(state: &SubjectState) -> bool {
    let incident = state.incident.as_deref();
    incident.is_some_and(|it| !it.is_over())
}

/// An urgent deployment event of a type that is not known.
fn incident_of_unknown(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    service: &ServiceFacts,
    now: UnixTime,
) -> bool {
    !rollout::is_known(service) && incident::observe_failure(key, state, observation, now)
}

fn observe_call(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    call: &CallFacts,
    registration: Option<&Registration>,
    now: UnixTime,
) -> bool {
    if call.error.is_some() {
        return false;
    }
    if let Some(change) = &call.service {
        if call.name == "CreateService" {
            forget(state, observation.at);
        }
        let begins = !is_by_autoscaling(call)
            && rollout::begin_by_call(key, state, observation, call, change, registration);
        if let Some(desired) = change.desired_count {
            note_desired(state, desired, change.only_scales);
        }
        if begins {
            return true;
        }
    }
    match call.name.as_str() {
        "DeleteService" => return delete(state, observation, now),
        "ContinueServiceDeployment" | "StopServiceDeployment" if call.hook_decision.is_some() => {
            return rollout::answer(state, observation, call);
        }
        _ => {}
    }
    note_deed(state, observation, call);
    false
}

/// Notes what a person did, for the incident. The stop of a task that a person stopped is not posted beside the call.
pub(super) fn note_deed(state: &mut SubjectState, observation: &Observation<'_>, call: &CallFacts) {
    if call.name == "StopTask"
        && let Some(task) = &observation.notice.subject.task
    {
        state.service.stopped_by_call.push(cut(task, LONGEST_ID));
        drop_first(&mut state.service.stopped_by_call, MOST_STOPPED);
    }
    let by_service = observation.notice.actor.as_ref();
    if !by_service.is_some_and(|it| it.is_service) && observation.priority().is_some() {
        touch(state, observation, &deed(call));
    }
}

fn is_by_autoscaling(call: &CallFacts) -> bool {
    matches!(
        call.purpose,
        CallPurpose::ChangeService {
            by_autoscaling: true
        }
    )
}

/// What a call did, as short as possible.
fn deed(call: &CallFacts) -> String {
    let scaled = call.service.as_ref().filter(|it| it.only_scales);
    match scaled.and_then(|it| it.desired_count) {
        Some(count) => format!("scaled to {count}"),
        None => call.name.clone(),
    }
}

/// Notes the desired count. A deployment that goes on takes it too.
fn note_desired(state: &mut SubjectState, desired: i64, only_scales: bool) {
    state.service.desired = Some(desired);
    let current = state.deployment.as_mut().filter(|it| it.is_open());
    if let Some(deployment) = current.filter(|it| only_scales && it.desired != Some(desired)) {
        deployment.desired = Some(desired);
        deployment.shown.is_outdated = true;
    }
}

/// A person acted on the service. During an incident that is mentioned in its next turn.
fn touch(state: &mut SubjectState, observation: &Observation<'_>, call: &str) {
    if !state.seen.is_new(observation.transition.as_ref()) {
        return;
    }
    let touches = &mut state.service.touches;
    touches.push(Touch {
        at: observation.at,
        actor: cut_known(observation.actor(), LONGEST_NAME),
        call: cut(call, LONGEST_ID),
    });
    touches.sort_by_key(|it| it.at);
    drop_first(touches, MOST_TOUCHES);
}

/// The service is gone. What happened to it later, because it was made anew, stays.
fn delete(state: &mut SubjectState, observation: &Observation<'_>, now: UnixTime) -> bool {
    let at = observation.at;
    if state.service.created_at.is_none_or(|it| it < at) {
        let current = state.deployment.as_mut();
        if let Some(deployment) = current.filter(|it| it.is_open() && it.started_at <= at) {
            deployment.replaced_by = Some(Replacement::Deletion);
            deployment.shown.is_outdated = true;
        }
        state.service.gone_at = state.service.gone_at.max(Some(at));
        forget_what_runs(&mut state.service);
    }
    let incident = state.incident.as_mut();
    incident.is_some_and(|it| it.end_by_deletion(observation.actor(), at, now))
}

/// A service that is made anew has nothing in common with the one before.
fn forget(state: &mut SubjectState, at: UnixTime) {
    if state.service.created_at.is_some_and(|it| it >= at) {
        return;
    }
    let memory = &mut state.service;
    memory.created_at = Some(at);
    memory.gone_at = memory.gone_at.filter(|it| *it > at);
    memory.touches.retain(|it| it.at >= at);
    memory.last_sign = memory.last_sign.filter(|(_, known)| *known > at);
    forget_what_runs(memory);
    if let Some(incident) = &mut state.incident {
        incident.end_for_good(at);
    }
}

fn forget_what_runs(memory: &mut ServiceMemory) {
    memory.runs = None;
    memory.runs_images.clear();
    memory.definitions.clear();
    memory.desired = None;
    memory.places = Places::default();
}

fn observe_action(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    service: &ServiceFacts,
    now: UnixTime,
) -> bool {
    if let Some(desired) = service.desired_count {
        state.service.desired = Some(desired);
    }
    if service.event_name.as_deref() == Some("SERVICE_STEADY_STATE") {
        let is_old = !observation.has_time && state.seen.has(observation.transition.as_ref());
        if !is_old {
            incident::note_sign(state, Sign::SteadyState, observation.at);
        }
        if !observation.has_time {
            state.seen.is_new(observation.transition.as_ref());
        }
        return false;
    }
    incident::observe_failure(key, state, observation, now)
}

/// A deployment that has ended well, or was rolled back, is a sign that the service recovers.
pub(super) fn note_end(state: &mut SubjectState) {
    let Some(deployment) = state.deployment.as_deref() else {
        return;
    };
    let is_rolled_back = deployment.is_rolled_back();
    let has_ended = is_rolled_back || deployment.state() == ThreadState::Completed;
    let Some(at) = deployment.completed_at.filter(|_| has_ended) else {
        return;
    };
    let (runs, images) = match is_rolled_back {
        true => (
            deployment.goes_back_to().map(str::to_owned),
            deployment.from_images.clone(),
        ),
        false => (deployment.to.clone(), deployment.images.clone()),
    };
    if let (Some(incident), Some(revision)) = (&mut state.incident, &runs) {
        incident.note_deployed(Deployed {
            revision: revision.clone(),
            actor: deployment.actor.clone().filter(|_| !is_rolled_back),
            is_rollback: is_rolled_back,
            at,
        });
    }
    if runs.is_some() {
        state.service.runs = runs;
        state.service.runs_images = images;
    }
    incident::note_sign(state, Sign::Deployment, at);
}
