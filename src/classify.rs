//! Says what an event is about: [`EcsEvent`] in, [`Notice`] out.
//!
//! Facts, no verdict: whether anybody is told is [`triage`](crate::triage)'s to say.

mod actor;
mod api_call;
mod instance;
pub mod links;
mod service;
mod task;
mod unknown;

use crate::arn::{self, Arn};
pub use actor::of_started_by as actor_of_started_by;

use crate::event::{Detail, EcsEvent, Envelope};
use crate::notice::{Actor, Facts, Kind, Links, Notice, Origin, Subject};

/// What a part of `classify` found out about an event; the rest of a [`Notice`] is the same for all.
struct Finding {
    kind: Kind,
    subject: Subject,
    facts: Facts,
    actor: Option<Actor>,
}

pub fn classify(event: &EcsEvent) -> Notice {
    let envelope = &event.envelope;
    let finding = match &event.detail {
        Detail::ApiCall(call) => api_call::find(call),
        Detail::Task(task) => task::find(task, envelope),
        Detail::ServiceAction(action) => service::find_action(action, envelope),
        Detail::Deployment(change) => service::find_deployment(change, envelope),
        Detail::Hook(change) => service::find_hook(change, envelope),
        Detail::Instance(change) => instance::find_state(change),
        Detail::InstanceHealth(change) => instance::find_health(change),
        Detail::Unknown(detail) => unknown::find(detail, envelope),
        Detail::Foreign => Finding {
            kind: Kind::Other,
            subject: Subject::default(),
            facts: Facts::Foreign,
            actor: None,
        },
    };
    let origin = origin(event);
    let links = match finding.facts {
        Facts::Foreign => Links::default(),
        _ => links::links(finding.kind, &finding.subject, &origin),
    };
    Notice {
        kind: finding.kind,
        origin,
        subject: finding.subject,
        facts: finding.facts,
        actor: finding.actor,
        links,
    }
}

/// CloudTrail's own id names the call better than EventBridge's: it is the same in every delivery.
fn origin(event: &EcsEvent) -> Origin {
    let envelope = &event.envelope;
    let call = match &event.detail {
        Detail::ApiCall(call) => Some(call),
        _ => None,
    };
    Origin {
        event_id: envelope
            .id
            .clone()
            .or_else(|| call.and_then(|call| call.event_id.clone())),
        call_id: call.and_then(|call| call.event_id.clone()),
        source: envelope.source.clone(),
        detail_type: envelope.detail_type.clone(),
        account: envelope
            .account
            .clone()
            .or_else(|| call.and_then(|call| call.account.clone())),
        region: envelope
            .region
            .clone()
            .or_else(|| call.and_then(|call| call.region.clone())),
        time: call
            .and_then(|call| call.time.clone())
            .or_else(|| envelope.time.clone()),
    }
}

/// The cluster, by its own ARN or by that of anything in it.
fn cluster_name(cluster_arn: Option<&str>, members: &[Option<&str>]) -> Option<String> {
    cluster_arn.map(arn::name).map(str::to_owned).or_else(|| {
        members
            .iter()
            .flatten()
            .find_map(|member| Arn::parse(member)?.cluster())
            .map(str::to_owned)
    })
}

/// The first of the envelope's resources that is of this type.
fn resource<'a>(envelope: &'a Envelope, kind: &str) -> Option<&'a str> {
    envelope
        .resources
        .iter()
        .map(String::as_str)
        .find(|resource| Arn::parse(resource).is_some_and(|arn| arn.kind() == kind))
}

fn owned_name(text: Option<&str>) -> Option<String> {
    text.map(arn::name).map(str::to_owned)
}
