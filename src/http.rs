//! The HTTP client for all connections, to the chats and to AWS.
//!
//! There is only one, so that TLS is configured once and the certificates are read at most once.

pub mod certificates;
mod tls;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Client, redirect};

/// For connecting only. Each request needs a timeout of its own too: without one it may wait for ever.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The client, created on first use, because a function that drops its event needs none. Clones share it and its
/// connections.
#[derive(Debug, Clone, Default)]
pub struct SharedClient(Arc<OnceLock<Client>>);

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("TLS cannot be configured: {0}")]
    Tls(#[from] rustls::Error),
    #[error("the HTTP client cannot be created: {0}")]
    Http(#[from] reqwest::Error),
}

impl SharedClient {
    /// # Errors
    ///
    /// [`ClientError`] if TLS cannot be configured.
    pub fn get(&self) -> Result<&Client, ClientError> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        let client = Client::builder()
            .user_agent(concat!("ecs-parrot/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tls_backend_preconfigured(tls::config()?)
            .build()?;
        Ok(self.0.get_or_init(|| client))
    }
}
