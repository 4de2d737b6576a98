//! CodeDeploy's hooks: it waits for PutLifecycleEventHookExecutionStatus, for an hour at most.
//!
//! <https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html>

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aws_sdk_codedeploy::types::LifecycleEventStatus;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures::FutureExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use super::job::{Job, JobError};
use super::{DeployHook, PROGRAM, judge};
use crate::arn;
use crate::aws::CallError;
use crate::aws::Task;
use crate::config::Wait;
use crate::notice::Container;
use crate::run::task;
use crate::run::token::mark;
use crate::run::wait::Watch;

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
pub struct NotTold {
    deployment: String,
    status: &'static str,
    error: CallError,
}

/// How it ended, with why.
struct End {
    succeeded: bool,
    why: String,
}

/// What is kept for stopping the task and for the report.
const RESERVE: Duration = Duration::from_secs(15);

/// The ids travel with the task, so that the event of its stop can report without a store.
const DEPLOYMENT_ID: &str = "ECS_PARROT_DEPLOYMENT_ID";
const EXECUTION_ID: &str = "ECS_PARROT_HOOK_EXECUTION_ID";

impl DeployHook {
    pub(super) async fn code_deploy(
        &self,
        execution: &Execution,
        time: Duration,
    ) -> Result<Value, NotTold> {
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
            Ok(Err(error)) => End {
                succeeded: false,
                why: error.in_words(),
            },
            Err(_) => End {
                succeeded: false,
                why: "this function panicked".to_owned(),
            },
        };
        self.report(execution, &end).await
    }

    /// Runs the task; none where the event of its stop will report.
    async fn run(&self, execution: &Execution, deadline: Instant) -> Result<Option<End>, JobError> {
        let config = self.config()?;
        let mut job = Job::configured(config)?;
        if config.by_events {
            job.variables = vec![
                (DEPLOYMENT_ID, execution.deployment_id.clone()),
                (
                    EXECUTION_ID,
                    execution.lifecycle_event_hook_execution_id.clone(),
                ),
            ];
        }
        let task = self.start_before(&job, execution, deadline).await?;
        let end = match config.wait {
            Wait::Started => Some(End {
                succeeded: true,
                why: format!("{task} was started"),
            }),
            Wait::Stopped if config.by_events => None,
            Wait::Stopped => Some(self.wait(&job, task, deadline).await),
        };
        Ok(end)
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
            let error = match job.start(&self.ecs, caller, "", turn).await {
                Err(error) if error.may_pass() => error,
                started => return started,
            };
            // A token whose answer held nothing but failures has been answered.
            turn += u32::from(matches!(
                error,
                JobError::Start(task::StartError::NotPlaced(_))
            ));
            match pauses.next() {
                Some(pause) if Instant::now() + pause < deadline => sleep(pause).await,
                _ => return Err(error),
            }
        }
    }

    async fn wait(&self, job: &Job, task: String, deadline: Instant) -> End {
        let mut watch = Watch::new(self.ecs.clone(), job.cluster.clone(), vec![task.clone()]);
        let waited = timeout_at(deadline, async {
            while !watch.have_stopped() {
                sleep(watch.pause()).await;
                watch.look().await?;
            }
            Ok::<_, crate::run::wait::WaitError>(())
        });
        let problem = match waited.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(
                "the function's time is over (HOOK_EVENTS=true has longer tasks reported)"
                    .to_owned(),
            ),
        };
        match (problem, watch.seen().next()) {
            (None, Some(stopped)) => {
                let (succeeded, why) = judge(stopped, &job.container);
                End { succeeded, why }
            }
            (problem, _) => {
                let problem = problem.unwrap_or_default();
                let stopped = task::stop(
                    &self.ecs,
                    &job.cluster,
                    &task,
                    &format!("{PROGRAM}: {problem}"),
                )
                .await;
                let left = stopped
                    .err()
                    .map(|error| format!("; {task} runs on: {error}"));
                End {
                    succeeded: false,
                    why: format!("{problem}{}", left.unwrap_or_default()),
                }
            }
        }
    }

    /// Reports for a task of ours that has stopped; says nothing of anybody else's.
    pub(super) async fn stopped(&self, detail: &Value) -> Result<Value, NotTold> {
        let Some((execution, task)) = self.ours(detail) else {
            tracing::info!(decision = "ignored", task = %detail["taskArn"], "no task of this function's");
            return Ok(json!({"status": "Ignored"}));
        };
        let container = match self.config() {
            Ok(config) => config.container.clone().unwrap_or_default(),
            Err(_) => String::new(),
        };
        let (succeeded, why) = judge(&task, &container);
        self.report(&execution, &End { succeeded, why }).await
    }

    /// The execution that a task belongs to, if cluster, task definition and startedBy are this function's own:
    /// whoever can run tasks can write anything into their variables.
    fn ours(&self, detail: &Value) -> Option<(Execution, Task)> {
        let config = self.config().ok()?;
        let text = |field: &str| detail[field].as_str();
        let execution = Execution {
            deployment_id: variable(detail, DEPLOYMENT_ID)?,
            lifecycle_event_hook_execution_id: variable(detail, EXECUTION_ID)?,
        };
        let (family, revision) = arn::task_definition(config.task_definition.as_deref()?);
        let (its_family, its_revision) = arn::task_definition(text("taskDefinitionArn")?);
        let same_definition =
            its_family == family && (revision.is_none() || revision == its_revision);
        let same_cluster = arn::name(text("clusterArn")?) == arn::name(config.cluster.as_deref()?);
        let started_by = mark(PROGRAM, &execution.lifecycle_event_hook_execution_id);
        let is_ours = same_cluster
            && same_definition
            && text("startedBy") == Some(&started_by)
            && text("lastStatus") == Some("STOPPED");
        is_ours.then(|| (execution, task_of(detail)))
    }

    async fn report(&self, execution: &Execution, end: &End) -> Result<Value, NotTold> {
        let status = if end.succeeded {
            LifecycleEventStatus::Succeeded
        } else {
            LifecycleEventStatus::Failed
        };
        let word = if end.succeeded { "Succeeded" } else { "Failed" };
        let (deployment, why) = (&execution.deployment_id, &end.why);
        if end.succeeded {
            tracing::info!(%deployment, decision = word, reason = %why);
        } else {
            tracing::error!(%deployment, decision = word, reason = %why);
        }
        for pause in pauses().take(4) {
            match self.put(execution, status.clone()).await {
                Err(error) if error.may_pass() => sleep(pause).await,
                Err(error) => return Err(not_told(execution, word, error)),
                Ok(()) => return Ok(json!({"status": word, "reason": why})),
            }
        }
        let told = self.put(execution, status).await;
        told.map_err(|error| not_told(execution, word, error))?;
        Ok(json!({"status": word, "reason": why}))
    }

    async fn put(
        &self,
        execution: &Execution,
        status: LifecycleEventStatus,
    ) -> Result<(), CallError> {
        let told = self
            .code_deploy
            .put_lifecycle_event_hook_execution_status()
            .deployment_id(&execution.deployment_id)
            .lifecycle_event_hook_execution_id(&execution.lifecycle_event_hook_execution_id)
            .status(status)
            .send()
            .await
            .map_err(|error| CallError::of("PutLifecycleEventHookExecutionStatus", error));
        match told {
            // Told before, by a call that was delivered twice.
            Err(error) if error.has_code("LifecycleEventAlreadyCompletedException") => Ok(()),
            told => told.map(|_| ()),
        }
    }
}

fn not_told(execution: &Execution, status: &'static str, error: CallError) -> NotTold {
    NotTold {
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

fn variable(detail: &Value, name: &str) -> Option<String> {
    let containers = detail["overrides"]["containerOverrides"].as_array()?;
    let mut variables = containers
        .iter()
        .filter_map(|it| it["environment"].as_array())
        .flatten();
    let variable = variables.find(|it| it["name"] == name)?;
    variable["value"].as_str().map(str::to_owned)
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
    let time = |field: &str| text(&detail[field]).map(crate::event::Time::read);
    Task {
        arn: text(&detail["taskArn"]).unwrap_or_default(),
        cluster: text(&detail["clusterArn"]),
        definition: text(&detail["taskDefinitionArn"]),
        created_at: time("createdAt"),
        subject: crate::notice::Subject::default(),
        facts: crate::notice::TaskFacts {
            last_status: text(&detail["lastStatus"]),
            stop_code: text(&detail["stopCode"]),
            stopped_reason: text(&detail["stoppedReason"]),
            started_by: text(&detail["startedBy"]),
            started_at: time("startedAt"),
            stopped_at: time("stoppedAt"),
            containers: containers.collect(),
            ..crate::notice::TaskFacts::default()
        },
    }
}
