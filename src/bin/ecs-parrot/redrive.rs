//! `ecs-parrot redrive`: what a dead-letter queue keeps is told at last, and only then deleted.
//!
//! AWS's own redrive serves the dead-letter queues of queues, not those of functions and rules:
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>

use std::collections::HashSet;
use std::io::{self, IsTerminal as _, Write as _};
use std::pin::pin;
use std::process::ExitCode;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_sqs::types::{Message, QueueAttributeName};
use ecs_parrot::aws::{CallError, Session};
use ecs_parrot::config::{self, Filter, Parrot, Place};
use ecs_parrot::deadline::Deadline;
use ecs_parrot::deliver::{Channel, terminal};
use ecs_parrot::digest::Digest;
use ecs_parrot::inbox;
use ecs_parrot::notify::{Notifier, decide};
use ecs_parrot::render::{Dialect, Renderer};
use ecs_parrot::triage::Verdict;
use indicatif::ProgressBar;
use serde_json::Value;

use crate::args::RedriveArgs;
use crate::notify::{log_to_standard_error, open_as_caller};
use crate::queue_url::{queue_url, region_of};

/// How long a letter is ours: a function may take a quarter of an hour to tell one. What is not told is given back at
/// the end.
const OURS: i32 = 3_600;

pub(crate) fn run(args: &RedriveArgs) -> anyhow::Result<ExitCode> {
    log_to_standard_error();
    let teller = Teller::of(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(redrive(args, teller))
}

async fn redrive(args: &RedriveArgs, teller: Teller) -> anyhow::Result<ExitCode> {
    let region = args.region.as_deref().or_else(|| region_of(&args.queue));
    let session = Session::open(args.profile.as_deref(), region).await?;
    let sqs = session.sqs();
    let url = queue_url(&sqs, &args.queue).await?;
    let queue = Queue { sqs, url: &url };
    let lambda = session.lambda_without_haste();
    let bar = progress(queue.length().await?);
    let mut seen = HashSet::new();
    let (mut told, mut kept, mut undeleted) = (0, 0, 0);
    // Given back at the end: a queue hands out in no order, and those would come again before the others.
    let mut held = Vec::new();
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    loop {
        let letter = tokio::select! {
            letter = queue.receive() => letter?,
            // What is held is given back, whoever does not want to wait.
            _ = &mut interrupt => break,
        };
        let Some(letter) = letter else { break };
        // What was kept comes again: then all have been seen.
        if !seen.insert(id(&letter).to_owned()) {
            held.push(letter);
            break;
        }
        let result = teller.tell(&lambda, &letter).await;
        told += usize::from(result.is_ok());
        kept += usize::from(result.is_err());
        let line = match &result {
            Ok(what) => format!("{}: {what}", id(&letter)),
            Err(why) => format!("{}: kept, {why}", id(&letter)),
        };
        if result.is_err() || args.dry_run {
            held.push(letter);
        } else if let Err(error) = queue.delete(&letter).await {
            tracing::error!(%error, "a letter was told, and stays in the queue");
            undeleted += 1;
        }
        bar.suspend(|| writeln!(anstream::stdout(), "{line}"))?;
        bar.inc(1);
    }
    queue.give_back(&held).await;
    bar.finish_and_clear();
    let verb = if args.dry_run {
        "would be told"
    } else {
        "told"
    };
    anstream::eprintln!("{told} {verb}, {kept} kept");
    if undeleted > 0 {
        anstream::eprintln!(
            "{undeleted} were told and could not be deleted: delete them, or they are told again"
        );
    }
    Ok(match kept + undeleted {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Who tells a letter's events.
enum Teller {
    Function(String),
    Here(Box<Notifier>),
    Nobody(Box<(Filter, Renderer)>),
}

impl Teller {
    fn of(args: &RedriveArgs) -> anyhow::Result<Self> {
        let environment = config::environment();
        Ok(match &args.function {
            _ if args.dry_run => {
                let filter = Filter::read(&environment)?;
                let renderer = filter.renderer()?;
                Self::Nobody(Box::new((filter, renderer)))
            }
            Some(function) => Self::Function(function.clone()),
            None => {
                let config = Parrot::read(&environment)?;
                for warning in &config.warnings {
                    anstream::eprintln!("ecs-parrot: {warning}");
                }
                if let [Channel::Terminal(_)] = &config.channels[..] {
                    anyhow::bail!(
                        "no channel is configured here, so nobody would read what is then deleted; set SLACK_WEBHOOKURL or \
                         FLOWDOCK_API_TOKEN, or give --function"
                    );
                }
                let place = Place::Terminal { enrich: false };
                Self::Here(Box::new(config.notifier(place, open_as_caller)?))
            }
        })
    }

    /// What became of a letter, or why it is kept.
    async fn tell(
        &self,
        lambda: &aws_sdk_lambda::Client,
        letter: &Message,
    ) -> Result<String, String> {
        let body = letter.body().unwrap_or_default();
        let body: Value =
            serde_json::from_str(body).map_err(|error| format!("it is no JSON: {error}"))?;
        let payload = inbox::payload_of(&body);
        match self {
            Self::Function(function) => invoke(lambda, function, payload).await,
            Self::Here(notifier) => tell_here(notifier, payload).await,
            Self::Nobody(filter) => show(&filter.0, &filter.1, payload),
        }
    }
}

/// The function's own answer counts: an error, or a record that it gives back, keeps the letter.
async fn invoke(
    lambda: &aws_sdk_lambda::Client,
    function: &str,
    payload: &Value,
) -> Result<String, String> {
    let answer = lambda
        .invoke()
        .function_name(function)
        .payload(Blob::new(payload.to_string()))
        .send()
        .await
        .map_err(|error| {
            let error = CallError::of("Invoke", error);
            match error.advice() {
                Some(advice) => format!("{error}; {advice}"),
                None => error.to_string(),
            }
        })?;
    let said = answer
        .payload()
        .map(|it| String::from_utf8_lossy(it.as_ref()).into_owned());
    let said = said.unwrap_or_default();
    let value: Value = serde_json::from_str(&said).unwrap_or_default();
    if answer.function_error().is_some() {
        let why = value["errorMessage"].as_str().unwrap_or(&said);
        return Err(format!("the function failed: {}", why.escape_debug()));
    }
    match value["batchItemFailures"].as_array() {
        Some(failures) if !failures.is_empty() => Err(format!(
            "the function gave back {} of its records",
            failures.len()
        )),
        Some(_) | None => Ok("told by the function".to_owned()),
    }
}

async fn tell_here(notifier: &Notifier, payload: &Value) -> Result<String, String> {
    let entries = notifier.tell(inbox::open(payload), Deadline::NONE).await;
    let failures: Vec<_> = entries.iter().filter_map(|entry| entry.failure()).collect();
    if !failures.is_empty() {
        return Err(failures.join("; ").escape_debug().to_string());
    }
    let told = entries
        .iter()
        .filter_map(|entry| entry.result.as_ref().ok());
    let told: Vec<_> = told.map(|told| told.verdict.reason(told.kind)).collect();
    Ok(told.join(", "))
}

/// The headline of each event, or why it would be dropped.
fn show(filter: &Filter, renderer: &Renderer, payload: &Value) -> Result<String, String> {
    let mut lines = Vec::new();
    for item in inbox::open(payload) {
        let event = item.event.map_err(|error| error.to_string())?;
        let (notice, verdict) = decide(&event, &filter.policy);
        lines.push(match verdict {
            Verdict::Drop(reason) => format!("dropped as {reason}"),
            Verdict::Keep(telling) => {
                let digest = Digest::of_one(&notice, telling);
                let message = renderer.render_or_fall_back(Dialect::Terminal, &digest);
                terminal::plain(&message.headline)
            }
        });
    }
    Ok(lines.join("; "))
}

fn id(letter: &Message) -> &str {
    letter.message_id().unwrap_or_default()
}

/// A bar for a person at a terminal; a pipe has the lines.
fn progress(length: u64) -> ProgressBar {
    if io::stderr().is_terminal() && std::env::var_os("CI").is_none() {
        ProgressBar::new(length)
    } else {
        ProgressBar::hidden()
    }
}

struct Queue<'a> {
    sqs: aws_sdk_sqs::Client,
    url: &'a str,
}

impl Queue<'_> {
    async fn length(&self) -> Result<u64, CallError> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = self.sqs.get_queue_attributes().queue_url(self.url);
        let answer = request.attribute_names(name.clone()).send().await;
        let answer = answer.map_err(|error| CallError::of("GetQueueAttributes", error))?;
        let length = answer
            .attributes()
            .and_then(|it| it.get(&name)?.parse().ok());
        Ok(length.unwrap_or_default())
    }

    /// One: it would wait for those before it, and is ours from now on.
    async fn receive(&self) -> Result<Option<Message>, CallError> {
        let answer = self
            .sqs
            .receive_message()
            .queue_url(self.url)
            .max_number_of_messages(1)
            .visibility_timeout(OURS)
            .wait_time_seconds(1)
            .send()
            .await
            .map_err(|error| CallError::of("ReceiveMessage", error))?;
        Ok(answer.messages.unwrap_or_default().pop())
    }

    async fn delete(&self, letter: &Message) -> Result<(), CallError> {
        let request = self.sqs.delete_message().queue_url(self.url);
        let request = request.set_receipt_handle(letter.receipt_handle().map(str::to_owned));
        let answer = request.send().await;
        answer
            .map(|_| ())
            .map_err(|error| CallError::of("DeleteMessage", error))
    }

    /// For whoever comes next; otherwise they are back by themselves when our time is over.
    async fn give_back(&self, letters: &[Message]) {
        for letter in letters {
            let request = self.sqs.change_message_visibility().queue_url(self.url);
            let request = request.set_receipt_handle(letter.receipt_handle().map(str::to_owned));
            if let Err(error) = request.visibility_timeout(0).send().await {
                let error = CallError::of("ChangeMessageVisibility", error);
                tracing::warn!(%error, "a letter is hidden for a while");
            }
        }
    }
}
