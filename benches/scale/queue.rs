//! SQS, and what Lambda keeps before a function that reads from it.
//!
//! Lambda receives records until a batch is full, its window is over or the payload has 6 MB, and invokes the function
//! if it is free; as often at the same time as the event source allows.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::rollover::{Event, Samples, State};

/// As the deployment sets them.
pub(crate) const BATCH: usize = 10_000;
const WINDOW: Duration = Duration::from_secs(5);
const VISIBILITY: Duration = Duration::from_secs(90);

/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const PAYLOAD: usize = 6 * 1024 * 1024;

/// Lambda does not say how fast it receives; ten records, the most of one call, every ten milliseconds is modest.
const RECEIVE: Duration = Duration::from_millis(10);
const RECORDS_A_CALL: usize = 10;

pub(crate) struct Queue {
    samples: Samples,
    state: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    waiting: VecDeque<Record>,
    /// Given back, and not shown yet.
    hidden: Vec<(Instant, Record)>,
    on_their_way: HashMap<usize, Record>,
    visibility: HashMap<usize, Duration>,
    sent: usize,
    told: usize,
    given_back: usize,
    receive_calls: usize,
}

#[derive(Clone, Copy)]
struct Record {
    number: usize,
    event: Event,
    sent: Instant,
    receives: u32,
}

/// What one invocation is to tell.
pub(crate) struct Batch {
    pub(crate) payload: String,
    pub(crate) numbers: Vec<usize>,
    /// When each of the loud events was sent.
    pub(crate) loud: Vec<Instant>,
}

pub(crate) struct Figures {
    pub(crate) sent: usize,
    pub(crate) given_back: usize,
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
        let mut inside = self.state.lock().unwrap();
        let record = Record {
            number: inside.sent,
            event,
            sent: Instant::now(),
            receives: 0,
        };
        inside.sent += 1;
        inside.waiting.push_back(record);
    }

    pub(crate) fn is_empty(&self) -> bool {
        let inside = self.state.lock().unwrap();
        inside.told == inside.sent
    }

    pub(crate) fn figures(&self) -> Figures {
        let inside = self.state.lock().unwrap();
        Figures {
            sent: inside.sent,
            given_back: inside.given_back,
            receive_calls: inside.receive_calls,
        }
    }

    /// The next batch, when there is one.
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
        let mut inside = self.state.lock().unwrap();
        let inside = &mut *inside;
        let now = Instant::now();
        for (_, record) in inside.hidden.extract_if(.., |(shown, _)| *shown <= now) {
            inside.waiting.push_back(record);
        }
        let count = inside.waiting.len().min(RECORDS_A_CALL);
        inside.receive_calls += usize::from(count > 0);
        let mut received: Vec<_> = inside.waiting.drain(..count).collect();
        for record in &mut received {
            record.receives += 1;
            inside.on_their_way.insert(record.number, *record);
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

    /// When a record shall be shown again, if it comes back.
    pub(crate) fn change_visibility(&self, receipt_handle: &str, visibility: Duration) {
        let number = number_of(receipt_handle);
        self.state
            .lock()
            .unwrap()
            .visibility
            .insert(number, visibility);
    }

    /// The invocation's answer: what it names comes back, everything if it failed.
    pub(crate) fn settle(&self, batch: &[usize], answer: Option<&Value>) {
        let failures = answer.map(|answer| {
            let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
            let ids = failures.map(|it| number_of(it["itemIdentifier"].as_str().unwrap()));
            ids.collect::<Vec<_>>()
        });
        let mut inside = self.state.lock().unwrap();
        for number in batch {
            let record = inside.on_their_way.remove(number).unwrap();
            if failures
                .as_ref()
                .is_none_or(|failures| failures.contains(number))
            {
                let visibility = inside.visibility.remove(number).unwrap_or(VISIBILITY);
                inside.hidden.push((Instant::now() + visibility, record));
                inside.given_back += 1;
            } else {
                inside.told += 1;
            }
        }
    }
}

impl Batch {
    fn of(records: Vec<(Record, String)>) -> Self {
        let is_loud = |record: &Record| record.event.state == State::OutOfMemory;
        let (records, texts): (Vec<_>, Vec<_>) = records.into_iter().unzip();
        Self {
            payload: format!("{{\"Records\":[{}]}}", texts.join(",")),
            loud: records
                .iter()
                .filter(|it| is_loud(it))
                .map(|it| it.sent)
                .collect(),
            numbers: records.iter().map(|it| it.number).collect(),
        }
    }
}

fn message_id(number: usize) -> String {
    format!("{number:08x}-5f0a-4d5e-9a55-5c1d00000000")
}

/// As long as SQS's own.
fn receipt_handle(number: usize) -> String {
    format!("{number:08x}-{}", "A".repeat(400))
}

fn number_of(id: &str) -> usize {
    usize::from_str_radix(&id[..8], 16).unwrap()
}
