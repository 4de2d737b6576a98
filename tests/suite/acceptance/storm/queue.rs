//! SQS and the poller that Lambda keeps before it: batches of records, and what comes back is handed out again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wiremock::matchers::{method, path_regex};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// Records of a batch, and how long an invocation may take.
const BATCH: usize = 25;
const TIME: Duration = Duration::from_millis(3_500);

#[derive(Debug)]
pub(super) struct StormyQueue {
    state: Mutex<State>,
    made: Instant,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(usize, String)>,
    /// Batches on their way, by the address of the function's Runtime API and the request's id.
    handed_out: HashMap<(String, String), Vec<(usize, String)>>,
    invocations: usize,
    given_back: usize,
}

impl StormyQueue {
    pub(super) fn new(events: Vec<Value>) -> Self {
        let waiting = events.iter().map(Value::to_string).enumerate().collect();
        Self {
            state: Mutex::new(State {
                waiting,
                ..State::default()
            }),
            made: Instant::now(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.waiting.is_empty() && state.handed_out.is_empty()
    }

    pub(super) fn age(&self) -> Duration {
        self.made.elapsed()
    }

    pub(super) fn invocations(&self) -> usize {
        self.state.lock().unwrap().invocations
    }

    pub(super) fn given_back(&self) -> usize {
        self.state.lock().unwrap().given_back
    }

    /// The visibility time-out of what a function held that is gone.
    pub(super) fn give_back_of(&self, api: &str) {
        let mut state = self.state.lock().unwrap();
        let held: Vec<_> = state
            .handed_out
            .keys()
            .filter(|(of, _)| of == api)
            .cloned()
            .collect();
        for key in held {
            let batch = state.handed_out.remove(&key).unwrap();
            state.waiting.extend(batch);
        }
    }
}

/// A Runtime API that hands out this queue's batches.
pub(super) async fn serve(queue: Arc<StormyQueue>) -> MockServer {
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

struct Next(Arc<StormyQueue>, String);
struct Answered(Arc<StormyQueue>, String);

impl Respond for Next {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let mut state = self.0.state.lock().unwrap();
        let many = BATCH.min(state.waiting.len());
        let batch: Vec<_> = state.waiting.drain(..many).collect();
        if batch.is_empty() {
            // No event yet: asked again after a while, as a poller that was not answered would.
            return ResponseTemplate::new(500).set_delay(Duration::from_millis(200));
        }
        state.invocations += 1;
        let request = format!("request-{}", state.invocations);
        let records = batch.iter().map(|(id, body)| {
            json!({"messageId": id.to_string(), "body": body, "eventSource": "aws:sqs"})
        });
        let payload = json!({"Records": records.collect::<Vec<_>>()});
        state
            .handed_out
            .insert((self.1.clone(), request.clone()), batch);
        let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + TIME;
        ResponseTemplate::new(200)
            .insert_header("lambda-runtime-aws-request-id", request.as_str())
            .insert_header("lambda-runtime-deadline-ms", end.as_millis().to_string())
            .insert_header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-west-1:210987654321:function:parrot",
            )
            .set_body_raw(payload.to_string(), "application/json")
    }
}

impl Respond for Answered {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut parts = request.url.path().rsplit('/');
        let (how, id) = (parts.next().unwrap(), parts.next().unwrap());
        let mut state = self.0.state.lock().unwrap();
        if let Some(batch) = state.handed_out.remove(&(self.1.clone(), id.to_owned())) {
            let answer: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let failures = answer["batchItemFailures"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let is_back = |id: usize| {
                let id = id.to_string();
                let is_named = |it: &Value| it["itemIdentifier"].as_str() == Some(&id);
                how == "error" || failures.iter().any(is_named)
            };
            let back: Vec<_> = batch.into_iter().filter(|(id, _)| is_back(*id)).collect();
            state.given_back += back.len();
            state.waiting.extend(back);
        }
        ResponseTemplate::new(202)
    }
}
