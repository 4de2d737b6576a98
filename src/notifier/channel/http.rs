//! One POST to a chat service, the same for every channel.

use serde_json::Value;

use super::answer::{self, Success};
use super::transport::{TIMEOUT, failed_on_the_way};
use super::{Outcome, Silence};
use crate::aws::secret::{Secret, SecretSource};
use crate::aws::secret_store::{self, SecretStore};
use crate::http::SharedClient;

/// What a secret opens, or what is wrong with it.
pub(super) type Address = Result<Secret, &'static str>;

/// What a message is sent with.
#[derive(Debug, Default)]
pub struct Http {
    client: SharedClient,
    secret_store: Option<SecretStore>,
}

impl Http {
    /// One that can open secrets that are kept elsewhere.
    pub fn with_secret_store(client: SharedClient, secret_store: SecretStore) -> Self {
        Self {
            client,
            secret_store: Some(secret_store),
        }
    }

    /// Posts JSON to the address that a secret opens. A secret that is kept elsewhere and turns out to be wrong is
    /// looked at once more: it may have been changed.
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
                    silence: Silence::Unexpected,
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
            Err(error) => failed_on_the_way(error, address),
        }
    }
}
