//! Explains the reasons for which RunTask did not place a task, and says what to do.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>

/// AWS's page about all these reasons.
pub const PAGE: &str =
    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html";

/// What to do about a reason.
pub fn advice(reason: &str) -> Option<&'static str> {
    find(reason).map(|failure| failure.advice)
}

/// The reason, with its meaning if it is a code of ECS and not a sentence.
pub fn in_words(reason: &str) -> String {
    let is_code = !reason.chars().any(char::is_lowercase);
    match find(reason).and_then(|failure| failure.words) {
        Some(words) if is_code => format!("{words} ({reason})"),
        Some(_) | None => reason.to_owned(),
    }
}

/// The meaning of a code of ECS.
pub fn meaning(reason: &str) -> Option<&'static str> {
    find(reason)?.words
}

/// The meaning of a code of ECS, with the code.
pub fn words(reason: &str) -> Option<String> {
    let meaning = meaning(reason)?;
    Some(format!("{meaning} ({reason})"))
}

/// Whether this is one of ECS's reasons for not placing a task.
pub fn is_known(reason: &str) -> bool {
    find(reason).is_some()
}

/// Whether the same request may succeed later.
pub fn is_retryable(reason: &str) -> bool {
    find(reason).is_some_and(|failure| failure.is_retryable)
}

/// The same for the message of an exception, because RunTask reports some of the reasons as exceptions. Only sentences
/// are searched there: the message may contain a name such as `AGENT`.
pub fn exception_is_retryable(message: &str) -> Option<bool> {
    find_sentence(message).map(|failure| failure.is_retryable)
}

/// What to do about an exception that has one of the reasons.
pub fn exception_advice(message: &str) -> Option<&'static str> {
    find_sentence(message).map(|failure| failure.advice)
}

fn find(reason: &str) -> Option<&'static LaunchFailure> {
    LAUNCH_FAILURES
        .iter()
        .find(|failure| reason.contains(failure.mark))
}

fn find_sentence(message: &str) -> Option<&'static LaunchFailure> {
    let mut sentences = LAUNCH_FAILURES.iter().filter(|it| it.mark.contains(' '));
    sentences.find(|failure| message.contains(failure.mark))
}

struct LaunchFailure {
    /// A text in the failure's reason.
    mark: &'static str,
    /// Whether waiting may help: another task ends, an instance joins, AWS gets more capacity.
    is_retryable: bool,
    /// The meaning of the mark. `None` if the reason is a sentence.
    words: Option<&'static str>,
    advice: &'static str,
}

const fn temporary(mark: &'static str, advice: &'static str) -> LaunchFailure {
    LaunchFailure {
        mark,
        is_retryable: true,
        words: None,
        advice,
    }
}

const fn permanent(mark: &'static str, advice: &'static str) -> LaunchFailure {
    LaunchFailure {
        mark,
        is_retryable: false,
        words: None,
        advice,
    }
}

impl LaunchFailure {
    const fn meaning(self, words: &'static str) -> Self {
        Self {
            words: Some(words),
            ..self
        }
    }
}

/// More specific marks come before more general ones.
const LAUNCH_FAILURES: &[LaunchFailure] = &[
    temporary(
        "RESOURCE:FARGATE_SPOT",
        "add FARGATE to the service's capacity provider strategy, or try again later: AWS takes Spot capacity back when it needs it",
    ).meaning("Fargate Spot has no capacity now"),
    temporary(
        "RESOURCE:FARGATE",
        "AWS has no Fargate capacity there now: try again later, or in subnets of other zones",
    ).meaning("Fargate has no capacity now"),
    temporary(
        "RESOURCE:CPU",
        "no instance has enough free CPU: add instances, or request less",
    ).meaning("not enough free CPU"),
    temporary(
        "RESOURCE:MEMORY",
        "no instance has enough free memory: add instances, or request less",
    ).meaning("not enough free memory"),
    temporary(
        "RESOURCE:ENI",
        "no instance has a free network interface: add instances, or turn on awsvpcTrunking",
    ).meaning("no free network interface"),
    temporary(
        "RESOURCE:PORT",
        "the host port is in use on every instance: remove the host port",
    ).meaning("a host port is in use"),
    temporary("RESOURCE:GPU", "no instance has a free GPU: add instances").meaning("no free GPU"),
    temporary(
        "RESOURCE",
        "no instance has enough free resources: add instances, or request less",
    ).meaning("not enough free resources"),
    temporary(
        "AGENT",
        "the instance's ECS agent is not connected: repair the instance, or replace it",
    ).meaning("the ECS agent is not connected"),
    permanent(
        "ATTRIBUTE",
        "no instance has an attribute that the task needs: check the agent's version and the log driver",
    ).meaning("no instance has an attribute that the task needs"),
    permanent("MemberOf", "no instance fits the placement constraints"),
    temporary(
        "No Container Instances",
        "the cluster has no instances: add some, or run it on Fargate",
    ),
    temporary(
        "EMPTY CAPACITY PROVIDER",
        "the capacity provider has no instances yet: wait for them, or raise its minimum size",
    ).meaning("the capacity provider has no instances"),
    temporary(
        "NO ACTIVE INSTANCES",
        "the capacity provider has no active instances: check its Auto Scaling group",
    ).meaning("the capacity provider has no active instances"),
    permanent(
        "LOCATION",
        "the instance is in another Availability Zone than the subnets: use subnets of its zone",
    ).meaning("the instance is in another Availability Zone than the subnets"),
    temporary(
        "Capacity is unavailable",
        "AWS has no capacity there now: try again later, or in other subnets",
    ),
    temporary(
        "limit on the number of tasks",
        "the account's quota of running tasks is reached: wait, or request an increase",
    ),
    // Fargate has one quota of vCPUs for On-Demand and one for Spot.
    temporary(
        "limit on the number of vCPUs",
        "the account's quota of running vCPUs is reached: wait, or request an increase",
    ),
    temporary(
        "you can run concurrently",
        "a quota of the account for running tasks is reached: wait, or request an increase",
    ),
    // Too many tasks of capacity providers wait for instances.
    // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
    temporary(
        "provisioning capacity limit exceeded",
        "too many tasks of the cluster are PROVISIONING: wait until instances have joined it",
    ),
    temporary(
        "Request limit exceeded",
        "this account makes too many calls to AWS: try again later",
    ),
    temporary(
        "Rate exceeded",
        "this account makes too many calls to AWS: try again later",
    ),
    permanent(
        "is above your limit",
        "the task is larger than the account's quota: make it smaller, or request an increase",
    ),
    permanent(
        "account is currently blocked",
        "AWS has blocked the account: ask AWS Support",
    ),
    permanent("INACTIVE", "it was deleted: use an active one").meaning("no longer active"),
    permanent("MISSING", "it does not exist in this cluster and region").meaning("not found"),
    temporary("try again later", "AWS says that a later attempt may succeed: try again later"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_of_ecs_has_advice() {
        for (reason, start) in [
            ("RESOURCE:CPU", "no instance has enough free CPU"),
            ("RESOURCE:PORTS:8080", "the host port"),
            ("RESOURCE:ENI", "no instance has a free network"),
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
                "the account's quota of running tasks",
            ),
            (
                "You've reached the limit on the number of vCPUs you can run concurrently",
                "the account's quota of running vCPUs",
            ),
            (
                "Tasks provisioning capacity limit exceeded.",
                "too many tasks of the cluster",
            ),
        ] {
            let advice = advice(reason).unwrap_or_default();
            assert!(advice.starts_with(start), "{reason}: {advice}");
        }
        assert_eq!(advice("SOMETHING:NEW"), None);
    }

    /// The messages are AWS's, from its pages and from public issues.
    #[test]
    fn temporary_and_permanent_limits() {
        for (message, expected) in [
            (
                "You've reached the limit on the number of vCPUs you can run concurrently",
                Some(true),
            ),
            (
                "You've reached the limit on the number of tasks you can run concurrently",
                Some(true),
            ),
            ("Tasks provisioning capacity limit exceeded.", Some(true)),
            (
                "Error retrieving security group information for [sg-1]: Request limit exceeded. (ErrorCode: \
                 RequestLimitExceeded)",
                Some(true),
            ),
            (
                "Capacity is unavailable at this time. Please try again later or in a different availability zone",
                Some(true),
            ),
            ("The service is busy. Please try again later.", Some(true)),
            (
                "The requested CPU configuration is above your limit",
                Some(false),
            ),
            ("TaskDefinition is inactive", None),
            ("Unable to describe task definition RESOURCE-AGENT", None),
        ] {
            assert_eq!(exception_is_retryable(message), expected, "{message}");
            assert_eq!(
                is_retryable(message),
                expected == Some(true) || message.contains("RESOURCE")
            );
        }
    }

    #[test]
    fn a_code_is_explained_and_a_sentence_is_not() {
        assert_eq!(
            in_words("RESOURCE:CPU"),
            "not enough free CPU (RESOURCE:CPU)"
        );
        assert_eq!(
            in_words("RESOURCE:PORTS:8080"),
            "a host port is in use (RESOURCE:PORTS:8080)"
        );
        assert_eq!(
            in_words("EMPTY CAPACITY PROVIDER"),
            "the capacity provider has no instances (EMPTY CAPACITY PROVIDER)"
        );
        assert!(in_words("NO ACTIVE INSTANCES").starts_with("the capacity provider has no active"));
        assert!(in_words("LOCATION").starts_with("the instance is in another"));
        for sentence in ["the AGENT is not connected", "SOMETHING:NEW", ""] {
            assert_eq!(in_words(sentence), sentence);
        }
    }
}
