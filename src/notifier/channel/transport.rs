//! Handles a POST without an answer: was anything sent, and what failed?

use std::error::Error as StdError;
use std::time::Duration;

use super::http::Redactions;
use super::{Outcome, UnansweredKind};
use crate::http::CONNECT_TIMEOUT;

/// The time from the start of a request to the last byte of its answer. It is longer than [`CONNECT_TIMEOUT`], so that
/// each timeout shows whether anything was sent. A message that was not sent may be sent again. A message that was sent
/// may have arrived.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// Without a connection nothing was sent, and it is safe to try again. After any other failure the message may have
/// arrived.
pub(super) fn request_failed(error: reqwest::Error, secrets: &Redactions<'_>) -> Outcome {
    if error.is_connect() && error.is_timeout() {
        return Outcome::retry(format!(
            "no connection within {} s",
            CONNECT_TIMEOUT.as_secs()
        ));
    }
    if error.is_connect() || error.is_builder() {
        return Outcome::retry(secrets.redact(&chain(&error.without_url())));
    }
    unanswered(error, secrets)
}

/// The message was sent, and it is not known whether it arrived.
fn unanswered(error: reqwest::Error, secrets: &Redactions<'_>) -> Outcome {
    let kind = match error.is_timeout() {
        true => UnansweredKind::Stalled,
        false => UnansweredKind::Closed,
    };
    let why = describe(error, secrets);
    Outcome::Unanswered { kind, why }
}

/// Describes the error without the address, which may be a secret, and without the secrets.
pub(super) fn describe(error: reqwest::Error, secrets: &Redactions<'_>) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    secrets.redact(&chain(&error.without_url()))
}

fn chain(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause: &&dyn StdError| (*cause).source());
    std::iter::once(error.to_string())
        .chain(causes.map(ToString::to_string))
        .collect::<Vec<_>>()
        .join(": ")
}
