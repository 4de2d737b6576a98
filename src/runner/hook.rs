//! A deployment's lifecycle hook: runs a task, and lets the deployment go on only when it ended with exit 0.
//!
//! ```text
//! payload ─ Caller ─┬ CodeDeploy: job ▶ task ─ waited for, or its event ▶ Succeeded | Failed
//!                   └ Amazon ECS: job ▶ task ─ asked again and again ▶ IN_PROGRESS … SUCCEEDED | FAILED
//! ```
//!
//! Whatever goes wrong, the deployment is answered Failed; it is never left waiting.

pub mod code_deploy;
mod config;
pub mod job;
pub mod lifecycle;

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::aws::{Task, service};
use crate::config::ConfigError;
use crate::runner::definition::{self, TaskDefinition};
use crate::runner::outcome::{TaskEnd, mark_essential};
use crate::runner::task;
use code_deploy::Execution;
use job::JobError;
use lifecycle::LifecycleCall;

pub use config::{HookConfig, Wait};

/// What `startedBy` of this function's tasks begins with.
pub const PROGRAM: &str = "deploy-hook";

/// The function with its configuration, or what is wrong with that, and whom it asks.
#[derive(Debug)]
pub struct DeployHook {
    pub config: Result<HookConfig, ConfigError>,
    pub ecs: aws_sdk_ecs::Client,
    pub code_deploy: service::Client,
    /// The function's own name, by which it knows its tasks.
    pub function: String,
}

/// Who calls, told by the payload.
#[derive(Debug)]
pub enum Caller {
    CodeDeploy(Execution),
    Ecs(Box<LifecycleCall>),
    /// The event of a stopped task, with its detail.
    Stop(Value),
}

/// A deployment that heard nothing of how its hook ended.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    #[error(transparent)]
    CallbackFailed(#[from] code_deploy::CallbackFailed),
    #[error(transparent)]
    NotReported(#[from] code_deploy::NotReported),
}

#[derive(Debug, thiserror::Error)]
#[error(
    "neither CodeDeploy's call (`DeploymentId`, `LifecycleEventHookExecutionId`) nor Amazon ECS's (`executionId`, \
     `lifecycleStage`) nor the event of a stopped task"
)]
pub struct UnknownPayload;

impl Caller {
    /// # Errors
    ///
    /// [`UnknownPayload`], which nobody waits for an answer to.
    pub fn of(payload: &Value) -> Result<Self, UnknownPayload> {
        let has = |field: &str| payload.get(field).is_some_and(Value::is_string);
        if has("DeploymentId") && has("LifecycleEventHookExecutionId") {
            let execution = serde_json::from_value(payload.clone());
            return execution.map(Self::CodeDeploy).map_err(|_| UnknownPayload);
        }
        if has("executionId") && has("lifecycleStage") {
            return Ok(Self::Ecs(Box::new(LifecycleCall::read(payload))));
        }
        let is_event = payload.get("detail-type") == Some(&Value::from("ECS Task State Change"));
        match payload.get("detail") {
            Some(detail) if is_event => Ok(Self::Stop(detail.clone())),
            _ => Err(UnknownPayload),
        }
    }
}

impl DeployHook {
    /// What this call gets for an answer. `time` is what the invocation has left.
    ///
    /// # Errors
    ///
    /// Only where CodeDeploy could not be told: Lambda then tries again.
    pub async fn answer(&self, caller: Caller, time: Duration) -> Result<Value, HookError> {
        // In boxes: as parts of one future their types would be deeper than compilers go.
        match caller {
            Caller::CodeDeploy(execution) => {
                Ok(Box::pin(self.code_deploy(&execution, time)).await?)
            }
            Caller::Ecs(call) => Ok(Box::pin(self.lifecycle(&call, time)).await),
            Caller::Stop(detail) => Box::pin(self.stopped(&detail)).await,
        }
    }

    fn config(&self) -> Result<&HookConfig, JobError> {
        self.config
            .as_ref()
            .map_err(|error| JobError::Configuration(error.to_string()))
    }
}

/// How a task ended, as far as its hook is concerned.
struct TaskResult {
    succeeded: bool,
    why: String,
    /// The task goes on without the container that it was run for.
    runs_on: bool,
}

/// The definition is of use for the answer, and no answer waits for it.
const DEFINITION: Duration = Duration::from_secs(5);

impl DeployHook {
    /// Whether a task did what it was run for; none as long as that is open.
    async fn judge(&self, task: &Task, container: &str) -> Option<TaskResult> {
        let seen = TaskEnd::of(task, container);
        if !task.has_stopped() && !seen.may_be_left_alone() {
            return None;
        }
        let mut task = task.clone();
        self.mark_essential(&mut task).await;
        forget_own_stop(&mut task, container);
        let end = TaskEnd::of(&task, container);
        let advice = end.advice().map(|advice| format!("; {advice}"));
        end.is_over().then(|| TaskResult {
            succeeded: end.status() == 0,
            why: format!("{}{}", end.in_words(), advice.unwrap_or_default()),
            runs_on: !task.has_stopped(),
        })
    }

    /// Without its definition a task is judged by what it shows itself: more is Failed then.
    async fn mark_essential(&self, task: &mut Task) {
        if task.facts.containers.len() < 2 && task.has_stopped() {
            return;
        }
        let Some(definition) = task.definition.clone() else {
            return;
        };
        if let Some(definition) = self.definition(&definition).await {
            mark_essential(task, &definition);
        }
    }

    async fn definition(&self, name: &str) -> Option<TaskDefinition> {
        match timeout(DEFINITION, definition::describe(&self.ecs, name)).await {
            Ok(Ok(definition)) => return Some(definition),
            Ok(Err(error)) => {
                tracing::warn!(%error, "which containers are essential is not known");
            }
            Err(_) => tracing::warn!("which containers are essential is not known: no answer"),
        }
        None
    }

    /// A task was run for one container. What goes on without it would go on for good.
    async fn stop_rest(&self, cluster: &str, task: &str, container: &str) {
        let reason = reason_of_rest(container);
        match timeout(DEFINITION, task::stop(&self.ecs, cluster, task, &reason)).await {
            Ok(Ok(())) => tracing::info!(task, "stopped, because `{container}` has ended"),
            Ok(Err(error)) => tracing::warn!(task, %error, "the task runs on"),
            Err(_) => tracing::warn!(task, "the task runs on: StopTask was not answered"),
        }
    }
}

fn reason_of_rest(container: &str) -> String {
    format!("{PROGRAM}: `{container}` has ended")
}

/// A call that comes again, because its answer was lost, sees the stop that the first one wanted: the container had ended
/// before it.
fn forget_own_stop(task: &mut Task, container: &str) {
    if task.facts.stopped_reason.as_deref() != Some(&reason_of_rest(container)) {
        return;
    }
    task.facts.stop_code = None;
    for other in &mut task.facts.containers {
        if other.name.as_deref() != Some(container) {
            other.essential = Some(false);
        }
    }
}
