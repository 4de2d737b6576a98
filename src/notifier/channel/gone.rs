//! Remembers an address that a service said is gone.

use std::sync::{Mutex, PoisonError};

use crate::aws::secret::Secret;

/// The last address of a channel that is gone. It is not called again as long as the process lives.
#[derive(Debug, Default)]
pub(super) struct GoneAddress(Mutex<Option<Secret>>);

impl GoneAddress {
    /// # Errors
    ///
    /// What is wrong, if this is the address that is gone.
    pub(super) fn check(&self, address: &Secret) -> Result<(), &'static str> {
        let gone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match gone.as_ref().map(Secret::expose) == Some(address.expose()) {
            true => Err(
                "the service said that this address is gone, so it is not called again; set another `url`",
            ),
            false => Ok(()),
        }
    }

    pub(super) fn note(&self, address: &Secret) {
        let mut gone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *gone = Some(address.clone());
    }
}
