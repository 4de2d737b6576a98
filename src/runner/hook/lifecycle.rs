//! Lifecycle hooks of Amazon ECS. ECS calls the function again and again, until the answer is SUCCEEDED or FAILED.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/lambda-lifecycle-hooks.html>

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aws_sdk_ecs::types::ServiceRevision;
use futures::FutureExt as _;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::HookConfig;
use super::job::{Job, JobError, network};
use super::{DeployHook, PROGRAM};
use crate::aws::CallError;
use crate::aws::Task;
use crate::ecs::arn::{self, Arn};

/// The number of seconds after which ECS is to call again.
const CALL_BACK_DELAY: u64 = 30;

/// How many calls in a row may fail: with the delay between them, half an hour.
const MAX_FAILED_CALLS: u32 = 60;

/// Time that is reserved for the answer.
const RESERVE: Duration = Duration::from_secs(2);

/// One call of one hook.
#[derive(Debug, Clone)]
pub struct LifecycleCall {
    execution_id: String,
    stage: String,
    service_arn: Option<String>,
    revision_arn: Option<String>,
    /// The traffic weights of the target revision at this stage, if the call has weights.
    test_weight: Option<f64>,
    production_weight: Option<f64>,
    /// The details from the service's definition, and those of our last answer.
    details: Map<String, Value>,
}

/// The answer to one call.
enum HookAnswer {
    Succeeded(String),
    Failed(String),
    InProgress {
        why: String,
        /// Details that ECS sends back with the next call.
        details: Vec<(&'static str, Value)>,
    },
}

const TASK: &str = "ecsParrotTask";
const CONTAINER: &str = "ecsParrotContainer";
const CLUSTER: &str = "ecsParrotCluster";
/// The number in the client token. It counts the answers that contained only failures.
const TOKEN_NUMBER: &str = "ecsParrotTurn";
/// Counts the calls that failed in a row. A successful call sets it to 0.
const FAILED_CALLS: &str = "ecsParrotTried";

impl LifecycleCall {
    pub(super) fn read(payload: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let execution = &payload["executionDetails"];
        let revision = text(&execution["targetServiceRevisionArn"]);
        let weight = |weights: &str| execution[weights].get(revision.as_deref()?)?.as_f64();
        Self {
            execution_id: text(&payload["executionId"]).unwrap_or_default(),
            stage: text(&payload["lifecycleStage"]).unwrap_or_default(),
            service_arn: text(&execution["serviceArn"]),
            test_weight: weight("testTrafficWeights"),
            production_weight: weight("productionTrafficWeights"),
            revision_arn: revision,
            details: payload["hookDetails"]
                .as_object()
                .cloned()
                .unwrap_or_default(),
        }
    }

    /// A rollback takes the traffic of the stage away from the target, so no task is needed. Before the shift of a
    /// normal deployment the production weight of the target is also 0, so each stage is judged by its own weights.
    fn is_rollback(&self) -> bool {
        match self.stage.as_str() {
            "TEST_TRAFFIC_SHIFT" => self.test_weight == Some(0.0),
            "PRODUCTION_TRAFFIC_SHIFT" => self.production_weight == Some(0.0),
            _ => false,
        }
    }

    fn detail(&self, name: &str) -> Option<&str> {
        self.details
            .get(name)?
            .as_str()
            .filter(|text| !text.is_empty())
    }

    fn number(&self, name: &str) -> u32 {
        let number = self.details.get(name).and_then(Value::as_u64);
        number
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(0)
    }

    fn can_try_again(&self) -> bool {
        self.number(FAILED_CALLS) < MAX_FAILED_CALLS
    }

    fn too_many_failures(&self, why: &str) -> String {
        let task = self
            .detail(TASK)
            .map(|task| format!("; {task} may still be running"));
        format!(
            "{why}, {MAX_FAILED_CALLS} times in a row{}",
            task.unwrap_or_default()
        )
    }

    /// The answer after a call that failed without changing anything.
    fn try_again(&self, why: String) -> HookAnswer {
        if !self.can_try_again() {
            return HookAnswer::Failed(self.too_many_failures(&why));
        }
        HookAnswer::InProgress {
            why,
            details: vec![(FAILED_CALLS, json!(self.number(FAILED_CALLS) + 1))],
        }
    }
}

impl DeployHook {
    pub(super) async fn lifecycle(&self, call: &LifecycleCall, time: Duration) -> Value {
        let work = timeout(time.saturating_sub(RESERVE), self.step(call));
        let answer = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(Ok(answer))) => answer,
            Ok(Ok(Err(error))) if error.is_retryable() && call.can_try_again() => {
                retry(call, &error)
            }
            Ok(Ok(Err(error))) if error.is_retryable() => {
                HookAnswer::Failed(call.too_many_failures(&error.with_advice()))
            }
            Ok(Ok(Err(error))) => HookAnswer::Failed(error.with_advice()),
            Ok(Err(_)) => call.try_again("AWS did not answer in time".to_owned()),
            Err(_) => HookAnswer::Failed("this function panicked".to_owned()),
        };
        call.to_json(answer)
    }

    async fn step(&self, call: &LifecycleCall) -> Result<HookAnswer, JobError> {
        if call.is_rollback() {
            return Ok(HookAnswer::Succeeded("a rollback runs no task".to_owned()));
        }
        let config = self.config()?;
        match call.detail(TASK) {
            Some(task) => self.check(call, task).await,
            None => self.begin(call, config).await,
        }
    }

    async fn begin(
        &self,
        call: &LifecycleCall,
        config: &HookConfig,
    ) -> Result<HookAnswer, JobError> {
        let job = self.job(call, config).await?;
        let task = job
            .start(
                &self.ecs,
                &call.execution_id,
                &call.stage,
                call.number(TOKEN_NUMBER),
            )
            .await?;
        Ok(HookAnswer::InProgress {
            why: format!("{task} was started"),
            details: vec![
                (TASK, json!(task)),
                (CONTAINER, json!(job.container)),
                (CLUSTER, json!(job.cluster)),
                (FAILED_CALLS, json!(0)),
            ],
        })
    }

    async fn check(&self, call: &LifecycleCall, task: &str) -> Result<HookAnswer, JobError> {
        let cluster = call.detail(CLUSTER).unwrap_or("default");
        let answer = self
            .ecs
            .describe_tasks()
            .cluster(cluster)
            .tasks(task)
            .send()
            .await
            .map_err(|error| CallError::of("DescribeTasks", error))?;
        let Some(task) = answer.tasks().first().map(Task::read) else {
            // ECS does not know a task immediately after its start, and forgets it one hour after its end.
            return Ok(call.try_again("ECS does not know the task".to_owned()));
        };
        let started_by = task.facts.started_by.as_deref().unwrap_or_default();
        if !started_by.starts_with(&format!("{PROGRAM}/")) {
            return Ok(HookAnswer::Failed(format!(
                "{} is not a task of this function",
                task.arn
            )));
        }
        let container = call.detail(CONTAINER).unwrap_or_default();
        let Some(result) = self.result_of(&task, container).await else {
            return Ok(HookAnswer::InProgress {
                why: format!("the task is {}", task.last_status()),
                details: vec![(FAILED_CALLS, json!(0))],
            });
        };
        if result.is_still_running {
            self.stop_rest(cluster, &task.arn, container).await;
        }
        Ok(if result.succeeded {
            HookAnswer::Succeeded(result.why)
        } else {
            HookAnswer::Failed(result.why)
        })
    }

    /// The job from the configuration. Missing settings come from the service revision that is deployed. The details of
    /// the hook have priority over both, so that one function can serve many services.
    async fn job(&self, call: &LifecycleCall, config: &HookConfig) -> Result<Job, JobError> {
        let configured = network(config)?;
        let is_complete =
            config.task_definition.is_some() && config.cluster.is_some() && configured.is_some();
        let revision = match &call.revision_arn {
            Some(revision) if !is_complete => Some(self.revision(revision).await?),
            _ => None,
        };
        let revision = revision.as_ref();
        let own_definition = config.task_definition.is_some();
        let definition = config.task_definition.clone();
        let definition =
            definition.or_else(|| revision?.task_definition().map(str::to_owned)).ok_or_else(|| {
                JobError::Incomplete(
                    "there is no task definition: set TASK_DEFINITION, or have ECS send the service revision"
                        .to_owned(),
                )
            })?;
        let of_service = || {
            Arn::parse(call.service_arn.as_deref()?)?
                .cluster()
                .map(str::to_owned)
        };
        let cluster = config.cluster.clone();
        let cluster = cluster
            .or_else(|| revision?.cluster_arn().map(str::to_owned))
            .or_else(of_service)
            .unwrap_or_else(|| "default".to_owned());
        let command = match call.detail("COMMAND") {
            Some(command) => Some(shell_words::split(command).map_err(|_| {
                JobError::Incomplete("COMMAND in hookDetails: a quote is not closed".to_owned())
            })?),
            None => config.command.clone(),
        };
        let container = match call
            .detail("CONTAINER_NAME")
            .or(config.container.as_deref())
        {
            Some(container) => container.to_owned(),
            None => Job::default_container(&self.ecs, &definition).await?,
        };
        let of_revision = || {
            revision?
                .network_configuration()?
                .awsvpc_configuration()
                .cloned()
        };
        let has_own_network = configured.is_some();
        let strategy = revision
            .map(|it| it.capacity_provider_strategy().to_vec())
            .unwrap_or_default();
        let launch_type = revision.and_then(|it| it.launch_type().cloned());
        Ok(Job {
            task_definition: definition,
            cluster,
            command,
            container,
            network: configured.or_else(of_revision),
            // If the definition and the network are configured, Fargate is used, as in hooks of CodeDeploy.
            launch_type: if own_definition
                && has_own_network
                && launch_type.is_none()
                && strategy.is_empty()
            {
                Some(aws_sdk_ecs::types::LaunchType::Fargate)
            } else {
                launch_type
            },
            strategy,
            platform_version: revision.and_then(|it| it.platform_version().map(str::to_owned)),
            variables: Vec::new(),
        })
    }

    async fn revision(&self, revision: &str) -> Result<ServiceRevision, JobError> {
        let answer = self
            .ecs
            .describe_service_revisions()
            .service_revision_arns(revision)
            .send()
            .await
            .map_err(|error| CallError::of("DescribeServiceRevisions", error))?;
        let found = answer.service_revisions().first().cloned();
        found.ok_or_else(|| {
            JobError::Incomplete(format!("ECS does not know {}", arn::name(revision)))
        })
    }
}

/// The next call tries again. It uses a new token if the answer to the old one contained only failures.
fn retry(call: &LifecycleCall, error: &JobError) -> HookAnswer {
    let is_used_up = error.is_not_placed();
    let number = call.number(TOKEN_NUMBER) + u32::from(is_used_up);
    HookAnswer::InProgress {
        why: error.with_advice(),
        details: vec![
            (TOKEN_NUMBER, json!(number)),
            (FAILED_CALLS, json!(call.number(FAILED_CALLS) + 1)),
        ],
    }
}

impl LifecycleCall {
    fn to_json(&self, answer: HookAnswer) -> Value {
        let (status, why, new_details) = match answer {
            HookAnswer::Succeeded(why) => ("SUCCEEDED", why, Vec::new()),
            HookAnswer::Failed(why) => ("FAILED", why, Vec::new()),
            HookAnswer::InProgress { why, details } => ("IN_PROGRESS", why, details),
        };
        let (execution, stage) = (&self.execution_id, &self.stage);
        if status == "FAILED" {
            tracing::error!(%execution, %stage, decision = status, reason = %why);
        } else {
            tracing::info!(%execution, %stage, decision = status, reason = %why);
        }
        let mut details = self.details.clone();
        for (name, value) in new_details {
            details.insert(name.to_owned(), value);
        }
        let mut json = json!({"hookStatus": status, "hookDetails": details});
        if status == "IN_PROGRESS" {
            json["callBackDelay"] = json!(CALL_BACK_DELAY);
        }
        json
    }
}
