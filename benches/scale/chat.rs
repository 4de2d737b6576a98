//! A chat server with Slack's rate limits: one message a second with short bursts, and fifty edits a minute. Otherwise it
//! answers 429 with `Retry-After`. It has an incoming webhook and the two methods of the Web API.
//! <https://docs.slack.dev/apis/web-api/rate-limits>

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::header::{HeaderValue, RETRY_AFTER};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::loopback::server::{Answer, answer_with};

const BURST: f64 = 5.0;

/// How many edits a second Slack accepts in the long run.
const EDITS: f64 = 50.0 / 60.0;

/// The time of a request, on the network and in the chat.
const LATENCY: Duration = Duration::from_millis(150);

/// The channel type of the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChatType {
    /// An incoming webhook, which cannot edit.
    Slack,
    /// A Slack app, which can edit and reply.
    SlackApp,
}

/// What a request makes in the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Post,
    Reply,
    /// A reply that the channel shows too.
    Broadcast,
    Edit,
}

pub(crate) struct Chat(Mutex<State>);

struct State {
    posts: Allowance,
    edits: Allowance,
    accepted: Vec<Message>,
    refused: usize,
}

struct Allowance {
    a_second: f64,
    left: f64,
    since: Instant,
}

#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) at: Instant,
    /// The number of the function that sent it.
    pub(crate) slot: usize,
    pub(crate) shown: Shown,
    pub(crate) text: String,
}

impl ChatType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::SlackApp => "slack_app",
        }
    }

    /// The variable that configures the channel, and its value.
    pub(crate) fn variable(self, chat: &str, slot: usize) -> (&'static str, String) {
        match self {
            Self::Slack => ("SLACK_WEBHOOKURL", format!("http://{chat}/{slot}/hook")),
            Self::SlackApp => {
                let channel = json!([{
                    "name": "slack",
                    "type": "slack_app",
                    "url": format!("http://{chat}/{slot}"),
                    "token": "xoxb-very-secret-token",
                    "channel": "C0123456789",
                }]);
                ("CHANNELS", channel.to_string())
            }
        }
    }
}

impl Chat {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            posts: Allowance::new(1.0),
            edits: Allowance::new(EDITS),
            accepted: Vec::new(),
            refused: 0,
        }))
    }

    pub(crate) async fn answer(&self, request: Request<Bytes>) -> Answer {
        sleep(LATENCY).await;
        let mut path = request.uri().path().trim_start_matches('/').split('/');
        let slot = path.next().unwrap().parse().unwrap();
        let method = path.next().unwrap();
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let shown = match method {
            "hook" => Shown::Post,
            "chat.update" => Shown::Edit,
            "chat.postMessage" if body["reply_broadcast"] == true => Shown::Broadcast,
            "chat.postMessage" if body["thread_ts"].is_string() => Shown::Reply,
            "chat.postMessage" => Shown::Post,
            _ => panic!("unexpected method {method}"),
        };
        let mut state = self.0.lock().unwrap();
        let allowance = match shown {
            Shown::Edit => &mut state.edits,
            Shown::Post | Shown::Reply | Shown::Broadcast => &mut state.posts,
        };
        if let Err(wait) = allowance.take() {
            state.refused += 1;
            let mut answer = answer_with(429, "rate_limited");
            let wait = HeaderValue::from_str(&wait.to_string()).unwrap();
            answer.headers_mut().insert(RETRY_AFTER, wait);
            return answer;
        }
        state.accepted.push(Message {
            at: Instant::now(),
            slot,
            shown,
            text: body.to_string(),
        });
        if method == "hook" {
            return answer_with(200, "ok");
        }
        let ts = format!("1793064704.{:06}", state.accepted.len());
        let answer = json!({
            "ok": true,
            "channel": body["channel"],
            "ts": ts,
            "message": {"ts": ts, "thread_ts": body["thread_ts"]},
        });
        answer_with(200, answer.to_string())
    }

    pub(crate) fn accepted(&self) -> Vec<Message> {
        self.0.lock().unwrap().accepted.clone()
    }

    pub(crate) fn refused(&self) -> usize {
        self.0.lock().unwrap().refused
    }
}

impl Allowance {
    fn new(a_second: f64) -> Self {
        Self {
            a_second,
            left: BURST,
            since: Instant::now(),
        }
    }

    /// Takes one, or says how many seconds to wait.
    fn take(&mut self) -> Result<(), f64> {
        let now = Instant::now();
        let earned = (now - self.since).as_secs_f64() * self.a_second;
        self.left = (self.left + earned).min(BURST);
        self.since = now;
        if self.left < 1.0 {
            return Err(((1.0 - self.left) / self.a_second).ceil());
        }
        self.left -= 1.0;
        Ok(())
    }
}
