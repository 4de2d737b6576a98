//! `ecs-parrot redrive`: what a dead-letter queue keeps is told at last, and only then deleted.
//!
//! AWS's own redrive serves the dead-letter queues of queues, not those of functions and rules:
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>

mod queue;
mod teller;

use std::collections::{HashMap, HashSet};
use std::io::{self, IsTerminal as _, Write as _};
use std::pin::pin;
use std::process::ExitCode;

use aws_sdk_sqs::types::Message;
use ecs_parrot::aws::Session;
use indicatif::ProgressBar;

use crate::args::RedriveArgs;
use crate::notify::log_to_standard_error;
use crate::queue_url::{queue_url, region_of};
use crate::run::interrupt::{Interrupts, Signal};
use queue::Queue;
use teller::{Became, Done, Teller};

pub(crate) fn run(args: &RedriveArgs) -> anyhow::Result<ExitCode> {
    log_to_standard_error();
    let teller = Teller::of(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(redrive(args, teller))
}

async fn redrive(args: &RedriveArgs, teller: Teller) -> anyhow::Result<ExitCode> {
    let region = args.region.as_deref().or_else(|| region_of(&args.queue));
    let session = Session::open(args.profile.as_deref(), region).await?;
    let sqs = session.sqs();
    let url = queue_url(&sqs, &args.queue).await?;
    let queue = Queue { sqs, url: &url };
    let bar = progress(queue.length().await?);
    let mut signals = Interrupts::default();
    signals.catch()?;
    let mut run = Redrive {
        is_dry: args.dry_run,
        lambda: session.lambda_without_haste(),
        teller,
        queue,
        bar,
        seen: HashSet::new(),
        held: HashMap::new(),
        counts: Counts::default(),
    };
    // Whatever ends it, what is held is returned before anything is said: nobody may be there to hear it.
    let end = run.work(&mut signals).await;
    run.give_back().await;
    run.conclude(end)
}

/// Messages that may come again, besides each twice, without a new one between them.
const FEW: usize = 10;

struct Redrive<'a> {
    is_dry: bool,
    lambda: aws_sdk_lambda::Client,
    teller: Teller,
    queue: Queue<'a>,
    bar: ProgressBar,
    /// The ids of all that came.
    seen: HashSet<String>,
    /// What stays in the queue, by its id. It is returned at the end: a queue hands out in no order, and it would come
    /// again before the others.
    held: HashMap<String, Message>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    told: usize,
    dropped: usize,
    by_function: usize,
    kept: usize,
    undeleted: usize,
}

/// Why no more messages are taken.
enum End {
    /// All were seen.
    Empty,
    Signal(Signal),
    Failed(anyhow::Error),
}

impl Redrive<'_> {
    async fn work(&mut self, signals: &mut Interrupts) -> End {
        // Messages that came again since the last new one.
        let mut again = 0;
        let mut stopping = None;
        loop {
            if let Some(signal) = stopping.or_else(|| signals.pending()) {
                return End::Signal(signal);
            }
            let letter = match self.receive(signals).await {
                Ok(Some(letter)) => letter,
                Ok(None) => return End::Empty,
                Err(end) => return end,
            };
            if !self.seen.insert(id(&letter).to_owned()) {
                again += 1;
                self.take_again(letter).await;
                if again > 2 * self.seen.len() + FEW {
                    return End::Failed(anyhow::anyhow!(
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
                return End::Failed(anyhow::anyhow!("standard output: {error}"));
            }
        }
    }

    /// What came of a message. The first signal lets it come to its end, the second leaves it where it is: then none.
    async fn tell(
        &self,
        letter: &Message,
        signals: &mut Interrupts,
        stopping: &mut Option<Signal>,
    ) -> Option<Result<Done, String>> {
        let mut told = pin!(self.teller.tell(&self.lambda, letter));
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
        let name = id(&letter).to_owned();
        if self.held.contains_key(&name) {
            self.held.insert(name, letter);
        } else if let Err(error) = self.queue.delete(&letter).await {
            tracing::error!(%error, id = name, "it was told, and stays in the queue");
            self.held.insert(name, letter);
        }
    }

    /// The next message; none where all were seen. One that is on its way when a signal comes is waited for: it would
    /// be hidden, and nobody would know of it.
    async fn receive(&mut self, signals: &mut Interrupts) -> Result<Option<Message>, End> {
        let mut receive = pin!(self.queue.receive());
        let (received, signal) = tokio::select! {
            received = &mut receive => (received, None),
            signal = signals.next() => (receive.await, Some(signal)),
        };
        let received = received.map_err(|error| End::Failed(error.into()))?;
        match (signal, received) {
            (None, received) => Ok(received),
            (Some(signal), received) => {
                let held = received.map(|letter| (id(&letter).to_owned(), letter));
                self.held.extend(held);
                Err(End::Signal(signal))
            }
        }
    }

    /// Deletes what was dealt with, holds the rest, and says which.
    async fn settle(&mut self, letter: Message, result: Result<Done, String>) -> io::Result<()> {
        let name = id(&letter).to_owned();
        let line = match &result {
            Ok(done) => format!("{name}: {}", done.what),
            Err(why) => format!("{name}: kept, {why}"),
        };
        self.counts.add(&result);
        if result.is_err() || self.is_dry {
            self.held.insert(name, letter);
        } else if let Err(error) = self.queue.delete(&letter).await {
            tracing::error!(%error, id = name, "it was told, and stays in the queue");
            self.counts.undeleted += 1;
            self.held.insert(name, letter);
        }
        self.bar
            .suspend(|| writeln!(anstream::stdout(), "{line}"))?;
        self.bar.inc(1);
        Ok(())
    }

    async fn give_back(&self) {
        self.queue.give_back(self.held.values()).await;
        self.bar.finish_and_clear();
    }

    /// The totals, and a status that says whether anything is left.
    fn conclude(&self, end: End) -> anyhow::Result<ExitCode> {
        say(&self.counts.in_words(self.is_dry));
        if self.counts.undeleted > 0 {
            say(&format!(
                "{} were told and could not be deleted: delete them, or they are told again",
                self.counts.undeleted
            ));
        }
        match end {
            End::Empty if self.counts.kept + self.counts.undeleted == 0 => Ok(ExitCode::SUCCESS),
            End::Empty => Ok(ExitCode::FAILURE),
            End::Signal(signal) => {
                say(&format!("ecs-parrot: stopped by {signal}; {LEFT}"));
                Ok(ExitCode::from(signal.status()))
            }
            End::Failed(error) => Err(anyhow::anyhow!("{error:#}; {LEFT}")),
        }
    }
}

const LEFT: &str = "the queue may hold more; what was held was returned to it";

impl Counts {
    fn add(&mut self, result: &Result<Done, String>) {
        let count = match result {
            Ok(done) => match done.became {
                Became::Told => &mut self.told,
                Became::Dropped => &mut self.dropped,
                Became::LeftToTheFunction => &mut self.by_function,
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
