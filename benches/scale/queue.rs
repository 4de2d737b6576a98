//! SQS, and Lambda's poller between the queue and the function.
//!
//! Lambda receives records until the batch is full, the batching window has passed or the payload has 6 MB. Then it
//! invokes the function, at most as often at the same time as the event source allows.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::loopback::aws::QueueCalls;
use crate::rollover::Event;
use crate::samples::{Samples, State};

/// These values are those of the deployment.
pub(crate) const BATCH: usize = 10_000;
const WINDOW: Duration = Duration::from_secs(5);
const VISIBILITY: Duration = Duration::from_secs(90);

/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const PAYLOAD: usize = 6 * 1024 * 1024;

/// AWS does not document how fast Lambda receives records. This is a low estimate: ten records, the maximum of one
/// call, every ten milliseconds.
const RECEIVE: Duration = Duration::from_millis(10);
const RECORDS_A_CALL: usize = 10;

pub(crate) struct Queue {
    samples: Samples,
    started: SystemTime,
    state: Mutex<QueueState>,
}

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<Record>,
    /// Records that returned to the queue and are not visible yet.
    hidden: Vec<(Instant, Record)>,
    in_flight: HashMap<usize, Record>,
    visibility: HashMap<usize, Duration>,
    sent: usize,
    events: usize,
    timers: usize,
    done_events: usize,
    done_timers: usize,
    returned: usize,
    receive_calls: usize,
}

#[derive(Clone)]
struct Record {
    number: usize,
    content: Content,
    sent: Instant,
    receives: u32,
}

#[derive(Clone)]
enum Content {
    Event(Event),
    /// A message that the function has sent to itself.
    Timer(String),
}

/// The payload of one invocation.
pub(crate) struct Batch {
    pub(crate) payload: String,
    pub(crate) numbers: Vec<usize>,
    /// When each of the urgent events was sent to the queue.
    pub(crate) urgent: Vec<Instant>,
}

pub(crate) struct Figures {
    pub(crate) events: usize,
    pub(crate) timers: usize,
    /// The timers that are not due yet.
    pub(crate) timers_left: usize,
    pub(crate) returned: usize,
    pub(crate) receive_calls: usize,
}

impl Queue {
    /// The events' times count from `started`.
    pub(crate) fn new(started: SystemTime) -> Self {
        Self {
            samples: Samples::read(),
            started,
            state: Mutex::default(),
        }
    }

    pub(crate) fn send(&self, event: Event) {
        let mut state = self.state.lock().unwrap();
        state.events += 1;
        let record = state.new_record(Content::Event(event));
        state.waiting.push_back(record);
    }

    /// Whether all events are done.
    pub(crate) fn has_no_events(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.done_events == state.events
    }

    /// Whether nothing is left, also no timer.
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.done_events + state.done_timers == state.sent
    }

    pub(crate) fn figures(&self) -> Figures {
        let state = self.state.lock().unwrap();
        Figures {
            events: state.events,
            timers: state.timers,
            timers_left: state.timers - state.done_timers,
            returned: state.returned,
            receive_calls: state.receive_calls,
        }
    }

    /// Waits for the next batch.
    pub(crate) async fn batch(&self) -> Batch {
        let mut batch = Vec::new();
        let (mut size, mut end) = (0, None);
        while batch.len() < BATCH && size < PAYLOAD && end.is_none_or(|end| Instant::now() < end) {
            for record in self.receive() {
                end.get_or_insert_with(|| Instant::now() + WINDOW);
                let text = self.text(&record);
                size += text.len() + 1;
                batch.push((record, text));
            }
            sleep(RECEIVE).await;
        }
        Batch::of(batch)
    }

    fn receive(&self) -> Vec<Record> {
        let mut state = self.state.lock().unwrap();
        let state = &mut *state;
        let now = Instant::now();
        for (_, record) in state.hidden.extract_if(.., |(shown, _)| *shown <= now) {
            state.waiting.push_back(record);
        }
        let count = state.waiting.len().min(RECORDS_A_CALL);
        state.receive_calls += usize::from(count > 0);
        let mut received: Vec<_> = state.waiting.drain(..count).collect();
        for record in &mut received {
            record.receives += 1;
            state.in_flight.insert(record.number, record.clone());
        }
        received
    }

    fn text(&self, record: &Record) -> String {
        let sent = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_millis()
            .to_string();
        json!({
            "messageId": message_id(record.number),
            "receiptHandle": receipt_handle(record.number),
            "body": match &record.content {
                Content::Event(event) => self.samples.body(event, record.number, self.started),
                Content::Timer(body) => body.clone(),
            },
            "attributes": {
                "ApproximateReceiveCount": record.receives.to_string(),
                "SentTimestamp": sent,
                "SenderId": "AIDAIE4EXAMPLE4EXAMPL",
                "ApproximateFirstReceiveTimestamp": sent,
            },
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:210987654321:events",
            "awsRegion": "eu-west-1",
        })
        .to_string()
    }

    /// Handles the answer of an invocation: the records that it names return to the queue, or all if the invocation
    /// failed.
    pub(crate) fn finish(&self, batch: &[usize], answer: Option<&Value>) {
        let failures = answer.map(|answer| {
            let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
            let ids = failures.map(|it| number_of(it["itemIdentifier"].as_str().unwrap()));
            ids.collect::<Vec<_>>()
        });
        let mut state = self.state.lock().unwrap();
        for number in batch {
            let record = state.in_flight.remove(number).unwrap();
            if failures
                .as_ref()
                .is_none_or(|failures| failures.contains(number))
            {
                let visibility = state.visibility.remove(number).unwrap_or(VISIBILITY);
                state.hidden.push((Instant::now() + visibility, record));
                state.returned += 1;
            } else {
                match record.content {
                    Content::Event(_) => state.done_events += 1,
                    Content::Timer(_) => state.done_timers += 1,
                }
            }
        }
    }
}

impl QueueState {
    fn new_record(&mut self, content: Content) -> Record {
        self.sent += 1;
        Record {
            number: self.sent,
            content,
            sent: Instant::now(),
            receives: 0,
        }
    }
}

impl QueueCalls for Arc<Queue> {
    /// Sets when a record becomes visible again if it returns to the queue.
    fn change_visibility(&self, receipt_handle: &str, timeout: Duration) {
        let number = number_of(receipt_handle);
        let mut state = self.state.lock().unwrap();
        state.visibility.insert(number, timeout);
    }

    fn send_later(&self, body: String, delay: Duration) {
        let mut state = self.state.lock().unwrap();
        state.timers += 1;
        let record = state.new_record(Content::Timer(body));
        state.hidden.push((Instant::now() + delay, record));
    }
}

impl Batch {
    fn of(records: Vec<(Record, String)>) -> Self {
        let is_urgent = |record: &Record| match &record.content {
            Content::Event(event) => event.state == State::OutOfMemory,
            Content::Timer(_) => false,
        };
        let (records, texts): (Vec<_>, Vec<_>) = records.into_iter().unzip();
        Self {
            payload: format!("{{\"Records\":[{}]}}", texts.join(",")),
            urgent: records
                .iter()
                .filter(|it| is_urgent(it))
                .map(|it| it.sent)
                .collect(),
            numbers: records.iter().map(|it| it.number).collect(),
        }
    }
}

fn message_id(number: usize) -> String {
    format!("{number:08x}-5f0a-4d5e-9a55-5c1d00000000")
}

/// A receipt handle, as long as those of SQS.
fn receipt_handle(number: usize) -> String {
    format!("{number:08x}-{}", "A".repeat(400))
}

fn number_of(id: &str) -> usize {
    usize::from_str_radix(&id[..8], 16).unwrap()
}
