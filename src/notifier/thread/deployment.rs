//! One deployment of a service, from its call to its end.
//!
//! A deployment holds facts with their times. Its state follows from the facts, whatever order they came in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Reason, ThreadId, ThreadState, Turn};
use super::counter::Counter;
use super::registration::Registration;
use super::settings::ThreadSettings;
use super::shown::Shown;
use super::text::{LONGEST_ID, LONGEST_NAME, cut};
use super::unix_time::UnixTime;
use crate::ecs::event::Time;
use crate::ecs::notice::{HookDecision, Origin, Progress, Subject};
use crate::notifier::policy::Severity;

/// After this time without an end, nothing more is expected.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// A rollback that begins so soon after the failure was shown is an edit: the failure has alerted everybody.
const SAME_FAILURE: Duration = Duration::from_secs(60);

/// Old tasks may still stop when the deployment has ended.
const DRAINING: Duration = Duration::from_secs(15 * 60);

/// The most other ids of one deployment.
const MOST_ALIASES: usize = 6;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Deployment {
    pub thread: ThreadId,
    /// Where it happens.
    pub origin: Origin,
    pub subject: Subject,
    /// `ecs-svc/1234`. A call does not always name it.
    pub id: Option<String>,
    /// Other ids of the same story: that of a rollback, and the service deployment's ARN.
    pub(super) aliases: Vec<String>,
    /// The earliest fact.
    pub started_at: UnixTime,
    /// `checkout:58`.
    pub to: Option<String>,
    pub from: Option<String>,
    /// The revision that ECS rolls back to, if it is not `from`.
    pub(super) completed_before: Option<String>,
    /// Whether the deployment of `from` had not completed, and none is known that had.
    pub(super) from_is_incomplete: bool,
    pub images: Vec<String>,
    pub from_images: Vec<String>,
    pub actor: Option<String>,
    pub registered_by: Option<String>,
    /// Whether the service is new.
    pub is_creation: bool,
    pub desired: Option<i64>,
    pub tasks: TaskCounts,
    /// What AWS says about its tasks.
    pub reported: Option<Progress>,
    /// Why its tasks failed.
    pub causes: Counter,
    pub hook: Option<Hook>,
    pub decision: Option<HookAnswer>,
    /// Since when CodeDeploy waits before it moves the traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ready_at: Option<UnixTime>,
    /// Until when it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_until: Option<UnixTime>,
    /// Since when it is being stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stopping_at: Option<UnixTime>,
    /// Somebody stopped it. Of a daemon: or it failed, or a newer one replaces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Fact>,
    /// Whether it is one of a managed daemon.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_of_daemon: bool,
    /// Its id in CodeDeploy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_deploy: Option<String>,
    /// The id of the task set that it made, which its tasks name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) task_set: Option<String>,
    pub failed: Option<Fact>,
    pub rollback: Option<Fact>,
    pub rollback_failed: Option<Fact>,
    pub completed_at: Option<UnixTime>,
    pub replaced_by: Option<Replacement>,
    /// Whether its call or its first event has come.
    pub(super) has_begun: bool,
    /// Nothing more is expected after a day.
    pub is_closed: bool,
    /// Somebody closed it.
    pub is_closed_by_hand: bool,
    pub shown: Shown,
    /// The last hook that was shown as failed.
    pub(super) hook_shown: Option<String>,
    pub(super) answer_shown: Option<UnixTime>,
    pub(super) shown_severity: Severity,
}

/// What ended a deployment that had no end of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replacement {
    /// A newer deployment, of which nothing is known.
    Newer,
    /// The newer deployment's revision: `checkout:59`.
    Revision(String),
    /// The service was deleted.
    Deletion,
}

/// Something that ECS said at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fact {
    pub at: UnixTime,
    pub reason: Option<String>,
}

/// The tasks of the deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskCounts {
    pub started: u32,
    /// Of those that started, how many have ended.
    pub ended: u32,
    pub failed: u32,
}

impl TaskCounts {
    pub fn running(&self) -> u32 {
        self.started.saturating_sub(self.ended)
    }
}

/// The latest event of a hook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hook {
    pub at: UnixTime,
    /// `HOOK_AWAITING_ACTION`.
    pub name: String,
    pub id: Option<String>,
    pub stage: Option<String>,
    pub expires_at: Option<String>,
    pub timeout_action: Option<String>,
    pub service_deployment: Option<String>,
    pub reason: Option<String>,
}

/// What a person decided about a hook that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookAnswer {
    pub at: UnixTime,
    pub actor: Option<String>,
    pub decision: HookDecision,
}

impl Hook {
    pub fn waits(&self) -> bool {
        self.name == "HOOK_AWAITING_ACTION"
    }

    /// Whether the time for an answer is over.
    pub fn has_expired(&self, now: UnixTime) -> bool {
        let expires_at = self.expires_at.clone().map(Time::read);
        let expires_at = expires_at.and_then(|it| it.instant());
        expires_at.is_some_and(|at| UnixTime::of(at) <= now)
    }

    pub fn has_failed(&self) -> bool {
        matches!(self.name.as_str(), "HOOK_FAILED" | "HOOK_TIMED_OUT")
    }

    /// Only the event that begins a wait says what happens without an answer.
    fn learn_from(&mut self, older: &Self, is_same: bool) {
        if is_same && self.timeout_action.is_none() {
            self.timeout_action.clone_from(&older.timeout_action);
        }
    }

    /// Of two events with the same time, the one that needs attention counts.
    fn rank(&self) -> (UnixTime, bool, bool) {
        (self.at, self.has_failed(), self.waits())
    }
}

impl Deployment {
    pub fn state(&self) -> ThreadState {
        let is_over = |at: UnixTime| self.completed_at.is_some_and(|it| it >= at);
        match (&self.rollback, &self.failed) {
            (Some(_), _) if self.rollback_failed.is_some() => ThreadState::Failed,
            (Some(rollback), _) if is_over(rollback.at) => ThreadState::Failed,
            (Some(_), _) => ThreadState::RollingBack,
            (None, Some(_)) => ThreadState::Failed,
            (None, None) if self.completed_at.is_some() => ThreadState::Completed,
            (None, None) if self.replaced_by.is_some() => ThreadState::Replaced,
            (None, None) if self.stopped.is_some() => ThreadState::Stopped,
            (None, None) if self.waits() => ThreadState::Waiting,
            (None, None) => ThreadState::InProgress,
        }
    }

    pub fn is_open(&self) -> bool {
        let is_going_on = matches!(
            self.state(),
            ThreadState::InProgress | ThreadState::Waiting | ThreadState::RollingBack
        );
        is_going_on && !self.is_closed && self.replaced_by.is_none()
    }

    /// Whether something that happened at this time is counted in it.
    pub(super) fn includes(&self, at: UnixTime) -> bool {
        self.ended_at().is_none_or(|end| at <= end)
    }

    /// Whether its tasks may still start and stop: it is open, or has just ended.
    pub(super) fn is_near(&self, at: UnixTime) -> bool {
        let has_just_ended = |it: UnixTime| at.since(it) <= DRAINING;
        self.is_open() || self.ended_at().is_some_and(has_just_ended)
    }

    /// Whether the previous revision runs again.
    pub fn is_rolled_back(&self) -> bool {
        self.rollback.is_some()
            && self.state() == ThreadState::Failed
            && self.rollback_failed.is_none()
    }

    /// When it ended, well or badly.
    pub fn ended_at(&self) -> Option<UnixTime> {
        match self.state() {
            ThreadState::Completed => self.completed_at,
            ThreadState::Failed => self
                .completed_at
                .max(self.rollback_failed.as_ref().map(|it| it.at))
                .max(self.failed.as_ref().map(|it| it.at)),
            ThreadState::Stopped => self.stopped.as_ref().map(|it| it.at),
            _ => None,
        }
    }

    pub fn severity(&self) -> Severity {
        match self.state() {
            ThreadState::Completed => Severity::Success,
            ThreadState::Waiting | ThreadState::Stopped => Severity::Warning,
            ThreadState::RollingBack if self.failed.is_none() => Severity::Warning,
            ThreadState::RollingBack => Severity::Critical,
            ThreadState::Failed if self.is_rolled_back() => Severity::Warning,
            ThreadState::Failed => Severity::Critical,
            _ if self.has_failed_hook() || self.tasks.failed > 0 => Severity::Warning,
            _ if self.is_being_stopped() => Severity::Warning,
            _ => Severity::Info,
        }
    }

    pub fn has_failed_hook(&self) -> bool {
        self.hook.as_ref().is_some_and(Hook::has_failed)
    }

    /// Whether somebody can still answer the hook. The first message of a deployment shows an old event as it was.
    pub fn waits_at(&self, now: UnixTime) -> bool {
        let is_first = self.shown.opened_at.is_none_or(|at| at == now);
        let has_expired = match self.ready_at {
            Some(_) => self.ready_until.is_some_and(|it| it <= now),
            None => self.hook.as_ref().is_some_and(|it| it.has_expired(now)),
        };
        self.state() == ThreadState::Waiting && (is_first || !has_expired)
    }

    fn waits(&self) -> bool {
        let answered = self.decision.as_ref().map(|it| it.at);
        let hook = self.hook.as_ref().filter(|it| it.waits());
        let hook_waits = hook.is_some_and(|hook| answered.is_none_or(|at| at < hook.at));
        hook_waits || self.ready_at.is_some()
    }

    /// CodeDeploy says by the end of the deployment only that it does not wait any more.
    pub(super) fn note_ready(&mut self, at: UnixTime, until: Option<UnixTime>) {
        if self.ready_at.is_none_or(|known| at < known) {
            self.ready_at = Some(at);
            self.ready_until = until;
            self.shown.is_outdated = true;
        }
    }

    /// Whether somebody has asked for its end, and it goes on.
    pub fn is_being_stopped(&self) -> bool {
        self.stopping_at.is_some() && self.state() == ThreadState::InProgress
    }

    pub(super) fn note_stopping(&mut self, at: UnixTime) {
        if self.stopping_at.is_none_or(|known| at < known) {
            self.stopping_at = Some(at);
            self.shown.is_outdated = true;
        }
    }

    pub(super) fn note_stopped(&mut self, fact: Fact) {
        keep_earliest(&mut self.stopped, fact, &mut self.shown);
    }

    pub(super) fn is(&self, id: &str) -> bool {
        let id = cut(id, LONGEST_ID);
        self.is_own(&id) || self.aliases.contains(&id)
    }

    pub(super) fn is_own(&self, id: &str) -> bool {
        let id = Some(cut(id, LONGEST_ID));
        self.id == id || self.task_set == id
    }

    pub(super) fn add_alias(&mut self, id: &str) {
        if !self.is(id) && self.aliases.len() < MOST_ALIASES {
            self.aliases.push(cut(id, LONGEST_ID));
        }
    }

    /// The earliest fact of its kind counts, so that a repetition changes nothing.
    pub(super) fn note_failed(&mut self, fact: Fact) {
        keep_earliest(&mut self.failed, fact, &mut self.shown);
    }

    pub(super) fn note_rollback(&mut self, fact: Fact) {
        keep_earliest(&mut self.rollback, fact, &mut self.shown);
    }

    pub(super) fn note_rollback_failed(&mut self, fact: Fact) {
        keep_earliest(&mut self.rollback_failed, fact, &mut self.shown);
    }

    /// The latest completion counts: after a rollback, the old deployment completes again.
    pub(super) fn note_completed(&mut self, at: UnixTime) {
        if self.completed_at.is_none_or(|known| known < at) {
            self.completed_at = Some(at);
            self.shown.is_outdated = true;
        }
    }

    pub(super) fn note_hook(&mut self, hook: Hook) {
        let Some(known) = &mut self.hook else {
            self.hook = Some(hook);
            self.shown.is_outdated = true;
            return;
        };
        let is_same = known.id == hook.id;
        if known.rank() < hook.rank() {
            let older = std::mem::replace(known, hook);
            self.shown.is_outdated = true;
            known.learn_from(&older, is_same);
        } else {
            known.learn_from(&hook, is_same);
        }
    }

    pub(super) fn note_answer(&mut self, answer: HookAnswer) {
        if self.decision.as_ref().is_none_or(|it| it.at < answer.at) {
            self.decision = Some(answer);
            self.shown.is_outdated = true;
        }
    }

    pub(super) fn learn_definition(&mut self, definition: &str) {
        learn(&mut self.to, definition, &mut self.shown);
    }

    pub(super) fn learn_from(&mut self, definition: &str) {
        if self.to.as_deref() != Some(definition) {
            learn(&mut self.from, definition, &mut self.shown);
        }
    }

    /// The revision that runs after a rollback. `None` if it is not known.
    pub fn goes_back_to(&self) -> Option<&str> {
        let from = self.from.as_deref().filter(|_| !self.from_is_incomplete);
        self.completed_before.as_deref().or(from)
    }

    pub(super) fn learn_completed_before(&mut self, definition: &str) {
        let definition = cut(definition, LONGEST_NAME);
        if self.completed_before.as_ref() != Some(&definition) {
            self.completed_before = Some(definition);
            self.shown.is_outdated = true;
        }
    }

    /// The call's answer knows better than the memory what ran before.
    pub(super) fn correct_from(&mut self, definition: &str) {
        let from = cut(definition, LONGEST_NAME);
        if self.to.as_ref() != Some(&from) && self.from.as_ref() != Some(&from) {
            self.from = Some(from);
            self.from_images.clear();
            self.shown.is_outdated = true;
        }
    }

    pub(super) fn learn_actor(&mut self, actor: &str) {
        learn(&mut self.actor, actor, &mut self.shown);
    }

    pub(super) fn learn_images(&mut self, images: &[String]) {
        if self.images.is_empty() && !images.is_empty() {
            self.images = cut_images(images.iter().map(String::as_str));
            self.shown.is_outdated = true;
        }
    }

    pub(super) fn learn_registration(&mut self, registration: &Registration) {
        if let Some(actor) = &registration.actor {
            learn(&mut self.registered_by, actor, &mut self.shown);
        }
        self.learn_images(&registration.images);
    }

    /// Leaves out what the message can do without.
    pub(super) fn shrink(&mut self) {
        self.images.clear();
        self.from_images.clear();
        self.hook = self.hook.take().map(|hook| Hook {
            reason: None,
            ..hook
        });
    }

    /// Decides what is due now. At most one turn: the latest state is what matters.
    pub(super) fn turns(&mut self, now: UnixTime, settings: &ThreadSettings) -> Option<Turn> {
        if self.is_open() && self.close_due().is_some_and(|due| due <= now) {
            self.is_closed = true;
            self.shown.is_outdated = true;
        }
        let reason = self.reason(now, settings)?;
        let severity = self.severity();
        let urgent = self.is_urgent(reason);
        let becomes_critical =
            severity == Severity::Critical && self.shown_severity < Severity::Critical;
        let mentions = becomes_critical && urgent;
        let names = match reason {
            Reason::Continued => self
                .decision
                .iter()
                .filter_map(|it| it.actor.clone())
                .collect(),
            _ => Vec::new(),
        };
        self.hook_shown = self
            .hook
            .as_ref()
            .filter(|it| it.has_failed())
            .map(hook_identity);
        self.answer_shown = self.decision.as_ref().map(|it| it.at);
        if reason == Reason::Opened || reason.is_turn() {
            self.shown_severity = severity;
        }
        self.shown.note(reason, Some(self.state()), now);
        let turn = Turn::new(reason, now, severity, urgent);
        Some(turn.with_mention(mentions).with_names(names))
    }

    fn reason(&self, now: UnixTime, settings: &ThreadSettings) -> Option<Reason> {
        let state = self.state();
        if !self.shown.is_open() {
            return Some(Reason::Opened);
        }
        let has_new_failure = self.hook.as_ref().is_some_and(|hook| {
            hook.has_failed() && self.hook_shown.as_ref() != Some(&hook_identity(hook))
        });
        // A hook that failed does not wait any more.
        if has_new_failure && state == ThreadState::InProgress && self.is_open() {
            return Some(Reason::HookFailed);
        }
        if self.shown.state != Some(state) {
            return Some(self.reason_of(state, now));
        }
        // The rollback was shown as a warning, and the failure comes later. One of the same minute is only an edit.
        let failed_at = self.failed.as_ref().map_or(self.shown.turn_at, |it| it.at);
        let is_worse = state == ThreadState::RollingBack
            && self.severity() > self.shown_severity
            && self.shown_severity > Severity::Info
            && failed_at.since(self.shown.turn_at) > SAME_FAILURE;
        match () {
            () if is_worse => Some(Reason::Failed),
            () if has_new_failure && self.is_open() => Some(Reason::HookFailed),
            () if self.is_closed && self.shown.is_outdated => Some(Reason::Learned),
            () if settings.has_edits && self.shown.edit_due().is_some_and(|due| due <= now) => {
                Some(Reason::Counted)
            }
            () => None,
        }
    }

    fn reason_of(&self, state: ThreadState, now: UnixTime) -> Reason {
        let was = self.shown.state;
        let is_answered = self.decision.as_ref().map(|it| it.at) != self.answer_shown;
        match state {
            ThreadState::Waiting if self.waits_at(now) => Reason::Waits,
            ThreadState::Waiting => Reason::Learned,
            ThreadState::RollingBack
                if was == Some(ThreadState::Failed)
                    && now.since(self.shown.turn_at) <= SAME_FAILURE =>
            {
                Reason::Learned
            }
            ThreadState::RollingBack => Reason::RollsBack,
            ThreadState::Failed if self.is_rolled_back() => match was {
                Some(ThreadState::RollingBack | ThreadState::Failed) => Reason::RolledBack,
                _ => Reason::Failed,
            },
            ThreadState::Failed | ThreadState::Stopped => Reason::Failed,
            ThreadState::Completed => Reason::Completed,
            ThreadState::InProgress if is_answered => Reason::Continued,
            _ => Reason::Learned,
        }
    }

    fn is_urgent(&self, reason: Reason) -> bool {
        match reason {
            Reason::Opened => {
                matches!(
                    self.state(),
                    ThreadState::Failed
                        | ThreadState::Stopped
                        | ThreadState::RollingBack
                        | ThreadState::Waiting
                ) || self.has_failed_hook()
            }
            Reason::Waits | Reason::HookFailed | Reason::RollsBack | Reason::Failed => true,
            _ => false,
        }
    }

    /// Somebody closed it.
    pub(super) fn close_by_hand(&mut self) {
        self.is_closed = true;
        self.is_closed_by_hand = true;
        self.shown.is_outdated = true;
    }

    /// When it must be looked at again.
    pub(super) fn wake_at(&self, settings: &ThreadSettings) -> Option<UnixTime> {
        let end = self.close_due().filter(|_| self.is_open());
        let edit = self.shown.edit_due().filter(|_| settings.has_edits);
        end.into_iter().chain(edit).min()
    }

    /// When nothing more is expected. An event may come days late, for example from a dead-letter queue, so the time
    /// counts from the message.
    fn close_due(&self) -> Option<UnixTime> {
        let opened_at = self.shown.opened_at?;
        Some(opened_at.max(self.started_at).plus(LONGEST))
    }
}

/// The first images, which are enough to say what changed.
pub(super) fn cut_images<'a>(images: impl Iterator<Item = &'a str>) -> Vec<String> {
    const MOST: usize = 3;
    let images = images.map(|it| cut(it, LONGEST_NAME));
    images.take(MOST).collect()
}

/// A hook is shown as failed once.
fn hook_identity(hook: &Hook) -> String {
    format!(
        "{} {}",
        hook.id.as_deref().unwrap_or_default(),
        hook.at.as_milliseconds()
    )
}

fn keep_earliest(known: &mut Option<Fact>, fact: Fact, shown: &mut Shown) {
    if known.as_ref().is_none_or(|it| fact.at < it.at) {
        *known = Some(fact);
        shown.is_outdated = true;
    }
}

fn learn(known: &mut Option<String>, text: &str, shown: &mut Shown) {
    if known.is_none() {
        *known = Some(cut(text, LONGEST_NAME));
        shown.is_outdated = true;
    }
}
