//! Errors of users: each gets one clear line with advice, and no resource is left in AWS.

use std::fs;

use serde_json::json;

use super::permissions::everything;
use super::{MIGRATE, account, finish, program, run};
use crate::fake_aws::Refusal;
use crate::fake_aws::policy::Policy;
use crate::tools;

/// Arguments, the exit status and the expected text.
type Case = (&'static str, i32, &'static str);

#[tokio::test]
async fn one_clear_line_each() {
    const REST: &str = "--task-name t --from-task web --cluster prod";
    let cases: [Case; 21] = [
        (
            "--from-task web --cluster prod --command a",
            2,
            "--task-name <NAME>",
        ),
        (
            "--task-name t --cluster prod --command a",
            2,
            "<--from-task <NAME>|--like-service <NAME>>",
        ),
        ("REST", 2, "--command <WORD>"),
        ("REST --command ''", 2, "the command is empty"),
        (
            "REST --command a --entrypoint \"sh -c 'x\"",
            2,
            "a quote is not closed",
        ),
        (
            "--task-name 'a b' --from-task web --cluster prod --command a",
            2,
            "--task-name `a b` is not valid; allowed: up to 255",
        ),
        (
            "REST --command a --image 'web 2'",
            2,
            "--image `web 2` is not valid",
        ),
        (
            "REST --command a --launch-type FARGATE --networks-id subnet-1",
            2,
            "Fargate needs a network",
        ),
        (
            "REST --command a --launch-type LAMBDA",
            2,
            "possible values: EC2, FARGATE",
        ),
        (
            "REST --command a --retention-days 8",
            2,
            "allowed: 1, 3, 5, 7, 14",
        ),
        ("REST --command a --count 11", 2, "11 is not in 1..=10"),
        (
            "REST --command a --timeout soon",
            2,
            "allowed: a number of seconds, or a number with a unit",
        ),
        ("REST --command a --env NAME", 2, "expected NAME=VALUE"),
        (
            "REST --command a --container ap",
            2,
            "`web` has no container `ap`; its containers: app",
        ),
        (
            "--task-name t --from-task wbe --cluster prod --command a",
            1,
            "ecs-parrot: --from-task wbe: DescribeTaskDefinition: Unable to describe task definition.\nadvice: check the task definition's name and the region",
        ),
        (
            "--task-name t --from-task web --cluster prdo --command a",
            1,
            "ecs-parrot: --cluster prdo: DescribeTasks: Cluster not found.\nadvice: check the cluster's name and the region",
        ),
        (
            "--task-name t --like-service web --cluster prdo --command a",
            1,
            "ecs-parrot: --cluster prdo: DescribeServices: Cluster not found.",
        ),
        (
            "REST --command a --tag FOO",
            2,
            "`FOO` is not a tag: expected KEY=VALUE, such as team=blue",
        ),
        ("REST --command a --tag =x", 2, "`=x` is not a tag"),
        (
            "REST --command a --like-service bridge --launch-type FARGATE",
            2,
            "Fargate needs a network, but the service has none",
        ),
        (
            "REST --command a --like-service api",
            1,
            "cluster `prod` has no service `api`",
        ),
    ];
    for (arguments, status, expected) in cases {
        let aws = account().await;
        aws.allow_only(Policy::new(&everything()));
        aws.service(
            "bridge",
            json!({"serviceName": "bridge", "status": "ACTIVE"}),
        );
        let finished = run(&aws, &arguments.replace("REST", REST)).await;
        assert_eq!(finished.status, status, "{arguments}: {finished:?}");
        assert!(finished.err.contains(expected), "{arguments}: {finished:?}");
        assert_eq!(finished.out, "");
        assert_eq!(aws.left_behind(), [""; 0]);
        let made = ["RegisterTaskDefinition", "CreateLogGroup", "RunTask"];
        assert!(
            aws.operations()
                .iter()
                .all(|it| !made.contains(&it.as_str())),
            "{arguments}"
        );
    }
}

#[tokio::test]
async fn more_subnets_than_aws_allows() {
    let aws = account().await;
    let subnets: Vec<_> = (1..=17).map(|n| format!("subnet-{n}")).collect();
    let network = format!(
        "--networks-id {} --security-groups-id sg-1",
        subnets.join(" ")
    );
    let finished = run(&aws, &format!("--launch-type FARGATE {network} {MIGRATE}")).await;
    assert_eq!(finished.status, 2);
    assert_eq!(
        finished.err,
        "ecs-parrot: 17 subnets; allowed: at most 16\n"
    );
}

#[tokio::test]
async fn an_account_that_cannot_be_used() {
    for (variables, flags, status, expected) in [
        (vec![("AWS_REGION", "")], "", 1, "no region: give --region"),
        (vec![], "--region mars", 2, "`mars` is not a region name"),
        (
            vec![],
            "--profile nobody",
            1,
            "profile `nobody` does not exist or gives no credentials",
        ),
        (
            vec![("AWS_ACCESS_KEY_ID", ""), ("AWS_PROFILE", "nosuch")],
            "",
            1,
            "profile `nosuch` of AWS_PROFILE does not exist or gives no credentials",
        ),
        (
            vec![("AWS_ACCESS_KEY_ID", "")],
            "",
            1,
            "no credentials: there are none in the environment",
        ),
    ] {
        let aws = account().await;
        let mut command = program(&aws, &format!("{flags} {MIGRATE}"));
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        for (name, value) in variables {
            if value.is_empty() {
                command.env_remove(name);
            } else {
                command.env(name, value);
            }
        }
        let finished = finish(command.spawn().unwrap()).await;
        assert_eq!(finished.status, status, "{finished:?}");
        assert!(
            finished.err.starts_with(&format!("ecs-parrot: {expected}")),
            "{finished:?}"
        );
        assert_eq!(finished.err.lines().count(), 1);
        assert_eq!(aws.calls().len(), 0);
    }
}

/// A command that needs a shell but has none gets a warning, before it fails in the container.
#[tokio::test]
async fn one_word_that_should_be_several() {
    let aws = account().await;
    let finished =
        run(&aws, "--task-name web-migrate --from-task web --cluster prod --command 'rake db:migrate' --dry-run").await;
    assert_eq!(finished.status, 0);
    assert!(
        finished
            .err
            .contains("the command is one word, `rake db:migrate`"),
        "{finished:?}"
    );
}

/// A user who forgets the name types only the secret, and many people can read the log of a CI job.
#[tokio::test]
async fn a_variable_that_is_not_valid_is_not_printed() {
    let aws = account().await;
    for (secret, flags) in [
        ("hunter2", "--env A=b --env hunter2"),
        ("=hunter3", "--env A=b --env =hunter3"),
    ] {
        let finished = run(&aws, &format!("{flags} --output json {MIGRATE}")).await;
        assert_eq!(finished.status, 2, "{finished:?}");
        assert!(
            finished.err.contains("--env number 2 is not valid"),
            "{finished:?}"
        );
        let all = format!("{}{}", finished.out, finished.err);
        assert!(!all.contains(secret), "{all}");
    }
    assert_eq!(aws.calls().len(), 0);
}

/// As in the AWS CLI: --profile has priority over keys in the environment.
#[tokio::test]
async fn a_named_profile_has_priority() {
    let aws = account().await;
    let home = tools::scratch();
    let config = home.path().join("config");
    fs::write(
        &config,
        "[profile ci]\naws_access_key_id = OFTHEPROFILE\naws_secret_access_key = x\n",
    )
    .unwrap();
    for (flags, key) in [("--profile ci", "OFTHEPROFILE"), ("", "test")] {
        let mut command = program(&aws, &format!("{flags} --dry-run {MIGRATE}"));
        command.env("AWS_CONFIG_FILE", &config);
        let finished = finish(command.spawn().unwrap()).await;
        assert_eq!(finished.status, 0, "{finished:?}");
        assert_eq!(aws.calls().last().unwrap().access_key, key);
    }
}

/// Errors of AWS do not always name the value that was typed.
#[tokio::test]
async fn an_error_of_aws_names_the_flag() {
    for (operation, message, flags, expected) in [
        (
            "RegisterTaskDefinition",
            "Role is not valid",
            "--task-role arn:aws:iam::210987654321:role/mgirate",
            "--task-role arn:aws:iam::210987654321:role/mgirate: RegisterTaskDefinition: Role is not valid",
        ),
        (
            "RunTask",
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the \
             cluster.",
            "--capacity-provider spto",
            "--capacity-provider spto: RunTask: The specified capacity provider strategy",
        ),
        (
            "RunTask",
            "The capacity provider spto was not found.",
            "--capacity-provider spto",
            "ecs-parrot: RunTask: The capacity provider spto was not found.",
        ),
    ] {
        let aws = account().await;
        aws.allow_only(Policy::new(&everything()));
        aws.refuse(operation, 1, &Refusal::new("ClientException", message));
        let finished = run(&aws, &format!("{flags} {MIGRATE}")).await;
        assert_eq!(finished.status, 1, "{finished:?}");
        assert!(finished.err.contains(expected), "{finished:?}");
    }
}
