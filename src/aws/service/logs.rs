//! CloudWatch Logs' GetLogEvents:
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html>.

use serde::Deserialize;
use serde_json::Value;

use super::Client;
use crate::aws::{CallError, ErrorKind};

/// The part of an answer that is read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Page {
    pub events: Vec<LogEvent>,
    pub next_forward_token: Option<String>,
    pub next_backward_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LogEvent {
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    pub message: Option<String>,
}

/// # Errors
///
/// [`CallError`], also if the answer does not have this structure.
pub async fn get_log_events(logs: &Client, input: &Value) -> Result<Page, CallError> {
    const CALL: &str = "GetLogEvents";
    let answer = logs.call(CALL, input).await?;
    serde_json::from_value(answer).map_err(|error| CallError {
        call: CALL,
        code: None,
        message: format!("the answer cannot be read: {error}"),
        kind: ErrorKind::Unavailable,
    })
}
