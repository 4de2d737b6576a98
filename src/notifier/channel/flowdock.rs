//! Flowdock's chat API, for those who run a server that speaks it: the vendor's closed in 2022.
//!
//! `POST …/v1/messages/chat/:token` with `content` (8,096 characters), `external_user_name` and `tags`
//! (flowdock/api-docs, `docs/chat.md`).

use serde_json::{Value, json};

use super::answer::{Success, object};
use super::fit::{Limits, fit, length};
use super::{Http, Minimum, Outcome, problem_of_token};
use crate::aws::secret::{Secret, SecretSource};
use crate::notifier::policy::Severity;
use crate::notifier::render::Message;

const LONGEST_CONTENT: usize = 8_096;

pub const VENDOR_URL: &str = "https://api.flowdock.com";

pub const DEFAULT_USERNAME: &str = "ECSParrot";

#[derive(Debug, Clone)]
pub struct Flowdock {
    /// The server's address.
    pub base: String,
    pub token: SecretSource,
    pub look: Look,
    pub minimum: Minimum,
}

#[derive(Debug, Clone, Default)]
pub struct Look {
    pub username: Option<String>,
    pub icon_emoji: Option<String>,
}

impl Flowdock {
    /// The address of the chat that a token opens.
    fn address(&self, token: &Secret) -> Result<Secret, &'static str> {
        problem_of_token(token.expose())?;
        let base = self.base.trim_end_matches('/');
        Ok(Secret::new(format!(
            "{base}/v1/messages/chat/{}",
            token.expose()
        )))
    }

    pub(super) async fn deliver(&self, http: &Http, message: &Message) -> Outcome {
        let address = |token: &Secret| self.address(token);
        http.post(
            &self.token,
            address,
            &payload(message, &self.look),
            &SUCCESS,
        )
        .await
    }
}

/// `{}`, or the message as an object.
const SUCCESS: Success = Success {
    is_said: |body| object(body).is_some(),
    expected: "a JSON object",
    check: "is FLOWDOCK_URL the address of a server that speaks Flowdock's API?",
};

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
