//! The incident of an expectation: a task did not run, which no event says.

use super::Incident;
use super::observe::begin;
use super::{Resolution, Sign};
use crate::ecs::notice::{Facts, Notice};
use crate::notifier::policy::{Decision, Priority, Severity};
use crate::notifier::thread::observation::Observation;
use crate::notifier::thread::state::{ShownNotice, SubjectState};
use crate::notifier::thread::subject::SubjectKey;
use crate::notifier::thread::unix_time::UnixTime;

/// Nobody notices that something did not happen, so it is as urgent as a scheduled task that fails.
const PRIORITY: Priority = Priority {
    cause: None,
    severity: Severity::Critical,
    urgent: true,
};

/// Counts a deadline that was missed.
pub(in crate::notifier::thread) fn observe_missed(
    key: &SubjectKey,
    state: &mut SubjectState,
    notice: &Notice,
    deadline: UnixTime,
    now: UnixTime,
) {
    let known = state.incident.as_deref();
    if !known.is_some_and(|it| it.includes(deadline)) {
        begin(key, state, deadline);
    }
    if let Some(incident) = state.incident.as_deref_mut() {
        let observation = Observation {
            index: 0,
            notice,
            decision: Decision::Keep(PRIORITY),
            is_brought_back: false,
            transition: None,
            at: deadline,
            has_time: true,
        };
        incident.add(&observation, PRIORITY, now);
    }
}

impl Incident {
    /// Whether it is about what did not happen, and not about failures.
    pub fn is_of_expectation(&self) -> bool {
        let newest = self.newest.as_deref();
        newest.is_some_and(|it| matches!(it.notice.facts, Facts::Missed(_)))
    }

    /// A task has ended well. Nothing else must be waited for.
    pub(in crate::notifier::thread) fn end_by_good_end(&mut self, at: UnixTime, now: UnixTime) {
        self.note_sign(Sign::GoodEnd, at);
        self.resolve(Resolution::Recovered, now);
    }

    /// The configuration does not ask for it any more.
    pub(in crate::notifier::thread) fn end_as_not_expected(&mut self, now: UnixTime) {
        self.resolve(Resolution::NotExpected, now);
    }

    /// More is known about the tasks that did not end well.
    pub(in crate::notifier::thread) fn show_missed(&mut self, notice: &Notice) {
        self.newest = Some(ShownNotice::new(notice, PRIORITY));
        self.shown.is_outdated = true;
    }
}
