//! What we say: the nouns that the stages hand on.
//!
//! [`classify`](crate::ecs::classify) makes a [`Notice`] of an event, [`triage`](crate::notifier::policy) judges it and
//! [`render`](crate::notifier::render) words it. A notice holds facts as AWS gave them; nothing here is escaped or cut.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::ecs::event::{HookStateChange, InstanceHealthChange, InstanceStateChange, Time};

/// What kind of message an event makes: the name of its template.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    RunTask,
    StartTask,
    StopTask,
    TaskStarted,
    TaskRunning,
    TaskStopped,
    InstanceRegistered,
    InstanceDeregistered,
    InstanceState,
    InstanceHealth,
    ServiceChanged,
    TaskDefinition,
    ApiCall,
    ApiDenied,
    ServiceAction,
    Deployment,
    DeploymentHook,
    Other,
}

/// One event, ready to be judged and worded.
#[derive(Debug, Clone)]
pub struct Notice {
    pub kind: Kind,
    pub origin: Origin,
    pub subject: Subject,
    pub facts: Facts,
    pub actor: Option<Actor>,
    pub links: Links,
}

/// Where and when the event came about.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    pub event_id: Option<String>,
    /// CloudTrail's own id of a call, which is the same in every delivery.
    pub call_id: Option<String>,
    pub source: Option<String>,
    pub detail_type: Option<String>,
    pub account: Option<String>,
    pub region: Option<String>,
    pub time: Option<Time>,
}

/// What the event is about: names, not ARNs.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    pub cluster: Option<String>,
    pub service: Option<String>,
    pub family: Option<String>,
    pub revision: Option<String>,
    pub task: Option<String>,
    pub container_instance: Option<String>,
    pub ec2_instance: Option<String>,
    pub availability_zone: Option<String>,
    /// What has no field of its own here: a capacity provider, a daemon, a service deployment.
    pub resource: Option<Resource>,
}

/// Something of ECS's, by the type in its ARN and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// `capacity-provider`, `daemon`, `service-deployment`, `task-set` …
    pub kind: String,
    pub name: String,
}

impl Resource {
    pub fn new(kind: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
        }
    }

    /// `capacity provider spot`.
    pub fn in_words(&self) -> String {
        format!("{} {}", self.kind.replace('-', " "), self.name)
    }
}

impl Subject {
    /// `family:revision`, or the family alone.
    pub fn task_definition(&self) -> Option<String> {
        let family = self.family.as_ref()?;
        Some(match &self.revision {
            Some(revision) => format!("{family}:{revision}"),
            None => family.clone(),
        })
    }

    /// What a person says of a task's id.
    pub fn task_short(&self) -> Option<String> {
        self.task
            .as_deref()
            .map(|task| task.chars().take(8).collect())
    }
}

/// Console pages in the event's own region and partition; none where an address would be a guess.
#[derive(Debug, Clone, Default)]
pub struct Links {
    pub cluster: Option<String>,
    pub service: Option<String>,
    pub task: Option<String>,
    pub logs: Option<String>,
    pub task_definition: Option<String>,
    pub container_instance: Option<String>,
}

/// Who did it, as a person would say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub name: String,
    /// The console, a tool, or the AWS service that acted on the actor's behalf.
    pub via: Option<String>,
    pub source_ip: Option<String>,
    /// An AWS service acted, not a person or a person's tool.
    pub is_service: bool,
}

/// What happened, by the family of the event.
#[derive(Debug, Clone)]
pub enum Facts {
    Call(CallFacts),
    Task(Box<TaskFacts>),
    Service(ServiceFacts),
    Instance(InstanceStateChange),
    Health(InstanceHealthChange),
    Hook(HookStateChange),
    /// A type of ECS's own that we do not know: all its fields.
    Unknown(UnknownFacts),
    /// Somebody else's event.
    Foreign,
}

#[derive(Debug, Clone, Default)]
pub struct CallFacts {
    pub name: String,
    pub purpose: CallPurpose,
    pub error: Option<CallError>,
    pub failures: Vec<Failure>,
    /// Tasks that RunTask or StartTask did start.
    pub launched: usize,
    /// The reason that the caller gave (StopTask).
    pub reason: Option<String>,
    /// What a call that removes something does to what runs.
    pub effect: Option<&'static str>,
    /// What the call asked for, as label and value.
    pub changes: Vec<Change>,
    pub agent_version: Option<String>,
    pub docker_version: Option<String>,
}

/// What a call is for, as far as triage treats it differently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CallPurpose {
    /// Looks without touching.
    Read,
    /// Starts tasks.
    Launch,
    StopTask,
    /// An agent's report that the task's own report covers.
    ContainerReport,
    ChangeService {
        by_autoscaling: bool,
    },
    /// Takes away what runs, or what others run on: a deletion, a service scaled to 0, a deployment that is
    /// stopped.
    Remove {
        by_service: bool,
    },
    /// Drains a container instance, or has it take tasks again.
    ChangeInstances {
        by_service: bool,
    },
    DeregisterInstance {
        forced: bool,
        by_service: bool,
    },
    #[default]
    Change,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    pub code: String,
    pub message: Option<String>,
}

/// `failures[]` of calls that succeed in part: RunTask, StartTask, UpdateContainerInstancesState.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub reason: String,
    pub detail: Option<String>,
    pub arn: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub label: &'static str,
    pub value: String,
}

#[derive(Debug, Clone, Default)]
pub struct TaskFacts {
    pub reported_by: TaskSource,
    pub last_status: Option<String>,
    pub desired_status: Option<String>,
    pub stop_code: Option<String>,
    pub stopped_reason: Option<String>,
    pub started_by: Option<String>,
    pub launch_type: Option<String>,
    pub capacity_provider: Option<String>,
    pub started_at: Option<Time>,
    pub stopped_at: Option<Time>,
    pub updated_at: Option<Time>,
    /// Counts the states of a task.
    pub version: Option<i64>,
    /// MiB for all containers together.
    pub memory_limit: Option<i64>,
    /// What is wrong with the instance under the task; AWS knows, the event does not.
    pub host: Option<Host>,
    pub containers: Vec<Container>,
}

/// A container of a task.
#[derive(Debug, Clone, Default)]
pub struct Container {
    pub name: Option<String>,
    pub image: Option<String>,
    pub last_status: Option<String>,
    /// Absent for a container that never ran, and for some that did.
    pub exit_code: Option<i64>,
    pub reason: Option<String>,
    /// MiB that it may use before it is killed.
    pub memory_limit: Option<i64>,
    /// Whether the task ends when it does: its task definition says so.
    pub essential: Option<bool>,
    /// The operator does not want to hear of its exits.
    pub is_ignored: bool,
    /// Where it logs to, as far as its task definition says.
    pub log: Option<LogStream>,
    /// The last lines of its log, where they were asked for.
    pub log_tail: Vec<String>,
}

/// What GuardDuty's Runtime Monitoring calls its container. It adds it to tasks on Fargate.
/// <https://docs.aws.amazon.com/guardduty/latest/ug/how-runtime-monitoring-works-ecs-fargate.html>
const GUARDDUTY_AGENT: &str = "aws-guardduty-agent";

impl Container {
    /// AWS added it to the task: no task definition has it, and no task ends because it does.
    pub fn is_added_by_aws(&self) -> bool {
        let name = self.name.as_deref().unwrap_or_default();
        name.starts_with(GUARDDUTY_AGENT)
    }
}

/// A stream of CloudWatch Logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStream {
    pub region: String,
    pub group: String,
    pub name: String,
}

/// A container instance that keeps no task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    Draining,
    AgentDisconnected,
    /// Deregistered, or unknown to ECS by now.
    Gone,
}

/// Who reports the state of a task: the reports differ in what they leave out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TaskSource {
    /// "ECS Task State Change": everything.
    #[default]
    StateChange,
    /// The agent's SubmitTaskStateChange: no stop code, no group, no times.
    AgentReport,
}

/// A service action or a deployment's change of state.
#[derive(Debug, Clone, Default)]
pub struct ServiceFacts {
    pub event_name: Option<String>,
    pub event_type: Option<String>,
    pub reason: Option<String>,
    pub deployment_id: Option<String>,
    /// When the deployment reached this state.
    pub updated_at: Option<Time>,
    /// The deployment runs again because a newer one failed; AWS knows, the event does not.
    pub came_back: bool,
    pub desired_count: Option<i64>,
    /// How far the deployment is; AWS knows, the event does not.
    pub progress: Option<Progress>,
    pub capacity_providers: Vec<String>,
    pub container_instances: Vec<String>,
    pub tasks: Vec<String>,
    /// Addresses that a load balancer or VPC Lattice finds unhealthy.
    pub targets: Vec<String>,
}

/// Tasks of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub desired: i64,
    pub running: i64,
    pub pending: i64,
    /// That stopped or failed to start, since the last healthy one.
    pub failed: i64,
}

#[derive(Debug, Clone, Default)]
pub struct UnknownFacts {
    pub event_type: Option<String>,
    pub event_name: Option<String>,
    pub reason: Option<String>,
    /// Path and value of every field, in the order of the paths.
    pub fields: Vec<(String, String)>,
}
