//! The body of an action as JSON: `docs/webhook.schema.json`, version 1.
//!
//! A field may be added within a version. A field that changes its meaning, or goes, makes a new version.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::ecs::arn::partition;
use crate::notifier::channel::hash::hash;
use crate::notifier::channel::operation::Operation;
use crate::notifier::channel::plain::fitting;
use crate::notifier::message::{Line, Message, MessageFacts, MessageThread};

/// The version of the schema.
const VERSION: u32 = 1;

/// Standard Webhooks recommends bodies of less than 20 kB.
const LARGEST_BODY: usize = 20_000;

/// The characters of a name that need no encoding in a URI reference.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[derive(Debug, Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    event_type: String,
    timestamp: Option<&'a str>,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    version: u32,
    action: &'static str,
    thread: Option<&'a MessageThread>,
    message: Text<'a>,
    facts: &'a MessageFacts,
}

#[derive(Debug, Serialize)]
struct Text<'a> {
    kind: &'static str,
    severity: &'static str,
    urgent: bool,
    headline: &'a str,
    lines: Vec<TextLine<'a>>,
    /// How many lines are not there, because the body would be too large.
    lines_left_out: usize,
}

#[derive(Debug, Serialize)]
struct TextLine<'a> {
    label: Option<&'a str>,
    text: &'a str,
}

/// The body of Standard Webhooks.
pub(in crate::notifier::channel) fn json(message: &Message, operation: Operation<'_>) -> Value {
    let of_lines = |lines| json!(body(message, operation, lines));
    fitting(message.details.len(), LARGEST_BODY, of_lines)
}

/// The same as a CloudEvent.
pub(super) fn cloud_event(message: &Message, operation: Operation<'_>) -> Value {
    let of_lines = |lines| {
        let body = body(message, operation, lines);
        let mut event = json!({
            "specversion": "1.0",
            "id": action_id(message, operation),
            "source": source(&message.facts),
            "type": body.event_type,
            "datacontenttype": "application/json",
            "data": body.data,
        });
        // An attribute without a value is not allowed.
        if let Some(time) = body.timestamp {
            event["time"] = json!(time);
        }
        if let Some(subject) = message.facts.subject() {
            event["subject"] = json!(subject);
        }
        event
    };
    fitting(message.details.len(), LARGEST_BODY, of_lines)
}

/// `ecs_parrot.incident.opened` for a step of a thread, `ecs_parrot.event.task_stopped` for an event of no thread,
/// `ecs_parrot.test` for a test message.
pub(in crate::notifier::channel) fn event_type(message: &Message) -> String {
    match &message.thread {
        Some(thread) => format!("ecs_parrot.{}.{}", thread.kind, thread.reason),
        None if message.facts.is_test => "ecs_parrot.test".to_owned(),
        None => format!("ecs_parrot.event.{}", message.kind),
    }
}

/// The id of an action: the `webhook-id`, and how a topic knows what it had. It is the same over all attempts, also those
/// of another invocation, which may know more of a thread and send another text.
pub(in crate::notifier::channel) fn action_id(
    message: &Message,
    operation: Operation<'_>,
) -> String {
    let (of, action) = (event_type(message), action(operation));
    let about = match (&message.thread, &message.facts.event_id) {
        (Some(thread), _) => format!("{} {:?}", thread.id, thread.at),
        // Several events may be one message, which is another one than that of its first event.
        (None, Some(event)) => format!("{event} {}", message.headline),
        (None, None) => json!(body(message, operation, message.details.len())).to_string(),
    };
    format!("msg_{}", hash(&format!("{of} {action} {about}")))
}

fn body<'a>(message: &'a Message, operation: Operation<'_>, lines: usize) -> Body<'a> {
    let (shown, left_out) = message.details.split_at(lines);
    Body {
        event_type: event_type(message),
        timestamp: message.timestamp(),
        data: Data {
            version: VERSION,
            action: action(operation),
            thread: message.thread.as_ref(),
            message: Text {
                kind: message.kind.into(),
                severity: message.severity.into(),
                urgent: message.urgent,
                headline: &message.headline,
                lines: shown.iter().map(line).collect(),
                lines_left_out: left_out.len(),
            },
            facts: &message.facts,
        },
    }
}

fn line(line: &Line) -> TextLine<'_> {
    TextLine {
        label: line.label.as_deref(),
        text: &line.value,
    }
}

fn action(operation: Operation<'_>) -> &'static str {
    match operation {
        Operation::Post => "post",
        Operation::Update(_) => "update",
        Operation::Reply {
            broadcast: false, ..
        } => "reply",
        Operation::Reply {
            broadcast: true, ..
        } => "broadcast",
    }
}

/// The ARN of the cluster where it is known. CloudEvents demands a URI reference.
fn source(facts: &MessageFacts) -> String {
    match (&facts.region, &facts.account, &facts.cluster) {
        (Some(region), Some(account), Some(cluster)) => {
            let [region, account, cluster] =
                [region, account, cluster].map(|it| utf8_percent_encode(it, SEGMENT));
            let partition = partition(&region.to_string());
            format!("arn:{partition}:ecs:{region}:{account}:cluster/{cluster}")
        }
        (_, _, _) => "ecs-parrot".to_owned(),
    }
}
