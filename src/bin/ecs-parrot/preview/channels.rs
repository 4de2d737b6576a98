//! Which configured channels take an event, and why.

use ecs_parrot::ecs::notice::Notice;
use ecs_parrot::notifier::channel::{ConfiguredChannel, Minimum};
use ecs_parrot::notifier::policy::{Decision, Priority};
use ecs_parrot::notifier::route::EventRoute;
use ecs_parrot::notifier::route::threads::routes;
use ecs_parrot::notifier::thread::{Observation, ThreadKind, kinds_heard, opening};
use serde::Serialize;
use serde_json::Value;

/// What the channels judge an event by: the thread that it opens, or the event itself.
pub(super) struct Judged {
    thread: Option<ThreadKind>,
    priority: Priority,
    routes: Vec<EventRoute>,
}

/// What a channel does with an event.
#[derive(Debug, Serialize)]
pub(super) struct ChannelLine {
    name: String,
    /// Whether the channel gets the event.
    takes: bool,
    #[serde(skip)]
    minimum: Minimum,
    /// Because of what it does not: `type`, `minimum`, and the clauses of `only` and `except`.
    refused_by: Vec<String>,
}

impl ChannelLine {
    /// `the service takes alerts only`, `the minimum is urgent`, `refused by only.cluster`.
    pub(super) fn refusal(&self) -> String {
        match self.refused_by.as_slice() {
            [first, ..] if first == "type" => "the service takes alerts only".to_owned(),
            [only] if only == "minimum" => format!("the minimum is {}", self.minimum),
            clauses => format!("refused by {}", clauses.join(", ")),
        }
    }
}

/// A part of a channel's settings, and whether the event matches it.
#[derive(Debug, Serialize)]
pub(super) struct WhyLine {
    /// `type`, `minimum`, `only.cluster`, `except.$or`.
    clause: String,
    /// The clause as it is configured.
    wanted: Value,
    /// What the event has. Null if it has nothing, if it is not known, and for `$or`.
    has: Value,
    /// Whether it is not known what the event has, so that the clause refuses nothing.
    unknown: bool,
    matches: bool,
}

/// Why a channel takes an event, or does not.
#[derive(Debug, Serialize)]
pub(super) struct Why {
    channel: String,
    takes: bool,
    /// Empty if the event is dropped.
    clauses: Vec<WhyLine>,
}

impl Judged {
    /// `None` if the event is dropped.
    pub(super) fn of(observation: &Observation<'_>) -> Option<Self> {
        let Decision::Keep(priority) = observation.decision else {
            return None;
        };
        let (notice, decision) = (observation.notice, observation.decision);
        let action = opening(observation, observation.at).filter(|_| !observation.is_brought_back);
        Some(match action {
            Some(action) => Self {
                thread: Some(action.thread.kind()),
                priority: action.turn.priority(),
                routes: routes(&action, &[(notice, decision)]),
            },
            None => Self {
                thread: None,
                priority,
                routes: vec![route(observation, notice)],
            },
        })
    }

    pub(super) fn is_taken_by(&self, channel: &ConfiguredChannel) -> bool {
        channel.takes(self.thread, self.priority, || &self.routes)
    }

    /// Whether the service has a use for it at all: some take alerts only.
    fn is_of_use(&self, channel: &ConfiguredChannel) -> bool {
        channel.channel.takes(self.thread, self.priority)
    }

    pub(super) fn in_channel(&self, channel: &ConfiguredChannel) -> ChannelLine {
        let takes = self.is_taken_by(channel);
        let service = (!self.is_of_use(channel)).then(|| "type".to_owned());
        let minimum = !channel.accepts_urgency(self.priority.urgent);
        let minimum = minimum.then(|| "minimum".to_owned());
        let refusing = self.routes.first().filter(|_| !takes);
        let refusing = refusing.map(|it| channel.route.refusing(it));
        ChannelLine {
            name: channel.name.clone(),
            takes,
            minimum: channel.minimum,
            refused_by: service
                .into_iter()
                .chain(minimum)
                .chain(refusing.into_iter().flatten())
                .collect(),
        }
    }

    fn clauses(&self, channel: &ConfiguredChannel) -> Vec<WhyLine> {
        let Priority {
            severity, urgent, ..
        } = self.priority;
        let service = WhyLine {
            clause: "type".to_owned(),
            wanted: Value::from("alerts"),
            has: Value::from(match self.thread {
                Some(kind) => kind.to_string(),
                None => severity.to_string(),
            }),
            unknown: false,
            matches: false,
        };
        let service = (!self.is_of_use(channel)).then_some(service);
        let minimum = WhyLine {
            clause: "minimum".to_owned(),
            wanted: Value::from(channel.minimum.to_string()),
            has: Value::from(if urgent { "urgent" } else { "not urgent" }),
            unknown: false,
            matches: channel.accepts_urgency(urgent),
        };
        let mut taken = self.routes.iter().filter(|it| channel.route.accepts(it));
        let route = taken.next().or(self.routes.first());
        let clauses = route.into_iter().flat_map(|it| channel.route.explain(it));
        let clauses = clauses.map(|it| WhyLine {
            clause: it.path,
            wanted: it.written.clone(),
            has: it.has.unwrap_or_default(),
            unknown: it.is_unknown,
            matches: it.is_match,
        });
        service
            .into_iter()
            .chain([minimum])
            .chain(clauses)
            .collect()
    }
}

/// The flat object of an event.
pub(super) fn route(observation: &Observation<'_>, notice: &Notice) -> EventRoute {
    let kinds = kinds_heard(observation);
    EventRoute::of_event(notice, observation.decision, &kinds)
}

/// `web, audit; not ops (only.cluster)`.
pub(super) fn in_words(channels: &[ChannelLine]) -> String {
    let taking = channels.iter().filter(|it| it.takes);
    let taking: Vec<_> = taking.map(|it| it.name.as_str()).collect();
    let refusing = channels.iter().filter(|it| !it.takes);
    let refusing = refusing.map(|it| format!("not {} ({})", it.name, it.refused_by.join(", ")));
    let taking = match taking.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    let parts: Vec<_> = std::iter::once(taking).chain(refusing).collect();
    parts.join("; ")
}

impl Why {
    /// `judged` is `None` for an event that is dropped.
    pub(super) fn of(channel: &ConfiguredChannel, judged: Option<&Judged>) -> Self {
        Self {
            channel: channel.name.clone(),
            takes: judged.is_some_and(|it| it.is_taken_by(channel)),
            clauses: judged.map(|it| it.clauses(channel)).unwrap_or_default(),
        }
    }

    /// One line for the result, and one for each clause.
    pub(super) fn in_words(&self) -> String {
        let result = match (self.takes, self.clauses.is_empty()) {
            (true, _) => "takes it:",
            (false, false) => "does not take it:",
            (false, true) => "does not take it: the event is dropped",
        };
        let lines = self.clauses.iter().map(|it| {
            let result = match (it.unknown, it.matches) {
                (true, _) => "refuses nothing",
                (false, true) => "matches",
                (false, false) => "does not match",
            };
            let has = match (&it.has, it.clause.contains("$or")) {
                (_, _) if it.unknown => ", what the event has is not known".to_owned(),
                (Value::Null, true) => String::new(),
                (Value::Null, false) => ", the event has no such field".to_owned(),
                (has, _) => format!(", the event has {has}"),
            };
            format!("\n  {} {}: {result}{has}", it.clause, it.wanted)
        });
        let lines: String = lines.collect();
        format!("{} {result}{lines}", self.channel)
    }
}
