//! `only` and `except` of channels: what each channel gets, what begins a thread there, and what stops the start.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use ecs_parrot::ecs::event::EcsEvent;
use ecs_parrot::notifier::channel::{ChannelType, ConfiguredChannel};
use ecs_parrot::notifier::policy::Policy;
use ecs_parrot::notifier::replay::{Replay, ReplayLine};
use ecs_parrot::notifier::route::RouteFilter;
use ecs_parrot::notifier::thread::{ActionKind, ThreadSettings, ThreadState, UnixTime};
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::chat::{chat, ok, texts, webhook};
use crate::events;
use crate::metrics::sums;
use crate::runtime_api::{Function, RuntimeApi, TIMEOUT};
use crate::stories::{story, with_late_calls};

const PARROT: &str = env!("CARGO_BIN_EXE_parrot");

/// A Slack channel with these patterns.
fn slack(name: &str, server: &MockServer, patterns: Value) -> Value {
    let mut settings = json!({"name": name, "type": "slack", "url": webhook(server)});
    let (Value::Object(settings), Value::Object(patterns)) = (&mut settings, patterns) else {
        panic!("not an object");
    };
    settings.extend(patterns);
    Value::Object(settings.clone())
}

/// A task of this service that has failed just now.
fn failure(sample: &str, service: &str, number: usize) -> Value {
    let mut event = events::sample(sample);
    let now = (Timestamp::now() - 5.seconds()).to_string();
    event["id"] = json!(format!("{service} {number}"));
    event["time"] = json!(now);
    let detail = &mut event["detail"];
    detail["clusterArn"] = json!("arn:aws:ecs:eu-west-1:210987654321:cluster/prod-web");
    detail["taskArn"] = json!(format!(
        "arn:aws:ecs:eu-west-1:210987654321:task/prod-web/{service}{number:032x}"
    ));
    detail["group"] = json!(format!("service:{service}"));
    for field in ["stoppedAt", "stoppingAt", "executionStoppedAt", "updatedAt"] {
        detail[field] = json!(now);
    }
    event
}

fn out_of_memory(service: &str, number: usize) -> Value {
    failure("task_stopped-out-of-memory", service, number)
}

fn image_pull(service: &str, number: usize) -> Value {
    failure("task_stopped-image-pull-not-found", service, number)
}

async fn run(payloads: Vec<Value>, channels: &[Value]) -> String {
    let api = RuntimeApi::with(payloads).await;
    let list = Value::from(channels).to_string();
    let (_, log) = api.run(&[("CHANNELS", &list)]).await;
    log
}

/// The deliveries of each event, in their order.
fn deliveries(log: &str) -> Vec<String> {
    let lines = log.lines();
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let channels = lines.filter_map(|line| Some(line["fields"]["channels"].as_str()?.to_owned()));
    channels.collect()
}

#[tokio::test]
async fn each_channel_gets_what_its_patterns_take() {
    let (web, others, nobody) = (chat(ok()).await, chat(ok()).await, chat(ok()).await);
    let channels = [
        slack("web", &web, json!({"only": {"cluster": ["prod-web"]}})),
        slack(
            "others",
            &others,
            json!({"except": {"cluster": ["prod-web"]}}),
        ),
        slack("nobody", &nobody, json!({"only": {"service": ["nobody"]}})),
    ];
    // A call is posted by itself; a failure opens an incident.
    let mut call = events::sample("stop_task-by-iam-user");
    call["detail"]["requestParameters"]["cluster"] = json!("staging");
    call["detail"]["responseElements"]["task"]["clusterArn"] =
        json!("arn:aws:ecs:eu-west-1:210987654321:cluster/staging");
    let log = run(vec![call, out_of_memory("checkout", 1)], &channels).await;
    assert_eq!(
        deliveries(&log),
        [
            "web filtered, others delivered, nobody filtered",
            "web delivered, others filtered, nobody filtered",
        ],
        "{log}"
    );
    assert_eq!(texts(&web).await.len(), 1, "{log}");
    assert_eq!(texts(&others).await.len(), 1, "{log}");
    assert_eq!(texts(&nobody).await.len(), 0, "{log}");
    let sums = sums(&log);
    let filtered = ["web", "others", "nobody"].map(|it| sums[&format!("Filtered {it}")]);
    assert_eq!(filtered, [1.0, 1.0, 2.0], "{sums:?}");
}

/// An event that no channel takes is counted in each, and is no failure.
#[tokio::test]
async fn an_event_that_no_channel_takes_is_filtered() {
    let (ops, oncall) = (chat(ok()).await, chat(ok()).await);
    let channels = [
        slack("ops", &ops, json!({"only": {"region": ["us-east-1"]}})),
        slack("oncall", &oncall, json!({"except": {"urgent": [true]}})),
    ];
    let log = run(vec![out_of_memory("checkout", 1)], &channels).await;
    assert_eq!(deliveries(&log), ["ops filtered, oncall filtered"], "{log}");
    let sums = sums(&log);
    assert_eq!(sums["EventsKept"], 1.0, "{sums:?}");
    assert_eq!(
        [sums["Filtered ops"], sums["Filtered oncall"]],
        [1.0, 1.0],
        "{sums:?}"
    );
}

/// The first of twelve channels answers only after the eleven others have the message.
#[tokio::test]
async fn a_channel_that_does_not_answer_delays_no_other() {
    let (received, arrivals) = mpsc::channel();
    let arrivals = Mutex::new(arrivals);
    let slow = MockServer::start().await;
    let waits = move |_: &Request| {
        let arrivals = arrivals.lock().unwrap();
        let all = (0..11).all(|_| arrivals.recv_timeout(Duration::from_secs(4)).is_ok());
        match all {
            true => ok(),
            false => ResponseTemplate::new(403).set_body_string("the others were delayed"),
        }
    };
    Mock::given(any()).respond_with(waits).mount(&slow).await;
    let others = MockServer::start().await;
    let answers = move |_: &Request| {
        received.send(()).unwrap();
        ok()
    };
    Mock::given(any())
        .respond_with(answers)
        .mount(&others)
        .await;
    let mut channels = vec![slack("slow", &slow, json!({}))];
    channels.extend((1..12).map(|number| slack(&format!("ops-{number}"), &others, json!({}))));
    let log = run(vec![out_of_memory("checkout", 1)], &channels).await;
    let deliveries = deliveries(&log).remove(0);
    assert_eq!(deliveries.matches("delivered").count(), 12, "{log}");
}

/// A service for alerts has no use for what a person does or for a deployment, whatever the patterns are.
#[tokio::test]
async fn what_is_no_alert_is_filtered_where_only_alerts_are_sent() {
    let jsm = chat(ResponseTemplate::new(202).set_body_json(json!({"requestId": "1"}))).await;
    let channels =
        [json!({"name": "oncall", "type": "jsm", "url": jsm.uri(), "api_key": "0123456789abcdef"})];
    let payloads = vec![
        events::sample("api_denied-run-task"),
        events::sample("service_changed-update"),
        out_of_memory("checkout", 1),
    ];
    let log = run(payloads, &channels).await;
    let expected = ["oncall filtered", "oncall filtered", "oncall delivered"];
    assert_eq!(deliveries(&log), expected, "{log}");
    assert_eq!(jsm.received_requests().await.unwrap().len(), 1);
}

/// A channel gets a thread with the first turn that it takes, and from then on all of its turns.
#[tokio::test]
async fn later_turns_of_a_thread_go_where_the_thread_is() {
    let (memory, images, mailer) = (chat(ok()).await, chat(ok()).await, chat(ok()).await);
    let channels = [
        slack(
            "memory",
            &memory,
            json!({"only": {"cause": ["out_of_memory"]}}),
        ),
        slack(
            "images",
            &images,
            json!({"only": {"cause": ["image_pull"]}}),
        ),
        slack("mailer", &mailer, json!({"only": {"service": ["mailer"]}})),
    ];
    let payloads = vec![out_of_memory("checkout", 1), image_pull("checkout", 2)];
    let log = run(payloads, &channels).await;
    assert_eq!(
        deliveries(&log),
        [
            "memory delivered, images filtered, mailer filtered",
            "memory delivered, images delivered, mailer filtered",
        ],
        "{log}"
    );
    assert_eq!(texts(&memory).await.len(), 2, "{log}");
    // The second cause is what this channel waits for: it gets the whole incident.
    let texts_of_images = texts(&images).await;
    assert_eq!(texts_of_images.len(), 1, "{log}");
    assert!(
        texts_of_images[0].contains("checkout"),
        "{texts_of_images:?}"
    );
    assert_eq!(texts(&mailer).await.len(), 0, "{log}");
}

/// A storm is judged by each of its services: one that a channel does not take hides no other.
#[tokio::test]
async fn a_storm_is_judged_by_each_service() {
    let (all, quiet) = (chat(ok()).await, chat(ok()).await);
    let (noisy, other) = (chat(ok()).await, chat(ok()).await);
    let channels = [
        slack("all", &all, json!({})),
        slack("quiet", &quiet, json!({"except": {"service": ["noisy"]}})),
        slack("noisy", &noisy, json!({"only": {"service": ["noisy"]}})),
        slack("other", &other, json!({"only": {"service": ["elsewhere"]}})),
    ];
    let services = ["noisy", "checkout", "mailer", "search", "basket", "login"];
    let failures = services.map(|service| out_of_memory(service, 1));
    let log = run(vec![Value::from(failures.to_vec())], &channels).await;
    let headline = |texts: Vec<String>| {
        assert_eq!(texts.len(), 1, "{texts:?} {log}");
        assert!(texts[0].contains("6 services are failing"), "{texts:?}");
    };
    headline(texts(&all).await);
    headline(texts(&quiet).await);
    headline(texts(&noisy).await);
    assert_eq!(texts(&other).await.len(), 0, "{log}");
}

/// Only the service that a channel does not take fails: the channel hears nothing.
#[tokio::test]
async fn one_excepted_service_alone_is_not_posted() {
    let quiet = chat(ok()).await;
    let channels = [slack(
        "quiet",
        &quiet,
        json!({"except": {"service": ["noisy"]}}),
    )];
    let payloads = vec![out_of_memory("noisy", 1), image_pull("noisy", 2)];
    let log = run(payloads, &channels).await;
    assert_eq!(
        deliveries(&log),
        ["quiet filtered", "quiet filtered"],
        "{log}"
    );
    assert_eq!(texts(&quiet).await.len(), 0, "{log}");
}

/// Values of events are compared as they are, whatever characters they have.
#[tokio::test]
async fn values_of_events_match_exactly() {
    let names = [
        "\"},{\"name\":\"x".to_owned(),
        "*".to_owned(),
        "$or".to_owned(),
        "tags.team".to_owned(),
        "naïve 🦜 \u{202e}\u{0}".to_owned(),
        "x".repeat(1_000),
    ];
    for name in names {
        let (same, other) = (chat(ok()).await, chat(ok()).await);
        let mut call = events::sample("stop_task-by-iam-user");
        call["detail"]["userIdentity"]["userName"] = json!(name);
        let shown = preview(&call)["route"]["actor"].clone();
        let channels = [
            slack("same", &same, json!({"only": {"actor": [shown]}})),
            slack(
                "other",
                &other,
                json!({"only": {"actor": [format!("{name}x"), "maya*"]}}),
            ),
        ];
        let log = run(vec![call], &channels).await;
        assert_eq!(
            deliveries(&log),
            ["same delivered, other filtered"],
            "{name:?} {log}"
        );
    }
}

/// A story in a channel with these patterns.
fn replay(story: Vec<(UnixTime, EcsEvent)>, patterns: Value) -> Vec<ReplayLine> {
    replay_in(ChannelType::Slack, story, patterns)
}

fn replay_in(
    channel: ChannelType,
    story: Vec<(UnixTime, EcsEvent)>,
    patterns: Value,
) -> Vec<ReplayLine> {
    let Value::Object(patterns) = patterns else {
        panic!("not an object");
    };
    let channel = ConfiguredChannel {
        route: RouteFilter::read(&patterns).unwrap(),
        ..ConfiguredChannel::unconfigured(channel)
    };
    let (policy, settings) = (Policy::default(), ThreadSettings::default());
    let mut replay = Replay::new(&policy, events::renderer(), &channel, settings);
    let mut batches: BTreeMap<UnixTime, Vec<EcsEvent>> = BTreeMap::new();
    for (at, event) in story {
        batches.entry(at).or_default().push(event);
    }
    let mut lines = Vec::new();
    for (at, events) in batches {
        lines.extend(replay.batch(at, &events));
    }
    lines.extend(replay.finish(None));
    lines
}

fn kinds_and_states(lines: &[ReplayLine]) -> Vec<(String, Option<ThreadState>)> {
    let kind = |it: &ReplayLine| {
        let thread = it
            .thread
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        thread.split('-').next().unwrap_or_default().to_owned()
    };
    lines.iter().map(|it| (kind(it), it.state)).collect()
}

/// CloudTrail says minutes after a deployment began who did it. A channel that waits for that gets the deployment then; if
/// it cannot edit, with the next step.
#[test]
fn a_deployment_begins_where_its_late_call_is_waited_for() {
    let late = || with_late_calls("rolling-deployment", Duration::from_secs(120));
    let by =
        |actor: &str| json!({"only": {"actor": [{"prefix": actor}], "thread": ["deployment"]}});
    let lines = replay_in(ChannelType::SlackApp, late(), by("maya"));
    let posts = lines.iter().filter(|it| it.action == ActionKind::Post);
    let posts: Vec<_> = posts.map(|it| it.state).collect();
    assert_eq!(posts, [Some(ThreadState::InProgress)]);
    let end = lines.last().and_then(|it| it.state);
    assert_eq!(end, Some(ThreadState::Completed));
    assert_eq!(
        kinds_and_states(&replay(late(), by("maya"))),
        [("deployment".to_owned(), Some(ThreadState::Completed))]
    );
    // A channel whose patterns refuse the deployment gets nothing of it, however much is learned.
    let others = json!({"except": {"thread": ["deployment"]}});
    for patterns in [by("noor"), others] {
        let lines = replay_in(ChannelType::SlackApp, late(), patterns);
        assert_eq!(kinds_and_states(&lines), []);
    }
}

/// A channel of one service gets its incident, and the storm that it becomes a part of, to the end.
#[test]
fn a_storm_follows_the_incident_of_one_service() {
    let lines = replay(
        story("zone-outage"),
        json!({"only": {"service": ["gateway"]}}),
    );
    let (first, last) = (&lines[0], &lines[lines.len() - 1]);
    assert!(first.headline.contains("12 services"), "{}", first.headline);
    assert_eq!(last.state, Some(ThreadState::Resolved));
    let kinds = kinds_and_states(&lines).into_iter();
    assert!(kinds.map(|(kind, _)| kind).all(|it| it == "storm"));
    // What opens first is an incident by itself.
    let lines = replay(
        story("zone-outage"),
        json!({"only": {"service": ["mailer"]}}),
    );
    let kinds: Vec<_> = kinds_and_states(&lines).into_iter().take(2).collect();
    assert_eq!(
        kinds,
        [
            ("incident".to_owned(), Some(ThreadState::Open)),
            ("storm".to_owned(), Some(ThreadState::Open)),
        ]
    );
}

#[test]
fn a_thread_is_judged_with_its_own_kind() {
    let kinds = |patterns: Value| {
        let lines = replay(story("zone-outage"), patterns);
        let kinds: BTreeSet<_> = kinds_and_states(&lines)
            .into_iter()
            .map(|(kind, _)| kind)
            .collect();
        kinds.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(
        kinds(json!({"only": {"thread": ["incident"]}})),
        ["incident", "storm"]
    );
    assert_eq!(kinds(json!({"only": {"thread": ["storm"]}})), ["storm"]);
    assert_eq!(
        kinds(json!({"except": {"thread": ["storm"]}})),
        ["incident"]
    );
    assert_eq!(kinds(json!({"only": {"thread": ["run"]}})), [""; 0]);
}

/// The output of `preview` with these channels: the exit status, stdout and stderr.
fn preview_with(channels: &Value, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
        .arg("preview")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .env("CHANNELS", channels.to_string())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn three_channels() -> Value {
    json!([
        {"name": "web", "type": "slack", "url": "ssm:/web", "only": {"cluster": [{"prefix": "prod-"}]}},
        {"name": "quiet", "type": "slack", "url": "ssm:/quiet", "except": {"service": ["checkout"], "urgent": [true]}},
        {"name": "oncall", "type": "slack", "url": "ssm:/oncall", "minimum": "urgent", "only": {"$or": [{"actor": ["maya"]}, {"cause": ["out_of_memory"]}]}},
    ])
}

const OUT_OF_MEMORY: &str = "samples/task_stopped-out-of-memory.json";
const UPDATE: &str = "samples/service_changed-update.json";
const DROPPED: &str = "samples/task_started-fargate.json";

#[test]
fn preview_has_the_route_and_the_channels() {
    let (_, out, _) = preview_with(
        &three_channels(),
        &["--output", "json", OUT_OF_MEMORY, UPDATE, DROPPED],
    );
    let lines = out.lines();
    let lines: Vec<Value> = lines.map(|it| serde_json::from_str(it).unwrap()).collect();
    let channels: Vec<_> = lines.iter().map(|it| it["channels"].clone()).collect();
    assert_eq!(
        channels,
        [
            json!([
                {"name": "web", "takes": true, "refused_by": []},
                {"name": "quiet", "takes": false, "refused_by": ["except.service", "except.urgent"]},
                {"name": "oncall", "takes": true, "refused_by": []},
            ]),
            json!([
                {"name": "web", "takes": true, "refused_by": []},
                {"name": "quiet", "takes": true, "refused_by": []},
                {"name": "oncall", "takes": false, "refused_by": ["minimum", "only.$or"]},
            ]),
            json!([]),
        ]
    );
    let routes: Vec<_> = lines.iter().map(|it| it["route"].clone()).collect();
    assert_eq!(
        routes,
        [
            json!({
                "kind": "task_stopped", "cause": "out_of_memory", "severity": "critical", "urgent": true,
                "thread": ["deployment", "incident"], "cluster": "prod-web", "service": "checkout",
                "family": "checkout", "account": "210987654321", "region": "eu-west-1",
                "actor": "the ECS service scheduler", "launch_type": "FARGATE",
            }),
            json!({
                "kind": "service_changed", "severity": "info", "urgent": false, "thread": ["deployment"],
                "cluster": "prod-web", "service": "checkout", "family": "checkout",
                "account": "210987654321", "region": "eu-west-1",
                "actor": "deploy-checkout-18452073319 (role ci-deploy)",
            }),
            json!({
                "kind": "task_started", "thread": ["deployment"], "cluster": "prod-web",
                "service": "checkout", "family": "checkout", "account": "210987654321",
                "region": "eu-west-1", "actor": "the ECS service scheduler", "launch_type": "FARGATE",
            }),
        ]
    );
}

#[test]
fn preview_says_why() {
    let (status, out, _) = preview_with(
        &three_channels(),
        &["--why", "quiet", OUT_OF_MEMORY, DROPPED],
    );
    assert_eq!(status, Some(0));
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        lines[1..6],
        [
            "keep: out_of_memory (task_stopped, critical, urgent), threads: deployment, incident",
            "channels: web, oncall; not quiet (except.service, except.urgent)",
            "quiet does not take it:",
            "  minimum \"all\": matches, the event has \"urgent\"",
            "  except.service [\"checkout\"]: matches, the event has \"checkout\"",
        ],
        "{out}"
    );
    assert!(
        out.contains("quiet does not take it: the event is dropped\n"),
        "{out}"
    );
    let (_, out, _) = preview_with(
        &three_channels(),
        &["--why", "oncall", "--output", "json", UPDATE],
    );
    let line: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        line["why"],
        json!({"channel": "oncall", "takes": false, "clauses": [
            {"clause": "minimum", "wanted": "urgent", "has": "not urgent", "unknown": false, "matches": false},
            {"clause": "only.$or", "wanted": [{"actor": ["maya"]}, {"cause": ["out_of_memory"]}], "has": null, "unknown": false, "matches": false},
        ]})
    );
}

#[test]
fn preview_says_that_a_service_takes_alerts_only() {
    let channels = json!([{"name": "oncall", "type": "jsm", "api_key": "0123456789abcdef"}]);
    let (_, out, _) = preview_with(&channels, &["--why", "oncall", UPDATE]);
    let lines: Vec<_> = out.lines().skip(2).take(4).collect();
    assert_eq!(
        lines,
        [
            "channels: none; not oncall (type)",
            "oncall does not take it:",
            "  type \"alerts\": does not match, the event has \"deployment\"",
            "  minimum \"all\": matches, the event has \"not urgent\"",
        ],
        "{out}"
    );
    let (_, page, _) = preview_with(&channels, &["--output", "html", UPDATE]);
    assert!(page.contains("the service takes alerts only"), "{page}");
}

/// Without `--enrich` no tag is known, so a clause about one refuses nothing.
#[test]
fn preview_says_what_is_not_known() {
    let channels = json!([
        {"name": "team", "type": "terminal", "only": {"tags": {"team": ["payments"]}, "cluster": ["prod-web"]}},
    ]);
    let (status, out, _) = preview_with(&channels, &["--why", "team", OUT_OF_MEMORY]);
    assert_eq!(status, Some(0));
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        lines[2..6],
        [
            "channels: team",
            "team takes it:",
            "  minimum \"all\": matches, the event has \"urgent\"",
            "  only.cluster [\"prod-web\"]: matches, the event has \"prod-web\"",
        ],
        "{out}"
    );
    assert_eq!(
        lines[6],
        "  only.tags.team [\"payments\"]: refuses nothing, what the event has is not known"
    );
}

#[test]
fn preview_asks_for_a_channel_that_exists() {
    let none = "ecs-parrot: --why `web`: no channel is configured; set CHANNELS\n";
    let (status, _, error) = preview_with(&json!(""), &["--why", "web", UPDATE]);
    assert_eq!(status, Some(1), "{error}");
    assert!(error.ends_with(none), "{error}");
    let (status, _, error) = preview_with(&three_channels(), &["--why", "wbe", UPDATE]);
    let expected =
        "ecs-parrot: --why `wbe`: no channel has this name; allowed: web, quiet, oncall\n";
    assert_eq!((status, error.as_str()), (Some(1), expected));
}

#[test]
fn the_page_says_what_refuses_a_message() {
    let (_, page, _) = preview_with(&three_channels(), &["--output", "html", OUT_OF_MEMORY]);
    assert!(
        page.contains("quiet (slack): not sent, refused by except.service, except.urgent"),
        "{page}"
    );
    let (_, page, _) = preview_with(&three_channels(), &["--output", "html", UPDATE]);
    assert!(
        page.contains("oncall (slack): not sent, refused by minimum, only.$or"),
        "{page}"
    );
}

/// The line of `preview --output json`.
fn preview(event: &Value) -> Value {
    let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    std::fs::write(file.path(), event.to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
        .args(["preview", "--output", "json"])
        .arg(file.path())
        .env_clear()
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The whole output of `config` with one channel that has these patterns.
fn config(patterns: Value) -> (bool, String) {
    let mut settings = json!({"name": "ops", "type": "slack", "url": "ssm:/parrot/ops"});
    let (Value::Object(settings), Value::Object(patterns)) = (&mut settings, patterns) else {
        panic!("not an object");
    };
    settings.extend(patterns);
    let list = json!([settings]).to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
        .arg("config")
        .env_clear()
        .env("CHANNELS", list)
        .output()
        .unwrap();
    let text = match output.status.success() {
        true => output.stdout,
        false => output.stderr,
    };
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn patterns_that_cannot_be_used_are_named_with_what_is_allowed() {
    let secret = "hooks.example.com/services/T01234567/B01234567/very-secret";
    for (patterns, expected) in [
        (
            json!({"only": ["prod"]}),
            "CHANNELS, `ops`, `only`: not an object; allowed: an object of fields and lists, `{\"cluster\": [\"prod\"]}`",
        ),
        (
            json!({"only": {"cluster": "prod"}}),
            "CHANNELS, `ops`, `only.cluster`: not a list; allowed: a list of values and operators, `[\"prod\"]`",
        ),
        (
            json!({"only": {"clutser": ["prod"]}}),
            "CHANNELS, `ops`, `only.clutser`: not a field; did you mean `cluster`?",
        ),
        (
            json!({"except": {"$or": [{"kind": ["tsk_stopped"]}, {"urgent": [true]}]}}),
            "CHANNELS, `ops`, `except.$or[0].kind[0]`: `kind` never has this value; did you mean `task_stopped`?",
        ),
        (
            json!({"only": {"cluster": [{"wildcard": "prod-**"}]}}),
            "CHANNELS, `ops`, `only.cluster[0].wildcard`: two `*` in a row; write one `*`",
        ),
        (
            json!({"only": {"account": [210987654321_i64]}}),
            "CHANNELS, `ops`, `only.account[0]`: `account` is text; write the value in quotes, `[\"210987654321\"]`",
        ),
        (
            json!({"only": {"cluster": ["a"]}, "except": {"cluster": ["a", "b"]}}),
            "CHANNELS, `ops`, `except`: it matches all that `only` takes, so that the channel gets nothing; leave something to the channel, or remove it",
        ),
        (
            json!({"only": {secret: [secret]}}),
            "CHANNELS, `ops`, `only`: not a field; allowed: kind, cause, severity, urgent, thread, cluster, service, family, account, account_name, region, actor, instance_type, launch_type, tags.KEY",
        ),
    ] {
        let (is_usable, text) = config(patterns.clone());
        assert!(!is_usable, "{patterns}");
        assert_eq!(
            text.trim_start_matches("ecs-parrot: ").trim(),
            expected,
            "{patterns}"
        );
    }
}

#[tokio::test]
async fn a_pattern_that_cannot_be_used_stops_the_start() {
    let ops = chat(ok()).await;
    let list = json!([slack("ops", &ops, json!({"only": {"severity": ["high"]}}))]);
    let api = RuntimeApi::with(Vec::new()).await;
    let address = api.server.address().to_string();
    let list = list.to_string();
    let mut function = Function::start(PARROT, &address, &[("CHANNELS", &list)]);
    let started = Instant::now();
    while function.child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < TIMEOUT, "it runs: {}", function.stop());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(api.polls().await, 0);
    let log = function.stop();
    let expected = "CHANNELS, `ops`, `only.severity[0]`: `severity` never has this value; allowed: info, success, warning, critical";
    assert!(log.contains(expected), "{log}");
}

#[test]
fn config_shows_patterns_and_warns_of_a_channel_that_gets_nothing() {
    let only = json!({"urgent": [false], "cluster": [{"prefix": "prod-"}]});
    let (is_usable, text) = config(json!({"minimum": "urgent", "only": only}));
    assert!(is_usable, "{text}");
    assert!(
        text.contains(r#"    only                           {"cluster":[{"prefix":"prod-"}],"urgent":[false]} (CHANNELS)"#),
        "{text}"
    );
    let warning = "warning: the channel `ops` never gets a message: its minimum is `urgent`, and `only` and `except` leave nothing urgent";
    assert!(text.contains(warning), "{text}");
    let (is_usable, text) = config(json!({"except": {"actor": ["xoxb-very-secret"]}}));
    assert!(is_usable && !text.contains("very-secret"), "{text}");
}
