//! A message of the run queue: a RunTask request in AWS's own names, with a service to take the network from.
//!
//! Messages of aws-lambda-ecs-run-task are read as they are, the flat names of its README and its single quotes
//! included. <https://github.com/awslabs/aws-lambda-ecs-run-task>

use serde_json::{Map, Value, json};

/// A request that may still lack its network and the name of its container.
#[derive(Debug, Clone, PartialEq)]
pub struct RunMessage {
    /// In RunTask's own names.
    pub request: Map<String, Value>,
    /// The service whose network the task takes where the message has none.
    pub service: Option<String>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    #[error(
        "the body is no JSON ({0}); it looks like {{\"ECS\": {{\"cluster\": …, \"taskDefinition\": …}}}}"
    )]
    NoJson(String),
    #[error(
        "the body has no `ECS` with a RunTask request: {{\"ECS\": {{\"cluster\": …, \"taskDefinition\": …}}}}"
    )]
    NoEcs,
    #[error("the record has no messageId, which keeps a message from being run twice")]
    NoId,
    #[error("`{0}` and `{1}` say the same thing: give one")]
    Twice(&'static str, &'static str),
    #[error("`{0}` is no {1}")]
    Form(String, &'static str),
}

/// The README's flat names, with the places that RunTask has for them.
const ALIASES: [(&str, &[&str]); 5] = [
    ("task_def", &["taskDefinition"]),
    ("reference_id", &["referenceId"]),
    ("cpu", &["overrides", "cpu"]),
    ("memory", &["overrides", "memory"]),
    (
        "subnets",
        &["networkConfiguration", "awsvpcConfiguration", "subnets"],
    ),
];
const SECURITY_GROUPS: (&str, &[&str]) = (
    "security_groups",
    &[
        "networkConfiguration",
        "awsvpcConfiguration",
        "securityGroups",
    ],
);
/// Flat names of the first container's override.
const OF_CONTAINER: [(&str, &str); 3] = [
    ("container_name", "name"),
    ("command", "command"),
    ("environment", "environment"),
];

/// What a request may have in a message beside RunTask's own names.
pub const NAMES: [&str; 10] = [
    "service",
    "task_def",
    "reference_id",
    "cpu",
    "memory",
    "subnets",
    "security_groups",
    "container_name",
    "command",
    "environment",
];

impl RunMessage {
    pub fn read(body: &str) -> Result<Self, InvalidMessage> {
        let mut body = parse(body)?;
        let Some(Value::Object(mut request)) = body.get_mut("ECS").map(Value::take) else {
            return Err(InvalidMessage::NoEcs);
        };
        request.retain(|_, value| !is_nothing(value));
        let service = match request.remove("service") {
            Some(Value::String(service)) => Some(service),
            Some(_) => return Err(InvalidMessage::Form("service".to_owned(), "text")),
            None => None,
        };
        unalias(&mut request)?;
        Ok(Self { request, service })
    }
}

/// JSON, or what the ancestor's callers sent for it: Python's single quotes, exchanged once.
fn parse(body: &str) -> Result<Value, InvalidMessage> {
    serde_json::from_str(body)
        .or_else(|error| serde_json::from_str(&body.replace('\'', "\"")).map_err(|_| error))
        .map_err(|error| InvalidMessage::NoJson(error.to_string()))
}

/// What says nothing: the ancestor's example has `"referenceId": ""`, and ECS refuses an empty list of tags.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value == "" || value == &json!([])
}

fn unalias(request: &mut Map<String, Value>) -> Result<(), InvalidMessage> {
    for (alias, place) in ALIASES.into_iter().chain([SECURITY_GROUPS]) {
        if let Some(value) = request.remove(alias) {
            set(request, alias, place, value)?;
        }
    }
    for (alias, field) in OF_CONTAINER {
        let Some(value) = request.remove(alias) else {
            continue;
        };
        let value = match alias {
            "environment" => pairs(value)?,
            "command" if !value.is_array() => {
                return Err(InvalidMessage::Form(alias.to_owned(), "list"));
            }
            _ => value,
        };
        let container = first_container(request)?;
        if container.insert(field.to_owned(), value).is_some() {
            return Err(InvalidMessage::Twice(alias, "overrides.containerOverrides"));
        }
    }
    Ok(())
}

fn set(
    request: &mut Map<String, Value>,
    alias: &'static str,
    place: &'static [&'static str],
    value: Value,
) -> Result<(), InvalidMessage> {
    let Some((last, outer)) = place.split_last() else {
        return Ok(());
    };
    let mut object = request;
    for name in outer {
        let inner = object.entry(*name).or_insert_with(|| json!({}));
        let form = || InvalidMessage::Form((*name).to_owned(), "object");
        object = inner.as_object_mut().ok_or_else(form)?;
    }
    match object.insert((*last).to_owned(), value) {
        Some(_) => Err(InvalidMessage::Twice(alias, last)),
        None => Ok(()),
    }
}

/// The half-filled network, made where there is none.
pub(super) fn network(
    request: &mut Map<String, Value>,
) -> Result<&mut Map<String, Value>, InvalidMessage> {
    let form = |name: &str| InvalidMessage::Form(name.to_owned(), "object");
    request
        .entry("networkConfiguration")
        .or_insert_with(|| json!({}))
        .as_object_mut()
        .ok_or_else(|| form("networkConfiguration"))?
        .entry("awsvpcConfiguration")
        .or_insert_with(|| json!({}))
        .as_object_mut()
        .ok_or_else(|| form("networkConfiguration.awsvpcConfiguration"))
}

/// The first container's override, made where there is none.
pub(super) fn first_container(
    request: &mut Map<String, Value>,
) -> Result<&mut Map<String, Value>, InvalidMessage> {
    let form = |name: &str, kind| InvalidMessage::Form(name.to_owned(), kind);
    let overrides = request.entry("overrides").or_insert_with(|| json!({}));
    let overrides = overrides
        .as_object_mut()
        .ok_or_else(|| form("overrides", "object"))?;
    let containers = overrides
        .entry("containerOverrides")
        .or_insert_with(|| json!([]));
    let containers = containers
        .as_array_mut()
        .ok_or_else(|| form("overrides.containerOverrides", "list"))?;
    if containers.is_empty() {
        containers.push(json!({}));
    }
    containers
        .first_mut()
        .and_then(Value::as_object_mut)
        .ok_or_else(|| form("overrides.containerOverrides[0]", "object"))
}

/// The README writes `Name` and `Value`, its example `name` and `value`.
fn pairs(environment: Value) -> Result<Value, InvalidMessage> {
    let Value::Array(pairs) = environment else {
        return Err(InvalidMessage::Form("environment".to_owned(), "list"));
    };
    let lower = |pair: Value| match pair {
        Value::Object(pair) => pair
            .into_iter()
            .map(|(name, value)| match name.as_str() {
                "Name" => ("name".to_owned(), value),
                "Value" => ("value".to_owned(), value),
                _ => (name, value),
            })
            .collect(),
        other => other,
    };
    Ok(pairs.into_iter().map(lower).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &str) -> Value {
        Value::Object(RunMessage::read(body).unwrap().request)
    }

    #[test]
    fn awss_own_names_with_a_service() {
        let message = RunMessage::read(
            r#"{"ECS": {"cluster": "prod", "taskDefinition": "web:6", "service": "web", "referenceId": "", "tags": []},
                "SQS_Retries": 2}"#,
        )
        .unwrap();
        assert_eq!(message.service.as_deref(), Some("web"));
        assert_eq!(
            Value::Object(message.request),
            json!({"cluster": "prod", "taskDefinition": "web:6"})
        );
    }

    #[test]
    fn the_flat_names_of_the_ancestors_readme() {
        let flat = r#"{"ECS": {"cluster": "prod", "task_def": "web", "container_name": "app", "command": ["a"],
            "environment": [{"Name": "A", "Value": "b"}, {"name": "C", "value": "d"}],
            "subnets": ["subnet-1"], "security_groups": ["sg-1"], "cpu": "256", "memory": "512"}}"#;
        assert_eq!(
            request(flat),
            json!({
                "cluster": "prod",
                "taskDefinition": "web",
                "overrides": {
                    "cpu": "256",
                    "memory": "512",
                    "containerOverrides": [{
                        "name": "app",
                        "command": ["a"],
                        "environment": [{"name": "A", "value": "b"}, {"name": "C", "value": "d"}],
                    }],
                },
                "networkConfiguration": {"awsvpcConfiguration": {
                    "subnets": ["subnet-1"], "securityGroups": ["sg-1"],
                }},
            })
        );
    }

    #[test]
    fn every_flat_name_may_be_meant() {
        let aliases = ALIASES.into_iter().chain([SECURITY_GROUPS]);
        let all = aliases.map(|(alias, _)| alias);
        let all = all.chain(OF_CONTAINER.map(|(alias, _)| alias));
        for alias in all {
            assert!(NAMES.contains(&alias), "{alias}");
        }
    }

    #[test]
    fn quotes_are_exchanged_only_where_it_is_no_json() {
        assert_eq!(
            request("{'ECS': {'cluster': 'prod', 'taskDefinition': 'web'}}"),
            json!({"cluster": "prod", "taskDefinition": "web"})
        );
        let apostrophe = r#"{"ECS": {"taskDefinition": "web", "command": ["echo", "it's"]}}"#;
        let containers = json!([{"command": ["echo", "it's"]}]);
        assert_eq!(
            request(apostrophe)["overrides"]["containerOverrides"],
            containers
        );
    }

    #[test]
    fn what_cannot_be_read_says_what_is_wanted() {
        for (body, told) in [
            ("", "the body is no JSON"),
            ("run web", "the body is no JSON"),
            ("{}", "the body has no `ECS`"),
            (r#"{"ECS": []}"#, "the body has no `ECS`"),
            ("[]", "the body has no `ECS`"),
            (
                r#"{"ECS": {"task_def": "a", "taskDefinition": "b"}}"#,
                "`task_def` and `taskDefinition` say the same",
            ),
            (r#"{"ECS": {"service": 1}}"#, "`service` is no text"),
            (
                r#"{"ECS": {"command": ["a"], "overrides": 5}}"#,
                "`overrides` is no object",
            ),
            (r#"{"ECS": {"command": "ls"}}"#, "`command` is no list"),
            (
                r#"{"ECS": {"environment": "A=b"}}"#,
                "`environment` is no list",
            ),
        ] {
            let error = RunMessage::read(body).unwrap_err().to_string();
            assert!(error.starts_with(told), "{body}: {error}");
        }
    }
}
