//! Hooks of CodeDeploy. CodeDeploy waits for PutLifecycleEventHookExecutionStatus, for one hour at most.
//!
//! <https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html>

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures::FutureExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use super::config::Wait;
use super::job::{Job, JobError};
use super::{DeployHook, HookError, PROGRAM};
use crate::aws::CallError;
use crate::aws::Task;
use crate::ecs::notice::Container;
use crate::runner::task;
use crate::runner::token;
use crate::runner::wait::TaskWaiter;

/// One execution of one hook. Its result is reported to CodeDeploy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Execution {
    pub deployment_id: String,
    pub lifecycle_event_hook_execution_id: String,
}

/// The result could not be reported to CodeDeploy, which then waits until its hour is over.
#[derive(Debug, thiserror::Error)]
#[error("`{status}` could not be reported for deployment {deployment}: {error}")]
pub struct CallbackFailed {
    deployment: String,
    status: &'static str,
    error: CallError,
}

/// A task of this function has stopped, but its variables do not name the deployment.
#[derive(Debug, thiserror::Error)]
#[error("{task} has stopped, but its result cannot be reported to a deployment: {why}")]
pub struct NotReported {
    task: String,
    why: &'static str,
}

/// The result of a hook, with its reason.
struct HookResult {
    succeeded: bool,
    why: String,
}

/// Time that is reserved for stopping the task and for the report.
const RESERVE: Duration = Duration::from_secs(15);

/// The ids are variables of the task, so that the event of its stop is enough for the report.
const DEPLOYMENT_ID: &str = "ECS_PARROT_DEPLOYMENT_ID";
const EXECUTION_ID: &str = "ECS_PARROT_HOOK_EXECUTION_ID";
/// The function that started the task. The event rule also matches tasks of other functions, for example of another
/// stage.
const FUNCTION: &str = "ECS_PARROT_HOOK_FUNCTION";

impl DeployHook {
    pub(super) async fn code_deploy(
        &self,
        execution: &Execution,
        time: Duration,
    ) -> Result<Value, CallbackFailed> {
        let deadline = Instant::now() + time.saturating_sub(RESERVE);
        let ran = AssertUnwindSafe(self.run(execution, deadline))
            .catch_unwind()
            .await;
        let result = match ran {
            Ok(Ok(None)) => {
                let id = &execution.deployment_id;
                tracing::info!(deployment = %id, decision = "started", "the event of its stop will report the result");
                return Ok(json!({"status": "Started"}));
            }
            Ok(Ok(Some(result))) => result,
            Ok(Err(error)) => HookResult {
                succeeded: false,
                why: self.with_names(error.with_advice()),
            },
            Err(_) => HookResult {
                succeeded: false,
                why: "this function panicked".to_owned(),
            },
        };
        self.report(execution, &result).await
    }

    /// Adds the configured names, because errors of AWS often do not contain them.
    fn with_names(&self, message: String) -> String {
        let config = self.config.as_ref().ok();
        let names = config.and_then(|it| it.task_definition.as_ref().zip(it.cluster.as_ref()));
        match names {
            Some((definition, cluster)) => {
                format!("{message} (TASK_DEFINITION `{definition}`, CLUSTER_NAME `{cluster}`)")
            }
            None => message,
        }
    }

    /// Runs the task. `None` if the event of its stop will report the result.
    async fn run(
        &self,
        execution: &Execution,
        deadline: Instant,
    ) -> Result<Option<HookResult>, JobError> {
        let config = self.config()?;
        let mut job = Job::configured(config)?;
        // With WAIT=started this call reports the result.
        let by_events = config.by_events && config.wait == Wait::Stopped;
        if by_events {
            self.check_essential(&job).await?;
            job.variables = vec![
                (DEPLOYMENT_ID, execution.deployment_id.clone()),
                (
                    EXECUTION_ID,
                    execution.lifecycle_event_hook_execution_id.clone(),
                ),
                (FUNCTION, self.function.clone()),
            ];
        }
        let task = self.start_before(&job, execution, deadline).await?;
        let result = match config.wait {
            Wait::Started => Some(HookResult {
                succeeded: true,
                why: format!("{task} was started"),
            }),
            Wait::Stopped if by_events => None,
            Wait::Stopped => Some(self.wait_for(&job, task, deadline).await),
        };
        Ok(result)
    }

    /// If the container is not essential, the task continues after its end, and no event of a stop arrives.
    async fn check_essential(&self, job: &Job) -> Result<(), JobError> {
        let definition = self.definition(&job.task_definition).await;
        match definition.and_then(|it| it.is_essential(&job.container)) {
            Some(false) => Err(JobError::Incomplete(format!(
                "`{}` is not essential in {}, so the task would continue after its end, but HOOK_EVENTS=true only sees the stop \
                 of the task; set `essential` to true for it",
                job.container, job.task_definition
            ))),
            // If the definition cannot be read, RunTask will report the error.
            Some(true) | None => Ok(()),
        }
    }

    /// Tries until the deadline, as long as the error may go away. The calls have the same token, so that they start
    /// one task.
    async fn start_before(
        &self,
        job: &Job,
        execution: &Execution,
        deadline: Instant,
    ) -> Result<String, JobError> {
        let caller = &execution.lifecycle_event_hook_execution_id;
        let mut pauses = pauses();
        let mut number = 0;
        loop {
            let started = timeout_at(deadline, job.start(&self.ecs, caller, "", number)).await;
            let error = match started {
                Ok(Err(error)) if error.is_retryable() => error,
                Ok(started) => return started,
                Err(_) => {
                    return Err(JobError::Incomplete(format!(
                        "RunTask was not answered in time; if it started a task, that task has startedBy `{}`",
                        token::started_by(PROGRAM, caller)
                    )));
                }
            };
            // After an answer that contained only failures, the next call needs a new token.
            number += u32::from(error.is_not_placed());
            match pauses.next() {
                Some(pause) if Instant::now() + pause < deadline => sleep(pause).await,
                _ => return Err(error),
            }
        }
    }

    async fn wait_for(&self, job: &Job, task: String, deadline: Instant) -> HookResult {
        let mut waiter = TaskWaiter::new(self.ecs.clone(), job.cluster.clone(), vec![task.clone()]);
        let waited = timeout_at(deadline, async {
            loop {
                sleep(waiter.pause()).await;
                waiter.poll().await?;
                let Some(task) = waiter.seen().next() else {
                    continue;
                };
                if let Some(result) = self.result_of(task, &job.container).await {
                    return Ok::<_, crate::runner::wait::WaitError>(result);
                }
            }
        });
        let problem = match waited.await {
            Ok(Ok(result)) => {
                if result.is_still_running {
                    self.stop_rest(&job.cluster, &task, &job.container).await;
                }
                return HookResult {
                    succeeded: result.succeeded,
                    why: result.why,
                };
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                "the function's time is over (for longer tasks, set HOOK_EVENTS=true)".to_owned()
            }
        };
        let reason = format!("{PROGRAM}: {problem}");
        let stopped = task::stop(&self.ecs, &job.cluster, &task, &reason).await;
        let not_stopped = stopped
            .err()
            .map(|error| format!("; {task} is still running: {error}"));
        HookResult {
            succeeded: false,
            why: format!("{problem}{}", not_stopped.unwrap_or_default()),
        }
    }

    /// Reports the result of a task that this function started. Other tasks are ignored, and also a task that a call
    /// still waits for. The configuration may have changed since the start, so only the variables of the task are used.
    pub(super) async fn stopped(&self, detail: &Value) -> Result<Value, HookError> {
        let task = match hook_task(detail, &self.function) {
            StoppedTask::Ignored(why) => {
                tracing::info!(decision = "ignored", task = %detail["taskArn"], "{why}");
                return Ok(json!({"status": "Ignored"}));
            }
            StoppedTask::Unclear(why) => {
                let task = detail["taskArn"].as_str().unwrap_or_default().to_owned();
                return Err(NotReported { task, why }.into());
            }
            StoppedTask::OfHook(task) => task,
        };
        let result = self.result_of(&task_of(detail), &task.container).await;
        let result = match result {
            Some(result) => HookResult {
                succeeded: result.succeeded,
                why: result.why,
            },
            None => HookResult {
                succeeded: false,
                why: "the event of the stop does not show how the task ended".to_owned(),
            },
        };
        Ok(self.report(&task.execution, &result).await?)
    }

    async fn report(
        &self,
        execution: &Execution,
        result: &HookResult,
    ) -> Result<Value, CallbackFailed> {
        let status = match result.succeeded {
            true => "Succeeded",
            false => "Failed",
        };
        let (deployment, why) = (&execution.deployment_id, &result.why);
        if result.succeeded {
            tracing::info!(%deployment, decision = status, reason = %why);
        } else {
            tracing::error!(%deployment, decision = status, reason = %why);
        }
        for pause in pauses().take(4) {
            match self.put(execution, status).await {
                Err(error) if error.is_retryable() => sleep(pause).await,
                Err(error) => return Err(callback_failed(execution, status, error)),
                Ok(()) => return Ok(json!({"status": status, "reason": why})),
            }
        }
        let last = self.put(execution, status).await;
        last.map_err(|error| callback_failed(execution, status, error))?;
        Ok(json!({"status": status, "reason": why}))
    }

    /// <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_PutLifecycleEventHookExecutionStatus.html>
    async fn put(&self, execution: &Execution, status: &str) -> Result<(), CallError> {
        let input = json!({
            "deploymentId": execution.deployment_id,
            "lifecycleEventHookExecutionId": execution.lifecycle_event_hook_execution_id,
            "status": status,
        });
        let call = "PutLifecycleEventHookExecutionStatus";
        match self.code_deploy.call(call, &input).await {
            // An earlier delivery of the same call has already reported it.
            Err(error) if error.has_code("LifecycleEventAlreadyCompletedException") => Ok(()),
            answer => answer.map(|_| ()),
        }
    }
}

fn callback_failed(
    execution: &Execution,
    status: &'static str,
    error: CallError,
) -> CallbackFailed {
    CallbackFailed {
        deployment: execution.deployment_id.clone(),
        status,
        error,
    }
}

fn pauses() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(20))
        .without_max_times()
        .build()
}

/// What the event of a stopped task means for this function.
enum StoppedTask {
    OfHook(HookTask),
    /// No deployment waits for this event.
    Ignored(&'static str),
    /// A deployment may wait for this event.
    Unclear(&'static str),
}

/// A task whose `startedBy` belongs to the execution in its variables. Anyone who may run tasks can set both, but needs
/// an id that CodeDeploy creates for each execution.
struct HookTask {
    execution: Execution,
    /// The container that has the variables.
    container: String,
}

/// `function` is the name of this function. A task of an earlier version does not carry the name of its function.
fn hook_task(detail: &Value, function: &str) -> StoppedTask {
    let started_by = detail["startedBy"].as_str().unwrap_or_default();
    if !started_by.starts_with(&format!("{PROGRAM}/")) {
        return StoppedTask::Ignored("not a task of this function");
    }
    if detail["lastStatus"] != "STOPPED" {
        return StoppedTask::Ignored("the task has not stopped");
    }
    let Some(containers) = detail["overrides"]["containerOverrides"].as_array() else {
        return StoppedTask::Unclear("the event contains no overrides");
    };
    let value = |container: &Value, name: &str| {
        let mut variables = container["environment"].as_array()?.iter();
        let variable = variables.find(|it| it["name"] == name)?;
        variable["value"].as_str().map(str::to_owned)
    };
    let mut found = containers.iter().filter_map(|it| {
        let ids = (value(it, DEPLOYMENT_ID), value(it, EXECUTION_ID));
        (ids != (None, None)).then_some((it, ids))
    });
    let Some((container, ids)) = found.next() else {
        return StoppedTask::Ignored("the call that started the task waits for it");
    };
    if value(container, FUNCTION).is_some_and(|it| it != function) {
        return StoppedTask::Ignored("another function started the task");
    }
    let (Some(deployment_id), Some(execution_id)) = ids else {
        return StoppedTask::Unclear("one of the two ids is missing");
    };
    let container = container["name"].as_str().unwrap_or_default().to_owned();
    if started_by != token::started_by(PROGRAM, &execution_id) {
        return StoppedTask::Unclear("its startedBy belongs to another execution");
    }
    StoppedTask::OfHook(HookTask {
        execution: Execution {
            deployment_id,
            lifecycle_event_hook_execution_id: execution_id,
        },
        container,
    })
}

/// The task of an event. The fields are the same as in DescribeTasks.
fn task_of(detail: &Value) -> Task {
    let text = |value: &Value| {
        value
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let containers = detail["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| Container {
            name: text(&it["name"]),
            image: text(&it["image"]),
            last_status: text(&it["lastStatus"]),
            exit_code: it["exitCode"].as_i64(),
            reason: text(&it["reason"]),
            ..Container::default()
        });
    let time = |field: &str| text(&detail[field]).map(crate::ecs::event::Time::read);
    Task {
        arn: text(&detail["taskArn"]).unwrap_or_default(),
        cluster: text(&detail["clusterArn"]),
        definition: text(&detail["taskDefinitionArn"]),
        created_at: time("createdAt"),
        subject: crate::ecs::notice::Subject::default(),
        facts: crate::ecs::notice::TaskFacts {
            last_status: text(&detail["lastStatus"]),
            stop_code: text(&detail["stopCode"]),
            stopped_reason: text(&detail["stoppedReason"]),
            started_by: text(&detail["startedBy"]),
            started_at: time("startedAt"),
            stopped_at: time("stoppedAt"),
            containers: containers.collect(),
            ..crate::ecs::notice::TaskFacts::default()
        },
    }
}
