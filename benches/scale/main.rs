//! How the default deployment handles a cluster whose tasks are all replaced at once while one service runs out of
//! memory, and a service of which each task fails.
//!
//! The program is the real one, in as many processes as Lambda would run. The queue, Lambda's Runtime API, the chat and
//! AWS's APIs are servers on loopback. The benchmark runs in real time. Figures: docs/scale.md.
//!
//! ```sh
//! cargo bench --bench scale                      # 100, 1,000, 10,000 and 100,000 tasks, at the same time
//! cargo bench --bench scale -- 10000 slack_app   # one size, with a chat that can edit
//! cargo bench --bench scale -- hot 10000         # ten thousand tasks of one service fail
//! ```
//!
//! `PARROT=PATH` measures another build of the program.

#![expect(clippy::unwrap_used, reason = "an error here ends the benchmark")]

mod chat;
mod function;
#[path = "../loopback/mod.rs"]
mod loopback;
mod queue;
mod report;
mod rollover;
mod samples;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use chat::{Chat, ChatType};
use function::Function;
use loopback::aws::Aws;
use queue::Queue;
use report::Report;

/// The maximum concurrency in the deployment.
const FUNCTIONS: usize = 2;

/// The time limit after the last event. If the backlog takes longer, the report says so.
const TIMEOUT: Duration = Duration::from_secs(900);

/// When the incident is over: it is corrected after 330 s, and calm for five minutes after that.
const OVER: Duration = Duration::from_secs(670);

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    Rollover,
    HotService,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    story: Story,
    chat: ChatType,
    tasks: u32,
}

#[tokio::main]
async fn main() {
    // Without this a run whose queue or chat has panicked would never end.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        std::process::exit(1);
    }));
    let words: Vec<_> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|it| it == word);
    let sizes: Vec<u32> = words.iter().filter_map(|it| it.parse().ok()).collect();
    let sizes = if sizes.is_empty() {
        vec![100, 1_000, 10_000, 100_000]
    } else {
        sizes
    };
    let mut runs = JoinSet::new();
    for tasks in sizes {
        runs.spawn(run(Run {
            story: if has("hot") {
                Story::HotService
            } else {
                Story::Rollover
            },
            chat: if has("slack_app") {
                ChatType::SlackApp
            } else {
                ChatType::Slack
            },
            tasks,
        }));
    }
    let mut reports = runs.join_all().await;
    reports.sort_by_key(|report| report.run.tasks);
    report::print(&reports);
}

impl Run {
    /// The number of services: one for every fifty tasks.
    fn services(self) -> u32 {
        match self.story {
            Story::Rollover => (self.tasks / 50).max(1),
            Story::HotService => 1,
        }
    }

    fn events(self) -> Vec<rollover::Event> {
        match self.story {
            Story::Rollover => rollover::rollover(self.tasks, self.services()),
            Story::HotService => rollover::hot_service(self.tasks),
        }
    }
}

async fn run(run: Run) -> Report {
    let queue = Arc::new(Queue::new(SystemTime::now()));
    let chat = Arc::new(Chat::new());
    let aws = Arc::new(Aws::new(Arc::clone(&queue)));
    let mut functions = Vec::new();
    for slot in 0..FUNCTIONS {
        functions.push(Function::start(slot, &queue, run.chat, &chat, &aws).await);
    }
    let started = Instant::now();
    for event in run.events() {
        if started + event.at > Instant::now() {
            sleep_until(started + event.at).await;
        }
        queue.send(event);
    }
    let sent = Instant::now();
    while !queue.has_no_events() && Instant::now() < sent + TIMEOUT {
        sleep(Duration::from_millis(100)).await;
    }
    let done = Instant::now();
    // Timers that fire after the end of the story do nothing.
    while !queue.is_empty() && Instant::now() < started + OVER {
        sleep(Duration::from_millis(100)).await;
    }
    Report::of(run, done - sent, &queue, &chat, &aws, &functions)
}
