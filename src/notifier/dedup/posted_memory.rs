//! What one channel was posted, for a replay, which has no other processes and loses nothing.

use super::memory::Memory;
use super::{DedupKey, Transition, Version};
use crate::ecs::notice::Notice;

/// The transitions that were posted.
#[derive(Debug, Default)]
pub struct PostedMemory(Memory);

const CHANNEL: &str = "replay";

impl PostedMemory {
    /// Notes that the notice is posted. Returns false if it was posted before, or if a later state was.
    pub fn is_new(&self, notice: &Notice) -> bool {
        let Some(transition) = Transition::of(notice) else {
            return true;
        };
        let version = Version::of(notice);
        let is_old = version
            .as_ref()
            .is_some_and(|it| self.0.is_old(CHANNEL, it));
        let key = |it: &Transition| DedupKey::new(CHANNEL, it);
        let own = key(&transition);
        let mut others = transition
            .followed_by()
            .into_iter()
            .chain(transition.nearby());
        if is_old || self.0.is_posted(&own) || others.any(|it| self.0.is_posted(&key(&it))) {
            return false;
        }
        self.0.commit(own);
        if let Some(version) = &version {
            self.0.note_version(CHANNEL, version);
        }
        true
    }
}
