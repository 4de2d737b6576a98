//! The results of a run, and its cost.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use miniz_oxide::inflate::decompress_to_vec;
use serde_json::Value;

use crate::Run;
use crate::chat::{Chat, Message, Shown};
use crate::function::{Function, Invocation, TIMEOUT};
use crate::loopback::aws::Aws;
use crate::loopback::table::{Item, TableCosts};
use crate::queue::{Figures, Queue};

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
    pub(crate) run: Run,
    events: usize,
    returned: usize,
    chat: Messages,
    refused: usize,
    /// The time from the first urgent event until it was posted, and the longest such time of any urgent event.
    first_urgent: Option<Duration>,
    longest_urgent: Option<Duration>,
    /// The time from the last event until everything was posted.
    backlog: Option<Duration>,
    invocations: usize,
    /// The invocations that Lambda would have ended. There are some where the machine is too slow for the size.
    too_long: usize,
    busy: Duration,
    cpu: Duration,
    peak_kib: u64,
    table: TableCosts,
    timers: usize,
    timers_left: usize,
    table_cost: f64,
    cost: f64,
    /// The threads in the table: how many, how many of them are open, and the failures of all incidents.
    threads: Threads,
}

/// What a person sees in the channel.
struct Messages {
    posts: usize,
    replies: usize,
    broadcasts: usize,
    edits: usize,
    urgent: usize,
}

#[derive(Default)]
struct Threads {
    deployments: usize,
    open_deployments: usize,
    incidents: usize,
    resolved: usize,
    failures: u64,
}

impl Report {
    pub(crate) fn of(
        run: Run,
        backlog: Duration,
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
            events,
            timers,
            timers_left,
            returned,
            receive_calls,
        } = queue.figures();
        let written = functions.iter().map(|it| it.written()).sum();
        let table = aws.table_costs();
        let table_cost = table.read_units * price::READ + table.write_units as f64 * price::WRITE;
        // A timer that is left will be received, deleted, and read from the table. It does nothing else.
        let sent = events + aws.calls("SendMessageBatch");
        let queue_calls = sent + 2 * (receive_calls + timers_left) + returned;
        let later = timers_left as f64 * (2.0 * price::READ + price::INVOCATION);
        Self {
            run,
            events,
            returned,
            chat: Messages::of(&messages),
            refused: chat.refused(),
            first_urgent: waits.first().copied(),
            longest_urgent: waits.iter().max().copied(),
            backlog: queue.has_no_events().then_some(backlog),
            invocations: invocations.len(),
            too_long: invocations
                .iter()
                .filter(|it| it.ended - it.started > TIMEOUT)
                .count(),
            busy,
            cpu: functions.iter().map(|it| it.cpu()).sum(),
            peak_kib: functions.iter().map(|it| it.peak_kib()).max().unwrap_or(0),
            table,
            timers,
            timers_left,
            table_cost,
            cost: cost(invocations.len(), busy, queue_calls, written) + table_cost + later,
            threads: Threads::of(&aws.items()),
        }
    }

    fn each(&self, figure: f64) -> f64 {
        figure / self.events as f64
    }
}

impl Messages {
    fn of(messages: &[Message]) -> Self {
        let count = |shown: Shown| messages.iter().filter(|it| it.shown == shown).count();
        Self {
            posts: count(Shown::Post),
            replies: count(Shown::Reply),
            broadcasts: count(Shown::Broadcast),
            edits: count(Shown::Edit),
            urgent: messages.iter().filter(|it| is_urgent(it)).count(),
        }
    }

    /// What appears in the channel: edits and replies do not.
    fn in_channel(&self) -> usize {
        self.posts + self.broadcasts
    }
}

impl Threads {
    fn of(items: &[Item]) -> Self {
        let mut threads = Self::default();
        for record in items.iter().filter_map(|it| record(it.get("thread")?)) {
            let state = &record["state"];
            if let Some(deployment) = state.get("deployment") {
                threads.deployments += 1;
                threads.open_deployments += usize::from(deployment["completed_at"].is_null());
            }
            if let Some(incident) = state.get("incident") {
                threads.incidents += 1;
                threads.resolved += usize::from(!incident["resolved_at"].is_null());
                threads.failures += incident["total"].as_u64().unwrap();
            }
        }
        threads
    }
}

/// A long record is compressed.
fn record(thread: &Value) -> Option<Value> {
    let json = match (&thread["S"], &thread["B"]) {
        (Value::String(text), _) => text.clone().into_bytes(),
        (_, Value::String(bytes)) => decompress_to_vec(&BASE64.decode(bytes).unwrap()).unwrap(),
        _ => return None,
    };
    Some(serde_json::from_slice(&json).unwrap())
}

fn is_urgent(message: &Message) -> bool {
    message.text.contains("out of memory") || message.text.contains("out_of_memory")
}

/// How long each of an invocation's urgent events waited until a message showed it. After the first message the threads
/// count what follows, so that it is done with its invocation.
fn waits(invocation: &Invocation, urgent: &[&Message]) -> Vec<Duration> {
    let is_before = |it: &&&Message| it.at < invocation.started;
    let own = urgent.iter().filter(|it| it.slot == invocation.slot);
    let mut during = own.filter(|it| it.at >= invocation.started && it.at <= invocation.ended);
    let done = during.next().map(|it| it.at).or_else(|| {
        let counted = urgent.iter().any(|it| is_before(&it));
        counted.then_some(invocation.ended)
    });
    let Some(done) = done else {
        return Vec::new();
    };
    invocation.urgent.iter().map(|sent| done - *sent).collect()
}

fn cost(invocations: usize, busy: Duration, queue_calls: usize, written: u64) -> f64 {
    let gib_written = written as f64 / f64::from(1 << 30);
    invocations as f64 * price::INVOCATION
        + busy.as_secs_f64() * GIB * price::GIB_SECOND
        + queue_calls as f64 * price::QUEUE_CALL
        + gib_written * price::LOG_GIB
}

/// The name of a figure, and its text.
type Column = (&'static str, fn(&Report) -> String);

const COLUMNS: &[Column] = &[
    ("chat", |it| it.run.chat.name().to_owned()),
    ("tasks", |it| it.run.tasks.to_string()),
    ("services", |it| it.run.services().to_string()),
    ("events", |it| it.events.to_string()),
    ("messages in the channel", |it| {
        it.chat.in_channel().to_string()
    }),
    ("replies, edits", |it| {
        format!("{}, {}", it.chat.replies, it.chat.edits)
    }),
    ("posts, edits and replies that name the failure", |it| {
        it.chat.urgent.to_string()
    }),
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
    ("invocations, too long", |it| {
        format!("{}, {}", it.invocations, it.too_long)
    }),
    ("their duration, and CPU time", |it| {
        let (busy, cpu) = (it.busy.as_secs_f64(), it.cpu.as_secs_f64());
        format!("{busy:.0} s, {cpu:.1} s")
    }),
    ("peak memory", |it| format!("{} MiB", it.peak_kib / 1024)),
    ("deployments, still open", |it| {
        let Threads {
            deployments,
            open_deployments,
            ..
        } = it.threads;
        format!("{deployments}, {open_deployments}")
    }),
    ("incidents, resolved, their failures", |it| {
        let Threads {
            incidents,
            resolved,
            failures,
            ..
        } = it.threads;
        format!("{incidents}, {resolved}, {failures}")
    }),
    ("items read, written", |it| {
        format!("{}, {}", it.table.reads, it.table.writes)
    }),
    ("writes refused because another function was faster", |it| {
        it.table.conflicts.to_string()
    }),
    ("largest item", |it| {
        format!("{:.1} kB", it.table.largest as f64 / 1024.0)
    }),
    ("table operations an event", |it| {
        format!("{:.2}", it.each((it.table.reads + it.table.writes) as f64))
    }),
    ("read units, write units an event", |it| {
        let (reads, writes) = (it.table.read_units, it.table.write_units as f64);
        format!("{:.2}, {:.2}", it.each(reads), it.each(writes))
    }),
    ("timers, left at the end", |it| {
        format!("{}, {}", it.timers, it.timers_left)
    }),
    ("cost", |it| format!("${:.4}", it.cost)),
    ("cost of a million events", |it| {
        format!("${:.2}", it.each(it.cost) * 1e6)
    }),
    ("the table's part", |it| {
        format!("${:.2}", it.each(it.table_cost) * 1e6)
    }),
];

pub(crate) fn print(reports: &[Report]) {
    for (name, figure) in COLUMNS {
        let figures: Vec<_> = reports.iter().map(figure).collect();
        println!("| {name} | {} |", figures.join(" | "));
    }
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or("never".to_owned(), |time| {
        format!("{:.0} s", time.as_secs_f64())
    })
}
