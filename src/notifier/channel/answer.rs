//! Reads the answer to a POST: delivered, try again later, refused, or not known.

use std::time::{Duration, SystemTime};

use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};
use serde_json::{Map, Value};

use super::http::Redactions;
use super::transport::describe;
use super::{Outcome, UnansweredKind};

/// The answer of a channel that accepted a message. A status of 200 is not enough, because a login page has it, too.
pub(super) struct Success {
    pub(super) matches: fn(&str) -> bool,
    /// The expected answer, for an error text. It follows "not with".
    pub(super) expected: &'static str,
    /// What the operator should check after another answer.
    pub(super) check: &'static str,
}

/// What to do if a message may be accepted later.
pub(super) const OUTAGE: &str = "the service has a problem: try again later";
pub(super) const BUSY: &str = "the service accepts no more messages for now: try again later";

/// How much of an answer is read, in bytes. An error is a word, a line, or a small JSON object.
const LONGEST_ANSWER: usize = 65_536;

/// How much of an error is shown, in characters.
const LONGEST_ERROR: usize = 120;

/// How much of an unexpected answer is shown, in characters.
const LONGEST_QUOTE: usize = 60;

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The delay that the service asks for before the next attempt.
    pub(super) retry_after: Option<Duration>,
    /// The beginning of the body, without secrets.
    pub(super) body: String,
}

/// Reads an answer. Returns the outcome if the answer to an accepted request is incomplete.
pub(super) async fn receive(
    mut response: Response,
    secrets: &Redactions<'_>,
) -> Result<Answer, Outcome> {
    let status = response.status();
    let retry_after = retry_after(&response);
    let body = match beginning(&mut response).await {
        Ok(body) => body,
        // The service received the whole message, but its answer is incomplete.
        Err(error) if status.is_success() => {
            return Err(Outcome::Unanswered {
                kind: UnansweredKind::Stalled,
                why: describe(error, secrets),
            });
        }
        Err(_) => String::new(),
    };
    Ok(Answer {
        status,
        retry_after,
        // Secrets are redacted before any text is cut, because a part of a secret would not be found.
        body: secrets.redact(&body),
    })
}

impl Answer {
    /// What the answer means for the message.
    pub(super) fn outcome(&self, success: &Success) -> Outcome {
        let Self { status, body, .. } = self;
        let code = status.as_u16();
        let why = match (self.error_word(), status.canonical_reason()) {
            (Some(word), _) => format!("{code} {word}"),
            (None, _) if status.is_success() && (success.matches)(body.trim()) => {
                return Outcome::DELIVERED;
            }
            // A gateway that accepted the message answers like this, but a login page does too.
            (None, _) if status.is_success() => {
                return Outcome::Unanswered {
                    kind: UnansweredKind::Unexpected,
                    why: unexpected(code, body.trim(), success),
                };
            }
            (None, Some(reason)) => format!("{code} {reason}"),
            (None, None) => code.to_string(),
        };
        match self.is_temporary() {
            true => self.retry(why),
            false => Outcome::Refused { why },
        }
    }

    /// The outcome of a message that may be accepted later.
    pub(super) fn retry(&self, why: String) -> Outcome {
        Outcome::Retry {
            after: self.retry_after,
            why,
            advice: Some(self.advice_for_later()),
        }
    }

    pub(super) fn advice_for_later(&self) -> &'static str {
        match self.status.is_server_error() {
            true => OUTAGE,
            false => BUSY,
        }
    }

    /// The error that the answer names.
    pub(super) fn error_word(&self) -> Option<String> {
        error_word(&self.body)
    }

    /// Whether the status says that another attempt may work.
    pub(super) fn is_temporary(&self) -> bool {
        let is_busy = matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        );
        is_busy || self.status.is_server_error()
    }
}

/// The body as a JSON object.
pub(super) fn object(body: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(body) {
        Ok(Value::Object(answer)) => Some(answer),
        Ok(_) | Err(_) => None,
    }
}

async fn beginning(response: &mut Response) -> Result<String, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() >= LONGEST_ANSWER {
            break;
        }
    }
    body.truncate(LONGEST_ANSWER);
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// Describes a success that is not the expected one: what came, what was expected, and what to check.
fn unexpected(code: u16, body: &str, success: &Success) -> String {
    let came = if body.is_empty() {
        "nothing".to_owned()
    } else if body.starts_with('<') {
        "a page".to_owned()
    } else if body.starts_with('{') || body.starts_with('[') {
        "other JSON".to_owned()
    } else {
        let quote = body.chars().filter(|c| !c.is_control());
        format!("`{}`", quote.take(LONGEST_QUOTE).collect::<String>())
    };
    let Success {
        expected, check, ..
    } = success;
    format!("{code}, but answered with {came}, not with {expected}: {check}")
}

/// The error in an answer: Slack's error code in plain text, or a field of a JSON object.
fn error_word(body: &str) -> Option<String> {
    let body = body.trim();
    let Some(answer) = object(body) else {
        return is_word(body).then(|| body.to_owned());
    };
    let is_error = ["ok", "success"]
        .iter()
        .any(|key| answer.get(*key) == Some(&Value::Bool(false)))
        || ["error", "errors"]
            .iter()
            .any(|key| answer.get(*key).is_some_and(|value| !is_empty(value)));
    // Slack has a text there, Power Automate an object with a code.
    let nested = answer.get("error").and_then(|it| it.get("code"));
    let field = ["error", "message"]
        .iter()
        .find_map(|key| answer.get(*key).and_then(Value::as_str))
        .or_else(|| nested.and_then(Value::as_str))
        .map(shortened);
    is_error.then(|| field.unwrap_or_else(|| "an error without a name".to_owned()))
}

/// The beginning of an error, in one line.
pub(super) fn shortened(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(LONGEST_ERROR).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// `channel_is_archived`, `no_text`: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>
fn is_word(body: &str) -> bool {
    body.contains('_')
        && body.len() <= 80
        && body
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The header contains seconds or a date. <https://www.rfc-editor.org/rfc/rfc9110#name-retry-after>
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = text.parse().ok().map(Duration::from_secs);
    seconds.or_else(|| {
        let date = httpdate::parse_http_date(text).ok()?;
        Some(date.duration_since(SystemTime::now()).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_found_in_answers() {
        for (body, word) in [
            ("ok", None),
            ("", None),
            ("{}", None),
            (r#"{"ok": true, "error": null}"#, None),
            (r#"{"id": 7, "message": "posted"}"#, None),
            ("<html>welcome</html>", None),
            ("channel_is_archived", Some("channel_is_archived")),
            (
                r#"{"ok": false, "error": "invalid_auth"}"#,
                Some("invalid_auth"),
            ),
            (r#"{"ok": false}"#, Some("an error without a name")),
            (r#"{"success": false}"#, Some("an error without a name")),
            (
                r#"{"message": "Validation error", "errors": {"content": ["can't be blank"]}}"#,
                Some("Validation error"),
            ),
        ] {
            assert_eq!(error_word(body).as_deref(), word, "{body}");
        }
    }
}
