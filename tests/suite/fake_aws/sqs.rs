//! SQS, as far as a function that is given records calls it, and whoever sends one.

use serde_json::json;

use super::Answer;

pub(super) fn act(operation: &str) -> Answer {
    match operation {
        "ChangeMessageVisibility" => Ok(json!({})),
        "SendMessage" => Ok(json!({"MessageId": "5fea7756-0ea4-451a-a703-a558b933e274"})),
        other => panic!("{other} is not played"),
    }
}
