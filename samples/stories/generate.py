"""Writes the stories: `*.json` beside this file, each a realistic hour of events, one event a line.

    python3 samples/stories/generate.py

The output is the same each time. `README.md` says what happens in each story.
"""

from collections import deque
from dataclasses import replace
from pathlib import Path

from ecs_events import (
    BY_PERSON,
    ZONES,
    Actor,
    Rollout,
    Story,
    Workload,
    agent,
    arn,
    aws_service,
    call,
    completed,
    deployment,
    exit_by_itself,
    fail_to_start,
    hook,
    in_progress,
    instance,
    instance_in_answer,
    leave,
    new_instance,
    new_task,
    person,
    register_task_definition,
    run_task,
    running_task,
    scaling,
    service_action,
    start,
    start_new,
    steady,
    stop_task,
    tasks_stopped,
    update_service,
)
from other_events import TARGET_TRACKING, alarm, retirement, scaled_to_max

MINUTE = 60
DAY = 24 * 60 * MINUTE

MAYA = person("maya.lindqvist", "203.0.113.63")
NOOR = person("noor.haddad", "203.0.113.118")
JONAS = person("jonas.berg", "198.51.100.37")

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


# Steps that several stories share


def zones(count):
    return [ZONES[index % len(ZONES)] for index in range(count)]


def configuration(rollback=True, maximum=200, **more):
    breaker = {"enable": rollback, "rollback": rollback}
    return {
        "deploymentCircuitBreaker": breaker,
        "maximumPercent": maximum,
        "minimumHealthyPercent": 100,
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
        **more,
    }


def deploy(story, at, actor, new, old, desired, settings):
    """Somebody registers a revision, deploys it 25 s later, and ECS begins. Returns when ECS starts tasks."""
    register_task_definition(story, at, actor, new)
    at += 25
    rollouts = [Rollout(new, at, 0, False), Rollout(old, -9 * DAY, desired, True)]
    update_service(story, at, actor, {"taskDefinition": new.definition}, desired, settings, rollouts)
    in_progress(story, at + 2.4, new)
    return at + 6


def start_together(story, workload, at, in_zones):
    return [start_new(story, workload, at + story.between(0, 1.5), zone) for zone in in_zones]


def all_run(tasks):
    return max(it.started for it in tasks)


def stop_together(story, tasks, at):
    """The service scheduler stops tasks. Returns when the containers of the last one get SIGTERM."""
    workload = tasks[0].workload
    asked = max(leave(story, it, at + story.between(0, 1.2), scaling(workload))[0] for it in tasks)
    tasks_stopped(story, asked + 0.1, workload, tasks)
    return asked


def settle(story, at, workload):
    """The end of a deployment. ECS does not wait until the last old task is STOPPED."""
    completed(story, at, workload)
    steady(story, at + 0.6, workload)


# Stories


def rolling_deployment():
    story = Story("rolling-deployment", "2026-11-12T09:59:35")
    old = Workload("prod-web", "checkout", 57, "1.4.2", started_by=story.deployment_id())
    new = replace(old, revision=58, tag="1.4.3", started_by=story.deployment_id())
    old_tasks = [running_task(story, old, zone) for zone in zones(20)]
    at = deploy(story, 0, MAYA, new, old, 20, configuration(maximum=125))
    for batch in range(0, 20, 5):
        leaving = old_tasks[batch : batch + 5]
        arriving = start_together(story, new, at, [it.zone for it in leaving])
        healthy = all_run(arriving) + story.between(24, 30)
        asked = stop_together(story, leaving, healthy)
        at = asked + story.between(15, 20)
    settle(story, asked + 10, new)
    return story


def crash_loop():
    """Whichever task takes a certain message from the queue runs out of memory, and the message returns."""
    story = Story("crash-loop", "2026-11-13T14:20:00")
    mailer = Workload("prod-web", "mailer", 41, "7c1e90d", story.deployment_id(), has_load_balancer=False)
    tasks = deque(running_task(story, mailer, zone) for zone in ZONES)
    at = 12
    while at < 60 * MINUTE:
        victim = tasks.popleft()
        exit_by_itself(story, victim, at, 137, OUT_OF_MEMORY)
        tasks.append(start_new(story, mailer, at + story.between(2, 4), victim.zone))
        at += story.between(28, 37)
    service_action(story, 11 * MINUTE, mailer, "SERVICE_TASK_START_IMPAIRED", "WARN")
    steady(story, tasks[-1].started + 14, mailer)
    return story


def bad_image_rolled_back():
    story = Story("bad-image-rolled-back", "2026-11-16T15:29:36")
    old = Workload("prod-web", "web", 204, "1.31.4", started_by=story.deployment_id())
    new = replace(old, revision=205, tag="1.32.0", started_by=story.deployment_id())
    at = deploy(story, 0, JONAS, new, old, 10, configuration(maximum=120))
    reason = (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
        f"failed to resolve ref {new.image}: {new.image}: not found"
    )
    for pause in (45, 140, 0):
        both = enumerate(ZONES[1:])
        ends = [fail_to_start(story, new, at + 0.4 * n, zone, reason, story.between(26, 33)) for n, zone in both]
        at = max(ends) + pause
    at += 18
    deployment(story, at, new, "FAILED", "ECS deployment circuit breaker: tasks failed to start.", "ERROR")
    back = f"ECS deployment circuit breaker: rolling back to deploymentId {old.started_by}."
    deployment(story, at + 1, old, "IN_PROGRESS", back)
    settle(story, at + 48, old)
    return story


# name, revision, tag, tasks in the zone, minutes until it has recovered, what keeps it from recovering
SERVICES_IN_ZONE = [
    ("web", 204, "1.31.4", 8, 25.5, "image"),
    ("checkout", 58, "1.4.3", 6, 31.2, "secret"),
    ("search", 112, "1.48.0", 5, 27.1, "image"),
    ("payments", 48, "3.9.0", 5, 39.4, "image"),
    ("inventory", 23, "2.2.7", 4, 26.3, "capacity"),
    ("sessions", 17, "0.18.2", 4, 29.8, "secret"),
    ("catalog", 91, "5.0.1", 4, 33.6, "capacity"),
    ("mailer", 41, "7c1e90d", 3, 30.4, "image"),
    ("accounts", 66, "1.12.0", 3, 36.7, "secret"),
    ("reports", 12, "5.2.1", 2, 28.2, "capacity"),
    ("gateway", 75, "4.4.0", 2, 34.9, "capacity"),
    ("thumbnails", 9, "1.0.6", 2, 38.1, "capacity"),
]
OUTAGE_ZONE, *OTHER_ZONES = ZONES
OUTAGE = 2 * MINUTE


def zone_outage():
    story = Story("zone-outage", "2026-11-17T10:00:00")
    for name, revision, tag, count, recovered, trouble in SERVICES_IN_ZONE:
        service = Workload(
            "prod-web",
            name,
            revision,
            tag,
            started_by=story.deployment_id(),
            has_load_balancer=name != "mailer",
        )
        lost = [lose_task(story, service) for _ in range(count)]
        replace_all_but_one(story, service, lost[:-1])
        keep_failing(story, service, lost[-1], trouble, OUTAGE + recovered * MINUTE)
    return story


def lose_task(story, service):
    """A task fails its health checks. Returns when the service may replace it."""
    it = running_task(story, service, OUTAGE_ZONE)
    at = OUTAGE + story.between(4, 100)
    kind = f"ELB health checks in (target-group {service.target_group_arn})"
    reason = f"Task failed {kind if service.has_load_balancer else 'container health checks'}"
    # Most containers do not react to SIGTERM any more.
    is_killed = story.between(0, 1) < 0.7
    exit_code, exits_after = (137, 30) if is_killed else (143, story.between(2, 9))
    leave(story, it, at, reason, exit_code=exit_code, exits_after=exits_after)
    return at + story.between(3, 8)


def replace_all_but_one(story, service, times):
    for number, at in enumerate(times):
        if number % 5 == 3:
            at = fail_in_zone(story, service, at, story.pick(["image", "secret"])) + story.between(2, 6)
        start_new(story, service, at, story.pick(OTHER_ZONES))


def fail_in_zone(story, service, at, trouble):
    unreachable = {
        "image": "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref "
        f"{service.image}: failed to do request: dial tcp 10.32.9.4:443: i/o timeout",
        "secret": "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
        "failed: unable to retrieve secrets from ssm: service call has been retried 5 time(s): RequestCanceled: "
        "request context canceled caused by: context deadline exceeded",
    }
    return fail_to_start(story, service, at, OUTAGE_ZONE, unreachable[trouble], story.between(100, 160))


def keep_failing(story, service, at, trouble, recovered):
    """The last task of a service cannot be replaced at first. The scheduler waits longer after each attempt."""
    first_task = recovered - 55
    for attempt, pause in enumerate((20, 90, 240, 480, 600)):
        if at > first_task - 90:
            break
        if trouble == "capacity" and attempt >= 2:
            providers = [arn("capacity-provider", "FARGATE")]
            more = {"capacityProviderArns": providers, "reason": "RESOURCE:FARGATE"}
            service_action(story, at, service, "SERVICE_TASK_PLACEMENT_FAILURE", "ERROR", **more)
        else:
            at = fail_in_zone(story, service, at, "image" if trouble == "capacity" else trouble)
        at += pause * story.between(0.9, 1.1)
    it = start_new(story, service, first_task, story.pick(OTHER_ZONES))
    steady(story, it.started + story.between(12, 22), service)


def scheduled_night():
    """A schedule of EventBridge starts ten tasks every three minutes."""
    story = Story("scheduled-night", "2026-11-18T01:00:00")
    report = Workload(
        "batch",
        "report-nightly",
        18,
        "5.2.1",
        started_by="chronos-schedule/report-nightly",
        is_service=False,
        has_load_balancer=False,
        launch_type="EC2",
        repository="reports",
    )
    hosts = [new_instance(story, "batch", zone, -8 * DAY) for zone in zones(6)]
    failing = {(2, 4), (7, 1), (12, 7)}
    for launch in range(20):
        at = launch * 3 * MINUTE + 1
        scheduler = aws_service("scheduler.amazonaws.com", "scheduler-run-reports", story.hex(16))
        placed = [story.pick(hosts) for _ in range(10)]
        tasks = [new_task(story, report, at + 0.2 + 0.05 * n, host.zone, host) for n, host in enumerate(placed)]
        run_task(story, at, scheduler, tasks)
        for number, it in enumerate(tasks):
            runs = start(story, it)
            exit_by_itself(story, it, runs + story.between(40, 115), 1 if (launch, number) in failing else 0)
    return story


def hosts_replaced():
    """EC2 Auto Scaling replaces the instances of a cluster. Each has four tasks of two services."""
    story = Story("hosts-replaced", "2026-11-18T09:00:00")
    services = on_instances(story)
    old_instances = [new_instance(story, "prod-web", zone, -30 * DAY) for zone in zones(20)]
    for number, old in enumerate(old_instances):
        old.version = 300 + 7 * number
        tasks = [running_task(story, service, old.zone, old) for service in services]
        at = number * 174 + story.between(0, 6)
        new = register_instance(story, old.zone, at)
        replace_instance(story, old, new, tasks, at + 25)
    return story


def on_instances(story):
    mailer = Workload(
        "prod-web",
        "mailer",
        41,
        "7c1e90d",
        started_by=story.deployment_id(),
        has_load_balancer=False,
        launch_type="EC2",
    )
    thumbnails = replace(mailer, name="thumbnails", revision=9, tag="1.0.6", started_by=story.deployment_id())
    return [mailer, mailer, thumbnails, thumbnails]


def register_instance(story, zone, at):
    new = new_instance(story, "prod-web", zone, at)
    registering = agent(new, f"198.51.100.{int(story.between(10, 250))}")
    request = {"cluster": "prod-web", "versionInfo": {"agentVersion": "1.99.1"}}
    answer = {"containerInstance": instance_in_answer(story, new, "ACTIVE", 0)}
    call(story, at, "RegisterContainerInstance", registering, request, answer)
    instance(story, at + 2.1, new)
    return new


def replace_instance(story, old, new, tasks, at):
    """The old instance is set to DRAINING, its tasks start on the new one and stop on the old one, and it is gone."""
    host = "ecs.amazonaws.com"
    ecs = aws_service(host, "AWSServiceRoleForECS", "ECSManagedDraining", f"aws-service-role/{host}/")
    instance(story, at + 0.4, old, "DRAINING", running=4)
    request = {"cluster": "prod-web", "containerInstances": [old.id], "status": "DRAINING"}
    answer = {"containerInstances": [instance_in_answer(story, old, "DRAINING", 4)], "failures": []}
    call(story, at, "UpdateContainerInstancesState", ecs, request, answer)
    arriving = [start_new(story, it.workload, at + 4 + 0.3 * n, new.zone, new) for n, it in enumerate(tasks)]
    instance(story, at + 6, new, running=4)
    gone = leave_instance(story, old, tasks, all_run(arriving) + 16)
    instance(story, gone + 11, old, "DRAINING", connected=False)
    request = {"cluster": "prod-web", "containerInstance": old.arn, "force": True}
    answer = {"containerInstance": instance_in_answer(story, old, "INACTIVE", 0)}
    call(story, gone + 12, "DeregisterContainerInstance", ecs, request, answer)
    instance(story, gone + 13, old, "INACTIVE", connected=False)


def leave_instance(story, old, tasks, at):
    """Returns when the last task is STOPPED."""
    ends = []
    for service in dict.fromkeys(it.workload for it in tasks):
        leaving = [it for it in tasks if it.workload == service]
        reason = f"Service {service.name}: task stopped because its container instance {old.ec2_id} is draining"
        stops = [leave(story, it, at + story.between(0, 2), reason) for it in leaving]
        asked = max(asked for asked, _ in stops)
        tasks_stopped(story, asked + 0.1, service, leaving)
        steady(story, asked + 9, service)
        ends += [end for _, end in stops]
    last = max(ends)
    instance(story, last + 0.4, old, "DRAINING")
    return last


def rebalancing_and_autoscaling():
    story = Story("rebalancing-and-autoscaling", "2026-11-19T11:00:00")
    checkout = Workload("prod-web", "checkout", 58, "1.4.3", started_by=story.deployment_id())
    a, b, c = ZONES
    tasks = [running_task(story, checkout, zone) for zone in (a, a, a, a, a, b, b, c, c)]
    tasks = rebalance(story, checkout, tasks)
    autoscale(story, 15 * MINUTE, checkout, tasks, 15)
    arriving = start_together(story, checkout, 15 * MINUTE + 6, zones(6))
    steady(story, all_run(arriving) + 16, checkout)
    at = 75 * MINUTE
    autoscale(story, at, checkout, tasks + arriving, 9)
    steady(story, stop_together(story, arriving, at + 7) + 10, checkout)
    return story


def rebalance(story, service, tasks):
    """Two of the five tasks in the first zone move to the other zones. Returns the nine tasks after that."""

    def action(at, name, text, **more):
        service_action(story, at, service, name, reason=f"(service {service.name}) {text}", **more)

    def in_zones():
        counts = [f"{sum(it.zone == zone for it in tasks)} tasks in {zone}" for zone in ZONES]
        return ", ".join(counts) + "."

    action(10, "SERVICE_REBALANCING_STARTED", f"is not AZ balanced with {in_zones()} AZ Rebalancing in progress.")
    at = 15
    reason = f"Availability-zone rebalancing initiated by (deployment {service.started_by})"
    for zone in OTHER_ZONES:
        leaving, arriving = tasks[0], start_new(story, service, at, zone)
        text = f"has started 1 tasks in {zone} to AZ Rebalance: (task {arriving.id})."
        action(at + 0.1, "TASKS_STARTED", text, taskArns=[arriving.arn])
        asked, _ = leave(story, leaving, arriving.started + 20, reason)
        text = f"has stopped 1 running tasks in {leaving.zone} due to AZ rebalancing: (task {leaving.id})."
        action(asked + 0.1, "TASKS_STOPPED", text, taskArns=[leaving.arn])
        tasks = [*tasks[1:], arriving]
        at = asked + 15
    action(at, "SERVICE_REBALANCING_COMPLETED", f"is AZ balanced with {in_zones()}")
    steady(story, at + 0.5, service)
    return tasks


def autoscale(story, at, service, tasks, desired):
    role = "AWSServiceRoleForApplicationAutoScaling_ECSService"
    host = "ecs.application-autoscaling.amazonaws.com"
    actor = aws_service(host, role, "AutoScaling-UpdateDesiredCapacity", f"aws-service-role/{host}/")
    rollouts = [Rollout(service, -6 * DAY, len(tasks), True)]
    update_service(story, at, actor, {"desiredCount": desired}, desired, configuration(), rollouts)
    service_action(story, at + 3.2, service, "SERVICE_DESIRED_COUNT_UPDATED", desiredCount=desired)


def one_off_task():
    story = Story("one-off-task", "2026-11-10T16:40:12")
    migration = Workload(
        "prod-web",
        "migrate",
        9,
        "1.4.2",
        is_service=False,
        has_load_balancer=False,
        repository="checkout",
        command=("bin/rails", "db:migrate"),
    )
    it = new_task(story, migration, 0.4, ZONES[1])
    run_task(story, 0, MAYA, [it])
    exit_by_itself(story, it, start(story, it) + 4 * MINUTE, 0)
    return story


def denied_tool():
    """A job of the build server tries again every minute."""
    story = Story("denied-tool", "2026-11-11T08:00:07")
    build = Actor(
        role="ci-deploy",
        session="deploy-payments-18452088410",
        address="198.51.100.90",
        user_agent="aws-sdk-js/3.917.0 ua/2.1 os/linux#6.11.0-1018 lang/js md/nodejs#20.19.5 api/ecs#3.917.0",
    )
    message = (
        f"User: {build.arn} is not authorized to perform: ecs:UpdateService on resource: "
        f"{arn('service', 'prod-web', 'payments')} because no identity-based policy allows the "
        "ecs:UpdateService action"
    )
    for minute in range(60):
        at = minute * MINUTE + story.between(0, 2)
        call(story, at, "UpdateService", build, None, None, error=("AccessDenied", message))
    return story


def tasks_stopped_by_hand():
    story = Story("tasks-stopped-by-hand", "2026-11-19T13:05:00")
    mailer = Workload("prod-web", "mailer", 41, "7c1e90d", story.deployment_id(), has_load_balancer=False)
    reason = "Restart with the new SMTP password (noor)"
    for number, zone in enumerate(zones(12)):
        at = 20 * number + story.between(0, 4)
        it = running_task(story, mailer, zone)
        stop_task(story, at, NOOR, it, reason)
        leave(story, it, at + 0.5, reason, BY_PERSON)
        arriving = start_new(story, mailer, at + story.between(4, 8), zone)
    steady(story, arriving.started + 15, mailer)
    return story


def hook_waits():
    """A blue/green deployment that waits for a person after the shift of the test traffic."""
    story = Story("hook-waits", "2026-11-20T13:59:35")
    blue = Workload("prod-web", "checkout", 58, "1.4.3", started_by=story.deployment_id())
    green = replace(blue, revision=59, tag="1.5.0", started_by=story.deployment_id())
    blue_tasks = [running_task(story, blue, zone) for zone in zones(6)]
    pause = {"hookTargetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"], "timeoutInMinutes": 30}
    settings = configuration(strategy="BLUE_GREEN", bakeTimeInMinutes=5, lifecycleHooks=[pause])
    at = deploy(story, 0, MAYA, green, blue, 6, settings)
    at = all_run(start_together(story, green, at, zones(6))) + 75
    at = wait_for_maya(story, at, green) + 40 + 5 * MINUTE
    settle(story, stop_together(story, blue_tasks, at) + 10, green)
    return story


def wait_for_maya(story, at, green):
    service_deployment = arn("service-deployment", "prod-web", "checkout", "Vt5kQm2XrZ8sLc1dNwPyB")
    hook_id = "ecs-pause-Rk3vT8yLq0ZbXc6nWm1sJd4hGf9pUe2aQx7iYoM5tKw"
    expires = at + 30 * MINUTE
    hook(story, at, "HOOK_IN_PROGRESS", green, service_deployment, hook_id, expires)
    hook(story, at + 1.1, "HOOK_AWAITING_ACTION", green, service_deployment, hook_id, expires)
    at += 14 * MINUTE + 1.2
    request = {"serviceDeploymentArn": service_deployment, "hookId": hook_id, "action": "CONTINUE"}
    call(story, at, "ContinueServiceDeployment", MAYA, request, {"serviceDeploymentArn": service_deployment})
    hook(story, at + 1.3, "HOOK_SUCCEEDED", green, service_deployment, hook_id, expires)
    return at


def crash_after_deployment():
    story = Story("crash-after-deployment", "2026-11-20T17:10:05")
    old = Workload("prod-web", "search", 30, "1.48.0", started_by=story.deployment_id())
    bad = replace(old, revision=31, tag="1.49.0", started_by=story.deployment_id())
    settings = configuration(rollback=False)
    at = deploy(story, 0, MAYA, bad, old, 4, settings)
    crash_with_back_off(story, bad, at)
    service_action(story, at + 6 * MINUTE, bad, "SERVICE_TASK_START_IMPAIRED", "WARN")
    at += 13 * MINUTE
    again = replace(old, started_by=story.deployment_id())
    rollouts = [Rollout(again, at, 0, False), Rollout(bad, 25, 0, False), Rollout(old, -9 * DAY, 4, True)]
    update_service(story, at, MAYA, {"taskDefinition": again.definition}, 4, settings, rollouts)
    in_progress(story, at + 2, again)
    arriving = start_together(story, again, at + 6, zones(4))
    old_tasks = [running_task(story, old, zone) for zone in zones(4)]
    settle(story, stop_together(story, old_tasks, all_run(arriving) + 20) + 10, again)
    return story


def crash_with_back_off(story, bad, at):
    """The first task is STOPPED 55 s after the deployment began, the last about 12 minutes after it."""
    for number, zone in enumerate(zones(4)):
        created = at + 0.3 * number
        for pause in (10, 45, 140, 235, 0):
            it = start_new(story, bad, created, zone)
            exits = it.started + story.between(11, 15)
            created = exit_by_itself(story, it, exits, 1) + pause * story.between(0.9, 1.1)


def overload():
    """A campaign brings more customers than the service may have tasks for."""
    story = Story("overload", "2026-11-17T19:00:00")
    checkout = Workload("prod-web", "checkout", 62, "a41c7f2", story.deployment_id(), has_load_balancer=True)
    tasks = [running_task(story, checkout, zone) for zone in zones(6)]
    tracking = f"TargetTracking-service/prod-web/checkout-AlarmHigh-{story.uuid()}"
    alarm(story, 4 * MINUTE, tracking, "ALARM", checkout, "CPUUtilization", 81.4, 70.0, TARGET_TRACKING)
    autoscale(story, 4 * MINUTE + 20, checkout, tasks, 8)
    tasks += start_together(story, checkout, 4 * MINUTE + 25, zones(2))
    autoscale(story, 8 * MINUTE, checkout, tasks, 10)
    tasks += start_together(story, checkout, 8 * MINUTE + 5, zones(2))
    scaled_to_max(story, 8 * MINUTE, checkout, 8, 10)
    memory = "The memory of checkout is nearly full"
    alarm(story, 13 * MINUTE, "checkout-memory", "ALARM", checkout, "MemoryUtilization", 94.2, 90.0, memory)
    for number, victim in enumerate(tasks[:3]):
        at = 15 * MINUTE + 70 * number
        exit_by_itself(story, victim, at, 137, OUT_OF_MEMORY)
        start_new(story, checkout, at + 4, victim.zone)
    alarm(story, 26 * MINUTE, "checkout-memory", "OK", checkout, "MemoryUtilization", 71.3, 90.0, memory)
    steady(story, 28 * MINUTE, checkout)
    alarm(story, 34 * MINUTE, tracking, "OK", checkout, "CPUUtilization", 55.8, 70.0, TARGET_TRACKING)
    return story


def task_retirement():
    """AWS retires tasks in a week. jonas replaces one service at once; a day before, the rest is still there."""
    story = Story("task-retirement", "2026-11-18T09:00:00")
    week = 7 * DAY
    retirement(story, 60, "5f0c1", ["prod-web|checkout", "prod-web|mailer", "prod-batch|invoices"], week)
    tasks = [arn("task", "prod-batch", story.hex()) for _ in range(2)]
    retirement(story, 75, "8a3e7", tasks, week)
    checkout = Workload("prod-web", "checkout", 62, "a41c7f2", story.deployment_id(), has_load_balancer=True)
    again = replace(checkout, started_by=story.deployment_id())
    rollouts = [Rollout(again, 3_600, 0, False), Rollout(checkout, -6 * DAY, 2, True)]
    request = {"forceNewDeployment": True}
    update_service(story, 3_600, JONAS, request, 2, configuration(), rollouts)
    in_progress(story, 3_602, again)
    old = [running_task(story, checkout, zone) for zone in zones(2)]
    arriving = start_together(story, again, 3_606, zones(2))
    settle(story, stop_together(story, old, all_run(arriving) + 20) + 10, again)
    retirement(story, week + DAY, "5f0c1", ["prod-web|mailer"], week, "closed")
    return story


STORIES = [
    rolling_deployment,
    crash_loop,
    bad_image_rolled_back,
    zone_outage,
    scheduled_night,
    hosts_replaced,
    rebalancing_and_autoscaling,
    one_off_task,
    denied_tool,
    tasks_stopped_by_hand,
    hook_waits,
    crash_after_deployment,
    overload,
    task_retirement,
]


def main():
    folder = Path(__file__).parent
    for make in STORIES:
        story = make()
        lines = story.lines()
        (folder / f"{story.name}.json").write_text("\n".join(lines) + "\n")
        print(f"{story.name}: {len(lines)} events")


if __name__ == "__main__":
    main()
