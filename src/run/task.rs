//! Tasks: how they are started and stopped, and what ECS shows of one.

use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::operation::run_task::{RunTaskError, RunTaskOutput};
use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types;
use aws_sdk_ecs::{Client, Config};

use super::request::RunRequest;
use crate::arn;
use crate::aws::{CallError, with_body};
use crate::event::Time;
use crate::notice::{Container, Failure, Subject, TaskFacts, TaskSource};
use crate::triage::diagnosis::launches;

/// What RunTask answered: it may have placed only some of the tasks.
#[derive(Debug, Clone, Default)]
pub struct Started {
    pub tasks: Vec<String>,
    pub failures: Vec<Failure>,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nothing was placed; the reasons are ECS's.
    #[error("ECS started no task: {}", reasons(.0))]
    NotPlaced(Vec<Failure>),
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Starts the tasks of a request, in one attempt: whoever tries again should know which attempt went unanswered.
/// Repeated with the same client token, it starts nothing new and gives the tasks that the first call started. <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html>
pub async fn start(ecs: &Client, request: &RunRequest) -> Result<Started, StartError> {
    let answer = ecs
        .run_task()
        .customize()
        .mutate_request(with_body(&request.to_json()))
        .config_override(Config::builder().retry_config(RetryConfig::disabled()))
        .send()
        .await;
    let started = match answer {
        Ok(answer) => started(&answer),
        Err(error) => match already_running(error.as_service_error()) {
            Some(tasks) => Started {
                tasks,
                failures: Vec::new(),
            },
            None => return Err(CallError::of("RunTask", error).into()),
        },
    };
    if started.tasks.is_empty() {
        return Err(StartError::NotPlaced(started.failures));
    }
    Ok(started)
}

fn started(answer: &RunTaskOutput) -> Started {
    let tasks = answer.tasks().iter();
    Started {
        tasks: tasks
            .filter_map(|task| task.task_arn().map(str::to_owned))
            .collect(),
        failures: answer.failures().iter().map(failure).collect(),
    }
}

/// The tasks of this client token, where they were asked for in other words before.
fn already_running(error: Option<&RunTaskError>) -> Option<Vec<String>> {
    match error {
        Some(RunTaskError::ConflictException(conflict)) => Some(conflict.resource_ids().to_vec()),
        _ => None,
    }
    .filter(|tasks| !tasks.is_empty())
}

/// Whether what was not placed may find a place later. ECS gives no reason where it repeats an answer that held
/// nothing but failures.
pub fn may_find_place(failures: &[Failure]) -> bool {
    failures.is_empty() || failures.iter().any(|it| launches::passes(&reason(it)))
}

pub async fn stop(ecs: &Client, cluster: &str, task: &str, reason: &str) -> Result<(), CallError> {
    ecs.stop_task()
        .cluster(cluster)
        .task(task)
        .reason(reason)
        .send()
        .await
        .map(|_| ())
        .map_err(|error| CallError::of("StopTask", error))
}

/// Whether there is such a cluster and we may look into it, asked by looking for a task that is none: the
/// only question that whoever may wait for tasks may ask anyway.
pub async fn look_into(ecs: &Client, cluster: &str) -> Result<(), CallError> {
    ecs.describe_tasks()
        .cluster(cluster)
        .tasks("00000000000000000000000000000000")
        .send()
        .await
        .map(|_| ())
        .map_err(|error| CallError::of("DescribeTasks", error))
}

/// The command that stops a task, for whoever may where we may not.
pub fn stop_command(cluster: &str, task: &str, region: &str) -> String {
    format!("aws ecs stop-task --cluster {cluster} --task {task} --region {region}")
}

pub(super) fn failure(failure: &types::Failure) -> Failure {
    Failure {
        reason: failure.reason().unwrap_or("no reason given").to_owned(),
        detail: failure.detail().map(str::to_owned),
        arn: failure.arn().map(str::to_owned),
    }
}

/// Each different reason once: ten tasks that do not fit fail for one.
fn reasons(failures: &[Failure]) -> String {
    let mut reasons: Vec<_> = failures.iter().map(reason).collect();
    reasons.dedup();
    if reasons.is_empty() {
        return "it gave no reason".to_owned();
    }
    reasons.join("; ")
}

/// A failure in ECS's words.
pub fn reason(failure: &Failure) -> String {
    match &failure.detail {
        Some(detail) => format!("{} ({detail})", failure.reason),
        None => failure.reason.clone(),
    }
}

/// A task as DescribeTasks shows it.
#[derive(Debug, Clone)]
pub struct Task {
    pub arn: String,
    pub cluster: Option<String>,
    pub definition: Option<String>,
    pub created_at: Option<Time>,
    pub subject: Subject,
    pub facts: TaskFacts,
}

impl Task {
    pub fn read(task: &types::Task) -> Self {
        let arn = task.task_arn().unwrap_or_default().to_owned();
        Self {
            cluster: task.cluster_arn().map(|it| arn::name(it).to_owned()),
            definition: task.task_definition_arn().map(str::to_owned),
            created_at: task.created_at().and_then(time),
            subject: subject(task),
            facts: facts(task),
            arn,
        }
    }

    pub fn last_status(&self) -> &str {
        self.facts.last_status.as_deref().unwrap_or("UNKNOWN")
    }

    pub fn has_stopped(&self) -> bool {
        self.last_status() == "STOPPED"
    }

    /// The id, without the cluster.
    pub fn id(&self) -> &str {
        arn::name(&self.arn)
    }

    pub fn container(&self, name: &str) -> Option<&Container> {
        let mut containers = self.facts.containers.iter();
        containers.find(|it| it.name.as_deref() == Some(name))
    }
}

fn subject(task: &types::Task) -> Subject {
    let (family, revision) = match task.task_definition_arn().map(arn::task_definition) {
        Some((family, revision)) => (Some(family), revision),
        None => (None, None),
    };
    Subject {
        cluster: task.cluster_arn().map(|it| arn::name(it).to_owned()),
        service: task
            .group()
            .and_then(|group| group.strip_prefix("service:"))
            .map(str::to_owned),
        family,
        revision,
        task: task.task_arn().map(|it| arn::name(it).to_owned()),
        ..Subject::default()
    }
}

fn facts(task: &types::Task) -> TaskFacts {
    TaskFacts {
        told_by: TaskSource::StateChange,
        last_status: owned(task.last_status()),
        desired_status: owned(task.desired_status()),
        stop_code: task.stop_code().map(|code| code.as_str().to_owned()),
        stopped_reason: owned(task.stopped_reason()),
        started_by: owned(task.started_by()),
        launch_type: task.launch_type().map(|it| it.as_str().to_owned()),
        capacity_provider: owned(task.capacity_provider_name()),
        started_at: task.started_at().and_then(time),
        stopped_at: task.stopped_at().and_then(time),
        updated_at: None,
        memory_limit: task.memory().and_then(|it| it.parse().ok()),
        host: None,
        containers: task.containers().iter().map(container).collect(),
    }
}

fn container(container: &types::Container) -> Container {
    Container {
        name: owned(container.name()),
        image: owned(container.image()),
        last_status: owned(container.last_status()),
        exit_code: container.exit_code().map(i64::from),
        reason: owned(container.reason()),
        memory_limit: container.memory().and_then(|it| it.parse().ok()),
        ..Container::default()
    }
}

/// An empty text says as little as none.
fn owned(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn time(time: &DateTime) -> Option<Time> {
    let instant =
        jiff::Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()?;
    Some(Time::read(instant.to_string()))
}
