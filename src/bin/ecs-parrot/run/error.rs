//! What can go wrong with `ecs-parrot run`, and what to do about it.

use ecs_parrot::aws::{CallError, ErrorKind, SessionError};
use ecs_parrot::runner::error::RunError;
use ecs_parrot::runner::wait::WaitError;

use super::TIMED_OUT;
use super::args::RunArgs;
use super::interrupt::Signal;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("{0}")]
    Usage(String),
    #[error("stopped by {0}")]
    Interrupted(Signal),
    #[error(transparent)]
    Session(SessionError),
    #[error(transparent)]
    Run(RunError),
    /// RunTask was not answered. It may still have started a task.
    #[error("{error}; if a task was started, `{command}` lists it")]
    Unanswered { error: RunError, command: String },
    /// An error of AWS that does not name what was typed, together with what was typed.
    #[error("{typed}: {error}")]
    Of {
        typed: String,
        error: Box<CommandError>,
    },
    /// No task was started before --timeout.
    #[error("time-out after {limit}: {error}")]
    TimedOut {
        limit: String,
        error: Box<CommandError>,
    },
    #[error("{error}{}", left_running(.commands))]
    Wait {
        error: WaitError,
        /// The commands that stop the tasks that are still running.
        commands: Vec<String>,
    },
}

fn left_running(commands: &[String]) -> String {
    let commands = commands.join(" && ");
    format!("; running tasks are not stopped; to stop them: `{commands}`")
}

impl<E> From<E> for CommandError
where
    RunError: From<E>,
{
    fn from(error: E) -> Self {
        Self::Run(error.into())
    }
}

impl CommandError {
    /// Adds what was typed, if AWS refused the call. A denial, or a failure of AWS itself, has other causes.
    #[must_use]
    pub(crate) fn of(self, typed: String) -> Self {
        match self.refused() {
            Some(_) => Self::Of {
                typed,
                error: Box::new(self),
            },
            None => self,
        }
    }

    /// The same, for the flag that the error of AWS is about.
    #[must_use]
    pub(crate) fn of_args(self, args: &RunArgs) -> Self {
        match self.refused().and_then(|error| typed(error, args)) {
            Some(typed) => self.of(typed),
            None => self,
        }
    }

    /// The call that AWS refused as it was.
    fn refused(&self) -> Option<&CallError> {
        match self {
            Self::Run(error) => error.call().filter(|it| it.kind == ErrorKind::Refused),
            Self::Usage(_)
            | Self::Interrupted(_)
            | Self::Session(_)
            | Self::Unanswered { .. }
            | Self::Of { .. }
            | Self::TimedOut { .. }
            | Self::Wait { .. } => None,
        }
    }

    /// The process's exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::Run(RunError::Request(_))
            | Self::Session(SessionError::InvalidRegion(_)) => 2,
            Self::Interrupted(signal) => signal.status(),
            Self::Of { error, .. } => error.status(),
            Self::TimedOut { .. } => TIMED_OUT,
            Self::Session(_) | Self::Run(_) | Self::Unanswered { .. } | Self::Wait { .. } => 1,
        }
    }

    /// What to do about it, if the error message does not already say it.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::Run(error) | Self::Unanswered { error, .. } => {
                let advice = error.advice()?;
                Some(match error.call() {
                    Some(call) => without_role(call, advice),
                    None => advice,
                })
            }
            Self::Wait {
                error: WaitError::Call(_, error),
                ..
            } => error.advice().map(|advice| without_role(error, advice)),
            Self::Of { error, .. } | Self::TimedOut { error, .. } => error.advice(),
            Self::Usage(_)
            | Self::Interrupted(_)
            | Self::Session(_)
            | Self::Wait {
                error: WaitError::Unknown(_),
                ..
            } => None,
        }
    }
}

/// The flag of `ecs-parrot run` that leaves a task role out.
fn without_role(error: &CallError, advice: String) -> String {
    match error.denied_action() {
        Some("iam:PassRole") => format!("{advice} with --task-role none"),
        _ => advice,
    }
}

/// The flag that the error of AWS is about, with its value, if the error does not name the value.
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
