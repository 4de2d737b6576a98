//! The connection to the DynamoDB table that all functions share: what was posted, and the threads.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures::{StreamExt as _, stream};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout_at};

use crate::aws::{CallError, ErrorKind, LazySession, SessionError};

/// How long one answer of the table may take.
pub(in crate::notifier) const TIMEOUT: Duration = Duration::from_millis(800);

/// After so many calls in a row without an answer, the table counts as not available.
const MOST_MISSES: usize = 2;

/// The most keys in a BatchGetItem call. <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>
const MOST_KEYS: usize = 100;

/// The wait before a BatchGetItem call for keys without an answer. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// The number of BatchGetItem calls at the same time.
const AT_ONCE: usize = 8;

/// An item, or the key of one.
pub(in crate::notifier) type Item = HashMap<String, AttributeValue>;

/// The items that were found.
#[derive(Debug, Default)]
pub(in crate::notifier) struct FoundItems {
    pub(in crate::notifier) items: Vec<Item>,
    /// Whether the table answered for all ids.
    pub(in crate::notifier) is_complete: bool,
}

#[derive(Debug)]
pub struct StateTable {
    name: String,
    session: Arc<LazySession>,
    client: OnceCell<Client>,
    /// The number of calls in a row without an answer.
    misses: AtomicUsize,
    /// Whether this invocation has logged that the table is not available.
    is_logged: AtomicBool,
}

impl StateTable {
    pub fn new(name: String, session: Arc<LazySession>) -> Self {
        Self {
            name,
            session,
            client: OnceCell::new(),
            misses: AtomicUsize::new(0),
            is_logged: AtomicBool::new(false),
        }
    }

    /// The name or the ARN.
    pub(in crate::notifier) fn name(&self) -> &str {
        &self.name
    }

    /// Call this at the start of an invocation, with which the warning is logged again.
    pub(in crate::notifier) fn begin_invocation(&self) {
        self.begin();
        self.is_logged.store(false, Ordering::Relaxed);
    }

    /// The table may be available again.
    pub(in crate::notifier) fn begin(&self) {
        self.misses.store(0, Ordering::Relaxed);
    }

    /// Reads the items with these ids, as they are now.
    pub(in crate::notifier) async fn get(&self, ids: Vec<String>) -> FoundItems {
        let parts = ids.chunks(MOST_KEYS).map(|part| self.get_part(part));
        let parts: Vec<_> = stream::iter(parts)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let is_complete = parts.iter().all(|it| it.is_complete);
        let items = parts.into_iter().flat_map(|it| it.items).collect();
        FoundItems { items, is_complete }
    }

    /// A busy table answers for some of the keys only. The others are requested again until [`TIMEOUT`].
    async fn get_part(&self, ids: &[String]) -> FoundItems {
        let until = Instant::now() + TIMEOUT;
        let mut pause = FIRST_PAUSE;
        let mut found = FoundItems::default();
        let key = |id: &String| HashMap::from([("id".to_owned(), AttributeValue::S(id.clone()))]);
        let mut wanted: Vec<_> = ids.iter().map(key).collect();
        while let Some(answer) = self.read(wanted, until).await {
            // Only this table was requested, by its name or its ARN.
            let items = answer.responses.into_iter().flatten().flat_map(|it| it.1);
            found.items.extend(items);
            let left = answer.unprocessed_keys.into_iter().flatten();
            wanted = left.flat_map(|(_, left)| left.keys).collect();
            if wanted.is_empty() {
                found.is_complete = true;
                break;
            }
            if Instant::now() + pause >= until {
                let left = wanted.len();
                self.log(&format!(
                    "BatchGetItem: keys without an answer in time: {left}"
                ));
                break;
            }
            sleep(pause).await;
            pause *= 2;
        }
        found
    }

    async fn read(&self, ids: Vec<Item>, until: Instant) -> Option<BatchGetItemOutput> {
        const CALL: &str = "BatchGetItem";
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(ids))
            .consistent_read(true)
            .build();
        let wanted = wanted.ok()?;
        let answer = self.call_until(until, CALL, |dynamo| async move {
            let request = dynamo.batch_get_item().request_items(&self.name, wanted);
            request
                .send()
                .await
                .map_err(|error| CallError::of(CALL, error))
        });
        answer.await
    }

    /// Calls the table. `None` if there is no answer in time. After two such calls in a row, the table is not called until
    /// the next invocation, because each call would delay a message. A call that DynamoDB refuses, for example because
    /// the table is busy, does not count.
    pub(in crate::notifier) async fn call<'a, T, F>(
        &'a self,
        call: &'static str,
        request: impl FnOnce(&'a Client) -> F,
    ) -> Option<T>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        self.call_until(Instant::now() + TIMEOUT, call, request)
            .await
    }

    pub(in crate::notifier) async fn call_until<'a, T, F>(
        &'a self,
        until: Instant,
        call: &'static str,
        request: impl FnOnce(&'a Client) -> F,
    ) -> Option<T>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        if self.misses.load(Ordering::Relaxed) >= MOST_MISSES {
            return None;
        }
        let answer = timeout_at(until, async {
            let open = || async {
                let session = self.session.own().await?;
                Ok::<_, SessionError>(session.dynamo_db_with_short_timeout())
            };
            match self.client.get_or_try_init(open).await {
                Ok(client) => request(client).await.map_err(Miss::Call),
                Err(error) => Err(Miss::Session(error)),
            }
        });
        let miss = match answer.await {
            Ok(Ok(answer)) => {
                self.misses.store(0, Ordering::Relaxed);
                return Some(answer);
            }
            Ok(Err(miss)) => miss,
            Err(_) => Miss::Late(call),
        };
        let is_answer = matches!(&miss, Miss::Call(error) if error.kind != ErrorKind::Unavailable);
        if !is_answer {
            self.misses.fetch_add(1, Ordering::Relaxed);
        }
        self.log(&miss.to_string());
        None
    }

    /// Logs once in each invocation.
    pub(in crate::notifier) fn log(&self, why: &str) {
        if !self.is_logged.swap(true, Ordering::Relaxed) {
            let why = why.escape_debug();
            tracing::warn!(%why, "the state table is not available; messages may come twice, and threads are only in this function's memory");
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Miss {
    #[error(transparent)]
    Session(SessionError),
    #[error(transparent)]
    Call(CallError),
    #[error("{0}: no answer in time")]
    Late(&'static str),
}
