//! The alarms that are parts of an incident. An alarm says itself when it is over, so it needs no other sign.

use serde::{Deserialize, Serialize};

use super::{Incident, LONGEST_NAME, Sign, observe_failure};
use crate::ecs::notice::AlarmFacts;
use crate::notifier::thread::observation::Observation;
use crate::notifier::thread::state::SubjectState;
use crate::notifier::thread::subject::SubjectKey;
use crate::notifier::thread::text::cut;
use crate::notifier::thread::unix_time::UnixTime;

const MOST_ALARMS: usize = 12;

/// An alarm, and when it was on and OK last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmPart {
    pub name: String,
    pub on_at: UnixTime,
    pub ok_at: Option<UnixTime>,
}

impl AlarmPart {
    pub fn is_on(&self) -> bool {
        self.ok_at.is_none_or(|ok_at| ok_at < self.on_at)
    }
}

/// Tells the incident about an alarm. Returns whether the event belongs to it, so that it is not posted by itself.
pub(in crate::notifier::thread) fn observe_alarm(
    key: &SubjectKey,
    state: &mut SubjectState,
    observation: &Observation<'_>,
    alarm: &AlarmFacts,
    now: UnixTime,
) -> bool {
    let name = name_of(alarm);
    if alarm.is_on() {
        let is_taken = observe_failure(key, state, observation, now);
        if is_taken && let Some(incident) = state.incident.as_deref_mut() {
            incident.note_alarm(&name, observation.at);
            if let Some(ok_at) = state.service.alarm_ok(&name) {
                incident.end_alarm(&name, ok_at);
            }
        }
        return is_taken;
    }
    state.service.note_alarm_ok(&name, observation.at);
    if let Some(incident) = state.incident.as_deref_mut() {
        incident.end_alarm(&name, observation.at);
    }
    false
}

fn name_of(alarm: &AlarmFacts) -> String {
    cut(alarm.name.as_deref().unwrap_or_default(), LONGEST_NAME)
}

/// The name of its cause.
pub(super) fn cause(alarm: &AlarmFacts) -> String {
    match alarm.name.as_deref() {
        Some(name) => format!("{ALARM} {name}"),
        None => ALARM.to_owned(),
    }
}

/// How the names of alarms begin among the causes.
const ALARM: &str = "alarm";

/// Whether a cause of an incident is an alarm with a name.
pub fn is_alarm(cause: &str) -> bool {
    let name = cause.strip_prefix(ALARM);
    name.is_some_and(|it| it.starts_with(' '))
}

/// What it measured, without a verb: `CPUUtilization 93.5 % (more than 80 %)`.
pub(super) fn words(alarm: &AlarmFacts) -> Option<String> {
    alarm.measured_in_short()
}

impl Incident {
    /// Whether an alarm is on.
    pub(super) fn has_alarm(&self) -> bool {
        self.alarms.iter().any(AlarmPart::is_on)
    }

    /// Whether nothing but alarms says that there is a problem.
    pub fn has_only_alarms(&self) -> bool {
        self.failed_at.is_none()
    }

    fn note_alarm(&mut self, name: &str, at: UnixTime) {
        if let Some(known) = self.alarms.iter_mut().find(|it| it.name == name) {
            known.on_at = known.on_at.max(at);
        } else if self.alarms.len() < MOST_ALARMS {
            self.alarms.push(AlarmPart {
                name: name.to_owned(),
                on_at: at,
                ok_at: None,
            });
        }
    }

    /// The end of the last alarm is the sign of a recovery, if the tasks have not failed since theirs.
    fn end_alarm(&mut self, name: &str, at: UnixTime) {
        let Some(alarm) = self.alarms.iter_mut().find(|it| it.name == name) else {
            return;
        };
        alarm.ok_at = alarm.ok_at.max(Some(at));
        self.shown.is_outdated = true;
        let has_recovered = self.failed_at.is_none_or(|it| it < self.sign_at);
        let end = self.alarms.iter().filter_map(|it| it.ok_at).max();
        if let Some(end) = end.filter(|_| !self.has_alarm() && has_recovered) {
            // It did not recover while an alarm was on.
            self.signs.retain(|it| *it >= end);
            self.note_sign(Sign::AlarmOk, end);
        }
    }
}
