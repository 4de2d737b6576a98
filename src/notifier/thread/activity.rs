//! What is not urgent and comes in dozens, and calls that one actor repeats: one message that counts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Reason, ThreadId, ThreadKind, Turn};
use super::observation::Observation;
use super::settings::ThreadSettings;
use super::shown::Shown;
use super::state::{ShownNotice, SubjectState};
use super::subject::{SubjectKey, SubjectKind};
use super::text::cut;
use super::unix_time::UnixTime;
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::{CallFacts, Facts, Kind, Notice};
use crate::notifier::dedup::Transition;
use crate::notifier::policy::{Priority, Severity};

/// An activity ends after this time without another event.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

const MOST_COUNTS: usize = 12;

/// The most tasks whose call is waited for.
const MOST_UNEXPLAINED: usize = 20;

/// The longest name of an event or a call that is stored, in bytes.
const LONGEST_DETAIL: usize = 100;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Activity {
    pub thread: ThreadId,
    pub first_at: UnixTime,
    pub last_at: UnixTime,
    arrived_at: UnixTime,
    pub counts: Vec<ActivityCount>,
    pub total: u32,
    severity: Option<Severity>,
    pub urgent: bool,
    /// The event that the message shows if it is the only one.
    pub newest: Option<Box<ShownNotice>>,
    pub is_of_instances: bool,
    /// The calls that were posted by themselves: their identity and their time.
    single_calls: Vec<(String, UnixTime)>,
    pub shown: Shown,
    pub turn_total: u32,
    step: u32,
    is_summary_due: bool,
    /// The tasks that somebody stopped since the last message. A late call may say who.
    unexplained: Vec<String>,
    /// Calls say who stopped the tasks, but they are late. The next summary waits for the rest of them.
    has_late_calls: bool,
    is_closed: bool,
}

/// The number of equal events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityCount {
    pub kind: Kind,
    /// The cause, the status, the call or the event's name.
    pub detail: Option<String>,
    pub count: u32,
}

/// The activity that an event belongs to, if no other thread takes it.
pub(super) fn subject(observation: &Observation<'_>) -> Option<SubjectKey> {
    let priority = observation.priority()?;
    let notice = observation.notice;
    let key = |name: &str| Some(SubjectKey::new(SubjectKind::Activity, notice, name));
    if is_of_instances(notice, priority) {
        return key("instances");
    }
    match &notice.facts {
        Facts::Call(call) => key(&name_of_calls(notice, call)),
        Facts::Task(_) | Facts::Service(_) if !priority.urgent => {
            let subject = &notice.subject;
            let workload = match (&subject.service, &subject.family) {
                (Some(service), _) => format!("service {service}"),
                (None, Some(family)) => format!("family {family}"),
                (None, None) => "tasks".to_owned(),
            };
            let is_deployment = matches!(notice.kind, Kind::Deployment | Kind::DeploymentHook);
            key(&format!("{} {workload}", notice.kind)).filter(|_| !is_deployment)
        }
        // Demand that changes often takes a service to its maximum again and again.
        Facts::Scaling(_) => {
            let service = notice.subject.service.as_deref().unwrap_or("-");
            key(&format!("{} service {service}", notice.kind))
        }
        // Auto Scaling tries again and again.
        Facts::Host(host) if notice.kind == Kind::InstanceLaunchFailed => {
            let group = host.group.as_deref().unwrap_or("-");
            key(&format!("{} group {group}", notice.kind))
        }
        Facts::Task(_)
        | Facts::Service(_)
        | Facts::Instance(_)
        | Facts::Health(_)
        | Facts::Hook(_)
        | Facts::Host(_)
        | Facts::Rollout(_)
        | Facts::AwsHealth(_)
        | Facts::Alarm(_)
        | Facts::Unknown(_)
        | Facts::Missed(_)
        | Facts::Foreign => None,
    }
}

/// From this call on, equal calls within an hour are counted. The ones before are posted by themselves. `has_shown_effect`:
/// CloudTrail's event is late, and what the call did has been shown already.
pub(super) fn first_counted_call(has_shown_effect: bool) -> usize {
    match has_shown_effect {
        true => 2,
        false => 3,
    }
}

/// The activity that has counted the stop of a service's task, if its event came before the call that asked for it.
pub(super) fn stops(observation: &Observation<'_>) -> Option<SubjectKey> {
    observation.priority()?;
    let notice = observation.notice;
    let Facts::Call(call) = &notice.facts else {
        return None;
    };
    let is_stop = call.name == "StopTask" && call.error.is_none();
    let service = notice.subject.service.as_deref().filter(|_| is_stop)?;
    let name = format!("{} service {service}", Kind::TaskStopped);
    Some(SubjectKey::new(SubjectKind::Activity, notice, &name))
}

pub(super) fn has_counted_stop(state: &SubjectState, observation: &Observation<'_>) -> bool {
    let stop = Transition::of_stop(observation.notice);
    stop.is_some_and(|it| state.seen.has(Some(&it)))
}

/// The message of the call says more than a summary of the stops.
pub(super) fn explain_stop(state: &mut SubjectState, observation: &Observation<'_>) {
    let task = observation.notice.subject.task.as_deref();
    if let Some((activity, task)) = state.activity.as_mut().zip(task) {
        activity.explain_stop(&cut(task, LONGEST_DETAIL));
    }
}

/// The family whose tasks an activity counts.
pub(super) fn family_of(key: &SubjectKey) -> Option<SubjectKey> {
    let prefix = format!("{} family ", Kind::TaskStopped);
    let family = key.name.strip_prefix(&prefix)?;
    Some(SubjectKey {
        kind: SubjectKind::Family,
        name: family.to_owned(),
        ..key.clone()
    })
}

/// All of a cluster's instances together, and the tasks that leave with them. What a person decides is a call like others.
fn is_of_instances(notice: &Notice, priority: Priority) -> bool {
    let is_kind = matches!(
        notice.kind,
        Kind::InstanceRegistered
            | Kind::InstanceDeregistered
            | Kind::InstanceState
            | Kind::InstanceHealth
            | Kind::InstanceInterruption
    );
    let leaves =
        priority.cause == Some(Cause::HostGone) && notice.subject.container_instance.is_some();
    let has_failed = matches!(&notice.facts, Facts::Call(call) if call.error.is_some());
    !priority.urgent && !has_failed && !is_decision(notice) && (is_kind || leaves)
}

/// Whether a person, or a person's tool, decided something about an instance.
pub(super) fn is_decision(notice: &Notice) -> bool {
    let by_person = notice.actor.as_ref().is_some_and(|it| !it.is_service);
    matches!(&notice.facts, Facts::Call(_)) && by_person && notice.kind != Kind::InstanceRegistered
}

/// Refused calls are equal if actor, call and error are. Other calls are equal if they are about the same service.
fn name_of_calls(notice: &Notice, call: &CallFacts) -> String {
    let actor = notice.actor.as_ref().map_or("-", |it| it.name.as_str());
    let actor = without_numbers(actor);
    match &call.error {
        Some(error) => format!("refused {} {} {actor}", call.name, error.code),
        None => {
            let service = notice.subject.service.as_deref().unwrap_or("-");
            format!("calls {} {service} {actor}", call.name)
        }
    }
}

/// The name without the numbers that make each session of a job different: `build-*` for `build-9f8c1d20`.
fn without_numbers(name: &str) -> String {
    const SHORTEST: usize = 6;
    let is_of_number = |it: char| it.is_ascii_hexdigit() || it == '-';
    let mut text = String::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let is_number = is_of_number(first);
        let end = rest.find(|it| is_of_number(it) != is_number);
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
        let has_digit = part.contains(|it: char| it.is_ascii_digit());
        match is_number && has_digit && part.len() >= SHORTEST {
            true => text.push('*'),
            false => text.push_str(part),
        }
        rest = after;
    }
    text
}

/// Counts an event. Returns false if the event is posted by itself: the first calls of an actor.
pub(super) fn observe(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    first_counted: usize,
    now: UnixTime,
) -> bool {
    let Some(priority) = observation.priority() else {
        return false;
    };
    let is_call = matches!(observation.notice.facts, Facts::Call(_))
        && !is_of_instances(observation.notice, priority);
    if state.seen.has(observation.transition.as_ref()) {
        return true;
    }
    let activity = state.activity.get_or_insert_default();
    if activity.is_over(now) || activity.is_closed {
        let single_calls = std::mem::take(&mut activity.single_calls);
        **activity = Activity {
            single_calls,
            ..Activity::default()
        };
    }
    if is_call && activity.is_single(observation, first_counted) {
        return false;
    }
    state.seen.is_new(observation.transition.as_ref());
    activity.add(key, observation, priority, now);
    true
}

impl Activity {
    pub(super) fn goes_on(&self, now: UnixTime) -> bool {
        self.total > 0 && !self.is_over(now) && !self.is_closed
    }

    fn is_over(&self, now: UnixTime) -> bool {
        self.total > 0 && now >= self.arrived_at.plus(LONGEST_PAUSE)
    }

    fn explain_stop(&mut self, task: &str) {
        let Some(place) = self.unexplained.iter().position(|it| it == task) else {
            return;
        };
        self.unexplained.remove(place);
        self.has_late_calls = true;
        let told = self.turn_total.saturating_add(1);
        self.turn_total = self.total.min(told);
    }

    /// Whether there were too few calls within the last hour to count them.
    fn is_single(&mut self, observation: &Observation<'_>, first_counted: usize) -> bool {
        let at = observation.at;
        self.single_calls
            .retain(|(_, other)| at.since(*other) < LONGEST_PAUSE);
        let identity = observation.transition.as_ref().map(ToString::to_string);
        let is_known = |identity: &String| self.single_calls.iter().any(|(it, _)| it == identity);
        if identity.as_ref().is_some_and(is_known) {
            return true;
        }
        if self.total > 0 || self.single_calls.len() + 1 >= first_counted {
            return false;
        }
        self.single_calls.push((identity.unwrap_or_default(), at));
        true
    }

    fn add(
        &mut self,
        key: &SubjectKey,
        observation: &Observation<'_>,
        priority: Priority,
        now: UnixTime,
    ) {
        let at = observation.at;
        if self.total == 0 {
            // The calls before were posted by themselves, and are counted with the others.
            let before = self.single_calls.iter().map(|(_, at)| *at).min();
            self.first_at = before.unwrap_or(at).min(at);
            self.total = u32::try_from(self.single_calls.len()).unwrap_or_default();
            let beginning = self.first_at.as_milliseconds().to_string();
            self.thread = ThreadId::new(ThreadKind::Activity, key, &beginning);
            self.is_of_instances = is_of_instances(observation.notice, priority);
        }
        let singles = match self.counts.is_empty() {
            true => self.single_calls.len(),
            false => 0,
        };
        self.count(observation.notice, 1 + singles);
        let stopped = observation.notice.subject.task.as_deref();
        let stopped = stopped.filter(|_| priority.cause == Some(Cause::StoppedByUser));
        if let Some(task) = stopped.filter(|_| self.unexplained.len() < MOST_UNEXPLAINED) {
            self.unexplained.push(cut(task, LONGEST_DETAIL));
        }
        self.total = self.total.saturating_add(1);
        self.first_at = self.first_at.min(at);
        self.last_at = self.last_at.max(at);
        self.arrived_at = self.arrived_at.max(now);
        self.urgent |= priority.urgent;
        // A message about many different things is never a warning.
        self.severity = match self.severity {
            None => Some(priority.severity),
            Some(known) if known == priority.severity => Some(known),
            Some(_) => Some(Severity::Info),
        };
        self.newest = Some(ShownNotice::new(observation.notice, priority));
        self.shown.is_outdated = true;
    }

    fn count(&mut self, notice: &Notice, count: usize) {
        let detail = detail_of(notice).map(|it| cut(&it, LONGEST_DETAIL));
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let is_same = |it: &&mut ActivityCount| it.kind == notice.kind && it.detail == detail;
        let has_room = self.counts.len() < MOST_COUNTS;
        match self.counts.iter_mut().find(is_same) {
            Some(known) => known.count = known.count.saturating_add(count),
            None if has_room => self.counts.push(ActivityCount {
                kind: notice.kind,
                detail,
                count,
            }),
            None => {}
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.shown.is_open() && !self.is_closed
    }

    /// Somebody closed it. What is counted and not shown yet is shown, and the next event begins another activity.
    pub(super) fn close_by_hand(&mut self) {
        self.is_closed = true;
        self.is_summary_due |= self.total > self.turn_total;
    }

    pub fn severity(&self) -> Severity {
        self.severity.unwrap_or_default()
    }

    /// Does what the passing of time does: summaries become due, and the activity ends.
    pub(super) fn pass(&mut self, until: UnixTime, settings: &ThreadSettings) {
        let Some(opened_at) = self.shown.opened_at else {
            return;
        };
        let has_more = self.total > self.turn_total;
        while let Some(step) = settings.step(self.step).filter(|_| !self.is_closed) {
            if opened_at.plus(step) > until {
                break;
            }
            self.step += 1;
            let has_late_calls = std::mem::take(&mut self.has_late_calls);
            self.is_summary_due |= has_more && !has_late_calls;
        }
        if self.is_over(until) && !self.is_closed {
            self.is_closed = true;
            self.is_summary_due |= has_more;
        }
    }

    /// Whether a summary is due of the tasks of this family.
    pub(super) fn has_summary_of_tasks(&self) -> bool {
        self.is_summary_due && self.counts.iter().all(|it| it.kind == Kind::TaskStopped)
    }

    /// Leaves a summary out. What it would count is in the next one.
    pub(super) fn put_off_summary(&mut self) {
        self.is_summary_due = false;
    }

    pub(super) fn turns(&mut self, now: UnixTime, settings: &ThreadSettings) -> Option<Turn> {
        let reason = match () {
            () if self.total == 0 => return None,
            () if !self.shown.is_open() => Reason::Opened,
            () if std::mem::take(&mut self.is_summary_due) => Reason::Summary,
            () if settings.has_edits && self.shown.edit_due().is_some_and(|due| due <= now) => {
                Reason::Counted
            }
            () => return None,
        };
        let turn = Turn::new(reason, now, self.severity(), self.urgent);
        self.shown.note(reason, None, now);
        if reason != Reason::Counted {
            self.turn_total = self.total;
            self.unexplained.clear();
        }
        Some(turn)
    }

    pub(super) fn wake_at(&self, settings: &ThreadSettings) -> Option<UnixTime> {
        let opened_at = self.shown.opened_at.filter(|_| !self.is_closed)?;
        let has_more = self.total > self.turn_total;
        let edit = self.shown.edit_due().filter(|_| settings.has_edits);
        let step = settings.step(self.step).map(|step| opened_at.plus(step));
        let end = Some(self.arrived_at.plus(LONGEST_PAUSE));
        let summary = [step, end].into_iter().flatten().min().filter(|_| has_more);
        [edit, summary].into_iter().flatten().min()
    }
}

/// What distinguishes events of one kind: a cause, a status, a call or a name.
fn detail_of(notice: &Notice) -> Option<String> {
    match &notice.facts {
        Facts::Call(call) => {
            let status = call.changes.iter().find(|it| it.label == "Status");
            let status = status.filter(|_| notice.kind == Kind::InstanceState);
            Some(status.map_or_else(|| call.name.clone(), |it| it.value.clone()))
        }
        Facts::Task(task) => {
            let is_stop = notice.kind == Kind::TaskStopped;
            is_stop.then(|| crate::ecs::diagnosis::cause(task, &notice.subject).to_string())
        }
        Facts::Service(service) => service.event_name.clone(),
        Facts::Instance(instance) => instance.status.clone(),
        Facts::Health(health) => health.overall_status.clone(),
        Facts::Host(host) => Some(host.what.in_words().to_owned()),
        Facts::Hook(_)
        | Facts::Rollout(_)
        | Facts::AwsHealth(_)
        | Facts::Scaling(_)
        | Facts::Alarm(_)
        | Facts::Unknown(_)
        | Facts::Missed(_)
        | Facts::Foreign => None,
    }
}
