//! Why a message started nothing, and whether it is of use to try again.

use super::message::BadMessage;
use crate::aws::CallError;
use crate::run::definition::DefinitionError;
use crate::run::request::InvalidRequest;
use crate::run::service::ServiceError;
use crate::run::task::{self, StartError, may_find_place};
use crate::triage::diagnosis::launches;

/// Why a record started nothing, or not all.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Message(#[from] BadMessage),
    #[error("{0}")]
    NotAllowed(String),
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
    #[error("it was started {0} times, and is not started again")]
    Enough(u32),
}

impl Refusal {
    /// Whether the same message may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Time => true,
            Self::Call(error)
            | Self::Service(ServiceError::Call(error))
            | Self::Definition(DefinitionError::Call(error))
            | Self::Start(StartError::Call(error)) => error.may_pass() || is_quota(&error.message),
            Self::Start(StartError::NotPlaced(failures)) => may_find_place(failures),
            Self::Definition(DefinitionError::Nothing(_)) => true,
            Self::Message(_)
            | Self::NotAllowed(_)
            | Self::Request(_)
            | Self::Service(ServiceError::Unknown { .. })
            | Self::Enough(_) => false,
        }
    }

    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Call(error)
            | Self::Service(ServiceError::Call(error))
            | Self::Definition(DefinitionError::Call(error))
            | Self::Start(StartError::Call(error)) => error.advice(),
            Self::Start(StartError::NotPlaced(failures)) => failures
                .iter()
                .find_map(|failure| launches::advice(&task::reason(failure)).map(str::to_owned)),
            _ => None,
        }
    }
}

/// ECS says this of a full account in a failure or in an exception.
fn is_quota(message: &str) -> bool {
    message.contains("limit on the number of tasks you can run concurrently")
}
