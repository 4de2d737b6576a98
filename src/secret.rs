//! A value that opens something: it is used, never shown.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// Text whose `Debug` says nothing, and which has no `Display`.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub struct Secret(SecretString);

/// What stands where a secret would.
pub const REDACTED: &str = "[redacted]";

/// Parts of a secret shorter than this are no secret by themselves (`v1`, `chat`).
const SHORTEST_PART: usize = 8;

impl Secret {
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// A text of somebody else's with this secret and its parts taken out: servers echo what they are sent.
    pub fn redact(&self, text: &str) -> String {
        let secret = self.expose();
        let parts = secret
            .split(['/', '?', '&', '='])
            .filter(|part| part.len() >= SHORTEST_PART);
        std::iter::once(secret)
            .chain(parts)
            .filter(|part| !part.is_empty())
            .fold(text.to_owned(), |text, part| text.replace(part, REDACTED))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// A secret is read from a configuration and never written into one.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_print() {
        let secret = Secret::new("xoxb-very-secret".to_owned());
        assert!(!format!("{secret:?} {secret:#?}").contains("xoxb"));
    }

    #[test]
    fn neither_whole_nor_in_parts() {
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
