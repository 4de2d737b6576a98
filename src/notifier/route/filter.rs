//! `only` and `except` of a channel.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::EventRoute;
use super::check::{KnownValues, check, excepts_all, may_take};
use super::fields::{RouteField, TAGS};
use super::pattern::{
    Clause, FieldValues, Pattern, PatternError, PatternProblem, Scalar, UnknownField,
};

/// The settings of a channel that are patterns.
pub const SETTINGS: [&str; 2] = ["only", "except"];

/// How a clause counts in each of them whose field is not known.
const IN_ONLY: UnknownField = UnknownField::CountsAsMatch;
const IN_EXCEPT: UnknownField = UnknownField::CountsAsMismatch;

/// Which events a channel takes: those that match `only`, without those that match `except`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RouteFilter {
    only: Option<Pattern>,
    except: Option<Pattern>,
}

/// A clause of a filter, and whether an event's route matches it.
#[derive(Debug, Clone, PartialEq)]
pub struct ClauseResult<'a> {
    /// `only.cluster`, `except.$or`.
    pub path: String,
    /// The tests as they were written.
    pub written: &'a Value,
    /// What the route has in the field. `None` for `$or`, and if it is not known.
    pub has: Option<Value>,
    /// Whether the route's values of the field are not known, so that the clause decides nothing.
    pub is_unknown: bool,
    pub is_match: bool,
}

impl RouteFilter {
    /// Takes everything.
    pub const NONE: Self = Self {
        only: None,
        except: None,
    };

    /// Reads the two settings of a channel. A setting that is null or missing is not set.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, with paths that begin with the setting.
    pub fn read(entry: &Map<String, Value>) -> Result<Self, Vec<PatternError>> {
        let mut errors = Vec::new();
        let mut pattern = |setting: &str| {
            let value = entry.get(setting).filter(|it| !it.is_null())?;
            let (pattern, found) = match Pattern::read(value) {
                Ok(pattern) => {
                    let found = check(&pattern);
                    (Some(pattern), found)
                }
                Err(error) => (None, vec![error]),
            };
            errors.extend(found.into_iter().map(|it| PatternError {
                path: joined(setting, &it.path),
                problem: it.problem,
            }));
            pattern
        };
        let [only, except] = SETTINGS.map(&mut pattern);
        if errors.is_empty()
            && let Some(except) = &except
            && excepts_all(only.as_ref(), except, &KnownValues::new())
        {
            errors.push(PatternProblem::ExceptsAll.at("except"));
        }
        match errors.is_empty() {
            true => Ok(Self { only, except }),
            false => Err(errors),
        }
    }

    /// Whether the filter takes everything.
    pub fn is_empty(&self) -> bool {
        self.only.is_none() && self.except.is_none()
    }

    /// Where a field is not known, the filter takes the event: a message too many is better than a lost one.
    pub fn accepts(&self, route: &EventRoute) -> bool {
        let fields = route.fields();
        let only = self.only.as_ref();
        only.is_none_or(|it| it.matches(fields, IN_ONLY)) && !self.excepts(fields)
    }

    fn excepts(&self, fields: &FieldValues) -> bool {
        let except = self.except.as_ref();
        except.is_some_and(|it| it.matches(fields, IN_EXCEPT))
    }

    /// The keys of the tags that the patterns name.
    pub fn tag_keys(&self) -> BTreeSet<String> {
        let patterns = self.only.iter().chain(&self.except);
        let fields = patterns.flat_map(Pattern::fields);
        let keys = fields.filter_map(|it| it.strip_prefix(TAGS));
        keys.map(str::to_owned).collect()
    }

    /// The clauses because of which the filter does not take an event. Empty if it does.
    pub fn refusing(&self, route: &EventRoute) -> Vec<String> {
        let fields = route.fields();
        let only = self.only.iter();
        let only = only.flat_map(|it| it.unmatched(fields, IN_ONLY));
        let only = only.map(|it| joined("only", it.path()));
        let except = self.except.iter().filter(|_| self.excepts(fields));
        let except = except.flat_map(|it| &it.clauses);
        only.chain(except.map(|it| joined("except", it.path())))
            .collect()
    }

    /// Each clause, and whether it matches.
    pub fn explain(&self, route: &EventRoute) -> Vec<ClauseResult<'_>> {
        let only = self.only.iter().flat_map(|it| &it.clauses);
        let except = self.except.iter().flat_map(|it| &it.clauses);
        let only = only.map(|it| clause_result(("only", IN_ONLY), it, route.fields()));
        let except = except.map(|it| clause_result(("except", IN_EXCEPT), it, route.fields()));
        only.chain(except).collect()
    }

    /// Whether an urgent-only channel can never take anything, although each setting alone could. What is urgent is a
    /// warning or critical.
    pub fn takes_nothing_urgent(&self) -> bool {
        let texts = ["warning", "critical"].map(|it| Scalar::Text(it.to_owned()));
        let known = KnownValues::from([
            (RouteField::Urgent, vec![Scalar::Bool(true)]),
            (RouteField::Severity, texts.to_vec()),
        ]);
        let only = self.only.as_ref();
        let takes_none = only.is_some_and(|it| !may_take(it, &known));
        let except = self.except.as_ref();
        takes_none || except.is_some_and(|it| excepts_all(only, it, &known))
    }
}

fn clause_result<'a>(
    (setting, unknown): (&str, UnknownField),
    clause: &'a Clause,
    fields: &FieldValues,
) -> ClauseResult<'a> {
    let (has, is_unknown) = match clause {
        Clause::Field { field, .. } if fields.is_unknown(field) => (None, true),
        Clause::Field { field, .. } => (Some(shown(fields.get(field))), false),
        Clause::Or { .. } => (None, false),
    };
    ClauseResult {
        path: joined(setting, clause.path()),
        written: clause.written(),
        has,
        is_unknown,
        is_match: clause.matches(fields, unknown),
    }
}

/// One value as it is, several as a list. Null if there is none: no field is null.
pub(super) fn shown(values: &[Scalar]) -> Value {
    match values {
        [] => Value::Null,
        [one] => one.into(),
        several => several.iter().map(Value::from).collect(),
    }
}

fn joined(setting: &str, path: &str) -> String {
    match path.is_empty() {
        true => setting.to_owned(),
        false => format!("{setting}.{path}"),
    }
}
