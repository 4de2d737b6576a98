//! What the passing of time does to an incident: reminders become due, and it ends.

use std::time::Duration;

use super::{BETWEEN_RETURNS, Incident, LONGEST_NAME, QUIET, Resolution};
use crate::notifier::thread::action::ThreadState;
use crate::notifier::thread::settings::ThreadSettings;
use crate::notifier::thread::subject::SubjectKind;
use crate::notifier::thread::text::cut;
use crate::notifier::thread::unix_time::UnixTime;

/// An incident of a container instance is over after this time without a failure.
const QUIET_INSTANCE: Duration = Duration::from_secs(24 * 3_600);

/// The last tasks of a deleted service stop within this time.
const LAST_STOPS: Duration = Duration::from_secs(15 * 60);

/// A reminder of such a step that finds no new failure comes with the next one.
const LONG_STEP: Duration = Duration::from_secs(3_600);

const MOMENT: Duration = Duration::from_secs(1);

/// The longest wait for a resolution.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

impl Incident {
    /// The service was deleted. Returns whether that ends an open incident. Its last tasks may still fail while they
    /// stop.
    pub(in crate::notifier::thread) fn end_by_deletion(
        &mut self,
        actor: Option<&str>,
        at: UnixTime,
        now: UnixTime,
    ) -> bool {
        if self.resolution == Some(Resolution::Deleted) && self.sign_at == at {
            return true;
        }
        if at <= self.last_at {
            return false;
        }
        self.final_until = self.final_until.max(Some(at.plus(LAST_STOPS)));
        if self.is_over() {
            return false;
        }
        self.sign_at = self.sign_at.max(at);
        self.deleted_by = actor.map(|it| cut(it, LONGEST_NAME));
        self.resolve(Resolution::Deleted, now);
        true
    }

    /// The container instance was deregistered.
    pub(in crate::notifier::thread) fn end_by_deregistration(
        &mut self,
        at: UnixTime,
        now: UnixTime,
    ) {
        if !self.is_over() && at > self.last_at {
            self.sign_at = self.sign_at.max(at);
            self.resolve(Resolution::Deregistered, now);
        }
    }

    /// Somebody closed it.
    pub(in crate::notifier::thread) fn end_by_hand(&mut self, at: UnixTime) {
        self.sign_at = self.sign_at.max(at);
        self.resolve(Resolution::ByHand, at);
    }

    /// A service with the same name was made anew.
    pub(in crate::notifier::thread) fn end_for_good(&mut self, at: UnixTime) {
        if at <= self.last_at {
            return;
        }
        self.final_until = Some(at);
        if !self.is_over() {
            self.resolve(Resolution::Deleted, self.last_at);
        }
    }

    pub(super) fn resolve(&mut self, resolution: Resolution, at: UnixTime) {
        self.resolved_at = Some(at);
        self.resolution = Some(resolution);
        self.shown.is_outdated = true;
    }

    /// Does what the passing of time does: reminders become due, and the incident ends.
    pub(in crate::notifier::thread) fn pass(
        &mut self,
        until: UnixTime,
        kind: SubjectKind,
        counts: Option<(i64, i64)>,
        settings: &ThreadSettings,
    ) {
        self.pass_steps(until, settings);
        self.end_long_holds(until);
        let Some(due) = self.resolve_due(kind, settings) else {
            return;
        };
        if self.is_over() || due > until {
            return;
        }
        let has_sign = self.state() == ThreadState::Recovering;
        let runs_too_few = counts.is_some_and(|(running, desired)| running < desired);
        if kind == SubjectKind::Service && !has_sign && settings.may_ask && runs_too_few {
            self.quiet_from = until;
            return;
        }
        self.counts = counts;
        let resolution = match has_sign {
            true => Resolution::Recovered,
            false => Resolution::Quiet,
        };
        self.resolve(resolution, due);
    }

    /// Whether the wait is over, and only the number of running tasks decides whether the incident is.
    pub(in crate::notifier::thread) fn needs_counts(
        &self,
        now: UnixTime,
        settings: &ThreadSettings,
    ) -> bool {
        let due = self.resolve_due(SubjectKind::Service, settings);
        settings.may_ask && !self.is_over() && due.is_some_and(|due| due <= now)
    }

    fn pass_steps(&mut self, until: UnixTime, settings: &ThreadSettings) {
        let Some(opened_at) = self.steps_since() else {
            return;
        };
        while let Some(step) = settings.step(self.step) {
            if opened_at.plus(step) > until {
                break;
            }
            self.step += 1;
            let has_failures = self.total > self.turn_total;
            match self.state() {
                ThreadState::Open if has_failures => self.is_reminder_due = true,
                // What fails once a day fails a little before or after the step.
                ThreadState::Open if step >= LONG_STEP => self.waits_with_reminder = true,
                ThreadState::Recovering if has_failures => self.waits_with_reminder = true,
                _ => {}
            }
        }
    }

    /// From when the steps of the reminders count.
    pub(super) fn steps_since(&self) -> Option<UnixTime> {
        let opened_at = self.shown.opened_at;
        opened_at.max(self.failing_since.filter(|_| opened_at.is_some()))
    }

    /// How long there must be no failure. Each return doubles it.
    fn wait(&self, settings: &ThreadSettings) -> Duration {
        let factor = 1_u32.checked_shl(self.returns).unwrap_or(u32::MAX);
        let wait = settings.resolve_after.saturating_mul(factor);
        wait.min(LONGEST_WAIT.max(settings.resolve_after))
    }

    fn resolve_due(&self, kind: SubjectKind, settings: &ThreadSettings) -> Option<UnixTime> {
        if self.is_over() || self.has_alarm() {
            return None;
        }
        if self.state() == ThreadState::Recovering && self.has_only_alarms() && self.returns == 0 {
            // A moment later, so that an alarm and its end in one batch open the incident first.
            return Some(self.recovered_at().max(self.arrived_at.plus(MOMENT)));
        }
        let wait = self.wait(settings);
        let quiet = match kind {
            SubjectKind::Instance => QUIET_INSTANCE,
            _ => QUIET.max(wait),
        };
        let is_recovering = self.state() == ThreadState::Recovering;
        let due = match (kind, is_recovering) {
            (SubjectKind::Family, true) => self.last_at.plus(quiet).max(self.sign_seen_at),
            // It ends with a good end, and is not over before.
            (SubjectKind::Expectation, _) | (SubjectKind::Family, false) => return None,
            (_, true) => self.recovered_at().plus(wait),
            (_, false) => self.last_at.max(self.quiet_from).plus(quiet),
        };
        // An event that came late must not end its incident at once.
        Some(due.max(self.arrived_at.plus(settings.resolve_after)))
    }

    /// When it must be looked at again.
    pub(in crate::notifier::thread) fn wake_at(
        &self,
        kind: SubjectKind,
        settings: &ThreadSettings,
    ) -> Option<UnixTime> {
        let resolve = self.resolve_due(kind, settings);
        let edit = self.shown.edit_due().filter(|_| settings.has_edits);
        let step = self.step_due(settings);
        let hold = self.hold_ends_at().filter(|_| !self.is_over());
        let escalation = self
            .open_since()
            .and_then(|since| self.escalation.due_at(since, settings));
        let is_return_due = self.is_return_due && !self.is_over() && self.storm.is_none();
        let back = is_return_due.then(|| {
            let shown_at = self.return_shown_at.map(|at| at.plus(BETWEEN_RETURNS));
            shown_at.unwrap_or_default()
        });
        [resolve, edit, step, hold, escalation, back]
            .into_iter()
            .flatten()
            .min()
    }

    /// Since when it is open in the chat, if it fails now, is urgent, and no storm shows it.
    pub(super) fn open_since(&self) -> Option<UnixTime> {
        let is_open = self.state() == ThreadState::Open && self.storm.is_none();
        let opened_at = self.shown.opened_at.filter(|_| is_open && self.urgent)?;
        let later = [self.return_shown_at, self.urgent_since];
        Some(later.into_iter().flatten().fold(opened_at, UnixTime::max))
    }

    /// A step matters only if there is something to remind of.
    fn step_due(&self, settings: &ThreadSettings) -> Option<UnixTime> {
        let has_failures = self.total > self.turn_total;
        let is_open = self.state() == ThreadState::Open && self.storm.is_none();
        let since = self.steps_since().filter(|_| has_failures && is_open)?;
        Some(since.plus(settings.step(self.step)?))
    }
}
