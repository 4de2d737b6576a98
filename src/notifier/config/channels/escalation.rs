//! Reads `escalate_after` and `escalate_to`: what stays open in a channel is sent to another one too.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::{Problem, Remedy};
use crate::notifier::channel::settings::{ShownSetting, is_unset};
use crate::notifier::channel::{ConfiguredChannel, EscalationSource, Minimum};
use crate::text::duration::{ALLOWED, duration};
use crate::text::spelling::nearest;

/// The two settings.
pub(super) const SETTINGS: [&str; 2] = ["escalate_after", "escalate_to"];

const NAME: &str = "the name of another channel";

/// A channel's escalation, as it is configured.
#[derive(Debug, Clone)]
pub(super) struct Escalation {
    /// The channel's name in backticks, or its number.
    location: String,
    from: String,
    after: Duration,
    to: String,
}

/// Reads the two settings of a channel. Notes a problem if only one of them is set.
pub(super) fn read(
    entry: &Map<String, Value>,
    name: Option<&str>,
    location: &str,
    problems: &mut Vec<Problem>,
) -> Option<Escalation> {
    let [after, to] = SETTINGS.map(|it| entry.get(it).filter(|it| !is_unset(it)));
    let mut wrong = |setting: &str, problem: &str, allowed: &str| {
        let location = place(location, setting);
        problems.push(Problem::new(&location, problem, allowed));
    };
    match (after, to) {
        (None, None) => None,
        (Some(_), None) => {
            wrong(
                "escalate_to",
                "it is missing, and `escalate_after` needs it",
                NAME,
            );
            None
        }
        (None, Some(_)) => {
            wrong(
                "escalate_after",
                "it is missing, and `escalate_to` needs it",
                ALLOWED,
            );
            None
        }
        (Some(after), Some(to)) => {
            let after = time(after);
            let to = to.as_str().map(str::trim);
            if after.is_none() {
                wrong("escalate_after", "not a duration", ALLOWED);
            }
            if to.is_none() {
                wrong("escalate_to", "not a text", NAME);
            }
            Some(Escalation {
                location: location.to_owned(),
                from: name?.to_owned(),
                after: after?,
                to: to?.to_owned(),
            })
        }
    }
}

/// A duration as a text, or a number of seconds.
fn time(value: &Value) -> Option<Duration> {
    match value {
        Value::String(text) => duration(text),
        Value::Number(number) => duration(&number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The settings as `ecs-parrot config` shows them.
pub(super) fn shown(escalation: Option<&Escalation>) -> Vec<ShownSetting> {
    let Some(Escalation { after, to, .. }) = escalation else {
        return Vec::new();
    };
    let values = [format!("{} s", after.as_secs()), to.clone()];
    let settings = SETTINGS.into_iter().zip(values);
    let shown = settings.map(|(name, value)| ShownSetting {
        name,
        value,
        source: "CHANNELS".to_owned(),
    });
    shown.collect()
}

/// Tells each channel which others escalate to it.
pub(super) fn connect(
    escalations: Vec<Escalation>,
    channels: &mut [ConfiguredChannel],
    known: &[&str],
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) {
    for escalation in escalations {
        let Escalation {
            from, after, to, ..
        } = &escalation;
        if from == to {
            let location = place(&escalation.location, "escalate_to");
            problems.push(Problem::new(&location, "it is the channel itself", NAME));
        } else if let Some(target) = channels.iter_mut().find(|it| it.name == *to) {
            target.escalated_from.push(EscalationSource {
                channel: from.clone(),
                after: *after,
            });
        } else if !known.contains(&to.as_str()) {
            problems.push(unknown(&escalation, known));
        }
    }
    let is_forgotten =
        |it: &&ConfiguredChannel| it.minimum == Minimum::Escalated && it.escalated_from.is_empty();
    for channel in channels.iter().filter(is_forgotten) {
        warnings.push(format!(
            "the channel `{}` never gets a message: its minimum is `escalated`, and no channel has it as `escalate_to`",
            channel.name
        ));
    }
}

fn unknown(escalation: &Escalation, known: &[&str]) -> Problem {
    let others = known.iter().copied().filter(|it| *it != escalation.from);
    let allowed = || match others.clone().collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => format!("{NAME}; add one, because there is no other"),
        names => names,
    };
    Problem {
        variable: place(&escalation.location, "escalate_to"),
        problem: "there is no channel with this name".to_owned(),
        remedy: match nearest(&escalation.to, others.clone()) {
            Some(meant) => Remedy::DidYouMean(meant.to_owned()),
            None => Remedy::Allowed(allowed()),
        },
    }
}

fn place(location: &str, setting: &str) -> String {
    format!("CHANNELS, {location}, `{setting}`")
}
