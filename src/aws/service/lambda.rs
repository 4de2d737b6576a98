//! Lambda's Invoke, and what describes functions: <https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html>.

use aws_smithy_types::base64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{Client, Method, Request};
use crate::aws::{CallError, ErrorKind};

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
        method: Method::Post,
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

/// The most pages of a list.
const MOST_PAGES: usize = 50;

/// The functions of the account in the region, each as ListFunctions describes it.
///
/// # Errors
///
/// [`CallError`].
pub async fn functions(lambda: &Client) -> Result<Vec<Value>, CallError> {
    list(
        lambda,
        "ListFunctions",
        "/2015-03-31/functions/",
        "Functions",
    )
    .await
}

/// The configuration of a function, by its name.
///
/// # Errors
///
/// [`CallError`].
pub async fn function(lambda: &Client, name: &str) -> Result<Value, CallError> {
    let name = utf8_percent_encode(name, SEGMENT);
    let path = format!("/2015-03-31/functions/{name}/configuration");
    get(lambda, "GetFunctionConfiguration", path).await
}

/// The queues and other sources that invoke a function.
///
/// # Errors
///
/// [`CallError`].
pub async fn event_sources(lambda: &Client, function: &str) -> Result<Vec<Value>, CallError> {
    let function = utf8_percent_encode(function, SEGMENT);
    let path = format!("/2015-03-31/event-source-mappings/?FunctionName={function}");
    list(
        lambda,
        "ListEventSourceMappings",
        &path,
        "EventSourceMappings",
    )
    .await
}

async fn list(
    lambda: &Client,
    operation: &'static str,
    path: &str,
    field: &str,
) -> Result<Vec<Value>, CallError> {
    let mut found = Vec::new();
    let mut marker = String::new();
    for _ in 0..MOST_PAGES {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = match marker.is_empty() {
            true => path.to_owned(),
            false => format!(
                "{path}{separator}Marker={}",
                utf8_percent_encode(&marker, SEGMENT)
            ),
        };
        let mut answer = get(lambda, operation, page).await?;
        if let Some(Value::Array(items)) = answer.get_mut(field).map(Value::take) {
            found.extend(items);
        }
        match answer.get("NextMarker").and_then(Value::as_str) {
            Some(next) => marker = next.to_owned(),
            None => break,
        }
    }
    Ok(found)
}

async fn get(lambda: &Client, operation: &'static str, path: String) -> Result<Value, CallError> {
    let request = Request {
        method: Method::Get,
        operation,
        path,
        headers: Vec::new(),
        body: String::new(),
    };
    let response = lambda.send(request).await?;
    serde_json::from_slice(&response.body).map_err(|error| CallError {
        call: operation,
        code: None,
        message: format!("the answer is not JSON: {error}"),
        kind: ErrorKind::Unavailable,
    })
}
