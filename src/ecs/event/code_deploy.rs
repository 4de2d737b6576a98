//! "CodeDeploy Deployment State-change Notification": a deployment of a service that CodeDeploy rolls out.
//!
//! <https://docs.aws.amazon.com/codedeploy/latest/userguide/monitoring-cloudwatch-events.html>. It names no cluster, no
//! service, and not even that it is about ECS: the deployment group does.

use super::Fields;

#[derive(Debug, Clone, Default)]
pub struct CodeDeployStateChange {
    /// `d-1A2B3C4D5`.
    pub deployment: Option<String>,
    pub application: Option<String>,
    pub group: Option<String>,
    /// `START`, `SUCCESS`, `FAILURE`, `STOP` or `READY`.
    pub state: Option<String>,
}

impl CodeDeployStateChange {
    pub(super) fn read(fields: Fields<'_>) -> Self {
        Self {
            deployment: fields.text("deploymentId"),
            application: fields.text("application"),
            group: fields.text("deploymentGroup"),
            state: fields.text("state"),
        }
    }
}
