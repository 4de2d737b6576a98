//! The stages without I/O, from a payload's text to the message for Slack: their time, and how often they allocate.
//!
//! ```sh
//! cargo bench --bench pipeline
//! ```
//!
//! Figures: docs/performance.md.

#![expect(clippy::unwrap_used, reason = "an error here ends the benchmark")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group};
use ecs_parrot::notifier::channel::{ChannelType, ConfiguredChannel, Operation};
use ecs_parrot::notifier::dispatch::evaluate;
use ecs_parrot::notifier::group::{GroupItem, MessagePlan};
use ecs_parrot::notifier::ingest;
use ecs_parrot::notifier::policy::Policy;
use ecs_parrot::notifier::render::{Renderer, View};
use serde_json::{Value, json};

criterion_group!(benches, parsing, kinds, sizes, batches);

fn main() {
    print_allocations();
    benches();
    Criterion::default().configure_from_args().final_summary();
}

/// Processes a payload. Returns the size in bytes of all messages for Slack.
fn process(payload: &str, renderer: &Renderer, policy: &Policy) -> usize {
    let payload: Value = serde_json::from_str(payload).unwrap();
    let events = ingest::open(&payload)
        .items
        .into_iter()
        .map(|item| item.event.unwrap());
    let decided: Vec<_> = events.map(|event| evaluate(&event, policy)).collect();
    let items = decided.iter().enumerate();
    let items = items.filter_map(|(index, decided)| GroupItem::of(index, decided));
    let mut plan = MessagePlan::of(&items.collect::<Vec<_>>());
    let mut bytes = 0;
    while let Some(group) = plan.next(None) {
        let message = renderer.render_or_fall_back(View::of(ChannelType::Slack), &group.group);
        let slack = ConfiguredChannel::unconfigured(ChannelType::Slack).channel;
        bytes += slack
            .payload(&message, Operation::Post)
            .unwrap()
            .to_string()
            .len();
    }
    bytes
}

/// The time to parse the JSON alone, which is the least that any program needs.
fn parsing(criterion: &mut Criterion) {
    let event = sample("task_stopped-out-of-memory").to_string();
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Bytes(event.len() as u64));
    group.bench_function("task_stopped, into a Value alone", |bencher| {
        bencher.iter(|| serde_json::from_str::<Value>(black_box(&event)).unwrap());
    });
}

/// One sample of each kind, the first by its name.
fn kinds(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kind");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut samples = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".json").map(str::to_owned) else {
            continue;
        };
        let kind = name.split('-').next().unwrap().to_owned();
        let first = samples.entry(kind).or_insert_with(|| name.clone());
        *first = name.min(first.clone());
    }
    for (kind, name) in samples {
        bench(
            &mut group,
            BenchmarkId::from_parameter(kind),
            &sample(&name).to_string(),
        );
    }
}

fn sizes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("size");
    for kilobytes in [1, 10, 100, 1_000] {
        let event = sized(kilobytes);
        let id = BenchmarkId::from_parameter(format!("{kilobytes} kB"));
        bench(&mut group, id, &event);
    }
}

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch");
    for events in BATCHES {
        group.throughput(Throughput::Elements(events));
        group.sample_size(20);
        let (batch, renderer, policy) = (batch(events), Renderer::default(), Policy::default());
        group.bench_function(BenchmarkId::from_parameter(events), |bencher| {
            bencher.iter(|| process(black_box(&batch), &renderer, &policy));
        });
    }
}

const BATCHES: [u64; 3] = [1, 100, 10_000];

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, id: BenchmarkId, event: &str) {
    let (renderer, policy) = (Renderer::default(), Policy::default());
    group.throughput(Throughput::Bytes(event.len() as u64));
    group.bench_function(id, |bencher| {
        bencher.iter(|| process(black_box(event), &renderer, &policy));
    });
}

/// Prints the numbers of allocations. They are the same in every run.
fn print_allocations() {
    println!("| payload | bytes | allocations | each event |\n|---|---|---|---|");
    let sizes = [1, 10, 100, 1_000].map(|size| (format!("an event of {size} kB"), sized(size), 1));
    let batches = BATCHES.map(|events| (format!("a batch of {events}"), batch(events), events));
    for (name, payload, events) in sizes.into_iter().chain(batches) {
        let (renderer, policy) = (Renderer::default(), Policy::default());
        // The templates are compiled in the first call, which is not counted.
        process(&payload, &renderer, &policy);
        let info = allocation_counter::measure(|| {
            black_box(process(&payload, &renderer, &policy));
        });
        let (bytes, all) = (payload.len(), info.count_total);
        println!("| {name} | {bytes} | {all} | {} |", all / events);
    }
}

fn sample(name: &str) -> Value {
    let path = format!("{}/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The event of a task that ran out of memory. It has as many containers as are needed for this size.
fn sized(kilobytes: usize) -> String {
    let mut event = sample("task_stopped-out-of-memory");
    let detail = &mut event["detail"];
    for field in ["attachments", "attributes", "overrides"] {
        detail[field] = json!([]);
    }
    let container = json!({
        "name": "worker", "exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage",
        "image": "210987654321.dkr.ecr.eu-west-1.amazonaws.com/worker:2026.10.27-3f9c2ab", "lastStatus": "STOPPED",
    });
    detail["containers"] = json!([container]);
    let (bare, each) = (event.to_string().len(), container.to_string().len() + 1);
    let more = (kilobytes * 1_000).saturating_sub(bare) / each;
    let containers = event["detail"]["containers"].as_array_mut().unwrap();
    containers.extend(std::iter::repeat_n(container, more));
    event.to_string()
}

/// Records of a queue: tasks of two hundred services. One service's tasks run out of memory, and the others' start.
fn batch(events: u64) -> String {
    let start = sample("task_started-fargate").to_string();
    let stop = sample("task_stopped-out-of-memory").to_string();
    let records = (0..events).map(|number| {
        let (text, task, service) = match number % 200 {
            0 => (&stop, "62e6771e", "checkout".to_owned()),
            service => (&start, "4ce3edc3", format!("service-{service}")),
        };
        let body = text
            .replace(task, &format!("{number:08x}"))
            .replace("service:checkout", &format!("service:{service}"));
        json!({"messageId": number.to_string(), "eventSource": "aws:sqs", "body": body})
    });
    json!({"Records": records.collect::<Vec<_>>()}).to_string()
}
