//! PagerDuty: its Events API v2.
//!
//! A problem is an alert, which is triggered and resolved under one `dedup_key`. What is no problem (a deployment, a
//! scaling, what a person does) is a change event, which notifies nobody and stands beside PagerDuty's incidents.
//!
//! <https://github.com/PagerDuty/developer-docs/tree/main/docs/events-API-v2>

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::address::{ALLOWED, problem_of_base, problem_of_host, problem_of_token};
use super::alert::{self, AlertState};
use super::answer::{Answer, Success, object, shortened};
use super::http::ChatRequest;
use super::plain::{PlainText, cut, fitting, shown};
use super::settings::{SettingDefinition, Settings, no_secret};
use super::{Channel, Http, Operation, Outcome, PreparedMessage, RateLimit, Shown, TypeDefinition};
use crate::aws::secret::{Secret, SecretSource};
use crate::notifier::message::Message;
use crate::notifier::policy::Severity;

pub(super) static DEFINITION: TypeDefinition = TypeDefinition {
    markup: &PlainText,
    capabilities: alert::CAPABILITIES,
    templates: None,
    settings: &[
        SettingDefinition::secret("routing_key", None),
        SettingDefinition {
            default: EVENTS_API,
            ..SettingDefinition::address("url", None)
        },
    ],
    read,
    is_previewed: false,
    unconfigured: || {
        Box::new(PagerDuty {
            routing_key: no_secret(),
            base: EVENTS_API.to_owned(),
        })
    },
};

/// Accounts in PagerDuty's European region use `https://events.eu.pagerduty.com`. No page of PagerDuty's own that names
/// it could be checked.
const EVENTS_API: &str = "https://events.pagerduty.com";

const HOSTS: [&str; 1] = ["pagerduty.com"];

const NOT_PAGERDUTY: &str =
    "not an address of PagerDuty; the Events API is at https://events.pagerduty.com";

const KEY: &str = "the 32 characters of an integration key (Events API v2)";

const KEY_LENGTH: usize = 32;

/// The longest summary, in characters.
/// <https://github.com/PagerDuty/developer-docs/blob/main/docs/events-API-v2/02-Trigger-Events.md>
const LONGEST_SUMMARY: usize = 1_024;

/// PagerDuty takes 512 KB. The key is added later.
const LARGEST_BODY: usize = 511_000;

/// PagerDuty takes about 120 events a minute for each key, so posts and edits have 60 each.
const RATE_LIMIT: RateLimit = RateLimit {
    at_once: 10,
    interval: Duration::from_millis(1_200),
};

const EDIT_LIMIT: RateLimit = RateLimit {
    at_once: 10,
    interval: Duration::from_millis(1_000),
};

/// `{"status": "success", "message": "Event processed", "dedup_key": "…"}` with the status 202.
const SUCCESS: Success = Success {
    matches: |body| object(body).is_some_and(|it| it.get("status") == Some(&json!("success"))),
    expected: "PagerDuty's JSON",
    check: "is `url` the address of PagerDuty's Events API?",
};

#[derive(Debug)]
struct PagerDuty {
    routing_key: SecretSource,
    base: String,
}

fn read(settings: &mut Settings<'_>) -> Option<Box<dyn Channel>> {
    let key = settings.secret("routing_key", problem_of_key, KEY);
    let key = settings.require("routing_key", key, KEY);
    let base = settings.address("url");
    if let Some(Err(problem)) = base.as_deref().map(problem_of_address) {
        settings.problem("url", problem, ALLOWED);
    }
    Some(Box::new(PagerDuty {
        routing_key: key?,
        base: base.unwrap_or_else(|| EVENTS_API.to_owned()),
    }))
}

fn problem_of_key(text: &str) -> Result<(), &'static str> {
    problem_of_token(text)?;
    match text.len() == KEY_LENGTH {
        true => Ok(()),
        false => {
            Err("it has not 32 characters; is it an integration key of the type Events API v2?")
        }
    }
}

fn problem_of_address(text: &str) -> Result<(), &'static str> {
    problem_of_host(text, &HOSTS, NOT_PAGERDUTY)?;
    problem_of_base(text)
}

impl PagerDuty {
    /// The request of a body. The key is no part of the body before, because a preview shows the body.
    fn request(&self, key: &Secret, body: &Value) -> Result<ChatRequest, &'static str> {
        problem_of_key(key.expose())?;
        let base = self.base.trim_end_matches('/');
        let path = match body.get("event_action") {
            Some(_) => "/v2/enqueue",
            None => "/v2/change/enqueue",
        };
        let mut body = body.clone();
        body["routing_key"] = json!(key.expose());
        Ok(ChatRequest::to_api(format!("{base}{path}"), &body))
    }
}

impl Channel for PagerDuty {
    fn payload(&self, message: &Message, _: Operation<'_>) -> Option<Value> {
        Some(match alert::state(message) {
            Some(AlertState::Triggered) => fitting(message.details.len(), LARGEST_BODY, |lines| {
                trigger(message, lines)
            }),
            Some(AlertState::Resolved) => json!({
                "event_action": "resolve",
                "dedup_key": alert::key(message),
            }),
            None => fitting(message.details.len(), LARGEST_BODY, |lines| {
                change(message, lines)
            }),
        })
    }

    fn skips(&self, message: &Message, operation: Operation<'_>) -> bool {
        alert::is_idle_edit(message, operation) && !alert::is_end_of_change(message)
    }

    fn send<'a>(
        &'a self,
        http: &'a Http,
        prepared: &'a PreparedMessage<'a>,
    ) -> BoxFuture<'a, Outcome> {
        let request = |key: &Secret| self.request(key, &prepared.body);
        async move {
            let outcome = http.exchange(&self.routing_key, request, read_answer).await;
            let is_post = prepared.operation == Operation::Post;
            outcome.with_root(|| is_post.then(|| alert::root(prepared.message)))
        }
        .boxed()
    }

    fn show(&self, message: &Message, html: &Message) -> Shown {
        let tag = match alert::state(message) {
            Some(AlertState::Triggered) => "trigger",
            Some(AlertState::Resolved) => "resolve",
            None => "change event",
        };
        shown("PagerDuty", html, vec![tag.to_owned()])
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        Some(RATE_LIMIT)
    }

    fn edit_limit(&self) -> Option<RateLimit> {
        Some(EDIT_LIMIT)
    }
}

fn trigger(message: &Message, lines: usize) -> Value {
    let facts = &message.facts;
    let class = facts.cause.clone().unwrap_or(message.kind.to_string());
    let mut payload = payload(message, lines);
    payload.insert("severity".to_owned(), json!(severity(message.severity)));
    payload.insert("class".to_owned(), json!(class));
    let more = [
        ("component", facts.subject()),
        ("group", facts.cluster.as_deref()),
    ];
    insert_known(&mut payload, more);
    let mut event = json!({
        "event_action": "trigger",
        "dedup_key": alert::key(message),
        "payload": payload,
        "links": links(message),
        "client": "ecs-parrot",
    });
    if let Some(page) = facts.links.first() {
        event["client_url"] = json!(page.url);
    }
    event
}

/// <https://github.com/PagerDuty/developer-docs/blob/main/docs/events-API-v2/03-Change-Events.md>
fn change(message: &Message, lines: usize) -> Value {
    json!({"payload": payload(message, lines), "links": links(message)})
}

/// What alerts and change events have in common.
fn payload(message: &Message, lines: usize) -> Map<String, Value> {
    let facts = &message.facts;
    let places = [&facts.cluster, &facts.account];
    let source = places.into_iter().find_map(|it| it.as_deref());
    let mut payload = Map::new();
    payload.insert(
        "summary".to_owned(),
        json!(cut(&message.headline, LONGEST_SUMMARY)),
    );
    payload.insert("source".to_owned(), json!(source.unwrap_or("Amazon ECS")));
    payload.insert(
        "custom_details".to_owned(),
        Value::Object(alert::details(message, lines)),
    );
    insert_known(&mut payload, [("timestamp", message.timestamp())]);
    payload
}

fn insert_known<'a>(
    payload: &mut Map<String, Value>,
    fields: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) {
    let known = fields.into_iter();
    payload.extend(known.filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
}

fn links(message: &Message) -> Vec<Value> {
    let links = message.facts.links.iter();
    links
        .map(|it| json!({"href": it.url, "text": it.label}))
        .collect()
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info | Severity::Success => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

fn read_answer(answer: &Answer) -> Outcome {
    let advice = match answer.status {
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(
            "is `routing_key` an integration key of the type Events API v2, and `url` of its region?",
        ),
        StatusCode::NOT_FOUND => Some("is `url` the address of PagerDuty's Events API?"),
        _ => None,
    };
    let outcome = answer.outcome(&SUCCESS);
    let outcome = outcome.with_advice(errors(answer).as_deref());
    outcome.with_advice(advice)
}

/// `{"status": "invalid event", "message": "…", "errors": ["Length of 'routing_key' is incorrect …"]}`
fn errors(answer: &Answer) -> Option<String> {
    let body = object(&answer.body)?;
    let errors = body.get("errors")?.as_array()?;
    let errors: Vec<_> = errors.iter().filter_map(Value::as_str).collect();
    (!errors.is_empty()).then(|| shortened(&errors.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_of_32_characters_is_accepted() {
        for (key, is_accepted) in [
            ("R0123456789ABCDEF0123456789ABCDE", true),
            ("e93facc04764012d7bfb002500d5d1a6", true),
            ("e93facc04764012d7bfb002500d5d1a", false),
            ("e93facc04764012d7bfb002500d5d1a6a", false),
            ("e93facc04764012d7bfb 02500d5d1a6", false),
            ("", false),
        ] {
            assert_eq!(problem_of_key(key).is_ok(), is_accepted, "{key}");
        }
    }

    #[test]
    fn only_an_address_of_pagerduty_is_accepted() {
        for (address, is_accepted) in [
            (EVENTS_API, true),
            ("https://events.eu.pagerduty.com", true),
            ("https://events.eu.pagerduty.com/", true),
            ("http://127.0.0.1:8080", true),
            ("https://events.example.com", false),
            ("https://notpagerduty.com", false),
            ("http://events.pagerduty.com", false),
            ("https://events.pagerduty.com?x=1", false),
        ] {
            assert_eq!(
                problem_of_address(address).is_ok(),
                is_accepted,
                "{address}"
            );
        }
    }

    /// Posts and edits together.
    #[test]
    fn at_most_120_events_are_sent_in_a_minute() {
        let RateLimit { at_once, interval } = RATE_LIMIT;
        let posts = u128::from(at_once) + 60_000 / interval.as_millis();
        let edits = 60_000 / EDIT_LIMIT.interval.as_millis();
        assert_eq!(posts + edits, 120);
    }
}
