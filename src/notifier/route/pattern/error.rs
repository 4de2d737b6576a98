//! What is wrong with a pattern, and what is allowed.

use crate::config::Remedy;

/// A clause that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct PatternError {
    /// The clause's path within the pattern: `cluster[0].prefix`. Empty for the pattern itself.
    pub path: String,
    pub problem: PatternProblem,
}

/// The texts never contain what was written, because a secret may be in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternProblem {
    #[error("not an object")]
    NotAnObject,
    #[error("it is empty")]
    Empty,
    #[error("it is longer than {0} characters")]
    TooLong(usize),
    #[error("objects are nested too deeply")]
    TooDeep,
    #[error("`$or` makes more than {0} combinations")]
    TooManyCombinations(usize),
    #[error("not a list")]
    NotAList,
    #[error("an empty list matches nothing")]
    EmptyList,
    #[error("a list within a list")]
    ListInList,
    #[error("not an operator")]
    UnknownOperator { nearest: Option<&'static str> },
    #[error("an object must have one operator")]
    NotOneOperator,
    #[error("`cidr` is not supported, because no field is an address")]
    Cidr,
    #[error("not what `{operator}` takes")]
    WrongOperand {
        operator: &'static str,
        allowed: &'static str,
    },
    #[error("two `*` in a row")]
    TwoWildcards,
    #[error("a `\\` before something other than `*` and `\\`")]
    WrongEscape,
    #[error("not a comparison of numbers")]
    NumericForm,
    #[error("not a lower and an upper bound")]
    NumericOrder,
    #[error("no number is in this range")]
    EmptyRange,
    #[error("EventBridge compares numbers between -5000000000 and 5000000000")]
    NumberTooLarge,
    #[error("not a list of patterns")]
    NotOr,
    #[error("not a field")]
    UnknownField { nearest: Option<&'static str> },
    #[error("it does not say which tag")]
    NoTagKey,
    #[error("`{field}` never has this value")]
    UnknownValue {
        field: String,
        nearest: Option<&'static str>,
        allowed: String,
    },
    #[error("no value of `{field}` matches")]
    NoValueMatches { field: String, allowed: String },
    #[error("`{field}` is text")]
    NotText { field: String },
    #[error("an account number has 12 digits")]
    NotAnAccount,
    #[error("`numeric` compares numbers, and `{field}` is text")]
    NumericOnText { field: String },
    #[error("no field is null")]
    NullValue,
    #[error("`{field}` is true or false")]
    NotBool { field: String },
    #[error("it excludes every value of `{field}`")]
    ExcludesAll { field: String, allowed: String },
    #[error("`{field}` is never absent")]
    NeverAbsent { field: String },
    #[error("nothing matches all that is asked of `{field}`")]
    Contradiction { field: String },
    #[error("it matches all that `only` takes, so that the channel gets nothing")]
    ExceptsAll,
}

impl PatternProblem {
    pub fn at(self, path: &str) -> PatternError {
        PatternError {
            path: path.to_owned(),
            problem: self,
        }
    }

    /// What is allowed, or what to do.
    pub fn remedy(&self) -> Remedy {
        let allowed = |text: &str| Remedy::Allowed(text.to_owned());
        let advice = |text: &str| Remedy::Advice(text.to_owned());
        match self {
            Self::NotAnObject => {
                allowed("an object of fields and lists, `{\"cluster\": [\"prod\"]}`")
            }
            Self::Empty => advice("name a field, or leave the setting out"),
            Self::TooLong(_) => advice("use `wildcard` or `prefix`, or make two channels of it"),
            Self::TooDeep => advice("put fields beside each other"),
            Self::TooManyCombinations(_) => {
                advice("put values of one field into one list, which needs no `$or`")
            }
            Self::NotAList => allowed("a list of values and operators, `[\"prod\"]`"),
            Self::EmptyList => advice("add a value, or leave the field out"),
            Self::ListInList => allowed("a text, a number, true, false, null, or an operator"),
            Self::UnknownOperator {
                nearest: Some(known),
            } => Remedy::DidYouMean((*known).to_owned()),
            Self::UnknownOperator { nearest: None } => Remedy::Allowed(OPERATORS.join(", ")),
            Self::NotOneOperator => {
                allowed("one operator in each object, `{\"prefix\": \"prod-\"}`")
            }
            Self::Cidr => advice("remove it"),
            Self::WrongOperand { allowed, .. } => Remedy::Allowed((*allowed).to_owned()),
            Self::TwoWildcards => advice("write one `*`"),
            Self::WrongEscape => advice("write `\\\\` for a backslash and `\\*` for an asterisk"),
            Self::NumericForm | Self::NumericOrder => {
                allowed("`[\">\", 0]`, `[\">=\", 0, \"<\", 5]`, with `=`, `<`, `<=`, `>` and `>=`")
            }
            Self::EmptyRange => advice("make the upper bound larger than the lower one"),
            Self::NumberTooLarge => advice("use a smaller number"),
            Self::NotOr => allowed(
                "a list of two objects or more, `[{\"cluster\": [\"prod\"]}, {\"urgent\": [true]}]`",
            ),
            Self::UnknownField {
                nearest: Some(known),
            } => Remedy::DidYouMean((*known).to_owned()),
            Self::UnknownField { nearest: None } => {
                Remedy::Allowed(crate::notifier::route::fields::names())
            }
            Self::NoTagKey => allowed("`{\"tags\": {\"team\": [\"payments\"]}}`"),
            Self::UnknownValue {
                nearest: Some(known),
                ..
            } => Remedy::DidYouMean((*known).to_owned()),
            Self::UnknownValue { allowed, .. } | Self::NoValueMatches { allowed, .. } => {
                Remedy::Allowed(allowed.clone())
            }
            Self::ExcludesAll { allowed, .. } => {
                Remedy::Advice(format!("leave one of these: {allowed}"))
            }
            Self::NumericOnText { .. } => allowed("a text, or an operator for texts"),
            Self::NullValue => advice("write `{\"exists\": false}` for a field that is not there"),
            Self::NotText { .. } => advice("write the value in quotes, `[\"210987654321\"]`"),
            Self::NotAnAccount => advice("write all 12 digits in quotes, `[\"210987654321\"]`"),
            Self::NotBool { .. } => allowed("`[true]` or `[false]`, without quotes"),
            Self::NeverAbsent { .. } => advice("leave it out"),
            Self::Contradiction { .. } => advice("put alternatives into one list or into `$or`"),
            Self::ExceptsAll => advice("leave something to the channel, or remove it"),
        }
    }
}

/// The operators of a test, without those that are refused.
pub(super) const OPERATORS: [&str; 7] = [
    "prefix",
    "suffix",
    "wildcard",
    "anything-but",
    "equals-ignore-case",
    "exists",
    "numeric",
];
