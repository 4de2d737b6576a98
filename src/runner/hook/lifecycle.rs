//! Amazon ECS's own lifecycle hooks: asked again and again, until the answer is SUCCEEDED or FAILED.
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

/// How soon we want to be asked again, in seconds.
const CALL_BACK: u64 = 30;

/// How many calls in a row may be of no use, a call back apart: half an hour.
const TRIES: u32 = 60;

/// Time to answer before the function's is over.
const RESERVE: Duration = Duration::from_secs(2);

/// One call of one hook.
#[derive(Debug, Clone)]
pub struct LifecycleCall {
    execution_id: String,
    stage: String,
    service_arn: Option<String>,
    revision_arn: Option<String>,
    /// Of the target revision at this stage, where the call has weights.
    test_weight: Option<f64>,
    production_weight: Option<f64>,
    /// What the service's definition says for this hook, with what we answered last.
    details: Map<String, Value>,
}

/// What we answer.
enum HookAnswer {
    Succeeded(String),
    Failed(String),
    InProgress {
        why: String,
        remember: Vec<(&'static str, Value)>,
    },
}

const TASK: &str = "ecsParrotTask";
const CONTAINER: &str = "ecsParrotContainer";
const CLUSTER: &str = "ecsParrotCluster";
/// The number in the client token: counts answers that held nothing but failures.
const TURN: &str = "ecsParrotTurn";
/// Counts the calls that were of no use, one after another: a useful one begins anew.
const TRIED: &str = "ecsParrotTried";

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

    /// Going back, the stage's own traffic is taken from the target: there is nothing to run for. Going forward
    /// the target's production weight is 0 too, before its shift, so each stage is judged by its own weights.
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

    fn may_try_again(&self) -> bool {
        self.number(TRIED) < TRIES
    }

    fn given_up(&self, why: &str) -> String {
        let left = self.detail(TASK).map(|task| format!("; {task} may run on"));
        format!("{why}, {TRIES} times in a row{}", left.unwrap_or_default())
    }

    /// A call that was of no use, and did no harm.
    fn again(&self, why: String) -> HookAnswer {
        if !self.may_try_again() {
            return HookAnswer::Failed(self.given_up(&why));
        }
        HookAnswer::InProgress {
            why,
            remember: vec![(TRIED, json!(self.number(TRIED) + 1))],
        }
    }
}

impl DeployHook {
    pub(super) async fn lifecycle(&self, call: &LifecycleCall, time: Duration) -> Value {
        let work = timeout(time.saturating_sub(RESERVE), self.step(call));
        let answer = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(Ok(answer))) => answer,
            Ok(Ok(Err(error))) if error.is_retryable() && call.may_try_again() => {
                later(call, &error)
            }
            Ok(Ok(Err(error))) if error.is_retryable() => {
                HookAnswer::Failed(call.given_up(&error.in_words()))
            }
            Ok(Ok(Err(error))) => HookAnswer::Failed(error.in_words()),
            Ok(Err(_)) => call.again("AWS did not answer in time".to_owned()),
            Err(_) => HookAnswer::Failed("this function panicked".to_owned()),
        };
        call.written(answer)
    }

    async fn step(&self, call: &LifecycleCall) -> Result<HookAnswer, JobError> {
        if call.is_rollback() {
            return Ok(HookAnswer::Succeeded("a rollback runs nothing".to_owned()));
        }
        let config = self.config()?;
        match call.detail(TASK) {
            Some(task) => self.look(call, task).await,
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
                call.number(TURN),
            )
            .await?;
        Ok(HookAnswer::InProgress {
            why: format!("{task} was started"),
            remember: vec![
                (TASK, json!(task)),
                (CONTAINER, json!(job.container)),
                (CLUSTER, json!(job.cluster)),
                (TRIED, json!(0)),
            ],
        })
    }

    async fn look(&self, call: &LifecycleCall, task: &str) -> Result<HookAnswer, JobError> {
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
            // Not known yet, right after its start; or no more, an hour after its end.
            return Ok(call.again("ECS does not know the task".to_owned()));
        };
        let started_by = task.facts.started_by.as_deref().unwrap_or_default();
        if !started_by.starts_with(&format!("{PROGRAM}/")) {
            return Ok(HookAnswer::Failed(format!(
                "{} is no task of this function's",
                task.arn
            )));
        }
        let container = call.detail(CONTAINER).unwrap_or_default();
        let Some(judged) = self.judge(&task, container).await else {
            return Ok(HookAnswer::InProgress {
                why: format!("the task is {}", task.last_status()),
                remember: vec![(TRIED, json!(0))],
            });
        };
        if judged.runs_on {
            self.stop_rest(cluster, &task.arn, container).await;
        }
        Ok(if judged.succeeded {
            HookAnswer::Succeeded(judged.why)
        } else {
            HookAnswer::Failed(judged.why)
        })
    }

    /// What is configured, completed from the revision that is about to go live; the hook's own details go
    /// before both, so that one function serves many services.
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
                    "there is no task definition: set TASK_DEFINITION, or let the call name its service revision"
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
                JobError::Incomplete("hookDetails' COMMAND: a quote is not closed".to_owned())
            })?),
            None => config.command.clone(),
        };
        let container = match call
            .detail("CONTAINER_NAME")
            .or(config.container.as_deref())
        {
            Some(container) => container.to_owned(),
            None => Job::container_of(&self.ecs, &definition).await?,
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
            // With a definition and a network of one's own: Fargate, as CodeDeploy's hooks.
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

/// The next call tries again; with a new token, if the old one's answer held nothing but failures.
fn later(call: &LifecycleCall, error: &JobError) -> HookAnswer {
    let answered = error.is_not_placed();
    let turn = call.number(TURN) + u32::from(answered);
    HookAnswer::InProgress {
        why: error.in_words(),
        remember: vec![(TURN, json!(turn)), (TRIED, json!(call.number(TRIED) + 1))],
    }
}

impl LifecycleCall {
    fn written(&self, answer: HookAnswer) -> Value {
        let (status, why, remember) = match answer {
            HookAnswer::Succeeded(why) => ("SUCCEEDED", why, Vec::new()),
            HookAnswer::Failed(why) => ("FAILED", why, Vec::new()),
            HookAnswer::InProgress { why, remember } => ("IN_PROGRESS", why, remember),
        };
        let (execution, stage) = (&self.execution_id, &self.stage);
        if status == "FAILED" {
            tracing::error!(%execution, %stage, decision = status, reason = %why);
        } else {
            tracing::info!(%execution, %stage, decision = status, reason = %why);
        }
        let mut details = self.details.clone();
        for (name, value) in remember {
            details.insert(name.to_owned(), value);
        }
        let mut written = json!({"hookStatus": status, "hookDetails": details});
        if status == "IN_PROGRESS" {
            written["callBackDelay"] = json!(CALL_BACK);
        }
        written
    }
}
