//! What ECS's strings mean: a cause in words, what to do about it, and AWS's page that explains it.
//!
//! One table, read from the top: the first entry of a cause whose sign is there explains the stop, and the
//! last entry of each cause explains what no other does. The strings are those of
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html> and of the
//! programs that ECS quotes in them: Docker, containerd, the registries, AWS's SDK for Go.

use crate::notice::{Host, TaskFacts};
use crate::triage::Cause;

/// Why a task stopped, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Finishes "the task …".
    pub words: String,
    /// What to do, in one line.
    pub advice: Option<&'static str>,
    /// AWS's page about it.
    pub page: Option<&'static str>,
}

/// One line of the table.
#[derive(Debug)]
pub struct Entry {
    pub cause: Cause,
    sign: Sign,
    pub words: &'static str,
    /// Empty where there is nothing to do.
    pub advice: &'static str,
    page: Page,
}

/// By what an entry is known.
#[derive(Debug)]
enum Sign {
    /// ECS says one of each group, in any case of letters.
    Says(&'static [&'static [&'static str]]),
    /// ECS or the container itself says that the image is for another CPU.
    WrongFormat,
    Exit(i64),
    On(Host),
    Always,
}

/// Pages of the Amazon ECS developer guide.
#[derive(Debug, Clone, Copy)]
enum Page {
    ApiFailures,
    Architecture,
    ContainerHealth,
    Draining,
    FargateSpot,
    InstanceSpot,
    LoadBalancer,
    Memory,
    Network,
    Pull,
    Resources,
    Start,
    Stopped,
    Volume,
}

impl Page {
    const fn address(self) -> &'static str {
        macro_rules! guide {
            ($page:literal) => {
                concat!(
                    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/",
                    $page,
                    ".html"
                )
            };
        }
        match self {
            Self::ApiFailures => guide!("api_failures_messages"),
            Self::Architecture => guide!("ecs-arm-specifying"),
            Self::ContainerHealth => guide!("healthcheck"),
            Self::Draining => guide!("container-instance-draining"),
            Self::FargateSpot => guide!("fargate-capacity-providers"),
            Self::InstanceSpot => guide!("container-instance-spot"),
            Self::LoadBalancer => guide!("troubleshoot-service-load-balancers"),
            Self::Memory => guide!("out-of-memory"),
            Self::Network => guide!("task-networking-awsvpc"),
            Self::Pull => guide!("task_cannot_pull_image"),
            Self::Resources => guide!("resource-initialization-error"),
            Self::Start => guide!("cannot-start-container"),
            Self::Stopped => guide!("stopped-task-error-codes"),
            Self::Volume => guide!("cannot-create-volume"),
        }
    }
}

/// The entry that explains a stop. Every cause has one.
pub(super) fn entry(cause: Cause, said: &Said<'_>) -> &'static Entry {
    let mut entries = TABLE.iter().filter(|entry| entry.cause == cause);
    let last = entries.clone().next_back();
    entries
        .find(|entry| entry.sign.is_in(said))
        .or(last)
        .unwrap_or(&TABLE[TABLE.len() - 1])
}

/// The table, for whoever checks that every line of it is shown to somebody.
pub fn table() -> &'static [Entry] {
    &TABLE
}

impl Entry {
    pub(super) fn explain(&self, task: &TaskFacts, said: &Said<'_>) -> Explanation {
        Explanation {
            words: self.with_figures(task, said),
            advice: Some(self.advice).filter(|advice| !advice.is_empty()),
            page: Some(self.page.address()).filter(|_| !self.advice.is_empty()),
        }
    }

    /// The limit that was hit, or the target group that found the task ill, where they are known.
    fn with_figures(&self, task: &TaskFacts, said: &Said<'_>) -> String {
        let figure = match self.cause {
            Cause::OutOfMemory => memory_limit(task).map(|limit| format!("(limit {limit} MiB)")),
            Cause::HealthCheck => said.target_group().map(str::to_owned),
            _ => None,
        };
        match figure {
            Some(figure) => format!("{} {figure}", self.words),
            None => self.words.to_owned(),
        }
    }
}

/// Of the container that was killed, or else of the task.
fn memory_limit(task: &TaskFacts) -> Option<i64> {
    let mut containers = task.containers.iter();
    let killed = containers.find(|it| {
        let reason = it.reason.as_deref().unwrap_or_default();
        reason.contains(super::OUT_OF_MEMORY)
    });
    let own = killed.and_then(|it| it.memory_limit);
    own.filter(|limit| *limit > 0).or(task.memory_limit)
}

/// What Linux says of a program for another CPU.
pub(super) const WRONG_FORMAT: &str = "exec format error";

/// What is known of a stop, as the signs ask for it.
pub(super) struct Said<'a> {
    /// ECS's reasons, as they are.
    pub(super) reasons: Vec<&'a str>,
    /// The same in small letters.
    pub(super) texts: Vec<String>,
    /// A container that failed said so itself: all else that applications say explains nothing.
    pub(super) has_wrong_format: bool,
    pub(super) exits: Vec<i64>,
    pub(super) host: Option<Host>,
}

impl Said<'_> {
    fn has(&self, mark: &str) -> bool {
        self.texts.iter().any(|text| text.contains(mark))
    }

    /// The name in "(target-group arn:…:targetgroup/NAME/ID)".
    fn target_group(&self) -> Option<&str> {
        self.reasons.iter().find_map(|reason| {
            let (_, rest) = reason.split_once("targetgroup/")?;
            rest.split(['/', ')'])
                .next()
                .filter(|name| !name.is_empty())
        })
    }
}

impl Sign {
    fn is_in(&self, said: &Said<'_>) -> bool {
        match self {
            Self::Says(groups) => groups
                .iter()
                .all(|marks| marks.iter().any(|mark| said.has(mark))),
            Self::WrongFormat => said.has_wrong_format || said.has(WRONG_FORMAT),
            Self::Exit(code) => said.exits.contains(code),
            Self::On(host) => said.host == Some(*host),
            Self::Always => true,
        }
    }
}

const fn entry_of(
    cause: Cause,
    sign: Sign,
    words: &'static str,
    advice: &'static str,
    page: Page,
) -> Entry {
    Entry {
        cause,
        sign,
        words,
        advice,
        page,
    }
}

const DENIED: &[&str] = &[
    "accessdenied",
    "access denied",
    "not authorized",
    "no basic auth credentials",
    "403 forbidden",
    "401 unauthorized",
    "authentication required",
    "denied:",
];
const UNREACHABLE: &[&str] = &[
    "i/o timeout",
    "context deadline exceeded",
    "client.timeout",
    "connection refused",
    "connection reset",
    "no such host",
    "dial tcp",
    "request canceled",
    "requestcanceled",
    "network is unreachable",
    "send request failed",
    "request send failed",
    "connection issue between the task",
];
const ABSENT: &[&str] = &[
    "not found",
    "notfound",
    "manifest unknown",
    "name unknown",
    "does not exist",
    "invalid parameters",
    "can't find the specified",
];
const SECRET: &[&str] = &[
    "fetch secret",
    "retrieve secret",
    "secrets from ssm",
    "secret from asm",
    "retrieve ecr secrets",
    "cannot pull secrets",
];

use Cause::{
    ApplicationExit, ExitedInService, FailedToStart, Finished, HealthCheck, HostGone, ImagePull,
    LaunchFailed, OutOfMemory, SpotInterruption, StoppedByUser, UnknownCause,
};

const TABLE: [Entry; 64] = [
    entry_of(
        OutOfMemory,
        Sign::Always,
        "ran out of memory",
        "raise the memory limit, or find out what it needs so much for",
        Page::Memory,
    ),
    entry_of(
        ImagePull,
        Sign::Says(&[&["toomanyrequests", "rate limit", "429 too many requests"]]),
        "could not pull its image: the registry's rate limit is reached",
        "log in to the registry, or pull through a cache of Amazon ECR",
        Page::Pull,
    ),
    entry_of(
        ImagePull,
        Sign::Says(&[&[
            "matching platform",
            "no match for platform",
            "no matching manifest",
        ]]),
        "could not pull its image: it is not built for this platform",
        "build it for the CPU architecture and system that runtimePlatform names, or change that",
        Page::Architecture,
    ),
    entry_of(
        ImagePull,
        Sign::Says(&[&["no space left"]]),
        "could not pull its image: the disk is full",
        "give the task more ephemeral storage, or clean the instance's disk",
        Page::Pull,
    ),
    entry_of(
        ImagePull,
        Sign::Says(&[&["pull access denied"]]),
        "could not pull its image: no such repository, or no right to it",
        "check the repository's name first, then the registry's credentials",
        Page::Pull,
    ),
    entry_of(
        ImagePull,
        Sign::Says(&[DENIED]),
        "could not pull its image: access denied",
        "let the execution role pull it, or the instance's role on EC2; across accounts the repository's \
         policy must allow it too",
        Page::Pull,
    ),
    entry_of(
        ImagePull,
        Sign::Says(&[UNREACHABLE]),
        "could not pull its image: the registry is not reachable",
        "give its subnets a way to the registry: a NAT gateway, a public IP, or VPC endpoints for ECR and S3",
        Page::Pull,
    ),
    entry_of(
        ImagePull,
        Sign::Says(&[ABSENT]),
        "could not pull its image: there is no such image or tag",
        "check the name and the tag: was it pushed, and has a lifecycle policy removed it since?",
        Page::Pull,
    ),
    entry_of(
        ImagePull,
        Sign::Always,
        "could not pull its image",
        "check that the image and its tag exist, that the task's execution role may pull it, and that its \
         subnets reach the registry",
        Page::Pull,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&[
            "insufficientfreeaddresses",
            "insufficient free addresses",
            "no free ip",
        ]]),
        "failed to start: its subnet has no IP address left",
        "free addresses in the subnet, or give the task more subnets",
        Page::Network,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["timeout waiting for network interface"]]),
        "failed to start: its network interface was not ready in time",
        "run it again; if it stays so, look at the subnet's free addresses and at EC2's throttling",
        Page::Network,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["create network interface"]]),
        "failed to start: EC2 gave it no network interface",
        "EC2's own error says why: a quota, or a subnet or security group that is gone",
        Page::Network,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[SECRET, DENIED]),
        "failed to start: it may not read its secrets",
        "allow the execution role secretsmanager:GetSecretValue or ssm:GetParameters on them, and \
         kms:Decrypt where the key is your own",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[SECRET, UNREACHABLE]),
        "failed to start: its secrets are not reachable",
        "give its subnets a way out: a NAT gateway, a public IP, or VPC endpoints for Secrets Manager and SSM",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[SECRET, ABSENT]),
        "failed to start: a secret that it names is not there",
        "check the names of its secrets, their version and their region in the task definition",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["registry auth", "ecr registry", "from ecr"], UNREACHABLE]),
        "failed to start: the registry is not reachable",
        "give its subnets a way to the registry: a NAT gateway, a public IP, or VPC endpoints for ECR and S3",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["registry auth", "ecr registry", "from ecr"], DENIED]),
        "failed to start: it may not log in to the registry",
        "allow the execution role ecr:GetAuthorizationToken and the pulling of the image",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[
            &["log group", "log stream", "logging driver", "logger args"],
            UNREACHABLE,
        ]),
        "failed to start: CloudWatch Logs is not reachable",
        "give its subnets a way out: a NAT gateway, a public IP, or a VPC endpoint for CloudWatch Logs",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[
            &["log group", "log stream", "logging driver", "logger args"],
            &["does not exist"],
        ]),
        "failed to start: its log group does not exist",
        "make the log group, or set awslogs-create-group and let the execution role make it",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["log group", "log stream", "logging driver", "logger args"]]),
        "failed to start: its log driver could not start",
        "check the options of logConfiguration, the execution role's rights on the log group, and the way \
         to CloudWatch Logs",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["env file", "environment file"]]),
        "failed to start: its environment files could not be read",
        "check that the objects are there, and that the execution role may s3:GetObject them",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["efs utils", "efs volume", "efs file system", "mount.nfs"]]),
        "failed to start: its EFS file system could not be mounted",
        "check for a mount target in its zone, port 2049 in the security groups, and the file system's policy",
        Page::Volume,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["cannotcreatevolume"]]),
        "failed to start: a volume could not be made",
        "check the volume's driver and options in the task definition",
        Page::Volume,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["error mounting", "invalid mount", "failed to mount"]]),
        "failed to start: something could not be mounted",
        "check the volumes and mountPoints of the task definition, and that the source is on the instance",
        Page::Start,
    ),
    entry_of(
        FailedToStart,
        Sign::WrongFormat,
        "failed to start: its image is built for another CPU architecture",
        "build the image for the architecture that runtimePlatform names, or change that",
        Page::Architecture,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[
            &["exec:", "exec \"", "executable file"],
            &["not found", "no such file or directory"],
        ]),
        "failed to start: its command is not in the image",
        "check entryPoint and command against what the image holds, and the interpreter in a script's first line",
        Page::Start,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["exec:", "exec \""], &["permission denied"]]),
        "failed to start: its command may not be executed",
        "set the file's x bit in the image, and check the user that the container runs as",
        Page::Start,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["address already in use", "port is already allocated"]]),
        "failed to start: its host port is taken",
        "in bridge mode leave the host port out, so that ECS picks a free one; in host mode one task fits an \
         instance",
        Page::Start,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["no space left"]]),
        "failed to start: the disk is full",
        "give the task more ephemeral storage, or clean the instance's disk",
        Page::Start,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["dockertimeouterror", "containerruntimetimeouterror"]]),
        "failed to start: the container runtime did not answer in time",
        "on EC2 look at the instance: a full disk, or no memory, CPU or I/O credits left; on Fargate at the \
         task's way to the registry and to its logs",
        Page::Stopped,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["containernetworkingerror"]]),
        "failed to start: its network could not be set up",
        "run it again; if it stays so, look at the instance's agent and its network plugin",
        Page::Stopped,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["taskdependencyerror"]]),
        "failed to start: a container that it depends on did not come up",
        "look at the containers of its dependsOn: one did not reach its condition",
        Page::Stopped,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["resourcenotfoundexception"]]),
        "failed to start: something that it names is not there",
        "ECS's words name it: a secret, a parameter, a log group, a GPU",
        Page::Stopped,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["capacity is unavailable", "insufficient capacity"]]),
        "failed to start: AWS has no capacity there now",
        "try again later, or in more subnets of other zones",
        Page::ApiFailures,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["containerruntimeerror", "dockerstateerror"]]),
        "failed to start: the container runtime failed",
        "run it again; if it stays so, look at the instance's runtime and disk",
        Page::Stopped,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["cannotcreatecontainer"]]),
        "failed to start: its container could not be created",
        "check the container's limits, mounts and privileges in the task definition",
        Page::Start,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["cannotstartcontainer"]]),
        "failed to start: its container could not be started",
        "check entryPoint, command and memory in the task definition",
        Page::Start,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["internalerror"]]),
        "failed to start: AWS had an error of its own",
        "run it again; if it stays so, look at the AWS Health Dashboard or ask AWS Support",
        Page::Stopped,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["resourceinitializationerror"]]),
        "failed to start: what it needs could not be set up",
        "check the execution role's rights, the secrets and volumes of the task definition, and the network \
         that the task needs to reach them",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Always,
        "failed to start",
        "check the execution role's rights, the secrets and volumes of the task definition, and the network \
         that the task needs to reach them",
        Page::Stopped,
    ),
    entry_of(
        HealthCheck,
        Sign::Says(&[&["elb health checks"]]),
        "failed the health checks of its target group",
        "check the health check's path and port, the security groups, and whether it needs a longer \
         healthCheckGracePeriodSeconds to start",
        Page::LoadBalancer,
    ),
    entry_of(
        HealthCheck,
        Sign::Always,
        "failed its container's health check",
        "run the healthCheck command in the container; give it a longer startPeriod if it is slow to start",
        Page::ContainerHealth,
    ),
    entry_of(
        SpotInterruption,
        Sign::Says(&[&["spot task was interrupted", "spotinterruptionerror"]]),
        "lost its Spot capacity",
        "run it again; what must not be interrupted runs on On-Demand capacity",
        Page::FargateSpot,
    ),
    entry_of(
        SpotInterruption,
        Sign::Always,
        "lost its Spot Instance",
        "turn on Spot Instance draining; what must not be interrupted runs on On-Demand capacity",
        Page::InstanceSpot,
    ),
    entry_of(
        HostGone,
        Sign::Says(&[&["deregistration forced"]]),
        "lost its host: the instance was deregistered by force",
        "drain an instance before it goes; a service starts a new task by itself",
        Page::Draining,
    ),
    entry_of(
        HostGone,
        Sign::Says(&[&["draining"]]),
        "had to leave its host, which is draining",
        "",
        Page::Draining,
    ),
    entry_of(
        HostGone,
        Sign::On(Host::Draining),
        "had to leave its host, which is draining",
        "",
        Page::Draining,
    ),
    entry_of(
        HostGone,
        Sign::Always,
        "lost its host",
        "a service starts a new task by itself; run a one-off task again",
        Page::Draining,
    ),
    entry_of(
        StoppedByUser,
        Sign::Always,
        "was stopped by request",
        "",
        Page::Stopped,
    ),
    entry_of(
        ApplicationExit,
        Sign::WrongFormat,
        "could not run: its image is built for another CPU architecture",
        "build the image for the architecture that runtimePlatform names, or change that",
        Page::Architecture,
    ),
    entry_of(
        ApplicationExit,
        Sign::Exit(126),
        "could not execute its command",
        "set the file's x bit in the image, and check the user that the container runs as",
        Page::Stopped,
    ),
    entry_of(
        ApplicationExit,
        Sign::Exit(127),
        "could not find its command",
        "check entryPoint and command against what the image holds",
        Page::Stopped,
    ),
    entry_of(
        ApplicationExit,
        Sign::Exit(134),
        "aborted",
        "an assertion or its runtime ended it; its last log lines say which",
        Page::Stopped,
    ),
    entry_of(
        ApplicationExit,
        Sign::Exit(139),
        "crashed with a segmentation fault",
        "look at native libraries, and whether they fit the image's CPU architecture",
        Page::Stopped,
    ),
    entry_of(
        ApplicationExit,
        Sign::Exit(137),
        "was killed",
        "the kernel was short of memory, or it did not end within its stopTimeout after SIGTERM",
        Page::Stopped,
    ),
    entry_of(
        ApplicationExit,
        Sign::Exit(143),
        "was told to end (SIGTERM)",
        "nothing that ECS tells of asked for it: look for a script or a supervisor in the container",
        Page::Stopped,
    ),
    entry_of(
        ApplicationExit,
        Sign::Always,
        "exited with an error",
        "the exit code is the application's own: its last log lines say why",
        Page::Stopped,
    ),
    entry_of(
        ExitedInService,
        Sign::Always,
        "exited, though its service wants it running",
        "keep a service's command in the foreground; what ends by itself is run as a task",
        Page::Stopped,
    ),
    entry_of(Finished, Sign::Always, "finished", "", Page::Stopped),
    entry_of(
        LaunchFailed,
        Sign::Always,
        "could not be launched",
        "",
        Page::ApiFailures,
    ),
    entry_of(
        UnknownCause,
        Sign::Says(&[&["infrastructure reported unhealthy"]]),
        "stopped: AWS found its infrastructure unhealthy",
        "a service starts a new task by itself; if many stop so, look at the AWS Health Dashboard",
        Page::Stopped,
    ),
    entry_of(
        UnknownCause,
        Sign::On(Host::AgentDisconnected),
        "stopped; the ECS agent of its instance does not answer",
        "look at the instance and its agent",
        Page::Stopped,
    ),
    entry_of(
        UnknownCause,
        Sign::On(Host::Gone),
        "stopped; its instance has gone since",
        "look whether the instance was scaled in or replaced; a service starts a new task by itself",
        Page::Draining,
    ),
    entry_of(UnknownCause, Sign::Always, "stopped", "", Page::Stopped),
];

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn every_cause_is_explained_and_the_last_of_its_entries_always() {
        for cause in Cause::VARIANTS {
            let last = TABLE.iter().rfind(|entry| entry.cause == *cause);
            assert!(
                last.is_some_and(|entry| matches!(entry.sign, Sign::Always)),
                "{cause}"
            );
        }
    }

    #[test]
    fn marks_are_in_small_letters_and_no_entry_hides_behind_another() {
        for (number, entry) in TABLE.iter().enumerate() {
            if let Sign::Says(groups) = &entry.sign {
                for mark in groups.iter().copied().flatten() {
                    assert_eq!(*mark, mark.to_lowercase(), "{}", entry.words);
                }
            }
            let hides = |before: &&Entry| {
                before.cause == entry.cause && matches!(before.sign, Sign::Always)
            };
            assert!(
                TABLE[..number].iter().find(hides).is_none(),
                "{}",
                entry.words
            );
        }
    }
}
