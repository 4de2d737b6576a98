//! Registrations of task definitions. They are posted nowhere; the deployment of the revision says who registered it.

use serde::{Deserialize, Serialize};

use super::deployment::cut_images;
use super::observation::Observation;
use super::state::SubjectState;
use super::subject::SubjectKey;
use super::text::{LONGEST_NAME, cut, cut_known};
use crate::ecs::notice::{Facts, Kind};

/// The most revisions of a family that are remembered.
const MOST: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Registration {
    pub revision: String,
    pub actor: Option<String>,
    pub images: Vec<String>,
}

/// A service whose deployment of a revision began before its registration was known: CloudTrail's events come in any
/// order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Awaiting {
    revision: String,
    service: SubjectKey,
}

pub(super) fn is_registration(observation: &Observation<'_>) -> bool {
    let notice = observation.notice;
    let is_register =
        matches!(&notice.facts, Facts::Call(call) if call.name == "RegisterTaskDefinition");
    notice.kind == Kind::TaskDefinition && is_register
}

/// Remembers who registered a revision.
pub(super) fn observe(state: &mut SubjectState, observation: &Observation<'_>) {
    let Facts::Call(call) = &observation.notice.facts else {
        return;
    };
    let Some(revision) = observation.notice.subject.revision.clone() else {
        return;
    };
    let revision = cut(&revision, LONGEST_NAME);
    state.registrations.retain(|it| it.revision != revision);
    state.registrations.push(Registration {
        revision,
        actor: cut_known(observation.actor(), LONGEST_NAME),
        images: cut_images(call.images.iter().map(String::as_str)),
    });
    let excess = state.registrations.len().saturating_sub(MOST);
    state.registrations.drain(..excess);
}

/// Remembers that the deployment of a service wants to know who registered a revision.
pub(super) fn wait(state: &mut SubjectState, definition: &str, service: &SubjectKey) {
    let Some((_, revision)) = definition.rsplit_once(':') else {
        return;
    };
    let waiting = Awaiting {
        revision: cut(revision, LONGEST_NAME),
        service: service.clone(),
    };
    if !state.awaiting.contains(&waiting) {
        state.awaiting.push(waiting);
        let excess = state.awaiting.len().saturating_sub(MOST);
        state.awaiting.drain(..excess);
    }
}

/// The services whose deployments wait for this registration.
pub(super) fn awaiting(state: &SubjectState, observation: &Observation<'_>) -> Vec<SubjectKey> {
    let revision = observation.notice.subject.revision.as_deref();
    let is_it = |it: &&Awaiting| Some(it.revision.as_str()) == revision;
    let awaiting = state.awaiting.iter().filter(is_it);
    awaiting.map(|it| it.service.clone()).collect()
}

/// Tells the deployments of a revision who registered it.
pub(super) fn tell(state: &mut SubjectState, definition: &str, registration: &Registration) {
    let deployments = [&mut state.deployment, &mut state.replaced];
    for deployment in deployments.into_iter().flatten() {
        if deployment.to.as_deref() == Some(definition) {
            deployment.learn_registration(registration);
        }
    }
}

/// The registration of `family:revision`.
pub(super) fn find<'a>(state: &'a SubjectState, definition: &str) -> Option<&'a Registration> {
    let (_, revision) = definition.rsplit_once(':')?;
    state
        .registrations
        .iter()
        .find(|it| it.revision == revision)
}
