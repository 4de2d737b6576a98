//! Requests of the AWS Query protocol: a form, whose answer is XML.
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Request;

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
        operation,
        path: "/".to_owned(),
        headers: vec![(
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        )],
        body,
    }
}
