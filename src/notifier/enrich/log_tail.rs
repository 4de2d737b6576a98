//! GetLogEvents: the last log lines of a container that failed. They are masked before any other use.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html>

use regex::Regex;
use serde_json::json;

use super::calls::{AwsCalls, Location};
use crate::aws::CallError;
use crate::aws::service::{self, logs};
use crate::ecs::diagnosis::Cause;
use crate::ecs::diagnosis::blames;
use crate::ecs::notice::{Facts, Kind, LogStream, Notice};
use crate::notifier::policy::{Decision, Policy, decide};
use crate::text::characters::is_unseen;

/// How many log lines are read, and which parts of them are masked.
#[derive(Debug, Clone)]
pub struct LogTail {
    /// The most lines of each container.
    pub lines: u16,
    pub masks: Vec<Regex>,
}

/// The text that replaces a secret.
const MASK: &str = "•••";

/// The most streams that are read for one batch. A service that fails a hundred times logs the same each time.
const MOST_STREAMS: usize = 20;

/// The most pages of a stream. A page may be empty although there are earlier lines.
const MOST_PAGES: usize = 3;

/// How much is read from the end of a stream. Earlier lines, and log events that are longer, are left out.
const MOST_BYTES: usize = 64 * 1_024;

/// The most characters of a line. A message shows fewer.
const LONGEST_LINE: usize = 1_000;

/// A container of one of the notices, and its stream.
struct WantedStream {
    notice: usize,
    container: usize,
    /// The account of the task, and the region of its log group.
    location: Location,
    stream: LogStream,
}

impl LogTail {
    pub(super) async fn add_to(
        &self,
        aws: &AwsCalls<'_>,
        notices: &mut [&mut Notice],
        policy: &Policy,
    ) {
        let wanted = notices.iter().enumerate();
        let wanted = wanted.flat_map(|(index, notice)| missing(index, notice, policy));
        let answers = wanted.take(MOST_STREAMS).map(|wanted| async {
            let lines = self.read(aws, &wanted).await?;
            Some((wanted, lines))
        });
        for (wanted, lines) in aws.all(answers).await {
            if let Facts::Task(task) = &mut notices[wanted.notice].facts {
                task.containers[wanted.container].log_tail = lines;
            }
        }
    }

    async fn read(&self, aws: &AwsCalls<'_>, wanted: &WantedStream) -> Option<Vec<String>> {
        const CALL: &str = "GetLogEvents";
        let answer = async {
            match self.pages(aws, wanted).await {
                // The container wrote no line. A missing log group, however, is reported.
                Err(error) if is_without_stream(&error) => Ok(Vec::new()),
                answer => answer,
            }
        };
        aws.call(CALL, &wanted.location, answer).await
    }

    /// Reads pages from the end of the stream until one contains lines.
    async fn pages(
        &self,
        aws: &AwsCalls<'_>,
        WantedStream {
            location, stream, ..
        }: &WantedStream,
    ) -> Result<Vec<String>, CallError> {
        let client = aws.service(service::CLOUD_WATCH_LOGS, location);
        let mut input = json!({
            "logGroupName": stream.group,
            "logStreamName": stream.name,
            "startFromHead": false,
            "limit": self.lines,
        });
        let mut token = None;
        for _ in 0..MOST_PAGES {
            let page = logs::get_log_events(&client, &input).await?;
            let lines = self.lines_of(&page);
            let next = page.next_backward_token;
            if !lines.is_empty() || next.is_none() || next == token {
                return Ok(lines);
            }
            input["nextToken"] = next.as_deref().into();
            token = next;
        }
        Ok(Vec::new())
    }

    fn lines_of(&self, page: &logs::Page) -> Vec<String> {
        let messages = page.events.iter().rev();
        let messages = messages.filter_map(|event| event.message.as_deref());
        let mut budget = MOST_BYTES;
        let mut lines = Vec::new();
        for message in messages {
            budget = budget.saturating_sub(message.len());
            if lines.len() >= usize::from(self.lines) || budget == 0 {
                break;
            }
            lines.extend(self.masked(message).into_iter().rev());
        }
        lines.truncate(self.lines.into());
        lines.reverse();
        lines
    }

    /// The lines of a log event. Colours and invisible characters are removed first, because they could be inside a text
    /// that a mask must match. The masks are applied to the whole event, before its lines are cut.
    fn masked(&self, message: &str) -> Vec<String> {
        let plain = anstream::adapter::strip_str(message).to_string();
        let plain = plain.replace(is_unseen, "");
        let masked = self.masks.iter().fold(plain, |text, mask| {
            mask.replace_all(&text, MASK).into_owned()
        });
        let lines = masked.lines().map(str::trim_end);
        lines
            .filter(|line| !line.is_empty())
            .map(|line| line.chars().take(LONGEST_LINE).collect())
            .collect()
    }
}

fn is_without_stream(error: &CallError) -> bool {
    error.has_code("ResourceNotFoundException") && error.message.contains("log stream")
}

/// The streams to read: those of the failed containers of a stopped task that is posted.
fn missing(index: usize, notice: &Notice, policy: &Policy) -> Vec<WantedStream> {
    let (Facts::Task(task), Kind::TaskStopped, Decision::Keep(priority)) =
        (&notice.facts, notice.kind, decide(notice, policy))
    else {
        return Vec::new();
    };
    if !logs_may_explain(priority.cause) {
        return Vec::new();
    }
    let failed = blames(priority.cause, task);
    let containers = task.containers.iter().enumerate();
    let containers = containers.filter(|(_, it)| failed(it));
    containers
        .filter_map(|(container, it)| {
            let stream = it.log.clone()?;
            let account = notice.origin.account.as_deref()?;
            Some(WantedStream {
                notice: index,
                container,
                location: Location::new(account, &stream.region)?,
                stream,
            })
        })
        .collect()
}

/// Whether the log of the container may explain the cause.
fn logs_may_explain(cause: Option<Cause>) -> bool {
    match cause {
        Some(
            Cause::OutOfMemory
            | Cause::FailedToStart
            | Cause::HealthCheck
            | Cause::ApplicationExit
            | Cause::ExitedInService
            | Cause::UnknownCause,
        ) => true,
        Some(
            Cause::LaunchFailed
            | Cause::ImagePull
            | Cause::SpotInterruption
            | Cause::HostGone
            | Cause::StoppedByUser
            | Cause::Finished,
        )
        | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_applied_to_a_whole_event_without_colours() {
        let log_tail = LogTail {
            lines: 10,
            masks: vec![
                Regex::new("(?i)password=\\S+").unwrap(),
                Regex::new("(?s)-----BEGIN.*END-----").unwrap(),
            ],
        };
        let message = "login pass\u{200b}w\u{1b}[31mord=hunter2 \u{1b}[0mfailed\n-----BEGIN\nabc\nEND-----\n\n  at x";
        assert_eq!(
            log_tail.masked(message),
            ["login ••• failed", "•••", "  at x"]
        );
    }
}
