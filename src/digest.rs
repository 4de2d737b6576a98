//! Makes few messages of many: a channel's notices of one batch in, [`Digest`]s out.
//!
//! Notices that say the same of the same service become one message with a count. Critical ones go first, then what else
//! is loud, then the calm. Where they are more than there is time for, each of the three has its messages as long as
//! there is room and one summary for the rest, the calm ones one for all where they are a flood. Nothing is left out,
//! and nothing is folded into anything less urgent.

mod likeness;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::notice::{Facts, Notice};
use crate::triage::{Cause, Severity, Telling, Verdict};
use likeness::Likeness;

/// Chat services take a message a second from a webhook.
/// <https://docs.slack.dev/apis/web-api/rate-limits>
pub const PACE: Duration = Duration::from_secs(1);

/// What one message tells.
#[derive(Debug, Clone)]
pub struct Digest<'a> {
    /// At least one, in their order.
    pub notices: Vec<&'a Notice>,
    /// Of each of them.
    pub causes: Vec<Option<Cause>>,
    pub telling: Telling,
    pub form: Form,
    /// What a summary tells of, the gravest first; none where all are alike.
    pub parts: Vec<Self>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// All say the same: the first speaks for them.
    Alike,
    /// They are counted.
    Summary,
}

/// A notice that a channel is told, with its place in the batch.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    pub place: usize,
    pub notice: &'a Notice,
    pub telling: Telling,
}

impl<'a> Item<'a> {
    /// None of what is dropped.
    pub fn of(place: usize, (notice, verdict): &'a (Notice, Verdict)) -> Option<Self> {
        match verdict {
            Verdict::Keep(telling) => Some(Self {
                place,
                notice,
                telling: *telling,
            }),
            Verdict::Drop(_) => None,
        }
    }
}

/// A digest with the places of all that it tells.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    pub places: Vec<usize>,
    pub digest: Digest<'a>,
}

impl<'a> Digest<'a> {
    pub fn of_one(notice: &'a Notice, telling: Telling) -> Self {
        Self {
            notices: vec![notice],
            causes: vec![telling.cause],
            telling,
            form: Form::Alike,
            parts: Vec::new(),
        }
    }

    /// The one that speaks for all.
    pub fn first(&self) -> &'a Notice {
        self.notices[0]
    }
}

/// A channel's messages: as few as say it all, the most urgent first.
#[derive(Debug)]
pub struct Plan<'a> {
    critical: VecDeque<Critical<'a>>,
    /// What else is loud.
    warning: VecDeque<Group<'a>>,
    calm: VecDeque<Group<'a>>,
}

/// A critical message, and what somebody did to the same cluster just before: who stopped the task, say.
#[derive(Debug)]
struct Critical<'a> {
    before: VecDeque<Group<'a>>,
    group: Group<'a>,
}

impl<'a> Plan<'a> {
    pub fn of(items: &[Item<'a>]) -> Self {
        let mut alike: Vec<Group<'a>> = Vec::new();
        let mut places: HashMap<_, usize> = HashMap::new();
        for item in items {
            match places.entry(Likeness::of(item)) {
                Entry::Occupied(place) => alike[*place.get()].add(item),
                Entry::Vacant(place) => {
                    place.insert(alike.len());
                    alike.push(Group::of(item));
                }
            }
        }
        let is_loud = |group: &Group<'_>| group.digest.telling.is_loud();
        let (loud, calm): (Vec<_>, Vec<_>) = alike.into_iter().partition(is_loud);
        let (critical, warning) = ranked(loud);
        Self {
            critical,
            warning,
            calm: calm.into(),
        }
    }

    /// The next message, where there is time for so many more; without a number there is time for all. Time is
    /// asked for each time anew, because a chat may be slower than it should be.
    pub fn next(&mut self, room: Option<usize>) -> Option<Group<'a>> {
        let room = room.unwrap_or(usize::MAX);
        // Those behind need one each, at least.
        let for_calm = usize::from(!self.calm.is_empty());
        if !self.critical.is_empty() {
            return self.next_critical(room.saturating_sub(for_calm));
        }
        if !self.warning.is_empty() {
            return next_of(&mut self.warning, room.saturating_sub(for_calm));
        }
        // A few of very many would be no news to anybody.
        match self.calm.len() / 2 > room {
            true => Group::summary(std::mem::take(&mut self.calm)),
            false => next_of(&mut self.calm, room),
        }
    }

    fn next_critical(&mut self, room: usize) -> Option<Group<'a>> {
        let before: usize = self.critical.iter().map(|it| it.before.len()).sum();
        let all = self.critical.len() + before + self.warning.len();
        if all <= room {
            let first = self.critical.front_mut()?;
            let before = first.before.pop_front();
            return before.or_else(|| self.critical.pop_front().map(|it| it.group));
        }
        for critical in self.critical.iter_mut().rev() {
            while let Some(group) = critical.before.pop_back() {
                self.warning.push_front(group);
            }
        }
        let for_warning = usize::from(!self.warning.is_empty());
        let room = room.saturating_sub(for_warning);
        if self.critical.len() <= room.max(1) || room > 1 {
            return self.critical.pop_front().map(|it| it.group);
        }
        let critical = std::mem::take(&mut self.critical);
        Group::summary(critical.into_iter().map(|it| it.group).collect())
    }
}

/// The first of them, or all in one where there is room for one message only.
fn next_of<'a>(groups: &mut VecDeque<Group<'a>>, room: usize) -> Option<Group<'a>> {
    if groups.len() <= room.max(1) || room > 1 {
        return groups.pop_front();
    }
    Group::summary(std::mem::take(groups))
}

/// The critical ones, and the others. What may have led to a critical one stays before it, as long as there is room
/// for all.
fn ranked(loud: Vec<Group<'_>>) -> (VecDeque<Critical<'_>>, VecDeque<Group<'_>>) {
    let is_critical = |it: &Group<'_>| it.digest.telling.severity == Severity::Critical;
    let (critical, others): (Vec<_>, Vec<_>) = loud.into_iter().partition(is_critical);
    let with_none = critical.into_iter().map(|group| Critical {
        before: VecDeque::new(),
        group,
    });
    let mut critical: VecDeque<_> = with_none.collect();
    let mut warning = VecDeque::new();
    for group in others {
        let number = critical.partition_point(|it| it.group.places[0] < group.places[0]);
        match critical.range_mut(number..).next() {
            Some(next) if group.may_lead_to(&next.group) => next.before.push_back(group),
            Some(_) | None => warning.push_back(group),
        }
    }
    (critical, warning)
}

impl<'a> Group<'a> {
    fn of(item: &Item<'a>) -> Self {
        Self {
            places: vec![item.place],
            digest: Digest::of_one(item.notice, item.telling),
        }
    }

    fn add(&mut self, item: &Item<'a>) {
        self.places.push(item.place);
        self.digest.notices.push(item.notice);
        self.digest.causes.push(item.telling.cause);
    }

    /// Whether somebody did something to the same cluster before. A call that failed did nothing.
    fn may_lead_to(&self, later: &Self) -> bool {
        let (first, later) = (self.digest.first(), later.digest.first());
        let is_done = matches!(&first.facts, Facts::Call(call) if call.error.is_none());
        is_done && first.subject.cluster == later.subject.cluster
    }

    /// All of these in one, the gravest first.
    fn summary(groups: VecDeque<Self>) -> Option<Self> {
        let first = groups.front()?.digest.telling;
        let mut places = Vec::new();
        let (mut notices, mut causes) = (Vec::new(), Vec::new());
        let mut parts = Vec::new();
        for group in groups {
            places.extend(group.places);
            notices.extend(group.digest.notices.iter().copied());
            causes.extend(group.digest.causes.iter().copied());
            parts.push(group.digest);
        }
        parts.sort_by_key(|part| {
            let severity = part.telling.severity as u8;
            (Reverse(severity), Reverse(part.notices.len()))
        });
        Some(Self {
            places,
            digest: Digest {
                notices,
                causes,
                telling: Telling {
                    cause: None,
                    severity: severity_of(&parts),
                    volume: first.volume,
                },
                form: Form::Summary,
                parts,
            },
        })
    }
}

/// As grave as the gravest; but what is not urgent is no warning, however many there are.
fn severity_of(parts: &[Digest<'_>]) -> Severity {
    let severities = parts.iter().map(|part| part.telling.severity);
    let gravest = severities.clone().max_by_key(|severity| *severity as u8);
    let gravest = gravest.unwrap_or(Severity::Info);
    if parts.iter().any(|part| part.telling.is_loud()) {
        return gravest;
    }
    let is_success = severities.clone().all(|it| it == Severity::Success);
    match is_success {
        true => Severity::Success,
        false => Severity::Info,
    }
}
