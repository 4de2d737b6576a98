//! Any order and any repetition of a story's events gives the same end.

use proptest::prelude::*;

use super::events::Event;
use super::scene::{Evaluated, Scene, evaluated};
use crate::notifier::policy::Decision;
use crate::notifier::thread::{
    Observation, States, SubjectState, Thread, ThreadSettings, UnixTime,
};

/// The stories that play within an hour, cut to as many events as a test can shuffle quickly.
const STORIES: [&str; 9] = [
    "bad-image-rolled-back",
    "crash-after-deployment",
    "crash-loop",
    "denied-tool",
    "hook-waits",
    "one-off-task",
    "rolling-deployment",
    "tasks-stopped-by-hand",
    "zone-outage",
];

const MOST_EVENTS: usize = 32;

fn story(name: &str) -> Vec<Event> {
    let path = format!("{}/samples/stories/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let events = text
        .lines()
        .map(|line| Event(serde_json::from_str(line).unwrap()));
    events.collect()
}

/// The events of a part of a story, evaluated.
fn slice(name: &str, from: usize) -> Vec<(UnixTime, Evaluated)> {
    let mut events = story(name);
    let latest = events.len().saturating_sub(MOST_EVENTS);
    events.rotate_left(from.min(latest));
    events.truncate(MOST_EVENTS);
    let timed = |event: &Event| {
        let time = event.0["time"].as_str().map(super::scene::time);
        (time.unwrap_or_default(), evaluated(event))
    };
    events.iter().map(timed).collect()
}

/// All events arrive within a minute after the last one, a second apart. Without storms: whether incidents are one
/// depends on when they arrive, and not on what happened.
fn play(events: &[(UnixTime, Evaluated)]) -> Scene {
    play_with_storms(events, 0)
}

fn play_with_storms(events: &[(UnixTime, Evaluated)], storm_after: usize) -> Scene {
    let mut scene = Scene::with(ThreadSettings {
        storm_after,
        ..ThreadSettings::default()
    });
    let mut now = events
        .iter()
        .map(|(time, _)| *time)
        .max()
        .unwrap_or_default();
    for (_, event) in events {
        now = now.plus(std::time::Duration::from_secs(1));
        scene.run_timers(now);
        scene.now = now;
        scene.step_evaluated(std::slice::from_ref(event), &[]);
    }
    scene
}

fn an_order(most: usize) -> impl Strategy<Value = Vec<usize>> {
    let order: Vec<_> = (0..most).collect();
    Just(order).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_repetition_gives_the_same_end(
        name in prop::sample::select(STORIES.to_vec()),
        from in 0_usize..500,
        order in an_order(MOST_EVENTS),
        again in prop::collection::vec(0..MOST_EVENTS, 0..20),
    ) {
        let events = slice(name, from);
        let expected = play(&events);
        let order = order.into_iter().chain(again);
        let shuffled: Vec<_> = order.filter_map(|it| events.get(it).cloned()).collect();
        let found = play(&shuffled);
        let (mut expected, mut found) = (expected, found);
        prop_assert_eq!(expected.finish().outcome(), found.finish().outcome(), "{}", name);
    }

    #[test]
    fn a_repetition_changes_nothing_at_once(
        name in prop::sample::select(STORIES.to_vec()),
        from in 0_usize..500,
        again in 0..MOST_EVENTS,
    ) {
        let events = slice(name, from);
        let mut scene = play(&events);
        let before = scene.outcome();
        let event = events.get(again).map(|(_, event)| event.clone());
        scene.step_evaluated(event.as_slice(), &[]);
        prop_assert_eq!(scene.outcome(), before);
    }

    /// What was open at a time is not ended by something that happened before.
    #[test]
    fn an_older_fact_never_undoes_a_newer_one(
        name in prop::sample::select(STORIES.to_vec()),
        from in 0_usize..500,
        place in 0..MOST_EVENTS,
    ) {
        let events = slice(name, from);
        let place = place.min(events.len() - 1);
        let mut late = events.clone();
        let moved = late.remove(place);
        late.push(moved);
        let (in_order, late) = (play(&events), play(&late));
        let states = |scene: &Scene| {
            let threads = scene.states.values().flat_map(SubjectState::threads);
            let mut states: Vec<_> = threads.filter_map(|it| it.state()).map(|it| it.to_string()).collect();
            states.sort();
            states
        };
        prop_assert_eq!(states(&in_order), states(&late), "{}", name);
    }

    #[test]
    fn the_core_is_deterministic_and_says_why(
        name in prop::sample::select(STORIES.to_vec()),
        order in an_order(MOST_EVENTS),
    ) {
        let events = slice(name, 0);
        let shuffled: Vec<_> = order.iter().filter_map(|it| events.get(*it).cloned()).collect();
        let (mut one, mut other) = (play(&shuffled), play(&shuffled));
        one.finish();
        other.finish();
        prop_assert_eq!(one.turns(), other.turns());
        prop_assert_eq!(json(&one.states), json(&other.states));
        for (_, action) in &one.actions {
            let reason: &str = action.turn.reason.into();
            prop_assert!(!reason.is_empty());
        }
    }

    /// A storm shows incidents, and changes nothing about them. It ends, and what it does not name is shown by itself.
    #[test]
    fn a_storm_hides_no_incident(
        from in 0_usize..500,
        order in an_order(MOST_EVENTS),
        again in prop::collection::vec(0..MOST_EVENTS, 0..20),
        storm_after in 1_usize..6,
    ) {
        let events = slice("zone-outage", from);
        let order = order.into_iter().chain(again);
        let shuffled: Vec<_> = order.filter_map(|it| events.get(it).cloned()).collect();
        let (mut alone, mut in_storm) = (play(&shuffled), play_with_storms(&shuffled, storm_after));
        alone.finish();
        in_storm.finish();
        let incidents = |scene: &Scene| {
            let outcome = scene.outcome().into_iter();
            outcome.filter(|it| !it.contains(": storm ")).collect::<Vec<_>>()
        };
        prop_assert_eq!(incidents(&alone), incidents(&in_storm));
        let storms = in_storm.states.values().filter_map(|it| it.storm.as_deref());
        let storms: Vec<_> = storms.collect();
        prop_assert!(storms.iter().all(|it| it.is_over()));
        for (key, state) in &in_storm.states {
            let Some(incident) = &state.incident else {
                continue;
            };
            let shows = |it: &Thread| *it.id() == incident.thread;
            let is_shown = in_storm.actions.iter().any(|(_, action)| shows(&action.thread));
            let counted = storms.iter().flat_map(|it| &it.members).find(|it| it.is(key));
            let counted = counted.map(|it| it.total);
            prop_assert!(is_shown || counted == Some(incident.total), "{}: {:?}", key, counted);
        }
    }

    /// Each urgent event is posted by itself, or a thread has it that is shown.
    #[test]
    fn no_urgent_event_is_lost(
        name in prop::sample::select(STORIES.to_vec()),
        from in 0_usize..500,
        order in an_order(MOST_EVENTS),
    ) {
        let events = slice(name, from);
        let mut shuffled: Vec<_> = order.iter().filter_map(|it| events.get(*it).cloned()).collect();
        let urgent = shuffled.iter().rposition(is_urgent);
        let Some(next) = urgent.map(|it| shuffled.remove(it)) else {
            return Ok(());
        };
        let mut scene = play(&shuffled);
        let (singles, actions) = (scene.singles.len(), scene.actions.len());
        scene.step_evaluated(std::slice::from_ref(&next.1), &[]);
        let is_posted = scene.singles.len() > singles || scene.actions.len() > actions;
        let threads = scene.states.values().flat_map(SubjectState::threads);
        let is_shown = |it: &Thread| scene.actions.iter().any(|(_, action)| action.id() == it.id());
        let about = crate::notifier::thread::kinds_heard(&Observation::new(
            0, &next.1.0, next.1.1, false, scene.now,
        ));
        let mut shown = threads.filter(is_shown);
        let has_thread = shown.any(|it| about.contains(&it.kind()));
        prop_assert!(is_posted || has_thread);
    }
}

fn is_urgent((_, (_, decision)): &(UnixTime, Evaluated)) -> bool {
    matches!(decision, Decision::Keep(priority) if priority.urgent)
}

fn json(states: &States) -> Vec<String> {
    let states = states.iter();
    let mut states: Vec<_> = states
        .map(|(key, state)| format!("{key} {}", serde_json::to_string(state).unwrap()))
        .collect();
    states.sort();
    states
}

#[test]
fn every_state_survives_json() {
    for name in STORIES {
        let scene = play(&slice(name, 0));
        for (key, state) in &scene.states {
            let text = serde_json::to_string(state).unwrap();
            let again: SubjectState = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&again).unwrap(), text, "{name} {key}");
        }
    }
}

/// Clocks that are wrong by an hour lose nothing.
#[test]
fn wrong_clocks_lose_nothing() {
    for name in STORIES {
        let mut events = story(name);
        events.truncate(2 * MOST_EVENTS);
        for (number, event) in events.iter_mut().enumerate() {
            if number % 3 == 0 {
                shift(&mut event.0, if number % 2 == 0 { 3_600 } else { -3_600 });
            }
        }
        let mut scene = Scene::default();
        scene.play(&events);
        scene.finish();
        let urgent = events
            .iter()
            .map(evaluated)
            .map(|it| (UnixTime::default(), it));
        let has_urgent = urgent.into_iter().any(|it| is_urgent(&it));
        let is_posted = !scene.actions.is_empty() || !scene.singles.is_empty();
        assert!(is_posted || !has_urgent, "{name}");
    }
}

/// Shifts the times of an event by some seconds.
fn shift(value: &mut serde_json::Value, seconds: i64) {
    match value {
        serde_json::Value::String(text) => {
            if let Ok(time) = text.parse::<jiff::Timestamp>() {
                let shifted = UnixTime::of(time).as_milliseconds() + seconds * 1_000;
                let shifted = UnixTime::of_milliseconds(shifted).timestamp().unwrap();
                *text = shifted.to_string();
            }
        }
        serde_json::Value::Object(fields) => {
            let names = [
                "time",
                "updatedAt",
                "stoppedAt",
                "startedAt",
                "createdAt",
                "eventTime",
                "detail",
            ];
            for (_, field) in fields
                .iter_mut()
                .filter(|(name, _)| names.contains(&name.as_str()))
            {
                shift(field, seconds);
            }
        }
        _ => {}
    }
}
