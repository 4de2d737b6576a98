//! The tags of what threads are about: those that are learned late or once only, and those for which a state has no
//! space.

use std::collections::BTreeMap;

use super::state::{ShownNotice, SubjectState};
use crate::ecs::notice::{Notice, Subject};

type Tags = BTreeMap<String, String>;

/// The longest tags that a shortened event keeps, in bytes: all keys and values together.
const SHORT: usize = 120;

/// Whether tags are short enough for a shortened event.
pub(super) fn are_short(tags: &Tags) -> bool {
    let lengths = tags.iter().map(|(key, value)| key.len() + value.len());
    lengths.sum::<usize>() <= SHORT
}

/// The tags that the threads of a service know.
pub(super) fn known(state: &SubjectState) -> Option<Tags> {
    let deployment = state.deployment.iter().map(|it| &it.subject);
    let incident = state.incident.iter().chain(&state.ended);
    let incident = incident.filter_map(|it| Some(&it.newest.as_ref()?.notice.subject));
    let mut subjects = incident.chain(deployment);
    subjects.find_map(|it| it.tags.clone())
}

/// Tells the threads of a service its tags: those of an event, else those that were known before. The lookup for one
/// event may fail, and no tag is looked up for noise.
pub(super) fn learn(state: &mut SubjectState, notice: &Notice, known: Option<Tags>) {
    let Some(tags) = notice.subject.tags.clone().or(known) else {
        return;
    };
    for subject in subjects(state) {
        subject.tags.get_or_insert_with(|| tags.clone());
    }
}

/// Leaves out all tags that a state can do without. They are not known any more.
pub(super) fn forget(state: &mut SubjectState) {
    for subject in subjects(state) {
        subject.tags.take_if(|it| !are_short(it));
    }
    let storm = state.storm.iter_mut();
    for member in storm.flat_map(|it| &mut it.members) {
        member.forget_tags();
    }
}

fn subjects(state: &mut SubjectState) -> impl Iterator<Item = &mut Subject> {
    let deployments = [&mut state.deployment, &mut state.replaced];
    let deployments = deployments.into_iter().flatten();
    let incidents = [&mut state.incident, &mut state.ended]
        .into_iter()
        .flatten();
    let newest = incidents.filter_map(|it| it.newest.as_deref_mut());
    let newest = newest.map(|it: &mut ShownNotice| &mut it.notice.subject);
    deployments.map(|it| &mut it.subject).chain(newest)
}
