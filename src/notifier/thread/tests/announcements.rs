//! Events of AWS Health: one message from the announcement to the end, with a reminder a day before.

use serde_json::{Value, json};

use super::events::{Event, of};
use super::scene::Scene;
use crate::notifier::thread::{Announcement, Thread, ThreadKind};

const TASK: &str = "arn:aws:ecs:eu-west-1:210987654321:task/prod/607a86f7c2d14e0f9b3a5d8e1c4f7a20";

/// A retirement that begins on Thursday, 19 November 2026, at 10:00.
fn retirement(at: &str, update: &str, entities: &[&str]) -> Event {
    let entities: Vec<_> = entities
        .iter()
        .map(|it| json!({"entityValue": it}))
        .collect();
    let detail = json!({
        "eventArn": "arn:aws:health:eu-west-1::event/ECS/AWS_ECS_TASK_PATCHING_RETIREMENT/x1",
        "service": "ECS",
        "eventTypeCode": "AWS_ECS_TASK_PATCHING_RETIREMENT",
        "eventTypeCategory": "scheduledChange",
        "eventStatusCode": "upcoming",
        "communicationId": update,
        "eventRegion": "eu-west-1",
        "startTime": "Thu, 19 Nov 2026 10:00:00 GMT",
        "endTime": "Sat, 21 Nov 2026 10:00:00 GMT",
        "page": "1",
        "affectedEntities": entities,
    });
    of("aws.health", "AWS Health Event", at, detail)
}

fn with(mut event: Event, key: &str, value: Value) -> Event {
    event.0["detail"][key] = value;
    event
}

fn announcement(scene: &Scene) -> &Announcement {
    match &scene.last(ThreadKind::Announcement).thread {
        Thread::Announcement(it) => it,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_retirement_is_announced_and_reminded_of_a_day_before() {
    let mut scene = Scene::default();
    scene.play(&[retirement("10:00:00", "a", &["prod|web", TASK])]);
    assert!(scene.last(ThreadKind::Announcement).turn.urgent);
    scene.until("2026-11-18T09:59:59Z");
    assert_eq!(scene.turns(), ["10:00:00 announcement opened scheduled"]);
    scene.until("2026-11-18T10:00:00Z");
    assert_eq!(
        scene.turns().last().unwrap(),
        "10:00:00 announcement reminder scheduled"
    );
    assert!(scene.last(ThreadKind::Announcement).turn.urgent);
    scene.finish();
    assert_eq!(
        scene.turns()[2..],
        [
            "10:00:00 announcement learned open",
            "10:00:00 announcement learned resolved",
        ]
    );
    assert!(scene.timers.is_empty());
}

#[test]
fn what_ecs_replaces_is_not_urgent() {
    let mut scene = Scene::default();
    scene.play(&[retirement("10:00:00", "a", &["prod|web"])]);
    scene.until("2026-11-18T10:00:00Z");
    assert_eq!(scene.turns().len(), 2);
    assert!(scene.actions.iter().all(|(_, it)| !it.turn.urgent));
}

#[test]
fn an_announcement_shortly_before_needs_no_reminder() {
    let mut scene = Scene::default();
    scene
        .arrive(
            "2026-11-18T06:00:00Z",
            &[retirement("10:00:00", "a", &[TASK])],
        )
        .until("2026-11-19T09:59:00Z");
    assert_eq!(scene.turns(), ["06:00:00 announcement opened scheduled"]);
}

#[test]
fn the_second_delivery_of_an_event_changes_nothing() {
    let first = retirement("10:00:00", "a", &["prod|web"]);
    let mut second = first.clone();
    second.0["id"] = json!("delivered through another region");
    second.0["region"] = json!("us-west-2");
    let mut scene = Scene::default();
    scene
        .arrive("10:00:01", &[first])
        .arrive("10:00:02", &[second]);
    assert_eq!(scene.turns().len(), 1);
    assert_eq!(announcement(&scene).affected(), 1);
}

#[test]
fn pages_are_one_message() {
    let page = |number: i64, entity: &str| {
        let event = retirement("10:00:00", "a", &[entity]);
        with(event, "page", json!(number.to_string()))
    };
    let mut scene = Scene::default();
    let pages = [page(2, "prod|api"), page(1, "prod|web"), page(3, TASK)];
    scene.arrive("10:00:01", &pages);
    assert_eq!(scene.turns().len(), 1);
    assert!(scene.last(ThreadKind::Announcement).turn.urgent);
    assert_eq!(announcement(&scene).affected(), 3);
    // A page that comes late is told.
    scene.arrive("10:01:00", &[page(4, "prod|mailer"), page(1, "prod|web")]);
    assert_eq!(
        scene.turns()[1..],
        ["10:01:00 announcement worse scheduled"]
    );
    assert_eq!(announcement(&scene).affected(), 4);
}

#[test]
fn an_update_replaces_what_was_known() {
    let mut scene = Scene::default();
    scene.play(&[retirement("10:00:00", "a", &["prod|web", "prod|api"])]);
    // Less is affected, so nothing is worse.
    scene.play(&[retirement("11:00:00", "b", &["prod|web"])]);
    assert_eq!(announcement(&scene).affected(), 1);
    assert_eq!(
        scene.turns()[1..],
        ["11:00:00 announcement learned scheduled"]
    );
    let moved = with(
        retirement("13:00:00", "c", &["prod|web"]),
        "startTime",
        json!("Thu, 26 Nov 2026 10:00:00 GMT"),
    );
    let moved = with(moved, "endTime", Value::Null);
    scene.play(&[moved]);
    assert_eq!(
        scene.turns().last().unwrap(),
        "13:00:00 announcement worse scheduled"
    );
    // An older update that comes late changes nothing.
    scene.arrive("14:00:00", &[retirement("10:30:00", "d", &[TASK])]);
    scene.until("2026-11-25T10:00:00Z");
    assert_eq!(
        scene.turns().last().unwrap(),
        "10:00:00 announcement reminder scheduled"
    );
    assert_eq!(announcement(&scene).affected(), 1);
}

#[test]
fn a_closed_event_ends_the_announcement() {
    let mut scene = Scene::default();
    scene.play(&[retirement("10:00:00", "a", &["prod|web"])]);
    let closed = retirement("12:00:00", "b", &["prod|web"]);
    scene.play(&[with(closed, "eventStatusCode", json!("closed"))]);
    assert_eq!(
        scene.turns().last().unwrap(),
        "12:00:00 announcement recovered resolved"
    );
    assert!(scene.timers.is_empty());
}

#[test]
fn a_thousand_resources_are_counted_and_a_few_are_kept() {
    let names: Vec<_> = (0..1_000).map(|it| format!("prod|tenant-{it}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut scene = Scene::default();
    scene.play(&[retirement("10:00:00", "a", &names)]);
    assert_eq!(announcement(&scene).affected(), 1_000);
    let stored = scene
        .states
        .values()
        .map(|it| serde_json::to_string(it).unwrap().len());
    assert!(stored.max().unwrap() < 10_000);
}
