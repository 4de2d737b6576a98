//! `--output html`: the channel on one page, as its readers saw it.

use std::collections::{HashMap, VecDeque};

use ecs_parrot::notifier::channel::{ConfiguredChannel, Shown};
use ecs_parrot::notifier::replay::ReplayLine;
use ecs_parrot::notifier::thread::{ActionKind, ThreadKind};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tera::Context;

use crate::page::{self, PageFilter};

/// The most edits of one message that are kept. Earlier ones are counted.
const MOST_EDITS: usize = 50;

/// A thread with more replies is collapsed.
const MOST_OPEN_REPLIES: usize = 10;

/// The channel. It takes one line of the replay after another.
pub(super) struct ChannelPage<'a> {
    channel: &'a ConfiguredChannel,
    entries: Vec<Entry>,
    /// The index of each message in `entries`.
    places: HashMap<u64, usize>,
    /// When the channel showed something for the last time.
    last: Timestamp,
}

/// A message in the channel, or a reply that was also sent to the channel.
#[derive(Debug, Serialize)]
struct Entry {
    #[serde(skip)]
    at: Timestamp,
    post: Post,
    /// For a reply: the number of the message that it replied to.
    root: Option<u64>,
    thread: &'static str,
    /// Each severity that the message has had. A filter shows the message for all of them.
    severities: Vec<&'static str>,
    history: Option<History>,
    replies: Vec<Post>,
}

/// What was posted at one time.
#[derive(Debug, Serialize)]
struct Post {
    number: u64,
    time: String,
    is_broadcast: bool,
    shown: Shown,
}

/// How a message has changed. There is none before its first edit.
#[derive(Debug, Serialize)]
struct History {
    posted: State,
    edits: VecDeque<State>,
    count: usize,
}

/// The message between two edits.
#[derive(Debug, Serialize)]
struct State {
    time: String,
    /// HTML.
    headline: String,
}

/// The entries of one day, in UTC.
#[derive(Debug, Serialize)]
struct Day<'a> {
    title: String,
    entries: &'a [Entry],
}

impl<'a> ChannelPage<'a> {
    pub(super) fn new(channel: &'a ConfiguredChannel) -> Self {
        Self {
            channel,
            entries: Vec::new(),
            places: HashMap::new(),
            last: Timestamp::default(),
        }
    }

    pub(super) fn add(&mut self, line: &ReplayLine) {
        // A time that no calendar has is empty.
        let at = line.at.parse().unwrap_or_default();
        self.last = at;
        match line.action {
            ActionKind::Post => self.add_entry(line, at),
            ActionKind::Update => self.edit(line, at),
            ActionKind::Reply => self.reply(line, at),
            ActionKind::Broadcast => {
                self.reply(line, at);
                self.add_entry(line, at);
            }
        }
    }

    pub(super) fn render(&self) -> anyhow::Result<String> {
        let mut context = Context::new();
        context.insert("channel_type", self.channel.channel_type.into());
        context.insert("minimum", self.channel.minimum.into());
        context.insert("summary", &self.summary());
        context.insert("filters", &self.filters());
        context.insert("days", &self.days());
        context.insert("most_open_replies", &MOST_OPEN_REPLIES);
        page::render(include_str!("page.html"), &context)
    }

    fn add_entry(&mut self, line: &ReplayLine, at: Timestamp) {
        if line.reply.is_none() {
            self.places.insert(line.message, self.entries.len());
        }
        self.entries.push(Entry {
            at,
            post: self.post(line, at, at),
            root: line.reply.map(|_| line.message),
            thread: thread_kind(line),
            severities: vec![line.severity],
            history: None,
            replies: Vec::new(),
        });
    }

    fn edit(&mut self, line: &ReplayLine, at: Timestamp) {
        // The replay posts a message before it edits it or replies to it.
        let Some(place) = self.places.get(&line.message).copied() else {
            return;
        };
        let shown = self.channel.channel.show(&line.shown, &line.html);
        let entry = &mut self.entries[place];
        let edit = State {
            time: time(at, entry.at),
            headline: shown.headline.clone(),
        };
        let before = std::mem::replace(&mut entry.post.shown, shown);
        let history = entry.history.get_or_insert_with(|| History {
            posted: State {
                time: entry.post.time.clone(),
                headline: before.headline,
            },
            edits: VecDeque::new(),
            count: 0,
        });
        history.add(edit);
        if !entry.severities.contains(&line.severity) {
            entry.severities.push(line.severity);
        }
    }

    fn reply(&mut self, line: &ReplayLine, at: Timestamp) {
        let Some(place) = self.places.get(&line.message).copied() else {
            return;
        };
        let post = self.post(line, at, self.entries[place].at);
        self.entries[place].replies.push(post);
    }

    fn post(&self, line: &ReplayLine, at: Timestamp, of: Timestamp) -> Post {
        Post {
            number: line.reply.unwrap_or(line.message),
            time: time(at, of),
            is_broadcast: line.action == ActionKind::Broadcast,
            shown: self.channel.channel.show(&line.shown, &line.html),
        }
    }

    /// What a reader of the channel got.
    fn summary(&self) -> Vec<String> {
        let Some(first) = self.entries.first() else {
            return vec!["no message".to_owned()];
        };
        let broadcasts = self.entries.iter().filter(|it| it.root.is_some()).count();
        let messages = self.entries.len() - broadcasts;
        let replies = self.entries.iter().map(|it| it.replies.len()).sum();
        let history = self.entries.iter().filter_map(|it| it.history.as_ref());
        let edits = history.map(|it| it.count).sum();
        let of_them = match broadcasts {
            0 => String::new(),
            _ => format!(", {broadcasts} of them also sent to the channel"),
        };
        vec![
            counted(messages, "message", "messages"),
            counted(replies, "reply", "replies") + &of_them,
            counted(edits, "edit", "edits"),
            span(first.at, self.last),
        ]
    }

    fn filters(&self) -> [PageFilter; 2] {
        let entries = self.entries.iter();
        let severities = entries.clone().flat_map(|it| it.severities.clone());
        [
            PageFilter {
                name: "thread",
                values: entries.map(|it| it.thread).collect(),
            },
            PageFilter {
                name: "severity",
                values: severities.collect(),
            },
        ]
    }

    fn days(&self) -> Vec<Day<'_>> {
        let is_same_day = |one: &Entry, next: &Entry| day(one.at) == day(next.at);
        let days = self.entries.chunk_by(is_same_day);
        let days = days.map(|entries| Day {
            title: entries.first().map(title).unwrap_or_default(),
            entries,
        });
        days.collect()
    }
}

impl History {
    fn add(&mut self, edit: State) {
        if self.edits.len() == MOST_EDITS {
            self.edits.pop_front();
        }
        self.edits.push_back(edit);
        self.count += 1;
    }
}

/// `none` for a message that belongs to no thread.
fn thread_kind(line: &ReplayLine) -> &'static str {
    let id = line.thread.as_ref().map(|it| it.as_str());
    let kind = id.and_then(|it| it.split('-').next()?.parse::<ThreadKind>().ok());
    kind.map_or("none", Into::into)
}

fn title(entry: &Entry) -> String {
    entry.at.strftime("%A, %-d %B %Y").to_string()
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// The time of the day, after the day if it is not the day of `message`.
fn time(at: Timestamp, message: Timestamp) -> String {
    let time = at.strftime("%H:%M:%S");
    match day(at) {
        other if other != day(message) => format!("{other} {time}"),
        _ => time.to_string(),
    }
}

/// `2026-11-13 14:20:24 to 15:26:09 UTC (1h 5m 45s)`
fn span(first: Timestamp, last: Timestamp) -> String {
    let passed = SignedDuration::from_secs(last.as_second() - first.as_second());
    let (day, from, to) = (day(first), time(first, first), time(last, first));
    format!("{day} {from} to {to} UTC ({passed:#})")
}

fn counted(count: usize, one: &str, several: &str) -> String {
    let name = if count == 1 { one } else { several };
    format!("{count} {name}")
}
