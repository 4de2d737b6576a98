//! Says what an event is about: [`EcsEvent`] in, [`Notice`] out.
//!
//! Facts, no decision: whether anybody is told is [`triage`](crate::notifier::policy)'s to say.

mod actor;
mod api_call;
mod instance;
mod service;
mod task;
mod unknown;

use crate::ecs::arn::{self, Arn};
pub use actor::of_started_by as actor_of_started_by;

use crate::ecs::event::{Detail, EcsEvent, Envelope, Fields};
use crate::ecs::notice::{Actor, Facts, Kind, Links, Notice, Origin, Subject};

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
        _ => crate::ecs::links::links(finding.kind, &finding.subject, &origin),
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
    let arn = arn_in(event);
    let arn = arn.as_deref().and_then(Arn::parse).filter(|arn| {
        let account = envelope.account.as_deref();
        account.is_none_or(|account| account == arn.account)
    });
    let owned = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
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
            .or_else(|| call.and_then(|call| call.account.clone()))
            .or_else(|| owned(arn?.account)),
        region: envelope
            .region
            .clone()
            .or_else(|| call.and_then(|call| call.region.clone()))
            .or_else(|| owned(arn?.region)),
        time: call
            .and_then(|call| call.time.clone())
            .or_else(|| envelope.time.clone()),
    }
}

/// An ARN of ECS's that tells where an event comes from if its envelope does not.
fn arn_in(event: &EcsEvent) -> Option<String> {
    let detail: Vec<Option<String>> = match &event.detail {
        Detail::Task(task) => vec![task.task_arn.clone(), task.cluster_arn.clone()],
        Detail::ServiceAction(action) => vec![action.cluster_arn.clone()],
        Detail::Deployment(change) => vec![change.cluster_arn.clone()],
        Detail::Hook(change) => vec![
            change.service_deployment_arn.clone(),
            change.service_arn.clone(),
            change.cluster_arn.clone(),
        ],
        Detail::Instance(change) => vec![
            change.container_instance_arn.clone(),
            change.cluster_arn.clone(),
        ],
        Detail::InstanceHealth(change) => vec![
            change.container_instance_arn.clone(),
            change.cluster_arn.clone(),
        ],
        Detail::Unknown(detail) => ["clusterArn", "taskArn", "serviceArn", "daemonArn"]
            .iter()
            .map(|key| Fields::new(detail).text(key))
            .collect(),
        Detail::ApiCall(call) => ["cluster", "task", "service", "containerInstance"]
            .iter()
            .map(|key| Fields::new(&call.request).text(key))
            .collect(),
        Detail::Foreign => Vec::new(),
    };
    let mut arns = detail
        .into_iter()
        .flatten()
        .chain(event.envelope.resources.iter().cloned());
    arns.find(|text| Arn::parse(text).is_some_and(|arn| arn.service == "ecs"))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn region_and_account_stand_in_arns_too() {
        let mut event = json!({
            "source": "aws.ecs", "detail-type": "ECS Service Action",
            "resources": ["arn:aws:ecs:eu-west-1:210987654321:service/prod/web"],
            "detail": {"eventName": "SERVICE_HEALTH_UNKNOWN"},
        });
        let place = |event: &serde_json::Value| {
            let origin = classify(&EcsEvent::read(event).unwrap()).origin;
            (
                origin.region.unwrap_or_default(),
                origin.account.unwrap_or_default(),
            )
        };
        let expected = |region: &str, account: &str| (region.to_owned(), account.to_owned());
        assert_eq!(place(&event), expected("eu-west-1", "210987654321"));
        event["region"] = json!("eu-central-1");
        assert_eq!(place(&event), expected("eu-central-1", "210987654321"));
        // Somebody else's resource tells nothing of where this happened.
        event["account"] = json!("309876543210");
        event["region"] = json!("");
        assert_eq!(place(&event), expected("", "309876543210"));
        event["account"] = json!("");
        event["resources"] = json!(["arn:aws:ec2:eu-west-1:210987654321:instance/i-1"]);
        assert_eq!(place(&event), expected("", ""));
    }
}
