//! The configuration of `deploy-hook`: the ancestor's six variables, and how the end is waited for.

use serde::{Deserialize, Serialize};

use super::misspelt::Stakes;
use super::variables::Variables as _;
use super::{ConfigError, Problem, certificates, finish, variables, words};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HookVariables {
    task_definition: Option<String>,
    cluster_name: Option<String>,
    command: Option<String>,
    container_name: Option<String>,
    subnets: Option<String>,
    security_groups: Option<String>,
    assign_public_ip: Option<String>,
    wait: Option<String>,
    hook_events: Option<String>,
}

impl variables::Variables for HookVariables {
    /// A deployment must not fail for a variable that is somebody else's.
    const STAKES: Stakes = Stakes::None;
}

/// What is run, as far as it is configured: for Amazon ECS's own hooks the rest comes from the deployment.
#[derive(Debug, Clone, Default)]
pub struct Hook {
    pub task_definition: Option<String>,
    pub cluster: Option<String>,
    pub command: Option<Vec<String>>,
    pub container: Option<String>,
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
    pub assign_public_ip: bool,
    pub wait: Wait,
    /// The event of the task's stop reports to CodeDeploy, not the call that started it.
    pub by_events: bool,
    /// What is allowed but surely not meant.
    pub warnings: Vec<String>,
}

/// When a deployment goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wait {
    #[default]
    Stopped,
    /// When the task was started, as with the ancestor.
    Started,
}

impl Hook {
    /// # Errors
    ///
    /// [`ConfigError`] with every problem that there is.
    pub fn read(environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        let set = HookVariables::read_all(environment, &mut problems, &mut warnings);
        certificates(environment, &mut problems);
        let list = |value: Option<&str>| words::split(value, ",").map(str::to_owned).collect();
        let command = command(set.command.as_deref(), &mut problems);
        let public = words::switch(
            "ASSIGN_PUBLIC_IP",
            set.assign_public_ip.as_deref(),
            &mut problems,
        );
        let events = words::switch("HOOK_EVENTS", set.hook_events.as_deref(), &mut problems);
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
            let problem = format!("{} is neither", words::quoted(other));
            problems.push(Problem::new("WAIT", &problem, "`stopped` or `started`"));
            Wait::Stopped
        }
    }
}
