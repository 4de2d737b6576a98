//! Task definitions as the JSON of the API. The SDK's types drop each field that they do not know, but a copy must keep
//! all of them.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_ecs::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ecs::error::BoxError;
use aws_sdk_ecs::types::TaskDefinitionField;
use serde_json::{Map, Value};

use crate::aws::{CallError, ErrorKind, with_body};

/// A registered task definition.
#[derive(Debug, Clone, Default)]
pub struct TaskDefinition {
    /// `taskDefinition` in the answer of DescribeTaskDefinition.
    pub body: Map<String, Value>,
    /// The answer has them beside the definition. A copy needs them in its own request.
    pub tags: Vec<Value>,
}

#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{0} answered without a task definition")]
    Nothing(&'static str),
}

impl TaskDefinition {
    pub fn arn(&self) -> &str {
        self.text("taskDefinitionArn").unwrap_or_default()
    }

    pub fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field)?.as_str()
    }

    pub fn containers(&self) -> impl Iterator<Item = &Map<String, Value>> {
        let containers = self.body.get("containerDefinitions");
        containers
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
    }

    /// Whether the task ends when this container ends. `None` if the definition has no such container.
    pub fn is_essential(&self, container: &str) -> Option<bool> {
        let mut containers = self.containers();
        let found =
            containers.find(|it| it.get("name").and_then(Value::as_str) == Some(container))?;
        Some(is_essential(found))
    }
}

/// For ECS a container is essential unless its definition says otherwise.
pub fn is_essential(container: &Map<String, Value>) -> bool {
    container.get("essential").and_then(Value::as_bool) != Some(false)
}

/// The definition with this ARN or `family:revision`, or the latest ACTIVE definition of this family.
pub async fn describe(ecs: &Client, name: &str) -> Result<TaskDefinition, DefinitionError> {
    match describe_with(ecs, name, &[TaskDefinitionField::Tags]).await {
        // Without permission to read the tags, the copy gets no tags.
        Err(DefinitionError::Call(error)) if error.kind == ErrorKind::Denied => {
            describe_with(ecs, name, &[]).await
        }
        answer => answer,
    }
}

async fn describe_with(
    ecs: &Client,
    name: &str,
    include: &[TaskDefinitionField],
) -> Result<TaskDefinition, DefinitionError> {
    const CALL: &str = "DescribeTaskDefinition";
    let include = Some(include.to_vec()).filter(|include| !include.is_empty());
    let body = RawBody::default();
    ecs.describe_task_definition()
        .task_definition(name)
        .set_include(include)
        .customize()
        .interceptor(body.clone())
        .send()
        .await
        .map_err(|error| CallError::of(CALL, error))?;
    body.definition().ok_or(DefinitionError::Nothing(CALL))
}

/// Registers a definition, and returns what ECS registered.
pub async fn register(
    ecs: &Client,
    definition: &Map<String, Value>,
) -> Result<TaskDefinition, DefinitionError> {
    const CALL: &str = "RegisterTaskDefinition";
    let body = RawBody::default();
    ecs.register_task_definition()
        .customize()
        .mutate_request(with_body(&Value::Object(definition.clone())))
        .interceptor(body.clone())
        .send()
        .await
        .map_err(|error| CallError::of(CALL, error))?;
    body.definition().ok_or(DefinitionError::Nothing(CALL))
}

pub async fn deregister(ecs: &Client, arn: &str) -> Result<(), CallError> {
    ecs.deregister_task_definition()
        .task_definition(arn)
        .send()
        .await
        .map(|_| ())
        .map_err(|error| CallError::of("DeregisterTaskDefinition", error))
}

/// Keeps the body of an answer, before the SDK parses it.
#[derive(Debug, Clone, Default)]
struct RawBody(Arc<Mutex<Value>>);

impl RawBody {
    fn definition(&self) -> Option<TaskDefinition> {
        let mut answer = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let tags = answer.get_mut("tags").map(Value::take);
        match answer.get_mut("taskDefinition").map(Value::take) {
            Some(Value::Object(body)) => Some(TaskDefinition {
                body,
                tags: match tags {
                    Some(Value::Array(tags)) => tags,
                    _ => Vec::new(),
                },
            }),
            _ => None,
        }
    }
}

impl Intercept for RawBody {
    fn name(&self) -> &'static str {
        "RawBody"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response().body().bytes().unwrap_or_default();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            serde_json::from_slice(answer).unwrap_or_default();
        Ok(())
    }
}
