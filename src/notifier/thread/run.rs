//! One launch of tasks outside services, from its call to the last stop.

use serde::{Deserialize, Serialize};

use super::action::{Reason, ThreadId, ThreadKind, ThreadState, Turn};
use super::observation::Observation;
use super::settings::ThreadSettings;
use super::shown::Shown;
use super::state::{ShownNotice, SubjectState};
use super::subject::SubjectKey;
use super::text::{cut, cut_known};
use super::unix_time::UnixTime;
use crate::ecs::diagnosis::{Cause, explain};
use crate::ecs::notice::{CallFacts, CallPurpose, Facts, TaskFacts};
use crate::notifier::policy::{Priority, Severity};

/// RunTask starts at most ten tasks.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>
pub(super) const MOST_TASKS: usize = 10;

/// The longest id, name and words that are stored, in bytes.
const LONGEST: usize = 200;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    pub thread: ThreadId,
    pub launch: Option<Launch>,
    pub tasks: Vec<RunTask>,
    /// The event that the message shows: the stop of a task, or else its start, or else the call.
    pub newest: Option<Box<ShownNotice>>,
    newest_rank: (u8, UnixTime),
    pub shown: Shown,
    shown_failure: bool,
    /// Somebody closed it.
    pub is_closed: bool,
}

/// The call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Launch {
    pub at: UnixTime,
    pub actor: Option<String>,
    /// The number of tasks that it started.
    pub count: usize,
    /// The number of tasks that it could not start.
    pub failures: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunTask {
    pub id: String,
    pub has_started: bool,
    pub end: Option<TaskEnd>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEnd {
    /// In words that finish "the task …".
    pub words: String,
    pub priority: Priority,
}

/// Whether the call launches tasks for a person or a tool.
pub(super) fn is_launch(call: &CallFacts) -> bool {
    call.purpose == CallPurpose::Launch && call.error.is_none() && !call.launched_tasks.is_empty()
}

/// Tells the run about an event. `elsewhere` are the tasks of the call that have runs of their own.
pub(super) fn observe(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    elsewhere: &[String],
) {
    let run = state.run.get_or_insert_with(|| {
        Box::new(Run {
            thread: ThreadId::new(ThreadKind::Run, key, ""),
            ..Run::default()
        })
    });
    match &observation.notice.facts {
        Facts::Call(call) => run.note_call(observation, call, elsewhere),
        Facts::Task(task) => run.note_task(observation, task),
        Facts::Service(_)
        | Facts::Instance(_)
        | Facts::Health(_)
        | Facts::Hook(_)
        | Facts::Unknown(_)
        | Facts::Foreign => {}
    }
}

impl Run {
    pub fn state(&self) -> ThreadState {
        let ended = self.tasks.iter().filter(|it| it.end.is_some()).count();
        let has_started = |it: &RunTask| it.has_started || it.end.is_some();
        match () {
            () if ended > 0 && ended >= self.total() => ThreadState::Stopped,
            () if self.tasks.iter().any(has_started) => ThreadState::Running,
            () => ThreadState::Launched,
        }
    }

    pub fn total(&self) -> usize {
        let launched = self
            .launch
            .as_ref()
            .map_or(0, |it| it.count.min(MOST_TASKS));
        launched.max(self.tasks.len())
    }

    pub fn severity(&self) -> Severity {
        let ends = self.tasks.iter().filter_map(|it| it.end.as_ref());
        let worst = ends
            .map(|it| it.priority.severity)
            .filter(|it| *it >= Severity::Warning)
            .max();
        let launch_failed = self.launch.as_ref().is_some_and(|it| it.failures > 0);
        match (worst, self.state()) {
            (Some(worst), _) => worst,
            (None, _) if launch_failed => Severity::Critical,
            (None, ThreadState::Stopped) if self.all_finished() => Severity::Success,
            (None, _) => Severity::Info,
        }
    }

    fn all_finished(&self) -> bool {
        let mut ends = self.tasks.iter().filter_map(|it| it.end.as_ref());
        ends.all(|it| it.priority.cause == Some(Cause::Finished))
    }

    /// The tasks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &RunTask> {
        let has_failed = |it: &&RunTask| it.end.as_ref().is_some_and(|end| end.priority.urgent);
        self.tasks.iter().filter(has_failed)
    }

    fn note_call(&mut self, observation: &Observation<'_>, call: &CallFacts, elsewhere: &[String]) {
        for task in &call.launched_tasks {
            if !elsewhere.contains(task) {
                self.task(task);
            }
        }
        if self.launch.is_none() {
            self.launch = Some(Launch {
                at: observation.at,
                actor: cut_known(observation.actor(), LONGEST),
                count: call.launched_tasks.len().saturating_sub(elsewhere.len()),
                failures: call.failures.len(),
            });
            self.shown.is_outdated = true;
        }
        self.show(0, observation);
    }

    fn note_task(&mut self, observation: &Observation<'_>, facts: &TaskFacts) {
        let Some(id) = observation.notice.subject.task.as_deref() else {
            return;
        };
        let is_stop = observation.is_stop();
        let priority = observation.priority();
        let Some(task) = self.task(id) else {
            return;
        };
        let was = task.clone();
        task.has_started |= observation.is_start() || facts.started_at.is_some();
        if let (true, Some(priority)) = (is_stop, priority) {
            let cause = priority.cause.unwrap_or(Cause::UnknownCause);
            let words = cut(&explain(cause, facts).words, LONGEST);
            // An agent's report and an event may say differently how it ended. The failure counts.
            let is_failure = |it: &TaskEnd| it.priority.urgent;
            if priority.urgent || !task.end.as_ref().is_some_and(is_failure) {
                task.end = Some(TaskEnd { words, priority });
            }
        }
        if *task != was {
            self.shown.is_outdated = true;
        }
        let urgent = priority.is_some_and(|it| it.urgent);
        let rank = 1 + u8::from(is_stop) + u8::from(is_stop && urgent);
        self.show(rank, observation);
    }

    fn task(&mut self, id: &str) -> Option<&mut RunTask> {
        let id = cut(id, LONGEST);
        if !self.tasks.iter().any(|it| it.id == id) && self.tasks.len() < MOST_TASKS {
            self.tasks.push(RunTask {
                id: id.clone(),
                ..RunTask::default()
            });
        }
        self.tasks.iter_mut().find(|it| it.id == id)
    }

    fn show(&mut self, rank: u8, observation: &Observation<'_>) {
        let rank = (rank, observation.at);
        let Some(priority) = observation.priority() else {
            return;
        };
        if self.newest.is_none() || rank >= self.newest_rank {
            self.newest = Some(ShownNotice::new(observation.notice, priority));
            self.newest_rank = rank;
        }
    }

    /// Somebody closed it.
    pub(super) fn close_by_hand(&mut self) {
        self.is_closed = true;
        self.shown.is_outdated = true;
    }

    /// Decides what is due now.
    pub(super) fn turns(&mut self, now: UnixTime, settings: &ThreadSettings) -> Option<Turn> {
        let state = self.state();
        let has_failed = self.failed().next().is_some();
        let is_new_failure = has_failed && !self.shown_failure;
        let reason = match () {
            () if self.newest.is_none() => return None,
            () if !self.shown.is_open() => Reason::Opened,
            () if is_new_failure => Reason::Failed,
            () if state == ThreadState::Stopped && self.shown.state != Some(state) => {
                Reason::Stopped
            }
            () if self.shown.state != Some(state) => Reason::Learned,
            () if self.is_closed && self.shown.is_outdated => Reason::Learned,
            () if settings.has_edits && self.shown.edit_due().is_some_and(|due| due <= now) => {
                Reason::Counted
            }
            () => return None,
        };
        let severity = self.severity();
        let urgent = match reason {
            Reason::Opened | Reason::Failed => severity >= Severity::Warning,
            _ => false,
        };
        let mentions = severity == Severity::Critical && urgent && !self.shown_failure;
        self.shown_failure |= has_failed;
        self.shown.note(reason, Some(state), now);
        Some(Turn::new(reason, now, severity, urgent).with_mention(mentions))
    }

    pub(super) fn wake_at(&self, settings: &ThreadSettings) -> Option<UnixTime> {
        self.shown.edit_due().filter(|_| settings.has_edits)
    }
}
