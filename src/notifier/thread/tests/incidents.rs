//! Incidents: one problem of one service, family or instance.

use super::events::*;
use super::scene::Scene;
use crate::notifier::thread::{Thread, ThreadKind, ThreadSettings};

fn oom(time: &str) -> Event {
    at(time, failed("mailer", OUT_OF_MEMORY))
}

fn incident(scene: &Scene) -> &crate::notifier::thread::Incident {
    match &scene.last(ThreadKind::Incident).thread {
        Thread::Incident(it) => it,
        other => panic!("{other:?}"),
    }
}

/// A failure every half minute.
fn crash_loop(scene: &mut Scene, from: u32, until: u32) {
    for half in from * 2..until * 2 {
        let time = format!(
            "{:02}:{:02}:{:02}",
            10 + half / 120,
            half / 2 % 60,
            half % 2 * 30
        );
        scene.play(&[oom(&time)]);
    }
}

#[test]
fn it_reminds_recovers_after_a_sign_and_ends() {
    let mut scene = Scene::default();
    crash_loop(&mut scene, 0, 20);
    scene.play(&[at("10:20:00", steady("mailer"))]).finish();
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 incident opened open",
            "10:05:00 incident reminder open",
            "10:15:00 incident reminder open",
            "10:20:00 incident learned recovering",
            "10:25:00 incident recovered resolved",
        ]
    );
    assert_eq!(incident(&scene).total, 40);
    assert_eq!(scene.singles, Vec::<String>::new());
}

#[test]
fn a_reminder_without_new_failures_is_left_out() {
    let mut scene = Scene::default();
    scene.play(&[oom("10:00:00"), oom("10:16:00")]).finish();
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 incident opened open",
            // 30 minutes without a sign and without a failure.
            "10:46:00 incident recovered resolved",
        ]
    );
    let mut scene = Scene::default();
    scene.play(&[oom("10:00:00"), oom("10:40:00"), oom("10:59:00")]);
    scene.finish();
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 incident opened open",
            "10:30:00 incident recovered resolved",
            "10:40:00 incident came_back open",
            "11:00:00 incident reminder open",
            "11:29:00 incident recovered resolved",
        ]
    );
}

#[test]
fn while_it_recovers_a_reminder_waits_for_the_next_failure() {
    let mut scene = Scene::default();
    scene.play(&[
        oom("10:00:00"),
        oom("10:04:00"),
        at("10:04:30", steady("mailer")),
    ]);
    scene.play(&[oom("10:07:00")]).until("10:10:00");
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 incident opened open",
            "10:04:30 incident learned recovering",
            "10:07:00 incident reminder open",
        ]
    );
}

#[test]
fn a_new_cause_and_the_first_critical_are_shown_at_once() {
    let mut scene = Scene::default();
    let failures = [
        at("10:00:00", failed("mailer", SPOT)),
        at("10:00:10", failed("mailer", SPOT)),
        oom("10:01:00"),
        oom("10:01:10"),
    ];
    scene.play(&failures);
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 incident opened open",
            "10:01:00 incident worse open"
        ]
    );
    let worse = scene.last(ThreadKind::Incident);
    assert!(worse.turn.urgent && worse.turn.mentions, "{:?}", worse.turn);
    assert_eq!(worse.turn.names, ["out_of_memory"]);
}

#[test]
fn equal_times_count_as_a_failure() {
    let mut scene = Scene::default();
    scene.play(&[oom("10:00:00"), at("10:00:00", steady("mailer"))]);
    scene.until("10:06:00");
    assert_eq!(scene.turns(), ["10:00:00 incident opened open"]);
    // A failure before the sign that comes after it does not undo the recovery.
    scene.play(&[at("10:07:00", steady("mailer"))]);
    scene
        .arrive("10:08:00", &[oom("10:06:30")])
        .until("10:20:00");
    assert_eq!(
        scene.turns()[1..],
        [
            "10:07:00 incident learned recovering",
            "10:13:00 incident recovered resolved"
        ]
    );
    assert_eq!(incident(&scene).total, 2);
}

#[test]
fn a_sign_that_comes_before_its_failure_counts() {
    let mut scene = Scene::default();
    scene.play(&[at("10:01:00", steady("mailer"))]);
    scene.arrive("10:01:10", &[oom("10:00:50")]).finish();
    assert_eq!(
        scene.turns(),
        [
            "10:01:10 incident opened recovering",
            "10:06:10 incident recovered resolved"
        ]
    );
}

#[test]
fn it_comes_back_at_most_every_five_minutes_and_waits_longer() {
    let mut scene = Scene::default();
    let steady = |time: &str| at(time, steady("mailer"));
    scene.play(&[oom("10:00:00"), steady("10:01:00"), oom("10:10:00")]);
    scene.play(&[steady("10:11:00")]).until("10:20:00");
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 incident opened open",
            "10:01:00 incident learned recovering",
            "10:06:00 incident recovered resolved",
            "10:10:00 incident came_back open",
            "10:11:00 incident learned recovering",
        ]
    );
    let back = scene.actions.iter().find(|(_, it)| it.turn.after.is_some());
    let back = &back.unwrap().1.turn;
    // Four minutes after the resolution.
    assert_eq!((back.after, back.urgent), (Some(240_000), true));
    scene.until("10:21:00");
    assert_eq!(
        scene.turns().last().unwrap(),
        "10:21:00 incident recovered resolved"
    );
    scene
        .play(&[oom("10:22:00"), steady("10:22:30")])
        .until("10:42:31");
    // The third wait is 20 minutes.
    assert_eq!(
        scene.turns()[6..],
        [
            "10:22:00 incident came_back open",
            "10:22:30 incident learned recovering",
            "10:42:30 incident recovered resolved"
        ]
    );
    assert_eq!(incident(&scene).returns, 2);
    // More than half an hour later it is another incident.
    scene.play(&[oom("11:13:00")]);
    assert_eq!(
        scene.turns().last().unwrap(),
        "11:13:00 incident opened open"
    );
}

#[test]
fn returns_that_come_quickly_are_shown_once() {
    let settings = ThreadSettings {
        resolve_after: std::time::Duration::from_secs(10),
        ..ThreadSettings::default()
    };
    let mut scene = Scene::with(settings);
    for minute in 0..4 {
        scene.play(&[
            oom(&format!("10:{minute:02}:00")),
            at(&format!("10:{minute:02}:01"), steady("mailer")),
        ]);
    }
    scene.until("10:10:00");
    let turns = scene.turns();
    let back: Vec<_> = turns.iter().filter(|it| it.contains("came_back")).collect();
    assert_eq!(back, ["10:01:00 incident came_back open"]);
}

#[test]
fn without_timers_the_end_is_shown_with_the_next_event() {
    let mut scene = Scene::default();
    scene.play(&[oom("10:00:00")]);
    let key = scene
        .states
        .keys()
        .find(|it| it.name == "mailer")
        .unwrap()
        .clone();
    // No timer fires: the next failure comes hours later.
    let mut later = Scene {
        states: std::mem::take(&mut scene.states),
        ..Scene::default()
    };
    later.play(&[oom("13:00:00")]);
    assert_eq!(
        later.turns(),
        [
            "13:00:00 incident recovered resolved",
            "13:00:00 incident opened open"
        ]
    );
    // A timer that comes twice does no harm.
    let key = std::slice::from_ref(&key);
    later.step(&[], key);
    later.step(&[], key);
    assert_eq!(later.actions.len(), 2);
}

#[test]
fn where_aws_may_be_asked_a_service_must_run_all_its_tasks() {
    let settings = ThreadSettings {
        may_ask: true,
        ..ThreadSettings::default()
    };
    let mut scene = Scene::with(settings);
    scene.counts = Some((2, 3));
    scene.play(&[oom("10:00:00")]).until("10:59:00");
    assert_eq!(scene.turns(), ["10:00:00 incident opened open"]);
    scene.counts = Some((3, 3));
    scene.until("11:01:00");
    assert_eq!(scene.turns()[1..], ["11:00:00 incident recovered resolved"]);
    assert_eq!(incident(&scene).counts, Some((3, 3)));
}

#[test]
fn a_family_needs_a_good_end_and_half_an_hour() {
    let job = |time: &str, ending, started: &str| at(time, of_schedule("report", ending, started));
    let mut scene = Scene::default();
    scene.play(&[
        job("10:00:00", EXITED_WITH_1, "09:55:00"),
        // It started before the failure, so it says nothing.
        job("10:01:00", FINISHED, "09:59:00"),
        job("10:10:00", FINISHED, "10:05:00"),
        job("10:11:00", FINISHED, "10:06:00"),
    ]);
    scene.until("12:00:00");
    assert_eq!(
        scene.turns_of(ThreadKind::Incident),
        [
            "10:00:00 opened open",
            "10:10:00 learned recovering",
            "10:30:00 recovered resolved"
        ]
    );
    // While it fails, its good ends have no message of their own.
    assert!(scene.turns_of(ThreadKind::Activity).is_empty());
    // A nightly job: with the next good night.
    let mut scene = Scene::default();
    scene
        .play(&[job("01:00:00", EXITED_WITH_1, "00:55:00")])
        .until("22:00:00");
    assert_eq!(
        scene.turns_of(ThreadKind::Incident),
        ["01:00:00 opened open"]
    );
    let next = job("23:10:00", FINISHED, "23:00:00");
    scene.play(&[next.clone(), next]);
    assert_eq!(
        scene.turns(),
        [
            "01:00:00 incident opened open",
            "23:10:00 incident recovered resolved"
        ]
    );
    assert_eq!(scene.singles, Vec::<String>::new());
}

#[test]
fn what_a_schedule_cannot_launch_is_an_incident_of_its_family() {
    let refused = |event: Event| {
        event
            .with("errorCode", "AccessDenied")
            .with("responseElements", serde_json::Value::Null)
    };
    for (event, expected) in [
        (by_schedule(run("x", "report", &[], 1)), true),
        (by_schedule(run("x", "report", &["aa"], 1)), true),
        (refused(by_schedule(run("x", "report", &[], 0))), true),
        (run("maya", "report", &[], 1), false),
        (refused(run("maya", "report", &[], 0)), false),
    ] {
        let mut scene = Scene::default();
        scene.play(&[at("10:00:00", event.clone())]);
        let expected = match expected {
            true => vec!["10:00:00 incident opened open"],
            false => vec![],
        };
        assert_eq!(scene.turns(), expected, "{event:?}");
    }
}

#[test]
fn an_instance_waits_for_its_ok_or_its_end() {
    let impaired = || at("10:00:00", health("aa", "IMPAIRED"));
    let mut scene = Scene::default();
    scene.play(&[impaired()]).until("23:00:00");
    assert_eq!(scene.turns(), ["10:00:00 incident opened open"]);
    let mut scene = Scene::default();
    scene
        .play(&[impaired(), at("10:10:00", health("aa", "OK"))])
        .finish();
    assert_eq!(
        scene.turns()[1..],
        [
            "10:10:00 incident learned recovering",
            "10:15:00 incident recovered resolved"
        ]
    );
    let mut scene = Scene::default();
    scene.play(&[impaired(), at("10:10:00", instance("aa", "INACTIVE"))]);
    assert_eq!(
        scene.turns_of(ThreadKind::Incident)[1..],
        ["10:10:00 recovered resolved"]
    );
    assert_eq!(incident(&scene).causes[0].name, "AGENT_CONNECTIVITY");
}

#[test]
fn a_deleted_service_has_no_problem() {
    let mut scene = Scene::default();
    let deleted = at("10:05:30", on_service("noor", "DeleteService", "mailer"));
    scene.play(&[oom("10:05:00"), deleted.clone(), deleted, oom("10:06:00")]);
    scene.finish();
    assert_eq!(
        scene.turns(),
        [
            "10:05:00 incident opened open",
            "10:05:30 incident recovered resolved"
        ]
    );
    let it = incident(&scene);
    // Its last task counts, and is no new incident.
    assert_eq!(
        (it.deleted_by.as_deref(), it.total),
        (Some("noor (role Operator)"), 2)
    );
    assert_eq!(scene.singles, Vec::<String>::new());
}

#[test]
fn a_service_made_anew_starts_afresh() {
    let mut scene = Scene::default();
    let deleted = at("10:05:30", on_service("noor", "DeleteService", "mailer"));
    scene.play(&[oom("10:05:00"), deleted.clone()]);
    scene.play(&[
        at("10:07:00", create("noor", "mailer", "ecs-svc/9")),
        oom("10:08:00"),
    ]);
    let expected = [
        "10:05:00 incident opened open",
        "10:05:30 incident recovered resolved",
        "10:07:00 deployment opened in_progress",
        "10:08:00 incident opened open",
    ];
    assert_eq!(scene.turns(), expected);
    // The trail tells of the deletion again, and late.
    scene.arrive("10:09:00", &[deleted]);
    assert_eq!(scene.turns(), expected);
}

#[test]
fn it_says_what_happened_before() {
    let mut scene = Scene::default();
    scene.play(&[
        at("09:00:00", update("jonas", "mailer", "6", "ecs-svc/6")),
        at("09:40:00", update("maya", "mailer", "7", "ecs-svc/7")),
        at("09:58:30", stop_task("noor", "mailer", "cc")),
        at("09:50:00", stop_task("jonas", "mailer", "dd")),
        oom("10:00:00"),
        at("10:01:00", stop_task("noor", "mailer", "ee")),
        at("10:02:00", update("jonas", "mailer", "8", "ecs-svc/8")),
        oom("10:03:00"),
    ]);
    scene.until("10:06:00");
    let it = incident(&scene);
    let since = it.since_deployment.as_ref().unwrap();
    assert_eq!(since.task_definition.as_deref(), Some("mailer:7"));
    assert_eq!(since.actor.as_deref(), Some("maya (role Operator)"));
    let touches: Vec<_> = it.touches.iter().map(|it| it.call.as_str()).collect();
    assert_eq!(touches, ["StopTask", "StopTask"]);
    // Calls are posted by themselves.
    assert_eq!(scene.singles.len(), 3);
    // A deployment long before is not mentioned.
    let mut scene = Scene::default();
    scene.play(&[
        at("09:00:00", update("maya", "mailer", "7", "ecs-svc/7")),
        oom("10:00:00"),
    ]);
    assert_eq!(incident(&scene).since_deployment, None);
}

#[test]
fn who_deployed_may_be_learned_late() {
    let mut scene = Scene::default();
    scene.play(&[
        at("10:00:02", begun("mailer", "ecs-svc/7")),
        oom("10:00:50"),
    ]);
    scene.arrive(
        "10:05:00",
        &[at("10:00:00", update("maya", "mailer", "7", "ecs-svc/7"))],
    );
    scene.until("10:06:00");
    let since = incident(&scene).since_deployment.as_ref().unwrap();
    assert_eq!(since.actor.as_deref(), Some("maya (role Operator)"));
}

#[test]
fn what_they_have_in_common_is_said_from_three_on() {
    let mut scene = Scene::default();
    let elsewhere = at("09:00:00", started("mailer").in_zone("eu-west-1b"));
    scene.play(&[elsewhere, oom("10:00:00"), oom("10:00:31")]);
    assert_eq!(incident(&scene).common, []);
    scene.play(&[oom("10:01:02")]).until("10:02:00");
    let common: Vec<_> = incident(&scene)
        .common
        .iter()
        .map(|it| (it.fact.as_str(), it.value.as_str(), it.count, it.of))
        .collect();
    // All tasks are of one revision, so only the zone is said.
    assert_eq!(common, [("zone", "eu-west-1a", 3, 3)]);
}

#[test]
fn an_event_that_comes_again_is_counted_once() {
    let mut scene = Scene::default();
    let failure = oom("10:00:00");
    scene.play(&[failure.clone(), failure.clone()]);
    scene.arrive("10:01:00", &[failure.clone(), failure, oom("10:00:50")]);
    scene.until("10:02:00");
    assert_eq!(incident(&scene).total, 2);
    // A thousand at once are counted.
    let batch: Vec<_> = (0..1_000).map(|_| oom("10:03:00")).collect();
    scene.arrive("10:03:05", &batch).until("10:03:40");
    assert_eq!(incident(&scene).total, 1_002);
}

#[test]
fn an_event_from_yesterday_is_posted_by_itself() {
    let mut scene = Scene::default();
    let Event(mut old) = oom("10:00:00");
    old["detail"]["stoppedAt"] = "2026-11-11T09:00:00Z".into();
    scene.play(&[oom("10:00:00"), Event(old)]);
    assert_eq!(scene.singles, ["task_stopped"]);
    assert_eq!(incident(&scene).total, 1);
    // Alone it is an incident, which ends soon.
    let Event(mut old) = oom("10:00:00");
    old["detail"]["stoppedAt"] = "2026-11-11T09:00:00Z".into();
    let mut scene = Scene::default();
    scene.play(&[Event(old)]).finish();
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 incident opened open",
            "10:05:00 incident recovered resolved"
        ]
    );
}

#[test]
fn an_event_without_time_happens_when_it_arrives() {
    let timeless = |event: Event| {
        let Event(mut value) = event;
        value["time"] = serde_json::Value::Null;
        for field in ["stoppedAt", "updatedAt", "startedAt"] {
            value["detail"][field] = serde_json::Value::Null;
        }
        Event(value)
    };
    let mut scene = Scene::default();
    let sign = timeless(at("10:01:00", steady("mailer")));
    scene.arrive("10:00:00", &[timeless(oom("10:00:00"))]);
    scene.arrive("10:01:00", std::slice::from_ref(&sign));
    scene.arrive("10:02:00", &[timeless(oom("10:02:00"))]);
    // It comes again, and is still older than the failure.
    scene.arrive("10:03:00", &[sign]).until("10:04:00");
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 incident opened open",
            "10:01:00 incident learned recovering",
            "10:02:00 incident learned open",
        ]
    );
}

#[test]
fn an_urgent_event_of_an_unknown_type_belongs_to_the_service() {
    let mut scene = Scene::default();
    scene.play(&[at("10:00:00", action("mailer", "SERVICE_MELTED", "ERROR"))]);
    assert_eq!(scene.turns(), ["10:00:00 incident opened open"]);
    assert_eq!(incident(&scene).causes[0].name, "SERVICE_MELTED");
}

#[test]
fn a_stop_by_hand_is_named_in_the_incident_of_a_family_too() {
    let fails = |time| at(time, of_schedule("report", EXITED_WITH_1, "09:59:00"));
    let by_person = |time, started_by| at(time, stop_task_of("maya", "report", "4a", started_by));
    let schedule = "chronos-schedule/x";
    let stopped = || {
        at(
            "10:02:30",
            of_schedule("report", BY_PERSON, "10:01:00").of_task("4a"),
        )
    };
    let mut scene = Scene::default();
    scene.play(&[
        at("09:59:00", stop_task_of("noor", "report", "3f", schedule)),
        fails("10:00:00"),
        by_person("10:02:00", schedule),
        // The call was posted, so the stop is not.
        stopped(),
        fails("10:03:00"),
    ]);
    assert_eq!(scene.singles, ["stop_task", "stop_task"]);
    let touches = incident(&scene).touches.iter();
    let touches: Vec<_> = touches.map(|it| it.actor.as_deref().unwrap()).collect();
    assert_eq!(touches, ["noor (role Operator)", "maya (role Operator)"]);
    assert_eq!(incident(&scene).total, 2);
    // A call that comes again is still posted by itself: the table may have failed before it was.
    scene.play(&[by_person("10:02:00", schedule)]);
    assert_eq!(scene.singles.len(), 3);
    // A stop without a call is posted, and another launch of the family is not the schedule's.
    let mut scene = Scene::default();
    scene.play(&[fails("10:00:00"), by_person("10:02:00", "maya"), stopped()]);
    scene.play(&[fails("10:03:00")]).until("10:04:00");
    assert_eq!(incident(&scene).touches, []);
    assert_eq!(
        scene.outcome(),
        ["family report: incident open critical application_exit 2"]
    );
    // The stop alone opens no incident.
    let mut scene = Scene::default();
    scene.play(&[by_person("10:02:00", schedule)]);
    assert_eq!((scene.turns(), scene.singles.len()), (vec![], 1));
}

#[test]
fn what_a_placement_lacks_is_said_until_it_differs() {
    let name = "SERVICE_TASK_PLACEMENT_FAILURE";
    let lacks = |time, reason| at(time, action("mailer", name, "ERROR").with("reason", reason));
    let words = |scene: &Scene| incident(scene).causes[0].words.clone();
    let mut scene = Scene::default();
    scene.play(&[
        lacks("10:00:00", "RESOURCE:CPU"),
        lacks("10:01:00", "RESOURCE:CPU"),
    ]);
    assert_eq!(words(&scene).as_deref(), Some("not enough free CPU"));
    // Also one that comes late.
    scene.arrive("10:02:00", &[lacks("10:00:30", "RESOURCE:MEMORY")]);
    scene
        .play(&[lacks("10:03:00", "RESOURCE:MEMORY")])
        .until("10:04:00");
    assert_eq!((words(&scene), incident(&scene).causes[0].count), (None, 4));
}

fn deployed(time: &str, revision: &str) -> [Event; 2] {
    let (call_at, end_at) = (format!("{time}:00"), format!("{time}:40"));
    let id = format!("ecs-svc/{revision}");
    [
        at(&call_at, update("maya", "mailer", revision, &id)),
        at(&end_at, completed("mailer", &id)),
    ]
}

/// The reader was told that the new revision is deployed, and would take the problem for solved.
#[test]
fn a_failure_after_the_deployment_that_was_to_end_it_is_a_turn() {
    let fails = |time: &str, revision: &str| {
        let definition = format!("arn:aws:ecs:eu-west-1:1:task-definition/mailer:{revision}");
        at(
            time,
            failed("mailer", OUT_OF_MEMORY).with("taskDefinitionArn", definition),
        )
    };
    let mut scene = Scene::default();
    for minute in 0..4 {
        scene.play(&[fails(&format!("10:0{minute}:00"), "7")]);
    }
    scene.play(&deployed("10:06", "8"));
    // A task of the old revision says nothing about the new one.
    scene.play(&[fails("10:06:50", "7")]);
    let worse = |scene: &Scene| {
        let turns = scene.turns_of(ThreadKind::Incident).into_iter();
        turns.filter(|it| it.contains("worse")).collect::<Vec<_>>()
    };
    assert_eq!(worse(&scene), Vec::<String>::new());
    for minute in 7..10 {
        scene.play(&[fails(&format!("10:0{minute}:30"), "8")]);
    }
    assert_eq!(worse(&scene), ["10:07:30 worse open"]);
    let it = incident(&scene);
    assert_eq!(it.setback.as_ref().unwrap().revision, "mailer:8");
    // What they have in common is asked of the failures since then.
    let revision = it.common.iter().find(|it| it.fact == "revision");
    assert_eq!(
        revision.map(|it| (it.value.as_str(), it.count, it.of)),
        Some(("mailer:8", 3, 3))
    );
}

#[test]
fn the_newest_failure_may_be_one_of_the_scheduler() {
    let mut scene = Scene::default();
    let name = |scene: &Scene| {
        let newest = incident(scene).newest.as_ref().unwrap();
        newest.notice.kind.to_string()
    };
    scene.play(&[at("10:00:00", failed("mailer", OUT_OF_MEMORY))]);
    // It only follows from the failures of tasks.
    scene.play(&[at(
        "10:00:30",
        action("mailer", "SERVICE_TASK_START_IMPAIRED", "WARN"),
    )]);
    assert_eq!(name(&scene), "task_stopped");
    scene.play(&[at(
        "10:01:00",
        action("mailer", "SERVICE_TASK_PLACEMENT_FAILURE", "ERROR"),
    )]);
    assert_eq!(name(&scene), "service_action");
    scene.play(&[at("10:02:00", failed("mailer", OUT_OF_MEMORY))]);
    assert_eq!(name(&scene), "task_stopped");
}

#[test]
fn a_return_counts_what_failed_since() {
    let mut scene = Scene::default();
    for second in 0..4 {
        scene.play(&[at(
            &format!("10:00:0{second}"),
            failed("mailer", OUT_OF_MEMORY),
        )]);
    }
    scene.play(&[at("10:01:00", steady("mailer"))]);
    scene.play(&[at("10:10:00", failed("mailer", IMAGE_PULL))]);
    scene.play(&[at("10:10:20", failed("mailer", OUT_OF_MEMORY))]);
    scene.until("10:11:00");
    let counts: Vec<_> = incident(&scene)
        .causes
        .iter()
        .map(|it| (it.name.as_str(), it.count, it.before))
        .collect();
    assert_eq!(counts, [("out_of_memory", 5, 4), ("image_pull", 1, 0)]);
}

#[test]
fn a_second_steady_state_does_not_prolong_the_wait() {
    let mut scene = Scene::default();
    scene.play(&[at("10:00:00", failed("mailer", OUT_OF_MEMORY))]);
    scene.play(&[
        at("10:01:00", steady("mailer")),
        at("10:05:00", steady("mailer")),
    ]);
    scene.finish();
    assert_eq!(
        scene.turns().last().unwrap(),
        "10:06:00 incident recovered resolved"
    );
}
