//! Sends a POST to a chat service. All channel types use it.

use serde_json::Value;

use super::answer::{self, Success};
use super::transport::{TIMEOUT, request_failed};
use super::{Outcome, UnansweredKind};
use crate::aws::secret::{Secret, SecretSource};
use crate::aws::secret_store::{self, SecretStore};
use crate::http::SharedClient;

/// The address made from a secret, or what is wrong with the secret.
pub(super) type Address = Result<Secret, &'static str>;

/// The HTTP client of all channels, and the store of their secrets.
#[derive(Debug, Default)]
pub struct Http {
    client: SharedClient,
    secret_store: Option<SecretStore>,
}

impl Http {
    /// A client that can read secrets from Parameter Store and Secrets Manager.
    pub fn with_secret_store(client: SharedClient, secret_store: SecretStore) -> Self {
        Self {
            client,
            secret_store: Some(secret_store),
        }
    }

    /// Posts JSON to the address made from a secret. If the service refuses the message and the secret is a reference,
    /// the secret is read once more, because it may have been changed.
    pub(super) async fn post(
        &self,
        source: &SecretSource,
        address: impl Fn(&Secret) -> Address,
        body: &Value,
        success: &Success,
    ) -> Outcome {
        let secret = match secret_store::open(self.secret_store.as_ref(), source).await {
            Ok(secret) => secret,
            Err(error) => return Outcome::retry(error.to_string()),
        };
        let outcome = self.post_with(&secret, &address, body, success).await;
        match (&outcome, source, &self.secret_store) {
            (
                Outcome::Refused { .. }
                | Outcome::Unanswered {
                    kind: UnansweredKind::Unexpected,
                    ..
                },
                SecretSource::Reference(reference),
                Some(secret_store),
            ) => match secret_store.renew(reference).await {
                Some(renewed) => self.post_with(&renewed, &address, body, success).await,
                None => outcome,
            },
            (_, _, _) => outcome,
        }
    }

    async fn post_with(
        &self,
        secret: &Secret,
        address: &impl Fn(&Secret) -> Address,
        body: &Value,
        success: &Success,
    ) -> Outcome {
        match address(secret) {
            Ok(address) => self.post_to(&address, body, success).await,
            Err(problem) => Outcome::Refused {
                why: format!("the secret cannot be used: {problem}"),
            },
        }
    }

    async fn post_to(&self, address: &Secret, body: &Value, success: &Success) -> Outcome {
        let client = match self.client.get() {
            Ok(client) => client,
            Err(error) => return Outcome::retry(error.to_string()),
        };
        let request = client.post(address.expose()).json(body).timeout(TIMEOUT);
        match request.send().await {
            Ok(response) => answer::read(response, address, success).await,
            Err(error) => request_failed(error, address),
        }
    }
}
