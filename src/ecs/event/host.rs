//! What EC2 and Auto Scaling say about instances: interruptions that are coming, and launches that failed.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html>,
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html>. None of them names a
//! cluster.

use serde::{Deserialize, Serialize};

use super::Fields;

/// What happens to an instance, or to a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostEventType {
    /// EC2 takes a spot instance back in two minutes.
    #[default]
    SpotInterruption,
    /// A spot instance may soon be taken back.
    RebalanceRecommendation,
    /// The group is about to terminate the instance, and waits for a lifecycle hook.
    Termination,
    /// The group could not launch an instance.
    LaunchFailed,
}

impl HostEventType {
    /// What happens, after "the instance" or "the group".
    pub fn in_words(self) -> &'static str {
        match self {
            Self::SpotInterruption => "got a spot interruption warning",
            Self::RebalanceRecommendation => "got a rebalance recommendation",
            Self::Termination => "is about to be terminated by its group",
            Self::LaunchFailed => "could not launch an instance",
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct HostEvent {
    pub what: HostEventType,
    /// `i-0abc…`. None was launched where the launch failed.
    pub instance: Option<String>,
    /// What EC2 does to a spot instance: `terminate`, `stop` or `hibernate`.
    pub action: Option<String>,
    /// The Auto Scaling group.
    pub group: Option<String>,
    pub availability_zone: Option<String>,
    pub reason: Option<String>,
}

impl HostEvent {
    /// `None` if the event is of another type.
    pub(super) fn read(source: &str, detail_type: &str, fields: Fields<'_>) -> Option<Self> {
        let what = match (source, detail_type) {
            ("aws.ec2", "EC2 Spot Instance Interruption Warning") => {
                HostEventType::SpotInterruption
            }
            ("aws.ec2", "EC2 Instance Rebalance Recommendation") => {
                HostEventType::RebalanceRecommendation
            }
            ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action") => {
                HostEventType::Termination
            }
            ("aws.autoscaling", "EC2 Instance Launch Unsuccessful") => HostEventType::LaunchFailed,
            (_, _) => return None,
        };
        let instance = fields
            .text("instance-id")
            .or_else(|| fields.text("EC2InstanceId"));
        Some(Self {
            what,
            instance: instance.filter(|it| is_instance(it)),
            action: fields.text("instance-action"),
            group: fields.text("AutoScalingGroupName"),
            availability_zone: fields.object("Details").text("Availability Zone"),
            reason: fields
                .text("StatusMessage")
                .or_else(|| fields.text("Cause")),
        })
    }
}

/// Whether a text is the id of an EC2 instance: `i-` and 8 or 17 hexadecimal digits.
pub fn is_instance(text: &str) -> bool {
    let id = text.strip_prefix("i-").unwrap_or_default();
    matches!(id.len(), 8 | 17) && id.bytes().all(|it| it.is_ascii_hexdigit())
}
