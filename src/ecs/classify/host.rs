//! Classifies what EC2 and Auto Scaling say about instances. Which cluster an instance is in is looked up.

use super::Classification;
use crate::ecs::event::{HostEvent, HostEventType};
use crate::ecs::notice::{Facts, HostFacts, Kind, Subject};

pub(super) fn find(event: &HostEvent) -> Classification {
    Classification {
        kind: match event.what {
            HostEventType::SpotInterruption
            | HostEventType::RebalanceRecommendation
            | HostEventType::Termination => Kind::InstanceInterruption,
            HostEventType::LaunchFailed => Kind::InstanceLaunchFailed,
        },
        subject: Subject {
            ec2_instance: event.instance.clone(),
            availability_zone: event.availability_zone.clone(),
            ..Subject::default()
        },
        facts: Facts::Host(Box::new(HostFacts {
            what: event.what,
            action: event.action.clone(),
            group: event.group.clone(),
            reason: event.reason.clone(),
            ..HostFacts::default()
        })),
        actor: None,
    }
}
