//! Limits how fast messages are sent to a channel, and calculates how many more messages there is time for.

use std::time::Duration;

use tokio::time::Instant;

use crate::aws::deadline::Deadline;
use crate::notifier::channel::RateLimit;

/// Chat services accept a few messages at once, and then one in every interval. After a refusal the interval is twice as
/// long, because other programs send to the same chat, too.
pub(super) struct RateLimiter {
    started: Instant,
    next: Instant,
    /// The limit of the chat service. `None` if there is no limit.
    limit: Option<RateLimit>,
    slowed: u32,
    sent: u32,
}

impl RateLimiter {
    pub(super) fn new(limit: Option<RateLimit>) -> Self {
        Self {
            started: Instant::now(),
            next: Instant::now(),
            limit,
            slowed: 1,
            sent: 0,
        }
    }

    /// How many more messages there is time for. `None` if there is no limit.
    pub(super) fn budget(&self, deadline: Deadline) -> Option<usize> {
        let RateLimit { at_once, interval } = self.limit?;
        let interval = interval * self.slowed;
        let left = deadline.left()?.saturating_sub(self.until_next());
        // A slow chat service accepts fewer messages than its limit allows.
        let taken = self.started.elapsed() / self.sent.max(1);
        let each = match self.sent < at_once {
            true => interval,
            false => interval.max(taken),
        };
        usize::try_from(left.as_millis() / each.as_millis()).ok()
    }

    fn until_next(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// Waits until the next message may be sent. Without enough time for the wait it is sent at once, and the channel
    /// accepts or refuses it.
    pub(super) async fn wait(&mut self, deadline: Deadline) {
        let wait = self.until_next();
        // A timer of zero would still wait until the next millisecond.
        if !wait.is_zero() && deadline.has(wait) {
            tokio::time::sleep(wait).await;
        }
        self.sent += 1;
        if self.limit.is_none_or(|it| self.sent >= it.at_once) {
            self.delay_next();
        }
    }

    /// Call this when the channel has refused a message for now: other programs send to it, too, or it is overloaded.
    pub(super) fn slow_down(&mut self) {
        self.sent = self.sent.max(self.limit.map_or(0, |it| it.at_once));
        self.slowed = 2;
        self.delay_next();
    }

    fn delay_next(&mut self) {
        let interval = self.limit.map(|it| it.interval).unwrap_or_default();
        self.next = Instant::now() + interval * self.slowed;
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn limiter() -> RateLimiter {
        RateLimiter::new(Some(RateLimit {
            at_once: 5,
            interval: Duration::from_secs(1),
        }))
    }

    /// The extra 600 ms cover the deadline's reserve of 500 ms.
    fn ending_after(seconds: u64) -> Deadline {
        Deadline::at(SystemTime::now() + Duration::from_millis(seconds * 1_000 + 600))
    }

    #[tokio::test(start_paused = true)]
    async fn five_at_once_and_then_one_a_second() {
        let (mut limiter, deadline) = (limiter(), ending_after(10));
        let mut times = Vec::new();
        for _ in 0..7 {
            limiter.wait(deadline).await;
            times.push(limiter.started.elapsed().as_secs());
        }
        assert_eq!(times, [0, 0, 0, 0, 0, 1, 2]);
        // At 3, 4, … 9 s, so that the last one is answered by 10 s.
        assert_eq!(limiter.budget(deadline), Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_halves_the_budget() {
        let (mut limiter, deadline) = (limiter(), ending_after(10));
        assert_eq!(limiter.budget(deadline), Some(10));
        limiter.wait(deadline).await;
        limiter.slow_down();
        assert_eq!(limiter.budget(deadline), Some(4));
        limiter.wait(deadline).await;
        limiter.wait(deadline).await;
        assert_eq!(limiter.started.elapsed().as_secs(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn the_budget_follows_the_speed_of_a_slow_channel() {
        let (mut limiter, deadline) = (limiter(), ending_after(60));
        for _ in 0..5 {
            limiter.wait(deadline).await;
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
        assert_eq!(limiter.budget(deadline), Some(10));
    }
}
