//! Images that could not be pulled.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html>

use super::marks::{ABSENT, DENIED, UNREACHABLE};
use super::page::GuidePage;
use super::{Condition, StopEntry, entry_of};
use crate::ecs::diagnosis::Cause::ImagePull;

pub(super) const ENTRIES: &[StopEntry] = &[
    // The agent's own sentences come before the errors that it quotes, because a quoted error mentions both a wrong
    // name and a missing permission. https://github.com/aws/amazon-ecs-agent, agent/engine/errormessages
    entry_of(
        ImagePull,
        Condition::ReasonHas(&[&["check that the role has the permissions"]]),
        "could not pull its image: access denied",
        "allow the execution role to pull it, or on EC2 the instance's role; across accounts, the repository's \
         policy must also allow it",
        GuidePage::Pull,
    ),
    entry_of(
        ImagePull,
        Condition::ReasonHas(&[&["check whether the image exists"]]),
        "could not pull its image: the image or the tag does not exist",
        "check the name and the tag: was the image pushed, or did a lifecycle policy remove it?",
        GuidePage::Pull,
    ),
    entry_of(
        ImagePull,
        Condition::ReasonHas(&[
            &["httpreaderseeker", "httpreadseeker"],
            &["403", "forbidden", "denied"],
        ]),
        "could not pull its image: access to its layers was denied",
        "ECR stores layers in S3: allow ecr:GetDownloadUrlForLayer, and allow the layer bucket in the policy of an S3 \
         endpoint",
        GuidePage::Pull,
    ),
    entry_of(
        ImagePull,
        Condition::ReasonHas(&[&["toomanyrequests", "rate limit", "429 too many requests"]]),
        "could not pull its image: the registry's rate limit is reached",
        "log in to the registry, or use a pull through cache of Amazon ECR",
        GuidePage::Pull,
    ),
    entry_of(
        ImagePull,
        Condition::ReasonHas(&[&[
            "matching platform",
            "no match for platform",
            "no matching manifest",
        ]]),
        "could not pull its image: it is not built for this platform",
        "build it for the CPU architecture and operating system in runtimePlatform, or change runtimePlatform",
        GuidePage::Architecture,
    ),
    entry_of(
        ImagePull,
        Condition::ReasonHas(&[&["no space left"]]),
        "could not pull its image: the disk is full",
        "give the task more ephemeral storage, or free space on the instance's disk",
        GuidePage::Pull,
    ),
    entry_of(
        ImagePull,
        Condition::ReasonHas(&[&["pull access denied"]]),
        "could not pull its image: the repository does not exist, or access was denied",
        "check the repository's name first, then the registry's credentials",
        GuidePage::Pull,
    ),
    entry_of(
        ImagePull,
        Condition::ReasonHas(&[DENIED]),
        "could not pull its image: access denied",
        "allow the execution role to pull it, or on EC2 the instance's role; across accounts, the repository's \
         policy must also allow it",
        GuidePage::Pull,
    ),
    entry_of(
        ImagePull,
        Condition::ReasonHas(&[UNREACHABLE]),
        "could not pull its image: the registry is not reachable",
        "give its subnets a route to the registry: a NAT gateway, a public IP, or VPC endpoints for ECR and S3",
        GuidePage::Pull,
    ),
    entry_of(
        ImagePull,
        Condition::ReasonHas(&[ABSENT]),
        "could not pull its image: the image or the tag does not exist",
        "check the name and the tag: was the image pushed, or did a lifecycle policy remove it?",
        GuidePage::Pull,
    ),
    entry_of(
        ImagePull,
        Condition::ReasonHas(&[&[
            "httpreaderseeker",
            "httpreadseeker",
            "error pulling image configuration",
        ]]),
        "could not pull its image: its layers could not be read",
        "ECR stores layers in S3: the subnets must reach S3 and the registry",
        GuidePage::Pull,
    ),
    entry_of(
        ImagePull,
        Condition::ReasonHas(&[&["pull command failed"]]),
        "could not pull its image: the container runtime failed",
        "run it again; if it fails again, check the route from its subnets to the registry",
        GuidePage::Pull,
    ),
    entry_of(
        ImagePull,
        Condition::Always,
        "could not pull its image",
        "check that the image and its tag exist, that the task's execution role may pull it, and that its \
         subnets reach the registry",
        GuidePage::Pull,
    ),
];
