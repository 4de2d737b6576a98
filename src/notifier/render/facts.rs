//! What a message is about, as plain text: for channels whose format has fields of its own.

use std::collections::BTreeMap;

use super::clean::clean;
use super::{NameSettings, ThreadMessage};
use crate::ecs::event::Time;
use crate::ecs::notice::{Facts, Kind, Links, Notice, Subject};
use crate::notifier::channel::ChannelType;
use crate::notifier::channel::markup::link_address;
use crate::notifier::message::{MessageFacts, MessageLink};
use crate::notifier::policy::Priority;
use crate::notifier::thread::{ShownNotice, Thread};

/// The longest address, in bytes. AWS's names are so short that none is longer.
const LONGEST_ADDRESS: usize = 1_500;

pub(super) fn facts_of(
    notice: &Notice,
    priority: Priority,
    settings: &NameSettings,
) -> MessageFacts {
    let (origin, subject) = (&notice.origin, &notice.subject);
    let instance = subject.ec2_instance.as_ref();
    let instance = instance.or(subject.container_instance.as_ref());
    MessageFacts {
        event_id: plain(origin.event_id.as_ref()),
        time: origin.time.as_ref().map(time),
        account: plain(origin.account.as_ref()),
        account_name: plain(origin.account_name.as_ref()),
        region: plain(origin.region.as_ref()),
        cluster: plain(subject.cluster.as_ref()),
        service: plain(subject.service.as_ref()),
        family: plain(subject.family.as_ref()),
        revision: plain(subject.revision.as_ref()),
        task: plain(subject.task.as_ref()),
        instance: plain(instance),
        actor: plain(notice.actor.as_ref().map(|it| &it.name)),
        tags: tags(subject),
        cause: cause(notice, priority),
        links: links(&notice.links, settings.archived(notice)),
        is_test: false,
    }
}

/// A thread knows some facts that the event does not have which it shows.
pub(super) fn facts_of_thread(
    shown: &ThreadMessage<'_>,
    event: &ShownNotice,
    settings: &NameSettings,
) -> MessageFacts {
    let mut facts = facts_of(&event.notice, event.priority, settings);
    let actor = match shown.thread {
        Thread::Deployment(it) => it.actor.as_ref(),
        Thread::Run(it) => it.launch.as_ref().and_then(|it| it.actor.as_ref()),
        Thread::Incident(_) | Thread::Storm(_) | Thread::Activity(_) | Thread::Announcement(_) => {
            None
        }
    };
    facts.actor = facts.actor.or_else(|| plain(actor));
    facts
}

fn tags(subject: &Subject) -> BTreeMap<String, String> {
    let markup = ChannelType::Terminal.markup();
    let tags = subject.tags.iter().flatten();
    tags.map(|(key, value)| (clean(key, markup), clean(value, markup)))
        .collect()
}

/// The text in one line, without invisible characters, and cut.
fn plain(text: Option<&String>) -> Option<String> {
    let text = clean(text?, ChannelType::Terminal.markup());
    (!text.is_empty()).then_some(text)
}

fn time(time: &Time) -> String {
    match time.instant() {
        Some(instant) => instant.to_string(),
        None => clean(time.text(), ChannelType::Terminal.markup()),
    }
}

fn cause(notice: &Notice, priority: Priority) -> Option<String> {
    if let Some(cause) = priority.cause {
        return Some(cause.to_string());
    }
    match &notice.facts {
        Facts::Service(service) => plain(service.event_name.as_ref()),
        Facts::Host(_) => Some(notice.kind.to_string()),
        Facts::Rollout(rollout) => plain(rollout.event_name.as_ref()),
        Facts::AwsHealth(health) => plain(health.type_code.as_ref()),
        Facts::Alarm(alarm) => plain(alarm.name.as_ref()),
        Facts::Scaling(_) => Some(Kind::ScaledToMax.to_string()),
        Facts::Missed(_) => Some(notice.kind.to_string()),
        Facts::Call(_)
        | Facts::Task(_)
        | Facts::Instance(_)
        | Facts::Health(_)
        | Facts::Hook(_)
        | Facts::Unknown(_)
        | Facts::Foreign => None,
    }
}

fn links(pages: &Links, archived: Option<String>) -> Vec<MessageLink> {
    let pages = [
        ("task", &pages.task),
        ("logs", &pages.logs),
        ("alarm", &pages.alarm),
        ("service", &pages.service),
        ("task definition", &pages.task_definition),
        ("instance", &pages.container_instance),
        ("cluster", &pages.cluster),
        ("event", &archived),
    ];
    let links = pages.into_iter().filter_map(|(label, url)| {
        let url = link_address(url.as_deref()?)?.to_owned();
        if url.len() > LONGEST_ADDRESS {
            return None;
        }
        Some(MessageLink { label, url })
    });
    links.collect()
}
