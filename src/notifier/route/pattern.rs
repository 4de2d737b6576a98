//! Event patterns in the language of Amazon EventBridge, as `only` and `except` of a channel have them.
//!
//! A pattern is an object. Each field has a list of tests, of which one must match; all fields must match. `$or` has
//! several objects, of which one must match.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>,
//! <https://github.com/aws/event-ruler>. `cidr` is refused: no fact of a route is an address.

mod alternatives;
mod error;
mod numeric;
mod parse;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use alternatives::{Alternative, FieldTests};
pub use error::{PatternError, PatternProblem};
pub use numeric::Range;
pub use text::{Case, TextTest, Wildcard};

/// What patterns are matched against: the values of each field, by its path (`tags.team`). A field without values is
/// absent. A field with several values matches if one of them does.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FieldValues {
    values: BTreeMap<String, Vec<Scalar>>,
    /// Where AWS was not asked, or did not answer: paths, or beginnings of paths with their dot (`tags.`).
    unknown: BTreeSet<&'static str>,
}

/// How a clause counts whose field has values that are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownField {
    CountsAsMatch,
    CountsAsMismatch,
}

impl FieldValues {
    /// A whole event as EventBridge sees it: a field for each value, by its path. A list is the values of its elements.
    pub fn of_event(event: &Value) -> Self {
        let mut fields = Self::default();
        fields.add("", event);
        fields
    }

    fn add(&mut self, path: &str, value: &Value) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    let path = match path {
                        "" => key.clone(),
                        path => format!("{path}.{key}"),
                    };
                    self.add(&path, value);
                }
            }
            Value::Array(values) => values.iter().for_each(|it| self.add(path, it)),
            scalar => {
                let values = self.values.entry(path.to_owned()).or_default();
                values.extend(Scalar::read(scalar));
            }
        }
    }

    /// Sets the values of a field. It is known from now on, even if it has none.
    pub fn set(&mut self, path: &str, values: Vec<Scalar>) {
        self.unknown.remove(path);
        self.values.insert(path.to_owned(), values);
    }

    /// Notes that the values of a field, or of all fields whose paths begin so, are not known.
    pub fn set_unknown(&mut self, path: &'static str) {
        self.unknown.insert(path);
    }

    /// Notes that all fields with this path or beginning are known.
    pub fn set_known(&mut self, path: &str) {
        self.unknown.remove(path);
    }

    /// Whether the values of a field, or of a beginning, are not known.
    pub fn is_unknown(&self, path: &str) -> bool {
        let mut unknown = self.unknown.iter();
        let is_it = |it: &&str| match it.ends_with('.') {
            true => path.starts_with(*it),
            false => path == *it,
        };
        unknown.any(is_it)
    }

    /// The values of a field. Empty if it is absent, or not known.
    pub fn get(&self, path: &str) -> &[Scalar] {
        self.values.get(path).map_or(&[][..], Vec::as_slice)
    }

    /// Every field that was set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Scalar])> {
        let values = self.values.iter();
        values.map(|(path, values)| (path.as_str(), values.as_slice()))
    }
}

/// A value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

impl Scalar {
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) => None,
        }
    }

    /// `None` if the value is a list or an object.
    pub fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Null),
            Value::Bool(flag) => Some(Self::Bool(*flag)),
            Value::Number(number) => number.as_f64().map(Self::Number),
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl From<&Scalar> for Value {
    fn from(scalar: &Scalar) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            Scalar::Bool(flag) => Self::Bool(*flag),
            Scalar::Number(number) => Self::from(*number),
            Scalar::Text(text) => Self::String(text.clone()),
        }
    }
}

/// A pattern. All of its clauses must match.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    pub clauses: Vec<Clause>,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub enum Clause {
    /// One of the tests must match the field.
    Field {
        /// The field: `tags.team`.
        field: String,
        /// Where the clause is: `tags.team`, `$or[1].tags.team`.
        path: String,
        tests: Vec<ValueTest>,
        /// The tests as they were written.
        written: Value,
    },
    /// One of the patterns must match.
    Or {
        /// Where the `$or` is.
        path: String,
        branches: Vec<Pattern>,
        /// The patterns as they were written.
        written: Value,
    },
}

/// A test of a field's value.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueTest {
    Equals(Scalar),
    Text(TextTest),
    /// The value is none of these.
    NoneOf(Vec<Scalar>),
    /// The value passes none of these tests.
    NoText(Vec<TextTest>),
    /// Whether the field is there.
    Exists(bool),
    Numeric(Range),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// The first clause that is wrong.
    pub fn read(value: &Value) -> Result<Self, PatternError> {
        parse::pattern(value)
    }

    pub fn matches(&self, fields: &FieldValues, unknown: UnknownField) -> bool {
        let mut clauses = self.clauses.iter();
        clauses.all(|it| it.matches(fields, unknown))
    }

    /// The clauses that do not match.
    pub fn unmatched<'a>(
        &'a self,
        fields: &'a FieldValues,
        unknown: UnknownField,
    ) -> impl Iterator<Item = &'a Clause> {
        let clauses = self.clauses.iter();
        clauses.filter(move |it| !it.matches(fields, unknown))
    }

    /// The paths of all fields that the pattern names.
    pub fn fields(&self) -> Vec<&str> {
        self.clauses.iter().flat_map(Clause::fields).collect()
    }
}

impl Clause {
    /// There is no negation above a clause. So if all unknown fields count as matches, the result is true whenever it
    /// might be true.
    pub fn matches(&self, fields: &FieldValues, unknown: UnknownField) -> bool {
        match self {
            Self::Field { field, .. } if fields.is_unknown(field) => {
                unknown == UnknownField::CountsAsMatch
            }
            Self::Field { field, tests, .. } => {
                tests.iter().any(|it| it.matches(fields.get(field)))
            }
            Self::Or { branches, .. } => branches.iter().any(|it| it.matches(fields, unknown)),
        }
    }

    fn fields(&self) -> Vec<&str> {
        match self {
            Self::Field { field, .. } => vec![field],
            Self::Or { branches, .. } => branches.iter().flat_map(Pattern::fields).collect(),
        }
    }

    /// Where the clause is: `cluster`, `$or`.
    pub fn path(&self) -> &str {
        match self {
            Self::Field { path, .. } | Self::Or { path, .. } => path,
        }
    }

    /// The tests as they were written.
    pub fn written(&self) -> &Value {
        match self {
            Self::Field { written, .. } | Self::Or { written, .. } => written,
        }
    }
}

impl ValueTest {
    /// Whether one of the values passes. An absent field has no values: only `exists: false` matches it.
    pub fn matches(&self, values: &[Scalar]) -> bool {
        match self {
            Self::Exists(exists) => *exists != values.is_empty(),
            Self::Equals(_)
            | Self::Text(_)
            | Self::NoneOf(_)
            | Self::NoText(_)
            | Self::Numeric(_) => values.iter().any(|it| self.matches_value(it)),
        }
    }

    /// Whether a value that is there passes.
    pub fn matches_value(&self, value: &Scalar) -> bool {
        match self {
            Self::Equals(wanted) => wanted == value,
            Self::Text(test) => value.text().is_some_and(|it| test.matches(it)),
            Self::NoneOf(refused) => !refused.contains(value),
            Self::NoText(refused) => !value
                .text()
                .is_some_and(|text| refused.iter().any(|it| it.matches(text))),
            Self::Exists(exists) => *exists,
            Self::Numeric(range) => match value {
                Scalar::Number(number) => range.contains(*number),
                Scalar::Null | Scalar::Bool(_) | Scalar::Text(_) => false,
            },
        }
    }
}
