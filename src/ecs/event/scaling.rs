//! "Application Auto Scaling Scaling Activity State Change": a service has reached the maximum of its scaling.
//!
//! AWS sends it only for a scale-out that reaches the maximum.
//! <https://docs.aws.amazon.com/autoscaling/application/userguide/monitoring-eventbridge.html>

use super::{Fields, Time};

#[derive(Debug, Clone, Default)]
pub struct ScalingActivity {
    /// `service/CLUSTER/SERVICE`.
    pub resource: Option<String>,
    pub dimension: Option<String>,
    pub status: Option<String>,
    pub scaled_to_max: Option<bool>,
    pub old_count: Option<i64>,
    pub new_count: Option<i64>,
    pub least: Option<i64>,
    pub most: Option<i64>,
    pub started_at: Option<Time>,
    pub ended_at: Option<Time>,
}

impl ScalingActivity {
    /// `None` if the scaled resource is not of ECS.
    pub(super) fn read(fields: Fields<'_>) -> Option<Self> {
        let is_of_ecs = fields.text("serviceNamespace").as_deref() == Some("ecs");
        is_of_ecs.then(|| Self {
            resource: fields.text("resourceId"),
            dimension: fields.text("scalableDimension"),
            status: fields.text("statusCode"),
            scaled_to_max: fields.flag("scaledToMax"),
            old_count: fields.number("oldDesiredCapacity"),
            new_count: fields.number("newDesiredCapacity"),
            least: fields.number("minCapacity"),
            most: fields.number("maxCapacity"),
            started_at: fields.time("startTime"),
            ended_at: fields.time("endTime"),
        })
    }
}
