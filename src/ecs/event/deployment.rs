//! "ECS Deployment State Change" and "ECS Hook State Change": a deployment, and the hooks that it waits for.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html>,
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/pause-lifecycle-hooks.html>

use serde::{Deserialize, Serialize};

use super::{Fields, Time};

#[derive(Debug, Clone, Default)]
pub struct DeploymentStateChange {
    pub event_type: Option<String>,
    pub event_name: Option<String>,
    pub deployment_id: Option<String>,
    /// Only newer events have it.
    pub cluster_arn: Option<String>,
    pub reason: Option<String>,
    pub updated_at: Option<Time>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HookStateChange {
    pub event_type: Option<String>,
    pub event_name: Option<String>,
    pub hook_id: Option<String>,
    pub hook_type: Option<String>,
    pub lifecycle_stage: Option<String>,
    pub expires_at: Option<Time>,
    pub timeout_action: Option<String>,
    pub cluster_arn: Option<String>,
    pub service_arn: Option<String>,
    pub service_deployment_arn: Option<String>,
    pub reason: Option<String>,
    pub updated_at: Option<Time>,
}

impl DeploymentStateChange {
    pub(super) fn read(fields: Fields<'_>) -> Self {
        Self {
            event_type: fields.text("eventType"),
            event_name: fields.text("eventName"),
            deployment_id: fields.text("deploymentId"),
            cluster_arn: fields.text("clusterArn"),
            reason: fields.text("reason"),
            updated_at: fields.time("updatedAt"),
        }
    }
}

impl HookStateChange {
    pub(super) fn read(fields: Fields<'_>) -> Self {
        Self {
            event_type: fields.text("eventType"),
            event_name: fields.text("eventName"),
            hook_id: fields.text("hookId"),
            hook_type: fields.text("hookType"),
            lifecycle_stage: fields.text("lifecycleStage"),
            expires_at: fields.time("expiresAt"),
            timeout_action: fields.text("timeoutAction"),
            cluster_arn: fields.text("clusterArn"),
            service_arn: fields.text("serviceArn"),
            service_deployment_arn: fields.text("serviceDeploymentArn"),
            reason: fields
                .text("reason")
                .or_else(|| fields.text("statusReason")),
            updated_at: fields.time("updatedAt"),
        }
    }
}
