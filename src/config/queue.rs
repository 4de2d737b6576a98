//! The configuration of `run-from-queue`.

use serde::{Deserialize, Serialize};

use super::misspelt::Stakes;
use super::variables::Variables as _;
use super::{ConfigError, Problem, Remedy, certificates, finish, globs, variables, words};
use crate::arn;
use crate::queue::{Allowed, Patterns};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct QueueVariables {
    allowed_clusters: Option<String>,
    allowed_task_definitions: Option<String>,
}

impl variables::Variables for QueueVariables {
    const STAKES: Stakes = Stakes::Each(&["ALLOWED_CLUSTERS", "ALLOWED_TASK_DEFINITIONS"]);
}

#[derive(Debug)]
pub struct Queue {
    pub allowed: Allowed,
    /// What is allowed but surely not meant.
    pub warnings: Vec<String>,
}

impl Queue {
    /// # Errors
    ///
    /// [`ConfigError`] with every problem that there is.
    pub fn read(environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        let set = QueueVariables::read_all(environment, &mut problems, &mut warnings);
        certificates(environment, &mut problems);
        let (clusters, definitions) = (set.allowed_clusters, set.allowed_task_definitions);
        let nothing = clusters.is_none() || definitions.is_none();
        let warning = "nothing may be run: set ALLOWED_CLUSTERS and ALLOWED_TASK_DEFINITIONS";
        warnings.extend(nothing.then(|| warning.to_owned()));
        let queue = Self {
            allowed: Allowed {
                clusters: patterns("ALLOWED_CLUSTERS", clusters.as_deref(), &mut problems),
                task_definitions: patterns(
                    "ALLOWED_TASK_DEFINITIONS",
                    definitions.as_deref(),
                    &mut problems,
                ),
            },
            warnings,
        };
        finish(queue, problems)
    }
}

fn patterns(name: &'static str, value: Option<&str>, problems: &mut Vec<Problem>) -> Patterns {
    refuse_arns(name, value, problems);
    let texts = words::split(value, ",").map(str::to_owned).collect();
    Patterns::new(globs(name, value, problems), texts)
}

/// An ARN would match nothing, because what a message asks for is compared by its name.
fn refuse_arns(name: &str, value: Option<&str>, problems: &mut Vec<Problem>) {
    for text in words::split(value, ",").filter(|it| it.contains('/')) {
        let (problem, advice) = match text.starts_with("arn:") {
            true => (
                format!("`{text}` is an ARN, and names are compared"),
                format!("write `{}`", arn::name(text)),
            ),
            false => (
                format!("{} is no name", words::quoted(text)),
                "write names, or patterns of names, without `/`".to_owned(),
            ),
        };
        problems.push(Problem {
            variable: name.to_owned(),
            problem,
            remedy: Remedy::Advice(advice),
        });
    }
}
