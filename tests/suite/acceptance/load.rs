//! A long test of the real program under load and with failures. A queue delivers failed records again, a chat fails in
//! every way that chats fail, and functions are killed during their work. The chat counts the events that it receives.

mod chat;
mod queue;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::dedup::{Dynalite, table_variables};
use crate::events;
use crate::runtime_api::{Function, memory};
use chat::{FailingChat, Taken};
pub(super) use queue::{RetryingQueue, serve};

const EVENTS: usize = 600;
const FUNCTIONS: usize = 3;

/// One run at a time: each starts several processes, and their time is limited.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A generator of pseudo-random numbers. They are the same in every run.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `sides`.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Each event has a different service, so that it can be found in any message. Two thirds open a thread: an incident, or
/// an activity. The others, which are calls, are posted by themselves. One in five comes twice. The order is random.
fn random_events(dice: &mut Dice) -> Vec<Value> {
    let mut all = Vec::new();
    for number in 0..EVENTS {
        let event = event(number);
        if dice.roll(5) == 0 {
            let mut again = event.clone();
            // A call keeps its own id. The scheduler's event is known by the envelope's.
            if number % 3 != 1 {
                again["id"] = json!(format!("again-{number}"));
            }
            all.push(again);
        }
        all.push(event);
    }
    for place in (1..all.len()).rev() {
        all.swap(place, usize::try_from(dice.roll(place as u64 + 1)).unwrap());
    }
    all
}

fn event(number: usize) -> Value {
    let arn = |resource: &str| json!(format!("arn:aws:ecs:eu-west-1:210987654321:{resource}"));
    let task = arn(&format!("task/prod-web/{number:08x}{:024x}", 0));
    let group = json!(format!("service:{}", name(number)));
    let mut event = match number % 3 {
        0 => {
            let mut event = events::sample("task_stopped-out-of-memory");
            event["detail"]["group"] = group;
            event["detail"]["taskArn"] = task;
            event
        }
        1 => {
            let mut event = events::sample("service_action-invented-info");
            event["resources"] = json!([arn(&format!("service/prod-web/{}", name(number)))]);
            event
        }
        _ => {
            let mut event = events::sample("stop_task-by-sso-person");
            event["detail"]["eventID"] = json!(format!("call-{number}"));
            event["detail"]["requestParameters"]["task"] = task.clone();
            event["detail"]["responseElements"]["task"]["taskArn"] = task;
            event["detail"]["responseElements"]["task"]["group"] = group;
            event
        }
    };
    event["id"] = json!(format!("event-{number}"));
    event
}

fn name(number: usize) -> String {
    format!("svc{number:04}")
}

/// The services that a message names, each as often as it names it.
fn names(message: &str) -> impl Iterator<Item = &str> {
    let words = message.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| word.starts_with("svc"))
}

/// The result of a run.
#[derive(Debug)]
struct Outcome {
    /// How often each service was posted, whether the function got an answer or not.
    posted: BTreeMap<String, usize>,
    /// How often each service was posted with an answer that confirmed it.
    confirmed: BTreeMap<String, usize>,
    kills: usize,
    /// The events of the last message of each killed function. The function may not have recorded these as posted.
    unrecorded: usize,
    invocations: usize,
    returned: usize,
    messages: usize,
    /// The peak memory of a function, in kB.
    peak: u64,
    /// The services of the events in the dead-letter queue.
    dead_letters: BTreeSet<String>,
}

async fn run(seed: u64, table: Option<&Dynalite>, most_kills: usize) -> Outcome {
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut dice = Dice::new(seed);
    let chat = FailingChat::start(seed).await;
    let queue = Arc::new(RetryingQueue::new(random_events(&mut dice)));
    let webhooks: Vec<_> = (0..FUNCTIONS)
        .map(|slot| format!("{}/services/{slot}", chat.url()))
        .collect();
    // Each incident is looked for in a message of its own.
    let mut variables = vec![("STORM_AFTER", "0")];
    if let Some(table) = table {
        variables.extend(table_variables(table.url()));
    }
    let mut apis = Vec::new();
    for _ in 0..FUNCTIONS {
        apis.push(serve(Arc::clone(&queue)).await);
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
    let (mut kills, mut unrecorded, mut peak) = (0, 0, 0);
    while !queue.is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        peak = functions
            .iter()
            .map(|it| memory(it.child.id()))
            .max()
            .unwrap_or(0)
            .max(peak);
        if dice.roll(10) == 0 && kills < most_kills {
            let killed = usize::try_from(dice.roll(FUNCTIONS as u64)).unwrap();
            functions[killed].stop();
            queue.return_records_of(&apis[killed].address().to_string());
            let last = chat.taken().into_iter().rfind(|it| it.slot == killed);
            unrecorded += last.map_or(0, |last| names(&last.text).count());
            functions[killed] = start(killed);
            kills += 1;
        }
        assert!(
            queue.age() < Duration::from_secs(480),
            "the run does not end: {queue:?}"
        );
    }
    let logs: Vec<_> = functions.iter_mut().map(Function::stop).collect();
    for line in logs
        .iter()
        .flat_map(|log| log.lines())
        .filter(|line| line.contains("the state table is not available"))
    {
        println!("{line}");
    }
    let messages = chat.taken();
    let count = |messages: &mut dyn Iterator<Item = &Taken>| {
        let mut posted: BTreeMap<_, _> = (0..EVENTS).map(|number| (name(number), 0)).collect();
        for service in messages.flat_map(|message| names(&message.text)) {
            *posted.get_mut(service).unwrap() += 1;
        }
        posted
    };
    Outcome {
        posted: count(&mut messages.iter()),
        confirmed: count(&mut messages.iter().filter(|it| it.is_certain)),
        kills,
        unrecorded,
        invocations: queue.invocations(),
        returned: queue.returned(),
        messages: messages.len(),
        peak,
        dead_letters: queue
            .dead_letters()
            .iter()
            .flat_map(|body| names(body))
            .map(str::to_owned)
            .collect(),
    }
}

impl Outcome {
    /// The events that are neither in the chat nor in the dead-letter queue.
    fn lost(&self) -> Vec<&String> {
        let lost = self
            .posted
            .iter()
            .filter(|(name, times)| **times == 0 && !self.dead_letters.contains(*name));
        lost.map(|(name, _)| name).collect()
    }

    /// How many events were posted again after they were confirmed.
    fn doubles(&self) -> usize {
        doubles(&self.confirmed)
    }

    fn report(&self, how: &str) {
        println!(
            "{how}: {} events, {} lost, {} posted twice though confirmed, {} posted twice without a confirmation; {} messages in {} invocations, {} records returned to the queue, \
             {} in the dead-letter queue, {} functions killed, at most {} kB",
            self.posted.len(),
            self.lost().len(),
            self.doubles(),
            doubles(&self.posted) - self.doubles(),
            self.messages,
            self.invocations,
            self.returned,
            self.dead_letters.len(),
            self.kills,
            self.peak,
        );
    }
}

fn doubles(posted: &BTreeMap<String, usize>) -> usize {
    posted.values().map(|times| times.saturating_sub(1)).sum()
}

/// With chat failures of every kind, duplicates and disorder, each event is posted at least once. With a table it is
/// not posted again after the chat has confirmed it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "acceptance"]
async fn chat_failures_cause_no_loss_and_no_confirmed_duplicate() {
    let dynalite = Dynalite::start().await;
    let outcome = run(0x5eed, Some(&dynalite), 0).await;
    outcome.report("with a table");
    assert_eq!(outcome.lost(), Vec::<&String>::new());
    assert_eq!(outcome.doubles(), 0, "{outcome:?}");
    assert!(
        outcome.returned > 0,
        "no record failed, so that the run tested nothing"
    );
    assert!(outcome.peak < 100_000, "{} kB", outcome.peak);
}

/// A function may be killed after the chat's answer and before it has recorded the message as posted. Only this message
/// is posted again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "acceptance"]
async fn a_killed_function_repeats_at_most_its_last_message() {
    let dynalite = Dynalite::start().await;
    let outcome = run(0xdead, Some(&dynalite), 20).await;
    outcome.report("with a table, functions killed");
    assert_eq!(outcome.lost(), Vec::<&String>::new());
    assert!(outcome.kills > 0, "no function was killed");
    assert!(outcome.doubles() <= outcome.unrecorded, "{outcome:?}");
}

/// Without a table each process knows only what it posted itself. No event is lost; duplicates are possible and are
/// printed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "acceptance"]
async fn without_a_table_nothing_is_lost_either() {
    let outcome = run(0xa10e, None, 20).await;
    outcome.report("without a table, functions killed");
    assert_eq!(outcome.lost(), Vec::<&String>::new());
}
