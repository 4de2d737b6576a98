//! Decides about events of other AWS services that are about ECS.

use super::{Decision, DropReason, Severity, not_urgent, urgent};
use crate::ecs::event::HostEventType;
use crate::ecs::notice::{
    AlarmFacts, AlarmState, AwsHealthFacts, HostFacts, RolloutFacts, RolloutState, ScalingFacts,
};
use crate::ecs::service_events::says_trouble;
use crate::ecs::target_tracking::TrackingEnd;

/// Urgent is what nobody repairs by itself: tasks that AWS stops and nobody replaces, and problems of AWS.
pub(super) fn of_health_event(health: &AwsHealthFacts) -> Decision {
    match health.category.as_deref() {
        _ if health.is_of_ecs == Some(false) => Decision::Drop(DropReason::NotInCluster),
        _ if health.is_closed() => not_urgent(Severity::Success),
        _ if health.is_planned() && health.needs_action() => urgent(Severity::Warning),
        Some("issue") => urgent(Severity::Warning),
        Some("accountNotification") => not_urgent(Severity::Info),
        Some(_) | None => not_urgent(Severity::Warning),
    }
}

/// Deployments of daemons have `eventType` INFO in nearly all states, so the state decides.
pub(super) fn of_rollout(rollout: &RolloutFacts) -> Decision {
    if rollout.is_of_ecs == Some(false) {
        return Decision::Drop(DropReason::NotEcs);
    }
    match rollout.state {
        RolloutState::Failed | RolloutState::RollbackFailed => urgent(Severity::Critical),
        RolloutState::Ready
        | RolloutState::Stopped
        | RolloutState::RollingBack
        | RolloutState::RolledBack => urgent(Severity::Warning),
        RolloutState::Stopping => not_urgent(Severity::Warning),
        RolloutState::Succeeded => not_urgent(Severity::Success),
        RolloutState::InProgress => not_urgent(Severity::Info),
        RolloutState::Unknown => of_unknown_name(rollout),
    }
}

/// A state that AWS adds later.
fn of_unknown_name(rollout: &RolloutFacts) -> Decision {
    match rollout.event_name.as_deref().is_some_and(says_trouble) {
        true => urgent(Severity::Warning),
        false => not_urgent(Severity::Info),
    }
}

/// Tasks of services move by themselves. A group that launches nothing needs somebody.
pub(super) fn of_host(host: &HostFacts) -> Decision {
    match host.what {
        _ if host.is_of_ecs == Some(false) => Decision::Drop(DropReason::NotInCluster),
        HostEventType::SpotInterruption => not_urgent(Severity::Warning),
        HostEventType::RebalanceRecommendation | HostEventType::Termination => {
            not_urgent(Severity::Info)
        }
        HostEventType::LaunchFailed => urgent(Severity::Warning),
    }
}

/// AWS sends the event only for a service that cannot scale out any more.
pub(super) fn of_scaling(scaling: &ScalingFacts) -> Decision {
    match scaling.scaled_to_max {
        true => urgent(Severity::Warning),
        false => Decision::Drop(DropReason::Autoscaling),
    }
}

/// The alarms of target tracking are how a service scales, so they are not urgent. The one for the lower end is on
/// whenever the service is idle. A composite alarm is urgent only if it is known to be about ECS.
pub(super) fn of_alarm(alarm: &AlarmFacts) -> Decision {
    match (alarm.state, alarm.tracks) {
        _ if alarm.is_of_ecs == Some(false) => Decision::Drop(DropReason::NotEcs),
        (AlarmState::Deleted | AlarmState::Changed, _) => Decision::Drop(DropReason::AlarmChanged),
        (_, Some(TrackingEnd::Low)) => Decision::Drop(DropReason::Autoscaling),
        (AlarmState::Ok | AlarmState::InsufficientData, _) => Decision::Drop(DropReason::AlarmOk),
        _ if alarm.is_suppressed => Decision::Drop(DropReason::AlarmSuppressed),
        (AlarmState::Alarm, None) if alarm.is_of_ecs == Some(true) => urgent(Severity::Warning),
        (AlarmState::Alarm, _) => not_urgent(Severity::Warning),
        (AlarmState::Unknown, _) => not_urgent(Severity::Info),
    }
}
