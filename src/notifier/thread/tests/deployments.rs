//! Deployments: one message from the call to the end.

use super::events::*;
use super::scene::Scene;
use crate::notifier::thread::{Deployment, Replacement, Thread, ThreadKind, ThreadState};

const ID: &str = "ecs-svc/7";
const OLD: &str = "ecs-svc/1";

fn deployment_of(scene: &Scene) -> &Deployment {
    match &scene.last(ThreadKind::Deployment).thread {
        Thread::Deployment(it) => it,
        other => panic!("{other:?}"),
    }
}

fn called(time: &str) -> Event {
    at(time, update("maya", "web", "8", ID))
}

#[test]
fn it_begins_counts_and_ends() {
    let mut scene = Scene::default();
    scene.play(&[called("10:00:00"), at("10:00:02", begun("web", ID))]);
    for second in 10..13 {
        scene.play(&[at(
            &format!("10:00:{second}"),
            started("web").by_deployment(ID),
        )]);
        scene.play(&[at(&format!("10:01:{second}"), scaled_in("web"))]);
    }
    scene.play(&[at("10:03:00", completed("web", ID))]).finish();
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 deployment opened in_progress",
            "10:03:00 deployment completed completed"
        ]
    );
    let it = deployment_of(&scene);
    assert_eq!((it.tasks.started, it.tasks.ended), (3, 0));
    assert_eq!(it.to.as_deref(), Some("web:8"));
    assert_eq!(scene.singles, Vec::<String>::new());
    // A service that scales later does not touch the message.
    let before = scene.actions.len();
    scene
        .play(&[at("11:00:00", started("web").by_deployment(ID))])
        .finish();
    assert_eq!(scene.actions.len(), before);
}

#[test]
fn a_call_that_changes_the_count_alone_is_no_deployment() {
    let mut scene = Scene::default();
    scene.play(&[at("10:00:00", scale("maya", "web", 5, OLD))]);
    assert_eq!((scene.turns().len(), scene.singles.len()), (0, 1));
    // The answer names a deployment that has just begun.
    let mut scene = Scene::default();
    let Event(mut event) = at("10:00:30", scale("jonas", "web", 8, ID));
    let primary = &mut event["detail"]["responseElements"]["service"]["deployments"][0];
    primary["createdAt"] = "2026-11-12T10:00:00Z".into();
    scene.play(&[called("10:00:00"), Event(event)]);
    assert_eq!((scene.turns().len(), scene.singles.len()), (1, 1));
}

#[test]
fn it_takes_the_count_that_a_person_sets() {
    let mut scene = Scene::default();
    scene.play(&[
        called("10:00:00"),
        at("10:01:00", scale("jonas", "web", 8, ID)),
        at("10:03:00", completed("web", ID)),
    ]);
    assert_eq!(deployment_of(&scene).desired, Some(8));
}

#[test]
fn a_recovery_names_the_deployment_after_the_last_failure() {
    for (last_failure, expected) in [("10:02:00", Some("web:8")), ("10:06:00", None)] {
        let mut scene = Scene::default();
        scene.play(&[
            at("09:59:00", failed("web", OUT_OF_MEMORY)),
            called("10:00:00"),
            at("10:02:00", failed("web", OUT_OF_MEMORY)),
            at("10:05:00", completed("web", ID)),
        ]);
        if last_failure == "10:06:00" {
            scene.play(&[at(last_failure, failed("web", OUT_OF_MEMORY))]);
        }
        scene.play(&[at("10:07:00", steady("web"))]).finish();
        let Thread::Incident(it) = &scene.last(ThreadKind::Incident).thread else {
            panic!("no incident");
        };
        let with = it.recovered_with().map(|it| it.revision.as_str());
        assert_eq!(with, expected, "{last_failure}");
    }
}

#[test]
fn a_hook_that_times_out_after_its_wait_is_urgent() {
    let mut scene = Scene::default();
    scene.play(&[
        called("10:00:00"),
        at("10:01:00", hook("web", "HOOK_AWAITING_ACTION")),
        at("10:31:00", hook("web", "HOOK_TIMED_OUT")),
    ]);
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 deployment opened in_progress",
            "10:01:00 deployment waits waiting",
            "10:31:00 deployment hook_failed in_progress",
        ]
    );
    assert!(scene.last(ThreadKind::Deployment).turn.urgent);
}

#[test]
fn a_person_stops_it() {
    for (stop_type, turns, singles) in [("ROLLBACK", 2, 0), ("ABORT", 1, 1)] {
        let mut scene = Scene::default();
        let stop = stop_deployment("noor", "web", stop_type);
        scene.play(&[called("10:00:00"), at("10:02:00", stop)]);
        let found = (scene.turns().len(), scene.singles.len());
        assert_eq!(found, (turns, singles), "{stop_type}");
        if turns == 2 {
            let reason = deployment_of(&scene).rollback.clone().unwrap().reason;
            assert_eq!(
                reason.as_deref(),
                Some("noor (role Operator) rolled it back")
            );
        }
    }
}

/// What ran before a deployment is the last revision that completed, whatever was tried since.
#[test]
fn it_comes_from_the_revision_that_completed() {
    let called = |time, revision: &str, id: &str| at(time, update("maya", "web", revision, id));
    let newest = |time, state| {
        at(
            time,
            during(update("maya", "web", "9", "ecs-svc/9"), "8", ID, state),
        )
    };
    let first = at(
        "09:00:00",
        during(update("maya", "web", "8", ID), "7", OLD, "COMPLETED"),
    );
    let failed = || {
        at(
            "09:06:00",
            deployment("web", "FAILED", ID, "tasks failed to start."),
        )
    };
    let from = |events: &[Event]| {
        let mut scene = Scene::default();
        scene.play(events);
        deployment_of(&scene).from.clone()
    };
    let seven = Some("web:7".to_owned());
    // Only the first call's answer has named it.
    assert_eq!(
        from(&[first.clone(), failed(), newest("10:00:00", "FAILED")]),
        seven
    );
    assert_eq!(
        from(&[first.clone(), newest("10:00:00", "IN_PROGRESS")]),
        seven
    );
    // No call, and no answer, names it again.
    let begun = at("10:00:00", begun("web", "ecs-svc/9"));
    assert_eq!(from(&[first.clone(), failed(), begun.clone()]), seven);
    let done = at("09:05:00", completed("web", ID));
    let eight = Some("web:8".to_owned());
    assert_eq!(from(&[first.clone(), done.clone(), begun]), eight);
    assert_eq!(
        from(&[first.clone(), done, newest("10:00:00", "COMPLETED")]),
        eight
    );
    // A person goes back to it: the revision that failed is replaced.
    let back = update("maya", "web", "7", "ecs-svc/11");
    let back = at("10:00:00", during(back, "8", ID, "IN_PROGRESS"));
    assert_eq!(from(&[first.clone(), back]), Some("web:8".to_owned()));
    // Two failed ones, one after the other.
    let more = called("11:00:00", "10", "ecs-svc/10");
    assert_eq!(
        from(&[first, failed(), newest("10:00:00", "FAILED"), more]),
        seven
    );
}

/// ECS rolls back to the last deployment that completed, which may not be the one before.
#[test]
fn a_rollback_names_the_revision_that_completed() {
    let newest = |id: &str| during(update("maya", "web", "9", "ecs-svc/9"), "8", ID, id);
    for (completes, state, from, expected) in [
        (true, "COMPLETED", "web:8", Some("web:8")),
        (true, "IN_PROGRESS", "web:7", Some("web:7")),
        (true, "FAILED", "web:7", Some("web:7")),
        // Nothing is known that completed.
        (false, "FAILED", "web:8", None),
    ] {
        let mut scene = Scene::default();
        if completes {
            let before = update("maya", "web", "7", OLD);
            scene.play(&[
                at("09:00:00", before),
                at("09:05:00", completed("web", OLD)),
            ]);
        }
        scene.play(&[
            called("10:00:00"),
            at("10:05:00", newest(state)),
            at("10:08:00", breaks("web", "ecs-svc/9")),
        ]);
        let it = deployment_of(&scene);
        assert_eq!(it.from.as_deref(), Some(from), "{state}");
        assert_eq!(it.goes_back_to(), expected, "{state}");
    }
    // The event names the id of the deployment that runs again.
    let mut scene = Scene::default();
    let first = during(update("maya", "web", "8", ID), "7", OLD, "COMPLETED");
    scene.play(&[
        at("10:00:00", first),
        at("10:05:00", newest("IN_PROGRESS")),
        at("10:08:00", breaks("web", "ecs-svc/9")),
        at("10:08:01", rolling_back("web", OLD)),
    ]);
    assert_eq!(deployment_of(&scene).goes_back_to(), Some("web:7"));
}

#[test]
fn its_failures_are_counted_in_both() {
    let mut scene = Scene::default();
    scene.play(&[
        called("10:00:00"),
        at("10:01:00", failed("web", IMAGE_PULL).by_deployment(ID)),
        at("10:02:00", failed("web", OUT_OF_MEMORY).by_deployment(ID)),
        // An older task is none of it.
        at("10:03:00", failed("web", OUT_OF_MEMORY).by_deployment(OLD)),
    ]);
    scene.until("10:04:00");
    let causes: Vec<_> = deployment_of(&scene).causes.iter().collect();
    assert_eq!(causes, [("image_pull", 1), ("out_of_memory", 1)]);
    assert_eq!(deployment_of(&scene).tasks.failed, 2);
    match &scene.last(ThreadKind::Incident).thread {
        Thread::Incident(it) => assert_eq!(it.total, 3),
        other => panic!("{other:?}"),
    }
}

fn rollback() -> Vec<Event> {
    vec![
        called("10:00:00"),
        at("10:00:02", begun("web", ID)),
        at("10:05:00", breaks("web", ID)),
        at("10:05:01", rolling_back("web", OLD)),
        at("10:06:00", completed("web", OLD)),
    ]
}

#[test]
fn a_rollback_continues_it() {
    let mut scene = Scene::default();
    scene.play(&rollback());
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 deployment opened in_progress",
            "10:05:00 deployment failed failed",
            // The failure has alerted everybody.
            "10:05:01 deployment learned rolling_back",
            "10:06:00 deployment rolled_back failed",
        ]
    );
    assert!(deployment_of(&scene).is_rolled_back());
    // In one batch they are one turn.
    let mut scene = Scene::default();
    let events = rollback();
    scene.play(&events[..2]).arrive("10:05:05", &events[2..4]);
    assert_eq!(
        scene.turns()[1..],
        ["10:05:05 deployment rolls_back rolling_back"]
    );
    let turn = &scene.last(ThreadKind::Deployment).turn;
    assert!(turn.urgent && turn.mentions);
}

#[test]
fn any_order_of_a_rollback_gives_the_same_end() {
    let events = rollback();
    for order in permutations(events.len()) {
        let mut scene = Scene::default();
        for (second, index) in order.iter().enumerate() {
            let at = format!("10:10:{second:02}");
            scene.arrive(&at, std::slice::from_ref(&events[*index]));
        }
        scene.finish();
        let states: Vec<_> = scene
            .states
            .values()
            .filter_map(|it| it.deployment.as_deref())
            .collect();
        let [it] = states.as_slice() else {
            panic!("{order:?}");
        };
        assert_eq!(it.state().to_string(), "failed", "{order:?}");
        assert!(it.is_rolled_back(), "{order:?}");
        assert_eq!(it.to.as_deref(), Some("web:8"), "{order:?}");
        assert_eq!(scene.singles, Vec::<String>::new(), "{order:?}");
        assert!(
            scene.states.values().all(|it| it.replaced.is_none()),
            "{order:?}"
        );
    }
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for order in permutations(count - 1) {
        for place in 0..=order.len() {
            let mut order = order.clone();
            order.insert(place, count - 1);
            all.push(order);
        }
    }
    all
}

#[test]
fn seen_first_at_its_end_it_is_one_message() {
    let mut scene = Scene::default();
    scene.play(&[at("10:05:00", completed("web", ID))]);
    assert_eq!(scene.turns(), ["10:05:00 deployment opened completed"]);
    // What comes late is an edit.
    scene.arrive("10:05:10", &[at("10:00:02", begun("web", ID))]);
    scene.arrive("10:06:00", &[called("10:00:00")]).finish();
    assert_eq!(scene.turns().len(), 1);
    let it = deployment_of(&scene);
    assert_eq!(it.actor.as_deref(), Some("maya (role Operator)"));
    assert_eq!(scene.edits(), 1);
}

#[test]
fn a_newer_deployment_ends_it() {
    let mut scene = Scene::default();
    scene.play(&[called("10:00:00")]);
    scene.play(&[at("10:05:00", update("maya", "web", "9", "ecs-svc/9"))]);
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 deployment opened in_progress",
            "10:05:00 deployment learned replaced",
            "10:05:00 deployment opened in_progress",
        ]
    );
    let replaced = match &scene.actions[1].1.thread {
        Thread::Deployment(it) => it.replaced_by.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(replaced, Some(Replacement::Revision("web:9".to_owned())));
    // What the older one still says does not touch the newer one.
    scene.arrive("10:06:00", &[at("10:04:00", breaks("web", ID))]);
    scene.arrive("10:06:10", &[at("10:04:01", rolling_back("web", OLD))]);
    let states: Vec<_> = scene
        .states
        .values()
        .flat_map(|it| [&it.deployment, &it.replaced])
        .flatten()
        .map(|it| format!("{} {}", it.to.as_deref().unwrap_or_default(), it.state()))
        .collect();
    assert_eq!(states, ["web:9 in_progress", "web:8 rolling_back"]);
    assert_eq!(scene.turns()[3], "10:06:00 deployment failed failed");
}

#[test]
fn several_newer_deployments_in_one_batch_end_it_too() {
    let mut scene = Scene::default();
    scene.play(&[called("10:00:00")]);
    let newer = |second: &str, revision: &str| {
        let id = format!("ecs-svc/{revision}");
        at(second, update("maya", "web", revision, &id))
    };
    let batch = ["9", "10", "11"];
    let batch = batch.map(|it| newer(&format!("10:05:{it:0>2}"), it));
    scene.arrive("10:05:20", &batch);
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 deployment opened in_progress",
            "10:05:20 deployment learned replaced",
            "10:05:20 deployment opened replaced",
            "10:05:20 deployment opened replaced",
            "10:05:20 deployment opened in_progress",
        ]
    );
}

#[test]
fn after_a_day_it_closes_in_its_last_state() {
    let mut scene = Scene::default();
    scene.play(&[called("10:00:00")]).finish();
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 deployment opened in_progress",
            "10:00:00 deployment learned in_progress"
        ]
    );
    assert!(deployment_of(&scene).is_closed);
}

/// Its event may come from a dead-letter queue.
#[test]
fn a_deployment_that_is_heard_of_a_day_late_is_open_for_a_day() {
    let mut scene = Scene::default();
    scene.arrive("2026-11-15T10:00:00Z", &[called("10:00:00")]);
    assert!(!deployment_of(&scene).is_closed);
    scene.until("2026-11-16T09:59:59Z");
    assert_eq!(scene.turns(), ["10:00:00 deployment opened in_progress"]);
    scene.until("2026-11-16T10:00:00Z");
    assert!(deployment_of(&scene).is_closed);
}

#[test]
fn a_hook_waits_for_a_person() {
    let mut scene = Scene::default();
    let answer = at("10:16:00", continue_deployment("maya", "web"));
    scene.play(&[
        called("10:00:00"),
        at("10:01:00", hook("web", "HOOK_IN_PROGRESS")),
        at("10:02:00", hook("web", "HOOK_AWAITING_ACTION")),
        answer.clone(),
        answer,
        at("10:20:00", completed("web", ID)),
    ]);
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 deployment opened in_progress",
            "10:02:00 deployment waits waiting",
            "10:16:00 deployment continued in_progress",
            "10:20:00 deployment completed completed",
        ]
    );
    assert_eq!(scene.singles, Vec::<String>::new());
    let urgent = scene.actions.iter().filter(|(_, it)| it.turn.urgent);
    assert_eq!(urgent.count(), 1);
}

#[test]
fn a_hook_that_fails_last_belongs_to_the_failed_deployment() {
    let mut scene = Scene::default();
    scene.play(&[
        called("10:00:00"),
        at("10:02:00", breaks("web", ID)),
        at("10:02:01", hook("web", "HOOK_FAILED")),
    ]);
    assert_eq!(
        scene.turns(),
        [
            "10:00:00 deployment opened in_progress",
            "10:02:00 deployment failed failed"
        ]
    );
    assert_eq!(scene.singles, Vec::<String>::new());
}

#[test]
fn the_failure_of_an_old_deployment_is_posted_by_itself() {
    let mut scene = Scene::default();
    for (minute, id) in ["ecs-svc/2", "ecs-svc/3", "ecs-svc/4"].iter().enumerate() {
        scene.play(&[at(&format!("10:{minute:02}:00"), begun("web", id))]);
    }
    scene.arrive("10:10:00", &[at("10:00:30", breaks("web", "ecs-svc/2"))]);
    assert_eq!(scene.singles, ["deployment"]);
}

#[test]
fn a_rollback_of_a_deployment_that_is_not_known_opens_one() {
    let mut scene = Scene::default();
    scene.play(&[
        at("08:00:00", begun("web", OLD)),
        at("08:05:00", completed("web", OLD)),
        at("10:05:01", rolling_back("web", OLD)),
        at("10:06:00", completed("web", OLD)),
    ]);
    assert_eq!(
        scene.turns()[2..],
        [
            "10:05:01 deployment opened rolling_back",
            "10:06:00 deployment rolled_back failed"
        ]
    );
}

/// Two functions may edit a message at the same moment, and the older edit may arrive last.
#[test]
fn the_last_state_is_shown_again_if_an_edit_may_have_been_under_way() {
    let ends = |time: &str| {
        let mut scene = Scene::default();
        scene.play(&[called("10:00:00"), at("10:00:02", begun("web", ID))]);
        scene.play(&[at("10:01:00", started("web").by_deployment(ID))]);
        scene.play(&[at(time, completed("web", ID))]).finish();
        let after = scene
            .actions
            .iter()
            .filter(|(at, _)| *at > super::scene::time(time));
        after
            .map(|(at, it)| (*at, it.turn.reason.to_string(), it.thread.state()))
            .collect::<Vec<_>>()
    };
    let again = (
        super::scene::time("10:01:33"),
        "counted".to_owned(),
        Some(ThreadState::Completed),
    );
    assert_eq!(ends("10:01:03"), [again]);
    assert_eq!(ends("10:01:20"), []);
}

/// CloudTrail's events come in any order.
#[test]
fn who_registered_the_revision_may_be_learned_late() {
    let registered = at("09:59:30", register("ci", "web", 7));
    let updated = at("10:00:00", update("maya", "web", "7", "ecs-svc/7"));
    let begun = at("10:00:05", begun("web", "ecs-svc/7"));
    for order in [
        [&registered, &updated, &begun],
        [&begun, &registered, &updated],
        [&updated, &begun, &registered],
        [&begun, &updated, &registered],
    ] {
        let mut scene = Scene::default();
        for (number, event) in order.into_iter().enumerate() {
            scene.arrive(
                &format!("10:0{}:00", number + 2),
                std::slice::from_ref(event),
            );
        }
        scene.until("10:06:00");
        let Thread::Deployment(it) = &scene.last(ThreadKind::Deployment).thread else {
            panic!("{:?}", scene.turns())
        };
        assert_eq!(it.registered_by.as_deref(), Some("ci (role Operator)"));
        // It is an edit and no message.
        assert_eq!(scene.turns().len(), 1, "{:?}", scene.turns());
        assert_eq!(scene.singles, Vec::<String>::new());
    }
}

/// The rollback was shown without a name.
#[test]
fn a_person_who_rolled_back_is_named_late() {
    let decides = |arrives: &str| {
        let mut scene = Scene::default();
        scene.play(&[called("10:00:00"), at("10:00:02", begun("web", ID))]);
        scene.play(&[at("10:01:00", hook("web", "HOOK_AWAITING_ACTION"))]);
        let stop = at("10:02:00", stop_deployment("noor", "web", "ROLLBACK"));
        if arrives < "10:02:05" {
            scene.arrive(arrives, std::slice::from_ref(&stop));
        }
        scene.play(&[at("10:02:05", rolling_back("web", OLD))]);
        if arrives > "10:02:05" {
            scene.arrive(arrives, &[stop]);
        }
        let singles = scene.singles.clone();
        (singles, deployment_of(&scene).decision.is_some())
    };
    assert_eq!(decides("10:02:01"), (Vec::new(), true));
    assert_eq!(decides("10:04:00"), (vec!["api_call".to_owned()], true));
}

#[test]
fn a_hook_whose_time_is_over_does_not_wait() {
    let waits = |expires: &str| {
        let mut scene = Scene::default();
        scene.play(&[called("10:00:00"), at("10:00:02", begun("web", ID))]);
        let hook = hook("web", "HOOK_AWAITING_ACTION").with("expiresAt", expires);
        scene.arrive("10:40:00", &[at("10:01:00", hook)]);
        scene.turns().last().unwrap().clone()
    };
    assert_eq!(
        waits("2026-11-12T10:41:00Z"),
        "10:40:00 deployment waits waiting"
    );
    assert_eq!(
        waits("2026-11-12T10:31:00Z"),
        "10:40:00 deployment learned waiting"
    );
}

/// The call that began the deployment comes after its rollback, and before the recovery.
#[test]
fn a_recovery_names_the_rollback_that_a_late_call_explains() {
    let recovered_with = |late: bool| {
        let mut scene = Scene::default();
        let of_8 = failed("web", OUT_OF_MEMORY).with(
            "taskDefinitionArn",
            "arn:aws:ecs:eu-west-1:1:task-definition/web:8",
        );
        let call = during(called("10:00:00"), "7", OLD, "COMPLETED");
        if !late {
            scene.play(std::slice::from_ref(&call));
        }
        scene.play(&[
            at("10:00:02", begun("web", ID)),
            at("10:00:30", of_8.by_deployment(ID)),
            at("10:01:30", breaks("web", ID)),
            at("10:01:31", rolling_back("web", OLD)),
            at("10:02:10", completed("web", OLD)),
        ]);
        if late {
            scene.arrive("10:04:00", &[call]);
        }
        scene.finish();
        match &scene.last(ThreadKind::Incident).thread {
            Thread::Incident(it) => it.recovered_with().map(|it| it.revision.clone()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(recovered_with(false).as_deref(), Some("web:7"));
    assert_eq!(recovered_with(true).as_deref(), Some("web:7"));
}
