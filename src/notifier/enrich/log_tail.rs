//! GetLogEvents: the last lines of a container that failed, masked before they go anywhere.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html>

use regex::Regex;
use serde_json::json;

use super::ask::Ask;
use crate::aws::CallError;
use crate::aws::service::logs;
use crate::ecs::diagnosis::Cause;
use crate::ecs::diagnosis::blames;
use crate::ecs::notice::{Facts, Kind, LogStream, Notice};
use crate::notifier::policy::{Decision, Policy, decide};
use crate::text::characters::is_unseen;

/// What is read of the logs, and what is not shown of them.
#[derive(Debug, Clone)]
pub struct LogTail {
    /// At most, of each container.
    pub lines: u16,
    pub masks: Vec<Regex>,
}

/// What stands in the place of a secret.
const MASK: &str = "•••";

/// Streams that are read for one batch: a service that fails a hundred times says the same each time.
const MOST_STREAMS: usize = 20;

/// A page may be empty though there are lines before it.
const MOST_PAGES: usize = 3;

/// What is looked at of a stream's end: what is before it, or in one event longer than it, is left out.
const MOST_BYTES: usize = 64 * 1_024;

/// Characters of a line: more than a message shows of one.
const LONGEST_LINE: usize = 1_000;

/// A container of one of the notices, and its stream.
struct Question {
    notice: usize,
    container: usize,
    stream: LogStream,
}

impl LogTail {
    pub(super) async fn learn(
        &self,
        ask: &Ask<'_>,
        mut notices: Vec<&mut Notice>,
        policy: &Policy,
    ) {
        let questions = notices.iter().enumerate();
        let questions = questions.flat_map(|(index, notice)| missing(index, notice, policy));
        let answers = questions.take(MOST_STREAMS).map(|question| async {
            let lines = self.read(ask, &question.stream).await?;
            Some((question, lines))
        });
        for (question, lines) in ask.all(answers).await {
            if let Facts::Task(task) = &mut notices[question.notice].facts {
                task.containers[question.container].log_tail = lines;
            }
        }
    }

    async fn read(&self, ask: &Ask<'_>, stream: &LogStream) -> Option<Vec<String>> {
        const CALL: &str = "GetLogEvents";
        let answer = async {
            match self.pages(ask, stream).await {
                // It never wrote a line. That a whole group is not there is worth saying.
                Err(error) if is_without_stream(&error) => Ok(Vec::new()),
                answer => answer,
            }
        };
        ask.call(CALL, answer).await
    }

    /// From the end, until there is something.
    async fn pages(&self, ask: &Ask<'_>, stream: &LogStream) -> Result<Vec<String>, CallError> {
        let client = ask.logs(&stream.region);
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
        let mut room = MOST_BYTES;
        let mut lines = Vec::new();
        for message in messages {
            room = room.saturating_sub(message.len());
            if lines.len() >= usize::from(self.lines) || room == 0 {
                break;
            }
            lines.extend(self.masked(message).into_iter().rev());
        }
        lines.truncate(self.lines.into());
        lines.reverse();
        lines
    }

    /// The lines of a log event. Colours and what nobody sees go first, so that none stands within what a mask
    /// looks for; a mask sees the whole event before anything is cut from it.
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

/// The containers that failed in a task whose end is posted.
fn missing(index: usize, notice: &Notice, policy: &Policy) -> Vec<Question> {
    let (Facts::Task(task), Kind::TaskStopped, Decision::Keep(priority)) =
        (&notice.facts, notice.kind, decide(notice, policy))
    else {
        return Vec::new();
    };
    if !speaks(priority.cause) {
        return Vec::new();
    }
    let failed = blames(priority.cause, task);
    let containers = task.containers.iter().enumerate();
    let containers = containers.filter(|(_, it)| failed(it));
    containers
        .filter_map(|(container, it)| {
            Some(Question {
                notice: index,
                container,
                stream: it.log.clone()?,
            })
        })
        .collect()
}

/// Whether what the container said may be why.
fn speaks(cause: Option<Cause>) -> bool {
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
    fn masks_see_a_whole_event_without_its_colours() {
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
