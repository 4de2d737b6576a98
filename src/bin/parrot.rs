//! The Lambda function: ECS events in, messages in chat out.

use std::process::ExitCode;

use ecs_parrot::aws::Session;
use ecs_parrot::aws::deadline::Deadline;
use ecs_parrot::aws::function::{self, failed};
use ecs_parrot::config;
use ecs_parrot::notifier::config::{NotifierConfig, Place};
use ecs_parrot::notifier::dispatch::{COUNTS_PLEASE, Notifier};
use ecs_parrot::notifier::ingest::Sender;
use ecs_parrot::notifier::metrics;
use ecs_parrot::notifier::report::{BatchReport, Entry};
use futures::FutureExt as _;
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use metrics_cloudwatch_embedded::Collector;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let notifier = match start().await {
        Ok(notifier) => notifier,
        Err(error) => return function::cannot_start(&format!("{error:#}")),
    };
    let notifier = &notifier;
    let metrics = collect();
    function::serve(|event: LambdaEvent<Value>| async move {
        let deadline = Deadline::at(event.context.deadline());
        let report = notifier.notify(&event.payload, deadline).await;
        flush(metrics);
        // The queue's own delay holds for what it does not hear of in time.
        deadline.hold(notifier.return_to_queue(&report)).await;
        answer(&report, &event.context)
    })
    .await
}

async fn start() -> anyhow::Result<Notifier> {
    function::enter()?;
    let open = |http, _| async move { Session::of_function(&http) }.boxed();
    let config = NotifierConfig::load(config::environment(), open).await?;
    config
        .warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    if config.channels.is_log_only() {
        tracing::warn!(
            "no channel is configured, so messages are written to this log only; set CHANNELS or SLACK_WEBHOOKURL"
        );
    }
    let notifier = config.notifier(Place::Function, open)?;
    let warnings = notifier.renderer.warnings().iter();
    warnings.for_each(|warning| tracing::warn!("{warning}"));
    Ok(notifier)
}

/// Counts what becomes of events, as this function's. Without a collector all else goes on.
fn collect() -> Option<&'static Collector> {
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    let builder =
        metrics_cloudwatch_embedded::Builder::new().cloudwatch_namespace(metrics::NAMESPACE);
    let collector = builder.with_dimension("FunctionName", function).init();
    metrics::describe();
    collector
        .inspect_err(|error| tracing::warn!(%error, "nothing is counted"))
        .ok()
}

/// One line, or few, that CloudWatch reads.
fn flush(metrics: Option<&Collector>) {
    let written = metrics.map_or(Ok(()), |metrics| metrics.flush(std::io::stdout()));
    if let Err(error) = written {
        tracing::warn!(%error, "this invocation is not counted");
    }
}

/// A queue gets the records back that failed; for everybody else the invocation fails, so that Lambda
/// tries again and keeps the payload.
fn answer(report: &BatchReport, context: &Context) -> Result<Value, Diagnostic> {
    match (report.sender, report.failed().next()) {
        (Sender::Queue, _) => answer_queue(report),
        (Sender::Lambda, Some(entry)) => Err(failure(entry)),
        (Sender::Lambda, None) => Ok(counts(report, context)),
    }
}

/// What became of the events, for whoever asks: `ecs-parrot redrive` does. Lambda itself reads no answer.
fn counts(report: &BatchReport, context: &Context) -> Value {
    let asked = context.client_context.as_ref();
    if asked.is_none_or(|it| !it.custom.contains_key(COUNTS_PLEASE)) {
        return Value::Null;
    }
    let (posted, dropped) = report.posted_and_dropped();
    json!({"posted": posted, "dropped": dropped})
}

/// The records of a queue that are returned to it.
fn answer_queue(report: &BatchReport) -> Result<Value, Diagnostic> {
    let failed = report.failed().map(|entry| match &entry.receipt {
        Some(receipt) => Ok(receipt.id.as_str()),
        None => Err(failure(entry)),
    });
    function::batch_response(failed)
}

fn failure(entry: &Entry) -> Diagnostic {
    let why = entry.failure().unwrap_or_default();
    match entry.result {
        Ok(_) => failed("DeliveryFailed", why),
        Err(_) => failed("NotAnEvent", why),
    }
}
