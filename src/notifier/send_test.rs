//! A test message to each channel, on request of an operator: the first thing to do after a deployment.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::aws::deadline::Deadline;
use crate::ecs::notice::Kind;
use crate::notifier::channel::markup::{Markup, escape};
use crate::notifier::channel::{
    Attempts, ChannelType, ConfiguredChannel, Http, Operation, Outcome, Receipt, send_with_retries,
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
    pub status: TestStatus,
    /// Where to look whether an accepted message arrived.
    pub note: Option<&'static str>,
    /// What failed, and what to do.
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TestStatus {
    Delivered,
    /// The service has taken the message, and its answer does not say whether it arrived.
    Accepted,
    NotDelivered,
    /// No answer says whether it arrived.
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

/// How long a service has for creating what is closed after it. It does both after its answers.
const TIME_TO_OPEN: Duration = Duration::from_secs(1);

/// What tests of channels have in common.
#[derive(Debug, Clone, Copy)]
pub struct TestRun<'a> {
    pub http: &'a Http,
    /// Who sends the message.
    pub sender: &'a str,
    pub deadline: Deadline,
    /// Gets the name of a channel, the length of a wait before another attempt, and the reason.
    pub waiting: fn(&str, Duration, &str),
}

impl<'a> TestRun<'a> {
    /// One test for each chosen channel. They may run at the same time.
    ///
    /// # Errors
    ///
    /// [`TestError`] if there is no such channel.
    pub fn tests(
        self,
        request: &TestRequest,
        channels: &'a [ConfiguredChannel],
    ) -> Result<Vec<impl Future<Output = TestResult> + use<'a>>, TestError> {
        let chosen = request.chosen(channels)?;
        Ok(chosen.into_iter().map(move |it| self.test(it)).collect())
    }

    async fn test(self, channel: &ConfiguredChannel) -> TestResult {
        let message = message(channel, self.sender);
        let posted = self.send(channel, &message, Operation::Post).await;
        let closed = match &posted {
            Outcome::Delivered { root: Some(root) } if channel.channel.leaves_test_open() => {
                tokio::time::sleep(TIME_TO_OPEN).await;
                let close = Operation::Update(root);
                self.send(channel, &message, close).await
            }
            Outcome::Delivered { .. }
            | Outcome::Retry { .. }
            | Outcome::Unanswered { .. }
            | Outcome::Refused { .. } => Outcome::Delivered { root: None },
        };
        let (status, note) = status(&posted, channel.channel.receipt());
        let not_closed =
            why(&closed).map(|it| format!("it was not closed, so close it there: {it}"));
        TestResult {
            channel: channel.name.clone(),
            channel_type: channel.channel_type.into(),
            status,
            note: note.filter(|_| not_closed.is_none()),
            error: why(&posted).or(not_closed),
        }
    }

    async fn send(
        self,
        channel: &ConfiguredChannel,
        message: &Message,
        operation: Operation<'_>,
    ) -> Outcome {
        let prepared = channel.channel.prepare(message, operation);
        let attempt = || channel.channel.send(self.http, &prepared);
        let waiting = |wait, why: &str| (self.waiting)(&channel.name, wait, why);
        send_with_retries(attempt, self.deadline, Attempts::Several, waiting).await
    }
}

fn status(posted: &Outcome, receipt: Receipt) -> (TestStatus, Option<&'static str>) {
    match (posted, receipt) {
        (Outcome::Delivered { .. }, Receipt::Delivered) => (TestStatus::Delivered, None),
        (Outcome::Delivered { .. }, Receipt::Accepted(note)) => (TestStatus::Accepted, Some(note)),
        (Outcome::Retry { .. } | Outcome::Refused { .. }, _) => (TestStatus::NotDelivered, None),
        (Outcome::Unanswered { .. }, _) => (TestStatus::Unknown, None),
    }
}

/// Why it failed, and what to do.
fn why(outcome: &Outcome) -> Option<String> {
    let why = outcome.why()?;
    Some(match outcome.advice() {
        Some(advice) => format!("{why}: {advice}"),
        None => why.to_owned(),
    })
}

/// A message that says what it is. It is not urgent and mentions nobody.
fn message(channel: &ConfiguredChannel, sender: &str) -> Message {
    let markup = channel.markup();
    let now = Timestamp::try_from(SystemTime::now()).ok();
    let shown_now = now.map(|it| it.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    let facts = [
        (
            "What",
            Some("nothing happened; this message shows that the channel works".to_owned()),
        ),
        ("Channel", Some(described(channel))),
        ("Sent by", Some(sender.to_owned())),
        ("When", shown_now),
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
        facts: MessageFacts {
            time: now.map(|it| it.to_string()),
            is_test: true,
            ..MessageFacts::default()
        },
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
            TestStatus::Accepted => "accepted by the service",
            TestStatus::NotDelivered => "not delivered",
            TestStatus::Unknown => "not known whether it was delivered",
        };
        write!(f, "{} ({}): {status}", self.channel, self.channel_type)?;
        for more in [self.note, self.error.as_deref()].into_iter().flatten() {
            write!(f, ": {more}")?;
        }
        Ok(())
    }
}

impl TestResult {
    /// Whether the service took the message, and nothing failed after it.
    pub fn is_success(&self) -> bool {
        match self.status {
            TestStatus::Delivered | TestStatus::Accepted => self.error.is_none(),
            TestStatus::NotDelivered | TestStatus::Unknown => false,
        }
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
