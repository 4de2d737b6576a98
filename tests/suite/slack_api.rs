//! Slack's Web API, as far as `slack_app` uses it. It refuses what Slack refuses, and keeps the messages of one channel.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

pub(crate) const CHANNEL: &str = "C0123456789";
pub(crate) const TOKEN: &str = "xoxb-very-secret-token";

/// From about 13,200 characters on, Slack answers `msg_blocks_too_long`.
const LONGEST_BLOCKS: usize = 13_000;
const LONGEST_SECTION: usize = 3_000;
/// The limit of an edit. A longer text of a post is cut.
const LONGEST_TEXT: usize = 4_000;

pub(crate) struct SlackApi {
    server: MockServer,
    state: Arc<Mutex<State>>,
}

/// A message of the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SlackMessage {
    pub(crate) ts: String,
    pub(crate) thread_ts: Option<String>,
    pub(crate) is_broadcast: bool,
    pub(crate) text: String,
    pub(crate) edits: u32,
}

/// A request, also a refused one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) body: Value,
}

#[derive(Debug, Default)]
struct State {
    posted: u32,
    messages: Vec<SlackMessage>,
    calls: Vec<Call>,
    scripted: VecDeque<ResponseTemplate>,
}

impl SlackApi {
    pub(crate) async fn start() -> Self {
        let server = MockServer::start().await;
        let state = Arc::new(Mutex::new(State::default()));
        let methods = Methods(Arc::clone(&state));
        let every = Mock::given(method("POST")).respond_with(methods);
        every.mount(&server).await;
        Self { server, state }
    }

    /// The settings of a channel `oncall` that posts here.
    pub(crate) fn settings(&self) -> Value {
        json!({
            "name": "oncall",
            "type": "slack_app",
            "url": format!("{}/api/", self.server.uri()),
            "token": TOKEN,
            "channel": CHANNEL,
        })
    }

    /// Answers a call with this error, after those that were given before.
    pub(crate) fn fail_next(&self, error: &str) {
        let answer = json!({"ok": false, "error": error});
        self.answer_next(ResponseTemplate::new(200).set_body_json(answer));
    }

    pub(crate) fn answer_next(&self, answer: ResponseTemplate) {
        self.state().scripted.push_back(answer);
    }

    /// A person deletes a message.
    pub(crate) fn delete(&self, ts: &str) {
        self.state().messages.retain(|it| it.ts != ts);
    }

    pub(crate) fn messages(&self) -> Vec<SlackMessage> {
        self.state().messages.clone()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    pub(crate) fn methods(&self) -> Vec<String> {
        self.calls().into_iter().map(|it| it.method).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

struct Methods(Arc<Mutex<State>>);

impl Respond for Methods {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let Some(method) = request.url.path().strip_prefix("/api/") else {
            return ResponseTemplate::new(404);
        };
        let body = serde_json::from_slice(&request.body).unwrap_or_default();
        let mut state = self.0.lock().unwrap();
        state.calls.push(Call {
            method: method.to_owned(),
            body,
        });
        if let Some(scripted) = state.scripted.pop_front() {
            return scripted;
        }
        let answer = state.answer(request, method);
        let answer = answer.unwrap_or_else(|error| json!({"ok": false, "error": error}));
        ResponseTemplate::new(200).set_body_json(answer)
    }
}

impl State {
    fn answer(&mut self, request: &Request, method: &str) -> Result<Value, &'static str> {
        check_headers(request)?;
        let body: Value = serde_json::from_slice(&request.body).map_err(|_| "invalid_json")?;
        if method == "auth.test" {
            return Ok(json!({"ok": true, "team": "example"}));
        }
        if body["channel"] != CHANNEL {
            return Err("channel_not_found");
        }
        check_content(&body)?;
        match method {
            "chat.postMessage" => Ok(self.post(&body)),
            "chat.update" => self.update(&body),
            _ => Err("unknown_method"),
        }
    }

    /// A reply to a message that does not exist is posted at the top level, without an error.
    fn post(&mut self, body: &Value) -> Value {
        self.posted += 1;
        let exists = |ts: &&str| self.messages.iter().any(|it| it.ts == **ts);
        let thread_ts = body["thread_ts"].as_str().filter(exists);
        let message = SlackMessage {
            ts: format!("1793064704.{:06}", self.posted),
            thread_ts: thread_ts.map(str::to_owned),
            is_broadcast: thread_ts.is_some() && body["reply_broadcast"] == true,
            text: body["text"].as_str().unwrap_or_default().to_owned(),
            edits: 0,
        };
        let mut answer = json!({"ok": true, "channel": CHANNEL, "ts": message.ts});
        answer["message"] = json!({"text": message.text, "ts": message.ts});
        if let Some(thread_ts) = &message.thread_ts {
            answer["message"]["thread_ts"] = json!(thread_ts);
        }
        self.messages.push(message);
        answer
    }

    fn update(&mut self, body: &Value) -> Result<Value, &'static str> {
        if length(&body["text"]) > LONGEST_TEXT {
            return Err("msg_too_long");
        }
        let mut messages = self.messages.iter_mut();
        let message = messages.find(|it| body["ts"] == it.ts);
        let message = message.ok_or("message_not_found")?;
        message.text = body["text"].as_str().unwrap_or_default().to_owned();
        message.edits += 1;
        Ok(json!({"ok": true, "channel": CHANNEL, "ts": message.ts, "text": message.text}))
    }
}

fn check_headers(request: &Request) -> Result<(), &'static str> {
    let header = |name: &str| request.headers.get(name)?.to_str().ok();
    let content_type = header("content-type").ok_or("missing_post_type")?;
    if !content_type.starts_with("application/json") {
        return Err("invalid_post_type");
    }
    let authorization = header("authorization").ok_or("not_authed")?;
    match authorization == format!("Bearer {TOKEN}") {
        true => Ok(()),
        false => Err("invalid_auth"),
    }
}

fn check_content(body: &Value) -> Result<(), &'static str> {
    let attachments = body["attachments"].as_array();
    let blocks: Vec<_> = attachments
        .into_iter()
        .flatten()
        .flat_map(|it| it["blocks"].as_array().unwrap())
        .map(|it| length(&it["text"]["text"]))
        .collect();
    if length(&body["text"]) == 0 && blocks.is_empty() {
        return Err("no_text");
    }
    if blocks.iter().any(|it| *it == 0 || *it > LONGEST_SECTION) || blocks.len() > 50 {
        return Err("invalid_blocks");
    }
    match blocks.iter().sum::<usize>() > LONGEST_BLOCKS {
        true => Err("msg_blocks_too_long"),
        false => Ok(()),
    }
}

fn length(text: &Value) -> usize {
    text.as_str().unwrap_or_default().encode_utf16().count()
}
