//! Reads fields of a JSON object that may be missing, null, empty, or of another type.

use serde_json::Value;

use super::Time;

/// A JSON value that is read as an object. A value that is not an object has no fields.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(&'a Value);

impl<'a> Fields<'a> {
    pub fn new(value: &'a Value) -> Self {
        Self(value)
    }

    pub fn value(self) -> &'a Value {
        self.0
    }

    fn get(self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// A text, trimmed, unless it is empty. CloudTrail writes `""` for a missing value, and some of Docker's reasons
    /// end with a line break.
    pub fn text(self, key: &str) -> Option<String> {
        self.get(key).and_then(text)
    }

    pub fn texts(self, key: &str) -> Vec<String> {
        self.list(key)
            .into_iter()
            .filter_map(|item| text(item.0))
            .collect()
    }

    /// A whole number. ECS writes some numbers as texts.
    pub fn number(self, key: &str) -> Option<i64> {
        match self.get(key)? {
            Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub fn flag(self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.to_ascii_lowercase().parse().ok(),
            _ => None,
        }
    }

    pub fn time(self, key: &str) -> Option<Time> {
        self.text(key).map(Time::read)
    }

    pub fn object(self, key: &str) -> Self {
        static NOTHING: Value = Value::Null;
        Self(self.get(key).unwrap_or(&NOTHING))
    }

    pub fn list(self, key: &str) -> Vec<Self> {
        match self.get(key) {
            Some(Value::Array(items)) => items.iter().map(Self).collect(),
            _ => Vec::new(),
        }
    }

    pub fn is_present(self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

/// `1.0` is also a whole number.
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim())
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missing_and_unexpected_values_are_accepted() {
        let value = json!({
            "word": "x", "empty": "", "blank": " ", "null": null, "seven": 7, "eight": "8", "nine": 9.0,
            "yes": true, "no": "False", "list": ["a", 1, null, {}], "object": {"inner": "y"}
        });
        let fields = Fields::new(&value);
        assert_eq!(fields.text("word").as_deref(), Some("x"));
        for absent in ["empty", "blank", "null", "missing", "list", "object"] {
            assert_eq!(fields.text(absent), None, "{absent}");
        }
        assert_eq!(
            (fields.number("seven"), fields.number("eight")),
            (Some(7), Some(8))
        );
        assert_eq!(fields.number("word"), None);
        assert_eq!(
            (fields.flag("yes"), fields.flag("no")),
            (Some(true), Some(false))
        );
        assert_eq!(fields.texts("list"), ["a", "1"]);
        assert_eq!(fields.object("object").text("inner").as_deref(), Some("y"));
        assert_eq!(fields.object("word").text("inner"), None);
        assert!(fields.list("object").is_empty());
    }
}
