//! Handles a POST without an answer: was anything sent, and what failed?

use std::error::Error as StdError;
use std::io;
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
    if !error.is_connect() && !error.is_builder() {
        return unanswered(error, secrets);
    }
    let advice = Some(NoConnection::of(&error).advice());
    let why = match error.is_timeout() {
        true => format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()),
        false => secrets.redact(&chain(&error.without_url())),
    };
    Outcome::Retry {
        after: None,
        why,
        advice,
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoConnection {
    /// The host's name has no address.
    UnknownHost,
    /// Nothing answers, or the connection was refused.
    Network,
    /// The other side is not the host that it should be.
    Tls,
    /// The address cannot be used.
    Address,
}

impl NoConnection {
    fn of(error: &reqwest::Error) -> Self {
        if error.is_builder() {
            return Self::Address;
        }
        if causes(error).any(is_of_name) {
            return Self::UnknownHost;
        }
        match causes(error).any(is_of_tls) {
            true => Self::Tls,
            false => Self::Network,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::UnknownHost => {
                "the name of the host was not found: check the host of the address, and the DNS of the VPC if there is one"
            }
            Self::Network => {
                "check the network: a function in a VPC needs a NAT gateway, and a firewall or a proxy may be in between"
            }
            Self::Tls => {
                "check the host of the address: another server answers there, or a proxy in between"
            }
            Self::Address => "check the address",
        }
    }
}

/// The type of the first of these errors is private. Its text is the only sign.
fn is_of_name(error: &(dyn StdError + 'static)) -> bool {
    error.to_string() == "dns error" || error.is::<rustls::pki_types::InvalidDnsNameError>()
}

/// An error of TLS is within one of I/O, sometimes within two.
fn is_of_tls(error: &(dyn StdError + 'static)) -> bool {
    let inner = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || inner.is_some_and(|it| is_of_tls(it))
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
    std::iter::once(error.to_string())
        .chain(causes(error).map(ToString::to_string))
        .collect::<Vec<_>>()
        .join(": ")
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause: &&(dyn StdError + 'static)| {
        (*cause).source()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::SharedClient;

    /// A label of 64 characters is no label, so no server is asked for the name.
    #[tokio::test]
    async fn a_failure_has_its_kind() {
        let unknown = format!("http://{}.example", "x".repeat(64));
        let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = format!("http://{}", unused.local_addr().unwrap());
        drop(unused);
        let client = SharedClient::default();
        for (address, expected) in [
            (&*unknown, NoConnection::UnknownHost),
            (&*closed, NoConnection::Network),
            ("http://[", NoConnection::Address),
        ] {
            let error = client.get().unwrap().get(address).send().await.unwrap_err();
            assert_eq!(NoConnection::of(&error), expected, "{error:?}");
        }
    }
}
