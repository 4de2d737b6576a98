//! The Lambda function for lifecycle hooks of deployments, of CodeDeploy or of Amazon ECS.

use std::process::ExitCode;
use std::time::Duration;

use ecs_parrot::aws::Session;
use ecs_parrot::aws::function::{self, failed, time_left};
use ecs_parrot::aws::service::CODE_DEPLOY;
use ecs_parrot::config;
use ecs_parrot::http::SharedClient;
use ecs_parrot::runner::hook::HookConfig;
use ecs_parrot::runner::hook::{Caller, DeployHook, HookError};
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let hook = match start().await {
        Ok(hook) => hook,
        Err(error) => return function::cannot_start(&format!("{error:#}")),
    };
    let hook = &hook;
    function::serve(|event: LambdaEvent<Value>| {
        let time = time_left(&event);
        answer(hook, event.payload, time)
    })
    .await
}

/// Starts even if the configuration is not valid, because a deployment without an answer would wait.
async fn start() -> anyhow::Result<DeployHook> {
    function::enter()?;
    let config = HookConfig::read(&config::environment());
    match &config {
        Ok(config) => config
            .warnings
            .iter()
            .for_each(|warning| tracing::warn!("{warning}")),
        Err(error) => tracing::error!(
            "the configuration is not valid, so each call is answered with Failed: {error}"
        ),
    }
    let session = Session::of_function(&SharedClient::default())?;
    Ok(DeployHook {
        config,
        ecs: session.ecs(),
        code_deploy: session.service(CODE_DEPLOY),
        function: std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
    })
}

async fn answer(hook: &DeployHook, payload: Value, time: Duration) -> Result<Value, Diagnostic> {
    let caller =
        Caller::of(&payload).map_err(|error| failed("UnknownPayload", error.to_string()))?;
    hook.answer(caller, time).await.map_err(|error| {
        tracing::error!(%error, decision = "not_reported");
        let name = match &error {
            HookError::CallbackFailed(_) => "CallbackFailed",
            HookError::NotReported(_) => "NotReported",
        };
        failed(name, error.to_string())
    })
}
