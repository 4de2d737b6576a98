//! One launch of tasks outside services, from its call to the last stop.

use serde::{Deserialize, Serialize};

use super::action::{Reason, ThreadId, ThreadKind, ThreadState, Turn};
use super::observation::Observation;
use super::settings::ThreadSettings;
use super::shown::Shown;
use super::state::{ShownNotice, SubjectState};
use super::subject::{SubjectKey, bounded};
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
    /// The newest event of the task that has the run, while the message shows another task's that may be of another call.
    pub(super) own: Option<Box<ShownNotice>>,
    own_rank: (u8, UnixTime),
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

impl RunTask {
    /// An agent's report and an event may say differently how it ended. The failure counts.
    fn note_end(&mut self, end: TaskEnd) {
        let is_failure = |it: &TaskEnd| it.priority.urgent;
        if end.priority.urgent || !self.end.as_ref().is_some_and(is_failure) {
            self.end = Some(end);
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEnd {
    /// In words that finish "the task …".
    pub words: String,
    pub priority: Priority,
}

/// What a run knows of a task that belongs to another call.
pub(super) struct MovedTask {
    task: RunTask,
    newest: Option<Box<ShownNotice>>,
    newest_rank: (u8, UnixTime),
    /// Whether readers know that it failed.
    shown_failure: bool,
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
    let run = begin(key, state);
    match &observation.notice.facts {
        Facts::Call(call) => run.note_call(observation, call, elsewhere),
        Facts::Task(task) => run.note_task(observation, task),
        Facts::Service(_)
        | Facts::Instance(_)
        | Facts::Health(_)
        | Facts::Hook(_)
        | Facts::Rollout(_)
        | Facts::Host(_)
        | Facts::AwsHealth(_)
        | Facts::Scaling(_)
        | Facts::Alarm(_)
        | Facts::Unknown(_)
        | Facts::Missed(_)
        | Facts::Foreign => {}
    }
}

/// The run of a launch. `key` is its first task.
pub(super) fn begin<'a>(key: &SubjectKey, state: &'a mut SubjectState) -> &'a mut Run {
    state.run.get_or_insert_with(|| {
        let first = RunTask {
            id: key.name.clone(),
            ..RunTask::default()
        };
        Box::new(Run {
            thread: ThreadId::new(ThreadKind::Run, key, ""),
            tasks: vec![first],
            ..Run::default()
        })
    })
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
            if !elsewhere.contains(&bounded(task)) {
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
            task.note_end(TaskEnd { words, priority });
        }
        if *task != was {
            self.shown.is_outdated = true;
        }
        let urgent = priority.is_some_and(|it| it.urgent);
        let rank = 1 + u8::from(is_stop) + u8::from(is_stop && urgent);
        self.show(rank, observation);
    }

    fn task(&mut self, id: &str) -> Option<&mut RunTask> {
        let id = bounded(id);
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
        let shown = ShownNotice::new(observation.notice, priority);
        if self.newest.is_none() || rank >= self.newest_rank {
            let old = self.newest.replace(shown);
            let old_rank = std::mem::replace(&mut self.newest_rank, rank);
            if let Some(old) = old {
                self.keep_own(old, old_rank);
            }
        } else {
            self.keep_own(shown, rank);
        }
    }

    /// Keeps the newest event of the task that has the run, as long as tasks of it may be of another call.
    fn keep_own(&mut self, shown: Box<ShownNotice>, rank: (u8, UnixTime)) {
        let is_of = |shown: &ShownNotice, task: &RunTask| shown.task() == Some(task.id.as_str());
        let newest = self.newest.as_deref();
        let first = self.tasks.first();
        let is_own = first.is_some_and(|first| {
            is_of(&shown, first) && !newest.is_some_and(|it| is_of(it, first))
        });
        let launched = self.launch.as_ref().map_or(0, |it| it.count);
        if self.tasks.len() <= launched.max(1) {
            self.own = None;
        } else if is_own && (self.own.is_none() || rank >= self.own_rank) {
            self.own = Some(shown);
            self.own_rank = rank;
        }
    }

    /// Whether tasks whose call is not known may be of this launch.
    pub(super) fn takes_more(&self) -> bool {
        self.launch.is_none() && !self.is_closed && self.tasks.len() < MOST_TASKS
    }

    /// Gives away a task that another call launched. The first task has the run, so it stays.
    pub(super) fn give(&mut self, id: &str) -> Option<MovedTask> {
        let place = self.tasks.iter().skip(1).position(|it| it.id == id)? + 1;
        let task = self.tasks.remove(place);
        let has_failed = task.end.as_ref().is_some_and(|it| it.priority.urgent);
        let shown_failure = self.shown_failure && has_failed;
        let still_fails = self.failed().next().is_some();
        self.shown_failure &= still_fails;
        self.shown.is_outdated = true;
        let is_newest = self.newest.as_deref().and_then(ShownNotice::task) == Some(id);
        let newest_rank = self.newest_rank;
        let newest = match self.own.take() {
            Some(own) if is_newest => {
                self.newest_rank = self.own_rank;
                self.newest.replace(own)
            }
            own => {
                self.own = own;
                self.newest.clone().filter(|it| it.task() == Some(id))
            }
        };
        Some(MovedTask {
            task,
            newest,
            newest_rank,
            shown_failure,
        })
    }

    pub(super) fn take(&mut self, moved: MovedTask) {
        let Some(task) = self.task(&moved.task.id) else {
            return;
        };
        task.has_started |= moved.task.has_started;
        if let Some(end) = moved.task.end {
            task.note_end(end);
        }
        self.shown.is_outdated = true;
        self.shown_failure |= moved.shown_failure;
        if moved.newest.is_some() && (self.newest.is_none() || moved.newest_rank > self.newest_rank)
        {
            self.newest = moved.newest;
            self.newest_rank = moved.newest_rank;
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
