//! The configuration of `deploy-hook`: the six variables of its predecessor, and how it waits for the task.

use crate::config::values::{quoted, split, switch};
use crate::config::variables::Variables as _;
use crate::config::{ConfigError, HookVariables, Problem, check_certificates, finish};

/// The settings of the task. For hooks of Amazon ECS, settings that are absent come from the deployment.
#[derive(Debug, Clone, Default)]
pub struct HookConfig {
    pub task_definition: Option<String>,
    pub cluster: Option<String>,
    pub command: Option<Vec<String>>,
    pub container: Option<String>,
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
    pub assign_public_ip: bool,
    pub wait: Wait,
    /// The result is reported to CodeDeploy when the event of the task's stop arrives. The call that started the task
    /// does not wait.
    pub by_events: bool,
    /// Settings that are valid but probably a mistake.
    pub warnings: Vec<String>,
}

/// When a deployment continues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wait {
    /// When the task has stopped with exit code 0.
    #[default]
    Stopped,
    /// When the task was started, as in the predecessor of this function.
    Started,
}

impl HookConfig {
    /// # Errors
    ///
    /// [`ConfigError`] with all problems of the configuration.
    pub fn read(environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        let set = HookVariables::read_all(environment, &mut problems, &mut warnings);
        check_certificates(environment, &mut problems);
        let list = |value: Option<&str>| split(value, ",").map(str::to_owned).collect();
        let command = command(set.command.as_deref(), &mut problems);
        let public = switch(
            "ASSIGN_PUBLIC_IP",
            set.assign_public_ip.as_deref(),
            &mut problems,
        );
        let events = switch("HOOK_EVENTS", set.hook_events.as_deref(), &mut problems);
        let hook = Self {
            subnets: list(set.subnets.as_deref()),
            security_groups: list(set.security_groups.as_deref()),
            task_definition: set.task_definition,
            cluster: set.cluster_name,
            command,
            container: set.container_name,
            assign_public_ip: public.unwrap_or(true),
            wait: wait(set.wait.as_deref(), &mut problems),
            by_events: events.unwrap_or(false),
            warnings,
        };
        finish(hook, problems)
    }
}

fn command(value: Option<&str>, problems: &mut Vec<Problem>) -> Option<Vec<String>> {
    match shell_words::split(value?) {
        Ok(words) => Some(words),
        Err(_) => {
            let problem = "a quote is not closed";
            problems.push(Problem::new(
                "COMMAND",
                problem,
                "words as a shell splits them",
            ));
            None
        }
    }
}

fn wait(value: Option<&str>, problems: &mut Vec<Problem>) -> Wait {
    match value
        .map(|value| value.trim().to_ascii_lowercase())
        .as_deref()
    {
        Some("stopped") | None => Wait::Stopped,
        Some("started") => Wait::Started,
        Some(other) => {
            let problem = format!("{} is not a known word", quoted(other));
            problems.push(Problem::new("WAIT", &problem, "`stopped` or `started`"));
            Wait::Stopped
        }
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

    /// A deployment must not fail because of a variable of another program.
    #[test]
    fn an_unknown_variable_is_only_a_warning() {
        for (name, meant) in [
            ("COMMENT", None),
            ("COMMON", None),
            ("WAITS", Some("WAIT")),
            ("COMAND", Some("COMMAND")),
            ("CLUSTER", Some("CLUSTER_NAME")),
            ("TASK_DEF", Some("TASK_DEFINITION")),
            ("TASK_DEFINTION", Some("TASK_DEFINITION")),
            ("SECURITY_GROUP", Some("SECURITY_GROUPS")),
        ] {
            let hook = HookConfig::read(&environment(&[IN_FUNCTION, (name, "1")])).unwrap();
            let expected = meant.map(|meant| {
                format!("{name} is not read: there is no such variable; did you mean `{meant}`?")
            });
            assert_eq!(hook.warnings, Vec::from_iter(expected));
        }
    }
}
