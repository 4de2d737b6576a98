//! A long storm over the real program: a queue that hands out again what comes back, a chat that fails in every
//! way that chats fail, functions that are killed in the middle of their work. What is told is counted where it
//! arrives.

mod chat;
mod queue;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::dedup::Dynalite;
use crate::events;
use crate::fake_aws::REGION;
use crate::runtime_api::{Function, memory};
use chat::{StormyChat, Taken};
use queue::StormyQueue;

const EVENTS: usize = 1_000;
const FUNCTIONS: usize = 3;

/// A generator of numbers that is the same in every run.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Below `sides`.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Events of a service each, so that each can be found again in whatever message tells it; every third is loud. A
/// fifth comes twice, and all come in disorder.
fn stormy_events(dice: &mut Dice) -> Vec<Value> {
    let mut all = Vec::new();
    for number in 0..EVENTS {
        let sample = if number % 3 == 0 {
            "task_stopped-out-of-memory"
        } else {
            "task_started-fargate"
        };
        let mut event = events::sample(sample);
        event["id"] = json!(format!("event-{number}"));
        event["detail"]["group"] = json!(format!("service:{}", name(number)));
        event["detail"]["taskArn"] = json!(format!(
            "arn:aws:ecs:eu-west-1:210987654321:task/prod-web/{number:08x}{:024x}",
            0
        ));
        if dice.roll(5) == 0 {
            let mut again = event.clone();
            again["id"] = json!(format!("again-{number}"));
            all.push(again);
        }
        all.push(event);
    }
    for place in (1..all.len()).rev() {
        all.swap(place, usize::try_from(dice.roll(place as u64 + 1)).unwrap());
    }
    all
}

fn name(number: usize) -> String {
    format!("svc{number:04}")
}

/// The services that a message tells of, as often as it does.
fn names(message: &str) -> impl Iterator<Item = &str> {
    let words = message.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| word.starts_with("svc"))
}

/// What a run came to.
#[derive(Debug)]
struct Outcome {
    /// How often each service was told, whether the function could know it or not.
    told: BTreeMap<String, usize>,
    /// How often, with an answer that said so.
    confirmed: BTreeMap<String, usize>,
    kills: usize,
    /// Events of the messages that killed functions had told last: nobody may have noted these.
    unnoted: usize,
    invocations: usize,
    given_back: usize,
    messages: usize,
    /// The most memory that a function took, in kB.
    peak: u64,
}

async fn storm(seed: u64, table: Option<&Dynalite>, most_kills: usize) -> Outcome {
    let mut dice = Dice::new(seed);
    let chat = StormyChat::start(seed).await;
    let queue = Arc::new(StormyQueue::new(stormy_events(&mut dice)));
    let webhooks: Vec<_> = (0..FUNCTIONS)
        .map(|slot| format!("{}/services/{slot}", chat.url()))
        .collect();
    let mut variables = Vec::new();
    if let Some(table) = table {
        variables.extend([
            ("DEDUP_TABLE", crate::dedup::TABLE),
            ("AWS_ENDPOINT_URL", table.url()),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]);
    }
    let mut apis = Vec::new();
    for _ in 0..FUNCTIONS {
        apis.push(queue::serve(Arc::clone(&queue)).await);
    }
    let start = |slot: usize| {
        let mut variables = variables.clone();
        variables.push(("SLACK_WEBHOOKURL", webhooks[slot].as_str()));
        Function::start(
            env!("CARGO_BIN_EXE_parrot"),
            &apis[slot].address().to_string(),
            &variables,
        )
    };
    let mut functions: Vec<_> = (0..FUNCTIONS).map(start).collect();
    let (mut kills, mut unnoted, mut peak) = (0, 0, 0);
    while !queue.is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        peak = functions
            .iter()
            .map(|it| memory(it.child.id()))
            .max()
            .unwrap_or(0)
            .max(peak);
        if dice.roll(10) == 0 && kills < most_kills {
            let victim = usize::try_from(dice.roll(FUNCTIONS as u64)).unwrap();
            functions[victim].stop();
            queue.give_back_of(&apis[victim].address().to_string());
            let last = chat.taken().into_iter().rfind(|it| it.slot == victim);
            unnoted += last.map_or(0, |last| names(&last.text).count());
            functions[victim] = start(victim);
            kills += 1;
        }
        assert!(
            queue.age() < Duration::from_secs(240),
            "the storm does not end: {queue:?}"
        );
    }
    let logs: Vec<_> = functions.iter_mut().map(Function::stop).collect();
    for line in logs
        .iter()
        .flat_map(|log| log.lines())
        .filter(|line| line.contains("the dedup table is not available"))
    {
        println!("{line}");
    }
    let messages = chat.taken();
    let count = |messages: &mut dyn Iterator<Item = &Taken>| {
        let mut told: BTreeMap<_, _> = (0..EVENTS).map(|number| (name(number), 0)).collect();
        for service in messages.flat_map(|message| names(&message.text)) {
            *told.get_mut(service).unwrap() += 1;
        }
        told
    };
    Outcome {
        told: count(&mut messages.iter()),
        confirmed: count(&mut messages.iter().filter(|it| it.is_certain)),
        kills,
        unnoted,
        invocations: queue.invocations(),
        given_back: queue.given_back(),
        messages: messages.len(),
        peak,
    }
}

impl Outcome {
    fn lost(&self) -> Vec<&String> {
        let lost = self.told.iter().filter(|(_, times)| **times == 0);
        lost.map(|(name, _)| name).collect()
    }

    /// Of what was confirmed.
    fn doubles(&self) -> usize {
        doubles(&self.confirmed)
    }

    fn report(&self, how: &str) {
        println!(
            "{how}: {} events, {} lost, {} told twice though confirmed, {} because nobody could know; {} messages in {} invocations, {} records given back, \
             {} functions killed, at most {} kB",
            self.told.len(),
            self.lost().len(),
            self.doubles(),
            doubles(&self.told) - self.doubles(),
            self.messages,
            self.invocations,
            self.given_back,
            self.kills,
            self.peak,
        );
    }
}

fn doubles(told: &BTreeMap<String, usize>) -> usize {
    told.values().map(|times| times.saturating_sub(1)).sum()
}

/// Chat failures of every kind, duplicates and disorder: told at least once, and with a table never again once the
/// chat has said that it was.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "acceptance"]
async fn a_storm_without_deaths_tells_each_once() {
    let dynalite = Dynalite::start().await;
    let outcome = storm(0x5eed, Some(&dynalite), 0).await;
    outcome.report("with a table");
    assert_eq!(outcome.lost(), Vec::<&String>::new());
    assert_eq!(outcome.doubles(), 0, "{outcome:?}");
    assert!(outcome.given_back > 0, "it was no storm");
    assert!(outcome.peak < 100_000, "{} kB", outcome.peak);
}

/// A function that is killed between the chat's answer and its own note of it has told what nobody knows to be
/// told: that message is told again, and no other.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "acceptance"]
async fn deaths_cost_at_most_the_message_on_its_way() {
    let dynalite = Dynalite::start().await;
    let outcome = storm(0xdead, Some(&dynalite), 20).await;
    outcome.report("with a table, functions killed");
    assert_eq!(outcome.lost(), Vec::<&String>::new());
    assert!(outcome.kills > 0, "nobody was killed");
    assert!(outcome.doubles() <= outcome.unnoted, "{outcome:?}");
}

/// Each process remembers for itself alone: nothing is lost, and what is told twice is counted.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "acceptance"]
async fn without_a_table_nothing_is_lost_either() {
    let outcome = storm(0xa10e, None, 20).await;
    outcome.report("without a table, functions killed");
    assert_eq!(outcome.lost(), Vec::<&String>::new());
}
