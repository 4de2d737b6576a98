//! Problems of a configuration: which variable, what is wrong, and what to do about it.

use std::fmt;

/// A variable that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub variable: String,
    pub problem: String,
    pub remedy: Remedy,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    Allowed(String),
    /// The word that was probably meant.
    DidYouMean(String),
    Advice(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", list(.0))]
pub struct ConfigError(pub Vec<Problem>);

impl Problem {
    pub(crate) fn new(variable: &str, problem: &str, allowed: &str) -> Self {
        Self {
            variable: variable.to_owned(),
            problem: problem.to_owned(),
            remedy: Remedy::Allowed(allowed.to_owned()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.variable, self.problem, self.remedy)
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(what) => write!(f, "allowed: {what}"),
            Self::DidYouMean(word) => write!(f, "did you mean `{word}`?"),
            Self::Advice(advice) => f.write_str(advice),
        }
    }
}

fn list(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
