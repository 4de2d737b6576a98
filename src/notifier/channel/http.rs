//! Sends a request to a chat service. All channel types use it.

use std::fmt;
use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::answer::{self, Answer};
use super::transport::{TIMEOUT, request_failed};
use super::{Outcome, UnansweredKind};
use crate::aws::secret::{Secret, SecretSource};
use crate::aws::secret_store::{self, SecretStore};
use crate::aws::{LazySession, Session};
use crate::http::SharedClient;

/// The address made from a secret, or what is wrong with the secret.
pub(super) type Address = Result<Secret, &'static str>;

/// A request with a JSON body. `Debug` shows neither the address nor the headers, because both may contain secrets.
pub(super) struct ChatRequest {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Vec<u8>,
    /// What no text may show.
    secrets: Vec<Secret>,
}

impl ChatRequest {
    /// A POST to an address that is a secret itself.
    pub(super) fn to_webhook(url: Secret, body: &Value) -> Self {
        let request = Self::to_api(url.expose().to_owned(), body);
        request.with_secret(url)
    }

    /// A POST to an address that is no secret.
    pub(super) fn to_api(url: String, body: &Value) -> Self {
        let json = HeaderValue::from_static("application/json");
        Self {
            method: Method::POST,
            url,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
            body: body.to_string().into_bytes(),
            secrets: Vec::new(),
        }
    }

    #[must_use]
    pub(super) fn with_method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// Adds a header. It replaces one of the same name.
    #[must_use]
    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Adds `Authorization: SCHEME SECRET`.
    ///
    /// # Errors
    ///
    /// If the secret contains characters that a header must not contain.
    pub(super) fn with_authorization(
        self,
        scheme: &str,
        secret: &Secret,
    ) -> Result<Self, &'static str> {
        let text = format!("{scheme} {}", secret.expose());
        let mut value = HeaderValue::try_from(text)
            .map_err(|_| "it contains characters that are not allowed in a header")?;
        value.set_sensitive(true);
        Ok(self
            .with_header(AUTHORIZATION, value)
            .with_secret(secret.clone()))
    }

    /// Names a secret that the request contains, so that no text shows it.
    #[must_use]
    pub(super) fn with_secret(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// The bytes that are sent. A signature is made of them.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The method and the address, for tests.
    #[cfg(test)]
    pub(super) fn target(&self) -> (&Method, &str) {
        (&self.method, &self.url)
    }

    fn redactions(&self) -> Redactions<'_> {
        Redactions(&self.secrets)
    }
}

impl fmt::Debug for ChatRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ChatRequest");
        shown.field("method", &self.method).finish_non_exhaustive()
    }
}

/// The secrets of a request, which no text may show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Redactions<'a>(&'a [Secret]);

impl Redactions<'_> {
    pub(super) fn redact(&self, text: &str) -> String {
        let redacted = |text: String, secret: &Secret| secret.redact(&text);
        self.0.iter().fold(text.to_owned(), redacted)
    }
}

/// The HTTP client of all channels, and the store of their secrets.
#[derive(Debug, Default)]
pub struct Http {
    client: SharedClient,
    secret_store: Option<SecretStore>,
    session: Option<Arc<LazySession>>,
}

impl Http {
    /// A client that can read secrets from Parameter Store and Secrets Manager.
    pub fn with_secret_store(client: SharedClient, secret_store: SecretStore) -> Self {
        Self {
            client,
            secret_store: Some(secret_store),
            session: None,
        }
    }

    /// Lets channels call AWS.
    #[must_use]
    pub fn with_aws(self, session: Arc<LazySession>) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// The session, for channels that are services of AWS. Without credentials, each message is refused.
    pub(super) async fn session(&self) -> Result<&Session, Outcome> {
        let Some(session) = &self.session else {
            let why = "the channel calls AWS, which this command does not do".to_owned();
            return Err(Outcome::Refused { why });
        };
        session.own().await.map_err(|error| Outcome::Refused {
            why: error.to_string(),
        })
    }

    /// Posts JSON to the address made from a secret.
    pub(super) async fn post(
        &self,
        source: &SecretSource,
        address: impl Fn(&Secret) -> Address,
        body: &Value,
        read: impl Fn(&Answer) -> Outcome,
    ) -> Outcome {
        let request = |secret: &Secret| Ok(ChatRequest::to_webhook(address(secret)?, body));
        self.exchange(source, request, read).await
    }

    /// Makes a request of a secret, sends it, and reads the answer. If the service refuses the message and the secret is a
    /// reference, the secret is read once more, because it may have been changed.
    pub(super) async fn exchange(
        &self,
        source: &SecretSource,
        request: impl Fn(&Secret) -> Result<ChatRequest, &'static str>,
        read: impl Fn(&Answer) -> Outcome,
    ) -> Outcome {
        let read = |answer: &Answer, _: &Secret| read(answer);
        self.exchange_noting(source, request, read).await
    }

    /// The same for a channel that notes which secret an answer is about.
    pub(super) async fn exchange_noting(
        &self,
        source: &SecretSource,
        request: impl Fn(&Secret) -> Result<ChatRequest, &'static str>,
        read: impl Fn(&Answer, &Secret) -> Outcome,
    ) -> Outcome {
        let secret = match self.open(source).await {
            Ok(secret) => secret,
            Err(outcome) => return outcome,
        };
        let outcome = self.exchange_with(&secret, &request, &read).await;
        let is_refused = match &outcome {
            Outcome::Refused { .. } => true,
            Outcome::Unanswered { kind, .. } => *kind == UnansweredKind::Unexpected,
            Outcome::Delivered { .. } | Outcome::Retry { .. } => false,
        };
        if !is_refused {
            return outcome;
        }
        match self.renew(source).await {
            Some(renewed) => self.exchange_with(&renewed, &request, &read).await,
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

    async fn exchange_with(
        &self,
        secret: &Secret,
        request: &impl Fn(&Secret) -> Result<ChatRequest, &'static str>,
        read: &impl Fn(&Answer, &Secret) -> Outcome,
    ) -> Outcome {
        let request = match request(secret) {
            Ok(request) => request.with_secret(secret.clone()),
            Err(problem) => return unusable(problem),
        };
        match self.call(request).await {
            Ok(answer) => read(&answer, secret),
            Err(outcome) => outcome,
        }
    }

    /// Sends one request. Returns the outcome if no answer came.
    pub(super) async fn call(&self, request: ChatRequest) -> Result<Answer, Outcome> {
        let client = self.client.get();
        let client = client.map_err(|error| Outcome::retry(error.to_string()))?;
        let redactions = request.redactions();
        let sent = client
            .request(request.method.clone(), &request.url)
            .headers(request.headers.clone())
            .body(request.body.clone())
            .timeout(TIMEOUT)
            .send();
        match sent.await {
            Ok(response) => answer::receive(response, &redactions).await,
            Err(error) => Err(request_failed(error, &redactions)),
        }
    }
}

/// A stored secret is checked only when it is read, so a wrong one refuses the message.
pub(super) fn unusable(problem: &str) -> Outcome {
    Outcome::Refused {
        why: format!("the secret cannot be used: {problem}"),
    }
}
