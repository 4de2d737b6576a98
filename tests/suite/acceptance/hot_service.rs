//! A thousand tasks of one service fail, and two functions get their events at the same time. All of them change one
//! item of the table.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::load::{RetryingQueue, serve};
use crate::dedup::table_variables;
use crate::events;
use crate::mock_table::MockTable;
use crate::runtime_api::Function;
use crate::slack_api::{SlackApi, SlackMessage};

const TASKS: usize = 1_000;
const FUNCTIONS: usize = 2;

/// Between two edits of one message.
const BETWEEN_EDITS: u64 = 30;

/// The tasks fail one after another, and the last one now.
fn failures() -> Vec<Value> {
    let now = Timestamp::now();
    let failure = |number: usize| {
        let arn = format!("arn:aws:ecs:eu-west-1:210987654321:task/prod-web/{number:032x}");
        let ago = i64::try_from(TASKS - number).unwrap() * 10;
        let at = now.checked_sub(ago.milliseconds()).unwrap().to_string();
        let mut event = events::sample("task_stopped-out-of-memory");
        event["id"] = json!(format!("event-{number}"));
        event["time"] = json!(at);
        event["resources"] = json!([arn]);
        event["detail"]["taskArn"] = json!(arn);
        for time in ["stoppedAt", "updatedAt", "stoppingAt", "executionStoppedAt"] {
            event["detail"][time] = json!(at);
        }
        event
    };
    (0..TASKS).map(failure).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "acceptance"]
async fn a_thousand_failures_of_one_service_are_one_message() {
    let (slack, table) = (SlackApi::start().await, MockTable::start().await);
    let queue = Arc::new(RetryingQueue::new(failures()));
    let started = Instant::now();
    let url = table.url();
    let channels = json!([slack.settings()]).to_string();
    let mut variables = vec![("CHANNELS", channels.as_str())];
    variables.extend(table_variables(&url));
    let mut functions = Vec::new();
    for _ in 0..FUNCTIONS {
        let api = serve(Arc::clone(&queue)).await;
        let address = api.address().to_string();
        let program = env!("CARGO_BIN_EXE_parrot");
        functions.push((Function::start(program, &address, &variables), api));
    }
    while !queue.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let is_late = queue.age() > Duration::from_secs(120);
        assert!(!is_late, "the run does not end: {queue:?}");
    }
    let took = started.elapsed();
    let logs: Vec<_> = functions.iter_mut().map(|(it, _)| it.stop()).collect();
    assert!(!logs.concat().contains("is not available"), "{logs:?}");

    let record = table.record("thread service 210987654321 eu-west-1 prod-web checkout");
    let incident = &record["state"]["incident"];
    assert_eq!(incident["total"], TASKS, "each failure counts once");

    let messages = slack.messages();
    let [
        SlackMessage {
            thread_ts: None,
            edits,
            ..
        },
    ] = messages.as_slice()
    else {
        panic!("one message, and no reply: {messages:?}");
    };
    let most = took.as_secs() / BETWEEN_EDITS + 1;
    assert!(u64::from(*edits) <= most, "{edits} edits in {took:?}");
    let costs = table.costs();
    println!(
        "{TASKS} failures in {} invocations: {} items read, {} written, {} refused because another function was faster, {} events returned",
        queue.invocations(),
        costs.reads,
        costs.writes,
        costs.conflicts,
        queue.returned(),
    );
}
