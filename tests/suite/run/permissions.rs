//! The IAM policy of docs/policies/run.json, and the nine permissions of ecs-one-off-task, compared with the calls that are made.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{MIGRATE, account, exits_with, run, web};
use crate::fake_aws::policy::Policy;
use crate::fake_aws::{FakeAws, Life, Log};

/// The policy that docs/run.md tells its reader to use.
pub(super) fn of_readme() -> Value {
    serde_json::from_str(include_str!("../../../docs/policies/run.json")).unwrap()
}

/// For tests that are not about permissions and use other clusters than the README.
pub(super) fn everything() -> Value {
    json!({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::210987654321:role/{name}")
}

/// `web` with roles and tags, as in a real account.
fn whole_web() -> Value {
    let mut definition = web();
    definition["taskRoleArn"] = json!(role("web-task"));
    definition["executionRoleArn"] = json!(role("web-execution"));
    definition
}

fn team() -> Value {
    json!([{"key": "team", "value": "blue"}])
}

/// The policy allows everything that `run` can do, and nothing else.
#[tokio::test]
async fn the_policy_of_the_readme_is_minimal() {
    let aws = account().await;
    aws.definition(whole_web(), team());
    aws.service(
        "web",
        json!({"serviceName": "web", "status": "ACTIVE", "taskDefinition": "web"}),
    );
    let log = Log {
        container: "app",
        after: std::time::Duration::ZERO,
        at: 1,
        text: "x".to_owned(),
    };
    aws.next_task(Life {
        failures: vec![json!({"reason": "ATTRIBUTE"})],
        ..Life::default()
    });
    aws.next_task(Life {
        endless: true,
        logs: vec![log],
        ..Life::default()
    });
    for (flags, status) in [
        ("", 1),
        (
            "--like-service web --tag by=ci --timeout 3 --deregister",
            124,
        ),
    ] {
        let finished = run(&aws, &format!("{flags} {MIGRATE}")).await;
        assert_eq!(finished.status, status, "{finished:?}");
    }
    let denied: Vec<_> = aws
        .calls()
        .into_iter()
        .filter(|call| call.is_denied)
        .collect();
    assert!(denied.is_empty(), "{denied:?}");
    let statements = of_readme()["Statement"].as_array().unwrap().clone();
    let sids: BTreeSet<_> = statements
        .iter()
        .map(|it| it["Sid"].as_str().unwrap().to_owned())
        .collect();
    let used: BTreeSet<_> = aws.used_statements().into_iter().collect();
    assert_eq!(used, sids);
    let actions = statements.iter().flat_map(|it| match &it["Action"] {
        Value::Array(actions) => actions.clone(),
        action => vec![action.clone()],
    });
    let called: BTreeSet<_> = aws
        .calls()
        .iter()
        .map(|call| format!("{}:{}", call.service, call.operation))
        .collect();
    for action in actions {
        let action = action.as_str().unwrap();
        let implied = ["iam:PassRole", "ecs:TagResource"].contains(&action);
        assert!(
            implied || called.contains(action),
            "{action} is allowed but never used"
        );
    }
}

/// The nine permissions of ecs-one-off-task, for the resources in its README.
/// <https://github.com/speedyrails/ecs-one-off-task#requirements>
fn nine_permissions() -> Policy {
    Policy::new(&json!({"Statement": [
        {"Effect": "Allow", "Resource": "*", "Action":
            ["ecs:RunTask", "ecs:RegisterTaskDefinition", "ecs:DescribeTasks", "ecs:DescribeTaskDefinition"]},
        {"Effect": "Allow", "Resource": role("web-execution"), "Action": "iam:PassRole"},
        {"Effect": "Allow", "Resource": "arn:aws:logs:*:210987654321:log-group:*", "Action":
            ["logs:DescribeLogStreams", "logs:PutRetentionPolicy", "logs:CreateLogGroup"]},
        {"Effect": "Allow", "Resource": "arn:aws:logs:*:210987654321:log-group:*:log-stream:*", "Action":
            "logs:GetLogEvents"},
    ]}))
}

async fn account_of_ecs_one_off_task() -> FakeAws {
    let aws = account().await;
    let mut definition = whole_web();
    definition.as_object_mut().unwrap().remove("taskRoleArn");
    aws.definition(definition, team());
    aws.allow_only(nine_permissions());
    aws
}

#[tokio::test]
async fn the_nine_permissions_are_enough_for_the_old_flags() {
    let fargate = "--launch-type FARGATE --networks-id subnet-1 --security-groups-id sg-1 --entrypoint 'sh -c'";
    for flags in ["--image web:2", fargate] {
        let aws = account_of_ecs_one_off_task().await;
        aws.next_task(exits_with(3));
        let finished = run(&aws, &format!("{flags} {MIGRATE}")).await;
        assert_eq!(finished.status, 3, "{finished:?}");
        assert!(
            finished
                .err
                .contains("the task definition gets no tags: ecs:TagResource is denied")
        );
        let registered = aws.bodies("RegisterTaskDefinition");
        assert_eq!(registered[0]["tags"], team());
        assert_eq!(registered[1].get("tags"), None);
    }
}

/// If a resource cannot be removed, the output contains the command that removes it.
#[tokio::test]
async fn with_the_nine_a_revision_that_is_not_deregistered_is_named() {
    let aws = account_of_ecs_one_off_task().await;
    aws.next_task(Life {
        failures: vec![json!({"reason": "ATTRIBUTE"})],
        ..Life::default()
    });
    let finished = run(&aws, MIGRATE).await;
    assert_eq!(finished.status, 1);
    let command = "to deregister it: `aws ecs deregister-task-definition --task-definition \
                   arn:aws:ecs:eu-west-1:210987654321:task-definition/web-migrate:1 --region eu-west-1`";
    assert!(finished.err.contains(command), "{finished:?}");
    assert!(
        finished
            .err
            .contains("log group /ecs/web-migrate was not removed"),
        "{finished:?}"
    );
}

#[tokio::test]
async fn a_denied_role_is_named_with_the_statement_to_add() {
    let aws = account_of_ecs_one_off_task().await;
    aws.definition(whole_web(), json!([]));
    let finished = run(&aws, &format!("--output json {MIGRATE}")).await;
    assert_eq!(finished.status, 1, "{finished:?}");
    let report = finished.json();
    let advice = report["advice"].as_str().unwrap();
    let (_, statement) = advice.split_once("allow it with ").unwrap();
    let (statement, rest) = statement.split_once(", or remove").unwrap();
    let statement: Value = serde_json::from_str(statement).unwrap();
    assert_eq!(statement["Resource"], role("web-task"));
    assert_eq!(rest, " the task role with --task-role none");
    assert_eq!(aws.left_behind(), [""; 0]);

    let mut statements = json!([statement]);
    statements
        .as_array_mut()
        .unwrap()
        .extend(of_readme()["Statement"].as_array().unwrap().clone());
    aws.allow_only(Policy::new(&json!({"Statement": statements})));
    assert_eq!(
        run(&aws, MIGRATE).await.status,
        0,
        "with that statement it runs"
    );
}

#[tokio::test]
async fn a_denied_action_is_named() {
    let aws = account().await;
    aws.allow_only(Policy::new(&json!({"Statement": []})));
    let finished = run(&aws, MIGRATE).await;
    assert_eq!(finished.status, 1);
    assert!(
        finished.err.contains(
            "advice: allow ecs:DescribeTaskDefinition to the user or role that runs this"
        ),
        "{finished:?}"
    );
}
