//! Reads what the containers of tasks log to CloudWatch Logs: each line once, the oldest first.
//!
//! An empty page is not the end of a stream. The end is reached when the returned token is the one that was sent. A
//! token is an exact position, so a failed call can be made again without losing or repeating a line. A time is not
//! exact enough, because several lines may have the same millisecond.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html>

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::{Map, Value, json};

use super::clone::log_driver;
use super::definition::TaskDefinition;
use crate::aws::service::{Client, logs};
use crate::aws::{CallError, ErrorKind, LogDestination, Session};
use crate::ecs::arn;

/// The log stream of one container of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerStream {
    pub task: String,
    pub container: String,
    pub region: String,
    pub group: String,
    pub name: String,
}

/// A container whose log cannot be read here, with its log driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadLog {
    pub container: String,
    pub driver: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub task: String,
    pub container: String,
    /// Milliseconds since 1970, set by the log driver.
    pub at: i64,
    pub text: String,
}

/// The streams of the containers that log to CloudWatch Logs, and the containers that do not.
pub fn streams(
    definition: &TaskDefinition,
    tasks: &[String],
    region: &str,
) -> (Vec<ContainerStream>, Vec<UnreadLog>) {
    let mut streams = Vec::new();
    let mut unread = Vec::new();
    for container in definition.containers() {
        let name = container
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let driver = log_driver(container).unwrap_or("none");
        match destination(container).filter(|_| driver == "awslogs") {
            Some(log) => {
                streams.extend(tasks.iter().map(|task| stream(&log, task, name, region)));
            }
            None => unread.push(UnreadLog {
                container: name.to_owned(),
                driver: driver.to_owned(),
            }),
        }
    }
    (streams, unread)
}

fn destination(container: &Map<String, Value>) -> Option<LogDestination> {
    let options = container.get("logConfiguration")?.get("options")?;
    LogDestination::read(|name| options.get(name).and_then(Value::as_str).map(str::to_owned))
}

fn stream(log: &LogDestination, task: &str, container: &str, region: &str) -> ContainerStream {
    let id = arn::name(task);
    ContainerStream {
        task: id.to_owned(),
        container: container.to_owned(),
        region: log.region(region).to_owned(),
        group: log.group.clone(),
        name: log.stream(container, id),
    }
}

/// Reads several streams, one page of each at a time.
#[derive(Debug)]
pub struct LogTailer {
    tails: Vec<StreamTail>,
}

/// What one round read.
#[derive(Debug, Default)]
pub struct Round {
    /// The oldest first. Lines of one stream keep the order of the stream.
    pub lines: Vec<LogLine>,
    /// Some stream was not read to its end.
    pub has_more: bool,
    /// Streams that cannot be read any more.
    pub lost: Vec<(ContainerStream, CallError)>,
    /// Some stream could not be read this time.
    pub failing: bool,
}

#[derive(Debug)]
struct StreamTail {
    client: Client,
    stream: ContainerStream,
    token: Option<String>,
    is_lost: bool,
}

/// The result of reading one page of one stream.
enum ReadResult {
    Lines {
        lines: Vec<LogLine>,
        is_last: bool,
    },
    /// The stream does not exist yet. It is created when its container starts.
    NotYet,
    Failing,
    Lost(CallError),
}

impl LogTailer {
    pub fn new(session: &Session, streams: Vec<ContainerStream>) -> Self {
        let mut clients: BTreeMap<String, Client> = BTreeMap::new();
        let tails = streams.into_iter().map(|stream| {
            let client = clients
                .entry(stream.region.clone())
                .or_insert_with(|| session.logs(&stream.region));
            StreamTail {
                client: client.clone(),
                stream,
                token: None,
                is_lost: false,
            }
        });
        Self {
            tails: tails.collect(),
        }
    }

    pub fn streams(&self) -> impl Iterator<Item = &ContainerStream> {
        self.tails.iter().map(|tail| &tail.stream)
    }

    /// Whether at least one stream can still be read.
    pub fn is_open(&self) -> bool {
        self.tails.iter().any(|tail| !tail.is_lost)
    }

    pub fn has_several_containers(&self) -> bool {
        self.differ(|stream| &stream.container)
    }

    pub fn has_several_tasks(&self) -> bool {
        self.differ(|stream| &stream.task)
    }

    fn differ(&self, part: impl Fn(&ContainerStream) -> &str) -> bool {
        let mut parts = self.streams().map(part);
        let first = parts.next();
        parts.any(|other| Some(other) != first)
    }

    /// Reads the next page of each stream. If the future is dropped before its end, nothing was read.
    pub async fn round(&mut self) -> Round {
        let open = self.tails.iter().filter(|tail| !tail.is_lost);
        let answers = join_all(open.map(StreamTail::read)).await;
        let mut round = Round::default();
        let mut pages = Vec::new();
        let open = self.tails.iter_mut().filter(|tail| !tail.is_lost);
        for (tail, answer) in open.zip(answers) {
            match tail.advance(answer) {
                ReadResult::Lines { lines, is_last } => {
                    pages.push(lines);
                    round.has_more |= !is_last;
                }
                ReadResult::NotYet => {}
                ReadResult::Failing => round.failing = true,
                ReadResult::Lost(error) => {
                    tail.is_lost = true;
                    round.lost.push((tail.stream.clone(), error));
                }
            }
        }
        round.lines = merge(pages);
        round
    }
}

impl StreamTail {
    async fn read(&self) -> Result<logs::Page, CallError> {
        // The tokens are only valid for reading forward.
        let mut input = json!({
            "logGroupName": self.stream.group,
            "logStreamName": self.stream.name,
            "startFromHead": true,
        });
        if let Some(token) = &self.token {
            input["nextToken"] = token.as_str().into();
        }
        logs::get_log_events(&self.client, &input).await
    }

    fn advance(&mut self, answer: Result<logs::Page, CallError>) -> ReadResult {
        let page = match answer {
            Ok(page) => page,
            Err(error) if error.has_code("ResourceNotFoundException") => return ReadResult::NotYet,
            Err(error) if error.is_retryable() => return ReadResult::Failing,
            Err(error) => return ReadResult::Lost(error),
        };
        let lines = page.events.into_iter().map(|event| LogLine {
            task: self.stream.task.clone(),
            container: self.stream.container.clone(),
            at: event.timestamp.unwrap_or_default(),
            text: event.message.unwrap_or_default(),
        });
        let lines = lines.collect();
        let next = page.next_forward_token;
        let is_last = next.is_none() || next == self.token;
        self.token = next.or_else(|| self.token.take());
        ReadResult::Lines { lines, is_last }
    }
}

/// Merges the lines of several streams by time. Lines of one stream keep their order.
fn merge(pages: Vec<Vec<LogLine>>) -> Vec<LogLine> {
    let mut pages: Vec<_> = pages
        .into_iter()
        .map(|page| page.into_iter().peekable())
        .collect();
    let mut lines = Vec::new();
    loop {
        let heads = pages.iter_mut().enumerate();
        let heads = heads.filter_map(|(index, page)| Some((page.peek()?.at, index)));
        let Some((_, oldest)) = heads.min() else {
            return lines;
        };
        lines.extend(pages[oldest].next());
    }
}

/// What to do if the permission to read a log is missing.
pub fn advice(stream: &ContainerStream, error: &CallError) -> Option<String> {
    (error.kind == ErrorKind::Denied).then(|| {
        format!(
            "allow logs:GetLogEvents on log group `{}`; the task itself is not affected",
            stream.group
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_line_first_and_each_stream_in_its_order() {
        let line = |container: &str, at, text: &str| LogLine {
            task: "1a2b".to_owned(),
            container: container.to_owned(),
            at,
            text: text.to_owned(),
        };
        // The clock of a driver may go back. The order of the stream is kept.
        let app = vec![
            line("app", 5, "a"),
            line("app", 3, "b"),
            line("app", 9, "c"),
        ];
        let sidecar = vec![line("sidecar", 4, "x"), line("sidecar", 4, "y")];
        let merged = merge(vec![app, sidecar, Vec::new()]);
        let texts: Vec<_> = merged.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["x", "y", "a", "b", "c"]);
    }

    #[test]
    fn stream_names_have_prefix_container_and_task() {
        let awslogs = |options: Value| json!({"logDriver": "awslogs", "options": options});
        let body = json!({"containerDefinitions": [
            {"name": "app", "logConfiguration": awslogs(json!(
                {"awslogs-group": "/g", "awslogs-stream-prefix": "p", "awslogs-region": "us-east-1"}))},
            {"name": "near", "logConfiguration": awslogs(json!(
                {"awslogs-group": "/g", "awslogs-stream-prefix": "p"}))},
            {"name": "unnamed", "logConfiguration": awslogs(json!({"awslogs-group": "/g"}))},
            {"name": "router", "logConfiguration": {"logDriver": "awsfirelens"}},
            {"name": "silent"},
        ]});
        let Value::Object(body) = body else {
            unreachable!()
        };
        let definition = TaskDefinition {
            body,
            tags: Vec::new(),
        };
        let tasks = ["arn:aws:ecs:eu-west-1:210987654321:task/prod/1a2b".to_owned()];
        let (streams, unread) = streams(&definition, &tasks, "eu-west-1");
        let streams: Vec<_> = streams
            .iter()
            .map(|it| (it.region.as_str(), it.group.as_str(), it.name.as_str()))
            .collect();
        assert_eq!(
            streams,
            [
                ("us-east-1", "/g", "p/app/1a2b"),
                ("eu-west-1", "/g", "p/near/1a2b")
            ]
        );
        let unread: Vec<_> = unread
            .iter()
            .map(|it| (it.container.as_str(), it.driver.as_str()))
            .collect();
        assert_eq!(
            unread,
            [
                ("unnamed", "awslogs"),
                ("router", "awsfirelens"),
                ("silent", "none")
            ]
        );
    }
}
