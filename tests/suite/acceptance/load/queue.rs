//! SQS with Lambda's poller: it delivers records in batches, and delivers failed records again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wiremock::matchers::{method, path_regex};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The number of records of a batch, and the time of an invocation.
const BATCH: usize = 25;
const TIME: Duration = Duration::from_millis(3_500);

/// The wait before a failed record is delivered again. A message without an answer waits a minute, so that some records
/// come many times.
const VISIBILITY: Duration = Duration::from_secs(4);

/// A record that was delivered so often goes to the dead-letter queue. These are the records whose message got no answer
/// twice: they wait an hour.
const MOST_RECEIVES: u32 = 24;

#[derive(Debug)]
pub(super) struct RetryingQueue {
    state: Mutex<State>,
    made: Instant,
}

#[derive(Debug)]
struct Record {
    id: usize,
    body: String,
    receives: u32,
    visible_at: Instant,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Record>,
    /// Batches that are being processed, by the address of the function's Runtime API and the request id.
    in_flight: HashMap<(String, String), Vec<Record>>,
    dead_letters: Vec<String>,
    invocations: usize,
    returned: usize,
}

impl RetryingQueue {
    pub(super) fn new(events: Vec<Value>) -> Self {
        let now = Instant::now();
        let record = |(id, event): (usize, &Value)| Record {
            id,
            body: event.to_string(),
            receives: 0,
            visible_at: now,
        };
        Self {
            state: Mutex::new(State {
                waiting: events.iter().enumerate().map(record).collect(),
                ..State::default()
            }),
            made: now,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.waiting.is_empty() && state.in_flight.is_empty()
    }

    pub(super) fn age(&self) -> Duration {
        self.made.elapsed()
    }

    pub(super) fn invocations(&self) -> usize {
        self.state.lock().unwrap().invocations
    }

    pub(super) fn returned(&self) -> usize {
        self.state.lock().unwrap().returned
    }

    /// The bodies of the records in the dead-letter queue.
    pub(super) fn dead_letters(&self) -> Vec<String> {
        self.state.lock().unwrap().dead_letters.clone()
    }

    /// Returns the records of a killed function to the queue, as the visibility timeout does.
    pub(super) fn return_records_of(&self, api: &str) {
        let mut state = self.state.lock().unwrap();
        let held: Vec<_> = state
            .in_flight
            .keys()
            .filter(|(of, _)| of == api)
            .cloned()
            .collect();
        for key in held {
            let batch = state.in_flight.remove(&key).unwrap();
            state.return_records(batch);
        }
    }
}

impl State {
    fn return_records(&mut self, records: Vec<Record>) {
        for mut record in records {
            if record.receives >= MOST_RECEIVES {
                self.dead_letters.push(record.body);
                continue;
            }
            record.visible_at = Instant::now() + VISIBILITY;
            self.waiting.push_back(record);
        }
    }

    /// The next batch. The records stand in the order in which they become visible.
    fn receive(&mut self) -> Vec<Record> {
        let now = Instant::now();
        let is_visible = |it: &&Record| it.visible_at <= now;
        let many = self
            .waiting
            .iter()
            .take(BATCH)
            .take_while(is_visible)
            .count();
        let mut batch: Vec<_> = self.waiting.drain(..many).collect();
        batch.iter_mut().for_each(|it| it.receives += 1);
        batch
    }
}

/// A Runtime API that delivers the batches of this queue.
pub(super) async fn serve(queue: Arc<RetryingQueue>) -> MockServer {
    let server = MockServer::start().await;
    let address = server.address().to_string();
    Mock::given(method("GET"))
        .and(path_regex("/invocation/next$"))
        .respond_with(Next(Arc::clone(&queue), address.clone()))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(Answered(queue, address))
        .mount(&server)
        .await;
    server
}

struct Next(Arc<RetryingQueue>, String);
struct Answered(Arc<RetryingQueue>, String);

impl Respond for Next {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let mut state = self.0.state.lock().unwrap();
        let batch = state.receive();
        if batch.is_empty() {
            // All records wait. An invocation without records only waits too.
            let payload = json!({"Records": []});
            return next("waiting", &payload).set_delay(Duration::from_millis(200));
        }
        state.invocations += 1;
        let request = format!("request-{}", state.invocations);
        let records = batch.iter().map(|record| {
            json!({
                "messageId": record.id.to_string(),
                "body": record.body,
                "attributes": {"ApproximateReceiveCount": record.receives.to_string()},
                "eventSource": "aws:sqs",
            })
        });
        let payload = json!({"Records": records.collect::<Vec<_>>()});
        state
            .in_flight
            .insert((self.1.clone(), request.clone()), batch);
        next(&request, &payload)
    }
}

/// The answer of the Runtime API with an invocation.
fn next(request: &str, payload: &Value) -> ResponseTemplate {
    let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + TIME;
    ResponseTemplate::new(200)
        .insert_header("lambda-runtime-aws-request-id", request)
        .insert_header("lambda-runtime-deadline-ms", end.as_millis().to_string())
        .insert_header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-west-1:210987654321:function:parrot",
        )
        .set_body_raw(payload.to_string(), "application/json")
}

impl Respond for Answered {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut parts = request.url.path().rsplit('/');
        let (how, id) = (parts.next().unwrap(), parts.next().unwrap());
        let mut state = self.0.state.lock().unwrap();
        if let Some(batch) = state.in_flight.remove(&(self.1.clone(), id.to_owned())) {
            let answer: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let failures = answer["batchItemFailures"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let is_failed = |id: usize| {
                let id = id.to_string();
                let is_named = |it: &Value| it["itemIdentifier"].as_str() == Some(&id);
                how == "error" || failures.iter().any(is_named)
            };
            let failed: Vec<_> = batch.into_iter().filter(|it| is_failed(it.id)).collect();
            state.returned += failed.len();
            state.return_records(failed);
        }
        ResponseTemplate::new(202)
    }
}
