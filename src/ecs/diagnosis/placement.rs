//! Says in few words why a service cannot place a task: what is missing, for the first line of a message.

use super::launches;
use crate::ecs::notice::ServiceFacts;

const PLACEMENT_FAILURE: &str = "SERVICE_TASK_PLACEMENT_FAILURE";

/// The longest reason in a headline, in characters. A line below has all of it.
const LONGEST: usize = 80;

/// What is missing: `not enough free memory`, `capacity provider batch has no instances`. `None` for an event that is no
/// failed placement, or that has no reason.
pub fn missing(service: &ServiceFacts) -> Option<String> {
    let is_placement = service.event_name.as_deref() == Some(PLACEMENT_FAILURE);
    let reason = reason(service).filter(|_| is_placement)?;
    let words = match (launches::meaning(&reason), &service.capacity_providers[..]) {
        (Some(meaning), [provider]) => meaning.replace(
            "the capacity provider",
            &format!("capacity provider {provider}"),
        ),
        (Some(meaning), _) => meaning.to_owned(),
        (None, _) => reason.trim().trim_end_matches('.').to_owned(),
    };
    let is_long = words.chars().count() > LONGEST;
    match words.as_str() {
        "" => None,
        _ if is_long => Some(words.chars().take(LONGEST - 1).chain(['…']).collect()),
        _ => Some(words),
    }
}

/// The reason of a placement failure. ECS gives the same one for Fargate and for Fargate Spot.
pub fn reason(service: &ServiceFacts) -> Option<String> {
    let reason = service.reason.as_deref()?;
    let providers = &service.capacity_providers;
    let is_spot = |it: &String| it.ends_with("FARGATE_SPOT");
    Some(
        match !providers.is_empty() && providers.iter().all(is_spot) {
            true if reason == "RESOURCE:FARGATE" => "RESOURCE:FARGATE_SPOT".to_owned(),
            _ => reason.to_owned(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_in_few_words() {
        let long = "x".repeat(500);
        let cut = format!("{}…", "x".repeat(79));
        for (name, reason, providers, expected) in [
            (
                PLACEMENT_FAILURE,
                "RESOURCE:MEMORY",
                &[][..],
                Some("not enough free memory"),
            ),
            (
                PLACEMENT_FAILURE,
                "EMPTY CAPACITY PROVIDER",
                &["batch"],
                Some("capacity provider batch has no instances"),
            ),
            (
                PLACEMENT_FAILURE,
                "EMPTY CAPACITY PROVIDER",
                &["a", "b"],
                Some("the capacity provider has no instances"),
            ),
            (
                PLACEMENT_FAILURE,
                "RESOURCE:FARGATE",
                &["FARGATE_SPOT"],
                Some("Fargate Spot has no capacity now"),
            ),
            (
                PLACEMENT_FAILURE,
                "MemberOf placement constraint unsatisfied.",
                &[],
                Some("MemberOf placement constraint unsatisfied"),
            ),
            (PLACEMENT_FAILURE, &long, &[], Some(cut.as_str())),
            (PLACEMENT_FAILURE, " . ", &[], None),
            // Its own words say what is wrong.
            (
                "SERVICE_TASK_CONFIGURATION_FAILURE",
                "RESOURCE:MEMORY",
                &[],
                None,
            ),
        ] {
            let service = ServiceFacts {
                event_name: Some(name.to_owned()),
                reason: Some(reason.to_owned()),
                capacity_providers: providers.iter().map(|it| (*it).to_owned()).collect(),
                ..ServiceFacts::default()
            };
            assert_eq!(missing(&service).as_deref(), expected, "{reason}");
        }
        let none = ServiceFacts {
            event_name: Some(PLACEMENT_FAILURE.to_owned()),
            ..ServiceFacts::default()
        };
        assert_eq!(missing(&none), None);
    }
}
