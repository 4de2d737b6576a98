//! `ecs-parrot enqueue`: sends messages to the run queue, checked as the queue's function checks them.

use std::io::Write as _;
use std::process::ExitCode;

use ecs_parrot::aws::{CallError, Session};
use ecs_parrot::queue::message::Message;
use ecs_parrot::run::request::RunRequest;
use serde_json::Value;

use crate::args::EnqueueArgs;
use crate::input::{self, Input};

pub(crate) fn run(args: &EnqueueArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(send_all(args))
}

/// Sends what is right, if all is right: a batch half sent is hard to send again.
async fn send_all(args: &EnqueueArgs) -> anyhow::Result<ExitCode> {
    let inputs = input::read(&args.inputs);
    let all = inputs.len();
    let mut messages = Vec::new();
    let mut failed = Vec::new();
    for input in inputs {
        match check(&input) {
            Ok(body) => messages.push((input.name, body)),
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
    let session = Session::open(args.profile.as_deref(), region).await?;
    let sqs = session.sqs();
    let mut is_read = true;
    for (name, body) in messages {
        let sent = sqs
            .send_message()
            .queue_url(&args.queue)
            .message_body(body)
            .send()
            .await
            .map_err(|error| CallError::of("SendMessage", error))?;
        let id = sent.message_id().unwrap_or_default();
        // A batch half sent is hard to send again: it is sent to its end, whoever reads on.
        is_read = is_read && writeln!(anstream::stdout(), "{name}: sent as {id}").is_ok();
    }
    Ok(ExitCode::SUCCESS)
}

/// The message's body, if the function would run it as far as can be seen from here.
fn check(input: &Input) -> Result<String, String> {
    let body = input.payload.as_ref().map_err(Clone::clone)?.to_string();
    let message = Message::read(&body).map_err(|error| error.to_string())?;
    RunRequest::from_json(&Value::Object(message.request)).map_err(|error| error.to_string())?;
    Ok(body)
}

/// `eu-west-1` of `https://sqs.eu-west-1.amazonaws.com/210987654321/jobs`.
pub(crate) fn region_of(queue: &str) -> Option<&str> {
    let (_, host) = queue.split_once("://sqs.")?;
    host.split('.').next()
}
