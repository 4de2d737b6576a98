//! What must happen: tasks that end well as often as `EXPECT` says. If none does, an incident opens.
//!
//! Amazon ECS says nothing when a schedule cannot start a task, so no event leads to this incident. Its deadline does: the
//! time after the last good end. The incident shows a notice that is made here, so that it is rendered, routed and sent
//! as any other.

mod entry;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::incident;
use super::observation::Observation;
use super::settings::ThreadSettings;
use super::state::SubjectState;
use super::subject::{SubjectKey, SubjectKind};
use super::text::cut;
use super::unix_time::UnixTime;
use super::{bounded_origin, subject_without_task};
use crate::ecs::diagnosis::{Cause, Meaning, Stop, explain};
use crate::ecs::event::Time;
use crate::ecs::links::links;
use crate::ecs::notice::{Facts, Kind, MissedFacts, Notice, Origin, PastTask, Subject, TaskFacts};

pub use entry::{Expectation, Rhythm, Schedule};

/// The most missed deadlines that are counted at once, if nobody looked for long. The others are skipped.
const MOST_MISSED: usize = 10;

/// The longest id and the longest words that are stored, in bytes.
const LONGEST: usize = 200;

/// What is remembered of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ExpectationMemory {
    /// The schedule's text. If it changes, the clock starts anew.
    schedule: String,
    /// When this schedule was seen first.
    since: UnixTime,
    /// The last deadline that was noted as missed.
    missed: UnixTime,
    /// The last task that ended well, and the last task.
    #[serde(skip_serializing_if = "Option::is_none")]
    good: Option<EndedTask>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<EndedTask>,
    /// The last task outside services that has started, and has not ended yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<StartedTask>,
    /// Of the last task: what the message is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Box<Place>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StartedTask {
    id: String,
    at: UnixTime,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct EndedTask {
    /// The whole id, for the links.
    id: Option<String>,
    at: UnixTime,
    /// How it ended, in words that finish "the task …".
    words: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    cluster: Option<String>,
    service: Option<String>,
    family: Option<String>,
    revision: Option<String>,
    account: Option<String>,
    account_name: Option<String>,
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<BTreeMap<String, String>>,
}

/// The end of a task, as an expectation sees it.
struct End {
    task: EndedTask,
    is_good: bool,
}

/// The entries that an event is about: the start or the end of a task that is expected. The operator may have dropped its
/// message. Of a service only ends count: it always starts tasks.
pub fn expected<'s>(
    observation: &Observation<'_>,
    settings: &'s ThreadSettings,
) -> impl Iterator<Item = &'s Expectation> {
    let notice = observation.notice;
    let is_start = observation.is_start() && notice.subject.service.is_none();
    let is_heard = is_start || observation.is_stop();
    let entries = settings.expectations().iter().filter(move |_| is_heard);
    entries.filter(move |it| it.includes(notice))
}

/// Whether somebody must look at the subject: an entry of the configuration, or what is left of one.
pub fn is_configured(key: &SubjectKey, settings: &ThreadSettings) -> bool {
    key.kind == SubjectKind::Expectation && entry_of(key, settings).is_some()
}

fn entry_of<'s>(key: &SubjectKey, settings: &'s ThreadSettings) -> Option<&'s Expectation> {
    let mut entries = settings.expectations().iter();
    entries.find(|it| it.subject() == *key)
}

/// Tells an expectation about the end of one of its tasks. Returns whether that changes its incident.
pub(super) fn observe(
    state: &mut SubjectState,
    entry: &Expectation,
    observation: &Observation<'_>,
    now: UnixTime,
) -> bool {
    let memory = begin(state, entry, now);
    if observation.is_start() {
        memory.note_start(observation);
        return false;
    }
    memory.note_stop(observation);
    let Some(end) = end_of(observation, now) else {
        return false;
    };
    let at = end.task.at;
    let is_later = |known: &Option<EndedTask>| known.as_ref().is_none_or(|it| it.at < at);
    let is_news = is_later(&memory.last);
    if is_news {
        memory.note_place(observation.notice);
        memory.last = Some(end.task.clone());
    }
    if end.is_good && is_later(&memory.good) {
        memory.good = Some(end.task);
    }
    let memory = memory.clone();
    let Some(open) = state.incident.as_deref_mut().filter(|it| !it.is_over()) else {
        return false;
    };
    if is_news {
        open.show_missed(&memory.notice(entry, memory.missed));
    }
    let is_over = end.is_good && !memory.is_overdue(entry, now);
    if is_over {
        open.end_by_good_end(at, now);
    }
    is_news || is_over
}

/// Does what the passing of time does: deadlines are missed.
pub(super) fn pass(
    key: &SubjectKey,
    state: &mut SubjectState,
    now: UnixTime,
    settings: &ThreadSettings,
) {
    if key.kind != SubjectKind::Expectation || settings.expectations.is_none() {
        return;
    }
    let Some(entry) = entry_of(key, settings) else {
        return end(state, now);
    };
    begin(state, entry, now);
    for _ in 0..MOST_MISSED {
        let Some(memory) = state.expectation.as_deref_mut() else {
            return;
        };
        let Some(deadline) = memory.deadline(entry).filter(|it| *it <= now) else {
            return;
        };
        memory.missed = deadline;
        let notice = memory.notice(entry, deadline);
        incident::observe_missed(key, state, &notice, deadline, now);
    }
    if let Some(memory) = &mut state.expectation {
        memory.missed = now;
    }
}

/// The entry was removed. What it has shown is over, so that nobody waits for it.
fn end(state: &mut SubjectState, now: UnixTime) {
    state.expectation = None;
    if let Some(open) = state.incident.as_deref_mut().filter(|it| !it.is_over()) {
        open.end_as_not_expected(now);
    }
}

/// When the subject must be looked at again.
pub(super) fn wake_at(
    key: &SubjectKey,
    state: &SubjectState,
    settings: &ThreadSettings,
) -> Option<UnixTime> {
    let entry = entry_of(key, settings)?;
    state.expectation.as_deref()?.deadline(entry)
}

/// The memory of an entry. The clock of a new entry starts now. So does that of a changed one: what the new schedule asked
/// for before it was known was never expected.
fn begin<'a>(
    state: &'a mut SubjectState,
    entry: &Expectation,
    now: UnixTime,
) -> &'a mut ExpectationMemory {
    let schedule = &entry.schedule.text;
    let known = state.expectation.get_or_insert_default();
    if known.schedule == *schedule {
        return known;
    }
    if !known.schedule.is_empty()
        && let Some(open) = state.incident.as_deref_mut().filter(|it| !it.is_over())
    {
        open.end_as_not_expected(now);
    }
    known.schedule.clone_from(schedule);
    known.since = now;
    known.missed = UnixTime::default();
    known
}

/// How a task ended. `None` if the event is no end, or if a service only replaces its task.
fn end_of(observation: &Observation<'_>, now: UnixTime) -> Option<End> {
    let task = observation.task()?;
    let subject = &observation.notice.subject;
    let stop = Stop::new(task, subject);
    let Meaning::Because(cause) = stop.meaning() else {
        return None;
    };
    let is_good = match cause {
        Cause::Finished => true,
        // A service starts another one, but this one has done its work. What an ignored container exits with says nothing.
        Cause::ExitedInService | Cause::ApplicationExit => stop.only_ignored_failed(),
        Cause::LaunchFailed
        | Cause::OutOfMemory
        | Cause::ImagePull
        | Cause::FailedToStart
        | Cause::HealthCheck
        | Cause::SpotInterruption
        | Cause::HostGone
        | Cause::StoppedByUser
        | Cause::UnknownCause => false,
    };
    let words = match cause {
        // In a service it is a surprise. Here it is what is expected.
        Cause::ExitedInService | Cause::ApplicationExit if is_good => "finished".to_owned(),
        _ => explain(cause, task).words,
    };
    let task = EndedTask {
        id: subject.task.as_ref().map(|it| cut(it, LONGEST)),
        at: ended_at(task).map_or(observation.at, |it| it.min(now)),
        words: cut(&words, LONGEST),
    };
    Some(End { task, is_good })
}

/// When the task ended. Observations of failures have the time at which it began to stop.
fn ended_at(task: &TaskFacts) -> Option<UnixTime> {
    let stopped_at = task.stopped_at.as_ref()?;
    Some(UnixTime::of(stopped_at.instant()?))
}

impl ExpectationMemory {
    fn note_start(&mut self, observation: &Observation<'_>) {
        let task = observation.notice.subject.task.as_ref();
        let at = observation.at;
        let is_newer = self.running.as_ref().is_none_or(|it| it.at < at);
        let has_ended = |id: &String| {
            let last = [&self.last, &self.good].into_iter().flatten();
            last.filter_map(|it| it.id.as_ref()).any(|it| it == id)
        };
        let id = task.map(|it| cut(it, LONGEST));
        if let Some(id) = id.filter(|it| is_newer && !has_ended(it)) {
            self.running = Some(StartedTask { id, at });
            self.note_place(observation.notice);
        }
    }

    /// Tags are looked up only for messages, and this event may have none.
    fn note_place(&mut self, notice: &Notice) {
        let mut place = Box::new(Place::of(notice));
        let known = self.place.take().and_then(|it| it.tags);
        place.tags = place.tags.take().or(known);
        self.place = Some(place);
    }

    fn note_stop(&mut self, observation: &Observation<'_>) {
        let task = observation.notice.subject.task.as_deref();
        let task = task.map(|it| cut(it, LONGEST));
        self.running.take_if(|it| Some(&it.id) == task.as_ref());
    }

    /// From when on the next task is expected.
    fn reference(&self) -> UnixTime {
        let good = self.good.as_ref().map(|it| it.at);
        good.map_or(self.since, |good| good.max(self.since))
    }

    /// The next deadline that was not missed yet.
    fn deadline(&self, entry: &Expectation) -> Option<UnixTime> {
        entry.schedule.deadline_after(self.reference(), self.missed)
    }

    /// Whether a deadline after the last good end has passed.
    fn is_overdue(&self, entry: &Expectation, now: UnixTime) -> bool {
        let last = self.reference();
        let first = entry.schedule.deadline_after(last, last);
        first.is_some_and(|it| it <= now)
    }

    /// What a message shows of a missed deadline.
    fn notice(&self, entry: &Expectation, deadline: UnixTime) -> Notice {
        let place = self.place.as_deref().cloned().unwrap_or_default();
        let is_known = self.place.is_some();
        let subject = Subject {
            cluster: place.cluster.or_else(|| entry.cluster.clone()),
            service: place.service,
            // Before its first task it is not known whether it is a service. Most are no services.
            family: place
                .family
                .or_else(|| (!is_known).then(|| entry.name.clone())),
            revision: place.revision,
            tags: place.tags,
            ..Subject::default()
        };
        let last = self.last.as_ref();
        let last = last.filter(|it| Some(*it) != self.good.as_ref());
        let running = self.running.as_ref();
        // Its page and its log say more than the schedule's.
        let shown = running.map(|it| it.id.clone());
        let shown = shown.or_else(|| last.and_then(|it| it.id.clone()));
        let subject = Subject {
            task: shown,
            ..subject
        };
        let origin = Origin {
            account: place.account,
            account_name: place.account_name,
            region: place.region,
            time: time(deadline),
            ..Origin::default()
        };
        let facts = MissedFacts {
            name: entry.name.clone(),
            schedule: self.schedule.clone(),
            since: time(self.since),
            good: self.good.as_ref().map(past_task),
            last: last.map(past_task),
            running: running.map(|it| PastTask {
                id: Some(short(&it.id)),
                at: time(it.at),
                words: "runs".to_owned(),
            }),
        };
        Notice {
            kind: Kind::DidNotRun,
            links: links(Kind::DidNotRun, &subject, &origin),
            origin,
            subject,
            facts: Facts::Missed(facts),
            actor: None,
        }
    }
}

impl Place {
    fn of(notice: &Notice) -> Self {
        let subject = subject_without_task(&notice.subject);
        let origin = bounded_origin(&notice.origin);
        Self {
            cluster: subject.cluster,
            service: subject.service,
            family: subject.family,
            revision: subject.revision,
            account: origin.account,
            account_name: origin.account_name,
            region: origin.region,
            tags: subject.tags,
        }
    }
}

fn past_task(task: &EndedTask) -> PastTask {
    PastTask {
        id: task.id.as_deref().map(short),
        at: time(task.at),
        words: task.words.clone(),
    }
}

/// The first characters of an id, as messages show it.
fn short(id: &str) -> String {
    id.chars().take(8).collect()
}

fn time(at: UnixTime) -> Option<Time> {
    let at = at.timestamp()?;
    Some(Time::read(at.to_string()))
}
