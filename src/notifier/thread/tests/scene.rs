//! Plays events against a simulated clock. The state goes through JSON after each step, as in the state table.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::events::Event;
use crate::ecs::event::EcsEvent;
use crate::ecs::notice::Notice;
use crate::notifier::dispatch::evaluate;
use crate::notifier::policy::{Decision, Policy};
use crate::notifier::thread::{
    Action, MissingStates, Observation, States, SubjectKey, SubjectKind, SubjectState,
    Surroundings, Thread, ThreadKind, ThreadSettings, UnixTime, advance,
};

pub(super) type Evaluated = (Notice, Decision);

pub(super) fn evaluated(event: &Event) -> Evaluated {
    let event = EcsEvent::read(&event.0).unwrap_or_else(|error| panic!("{error}: {event:?}"));
    evaluate(&event, &Policy::default())
}

#[derive(Default)]
pub(super) struct Scene {
    pub(super) settings: ThreadSettings,
    pub(super) states: States,
    pub(super) actions: Vec<(UnixTime, Action)>,
    /// The names of the events that are posted by themselves.
    pub(super) singles: Vec<String>,
    /// The running and the desired tasks, if AWS is asked.
    pub(super) counts: Option<(i64, i64)>,
    pub(super) timers: BTreeMap<SubjectKey, UnixTime>,
    pub(super) now: UnixTime,
}

pub(super) fn time(text: &str) -> UnixTime {
    let text = match text.contains('T') {
        true => text.to_owned(),
        false => format!("2026-11-12T{text}Z"),
    };
    let time: Timestamp = text
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    UnixTime::of(time)
}

impl Scene {
    pub(super) fn with(settings: ThreadSettings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// Plays each event at its own time.
    pub(super) fn play(&mut self, events: &[Event]) -> &mut Self {
        for event in events {
            let at = event.0["time"].as_str().map_or(self.now, time);
            self.arrive_at(at, std::slice::from_ref(event));
        }
        self
    }

    /// Plays events in one batch at another time than their own.
    pub(super) fn arrive(&mut self, at: &str, events: &[Event]) -> &mut Self {
        self.arrive_at(time(at), events)
    }

    pub(super) fn arrive_at(&mut self, at: UnixTime, events: &[Event]) -> &mut Self {
        self.run_timers(at);
        self.now = self.now.max(at);
        self.step(events, &[]);
        self
    }

    /// Fires the timers until a time, and including it.
    pub(super) fn until(&mut self, at: &str) -> &mut Self {
        let at = time(at);
        self.run_timers(at.plus(Duration::from_millis(1)));
        self.now = self.now.max(at);
        self
    }

    /// Fires all timers of the next eight days.
    pub(super) fn finish(&mut self) -> &mut Self {
        let end = self.now.plus(Duration::from_secs(8 * 86_400));
        self.run_timers(end);
        self
    }

    pub(super) fn run_timers(&mut self, until: UnixTime) {
        while let Some(at) = self.timers.values().min().copied().filter(|at| *at < until) {
            self.now = self.now.max(at);
            let due = self.timers.iter().filter(|(_, it)| **it == at);
            let due: Vec<_> = due.map(|(key, _)| key.clone()).collect();
            for key in &due {
                self.timers.remove(key);
            }
            self.step_evaluated(&[], &due);
        }
    }

    /// Advances now, with timers that may be late or have fired before.
    pub(super) fn step(&mut self, events: &[Event], timers: &[SubjectKey]) {
        let events: Vec<_> = events.iter().map(evaluated).collect();
        self.step_evaluated(&events, timers);
        self.store();
    }

    fn store(&mut self) {
        for state in self.states.values_mut() {
            let json = serde_json::to_string(state).unwrap();
            *state = serde_json::from_str(&json).unwrap();
        }
    }

    /// The same as [`Self::arrive`] for events about which more is known.
    pub(super) fn arrive_evaluated(&mut self, at: &str, events: &[Evaluated]) {
        let at = time(at);
        self.run_timers(at);
        self.now = self.now.max(at);
        self.step_evaluated(events, &[]);
        self.store();
    }

    pub(super) fn step_evaluated(&mut self, events: &[Evaluated], timers: &[SubjectKey]) {
        let observations: Vec<_> = events
            .iter()
            .enumerate()
            .map(|(index, (notice, decision))| {
                Observation::new(index, notice, *decision, false, self.now)
            })
            .collect();
        let counts = self.counts.into_iter().flat_map(|counts| {
            let keys = timers.iter().cloned();
            keys.map(move |key| (key, counts))
        });
        let surroundings = Surroundings {
            timers,
            counts: counts.collect(),
        };
        let progress = loop {
            match advance(
                &self.states,
                &observations,
                &surroundings,
                self.now,
                &self.settings,
            ) {
                Ok(progress) => break progress,
                Err(MissingStates(missing)) => {
                    let missing = missing
                        .into_iter()
                        .map(|key| (key, SubjectState::default()));
                    self.states.extend(missing);
                }
            }
        };
        for (index, (notice, decision)) in events.iter().enumerate() {
            if matches!(decision, Decision::Keep(_)) && !progress.taken.contains_key(&index) {
                self.singles.push(notice.kind.to_string());
            }
        }
        for (key, state) in progress.states {
            match progress.wake_at.get(&key).copied().flatten() {
                Some(at) => {
                    let soonest = self.now.plus(Duration::from_millis(1));
                    self.timers.insert(key.clone(), at.max(soonest))
                }
                None => self.timers.remove(&key),
            };
            self.states.insert(key, state);
        }
        let now = self.now;
        self.actions
            .extend(progress.actions.into_iter().map(|action| (now, action)));
    }

    /// `10:05:00 incident reminder open`, without the edits of counts.
    pub(super) fn turns(&self) -> Vec<String> {
        let actions = self.actions.iter();
        let turns = actions.filter(|(_, it)| it.turn.reason.to_string() != "counted");
        turns.map(|(at, action)| line(*at, action)).collect()
    }

    /// The turns of one kind of thread.
    pub(super) fn turns_of(&self, kind: ThreadKind) -> Vec<String> {
        let kind = kind.to_string();
        let turns = self.turns().into_iter();
        turns
            .filter_map(|it| {
                let (at, rest) = it.split_once(' ')?;
                let rest = rest.strip_prefix(&kind)?;
                Some(format!("{at}{rest}"))
            })
            .collect()
    }

    pub(super) fn edits(&self) -> usize {
        let actions = self.actions.iter();
        let is_edit = |(_, action): &&(UnixTime, Action)| {
            action.turn.reason == crate::notifier::thread::Reason::Counted
        };
        actions.filter(is_edit).count()
    }

    /// The last action of a kind of thread.
    pub(super) fn last(&self, kind: ThreadKind) -> &Action {
        let mut actions = self.actions.iter().rev();
        let found = actions.find(|(_, it)| it.thread.kind() == kind);
        &found.unwrap().1
    }

    /// The threads at the end, as readers see them: kind, state, severity, counts by cause. Not the activity: a task
    /// that a person stopped is one, unless the call that explains it came before.
    pub(super) fn outcome(&self) -> Vec<String> {
        let states = self.states.iter();
        let states = states.filter(|(key, _)| key.kind != SubjectKind::Activity);
        let threads = states.flat_map(|(key, state)| {
            let threads = state.threads();
            threads.map(move |thread| {
                let name = name(key, &thread);
                format!("{} {name}: {}", key.kind, outcome(&thread))
            })
        });
        let mut threads: Vec<_> = threads.collect();
        threads.sort();
        threads
    }
}

fn line(at: UnixTime, action: &Action) -> String {
    let at = at.timestamp().unwrap();
    let at = at.strftime(if at.subsec_millisecond() == 0 {
        "%H:%M:%S"
    } else {
        "%H:%M:%S%.3f"
    });
    let kind = action.thread.kind();
    let reason = action.turn.reason;
    match action.thread.state() {
        Some(state) => format!("{at} {kind} {reason} {state}"),
        None => format!("{at} {kind} {reason}"),
    }
}

/// Which task of a launch has its run depends on the order.
fn name(key: &SubjectKey, thread: &Thread) -> String {
    let Thread::Run(run) = thread else {
        return key.name.clone();
    };
    let mut tasks: Vec<_> = run.tasks.iter().map(|it| it.id.as_str()).collect();
    tasks.sort_unstable();
    tasks.join(" ")
}

fn outcome(thread: &Thread) -> String {
    let state = thread.state().map(|it| it.to_string());
    let counts = match thread {
        Thread::Deployment(it) => sorted(it.causes.iter()),
        Thread::Incident(it) => sorted(
            it.causes
                .iter()
                .map(|cause| (cause.name.as_str(), cause.count)),
        ),
        Thread::Storm(it) => format!("{} members, {}", it.members.len(), it.total()),
        Thread::Run(it) => format!("{} of {} failed", it.failed().count(), it.total()),
        Thread::Activity(it) => it.total.to_string(),
        Thread::Announcement(it) => it.affected().to_string(),
    };
    let state = state.unwrap_or_default();
    format!("{} {state} {} {counts}", thread.kind(), thread.severity())
}

fn sorted<'a>(counts: impl Iterator<Item = (&'a str, u32)>) -> String {
    let mut counts: Vec<_> = counts
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    counts.sort();
    counts.join(", ")
}
