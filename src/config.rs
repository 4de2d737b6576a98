//! Reads configuration: the variables as texts, their problems, and variables with misspelt names.
//!
//! An empty value counts as unset, because the Serverless framework passes unset keys on as `''`. The text of a problem
//! never shows a value that may be a secret. The meaning of each variable is read in the module that uses it.

pub(crate) mod misspelt;
mod problem;
pub(crate) mod values;
pub(crate) mod variables;

use crate::http::certificates;

pub use problem::{ConfigError, Problem, Remedy};
pub use variables::{HookVariables, NotifierVariables, QueueVariables, names, names_of};

/// A secret with this value counts as unset.
pub(crate) const DISABLED: &str = "DISABLED";

/// The environment of this process. Bytes that are not Unicode become U+FFFD. A variable of ours that has one is
/// refused.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .collect()
}

/// Checks the variables that name certificates.
pub(crate) fn check_certificates(environment: &[(String, String)], problems: &mut Vec<Problem>) {
    let found = certificates::problems(environment).into_iter();
    problems.extend(found.map(|(name, it)| Problem::new(name, &it, certificates::ALLOWED)));
}

/// Returns the value if there are no problems.
///
/// # Errors
///
/// [`ConfigError`] with all problems.
pub(crate) fn finish<T>(value: T, problems: Vec<Problem>) -> Result<T, ConfigError> {
    if problems.is_empty() {
        Ok(value)
    } else {
        Err(ConfigError(problems))
    }
}
