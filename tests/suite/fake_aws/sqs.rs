//! SQS, as far as a function that is given records calls it, and whoever sends one.

use serde_json::{Value, json};

use super::Answer;

pub(super) fn act(operation: &str, body: &Value) -> Answer {
    match operation {
        "ChangeMessageVisibilityBatch" => {
            let ids = entries(body).map(|entry| json!({"Id": entry["Id"]}));
            Ok(json!({"Successful": ids.collect::<Vec<_>>(), "Failed": []}))
        }
        "SendMessage" => Ok(json!({"MessageId": "5fea7756-0ea4-451a-a703-a558b933e274"})),
        other => panic!("{other} is not played"),
    }
}

/// Of a call that takes ten at once.
pub(super) fn entries(body: &Value) -> impl Iterator<Item = &Value> {
    let entries = body["Entries"].as_array().unwrap();
    assert!((1..=10).contains(&entries.len()), "{body}");
    entries.iter()
}
