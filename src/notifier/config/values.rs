//! Reads the values of the variables that only the notifier has.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use regex::Regex;
use strum::VariantArray as _;

use crate::aws::lookup_role::LookupRole;
use crate::aws::secret::Secret;
use crate::config::values::{quoted, split};
use crate::config::{DISABLED, NotifierVariables, Problem, Remedy};
use crate::ecs::archive::Archive;
use crate::ecs::arn::is_account;
use crate::notifier::event_counts::MetricsBy;
use crate::notifier::thread::ThreadSettings;
use crate::text::duration::{ALLOWED, duration};
use crate::text::spelling::nearest;

/// Names of containers, separated by `::` as in carnival-ecs-parrot.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>
pub(super) fn containers(value: Option<&str>, problems: &mut Vec<Problem>) -> Vec<String> {
    let names: Vec<_> = split(value, "::").map(str::to_owned).collect();
    let is_name = |name: &String| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    if let Some(name) = names.iter().find(|name| !is_name(name)) {
        problems.push(Problem::new(
            "IGNORED_EXIT_CODE_CONTAINER_NAMES",
            &format!("{} is not the name of a container", quoted(name)),
            "names of letters, digits, `-` and `_`, separated by `::`",
        ));
    }
    names
}

/// More lines are not useful in a chat message.
const MOST_LINES: u16 = 50;

/// `LOG_TAIL_LINES`.
pub(super) fn lines(value: Option<&str>, problems: &mut Vec<Problem>) -> u16 {
    let Some(value) = value.map(str::trim) else {
        return 0;
    };
    let lines = value.parse().ok().filter(|lines| *lines <= MOST_LINES);
    if lines.is_none() {
        problems.push(Problem::new(
            "LOG_TAIL_LINES",
            &format!("{} is not an allowed number", quoted(value)),
            &format!("0 to {MOST_LINES}; 0 shows no log lines"),
        ));
    }
    lines.unwrap_or_default()
}

/// `LOOKUP_ROLE` and `LOOKUP_EXTERNAL_ID`.
pub(super) fn lookup_role(
    variables: &NotifierVariables,
    problems: &mut Vec<Problem>,
) -> Option<LookupRole> {
    let external_id = variables.lookup_external_id.as_deref().map(str::trim);
    if let Some(id) = external_id.filter(|it| !is_external_id(it)) {
        problems.push(Problem::new(
            "LOOKUP_EXTERNAL_ID",
            &format!("{} is no external id", quoted(id)),
            "2 to 1224 letters, digits and `+=,.@:/-_`, as in the trust policy of the role",
        ));
    }
    let Some(arn) = variables.lookup_role.as_deref().map(str::trim) else {
        if external_id.is_some() {
            problems.push(Problem::new(
                "LOOKUP_EXTERNAL_ID",
                "LOOKUP_ROLE is not set",
                LOOKUP_ROLE,
            ));
        }
        return None;
    };
    let role = LookupRole::new(arn, external_id);
    let problem = |error| {
        Problem::new(
            "LOOKUP_ROLE",
            &format!("{} {error}", quoted(arn)),
            LOOKUP_ROLE,
        )
    };
    role.map_err(|error| problems.push(problem(error))).ok()
}

const LOOKUP_ROLE: &str = "the ARN of a role with `{account}` in place of the account, such as `arn:aws:iam::{account}:role/ecs-parrot-lookup`";

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
fn is_external_id(text: &str) -> bool {
    let is_allowed = |it: char| it.is_ascii_alphanumeric() || "+=,.@:/-_".contains(it);
    (2..=1_224).contains(&text.len()) && text.chars().all(is_allowed)
}

const ACCOUNT_NAMES: &str =
    "account numbers with names, such as `210987654321=prod,123456789012=staging`, and `ALIAS`";

/// The entry with which aliases of accounts are looked up.
const ALIAS: &str = "ALIAS";

/// The longest name of an account, in characters.
const LONGEST_ACCOUNT_NAME: usize = 50;

/// What `ACCOUNT_NAMES` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AccountNames {
    /// The names of accounts, by their numbers.
    pub(super) names: BTreeMap<String, String>,
    /// Whether the alias of the own account is looked up.
    pub(super) uses_alias: bool,
}

/// `ACCOUNT_NAMES`.
pub(super) fn account_names(value: Option<&str>, problems: &mut Vec<Problem>) -> AccountNames {
    let mut found = AccountNames::default();
    for part in split(value, ",") {
        if part == ALIAS {
            found.uses_alias = true;
            continue;
        }
        let names = &mut found.names;
        let problem = match part
            .split_once('=')
            .map(|(it, name)| (it.trim(), name.trim()))
        {
            None => format!("{} is no account number with a name", quoted(part)),
            Some((account, _)) if !is_account(account) => {
                format!("{} is no account number; it has 12 digits", quoted(account))
            }
            Some((account, "")) => format!("the account {} has no name", quoted(account)),
            Some((account, name)) if name.chars().count() > LONGEST_ACCOUNT_NAME => {
                format!(
                    "the name of {} is longer than {LONGEST_ACCOUNT_NAME} characters",
                    quoted(account)
                )
            }
            Some((account, name)) => match names.insert(account.to_owned(), name.to_owned()) {
                None => continue,
                Some(_) => format!("the account {} has two names", quoted(account)),
            },
        };
        problems.push(Problem::new("ACCOUNT_NAMES", &problem, ACCOUNT_NAMES));
    }
    found
}

/// The defaults of the variables about threads, as [`ThreadSettings::default`] has them.
pub(super) const REMIND_AFTER: &str = "5m,15m,1h,4h,24h";
pub(super) const RESOLVE_AFTER: &str = "5m";
pub(super) const STORM_AFTER: &str = "5";

/// `REMIND_AFTER`, `RESOLVE_AFTER` and `STORM_AFTER`.
pub(super) fn threads(
    variables: &NotifierVariables,
    problems: &mut Vec<Problem>,
) -> ThreadSettings {
    let default = ThreadSettings::default();
    let storm_after = variables.storm_after.as_deref().map(str::trim);
    ThreadSettings {
        remind_after: remind_after(variables.remind_after.as_deref(), problems)
            .unwrap_or(default.remind_after.clone()),
        resolve_after: resolve_after(variables.resolve_after.as_deref(), problems)
            .unwrap_or(default.resolve_after),
        storm_after: storm_after.map_or(default.storm_after, |value| {
            value.parse().unwrap_or_else(|_| {
                let problem = format!("{} is not an allowed number", quoted(value));
                problems.push(Problem::new(
                    "STORM_AFTER",
                    &problem,
                    "a number of services, such as 5; 0 turns storms off",
                ));
                default.storm_after
            })
        }),
        ..default
    }
}

fn remind_after(value: Option<&str>, problems: &mut Vec<Problem>) -> Option<Vec<Duration>> {
    let value = value?.trim();
    if value.eq_ignore_ascii_case(DISABLED) {
        return Some(Vec::new());
    }
    let steps: Option<Vec<_>> = split(Some(value), ",").map(duration).collect();
    let rises = |steps: &Vec<Duration>| steps.is_sorted_by(|earlier, later| earlier < later);
    let steps = steps.filter(|it| !it.is_empty() && rises(it));
    if steps.is_none() {
        problems.push(Problem::new(
            "REMIND_AFTER",
            &format!("{} is not a list of durations in rising order", quoted(value)),
            "durations separated by commas, such as `5m,15m,1h,4h,24h`; the last one repeats; or DISABLED",
        ));
    }
    steps
}

fn resolve_after(value: Option<&str>, problems: &mut Vec<Problem>) -> Option<Duration> {
    let value = value?;
    let found = duration(value);
    if found.is_none() {
        problems.push(Problem::new(
            "RESOLVE_AFTER",
            &format!("{} is not a duration", quoted(value)),
            ALLOWED,
        ));
    }
    found
}

/// The name of a table, or its ARN.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>
pub(super) fn table(value: Option<&str>, problems: &mut Vec<Problem>) -> Option<String> {
    let value = value?.trim();
    if value.eq_ignore_ascii_case(DISABLED) {
        return None;
    }
    let name = crate::ecs::arn::name(value);
    let is_name = (3..=255).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !is_name {
        problems.push(Problem::new(
            "STATE_TABLE",
            &format!("{} is not the name of a table", quoted(value)),
            "3 to 255 letters, digits, `-`, `_` and `.`, or the ARN of a table, or DISABLED",
        ));
    }
    Some(value.to_owned())
}

/// The region in which the function runs. Lambda sets it.
const REGION: &str = "AWS_REGION";

/// `ARCHIVE_LOG_GROUP`, in the function's own region.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html>
pub(super) fn archive(
    value: Option<&str>,
    environment: &[(String, String)],
    problems: &mut Vec<Problem>,
) -> Option<Archive> {
    let log_group = value?.trim();
    let is_of_name = |it: char| it.is_ascii_alphanumeric() || "-_./#".contains(it);
    if log_group.len() > 512 || !log_group.chars().all(is_of_name) {
        problems.push(Problem::new(
            "ARCHIVE_LOG_GROUP",
            &format!("{} is not the name of a log group", quoted(log_group)),
            "1 to 512 letters, digits, `-`, `_`, `.`, `/` and `#`",
        ));
    }
    Some(Archive {
        region: set(REGION, environment)?.trim().to_owned(),
        log_group: log_group.to_owned(),
    })
}

/// Says that the archive has no effect, because its region is not known.
pub(super) fn archive_warning(environment: &[(String, String)]) -> Option<String> {
    set("ARCHIVE_LOG_GROUP", environment)?;
    match set(REGION, environment) {
        Some(_) => None,
        None => Some(format!(
            "ARCHIVE_LOG_GROUP has no effect, because {REGION} is not set"
        )),
    }
}

/// The value of a variable, unless it is empty.
fn set<'a>(name: &str, environment: &'a [(String, String)]) -> Option<&'a str> {
    let mut variables = environment.iter();
    let found = variables.find(|(variable, value)| variable == name && !value.trim().is_empty());
    found.map(|(_, value)| value.as_str())
}

/// `METRICS_BY`.
pub(super) fn metrics_by(value: Option<&str>, problems: &mut Vec<Problem>) -> BTreeSet<MetricsBy> {
    let words = || MetricsBy::VARIANTS.iter().map(<&str>::from);
    let mut found = BTreeSet::new();
    for word in split(value, ",") {
        match word.parse() {
            Ok(by) => _ = found.insert(by),
            Err(_) => problems.push(Problem {
                variable: "METRICS_BY".to_owned(),
                problem: format!("{} is not a known word", quoted(word)),
                remedy: match nearest(word, words()) {
                    Some(meant) => Remedy::DidYouMean(meant.to_owned()),
                    None => Remedy::Allowed(
                        "`cluster`, `service`, or both, separated by `,`".to_owned(),
                    ),
                },
            }),
        }
    }
    found
}

/// `LOG_TAIL_MASK`: one regular expression on each line. Any other separator could be a part of an expression.
pub(super) fn masks(value: Option<&Secret>, problems: &mut Vec<Problem>) -> Vec<Regex> {
    let mut masks = Vec::new();
    for (number, pattern) in split(value.map(Secret::expose), "\n").enumerate() {
        let number = number + 1;
        let problem = match Regex::new(pattern) {
            Ok(mask) if !mask.is_match("") => {
                masks.push(mask);
                continue;
            }
            Ok(_) => format!("pattern {number} matches an empty text"),
            Err(error) => {
                let error = error.to_string();
                let last = error.lines().last().unwrap_or_default();
                format!("pattern {number} is not a regular expression ({last})")
            }
        };
        problems.push(Problem::new(
            "LOG_TAIL_MASK",
            &problem,
            "one regular expression on each line, such as `(?i)(password|token)=\\S+`",
        ));
    }
    masks
}
