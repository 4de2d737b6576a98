//! Flowdock's chat API, for those who run a server that speaks it: the vendor's closed in 2022.
//!
//! `POST …/v1/messages/chat/:token` with `content` (8,096 characters), `external_user_name` and `tags`
//! (flowdock/api-docs, `docs/chat.md`).

use serde_json::{Value, json};

use super::fit::{Limits, fit, length};
use super::{Hears, Http, Outcome};
use crate::render::Message;
use crate::secret::Secret;
use crate::triage::Severity;

const LONGEST_CONTENT: usize = 8_096;

pub const VENDOR_URL: &str = "https://api.flowdock.com";

pub const DEFAULT_USERNAME: &str = "ECSParrot";

#[derive(Debug, Clone)]
pub struct Flowdock {
    /// The whole address: it ends in the token.
    pub address: Secret,
    pub look: Look,
    pub hears: Hears,
}

#[derive(Debug, Clone, Default)]
pub struct Look {
    pub username: Option<String>,
    pub icon_emoji: Option<String>,
}

impl Flowdock {
    /// The address of the chat that a token opens, at a server's base address.
    pub fn address(base: &str, token: &str) -> Secret {
        Secret::new(format!(
            "{}/v1/messages/chat/{token}",
            base.trim_end_matches('/')
        ))
    }

    pub(super) async fn deliver(&self, http: &Http, message: &Message) -> Outcome {
        http.post(&self.address, &payload(message, &self.look))
            .await
    }
}

/// The body that is posted.
pub fn payload(message: &Message, look: &Look) -> Value {
    let headline = match &look.icon_emoji {
        Some(icon) => format!("{icon} {}", message.headline),
        None => message.headline.clone(),
    };
    let limits = Limits {
        line: LONGEST_CONTENT,
        total: LONGEST_CONTENT.saturating_sub(length(&headline) + 1),
    };
    let mut lines = vec![headline];
    lines.extend(fit(&message.details, limits));
    json!({
        "content": lines.join("\n"),
        "external_user_name": look.username.as_deref().unwrap_or(DEFAULT_USERNAME),
        "tags": tags(message),
    })
}

fn tags(message: &Message) -> Vec<String> {
    let severity: &str = message.severity.into();
    let mut tags = vec!["ecs".to_owned(), message.kind.to_string()];
    tags.extend((message.severity != Severity::Info).then(|| severity.to_owned()));
    tags
}
