//! By when an invocation must have been answered. What is not done by then is given back, not lost with it.

use std::future::Future;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout_at};

#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Time to answer and to write the log.
    const RESERVE: Duration = Duration::from_millis(500);

    /// Nobody waits: the command line.
    pub const NONE: Self = Self(None);

    /// That of an invocation which ends at this time; one that is over before it began has a clock that is
    /// wrong, not no time.
    pub fn at(end: SystemTime) -> Self {
        let left = end.duration_since(SystemTime::now()).ok();
        Self(left.and_then(|left| Instant::now().checked_add(left.saturating_sub(Self::RESERVE))))
    }

    /// As much earlier, so that there is time for something after it; but not by more than half of what is left.
    #[must_use]
    pub fn earlier(self, by: Duration) -> Self {
        let by = self.left().map_or(by, |left| by.min(left / 2));
        Self(self.0.and_then(|end| end.checked_sub(by)))
    }

    /// What is left, where there is an end.
    pub fn left(self) -> Option<Duration> {
        self.0
            .map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether so much time is left.
    pub fn has(self, time: Duration) -> bool {
        self.left().is_none_or(|left| time <= left)
    }

    /// The end of something that may take this long, but no more than half of the time that is left.
    pub fn share(self, most: Duration) -> Instant {
        let half = self.left().map(|left| left / 2);
        Instant::now() + half.map_or(most, |half| half.min(most))
    }

    /// What comes in time; none where it does not.
    pub async fn hold<T>(self, work: impl Future<Output = T>) -> Option<T> {
        match self.0 {
            None => Some(work.await),
            Some(end) => timeout_at(end, work).await.ok(),
        }
    }
}
