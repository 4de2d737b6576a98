//! A chat server with Slack's rate limit: one message a second, with short bursts. Otherwise it answers 429 with
//! `Retry-After`.
//! <https://docs.slack.dev/apis/web-api/rate-limits>

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::header::{HeaderValue, RETRY_AFTER};
use tokio::time::{Instant, sleep};

use crate::common::server::{Answer, answer_with};

const BURST: f64 = 5.0;

/// The time of a request, on the network and in the chat.
const LATENCY: Duration = Duration::from_millis(150);

pub(crate) struct Chat(Mutex<State>);

struct State {
    allowance: f64,
    since: Instant,
    accepted: Vec<Message>,
    refused: usize,
}

#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) at: Instant,
    /// The number of the function that sent it.
    pub(crate) slot: usize,
    pub(crate) text: String,
}

impl Chat {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            allowance: BURST,
            since: Instant::now(),
            accepted: Vec::new(),
            refused: 0,
        }))
    }

    pub(crate) async fn answer(&self, request: Request<Bytes>) -> Answer {
        sleep(LATENCY).await;
        let slot = request
            .uri()
            .path()
            .rsplit('/')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let mut state = self.0.lock().unwrap();
        let now = Instant::now();
        let earned = (now - state.since).as_secs_f64();
        state.allowance = (state.allowance + earned).min(BURST);
        state.since = now;
        if state.allowance < 1.0 {
            state.refused += 1;
            let wait = (1.0 - state.allowance).ceil();
            let mut answer = answer_with(429, "rate_limited");
            let wait = HeaderValue::from_str(&wait.to_string()).unwrap();
            answer.headers_mut().insert(RETRY_AFTER, wait);
            return answer;
        }
        state.allowance -= 1.0;
        let text = String::from_utf8_lossy(request.body()).into_owned();
        state.accepted.push(Message {
            at: now,
            slot,
            text,
        });
        answer_with(200, "ok")
    }

    pub(crate) fn accepted(&self) -> Vec<Message> {
        self.0.lock().unwrap().accepted.clone()
    }

    pub(crate) fn refused(&self) -> usize {
        self.0.lock().unwrap().refused
    }
}
