//! Lists what a call requested, as labels and values.
//!
//! The labels follow the API's parameters:
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Operations.html>

use serde_json::Value;

use crate::ecs::arn::{self, Arn};
use crate::ecs::event::Fields;
use crate::ecs::notice::Change;

/// The parameters that matter to a reader, in the order in which they are shown.
const SHOWN: [(&str, &str); 22] = [
    ("status", "Status"),
    ("action", "Decision"),
    ("stopType", "Stop type"),
    ("taskDefinition", "Task definition"),
    ("daemonTaskDefinitionArn", "Daemon task definition"),
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
    (PROTECTION, "Scale-in protection"),
    ("expiresInMinutes", "Protected for (min)"),
    ("taskRoleArn", "Task role"),
    ("executionRoleArn", "Execution role"),
    ("force", "Forced"),
    ("name", "Name"),
    ("value", "Value"),
    ("resourceArn", "Resource"),
    ("primaryTaskSet", "Primary task set"),
];

/// A switch that is also shown when it is off.
const PROTECTION: &str = "protectionEnabled";

pub(super) fn changes(name: &str, request: Fields<'_>, response: Fields<'_>) -> Vec<Change> {
    let is_launch = matches!(name, "RunTask" | "StartTask");
    let parameters = SHOWN
        .iter()
        .filter(|(key, _)| !(is_launch && *key == "taskDefinition"));
    let parameters = parameters.filter_map(|(key, label)| {
        let value = request.text(key)?;
        let value = match (*key, value.as_str()) {
            (PROTECTION, "true") => "on".to_owned(),
            (PROTECTION, _) => "off".to_owned(),
            // Any other switch that is off changes nothing.
            (_, "false") => return None,
            (_, value) => shown(value),
        };
        Some(Change::new(label, value))
    });
    parameters
        .chain(default_decision(name, request))
        .chain(capacity(name, request))
        .chain(cluster(name, request))
        .chain(structures(name, request))
        .chain(attributes(name, request))
        .chain(tasks(name, request))
        .chain(instances(request, response))
        .chain(images(name, request))
        .chain(command(name, request, response))
        .collect()
}

/// What the two calls about a service deployment do by default.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContinueServiceDeployment.html>,
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html>
fn default_decision(name: &str, request: Fields<'_>) -> Option<Change> {
    let (key, label, value) = match name {
        "ContinueServiceDeployment" => ("action", "Decision", "CONTINUE"),
        "StopServiceDeployment" => ("stopType", "Stop type", "ROLLBACK"),
        _ => return None,
    };
    let is_known = request.value().is_object() && !request.is_present(key);
    is_known.then(|| Change::new(label, value.to_owned()))
}

/// Where tasks are placed: the capacity providers of a cluster or a daemon, and their weights.
fn capacity(name: &str, request: Fields<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    for key in ["capacityProviders", "capacityProviderArns"] {
        let providers = request.texts(key);
        let is_emptied = name == "PutClusterCapacityProviders"
            && key == "capacityProviders"
            && request.is_present(key);
        let value = match (providers.is_empty(), is_emptied) {
            (false, _) => names(&providers),
            (true, true) => "none".to_owned(),
            (true, false) => continue,
        };
        changes.push(Change::new("Capacity providers", value));
    }
    for (key, label) in [
        ("defaultCapacityProviderStrategy", "Default strategy"),
        ("capacityProviderStrategy", "Capacity provider strategy"),
    ] {
        let items = request.list(key).into_iter().filter_map(strategy_item);
        let items: Vec<_> = items.collect();
        if !items.is_empty() {
            changes.push(Change::new(label, items.join(", ")));
        }
    }
    changes
}

/// One item of a capacity provider strategy: `FARGATE_SPOT (weight 4, base 1)`.
fn strategy_item(item: Fields<'_>) -> Option<String> {
    let provider = item.text("capacityProvider")?;
    let numbers: Vec<_> = ["weight", "base"]
        .iter()
        .filter_map(|key| Some(format!("{key} {}", item.number(key)?)))
        .collect();
    Some(match numbers.is_empty() {
        true => shown(&provider),
        false => format!("{} ({})", shown(&provider), numbers.join(", ")),
    })
}

/// The settings of a whole cluster.
fn cluster(name: &str, request: Fields<'_>) -> Vec<Change> {
    if !matches!(
        name,
        "CreateCluster" | "UpdateCluster" | "UpdateClusterSettings"
    ) {
        return Vec::new();
    }
    let settings = request.list("settings").into_iter().filter_map(|setting| {
        let value = setting.text("value").unwrap_or_else(|| "unset".to_owned());
        Some(format!("{} = {value}", setting.text("name")?))
    });
    let mut configuration = Vec::new();
    leaves(
        "",
        request.object("configuration").value(),
        &mut configuration,
    );
    let namespace = request
        .object("serviceConnectDefaults")
        .text("namespace")
        .map(|namespace| shown(&namespace));
    [
        ("Settings", settings.collect::<Vec<_>>().join(", ")),
        ("Configuration", configuration.join(", ")),
        ("Service Connect namespace", namespace.unwrap_or_default()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(label, value)| Change::new(label, value))
    .collect()
}

/// The nested settings of a capacity provider, a daemon, a task set or an express service.
fn structures(name: &str, request: Fields<'_>) -> Vec<Change> {
    let is_daemon = name.ends_with("Daemon");
    let structures = [
        ("autoScalingGroupProvider", "Auto Scaling group", true),
        ("managedInstancesProvider", "Managed instances", true),
        ("scale", "Scale", true),
        ("scalingTarget", "Scaling target", true),
        ("deploymentConfiguration", "Deployment", is_daemon),
    ];
    let shown = structures.into_iter().filter(|(_, _, is_shown)| *is_shown);
    shown
        .filter_map(|(key, label, _)| {
            let mut found = Vec::new();
            leaves("", request.object(key).value(), &mut found);
            listed(label, found)
        })
        .collect()
}

/// Adds each value with its path: `executeCommandConfiguration.logging = OVERRIDE`.
fn leaves(path: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, entry) in entries {
                let path = match path {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                leaves(&path, entry, found);
            }
        }
        Value::String(text) if text.starts_with("arn:") => {
            found.push(format!("{path} = {}", arn::name(text)));
        }
        Value::String(text) => found.push(format!("{path} = {text}")),
        Value::Bool(_) | Value::Number(_) => found.push(format!("{path} = {value}")),
        Value::Array(_) | Value::Null => {}
    }
}

/// PutAttributes and DeleteAttributes change the attributes by which instances can be selected.
fn attributes(name: &str, request: Fields<'_>) -> Option<Change> {
    if !matches!(name, "PutAttributes" | "DeleteAttributes") {
        return None;
    }
    let attributes = request.list("attributes").into_iter().filter_map(|item| {
        let mut text = item.text("name")?;
        if let Some(value) = item.text("value") {
            text = format!("{text} = {value}");
        }
        Some(match item.text("targetId") {
            Some(target) => format!("{text} on {}", arn::name(&target)),
            None => text,
        })
    });
    listed("Attributes", attributes.collect())
}

/// UpdateTaskProtection takes several tasks. A single task is already the subject of the call.
fn tasks(name: &str, request: Fields<'_>) -> Option<Change> {
    let tasks = request.texts("tasks");
    (name == "UpdateTaskProtection" && tasks.len() > 1).then(|| Change::new("Tasks", names(&tasks)))
}

/// UpdateContainerInstancesState takes several instances. People know an instance by its EC2 id, which is in the
/// answer.
fn instances(request: Fields<'_>, response: Fields<'_>) -> Option<Change> {
    let asked = request.texts("containerInstances");
    let answered = response.list("containerInstances").into_iter();
    let answered: Vec<_> = answered
        .filter_map(|instance| instance.text("ec2InstanceId"))
        .collect();
    let value = match answered.len() < asked.len() || answered.is_empty() {
        true => names(&asked),
        false => answered.join(", "),
    };
    (!value.is_empty()).then_some(Change::new("Container instances", value))
}

/// The images of a new task definition, because a reader recognizes a release by its image.
fn images(name: &str, request: Fields<'_>) -> Option<Change> {
    if !matches!(
        name,
        "RegisterTaskDefinition" | "RegisterDaemonTaskDefinition"
    ) {
        return None;
    }
    let containers = request.list("containerDefinitions").into_iter();
    let images = containers.filter_map(|container| container.text("image"));
    listed("Images", images.collect())
}

/// ExecuteCommand often opens a shell in production, so the command and the container are shown.
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
    Some(Change::new("Command", value))
}

/// An ARN as its resource, `service/prod/web`; a task definition as family and revision; a role as its name. Other
/// values do not change.
fn shown(value: &str) -> String {
    match Arn::parse(value) {
        Some(arn)
            if matches!(
                (arn.service, arn.kind()),
                (
                    "ecs",
                    "task-definition" | "daemon-task-definition" | "capacity-provider"
                ) | ("iam", "role")
            ) =>
        {
            arn::name(value).to_owned()
        }
        Some(arn) => arn.resource.to_owned(),
        None => value.to_owned(),
    }
}

fn names(arns: &[String]) -> String {
    let names: Vec<_> = arns.iter().map(|arn| arn::name(arn)).collect();
    names.join(", ")
}

fn listed(label: &'static str, items: Vec<String>) -> Option<Change> {
    (!items.is_empty()).then(|| Change::new(label, items.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown_changes(name: &str, request: Value, response: Value) -> Vec<String> {
        changes(name, Fields::new(&request), Fields::new(&response))
            .into_iter()
            .map(|change| format!("{}: {}", change.label, change.value))
            .collect()
    }

    #[test]
    fn requested_values_are_shown() {
        let role = "arn:aws:iam::210987654321:role/ecs/web";
        for (name, request, expected) in [
            (
                "PutClusterCapacityProviders",
                json!({"cluster": "prod", "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
                    "defaultCapacityProviderStrategy": [
                        {"capacityProvider": "FARGATE", "weight": 1, "base": 2},
                        {"capacityProvider": "FARGATE_SPOT"}]}),
                vec![
                    "Capacity providers: FARGATE, FARGATE_SPOT",
                    "Default strategy: FARGATE (weight 1, base 2), FARGATE_SPOT",
                ],
            ),
            (
                "PutClusterCapacityProviders",
                json!({"cluster": "prod", "capacityProviders": [], "defaultCapacityProviderStrategy": []}),
                vec!["Capacity providers: none"],
            ),
            (
                "UpdateClusterSettings",
                json!({"cluster": "prod", "settings": [{"name": "containerInsights", "value": "enhanced"}]}),
                vec!["Settings: containerInsights = enhanced"],
            ),
            (
                "UpdateCluster",
                json!({"cluster": "prod", "serviceConnectDefaults": {"namespace": "internal"},
                    "configuration": {"executeCommandConfiguration": {"logging": "NONE"}}}),
                vec![
                    "Configuration: executeCommandConfiguration.logging = NONE",
                    "Service Connect namespace: internal",
                ],
            ),
            (
                "UpdateTaskProtection",
                json!({"cluster": "prod", "tasks": ["prod/1a2b"], "protectionEnabled": true, "expiresInMinutes": 60}),
                vec!["Scale-in protection: on", "Protected for (min): 60"],
            ),
            (
                "UpdateTaskProtection",
                json!({"tasks": ["1a2b", "3c4d"], "protectionEnabled": false}),
                vec!["Scale-in protection: off", "Tasks: 1a2b, 3c4d"],
            ),
            (
                "PutAttributes",
                json!({"attributes": [{"name": "stack", "value": "blue", "targetType": "container-instance", "targetId": "7f3d"}]}),
                vec!["Attributes: stack = blue on 7f3d"],
            ),
            (
                "RegisterTaskDefinition",
                json!({"family": "web", "taskRoleArn": role, "executionRoleArn": "ecsTaskExecutionRole",
                    "containerDefinitions": [{"image": "web:2"}]}),
                vec![
                    "Task role: web",
                    "Execution role: ecsTaskExecutionRole",
                    "Images: web:2",
                ],
            ),
            (
                "UpdateCapacityProvider",
                json!({"name": "spot", "autoScalingGroupProvider": {
                    "managedDraining": "ENABLED", "managedScaling": {"targetCapacity": 90}}}),
                vec![
                    "Name: spot",
                    "Auto Scaling group: managedDraining = ENABLED, managedScaling.targetCapacity = 90",
                ],
            ),
            (
                "UpdateTaskSet",
                json!({"service": "web", "scale": {"value": 50.0, "unit": "PERCENT"}}),
                vec!["Scale: unit = PERCENT, value = 50.0"],
            ),
            (
                "ContinueServiceDeployment",
                json!({"hookId": "ecs-pause-1"}),
                vec!["Decision: CONTINUE"],
            ),
            (
                "StopServiceDeployment",
                json!({"stopType": "ABORT"}),
                vec!["Stop type: ABORT"],
            ),
        ] {
            assert_eq!(
                shown_changes(name, request, Value::Null),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn instances_are_named_by_their_ec2_ids() {
        let request = json!({"containerInstances": ["c1", "c2"], "status": "DRAINING"});
        let instance = |id: &str| json!({"ec2InstanceId": id});
        let both = json!({"containerInstances": [instance("i-1"), instance("i-2")]});
        let shown =
            |response| shown_changes("UpdateContainerInstancesState", request.clone(), response);
        assert_eq!(shown(both)[1], "Container instances: i-1, i-2");
        for part in [
            json!({"containerInstances": [instance("i-1")]}),
            Value::Null,
        ] {
            assert_eq!(shown(part)[1], "Container instances: c1, c2");
        }
    }
}
