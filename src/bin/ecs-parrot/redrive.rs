//! `ecs-parrot redrive`: what a dead-letter queue keeps is told at last, and only then deleted.
//!
//! AWS's own redrive serves the dead-letter queues of queues, not those of functions and rules:
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
use queue::{NotReturned, OURS, Queue};
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
        lambda: session.lambda_without_haste(),
        redriver,
        queue,
        bar,
        seen: HashSet::new(),
        held: HashMap::new(),
        latest: SystemTime::now(),
        undeleted: BTreeSet::new(),
        counts: Counts::default(),
    };
    // Whatever ends it, what is held is returned before anything is said: nobody may be there to hear it.
    let end = run.work(&mut signals).await;
    let hidden = run.return_to_queue().await;
    let end = run.look_for_others(end, hidden.as_ref()).await;
    run.conclude(end, hidden)
}

/// Messages that may come again, besides each twice, without a new one between them.
const FEW: usize = 10;

/// Before each question how many are hidden.
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
    /// The ids of all that came.
    seen: HashSet<String>,
    /// What stays in the queue, by its id. It is returned at the end: a queue hands out in no order, and it would come
    /// again before the others.
    held: HashMap<String, Message>,
    /// When the last one was received.
    latest: SystemTime,
    /// The ids of those that were told and could not be deleted.
    undeleted: BTreeSet<String>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    told: usize,
    dropped: usize,
    by_function: usize,
    kept: usize,
}

/// Why no more messages are taken.
enum StopReason {
    /// All were seen.
    Empty,
    /// All that could be seen were; so many are hidden by somebody else.
    Others(u64),
    Signal(Signal),
    Failed(anyhow::Error),
}

impl Redrive<'_> {
    async fn work(&mut self, signals: &mut Interrupts) -> StopReason {
        // Messages that came again since the last new one.
        let mut again = 0;
        let mut stopping = None;
        loop {
            if let Some(signal) = stopping.or_else(|| signals.pending()) {
                return StopReason::Signal(signal);
            }
            let letter = match self.receive(signals).await {
                Ok(Some(letter)) => letter,
                Ok(None) => return StopReason::Empty,
                Err(end) => return end,
            };
            if !self.seen.insert(id(&letter).to_owned()) {
                again += 1;
                self.take_again(letter).await;
                if again > 2 * self.seen.len() + FEW {
                    return StopReason::Failed(anyhow::anyhow!(
                        "the queue hands out the same messages again and again"
                    ));
                }
                continue;
            }
            again = 0;
            let Some(result) = self.tell(&letter, signals, &mut stopping).await else {
                self.held.insert(id(&letter).to_owned(), letter);
                continue;
            };
            if let Err(error) = self.settle(letter, result).await {
                return StopReason::Failed(anyhow::anyhow!("standard output: {error}"));
            }
        }
    }

    /// What came of a message. The first signal lets it come to its end, the second leaves it where it is: then none.
    async fn tell(
        &self,
        letter: &Message,
        signals: &mut Interrupts,
        stopping: &mut Option<Signal>,
    ) -> Option<Result<ProcessedMessage, String>> {
        let mut told = pin!(self.redriver.tell(&self.lambda, letter));
        loop {
            tokio::select! {
                result = &mut told => return Some(result),
                signal = signals.next() => {
                    if stopping.replace(signal).is_some() {
                        return None;
                    }
                    say(&format!(
                        "ecs-parrot: {signal}: stopping after the message at hand; once more to stop at once"
                    ));
                }
            }
        }
    }

    /// One that was held for longer than it was ours, or that the queue handed out twice. Others may still be unseen.
    async fn take_again(&mut self, letter: Message) {
        match self.held.get_mut(id(&letter)) {
            Some(held) => *held = letter,
            None => self.delete(letter).await,
        }
    }

    /// One that cannot be deleted is held, and said at the end.
    async fn delete(&mut self, letter: Message) {
        if let Err(error) = self.queue.delete(&letter).await {
            let name = id(&letter).to_owned();
            say(&format!(
                "ecs-parrot: {name} was told and could not be deleted: {error}"
            ));
            self.undeleted.insert(name.clone());
            self.held.insert(name, letter);
        }
    }

    /// The next message; none where all were seen. One that is on its way when a signal comes is waited for: it would
    /// be hidden, and nobody would know of it.
    async fn receive(&mut self, signals: &mut Interrupts) -> Result<Option<Message>, StopReason> {
        let mut receive = pin!(self.queue.receive());
        let (received, signal) = tokio::select! {
            received = &mut receive => (received, None),
            signal = signals.next() => (receive.await, Some(signal)),
        };
        self.latest = SystemTime::now();
        let received = received.map_err(|error| StopReason::Failed(error.into()))?;
        match (signal, received) {
            (None, received) => Ok(received),
            (Some(signal), received) => {
                let held = received.map(|letter| (id(&letter).to_owned(), letter));
                self.held.extend(held);
                Err(StopReason::Signal(signal))
            }
        }
    }

    /// Deletes what was dealt with, holds the rest, and says which.
    async fn settle(
        &mut self,
        letter: Message,
        result: Result<ProcessedMessage, String>,
    ) -> io::Result<()> {
        let name = id(&letter).to_owned();
        let line = match &result {
            Ok(done) => format!("{name}: {}", done.what),
            Err(why) => format!("{name}: kept, {why}"),
        };
        self.counts.add(&result);
        if result.is_err() || self.is_dry {
            self.held.insert(name, letter);
        } else {
            self.delete(letter).await;
        }
        self.bar
            .suspend(|| writeln!(anstream::stdout(), "{line}"))?;
        self.bar.inc(1);
        Ok(())
    }

    async fn return_to_queue(&self) -> Option<NotReturned> {
        let hidden = self.queue.return_to_queue(self.held.values()).await;
        self.bar.finish_and_clear();
        hidden
    }

    /// Whether anybody else hides messages, where the queue seems to be empty. Its count lags behind what was deleted
    /// and returned just now.
    async fn look_for_others(&self, end: StopReason, hidden: Option<&NotReturned>) -> StopReason {
        let StopReason::Empty = end else {
            return end;
        };
        let ours = hidden.map_or(0, |it| u64::try_from(it.messages).unwrap_or(u64::MAX));
        let mut others = 0;
        for pause in PAUSES {
            tokio::time::sleep(pause).await;
            others = match self.queue.hidden().await {
                Ok(all) => all.saturating_sub(ours),
                Err(error) => return StopReason::Failed(error.into()),
            };
            if others == 0 {
                return StopReason::Empty;
            }
        }
        StopReason::Others(others)
    }

    /// The totals, and a status that says whether anything is left.
    fn conclude(&self, end: StopReason, hidden: Option<NotReturned>) -> anyhow::Result<ExitCode> {
        say(&self.counts.in_words(self.is_dry));
        if !self.undeleted.is_empty() {
            let ids: Vec<_> = self.undeleted.iter().map(String::as_str).collect();
            say(&format!(
                "{} were told and could not be deleted: delete them, or they are told again: {}",
                ids.len(),
                ids.join(", ")
            ));
        }
        let left = match &hidden {
            None => "the queue may hold more; what was held was returned to it",
            Some(NotReturned { messages, why }) => {
                let ours = Duration::from_secs(OURS.unsigned_abs().into());
                let until = httpdate::fmt_http_date(self.latest + ours);
                say(&format!(
                    "{messages} could not be returned and stay hidden until {until} at the latest: {why}"
                ));
                "the queue may hold more"
            }
        };
        let is_clean = self.counts.kept == 0 && self.undeleted.is_empty() && hidden.is_none();
        match end {
            StopReason::Empty if is_clean => Ok(ExitCode::SUCCESS),
            StopReason::Empty => Ok(ExitCode::FAILURE),
            StopReason::Others(others) => {
                say(&format!(
                    "{others} messages are hidden by another reader or an earlier run; \
                     run redrive again when they are visible"
                ));
                Ok(ExitCode::FAILURE)
            }
            StopReason::Signal(signal) => {
                say(&format!("ecs-parrot: stopped by {signal}; {left}"));
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
                MessageResult::Posted => &mut self.told,
                MessageResult::Dropped => &mut self.dropped,
                MessageResult::PostedOrDropped => &mut self.by_function,
            },
            Err(_) => &mut self.kept,
        };
        *count += 1;
    }

    fn in_words(&self, is_dry: bool) -> String {
        let Self {
            told,
            dropped,
            by_function,
            kept,
            ..
        } = self;
        let (told_as, dropped_as) = match is_dry {
            true => ("would be told", "would be dropped"),
            false => ("told", "dropped"),
        };
        let mut words = format!("{told} {told_as}, {dropped} {dropped_as}, {kept} kept");
        if *by_function > 0 {
            words.push_str(&format!(
                ", {by_function} told or dropped: the function did not say which"
            ));
        }
        words
    }
}

/// On standard error. Where it is closed, too, nobody is there to hear it, and the exit status says enough.
fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

fn id(letter: &Message) -> &str {
    letter.message_id().unwrap_or_default()
}

/// A bar for a person at a terminal; a pipe has the lines.
fn progress(length: u64) -> ProgressBar {
    if io::stderr().is_terminal() && std::env::var_os("CI").is_none() {
        ProgressBar::new(length)
    } else {
        ProgressBar::hidden()
    }
}
