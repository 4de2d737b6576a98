//! The dedup store in a DynamoDB table, which all functions share.
//!
//! An item has these attributes: `id` (channel and transition), `state` (`claimed` or `posted`), `owner`, `until`
//! (milliseconds since 1970, the end of a claim), `unanswered` (how often the message was sent without an answer) and
//! `expires` (seconds since 1970, for DynamoDB's TTL). TTL removes items up to days late
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>). So the conditions of a write compare
//! both times themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use futures::{StreamExt as _, stream};
use uuid::Uuid;

use super::{Claim, DedupKey};
use crate::aws::CallError;
use crate::notifier::state_table::StateTable;

/// How long a posted transition is remembered. It is longer than any queue keeps an event.
const RETENTION: Duration = Duration::from_secs(15 * 24 * 3_600);

/// The number of calls at the same time.
const AT_ONCE: usize = 8;

#[derive(Debug)]
pub(super) struct DedupTable {
    table: Arc<StateTable>,
    owner: String,
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

impl DedupTable {
    pub(super) fn new(table: Arc<StateTable>) -> Self {
        Self {
            table,
            owner: Uuid::new_v4().to_string(),
            uncommitted: Mutex::default(),
        }
    }

    /// Call this at the end of an invocation. It tries once more to write what could not be written before.
    pub(super) async fn finish(&self) {
        self.table.begin();
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

    pub(super) async fn find(&self, keys: &[DedupKey]) -> FoundKeys {
        let now = seconds(SystemTime::now());
        let mut found = FoundKeys::default();
        let ids = keys.iter().map(|key| key.as_str().to_owned()).collect();
        let items = self.table.get(ids).await.items;
        items.iter().for_each(|item| found.add(item, now));
        found
    }

    /// `unanswered` is the known count of the key. The claim keeps it.
    pub(super) async fn claim(&self, key: &DedupKey, until: SystemTime, unanswered: u32) -> Claim {
        const CALL: &str = "PutItem";
        let now = SystemTime::now();
        let claimed = self.table.call(CALL, |dynamo| async move {
            let unanswered = (unanswered > 0).then(|| number(unanswered.into()));
            let put = dynamo
                .put_item()
                .table_name(self.table.name())
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
                let found = self.find(std::slice::from_ref(key)).await;
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
        let committed = self.table.call(CALL, |dynamo| async move {
            let update = dynamo
                .update_item()
                .table_name(self.table.name())
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
        let answer = self.table.call(CALL, |dynamo| async move {
            let update = dynamo
                .update_item()
                .table_name(self.table.name())
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
        self.table
            .call(CALL, |dynamo| async move {
                let delete = dynamo
                    .delete_item()
                    .table_name(self.table.name())
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
