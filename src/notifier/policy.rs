//! Decides what is posted, and how urgent it is: `&Notice` in, [`Decision`] out.
//!
//! Every event that is not posted has a [`DropReason`]. The operator can see the reason, and can keep such events with
//! [`Policy::keep`]. [`crate::ecs::diagnosis`] finds out why a task stopped.

mod operator;
mod other_services;
mod service_event;
mod task_stop;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::ecs::diagnosis::Cause;
use crate::ecs::event::{HookStateChange, InstanceHealthChange, InstanceStateChange};
use crate::ecs::launcher::{Launcher, launcher};
use crate::ecs::notice::{CallFacts, CallPurpose, Facts, Kind, Notice, TaskFacts, UnknownFacts};
use crate::ecs::service_events;

pub use operator::{CallWord, Policy, Selection};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Drop(DropReason),
    Keep(Priority),
}

/// How a notice is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priority {
    pub cause: Option<Cause>,
    pub severity: Severity,
    /// Whether channels with the minimum `urgent` get it too.
    pub urgent: bool,
}

#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    #[default]
    Info,
    Success,
    Warning,
    Critical,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum DropReason {
    RoutineLaunch,
    RoutineStart,
    CoveredByDeployment,
    TransitionalState,
    CoveredByTask,
    Autoscaling,
    ReadOnly,
    AwsInternal,
    StillRunning,
    RoutineStop,
    SteadyState,
    Rebalancing,
    RoutineDraining,
    AgentReconnect,
    ResourcesOnly,
    AlarmOk,
    AlarmChanged,
    AlarmSuppressed,
    NotInCluster,
    NotEcs,
    IgnoredCluster,
    IgnoredService,
    DroppedByConfig,
    Duplicate,
}

impl Decision {
    /// The reason in one word: of a kept notice its cause, or its kind if it has no cause; of a dropped one its reason.
    pub fn reason(self, kind: Kind) -> &'static str {
        match self {
            Self::Drop(reason) => reason.into(),
            Self::Keep(Priority {
                cause: Some(cause), ..
            }) => cause.into(),
            Self::Keep(Priority { cause: None, .. }) => kind.into(),
        }
    }
}

fn not_urgent(severity: Severity) -> Decision {
    Decision::Keep(Priority {
        cause: None,
        severity,
        urgent: false,
    })
}

fn urgent(severity: Severity) -> Decision {
    Decision::Keep(Priority {
        cause: None,
        severity,
        urgent: true,
    })
}

/// Decides by the meaning of a notice first, and then by the operator's configuration.
pub fn decide(notice: &Notice, policy: &Policy) -> Decision {
    policy.apply(notice, meaning(notice, policy))
}

/// Whether the event is noise that `KEEP` brings back.
pub fn is_brought_back(notice: &Notice, policy: &Policy) -> bool {
    let meaning = meaning(notice, policy);
    matches!(meaning, Decision::Drop(_))
        && matches!(policy.apply(notice, meaning), Decision::Keep(_))
}

fn meaning(notice: &Notice, policy: &Policy) -> Decision {
    match &notice.facts {
        Facts::Call(call) => of_call(call, notice),
        Facts::Task(task) => of_task(task, notice, policy),
        Facts::Service(service) if notice.kind == Kind::Deployment => {
            service_event::of_deployment(service)
        }
        Facts::Service(service) => service_event::of_action(service),
        Facts::Instance(instance) => of_instance(instance),
        Facts::Health(health) => of_health(health),
        Facts::Hook(hook) => of_hook(hook),
        Facts::Unknown(unknown) => match unknown.event_type.as_deref() {
            // The name says that something failed, and ERROR says that it is final.
            Some("ERROR") if service_events::says_failed(name(unknown)) => {
                urgent(Severity::Critical)
            }
            // AWS's daemon events write WARNING where all others write WARN.
            Some("ERROR" | "WARN" | "WARNING") => urgent(Severity::Warning),
            // AWS's daemon events write INFO when a daemon goes back to its previous revision.
            _ if service_events::says_trouble(name(unknown)) => urgent(Severity::Warning),
            Some(_) | None => not_urgent(Severity::Info),
        },
        Facts::Host(host) => other_services::of_host(host),
        Facts::Rollout(rollout) => other_services::of_rollout(rollout),
        Facts::AwsHealth(health) => other_services::of_health_event(health),
        Facts::Scaling(scaling) => other_services::of_scaling(scaling),
        Facts::Alarm(alarm) => other_services::of_alarm(alarm),
        // No event is one. The threads make it, and decide about it.
        Facts::Missed(_) => urgent(Severity::Critical),
        Facts::Foreign => Decision::Drop(DropReason::NotEcs),
    }
}

fn of_call(call: &CallFacts, notice: &Notice) -> Decision {
    let by_service = notice.actor.as_ref().is_some_and(|actor| actor.is_service);
    match (call.purpose, &call.error) {
        (CallPurpose::Read, _) => Decision::Drop(DropReason::ReadOnly),
        (_, Some(error)) if is_aws_internal(&error.code) => Decision::Drop(DropReason::AwsInternal),
        (_, Some(_)) => urgent(Severity::Warning),
        (CallPurpose::Launch, None) if !call.failures.is_empty() => Decision::Keep(Priority {
            cause: Some(Cause::LaunchFailed),
            severity: Severity::Critical,
            urgent: true,
        }),
        (CallPurpose::Launch, None) if by_service => Decision::Drop(DropReason::RoutineLaunch),
        (CallPurpose::ContainerReport, None) => Decision::Drop(DropReason::CoveredByTask),
        // The deployment of the revision says who registered it.
        (CallPurpose::Change, None) if call.name == "RegisterTaskDefinition" => {
            Decision::Drop(DropReason::CoveredByDeployment)
        }
        (
            CallPurpose::ChangeService {
                by_autoscaling: true,
            },
            None,
        ) => Decision::Drop(DropReason::Autoscaling),
        (
            CallPurpose::ChangeInstances { by_service: true }
            | CallPurpose::DeregisterInstance {
                by_service: true, ..
            },
            None,
        ) if call.failures.is_empty() => Decision::Drop(DropReason::RoutineDraining),
        (
            CallPurpose::StopTask
            | CallPurpose::Remove { by_service: false }
            | CallPurpose::DeregisterInstance {
                forced: true,
                by_service: false,
            },
            None,
        ) => urgent(Severity::Warning),
        (
            CallPurpose::Launch
            | CallPurpose::ChangeService {
                by_autoscaling: false,
            }
            | CallPurpose::Remove { by_service: true }
            | CallPurpose::ChangeInstances { .. }
            | CallPurpose::DeregisterInstance { .. }
            | CallPurpose::Change,
            None,
        ) => not_urgent(Severity::Info),
    }
}

/// Errors inside AWS, and temporary errors: the caller's SDK tries again.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html>
fn is_aws_internal(code: &str) -> bool {
    const CODES: [&str; 12] = [
        "InternalFailure",
        "InternalError",
        "InternalServerError",
        "InternalServerException",
        "ServerException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
    ];
    code.split('.').any(|part| CODES.contains(&part))
}

fn of_task(task: &TaskFacts, notice: &Notice, policy: &Policy) -> Decision {
    match notice.kind {
        Kind::TaskStopped => task_stop::decide(task, &notice.subject),
        Kind::TaskStarted => of_start(task, notice),
        _ => of_running(task, policy),
    }
}

/// Services and schedules start tasks all the time. Threads count them.
fn of_start(task: &TaskFacts, notice: &Notice) -> Decision {
    match launcher(notice, task) {
        Launcher::Service | Launcher::Schedule => Decision::Drop(DropReason::RoutineStart),
        Launcher::Caller | Launcher::Unknown => not_urgent(Severity::Info),
    }
}

/// A task that changes its state, or that continues to run.
fn of_running(task: &TaskFacts, policy: &Policy) -> Decision {
    let is_running = task.last_status.as_deref() == Some("RUNNING")
        && task.desired_status.as_deref() != Some("STOPPED");
    let has_failed = task.containers.iter().any(|container| {
        container.last_status.as_deref() == Some("STOPPED")
            && container.exit_code.is_some_and(|code| code != 0)
            && !policy.ignores_exit_of(container)
    });
    match (is_running, has_failed) {
        (true, true) => not_urgent(Severity::Warning),
        (true, false) => Decision::Drop(DropReason::StillRunning),
        (_, _) => Decision::Drop(DropReason::TransitionalState),
    }
}

/// ECS sends such an event whenever a task starts or stops on the instance, and whenever its agent reconnects.
fn of_instance(instance: &InstanceStateChange) -> Decision {
    match (instance.status.as_deref(), instance.agent_connected) {
        // REGISTRATION_FAILED: the instance costs money, but it cannot run tasks.
        (Some(status), _) if service_events::says_failed(status) => urgent(Severity::Warning),
        (Some(status), _) if status != "ACTIVE" => not_urgent(Severity::Info),
        (_, Some(false)) => Decision::Drop(DropReason::AgentReconnect),
        (_, _) => Decision::Drop(DropReason::ResourcesOnly),
    }
}

fn of_health(health: &InstanceHealthChange) -> Decision {
    match health.overall_status.as_deref() {
        Some("OK") => not_urgent(Severity::Success),
        Some("IMPAIRED") => urgent(Severity::Warning),
        Some(_) | None => not_urgent(Severity::Info),
    }
}

fn name(unknown: &UnknownFacts) -> &str {
    unknown.event_name.as_deref().unwrap_or_default()
}

/// With `HOOK_AWAITING_ACTION` the deployment waits until somebody calls ContinueServiceDeployment.
fn of_hook(hook: &HookStateChange) -> Decision {
    match hook.event_name.as_deref() {
        Some("HOOK_AWAITING_ACTION") => urgent(Severity::Warning),
        Some("HOOK_FAILED" | "HOOK_TIMED_OUT") => urgent(Severity::Warning),
        Some(name) if service_events::says_trouble(name) => urgent(Severity::Warning),
        Some("HOOK_SUCCEEDED") => not_urgent(Severity::Success),
        Some(_) | None => not_urgent(Severity::Info),
    }
}
