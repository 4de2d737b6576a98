//! The types that the stages pass on.
//!
//! [`classify`](crate::ecs::classify) turns an event into a [`Notice`], [`policy`](crate::notifier::policy) decides
//! about it, and [`render`](crate::notifier::render) writes the message. A notice holds facts as AWS gave them: nothing
//! here is escaped or cut.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::ecs::affected::Affected;
use crate::ecs::event::{
    HookStateChange, HostEventType, InstanceHealthChange, InstanceStateChange, Time,
};
use crate::ecs::target_tracking::TrackingEnd;

/// The kind of an event's message. It is also the name of the template.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
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
    InstanceInterruption,
    InstanceLaunchFailed,
    ServiceChanged,
    TaskDefinition,
    ApiCall,
    ApiDenied,
    ServiceAction,
    Deployment,
    DeploymentHook,
    DaemonDeployment,
    DaemonAction,
    CodeDeploy,
    TaskRetirement,
    AwsHealth,
    ScaledToMax,
    Alarm,
    /// No event: a task that is expected did not end well in time.
    DidNotRun,
    Other,
}

/// One event, ready for the decision and for the message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Notice {
    pub kind: Kind,
    pub origin: Origin,
    pub subject: Subject,
    pub facts: Facts,
    pub actor: Option<Actor>,
    pub links: Links,
}

/// Where and when the event happened.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    pub event_id: Option<String>,
    /// CloudTrail's id of a call, which is the same in every delivery.
    pub call_id: Option<String>,
    pub source: Option<String>,
    pub detail_type: Option<String>,
    pub account: Option<String>,
    /// The operator's name for the account, else its alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
    /// Whether the account may have an alias that could not be looked up.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lacks_account_name: bool,
    pub region: Option<String>,
    pub time: Option<Time>,
    /// Why the account may not be asked for more facts. It is told once a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup_problem: Option<String>,
}

/// What the event is about: names, not ARNs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Subject {
    pub cluster: Option<String>,
    pub service: Option<String>,
    pub family: Option<String>,
    pub revision: Option<String>,
    pub task: Option<String>,
    pub container_instance: Option<String>,
    pub ec2_instance: Option<String>,
    pub availability_zone: Option<String>,
    /// Of the container instance: `m7i.large`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Tags of the service, or of a task outside services, for routes, mentions and templates. `None` if they are not
    /// known. They are stored with threads, so whatever fills them keeps them few and short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// A resource that has no field of its own here: a capacity provider, a daemon, a service deployment.
    pub resource: Option<Resource>,
}

/// An ECS resource: the type in its ARN, and its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

    /// Whether it is something that is deployed, as a service is.
    pub fn has_deployments(&self) -> bool {
        matches!(self.kind.as_str(), "daemon" | "deployment-group")
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

    /// The first characters of the task's id, which people use.
    pub fn task_short(&self) -> Option<String> {
        self.task
            .as_deref()
            .map(|task| task.chars().take(8).collect())
    }
}

/// Console pages in the region and partition of the event. `None` if the address is not certain.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Links {
    pub cluster: Option<String>,
    pub service: Option<String>,
    pub task: Option<String>,
    pub logs: Option<String>,
    pub task_definition: Option<String>,
    pub container_instance: Option<String>,
    /// The alarm in CloudWatch.
    pub alarm: Option<String>,
}

/// Who did it, in words for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub name: String,
    /// The console, a tool, or the AWS service that acted on the actor's behalf.
    pub via: Option<String>,
    pub source_ip: Option<String>,
    /// Whether an AWS service acted, and not a person or a person's tool.
    pub is_service: bool,
}

/// What happened, by the type of the event.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Facts {
    Call(CallFacts),
    Task(Box<TaskFacts>),
    Service(ServiceFacts),
    Instance(InstanceStateChange),
    Health(InstanceHealthChange),
    Hook(HookStateChange),
    Rollout(Box<RolloutFacts>),
    Host(Box<HostFacts>),
    AwsHealth(Box<AwsHealthFacts>),
    Scaling(ScalingFacts),
    Alarm(Box<AlarmFacts>),
    /// An ECS event whose type is not known here: all its fields.
    Unknown(UnknownFacts),
    /// No event: what did not happen.
    Missed(MissedFacts),
    /// An event that is not about ECS.
    Foreign,
}

impl Facts {
    /// What a task's event says. `None` for any other event.
    pub fn task(&self) -> Option<&TaskFacts> {
        match self {
            Self::Task(task) => Some(task),
            Self::Call(_)
            | Self::Service(_)
            | Self::Instance(_)
            | Self::Health(_)
            | Self::Hook(_)
            | Self::Rollout(_)
            | Self::Host(_)
            | Self::AwsHealth(_)
            | Self::Scaling(_)
            | Self::Alarm(_)
            | Self::Unknown(_)
            | Self::Missed(_)
            | Self::Foreign => None,
        }
    }
}

/// A family or a service none of whose tasks has ended well in time. The notifier makes it itself, at the deadline.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MissedFacts {
    /// The family or the service.
    pub name: String,
    /// How often a task must end well, as the operator wrote it.
    pub schedule: String,
    /// Since when it is expected.
    pub since: Option<Time>,
    /// The last task that ended well.
    pub good: Option<PastTask>,
    /// The last task, if it did not end well.
    pub last: Option<PastTask>,
    /// The last task, if it still runs.
    pub running: Option<PastTask>,
}

impl MissedFacts {
    /// What is missing, after the name: `did not run`.
    pub fn in_words(&self) -> &'static str {
        match (&self.running, &self.last) {
            (Some(_), _) => "has not ended in time",
            (None, Some(_)) => "has not ended well in time",
            (None, None) => "did not run",
        }
    }
}

/// A task that has ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PastTask {
    /// The first characters of its id.
    pub id: Option<String>,
    pub at: Option<Time>,
    /// How it ended, in words that finish "the task …".
    pub words: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CallFacts {
    pub name: String,
    pub purpose: CallPurpose,
    pub error: Option<ApiError>,
    pub failures: Vec<Failure>,
    /// The number of tasks that RunTask or StartTask started.
    pub launched: usize,
    /// The ids of these tasks.
    pub launched_tasks: Vec<String>,
    /// The ids of the container instances that the call has changed.
    pub instances: Vec<String>,
    /// The images of the containers that RegisterTaskDefinition names.
    pub images: Vec<String>,
    /// For CreateService and UpdateService.
    pub service: Option<ServiceChange>,
    /// For ContinueServiceDeployment, and for StopServiceDeployment if it rolls back.
    pub hook_decision: Option<HookDecision>,
    /// `startedBy` of the task that StopTask stops.
    pub started_by: Option<String>,
    /// The reason that the caller gave (StopTask).
    pub reason: Option<String>,
    /// What a removing call does to what is running.
    pub effect: Option<Cow<'static, str>>,
    /// What the call requested, as labels and values.
    pub changes: Vec<Change>,
    pub agent_version: Option<String>,
    pub docker_version: Option<String>,
}

/// What a person decided about a deployment, mostly about one whose hook waits.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContinueServiceDeployment.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookDecision {
    Continue,
    RollBack,
}

/// The purpose of a call, as far as the policy treats it differently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallPurpose {
    /// Reads and changes nothing.
    Read,
    /// Starts tasks.
    Launch,
    StopTask,
    /// An agent's report about something that the report of the task includes.
    ContainerReport,
    ChangeService {
        by_autoscaling: bool,
    },
    /// Removes something that is running, or that tasks need to run: a deletion, a service scaled to 0, a stopped
    /// deployment.
    Remove {
        by_service: bool,
    },
    /// Drains a container instance, or makes it active again.
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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    pub code: String,
    pub message: Option<String>,
}

/// `failures[]` of calls that may succeed partly: RunTask, StartTask, UpdateContainerInstancesState.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub reason: String,
    pub detail: Option<String>,
    pub arn: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub label: Cow<'static, str>,
    pub value: String,
}

impl Change {
    pub fn new(label: &'static str, value: String) -> Self {
        let label = Cow::Borrowed(label);
        Self { label, value }
    }
}

/// What CreateService or UpdateService requested, and the deployments in its answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceChange {
    pub desired_count: Option<i64>,
    /// Whether the request asks for a new deployment: it names a task definition, or it forces one.
    pub asks_for_deployment: bool,
    /// Whether the request changes the desired count and nothing else, so that it begins no deployment.
    pub only_scales: bool,
    pub deployments: Vec<AnsweredDeployment>,
}

/// A deployment in the answer of a call.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AnsweredDeployment {
    /// `ecs-svc/1234`.
    pub id: Option<String>,
    /// The deployment that the service is going to. The others are older.
    pub is_primary: bool,
    /// `family:revision`.
    pub task_definition: Option<String>,
    pub desired_count: Option<i64>,
    pub created_at: Option<Time>,
    /// `COMPLETED`, `IN_PROGRESS` or `FAILED`. ECS rolls back to the latest one that completed.
    pub rollout_state: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskFacts {
    pub reported_by: TaskSource,
    pub last_status: Option<String>,
    pub desired_status: Option<String>,
    pub stop_code: Option<String>,
    pub stopped_reason: Option<String>,
    pub started_by: Option<String>,
    /// Used to find the launch of the task. No message shows it, so it is not stored.
    #[serde(skip)]
    pub group: Option<String>,
    /// As `group`.
    #[serde(skip)]
    pub created_at: Option<Time>,
    pub launch_type: Option<String>,
    pub capacity_provider: Option<String>,
    pub started_at: Option<Time>,
    /// When the task began to stop. With a load balancer, it stops minutes later.
    pub stopping_at: Option<Time>,
    pub stopped_at: Option<Time>,
    pub updated_at: Option<Time>,
    /// Increases with each change of the task's state.
    pub version: Option<i64>,
    /// MiB for all containers together.
    pub memory_limit: Option<i64>,
    /// The problem of the instance that the task runs on. It is not in the event; it is fetched from AWS.
    pub host: Option<Host>,
    pub containers: Vec<Container>,
}

/// A container of a task.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    pub name: Option<String>,
    pub image: Option<String>,
    pub last_status: Option<String>,
    /// Missing for a container that never ran, and for some that did.
    pub exit_code: Option<i64>,
    pub reason: Option<String>,
    /// MiB that it may use before it is killed.
    pub memory_limit: Option<i64>,
    /// Whether the task stops when this container stops. The task definition says so.
    pub essential: Option<bool>,
    /// Whether the configuration ignores its exits.
    pub is_ignored: bool,
    /// The stream of its log, if the task definition names it.
    pub log: Option<LogStream>,
    /// The last lines of its log, if they were fetched.
    pub log_tail: Vec<String>,
}

/// The name of the container that GuardDuty's Runtime Monitoring adds to tasks on Fargate.
/// <https://docs.aws.amazon.com/guardduty/latest/ug/how-runtime-monitoring-works-ecs-fargate.html>
const GUARDDUTY_AGENT: &str = "aws-guardduty-agent";

impl Container {
    /// Whether AWS added this container to the task. No task definition has it, and a task does not stop because of it.
    pub fn is_added_by_aws(&self) -> bool {
        let name = self.name.as_deref().unwrap_or_default();
        name.starts_with(GUARDDUTY_AGENT)
    }
}

/// A stream of CloudWatch Logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogStream {
    pub region: String,
    pub group: String,
    pub name: String,
}

/// The state of a container instance that cannot keep its tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    Draining,
    AgentDisconnected,
    /// Deregistered, or no longer known to ECS.
    Gone,
}

/// Who reported the state of a task. The reports differ in the fields that they lack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskSource {
    /// "ECS Task State Change", which has all fields.
    #[default]
    StateChange,
    /// The agent's SubmitTaskStateChange, which has no stop code, no group and no times.
    AgentReport,
}

/// A service action or a deployment's change of state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceFacts {
    pub event_name: Option<String>,
    pub event_type: Option<String>,
    /// Of a daemon: why its task did not start.
    pub failure_type: Option<String>,
    pub reason: Option<String>,
    pub deployment_id: Option<String>,
    /// When the deployment reached this state.
    pub updated_at: Option<Time>,
    /// Whether the deployment runs again because a newer one failed. It is not in the event; it is fetched from AWS.
    pub came_back: bool,
    pub desired_count: Option<i64>,
    /// The progress of the deployment. It is not in the event; it is fetched from AWS.
    pub progress: Option<Progress>,
    pub capacity_providers: Vec<String>,
    pub container_instances: Vec<String>,
    pub tasks: Vec<String>,
    /// Addresses that a load balancer or VPC Lattice finds unhealthy.
    pub targets: Vec<String>,
}

/// The numbers of tasks of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub desired: i64,
    pub running: i64,
    pub pending: i64,
    /// Tasks that stopped or failed to start since the last healthy one.
    pub failed: i64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UnknownFacts {
    pub event_type: Option<String>,
    pub event_name: Option<String>,
    pub reason: Option<String>,
    /// The path and the value of every field, in the order of the paths.
    pub fields: Vec<(String, String)>,
}

/// A state of a deployment that is not ECS's own of a service.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutFacts {
    pub tool: RolloutTool,
    pub id: Option<String>,
    pub state: RolloutState,
    /// The state as AWS writes it.
    pub event_name: Option<String>,
    pub reason: Option<String>,
    /// The revision of a daemon. It is a UUID.
    pub revision: Option<String>,
    pub updated_at: Option<Time>,
    /// Of CodeDeploy.
    pub application: Option<String>,
    pub group: Option<String>,
    /// The deployment that this one rolls back. AWS is asked.
    pub rolls_back: Option<String>,
    /// The id of its task set, which its tasks have as `startedBy`. AWS is asked.
    pub task_set: Option<String>,
    /// Until when it waits for somebody. AWS is asked.
    pub decide_by: Option<Time>,
    /// Whether it is about ECS. `None` if only AWS can tell, and has not.
    pub is_of_ecs: Option<bool>,
}

/// What rolls a deployment out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutTool {
    /// ECS itself, for a managed daemon.
    #[default]
    Daemon,
    CodeDeploy,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    InProgress,
    /// CodeDeploy waits before it moves the traffic.
    Ready,
    Succeeded,
    Failed,
    Stopping,
    /// Somebody stopped it, it failed, or a newer one replaces it.
    Stopped,
    RollingBack,
    RolledBack,
    RollbackFailed,
    #[default]
    Unknown,
}

/// What EC2 or Auto Scaling says about an instance or a group.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HostFacts {
    pub what: HostEventType,
    /// What EC2 does to a spot instance: `terminate`, `stop` or `hibernate`.
    pub action: Option<String>,
    /// The Auto Scaling group.
    pub group: Option<String>,
    pub reason: Option<String>,
    /// The services whose tasks run on the instance. AWS is asked.
    pub services: Vec<String>,
    /// The number of tasks on the instance.
    pub tasks: Option<usize>,
    /// The capacity provider of the group.
    pub capacity_provider: Option<String>,
    /// Whether it is about a cluster. `None` if only AWS can tell, and has not.
    pub is_of_ecs: Option<bool>,
}

/// An event of AWS Health: planned work of AWS, or a problem of AWS.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AwsHealthFacts {
    pub event_arn: Option<String>,
    /// The update of the event that this is a page of.
    pub communication_id: Option<String>,
    pub page: Option<i64>,
    /// `AWS_ECS_TASK_PATCHING_RETIREMENT`.
    pub type_code: Option<String>,
    /// `issue`, `accountNotification`, `scheduledChange` or `investigation`.
    pub category: Option<String>,
    /// `open`, `closed` or `upcoming`.
    pub status: Option<String>,
    pub description: Option<String>,
    pub starts_at: Option<Time>,
    pub ends_at: Option<Time>,
    pub updated_at: Option<Time>,
    pub affected: Affected,
    /// The number of resources for which nothing is to be done any more.
    pub resolved: usize,
    /// Its time has passed, and AWS has not said that it is done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_passed: bool,
    /// Whether it is about ECS. `None` if only AWS can tell, and has not.
    pub is_of_ecs: Option<bool>,
}

impl AwsHealthFacts {
    /// The update that this is a page of. All of its pages have the same. AWS may write the number of the page behind it:
    /// `01b09932-2`.
    /// <https://docs.aws.amazon.com/health/latest/ug/pagnation-of-health-events.html>
    pub fn update(&self) -> Option<&str> {
        let id = self.communication_id.as_deref()?;
        let end = self.page.map(|it| format!("-{it}"));
        let update = end.and_then(|it| id.strip_suffix(&it));
        Some(update.unwrap_or(id))
    }

    /// Whether AWS plans something, so that there is a time for it. A retirement is planned, whatever its category says.
    pub fn is_planned(&self) -> bool {
        let code = self.type_code.as_deref().unwrap_or_default();
        self.category.as_deref() == Some("scheduledChange") || code.ends_with("_RETIREMENT")
    }

    /// Whether somebody must act: nobody starts the affected tasks again, or it is not clear what is affected.
    pub fn needs_action(&self) -> bool {
        self.affected.task_count > 0 || self.affected.service_count == 0
    }

    /// Whether AWS says that it is over, or that all affected resources are resolved.
    pub fn is_closed(&self) -> bool {
        let is_resolved = self.resolved > 0 && self.affected.count() == 0;
        self.status.as_deref() == Some("closed") || is_resolved
    }

    /// Whether nobody needs to do anything any more.
    pub fn is_over(&self) -> bool {
        self.is_closed() || self.has_passed
    }
}

/// A service has reached the maximum of its scaling.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScalingFacts {
    pub scaled_to_max: bool,
    pub old_count: Option<i64>,
    pub new_count: Option<i64>,
    pub least: Option<i64>,
    pub most: Option<i64>,
    pub at: Option<Time>,
}

impl ScalingFacts {
    /// `reached its maximum of 10 tasks`.
    pub fn in_words(&self) -> String {
        let most = self.most.or(self.new_count);
        let most = most.map(|it| match it {
            1 => " of 1 task".to_owned(),
            it => format!(" of {it} tasks"),
        });
        format!("reached its maximum{}", most.unwrap_or_default())
    }
}

/// The state of a CloudWatch alarm.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AlarmFacts {
    pub name: Option<String>,
    pub state: AlarmState,
    pub was: AlarmState,
    pub reason: Option<String>,
    pub description: Option<String>,
    pub changed_at: Option<Time>,
    /// What it measures, in words: `CPUUtilization (Average over 1 min)`.
    pub metric: Option<String>,
    /// The newest value, and how it compares: `93.5`, `more than 80`.
    pub value: Option<String>,
    pub threshold: Option<String>,
    /// Whether target tracking made it, and which end it watches.
    pub tracks: Option<TrackingEnd>,
    pub is_composite: bool,
    /// Of a composite alarm: the alarms that its rule names.
    pub children: Vec<String>,
    /// Of a composite alarm: the alarms that changed its state.
    pub triggered_by: Vec<String>,
    /// Whether another alarm suppresses its actions.
    pub is_suppressed: bool,
    /// Whether it is about ECS. `None` if only AWS can tell, and has not.
    pub is_of_ecs: Option<bool>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarm-states>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    Ok,
    Alarm,
    InsufficientData,
    /// It was deleted.
    Deleted,
    /// It was created or changed, which says nothing about its state.
    Changed,
    #[default]
    Unknown,
}

impl AlarmFacts {
    /// What it measured: `CPUUtilization (Average over 1 min) 93.5, more than 80`.
    pub fn measured(&self) -> Option<String> {
        let numbers = [&self.metric, &self.value].into_iter().flatten();
        let numbers: Vec<_> = numbers.map(String::as_str).collect();
        let threshold = self.threshold.as_ref().map(|it| format!(", {it}"));
        self.metric.as_ref()?;
        Some(numbers.join(" ") + &threshold.unwrap_or_default())
    }

    /// The same without the statistic: `CPUUtilization 93.5 (more than 80)`.
    pub fn measured_in_short(&self) -> Option<String> {
        let metric = self.metric.as_deref()?;
        let name = metric.split_once(" (").map_or(metric, |(name, _)| name);
        let value = self.value.as_ref().map(|it| format!(" {it}"));
        let threshold = self.threshold.as_ref().map(|it| format!(" ({it})"));
        let (value, threshold) = (value.unwrap_or_default(), threshold.unwrap_or_default());
        Some(format!("{name}{value}{threshold}"))
    }

    /// Whether it is not on any more.
    pub fn is_over(&self) -> bool {
        match self.state {
            AlarmState::Ok | AlarmState::InsufficientData | AlarmState::Deleted => true,
            AlarmState::Alarm | AlarmState::Changed | AlarmState::Unknown => false,
        }
    }

    /// Whether its condition is fulfilled.
    pub fn is_on(&self) -> bool {
        self.state == AlarmState::Alarm
    }
}
