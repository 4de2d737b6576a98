//! How the default deployment handles a cluster whose tasks are all replaced at once while one service runs out of
//! memory.
//!
//! The program is the real one, in as many processes as Lambda would run. The queue, Lambda's Runtime API, the chat and
//! AWS's APIs are servers on loopback. The benchmark runs in real time. Figures: docs/scale.md.
//!
//! ```sh
//! cargo bench --bench scale            # 100, 1,000, 10,000 and 100,000 tasks, at the same time
//! cargo bench --bench scale -- 10000
//! ```

#![expect(clippy::unwrap_used, reason = "an error here ends the benchmark")]

mod chat;
#[path = "../common/mod.rs"]
mod common;
mod function;
mod queue;
mod report;
mod rollover;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use chat::Chat;
use common::aws::Aws;
use function::Function;
use queue::Queue;
use report::Report;

/// The maximum concurrency in the deployment.
const FUNCTIONS: usize = 2;

/// The time limit after the last event. If the backlog takes longer, the report says so.
const TIMEOUT: Duration = Duration::from_secs(900);

#[tokio::main]
async fn main() {
    // Without this a run whose queue or chat has panicked would never end.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        std::process::exit(1);
    }));
    let sizes: Vec<u32> = std::env::args().filter_map(|it| it.parse().ok()).collect();
    let sizes = if sizes.is_empty() {
        vec![100, 1_000, 10_000, 100_000]
    } else {
        sizes
    };
    let mut runs = JoinSet::new();
    for tasks in sizes {
        runs.spawn(run(tasks));
    }
    let mut reports = runs.join_all().await;
    reports.sort_by_key(|report| report.tasks);
    report::print(&reports);
}

/// The number of services: one for every fifty tasks.
fn services(tasks: u32) -> u32 {
    (tasks / 50).max(1)
}

async fn run(tasks: u32) -> Report {
    let queue = Arc::new(Queue::new());
    let chat = Arc::new(Chat::new());
    let aws = Arc::new(Aws::new({
        let queue = Arc::clone(&queue);
        move |handle, time| queue.change_visibility(handle, time)
    }));
    let mut functions = Vec::new();
    for slot in 0..FUNCTIONS {
        functions.push(Function::start(slot, &queue, &chat, &aws).await);
    }
    let started = Instant::now();
    for event in rollover::events(tasks, services(tasks)) {
        if started + event.at > Instant::now() {
            sleep_until(started + event.at).await;
        }
        queue.send(event);
    }
    let end = Instant::now() + TIMEOUT;
    while !queue.is_empty() && Instant::now() < end {
        sleep(Duration::from_millis(100)).await;
    }
    Report::of(tasks, started, &queue, &chat, &aws, &functions)
}
