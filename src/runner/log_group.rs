//! The log group of a one-off task. It is created with a retention if it does not exist; an existing group is not
//! changed.

use serde_json::json;

use crate::aws::CallError;
use crate::aws::service::Client;

/// The retentions that CloudWatch Logs accepts, in days.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>
pub const RETENTIONS: [i32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogGroupState {
    Existing,
    Created,
}

/// Creates the group if it does not exist.
pub async fn ensure(logs: &Client, name: &str) -> Result<LogGroupState, CallError> {
    let input = json!({"logGroupName": name});
    match logs.call("CreateLogGroup", &input).await {
        Ok(_) => Ok(LogGroupState::Created),
        Err(error) if error.has_code("ResourceAlreadyExistsException") => {
            Ok(LogGroupState::Existing)
        }
        Err(error) => Err(error),
    }
}

/// Sets how many days the group keeps its lines.
pub async fn keep_for(logs: &Client, name: &str, days: i32) -> Result<(), CallError> {
    let input = json!({"logGroupName": name, "retentionInDays": days});
    logs.call("PutRetentionPolicy", &input).await.map(drop)
}

/// Deletes a group that was created for a task that did not start.
pub async fn remove(logs: &Client, name: &str) -> Result<(), CallError> {
    let input = json!({"logGroupName": name});
    logs.call("DeleteLogGroup", &input).await.map(drop)
}
