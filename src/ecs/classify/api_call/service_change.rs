//! What CreateService and UpdateService do to a service: the count that they ask for, and its deployments.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html>

use crate::ecs::arn;
use crate::ecs::event::Fields;
use crate::ecs::notice::{AnsweredDeployment, ServiceChange};

/// The most deployments of one service that are read. A service rarely has more than two.
const MOST: usize = 5;

/// `None` for other calls.
pub(super) fn service_change(
    name: &str,
    request: Fields<'_>,
    response: Fields<'_>,
) -> Option<ServiceChange> {
    if !matches!(name, "CreateService" | "UpdateService") {
        return None;
    }
    let forced = request.flag("forceNewDeployment") == Some(true);
    let deployments = response.object("service").list("deployments").into_iter();
    Some(ServiceChange {
        desired_count: request.number("desiredCount"),
        only_scales: only_scales(request),
        asks_for_deployment: forced || request.is_present("taskDefinition"),
        deployments: deployments.take(MOST).map(deployment).collect(),
    })
}

fn only_scales(request: Fields<'_>) -> bool {
    let Some(fields) = request.value().as_object() else {
        return false;
    };
    let is_of_count =
        |name: &String| matches!(name.as_str(), "cluster" | "service" | "desiredCount");
    request.is_present("desiredCount") && fields.keys().all(is_of_count)
}

fn deployment(fields: Fields<'_>) -> AnsweredDeployment {
    AnsweredDeployment {
        id: fields.text("id"),
        is_primary: fields.text("status").as_deref() == Some("PRIMARY"),
        task_definition: fields
            .text("taskDefinition")
            .map(|text| arn::name(&text).to_owned()),
        desired_count: fields.number("desiredCount"),
        created_at: fields.time("createdAt"),
        rollout_state: fields.text("rolloutState"),
    }
}
