//! Reads the names and texts of the service scheduler's events.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html>,
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/track-service-rebalancing.html>

use crate::ecs::notice::ServiceFacts;

/// The text of a service event without the parts in parentheses. Those parts are names, and a service may have the name
/// `health` or `AGENT`.
pub fn without_names(reason: &str) -> String {
    let mut depth = 0_usize;
    let outside = reason.chars().filter(|character| match character {
        '(' => {
            depth += 1;
            false
        }
        ')' => {
            depth = depth.saturating_sub(1);
            false
        }
        _ => depth == 0,
    });
    outside.collect()
}

/// "ECS deployment circuit breaker: rolling back to deploymentId …", and a similar text for alarms. The event at the
/// end of a rollback looks like the end of any deployment, so `came_back` is fetched from AWS.
pub fn is_rollback(service: &ServiceFacts) -> bool {
    service.came_back
        || service.reason.as_deref().is_some_and(says_rollback)
        || service.event_name.as_deref().is_some_and(says_rollback)
}

/// Whether a name or a sentence reports a rollback.
pub fn says_rollback(text: &str) -> bool {
    let text = text.to_ascii_lowercase().replace('_', " ");
    let marks = ["rolling back", "rolled back", "rollback", "reverting to"];
    let says_so = marks.iter().any(|mark| text.contains(mark));
    says_so && !text.contains("no rollback")
}

/// The deployment that a service rolls back to: "… rolling back to deploymentId ecs-svc/1234." and, among a service's
/// events, "(service web) rolling back to deployment ecs-svc/1234."
pub fn rollback_target(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("rolling back to deployment")?;
    let start = after.find("ecs-svc/")?;
    let target = &after[start..];
    let end = target
        .find(|c: char| c.is_whitespace() || ".,;)".contains(c))
        .unwrap_or(target.len());
    Some(&target[..end])
}

/// Whether an event only follows from tasks that failed, and says nothing new beside them.
pub fn follows_from_failures(event_name: &str) -> bool {
    event_name == "SERVICE_TASK_START_IMPAIRED"
}

/// Whether the name of an event or of a state reports a failure.
pub fn says_failed(name: &str) -> bool {
    ["_FAILURE", "_FAILED"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Whether the name of an event or of a state reports a failure, a problem or a rollback.
pub fn says_trouble(name: &str) -> bool {
    says_failed(name)
        || ["_IMPAIRED", "_UNHEALTHY", "_TIMED_OUT"]
            .iter()
            .any(|end| name.ends_with(end))
        || says_rollback(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_of_a_rollback_is_read() {
        for (text, expected) in [
            (
                "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/582.",
                Some("ecs-svc/582"),
            ),
            (
                "(service web) rolling back to deployment ecs-svc/582.",
                Some("ecs-svc/582"),
            ),
            (
                "(service web) rolling back to deployment (ecs-svc/582)",
                Some("ecs-svc/582"),
            ),
            ("ECS deployment ecs-svc/582 in progress.", None),
            ("rolling back to deployment", None),
        ] {
            assert_eq!(rollback_target(text), expected, "{text}");
        }
    }
}
