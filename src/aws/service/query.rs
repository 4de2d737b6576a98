//! Requests of the AWS Query protocol: a form, whose answer is XML.
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Client, Method, Request};
use crate::aws::{CallError, ErrorKind};

/// The unreserved characters of RFC 3986 need no encoding in a form.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A call with these parameters. `version` is the date of the service's API.
pub(super) fn request<N: AsRef<str>, V: AsRef<str>>(
    operation: &'static str,
    version: &str,
    parameters: impl IntoIterator<Item = (N, V)>,
) -> Request {
    let mut body = format!("Action={operation}&Version={version}");
    for (name, value) in parameters {
        let value = utf8_percent_encode(value.as_ref(), VALUE);
        body.push_str(&format!("&{}={value}", name.as_ref()));
    }
    Request {
        method: Method::Post,
        operation,
        path: "/".to_owned(),
        headers: vec![(
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        )],
        body,
    }
}

/// Sends a call and reads its answer. `read` returns `None` for what is no answer to the call.
///
/// # Errors
///
/// [`CallError`], after the client's retries, or if the answer cannot be read.
pub(super) async fn call<T>(
    client: &Client,
    request: Request,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, CallError> {
    let call = request.operation;
    let answer = client.send(request).await?;
    read(&String::from_utf8_lossy(&answer.body)).ok_or_else(|| CallError {
        call,
        code: None,
        message: "the answer cannot be read".to_owned(),
        kind: ErrorKind::Unavailable,
    })
}
