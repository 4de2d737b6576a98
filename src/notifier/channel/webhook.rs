//! A webhook of the operator's own: every action as JSON, signed as Standard Webhooks demands.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>. `docs/webhook.md`
//! explains the body and how a receiver checks the signature.

pub(super) mod body;
mod signature;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::Value;
use strum::{EnumString, VariantArray};

use super::address::{ALLOWED, problem_of};
use super::answer::{Answer, Success};
use super::gone::GoneAddress;
use super::http::{ChatRequest, unusable};
use super::plain::{PlainText, shown};
use super::settings::{SettingDefinition, Settings, no_secret};
use super::{
    Capabilities, Channel, Http, MessageRef, Operation, Outcome, PreparedMessage, RateLimit, Shown,
    TypeDefinition,
};
use crate::aws::secret::{Secret, SecretSource};
use crate::notifier::message::Message;
use signature::{SigningKey, problem_of_key};

pub(super) static DEFINITION: TypeDefinition = TypeDefinition {
    markup: &PlainText,
    // A receiver gets every action on a thread, also those that a chat shows by an edit.
    capabilities: Capabilities {
        edits: true,
        replies: true,
    },
    templates: None,
    settings: &[
        SettingDefinition::secret("url", None),
        SettingDefinition::secret("secret", None),
        SettingDefinition {
            default: "json",
            ..SettingDefinition::text("format", None)
        },
    ],
    read,
    is_previewed: false,
    unconfigured: || {
        Box::new(Webhook {
            url: no_secret(),
            secrets: Vec::new(),
            format: Format::Json,
            gone: GoneAddress::default(),
        })
    },
};

const SECRETS: &str = "`whsec_` and 24 to 64 random bytes in base64, as `echo whsec_$(openssl rand -base64 32)` prints, or a list of two";

/// The old secret and the new one, while the receiver changes from one to the other.
const MOST_SECRETS: usize = 2;

const FORMATS: &str = "`json` or `cloudevents`";

/// The receiver is the operator's own program, so these limits only keep a storm from being an attack.
const RATE_LIMIT: RateLimit = RateLimit {
    at_once: 20,
    interval: Duration::from_millis(100),
};

const EDIT_LIMIT: RateLimit = RateLimit {
    at_once: 20,
    interval: Duration::from_millis(200),
};

const CLOUD_EVENT: HeaderValue =
    HeaderValue::from_static("application/cloudevents+json; charset=utf-8");

/// By the specification every 2xx is a success, whatever the body is.
const SUCCESS: Success = Success {
    matches: |_| true,
    expected: "a 2xx status",
    check: "is `url` the address of the receiver?",
};

#[derive(Debug)]
struct Webhook {
    url: SecretSource,
    /// Each makes a signature. There are two while the operator replaces one.
    secrets: Vec<SecretSource>,
    format: Format,
    /// Standard Webhooks demands that a receiver that answers 410 gets nothing more.
    /// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
    gone: GoneAddress,
}

/// The form of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Format {
    /// The body of Standard Webhooks: `type`, `timestamp`, `data`.
    Json,
    /// CloudEvents 1.0 in structured mode.
    /// <https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md>
    #[strum(serialize = "cloudevents")]
    CloudEvents,
}

fn read(settings: &mut Settings<'_>) -> Option<Box<dyn Channel>> {
    let url = settings.secret("url", problem_of, ALLOWED);
    let url = settings.require("url", url, ALLOWED);
    let secrets = settings.secrets("secret", MOST_SECRETS, problem_of_key, SECRETS);
    let secrets = settings.require("secret", secrets, SECRETS);
    let format = settings.text("format").map(|text| text.parse());
    if let Some(Err(_)) = format {
        settings.problem("format", "not a format", FORMATS);
    }
    let webhook = Webhook {
        url: url?,
        secrets: secrets?,
        format: format.map_or(Some(Format::Json), Result::ok)?,
        gone: GoneAddress::default(),
    };
    Some(Box::new(webhook))
}

impl Webhook {
    /// Sends the body. If the receiver refuses it, secrets that are kept elsewhere are read once more.
    async fn deliver(&self, http: &Http, prepared: &PreparedMessage<'_>) -> Outcome {
        let mut keys = Vec::new();
        for source in &self.secrets {
            match http.open(source).await {
                Ok(secret) => keys.push(secret),
                Err(outcome) => return outcome,
            }
        }
        let outcome = self.deliver_with(http, prepared, &keys).await;
        if !matches!(outcome, Outcome::Refused { .. }) {
            return outcome;
        }
        let mut is_renewed = false;
        for (source, key) in self.secrets.iter().zip(&mut keys) {
            if let Some(renewed) = http.renew(source).await {
                *key = renewed;
                is_renewed = true;
            }
        }
        match is_renewed {
            true => self.deliver_with(http, prepared, &keys).await,
            false => outcome,
        }
    }

    async fn deliver_with(
        &self,
        http: &Http,
        prepared: &PreparedMessage<'_>,
        secrets: &[Secret],
    ) -> Outcome {
        let keys: Result<Vec<_>, _> = secrets.iter().map(SigningKey::read).collect();
        let keys = match keys {
            Ok(keys) => keys,
            Err(problem) => return unusable(problem),
        };
        let request = |url: &Secret| {
            problem_of(url.expose())?;
            self.gone.check(url)?;
            let request = ChatRequest::to_webhook(url.clone(), &prepared.body);
            let request = self.signed(request, prepared, &keys)?;
            let secrets = secrets.iter().cloned();
            Ok(secrets.fold(request, ChatRequest::with_secret))
        };
        let read = |answer: &Answer, url: &Secret| {
            if answer.status == StatusCode::GONE {
                self.gone.note(url);
            }
            read_answer(answer)
        };
        let outcome = http.exchange_noting(&self.url, request, read).await;
        outcome.with_root(|| self.root(prepared))
    }

    /// Adds the three headers of Standard Webhooks. The timestamp is that of this attempt; the id is the same in all.
    fn signed(
        &self,
        request: ChatRequest,
        prepared: &PreparedMessage<'_>,
        keys: &[SigningKey],
    ) -> Result<ChatRequest, &'static str> {
        let id = body::action_id(prepared.message, prepared.operation);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let timestamp = now.map_or(0, |it| it.as_secs());
        let signature = signature::sign(keys, &id, timestamp, request.body());
        let value = |text: String| HeaderValue::try_from(text).map_err(|_| "not a header");
        let request = match self.format {
            Format::Json => request,
            Format::CloudEvents => request.with_header(CONTENT_TYPE, CLOUD_EVENT),
        };
        let request = request
            .with_header(HeaderName::from_static("webhook-id"), value(id)?)
            .with_header(
                HeaderName::from_static("webhook-timestamp"),
                HeaderValue::from(timestamp),
            )
            .with_header(
                HeaderName::from_static("webhook-signature"),
                value(signature)?,
            );
        Ok(request)
    }

    /// The receiver knows a thread by its id. Later actions on the thread need no other reference.
    fn root(&self, prepared: &PreparedMessage<'_>) -> Option<MessageRef> {
        let thread = prepared.message.thread.as_ref()?;
        match prepared.operation {
            Operation::Post => Some(MessageRef {
                channel: "webhook".to_owned(),
                id: thread.id.to_string(),
            }),
            Operation::Update(_) | Operation::Reply { .. } => None,
        }
    }
}

impl Channel for Webhook {
    fn payload(&self, message: &Message, operation: Operation<'_>) -> Option<Value> {
        Some(match self.format {
            Format::Json => body::json(message, operation),
            Format::CloudEvents => body::cloud_event(message, operation),
        })
    }

    fn send<'a>(
        &'a self,
        http: &'a Http,
        prepared: &'a PreparedMessage<'a>,
    ) -> BoxFuture<'a, Outcome> {
        self.deliver(http, prepared).boxed()
    }

    fn show(&self, message: &Message, html: &Message) -> Shown {
        shown("webhook", html, vec![body::event_type(message)])
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        Some(RATE_LIMIT)
    }

    fn edit_limit(&self) -> Option<RateLimit> {
        Some(EDIT_LIMIT)
    }
}

fn read_answer(answer: &Answer) -> Outcome {
    if answer.status.is_success() {
        return Outcome::DELIVERED;
    }
    answer.outcome(&SUCCESS).with_advice(advice(answer.status))
}

fn advice(status: StatusCode) -> Option<&'static str> {
    match status {
        it if it.is_redirection() => {
            Some("redirects are not followed; set `url` to the address where it leads")
        }
        StatusCode::GONE => {
            Some("the receiver says that it is gone; remove the channel or set another `url`")
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Some("does the receiver know the same `secret`, and is its clock right?")
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            Some("set `url` to the whole address of the receiver")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Some("set `format` to what the receiver reads"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_its_name() {
        for format in Format::VARIANTS {
            let name = match format {
                Format::Json => "json",
                Format::CloudEvents => "cloudevents",
            };
            assert_eq!(name.parse(), Ok(*format));
            assert!(FORMATS.contains(&format!("`{name}`")), "{name}");
        }
    }
}
