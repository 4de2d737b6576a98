//! Remembers which events a subject has counted, so that an event that comes again is not counted twice.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::notifier::dedup::Transition;

/// The hashes of the latest transitions. An event that comes again comes within minutes, so a few hundred are enough.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct Seen(VecDeque<u32>);

const MOST: usize = 400;

/// The length of one hash in hexadecimal.
const WIDTH: usize = 8;

impl Seen {
    /// Notes a transition. Returns false if it was noted before. A transition without an identity is always new.
    pub(super) fn is_new(&mut self, transition: Option<&Transition>) -> bool {
        let Some(transition) = transition else {
            return true;
        };
        let own = hash(transition);
        let is_known = |hash: u32| self.0.contains(&hash);
        if is_known(own) || transition.nearby().any(|it| is_known(hash(&it))) {
            return false;
        }
        self.0.push_back(own);
        while self.0.len() > MOST {
            self.0.pop_front();
        }
        true
    }

    pub(super) fn has(&self, transition: Option<&Transition>) -> bool {
        let is_known = |it: &Transition| self.0.contains(&hash(it));
        transition.is_some_and(|it| is_known(it) || it.nearby().any(|it| is_known(&it)))
    }
}

fn hash(transition: &Transition) -> u32 {
    let digest = Sha256::digest(transition.to_string().as_bytes());
    let first = digest.iter().take(4);
    first.fold(0, |hash, byte| hash << 8 | u32::from(*byte))
}

impl From<Seen> for String {
    fn from(seen: Seen) -> Self {
        seen.0.iter().map(|hash| format!("{hash:08x}")).collect()
    }
}

/// A text that is not hexadecimal gives no hash.
impl From<String> for Seen {
    fn from(text: String) -> Self {
        let parts = text.as_bytes().chunks(WIDTH);
        let hashes = parts.filter_map(|part| {
            let part = std::str::from_utf8(part).ok()?;
            u32::from_str_radix(part, 16).ok()
        });
        Self(hashes.take(MOST).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transition_is_new_once() {
        let mut seen = Seen::default();
        let one = Transition::of_message("1", 0);
        assert!(seen.is_new(Some(&one)));
        assert!(!seen.is_new(Some(&one)));
        assert!(seen.is_new(None) && seen.is_new(None));
        let text = String::from(seen.clone());
        assert_eq!(Seen::from(text), seen);
        assert_eq!(Seen::from("not hexadecimal, é".to_owned()), Seen::default());
    }

    #[test]
    fn only_the_latest_are_remembered() {
        let mut seen = Seen::default();
        let transition = |number: usize| Transition::of_message(&number.to_string(), 0);
        for number in 0..=MOST {
            assert!(seen.is_new(Some(&transition(number))));
        }
        assert!(!seen.has(Some(&transition(0))));
        assert!(seen.has(Some(&transition(1))));
    }
}
