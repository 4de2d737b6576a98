//! The settings of a service that a task can take over: its task definition, network and capacity.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{AwsVpcConfiguration, CapacityProviderStrategyItem, LaunchType, Service};

use crate::aws::CallError;

#[derive(Debug, Clone, Default)]
pub struct ServiceSettings {
    pub definition: Option<String>,
    pub network: Option<AwsVpcConfiguration>,
    pub launch_type: Option<LaunchType>,
    pub strategy: Vec<CapacityProviderStrategyItem>,
    pub platform_version: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum DescribeServiceError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("cluster `{cluster}` has no service `{service}`")]
    Unknown { cluster: String, service: String },
}

pub async fn describe(
    ecs: &Client,
    cluster: &str,
    service: &str,
) -> Result<ServiceSettings, DescribeServiceError> {
    let answer = ecs
        .describe_services()
        .cluster(cluster)
        .services(service)
        .send()
        .await
        .map_err(|error| CallError::of("DescribeServices", error))?;
    // A deleted service is INACTIVE, and DescribeServices still returns it for a while.
    let exists = |it: &&Service| it.status() != Some("INACTIVE");
    let found = answer.services().iter().find(exists);
    found
        .map(settings)
        .ok_or_else(|| DescribeServiceError::Unknown {
            cluster: cluster.to_owned(),
            service: service.to_owned(),
        })
}

fn settings(service: &Service) -> ServiceSettings {
    let network = service.network_configuration();
    ServiceSettings {
        definition: service.task_definition().map(str::to_owned),
        network: network.and_then(|it| it.awsvpc_configuration()).cloned(),
        launch_type: service.launch_type().cloned(),
        strategy: service.capacity_provider_strategy().to_vec(),
        platform_version: service.platform_version().map(str::to_owned),
    }
}
