//! How an announcement of AWS Health is described.

use super::super::other_services::announced;
use super::{ThreadNames, rough};
use crate::ecs::event::Time;
use crate::notifier::thread::{
    Announcement, Reason, ThreadState, Turn, UnixTime, is_moved, is_reopened,
};

pub(super) fn announcement_names(
    announcement: &Announcement,
    turn: Option<&Turn>,
    now: UnixTime,
) -> ThreadNames {
    ThreadNames {
        says: says(announcement, turn, now),
        total: announcement.affected(),
        ..ThreadNames::default()
    }
}

/// The headline. `None` if the event's own headline says it.
fn says(announcement: &Announcement, turn: Option<&Turn>, now: UnixTime) -> Option<String> {
    let newest = announcement.newest.as_ref()?;
    let health = announcement.facts()?;
    let what = announced(health, newest.notice.kind);
    let Some(turn) = turn else {
        let has_passed = announcement.state() == ThreadState::Resolved && !health.is_closed();
        return has_passed.then(|| format!("{what}; this time has passed"));
    };
    match turn.reason {
        Reason::Reminder => {
            let starts_at = health.starts_at.as_ref().and_then(Time::instant);
            let left = UnixTime::of(starts_at?).since(now);
            let hours = left.as_secs() / 3_600;
            let left = match hours {
                2..=48 => format!("{hours} h"),
                _ => rough(left),
            };
            Some(format!("in {left}: {what}"))
        }
        Reason::Worse if is_moved(turn) => Some(format!("the time has changed: {what}")),
        Reason::Worse if is_reopened(turn) => Some(format!("it is not over after all: {what}")),
        Reason::Worse => Some(format!("more is affected: {what}")),
        _ => None,
    }
}
