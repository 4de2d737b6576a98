//! A card in Microsoft Teams, and an address of the connectors that do not exist any more.

use ecs_parrot::notifier::config::NotifierConfig;
use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

use crate::chat::{chat, webhook};
use crate::chat_services::{ChatService, Refusal, refusal};
use crate::events;
use crate::runtime_api::{Answer, RuntimeApi};
use crate::send_test::{run, text};

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

/// A workflow says only that it took the message.
#[tokio::test]
async fn what_a_service_accepted_is_not_called_delivered() {
    let teams = chat(ResponseTemplate::new(202)).await;
    let list = json!([{"name": "ops", "type": "teams", "url": webhook(&teams)}]);
    let output = run(&[], Some(list.to_string())).await;
    let expected = "ops (teams): accepted by the service: the workflow took it; look in the channel, and if it is not there, at the runs of the workflow\n";
    assert_eq!(text(&output.stdout), expected, "{output:?}");
    assert_eq!(output.status.code(), Some(0));
}

/// A workflow that posts the card which it receives.
pub(crate) struct Workflow;

impl ChatService for Workflow {
    fn settings(&self, base: &str) -> Value {
        json!({"url": format!("{base}/workflows/1/triggers/manual/paths/invoke?sig=secret")})
    }

    fn answer(&mut self, request: &Request) -> Result<ResponseTemplate, Refusal> {
        const LARGEST: usize = 28 * 1024;
        if request.body.len() > LARGEST {
            return Err(refusal(413, "Request Entity too large"));
        }
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|error| refusal(400, &error.to_string()))?;
        let attachments = body["attachments"].as_array();
        let [attachment] = attachments.map(Vec::as_slice).unwrap_or_default() else {
            return Err(refusal(400, "not one attachment"));
        };
        let card = &attachment["content"];
        let is_card = attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
            && card["type"] == "AdaptiveCard"
            && card["version"] == "1.4";
        let elements = card["body"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        match is_card && !elements.is_empty() && elements.iter().all(is_element) {
            true => Ok(ResponseTemplate::new(202)),
            false => Err(refusal(400, "not an Adaptive Card 1.4")),
        }
    }
}

/// Whether the element has what version 1.4 requires of it. <https://adaptivecards.io/explorer/>
fn is_element(element: &Value) -> bool {
    let all = |key: &str, is: fn(&Value) -> bool| {
        let parts = element[key].as_array();
        parts.is_some_and(|it| !it.is_empty() && it.iter().all(is))
    };
    match element["type"].as_str() {
        Some("TextBlock") => element["text"].is_string(),
        Some("RichTextBlock") => all("inlines", |it| {
            it["type"] == "TextRun" && it["text"].is_string()
        }),
        Some("Container") => all("items", is_element),
        Some("FactSet") => all("facts", |it| {
            it["title"].is_string() && it["value"].is_string()
        }),
        _ => false,
    }
}
