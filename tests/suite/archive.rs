//! With an archive, messages link to their events in it, in every channel and in threads.

use ecs_parrot::ecs::archive::Archive;
use ecs_parrot::ecs::event::EcsEvent;
use ecs_parrot::ecs::notice::{Container, Facts, LogStream};
use ecs_parrot::notifier::channel::{ChannelType, ConfiguredChannel};
use ecs_parrot::notifier::message::Message;
use ecs_parrot::notifier::policy::Policy;
use ecs_parrot::notifier::render::Renderer;
use ecs_parrot::notifier::replay::Replay;
use ecs_parrot::notifier::thread::{ThreadSettings, UnixTime};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::chat::{chat, messages, ok, webhook};
use crate::events::{self, Rendered};
use crate::hostile::HOSTILE;
use crate::runtime_api::RuntimeApi;

const LOG_GROUP: &str = "/aws/events/ecs-parrot-dev";

/// The events of the samples are of another region.
const REGION: &str = "eu-central-1";

fn renderer() -> Renderer {
    Renderer::default().with_archive(Some(Archive {
        region: REGION.to_owned(),
        log_group: LOG_GROUP.to_owned(),
    }))
}

/// The part of the address that finds an event.
fn query_of(id: &str) -> String {
    format!("filter*20id*20*3d*20*22{id}*22$257E")
}

fn rendered(renderer: &Renderer, payload: &Value) -> Rendered {
    let evaluated = events::evaluate(payload, &Policy::default()).remove(0);
    let evaluated = evaluated.unwrap();
    events::render(renderer, &evaluated.notice, evaluated.priority().unwrap()).unwrap()
}

/// The address of the event, if the message links to it.
fn event_link(message: &Message) -> Option<&str> {
    let mut links = message.facts.links.iter();
    let link = links.find(|it| it.label == "event");
    link.map(|it| it.url.as_str())
}

#[test]
fn every_channel_links_to_the_event() {
    let payload = events::sample("task_stopped-application-exit-1");
    let id = payload["id"].as_str().unwrap();
    let rendered = rendered(&renderer(), &payload);
    let host = format!("https://{REGION}.console.aws.amazon.com/cloudwatch/home");
    for channel in rendered.channels() {
        let name = &channel.name;
        let link = event_link(&channel.message).unwrap();
        assert!(link.starts_with(&host), "{name}: {link}");
        assert!(link.contains(&query_of(id)), "{name}: {link}");
        // The other links come first.
        let last = channel.message.facts.links.last().unwrap();
        assert_eq!(last.label, "event", "{name}");
        let sent = channel.payload.as_ref().map(ToString::to_string);
        assert!(
            sent.is_none_or(|sent| sent.contains(&query_of(id))),
            "{name}"
        );
    }
    let line = format!(" event: {host}?region={REGION}#logsV2:logs-insights$3FqueryDetail$3D");
    assert!(rendered.terminal.contains(&line), "{}", rendered.terminal);
}

/// The links of a message are one line, and a channel leaves out a line that is too long.
#[test]
fn a_message_with_many_links_keeps_them() {
    let payload = events::sample("task_stopped-application-exit-1");
    let evaluated = events::evaluate(&payload, &Policy::default()).remove(0);
    let mut evaluated = evaluated.unwrap();
    let Facts::Task(task) = &mut evaluated.notice.facts else {
        panic!("{:?}", evaluated.notice.facts);
    };
    let of_sample = task.containers[0].clone();
    let name = "checkout-production-worker";
    task.containers = (1..=10)
        .map(|number| Container {
            name: Some(format!("{name}-{number}")),
            log: Some(LogStream {
                region: "eu-west-1".to_owned(),
                group: format!("/ecs/{name}"),
                name: format!("{name}/{name}-{number}/09d79682056643a557ad3219bcdec408"),
            }),
            ..of_sample.clone()
        })
        .collect();
    let priority = evaluated.priority().unwrap();
    let rendered = events::render(&renderer(), &evaluated.notice, priority).unwrap();
    let query = query_of(payload["id"].as_str().unwrap());
    for channel in rendered.channels() {
        let sent = channel.payload.as_ref().map(ToString::to_string);
        assert!(
            sent.is_none_or(|it| it.contains(&query)),
            "{}",
            channel.name
        );
    }
}

/// A call has two ids: EventBridge's, which the archive has, and CloudTrail's.
#[test]
fn a_call_is_found_by_the_id_of_its_event() {
    let mut payload = events::sample("stop_task-by-iam-user");
    let id = payload["id"].as_str().unwrap().to_owned();
    let of_call = payload["detail"]["eventID"].as_str().unwrap().to_owned();
    assert_ne!(id, of_call);
    let terminal = rendered(&renderer(), &payload).terminal;
    assert!(terminal.contains(&query_of(&id)), "{terminal}");

    // A record of CloudTrail's log files did not come through a rule.
    let record = payload["detail"].take();
    let terminal = rendered(&renderer(), &record).terminal;
    assert!(terminal.contains("Open"), "{terminal}");
    assert!(!terminal.contains("logs-insights"), "{terminal}");
}

#[test]
fn a_hostile_id_changes_nothing() {
    let mut payload = events::sample("task_stopped-application-exit-1");
    for hostile in HOSTILE {
        payload["id"] = hostile.into();
        let with = rendered(&renderer(), &payload);
        let without = rendered(events::renderer(), &payload);
        assert_eq!(with.terminal, without.terminal, "{hostile:?}");
        for (with, without) in with.channels().iter().zip(without.channels()) {
            assert_eq!(with.message, without.message, "{hostile:?}");
        }
    }
}

/// Each message of an incident links to the failure that it shows.
#[test]
fn a_message_of_a_thread_links_to_the_event_that_it_shows() {
    let failure = |minute: u8| {
        let mut event = events::sample("task_stopped-application-exit-1");
        event["id"] = format!("1b9d3a52-000{minute}").into();
        event["time"] = format!("2026-11-05T12:0{minute}:00Z").into();
        let task = format!("arn:aws:ecs:eu-west-1:210987654321:task/prod-web/{minute:0>32}");
        event["detail"]["taskArn"] = task.into();
        event
    };
    let (policy, renderer) = (Policy::default(), renderer());
    let channel = ConfiguredChannel::unconfigured(ChannelType::SlackApp);
    let mut replay = Replay::new(&policy, &renderer, &channel, ThreadSettings::default());
    for minute in [1, 2, 3] {
        let event = failure(minute);
        let at: Timestamp = event["time"].as_str().unwrap().parse().unwrap();
        let lines = replay.batch(UnixTime::of(at), &[EcsEvent::read(&event).unwrap()]);
        assert!(!lines.is_empty(), "{minute}");
        for line in lines {
            assert!(line.thread.is_some(), "{line:?}");
            let link = event_link(&line.shown).unwrap();
            assert!(
                link.contains(&query_of(event["id"].as_str().unwrap())),
                "{minute}: {link}"
            );
        }
    }
}

/// The function takes the name of the archive and its own region from its variables. Without the name, messages are as
/// they were.
#[tokio::test]
async fn the_function_links_to_its_archive() {
    let payload = events::sample("stop_task-by-root");
    let id = payload["id"].as_str().unwrap();
    for (archive, is_linked) in [(LOG_GROUP, true), ("", false)] {
        let slack = chat(ok()).await;
        let hook = webhook(&slack);
        let channels = json!([{"name": "ops", "type": "slack", "url": hook}]).to_string();
        let variables = [
            ("CHANNELS", channels.as_str()),
            ("ARCHIVE_LOG_GROUP", archive),
            ("AWS_REGION", REGION),
            ("ENRICH", "false"),
        ];
        let (_, log) = RuntimeApi::with(vec![payload.clone()])
            .await
            .run(&variables)
            .await;
        let messages = messages(&slack).await;
        assert_eq!(messages.len(), 1, "{log}");
        let link = format!("https://{REGION}.console.aws.amazon.com/cloudwatch/home?");
        let has = |text: &str| messages[0].contains(text);
        assert_eq!(has(&link), is_linked, "{messages:?}");
        assert_eq!(has(&query_of(id)), is_linked, "{messages:?}");
    }
}
