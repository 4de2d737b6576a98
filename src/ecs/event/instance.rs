//! "ECS Container Instance State Change" and "… Health Change": the hosts of EC2 tasks.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_container_instance_events.html>

use serde::{Deserialize, Serialize};

use super::{Fields, Time};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceStateChange {
    pub cluster_arn: Option<String>,
    pub container_instance_arn: Option<String>,
    pub ec2_instance: Option<String>,
    pub status: Option<String>,
    pub status_reason: Option<String>,
    pub agent_connected: Option<bool>,
    pub availability_zone: Option<String>,
    /// `m7i.large`.
    pub instance_type: Option<String>,
    pub agent_version: Option<String>,
    pub docker_version: Option<String>,
    pub running_tasks: Option<i64>,
    pub updated_at: Option<Time>,
    /// Increases with each change of the instance's state.
    pub version: Option<i64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceHealthChange {
    pub cluster_arn: Option<String>,
    pub container_instance_arn: Option<String>,
    pub ec2_instance: Option<String>,
    pub capacity_provider: Option<String>,
    pub overall_status: Option<String>,
    pub health_checks: Vec<HealthCheck>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthCheck {
    /// AGENT_CONNECTIVITY, CONTAINER_RUNTIME, ACCELERATED_COMPUTE, DAEMON …
    pub kind: Option<String>,
    pub status: Option<String>,
    pub reason: Option<String>,
    pub since: Option<Time>,
}

impl InstanceStateChange {
    pub(super) fn read(fields: Fields<'_>) -> Self {
        let versions = fields.object("versionInfo");
        Self {
            cluster_arn: fields.text("clusterArn"),
            container_instance_arn: fields.text("containerInstanceArn"),
            ec2_instance: fields.text("ec2InstanceId"),
            status: fields.text("status"),
            status_reason: fields.text("statusReason"),
            agent_connected: fields.flag("agentConnected"),
            availability_zone: attribute(fields, "ecs.availability-zone"),
            instance_type: attribute(fields, "ecs.instance-type"),
            agent_version: versions.text("agentVersion"),
            docker_version: docker_version(versions),
            running_tasks: fields.number("runningTasksCount"),
            updated_at: fields.time("updatedAt"),
            version: fields.number("version"),
        }
    }
}

impl InstanceHealthChange {
    pub(super) fn read(fields: Fields<'_>) -> Self {
        Self {
            cluster_arn: fields.text("clusterArn"),
            container_instance_arn: fields.text("containerInstanceArn"),
            ec2_instance: fields.text("ec2InstanceId"),
            capacity_provider: fields.text("capacityProviderName"),
            overall_status: fields.text("overallStatus"),
            health_checks: fields
                .list("healthChecks")
                .into_iter()
                .map(HealthCheck::read)
                .collect(),
        }
    }
}

impl HealthCheck {
    fn read(fields: Fields<'_>) -> Self {
        Self {
            kind: fields.text("type"),
            status: fields.text("status"),
            reason: fields.text("statusReason"),
            since: fields.time("lastStatusChange"),
        }
    }
}

/// The agent registers the zone and the type as attributes of the instance.
fn attribute(fields: Fields<'_>, name: &str) -> Option<String> {
    let attributes = fields.list("attributes").into_iter();
    let mut named = attributes.filter(|it| it.text("name").as_deref() == Some(name));
    named.find_map(|it| it.text("value"))
}

/// Reads `versionInfo.dockerVersion`, which the agent reports as "DockerVersion: 25.0.6".
pub fn docker_version(version_info: Fields<'_>) -> Option<String> {
    let text = version_info.text("dockerVersion")?;
    Some(text.trim_start_matches("DockerVersion:").trim().to_owned())
}
