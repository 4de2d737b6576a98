//! Which API calls are urgent: calls that delete or stop something, and `ExecuteCommand` where `KEEP` asks for it.

use ecs_parrot::ecs::notice::Kind;
use ecs_parrot::notifier::policy::Policy;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::chat::{chat, texts, webhook};
use crate::events;
use crate::runtime_api::RuntimeApi;

/// The sample of a deletion, with another event name, caller and request.
fn call(name: &str, identity: Value, request: Value) -> Value {
    let mut event = events::sample("api_call-delete-daemon");
    event["detail"]["eventName"] = json!(name);
    event["detail"]["requestParameters"] = request;
    if !identity.is_null() {
        event["detail"]["userIdentity"] = identity;
    }
    event
}

fn service(host: &str) -> Value {
    json!({"type": "AWSService", "invokedBy": host})
}

fn is_urgent(event: &Value) -> bool {
    let evaluated = events::evaluate(event, &Policy::default())
        .remove(0)
        .unwrap();
    evaluated.priority().is_some_and(|priority| priority.urgent)
}

#[test]
fn calls_that_delete_or_stop_something_are_urgent() {
    let arn = |resource: &str| format!("arn:aws:ecs:eu-west-1:210987654321:{resource}");
    for (name, request) in [
        (
            "DeleteTideGauge",
            json!({"tideGaugeArn": arn("tide-gauge/prod/north")}),
        ),
        ("DeleteGateway", json!({"gatewayArn": arn("gateway/north")})),
        ("DisassociateGatewayFromCluster", json!({"cluster": "prod"})),
        (
            "UpdateService",
            json!({"service": "web", "desiredCount": 0}),
        ),
        (
            "UpdateService",
            json!({"service": "web", "desiredCount": "0"}),
        ),
        (
            "UpdateTaskSet",
            json!({"service": "web", "scale": {"value": 0.0, "unit": "PERCENT"}}),
        ),
        ("StopServiceDeployment", json!({})),
        ("DeleteService", json!({"service": "web"})),
    ] {
        let by = |identity: Value| is_urgent(&call(name, identity, request.clone()));
        assert!(by(Value::Null), "{name} by a person");
        assert!(
            by(service("cloudformation.amazonaws.com")),
            "{name} by CloudFormation"
        );
        for host in [
            "ecs.amazonaws.com",
            "codedeploy.amazonaws.com",
            "scheduler.amazonaws.com",
        ] {
            assert!(!by(service(host)), "{name} by {host}");
        }
    }
    for (name, request) in [
        (
            "DeleteTaskDefinitions",
            json!({"taskDefinitions": ["web:1"]}),
        ),
        (
            "DeleteAttributes",
            json!({"attributes": [{"name": "stack"}]}),
        ),
        (
            "UpdateService",
            json!({"service": "web", "desiredCount": 1}),
        ),
        ("UpdateService", json!({"service": "web"})),
        (
            "CreateService",
            json!({"serviceName": "web", "desiredCount": 0}),
        ),
        (
            "UpdateTaskSet",
            json!({"service": "web", "scale": {"value": 50, "unit": "PERCENT"}}),
        ),
    ] {
        assert!(!is_urgent(&call(name, Value::Null, request)), "{name}");
    }
}

/// A failed deletion deleted nothing. It is reported as a denied call.
#[test]
fn a_denied_deletion_names_no_effect() {
    let mut event = events::sample("api_call-delete-daemon");
    event["detail"]["errorCode"] = json!("AccessDenied");
    let evaluated = events::evaluate(&event, &Policy::default())
        .remove(0)
        .unwrap();
    assert_eq!(evaluated.notice.kind, Kind::ApiDenied);
    let message = events::render(
        &Default::default(),
        &evaluated.notice,
        evaluated.priority().unwrap(),
    );
    assert!(!message.unwrap().terminal.contains("Effect"));
}

/// An urgent-only channel gets `ExecuteCommand` where `KEEP` contains its word. No channel gets it where `DROP` does.
#[tokio::test]
async fn a_session_is_urgent_where_keep_asks_for_it() {
    for (keep, drop, quiet, messages) in [
        ("", "", "true", 0),
        ("", "", "false", 1),
        ("execute_command", "", "true", 1),
        ("execute_command", "api_call", "true", 1),
        ("", "execute_command", "false", 0),
    ] {
        let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
        let webhook = webhook(&slack);
        let variables = [
            ("SLACK_WEBHOOKURL", webhook.as_str()),
            ("SLACK_QUIET", quiet),
            ("KEEP", keep),
            ("DROP", drop),
        ];
        let payloads = vec![events::sample("api_call-execute-command")];
        let (_, log) = RuntimeApi::with(payloads).await.run(&variables).await;
        let texts = texts(&slack).await;
        assert_eq!(texts.len(), messages, "{keep} {drop} {quiet} {log}");
    }
}

/// The failure words of a launch are explained in a service's event too. The same word in a service's name is not
/// explained.
#[test]
fn a_placement_failure_is_explained() {
    for (reason, why, advice) in [
        (
            "EMPTY CAPACITY PROVIDER",
            "the capacity provider has no instances (EMPTY",
            true,
        ),
        (
            "NO ACTIVE INSTANCES",
            "the capacity provider has no active instances (NO",
            true,
        ),
        (
            "LOCATION",
            "the instance is in another Availability Zone than the subnets (",
            true,
        ),
        (
            "ATTRIBUTE",
            "no instance has an attribute that the task needs (ATTRIBUTE)",
            true,
        ),
        ("AGENT", "the ECS agent is not connected (AGENT)", true),
        (
            "MemberOf placement constraint unsatisfied.",
            "MemberOf placement",
            true,
        ),
        (
            "(service AGENT) was unable to place a task.",
            "(service AGENT) was",
            false,
        ),
    ] {
        let mut event = events::sample("service_action-service-task-placement-failure");
        event["detail"]["reason"] = json!(reason);
        let evaluated = events::evaluate(&event, &Policy::default())
            .remove(0)
            .unwrap();
        let message = events::render(
            &Default::default(),
            &evaluated.notice,
            evaluated.priority().unwrap(),
        );
        let text = ecs_parrot::notifier::channel::terminal::plain(&message.unwrap().terminal);
        assert!(text.contains(&format!("Why: {why}")), "{text}");
        assert_eq!(text.contains("Try: "), advice, "{text}");
    }
}
