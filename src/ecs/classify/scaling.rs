//! Classifies activities of Application Auto Scaling.

use super::Classification;
use crate::ecs::event::ScalingActivity;
use crate::ecs::notice::{Facts, Kind, ScalingFacts, Subject};

pub(super) fn find(activity: &ScalingActivity) -> Classification {
    let resource = activity.resource.as_deref().unwrap_or_default();
    let names = resource.strip_prefix("service/");
    let names = names.and_then(|it| it.split_once('/'));
    let (cluster, service) = names.unzip();
    let name = |name: Option<&str>| name.filter(|it| !it.is_empty()).map(str::to_owned);
    Classification {
        kind: Kind::ScaledToMax,
        subject: Subject {
            cluster: name(cluster),
            service: name(service),
            ..Subject::default()
        },
        facts: Facts::Scaling(ScalingFacts {
            scaled_to_max: activity.scaled_to_max == Some(true),
            old_count: activity.old_count,
            new_count: activity.new_count,
            least: activity.least,
            most: activity.most,
            at: activity
                .ended_at
                .clone()
                .or_else(|| activity.started_at.clone()),
        }),
        actor: None,
    }
}
