//! "ECS Daemon Deployment State Change" and "ECS Daemon Service Action": managed daemons, which ECS runs once on each
//! instance of a capacity provider.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-daemons-events.html>

use super::{Fields, Time};

#[derive(Debug, Clone, Default)]
pub struct DaemonDeployment {
    /// `DAEMON_DEPLOYMENT_IN_PROGRESS`. `eventType` is INFO also for a rollback.
    pub event_name: Option<String>,
    pub cluster_arn: Option<String>,
    pub daemon_arn: Option<String>,
    pub deployment_arn: Option<String>,
    /// The revision that is deployed.
    pub revision_arn: Option<String>,
    pub reason: Option<String>,
    pub updated_at: Option<Time>,
}

#[derive(Debug, Clone, Default)]
pub struct DaemonAction {
    /// `DAEMON_TASK_START_IMPAIRED`.
    pub event_name: Option<String>,
    /// `WARNING`, where services have `WARN`.
    pub event_type: Option<String>,
    pub cluster_arn: Option<String>,
    pub daemon_arn: Option<String>,
    /// `TASK_FAILED_TO_RUN`, or `TASK_CREATION_FAILED`, which has no task.
    pub failure_type: Option<String>,
    pub container_instance_arn: Option<String>,
    pub task_arn: Option<String>,
    pub task_definition_arn: Option<String>,
    pub capacity_provider: Option<String>,
    pub reason: Option<String>,
    pub created_at: Option<Time>,
}

impl DaemonDeployment {
    pub(super) fn read(fields: Fields<'_>) -> Self {
        Self {
            event_name: fields.text("eventName"),
            cluster_arn: fields.text("clusterArn"),
            daemon_arn: fields.text("daemonArn"),
            deployment_arn: fields.text("daemonDeploymentArn"),
            revision_arn: fields.text("targetDaemonRevisionArn"),
            reason: fields
                .text("reason")
                .or_else(|| fields.text("statusReason")),
            updated_at: fields.time("updatedAt"),
        }
    }
}

impl DaemonAction {
    pub(super) fn read(fields: Fields<'_>) -> Self {
        Self {
            event_name: fields.text("eventName"),
            event_type: fields.text("eventType"),
            cluster_arn: fields.text("clusterArn"),
            daemon_arn: fields.text("daemonArn"),
            failure_type: fields.text("failureType"),
            container_instance_arn: fields.text("containerInstanceArn"),
            task_arn: fields.text("taskArn"),
            task_definition_arn: fields.text("daemonTaskDefinitionArn"),
            capacity_provider: fields.text("capacityProviderName"),
            reason: fields.text("reason"),
            created_at: fields.time("createdAt"),
        }
    }
}
