//! Why a record started nothing, and whether it is worth another try.

use super::message::InvalidMessage;
use crate::runner::error::RunError;
use crate::runner::service::DescribeServiceError;

/// Why a record started no task, or not all of its tasks.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error(transparent)]
    Message(#[from] InvalidMessage),
    #[error("{what} `{name}` is not allowed: {variable} {allowed}")]
    NotAllowed {
        what: &'static str,
        name: String,
        variable: &'static str,
        /// What the variable allows.
        allowed: String,
    },
    #[error(transparent)]
    Run(RunError),
    #[error("the function's time was over")]
    Time,
    /// Only in a FIFO queue.
    #[error("an earlier message of its group must be done first")]
    Behind,
    #[error("it was started {0} times, and is not started again")]
    TooOften(u32),
}

impl<E> From<E> for RecordError
where
    RunError: From<E>,
{
    fn from(error: E) -> Self {
        Self::Run(error.into())
    }
}

impl RecordError {
    /// Whether the same message may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Run(error) => error.is_retryable(),
            Self::Time | Self::Behind => true,
            Self::Message(_) | Self::NotAllowed { .. } | Self::TooOften(_) => false,
        }
    }

    /// What to do about it, if the error message does not already say it.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::NotAllowed { variable, name, .. } => Some(format!(
                "name another one in the message, or add `{name}` to {variable} and to the permissions of the function's \
                 role"
            )),
            Self::Message(InvalidMessage::NoId) => None,
            Self::Message(_) | Self::Run(RunError::Request(_)) => {
                Some("correct the message, and check it with `ecs-parrot enqueue`".to_owned())
            }
            Self::Run(RunError::Service(DescribeServiceError::Unknown { .. })) => {
                Some("check the service's name, the cluster and the region".to_owned())
            }
            Self::Run(error) => error.advice(),
            Self::TooOften(_) => Some(
                "find out why the network interface cannot be created in its subnet".to_owned(),
            ),
            Self::Time | Self::Behind => None,
        }
    }

    /// The same for a stopped task that is not started again. Its message is no longer in the queue.
    pub fn advice_for_rerun(&self) -> Option<String> {
        match self {
            Self::NotAllowed { variable, name, .. } => Some(format!(
                "add `{name}` to {variable} and to the permissions of the function's role, and send the task's message \
                 again"
            )),
            Self::Message(_) | Self::Run(RunError::Request(_)) => Some(
                "if the task is still needed, send its message again with `ecs-parrot enqueue`"
                    .to_owned(),
            ),
            Self::Run(_) | Self::TooOften(_) | Self::Time | Self::Behind => self.advice(),
        }
    }
}
