//! SQS, and Lambda's poller between the queue and the function.
//!
//! Lambda receives records until the batch is full, the batching window has passed or the payload has 6 MB. Then it
//! invokes the function, at most as often at the same time as the event source allows.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::rollover::{Event, Samples, State};

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
    done: usize,
    returned: usize,
    receive_calls: usize,
}

#[derive(Clone, Copy)]
struct Record {
    number: usize,
    event: Event,
    sent: Instant,
    receives: u32,
}

/// The payload of one invocation.
pub(crate) struct Batch {
    pub(crate) payload: String,
    pub(crate) numbers: Vec<usize>,
    /// When each of the urgent events was sent to the queue.
    pub(crate) urgent: Vec<Instant>,
}

pub(crate) struct Figures {
    pub(crate) sent: usize,
    pub(crate) returned: usize,
    pub(crate) receive_calls: usize,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            samples: Samples::read(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn send(&self, event: Event) {
        let mut state = self.state.lock().unwrap();
        let record = Record {
            number: state.sent,
            event,
            sent: Instant::now(),
            receives: 0,
        };
        state.sent += 1;
        state.waiting.push_back(record);
    }

    pub(crate) fn is_empty(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.done == state.sent
    }

    pub(crate) fn figures(&self) -> Figures {
        let state = self.state.lock().unwrap();
        Figures {
            sent: state.sent,
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
            state.in_flight.insert(record.number, *record);
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
            "body": self.samples.body(&record.event),
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

    /// Sets when a record becomes visible again if it returns to the queue.
    pub(crate) fn change_visibility(&self, receipt_handle: &str, visibility: Duration) {
        let number = number_of(receipt_handle);
        self.state
            .lock()
            .unwrap()
            .visibility
            .insert(number, visibility);
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
                state.done += 1;
            }
        }
    }
}

impl Batch {
    fn of(records: Vec<(Record, String)>) -> Self {
        let is_urgent = |record: &Record| record.event.state == State::OutOfMemory;
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
