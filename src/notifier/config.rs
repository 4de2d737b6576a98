//! Reads the environment into values for the stages, or says everything that is wrong with it at once.
//!
//! Variables and their meaning are carnival-ecs-parrot's where it had them. Empty means unset, because the
//! Serverless framework hands unset keys on as `''`. No problem's text holds a value that may be a secret.

mod address;
mod selections;
mod values;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Url;

use crate::aws::secret::{REDACTED, Secret};
use crate::aws::secret_store::SecretStore;
use crate::aws::{LazySession, Open};
use crate::config::misspelt::{self, OnMisspelling};
use crate::config::values::{globs, may_be_secret, quoted, switch};
use crate::config::variables::Variables as _;
use crate::config::{
    ConfigError, DISABLED, NotifierVariables, Problem, check_certificates, finish,
};
use crate::http::SharedClient;
use crate::notifier::channel::{
    Channel, Flowdock, Http, Minimum, Slack, Terminal, flowdock, slack,
};
use crate::notifier::dedup::{DedupStore, Table};
use crate::notifier::dispatch::Notifier;
use crate::notifier::enrich::{Enricher, Limits, LogTail};
use crate::notifier::policy::Policy;
use crate::notifier::render::{OwnTemplates, Renderer, TemplateError};

/// What [`Filter`] and [`Lookup`] read of them.
const FILTER: [&str; 6] = [
    "IGNORED_EXIT_CODE_CONTAINER_NAMES",
    "IGNORED_CLUSTERS",
    "IGNORED_SERVICES",
    "KEEP",
    "DROP",
    "TEMPLATES_DIR",
];
const LOOKUP: [&str; 3] = ["ENRICH", "LOG_TAIL_LINES", "LOG_TAIL_MASK"];

/// The `parrot` function's configuration, and `ecs-parrot notify`'s.
#[derive(Debug)]
pub struct NotifierConfig {
    pub channels: Vec<Channel>,
    pub filter: Filter,
    pub lookup: Lookup,
    /// The table of what was told.
    pub dedup_table: Option<String>,
    /// What is allowed but surely not meant.
    pub warnings: Vec<String>,
}

/// What decides which events are told and in which words: all that a preview needs.
#[derive(Debug, Default)]
pub struct Filter {
    pub policy: Policy,
    pub templates_dir: Option<PathBuf>,
}

/// Where the pipeline runs.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    Function,
    Terminal {
        /// `--enrich` was given.
        enrich: bool,
    },
}

/// What is asked of AWS.
#[derive(Debug, Default)]
pub struct Lookup {
    /// `ENRICH`, where it is set: the function asks unless it is told not to, the command line only if it is.
    pub wanted: Option<bool>,
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
    /// # Errors
    ///
    /// [`ConfigError`] with every problem that there is.
    pub fn read(environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        let variables = NotifierVariables::read_all(environment, &mut problems, &mut warnings);
        check_certificates(environment, &mut problems);
        let filter = filter(&variables, &mut problems);
        let lookup = lookup(&variables, &mut problems);
        if lookup.log_tail.is_some() && lookup.wanted == Some(false) {
            warnings.push("LOG_TAIL_LINES does nothing while ENRICH is false".to_owned());
        }
        let dedup_table = values::table(variables.dedup_table.as_deref(), &mut problems);
        let slack = slack(&variables, &mut problems);
        let flowdock = flowdock(&variables, &mut problems, &mut warnings);
        let channels = channels(slack, flowdock, &variables, &mut warnings);
        finish(
            Self {
                channels,
                filter,
                lookup,
                dedup_table,
                warnings,
            },
            problems,
        )
    }
}

impl NotifierConfig {
    /// The pipeline as configured, own templates compiled.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] where an own template is wrong.
    pub fn notifier(self, place: Place, open: Open) -> Result<Notifier, TemplateError> {
        let http = SharedClient::default();
        let session = Arc::new(LazySession::new(open, http.clone()));
        let (enriches, limits) = match place {
            Place::Function => (self.lookup.wanted.unwrap_or(true), Limits::FUNCTION),
            Place::Terminal { enrich } => {
                (enrich || self.lookup.wanted == Some(true), Limits::TERMINAL)
            }
        };
        let log_tail = self.lookup.log_tail;
        let table = self
            .dedup_table
            .map(|name| Table::new(name, Arc::clone(&session)));
        let secret_store = SecretStore::new(Arc::clone(&session));
        Ok(Notifier {
            dedup: DedupStore::new(table),
            enricher: enriches.then(|| Enricher::new(log_tail, limits, Arc::clone(&session))),
            session,
            renderer: self.filter.renderer()?,
            policy: self.filter.policy,
            channels: self.channels,
            http: Http::with_secret_store(http, secret_store),
        })
    }
}

impl Lookup {
    /// # Errors
    ///
    /// [`ConfigError`] with every problem of the variables that it reads.
    pub fn read(environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let variables = NotifierVariables::read(environment, &mut problems);
        check_certificates(environment, &mut problems);
        let lookup = lookup(&variables, &mut problems);
        finish(lookup, problems)
    }
}

impl Filter {
    /// The templates as configured.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] where an own template is wrong.
    pub fn renderer(&self) -> Result<Renderer, TemplateError> {
        let own = self
            .templates_dir
            .as_deref()
            .map(OwnTemplates::read)
            .transpose()?;
        Ok(Renderer::new(own))
    }

    /// # Errors
    ///
    /// [`ConfigError`] with every problem of the variables that it reads.
    pub fn read(environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let variables = NotifierVariables::read(environment, &mut problems);
        let filter = filter(&variables, &mut problems);
        finish(filter, problems)
    }
}

/// What a preview says of variables that look like the ones that it reads. It sends nothing, and so it stops for none.
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
    warnings
}

/// The effective configuration, secrets redacted.
pub fn settings(environment: &[(String, String)]) -> Vec<Setting> {
    // What is wrong is said by whoever uses the values.
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

/// A secret may stand in the wrong variable: a webhook's address, a token, or an address with a password.
fn shown(name: &str, value: String) -> String {
    let is_secret = match name {
        "FLOWDOCK_URL" => return host(value.trim()).unwrap_or_else(|| REDACTED.to_owned()),
        "TEMPLATES_DIR" => !Path::new(&value).is_dir() && may_be_secret(&value),
        "DEDUP_TABLE" => !value.starts_with("arn:") && may_be_secret(&value),
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

/// An address without what may be a secret in it.
fn host(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let port = url.port().map(|it| format!(":{it}")).unwrap_or_default();
    Some(format!("{}://{}{port}", url.scheme(), url.host_str()?))
}

fn default_of(name: &str) -> &'static str {
    match name {
        "SLACK_WEBHOOKURL" | "FLOWDOCK_API_TOKEN" => DISABLED,
        "SLACK_QUIET" | "FLOWDOCK_QUIET" => "false",
        "ENRICH" => "true in the function, false here",
        "LOG_TAIL_LINES" => "0",
        "FLOWDOCK_URL" => flowdock::VENDOR_URL,
        "FLOWDOCK_USERNAME" => flowdock::DEFAULT_USERNAME,
        _ => "",
    }
}

fn filter(variables: &NotifierVariables, problems: &mut Vec<Problem>) -> Filter {
    let ignored = variables.ignored_exit_code_container_names.as_deref();
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
        },
        templates_dir: templates_dir(variables.templates_dir.as_deref(), problems),
    }
}

fn lookup(variables: &NotifierVariables, problems: &mut Vec<Problem>) -> Lookup {
    let wanted = switch("ENRICH", variables.enrich.as_deref(), problems);
    let lines = values::lines(variables.log_tail_lines.as_deref(), problems);
    let masks = values::masks(variables.log_tail_mask.as_ref(), problems);
    Lookup {
        wanted,
        log_tail: (lines > 0).then_some(LogTail { lines, masks }),
    }
}

fn templates_dir(value: Option<&str>, problems: &mut Vec<Problem>) -> Option<PathBuf> {
    let dir = PathBuf::from(value?);
    if !dir.is_dir() {
        let problem = format!("{} is no folder that can be read", quoted(value?));
        problems.push(Problem::new(
            "TEMPLATES_DIR",
            &problem,
            "the path of a folder of templates",
        ));
    }
    Some(dir)
}

fn slack(variables: &NotifierVariables, problems: &mut Vec<Problem>) -> Option<Slack> {
    let minimum = minimum("SLACK_QUIET", variables.slack_quiet.as_deref(), problems);
    let mention = values::mention(variables.slack_mention.as_deref(), problems);
    let webhook = enabled(variables.slack_webhookurl.as_ref())?;
    Some(Slack {
        webhook: address::webhook("SLACK_WEBHOOKURL", webhook, problems),
        look: slack::Look {
            channel: variables.slack_channel.clone(),
            username: variables.slack_username.clone(),
            icon_emoji: variables.slack_icon_emoji.clone(),
            mention,
        },
        minimum,
    })
}

fn flowdock(
    variables: &NotifierVariables,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> Option<Flowdock> {
    let minimum = minimum(
        "FLOWDOCK_QUIET",
        variables.flowdock_quiet.as_deref(),
        problems,
    );
    let url = variables.flowdock_url.as_deref().map(str::trim);
    if let Some(url) = url {
        address::check_base("FLOWDOCK_URL", url, problems);
    }
    let token = enabled(variables.flowdock_api_token.as_ref())?;
    let token = address::token("FLOWDOCK_API_TOKEN", token, problems);
    if url.is_none() && enabled(variables.slack_webhookurl.as_ref()).is_none() {
        warnings.push(
            "Flowdock closed in 2022; set FLOWDOCK_URL to a server that speaks its API, or use Slack"
                .to_owned(),
        );
    }
    Some(Flowdock {
        base: url.unwrap_or(flowdock::VENDOR_URL).to_owned(),
        token,
        look: flowdock::Look {
            username: variables.flowdock_username.clone(),
            icon_emoji: variables.flowdock_icon_emoji.clone(),
        },
        minimum,
    })
}

/// Both may be on. The ancestor took Slack where both were set, and its users' Flowdock is gone: so it is
/// only told where `FLOWDOCK_URL` says that there is one.
fn channels(
    slack: Option<Slack>,
    flowdock: Option<Flowdock>,
    variables: &NotifierVariables,
    warnings: &mut Vec<String>,
) -> Vec<Channel> {
    match (slack, flowdock) {
        (Some(slack), Some(_)) if variables.flowdock_url.is_none() => {
            warnings.push(
                "Slack and Flowdock are both set; only Slack is used, because FLOWDOCK_URL is not set"
                    .to_owned(),
            );
            vec![Channel::Slack(slack)]
        }
        (None, None) => vec![Channel::Terminal(Terminal)],
        (slack, flowdock) => {
            let slack = slack.map(Channel::Slack);
            slack
                .into_iter()
                .chain(flowdock.map(Channel::Flowdock))
                .collect()
        }
    }
}

fn enabled(secret: Option<&Secret>) -> Option<&Secret> {
    secret.filter(|secret| !secret.expose().trim().eq_ignore_ascii_case(DISABLED))
}

fn minimum(name: &str, value: Option<&str>, problems: &mut Vec<Problem>) -> Minimum {
    match switch(name, value, problems) {
        Some(true) => Minimum::Urgent,
        Some(false) | None => Minimum::All,
    }
}

#[cfg(test)]
mod tests;
