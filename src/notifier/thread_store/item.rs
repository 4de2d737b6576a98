//! A record as an item of the state table.
//!
//! Attributes: `id` (`thread SUBJECT`), `version` (each write adds one), `format` (the format of `thread`), `subject`,
//! `thread` (JSON, or JSON that is compressed), and `expires` (seconds since 1970, for DynamoDB's TTL).
//!
//! DynamoDB charges a write for each kilobyte of the item. Most of a record are names of fields and times, which
//! compress to a third.

use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use serde_json::Value;

use super::ThreadRecord;
use crate::notifier::state_table::Item;
use crate::notifier::thread::{SubjectKey, UnixTime};

/// `thread` is JSON.
const PLAIN: u64 = 1;

/// `thread` is JSON that is compressed (RFC 1951).
const COMPRESSED: u64 = 2;

/// A shorter record is written as it is, because the item takes one kilobyte in any case.
const LONGEST_PLAIN: usize = 600;

/// From this level on, more time saves little.
const LEVEL: u8 = 4;

/// A longer record cannot be ours.
const LONGEST: usize = 1024 * 1024;

/// How long a subject is remembered after its last change, or after the end of what AWS has announced.
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

pub(super) fn item(key: &SubjectKey, record: &ThreadRecord, version: u64, now: UnixTime) -> Item {
    let last = record.state.lasts_until().map_or(now, |it| it.max(now));
    let expires = u64::try_from(last.plus(RETENTION).as_seconds()).unwrap_or_default();
    let subject = serde_json::to_string(key).unwrap_or_default();
    let thread = json(record);
    let (format, thread) = match thread.len() > LONGEST_PLAIN {
        true => {
            let compressed = compress_to_vec(thread.as_bytes(), LEVEL);
            (COMPRESSED, AttributeValue::B(Blob::new(compressed)))
        }
        false => (PLAIN, AttributeValue::S(thread)),
    };
    [
        ("id", AttributeValue::S(id(key))),
        ("version", number(version)),
        ("format", number(format)),
        ("subject", AttributeValue::S(subject)),
        ("thread", thread),
        ("expires", number(expires)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Without the fields that are null, because a field that is missing is read as null.
fn json(record: &ThreadRecord) -> String {
    let mut value = serde_json::to_value(record).unwrap_or_default();
    remove_nulls(&mut value);
    value.to_string()
}

fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Reads an item. `None` if it has no id. DynamoDB removes expired items up to days late, so their content does not
/// count.
pub(super) fn read_item(item: &Item, now: UnixTime) -> Option<(String, ReadItem)> {
    let id = item.get("id")?.as_s().ok()?.clone();
    let version = read_number(item, "version").unwrap_or_default();
    let now = u64::try_from(now.as_seconds()).unwrap_or_default();
    if version > 0 && read_number(item, "expires").is_some_and(|it| it < now) {
        let record = Box::new(ThreadRecord {
            version,
            ..ThreadRecord::default()
        });
        return Some((id, ReadItem::Record(record)));
    }
    let record = match read_record(item) {
        Ok(record) => ReadItem::Record(Box::new(ThreadRecord { version, ..record })),
        Err(why) => ReadItem::Unreadable { version, why },
    };
    Some((id, record))
}

fn read_record(item: &Item) -> Result<ThreadRecord, String> {
    let thread = item.get("thread");
    let read = match (read_number(item, "format"), thread) {
        (Some(PLAIN), Some(AttributeValue::S(text))) => serde_json::from_str(text),
        (Some(COMPRESSED), Some(AttributeValue::B(bytes))) => {
            let json = decompress_to_vec_with_limit(bytes.as_ref(), LONGEST);
            serde_json::from_slice(&json.map_err(|error| error.to_string())?)
        }
        (Some(format), _) if format > COMPRESSED => {
            return Err(format!(
                "its format is {format}, and this version knows {COMPRESSED}"
            ));
        }
        (_, _) => return Err("it has no `format` or no `thread`".to_owned()),
    };
    read.map_err(|error| error.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::thread::SubjectKind;

    const NOW: UnixTime = UnixTime::of_milliseconds(1_793_064_704_000);

    fn record(timers: i64) -> ThreadRecord {
        ThreadRecord {
            timers: (0..timers).map(UnixTime::of_milliseconds).collect(),
            ..ThreadRecord::default()
        }
    }

    fn written(record: &ThreadRecord) -> Item {
        let key = SubjectKey {
            kind: SubjectKind::Service,
            account: "210987654321".to_owned(),
            region: "eu-west-1".to_owned(),
            cluster: "prod-web".to_owned(),
            name: "checkout".to_owned(),
        };
        item(&key, record, 7, NOW)
    }

    fn timers(item: &Item) -> Result<Vec<UnixTime>, String> {
        match read_item(item, NOW) {
            Some((_, ReadItem::Record(record))) => Ok(record.timers),
            Some((_, ReadItem::Unreadable { why, .. })) => Err(why),
            None => Err("no id".to_owned()),
        }
    }

    /// The caller says what time it is.
    #[test]
    fn a_record_expires_eight_days_after_its_change() {
        let item = written(&record(3));
        assert_eq!(
            read_number(&item, "expires"),
            Some(1_793_064_704 + 8 * 86_400)
        );
        let read = |now: UnixTime| match read_item(&item, now) {
            Some((_, ReadItem::Record(record))) => record.timers.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(read(NOW.plus(RETENTION)), 3);
        assert_eq!(read(NOW.plus(RETENTION + Duration::from_secs(1))), 0);
    }

    #[test]
    fn a_long_record_is_compressed_and_read_again() {
        for (count, format) in [(1, PLAIN), (1_000, COMPRESSED)] {
            let record = record(count);
            let item = written(&record);
            assert_eq!(read_number(&item, "format"), Some(format));
            assert_eq!(timers(&item), Ok(record.timers.clone()));
            let json = serde_json::to_string(&record).unwrap();
            let plain = [
                ("thread", AttributeValue::S(json)),
                ("format", number(PLAIN)),
            ];
            let mut item = item;
            item.extend(plain.map(|(name, value)| (name.to_owned(), value)));
            assert_eq!(
                timers(&item),
                Ok(record.timers),
                "written by an older version"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (format, bytes, why) in [
            (3, Vec::new(), "its format is 3, and this version knows 2"),
            (2, vec![0xff; 9], "Invalid"),
            (2, compress_to_vec(b"{", LEVEL), "EOF"),
            // A few bytes that become a gigabyte.
            (
                2,
                compress_to_vec(&vec![b' '; 2 * LONGEST], LEVEL),
                "Output size exceeded",
            ),
            (1, Vec::new(), "it has no `format` or no `thread`"),
        ] {
            let mut item = written(&record(1));
            item.insert("format".to_owned(), number(format));
            let thread = AttributeValue::B(Blob::new(bytes));
            item.insert("thread".to_owned(), thread);
            let found = timers(&item).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
    }
}
