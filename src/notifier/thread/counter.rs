//! Counts values, as many as a small item can hold.

use serde::{Deserialize, Serialize};

/// How often each of a few values occurred.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counter(Vec<(String, u32)>);

/// The most different values of one fact.
const MOST: usize = 8;

/// The longest value in bytes. Names of AWS are shorter.
const LONGEST: usize = 256;

impl Counter {
    /// Counts a value. A ninth value is not counted.
    pub(super) fn add(&mut self, value: &str) {
        self.add_many(value, 1);
    }

    pub(super) fn add_many(&mut self, value: &str, count: u32) {
        if value.len() > LONGEST {
            return;
        }
        let has_room = self.0.len() < MOST;
        match self.0.iter_mut().find(|(known, _)| known == value) {
            Some((_, known)) => *known = known.saturating_add(count),
            None if has_room => {
                let place = self.0.partition_point(|(known, _)| known.as_str() < value);
                self.0.insert(place, (value.to_owned(), count));
            }
            None => {}
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (value, count) in &other.0 {
            self.add_many(value, *count);
        }
    }

    pub(super) fn has_other_than(&self, value: &str) -> bool {
        self.0.iter().any(|(known, _)| known != value)
    }

    /// The most frequent value.
    pub(super) fn most(&self) -> Option<(&str, u32)> {
        let most = self.0.iter().max_by_key(|(_, count)| *count);
        most.map(|(value, count)| (value.as_str(), *count))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(value, count)| (value.as_str(), *count))
    }

    pub fn total(&self) -> u32 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
