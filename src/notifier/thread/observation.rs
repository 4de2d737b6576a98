//! A notice as the threads see it: with its decision, its identity and its own time.

use jiff::Timestamp;

use super::unix_time::UnixTime;
use crate::ecs::diagnosis::Cause;
use crate::ecs::event::Time;
use crate::ecs::notice::{Facts, Kind, Notice, TaskFacts};
use crate::notifier::dedup::Transition;
use crate::notifier::policy::{Decision, DropReason, Priority};

#[derive(Debug, Clone)]
pub struct Observation<'a> {
    /// The index of the event in its batch.
    pub index: usize,
    pub notice: &'a Notice,
    pub decision: Decision,
    /// The event is noise, and `KEEP` brings it back: it is posted by itself.
    pub is_brought_back: bool,
    pub transition: Option<Transition>,
    /// When it happened, by the event's own times. Never later than now.
    pub at: UnixTime,
    /// Whether the event says when it happened.
    pub has_time: bool,
}

impl<'a> Observation<'a> {
    pub fn new(
        index: usize,
        notice: &'a Notice,
        decision: Decision,
        is_brought_back: bool,
        now: UnixTime,
    ) -> Self {
        let time = match decision {
            Decision::Keep(priority) if priority.urgent => began_to_stop(notice),
            Decision::Keep(_) | Decision::Drop(_) => None,
        };
        let time = time.or_else(|| happened_at(notice));
        let at = time.map_or(now, |time| UnixTime::of(time).min(now));
        Self {
            index,
            notice,
            decision,
            is_brought_back,
            transition: Transition::of(notice),
            at,
            has_time: time.is_some(),
        }
    }

    /// Whether threads see the event. They see the noise too, but not what the operator excludes, and not what says
    /// nothing about a cluster.
    pub fn is_heard(&self) -> bool {
        match self.decision {
            Decision::Keep(_) => true,
            Decision::Drop(reason) => match reason {
                DropReason::RoutineLaunch
                | DropReason::RoutineStart
                | DropReason::CoveredByDeployment
                | DropReason::TransitionalState
                | DropReason::CoveredByTask
                | DropReason::Autoscaling
                | DropReason::StillRunning
                | DropReason::RoutineStop
                | DropReason::SteadyState
                | DropReason::Rebalancing
                | DropReason::RoutineDraining
                | DropReason::AgentReconnect
                | DropReason::ResourcesOnly
                | DropReason::AlarmOk
                | DropReason::AlarmChanged => true,
                DropReason::ReadOnly
                | DropReason::AwsInternal
                | DropReason::AlarmSuppressed
                | DropReason::NotInCluster
                | DropReason::NotEcs
                | DropReason::IgnoredCluster
                | DropReason::IgnoredService
                | DropReason::DroppedByConfig
                | DropReason::Duplicate => false,
            },
        }
    }

    /// The priority of an event that is worth a message.
    pub(super) fn priority(&self) -> Option<Priority> {
        match self.decision {
            Decision::Keep(priority) if !self.is_brought_back => Some(priority),
            Decision::Keep(_) | Decision::Drop(_) => None,
        }
    }

    pub(super) fn urgent(&self) -> Option<Priority> {
        self.priority().filter(|it| it.urgent)
    }

    /// The priority of a failure: of what is urgent, or of an alarm.
    pub(super) fn failure(&self) -> Option<Priority> {
        let is_alarm = matches!(&self.notice.facts, Facts::Alarm(alarm) if alarm.is_on());
        self.priority().filter(|it| it.urgent || is_alarm)
    }

    pub(super) fn cause(&self) -> Option<Cause> {
        self.priority().and_then(|it| it.cause)
    }

    pub(super) fn task(&self) -> Option<&'a TaskFacts> {
        self.notice.facts.task()
    }

    pub(super) fn is_start(&self) -> bool {
        self.notice.kind == Kind::TaskStarted
    }

    pub(super) fn is_stop(&self) -> bool {
        self.notice.kind == Kind::TaskStopped
    }

    pub(super) fn actor(&self) -> Option<&'a str> {
        self.notice.actor.as_ref().map(|it| it.name.as_str())
    }
}

/// When a task that has stopped began to stop: its failure was before. A load balancer may drain it for minutes in between,
/// in which the service is steady again.
fn began_to_stop(notice: &Notice) -> Option<Timestamp> {
    let task = notice
        .facts
        .task()
        .filter(|_| notice.kind == Kind::TaskStopped)?;
    let began = task.stopping_at.as_ref().and_then(Time::instant)?;
    let ended = task.stopped_at.as_ref().and_then(Time::instant);
    Some(ended.map_or(began, |ended| began.min(ended)))
}

/// When it happened, by the most exact time that the event has.
fn happened_at(notice: &Notice) -> Option<Timestamp> {
    let own = match &notice.facts {
        Facts::Task(task) => match notice.kind {
            Kind::TaskStopped => task.stopped_at.as_ref().or(task.updated_at.as_ref()),
            Kind::TaskStarted => task.started_at.as_ref().or(task.updated_at.as_ref()),
            _ => task.updated_at.as_ref(),
        },
        Facts::Service(service) => service.updated_at.as_ref(),
        Facts::Instance(instance) => instance.updated_at.as_ref(),
        Facts::Hook(hook) => hook.updated_at.as_ref(),
        Facts::Rollout(rollout) => rollout.updated_at.as_ref(),
        Facts::AwsHealth(health) => health.updated_at.as_ref(),
        Facts::Scaling(scaling) => scaling.at.as_ref(),
        Facts::Alarm(alarm) => alarm.changed_at.as_ref(),
        Facts::Call(_)
        | Facts::Health(_)
        | Facts::Host(_)
        | Facts::Unknown(_)
        | Facts::Missed(_)
        | Facts::Foreign => None,
    };
    let own = own.and_then(Time::instant);
    own.or_else(|| notice.origin.time.as_ref().and_then(Time::instant))
}
