//! Turns EventBridge events and CloudTrail records into typed events.
//!
//! This is the first of the pure stages: JSON in, [`EcsEvent`] out. ECS adds fields and types without notice
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_cwe_events.html>), so every field is
//! optional, and a type that is not known here is a variant and not an error. Only a value that cannot be an event is
//! an error.

mod alarm;
mod aws_health;
mod cloudtrail;
mod code_deploy;
mod daemon;
mod deployment;
mod fields;
mod host;
mod instance;
mod scaling;
mod service;
mod task;
mod time;

use serde_json::Value;

pub use alarm::{AlarmEventType, AlarmMetric, AlarmStateChange, is_namespace_of_ecs};
pub use aws_health::AwsHealthEvent;
pub use cloudtrail::{ApiCall, Identity};
pub use code_deploy::CodeDeployStateChange;
pub use daemon::{DaemonAction, DaemonDeployment};
pub use deployment::{DeploymentStateChange, HookStateChange};
pub use fields::Fields;
pub use host::{HostEvent, HostEventType, is_instance};
pub use instance::{HealthCheck, InstanceHealthChange, InstanceStateChange, docker_version};
pub use scaling::ScalingActivity;
pub use service::ServiceAction;
pub use task::{ContainerState, TaskStateChange};
pub use time::Time;

/// One event, with where it came from.
#[derive(Debug, Clone)]
pub struct EcsEvent {
    pub envelope: Envelope,
    pub detail: Detail,
}

/// The fields that EventBridge adds to every event. For a bare CloudTrail record, its fields with the same meaning.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    pub id: Option<String>,
    pub source: Option<String>,
    pub detail_type: Option<String>,
    pub account: Option<String>,
    pub region: Option<String>,
    pub time: Option<Time>,
    pub resources: Vec<String>,
}

/// All types of events that ecs-parrot knows.
#[derive(Debug, Clone)]
pub enum Detail {
    ApiCall(Box<ApiCall>),
    Task(Box<TaskStateChange>),
    ServiceAction(ServiceAction),
    Deployment(DeploymentStateChange),
    Hook(HookStateChange),
    Instance(InstanceStateChange),
    InstanceHealth(InstanceHealthChange),
    DaemonDeployment(DaemonDeployment),
    DaemonAction(DaemonAction),
    /// A deployment of CodeDeploy, of whatever it deploys to.
    CodeDeploy(CodeDeployStateChange),
    /// What EC2 and Auto Scaling say about instances.
    Host(HostEvent),
    /// What AWS Health says about ECS, or about instances.
    AwsHealth(Box<AwsHealthEvent>),
    /// A service has reached the maximum of its scaling.
    Scaling(Box<ScalingActivity>),
    /// An alarm of CloudWatch about ECS.
    Alarm(Box<AlarmStateChange>),
    /// An ECS event whose type is not known here, with its fields.
    Unknown(Value),
    /// An event that is not about ECS.
    Foreign,
}

/// Why a JSON value is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEvent {
    #[error("not an event: {found} instead of a JSON object")]
    NotAnObject { found: &'static str },
    #[error(
        "not an event: the object has neither `source` (EventBridge) nor `eventSource` (CloudTrail)"
    )]
    NoSource,
    #[error("not an event: its `detail` is {found} instead of a JSON object")]
    DetailNotAnObject { found: &'static str },
}

const ECS_SOURCE: &str = "aws.ecs";
const ECS_EVENT_SOURCE: &str = "ecs.amazonaws.com";

impl EcsEvent {
    /// Reads an EventBridge event or a bare CloudTrail record.
    ///
    /// # Errors
    ///
    /// [`NotAnEvent`] for a value that is not an object or has no source, and for an ECS event whose `detail` is not an
    /// object.
    pub fn read(value: &Value) -> Result<Self, NotAnEvent> {
        if !value.is_object() {
            return Err(NotAnEvent::NotAnObject {
                found: type_name(value),
            });
        }
        let fields = Fields::new(value);
        match (fields.text("source"), fields.text("eventSource")) {
            (Some(source), _) if source == ECS_SOURCE => Self::read_envelope(value, fields),
            (None, Some(event_source)) if event_source == ECS_EVENT_SOURCE => {
                Ok(Self::read_record(fields))
            }
            (None, None) => Err(NotAnEvent::NoSource),
            (source, event_source) => {
                let envelope = Envelope {
                    source: source.or(event_source),
                    ..Envelope::read(fields)
                };
                let detail = Detail::read_other(&envelope, fields.object("detail"));
                Ok(Self { envelope, detail })
            }
        }
    }

    fn read_envelope(value: &Value, fields: Fields<'_>) -> Result<Self, NotAnEvent> {
        let envelope = Envelope::read(fields);
        let detail = match value.get("detail") {
            Some(detail) if detail.is_object() => detail,
            other => {
                return Err(NotAnEvent::DetailNotAnObject {
                    found: other.map_or("missing", type_name),
                });
            }
        };
        let detail = Detail::read(envelope.detail_type.as_deref(), detail);
        Ok(Self { envelope, detail })
    }

    fn read_record(fields: Fields<'_>) -> Self {
        let call = ApiCall::read(fields);
        Self {
            envelope: Envelope {
                id: call.event_id.clone(),
                source: Some(ECS_EVENT_SOURCE.to_owned()),
                detail_type: Some(cloudtrail::DETAIL_TYPE.to_owned()),
                account: call.account.clone(),
                region: call.region.clone(),
                time: call.time.clone(),
                resources: Vec::new(),
            },
            detail: Detail::ApiCall(Box::new(call)),
        }
    }
}

impl Envelope {
    fn read(fields: Fields<'_>) -> Self {
        Self {
            id: fields.text("id").or_else(|| fields.text("eventID")),
            source: fields.text("source"),
            detail_type: fields.text("detail-type"),
            account: fields.text("account"),
            region: fields.text("region").or_else(|| fields.text("awsRegion")),
            time: fields.time("time").or_else(|| fields.time("eventTime")),
            resources: fields.texts("resources"),
        }
    }
}

impl Detail {
    fn read(detail_type: Option<&str>, detail: &Value) -> Self {
        let fields = Fields::new(detail);
        match detail_type {
            // All types of CloudTrail have the same record, also "AWS Service Event via CloudTrail" and future ones.
            Some(name) if name.ends_with("via CloudTrail") => {
                match fields.text("eventSource").as_deref() {
                    None | Some(ECS_EVENT_SOURCE) => Self::ApiCall(Box::new(ApiCall::read(fields))),
                    Some(_) => Self::Foreign,
                }
            }
            Some("ECS Task State Change") => Self::Task(Box::new(TaskStateChange::read(fields))),
            Some("ECS Service Action") => Self::ServiceAction(ServiceAction::read(fields)),
            Some("ECS Deployment State Change") => {
                Self::Deployment(DeploymentStateChange::read(fields))
            }
            Some("ECS Hook State Change") => Self::Hook(HookStateChange::read(fields)),
            Some("ECS Container Instance State Change") => {
                Self::Instance(InstanceStateChange::read(fields))
            }
            Some("ECS Container Instance Health Change") => {
                Self::InstanceHealth(InstanceHealthChange::read(fields))
            }
            Some("ECS Daemon Deployment State Change") => {
                Self::DaemonDeployment(DaemonDeployment::read(fields))
            }
            Some("ECS Daemon Service Action") => Self::DaemonAction(DaemonAction::read(fields)),
            Some(_) | None => Self::Unknown(detail.clone()),
        }
    }

    /// Reads an event of another service, if it is about ECS.
    fn read_other(envelope: &Envelope, detail: Fields<'_>) -> Self {
        let source = envelope.source.as_deref().unwrap_or_default();
        let detail_type = envelope.detail_type.as_deref().unwrap_or_default();
        let found = match (source, detail_type) {
            ("aws.health", "AWS Health Event") => {
                let event = Box::new(AwsHealthEvent::read(detail, envelope));
                event.is_about_ecs().then_some(Self::AwsHealth(event))
            }
            (
                "aws.application-autoscaling",
                "Application Auto Scaling Scaling Activity State Change",
            ) => ScalingActivity::read(detail).map(|it| Self::Scaling(Box::new(it))),
            ("aws.cloudwatch", "CloudWatch Alarm State Change") => {
                AlarmStateChange::read(detail).map(|it| Self::Alarm(Box::new(it)))
            }
            ("aws.cloudwatch", "CloudWatch Alarm Configuration Change") => {
                let alarm = AlarmStateChange::read_configuration(detail);
                alarm.map(|it| Self::Alarm(Box::new(it)))
            }
            ("aws.codedeploy", "CodeDeploy Deployment State-change Notification") => {
                Some(Self::CodeDeploy(CodeDeployStateChange::read(detail)))
            }
            ("aws.ec2" | "aws.autoscaling", _) => {
                HostEvent::read(source, detail_type, detail).map(Self::Host)
            }
            (_, _) => None,
        };
        found.unwrap_or(Self::Foreign)
    }
}

/// The type of a JSON value, in words for an error message.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
