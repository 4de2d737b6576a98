//! What can go wrong with a run, each with what to do about it.

use ecs_parrot::aws::{CallError, Nature, SessionError};
use ecs_parrot::run::clone::CloneError;
use ecs_parrot::run::definition::DefinitionError;
use ecs_parrot::run::request::InvalidRequest;
use ecs_parrot::run::service::ServiceError;
use ecs_parrot::run::task::{self, StartError};
use ecs_parrot::run::wait::WaitError;
use ecs_parrot::triage::advice;

use super::interrupt::Signal;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{0}")]
    Usage(String),
    #[error("stopped by {0}")]
    Interrupted(Signal),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Start(#[from] StartError),
    /// RunTask was not answered: it may have started a task all the same.
    #[error("{error}; if a task was started, `{command}` shows it")]
    Unanswered { error: CallError, command: String },
    #[error("{error}{}", left_running(.commands))]
    Wait {
        error: WaitError,
        /// How to stop what runs on without us.
        commands: Vec<String>,
    },
}

fn left_running(commands: &[String]) -> String {
    let commands = commands.join(" && ");
    format!("; what runs is left running, `{commands}` stops it")
}

impl From<CloneError> for Problem {
    fn from(error: CloneError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<InvalidRequest> for Problem {
    fn from(error: InvalidRequest) -> Self {
        Self::Usage(error.to_string())
    }
}

impl Problem {
    /// The process's exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Session(SessionError::NoRegionsName(_)) => 2,
            Self::Interrupted(signal) => signal.status(),
            Self::Session(_)
            | Self::Call(_)
            | Self::Definition(_)
            | Self::Service(_)
            | Self::Start(_)
            | Self::Unanswered { .. }
            | Self::Wait { .. } => 1,
        }
    }

    /// What to do about it, where the message itself does not say.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::Call(error)
            | Self::Definition(DefinitionError::Call(error))
            | Self::Service(ServiceError::Call(error))
            | Self::Start(StartError::Call(error))
            | Self::Unanswered { error, .. }
            | Self::Wait {
                error: WaitError::Call(_, error),
                ..
            } => of_call(error),
            Self::Start(StartError::NotPlaced(failures)) => failures.iter().find_map(|failure| {
                advice::of_launch_failure(&task::reason(failure)).map(str::to_owned)
            }),
            Self::Usage(_)
            | Self::Interrupted(_)
            | Self::Session(_)
            | Self::Definition(DefinitionError::Nothing(_))
            | Self::Service(ServiceError::Unknown { .. })
            | Self::Wait {
                error: WaitError::Unknown(_),
                ..
            } => None,
        }
    }
}

fn of_call(error: &CallError) -> Option<String> {
    match error.nature {
        Nature::Denied => Some(match error.denied_action() {
            Some("iam:PassRole") => pass_role(error.denied_resource().unwrap_or("*")),
            Some(action) => format!("allow {action} to whoever runs this"),
            None => format!("allow {} to whoever runs this", error.call),
        }),
        Nature::Credentials => Some("renew the credentials".to_owned()),
        Nature::Throttled => {
            Some("AWS has too many calls of this account: try again later".to_owned())
        }
        Nature::Unavailable => {
            Some("check the region's name and the network, or try again later".to_owned())
        }
        Nature::Refused if error.has_code("ClusterNotFoundException") => {
            Some("check the cluster's name and the region".to_owned())
        }
        Nature::Refused if error.call == "DescribeTaskDefinition" => Some(
            "check the task definition's name and the region: \
             `aws ecs list-task-definition-families` names those there are"
                .to_owned(),
        ),
        Nature::Refused => None,
    }
}

/// The statement that lets us hand a role to a task.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security_iam_troubleshoot.html>
fn pass_role(role: &str) -> String {
    let statement = serde_json::json!({
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": role,
        "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    });
    format!("allow it with {statement}, or leave a task role out with --task-role none")
}
