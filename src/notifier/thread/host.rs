//! What is remembered of a container instance: its EC2 id, and what may be why its tasks fail.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::incident::Incident;
use super::observation::Observation;
use super::text::cut;
use super::unix_time::UnixTime;
use crate::ecs::event::{HostEventType, InstanceStateChange};
use crate::ecs::notice::Facts;

/// An agent disconnects and reconnects several times an hour as a matter of routine. It takes longer if the instance has
/// a problem.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_container_instance_events.html>
const ROUTINE: Duration = Duration::from_secs(30);

/// An agent that is connected again reports within this time which tasks ended in between.
const REPORTS_LATER: Duration = Duration::from_secs(60);

/// So long after the event the instance may still be on its way out. One that is stopped may come back later.
fn takes(what: HostEventType) -> Duration {
    match what {
        HostEventType::SpotInterruption | HostEventType::RebalanceRecommendation => {
            Duration::from_secs(15 * 60)
        }
        // A lifecycle hook waits for an hour, unless it is set otherwise.
        // https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html
        HostEventType::Termination | HostEventType::LaunchFailed => Duration::from_secs(3_600),
    }
}

/// The longest EC2 id that is stored.
const LONGEST_ID: usize = 64;

/// The longest name of a health check that is stored.
const LONGEST_CHECK: usize = 64;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct HostMemory {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ec2_instance: Option<String>,
    /// When its agent disconnected last, and when it was connected again.
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnected_at: Option<UnixTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_at: Option<UnixTime>,
    /// Since when it drains.
    #[serde(skip_serializing_if = "Option::is_none")]
    draining_at: Option<UnixTime>,
    /// Since when EC2 or its group is about to take it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupted: Option<(HostEventType, UnixTime)>,
    /// The latest event about its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    state_at: Option<UnixTime>,
}

/// A problem of the instance on which a task failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostTrouble {
    /// The EC2 id, or that of the container instance.
    pub instance: String,
    pub what: HostState,
    pub at: UnixTime,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostState {
    AgentDisconnected,
    Draining,
    /// The health check that failed.
    Impaired(String),
    Interrupted(HostEventType),
}

impl HostMemory {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Notes what an event says about the instance.
    pub(super) fn note(&mut self, observation: &Observation<'_>) {
        let ec2 = observation.notice.subject.ec2_instance.as_deref();
        if let Some(ec2) = ec2.filter(|_| self.ec2_instance.is_none()) {
            self.ec2_instance = Some(cut(ec2, LONGEST_ID));
        }
        match &observation.notice.facts {
            Facts::Instance(instance) => self.note_state(instance, observation.at),
            // A recommendation explains nothing.
            Facts::Host(host) if host.what != HostEventType::RebalanceRecommendation => {
                let is_later = |it: (HostEventType, UnixTime)| it.1 < observation.at;
                if self.interrupted.is_none_or(is_later) {
                    self.interrupted = Some((host.what, observation.at));
                }
            }
            _ => {}
        }
    }

    /// ECS sends such an event for every task that starts or stops. Only a change is noted, because each is a write.
    fn note_state(&mut self, instance: &InstanceStateChange, at: UnixTime) {
        if self.state_at.is_some_and(|known| at < known) {
            return;
        }
        let was = (self.is_disconnected(), self.draining_at.is_some());
        match instance.agent_connected {
            Some(false) if !was.0 => self.disconnected_at = Some(at),
            Some(true) if was.0 => self.connected_at = Some(at),
            Some(_) | None => {}
        }
        self.draining_at = match instance.status.as_deref() {
            Some("DRAINING") => self.draining_at.or(Some(at)),
            Some(_) => None,
            None => self.draining_at,
        };
        if was != (self.is_disconnected(), self.draining_at.is_some()) {
            self.state_at = Some(at);
        }
    }

    fn is_disconnected(&self) -> bool {
        self.disconnected_at > self.connected_at
    }

    /// The problem that the instance had when a task on it failed.
    pub(super) fn trouble(
        &self,
        instance: &str,
        incident: Option<&Incident>,
        at: UnixTime,
    ) -> Option<HostTrouble> {
        let impaired = incident.filter(|it| !it.is_over() && it.first_at <= at);
        let impaired = impaired.and_then(|it| {
            let check = cut(&it.causes.first()?.name, LONGEST_CHECK);
            Some((HostState::Impaired(check), it.first_at))
        });
        let disconnected = self.disconnected_at.filter(|it| *it <= at);
        let disconnected = disconnected.filter(|it| self.explains(*it, at));
        let disconnected = disconnected.map(|it| (HostState::AgentDisconnected, it));
        let draining = self.draining_at.filter(|it| *it <= at);
        let draining = draining.map(|it| (HostState::Draining, it));
        let interrupted = self
            .interrupted
            .filter(|(what, since)| *since <= at && at.since(*since) <= takes(*what));
        let interrupted = interrupted.map(|(what, since)| (HostState::Interrupted(what), since));
        let trouble = interrupted.or(impaired).or(disconnected).or(draining);
        let (what, since) = trouble?;
        let instance = self.ec2_instance.as_deref().unwrap_or(instance);
        Some(HostTrouble {
            instance: cut(instance, LONGEST_ID),
            what,
            at: since,
        })
    }

    /// Whether the agent was not connected at this time, or is connected again after a long while.
    fn explains(&self, disconnected_at: UnixTime, at: UnixTime) -> bool {
        let connected_at = self.connected_at.filter(|it| *it >= disconnected_at);
        connected_at.is_none_or(|connected_at| {
            let is_routine = connected_at.since(disconnected_at) < ROUTINE;
            at <= connected_at || !is_routine && at.since(connected_at) <= REPORTS_LATER
        })
    }
}
