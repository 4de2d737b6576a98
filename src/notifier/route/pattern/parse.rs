//! Reads a pattern, within bounds.

use serde_json::{Map, Value};

use super::error::{OPERATORS, PatternError, PatternProblem};
use super::numeric::Range;
use super::text::{Case, TextTest, Wildcard};
use super::{Clause, Pattern, Scalar, ValueTest};
use crate::text::spelling::nearest;

/// The longest pattern as JSON, in bytes. EventBridge takes 4,096 characters where its quota was raised.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>
const LONGEST: usize = 4_096;

/// The most objects within each other.
const DEEPEST: usize = 8;

/// The most combinations of all `$or`. EventBridge has the same limit.
const MOST_COMBINATIONS: usize = 1_000;

/// The name of the alternatives.
const OR: &str = "$or";

pub(super) fn pattern(value: &Value) -> Result<Pattern, PatternError> {
    let Value::Object(object) = value else {
        return Err(PatternProblem::NotAnObject.at(""));
    };
    if value.to_string().len() > LONGEST {
        return Err(PatternProblem::TooLong(LONGEST).at(""));
    }
    let pattern = Place::ROOT.read(object)?;
    match pattern.combinations() > MOST_COMBINATIONS {
        true => Err(PatternProblem::TooManyCombinations(MOST_COMBINATIONS).at("")),
        false => Ok(pattern),
    }
}

impl Pattern {
    /// The number of alternatives that `$or` makes.
    pub(super) fn combinations(&self) -> usize {
        let of_clause = |it: &Clause| match it {
            Clause::Field { .. } => 1,
            Clause::Or { branches, .. } => {
                let counts = branches.iter().map(Self::combinations);
                counts.fold(0, usize::saturating_add)
            }
        };
        let counts = self.clauses.iter().map(of_clause);
        counts.fold(1, usize::saturating_mul)
    }
}

/// Where an object of a pattern is.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    /// The field that the object's keys continue: `tags.`. Empty at the beginning.
    field: &'a str,
    /// The path in the pattern, which also says which alternative of an `$or` it is.
    path: &'a str,
    depth: usize,
}

impl Place<'_> {
    const ROOT: Self = Place {
        field: "",
        path: "",
        depth: 1,
    };

    fn read(self, object: &Map<String, Value>) -> Result<Pattern, PatternError> {
        if object.is_empty() {
            return Err(PatternProblem::Empty.at(self.path));
        }
        if self.depth > DEEPEST {
            return Err(PatternProblem::TooDeep.at(self.path));
        }
        let mut clauses = Vec::new();
        for (key, value) in object {
            let path = joined(self.path, key);
            match (key.as_str(), value) {
                (OR, _) => clauses.push(self.alternatives(&path, value)?),
                (_, Value::Object(inner)) => {
                    let within = Place {
                        field: &joined(self.field, key),
                        path: &path,
                        depth: self.depth + 1,
                    };
                    clauses.extend(within.read(inner)?.clauses);
                }
                (_, _) => clauses.push(Clause::Field {
                    field: joined(self.field, key),
                    tests: tests(&path, value)?,
                    path,
                    written: value.clone(),
                }),
            }
        }
        Ok(Pattern { clauses })
    }

    fn alternatives(self, path: &str, value: &Value) -> Result<Clause, PatternError> {
        let objects = value.as_array().filter(|it| it.len() >= 2);
        let objects = objects.ok_or_else(|| PatternProblem::NotOr.at(path))?;
        let mut branches = Vec::new();
        for (index, object) in objects.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let object = object.as_object();
            let object = object.ok_or_else(|| PatternProblem::NotAnObject.at(&path))?;
            let within = Place {
                field: self.field,
                path: &path,
                depth: self.depth + 1,
            };
            branches.push(within.read(object)?);
        }
        Ok(Clause::Or {
            path: path.to_owned(),
            branches,
            written: value.clone(),
        })
    }
}

fn joined(path: &str, key: &str) -> String {
    match path.is_empty() {
        true => key.to_owned(),
        false => format!("{path}.{key}"),
    }
}

fn tests(path: &str, value: &Value) -> Result<Vec<ValueTest>, PatternError> {
    let values = value.as_array();
    let values = values.ok_or_else(|| PatternProblem::NotAList.at(path))?;
    if values.is_empty() {
        return Err(PatternProblem::EmptyList.at(path));
    }
    let numbered = values.iter().enumerate();
    numbered
        .map(|(index, value)| test(&format!("{path}[{index}]"), value))
        .collect()
}

fn test(path: &str, value: &Value) -> Result<ValueTest, PatternError> {
    let Value::Object(object) = value else {
        let scalar = Scalar::read(value).ok_or_else(|| PatternProblem::ListInList.at(path))?;
        return Ok(ValueTest::Equals(scalar));
    };
    let (operator, operand) =
        single(object).ok_or_else(|| PatternProblem::NotOneOperator.at(path))?;
    let path = joined(path, operator);
    let test = match operator {
        "exists" => match operand {
            Value::Bool(exists) => Ok(ValueTest::Exists(*exists)),
            _ => Err(wrong("exists", "true or false")),
        },
        "numeric" => Range::read(operand).map(ValueTest::Numeric),
        "anything-but" => anything_but(operand),
        "cidr" => Err(PatternProblem::Cidr),
        _ => text_test(operator, operand).map(ValueTest::Text),
    };
    test.map_err(|problem| problem.at(&path))
}

fn single(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = object.iter();
    let (key, value) = entries.next()?;
    entries.next().is_none().then_some((key.as_str(), value))
}

fn wrong(operator: &'static str, allowed: &'static str) -> PatternProblem {
    PatternProblem::WrongOperand { operator, allowed }
}

fn text_test(operator: &str, operand: &Value) -> Result<TextTest, PatternProblem> {
    const EITHER: &str = "a text, or `{\"equals-ignore-case\": \"text\"}`";
    let text = |operator, allowed| operand.as_str().ok_or_else(|| wrong(operator, allowed));
    match operator {
        "prefix" => {
            let (text, case) = with_case(operand).ok_or_else(|| wrong("prefix", EITHER))?;
            Ok(TextTest::Prefix(text.to_owned(), case))
        }
        "suffix" => {
            let (text, case) = with_case(operand).ok_or_else(|| wrong("suffix", EITHER))?;
            Ok(TextTest::Suffix(text.to_owned(), case))
        }
        "wildcard" => {
            let text = text("wildcard", "a text with `*`")?;
            Wildcard::read(text).map(TextTest::Wildcard)
        }
        "equals-ignore-case" => {
            let text = text("equals-ignore-case", "a text")?;
            Ok(TextTest::EqualsIgnoreCase(text.to_owned()))
        }
        other => Err(PatternProblem::UnknownOperator {
            nearest: nearest(other, OPERATORS),
        }),
    }
}

/// `"text"`, or `{"equals-ignore-case": "text"}`.
fn with_case(operand: &Value) -> Option<(&str, Case)> {
    if let Value::String(text) = operand {
        return Some((text, Case::Matters));
    }
    let (operator, text) = single(operand.as_object()?)?;
    let text = text.as_str().filter(|_| operator == "equals-ignore-case")?;
    Some((text, Case::Ignored))
}

/// EventBridge takes a text, a number, a list of one of them, or one operator with a text or a list of texts.
fn anything_but(operand: &Value) -> Result<ValueTest, PatternProblem> {
    const ALLOWED: &str = "a text, a number, a list of texts or of numbers, or one of `prefix`, `suffix`, `wildcard`, `equals-ignore-case` with a text or a list of texts";
    let wrong = || wrong("anything-but", ALLOWED);
    let Value::Object(object) = operand else {
        let values = one_or_more(operand).ok_or_else(wrong)?;
        let are_texts = values.iter().all(Value::is_string);
        let are_numbers = values.iter().all(Value::is_number);
        let values: Option<Vec<_>> = values.iter().map(Scalar::read).collect();
        return values
            .filter(|_| are_texts || are_numbers)
            .map(ValueTest::NoneOf)
            .ok_or_else(wrong);
    };
    let (operator, operand) = single(object).ok_or(PatternProblem::NotOneOperator)?;
    if ["anything-but", "exists", "numeric", "cidr"].contains(&operator) {
        return Err(wrong());
    }
    let operands = one_or_more(operand).ok_or_else(wrong)?;
    let tests: Result<Vec<_>, _> = operands.iter().map(|it| text_test(operator, it)).collect();
    tests.map(ValueTest::NoText)
}

/// A value, or the values of a list that is not empty.
fn one_or_more(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(values) => Some(values.as_slice()).filter(|it| !it.is_empty()),
        _ => Some(std::slice::from_ref(value)),
    }
}
