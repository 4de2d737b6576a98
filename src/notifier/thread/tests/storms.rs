//! Storms: many services of a cluster that fail at once.

use super::events::*;
use super::scene::Scene;
use crate::notifier::thread::{Storm, Thread, ThreadKind, ThreadSettings};

fn fails(time: &str, service: usize) -> Event {
    at(time, failed(&format!("service-{service:02}"), HEALTH_CHECK))
}

fn recovers(time: &str, service: usize) -> Event {
    at(time, steady(&format!("service-{service:02}")))
}

fn storm(scene: &Scene) -> &Storm {
    match &scene.last(ThreadKind::Storm).thread {
        Thread::Storm(it) => it,
        other => panic!("{other:?}"),
    }
}

fn outage(services: usize) -> Scene {
    let mut scene = Scene::default();
    let batch: Vec<_> = (0..services).map(|it| fails("10:00:00", it)).collect();
    scene.arrive("10:00:05", &batch);
    scene
}

#[test]
fn the_fifth_incident_makes_a_storm() {
    let mut scene = Scene::default();
    for service in 0..7 {
        scene.play(&[fails(&format!("10:00:{:02}", service * 10), service)]);
    }
    scene.until("10:02:00");
    let turns = scene.turns();
    let shown: Vec<_> = turns.iter().filter(|it| !it.contains("learned")).collect();
    assert_eq!(
        shown,
        [
            "10:00:00 incident opened open",
            "10:00:10 incident opened open",
            "10:00:20 incident opened open",
            "10:00:30 incident opened open",
            "10:00:40 storm opened open",
            // New services at most once a minute, by name.
            "10:01:40 storm worse open",
        ]
    );
    let names = &scene.last(ThreadKind::Storm).turn.names;
    let worse = scene
        .actions
        .iter()
        .rev()
        .find(|(_, it)| !it.turn.names.is_empty());
    assert_eq!(worse.unwrap().1.turn.names, ["service-05", "service-06"]);
    assert!(names.len() <= 2);
    assert_eq!(storm(&scene).first_at, super::scene::time("10:00:00"));
}

#[test]
fn in_one_batch_there_is_only_the_storm() {
    let mut scene = outage(12);
    assert_eq!(scene.turns(), ["10:00:05 storm opened open"]);
    let opened = scene.last(ThreadKind::Storm);
    assert!(opened.turn.urgent && opened.turn.mentions);
    assert_eq!((storm(&scene).members.len(), opened.events.len()), (12, 12));
    for service in 0..12 {
        scene.play(&[recovers("10:20:00", service)]);
    }
    scene.finish();
    assert_eq!(
        scene.turns(),
        [
            "10:00:05 storm opened open",
            "10:20:00 storm learned recovering",
            "10:25:00 storm recovered resolved",
        ]
    );
}

#[test]
fn counts_are_shown_at_the_reminders_steps() {
    let mut scene = outage(6);
    scene
        .play(&[fails("10:03:00", 1), fails("10:10:00", 2)])
        .until("10:30:00");
    assert_eq!(
        scene.turns(),
        [
            "10:00:05 storm opened open",
            "10:05:05 storm reminder open",
            "10:15:05 storm reminder open"
        ]
    );
}

#[test]
fn a_service_that_goes_on_failing_ends_the_storm() {
    let mut scene = outage(6);
    for service in 1..6 {
        scene.play(&[recovers("10:05:00", service)]);
    }
    for minute in 6..50 {
        scene.play(&[fails(&format!("10:{minute:02}:00"), 0)]);
    }
    let turns = scene.turns();
    let end = turns
        .iter()
        .position(|it| it == "10:35:00 storm recovered resolved")
        .unwrap();
    assert_eq!(turns[end - 1], "10:35:00 incident opened open");
    assert_eq!(storm(&scene).recovered(), 5);
}

#[test]
fn the_last_service_may_be_recovering() {
    let mut scene = outage(6);
    for service in 1..6 {
        scene.play(&[recovers("10:05:00", service)]);
    }
    scene.play(&[fails("10:20:00", 0)]);
    scene
        .play(&[fails("10:34:00", 0), recovers("10:34:30", 0)])
        .finish();
    assert_eq!(
        scene.turns_of(ThreadKind::Storm).last().unwrap(),
        "10:39:30 recovered resolved"
    );
    assert_eq!(storm(&scene).recovered(), 6);
}

#[test]
fn zero_turns_storms_off() {
    let mut scene = Scene::with(ThreadSettings {
        storm_after: 0,
        ..ThreadSettings::default()
    });
    let batch: Vec<_> = (0..12).map(|it| fails("10:00:00", it)).collect();
    scene.arrive("10:00:05", &batch);
    assert_eq!(scene.turns_of(ThreadKind::Incident).len(), 12);
    assert_eq!(scene.turns().len(), 12);
}

#[test]
fn incidents_that_open_slowly_are_no_storm() {
    let mut scene = Scene::default();
    for service in 0..8 {
        scene.play(&[fails(&format!("10:{:02}:00", service * 2), service)]);
    }
    assert_eq!(scene.turns_of(ThreadKind::Storm), Vec::<String>::new());
}

#[test]
fn a_failure_after_the_storm_is_a_return() {
    let mut scene = outage(5);
    for service in 0..5 {
        scene.play(&[recovers("10:01:00", service)]);
    }
    scene.until("10:07:00").play(&[fails("10:08:00", 3)]);
    assert_eq!(
        scene.turns().last().unwrap(),
        "10:08:00 incident opened open"
    );
}

/// A service may recover and fail again, with a new incident, while the others still fail.
#[test]
fn a_service_that_fails_again_in_a_storm_is_named() {
    let mut scene = outage(6);
    for number in 0..11 {
        scene.play(&[fails(&format!("10:00:{:02}", number + 10), 0)]);
    }
    scene.play(&[recovers("10:01:00", 0)]);
    for minute in 2..50 {
        for service in 1..6 {
            scene.play(&[fails(&format!("10:{minute:02}:00"), service)]);
        }
    }
    scene.play(&[fails("10:50:00", 0)]);
    let worse = scene.last(ThreadKind::Storm);
    assert_eq!(worse.turn.names, ["service-00"]);
    assert!(worse.turn.urgent);
    assert_eq!(storm(&scene).total(), 6 + 11 + 5 * 48 + 1);
}

/// A family that never runs again has no sign of a recovery.
#[test]
fn a_storm_ends_when_nothing_fails_any_more() {
    let mut scene = Scene::default();
    let mut batch: Vec<_> = (0..3).map(|it| fails("10:00:00", it)).collect();
    for family in ["one", "two"] {
        let failed = of_schedule(family, HEALTH_CHECK, "09:59:00");
        batch.push(at("10:00:08", failed));
    }
    scene.arrive("10:00:10", &batch);
    assert_eq!(storm(&scene).members.len(), 5);
    scene.finish();
    assert_eq!(
        scene.turns_of(ThreadKind::Storm).last().unwrap(),
        "11:00:08 recovered resolved"
    );
    // What failed long ago is not shown again, and a new failure is.
    assert_eq!(scene.turns_of(ThreadKind::Incident), Vec::<String>::new());
    let failed = of_schedule("one", HEALTH_CHECK, "10:00:00");
    scene.arrive("12:00:10", &[at("12:00:08", failed)]);
    assert_eq!(scene.turns_of(ThreadKind::Incident).len(), 1);
}

#[test]
fn services_that_recovered_in_a_storm_open_nothing_after_it() {
    let mut scene = outage(7);
    for service in 0..7 {
        scene.play(&[recovers("10:10:00", service)]);
    }
    scene.finish();
    let before = scene.turns().len();
    scene.arrive("11:00:00", &[at("10:59:58", started("service-06"))]);
    scene.finish();
    assert_eq!(scene.turns().len(), before, "{:?}", scene.turns());
}

#[test]
fn a_service_whose_incident_goes_on_is_shown_once_after_the_storm() {
    let mut scene = outage(6);
    for service in 1..6 {
        scene.play(&[recovers("10:05:00", service)]);
    }
    for minute in 6..37 {
        scene.play(&[fails(&format!("10:{minute:02}:00"), 0)]);
    }
    assert_eq!(
        scene.turns_of(ThreadKind::Incident),
        ["10:35:00 opened open"]
    );
}

/// Another function changes an incident at the moment when the storm takes it, so that the incident does not know.
#[test]
fn an_incident_that_missed_the_storm_joins_it_later() {
    let mut scene = Scene::default();
    for service in 0..4 {
        scene.play(&[fails(&format!("10:00:0{service}"), service)]);
    }
    let key = |scene: &Scene| {
        let mut keys = scene.states.keys().cloned();
        keys.find(|it| it.name == "service-00").unwrap()
    };
    let key = key(&scene);
    let before = scene.states[&key].clone();
    scene.play(&[fails("10:00:04", 4)]);
    let joined = |scene: &Scene| {
        let incident = scene.states[&key].incident.as_ref().unwrap();
        incident.storm.is_some()
    };
    assert!(joined(&scene));
    scene.states.insert(key.clone(), before);
    assert!(!joined(&scene));
    scene.play(&[fails("10:01:00", 4)]);
    assert!(joined(&scene));
}

#[test]
fn incidents_that_a_backlog_brings_at_once_are_no_storm() {
    let mut scene = Scene::default();
    let batch: Vec<_> = (0..6)
        .map(|it| fails(&format!("0{it}:30:00"), it))
        .collect();
    scene.arrive("10:00:05", &batch);
    assert_eq!(scene.turns_of(ThreadKind::Storm), Vec::<String>::new());
    // What failed within minutes is one, however late it comes.
    let batch: Vec<_> = (6..12)
        .map(|it| fails(&format!("07:00:{it:02}"), it))
        .collect();
    scene.arrive("10:01:00", &batch);
    assert_eq!(scene.turns_of(ThreadKind::Storm).len(), 1);
}

/// A service that fails again soon has the same incident.
#[test]
fn a_service_that_comes_back_in_a_storm_is_named() {
    let mut scene = outage(6);
    scene.play(&[recovers("10:01:00", 0)]);
    for minute in 2..12 {
        for service in 1..6 {
            scene.play(&[fails(&format!("10:{minute:02}:00"), service)]);
        }
    }
    scene.play(&[fails("10:12:00", 0)]);
    assert_eq!(
        scene.last(ThreadKind::Storm).turn.names,
        ["service-00"],
        "{:?}",
        scene.turns()
    );
}

#[test]
fn a_storm_explains_its_most_frequent_cause() {
    let mut scene = outage(6);
    for second in 10..13 {
        let starved = failed("service-00", OUT_OF_MEMORY);
        scene.play(&[at(&format!("10:00:{second}"), starved)]);
    }
    let cause = |scene: &Scene| {
        let newest = storm(scene).newest.as_ref().unwrap();
        let subject = &newest.notice.subject;
        (
            newest.priority.cause.unwrap().to_string(),
            subject.service.clone().unwrap(),
        )
    };
    // Three of nine ran out of memory, and they are the newest.
    assert_eq!(cause(&scene).0, "health_check");
    for second in 20..24 {
        let starved = failed("service-01", OUT_OF_MEMORY);
        scene.play(&[at(&format!("10:00:{second}"), starved)]);
    }
    scene.until("10:02:00");
    assert_eq!(
        cause(&scene),
        ("out_of_memory".to_owned(), "service-01".to_owned())
    );
}

#[test]
fn who_has_recovered_before_the_news_is_no_news() {
    let mut scene = Scene::default();
    for service in 0..5 {
        scene.play(&[fails(&format!("10:00:0{service}"), service)]);
    }
    scene.play(&[
        fails("10:00:20", 5),
        fails("10:00:21", 6),
        recovers("10:00:40", 6),
    ]);
    scene.until("10:02:00");
    assert_eq!(
        scene.turns_of(ThreadKind::Storm)[1..],
        ["10:01:04 worse open"]
    );
    let worse = scene
        .actions
        .iter()
        .find(|(_, it)| !it.turn.names.is_empty());
    assert_eq!(worse.unwrap().1.turn.names, ["service-05"]);
}
