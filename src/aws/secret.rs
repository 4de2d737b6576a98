//! Secret values, which are used but never shown.

use std::fmt;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// A text whose `Debug` does not show it, and that has no `Display`.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub struct Secret(SecretString);

/// Replaces a secret in a text.
pub const REDACTED: &str = "[redacted]";

/// Parts of a secret that are shorter than this are not secret by themselves (`v1`, `chat`).
const MIN_PART_LENGTH: usize = 8;

impl Secret {
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Removes this secret and its parts from a text of another program: servers often repeat what they received.
    pub fn redact(&self, text: &str) -> String {
        let secret = self.expose();
        // Most answers are one short word, which needs no search.
        if text.len() < MIN_PART_LENGTH.min(secret.len()) {
            return text.to_owned();
        }
        // A server may repeat a part of an address as it was before its encoding.
        let decoded = percent_decode_str(secret).decode_utf8_lossy();
        let parts = [secret, &decoded].into_iter().flat_map(|text| {
            text.split(['/', '?', '&', '='])
                .filter(|part| part.len() >= MIN_PART_LENGTH)
        });
        [secret, &decoded]
            .into_iter()
            .chain(parts)
            .filter(|part| !part.is_empty())
            .fold(text.to_owned(), |text, part| text.replace(part, REDACTED))
    }
}

/// A secret, or a reference to it.
#[derive(Debug, Clone)]
pub enum SecretSource {
    Inline(Secret),
    Reference(Reference),
}

/// The place where a secret is stored. The name of the place is not secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// `ssm:/ops/webhook`, in the Parameter Store of AWS Systems Manager.
    Parameter(String),
    /// `secretsmanager:ID` or `secretsmanager:ID:KEY`. The key is one of the secret's JSON object.
    SecretsManager { id: String, key: Option<String> },
}

impl SecretSource {
    /// # Errors
    ///
    /// The problem of a text that begins like a reference but is not a valid one.
    pub fn read(secret: &Secret) -> Result<Self, &'static str> {
        let text = secret.expose().trim();
        match Reference::read(text) {
            Some(reference) => reference.map(Self::Reference),
            None => Ok(Self::Inline(Secret::new(text.to_owned()))),
        }
    }
}

impl From<Secret> for SecretSource {
    fn from(secret: Secret) -> Self {
        Self::Inline(secret)
    }
}

impl Reference {
    fn read(text: &str) -> Option<Result<Self, &'static str>> {
        let is_name = |name: &str| !name.is_empty() && !name.contains(char::is_whitespace);
        let reference = if let Some(name) = text.strip_prefix("ssm:") {
            is_name(name).then(|| Self::Parameter(name.to_owned()))
        } else {
            let place = text.strip_prefix("secretsmanager:")?;
            // An ARN itself contains six colons.
            let in_arn = if place.starts_with("arn:") { 6 } else { 0 };
            let (id, key) = match place.match_indices(':').nth(in_arn) {
                Some((end, _)) => (&place[..end], Some(place[end + 1..].to_owned())),
                None => (place, None),
            };
            let has_key = key.as_deref().is_none_or(is_name);
            (is_name(id) && has_key).then(|| Self::SecretsManager {
                id: id.to_owned(),
                key,
            })
        };
        Some(reference.ok_or("it does not name a parameter or a secret"))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(name) => write!(f, "ssm:{name}"),
            Self::SecretsManager { id, key: None } => write!(f, "secretsmanager:{id}"),
            Self::SecretsManager { id, key: Some(key) } => write!(f, "secretsmanager:{id}:{key}"),
        }
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// A secret is read from a configuration, but never written into one.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_a_secret() {
        let secret = Secret::new("xoxb-very-secret".to_owned());
        assert!(!format!("{secret:?} {secret:#?}").contains("xoxb"));
    }

    #[test]
    fn references_are_read() {
        let read = |text: &str| match SecretSource::read(&Secret::new(text.to_owned())) {
            Ok(SecretSource::Reference(reference)) => reference.to_string(),
            Ok(SecretSource::Inline(_)) => "inline".to_owned(),
            Err(problem) => problem.to_owned(),
        };
        let arn = "secretsmanager:arn:aws:secretsmanager:eu-west-1:210987654321:secret:chat-Qm4xZr";
        for text in [
            "ssm:/ops/webhook",
            "secretsmanager:chat",
            "secretsmanager:chat:slack",
            arn,
            &format!("{arn}:slack"),
        ] {
            assert_eq!(read(text), text);
        }
        for text in [
            "ssm:",
            "ssm:a b",
            "secretsmanager:",
            "secretsmanager:chat:",
            "secretsmanager::slack",
        ] {
            assert_eq!(
                read(text),
                "it does not name a parameter or a secret",
                "{text}"
            );
        }
        assert_eq!(read("https://hooks.example/ssm:/x"), "inline");
        let Ok(SecretSource::Reference(Reference::SecretsManager { id, key })) =
            SecretSource::read(&Secret::new(format!("{arn}:slack")))
        else {
            panic!("{arn}");
        };
        assert_eq!(
            (format!("secretsmanager:{id}"), key.as_deref()),
            (arn.to_owned(), Some("slack"))
        );
    }

    #[test]
    fn a_secret_and_its_parts_are_redacted() {
        let secret =
            Secret::new("https://hooks.example/services/T0000/B0000/abcdefgh1234".to_owned());
        let echoed = "no route /services/T0000/B0000/abcdefgh1234 here";
        assert_eq!(
            secret.redact(echoed),
            "no route /[redacted]/T0000/B0000/[redacted] here"
        );
        assert_eq!(secret.redact(secret.expose()), REDACTED);
    }
}
