//! The Lambda function behind a deployment's lifecycle hook, CodeDeploy's or Amazon ECS's own.

use std::process::ExitCode;
use std::time::SystemTime;

use ecs_parrot::aws::Session;
use ecs_parrot::config::{self, Hook};
use ecs_parrot::hook::{Caller, DeployHook};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda_runtime::tracing::init_default_subscriber();
    let function = match start().await {
        Ok(function) => function,
        Err(error) => {
            tracing::error!("cannot start: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let function = &function;
    let handler = |event: LambdaEvent<Value>| async move {
        let left = event.context.deadline().duration_since(SystemTime::now());
        let caller =
            Caller::of(&event.payload).map_err(|error| failed("NobodysCall", error.to_string()))?;
        let answered = function.answer(caller, left.unwrap_or_default()).await;
        answered.map_err(|error| {
            tracing::error!(%error, decision = "not told");
            failed("NotTold", error.to_string())
        })
    };
    match lambda_runtime::run(service_fn(handler)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the Lambda runtime ended");
            ExitCode::FAILURE
        }
    }
}

/// Starts with any configuration: a deployment that is not answered waits.
async fn start() -> anyhow::Result<DeployHook> {
    anyhow::ensure!(
        std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some(),
        "this is a Lambda function's program; run it with `cargo lambda watch`"
    );
    let config = Hook::read(&config::environment());
    if let Err(error) = &config {
        tracing::error!(
            "every call is answered Failed, because the configuration is wrong: {error}"
        );
    }
    let session = Session::of_function().await?;
    Ok(DeployHook {
        config,
        ecs: session.ecs(),
        code_deploy: session.code_deploy(),
    })
}

/// The names are stable, so that alarms can be made of them.
fn failed(error_type: &str, error_message: String) -> Diagnostic {
    Diagnostic {
        error_type: error_type.to_owned(),
        error_message,
    }
}
