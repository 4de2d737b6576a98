//! A message for `run-from-queue`: a RunTask request with AWS's field names, and a service whose network the task uses.
//!
//! Messages for aws-lambda-ecs-run-task are accepted unchanged, also with the flat names of its README and with single
//! quotes.
//! <https://github.com/awslabs/aws-lambda-ecs-run-task>

use serde_json::{Map, Value, json};

/// A request that may still have no network and no container name.
#[derive(Debug, Clone, PartialEq)]
pub struct RunMessage {
    /// With the field names of RunTask.
    pub request: Map<String, Value>,
    /// The service whose network the task uses if the message has none.
    pub service: Option<String>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    #[error(
        "the body is not JSON ({0}); expected {{\"ECS\": {{\"cluster\": …, \"taskDefinition\": …}}}}"
    )]
    NoJson(String),
    #[error(
        "the body has no `ECS` with a RunTask request; expected {{\"ECS\": {{\"cluster\": …, \"taskDefinition\": …}}}}"
    )]
    NoEcs,
    #[error("the record has no messageId, so it could be run twice")]
    NoId,
    #[error("`{0}` and `{1}` have the same meaning; expected only one of them")]
    Twice(&'static str, &'static str),
    #[error("`{0}`: expected {1}")]
    Type(String, &'static str),
}

/// The flat names of the README, with the path of the field in RunTask.
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
/// Flat names of fields of the first container's override.
const OF_CONTAINER: [(&str, &str); 3] = [
    ("container_name", "name"),
    ("command", "command"),
    ("environment", "environment"),
];

/// The names that a message may use beside the field names of RunTask.
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
        request.retain(|_, value| !is_empty(value));
        let service = match request.remove("service") {
            Some(Value::String(service)) => Some(service),
            Some(_) => return Err(InvalidMessage::Type("service".to_owned(), "text")),
            None => None,
        };
        unalias(&mut request)?;
        Ok(Self { request, service })
    }
}

/// Parses JSON. If that fails, single quotes are replaced by double quotes: callers of aws-lambda-ecs-run-task sent
/// Python's notation.
fn parse(body: &str) -> Result<Value, InvalidMessage> {
    serde_json::from_str(body)
        .or_else(|error| serde_json::from_str(&body.replace('\'', "\"")).map_err(|_| error))
        .map_err(|error| InvalidMessage::NoJson(error.to_string()))
}

/// Whether a value means that the field is not set. The example of aws-lambda-ecs-run-task has `"referenceId": ""`, and
/// ECS does not accept an empty list of tags.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value == "" || value == &json!([])
}

fn unalias(request: &mut Map<String, Value>) -> Result<(), InvalidMessage> {
    for (alias, path) in ALIASES.into_iter().chain([SECURITY_GROUPS]) {
        if let Some(value) = request.remove(alias) {
            set(request, alias, path, value)?;
        }
    }
    for (alias, field) in OF_CONTAINER {
        let Some(value) = request.remove(alias) else {
            continue;
        };
        let value = match alias {
            "environment" => pairs(value)?,
            "command" if !value.is_array() => {
                return Err(InvalidMessage::Type(alias.to_owned(), "a list"));
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
    path: &'static [&'static str],
    value: Value,
) -> Result<(), InvalidMessage> {
    let Some((last, outer)) = path.split_last() else {
        return Ok(());
    };
    let mut object = request;
    for name in outer {
        let inner = object.entry(*name).or_insert_with(|| json!({}));
        let wrong = || InvalidMessage::Type((*name).to_owned(), "an object");
        object = inner.as_object_mut().ok_or_else(wrong)?;
    }
    match object.insert((*last).to_owned(), value) {
        Some(_) => Err(InvalidMessage::Twice(alias, last)),
        None => Ok(()),
    }
}

/// The network of the request, which is created if it does not exist.
pub(super) fn network(
    request: &mut Map<String, Value>,
) -> Result<&mut Map<String, Value>, InvalidMessage> {
    let wrong = |name: &str| InvalidMessage::Type(name.to_owned(), "an object");
    request
        .entry("networkConfiguration")
        .or_insert_with(|| json!({}))
        .as_object_mut()
        .ok_or_else(|| wrong("networkConfiguration"))?
        .entry("awsvpcConfiguration")
        .or_insert_with(|| json!({}))
        .as_object_mut()
        .ok_or_else(|| wrong("networkConfiguration.awsvpcConfiguration"))
}

/// The override of the first container, which is created if it does not exist.
pub(super) fn first_container(
    request: &mut Map<String, Value>,
) -> Result<&mut Map<String, Value>, InvalidMessage> {
    let wrong = |name: &str, kind| InvalidMessage::Type(name.to_owned(), kind);
    let overrides = request.entry("overrides").or_insert_with(|| json!({}));
    let overrides = overrides
        .as_object_mut()
        .ok_or_else(|| wrong("overrides", "an object"))?;
    let containers = overrides
        .entry("containerOverrides")
        .or_insert_with(|| json!([]));
    let containers = containers
        .as_array_mut()
        .ok_or_else(|| wrong("overrides.containerOverrides", "a list"))?;
    if containers.is_empty() {
        containers.push(json!({}));
    }
    containers
        .first_mut()
        .and_then(Value::as_object_mut)
        .ok_or_else(|| wrong("overrides.containerOverrides[0]", "an object"))
}

/// Accepts `Name` and `Value` as well as `name` and `value`: the README has the first, its example the second.
fn pairs(environment: Value) -> Result<Value, InvalidMessage> {
    let Value::Array(pairs) = environment else {
        return Err(InvalidMessage::Type("environment".to_owned(), "a list"));
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
    fn the_field_names_of_run_task_with_a_service() {
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
    fn the_flat_names_of_aws_lambda_ecs_run_task() {
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
    fn each_flat_name_is_a_known_name() {
        let aliases = ALIASES.into_iter().chain([SECURITY_GROUPS]);
        let all = aliases.map(|(alias, _)| alias);
        let all = all.chain(OF_CONTAINER.map(|(alias, _)| alias));
        for alias in all {
            assert!(NAMES.contains(&alias), "{alias}");
        }
    }

    #[test]
    fn single_quotes_are_replaced_only_if_the_body_is_not_json() {
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
    fn an_error_says_what_is_expected() {
        for (body, expected) in [
            ("", "the body is not JSON"),
            ("run web", "the body is not JSON"),
            ("{}", "the body has no `ECS`"),
            (r#"{"ECS": []}"#, "the body has no `ECS`"),
            ("[]", "the body has no `ECS`"),
            (
                r#"{"ECS": {"task_def": "a", "taskDefinition": "b"}}"#,
                "`task_def` and `taskDefinition` have the same meaning",
            ),
            (r#"{"ECS": {"service": 1}}"#, "`service`: expected text"),
            (
                r#"{"ECS": {"command": ["a"], "overrides": 5}}"#,
                "`overrides`: expected an object",
            ),
            (
                r#"{"ECS": {"command": "ls"}}"#,
                "`command`: expected a list",
            ),
            (
                r#"{"ECS": {"environment": "A=b"}}"#,
                "`environment`: expected a list",
            ),
        ] {
            let error = RunMessage::read(body).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{body}: {error}");
        }
    }
}
