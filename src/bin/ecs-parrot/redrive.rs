//! `ecs-parrot redrive`: posts the events of a dead-letter queue, and deletes each message after that.
//!
//! The redrive of SQS works only for dead-letter queues of queues, not for those of functions and rules:
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>

mod queue;
mod redriver;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, IsTerminal as _, Write as _};
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use aws_sdk_sqs::types::Message;
use ecs_parrot::aws::{Session, service};
use ecs_parrot::http::SharedClient;
use indicatif::ProgressBar;

use crate::args::RedriveArgs;
use crate::notify::log_to_standard_error;
use crate::queue_url::{queue_url, region_of};
use crate::run::interrupt::{Interrupts, Signal};
use queue::{NotReturned, Queue, VISIBILITY_TIMEOUT};
use redriver::{MessageResult, ProcessedMessage, Redriver};

pub(crate) async fn run(args: &RedriveArgs) -> anyhow::Result<ExitCode> {
    log_to_standard_error();
    let redriver = Redriver::of(args)?;
    let region = args.region.as_deref().or_else(|| region_of(&args.queue));
    let http = SharedClient::default();
    let session = Session::open(&http, args.profile.as_deref(), region).await?;
    let sqs = session.sqs();
    let url = queue_url(&sqs, &args.queue).await?;
    let queue = Queue { sqs, url: &url };
    let bar = progress(queue.length().await?);
    let mut signals = Interrupts::default();
    signals.catch()?;
    let mut run = Redrive {
        is_dry: args.dry_run,
        lambda: session.lambda_with_long_timeout(),
        redriver,
        queue,
        bar,
        seen: HashSet::new(),
        held: HashMap::new(),
        last_receive: SystemTime::now(),
        undeleted: BTreeSet::new(),
        counts: Counts::default(),
    };
    // After any end, the messages are returned to the queue before anything is printed: a closed output must not stop
    // that.
    let reason = run.process_all(&mut signals).await;
    let not_returned = run.return_to_queue().await;
    let reason = run.look_for_others(reason, not_returned.as_ref()).await;
    run.conclude(reason, not_returned)
}

/// How many messages may be received again without a new one between them. Twice the number of known messages is added.
const MAX_REPEATS: usize = 10;

/// The pauses before each query of the number of invisible messages.
const PAUSES: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_secs(2),
    Duration::from_secs(4),
];

struct Redrive<'a> {
    is_dry: bool,
    lambda: service::Client,
    redriver: Redriver,
    queue: Queue<'a>,
    bar: ProgressBar,
    /// The ids of all messages that were received.
    seen: HashSet<String>,
    /// The messages that stay in the queue, by id. They are returned at the end. A queue has no order, so a message
    /// that is returned earlier would be received again before the others.
    held: HashMap<String, Message>,
    /// When the last message was received.
    last_receive: SystemTime,
    /// The ids of the messages that were processed but could not be deleted.
    undeleted: BTreeSet<String>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    posted: usize,
    dropped: usize,
    by_function: usize,
    kept: usize,
}

/// Why no more messages are received.
enum StopReason {
    /// All messages were received.
    Empty,
    /// All visible messages were received, but another reader holds this many.
    Others(u64),
    Signal(Signal),
    Failed(anyhow::Error),
}

impl Redrive<'_> {
    async fn process_all(&mut self, signals: &mut Interrupts) -> StopReason {
        // How many messages were received again since the last new one.
        let mut repeats = 0;
        let mut stopping = None;
        loop {
            if let Some(signal) = stopping.or_else(|| signals.pending()) {
                return StopReason::Signal(signal);
            }
            let message = match self.receive(signals).await {
                Ok(Some(message)) => message,
                Ok(None) => return StopReason::Empty,
                Err(end) => return end,
            };
            if !self.seen.insert(id(&message).to_owned()) {
                repeats += 1;
                self.receive_again(message).await;
                if repeats > 2 * self.seen.len() + MAX_REPEATS {
                    return StopReason::Failed(anyhow::anyhow!(
                        "the queue delivers the same messages again and again"
                    ));
                }
                continue;
            }
            repeats = 0;
            let Some(result) = self.process(&message, signals, &mut stopping).await else {
                self.held.insert(id(&message).to_owned(), message);
                continue;
            };
            if let Err(error) = self.finish(message, result).await {
                return StopReason::Failed(anyhow::anyhow!("standard output: {error}"));
            }
        }
    }

    /// Processes one message. After the first signal it continues to its end. After the second it stops at once and
    /// returns `None`.
    async fn process(
        &self,
        message: &Message,
        signals: &mut Interrupts,
        stopping: &mut Option<Signal>,
    ) -> Option<Result<ProcessedMessage, String>> {
        let mut processed = pin!(self.redriver.process(&self.lambda, message));
        loop {
            tokio::select! {
                result = &mut processed => return Some(result),
                signal = signals.next() => {
                    if stopping.replace(signal).is_some() {
                        return None;
                    }
                    print_error(&format!(
                        "ecs-parrot: {signal}: stopping after the current message; send it again to stop at once"
                    ));
                }
            }
        }
    }

    /// Handles a message that was received before: its visibility timeout was over, or the queue delivered it twice.
    async fn receive_again(&mut self, message: Message) {
        match self.held.get_mut(id(&message)) {
            Some(held) => *held = message,
            None => self.delete(message).await,
        }
    }

    /// Deletes a message. One that cannot be deleted is kept, and is named at the end.
    async fn delete(&mut self, message: Message) {
        if let Err(error) = self.queue.delete(&message).await {
            let name = id(&message).to_owned();
            print_error(&format!(
                "ecs-parrot: {name} was processed but could not be deleted: {error}"
            ));
            self.undeleted.insert(name.clone());
            self.held.insert(name, message);
        }
    }

    /// The next message; `None` if all were received. After a signal it still waits for the answer of the current call:
    /// a message that arrives later would stay invisible.
    async fn receive(&mut self, signals: &mut Interrupts) -> Result<Option<Message>, StopReason> {
        let mut receive = pin!(self.queue.receive());
        let (received, signal) = tokio::select! {
            received = &mut receive => (received, None),
            signal = signals.next() => (receive.await, Some(signal)),
        };
        self.last_receive = SystemTime::now();
        let received = received.map_err(|error| StopReason::Failed(error.into()))?;
        match (signal, received) {
            (None, received) => Ok(received),
            (Some(signal), received) => {
                let held = received.map(|message| (id(&message).to_owned(), message));
                self.held.extend(held);
                Err(StopReason::Signal(signal))
            }
        }
    }

    /// Deletes a message that was processed, keeps one that failed, and prints the result.
    async fn finish(
        &mut self,
        message: Message,
        result: Result<ProcessedMessage, String>,
    ) -> io::Result<()> {
        let name = id(&message).to_owned();
        let line = match &result {
            Ok(done) => format!("{name}: {}", done.what),
            Err(why) => format!("{name}: kept, {why}"),
        };
        self.counts.add(&result);
        if result.is_err() || self.is_dry {
            self.held.insert(name, message);
        } else {
            self.delete(message).await;
        }
        self.bar
            .suspend(|| writeln!(anstream::stdout(), "{line}"))?;
        self.bar.inc(1);
        Ok(())
    }

    async fn return_to_queue(&self) -> Option<NotReturned> {
        let not_returned = self.queue.return_to_queue(self.held.values()).await;
        self.bar.finish_and_clear();
        not_returned
    }

    /// Checks whether another reader holds messages, if the queue seems to be empty. It asks several times, because the
    /// counts of the queue are updated with a delay.
    async fn look_for_others(
        &self,
        reason: StopReason,
        not_returned: Option<&NotReturned>,
    ) -> StopReason {
        let StopReason::Empty = reason else {
            return reason;
        };
        let own = not_returned.map_or(0, |it| u64::try_from(it.messages).unwrap_or(u64::MAX));
        let mut others = 0;
        for pause in PAUSES {
            tokio::time::sleep(pause).await;
            others = match self.queue.invisible().await {
                Ok(all) => all.saturating_sub(own),
                Err(error) => return StopReason::Failed(error.into()),
            };
            if others == 0 {
                return StopReason::Empty;
            }
        }
        StopReason::Others(others)
    }

    /// Prints the totals. The exit status shows whether messages are left.
    fn conclude(
        &self,
        reason: StopReason,
        not_returned: Option<NotReturned>,
    ) -> anyhow::Result<ExitCode> {
        print_error(&self.counts.in_words(self.is_dry));
        if !self.undeleted.is_empty() {
            let ids: Vec<_> = self.undeleted.iter().map(String::as_str).collect();
            print_error(&format!(
                "{} were processed but could not be deleted; delete them, or they are posted again: {}",
                ids.len(),
                ids.join(", ")
            ));
        }
        let left = match &not_returned {
            None => "the queue may contain more messages; the received ones were returned to it",
            Some(NotReturned { messages, why }) => {
                let timeout = Duration::from_secs(VISIBILITY_TIMEOUT.unsigned_abs().into());
                let until = httpdate::fmt_http_date(self.last_receive + timeout);
                print_error(&format!(
                    "{messages} could not be returned to the queue and stay invisible until {until} at the latest: {why}"
                ));
                "the queue may contain more messages"
            }
        };
        let is_clean = self.counts.kept == 0 && self.undeleted.is_empty() && not_returned.is_none();
        match reason {
            StopReason::Empty if is_clean => Ok(ExitCode::SUCCESS),
            StopReason::Empty => Ok(ExitCode::FAILURE),
            StopReason::Others(others) => {
                print_error(&format!(
                    "{others} messages are held by another reader or an earlier run; \
                     run redrive again when they are visible"
                ));
                Ok(ExitCode::FAILURE)
            }
            StopReason::Signal(signal) => {
                print_error(&format!("ecs-parrot: stopped by {signal}; {left}"));
                Ok(ExitCode::from(signal.status()))
            }
            StopReason::Failed(error) => Err(anyhow::anyhow!("{error:#}; {left}")),
        }
    }
}

impl Counts {
    fn add(&mut self, result: &Result<ProcessedMessage, String>) {
        let count = match result {
            Ok(done) => match done.result {
                MessageResult::Posted => &mut self.posted,
                MessageResult::Dropped => &mut self.dropped,
                MessageResult::PostedOrDropped => &mut self.by_function,
            },
            Err(_) => &mut self.kept,
        };
        *count += 1;
    }

    fn in_words(&self, is_dry: bool) -> String {
        let Self {
            posted,
            dropped,
            by_function,
            kept,
            ..
        } = self;
        let (posted_as, dropped_as) = match is_dry {
            true => ("would be posted", "would be dropped"),
            false => ("posted", "dropped"),
        };
        let mut words = format!("{posted} {posted_as}, {dropped} {dropped_as}, {kept} kept");
        if *by_function > 0 {
            words.push_str(&format!(
                ", {by_function} posted or dropped (the function did not report which)"
            ));
        }
        words
    }
}

/// Prints a line on standard error. If it is closed, the exit status is enough.
fn print_error(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

fn id(message: &Message) -> &str {
    message.message_id().unwrap_or_default()
}

/// A progress bar, if standard error is a terminal and not the log of a CI job.
fn progress(length: u64) -> ProgressBar {
    if io::stderr().is_terminal() && std::env::var_os("CI").is_none() {
        ProgressBar::new(length)
    } else {
        ProgressBar::hidden()
    }
}
