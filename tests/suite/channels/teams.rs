//! A card in Microsoft Teams, and an address of the connectors that do not exist any more.

use ecs_parrot::notifier::config::NotifierConfig;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::chat::{chat, webhook};
use crate::events;
use crate::runtime_api::{Answer, RuntimeApi};

#[tokio::test]
async fn a_card_is_posted_to_teams() {
    let teams = chat(ResponseTemplate::new(202)).await;
    let list = json!([{"name": "teams", "type": "teams", "url": webhook(&teams)}]);
    let event = events::sample("task_stopped-out-of-memory");
    let api = RuntimeApi::with(vec![event]).await;
    let (answers, log) = api.run(&[("CHANNELS", &list.to_string())]).await;
    assert_eq!(answers, [Answer::Response(Value::Null)], "{log}");
    let requests = teams.received_requests().await.unwrap();
    let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
    let card = &body["attachments"][0]["content"];
    assert_eq!(card["type"], "AdaptiveCard");
    assert_eq!(card["body"][0]["style"], "attention");
    let headline = card["body"][0]["items"][0]["text"].as_str().unwrap();
    assert!(headline.contains("ran out of memory"), "{headline}");
    let facts = card["body"][1]["facts"].as_array().unwrap();
    let titles: Vec<_> = facts
        .iter()
        .map(|it| it["title"].as_str().unwrap())
        .collect();
    assert_eq!(titles, ["Why", "Try", "Task", "When", "Where", "Open"]);
}

#[test]
fn an_office_connector_stops_the_start() {
    for host in [
        "x.webhook.office.com",
        "x.webhook.office.com.",
        "outlook.office365.com",
    ] {
        is_refused(&format!("https://{host}/very-secret"));
    }
}

fn is_refused(url: &str) {
    let list = json!([{"name": "old", "type": "teams", "url": url}]);
    let variable = ("CHANNELS".to_owned(), list.to_string());
    let error = NotifierConfig::read(&[variable]).unwrap_err().to_string();
    let expected =
        "CHANNELS, `old`, `url`: an Office 365 connector, which Microsoft has switched off";
    assert!(error.starts_with(expected), "{error}");
    assert!(
        error.contains("workflow") && !error.contains("very-secret"),
        "{error}"
    );
}
