//! Lists the open threads of a state table, and closes one by hand.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use super::ThreadRecord;
use super::item::{self, ReadItem, read_item};
use crate::aws::CallError;
use crate::notifier::state_table::Item;
use crate::notifier::thread::{SubjectKey, Thread, ThreadId, ThreadKind, ThreadState, UnixTime};

/// An open thread. The fields are those of `ecs-parrot threads --output json`.
#[derive(Debug, Clone, Serialize)]
pub struct OpenThread {
    pub thread: ThreadId,
    pub kind: ThreadKind,
    pub state: Option<ThreadState>,
    pub subject: SubjectKey,
    /// RFC 3339.
    pub since: Option<String>,
    /// The number of its events: failures, tasks, or what an activity counts.
    pub count: u32,
    /// When its last message was sent or edited. RFC 3339.
    pub last_message: Option<String>,
    /// How much is not sent yet.
    pub due: usize,
}

/// Why a thread was not closed.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("there is no open thread `{0}` in this table")]
    NotFound(String),
    #[error("the thread has changed at the same time; try again")]
    Changed,
}

/// The open threads of a table, the oldest first.
///
/// # Errors
///
/// [`CallError`] if the table cannot be read.
pub async fn open_threads(dynamo: &Client, table: &str) -> Result<Vec<OpenThread>, CallError> {
    let mut found = Vec::new();
    for (subject, record) in scan(dynamo, table).await? {
        let open = record.state.threads().filter(Thread::is_open);
        found.extend(open.map(|thread| describe(&subject, &record, &thread)));
    }
    found.sort_by(|one, other| (&one.since, &one.thread).cmp(&(&other.since, &other.thread)));
    Ok(found)
}

/// Closes a thread by hand. The function shows it when it looks at the subject next.
///
/// # Errors
///
/// [`ResolveError`] if there is no such thread, or if the table cannot be written.
pub async fn resolve(
    dynamo: &Client,
    table: &str,
    thread: &str,
    now: UnixTime,
) -> Result<OpenThread, ResolveError> {
    for (subject, mut record) in scan(dynamo, table).await? {
        let is_it = |it: &Thread| it.is_open() && it.id().as_str() == thread;
        let found = record.state.threads().find(is_it);
        let Some(found) = found else {
            continue;
        };
        let described = describe(&subject, &record, &found);
        record.state.close_by_hand(found.id(), now);
        write(dynamo, table, &subject, &record).await?;
        return Ok(described);
    }
    Err(ResolveError::NotFound(thread.to_owned()))
}

fn describe(subject: &SubjectKey, record: &ThreadRecord, thread: &Thread) -> OpenThread {
    let text = |time: UnixTime| Some(time.timestamp()?.to_string());
    OpenThread {
        thread: thread.id().clone(),
        kind: thread.kind(),
        state: thread.state(),
        subject: subject.clone(),
        since: thread.since().and_then(text),
        count: thread.count(),
        last_message: thread.last_message_at().and_then(text),
        due: record.outbox.due_count(),
    }
}

/// Reads all subjects. A record that cannot be read is left out; the function logs it.
async fn scan(dynamo: &Client, table: &str) -> Result<Vec<(SubjectKey, ThreadRecord)>, CallError> {
    let mut found = Vec::new();
    let mut start = None;
    loop {
        let page = dynamo
            .scan()
            .table_name(table)
            .filter_expression("begins_with(id, :thread)")
            .expression_attribute_values(":thread", AttributeValue::S("thread ".to_owned()))
            .set_exclusive_start_key(start.take())
            .send()
            .await
            .map_err(|error| CallError::of("Scan", error))?;
        found.extend(page.items().iter().filter_map(read));
        start = page.last_evaluated_key;
        if start.is_none() {
            return Ok(found);
        }
    }
}

fn read(item: &Item) -> Option<(SubjectKey, ThreadRecord)> {
    let subject = item.get("subject")?.as_s().ok()?;
    let subject = serde_json::from_str(subject).ok()?;
    match read_item(item, std::time::SystemTime::now())?.1 {
        ReadItem::Record(record) => Some((subject, *record)),
        ReadItem::Unreadable { .. } => None,
    }
}

async fn write(
    dynamo: &Client,
    table: &str,
    subject: &SubjectKey,
    record: &ThreadRecord,
) -> Result<(), ResolveError> {
    let now = std::time::SystemTime::now();
    let put = dynamo
        .put_item()
        .table_name(table)
        .set_item(Some(item::item(subject, record, record.version + 1, now)))
        .condition_expression("version = :version")
        .expression_attribute_values(":version", item::number(record.version));
    match put.send().await {
        Ok(_) => Ok(()),
        Err(error) => match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(_)) => Err(ResolveError::Changed),
            _ => Err(CallError::of("PutItem", error).into()),
        },
    }
}
