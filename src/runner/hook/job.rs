//! The task that a hook runs. Its settings come from the configuration and, for hooks of Amazon ECS, from the
//! deployment.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::run_task::RunTaskInput;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, ContainerOverride,
    KeyValuePair, LaunchType, NetworkConfiguration, TaskOverride,
};

use super::HookConfig;
use super::PROGRAM;
use crate::runner::clone::first_essential;
use crate::runner::definition;
use crate::runner::error::RunError;
use crate::runner::request::RunRequest;
use crate::runner::task::{self, StartError};
use crate::runner::token::{started_by, token};

/// Everything that is needed to run the task.
#[derive(Debug, Clone)]
pub struct Job {
    pub task_definition: String,
    pub cluster: String,
    /// Without a value, the command of the task definition is used.
    pub command: Option<Vec<String>>,
    /// The container whose exit code decides.
    pub container: String,
    pub network: Option<AwsVpcConfiguration>,
    pub launch_type: Option<LaunchType>,
    pub strategy: Vec<CapacityProviderStrategyItem>,
    pub platform_version: Option<String>,
    pub variables: Vec<(&'static str, String)>,
}

#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("the configuration is not valid: {0}")]
    Configuration(String),
    #[error("{0} is not set, but hooks of CodeDeploy need it")]
    Unset(&'static str),
    #[error("{0}")]
    Incomplete(String),
    #[error(transparent)]
    Run(RunError),
}

impl<E> From<E> for JobError
where
    RunError: From<E>,
{
    fn from(error: E) -> Self {
        Self::Run(error.into())
    }
}

impl JobError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Run(error) => error.is_retryable(),
            Self::Configuration(_) | Self::Unset(_) | Self::Incomplete(_) => false,
        }
    }

    /// Whether ECS answered RunTask and placed no task.
    pub fn is_not_placed(&self) -> bool {
        matches!(self, Self::Run(error) if error.is_not_placed())
    }

    /// The error message, with advice.
    pub fn with_advice(&self) -> String {
        let advice = match self {
            Self::Run(error) => error.advice(),
            Self::Configuration(_) | Self::Unset(_) | Self::Incomplete(_) => None,
        };
        match advice {
            Some(advice) => format!("{self}; {advice}"),
            None => self.to_string(),
        }
    }
}

impl Job {
    /// The job for CodeDeploy: one task on Fargate, with all six variables of the configuration set.
    pub fn configured(config: &HookConfig) -> Result<Self, JobError> {
        let text = |name, value: &Option<String>| value.clone().ok_or(JobError::Unset(name));
        let network = network(config)?;
        if config.security_groups.is_empty() {
            return Err(JobError::Unset("SECURITY_GROUPS"));
        }
        Ok(Self {
            task_definition: text("TASK_DEFINITION", &config.task_definition)?,
            cluster: text("CLUSTER_NAME", &config.cluster)?,
            command: Some(config.command.clone().ok_or(JobError::Unset("COMMAND"))?),
            container: text("CONTAINER_NAME", &config.container)?,
            network: Some(network.ok_or(JobError::Unset("SUBNETS"))?),
            launch_type: Some(LaunchType::Fargate),
            strategy: Vec::new(),
            platform_version: None,
            variables: Vec::new(),
        })
    }

    /// The container to use if none is configured: the first essential one of the task definition.
    pub async fn default_container(
        ecs: &Client,
        task_definition: &str,
    ) -> Result<String, JobError> {
        let definition = definition::describe(ecs, task_definition).await?;
        let nothing = || JobError::Incomplete(format!("`{task_definition}` has no containers"));
        first_essential(&definition).ok_or_else(nothing)
    }

    /// Starts the task and returns its ARN. All calls with the same `caller`, `stage` and `number` start one task.
    pub async fn start(
        &self,
        ecs: &Client,
        caller: &str,
        stage: &str,
        number: u32,
    ) -> Result<String, JobError> {
        let request = self.request(
            caller,
            token(&[PROGRAM, caller, stage, &number.to_string()]),
        )?;
        let started = task::start(ecs, &request).await?;
        let first = started.tasks.into_iter().next();
        first.ok_or_else(|| StartError::NotPlaced(started.failures).into())
    }

    fn request(&self, caller: &str, token: String) -> Result<RunRequest, JobError> {
        let network = self.network.clone();
        let network = network.map(|it| {
            NetworkConfiguration::builder()
                .awsvpc_configuration(it)
                .build()
        });
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| KeyValuePair::builder().name(*name).value(value).build());
        let variables: Vec<_> = variables.collect();
        let container = ContainerOverride::builder()
            .name(&self.container)
            .set_command(self.command.clone())
            .set_environment(Some(variables).filter(|variables| !variables.is_empty()))
            .build();
        let input = RunTaskInput::builder()
            .task_definition(&self.task_definition)
            .cluster(&self.cluster)
            .count(1)
            .overrides(
                TaskOverride::builder()
                    .container_overrides(container)
                    .build(),
            )
            .set_network_configuration(network)
            .set_launch_type(
                self.launch_type
                    .clone()
                    .filter(|_| self.strategy.is_empty()),
            )
            .set_capacity_provider_strategy(Some(self.strategy.clone()).filter(|it| !it.is_empty()))
            .set_platform_version(self.platform_version.clone())
            .started_by(started_by(PROGRAM, caller))
            .client_token(token)
            .build()
            .map_err(|error| JobError::Incomplete(error.to_string()))?;
        Ok(RunRequest::new(input)?)
    }
}

/// The network in the configuration, if there is one.
pub(super) fn network(config: &HookConfig) -> Result<Option<AwsVpcConfiguration>, JobError> {
    if config.subnets.is_empty() {
        return Ok(None);
    }
    let public = if config.assign_public_ip {
        AssignPublicIp::Enabled
    } else {
        AssignPublicIp::Disabled
    };
    let groups = Some(config.security_groups.clone()).filter(|groups| !groups.is_empty());
    AwsVpcConfiguration::builder()
        .set_subnets(Some(config.subnets.clone()))
        .set_security_groups(groups)
        .assign_public_ip(public)
        .build()
        .map(Some)
        .map_err(|error| JobError::Incomplete(error.to_string()))
}
