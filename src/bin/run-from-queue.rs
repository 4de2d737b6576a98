//! The Lambda function that runs ECS tasks on request of SQS messages.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use ecs_parrot::aws::Session;
use ecs_parrot::config::{self, Queue};
use ecs_parrot::queue::{Entry, RunFromQueue, rerun};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};

/// Time to give records back and to answer.
const RESERVE: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda_runtime::tracing::init_default_subscriber();
    let function = match start().await {
        Ok(function) => function,
        Err(error) => {
            format!("{error:#}")
                .lines()
                .for_each(|line| tracing::error!("cannot start: {line}"));
            return ExitCode::FAILURE;
        }
    };
    let function = &function;
    let handler = |event: LambdaEvent<Value>| async move {
        let left = event.context.deadline().duration_since(SystemTime::now());
        let time = left.unwrap_or_default().saturating_sub(RESERVE);
        answer(function, event.payload, time).await
    };
    match lambda_runtime::run(service_fn(handler)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the Lambda runtime ended");
            ExitCode::FAILURE
        }
    }
}

async fn start() -> anyhow::Result<RunFromQueue> {
    anyhow::ensure!(
        std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some(),
        "this is a Lambda function's program; run it with `cargo lambda watch`"
    );
    let config = Queue::read(&config::environment())?;
    config
        .warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    let session = Session::of_function().await?;
    Ok(RunFromQueue {
        ecs: session.ecs(),
        sqs: session.sqs(),
        allowed: config.allowed,
    })
}

/// Why an invocation failed; the names are stable, so that alarms can be made of them.
#[derive(Debug)]
enum Failure {
    NotAMessage(String),
    NotStarted(String),
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let (error_type, error_message) = match failure {
            Failure::NotAMessage(message) => ("NotAMessage", message),
            Failure::NotStarted(message) => ("NotStarted", message),
        };
        Self {
            error_type: error_type.to_owned(),
            error_message,
        }
    }
}

async fn answer(function: &RunFromQueue, payload: Value, time: Duration) -> Result<Value, Failure> {
    if payload.get("Records").is_some() {
        let event: SqsEvent = serde_json::from_value(payload)
            .map_err(|error| Failure::NotAMessage(format!("no event of SQS: {error}")))?;
        return answer_queue(&function.work(event.records, time).await);
    }
    match payload.get("detail") {
        Some(detail) if rerun::is_wanted(detail) => {
            let tasks = function.run_again(detail).await.map_err(|refusal| {
                let advice = refusal.advice().unwrap_or_default();
                tracing::error!(task = %detail["taskArn"], decision = "not again", reason = %refusal, advice);
                Failure::NotStarted(refusal.to_string())
            })?;
            tracing::info!(task = %detail["taskArn"], decision = "again", tasks = tasks.join(","));
            Ok(json!({"tasks": tasks}))
        }
        Some(_) => Ok(json!({"tasks": []})),
        None => Err(Failure::NotAMessage(
            "neither records of SQS nor the event of a stopped task".to_owned(),
        )),
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>
fn answer_queue(entries: &[Entry]) -> Result<Value, Failure> {
    let mut response = SqsBatchResponse::default();
    for entry in entries {
        let Err(refusal) = &entry.result else {
            continue;
        };
        // Without an id a single record cannot be given back, only the whole batch.
        if entry.message_id.is_empty() {
            return Err(Failure::NotAMessage(refusal.to_string()));
        }
        response.add_failure(entry.message_id.clone());
    }
    Ok(json!(response))
}
