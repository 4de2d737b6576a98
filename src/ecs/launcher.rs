//! Who launched a task: a service, a schedule, or a person or a tool.

use crate::ecs::classify::actor_of_started_by;
use crate::ecs::notice::{CallFacts, CallPurpose, Notice, TaskFacts, TaskSource};

/// Who launched a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launcher {
    /// The scheduler of an ECS service.
    Service,
    /// A rule, a schedule, or another AWS service.
    Schedule,
    /// A person or a tool.
    Caller,
    /// The event does not say.
    Unknown,
}

/// Who launched the task of this notice.
pub fn launcher(notice: &Notice, task: &TaskFacts) -> Launcher {
    let started_by = task.started_by.as_deref().unwrap_or_default();
    let is_service = notice.actor.as_ref().is_some_and(|it| it.is_service);
    match () {
        () if notice.subject.service.is_some() || started_by.starts_with("ecs-svc/") => {
            Launcher::Service
        }
        () if !started_by.is_empty() && is_service => Launcher::Schedule,
        () if started_by.is_empty() && task.reported_by == TaskSource::AgentReport => {
            Launcher::Unknown
        }
        () => Launcher::Caller,
    }
}

/// Whether a schedule, a rule or another AWS service launched the task that a call stops.
pub fn is_stop_of_scheduled(notice: &Notice, call: &CallFacts) -> bool {
    let started_by = call.started_by.as_deref().map(actor_of_started_by);
    let is_stop = call.purpose == CallPurpose::StopTask && call.error.is_none();
    is_stop && notice.subject.service.is_none() && started_by.is_some_and(|it| it.is_service)
}
