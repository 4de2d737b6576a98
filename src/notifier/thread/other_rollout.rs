//! What managed daemons and CodeDeploy say about a deployment. Each event names the deployment and its state.

use super::deployment::{Deployment, Fact};
use super::observation::Observation;
use super::rollout::{LONGEST_REASON, Phase, Slot, find_or_open, get, of_rollback};
use super::service;
use super::state::SubjectState;
use super::subject::SubjectKey;
use super::text::{LONGEST_ID, cut, cut_known};
use super::unix_time::UnixTime;
use crate::ecs::event::Time;
use crate::ecs::notice::{RolloutFacts, RolloutState, RolloutTool};

/// Tells the deployments about an event. Returns false if it is about none of them.
pub(super) fn observe(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    rollout: &RolloutFacts,
) -> bool {
    // A state that AWS adds later is posted by itself: nobody knows what it means for the deployment.
    let id = rollout.id.as_deref();
    let Some(id) = id.filter(|_| rollout.state != RolloutState::Unknown) else {
        return false;
    };
    let Some(slot) = slot_of(key, state, observation, rollout, id) else {
        return false;
    };
    // A newer one stops the one before.
    let is_replaced = slot == Slot::Replaced && rollout.state == RolloutState::Stopped;
    let Some(deployment) = get(state, slot).filter(|_| !is_replaced) else {
        return true;
    };
    let fact = Fact {
        at: observation.at,
        reason: cut_known(rollout.reason.as_deref(), LONGEST_REASON),
    };
    deployment.learn_tool(rollout);
    if let Some(definition) = observation.notice.subject.task_definition() {
        match rollout.rolls_back {
            // What a rollback deploys runs again.
            Some(_) => deployment.learn_completed_before(&definition),
            None => deployment.learn_definition(&definition),
        }
    }
    match rollout.rolls_back {
        Some(_) => note_rollback_of(deployment, rollout.state, fact),
        None => note(deployment, rollout, fact),
    }
    service::note_end(state);
    true
}

/// CodeDeploy rolls back with a deployment of its own.
fn slot_of(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    rollout: &RolloutFacts,
    id: &str,
) -> Option<Slot> {
    let phase = match rollout.state {
        RolloutState::InProgress => Phase::Beginning,
        _ => Phase::End,
    };
    match rollout.rolls_back {
        Some(_) => of_rollback(key, state, observation, id),
        None => find_or_open(key, state, observation, Some(id), phase),
    }
}

fn note(deployment: &mut Deployment, rollout: &RolloutFacts, fact: Fact) {
    match rollout.state {
        RolloutState::InProgress => deployment.has_begun = true,
        RolloutState::Stopping => deployment.note_stopping(fact.at),
        RolloutState::Ready => {
            let until = rollout.decide_by.as_ref().and_then(Time::instant);
            deployment.note_ready(fact.at, until.map(UnixTime::of));
        }
        RolloutState::Succeeded => deployment.note_completed(fact.at),
        RolloutState::Failed => deployment.note_failed(fact),
        RolloutState::Stopped => deployment.note_stopped(fact),
        RolloutState::RollingBack => deployment.note_rollback(fact),
        RolloutState::RolledBack => {
            deployment.note_completed(fact.at);
            deployment.note_rollback(fact);
        }
        RolloutState::RollbackFailed => {
            deployment.note_rollback(fact.clone());
            deployment.note_rollback_failed(fact);
        }
        RolloutState::Unknown => {}
    }
}

/// A state of the deployment that rolls back another one.
fn note_rollback_of(deployment: &mut Deployment, state: RolloutState, fact: Fact) {
    match state {
        RolloutState::Succeeded => {
            deployment.note_completed(fact.at);
            deployment.note_rollback(fact);
        }
        RolloutState::Failed | RolloutState::Stopped | RolloutState::RollbackFailed => {
            deployment.note_rollback(fact.clone());
            deployment.note_rollback_failed(fact);
        }
        RolloutState::Unknown => {}
        RolloutState::InProgress
        | RolloutState::Ready
        | RolloutState::Stopping
        | RolloutState::RollingBack
        | RolloutState::RolledBack => deployment.note_rollback(fact),
    }
}

impl Deployment {
    /// Notes what rolls it out, for the commands in its message.
    fn learn_tool(&mut self, rollout: &RolloutFacts) {
        let is_code_deploy =
            rollout.tool == RolloutTool::CodeDeploy && rollout.rolls_back.is_none();
        if let Some(id) = rollout.id.as_ref().filter(|_| is_code_deploy) {
            self.code_deploy = Some(id.clone());
        }
        let task_set = rollout.task_set.as_deref().filter(|_| is_code_deploy);
        if let Some(task_set) = task_set {
            self.task_set = Some(cut(task_set, LONGEST_ID));
        }
        self.is_of_daemon |= rollout.tool == RolloutTool::Daemon;
    }
}
