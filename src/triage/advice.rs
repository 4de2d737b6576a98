//! What to do about it, in one line.
//!
//! Causes: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>;
//! failures of RunTask: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>.

use super::Cause;

/// About a task that stopped for this cause; none where there is nothing to do, or everything.
pub fn of_cause(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::OutOfMemory => Some("give it more memory, or find out why it needs so much"),
        Cause::ImagePull => Some(
            "check that the image and its tag exist, that the task's execution role may pull it, and that \
             its subnets reach the registry",
        ),
        Cause::FailedToStart => Some(
            "check the execution role's rights, the secrets and volumes of the task definition, and the \
             network that the task needs to reach them",
        ),
        Cause::SpotInterruption => {
            Some("run it again; what must not be interrupted runs on On-Demand capacity")
        }
        Cause::HostGone => Some("run it again: its instance went away"),
        Cause::LaunchFailed
        | Cause::HealthCheck
        | Cause::StoppedByUser
        | Cause::ApplicationExit
        | Cause::Finished
        | Cause::ExitedInService
        | Cause::UnknownCause => None,
    }
}

/// About a task that RunTask did not place, by the reason of its failure.
pub fn of_launch_failure(reason: &str) -> Option<&'static str> {
    launch_failure(reason).map(|failure| failure.advice)
}

/// Whether the same request may find a place later.
pub fn passes(reason: &str) -> bool {
    launch_failure(reason).is_some_and(|failure| failure.passes)
}

fn launch_failure(reason: &str) -> Option<&'static LaunchFailure> {
    LAUNCH_FAILURES
        .iter()
        .find(|failure| reason.contains(failure.mark))
}

struct LaunchFailure {
    /// In a failure's reason.
    mark: &'static str,
    /// Waiting may help: somebody else's task ends, an instance joins, AWS finds capacity.
    passes: bool,
    advice: &'static str,
}

const fn passing(mark: &'static str, advice: &'static str) -> LaunchFailure {
    LaunchFailure {
        mark,
        passes: true,
        advice,
    }
}

const fn lasting(mark: &'static str, advice: &'static str) -> LaunchFailure {
    LaunchFailure {
        mark,
        passes: false,
        advice,
    }
}

/// The narrower marks before the wider.
const LAUNCH_FAILURES: [LaunchFailure; 15] = [
    passing(
        "RESOURCE:CPU",
        "no instance has this much CPU left: add instances, or ask for less",
    ),
    passing(
        "RESOURCE:MEMORY",
        "no instance has this much memory left: add instances, or ask for less",
    ),
    passing(
        "RESOURCE:ENI",
        "no instance has a network interface left: add instances, or turn on awsvpcTrunking",
    ),
    passing(
        "RESOURCE:PORT",
        "the host port is taken on every instance: leave the host port out",
    ),
    passing("RESOURCE:GPU", "no instance has a GPU left: add instances"),
    passing(
        "RESOURCE",
        "no instance has what the task asks for: add instances, or ask for less",
    ),
    passing(
        "AGENT",
        "the instance's ECS agent is not connected: see to the instance, or let another take its place",
    ),
    lasting(
        "ATTRIBUTE",
        "no instance has an attribute that the task needs: an agent too old, or no log driver of that name",
    ),
    lasting("MemberOf", "no instance fits the placement constraints"),
    passing(
        "No Container Instances",
        "the cluster has no instances: add some, or run it on Fargate",
    ),
    passing(
        "EMPTY CAPACITY PROVIDER",
        "the capacity provider has no instances yet: wait for them, or raise its minimum",
    ),
    passing(
        "Capacity is unavailable",
        "AWS has no capacity there now: try again later, or in other subnets",
    ),
    passing(
        "limit on the number of tasks",
        "the account's quota of tasks at once is reached: wait, or have it raised",
    ),
    lasting("INACTIVE", "it was deleted: name one that is active"),
    lasting("MISSING", "it does not exist in this cluster and region"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_as_ecs_writes_them() {
        for (reason, start) in [
            ("RESOURCE:CPU", "no instance has this much CPU"),
            ("RESOURCE:PORTS:8080", "the host port"),
            ("RESOURCE:ENI", "no instance has a network"),
            ("AGENT", "the instance's ECS agent"),
            (
                "MemberOf placement constraint unsatisfied.",
                "no instance fits",
            ),
            (
                "No Container Instances were found in your cluster.",
                "the cluster has no",
            ),
            (
                "Capacity is unavailable at this time. Please try again later or in a different availability zone",
                "AWS has no capacity",
            ),
            (
                "You've reached the limit on the number of tasks you can run concurrently",
                "the account's quota",
            ),
        ] {
            let advice = of_launch_failure(reason).unwrap_or_default();
            assert!(advice.starts_with(start), "{reason}: {advice}");
        }
        assert_eq!(of_launch_failure("SOMETHING:NEW"), None);
    }
}
