//! The dedup store in a DynamoDB table, which all functions share.
//!
//! An item has these attributes: `id` (channel and transition), `state` (`claimed` or `posted`), `owner`, `until`
//! (milliseconds since 1970, the end of a claim), `unanswered` (how often the message was sent without an answer) and
//! `expires` (seconds since 1970, for DynamoDB's TTL). TTL removes items up to days late
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>). So the conditions of a write compare
//! both times themselves.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValue};
use futures::{StreamExt as _, stream};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use super::{Claim, DedupKey};
use crate::aws::{CallError, ErrorKind, LazySession, SessionError};

/// How long a posted transition is remembered. It is longer than any queue keeps an event.
const RETENTION: Duration = Duration::from_secs(15 * 24 * 3_600);

/// How long one answer of the table may take.
const TIMEOUT: Duration = Duration::from_millis(800);

/// After so many calls in a row without an answer, the table counts as not available.
const MOST_MISSES: usize = 2;

/// The most keys in a BatchGetItem call. <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>
const MOST_KEYS: usize = 100;

/// The wait before a BatchGetItem call for keys without an answer. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// The number of BatchGetItem calls at the same time.
const AT_ONCE: usize = 8;

/// The key of an item in DynamoDB's form.
type Id = HashMap<String, AttributeValue>;

#[derive(Debug)]
pub struct Table {
    name: String,
    session: Arc<LazySession>,
    client: OnceCell<Client>,
    owner: String,
    /// The number of calls in a row without an answer.
    misses: AtomicUsize,
    /// Whether this invocation has logged that the table is not available.
    is_logged: AtomicBool,
    /// Posted transitions that could not be written to the table yet.
    uncommitted: Mutex<Vec<DedupKey>>,
}

/// The entries of the table for many keys.
#[derive(Debug, Default)]
pub(super) struct FoundKeys {
    pub(super) posted: Vec<DedupKey>,
    /// The keys whose messages were sent without an answer, and how often.
    pub(super) unanswered: Vec<(DedupKey, u32)>,
}

impl FoundKeys {
    fn add(&mut self, item: &HashMap<String, AttributeValue>, now: u64) {
        let Some(key) = item.get("id").and_then(|id| id.as_s().ok().cloned()) else {
            return;
        };
        if is_posted(item, now) {
            self.posted.push(DedupKey(key));
        } else if let Some(times) = unanswered_of(item) {
            self.unanswered.push((DedupKey(key), times));
        }
    }
}

impl Table {
    pub fn new(name: String, session: Arc<LazySession>) -> Self {
        Self {
            name,
            session,
            client: OnceCell::new(),
            owner: Uuid::new_v4().to_string(),
            misses: AtomicUsize::new(0),
            is_logged: AtomicBool::new(false),
            uncommitted: Mutex::default(),
        }
    }

    /// Call this at the start of an invocation. The table may be available again.
    pub(super) fn begin(&self) {
        self.misses.store(0, Ordering::Relaxed);
        self.is_logged.store(false, Ordering::Relaxed);
    }

    /// Call this at the end of an invocation. It tries once more to write what could not be written before.
    pub(super) async fn finish(&self) {
        self.misses.store(0, Ordering::Relaxed);
        let uncommitted = std::mem::take(&mut *self.uncommitted());
        let committed = uncommitted.iter().map(|key| self.commit(key));
        let committed = stream::iter(committed).buffer_unordered(AT_ONCE);
        committed.collect::<Vec<_>>().await;
    }

    fn uncommitted(&self) -> MutexGuard<'_, Vec<DedupKey>> {
        self.uncommitted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn find(&self, keys: Vec<DedupKey>) -> FoundKeys {
        let parts = keys.chunks(MOST_KEYS).map(|part| self.find_part(part));
        let parts: Vec<_> = stream::iter(parts)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut found = FoundKeys::default();
        for part in parts {
            found.posted.extend(part.posted);
            found.unanswered.extend(part.unanswered);
        }
        found
    }

    /// A busy table answers for some of the keys only. The others are requested again until [`TIMEOUT`].
    async fn find_part(&self, keys: &[DedupKey]) -> FoundKeys {
        let until = Instant::now() + TIMEOUT;
        let now = seconds(SystemTime::now());
        let mut pause = FIRST_PAUSE;
        let mut found = FoundKeys::default();
        let mut wanted: Vec<_> = keys
            .iter()
            .map(|key| HashMap::from([("id".to_owned(), text(key.as_str()))]))
            .collect();
        while let Some(answer) = self.read(wanted, until).await {
            // Only this table was requested, by its name or its ARN.
            let items = answer.responses.into_iter().flatten().flat_map(|it| it.1);
            items.for_each(|item| found.add(&item, now));
            let left = answer.unprocessed_keys.into_iter().flatten();
            wanted = left.flat_map(|(_, left)| left.keys).collect();
            if wanted.is_empty() {
                break;
            }
            if Instant::now() + pause >= until {
                let left = format!(
                    "BatchGetItem: keys without an answer in time: {}",
                    wanted.len()
                );
                self.log(&left);
                break;
            }
            sleep(pause).await;
            pause *= 2;
        }
        found
    }

    async fn read(&self, ids: Vec<Id>, until: Instant) -> Option<BatchGetItemOutput> {
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

    /// `unanswered` is the known count of the key. The claim keeps it.
    pub(super) async fn claim(&self, key: &DedupKey, until: SystemTime, unanswered: u32) -> Claim {
        const CALL: &str = "PutItem";
        let now = SystemTime::now();
        let claimed = self.call(CALL, |dynamo| async move {
            let unanswered = (unanswered > 0).then(|| number(unanswered.into()));
            let put = dynamo
                .put_item()
                .table_name(&self.name)
                .item("id", text(key.as_str()))
                .item("state", text("claimed"))
                .item("owner", text(&self.owner))
                .item("until", number(milliseconds(until)))
                .item("expires", number(seconds(until + RETENTION)))
                .condition_expression(
                    "attribute_not_exists(id) OR expires < :seconds \
                     OR (#state = :claimed AND (#until < :milliseconds OR #owner = :owner))",
                )
                .expression_attribute_names("#state", "state")
                .expression_attribute_names("#until", "until")
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_values(":claimed", text("claimed"))
                .expression_attribute_values(":owner", text(&self.owner))
                .expression_attribute_values(":milliseconds", number(milliseconds(now)))
                .expression_attribute_values(":seconds", number(seconds(now)));
            let put = match unanswered {
                Some(times) => put.item("unanswered", times),
                None => put,
            };
            match put.send().await {
                Ok(_) => Ok(Claim::Granted),
                Err(error) => match error.as_service_error() {
                    Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(Claim::InFlight),
                    _ => Err(CallError::of(CALL, error)),
                },
            }
        });
        match claimed.await {
            // Another process has posted it since the table was read, or is posting it now.
            Some(Claim::InFlight) => {
                let found = self.find_part(std::slice::from_ref(key)).await;
                match found.posted.is_empty() {
                    true => Claim::InFlight,
                    false => Claim::Duplicate,
                }
            }
            Some(claim) => claim,
            // A message that comes twice is better than a lost one.
            None => Claim::Granted,
        }
    }

    pub(super) async fn commit(&self, key: &DedupKey) {
        const CALL: &str = "UpdateItem";
        let expires = seconds(SystemTime::now() + RETENTION);
        let committed = self.call(CALL, |dynamo| async move {
            let update = dynamo
                .update_item()
                .table_name(&self.name)
                .key("id", text(key.as_str()))
                .update_expression("SET #state = :posted, expires = :expires REMOVE #until")
                .expression_attribute_names("#state", "state")
                .expression_attribute_names("#until", "until")
                .expression_attribute_values(":posted", text("posted"))
                .expression_attribute_values(":expires", number(expires));
            update
                .send()
                .await
                .map_err(|error| CallError::of(CALL, error))
        });
        if committed.await.is_none() {
            self.uncommitted().push(key.clone());
        }
    }

    /// Adds one to the count and ends the claim. `None` if the table does not answer, or if another process has the claim
    /// now.
    pub(super) async fn note_unanswered(&self, key: &DedupKey) -> Option<u32> {
        self.end_claim(key, 1).await
    }

    /// Ends the claim and adds `more` to the count of messages without an answer. Returns the new count.
    async fn end_claim(&self, key: &DedupKey, more: u64) -> Option<u32> {
        const CALL: &str = "UpdateItem";
        let answer = self.call(CALL, |dynamo| async move {
            let update = dynamo
                .update_item()
                .table_name(&self.name)
                .key("id", text(key.as_str()))
                .update_expression("SET #until = :over ADD unanswered :more")
                .condition_expression("#owner = :owner AND #state = :claimed")
                .expression_attribute_names("#until", "until")
                .expression_attribute_names("#state", "state")
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_values(":over", number(0))
                .expression_attribute_values(":more", number(more))
                .expression_attribute_values(":claimed", text("claimed"))
                .expression_attribute_values(":owner", text(&self.owner))
                .return_values(ReturnValue::UpdatedNew);
            match update.send().await {
                // Another process has the claim now.
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|it| it.is_conditional_check_failed_exception()) =>
                {
                    Ok(None)
                }
                Err(error) => Err(CallError::of(CALL, error)),
                Ok(answer) => Ok(answer.attributes),
            }
        });
        unanswered_of(&answer.await.flatten()?)
    }

    /// Ends the claim. The item stays in the table if the message was sent without an answer before.
    pub(super) async fn release(&self, key: &DedupKey, unanswered: u32) {
        const CALL: &str = "DeleteItem";
        if unanswered > 0 {
            self.end_claim(key, 0).await;
            return;
        }
        self.call(CALL, |dynamo| async move {
            let delete = dynamo
                .delete_item()
                .table_name(&self.name)
                .key("id", text(key.as_str()))
                .condition_expression("#owner = :owner AND #state = :claimed")
                .expression_attribute_names("#state", "state")
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_values(":claimed", text("claimed"))
                .expression_attribute_values(":owner", text(&self.owner));
            match delete.send().await {
                // Another process has the claim now.
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|it| it.is_conditional_check_failed_exception()) =>
                {
                    Ok(())
                }
                Err(error) => Err(CallError::of(CALL, error)),
                Ok(_) => Ok(()),
            }
        })
        .await;
    }

    /// Calls the table. `None` if there is no answer in time. After two such calls in a row, the table is not called until
    /// the next invocation, because each call would delay a message. A call that DynamoDB refuses, for example because
    /// the table is busy, does not count.
    async fn call<'a, T, F>(
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

    async fn call_until<'a, T, F>(
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
    fn log(&self, why: &str) {
        if !self.is_logged.swap(true, Ordering::Relaxed) {
            let why = why.escape_debug();
            tracing::warn!(%why, "the dedup table is not available; messages may come twice");
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

fn is_posted(item: &HashMap<String, AttributeValue>, now: u64) -> bool {
    let state = item.get("state").and_then(|it| it.as_s().ok());
    let expires = item
        .get("expires")
        .and_then(|it| it.as_n().ok()?.parse::<u64>().ok());
    state.is_some_and(|state| state == "posted") && expires.is_none_or(|expires| expires >= now)
}

fn unanswered_of(item: &HashMap<String, AttributeValue>) -> Option<u32> {
    let times = item.get("unanswered")?.as_n().ok()?;
    times.parse().ok().filter(|times| *times > 0)
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn milliseconds(time: SystemTime) -> u64 {
    let passed = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
}
