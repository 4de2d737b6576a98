//! A lifecycle hook of deployments: it runs a task, and the deployment continues only if the task ends with exit code
//! 0.
//!
//! ```text
//! payload ─ Caller ─┬ CodeDeploy: Job ▶ task ─ the call waits, or the stop event reports ▶ Succeeded | Failed
//!                   └ Amazon ECS: Job ▶ task ─ ECS calls every 30 seconds ▶ IN_PROGRESS … SUCCEEDED | FAILED
//! ```
//!
//! After any error the deployment gets the answer Failed, so that it does not wait for an answer that never comes.

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

/// The beginning of `startedBy` of the tasks that this function starts.
pub const PROGRAM: &str = "deploy-hook";

/// The function with its clients and its configuration, or the errors of the configuration.
#[derive(Debug)]
pub struct DeployHook {
    pub config: Result<HookConfig, ConfigError>,
    pub ecs: aws_sdk_ecs::Client,
    pub code_deploy: service::Client,
    /// The function's own name, by which it recognizes the tasks that it started.
    pub function: String,
}

/// The service that calls the function. The payload shows which one.
#[derive(Debug)]
pub enum Caller {
    CodeDeploy(Execution),
    Ecs(Box<LifecycleCall>),
    /// EventBridge, with the `detail` of the event of a stopped task.
    TaskStopped(Value),
}

/// Why a deployment did not get the result of its hook.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    #[error(transparent)]
    CallbackFailed(#[from] code_deploy::CallbackFailed),
    #[error(transparent)]
    NotReported(#[from] code_deploy::NotReported),
}

#[derive(Debug, thiserror::Error)]
#[error(
    "expected a call of CodeDeploy (`DeploymentId`, `LifecycleEventHookExecutionId`), a call of Amazon ECS (`executionId`, \
     `lifecycleStage`) or the event of a stopped task"
)]
pub struct UnknownPayload;

impl Caller {
    /// # Errors
    ///
    /// [`UnknownPayload`]. No deployment waits for the answer to such a payload.
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
            Some(detail) if is_event => Ok(Self::TaskStopped(detail.clone())),
            _ => Err(UnknownPayload),
        }
    }
}

impl DeployHook {
    /// The answer to this call. `time` is the time that the invocation has left.
    ///
    /// # Errors
    ///
    /// Only if the result could not be reported to CodeDeploy. Lambda then tries again.
    pub async fn answer(&self, caller: Caller, time: Duration) -> Result<Value, HookError> {
        // Boxed, because the type of one combined future would be too deep for the compiler.
        match caller {
            Caller::CodeDeploy(execution) => {
                Ok(Box::pin(self.code_deploy(&execution, time)).await?)
            }
            Caller::Ecs(call) => Ok(Box::pin(self.lifecycle(&call, time)).await),
            Caller::TaskStopped(detail) => Box::pin(self.stopped(&detail)).await,
        }
    }

    fn config(&self) -> Result<&HookConfig, JobError> {
        self.config
            .as_ref()
            .map_err(|error| JobError::Configuration(error.to_string()))
    }
}

/// The result of a task for its hook.
struct TaskResult {
    succeeded: bool,
    why: String,
    /// The container of the hook has ended, but the task is still running.
    is_still_running: bool,
}

/// Time limit for calls that improve the answer but are not necessary for it.
const OPTIONAL_CALL: Duration = Duration::from_secs(5);

impl DeployHook {
    /// The result of a task, or `None` while the container of the hook is running.
    async fn result_of(&self, task: &Task, container: &str) -> Option<TaskResult> {
        if !task.has_stopped() && !TaskEnd::of(task, container).task_may_continue() {
            return None;
        }
        let mut task = task.clone();
        self.mark_essential(&mut task).await;
        ignore_own_stop(&mut task, container);
        let end = TaskEnd::of(&task, container);
        let advice = end.advice().map(|advice| format!("; {advice}"));
        end.is_over().then(|| TaskResult {
            succeeded: end.status() == 0,
            why: format!("{}{}", end.in_words(), advice.unwrap_or_default()),
            is_still_running: !task.has_stopped(),
        })
    }

    /// Marks the essential containers. If the definition cannot be read, more tasks count as failed.
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
        match timeout(OPTIONAL_CALL, definition::describe(&self.ecs, name)).await {
            Ok(Ok(definition)) => return Some(definition),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the task definition could not be read, so it is not known which containers are essential");
            }
            Err(_) => tracing::warn!(
                "DescribeTaskDefinition was not answered in time, so it is not known which containers are essential"
            ),
        }
        None
    }

    /// Stops a task whose chosen container has ended. Without this, the task would run for ever.
    async fn stop_rest(&self, cluster: &str, task: &str, container: &str) {
        let reason = stop_reason(container);
        match timeout(OPTIONAL_CALL, task::stop(&self.ecs, cluster, task, &reason)).await {
            Ok(Ok(())) => tracing::info!(
                task,
                "the task was stopped, because `{container}` has ended"
            ),
            Ok(Err(error)) => tracing::warn!(task, %error, "the task is still running"),
            Err(_) => tracing::warn!(
                task,
                "the task may still be running: StopTask was not answered in time"
            ),
        }
    }
}

fn stop_reason(container: &str) -> String {
    format!("{PROGRAM}: `{container}` has ended")
}

/// Ignores a stop that this function caused. A repeated call, after a lost answer, sees the stop of the first call, but
/// the container had ended before that.
fn ignore_own_stop(task: &mut Task, container: &str) {
    if task.facts.stopped_reason.as_deref() != Some(&stop_reason(container)) {
        return;
    }
    task.facts.stop_code = None;
    for other in &mut task.facts.containers {
        if other.name.as_deref() != Some(container) {
            other.essential = Some(false);
        }
    }
}
