//! "ECS Task State Change": a task with the fields of DescribeTasks.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html>

use super::{Fields, Time};

#[derive(Debug, Clone, Default)]
pub struct TaskStateChange {
    pub cluster_arn: Option<String>,
    pub task_arn: Option<String>,
    pub task_definition_arn: Option<String>,
    pub container_instance_arn: Option<String>,
    /// `service:NAME`, `family:NAME`, or any text that RunTask was given.
    pub group: Option<String>,
    pub launch_type: Option<String>,
    pub capacity_provider: Option<String>,
    pub availability_zone: Option<String>,
    pub last_status: Option<String>,
    pub desired_status: Option<String>,
    pub started_by: Option<String>,
    pub created_at: Option<Time>,
    pub started_at: Option<Time>,
    pub stopping_at: Option<Time>,
    pub stopped_at: Option<Time>,
    pub updated_at: Option<Time>,
    pub stop_code: Option<String>,
    pub stopped_reason: Option<String>,
    pub version: Option<i64>,
    /// MiB for all containers together.
    pub memory: Option<i64>,
    pub containers: Vec<ContainerState>,
}

#[derive(Debug, Clone, Default)]
pub struct ContainerState {
    pub name: Option<String>,
    pub image: Option<String>,
    pub last_status: Option<String>,
    /// Missing for a container that never ran, and for some that did.
    pub exit_code: Option<i64>,
    pub reason: Option<String>,
    /// MiB that it may use before it is killed.
    pub memory: Option<i64>,
}

impl TaskStateChange {
    pub(super) fn read(fields: Fields<'_>) -> Self {
        Self {
            cluster_arn: fields.text("clusterArn"),
            task_arn: fields.text("taskArn"),
            task_definition_arn: fields.text("taskDefinitionArn"),
            container_instance_arn: fields.text("containerInstanceArn"),
            group: fields.text("group"),
            launch_type: fields.text("launchType"),
            capacity_provider: fields.text("capacityProviderName"),
            availability_zone: fields.text("availabilityZone"),
            last_status: fields.text("lastStatus"),
            desired_status: fields.text("desiredStatus"),
            started_by: fields.text("startedBy"),
            created_at: fields.time("createdAt"),
            started_at: fields.time("startedAt"),
            stopping_at: fields.time("stoppingAt"),
            stopped_at: fields.time("stoppedAt"),
            updated_at: fields.time("updatedAt"),
            stop_code: fields.text("stopCode"),
            stopped_reason: fields.text("stoppedReason"),
            version: fields.number("version"),
            memory: fields.number("memory"),
            containers: fields
                .list("containers")
                .into_iter()
                .map(ContainerState::read)
                .collect(),
        }
    }
}

impl ContainerState {
    fn read(fields: Fields<'_>) -> Self {
        Self {
            name: fields.text("name"),
            image: fields.text("image"),
            last_status: fields.text("lastStatus"),
            exit_code: fields.number("exitCode"),
            reason: fields.text("reason"),
            memory: fields.number("memory"),
        }
    }
}
