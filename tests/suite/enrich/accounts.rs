//! Events of other accounts: a role of each account is assumed to ask AWS about them.

use serde_json::{Value, json};

use super::{NotifyRun, notify};
use crate::events;
use crate::fake_aws::{ACCOUNT, FakeAws, Refusal};
use crate::moto::Moto;
use crate::tools;

const MEMBER: &str = "123456789012";
const ROLE: (&str, &str) = (
    "LOOKUP_ROLE",
    "arn:aws:iam::{account}:role/ecs-parrot-lookup",
);
const ALIAS: (&str, &str) = ("ACCOUNT_NAMES", "ALIAS");

/// A failed task of a service in an account.
fn failure(account: &str, region: &str, service: &str, number: usize) -> Value {
    let event = events::sample("task_stopped-image-pull-not-found").to_string();
    let event = event.replace(ACCOUNT, account).replace("eu-west-1", region);
    let mut event: Value = serde_json::from_str(&event).unwrap();
    event["id"] = json!(format!("{service} {number}"));
    let detail = &mut event["detail"];
    detail["taskArn"] = json!(format!(
        "arn:aws:ecs:{region}:{account}:task/prod-web/{number:032x}"
    ));
    detail["group"] = json!(format!("service:{service}"));
    event
}

/// Whose alias was asked for, by the access keys.
fn keys_of(aws: &FakeAws, operation: &str) -> Vec<String> {
    let calls = aws.calls().into_iter();
    calls
        .filter(|it| it.operation == operation)
        .map(|it| it.access_key)
        .collect()
}

async fn run(aws: &FakeAws, payloads: Vec<Value>, variables: &[(&str, &str)]) -> NotifyRun {
    aws.alias("prod");
    notify(aws, payloads, variables).await
}

#[tokio::test]
async fn each_account_is_asked_with_its_own_role() {
    let aws = FakeAws::start().await;
    aws.want_external_id("parrot-42");
    let payloads = vec![
        failure(ACCOUNT, "eu-west-1", "own", 1),
        failure(MEMBER, "eu-west-1", "first", 2),
        failure(MEMBER, "us-east-1", "second", 3),
    ];
    let external_id = ("LOOKUP_EXTERNAL_ID", "parrot-42");
    let run = run(&aws, payloads, &[ROLE, external_id, ALIAS]).await;
    let shown = format!("account prod ({MEMBER})");
    let named: Vec<_> = run.messages.iter().map(|it| it.contains(&shown)).collect();
    assert_eq!(named, [false, true, true], "{:?}", run.messages);
    assert_eq!(
        keys_of(&aws, "ListAccountAliases"),
        ["test", "ASIA123456789012"]
    );
    // One session of the account for both regions, and none for the own account.
    let assumed = aws.bodies("AssumeRole");
    assert_eq!(assumed.len(), 1, "{assumed:?}");
    for (parameter, value) in [
        (
            "RoleArn",
            "arn:aws:iam::123456789012:role/ecs-parrot-lookup",
        ),
        ("RoleSessionName", "ecs-parrot"),
        ("ExternalId", "parrot-42"),
    ] {
        assert_eq!(assumed[0][parameter], value);
    }
}

/// The function's own role is for its own region. Another region of its account is a member too.
#[tokio::test]
async fn another_region_of_the_own_account_is_asked_with_the_role() {
    let aws = FakeAws::start().await;
    let report = super::report().to_string();
    let elsewhere = report.replace("eu-west-1", "us-east-1");
    for (report, expected) in [(report, "test"), (elsewhere, "ASIA210987654321")] {
        let payloads = vec![serde_json::from_str(&report).unwrap()];
        notify(&aws, payloads, &[ROLE]).await;
        let keys = keys_of(&aws, "DescribeTasks");
        assert_eq!(keys.last().map(String::as_str), Some(expected));
    }
}

#[tokio::test]
async fn without_a_role_other_accounts_have_no_session() {
    let aws = FakeAws::start().await;
    let payloads = vec![failure(MEMBER, "eu-west-1", "first", 1)];
    let run = run(&aws, payloads, &[ALIAS]).await;
    assert_eq!(run.messages.len(), 1);
    assert!(run.messages[0].contains("account 123456789012"));
    assert!(aws.bodies("AssumeRole").is_empty());
    assert!(keys_of(&aws, "ListAccountAliases").is_empty());
}

/// The message is posted without the facts. Why they are missing is said once a day, and the log says it each time.
#[tokio::test]
async fn a_role_that_refuses_costs_the_facts_and_is_told_once_a_day() {
    let aws = FakeAws::start().await;
    aws.refuse_roles_of(MEMBER);
    let payloads = vec![
        failure(MEMBER, "eu-west-1", "first", 1),
        failure(MEMBER, "eu-west-1", "second", 2),
        failure("333333333333", "eu-west-1", "third", 3),
    ];
    let run = run(&aws, payloads, &[ROLE, ALIAS]).await;
    let why = "Not looked up*: AWS refuses to answer about this account and region, so messages lack facts: \
               ListAccountAliases: no credentials: AssumeRole: User: arn:aws:sts::210987654321:assumed-role/parrot/parrot is not authorized to perform: \
               sts:AssumeRole on resource: arn:aws:iam::123456789012:role/ecs-parrot-lookup";
    let told: Vec<_> = run.messages.iter().map(|it| it.contains(why)).collect();
    assert_eq!(told, [true, false, false], "{:?}", run.messages);
    // The role is not assumed again at once.
    assert_eq!(aws.bodies("AssumeRole").len(), 2);
    assert!(run.log.contains("123456789012 eu-west-1: "), "{}", run.log);
}

/// The role can be assumed, but the region does not know its credentials: the account has switched it off.
#[tokio::test]
async fn a_region_that_is_off_is_told() {
    let aws = FakeAws::start().await;
    let off = Refusal::new(
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    );
    aws.refuse("DescribeTasks", 1, &off);
    let report = super::report().to_string();
    let report = report
        .replace(ACCOUNT, MEMBER)
        .replace("eu-west-1", "ap-east-1");
    let payloads = vec![serde_json::from_str(&report).unwrap()];
    let run = run(&aws, payloads, &[ROLE]).await;
    assert_eq!(run.messages.len(), 1, "{}", run.log);
    let why = "DescribeTasks: The security token included in the request is invalid.";
    assert!(run.messages[0].contains(why), "{:?}", run.messages);
    let logged = format!("{MEMBER} ap-east-1: {why}");
    assert!(run.log.contains(&logged), "{}", run.log);
}

/// The member has the service with a tag, which a channel's pattern needs, and the hub has none of it.
#[tokio::test]
async fn the_services_of_a_member_are_found_on_moto() {
    // moto's own account is 123456789012, whatever the function's is.
    const MEMBER: &str = "333344445555";
    let moto = Moto::start();
    tools::run_python("member.py", &[moto.url(), MEMBER, "eu-central-1"], "");
    let chat = crate::chat::chat(crate::chat::ok()).await;
    let channels = json!([{
        "name": "blue", "type": "slack", "url": crate::chat::webhook(&chat),
        "only": {"tags.team": ["blue"], "account_name": ["example-member"]},
    }])
    .to_string();
    let environment = [
        ("AWS_ENDPOINT_URL", moto.url()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("CHANNELS", &channels),
        ("ENRICH", "true"),
        ROLE,
        ALIAS,
    ];
    let payloads = vec![
        failure(MEMBER, "eu-central-1", "checkout", 1),
        failure(MEMBER, "eu-central-1", "search", 2),
        failure(ACCOUNT, "eu-central-1", "checkout", 3),
    ];
    let api = crate::runtime_api::RuntimeApi::with(payloads).await;
    let (_, log) = api.run_program(super::PARROT, &environment).await;
    let messages = crate::chat::messages(&chat).await;
    assert_eq!(messages.len(), 1, "{messages:?} {log}");
    assert!(messages[0].contains("checkout"), "{messages:?}");
    assert!(
        messages[0].contains("account example-member (333344445555)"),
        "{messages:?}"
    );
}
