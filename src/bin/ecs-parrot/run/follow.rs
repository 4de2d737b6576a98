//! Follows tasks from start to end: polls their state, prints their logs, and ends after a time-out or a signal.

use std::time::Duration;

use ecs_parrot::aws::CallError;
use ecs_parrot::aws::Task;
use ecs_parrot::runner::logs::{LogTailer, Round, advice};
use ecs_parrot::runner::task;
use ecs_parrot::runner::wait::{TaskWaiter, WaitError};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::RunClients;
use super::interrupt::{Interrupts, Signal};
use super::progress::RunProgress;

/// The pause before logs without new lines are read again. CloudWatch Logs allows 25 such calls per second for the
/// whole account.
const READ_INTERVAL: Duration = Duration::from_secs(2);

/// After the stop, the logs are read until there was no new line for this time: log drivers write in batches, and
/// CloudWatch Logs shows them a little later.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// The same, while CloudWatch Logs does not answer.
const FAILING_DRAIN_TIME: Duration = Duration::from_secs(30);

/// How long a task may take to stop: `stopTimeout` is at most 120 s.
const STOP_TIME: Duration = Duration::from_secs(150);

/// Time limit for the last lines after a signal: CI services kill the process a few seconds later.
const FLUSH_TIME: Duration = Duration::from_secs(2);

/// Why the wait for the tasks ended.
#[derive(Debug)]
pub(crate) enum EndReason {
    Stopped,
    TimedOut,
    Interrupted(Signal),
}

pub(crate) struct Follow<'a> {
    pub(crate) waiter: &'a mut TaskWaiter,
    pub(crate) tailer: &'a mut LogTailer,
    pub(crate) progress: &'a mut RunProgress,
    pub(crate) interrupts: &'a mut Interrupts,
    pub(crate) warnings: Vec<String>,
    next_poll: Instant,
    next_read: Instant,
}

impl<'a> Follow<'a> {
    pub(crate) fn new(
        waiter: &'a mut TaskWaiter,
        tailer: &'a mut LogTailer,
        progress: &'a mut RunProgress,
        interrupts: &'a mut Interrupts,
    ) -> Self {
        let now = Instant::now();
        Self {
            next_poll: now + waiter.pause(),
            next_read: now + READ_INTERVAL,
            waiter,
            tailer,
            progress,
            interrupts,
            warnings: Vec::new(),
        }
    }

    /// Follows until all tasks have stopped and their last lines are printed, or until a time-out or a signal.
    pub(crate) async fn wait_for_end(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<EndReason, WaitError> {
        let end = self.poll_until(deadline).await?;
        match end {
            EndReason::Stopped => self.drain().await,
            EndReason::TimedOut | EndReason::Interrupted(_) => {}
        }
        Ok(end)
    }

    /// Stops the tasks that are still running, and returns how many will stop. If a call fails, prints the command for
    /// it.
    pub(crate) async fn stop(
        &mut self,
        clients: &RunClients,
        cluster: &str,
        reason: &str,
    ) -> usize {
        let mut stopping = 0;
        let tasks: Vec<_> = self.waiter.still_running().map(str::to_owned).collect();
        for task in tasks {
            self.progress.say(&format!("{reason}: stopping {task}"));
            let reason = format!("ecs-parrot run: {reason}");
            let stopped = tokio::select! {
                biased;
                signal = self.interrupts.next() => Err(format!("{signal} again")),
                stopped = stop(clients, cluster, &task, &reason) => stopped.map_err(|it| it.to_string()),
            };
            stopping += usize::from(stopped.is_ok());
            if let Err(error) = stopped {
                let command = task::stop_command(cluster, &task, clients.session.region());
                self.warn(&format!(
                    "the task may still be running: {error}; to stop it: `{command}`"
                ));
            }
        }
        stopping
    }

    /// Follows tasks that were asked to stop, until they have stopped.
    pub(crate) async fn wait_for_stop(&mut self) -> Result<EndReason, WaitError> {
        self.wait_for_end(Some(Instant::now() + STOP_TIME)).await
    }

    /// Prints the lines that the logs have now.
    pub(crate) async fn flush(&mut self) {
        while let Ok(round) = timeout(FLUSH_TIME, self.tailer.round()).await {
            let has_more = round.has_more;
            self.print(round);
            if !has_more {
                break;
            }
        }
    }

    async fn poll_until(&mut self, deadline: Option<Instant>) -> Result<EndReason, WaitError> {
        while !self.waiter.have_stopped() {
            let polls_next = self.next_poll <= self.next_read;
            let at = self.next_poll.min(self.next_read);
            // A future that is dropped here before its end has no effect: no line is lost or read twice.
            tokio::select! {
                biased;
                signal = self.interrupts.next() => return Ok(EndReason::Interrupted(signal)),
                () = reach(deadline) => return Ok(EndReason::TimedOut),
                polled = async { sleep_until(at).await; self.waiter.poll().await }, if polls_next => {
                    polled?;
                    self.next_poll = Instant::now() + self.waiter.pause();
                    self.progress.state(state(self.waiter));
                }
                round = async { sleep_until(at).await; self.tailer.round().await }, if !polls_next => {
                    self.next_read = Instant::now() + pause(&round);
                    self.print(round);
                }
            }
        }
        Ok(EndReason::Stopped)
    }

    /// Reads the last lines. The exit status is already known, so a signal only ends the reading.
    async fn drain(&mut self) {
        let ran = self.waiter.seen().any(has_run);
        let mut last_line = Instant::now();
        while ran && self.tailer.is_open() {
            let round = tokio::select! {
                biased;
                signal = self.interrupts.next() => {
                    self.warn(&format!("{signal}: the last lines may be missing"));
                    return;
                }
                round = self.tailer.round() => round,
            };
            let pause = pause(&round).min(Duration::from_secs(1));
            let limit = if round.failing {
                FAILING_DRAIN_TIME
            } else {
                DRAIN_TIME
            };
            if round.has_more || !round.lines.is_empty() {
                last_line = Instant::now();
            }
            let failing = round.failing;
            self.print(round);
            if last_line.elapsed() >= limit {
                if failing {
                    self.warn("CloudWatch Logs does not answer: the last lines may be missing");
                }
                break;
            }
            tokio::select! {
                biased;
                signal = self.interrupts.next() => {
                    self.warn(&format!("{signal}: the last lines may be missing"));
                    return;
                }
                () = sleep(pause) => {}
            }
        }
    }

    fn print(&mut self, round: Round) {
        self.progress.logs(&round.lines, self.tailer);
        for (stream, error) in round.lost {
            let advice = advice(&stream, &error).unwrap_or_default();
            self.warn(&format!(
                "the log of `{}` cannot be read: {error}; {advice}",
                stream.container
            ));
        }
    }

    fn warn(&mut self, warning: &str) {
        self.progress.warn(warning);
        self.warnings.push(warning.to_owned());
    }
}

/// Waits until the deadline; for ever if there is none.
pub(super) async fn reach(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn pause(round: &Round) -> Duration {
    if round.has_more {
        Duration::ZERO
    } else {
        READ_INTERVAL
    }
}

/// Whether a container of the task ran. If not, there are no log lines to wait for.
fn has_run(task: &Task) -> bool {
    let containers = &task.facts.containers;
    task.facts.started_at.is_some() || containers.iter().any(|it| it.exit_code.is_some())
}

/// `RUNNING`, or `2 RUNNING, 1 STOPPED`.
fn state(waiter: &TaskWaiter) -> String {
    let mut states: Vec<(&str, usize)> = Vec::new();
    for task in waiter.seen() {
        match states
            .iter_mut()
            .find(|(state, _)| *state == task.last_status())
        {
            Some((_, count)) => *count += 1,
            None => states.push((task.last_status(), 1)),
        }
    }
    match states.as_slice() {
        [] => "starting".to_owned(),
        [(state, 1)] => (*state).to_owned(),
        several => {
            let several = several
                .iter()
                .map(|(state, count)| format!("{count} {state}"));
            several.collect::<Vec<_>>().join(", ")
        }
    }
}

/// Stops a task. Errors that may go away are tried again, because a task that is not stopped continues its work and
/// costs money.
async fn stop(
    clients: &RunClients,
    cluster: &str,
    task: &str,
    reason: &str,
) -> Result<(), CallError> {
    const ATTEMPTS: usize = 3;
    for _ in 1..ATTEMPTS {
        match task::stop(&clients.ecs, cluster, task, reason).await {
            Err(error) if error.is_retryable() => sleep(Duration::from_secs(1)).await,
            stopped => return stopped,
        }
    }
    task::stop(&clients.ecs, cluster, task, reason).await
}
