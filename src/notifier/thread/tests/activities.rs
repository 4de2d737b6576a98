//! Activity: what is calm and comes in dozens, and calls that repeat.

use super::events::*;
use super::scene::Scene;
use crate::notifier::thread::{Activity, Thread, ThreadKind, ThreadSettings};

fn activity(scene: &Scene) -> &Activity {
    match &scene.last(ThreadKind::Activity).thread {
        Thread::Activity(it) => it,
        other => panic!("{other:?}"),
    }
}

fn counts(scene: &Scene) -> Vec<String> {
    let counts = activity(scene).counts.iter();
    let counts = counts.map(|it| {
        format!(
            "{} {} {}",
            it.kind,
            it.detail.as_deref().unwrap_or("-"),
            it.count
        )
    });
    counts.collect()
}

#[test]
fn all_instances_together_are_one_message() {
    let settings = ThreadSettings {
        has_edits: false,
        ..ThreadSettings::default()
    };
    let mut scene = Scene::with(settings);
    for number in 0..18_u32 {
        let time = format!("10:{number:02}:00");
        let id = format!("{number:02}");
        scene.play(&[at(&time, instance(&id, "DRAINING"))]);
        scene.play(&[at(&time, instance(&id, "INACTIVE"))]);
    }
    scene.finish();
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 activity opened",
            "10:05:00 activity summary",
            "10:15:00 activity summary",
            "11:00:00 activity summary",
        ]
    );
    assert_eq!(
        counts(&scene),
        ["instance_state DRAINING 18", "instance_state INACTIVE 18"]
    );
}

#[test]
fn it_ends_after_an_hour_without_another() {
    let mut scene = Scene::default();
    for (time, id) in [("10:00:00", "a"), ("10:50:00", "b"), ("11:50:00", "c")] {
        scene.play(&[at(time, instance(id, "DRAINING"))]);
    }
    scene.finish();
    let opened = scene
        .turns()
        .iter()
        .filter(|it| it.ends_with("opened"))
        .count();
    assert_eq!(opened, 2);
    assert_eq!(activity(&scene).total, 1);
}

#[test]
fn from_the_third_call_on_they_are_counted() {
    let mut scene = Scene::default();
    let calls: Vec<_> = (0..12)
        .map(|number| {
            let task = format!("{number:02}");
            at(
                &format!("10:{number:02}:00"),
                stop_task("maya", "mailer", &task),
            )
        })
        .collect();
    scene.play(&calls);
    // The first calls come again.
    scene.play(&calls[..2]).until("10:20:00");
    assert_eq!(scene.singles.len(), 2 + 2);
    assert_eq!(counts(&scene), ["stop_task StopTask 12"]);
    assert_eq!(scene.turns()[0], "10:02:00 activity opened");
    assert!(scene.last(ThreadKind::Activity).turn.urgent);
    // Another person's calls are others.
    scene.play(&[at("10:21:00", stop_task("noor", "mailer", "99"))]);
    assert_eq!(scene.singles.len(), 5);
}

#[test]
fn refused_calls_are_one_message_an_hour() {
    let mut scene = Scene::default();
    for minute in 0..60 {
        let call = on_service("ci", "UpdateService", "payments").with("errorCode", "AccessDenied");
        scene.play(&[at(&format!("10:{minute:02}:00"), call)]);
    }
    scene.finish();
    assert_eq!(scene.singles.len(), 2);
    assert_eq!(counts(&scene), ["api_denied UpdateService 60"]);
    let opened = scene
        .turns()
        .iter()
        .filter(|it| it.ends_with("opened"))
        .count();
    assert_eq!(opened, 1);
}

#[test]
fn its_state_is_null() {
    let mut scene = Scene::default();
    scene.play(&[at("10:00:00", instance("a", "DRAINING"))]);
    assert_eq!(scene.last(ThreadKind::Activity).thread.state(), None);
}

#[test]
fn a_late_call_explains_a_stop_that_was_counted() {
    let settings = ThreadSettings {
        has_edits: false,
        ..ThreadSettings::default()
    };
    let stopped = |time: &str, task: &str| at(time, failed("mailer", BY_USER).of_task(task));
    let called = |time: &str, task: &str| at(time, stop_task("maya", "mailer", task));
    for (calls, turns) in [
        // Who stopped them is in the calls' own messages, so no summary counts the stops again.
        (
            &["aa", "bb", "cc"][..],
            &["activity opened", "activity opened", "activity summary"][..],
        ),
        // Nobody says who stopped "cc".
        (
            &["aa", "bb"],
            &["activity opened", "activity opened", "activity summary"],
        ),
        (&["aa"], &["activity opened", "activity summary"]),
    ] {
        let mut scene = Scene::with(settings.clone());
        for task in ["aa", "bb", "cc"] {
            scene.play(&[stopped("10:00:00", task)]);
        }
        for (number, task) in calls.iter().enumerate() {
            let call = called("10:00:00", task);
            let arrives = format!("10:02:0{number}");
            scene.arrive(&arrives, std::slice::from_ref(&call));
            scene.arrive(&arrives, &[call]);
        }
        scene.finish();
        let found: Vec<_> = scene.turns().iter().map(|it| it[9..].to_owned()).collect();
        assert_eq!(found, turns, "{calls:?} {:?}", scene.turns());
    }
}

/// Good ends from before the incident of their family are not told while it fails.
#[test]
fn a_summary_of_good_ends_waits_for_the_recovery() {
    let settings = ThreadSettings {
        has_edits: false,
        ..ThreadSettings::default()
    };
    let mut scene = Scene::with(settings);
    let ended = |time: &str, ending| at(time, of_schedule("report", ending, "09:59:00"));
    scene.play(&[
        ended("10:00:00", FINISHED),
        ended("10:01:00", FINISHED),
        ended("10:02:00", EXITED_WITH_1),
    ]);
    scene.until("10:30:00");
    assert_eq!(scene.turns_of(ThreadKind::Activity), ["10:00:00 opened"]);
    scene.play(&[at("10:33:00", of_schedule("report", FINISHED, "10:31:00"))]);
    scene.finish();
    assert_eq!(
        scene.turns_of(ThreadKind::Incident).last().unwrap(),
        "10:33:00 recovered resolved"
    );
    assert_eq!(
        scene.turns_of(ThreadKind::Activity),
        ["10:00:00 opened", "11:00:00 summary"]
    );
    assert_eq!(activity(&scene).total, 3);
}
