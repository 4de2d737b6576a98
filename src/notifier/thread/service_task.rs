//! What the tasks of a service say: how far its deployment is, and what fails.

use serde::{Deserialize, Serialize};

use super::counter::Counter;
use super::deployment::{Deployment, cut_images};
use super::incident;
use super::observation::Observation;
use super::state::SubjectState;
use super::subject::SubjectKey;
use super::text::{LONGEST_ID, LONGEST_NAME, cut, cut_known};
use super::unix_time::UnixTime;
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::TaskFacts;

/// The most deployments whose tasks are counted although their beginnings are not known.
const MOST_STRAYS: usize = 3;

/// The tasks of a deployment whose beginning is still to come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct StrayTasks {
    deployment: String,
    definition: Option<String>,
    images: Vec<String>,
    started: u32,
    ended: u32,
    failed: u32,
    causes: Counter,
    /// The first of them.
    at: UnixTime,
}

/// Tasks that started so long before the deployment was known belong to an earlier time of it.
const LONGEST_STRAY: std::time::Duration = std::time::Duration::from_secs(3_600);

impl StrayTasks {
    fn add_to(&self, deployment: &mut Deployment) {
        let tasks = &mut deployment.tasks;
        tasks.started = tasks.started.saturating_add(self.started);
        tasks.ended = tasks.ended.saturating_add(self.ended);
        tasks.failed = tasks.failed.saturating_add(self.failed);
        deployment.causes.merge(&self.causes);
        if let Some(definition) = &self.definition {
            deployment.learn_definition(definition);
        }
        deployment.learn_images(&self.images);
        deployment.shown.is_outdated = true;
    }

    fn is_recent(&self, deployment: &Deployment) -> bool {
        deployment.started_at.since(self.at) <= LONGEST_STRAY
    }
}

/// Adds tasks that came before the beginning of their deployment.
pub(super) fn adopt_strays(state: &mut SubjectState) {
    let strays = &mut state.service.strays;
    for deployment in [&mut state.deployment, &mut state.replaced] {
        let Some(deployment) = deployment else {
            continue;
        };
        let own = |it: &StrayTasks| deployment.is_own(&it.deployment);
        if let Some(place) = strays.iter().position(own) {
            let stray = strays.swap_remove(place);
            if stray.is_recent(deployment) {
                stray.add_to(deployment);
            }
        }
    }
}

/// Tells the service's threads about a task. Returns whether one of them takes it.
pub(super) fn observe(
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
    let is_counted = count(state, observation, task, is_failure);
    if is_start {
        return false;
    }
    if is_failure {
        return incident::observe_failure(key, state, observation, now);
    }
    is_counted || is_stopped_by_call(state, observation)
}

/// Whether a person stopped the task, and the call was posted.
pub(super) fn is_stopped_by_call(state: &SubjectState, observation: &Observation<'_>) -> bool {
    let task = observation.notice.subject.task.as_deref();
    let stopped = &state.service.stopped_by_call;
    observation.cause() == Some(Cause::StoppedByUser)
        && task.is_some_and(|task| stopped.contains(&cut(task, LONGEST_ID)))
}

/// Counts a task that starts, ends or stops for a deployment. Returns whether the deployment takes the event.
fn count(
    state: &mut SubjectState,
    observation: &Observation<'_>,
    task: &TaskFacts,
    is_failure: bool,
) -> bool {
    let started_by = task.started_by.as_deref().unwrap_or_default();
    let is_for_deployment = is_stopped_for_deployment(observation, task) && !is_failure;
    let current = state.deployment.as_deref();
    let is_older = current
        .is_some_and(|it| it.is_near(observation.at) && it.id.is_some() && !it.is_own(started_by));
    // No message shows how many older tasks were stopped, and to count them would be a write for each.
    if is_for_deployment && is_older {
        return true;
    }
    if !started_by.starts_with("ecs-svc/") {
        return false;
    }
    if let Some(definition) = observation.notice.subject.task_definition() {
        state.service.note_definition(started_by, &definition);
    }
    let is_new = is_new(state, observation, is_failure);
    let slots = [&mut state.deployment, &mut state.replaced];
    let mut slots = slots.into_iter().flatten();
    let own = slots.find(|it| it.is_own(started_by));
    if let Some(deployment) = own {
        if is_new && deployment.includes(observation.at) {
            count_own(deployment, observation, task, is_failure);
        }
        return is_for_deployment && deployment.is_near(observation.at);
    }
    drop(slots);
    if is_new && !state.service.knows(started_by) {
        count_stray(state, observation, task, started_by, is_failure);
    }
    false
}

/// Whether the event is counted now. A failure is noted as seen by the incident.
fn is_new(state: &mut SubjectState, observation: &Observation<'_>, is_failure: bool) -> bool {
    let transition = observation.transition.as_ref();
    match is_failure {
        true => !state.seen.has(transition),
        false => state.seen.is_new(transition),
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
    let tasks = &mut deployment.tasks;
    if observation.is_start() {
        tasks.started = tasks.started.saturating_add(1);
    } else if task.started_at.is_some() {
        tasks.ended = tasks.ended.saturating_add(1);
    }
    if is_failure {
        tasks.failed = tasks.failed.saturating_add(1);
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
    let strays = &mut state.service.strays;
    let id = cut(id, LONGEST_ID);
    if !strays.iter().any(|it| it.deployment == id) {
        let definition = observation.notice.subject.task_definition();
        strays.push(StrayTasks {
            deployment: id.clone(),
            definition: cut_known(definition.as_deref(), LONGEST_NAME),
            images: images(task),
            at: observation.at,
            ..StrayTasks::default()
        });
        let excess = strays.len().saturating_sub(MOST_STRAYS);
        strays.drain(..excess);
    }
    let Some(stray) = strays.iter_mut().find(|it| it.deployment == id) else {
        return;
    };
    stray.at = stray.at.min(observation.at);
    if observation.is_start() {
        stray.started = stray.started.saturating_add(1);
    } else if task.started_at.is_some() {
        stray.ended = stray.ended.saturating_add(1);
    }
    if is_failure {
        stray.failed = stray.failed.saturating_add(1);
        if let Some(cause) = observation.cause() {
            stray.causes.add(cause.into());
        }
    }
}

/// Whether the scheduler stopped the task because of a deployment: "Scaling activity initiated by (deployment
/// ecs-svc/1234)", with the id of the task's own deployment, which is scaled in.
fn is_stopped_for_deployment(observation: &Observation<'_>, task: &TaskFacts) -> bool {
    let reason = task.stopped_reason.as_deref().unwrap_or_default();
    observation.is_stop() && reason.contains("initiated by (deployment ecs-svc/")
}

fn images(task: &TaskFacts) -> Vec<String> {
    let containers = task.containers.iter().filter(|it| !it.is_added_by_aws());
    cut_images(containers.filter_map(|it| it.image.as_deref()))
}
