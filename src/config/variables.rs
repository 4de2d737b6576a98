//! The variables that each program reads, as texts.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Problem;
use super::misspelt::{self, OnMisspelling};
use crate::aws::secret::Secret;

/// The variables of `parrot` and of the command line's notifier.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NotifierVariables {
    /// It may hold secrets.
    pub(crate) channels: Option<Secret>,
    pub(crate) slack_webhookurl: Option<Secret>,
    pub(crate) slack_channel: Option<String>,
    pub(crate) slack_username: Option<String>,
    pub(crate) slack_icon_emoji: Option<String>,
    pub(crate) slack_quiet: Option<String>,
    pub(crate) slack_mention: Option<String>,
    pub(crate) flowdock_api_token: Option<Secret>,
    pub(crate) flowdock_username: Option<String>,
    pub(crate) flowdock_icon_emoji: Option<String>,
    pub(crate) flowdock_quiet: Option<String>,
    pub(crate) flowdock_url: Option<String>,
    pub(crate) ignored_exit_code_container_names: Option<String>,
    pub(crate) ignored_clusters: Option<String>,
    pub(crate) ignored_services: Option<String>,
    pub(crate) keep: Option<String>,
    pub(crate) drop: Option<String>,
    pub(crate) remind_after: Option<String>,
    pub(crate) resolve_after: Option<String>,
    pub(crate) storm_after: Option<String>,
    pub(crate) expect: Option<String>,
    pub(crate) account_names: Option<String>,
    pub(crate) templates_dir: Option<String>,
    pub(crate) enrich: Option<String>,
    pub(crate) lookup_role: Option<String>,
    pub(crate) lookup_external_id: Option<String>,
    pub(crate) log_tail_lines: Option<String>,
    /// It may contain the texts that it masks.
    pub(crate) log_tail_mask: Option<Secret>,
    pub(crate) state_table: Option<String>,
    pub(crate) archive_log_group: Option<String>,
    pub(crate) metrics_by: Option<String>,
}

impl Variables for NotifierVariables {
    const ON_MISSPELLING: OnMisspelling =
        OnMisspelling::NeedsOneOf(&["CHANNELS", "SLACK_WEBHOOKURL", "FLOWDOCK_API_TOKEN"]);
}

/// The variables of `run-from-queue`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct QueueVariables {
    pub(crate) allowed_clusters: Option<String>,
    pub(crate) allowed_task_definitions: Option<String>,
}

impl Variables for QueueVariables {
    const ON_MISSPELLING: OnMisspelling =
        OnMisspelling::NeedsAll(&["ALLOWED_CLUSTERS", "ALLOWED_TASK_DEFINITIONS"]);
}

/// The variables of `deploy-hook`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HookVariables {
    pub(crate) task_definition: Option<String>,
    pub(crate) cluster_name: Option<String>,
    pub(crate) command: Option<String>,
    pub(crate) container_name: Option<String>,
    pub(crate) subnets: Option<String>,
    pub(crate) security_groups: Option<String>,
    pub(crate) assign_public_ip: Option<String>,
    pub(crate) wait: Option<String>,
    pub(crate) hook_events: Option<String>,
}

impl Variables for HookVariables {
    /// A deployment must not fail because of another program's variable.
    const ON_MISSPELLING: OnMisspelling = OnMisspelling::Warn;
}

/// A struct of optional texts. Its field names are the names of the variables in lower case.
pub(crate) trait Variables: Default + Serialize + DeserializeOwned {
    const ON_MISSPELLING: OnMisspelling;

    /// All values are texts, so that none can have a wrong type here. Only our names in exactly this spelling count:
    /// envy also accepts other letter cases, but `drop` in a shell is not our variable.
    fn read(environment: &[(String, String)], problems: &mut Vec<Problem>) -> Self {
        read(&names_of::<Self>(), environment, problems)
    }

    /// The same, and also reports variables whose names are misspelt.
    fn read_all(
        environment: &[(String, String)],
        problems: &mut Vec<Problem>,
        warnings: &mut Vec<String>,
    ) -> Self {
        let own = names_of::<Self>();
        misspelt::check(&own, &Self::ON_MISSPELLING, environment, problems, warnings);
        read(&own, environment, problems)
    }

    fn entries(&self) -> Vec<(String, Option<String>)> {
        entries(self)
    }
}

fn read<T: Default + DeserializeOwned>(
    own: &[String],
    environment: &[(String, String)],
    problems: &mut Vec<Problem>,
) -> T {
    let set = environment
        .iter()
        .filter(|(name, value)| own.contains(name) && !value.trim().is_empty());
    for (name, value) in set.clone() {
        if value.contains(char::REPLACEMENT_CHARACTER) {
            problems.push(Problem::new(name, "it is not valid Unicode", "UTF-8 text"));
        }
    }
    envy::from_iter(set.cloned()).unwrap_or_else(|error| {
        problems.push(Problem::new(
            "environment",
            &error.to_string(),
            "each variable once",
        ));
        T::default()
    })
}

fn entries(variables: &impl Serialize) -> Vec<(String, Option<String>)> {
    match serde_json::to_value(variables) {
        Ok(Value::Object(entries)) => entries
            .into_iter()
            .map(|(name, value)| (name.to_uppercase(), value.as_str().map(str::to_owned)))
            .collect(),
        Ok(_) | Err(_) => Vec::new(),
    }
}

/// The names of all variables of a struct.
pub fn names_of<T: Default + Serialize>() -> Vec<String> {
    let names = entries(&T::default()).into_iter();
    names.map(|(name, _)| name).collect()
}

/// The names of all variables, by the program that reads them.
pub fn names() -> Vec<(&'static str, Vec<String>)> {
    vec![
        ("parrot", names_of::<NotifierVariables>()),
        ("run-from-queue", names_of::<QueueVariables>()),
        ("deploy-hook", names_of::<HookVariables>()),
    ]
}
