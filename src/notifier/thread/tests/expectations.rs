//! What is expected and does not happen.

use std::time::Duration;

use proptest::prelude::*;

use super::events::{
    BY_USER, EXITED_WITH_1, Event, FINISHED, at, failed, of_person, of_person_ended, of_schedule,
    scaled_in,
};
use super::scene::{Scene, evaluated, time};
use crate::ecs::notice::{Facts, MissedFacts};
use crate::notifier::channel::ChannelType;
use crate::notifier::policy::{Decision, DropReason, Policy, Severity, decide};
use crate::notifier::render::{Renderer, ThreadMessage, View};
use crate::notifier::route::threads::routes;
use crate::notifier::thread::{
    Expectation, Incident, Reason, Resolution, Rhythm, Schedule, SubjectKey, SubjectKind, Thread,
    ThreadForm, ThreadKind, ThreadSettings, UnixTime,
};
use crate::text::cron::Cron;

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3_600)
}

fn every(name: &str, interval: u64) -> Expectation {
    Expectation {
        cluster: None,
        name: name.to_owned(),
        schedule: Schedule {
            rhythm: Rhythm::Every(hours(interval)),
            grace: Duration::ZERO,
            text: format!("{interval}h"),
        },
    }
}

fn nightly(name: &str) -> Expectation {
    let cron = Cron::parse("30 2 * * ? *").unwrap();
    Expectation {
        cluster: None,
        name: name.to_owned(),
        schedule: Schedule {
            rhythm: Rhythm::At(Box::new(cron)),
            grace: hours(1),
            text: "cron(30 2 * * ? *) grace 1h".to_owned(),
        },
    }
}

fn settings(entries: &[Expectation]) -> ThreadSettings {
    ThreadSettings {
        expectations: Some(entries.to_vec()),
        remind_after: vec![hours(1)],
        ..ThreadSettings::default()
    }
}

/// A scene that has looked at the entries at this time, as the function does after its first batch.
fn armed(start: &str, entries: &[Expectation]) -> Scene {
    let mut scene = Scene::with(settings(entries));
    scene.now = time(start);
    look(&mut scene);
    scene
}

fn look(scene: &mut Scene) {
    let entries = scene.settings.expectations().iter();
    let keys: Vec<_> = entries.map(Expectation::subject).collect();
    scene.step(&[], &keys);
}

fn key(name: &str) -> SubjectKey {
    SubjectKey {
        kind: SubjectKind::Expectation,
        account: String::new(),
        region: String::new(),
        cluster: String::new(),
        name: name.to_owned(),
    }
}

fn incident<'s>(scene: &'s Scene, name: &str) -> &'s Incident {
    scene.states[&key(name)].incident.as_deref().unwrap()
}

fn facts(incident: &Incident) -> &MissedFacts {
    match &incident.newest.as_deref().unwrap().notice.facts {
        Facts::Missed(missed) => missed,
        other => panic!("{other:?}"),
    }
}

/// The turns of the expectation's incident, with the day where it matters.
fn turns(scene: &Scene) -> Vec<String> {
    let of_it = scene
        .actions
        .iter()
        .filter(|(_, it)| it.subject.kind == SubjectKind::Expectation)
        .filter(|(_, it)| it.turn.reason != Reason::Counted);
    let shown = of_it.map(|(at, it)| {
        let at = at.timestamp().unwrap().strftime("%dT%H:%M:%S").to_string();
        format!("{at} {} {}", it.turn.reason, it.thread.state().unwrap())
    });
    shown.collect()
}

fn headlines(scene: &Scene) -> Vec<String> {
    let renderer = Renderer::default();
    let of_it = scene
        .actions
        .iter()
        .filter(|(_, it)| it.subject.kind == SubjectKind::Expectation)
        .filter(|(_, it)| it.turn.reason != Reason::Counted);
    let shown = of_it.map(|(_, it)| {
        let form = match it.turn.reason {
            Reason::Opened => ThreadForm::Whole,
            _ => ThreadForm::Turn,
        };
        let message = ThreadMessage {
            thread: &it.thread,
            turn: &it.turn,
            form,
        };
        let view = View::of(ChannelType::Terminal);
        renderer.render_thread(view, &message).unwrap().headline
    });
    shown.collect()
}

#[test]
fn what_never_ran_is_due_after_the_first_look() {
    let mut scene = armed("10:00:00", &[every("report", 3)]);
    scene.until("12:59:59");
    assert_eq!(turns(&scene), Vec::<String>::new());
    scene.until("13:00:00");
    assert_eq!(turns(&scene), ["12T13:00:00 opened open"]);
    let open = incident(&scene, "report");
    assert_eq!((open.total, open.severity()), (1, Severity::Critical));
    assert!(facts(open).good.is_none() && facts(open).last.is_none());
    let (_, action) = scene.actions.last().unwrap();
    assert!(action.turn.urgent && action.turn.mentions);
    assert_eq!(
        headlines(&scene),
        ["🔴 report did not run: none of its tasks has ended well for 3 h"]
    );
}

/// Each missed deadline counts. A reminder comes with it, as with a failure.
#[test]
fn it_goes_on_until_a_task_ends_well() {
    let mut scene = armed("10:00:00", &[every("report", 3)]);
    let end = at("10:30:00", of_schedule("report", FINISHED, "10:20:00"));
    scene.play(&[end]).until("17:00:00");
    let run = at("17:10:00", of_schedule("report", FINISHED, "17:00:00"));
    scene.play(&[run]);
    assert_eq!(
        turns(&scene),
        [
            "12T13:30:00 opened open",
            "12T16:30:00 reminder open",
            "12T17:10:00 recovered resolved"
        ]
    );
    assert_eq!(
        headlines(&scene),
        [
            "🔴 report in prod-web did not run: its last task that ended well was 3 h ago",
            "🔴 report in prod-web still did not run: missed 2 times",
            "🟢 report in prod-web ended well, 3 h 40 min after it was due (task 00000000): missed 2 times",
        ]
    );
    // The next one is due after this one.
    scene.until("20:09:59");
    assert_eq!(turns(&scene).len(), 3);
    scene.until("20:10:00");
    assert_eq!(turns(&scene).last().unwrap(), "12T20:10:00 opened open");
    let (_, action) = scene.actions.last().unwrap();
    let route = routes(action, &[]).remove(0).to_json();
    for (field, expected) in [
        ("kind", "did_not_run"),
        ("cause", "did_not_run"),
        ("severity", "critical"),
        ("cluster", "prod-web"),
        ("family", "report"),
        ("account", "210987654321"),
        ("region", "eu-west-1"),
    ] {
        assert_eq!(route[field], expected, "{route:?}");
    }
    assert_eq!(route["urgent"], true);
    assert_eq!(route["thread"], serde_json::json!(["incident"]));
}

#[test]
fn a_night_without_a_run_is_noticed() {
    let mut scene = armed("00:00:00", &[nightly("report")]);
    let run = at("02:41:00", of_schedule("report", FINISHED, "02:30:10"));
    scene.play(&[run]);
    scene.finish();
    let first = turns(&scene).remove(0);
    assert_eq!(first, "13T03:30:00 opened open");
    let open = incident(&scene, "report");
    // The 13th to the 19th.
    assert_eq!(open.total, 7);
}

/// The message says how its last task ended, also if that is known later.
#[test]
fn the_last_task_that_failed_is_named() {
    let mut scene = armed("10:00:00", &[every("report", 3)]);
    let good = at("10:30:00", of_schedule("report", FINISHED, "10:20:00"));
    let bad = at("12:30:00", of_schedule("report", EXITED_WITH_1, "12:20:00"));
    scene.play(&[good, bad]).until("13:30:00");
    let shown = facts(incident(&scene, "report"));
    assert_eq!(shown.last.as_ref().unwrap().words, "exited with 1");
    assert!(shown.good.is_some());
    let last = headlines(&scene).pop().unwrap();
    assert_eq!(
        last,
        "🔴 report in prod-web has not ended well in time: its last task exited with 1"
    );
    let later = at(
        "13:40:00",
        of_schedule("report", BY_USER, "13:35:00").of_task("0a0a0a0a0a0a"),
    );
    scene.play(&[later]);
    let shown = facts(incident(&scene, "report"));
    let last = shown.last.as_ref().unwrap();
    assert_eq!(last.id.as_deref(), Some("0a0a0a0a"));
    assert_eq!(scene.edits(), 1);
}

/// A run by a person and a task of a service are good ends too. What a service only replaces is none.
#[test]
fn any_task_of_the_name_counts_if_it_ends_well() {
    for (event, is_good) in [
        (of_person_ended("report", FINISHED), true),
        (of_person_ended("other", FINISHED), false),
        (of_person_ended("report", EXITED_WITH_1), false),
        (of_person_ended("report", BY_USER), false),
        (failed("report", FINISHED), true),
        (failed("report", EXITED_WITH_1), false),
        (scaled_in("report"), false),
    ] {
        let mut scene = armed("10:00:00", &[every("report", 3)]);
        let shown = format!("{event:?}");
        scene.play(&[at("12:00:00", event)]).until("14:00:00");
        assert_eq!(turns(&scene).is_empty(), is_good, "{shown}");
    }
}

/// `IGNORED_EXIT_CODE_CONTAINER_NAMES` names the container that exits with 1.
#[test]
fn what_an_ignored_container_exits_with_does_not_count() {
    let (mut notice, _) = evaluated(&at("12:00:00", of_person_ended("report", EXITED_WITH_1)));
    if let Facts::Task(task) = &mut notice.facts {
        let mut sidecar = task.containers[0].clone();
        sidecar.is_ignored = true;
        task.containers[0].exit_code = Some(0);
        task.containers.push(sidecar);
    }
    let decision = decide(&notice, &Policy::default());
    let mut scene = armed("10:00:00", &[every("report", 3)]);
    scene.arrive_evaluated("12:00:01", &[(notice, decision)]);
    scene.until("14:00:00");
    assert!(turns(&scene).is_empty(), "{:?}", turns(&scene));
}

/// A task that is late is not started again by somebody who reads that it did not run.
#[test]
fn a_task_that_still_runs_is_said_to_run() {
    const TASK: &str = "arn:aws:ecs:eu-west-1:1:task/prod-web/0123456789abcdef0123456789abcdef";
    let running = || of_person("report", "RUNNING").with("taskArn", TASK);
    let ended = |ending| of_person_ended("report", ending).with("taskArn", TASK);
    let mut scene = armed("10:00:00", &[every("report", 3)]);
    scene.play(&[at("12:30:00", running())]).until("13:00:00");
    let missed = facts(incident(&scene, "report"));
    assert_eq!(missed.in_words(), "has not ended in time");
    assert!(missed.running.is_some());
    // It ends well: that is the end of the incident.
    scene.play(&[at("13:20:00", ended(FINISHED))]);
    assert!(incident(&scene, "report").is_over());
    // It fails: its end is what the message is about.
    let mut scene = armed("10:00:00", &[every("report", 3)]);
    scene
        .play(&[
            at("12:00:00", running()),
            at("12:30:00", ended(EXITED_WITH_1)),
        ])
        .until("13:00:00");
    let missed = facts(incident(&scene, "report"));
    assert_eq!(missed.in_words(), "has not ended well in time");
    let task = &incident(&scene, "report").newest.as_ref().unwrap().notice;
    assert!(task.links.logs.is_some(), "{:?}", task.links);
}

/// A message about what did not run finds its channel by the tags of the tasks before, although AWS is not asked about
/// each of them.
#[test]
fn the_tags_of_the_last_task_are_kept() {
    let mut scene = armed("10:00:00", &[every("report", 3)]);
    let (mut notice, decision) = evaluated(&at("11:00:00", of_person_ended("report", FINISHED)));
    let tags = [("team".to_owned(), "payments".to_owned())];
    notice.subject.tags = Some(tags.into());
    scene.arrive_evaluated("11:00:01", &[(notice, decision)]);
    let later = at("12:00:00", of_person_ended("report", EXITED_WITH_1));
    scene.play(&[later]).until("14:00:00");
    let (_, action) = scene.actions.last().unwrap();
    let route = routes(action, &[]).remove(0).to_json();
    assert_eq!(route["tags.team"], "payments", "{route:?}");
}

#[test]
fn an_entry_may_name_its_cluster() {
    for (cluster, is_good) in [("prod-web", true), ("prod-batch", false)] {
        let entry = Expectation {
            cluster: Some(cluster.to_owned()),
            ..every("report", 3)
        };
        let mut scene = armed("10:00:00", &[entry]);
        let end = at("12:00:00", of_person_ended("report", FINISHED));
        scene.play(&[end]).until("14:00:00");
        assert_eq!(turns(&scene).is_empty(), is_good, "{cluster}");
    }
}

/// `DROP=finished` drops the message, and not the fact.
#[test]
fn a_message_that_is_dropped_still_counts() {
    for reason in [
        DropReason::DroppedByConfig,
        DropReason::IgnoredCluster,
        DropReason::Duplicate,
    ] {
        let mut scene = armed("10:00:00", &[every("report", 3)]);
        let (notice, _) = evaluated(&at("12:00:00", of_person_ended("report", FINISHED)));
        scene.arrive_evaluated("12:00:01", &[(notice, Decision::Drop(reason))]);
        scene.until("14:00:00");
        assert_eq!(turns(&scene), Vec::<String>::new());
        assert_eq!(scene.states.len(), 1, "no other thread hears of it");
    }
}

/// What ran in time is not missed, and what ran late is not open, however late the event comes.
#[test]
fn an_event_that_comes_late_counts_with_its_own_time() {
    let good = at("12:00:00", of_schedule("report", FINISHED, "11:50:00"));
    // The event comes after the deadline, with or without the timer.
    let mut scene = armed("10:00:00", &[every("report", 3)]);
    scene.until("13:00:00");
    scene.arrive("13:05:00", std::slice::from_ref(&good));
    assert_eq!(
        turns(&scene),
        ["12T13:00:00 opened open", "12T13:05:00 recovered resolved"]
    );
    assert_eq!(
        headlines(&scene)[1],
        "🟢 report in prod-web ended well in time"
    );
    let mut scene = armed("10:00:00", &[every("report", 3)]);
    scene.timers.clear();
    scene.arrive("13:05:00", std::slice::from_ref(&good));
    assert_eq!(turns(&scene), Vec::<String>::new());
    // It is so late that the next one is missing too.
    let mut scene = armed("10:00:00", &[every("report", 3)]);
    scene.until("15:30:00");
    scene.arrive("15:31:00", std::slice::from_ref(&good));
    scene.until("15:40:00");
    assert_eq!(turns(&scene), ["12T13:00:00 opened open"]);
}

/// A timer may come late, twice, or for something that is not expected any more.
#[test]
fn timers_that_come_late_or_twice_change_nothing() {
    let mut scene = armed("10:00:00", &[every("report", 1)]);
    for _ in 0..3 {
        look(&mut scene);
    }
    scene.timers.clear();
    scene.now = time("13:20:00");
    look(&mut scene);
    look(&mut scene);
    assert_eq!(turns(&scene), ["12T13:20:00 opened open"]);
    assert_eq!(incident(&scene, "report").total, 3);
    let unknown = key("nobody-expects-it");
    scene.step(&[], std::slice::from_ref(&unknown));
    assert!(scene.states[&unknown].incident.is_none());
    assert_eq!(scene.timers.get(&unknown), None);
}

/// After a long outage the timeline has no thousand deadlines, and time goes on.
#[test]
fn many_missed_deadlines_are_not_all_counted() {
    let mut scene = armed("00:00:00", &[every("report", 1)]);
    scene.timers.clear();
    scene.now = time("23:30:00");
    look(&mut scene);
    assert_eq!(incident(&scene, "report").total, 10);
    assert!(scene.timers[&key("report")] > scene.now);
}

#[test]
fn a_removed_entry_ends_its_incident() {
    let mut scene = armed("10:00:00", &[every("report", 3), every("other", 9)]);
    scene.until("13:00:00");
    scene.settings = settings(&[every("other", 9)]);
    scene.until("16:00:00");
    assert_eq!(
        turns(&scene),
        ["12T13:00:00 opened open", "12T16:00:00 recovered resolved"]
    );
    let resolution = incident(&scene, "report").resolution;
    assert_eq!(resolution, Some(Resolution::NotExpected));
    let last = headlines(&scene).pop().unwrap();
    assert_eq!(
        last,
        "🟢 report is not expected any more, because EXPECT has changed"
    );
    assert_eq!(
        scene.timers.keys().map(|it| &it.name).collect::<Vec<_>>(),
        ["other"]
    );
    // A process that does not know what is expected ends nothing.
    let mut scene = armed("10:00:00", &[every("report", 3)]);
    scene.until("13:00:00");
    scene.settings.expectations = None;
    scene.until("17:00:00");
    assert_eq!(turns(&scene), ["12T13:00:00 opened open"]);
}

#[test]
fn a_changed_entry_begins_anew() {
    let mut scene = armed("10:00:00", &[every("report", 3)]);
    scene.until("13:00:00");
    scene.settings = settings(&[every("report", 5)]);
    scene.now = time("13:30:00");
    look(&mut scene);
    assert_eq!(
        turns(&scene),
        ["12T13:00:00 opened open", "12T13:30:00 recovered resolved"]
    );
    scene.until("18:29:59");
    assert_eq!(turns(&scene).len(), 2);
    scene.until("18:30:00");
    assert_eq!(turns(&scene).last().unwrap(), "12T18:30:00 opened open");
    // A night that was over before the new schedule was known is not missed.
    let mut scene = armed("02:00:00", &[every("report", 30)]);
    let end = at("02:05:00", of_person_ended("report", FINISHED));
    scene.play(&[end]).until("10:00:00");
    scene.settings = settings(&[nightly("report")]);
    look(&mut scene);
    scene.until("23:00:00");
    assert_eq!(turns(&scene), Vec::<String>::new());
}

/// A cluster in which much fails is no reason to hide that something did not run.
#[test]
fn it_is_part_of_no_storm() {
    let entries: Vec<_> = (0..8)
        .map(|it| Expectation {
            cluster: Some("prod-web".to_owned()),
            ..every(&format!("report-{it}"), 3)
        })
        .collect();
    let mut scene = armed("10:00:00", &entries);
    scene.until("13:00:00");
    assert_eq!(turns(&scene).len(), 8);
    assert!(
        scene
            .actions
            .iter()
            .all(|(_, it)| it.thread.kind() == ThreadKind::Incident)
    );
}

/// Somebody closes it, and it is due again with the next deadline.
#[test]
fn it_may_be_closed_by_hand() {
    let mut scene = armed("10:00:00", &[every("report", 3)]);
    scene.until("13:00:00");
    let now = scene.now;
    let state = scene.states.get_mut(&key("report")).unwrap();
    let id = state.thread_ids().next().unwrap().clone();
    state.close_by_hand(&id, now);
    scene.until("15:59:59");
    look(&mut scene);
    assert_eq!(
        turns(&scene).last().unwrap(),
        "12T15:59:59 recovered resolved"
    );
    scene.until("16:00:00");
    assert_eq!(turns(&scene).last().unwrap(), "12T16:00:00 opened open");
}

/// Ends of tasks, good and bad ones, minutes apart.
fn ends() -> impl Strategy<Value = Vec<(bool, u32)>> {
    prop::collection::vec((any::<bool>(), 0..600_u32), 1..8)
}

fn event(number: usize, is_good: bool, minute: u32) -> Event {
    let ending = if is_good { FINISHED } else { EXITED_WITH_1 };
    let started = format!("{:02}:{:02}:00", 1 + minute / 60, minute % 60);
    let ended = format!("{:02}:{:02}:30", 1 + minute / 60, minute % 60);
    let task = format!("{number:032}");
    at(
        &ended,
        of_schedule("report", ending, &started).of_task(&task),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]

    /// Whatever order and however often events and looks come: once all have come, it is open exactly if no task has
    /// ended well within the last three hours.
    #[test]
    fn any_order_gives_the_same_end(
        ends in ends(),
        order in Just((0..16_usize).collect::<Vec<_>>()).prop_shuffle(),
        arrivals in prop::collection::vec(0..900_u64, 16),
        wait in 0..300_u64,
    ) {
        let mut scene = armed("00:30:00", &[every("report", 3)]);
        let start = scene.now;
        let mut latest = start;
        let mut arriving: Vec<_> = order
            .iter()
            .zip(&arrivals)
            .filter_map(|(place, late)| {
                let (is_good, minute) = *ends.get(place % ends.len())?;
                let event = event(place % ends.len(), is_good, minute);
                let own = time(event.0["time"].as_str().unwrap());
                let at = own.plus(Duration::from_secs(late * 60));
                latest = latest.max(at);
                Some((at, event))
            })
            .collect();
        arriving.sort_by_key(|(at, _)| *at);
        for (at, event) in arriving {
            scene.arrive_at(at, &[event]);
            look(&mut scene);
        }
        let now = latest.plus(Duration::from_secs(wait * 60));
        scene.run_timers(now.plus(Duration::from_millis(1)));
        scene.now = scene.now.max(now);
        look(&mut scene);
        let come: Vec<_> = order.iter().map(|it| it % ends.len()).collect();
        let good = ends.iter().enumerate().filter(|(at, (is_good, _))| *is_good && come.contains(at));
        let good = good.map(|(_, (_, minute))| {
            time("01:00:30").plus(Duration::from_secs(u64::from(*minute) * 60))
        });
        let last = good.max().unwrap_or(start).max(start);
        let is_open = scene.states[&key("report")].incident.as_deref().is_some_and(|it| !it.is_over());
        prop_assert_eq!(is_open, last.plus(hours(3)) <= scene.now, "{:?} {:?}", last, scene.now);
        // What is open says the truth about the last good end.
        if is_open {
            let shown = facts(incident(&scene, "report"));
            let at = shown.good.as_ref().and_then(|it| it.at.as_ref()?.instant()).map(UnixTime::of);
            prop_assert!(at.is_none_or(|at| at <= last));
        }
        let threads = scene.states.values().flat_map(|it| it.threads());
        let incidents = threads.filter(|it| matches!(it, Thread::Incident(_))).count();
        prop_assert!(incidents <= 4);
    }
}
