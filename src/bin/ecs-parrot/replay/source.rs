//! Reads events in the order of their times, without keeping them all in memory.
//!
//! The first pass notes where each event is and its time. Then the events are read again, a second at a time. A document
//! with many events (a list, or a payload of a queue) is kept as a whole. If no event has a time, they happen now.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Context as _;
use ecs_parrot::ecs::event::{EcsEvent, Time};
use ecs_parrot::notifier::ingest;
use ecs_parrot::notifier::thread::UnixTime;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::input;

/// The events of all inputs.
pub(super) struct Source {
    files: Vec<File>,
    /// In the order of their times.
    entries: Vec<Entry>,
    next: usize,
    /// The documents with many events.
    documents: HashMap<(usize, u64), Rc<Vec<EcsEvent>>>,
}

/// Where an event is.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The second of the event's time.
    second: i64,
    file: usize,
    start: u64,
    length: u64,
    /// The index of the event in its document.
    index: usize,
}

/// Something that is not an event.
#[derive(Debug)]
pub(super) struct UnreadableEvent {
    /// The input, and the number of the document in it.
    pub(super) place: String,
    pub(super) error: String,
}

/// What the first pass finds.
#[derive(Default)]
struct Index {
    files: Vec<File>,
    entries: Vec<Entry>,
    documents: HashMap<(usize, u64), Rc<Vec<EcsEvent>>>,
    unreadable: Vec<UnreadableEvent>,
    /// The time of the event before.
    second: Option<i64>,
}

impl Source {
    pub(super) fn open(paths: &[PathBuf]) -> anyhow::Result<(Self, Vec<UnreadableEvent>)> {
        let mut index = Index::default();
        for path in paths {
            index.add_path(path)?;
        }
        let mut entries = index.entries;
        if index.second.is_none() {
            let now = UnixTime::of(Timestamp::now()).as_seconds();
            entries.iter_mut().for_each(|it| it.second = now);
        }
        // Stable: events of one second stay in the order of the files.
        entries.sort_by_key(|it| it.second);
        let source = Self {
            files: index.files,
            entries,
            next: 0,
            documents: index.documents,
        };
        Ok((source, index.unreadable))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The events of the next second.
    pub(super) fn next_batch(&mut self) -> anyhow::Result<Option<(UnixTime, Vec<EcsEvent>)>> {
        let Some(first) = self.entries.get(self.next).copied() else {
            return Ok(None);
        };
        let mut events = Vec::new();
        while let Some(entry) = self.entries.get(self.next).copied() {
            if entry.second != first.second {
                break;
            }
            events.push(self.read(entry)?);
            self.next += 1;
        }
        let at = UnixTime::of_milliseconds(first.second.saturating_mul(1_000));
        Ok(Some((at, events)))
    }

    fn read(&mut self, entry: Entry) -> anyhow::Result<EcsEvent> {
        let kept = self.documents.get(&(entry.file, entry.start)).cloned();
        let events = match kept {
            Some(events) => events,
            None => {
                let file = &mut self.files[entry.file];
                file.seek(SeekFrom::Start(entry.start))?;
                let mut bytes = Vec::new();
                file.take(entry.length).read_to_end(&mut bytes)?;
                let value = serde_json::from_slice(&bytes).context("the file has changed")?;
                Rc::new(events(&value).0)
            }
        };
        let event = events.get(entry.index).cloned();
        event.context("the file has changed")
    }
}

impl Index {
    fn add_path(&mut self, path: &Path) -> anyhow::Result<()> {
        if path == Path::new("-") {
            let file = copy_of_standard_input().context("standard input cannot be read")?;
            self.add_file("-", file);
            return Ok(());
        }
        let paths = match path.is_dir() {
            true => match input::files_of(path) {
                Ok(paths) => paths,
                Err(error) => return self.note_unreadable(path.display().to_string(), error),
            },
            false => vec![path.to_owned()],
        };
        for path in paths {
            let name = path.display().to_string();
            match File::open(&path) {
                Ok(file) => self.add_file(&name, file),
                Err(error) => self.note_unreadable(name, format!("cannot be read: {error}"))?,
            }
        }
        Ok(())
    }

    fn note_unreadable(&mut self, place: String, error: String) -> anyhow::Result<()> {
        self.unreadable.push(UnreadableEvent { place, error });
        Ok(())
    }

    fn add_file(&mut self, name: &str, file: File) {
        let number = self.files.len();
        let documents = file.try_clone().map(|file| {
            serde_json::Deserializer::from_reader(BufReader::new(WithoutMark::new(file)))
                .into_iter::<Box<RawValue>>()
        });
        let mut documents = match documents {
            Ok(documents) => documents,
            Err(error) => {
                let error = format!("cannot be read: {error}");
                return self.unreadable.push(UnreadableEvent {
                    place: name.to_owned(),
                    error,
                });
            }
        };
        self.files.push(file);
        let mut count = 0;
        while let Some(document) = documents.next() {
            count += 1;
            let end = documents.byte_offset() as u64;
            match document {
                Ok(document) => self.add_document(name, number, count, &document, end),
                Err(error) => {
                    self.unreadable.push(UnreadableEvent {
                        place: name.to_owned(),
                        error: format!("not JSON: {error}"),
                    });
                    break;
                }
            }
        }
        if count == 0 {
            self.unreadable.push(UnreadableEvent {
                place: name.to_owned(),
                error: "it is empty".to_owned(),
            });
        }
    }

    fn add_document(
        &mut self,
        name: &str,
        file: usize,
        number: usize,
        document: &RawValue,
        end: u64,
    ) {
        let text = document.get();
        let length = text.len() as u64;
        let start = end - length;
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let (events, errors) = events(&value);
        for error in errors {
            self.unreadable.push(UnreadableEvent {
                place: format!("{name}, document {number}"),
                error,
            });
        }
        for (index, event) in events.iter().enumerate() {
            let time = event.envelope.time.as_ref().and_then(Time::instant);
            if let Some(time) = time {
                let second = UnixTime::of(time).as_seconds();
                if self.second.is_none() {
                    // Events without a time come with the first one that has a time.
                    self.entries.iter_mut().for_each(|it| it.second = second);
                }
                self.second = Some(second);
            }
            self.entries.push(Entry {
                second: self.second.unwrap_or_default(),
                file,
                start,
                length,
                index,
            });
        }
        if events.len() > 1 {
            self.documents.insert((file, start), Rc::new(events));
        }
    }
}

/// The events of a document, and what is no event.
fn events(value: &Value) -> (Vec<EcsEvent>, Vec<String>) {
    let (mut events, mut errors) = (Vec::new(), Vec::new());
    for item in ingest::open(value).items {
        match item.event {
            Ok(event) => events.push(event),
            Err(error) => errors.push(error.to_string()),
        }
    }
    (events, errors)
}

/// Replaces a byte order mark, which some editors write, by spaces. So the positions stay the same.
struct WithoutMark {
    file: File,
    is_first: bool,
}

impl WithoutMark {
    fn new(file: File) -> Self {
        let is_first = true;
        Self { file, is_first }
    }
}

impl io::Read for WithoutMark {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if std::mem::take(&mut self.is_first) && buffer.starts_with(b"\xef\xbb\xbf") {
            buffer[..3].fill(b' ');
        }
        Ok(read)
    }
}

/// Standard input can be read once only, so it is copied to a temporary file.
fn copy_of_standard_input() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("ecs-parrot-{}", uuid::Uuid::new_v4()));
    let mut file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    // On Unix, the file stays readable until it is closed.
    let removed = std::fs::remove_file(&path);
    io::copy(&mut io::stdin().lock(), &mut file)?;
    file.flush()?;
    file.seek(SeekFrom::Start(0))?;
    removed.map(|()| file)
}
