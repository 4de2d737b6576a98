//! Reads the channels from the list `CHANNELS` and from the variables `SLACK_*` and `FLOWDOCK_*`.

mod escalation;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;
use std::sync::Arc;

use serde_json::{Map, Value};
use strum::VariantArray as _;

use super::LoadError;
use crate::aws::LazySession;
use crate::aws::secret::{Reference, Secret, SecretSource};
use crate::aws::secret_store::SecretStore;
use crate::config::values::{may_be_secret, switch};
use crate::config::{DISABLED, Problem, Remedy};
use crate::notifier::channel::settings::{
    SettingDefinition, Settings, SettingsLocation, ShownSetting, is_unset, shown, shown_object,
    unknown,
};
use crate::notifier::channel::{ChannelType, ConfiguredChannel, Minimum, mentioned_tags};
use crate::notifier::route::{RouteFilter, SETTINGS};
use crate::text::spelling::nearest;
use escalation::Escalation;

/// The settings of every channel in the list, besides those of its type.
const COMMON: [&str; 7] = [
    "name",
    "type",
    "minimum",
    "only",
    "except",
    "escalate_after",
    "escalate_to",
];

const MINIMUMS: &str = "`all`, `urgent` or `escalated`";

const LIST: &str = "a list of channels; in the variable as JSON, `[{\"name\": \"ops\", \"type\": \"slack\", \"url\": \"ssm:/parrot/ops\"}]`";

const NAMES: &str = "1 to 50 letters, digits, `-` and `_`";

/// The channels of a configuration.
#[derive(Debug, Default)]
pub struct Channels {
    /// The names that are given, also of channels with problems.
    names: BTreeSet<String>,
    pub configured: Vec<ConfiguredChannel>,
    escalations: Vec<Escalation>,
    pub shown: Vec<ShownChannel>,
    /// The reference in `CHANNELS`, if the list is stored elsewhere. `resolve` reads it.
    pub reference: Option<Reference>,
}

/// A channel's minimum, and where it stands.
#[derive(Debug, Clone, Copy)]
struct MinimumSetting {
    value: Minimum,
    source: &'static str,
}

impl MinimumSetting {
    const DEFAULT: Self = Self {
        value: Minimum::All,
        source: "default",
    };
}

/// `only` and `except`, and how they are shown.
#[derive(Debug)]
struct RouteSetting {
    /// `None` if something is wrong with it.
    filter: Option<RouteFilter>,
    shown: Vec<ShownSetting>,
}

impl RouteSetting {
    const NONE: Self = Self {
        filter: Some(RouteFilter::NONE),
        shown: Vec::new(),
    };
}

/// A channel as it is configured, before its settings are read.
struct ChannelEntry {
    name: String,
    channel_type: ChannelType,
    minimum: MinimumSetting,
    route: RouteSetting,
    escalation: Option<Escalation>,
    location: SettingsLocation,
    values: BTreeMap<&'static str, Value>,
}

/// A channel as `ecs-parrot config` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownChannel {
    pub name: String,
    pub channel_type: ChannelType,
    pub settings: Vec<ShownSetting>,
}

/// If `CHANNELS` is a reference, replaces it by the list.
///
/// # Errors
///
/// [`LoadError::Channels`] if the list cannot be read.
pub(super) async fn resolve(
    environment: &mut [(String, String)],
    session: &Arc<LazySession>,
) -> Result<(), LoadError> {
    let channels = environment.iter_mut().find(|(name, _)| name == "CHANNELS");
    let Some((_, value)) = channels else {
        return Ok(());
    };
    let source = SecretSource::read(&Secret::new(value.clone()));
    if let Ok(SecretSource::Reference(reference)) = source {
        let store = SecretStore::new(Arc::clone(session));
        let list = store.open(&reference).await;
        let list = match list {
            Ok(list) => list,
            Err(source) => return Err(LoadError::Channels { reference, source }),
        };
        if let Ok(SecretSource::Reference(_)) = SecretSource::read(&list) {
            return Err(LoadError::Nested { reference });
        }
        *value = list.expose().to_owned();
    }
    Ok(())
}

pub(super) fn read(
    environment: &[(String, String)],
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> Channels {
    let mut channels = Channels::default();
    channels.read_variables(environment, problems, warnings);
    channels.read_list(variable(environment, "CHANNELS"), problems, warnings);
    if channels.configured.is_empty() && channels.reference.is_none() && problems.is_empty() {
        let terminal = ChannelEntry {
            name: ChannelType::Terminal.to_string(),
            channel_type: ChannelType::Terminal,
            minimum: MinimumSetting::DEFAULT,
            route: RouteSetting::NONE,
            escalation: None,
            location: SettingsLocation::Variables,
            values: BTreeMap::new(),
        };
        channels.add(terminal, problems);
    }
    channels
}

impl Channels {
    /// Whether nothing configures a channel, so that messages are printed.
    pub fn is_default(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether messages are only written to the log.
    pub fn is_log_only(&self) -> bool {
        let mut types = self.configured.iter().map(|it| it.channel_type);
        self.reference.is_none() && types.all(|it| it == ChannelType::Terminal)
    }

    /// If both Slack and Flowdock were set, carnival-ecs-parrot used Slack, and Flowdock itself has closed. So both are
    /// used only if `FLOWDOCK_URL` names a server.
    fn read_variables(
        &mut self,
        environment: &[(String, String)],
        problems: &mut Vec<Problem>,
        warnings: &mut Vec<String>,
    ) {
        let slack =
            self.read_variables_of(ChannelType::Slack, "SLACK_QUIET", environment, problems);
        let has_url = variable(environment, "FLOWDOCK_URL").is_some();
        let flowdock = self.read_variables_of(
            ChannelType::Flowdock,
            "FLOWDOCK_QUIET",
            environment,
            problems,
        );
        match (slack, flowdock, has_url) {
            (true, true, false) => {
                let flowdock = self.configured.pop();
                self.names
                    .retain(|it| flowdock.iter().all(|flowdock| flowdock.name != *it));
                self.shown.pop();
                warnings.push(
                    "Slack and Flowdock are both set; only Slack is used, because FLOWDOCK_URL is not set"
                        .to_owned(),
                );
            }
            (false, true, false) => warnings.push(
                "Flowdock closed in 2022; set FLOWDOCK_URL to a server with its API, or use Slack"
                    .to_owned(),
            ),
            (_, _, _) => {}
        }
    }

    /// Returns false if the variables configure no channel.
    fn read_variables_of(
        &mut self,
        channel_type: ChannelType,
        urgent_only: &'static str,
        environment: &[(String, String)],
        problems: &mut Vec<Problem>,
    ) -> bool {
        let is_urgent_only = switch(urgent_only, variable(environment, urgent_only), problems);
        let minimum = match is_urgent_only {
            Some(is_urgent_only) => MinimumSetting {
                value: match is_urgent_only {
                    true => Minimum::Urgent,
                    false => Minimum::All,
                },
                source: urgent_only,
            },
            None => MinimumSetting::DEFAULT,
        };
        let value = |setting: &SettingDefinition| {
            let text = variable(environment, setting.variable?)?;
            let is_off = setting.is_secret && text.trim().eq_ignore_ascii_case(DISABLED);
            (!is_off).then(|| (setting.name, Value::from(text)))
        };
        let settings = channel_type.definition().settings;
        let values: BTreeMap<_, _> = settings.iter().filter_map(value).collect();
        let mut secrets = settings.iter().filter(|it| it.is_secret);
        if secrets.any(|it| values.contains_key(it.name)) {
            self.names.insert(channel_type.to_string());
        }
        let entry = ChannelEntry {
            name: channel_type.to_string(),
            channel_type,
            minimum,
            route: RouteSetting::NONE,
            escalation: None,
            location: SettingsLocation::Variables,
            values,
        };
        self.add(entry, problems)
    }

    fn read_list(
        &mut self,
        value: Option<&str>,
        problems: &mut Vec<Problem>,
        warnings: &mut Vec<String>,
    ) {
        let Some(text) = value else {
            return;
        };
        let mut wrong = |problem: &str| problems.push(Problem::new("CHANNELS", problem, LIST));
        match SecretSource::read(&Secret::new(text.to_owned())) {
            Ok(SecretSource::Reference(reference)) => return self.reference = Some(reference),
            Ok(SecretSource::Inline(_)) => {}
            Err(problem) => return wrong(problem),
        }
        let entries = match serde_json::from_str(text) {
            Ok(Value::Array(entries)) => entries,
            Ok(_) => return wrong("not a list"),
            // The error contains the position, but not the text, which may contain secrets.
            Err(error) => return wrong(&format!("not JSON ({error})")),
        };
        if entries.is_empty() {
            warnings.push("CHANNELS is an empty list".to_owned());
        }
        for (number, entry) in entries.into_iter().enumerate() {
            self.read_entry(number + 1, entry, problems, warnings);
        }
        let known: Vec<_> = self.names.iter().map(String::as_str).collect();
        let escalations = std::mem::take(&mut self.escalations);
        escalation::connect(
            escalations,
            &mut self.configured,
            &known,
            problems,
            warnings,
        );
    }

    fn read_entry(
        &mut self,
        number: usize,
        entry: Value,
        problems: &mut Vec<Problem>,
        warnings: &mut Vec<String>,
    ) {
        let location = format!("channel {number}");
        let Value::Object(entry) = entry else {
            let location = format!("CHANNELS, {location}");
            return problems.push(Problem::new(
                &location,
                "not an object",
                "an object with `name` and `type`",
            ));
        };
        let name = self.name(&entry, &location, problems);
        let location = name.as_ref().map_or(location, |name| format!("`{name}`"));
        let channel_type = channel_type(&entry, &location, problems);
        let minimum = minimum(&entry, &location, problems);
        let route = route(&entry, &location, problems);
        let escalation = escalation::read(&entry, name.as_deref(), &location, problems);
        let Some(channel_type) = channel_type else {
            return;
        };
        let filter = route.filter.as_ref();
        let takes_nothing = filter.is_some_and(RouteFilter::takes_nothing_urgent);
        if minimum.value == Minimum::Urgent && takes_nothing {
            warnings.push(format!(
                "the channel {location} never gets a message: its minimum is `urgent`, and `only` and `except` leave nothing urgent"
            ));
        }
        let settings = channel_type.definition().settings;
        let known: Vec<_> = settings.iter().map(|it| it.name).chain(COMMON).collect();
        let others = entry.keys().filter(|key| !known.contains(&key.as_str()));
        problems.extend(others.map(|key| unknown(&format!("CHANNELS, {location}"), key, &known)));
        let value = |it: &SettingDefinition| Some((it.name, entry.get(it.name)?.clone()));
        let values = settings.iter().filter_map(value).collect();
        let entry = ChannelEntry {
            name: name.unwrap_or_else(|| format!("channel-{number}")),
            channel_type,
            minimum,
            route,
            escalation,
            location: SettingsLocation::List(location),
            values,
        };
        self.add(entry, problems);
    }

    /// The name identifies the channel, so no other channel may have it.
    fn name(
        &mut self,
        entry: &Map<String, Value>,
        location: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<String> {
        let location = format!("CHANNELS, {location}, `name`");
        let mut wrong = |problem: &str| problems.push(Problem::new(&location, problem, NAMES));
        let Some(name) = entry.get("name").filter(|it| !is_unset(it)) else {
            wrong("it is missing");
            return None;
        };
        let is_allowed = |it: char| it.is_ascii_alphanumeric() || "-_".contains(it);
        let name = name
            .as_str()
            .filter(|it| it.len() <= 50 && it.chars().all(is_allowed));
        let Some(name) = name else {
            wrong("not an allowed name");
            return None;
        };
        if !self.names.insert(name.to_owned()) {
            problems.push(Problem {
                variable: location,
                problem: format!("another channel has the name `{name}`"),
                remedy: Remedy::Advice("give each channel its own name".to_owned()),
            });
        }
        Some(name.to_owned())
    }

    /// Returns false if the settings configure no channel.
    fn add(&mut self, entry: ChannelEntry, problems: &mut Vec<Problem>) -> bool {
        let ChannelEntry {
            name,
            channel_type,
            minimum,
            route,
            escalation,
            location,
            values,
        } = entry;
        let definition = channel_type.definition();
        let settings = shown(&location, definition.settings, &values);
        let mentioned = values.get("mention").map(mentioned_tags);
        let mut given = Settings::new(location, definition.settings, values, problems);
        let channel = (definition.read)(&mut given);
        let Some((channel, filter)) = channel.zip(route.filter) else {
            return false;
        };
        self.shown.push(ShownChannel {
            name: name.clone(),
            channel_type,
            settings: with_common(
                settings,
                minimum,
                [route.shown, escalation::shown(escalation.as_ref())].concat(),
            ),
        });
        self.configured.push(ConfiguredChannel {
            name,
            channel_type,
            minimum: minimum.value,
            mentioned_tags: mentioned.unwrap_or_default(),
            route: filter,
            escalated_from: Vec::new(),
            channel,
        });
        self.escalations.extend(escalation);
        true
    }
}

fn with_common(
    mut settings: Vec<ShownSetting>,
    minimum: MinimumSetting,
    others: Vec<ShownSetting>,
) -> Vec<ShownSetting> {
    settings.push(ShownSetting {
        name: "minimum",
        value: minimum.value.to_string(),
        source: minimum.source.to_owned(),
    });
    settings.extend(others);
    settings
}

/// Reads `only` and `except`.
fn route(entry: &Map<String, Value>, location: &str, problems: &mut Vec<Problem>) -> RouteSetting {
    let filter = RouteFilter::read(entry).map_err(|errors| {
        problems.extend(errors.into_iter().map(|error| Problem {
            variable: format!("CHANNELS, {location}, `{}`", shown_path(&error.path)),
            problem: error.problem.to_string(),
            remedy: error.problem.remedy(),
        }));
    });
    let shown = SETTINGS.iter().filter_map(|name| {
        let value = entry.get(*name).filter(|it| !it.is_null())?;
        Some(ShownSetting {
            name,
            value: shown_object(value),
            source: "CHANNELS".to_owned(),
        })
    });
    RouteSetting {
        filter: filter.ok(),
        shown: shown.collect(),
    }
}

/// A clause's path. A secret may be in the wrong place, so only the setting is named then.
fn shown_path(path: &str) -> String {
    let setting = path.split('.').next().unwrap_or_default();
    match path.split('.').any(may_be_secret) {
        true => setting.to_owned(),
        false => path.escape_debug().to_string(),
    }
}

/// The value of a variable. `None` if it is empty.
fn variable<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = environment.iter().find(|(it, _)| it == name);
    let value = found.map(|(_, value)| value.as_str());
    value.filter(|it| !it.trim().is_empty())
}

fn channel_type(
    entry: &Map<String, Value>,
    location: &str,
    problems: &mut Vec<Problem>,
) -> Option<ChannelType> {
    let variable = format!("CHANNELS, {location}, `type`");
    let types: Vec<&str> = ChannelType::VARIANTS.iter().map(Into::into).collect();
    let (problem, remedy) = match entry.get("type").filter(|it| !is_unset(it)) {
        None => ("it is missing", Remedy::Allowed(types.join(", "))),
        Some(Value::String(text)) => match ChannelType::from_str(text.trim()) {
            Ok(channel_type) => return Some(channel_type),
            Err(_) => match nearest(text, types.iter().copied()) {
                Some(meant) => ("not a channel type", Remedy::DidYouMean(meant.to_owned())),
                None => ("not a channel type", Remedy::Allowed(types.join(", "))),
            },
        },
        Some(_) => ("not a text", Remedy::Allowed(types.join(", "))),
    };
    problems.push(Problem {
        variable,
        problem: problem.to_owned(),
        remedy,
    });
    None
}

fn minimum(
    entry: &Map<String, Value>,
    location: &str,
    problems: &mut Vec<Problem>,
) -> MinimumSetting {
    let Some(value) = entry.get("minimum").filter(|it| !is_unset(it)) else {
        return MinimumSetting::DEFAULT;
    };
    let minimum = value.as_str().and_then(|it| it.trim().parse().ok());
    let value = minimum.unwrap_or_else(|| {
        let location = format!("CHANNELS, {location}, `minimum`");
        problems.push(Problem::new(&location, "not a minimum", MINIMUMS));
        Minimum::All
    });
    let source = "CHANNELS";
    MinimumSetting { value, source }
}
