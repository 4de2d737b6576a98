//! One container of a task definition, as JSON.

use serde_json::{Map, Value, json};

use super::LogGroup;
use crate::runner::definition::is_essential;

/// Makes the task end when this container ends, without a restart. Returns a note for each setting that it changed.
pub(super) fn run_once(container: &mut Map<String, Value>) -> Vec<String> {
    let mut notes = Vec::new();
    let name = name_of(container).to_owned();
    if !is_essential(container) {
        container.insert("essential".to_owned(), json!(true));
        notes.push(format!(
            "`{name}` is essential in the copy: the task ends when it ends"
        ));
    }
    if container
        .remove("restartPolicy")
        .is_some_and(|policy| policy.get("enabled") == Some(&json!(true)))
    {
        notes.push(format!(
            "`{name}` is not restarted when it exits, unlike in the reference"
        ));
    }
    notes
}

pub(super) fn name_of(container: &Map<String, Value>) -> &str {
    container
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The log driver of a container; `awslogs` is the one for CloudWatch Logs.
pub fn log_driver(container: &Map<String, Value>) -> Option<&str> {
    container
        .get("logConfiguration")?
        .get("logDriver")?
        .as_str()
}

/// Changes the destination of a container's log and keeps its other options, such as the multi-line pattern.
pub(super) fn redirect(container: &mut Map<String, Value>, logs: &LogGroup) {
    let Some(Value::Object(configuration)) = container.get_mut("logConfiguration") else {
        return;
    };
    let options = configuration.entry("options").or_insert_with(|| json!({}));
    if !options.is_object() {
        *options = json!({});
    }
    options["awslogs-group"] = json!(logs.name);
    options["awslogs-region"] = json!(logs.region);
    options["awslogs-stream-prefix"] = json!(logs.prefix);
    if let Some(options) = options.as_object_mut() {
        // This program creates the group. The execution role may have no permission for it.
        options.remove("awslogs-create-group");
        // Since 2025-06-25 the default drops lines when CloudWatch Logs is too slow.
        // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
        options.entry("mode").or_insert_with(|| json!("blocking"));
    }
}

/// Sets a variable, and removes a variable or secret of the same name: ECS does not accept two. Returns whether a
/// secret was removed.
pub(super) fn set_variable(container: &mut Map<String, Value>, name: &str, value: &str) -> bool {
    let has_name = |entry: &Value| entry.get("name").and_then(Value::as_str) == Some(name);
    let variables = container.entry("environment").or_insert_with(|| json!([]));
    if !variables.is_array() {
        *variables = json!([]);
    }
    if let Some(variables) = variables.as_array_mut() {
        variables.retain(|entry| !has_name(entry));
        variables.push(json!({"name": name, "value": value}));
    }
    let Some(secrets) = container.get_mut("secrets").and_then(Value::as_array_mut) else {
        return false;
    };
    let before = secrets.len();
    secrets.retain(|entry| !has_name(entry));
    secrets.len() < before
}
