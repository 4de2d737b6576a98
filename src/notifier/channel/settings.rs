//! Reads the settings of one channel, and reports what is wrong with them.
//!
//! The settings are in `CHANNELS` or in the variables `SLACK_*` and `FLOWDOCK_*`. A problem names the setting as the
//! operator wrote it. It never shows a value that may be a secret.

use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::{Map, Value};

use crate::aws::secret::{REDACTED, Secret, SecretSource};
use crate::config::values::may_be_secret;
use crate::config::{Problem, Remedy};
use crate::text::spelling::nearest;

/// A setting of a channel type.
#[derive(Debug)]
pub struct SettingDefinition {
    pub name: &'static str,
    /// The environment variable for this setting, if there is one.
    pub variable: Option<&'static str>,
    pub is_secret: bool,
    /// An address is shown without the parts that may be a secret.
    pub is_address: bool,
    /// The value that is used if the setting is missing.
    pub default: &'static str,
}

impl SettingDefinition {
    pub const fn text(name: &'static str, variable: Option<&'static str>) -> Self {
        Self {
            name,
            variable,
            is_secret: false,
            is_address: false,
            default: "",
        }
    }

    /// A text setting that contains an address.
    pub const fn address(name: &'static str, variable: Option<&'static str>) -> Self {
        Self {
            is_address: true,
            ..Self::text(name, variable)
        }
    }

    pub const fn secret(name: &'static str, variable: Option<&'static str>) -> Self {
        Self {
            is_secret: true,
            ..Self::text(name, variable)
        }
    }
}

/// Where the settings of a channel were read.
#[derive(Debug, Clone)]
pub enum SettingsLocation {
    /// In `CHANNELS`. Contains the name of the channel in backticks, or its number.
    List(String),
    /// In the variables `SLACK_*` or `FLOWDOCK_*`.
    Variables,
}

/// One setting as `ecs-parrot config` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownSetting {
    pub name: &'static str,
    /// Without secrets.
    pub value: String,
    /// `CHANNELS`, a variable, or `default`.
    pub source: String,
}

/// The settings of one channel.
pub struct Settings<'a> {
    location: SettingsLocation,
    definitions: &'static [SettingDefinition],
    values: BTreeMap<&'static str, Value>,
    problems: &'a mut Vec<Problem>,
}

/// The allowed references to a secret, for error messages.
const REFERENCES: &str = "`ssm:/path`, `secretsmanager:ID` or `secretsmanager:ID:KEY`";

impl<'a> Settings<'a> {
    pub fn new(
        location: SettingsLocation,
        definitions: &'static [SettingDefinition],
        values: BTreeMap<&'static str, Value>,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        Self {
            location,
            definitions,
            values,
            problems,
        }
    }

    /// A text. An empty text counts as unset.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let text = self.any_text(name);
        self.without_secret(name, text)
    }

    /// The text of a setting that may also be a map. `allowed` names both forms.
    pub fn text_beside_map(&mut self, name: &'static str, allowed: &str) -> Option<String> {
        let text = self.text_or(name, "neither a text nor a map", allowed);
        self.without_secret(name, text)
    }

    fn without_secret(&mut self, name: &'static str, text: Option<String>) -> Option<String> {
        let text = text?;
        if is_address_or_token(&text) {
            let problem = "it looks like a secret, but the value of this setting is not hidden";
            self.problem(name, problem, "a text without a secret");
            return None;
        }
        Some(text)
    }

    /// An object. `None` if the setting is missing or has another type.
    pub fn object(&mut self, name: &'static str) -> Option<Map<String, Value>> {
        self.values.get(name)?.as_object().cloned()
    }

    /// An address. The channel type must check it.
    pub fn address(&mut self, name: &'static str) -> Option<String> {
        self.any_text(name)
    }

    /// A secret or a reference to one. `check` reports what is wrong with the secret, without showing it.
    pub fn secret(
        &mut self,
        name: &'static str,
        check: impl Fn(&str) -> Result<(), &'static str>,
        allowed: &str,
    ) -> Option<SecretSource> {
        let text = self.any_text(name)?;
        self.secret_of(name, text, check, allowed)
    }

    /// A secret, or a list of at most so many, each of which may be a reference.
    pub fn secrets(
        &mut self,
        name: &'static str,
        most: usize,
        check: impl Fn(&str) -> Result<(), &'static str>,
        allowed: &str,
    ) -> Option<Vec<SecretSource>> {
        let Some(Value::Array(items)) = self.values.get(name) else {
            return Some(vec![self.secret(name, check, allowed)?]);
        };
        let texts = items.iter().map(|it| it.as_str().map(str::to_owned));
        let texts: Option<Vec<_>> = texts.collect();
        let Some(texts) = texts.filter(|it| (1..=most).contains(&it.len())) else {
            self.problem(
                name,
                "a list that is empty or too long, or that has other things than texts",
                allowed,
            );
            return None;
        };
        let secrets = texts.into_iter().map(|text| {
            let text = text.trim().to_owned();
            self.secret_of(name, text, &check, allowed)
        });
        secrets.collect()
    }

    fn secret_of(
        &mut self,
        name: &'static str,
        text: String,
        check: impl Fn(&str) -> Result<(), &'static str>,
        allowed: &str,
    ) -> Option<SecretSource> {
        let secret = Secret::new(text);
        let source = SecretSource::read(&secret);
        let checked = match &source {
            Ok(SecretSource::Inline(secret)) => check(secret.expose()),
            Ok(SecretSource::Reference(_)) => Ok(()),
            Err(problem) => Err(*problem),
        };
        let mut allowed = format!("{allowed}, {REFERENCES}");
        if !self.is_in_list() {
            allowed.push_str(", or DISABLED");
        }
        if let Err(problem) = checked {
            self.problem(name, problem, &allowed);
            return None;
        }
        source.ok()
    }

    /// Notes a problem if a required setting is missing in `CHANNELS`. If a variable is missing, there is only no channel
    /// `slack` or `flowdock`.
    pub fn require<T>(&mut self, name: &'static str, value: Option<T>, allowed: &str) -> Option<T> {
        let is_given = self.values.get(name).is_some_and(|it| !is_unset(it));
        if self.is_in_list() && value.is_none() && !is_given {
            self.problem(name, "it is missing", allowed);
        }
        value
    }

    /// Whether the channel is one of `CHANNELS`, and not of the older variables.
    pub fn is_in_list(&self) -> bool {
        matches!(self.location, SettingsLocation::List(_))
    }

    pub fn problem(&mut self, name: &str, problem: &str, allowed: &str) {
        let variable = self.location_of(name);
        self.problems
            .push(Problem::new(&variable, problem, allowed));
    }

    fn location_of(&self, name: &str) -> String {
        match &self.location {
            SettingsLocation::List(channel) => format!("CHANNELS, {channel}, `{name}`"),
            SettingsLocation::Variables => {
                let definition = self.definitions.iter().find(|it| it.name == name);
                let variable = definition.and_then(|it| it.variable);
                variable.unwrap_or(name).to_owned()
            }
        }
    }

    fn any_text(&mut self, name: &'static str) -> Option<String> {
        self.text_or(name, "not a text", "a text")
    }

    /// The text, or a problem in these words if it is something else.
    fn text_or(&mut self, name: &'static str, problem: &str, allowed: &str) -> Option<String> {
        match self.values.get(name)? {
            value if is_unset(value) => None,
            Value::String(text) => Some(text.trim().to_owned()),
            _ => {
                self.problem(name, problem, allowed);
                None
            }
        }
    }
}

/// An empty secret, for a channel without a configuration.
pub(super) fn no_secret() -> SecretSource {
    SecretSource::Inline(Secret::new(String::new()))
}

/// `null` and the empty text count as unset.
pub fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// The settings as `ecs-parrot config` shows them. Of a secret, only its reference is shown.
pub fn shown(
    location: &SettingsLocation,
    definitions: &'static [SettingDefinition],
    values: &BTreeMap<&'static str, Value>,
) -> Vec<ShownSetting> {
    let shown = definitions.iter().map(|definition| {
        let value = values.get(definition.name).filter(|it| !is_unset(it));
        let text = value.and_then(Value::as_str).unwrap_or_default();
        ShownSetting {
            name: definition.name,
            value: match value {
                None => definition.default.to_owned(),
                Some(Value::Array(items)) if definition.is_secret => shown_secrets(items),
                Some(_) if definition.is_secret => shown_secret(text),
                Some(_) if definition.is_address => shown_address(text),
                Some(value @ Value::Object(_)) => shown_object(value),
                Some(_) if may_be_secret(text) => REDACTED.to_owned(),
                Some(_) => text.to_owned(),
            },
            source: match (value, location) {
                (None, _) => "default".to_owned(),
                (Some(_), SettingsLocation::List(_)) => "CHANNELS".to_owned(),
                (Some(_), SettingsLocation::Variables) => {
                    definition.variable.unwrap_or_default().to_owned()
                }
            },
        }
    });
    shown.collect()
}

/// The JSON of a setting that is an object, such as a pattern. Nothing in it may be an address or a token.
pub fn shown_object(value: &Value) -> String {
    match has_secret(value) {
        true => REDACTED.to_owned(),
        false => value.to_string(),
    }
}

fn has_secret(value: &Value) -> bool {
    match value {
        Value::String(text) => is_address_or_token(text),
        Value::Array(values) => values.iter().any(has_secret),
        Value::Object(fields) => fields
            .iter()
            .any(|(key, value)| is_address_or_token(key) || has_secret(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The reference to a secret. A secret itself is redacted.
pub fn shown_secret(text: &str) -> String {
    match SecretSource::read(&Secret::new(text.to_owned())) {
        Ok(SecretSource::Reference(reference)) => reference.to_string(),
        Ok(SecretSource::Inline(_)) | Err(_) => REDACTED.to_owned(),
    }
}

fn shown_secrets(items: &[Value]) -> String {
    let texts = items.iter().map(|it| it.as_str().unwrap_or_default());
    texts.map(shown_secret).collect::<Vec<_>>().join(", ")
}

/// An address without its path and query, which may be a secret.
pub fn shown_address(text: &str) -> String {
    let Some(url) = Url::parse(text).ok().filter(Url::has_host) else {
        return REDACTED.to_owned();
    };
    let port = url.port().map(|it| format!(":{it}")).unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    format!("{}://{host}{port}", url.scheme())
}

/// The problem of an unknown setting, with a known name that is similar.
pub fn unknown(location: &str, name: &str, known: &[&str]) -> Problem {
    Problem {
        variable: location.to_owned(),
        problem: match may_be_secret(name) {
            true => "it contains an unknown setting".to_owned(),
            false => format!("`{}` is not a known setting", name.escape_debug()),
        },
        remedy: match nearest(name, known.iter().copied()) {
            Some(meant) => Remedy::DidYouMean(meant.to_owned()),
            None => Remedy::Allowed(known.join(", ")),
        },
    }
}

/// An address, or a Slack token: neither belongs in a setting whose value is shown.
pub fn is_address_or_token(text: &str) -> bool {
    text.contains("://") || text.to_ascii_lowercase().starts_with("xox")
}
