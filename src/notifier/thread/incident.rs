//! One problem of one service, family or container instance, whatever its causes.
//!
//! The facts are counts and the times of the latest failure and of the latest sign of a recovery. The state follows from
//! them, whatever order they came in. Only the resolution is a decision, because it depends on the clock.

mod alarms;
mod clock;
mod missed;
mod observe;
mod turns;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{ThreadId, ThreadKind, ThreadState};
use super::deployment::Deployment;
use super::escalation::Escalation;
use super::host::HostTrouble;
use super::observation::Observation;
use super::shared_facts::{Common, Places, SharedFacts};
use super::shown::Shown;
use super::state::ShownNotice;
use super::subject::SubjectKey;
use super::text::cut;
use super::unix_time::UnixTime;
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::{Facts, Notice};
use crate::ecs::service_events::follows_from_failures;
use crate::notifier::policy::{Priority, Severity};

pub(super) use alarms::AlarmEnd;
pub(super) use alarms::observe_alarm;
pub use alarms::{AlarmEndType, AlarmPart, is_alarm};
pub(super) use missed::observe_missed;
pub use observe::cause_name;
pub(super) use observe::{
    cause_of, note_background, note_host_trouble, note_sign, observe_failure, observe_good_end,
};

/// A deployment so long before the first failure is mentioned.
const DEPLOYED_BEFORE: Duration = Duration::from_secs(30 * 60);

/// An action of a person so long before the first failure is mentioned.
const TOUCHED_BEFORE: Duration = Duration::from_secs(2 * 60);

/// Without a sign of a recovery, an incident of a service is over after this time without a failure.
const QUIET: Duration = Duration::from_secs(30 * 60);

/// A failure from so long before the first one of an incident is no part of it: its event came late.
const LONGEST_DELAY: Duration = Duration::from_secs(6 * 3_600);

/// Failures so soon after the resolution belong to the same incident.
const COMES_BACK: Duration = Duration::from_secs(30 * 60);

/// A failure that comes so late and happened before the resolution is only counted.
const LATE: Duration = Duration::from_secs(10 * 60);

/// Between two messages about a return.
const BETWEEN_RETURNS: Duration = Duration::from_secs(5 * 60);

/// The longest names and words that are stored, in bytes.
const LONGEST_NAME: usize = 128;
const LONGEST_WORDS: usize = 200;

const MOST_CAUSES: usize = 12;
const MOST_TASKS: usize = 5;
const MOST_SIGNS: usize = 12;
const MOST_TOUCHES: usize = 5;
const MOST_HOSTS: usize = 2;

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
    /// Whether a failure was urgent. Alarms of target tracking are not.
    urgent: bool,
    /// The alarms that are parts of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<AlarmPart>,
    /// More alarms were on than are stored.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    has_other_alarms: bool,
    /// The last failure that is not an alarm, nor the maximum of the scaling.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_at: Option<UnixTime>,
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
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
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub was_closed_by_hand: bool,
    pub since_deployment: Option<SinceDeployment>,
    pub touches: Vec<Touch>,
    /// The problems of the container instances on which tasks failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostTrouble>,
    /// The deployment that ended last.
    #[serde(skip_serializing_if = "Option::is_none")]
    deployed: Option<Deployed>,
    /// The deployment that ended while it failed, and after which tasks of the new revision fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setback: Option<Deployed>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_setback_due: bool,
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
    /// When the first task failed after alarms had opened it. The reminders begin anew then.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<UnixTime>,
    /// When the first urgent failure joined those that were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    urgent_since: Option<UnixTime>,
    #[serde(skip_serializing_if = "Escalation::is_empty")]
    pub escalation: Escalation,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_reminder_due: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    waits_with_reminder: bool,
    return_shown_at: Option<UnixTime>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_return_due: bool,
    /// Whether the cluster does not know yet that it opened or came back.
    is_unreported: bool,
    /// A storm has shown it from its beginning to its end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_told: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseCount {
    /// The cause, the event's name, the health check's type, or `alarm` and the alarm's name.
    pub name: String,
    /// The cause in words that finish "the task …", if it is a task's. Of a placement that failed, what is missing.
    pub words: Option<String>,
    pub count: u32,
    last_at: UnixTime,
    /// The count at the last return.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub before: u32,
}

impl CauseCount {
    /// As it is counted since the incident came back.
    pub fn since_return(&self) -> Self {
        Self {
            count: self.count.saturating_sub(self.before),
            ..self.clone()
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
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
    /// No alarm is on any more.
    AlarmOk,
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
    /// The configuration does not expect it any more.
    NotExpected,
}

/// What was deployed last before the first failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinceDeployment {
    thread: ThreadId,
    pub task_definition: Option<String>,
    pub actor: Option<String>,
    pub at: UnixTime,
}

/// A deployment that ended while the service failed, and may be why it recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    pub revision: String,
    pub actor: Option<String>,
    pub is_rollback: bool,
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

/// Whether an event only follows from tasks that failed, or says less than they do.
fn only_follows(notice: &Notice) -> bool {
    match &notice.facts {
        Facts::Service(service) => {
            let name = service.event_name.as_deref();
            name.is_some_and(follows_from_failures)
        }
        Facts::Alarm(_) | Facts::Scaling(_) => true,
        _ => false,
    }
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
            None if self.has_alarm() => ThreadState::Open,
            None if self.sign_at > self.last_at => ThreadState::Recovering,
            None => ThreadState::Open,
        }
    }

    pub fn severity(&self) -> Severity {
        match self.state() {
            // Nobody knows whether the problem of such alarms is over.
            ThreadState::Resolved if self.is_quiet_alarm() => Severity::Info,
            ThreadState::Resolved => Severity::Success,
            _ => self.worst,
        }
    }

    pub fn has_been_urgent(&self) -> bool {
        self.urgent
    }

    pub fn is_over(&self) -> bool {
        self.resolved_at.is_some()
    }

    /// The last sign, or the last failure.
    pub(super) fn ended_at(&self) -> UnixTime {
        self.sign_at.max(self.last_at)
    }

    /// When it was over, as the message says it.
    pub fn over_at(&self) -> UnixTime {
        match self.resolution {
            Some(Resolution::Recovered) | None => self.recovered_at(),
            Some(Resolution::Quiet) => self.last_at,
            Some(
                Resolution::Deleted
                | Resolution::Deregistered
                | Resolution::ByHand
                | Resolution::NotExpected,
            ) => self.ended_at(),
        }
    }

    /// When it recovered: at the first sign after the last failure.
    fn recovered_at(&self) -> UnixTime {
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
        self.note_urgency(priority, now);
        if !matches!(
            observation.notice.facts,
            Facts::Alarm(_) | Facts::Scaling(_)
        ) {
            self.note_failed(at, now);
        }
        self.count_cause(observation, priority);
        if let Some(deployed) = self.setback_by(observation) {
            self.setback = Some(deployed);
            self.is_setback_due = true;
            // What they have in common is asked anew.
            self.shared = SharedFacts::default();
        }
        self.shared.add(observation);
        if let Some(task) = observation.notice.subject.task_short()
            && self.tasks.len() < MOST_TASKS
        {
            self.tasks.push(cut(&task, LONGEST_NAME));
        }
        // A failure says more than what only follows from failures.
        let follows = only_follows(observation.notice);
        let shown_follows = self.newest.as_ref().map(|it| only_follows(&it.notice));
        if shown_follows.is_none_or(|it| it && !follows || it == follows && at >= self.newest_at) {
            self.newest = Some(ShownNotice::new(observation.notice, priority));
            self.newest_at = at;
        }
        self.shown.is_outdated = true;
        self.is_told &= self.is_over();
    }

    fn note_urgency(&mut self, priority: Priority, now: UnixTime) {
        if priority.urgent && !self.urgent && self.shown.is_open() {
            self.urgent_since = Some(now);
        }
        self.urgent |= priority.urgent;
    }

    fn note_failed(&mut self, at: UnixTime, now: UnixTime) {
        if self.failed_at.is_none() && self.shown.is_open() {
            self.failing_since = Some(now);
            self.step = 0;
        }
        self.failed_at = self.failed_at.max(Some(at));
    }

    fn come_back(&mut self, after: Duration) {
        self.is_told = false;
        self.return_after = u64::try_from(after.as_millis()).ok();
        self.resolved_at = None;
        self.was_closed_by_hand = self.resolution == Some(Resolution::ByHand);
        self.resolution = None;
        self.counts = None;
        self.returns = self.returns.saturating_add(1);
        for cause in &mut self.causes {
            cause.before = cause.count;
        }
        self.is_return_due = true;
        self.is_unreported = true;
    }

    fn count_cause(&mut self, observation: &Observation<'_>, priority: Priority) {
        let (name, words) = cause_of(observation.notice, priority);
        let longest = match is_alarm(&name) {
            true => alarms::LONGEST_CAUSE,
            false => LONGEST_NAME,
        };
        let name = cut(&name, longest);
        let words = self.distinct(&name, words);
        let words = words.map(|it| cut(&it, LONGEST_WORDS));
        let at = observation.at;
        if let Some(known) = self.causes.iter_mut().find(|it| it.name == name) {
            known.count = known.count.saturating_add(1);
            let is_of_service = matches!(observation.notice.facts, Facts::Service(_));
            if is_of_service && known.words != words {
                // What is missing is said of all of them, so it is left out if it differs.
                known.words = None;
            } else if at >= known.last_at {
                known.words = words;
            }
            known.last_at = known.last_at.max(at);
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
            before: 0,
        });
    }

    /// Whether a new cause makes it worse. That tasks do not start consistently only follows from their failures.
    fn is_news(&self, name: &str) -> bool {
        let is_of_task = |it: &CauseCount| it.name.parse::<Cause>().is_ok();
        !(follows_from_failures(name) && self.causes.iter().any(is_of_task))
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

    /// Notes the problem of an instance once, with its earliest time.
    fn note_host(&mut self, trouble: HostTrouble) {
        let is_same = |it: &HostTrouble| it.instance == trouble.instance && it.what == trouble.what;
        let is_known = self.hosts.iter().any(is_same);
        if !is_known && !self.is_over() && self.hosts.len() < MOST_HOSTS {
            self.hosts.push(trouble);
            self.shown.is_outdated = true;
        }
    }

    pub(super) fn note_deployed(&mut self, deployed: Deployed) {
        let is_later = |known: &Deployed| known.at < deployed.at;
        let is_after = deployed.at > self.first_at;
        if is_after && !self.is_over() && self.deployed.as_ref().is_none_or(is_later) {
            self.deployed = Some(deployed);
        }
    }

    /// The deployment that was to end the problem, if a task of its revision fails after it for the first time.
    fn setback_by(&self, observation: &Observation<'_>) -> Option<Deployed> {
        let deployed = self.deployed.as_ref()?;
        let is_known = self.setback.as_ref().is_some_and(|it| it.at >= deployed.at);
        let revision = observation.notice.subject.task_definition();
        let is_of_it = revision.as_ref() == Some(&deployed.revision);
        (is_of_it && !is_known && observation.at > deployed.at).then(|| deployed.clone())
    }

    /// The deployment after the last failure.
    pub fn recovered_with(&self) -> Option<&Deployed> {
        self.deployed.as_ref().filter(|it| it.at > self.last_at)
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

    /// Whether the cluster must know about the incident: it opened or came back, or it is part of a storm.
    pub(super) fn reports(&self) -> bool {
        self.is_unreported && self.urgent || self.storm.is_some()
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

    /// The failure that the message shows, and when it happened.
    pub(super) fn newest(&self) -> Option<(&ShownNotice, UnixTime)> {
        Some((self.newest.as_deref()?, self.newest_at))
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
}
