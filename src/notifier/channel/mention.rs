//! The setting `mention`: whom a channel notifies when something becomes critical.
//!
//! It is a text, or a map from what a message is about to texts: `{"tags.team=payments": "<!subteam^S1>"}`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use strum::EnumString;

use super::settings::{Settings, is_address_or_token};
use crate::config::values::may_be_secret;
use crate::ecs::arn::is_account;
use crate::notifier::message::{Message, MessageSubject};
use crate::notifier::route::fields::TAGS;

/// The setting's name.
const MENTION: &str = "mention";

/// The entry that is used if no other one matches.
const DEFAULT: &str = "default";

const KEYS: &str = "`tags.KEY=VALUE`, `service=NAME`, `family=NAME`, `cluster=NAME`, `account=NUMBER`, `account_name=NAME`, `default`";

/// The most characters of all texts together. A message about many problems may have all of them, and must
/// stay within every chat's limits.
const LONGEST: usize = 1_500;

/// Whom a channel mentions, in its own markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    /// In the order of their keys.
    entries: Vec<MentionEntry>,
    /// If no entry matches.
    default: Option<String>,
}

/// A text for messages about something that has this value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MentionEntry {
    field: MentionField,
    value: String,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum MentionField {
    Tag(String),
    Name(MentionName),
}

/// The facts of a route that say what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString)]
#[strum(serialize_all = "snake_case")]
enum MentionName {
    Service,
    Family,
    Cluster,
    Account,
    AccountName,
}

/// What a channel type accepts as mention.
pub(super) struct MentionForm {
    pub(super) is_mention: fn(&str) -> bool,
    /// What is wrong with another text.
    pub(super) problem: &'static str,
    pub(super) allowed: &'static str,
}

impl Mention {
    /// Reads the setting `mention`. Notes a problem if it is no mention of this form.
    pub(super) fn read(settings: &mut Settings<'_>, form: &MentionForm) -> Option<Self> {
        if let Some(map) = settings.object(MENTION) {
            return Some(Self::read_map(&map, settings, form));
        }
        let text = settings.text_beside_map(MENTION, &both_forms())?;
        if !(form.is_mention)(&text) {
            settings.problem(MENTION, form.problem, form.allowed);
        }
        let mention = Self {
            entries: Vec::new(),
            default: Some(text),
        };
        mention.check_length(settings);
        Some(mention)
    }

    fn read_map(map: &Map<String, Value>, settings: &mut Settings<'_>, form: &MentionForm) -> Self {
        let mut mention = Self {
            entries: Vec::new(),
            default: None,
        };
        if map.is_empty() {
            settings.problem(MENTION, "it is empty", &both_forms());
        }
        for (key, value) in map {
            let name = match may_be_secret(key) {
                true => MENTION.to_owned(),
                false => format!("{MENTION}.{}", key.escape_debug()),
            };
            let text = match text_of(value, form) {
                Ok(text) => text,
                Err((problem, allowed)) => {
                    settings.problem(&name, problem, allowed);
                    continue;
                }
            };
            match read_key(key) {
                Ok(None) => mention.default = Some(text),
                Ok(Some((field, value))) => {
                    mention.entries.push(MentionEntry { field, value, text });
                }
                Err((problem, allowed)) => settings.problem(&name, problem, allowed),
            }
        }
        mention.check_length(settings);
        mention
    }

    fn check_length(&self, settings: &mut Settings<'_>) {
        if self.length() > LONGEST {
            let problem = format!("its mentions are longer than {LONGEST} characters together");
            settings.problem(MENTION, &problem, "fewer or shorter mentions");
        }
    }

    /// The characters of all texts, with a space between them.
    fn length(&self) -> usize {
        let texts = self.entries.iter().map(|it| it.text.as_str());
        let texts: BTreeSet<_> = texts.chain(self.default.as_deref()).collect();
        let characters: usize = texts.iter().map(|it| it.chars().count()).sum();
        characters + texts.len().saturating_sub(1)
    }

    /// The text for this message. `None` if it notifies nobody.
    pub(super) fn text_for(&self, message: &Message) -> Option<String> {
        if !message.mentions {
            return None;
        }
        let mut texts: Vec<&str> = Vec::new();
        for entry in &self.entries {
            let mut subjects = message.subjects.iter();
            if !texts.contains(&entry.text.as_str()) && subjects.any(|it| entry.is_about(it)) {
                texts.push(&entry.text);
            }
        }
        match texts.is_empty() {
            true => self.default.clone(),
            false => Some(texts.join(" ")),
        }
    }
}

impl MentionEntry {
    fn is_about(&self, subject: &MessageSubject) -> bool {
        let known = match &self.field {
            MentionField::Tag(key) => subject.tags.as_ref().and_then(|it| it.get(key)),
            MentionField::Name(name) => match name {
                MentionName::Service => subject.service.as_ref(),
                MentionName::Family => subject.family.as_ref(),
                MentionName::Cluster => subject.cluster.as_ref(),
                MentionName::Account => subject.account.as_ref(),
                MentionName::AccountName => subject.account_name.as_ref(),
            },
        };
        known == Some(&self.value)
    }
}

/// The text for this message, if the channel has a mention.
pub(super) fn text_for(mention: Option<&Mention>, message: &Message) -> Option<String> {
    mention?.text_for(message)
}

/// The keys of the tags that a setting `mention` names.
pub fn tag_keys(mention: &Value) -> BTreeSet<String> {
    let keys = mention.as_object().into_iter().flat_map(Map::keys);
    let tags = keys.filter_map(|key| match read_key(key) {
        Ok(Some((MentionField::Tag(key), _))) => Some(key),
        Ok(_) | Err(_) => None,
    });
    tags.collect()
}

/// What a mention may be, for error messages.
fn both_forms() -> String {
    format!("a text, or a map with {KEYS}")
}

/// A problem, and what is allowed.
type WrongEntry = (&'static str, &'static str);

fn text_of(value: &Value, form: &MentionForm) -> Result<String, WrongEntry> {
    let text = value.as_str().map(str::trim);
    let text = text.filter(|it| !it.is_empty());
    let text = text.ok_or(("not a text", form.allowed))?;
    if is_address_or_token(text) {
        let problem = "it looks like a secret, but the value of this setting is not hidden";
        return Err((problem, "a text without a secret"));
    }
    match (form.is_mention)(text) {
        true => Ok(text.to_owned()),
        false => Err((form.problem, form.allowed)),
    }
}

/// What a key of the map compares, and with which value. `None` for `default`.
fn read_key(key: &str) -> Result<Option<(MentionField, String)>, WrongEntry> {
    if key == DEFAULT {
        return Ok(None);
    }
    let Some((field, value)) = key.split_once('=') else {
        return Err(("it has no `=`", KEYS));
    };
    let field = match field.strip_prefix(TAGS) {
        Some("") => return Err(("it does not say which tag", KEYS)),
        Some(key) => MentionField::Tag(key.to_owned()),
        None => match field.parse() {
            Ok(name) => MentionField::Name(name),
            Err(_) => return Err(("not a fact that can be compared", KEYS)),
        },
    };
    let is_wrong = field == MentionField::Name(MentionName::Account) && !is_account(value);
    match (value, is_wrong) {
        // A tag may have an empty value.
        ("", _) if !matches!(field, MentionField::Tag(_)) => Err(("it has no value", KEYS)),
        (_, true) => Err(("not the number of an account", "12 digits")),
        (_, false) => Ok(Some((field, value.to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tags_of_a_map_are_named() {
        let mention = serde_json::json!({
            "tags.team=payments": "x", "tags.a=b=c": "x", "tags.=y": "x", "service=tags.z": "x", "default": "x",
        });
        let keys: Vec<_> = tag_keys(&mention).into_iter().collect();
        assert_eq!(keys, ["a", "team"]);
        assert!(tag_keys(&Value::from("tags.team=payments")).is_empty());
    }
}
