//! Says who must hear of it: `&Notice` in, [`Verdict`] out.
//!
//! Every event that is not told is dropped for a [`DropReason`] with a name, so that an operator can ask why
//! and [`Policy::keep`] can bring it back. The causes of a stopped task are [`diagnosis`]'s.

pub mod diagnosis;
mod policy;
pub mod service_events;

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::event::{HookStateChange, InstanceHealthChange, InstanceStateChange};
use crate::notice::{CallFacts, CallPurpose, Facts, Kind, Notice, TaskFacts, UnknownFacts};

pub use policy::{CallWord, Globs, Policy, Selection};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Drop(DropReason),
    Keep(Telling),
}

/// How a notice that is kept is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telling {
    pub cause: Option<Cause>,
    pub severity: Severity,
    pub volume: Volume,
}

/// Loud notices are told in quiet channels too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volume {
    Quiet,
    Loud,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    Info,
    Success,
    Warning,
    Critical,
}

/// Why something happened, where the event tells.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Cause {
    LaunchFailed,
    OutOfMemory,
    ImagePull,
    FailedToStart,
    HealthCheck,
    SpotInterruption,
    HostGone,
    StoppedByUser,
    ApplicationExit,
    Finished,
    ExitedInService,
    UnknownCause,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum DropReason {
    RoutineLaunch,
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
    NotEcs,
    IgnoredCluster,
    IgnoredService,
    DroppedByConfig,
    AlreadyTold,
}

impl Verdict {
    /// The word for it: a kept notice's cause or else its kind, a dropped one's reason.
    pub fn reason(self, kind: Kind) -> &'static str {
        match self {
            Self::Drop(reason) => reason.into(),
            Self::Keep(Telling {
                cause: Some(cause), ..
            }) => cause.into(),
            Self::Keep(Telling { cause: None, .. }) => kind.into(),
        }
    }
}

impl Telling {
    pub fn is_loud(self) -> bool {
        self.volume == Volume::Loud
    }
}

fn quiet(severity: Severity) -> Verdict {
    Verdict::Keep(Telling {
        cause: None,
        severity,
        volume: Volume::Quiet,
    })
}

fn loud(severity: Severity) -> Verdict {
    Verdict::Keep(Telling {
        cause: None,
        severity,
        volume: Volume::Loud,
    })
}

/// What becomes of a notice: what it means by itself, then what the operator wants of it.
pub fn judge(notice: &Notice, policy: &Policy) -> Verdict {
    policy.apply(notice, meaning(notice, policy))
}

fn meaning(notice: &Notice, policy: &Policy) -> Verdict {
    match &notice.facts {
        Facts::Call(call) => of_call(call, notice),
        Facts::Task(task) => of_task(task, notice, policy),
        Facts::Service(service) if notice.kind == Kind::Deployment => {
            service_events::of_deployment(service)
        }
        Facts::Service(service) => service_events::of_action(service),
        Facts::Instance(instance) => of_instance(instance),
        Facts::Health(health) => of_health(health),
        Facts::Hook(hook) => of_hook(hook),
        Facts::Unknown(unknown) => match unknown.event_type.as_deref() {
            // A name that says failure is one, and what ERROR is said of it has come to its end.
            Some("ERROR") if service_events::says_failed(name(unknown)) => loud(Severity::Critical),
            // AWS's daemon events write WARNING where all others write WARN.
            Some("ERROR" | "WARN" | "WARNING") => loud(Severity::Warning),
            // They write INFO where a daemon goes back to its previous revision.
            _ if service_events::says_trouble(name(unknown)) => loud(Severity::Warning),
            Some(_) | None => quiet(Severity::Info),
        },
        Facts::Foreign => Verdict::Drop(DropReason::NotEcs),
    }
}

fn of_call(call: &CallFacts, notice: &Notice) -> Verdict {
    let by_service = notice.actor.as_ref().is_some_and(|actor| actor.is_service);
    match (call.purpose, &call.error) {
        (CallPurpose::Read, _) => Verdict::Drop(DropReason::ReadOnly),
        (_, Some(error)) if is_aws_internal(&error.code) => Verdict::Drop(DropReason::AwsInternal),
        (_, Some(_)) => loud(Severity::Warning),
        (CallPurpose::Launch, None) if !call.failures.is_empty() => Verdict::Keep(Telling {
            cause: Some(Cause::LaunchFailed),
            severity: Severity::Critical,
            volume: Volume::Loud,
        }),
        (CallPurpose::Launch, None) if by_service => Verdict::Drop(DropReason::RoutineLaunch),
        (CallPurpose::ContainerReport, None) => Verdict::Drop(DropReason::CoveredByTask),
        (
            CallPurpose::ChangeService {
                by_autoscaling: true,
            },
            None,
        ) => Verdict::Drop(DropReason::Autoscaling),
        (
            CallPurpose::ChangeInstances { by_service: true }
            | CallPurpose::DeregisterInstance {
                by_service: true, ..
            },
            None,
        ) if call.failures.is_empty() => Verdict::Drop(DropReason::RoutineDraining),
        (
            CallPurpose::StopTask
            | CallPurpose::Remove { by_service: false }
            | CallPurpose::DeregisterInstance {
                forced: true,
                by_service: false,
            },
            None,
        ) => loud(Severity::Warning),
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
        ) => quiet(Severity::Info),
    }
}

/// Errors that are AWS's own or pass by themselves: the caller's SDK tries again.
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

fn of_task(task: &TaskFacts, notice: &Notice, policy: &Policy) -> Verdict {
    match notice.kind {
        Kind::TaskStopped => diagnosis::of_stop(task, &notice.subject, policy),
        Kind::TaskStarted => quiet(Severity::Info),
        _ => of_running(task, policy),
    }
}

/// A task between two states, or one that goes on running.
fn of_running(task: &TaskFacts, policy: &Policy) -> Verdict {
    let is_running = task.last_status.as_deref() == Some("RUNNING")
        && task.desired_status.as_deref() != Some("STOPPED");
    let has_failed = task.containers.iter().any(|container| {
        container.last_status.as_deref() == Some("STOPPED")
            && container.exit_code.is_some_and(|code| code != 0)
            && !policy.ignores_exit_of(container)
    });
    match (is_running, has_failed) {
        (true, true) => quiet(Severity::Warning),
        (true, false) => Verdict::Drop(DropReason::StillRunning),
        (_, _) => Verdict::Drop(DropReason::TransitionalState),
    }
}

/// ECS sends one for every task that comes or goes, and for every agent's reconnect.
fn of_instance(instance: &InstanceStateChange) -> Verdict {
    match (instance.status.as_deref(), instance.agent_connected) {
        // REGISTRATION_FAILED: an instance that was paid for takes no task.
        (Some(status), _) if service_events::says_failed(status) => loud(Severity::Warning),
        (Some(status), _) if status != "ACTIVE" => quiet(Severity::Info),
        (_, Some(false)) => Verdict::Drop(DropReason::AgentReconnect),
        (_, _) => Verdict::Drop(DropReason::ResourcesOnly),
    }
}

fn of_health(health: &InstanceHealthChange) -> Verdict {
    match health.overall_status.as_deref() {
        Some("OK") => quiet(Severity::Success),
        Some("IMPAIRED") => loud(Severity::Warning),
        Some(_) | None => quiet(Severity::Info),
    }
}

fn name(unknown: &UnknownFacts) -> &str {
    unknown.event_name.as_deref().unwrap_or_default()
}

/// `HOOK_AWAITING_ACTION` stands still until somebody calls ContinueServiceDeployment.
fn of_hook(hook: &HookStateChange) -> Verdict {
    match hook.event_name.as_deref() {
        Some("HOOK_AWAITING_ACTION") => loud(Severity::Warning),
        Some("HOOK_FAILED" | "HOOK_TIMED_OUT") => loud(Severity::Warning),
        Some(name) if service_events::says_trouble(name) => loud(Severity::Warning),
        Some("HOOK_SUCCEEDED") => quiet(Severity::Success),
        Some(_) | None => quiet(Severity::Info),
    }
}
