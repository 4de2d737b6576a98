//! Counts values, as many as a small item can hold.

use serde::{Deserialize, Serialize};

/// How often the most frequent values occurred. Where there are more values than it can hold, a new value takes the place
/// of the rarest, so a count may be too low, and never too high.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counter(Vec<(String, u32)>);

/// The most different values of one fact.
const MOST: usize = 8;

/// The longest value in bytes. Names of AWS are shorter.
const LONGEST: usize = 320;

/// The longest values together, in bytes: images are long.
const LONGEST_TOGETHER: usize = 800;

impl Counter {
    pub(super) fn add(&mut self, value: &str) {
        self.add_many(value, 1);
    }

    /// Notes a value, whether it occurs once or often.
    pub(super) fn add_once(&mut self, value: &str) {
        if !self.0.iter().any(|(known, _)| known == value) {
            self.add(value);
        }
    }

    pub(super) fn add_many(&mut self, value: &str, count: u32) {
        if value.len() > LONGEST {
            return;
        }
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| known == value) {
            *known = known.saturating_add(count);
            return;
        }
        while !self.has_room_for(value) {
            let rarest = self.0.iter().enumerate().min_by_key(|(_, it)| it.1);
            let Some((place, _)) = rarest else {
                return;
            };
            self.0.remove(place);
        }
        let place = self.0.partition_point(|(known, _)| known.as_str() < value);
        self.0.insert(place, (value.to_owned(), count));
    }

    fn has_room_for(&self, value: &str) -> bool {
        let together: usize = self.0.iter().map(|(known, _)| known.len()).sum();
        self.0.len() < MOST && together + value.len() <= LONGEST_TOGETHER
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

    pub(super) fn most_frequent(&self, most: usize) -> Self {
        let mut values = self.0.clone();
        values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        values.truncate(most);
        values.sort_unstable();
        Self(values)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(value, count)| (value.as_str(), *count))
    }

    pub fn total(&self) -> u32 {
        let counts = self.0.iter().map(|(_, count)| *count);
        counts.fold(0, u32::saturating_add)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_values_stay() {
        let mut counter = Counter::default();
        for number in 0..20 {
            counter.add("often");
            counter.add("often");
            counter.add(&format!("rare {number}"));
        }
        assert_eq!(counter.most(), Some(("often", 40)));
        assert!(counter.iter().count() <= MOST);
        assert!(counter.has_other_than("often"));
    }

    #[test]
    fn long_values_do_not_make_it_large() {
        let mut counter = Counter::default();
        for number in 0..20 {
            counter.add(&format!("{number}{}", "x".repeat(300)));
            counter.add(&"y".repeat(LONGEST + 1));
        }
        assert!(serde_json::to_string(&counter).is_ok_and(|it| it.len() < 1_000));
    }

    #[test]
    fn a_value_is_noted_once() {
        let mut counter = Counter::default();
        counter.add_once("a");
        counter.add_once("a");
        assert_eq!((counter.total(), counter.most()), (1, Some(("a", 1))));
    }
}
