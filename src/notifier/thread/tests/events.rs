//! Events as EventBridge sends them, in few words: `at("10:00:07", failed("checkout", OUT_OF_MEMORY))`.

use serde_json::{Value, json};

const REGION: &str = "eu-west-1";
const ACCOUNT: &str = "210987654321";

/// How a task ended: its stop code, its reason, its exit code, and the reason of its container.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    code: &'static str,
    reason: &'static str,
    exit: Option<i64>,
    container: Option<&'static str>,
}

const fn by_itself(exit: i64, container: Option<&'static str>) -> Ending {
    Ending {
        code: "EssentialContainerExited",
        reason: "Essential container in task exited",
        exit: Some(exit),
        container,
    }
}

pub(super) const OUT_OF_MEMORY: Ending = by_itself(
    137,
    Some("OutOfMemoryError: Container killed due to memory usage"),
);
pub(super) const EXITED_WITH_1: Ending = by_itself(1, None);
pub(super) const FINISHED: Ending = by_itself(0, None);
pub(super) const IMAGE_PULL: Ending = Ending {
    code: "TaskFailedToStart",
    reason: "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found",
    exit: None,
    container: None,
};
pub(super) const HEALTH_CHECK: Ending = Ending {
    code: "ServiceSchedulerInitiated",
    reason: "Task failed container health checks",
    exit: Some(143),
    container: None,
};
pub(super) const BY_USER: Ending = Ending {
    code: "UserInitiated",
    reason: "Task stopped by maya",
    exit: Some(143),
    container: None,
};
pub(super) const BY_PERSON: Ending = Ending {
    code: "UserInitiated",
    reason: "looks wrong",
    exit: Some(137),
    container: None,
};
pub(super) const SPOT: Ending = Ending {
    code: "SpotInterruption",
    reason: "Your Spot Task was interrupted.",
    exit: Some(143),
    container: None,
};

/// An event without its time, which [`at`] adds.
#[derive(Debug, Clone)]
pub(super) struct Event(pub(super) Value);

/// An event at a time of 12 November 2026.
pub(super) fn at(time: &str, event: Event) -> Event {
    let Event(mut value) = event;
    let full = format!("2026-11-12T{time}Z");
    value["time"] = json!(full);
    // CloudTrail's ids and events' ids differ from event to event.
    let detail = format!("{time} {}", value["detail"]);
    let id = crate::notifier::thread::subject::hash(&detail);
    value["id"] = json!(id);
    let detail = &mut value["detail"];
    if detail.get("eventID").is_some() {
        detail["eventID"] = json!(id);
        detail["eventTime"] = json!(full);
    }
    let is_stop = detail["lastStatus"] == "STOPPED";
    if detail.get("updatedAt").is_some() {
        detail["updatedAt"] = json!(full);
    }
    if is_stop {
        detail["stoppedAt"] = json!(full);
    } else if detail.get("startedAt").is_some() {
        detail["startedAt"] = json!(full);
    }
    let primary = detail.pointer_mut("/responseElements/service/deployments/0");
    if let Some(primary) = primary.filter(|it| it["createdAt"] == "now") {
        primary["createdAt"] = json!(full);
    }
    Event(value)
}

impl Event {
    /// Changes a field of `detail`. `null` removes it.
    pub(super) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0["detail"][field] = value.into();
        self
    }

    pub(super) fn of_task(self, task: &str) -> Self {
        let arn = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task/prod-web/{task}");
        self.with("taskArn", arn)
    }

    pub(super) fn created(self, time: &str) -> Self {
        self.with("createdAt", format!("2026-11-12T{time}Z"))
    }

    pub(super) fn in_zone(self, zone: &str) -> Self {
        self.with("availabilityZone", zone)
    }

    pub(super) fn on_instance(self, instance: &str) -> Self {
        let instance = arn("container-instance", &format!("prod-web/{instance}"));
        self.with("containerInstanceArn", instance)
    }

    pub(super) fn by_deployment(self, id: &str) -> Self {
        self.with("startedBy", id)
    }
}

fn event(detail_type: &str, resource: &str, detail: Value) -> Event {
    Event(json!({
        "version": "0",
        "detail-type": detail_type,
        "source": "aws.ecs",
        "account": ACCOUNT,
        "region": REGION,
        "resources": [resource],
        "detail": detail,
    }))
}

/// An event of another AWS service.
pub(super) fn of(source: &str, detail_type: &str, time: &str, detail: Value) -> Event {
    let Event(mut value) = event(detail_type, "", detail);
    value["source"] = json!(source);
    value["resources"] = json!([]);
    at(time, Event(value))
}

fn arn(kind: &str, name: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{kind}/{name}")
}

fn task(family: &str, group: &str, started_by: &str, status: &str) -> Value {
    json!({
        "availabilityZone": "eu-west-1a",
        "clusterArn": arn("cluster", "prod-web"),
        "containers": [{ "name": family, "image": format!("{family}:1"), "lastStatus": status }],
        "desiredStatus": status,
        "lastStatus": status,
        "group": group,
        "launchType": "FARGATE",
        "startedBy": started_by,
        "startedAt": "2026-11-12T00:00:00Z",
        "updatedAt": "",
        "taskDefinitionArn": arn("task-definition", &format!("{family}:7")),
    })
}

fn ended(mut task: Value, ending: Ending) -> Value {
    let container = &mut task["containers"][0];
    if let Some(exit) = ending.exit {
        container["exitCode"] = json!(exit);
    }
    if let Some(reason) = ending.container {
        container["reason"] = json!(reason);
    }
    task["stopCode"] = json!(ending.code);
    task["stoppedReason"] = json!(ending.reason);
    task
}

/// Gives a task that has no id one that no other task has.
fn with_own_id(detail: Value) -> Event {
    use std::sync::atomic::{AtomicU32, Ordering};
    static LAST: AtomicU32 = AtomicU32::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    event("ECS Task State Change", "", detail).of_task(&format!("{number:032x}"))
}

/// A task of a service that stops.
pub(super) fn failed(service: &str, ending: Ending) -> Event {
    let group = format!("service:{service}");
    with_own_id(ended(task(service, &group, "ecs-svc/1", "STOPPED"), ending))
}

/// A task of a service that starts.
pub(super) fn started(service: &str) -> Event {
    let group = format!("service:{service}");
    with_own_id(task(service, &group, "ecs-svc/1", "RUNNING"))
}

/// A task of a service that the scheduler stops.
pub(super) fn scaled_in(service: &str) -> Event {
    let ending = Ending {
        code: "ServiceSchedulerInitiated",
        reason: "Scaling activity initiated by (deployment ecs-svc/1)",
        exit: Some(143),
        container: None,
    };
    failed(service, ending)
}

/// A task that a schedule launched.
pub(super) fn of_schedule(family: &str, ending: Ending, started_at: &str) -> Event {
    let group = format!("family:{family}");
    let task = ended(
        task(family, &group, "chronos-schedule/x", "STOPPED"),
        ending,
    );
    let started_at = format!("2026-11-12T{started_at}Z");
    with_own_id(task).with("startedAt", started_at)
}

/// A task that a person launched.
pub(super) fn of_person(family: &str, status: &str) -> Event {
    let group = format!("family:{family}");
    with_own_id(task(family, &group, "", status)).with("startedBy", Value::Null)
}

pub(super) fn of_person_ended(family: &str, ending: Ending) -> Event {
    let group = format!("family:{family}");
    let task = ended(task(family, &group, "", "STOPPED"), ending);
    with_own_id(task).with("startedBy", Value::Null)
}

/// A service action.
pub(super) fn action(service: &str, name: &str, event_type: &str) -> Event {
    let service = arn("service", &format!("prod-web/{service}"));
    let detail = json!({
        "eventType": event_type,
        "eventName": name,
        "clusterArn": arn("cluster", "prod-web"),
    });
    event("ECS Service Action", &service, detail)
}

pub(super) fn steady(service: &str) -> Event {
    action(service, "SERVICE_STEADY_STATE", "INFO")
}

/// An event of a deployment.
pub(super) fn deployment(service: &str, state: &str, id: &str, reason: &str) -> Event {
    let event_type = if state == "FAILED" { "ERROR" } else { "INFO" };
    let resource = arn("service", &format!("prod-web/{service}"));
    let detail = json!({
        "eventType": event_type,
        "eventName": format!("SERVICE_DEPLOYMENT_{state}"),
        "clusterArn": arn("cluster", "prod-web"),
        "deploymentId": id,
        "updatedAt": "",
        "reason": reason,
    });
    event("ECS Deployment State Change", &resource, detail)
}

pub(super) fn begun(service: &str, id: &str) -> Event {
    deployment(service, "IN_PROGRESS", id, "in progress.")
}

pub(super) fn completed(service: &str, id: &str) -> Event {
    deployment(service, "COMPLETED", id, "completed.")
}

pub(super) fn rolling_back(service: &str, to: &str) -> Event {
    let reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {to}.");
    deployment(service, "IN_PROGRESS", to, &reason)
}

pub(super) fn breaks(service: &str, id: &str) -> Event {
    let reason = "ECS deployment circuit breaker: tasks failed to start.";
    deployment(service, "FAILED", id, reason)
}

/// A hook of a service's deployment.
pub(super) fn hook(service: &str, name: &str) -> Event {
    let deployment = arn("service-deployment", &format!("prod-web/{service}/d1"));
    let detail = json!({
        "eventType": "INFO",
        "eventName": name,
        "hookId": "ecs-pause-1",
        "lifecycleStage": "POST_TEST_TRAFFIC_SHIFT",
        "clusterArn": arn("cluster", "prod-web"),
        "serviceArn": arn("service", &format!("prod-web/{service}")),
        "serviceDeploymentArn": deployment,
        "updatedAt": "",
    });
    event("ECS Hook State Change", &deployment, detail)
}

/// An API call of a person.
pub(super) fn call(actor: &str, name: &str, request: Value, response: Value) -> Event {
    let detail = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/Operator/{actor}"),
            "accountId": ACCOUNT,
            "sessionContext": { "sessionIssuer": {
                "type": "Role",
                "arn": format!("arn:aws:iam::{ACCOUNT}:role/Operator"),
                "userName": "Operator",
            }},
        },
        "eventTime": "",
        "eventSource": "ecs.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": "198.51.100.37",
        "userAgent": "aws-cli/2.31.4",
        "requestParameters": request,
        "responseElements": response,
        "eventID": "",
        "readOnly": false,
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
    });
    event("AWS API Call via CloudTrail", "", detail)
}

fn service_answer(service: &str, deployments: Value) -> Value {
    json!({ "service": {
        "serviceArn": arn("service", &format!("prod-web/{service}")),
        "serviceName": service,
        "clusterArn": arn("cluster", "prod-web"),
        "desiredCount": 3,
        "deployments": deployments,
    }})
}

/// UpdateService that makes a new deployment of a revision.
pub(super) fn update(actor: &str, service: &str, revision: &str, id: &str) -> Event {
    let definition = arn("task-definition", &format!("{service}:{revision}"));
    let request = json!({
        "cluster": "prod-web",
        "service": service,
        "taskDefinition": format!("{service}:{revision}"),
    });
    let primary = json!({
        "id": id,
        "status": "PRIMARY",
        "taskDefinition": definition,
        "desiredCount": 3,
        "createdAt": "now",
    });
    let answer = service_answer(service, json!([primary]));
    call(actor, "UpdateService", request, answer)
}

/// RegisterTaskDefinition.
pub(super) fn register(actor: &str, family: &str, revision: i64) -> Event {
    let definition = arn("task-definition", &format!("{family}:{revision}"));
    let container = json!({ "name": family, "image": format!("{family}:1.{revision}") });
    let request = json!({ "family": family, "containerDefinitions": [container] });
    let answer = json!({ "taskDefinition": {
        "taskDefinitionArn": definition,
        "family": family,
        "revision": revision,
        "containerDefinitions": [container],
    }});
    call(actor, "RegisterTaskDefinition", request, answer)
}

/// UpdateService that changes the count only, so the answer has the old deployment.
pub(super) fn scale(actor: &str, service: &str, count: i64, id: &str) -> Event {
    let request = json!({ "cluster": "prod-web", "service": service, "desiredCount": count });
    let primary = json!({
        "id": id,
        "status": "PRIMARY",
        "taskDefinition": arn("task-definition", &format!("{service}:7")),
        "desiredCount": count,
        "createdAt": "2026-10-01T09:00:00Z",
    });
    call(
        actor,
        "UpdateService",
        request,
        service_answer(service, json!([primary])),
    )
}

/// The same call while another deployment is still going on.
pub(super) fn during(event: Event, revision: &str, id: &str, state: &str) -> Event {
    let Event(mut value) = event;
    let service = value["detail"]["requestParameters"]["service"].clone();
    let service = service.as_str().unwrap_or_default().to_owned();
    let older = json!({
        "id": id,
        "status": "ACTIVE",
        "taskDefinition": arn("task-definition", &format!("{service}:{revision}")),
        "createdAt": "2026-10-01T09:00:00Z",
        "rolloutState": state,
    });
    let deployments = &mut value["detail"]["responseElements"]["service"]["deployments"];
    deployments.as_array_mut().unwrap().push(older);
    Event(value)
}

/// StopServiceDeployment.
pub(super) fn stop_deployment(actor: &str, service: &str, stop_type: &str) -> Event {
    let deployment = arn("service-deployment", &format!("prod-web/{service}/d1"));
    let request = json!({ "serviceDeploymentArn": deployment, "stopType": stop_type });
    let answer = json!({ "serviceDeploymentArn": deployment });
    call(actor, "StopServiceDeployment", request, answer)
}

pub(super) fn on_service(actor: &str, name: &str, service: &str) -> Event {
    let request = json!({ "cluster": "prod-web", "service": service });
    call(actor, name, request, service_answer(service, json!([])))
}

/// CreateService.
pub(super) fn create(actor: &str, service: &str, id: &str) -> Event {
    let Event(mut value) = update(actor, service, "1", id);
    value["detail"]["eventName"] = json!("CreateService");
    value["detail"]["requestParameters"]["serviceName"] = json!(service);
    Event(value)
}

pub(super) fn stop_task(actor: &str, service: &str, task: &str) -> Event {
    let request = json!({ "cluster": "prod-web", "task": task });
    let answer = json!({ "task": {
        "taskArn": arn("task", &format!("prod-web/{task}")),
        "taskDefinitionArn": arn("task-definition", &format!("{service}:7")),
        "group": format!("service:{service}"),
        "startedBy": "ecs-svc/1",
    }});
    call(actor, "StopTask", request, answer)
}

/// The same call for a task of a family, with its `startedBy`.
pub(super) fn stop_task_of(actor: &str, family: &str, task: &str, started_by: &str) -> Event {
    let Event(mut value) = stop_task(actor, family, task);
    let answer = &mut value["detail"]["responseElements"]["task"];
    answer["group"] = json!(format!("family:{family}"));
    answer["startedBy"] = json!(started_by);
    Event(value)
}

pub(super) fn continue_deployment(actor: &str, service: &str) -> Event {
    let deployment = arn("service-deployment", &format!("prod-web/{service}/d1"));
    let request = json!({ "serviceDeploymentArn": deployment, "hookId": "ecs-pause-1" });
    let answer = json!({ "serviceDeploymentArn": deployment });
    call(actor, "ContinueServiceDeployment", request, answer)
}

/// RunTask, with the ids of its tasks and the number of failures.
pub(super) fn run(actor: &str, family: &str, tasks: &[&str], failures: usize) -> Event {
    let definition = arn("task-definition", &format!("{family}:7"));
    let request = json!({ "cluster": "prod-web", "taskDefinition": format!("{family}:7") });
    let tasks = tasks.iter().map(|task| {
        json!({
            "taskArn": arn("task", &format!("prod-web/{task}")),
            "taskDefinitionArn": definition,
            "group": format!("family:{family}"),
        })
    });
    let failures = (0..failures).map(|_| json!({ "reason": "RESOURCE:MEMORY" }));
    let answer = json!({
        "tasks": tasks.collect::<Vec<_>>(),
        "failures": failures.collect::<Vec<_>>(),
    });
    call(actor, "RunTask", request, answer)
}

/// The same call, made by a schedule.
pub(super) fn by_schedule(event: Event) -> Event {
    let Event(mut value) = event;
    value["detail"]["userIdentity"]["invokedBy"] = json!("events.amazonaws.com");
    value["detail"]["sourceIPAddress"] = json!("events.amazonaws.com");
    value["detail"]["userAgent"] = json!("events.amazonaws.com");
    Event(value)
}

/// A container instance's health.
pub(super) fn health(instance: &str, status: &str) -> Event {
    let instance = arn("container-instance", &format!("prod-web/{instance}"));
    let detail = json!({
        "clusterArn": arn("cluster", "prod-web"),
        "containerInstanceArn": instance,
        "ec2InstanceId": "i-0ba4faab662936203",
        "overallStatus": status,
        "healthChecks": [{ "type": "AGENT_CONNECTIVITY", "status": status }],
    });
    event("ECS Container Instance Health Change", &instance, detail)
}

/// A container instance's state.
pub(super) fn instance(instance: &str, status: &str) -> Event {
    let resource = arn("container-instance", &format!("prod-web/{instance}"));
    let detail = json!({
        "clusterArn": arn("cluster", "prod-web"),
        "containerInstanceArn": resource,
        "ec2InstanceId": "i-0ba4faab662936203",
        "status": status,
        "agentConnected": true,
        "updatedAt": "",
    });
    event("ECS Container Instance State Change", &resource, detail)
}

/// UpdateContainerInstancesState.
pub(super) fn drain(actor: &str, instance: &str) -> Event {
    drain_all(actor, &[instance])
}

pub(super) fn drain_all(actor: &str, instances: &[&str]) -> Event {
    let answers = instances.iter().map(|it| instance_answer(it, "DRAINING"));
    let answers: Vec<_> = answers.collect();
    let answer = json!({ "containerInstances": answers, "failures": [] });
    let request = json!({
        "cluster": "prod-web", "containerInstances": instances, "status": "DRAINING",
    });
    call(actor, "UpdateContainerInstancesState", request, answer)
}

/// DeregisterContainerInstance.
pub(super) fn deregister(actor: &str, instance: &str) -> Event {
    let answer = json!({ "containerInstance": instance_answer(instance, "INACTIVE") });
    let request = json!({ "cluster": "prod-web", "containerInstance": instance });
    call(actor, "DeregisterContainerInstance", request, answer)
}

fn instance_answer(instance: &str, status: &str) -> Value {
    json!({
        "containerInstanceArn": arn("container-instance", &format!("prod-web/{instance}")),
        "ec2InstanceId": "i-0ba4faab662936203",
        "status": status,
    })
}

/// The same call, made by CloudFormation for a person.
pub(super) fn by_template(event: Event) -> Event {
    let Event(mut value) = event;
    value["detail"]["userIdentity"]["invokedBy"] = json!("cloudformation.amazonaws.com");
    Event(value)
}
