//! The same in DynamoDB, for all functions together.
//!
//! An item is `id` (channel and transition), `state` (`claimed` or `told`), `owner`, `until` (milliseconds since
//! 1970, the end of a claim), `unanswered` (how often it was sent without an answer) and `expires` (seconds, for DynamoDB's own removal, which comes up to days late:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>). So the conditions of a write
//! compare both times themselves.

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

/// How long what was told is remembered: longer than any queue keeps an event.
const MEMORY: Duration = Duration::from_secs(15 * 24 * 3_600);

/// A table that does not answer costs a message this long, once an invocation.
const LIMIT: Duration = Duration::from_millis(800);

/// Calls in a row without an answer, before it is taken to be away.
const MOST_MISSES: usize = 2;

/// Keys in a BatchGetItem. <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>
const MOST_KEYS: usize = 100;

/// Before a BatchGetItem call for the keys that the one before left out; each time twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// BatchGetItem calls at the same time.
const AT_ONCE: usize = 8;

/// An item's key, as DynamoDB has it.
type Id = HashMap<String, AttributeValue>;

#[derive(Debug)]
pub struct Table {
    name: String,
    session: Arc<LazySession>,
    client: OnceCell<Client>,
    owner: String,
    /// Calls without an answer, in a row.
    misses: AtomicUsize,
    /// The log of this invocation says so.
    is_said: AtomicBool,
    /// What it has not been told yet: that these were told.
    uncommitted: Mutex<Vec<DedupKey>>,
}

/// What is known of many keys.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) told: Vec<DedupKey>,
    /// Those that were sent without an answer, and how often.
    pub(super) unanswered: Vec<(DedupKey, u32)>,
}

impl Found {
    fn add(&mut self, item: &HashMap<String, AttributeValue>, now: u64) {
        let Some(key) = item.get("id").and_then(|id| id.as_s().ok().cloned()) else {
            return;
        };
        if is_told(item, now) {
            self.told.push(DedupKey(key));
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
            is_said: AtomicBool::new(false),
            uncommitted: Mutex::default(),
        }
    }

    /// A new invocation: a table that was away may be back.
    pub(super) fn begin(&self) {
        self.misses.store(0, Ordering::Relaxed);
        self.is_said.store(false, Ordering::Relaxed);
    }

    /// What could not be noted is tried once more, at the end of an invocation.
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

    pub(super) async fn find(&self, keys: Vec<DedupKey>) -> Found {
        let parts = keys.chunks(MOST_KEYS).map(|part| self.find_part(part));
        let parts: Vec<_> = stream::iter(parts)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut found = Found::default();
        for part in parts {
            found.told.extend(part.told);
            found.unanswered.extend(part.unanswered);
        }
        found
    }

    /// A busy table answers for some of the keys only: it is asked for the others again, for as long as it may take
    /// to answer at all.
    async fn find_part(&self, keys: &[DedupKey]) -> Found {
        let until = Instant::now() + LIMIT;
        let now = seconds(SystemTime::now());
        let mut pause = FIRST_PAUSE;
        let mut found = Found::default();
        let mut wanted: Vec<_> = keys
            .iter()
            .map(|key| HashMap::from([("id".to_owned(), text(key.as_str()))]))
            .collect();
        while let Some(answer) = self.read(wanted, until).await {
            // Only this table was asked for, by its name or its ARN.
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
                self.say(&left);
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
        let answer = self.ask_until(until, CALL, |dynamo| async move {
            let request = dynamo.batch_get_item().request_items(&self.name, wanted);
            request
                .send()
                .await
                .map_err(|error| CallError::of(CALL, error))
        });
        answer.await
    }

    /// `unanswered` is what was found of the key before: the claim keeps it.
    pub(super) async fn claim(&self, key: &DedupKey, until: SystemTime, unanswered: u32) -> Claim {
        const CALL: &str = "PutItem";
        let now = SystemTime::now();
        let claimed = self.ask(CALL, |dynamo| async move {
            let unanswered = (unanswered > 0).then(|| number(unanswered.into()));
            let put = dynamo
                .put_item()
                .table_name(&self.name)
                .item("id", text(key.as_str()))
                .item("state", text("claimed"))
                .item("owner", text(&self.owner))
                .item("until", number(milliseconds(until)))
                .item("expires", number(seconds(until + MEMORY)))
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
            // Duplicate since it was read, or about to be: in doubt it comes again.
            Some(Claim::InFlight) => {
                let found = self.find_part(std::slice::from_ref(key)).await;
                match found.told.is_empty() {
                    true => Claim::InFlight,
                    false => Claim::Duplicate,
                }
            }
            Some(claim) => claim,
            // Better twice than never.
            None => Claim::Granted,
        }
    }

    pub(super) async fn commit(&self, key: &DedupKey) {
        const CALL: &str = "UpdateItem";
        let expires = seconds(SystemTime::now() + MEMORY);
        let committed = self.ask(CALL, |dynamo| async move {
            let update = dynamo
                .update_item()
                .table_name(&self.name)
                .key("id", text(key.as_str()))
                .update_expression("SET #state = :told, expires = :expires REMOVE #until")
                .expression_attribute_names("#state", "state")
                .expression_attribute_names("#until", "until")
                .expression_attribute_values(":told", text("told"))
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

    /// One more, and the end of the claim. None where the table does not answer, or somebody else has it by now.
    pub(super) async fn note_unanswered(&self, key: &DedupKey) -> Option<u32> {
        self.end_claim(key, 1).await
    }

    /// The end of a claim, with so many more that were sent without an answer; by now how many.
    async fn end_claim(&self, key: &DedupKey, more: u64) -> Option<u32> {
        const CALL: &str = "UpdateItem";
        let answer = self.ask(CALL, |dynamo| async move {
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
                // Somebody else has it by now.
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

    /// `unanswered` is what is known of the key: where it is something, it stays known.
    pub(super) async fn release(&self, key: &DedupKey, unanswered: u32) {
        const CALL: &str = "DeleteItem";
        if unanswered > 0 {
            self.end_claim(key, 0).await;
            return;
        }
        self.ask(CALL, |dynamo| async move {
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
                // Somebody else has it by now.
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

    /// An answer, or none in time. After two of these in a row nothing more is asked until the next invocation: it
    /// would only cost each message its time. A call that is refused, as when the table is busy, says nothing of
    /// the next.
    async fn ask<'a, T, F>(
        &'a self,
        call: &'static str,
        question: impl FnOnce(&'a Client) -> F,
    ) -> Option<T>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        self.ask_until(Instant::now() + LIMIT, call, question).await
    }

    async fn ask_until<'a, T, F>(
        &'a self,
        until: Instant,
        call: &'static str,
        question: impl FnOnce(&'a Client) -> F,
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
                Ok(client) => question(client).await.map_err(Miss::Call),
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
        self.say(&miss.to_string());
        None
    }

    /// Once an invocation.
    fn say(&self, why: &str) {
        if !self.is_said.swap(true, Ordering::Relaxed) {
            let why = why.escape_debug();
            tracing::warn!(%why, "the table of what was told is out of reach; messages may come twice");
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

fn is_told(item: &HashMap<String, AttributeValue>, now: u64) -> bool {
    let state = item.get("state").and_then(|it| it.as_s().ok());
    let expires = item
        .get("expires")
        .and_then(|it| it.as_n().ok()?.parse::<u64>().ok());
    state.is_some_and(|state| state == "told") && expires.is_none_or(|expires| expires >= now)
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
