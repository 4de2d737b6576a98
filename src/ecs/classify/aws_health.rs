//! Classifies events of AWS Health.

use super::Classification;
use crate::ecs::affected::Affected;
use crate::ecs::event::AwsHealthEvent;
use crate::ecs::notice::{AwsHealthFacts, Facts, Kind, Subject};

pub(super) fn find(event: &AwsHealthEvent) -> Classification {
    let only_instance = |affected: &Affected| {
        let instance = affected.only_instance()?;
        Some(instance.id.clone())
    };
    let affected = Affected::read(event.entities.iter().map(String::as_str));
    let only_task = affected.only_task();
    let task_cluster = only_task.and_then(|it| it.cluster.clone());
    let cluster = affected.only_cluster().map(str::to_owned);
    Classification {
        kind: match is_retirement(event) {
            true => Kind::TaskRetirement,
            false => Kind::AwsHealth,
        },
        subject: Subject {
            cluster: cluster.or(task_cluster),
            service: affected.only_service().map(|it| it.service.clone()),
            ec2_instance: only_instance(&affected),
            task: only_task.map(|it| it.task.clone()),
            ..Subject::default()
        },
        facts: Facts::AwsHealth(Box::new(AwsHealthFacts {
            event_arn: event.event_arn.clone(),
            communication_id: event.communication_id.clone(),
            page: event.page,
            type_code: event.type_code.clone(),
            category: event.category.clone(),
            status: event.status.clone(),
            description: event.description.clone(),
            starts_at: event.starts_at.clone(),
            ends_at: event.ends_at.clone(),
            updated_at: event.updated_at.clone(),
            is_of_ecs: (!event.is_about_instances()).then_some(true),
            resolved: event.resolved,
            affected,
            ..AwsHealthFacts::default()
        })),
        actor: None,
    }
}

/// `AWS_ECS_TASK_PATCHING_RETIREMENT`: Fargate stops the tasks that run on an old revision of its platform.
fn is_retirement(event: &AwsHealthEvent) -> bool {
    let code = event.type_code.as_deref().unwrap_or_default();
    code.contains("_TASK_") && code.ends_with("_RETIREMENT")
}
