//! Any events in any order and at any times, through the threads, as the functions and `replay` advance them. The fuzz
//! target `threads` runs this too.
//!
//! There must be no panic; each state must be small and survive the state table; each action must give a message for a
//! webhook and for a Slack app, without a control character; and time must not stand still.

use std::sync::LazyLock;
use std::time::Duration;

use ecs_parrot::ecs::event::{EcsEvent, Time};
use ecs_parrot::notifier::channel::{ChannelType, ConfiguredChannel, MessageRef, Operation};
use ecs_parrot::notifier::config::Filter;
use ecs_parrot::notifier::dispatch::evaluate;
use ecs_parrot::notifier::ingest;
use ecs_parrot::notifier::policy::{Policy, is_brought_back};
use ecs_parrot::notifier::render::{Renderer, ThreadMessage, View};
use ecs_parrot::notifier::thread::{
    Action, Expectation, MissingStates, Observation, Progress, States, SubjectKey, SubjectState,
    Surroundings, ThreadForm, ThreadSettings, UnixTime, advance,
};
use serde_json::Value;

static RENDERER: LazyLock<Renderer> = LazyLock::new(Renderer::default);

/// Tasks of some stories and of a service are expected, and one that never comes. They are expected seldom: each deadline
/// that is missed is a message to render.
static SETTINGS: LazyLock<ThreadSettings> = LazyLock::new(|| {
    let expect = "ledger-export: cron(30 2 ? * MON *), report-nightly: 60h, checkout: rate(5 days), nobody: 216h";
    let variables = [("EXPECT".to_owned(), expect.to_owned())];
    Filter::read(&variables)
        .expect("the entries are correct")
        .threads
});

/// The largest state, in bytes of JSON. `thread::fit` cuts at 16,000, and keeps what messages need.
const LARGEST: usize = 20_000;

/// The most timers that are fired for one input.
const MOST_TIMERS: usize = 300;

/// Runs an input: a payload or a number of seconds in each line.
pub(crate) fn run(input: &[u8]) {
    let mut scene = Scene::default();
    for line in input.split(|it| *it == b'\n') {
        match serde_json::from_slice(line) {
            Ok(Value::Number(seconds)) => {
                let seconds = Duration::from_secs(seconds.as_u64().unwrap_or_default());
                scene.wait_until(scene.now.plus(seconds));
            }
            Ok(payload) => scene.arrive(&payload),
            Err(_) => {}
        }
    }
    scene.wait_until(scene.now.plus(Duration::from_secs(10 * 86_400)));
}

#[derive(Default)]
struct Scene {
    states: States,
    timers: Vec<(UnixTime, SubjectKey)>,
    fired: usize,
    now: UnixTime,
}

impl Scene {
    fn arrive(&mut self, payload: &Value) {
        let items = ingest::open(payload).items.into_iter();
        let events: Vec<_> = items.filter_map(|item| item.event.ok()).collect();
        let times = events.iter().filter_map(|it| it.envelope.time.as_ref());
        let first = times.filter_map(Time::instant).next();
        self.wait_until(first.map_or(self.now, UnixTime::of));
        self.step(&events, &[]);
    }

    /// Fires the timers until a time.
    fn wait_until(&mut self, until: UnixTime) {
        while let Some(at) = self.timers.iter().map(|it| it.0).min() {
            if at > until || self.fired >= MOST_TIMERS {
                break;
            }
            self.fired += 1;
            let (due, rest) = self.timers.drain(..).partition(|it| it.0 <= at);
            self.timers = rest;
            let due: Vec<_> = due.into_iter().map(|(_, subject)| subject).collect();
            self.now = self.now.max(at);
            self.step(&[], &due);
        }
        self.now = self.now.max(until);
    }

    fn step(&mut self, events: &[EcsEvent], timers: &[SubjectKey]) {
        let mut timers = timers.to_vec();
        if self.states.is_empty() {
            let entries = SETTINGS.expectations().iter();
            timers.extend(entries.map(Expectation::subject));
        }
        let timers = timers.as_slice();
        let policy = Policy::default();
        let evaluated: Vec<_> = events.iter().map(|it| evaluate(it, &policy)).collect();
        let observations: Vec<_> = evaluated
            .iter()
            .enumerate()
            .map(|(index, (notice, decision))| {
                let is_brought_back = is_brought_back(notice, &policy);
                Observation::new(index, notice, *decision, is_brought_back, self.now)
            })
            .collect();
        let progress = self.advance(&observations, timers);
        for index in progress.taken.keys() {
            assert!(*index < events.len());
        }
        for action in &progress.actions {
            show(action);
        }
        for (key, state) in progress.states {
            self.timers.retain(|it| it.1 != key);
            if let Some(at) = progress.wake_at.get(&key).copied().flatten() {
                let next = self.now.plus(Duration::from_millis(1));
                self.timers.push((at.max(next), key.clone()));
            }
            self.states.insert(key, stored(&state));
        }
    }

    fn advance(&mut self, observations: &[Observation<'_>], timers: &[SubjectKey]) -> Progress {
        let settings = &*SETTINGS;
        let surroundings = Surroundings {
            timers,
            ..Surroundings::default()
        };
        loop {
            match advance(
                &self.states,
                observations,
                &surroundings,
                self.now,
                settings,
            ) {
                Ok(progress) => return progress,
                Err(MissingStates(missing)) => {
                    assert!(missing.iter().all(|key| !self.states.contains_key(key)));
                    let missing = missing.into_iter();
                    self.states
                        .extend(missing.map(|key| (key, SubjectState::default())));
                }
            }
        }
    }
}

/// The state after it was written to the state table and read again.
fn stored(state: &SubjectState) -> SubjectState {
    let json = serde_json::to_string(state).expect("a state is JSON");
    assert!(json.len() <= LARGEST, "{} bytes: {json}", json.len());
    let read: SubjectState = serde_json::from_str(&json).expect("a state can be read again");
    assert_eq!(serde_json::to_string(&read).expect("a state is JSON"), json);
    read
}

fn show(action: &Action) {
    let reference = MessageRef {
        channel: "C1".to_owned(),
        id: "1793064704.000001".to_owned(),
    };
    let root = &reference;
    for form in [ThreadForm::Whole, ThreadForm::Turn] {
        let message = ThreadMessage {
            thread: &action.thread,
            turn: &action.turn,
            form,
        };
        for channel_type in [ChannelType::Slack, ChannelType::SlackApp] {
            let shown = RENDERER
                .render_thread(View::of(channel_type), &message)
                .expect("a built-in template renders");
            assert!(!shown.headline.is_empty());
            let lines = shown.details.iter().filter(|line| !line.is_block);
            let texts = std::iter::once(&shown.headline).chain(lines.map(|line| &line.text));
            texts.for_each(|text| assert!(!text.contains(char::is_control), "{text:?}"));
            let channel = ConfiguredChannel::unconfigured(channel_type).channel;
            for operation in [
                Operation::Post,
                Operation::Update(root),
                Operation::Reply {
                    root,
                    broadcast: true,
                },
            ] {
                let payload = channel.payload(&shown, operation);
                assert!(payload.is_some_and(|it| it.is_object()));
            }
        }
    }
}
