//! Posts the events of one message of a dead-letter queue.

use aws_sdk_sqs::types::Message;
use ecs_parrot::aws::deadline::Deadline;
use ecs_parrot::aws::service::{self, lambda};
use ecs_parrot::config;
use ecs_parrot::notifier::channel::{ChannelType, terminal};
use ecs_parrot::notifier::config::{Filter, NotifierConfig, RunMode};
use ecs_parrot::notifier::dispatch::{COUNTS_PLEASE, Notifier, evaluate};
use ecs_parrot::notifier::group::Group;
use ecs_parrot::notifier::ingest::{self, Opened};
use ecs_parrot::notifier::policy::Decision;
use ecs_parrot::notifier::render::{Renderer, View};
use serde_json::{Value, json};

use crate::args::RedriveArgs;
use crate::notify::open_as_caller;

/// Printing to a terminal is not enough here: the messages are deleted after that.
const NO_CHANNEL: &str = "no channel is configured here, so the events would be deleted without being posted; set SLACK_WEBHOOKURL or \
    FLOWDOCK_API_TOKEN, or use --function";

/// A message that was processed and may be deleted.
pub(super) struct ProcessedMessage {
    /// What happened to it, in a sentence.
    pub(super) what: String,
    pub(super) result: MessageResult,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageResult {
    Posted,
    /// Dropped for a reason, or filtered by all channels.
    Dropped,
    /// Posted or dropped: the answer of the function does not contain which.
    PostedOrDropped,
}

/// Where the events of a dead-letter message are posted from.
pub(super) enum Redriver {
    Function(String),
    Local(Box<Notifier>),
    /// From nowhere: a dry run only shows them.
    DryRun(Box<(Filter, Renderer)>),
}

impl Redriver {
    pub(super) fn of(args: &RedriveArgs) -> anyhow::Result<Self> {
        let environment = config::environment();
        Ok(match &args.function {
            _ if args.dry_run => {
                if args.local {
                    warn_of_missing_channel(&environment);
                }
                let filter = Filter::read(&environment)?;
                let renderer = filter.renderer()?;
                Self::DryRun(Box::new((filter, renderer)))
            }
            Some(function) => Self::Function(function.clone()),
            None => {
                let config = NotifierConfig::read(&environment)?;
                for warning in &config.warnings {
                    anstream::eprintln!("ecs-parrot: {warning}");
                }
                if config.channels.is_log_only() {
                    anyhow::bail!("{NO_CHANNEL}");
                }
                let place = RunMode::Terminal { enrich: false };
                Self::Local(Box::new(config.notifier(place, open_as_caller)?))
            }
        })
    }

    /// The result for a dead-letter message, or why it is kept.
    pub(super) async fn process(
        &self,
        lambda: &service::Client,
        message: &Message,
    ) -> Result<ProcessedMessage, String> {
        let body = message.body().unwrap_or_default();
        let body: Value =
            serde_json::from_str(body).map_err(|error| format!("it is not JSON: {error}"))?;
        let payload = ingest::payload_of(&body);
        match self {
            Self::Function(function) => invoke(lambda, function, payload).await,
            Self::Local(notifier) => post(notifier, payload).await,
            Self::DryRun(filter) => show(&filter.0, &filter.1, payload),
        }
    }
}

/// Invokes the function. If it fails, or returns a record to the queue, the dead-letter message is kept.
async fn invoke(
    client: &service::Client,
    function: &str,
    payload: &Value,
) -> Result<ProcessedMessage, String> {
    let context = json!({"custom": {COUNTS_PLEASE: "true"}});
    let answer = lambda::invoke(client, function, payload, &context).await;
    let answer = answer.map_err(|error| match error.advice() {
        Some(advice) => format!("{error}; {advice}"),
        None => error.to_string(),
    })?;
    let value: Value = serde_json::from_str(&answer.payload).unwrap_or_default();
    if answer.is_error {
        let why = value["errorMessage"].as_str().unwrap_or(&answer.payload);
        return Err(format!("the function failed: {}", why.escape_debug()));
    }
    match value["batchItemFailures"].as_array() {
        Some(failures) if !failures.is_empty() => Err(format!(
            "the function returned {} of its records to the queue",
            failures.len()
        )),
        Some(_) | None => Ok(done_by_function(&value)),
    }
}

fn done_by_function(answer: &Value) -> ProcessedMessage {
    let (what, result) = match (answer["posted"].as_u64(), answer["dropped"].as_u64()) {
        (Some(0), Some(_)) => ("dropped by the function", MessageResult::Dropped),
        (Some(_), _) => ("posted by the function", MessageResult::Posted),
        // The function is of an older version, or it is not ecs-parrot.
        (None, _) => ("accepted by the function", MessageResult::PostedOrDropped),
    };
    ProcessedMessage {
        what: what.to_owned(),
        result,
    }
}

async fn post(notifier: &Notifier, payload: &Value) -> Result<ProcessedMessage, String> {
    let opened = ingest::open(payload);
    let timers = timers(&opened);
    let entries = notifier.dispatch(opened.items, Deadline::NONE).await;
    let failures: Vec<_> = entries.iter().filter_map(|entry| entry.failure()).collect();
    if !failures.is_empty() {
        return Err(failures.join("; ").escape_debug().to_string());
    }
    let events = entries
        .iter()
        .filter_map(|entry| entry.result.as_ref().ok());
    let events: Vec<_> = events.collect();
    let words = events.iter().map(|event| {
        let reason = event.decision.reason(event.kind);
        match (event.decision, event.is_delivered()) {
            (Decision::Drop(_), _) => format!("dropped as {reason}"),
            (Decision::Keep(_), true) => reason.to_owned(),
            (Decision::Keep(_), false) => format!("{reason}, filtered by all channels"),
        }
    });
    Ok(ProcessedMessage {
        what: words.chain(timers).collect::<Vec<_>>().join(", "),
        result: match events.iter().any(|it| it.is_delivered()) {
            true => MessageResult::Posted,
            false => MessageResult::Dropped,
        },
    })
}

/// The timers of a message. They have no event. The function looks at the subject with its next event.
fn timers(opened: &Opened) -> Vec<String> {
    let timers = opened.timers.iter();
    let words = timers.map(|it| format!("{}: it has no event to post", it.timer));
    words.collect()
}

/// The headline of each event, or why it would be dropped.
fn show(filter: &Filter, renderer: &Renderer, payload: &Value) -> Result<ProcessedMessage, String> {
    let mut lines = Vec::new();
    let mut result = MessageResult::Dropped;
    let opened = ingest::open(payload);
    let timers = timers(&opened);
    for item in opened.items {
        let event = item.event.map_err(|error| error.to_string())?;
        let (notice, decision) = evaluate(&event, &filter.policy);
        lines.push(match decision {
            Decision::Drop(reason) => format!("dropped as {reason}"),
            Decision::Keep(priority) => {
                result = MessageResult::Posted;
                let group = Group::of_one(&notice, priority);
                let message = renderer.render_or_fall_back(View::of(ChannelType::Terminal), &group);
                terminal::plain(&message.headline)
            }
        });
    }
    lines.extend(timers);
    Ok(ProcessedMessage {
        what: lines.join("; "),
        result,
    })
}

/// Warns in a dry run with --local that the real run would fail.
fn warn_of_missing_channel(environment: &[(String, String)]) {
    let problem = match NotifierConfig::read(environment) {
        Ok(config) if config.channels.is_log_only() => NO_CHANNEL.to_owned(),
        Ok(_) => return,
        Err(error) => error.to_string(),
    };
    anstream::eprintln!("ecs-parrot: without --dry-run this command would fail: {problem}");
}
