//! Parameter Store and Secrets Manager: values by name.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, FakeAws, Refusal};

#[derive(Default)]
pub(super) struct Secrets(BTreeMap<String, String>);

impl FakeAws {
    /// Sets the value of a parameter or a secret.
    pub(crate) fn secret(&self, name: &str, value: &str) {
        self.state()
            .secrets
            .0
            .insert(name.to_owned(), value.to_owned());
    }
}

impl Secrets {
    pub(super) fn act(&self, body: &Value) -> Answer {
        let parameter = body["Name"].as_str();
        let name = parameter.or(body["SecretId"].as_str()).unwrap();
        let value = self.0.get(name);
        match (value, parameter) {
            (Some(value), Some(_)) => {
                assert_eq!(body["WithDecryption"], true);
                Ok(json!({"Parameter": {"Name": name, "Type": "SecureString", "Value": value}}))
            }
            (Some(value), None) => Ok(json!({"Name": name, "SecretString": value})),
            (None, Some(_)) => Err(Refusal::new("ParameterNotFound", "")),
            (None, None) => Err(Refusal::new(
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            )),
        }
    }
}
