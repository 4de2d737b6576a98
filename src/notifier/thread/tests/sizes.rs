//! States are small, whatever the events are.

use std::collections::BTreeMap;

use super::events::*;
use super::scene::{Evaluated, Scene, evaluated};

/// An item of the state table.
const LARGEST: usize = 20_000;
const USUAL_INCIDENT: usize = 3_000;

fn largest(scene: &Scene) -> usize {
    let sizes = scene.states.iter().map(|(key, state)| {
        let json = serde_json::to_string(state).unwrap();
        let key = serde_json::to_string(key).unwrap();
        json.len() + key.len()
    });
    sizes.max().unwrap()
}

fn long(text: &str, number: usize) -> String {
    format!("{number}{}", text.repeat(500))
}

#[test]
fn a_usual_incident_is_small() {
    let mut scene = Scene::default();
    for second in 0..12 {
        let failure = failed("mailer", OUT_OF_MEMORY);
        scene.play(&[at(&format!("10:{second:02}:00"), failure)]);
        scene.play(&[at(&format!("10:{second:02}:01"), started("mailer"))]);
    }
    assert!(largest(&scene) < USUAL_INCIDENT, "{}", largest(&scene));
}

/// Every text of every event is as long as it can be, and each event has others.
#[test]
fn the_largest_state_is_bounded() {
    let mut scene = Scene::default();
    for number in 0..20 {
        scene.arrive("10:01:00", &hostile(number));
    }
    assert!(largest(&scene) < LARGEST, "{}", largest(&scene));
}

fn hostile(number: usize) -> Vec<Event> {
    let id = format!("ecs-svc/{}", long("9", number));
    let container = |it: usize| {
        serde_json::json!({
            "name": long("n", it), "image": long("i", number), "exitCode": 1,
            "reason": long("r", it), "lastStatus": "STOPPED",
        })
    };
    let containers: Vec<_> = (0..12).map(container).collect();
    let family = long("f", number);
    let definition = format!("arn:aws:ecs:eu-west-1:1:task-definition/{family}:7");
    let failure = failed("web", EXITED_WITH_1)
        .by_deployment(&id)
        .in_zone(&long("z", number))
        .with("taskDefinitionArn", definition)
        .with("containers", containers)
        .with("stoppedReason", long("\"", number));
    let (actor, task) = (long("a", number), long("t", number));
    let hook = hook("web", "HOOK_FAILED").with("hookId", long("h", number));
    let events = [
        update(&actor, "web", &long("1", number), &id),
        failure.clone(),
        failure.by_deployment(&format!("{id}x")),
        action("web", &format!("SERVICE_{}", long("E", number)), "ERROR"),
        hook.with("reason", long("r", 1)),
        deployment("web", "FAILED", &id, &long("r", number)),
        rolling_back("web", &id),
        stop_task(&actor, "web", &task),
        failed(&long("s", number), OUT_OF_MEMORY),
        of_person_ended(&long("m", number), OUT_OF_MEMORY),
        run(&actor, &long("m", 0), &[&task, &long("u", number)], 20),
        health(&long("i", number), "IMPAIRED"),
        on_service(&actor, "DeleteService", &long("d", number)),
    ];
    let time = format!("10:00:{number:02}");
    events.into_iter().map(|event| at(&time, event)).collect()
}

#[test]
fn a_storm_of_many_services_is_bounded() {
    let mut scene = Scene::default();
    for ending in [OUT_OF_MEMORY, IMAGE_PULL, EXITED_WITH_1] {
        let names = (0..120).map(|number| format!("{number:03}-{}", "x".repeat(190)));
        let failures = names.map(|name| at("10:00:59", failed(&name, ending)));
        let failures: Vec<_> = failures.collect();
        scene.arrive("10:01:00", &failures);
    }
    assert!(largest(&scene) < LARGEST, "{}", largest(&scene));
}

/// The tags of every event are as many and as long as they can be.
#[test]
fn tags_do_not_make_a_state_too_large() {
    let mut scene = Scene::default();
    let names = (0..40).map(|number| format!("{number:03}-{}", "x".repeat(190)));
    let failures: Vec<_> = names.map(|it| failed(&it, OUT_OF_MEMORY)).collect();
    for number in 0..10 {
        scene.arrive_evaluated("10:01:00", &tagged(&hostile(number)));
        scene.arrive_evaluated("10:01:00", &tagged(&failures));
    }
    assert!(largest(&scene) < LARGEST, "{}", largest(&scene));
}

fn tagged(events: &[Event]) -> Vec<Evaluated> {
    let tag = |it: usize| (format!("{it}{}", "k".repeat(127)), "v".repeat(256));
    let tags: BTreeMap<_, _> = (0..10).map(tag).collect();
    let evaluated = events.iter().map(evaluated);
    evaluated
        .map(|(mut notice, decision)| {
            notice.subject.tags = Some(tags.clone());
            (notice, decision)
        })
        .collect()
}

fn tags_of(team: &str) -> Option<BTreeMap<String, String>> {
    Some(BTreeMap::from([("team".to_owned(), team.to_owned())]))
}

/// A lookup may fail, and of noise nothing is looked up. What the service's threads know stays known, also the fact that
/// there are no tags.
#[test]
fn a_service_keeps_its_tags() {
    for tags in [tags_of("payments"), Some(BTreeMap::new())] {
        let mut scene = Scene::default();
        let mut first = evaluated(&at("10:00:00", failed("mailer", OUT_OF_MEMORY)));
        first.0.subject.tags.clone_from(&tags);
        scene.arrive_evaluated("10:00:00", &[first]);
        scene.play(&[
            at("10:01:00", begun("mailer", "ecs-svc/2")),
            at("10:02:00", failed("mailer", OUT_OF_MEMORY)),
        ]);
        let state = scene.states.values().find(|it| it.incident.is_some());
        let state = state.unwrap();
        let newest = state.incident.as_ref().unwrap().newest.as_ref().unwrap();
        assert_eq!(newest.notice.subject.tags, tags);
        let deployment = state.deployment.as_ref().unwrap();
        assert_eq!(deployment.subject.tags, tags);
    }
}
