//! A record as an item of the state table.
//!
//! Attributes: `id` (`thread SUBJECT`), `version` (each write adds one), `format` (the format of `thread`), `subject`,
//! `thread` (JSON), and `expires` (seconds since 1970, for DynamoDB's TTL).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;

use super::ThreadRecord;
use crate::notifier::state_table::Item;
use crate::notifier::thread::SubjectKey;

/// The format that this version writes and reads.
const FORMAT: u64 = 1;

/// How long a subject is remembered after its last change.
const RETENTION: Duration = Duration::from_secs(8 * 24 * 3_600);

/// What an item contains.
#[derive(Debug)]
pub(super) enum ReadItem {
    Record(Box<ThreadRecord>),
    /// It was written by a newer version, or by hand.
    Unreadable {
        version: u64,
        why: String,
    },
}

/// The id of a subject's item.
pub(super) fn id(key: &SubjectKey) -> String {
    format!("thread {key}")
}

pub(super) fn item(key: &SubjectKey, record: &ThreadRecord, version: u64, now: SystemTime) -> Item {
    let expires = now + RETENTION;
    let expires = expires.duration_since(UNIX_EPOCH).unwrap_or_default();
    let json =
        |value: Result<String, serde_json::Error>| AttributeValue::S(value.unwrap_or_default());
    [
        ("id", AttributeValue::S(id(key))),
        ("version", number(version)),
        ("format", number(FORMAT)),
        ("subject", json(serde_json::to_string(key))),
        ("thread", json(serde_json::to_string(record))),
        ("expires", number(expires.as_secs())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Reads an item. `None` if it has no id. DynamoDB removes expired items up to days late, so their content does not
/// count.
pub(super) fn read_item(item: &Item, now: SystemTime) -> Option<(String, ReadItem)> {
    let id = item.get("id")?.as_s().ok()?.clone();
    let version = read_number(item, "version").unwrap_or_default();
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if version > 0 && read_number(item, "expires").is_some_and(|it| it < now) {
        let record = Box::new(ThreadRecord {
            version,
            ..ThreadRecord::default()
        });
        return Some((id, ReadItem::Record(record)));
    }
    let unreadable = |why: String| ReadItem::Unreadable { version, why };
    let text = item.get("thread").and_then(|it| it.as_s().ok());
    let read = match (read_number(item, "format"), text) {
        (Some(FORMAT), Some(text)) => match serde_json::from_str::<ThreadRecord>(text) {
            Ok(record) => ReadItem::Record(Box::new(ThreadRecord { version, ..record })),
            Err(error) => unreadable(error.to_string()),
        },
        (Some(format), _) if format > FORMAT => unreadable(format!(
            "its format is {format}, and this version knows {FORMAT}"
        )),
        (_, _) => unreadable("it has no `format` or no `thread`".to_owned()),
    };
    Some((id, read))
}

/// Gives an unreadable item an id of its own.
pub(super) fn mark_unreadable(item: &mut Item, key: &SubjectKey) {
    let id = format!("unreadable {}", id(key));
    item.insert("id".to_owned(), AttributeValue::S(id));
}

pub(super) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn read_number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}
