//! How fast a channel is told, and how many messages its time suffices for.

use std::time::Duration;

use tokio::time::Instant;

use crate::aws::deadline::Deadline;
use crate::notifier::channel::Channel;
use crate::notifier::group::MESSAGE_INTERVAL;

/// Chat services bear a few messages at once, and then one a second; half as many where others tell it too.
pub(super) struct RateLimiter {
    started: Instant,
    next: Instant,
    each: Duration,
    told: u32,
    is_kept: bool,
}

impl RateLimiter {
    const AT_ONCE: u32 = 5;

    pub(super) fn new(channel: &Channel) -> Self {
        Self {
            started: Instant::now(),
            next: Instant::now(),
            each: MESSAGE_INTERVAL,
            told: 0,
            is_kept: is_chat(channel),
        }
    }

    /// How many messages more the time suffices for; none where that does not matter.
    pub(super) fn budget(&self, deadline: Deadline) -> Option<usize> {
        let left = deadline.left().filter(|_| self.is_kept)?;
        let left = left.saturating_sub(self.until_next());
        // A slow chat takes fewer messages than the limit allows.
        let taken = self.started.elapsed() / self.told.max(1);
        let each = match self.told < Self::AT_ONCE {
            true => self.each,
            false => self.each.max(taken),
        };
        usize::try_from(left.as_millis() / each.as_millis()).ok()
    }

    fn until_next(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// Until the next message may go, or the time is over: then the channel itself shall say.
    pub(super) async fn wait(&mut self, deadline: Deadline) {
        let wait = self.until_next();
        // A timer, even of nothing, takes until the next millisecond.
        if self.is_kept && !wait.is_zero() && deadline.has(wait) {
            tokio::time::sleep(wait).await;
        }
        self.told += 1;
        if self.told >= Self::AT_ONCE {
            self.next = Instant::now() + self.each;
        }
    }

    /// The channel has refused a message for now: it is told by others as well, or in trouble.
    pub(super) fn slow_down(&mut self) {
        self.told = self.told.max(Self::AT_ONCE);
        self.each = MESSAGE_INTERVAL * 2;
        self.next = Instant::now() + self.each;
    }
}

fn is_chat(channel: &Channel) -> bool {
    match channel {
        Channel::Slack(_) | Channel::Flowdock(_) => true,
        Channel::Terminal(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::aws::secret::{Secret, SecretSource};
    use crate::notifier::channel::{Minimum, Slack, slack};

    fn rate_limiter() -> RateLimiter {
        let webhook = SecretSource::Inline(Secret::new("https://localhost/x".to_owned()));
        RateLimiter::new(&Channel::Slack(Slack {
            webhook,
            look: slack::Look::default(),
            minimum: Minimum::All,
        }))
    }

    /// With half a second to answer.
    fn ending_after(seconds: u64) -> Deadline {
        Deadline::at(SystemTime::now() + Duration::from_millis(seconds * 1_000 + 600))
    }

    #[tokio::test(start_paused = true)]
    async fn five_at_once_and_then_one_a_second() {
        let (mut rate_limiter, deadline) = (rate_limiter(), ending_after(10));
        let mut times = Vec::new();
        for _ in 0..7 {
            rate_limiter.wait(deadline).await;
            times.push(rate_limiter.started.elapsed().as_secs());
        }
        assert_eq!(times, [0, 0, 0, 0, 0, 1, 2]);
        // At 3, 4, … 9 s, so that the last is answered by 10 s.
        assert_eq!(rate_limiter.budget(deadline), Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_channel_has_half_the_room() {
        let (mut rate_limiter, deadline) = (rate_limiter(), ending_after(10));
        assert_eq!(rate_limiter.budget(deadline), Some(10));
        rate_limiter.wait(deadline).await;
        rate_limiter.slow_down();
        assert_eq!(rate_limiter.budget(deadline), Some(4));
        rate_limiter.wait(deadline).await;
        rate_limiter.wait(deadline).await;
        assert_eq!(rate_limiter.started.elapsed().as_secs(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_one_is_taken_at_its_own_pace() {
        let (mut rate_limiter, deadline) = (rate_limiter(), ending_after(60));
        for _ in 0..5 {
            rate_limiter.wait(deadline).await;
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
        assert_eq!(rate_limiter.budget(deadline), Some(10));
    }
}
