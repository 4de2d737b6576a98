//! Waits for tasks. Errors that may go away are tried again; all others end the wait at once.
//!
//! DescribeTasks may not know a task that RunTask has just started, because ECS is eventually consistent.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>

use std::time::{Duration, Instant};

use aws_sdk_ecs::Client;
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use crate::aws::CallError;
use crate::aws::Task;

/// How long DescribeTasks may not know a task before the wait ends.
const UNKNOWN_LIMIT: Duration = Duration::from_secs(120);

/// How long DescribeTasks may fail before the wait ends.
const FAILING_LIMIT: Duration = Duration::from_secs(600);

#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    #[error("the state of {0} is not known any more: {1}")]
    Call(String, CallError),
    #[error("ECS does not know {0} any more")]
    Unknown(String),
}

/// The tasks of one RunTask call, polled until all have stopped.
#[derive(Debug)]
pub struct TaskWaiter {
    ecs: Client,
    cluster: String,
    arns: Vec<String>,
    /// The last known state of each task.
    seen: Vec<Option<Task>>,
    unknown_since: Option<Instant>,
    failing_since: Option<Instant>,
    intervals: PollIntervals,
}

impl TaskWaiter {
    pub fn new(ecs: Client, cluster: String, arns: Vec<String>) -> Self {
        Self {
            ecs,
            cluster,
            seen: vec![None; arns.len()],
            arns,
            unknown_since: None,
            failing_since: None,
            intervals: PollIntervals::new(),
        }
    }

    /// How long to wait before the next poll.
    pub fn pause(&mut self) -> Duration {
        self.intervals.next()
    }

    /// Polls once. After an error that may go away (an unknown task, throttling, a failure of the service) the last
    /// known states stay as they are.
    pub async fn poll(&mut self) -> Result<(), WaitError> {
        let answer = self
            .ecs
            .describe_tasks()
            .cluster(&self.cluster)
            .set_tasks(Some(self.arns.clone()))
            .send()
            .await
            .map_err(|error| CallError::of("DescribeTasks", error));
        match answer {
            Ok(answer) => {
                self.failing_since = None;
                self.update(answer.tasks().iter().map(Task::read).collect())
            }
            Err(error) => self.tolerate(error),
        }
    }

    /// The last known state of each task, in the order in which RunTask returned them.
    pub fn seen(&self) -> impl Iterator<Item = &Task> {
        self.seen.iter().flatten()
    }

    pub fn have_stopped(&self) -> bool {
        self.seen
            .iter()
            .all(|task| task.as_ref().is_some_and(Task::has_stopped))
    }

    /// The tasks that have not stopped, as far as is known.
    pub fn still_running(&self) -> impl Iterator<Item = &str> {
        let tasks = self.arns.iter().zip(&self.seen);
        tasks
            .filter(|(_, task)| !task.as_ref().is_some_and(Task::has_stopped))
            .map(|(arn, _)| arn.as_str())
    }

    fn update(&mut self, tasks: Vec<Task>) -> Result<(), WaitError> {
        let mut missing = None;
        for (arn, seen) in self.arns.iter().zip(&mut self.seen) {
            match tasks.iter().find(|task| task.arn == *arn) {
                Some(task) => {
                    if seen.as_ref().map(Task::last_status) != Some(task.last_status()) {
                        self.intervals = PollIntervals::new();
                    }
                    *seen = Some(task.clone());
                }
                None if seen.as_ref().is_some_and(Task::has_stopped) => {}
                None => missing = Some(arn),
            }
        }
        match missing {
            None => self.unknown_since = None,
            Some(arn) => {
                let since = *self.unknown_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= UNKNOWN_LIMIT {
                    return Err(WaitError::Unknown(arn.clone()));
                }
            }
        }
        Ok(())
    }

    fn tolerate(&mut self, error: CallError) -> Result<(), WaitError> {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if error.is_retryable() && since.elapsed() < FAILING_LIMIT {
            tracing::debug!(%error, "DescribeTasks failed; it is tried again");
            return Ok(());
        }
        let tasks: Vec<_> = self.still_running().collect();
        Err(WaitError::Call(tasks.join(", "), error))
    }
}

/// The pauses between polls. They are short after a change of state, and grow while the state stays the same.
#[derive(Debug)]
struct PollIntervals(ExponentialBackoff);

const LONGEST_INTERVAL: Duration = Duration::from_secs(6);

impl PollIntervals {
    fn new() -> Self {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(Duration::from_secs(1))
            .with_max_delay(LONGEST_INTERVAL)
            .with_factor(1.3)
            .without_max_times();
        Self(pauses.build())
    }

    fn next(&mut self) -> Duration {
        self.0.next().unwrap_or(LONGEST_INTERVAL)
    }
}
