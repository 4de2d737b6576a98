//! Why RunTask did not place a task, by the reason of its failure: in words, and what to do about it.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>

/// AWS's page about all of them.
pub const PAGE: &str =
    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html";

/// What to do about it.
pub fn advice(reason: &str) -> Option<&'static str> {
    find(reason).map(|failure| failure.advice)
}

/// The reason with what it means, where it is a word of ECS's own and no sentence.
pub fn in_words(reason: &str) -> String {
    let is_word = !reason.chars().any(char::is_lowercase);
    match find(reason).and_then(|failure| failure.words) {
        Some(words) if is_word => format!("{words} ({reason})"),
        Some(_) | None => reason.to_owned(),
    }
}

/// What a word of ECS's own means.
pub fn words(reason: &str) -> Option<String> {
    let meaning = find(reason)?.words?;
    Some(format!("{meaning} ({reason})"))
}

/// Whether ECS gives this reason where a task finds no place.
pub fn is_known(reason: &str) -> bool {
    find(reason).is_some()
}

/// Whether the same request may find a place later.
pub fn passes(reason: &str) -> bool {
    find(reason).is_some_and(|failure| failure.passes)
}

/// The same for the message of an exception: RunTask gives some of the reasons as one. Only sentences count there: it
/// may name somebody's `AGENT`.
pub fn exception_passes(message: &str) -> Option<bool> {
    find_sentence(message).map(|failure| failure.passes)
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
    /// In a failure's reason.
    mark: &'static str,
    /// Waiting may help: somebody else's task ends, an instance joins, AWS finds capacity.
    passes: bool,
    /// What the mark means; none where the reason is a sentence.
    words: Option<&'static str>,
    advice: &'static str,
}

const fn passing(mark: &'static str, advice: &'static str) -> LaunchFailure {
    LaunchFailure {
        mark,
        passes: true,
        words: None,
        advice,
    }
}

const fn lasting(mark: &'static str, advice: &'static str) -> LaunchFailure {
    LaunchFailure {
        mark,
        passes: false,
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

/// The narrower marks before the wider.
const LAUNCH_FAILURES: &[LaunchFailure] = &[
    passing(
        "RESOURCE:FARGATE",
        "AWS has no Fargate capacity there now: try again later, or in subnets of other zones",
    ).meaning("Fargate has no capacity now"),
    passing(
        "RESOURCE:CPU",
        "no instance has this much CPU left: add instances, or ask for less",
    ).meaning("not enough free CPU"),
    passing(
        "RESOURCE:MEMORY",
        "no instance has this much memory left: add instances, or ask for less",
    ).meaning("not enough free memory"),
    passing(
        "RESOURCE:ENI",
        "no instance has a network interface left: add instances, or turn on awsvpcTrunking",
    ).meaning("no free network interface"),
    passing(
        "RESOURCE:PORT",
        "the host port is taken on every instance: leave the host port out",
    ).meaning("a host port is taken"),
    passing("RESOURCE:GPU", "no instance has a GPU left: add instances").meaning("no free GPU"),
    passing(
        "RESOURCE",
        "no instance has what the task asks for: add instances, or ask for less",
    ).meaning("not enough of what it asks for"),
    passing(
        "AGENT",
        "the instance's ECS agent is not connected: see to the instance, or let another take its place",
    ).meaning("the ECS agent is not connected"),
    lasting(
        "ATTRIBUTE",
        "no instance has an attribute that the task needs: an agent too old, or no log driver of that name",
    ).meaning("no instance has an attribute that the task needs"),
    lasting("MemberOf", "no instance fits the placement constraints"),
    passing(
        "No Container Instances",
        "the cluster has no instances: add some, or run it on Fargate",
    ),
    passing(
        "EMPTY CAPACITY PROVIDER",
        "the capacity provider has no instances yet: wait for them, or raise its minimum",
    ).meaning("the capacity provider has no instances"),
    passing(
        "NO ACTIVE INSTANCES",
        "the capacity provider has no active instances: see to its Auto Scaling group",
    ).meaning("the capacity provider has no active instances"),
    lasting(
        "LOCATION",
        "the instance is in another Availability Zone than the subnets: name subnets of its zone",
    ).meaning("the instance is in another Availability Zone than the subnets"),
    passing(
        "Capacity is unavailable",
        "AWS has no capacity there now: try again later, or in other subnets",
    ),
    passing(
        "limit on the number of tasks",
        "the account's quota of tasks at once is reached: wait, or have it raised",
    ),
    // Fargate's quotas count vCPUs, on demand and on Spot each for itself.
    passing(
        "limit on the number of vCPUs",
        "the account's quota of vCPUs at once is reached: wait, or have it raised",
    ),
    passing(
        "you can run concurrently",
        "a quota of the account for what runs at once is reached: wait, or have it raised",
    ),
    // More tasks than a capacity provider may wait with for instances.
    // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
    passing(
        "provisioning capacity limit exceeded",
        "too many tasks of the cluster are PROVISIONING: wait until instances have joined it",
    ),
    passing(
        "Request limit exceeded",
        "AWS has too many calls of this account: try again later",
    ),
    passing(
        "Rate exceeded",
        "AWS has too many calls of this account: try again later",
    ),
    lasting(
        "is above your limit",
        "the task is larger than the account's quota: ask for less, or have it raised",
    ),
    lasting(
        "account is currently blocked",
        "AWS has blocked the account: ask AWS Support",
    ),
    lasting("INACTIVE", "it was deleted: name one that is active").meaning("no longer active"),
    lasting("MISSING", "it does not exist in this cluster and region").meaning("not found"),
    passing("try again later", "AWS says that it passes: try again later"),
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
                "the account's quota of tasks",
            ),
            (
                "You've reached the limit on the number of vCPUs you can run concurrently",
                "the account's quota of vCPUs",
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

    /// The words are AWS's, from its pages and from public issues.
    #[test]
    fn limits_that_pass_and_limits_that_do_not() {
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
            assert_eq!(exception_passes(message), expected, "{message}");
            assert_eq!(
                passes(message),
                expected == Some(true) || message.contains("RESOURCE")
            );
        }
    }

    #[test]
    fn a_word_is_explained_and_a_sentence_is_not() {
        assert_eq!(
            in_words("RESOURCE:CPU"),
            "not enough free CPU (RESOURCE:CPU)"
        );
        assert_eq!(
            in_words("RESOURCE:PORTS:8080"),
            "a host port is taken (RESOURCE:PORTS:8080)"
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
