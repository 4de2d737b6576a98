//! Google Chat: a card, posted to the webhook of a space. The webhook cannot edit, but it can reply: a message with the key
//! of a thread joins it, and nothing must be remembered for that.
//!
//! <https://developers.google.com/workspace/chat/quickstart/webhooks>,
//! <https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create>

use std::io;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};

use super::address::{ALLOWED, problem_of_host, set_parameter};
use super::answer::{Answer, Success, object, shortened};
use super::fit::{largest, note};
use super::html::Html;
use super::http::ChatRequest;
use super::markup::{Escaped, Markup, escape, write_escaped};
use super::mention::{Mention, MentionForm, text_for};
use super::settings::{SettingDefinition, Settings, no_secret};
use super::{
    Capabilities, Channel, Http, MessageRef, Operation, Outcome, PreparedMessage, RateLimit, Shown,
    TypeDefinition,
};
use crate::aws::secret::{Secret, SecretSource};
use crate::notifier::message::{Line, Message};
use crate::notifier::policy::Severity;

pub(super) static DEFINITION: TypeDefinition = TypeDefinition {
    markup: &CardHtml,
    capabilities: Capabilities {
        edits: false,
        replies: true,
    },
    templates: None,
    settings: &[
        SettingDefinition::secret("url", None),
        SettingDefinition::text("mention", None),
    ],
    read,
    // The page without a configuration shows few chats. `--channel` and a configured channel show this one too.
    is_previewed: false,
    unconfigured: || {
        Box::new(GoogleChat {
            webhook: no_secret(),
            mention: None,
        })
    },
};

const HOSTS: [&str; 1] = ["chat.googleapis.com"];

const NOT_A_WEBHOOK: &str = "not the address of a Google Chat webhook; in the space, open Apps & integrations, Webhooks, and \
     copy its whole address, with `key` and `token`";

/// The largest body in bytes. Google allows 32,000 for the text and the cards together.
/// <https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create>
const LARGEST_BODY: usize = 30_000;

/// Each space accepts 60 messages a minute, from all its apps and webhooks together.
/// <https://developers.google.com/workspace/chat/limits>
const RATE_LIMIT: RateLimit = RateLimit {
    at_once: 1,
    interval: Duration::from_secs(1),
};

/// <https://developers.google.com/workspace/chat/format-messages#messages-@mention>
const MENTIONS: MentionForm = MentionForm {
    is_mention: are_mentions,
    problem: "not a mention in Google Chat's markup",
    allowed: "`<users/all>` or `<users/ID>` with the number of a person, several separated by spaces",
};

/// The answer is the message.
const SUCCESS: Success = Success {
    matches: is_message,
    expected: "the message",
    check: "is `url` the address of a Google Chat webhook?",
};

#[derive(Debug)]
struct GoogleChat {
    webhook: SecretSource,
    mention: Option<Mention>,
}

fn read(settings: &mut Settings<'_>) -> Option<Box<dyn Channel>> {
    let webhook = settings.secret("url", problem_of_webhook, ALLOWED);
    let webhook = settings.require("url", webhook, ALLOWED);
    let mention = Mention::read(settings, &MENTIONS);
    let webhook = webhook?;
    Some(Box::new(GoogleChat { webhook, mention }))
}

/// Accepts `…/spaces/ID/messages?key=…&token=…` only.
fn problem_of_webhook(text: &str) -> Result<(), &'static str> {
    problem_of_host(text, &HOSTS, NOT_A_WEBHOOK)?;
    let url = Url::parse(text).map_err(|_| NOT_A_WEBHOOK)?;
    let has = |name: &str| {
        let mut pairs = url.query_pairs();
        pairs.any(|(key, value)| key == name && !value.is_empty())
    };
    let parts: Vec<_> = url.path_segments().into_iter().flatten().collect();
    match parts[..] {
        [.., "spaces", space, "messages"] if !space.is_empty() && has("key") && has("token") => {
            Ok(())
        }
        _ => Err(NOT_A_WEBHOOK),
    }
}

fn are_mentions(text: &str) -> bool {
    text.split_whitespace().all(|word| {
        let user = word.strip_prefix("<users/");
        let user = user.and_then(|it| it.strip_suffix('>'));
        let is_number = |it: &str| !it.is_empty() && it.chars().all(|c| c.is_ascii_digit());
        user.is_some_and(|it| it == "all" || is_number(it))
    })
}

impl GoogleChat {
    /// The largest body that is small enough, and how many lines it has, from the first on.
    fn fitting_body(&self, message: &Message, operation: Operation<'_>) -> (usize, Value) {
        let make = |count| self.body(message, operation, count);
        let fits = |body: &Value| body.to_string().len() <= LARGEST_BODY;
        largest(message.details.len(), make, fits)
    }

    /// Only the text can mention somebody. Without a mention there is none: the card says everything, and where no card
    /// can be shown, as in a notification, Google Chat shows `fallbackText`.
    fn body(&self, message: &Message, operation: Operation<'_>, lines: usize) -> Value {
        let mut body = json!({
            "fallbackText": plain(&message.headline),
            "cardsV2": [{
                "cardId": "message",
                "card": {"sections": [{"widgets": widgets(message, lines)}]},
            }],
        });
        if let Some(mention) = text_for(self.mention.as_ref(), message) {
            body["text"] = json!(mention);
        }
        if let Some(key) = thread_key(message, operation) {
            body["thread"] = json!({ "threadKey": key });
        }
        body
    }
}

impl Channel for GoogleChat {
    /// Leaves out whole lines from the end until the body is small enough.
    fn payload(&self, message: &Message, operation: Operation<'_>) -> Option<Value> {
        Some(self.fitting_body(message, operation).1)
    }

    fn send<'a>(
        &'a self,
        http: &'a Http,
        prepared: &'a PreparedMessage<'a>,
    ) -> BoxFuture<'a, Outcome> {
        let request = |webhook: &Secret| request(webhook, &prepared.body);
        let root = match prepared.operation {
            Operation::Post => new_root(prepared.message),
            Operation::Update(_) | Operation::Reply { .. } => None,
        };
        async move {
            let outcome = http.exchange(&self.webhook, request, read_answer).await;
            outcome.with_root(|| root)
        }
        .boxed()
    }

    fn show(&self, message: &Message, html: &Message) -> Shown {
        let (count, _) = self.fitting_body(message, Operation::Post);
        let mut lines = html.texts();
        lines.truncate(count);
        lines.extend(note(message.details.len() - count));
        Shown {
            sender: "ecs-parrot".to_owned(),
            color: color(message.severity),
            headline: match text_for(self.mention.as_ref(), message) {
                Some(mention) => format!("{} {}", escape(&Html, &mention), html.headline),
                None => html.headline.clone(),
            },
            lines,
            tags: Vec::new(),
        }
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        Some(RATE_LIMIT)
    }
}

/// The key of the message's thread in the space. It is the thread's own id, so that a reply finds it without a reference
/// from the chat.
fn thread_key<'a>(message: &'a Message, operation: Operation<'a>) -> Option<&'a str> {
    match operation {
        Operation::Post | Operation::Update(_) => message.thread.as_ref().map(|it| it.id.as_str()),
        Operation::Reply { root, .. } => Some(&root.id),
    }
}

/// The reference to a message that may get replies.
fn new_root(message: &Message) -> Option<MessageRef> {
    let thread = message.thread.as_ref()?;
    Some(MessageRef {
        channel: "thread".to_owned(),
        id: thread.id.as_str().to_owned(),
    })
}

/// Without the parameter Google Chat ignores the key. If the thread was deleted, the message begins it anew.
/// <https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create#MessageReplyOption>
fn request(webhook: &Secret, body: &Value) -> Result<ChatRequest, &'static str> {
    problem_of_webhook(webhook.expose())?;
    let mut url = Url::parse(webhook.expose()).map_err(|_| NOT_A_WEBHOOK)?;
    url.set_fragment(None);
    if body.get("thread").is_some() {
        set_parameter(&mut url, "threadKey", None);
        let option = Some("REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD");
        set_parameter(&mut url, "messageReplyOption", option);
    }
    Ok(ChatRequest::to_webhook(Secret::new(url.into()), body))
}

/// The headline in its colour, texts of lines that follow each other, and blocks of log lines. A card's own header is not
/// used: it shows two lines at most, and the headline may be longer.
fn widgets(message: &Message, lines: usize) -> Vec<Value> {
    let color = color(message.severity);
    let headline = &message.headline;
    let mut texts = vec![format!("<b><font color=\"{color}\">{headline}</font></b>")];
    let (shown, left_out) = message.details.split_at(lines);
    let runs = shown.chunk_by(|one, next| !one.is_block && !next.is_block);
    texts.extend(runs.map(|run| {
        let run: Vec<_> = run.iter().map(|line: &Line| line.text.as_str()).collect();
        run.join("<br>")
    }));
    texts.extend(note(left_out.len()));
    let widget = |text: String| json!({"textParagraph": {"text": text}});
    texts.into_iter().map(widget).collect()
}

/// The rest of the name contains parts of the address, which are not shown in an answer.
fn is_message(body: &str) -> bool {
    let message = object(body).unwrap_or_default();
    let name = message.get("name").and_then(Value::as_str);
    name.is_some_and(|it| it.starts_with("spaces/"))
}

fn read_answer(answer: &Answer) -> Outcome {
    let Some(error) = ApiError::of(answer) else {
        let outcome = answer.outcome(&SUCCESS);
        return outcome.with_advice(advice_for(answer.status, ""));
    };
    match answer.is_temporary() || answer.status == StatusCode::CONFLICT {
        true => answer.retry(error.why).with_advice_for_later(error.advice),
        false => Outcome::Refused { why: error.why }.with_advice(error.advice),
    }
}

/// An error that Google names: `{"error": {"code": 403, "message": "…", "status": "PERMISSION_DENIED"}}`.
/// <https://cloud.google.com/apis/design/errors#http_mapping>
struct ApiError {
    why: String,
    advice: Option<&'static str>,
}

impl ApiError {
    fn of(answer: &Answer) -> Option<Self> {
        let error = object(&answer.body)?;
        let error = error.get("error")?;
        let text = |value: &Value, key: &str| Some(value.get(key)?.as_str()?.to_owned());
        let status = text(error, "status")?;
        let message = text(error, "message").unwrap_or_default();
        let details = error.get("details").and_then(Value::as_array);
        let mut reasons = details.into_iter().flatten();
        let reason = reasons.find_map(|it| text(it, "reason"));
        let reason = reason.unwrap_or_default();
        let code = answer.status.as_u16();
        Some(Self {
            why: format!("{code} {}: {}", shortened(&status), shortened(&message)),
            advice: advice_for(answer.status, &reason),
        })
    }
}

/// What the operator can do. Google answers 400 to a wrong key, and 403 to a wrong token.
fn advice_for(status: StatusCode, reason: &str) -> Option<&'static str> {
    match (status, reason) {
        (_, "API_KEY_INVALID") => Some("check `key` in `url`: copy the whole address again"),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => Some(
            "check `key` and `token` in `url`, and that the webhook and the right to add webhooks still exist",
        ),
        (StatusCode::NOT_FOUND, _) => {
            Some("the space or the webhook is gone: make a webhook and store its address")
        }
        (StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE, _) => {
            Some("Google Chat does not accept this message: check your own templates and `mention`")
        }
        (StatusCode::TOO_MANY_REQUESTS, _) => {
            Some("all apps of a space share 60 messages a minute")
        }
        _ => None,
    }
}

/// Readable on white and on black.
fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "#80868b",
        Severity::Success => "#1e8e3e",
        Severity::Warning => "#e37400",
        Severity::Critical => "#d93025",
    }
}

/// The headline without markup.
fn plain(html: &str) -> String {
    let mut is_tag = false;
    let text: String = html
        .chars()
        .filter(|it| {
            let is_shown = !is_tag && *it != '<';
            is_tag = match it {
                '<' => true,
                '>' => false,
                _ => is_tag,
            };
            is_shown
        })
        .collect();
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// The HTML of a card's texts. <https://developers.google.com/workspace/chat/format-messages#card-formatting>
///
/// It has neither mentions nor Markdown, so three characters must be escaped.
struct CardHtml;

impl Markup for CardHtml {
    fn escape_char(&self, _: bool, character: char) -> Escaped {
        match character {
            '&' => Escaped::Text("&amp;"),
            '<' => Escaped::Text("&lt;"),
            '>' => Escaped::Text("&gt;"),
            _ => Escaped::Char(character),
        }
    }

    fn bold(&self, escaped: &str) -> String {
        format!("<b>{escaped}</b>")
    }

    fn code(&self, raw: &str) -> String {
        format!("<code>{}</code>", escape(self, raw))
    }

    fn block(&self, raw: &[&str], separator: &str) -> String {
        let text = escape(self, &raw.join(separator));
        format!("<pre><code>{text}</code></pre>")
    }

    fn link(&self, url: &str, escaped: &str) -> String {
        format!("<a href=\"{}\">{escaped}</a>", escape(self, url))
    }

    fn time(&self, _: i64, utc: &str) -> String {
        utc.to_owned()
    }

    fn escape_fn(&self) -> fn(&str, &mut dyn io::Write) -> io::Result<()> {
        |text, out| write_escaped(&CardHtml, text, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::notice::Kind;
    use crate::notifier::message::MessageFacts;

    const WEBHOOK: &str = "https://chat.googleapis.com/v1/spaces/AAAAbbbb/messages?key=K3y-secret&token=T0ken%3D-secret";

    fn message(details: Vec<Line>) -> Message {
        Message {
            kind: Kind::TaskStopped,
            severity: Severity::Critical,
            urgent: true,
            mentions: true,
            headline: "checkout ran out of memory".to_owned(),
            details,
            facts: MessageFacts::default(),
            subjects: Vec::new(),
            thread: None,
        }
    }

    fn texts(body: &Value) -> Vec<&str> {
        let widgets = body.pointer("/cardsV2/0/card/sections/0/widgets").unwrap();
        let widgets = widgets.as_array().unwrap().iter();
        widgets
            .map(|it| it["textParagraph"]["text"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn only_the_whole_address_of_a_webhook_is_accepted() {
        for (address, is_accepted) in [
            (WEBHOOK, true),
            (
                "http://127.0.0.1:8080/v1/spaces/A/messages?key=k&token=t",
                true,
            ),
            (
                "https://chat.googleapis.com/v1/spaces/A/messages?token=t&key=k&threadKey=x",
                true,
            ),
            (
                "https://chat.googleapis.com/v1/spaces/A/messages?key=k",
                false,
            ),
            (
                "https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=",
                false,
            ),
            ("https://chat.googleapis.com/v1/spaces/A/messages", false),
            (
                "https://chat.googleapis.com/v1/spaces//messages?key=k&token=t",
                false,
            ),
            ("https://chat.google.com/room/A?key=k&token=t", false),
            (
                "https://evil.example/v1/spaces/A/messages?key=k&token=t",
                false,
            ),
            (
                "https://chat.googleapis.com.evil.example/v1/spaces/A/messages?key=k&token=t",
                false,
            ),
        ] {
            assert_eq!(
                problem_of_webhook(address).is_ok(),
                is_accepted,
                "{address}"
            );
        }
    }

    #[test]
    fn a_mention_names_people_or_all() {
        for (text, is_mention) in [
            ("<users/all>", true),
            ("<users/123456789012345678901> <users/2>", true),
            ("<users/maya@example.com>", false),
            ("<users/>", false),
            ("@all", false),
            ("<users/all> hello", false),
        ] {
            assert_eq!(are_mentions(text), is_mention, "{text}");
        }
    }

    #[test]
    fn only_a_message_of_a_thread_asks_for_one() {
        let webhook = Secret::new(format!("{WEBHOOK}&threadKey=mine&messageReplyOption=x#y"));
        let with_thread = json!({"thread": {"threadKey": "incident-1"}});
        for (body, rest) in [
            (json!({}), "&threadKey=mine&messageReplyOption=x"),
            (
                with_thread,
                "&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD",
            ),
        ] {
            let request = request(&webhook, &body).unwrap();
            assert_eq!(request.target().1, format!("{WEBHOOK}{rest}"));
        }
    }

    #[test]
    fn lines_are_together_and_log_lines_are_apart() {
        let block = Line {
            is_block: true,
            ..Line::of_text("<pre><code>x\ny</code></pre>".to_owned())
        };
        let line = |text: &str| Line::of_text(text.to_owned());
        let details = vec![line("a"), line("b"), block.clone(), block, line("c")];
        let chat = GoogleChat {
            webhook: no_secret(),
            mention: None,
        };
        let body = chat.payload(&message(details), Operation::Post).unwrap();
        let headline = "<b><font color=\"#d93025\">checkout ran out of memory</font></b>";
        let block = "<pre><code>x\ny</code></pre>";
        assert_eq!(texts(&body), [headline, "a<br>b", block, block, "c"]);
        assert_eq!(body["fallbackText"], "checkout ran out of memory");
        assert_eq!(body.get("text"), None);
    }

    #[test]
    fn a_large_body_loses_whole_lines() {
        let lines = (0..200).map(|it| Line::of_text(format!("{it} {}", "ä\"".repeat(100))));
        let chat = GoogleChat {
            webhook: no_secret(),
            mention: None,
        };
        let body = chat.payload(&message(lines.collect()), Operation::Post);
        let body = body.unwrap();
        let length = body.to_string().len();
        assert!((29_000..=LARGEST_BODY).contains(&length), "{length}");
        let texts = texts(&body);
        let [_, lines, note] = texts[..] else {
            panic!("{texts:?}");
        };
        let shown = lines.split("<br>").count();
        assert_eq!(note, format!("… {} more lines left out", 200 - shown));
    }

    #[test]
    fn a_value_is_no_markup() {
        let value = "<a href=\"https://evil.example\">x</a> &lt; <users/all>";
        let escaped =
            "&lt;a href=\"https://evil.example\"&gt;x&lt;/a&gt; &amp;lt; &lt;users/all&gt;";
        assert_eq!(escape(&CardHtml, value), escaped);
        assert_eq!(CardHtml.code("a<b"), "<code>a&lt;b</code>");
        assert_eq!(
            CardHtml.block(&["<b>", "&"], "\n"),
            "<pre><code>&lt;b&gt;\n&amp;</code></pre>"
        );
        assert_eq!(
            CardHtml.link("https://x/?a&b", "y"),
            "<a href=\"https://x/?a&amp;b\">y</a>"
        );
        let headline = format!("{} in {escaped}", CardHtml.code("web<1>"));
        assert_eq!(plain(&headline), format!("web<1> in {value}"));
    }

    #[test]
    fn only_a_message_is_a_success() {
        for (body, expected) in [
            (
                r#"{"name":"spaces/A/messages/B.B","thread":{"name":"spaces/A/threads/B"}}"#,
                true,
            ),
            (r#"{"name":"spaces/[redacted]/[redacted]/B.B"}"#, true),
            (r#"{"name":"x"}"#, false),
            (r#"{"name":7}"#, false),
            ("{}", false),
            ("ok", false),
        ] {
            assert_eq!(is_message(body), expected, "{body}");
        }
    }
}
