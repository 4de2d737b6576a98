//! A deployment's lifecycle hook: runs a task, and lets the deployment go on only when it ended with exit 0.
//!
//! ```text
//! payload ─ Caller ─┬ CodeDeploy: job ▶ task ─ waited for, or its event ▶ Succeeded | Failed
//!                   └ Amazon ECS: job ▶ task ─ asked again and again ▶ IN_PROGRESS … SUCCEEDED | FAILED
//! ```
//!
//! Whatever goes wrong, the deployment hears Failed; it is never left waiting.

pub mod code_deploy;
pub mod job;
pub mod lifecycle;

use std::time::Duration;

use serde_json::Value;

use crate::aws::Task;
use crate::config::{ConfigError, Hook};
use code_deploy::Execution;
use job::JobError;
use lifecycle::Lifecycle;

/// What `startedBy` of this function's tasks begins with.
pub const PROGRAM: &str = "deploy-hook";

/// The function with its configuration, or what is wrong with that, and whom it asks.
#[derive(Debug)]
pub struct DeployHook {
    pub config: Result<Hook, ConfigError>,
    pub ecs: aws_sdk_ecs::Client,
    pub code_deploy: aws_sdk_codedeploy::Client,
}

/// Who calls, told by the payload.
#[derive(Debug)]
pub enum Caller {
    CodeDeploy(Execution),
    Ecs(Box<Lifecycle>),
    /// The event of a stopped task, with its detail.
    Stop(Value),
}

#[derive(Debug, thiserror::Error)]
#[error(
    "neither CodeDeploy's call (`DeploymentId`, `LifecycleEventHookExecutionId`) nor Amazon ECS's (`executionId`, \
     `lifecycleStage`) nor the event of a stopped task"
)]
pub struct NobodysCall;

impl Caller {
    /// # Errors
    ///
    /// [`NobodysCall`], which nobody waits for an answer to.
    pub fn of(payload: &Value) -> Result<Self, NobodysCall> {
        let has = |field: &str| payload.get(field).is_some_and(Value::is_string);
        if has("DeploymentId") && has("LifecycleEventHookExecutionId") {
            let execution = serde_json::from_value(payload.clone());
            return execution.map(Self::CodeDeploy).map_err(|_| NobodysCall);
        }
        if has("executionId") && has("lifecycleStage") {
            return Ok(Self::Ecs(Box::new(Lifecycle::read(payload))));
        }
        let is_event = payload.get("detail-type") == Some(&Value::from("ECS Task State Change"));
        match payload.get("detail") {
            Some(detail) if is_event => Ok(Self::Stop(detail.clone())),
            _ => Err(NobodysCall),
        }
    }
}

impl DeployHook {
    /// What this call gets for an answer. `time` is what the invocation has left.
    ///
    /// # Errors
    ///
    /// Only where CodeDeploy could not be told: Lambda then tries again.
    pub async fn answer(
        &self,
        caller: Caller,
        time: Duration,
    ) -> Result<Value, code_deploy::NotTold> {
        // In boxes: as parts of one future their types would be deeper than compilers go.
        match caller {
            Caller::CodeDeploy(execution) => Box::pin(self.code_deploy(&execution, time)).await,
            Caller::Ecs(call) => Ok(Box::pin(self.lifecycle(&call, time)).await),
            Caller::Stop(detail) => Box::pin(self.stopped(&detail)).await,
        }
    }

    fn config(&self) -> Result<&Hook, JobError> {
        self.config
            .as_ref()
            .map_err(|error| JobError::Configuration(error.to_string()))
    }
}

/// Whether a stopped task did what it was run for, and what to say of it.
fn judge(task: &Task, container: &str) -> (bool, String) {
    let outcome = crate::run::outcome::RunOutcome {
        tasks: vec![task.clone()],
        failures: Vec::new(),
        container: container.to_owned(),
    };
    let words = outcome.ends().next().map(|end| {
        let advice = end.advice().map(|advice| format!("; {advice}"));
        format!("{}{}", end.in_words(), advice.unwrap_or_default())
    });
    (outcome.status() == 0, words.unwrap_or_default())
}
