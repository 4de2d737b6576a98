//! Starts and stops tasks.

use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::operation::run_task::{RunTaskError, RunTaskOutput};
use aws_sdk_ecs::types;
use aws_sdk_ecs::{Client, Config};

use super::request::RunRequest;
use crate::aws::{CallError, ErrorKind, with_body};
use crate::ecs::diagnosis::launches;
use crate::ecs::notice::Failure;

/// The answer of RunTask. It may have started only some of the tasks.
#[derive(Debug, Clone, Default)]
pub struct Started {
    pub tasks: Vec<String>,
    pub failures: Vec<Failure>,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// ECS answered and placed no task, for these reasons.
    #[error("ECS started no task: {}", reasons(.0))]
    NotPlaced(Vec<Failure>),
    #[error(transparent)]
    Call(#[from] CallError),
}

impl StartError {
    /// Whether the same request may start its tasks later. The error code decides, and the message: ECS sends the same
    /// message as an exception or as the reason of a failure.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotPlaced(failures) => may_be_placed_later(failures),
            Self::Call(error) => match error.kind {
                ErrorKind::Throttled | ErrorKind::Unavailable => true,
                ErrorKind::Denied | ErrorKind::Credentials => false,
                ErrorKind::Refused => {
                    let by_message = launches::exception_is_retryable(&error.message);
                    by_message
                        .unwrap_or_else(|| QUOTA_CODES.iter().any(|code| error.has_code(code)))
                }
            },
        }
    }

    /// What to do about it, if the error message does not already say it.
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

/// AWS's error codes for a quota that is reached. When another task ends, a new one can start.
const QUOTA_CODES: [&str; 3] = [
    "LimitExceededException",
    "ServiceQuotaExceededException",
    "LimitExceeded",
];

/// Starts the tasks of a request in one attempt. The caller tries again itself, because it must know whether an attempt
/// was not answered. A second call with the same client token starts nothing new and returns the tasks of the first
/// call.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html>
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

/// The tasks that this client token started before, with a different request.
fn already_running(error: Option<&RunTaskError>) -> Option<Vec<String>> {
    match error {
        Some(RunTaskError::ConflictException(conflict)) => Some(conflict.resource_ids().to_vec()),
        _ => None,
    }
    .filter(|tasks| !tasks.is_empty())
}

/// Whether the tasks may be placed later. ECS gives no reason when it repeats an answer that contained only failures.
fn may_be_placed_later(failures: &[Failure]) -> bool {
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

/// Checks that the cluster exists and that its tasks may be described. It describes a task that does not exist: a
/// caller that waits for tasks already has the permission for this call.
pub async fn check_cluster(ecs: &Client, cluster: &str) -> Result<(), CallError> {
    ecs.describe_tasks()
        .cluster(cluster)
        .tasks("00000000000000000000000000000000")
        .send()
        .await
        .map(|_| ())
        .map_err(|error| CallError::of("DescribeTasks", error))
}

/// The AWS CLI command that stops a task, for a user who has the permission if this program does not.
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

/// The reasons, without repetition: ten tasks often fail for the same reason.
fn reasons(failures: &[Failure]) -> String {
    let mut reasons: Vec<_> = failures.iter().map(reason).collect();
    reasons.dedup();
    if reasons.is_empty() {
        return "it gave no reason".to_owned();
    }
    reasons.join("; ")
}

/// The reason of a failure as ECS reports it.
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
    fn code_and_message_decide_what_is_retryable() {
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
            // The message of a denial contains names that users chose.
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
    fn a_quota_has_advice_as_exception_and_as_failure() {
        let words = "Tasks provisioning capacity limit exceeded.";
        let advice = refused("ClientException", words, ErrorKind::Refused).advice();
        assert!(advice.unwrap().starts_with("too many tasks of the cluster"));
    }
}
