//! What of a thread was shown, and when, so that an edit comes at most every half minute.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Reason, ThreadState};
use super::unix_time::UnixTime;

/// Between two edits of counts.
const BETWEEN_EDITS: Duration = Duration::from_secs(30);

/// An edit may be under way for so long. Another function's edit may then arrive before it, and be overwritten.
const UNDER_WAY: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shown {
    /// When the thread was opened in the chat. `None` before.
    pub opened_at: Option<UnixTime>,
    pub state: Option<ThreadState>,
    /// The last time that the message changed.
    pub edited_at: UnixTime,
    /// The last post or reply.
    pub turn_at: UnixTime,
    /// When it ended for the first time. A thread can come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_end: Option<UnixTime>,
    /// Whether something changed since the last edit.
    pub is_outdated: bool,
}

impl Shown {
    pub(super) fn is_open(&self) -> bool {
        self.opened_at.is_some()
    }

    /// Notes that this is shown now.
    pub(super) fn note(&mut self, reason: Reason, state: Option<ThreadState>, now: UnixTime) {
        let is_after_edit = self.edited_at > self.turn_at;
        // One more edit, so that the last state is shown in the end.
        self.is_outdated = is_after_edit && now.since(self.edited_at) < UNDER_WAY;
        self.opened_at.get_or_insert(now);
        if state.is_some_and(ThreadState::is_over) {
            self.first_end.get_or_insert(now);
        }
        self.state = state;
        self.edited_at = now;
        if reason == Reason::Opened || reason.is_turn() {
            self.turn_at = now;
        }
    }

    /// When an edit of counts is due. `None` if nothing changed.
    pub(super) fn edit_due(&self) -> Option<UnixTime> {
        let is_due = self.is_open() && self.is_outdated;
        is_due.then(|| self.edited_at.plus(BETWEEN_EDITS))
    }
}
