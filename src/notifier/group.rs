//! Groups notices into fewer messages: the notices of one batch for a channel in, [`Group`]s out.
//!
//! Equal notices about the same service become one message with a count. There are three levels: critical messages are
//! sent first, then the other urgent ones, then the ones that are not urgent. If there is not enough time for all, each
//! level gets single messages as long as there is budget, and one summary for the rest. If the messages that are not
//! urgent are far too many, all of them become one summary. Nothing is left out, and no message becomes part of a
//! summary of a less urgent level.

mod key;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use crate::ecs::notice::{Facts, Notice};
use crate::notifier::policy::{Decision, Priority, Severity};
use key::GroupKey;

/// The content of one message.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// At least one notice, in the order of the batch.
    pub notices: Vec<&'a Notice>,
    pub priority: Priority,
    pub form: Form,
    /// The groups in a summary, the most severe first. Empty for any other message.
    pub parts: Vec<Self>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// All notices are equal, and the message shows the first one.
    Same,
    /// The notices differ, and the message counts them.
    Summary,
}

/// A notice to send, with its index in the batch.
#[derive(Debug, Clone, Copy)]
pub struct GroupItem<'a> {
    pub index: usize,
    pub notice: &'a Notice,
    pub priority: Priority,
}

impl<'a> GroupItem<'a> {
    /// `None` if the notice is dropped.
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

/// A group with the indexes of its notices in the batch.
#[derive(Debug, Clone)]
pub struct PlannedMessage<'a> {
    pub indexes: Vec<usize>,
    pub group: Group<'a>,
}

impl<'a> Group<'a> {
    pub fn of_one(notice: &'a Notice, priority: Priority) -> Self {
        Self {
            notices: vec![notice],
            priority,
            form: Form::Same,
            parts: Vec::new(),
        }
    }

    /// The notice that the message shows.
    pub fn first(&self) -> &'a Notice {
        self.notices[0]
    }
}

/// The messages for a channel, the most urgent first.
#[derive(Debug)]
pub struct MessagePlan<'a> {
    critical: VecDeque<Critical<'a>>,
    /// The other urgent messages.
    warning: VecDeque<PlannedMessage<'a>>,
    not_urgent: VecDeque<PlannedMessage<'a>>,
}

/// A critical message, and the calls to the same cluster just before it. Such a call may be the cause, for example a
/// StopTask.
#[derive(Debug)]
struct Critical<'a> {
    before: VecDeque<PlannedMessage<'a>>,
    group: PlannedMessage<'a>,
}

impl<'a> MessagePlan<'a> {
    pub fn of(items: &[GroupItem<'a>]) -> Self {
        let mut groups: Vec<PlannedMessage<'a>> = Vec::new();
        let mut indexes: HashMap<_, usize> = HashMap::new();
        for item in items {
            match indexes.entry(GroupKey::of(item)) {
                Entry::Occupied(index) => groups[*index.get()].add(item),
                Entry::Vacant(index) => {
                    index.insert(groups.len());
                    groups.push(PlannedMessage::of(item));
                }
            }
        }
        let is_urgent = |group: &PlannedMessage<'_>| group.group.priority.urgent;
        let (urgent, not_urgent): (Vec<_>, Vec<_>) = groups.into_iter().partition(is_urgent);
        let (critical, warning) = ranked(urgent);
        Self {
            critical,
            warning,
            not_urgent: not_urgent.into(),
        }
    }

    /// The next message. `budget` is the number of messages that there is still time for; `None` means no limit. The
    /// caller gives it for each message again, because a chat service may become slower.
    pub fn next(&mut self, budget: Option<usize>) -> Option<PlannedMessage<'a>> {
        let budget = budget.unwrap_or(usize::MAX);
        // Each later level needs at least one message.
        let reserved = usize::from(!self.not_urgent.is_empty());
        if !self.critical.is_empty() {
            return self.next_critical(budget.saturating_sub(reserved));
        }
        if !self.warning.is_empty() {
            return next_of(&mut self.warning, budget.saturating_sub(reserved));
        }
        // Of very many messages, a few single ones would not help the reader.
        match self.not_urgent.len() / 2 > budget {
            true => PlannedMessage::summary(std::mem::take(&mut self.not_urgent)),
            false => next_of(&mut self.not_urgent, budget),
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

/// The first message, or a summary of all if there is budget for only one message.
fn next_of<'a>(
    groups: &mut VecDeque<PlannedMessage<'a>>,
    budget: usize,
) -> Option<PlannedMessage<'a>> {
    if groups.len() <= budget.max(1) || budget > 1 {
        return groups.pop_front();
    }
    PlannedMessage::summary(std::mem::take(groups))
}

/// Separates the critical messages from the others. A call that may have caused a critical message stays before it, as
/// long as there is budget for all.
fn ranked(
    urgent: Vec<PlannedMessage<'_>>,
) -> (VecDeque<Critical<'_>>, VecDeque<PlannedMessage<'_>>) {
    let is_critical = |it: &PlannedMessage<'_>| it.group.priority.severity == Severity::Critical;
    let (critical, others): (Vec<_>, Vec<_>) = urgent.into_iter().partition(is_critical);
    let critical = critical.into_iter().map(|group| Critical {
        before: VecDeque::new(),
        group,
    });
    let mut critical: VecDeque<_> = critical.collect();
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
    fn of(item: &GroupItem<'a>) -> Self {
        Self {
            indexes: vec![item.index],
            group: Group::of_one(item.notice, item.priority),
        }
    }

    fn add(&mut self, item: &GroupItem<'a>) {
        self.indexes.push(item.index);
        self.group.notices.push(item.notice);
    }

    /// Whether this is a call to the cluster of the later message. A call that failed changed nothing.
    fn may_lead_to(&self, later: &Self) -> bool {
        let (first, later) = (self.group.first(), later.group.first());
        let has_succeeded = matches!(&first.facts, Facts::Call(call) if call.error.is_none());
        has_succeeded && first.subject.cluster == later.subject.cluster
    }

    /// Makes one summary of all groups, the most severe first.
    fn summary(groups: VecDeque<Self>) -> Option<Self> {
        let first = groups.front()?.group.priority;
        let mut indexes = Vec::new();
        let mut notices = Vec::new();
        let mut parts = Vec::new();
        for group in groups {
            indexes.extend(group.indexes);
            notices.extend(group.group.notices.iter().copied());
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

/// The severity of the most severe part. But a summary of messages that are not urgent is never a warning.
fn severity_of(parts: &[Group<'_>]) -> Severity {
    let severities = parts.iter().map(|part| part.priority.severity);
    let highest = severities.clone().max_by_key(|severity| *severity as u8);
    let highest = highest.unwrap_or(Severity::Info);
    if parts.iter().any(|part| part.priority.urgent) {
        return highest;
    }
    let is_success = severities.clone().all(|it| it == Severity::Success);
    match is_success {
        true => Severity::Success,
        false => Severity::Info,
    }
}
