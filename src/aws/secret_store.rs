//! Fetches secrets from AWS when they are first needed, caches them, and fetches them again when they are wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::aws::secret::{Reference, Secret, SecretSource};
use crate::aws::service::{SECRETS_MANAGER, SYSTEMS_MANAGER};
use crate::aws::{CallError, LazySession, SessionError};

/// A wrong secret is fetched again at most once in this time.
const MIN_RENEWAL_INTERVAL: Duration = Duration::from_secs(30);

/// For fetching a secret again.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub struct SecretStore {
    session: Arc<LazySession>,
    cache: Mutex<HashMap<Reference, CachedSecret>>,
}

#[derive(Debug, Clone)]
struct CachedSecret {
    secret: Secret,
    renewed: Option<Instant>,
}

#[derive(Debug, thiserror::Error)]
pub enum SecretStoreError {
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("{0}; allow this call to the function's role")]
    Denied(CallError),
    #[error(transparent)]
    Call(CallError),
    #[error("{0} is empty")]
    Empty(Reference),
    #[error("{0} has no such key, or is not a JSON object")]
    NoKey(Reference),
    #[error("{0} must be fetched from AWS, which this command does not call")]
    NoSecretStore(Reference),
}

impl SecretStore {
    pub fn new(session: Arc<LazySession>) -> Self {
        Self {
            session,
            cache: Mutex::new(HashMap::new()),
        }
    }

    /// The secret, from the cache or from AWS.
    pub async fn open(&self, reference: &Reference) -> Result<Secret, SecretStoreError> {
        match self.get(reference) {
            Some(cached) => Ok(cached.secret),
            None => self.fetch(reference).await,
        }
    }

    /// Fetches a secret that was wrong, and returns it if it has changed.
    pub async fn renew(&self, reference: &Reference) -> Option<Secret> {
        let old = self.get(reference)?;
        if old
            .renewed
            .is_some_and(|at| at.elapsed() < MIN_RENEWAL_INTERVAL)
        {
            return None;
        }
        self.note_renewal(reference);
        let why = match timeout(RENEWAL_TIMEOUT, self.fetch(reference)).await {
            Ok(Ok(new)) => return (new.expose() != old.secret.expose()).then_some(new),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let why = why.escape_debug();
        tracing::warn!(%reference, %why, "a secret that the channel refuses could not be fetched again");
        None
    }

    fn note_renewal(&self, reference: &Reference) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = cache.get_mut(reference) {
            cached.renewed = Some(Instant::now());
        }
    }

    fn get(&self, reference: &Reference) -> Option<CachedSecret> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(reference).cloned()
    }

    async fn fetch(&self, reference: &Reference) -> Result<Secret, SecretStoreError> {
        let session = self.session.own().await?;
        let text = match reference {
            Reference::Parameter(name) => {
                let client = session.service(SYSTEMS_MANAGER);
                let input = json!({"Name": name, "WithDecryption": true});
                let answer = client.call("GetParameter", &input).await;
                answer
                    .map_err(refused)?
                    .pointer("/Parameter/Value")
                    .cloned()
            }
            Reference::SecretsManager { id, .. } => {
                let client = session.service(SECRETS_MANAGER);
                let answer = client
                    .call("GetSecretValue", &json!({"SecretId": id}))
                    .await;
                answer.map_err(refused)?.pointer("/SecretString").cloned()
            }
        };
        let text = text
            .as_ref()
            .and_then(Value::as_str)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| SecretStoreError::Empty(reference.clone()))?;
        let secret = Secret::new(value_of_key(reference, text)?);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = cache
            .entry(reference.clone())
            .or_insert_with(|| CachedSecret {
                secret: secret.clone(),
                renewed: None,
            });
        cached.secret = secret.clone();
        Ok(secret)
    }
}

/// The value of the key that a reference names, or the whole text if it names none.
fn value_of_key(reference: &Reference, text: String) -> Result<String, SecretStoreError> {
    let Reference::SecretsManager { key: Some(key), .. } = reference else {
        return Ok(text);
    };
    let object: Value = serde_json::from_str(&text).unwrap_or_default();
    let value = object.get(key).and_then(Value::as_str);
    value
        .map(|value| value.trim().to_owned())
        .ok_or_else(|| SecretStoreError::NoKey(reference.clone()))
}

fn refused(error: CallError) -> SecretStoreError {
    match error.kind {
        crate::aws::ErrorKind::Denied => SecretStoreError::Denied(error),
        _ => SecretStoreError::Call(error),
    }
}

/// The secret of a source. Without a store, only an inline secret can be opened.
pub async fn open(
    secret_store: Option<&SecretStore>,
    source: &SecretSource,
) -> Result<Secret, SecretStoreError> {
    match (source, secret_store) {
        (SecretSource::Inline(secret), _) => Ok(secret.clone()),
        (SecretSource::Reference(reference), Some(secret_store)) => {
            secret_store.open(reference).await
        }
        (SecretSource::Reference(reference), None) => {
            Err(SecretStoreError::NoSecretStore(reference.clone()))
        }
    }
}
