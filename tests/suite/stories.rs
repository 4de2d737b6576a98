//! The stories: what a channel shows of an hour, and how many messages that is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ecs_parrot::ecs::diagnosis::{explain, in_words};
use ecs_parrot::ecs::event::{Detail, EcsEvent};
use ecs_parrot::ecs::notice::{Facts, Notice};
use ecs_parrot::notifier::channel::{ChannelType, ConfiguredChannel};
use ecs_parrot::notifier::dispatch::evaluate;
use ecs_parrot::notifier::policy::{Decision, Policy, Priority};
use ecs_parrot::notifier::replay::{Replay, ReplayLine};
use ecs_parrot::notifier::thread::{ActionKind, ThreadSettings, UnixTime};
use jiff::Timestamp;
use serde_json::Value;

use crate::events;

/// The stories, with the most messages in a channel without edits, and the most top-level messages in one with edits.
const STORIES: [(&str, usize, usize); 15] = [
    ("bad-image-rolled-back", 6, 2),
    ("crash-after-deployment", 7, 3),
    ("crash-loop", 6, 1),
    ("denied-tool", 6, 3),
    ("hook-waits", 3, 1),
    ("hosts-replaced", 5, 2),
    ("nightly-job-missing", 5, 4),
    ("one-off-task", 2, 1),
    ("overload", 6, 1),
    ("rebalancing-and-autoscaling", 1, 1),
    ("rolling-deployment", 2, 1),
    ("scheduled-night", 10, 2),
    ("task-retirement", 7, 3),
    ("tasks-stopped-by-hand", 4, 3),
    ("zone-outage", 10, 6),
];

/// A channel that edits and replies, and one that does neither.
const CHANNELS: [ChannelType; 2] = [ChannelType::SlackApp, ChannelType::Slack];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    STORIES.iter().map(|(name, _, _)| *name)
}

pub(crate) fn story(name: &str) -> Vec<(UnixTime, EcsEvent)> {
    let path = events::folder().join(format!("stories/{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let events = text.lines().map(|line| {
        let value: Value = serde_json::from_str(line).unwrap();
        let event = EcsEvent::read(&value).unwrap();
        (time(value["time"].as_str().unwrap()), event)
    });
    events.collect()
}

fn time(text: &str) -> UnixTime {
    let time: Timestamp = text
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    UnixTime::of(time)
}

/// The story with all events of CloudTrail so late.
pub(crate) fn with_late_calls(name: &str, late: Duration) -> Vec<(UnixTime, EcsEvent)> {
    let events = story(name).into_iter();
    let arriving = events.map(|(at, event)| match event.detail {
        Detail::ApiCall(_) => (at.plus(late), event),
        _ => (at, event),
    });
    arriving.collect()
}

/// A story in a channel. Each is played once for all tests.
pub(crate) fn play(name: &'static str, channel: ChannelType) -> Arc<Vec<ReplayLine>> {
    type Played = BTreeMap<(&'static str, &'static str), Arc<Vec<ReplayLine>>>;
    static PLAYED: Mutex<Played> = Mutex::new(Played::new());
    let key = (name, channel.into());
    let mut played = PLAYED.lock().unwrap();
    let lines = played.entry(key);
    Arc::clone(lines.or_insert_with(|| Arc::new(replay(story(name), channel))))
}

/// A story in a configured channel.
pub(crate) fn play_in(name: &str, channel: &ConfiguredChannel) -> Vec<ReplayLine> {
    events::replay_in(batches(story(name)), channel)
}

fn replay(story: Vec<(UnixTime, EcsEvent)>, channel: ChannelType) -> Vec<ReplayLine> {
    events::replay(batches(story), channel)
}

/// The events of one second are one batch.
fn batches(story: Vec<(UnixTime, EcsEvent)>) -> BTreeMap<UnixTime, Vec<EcsEvent>> {
    let mut batches: BTreeMap<UnixTime, Vec<EcsEvent>> = BTreeMap::new();
    for (at, event) in story {
        batches.entry(at).or_default().push(event);
    }
    batches
}

/// One line each. Of a message's edits only the number is written, the first one and the last one.
fn timeline(lines: &[ReplayLine]) -> String {
    let mut text = String::new();
    let mut edits: BTreeMap<u64, Vec<&ReplayLine>> = BTreeMap::new();
    for line in lines {
        match line.action {
            ActionKind::Update => edits.entry(line.message).or_default().push(line),
            ActionKind::Post | ActionKind::Reply | ActionKind::Broadcast => add(&mut text, line),
        }
    }
    for (message, edits) in &edits {
        let _ = writeln!(text, "message {message} was edited {} times:", edits.len());
        let (first, last) = (edits.first(), edits.last());
        for edit in first.into_iter().chain(last.filter(|_| edits.len() > 1)) {
            add(&mut text, edit);
        }
    }
    text
}

fn add(text: &mut String, line: &ReplayLine) {
    let at = line.at.get(11..19).unwrap_or_default();
    let reply = line.reply.map(|it| format!(" reply {it}"));
    let state = line.state.map(|it| format!(" {it}"));
    let _ = writeln!(
        text,
        "{at} {} {}{}{}{} | {}",
        line.action,
        line.message,
        reply.unwrap_or_default(),
        state.unwrap_or_default(),
        if line.urgent { " urgent" } else { "" },
        line.headline,
    );
}

#[test]
fn each_story_is_told_as_it_should_be() {
    for (name, _, _) in STORIES {
        for channel in CHANNELS {
            let timeline = timeline(&play(name, channel));
            insta::assert_snapshot!(format!("{name}_{channel}"), timeline);
        }
    }
}

/// The whole text of a storm's first message: each service, one failure as an example, and what to try.
#[test]
fn a_storm_explains_what_its_services_share() {
    let lines = play("zone-outage", ChannelType::Terminal);
    let is_storm = |line: &&ReplayLine| line.headline.contains("services are failing");
    let first = lines.iter().find(is_storm).unwrap();
    insta::assert_snapshot!("zone-outage_storm", first.text);
    let last = lines.last().unwrap();
    assert!(!last.text.contains("For example"), "{}", last.text);
}

/// The first failures of an outage come three weeks late.
#[test]
fn a_storm_that_nobody_heard_of_in_time_says_that_it_is_over() {
    let failures = story("zone-outage").into_iter().map(|(_, event)| event);
    let failures = failures.filter(|event| {
        let (_, decision) = evaluate(event, &Policy::default());
        matches!(decision, Decision::Keep(priority) if priority.urgent)
    });
    let failures: Vec<_> = failures.take(12).collect();
    let policy = Policy::default();
    let channel = ConfiguredChannel::unconfigured(ChannelType::Slack);
    let mut replay = Replay::new(
        &policy,
        events::renderer(),
        &channel,
        ThreadSettings::default(),
    );
    let lines = replay.batch(time("2026-12-08T10:00:00Z"), &failures);
    let headlines: Vec<_> = lines.iter().map(|it| it.headline.as_str()).collect();
    insta::assert_debug_snapshot!("zone-outage_late", headlines);
}

#[test]
fn every_story_is_in_the_table() {
    let folder = std::fs::read_dir(events::folder().join("stories")).unwrap();
    let names = folder.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names
        .filter_map(|it| Some(it.strip_suffix(".json")?.to_owned()))
        .collect();
    names.sort();
    assert_eq!(names, STORIES.map(|(name, _, _)| name));
}

#[test]
fn a_story_is_few_messages() {
    for (name, most_without_edits, most_posts) in STORIES {
        let without_edits = play(name, ChannelType::Slack).len();
        assert!(
            without_edits <= most_without_edits,
            "{name}: {without_edits}"
        );
        let lines = play(name, ChannelType::SlackApp);
        let posts = lines.iter().filter(|it| it.action == ActionKind::Post);
        let posts = posts.count();
        assert!(posts <= most_posts, "{name}: {posts}");
    }
}

/// CloudTrail's events often come some minutes later than those of ECS.
#[test]
fn late_calls_are_no_more_messages() {
    let mut stories = STORIES.into_iter();
    let story = stories.find(|(name, _, _)| *name == "tasks-stopped-by-hand");
    let (name, most_without_edits, most_posts) = story.unwrap();
    for late in [60, 120, 240] {
        let story = || with_late_calls(name, Duration::from_secs(late));
        let without_edits = replay(story(), ChannelType::Slack);
        let headlines: Vec<_> = without_edits.iter().map(|it| &it.headline).collect();
        assert!(
            headlines.len() <= most_without_edits,
            "{late} {headlines:#?}"
        );
        let last = "12 tasks stopped in 3 min by noor.haddad@example.com";
        assert!(
            headlines.iter().any(|it| it.contains(last)),
            "{headlines:#?}"
        );
        let lines = replay(story(), ChannelType::SlackApp);
        let posts = lines.iter().filter(|it| it.action == ActionKind::Post);
        assert!(posts.count() <= most_posts, "{late}");
    }
}

/// The urgent failures of a story: when, what, and how urgent.
fn failures(name: &str) -> Vec<(UnixTime, Notice, Priority)> {
    let events = story(name).into_iter();
    let failures = events.filter_map(|(at, event)| {
        let (notice, decision) = evaluate(&event, &Policy::default());
        match decision {
            Decision::Keep(priority) if priority.urgent => Some((at, notice, priority)),
            Decision::Keep(_) | Decision::Drop(_) => None,
        }
    });
    failures.collect()
}

/// A message names the workload of each urgent event within ten seconds. As a part of a storm it takes a minute.
#[test]
fn an_urgent_failure_is_shown_soon() {
    for (name, _, _) in STORIES {
        for channel in CHANNELS {
            let lines = play(name, channel);
            let has_storm = lines.iter().any(|line| {
                line.thread
                    .as_ref()
                    .is_some_and(|it| it.as_str().starts_with("storm"))
            });
            let limit = if has_storm { 60_000 } else { 10_000 };
            for (at, notice, _) in failures(name) {
                let subject = &notice.subject;
                let workload = subject
                    .service
                    .as_ref()
                    .or(subject.family.as_ref())
                    .or(subject.cluster.as_ref())
                    .unwrap();
                let is_soon = |line: &&ReplayLine| {
                    time(&line.at).as_milliseconds() <= at.as_milliseconds() + limit
                };
                let mut shown = lines.iter().filter(is_soon);
                assert!(
                    shown.any(|line| line.urgent && line.text.contains(workload.as_str())),
                    "{name} {channel} {at:?} {workload}"
                );
            }
        }
    }
}

#[test]
fn every_cause_is_named() {
    for (name, _, _) in STORIES {
        for channel in CHANNELS {
            let lines = play(name, channel);
            for (_, notice, priority) in failures(name) {
                let (Facts::Task(task), Some(cause)) = (&notice.facts, priority.cause) else {
                    continue;
                };
                let words = [in_words(cause).to_owned(), explain(cause, task).words];
                let is_named = |text: &str| words.iter().any(|it| text.contains(it.as_str()));
                assert!(
                    lines.iter().any(|line| is_named(&line.text)),
                    "{name} {channel} {words:?}"
                );
            }
        }
    }
}

/// An edit repeats nothing that the reader has seen as a message, and a number is given once.
#[test]
fn numbers_are_given_once_and_in_order() {
    for (name, _, _) in STORIES {
        for channel in CHANNELS {
            let lines = play(name, channel);
            let given: Vec<_> = lines
                .iter()
                .filter_map(|line| match line.action {
                    ActionKind::Post => Some(line.message),
                    ActionKind::Reply | ActionKind::Broadcast => line.reply,
                    ActionKind::Update => None,
                })
                .collect();
            let expected: Vec<_> = (1..=given.len() as u64).collect();
            assert_eq!(given, expected, "{name} {channel}");
        }
    }
}

/// A scheduled task that exits with 1, so many days after the story.
fn failure_after(days: i64) -> (UnixTime, EcsEvent) {
    let path = events::folder().join("stories/scheduled-night.json");
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let failed =
        lines.find(|it| it.contains(r#""exitCode":1,"#) || it.contains(r#""exitCode":1}"#));
    let mut event: Value = serde_json::from_str(failed.unwrap()).unwrap();
    assert_eq!(event["detail"]["lastStatus"], "STOPPED");
    event["id"] = days.into();
    event["detail"]["taskArn"] =
        format!("arn:aws:ecs:eu-west-1:210987654321:task/batch/{days:032x}").into();
    let later = jiff::SignedDuration::from_hours(24 * days);
    let shift = |value: &mut Value| {
        let at: Timestamp = value.as_str().unwrap().parse().unwrap();
        *value = (at + later).to_string().into();
    };
    shift(&mut event["time"]);
    for field in [
        "createdAt",
        "startedAt",
        "stoppingAt",
        "stoppedAt",
        "updatedAt",
        "executionStoppedAt",
    ] {
        if event["detail"].get(field).is_some() {
            shift(&mut event["detail"][field]);
        }
    }
    let at = time(event["time"].as_str().unwrap());
    (at, EcsEvent::read(&event).unwrap())
}

/// As in the state table. The family's incident has no sign of a recovery, so only that ends it.
#[test]
fn a_subject_is_forgotten_eight_days_after_its_last_change() {
    let policy = Policy::default();
    let channel = ConfiguredChannel::unconfigured(ChannelType::Slack);
    let settings = ThreadSettings {
        remind_after: Vec::new(),
        ..ThreadSettings::default()
    };
    let mut replay = Replay::new(&policy, events::renderer(), &channel, settings);
    let mut posts = Vec::new();
    for days in [0, 7, 14, 23] {
        let (at, event) = failure_after(days);
        let lines = replay.batch(at, &[event]).into_iter();
        posts.extend(lines.map(|line| (days, line.thread)));
    }
    let days: Vec<_> = posts.iter().map(|it| it.0).collect();
    assert_eq!(days, [0, 23], "{posts:?}");
    assert_ne!(posts[0].1, posts[1].1);
}
