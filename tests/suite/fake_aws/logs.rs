//! CloudWatch Logs: groups, and streams that are read page by page. The pages have different sizes, and some are empty.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

use super::ecs::{Definition, Log};
use super::{Answer, FakeAws, Refusal};

/// How many events each page has. The sequence repeats.
const PAGES: [usize; 7] = [3, 0, 1, 0, 0, 997, 40];

#[derive(Default)]
pub(super) struct Logs {
    groups: BTreeMap<String, Group>,
}

#[derive(Default)]
struct Group {
    retention: Option<i64>,
    is_created_by_call: bool,
    streams: BTreeMap<String, Stream>,
}

struct Stream {
    opened: Instant,
    lines: Vec<Log>,
}

impl FakeAws {
    /// Adds a log group that exists before the test.
    pub(crate) fn log_group(&self, name: &str) {
        self.state()
            .logs
            .groups
            .insert(name.to_owned(), Group::default());
    }

    /// Adds a log stream that exists before the test.
    pub(crate) fn log_stream(&self, group: &str, stream: &str, lines: &[&str]) {
        let mut state = self.state();
        let group = state.logs.groups.entry(group.to_owned()).or_default();
        let lines = lines.iter().map(|text| Log {
            container: "",
            after: std::time::Duration::ZERO,
            at: 1_790_000_000_000,
            text: (*text).to_owned(),
        });
        let stream_of = Stream {
            opened: Instant::now(),
            lines: lines.collect(),
        };
        group.streams.insert(stream.to_owned(), stream_of);
    }

    pub(crate) fn retention(&self, group: &str) -> Option<i64> {
        self.state().logs.groups.get(group)?.retention
    }
}

impl Logs {
    pub(super) fn act(&mut self, operation: &str, body: &Value) -> Answer {
        let name = body["logGroupName"].as_str().unwrap();
        match operation {
            "CreateLogGroup" if self.groups.contains_key(name) => Err(Refusal::new(
                "ResourceAlreadyExistsException",
                "The specified log group already exists",
            )),
            "CreateLogGroup" => {
                let created = Group {
                    is_created_by_call: true,
                    ..Group::default()
                };
                self.groups.insert(name.to_owned(), created);
                Ok(json!({}))
            }
            "PutRetentionPolicy" => {
                self.group(name)?.retention = body["retentionInDays"].as_i64();
                Ok(json!({}))
            }
            "DeleteLogGroup" => {
                self.group(name)?;
                self.groups.remove(name);
                Ok(json!({}))
            }
            "GetLogEvents" => self.group(name)?.events(body),
            other => panic!("the fake CloudWatch Logs does not support {other}"),
        }
    }

    fn group(&mut self, name: &str) -> Result<&mut Group, Refusal> {
        self.groups.get_mut(name).ok_or_else(|| {
            Refusal::new(
                "ResourceNotFoundException",
                "The specified log group does not exist.",
            )
        })
    }

    /// The groups that a call created and that have no stream.
    pub(super) fn created_groups(&self) -> impl Iterator<Item = String> {
        let created = self
            .groups
            .iter()
            .filter(|(_, it)| it.is_created_by_call && it.streams.is_empty());
        created.map(|(name, _)| name.clone())
    }

    /// Opens a stream for each container, named as the awslogs driver does.
    pub(super) fn open(&mut self, definition: &Definition, task: &str, lines: &[Log]) {
        for container in definition.body["containerDefinitions"].as_array().unwrap() {
            let options = &container["logConfiguration"]["options"];
            let Some(prefix) = options["awslogs-stream-prefix"].as_str() else {
                continue;
            };
            let name = container["name"].as_str().unwrap();
            let lines = lines.iter().filter(|line| line.container == name);
            let group = self
                .groups
                .entry(options["awslogs-group"].as_str().unwrap().to_owned());
            let stream = Stream {
                opened: Instant::now(),
                lines: lines.cloned().collect(),
            };
            let streams = &mut group.or_default().streams;
            streams.insert(format!("{prefix}/{name}/{task}"), stream);
        }
    }
}

impl Group {
    fn events(&self, body: &Value) -> Answer {
        let missing = || {
            Refusal::new(
                "ResourceNotFoundException",
                "The specified log stream does not exist.",
            )
        };
        let stream = self
            .streams
            .get(body["logStreamName"].as_str().unwrap())
            .ok_or_else(missing)?;
        if body["startFromHead"] == false {
            return Ok(stream.tail(body));
        }
        let shown = stream
            .lines
            .iter()
            .filter(|line| stream.opened.elapsed() >= line.after);
        let shown: Vec<_> = shown.collect();
        // The stream does not exist before its first line.
        if shown.is_empty() && !stream.lines.is_empty() {
            return Err(missing());
        }
        let sent = body["nextToken"].as_str();
        let (place, turn) = sent.map_or((0, 0), read_token);
        let wanted = PAGES[turn % PAGES.len()].min(shown.len() - place);
        let events = shown[place..place + wanted].iter().map(
            |line| json!({"timestamp": line.at, "message": line.text, "ingestionTime": line.at}),
        );
        let next = match sent {
            Some(sent) if place == shown.len() => sent.to_owned(),
            _ => format!("f/{}/{}", place + wanted, turn + 1),
        };
        Ok(json!({
            "events": events.collect::<Vec<_>>(),
            "nextForwardToken": next,
            "nextBackwardToken": format!("b/{place}/{turn}"),
        }))
    }
}

impl Stream {
    /// Reads from the end. The first page is empty although there are lines, as AWS's may be.
    fn tail(&self, body: &Value) -> Value {
        let events = match body["nextToken"].as_str() {
            None => &self.lines[..0],
            Some(_) => {
                let limit = usize::try_from(body["limit"].as_u64().unwrap()).unwrap();
                &self.lines[self.lines.len().saturating_sub(limit)..]
            }
        };
        let events: Vec<_> = events
            .iter()
            .map(|line| json!({"timestamp": line.at, "message": line.text}))
            .collect();
        json!({"events": events, "nextForwardToken": "f/1", "nextBackwardToken": "b/1"})
    }
}

fn read_token(token: &str) -> (usize, usize) {
    let (place, turn) = token
        .strip_prefix("f/")
        .and_then(|it| it.split_once('/'))
        .unwrap();
    (place.parse().unwrap(), turn.parse().unwrap())
}
