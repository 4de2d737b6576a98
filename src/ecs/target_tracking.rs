//! The alarms that target tracking makes for a service, known by their names.
//!
//! `TargetTracking-service/CLUSTER/SERVICE-AlarmHigh-UUID` starts a scale-out, and `…-AlarmLow-UUID` a scale-in.
//! <https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html>

use serde::{Deserialize, Serialize};

use crate::ecs::arn::{is_id, is_name};

/// An alarm of target tracking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackingAlarm<'a> {
    pub cluster: &'a str,
    pub service: &'a str,
    pub end: TrackingEnd,
}

/// Which end of the target the alarm watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackingEnd {
    High,
    /// In state ALARM whenever the service runs more tasks than it needs, also at its minimum.
    Low,
}

/// Reads the name of an alarm. People give their alarms any names, so every part must be as AWS writes it.
pub fn read(name: &str) -> Option<TrackingAlarm<'_>> {
    let resource = name.strip_prefix("TargetTracking-service/")?;
    let (cluster, rest) = resource.split_once('/')?;
    let ends = [
        (TrackingEnd::High, "-AlarmHigh-"),
        (TrackingEnd::Low, "-AlarmLow-"),
    ];
    ends.into_iter().find_map(|(end, mark)| {
        let (service, id) = rest.rsplit_once(mark)?;
        let is_ours = is_name(cluster) && is_name(service) && id.len() == 36 && is_id(id);
        is_ours.then_some(TrackingAlarm {
            cluster,
            service,
            end,
        })
    })
}

/// The name of an alarm for people. One of target tracking has an id that helps nobody.
pub fn shown_name(alarm: &str) -> &str {
    match read(alarm).map(|it| it.end) {
        Some(TrackingEnd::High) => "AlarmHigh of target tracking",
        Some(TrackingEnd::Low) => "AlarmLow of target tracking",
        None => alarm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "2f1c5d7e-5a0b-4c3d-9e8f-0a1b2c3d4e5f";

    #[test]
    fn the_service_and_the_end_are_read() {
        for (name, service, end) in [
            ("web-AlarmHigh-", "web", TrackingEnd::High),
            ("web-AlarmLow-", "web", TrackingEnd::Low),
            ("a-AlarmLow-b-AlarmHigh-", "a-AlarmLow-b", TrackingEnd::High),
            ("a-AlarmHigh-b-AlarmLow-", "a-AlarmHigh-b", TrackingEnd::Low),
        ] {
            let name = format!("TargetTracking-service/prod/{name}{ID}");
            let expected = TrackingAlarm {
                cluster: "prod",
                service,
                end,
            };
            assert_eq!(read(&name), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_name_that_only_looks_like_one_is_none() {
        for name in [
            "TargetTracking-service/prod/web-AlarmHigh-disk-full",
            "TargetTracking-service/prod/web-AlarmHigh-",
            "TargetTracking-service/prod-AlarmHigh-2f1c5d7e-5a0b-4c3d-9e8f-0a1b2c3d4e5f",
            "TargetTracking-service/prod/<!channel>-AlarmHigh-2f1c5d7e-5a0b-4c3d-9e8f-0a1b2c3d4e5f",
            "TargetTracking-service/prod/a/b-AlarmHigh-2f1c5d7e-5a0b-4c3d-9e8f-0a1b2c3d4e5f",
            "TargetTracking-service//web-AlarmHigh-2f1c5d7e-5a0b-4c3d-9e8f-0a1b2c3d4e5f",
            "TargetTracking-table/orders-AlarmHigh-2f1c5d7e-5a0b-4c3d-9e8f-0a1b2c3d4e5f",
            "my TargetTracking-service/prod/web-AlarmHigh-2f1c5d7e-5a0b-4c3d-9e8f-0a1b2c3d4e5f",
            "",
        ] {
            assert_eq!(read(name), None, "{name}");
        }
    }
}
