//! Tasks: how they are started and stopped.

use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::operation::run_task::{RunTaskError, RunTaskOutput};
use aws_sdk_ecs::types;
use aws_sdk_ecs::{Client, Config};

use super::request::RunRequest;
use crate::aws::{CallError, ErrorKind, with_body};
use crate::ecs::diagnosis::launches;
use crate::ecs::notice::Failure;

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

impl StartError {
    /// Whether the same request may start its tasks later, for whoever asks: by AWS's code, and by its words, which come
    /// as an exception or as the reason of a failure.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotPlaced(failures) => may_find_place(failures),
            Self::Call(error) => match error.kind {
                ErrorKind::Throttled | ErrorKind::Unavailable => true,
                ErrorKind::Denied | ErrorKind::Credentials => false,
                ErrorKind::Refused => {
                    let by_words = launches::exception_is_retryable(&error.message);
                    by_words.unwrap_or_else(|| LIMITS.iter().any(|code| error.has_code(code)))
                }
            },
        }
    }

    /// What to do about it, where the message itself does not say.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::NotPlaced(failures) => failures
                .iter()
                .find_map(|it| launches::advice(&reason(it)))
                .map(str::to_owned),
            Self::Call(error) => error
                .advice()
                .or_else(|| launches::exception_advice(&error.message).map(str::to_owned)),
        }
    }
}

/// AWS's names for a quota that is reached: somebody else's task ends, and there is room again.
const LIMITS: [&str; 3] = [
    "LimitExceededException",
    "ServiceQuotaExceededException",
    "LimitExceeded",
];

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
fn may_find_place(failures: &[Failure]) -> bool {
    failures.is_empty()
        || failures
            .iter()
            .any(|it| launches::is_retryable(&reason(it)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str, message: &str, kind: ErrorKind) -> StartError {
        StartError::Call(CallError {
            call: "RunTask",
            code: Some(code.to_owned()),
            message: message.to_owned(),
            kind,
        })
    }

    #[test]
    fn what_may_pass_by_code_and_by_words() {
        const VCPUS: &str =
            "You've reached the limit on the number of vCPUs you can run concurrently";
        for (code, message, kind, expected) in [
            ("ClientException", VCPUS, ErrorKind::Refused, true),
            ("InvalidParameterException", VCPUS, ErrorKind::Refused, true),
            ("LimitExceededException", "x", ErrorKind::Refused, true),
            (
                "LimitExceededException",
                "The requested CPU configuration is above your limit",
                ErrorKind::Refused,
                false,
            ),
            ("ThrottlingException", "x", ErrorKind::Throttled, true),
            ("ServerException", "x", ErrorKind::Unavailable, true),
            (
                "ClientException",
                "TaskDefinition is inactive",
                ErrorKind::Refused,
                false,
            ),
            // AWS's words in a denial are somebody's names.
            ("AccessDeniedException", VCPUS, ErrorKind::Denied, false),
        ] {
            let error = refused(code, message, kind);
            assert_eq!(error.is_retryable(), expected, "{code} {message}");
        }
        for (reason, expected) in [
            (VCPUS, true),
            ("Tasks provisioning capacity limit exceeded.", true),
            ("RESOURCE:CPU", true),
            ("ATTRIBUTE", false),
        ] {
            let failure = Failure {
                reason: reason.to_owned(),
                detail: None,
                arn: None,
            };
            let error = StartError::NotPlaced(vec![failure]);
            assert_eq!(error.is_retryable(), expected, "{reason}");
        }
    }

    #[test]
    fn a_quota_is_explained_in_both_forms() {
        let words = "Tasks provisioning capacity limit exceeded.";
        let advice = refused("ClientException", words, ErrorKind::Refused).advice();
        assert!(advice.unwrap().starts_with("too many tasks of the cluster"));
    }
}
