//! The Lambda function that runs ECS tasks for SQS messages.

use std::process::ExitCode;
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use ecs_parrot::aws::Session;
use ecs_parrot::aws::function::{self, failed, time_left};
use ecs_parrot::config;
use ecs_parrot::http::SharedClient;
use ecs_parrot::runner::queue::QueueConfig;
use ecs_parrot::runner::queue::{RecordError, RecordReport, RunFromQueue, rerun};
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::{Value, json};
use tokio::time::timeout;

/// Time that is reserved for returning records to the queue and for the answer.
const RESERVE: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let queue = match start().await {
        Ok(queue) => queue,
        Err(error) => return function::cannot_start(&format!("{error:#}")),
    };
    let queue = &queue;
    function::serve(|event: LambdaEvent<Value>| {
        let time = time_left(&event).saturating_sub(RESERVE);
        answer(queue, event.payload, time)
    })
    .await
}

async fn start() -> anyhow::Result<RunFromQueue> {
    function::enter()?;
    let config = QueueConfig::read(&config::environment())?;
    config
        .warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    let session = Session::of_function(&SharedClient::default())?;
    Ok(RunFromQueue {
        ecs: session.ecs(),
        sqs: session.sqs(),
        allowed: config.allowed,
        function: std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
    })
}

async fn answer(queue: &RunFromQueue, payload: Value, time: Duration) -> Result<Value, Diagnostic> {
    if payload.get("Records").is_some() {
        let event: SqsEvent = serde_json::from_value(payload)
            .map_err(|error| failed("NotAMessage", format!("not an event of SQS: {error}")))?;
        return answer_queue(&queue.handle(event.records, time).await);
    }
    match payload.get("detail") {
        Some(detail) if rerun::is_late_interface(detail) => {
            if !queue.is_own(detail) {
                tracing::info!(task = %detail["taskArn"], decision = "ignored", "the task does not carry the name of this function");
                return Ok(json!({"tasks": []}));
            }
            let again = timeout(time, queue.run_again(detail, Timestamp::now())).await;
            let tasks = again.unwrap_or(Err(RecordError::Time)).map_err(|error| {
                let advice = error.advice_for_rerun();
                tracing::error!(task = %detail["taskArn"], decision = "not_restarted", reason = %error, advice);
                failed("NotStarted", error.to_string())
            })?;
            tracing::info!(task = %detail["taskArn"], decision = "restarted", tasks = tasks.join(","));
            Ok(json!({"tasks": tasks}))
        }
        Some(_) => Ok(json!({"tasks": []})),
        None => Err(failed(
            "NotAMessage",
            "expected records of SQS or the event of a stopped task".to_owned(),
        )),
    }
}

/// The records that are returned to the queue.
fn answer_queue(reports: &[RecordReport]) -> Result<Value, Diagnostic> {
    let failed = reports.iter().filter_map(|report| {
        let error = report.result.as_ref().err()?;
        Some(match report.message_id.as_str() {
            "" => Err(failed("NotAMessage", error.to_string())),
            id => Ok(id),
        })
    });
    function::batch_response(failed)
}
