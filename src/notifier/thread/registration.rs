//! Registrations of task definitions. They are posted nowhere; the deployment of the revision says who registered it.

use serde::{Deserialize, Serialize};

use super::deployment::cut_images;
use super::observation::Observation;
use super::rollout::LONGEST_NAME;
use super::state::SubjectState;
use super::text::{cut, cut_known};
use crate::ecs::notice::{Facts, Kind};

/// The most revisions of a family that are remembered.
const MOST: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Registration {
    pub revision: String,
    pub actor: Option<String>,
    pub images: Vec<String>,
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

/// The registration of `family:revision`.
pub(super) fn find<'a>(state: &'a SubjectState, definition: &str) -> Option<&'a Registration> {
    let (_, revision) = definition.rsplit_once(':')?;
    state
        .registrations
        .iter()
        .find(|it| it.revision == revision)
}
