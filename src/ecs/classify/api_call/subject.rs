//! Finds what a call is about: from its request and its answer, or else from the ARNs in them.

use serde_json::Value;

use crate::ecs::arn::{self, Arn};
use crate::ecs::classify::task::service_of_group;
use crate::ecs::classify::{cluster_name, owned_name};
use crate::ecs::event::{ApiCall, Fields};
use crate::ecs::notice::{Resource, Subject};

pub(super) fn subject(
    call: &ApiCall,
    name: &str,
    request: Fields<'_>,
    response: Fields<'_>,
) -> Subject {
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
        .or_else(|| request.text("clusterArn"))
        .or_else(|| response.object("cluster").text("clusterName"));
    let definition = task_definition(request, response).map(|text| arn::task_definition(&text));
    let members = [
        task.arn.as_deref(),
        service.as_deref(),
        instance_arn.as_deref(),
    ];
    let named = named_arn(request)
        .or_else(|| denied_resource(call))
        .map(|arn| subject_of_arn(&arn, call))
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
        ec2_instance: instance
            .text("ec2InstanceId")
            .or_else(|| only_instance(response)),
        resource: resource(name, request).or(named.resource),
        ..Subject::default()
    }
}

/// UpdateContainerInstancesState answers with a list. The instance is clear only if there is one.
fn only_instance(response: Fields<'_>) -> Option<String> {
    match response.list("containerInstances").as_slice() {
        [instance] => instance.text("ec2InstanceId"),
        _ => None,
    }
}

/// A resource that a parameter names directly: a capacity provider, a task set, a new daemon.
fn resource(name: &str, request: Fields<'_>) -> Option<Resource> {
    let provider = || match name {
        "CreateCapacityProvider" | "UpdateCapacityProvider" => request.text("name"),
        _ => request.text("capacityProvider"),
    };
    let (kind, value) = None
        .or_else(|| Some(("capacity-provider", provider()?)))
        .or_else(|| Some(("task-set", request.text("taskSet")?)))
        .or_else(|| Some(("daemon", request.text("daemonName")?)))?;
    Some(Resource::new(kind, &short_name(kind, &value)))
}

/// The name of a resource: the last part of its ARN. Only the name of a task set has two parts, `ecs-svc/1234`.
fn short_name(kind: &str, text: &str) -> String {
    match kind {
        "task-set" => text
            .rfind("ecs-svc/")
            .map_or(text, |start| &text[start..])
            .to_owned(),
        _ => arn::name(text).to_owned(),
    }
}

/// The ARN that a call is about, from any parameter: `resourceArn`, `serviceDeploymentArn`, `daemonArn`, or one that
/// ECS adds in the future. A call is not about its roles, its definitions or its cluster.
fn named_arn(request: Fields<'_>) -> Option<String> {
    const EXCLUDED: [&str; 4] = [
        "clusterArn",
        "taskRoleArn",
        "executionRoleArn",
        "daemonTaskDefinitionArn",
    ];
    if let Some(arn) = request.text("resourceArn") {
        return Some(arn);
    }
    let Value::Object(parameters) = request.value() else {
        return None;
    };
    let keys = parameters
        .keys()
        .filter(|key| key.ends_with("Arn") && !EXCLUDED.contains(&key.as_str()));
    let mut arns = keys.filter_map(|key| request.text(key));
    arns.find(|arn| Arn::parse(arn).is_some_and(|arn| arn.service == "ecs"))
}

/// A denied call often has no request. Then only IAM's message names the resource: "… is not authorized to perform:
/// ecs:StopTask on resource: arn:aws:ecs:… because …".
fn denied_resource(call: &ApiCall) -> Option<String> {
    let (_, rest) = call
        .error_message
        .as_deref()?
        .split_once(" on resource: ")?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// Only for ECS resources in the account of the call, because links open the console of that account.
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
    // A pattern from a policy is not the name of one resource, so it gives no link.
    let whole = |name: &str| (!name.contains('*')).then(|| name.to_owned());
    let deployed_service = || match arn.kind() {
        // `service-deployment/CLUSTER/SERVICE/ID`.
        "service-deployment" | "service-revision" | "task-set" => {
            arn.resource.split('/').nth(2).and_then(whole)
        }
        _ => None,
    };
    let own = |kind: &str| {
        (arn.kind() == kind)
            .then(|| whole(arn::name(text)))
            .flatten()
    };
    let definition = own("task-definition").map(|name| arn::task_definition(&name));
    Subject {
        cluster: arn.cluster().and_then(whole),
        service: own("service").or_else(deployed_service),
        family: definition.as_ref().map(|(family, _)| family.clone()),
        revision: definition.and_then(|(_, revision)| revision),
        task: own("task"),
        container_instance: own("container-instance"),
        resource: resource_of_arn(text, arn),
        ..Subject::default()
    }
}

/// A resource for which a subject has no other field.
fn resource_of_arn(text: &str, arn: Arn<'_>) -> Option<Resource> {
    const WITH_OWN_FIELD: [&str; 5] = [
        "cluster",
        "service",
        "task",
        "task-definition",
        "container-instance",
    ];
    let name = short_name(arn.kind(), text);
    let is_one = !arn.kind().is_empty() && !name.is_empty() && !name.contains('*');
    (is_one && !WITH_OWN_FIELD.contains(&arn.kind())).then(|| Resource::new(arn.kind(), &name))
}

/// A call without a cluster uses the cluster `default`. A denied call often has no request, and then its cluster is not
/// known.
fn default_cluster(name: &str, request: Fields<'_>) -> Option<String> {
    let takes_cluster = matches!(
        name,
        "RunTask"
            | "StartTask"
            | "StopTask"
            | "CreateService"
            | "UpdateService"
            | "DeleteService"
            | "ExecuteCommand"
            | "UpdateContainerInstancesState"
            | "DeregisterContainerInstance"
    );
    (takes_cluster && request.value().is_object()).then(|| "default".to_owned())
}

struct TaskReference {
    arn: Option<String>,
    group: Option<String>,
}

/// The task of StopTask, or the only one that a launch started.
fn task(request: Fields<'_>, response: Fields<'_>) -> TaskReference {
    let stopped = response.object("task");
    let launched = match response.list("tasks").as_slice() {
        [task] => task.text("taskArn"),
        _ => None,
    };
    TaskReference {
        arn: stopped
            .text("taskArn")
            .or(launched)
            .or_else(|| request.text("task"))
            .or_else(|| only(request.texts("tasks"))),
        group: stopped.text("group").or_else(|| request.text("group")),
    }
}

/// The parameter is `serviceName` on create, and `service` on update and delete.
fn service(name: &str, request: Fields<'_>, response: Fields<'_>) -> Option<String> {
    match name {
        "CreateService" => request
            .text("serviceName")
            .or_else(|| response.object("service").text("serviceName")),
        "CreateExpressGatewayService" => request.text("serviceName"),
        _ => request
            .text("service")
            .or_else(|| request.text("serviceArn")),
    }
}

/// The answer of ECS names the revision. The request may have only the family.
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

fn only(mut items: Vec<String>) -> Option<String> {
    (items.len() == 1).then(|| items.remove(0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn subject_of(name: &str, request: Value) -> Subject {
        let call = ApiCall {
            account: Some("210987654321".to_owned()),
            ..ApiCall::default()
        };
        subject(
            &call,
            name,
            Fields::new(&request),
            Fields::new(&Value::Null),
        )
    }

    #[test]
    fn each_resource_type_is_named() {
        let arn = |resource: &str| format!("arn:aws:ecs:eu-west-1:210987654321:{resource}");
        for (name, request, cluster, service, resource) in [
            (
                "StopServiceDeployment",
                json!({"serviceDeploymentArn": arn("service-deployment/prod/web/9fSZ")}),
                Some("prod"),
                Some("web"),
                Some("service deployment 9fSZ"),
            ),
            (
                "DeleteDaemon",
                json!({"daemonArn": arn("daemon/prod/node-exporter")}),
                Some("prod"),
                None,
                Some("daemon node-exporter"),
            ),
            (
                "CreateDaemon",
                json!({"daemonName": "node-exporter", "clusterArn": arn("cluster/prod"),
                    "daemonTaskDefinitionArn": arn("daemon-task-definition/exporter:3")}),
                Some("prod"),
                None,
                Some("daemon node-exporter"),
            ),
            (
                "DeleteCapacityProvider",
                json!({"capacityProvider": arn("capacity-provider/spot")}),
                None,
                None,
                Some("capacity provider spot"),
            ),
            (
                "UpdateCapacityProvider",
                json!({"name": "spot", "cluster": "prod"}),
                Some("prod"),
                None,
                Some("capacity provider spot"),
            ),
            (
                "DeleteTaskSet",
                json!({"cluster": "prod", "service": "web",
                    "taskSet": arn("task-set/prod/web/ecs-svc/1234567890")}),
                Some("prod"),
                Some("web"),
                Some("task set ecs-svc/1234567890"),
            ),
            (
                "DeleteExpressGatewayService",
                json!({"serviceArn": arn("service/prod/web")}),
                Some("prod"),
                Some("web"),
                None,
            ),
            (
                "DeleteTideGauge",
                json!({"tideGaugeArn": arn("tide-gauge/prod/north")}),
                None,
                None,
                Some("tide gauge north"),
            ),
            (
                "StopServiceDeployment",
                json!({"serviceDeploymentArn": "arn:aws:ecs:eu-west-1:309876543210:service-deployment/prod/web/9fSZ"}),
                None,
                None,
                None,
            ),
        ] {
            let found = subject_of(name, request);
            assert_eq!(
                (
                    found.cluster.as_deref(),
                    found.service.as_deref(),
                    found.resource.map(|it| it.in_words()).as_deref()
                ),
                (cluster, service, resource),
                "{name}"
            );
        }
    }
}
