//! Sends a POST to a chat service. All channel types use it.

use serde_json::Value;

use super::answer::{self, Answer, Success};
use super::transport::{TIMEOUT, request_failed};
use super::{Outcome, UnansweredKind};
use crate::aws::secret::{Secret, SecretSource};
use crate::aws::secret_store::{self, SecretStore};
use crate::http::SharedClient;

/// The address made from a secret, or what is wrong with the secret.
pub(super) type Address = Result<Secret, &'static str>;

/// Where a request goes, and which secret it contains.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'a> {
    /// The address itself is the secret.
    Webhook(&'a Secret),
    /// The secret is in the header `Authorization`.
    Api { url: &'a str, token: &'a Secret },
}

impl<'a> Target<'a> {
    /// What no text may show.
    fn secret(self) -> &'a Secret {
        match self {
            Self::Webhook(secret) => secret,
            Self::Api { token, .. } => token,
        }
    }
}

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
        let secret = match self.open(source).await {
            Ok(secret) => secret,
            Err(outcome) => return outcome,
        };
        let outcome = self.post_with(&secret, &address, body, success).await;
        let is_refused = match &outcome {
            Outcome::Refused { .. } => true,
            Outcome::Unanswered { kind, .. } => *kind == UnansweredKind::Unexpected,
            Outcome::Delivered { .. } | Outcome::Retry { .. } => false,
        };
        if !is_refused {
            return outcome;
        }
        match self.renew(source).await {
            Some(renewed) => self.post_with(&renewed, &address, body, success).await,
            None => outcome,
        }
    }

    /// The secret itself, or the outcome if it cannot be read.
    pub(super) async fn open(&self, source: &SecretSource) -> Result<Secret, Outcome> {
        let secret = secret_store::open(self.secret_store.as_ref(), source).await;
        secret.map_err(|error| Outcome::retry(error.to_string()))
    }

    /// Reads a secret once more that the service refused. `None` if it has not changed.
    pub(super) async fn renew(&self, source: &SecretSource) -> Option<Secret> {
        match (source, &self.secret_store) {
            (SecretSource::Reference(reference), Some(store)) => store.renew(reference).await,
            (SecretSource::Reference(_), None) | (SecretSource::Inline(_), _) => None,
        }
    }

    async fn post_with(
        &self,
        secret: &Secret,
        address: &impl Fn(&Secret) -> Address,
        body: &Value,
        success: &Success,
    ) -> Outcome {
        let address = match address(secret) {
            Ok(address) => address,
            Err(problem) => return unusable(problem),
        };
        match self.call(Target::Webhook(&address), body).await {
            Ok(answer) => answer.outcome(success),
            Err(outcome) => outcome,
        }
    }

    /// Sends one request. Returns the outcome if no answer came.
    pub(super) async fn call(&self, target: Target<'_>, body: &Value) -> Result<Answer, Outcome> {
        let client = self.client.get();
        let client = client.map_err(|error| Outcome::retry(error.to_string()))?;
        let request = match target {
            Target::Webhook(address) => client.post(address.expose()),
            Target::Api { url, token } => client.post(url).bearer_auth(token.expose()),
        };
        match request.json(body).timeout(TIMEOUT).send().await {
            Ok(response) => answer::receive(response, target.secret()).await,
            Err(error) => Err(request_failed(error, target.secret())),
        }
    }
}

/// A stored secret is checked only when it is read, so a wrong one refuses the message.
pub(super) fn unusable(problem: &str) -> Outcome {
    Outcome::Refused {
        why: format!("the secret cannot be used: {problem}"),
    }
}
