//! Who tells what a dead-letter queue's message holds, and what became of it.

use aws_sdk_sqs::types::Message;
use ecs_parrot::aws::deadline::Deadline;
use ecs_parrot::aws::service::{self, lambda};
use ecs_parrot::config;
use ecs_parrot::notifier::channel::{ChannelType, terminal};
use ecs_parrot::notifier::config::{Filter, NotifierConfig, RunMode};
use ecs_parrot::notifier::dispatch::{COUNTS_PLEASE, Notifier, evaluate};
use ecs_parrot::notifier::group::Group;
use ecs_parrot::notifier::ingest;
use ecs_parrot::notifier::policy::Decision;
use ecs_parrot::notifier::render::{Renderer, View};
use serde_json::{Value, json};

use crate::args::RedriveArgs;
use crate::notify::open_as_caller;

/// A terminal that nobody reads is no channel to delete messages for.
const NO_CHANNEL: &str = "no channel is configured here, so nobody would read what is then deleted; set SLACK_WEBHOOKURL or \
    FLOWDOCK_API_TOKEN, or give --function";

/// A message that need not stay in the queue.
pub(super) struct Done {
    /// In words.
    pub(super) what: String,
    pub(super) result: MessageResult,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageResult {
    Posted,
    /// Dropped for a reason, or wanted by no channel.
    Dropped,
    /// Posted or dropped: the function's answer does not say which.
    LeftToTheFunction,
}

/// Who tells a letter's events.
pub(super) enum Redriver {
    Function(String),
    Here(Box<Notifier>),
    Nobody(Box<(Filter, Renderer)>),
}

impl Redriver {
    pub(super) fn of(args: &RedriveArgs) -> anyhow::Result<Self> {
        let environment = config::environment();
        Ok(match &args.function {
            _ if args.dry_run => {
                if args.local {
                    say_what_local_needs(&environment);
                }
                let filter = Filter::read(&environment)?;
                let renderer = filter.renderer()?;
                Self::Nobody(Box::new((filter, renderer)))
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
                Self::Here(Box::new(config.notifier(place, open_as_caller)?))
            }
        })
    }

    /// What became of a letter, or why it is kept.
    pub(super) async fn tell(
        &self,
        lambda: &service::Client,
        letter: &Message,
    ) -> Result<Done, String> {
        let body = letter.body().unwrap_or_default();
        let body: Value =
            serde_json::from_str(body).map_err(|error| format!("it is no JSON: {error}"))?;
        let payload = ingest::payload_of(&body);
        match self {
            Self::Function(function) => invoke(lambda, function, payload).await,
            Self::Here(notifier) => tell_here(notifier, payload).await,
            Self::Nobody(filter) => show(&filter.0, &filter.1, payload),
        }
    }
}

/// The function's own answer counts: an error, or a record that it gives back, keeps the letter.
async fn invoke(client: &service::Client, function: &str, payload: &Value) -> Result<Done, String> {
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
            "the function gave back {} of its records",
            failures.len()
        )),
        Some(_) | None => Ok(done_by_function(&value)),
    }
}

fn done_by_function(answer: &Value) -> Done {
    let (what, result) = match (answer["posted"].as_u64(), answer["dropped"].as_u64()) {
        (Some(0), Some(_)) => ("dropped by the function", MessageResult::Dropped),
        (Some(_), _) => ("told by the function", MessageResult::Posted),
        // One that does not say: of an older version, or not ecs-parrot's.
        (None, _) => ("told by the function", MessageResult::LeftToTheFunction),
    };
    Done {
        what: what.to_owned(),
        result,
    }
}

async fn tell_here(notifier: &Notifier, payload: &Value) -> Result<Done, String> {
    let entries = notifier
        .dispatch(ingest::open(payload), Deadline::NONE)
        .await;
    let failures: Vec<_> = entries.iter().filter_map(|entry| entry.failure()).collect();
    if !failures.is_empty() {
        return Err(failures.join("; ").escape_debug().to_string());
    }
    let told = entries
        .iter()
        .filter_map(|entry| entry.result.as_ref().ok());
    let told: Vec<_> = told.collect();
    let words = told.iter().map(|told| {
        let reason = told.decision.reason(told.kind);
        match (told.decision, told.is_delivered()) {
            (Decision::Drop(_), _) => format!("dropped as {reason}"),
            (Decision::Keep(_), true) => reason.to_owned(),
            (Decision::Keep(_), false) => format!("{reason}, which no channel wants"),
        }
    });
    Ok(Done {
        what: words.collect::<Vec<_>>().join(", "),
        result: match told.iter().any(|it| it.is_delivered()) {
            true => MessageResult::Posted,
            false => MessageResult::Dropped,
        },
    })
}

/// The headline of each event, or why it would be dropped.
fn show(filter: &Filter, renderer: &Renderer, payload: &Value) -> Result<Done, String> {
    let mut lines = Vec::new();
    let mut result = MessageResult::Dropped;
    for item in ingest::open(payload) {
        let event = item.event.map_err(|error| error.to_string())?;
        let (notice, decision) = evaluate(&event, &filter.policy);
        lines.push(match decision {
            Decision::Drop(reason) => format!("dropped as {reason}"),
            Decision::Keep(priority) => {
                result = MessageResult::Posted;
                let digest = Group::of_one(&notice, priority);
                let message =
                    renderer.render_or_fall_back(View::of(ChannelType::Terminal), &digest);
                terminal::plain(&message.headline)
            }
        });
    }
    Ok(Done {
        what: lines.join("; "),
        result,
    })
}

/// A dry run shows what would be told; that the run itself could not tell it is said as well.
fn say_what_local_needs(environment: &[(String, String)]) {
    let problem = match NotifierConfig::read(environment) {
        Ok(config) if config.channels.is_log_only() => NO_CHANNEL.to_owned(),
        Ok(_) => return,
        Err(error) => error.to_string(),
    };
    anstream::eprintln!("ecs-parrot: without --dry-run this ends at once: {problem}");
}
