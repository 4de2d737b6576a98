//! Many services of a cluster that fail at once: one message for all of them.

mod member;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Reason, ThreadId, ThreadKind, ThreadState, Turn};
use super::escalation::{self, Escalation};
use super::incident::{CommonFact, cause_of};
use super::settings::ThreadSettings;
use super::shared_facts::{Places, SharedFacts};
use super::shown::Shown;
use super::state::{ShownNotice, SubjectState};
use super::subject::{SubjectKey, SubjectKind};
use super::text::cut;
use super::unix_time::UnixTime;
use crate::ecs::notice::{Origin, Subject};
use crate::notifier::policy::Severity;
use member::LONGEST_NAME;

pub use member::Member;
pub(super) use member::Report;

/// Incidents that open within this time may be one storm.
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// Between two messages about new services.
const BETWEEN_NEWS: Duration = Duration::from_secs(60);

/// A service that fails so long after all others have recovered is a problem of its own.
const LAST_ONE: Duration = Duration::from_secs(30 * 60);

/// A service that has not failed for so long does not keep the storm going, even if nothing says that it recovered.
const HOLD: Duration = Duration::from_secs(60 * 60);

/// After this time the services that still fail are shown by themselves again.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// The most services of one storm that are remembered by name. Each is remembered in few words.
const MOST_MEMBERS: usize = 30;

/// The most openings that are remembered, if a storm needs less.
const MOST_OPENINGS: usize = 30;

/// The incidents of a cluster that opened lately.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ClusterMemory {
    openings: Vec<Opening>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Opening {
    kind: SubjectKind,
    name: String,
    at: UnixTime,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Storm {
    pub thread: ThreadId,
    pub origin: Origin,
    pub subject: Subject,
    pub first_at: UnixTime,
    pub members: Vec<Member>,
    /// Services that are not remembered by name.
    pub others: u32,
    pub ended_at: Option<UnixTime>,
    /// Somebody closed it.
    pub is_closed_by_hand: bool,
    pub common: Vec<CommonFact>,
    /// The newest failure with the most frequent cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Box<ShownNotice>>,
    newest_at: UnixTime,
    pub shown: Shown,
    new_members: Vec<String>,
    /// Incidents that must become a part of the storm. A function that ends between two writes leaves them here.
    to_join: Vec<SubjectKey>,
    /// Where tasks were that did not fail.
    places: Places,
    news_at: UnixTime,
    shown_severity: Severity,
    turn_total: u32,
    step: u32,
    #[serde(skip_serializing_if = "Escalation::is_empty")]
    pub escalation: Escalation,
    is_reminder_due: bool,
}

/// Tells a cluster about its incidents, and decides whether they are a storm. Returns the incidents that belong to the
/// storm from now on.
pub(super) fn observe(
    cluster: &SubjectKey,
    state: &mut SubjectState,
    reports: &[Report<'_>],
    now: UnixTime,
    settings: &ThreadSettings,
) -> Vec<SubjectKey> {
    let mut joined = Vec::new();
    for report in reports {
        let storm = state.storm.as_mut().filter(|it| !it.is_over());
        let joins = match storm {
            Some(storm) => storm.note(report),
            None => {
                if report.is_new {
                    state.cluster.note(report, now, settings);
                }
                false
            }
        };
        if joins {
            joined.push(report.key.clone());
        }
    }
    let has_storm = state.storm.as_ref().is_some_and(|it| !it.is_over());
    let needed = settings.storm_after;
    if !has_storm && needed > 0 && state.cluster.openings.len() >= needed {
        joined.extend(begin(cluster, state, reports, now));
    }
    joined
}

fn begin(
    cluster: &SubjectKey,
    state: &mut SubjectState,
    reports: &[Report<'_>],
    now: UnixTime,
) -> Vec<SubjectKey> {
    let Some(first) = reports.first() else {
        return Vec::new();
    };
    let beginning = now.as_milliseconds().to_string();
    let newest = first.incident.newest.as_ref();
    let mut storm = Storm {
        thread: ThreadId::new(ThreadKind::Storm, cluster, &beginning),
        origin: newest
            .map(|it| super::bounded_origin(&it.notice.origin))
            .unwrap_or_default(),
        subject: Subject {
            cluster: Some(cluster.cluster.clone()).filter(|it| !it.is_empty()),
            ..Subject::default()
        },
        first_at: now,
        ..Storm::default()
    };
    for report in reports {
        storm.note(report);
    }
    storm.new_members.clear();
    state.storm = Some(Box::new(storm));
    let openings = state.cluster.openings.drain(..);
    openings
        .map(|opening| SubjectKey {
            kind: opening.kind,
            name: opening.name,
            ..cluster.clone()
        })
        .collect()
}

impl ClusterMemory {
    pub(super) fn is_empty(&self) -> bool {
        self.openings.is_empty()
    }

    /// Notes an incident that opened or came back. What a backlog brings at once may be hours apart.
    fn note(&mut self, report: &Report<'_>, now: UnixTime, settings: &ThreadSettings) {
        if settings.storm_after == 0 {
            return;
        }
        let key = report.key;
        let at = report.incident.began_at().min(now);
        let is_same = |it: &Opening| it.kind == key.kind && it.name == key.name;
        let is_near = |it: &Opening| at.since(it.at).max(it.at.since(at)) < WINDOW;
        self.openings.retain(|it| is_near(it) && !is_same(it));
        self.openings.push(Opening {
            kind: key.kind,
            name: key.name.clone(),
            at,
        });
        let most = settings.storm_after.max(MOST_OPENINGS);
        let excess = self.openings.len().saturating_sub(most);
        self.openings.drain(..excess);
    }
}

impl Storm {
    pub fn is_over(&self) -> bool {
        self.ended_at.is_some()
    }

    pub fn state(&self) -> ThreadState {
        let mut states = self.members.iter().map(|it| it.state);
        match () {
            () if self.is_over() => ThreadState::Resolved,
            () if states.any(|it| it == ThreadState::Open) => ThreadState::Open,
            () => ThreadState::Recovering,
        }
    }

    pub fn severity(&self) -> Severity {
        match self.is_over() {
            true => Severity::Success,
            false => self.worst(),
        }
    }

    fn worst(&self) -> Severity {
        let worst = self.members.iter().map(|it| it.severity).max();
        worst.unwrap_or(Severity::Critical).max(Severity::Warning)
    }

    pub fn total(&self) -> u32 {
        let totals = self.members.iter().map(|it| it.total + it.before);
        totals.sum()
    }

    /// The members that fail now.
    pub fn failing(&self) -> Vec<&Member> {
        let fails = |it: &&Member| it.state == ThreadState::Open;
        self.members.iter().filter(fails).collect()
    }

    /// The members that have recovered.
    pub fn recovered(&self) -> usize {
        let is_over = |it: &&Member| it.state == ThreadState::Resolved;
        self.members.iter().filter(is_over).count()
    }

    /// The members that went on when the storm ended: those that failed shortly before, and those that had not failed
    /// for long.
    pub fn left(&self) -> (Vec<&Member>, Vec<&Member>) {
        let end = self.ended_at.unwrap_or_default();
        let goes_on = |it: &&Member| it.state != ThreadState::Resolved;
        let left = self.members.iter().filter(goes_on);
        left.partition(|it| it.changed_at.plus(HOLD) > end)
    }

    /// Notes the state of an incident. Returns whether the incident is new in the storm.
    fn note(&mut self, report: &Report<'_>) -> bool {
        let member = Member::of(report);
        self.shown.is_outdated = true;
        self.first_at = self.first_at.min(member.first_at);
        self.places.merge(report.places);
        let is_new = self.note_member(report, member);
        self.note_newest(report);
        is_new
    }

    /// Returns whether the incident is new in the storm.
    fn note_member(&mut self, report: &Report<'_>, member: Member) -> bool {
        if let Some(known) = self.members.iter_mut().find(|it| it.is(report.key)) {
            let has_failed_again = known.learn(member);
            if has_failed_again && self.new_members.len() < MOST_MEMBERS {
                self.new_members.push(cut(known.name(), LONGEST_NAME));
            }
            return report.is_new;
        }
        let has_room = self.members.len() < MOST_MEMBERS;
        if report.is_new && self.new_members.len() < MOST_MEMBERS {
            self.new_members.push(cut(member.name(), LONGEST_NAME));
        }
        if has_room {
            self.members.push(member);
        } else if report.is_new {
            self.others = self.others.saturating_add(1);
        }
        has_room || report.is_new
    }

    /// Shows the newest failure with the most frequent cause. It explains what most services have.
    fn note_newest(&mut self, report: &Report<'_>) {
        let Some((newest, at)) = report.incident.newest() else {
            return;
        };
        let causes = self.causes();
        let most = causes.first().map(|(name, _)| *name);
        let is_most = |it: &ShownNotice| most == Some(cause_of(&it.notice, it.priority).0.as_str());
        let is_better = match &self.newest {
            None => true,
            Some(known) if is_most(known) == is_most(newest) => at >= self.newest_at,
            Some(_) => is_most(newest),
        };
        if is_better {
            self.newest = Some(Box::new(newest.clone()));
            self.newest_at = at;
        }
    }

    /// What a member is: its name in the storm's cluster, and its tags.
    pub fn subject_of(&self, member: &Member) -> Subject {
        let name = |kind| (member.kind() == kind).then(|| member.name().to_owned());
        Subject {
            cluster: self.subject.cluster.clone(),
            service: name(SubjectKind::Service),
            family: name(SubjectKind::Family),
            tags: member.tags.clone(),
            ..Subject::default()
        }
    }

    /// The causes of all members, the most frequent first.
    pub fn causes(&self) -> Vec<(&str, u32)> {
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for (name, count) in self.members.iter().flat_map(|it| it.causes.iter()) {
            *counts.entry(name).or_default() += count;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    /// Adds an incident that opened before the storm began.
    pub(super) fn add_earlier(&mut self, report: &Report<'_>) {
        self.note(report);
    }

    /// Does what the passing of time does. Returns the incidents that go on although the storm is over.
    pub(super) fn pass(
        &mut self,
        cluster: &SubjectKey,
        until: UnixTime,
        settings: &ThreadSettings,
    ) -> Vec<SubjectKey> {
        if self.is_over() {
            return Vec::new();
        }
        self.find_common();
        if let Some(opened_at) = self.shown.opened_at {
            while let Some(step) = settings.step(self.step) {
                if opened_at.plus(step) > until {
                    break;
                }
                self.step += 1;
                self.is_reminder_due |=
                    self.state() == ThreadState::Open && self.total() > self.turn_total;
            }
        }
        match self.end_due() {
            Some(due) if due <= until => {
                self.ended_at = Some(due);
                self.shown.is_outdated = true;
                let goes_on = |it: &&Member| it.state != ThreadState::Resolved;
                let left = self.members.iter().filter(goes_on);
                left.map(|it| it.key(cluster)).collect()
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// Notes an incident that joins, until its own state says that it has.
    pub(super) fn note_joining(&mut self, key: &SubjectKey) {
        if !self.to_join.contains(key) && self.to_join.len() < MOST_MEMBERS {
            self.to_join.push(key.clone());
        }
    }

    /// The incidents whose states must say that they have joined.
    pub(super) fn joining(&self) -> Vec<SubjectKey> {
        self.to_join.clone()
    }

    pub(super) fn note_joined(&mut self, key: &SubjectKey) {
        self.to_join.retain(|it| it != key);
    }

    /// Somebody closed it.
    pub(super) fn end_by_hand(&mut self, at: UnixTime) {
        self.ended_at = Some(at);
        self.is_closed_by_hand = true;
        self.shown.is_outdated = true;
    }

    /// When the storm is over: with its last incident, some time after all others but one, or when those that are left
    /// have not failed for long.
    fn end_due(&self) -> Option<UnixTime> {
        let (over, failing): (Vec<_>, Vec<_>) = self
            .members
            .iter()
            .partition(|it| it.state == ThreadState::Resolved);
        let last = over.iter().map(|it| it.changed_at).max();
        match failing.as_slice() {
            [] => last,
            [failing] if failing.state == ThreadState::Open && last.is_some() => {
                last.map(|at| at.plus(LAST_ONE))
            }
            _ => {
                let quiet = failing.iter().map(|it| it.changed_at.plus(HOLD)).max();
                quiet.map(|it| it.min(self.first_at.plus(LONGEST)))
            }
        }
    }

    fn find_common(&mut self) {
        let mut shared = SharedFacts::default();
        for member in &self.members {
            shared.merge(&member.shared);
        }
        let common = shared.in_common(self.total(), &self.places);
        self.common = common.into_iter().map(CommonFact::from).collect();
    }

    /// Forgets the news of who has recovered while it waited. Returns whether any is left.
    fn has_failing_news(&mut self) -> bool {
        let members = &self.members;
        self.new_members.retain(|name| {
            let mut members = members.iter();
            let known = members.find(|it| cut(it.name(), LONGEST_NAME) == *name);
            known.is_none_or(|it| it.state == ThreadState::Open)
        });
        !self.new_members.is_empty()
    }

    pub(super) fn turns(&mut self, now: UnixTime, settings: &ThreadSettings) -> Option<Turn> {
        let state = self.state();
        let has_news = now >= self.news_at.plus(BETWEEN_NEWS) && self.has_failing_news();
        let escalation = self.escalation_due(now, settings);
        let reason = match () {
            () if !self.shown.is_open() => Reason::Opened,
            () if state == ThreadState::Resolved && self.shown.state != Some(state) => {
                Reason::Recovered
            }
            () if has_news && state != ThreadState::Resolved => Reason::Worse,
            () if self.is_reminder_due && state == ThreadState::Open => Reason::Reminder,
            () if escalation.is_some() => Reason::Escalated,
            () if self.shown.state != Some(state) => Reason::Learned,
            () if settings.has_edits && self.shown.edit_due().is_some_and(|due| due <= now) => {
                Reason::Counted
            }
            () => return None,
        };
        let severity = self.severity();
        let urgent = matches!(reason, Reason::Opened | Reason::Worse | Reason::Reminder);
        let becomes_critical =
            severity == Severity::Critical && self.shown_severity < Severity::Critical;
        let mentions = becomes_critical && matches!(reason, Reason::Opened | Reason::Worse);
        let names = match reason {
            Reason::Worse => std::mem::take(&mut self.new_members),
            _ => Vec::new(),
        };
        self.shown.note(reason, Some(state), now);
        if reason == Reason::Opened || reason.is_turn() {
            self.turn_total = self.total();
            self.shown_severity = severity;
            self.is_reminder_due = false;
        }
        if matches!(reason, Reason::Opened | Reason::Worse) {
            self.news_at = now;
        }
        let turn = match reason {
            Reason::Escalated => escalation::turn(now, severity, escalation),
            _ => Turn::new(reason, now, severity, urgent)
                .with_mention(mentions)
                .with_names(names),
        };
        self.escalation.note(&turn);
        Some(turn)
    }

    fn escalation_due(&self, now: UnixTime, settings: &ThreadSettings) -> Option<Duration> {
        self.escalation.passed(self.open_since()?, now, settings)
    }

    /// Since when it is open in the chat, if a service fails now.
    fn open_since(&self) -> Option<UnixTime> {
        let is_open = self.state() == ThreadState::Open;
        self.shown.opened_at.filter(|_| is_open)
    }

    pub(super) fn wake_at(&self, settings: &ThreadSettings) -> Option<UnixTime> {
        if self.is_over() {
            return self.shown.edit_due().filter(|_| settings.has_edits);
        }
        let edit = self.shown.edit_due().filter(|_| settings.has_edits);
        let has_news = !self.new_members.is_empty();
        let news = has_news.then(|| self.news_at.plus(BETWEEN_NEWS));
        let has_more = self.total() > self.turn_total;
        let opened_at = self.shown.opened_at.filter(|_| has_more);
        let step = opened_at
            .zip(settings.step(self.step))
            .map(|(at, step)| at.plus(step));
        let escalation = self
            .open_since()
            .and_then(|since| self.escalation.due_at(since, settings));
        [edit, news, step, escalation, self.end_due()]
            .into_iter()
            .flatten()
            .min()
    }
}
