//! What an event shows if nothing came before: previews judge single events.

use super::action::Action;
use super::board::{MissingStates, States, Surroundings, advance};
use super::observation::Observation;
use super::settings::ThreadSettings;
use super::state::SubjectState;
use super::unix_time::UnixTime;

/// The action that opens a thread. `None` if the event is posted by itself, or not at all.
pub fn opening(observation: &Observation<'_>, now: UnixTime) -> Option<Action> {
    let settings = ThreadSettings::default();
    let surroundings = Surroundings::default();
    let mut states = States::new();
    let observations = std::slice::from_ref(observation);
    loop {
        match advance(&states, observations, &surroundings, now, &settings) {
            Ok(progress) => return progress.actions.into_iter().next(),
            Err(MissingStates(missing)) => {
                let missing = missing.into_iter();
                states.extend(missing.map(|key| (key, SubjectState::default())));
            }
        }
    }
}
