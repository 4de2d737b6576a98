//! Reads the events in a payload: Lambda payload in, [`IngestItem`]s out.
//!
//! A payload comes from EventBridge, SQS, SNS, SNS through SQS, a failed invocation's record or a CloudTrail file, or it
//! is a list of these. One payload may contain many events. Each event is read, decided and reported separately.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsMessage;
use serde::Deserialize as _;
use serde_json::Value;

use crate::aws::visibility::ReceivedMessage;
use crate::ecs::event::{EcsEvent, Fields, NotAnEvent};
use crate::notifier::thread::ThreadTimer;

/// An event or an error, with the record to return to the queue if the event is not posted.
#[derive(Debug, Clone)]
pub struct IngestItem {
    pub receipt: Option<Receipt>,
    pub event: Result<EcsEvent, IngestError>,
}

/// The SQS message that brought an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub id: String,
    /// For changing the visibility of the record.
    pub message: Option<Arc<ReceivedMessage>>,
    /// The index of the event in the record.
    pub number: usize,
}

/// The sender of a payload, which must get a report about failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Lambda itself. The invocation fails if an event fails.
    Lambda,
    /// A queue. Single records can be returned to it.
    Queue,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    #[error(transparent)]
    NotAnEvent(#[from] NotAnEvent),
    #[error("not JSON: {0}")]
    NotJson(String),
    #[error("an SQS record without a body")]
    NoBody,
    #[error("an SNS record without a message")]
    NoMessage,
    #[error("wrapped more than {DEEPEST} times")]
    TooDeep,
    #[error(
        "more than {MOST_OF_A_RECORD} events in one record, so the record is not read; split it and send the parts"
    )]
    TooMany,
    #[error(
        "the records before this one contain {MOST_OF_A_BATCH} events already, so this record waits for the next batch"
    )]
    BatchFull,
}

/// The most events in one record, or in one payload without a queue. A CloudTrail log file of real calls is smaller. A
/// record of 256 kB could be a list of 127,000 empty objects, which would need all of the function's memory.
const MOST_OF_A_RECORD: usize = 10_000;

/// The most events in all records of a batch. Lambda's 6 MB contain fewer real events.
const MOST_OF_A_BATCH: usize = 20_000;

/// The most levels of wrapping. Real payloads have fewer (SNS in SQS in a failed invocation's record in SQS).
const DEEPEST: usize = 8;

/// Reads all items of a payload, in their order. A record with too many events becomes one item with an error.
pub fn open(payload: &Value) -> Opened {
    let mut reading = Reading::default();
    Unwrapping {
        reading: &mut reading,
        receipt: None,
        depth: 0,
    }
    .unwrap_value(payload);
    reading.opened
}

/// The payload in a dead-letter message: the payload of a failed invocation's record, or the message itself.
pub fn payload_of(message: &Value) -> &Value {
    let fields = Fields::new(message);
    match is_on_failure_record(fields) {
        true => fields.object("requestPayload").value(),
        false => message,
    }
}

pub fn sender(payload: &Value) -> Sender {
    let mut records = Fields::new(payload).list("Records").into_iter();
    match records.next() {
        Some(first) if is_sqs(first) => Sender::Queue,
        Some(_) | None => Sender::Lambda,
    }
}

/// The contents of a payload.
#[derive(Debug, Default)]
pub struct Opened {
    pub items: Vec<IngestItem>,
    pub timers: Vec<TimerItem>,
}

/// A timer of a thread, which the function sent to its own queue.
#[derive(Debug, Clone)]
pub struct TimerItem {
    pub receipt: Option<Receipt>,
    pub timer: ThreadTimer,
}

impl TimerItem {
    /// Whether the queue has delivered the timer before: the function that got it then may have ended too early.
    pub fn came_before(&self) -> bool {
        let message = self.receipt.as_ref().and_then(|it| it.message.as_ref());
        message.is_some_and(|it| it.receives() > 1)
    }
}

/// What was read so far, within the limits.
#[derive(Debug, Default)]
struct Reading {
    opened: Opened,
    /// The index of the current record's first item.
    record: usize,
    /// The current record has too many events, so nothing more of it is added.
    is_over: bool,
}

impl Reading {
    fn begin_record(&mut self) {
        self.record = self.opened.items.len();
        self.is_over = false;
    }

    fn add(&mut self, receipt: Option<&Receipt>, event: Result<EcsEvent, IngestError>) {
        if self.is_over {
            return;
        }
        let receipt = receipt.map(|it| Receipt {
            number: self.opened.items.len() - self.record,
            ..it.clone()
        });
        let limit = if self.opened.items.len() - self.record >= MOST_OF_A_RECORD {
            Some(IngestError::TooMany)
        } else if self.opened.items.len() >= MOST_OF_A_BATCH {
            Some(IngestError::BatchFull)
        } else {
            None
        };
        let event = match limit {
            None => event,
            Some(error) => {
                self.opened.items.truncate(self.record);
                self.is_over = true;
                Err(error)
            }
        };
        self.opened.items.push(IngestItem { receipt, event });
    }
}

struct Unwrapping<'a> {
    reading: &'a mut Reading,
    receipt: Option<Receipt>,
    depth: usize,
}

impl Unwrapping<'_> {
    fn unwrap_value(&mut self, value: &Value) {
        if self.reading.is_over {
            return;
        }
        if self.depth > DEEPEST {
            return self.add(Err(IngestError::TooDeep));
        }
        if let Value::Array(values) = value {
            let mut inner = self.deeper();
            return values.iter().for_each(|value| inner.unwrap_value(value));
        }
        let fields = Fields::new(value);
        if let Some(Value::Array(records)) = value.get("Records") {
            records.iter().for_each(|record| self.unwrap_record(record));
        } else if is_on_failure_record(fields) {
            self.deeper()
                .unwrap_value(fields.object("requestPayload").value());
        } else if fields.text("Type").as_deref() == Some("Notification") {
            self.unwrap_message(fields);
        } else if let Some(timer) = ThreadTimer::read(value) {
            let receipt = self.receipt.clone();
            let timers = &mut self.reading.opened.timers;
            if timers.len() < MOST_OF_A_BATCH {
                timers.push(TimerItem { receipt, timer });
            }
        } else {
            self.add(EcsEvent::read(value).map_err(Into::into));
        }
    }

    fn unwrap_record(&mut self, record: &Value) {
        let fields = Fields::new(record);
        if is_sqs(fields) {
            // A batch inside a record belongs to that record.
            if self.receipt.is_none() {
                self.reading.begin_record();
            }
            self.unwrap_sqs(record);
        } else if fields.is_present("Sns") {
            self.unwrap_message(fields.object("Sns"));
        } else {
            self.add(EcsEvent::read(record).map_err(Into::into));
        }
    }

    fn unwrap_sqs(&mut self, record: &Value) {
        // If a field has a type that SQS never sends, the record must still keep its receipt.
        let message = SqsMessage::deserialize(record).unwrap_or_else(|_| {
            let fields = Fields::new(record);
            let mut message = SqsMessage::default();
            message.message_id = fields.text("messageId");
            message.body = fields.text("body");
            message
        });
        let mut inner = self.deeper();
        // For a batch inside a record, only the outer record can be returned to the queue.
        let received = ReceivedMessage::of(&message).map(Arc::new);
        let id = message.message_id.filter(|id| !id.is_empty());
        let receipt = || {
            id.map(|id| Receipt {
                id,
                message: received,
                number: 0,
            })
        };
        inner.receipt = inner.receipt.take().or_else(receipt);
        match message.body {
            Some(body) => inner.unwrap_text(&body),
            None => inner.add(Err(IngestError::NoBody)),
        }
    }

    /// An SNS notification: <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>
    fn unwrap_message(&mut self, notification: Fields<'_>) {
        match notification.text("Message") {
            Some(message) => self.deeper().unwrap_text(&message),
            None => self.add(Err(IngestError::NoMessage)),
        }
    }

    fn unwrap_text(&mut self, text: &str) {
        match serde_json::from_str(text) {
            Ok(value) => self.unwrap_value(&value),
            Err(error) => self.add(Err(IngestError::NotJson(error.to_string()))),
        }
    }

    fn deeper(&mut self) -> Unwrapping<'_> {
        Unwrapping {
            reading: self.reading,
            receipt: self.receipt.clone(),
            depth: self.depth + 1,
        }
    }

    fn add(&mut self, event: Result<EcsEvent, IngestError>) {
        self.reading.add(self.receipt.as_ref(), event);
    }
}

fn is_sqs(record: Fields<'_>) -> bool {
    record.text("eventSource").as_deref() == Some("aws:sqs")
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>
fn is_on_failure_record(fields: Fields<'_>) -> bool {
    fields.value().get("requestPayload").is_some() && fields.value().get("requestContext").is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A JSON list of empty objects.
    fn list(many: usize) -> String {
        format!("[{}]", vec!["{}"; many].join(","))
    }

    fn batch(bodies: &[String]) -> Value {
        let record = |(number, body): (usize, &String)| json!({"messageId": number.to_string(), "eventSource": "aws:sqs", "body": body});
        json!({"Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>()})
    }

    /// Each record's id, its number of events, and its last error.
    fn opened(payload: &Value) -> Vec<(String, usize, Option<IngestError>)> {
        let mut records: Vec<(String, usize, Option<IngestError>)> = Vec::new();
        for item in open(payload).items {
            let id = item.receipt.map(|it| it.id).unwrap_or_default();
            let error = item.event.err();
            match records.last_mut().filter(|it| it.0 == id) {
                Some(record) => *record = (id, record.1 + 1, error),
                None => records.push((id, 1, error)),
            }
        }
        records
    }

    /// Only this record fails, as one item, however it is wrapped.
    #[test]
    fn a_record_with_too_many_events_is_one_error() {
        let good = json!({"source": "aws.ecs", "detail": {}}).to_string();
        let in_sns = json!({"Type": "Notification", "Message": list(127_000)}).to_string();
        let nested = batch(&vec![list(600); 20]).to_string();
        let found = opened(&batch(&[good.clone(), list(127_000), in_sns, nested, good]));
        let too_many = |id: &str| (id.to_owned(), 1, Some(IngestError::TooMany));
        let good = |id: &str| (id.to_owned(), 1, None);
        assert_eq!(
            found,
            [
                good("0"),
                too_many("1"),
                too_many("2"),
                too_many("3"),
                good("4")
            ]
        );
        let direct: Value = serde_json::from_str(&list(MOST_OF_A_RECORD + 1)).unwrap();
        assert_eq!(opened(&direct), [too_many("")]);
    }

    /// A CloudTrail file is a list of calls under `Records`. Other records that are not SQS messages are tested too.
    #[test]
    fn too_many_records_without_a_queue_are_one_error() {
        let call = json!({"eventSource": "ecs.amazonaws.com", "eventName": "StopTask"});
        let event = json!({"source": "aws.ecs", "detail-type": "AWS API Call via CloudTrail", "detail": call});
        let sns = json!({"Sns": {"Message": event.to_string()}});
        for record in [&call, &sns, &json!({"Sns": {}})] {
            let file = json!({"Records": vec![record; 12_000]});
            assert_eq!(
                opened(&file),
                [(String::new(), 1, Some(IngestError::TooMany))]
            );
            let good = event.to_string();
            let found = opened(&batch(&[good.clone(), file.to_string(), good]));
            let none = |id: &str| (id.to_owned(), 1, None);
            let too_many = ("1".to_owned(), 1, Some(IngestError::TooMany));
            assert_eq!(found, [none("0"), too_many, none("2")]);
        }
        let file = json!({"Records": vec![&call; 3]});
        assert_eq!(opened(&file), [(String::new(), 3, None)]);
    }

    #[test]
    fn the_allowed_number_of_events_is_read() {
        let found = opened(&batch(&[list(MOST_OF_A_RECORD)]));
        assert_eq!((found.len(), found[0].1), (1, MOST_OF_A_RECORD));
    }

    /// A record after a full batch is not lost. The next batch contains it.
    #[test]
    fn records_after_a_full_batch_wait() {
        let found = opened(&batch(&vec![list(8_000); 4]));
        let sizes: Vec<_> = found.iter().map(|it| it.1).collect();
        assert_eq!(sizes, [8_000, 8_000, 1, 1]);
        assert_eq!(found[2].2, Some(IngestError::BatchFull));
        assert_eq!(found[3].2, Some(IngestError::BatchFull));
    }
}
