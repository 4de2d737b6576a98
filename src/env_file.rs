//! Checks `serverless.env.yml` before the build and the deployment.
//!
//! Each key must be in the table of [`keys`]. Each value is read by the same code as in the deployed program.

mod anchors;
pub mod keys;
mod node;

use std::fmt;

use saphyr::{LoadableYamlNode as _, MarkedYaml, Scalar, YamlData};

use crate::config::{
    DISABLED, HookVariables, NotifierVariables, Problem, QueueVariables, Remedy, names_of, values,
};
use crate::notifier::channel::ChannelType;
use crate::notifier::config::NotifierConfig;
use crate::runner::hook::HookConfig;
use crate::runner::queue::QueueConfig;
use crate::text::spelling::nearest;
use keys::{Allows, Key};
use node::{is_unknown, json, scalar, switch};

/// The top-level key. Only the keys below it are read.
pub const ROOT: &str = "mysettings";

/// What the file deploys.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The channels that messages go to. `None` if a Serverless variable decides it.
    pub channels: Option<Vec<String>>,
    /// Settings that are allowed but are probably a mistake.
    pub warnings: Vec<String>,
    /// Keys whose values only Serverless or CloudFormation knows.
    pub unchecked: Vec<String>,
}

/// A problem and its line in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub line: usize,
    pub problem: Problem,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.problem)
    }
}

/// # Errors
///
/// All problems, in the order of their lines.
pub fn check(text: &str) -> Result<Report, Vec<Finding>> {
    let documents = MarkedYaml::load_from_str(text).map_err(|error| {
        let line = error.marker().line();
        vec![finding(
            line,
            "the file",
            error.info(),
            Remedy::Advice(YAML.to_owned()),
        )]
    })?;
    let mut checked = Checked {
        lines: text.lines().collect(),
        ..Checked::default()
    };
    match &documents[..] {
        [] => {}
        [document] => checked.root(document),
        [_, second, ..] => {
            let remedy = Remedy::Advice("remove the `---` between them".to_owned());
            checked.add(
                second,
                "the file",
                "it holds more than one document",
                remedy,
            );
        }
    }
    checked.values();
    checked.findings.sort_by_key(|finding| finding.line);
    match checked.findings.is_empty() {
        true => Ok(checked.report()),
        false => Err(checked.findings),
    }
}

const YAML: &str = "it is not valid YAML; put texts with `:`, `#`, `*`, `&`, `!`, `@` in quotes";

const NO_QUEUE: &str = "ingest is direct, so the function cannot send itself timers; reminders and recoveries of incidents wait for \
    the next event of the same service";

const NO_TABLE: &str = "state_table is DISABLED, so threads are in the memory of each process, and a new process knows of none";

const EXPECT_NEEDS_QUEUE: &str = "expect: without timers, an entry is looked at only when some event arrives, so its incident may open \
    late";

const EXPECT_NEEDS_TABLE: &str = "expect: each new process begins its clocks anew, so an entry that is longer than a process lives is \
    never due";

const EXPECT_NEEDS_NATIVE: &str = "expect: with rules.native false, the events of tasks name neither their family nor their service until \
    AWS is asked, and those that are dropped are not asked about; leave rules.native on";

/// A value that a program reads as a variable.
struct VariableValue {
    key: &'static Key,
    variable: &'static str,
    text: String,
    line: usize,
    /// The places within it that problems name, and their lines.
    parts: Vec<(String, usize)>,
}

#[derive(Default)]
struct Checked<'t> {
    /// The lines of the file.
    lines: Vec<&'t str>,
    findings: Vec<Finding>,
    values: Vec<VariableValue>,
    /// Keys whose values only Serverless or CloudFormation knows.
    unknown: Vec<String>,
    parrot: Option<NotifierConfig>,
    warnings: Vec<String>,
    switches: Vec<(&'static str, bool)>,
    /// Whether `ingest` is `direct`.
    is_direct: bool,
}

impl Checked<'_> {
    fn root(&mut self, document: &MarkedYaml<'_>) {
        let Some(entries) = self.entries(document, "the file", &[ROOT]) else {
            return;
        };
        let mut is_variable = false;
        for (name, _, value) in &entries {
            if name == ROOT {
                match is_unknown(value) {
                    // `${self:prod}` takes the settings from another top-level key, which is then in use.
                    true => is_variable = true,
                    false => self.section("", value),
                }
            }
        }
        if is_variable {
            self.unknown.push(ROOT.to_owned());
            return;
        }
        for (at, (name, key, _)) in entries.iter().enumerate() {
            let next = entries.get(at + 1).map(|(_, key, _)| key.span.start.line());
            if name == ROOT || anchors::has_used_anchor(&self.lines, key.span.start.line(), next) {
                continue;
            }
            let remedy = match keys::below("").contains(&name.as_str()) {
                true => Remedy::Advice(format!(
                    "move it below `{ROOT}` and indent it by two spaces"
                )),
                false => match nearest(name, [ROOT]) {
                    Some(meant) => Remedy::DidYouMean(meant.to_owned()),
                    None => Remedy::Allowed(format!("`{ROOT}` and the keys below it")),
                },
            };
            self.add(key, name, "this key is not read", remedy);
        }
    }

    /// `path` is the path of the section. It is empty for the section below [`ROOT`].
    fn section(&mut self, path: &str, node: &MarkedYaml<'_>) {
        let known = keys::below(path);
        let shown = if path.is_empty() { ROOT } else { path };
        let Some(entries) = self.entries(node, shown, &known) else {
            return;
        };
        for (name, key, value) in entries {
            let full = match path {
                "" => name.clone(),
                _ => format!("{path}.{name}"),
            };
            if let Some(known) = Key::of(&full).filter(|_| !name.contains('.')) {
                self.key(known, key, value);
            } else if known.contains(&name.as_str()) {
                self.section(&full, value);
            } else {
                self.add(
                    key,
                    &full,
                    "there is no such key",
                    suggestion(&full, &name, &known),
                );
            }
        }
    }

    /// The keys of a mapping, each with the nodes of its name and of its value. `None` if the value is empty or
    /// unknown, or if it is not a mapping, which is reported as an error.
    fn entries<'n, 'y>(
        &mut self,
        node: &'n MarkedYaml<'y>,
        path: &str,
        known: &[&str],
    ) -> Option<Vec<(String, &'n MarkedYaml<'y>, &'n MarkedYaml<'y>)>> {
        if is_unknown(node) {
            self.unknown.push(path.to_owned());
            return None;
        }
        let YamlData::Mapping(mapping) = &node.data else {
            if !matches!(&node.data, YamlData::Value(Scalar::Null)) {
                // The value is not shown, because it may be a secret.
                let problem = "expected keys below it, but found a value";
                let remedy = Remedy::Allowed(known.join(", "));
                self.add(node, path, problem, remedy);
            }
            return None;
        };
        let mut entries = Vec::new();
        for (key, value) in mapping {
            match scalar(key) {
                // `<<` is YAML's merge key: it includes the keys of another mapping.
                Some(name) if name == "<<" => {
                    entries.extend(self.entries(value, path, known).into_iter().flatten());
                }
                Some(name) if values::may_be_secret(&name) => {
                    let remedy = Remedy::Allowed(known.join(", "));
                    self.add(
                        key,
                        path,
                        "expected a key below it, but found a value",
                        remedy,
                    );
                }
                Some(name) => entries.push((name, key, value)),
                None => {
                    let remedy = Remedy::Allowed(known.join(", "));
                    self.add(key, path, "a key below it is not a text", remedy);
                }
            }
        }
        Some(entries)
    }

    /// Reports a value that YAML reads as a comment: `channel: #devops` is a key without a value.
    fn comment(&mut self, key: &'static Key, name: &MarkedYaml<'_>) {
        let line = name.span.start.line();
        let text = self.lines.get(line.saturating_sub(1)).copied();
        let after = text
            .and_then(|text| text.split_once(':'))
            .map(|(_, rest)| rest.trim());
        let comment = after.and_then(|rest| rest.strip_prefix('#'));
        if comment.is_some_and(|it| it.starts_with(char::is_alphanumeric)) {
            let remedy = Remedy::Advice("put the value in quotes, `'#…'`".to_owned());
            self.add(
                name,
                key.path,
                "`#` starts a comment, so the key has no value",
                remedy,
            );
        }
    }

    fn key(&mut self, key: &'static Key, name: &MarkedYaml<'_>, node: &MarkedYaml<'_>) {
        if is_unknown(node) {
            return self.unknown.push(key.path.to_owned());
        }
        if let YamlData::Value(Scalar::Null) = &node.data {
            return self.comment(key, name);
        }
        let text = scalar(node).map(|it| it.trim().to_owned());
        if text.as_ref().is_some_and(String::is_empty) {
            return self.empty(key, node);
        }
        let line = node.span.start.line();
        match (key.allows, text) {
            (Allows::Channels(variable), text) => {
                match text.or_else(|| Some(json(node)?.to_string())) {
                    Some(text) => self.values.push(VariableValue {
                        parts: parts(node),
                        key,
                        variable,
                        text,
                        line,
                    }),
                    None => self.unknown.push(key.path.to_owned()),
                }
            }
            (Allows::Expectations(variable), text) => match text.or_else(|| node::entries(node)) {
                Some(text) => self.values.push(VariableValue {
                    parts: Vec::new(),
                    key,
                    variable,
                    text,
                    line,
                }),
                None => self.unknown.push(key.path.to_owned()),
            },
            (Allows::Arns | Allows::ArnsOrText, None) => self.arns(key, node),
            (Allows::ArnsOrText, Some(text)) => {
                for part in values::split(Some(&text), ",") {
                    self.arn(key, node, part);
                }
            }
            (Allows::Arns, Some(_)) => {
                let remedy = Remedy::Allowed("a list of ARNs, `[arn:…, arn:…]`".to_owned());
                self.add(node, key.path, "it is not a list", remedy);
            }
            (_, None) => {
                let remedy = Remedy::Allowed(match key.allows {
                    Allows::Variable(_) => {
                        "one text; docs/configuration.md says how to write several values in it"
                            .to_owned()
                    }
                    other => other.to_string(),
                });
                self.add(
                    node,
                    key.path,
                    "expected a text, but found a list or keys",
                    remedy,
                );
            }
            (Allows::Variable(variable), Some(text)) => self.values.push(VariableValue {
                key,
                variable,
                text,
                line,
                parts: Vec::new(),
            }),
            (allows, Some(text)) => self.value(key, allows, &text, node),
        }
    }

    /// A key takes its default only if it is missing or has no value. An empty text is a value, but a switch, a
    /// number or a closed list does not allow it.
    fn empty(&mut self, key: &'static Key, node: &MarkedYaml<'_>) {
        match key.allows {
            Allows::Switch | Allows::Number(..) | Allows::OneOf(_) => {
                let remedy = format!("{}, or leave the key out", key.allows);
                let problem = "an empty text cannot be used";
                self.add(node, key.path, problem, Remedy::Allowed(remedy));
            }
            Allows::Variable(_)
            | Allows::Channels(_)
            | Allows::Expectations(_)
            | Allows::Text
            | Allows::Arns
            | Allows::ArnsOrText
            | Allows::Region
            | Allows::Name
            | Allows::Organization => {}
        }
    }

    fn arns(&mut self, key: &'static Key, node: &MarkedYaml<'_>) {
        let YamlData::Sequence(items) = &node.data else {
            let remedy = Remedy::Allowed(key.allows.to_string());
            return self.add(node, key.path, "expected a list, but found keys", remedy);
        };
        for item in items {
            // An item that is not a text is a CloudFormation function, such as `!Ref Topic`.
            if let Some(text) = scalar(item).filter(|_| !is_unknown(item)) {
                self.arn(key, item, &text);
            }
        }
    }

    fn arn(&mut self, key: &'static Key, node: &MarkedYaml<'_>, text: &str) {
        if !text.starts_with("arn:") && !text.contains("${") {
            let problem = format!("{} is not an ARN", values::quoted(text));
            self.add(
                node,
                key.path,
                &problem,
                Remedy::Allowed(key.allows.to_string()),
            );
        }
    }

    /// Checks a value that Serverless or CloudFormation reads.
    fn value(&mut self, key: &'static Key, allows: Allows, text: &str, node: &MarkedYaml<'_>) {
        let is_allowed = match allows {
            Allows::Switch => {
                let is_on = switch(text);
                self.switches.extend(is_on.map(|is_on| (key.path, is_on)));
                is_on.is_some()
            }
            Allows::Number(from, to) => text.parse().is_ok_and(|it| (from..=to).contains(&it)),
            Allows::OneOf(words) => {
                self.is_direct |= (key.path, text) == ("ingest", "direct");
                words.contains(&text)
            }
            Allows::Region => crate::ecs::arn::is_region(text),
            Allows::Organization => is_organization(text),
            Allows::Name => text
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || it == '-'),
            Allows::Text
            | Allows::Variable(_)
            | Allows::Channels(_)
            | Allows::Expectations(_)
            | Allows::Arns
            | Allows::ArnsOrText => true,
        };
        if is_allowed {
            return;
        }
        let remedy = match allows {
            Allows::OneOf(words) => nearest(text, words.iter().copied()).map_or_else(
                || Remedy::Allowed(allows.to_string()),
                |it| Remedy::DidYouMean(it.to_owned()),
            ),
            _ => Remedy::Allowed(allows.to_string()),
        };
        let problem = format!("{} cannot be used", values::quoted(text));
        self.add(node, key.path, &problem, remedy);
    }

    /// Reads the variables with the code of each program.
    fn values(&mut self) {
        // If a key has two spellings, the first one in the table counts, as in serverless.yml. The templates folder is
        // not checked, because it exists only in the deployed function.
        let ordered = keys::KEYS.iter().filter_map(|key| {
            let mut values = self.values.iter();
            values.find(|it| it.key.path == key.path && it.variable != "TEMPLATES_DIR")
        });
        let mut pairs: Vec<(String, String)> = Vec::new();
        for value in ordered {
            if !pairs.iter().any(|(name, _)| name == value.variable) {
                pairs.push((value.variable.to_owned(), value.text.clone()));
            }
        }
        let environment = |own: &[String]| -> Vec<_> {
            let pairs = pairs.iter().filter(|(name, _)| own.contains(name));
            pairs.cloned().collect()
        };
        let of_parrot = environment(&names_of::<NotifierVariables>());
        self.check_size(&of_parrot);
        let parrot = NotifierConfig::read(&of_parrot);
        let queue = QueueConfig::read(&environment(&names_of::<QueueVariables>()));
        let hook = HookConfig::read(&environment(&names_of::<HookVariables>()));
        let mut problems = Vec::new();
        match parrot {
            Ok(parrot) => self.parrot = Some(parrot),
            Err(error) => problems.extend(error.0),
        }
        match queue {
            Ok(queue) if self.is_on("functions.run_from_queue", false) => {
                self.warnings.extend(queue.warnings);
            }
            Ok(_) => {}
            Err(error) => problems.extend(error.0),
        }
        problems.extend(hook.err().into_iter().flat_map(|error| error.0));
        for problem in problems {
            // Behind the variable's name a problem may say which part of its value is wrong.
            let (variable, part) = match problem.variable.split_once(", ") {
                Some((variable, part)) => (variable, format!(", {part}")),
                None => (problem.variable.as_str(), String::new()),
            };
            let value = self.values.iter().find(|it| it.variable == variable);
            let (line, path) = value.map_or((1, variable), |it| (it.line, it.key.path));
            let first = part
                .trim_start_matches(", ")
                .split(", ")
                .next()
                .unwrap_or_default();
            let parts = value.into_iter().flat_map(|it| &it.parts);
            let line = parts
                .filter(|(name, _)| name == first)
                .map(|(_, line)| *line)
                .next()
                .unwrap_or(line);
            let path = format!("{path}{part}");
            let found = finding(line, &path, &problem.problem, problem.remedy.clone());
            self.findings.push(found);
        }
    }

    /// Lambda refuses a function whose variables are larger, and CloudFormation says so only in the middle of a
    /// deployment. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
    fn check_size(&mut self, environment: &[(String, String)]) {
        const MOST: usize = 4_096;
        let bytes = environment
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let bytes: usize = bytes.sum();
        if bytes <= MOST {
            return;
        }
        let largest = self.values.iter().max_by_key(|it| it.text.len());
        let (line, path) = largest.map_or((1, "the file"), |it| (it.line, it.key.path));
        let problem =
            format!("the function's variables have {bytes} bytes, and Lambda allows {MOST}");
        let advice = "keep the list of channels in a parameter and write `channels: ssm:/path`";
        let remedy = Remedy::Advice(advice.to_owned());
        self.findings.push(finding(line, path, &problem, remedy));
    }

    fn is_on(&self, key: &str, by_default: bool) -> bool {
        let switched = self.switches.iter().find(|(path, _)| *path == key);
        switched.map_or(by_default, |(_, is_on)| *is_on)
    }

    fn report(self) -> Report {
        /// While one of these is unknown, the channels are unknown too.
        const CHANNEL_KEYS: [&str; 7] = [
            ROOT,
            "channels",
            "slack",
            "slack.webhookurl",
            "flowdock",
            "flowdock.api_token",
            "the file",
        ];
        let is_on = self.is_on("functions.parrot", true);
        let are_channels_unknown = self
            .unknown
            .iter()
            .any(|it| CHANNEL_KEYS.contains(&it.as_str()));
        let mut report = Report {
            channels: None,
            warnings: self.warnings,
            unchecked: self.unknown,
        };
        report.unchecked.dedup();
        let Some(parrot) = self.parrot.filter(|_| is_on) else {
            return report;
        };
        let expects = self.values.iter().any(|it| it.variable == "EXPECT");
        // Without a queue there are no timers. The function itself cannot know that.
        if self.is_direct {
            report.warnings.push(NO_QUEUE.to_owned());
            let late = expects.then(|| EXPECT_NEEDS_QUEUE.to_owned());
            report.warnings.extend(late);
        }
        if expects && self.switches.contains(&("rules.native", false)) {
            report.warnings.push(EXPECT_NEEDS_NATIVE.to_owned());
        }
        let mut values = self.values.iter();
        let table = values.find(|it| it.variable == "STATE_TABLE");
        if table.is_some_and(|it| it.text.eq_ignore_ascii_case(DISABLED)) {
            report.warnings.push(NO_TABLE.to_owned());
            let anew = expects.then(|| EXPECT_NEEDS_TABLE.to_owned());
            report.warnings.extend(anew);
        }
        // A warning may ask for a value that is set but unknown here.
        if report.unchecked.is_empty() {
            report.warnings.extend(parrot.warnings);
        }
        if are_channels_unknown {
            return report;
        }
        let kept_at = parrot.channels.reference.map(|it| format!("those of {it}"));
        let channels = parrot.channels.configured.into_iter();
        let channels: Vec<_> = channels
            .filter(|it| it.channel_type != ChannelType::Terminal)
            .map(|it| it.name)
            .chain(kept_at)
            .collect();
        if channels.is_empty() {
            report.warnings.push(
                "no channel is set, so messages go to the function's log only; set channels or slack.webhookurl"
                    .to_owned(),
            );
        }
        report.channels = Some(channels);
        report
    }

    fn add(&mut self, node: &MarkedYaml<'_>, path: &str, problem: &str, remedy: Remedy) {
        let line = node.span.start.line();
        self.findings.push(finding(line, path, problem, remedy));
    }
}

/// The channels of a list, by their number and by their name, with their lines. A name may stand twice: the second is
/// reported by its number.
fn parts(node: &MarkedYaml<'_>) -> Vec<(String, usize)> {
    let YamlData::Sequence(items) = &node.data else {
        return Vec::new();
    };
    let parts = items.iter().enumerate().flat_map(|(index, item)| {
        let line = item.span.start.line();
        let name = match &item.data {
            YamlData::Mapping(entries) => {
                let mut names = entries
                    .iter()
                    .filter(|(key, _)| scalar(key).as_deref() == Some("name"));
                names.next().and_then(|(_, value)| scalar(value))
            }
            _ => None,
        };
        let by_number = Some((format!("channel {}", index + 1), line));
        by_number
            .into_iter()
            .chain(name.map(|name| (format!("`{name}`"), line)))
    });
    parts.collect()
}

fn finding(line: usize, path: &str, problem: &str, remedy: Remedy) -> Finding {
    let problem = Problem {
        variable: path.to_owned(),
        problem: problem.to_owned(),
        remedy,
    };
    Finding { line, problem }
}

/// Suggests a known key for an unknown one: a similar name in the same section, or the same name in another section. A
/// name with dots may be a whole path.
fn suggestion(full: &str, name: &str, siblings: &[&str]) -> Remedy {
    let section = full.strip_suffix(name).unwrap_or_default();
    let paths = keys::KEYS.iter().map(|key| key.path);
    if name.contains('.') {
        let exact = paths.clone().find(|path| *path == full);
        let path = exact.or_else(|| nearest(full, paths.clone()));
        if let Some(below) = path.and_then(|path| path.strip_prefix(section)) {
            return Remedy::Advice(format!("write `{}`", nested(below)));
        }
    }
    if let Some(sibling) = nearest(name, siblings.iter().copied()) {
        return Remedy::DidYouMean(format!("{section}{sibling}"));
    }
    let of_this_name = keys::KEYS
        .iter()
        .filter(|key| key.name() == name)
        .map(|key| key.path);
    let elsewhere = of_this_name.chain(nearest(full, paths));
    match elsewhere.collect::<Vec<_>>()[..] {
        [] => Remedy::Allowed(siblings.join(", ")),
        [path, ..] => Remedy::DidYouMean(path.to_owned()),
    }
}

/// Turns `slack.quiet` into `slack: {quiet: …}`.
fn nested(path: &str) -> String {
    let mut parts = path.rsplit('.');
    let innermost = format!("{}: …", parts.next().unwrap_or_default());
    parts.fold(innermost, |below, part| format!("{part}: {{{below}}}"))
}

/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html>
fn is_organization(text: &str) -> bool {
    let id = text.strip_prefix("o-").unwrap_or_default();
    let is_allowed = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    (10..=32).contains(&id.len()) && id.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests;
