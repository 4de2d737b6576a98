"""The events that Amazon ECS and CloudTrail send to EventBridge, for `generate.py`.

They have the fields that ecs-parrot reads and most of those that ECS always sends. Attachments, the ARNs of containers
and the like are left out: the files would be twice as large.

Times are seconds after the beginning of a story. Nothing depends on the clock: ids and small differences in time follow
from the story's name.
"""

import hashlib
import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

ACCOUNT = "210987654321"
REGION = "eu-west-1"
ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")

# stopCode
BY_SCHEDULER = "ServiceSchedulerInitiated"
BY_PERSON = "UserInitiated"

# How long the load balancer lets a task finish its requests.
DRAIN_SECONDS = 40


class Story:
    """Collects the events of one story."""

    def __init__(self, name, begins):
        self.name = name
        self._begins = datetime.fromisoformat(begins)
        self._random = random.Random(name)
        self._ids = 0
        self._events = []

    # Of `random.Random`, only `random()` gives the same numbers in each version of Python.
    def between(self, low, high):
        return low + (high - low) * self._random.random()

    def pick(self, choices):
        return choices[int(self.between(0, len(choices)))]

    def hex(self, digits=32):
        self._ids += 1
        return hashlib.sha256(f"{self.name} {self._ids}".encode()).hexdigest()[:digits]

    def uuid(self):
        it = self.hex()
        return "-".join((it[:8], it[8:12], it[12:16], it[16:20], it[20:]))

    def deployment_id(self):
        return f"ecs-svc/{int(self.hex(15), 16)}"

    def moment(self, at):
        return self._begins + timedelta(seconds=at)

    def iso(self, at):
        moment = self.moment(at)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"

    def second(self, at):
        return f"{self.moment(at):%Y-%m-%dT%H:%M:%SZ}"

    def cloudtrail_date(self, at):
        it = self.moment(at)
        return f"{it:%b} {it.day}, {it.year}, {it.hour % 12 or 12}:{it:%M:%S %p}"

    def record(self, at, detail_type, resources, detail, source="aws.ecs"):
        event = {
            "version": "0",
            "id": self.uuid(),
            "detail-type": detail_type,
            "source": source,
            "account": ACCOUNT,
            "time": self.second(at),
            "region": REGION,
            "resources": resources,
            "detail": detail,
        }
        self._events.append((at, event))

    def lines(self):
        in_order = sorted(self._events, key=lambda it: it[0])
        return [json.dumps(event, separators=(",", ":")) for _, event in in_order]


def arn(kind, *path):
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:{kind}/{'/'.join(path)}"


# Tasks


@dataclass(frozen=True)
class Workload:
    """What tasks are made from: a deployment of a service, or a task definition that is run outside services."""

    cluster: str
    name: str
    revision: int
    tag: str
    started_by: str | None = None
    is_service: bool = True
    has_load_balancer: bool = True
    launch_type: str = "FARGATE"
    repository: str | None = None
    cpu: str = "512"
    memory: str = "1024"
    command: tuple = ()

    @property
    def definition(self):
        return f"{self.name}:{self.revision}"

    @property
    def definition_arn(self):
        return arn("task-definition", self.definition)

    @property
    def service_arn(self):
        return arn("service", self.cluster, self.name)

    @property
    def image(self):
        return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{self.repository or self.name}:{self.tag}"

    @property
    def group(self):
        return f"service:{self.name}" if self.is_service else f"family:{self.name}"

    @property
    def target_group_arn(self):
        digits = hashlib.sha256(self.name.encode()).hexdigest()[:16]
        return f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/{self.name}/{digits}"

    @property
    def overrides(self):
        command = {"command": list(self.command)} if self.command else {}
        return {"containerOverrides": [{**command, "name": self.name}]}


@dataclass
class Task:
    workload: Workload
    id: str
    zone: str
    created: float
    host: "Instance | None" = None
    version: int = 0
    started: float | None = None
    container_status: str = "PENDING"
    # exitCode and reason of the container, once it has stopped.
    container_end: dict = field(default_factory=dict)
    # stopCode, stoppedReason and stoppedAt.
    stop: dict = field(default_factory=dict)

    @property
    def arn(self):
        return arn("task", self.workload.cluster, self.id)

    def containers(self):
        container = {
            "lastStatus": self.container_status,
            "name": self.workload.name,
            "image": self.workload.image,
        }
        return [{**container, **self.container_end}]


def new_task(story, workload, at, zone, host=None):
    return Task(workload, story.hex(), zone, at, host)


def running_task(story, workload, zone, host=None):
    """A task that was started long before the story begins."""
    task = new_task(story, workload, -story.between(20_000, 400_000), zone, host)
    task.started = task.created + 31
    task.version = 4 if workload.has_load_balancer else 3
    task.container_status = "RUNNING"
    return task


def task(story, at, it, status):
    """A Task State Change."""
    it.version += 1
    workload = it.workload
    optional = {
        "containerInstanceArn": it.host and it.host.arn,
        "startedAt": it.started and story.iso(it.started),
        "startedBy": workload.started_by,
    }
    detail = {
        "availabilityZone": it.zone,
        "clusterArn": arn("cluster", workload.cluster),
        "containers": it.containers(),
        "cpu": workload.cpu,
        "createdAt": story.iso(it.created),
        "desiredStatus": "STOPPED" if it.stop else "RUNNING",
        "group": workload.group,
        "launchType": workload.launch_type,
        "lastStatus": status,
        "memory": workload.memory,
        "overrides": workload.overrides,
        **{name: value for name, value in optional.items() if value},
        **it.stop,
        "taskArn": it.arn,
        "taskDefinitionArn": workload.definition_arn,
        "updatedAt": story.iso(at),
        "version": it.version,
    }
    story.record(at, "ECS Task State Change", [it.arn], detail)


def start(story, it):
    """The events of a task from its creation until it runs. Returns the time from which it runs."""
    at = it.created
    if it.host is None:
        task(story, at, it, "PROVISIONING")
        at += story.between(7, 11)
    task(story, at, it, "PENDING")
    runs = at + (story.between(4, 9) if it.host else story.between(14, 22))
    if it.workload.has_load_balancer:
        task(story, (at + runs) / 2, it, "ACTIVATING")
    it.started, it.container_status = runs, "RUNNING"
    task(story, runs, it, "RUNNING")
    return runs


def start_new(story, workload, at, zone, host=None):
    it = new_task(story, workload, at, zone, host)
    start(story, it)
    return it


def fail_to_start(story, workload, at, zone, reason, after):
    """A task that ECS gives up after `after` seconds, before a container ran. Returns the time of STOPPED."""
    it = new_task(story, workload, at, zone)
    task(story, at, it, "PROVISIONING")
    task(story, at + story.between(7, 11), it, "PENDING")
    it.stop = {"stopCode": "TaskFailedToStart", "stoppedReason": reason}
    it.container_status = "STOPPED"
    return _end(story, it, at + after)


def leave(story, it, at, reason, code=BY_SCHEDULER, exit_code=143, exits_after=None):
    """A task that is asked to stop. Returns when its containers get SIGTERM, and when it is STOPPED."""
    it.stop = {"stopCode": code, "stoppedReason": reason}
    task(story, at, it, "DEACTIVATING" if it.workload.has_load_balancer else "STOPPING")
    if it.workload.has_load_balancer:
        at += DRAIN_SECONDS + story.between(0, 4)
    it.container_status, it.container_end = "STOPPED", {"exitCode": exit_code}
    return at, _end(story, it, at + (exits_after or story.between(1, 9)))


def exit_by_itself(story, it, at, exit_code, container_reason=None):
    """A task whose container ends without being asked to. Returns the time of STOPPED."""
    it.stop = {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"}
    reason = {"reason": container_reason} if container_reason else {}
    it.container_status, it.container_end = "STOPPED", {"exitCode": exit_code, **reason}
    if it.workload.has_load_balancer:
        task(story, at, it, "DEACTIVATING")
        at += story.between(2, 4)
    return _end(story, it, at)


def _end(story, it, at):
    """On Fargate the network interface of the task is removed at the end."""
    if it.host is None:
        task(story, at, it, "DEPROVISIONING")
        at += story.between(9, 15)
    it.stop["stoppedAt"] = story.iso(at)
    task(story, at, it, "STOPPED")
    return at


# Services


def service_action(story, at, workload, name, event_type="INFO", **more):
    detail = {
        "eventType": event_type,
        "eventName": name,
        "clusterArn": arn("cluster", workload.cluster),
        **more,
        "createdAt": story.iso(at),
    }
    story.record(at, "ECS Service Action", [workload.service_arn], detail)


def steady(story, at, workload):
    service_action(story, at, workload, "SERVICE_STEADY_STATE")


def tasks_stopped(story, at, workload, tasks):
    listed = " ".join(f"(task {it.id})" for it in tasks)
    reason = f"(service {workload.name}) has stopped {len(tasks)} running tasks: {listed}."
    service_action(story, at, workload, "TASKS_STOPPED", reason=reason, taskArns=[it.arn for it in tasks])


def scaling(workload):
    """Why a task of this deployment is stopped. ECS names the deployment that the task belongs to."""
    return f"Scaling activity initiated by (deployment {workload.started_by})"


def deployment(story, at, workload, name, reason, event_type="INFO"):
    """A Deployment State Change."""
    detail = {
        "eventType": event_type,
        "eventName": f"SERVICE_DEPLOYMENT_{name}",
        "clusterArn": arn("cluster", workload.cluster),
        "deploymentId": workload.started_by,
        "updatedAt": story.iso(at),
        "reason": reason,
    }
    story.record(at, "ECS Deployment State Change", [workload.service_arn], detail)


def in_progress(story, at, workload):
    deployment(story, at, workload, "IN_PROGRESS", f"ECS deployment {workload.started_by} in progress.")


def completed(story, at, workload):
    deployment(story, at, workload, "COMPLETED", f"ECS deployment {workload.started_by} completed.")


def hook(story, at, name, workload, service_deployment_arn, hook_id, expires_at):
    """A Hook State Change of a pause hook."""
    detail = {
        "eventType": "INFO",
        "eventName": name,
        "hookId": hook_id,
        "hookType": "PAUSE",
        "expiresAt": story.second(expires_at),
        "lifecycleStage": "POST_TEST_TRAFFIC_SHIFT",
        "clusterArn": arn("cluster", workload.cluster),
        "serviceArn": workload.service_arn,
        "serviceDeploymentArn": service_deployment_arn,
        "updatedAt": story.iso(at),
    }
    story.record(at, "ECS Hook State Change", [service_deployment_arn], detail)


# Container instances


@dataclass
class Instance:
    cluster: str
    id: str
    ec2_id: str
    zone: str
    registered: float
    version: int = 0

    @property
    def arn(self):
        return arn("container-instance", self.cluster, self.id)


def new_instance(story, cluster, zone, at):
    return Instance(cluster, story.hex(), "i-0" + story.hex(16), zone, at)


def instance(story, at, it, status="ACTIVE", connected=True, running=0):
    """A Container Instance State Change. `running` is the number of its tasks."""
    it.version += 1
    detail = {
        "agentConnected": connected,
        "attributes": [{"name": "ecs.availability-zone", "value": it.zone}],
        "capacityProviderName": f"{it.cluster}-asg",
        "clusterArn": arn("cluster", it.cluster),
        "containerInstanceArn": it.arn,
        "ec2InstanceId": it.ec2_id,
        "registeredAt": story.iso(it.registered),
        "registeredResources": _resources(running=0),
        "remainingResources": _resources(running),
        "status": status,
        "version": it.version,
        "versionInfo": VERSIONS,
        "updatedAt": story.iso(at),
    }
    story.record(at, "ECS Container Instance State Change", [it.arn], detail)


VERSIONS = {"agentVersion": "1.99.1", "agentHash": "8c41f0de", "dockerVersion": "DockerVersion: 25.0.13"}


def _resources(running):
    return [
        {"name": "CPU", "type": "INTEGER", "integerValue": 2048 - 256 * running},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": 7633 - 1024 * running},
    ]


# API calls


@dataclass(frozen=True)
class Actor:
    role: str
    session: str
    address: str
    user_agent: str
    role_path: str = ""
    # The AWS service that makes the call by itself.
    invoked_by: str | None = None

    @property
    def arn(self):
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.role}/{self.session}"

    def identity(self):
        digits = hashlib.sha256(self.role.encode()).hexdigest().upper()
        principal = f"AROAEXAMPLE{digits[:10]}"
        issuer = {
            "type": "Role",
            "principalId": principal,
            "arn": f"arn:aws:iam::{ACCOUNT}:role/{self.role_path}{self.role}",
            "accountId": ACCOUNT,
            "userName": self.role,
        }
        return {
            "type": "AssumedRole",
            "principalId": f"{principal}:{self.session}",
            "arn": self.arn,
            "accountId": ACCOUNT,
            "accessKeyId": f"ASIAEXAMPLE{digits[10:19]}",
            "sessionContext": {"sessionIssuer": issuer},
            **({"invokedBy": self.invoked_by} if self.invoked_by else {}),
        }


def person(name, address):
    """Somebody who signed in through IAM Identity Center and uses the AWS CLI."""
    return Actor(
        role="AWSReservedSSO_PowerUserAccess_0123456789abcdef",
        role_path=f"aws-reserved/sso.amazonaws.com/{REGION}/",
        session=f"{name}@example.com",
        address=address,
        user_agent="aws-cli/2.31.4 ua/2.1 os/macos#25.1.0 lang/python#3.13.7 cfg/retry-mode#standard",
    )


def aws_service(host, role, session, role_path=""):
    return Actor(role, session, address=host, user_agent=host, role_path=role_path, invoked_by=host)


def agent(it, address):
    """The ECS agent of a container instance."""
    user_agent = "Amazon ECS Agent - v1.99.1 (*8c41f0de) (+http://aws.amazon.com/ecs/)"
    return Actor(f"{it.cluster}-ecs-instance", it.ec2_id, address, user_agent)


def call(story, at, name, actor, request, response, error=None):
    """An API call from CloudTrail, whose times are whole seconds. `error` is its code and message."""
    detail = {
        "eventVersion": "1.11",
        "userIdentity": actor.identity(),
        "eventTime": story.second(at),
        "eventSource": "ecs.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": actor.address,
        "userAgent": actor.user_agent,
        **(dict(zip(("errorCode", "errorMessage"), error)) if error else {}),
        "requestParameters": request,
        "responseElements": response,
        "eventID": story.uuid(),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
    }
    story.record(int(at), "AWS API Call via CloudTrail", [], detail)


def register_task_definition(story, at, actor, workload):
    container = {
        "name": workload.name,
        "image": workload.image,
        "cpu": 0,
        "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
        "essential": True,
        "environment": "HIDDEN_DUE_TO_SECURITY_REASONS",
    }
    request = {
        "family": workload.name,
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{workload.name}-execution",
        "networkMode": "awsvpc",
        "containerDefinitions": [container],
        "requiresCompatibilities": [workload.launch_type],
        "cpu": workload.cpu,
        "memory": workload.memory,
    }
    definition = {
        **request,
        "taskDefinitionArn": workload.definition_arn,
        "revision": workload.revision,
        "status": "ACTIVE",
        "registeredAt": story.cloudtrail_date(at),
        "registeredBy": actor.arn,
    }
    call(story, at, "RegisterTaskDefinition", actor, request, {"taskDefinition": definition})


@dataclass(frozen=True)
class Rollout:
    """A deployment in the answer of UpdateService."""

    workload: Workload
    created: float
    running: int
    is_done: bool

    def summary(self, story, status, desired):
        deployment_id = self.workload.started_by
        done = ("COMPLETED", f"ECS deployment {deployment_id} completed.")
        state, reason = done if self.is_done else ("IN_PROGRESS", "ECS deployment in progress.")
        return {
            "id": deployment_id,
            "status": status,
            "taskDefinition": self.workload.definition_arn,
            "desiredCount": desired,
            "pendingCount": 0,
            "runningCount": self.running,
            "failedTasks": 0,
            "createdAt": story.cloudtrail_date(self.created),
            "updatedAt": story.cloudtrail_date(self.created),
            "launchType": self.workload.launch_type,
            "rolloutState": state,
            "rolloutStateReason": reason,
        }


def update_service(story, at, actor, request, desired, configuration, rollouts):
    """`rollouts` is the list of the service's deployments after the call, the newest first."""
    primary, *others = rollouts
    workload = primary.workload
    service = {
        "serviceArn": workload.service_arn,
        "serviceName": workload.name,
        "clusterArn": arn("cluster", workload.cluster),
        "status": "ACTIVE",
        "desiredCount": desired,
        "runningCount": sum(it.running for it in rollouts),
        "pendingCount": 0,
        "launchType": workload.launch_type,
        "taskDefinition": workload.definition_arn,
        "deploymentConfiguration": configuration,
        "deployments": [
            primary.summary(story, "PRIMARY", desired),
            *(it.summary(story, "ACTIVE", desired) for it in others),
        ],
        "createdAt": "Feb 3, 2026, 9:14:07 AM",
    }
    request = {"cluster": workload.cluster, "service": workload.name, **request}
    call(story, at, "UpdateService", actor, request, {"service": service})


def _task_in_answer(story, it, status):
    workload = it.workload
    return {
        "taskArn": it.arn,
        "taskDefinitionArn": workload.definition_arn,
        "lastStatus": status,
        "desiredStatus": "RUNNING",
        "createdAt": story.cloudtrail_date(it.created),
        **({"startedBy": workload.started_by} if workload.started_by else {}),
        "group": workload.group,
    }


def run_task(story, at, actor, tasks):
    workload = tasks[0].workload
    request = {
        "cluster": workload.cluster,
        "taskDefinition": workload.definition,
        "count": len(tasks),
        "launchType": workload.launch_type,
        **({"startedBy": workload.started_by} if workload.started_by else {}),
        **({"overrides": workload.overrides} if workload.command else {}),
    }
    launched = [_task_in_answer(story, it, "PROVISIONING") for it in tasks]
    call(story, at, "RunTask", actor, request, {"tasks": launched, "failures": []})


def stop_task(story, at, actor, it, reason):
    request = {"cluster": it.workload.cluster, "task": it.id, "reason": reason}
    stopping = {"desiredStatus": "STOPPED", "stopCode": BY_PERSON, "stoppedReason": reason}
    answer = {"task": {**_task_in_answer(story, it, "RUNNING"), **stopping}}
    call(story, at, "StopTask", actor, request, answer)


def instance_in_answer(story, it, status, running):
    return {
        "containerInstanceArn": it.arn,
        "ec2InstanceId": it.ec2_id,
        "version": it.version,
        "versionInfo": VERSIONS,
        "status": status,
        "agentConnected": True,
        "runningTasksCount": running,
        "pendingTasksCount": 0,
        "registeredAt": story.cloudtrail_date(it.registered),
    }
