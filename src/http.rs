//! The HTTP client that every connection is made with: to the chats and to AWS.
//!
//! There is one, so that TLS is configured once, and the authorities' certificates are read at most once.

pub mod certificates;
mod tls;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Client, redirect};

/// For the connection alone. Whoever sends also limits the whole: without a limit of its own a request waits for ever.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The client, made on first use: a function that drops its event needs none. Clones share it and its connections.
#[derive(Debug, Clone, Default)]
pub struct SharedClient(Arc<OnceLock<Client>>);

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("TLS cannot be configured: {0}")]
    Tls(#[from] rustls::Error),
    #[error("the HTTP client cannot be made: {0}")]
    Http(#[from] reqwest::Error),
}

impl SharedClient {
    /// # Errors
    ///
    /// [`ClientError`] where TLS cannot be configured.
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
