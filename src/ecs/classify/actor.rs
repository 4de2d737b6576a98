//! Reads who did something from CloudTrail's `userIdentity` or from a task's `startedBy`, in words for people.

use crate::ecs::event::{ApiCall, Identity};
use crate::ecs::notice::Actor;

/// AWS services, by the host names that CloudTrail uses for them.
const SERVICES: [(&str, &str); 13] = [
    ("application-autoscaling", "Application Auto Scaling"),
    ("autoscaling", "EC2 Auto Scaling"),
    ("batch", "AWS Batch"),
    ("cloudformation", "CloudFormation"),
    ("codedeploy", "CodeDeploy"),
    ("codepipeline", "CodePipeline"),
    ("ecs-tasks", "an ECS task"),
    ("ecs", "Amazon ECS"),
    ("events", "EventBridge"),
    ("lambda", "AWS Lambda"),
    ("pipes", "EventBridge Pipes"),
    ("scheduler", "EventBridge Scheduler"),
    ("states", "Step Functions"),
];

/// Of these, the ones that assume a role to act on their own: a schedule, a rule, a pipeline. The session's name is a
/// number or the service's own name, and says nothing.
const WITH_OWN_SESSION: [&str; 9] = [
    "application-autoscaling",
    "autoscaling",
    "codedeploy",
    "codepipeline",
    "ecs",
    "events",
    "pipes",
    "scheduler",
    "states",
];

/// Services that do what a person wrote in a template.
const ON_BEHALF_OF_PEOPLE: [&str; 4] = [
    "cloudformation",
    "elasticbeanstalk",
    "proton",
    "servicecatalog",
];

/// CodeBuild calls with the role of a build, whose session is `AWSCodeBuild-` and a UUID.
/// <https://docs.aws.amazon.com/codebuild/latest/userguide/understanding-cloudtrail-entries.html>
const CODEBUILD_SESSION: &str = "AWSCodeBuild-";

/// The names for the agent and for the instance that it runs on.
const AGENT: &str = "the ECS agent";
const INSTANCE: &str = "instance ";

/// Tools, by a text in their user agents. More specific texts come first, because Terraform's user agent also names the
/// SDK.
const TOOLS: [(&str, &str); 14] = [
    ("Amazon ECS Agent", AGENT),
    ("console.amazonaws.com", "the console"),
    ("signin.amazonaws.com", "the console"),
    ("AWS Internal", "the console"),
    ("AWSConsole", "the console"),
    ("Terraform", "Terraform"),
    ("Pulumi", "Pulumi"),
    ("aws-cdk", "the CDK"),
    ("copilot", "Copilot"),
    ("aws-cli", "the AWS CLI"),
    (
        "configure-aws-credentials-for-github-actions",
        "GitHub Actions",
    ),
    ("Boto3", "an SDK"),
    ("Botocore", "an SDK"),
    ("aws-sdk", "an SDK"),
];

/// The service-linked role of target tracking and step scaling. It identifies calls that lack `invokedBy`.
const AUTOSCALING_ROLE: &str = "AWSServiceRoleForApplicationAutoScaling";
const AUTOSCALING_HOST: &str = "application-autoscaling.amazonaws.com";

/// The names of service-linked roles begin like this. Only AWS services can assume these roles.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/using-service-linked-roles.html>
const LINKED_ROLE: &str = "AWSServiceRoleFor";

/// IAM Identity Center puts this before the permission set's name in a role's name.
const SSO_ROLE_PREFIX: &str = "AWSReservedSSO_";

pub(super) fn of_call(call: &ApiCall) -> Option<Actor> {
    let identity = &call.identity;
    let host = invoking_host(call);
    let service = host.map(service_name);
    let is_aws_service = identity.kind.as_deref() == Some("AWSService");
    let tool = identity
        .invoked_by
        .as_deref()
        .into_iter()
        .chain(call.user_agent.as_deref())
        .find_map(tool);
    let person = person(identity).map(|name| match name.strip_prefix(INSTANCE) {
        Some(instance) if tool.as_deref() == Some(AGENT) => format!("{AGENT} on {instance}"),
        Some(_) | None => name,
    });
    let is_agent = person
        .as_deref()
        .is_some_and(|name| name.starts_with(AGENT));
    let tool = tool.filter(|_| !is_agent);
    let name = match (person, &service) {
        (Some(_), Some(service)) if host.is_some_and(|host| is_own_session(identity, host)) => {
            with_role(service, identity)
        }
        (Some(name), _) if !is_aws_service => name,
        (_, Some(service)) => service.clone(),
        (Some(name), None) => name,
        (None, None) if is_aws_service => "an AWS service".to_owned(),
        (None, None) => return None,
    };
    Some(Actor {
        is_service: is_aws_service || service.is_some(),
        via: service
            .filter(|it| name.split(" (").next() != Some(it.as_str()))
            .or(tool),
        name,
        source_ip: call
            .source_ip
            .clone()
            .filter(|ip| ip.parse::<std::net::IpAddr>().is_ok()),
    })
}

/// The AWS service that made the call. CloudTrail names it as `invokedBy`, and as the address that the call came from.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>
fn invoking_host(call: &ApiCall) -> Option<&str> {
    let source = call.source_ip.as_deref();
    let source = source.filter(|it| it.ends_with(".amazonaws.com"));
    let host = call.identity.invoked_by.as_deref().or(source);
    host.filter(|host| !is_console(host))
}

/// Whether the service itself assumed the role, and not a person on whose behalf it acts.
fn is_own_session(identity: &Identity, host: &str) -> bool {
    let is_of_person = role_of_session(identity).is_some_and(|it| it.starts_with(SSO_ROLE_PREFIX));
    identity.kind.as_deref() == Some("AssumedRole")
        && !is_of_person
        && WITH_OWN_SESSION.contains(&short_host(host))
}

/// `EventBridge Scheduler (role nightly)`. A service-linked role says nothing that the service does not say.
fn with_role(service: &str, identity: &Identity) -> String {
    match role_of_session(identity).filter(|it| !it.starts_with(LINKED_ROLE)) {
        Some(role) => format!("{service} (role {role})"),
        None => service.to_owned(),
    }
}

/// Whether a person used the console. CloudTrail then names the console as the invoking service, but it is not a
/// service.
fn is_console(invoked_by: &str) -> bool {
    [
        "signin.amazonaws.com",
        "console.amazonaws.com",
        "AWS Internal",
    ]
    .contains(&invoked_by)
}

/// Whether Application Auto Scaling made the call. Any of several fields can show it.
pub(super) fn is_autoscaling(call: &ApiCall) -> bool {
    let has =
        |text: &Option<String>, mark: &str| text.as_deref().is_some_and(|it| it.contains(mark));
    has(&call.identity.invoked_by, AUTOSCALING_HOST)
        || has(&call.identity.role, AUTOSCALING_ROLE)
        || has(&call.identity.arn, AUTOSCALING_ROLE)
        || has(&call.user_agent, AUTOSCALING_HOST)
}

/// Whether an AWS service acted on its own: scaling, draining, the end of a deployment. CloudFormation and similar
/// services do what a person wrote in a template.
pub(super) fn is_service_on_its_own(call: &ApiCall) -> bool {
    let identity = &call.identity;
    if let Some(host) = invoking_host(call) {
        return !ON_BEHALF_OF_PEOPLE.contains(&short_host(host));
    }
    let is_linked =
        |text: &Option<String>| text.as_deref().is_some_and(|it| it.contains(LINKED_ROLE));
    identity.kind.as_deref() == Some("AWSService")
        || is_linked(&identity.role)
        || is_linked(&identity.arn)
}

/// The actor in `startedBy` of a task: the service scheduler, a rule or schedule, or the text that RunTask was given.
pub fn of_started_by(started_by: &str) -> Actor {
    let (name, is_service) = match started_by.split_once('/') {
        Some(("ecs-svc", _)) => ("the ECS service scheduler".to_owned(), true),
        Some(("events-rule", rule)) => (format!("EventBridge rule {rule}"), true),
        Some(("chronos-schedule", schedule)) => (format!("EventBridge schedule {schedule}"), true),
        // A caller of RunTask cannot give a text with spaces.
        _ if started_by == "AWS Step Functions" => ("Step Functions".to_owned(), true),
        _ if started_by == "aws-batch" => ("AWS Batch".to_owned(), true),
        _ => (started_by.to_owned(), false),
    };
    Actor {
        name,
        via: None,
        source_ip: None,
        is_service,
    }
}

fn person(identity: &Identity) -> Option<String> {
    match identity.kind.as_deref() {
        Some("Root") => Some(match &identity.account {
            Some(account) => format!("the root user of {account}"),
            None => "the root user".to_owned(),
        }),
        Some("AssumedRole") => session(identity),
        Some("AWSAccount") => identity
            .account
            .as_ref()
            .map(|account| format!("account {account}")),
        Some("IdentityCenterUser") => Some("an IAM Identity Center user".to_owned()),
        _ => identity.user_name.clone().or_else(|| {
            identity
                .arn
                .as_deref()
                .map(|arn| crate::ecs::arn::name(arn).to_owned())
        }),
    }
}

/// The actor of a role's session. Its name shows who assumed the role: a person, a build, or an EC2 instance.
fn session(identity: &Identity) -> Option<String> {
    let Some(arn) = identity.arn.as_deref() else {
        // `AROA…:session`
        return identity
            .principal
            .as_deref()?
            .split_once(':')
            .map(|(_, it)| it.to_owned());
    };
    let session = crate::ecs::arn::name(arn);
    let role = role_of_session(identity);
    Some(match role {
        _ if session.starts_with(CODEBUILD_SESSION) => with_role("CodeBuild", identity),
        _ if is_ec2_instance(session) => format!("{INSTANCE}{session}"),
        Some(role) if role.starts_with(SSO_ROLE_PREFIX) => {
            format!("{session} (SSO {})", permission_set(role))
        }
        Some(role) if role != session => format!("{session} (role {role})"),
        Some(_) | None => session.to_owned(),
    })
}

fn role_of_session(identity: &Identity) -> Option<&str> {
    identity.role.as_deref().or_else(|| {
        let mut parts = identity.arn.as_deref()?.rsplit('/');
        parts.next();
        parts.next()
    })
}

/// `AWSReservedSSO_PowerUserAccess_0123456789abcdef` → `PowerUserAccess`.
fn permission_set(role: &str) -> &str {
    let name = role.trim_start_matches(SSO_ROLE_PREFIX);
    name.rsplit_once('_').map_or(name, |(set, _)| set)
}

fn is_ec2_instance(session: &str) -> bool {
    session
        .strip_prefix("i-")
        .is_some_and(|id| id.len() >= 8 && id.chars().all(|c| c.is_ascii_alphanumeric()))
}

fn service_name(host: &str) -> String {
    let service = short_host(host);
    SERVICES
        .iter()
        .find(|(name, _)| *name == service)
        .map_or_else(|| host.to_owned(), |(_, shown)| (*shown).to_owned())
}

/// `application-autoscaling` for `ecs.application-autoscaling.amazonaws.com`.
fn short_host(host: &str) -> &str {
    let service = host.strip_suffix(".amazonaws.com").unwrap_or(host);
    service.rsplit('.').next().unwrap_or(service)
}

fn tool(user_agent: &str) -> Option<String> {
    TOOLS
        .iter()
        .find(|(mark, _)| user_agent.contains(mark))
        .map(|(_, shown)| (*shown).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(kind: &str, arn: &str, role: Option<&str>, invoked_by: Option<&str>) -> ApiCall {
        ApiCall {
            identity: Identity {
                kind: Some(kind.to_owned()),
                arn: Some(arn.to_owned()),
                role: role.map(str::to_owned),
                invoked_by: invoked_by.map(str::to_owned),
                ..Identity::default()
            },
            ..ApiCall::default()
        }
    }

    fn name_and_via(call: &ApiCall) -> (String, Option<String>) {
        let actor = of_call(call).unwrap();
        (actor.name, actor.via)
    }

    #[test]
    fn people_and_instances_are_named() {
        let sts = "arn:aws:sts::210987654321:assumed-role";
        let sso = "AWSReservedSSO_PowerUserAccess_0123456789abcdef";
        for (call, expected) in [
            (
                call(
                    "AssumedRole",
                    &format!("{sts}/{sso}/maya@example.com"),
                    Some(sso),
                    None,
                ),
                "maya@example.com (SSO PowerUserAccess)",
            ),
            (
                call("AssumedRole", &format!("{sts}/deployer/run-77"), None, None),
                "run-77 (role deployer)",
            ),
            (
                call(
                    "AssumedRole",
                    &format!("{sts}/ecsInstanceRole/i-0abc1234def56789a"),
                    None,
                    None,
                ),
                "instance i-0abc1234def56789a",
            ),
            (
                call("Root", "arn:aws:iam::210987654321:root", None, None),
                "the root user",
            ),
            (
                call(
                    "IAMUser",
                    "arn:aws:iam::210987654321:user/tomasz.k",
                    None,
                    None,
                ),
                "tomasz.k",
            ),
        ] {
            assert_eq!(of_call(&call).unwrap().name, expected);
            assert!(!of_call(&call).unwrap().is_service);
        }
    }

    #[test]
    fn the_agent_of_an_instance_is_named() {
        let mut report = call(
            "AssumedRole",
            "arn:aws:sts::210987654321:assumed-role/ecsInstanceRole/i-0abc1234def56789a",
            Some("ecsInstanceRole"),
            None,
        );
        report.user_agent =
            Some("Amazon ECS Agent - v1.99.1 (+http://aws.amazon.com/ecs/)".to_owned());
        assert_eq!(
            name_and_via(&report),
            ("the ECS agent on i-0abc1234def56789a".to_owned(), None)
        );
        // A person who logged in to the instance is not the agent.
        report.user_agent = Some("aws-cli/2.31.0 md/awscrt#0.27".to_owned());
        assert_eq!(
            name_and_via(&report),
            (
                "instance i-0abc1234def56789a".to_owned(),
                Some("the AWS CLI".to_owned())
            )
        );
    }

    #[test]
    fn federated_identities_are_named() {
        for (kind, arn, expected) in [
            (
                "FederatedUser",
                "arn:aws:sts::210987654321:federated-user/noor",
                "noor",
            ),
            ("AWSAccount", "", "account 309876543210"),
            ("IdentityCenterUser", "", "an IAM Identity Center user"),
        ] {
            let mut call = call(kind, arn, None, None);
            call.identity.account = Some("309876543210".to_owned());
            assert_eq!(of_call(&call).unwrap().name, expected);
        }
        let mut call = call("WebIdentityUser", "", None, None);
        call.identity.arn = None;
        call.identity.user_name = Some("repo:shop/web:ref:refs/heads/main".to_owned());
        assert_eq!(
            of_call(&call).unwrap().name,
            "repo:shop/web:ref:refs/heads/main"
        );
    }

    #[test]
    fn services_are_named_alone_and_on_behalf_of_people() {
        let alone = call("AWSService", "", None, Some("events.amazonaws.com"));
        assert_eq!(name_and_via(&alone), ("EventBridge".to_owned(), None));
        let on_behalf = call(
            "AssumedRole",
            "arn:aws:sts::210987654321:assumed-role/deployer/maya",
            None,
            Some("cloudformation.amazonaws.com"),
        );
        assert_eq!(
            name_and_via(&on_behalf),
            (
                "maya (role deployer)".to_owned(),
                Some("CloudFormation".to_owned())
            )
        );
        assert!(of_call(&on_behalf).unwrap().is_service);
    }

    #[test]
    fn a_session_of_a_service_is_named_by_the_service_and_its_role() {
        let sts = "arn:aws:sts::210987654321:assumed-role";
        let linked = "AWSServiceRoleForApplicationAutoScaling_ECSService";
        for (role, session, host, expected) in [
            (
                "nightly",
                "ca64452656cf0d15",
                "scheduler.amazonaws.com",
                "EventBridge Scheduler (role nightly)",
            ),
            (
                "ecs-events",
                "5c3d9e80b2a7416f",
                "events.amazonaws.com",
                "EventBridge (role ecs-events)",
            ),
            (
                "release",
                "1763800000000",
                "codepipeline.amazonaws.com",
                "CodePipeline (role release)",
            ),
            (
                linked,
                "AutoScaling-UpdateDesiredCapacity",
                "ecs.application-autoscaling.amazonaws.com",
                "Application Auto Scaling",
            ),
        ] {
            let arn = format!("{sts}/{role}/{session}");
            let by_identity = call("AssumedRole", &arn, Some(role), Some(host));
            let mut by_address = call("AssumedRole", &arn, None, None);
            by_address.source_ip = Some(host.to_owned());
            for call in [by_identity, by_address] {
                assert_eq!(name_and_via(&call), (expected.to_owned(), None));
                assert!(of_call(&call).unwrap().is_service);
                assert!(is_service_on_its_own(&call));
            }
        }
        let build = format!("{sts}/ci/AWSCodeBuild-0f3c6f5e-2c0a-4c58-b5c3-6f4f3f8f1a11");
        let build = call("AssumedRole", &build, Some("ci"), None);
        assert_eq!(
            name_and_via(&build),
            ("CodeBuild (role ci)".to_owned(), None)
        );
        assert!(!of_call(&build).unwrap().is_service);
    }

    #[test]
    fn a_person_stays_a_person_whatever_service_makes_the_call() {
        let sso = "AWSReservedSSO_PowerUserAccess_0123456789abcdef";
        let arn = format!("arn:aws:sts::210987654321:assumed-role/{sso}/maya@example.com");
        let call = call(
            "AssumedRole",
            &arn,
            Some(sso),
            Some("codepipeline.amazonaws.com"),
        );
        assert_eq!(
            name_and_via(&call),
            (
                "maya@example.com (SSO PowerUserAccess)".to_owned(),
                Some("CodePipeline".to_owned())
            )
        );
    }

    #[test]
    fn services_that_act_on_their_own_are_recognized() {
        let sts = "arn:aws:sts::210987654321:assumed-role";
        for (role, invoked_by, expected) in [
            ("AWSServiceRoleForECS", None, true),
            ("AWSServiceRoleForECS", Some("ecs.amazonaws.com"), true),
            ("CodeDeployRole", Some("codedeploy.amazonaws.com"), true),
            ("nightly", Some("scheduler.amazonaws.com"), true),
            ("deployer", Some("cloudformation.amazonaws.com"), false),
            ("deployer", Some("signin.amazonaws.com"), false),
            ("deployer", None, false),
        ] {
            let call = call(
                "AssumedRole",
                &format!("{sts}/{role}/it"),
                Some(role),
                invoked_by,
            );
            assert_eq!(
                is_service_on_its_own(&call),
                expected,
                "{role} {invoked_by:?}"
            );
        }
        assert!(is_service_on_its_own(&call("AWSService", "", None, None)));
    }

    #[test]
    fn a_person_in_the_console_is_not_a_service() {
        for host in ["signin.amazonaws.com", "AWS Internal"] {
            let call = call(
                "IAMUser",
                "arn:aws:iam::210987654321:user/maya",
                None,
                Some(host),
            );
            let actor = of_call(&call).unwrap();
            assert!(!actor.is_service, "{host}");
            assert_eq!(
                (actor.name.as_str(), actor.via.as_deref()),
                ("maya", Some("the console"))
            );
        }
    }

    #[test]
    fn an_empty_identity_has_no_actor() {
        assert_eq!(of_call(&ApiCall::default()), None);
    }

    #[test]
    fn the_starter_of_a_task_is_named() {
        assert_eq!(
            of_started_by("ecs-svc/123").name,
            "the ECS service scheduler"
        );
        assert_eq!(
            of_started_by("events-rule/nightly").name,
            "EventBridge rule nightly"
        );
        assert_eq!(of_started_by("jenkins-42").name, "jenkins-42");
    }
}
