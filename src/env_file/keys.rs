//! Every key of `serverless.env.yml` and what it allows.
//!
//! The file is checked against this table. Tests compare the table with serverless.yml, the example file and docs/configuration.md.

use std::fmt;

/// A key below `mysettings`.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The names of its sections and its own name, joined by dots: `slack.webhookurl`.
    pub path: &'static str,
    pub allows: Allows,
}

/// What the value of a key may be. Every key also allows no value, and a Serverless variable, `${…}`.
#[derive(Debug, Clone, Copy)]
pub enum Allows {
    /// A program reads the value as the variable of this name, and that code decides what is allowed.
    Variable(&'static str),
    Text,
    Switch,
    /// A number from the first to the second.
    Number(u32, u32),
    /// The list of channels, or where it is kept: what the variable of this name allows, as JSON.
    Channels(&'static str),
    /// What the variable of this name allows, as one text, or its entries as a list or as keys.
    Expectations(&'static str),
    /// One of these, in exactly this spelling.
    OneOf(&'static [&'static str]),
    /// A list of ARNs, or of CloudFormation functions that return ARNs.
    Arns,
    /// The same, or a text of ARNs separated by `,`.
    ArnsOrText,
    /// A region's name, `eu-west-1`.
    Region,
    /// A part of resource names: letters, digits and `-`.
    Name,
    /// The id of an organization of AWS Organizations.
    Organization,
}

/// Lambda's own limits, in MB.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>
const MEMORY: Allows = Allows::Number(128, 10_240);

/// The numbers of days that CloudWatch Logs allows.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>
const RETENTION: Allows = Allows::OneOf(&[
    "1", "3", "5", "7", "14", "30", "60", "90", "120", "150", "180", "365", "400", "545", "731",
    "1096", "1827", "2192", "2557", "2922", "3288", "3653",
]);

const LOG_LEVELS: Allows = Allows::OneOf(&["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]);

const fn key(path: &'static str, allows: Allows) -> Key {
    Key { path, allows }
}

const fn variable(path: &'static str, name: &'static str) -> Key {
    key(path, Allows::Variable(name))
}

pub const KEYS: [Key; 74] = [
    key("stage", Allows::Name),
    key("region", Allows::Region),
    key("channels", Allows::Channels("CHANNELS")),
    variable("slack.webhookurl", "SLACK_WEBHOOKURL"),
    variable("slack.username", "SLACK_USERNAME"),
    variable("slack.channel", "SLACK_CHANNEL"),
    variable("slack.icon_emoji", "SLACK_ICON_EMOJI"),
    variable("slack.quiet", "SLACK_QUIET"),
    variable("slack.mention", "SLACK_MENTION"),
    variable("flowdock.api_token", "FLOWDOCK_API_TOKEN"),
    variable("flowdock.username", "FLOWDOCK_USERNAME"),
    variable("flowdock.icon_emoji", "FLOWDOCK_ICON_EMOJI"),
    variable("flowdock.quiet", "FLOWDOCK_QUIET"),
    variable("flowdock.url", "FLOWDOCK_URL"),
    variable(
        "ignored.exit_code.container_names",
        "IGNORED_EXIT_CODE_CONTAINER_NAMES",
    ),
    // The example file of carnival-ecs-parrot has `ignore`, its documentation has `ignored`.
    variable(
        "ignore.exit_code.container_names",
        "IGNORED_EXIT_CODE_CONTAINER_NAMES",
    ),
    variable("ignored.clusters", "IGNORED_CLUSTERS"),
    variable("ignored.services", "IGNORED_SERVICES"),
    variable("keep", "KEEP"),
    variable("drop", "DROP"),
    variable("remind_after", "REMIND_AFTER"),
    variable("resolve_after", "RESOLVE_AFTER"),
    variable("storm_after", "STORM_AFTER"),
    key("expect", Allows::Expectations("EXPECT")),
    variable("account_names", "ACCOUNT_NAMES"),
    variable("templates_dir", "TEMPLATES_DIR"),
    key("layers", Allows::Arns),
    variable("enrich", "ENRICH"),
    key("hub.organization", Allows::Organization),
    variable("hub.lookup_role", "LOOKUP_ROLE"),
    variable("hub.external_id", "LOOKUP_EXTERNAL_ID"),
    variable("log_tail.lines", "LOG_TAIL_LINES"),
    variable("log_tail.mask", "LOG_TAIL_MASK"),
    key("log_tail.groups", Allows::Text),
    variable("state_table", "STATE_TABLE"),
    variable("metrics.by", "METRICS_BY"),
    key("architecture", Allows::OneOf(&["x86_64", "arm64"])),
    key("memory", MEMORY),
    key("timeout", Allows::Number(1, 900)),
    key("log_retention", RETENTION),
    key("log_level", LOG_LEVELS),
    key("retry_attempts", Allows::Number(0, 2)),
    key("event_age", Allows::Number(60, 21_600)),
    key("ingest", Allows::OneOf(&["queue", "direct"])),
    key("rules.api_calls", Allows::Switch),
    key("rules.native", Allows::Switch),
    key("rules.health", Allows::Switch),
    key("rules.scaling", Allows::Switch),
    key("rules.alarms", Allows::Switch),
    key("rules.code_deploy", Allows::Switch),
    key("rules.instances", Allows::Switch),
    key("archive", Allows::Switch),
    key("archive_retention", RETENTION),
    key("trail", Allows::Switch),
    key("trail_retention", Allows::Number(1, 36_500)),
    key("functions.parrot", Allows::Switch),
    key("functions.run_from_queue", Allows::Switch),
    key("functions.deploy_hook", Allows::Switch),
    key("pass_roles", Allows::ArnsOrText),
    key("alarm_actions", Allows::Arns),
    variable("run_from_queue.allowed_clusters", "ALLOWED_CLUSTERS"),
    variable(
        "run_from_queue.allowed_task_definitions",
        "ALLOWED_TASK_DEFINITIONS",
    ),
    key(
        "run_from_queue.maximum_concurrency",
        Allows::Number(2, 1_000),
    ),
    key("run_from_queue.memory", MEMORY),
    variable("deploy_hook.task_definition", "TASK_DEFINITION"),
    variable("deploy_hook.cluster_name", "CLUSTER_NAME"),
    variable("deploy_hook.command", "COMMAND"),
    variable("deploy_hook.container_name", "CONTAINER_NAME"),
    variable("deploy_hook.subnets", "SUBNETS"),
    variable("deploy_hook.security_groups", "SECURITY_GROUPS"),
    variable("deploy_hook.assign_public_ip", "ASSIGN_PUBLIC_IP"),
    variable("deploy_hook.wait", "WAIT"),
    variable("deploy_hook.hook_events", "HOOK_EVENTS"),
    key("deploy_hook.memory", MEMORY),
];

impl Key {
    pub(super) fn of(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.path == path)
    }

    /// Its name within its section.
    pub(super) fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or_default()
    }
}

/// The keys and sections directly below a section, or nothing if there is no such section. The empty text means the
/// top section.
pub(super) fn below(section: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for key in &KEYS {
        let rest = match section {
            "" => Some(key.path),
            _ => key
                .path
                .strip_prefix(section)
                .and_then(|it| it.strip_prefix('.')),
        };
        let name = rest.and_then(|rest| rest.split('.').next());
        names.extend(name.filter(|name| !names.contains(name)));
    }
    names
}

impl fmt::Display for Allows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "what {name} allows"),
            Self::Channels(_) => f.write_str("a list of channels, or `ssm:/path` where it is kept"),
            Self::Expectations(_) => f.write_str("a list of entries, `- NAME: SCHEDULE`"),
            Self::Text => f.write_str("a text"),
            Self::Switch => f.write_str("`true` or `false`"),
            Self::Number(from, to) => write!(f, "{from} to {to}"),
            Self::OneOf(words) => f.write_str(&words.join(", ")),
            Self::Arns | Self::ArnsOrText => f.write_str("a list of ARNs, `[arn:…, arn:…]`"),
            Self::Region => f.write_str("a region's name, such as `eu-west-1`"),
            Self::Name => f.write_str("letters, digits and `-`"),
            Self::Organization => f.write_str("the id of an organization, such as `o-a1b2c3d4e5`"),
        }
    }
}
