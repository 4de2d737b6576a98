//! Task definitions as the wire's JSON: the SDK's types drop every field that they do not know, and a clone
//! must lose none.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_ecs::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ecs::error::BoxError;
use aws_sdk_ecs::types::TaskDefinitionField;
use serde_json::{Map, Value};

use crate::aws::{CallError, ErrorKind, with_body};

/// A task definition that is registered.
#[derive(Debug, Clone, Default)]
pub struct TaskDefinition {
    /// `taskDefinition` of DescribeTaskDefinition's answer.
    pub body: Map<String, Value>,
    /// They come beside the definition, and must be given again with its copy.
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

    /// Whether the task ends with this container; none where it has no such container.
    pub fn is_essential(&self, container: &str) -> Option<bool> {
        let mut containers = self.containers();
        let found =
            containers.find(|it| it.get("name").and_then(Value::as_str) == Some(container))?;
        Some(is_essential(found))
    }
}

/// ECS takes a container for essential unless its definition says otherwise.
pub fn is_essential(container: &Map<String, Value>) -> bool {
    container.get("essential").and_then(Value::as_bool) != Some(false)
}

/// The definition of an ARN, `family:revision`, or a family's latest ACTIVE one.
pub async fn describe(ecs: &Client, name: &str) -> Result<TaskDefinition, DefinitionError> {
    match describe_with(ecs, name, &[TaskDefinitionField::Tags]).await {
        // Whoever may not read tags has none to pass on.
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
    let body = Body::default();
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

/// Registers a definition as it is, and gives it back as ECS keeps it.
pub async fn register(
    ecs: &Client,
    definition: &Map<String, Value>,
) -> Result<TaskDefinition, DefinitionError> {
    const CALL: &str = "RegisterTaskDefinition";
    let body = Body::default();
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

/// Keeps an answer's body as it came.
#[derive(Debug, Clone, Default)]
struct Body(Arc<Mutex<Value>>);

impl Body {
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

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "Body"
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
