//! Makes few messages of many: a channel's notices of one batch in, [`Group`]s out.
//!
//! Notices that say the same of the same service become one message with a count. Critical ones go first, then what else
//! is loud, then the calm. Where they are more than there is time for, each of the three has its messages as long as
//! there is budget and one summary for the rest, the calm ones one for all where they are a flood. Nothing is left out,
//! and nothing is folded into anything less urgent.

mod key;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::{Facts, Notice};
use crate::notifier::policy::{Decision, Priority, Severity};
use key::GroupKey;

/// What one message tells.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// At least one, in their order.
    pub notices: Vec<&'a Notice>,
    /// Of each of them.
    pub causes: Vec<Option<Cause>>,
    pub priority: Priority,
    pub form: Form,
    /// What a summary tells of, the gravest first; none where all are alike.
    pub parts: Vec<Self>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// All say the same: the first speaks for them.
    Same,
    /// They are counted.
    Summary,
}

/// A notice that a channel is told, with its index in the batch.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    pub index: usize,
    pub notice: &'a Notice,
    pub priority: Priority,
}

impl<'a> Item<'a> {
    /// None of what is dropped.
    pub fn of(index: usize, (notice, decision): &'a (Notice, Decision)) -> Option<Self> {
        match decision {
            Decision::Keep(priority) => Some(Self {
                index,
                notice,
                priority: *priority,
            }),
            Decision::Drop(_) => None,
        }
    }
}

/// A group with the indexes of all that it tells.
#[derive(Debug, Clone)]
pub struct PlannedMessage<'a> {
    pub indexes: Vec<usize>,
    pub group: Group<'a>,
}

impl<'a> Group<'a> {
    pub fn of_one(notice: &'a Notice, priority: Priority) -> Self {
        Self {
            notices: vec![notice],
            causes: vec![priority.cause],
            priority,
            form: Form::Same,
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
    warning: VecDeque<PlannedMessage<'a>>,
    calm: VecDeque<PlannedMessage<'a>>,
}

/// A critical message, and what somebody did to the same cluster just before: who stopped the task, say.
#[derive(Debug)]
struct Critical<'a> {
    before: VecDeque<PlannedMessage<'a>>,
    group: PlannedMessage<'a>,
}

impl<'a> Plan<'a> {
    pub fn of(items: &[Item<'a>]) -> Self {
        let mut alike: Vec<PlannedMessage<'a>> = Vec::new();
        let mut indexes: HashMap<_, usize> = HashMap::new();
        for item in items {
            match indexes.entry(GroupKey::of(item)) {
                Entry::Occupied(index) => alike[*index.get()].add(item),
                Entry::Vacant(index) => {
                    index.insert(alike.len());
                    alike.push(PlannedMessage::of(item));
                }
            }
        }
        let is_loud = |group: &PlannedMessage<'_>| group.group.priority.urgent;
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
    pub fn next(&mut self, budget: Option<usize>) -> Option<PlannedMessage<'a>> {
        let budget = budget.unwrap_or(usize::MAX);
        // Those behind need one each, at least.
        let for_calm = usize::from(!self.calm.is_empty());
        if !self.critical.is_empty() {
            return self.next_critical(budget.saturating_sub(for_calm));
        }
        if !self.warning.is_empty() {
            return next_of(&mut self.warning, budget.saturating_sub(for_calm));
        }
        // A few of very many would be no news to anybody.
        match self.calm.len() / 2 > budget {
            true => PlannedMessage::summary(std::mem::take(&mut self.calm)),
            false => next_of(&mut self.calm, budget),
        }
    }

    fn next_critical(&mut self, budget: usize) -> Option<PlannedMessage<'a>> {
        let before: usize = self.critical.iter().map(|it| it.before.len()).sum();
        let all = self.critical.len() + before + self.warning.len();
        if all <= budget {
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
        let budget = budget.saturating_sub(for_warning);
        if self.critical.len() <= budget.max(1) || budget > 1 {
            return self.critical.pop_front().map(|it| it.group);
        }
        let critical = std::mem::take(&mut self.critical);
        PlannedMessage::summary(critical.into_iter().map(|it| it.group).collect())
    }
}

/// The first of them, or all in one where there is budget for one message only.
fn next_of<'a>(
    groups: &mut VecDeque<PlannedMessage<'a>>,
    budget: usize,
) -> Option<PlannedMessage<'a>> {
    if groups.len() <= budget.max(1) || budget > 1 {
        return groups.pop_front();
    }
    PlannedMessage::summary(std::mem::take(groups))
}

/// The critical ones, and the others. What may have led to a critical one stays before it, as long as there is budget
/// for all.
fn ranked(loud: Vec<PlannedMessage<'_>>) -> (VecDeque<Critical<'_>>, VecDeque<PlannedMessage<'_>>) {
    let is_critical = |it: &PlannedMessage<'_>| it.group.priority.severity == Severity::Critical;
    let (critical, others): (Vec<_>, Vec<_>) = loud.into_iter().partition(is_critical);
    let with_none = critical.into_iter().map(|group| Critical {
        before: VecDeque::new(),
        group,
    });
    let mut critical: VecDeque<_> = with_none.collect();
    let mut warning = VecDeque::new();
    for group in others {
        let number = critical.partition_point(|it| it.group.indexes[0] < group.indexes[0]);
        match critical.range_mut(number..).next() {
            Some(next) if group.may_lead_to(&next.group) => next.before.push_back(group),
            Some(_) | None => warning.push_back(group),
        }
    }
    (critical, warning)
}

impl<'a> PlannedMessage<'a> {
    fn of(item: &Item<'a>) -> Self {
        Self {
            indexes: vec![item.index],
            group: Group::of_one(item.notice, item.priority),
        }
    }

    fn add(&mut self, item: &Item<'a>) {
        self.indexes.push(item.index);
        self.group.notices.push(item.notice);
        self.group.causes.push(item.priority.cause);
    }

    /// Whether somebody did something to the same cluster before. A call that failed did nothing.
    fn may_lead_to(&self, later: &Self) -> bool {
        let (first, later) = (self.group.first(), later.group.first());
        let is_done = matches!(&first.facts, Facts::Call(call) if call.error.is_none());
        is_done && first.subject.cluster == later.subject.cluster
    }

    /// All of these in one, the gravest first.
    fn summary(groups: VecDeque<Self>) -> Option<Self> {
        let first = groups.front()?.group.priority;
        let mut indexes = Vec::new();
        let (mut notices, mut causes) = (Vec::new(), Vec::new());
        let mut parts = Vec::new();
        for group in groups {
            indexes.extend(group.indexes);
            notices.extend(group.group.notices.iter().copied());
            causes.extend(group.group.causes.iter().copied());
            parts.push(group.group);
        }
        parts.sort_by_key(|part| {
            let severity = part.priority.severity as u8;
            (Reverse(severity), Reverse(part.notices.len()))
        });
        Some(Self {
            indexes,
            group: Group {
                notices,
                causes,
                priority: Priority {
                    cause: None,
                    severity: severity_of(&parts),
                    urgent: first.urgent,
                },
                form: Form::Summary,
                parts,
            },
        })
    }
}

/// As grave as the gravest; but what is not urgent is no warning, however many there are.
fn severity_of(parts: &[Group<'_>]) -> Severity {
    let severities = parts.iter().map(|part| part.priority.severity);
    let gravest = severities.clone().max_by_key(|severity| *severity as u8);
    let gravest = gravest.unwrap_or(Severity::Info);
    if parts.iter().any(|part| part.priority.urgent) {
        return gravest;
    }
    let is_success = severities.clone().all(|it| it == Severity::Success);
    match is_success {
        true => Severity::Success,
        false => Severity::Info,
    }
}
