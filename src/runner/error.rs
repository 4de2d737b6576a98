//! Why tasks were not started, and whether the same request may succeed later.

use super::definition::DefinitionError;
use super::request::InvalidRequest;
use super::service::DescribeServiceError;
use super::task::StartError;
use crate::aws::CallError;

/// Everything that can go wrong up to the start of the tasks, whichever front end asks for them.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Request(#[from] InvalidRequest),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Service(#[from] DescribeServiceError),
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    #[error(transparent)]
    Start(#[from] StartError),
}

impl RunError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Call(error)
            | Self::Service(DescribeServiceError::Call(error))
            | Self::Definition(DefinitionError::Call(error)) => error.is_retryable(),
            Self::Start(error) => error.is_retryable(),
            Self::Definition(DefinitionError::Nothing(_)) => true,
            Self::Request(_) | Self::Service(DescribeServiceError::Unknown { .. }) => false,
        }
    }

    /// The call to AWS that failed.
    pub fn call(&self) -> Option<&CallError> {
        match self {
            Self::Call(error)
            | Self::Service(DescribeServiceError::Call(error))
            | Self::Definition(DefinitionError::Call(error))
            | Self::Start(StartError::Call(error)) => Some(error),
            Self::Request(_)
            | Self::Service(DescribeServiceError::Unknown { .. })
            | Self::Definition(DefinitionError::Nothing(_))
            | Self::Start(StartError::NotPlaced(_)) => None,
        }
    }

    /// What to do about it, if the error message does not already say it.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Start(error) => error.advice(),
            Self::Request(_) | Self::Call(_) | Self::Service(_) | Self::Definition(_) => {
                self.call()?.advice()
            }
        }
    }

    /// Whether ECS answered RunTask and placed no task. The client token of that call is then used up: ECS repeats the
    /// same answer for it.
    pub fn is_not_placed(&self) -> bool {
        matches!(self, Self::Start(StartError::NotPlaced(_)))
    }
}
