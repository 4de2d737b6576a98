//! Jira Service Management's alerts, by the API key of an integration. Opsgenie speaks the same JSON until April 2027.
//!
//! <https://docs.opsgenie.com/docs/alert-api>,
//! <https://support.atlassian.com/jira-service-management-cloud/docs/set-up-an-api-integration/>. An alert is created
//! and closed under one alias. What is no alert is not sent.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::address::{ALLOWED, problem_of_base, problem_of_host, problem_of_token};
use super::alert::{self, AlertState};
use super::answer::{Answer, Success, object, shortened};
use super::http::ChatRequest;
use super::plain::{PlainText, cut, shown};
use super::settings::{SettingDefinition, Settings, no_secret};
use super::{
    Channel, Http, Operation, Outcome, PreparedMessage, RateLimit, Receipt, Shown, TypeDefinition,
};
use crate::aws::secret::{Secret, SecretSource};
use crate::notifier::message::Message;
use crate::notifier::policy::{Priority, Severity};
use crate::notifier::thread::ThreadKind;

pub(super) static DEFINITION: TypeDefinition = TypeDefinition {
    markup: &PlainText,
    capabilities: alert::CAPABILITIES,
    templates: None,
    settings: &[
        SettingDefinition::secret("api_key", None),
        SettingDefinition::text("team", None),
        SettingDefinition {
            default: INTEGRATION_API,
            ..SettingDefinition::address("url", None)
        },
    ],
    read,
    is_previewed: false,
    unconfigured: || {
        Box::new(Jsm {
            api_key: no_secret(),
            team: None,
            base: INTEGRATION_API.to_owned(),
        })
    },
};

const INTEGRATION_API: &str = "https://api.atlassian.com/jsm/ops/integration";

const HOSTS: [&str; 3] = [
    "api.atlassian.com",
    "api.opsgenie.com",
    "api.eu.opsgenie.com",
];

const NOT_JSM: &str = "not an address of Jira Service Management or of Opsgenie: \
     https://api.atlassian.com/jsm/ops/integration, https://api.opsgenie.com or https://api.eu.opsgenie.com";

const KEY: &str = "the API key of an API integration";

// The limits of an alert's fields, in characters: <https://docs.opsgenie.com/docs/alerts-and-alert-fields>.
const LONGEST_MESSAGE: usize = 130;
const LONGEST_DESCRIPTION: usize = 15_000;
const LONGEST_ENTITY: usize = 512;
const LONGEST_TAG: usize = 50;
/// Keys and values of all details together.
const LONGEST_DETAILS: usize = 8_000;

/// The limit of an integration depends on the plan, and on the number of users.
/// <https://docs.opsgenie.com/docs/api-rate-limiting>
const EDIT_LIMIT: RateLimit = RateLimit {
    at_once: 5,
    interval: Duration::from_secs(2),
};

/// `{"result": "Request will be processed", "took": 0.3, "requestId": "…"}` with the status 202.
const SUCCESS: Success = Success {
    matches: |body| object(body).is_some_and(|it| it.contains_key("requestId")),
    expected: "the JSON of an accepted request",
    check: "is `url` the address of the alert API?",
};

#[derive(Debug)]
struct Jsm {
    api_key: SecretSource,
    /// The team that is notified. Without it, the integration's own team is.
    team: Option<String>,
    base: String,
}

fn read(settings: &mut Settings<'_>) -> Option<Box<dyn Channel>> {
    let api_key = settings.secret("api_key", problem_of_token, KEY);
    let api_key = settings.require("api_key", api_key, KEY);
    let team = settings.text("team");
    let base = settings.address("url");
    if let Some(Err(problem)) = base.as_deref().map(problem_of_address) {
        settings.problem("url", problem, ALLOWED);
    }
    Some(Box::new(Jsm {
        api_key: api_key?,
        team,
        base: base.unwrap_or_else(|| INTEGRATION_API.to_owned()),
    }))
}

fn problem_of_address(text: &str) -> Result<(), &'static str> {
    problem_of_host(text, &HOSTS, NOT_JSM)?;
    // At this host the alert API stands below a path. Without it, each alert would get a 404.
    if text.trim_end_matches('/').ends_with("//api.atlassian.com") {
        return Err(NOT_JSM);
    }
    problem_of_base(text)
}

impl Jsm {
    fn request(
        &self,
        key: &Secret,
        prepared: &PreparedMessage<'_>,
    ) -> Result<ChatRequest, &'static str> {
        problem_of_token(key.expose())?;
        let alerts = format!("{}/v2/alerts", self.base.trim_end_matches('/'));
        let url = match state(prepared.message, prepared.operation) {
            AlertState::Triggered => alerts,
            AlertState::Resolved => {
                let alias = alert::key(prepared.message);
                format!("{alerts}/{alias}/close?identifierType=alias")
            }
        };
        ChatRequest::to_api(url, &prepared.body).with_authorization("GenieKey", key)
    }

    fn creation(&self, message: &Message) -> Value {
        let mut alert = json!({
            "message": cut(&message.headline, LONGEST_MESSAGE),
            "alias": alert::key(message),
            "description": description(message),
            "priority": priority(message),
            "source": "ecs-parrot",
            "tags": tags(message),
            "details": details(message),
        });
        if let Some(entity) = message.facts.subject() {
            alert["entity"] = json!(cut(entity, LONGEST_ENTITY));
        }
        if let Some(team) = &self.team {
            alert["responders"] = json!([{"name": team, "type": "team"}]);
        }
        alert
    }
}

impl Channel for Jsm {
    fn payload(&self, message: &Message, operation: Operation<'_>) -> Option<Value> {
        Some(match state(message, operation) {
            AlertState::Triggered => self.creation(message),
            AlertState::Resolved => json!({
                "source": "ecs-parrot",
                "note": cut(&message.headline, LONGEST_DESCRIPTION),
            }),
        })
    }

    fn takes(&self, thread: Option<ThreadKind>, priority: Priority) -> bool {
        alert::is_alert(thread, priority)
    }

    fn skips(&self, message: &Message, operation: Operation<'_>) -> bool {
        alert::state(message).is_none() || alert::is_idle_edit(message, operation)
    }

    fn send<'a>(
        &'a self,
        http: &'a Http,
        prepared: &'a PreparedMessage<'a>,
    ) -> BoxFuture<'a, Outcome> {
        let request = |key: &Secret| self.request(key, prepared);
        async move {
            let outcome = http.exchange(&self.api_key, request, read_answer).await;
            let is_post = prepared.operation == Operation::Post;
            outcome.with_root(|| is_post.then(|| alert::root(prepared.message)))
        }
        .boxed()
    }

    fn show(&self, message: &Message, html: &Message) -> Shown {
        let tags = match state(message, Operation::Post) {
            AlertState::Triggered => vec![priority(message).to_owned()],
            AlertState::Resolved => vec!["close".to_owned()],
        };
        shown("Jira Service Management", html, tags)
    }

    fn receipt(&self) -> Receipt {
        Receipt::Accepted(
            "look for its alert, which was created and closed; whom it notified is a matter of the team's rules",
        )
    }

    fn leaves_test_open(&self) -> bool {
        true
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        Some(RateLimit::OF_A_WEBHOOK)
    }

    fn edit_limit(&self) -> Option<RateLimit> {
        Some(EDIT_LIMIT)
    }
}

/// The summary of too many messages is an alert too, if it is sent here at all. A test message is closed by an edit.
fn state(message: &Message, operation: Operation<'_>) -> AlertState {
    match message.facts.is_test && matches!(operation, Operation::Update(_)) {
        true => AlertState::Resolved,
        false => alert::state(message).unwrap_or(AlertState::Triggered),
    }
}

/// The whole lines that fit.
fn description(message: &Message) -> String {
    let mut text = String::new();
    for line in &message.details {
        let longer = text.chars().count() + line.text.chars().count() + 1;
        if longer > LONGEST_DESCRIPTION {
            break;
        }
        text.push_str(&line.text);
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// The details of as many lines as fit, from the first on.
fn details(message: &Message) -> Map<String, Value> {
    let length = |details: &Map<String, Value>| -> usize {
        let entries = details.iter();
        let lengths = entries.map(|(label, text)| {
            let text = text.as_str().unwrap_or_default();
            label.chars().count() + text.chars().count()
        });
        lengths.sum()
    };
    let mut all = (0..=message.details.len())
        .rev()
        .map(|lines| alert::details(message, lines));
    let fitting = all.find(|it| length(it) <= LONGEST_DETAILS);
    fitting.unwrap_or_default()
}

fn tags(message: &Message) -> Vec<String> {
    let severity: &str = message.severity.into();
    let mut tags = vec!["ecs".to_owned(), severity.to_owned()];
    tags.extend(message.facts.cause.clone());
    tags.extend(message.facts.cluster.clone());
    // A comma would make two tags of one.
    let tag = |it: String| cut(&it.replace(',', " "), LONGEST_TAG);
    tags.into_iter().map(tag).collect()
}

fn priority(message: &Message) -> &'static str {
    match (message.severity, message.urgent) {
        (Severity::Critical, true) => "P1",
        (Severity::Critical, false) => "P2",
        (Severity::Warning, _) => "P3",
        (Severity::Info | Severity::Success, _) => "P5",
    }
}

fn read_answer(answer: &Answer) -> Outcome {
    let advice = match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY => {
            Some(
                "is `api_key` that of an API integration that may create alerts, and `url` that of its service?",
            )
        }
        StatusCode::NOT_FOUND => Some("is `url` the address of the alert API?"),
        _ => None,
    };
    let outcome = answer.outcome(&SUCCESS);
    let outcome = outcome.with_advice(error(answer).as_deref());
    outcome.with_advice(advice)
}

/// `{"message": "Could not authenticate", "took": 0.0, "requestId": "…"}`. With `errors`, the message is shown anyway.
fn error(answer: &Answer) -> Option<String> {
    let body = object(&answer.body)?;
    let is_shown = ["error", "errors"].iter().any(|it| body.contains_key(*it));
    let message = body.get("message")?.as_str()?;
    (!is_shown).then(|| shortened(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_of_the_service_is_accepted() {
        for (address, is_accepted) in [
            (INTEGRATION_API, true),
            ("https://api.opsgenie.com", true),
            ("https://api.eu.opsgenie.com/", true),
            ("http://127.0.0.1:8080", true),
            ("https://api.example.com", false),
            ("https://example.atlassian.net", false),
            ("http://api.opsgenie.com", false),
        ] {
            assert_eq!(
                problem_of_address(address).is_ok(),
                is_accepted,
                "{address}"
            );
        }
    }
}
