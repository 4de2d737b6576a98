//! A chat that keeps Slack's limits: a message a second, short bursts allowed, and a 429 that says when to come again.
//! <https://docs.slack.dev/apis/web-api/rate-limits>

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::header::{HeaderValue, RETRY_AFTER};
use tokio::time::{Instant, sleep};

use crate::common::server::{Answer, answer_with};

const BURST: f64 = 5.0;

/// What a message takes on its way and in the chat.
const LATENCY: Duration = Duration::from_millis(150);

pub(crate) struct Chat(Mutex<Inside>);

struct Inside {
    allowance: f64,
    since: Instant,
    taken: Vec<Message>,
    refused: usize,
}

#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) at: Instant,
    /// Of which function.
    pub(crate) slot: usize,
    pub(crate) text: String,
}

impl Chat {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Inside {
            allowance: BURST,
            since: Instant::now(),
            taken: Vec::new(),
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
        let mut inside = self.0.lock().unwrap();
        let now = Instant::now();
        let earned = (now - inside.since).as_secs_f64();
        inside.allowance = (inside.allowance + earned).min(BURST);
        inside.since = now;
        if inside.allowance < 1.0 {
            inside.refused += 1;
            let wait = (1.0 - inside.allowance).ceil();
            let mut answer = answer_with(429, "rate_limited");
            let wait = HeaderValue::from_str(&wait.to_string()).unwrap();
            answer.headers_mut().insert(RETRY_AFTER, wait);
            return answer;
        }
        inside.allowance -= 1.0;
        let text = String::from_utf8_lossy(request.body()).into_owned();
        inside.taken.push(Message {
            at: now,
            slot,
            text,
        });
        answer_with(200, "ok")
    }

    pub(crate) fn taken(&self) -> Vec<Message> {
        self.0.lock().unwrap().taken.clone()
    }

    pub(crate) fn refused(&self) -> usize {
        self.0.lock().unwrap().refused
    }
}
