//! One POST to a chat service, and what its answer means: said once for every channel.

use std::error::Error as StdError;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode, redirect};
use serde_json::Value;

use super::{Outcome, tls};
use crate::secret::{Sealed, Secret};
use crate::vault::{self, Vault};

const TIMEOUT: Duration = Duration::from_secs(5);

/// Longest part of an answer that is read: an error is a word or a line, or an object around one.
const LONGEST_ANSWER: usize = 65_536;

/// Longest part of an error that is told.
const LONGEST_WORD: usize = 120;

/// What a secret opens, or what is wrong with it.
pub(super) type Address = Result<Secret, &'static str>;

/// The HTTP client, made on first use: an event that is dropped needs none.
#[derive(Debug, Default)]
pub struct Http {
    client: OnceLock<Client>,
    vault: Option<Vault>,
}

impl Http {
    /// One that can open secrets that are kept elsewhere.
    pub fn with_vault(vault: Vault) -> Self {
        Self {
            client: OnceLock::new(),
            vault: Some(vault),
        }
    }

    /// Posts JSON to the address that a secret opens. A secret that is kept elsewhere and turns out to be wrong is
    /// looked at once more: it may have been changed.
    pub(super) async fn post(
        &self,
        sealed: &Sealed,
        address: impl Fn(&Secret) -> Address,
        body: &Value,
    ) -> Outcome {
        let secret = match vault::open(self.vault.as_ref(), sealed).await {
            Ok(secret) => secret,
            Err(error) => return retry(error.to_string()),
        };
        let outcome = self.post_with(&secret, &address, body).await;
        match (&outcome, sealed, &self.vault) {
            (Outcome::Refused { .. }, Sealed::Away(reference), Some(vault)) => {
                match vault.renew(reference).await {
                    Some(renewed) => self.post_with(&renewed, &address, body).await,
                    None => outcome,
                }
            }
            (_, _, _) => outcome,
        }
    }

    async fn post_with(
        &self,
        secret: &Secret,
        address: &impl Fn(&Secret) -> Address,
        body: &Value,
    ) -> Outcome {
        match address(secret) {
            Ok(address) => self.post_to(&address, body).await,
            Err(problem) => Outcome::Refused {
                why: format!("the secret cannot be used: {problem}"),
            },
        }
    }

    async fn post_to(&self, address: &Secret, body: &Value) -> Outcome {
        let client = match self.client() {
            Ok(client) => client,
            Err(error) => {
                return retry(format!(
                    "the HTTP client could not be made: {}",
                    chain(&error)
                ));
            }
        };
        match client.post(address.expose()).json(body).send().await {
            Ok(response) => answered(response, address).await,
            Err(error) => retry(address.redact(&transport_error(error))),
        }
    }

    fn client(&self) -> Result<&Client, reqwest::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::builder()
            .user_agent(concat!("ecs-parrot/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT);
        let client = tls::with_roots(client).build()?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// Delivered is a 2xx whose body carries no error: some services answer 200 with one.
async fn answered(mut response: Response, address: &Secret) -> Outcome {
    let status = response.status();
    let after = retry_after(&response);
    let body = match beginning(&mut response).await {
        Ok(body) => body,
        Err(error) if status.is_success() => return retry(address.redact(&transport_error(error))),
        Err(_) => String::new(),
    };
    let is_cut = body.len() >= LONGEST_ANSWER;
    if status.is_success() && is_cut && body.trim_start().starts_with('{') {
        return retry(format!("{} an answer that does not end", status.as_u16()));
    }
    // First: half of a secret is not found any more.
    let body = address.redact(&body);
    let word = error_word(&body, status).unwrap_or_default();
    let why = match (word.is_empty(), status.canonical_reason()) {
        (false, _) => format!("{} {word}", status.as_u16()),
        (true, Some(reason)) => format!("{} {reason}", status.as_u16()),
        (true, None) => status.as_u16().to_string(),
    };
    match status {
        _ if status.is_success() && word.is_empty() => Outcome::Delivered,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            Outcome::Retry { after, why }
        }
        _ if status.is_server_error() => Outcome::Retry { after, why },
        _ => Outcome::Refused { why },
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

/// The error that an answer names: Slack's word in plain text, or the field of a JSON object.
fn error_word(body: &str, status: StatusCode) -> Option<String> {
    let body = body.trim();
    match serde_json::from_str::<Value>(body) {
        Ok(Value::Object(answer)) => {
            let field = ["error", "message"]
                .iter()
                .find_map(|key| answer.get(*key).and_then(Value::as_str))
                .map(|text| {
                    text.chars()
                        .filter(|c| !c.is_control())
                        .take(LONGEST_WORD)
                        .collect()
                });
            let says_no = answer.get("ok") == Some(&Value::Bool(false))
                || ["error", "errors"]
                    .iter()
                    .any(|key| answer.get(*key).is_some_and(|value| !is_nothing(value)));
            says_no.then(|| field.unwrap_or_else(|| "an error without a name".to_owned()))
        }
        _ if status.is_success() => REFUSALS.contains(&body).then(|| body.to_owned()),
        _ => is_word(body).then(|| body.to_owned()),
    }
}

/// Slack's words for a message that it did not take, should one ever come with a 2xx; other services may
/// well say `message_sent`.
const REFUSALS: [&str; 15] = [
    "action_prohibited",
    "channel_is_archived",
    "channel_not_found",
    "invalid_payload",
    "invalid_token",
    "no_active_hooks",
    "no_service",
    "no_service_id",
    "no_team",
    "no_text",
    "posting_to_general_channel_denied",
    "rollup_error",
    "team_disabled",
    "too_many_attachments",
    "user_not_found",
];

fn is_nothing(value: &Value) -> bool {
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

/// Seconds, or a date. <https://www.rfc-editor.org/rfc/rfc9110#name-retry-after>
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = text.parse().ok().map(Duration::from_secs);
    seconds.or_else(|| {
        let date = httpdate::parse_http_date(text).ok()?;
        Some(date.duration_since(SystemTime::now()).unwrap_or_default())
    })
}

/// What went wrong on the way, without the address.
fn transport_error(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    chain(&error.without_url())
}

fn chain(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause: &&dyn StdError| (*cause).source());
    std::iter::once(error.to_string())
        .chain(causes.map(ToString::to_string))
        .collect::<Vec<_>>()
        .join(": ")
}

fn retry(why: String) -> Outcome {
    Outcome::Retry { after: None, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_by_its_own_word() {
        for (body, word) in [
            ("ok", None),
            ("", None),
            ("{}", None),
            (r#"{"ok": true, "error": null}"#, None),
            (r#"{"id": 7, "message": "posted"}"#, None),
            ("<html>welcome</html>", None),
            ("message_sent", None),
            ("channel_is_archived", Some("channel_is_archived")),
            (
                r#"{"ok": false, "error": "invalid_auth"}"#,
                Some("invalid_auth"),
            ),
            (r#"{"ok": false}"#, Some("an error without a name")),
            (
                r#"{"message": "Validation error", "errors": {"content": ["can't be blank"]}}"#,
                Some("Validation error"),
            ),
        ] {
            assert_eq!(error_word(body, StatusCode::OK).as_deref(), word, "{body}");
        }
    }
}
