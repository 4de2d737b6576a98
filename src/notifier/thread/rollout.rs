//! What calls, deployment events and hooks say about the deployments of a service.
//!
//! A service has its latest deployment and the one before. Events may come in any order, so an event may open the older
//! one after the later one.

use std::cmp::Reverse;
use std::time::Duration;

use super::action::{ThreadId, ThreadKind, ThreadState};
use super::deployment::{Deployment, Fact, Hook, HookAnswer, Replacement};
use super::observation::Observation;
use super::registration::Registration;
use super::service;
use super::state::SubjectState;
use super::subject::SubjectKey;
use super::text::{LONGEST_ID, LONGEST_NAME, cut, cut_known};
use super::unix_time::UnixTime;
use crate::ecs::event::{HookStateChange, Time};
use crate::ecs::notice::{
    AnsweredDeployment, CallFacts, HookDecision, ServiceChange, ServiceFacts,
};
use crate::ecs::service_events::{is_rollback, rollback_target, says_failed};

/// A deployment in a call's answer is new if it was created so soon before or after the call. A call that changes only
/// the count returns the old one.
const JUST_CREATED: Duration = Duration::from_secs(60);

/// A call and the first event of its deployment are at most so far apart.
const SAME_BEGINNING: Duration = Duration::from_secs(600);

/// A hook's last event may come a little later than the end of its deployment.
const AFTER_END: Duration = Duration::from_secs(60);

pub(super) const LONGEST_REASON: usize = 400;

/// A deployment of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Current,
    /// The one before.
    Replaced,
}

pub(super) fn get(state: &mut SubjectState, slot: Slot) -> Option<&mut Deployment> {
    match slot {
        Slot::Current => state.deployment.as_deref_mut(),
        Slot::Replaced => state.replaced.as_deref_mut(),
    }
}

/// Whether an event is older than the beginning of the current deployment.
fn is_before_current(state: &SubjectState, at: UnixTime) -> bool {
    let current = state.deployment.as_ref();
    current.is_some_and(|it| at < it.started_at)
}

/// What a call or an event says about a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Beginning,
    End,
}

/// Finds the deployment that a call or an event is about. One whose id is not known yet gets it.
fn find(state: &mut SubjectState, id: Option<&str>, at: UnixTime, phase: Phase) -> Option<Slot> {
    let is = |it: &Option<Box<Deployment>>, id: &str| it.as_ref().is_some_and(|it| it.is(id));
    let memory = &state.service;
    let is_known = id.is_some_and(|id| memory.knows(id) || memory.is_older(id));
    let Some(id) = id else {
        let current = state.deployment.as_deref();
        let is_same = |it: &Deployment| it.actor.is_none() && is_near_beginning(it, at);
        return current.is_some_and(is_same).then_some(Slot::Current);
    };
    if is(&state.deployment, id) {
        return Some(Slot::Current);
    }
    if is(&state.replaced, id) {
        return Some(Slot::Replaced);
    }
    let current = state.deployment.as_deref_mut().filter(|_| !is_known)?;
    if current.id.is_none() && may_be_its_id(current, at, phase) {
        current.id = Some(cut(id, LONGEST_ID));
        return Some(Slot::Current);
    }
    None
}

fn is_near_beginning(deployment: &Deployment, at: UnixTime) -> bool {
    let began_at = deployment.started_at;
    at.since(began_at).max(began_at.since(at)) <= SAME_BEGINNING
}

fn may_be_its_id(deployment: &Deployment, at: UnixTime, phase: Phase) -> bool {
    let is_later = match phase {
        Phase::Beginning => is_near_beginning(deployment, at),
        Phase::End => true,
    };
    match &deployment.rollback {
        Some(rollback) => at <= rollback.at,
        // Only hooks were seen of it.
        None if !deployment.has_begun && at <= deployment.started_at => true,
        None => deployment.is_open() && is_later,
    }
}

/// The deployment with this id, or a new one. `None` if it is older than the two that are known.
pub(super) fn find_or_open(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    id: Option<&str>,
    phase: Phase,
) -> Option<Slot> {
    let at = observation.at;
    let is_known = id.is_some_and(|id| state.service.knows(id));
    let slot = match find(state, id, at, phase) {
        Some(slot) => slot,
        None if is_known => return None,
        None => open(key, state, observation, id)?,
    };
    if let Some(id) = id {
        state.service.remember(id);
    }
    let deployment = get(state, slot)?;
    if id.is_none_or(|id| deployment.is_own(id)) {
        deployment.started_at = deployment.started_at.min(at);
    }
    Some(slot)
}

/// Opens a deployment. It replaces an open one, or is replaced by the current one if that is newer.
fn open(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    id: Option<&str>,
) -> Option<Slot> {
    let at = observation.at;
    let beginning = match id {
        Some(id) => id.to_owned(),
        None => at.as_milliseconds().to_string(),
    };
    let mut deployment = Box::new(Deployment {
        thread: ThreadId::new(ThreadKind::Deployment, key, &beginning),
        origin: super::bounded_origin(&observation.notice.origin),
        subject: super::subject_without_task(&observation.notice.subject),
        id: cut_known(id, LONGEST_ID),
        started_at: at,
        ..Deployment::default()
    });
    deployment.shown.is_outdated = true;
    if is_before_current(state, at) {
        let replaced = state.replaced.as_ref();
        if replaced.is_some_and(|it| at < it.started_at) {
            return None;
        }
        deployment.replaced_by = Some(Replacement::Newer);
        keep_as_replaced(state, deployment);
        return Some(Slot::Replaced);
    }
    let (runs, images) = runs_before(state);
    deployment.from = runs;
    deployment.from_images = images;
    if let Some(mut old) = state.deployment.replace(deployment) {
        if old.is_open() {
            old.replaced_by = Some(Replacement::Newer);
            old.shown.is_outdated = true;
        }
        keep_as_replaced(state, old);
    }
    Some(Slot::Current)
}

/// The revision that runs before a new deployment, and its images: the last one that completed. If none was seen, it is
/// the one from which the deployment before went out, as long as that has not completed.
fn runs_before(state: &SubjectState) -> (Option<String>, Vec<String>) {
    let memory = &state.service;
    let before = state.deployment.as_deref();
    match before.filter(|it| memory.runs.is_none() && it.completed_at.is_none()) {
        Some(it) => (it.goes_back_to().map(str::to_owned), it.from_images.clone()),
        None => (memory.runs.clone(), memory.runs_images.clone()),
    }
}

/// Keeps the deployment before the current one. The one before it leaves, after its last change is shown.
fn keep_as_replaced(state: &mut SubjectState, deployment: Box<Deployment>) {
    let leaving = state.replaced.replace(deployment);
    let leaving = leaving.filter(|it| it.shown.is_outdated);
    state.outgoing.extend(leaving.map(|it| *it));
}

/// Names the revision that replaced the deployment before, as soon as it is known.
pub(super) fn name_replacement(state: &mut SubjectState) {
    let to = state.deployment.as_ref().and_then(|it| it.to.clone());
    if let (Some(old), Some(to)) = (&mut state.replaced, to)
        && old.replaced_by == Some(Replacement::Newer)
    {
        old.replaced_by = Some(Replacement::Revision(to));
        old.shown.is_outdated = true;
    }
}

/// Returns whether the call makes a new deployment.
pub(super) fn begin_by_call(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    call: &CallFacts,
    change: &ServiceChange,
    registration: Option<&Registration>,
) -> bool {
    if change.only_scales {
        return false;
    }
    let is_creation = call.name == "CreateService";
    let asks = change.asks_for_deployment || is_creation;
    let primary = change.deployments.iter().find(|it| it.is_primary);
    let is_new = primary.and_then(|it| is_just_created(it, observation.at));
    if !is_new.unwrap_or(asks) {
        return false;
    }
    let id = primary.and_then(|it| it.id.as_deref());
    let Some(slot) = find_or_open(key, state, observation, id, Phase::Beginning) else {
        return false;
    };
    let mut older: Vec<_> = change
        .deployments
        .iter()
        .filter(|it| !it.is_primary)
        .collect();
    for id in older.iter().filter_map(|it| it.id.as_deref()) {
        state.service.remember_older(id);
    }
    note_definitions(state, change);
    let desired = primary
        .and_then(|it| it.desired_count)
        .or(change.desired_count);
    let known = state.service.desired;
    let Some(deployment) = get(state, slot) else {
        return false;
    };
    deployment.has_begun = true;
    deployment.is_creation |= is_creation;
    let definition = primary.and_then(|it| it.task_definition.clone());
    if let Some(definition) = definition.or_else(|| observation.notice.subject.task_definition()) {
        deployment.learn_definition(&definition);
    }
    older.sort_by_key(|it| Reverse(it.created_at.as_ref().and_then(Time::instant)));
    learn_older(deployment, &older);
    if let Some(actor) = observation.actor() {
        deployment.learn_actor(actor);
    }
    if let Some(registration) = registration {
        deployment.learn_registration(registration);
    }
    deployment.desired = deployment.desired.or(desired).or(known);
    true
}

fn note_definitions(state: &mut SubjectState, change: &ServiceChange) {
    for it in &change.deployments {
        if let (Some(id), Some(definition)) = (&it.id, &it.task_definition) {
            state.service.note_definition(id, definition);
        }
    }
}

/// What a call's answer says about the deployments before, the latest first.
fn learn_older(deployment: &mut Deployment, older: &[&AnsweredDeployment]) {
    let is_complete = |it: &AnsweredDeployment| {
        let state = it.rollout_state.as_deref();
        state.is_none_or(|it| it == "COMPLETED")
    };
    let definition = |it: &AnsweredDeployment| it.task_definition.clone();
    let completed = older.iter().filter(|it| is_complete(it));
    let completed = completed.filter_map(|it| definition(it)).next();
    // What ran before is what completed, and not a revision that never did. A return to what completed replaces the latest.
    let ran = completed.or_else(|| deployment.goes_back_to().map(str::to_owned));
    let latest = older.iter().find(|it| it.task_definition.is_some());
    let other = ran.clone().filter(|it| deployment.to.as_ref() != Some(it));
    deployment.from_is_incomplete = other.is_none() && latest.is_some_and(|it| !is_complete(it));
    let from = other.or_else(|| latest.and_then(|it| definition(it)));
    if let Some(from) = from {
        deployment.correct_from(&from);
    }
    if let Some(ran) = ran.filter(|_| deployment.from_is_incomplete) {
        deployment.learn_completed_before(&ran);
    }
}

/// `None` if the answer does not say when.
fn is_just_created(deployment: &AnsweredDeployment, called_at: UnixTime) -> Option<bool> {
    let created = deployment.created_at.as_ref().and_then(Time::instant)?;
    let created = UnixTime::of(created);
    let apart = called_at.since(created).max(created.since(called_at));
    Some(apart <= JUST_CREATED)
}

/// A person answered a hook that waits. Returns false if no deployment is known that it is about, and if its rollback
/// was shown already: then the call says by itself who decided it.
pub(super) fn answer(
    state: &mut SubjectState,
    observation: &Observation<'_>,
    call: &CallFacts,
) -> bool {
    let at = observation.at;
    let Some(deployment) = slot_at(state, at).and_then(|slot| get(state, slot)) else {
        return false;
    };
    let decision = call.hook_decision.unwrap_or(HookDecision::Continue);
    let was_shown = matches!(
        deployment.shown.state,
        Some(ThreadState::RollingBack | ThreadState::Failed)
    );
    let actor = cut_known(observation.actor(), LONGEST_NAME);
    if decision == HookDecision::RollBack {
        let reason = Some(match &actor {
            Some(actor) => format!("{actor} rolled it back"),
            None => "somebody rolled it back".to_owned(),
        });
        deployment.note_rollback(Fact { at, reason });
    }
    deployment.note_answer(HookAnswer {
        at,
        actor,
        decision,
    });
    !was_shown
}

/// The deployment that went on at this time.
fn slot_at(state: &SubjectState, at: UnixTime) -> Option<Slot> {
    let went_on = |it: &Deployment| {
        let end = it.ended_at().map(|end| end.plus(AFTER_END));
        it.is_open() || it.replaced_by.is_some() || end.is_some_and(|end| at <= end)
    };
    let current = state.deployment.as_deref()?;
    let replaced = state.replaced.as_deref();
    match at < current.started_at {
        false => went_on(current).then_some(Slot::Current),
        true if replaced.is_some_and(|it| at >= it.started_at && went_on(it)) => {
            Some(Slot::Replaced)
        }
        // Its own beginning has not come yet.
        true => (!current.has_begun).then_some(Slot::Current),
    }
}

/// Whether the event's name is one of those that have a meaning here.
pub(super) fn is_known(service: &ServiceFacts) -> bool {
    let name = service.event_name.as_deref().unwrap_or_default();
    says_failed(name)
        || is_rollback(service)
        || matches!(
            name,
            "SERVICE_DEPLOYMENT_COMPLETED" | "SERVICE_DEPLOYMENT_IN_PROGRESS"
        )
}

/// Tells the deployments about an event of ECS. Returns false if it is about none of them.
pub(super) fn observe_event(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    service: &ServiceFacts,
) -> bool {
    let name = service.event_name.as_deref().unwrap_or_default();
    let Some(id) = service.deployment_id.as_deref() else {
        return false;
    };
    let fact = Fact {
        at: observation.at,
        reason: cut_known(service.reason.as_deref(), LONGEST_REASON),
    };
    let slot = match name {
        _ if says_failed(name) && name.contains("ROLLBACK") => {
            let slot = of_rollback(key, state, observation, id);
            note(state, slot, |it| it.note_rollback_failed(fact))
        }
        "SERVICE_DEPLOYMENT_COMPLETED" => {
            complete(key, state, observation, service, id);
            return true;
        }
        _ if is_rollback(service) => {
            let has_failed = says_failed(name).then(|| fact.clone());
            let slot = roll_back(key, state, observation, service, id, fact);
            let failed = has_failed.map(|fact| note(state, slot, |it| it.note_failed(fact)));
            failed.unwrap_or(slot)
        }
        _ if says_failed(name) => {
            let slot = find_or_open(key, state, observation, Some(id), Phase::End);
            note(state, slot, |it| it.note_failed(fact))
        }
        "SERVICE_DEPLOYMENT_IN_PROGRESS" => {
            let slot = find_or_open(key, state, observation, Some(id), Phase::Beginning);
            note(state, slot, |it| it.has_begun = true);
            learn(state, slot, observation, service, id);
            // An old deployment's beginning is no news.
            return true;
        }
        _ => return false,
    };
    learn(state, slot, observation, service, id);
    slot.is_some()
}

/// Changes the deployment, if there is one.
fn note(
    state: &mut SubjectState,
    slot: Option<Slot>,
    change: impl FnOnce(&mut Deployment),
) -> Option<Slot> {
    let deployment = slot.and_then(|slot| get(state, slot))?;
    change(deployment);
    slot
}

/// What else the event says about a deployment.
fn learn(
    state: &mut SubjectState,
    slot: Option<Slot>,
    observation: &Observation<'_>,
    service: &ServiceFacts,
    id: &str,
) {
    let Some(deployment) = slot.and_then(|slot| get(state, slot)) else {
        return;
    };
    if !deployment.is_own(id) {
        return;
    }
    if let Some(progress) = service.progress {
        deployment.desired = Some(progress.desired);
        deployment.reported = Some(progress);
    }
    if let Some(definition) = observation.notice.subject.task_definition()
        && !is_rollback(service)
    {
        deployment.learn_definition(&definition);
    }
}

/// The deployment that rolls back: the one that went on or had failed at that time, whatever id the event has.
pub(super) fn of_rollback(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    id: &str,
) -> Option<Slot> {
    let at = observation.at;
    let may_roll_back = |it: &Deployment| {
        it.is_open()
            || it.replaced_by.is_some()
            || it.failed.is_some()
            || it.rollback.is_some()
            || it.completed_at.is_some_and(|end| at <= end)
    };
    let current = state.deployment.as_deref();
    let replaced = state.replaced.as_deref();
    let is_before = is_before_current(state, at);
    let slot = match () {
        () if !is_before && current.is_some_and(may_roll_back) => Slot::Current,
        () if !is_before => open(key, state, observation, None)?,
        () if replaced.is_some_and(|it| at >= it.started_at && may_roll_back(it)) => Slot::Replaced,
        () => return None,
    };
    get(state, slot)?.add_alias(id);
    Some(slot)
}

fn roll_back(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    service: &ServiceFacts,
    id: &str,
    fact: Fact,
) -> Option<Slot> {
    let at = fact.at;
    let target = service.reason.as_deref().and_then(rollback_target);
    let early_end = take_early_end(state, target.unwrap_or(id), at);
    let slot = of_rollback(key, state, observation, id)?;
    let stray = state.service.stray_completion.take();
    let back_to = target.and_then(|it| state.service.definition_of(it));
    let back_to = back_to.map(str::to_owned);
    let deployment = get(state, slot)?;
    if let Some(target) = target {
        deployment.add_alias(target);
    }
    if let Some(definition) = back_to {
        deployment.learn_completed_before(&definition);
    }
    deployment.note_rollback(fact);
    if let Some(definition) = observation.notice.subject.task_definition() {
        deployment.learn_from(&definition);
    }
    if let Some(end) = early_end {
        deployment.note_completed(end);
    }
    match stray {
        Some((id, end)) if deployment.is(&id) && end >= at => deployment.note_completed(end),
        other => state.service.stray_completion = other,
    }
    service::note_end(state);
    Some(slot)
}

/// The end of a rollback that came before the rollback itself looked like a deployment of its own. It becomes a part of
/// the deployment that is rolled back. Returns the time of the end.
fn take_early_end(state: &mut SubjectState, target: &str, at: UnixTime) -> Option<UnixTime> {
    let current = state.deployment.as_deref_mut()?;
    let end = current.completed_at?;
    if !current.is_own(target) || end < at || current.rollback.is_some() || current.has_begun {
        return None;
    }
    match state.replaced.take_if(|it| it.started_at <= at) {
        Some(mut older) => {
            older.replaced_by = None;
            state.deployment = Some(older);
        }
        None => {
            current.id = None;
            current.completed_at = None;
            current.started_at = current.started_at.min(at);
            current.from = current.to.take().or(current.from.take());
            current.from_images = std::mem::take(&mut current.images);
        }
    }
    Some(end)
}

fn complete(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    service: &ServiceFacts,
    id: &str,
) {
    let at = observation.at;
    if !observation.has_time && state.seen.has(observation.transition.as_ref()) {
        return;
    }
    state.seen.is_new(observation.transition.as_ref());
    if service.came_back
        && let Some(deployment) = state.deployment.as_deref_mut()
        && !deployment.is_own(id)
        && deployment.rollback.is_none()
    {
        deployment.add_alias(id);
        // The reason of a completion does not say why it was rolled back.
        deployment.note_rollback(Fact { at, reason: None });
    }
    let is_rolling_back = |it: &Deployment| it.rollback.as_ref().is_some_and(|it| at >= it.at);
    let slot = match find(state, Some(id), at, Phase::End) {
        // The one before has completed again: the current one was rolled back.
        Some(Slot::Replaced) if !is_before_current(state, at) => None,
        slot => slot,
    };
    let deployment = state.deployment.as_deref_mut();
    if let Some(slot) = slot {
        note(state, Some(slot), |it| it.note_completed(at));
        learn(state, Some(slot), observation, service, id);
    } else if let Some(deployment) = deployment.filter(|it| is_rolling_back(it)) {
        deployment.add_alias(id);
        deployment.note_completed(at);
    } else if is_of_older(state, id, at) {
        state.service.stray_completion = Some((cut(id, LONGEST_ID), at));
    } else {
        let slot = find_or_open(key, state, observation, Some(id), Phase::End);
        // AWS says that the deployment runs again, and the one that failed is not known.
        if service.came_back {
            let definition = observation.notice.subject.task_definition();
            note(state, slot, |it| {
                it.note_rollback(Fact { at, reason: None });
                if let Some(definition) = definition {
                    it.learn_from(&definition);
                }
            });
        }
        note(state, slot, |it| it.note_completed(at));
        learn(state, slot, observation, service, id);
    }
    service::note_end(state);
}

/// Whether an older deployment has completed again.
fn is_of_older(state: &SubjectState, id: &str, at: UnixTime) -> bool {
    let memory = &state.service;
    memory.knows(id) || memory.is_older(id) && !is_before_current(state, at)
}

/// Tells the deployment about a hook. Hooks have no deployment id.
pub(super) fn observe_hook(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    change: &HookStateChange,
) -> bool {
    let arn = change.service_deployment_arn.as_deref();
    let known = [Slot::Current, Slot::Replaced].into_iter().find(|slot| {
        let deployment = get(state, *slot);
        arn.is_some_and(|arn| deployment.is_some_and(|it| it.is(arn)))
    });
    let slot = known
        .or_else(|| slot_at(state, observation.at))
        .or_else(|| open(key, state, observation, None));
    let Some(deployment) = slot.and_then(|slot| get(state, slot)) else {
        return false;
    };
    if let Some(arn) = arn {
        deployment.add_alias(arn);
    }
    let text = |text: &Option<String>| cut_known(text.as_deref(), LONGEST_NAME);
    let time = |time: &Option<Time>| time.as_ref().map(|it| cut(it.text(), LONGEST_NAME));
    deployment.note_hook(Hook {
        at: observation.at,
        name: text(&change.event_name).unwrap_or_default(),
        id: text(&change.hook_id),
        stage: text(&change.lifecycle_stage),
        expires_at: time(&change.expires_at),
        timeout_action: text(&change.timeout_action),
        service_deployment: text(&change.service_deployment_arn),
        reason: cut_known(change.reason.as_deref(), LONGEST_REASON),
    });
    true
}
