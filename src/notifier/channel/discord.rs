//! Discord: embeds, posted to a webhook of a channel. The webhook can also edit what it has posted.
//!
//! <https://docs.discord.com/developers/resources/webhook#execute-webhook>,
//! <https://docs.discord.com/developers/resources/webhook#edit-webhook-message>. The flag `SUPPRESS_EMBEDS` is not sent: it would
//! hide the details too. Discord previews links of the text only, and the text has nothing but the mention.

mod embeds;
mod errors;
mod markup;
mod settings;

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::address::{ALLOWED, set_parameter};
use super::answer::Answer;
use super::fit::fitting;
use super::gone::GoneAddress;
use super::html::Html;
use super::http::{ChatRequest, unusable};
use super::markup::escape;
use super::mention::{Mention, text_for};
use super::settings::{SettingDefinition, Settings, no_secret};
use super::{
    Capabilities, Channel, Http, Operation, Outcome, PreparedMessage, RateLimit, Shown,
    TypeDefinition,
};
use crate::aws::secret::{Secret, SecretSource};
use crate::notifier::message::Message;
use embeds::{color, embeds, limits};
use errors::{Sent, read_answer, repeatable};
use markup::DiscordMarkdown;
use settings::{
    MENTIONS, NOT_A_WEBHOOK, USERNAME, allowed_mentions, is_id, problem_of_username,
    problem_of_webhook,
};

pub(super) static DEFINITION: TypeDefinition = TypeDefinition {
    markup: &DiscordMarkdown,
    capabilities: Capabilities {
        edits: true,
        replies: false,
    },
    templates: None,
    settings: &[
        SettingDefinition::secret("url", None),
        SettingDefinition::text("username", None),
        SettingDefinition::text("mention", None),
    ],
    read,
    // The page without a configuration shows few chats. `--channel` and a configured channel show this one too.
    is_previewed: false,
    unconfigured: || Box::new(Discord::new(no_secret())),
};

/// Discord tells the limits with each answer and asks not to rely on fixed ones. These stay below what was seen: 5 in
/// 2 s for a webhook, and 30 a minute for its channel. <https://github.com/discord/discord-api-docs/issues/367>
const RATE_LIMIT: RateLimit = RateLimit {
    at_once: 4,
    interval: Duration::from_millis(2_400),
};

/// Edits have a limit of their own, which is not documented either.
const EDIT_LIMIT: RateLimit = RateLimit {
    at_once: 3,
    interval: Duration::from_secs(3),
};

#[derive(Debug)]
struct Discord {
    webhook: SecretSource,
    username: Option<String>,
    mention: Option<Mention>,
    /// Discord bans those who call an address again that it does not know.
    gone: GoneAddress,
}

fn read(settings: &mut Settings<'_>) -> Option<Box<dyn Channel>> {
    let webhook = settings.secret("url", problem_of_webhook, ALLOWED);
    let webhook = settings.require("url", webhook, ALLOWED);
    let mention = Mention::read(settings, &MENTIONS);
    let username = settings.text("username");
    if let Some(Err(problem)) = username.as_deref().map(problem_of_username) {
        settings.problem("username", problem, USERNAME);
    }
    Some(Box::new(Discord {
        username,
        mention,
        ..Discord::new(webhook?)
    }))
}

impl Discord {
    fn new(webhook: SecretSource) -> Self {
        Self {
            webhook,
            username: None,
            mention: None,
            gone: GoneAddress::default(),
        }
    }

    /// Sends the message. If the message that it edits is gone, it becomes a new one.
    async fn deliver(&self, http: &Http, prepared: &PreparedMessage<'_>) -> Outcome {
        let PreparedMessage {
            message,
            operation,
            body,
        } = prepared;
        let sent = match operation {
            // It is the reference of a message in another chat, from before the channel's type was changed.
            Operation::Update(root) if !is_id(&root.id) => None,
            Operation::Update(_) | Operation::Post | Operation::Reply { .. } => {
                Some(self.call(http, *operation, body).await)
            }
        };
        let sent = match sent {
            None | Some(Sent::MessageGone(_)) => {
                let body = self.body(message, Operation::Post);
                self.call(http, Operation::Post, &body).await
            }
            Some(sent) => sent,
        };
        match sent {
            Sent::Done(outcome) | Sent::MessageGone(outcome) | Sent::WebhookGone(outcome) => {
                outcome
            }
        }
    }

    /// Calls the webhook. If Discord refuses, the address is read once more, because it may have been changed.
    async fn call(&self, http: &Http, operation: Operation<'_>, body: &Value) -> Sent {
        let webhook = match http.open(&self.webhook).await {
            Ok(webhook) => webhook,
            Err(outcome) => return Sent::Done(outcome),
        };
        let sent = self.call_with(http, &webhook, operation, body).await;
        match sent {
            Sent::WebhookGone(_) | Sent::Done(Outcome::Refused { .. }) => {}
            Sent::Done(_) | Sent::MessageGone(_) => return sent,
        }
        match http.renew(&self.webhook).await {
            Some(webhook) => self.call_with(http, &webhook, operation, body).await,
            None => sent,
        }
    }

    async fn call_with(
        &self,
        http: &Http,
        webhook: &Secret,
        operation: Operation<'_>,
        body: &Value,
    ) -> Sent {
        if let Err(problem) = self.gone.check(webhook) {
            return Sent::WebhookGone(unusable(problem));
        }
        let request = match request(webhook, operation, body) {
            Ok(request) => request,
            Err(problem) => return Sent::Done(unusable(problem)),
        };
        let sent = match http.call(request).await {
            Ok(answer) => read_answer(&answer, operation),
            Err(outcome) => Sent::Done(repeatable(outcome, operation)),
        };
        if matches!(sent, Sent::WebhookGone(_)) {
            self.gone.note(webhook);
        }
        sent
    }

    /// An edit mentions nobody, and removes the mention of the post: `null` removes the old text.
    fn body(&self, message: &Message, operation: Operation<'_>) -> Value {
        let mention = match operation {
            Operation::Post | Operation::Reply { .. } => text_for(self.mention.as_ref(), message),
            Operation::Update(_) => None,
        };
        let mut body = json!({
            "embeds": embeds(message),
            "allowed_mentions": allowed_mentions(mention.as_deref()),
        });
        match operation {
            Operation::Update(_) => body["content"] = Value::Null,
            Operation::Post | Operation::Reply { .. } => {
                if let Some(mention) = mention {
                    body["content"] = json!(mention);
                }
                if let Some(username) = &self.username {
                    body["username"] = json!(username);
                }
            }
        }
        body
    }
}

impl Channel for Discord {
    fn check<'a>(&'a self, http: &'a Http) -> Option<BoxFuture<'a, Outcome>> {
        let read = |answer: &Answer| {
            if answer.status == 200 {
                return Outcome::Delivered { root: None };
            }
            match read_answer(answer, Operation::Post) {
                Sent::Done(outcome) | Sent::MessageGone(outcome) | Sent::WebhookGone(outcome) => {
                    outcome
                }
            }
        };
        Some(http.exchange(&self.webhook, question, read).boxed())
    }

    fn payload(&self, message: &Message, operation: Operation<'_>) -> Option<Value> {
        Some(self.body(message, operation))
    }

    fn send<'a>(
        &'a self,
        http: &'a Http,
        prepared: &'a PreparedMessage<'a>,
    ) -> BoxFuture<'a, Outcome> {
        self.deliver(http, prepared).boxed()
    }

    fn show(&self, message: &Message, html: &Message) -> Shown {
        Shown {
            sender: self.username.as_deref().unwrap_or("ecs-parrot").to_owned(),
            color: color(message.severity).1,
            headline: match text_for(self.mention.as_ref(), message) {
                Some(mention) => format!("{} {}", escape(&Html, &mention), html.headline),
                None => html.headline.clone(),
            },
            lines: fitting(&message.texts(), &html.texts(), limits(message)),
            tags: Vec::new(),
        }
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        Some(RATE_LIMIT)
    }

    fn edit_limit(&self) -> Option<RateLimit> {
        Some(EDIT_LIMIT)
    }
}

/// A POST for a new message, or a PATCH of the message that is edited. The thread that the configured address names is
/// kept in both.
fn request(
    webhook: &Secret,
    operation: Operation<'_>,
    body: &Value,
) -> Result<ChatRequest, &'static str> {
    problem_of_webhook(webhook.expose())?;
    let mut url = Url::parse(webhook.expose()).map_err(|_| NOT_A_WEBHOOK)?;
    url.set_fragment(None);
    let method = match operation {
        Operation::Post | Operation::Reply { .. } => {
            set_parameter(&mut url, "wait", Some("true"));
            Method::POST
        }
        Operation::Update(root) => {
            set_parameter(&mut url, "wait", None);
            let mut path = url.path_segments_mut().map_err(|()| NOT_A_WEBHOOK)?;
            path.pop_if_empty().extend(["messages", &root.id]);
            Method::PATCH
        }
    };
    let request = ChatRequest::to_api(url.into(), body).with_method(method);
    // The thread's id is no secret, and the answer must show it as the message's channel.
    let secret = webhook.expose().split('?').next().unwrap_or_default();
    Ok(request.with_secret(Secret::new(secret.to_owned())))
}

/// Asks for the webhook itself, which posts nothing.
/// <https://docs.discord.com/developers/resources/webhook#get-webhook-with-token>
fn question(webhook: &Secret) -> Result<ChatRequest, &'static str> {
    problem_of_webhook(webhook.expose())?;
    let mut url = Url::parse(webhook.expose()).map_err(|_| NOT_A_WEBHOOK)?;
    url.set_query(None);
    let request = ChatRequest::to_webhook(Secret::new(url.into()), &Value::Null);
    Ok(request.with_method(Method::GET))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::channel::MessageRef;

    const WEBHOOK: &str = "https://discord.com/api/webhooks/1234567890/T0KEN-very_secret";

    #[test]
    fn a_request_keeps_the_thread_and_waits_for_the_message() {
        let root = MessageRef {
            channel: "1".to_owned(),
            id: "77".to_owned(),
        };
        for (query, post, edit) in [
            ("", "?wait=true", "/messages/77"),
            ("/", "/?wait=true", "/messages/77"),
            ("?wait=false", "?wait=true", "/messages/77"),
            (
                "?thread_id=5&wait=1#x",
                "?thread_id=5&wait=true",
                "/messages/77?thread_id=5",
            ),
        ] {
            let webhook = Secret::new(format!("{WEBHOOK}{query}"));
            for (operation, method, rest) in [
                (Operation::Post, Method::POST, post),
                (Operation::Update(&root), Method::PATCH, edit),
            ] {
                let request = request(&webhook, operation, &Value::Null).unwrap();
                assert_eq!(request.target(), (&method, &*format!("{WEBHOOK}{rest}")));
            }
        }
    }

    #[test]
    fn at_most_30_messages_are_posted_in_a_minute() {
        let RateLimit { at_once, interval } = RATE_LIMIT;
        let after_them = Duration::from_secs(60).as_millis() / interval.as_millis();
        assert!(u128::from(at_once) + after_them <= 30);
    }
}
