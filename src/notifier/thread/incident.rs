//! One problem of one service, family or container instance, whatever its causes.
//!
//! The facts are counts and the times of the latest failure and of the latest sign of a recovery. The state follows from
//! them, whatever order they came in. Only the resolution is a decision, because it depends on the clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Reason, ThreadId, ThreadKind, ThreadState, Turn};
use super::common::{Common, SharedFacts};
use super::deployment::Deployment;
use super::observation::Observation;
use super::service::Places;
use super::settings::ThreadSettings;
use super::shown::Shown;
use super::state::{ShownNotice, SubjectState};
use super::subject::{SubjectKey, SubjectKind};
use super::text::cut;
use super::unix_time::UnixTime;
use crate::ecs::diagnosis::{Cause, explain};
use crate::ecs::notice::{Facts, Notice};
use crate::notifier::policy::{Priority, Severity};

/// A deployment so long before the first failure is mentioned.
const DEPLOYED_BEFORE: Duration = Duration::from_secs(30 * 60);

/// An action of a person so long before the first failure is mentioned.
const TOUCHED_BEFORE: Duration = Duration::from_secs(2 * 60);

/// Without a sign of a recovery, an incident of a service is over after this time without a failure.
const QUIET: Duration = Duration::from_secs(30 * 60);

/// The same for a container instance.
const QUIET_INSTANCE: Duration = Duration::from_secs(24 * 3_600);

/// The last tasks of a deleted service stop within this time.
const LAST_STOPS: Duration = Duration::from_secs(15 * 60);

/// A failure from so long before the first one of an incident is no part of it: its event came late.
const LONGEST_DELAY: Duration = Duration::from_secs(6 * 3_600);

/// Failures so soon after the resolution belong to the same incident.
const COMES_BACK: Duration = Duration::from_secs(30 * 60);

/// A reminder says that the subject still fails, so a failure must be so recent.
const STILL: Duration = Duration::from_secs(2 * 60);

/// A reminder of such a step that finds no new failure comes with the next one.
const LONG_STEP: Duration = Duration::from_secs(3_600);

/// A failure that comes so late and happened before the resolution is only counted.
const LATE: Duration = Duration::from_secs(10 * 60);

/// Between two messages about a return.
const BETWEEN_RETURNS: Duration = Duration::from_secs(5 * 60);

/// The longest wait for a resolution.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// The longest names and words that are stored, in bytes.
const LONGEST_NAME: usize = 128;
const LONGEST_WORDS: usize = 200;

const MOST_CAUSES: usize = 12;
const MOST_TASKS: usize = 5;
const MOST_SIGNS: usize = 12;
const MOST_TOUCHES: usize = 5;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Incident {
    pub thread: ThreadId,
    /// The first failure and the last one.
    pub first_at: UnixTime,
    pub last_at: UnixTime,
    /// When the last failure arrived, which may be later.
    arrived_at: UnixTime,
    pub total: u32,
    pub causes: Vec<CauseCount>,
    worst: Severity,
    /// The first tasks that failed.
    pub tasks: Vec<String>,
    shared: SharedFacts,
    /// The failure that the message shows.
    pub newest: Option<Box<ShownNotice>>,
    newest_at: UnixTime,
    pub sign: Option<Sign>,
    pub sign_at: UnixTime,
    sign_seen_at: UnixTime,
    /// The latest signs. The first of them after the last failure is the recovery.
    signs: Vec<UnixTime>,
    pub resolved_at: Option<UnixTime>,
    pub resolution: Option<Resolution>,
    /// Who deleted the service.
    pub deleted_by: Option<String>,
    /// The subject is gone. A failure up to this time still belongs to the incident, a later one never does.
    final_until: Option<UnixTime>,
    pub returns: u32,
    /// From the resolution to the failure that came back, in milliseconds.
    return_after: Option<u64>,
    /// Whether somebody had closed it before it came back.
    pub was_closed_by_hand: bool,
    pub since_deployment: Option<SinceDeployment>,
    pub touches: Vec<Touch>,
    /// The storm that shows this incident.
    pub storm: Option<ThreadId>,
    /// What they have in common, by the places that were known at the last change.
    pub common: Vec<CommonFact>,
    /// The service's tasks at the resolution, if AWS was asked: running and desired.
    pub counts: Option<(i64, i64)>,
    /// When the service ran too few tasks at the end of a wait.
    quiet_from: UnixTime,
    pub shown: Shown,
    /// The number of failures at the last turn.
    turn_total: u32,
    new_causes: Vec<String>,
    shown_severity: Severity,
    step: u32,
    is_reminder_due: bool,
    waits_with_reminder: bool,
    return_shown_at: Option<UnixTime>,
    is_return_due: bool,
    /// Whether the cluster does not know yet that it opened or came back.
    is_unreported: bool,
    /// A storm has shown it from its beginning to its end.
    is_told: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseCount {
    /// The cause, the event's name or the health check's type.
    pub name: String,
    /// The cause in words that finish "the task …", if it is a task's.
    pub words: Option<String>,
    pub count: u32,
    last_at: UnixTime,
}

/// Why an incident may be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    SteadyState,
    Deployment,
    HealthOk,
    /// A scheduled task that started after the last failure has ended well.
    GoodEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// After a sign.
    Recovered,
    /// There were no more failures.
    Quiet,
    Deleted,
    Deregistered,
    ByHand,
}

/// What was deployed last before the first failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinceDeployment {
    thread: ThreadId,
    pub task_definition: Option<String>,
    pub actor: Option<String>,
    pub at: UnixTime,
}

/// What a person did to the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    pub at: UnixTime,
    pub actor: Option<String>,
    pub call: String,
}

/// A fact that failures share, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommonFact {
    pub fact: String,
    pub value: String,
    pub count: u32,
    pub of: u32,
}

impl From<Common> for CommonFact {
    fn from(common: Common) -> Self {
        let fact: &str = common.fact.into();
        Self {
            fact: fact.to_owned(),
            value: common.value,
            count: common.count,
            of: common.of,
        }
    }
}

/// Counts an urgent event. Returns false for any other event, and for one from long before the incident: that one is
/// posted by itself.
pub(super) fn observe_failure(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    now: UnixTime,
) -> bool {
    let Some(priority) = observation.urgent() else {
        return false;
    };
    let at = observation.at;
    let known = state.incident.as_deref();
    if known.is_some_and(|it| at.plus(LONGEST_DELAY) < it.first_at) {
        return false;
    }
    if !state.seen.is_new(observation.transition.as_ref()) {
        return true;
    }
    if !known.is_some_and(|it| it.includes(at)) {
        begin(key, state, at);
    }
    if let Some(incident) = state.incident.as_deref_mut() {
        incident.add(observation, priority, now);
        incident.find_common(&state.service.places);
    }
    if let (Some(incident), Some(gone_at)) = (&mut state.incident, state.service.gone_at)
        && incident.first_at < gone_at
    {
        incident.end_by_deletion(None, gone_at, now);
    }
    note_background(state);
    true
}

/// Begins a new incident. The one before is over, but perhaps this was not shown yet.
fn begin(key: &SubjectKey, state: &mut SubjectState, at: UnixTime) {
    let mut incident = Box::new(Incident::open(key, at));
    if let Some((sign, sign_at)) = state.service.last_sign {
        incident.note_sign(sign, sign_at);
    }
    if let Some(mut old) = state.incident.replace(incident) {
        old.shared = SharedFacts::default();
        state.ended = Some(old);
    }
}

/// Notes a sign of a recovery. It is remembered for a failure that happened before it and comes after it.
pub(super) fn note_sign(state: &mut SubjectState, sign: Sign, at: UnixTime) {
    let known = &mut state.service.last_sign;
    if known.is_none_or(|(_, known)| known < at) {
        *known = Some((sign, at));
    }
    if let Some(incident) = &mut state.incident {
        incident.note_sign(sign, at);
    }
}

/// Tells the incident what people did shortly before, and what was deployed before.
pub(super) fn note_background(state: &mut SubjectState) {
    let Some(incident) = state.incident.as_deref_mut().filter(|it| !it.is_over()) else {
        return;
    };
    for touch in &state.service.touches {
        incident.note_touch(touch);
    }
    for deployment in [&state.replaced, &state.deployment].into_iter().flatten() {
        incident.note_deployment(deployment);
    }
}

/// Tells the incident of a family about a task that ended well. Returns whether the incident goes on: the good end is not
/// posted by itself then.
pub(super) fn observe_good_end(
    state: &mut SubjectState,
    started_at: UnixTime,
    now: UnixTime,
) -> bool {
    let incident = state.incident.as_deref();
    let goes_on = incident.is_some_and(|it| !it.is_over());
    note_sign(state, Sign::GoodEnd, started_at);
    if let Some(incident) = state.incident.as_deref_mut().filter(|it| !it.is_over()) {
        incident.sign_seen_at = incident.sign_seen_at.max(now);
    }
    goes_on
}

impl Incident {
    fn open(key: &SubjectKey, at: UnixTime) -> Self {
        let beginning = at.as_milliseconds().to_string();
        Self {
            thread: ThreadId::new(ThreadKind::Incident, key, &beginning),
            first_at: at,
            last_at: at,
            is_unreported: true,
            ..Self::default()
        }
    }

    pub fn state(&self) -> ThreadState {
        match self.resolved_at {
            Some(_) => ThreadState::Resolved,
            None if self.sign_at > self.last_at => ThreadState::Recovering,
            None => ThreadState::Open,
        }
    }

    pub fn severity(&self) -> Severity {
        match self.state() {
            ThreadState::Resolved => Severity::Success,
            _ => self.worst,
        }
    }

    pub fn is_over(&self) -> bool {
        self.resolved_at.is_some()
    }

    /// When it was over: the sign, or the last failure.
    pub fn ended_at(&self) -> UnixTime {
        self.sign_at.max(self.last_at)
    }

    /// When it recovered: at the first sign after the last failure.
    pub fn recovered_at(&self) -> UnixTime {
        let mut signs = self.signs.iter().filter(|at| **at > self.last_at);
        signs.next().copied().unwrap_or_else(|| self.ended_at())
    }

    /// Whether a failure at this time belongs to this incident.
    fn includes(&self, at: UnixTime) -> bool {
        match (self.resolved_at, self.final_until) {
            (None, _) => true,
            (Some(_), _) if at <= self.ended_at() => true,
            (Some(_), Some(until)) => at <= until,
            (Some(resolved_at), None) => at <= resolved_at.plus(COMES_BACK),
        }
    }

    fn add(&mut self, observation: &Observation<'_>, priority: Priority, now: UnixTime) {
        let at = observation.at;
        if let Some(resolved_at) = self.resolved_at
            && at > self.ended_at()
            && self.final_until.is_none()
            && !(at <= resolved_at && now.since(at) > LATE)
        {
            self.come_back(at.since(resolved_at));
        }
        self.total = self.total.saturating_add(1);
        self.first_at = self.first_at.min(at);
        self.since_deployment = self
            .since_deployment
            .take()
            .filter(|it| it.at <= self.first_at);
        self.last_at = self.last_at.max(at);
        self.arrived_at = self.arrived_at.max(now);
        self.worst = self.worst.max(priority.severity);
        self.count_cause(observation, priority);
        self.shared.add(observation);
        if let Some(task) = observation.notice.subject.task_short()
            && self.tasks.len() < MOST_TASKS
        {
            self.tasks.push(cut(&task, LONGEST_NAME));
        }
        // A task's end says more than an event of the scheduler about its tasks.
        let is_task = observation.task().is_some();
        let shows_task = self.newest.as_ref().is_some_and(|it| it.is_of_task());
        if self.newest.is_none()
            || (is_task && !shows_task)
            || (is_task == shows_task && at >= self.newest_at)
        {
            self.newest = Some(ShownNotice::new(observation.notice, priority));
            self.newest_at = at;
        }
        self.shown.is_outdated = true;
        self.is_told &= self.is_over();
    }

    fn come_back(&mut self, after: Duration) {
        self.is_told = false;
        self.return_after = u64::try_from(after.as_millis()).ok();
        self.resolved_at = None;
        self.was_closed_by_hand = self.resolution == Some(Resolution::ByHand);
        self.resolution = None;
        self.counts = None;
        self.returns = self.returns.saturating_add(1);
        self.is_return_due = true;
        self.is_unreported = true;
    }

    fn count_cause(&mut self, observation: &Observation<'_>, priority: Priority) {
        let (name, words) = cause_of(observation.notice, priority);
        let name = cut(&name, LONGEST_NAME);
        let words = words.map(|it| cut(&it, LONGEST_WORDS));
        let at = observation.at;
        if let Some(known) = self.causes.iter_mut().find(|it| it.name == name) {
            known.count = known.count.saturating_add(1);
            if at >= known.last_at {
                known.last_at = at;
                known.words = words;
            }
            return;
        }
        if self.causes.len() >= MOST_CAUSES {
            return;
        }
        if self.is_news(&name) {
            self.new_causes.push(name.clone());
        }
        self.causes.push(CauseCount {
            name,
            words,
            count: 1,
            last_at: at,
        });
    }

    /// Whether a new cause makes it worse. That tasks do not start consistently only follows from their failures.
    fn is_news(&self, name: &str) -> bool {
        let is_of_task = |it: &CauseCount| it.name.parse::<Cause>().is_ok();
        let follows = name == "SERVICE_TASK_START_IMPAIRED";
        !(follows && self.causes.iter().any(is_of_task))
    }

    pub(super) fn note_sign(&mut self, sign: Sign, at: UnixTime) {
        if self.is_over() {
            return;
        }
        if let Err(place) = self.signs.binary_search(&at) {
            self.signs.insert(place, at);
            let excess = self.signs.len().saturating_sub(MOST_SIGNS);
            self.signs.drain(..excess);
        }
        if at <= self.sign_at {
            return;
        }
        self.sign_at = at;
        self.sign = Some(sign);
        if at > self.last_at {
            self.shown.is_outdated = true;
        }
    }

    pub(super) fn note_touch(&mut self, touch: &Touch) {
        let is_near = touch.at >= self.first_at.minus(TOUCHED_BEFORE);
        if is_near && !self.is_over() && !self.touches.contains(touch) {
            self.touches.push(touch.clone());
            self.touches.sort_by_key(|it| it.at);
            let excess = self.touches.len().saturating_sub(MOST_TOUCHES);
            self.touches.drain(..excess);
        }
    }

    /// Notes the last deployment before the first failure.
    pub(super) fn note_deployment(&mut self, deployment: &Deployment) {
        let at = deployment.started_at;
        let is_before = at <= self.first_at && self.first_at.since(at) <= DEPLOYED_BEFORE;
        let since = SinceDeployment {
            thread: deployment.thread.clone(),
            task_definition: deployment.to.clone(),
            actor: deployment.actor.clone(),
            at,
        };
        // The same deployment may be known better now.
        let is_news = self
            .since_deployment
            .as_ref()
            .is_none_or(|known| known.at <= at || known.thread == since.thread);
        if is_before && is_news && self.since_deployment.as_ref() != Some(&since) {
            self.since_deployment = Some(since);
            self.shown.is_outdated = true;
        }
    }

    fn find_common(&mut self, places: &Places) {
        let common = self.shared.in_common(self.shared.tasks(), places);
        self.common = common.into_iter().map(CommonFact::from).collect();
    }

    pub(super) fn shared(&self) -> &SharedFacts {
        &self.shared
    }

    /// The service was deleted. Returns whether that ends an open incident. Its last tasks may still fail while they
    /// stop.
    pub(super) fn end_by_deletion(
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
    pub(super) fn end_by_deregistration(&mut self, at: UnixTime, now: UnixTime) {
        if !self.is_over() && at > self.last_at {
            self.sign_at = self.sign_at.max(at);
            self.resolve(Resolution::Deregistered, now);
        }
    }

    /// Somebody closed it.
    pub(super) fn end_by_hand(&mut self, at: UnixTime) {
        self.sign_at = self.sign_at.max(at);
        self.resolve(Resolution::ByHand, at);
    }

    /// A service with the same name was made anew.
    pub(super) fn end_for_good(&mut self, at: UnixTime) {
        if at <= self.last_at {
            return;
        }
        self.final_until = Some(at);
        if !self.is_over() {
            self.resolve(Resolution::Deleted, self.last_at);
        }
    }

    fn resolve(&mut self, resolution: Resolution, at: UnixTime) {
        self.resolved_at = Some(at);
        self.resolution = Some(resolution);
        self.shown.is_outdated = true;
    }

    /// Does what the passing of time does: reminders become due, and the incident ends.
    pub(super) fn pass(
        &mut self,
        until: UnixTime,
        kind: SubjectKind,
        counts: Option<(i64, i64)>,
        settings: &ThreadSettings,
    ) {
        self.pass_steps(until, settings);
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
    pub(super) fn needs_counts(&self, now: UnixTime, settings: &ThreadSettings) -> bool {
        let due = self.resolve_due(SubjectKind::Service, settings);
        settings.may_ask && !self.is_over() && due.is_some_and(|due| due <= now)
    }

    fn pass_steps(&mut self, until: UnixTime, settings: &ThreadSettings) {
        let Some(opened_at) = self.shown.opened_at else {
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

    /// How long there must be no failure. Each return doubles it.
    fn wait(&self, settings: &ThreadSettings) -> Duration {
        let factor = 1_u32.checked_shl(self.returns).unwrap_or(u32::MAX);
        let wait = settings.resolve_after.saturating_mul(factor);
        wait.min(LONGEST_WAIT.max(settings.resolve_after))
    }

    fn resolve_due(&self, kind: SubjectKind, settings: &ThreadSettings) -> Option<UnixTime> {
        if self.is_over() {
            return None;
        }
        let wait = self.wait(settings);
        let quiet = match kind {
            SubjectKind::Instance => QUIET_INSTANCE,
            _ => QUIET.max(wait),
        };
        let is_recovering = self.state() == ThreadState::Recovering;
        let due = match (kind, is_recovering) {
            (SubjectKind::Family, true) => self.last_at.plus(quiet).max(self.sign_seen_at),
            (SubjectKind::Family, false) => return None,
            (_, true) => self.sign_at.plus(wait),
            (_, false) => self.last_at.max(self.quiet_from).plus(quiet),
        };
        // An event that came late must not end its incident at once.
        Some(due.max(self.arrived_at.plus(settings.resolve_after)))
    }

    /// Decides what is due now.
    pub(super) fn turns(&mut self, now: UnixTime, settings: &ThreadSettings) -> Option<Turn> {
        let state = self.state();
        let has_failures = self.total > self.turn_total;
        if state == ThreadState::Open && has_failures {
            self.is_reminder_due |= std::mem::take(&mut self.waits_with_reminder);
        }
        let reason = match self.storm {
            Some(_) => self.reason_in_storm(now, settings),
            None => self.reason(now, settings),
        }?;
        let turn = self.turn(reason, now);
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
            () if is_worse => Some(Reason::Worse),
            () if self.is_reminder_due && self.fails_at(now) => Some(Reason::Reminder),
            () if self.shown.state != Some(state) => Some(Reason::Learned),
            () => self.edit(now, settings),
        }
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

    fn turn(&self, reason: Reason, now: UnixTime) -> Turn {
        let severity = self.severity();
        let urgent = matches!(
            reason,
            Reason::Opened | Reason::Worse | Reason::CameBack | Reason::Reminder
        );
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
        let Some(opened_at) = self.shown.opened_at else {
            return;
        };
        while settings
            .step(self.step)
            .is_some_and(|step| opened_at.plus(step) <= now)
        {
            self.step += 1;
        }
    }

    /// Whether the cluster must know about the incident: it opened or came back, or it is part of a storm.
    pub(super) fn reports(&self) -> bool {
        self.is_unreported || self.storm.is_some()
    }

    pub(super) fn is_new(&self) -> bool {
        self.is_unreported
    }

    pub(super) fn note_reported(&mut self) {
        self.is_unreported = false;
    }

    /// The incident becomes a part of a storm, which shows it from now on.
    pub(super) fn join(&mut self, storm: &ThreadId) {
        self.storm = Some(storm.clone());
        self.shown.is_outdated = true;
    }

    /// The storm is over. An incident that goes on is shown again. One that is over, or has not failed for long, was
    /// shown by the storm.
    pub(super) fn leave_storm(&mut self, now: UnixTime) {
        if self.storm.take().is_none() {
            return;
        }
        if self.is_over() || now.since(self.last_at) > QUIET {
            self.is_told = !self.shown.is_open();
            return;
        }
        self.is_return_due = true;
        self.return_after = None;
        self.return_shown_at = None;
    }

    /// When it opened, or came back.
    pub(super) fn began_at(&self) -> UnixTime {
        match self.returns {
            0 => self.first_at,
            _ => self.last_at,
        }
    }

    /// Whether its end was shown some time ago.
    pub(super) fn has_been_shown(&self, now: UnixTime) -> bool {
        const LONG_AGO: Duration = Duration::from_secs(3_600);
        !self.shown.is_outdated && now.since(self.shown.edited_at) >= LONG_AGO
    }

    /// Leaves out what the message can do without.
    pub(super) fn shrink(&mut self) {
        if let Some(newest) = &mut self.newest {
            newest.shrink();
        }
        self.shared = SharedFacts::default();
        self.touches.clear();
    }

    /// When it must be looked at again.
    pub(super) fn wake_at(&self, kind: SubjectKind, settings: &ThreadSettings) -> Option<UnixTime> {
        let resolve = self.resolve_due(kind, settings);
        let edit = self.shown.edit_due().filter(|_| settings.has_edits);
        let step = self.step_due(settings);
        let is_return_due = self.is_return_due && !self.is_over() && self.storm.is_none();
        let back = is_return_due.then(|| {
            let shown_at = self.return_shown_at.map(|at| at.plus(BETWEEN_RETURNS));
            shown_at.unwrap_or_default()
        });
        [resolve, edit, step, back].into_iter().flatten().min()
    }

    /// A step matters only if there is something to remind of.
    fn step_due(&self, settings: &ThreadSettings) -> Option<UnixTime> {
        let has_failures = self.total > self.turn_total;
        let is_open = self.state() == ThreadState::Open && self.storm.is_none();
        let opened_at = self.shown.opened_at.filter(|_| has_failures && is_open)?;
        Some(opened_at.plus(settings.step(self.step)?))
    }
}

/// The cause of a failure: its name, and its words if it is a task's.
fn cause_of(notice: &Notice, priority: Priority) -> (String, Option<String>) {
    let name = |text: &Option<String>| text.clone().unwrap_or_else(|| notice.kind.to_string());
    match (&notice.facts, priority.cause) {
        (Facts::Task(task), Some(cause)) => (cause.to_string(), Some(explain(cause, task).words)),
        (_, Some(cause)) => (cause.to_string(), None),
        (Facts::Service(service), None) => (name(&service.event_name), None),
        (Facts::Unknown(unknown), None) => (name(&unknown.event_name), None),
        (Facts::Instance(instance), None) => (name(&instance.status), None),
        (Facts::Health(health), None) => {
            let status = health.overall_status.as_ref();
            let mut checks = health.health_checks.iter();
            let check = checks.find(|it| it.status.as_ref() == status);
            (name(&check.and_then(|it| it.kind.clone())), None)
        }
        (Facts::Call(call), None) => {
            let code = call.error.as_ref().map(|it| it.code.clone());
            let words = code
                .as_ref()
                .map(|code| format!("{} was refused: {code}", call.name));
            (name(&code), words)
        }
        (Facts::Task(_) | Facts::Hook(_) | Facts::Foreign, None) => (notice.kind.to_string(), None),
    }
}
