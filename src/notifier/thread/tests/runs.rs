//! Runs: one launch of tasks outside services.

use super::events::*;
use super::scene::Scene;
use crate::notifier::thread::{Run, Thread, ThreadKind};

fn the_run(scene: &Scene) -> &Run {
    match &scene.last(ThreadKind::Run).thread {
        Thread::Run(it) => it,
        other => panic!("{other:?}"),
    }
}

fn runs(time: &str, task: &str) -> Event {
    at(time, of_person("migrate", "RUNNING").of_task(task))
}

fn ends(time: &str, task: &str, ending: Ending) -> Event {
    at(time, of_person_ended("migrate", ending).of_task(task))
}

#[test]
fn one_task_runs_and_ends() {
    for (ending, last) in [
        (FINISHED, "10:05:00 run stopped stopped"),
        (EXITED_WITH_1, "10:05:00 run failed stopped"),
    ] {
        let mut scene = Scene::default();
        scene.play(&[
            at("10:00:00", run("maya", "migrate", &["aa"], 0)),
            runs("10:00:30", "aa"),
            ends("10:05:00", "aa", ending),
            ends("10:05:00", "aa", ending),
        ]);
        scene.finish();
        assert_eq!(
            scene.turns(),
            [
                "10:00:00 run opened launched",
                "10:00:30 run learned running",
                last
            ]
        );
        assert_eq!(scene.singles, Vec::<String>::new());
    }
}

#[test]
fn of_several_tasks_the_first_failure_is_a_turn() {
    let mut scene = Scene::default();
    scene.play(&[
        at("10:00:00", run("maya", "migrate", &["aa", "bb", "cc"], 0)),
        ends("10:01:00", "bb", EXITED_WITH_1),
        ends("10:02:00", "cc", EXITED_WITH_1),
        ends("10:03:00", "aa", FINISHED),
    ]);
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 run opened launched",
            "10:01:00 run failed running",
            "10:03:00 run stopped stopped"
        ]
    );
    assert_eq!(the_run(&scene).failed().count(), 2);
    let failure = &scene.actions[1].1.turn;
    assert!(failure.urgent && failure.mentions);
}

#[test]
fn starts_before_the_call_belong_to_it() {
    let call = at("10:00:00", run("maya", "migrate", &["aa", "bb"], 0));
    let mut scene = Scene::default();
    scene.play(&[runs("10:00:20", "bb")]);
    scene
        .arrive("10:00:30", std::slice::from_ref(&call))
        .arrive("10:00:40", &[call]);
    scene.play(&[
        runs("10:01:00", "aa"),
        ends("10:02:00", "aa", FINISHED),
        ends("10:03:00", "bb", FINISHED),
    ]);
    assert_eq!(
        scene.turns(),
        [
            "10:00:20 run opened running",
            "10:03:00 run stopped stopped"
        ]
    );
    assert_eq!(
        the_run(&scene).launch.as_ref().unwrap().actor.as_deref(),
        Some("maya (role Operator)")
    );
    // Where two tasks have messages already, each ends in its own.
    let mut scene = Scene::default();
    scene.play(&[runs("10:00:20", "bb"), runs("10:00:21", "cc")]);
    scene.arrive(
        "10:00:30",
        &[at(
            "10:00:00",
            run("maya", "migrate", &["aa", "bb", "cc"], 0),
        )],
    );
    for task in ["aa", "bb", "cc"] {
        scene.play(&[ends("10:02:00", task, FINISHED)]);
    }
    let ended = scene
        .turns()
        .iter()
        .filter(|it| it.ends_with("stopped stopped"))
        .count();
    assert_eq!(ended, 2, "{:?}", scene.turns());
}

#[test]
fn a_launch_that_fails_in_part_is_a_run_and_urgent() {
    let mut scene = Scene::default();
    scene.play(&[at("10:00:00", run("maya", "migrate", &["aa"], 2))]);
    assert_eq!(scene.turns(), ["10:00:00 run opened launched"]);
    let opened = scene.last(ThreadKind::Run);
    assert!(opened.turn.urgent && opened.turn.mentions);
    assert_eq!(the_run(&scene).launch.as_ref().unwrap().failures, 2);
}

#[test]
fn a_stop_belongs_to_the_run_alone() {
    let mut scene = Scene::default();
    scene.play(&[ends("10:05:00", "aa", OUT_OF_MEMORY)]);
    assert_eq!(scene.turns(), ["10:05:00 run opened stopped"]);
    assert!(scene.last(ThreadKind::Run).turn.urgent);
}

#[test]
fn a_schedules_tasks_are_no_run() {
    let mut scene = Scene::default();
    scene.play(&[
        at("10:00:00", by_schedule(run("x", "report", &["aa"], 0))),
        at("10:05:00", of_schedule("report", FINISHED, "10:00:10")),
    ]);
    assert_eq!(scene.turns(), ["10:05:00 activity opened"]);
}
