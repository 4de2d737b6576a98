//! What of an incident is shown, and when.

use std::time::Duration;

use super::{BETWEEN_RETURNS, Incident};
use crate::notifier::policy::Severity;
use crate::notifier::thread::action::{Reason, ThreadState, Turn};
use crate::notifier::thread::escalation;
use crate::notifier::thread::settings::ThreadSettings;
use crate::notifier::thread::unix_time::UnixTime;

/// A reminder says that the subject still fails, so a failure must be so recent.
const STILL: Duration = Duration::from_secs(2 * 60);

impl Incident {
    /// Decides what is due now.
    pub(in crate::notifier::thread) fn turns(
        &mut self,
        now: UnixTime,
        settings: &ThreadSettings,
    ) -> Option<Turn> {
        let state = self.state();
        let has_failures = self.total > self.turn_total;
        if state == ThreadState::Open && has_failures {
            self.is_reminder_due |= std::mem::take(&mut self.waits_with_reminder);
        }
        let reason = match self.storm {
            Some(_) => self.reason_in_storm(now, settings),
            None => self.reason(now, settings),
        }?;
        let turn = self.turn(reason, now, settings);
        self.escalation.note(&turn);
        self.note_turn(reason, now, settings);
        Some(turn)
    }

    fn reason(&self, now: UnixTime, settings: &ThreadSettings) -> Option<Reason> {
        let state = self.state();
        let is_return_due = self.is_return_due
            && self
                .return_shown_at
                .is_none_or(|at| now >= at.plus(BETWEEN_RETURNS));
        let is_worse = !self.new_causes.is_empty() || self.worst > self.shown_severity;
        match () {
            () if self.is_told => None,
            () if !self.shown.is_open() => Some(Reason::Opened),
            () if state == ThreadState::Resolved && self.shown.state != Some(state) => {
                match self.is_return_due {
                    // The return was not shown, so its end is not, either.
                    true => Some(Reason::Learned),
                    false => Some(Reason::Recovered),
                }
            }
            () if state == ThreadState::Resolved => self.edit(now, settings),
            () if is_return_due => Some(Reason::CameBack),
            () if self.is_return_due => self.edit(now, settings),
            () if is_worse || self.is_setback_due => Some(Reason::Worse),
            () if self.is_reminder_due && self.fails_at(now) => Some(Reason::Reminder),
            () if self.escalation_due(now, settings).is_some() => Some(Reason::Escalated),
            () if self.shown.state != Some(state) => Some(Reason::Learned),
            () => self.edit(now, settings),
        }
    }

    fn escalation_due(&self, now: UnixTime, settings: &ThreadSettings) -> Option<Duration> {
        self.escalation.passed(self.open_since()?, now, settings)
    }

    /// Whether it fails now, so that "still failing" is true. If not, a reminder waits for the next failure.
    fn fails_at(&self, now: UnixTime) -> bool {
        self.state() == ThreadState::Open && now.since(self.last_at) <= STILL
    }

    /// While a storm shows the incident, its own message is only edited.
    fn reason_in_storm(&self, now: UnixTime, settings: &ThreadSettings) -> Option<Reason> {
        match () {
            () if !self.shown.is_open() => None,
            () if self.shown.state != Some(self.state()) => Some(Reason::Learned),
            () => self.edit(now, settings),
        }
    }

    fn edit(&self, now: UnixTime, settings: &ThreadSettings) -> Option<Reason> {
        let is_due = self.shown.edit_due().is_some_and(|due| due <= now);
        (settings.has_edits && is_due).then_some(Reason::Counted)
    }

    fn turn(&self, reason: Reason, now: UnixTime, settings: &ThreadSettings) -> Turn {
        let severity = self.severity();
        if reason == Reason::Escalated {
            return escalation::turn(now, severity, self.escalation_due(now, settings));
        }
        let urgent = matches!(
            reason,
            Reason::Opened | Reason::Worse | Reason::CameBack | Reason::Reminder
        ) && self.urgent;
        let became_critical = self.worst == Severity::Critical
            && (self.shown_severity < Severity::Critical || reason == Reason::CameBack);
        let mentions =
            became_critical && matches!(reason, Reason::Opened | Reason::Worse | Reason::CameBack);
        let names = match reason {
            Reason::Worse | Reason::CameBack => self.new_causes.clone(),
            _ => Vec::new(),
        };
        let mut turn = Turn::new(reason, now, severity, urgent)
            .with_mention(mentions)
            .with_names(names);
        if reason == Reason::CameBack {
            turn.after = self.return_after;
        }
        turn
    }

    fn note_turn(&mut self, reason: Reason, now: UnixTime, settings: &ThreadSettings) {
        self.shown.note(reason, Some(self.state()), now);
        if reason == Reason::Opened || reason.is_turn() {
            self.turn_total = self.total;
            self.new_causes.clear();
            self.is_setback_due = false;
            self.shown_severity = self.worst;
            self.is_reminder_due = false;
            self.waits_with_reminder = false;
        }
        if reason == Reason::Opened {
            self.is_return_due = false;
        }
        if reason == Reason::CameBack {
            self.is_return_due = false;
            self.return_shown_at = Some(now);
            self.skip_steps(now, settings);
        }
        if self.is_over() {
            self.is_return_due = false;
        }
    }

    /// Steps that passed while the incident was resolved are left out.
    fn skip_steps(&mut self, now: UnixTime, settings: &ThreadSettings) {
        let Some(since) = self.steps_since() else {
            return;
        };
        while settings
            .step(self.step)
            .is_some_and(|step| since.plus(step) <= now)
        {
            self.step += 1;
        }
    }
}
