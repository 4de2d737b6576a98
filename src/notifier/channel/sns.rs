//! A topic of Amazon SNS: a custom notification for Amazon Q Developer in chat applications, or the JSON of `webhook`.
//!
//! <https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>. Amazon Q shows it in the chats
//! that it serves, and needs no secret: IAM decides who may publish.

use std::io;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use strum::{EnumString, VariantArray};
use tokio::time::timeout;

use super::fit::{Limits, fit};
use super::hash::hash;
use super::markup::{Escaped, Markup, escape, escape_markdown, write_escaped};
use super::plain::{cut, shown};
use super::settings::{SettingDefinition, Settings};
use super::transport::TIMEOUT;
use super::webhook::body;
use super::{
    Capabilities, Channel, Http, MessageRef, Operation, Outcome, PreparedMessage, RateLimit,
    Receipt, Shown, TypeDefinition, UnansweredKind,
};
use crate::aws::service::SNS;
use crate::aws::service::sns::{FifoIds, Publication, publish};
use crate::aws::{CallError, ErrorKind};
use crate::ecs::arn::{Arn, is_region, partition};
use crate::notifier::message::{Line, Message};

pub(super) static DEFINITION: TypeDefinition = TypeDefinition {
    markup: &ClientMarkdown,
    // A thread is continued by its id.
    capabilities: Capabilities {
        edits: false,
        replies: true,
    },
    templates: None,
    settings: &[
        SettingDefinition::text("topic", None),
        SettingDefinition {
            default: "amazon_q",
            ..SettingDefinition::text("format", None)
        },
    ],
    read,
    is_previewed: false,
    unconfigured: || {
        Box::new(Sns {
            topic: Topic::default(),
            format: Format::AmazonQ,
        })
    },
};

const TOPIC: &str = "the ARN of a topic, `arn:aws:sns:eu-west-1:210987654321:alerts`";

const FORMATS: &str = "`amazon_q` or `json`";

/// The longest title, in characters. Amazon Q's page has limits, but the number could not be checked.
const LONGEST_TITLE: usize = 250;

/// The same for the description, in UTF-16 units.
const DESCRIPTION: Limits = Limits {
    line: 8_000,
    total: 8_000,
};

/// The label of lines that say what to do.
const ADVICE: &str = "Try";

/// SNS takes far more, but the chats behind it show about one message a second.
const RATE_LIMIT: RateLimit = RateLimit {
    at_once: 10,
    interval: Duration::from_millis(500),
};

#[derive(Debug)]
struct Sns {
    topic: Topic,
    format: Format,
}

#[derive(Debug, Default)]
struct Topic {
    arn: String,
    region: String,
    is_fifo: bool,
}

/// The form of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, VariantArray)]
#[strum(serialize_all = "snake_case")]
enum Format {
    /// A custom notification.
    AmazonQ,
    /// The body of the type `webhook`.
    Json,
}

fn read(settings: &mut Settings<'_>) -> Option<Box<dyn Channel>> {
    let topic = settings.text("topic");
    let topic = settings.require("topic", topic, TOPIC);
    let topic = topic.map(|text| Topic::read(&text));
    if let Some(Err(problem)) = topic {
        settings.problem("topic", problem, TOPIC);
    }
    let format = settings.text("format").map(|text| text.parse());
    if let Some(Err(_)) = format {
        settings.problem("format", "not a format", FORMATS);
    }
    let sns = Sns {
        topic: topic?.ok()?,
        format: format.map_or(Some(Format::AmazonQ), Result::ok)?,
    };
    Some(Box::new(sns))
}

impl Topic {
    /// # Errors
    ///
    /// What is wrong with the ARN.
    fn read(text: &str) -> Result<Self, &'static str> {
        let arn = Arn::parse(text).ok_or("not an ARN")?;
        if arn.service != "sns" {
            return Err("not an ARN of SNS");
        }
        if !is_region(arn.region) || arn.partition != partition(arn.region) {
            return Err("its region or its partition is wrong");
        }
        let is_account =
            arn.account.len() == 12 && arn.account.bytes().all(|it| it.is_ascii_digit());
        if !is_account {
            return Err("its account does not have 12 digits");
        }
        if arn.resource.contains(':') {
            return Err("the ARN of a subscription, not of its topic");
        }
        let name = arn.resource.strip_suffix(".fifo");
        let is_fifo = name.is_some();
        let name = name.unwrap_or(arn.resource);
        let is_name = |it: char| it.is_ascii_alphanumeric() || "-_".contains(it);
        if !(1..=256).contains(&arn.resource.len()) || !name.chars().all(is_name) {
            return Err("its name is not that of a topic");
        }
        Ok(Self {
            arn: text.to_owned(),
            region: arn.region.to_owned(),
            is_fifo,
        })
    }
}

impl Sns {
    async fn deliver(&self, http: &Http, prepared: &PreparedMessage<'_>) -> Outcome {
        let session = match http.session().await {
            Ok(session) => session,
            Err(outcome) => return outcome,
        };
        let sns = session.service_with_short_timeout(SNS, &self.topic.region);
        let message = prepared.body.to_string();
        let group = group(prepared.message);
        let deduplication = body::action_id(prepared.message, prepared.operation);
        let publication = Publication {
            topic: &self.topic.arn,
            message: &message,
            fifo: self.topic.is_fifo.then_some(FifoIds {
                group: &group,
                deduplication: &deduplication,
            }),
        };
        match timeout(TIMEOUT, publish(&sns, &publication)).await {
            Ok(Ok(())) => Outcome::Delivered {
                root: root(prepared),
            },
            Ok(Err(error)) => failed(&error),
            Err(_) => Outcome::Unanswered {
                kind: UnansweredKind::Stalled,
                why: format!("no answer within {} s", TIMEOUT.as_secs()),
            },
        }
    }
}

impl Channel for Sns {
    fn payload(&self, message: &Message, operation: Operation<'_>) -> Option<Value> {
        Some(match self.format {
            Format::AmazonQ => notification(message),
            Format::Json => body::json(message, operation),
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
        shown("Amazon Q", html, keywords(message))
    }

    fn receipt(&self) -> Receipt {
        Receipt::Accepted(match self.format {
            Format::AmazonQ => {
                "the topic took it; look in the chats that Amazon Q serves, and if it is not there, at the topic's subscription"
            }
            Format::Json => "the topic took it; look at its subscribers",
        })
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        Some(RATE_LIMIT)
    }
}

/// The thread stands for its messages, so a reply needs only its id.
fn root(prepared: &PreparedMessage<'_>) -> Option<MessageRef> {
    let thread = prepared.message.thread.as_ref()?;
    (prepared.operation == Operation::Post).then(|| MessageRef {
        channel: "sns".to_owned(),
        id: thread.id.to_string(),
    })
}

/// The messages of a thread keep their order, and so do those of a cluster that belong to none.
fn group(message: &Message) -> String {
    match &message.thread {
        Some(thread) => thread.id.to_string(),
        None => {
            let cluster = message.facts.cluster.as_deref().unwrap_or_default();
            format!("cluster-{}", hash(cluster))
        }
    }
}

/// The custom notification.
fn notification(message: &Message) -> Value {
    let is_advice = |line: &&Line| line.label.as_deref() == Some(ADVICE);
    let (advice, others): (Vec<_>, Vec<_>) = message.details.iter().partition(is_advice);
    let lines: Vec<_> = others.into_iter().map(|it| it.text.clone()).collect();
    let description = fit(&lines, DESCRIPTION).join("\n");
    let mut content = json!({
        "textType": "client-markdown",
        "title": cut(&message.headline, LONGEST_TITLE),
        // It is required, also where the headline says everything.
        "description": match description.is_empty() {
            true => &message.headline,
            false => &description,
        },
        "keywords": keywords(message),
    });
    if !advice.is_empty() {
        let steps: Vec<_> = advice.into_iter().map(|it| &it.value).collect();
        content["nextSteps"] = json!(steps);
    }
    let mut notification = json!({
        "version": "1.0",
        "source": "custom",
        "content": content,
        "metadata": metadata(message),
    });
    notification["id"] = json!(hash(&notification.to_string()));
    notification
}

fn metadata(message: &Message) -> Map<String, Value> {
    let facts = &message.facts;
    let mut metadata = Map::new();
    if let Some(thread) = &message.thread {
        metadata.insert("threadId".to_owned(), json!(thread.id));
    }
    metadata.insert(
        "summary".to_owned(),
        json!(cut(&message.headline, LONGEST_TITLE)),
    );
    metadata.insert("eventType".to_owned(), json!(body::event_type(message)));
    let resources = [facts.cluster.as_deref(), facts.subject()];
    let resources: Vec<_> = resources.into_iter().flatten().collect();
    metadata.insert("relatedResources".to_owned(), json!(resources));
    let context = [
        ("account", &facts.account),
        ("region", &facts.region),
        ("actor", &facts.actor),
        ("cause", &facts.cause),
    ];
    let known = context
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))));
    metadata.insert(
        "additionalContext".to_owned(),
        Value::Object(known.collect()),
    );
    metadata
}

fn keywords(message: &Message) -> Vec<String> {
    let severity: &str = message.severity.into();
    vec![
        "ecs".to_owned(),
        message.kind.to_string(),
        severity.to_owned(),
    ]
}

fn failed(error: &CallError) -> Outcome {
    let why = error.to_string();
    if error.is_retryable() {
        return Outcome::retry(why);
    }
    let code = error.code.as_deref().unwrap_or_default();
    let own = match code {
        _ if code.starts_with("KMS") => Some(
            "the topic is encrypted with a KMS key: allow kms:GenerateDataKey and kms:Decrypt on it to the role, \
             and check that the key is enabled",
        ),
        "NotFound" | "NotFoundException" => {
            Some("is `topic` the ARN of a topic that exists in this account and region?")
        }
        "InvalidParameter" | "InvalidParameterValue" => {
            Some("is `topic` the ARN of the topic, and does it take such messages?")
        }
        _ if error.kind == ErrorKind::Denied => {
            Some("allow sns:Publish on the topic to the role or user that runs this")
        }
        _ => None,
    };
    let advice = own.map(str::to_owned).or_else(|| error.advice());
    Outcome::Refused { why }.with_advice(advice.as_deref())
}

/// Amazon Q hands the text on in the Markdown of the chat, which is not known here. So only what all of them read
/// in the same way is written: `*text*` (bold in Slack, italics elsewhere), code, and addresses as they are. What any of
/// them could read in a value is replaced.
struct ClientMarkdown;

impl Markup for ClientMarkdown {
    fn escape_char(&self, starts_word: bool, character: char) -> Escaped {
        match character {
            // `&lt;` would become `<` in Slack.
            '&' => Escaped::Joined(character),
            _ => escape_markdown(starts_word, character),
        }
    }

    fn bold(&self, escaped: &str) -> String {
        format!("*{escaped}*")
    }

    fn code(&self, raw: &str) -> String {
        format!("`{}`", escape(self, raw))
    }

    fn block(&self, raw: &[&str], separator: &str) -> String {
        let lines: Vec<_> = raw.iter().map(|line| escape(self, line)).collect();
        format!("```{separator}{}{separator}```", lines.join(separator))
    }

    fn link(&self, url: &str, escaped: &str) -> String {
        format!("{escaped} {url}")
    }

    fn time(&self, _: i64, utc: &str) -> String {
        utc.to_owned()
    }

    fn escape_fn(&self) -> fn(&str, &mut dyn io::Write) -> io::Result<()> {
        |text, out| write_escaped(&ClientMarkdown, text, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_arn_of_a_topic_is_accepted() {
        for (arn, problem) in [
            ("arn:aws:sns:eu-west-1:210987654321:alerts", None),
            ("arn:aws:sns:eu-west-1:210987654321:alerts.fifo", None),
            ("arn:aws-cn:sns:cn-north-1:210987654321:alerts", None),
            (
                "arn:aws:sns:cn-north-1:210987654321:alerts",
                Some("partition"),
            ),
            ("arn:aws:sns:somewhere:210987654321:alerts", Some("region")),
            ("arn:aws:sqs:eu-west-1:210987654321:alerts", Some("of SNS")),
            ("arn:aws:sns:eu-west-1:2109:alerts", Some("12 digits")),
            ("arn:aws:sns:eu-west-1:210987654321:", Some("name")),
            ("arn:aws:sns:eu-west-1:210987654321:a b", Some("name")),
            (
                "arn:aws:sns:eu-west-1:210987654321:alerts:0c9e",
                Some("subscription"),
            ),
            ("alerts", Some("not an ARN")),
        ] {
            match (Topic::read(arn), problem) {
                (Ok(topic), None) => {
                    assert_eq!(topic.is_fifo, arn.ends_with(".fifo"), "{arn}");
                    assert!(arn.contains(&topic.region), "{arn}");
                }
                (Err(found), Some(expected)) => assert!(found.contains(expected), "{arn}: {found}"),
                (found, _) => panic!("{arn}: {found:?}"),
            }
        }
    }

    #[test]
    fn every_format_has_its_name() {
        for format in Format::VARIANTS {
            let name = match format {
                Format::AmazonQ => "amazon_q",
                Format::Json => "json",
            };
            assert_eq!(name.parse(), Ok(*format));
            assert!(FORMATS.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn a_value_has_no_entity() {
        let escaped = escape(&ClientMarkdown, "&lt;!channel&gt; <!here> *x*");
        assert!(
            !escaped.contains("&lt;") && !escaped.contains(['<', '>', '*']),
            "{escaped}"
        );
    }
}
