//! One container of a task definition, as JSON.

use serde_json::{Map, Value, json};

use super::LogGroup;
use crate::runner::definition::is_essential;

/// Has the task end when this container does, once; says what the reference had otherwise.
pub(super) fn run_once(container: &mut Map<String, Value>) -> Vec<String> {
    let mut notes = Vec::new();
    let name = name_of(container).to_owned();
    if !is_essential(container) {
        container.insert("essential".to_owned(), json!(true));
        notes.push(format!("`{name}` is essential here: the task ends with it"));
    }
    if container
        .remove("restartPolicy")
        .is_some_and(|policy| policy.get("enabled") == Some(&json!(true)))
    {
        notes.push(format!(
            "`{name}` is not restarted when it exits, as the reference has it"
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

/// The driver that a container logs with, `awslogs` for CloudWatch Logs.
pub fn log_driver(container: &Map<String, Value>) -> Option<&str> {
    container
        .get("logConfiguration")?
        .get("logDriver")?
        .as_str()
}

/// Changes where a container logs, and nothing of how (the pattern of lines that belong together, say).
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
        // We make the group; the execution role may not be allowed to.
        options.remove("awslogs-create-group");
        // Since 2025-06-25 the default drops lines that CloudWatch does not take fast enough.
        // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
        options.entry("mode").or_insert_with(|| json!("blocking"));
    }
}

/// Sets a variable, in place of one of that name; says whether that was a secret, which ECS does not take
/// beside a variable of the same name.
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
