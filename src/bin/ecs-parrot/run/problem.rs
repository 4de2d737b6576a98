//! What can go wrong with a run, each with what to do about it.

use ecs_parrot::aws::{CallError, SessionError};
use ecs_parrot::run::clone::CloneError;
use ecs_parrot::run::definition::DefinitionError;
use ecs_parrot::run::request::InvalidRequest;
use ecs_parrot::run::service::ServiceError;
use ecs_parrot::run::task::{self, StartError};
use ecs_parrot::run::wait::WaitError;
use ecs_parrot::triage::diagnosis::launches;

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
            Self::Start(StartError::NotPlaced(failures)) => failures
                .iter()
                .find_map(|failure| launches::advice(&task::reason(failure)).map(str::to_owned)),
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
    let advice = error.advice()?;
    Some(match error.denied_action() {
        Some("iam:PassRole") => format!("{advice} with --task-role none"),
        _ => advice,
    })
}
