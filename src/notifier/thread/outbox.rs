//! What is due in each channel, and the messages that stand for the threads there.
//!
//! It is stored with the subject's state before anything is sent. A function that ends in between leaves what is due
//! here, and the next one that looks at the subject sends it. A claim says which function is sending.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Action, Reason, ThreadId, Turn};
use super::display::{Step, ThreadForm, steps};
use super::unix_time::UnixTime;
use crate::notifier::channel::{Capabilities, EscalationSource, MessageRef};

/// The most that may be due in one channel for one thread. The first and the latest matter most.
const MOST_DUE: usize = 6;

/// What could not be sent for so long rests: the records that brought it are in the dead-letter queue by then, and it is
/// sent when one of them comes again.
const LONGEST_DUE: Duration = Duration::from_secs(24 * 3_600);

/// The wait before a timer tries again what failed. Each failure doubles it.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// The longest wait between two timers while a chat is down.
const LONGEST_RETRY: Duration = Duration::from_secs(900);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outbox {
    next_id: u32,
    threads: BTreeMap<ThreadId, BTreeMap<String, ChannelMessages>>,
}

/// A thread in a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct ChannelMessages {
    /// The message that stands for the thread. `None` before it is posted, and in chats that give no reference.
    root: Option<MessageRef>,
    /// Whether the channel has the thread, or gets it with the first that is due.
    is_begun: bool,
    due: Vec<Due>,
}

/// A step that is to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    pub id: u32,
    pub step: Step,
    pub form: ThreadForm,
    pub turn: Turn,
    /// How often it was sent without an answer.
    #[serde(default)]
    pub unanswered: u32,
    /// How often it failed.
    #[serde(default)]
    failures: u32,
    /// It was sent without an answer as often as allowed.
    #[serde(default)]
    is_given_up: bool,
    #[serde(default)]
    not_before: UnixTime,
    /// The function that is sending it, and until when.
    #[serde(default)]
    claim: Option<(String, UnixTime)>,
}

/// Who asks for what is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// A timer, or an event that is new.
    No,
    /// A queue has delivered an event of the subject again.
    ByQueue,
    /// An event of the subject came again without a queue: Lambda tries again, or a person sends it.
    Directly,
}

/// A channel, as far as the outbox must know it.
#[derive(Debug, Clone, Copy)]
pub struct OutboxChannel<'a> {
    pub name: &'a str,
    pub capabilities: Capabilities,
    /// Whether the channel takes the action, if it does not have the thread yet.
    pub accepts: bool,
    /// Whether the channel takes some facts only. Then a fact that is learned late may be the one that it waits for: who
    /// deployed is known minutes after the deployment.
    pub has_route: bool,
    /// The channels that escalate to this one.
    pub escalated_from: &'a [EscalationSource],
}

/// A step that the caller may send now.
#[derive(Debug, Clone)]
pub struct ClaimedDue {
    pub thread: ThreadId,
    pub channel: String,
    pub due: Due,
    pub root: Option<MessageRef>,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DueResult {
    /// It was shown, or nothing will show it any more. A new root message stands for the thread from now on.
    Done { root: Option<MessageRef> },
    /// It was not shown, and is tried again.
    Failed,
    /// An edit for which there was no room. It is tried again after the wait, and shows what is known then.
    Postponed { wait: Duration },
    /// It was sent, and may have arrived. It is sent again after the wait.
    Unanswered { wait: Duration },
    /// It was sent, and may have arrived. It is not sent again, unless a person asks for it.
    GivenUp,
}

impl Outbox {
    /// Adds the steps of an action in a channel. Returns whether the channel shows or will show the thread.
    pub fn add(&mut self, action: &Action, channel: OutboxChannel<'_>) -> bool {
        let turn = &action.turn;
        let is_escalated = self.is_escalated(action, channel.escalated_from);
        let channels = self.threads.entry(action.id().clone()).or_default();
        let is_begun = channels.get(channel.name).is_some_and(|it| it.is_begun);
        let begins = channel.accepts && action.begins_a_thread(channel.has_route) || is_escalated;
        if !(is_begun || begins) {
            return false;
        }
        let messages = channels.entry(channel.name.to_owned()).or_default();
        let steps = match is_begun {
            true => steps(turn.reason, channel.capabilities),
            false => &[Step::Post],
        };
        for step in steps {
            let form = match (step, is_begun) {
                (Step::Edit, _) | (Step::Post, false) => ThreadForm::Whole,
                (Step::Reply { .. } | Step::Post, _) => ThreadForm::Turn,
            };
            self.next_id = self.next_id.wrapping_add(1);
            messages.add(Due {
                id: self.next_id,
                step: *step,
                form,
                turn: turn.clone(),
                unanswered: 0,
                failures: 0,
                is_given_up: false,
                not_before: UnixTime::default(),
                claim: None,
            });
        }
        messages.is_begun = true;
        true
    }

    /// Whether the thread is open for so long that another channel gets it too, and one of these channels has it. A
    /// channel may have got it only after that time, for example because it takes critical problems only.
    fn is_escalated(&self, action: &Action, sources: &[EscalationSource]) -> bool {
        let open_for = action.thread.open_for();
        let is_it = |it: &EscalationSource| {
            open_for.is_some_and(|open_for| open_for >= it.after)
                && self.has_begun(&it.channel, action.id())
        };
        sources.iter().any(is_it)
    }

    /// Claims what the caller may send now, in its order. What another function is sending must end first.
    pub fn claim(
        &mut self,
        owner: &str,
        until: UnixTime,
        now: UnixTime,
        asked: Asked,
    ) -> Vec<ClaimedDue> {
        let mut claimed = Vec::new();
        for (thread, channels) in &mut self.threads {
            for (channel, messages) in channels {
                let awake = messages.due.iter_mut().filter(|it| !it.rests(asked, now));
                let free = awake.take_while(|it| it.is_free(owner, now, asked));
                for due in free {
                    due.claim = Some((owner.to_owned(), until));
                    claimed.push(ClaimedDue {
                        thread: thread.clone(),
                        channel: channel.clone(),
                        due: due.clone(),
                        root: messages.root.clone(),
                    });
                }
            }
        }
        claimed
    }

    /// Notes what came of a step.
    pub fn note(&mut self, claimed: &ClaimedDue, result: &DueResult, now: UnixTime) {
        let channels = self.threads.get_mut(&claimed.thread);
        let Some(messages) = channels.and_then(|it| it.get_mut(&claimed.channel)) else {
            return;
        };
        let known = messages.due.iter().position(|it| it.id == claimed.due.id);
        match (result, known) {
            (DueResult::Done { root }, known) => {
                if let Some(root) = root {
                    messages.root = Some(root.clone());
                }
                if let Some(index) = known {
                    messages.due.remove(index);
                }
                // The channel has the thread now, so that what rests is not missed any more.
                if claimed.due.step != Step::Edit {
                    messages.due.retain(|it| !it.rests(Asked::No, now));
                }
            }
            (DueResult::Failed, Some(index)) => {
                let due = &mut messages.due[index];
                due.claim = None;
                due.failures = due.failures.saturating_add(1);
                due.not_before = UnixTime::default();
            }
            // An edit of counts is not stored until it fails.
            (DueResult::Failed, None) => messages.add(Due {
                claim: None,
                failures: claimed.due.failures.saturating_add(1),
                ..claimed.due.clone()
            }),
            (DueResult::Postponed { wait }, known) => {
                if let Some(index) = known {
                    messages.due.remove(index);
                }
                messages.add(Due {
                    claim: None,
                    not_before: now.plus(*wait),
                    ..claimed.due.clone()
                });
            }
            (DueResult::Unanswered { wait }, Some(index)) => {
                let due = &mut messages.due[index];
                due.claim = None;
                due.unanswered = due.unanswered.saturating_add(1);
                due.not_before = now.plus(*wait);
            }
            (DueResult::GivenUp, Some(index)) => {
                let due = &mut messages.due[index];
                due.claim = None;
                due.unanswered = due.unanswered.saturating_add(1);
                due.is_given_up = true;
            }
            (DueResult::Unanswered { .. } | DueResult::GivenUp, None) => {}
        }
    }

    /// Removes edits of counts that are about to be sent. If one is lost, the next edit shows the same and more.
    pub fn without_counts(&self) -> Self {
        let mut stored = self.clone();
        for messages in stored.threads.values_mut().flat_map(BTreeMap::values_mut) {
            // A count that began the thread in a channel is a message of its own.
            messages.due.retain(|due| {
                let is_count = due.turn.reason == Reason::Counted && due.step == Step::Edit;
                !is_count || due.claim.is_none()
            });
        }
        stored
    }

    /// The number of steps that are due.
    pub fn due_count(&self) -> usize {
        let channels = self.threads.values().flat_map(BTreeMap::values);
        channels.map(|it| it.due.len()).sum()
    }

    /// Whether the channel has the thread, or gets it with the first that is due.
    pub fn has_begun(&self, channel: &str, thread: &ThreadId) -> bool {
        let messages = self.threads.get(thread).and_then(|it| it.get(channel));
        messages.is_some_and(|it| it.is_begun)
    }

    /// Whether a message of the thread is still to be sent. An edit alone does not count, nor what was given up.
    pub fn has_message_due(&self, thread: &ThreadId) -> bool {
        let channels = self.threads.get(thread).into_iter().flatten();
        let mut due = channels.flat_map(|(_, messages)| &messages.due);
        due.any(|it| it.step != Step::Edit && !it.is_given_up)
    }

    /// Whether something is due in this channel for one of the threads, claimed or not.
    pub fn is_due_in(&self, channel: &str) -> bool {
        self.due_in(channel).any(|it| !it.is_given_up)
    }

    /// Whether something was sent to this channel as often as allowed, and got no answer.
    pub fn has_given_up_in(&self, channel: &str) -> bool {
        self.due_in(channel).any(|it| it.is_given_up)
    }

    fn due_in(&self, channel: &str) -> impl Iterator<Item = &Due> {
        let channels = self.threads.values().filter_map(move |it| it.get(channel));
        channels.flat_map(|it| &it.due)
    }

    /// Forgets threads that the subject has no more, and what is due in channels that are no longer configured.
    pub fn forget(&mut self, known: &BTreeSet<ThreadId>, channels: &[&str]) {
        self.threads.retain(|thread, _| known.contains(thread));
        for (name, messages) in self.threads.values_mut().flatten() {
            if !channels.contains(&name.as_str()) {
                messages.due.clear();
            }
        }
    }

    /// When something must be tried again.
    pub fn wake_at(&self, now: UnixTime) -> Option<UnixTime> {
        let channels = self.threads.values().flat_map(BTreeMap::values);
        let is_awake = |due: &&Due| !due.rests(Asked::No, now);
        let first = channels.filter_map(|it| it.due.iter().find(is_awake));
        first.map(|due| due.wake_at(now)).min()
    }
}

impl ChannelMessages {
    /// Adds a step. Of edits only the latest matters, and none after a whole message that is still to come.
    fn add(&mut self, due: Due) {
        if due.step == Step::Edit {
            let is_free = |it: &Due| it.claim.is_none();
            // One that waits for room will show these counts too.
            let waits = |it: &Due| it.step == Step::Edit && it.not_before > due.turn.at;
            if due.turn.reason == Reason::Counted && self.due.iter().any(waits) {
                return;
            }
            self.due
                .retain(|it| !(it.step == Step::Edit && is_free(it)));
            let has_whole = self
                .due
                .iter()
                .any(|it| it.form == ThreadForm::Whole && is_free(it));
            if has_whole {
                return;
            }
        }
        self.due.push(due);
        while self.due.len() > MOST_DUE {
            let old = self.due.iter().skip(1).position(|it| it.claim.is_none());
            match old {
                Some(index) => drop(self.due.remove(index + 1)),
                None => break,
            }
        }
    }
}

impl Due {
    /// Whether it is sent only if somebody asks for it.
    fn rests(&self, asked: Asked, now: UnixTime) -> bool {
        let is_old = now.since(self.turn.at) > LONGEST_DUE;
        self.is_given_up && asked < Asked::Directly || is_old && asked < Asked::ByQueue
    }

    fn is_free(&self, owner: &str, now: UnixTime, asked: Asked) -> bool {
        let is_claimed = |(other, until): &(String, UnixTime)| other != owner && *until > now;
        let may_wait = asked < Asked::Directly;
        let is_early = may_wait && self.not_before > now;
        !is_early && !self.claim.as_ref().is_some_and(is_claimed)
    }

    fn wake_at(&self, now: UnixTime) -> UnixTime {
        const AFTER_CLAIM: Duration = Duration::from_secs(1);
        let pause = self.pause();
        let claim = self
            .claim
            .as_ref()
            .map(|(_, until)| until.plus(pause.max(AFTER_CLAIM)));
        let retry = now.plus(pause.max(RETRY_AFTER));
        claim.unwrap_or(retry).max(self.not_before)
    }

    /// How long timers wait for the chat. The next event of the subject does not wait.
    fn pause(&self) -> Duration {
        match self.failures.checked_sub(1) {
            Some(more) => RETRY_AFTER
                .saturating_mul(1 << more.min(10))
                .min(LONGEST_RETRY),
            None => Duration::ZERO,
        }
    }
}
