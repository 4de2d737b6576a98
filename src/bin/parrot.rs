//! The Lambda function: ECS events in, messages in chat out.

use std::process::ExitCode;

use aws_lambda_events::sqs::SqsBatchResponse;
use ecs_parrot::config::{self, Parrot};
use ecs_parrot::deliver::Channel;
use ecs_parrot::inbox::Sender;
use ecs_parrot::notify::{Account, Deadline, Entry, Notifier};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda_runtime::tracing::init_default_subscriber();
    let notifier = match start() {
        Ok(notifier) => notifier,
        Err(error) => {
            // Line by line, because each problem is one to mend.
            format!("{error:#}")
                .lines()
                .for_each(|line| tracing::error!("cannot start: {line}"));
            return ExitCode::FAILURE;
        }
    };
    let notifier = &notifier;
    let handler = |event: LambdaEvent<Value>| async move {
        let deadline = Deadline::at(event.context.deadline());
        let account = notifier.notify(&event.payload, deadline).await;
        answer(&account)
    };
    match lambda_runtime::run(service_fn(handler)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the Lambda runtime ended");
            ExitCode::FAILURE
        }
    }
}

fn start() -> anyhow::Result<Notifier> {
    anyhow::ensure!(
        std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some(),
        "this is a Lambda function's program; run it with `cargo lambda watch`, or use `ecs-parrot notify`"
    );
    let config = Parrot::read(&config::environment())?;
    config
        .warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    if let [Channel::Terminal(_)] = &config.channels[..] {
        tracing::warn!(
            "no channel is configured, so messages stand in this log only; set SLACK_WEBHOOKURL or FLOWDOCK_API_TOKEN"
        );
    }
    Ok(config.notifier()?)
}

/// Why an invocation failed; the names are stable, so that alarms can be made of them.
#[derive(Debug)]
enum Failure {
    NotAnEvent(String),
    DeliveryFailed(String),
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let (error_type, error_message) = match failure {
            Failure::NotAnEvent(message) => ("NotAnEvent", message),
            Failure::DeliveryFailed(message) => ("DeliveryFailed", message),
        };
        Self {
            error_type: error_type.to_owned(),
            error_message,
        }
    }
}

/// A queue gets the records back that failed; everybody else hears of a failed invocation, so that Lambda
/// tries again and keeps the payload.
fn answer(account: &Account) -> Result<Value, Failure> {
    match account.sender {
        Sender::Queue => answer_queue(account),
        Sender::Lambda => account
            .failed()
            .next()
            .map_or(Ok(Value::Null), |entry| Err(failure(entry))),
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>
fn answer_queue(account: &Account) -> Result<Value, Failure> {
    let mut response = SqsBatchResponse::default();
    let mut given_back = Vec::new();
    for entry in account.failed() {
        // Without an id a single record cannot be given back, only the whole batch.
        let Some(receipt) = &entry.receipt else {
            return Err(failure(entry));
        };
        if !given_back.contains(&receipt) {
            given_back.push(receipt);
            response.add_failure(receipt.0.clone());
        }
    }
    Ok(json!(response))
}

fn failure(entry: &Entry) -> Failure {
    let why = entry.failure().unwrap_or_default();
    match entry.result {
        Ok(_) => Failure::DeliveryFailed(why),
        Err(_) => Failure::NotAnEvent(why),
    }
}
