//! Classifies event types that are not known here. All their fields are kept, and the usual field names give the
//! subject.

use serde_json::Value;

use super::{Classification, cluster_name, owned_name, resource};
use crate::ecs::arn;
use crate::ecs::event::{Envelope, Fields};
use crate::ecs::notice::{Facts, Kind, Resource, Subject, UnknownFacts};

/// More than a message can show. Further fields are left out.
const MAX_FIELDS: usize = 100;

pub(super) fn find(detail: &Value, envelope: &Envelope) -> Classification {
    let fields = Fields::new(detail);
    let task = fields
        .text("taskArn")
        .or_else(|| owned(resource(envelope, "task")));
    let service = fields
        .text("serviceArn")
        .or_else(|| owned(resource(envelope, "service")));
    let instance = fields
        .text("containerInstanceArn")
        .or_else(|| owned(resource(envelope, "container-instance")));
    let cluster = fields
        .text("clusterArn")
        .or_else(|| owned(resource(envelope, "cluster")));
    let definition = fields
        .text("taskDefinitionArn")
        .map(|text| arn::task_definition(&text));
    let daemon = fields
        .text("daemonArn")
        .or_else(|| owned(resource(envelope, "daemon")));
    let members = [
        task.as_deref(),
        service.as_deref(),
        instance.as_deref(),
        daemon.as_deref(),
    ];
    Classification {
        kind: Kind::Other,
        subject: Subject {
            cluster: cluster_name(cluster.as_deref(), &members),
            service: owned_name(service.as_deref()),
            family: definition.as_ref().map(|(family, _)| family.clone()),
            revision: definition.and_then(|(_, revision)| revision),
            task: owned_name(task.as_deref()),
            container_instance: owned_name(instance.as_deref()),
            ec2_instance: fields.text("ec2InstanceId"),
            availability_zone: fields.text("availabilityZone"),
            resource: daemon
                .as_deref()
                .map(|arn| Resource::new("daemon", arn::name(arn))),
            ..Subject::default()
        },
        facts: Facts::Unknown(UnknownFacts {
            event_type: fields.text("eventType"),
            event_name: fields.text("eventName"),
            reason: fields.text("reason"),
            fields: flat(detail),
        }),
        actor: None,
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

/// Every leaf with its path: `{"a": {"b": [1]}}` → `a.b.0 = 1`.
fn flat(detail: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(String::new(), detail, &mut found);
    found
}

fn walk(path: String, value: &Value, found: &mut Vec<(String, String)>) {
    if found.len() >= MAX_FIELDS {
        return;
    }
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        Value::Null => {}
        Value::Object(entries) => {
            for (key, entry) in entries {
                walk(below(key), entry, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(below(&index.to_string()), item, found);
            }
        }
        Value::String(text) => found.push((path, text.clone())),
        Value::Bool(_) | Value::Number(_) => found.push((path, value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_leaf_has_its_path() {
        let detail = json!({"b": {"c": [1, {"d": true}]}, "a": "x", "n": null});
        let expected = [("a", "x"), ("b.c.0", "1"), ("b.c.1.d", "true")];
        assert_eq!(
            flat(&detail),
            expected.map(|(path, value)| (path.to_owned(), value.to_owned()))
        );
    }
}
