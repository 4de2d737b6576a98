//! Escalations: what stays open for long is also sent to another channel.

use std::time::Duration;

use super::events::*;
use super::scene::Scene;
use crate::notifier::policy::Severity;
use crate::notifier::thread::{Reason, ThreadSettings};

fn oom(time: &str) -> Event {
    at(time, failed("mailer", OUT_OF_MEMORY))
}

/// Only escalations, and no reminders.
fn scene(minutes: &[u64]) -> Scene {
    let minutes = minutes.iter().map(|it| Duration::from_secs(it * 60));
    Scene::with(ThreadSettings {
        remind_after: Vec::new(),
        escalate_after: minutes.collect(),
        ..ThreadSettings::default()
    })
}

fn escalations(scene: &Scene) -> Vec<String> {
    let turns = scene.turns().into_iter();
    turns.filter(|it| it.contains("escalated")).collect()
}

#[test]
fn each_time_of_an_open_incident_escalates_it_once() {
    let mut scene = scene(&[10, 20]);
    for minute in 0..40 {
        scene.play(&[oom(&format!("10:{minute:02}:00"))]);
    }
    scene.finish();
    assert_eq!(
        escalations(&scene),
        [
            "10:10:00 incident escalated open",
            "10:20:00 incident escalated open",
        ]
    );
    let escalated = scene.actions.iter();
    let escalated = escalated.filter(|(_, it)| it.turn.reason == Reason::Escalated);
    for ((_, action), minutes) in escalated.zip([10, 20]) {
        assert_eq!(action.turn.after, Some(minutes * 60_000));
        assert_eq!(action.turn.severity, Severity::Critical);
        assert!(action.turn.urgent && action.turn.mentions);
    }
}

#[test]
fn what_recovers_in_time_is_not_escalated() {
    let mut scene = scene(&[10]);
    scene.play(&[oom("10:00:00"), at("10:08:00", steady("mailer"))]);
    scene.finish();
    assert_eq!(escalations(&scene), Vec::<String>::new());
}

/// It recovers when the time comes, and fails again before it is resolved.
#[test]
fn what_was_recovering_is_escalated_with_its_next_failure() {
    let mut scene = scene(&[10]);
    scene.play(&[
        oom("10:00:00"),
        at("10:08:00", steady("mailer")),
        oom("10:12:00"),
    ]);
    scene.finish();
    let all = escalations(&scene);
    assert_eq!(all, ["10:12:00 incident escalated open"]);
}

#[test]
fn after_a_return_the_time_counts_from_the_return() {
    let mut scene = scene(&[10]);
    scene.play(&[oom("10:00:00"), at("10:01:00", steady("mailer"))]);
    scene.play(&[oom("10:20:00"), oom("10:25:00")]);
    scene.finish();
    let all = escalations(&scene);
    assert_eq!(all, ["10:30:00 incident escalated open"]);
}

#[test]
fn a_storm_is_escalated_and_its_incidents_are_not() {
    let mut scene = scene(&[10]);
    let services = 0..6;
    let batch: Vec<_> = services
        .map(|it| at("10:00:00", failed(&format!("service-{it}"), HEALTH_CHECK)))
        .collect();
    scene.arrive("10:00:05", &batch).until("10:20:00");
    let all = escalations(&scene);
    assert_eq!(all, ["10:10:05 storm escalated open"]);
}
