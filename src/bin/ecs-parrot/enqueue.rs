//! `ecs-parrot enqueue`: checks messages as `run-from-queue` does, and sends them to its queue.
//!
//! A FIFO queue needs a message group and a deduplication id. It keeps the order within a group, and it ignores a
//! message with an id that it received before:
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html>

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use aws_sdk_sqs::Client;
use ecs_parrot::aws::{CallError, Session};
use ecs_parrot::ecs::arn;
use ecs_parrot::http::SharedClient;
use ecs_parrot::runner::queue::message::{NAMES, RunMessage};
use ecs_parrot::runner::request::RunRequest;
use serde_json::Value;
use uuid::Uuid;

use crate::args::EnqueueArgs;
use crate::input::{self, Input};
use crate::queue_url::{queue_url, region_of};

/// A message that `run-from-queue` would accept, as far as this program can check it.
struct CheckedMessage {
    /// The file's name.
    name: String,
    body: String,
    /// The task definition's family.
    family: String,
}

/// Sends all messages, or none if one of them is wrong: it is hard to send the rest of a batch later.
pub(crate) async fn run(args: &EnqueueArgs) -> anyhow::Result<ExitCode> {
    let inputs = input::read(&args.inputs);
    let all = inputs.len();
    let mut messages = Vec::new();
    let mut failed = Vec::new();
    for input in inputs {
        match check(&input) {
            Ok(checked) => messages.push(checked),
            Err(problem) => {
                anstream::eprintln!("{}: {problem}", input.name);
                failed.push(input.name);
            }
        }
    }
    if !failed.is_empty() {
        return Ok(input::conclude(&failed, all));
    }
    let region = args.region.as_deref().or_else(|| region_of(&args.queue));
    let http = SharedClient::default();
    let session = Session::open(&http, args.profile.as_deref(), region).await?;
    let sqs = session.sqs();
    let queue = queue_url(&sqs, &args.queue).await?;
    let mut is_open = true;
    for (index, message) in messages.iter().enumerate() {
        let id = match send(&sqs, &queue, args.group.as_deref(), message).await {
            Ok(id) => id,
            Err(error) => bail!(
                "{} was not sent to {}: {error}{}",
                message.name,
                args.queue,
                left(&messages, index)
            ),
        };
        // All messages are sent, even if standard output is closed: it is hard to send the rest of a batch later.
        let line = format!("{}: sent as {id}", message.name);
        is_open = is_open && writeln!(anstream::stdout(), "{line}").is_ok();
    }
    Ok(ExitCode::SUCCESS)
}

/// The messages that were sent before the error, and those that were not. The later ones were not tried, because they
/// may depend on the one that failed.
fn left(messages: &[CheckedMessage], failed: usize) -> String {
    let names = |of: &[CheckedMessage]| {
        let names: Vec<_> = of.iter().map(|it| it.name.as_str()).collect();
        if names.is_empty() {
            return "nothing".to_owned();
        }
        names.join(", ")
    };
    if messages.len() == 1 {
        return String::new();
    }
    let (sent, not_sent) = messages.split_at(failed);
    format!("; sent: {}; not sent: {}", names(sent), names(not_sent))
}

/// Sends one message and returns its message id.
async fn send(
    sqs: &Client,
    queue: &str,
    group: Option<&str>,
    message: &CheckedMessage,
) -> Result<String, CallError> {
    let is_fifo = queue.ends_with(".fifo");
    // Tasks of one family are started in the order of their messages. They do not wait for other families.
    let group = group.or(is_fifo.then_some(message.family.as_str()));
    // Each message gets a new id: a user may want to run the same job twice within five minutes.
    let deduplication = is_fifo.then(|| Uuid::new_v4().to_string());
    let sent = sqs
        .send_message()
        .queue_url(queue)
        .message_body(&message.body)
        .set_message_group_id(group.map(str::to_owned))
        .set_message_deduplication_id(deduplication)
        .send()
        .await
        .map_err(|error| CallError::of("SendMessage", error))?;
    Ok(sent.message_id().unwrap_or_default().to_owned())
}

fn check(input: &Input) -> Result<CheckedMessage, String> {
    let body = input.payload.as_ref().map_err(Clone::clone)?.to_string();
    let message = RunMessage::read(&body).map_err(|error| error.to_string())?;
    let request = RunRequest::from_json(&Value::Object(message.request), &NAMES)
        .map_err(|error| error.to_string())?;
    let definition = request.input().task_definition().unwrap_or_default();
    Ok(CheckedMessage {
        name: input.name.clone(),
        family: arn::task_definition(definition).0,
        body,
    })
}
