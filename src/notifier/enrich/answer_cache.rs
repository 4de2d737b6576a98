//! Answers of AWS that stay valid for a while, so that a process does not ask again for each event.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Answers by what was asked.
#[derive(Debug)]
pub(super) struct AnswerCache<K, V> {
    fresh: Duration,
    most: usize,
    answers: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Eq + Hash, V: Clone> AnswerCache<K, V> {
    /// An answer is used for the time `fresh`. If there would be more than `most` answers, all are removed: then memory
    /// stays small, and the next events ask again.
    pub(super) fn new(fresh: Duration, most: usize) -> Self {
        Self {
            fresh,
            most,
            answers: Mutex::default(),
        }
    }

    pub(super) fn get(&self, asked: &K) -> Option<V> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, answer) = answers.get(asked)?;
        (since.elapsed() < self.fresh).then(|| answer.clone())
    }

    pub(super) fn put(&self, asked: K, answer: V) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= self.most {
            answers.clear();
        }
        answers.insert(asked, (Instant::now(), answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_used_as_long_as_it_is_fresh() {
        let cache = AnswerCache::new(Duration::from_secs(600), 10);
        cache.put("web", 1);
        tokio::time::advance(Duration::from_secs(599)).await;
        assert_eq!(cache.get(&"web"), Some(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(cache.get(&"web"), None);
        cache.put("web", 2);
        assert_eq!(cache.get(&"web"), Some(2));
        assert_eq!(cache.get(&"api"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_answers_are_removed() {
        let cache = AnswerCache::new(Duration::from_secs(600), 2);
        for (asked, answer) in [("a", 1), ("b", 2), ("c", 3)] {
            cache.put(asked, answer);
        }
        let known = ["a", "b", "c"].map(|it| cache.get(&it));
        assert_eq!(known, [None, None, Some(3)]);
    }
}
