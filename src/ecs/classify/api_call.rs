//! Classifies CloudTrail's calls by their names in the API.
//!
//! An agent's report of a task is also a call, but it is classified as the change of the task that it reports. Requests
//! and answers follow the API reference:
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Operations.html>

mod changes;
mod service_change;
mod subject;

use std::borrow::Cow;

use super::{Classification, actor, cluster_name, owned_name};
use crate::ecs::event::{self, ApiCall, Fields};
use crate::ecs::notice::{
    ApiError, CallFacts, CallPurpose, Container, Facts, Failure, HookDecision, Kind, Subject,
    TaskFacts, TaskSource,
};
use service_change::service_change;

/// The names of reading calls begin like this. It is needed if CloudTrail does not set `readOnly`.
const READING_PREFIXES: [&str; 4] = ["Describe", "List", "Get", "Discover"];

pub(super) fn find(call: &ApiCall) -> Classification {
    let request = Fields::new(&call.request);
    match call.name.as_deref().unwrap_or_default() {
        "SubmitTaskStateChange" if call.error_code.is_none() => agent_report(call, request),
        name => api_call(call, name, request),
    }
}

/// SubmitTaskStateChange: the agent on an instance reports the state of a task.
fn agent_report(call: &ApiCall, request: Fields<'_>) -> Classification {
    let status = request.text("status");
    let task = request.text("task");
    Classification {
        kind: match status.as_deref() {
            Some("STOPPED") => Kind::TaskStopped,
            Some("RUNNING") => Kind::TaskStarted,
            Some(_) | None => Kind::TaskRunning,
        },
        subject: Subject {
            cluster: cluster_name(request.text("cluster").as_deref(), &[task.as_deref()]),
            task: owned_name(task.as_deref()),
            ..Subject::default()
        },
        facts: Facts::Task(Box::new(TaskFacts {
            reported_by: TaskSource::AgentReport,
            last_status: status,
            stopped_reason: request.text("reason"),
            stopped_at: request.time("executionStoppedAt"),
            updated_at: call.time.clone(),
            containers: request
                .list("containers")
                .into_iter()
                .map(container)
                .collect(),
            ..TaskFacts::default()
        })),
        actor: actor::of_call(call),
    }
}

fn container(fields: Fields<'_>) -> Container {
    Container {
        name: fields.text("containerName"),
        last_status: fields.text("status"),
        exit_code: fields.number("exitCode"),
        reason: fields.text("reason"),
        ..Container::default()
    }
}

fn api_call(call: &ApiCall, name: &str, request: Fields<'_>) -> Classification {
    let response = Fields::new(&call.response);
    let error = call.error_code.clone().map(|code| ApiError {
        code,
        message: call.error_message.clone(),
    });
    let kind = if error.is_some() {
        Kind::ApiDenied
    } else {
        kind(name)
    };
    let purpose = purpose(call, name, request);
    let container_instance = response.object("containerInstance");
    let versions = container_instance.object("versionInfo");
    Classification {
        kind,
        subject: subject::subject(call, name, request, response),
        facts: Facts::Call(CallFacts {
            name: if name.is_empty() {
                "an unnamed call".to_owned()
            } else {
                name.to_owned()
            },
            effect: effect(name, request, purpose)
                .filter(|_| error.is_none())
                .map(Cow::Borrowed),
            purpose,
            error,
            failures: response.list("failures").into_iter().map(failure).collect(),
            launched: response.list("tasks").len(),
            launched_tasks: launched_tasks(response),
            instances: instances(name, request, response),
            images: images(name, request),
            service: service_change(name, request, response),
            hook_decision: hook_decision(name, request),
            started_by: response.object("task").text("startedBy"),
            reason: reason(name, request, response),
            changes: changes::changes(name, request, response),
            agent_version: versions.text("agentVersion"),
            docker_version: event::docker_version(versions),
        }),
        actor: actor::of_call(call),
    }
}

fn launched_tasks(response: Fields<'_>) -> Vec<String> {
    let tasks = response.list("tasks").into_iter();
    let arns = tasks.filter_map(|task| task.text("taskArn"));
    arns.filter_map(|arn| owned_name(Some(&arn))).collect()
}

/// The answer has only the instances whose change succeeded. It may be missing.
fn instances(name: &str, request: Fields<'_>, response: Fields<'_>) -> Vec<String> {
    let ids = match name {
        "DeregisterContainerInstance" => request.text("containerInstance").into_iter().collect(),
        "UpdateContainerInstancesState" => {
            let answered = response.list("containerInstances").into_iter();
            let answered = answered.filter_map(|it| it.text("containerInstanceArn"));
            let answered: Vec<_> = answered.collect();
            match answered.is_empty() && response.list("failures").is_empty() {
                true => request.texts("containerInstances"),
                false => answered,
            }
        }
        _ => Vec::new(),
    };
    let ids = ids.iter().filter_map(|it: &String| owned_name(Some(it)));
    ids.collect()
}

fn hook_decision(name: &str, request: Fields<'_>) -> Option<HookDecision> {
    let (field, default) = match name {
        "ContinueServiceDeployment" => ("action", "CONTINUE"),
        "StopServiceDeployment" => ("stopType", "ROLLBACK"),
        _ => return None,
    };
    match request.text(field).as_deref().unwrap_or(default) {
        "ROLLBACK" => Some(HookDecision::RollBack),
        "ABORT" => None,
        _ => Some(HookDecision::Continue),
    }
}

fn images(name: &str, request: Fields<'_>) -> Vec<String> {
    if name != "RegisterTaskDefinition" {
        return Vec::new();
    }
    let containers = request.list("containerDefinitions").into_iter();
    containers.filter_map(|it| it.text("image")).collect()
}

fn kind(name: &str) -> Kind {
    match name {
        "RunTask" => Kind::RunTask,
        "StartTask" => Kind::StartTask,
        "StopTask" => Kind::StopTask,
        "RegisterContainerInstance" => Kind::InstanceRegistered,
        "DeregisterContainerInstance" => Kind::InstanceDeregistered,
        "UpdateContainerInstancesState" => Kind::InstanceState,
        "CreateService" | "UpdateService" | "DeleteService" => Kind::ServiceChanged,
        "RegisterTaskDefinition" | "DeregisterTaskDefinition" => Kind::TaskDefinition,
        _ => Kind::ApiCall,
    }
}

fn purpose(call: &ApiCall, name: &str, request: Fields<'_>) -> CallPurpose {
    let by_service = actor::is_service_on_its_own(call);
    match name {
        _ if reads(call, name) => CallPurpose::Read,
        "RunTask" | "StartTask" => CallPurpose::Launch,
        "StopTask" => CallPurpose::StopTask,
        _ if removes(call, name, request) => CallPurpose::Remove { by_service },
        "SubmitContainerStateChange" | "SubmitAttachmentStateChanges" => {
            CallPurpose::ContainerReport
        }
        "CreateService" | "UpdateService" => CallPurpose::ChangeService {
            by_autoscaling: actor::is_autoscaling(call),
        },
        "UpdateContainerInstancesState" => CallPurpose::ChangeInstances { by_service },
        "DeregisterContainerInstance" => CallPurpose::DeregisterInstance {
            forced: request.flag("force") == Some(true),
            by_service,
        },
        _ => CallPurpose::Change,
    }
}

/// These calls delete neither running tasks nor anything that tasks need to run.
const HARMLESS_DELETIONS: [&str; 4] = [
    "DeleteAccountSetting",
    "DeleteAttributes",
    "DeleteDaemonTaskDefinition",
    "DeleteTaskDefinitions",
];

fn removes(call: &ApiCall, name: &str, request: Fields<'_>) -> bool {
    match name {
        // It has a purpose of its own.
        "StopTask" => false,
        "ContinueServiceDeployment" => request.text("action").as_deref() == Some("ROLLBACK"),
        // Application Auto Scaling scales services to 0 as a matter of routine.
        "UpdateService" => {
            request.number("desiredCount") == Some(0) && !actor::is_autoscaling(call)
        }
        "UpdateTaskSet" => request.object("scale").number("value") == Some(0),
        _ => {
            ["Delete", "Disassociate", "Stop"]
                .iter()
                .any(|start| name.starts_with(start))
                && !HARMLESS_DELETIONS.contains(&name)
        }
    }
}

/// What a removing call does to what is running.
fn effect(name: &str, request: Fields<'_>, purpose: CallPurpose) -> Option<&'static str> {
    if !matches!(purpose, CallPurpose::Remove { .. }) {
        return None;
    }
    let is_abort = request.text("stopType").as_deref() == Some("ABORT");
    Some(match name {
        "DeleteService" | "DeleteExpressGatewayService" | "DeleteTaskSet" | "UpdateTaskSet" => {
            "its tasks stop"
        }
        "UpdateService" => "all its tasks stop",
        "DeleteDaemon" => "its task stops on every instance",
        "DeleteCluster" => "nothing can run in it any longer",
        "DeleteCapacityProvider" => "it places no more tasks",
        "StopServiceDeployment" if is_abort => "the deployment stops without a rollback",
        "StopServiceDeployment" | "ContinueServiceDeployment" => {
            "the service rolls back to its previous revision"
        }
        _ => "the resource no longer exists",
    })
}

fn reads(call: &ApiCall, name: &str) -> bool {
    call.read_only == Some(true)
        || READING_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

fn reason(name: &str, request: Fields<'_>, response: Fields<'_>) -> Option<String> {
    let given = request.text("reason");
    let answered = response.object("task").text("stoppedReason");
    match name {
        // ECS sets this text if the caller gave no reason.
        "StopTask" => given
            .or(answered)
            .filter(|reason| reason != "Task stopped by user"),
        _ => given,
    }
}

fn failure(fields: Fields<'_>) -> Failure {
    Failure {
        reason: fields
            .text("reason")
            .unwrap_or_else(|| "no reason given".to_owned()),
        detail: fields.text("detail"),
        arn: fields.text("arn"),
    }
}
