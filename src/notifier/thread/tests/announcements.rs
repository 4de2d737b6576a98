//! Events of AWS Health: one message from the announcement to the end, with a reminder a day before.

use serde_json::{Value, json};

use super::events::{Event, of};
use super::scene::Scene;
use crate::notifier::thread::{Announcement, Thread, ThreadKind, ThreadSettings, is_reopened};

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
    scene.arrive("10:05:00", &[page(4, "prod|mailer"), page(1, "prod|web")]);
    assert_eq!(
        scene.turns()[1..],
        ["10:05:00 announcement worse scheduled"]
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

/// AWS may write the page's number behind the update's id.
#[test]
fn pages_whose_ids_have_their_numbers_are_one_update() {
    let page = |number: i64, entity: &str| {
        let event = retirement("10:00:00", &format!("01b09932-{number}"), &[entity]);
        with(event, "page", json!(number.to_string()))
    };
    let mut scene = Scene::default();
    scene.arrive("10:00:01", &[page(1, "prod|web"), page(2, "prod|api")]);
    assert_eq!(announcement(&scene).affected(), 2);
    assert_eq!(scene.turns().len(), 1);
}

/// The pages of an update may come in several batches.
#[test]
fn pages_that_come_one_after_another_are_told_once() {
    let page = |update: &str, number: i64, at: &str| {
        let names: Vec<_> = (0..20)
            .map(|it| format!("prod|tenant-{number}-{it}"))
            .collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        with(
            retirement(at, update, &names),
            "page",
            json!(number.to_string()),
        )
    };
    for has_edits in [true, false] {
        let mut scene = Scene::with(ThreadSettings {
            has_edits,
            ..ThreadSettings::default()
        });
        scene.play(&[page("a", 1, "10:00:00"), page("a", 2, "10:00:09")]);
        scene.until("12:00:00");
        // Without edits the second page is a message of its own.
        let worse = |scene: &Scene| {
            let turns = scene.turns();
            turns.iter().filter(|it| it.contains("worse")).count()
        };
        assert_eq!(
            worse(&scene),
            usize::from(!has_edits),
            "{:?}",
            scene.turns()
        );
        // The same forty services in an update are no news, page by page.
        scene.play(&[page("b", 1, "14:00:00"), page("b", 2, "14:00:09")]);
        scene.until("16:00:00");
        assert_eq!(
            worse(&scene),
            usize::from(!has_edits),
            "{:?}",
            scene.turns()
        );
        assert_eq!(announcement(&scene).affected(), 40);
        // A third page of it is.
        scene.play(&[page("b", 3, "16:01:00")]);
        assert_eq!(
            worse(&scene),
            1 + usize::from(!has_edits),
            "{:?}",
            scene.turns()
        );
    }
}

#[test]
fn a_page_with_tasks_outside_services_is_told_at_once() {
    let page = |number: i64, entity: &str, at: &str| {
        with(
            retirement(at, "a", &[entity]),
            "page",
            json!(number.to_string()),
        )
    };
    let mut scene = Scene::default();
    scene.play(&[page(1, "prod|web", "10:00:00"), page(2, TASK, "10:00:09")]);
    assert_eq!(
        scene.turns().last().unwrap(),
        "10:00:09 announcement worse scheduled"
    );
    assert!(scene.last(ThreadKind::Announcement).turn.urgent);
}

#[test]
fn what_is_resolved_needs_nobody() {
    let mut scene = Scene::default();
    scene.play(&[retirement("10:00:00", "a", &[TASK])]);
    let mut resolved = retirement("12:00:00", "b", &[TASK]);
    resolved.0["detail"]["affectedEntities"][0]["status"] = json!("RESOLVED");
    scene.play(&[resolved]);
    assert_eq!(
        scene.turns().last().unwrap(),
        "12:00:00 announcement recovered resolved"
    );
    scene.finish();
    assert_eq!(scene.turns().len(), 2);
}

#[test]
fn a_new_time_is_told_once_and_a_few_minutes_are_no_new_time() {
    let at_time = |at: &str, update: &str, time: &str| {
        let event = retirement(at, update, &[TASK]);
        let event = with(event, "endTime", Value::Null);
        with(event, "startTime", json!(time))
    };
    let mut scene = Scene::default();
    scene.play(&[
        at_time("10:00:00", "a", "Thu, 19 Nov 2026 10:00:00 GMT"),
        at_time("11:00:00", "b", "Thu, 19 Nov 2026 10:01:00 GMT"),
        // Within the last day the message is a reminder itself.
        at_time("12:00:00", "c", "Fri, 13 Nov 2026 05:00:00 GMT"),
    ]);
    scene.until("2026-11-13T04:00:00Z");
    let told = scene.turns();
    let told: Vec<_> = told.iter().filter(|it| !it.contains("learned")).collect();
    assert_eq!(
        told,
        [
            "10:00:00 announcement opened scheduled",
            "12:00:00 announcement worse scheduled"
        ]
    );
}

#[test]
fn what_is_not_over_after_all_is_told() {
    let mut scene = Scene::default();
    scene.play(&[retirement("10:00:00", "a", &[TASK])]);
    let closed = retirement("11:00:00", "b", &[TASK]);
    scene.play(&[with(closed, "eventStatusCode", json!("closed"))]);
    scene.play(&[retirement("12:00:00", "c", &[TASK])]);
    assert_eq!(
        scene.turns().last().unwrap(),
        "12:00:00 announcement worse scheduled"
    );
    assert!(scene.last(ThreadKind::Announcement).turn.urgent);
    assert!(is_reopened(&scene.last(ThreadKind::Announcement).turn));
}

/// The type code says that it is planned, whatever the category is.
#[test]
fn a_retirement_without_a_category_is_urgent_and_reminded_of() {
    let event = retirement("10:00:00", "a", &[TASK]);
    let mut scene = Scene::default();
    scene.play(&[with(event, "eventTypeCategory", Value::Null)]);
    assert!(scene.last(ThreadKind::Announcement).turn.urgent);
    scene.until("2026-11-18T10:00:00Z");
    assert_eq!(
        scene.turns().last().unwrap(),
        "10:00:00 announcement reminder scheduled"
    );
}
