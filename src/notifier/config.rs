//! Reads the configuration from environment variables, and reports all problems at once.
//!
//! Variables of carnival-ecs-parrot keep their names and meanings. An empty variable counts as unset, because the
//! Serverless framework sets unset keys to `''`. The text of a problem never contains a value that may be a secret.

mod channels;
mod expectations;
mod selections;
mod tags;
mod values;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use strum::VariantArray as _;
use uuid::Uuid;

use crate::aws::lookup_role::LookupRole;
use crate::aws::secret::{REDACTED, Reference};
use crate::aws::secret_store::{SecretStore, SecretStoreError};
use crate::aws::{LazySession, Open};
use crate::config::misspelt::{self, OnMisspelling};
use crate::config::values::{globs, may_be_secret, quoted, switch};
use crate::config::variables::Variables as _;
use crate::config::{
    ConfigError, DISABLED, NotifierVariables, Problem, check_certificates, finish,
};
use crate::ecs::archive::Archive;
use crate::http::SharedClient;
use crate::notifier::channel::settings::{SettingDefinition, shown_address, shown_secret};
use crate::notifier::channel::{ChannelType, ConfiguredChannel, Http};
use crate::notifier::dedup::DedupStore;
use crate::notifier::dispatch::{EditLimits, ExpectationWatch, Notifier, TimerQueue};
use crate::notifier::enrich::{EnrichLimits, Enricher, LogTail};
use crate::notifier::event_counts::MetricsBy;
use crate::notifier::policy::Policy;
use crate::notifier::render::{OwnTemplates, Renderer, TemplateError};
use crate::notifier::state_table::StateTable;
use crate::notifier::thread::ThreadSettings;
use crate::notifier::thread_store::ThreadStore;

use channels::resolve;

pub use channels::{Channels, ShownChannel};
pub use tags::tag_keys;

/// The variables that [`Filter`] and [`Lookup`] read.
const FILTER: [&str; 12] = [
    "IGNORED_EXIT_CODE_CONTAINER_NAMES",
    "IGNORED_CLUSTERS",
    "IGNORED_SERVICES",
    "KEEP",
    "DROP",
    "REMIND_AFTER",
    "RESOLVE_AFTER",
    "STORM_AFTER",
    "EXPECT",
    "ACCOUNT_NAMES",
    "TEMPLATES_DIR",
    "ARCHIVE_LOG_GROUP",
];
const LOOKUP: [&str; 5] = [
    "ENRICH",
    "LOOKUP_ROLE",
    "LOOKUP_EXTERNAL_ID",
    "LOG_TAIL_LINES",
    "LOG_TAIL_MASK",
];

/// The `parrot` function's configuration, and `ecs-parrot notify`'s.
#[derive(Debug)]
pub struct NotifierConfig {
    pub channels: Channels,
    pub filter: Filter,
    pub lookup: Lookup,
    /// The DynamoDB table of posted transitions and of threads.
    pub state_table: Option<String>,
    /// What the metric `Events` is counted by besides kind and cause.
    pub metrics_by: BTreeSet<MetricsBy>,
    /// Settings that are allowed but probably a mistake.
    pub warnings: Vec<String>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("CHANNELS cannot be read from {reference}")]
    Channels {
        reference: Reference,
        source: SecretStoreError,
    },
    #[error(
        "CHANNELS: {reference} contains another reference; it must contain the list of channels itself"
    )]
    Nested { reference: Reference },
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// The settings that decide which events are posted and with which templates. A preview needs only these.
#[derive(Debug, Default)]
pub struct Filter {
    pub policy: Policy,
    pub threads: ThreadSettings,
    /// Whether the alias of the function's own account is looked up.
    pub uses_alias: bool,
    pub templates_dir: Option<PathBuf>,
    /// Where messages find their events again.
    pub archive: Option<Archive>,
}

/// Whether the pipeline runs in the function or at a terminal.
#[derive(Debug, Clone, Copy)]
pub enum RunMode {
    Function,
    Terminal {
        /// `--enrich` was given.
        enrich: bool,
    },
}

/// Which facts AWS is asked for.
#[derive(Debug, Default)]
pub struct Lookup {
    /// The value of `ENRICH`. If it is not set, the function asks AWS and the command line does not.
    pub enrich: Option<bool>,
    /// The role for other accounts.
    pub role: Option<LookupRole>,
    pub log_tail: Option<LogTail>,
}

/// A variable as `ecs-parrot config` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: String,
    pub source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Source {
    Environment,
    Default,
}

impl NotifierConfig {
    /// Reads the configuration. If `CHANNELS` is a reference, the list is read from there.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the list cannot be read, or with all problems.
    pub async fn load(environment: Vec<(String, String)>, open: Open) -> Result<Self, LoadError> {
        let session = LazySession::new(open, SharedClient::default());
        Self::load_with(environment, &Arc::new(session)).await
    }

    /// The same with a session.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the list cannot be read, or with all problems.
    pub async fn load_with(
        mut environment: Vec<(String, String)>,
        session: &Arc<LazySession>,
    ) -> Result<Self, LoadError> {
        resolve(&mut environment, session).await?;
        Ok(Self::read(&environment)?)
    }

    /// # Errors
    ///
    /// [`ConfigError`] with all problems.
    pub fn read(environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        let variables = NotifierVariables::read_all(environment, &mut problems, &mut warnings);
        check_certificates(environment, &mut problems);
        let filter = filter(&variables, environment, &mut problems);
        warnings.extend(values::archive_warning(environment));
        let lookup = lookup(&variables, &mut problems);
        if lookup.log_tail.is_some() && lookup.enrich == Some(false) {
            warnings.push("LOG_TAIL_LINES has no effect while ENRICH is false".to_owned());
        }
        if lookup.role.is_some() && lookup.enrich == Some(false) {
            warnings.push("LOOKUP_ROLE has no effect while ENRICH is false".to_owned());
        }
        if filter.uses_alias && lookup.enrich == Some(false) {
            warnings.push("ACCOUNT_NAMES: `ALIAS` has no effect while ENRICH is false".to_owned());
        }
        let state_table = values::table(variables.state_table.as_deref(), &mut problems);
        let metrics_by = values::metrics_by(variables.metrics_by.as_deref(), &mut problems);
        let channels = channels::read(environment, &mut problems, &mut warnings);
        tags::check(&channels.configured, &lookup, &mut problems, &mut warnings);
        finish(
            Self {
                channels,
                filter,
                lookup,
                state_table,
                metrics_by,
                warnings,
            },
            problems,
        )
    }
}

impl NotifierConfig {
    /// Makes the pipeline, and compiles the operator's templates.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if a template of the operator is wrong.
    pub fn notifier(self, mode: RunMode, open: Open) -> Result<Notifier, TemplateError> {
        let http = SharedClient::default();
        let session = Arc::new(LazySession::new(open, http.clone()));
        let (enriches, limits) = match mode {
            RunMode::Function => (self.lookup.enrich.unwrap_or(true), EnrichLimits::FUNCTION),
            RunMode::Terminal { enrich } => (
                enrich || self.lookup.enrich == Some(true),
                EnrichLimits::TERMINAL,
            ),
        };
        let Lookup { role, log_tail, .. } = self.lookup;
        let table = self
            .state_table
            .map(|name| Arc::new(StateTable::new(name, Arc::clone(&session))));
        let secret_store = SecretStore::new(Arc::clone(&session));
        let channels = self.channels.configured;
        let renderer = self.filter.renderer()?;
        let tag_keys = tag_keys(&channels, &renderer)?;
        let mut capabilities = channels
            .iter()
            .map(|it| it.channel_type.definition().capabilities);
        let escalations = channels.iter().flat_map(|it| &it.escalated_from);
        let times: BTreeSet<_> = escalations.map(|it| it.after).collect();
        let settings = ThreadSettings {
            escalate_after: times.into_iter().collect(),
            has_edits: capabilities.any(|it| it.edits),
            may_ask: enriches,
            // A command does not wait, and may not have the function's variable.
            expectations: match mode {
                RunMode::Function => self.filter.threads.expectations.clone(),
                RunMode::Terminal { .. } => None,
            },
            ..self.filter.threads.clone()
        };
        Ok(Notifier {
            dedup: DedupStore::new(table.clone()),
            threads: ThreadStore::new(table.clone()),
            state_table: table,
            settings,
            timers: TimerQueue::new(Arc::clone(&session)),
            edits: EditLimits::default(),
            metrics_by: self.metrics_by,
            watch: ExpectationWatch::default(),
            owner: Uuid::new_v4().to_string(),
            enricher: enriches.then(|| {
                let enricher = Enricher::new(log_tail, limits, Arc::clone(&session));
                let enricher = enricher.with_tags(tag_keys).with_lookup_role(role);
                match self.filter.uses_alias {
                    true => enricher.with_alias(),
                    false => enricher,
                }
            }),
            session: Arc::clone(&session),
            renderer,
            policy: self.filter.policy,
            channels,
            http: Http::with_secret_store(http, secret_store).with_aws(session),
        })
    }
}

impl Lookup {
    /// # Errors
    ///
    /// [`ConfigError`] with all problems of the variables that it reads.
    pub fn read(environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let variables = NotifierVariables::read(environment, &mut problems);
        check_certificates(environment, &mut problems);
        let lookup = lookup(&variables, &mut problems);
        finish(lookup, problems)
    }
}

impl Filter {
    /// Makes the renderer with the configured templates.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if a template of the operator is wrong.
    pub fn renderer(&self) -> Result<Renderer, TemplateError> {
        let own = self
            .templates_dir
            .as_deref()
            .map(OwnTemplates::read)
            .transpose()?;
        Ok(Renderer::new(own).with_archive(self.archive.clone()))
    }

    /// # Errors
    ///
    /// [`ConfigError`] with all problems of the variables that it reads.
    pub fn read(environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let variables = NotifierVariables::read(environment, &mut problems);
        let filter = filter(&variables, environment, &mut problems);
        finish(filter, problems)
    }
}

/// The channels that the environment configures, and what is wrong with them. Empty if it configures none. A preview sends
/// nothing, so problems are no errors.
pub fn configured_channels(
    environment: &[(String, String)],
) -> (Vec<ConfiguredChannel>, Vec<String>) {
    let (read, warnings) = read_for_preview(environment);
    let is_default = read.is_default();
    let channels = read.configured.into_iter().filter(|_| !is_default);
    (channels.collect(), warnings)
}

/// Reads the channels, with the problems as warnings.
fn read_for_preview(environment: &[(String, String)]) -> (Channels, Vec<String>) {
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    let read = channels::read(environment, &mut problems, &mut warnings);
    warnings.extend(problems.iter().map(ToString::to_string));
    warnings.extend(
        read.reference
            .as_ref()
            .map(|it| format!("a preview does not read the list of channels in {it}")),
    );
    (read, warnings)
}

/// The channels that the page of a preview shows, and what is wrong with their configuration. With a type only channels
/// of that type. A preview sends nothing, so problems are no errors.
pub fn preview_channels(
    environment: &[(String, String)],
    only: Option<ChannelType>,
) -> (Vec<ConfiguredChannel>, Vec<String>) {
    let (read, warnings) = read_for_preview(environment);
    let mut channels = read.configured;
    let is_chat = |it: &ConfiguredChannel| it.channel_type != ChannelType::Terminal;
    if !channels.iter().any(is_chat) {
        let types = ChannelType::VARIANTS.iter().copied();
        let shown = types.filter(|it| it.definition().is_previewed || only == Some(*it));
        channels = shown.map(ConfiguredChannel::unconfigured).collect();
    }
    if let Some(only) = only {
        channels.retain(|it| it.channel_type == only);
        if channels.is_empty() {
            channels.push(ConfiguredChannel::unconfigured(only));
        }
    }
    (channels, warnings)
}

/// The warnings of a preview about misspelt variables, and about a variable without effect. They are not errors, because
/// a preview sends nothing.
pub fn preview_warnings(environment: &[(String, String)], asks_aws: bool) -> Vec<String> {
    let lookup = LOOKUP.iter().filter(|_| asks_aws);
    let own: Vec<_> = FILTER
        .iter()
        .chain(lookup)
        .map(|it| (*it).to_owned())
        .collect();
    let mut warnings = Vec::new();
    misspelt::check(
        &own,
        &OnMisspelling::Warn,
        environment,
        &mut Vec::new(),
        &mut warnings,
    );
    warnings.extend(values::archive_warning(environment));
    warnings
}

/// The effective configuration, with secrets redacted.
pub fn settings(environment: &[(String, String)]) -> Vec<Setting> {
    // Problems are reported where the values are used.
    let entries = NotifierVariables::read(environment, &mut Vec::new())
        .entries()
        .into_iter();
    entries
        .map(|(name, value)| match value {
            Some(value) => Setting {
                value: shown(&name, value),
                name,
                source: Source::Environment,
            },
            None => Setting {
                value: default_of(&name).to_owned(),
                name,
                source: Source::Default,
            },
        })
        .collect()
}

/// The value without secrets. A secret may be in the wrong variable: the address of a webhook, a token, or an address
/// with a password.
fn shown(name: &str, value: String) -> String {
    let is_secret = match name {
        "CHANNELS" => return shown_secret(&value),
        _ if setting_of(name).is_some_and(|it| it.is_address) => {
            return shown_address(value.trim());
        }
        "TEMPLATES_DIR" => !Path::new(&value).is_dir() && may_be_secret(&value),
        "STATE_TABLE" => !value.starts_with("arn:") && may_be_secret(&value),
        "ARCHIVE_LOG_GROUP" => !value.starts_with("/aws/") && may_be_secret(&value),
        _ => {
            let mut parts = value.split([',', ' ']);
            parts.any(may_be_secret)
        }
    };
    match is_secret {
        true => REDACTED.to_owned(),
        false => value,
    }
}

fn default_of(name: &str) -> &'static str {
    match (name, setting_of(name)) {
        (_, Some(setting)) if setting.is_secret => DISABLED,
        (_, Some(setting)) => setting.default,
        ("SLACK_QUIET" | "FLOWDOCK_QUIET", None) => "false",
        ("ENRICH", None) => "true in the function, false here",
        ("LOG_TAIL_LINES", None) => "0",
        ("REMIND_AFTER", None) => values::REMIND_AFTER,
        ("RESOLVE_AFTER", None) => values::RESOLVE_AFTER,
        ("STORM_AFTER", None) => values::STORM_AFTER,
        (_, None) => "",
    }
}

/// The channel setting for a variable.
fn setting_of(variable: &str) -> Option<&'static SettingDefinition> {
    let types = ChannelType::VARIANTS.iter();
    let mut settings = types.flat_map(|it| it.definition().settings);
    settings.find(|it| it.variable == Some(variable))
}

fn filter(
    variables: &NotifierVariables,
    environment: &[(String, String)],
    problems: &mut Vec<Problem>,
) -> Filter {
    let log_group = variables.archive_log_group.as_deref();
    let ignored = variables.ignored_exit_code_container_names.as_deref();
    let accounts = values::account_names(variables.account_names.as_deref(), problems);
    Filter {
        policy: Policy {
            ignored_containers: values::containers(ignored, problems),
            ignored_clusters: globs(
                "IGNORED_CLUSTERS",
                variables.ignored_clusters.as_deref(),
                problems,
            ),
            ignored_services: globs(
                "IGNORED_SERVICES",
                variables.ignored_services.as_deref(),
                problems,
            ),
            keep: selections::read("KEEP", variables.keep.as_deref(), problems),
            drop: selections::read("DROP", variables.drop.as_deref(), problems),
            account_names: accounts.names,
        },
        uses_alias: accounts.uses_alias,
        threads: ThreadSettings {
            expectations: Some(expectations::read(variables.expect.as_deref(), problems)),
            ..values::threads(variables, problems)
        },
        templates_dir: templates_dir(variables.templates_dir.as_deref(), problems),
        archive: values::archive(log_group, environment, problems),
    }
}

fn lookup(variables: &NotifierVariables, problems: &mut Vec<Problem>) -> Lookup {
    let enrich = switch("ENRICH", variables.enrich.as_deref(), problems);
    let lines = values::lines(variables.log_tail_lines.as_deref(), problems);
    let masks = values::masks(variables.log_tail_mask.as_ref(), problems);
    Lookup {
        enrich,
        role: values::lookup_role(variables, problems),
        log_tail: (lines > 0).then_some(LogTail { lines, masks }),
    }
}

fn templates_dir(value: Option<&str>, problems: &mut Vec<Problem>) -> Option<PathBuf> {
    let dir = PathBuf::from(value?);
    if !dir.is_dir() {
        let problem = format!("{} is not a readable folder", quoted(value?));
        problems.push(Problem::new(
            "TEMPLATES_DIR",
            &problem,
            "the path of a folder with templates",
        ));
    }
    Some(dir)
}

#[cfg(test)]
mod tests;
