//! Runs: one launch of tasks outside services.

use proptest::prelude::*;

use super::events::*;
use super::scene::Scene;
use crate::notifier::policy::Severity;
use crate::notifier::thread::{Reason, Run, Thread, ThreadKind};

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

/// A task of a launch of several, created at 10:00:00.
fn created(event: Event) -> Event {
    event.created("10:00:00.4")
}

#[test]
fn tasks_that_start_before_their_call_are_one_run() {
    let call = at("10:00:00", run("maya", "migrate", &["aa", "bb", "cc"], 0));
    let starts = [
        created(runs("10:00:20", "bb")),
        runs("10:00:21", "cc").created("10:00:01.9"),
        created(runs("10:00:25", "aa")),
    ];
    let mut scene = Scene::default();
    scene.play(&starts);
    // No message is written for each of them, with the call or without it.
    assert_eq!(scene.turns(), ["10:00:20 run opened running"]);
    scene.arrive("10:02:00", std::slice::from_ref(&call));
    for task in ["aa", "bb", "cc"] {
        scene.play(&[created(ends("10:03:00", task, FINISHED))]);
    }
    scene.finish();
    assert_eq!(
        scene.turns(),
        [
            "10:00:20 run opened running",
            "10:03:00 run stopped stopped"
        ]
    );
    let launch = the_run(&scene).launch.as_ref().unwrap();
    assert_eq!(launch.actor.as_deref(), Some("maya (role Operator)"));
    assert_eq!(launch.count, 3);
    // Also where they never started, so that their stops come first.
    let mut scene = Scene::default();
    scene.play(&[
        created(ends("10:00:40", "aa", IMAGE_PULL)),
        created(ends("10:00:41", "bb", IMAGE_PULL)),
    ]);
    let opened = scene
        .turns()
        .iter()
        .filter(|it| it.contains("opened"))
        .count();
    assert_eq!(opened, 1, "{:?}", scene.turns());
}

#[test]
fn other_tasks_are_other_runs() {
    let first = || created(runs("10:00:20", "aa"));
    let second = || created(runs("10:00:21", "bb"));
    for other in [
        second().with("startedBy", "ci"),
        second().with("group", "nightly"),
        second().created("10:00:11"),
        runs("10:00:21", "bb"),
        created(at("10:00:21", of_person("report", "RUNNING").of_task("bb"))),
    ] {
        let mut scene = Scene::default();
        scene.play(&[first(), other]);
        let opened = scene.turns().len();
        assert_eq!(opened, 2, "{:?}", scene.turns());
    }
}

/// Two calls within two seconds, whose events may come before, between and after those of their tasks.
fn two_launches() -> Vec<Event> {
    let of_task = |task: &str, ending| {
        [
            created(runs("10:00:20", task)),
            created(ends("10:05:00", task, ending)),
        ]
    };
    let calls = [
        at("10:00:00", run("maya", "migrate", &["aa", "bb"], 0)),
        at("10:00:01", run("noor", "migrate", &["cc", "dd"], 0)),
    ];
    let tasks = [
        of_task("aa", FINISHED),
        of_task("bb", EXITED_WITH_1),
        of_task("cc", FINISHED),
        of_task("dd", FINISHED),
    ];
    calls
        .into_iter()
        .chain(tasks.into_iter().flatten())
        .collect()
}

#[test]
fn the_calls_say_which_tasks_they_launched() {
    let [first, second, tasks @ ..] = &two_launches()[..] else {
        panic!("two calls and their tasks")
    };
    let mut scene = Scene::default();
    scene.arrive("10:06:00", tasks);
    // "bb" has failed in a message of all four.
    assert_eq!(scene.turns(), ["10:06:00 run opened stopped"]);
    scene.arrive("10:07:00", std::slice::from_ref(second));
    scene.arrive("10:08:00", std::slice::from_ref(first));
    scene.finish();
    assert_eq!(
        scene.turns(),
        ["10:06:00 run opened stopped", "10:07:00 run opened stopped"]
    );
    // The message of the second call is about its own task, and not about the one that failed.
    let opened = scene.actions.iter().find(|(_, it)| {
        it.turn.reason == Reason::Opened && it.thread.severity() == Severity::Success
    });
    let Some(Thread::Run(run)) = opened.map(|(_, it)| &it.thread) else {
        panic!("{:?}", scene.turns())
    };
    let shown = run.newest.as_ref().unwrap();
    let task = shown.notice.subject.task.as_deref();
    assert!(task.is_none_or(|it| it == "cc" || it == "dd"), "{task:?}");
    assert_eq!(
        run.launch.as_ref().unwrap().actor.as_deref(),
        Some("noor (role Operator)")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any order and any repetition of the events of two launches gives the same two runs.
    #[test]
    fn any_order_gives_the_same_runs(
        order in Just((0..10_usize).collect::<Vec<_>>()).prop_shuffle(),
        again in prop::collection::vec(0..10_usize, 0..6),
        batch in 1..4_usize,
    ) {
        let events = two_launches();
        let order: Vec<_> = order.into_iter().chain(again).map(|it| events[it].clone()).collect();
        let mut scene = Scene::default();
        for (number, batch) in order.chunks(batch).enumerate() {
            scene.arrive(&format!("10:06:{number:02}"), batch);
        }
        scene.finish();
        prop_assert_eq!(
            scene.outcome(),
            [
                "launch aa bb: run stopped critical 1 of 2 failed",
                "launch cc dd: run stopped success 0 of 2 failed",
            ]
        );
        prop_assert_eq!(scene.singles, Vec::<String>::new());
        // What a message shows is about a task or the call of its own run.
        for state in scene.states.values() {
            let Some(run) = &state.run else { continue };
            let shown = run.newest.as_ref().unwrap();
            let task = shown.notice.subject.task.as_deref();
            prop_assert!(task.is_none_or(|task| run.tasks.iter().any(|it| it.id == task)));
        }
    }
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

#[test]
fn a_run_is_not_counted_with_the_tasks_of_a_schedule() {
    let mut scene = Scene::default();
    let ended = |time: &str| at(time, of_schedule("migrate", FINISHED, "09:59:00"));
    scene.play(&[ended("10:00:00")]);
    scene.play(&[
        at("10:01:00", run("maya", "migrate", &["aa"], 0)),
        runs("10:01:20", "aa"),
        ends("10:02:00", "aa", FINISHED),
    ]);
    let counts = |scene: &Scene| match &scene.last(ThreadKind::Activity).thread {
        Thread::Activity(it) => it.total,
        other => panic!("{other:?}"),
    };
    scene.until("10:03:00");
    assert_eq!(counts(&scene), 1);
    scene.play(&[ended("10:04:00")]).until("10:05:00");
    assert_eq!(counts(&scene), 2);
}
