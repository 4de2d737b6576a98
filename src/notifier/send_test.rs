//! A test message to each channel, on request of an operator: the first thing to do after a deployment.

use std::time::SystemTime;

use futures::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::aws::deadline::Deadline;
use crate::ecs::notice::Kind;
use crate::notifier::channel::markup::{Markup, escape};
use crate::notifier::channel::{
    Attempts, ChannelType, ConfiguredChannel, Http, Operation, Outcome, send_with_retries,
};
use crate::notifier::message::{Line, Message, MessageFacts};
use crate::notifier::policy::Severity;
use crate::text::spelling::nearest;

const SOURCE: &str = "ecs-parrot";
const DETAIL_TYPE: &str = "Send Test";

/// Which channels get a test message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestRequest {
    /// The name of one channel. `None` means all.
    pub channel: Option<String>,
}

/// What came of the test message in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestResult {
    pub channel: String,
    #[serde(rename = "type")]
    pub channel_type: &'static str,
    /// `delivered`, `not_delivered`, or `unknown` if no answer says whether it arrived.
    pub status: TestStatus,
    /// Why it was not delivered, and what to check.
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TestStatus {
    Delivered,
    NotDelivered,
    Unknown,
}

/// Why no test message was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestError {
    #[error("there is no channel `{name}`{hint}", name = .name.escape_debug())]
    UnknownChannel { name: String, hint: String },
    #[error("`detail.channel` is not the name of a channel; it must be a text, or be left out")]
    NotAName,
}

impl TestRequest {
    /// Reads the payload `{"source": "ecs-parrot", "detail-type": "Send Test", "detail": {"channel": "ops"}}`. `None` for
    /// any other payload. Without `detail.channel` all channels are meant.
    ///
    /// # Errors
    ///
    /// [`TestError::NotAName`].
    pub fn read(payload: &Value) -> Option<Result<Self, TestError>> {
        let is = |field: &str, text: &str| payload.get(field).and_then(Value::as_str) == Some(text);
        if !is("source", SOURCE) || !is("detail-type", DETAIL_TYPE) {
            return None;
        }
        let channel = payload.get("detail").and_then(|it| it.get("channel"));
        Some(match channel {
            None | Some(Value::Null) => Ok(Self::default()),
            Some(Value::String(name)) => Ok(Self {
                channel: Some(name.clone()),
            }),
            Some(_) => Err(TestError::NotAName),
        })
    }

    fn chosen<'a>(
        &self,
        channels: &'a [ConfiguredChannel],
    ) -> Result<Vec<&'a ConfiguredChannel>, TestError> {
        let Some(name) = &self.channel else {
            return Ok(channels.iter().collect());
        };
        let found: Vec<_> = channels.iter().filter(|it| it.name == *name).collect();
        match found.is_empty() {
            false => Ok(found),
            true => Err(unknown(name, channels)),
        }
    }
}

fn unknown(name: &str, channels: &[ConfiguredChannel]) -> TestError {
    let names: Vec<_> = channels.iter().map(|it| it.name.as_str()).collect();
    let hint = match nearest(name, names.iter().copied()) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None => format!("; allowed: {}", names.join(", ")),
    };
    TestError::UnknownChannel {
        name: name.to_owned(),
        hint,
    }
}

/// Sends a test message to the chosen channels, to all at the same time. `sender` says who sends it.
///
/// # Errors
///
/// [`TestError`] if there is no such channel. Nothing was sent then.
pub async fn send_test(
    request: &TestRequest,
    channels: &[ConfiguredChannel],
    http: &Http,
    sender: &str,
    deadline: Deadline,
) -> Result<Vec<TestResult>, TestError> {
    let chosen = request.chosen(channels)?;
    let sent = chosen
        .into_iter()
        .map(|channel| send(channel, http, sender, deadline));
    Ok(join_all(sent).await)
}

async fn send(
    channel: &ConfiguredChannel,
    http: &Http,
    sender: &str,
    deadline: Deadline,
) -> TestResult {
    let message = message(channel, sender);
    let prepared = channel.channel.prepare(&message, Operation::Post);
    let attempt = || channel.channel.send(http, &prepared);
    let outcome = send_with_retries(attempt, deadline, Attempts::Several, |_, _| ()).await;
    let status = match &outcome {
        Outcome::Delivered { .. } => TestStatus::Delivered,
        Outcome::Retry { .. } | Outcome::Refused { .. } => TestStatus::NotDelivered,
        Outcome::Unanswered { .. } => TestStatus::Unknown,
    };
    TestResult {
        channel: channel.name.clone(),
        channel_type: channel.channel_type.into(),
        status,
        error: outcome.why().map(str::to_owned),
    }
}

/// A message that says what it is. It is not urgent and mentions nobody.
fn message(channel: &ConfiguredChannel, sender: &str) -> Message {
    let markup = channel.channel_type.markup();
    let now = Timestamp::try_from(SystemTime::now()).ok();
    let now = now.map(|it| it.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    let facts = [
        (
            "What",
            Some("nothing happened; this message shows that the channel works".to_owned()),
        ),
        ("Channel", Some(described(channel))),
        ("Sent by", Some(sender.to_owned())),
        ("When", now),
    ];
    let details = facts.into_iter();
    Message {
        kind: Kind::Other,
        severity: Severity::Info,
        urgent: false,
        mentions: false,
        subjects: Vec::new(),
        headline: format!("⚪ {}", escape(markup, "Test message of ecs-parrot")),
        details: details
            .filter_map(|(label, value)| Some(line(markup, label, &value?)))
            .collect(),
        facts: MessageFacts::default(),
        thread: None,
    }
}

fn described(channel: &ConfiguredChannel) -> String {
    let ConfiguredChannel {
        name, channel_type, ..
    } = channel;
    match channel_type.to_string() == *name {
        true => name.clone(),
        false => format!("{name}, of type {channel_type}"),
    }
}

fn line(markup: &dyn Markup, label: &str, value: &str) -> Line {
    let value = escape(markup, value);
    Line {
        label: Some(label.to_owned()),
        text: format!("{}: {value}", markup.bold(label)),
        value,
        is_block: false,
    }
}

impl std::fmt::Display for TestResult {
    /// `ops (slack): delivered`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = match self.status {
            TestStatus::Delivered => "delivered",
            TestStatus::NotDelivered => "not delivered",
            TestStatus::Unknown => "not known whether it was delivered",
        };
        write!(f, "{} ({}): {status}", self.channel, self.channel_type)?;
        match &self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

impl TestResult {
    pub fn is_delivered(&self) -> bool {
        self.status == TestStatus::Delivered
    }

    /// Whether the message was written to this terminal.
    pub fn is_printed(&self) -> bool {
        self.channel_type == <&str>::from(ChannelType::Terminal)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_read_from_a_payload() {
        let payload = |detail: Value| json!({"source": "ecs-parrot", "detail-type": "Send Test", "detail": detail});
        let ops = TestRequest {
            channel: Some("ops".to_owned()),
        };
        let all = TestRequest::default;
        for (payload, expected) in [
            (payload(json!({"channel": "ops"})), Some(Ok(ops))),
            (payload(json!({"channel": null})), Some(Ok(all()))),
            (payload(json!({})), Some(Ok(all()))),
            (payload(Value::Null), Some(Ok(all()))),
            (
                payload(json!({"channel": 7})),
                Some(Err(TestError::NotAName)),
            ),
            (
                json!({"source": "ecs-parrot", "detail-type": "Send Test"}),
                Some(Ok(all())),
            ),
            (
                json!({"source": "ecs-parrot", "detail-type": "Thread Timer"}),
                None,
            ),
            (
                json!({"source": "aws.ecs", "detail-type": "Send Test"}),
                None,
            ),
            (json!([]), None),
        ] {
            assert_eq!(TestRequest::read(&payload), expected, "{payload}");
        }
    }
}
