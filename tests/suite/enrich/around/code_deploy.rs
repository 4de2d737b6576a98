//! Deployments of CodeDeploy: GetDeployment and GetDeploymentGroup name the service, the revision and what went wrong.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::{assert_dropped, assert_posted, denied, event, numbered};
use crate::enrich::{counted, notify, once, sorted};
use crate::fake_aws::FakeAws;

const DEPLOYMENT: &str = "d-4F7QK2M9X";
const ROLLBACK: &str = "d-9ROLLBACK";
/// How a message names it that is about no known service.
const GROUP: &str = "checkout, deployment group checkout-prod: deployment by CodeDeploy failed";
const CALLS: [&str; 3] = ["DescribeServices", "GetDeployment", "GetDeploymentGroup"];

/// An account in which CodeDeploy deploys the service checkout.
async fn account() -> FakeAws {
    let aws = FakeAws::start().await;
    let services = json!([{"clusterName": "prod-web", "serviceName": "checkout"}]);
    aws.deployment_group("checkout", "checkout-prod", services);
    aws.code_deployment(DEPLOYMENT, info(json!({})));
    aws.cluster("prod-web");
    let task_set = |number: u8, deployment: &str| {
        json!({
            "id": format!("ecs-svc/000000000000000005{number}"), "startedBy": "CODE_DEPLOY", "externalId": deployment,
            "taskDefinition": format!("arn:aws:ecs:eu-west-1:210987654321:task-definition/checkout:{number}"),
        })
    };
    let task_sets = [task_set(57, "d-1EARLIER0"), task_set(58, DEPLOYMENT)];
    aws.service(
        "checkout",
        json!({"serviceName": "checkout", "taskSets": task_sets}),
    );
    aws
}

/// A deployment of checkout. GetDeployment never returns the content of the specification.
/// <https://docs.aws.amazon.com/cli/latest/reference/deploy/get-deployment.html>
fn info(more: Value) -> Value {
    let mut info = json!({
        "applicationName": "checkout",
        "deploymentGroupName": "checkout-prod",
        "computePlatform": "ECS",
        "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": null, "sha256": "6f1c"}},
    });
    let more = more.as_object().unwrap().clone();
    info.as_object_mut().unwrap().extend(more);
    info
}

fn change(state: &str, deployment: &str, number: usize) -> Value {
    let mut event = numbered(event("code_deploy-start"), number);
    event["detail"]["state"] = json!(state);
    event["detail"]["deploymentId"] = json!(deployment);
    event
}

fn failed() -> Value {
    info(json!({"errorInformation": {
        "code": "HEALTH_CONSTRAINTS", "message": "The new tasks did not become healthy in time",
    }}))
}

#[tokio::test]
async fn the_service_and_its_revision_are_named() {
    let aws = account().await;
    let run = notify(&aws, vec![change("START", DEPLOYMENT, 1)], &[]).await;
    assert_posted(&run, &["checkout in prod-web", "checkout:58"]);
    assert_eq!(sorted(counted(&aws)), once(&CALLS), "{}", run.log);
    assert_eq!(
        aws.bodies("GetDeployment"),
        [json!({"deploymentId": DEPLOYMENT})]
    );
    assert_eq!(
        aws.bodies("GetDeploymentGroup"),
        [json!({"applicationName": "checkout", "deploymentGroupName": "checkout-prod"})]
    );
    assert!(!run.log.contains("messages lack"), "{}", run.log);
}

/// A failed deployment and its rollback are one deployment of the service. Its group is asked for once.
#[tokio::test]
async fn a_failure_and_its_rollback_are_one_deployment() {
    let aws = account().await;
    aws.code_deployment(DEPLOYMENT, failed());
    aws.code_deployment(
        ROLLBACK,
        info(json!({"rollbackInfo": {"rollbackTriggeringDeploymentId": DEPLOYMENT}})),
    );
    let changes = [
        ("START", DEPLOYMENT),
        ("FAILURE", DEPLOYMENT),
        ("START", ROLLBACK),
        ("SUCCESS", ROLLBACK),
    ];
    let start = Timestamp::now() - 5.minutes();
    let payloads = changes.iter().zip(0..).map(|((state, id), minute)| {
        let mut event = change(state, id, minute);
        let minute = i64::try_from(minute).unwrap();
        event["time"] = json!((start + minute.minutes()).to_string());
        event
    });
    let run = notify(&aws, payloads.collect(), &[]).await;
    assert_eq!(aws.bodies("DescribeServices").len(), 4, "{}", run.log);
    let headlines: Vec<_> = run
        .messages
        .iter()
        .map(|it| it.lines().next().unwrap())
        .collect();
    // The rollback is no deployment of its own.
    let expected = [
        "⚪ checkout in prod-web: deploying checkout:58",
        "🔴 checkout in prod-web: deployment of checkout:58 failed after 1 min 0 s",
        "🟠 checkout in prod-web: checkout:58 did not stay, rolled back after 3 min; the previous revision runs",
    ];
    assert_eq!(headlines, expected, "{}", run.log);
    let why = "The new tasks did not become healthy in time";
    assert!(run.messages[1].contains(why), "{}", run.messages[1]);
    assert_eq!(
        run.log.matches(r#""reason":"opened""#).count(),
        1,
        "{}",
        run.log
    );
    assert_eq!(aws.bodies("GetDeployment").len(), 4, "{}", run.log);
    assert_eq!(aws.bodies("GetDeploymentGroup").len(), 1, "{}", run.log);
}

/// CodeDeploy says READY also if it goes on by itself at once.
#[tokio::test]
async fn a_deployment_that_waits_says_so() {
    for (option, waits) in [
        (
            json!({"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 60}),
            true,
        ),
        (
            json!({"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0}),
            false,
        ),
        // The minutes count only for the other action.
        (
            json!({"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 60}),
            false,
        ),
    ] {
        let aws = account().await;
        let configuration = json!({"deploymentReadyOption": option});
        aws.code_deployment(
            DEPLOYMENT,
            info(json!({"blueGreenDeploymentConfiguration": configuration})),
        );
        let payloads = vec![
            change("START", DEPLOYMENT, 1),
            change("READY", DEPLOYMENT, 2),
        ];
        let run = notify(&aws, payloads, &[]).await;
        let said = run.messages.iter().any(|it| {
            it.contains("continue-deployment")
                && it.contains(&format!("--deployment-id {DEPLOYMENT}"))
        });
        assert_eq!(said, waits, "{option}: {:?}", run.messages);
    }
}

#[tokio::test]
async fn deployments_to_other_platforms_are_dropped() {
    for platform in ["Lambda", "Server"] {
        for state in ["START", "FAILURE"] {
            let aws = account().await;
            aws.code_deployment(DEPLOYMENT, info(json!({"computePlatform": platform})));
            let run = notify(&aws, vec![change(state, DEPLOYMENT, 1)], &[]).await;
            assert_dropped(&run, "not_ecs");
            assert_eq!(counted(&aws), once(&["GetDeployment"]), "{platform}");
        }
    }
}

/// What AWS said about the deployment stays, if it does not say of which service it is.
#[tokio::test]
async fn a_group_without_a_known_service_is_posted() {
    let aws = account().await;
    aws.code_deployment(DEPLOYMENT, failed());
    aws.refuse(
        "GetDeploymentGroup",
        9,
        &denied("codedeploy:GetDeploymentGroup"),
    );
    let run = notify(&aws, vec![change("FAILURE", DEPLOYMENT, 1)], &[]).await;
    let why = "The new tasks did not become healthy in time";
    assert_posted(&run, &[GROUP, why]);
    assert!(run.log.contains("messages lack"), "{}", run.log);

    let aws = account().await;
    aws.code_deployment(DEPLOYMENT, failed());
    aws.deployment_group("checkout", "checkout-prod", json!([]));
    let run = notify(&aws, vec![change("FAILURE", DEPLOYMENT, 1)], &[]).await;
    assert_posted(&run, &[GROUP, why]);
}

#[tokio::test]
async fn without_an_answer_the_event_is_posted_by_itself() {
    type Change<'a> = &'a dyn Fn(&FakeAws);
    let refuse =
        |aws: &FakeAws| aws.refuse("GetDeployment", 9, &denied("codedeploy:GetDeployment"));
    let delay = |aws: &FakeAws| aws.answer_late("GetDeployment", Duration::from_secs(30));
    let fails: [(&str, Change<'_>); 2] =
        [("not authorized", &refuse), ("no answer in time", &delay)];
    for (why, fail) in fails {
        let aws = account().await;
        fail(&aws);
        let run = notify(&aws, vec![change("FAILURE", DEPLOYMENT, 1)], &[]).await;
        assert_posted(&run, &[GROUP, DEPLOYMENT]);
        let line = run.log.lines().find(|it| it.contains("messages lack"));
        assert!(line.is_some_and(|it| it.contains(why)), "{}", run.log);
    }
}

#[tokio::test]
async fn without_enrichment_nothing_is_asked() {
    let aws = account().await;
    let payloads = vec![change("FAILURE", DEPLOYMENT, 1)];
    let run = notify(&aws, payloads, &[("ENRICH", "false")]).await;
    assert_posted(&run, &[GROUP]);
    assert_eq!(aws.calls().len(), 0);
}

#[tokio::test]
async fn ids_that_are_not_well_formed_are_not_asked_for() {
    for id in ["d-../../x", "d-1 2", "1A2B3C", "d-"] {
        let aws = account().await;
        let run = notify(&aws, vec![change("FAILURE", id, 1)], &[]).await;
        assert_eq!(run.messages.len(), 1, "{id}: {}", run.log);
        assert_eq!(aws.calls().len(), 0, "{id}");
    }
}

#[tokio::test]
async fn answers_do_not_become_markup() {
    let aws = account().await;
    let hostile = "<!channel> <https://evil.example|x> *b*";
    aws.code_deployment(
        DEPLOYMENT,
        info(json!({"errorInformation": {"code": "ERROR", "message": hostile}})),
    );
    let services = json!([{"clusterName": hostile, "serviceName": hostile}]);
    aws.deployment_group("checkout", "checkout-prod", services);
    let run = notify(&aws, vec![change("FAILURE", DEPLOYMENT, 1)], &[]).await;
    assert!(!run.messages.is_empty(), "{}", run.log);
    for message in &run.messages {
        assert!(!message.contains("<!channel"), "{message}");
        assert!(!message.contains("<https://evil"), "{message}");
    }
}
