//! Keeps states small. Only states whose texts are unusually long are cut here.

use super::shared_facts::Places;
use super::state::SubjectState;
use super::tags;

/// The largest state, in bytes of JSON.
const LARGEST: usize = 16_000;

impl SubjectState {
    /// Leaves out what messages can do without, one thing after another, until the state is small enough.
    pub(super) fn fit(&mut self) {
        let steps: [fn(&mut Self); 8] = [
            |state| {
                state.ended.take_if(|it| !it.shown.is_outdated);
                state.replaced.take_if(|it| !it.shown.is_outdated);
            },
            Self::shrink_events,
            tags::forget,
            |state| {
                if let Some(storm) = &mut state.storm {
                    storm.newest = None;
                }
            },
            |state| {
                state.service.places = Places::default();
                state.service.strays.clear();
                state.service.touches.clear();
            },
            |state| state.service.stopped_by_call.clear(),
            |state| {
                let deployments = [&mut state.deployment, &mut state.replaced];
                for deployment in deployments.into_iter().flatten() {
                    deployment.shrink();
                }
            },
            |state| {
                state.ended = None;
                state.replaced = None;
            },
        ];
        for step in steps {
            if self.is_small() {
                return;
            }
            step(self);
        }
    }

    fn shrink_events(&mut self) {
        for incident in [&mut self.incident, &mut self.ended].into_iter().flatten() {
            incident.shrink();
        }
        let run = self.run.as_deref_mut().into_iter();
        let run = run.flat_map(|it| [it.newest.as_mut(), it.own.as_mut()]);
        let activity = self.activity.as_mut().and_then(|it| it.newest.as_mut());
        let storm = self.storm.as_mut().and_then(|it| it.newest.as_mut());
        if let Some(announcement) = &mut self.announcement {
            announcement.shrink();
        }
        for newest in run.flatten().chain(activity).chain(storm) {
            newest.shrink();
        }
    }

    fn is_small(&self) -> bool {
        serde_json::to_vec(self).is_ok_and(|json| json.len() <= LARGEST)
    }
}
