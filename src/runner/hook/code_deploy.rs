//! CodeDeploy's hooks: it waits for PutLifecycleEventHookExecutionStatus, for an hour at most.
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
use crate::runner::token::mark;
use crate::runner::wait::TaskWaiter;

/// One execution of one hook: what a report is about.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Execution {
    pub deployment_id: String,
    pub lifecycle_event_hook_execution_id: String,
}

/// CodeDeploy could not be told how it ended; its own hour ends the wait.
#[derive(Debug, thiserror::Error)]
#[error("deployment {deployment} could not be told `{status}`: {error}")]
pub struct CallbackFailed {
    deployment: String,
    status: &'static str,
    error: CallError,
}

/// A task of ours has stopped, and what travelled with it does not say what for.
#[derive(Debug, thiserror::Error)]
#[error("{task} has stopped, and no deployment can be told: {why}")]
pub struct NotReported {
    task: String,
    why: &'static str,
}

/// How it ended, with why.
struct HookResult {
    succeeded: bool,
    why: String,
}

/// What is kept for stopping the task and for the report.
const RESERVE: Duration = Duration::from_secs(15);

/// The ids travel with the task, so that the event of its stop can report without a store.
const DEPLOYMENT_ID: &str = "ECS_PARROT_DEPLOYMENT_ID";
const EXECUTION_ID: &str = "ECS_PARROT_HOOK_EXECUTION_ID";
/// The rule brings the stops of every such function's tasks, another stage's too.
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
        let end = match ran {
            Ok(Ok(None)) => {
                let id = &execution.deployment_id;
                tracing::info!(deployment = %id, decision = "started", "the event of its stop reports");
                return Ok(json!({"status": "Started"}));
            }
            Ok(Ok(Some(end))) => end,
            Ok(Err(error)) => HookResult {
                succeeded: false,
                why: self.with_names(error.in_words()),
            },
            Err(_) => HookResult {
                succeeded: false,
                why: "this function panicked".to_owned(),
            },
        };
        self.report(execution, &end).await
    }

    /// AWS's words do not always name what was asked for.
    fn with_names(&self, words: String) -> String {
        let config = self.config.as_ref().ok();
        let names = config.and_then(|it| it.task_definition.as_ref().zip(it.cluster.as_ref()));
        match names {
            Some((definition, cluster)) => {
                format!("{words} (TASK_DEFINITION `{definition}`, CLUSTER_NAME `{cluster}`)")
            }
            None => words,
        }
    }

    /// Runs the task; none where the event of its stop will report.
    async fn run(
        &self,
        execution: &Execution,
        deadline: Instant,
    ) -> Result<Option<HookResult>, JobError> {
        let config = self.config()?;
        let mut job = Job::configured(config)?;
        // With WAIT=started the call itself reports.
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
        let end = match config.wait {
            Wait::Started => Some(HookResult {
                succeeded: true,
                why: format!("{task} was started"),
            }),
            Wait::Stopped if by_events => None,
            Wait::Stopped => Some(self.wait(&job, task, deadline).await),
        };
        Ok(end)
    }

    /// The event of a stop never comes where the task goes on without its container.
    async fn check_essential(&self, job: &Job) -> Result<(), JobError> {
        let definition = self.definition(&job.task_definition).await;
        match definition.and_then(|it| it.is_essential(&job.container)) {
            Some(false) => Err(JobError::Incomplete(format!(
                "`{}` is not essential in {}, so that the task would run on after it, and HOOK_EVENTS minimum of the task's \
                 stop alone; set `essential` to true for it",
                job.container, job.task_definition
            ))),
            // Where it is not known, RunTask says what is wrong.
            Some(true) | None => Ok(()),
        }
    }

    /// Tries for as long as it may pass and there is time; one token, so that it is one task.
    async fn start_before(
        &self,
        job: &Job,
        execution: &Execution,
        deadline: Instant,
    ) -> Result<String, JobError> {
        let caller = &execution.lifecycle_event_hook_execution_id;
        let mut pauses = pauses();
        let mut turn = 0;
        loop {
            let started = timeout_at(deadline, job.start(&self.ecs, caller, "", turn)).await;
            let error = match started {
                Ok(Err(error)) if error.is_retryable() => error,
                Ok(started) => return started,
                Err(_) => {
                    return Err(JobError::Incomplete(format!(
                        "RunTask was not answered in time; a task that it started has startedBy `{}`",
                        mark(PROGRAM, caller)
                    )));
                }
            };
            // A token whose answer held nothing but failures has been answered.
            turn += u32::from(error.is_not_placed());
            match pauses.next() {
                Some(pause) if Instant::now() + pause < deadline => sleep(pause).await,
                _ => return Err(error),
            }
        }
    }

    async fn wait(&self, job: &Job, task: String, deadline: Instant) -> HookResult {
        let mut waiter = TaskWaiter::new(self.ecs.clone(), job.cluster.clone(), vec![task.clone()]);
        let waited = timeout_at(deadline, async {
            loop {
                sleep(waiter.pause()).await;
                waiter.poll().await?;
                let Some(seen) = waiter.seen().next() else {
                    continue;
                };
                if let Some(judged) = self.judge(seen, &job.container).await {
                    return Ok::<_, crate::runner::wait::WaitError>(judged);
                }
            }
        });
        let problem = match waited.await {
            Ok(Ok(judged)) => {
                if judged.runs_on {
                    self.stop_rest(&job.cluster, &task, &job.container).await;
                }
                return HookResult {
                    succeeded: judged.succeeded,
                    why: judged.why,
                };
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the function's time is over (HOOK_EVENTS=true has longer tasks reported)"
                .to_owned(),
        };
        let reason = format!("{PROGRAM}: {problem}");
        let stopped = task::stop(&self.ecs, &job.cluster, &task, &reason).await;
        let left = stopped
            .err()
            .map(|error| format!("; {task} runs on: {error}"));
        HookResult {
            succeeded: false,
            why: format!("{problem}{}", left.unwrap_or_default()),
        }
    }

    /// Reports for a task of ours that has stopped; says nothing of anybody else's, nor of one that a call waits for.
    /// The configuration may be another by now than when it was started: all that is needed travelled with the task.
    pub(super) async fn stopped(&self, detail: &Value) -> Result<Value, HookError> {
        let ours = match travelled(detail, &self.function) {
            Travelled::Nothing(why) => {
                tracing::info!(decision = "ignored", task = %detail["taskArn"], "{why}");
                return Ok(json!({"status": "Ignored"}));
            }
            Travelled::Unclear(why) => {
                let task = detail["taskArn"].as_str().unwrap_or_default().to_owned();
                return Err(NotReported { task, why }.into());
            }
            Travelled::Ours(ours) => ours,
        };
        let judged = self.judge(&task_of(detail), &ours.container).await;
        let end = match judged {
            Some(judged) => HookResult {
                succeeded: judged.succeeded,
                why: judged.why,
            },
            None => HookResult {
                succeeded: false,
                why: "the event of its stop does not say how the task ended".to_owned(),
            },
        };
        Ok(self.report(&ours.execution, &end).await?)
    }

    async fn report(
        &self,
        execution: &Execution,
        end: &HookResult,
    ) -> Result<Value, CallbackFailed> {
        let word = if end.succeeded { "Succeeded" } else { "Failed" };
        let (deployment, why) = (&execution.deployment_id, &end.why);
        if end.succeeded {
            tracing::info!(%deployment, decision = word, reason = %why);
        } else {
            tracing::error!(%deployment, decision = word, reason = %why);
        }
        for pause in pauses().take(4) {
            match self.put(execution, word).await {
                Err(error) if error.is_retryable() => sleep(pause).await,
                Err(error) => return Err(not_told(execution, word, error)),
                Ok(()) => return Ok(json!({"status": word, "reason": why})),
            }
        }
        let told = self.put(execution, word).await;
        told.map_err(|error| not_told(execution, word, error))?;
        Ok(json!({"status": word, "reason": why}))
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
            // Told before, by a call that was delivered twice.
            Err(error) if error.has_code("LifecycleEventAlreadyCompletedException") => Ok(()),
            told => told.map(|_| ()),
        }
    }
}

fn not_told(execution: &Execution, status: &'static str, error: CallError) -> CallbackFailed {
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

/// What a stopped task says of itself.
enum Travelled {
    Ours(Ours),
    /// Nobody waits for this event.
    Nothing(&'static str),
    /// Somebody may wait for it.
    Unclear(&'static str),
}

/// A task whose `startedBy` is the one of the execution in its variables. Whoever may run tasks can write both, and needs an
/// id for it that CodeDeploy makes up anew for each execution.
struct Ours {
    execution: Execution,
    /// The one that has the variables.
    container: String,
}

/// `function` is this one's name; a task of an earlier version's does not say whose it is.
fn travelled(detail: &Value, function: &str) -> Travelled {
    let started_by = detail["startedBy"].as_str().unwrap_or_default();
    if !started_by.starts_with(&format!("{PROGRAM}/")) {
        return Travelled::Nothing("no task of this function's");
    }
    if detail["lastStatus"] != "STOPPED" {
        return Travelled::Nothing("the task has not stopped");
    }
    let Some(containers) = detail["overrides"]["containerOverrides"].as_array() else {
        return Travelled::Unclear("the event shows no overrides");
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
        return Travelled::Nothing("the call that started the task waits for it");
    };
    if value(container, FUNCTION).is_some_and(|it| it != function) {
        return Travelled::Nothing("another function started the task");
    }
    let (Some(deployment_id), Some(execution_id)) = ids else {
        return Travelled::Unclear("only one of its two ids is there");
    };
    let container = container["name"].as_str().unwrap_or_default().to_owned();
    if started_by != mark(PROGRAM, &execution_id) {
        return Travelled::Unclear("its startedBy is of another execution");
    }
    Travelled::Ours(Ours {
        execution: Execution {
            deployment_id,
            lifecycle_event_hook_execution_id: execution_id,
        },
        container,
    })
}

/// The task of an event, which shows it as DescribeTasks does.
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
