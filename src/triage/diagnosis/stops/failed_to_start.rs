//! Tasks that never ran.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/failed-to-start-error.html>

use super::marks::{ABSENT, DENIED, LOGGING, REGISTRY, SECRET, UNREACHABLE};
use super::page::Page;
use super::{Entry, Sign, entry_of};
use crate::triage::Cause::FailedToStart;

pub(super) const ENTRIES: &[Entry] = &[
    entry_of(
        FailedToStart,
        Sign::Says(&[&["tagpolicyviolation", "tag policy"]]),
        "failed to start: a tag policy does not allow its tags",
        "give the task the tags that the organization's tag policy asks for, or change the policy",
        Page::Stopped,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["unused device index"]]),
        "failed to start: its instance has no network interface left for it",
        "add instances or use larger ones, or turn on awsvpcTrunking; AWS also names too little CPU or memory",
        Page::FailedToStart,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["failed to configure eni"]]),
        "failed to start: its network interface could not be set up",
        "run it again; if it fails again, ask AWS Support on Fargate, or look at the instance's agent on EC2",
        Page::Network,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&[
            "ephemeralstorage provisioning",
            "ephemeral storage provisioning",
        ]]),
        "failed to start: its ephemeral storage was not ready in time",
        "run it again; if it fails again, look at the AWS Health Dashboard",
        Page::Stopped,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["not compatible with the selected compute"]]),
        "failed to start: its task definition does not fit the capacity that it was given",
        "compare requiresCompatibilities with the launch type or the capacity provider",
        Page::FailedToStart,
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
        Sign::Says(&[REGISTRY, UNREACHABLE]),
        "failed to start: the registry is not reachable",
        "give its subnets a way to the registry: a NAT gateway, a public IP, or VPC endpoints for ECR and S3",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[REGISTRY, DENIED]),
        "failed to start: it may not log in to the registry",
        "allow the execution role ecr:GetAuthorizationToken and the pulling of the image",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[LOGGING, UNREACHABLE]),
        "failed to start: CloudWatch Logs is not reachable",
        "give its subnets a way out: a NAT gateway, a public IP, or a VPC endpoint for CloudWatch Logs",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[LOGGING, &["does not exist"]]),
        "failed to start: its log group does not exist",
        "make the log group, or set awslogs-create-group and let the execution role make it",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[LOGGING]),
        "failed to start: its log driver could not start",
        "check the options of logConfiguration, the execution role's rights on the log group, and the way \
         to CloudWatch Logs",
        Page::Resources,
    ),
    entry_of(
        FailedToStart,
        Sign::Says(&[&["env file", "environment file", "environment variable file"]]),
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
        Sign::ContainerEnded,
        "failed to start: a container ended before all of them ran",
        "its last log lines say why; what ends by itself is no essential container of a service",
        Page::Stopped,
    ),
    entry_of(
        FailedToStart,
        Sign::Always,
        "failed to start",
        "check the execution role's rights, the secrets and volumes of the task definition, and the network \
         that the task needs to reach them",
        Page::Stopped,
    ),
];
