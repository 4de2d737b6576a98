//! The time by which an invocation must be answered. Work that is not done by then is returned to the queue, so that
//! nothing is lost.

use std::future::Future;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout_at};

#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Kept free for the answer and the log.
    const RESERVE: Duration = Duration::from_millis(500);

    /// The command line has no deadline.
    pub const NONE: Self = Self(None);

    /// The deadline of an invocation that ends at this time. If that time is already over, the clock is wrong, so there
    /// is no deadline.
    pub fn at(end: SystemTime) -> Self {
        let left = end.duration_since(SystemTime::now()).ok();
        Self(left.and_then(|left| Instant::now().checked_add(left.saturating_sub(Self::RESERVE))))
    }

    /// An earlier deadline, which leaves time for other work after it. It takes away at most half of the time left.
    #[must_use]
    pub fn earlier(self, by: Duration) -> Self {
        let by = self.left().map_or(by, |left| by.min(left / 2));
        Self(self.0.and_then(|end| end.checked_sub(by)))
    }

    /// The time left, if there is a deadline.
    pub fn left(self) -> Option<Duration> {
        self.0
            .map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether at least this much time is left.
    pub fn has(self, time: Duration) -> bool {
        self.left().is_none_or(|left| time <= left)
    }

    /// The end of work that may take this long, but at most half of the time left.
    pub fn share(self, most: Duration) -> Instant {
        let half = self.left().map(|left| left / 2);
        Instant::now() + half.map_or(most, |half| half.min(most))
    }

    /// The result of `work`, or `None` if it is not done in time.
    pub async fn hold<T>(self, work: impl Future<Output = T>) -> Option<T> {
        match self.0 {
            None => Some(work.await),
            Some(end) => timeout_at(end, work).await.ok(),
        }
    }
}
