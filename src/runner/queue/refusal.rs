//! Why a message started nothing, and whether it is of use to try again.

use super::message::BadMessage;
use crate::aws::CallError;
use crate::runner::definition::DefinitionError;
use crate::runner::request::InvalidRequest;
use crate::runner::service::ServiceError;
use crate::runner::task::StartError;

/// Why a record started nothing, or not all.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Message(#[from] BadMessage),
    #[error("{what} `{name}` is not allowed: {variable} {allowed}")]
    NotAllowed {
        what: &'static str,
        name: String,
        variable: &'static str,
        /// What the variable allows.
        allowed: String,
    },
    #[error(transparent)]
    Request(#[from] InvalidRequest),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the function's time was over")]
    Time,
    /// In a FIFO queue.
    #[error("an earlier message of its group must be done first")]
    Behind,
    #[error("it was started {0} times, and is not started again")]
    Enough(u32),
}

impl Refusal {
    /// Whether the same message may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Time | Self::Behind => true,
            Self::Call(error)
            | Self::Service(ServiceError::Call(error))
            | Self::Definition(DefinitionError::Call(error)) => error.is_retryable(),
            Self::Start(error) => error.is_retryable(),
            Self::Definition(DefinitionError::Nothing(_)) => true,
            Self::Message(_)
            | Self::NotAllowed { .. }
            | Self::Request(_)
            | Self::Service(ServiceError::Unknown { .. })
            | Self::Enough(_) => false,
        }
    }

    /// What to do about it, where the message itself does not say.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Call(error)
            | Self::Service(ServiceError::Call(error))
            | Self::Definition(DefinitionError::Call(error)) => error.advice(),
            Self::Start(error) => error.advice(),
            Self::NotAllowed { variable, name, .. } => Some(format!(
                "let the message name another, or add `{name}` to {variable} and to the rights of the function's role"
            )),
            Self::Message(BadMessage::NoId) => None,
            Self::Message(_) | Self::Request(_) => {
                Some("mend the message, and check it with `ecs-parrot enqueue`".to_owned())
            }
            Self::Service(ServiceError::Unknown { .. }) => {
                Some("check the service's name, the cluster and the region".to_owned())
            }
            Self::Enough(_) => {
                Some("look for what keeps the network interface from its subnet".to_owned())
            }
            Self::Definition(DefinitionError::Nothing(_)) | Self::Time | Self::Behind => None,
        }
    }

    /// The same for a stopped task that is not started again: there is no message any more to mend.
    pub fn advice_for_rerun(&self) -> Option<String> {
        match self {
            Self::NotAllowed { variable, name, .. } => Some(format!(
                "add `{name}` to {variable} and to the rights of the function's role, and send the task's message again"
            )),
            Self::Message(_) | Self::Request(_) => Some(
                "send the task's message again with `ecs-parrot enqueue`, if its work is still wanted"
                    .to_owned(),
            ),
            Self::Call(_)
            | Self::Service(_)
            | Self::Definition(_)
            | Self::Start(_)
            | Self::Enough(_)
            | Self::Time
            | Self::Behind => self.advice(),
        }
    }
}
