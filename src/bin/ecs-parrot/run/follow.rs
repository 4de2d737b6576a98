//! From a task's start to its end: its state, its logs, the time it may take, and whoever wants it stopped.

use std::time::Duration;

use ecs_parrot::aws::CallError;
use ecs_parrot::aws::Task;
use ecs_parrot::runner::logs::{LogTailer, Round, advice};
use ecs_parrot::runner::task;
use ecs_parrot::runner::wait::{TaskWaiter, WaitError};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Clients;
use super::interrupt::{Interrupts, Signal};
use super::progress::RunProgress;

/// Between two reads of logs that had nothing more to give. CloudWatch Logs takes 25 such calls a second from
/// a whole account.
const READING: Duration = Duration::from_secs(2);

/// Lines arrive after the stop: log drivers write in batches, and CloudWatch shows them a little later. So long
/// must nothing have come.
const QUIET: Duration = Duration::from_secs(5);

/// How long we go on asking for the last lines while CloudWatch Logs fails.
const INSISTING: Duration = Duration::from_secs(30);

/// How long a task may take to stop: `stopTimeout` is at most 120 s.
const STOPPING: Duration = Duration::from_secs(150);

/// What CI leaves us between its signal and the end.
const FLUSH_TIME: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) enum Ended {
    Stopped,
    TimedOut,
    Interrupted(Signal),
}

pub(crate) struct Follow<'a> {
    pub(crate) watch: &'a mut TaskWaiter,
    pub(crate) logs: &'a mut LogTailer,
    pub(crate) progress: &'a mut RunProgress,
    pub(crate) interrupts: &'a mut Interrupts,
    pub(crate) warnings: Vec<String>,
    next_poll: Instant,
    next_read: Instant,
}

impl<'a> Follow<'a> {
    pub(crate) fn new(
        watch: &'a mut TaskWaiter,
        logs: &'a mut LogTailer,
        progress: &'a mut RunProgress,
        interrupts: &'a mut Interrupts,
    ) -> Self {
        let now = Instant::now();
        Self {
            next_poll: now + watch.pause(),
            next_read: now + READING,
            watch,
            logs,
            progress,
            interrupts,
            warnings: Vec::new(),
        }
    }

    /// Follows until all tasks have stopped and their last lines are here, or the time is over, or a signal
    /// comes.
    pub(crate) async fn until_the_end(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<Ended, WaitError> {
        let ended = self.until(deadline).await?;
        match ended {
            Ended::Stopped => self.drain().await,
            Ended::TimedOut | Ended::Interrupted(_) => {}
        }
        Ok(ended)
    }

    /// Has ECS stop what still runs, and says so, or how to do it by hand. How many tasks will stop.
    pub(crate) async fn stop(&mut self, clients: &Clients, cluster: &str, reason: &str) -> usize {
        let mut stopping = 0;
        let tasks: Vec<_> = self.watch.still_running().map(str::to_owned).collect();
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
                    "the task may run on: {error}; `{command}` stops it"
                ));
            }
        }
        stopping
    }

    /// After tasks were told to stop: their way there, and their last words.
    pub(crate) async fn until_stopped(&mut self) -> Result<Ended, WaitError> {
        self.until_the_end(Some(Instant::now() + STOPPING)).await
    }

    /// What the logs have right now.
    pub(crate) async fn flush(&mut self) {
        while let Ok(round) = timeout(FLUSH_TIME, self.logs.round()).await {
            let has_more = round.has_more;
            self.tell(round);
            if !has_more {
                break;
            }
        }
    }

    async fn until(&mut self, deadline: Option<Instant>) -> Result<Ended, WaitError> {
        while !self.watch.have_stopped() {
            let looks = self.next_poll <= self.next_read;
            let at = self.next_poll.min(self.next_read);
            // Whatever is dropped here half-way has not happened: no line is lost or read twice.
            tokio::select! {
                biased;
                signal = self.interrupts.next() => return Ok(Ended::Interrupted(signal)),
                () = over(deadline) => return Ok(Ended::TimedOut),
                looked = async { sleep_until(at).await; self.watch.poll().await }, if looks => {
                    looked?;
                    self.next_poll = Instant::now() + self.watch.pause();
                    self.progress.state(state(self.watch));
                }
                round = async { sleep_until(at).await; self.logs.round().await }, if !looks => {
                    self.next_read = Instant::now() + pause(&round);
                    self.tell(round);
                }
            }
        }
        Ok(Ended::Stopped)
    }

    /// How the tasks ended is known here: a signal ends the reading, and changes nothing else.
    async fn drain(&mut self) {
        let ran = self.watch.seen().any(has_run);
        let mut quiet_since = Instant::now();
        while ran && self.logs.is_open() {
            let round = tokio::select! {
                biased;
                signal = self.interrupts.next() => {
                    self.warn(&format!("{signal}: the last lines may be missing"));
                    return;
                }
                round = self.logs.round() => round,
            };
            let pause = pause(&round).min(Duration::from_secs(1));
            let limit = if round.failing { INSISTING } else { QUIET };
            if round.has_more || !round.lines.is_empty() {
                quiet_since = Instant::now();
            }
            let failing = round.failing;
            self.tell(round);
            if quiet_since.elapsed() >= limit {
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

    fn tell(&mut self, round: Round) {
        self.progress.logs(&round.lines, self.logs);
        for (stream, error) in round.lost {
            let advice = advice(&stream, &error).unwrap_or_default();
            self.warn(&format!(
                "the log of `{}` cannot be followed: {error}; {advice}",
                stream.container
            ));
        }
    }

    fn warn(&mut self, warning: &str) {
        self.progress.warn(warning);
        self.warnings.push(warning.to_owned());
    }
}

/// Never, without a deadline.
pub(super) async fn over(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn pause(round: &Round) -> Duration {
    if round.has_more {
        Duration::ZERO
    } else {
        READING
    }
}

/// A container that never ran wrote nothing.
fn has_run(task: &Task) -> bool {
    let containers = &task.facts.containers;
    task.facts.started_at.is_some() || containers.iter().any(|it| it.exit_code.is_some())
}

/// `RUNNING`, or `2 RUNNING, 1 STOPPED`.
fn state(watch: &TaskWaiter) -> String {
    let mut states: Vec<(&str, usize)> = Vec::new();
    for task in watch.seen() {
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

/// A few times, where it may pass: a task that runs on does its work, and costs.
async fn stop(clients: &Clients, cluster: &str, task: &str, reason: &str) -> Result<(), CallError> {
    const ATTEMPTS: usize = 3;
    for _ in 1..ATTEMPTS {
        match task::stop(&clients.ecs, cluster, task, reason).await {
            Err(error) if error.is_retryable() => sleep(Duration::from_secs(1)).await,
            stopped => return stopped,
        }
    }
    task::stop(&clients.ecs, cluster, task, reason).await
}
