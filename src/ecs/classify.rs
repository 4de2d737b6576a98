//! Finds out what an event is about: turns an [`EcsEvent`] into a [`Notice`].
//!
//! A notice holds only facts. [`policy`](crate::notifier::policy) decides whether a message is sent.

mod actor;
mod alarm;
mod api_call;
mod aws_health;
mod host;
mod instance;
mod rollout;
mod scaling;
mod service;
mod task;
mod unknown;

use crate::ecs::arn::{self, Arn};
pub use actor::of_started_by as actor_of_started_by;
pub use alarm::{alarms_in, of_dimensions};

use crate::ecs::event::{Detail, EcsEvent, Envelope, Fields};
use crate::ecs::notice::{Actor, Facts, Kind, Links, Notice, Origin, Subject};

/// The parts of a [`Notice`] that depend on the type of the event. The other parts are the same for all types.
struct Classification {
    kind: Kind,
    subject: Subject,
    facts: Facts,
    actor: Option<Actor>,
}

pub fn classify(event: &EcsEvent) -> Notice {
    let envelope = &event.envelope;
    let classification = match &event.detail {
        Detail::ApiCall(call) => api_call::find(call),
        Detail::Task(task) => task::find(task, envelope),
        Detail::ServiceAction(action) => service::find_action(action, envelope),
        Detail::Deployment(change) => service::find_deployment(change, envelope),
        Detail::Hook(change) => service::find_hook(change, envelope),
        Detail::Instance(change) => instance::find_state(change),
        Detail::InstanceHealth(change) => instance::find_health(change),
        Detail::DaemonDeployment(change) => rollout::find_daemon_deployment(change, envelope),
        Detail::DaemonAction(action) => rollout::find_daemon_action(action, envelope),
        Detail::CodeDeploy(change) => rollout::find_code_deploy(change, envelope),
        Detail::Host(event) => host::find(event),
        Detail::AwsHealth(event) => aws_health::find(event),
        Detail::Scaling(activity) => scaling::find(activity),
        Detail::Alarm(alarm) => alarm::find(alarm),
        Detail::Unknown(detail) => unknown::find(detail, envelope),
        Detail::Foreign => Classification {
            kind: Kind::Other,
            subject: Subject::default(),
            facts: Facts::Foreign,
            actor: None,
        },
    };
    let origin = origin(event);
    let links = match classification.facts {
        Facts::Foreign => Links::default(),
        _ => crate::ecs::links::links(classification.kind, &classification.subject, &origin),
    };
    Notice {
        kind: classification.kind,
        origin,
        subject: classification.subject,
        facts: classification.facts,
        actor: classification.actor,
        links,
    }
}

/// CloudTrail's id identifies a call better than EventBridge's id, because it is the same in every delivery.
fn origin(event: &EcsEvent) -> Origin {
    let envelope = &event.envelope;
    let call = match &event.detail {
        Detail::ApiCall(call) => Some(call),
        _ => None,
    };
    // The envelope of AWS Health says where the event was delivered.
    let health = match &event.detail {
        Detail::AwsHealth(health) => Some(health),
        _ => None,
    };
    let affected_account = health.and_then(|it| it.account.clone());
    let affected_region = health.and_then(|it| it.region.clone());
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
        account_name: None,
        lacks_account_name: false,
        lookup_problem: None,
        account: affected_account
            .or_else(|| envelope.account.clone())
            .or_else(|| call.and_then(|call| call.account.clone()))
            .or_else(|| owned(arn?.account)),
        region: affected_region
            .or_else(|| envelope.region.clone())
            .or_else(|| call.and_then(|call| call.region.clone()))
            .or_else(|| owned(arn?.region)),
        time: call
            .and_then(|call| call.time.clone())
            .or_else(|| envelope.time.clone()),
    }
}

/// An ECS ARN in the event. It shows the account and the region if the envelope does not.
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
        Detail::DaemonDeployment(change) => {
            vec![change.cluster_arn.clone(), change.daemon_arn.clone()]
        }
        Detail::DaemonAction(action) => {
            vec![action.cluster_arn.clone(), action.daemon_arn.clone()]
        }
        Detail::CodeDeploy(_)
        | Detail::Host(_)
        | Detail::AwsHealth(_)
        | Detail::Scaling(_)
        | Detail::Alarm(_)
        | Detail::Foreign => Vec::new(),
    };
    let mut arns = detail
        .into_iter()
        .flatten()
        .chain(event.envelope.resources.iter().cloned());
    arns.find(|text| Arn::parse(text).is_some_and(|arn| arn.service == "ecs"))
}

/// The cluster's name, from its own ARN or from the ARN of a resource in it.
fn cluster_name(cluster_arn: Option<&str>, members: &[Option<&str>]) -> Option<String> {
    cluster_arn.map(arn::name).map(str::to_owned).or_else(|| {
        members
            .iter()
            .flatten()
            .find_map(|member| Arn::parse(member)?.cluster())
            .map(str::to_owned)
    })
}

/// The first resource of this type in the envelope.
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
    fn region_and_account_are_also_read_from_arns() {
        let mut event = json!({
            "source": "aws.ecs", "detail-type": "ECS Service Action",
            "resources": ["arn:aws:ecs:eu-west-1:210987654321:service/prod/web"],
            "detail": {"eventName": "SERVICE_HEALTH_UNKNOWN"},
        });
        let region_and_account = |event: &serde_json::Value| {
            let origin = classify(&EcsEvent::read(event).unwrap()).origin;
            (
                origin.region.unwrap_or_default(),
                origin.account.unwrap_or_default(),
            )
        };
        let expected = |region: &str, account: &str| (region.to_owned(), account.to_owned());
        assert_eq!(
            region_and_account(&event),
            expected("eu-west-1", "210987654321")
        );
        event["region"] = json!("eu-central-1");
        assert_eq!(
            region_and_account(&event),
            expected("eu-central-1", "210987654321")
        );
        // A resource of another account does not show where this happened.
        event["account"] = json!("309876543210");
        event["region"] = json!("");
        assert_eq!(region_and_account(&event), expected("", "309876543210"));
        event["account"] = json!("");
        event["resources"] = json!(["arn:aws:ec2:eu-west-1:210987654321:instance/i-1"]);
        assert_eq!(region_and_account(&event), expected("", ""));
    }
}
