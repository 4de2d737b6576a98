//! "ECS Service Action": events of the service scheduler.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html>. The service is
//! named only in the envelope's `resources`.

use super::{Fields, Time};

#[derive(Debug, Clone, Default)]
pub struct ServiceAction {
    /// INFO, WARN or ERROR. AWS's sources disagree about it for some values of `event_name`.
    pub event_type: Option<String>,
    pub event_name: Option<String>,
    pub cluster_arn: Option<String>,
    pub reason: Option<String>,
    pub deployment_id: Option<String>,
    pub created_at: Option<Time>,
    pub desired_count: Option<i64>,
    pub capacity_providers: Vec<String>,
    pub container_instances: Vec<String>,
    pub tasks: Vec<String>,
    pub targets: Vec<String>,
}

impl ServiceAction {
    pub(super) fn read(fields: Fields<'_>) -> Self {
        Self {
            event_type: fields.text("eventType"),
            event_name: fields.text("eventName"),
            cluster_arn: fields.text("clusterArn"),
            reason: fields.text("reason"),
            deployment_id: fields.text("deploymentId"),
            created_at: fields
                .time("createdAt")
                .or_else(|| fields.time("updatedAt")),
            desired_count: fields.number("desiredCount"),
            capacity_providers: fields.texts("capacityProviderArns"),
            container_instances: fields.texts("containerInstanceArns"),
            tasks: fields.texts("taskArns"),
            targets: fields.texts("targets"),
        }
    }
}
