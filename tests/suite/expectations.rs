//! `EXPECT`: the function notices what no event says, and so does a replay.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use ecs_parrot::ecs::event::EcsEvent;
use ecs_parrot::notifier::channel::{ChannelType, ConfiguredChannel};
use ecs_parrot::notifier::config::Filter;
use ecs_parrot::notifier::replay::{Replay, ReplayLine};
use ecs_parrot::notifier::thread::UnixTime;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::chat::{chat, ok, texts};
use crate::dedup::{Dynalite, TABLE};
use crate::events;
use crate::fake_aws::FakeAws;
use crate::stories::story;
use crate::timers::{SLOW, batch, run, timer_of, timers};
use crate::tools;

const NAME: &str = "report-nightly";

fn subject() -> Value {
    json!({"kind": "expectation", "account": "", "region": "", "cluster": "", "name": NAME})
}

/// A call that says nothing about the report. The chat's delay makes time pass.
fn another_event(number: u32) -> Value {
    let mut event = events::sample("stop_task-by-root");
    event["detail"]["eventID"] = json!(format!("another {number}"));
    event
}

/// A task of the report that a schedule started and that ends well when the event arrives: a time that is still to come counts
/// as now.
fn good_end() -> Value {
    let mut event = events::sample("task_stopped-finished");
    let now = (Timestamp::now() + jiff::SignedDuration::from_mins(5)).to_string();
    event["time"] = json!(now);
    event["id"] = json!("good end");
    let detail = &mut event["detail"];
    let arn = "arn:aws:ecs:eu-west-1:210987654321:task-definition/report-nightly:18";
    detail["taskDefinitionArn"] = json!(arn);
    detail["group"] = json!("family:report-nightly");
    detail["startedBy"] = json!("chronos-schedule/report-nightly");
    for field in ["stoppedAt", "stoppingAt", "updatedAt", "executionStoppedAt"] {
        detail[field] = json!(now);
    }
    event
}

fn of_report(texts: &[String]) -> Vec<String> {
    let lines = texts.iter().filter(|it| it.contains(NAME));
    let headlines = lines.filter_map(|it| Some(it.lines().next()?.to_owned()));
    headlines.collect()
}

/// No event of the report ever comes. The timer is sent after the first batch, once.
#[tokio::test]
async fn an_entry_has_a_timer_after_the_first_batch() {
    let aws = FakeAws::start().await;
    let slack = chat(ok()).await;
    let variables = [("EXPECT", "report-nightly: 25h, prod-web/other: 5m")];
    let batches = vec![batch(&[another_event(1)]), batch(&[another_event(2)])];
    let log = run(&aws, &slack, &variables, batches).await;
    let mut sent: Vec<_> = timers(&aws)
        .into_iter()
        .map(|(timer, delay)| (timer["detail"]["subject"].clone(), delay))
        .collect();
    sent.sort_by_key(|(_, delay)| *delay);
    let mut other = subject();
    other["name"] = json!("other");
    other["cluster"] = json!("prod-web");
    assert_eq!(sent.len(), 2, "{sent:?} {log}");
    assert_eq!(sent[0].0, other);
    assert!((299..=300).contains(&sent[0].1), "{sent:?}");
    // What is due in a day is looked at again every quarter of an hour.
    assert_eq!(sent[1], (subject(), 900));
    assert_eq!(texts(&slack).await.len(), 2, "{log}");
}

/// The timer comes twice, and the incident opens once. A task that ends well ends it at once.
#[tokio::test]
async fn what_did_not_run_is_an_incident_until_it_runs() {
    let aws = FakeAws::start().await;
    let slack = chat(ok().set_delay(SLOW)).await;
    let timer = timer_of(subject());
    let batches = vec![
        batch(&[another_event(1)]),
        batch(&[another_event(2)]),
        batch(&[timer.clone(), timer.clone()]),
        batch(&[timer]),
        batch(&[good_end()]),
    ];
    let variables = [
        (
            "EXPECT",
            "report-nightly: 1s grace 1h, report-nightly-2: 9h",
        ),
        ("REMIND_AFTER", "DISABLED"),
    ];
    let log = run(&aws, &slack, &variables, batches.clone()).await;
    let early = of_report(&texts(&slack).await);
    assert!(!early.iter().any(|it| it.contains("did not run")), "{log}");

    let slack = chat(ok().set_delay(SLOW)).await;
    let variables = [
        ("EXPECT", "report-nightly: 1s"),
        ("REMIND_AFTER", "DISABLED"),
    ];
    let log = run(&aws, &slack, &variables, batches).await;
    let shown = of_report(&texts(&slack).await);
    assert_eq!(shown.len(), 3, "{shown:#?} {log}");
    assert!(
        shown[0].contains("report-nightly did not run: none of its tasks has ended well for"),
        "{shown:#?}"
    );
    // The good end of a scheduled task is a message of its own.
    assert!(
        shown[1..].iter().any(|it| it.contains("ended well,")),
        "{shown:#?}"
    );
    assert_eq!(
        log.matches(r#""reason":"opened","subject":"expectation - - - report-nightly""#)
            .count(),
        1,
        "{log}"
    );
    assert_eq!(
        log.matches(r#""reason":"recovered","subject":"expectation - - - report-nightly""#)
            .count(),
        1,
        "{log}"
    );
}

/// The clock is in the state table, so a new process goes on with it: by a timer, or without a queue when any event comes.
/// A process whose configuration does not have the entry any more ends the incident.
#[tokio::test]
async fn another_process_goes_on_with_the_clock() {
    for with_queue in [true, false] {
        let (aws, dynalite) = (FakeAws::start().await, Dynalite::start().await);
        let slack = chat(ok().set_delay(SLOW)).await;
        let table = [
            ("STATE_TABLE", TABLE),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynalite.url()),
            ("REMIND_AFTER", "DISABLED"),
        ];
        let expecting = [table.as_slice(), &[("EXPECT", "report-nightly: 1s")]].concat();
        let payload = |event: Value| match with_queue {
            true => batch(&[event]),
            false => event,
        };
        // The chat answers after more than a second, and the second process starts after that.
        let first = vec![payload(another_event(1)), payload(another_event(2))];
        run(&aws, &slack, &expecting, first).await;
        let then = match with_queue {
            true => payload(timer_of(subject())),
            false => payload(another_event(3)),
        };
        let log = run(&aws, &slack, &expecting, vec![then]).await;
        let shown = of_report(&texts(&slack).await);
        assert_eq!(shown.len(), 1, "{with_queue} {shown:#?} {log}");
        assert!(shown[0].contains("did not run"), "{shown:#?}");
        let listed = list_threads(dynalite.url()).await;
        let incident: Vec<_> = listed
            .iter()
            .filter(|it| it["kind"] == "incident")
            .map(|it| (&it["state"], &it["subject"]))
            .collect();
        assert_eq!(incident, [(&json!("open"), &subject())], "{listed:?}");
        let timer = vec![batch(&[timer_of(subject())])];
        let log = run(&aws, &slack, &table, timer.clone()).await;
        let shown = of_report(&texts(&slack).await);
        assert_eq!(shown.len(), 2, "{shown:#?} {log}");
        assert!(
            shown[1].contains("is not expected any more, because EXPECT has changed"),
            "{shown:#?}"
        );
        // Nothing is left to wait for.
        let before = timers(&aws).len();
        run(&aws, &slack, &table, timer).await;
        assert_eq!(
            (timers(&aws).len(), of_report(&texts(&slack).await).len()),
            (before, 2)
        );
    }
}

/// The lines of `ecs-parrot threads`.
async fn list_threads(table: &str) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"));
    command
        .args([
            "threads",
            "--region",
            "eu-west-1",
            "--table",
            TABLE,
            "--output",
            "json",
        ])
        .env_clear()
        .env("AWS_ENDPOINT_URL", table)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect()
}

/// What a channel type shows of the story with this entry.
fn replay(entry: &str, channel: ChannelType, until: Option<&str>) -> Vec<ReplayLine> {
    play_in(entry, &ConfiguredChannel::unconfigured(channel), until)
}

/// What a channel shows of the story with this entry, until two days after its last event or until this time.
pub(crate) fn play_in(
    entry: &str,
    channel: &ConfiguredChannel,
    until: Option<&str>,
) -> Vec<ReplayLine> {
    let filter = Filter::read(&[("EXPECT".to_owned(), entry.to_owned())]).unwrap();
    let settings = filter.threads.clone();
    let mut replay = Replay::new(&filter.policy, events::renderer(), channel, settings);
    let mut batches: BTreeMap<UnixTime, Vec<EcsEvent>> = BTreeMap::new();
    for (at, event) in story("nightly-job-missing") {
        batches.entry(at).or_default().push(event);
    }
    let last = *batches.keys().last().unwrap();
    let until = until.map(|it| UnixTime::of(it.parse().unwrap()));
    let mut lines = Vec::new();
    for (at, events) in batches {
        lines.extend(replay.batch(at, &events));
    }
    let end = until.unwrap_or_else(|| last.plus(Duration::from_secs(2 * 86_400)));
    lines.extend(replay.finish(Some(end)));
    lines
}

pub(crate) const NIGHTLY: &str = "ledger-export: cron(30 2 * * ? *) grace 1h";

/// A nightly job that one night does not run, and that a person runs in the morning.
#[test]
fn a_night_without_a_run_in_a_replay() {
    for channel in [ChannelType::SlackApp, ChannelType::Slack] {
        let lines = replay(NIGHTLY, channel, Some("2026-11-23T12:00:00Z"));
        let of_it = lines.iter().filter(|it| {
            let thread = it.thread.as_ref().map(|it| it.as_str());
            thread.is_some_and(|it| it.starts_with("incident-"))
        });
        let shown: Vec<_> = of_it
            .map(|it| format!("{} {} {}\n{}\n", it.at, it.action, it.severity, it.text))
            .collect();
        insta::assert_snapshot!(format!("nightly-job-missing_{channel}"), shown.join("\n"));
    }
}

/// An entry always has a next deadline, and the replay ends nevertheless.
#[test]
fn a_replay_ends_though_something_is_always_expected() {
    for (entry, expected) in [
        (NIGHTLY, 2),
        ("ledger-export: 1h", 4),
        ("ledger-export: 49h", 0),
        ("somebody-else: rate(12 hours)", 1),
        ("other-cluster/ledger-export: 25h", 1),
    ] {
        let lines = replay(entry, ChannelType::Webhook, None);
        let opened = lines
            .iter()
            .filter(|it| it.headline.contains("did not run"));
        let opened = opened.filter(|it| it.reply.is_none() && !it.headline.contains("still"));
        let threads: std::collections::BTreeSet<_> = opened.map(|it| it.thread.clone()).collect();
        assert_eq!(threads.len(), expected, "{entry}: {threads:?}");
    }
}

/// Without a time the replay ends where nothing is left but what is expected.
#[test]
fn a_replay_without_an_end_ends() {
    let filter = Filter::read(&[("EXPECT".to_owned(), "ledger-export: 1h".to_owned())]).unwrap();
    let channel = ConfiguredChannel::unconfigured(ChannelType::Slack);
    let settings = filter.threads.clone();
    let mut replay = Replay::new(&filter.policy, events::renderer(), &channel, settings);
    let (at, event) = story("nightly-job-missing").remove(0);
    replay.batch(at, &[event]);
    assert_eq!(replay.finish(None).len(), 0);
}

/// What is configured, and what is wrong.
#[test]
fn the_command_line_lists_and_checks_the_entries() {
    let run = |arguments: &[&str], expect: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"));
        command.args(arguments).env_clear().env("EXPECT", expect);
        let output = command.current_dir(tools::root()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        (output.status.success(), stdout, stderr)
    };
    let entries = "a: 25h, prod/b: cron(0,30 2 * * ? *) grace 2h";
    let (is_good, stdout, _) = run(&["config"], entries);
    assert!(is_good, "{stdout}");
    let listed: Vec<_> = stdout
        .lines()
        .skip_while(|it| *it != "expected to end well:")
        .skip(1)
        .take(3)
        .map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let expected = [
        "a 25h",
        "prod/b cron(0,30 2 * * ? *) grace 2h",
        "warning: EXPECT: each new process begins its clocks anew, because STATE_TABLE is not set",
    ];
    assert_eq!(listed, expected, "{stdout}");
    let (is_good, stdout, _) = run(&["config"], "");
    assert!(
        is_good && !stdout.contains("expected to end well"),
        "{stdout}"
    );
    let story = "samples/stories/nightly-job-missing.json";
    for arguments in [["config"].as_slice(), &["replay", story]] {
        let (is_good, _, stderr) = run(arguments, "a: 25 hours ago");
        assert!(!is_good);
        let expected = "EXPECT: `a`: `25 hours ago` is not a schedule; allowed: a duration since the last good end";
        assert!(stderr.contains(expected), "{stderr}");
    }
    let (is_good, stdout, _) = run(&["replay", "--until", "2h", story], NIGHTLY);
    assert!(is_good, "{stdout}");
    assert_eq!(stdout.matches("did not run").count(), 1, "{stdout}");
}

/// An alert is opened and closed, with one key.
#[test]
fn an_alert_opens_and_closes() {
    let lines = replay(
        NIGHTLY,
        ChannelType::Pagerduty,
        Some("2026-11-23T12:00:00Z"),
    );
    let alerts = lines.iter().map(|it| &it.payload);
    let alerts: Vec<_> = alerts.filter(|it| it["event_action"].is_string()).collect();
    let of = |field: &str| {
        let values = alerts
            .iter()
            .map(|it| it[field].as_str().unwrap().to_owned());
        values.collect::<Vec<_>>()
    };
    assert_eq!(of("event_action"), ["trigger", "resolve"], "{alerts:#?}");
    assert_eq!(of("dedup_key")[0], of("dedup_key")[1]);
    let alert = &alerts[0]["payload"];
    assert_eq!(
        alert["summary"],
        "🔴 ledger-export in finance-batch did not run: its last task that ended well was 24 h ago"
    );
    assert_eq!(alert["severity"], "critical");
}

/// A program that receives the message as JSON sees what it is about.
#[test]
fn a_webhook_says_what_it_is_about() {
    let lines = replay(NIGHTLY, ChannelType::Webhook, Some("2026-11-22T06:00:00Z"));
    let body = &lines.iter().find(|it| it.urgent).unwrap().payload;
    insta::assert_snapshot!(serde_json::to_string_pretty(body).unwrap());
}
