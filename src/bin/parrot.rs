//! The Lambda function: ECS events in, messages in chat out.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use ecs_parrot::aws::Session;
use ecs_parrot::aws::deadline::Deadline;
use ecs_parrot::aws::function::{self, failed};
use ecs_parrot::config;
use ecs_parrot::notifier::config::{NotifierConfig, RunMode};
use ecs_parrot::notifier::dispatch::{COUNTS_PLEASE, Notifier};
use ecs_parrot::notifier::event_counts;
use ecs_parrot::notifier::ingest::Sender;
use ecs_parrot::notifier::metrics;
use ecs_parrot::notifier::report::{BatchReport, ReportEntry};
use ecs_parrot::notifier::send_test::{TestError, TestRequest, TestRun};
use futures::FutureExt as _;
use futures::future::join_all;
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
        if asks_version(&event.payload) {
            return Ok(json!({"version": env!("CARGO_PKG_VERSION")}));
        }
        if let Some(request) = TestRequest::read(&event.payload) {
            return test_channels(request, notifier, &event.context, deadline).await;
        }
        notifier.note_function(&event.context.invoked_function_arn);
        let report = notifier.notify(&event.payload, deadline).await;
        flush(metrics);
        write_event_counts(notifier, &report, &event.context);
        // If there is not enough time for a record, the queue's own visibility timeout applies.
        deadline.hold(notifier.return_to_queue(&report)).await;
        answer(&report, &event.context)
    })
    .await
}

/// Whether this is the payload `{"source": "ecs-parrot", "detail-type": "Version"}` of `ecs-parrot doctor`.
fn asks_version(payload: &Value) -> bool {
    let is = |field: &str, text: &str| payload.get(field).and_then(Value::as_str) == Some(text);
    is("source", "ecs-parrot") && is("detail-type", "Version")
}

/// Answers what came of a test message in each channel.
async fn test_channels(
    request: Result<TestRequest, TestError>,
    notifier: &Notifier,
    context: &Context,
    deadline: Deadline,
) -> Result<Value, Diagnostic> {
    let run = TestRun {
        http: &notifier.http,
        sender: &format!("the function {}", context.env_config.function_name),
        deadline,
        waiting: |channel, wait, why| {
            tracing::warn!(
                "{channel}: {why}; trying again in {:.1} s",
                wait.as_secs_f64()
            );
        },
    };
    let tests = request.and_then(|it| run.tests(&it, &notifier.channels));
    let tests = tests.map_err(|error| failed("TestFailed", error.to_string()))?;
    Ok(json!({"channels": join_all(tests).await}))
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
    let notifier = config.notifier(RunMode::Function, open)?;
    let warnings = notifier.renderer.warnings().iter();
    warnings.for_each(|warning| tracing::warn!("{warning}"));
    Ok(notifier)
}

/// Starts the metrics of this function. If that fails, the function works without them.
fn collect() -> Option<&'static Collector> {
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    let builder =
        metrics_cloudwatch_embedded::Builder::new().cloudwatch_namespace(metrics::NAMESPACE);
    let collector = builder.with_dimension("FunctionName", function).init();
    metrics::describe();
    collector
        .inspect_err(|error| tracing::warn!(%error, "there are no metrics"))
        .ok()
}

/// Writes the metrics to the log, where CloudWatch reads them.
fn flush(metrics: Option<&Collector>) {
    let written = metrics.map_or(Ok(()), |metrics| metrics.flush(std::io::stdout()));
    if let Err(error) = written {
        tracing::warn!(%error, "the metrics of this invocation could not be written");
    }
}

/// Writes the metric `Events` of this invocation to the log.
fn write_event_counts(notifier: &Notifier, report: &BatchReport, context: &Context) {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = passed.unwrap_or_default().as_millis();
    let function = &context.env_config.function_name;
    for document in event_counts::documents(report, &notifier.metrics_by, function, now) {
        println!("{document}");
    }
}

/// Returns the failed records to a queue. For any other sender the invocation fails, so that Lambda tries again and does
/// not lose the payload.
fn answer(report: &BatchReport, context: &Context) -> Result<Value, Diagnostic> {
    match (report.sender, report.failed().next()) {
        (Sender::Queue, _) => answer_queue(report),
        (Sender::Lambda, Some(entry)) => Err(failure(entry)),
        (Sender::Lambda, None) => Ok(counts(report, context)),
    }
}

/// The counts for a caller that asks for them, such as `ecs-parrot redrive`. Lambda itself ignores the answer.
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
    let timers = report.failed_timers.iter();
    function::batch_response(failed.chain(timers.map(|it| Ok(it.id.as_str()))))
}

fn failure(entry: &ReportEntry) -> Diagnostic {
    let why = entry.failure().unwrap_or_default();
    match entry.result {
        Ok(_) => failed("DeliveryFailed", why),
        Err(_) => failed("NotAnEvent", why),
    }
}
