//! What can go wrong with a run, each with what to do about it.

use ecs_parrot::aws::{CallError, ErrorKind, SessionError};
use ecs_parrot::runner::clone::CloneError;
use ecs_parrot::runner::definition::DefinitionError;
use ecs_parrot::runner::request::InvalidRequest;
use ecs_parrot::runner::service::ServiceError;
use ecs_parrot::runner::task::StartError;
use ecs_parrot::runner::wait::WaitError;

use super::TIMED_OUT;
use super::args::RunArgs;
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
    Unanswered { error: StartError, command: String },
    /// AWS's words with what was typed, which they do not name.
    #[error("{typed}: {problem}")]
    Of {
        typed: String,
        problem: Box<Problem>,
    },
    /// No task was started before --timeout.
    #[error("time-out after {limit}: {problem}")]
    TimedOut {
        limit: String,
        problem: Box<Problem>,
    },
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
    /// With what was typed, where AWS does not want that as it is; a denial or a failure of AWS's own is about more.
    #[must_use]
    pub(crate) fn of(self, typed: String) -> Self {
        match self.refused() {
            Some(_) => Self::Of {
                typed,
                problem: Box::new(self),
            },
            None => self,
        }
    }

    /// The same, for the flag that AWS's words are about.
    #[must_use]
    pub(crate) fn of_args(self, args: &RunArgs) -> Self {
        match self.refused().and_then(|error| typed(error, args)) {
            Some(typed) => self.of(typed),
            None => self,
        }
    }

    /// The call that AWS did not want as it was.
    fn refused(&self) -> Option<&CallError> {
        match self {
            Self::Call(error)
            | Self::Definition(DefinitionError::Call(error))
            | Self::Service(ServiceError::Call(error))
            | Self::Start(StartError::Call(error)) => {
                (error.kind == ErrorKind::Refused).then_some(error)
            }
            Self::Usage(_)
            | Self::Interrupted(_)
            | Self::Session(_)
            | Self::Definition(DefinitionError::Nothing(_))
            | Self::Service(ServiceError::Unknown { .. })
            | Self::Start(StartError::NotPlaced(_))
            | Self::Unanswered { .. }
            | Self::Of { .. }
            | Self::TimedOut { .. }
            | Self::Wait { .. } => None,
        }
    }

    /// The process's exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Session(SessionError::InvalidRegion(_)) => 2,
            Self::Interrupted(signal) => signal.status(),
            Self::Of { problem, .. } => problem.status(),
            Self::TimedOut { .. } => TIMED_OUT,
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
            | Self::Wait {
                error: WaitError::Call(_, error),
                ..
            } => of_call(error),
            Self::Start(error) | Self::Unanswered { error, .. } => of_start(error),
            Self::Of { problem, .. } | Self::TimedOut { problem, .. } => problem.advice(),
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
    error.advice().map(|advice| without_role(error, advice))
}

fn of_start(error: &StartError) -> Option<String> {
    let advice = error.advice()?;
    Some(match error {
        StartError::Call(error) => without_role(error, advice),
        StartError::NotPlaced(_) => advice,
    })
}

fn without_role(error: &CallError, advice: String) -> String {
    match error.denied_action() {
        Some("iam:PassRole") => format!("{advice} with --task-role none"),
        _ => advice,
    }
}

/// The flag that AWS's words are about, with what was typed there, where they do not name it.
fn typed(error: &CallError, args: &RunArgs) -> Option<String> {
    let message = error.message.to_lowercase();
    let about = |mark: &str, values: &[&str]| {
        let is_named = values.iter().any(|it| error.message.contains(it));
        message.contains(mark) && !values.is_empty() && !is_named
    };
    let cluster = [args.cluster.as_str()];
    if error.has_code("ClusterNotFoundException") || about("cluster not found", &cluster) {
        return Some(format!("--cluster {}", args.cluster));
    }
    let list = |values: &[String]| values.to_vec();
    let role: Vec<_> = args.task_role.iter().cloned().collect();
    let flags = [
        (
            "capacity provider",
            "--capacity-provider",
            list(&args.capacity_provider),
        ),
        (
            "security group",
            "--security-groups-id",
            list(&args.security_groups_id),
        ),
        ("subnet", "--networks-id", list(&args.networks_id)),
        ("role", "--task-role", role),
    ];
    let found = flags.into_iter().find(|(mark, _, values)| {
        let values: Vec<_> = values.iter().map(String::as_str).collect();
        about(mark, &values)
    });
    found.map(|(_, flag, values)| format!("{flag} {}", values.join(" ")))
}
