//! What the programs of all Lambda functions share: the start, and the loop that answers invocations.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::SqsBatchResponse;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use serde_json::{Value, json};

#[derive(Debug, thiserror::Error)]
#[error(
    "this is a Lambda function's program; run it with `cargo lambda watch`, or use the command line, `ecs-parrot`"
)]
pub struct NotAFunction;

/// Sets up logging for Lambda, and checks that Lambda started the program.
///
/// # Errors
///
/// [`NotAFunction`] if the program was started by hand.
pub fn enter() -> Result<(), NotAFunction> {
    lambda_runtime::tracing::init_default_subscriber();
    match std::env::var_os("AWS_LAMBDA_RUNTIME_API") {
        Some(_) => Ok(()),
        None => Err(NotAFunction),
    }
}

/// Logs why a function does not start. Each problem has a line of its own, because each one must be fixed.
pub fn cannot_start(error: &str) -> ExitCode {
    error
        .lines()
        .for_each(|line| tracing::error!("cannot start: {line}"));
    ExitCode::FAILURE
}

/// Answers invocations until Lambda ends the program. The payload is parsed here and not by the runtime, because the
/// runtime's parser spends time on recording the path to each value for its error messages.
pub async fn serve<F, A>(handler: F) -> ExitCode
where
    F: Fn(LambdaEvent<Value>) -> A,
    A: Future<Output = Result<Value, Diagnostic>>,
{
    let handler = &handler;
    let service = service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        let LambdaEvent { payload, context } = event;
        let payload = serde_json::from_str(payload.get())
            .map_err(|error| failed("NotJson", error.to_string()))?;
        handler(LambdaEvent { payload, context }).await
    });
    match lambda_runtime::run(service).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the Lambda runtime ended");
            ExitCode::FAILURE
        }
    }
}

/// The time that an invocation has left.
pub fn time_left(event: &LambdaEvent<Value>) -> Duration {
    let left = event.context.deadline().duration_since(SystemTime::now());
    left.unwrap_or_default()
}

/// The error of a failed invocation. Its type is a stable name, so that alarms can match it.
pub fn failed(error_type: &str, error_message: String) -> Diagnostic {
    Diagnostic {
        error_type: error_type.to_owned(),
        error_message,
    }
}

/// The answer to a batch of a queue: the message ids of the records that failed. SQS makes these visible again, and
/// deletes the others. Each id is named once.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>
///
/// # Errors
///
/// The first error in `failed`. It stands for a record without an id: such a record cannot be returned to the queue
/// alone, so the whole batch is returned.
pub fn batch_response<'a>(
    failed: impl IntoIterator<Item = Result<&'a str, Diagnostic>>,
) -> Result<Value, Diagnostic> {
    let mut response = SqsBatchResponse::default();
    let mut returned = Vec::new();
    for id in failed {
        let id = id?;
        if !returned.contains(&id) {
            returned.push(id);
            response.add_failure(id);
        }
    }
    Ok(json!(response))
}
