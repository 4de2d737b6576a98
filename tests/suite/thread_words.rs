//! What a person reads in the messages of threads, in a few events each. The stories show whole hours.

use ecs_parrot::ecs::event::EcsEvent;
use ecs_parrot::notifier::channel::ChannelType;
use ecs_parrot::notifier::thread::UnixTime;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::events;

const REGION: &str = "arn:aws:ecs:eu-west-1:210987654321";

/// The messages of a channel without edits: the headline, and the lines that begin with one of these labels.
fn read(happened: &[Value], labels: &[&str]) -> Vec<String> {
    let batches = happened.iter().map(|event| {
        let at: Timestamp = event["time"].as_str().unwrap().parse().unwrap();
        (UnixTime::of(at), vec![EcsEvent::read(event).unwrap()])
    });
    let lines = events::replay(batches, ChannelType::Terminal);
    let texts = lines.iter().flat_map(|it| {
        let has_label = |line: &&str| labels.iter().any(|label| line.starts_with(label));
        let details = it
            .text
            .lines()
            .map(str::trim)
            .filter(has_label)
            .map(str::to_owned);
        std::iter::once(it.headline.clone()).chain(details)
    });
    texts.collect()
}

/// A time of 12 November 2026, or of the day before or after it.
fn time(at: &str) -> String {
    match at.contains('T') {
        true => format!("2026-11-{at}Z"),
        false => format!("2026-11-12T{at}Z"),
    }
}

fn event(at: &str, detail_type: &str, resource: &str, detail: Value) -> Value {
    json!({
        "version": "0", "id": format!("{at} {detail_type} {detail}"), "detail-type": detail_type,
        "source": "aws.ecs", "account": "210987654321", "region": "eu-west-1",
        "time": time(at), "resources": [resource], "detail": detail,
    })
}

/// A task on an instance that has exited with 1. `id` is one hexadecimal digit.
fn failed(at: &str, id: char, group: &str, started_by: &str) -> Value {
    let family = group.split(':').next_back().unwrap();
    let detail = json!({
        "clusterArn": format!("{REGION}:cluster/prod"),
        "taskArn": format!("{REGION}:task/prod/{}", id.to_string().repeat(32)),
        "taskDefinitionArn": format!("{REGION}:task-definition/{family}:7"),
        "containerInstanceArn": format!("{REGION}:container-instance/prod/{}", "a".repeat(32)),
        "containers": [{ "name": family, "lastStatus": "STOPPED", "exitCode": 1 }],
        "group": group, "launchType": "EC2", "startedBy": started_by,
        "desiredStatus": "STOPPED", "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "startedAt": "2026-11-10T00:00:00Z", "stoppedAt": time(at), "updatedAt": time(at),
    });
    event(at, "ECS Task State Change", "", detail)
}

fn failed_in_service(at: &str, id: char) -> Value {
    failed(at, id, "service:imports", "ecs-svc/1")
}

fn instance(at: &str, status: &str, is_connected: bool) -> Value {
    let arn = format!("{REGION}:container-instance/prod/{}", "a".repeat(32));
    let detail = json!({
        "clusterArn": format!("{REGION}:cluster/prod"), "containerInstanceArn": arn,
        "ec2InstanceId": "i-07276c50e139660f7", "status": status, "updatedAt": time(at),
        "agentConnected": is_connected,
    });
    event(at, "ECS Container Instance State Change", &arn, detail)
}

fn action(at: &str, name: &str, more: Value) -> Value {
    let mut detail = json!({
        "clusterArn": format!("{REGION}:cluster/prod"), "eventName": name, "createdAt": time(at),
        "eventType": if name == "SERVICE_STEADY_STATE" { "INFO" } else { "ERROR" },
    });
    let more = more.as_object().unwrap().clone();
    detail.as_object_mut().unwrap().extend(more);
    let service = format!("{REGION}:service/prod/imports");
    event(at, "ECS Service Action", &service, detail)
}

fn lacks(at: &str, reason: &str) -> Value {
    action(
        at,
        "SERVICE_TASK_PLACEMENT_FAILURE",
        json!({ "reason": reason }),
    )
}

fn call(at: &str, name: &str, request: Value, answer: Value) -> Value {
    let sts = "arn:aws:sts::210987654321:assumed-role/AWSReservedSSO_Ops_0123456789abcdef";
    let detail = json!({
        "eventVersion": "1.11", "eventSource": "ecs.amazonaws.com", "eventName": name,
        "userIdentity": { "type": "AssumedRole", "arn": format!("{sts}/noor@example.com") },
        "eventTime": time(at), "eventID": at, "sourceIPAddress": "203.0.113.118",
        "userAgent": "aws-cli/2.31.4", "requestParameters": request, "responseElements": answer,
    });
    event(at, "AWS API Call via CloudTrail", "", detail)
}

#[test]
fn failures_on_an_instance_whose_agent_disconnected() {
    let events = [
        instance("10:00:00", "ACTIVE", false),
        failed_in_service("10:00:15", '1'),
        instance("10:00:30", "ACTIVE", true),
        failed_in_service("10:01:00", '2'),
        failed_in_service("10:04:59", '3'),
        action("10:06:00", "SERVICE_STEADY_STATE", json!({})),
    ];
    let agent =
        "Instance: the agent of i-07276c50e139660f7 disconnected, 15 s before the first failure";
    let common = "In common: all 3 of imports:7, all 3 on i-07276c50e139660f7, all 3 exited with 1";
    assert_eq!(
        read(&events, &["Instance", "In common"]),
        [
            "🔴 imports in prod: task 11111111 exited with 1",
            agent,
            "🔴 imports in prod is still failing: exited with 1 ×3 in 5 min",
            common,
            agent,
            "🟢 imports in prod recovered after 5 min: 3 tasks exited with 1",
            common,
            agent,
        ]
    );
}

#[test]
fn an_instance_that_a_person_drains_is_one_message() {
    let arn = format!("{REGION}:container-instance/prod/{}", "a".repeat(32));
    let request = json!({
        "cluster": "prod", "containerInstances": [arn], "status": "DRAINING",
    });
    let drained = json!({ "containerInstanceArn": arn, "ec2InstanceId": "i-07276c50e139660f7" });
    let answer = json!({ "containerInstances": [drained], "failures": [] });
    let drain = call("10:00:00", "UpdateContainerInstancesState", request, answer);
    let events = [drain, instance("10:00:01", "DRAINING", true)];
    assert_eq!(
        read(&events, &["Who"]),
        [
            "⚪ prod: instance i-07276c50e139660f7 is set to DRAINING",
            "Who: noor@example.com (SSO Ops) via the AWS CLI from 203.0.113.118",
        ]
    );
}

#[test]
fn a_task_of_a_schedule_that_a_person_stopped() {
    let of_schedule = |at, id| failed(at, id, "family:report", "chronos-schedule/report");
    let stop = |at, id: &str| {
        let task = format!("{REGION}:task/prod/{}", id.repeat(32));
        let answer = json!({ "task": {
            "taskArn": task, "taskDefinitionArn": format!("{REGION}:task-definition/report:7"),
            "group": "family:report", "startedBy": "chronos-schedule/report",
        }});
        let request = json!({ "cluster": "prod", "task": task });
        call(at, "StopTask", request, answer)
    };
    let events = [
        of_schedule("10:00:00", '1'),
        stop("10:03:00", "8"),
        stop("10:03:20", "9"),
        of_schedule("10:04:30", '2'),
    ];
    assert_eq!(
        read(&events, &["By hand"]),
        [
            "🔴 report in prod: task 11111111 exited with 1",
            "🟠 report in prod: task 88888888 stopped by noor@example.com (SSO Ops)",
            "🟠 report in prod: task 99999999 stopped by noor@example.com (SSO Ops)",
            "🔴 report in prod is still failing: exited with 1 ×2 in 5 min",
            "By hand: StopTask by noor@example.com (SSO Ops), 3 min after the first failure",
        ]
    );
}

#[test]
fn a_placement_that_fails_says_what_is_missing() {
    let provider = json!({
        "reason": "EMPTY CAPACITY PROVIDER",
        "capacityProviderArns": [format!("{REGION}:capacity-provider/batch-asg")],
    });
    let empty = |at| action(at, "SERVICE_TASK_PLACEMENT_FAILURE", provider.clone());
    let same = [empty("10:00:00"), empty("10:04:00")];
    let missing = "cannot place a task: capacity provider batch-asg has no instances";
    assert_eq!(
        read(&same, &["Cause"])[..2],
        [
            format!("🔴 imports in prod {missing}"),
            format!("🔴 imports in prod is still failing: {missing} ×2 in 5 min"),
        ]
    );
    // Different reasons are not all the newest one.
    let different = [empty("10:00:00"), lacks("10:04:00", "RESOURCE:MEMORY")];
    assert_eq!(
        read(&different, &["Cause"])[1..],
        [
            "🔴 imports in prod is still failing: cannot place a task ×2 in 5 min",
            "🟢 imports in prod has no more failures: it could not place a task ×2",
        ]
    );
    // Another failure comes first.
    let worse = [failed_in_service("10:00:00", '1'), empty("10:01:00")];
    assert_eq!(
        read(&worse, &[])[1],
        format!("🔴 imports in prod is worse: now also {missing}")
    );
    let hostile = format!("{}<!channel>\n*x*", "é".repeat(300));
    let headline = &read(&[lacks("10:00:00", &hostile)], &[])[0];
    let start = "🔴 imports in prod cannot place a task: ";
    assert_eq!(headline, &format!("{start}{}…", "é".repeat(79)));
}

#[test]
fn when_a_problem_was() {
    let one = [failed_in_service("11T23:58:00", '1')];
    let steady = |at| action(at, "SERVICE_STEADY_STATE", json!({}));
    assert_eq!(
        read(&one, &["When"])[2..],
        [
            "🟢 imports in prod has no more failures: 1 task exited with 1",
            "When: 2026-11-11 23:58:00 UTC",
        ]
    );
    let [one] = one;
    let recovered = [one.clone(), steady("12T00:03:00"), steady("12T00:06:00")];
    let many = [
        one,
        failed_in_service("12T00:01:00", '2'),
        steady("12T00:03:00"),
    ];
    for (events, tasks) in [(&recovered[..], "1 task"), (&many[..], "2 tasks")] {
        let read = read(events, &["When"]);
        assert_eq!(
            read[read.len() - 2..],
            [
                // Also where more signs follow the first one.
                format!("🟢 imports in prod recovered after 5 min: {tasks} exited with 1"),
                "When: 2026-11-11 23:58:00 UTC to 2026-11-12 00:03:00 UTC".to_owned(),
            ]
        );
    }
    // Who deletes it ends it, whenever it was steady.
    let request = json!({ "cluster": "prod", "service": "imports" });
    let delete = call("10:09:00", "DeleteService", request, json!({}));
    let deleted = [
        failed_in_service("10:00:00", '1'),
        steady("10:05:00"),
        delete,
    ];
    let read = read(&deleted, &["When"]);
    assert_eq!(
        read[read.len() - 2..],
        [
            "🟢 imports in prod was deleted by noor@example.com, 9 min after its first failure: 1 task exited with 1",
            "When: 2026-11-12 10:00:00 UTC to 2026-11-12 10:09:00 UTC",
        ]
    );
}

#[test]
fn a_return_says_what_is_new() {
    let steady = action("10:01:00", "SERVICE_STEADY_STATE", json!({}));
    let read = |again: Value| {
        let events = [failed_in_service("10:00:00", '1'), steady.clone(), again];
        read(&events, &["Why"])
    };
    let lines = read(lacks("10:10:00", "RESOURCE:MEMORY"));
    assert_eq!(
        lines[3..5],
        [
            "🔴 imports in prod is failing again, 4 min after it recovered: cannot place a task: not enough free memory; before: exited with 1",
            "Why: not enough free memory (RESOURCE:MEMORY)"
        ]
    );
    let lines = read(failed_in_service("10:10:00", '2'));
    assert!(
        lines.contains(
            &"🔴 imports in prod is failing again, 4 min after it recovered: exited with 1 (×2 in all)"
                .to_owned()
        ),
        "{lines:?}"
    );
}

#[test]
fn a_deployment_that_does_not_help_is_named() {
    let service = format!("{REGION}:service/prod/imports");
    let completed = json!({
        "eventType": "INFO", "eventName": "SERVICE_DEPLOYMENT_COMPLETED", "deploymentId": "ecs-svc/1",
        "updatedAt": time("10:05:00"), "reason": "ECS deployment ecs-svc/1 completed.",
    });
    let mut started = failed("10:04:00", '2', "service:imports", "ecs-svc/1");
    started["detail"]["lastStatus"] = "RUNNING".into();
    started["detail"]["desiredStatus"] = "RUNNING".into();
    started["detail"]["containers"] = json!([{"name": "imports", "lastStatus": "RUNNING"}]);
    started["detail"]["startedAt"] = time("10:04:00").into();
    for field in ["stopCode", "stoppedReason", "stoppedAt"] {
        started["detail"][field] = Value::Null;
    }
    let lines = read(
        &[
            failed("10:00:00", '1', "service:imports", "ecs-svc/0"),
            event(
                "10:03:50",
                "ECS Deployment State Change",
                &service,
                json!({
                    "eventType": "INFO", "eventName": "SERVICE_DEPLOYMENT_IN_PROGRESS", "deploymentId": "ecs-svc/1",
                    "updatedAt": time("10:03:50"), "reason": "ECS deployment ecs-svc/1 in progress.",
                }),
            ),
            started,
            event(
                "10:05:00",
                "ECS Deployment State Change",
                &service,
                completed,
            ),
            failed("10:06:00", '3', "service:imports", "ecs-svc/1"),
        ],
        &[],
    );
    let said = "🔴 imports in prod is still failing after the deployment of imports:7: exited with 1 ×2 in 6 min";
    assert!(lines.contains(&said.to_owned()), "{lines:?}");
}
