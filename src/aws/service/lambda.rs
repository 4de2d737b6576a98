//! Lambda's Invoke: <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>.

use aws_smithy_types::base64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{Client, Request};
use crate::aws::CallError;

/// The unreserved characters of RFC 3986 need no encoding in a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What a function answered.
#[derive(Debug)]
pub struct InvokeAnswer {
    pub payload: String,
    /// Whether the function failed. The payload is then its error.
    pub is_error: bool,
}

/// Invokes a function by its name or ARN, and waits for its answer. `context` is the client context, at most 3,583
/// bytes.
///
/// # Errors
///
/// [`CallError`] if the function was not invoked, or if this is unknown.
pub async fn invoke(
    lambda: &Client,
    function: &str,
    payload: &Value,
    context: &Value,
) -> Result<InvokeAnswer, CallError> {
    let function = utf8_percent_encode(function, SEGMENT);
    let request = Request {
        operation: "Invoke",
        path: format!("/2015-03-31/functions/{function}/invocations"),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("x-amz-client-context", base64::encode(context.to_string())),
        ],
        body: payload.to_string(),
    };
    let response = lambda.send(request).await?;
    Ok(InvokeAnswer {
        is_error: response.header("x-amz-function-error").is_some(),
        payload: String::from_utf8_lossy(&response.body).into_owned(),
    })
}
