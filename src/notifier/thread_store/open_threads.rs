//! Lists the open threads of a state table, and closes one by hand.

use std::fmt;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use super::item::{self, ReadItem, read_item};
use super::{Saved, ThreadRecord};
use crate::aws::CallError;
use crate::notifier::state_table::Item;
use crate::notifier::thread::{SubjectKey, Thread, ThreadId, ThreadKind, ThreadState, UnixTime};

/// How often a thread is read and written again because a function was faster.
const MOST_ATTEMPTS: usize = 5;

/// A state table, for a person who looks at it.
#[derive(Debug)]
pub struct ThreadTable<'a> {
    pub dynamo: &'a Client,
    /// The name or the ARN.
    pub name: &'a str,
    /// Items that expired before are left out, and those that are written expire a while after.
    pub now: UnixTime,
}

/// The threads that are open, and the items that may have more of them.
#[derive(Debug, Default)]
pub struct OpenThreads {
    /// The oldest first.
    pub threads: Vec<OpenThread>,
    pub unreadable: Vec<UnreadableThreads>,
}

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

/// An item whose threads are not known: a newer version wrote it, or a person.
#[derive(Debug, Clone)]
pub struct UnreadableThreads {
    /// The item's id in the table.
    pub id: String,
    pub why: String,
}

/// A thread that was closed by hand.
#[derive(Debug, Clone)]
pub struct ClosedThread {
    /// The thread as it was before.
    pub thread: OpenThread,
    /// When the function looks at it. `None` if it waits for the subject's next event.
    pub shown_at: Option<UnixTime>,
}

/// Why a thread was not closed.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("there is no open thread `{thread}` in this table{unreadable}")]
    NotFound {
        thread: String,
        unreadable: UnreadableCount,
    },
    #[error(
        "the thread was not closed: the functions have changed it {MOST_ATTEMPTS} times at the same time; try again"
    )]
    Changed,
}

/// The number of items in which a thread was not looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnreadableCount(usize);

impl fmt::Display for UnreadableCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(
                f,
                "; items that cannot be read: {count} (without `--resolve`, they are named)"
            ),
        }
    }
}

/// The subjects of a table.
#[derive(Default)]
struct Subjects {
    records: Vec<(SubjectKey, ThreadRecord)>,
    unreadable: Vec<UnreadableThreads>,
}

impl ThreadTable<'_> {
    /// The open threads.
    ///
    /// # Errors
    ///
    /// [`CallError`] if the table cannot be read.
    pub async fn open_threads(&self) -> Result<OpenThreads, CallError> {
        let found = self.scan().await?;
        let mut threads = Vec::new();
        for (subject, record) in &found.records {
            let open = record.state.threads().filter(Thread::is_open);
            threads.extend(open.map(|thread| describe(subject, record, &thread)));
        }
        threads.sort_by(|one, other| (&one.since, &one.thread).cmp(&(&other.since, &other.thread)));
        Ok(OpenThreads {
            threads,
            unreadable: found.unreadable,
        })
    }

    /// Closes a thread by hand. The function shows it when it looks at the subject next.
    ///
    /// # Errors
    ///
    /// [`ResolveError`] if there is no such thread, or if the table cannot be written.
    pub async fn resolve(&self, thread: &str) -> Result<ClosedThread, ResolveError> {
        let found = self.scan().await?;
        let not_found = || ResolveError::NotFound {
            thread: thread.to_owned(),
            unreadable: UnreadableCount(found.unreadable.len()),
        };
        let mut records = found.records.into_iter();
        let has_it =
            |(_, record): &(SubjectKey, ThreadRecord)| open_thread(record, thread).is_some();
        let (subject, mut record) = records.find(has_it).ok_or_else(not_found)?;
        for _ in 0..MOST_ATTEMPTS {
            let it = open_thread(&record, thread).ok_or_else(not_found)?;
            let before = describe(&subject, &record, &it);
            record.state.close_by_hand(it.id(), self.now);
            if self.write(&subject, &record).await? == Saved::Yes {
                return Ok(ClosedThread {
                    thread: before,
                    shown_at: record.timers.into_iter().filter(|it| *it > self.now).min(),
                });
            }
            record = self.read(&subject).await?.ok_or_else(not_found)?;
        }
        Err(ResolveError::Changed)
    }

    /// Reads all subjects.
    async fn scan(&self) -> Result<Subjects, CallError> {
        let mut found = Subjects::default();
        let mut start = None;
        loop {
            let request = self.dynamo.scan().table_name(self.name);
            let page = request
                .consistent_read(true)
                .filter_expression("begins_with(id, :thread)")
                .expression_attribute_values(":thread", AttributeValue::S("thread ".to_owned()))
                .set_exclusive_start_key(start.take())
                .send()
                .await
                .map_err(|error| CallError::of("Scan", error))?;
            page.items()
                .iter()
                .for_each(|item| found.add(item, self.now));
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }

    /// Reads one subject as it is now. `None` if it is gone, or cannot be read any more.
    async fn read(&self, subject: &SubjectKey) -> Result<Option<ThreadRecord>, CallError> {
        let request = self.dynamo.get_item().table_name(self.name);
        let answer = request
            .consistent_read(true)
            .key("id", AttributeValue::S(item::id(subject)))
            .send()
            .await
            .map_err(|error| CallError::of("GetItem", error))?;
        let mut found = Subjects::default();
        answer
            .item
            .iter()
            .for_each(|item| found.add(item, self.now));
        Ok(found.records.pop().map(|(_, record)| record))
    }

    async fn write(&self, subject: &SubjectKey, record: &ThreadRecord) -> Result<Saved, CallError> {
        let item = item::item(subject, record, record.version + 1, self.now);
        let request = self.dynamo.put_item().table_name(self.name);
        let put = request
            .set_item(Some(item))
            .condition_expression("version = :version")
            .expression_attribute_values(":version", item::number(record.version));
        match put.send().await {
            Ok(_) => Ok(Saved::Yes),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(Saved::Conflict),
                _ => Err(CallError::of("PutItem", error)),
            },
        }
    }
}

impl Subjects {
    fn add(&mut self, item: &Item, now: UnixTime) {
        let Some((id, read)) = read_item(item, now) else {
            return;
        };
        let subject = item.get("subject").and_then(|it| it.as_s().ok());
        let subject = subject.and_then(|it| serde_json::from_str::<SubjectKey>(it).ok());
        let why = match (read, subject) {
            // Another item is not that subject's, whatever it says.
            (ReadItem::Record(record), Some(subject)) if item::id(&subject) == id => {
                return self.records.push((subject, *record));
            }
            (ReadItem::Record(_), _) => {
                "it has no `subject`, or another one than its id".to_owned()
            }
            (ReadItem::Unreadable { why, .. }, _) => why,
        };
        self.unreadable.push(UnreadableThreads { id, why });
    }
}

fn open_thread(record: &ThreadRecord, id: &str) -> Option<Thread> {
    let mut threads = record.state.threads();
    threads.find(|it| it.is_open() && it.id().as_str() == id)
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
