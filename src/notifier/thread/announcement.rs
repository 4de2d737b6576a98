//! One event of AWS Health, from its announcement to its end: work that AWS plans, or a problem that AWS has.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Reason, ThreadId, ThreadKind, ThreadState, Turn};
use super::observation::Observation;
use super::settings::ThreadSettings;
use super::shown::Shown;
use super::state::{ShownNotice, SubjectState};
use super::subject::SubjectKey;
use super::text::{LONGEST_ID, cut_known};
use super::unix_time::UnixTime;
use crate::ecs::affected::AffectedService;
use crate::ecs::event::Time;
use crate::ecs::notice::{AwsHealthFacts, Facts};
use crate::notifier::policy::{Priority, Severity};

/// The reminder comes so long before the work begins.
const REMINDER: Duration = Duration::from_secs(24 * 3_600);

/// An announcement that comes so shortly before the reminder is reminder enough.
const JUST_ANNOUNCED: Duration = Duration::from_secs(6 * 3_600);

/// The pages of an update come within this time.
const PAGES: Duration = Duration::from_secs(60);

/// AWS's times are rough: what moves by less is not told.
const SAME_TIME: Duration = Duration::from_secs(3_600);

/// Work without an end in the announcement is over after this time.
const LONGEST_WORK: Duration = Duration::from_secs(24 * 3_600);

/// Patterns are matched against so many services. The message shows fewer.
const MOST_SERVICES: usize = 60;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Announcement {
    pub thread: ThreadId,
    pub first_at: UnixTime,
    /// The latest update, with all of its pages.
    pub newest: Option<Box<ShownNotice>>,
    newest_at: UnixTime,
    update: Option<String>,
    /// The first services that are affected.
    pub services: Vec<AffectedService>,
    state: Option<ThreadState>,
    pub shown: Shown,
    /// What readers know, and the update that told it.
    known: Known,
    told: Option<String>,
    is_reminder_sent: bool,
    is_closed_by_hand: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Known {
    starts_at: Option<UnixTime>,
    affected: u32,
    tasks: usize,
}

/// Tells the announcement about a page of an update.
pub(super) fn observe(key: &SubjectKey, state: &mut SubjectState, observation: &Observation<'_>) {
    let Facts::AwsHealth(health) = &observation.notice.facts else {
        return;
    };
    let Some(priority) = observation.priority() else {
        return;
    };
    if !state.seen.is_new(observation.transition.as_ref()) {
        return;
    }
    let announcement = state.announcement.get_or_insert_with(|| {
        Box::new(Announcement {
            thread: ThreadId::new(ThreadKind::Announcement, key, ""),
            first_at: observation.at,
            ..Announcement::default()
        })
    });
    announcement.note(observation, health, priority);
}

impl Announcement {
    pub fn state(&self) -> ThreadState {
        self.state.unwrap_or(ThreadState::Open)
    }

    pub fn severity(&self) -> Severity {
        let announced = self.newest.as_ref().map(|it| it.priority.severity);
        match self.is_over() {
            true => Severity::Success,
            false => announced.unwrap_or_default(),
        }
    }

    pub fn is_over(&self) -> bool {
        self.state() == ThreadState::Resolved
    }

    pub fn facts(&self) -> Option<&AwsHealthFacts> {
        match &self.newest.as_ref()?.notice.facts {
            Facts::AwsHealth(health) => Some(health),
            _ => None,
        }
    }

    fn note(&mut self, observation: &Observation<'_>, health: &AwsHealthFacts, priority: Priority) {
        let update = cut_known(health.update(), LONGEST_ID);
        let is_page = self.newest.is_some() && update.is_some() && update == self.update;
        self.first_at = self.first_at.min(observation.at);
        if is_page {
            self.add_page(health, priority);
        } else if self.newest.is_none() || observation.at >= self.newest_at {
            self.newest = Some(ShownNotice::new(observation.notice, priority));
            self.newest_at = observation.at;
            self.update = update;
            self.services.clear();
        } else {
            return;
        }
        self.add_services(health);
        self.shown.is_outdated = true;
    }

    /// A page has the same texts and times as the others, and its own resources.
    fn add_page(&mut self, health: &AwsHealthFacts, priority: Priority) {
        let Some(newest) = &mut self.newest else {
            return;
        };
        newest.priority.urgent |= priority.urgent;
        newest.priority.severity = newest.priority.severity.max(priority.severity);
        if let Facts::AwsHealth(known) = &mut newest.notice.facts {
            known.affected.merge(&health.affected);
            known.resolved += health.resolved;
            // It is about more than one service or task now.
            let subject = &mut newest.notice.subject;
            subject.service = None;
            subject.task = None;
            subject.cluster = known.affected.only_cluster().map(str::to_owned);
        }
    }

    fn add_services(&mut self, health: &AwsHealthFacts) {
        let affected = &health.affected;
        let on_instances = affected.instances.iter().flat_map(|it| {
            let services = it.services.iter();
            services.filter_map(|service| {
                Some(AffectedService {
                    cluster: it.cluster.clone()?,
                    service: service.clone(),
                })
            })
        });
        for service in affected.services.iter().cloned().chain(on_instances) {
            if self.services.len() < MOST_SERVICES && !self.services.contains(&service) {
                self.services.push(service);
            }
        }
    }

    /// When AWS begins. `None` for what AWS does not plan.
    fn starts_at(&self) -> Option<UnixTime> {
        let health = self.facts().filter(|it| it.is_planned())?;
        instant(health.starts_at.as_ref())
    }

    fn ends_at(&self) -> Option<UnixTime> {
        let ends_at = instant(self.facts()?.ends_at.as_ref());
        match self.starts_at() {
            Some(start) => Some(match ends_at.filter(|it| *it > start) {
                Some(end) => end,
                None => start.plus(LONGEST_WORK),
            }),
            None => ends_at,
        }
    }

    fn state_at(&self, now: UnixTime) -> ThreadState {
        let is_closed = self.facts().is_some_and(AwsHealthFacts::is_closed);
        let is_over = self.ends_at().is_some_and(|it| it <= now);
        match self.starts_at() {
            _ if is_closed || is_over || self.is_closed_by_hand => ThreadState::Resolved,
            Some(start) if start > now => ThreadState::Scheduled,
            Some(_) | None => ThreadState::Open,
        }
    }

    fn reminder_at(&self) -> Option<UnixTime> {
        let opened_at = self.shown.opened_at.filter(|_| !self.is_reminder_sent)?;
        let due = self.starts_at()?.minus(REMINDER);
        (due > opened_at.plus(JUST_ANNOUNCED)).then_some(due)
    }

    /// The number of affected resources.
    pub fn affected(&self) -> u32 {
        let count = self.facts().map_or(0, |it| it.affected.count());
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Whether more is affected than the services that are known by name.
    pub fn has_others(&self) -> bool {
        let affected = self.facts().map(|it| it.affected.count());
        affected.is_none_or(|it| it > self.services.len())
    }

    fn what_is_known(&self) -> Known {
        Known {
            starts_at: self.starts_at(),
            affected: self.affected(),
            tasks: self.facts().map_or(0, |it| it.affected.task_count),
        }
    }

    /// Whether more pages of the update that readers know may still come.
    fn awaits_pages(&self, now: UnixTime) -> bool {
        self.update == self.told && now < self.shown.turn_at.plus(PAGES)
    }

    /// Whether an update moves the work, affects more, or says that it is not over after all. The pages of one update come
    /// one after another, so that the next ones are told together, unless somebody must act.
    fn is_worse(&self, known: &Known, now: UnixTime) -> bool {
        let affects_more = known.affected > self.known.affected && !self.awaits_pages(now);
        let needs_somebody = known.tasks > 0 && self.known.tasks == 0;
        self.is_moved(known) || affects_more || needs_somebody || self.is_reopened()
    }

    /// Whether the work has another time. AWS says it only roughly.
    fn is_moved(&self, known: &Known) -> bool {
        let Some((told, now)) = self.known.starts_at.zip(known.starts_at) else {
            return known.starts_at.is_some();
        };
        told.since(now).max(now.since(told)) >= SAME_TIME
    }

    fn is_reopened(&self) -> bool {
        self.shown.state == Some(ThreadState::Resolved) && !self.is_over()
    }

    /// Decides what is due now.
    pub(super) fn turns(&mut self, now: UnixTime, settings: &ThreadSettings) -> Option<Turn> {
        self.newest.as_ref()?;
        let state = self.state_at(now);
        let changed = self.state.replace(state) != Some(state);
        let known = self.what_is_known();
        if settings.has_edits && self.awaits_pages(now) {
            // The message is edited.
            self.known.affected = self.known.affected.max(known.affected);
        }
        let reason = self.reason(&known, changed, now, settings)?;
        let priority = self.newest.as_ref().map(|it| it.priority);
        let needs_action = priority.is_some_and(|it| it.urgent);
        let urgent = match reason {
            Reason::Opened | Reason::Reminder => needs_action,
            Reason::Worse => needs_action || known.tasks > self.known.tasks,
            _ => false,
        };
        let is_worse = reason == Reason::Worse;
        let is_moved = is_worse && self.is_moved(&known);
        if is_moved {
            // The new time has a reminder of its own, unless this message is one already.
            let due = known.starts_at.map(|it| it.minus(REMINDER));
            self.is_reminder_sent = due.is_some_and(|it| it <= now.plus(JUST_ANNOUNCED));
        }
        self.is_reminder_sent |= reason == Reason::Reminder;
        let name = match () {
            () if is_moved => Some(MOVED),
            () if is_worse && self.is_reopened() => Some(REOPENED),
            () => None,
        };
        let names = name.map(str::to_owned).into_iter().collect();
        if matches!(reason, Reason::Opened | Reason::Worse | Reason::Reminder) {
            self.known = known;
            self.told.clone_from(&self.update);
        }
        self.shown.note(reason, Some(state), now);
        Some(Turn::new(reason, now, self.severity(), urgent).with_names(names))
    }

    fn reason(
        &self,
        known: &Known,
        has_new_state: bool,
        now: UnixTime,
        settings: &ThreadSettings,
    ) -> Option<Reason> {
        let is_closed = self.facts().is_some_and(AwsHealthFacts::is_closed);
        let is_reminder_due = self.reminder_at().is_some_and(|due| due <= now);
        match self.state() {
            _ if !self.shown.is_open() => Some(Reason::Opened),
            ThreadState::Resolved if self.shown.state != Some(ThreadState::Resolved) => {
                Some(match is_closed {
                    true => Reason::Recovered,
                    // The time has passed, and AWS did not say that it is done.
                    false => Reason::Learned,
                })
            }
            ThreadState::Resolved => self.edit(now, settings),
            _ if self.is_worse(known, now) => Some(Reason::Worse),
            ThreadState::Scheduled if is_reminder_due => Some(Reason::Reminder),
            _ if has_new_state => Some(Reason::Learned),
            _ => self.edit(now, settings),
        }
    }

    fn edit(&self, now: UnixTime, settings: &ThreadSettings) -> Option<Reason> {
        let is_due = self.shown.edit_due().is_some_and(|due| due <= now);
        (settings.has_edits && is_due).then_some(Reason::Learned)
    }

    /// Somebody closed it.
    pub(super) fn close_by_hand(&mut self) {
        self.is_closed_by_hand = true;
        self.shown.is_outdated = true;
    }

    /// When it must be looked at again.
    pub(super) fn wake_at(&self, settings: &ThreadSettings) -> Option<UnixTime> {
        let edit = self.shown.edit_due().filter(|_| settings.has_edits);
        let next = match self.state() {
            ThreadState::Resolved => None,
            ThreadState::Scheduled => self.reminder_at().or_else(|| self.starts_at()),
            _ => self.ends_at(),
        };
        let has_more = self.affected() > self.known.affected && !self.is_over();
        let pages = self.shown.opened_at.map(|_| self.shown.turn_at.plus(PAGES));
        let pages = pages.filter(|_| has_more && self.update == self.told);
        edit.into_iter().chain(next).chain(pages).min()
    }

    /// Until when it must be remembered, although nothing happens.
    pub(super) fn lasts_until(&self) -> Option<UnixTime> {
        self.ends_at().filter(|_| !self.is_over())
    }

    /// Leaves out what the message can do without.
    pub(super) fn shrink(&mut self) {
        self.services.truncate(10);
        if let Some(newest) = &mut self.newest {
            newest.shrink();
        }
    }
}

/// The name of a turn that says that the work has another time.
const MOVED: &str = "moved";

/// The name of a turn that says that it is not over after all.
const REOPENED: &str = "reopened";

/// Whether a turn says that the work has another time.
pub fn is_moved(turn: &Turn) -> bool {
    turn.names.iter().any(|it| it == MOVED)
}

/// Whether a turn says that it is not over after all.
pub fn is_reopened(turn: &Turn) -> bool {
    turn.names.iter().any(|it| it == REOPENED)
}

fn instant(time: Option<&Time>) -> Option<UnixTime> {
    time.and_then(Time::instant).map(UnixTime::of)
}
