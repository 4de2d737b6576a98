//! The results of a run, and its cost.

use std::time::Duration;

use tokio::time::Instant;

use crate::chat::{Chat, Message};
use crate::common::aws::Aws;
use crate::function::{Function, Invocation};
use crate::queue::{Figures, Queue};
use crate::services;

/// The function's memory in the deployment.
const GIB: f64 = 0.25;

/// AWS's list prices in us-east-1 on 21 November 2026, in US dollars: <https://aws.amazon.com/lambda/pricing/>,
/// <https://aws.amazon.com/sqs/pricing/>, <https://aws.amazon.com/dynamodb/pricing/on-demand/>,
/// <https://aws.amazon.com/cloudwatch/pricing/>.
mod price {
    pub(super) const INVOCATION: f64 = 0.20 / 1e6;
    pub(super) const GIB_SECOND: f64 = 0.000_016_666_7;
    pub(super) const QUEUE_CALL: f64 = 0.40 / 1e6;
    pub(super) const READ: f64 = 0.125 / 1e6;
    pub(super) const WRITE: f64 = 0.625 / 1e6;
    pub(super) const LOG_GIB: f64 = 0.50;
}

pub(crate) struct Report {
    pub(crate) tasks: u32,
    events: usize,
    returned: usize,
    messages: usize,
    urgent_messages: usize,
    refused: usize,
    /// The time from the first urgent event until it was posted, and the longest such time of any urgent event.
    first_urgent: Option<Duration>,
    longest_urgent: Option<Duration>,
    /// The time from the last event until everything was posted.
    backlog: Option<Duration>,
    invocations: usize,
    busy: Duration,
    cpu: Duration,
    peak_kib: u64,
    cost: f64,
}

impl Report {
    pub(crate) fn of(
        tasks: u32,
        started: Instant,
        queue: &Queue,
        chat: &Chat,
        aws: &Aws,
        functions: &[Function],
    ) -> Self {
        let mut invocations: Vec<_> = functions.iter().flat_map(Function::invocations).collect();
        invocations.sort_by_key(|it| it.started);
        let messages = chat.accepted();
        let urgent: Vec<_> = messages.iter().filter(|it| is_urgent(it)).collect();
        let waits: Vec<_> = invocations
            .iter()
            .flat_map(|it| waits(it, &urgent))
            .collect();
        let busy = invocations.iter().map(|it| it.ended - it.started).sum();
        let Figures {
            sent,
            returned,
            receive_calls,
        } = queue.figures();
        let last = invocations.last().map(|it| it.ended);
        let written = functions.iter().map(|it| it.written()).sum();
        Self {
            tasks,
            events: sent,
            returned,
            messages: messages.len(),
            urgent_messages: urgent.len(),
            refused: chat.refused(),
            first_urgent: waits.first().copied(),
            longest_urgent: waits.iter().max().copied(),
            backlog: last
                .filter(|_| queue.is_empty())
                .map(|last| last.saturating_duration_since(started + crate::rollover::TIME)),
            invocations: invocations.len(),
            busy,
            cpu: functions.iter().map(|it| it.cpu()).sum(),
            peak_kib: functions.iter().map(|it| it.peak_kib()).max().unwrap_or(0),
            cost: cost(
                invocations.len(),
                busy,
                sent + 2 * receive_calls,
                aws,
                written,
            ),
        }
    }
}

fn is_urgent(message: &Message) -> bool {
    message.text.contains("out of memory") || message.text.contains("out_of_memory")
}

/// How long each of an invocation's urgent events waited for its message.
fn waits(invocation: &Invocation, urgent: &[&Message]) -> Vec<Duration> {
    let own = urgent.iter().filter(|it| it.slot == invocation.slot);
    let mut during = own.filter(|it| it.at >= invocation.started && it.at <= invocation.ended);
    let Some(posted) = during.next() else {
        return Vec::new();
    };
    invocation
        .urgent
        .iter()
        .map(|sent| posted.at - *sent)
        .collect()
}

fn cost(invocations: usize, busy: Duration, queue_calls: usize, aws: &Aws, written: u64) -> f64 {
    let writes = ["PutItem", "UpdateItem", "DeleteItem"].map(|call| aws.calls(call));
    let gib_written = written as f64 / f64::from(1 << 30);
    invocations as f64 * price::INVOCATION
        + busy.as_secs_f64() * GIB * price::GIB_SECOND
        + queue_calls as f64 * price::QUEUE_CALL
        + aws.reads() as f64 * price::READ
        + writes.iter().sum::<usize>() as f64 * price::WRITE
        + gib_written * price::LOG_GIB
}

/// The name of a figure, and its text.
type Column = (&'static str, fn(&Report) -> String);

pub(crate) fn print(reports: &[Report]) {
    let columns: [Column; 14] = [
        ("tasks", |it| it.tasks.to_string()),
        ("services", |it| services(it.tasks).to_string()),
        ("events", |it| it.events.to_string()),
        ("messages", |it| it.messages.to_string()),
        ("urgent ones", |it| it.urgent_messages.to_string()),
        ("first urgent event is posted after", |it| {
            seconds(it.first_urgent)
        }),
        ("longest wait of an urgent event", |it| {
            seconds(it.longest_urgent)
        }),
        ("all is posted, after the last event", |it| {
            seconds(it.backlog)
        }),
        ("records returned to the queue", |it| {
            it.returned.to_string()
        }),
        ("messages refused (429)", |it| it.refused.to_string()),
        ("invocations", |it| it.invocations.to_string()),
        ("their duration, and CPU time", |it| {
            format!(
                "{:.0} s, {:.1} s",
                it.busy.as_secs_f64(),
                it.cpu.as_secs_f64()
            )
        }),
        ("peak memory", |it| format!("{} MiB", it.peak_kib / 1024)),
        ("cost", |it| format!("${:.4}", it.cost)),
    ];
    for (name, figure) in columns {
        let figures: Vec<_> = reports.iter().map(figure).collect();
        println!("| {name} | {} |", figures.join(" | "));
    }
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or("never".to_owned(), |time| {
        format!("{:.0} s", time.as_secs_f64())
    })
}
