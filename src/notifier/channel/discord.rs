//! Discord: embeds, posted to a webhook of a channel. The webhook can also edit what it has posted.
//!
//! <https://docs.discord.com/developers/resources/webhook#execute-webhook>,
//! <https://docs.discord.com/developers/resources/webhook#edit-webhook-message>. The flag `SUPPRESS_EMBEDS` is not sent: it would
//! hide the details too. Discord previews links of the text only, and the text has nothing but the mention.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};

use super::address::{ALLOWED, problem_of_host, set_parameter};
use super::answer::{Answer, Success, object, shortened};
use super::fit::{Limits, cut, fit, fitting, length, stacked};
use super::html::Html;
use super::http::{ChatRequest, unusable};
use super::markup::{Escaped, Markup, escape, escape_markdown, without_list, write_escaped};
use super::mention::{Mention, MentionForm, text_for};
use super::settings::{SettingDefinition, Settings, no_secret};
use super::{
    Capabilities, Channel, Http, MessageRef, Operation, Outcome, PreparedMessage, RateLimit, Shown,
    TypeDefinition,
};
use crate::aws::secret::{Secret, SecretSource};
use crate::notifier::message::Message;
use crate::notifier::policy::Severity;

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

/// Also `canary.discord.com` and `ptb.discord.com`, the hosts of Discord's test programs.
const HOSTS: [&str; 2] = ["discord.com", "discordapp.com"];

const NOT_A_WEBHOOK: &str = "not the address of a Discord webhook; in the channel's settings, open Integrations, Webhooks, \
     and use what `Copy Webhook URL` gives";

const OF_SLACK: &str =
    "it ends in `/slack`, where Discord expects Slack's JSON; leave out `/slack`";

const OF_GITHUB: &str =
    "it ends in `/github`, where Discord expects GitHub's events; leave out `/github`";

/// The longest title and description of an embed, and all texts of a message's embeds together. Discord counts
/// characters, of which a text never has more than UTF-16 units.
/// <https://docs.discord.com/developers/resources/message#embed-object-embed-limits>
const TITLE: usize = 256;
const DESCRIPTION: usize = 4_096;
const EMBEDS: usize = 6_000;

/// The longest text beside the embeds.
const CONTENT: usize = 2_000;

const LONGEST_USERNAME: usize = 80;

/// <https://docs.discord.com/developers/resources/webhook#create-webhook>
const USERNAME: &str = "at most 80 characters, without `discord` and `clyde`";

/// <https://docs.discord.com/developers/reference#message-formatting>
const MENTIONS: MentionForm = MentionForm {
    is_mention: are_mentions,
    problem: "not a mention in Discord's markup",
    allowed: "`<@&ROLE>`, `<@USER>` with the number that `Copy ID` gives, `@here` or `@everyone`, several separated by spaces",
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

/// With `wait=true` the answer is the message.
const SUCCESS: Success = Success {
    matches: |body| message_ref(body).is_some(),
    expected: "the message",
    check: "is `url` the address of a Discord webhook?",
};

/// Discord's number of an error. <https://docs.discord.com/developers/topics/opcodes-and-status-codes#json>
type ErrorCode = u64;

const UNKNOWN_MESSAGE: ErrorCode = 10_008;
const UNKNOWN_WEBHOOK: ErrorCode = 10_015;

/// Too many edits of messages that are older than an hour.
const TOO_MANY_OLD_EDITS: ErrorCode = 30_046;

/// What the operator can do about an error.
const ADVICE: [(&[ErrorCode], &str); 6] = [
    (
        &[UNKNOWN_WEBHOOK, 50_027],
        "the webhook was deleted, or its address is incomplete: make a webhook and store its address",
    ),
    (
        &[10_003],
        "the channel or the thread is gone: check `thread_id` in `url`",
    ),
    (
        &[220_001, 220_003],
        "the channel is a forum: add `?thread_id=ID` of one of its posts to `url`",
    ),
    (
        &[50_013, 50_001],
        "the webhook must be allowed to post in the channel: check the channel's permissions, or make a webhook anew",
    ),
    (
        &[50_083, 160_005],
        "the thread is archived or locked: open it again, or change `thread_id` in `url`",
    ),
    (
        &[40_005],
        "the message is too large for Discord: check your own templates",
    ),
];

#[derive(Debug)]
struct Discord {
    webhook: SecretSource,
    username: Option<String>,
    mention: Option<Mention>,
    /// The address that Discord does not know any more. It is not used again, because Discord bans the senders of such
    /// requests. <https://docs.discord.com/developers/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans>
    gone: Mutex<Option<Secret>>,
}

/// What came of one request.
enum Sent {
    Done(Outcome),
    /// The message to edit is gone, or is another webhook's.
    MessageGone {
        why: String,
    },
    WebhookGone {
        why: String,
    },
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

/// Accepts `…/webhooks/ID/TOKEN` only.
fn problem_of_webhook(text: &str) -> Result<(), &'static str> {
    problem_of_host(text, &HOSTS, NOT_A_WEBHOOK)?;
    let url = Url::parse(text).map_err(|_| NOT_A_WEBHOOK)?;
    let mut parts: Vec<_> = url.path_segments().into_iter().flatten().collect();
    parts.retain(|it| !it.is_empty());
    match parts[..] {
        [.., "webhooks", id, token] if is_id(id) && is_token(token) => Ok(()),
        [.., "slack"] => Err(OF_SLACK),
        [.., "github"] => Err(OF_GITHUB),
        _ => Err(NOT_A_WEBHOOK),
    }
}

fn is_token(text: &str) -> bool {
    text.len() >= 8
        && text
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || "-_.".contains(it))
}

/// Discord's ids are numbers of 64 bits.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 20 && text.chars().all(|it| it.is_ascii_digit())
}

fn problem_of_username(text: &str) -> Result<(), &'static str> {
    let lower = text.to_lowercase();
    if lower.contains("discord") || lower.contains("clyde") {
        return Err("Discord does not allow this name");
    }
    match length(text) <= LONGEST_USERNAME {
        true => Ok(()),
        false => Err("it is too long"),
    }
}

fn are_mentions(text: &str) -> bool {
    length(text) <= CONTENT && text.split_whitespace().all(|word| target(word).is_some())
}

/// Whom a mention notifies.
enum Target<'a> {
    Everyone,
    Role(&'a str),
    User(&'a str),
}

fn target(word: &str) -> Option<Target<'_>> {
    if matches!(word, "@everyone" | "@here") {
        return Some(Target::Everyone);
    }
    let inner = word.strip_prefix("<@")?.strip_suffix('>')?;
    let (id, target) = match inner.strip_prefix('&') {
        Some(id) => (id, Target::Role(id)),
        None => (inner, Target::User(inner)),
    };
    is_id(id).then_some(target)
}

/// The only mentions that Discord acts on. Without this field it would act on all that it finds.
/// <https://docs.discord.com/developers/resources/message#allowed-mentions-object>
fn allowed_mentions(mention: Option<&str>) -> Value {
    let (mut parse, mut roles, mut users) = (Vec::new(), Vec::new(), Vec::new());
    for word in mention.unwrap_or_default().split_whitespace() {
        let (list, item) = match target(word) {
            Some(Target::Everyone) => (&mut parse, "everyone"),
            Some(Target::Role(id)) => (&mut roles, id),
            Some(Target::User(id)) => (&mut users, id),
            None => continue,
        };
        // Discord refuses a list that names somebody twice.
        if !list.contains(&item) {
            list.push(item);
        }
    }
    let mut allowed = json!({ "parse": parse });
    for (key, list) in [("roles", roles), ("users", users)] {
        if !list.is_empty() {
            allowed[key] = json!(list);
        }
    }
    allowed
}

impl Discord {
    fn new(webhook: SecretSource) -> Self {
        Self {
            webhook,
            username: None,
            mention: None,
            gone: Mutex::default(),
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
            Operation::Update(root) if !is_id(&root.id) => Sent::MessageGone { why: String::new() },
            Operation::Update(_) | Operation::Post | Operation::Reply { .. } => {
                self.call(http, *operation, body).await
            }
        };
        let sent = match sent {
            Sent::MessageGone { .. } => {
                let body = self.body(message, Operation::Post);
                self.call(http, Operation::Post, &body).await
            }
            Sent::Done(_) | Sent::WebhookGone { .. } => sent,
        };
        match sent {
            Sent::Done(outcome) => outcome,
            Sent::MessageGone { why } | Sent::WebhookGone { why } => Outcome::Refused { why },
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
            Sent::WebhookGone { .. } | Sent::Done(Outcome::Refused { .. }) => {}
            Sent::Done(_) | Sent::MessageGone { .. } => return sent,
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
        if self.is_gone(webhook) {
            let why = "404 Unknown Webhook, so the address is not used again".to_owned();
            return Sent::WebhookGone { why };
        }
        let request = match request(webhook, operation, body) {
            Ok(request) => request,
            Err(problem) => return Sent::Done(unusable(problem)),
        };
        let sent = match http.call(request).await {
            Ok(answer) => read_answer(&answer, operation),
            Err(outcome) => Sent::Done(repeatable(outcome, operation)),
        };
        if matches!(sent, Sent::WebhookGone { .. }) {
            let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
            *gone = Some(webhook.clone());
        }
        sent
    }

    fn is_gone(&self, webhook: &Secret) -> bool {
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = gone.as_ref().map(Secret::expose);
        gone == Some(webhook.expose())
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

/// The headline is the title. If it is too long for a title, it is the first line instead.
fn embeds(message: &Message) -> Vec<Value> {
    let mut lines: Vec<_> = fit(&message.texts(), limits(message));
    for line in &mut lines {
        *line = without_list(line);
    }
    let is_title = is_title(message);
    if !is_title {
        lines.insert(0, cut(&message.headline, DESCRIPTION));
    }
    let descriptions = stacked(&lines, DESCRIPTION);
    let color = color(message.severity).0;
    let mut embeds: Vec<_> = descriptions
        .into_iter()
        .map(|text| json!({"description": text, "color": color}))
        .collect();
    if embeds.is_empty() {
        embeds.push(json!({ "color": color }));
    }
    if is_title {
        embeds[0]["title"] = json!(message.headline);
    }
    embeds
}

fn is_title(message: &Message) -> bool {
    length(&message.headline) <= TITLE
}

/// The limits of the lines below the headline. Each line may get one more character, which prevents a list.
fn limits(message: &Message) -> Limits {
    let headline = length(&message.headline).min(DESCRIPTION);
    Limits {
        line: DESCRIPTION - 1,
        total: EMBEDS.saturating_sub(headline + message.details.len() + 1),
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

fn read_answer(answer: &Answer, operation: Operation<'_>) -> Sent {
    if let Some(error) = ApiError::of(answer) {
        return error.into_sent(answer, operation);
    }
    let outcome = answer.outcome(&SUCCESS);
    let outcome = outcome.with_root(|| match operation {
        Operation::Post | Operation::Reply { .. } => message_ref(&answer.body),
        Operation::Update(_) => None,
    });
    Sent::Done(match repeatable(outcome, operation) {
        Outcome::Refused { why } => Outcome::Refused {
            why: with_advice(why, advice_for_status(answer.status)),
        },
        outcome => outcome,
    })
}

/// The message that Discord made.
fn message_ref(body: &str) -> Option<MessageRef> {
    let message = object(body)?;
    let id = |key: &str| {
        let id = message.get(key)?.as_str()?;
        is_id(id).then(|| id.to_owned())
    };
    Some(MessageRef {
        channel: id("channel_id")?,
        id: id("id")?,
    })
}

/// An edit may be repeated, because it has the same result again. A post would be there twice.
fn repeatable(outcome: Outcome, operation: Operation<'_>) -> Outcome {
    match (operation, outcome) {
        (Operation::Update(_), Outcome::Unanswered { why, .. }) => Outcome::retry(why),
        (Operation::Update(_) | Operation::Post | Operation::Reply { .. }, outcome) => outcome,
    }
}

/// An error that Discord names: `{"message": "Unknown Webhook", "code": 10015}`. When it is busy, the code is often missing.
struct ApiError {
    code: Option<ErrorCode>,
    why: String,
    retry_after: Option<Duration>,
}

impl ApiError {
    fn of(answer: &Answer) -> Option<Self> {
        if answer.status.is_success() {
            return None;
        }
        let error = object(&answer.body)?;
        let retry_after = error.get("retry_after").and_then(Value::as_f64);
        let code = error.get("code").and_then(Value::as_u64);
        if code.is_none() && retry_after.is_none() {
            return None;
        }
        let status = answer.status.as_u16();
        let message = error.get("message").and_then(Value::as_str);
        let message = message.unwrap_or_default();
        // Some messages repeat the status: `401: Unauthorized`.
        let message = message.trim_start_matches(&format!("{status}: "));
        let mut why = format!("{status} {}", shortened(message));
        if let Some(code) = code.filter(|code| *code != 0) {
            why.push_str(&format!(" ({code})"));
        }
        let detail = error.get("errors").and_then(first_detail);
        if let Some(detail) = detail {
            why.push_str(&format!(": {}", shortened(&detail)));
        }
        Some(Self {
            code,
            why,
            retry_after: retry_after.and_then(rounded_up),
        })
    }

    fn into_sent(self, answer: &Answer, operation: Operation<'_>) -> Sent {
        let is_edit = matches!(operation, Operation::Update(_));
        let is_not_found = answer.status == StatusCode::NOT_FOUND;
        let why = with_advice(self.why, advice(self.code, answer.status));
        if answer.is_temporary() || self.code == Some(TOO_MANY_OLD_EDITS) {
            let after = self.retry_after.or(answer.retry_after);
            return Sent::Done(Outcome::Retry { after, why });
        }
        match self.code {
            Some(UNKNOWN_MESSAGE) if is_not_found && is_edit => Sent::MessageGone { why },
            Some(UNKNOWN_WEBHOOK) if is_not_found => Sent::WebhookGone { why },
            Some(_) | None => Sent::Done(Outcome::Refused { why }),
        }
    }
}

/// Discord's delay has fractions of a second. A little less than it would be refused again.
fn rounded_up(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.ceil()).ok()
}

/// The first field that Discord does not accept, and why.
/// <https://docs.discord.com/developers/reference#error-messages>
fn first_detail(errors: &Value) -> Option<String> {
    let fields = errors.as_object()?;
    if let Some(errors) = fields.get("_errors") {
        return Some(errors.get(0)?.get("message")?.as_str()?.to_owned());
    }
    fields.iter().find_map(|(name, inner)| {
        let detail = first_detail(inner)?;
        let separator = if inner.get("_errors").is_some() {
            ": "
        } else {
            "."
        };
        Some(format!("{name}{separator}{detail}"))
    })
}

fn advice(code: Option<ErrorCode>, status: StatusCode) -> Option<&'static str> {
    let of_code = code.and_then(|code| {
        let mut rows = ADVICE.iter();
        rows.find(|(codes, _)| codes.contains(&code))
    });
    match of_code {
        Some((_, advice)) => Some(advice),
        None => advice_for_status(status),
    }
}

fn advice_for_status(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            Some("check that `url` is the whole address that `Copy Webhook URL` gives")
        }
        StatusCode::FORBIDDEN => {
            Some("Discord does not let this webhook, or this IP address, post")
        }
        StatusCode::PAYLOAD_TOO_LARGE => Some("the message is too large: check your own templates"),
        _ => None,
    }
}

fn with_advice(why: String, advice: Option<&str>) -> String {
    match advice {
        Some(advice) => format!("{why}: {advice}"),
        None => why,
    }
}

/// The colour beside an embed, as Discord and as the page write it.
fn color(severity: Severity) -> (u32, &'static str) {
    match severity {
        Severity::Info => (0x0099_aab5, "#99aab5"),
        Severity::Success => (0x002e_cc71, "#2ecc71"),
        Severity::Warning => (0x00f1_c40f, "#f1c40f"),
        Severity::Critical => (0x00e7_4c3c, "#e74c3c"),
    }
}

/// Discord's Markdown. <https://docs.discord.com/developers/reference#message-formatting>,
/// <https://support.discord.com/hc/articles/210298617>
///
/// It has a backslash as escape, but not everywhere: in code, in notifications and in some clients' titles it is shown.
/// So characters with a meaning are replaced by similar ones, as in the other Markdowns. `<` begins mentions, times,
/// custom emoji and links between angle brackets, so none of these is possible without it.
struct DiscordMarkdown;

impl Markup for DiscordMarkdown {
    /// Two bars hide the text between them.
    fn escape_char(&self, starts_word: bool, character: char) -> Escaped {
        match character {
            '|' => Escaped::Char('∣'),
            _ => escape_markdown(starts_word, character),
        }
    }

    fn bold(&self, escaped: &str) -> String {
        format!("**{escaped}**")
    }

    fn code(&self, raw: &str) -> String {
        format!("`{}`", within_code(raw))
    }

    fn block(&self, raw: &[&str], separator: &str) -> String {
        let text = within_code(&raw.join(separator));
        format!("```{separator}{text}{separator}```")
    }

    fn link(&self, url: &str, escaped: &str) -> String {
        format!("[{escaped}]({url})")
    }

    /// Discord shows the time in each reader's own time zone. `T` is the only style with seconds that all clients know.
    fn time(&self, seconds: i64, _: &str) -> String {
        format!("<t:{seconds}:d> <t:{seconds}:T>")
    }

    fn escape_fn(&self) -> fn(&str, &mut dyn io::Write) -> io::Result<()> {
        |text, out| write_escaped(&DiscordMarkdown, text, out)
    }
}

/// In code only the backtick has a meaning.
fn within_code(raw: &str) -> String {
    raw.replace('`', "ˋ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::notice::Kind;
    use crate::notifier::message::{Line, MessageFacts};

    const WEBHOOK: &str = "https://discord.com/api/webhooks/1234567890/T0KEN-very_secret";

    fn message(headline: &str, lines: Vec<String>) -> Message {
        Message {
            kind: Kind::TaskStopped,
            severity: Severity::Critical,
            urgent: true,
            mentions: true,
            headline: headline.to_owned(),
            details: lines.into_iter().map(Line::of_text).collect(),
            facts: MessageFacts::default(),
            subjects: Vec::new(),
            thread: None,
        }
    }

    /// The length of all texts of the embeds.
    fn total(embeds: &[Value]) -> usize {
        let texts = embeds
            .iter()
            .flat_map(|it| [&it["title"], &it["description"]]);
        texts.filter_map(Value::as_str).map(length).sum()
    }

    #[test]
    fn only_the_address_of_a_webhook_is_accepted() {
        for (address, problem) in [
            (WEBHOOK, None),
            (
                "https://discordapp.com/api/webhooks/1234567890/T0KEN-very_secret/",
                None,
            ),
            (
                "https://canary.discord.com/api/v10/webhooks/1234567890/T0KEN-very_secret?thread_id=7",
                None,
            ),
            (
                "https://ptb.discord.com/api/webhooks/1234567890/T0KEN-very_secret",
                None,
            ),
            (
                "http://127.0.0.1:8080/api/webhooks/1234567890/T0KEN-very_secret",
                None,
            ),
            (
                "https://discord.com/api/webhooks/1234567890/T0KEN-very_secret/slack",
                Some(OF_SLACK),
            ),
            (
                "https://discord.com/api/webhooks/1234567890/T0KEN-very_secret/slack/?wait=true",
                Some(OF_SLACK),
            ),
            (
                "https://discord.com/api/webhooks/1234567890/T0KEN-very_secret/github",
                Some(OF_GITHUB),
            ),
            (
                "https://discord.com/api/webhooks/1234567890/",
                Some(NOT_A_WEBHOOK),
            ),
            (
                "https://discord.com/api/webhooks/mine/T0KEN-very_secret",
                Some(NOT_A_WEBHOOK),
            ),
            (
                "https://discord.com/channels/1234567890/1234567891",
                Some(NOT_A_WEBHOOK),
            ),
            (
                "https://discord.com.evil.example/api/webhooks/1/T0KEN-very_secret",
                Some(NOT_A_WEBHOOK),
            ),
            (
                "https://notdiscord.com/api/webhooks/1/T0KEN-very_secret",
                Some(NOT_A_WEBHOOK),
            ),
            (
                "http://discord.com/api/webhooks/1/T0KEN-very_secret",
                Some("messages would be sent unencrypted"),
            ),
        ] {
            assert_eq!(problem_of_webhook(address).err(), problem, "{address}");
        }
    }

    #[test]
    fn a_mention_names_a_role_a_user_or_all() {
        for (text, is_mention) in [
            ("<@&165511591545143296>", true),
            ("<@80351110224678912> @here", true),
            ("@everyone", true),
            ("<@!80351110224678912>", false),
            ("<#103735883630395392>", false),
            ("<!subteam^S123>", false),
            ("@ops", false),
            ("<@&>", false),
            ("<@80351110224678912> hello", false),
        ] {
            assert_eq!(are_mentions(text), is_mention, "{text}");
        }
    }

    #[test]
    fn only_the_configured_mention_is_allowed() {
        for (mention, expected) in [
            (None, json!({"parse": []})),
            (Some("@here"), json!({"parse": ["everyone"]})),
            (Some("@here @everyone"), json!({"parse": ["everyone"]})),
            (
                Some("<@&1> <@2> <@&3> <@&1>"),
                json!({"parse": [], "roles": ["1", "3"], "users": ["2"]}),
            ),
        ] {
            assert_eq!(allowed_mentions(mention), expected, "{mention:?}");
        }
    }

    #[test]
    fn a_name_that_discord_refuses_is_rejected() {
        for (name, is_allowed) in [
            ("ecs-parrot", true),
            (&*"x".repeat(80), true),
            (&*"x".repeat(81), false),
            ("My Discord bot", false),
            ("CLYDE", false),
        ] {
            assert_eq!(problem_of_username(name).is_ok(), is_allowed, "{name}");
        }
    }

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
    fn a_long_headline_is_the_first_line() {
        for (length, title, description) in [
            (TITLE, Some(TITLE), Some("Why: x")),
            (TITLE + 1, None, None),
        ] {
            let headline = "x".repeat(length);
            let embeds = embeds(&message(&headline, vec!["Why: x".to_owned()]));
            assert_eq!(embeds.len(), 1);
            assert_eq!(embeds[0]["title"].as_str().map(str::len), title);
            let lines = embeds[0]["description"].as_str().unwrap();
            assert_eq!(lines, description.unwrap_or(&format!("{headline}\nWhy: x")));
        }
    }

    #[test]
    fn a_message_without_details_is_a_title() {
        let embeds = embeds(&message("checkout recovered", Vec::new()));
        let expected = json!({"title": "checkout recovered", "color": color(Severity::Critical).0});
        assert_eq!(embeds, [expected]);
    }

    #[test]
    fn a_long_message_is_within_the_limits() {
        for (headline, line, count) in [
            ("short".to_owned(), "🔴 x".repeat(40), 100),
            ("long ".repeat(200), "word ".repeat(100), 100),
            ("long ".repeat(2_000), "word ".repeat(800), 9),
            ("short".to_owned(), "- x".to_owned(), 4_000),
        ] {
            let embeds = embeds(&message(&headline, vec![line.clone(); count]));
            let total = total(&embeds);
            assert!(total <= EMBEDS, "{total}");
            assert!((1..=10).contains(&embeds.len()), "{}", embeds.len());
            let longest = embeds
                .iter()
                .map(|it| length(it["description"].as_str().unwrap_or_default()));
            assert!(longest.max().unwrap_or_default() <= DESCRIPTION);
            let last = embeds.last().unwrap()["description"].as_str().unwrap();
            assert!(last.ends_with("more lines left out"), "{last}");
        }
    }

    #[test]
    fn the_two_forms_of_a_colour_are_the_same() {
        for severity in [
            Severity::Info,
            Severity::Success,
            Severity::Warning,
            Severity::Critical,
        ] {
            let (number, text) = color(severity);
            assert_eq!(format!("#{number:06x}"), text);
        }
    }

    #[test]
    fn a_value_is_no_markup() {
        for (value, expected) in [
            ("a_b_c __x__", "a_b_c ＿＿x_＿"),
            ("||x|| <t:1:R> <@&1>", "∣∣x∣∣ ‹t:1:R› ‹@\u{2060}&1›"),
            ("# x -# y", "#\u{2060} x -#\u{2060} y"),
            ("@everyone", "@\u{2060}everyone"),
        ] {
            assert_eq!(escape(&DiscordMarkdown, value), expected);
        }
        assert_eq!(DiscordMarkdown.code("a`b <@1>"), "`aˋb <@1>`");
        assert_eq!(
            DiscordMarkdown.block(&["```", "x"], "\n"),
            "```\nˋˋˋ\nx\n```"
        );
    }

    #[test]
    fn the_first_detail_of_an_error_is_found() {
        let errors = json!({"embeds": {"0": {"description": {"_errors": [
            {"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 4096 or fewer in length."}]}}}});
        let expected = "embeds.0.description: Must be 4096 or fewer in length.";
        assert_eq!(first_detail(&errors).as_deref(), Some(expected));
        for other in [
            json!([]),
            json!({}),
            json!({"x": {"_errors": []}}),
            json!("x"),
        ] {
            assert_eq!(first_detail(&other), None);
        }
    }

    #[test]
    fn at_most_30_messages_are_posted_in_a_minute() {
        let RateLimit { at_once, interval } = RATE_LIMIT;
        let after_them = Duration::from_secs(60).as_millis() / interval.as_millis();
        assert!(u128::from(at_once) + after_them <= 30);
    }

    #[test]
    fn a_delay_is_rounded_up() {
        for (seconds, expected) in [
            (0.3, Some(1)),
            (64.57, Some(65)),
            (2.0, Some(2)),
            (-1.0, None),
            (f64::NAN, None),
            (1e300, None),
        ] {
            assert_eq!(
                rounded_up(seconds),
                expected.map(Duration::from_secs),
                "{seconds}"
            );
        }
    }
}
