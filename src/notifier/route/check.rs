//! Finds patterns that can never match, or that match everything. They are mistakes, so they stop the start.

use std::collections::BTreeMap;

use super::fields::{RouteField, Values};
use super::pattern::{
    Alternative, Case, Clause, FieldTests, Pattern, PatternError, PatternProblem, Scalar, TextTest,
    ValueTest,
};
use crate::ecs::arn::is_account;

/// The values that some fields are known to have, because of other settings.
pub(super) type KnownValues = BTreeMap<RouteField, Vec<Scalar>>;

/// Everything that is wrong with a pattern that could be read.
pub(super) fn check(pattern: &Pattern) -> Vec<PatternError> {
    let mut errors = Vec::new();
    check_clauses(pattern, &mut errors);
    if errors.is_empty() {
        let alternatives = pattern.alternatives();
        let contradictions = alternatives.iter().map(contradiction);
        let contradictions: Option<Vec<_>> = contradictions.collect();
        let first = contradictions.and_then(|it| it.into_iter().next());
        errors.extend(first.map(|it| {
            let field = it.to_owned();
            PatternProblem::Contradiction { field }.at(it)
        }));
    }
    errors
}

fn check_clauses(pattern: &Pattern, errors: &mut Vec<PatternError>) {
    for clause in &pattern.clauses {
        match clause {
            Clause::Or { branches, .. } => branches.iter().for_each(|it| check_clauses(it, errors)),
            Clause::Field {
                field, path, tests, ..
            } => match RouteField::of_path(field) {
                Ok(known) => {
                    let checked = CheckedField {
                        name: field,
                        field: known,
                        values: known.values(),
                    };
                    let found = tests.iter().enumerate().filter_map(|(index, test)| {
                        let problem = checked.check(test)?;
                        Some(problem.at(&format!("{path}[{index}]")))
                    });
                    errors.extend(found);
                }
                Err(problem) => errors.push(problem.at(path)),
            },
        }
    }
}

/// A field that a clause names.
struct CheckedField<'a> {
    name: &'a str,
    field: RouteField,
    values: Values,
}

impl CheckedField<'_> {
    fn check(&self, test: &ValueTest) -> Option<PatternProblem> {
        let field = self.name.to_owned();
        match (test, &self.values) {
            (ValueTest::Exists(false), _) if self.field.is_always_there() => {
                Some(PatternProblem::NeverAbsent { field })
            }
            (ValueTest::Exists(_), _) => None,
            (ValueTest::Numeric(_), Values::Flag) => Some(PatternProblem::NotBool { field }),
            (ValueTest::Numeric(_), _) => Some(PatternProblem::NumericOnText { field }),
            (ValueTest::Equals(value), _) => self.check_value(value),
            (ValueTest::Text(_) | ValueTest::NoText(_), Values::Flag) => {
                Some(PatternProblem::NotBool { field })
            }
            (ValueTest::Text(_), _) => self.check_operator(test),
            (ValueTest::NoText(tests), _) => self
                .check_excluded(tests)
                .or_else(|| self.check_operator(test)),
            (ValueTest::NoneOf(values), _) => {
                let mut problems = values.iter().filter_map(|it| self.check_value(it));
                problems.next().or_else(|| self.check_operator(test))
            }
        }
    }

    fn check_value(&self, value: &Scalar) -> Option<PatternProblem> {
        let field = self.name.to_owned();
        match (value, &self.values) {
            (Scalar::Null, _) => Some(PatternProblem::NullValue),
            (Scalar::Bool(_), Values::Flag) => None,
            (_, Values::Flag) => Some(PatternProblem::NotBool { field }),
            (Scalar::Bool(_) | Scalar::Number(_), _) => Some(PatternProblem::NotText { field }),
            (Scalar::Text(text), Values::Account) => {
                (!is_account(text)).then_some(PatternProblem::NotAnAccount)
            }
            (Scalar::Text(_), Values::Any) => None,
            (Scalar::Text(text), Values::Closed(words)) => {
                let is_known = words.contains(&text.as_str());
                (!is_known).then(|| self.unknown(text))
            }
            (Scalar::Text(text), Values::Known(words)) => {
                let is_known = words.contains(&text.as_str());
                let is_misspelt = self.values.meant(text).is_some() || self.is_no_cause(text);
                (!is_known && is_misspelt).then(|| self.unknown(text))
            }
        }
    }

    /// The names of events, health checks and errors, which may be causes, have capital letters.
    fn is_no_cause(&self, text: &str) -> bool {
        self.field == RouteField::Cause && !text.chars().any(char::is_uppercase)
    }

    fn unknown(&self, text: &str) -> PatternProblem {
        PatternProblem::UnknownValue {
            field: self.name.to_owned(),
            nearest: self.values.meant(text),
            allowed: match self.field {
                RouteField::Cause => format!(
                    "{}, or the name of an event, a health check or an error, `SERVICE_TASK_PLACEMENT_FAILURE`",
                    self.values.in_words()
                ),
                _ => self.values.in_words(),
            },
        }
    }

    /// A test that no value of a closed field passes.
    fn check_operator(&self, test: &ValueTest) -> Option<PatternProblem> {
        let all = self.values.all()?;
        let field = self.name.to_owned();
        let allowed = self.values.in_words();
        if all.iter().any(|it| test.matches_value(it)) {
            return None;
        }
        Some(match test {
            ValueTest::NoneOf(_) | ValueTest::NoText(_) => {
                PatternProblem::ExcludesAll { field, allowed }
            }
            ValueTest::Equals(_)
            | ValueTest::Text(_)
            | ValueTest::Exists(_)
            | ValueTest::Numeric(_) => PatternProblem::NoValueMatches { field, allowed },
        })
    }

    /// An `anything-but` that excludes no value of a closed field.
    fn check_excluded(&self, tests: &[TextTest]) -> Option<PatternProblem> {
        let all = self.values.all()?;
        let excludes = |test: &TextTest| {
            let mut texts = all.iter().filter_map(Scalar::text);
            texts.any(|it| test.matches(it))
        };
        (!tests.iter().all(excludes)).then(|| PatternProblem::NoValueMatches {
            field: self.name.to_owned(),
            allowed: self.values.in_words(),
        })
    }
}

/// A field of which an alternative asks two things that no value has.
fn contradiction<'a>(alternative: &Alternative<'a>) -> Option<&'a str> {
    let mut by_field: BTreeMap<&str, Vec<&[ValueTest]>> = BTreeMap::new();
    for clause in alternative {
        by_field.entry(clause.field).or_default().push(clause.tests);
    }
    let mut asked = by_field.into_iter();
    asked
        .find(|(field, clauses)| clauses.len() > 1 && !may_match(field, clauses))
        .map(|(field, _)| field)
}

/// Whether a value, or the absence of the field, may pass all clauses. True if the possible values are not known.
fn may_match(field: &str, clauses: &[&[ValueTest]]) -> bool {
    let Ok(known) = RouteField::of_path(field) else {
        return true;
    };
    if known.is_list() {
        return true;
    }
    let passes = |values: &[Scalar]| {
        let mut clauses = clauses.iter();
        clauses.all(|tests| tests.iter().any(|it| it.matches(values)))
    };
    let named = clauses.iter().find_map(|tests| named_values(tests));
    match known.values().all().or(named) {
        Some(values) => passes(&[]) || values.into_iter().any(|it| passes(&[it])),
        None => {
            passes(&[])
                || !clauses
                    .iter()
                    .any(|tests| *tests == [ValueTest::Exists(false)])
        }
    }
}

/// The values that a clause names, if it takes no others.
fn named_values(tests: &[ValueTest]) -> Option<Vec<Scalar>> {
    let values = tests.iter().filter(|it| **it != ValueTest::Exists(false));
    let values = values.map(|it| match it {
        ValueTest::Equals(value) => Some(value.clone()),
        ValueTest::Text(_)
        | ValueTest::NoneOf(_)
        | ValueTest::NoText(_)
        | ValueTest::Exists(_)
        | ValueTest::Numeric(_) => None,
    });
    values.collect()
}

/// Whether `except` matches whatever `only` takes. Only simple cases are found.
pub(super) fn excepts_all(only: Option<&Pattern>, except: &Pattern, known: &KnownValues) -> bool {
    let taken = only.map_or_else(|| vec![Vec::new()], Pattern::alternatives);
    let refused = except.alternatives();
    let is_refused = |taken: &Alternative<'_>| {
        let mut refused = refused.iter();
        refused.any(|clauses| clauses.iter().all(|it| is_implied(it, taken, known)))
    };
    taken.iter().all(is_refused)
}

/// Whether a pattern may match, as far as the values of some fields are known.
pub(super) fn may_take(pattern: &Pattern, known: &KnownValues) -> bool {
    let passes = |clause: &FieldTests<'_>| match values_of(clause.field, known) {
        Some(values) => {
            let mut tests = clause.tests.iter();
            tests.any(|test| values.iter().any(|it| test.matches_value(it)))
        }
        None => true,
    };
    let alternatives = pattern.alternatives();
    alternatives.iter().any(|it| it.iter().all(passes))
}

fn values_of(field: &str, known: &KnownValues) -> Option<Vec<Scalar>> {
    let field = RouteField::of_path(field).ok()?;
    let values = known.get(&field).cloned();
    values.or_else(|| field.values().all().filter(|_| field.is_always_there()))
}

/// Whether a clause matches whenever an alternative does.
fn is_implied(clause: &FieldTests<'_>, taken: &Alternative<'_>, known: &KnownValues) -> bool {
    let mut same = taken.iter().filter(|it| it.field == clause.field);
    if same.any(|it| it.tests.iter().all(|test| is_covered(test, clause.tests))) {
        return true;
    }
    let values = values_of(clause.field, known);
    values.is_some_and(|values| {
        let mut values = values.iter();
        values.all(|it| clause.tests.iter().any(|test| test.matches_value(it)))
    })
}

/// Whether what passes a test passes one of the others too.
fn is_covered(test: &ValueTest, by: &[ValueTest]) -> bool {
    let covers = |other: &ValueTest| match (test, other) {
        (ValueTest::Exists(exists), ValueTest::Exists(other)) => exists == other,
        (ValueTest::Exists(_), _) => false,
        (_, ValueTest::Exists(exists)) => *exists,
        (ValueTest::Equals(value), other) => other.matches_value(value),
        (
            ValueTest::Text(TextTest::Prefix(long, Case::Matters)),
            ValueTest::Text(short @ TextTest::Prefix(_, _)),
        ) => short.matches(long),
        (
            ValueTest::Text(TextTest::Suffix(long, Case::Matters)),
            ValueTest::Text(short @ TextTest::Suffix(_, _)),
        ) => short.matches(long),
        (one, other) => one == other,
    };
    by.iter().any(covers)
}
