//! Flowdock's chat API, for operators who run a server with this API. Flowdock itself closed in 2022.
//!
//! `POST …/v1/messages/chat/:token` with `content` (8,096 characters), `external_user_name` and `tags`
//! (flowdock/api-docs, `docs/chat.md`).

use std::io;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::address::{self, problem_of_base, problem_of_token};
use super::answer::{Answer, Success, object};
use super::fit::{Limits, fit, fitting, length};
use super::html::Html;
use super::markup::{Escaped, Markup, escape, escape_markdown, write_escaped};
use super::settings::{SettingDefinition, Settings, no_secret};
use super::{
    Capabilities, Channel, Http, Operation, Outcome, PreparedMessage, RateLimit, Shown,
    TypeDefinition,
};
use crate::aws::secret::{Secret, SecretSource};
use crate::notifier::message::Message;
use crate::notifier::policy::Severity;

pub(super) static DEFINITION: TypeDefinition = TypeDefinition {
    markup: &Markdown,
    capabilities: Capabilities::NONE,
    templates: None,
    settings: &[
        SettingDefinition::secret("token", Some("FLOWDOCK_API_TOKEN")),
        SettingDefinition {
            default: VENDOR_URL,
            ..SettingDefinition::address("url", Some("FLOWDOCK_URL"))
        },
        SettingDefinition {
            default: DEFAULT_USERNAME,
            ..SettingDefinition::text("username", Some("FLOWDOCK_USERNAME"))
        },
        SettingDefinition::text("icon_emoji", Some("FLOWDOCK_ICON_EMOJI")),
    ],
    read,
    is_previewed: false,
    unconfigured: || {
        Box::new(Flowdock {
            base: None,
            token: no_secret(),
            username: None,
            icon_emoji: None,
        })
    },
};

const LONGEST_CONTENT: usize = 8_096;

const VENDOR_URL: &str = "https://api.flowdock.com";

const DEFAULT_USERNAME: &str = "ECSParrot";

const TOKEN: &str = "letters, digits, `-`, `_` and `.`";

/// The answer is `{}`, or the message as an object.
const SUCCESS: Success = Success {
    matches: |body| object(body).is_some(),
    expected: "a JSON object",
    check: "is `url` (FLOWDOCK_URL) the address of a server with Flowdock's API?",
};

#[derive(Debug)]
struct Flowdock {
    /// The address of the server. `None` means [`VENDOR_URL`].
    base: Option<String>,
    token: SecretSource,
    username: Option<String>,
    icon_emoji: Option<String>,
}

fn read(settings: &mut Settings<'_>) -> Option<Box<dyn Channel>> {
    let base = settings.address("url");
    // Only with variables is the vendor's address the default, because carnival-ecs-parrot had it.
    let base = settings.require("url", base, address::ALLOWED);
    if let Some(Err(problem)) = base.as_deref().map(problem_of_base) {
        settings.problem("url", problem, address::ALLOWED);
    }
    let token = settings.secret("token", problem_of_token, TOKEN);
    let token = settings.require("token", token, TOKEN);
    let flowdock = Flowdock {
        base,
        username: settings.text("username"),
        icon_emoji: settings.text("icon_emoji"),
        token: token?,
    };
    Some(Box::new(flowdock))
}

impl Flowdock {
    /// The address of the chat for a token.
    fn address(&self, token: &Secret) -> Result<Secret, &'static str> {
        problem_of_token(token.expose())?;
        let base = self.base.as_deref().unwrap_or(VENDOR_URL);
        let base = base.trim_end_matches('/');
        let token = token.expose();
        Ok(Secret::new(format!("{base}/v1/messages/chat/{token}")))
    }

    fn user(&self) -> &str {
        self.username.as_deref().unwrap_or(DEFAULT_USERNAME)
    }

    fn headline(&self, message: &Message) -> String {
        match &self.icon_emoji {
            Some(icon) => format!("{icon} {}", message.headline),
            None => message.headline.clone(),
        }
    }

    fn limits(&self, message: &Message) -> Limits {
        let headline = length(&self.headline(message)) + 1;
        Limits {
            line: LONGEST_CONTENT,
            total: LONGEST_CONTENT.saturating_sub(headline),
        }
    }
}

impl Channel for Flowdock {
    fn payload(&self, message: &Message, _: Operation<'_>) -> Option<Value> {
        let mut lines = vec![self.headline(message)];
        lines.extend(fit(&message.texts(), self.limits(message)));
        Some(json!({
            "content": lines.join("\n"),
            "external_user_name": self.user(),
            "tags": tags(message),
        }))
    }

    fn send<'a>(
        &'a self,
        http: &'a Http,
        prepared: &'a PreparedMessage<'a>,
    ) -> BoxFuture<'a, Outcome> {
        let address = |token: &Secret| self.address(token);
        async move {
            http.post(&self.token, address, &prepared.body, read_answer)
                .await
        }
        .boxed()
    }

    fn show(&self, message: &Message, html: &Message) -> Shown {
        Shown {
            sender: self.user().to_owned(),
            headline: match &self.icon_emoji {
                Some(icon) => format!("{} {}", escape(&Html, icon), html.headline),
                None => html.headline.clone(),
            },
            lines: fitting(&message.texts(), &html.texts(), self.limits(message)),
            tags: tags(message),
            ..Shown::default()
        }
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        Some(RateLimit::OF_A_WEBHOOK)
    }
}

fn read_answer(answer: &Answer) -> Outcome {
    let outcome = answer.outcome(&SUCCESS);
    outcome.with_advice(Some(
        "check `token`, and that `url` is the address of a server with Flowdock's API",
    ))
}

fn tags(message: &Message) -> Vec<String> {
    let severity: &str = message.severity.into();
    let mut tags = vec!["ecs".to_owned(), message.kind.to_string()];
    tags.extend((message.severity != Severity::Info).then(|| severity.to_owned()));
    tags
}

struct Markdown;

impl Markup for Markdown {
    fn escape_char(&self, starts_word: bool, character: char) -> Escaped {
        escape_markdown(starts_word, character)
    }

    fn bold(&self, escaped: &str) -> String {
        format!("**{escaped}**")
    }

    fn code(&self, raw: &str) -> String {
        format!("`{}`", escape(self, raw))
    }

    fn block(&self, raw: &[&str], separator: &str) -> String {
        let lines: Vec<_> = raw.iter().map(|line| escape(self, line)).collect();
        format!("```{separator}{}{separator}```", lines.join(separator))
    }

    fn link(&self, url: &str, escaped: &str) -> String {
        format!("[{escaped}]({url})")
    }

    fn time(&self, _: i64, utc: &str) -> String {
        utc.to_owned()
    }

    fn escape_fn(&self) -> fn(&str, &mut dyn io::Write) -> io::Result<()> {
        |text, out| write_escaped(&Markdown, text, out)
    }
}
