//! CloudTrail's calls: what each one means, by the API's own names.
//!
//! Calls that are no call by what they say (an agent's report of a task) become what they report. Requests
//! and answers follow the API reference: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Operations.html>

use super::task::service_of_group;
use super::{Finding, actor, cluster_name, owned_name};
use crate::arn::{self, Arn};
use crate::event::{self, ApiCall, Fields};
use crate::notice::{
    CallError, CallFacts, CallPurpose, Change, Container, Facts, Failure, Kind, Subject, TaskFacts,
    TaskSource,
};

/// What reads, by the API's naming, where CloudTrail does not say `readOnly`.
const READING: [&str; 4] = ["Describe", "List", "Get", "Discover"];

pub(super) fn find(call: &ApiCall) -> Finding {
    let request = Fields::new(&call.request);
    match call.name.as_deref().unwrap_or_default() {
        "SubmitTaskStateChange" if call.error_code.is_none() => agent_report(call, request),
        name => api_call(call, name, request),
    }
}

/// SubmitTaskStateChange: the agent on an instance reports how a task does.
fn agent_report(call: &ApiCall, request: Fields<'_>) -> Finding {
    let status = request.text("status");
    let task = request.text("task");
    Finding {
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
            told_by: TaskSource::AgentReport,
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

fn api_call(call: &ApiCall, name: &str, request: Fields<'_>) -> Finding {
    let response = Fields::new(&call.response);
    let error = call.error_code.clone().map(|code| CallError {
        code,
        message: call.error_message.clone(),
    });
    let kind = if error.is_some() {
        Kind::ApiDenied
    } else {
        kind(name)
    };
    let container_instance = response.object("containerInstance");
    let versions = container_instance.object("versionInfo");
    Finding {
        kind,
        subject: subject(call, name, request, response),
        facts: Facts::Call(CallFacts {
            name: if name.is_empty() {
                "an unnamed call".to_owned()
            } else {
                name.to_owned()
            },
            purpose: purpose(call, name, request),
            error,
            failures: response.list("failures").into_iter().map(failure).collect(),
            launched: response.list("tasks").len(),
            reason: reason(name, request, response),
            changes: changes(name, request, response),
            agent_version: versions.text("agentVersion"),
            docker_version: event::docker_version(versions),
        }),
        actor: actor::of_call(call),
    }
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
    match name {
        _ if reads(call, name) => CallPurpose::Read,
        "RunTask" | "StartTask" => CallPurpose::Launch,
        "StopTask" => CallPurpose::StopTask,
        "SubmitContainerStateChange" | "SubmitAttachmentStateChanges" => {
            CallPurpose::ContainerReport
        }
        "CreateService" | "UpdateService" => CallPurpose::ChangeService {
            by_autoscaling: actor::is_autoscaling(call),
        },
        "DeleteService" => CallPurpose::DeleteService,
        "DeregisterContainerInstance" => CallPurpose::DeregisterInstance {
            forced: request.flag("force") == Some(true),
        },
        _ => CallPurpose::Change,
    }
}

fn reads(call: &ApiCall, name: &str) -> bool {
    call.read_only == Some(true) || READING.iter().any(|prefix| name.starts_with(prefix))
}

/// What the call is about, by what it asked for and was answered; else by the ARN that it names.
fn subject(call: &ApiCall, name: &str, request: Fields<'_>, response: Fields<'_>) -> Subject {
    let task = task(request, response);
    let service = service(name, request, response);
    let instance = response.object("containerInstance");
    let instance_arn = instance
        .text("containerInstanceArn")
        .or_else(|| request.text("containerInstance"))
        .or_else(|| only(request.texts("containerInstances")));
    let cluster = request
        .text("cluster")
        .or_else(|| request.text("clusterName"))
        .or_else(|| response.object("cluster").text("clusterName"));
    let definition = task_definition(request, response).map(|text| arn::task_definition(&text));
    let members = [
        task.arn.as_deref(),
        service.as_deref(),
        instance_arn.as_deref(),
    ];
    let named = request
        .text("resourceArn")
        .or_else(|| refused_resource(call));
    let named = named
        .as_deref()
        .map(|arn| subject_of_arn(arn, call))
        .unwrap_or_default();
    Subject {
        cluster: cluster_name(cluster.as_deref(), &members)
            .or_else(|| default_cluster(name, request))
            .or(named.cluster),
        service: owned_name(service.as_deref())
            .or_else(|| service_of_group(task.group.as_deref()))
            .or(named.service),
        family: definition
            .as_ref()
            .map(|(family, _)| family.clone())
            .or(named.family),
        revision: definition
            .and_then(|(_, revision)| revision)
            .or(named.revision),
        task: owned_name(task.arn.as_deref()).or(named.task),
        container_instance: owned_name(instance_arn.as_deref()).or(named.container_instance),
        ec2_instance: instance.text("ec2InstanceId"),
    }
}

/// A refused call shows nothing of what it asked for but in IAM's words: "… is not authorized to perform:
/// ecs:StopTask on resource: arn:aws:ecs:… because …".
fn refused_resource(call: &ApiCall) -> Option<String> {
    let (_, rest) = call
        .error_message
        .as_deref()?
        .split_once(" on resource: ")?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// Only of ECS's own resources in the call's own account: links lead into that one's console.
fn subject_of_arn(text: &str, call: &ApiCall) -> Subject {
    let Some(arn) = Arn::parse(text) else {
        return Subject::default();
    };
    let is_own = call
        .account
        .as_deref()
        .is_none_or(|account| account == arn.account);
    if arn.service != "ecs" || !is_own {
        return Subject::default();
    }
    // A policy's pattern names nothing that could be opened.
    let whole = |name: &str| (!name.contains('*')).then(|| name.to_owned());
    let own = |kind: &str| {
        (arn.kind() == kind)
            .then(|| whole(arn::name(text)))
            .flatten()
    };
    let definition = own("task-definition").map(|name| arn::task_definition(&name));
    Subject {
        cluster: arn.cluster().and_then(whole),
        service: own("service"),
        family: definition.as_ref().map(|(family, _)| family.clone()),
        revision: definition.and_then(|(_, revision)| revision),
        task: own("task"),
        container_instance: own("container-instance"),
        ec2_instance: None,
    }
}

/// A call that leaves its cluster out means the one called `default`. A refused call often shows nothing of
/// what it asked for, and then says nothing of its cluster either.
fn default_cluster(name: &str, request: Fields<'_>) -> Option<String> {
    let takes_cluster = matches!(
        name,
        "RunTask" | "StartTask" | "StopTask" | "CreateService" | "UpdateService" | "DeleteService"
    );
    (takes_cluster && request.value().is_object()).then(|| "default".to_owned())
}

struct Task {
    arn: Option<String>,
    group: Option<String>,
}

/// The task of StopTask, or the only one that a launch started.
fn task(request: Fields<'_>, response: Fields<'_>) -> Task {
    let stopped = response.object("task");
    let launched = match response.list("tasks").as_slice() {
        [task] => task.text("taskArn"),
        _ => None,
    };
    Task {
        arn: stopped
            .text("taskArn")
            .or(launched)
            .or_else(|| request.text("task")),
        group: stopped.text("group").or_else(|| request.text("group")),
    }
}

/// `serviceName` on create, `service` on update and delete.
fn service(name: &str, request: Fields<'_>, response: Fields<'_>) -> Option<String> {
    match name {
        "CreateService" => request
            .text("serviceName")
            .or_else(|| response.object("service").text("serviceName")),
        _ => request.text("service"),
    }
}

/// What ECS answered names the revision; what was asked for may be the family alone.
fn task_definition(request: Fields<'_>, response: Fields<'_>) -> Option<String> {
    response
        .object("taskDefinition")
        .text("taskDefinitionArn")
        .or_else(|| response.object("task").text("taskDefinitionArn"))
        .or_else(|| response.object("service").text("taskDefinition"))
        .or_else(|| {
            response
                .list("tasks")
                .first()
                .and_then(|task| task.text("taskDefinitionArn"))
        })
        .or_else(|| request.text("taskDefinition"))
        .or_else(|| request.text("family"))
}

fn reason(name: &str, request: Fields<'_>, response: Fields<'_>) -> Option<String> {
    let given = request.text("reason");
    let answered = response.object("task").text("stoppedReason");
    match name {
        // ECS's own words where the caller gave none.
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

/// The parameters that change something a reader would ask about, in the order a reader would ask.
const TOLD: [(&str, &str); 14] = [
    ("status", "Status"),
    ("taskDefinition", "Task definition"),
    ("desiredCount", "Desired count"),
    ("count", "Count"),
    ("launchType", "Launch type"),
    ("platformVersion", "Platform version"),
    ("forceNewDeployment", "New deployment forced"),
    ("enableExecuteCommand", "ECS Exec"),
    (
        "healthCheckGracePeriodSeconds",
        "Health check grace period (s)",
    ),
    ("schedulingStrategy", "Scheduling"),
    ("force", "Forced"),
    ("name", "Name"),
    ("value", "Value"),
    ("resourceArn", "Resource"),
];

fn changes(name: &str, request: Fields<'_>, response: Fields<'_>) -> Vec<Change> {
    let is_launch = matches!(name, "RunTask" | "StartTask");
    let told = TOLD
        .iter()
        .filter(|(key, _)| !(is_launch && *key == "taskDefinition"));
    let parameters = told.filter_map(|(key, label)| {
        // A switch that is off changes nothing.
        let value = request.text(key).filter(|value| value != "false")?;
        Some(Change {
            label,
            value: shown(&value),
        })
    });
    parameters
        .chain(instances(request))
        .chain(images(name, request))
        .chain(command(name, request, response))
        .collect()
}

/// An ARN by its resource, `service/prod/web`, a task definition by family and revision; all else as it is.
fn shown(value: &str) -> String {
    match Arn::parse(value) {
        Some(arn) if arn.kind() == "task-definition" => arn::name(value).to_owned(),
        Some(arn) => arn.resource.to_owned(),
        None => value.to_owned(),
    }
}

/// UpdateContainerInstancesState takes several.
fn instances(request: Fields<'_>) -> Option<Change> {
    let arns = request.texts("containerInstances");
    let names: Vec<_> = arns.iter().map(|arn| arn::name(arn)).collect();
    (!names.is_empty()).then(|| Change {
        label: "Container instances",
        value: names.join(", "),
    })
}

/// What a new task definition runs: a reader knows a release by its image.
fn images(name: &str, request: Fields<'_>) -> Option<Change> {
    if name != "RegisterTaskDefinition" {
        return None;
    }
    let images: Vec<_> = request
        .list("containerDefinitions")
        .into_iter()
        .filter_map(|container| container.text("image"))
        .collect();
    (!images.is_empty()).then(|| Change {
        label: "Images",
        value: images.join(", "),
    })
}

/// ExecuteCommand opens a shell in production: what was run, and where.
fn command(name: &str, request: Fields<'_>, response: Fields<'_>) -> Option<Change> {
    if name != "ExecuteCommand" {
        return None;
    }
    let container = request
        .text("container")
        .or_else(|| response.text("containerName"));
    let command = request
        .text("command")
        .unwrap_or_else(|| "a command".to_owned());
    let value = match container {
        Some(container) => format!("{command} in {container}"),
        None => command,
    };
    Some(Change {
        label: "Command",
        value,
    })
}

fn only(mut items: Vec<String>) -> Option<String> {
    (items.len() == 1).then(|| items.remove(0))
}
