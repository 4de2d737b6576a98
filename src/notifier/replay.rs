//! Plays events through the pipeline against a simulated clock: what a channel would have shown, and when.
//!
//! It is the pipeline of [`dispatch`](crate::notifier::dispatch) without I/O: nothing is sent, AWS is not asked, the chat
//! takes everything at once, and timers fire exactly when they are due.

use std::cell::LazyCell;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::ecs::event::EcsEvent;
use crate::ecs::notice::Notice;
use crate::notifier::channel::{ConfiguredChannel, MessageRef, Operation, terminal};
use crate::notifier::dedup::PostedMemory;
use crate::notifier::dispatch::evaluate;
use crate::notifier::group::{Group, GroupItem, MessagePlan, PlannedMessage};
use crate::notifier::message::Message;
use crate::notifier::policy::{Decision, Policy, is_brought_back};
use crate::notifier::render::{Renderer, ThreadMessage, View};
use crate::notifier::route::EventRoute;
use crate::notifier::route::threads::routes;
use crate::notifier::thread::{
    Action, ActionKind, Expectation, MissingStates, Observation, Progress, States, Step,
    SubjectKey, SubjectKind, SubjectState, Surroundings, ThreadForm, ThreadId, ThreadSettings,
    ThreadState, UnixTime, advance, kinds_heard, may_explain, steps,
};

/// The most event ids in one line of the output.
const MOST_EVENTS: usize = 20;

/// More subjects than this are not remembered, if enough of them have no timer.
const MOST_SUBJECTS: usize = 50_000;

/// A subject without a timer is forgotten so long after its last change, as in the state table.
const RETENTION: Duration = Duration::from_secs(8 * 24 * 3_600);

/// How often old subjects are looked for.
const BETWEEN_SEARCHES: Duration = Duration::from_secs(3_600);

/// A replay in one channel.
pub struct Replay<'a> {
    pub policy: &'a Policy,
    pub renderer: &'a Renderer,
    pub channel: &'a ConfiguredChannel,
    /// For the channel's patterns.
    settings: ThreadSettings,
    states: States,
    timers: Timers,
    posted: PostedMemory,
    messages: Messages,
    /// The time of the last batch or timer.
    now: UnixTime,
    /// When old subjects were looked for last, and how many were left.
    searched_at: UnixTime,
    kept: usize,
}

/// Something that the channel showed. The fields are those of `--output json`.
#[derive(Debug, Clone, Serialize)]
pub struct ReplayLine {
    /// RFC 3339.
    pub at: String,
    pub action: ActionKind,
    /// The number of the thread's message.
    pub message: u64,
    /// The number of the reply. Messages and replies are counted together.
    pub reply: Option<u64>,
    pub thread: Option<ThreadId>,
    pub state: Option<ThreadState>,
    pub severity: &'static str,
    pub urgent: bool,
    pub headline: String,
    pub text: String,
    /// The ids of the events of this batch that it is about.
    pub events: Vec<String>,
    pub event_count: usize,
    /// What would be sent. `message-1` stands for the ids that the chat would give.
    pub payload: Value,
    /// The message itself, for the page.
    #[serde(skip)]
    pub shown: Message,
    #[serde(skip)]
    pub html: Message,
}

/// When each subject must be looked at again.
#[derive(Debug, Default)]
struct Timers {
    by_subject: HashMap<SubjectKey, UnixTime>,
    in_order: BTreeSet<(UnixTime, SubjectKey)>,
}

/// The messages of the simulated chat.
#[derive(Debug, Default)]
struct Messages {
    last: u64,
    of_threads: HashMap<ThreadId, u64>,
}

impl Timers {
    fn set(&mut self, subject: &SubjectKey, at: Option<UnixTime>) {
        if let Some(old) = self.by_subject.remove(subject) {
            self.in_order.remove(&(old, subject.clone()));
        }
        if let Some(at) = at {
            self.by_subject.insert(subject.clone(), at);
            self.in_order.insert((at, subject.clone()));
        }
    }

    fn are_of_expectations(&self) -> bool {
        let mut subjects = self.by_subject.keys();
        subjects.all(|it| it.kind == SubjectKind::Expectation)
    }

    fn next(&self) -> Option<UnixTime> {
        self.in_order.first().map(|(at, _)| *at)
    }

    /// Removes the timers of the earliest time.
    fn take_next(&mut self) -> Vec<SubjectKey> {
        let Some(at) = self.next() else {
            return Vec::new();
        };
        let mut due = Vec::new();
        while let Some((_, subject)) = self.in_order.first().filter(|it| it.0 == at).cloned() {
            self.set(&subject, None);
            due.push(subject);
        }
        due
    }
}

impl Messages {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Forgets the messages of threads that the subject has no more.
    fn forget(&mut self, old: &SubjectState, new: &SubjectState) {
        for thread in old.thread_ids() {
            if !new.thread_ids().any(|it| it == thread) {
                self.of_threads.remove(thread);
            }
        }
    }
}

/// What a batch shows: a change of a thread, or events that belong to none.
enum Part<'a> {
    Thread(&'a Action),
    Group(PlannedMessage<'a>),
}

impl<'a> Replay<'a> {
    pub fn new(
        policy: &'a Policy,
        renderer: &'a Renderer,
        channel: &'a ConfiguredChannel,
        settings: ThreadSettings,
    ) -> Self {
        let has_edits = channel.channel_type.definition().capabilities.edits;
        Self {
            policy,
            renderer,
            channel,
            settings: ThreadSettings {
                has_edits,
                may_ask: false,
                ..settings
            },
            states: States::new(),
            timers: Timers::default(),
            posted: PostedMemory::default(),
            messages: Messages::default(),
            now: UnixTime::default(),
            searched_at: UnixTime::default(),
            kept: 0,
        }
    }

    /// Plays the events of one batch, after the timers before it.
    pub fn batch(&mut self, at: UnixTime, events: &[EcsEvent]) -> Vec<ReplayLine> {
        let mut lines = self.run_timers_before(at);
        let at = at.max(self.now);
        lines.extend(self.play(at, events, &[]));
        lines
    }

    /// Fires the timers until a time, or until none is left. What is expected always has a next timer, so that one alone does
    /// not make it go on without a time.
    pub fn finish(&mut self, until: Option<UnixTime>) -> Vec<ReplayLine> {
        let mut lines = Vec::new();
        while let Some(at) = self.timers.next() {
            let is_over = match until {
                Some(until) => at > until,
                None => self.timers.are_of_expectations(),
            };
            if is_over {
                break;
            }
            lines.extend(self.run_timers());
        }
        lines
    }

    fn run_timers_before(&mut self, at: UnixTime) -> Vec<ReplayLine> {
        let mut lines = Vec::new();
        while self.timers.next().is_some_and(|due| due < at) {
            lines.extend(self.run_timers());
        }
        lines
    }

    fn run_timers(&mut self) -> Vec<ReplayLine> {
        let at = self.timers.next().unwrap_or(self.now).max(self.now);
        let due = self.timers.take_next();
        self.play(at, &[], &due)
    }

    fn play(&mut self, now: UnixTime, events: &[EcsEvent], due: &[SubjectKey]) -> Vec<ReplayLine> {
        let mut due = due.to_vec();
        if self.now == UnixTime::default() {
            // The function looks at what is expected after its first batch.
            let entries = self.settings.expectations().iter();
            due.extend(entries.map(Expectation::subject));
        }
        let due = due.as_slice();
        self.now = now;
        self.forget(due);
        let evaluated: Vec<_> = events.iter().map(|it| evaluate(it, self.policy)).collect();
        let observations: Vec<_> = evaluated
            .iter()
            .enumerate()
            .map(|(index, (notice, decision))| {
                let is_brought_back = is_brought_back(notice, self.policy);
                Observation::new(index, notice, *decision, is_brought_back, now)
            })
            .collect();
        let progress = self.advance(&observations, due, now);
        let items = self.singles(&evaluated, &progress);
        let lines = self.show_all(&progress.actions, &items, &evaluated);
        for (key, state) in progress.states {
            let wake_at = progress.wake_at.get(&key).copied().flatten();
            // A timer for the past would fire again and again.
            let wake_at =
                wake_at.map(|at| at.max(UnixTime::of_milliseconds(now.as_milliseconds() + 1)));
            self.timers.set(&key, wake_at);
            if let Some(old) = self.states.get(&key) {
                self.messages.forget(old, &state);
            }
            self.states.insert(key, state);
        }
        lines
    }

    /// Shows what a batch brings in the order of its events, so that the messages are numbered in this order.
    fn show_all(
        &mut self,
        actions: &[Action],
        singles: &[GroupItem<'_>],
        evaluated: &[(Notice, Decision)],
    ) -> Vec<ReplayLine> {
        let order = |it: &Action| it.events.first().copied().unwrap_or(usize::MAX);
        let mut parts: Vec<_> = actions
            .iter()
            .map(|it| (order(it), Part::Thread(it)))
            .collect();
        // A person's call comes before what it may explain.
        let explained = |index: &usize| {
            let (notice, _) = evaluated.get(*index)?;
            let urgent = actions.iter().filter(|it| it.turn.urgent);
            let explained = urgent.filter(|it| may_explain(notice, &it.subject));
            explained.map(order).min()
        };
        let mut plan = MessagePlan::of(singles);
        while let Some(planned) = plan.next(None) {
            let first = planned.indexes.first().copied().unwrap_or_default();
            let first = planned
                .indexes
                .iter()
                .filter_map(explained)
                .fold(first, usize::min);
            parts.push((first, Part::Group(planned)));
        }
        parts.sort_by_key(|(order, part)| (*order, matches!(part, Part::Thread(_))));
        let show = |(_, part): (usize, Part<'_>)| match part {
            Part::Thread(action) => self.show(action, evaluated),
            Part::Group(it) => vec![self.show_group(&it.group, &it.indexes, evaluated)],
        };
        parts.into_iter().flat_map(show).collect()
    }

    fn advance(
        &mut self,
        observations: &[Observation<'_>],
        due: &[SubjectKey],
        now: UnixTime,
    ) -> Progress {
        let surroundings = Surroundings {
            timers: due,
            ..Surroundings::default()
        };
        loop {
            let advanced = advance(
                &self.states,
                observations,
                &surroundings,
                now,
                &self.settings,
            );
            match advanced {
                Ok(progress) => return progress,
                Err(MissingStates(missing)) => {
                    let missing = missing.into_iter();
                    self.states
                        .extend(missing.map(|key| (key, SubjectState::default())));
                }
            }
        }
    }

    /// The events that belong to no thread.
    fn singles<'e>(
        &mut self,
        evaluated: &'e [(Notice, Decision)],
        progress: &Progress,
    ) -> Vec<GroupItem<'e>> {
        let mut items = Vec::new();
        for (index, evaluated) in evaluated.iter().enumerate() {
            let Some(item) = GroupItem::of(index, evaluated) else {
                continue;
            };
            if progress.taken.contains_key(&index) {
                // An agent's report of the same may follow, which names no service.
                self.posted.is_new(item.notice);
            } else if self.takes(&item) && self.posted.is_new(item.notice) {
                items.push(item);
            }
        }
        items
    }

    fn takes(&self, item: &GroupItem<'_>) -> bool {
        let decision = Decision::Keep(item.priority);
        let is_brought_back = is_brought_back(item.notice, self.policy);
        let observation = Observation::new(0, item.notice, decision, is_brought_back, self.now);
        let route = LazyCell::new(|| {
            let kinds = kinds_heard(&observation);
            [EventRoute::of_event(item.notice, decision, &kinds)]
        });
        self.channel.takes(None, item.priority, || &*route)
    }

    /// Whether the channel takes an action, if it does not have the thread yet.
    fn takes_action(&self, action: &Action, evaluated: &[(Notice, Decision)]) -> bool {
        let routes = LazyCell::new(|| {
            let events = action.events.iter().filter_map(|it| evaluated.get(*it));
            let events: Vec<_> = events
                .map(|(notice, decision)| (notice, *decision))
                .collect();
            routes(action, &events)
        });
        let kind = Some(action.thread.kind());
        self.channel.takes(kind, action.turn.priority(), || &routes)
    }

    fn show_group(
        &mut self,
        group: &Group<'_>,
        indexes: &[usize],
        evaluated: &[(Notice, Decision)],
    ) -> ReplayLine {
        let render = |view| self.renderer.render_or_fall_back(view, group);
        let rendered = self.rendered(render);
        let number = self.messages.next();
        let payload = self.channel.channel.payload(&rendered.own, Operation::Post);
        ReplayLine {
            at: self.at(),
            action: ActionKind::Post,
            message: number,
            reply: None,
            thread: None,
            state: None,
            severity: rendered.own.severity.into(),
            urgent: rendered.own.urgent,
            headline: rendered.headline(),
            text: rendered.text(),
            events: ids(indexes, evaluated),
            event_count: indexes.len(),
            payload: payload.unwrap_or_default(),
            shown: rendered.own,
            html: rendered.html,
        }
    }

    fn show(&mut self, action: &Action, evaluated: &[(Notice, Decision)]) -> Vec<ReplayLine> {
        let reason = action.turn.reason;
        let known = self.messages.of_threads.get(action.id()).copied();
        let has_route = !self.channel.route.is_empty();
        let begins = || action.begins_a_thread(has_route) && self.takes_action(action, evaluated);
        let steps = match known {
            None if begins() => &[Step::Post],
            None => [].as_slice(),
            Some(_) => steps(reason, self.channel.channel_type.definition().capabilities),
        };
        let steps = steps.iter();
        steps
            .filter_map(|step| self.show_step(action, *step, evaluated))
            .collect()
    }

    fn show_step(
        &mut self,
        action: &Action,
        step: Step,
        evaluated: &[(Notice, Decision)],
    ) -> Option<ReplayLine> {
        let known = self.messages.of_threads.get(action.id()).copied();
        let form = match (step, known) {
            (Step::Edit, _) | (Step::Post, None) => ThreadForm::Whole,
            (Step::Reply { .. } | Step::Post, _) => ThreadForm::Turn,
        };
        let message = ThreadMessage {
            thread: &action.thread,
            turn: &action.turn,
            form,
        };
        let render = |view| self.renderer.render_thread_or_fall_back(view, &message);
        let rendered = self.rendered(render);
        let old = match (step, known) {
            (Step::Post, _) | (_, None) => None,
            (Step::Edit | Step::Reply { .. }, Some(number)) => Some(number),
        };
        let root = old.unwrap_or(self.messages.last + 1);
        let reference = MessageRef {
            channel: "channel".to_owned(),
            id: format!("message-{root}"),
        };
        let (kind, operation) = match step {
            Step::Post => (ActionKind::Post, Operation::Post),
            Step::Edit => (ActionKind::Update, Operation::Update(&reference)),
            Step::Reply { broadcast } => {
                let kind = match broadcast {
                    true => ActionKind::Broadcast,
                    false => ActionKind::Reply,
                };
                let root = &reference;
                (kind, Operation::Reply { root, broadcast })
            }
        };
        if self.channel.channel.skips(&rendered.own, operation) {
            return None;
        }
        if old.is_none() {
            let number = self.messages.next();
            self.messages.of_threads.insert(action.id().clone(), number);
        }
        let is_reply = matches!(step, Step::Reply { .. });
        let payload = self.channel.channel.payload(&rendered.own, operation);
        Some(ReplayLine {
            at: self.at(),
            action: kind,
            message: root,
            reply: is_reply.then(|| self.messages.next()),
            thread: Some(action.id().clone()),
            state: action.thread.state(),
            severity: rendered.own.severity.into(),
            urgent: rendered.own.urgent,
            headline: rendered.headline(),
            text: rendered.text(),
            events: ids(&action.events, evaluated),
            event_count: action.events.len(),
            payload: payload.unwrap_or_default(),
            shown: rendered.own,
            html: rendered.html,
        })
    }

    fn rendered(&self, render: impl Fn(View) -> Message) -> Rendered {
        let channel_type = self.channel.channel_type;
        Rendered {
            own: render(View::of_channel(self.channel)),
            html: render(View::html(channel_type)),
            terminal: render(View::of(crate::notifier::channel::ChannelType::Terminal)),
        }
    }

    fn at(&self) -> String {
        let at = self.now.timestamp();
        at.map(|it| it.to_string()).unwrap_or_default()
    }

    /// Forgets subjects without a timer: the old ones, and if there are too many, the older half of the others.
    fn forget(&mut self, due: &[SubjectKey]) {
        let is_time = self.now.since(self.searched_at) >= BETWEEN_SEARCHES;
        let are_many = self.states.len() > MOST_SUBJECTS.max(self.kept + MOST_SUBJECTS / 2);
        if !is_time && !are_many {
            return;
        }
        let mut idle: Vec<_> = self
            .states
            .iter()
            .filter(|(key, _)| !self.timers.by_subject.contains_key(key) && !due.contains(key))
            .map(|(key, state)| (state.changed_at, key.clone()))
            .collect();
        idle.sort_unstable();
        let limit = match self.states.len() > MOST_SUBJECTS {
            true => MOST_SUBJECTS / 2,
            false => 0,
        };
        for (number, (changed_at, key)) in idle.into_iter().enumerate() {
            if number >= limit && self.now.since(changed_at) < RETENTION {
                break;
            }
            if let Some(state) = self.states.remove(&key) {
                self.messages.forget(&state, &SubjectState::default());
            }
        }
        self.searched_at = self.now;
        self.kept = self.states.len();
    }
}

/// A message in the channel's markup, in HTML, and as text.
struct Rendered {
    own: Message,
    html: Message,
    terminal: Message,
}

impl Rendered {
    fn text(&self) -> String {
        terminal::plain(&terminal::text(&self.terminal))
    }

    fn headline(&self) -> String {
        let text = self.text();
        text.lines().next().unwrap_or_default().to_owned()
    }
}

fn ids(indexes: &[usize], evaluated: &[(Notice, Decision)]) -> Vec<String> {
    let events = indexes.iter().filter_map(|index| evaluated.get(*index));
    let ids = events.filter_map(|(notice, _)| notice.origin.event_id.clone());
    ids.take(MOST_EVENTS).collect()
}
