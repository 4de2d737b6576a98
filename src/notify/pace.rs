//! How fast a channel is told, and how many messages its time suffices for.

use std::time::Duration;

use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::deliver::Channel;
use crate::digest::PACE;

/// Chat services bear a few messages at once, and then one a second.
pub(super) struct Pace {
    started: Instant,
    told: u32,
    is_kept: bool,
}

impl Pace {
    const AT_ONCE: u32 = 5;

    pub(super) fn new(channel: &Channel) -> Self {
        Self {
            started: Instant::now(),
            told: 0,
            is_kept: is_chat(channel),
        }
    }

    /// How many messages more the time suffices for; none where that does not matter.
    pub(super) fn room(&self, deadline: Deadline) -> Option<usize> {
        let left = deadline.left().filter(|_| self.is_kept)?;
        let left = left.saturating_sub(self.until_next());
        // A chat that is slower, or busy with what others tell it, is taken at its own pace.
        let taken = self.started.elapsed() / self.told.max(1);
        let each = match self.told < Self::AT_ONCE {
            true => PACE,
            false => PACE.max(taken),
        };
        usize::try_from(left.as_millis() / each.as_millis()).ok()
    }

    fn until_next(&self) -> Duration {
        let next = self.started + PACE * (self.told + 1).saturating_sub(Self::AT_ONCE);
        next.saturating_duration_since(Instant::now())
    }

    /// Until the next message may go, or the time is over: then the channel itself shall say.
    pub(super) async fn wait(&mut self, deadline: Deadline) {
        let wait = self.until_next();
        self.told += 1;
        // A timer, even of nothing, takes until the next millisecond.
        if self.is_kept && !wait.is_zero() && deadline.has(wait) {
            tokio::time::sleep(wait).await;
        }
    }
}

fn is_chat(channel: &Channel) -> bool {
    match channel {
        Channel::Slack(_) | Channel::Flowdock(_) => true,
        Channel::Terminal(_) => false,
    }
}
