//! The words for all channels: marks, image names, durations, and texts for AWS's event names.

use jiff::SignedDuration;

use crate::notifier::policy::Severity;

/// The mark before a headline. Lists of messages do not show the colour of an attachment.
pub(in crate::notifier::render) fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "⚪",
        Severity::Success => "🟢",
        Severity::Warning => "🟠",
        Severity::Critical => "🔴",
    }
}

/// `210987654321.dkr.ecr.eu-west-1.amazonaws.com/shop/checkout:1.4.2` → `checkout:1.4.2`. Only the first twelve digits
/// of an image digest are shown, as other tools do.
pub(super) fn image(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap_or(reference);
    match name.split_once("@sha256:") {
        Some((name, digest)) => {
            let digest: String = digest.chars().take(12).collect();
            format!("{name}@{digest}")
        }
        None => name.to_owned(),
    }
}

/// Shows the two largest units: `3 d 4 h`, `2 h 5 min`, `41 s`.
pub(super) fn duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {seconds} s"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}

/// Changes words about "the task" to words about "3 tasks": `was killed` → `were killed`.
pub(super) fn plural(words: &str) -> String {
    let mut before = "and";
    let words = words.split(' ').map(|word| {
        let plural = match (before, word) {
            ("and", "was") => "were",
            ("and", "is") => "are",
            ("and", "has") => "have",
            ("and", "does") => "do",
            ("wants", "it") => "them",
            (_, "its") => "their",
            (_, other) => other,
        };
        before = word;
        plural
    });
    let words: Vec<_> = words.collect();
    words.join(" ").replace(" it may ", " they may ")
}

/// The text for an event name. It follows the name of the service.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html>
pub(super) fn event_text(name: &str) -> Option<&'static str> {
    Some(match name {
        "SERVICE_STEADY_STATE" => "has reached a steady state",
        "TASKSET_STEADY_STATE" => "has a task set in a steady state",
        "CAPACITY_PROVIDER_STEADY_STATE" => "has its capacity provider in a steady state",
        "SERVICE_DESIRED_COUNT_UPDATED" => "has a new desired count",
        "TASKS_STARTED" => "started tasks to balance its zones",
        "TASKS_STOPPED" => "stopped some of its tasks",
        "SERVICE_REBALANCING_STARTED" => "began to balance its Availability Zones",
        "SERVICE_REBALANCING_COMPLETED" => "has balanced its Availability Zones",
        "SERVICE_REBALANCING_STOPPED" => "stopped balancing its Availability Zones",
        "TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION" => "cannot scale in: its tasks are protected",
        "SERVICE_TASK_START_IMPAIRED" => "cannot start its tasks consistently",
        "SERVICE_DISCOVERY_INSTANCE_UNHEALTHY" => "has an unhealthy task in service discovery",
        "VPC_LATTICE_TARGET_UNHEALTHY" => "has an unhealthy VPC Lattice target",
        "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED" => {
            "has a daemon task that violates its placement constraints"
        }
        "ECS_OPERATION_THROTTLED" => "is throttled by the ECS API",
        "SERVICE_DISCOVERY_OPERATION_THROTTLED" => "is throttled by the Cloud Map API",
        "SERVICE_TASK_PLACEMENT_FAILURE" => "cannot place a task",
        "SERVICE_TASK_CONFIGURATION_FAILURE" => "cannot place a task: its configuration is wrong",
        "SERVICE_HEALTH_UNKNOWN" => "has unknown health",
        "CONTAINER_RUNTIME" => "has an impaired container runtime",
        "DAEMON_TASK_START_IMPAIRED" => "cannot start its task on an instance",
        _ => return None,
    })
}

/// The same of a failure that is over: `it …`.
pub(super) fn event_past(name: &str) -> Option<&'static str> {
    Some(match name {
        "SERVICE_TASK_START_IMPAIRED" => "could not start its tasks consistently",
        "SERVICE_DISCOVERY_INSTANCE_UNHEALTHY" => "had an unhealthy task in service discovery",
        "VPC_LATTICE_TARGET_UNHEALTHY" => "had an unhealthy VPC Lattice target",
        "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED" => {
            "had a daemon task that violated its placement constraints"
        }
        "ECS_OPERATION_THROTTLED" => "was throttled by the ECS API",
        "SERVICE_DISCOVERY_OPERATION_THROTTLED" => "was throttled by the Cloud Map API",
        "SERVICE_TASK_PLACEMENT_FAILURE" => "could not place a task",
        "SERVICE_TASK_CONFIGURATION_FAILURE" => {
            "could not place a task: its configuration was wrong"
        }
        "SERVICE_HEALTH_UNKNOWN" => "had unknown health",
        "CONTAINER_RUNTIME" => "had an impaired container runtime",
        "DAEMON_TASK_START_IMPAIRED" => "could not start its task on an instance",
        _ => return None,
    })
}

/// The explanation of an event that contains no reason.
pub(super) fn event_why(name: &str) -> Option<&'static str> {
    Some(match name {
        "SERVICE_TASK_START_IMPAIRED" => {
            "its tasks start and stop again; the messages about the stopped tasks say why"
        }
        "SERVICE_DISCOVERY_INSTANCE_UNHEALTHY" => "a task fails the health checks of AWS Cloud Map",
        "VPC_LATTICE_TARGET_UNHEALTHY" => "a target fails the health checks of its target group",
        "ECS_OPERATION_THROTTLED" => "its tasks are placed late until ECS accepts more calls",
        "SERVICE_DISCOVERY_OPERATION_THROTTLED" => {
            "its tasks are registered late until Cloud Map accepts more calls"
        }
        "SERVICE_HEALTH_UNKNOWN" => "ECS does not know whether its tasks are healthy",
        "TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION" => {
            "its protected tasks keep running until their scale-in protection ends"
        }
        "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED" => {
            "an instance no longer fits the constraints of a task that runs on it"
        }
        _ => return None,
    })
}

/// The text after "deployment" in a headline: `SERVICE_DEPLOYMENT_ROLLBACK_FAILED` → `rollback failed`.
pub(super) fn deployment_text(name: &str) -> String {
    state_in_words(name.strip_prefix("SERVICE_DEPLOYMENT_").unwrap_or(name))
}

/// The text after "deployment hook": `HOOK_IN_PROGRESS` → `is in progress`.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/pause-lifecycle-hooks.html>
pub(super) fn hook_text(name: &str) -> String {
    match name.strip_prefix("HOOK_") {
        Some("IN_PROGRESS") => "is in progress".to_owned(),
        Some("AWAITING_ACTION") => "waits for your decision".to_owned(),
        Some(state) => state_in_words(state),
        None => state_in_words(name),
    }
}

/// The explanation of a state if the event contains no reason.
pub(super) fn hook_why(name: &str) -> Option<&'static str> {
    Some(match name {
        "HOOK_FAILED" => "the hook did not succeed; if it is a function, its log says why",
        "HOOK_TIMED_OUT" => "the hook did not answer in time",
        _ => return None,
    })
}

/// An ECS state as words. Any other text is unchanged.
fn state_in_words(name: &str) -> String {
    let is_name = name.bytes().all(|it| it.is_ascii_uppercase() || it == b'_');
    match is_name {
        true => name.to_ascii_lowercase().replace('_', " "),
        false => name.to_owned(),
    }
}

/// The reason of a deployment, if it says more than the event name. The id of a deployment does not help a reader, so
/// the task definition replaces it if it is known.
pub(super) fn deployment_reason(
    reason: &str,
    id: Option<&str>,
    task_definition: Option<&str>,
) -> Option<String> {
    let words: Vec<_> = reason.split_whitespace().collect();
    if let ["ECS", "deployment", _, "completed."] | ["ECS", "deployment", _, "in", "progress."] =
        words[..]
    {
        return None;
    }
    Some(match (id, task_definition) {
        (Some(id), Some(name)) => reason
            .replace(&format!("deploymentId {id}"), name)
            .replace(id, name),
        (_, _) => reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_shown_as_words() {
        for (name, expected) in [
            ("SERVICE_DEPLOYMENT_FAILED", "failed"),
            ("SERVICE_DEPLOYMENT_IN_PROGRESS", "in progress"),
            ("SERVICE_DEPLOYMENT_ROLLBACK_FAILED", "rollback failed"),
            ("<!channel>", "<!channel>"),
        ] {
            assert_eq!(deployment_text(name), expected);
        }
        for (name, expected) in [
            ("HOOK_IN_PROGRESS", "is in progress"),
            ("HOOK_AWAITING_ACTION", "waits for your decision"),
            ("HOOK_TIMED_OUT", "timed out"),
            ("HOOK_NOT_NEEDED", "not needed"),
        ] {
            assert_eq!(hook_text(name), expected);
        }
    }

    #[test]
    fn a_deployments_reason_names_what_a_person_knows() {
        const BACK: &str =
            "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/5.";
        for (reason, task_definition, expected) in [
            (
                BACK,
                Some("web:4"),
                Some("ECS deployment circuit breaker: rolling back to web:4."),
            ),
            (BACK, None, Some(BACK)),
            ("ECS deployment ecs-svc/5 completed.", None, None),
            ("ECS deployment ecs-svc/5 in progress.", Some("web:4"), None),
            (
                "ECS deployment circuit breaker: tasks failed to start.",
                Some("web:4"),
                Some("ECS deployment circuit breaker: tasks failed to start."),
            ),
        ] {
            let found = deployment_reason(reason, Some("ecs-svc/5"), task_definition);
            assert_eq!(found.as_deref(), expected, "{reason}");
        }
    }

    #[test]
    fn words_about_many_tasks() {
        for (one, many) in [
            ("was killed", "were killed"),
            (
                "ran out of memory (limit 512 MiB)",
                "ran out of memory (limit 512 MiB)",
            ),
            (
                "was stopped and has lost its host",
                "were stopped and have lost their host",
            ),
            ("could not pull its image", "could not pull their image"),
            (
                "failed to start: it may not read its secrets",
                "failed to start: they may not read their secrets",
            ),
            (
                "exited, though its service wants it running",
                "exited, though their service wants them running",
            ),
            (
                "failed to start: the registry is not reachable",
                "failed to start: the registry is not reachable",
            ),
        ] {
            assert_eq!(plural(one), many);
        }
    }

    #[test]
    fn durations_and_images_are_short() {
        for (seconds, expected) in [
            (41, "41 s"),
            (125, "2 min 5 s"),
            (7_500, "2 h 5 min"),
            (273_600, "3 d 4 h"),
        ] {
            assert_eq!(duration(SignedDuration::from_secs(seconds)), expected);
        }
        assert_eq!(
            image("210987654321.dkr.ecr.eu-west-1.amazonaws.com/shop/web:1.4"),
            "web:1.4"
        );
        assert_eq!(image("nginx"), "nginx");
        assert_eq!(
            image("registry/web@sha256:0123456789abcdef"),
            "web@0123456789ab"
        );
    }
}
