//! The alarms that are parts of an incident. An alarm says itself when it is over, so it needs no other sign.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Incident, Resolution, Sign, observe_failure};
use crate::ecs::notice::{AlarmFacts, AlarmState};
use crate::notifier::thread::observation::Observation;
use crate::notifier::thread::state::SubjectState;
use crate::notifier::thread::subject::SubjectKey;
use crate::notifier::thread::text::cut;
use crate::notifier::thread::unix_time::UnixTime;

const MOST_ALARMS: usize = 12;

/// A name has at most 255 characters. Longer ones are no names of CloudWatch.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>
const LONGEST_ALARM: usize = 255;

/// So long an alarm keeps an incident open whose tasks have recovered. Without an end, one alarm would hide all later
/// problems of the service.
const LONGEST_HOLD: Duration = Duration::from_secs(24 * 3_600);

/// An alarm, and when it was on and over last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmPart {
    pub name: String,
    /// Whether target tracking made it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_of_tracking: bool,
    pub on_at: UnixTime,
    pub over: Option<AlarmEnd>,
}

/// When an alarm was over, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmEnd {
    pub at: UnixTime,
    pub how: AlarmEndType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmEndType {
    Ok,
    /// Nobody knows whether its problem is over.
    NoData,
    Deleted,
    /// It is still on, but no part of the incident any more.
    HeldTooLong,
}

impl AlarmEndType {
    fn of(state: AlarmState) -> Option<Self> {
        match state {
            AlarmState::Ok => Some(Self::Ok),
            AlarmState::InsufficientData => Some(Self::NoData),
            AlarmState::Deleted => Some(Self::Deleted),
            AlarmState::Alarm | AlarmState::Changed | AlarmState::Unknown => None,
        }
    }
}

impl AlarmPart {
    pub fn is_on(&self) -> bool {
        self.end().is_none()
    }

    /// How it ended, if it is not on again.
    pub fn end(&self) -> Option<AlarmEnd> {
        self.over.filter(|it| it.at >= self.on_at)
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
    if let Some(how) = AlarmEndType::of(alarm.state) {
        let at = observation.at;
        let end = AlarmEnd { at, how };
        state.service.note_alarm_end(&name, end);
        if let Some(incident) = state.incident.as_deref_mut() {
            incident.end_alarm(&name, end);
        }
    }
    let is_taken = alarm.is_on() && observe_failure(key, state, observation, now);
    if is_taken && let Some(incident) = state.incident.as_deref_mut() {
        incident.note_alarm(&name, alarm.tracks.is_some(), observation.at);
        if let Some(end) = state.service.alarm_end(&name) {
            incident.end_alarm(&name, end);
        }
    }
    is_taken
}

fn name_of(alarm: &AlarmFacts) -> String {
    cut(alarm.name.as_deref().unwrap_or_default(), LONGEST_ALARM)
}

/// The name of its cause.
pub(super) fn cause(alarm: &AlarmFacts) -> String {
    match name_of(alarm).as_str() {
        "" => ALARM.to_owned(),
        name => format!("{ALARM} {name}"),
    }
}

/// How the names of alarms begin among the causes.
const ALARM: &str = "alarm";

/// The longest name of a cause that is stored, in bytes: that of an alarm.
pub(super) const LONGEST_CAUSE: usize = ALARM.len() + 1 + LONGEST_ALARM;

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

    /// Whether it ended because alarms had no more data, or were deleted.
    pub(super) fn is_quiet_alarm(&self) -> bool {
        self.has_only_alarms() && self.resolution == Some(Resolution::Quiet)
    }

    /// The words of a cause. Two alarms that measure the same are told apart by their names.
    pub(super) fn distinct(&self, name: &str, words: Option<String>) -> Option<String> {
        let words = words?;
        let mut others = self.causes.iter().filter(|it| it.name != name);
        let is_same = others.any(|it| is_alarm(name) && it.words.as_ref() == Some(&words));
        Some(match is_same {
            true => format!("{words} ({name})"),
            false => words,
        })
    }

    /// Of more alarms than are stored, nobody knows when the last one is over.
    fn note_alarm(&mut self, name: &str, is_of_tracking: bool, at: UnixTime) {
        if let Some(known) = self.alarms.iter_mut().find(|it| it.name == name) {
            known.on_at = known.on_at.max(at);
            return;
        }
        let is_full = self.alarms.len() >= MOST_ALARMS;
        let over = self.alarms.iter().position(|it| !it.is_on());
        match over.filter(|_| is_full) {
            Some(place) => _ = self.alarms.remove(place),
            None if is_full => {
                self.has_other_alarms = true;
                return;
            }
            None => {}
        }
        self.alarms.push(AlarmPart {
            name: name.to_owned(),
            is_of_tracking,
            on_at: at,
            over: None,
        });
    }

    /// The end of the last alarm is the sign of a recovery, if the tasks have not failed since theirs. An alarm without
    /// data, or one that was deleted, says nothing about its problem: then the incident must be quiet for a while.
    fn end_alarm(&mut self, name: &str, end: AlarmEnd) {
        let Some(alarm) = self.alarms.iter_mut().find(|it| it.name == name) else {
            return;
        };
        if alarm.over.is_none_or(|known| known.at < end.at) {
            alarm.over = Some(end);
        }
        self.shown.is_outdated = true;
        if self.has_alarm() {
            return;
        }
        let ends = self.alarms.iter().filter_map(AlarmPart::end);
        let Some(last) = ends.max_by_key(|it| it.at) else {
            return;
        };
        let has_recovered = self.failed_at.is_none_or(|it| it < self.sign_at);
        if last.how != AlarmEndType::Ok || self.has_other_alarms {
            self.quiet_from = self.quiet_from.max(last.at);
        } else if has_recovered {
            // It did not recover while an alarm was on.
            self.signs.retain(|it| *it >= last.at);
            self.note_sign(Sign::AlarmOk, last.at);
        }
    }

    /// When an alarm has held the incident open for too long, although its tasks may have recovered.
    pub(super) fn hold_ends_at(&self) -> Option<UnixTime> {
        let on = self.alarms.iter().filter(|it| it.is_on());
        let ends = on.map(|it| it.on_at.plus(LONGEST_HOLD));
        ends.min().filter(|_| self.failed_at.is_some())
    }

    pub(super) fn end_long_holds(&mut self, until: UnixTime) {
        if self.hold_ends_at().is_none_or(|it| it > until) {
            return;
        }
        for alarm in self.alarms.iter_mut().filter(|it| it.is_on()) {
            let at = alarm.on_at.plus(LONGEST_HOLD);
            if at <= until {
                let how = AlarmEndType::HeldTooLong;
                alarm.over = Some(AlarmEnd { at, how });
            }
        }
        self.shown.is_outdated = true;
    }
}
