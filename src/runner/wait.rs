//! Waits for tasks, bearing what passes and giving up at once on what never will.
//!
//! DescribeTasks may not know a task yet that RunTask has just started: ECS is eventually consistent.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>

use std::time::{Duration, Instant};

use aws_sdk_ecs::Client;
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use crate::aws::CallError;
use crate::aws::Task;

/// How long a task may be unknown to DescribeTasks, and how long DescribeTasks may fail, until we say so.
const UNKNOWN: Duration = Duration::from_secs(120);
const FAILING: Duration = Duration::from_secs(600);

#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    #[error("{0} cannot be followed any more: {1}")]
    Call(String, CallError),
    #[error("ECS does not know {0} any more")]
    Unknown(String),
}

/// The tasks that one RunTask started, seen again and again until all have stopped.
#[derive(Debug)]
pub struct TaskWaiter {
    ecs: Client,
    cluster: String,
    arns: Vec<String>,
    seen: Vec<Option<Task>>,
    unknown_since: Option<Instant>,
    failing_since: Option<Instant>,
    pace: PollIntervals,
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
            pace: PollIntervals::new(),
        }
    }

    /// How long to wait before the next poll.
    pub fn pause(&mut self) -> Duration {
        self.pace.next()
    }

    /// Looks once. What passes (an unknown task, throttling, a failure of the service's own) leaves the
    /// last picture as it was.
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
                self.note(answer.tasks().iter().map(Task::read).collect())
            }
            Err(error) => self.bear(error),
        }
    }

    /// What was seen last, of each task in the order in which it was started.
    pub fn seen(&self) -> impl Iterator<Item = &Task> {
        self.seen.iter().flatten()
    }

    pub fn have_stopped(&self) -> bool {
        self.seen
            .iter()
            .all(|task| task.as_ref().is_some_and(Task::has_stopped))
    }

    /// The tasks that were not seen stopped.
    pub fn still_running(&self) -> impl Iterator<Item = &str> {
        let tasks = self.arns.iter().zip(&self.seen);
        tasks
            .filter(|(_, task)| !task.as_ref().is_some_and(Task::has_stopped))
            .map(|(arn, _)| arn.as_str())
    }

    fn note(&mut self, tasks: Vec<Task>) -> Result<(), WaitError> {
        let mut missing = None;
        for (arn, seen) in self.arns.iter().zip(&mut self.seen) {
            match tasks.iter().find(|task| task.arn == *arn) {
                Some(task) => {
                    if seen.as_ref().map(Task::last_status) != Some(task.last_status()) {
                        self.pace = PollIntervals::new();
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
                if since.elapsed() >= UNKNOWN {
                    return Err(WaitError::Unknown(arn.clone()));
                }
            }
        }
        Ok(())
    }

    fn bear(&mut self, error: CallError) -> Result<(), WaitError> {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if error.is_retryable() && since.elapsed() < FAILING {
            tracing::debug!(%error, "the tasks could not be seen; once more");
            return Ok(());
        }
        let tasks: Vec<_> = self.still_running().collect();
        Err(WaitError::Call(tasks.join(", "), error))
    }
}

/// The pauses between looks: short while a task changes its state, longer while it works.
#[derive(Debug)]
struct PollIntervals(ExponentialBackoff);

const LONGEST: Duration = Duration::from_secs(6);

impl PollIntervals {
    fn new() -> Self {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(Duration::from_secs(1))
            .with_max_delay(LONGEST)
            .with_factor(1.3)
            .without_max_times();
        Self(pauses.build())
    }

    fn next(&mut self) -> Duration {
        self.0.next().unwrap_or(LONGEST)
    }
}
