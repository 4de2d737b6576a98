//! The settings of one channel, as they were given, and what is wrong with them.
//!
//! They stand in `CHANNELS`, or in variables of their own: `SLACK_*` and `FLOWDOCK_*`. A problem names the place as it
//! was written, and never shows a value that may be a secret.

use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::Value;

use crate::aws::secret::{REDACTED, Secret, SecretSource};
use crate::config::{Problem, Remedy};
use crate::text::spelling::nearest;

/// A setting that a type of channel has.
#[derive(Debug)]
pub struct SettingDefinition {
    pub name: &'static str,
    /// The variable of its own, where it has one.
    pub variable: Option<&'static str>,
    pub is_secret: bool,
    /// Shown without what may be a secret in it.
    pub is_address: bool,
    /// What holds without it.
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

    /// A text that is an address without a secret in it.
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

/// Where a channel's settings stand.
#[derive(Debug, Clone)]
pub enum Place {
    /// In `CHANNELS`, as this channel: its name in backticks, or its number.
    List(String),
    /// In variables of their own.
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
    pub place: Place,
    definitions: &'static [SettingDefinition],
    values: BTreeMap<&'static str, Value>,
    problems: &'a mut Vec<Problem>,
}

/// What stands in a secret's place to say that there is none.
pub const REFERENCES: &str = "`ssm:/path`, `secretsmanager:ID` or `secretsmanager:ID:KEY`";

impl<'a> Settings<'a> {
    pub fn new(
        place: Place,
        definitions: &'static [SettingDefinition],
        values: BTreeMap<&'static str, Value>,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        Self {
            place,
            definitions,
            values,
            problems,
        }
    }

    /// A text; empty is unset.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let text = self.any_text(name)?;
        if may_be_secret(&text) {
            let problem = "it looks like a secret, and this setting is shown";
            self.problem(name, problem, "a text that everybody may read");
            return None;
        }
        Some(text)
    }

    /// An address; what may be wrong with it is the type's own to check.
    pub fn address(&mut self, name: &'static str) -> Option<String> {
        self.any_text(name)
    }

    /// A secret, or where it is kept. `check` says what is wrong with the secret itself, without showing it.
    pub fn secret(
        &mut self,
        name: &'static str,
        check: impl Fn(&str) -> Result<(), &'static str>,
        allowed: &str,
    ) -> Option<SecretSource> {
        let text = self.any_text(name)?;
        let secret = Secret::new(text);
        let source = SecretSource::read(&secret);
        let checked = match &source {
            Ok(SecretSource::Inline(secret)) => check(secret.expose()),
            Ok(SecretSource::Reference(_)) => Ok(()),
            Err(problem) => Err(*problem),
        };
        let mut allowed = format!("{allowed}, {REFERENCES}");
        if matches!(self.place, Place::Variables) {
            allowed.push_str(", or DISABLED");
        }
        if let Err(problem) = checked {
            self.problem(name, problem, &allowed);
            return None;
        }
        source.ok()
    }

    /// Notes that a setting is missing without which nothing can be sent. Without their variables `slack` and
    /// `flowdock` are merely not there.
    pub fn require<T>(&mut self, name: &'static str, value: Option<T>, allowed: &str) -> Option<T> {
        let is_given = self.values.get(name).is_some_and(|it| !is_unset(it));
        if self.is_in_list() && value.is_none() && !is_given {
            self.problem(name, "it is missing", allowed);
        }
        value
    }

    pub fn is_in_list(&self) -> bool {
        matches!(self.place, Place::List(_))
    }

    pub fn problem(&mut self, name: &str, problem: &str, allowed: &str) {
        let variable = self.place_of(name);
        self.problems
            .push(Problem::new(&variable, problem, allowed));
    }

    fn place_of(&self, name: &str) -> String {
        match &self.place {
            Place::List(channel) => format!("CHANNELS, {channel}, `{name}`"),
            Place::Variables => {
                let definition = self.definitions.iter().find(|it| it.name == name);
                let variable = definition.and_then(|it| it.variable);
                variable.unwrap_or(name).to_owned()
            }
        }
    }

    fn any_text(&mut self, name: &'static str) -> Option<String> {
        match self.values.get(name)? {
            value if is_unset(value) => None,
            Value::String(text) => Some(text.trim().to_owned()),
            _ => {
                self.problem(name, "not a text", "a text");
                None
            }
        }
    }
}

/// What a channel without a configuration has in the place of a secret.
pub(super) fn no_secret() -> SecretSource {
    SecretSource::Inline(Secret::new(String::new()))
}

/// `null` and the empty text say nothing.
pub fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// How settings are shown: none of a secret but where it is kept.
pub fn shown(
    place: &Place,
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
                Some(_) if definition.is_secret => shown_secret(text),
                Some(_) if definition.is_address => shown_address(text),
                Some(_) => text.to_owned(),
            },
            source: match (value, place) {
                (None, _) => "default".to_owned(),
                (Some(_), Place::List(_)) => "CHANNELS".to_owned(),
                (Some(_), Place::Variables) => definition.variable.unwrap_or_default().to_owned(),
            },
        }
    });
    shown.collect()
}

/// Where a secret is kept, and nothing of one that is here.
pub fn shown_secret(text: &str) -> String {
    match SecretSource::read(&Secret::new(text.to_owned())) {
        Ok(SecretSource::Reference(reference)) => reference.to_string(),
        Ok(SecretSource::Inline(_)) | Err(_) => REDACTED.to_owned(),
    }
}

/// An address without what may be a secret in it.
pub fn shown_address(text: &str) -> String {
    let Some(url) = Url::parse(text).ok().filter(Url::has_host) else {
        return REDACTED.to_owned();
    };
    let port = url.port().map(|it| format!(":{it}")).unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    format!("{}://{host}{port}", url.scheme())
}

/// A name that no setting has, with the one that was meant.
pub fn unknown(place: &str, name: &str, known: &[&str]) -> Problem {
    Problem {
        variable: place.to_owned(),
        problem: match may_be_secret(name) {
            true => "it has a setting that does not exist".to_owned(),
            false => format!("it has no setting `{}`", name.escape_debug()),
        },
        remedy: match nearest(name, known.iter().copied()) {
            Some(meant) => Remedy::DidYouMean(meant.to_owned()),
            None => Remedy::Allowed(known.join(", ")),
        },
    }
}

/// An address, or a token of Slack's: neither has a place in a setting that is shown.
fn may_be_secret(text: &str) -> bool {
    text.contains("://") || (text.starts_with("xox") && text.contains('-'))
}
