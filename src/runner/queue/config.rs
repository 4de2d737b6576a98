//! The configuration of `run-from-queue`.

use crate::config::values::{globs, quoted, split};
use crate::config::variables::Variables as _;
use crate::config::{ConfigError, Problem, QueueVariables, Remedy, check_certificates, finish};
use crate::ecs::arn;
use crate::runner::queue::{Allowed, Patterns};

#[derive(Debug)]
pub struct QueueConfig {
    pub allowed: Allowed,
    /// Settings that are valid but probably a mistake.
    pub warnings: Vec<String>,
}

impl QueueConfig {
    /// # Errors
    ///
    /// [`ConfigError`] with all problems of the configuration.
    pub fn read(environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        let set = QueueVariables::read_all(environment, &mut problems, &mut warnings);
        check_certificates(environment, &mut problems);
        let (clusters, definitions) = (set.allowed_clusters, set.allowed_task_definitions);
        let nothing = clusters.is_none() || definitions.is_none();
        let warning = "no task may be run: set ALLOWED_CLUSTERS and ALLOWED_TASK_DEFINITIONS";
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
    check_no_arns(name, value, problems);
    let texts = split(value, ",").map(str::to_owned).collect();
    Patterns::new(globs(name, value, problems), texts)
}

/// A pattern is compared with names, so an ARN would match nothing.
fn check_no_arns(name: &str, value: Option<&str>, problems: &mut Vec<Problem>) {
    for text in split(value, ",").filter(|it| it.contains('/')) {
        let (problem, advice) = match text.starts_with("arn:") {
            true => (
                format!("`{text}` is an ARN; expected a name or a pattern of names"),
                format!("write `{}`", arn::name(text)),
            ),
            false => (
                format!("{} is not a name", quoted(text)),
                "expected names, or patterns of names, without `/`".to_owned(),
            ),
        };
        problems.push(Problem {
            variable: name.to_owned(),
            problem,
            remedy: Remedy::Advice(advice),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    const IN_FUNCTION: (&str, &str) = ("AWS_LAMBDA_FUNCTION_NAME", "function");

    #[test]
    fn a_misspelt_variable_is_an_error() {
        let error = QueueConfig::read(&environment(&[("ALLOWED_CLUSTER", "prod")])).unwrap_err();
        let expected = "did you mean `ALLOWED_CLUSTERS`?";
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn a_similar_variable_is_a_warning_if_all_are_set() {
        let foreign = ("ALLOWED_ORIGINS", "*");
        let clusters = ("ALLOWED_CLUSTERS", "prod");
        let definitions = ("ALLOWED_TASK_DEFINITIONS", "*");
        let read = |pairs: &[(&str, &str)]| QueueConfig::read(&environment(pairs));
        let queue = read(&[IN_FUNCTION, foreign, clusters, definitions]).unwrap();
        let warning = &queue.warnings[0];
        assert!(
            warning.starts_with("ALLOWED_ORIGINS is not read"),
            "{warning}"
        );
        assert!(read(&[IN_FUNCTION, foreign, clusters]).is_err());
    }

    #[test]
    fn a_variable_of_another_program_is_not_a_warning() {
        let foreign = environment(&[IN_FUNCTION, ("SLACK_WEBHOOKURL", "x"), ("WAIT", "stopped")]);
        let queue = QueueConfig::read(&foreign).unwrap();
        assert_eq!(queue.warnings.len(), 1, "{:?}", queue.warnings);
    }

    #[test]
    fn an_arn_is_an_error() {
        for (name, arn, advice) in [
            (
                "ALLOWED_CLUSTERS",
                "arn:aws:ecs:eu-west-1:210987654321:cluster/prod",
                "write `prod`",
            ),
            (
                "ALLOWED_TASK_DEFINITIONS",
                "arn:aws:ecs:eu-west-1:210987654321:task-definition/migrate:3",
                "write `migrate:3`",
            ),
        ] {
            let value = format!("other-*,{arn}");
            let error = QueueConfig::read(&environment(&[(name, &value)])).unwrap_err();
            let expected = format!(
                "{name}: `{arn}` is an ARN; expected a name or a pattern of names; {advice}"
            );
            assert_eq!(error.to_string(), expected);
        }
    }
}
