//! Discord's answers and errors: what each means for the message, and what an operator can do.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::settings::is_id;
use crate::notifier::channel::answer::{Answer, Success, object, shortened};
use crate::notifier::channel::{MessageRef, Operation, Outcome};

/// With `wait=true` the answer is the message.
const SUCCESS: Success = Success {
    matches: |body| message_ref(body).is_some(),
    expected: "the message",
    check: "is `url` the address of a Discord webhook?",
};

/// Discord's number of an error. <https://docs.discord.com/developers/topics/opcodes-and-status-codes#json>
type ErrorCode = u64;

const UNKNOWN_MESSAGE: ErrorCode = 10_008;
const UNKNOWN_WEBHOOK: ErrorCode = 10_015;

/// Too many edits of messages that are older than an hour.
const TOO_MANY_OLD_EDITS: ErrorCode = 30_046;

/// What the operator can do about an error.
const ADVICE: [(&[ErrorCode], &str); 6] = [
    (
        &[UNKNOWN_WEBHOOK, 50_027],
        "the webhook was deleted, or its address is incomplete: make a webhook and store its address",
    ),
    (
        &[10_003],
        "the channel or the thread is gone: check `thread_id` in `url`",
    ),
    (
        &[220_001, 220_003],
        "the channel is a forum: add `?thread_id=ID` of one of its posts to `url`",
    ),
    (
        &[50_013, 50_001],
        "the webhook must be allowed to post in the channel: check the channel's permissions, or make a webhook anew",
    ),
    (
        &[50_083, 160_005],
        "the thread is archived or locked: open it again, or change `thread_id` in `url`",
    ),
    (
        &[40_005],
        "the message is too large for Discord: check your own templates",
    ),
];

/// What came of one request.
pub(super) enum Sent {
    Done(Outcome),
    /// The message to edit is gone, or is another webhook's.
    MessageGone(Outcome),
    /// The address must not be called again.
    WebhookGone(Outcome),
}

pub(super) fn read_answer(answer: &Answer, operation: Operation<'_>) -> Sent {
    if let Some(error) = ApiError::of(answer) {
        return error.into_sent(answer, operation);
    }
    let outcome = answer.outcome(&SUCCESS);
    let outcome = outcome.with_root(|| match operation {
        Operation::Post | Operation::Reply { .. } => message_ref(&answer.body),
        Operation::Update(_) => None,
    });
    match repeatable(outcome, operation) {
        Outcome::Refused { why } => refused(why, None, answer.status, operation),
        outcome => Sent::Done(outcome),
    }
}

/// The message that Discord made.
fn message_ref(body: &str) -> Option<MessageRef> {
    let message = object(body)?;
    let id = |key: &str| {
        let id = message.get(key)?.as_str()?;
        is_id(id).then(|| id.to_owned())
    };
    Some(MessageRef {
        channel: id("channel_id")?,
        id: id("id")?,
    })
}

/// An edit may be repeated, because it has the same result again. A post would be there twice.
pub(super) fn repeatable(outcome: Outcome, operation: Operation<'_>) -> Outcome {
    match (operation, outcome) {
        (Operation::Update(_), Outcome::Unanswered { why, .. }) => Outcome::retry(why),
        (Operation::Update(_) | Operation::Post | Operation::Reply { .. }, outcome) => outcome,
    }
}

/// An error that Discord names: `{"message": "Unknown Webhook", "code": 10015}`. When it is busy, the code is often missing.
struct ApiError {
    code: Option<ErrorCode>,
    why: String,
    retry_after: Option<Duration>,
}

impl ApiError {
    fn of(answer: &Answer) -> Option<Self> {
        if answer.status.is_success() {
            return None;
        }
        let error = object(&answer.body)?;
        let retry_after = error.get("retry_after").and_then(Value::as_f64);
        let code = error.get("code").and_then(Value::as_u64);
        if code.is_none() && retry_after.is_none() {
            return None;
        }
        let status = answer.status.as_u16();
        let message = error.get("message").and_then(Value::as_str);
        let message = message.unwrap_or_default();
        // Some messages repeat the status: `401: Unauthorized`.
        let message = message.trim_start_matches(&format!("{status}: "));
        let mut why = format!("{status} {}", shortened(message));
        if let Some(code) = code.filter(|code| *code != 0) {
            why.push_str(&format!(" ({code})"));
        }
        let detail = error.get("errors").and_then(first_detail);
        if let Some(detail) = detail {
            why.push_str(&format!(": {}", shortened(&detail)));
        }
        Some(Self {
            code,
            why,
            retry_after: retry_after.and_then(rounded_up),
        })
    }

    fn into_sent(self, answer: &Answer, operation: Operation<'_>) -> Sent {
        let Self {
            code,
            why,
            retry_after,
        } = self;
        match answer.is_temporary() || code == Some(TOO_MANY_OLD_EDITS) {
            true => Sent::Done(Outcome::Retry {
                after: retry_after.or(answer.retry_after),
                why,
                advice: Some(answer.advice_for_later()),
            }),
            false => refused(why, code, answer.status, operation),
        }
    }
}

/// After a 404 Discord demands that the address is not called again, whatever the error is. Only an edit may name a
/// message that is gone.
/// <https://docs.discord.com/developers/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans>
fn refused(
    why: String,
    code: Option<ErrorCode>,
    status: StatusCode,
    operation: Operation<'_>,
) -> Sent {
    let outcome = Outcome::Refused { why }.with_advice(advice(code, status));
    let is_of_message = matches!(operation, Operation::Update(_)) && code == Some(UNKNOWN_MESSAGE);
    match (status == StatusCode::NOT_FOUND, is_of_message) {
        (true, true) => Sent::MessageGone(outcome),
        (true, false) => Sent::WebhookGone(outcome),
        (false, _) => Sent::Done(outcome),
    }
}

/// Discord's delay has fractions of a second. A little less than it would be refused again.
fn rounded_up(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.ceil()).ok()
}

/// The first field that Discord does not accept, and why.
/// <https://docs.discord.com/developers/reference#error-messages>
fn first_detail(errors: &Value) -> Option<String> {
    let fields = errors.as_object()?;
    if let Some(errors) = fields.get("_errors") {
        return Some(errors.get(0)?.get("message")?.as_str()?.to_owned());
    }
    fields.iter().find_map(|(name, inner)| {
        let detail = first_detail(inner)?;
        let separator = if inner.get("_errors").is_some() {
            ": "
        } else {
            "."
        };
        Some(format!("{name}{separator}{detail}"))
    })
}

fn advice(code: Option<ErrorCode>, status: StatusCode) -> Option<&'static str> {
    let of_code = code.and_then(|code| {
        let mut rows = ADVICE.iter();
        rows.find(|(codes, _)| codes.contains(&code))
    });
    match of_code {
        Some((_, advice)) => Some(advice),
        None => advice_for_status(status),
    }
}

fn advice_for_status(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            Some("check that `url` is the whole address that `Copy Webhook URL` gives")
        }
        StatusCode::FORBIDDEN => {
            Some("Discord does not let this webhook, or this IP address, post")
        }
        StatusCode::PAYLOAD_TOO_LARGE => Some("the message is too large: check your own templates"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_detail_of_an_error_is_found() {
        let errors = json!({"embeds": {"0": {"description": {"_errors": [
            {"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 4096 or fewer in length."}]}}}});
        let expected = "embeds.0.description: Must be 4096 or fewer in length.";
        assert_eq!(first_detail(&errors).as_deref(), Some(expected));
        for other in [
            json!([]),
            json!({}),
            json!({"x": {"_errors": []}}),
            json!("x"),
        ] {
            assert_eq!(first_detail(&other), None);
        }
    }

    #[test]
    fn a_delay_is_rounded_up() {
        for (seconds, expected) in [
            (0.3, Some(1)),
            (64.57, Some(65)),
            (2.0, Some(2)),
            (-1.0, None),
            (f64::NAN, None),
            (1e300, None),
        ] {
            assert_eq!(
                rounded_up(seconds),
                expected.map(Duration::from_secs),
                "{seconds}"
            );
        }
    }
}
