//! Takes events out of whatever they arrive in: Lambda payload in, [`Item`]s out.
//!
//! EventBridge, SQS, SNS, both of these, a failed invocation's record, CloudTrail's own files, or a list of
//! any: one payload may hold many events, and each is read, judged and accounted for by itself.

use aws_lambda_events::sqs::SqsMessage;
use serde_json::Value;

use crate::event::{EcsEvent, Fields, NotAnEvent};
use crate::requeue::Held;

/// An event, or what stood in its place, with the record to give back when it is not told.
#[derive(Debug, Clone)]
pub struct Item {
    pub receipt: Option<Receipt>,
    pub event: Result<EcsEvent, InboxError>,
}

/// The SQS message that brought an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub id: String,
    /// For telling the queue when to show it again.
    pub held: Option<Held>,
}

/// Who must hear of what failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Lambda itself: a failure fails the invocation.
    Lambda,
    /// A queue, which takes single records back.
    Queue,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InboxError {
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
}

/// More wrappings than the world makes (SNS in SQS in a failed invocation's record in SQS).
const DEEPEST: usize = 8;

/// Everything in a payload, in its order.
pub fn open(payload: &Value) -> Vec<Item> {
    let mut items = Vec::new();
    Unwrapping {
        items: &mut items,
        receipt: None,
        depth: 0,
    }
    .unwrap_value(payload);
    items
}

/// What a dead letter holds for a function: the payload of a failed invocation's record, or itself.
pub fn payload_of(letter: &Value) -> &Value {
    let fields = Fields::new(letter);
    match is_on_failure_record(fields) {
        true => fields.object("requestPayload").value(),
        false => letter,
    }
}

/// Who sent a payload.
pub fn sender(payload: &Value) -> Sender {
    let mut records = Fields::new(payload).list("Records").into_iter();
    match records.next() {
        Some(first) if is_sqs(first) => Sender::Queue,
        Some(_) | None => Sender::Lambda,
    }
}

struct Unwrapping<'a> {
    items: &'a mut Vec<Item>,
    receipt: Option<Receipt>,
    depth: usize,
}

impl Unwrapping<'_> {
    fn unwrap_value(&mut self, value: &Value) {
        if self.depth > DEEPEST {
            return self.add(Err(InboxError::TooDeep));
        }
        if let Value::Array(values) = value {
            return values
                .iter()
                .for_each(|value| self.deeper().unwrap_value(value));
        }
        let fields = Fields::new(value);
        if let Some(Value::Array(records)) = value.get("Records") {
            records.iter().for_each(|record| self.unwrap_record(record));
        } else if is_on_failure_record(fields) {
            self.deeper()
                .unwrap_value(fields.object("requestPayload").value());
        } else if fields.text("Type").as_deref() == Some("Notification") {
            self.unwrap_message(fields);
        } else {
            self.add(EcsEvent::read(value).map_err(Into::into));
        }
    }

    fn unwrap_record(&mut self, record: &Value) {
        let fields = Fields::new(record);
        if is_sqs(fields) {
            self.unwrap_sqs(record);
        } else if fields.is_present("Sns") {
            self.unwrap_message(fields.object("Sns"));
        } else {
            self.add(EcsEvent::read(record).map_err(Into::into));
        }
    }

    fn unwrap_sqs(&mut self, record: &Value) {
        // A field of a type that SQS never sends must not cost the record its receipt.
        let message: SqsMessage = serde_json::from_value(record.clone()).unwrap_or_else(|_| {
            let fields = Fields::new(record);
            let mut message = SqsMessage::default();
            message.message_id = fields.text("messageId");
            message.body = fields.text("body");
            message
        });
        let mut inner = self.deeper();
        // A batch within a batch: only the outer record can be given back.
        let held = Held::of(&message);
        let id = message.message_id.filter(|id| !id.is_empty());
        let receipt = || id.map(|id| Receipt { id, held });
        inner.receipt = inner.receipt.take().or_else(receipt);
        match message.body {
            Some(body) => inner.unwrap_text(&body),
            None => inner.add(Err(InboxError::NoBody)),
        }
    }

    /// An SNS notification: <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>
    fn unwrap_message(&mut self, notification: Fields<'_>) {
        match notification.text("Message") {
            Some(message) => self.deeper().unwrap_text(&message),
            None => self.add(Err(InboxError::NoMessage)),
        }
    }

    fn unwrap_text(&mut self, text: &str) {
        match serde_json::from_str(text) {
            Ok(value) => self.unwrap_value(&value),
            Err(error) => self.add(Err(InboxError::NotJson(error.to_string()))),
        }
    }

    fn deeper(&mut self) -> Unwrapping<'_> {
        Unwrapping {
            items: self.items,
            receipt: self.receipt.clone(),
            depth: self.depth + 1,
        }
    }

    fn add(&mut self, event: Result<EcsEvent, InboxError>) {
        self.items.push(Item {
            receipt: self.receipt.clone(),
            event,
        });
    }
}

fn is_sqs(record: Fields<'_>) -> bool {
    record.text("eventSource").as_deref() == Some("aws:sqs")
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>
fn is_on_failure_record(fields: Fields<'_>) -> bool {
    fields.value().get("requestPayload").is_some() && fields.value().get("requestContext").is_some()
}
