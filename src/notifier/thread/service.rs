//! What a service's events say about its deployments and its incident.

use std::cmp::Reverse;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{ThreadId, ThreadKind};
use super::counter::Counter;
use super::deployment::{Deployment, Fact, Hook, HookAnswer};
use super::incident::{self, Incident, Sign, Touch};
use super::observation::Observation;
use super::registration::Registration;
use super::state::SubjectState;
use super::subject::SubjectKey;
use super::unix_time::UnixTime;
use crate::ecs::diagnosis::Cause;
use crate::ecs::event::{HookStateChange, Time};
use crate::ecs::notice::{
    AnsweredDeployment, CallFacts, CallPurpose, Facts, HookDecision, Kind, ServiceChange,
    ServiceFacts, TaskFacts,
};
use crate::ecs::service_events::{is_rollback, rollback_target, says_failed};

/// A deployment in a call's answer is new if it was created so soon before or after the call. A call that changes only
/// the count returns the old one.
const JUST_CREATED: Duration = Duration::from_secs(60);

/// A call and the first event of its deployment are at most so far apart.
const SAME_BEGINNING: Duration = Duration::from_secs(600);

/// The most ids of deployments that are remembered.
const MOST_IDS: usize = 8;

/// The most actions of people that are remembered.
const MOST_TOUCHES: usize = 5;

/// The most tasks that people stopped and whose ends are still expected.
const MOST_STOPPED: usize = 20;

/// What is remembered of a service besides its threads.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ServiceMemory {
    /// The ids of its deployments.
    deployments: Vec<String>,
    /// The task definition of the last deployment that completed, and its images.
    pub(super) runs: Option<String>,
    runs_images: Vec<String>,
    pub desired: Option<i64>,
    /// Where tasks were that did not fail.
    pub(super) places: Places,
    /// What people did to it.
    pub(super) touches: Vec<Touch>,
    /// The tasks that people stopped: the calls were posted, so the stops are not.
    stopped_by_call: Vec<String>,
    /// A completion under an id that no deployment has: the end of a rollback whose beginning is still to come.
    stray_completion: Option<(String, UnixTime)>,
    /// The tasks of a deployment whose beginning is still to come.
    stray_tasks: Option<StrayTasks>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Places {
    pub(super) zones: Counter,
    pub(super) instances: Counter,
    pub(super) revisions: Counter,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct StrayTasks {
    deployment: String,
    definition: Option<String>,
    images: Vec<String>,
    started: u32,
    ended: u32,
    failed: u32,
    causes: Counter,
}

impl Places {
    pub(super) fn merge(&mut self, other: &Self) {
        self.zones.merge(&other.zones);
        self.instances.merge(&other.instances);
    }

    /// Without the revisions, which services do not share.
    pub(super) fn of_place(&self) -> Self {
        Self {
            zones: self.zones.clone(),
            instances: self.instances.clone(),
            ..Self::default()
        }
    }

    /// Notes where a task is. Each value counts once: only whether there are others matters.
    pub(super) fn note(&mut self, observation: &Observation<'_>) {
        let subject = &observation.notice.subject;
        let revision = subject.task_definition();
        for (values, value) in [
            (&mut self.zones, subject.availability_zone.as_deref()),
            (&mut self.instances, subject.container_instance.as_deref()),
            (&mut self.revisions, revision.as_deref()),
        ] {
            if let Some(value) = value
                && !values.iter().any(|(known, _)| known == value)
            {
                values.add(value);
            }
        }
    }
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
    match &observation.notice.facts {
        Facts::Call(call) => observe_call(key, state, observation, call, registration, now),
        Facts::Task(task) => observe_task(key, state, observation, task, now),
        Facts::Service(service) if observation.notice.kind == Kind::Deployment => {
            observe_deployment(key, state, observation, service)
        }
        Facts::Service(service) => observe_action(key, state, observation, service, now),
        Facts::Hook(hook) => observe_hook(key, state, observation, hook),
        Facts::Unknown(_) => incident::observe_failure(key, state, observation, now),
        Facts::Instance(_) | Facts::Health(_) | Facts::Foreign => false,
    }
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
    let is_person = observation
        .notice
        .actor
        .as_ref()
        .is_none_or(|it| !it.is_service);
    if let Some(change) = &call.service {
        if let Some(desired) = change.desired_count {
            state.service.desired = Some(desired);
        }
        let by_autoscaling = matches!(
            call.purpose,
            CallPurpose::ChangeService {
                by_autoscaling: true
            }
        );
        let begins =
            !by_autoscaling && begin_by_call(key, state, observation, call, change, registration);
        if begins {
            return true;
        }
    }
    match call.name.as_str() {
        "DeleteService" => return delete(state, observation, now),
        "ContinueServiceDeployment" => return answer(state, observation, call),
        "StopTask" => {
            if let Some(task) = &observation.notice.subject.task {
                let stopped = &mut state.service.stopped_by_call;
                stopped.push(task.clone());
                let excess = stopped.len().saturating_sub(MOST_STOPPED);
                stopped.drain(..excess);
            }
        }
        _ => {}
    }
    if is_person && observation.priority().is_some() {
        touch(state, observation, &call.name);
    }
    false
}

/// A person acted on the service. During an incident that is mentioned in its next turn.
fn touch(state: &mut SubjectState, observation: &Observation<'_>, call: &str) {
    if !state.seen.is_new(observation.transition.as_ref()) {
        return;
    }
    let touch = Touch {
        at: observation.at,
        actor: observation.actor().map(str::to_owned),
        call: call.to_owned(),
    };
    if let Some(incident) = &mut state.incident {
        incident.note_touch(&touch);
    }
    let touches = &mut state.service.touches;
    touches.push(touch);
    touches.sort_by_key(|it| it.at);
    let excess = touches.len().saturating_sub(MOST_TOUCHES);
    touches.drain(..excess);
}

fn delete(state: &mut SubjectState, observation: &Observation<'_>, now: UnixTime) -> bool {
    if let Some(deployment) = state.deployment.as_mut().filter(|it| it.is_open()) {
        deployment.replaced_by = Some("nothing: the service was deleted".to_owned());
    }
    state.service = ServiceMemory::default();
    let Some(incident) = &mut state.incident else {
        return false;
    };
    incident.end_by_deletion(observation.actor(), observation.at, now)
}

fn answer(state: &mut SubjectState, observation: &Observation<'_>, call: &CallFacts) -> bool {
    let Some(deployment) = state.deployment.as_mut().filter(|it| it.is_open()) else {
        return false;
    };
    let decision = call.hook_decision.unwrap_or(HookDecision::Continue);
    let actor = observation.actor().map(str::to_owned);
    if decision == HookDecision::RollBack {
        let reason = Some(match &actor {
            Some(actor) => format!("{actor} rolled it back"),
            None => "somebody rolled it back".to_owned(),
        });
        let at = observation.at;
        deployment.note_rollback(Fact { at, reason });
    }
    deployment.note_answer(HookAnswer {
        at: observation.at,
        actor,
        decision,
    });
    true
}

/// Returns whether the call makes a new deployment.
fn begin_by_call(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    call: &CallFacts,
    change: &ServiceChange,
    registration: Option<&Registration>,
) -> bool {
    let is_creation = call.name == "CreateService";
    let primary = change.deployments.iter().find(|it| it.is_primary);
    let is_new = match primary {
        Some(primary) => is_just_created(primary, observation.at)
            .unwrap_or(change.asks_for_deployment || is_creation),
        None => change.asks_for_deployment || is_creation,
    };
    let id = primary.and_then(|it| it.id.as_deref());
    let is_other = id.is_some_and(|id| state.service.knows(id) && !is_current(state, id));
    if !is_new || is_other {
        return false;
    }
    if is_creation {
        forget(state);
    }
    let begins = match current_of(state, id, observation.at) {
        Some(_) => true,
        None => open(key, state, observation, id),
    };
    let Some(deployment) = state.deployment.as_mut().filter(|_| begins) else {
        return false;
    };
    let subject = &observation.notice.subject;
    let definition = primary.and_then(|it| it.task_definition.clone());
    if let Some(definition) = definition.or_else(|| subject.task_definition()) {
        deployment.learn_definition(&definition);
    }
    let mut older: Vec<_> = change
        .deployments
        .iter()
        .filter(|it| !it.is_primary)
        .collect();
    older.sort_by_key(|it| Reverse(it.created_at.as_ref().and_then(Time::instant)));
    for definition in older.iter().filter_map(|it| it.task_definition.as_deref()) {
        deployment.learn_from(definition);
    }
    if let Some(actor) = observation.actor() {
        deployment.learn_actor(actor);
    }
    if let Some(registration) = registration {
        deployment.learn_registration(registration);
    }
    deployment.is_creation |= is_creation;
    let desired = primary
        .and_then(|it| it.desired_count)
        .or(change.desired_count);
    deployment.desired = deployment.desired.or(desired).or(state.service.desired);
    if desired.is_some() {
        state.service.desired = desired;
    }
    true
}

/// `None` if the answer does not say when.
fn is_just_created(deployment: &AnsweredDeployment, called_at: UnixTime) -> Option<bool> {
    let created = deployment.created_at.as_ref().and_then(Time::instant)?;
    let created = UnixTime::of(created);
    let apart = called_at.since(created).max(created.since(called_at));
    Some(apart <= JUST_CREATED)
}

/// A service that is made anew has nothing in common with the one before.
fn forget(state: &mut SubjectState) {
    state.service = ServiceMemory::default();
    if let Some(incident) = &mut state.incident {
        incident.end_for_good();
    }
}

fn is_current(state: &SubjectState, id: &str) -> bool {
    state.deployment.as_ref().is_some_and(|it| it.is(id))
}

/// The deployment that a call or an event with this id is about. One whose id is not known yet gets it.
fn current_of<'a>(
    state: &'a mut SubjectState,
    id: Option<&str>,
    at: UnixTime,
) -> Option<&'a mut Deployment> {
    let deployment = state.deployment.as_deref_mut()?;
    let apart = at
        .since(deployment.started_at)
        .max(deployment.started_at.since(at));
    let may_be = deployment.is_open() && apart <= SAME_BEGINNING;
    match (id, &deployment.id) {
        (Some(id), _) if deployment.is(id) => {}
        (Some(id), None) if may_be => deployment.id = Some(id.to_owned()),
        (None, _) if may_be && deployment.actor.is_none() => {}
        (_, _) => return None,
    }
    deployment.started_at = deployment.started_at.min(at);
    Some(deployment)
}

/// Opens a new deployment, which replaces an open one. Returns false if it is older than the one that is known.
fn open(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    id: Option<&str>,
) -> bool {
    if let Some(id) = id {
        state.service.remember(id);
    }
    let current = state.deployment.as_ref();
    if current.is_some_and(|it| it.started_at > observation.at) {
        return false;
    }
    let beginning = match id {
        Some(id) => id.to_owned(),
        None => observation.at.as_milliseconds().to_string(),
    };
    let mut deployment = Box::new(Deployment {
        thread: ThreadId::new(ThreadKind::Deployment, key, &beginning),
        origin: observation.notice.origin.clone(),
        subject: super::subject_without_task(&observation.notice.subject),
        id: id.map(str::to_owned),
        started_at: observation.at,
        from: state.service.runs.clone(),
        from_images: state.service.runs_images.clone(),
        ..Deployment::default()
    });
    deployment.shown.is_outdated = true;
    if let Some(stray) = state
        .service
        .stray_tasks
        .take_if(|it| Some(it.deployment.as_str()) == id)
    {
        stray.add_to(&mut deployment);
    }
    if let Some(mut old) = state.deployment.replace(deployment) {
        if old.is_open() {
            old.replaced_by = Some("a newer deployment".to_owned());
            old.shown.is_outdated = true;
        }
        state.replaced = Some(old);
    }
    true
}

impl StrayTasks {
    fn add_to(self, deployment: &mut Deployment) {
        deployment.tasks.started += self.started;
        deployment.tasks.ended += self.ended;
        deployment.tasks.failed += self.failed;
        deployment.causes.merge(&self.causes);
        if let Some(definition) = &self.definition {
            deployment.learn_definition(definition);
        }
        deployment.learn_images(&self.images);
    }
}

impl ServiceMemory {
    fn knows(&self, id: &str) -> bool {
        self.deployments.iter().any(|it| it == id)
    }

    fn remember(&mut self, id: &str) {
        if !self.knows(id) {
            self.deployments.push(id.to_owned());
            let excess = self.deployments.len().saturating_sub(MOST_IDS);
            self.deployments.drain(..excess);
        }
    }
}

fn observe_deployment(
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
        reason: service.reason.clone(),
    };
    let is_taken = match name {
        _ if says_failed(name) && name.contains("ROLLBACK") => {
            let Some(deployment) = of_rollback(key, state, observation, id) else {
                return false;
            };
            deployment.note_rollback_failed(fact);
            true
        }
        "SERVICE_DEPLOYMENT_COMPLETED" => complete(key, state, observation, service, id),
        _ if is_rollback(service) => roll_back(key, state, observation, service, id, fact),
        _ if says_failed(name) => match find_or_open(key, state, observation, id) {
            Some(deployment) => {
                deployment.note_failed(fact);
                true
            }
            None => true,
        },
        "SERVICE_DEPLOYMENT_IN_PROGRESS" => {
            let _ = find_or_open(key, state, observation, id);
            true
        }
        _ => return false,
    };
    if let (Some(deployment), Some(progress)) = (&mut state.deployment, service.progress)
        && deployment.is_own(id)
    {
        deployment.desired = Some(progress.desired);
    }
    if let (Some(deployment), Some(definition)) = (
        &mut state.deployment,
        observation.notice.subject.task_definition(),
    ) && deployment.is_own(id)
        && !is_rollback(service)
    {
        deployment.learn_definition(&definition);
    }
    is_taken
}

/// The deployment with this id, or a new one. `None` if the id belongs to an older one.
fn find_or_open<'a>(
    key: &SubjectKey,
    state: &'a mut SubjectState,
    observation: &Observation<'_>,
    id: &str,
) -> Option<&'a mut Deployment> {
    let is_known = state.service.knows(id);
    if current_of(state, Some(id), observation.at).is_some() {
        state.service.remember(id);
        return state.deployment.as_deref_mut();
    }
    let is_opened = !is_known && open(key, state, observation, Some(id));
    state.deployment.as_deref_mut().filter(|_| is_opened)
}

/// The deployment that rolls back: the service's latest, whatever id the event has.
fn of_rollback<'a>(
    key: &SubjectKey,
    state: &'a mut SubjectState,
    observation: &Observation<'_>,
    id: &str,
) -> Option<&'a mut Deployment> {
    if state.deployment.is_none() && !open(key, state, observation, Some(id)) {
        return None;
    }
    let deployment = state.deployment.as_deref_mut()?;
    deployment.add_alias(id);
    Some(deployment)
}

fn roll_back(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    service: &ServiceFacts,
    id: &str,
    fact: Fact,
) -> bool {
    let stray = state.service.stray_completion.take();
    let Some(deployment) = of_rollback(key, state, observation, id) else {
        return false;
    };
    let target = service.reason.as_deref().and_then(rollback_target);
    if let Some(target) = target {
        deployment.add_alias(target);
    }
    deployment.note_rollback(fact);
    if let Some(definition) = observation.notice.subject.task_definition() {
        deployment.learn_from(&definition);
    }
    match stray {
        Some((id, at)) if deployment.is(&id) => deployment.note_completed(at),
        other => state.service.stray_completion = other,
    }
    note_recovery(state);
    true
}

fn complete(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    service: &ServiceFacts,
    id: &str,
) -> bool {
    let at = observation.at;
    let rolls_back = |it: &Deployment| it.rollback.is_some() && it.completed_at.is_none();
    let is_rolling_back = state.deployment.as_deref().is_some_and(rolls_back);
    if service.came_back && state.deployment.as_ref().is_some_and(|it| !it.is_own(id)) {
        let reason = service.reason.clone();
        if let Some(deployment) = state.deployment.as_deref_mut() {
            deployment.add_alias(id);
            deployment.note_rollback(Fact { at, reason });
        }
    }
    if current_of(state, Some(id), at).is_some() {
        if let Some(deployment) = state.deployment.as_deref_mut() {
            deployment.note_completed(at);
        }
    } else if is_rolling_back {
        if let Some(deployment) = state.deployment.as_deref_mut() {
            deployment.add_alias(id);
            deployment.note_completed(at);
        }
    } else if state.service.knows(id) {
        state.service.stray_completion = Some((id.to_owned(), at));
    } else if open(key, state, observation, Some(id))
        && let Some(deployment) = state.deployment.as_deref_mut()
    {
        deployment.note_completed(at);
    }
    note_recovery(state);
    true
}

/// A deployment that has ended well, or was rolled back, is a sign that the service recovers.
fn note_recovery(state: &mut SubjectState) {
    let Some(deployment) = state.deployment.as_deref() else {
        return;
    };
    let has_ended = deployment
        .completed_at
        .filter(|_| deployment.failed.is_none() || deployment.is_rolled_back());
    let Some(at) = has_ended else {
        return;
    };
    let (runs, images) = match deployment.is_rolled_back() {
        true => (deployment.from.clone(), deployment.from_images.clone()),
        false => (deployment.to.clone(), deployment.images.clone()),
    };
    if runs.is_some() {
        state.service.runs = runs;
        state.service.runs_images = images;
    }
    if let Some(incident) = &mut state.incident {
        incident.note_sign(Sign::Deployment, at);
    }
}

fn observe_hook(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    change: &HookStateChange,
) -> bool {
    let is_open = state.deployment.as_ref().is_some_and(|it| it.is_open());
    let is_of_current = change
        .service_deployment_arn
        .as_deref()
        .is_some_and(|arn| is_current(state, arn));
    if !is_open && !is_of_current && !open(key, state, observation, None) {
        return true;
    }
    let Some(deployment) = state.deployment.as_deref_mut() else {
        return false;
    };
    if let Some(arn) = &change.service_deployment_arn {
        deployment.add_alias(arn);
    }
    let text = |time: &Option<Time>| time.as_ref().map(|it| it.text().to_owned());
    deployment.note_hook(Hook {
        at: observation.at,
        name: change.event_name.clone().unwrap_or_default(),
        id: change.hook_id.clone(),
        stage: change.lifecycle_stage.clone(),
        expires_at: text(&change.expires_at),
        timeout_action: change.timeout_action.clone(),
        service_deployment: change.service_deployment_arn.clone(),
        reason: change.reason.clone(),
    });
    true
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
        if let Some(incident) = &mut state.incident {
            incident.note_sign(Sign::SteadyState, observation.at);
        }
        return false;
    }
    incident::observe_failure(key, state, observation, now)
}

fn observe_task(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    task: &TaskFacts,
    now: UnixTime,
) -> bool {
    let is_start = observation.is_start();
    if !is_start && !observation.is_stop() {
        return false;
    }
    let is_failure = observation.urgent().is_some();
    if !is_failure {
        state.service.places.note(observation);
    }
    let is_counted = count_task(state, observation, task, is_failure);
    if is_start {
        return false;
    }
    if is_failure {
        return incident::observe_failure(key, state, observation, now);
    }
    let is_by_call = observation.cause() == Some(Cause::StoppedByUser)
        && observation
            .notice
            .subject
            .task
            .as_ref()
            .is_some_and(|task| state.service.stopped_by_call.contains(task));
    is_counted || is_by_call
}

/// Counts a task that starts, ends or stops for a deployment. Returns whether an open deployment counts it.
fn count_task(
    state: &mut SubjectState,
    observation: &Observation<'_>,
    task: &TaskFacts,
    is_failure: bool,
) -> bool {
    let transition = observation.transition.as_ref();
    let started_by = task.started_by.as_deref().unwrap_or_default();
    if is_stopped_for_deployment(state.deployment.as_deref(), observation, task) {
        if !state.seen.has(transition) {
            state.seen.is_new(transition);
            if let Some(deployment) = state.deployment.as_deref_mut() {
                deployment.tasks.stopped += 1;
                deployment.shown.is_outdated = true;
            }
        }
        return true;
    }
    let deployment = state.deployment.as_deref_mut();
    if !started_by.starts_with("ecs-svc/") {
        return false;
    }
    match deployment {
        Some(deployment) if deployment.is_own(started_by) => {
            if !state.seen.has(transition) {
                // A failure is noted as seen by the incident.
                if !is_failure {
                    state.seen.is_new(transition);
                }
                count_own(deployment, observation, task, is_failure);
            }
            deployment.is_near(observation.at) && !is_failure
        }
        _ if state.service.knows(started_by) => false,
        Some(deployment) if deployment.id.is_none() && deployment.is_open() => false,
        _ => {
            count_stray(state, observation, task, started_by, is_failure);
            false
        }
    }
}

fn count_own(
    deployment: &mut Deployment,
    observation: &Observation<'_>,
    task: &TaskFacts,
    is_failure: bool,
) {
    if let Some(definition) = observation.notice.subject.task_definition() {
        deployment.learn_definition(&definition);
    }
    deployment.learn_images(&images(task));
    if observation.is_start() {
        deployment.tasks.started += 1;
    } else if task.started_at.is_some() {
        deployment.tasks.ended += 1;
    }
    if is_failure && deployment.is_open() {
        deployment.tasks.failed += 1;
        if let Some(cause) = observation.cause() {
            deployment.causes.add(cause.into());
        }
    }
    deployment.shown.is_outdated = true;
}

/// Counts a task of a deployment that is not known yet.
fn count_stray(
    state: &mut SubjectState,
    observation: &Observation<'_>,
    task: &TaskFacts,
    id: &str,
    is_failure: bool,
) {
    let transition = observation.transition.as_ref();
    if state.seen.has(transition) {
        return;
    }
    if !is_failure {
        state.seen.is_new(transition);
    }
    let stray = state.service.stray_tasks.get_or_insert_default();
    if stray.deployment != id {
        *stray = StrayTasks {
            deployment: id.to_owned(),
            definition: observation.notice.subject.task_definition(),
            images: images(task),
            ..StrayTasks::default()
        };
    }
    if observation.is_start() {
        stray.started += 1;
    } else if task.started_at.is_some() {
        stray.ended += 1;
    }
    if is_failure {
        stray.failed += 1;
        if let Some(cause) = observation.cause() {
            stray.causes.add(cause.into());
        }
    }
}

/// Whether the scheduler stopped an older task because of the deployment: "Scaling activity initiated by (deployment
/// ecs-svc/1234)", with the id of the older deployment, which is scaled in.
fn is_stopped_for_deployment(
    deployment: Option<&Deployment>,
    observation: &Observation<'_>,
    task: &TaskFacts,
) -> bool {
    let Some(deployment) =
        deployment.filter(|it| observation.is_stop() && it.is_near(observation.at))
    else {
        return false;
    };
    let started_by = task.started_by.as_deref().unwrap_or_default();
    let reason = task.stopped_reason.as_deref().unwrap_or_default();
    let by_scheduler = reason.contains("initiated by (deployment ecs-svc/");
    by_scheduler && deployment.id.is_some() && !deployment.is_own(started_by)
}

fn images(task: &TaskFacts) -> Vec<String> {
    const MOST: usize = 3;
    let containers = task.containers.iter().filter(|it| !it.is_added_by_aws());
    let images = containers.filter_map(|it| it.image.clone());
    images.take(MOST).collect()
}

impl Incident {
    /// Adds what people did shortly before, and the deployment before.
    pub(super) fn note_background(
        &mut self,
        service: &ServiceMemory,
        deployment: Option<&Deployment>,
    ) {
        for touch in &service.touches {
            self.note_touch(touch);
        }
        if let Some(deployment) = deployment {
            self.note_deployment(deployment);
        }
    }
}
