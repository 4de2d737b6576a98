//! How configuration is read, whatever it configures: variables as texts, what is wrong with them, and names that look
//! like a variable's.
//!
//! Empty means unset, because the Serverless framework hands unset keys on as `''`. No problem's text holds a value
//! that may be a secret. What the variables mean is read beside what they configure.

pub(crate) mod misspelt;
mod problem;
pub(crate) mod values;
pub(crate) mod variables;

use crate::http::certificates;

pub use problem::{ConfigError, Problem, Remedy};
pub use variables::{HookVariables, NotifierVariables, QueueVariables, names, names_of};

/// What stands in a secret's place when there is none.
pub(crate) const DISABLED: &str = "DISABLED";

/// The environment of this process; what is not Unicode is marked so and refused where it is ours.
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

/// What is wrong with the variables that name certificates.
pub(crate) fn check_certificates(environment: &[(String, String)], problems: &mut Vec<Problem>) {
    let found = certificates::problems(environment).into_iter();
    problems.extend(found.map(|(name, it)| Problem::new(name, &it, certificates::ALLOWED)));
}

/// A value, unless something is wrong.
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
