//! What it means that a POST has no answer: whether anything was sent, and what went wrong on the way.

use std::error::Error as StdError;
use std::time::Duration;

use super::{Outcome, Silence};
use crate::aws::secret::Secret;
use crate::http::CONNECT_TIMEOUT;

/// From the first byte that is sent to the last of the answer. It is longer than [`CONNECT_TIMEOUT`], so that it is known of
/// each time-out whether anything was sent: a message that never left may be sent again, one that left may have arrived.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// Without a connection nothing was sent, and it is safe to try again. All else may have arrived.
pub(super) fn failed_on_the_way(error: reqwest::Error, address: &Secret) -> Outcome {
    if error.is_connect() && error.is_timeout() {
        return Outcome::retry(format!(
            "no connection within {} s",
            CONNECT_TIMEOUT.as_secs()
        ));
    }
    if error.is_connect() || error.is_builder() {
        return Outcome::retry(address.redact(&chain(&error.without_url())));
    }
    unanswered(error, address)
}

/// The message was sent, and nobody knows whether it was taken.
fn unanswered(error: reqwest::Error, address: &Secret) -> Outcome {
    let silence = match error.is_timeout() {
        true => Silence::Stalled,
        false => Silence::Closed,
    };
    let why = words(error, address);
    Outcome::Unanswered { silence, why }
}

/// What went wrong on the way, without the address.
pub(super) fn words(error: reqwest::Error, address: &Secret) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    address.redact(&chain(&error.without_url()))
}

fn chain(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause: &&dyn StdError| (*cause).source());
    std::iter::once(error.to_string())
        .chain(causes.map(ToString::to_string))
        .collect::<Vec<_>>()
        .join(": ")
}
