//! The variables of one program, as texts.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Problem;
use super::misspelt::{self, Stakes};

/// A struct of optional texts, whose fields are the variables in small letters.
pub(super) trait Variables: Default + Serialize + DeserializeOwned {
    /// What depends on them.
    const STAKES: Stakes;

    /// Texts only, so that no value can be of a wrong type here. Only our own names as they are written: envy
    /// reads any spelling, and `drop` in somebody's shell is not ours.
    fn read(environment: &[(String, String)], problems: &mut Vec<Problem>) -> Self {
        read(&names_of::<Self>(), environment, problems)
    }

    /// The same, and says what is set and was surely meant to be one of them.
    fn read_all(
        environment: &[(String, String)],
        problems: &mut Vec<Problem>,
        warnings: &mut Vec<String>,
    ) -> Self {
        let own = names_of::<Self>();
        misspelt::check(&own, &Self::STAKES, environment, problems, warnings);
        read(&own, environment, problems)
    }

    fn entries(&self) -> Vec<(String, Option<String>)> {
        entries(self)
    }
}

fn read<T: Default + DeserializeOwned>(
    own: &[String],
    environment: &[(String, String)],
    problems: &mut Vec<Problem>,
) -> T {
    let set = environment
        .iter()
        .filter(|(name, value)| own.contains(name) && !value.trim().is_empty());
    for (name, value) in set.clone() {
        if value.contains(char::REPLACEMENT_CHARACTER) {
            problems.push(Problem::new(name, "it is not valid Unicode", "UTF-8 text"));
        }
    }
    envy::from_iter(set.cloned()).unwrap_or_else(|error| {
        problems.push(Problem::new(
            "environment",
            &error.to_string(),
            "each variable once",
        ));
        T::default()
    })
}

fn entries(variables: &impl Serialize) -> Vec<(String, Option<String>)> {
    match serde_json::to_value(variables) {
        Ok(Value::Object(entries)) => entries
            .into_iter()
            .map(|(name, value)| (name.to_uppercase(), value.as_str().map(str::to_owned)))
            .collect(),
        Ok(_) | Err(_) => Vec::new(),
    }
}

/// Every variable of a struct of them.
pub fn names_of<T: Default + Serialize>() -> Vec<String> {
    let names = entries(&T::default()).into_iter();
    names.map(|(name, _)| name).collect()
}
