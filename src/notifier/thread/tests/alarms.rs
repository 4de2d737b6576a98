//! Alarms and scaling: they open an incident of the service, or join it, and an alarm says itself when it is over.

use std::time::Duration;

use serde_json::json;

use super::events::*;
use super::scene::{Evaluated, Scene, evaluated, time};
use crate::ecs::notice::Facts;
use crate::notifier::policy::{Policy, Severity, decide};
use crate::notifier::thread::{Incident, Resolution, Thread, ThreadKind, ThreadSettings};

const TRACKING: &str =
    "TargetTracking-service/prod-web/checkout-AlarmHigh-2f1c5d7e-5a0b-4c3d-9e8f-0a1b2c3d4e5f";

fn alarm(name: &str, state: &str, at: &str) -> Event {
    let timestamp = format!("2026-11-12T{at}.000+0000");
    let was = if state == "ALARM" { "OK" } else { "ALARM" };
    let dimensions = json!({"ClusterName": "prod-web", "ServiceName": "checkout"});
    let detail = json!({
        "alarmName": name,
        "configuration": {"metrics": [{"metricStat": {
            "metric": {"namespace": "AWS/ECS", "name": "CPUUtilization", "dimensions": dimensions},
            "period": 60, "stat": "Average",
        }}]},
        "previousState": {"value": was},
        "state": {"value": state, "timestamp": timestamp, "reasonData":
            json!({"threshold": 80.0, "recentDatapoints": [93.5]}).to_string()},
    });
    of(
        "aws.cloudwatch",
        "CloudWatch Alarm State Change",
        at,
        detail,
    )
}

/// An alarm was deleted. The state in the event is the one from before.
fn deleted(name: &str, at: &str) -> Event {
    let mut event = alarm(name, "ALARM", "09:00:00");
    event.0["detail-type"] = json!("CloudWatch Alarm Configuration Change");
    event.0["time"] = json!(format!("2026-11-12T{at}Z"));
    event.0["detail"]["operation"] = json!("delete");
    event
}

/// A composite alarm, about which AWS has said this.
fn composite(state: &str, at: &str, service: Option<&str>) -> Evaluated {
    let mut event = alarm("shop-slow", state, at);
    event.0["detail"]["configuration"] = json!({"alarmRule": "ALARM(\"checkout-latency\")"});
    let (mut notice, _) = evaluated(&event);
    if let (Facts::Alarm(alarm), Some(service)) = (&mut notice.facts, service) {
        alarm.is_of_ecs = Some(true);
        notice.subject.cluster = Some("prod-web".to_owned());
        notice.subject.service = Some(service.to_owned());
    }
    let decision = decide(&notice, &Policy::default());
    (notice, decision)
}

fn scaled_to_max(at: &str) -> Event {
    let detail = json!({
        "startTime": format!("2026-11-12T{at}Z"), "endTime": format!("2026-11-12T{at}Z"),
        "newDesiredCapacity": 10, "oldDesiredCapacity": 8, "minCapacity": 2, "maxCapacity": 10,
        "resourceId": "service/prod-web/checkout", "serviceNamespace": "ecs",
        "scalableDimension": "ecs:service:DesiredCount", "scaledToMax": true,
    });
    let detail_type = "Application Auto Scaling Scaling Activity State Change";
    of("aws.application-autoscaling", detail_type, at, detail)
}

fn incident(scene: &Scene) -> &Incident {
    match &scene.last(ThreadKind::Incident).thread {
        Thread::Incident(it) => it,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_alarm_opens_an_incident_and_its_end_closes_it_at_once() {
    let mut scene = Scene::default();
    scene.play(&[
        alarm("checkout-cpu", "ALARM", "10:00:00"),
        alarm("checkout-cpu", "OK", "10:12:00"),
    ]);
    scene.finish();
    assert_eq!(
        scene.turns_of(ThreadKind::Incident),
        ["10:00:00 opened open", "10:12:00 recovered resolved",]
    );
    assert_eq!(scene.singles, [] as [&str; 0]);
}

#[test]
fn an_alarm_and_its_end_in_one_batch_are_a_problem_and_its_end() {
    let mut scene = Scene::default();
    let events = [
        alarm("checkout-cpu", "OK", "10:02:00"),
        alarm("checkout-cpu", "ALARM", "10:00:00"),
    ];
    scene.arrive("10:02:05", &events).finish();
    assert_eq!(
        scene.turns_of(ThreadKind::Incident),
        ["10:02:05 opened recovering", "10:02:06 recovered resolved"]
    );
}

#[test]
fn the_end_of_an_alarm_may_come_first() {
    let mut scene = Scene::default();
    scene
        .arrive("10:02:00", &[alarm("checkout-cpu", "OK", "10:02:00")])
        .arrive("10:03:00", &[alarm("checkout-cpu", "ALARM", "10:00:00")])
        .finish();
    let turns = scene.turns_of(ThreadKind::Incident);
    assert_eq!(turns.last().unwrap(), "10:03:01 recovered resolved");
}

#[test]
fn an_alarm_is_a_part_of_the_services_incident() {
    let mut scene = Scene::default();
    scene.play(&[
        at("10:00:00", failed("checkout", OUT_OF_MEMORY)),
        alarm("checkout-cpu", "ALARM", "10:01:00"),
        at("10:03:00", steady("checkout")),
        alarm("checkout-cpu", "OK", "10:20:00"),
    ]);
    scene.finish();
    // While the alarm is on it does not recover, although the service is steady.
    assert_eq!(
        scene.turns_of(ThreadKind::Incident),
        [
            "10:00:00 opened open",
            "10:01:00 worse open",
            "10:20:00 learned recovering",
            "10:25:00 recovered resolved",
        ]
    );
    // The task says more than the alarm.
    let newest = incident(&scene).newest.as_ref().unwrap();
    assert!(matches!(newest.notice.facts, Facts::Task(_)));
}

#[test]
fn the_end_of_an_alarm_is_no_recovery_of_tasks_that_fail() {
    let mut scene = Scene::default();
    scene.play(&[
        alarm("checkout-cpu", "ALARM", "10:00:00"),
        at("10:05:00", failed("checkout", OUT_OF_MEMORY)),
        alarm("checkout-cpu", "OK", "10:06:00"),
    ]);
    scene.until("10:30:00");
    assert_eq!(incident(&scene).resolved_at, None);
    scene.finish();
    assert_eq!(incident(&scene).resolved_at, Some(time("10:35:00")));
}

#[test]
fn two_alarms_are_one_incident_that_lasts_until_both_are_over() {
    let mut scene = Scene::default();
    scene.play(&[
        alarm("checkout-cpu", "ALARM", "10:00:00"),
        alarm("checkout-memory", "ALARM", "10:01:00"),
        alarm("checkout-cpu", "OK", "10:02:00"),
        alarm("checkout-memory", "OK", "10:09:00"),
    ]);
    scene.finish();
    assert_eq!(
        scene.turns_of(ThreadKind::Incident),
        [
            "10:00:00 opened open",
            "10:01:00 worse open",
            "10:09:00 recovered resolved",
        ]
    );
}

#[test]
fn an_alarm_that_flaps_stays_open_longer() {
    let mut scene = Scene::default();
    scene.play(&[
        alarm("checkout-cpu", "ALARM", "10:00:00"),
        alarm("checkout-cpu", "OK", "10:02:00"),
        alarm("checkout-cpu", "ALARM", "10:04:00"),
        alarm("checkout-cpu", "OK", "10:05:00"),
    ]);
    scene.finish();
    assert_eq!(
        scene.turns_of(ThreadKind::Incident),
        [
            "10:00:00 opened open",
            "10:02:00 recovered resolved",
            "10:04:00 came_back open",
            "10:05:00 learned recovering",
            "10:15:00 recovered resolved",
        ]
    );
}

#[test]
fn the_alarms_of_target_tracking_are_not_urgent_and_no_storm() {
    let mut scene = Scene::with(ThreadSettings {
        storm_after: 1,
        ..ThreadSettings::default()
    });
    scene.play(&[alarm(TRACKING, "ALARM", "10:00:00")]);
    assert_eq!(scene.turns(), ["10:00:00 incident opened open"]);
    assert!(!scene.last(ThreadKind::Incident).turn.urgent);
    // A task that fails makes it urgent.
    scene.play(&[at("10:05:00", failed("checkout", OUT_OF_MEMORY))]);
    assert!(scene.turns().iter().any(|it| it.contains("storm opened")));
}

#[test]
fn reaching_the_maximum_is_counted_alone_and_joins_a_problem() {
    let mut scene = Scene::default();
    scene.play(&[scaled_to_max("10:00:00"), scaled_to_max("10:04:00")]);
    assert_eq!(scene.turns(), ["10:00:00 activity opened"]);
    assert!(scene.last(ThreadKind::Activity).turn.urgent);
    let mut scene = Scene::default();
    scene.play(&[
        alarm("checkout-cpu", "ALARM", "10:00:00"),
        scaled_to_max("10:02:00"),
    ]);
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 incident opened open",
            "10:02:00 incident worse open"
        ]
    );
    assert_eq!(scene.singles, [] as [&str; 0]);
}

#[test]
fn an_alarm_of_a_cluster_is_an_incident_of_its_own() {
    let mut event = alarm("prod-web-capacity", "ALARM", "10:00:00");
    let metric = &mut event.0["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"];
    metric["dimensions"] = json!({"ClusterName": "prod-web"});
    let mut scene = Scene::default();
    scene.arrive_evaluated("10:00:01", &[evaluated(&event)]);
    assert_eq!(scene.turns(), ["10:00:01 incident opened open"]);
}

#[test]
fn an_alarm_without_data_is_no_recovery() {
    let mut scene = Scene::default();
    scene.play(&[
        alarm("checkout-cpu", "ALARM", "10:00:00"),
        alarm("checkout-cpu", "INSUFFICIENT_DATA", "10:05:00"),
    ]);
    scene.finish();
    let turns = scene.turns_of(ThreadKind::Incident);
    assert_eq!(
        turns,
        ["10:00:00 opened open", "10:35:00 recovered resolved"]
    );
    assert_eq!(incident(&scene).severity(), Severity::Info);
    assert_eq!(incident(&scene).resolution, Some(Resolution::Quiet));
}

#[test]
fn data_that_comes_back_says_whether_it_is_over() {
    let mut scene = Scene::default();
    scene.play(&[
        alarm("checkout-cpu", "ALARM", "10:00:00"),
        alarm("checkout-cpu", "INSUFFICIENT_DATA", "10:05:00"),
        alarm("checkout-cpu", "OK", "10:11:00"),
    ]);
    scene.finish();
    let turns = scene.turns_of(ThreadKind::Incident);
    assert_eq!(
        turns,
        ["10:00:00 opened open", "10:11:00 recovered resolved"]
    );
}

#[test]
fn a_state_that_is_not_known_changes_nothing() {
    let mut scene = Scene::default();
    scene.play(&[
        alarm("checkout-cpu", "ALARM", "10:00:00"),
        alarm("checkout-cpu", "SOMETHING_NEW", "10:05:00"),
    ]);
    scene.finish();
    assert_eq!(
        scene.turns_of(ThreadKind::Incident),
        ["10:00:00 opened open"]
    );
    assert_eq!(scene.singles.len(), 1);
}

#[test]
fn a_deleted_alarm_holds_no_incident_open() {
    let mut scene = Scene::default();
    scene.play(&[
        alarm("checkout-cpu", "ALARM", "10:00:00"),
        deleted("checkout-cpu", "11:00:00"),
    ]);
    scene.finish();
    let turns = scene.turns_of(ThreadKind::Incident);
    assert_eq!(
        turns,
        ["10:00:00 opened open", "11:30:00 recovered resolved"]
    );
    assert_eq!(scene.singles, [] as [&str; 0]);
}

#[test]
fn an_alarm_that_stays_on_hides_no_failure_and_no_recovery() {
    let failure = |time: &str| {
        let mut event = at("10:00:00", failed("checkout", OUT_OF_MEMORY));
        let time = json!(format!("2026-11-14T{time}Z"));
        event.0["time"] = time.clone();
        for field in ["stoppingAt", "stoppedAt", "updatedAt"] {
            event.0["detail"][field] = time.clone();
        }
        event
    };
    let mut scene = Scene::default();
    scene.play(&[alarm("checkout-cpu", "ALARM", "10:00:00")]);
    scene.arrive("2026-11-14T10:00:01Z", &[failure("10:00:00")]);
    scene.arrive("2026-11-14T10:04:59Z", &[failure("10:04:58")]);
    scene.finish();
    let turns = scene.turns_of(ThreadKind::Incident);
    assert_eq!(turns.len(), 4, "{turns:?}");
    for (turn, expected) in turns
        .iter()
        .zip(["opened", "worse", "reminder", "recovered"])
    {
        assert!(turn.contains(expected), "{turns:?}");
    }
    assert_eq!(incident(&scene).resolution, Some(Resolution::Quiet));
}

#[test]
fn more_alarms_than_are_stored_do_not_recover_too_early() {
    let name = |number: usize| format!("checkout-{number}");
    let mut scene = Scene::default();
    for number in 0..15 {
        scene.play(&[alarm(&name(number), "ALARM", "10:00:00")]);
    }
    for number in 0..12 {
        scene.play(&[alarm(&name(number), "OK", "10:05:00")]);
    }
    scene.until("10:30:00");
    assert_eq!(incident(&scene).resolved_at, None);
}

#[test]
fn long_names_are_told_apart() {
    let service = "a".repeat(200);
    let mut scene = Scene::default();
    scene.play(&[
        alarm(&format!("{service}-1"), "ALARM", "10:00:00"),
        alarm(&format!("{service}-2"), "ALARM", "10:01:00"),
        alarm(&format!("{service}-1"), "OK", "10:05:00"),
    ]);
    scene.finish();
    assert_eq!(incident(&scene).resolved_at, None);
    let words = incident(&scene).causes.iter().map(|it| it.words.as_deref());
    let words: Vec<_> = words.map(Option::unwrap).collect();
    assert_ne!(words[0], words[1]);
}

#[test]
fn what_becomes_urgent_escalates_from_then_on() {
    let mut scene = Scene::with(ThreadSettings {
        escalate_after: vec![Duration::from_secs(600)],
        ..ThreadSettings::default()
    });
    scene.play(&[
        alarm(TRACKING, "ALARM", "08:00:00"),
        at("12:00:00", failed("checkout", OUT_OF_MEMORY)),
    ]);
    scene.until("12:20:00");
    let turns = scene.turns_of(ThreadKind::Incident);
    let mut escalations = turns.iter().filter(|it| it.contains("escalated"));
    assert_eq!(escalations.next().unwrap(), "12:10:00 escalated open");
    assert_eq!(escalations.next(), None);
}

#[test]
fn the_end_of_a_composite_alarm_goes_to_the_incident_that_it_opened() {
    for (on, over) in [
        (Some("checkout"), None),
        (None, Some("checkout")),
        (Some("checkout"), Some("checkout")),
        (None, None),
    ] {
        let mut scene = Scene::default();
        scene.arrive_evaluated("10:00:01", &[composite("ALARM", "10:00:00", on)]);
        scene.arrive_evaluated("10:05:01", &[composite("OK", "10:05:00", over)]);
        scene.finish();
        let turns = scene.turns_of(ThreadKind::Incident);
        assert_eq!(
            turns,
            ["10:00:01 opened open", "10:05:01 recovered resolved"],
            "{on:?} {over:?}"
        );
    }
}

#[test]
fn a_composite_alarm_is_over_also_while_its_actions_are_suppressed() {
    let mut scene = Scene::default();
    scene.arrive_evaluated(
        "10:00:01",
        &[composite("ALARM", "10:00:00", Some("checkout"))],
    );
    let (mut notice, _) = composite("OK", "10:05:00", Some("checkout"));
    if let Facts::Alarm(alarm) = &mut notice.facts {
        alarm.is_suppressed = true;
    }
    let decision = decide(&notice, &Policy::default());
    scene.arrive_evaluated("10:05:01", &[(notice, decision)]);
    scene.finish();
    assert_eq!(
        scene.turns_of(ThreadKind::Incident),
        ["10:00:01 opened open", "10:05:01 recovered resolved"]
    );
}
