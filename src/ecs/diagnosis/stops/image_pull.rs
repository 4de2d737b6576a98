//! Images that could not be pulled.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html>

use super::marks::{ABSENT, DENIED, UNREACHABLE};
use super::page::Page;
use super::{Entry, Sign, entry_of};
use crate::ecs::diagnosis::Cause::ImagePull;

pub(super) const ENTRIES: &[Entry] = &[
    // The agent's own sentences come before what it quotes: the quote speaks of both a name and a right.
    // https://github.com/aws/amazon-ecs-agent, agent/engine/errormessages
    entry_of(
        ImagePull,
        Sign::Says(&[&["check that the role has the permissions"]]),
        "could not pull its image: access denied",
        "let the execution role pull it, or the instance's role on EC2; across accounts the repository's \
         policy must allow it too",
        Page::Pull,
    ),
    entry_of(
        ImagePull,
        Sign::Says(&[&["check whether the image exists"]]),
        "could not pull its image: there is no such image or tag",
        "check the name and the tag: was it pushed, and has a lifecycle policy removed it since?",
        Page::Pull,
    ),
    entry_of(
        ImagePull,
        Sign::Says(&[
            &["httpreaderseeker", "httpreadseeker"],
            &["403", "forbidden", "denied"],
        ]),
        "could not pull its image: access to its layers was denied",
        "ECR keeps layers in S3: allow ecr:GetDownloadUrlForLayer, and the layer bucket in the policy of an S3 \
         endpoint",
        Page::Pull,
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
        Sign::Says(&[&[
            "httpreaderseeker",
            "httpreadseeker",
            "error pulling image configuration",
        ]]),
        "could not pull its image: its layers could not be read",
        "ECR keeps layers in S3: the subnets must reach S3 as well as the registry",
        Page::Pull,
    ),
    entry_of(
        ImagePull,
        Sign::Says(&[&["pull command failed"]]),
        "could not pull its image: the container runtime failed",
        "run it again; if it fails again, check the way from its subnets to the registry",
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
];
