//! Chat services that refuse what the real ones refuse, and record what they accept. Each takes all samples and all
//! stories.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ecs_parrot::http::SharedClient;
use ecs_parrot::notifier::channel::{
    ChannelType, ConfiguredChannel, Http, MessageRef, Operation, Outcome,
};
use ecs_parrot::notifier::config::NotifierConfig;
use ecs_parrot::notifier::group::Group;
use ecs_parrot::notifier::message::Message;
use ecs_parrot::notifier::policy::Policy;
use ecs_parrot::notifier::render::View;
use ecs_parrot::notifier::replay::ReplayLine;
use ecs_parrot::notifier::thread::ActionKind;
use serde_json::{Value, json};
use strum::VariantArray as _;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::channels::service_of;
use crate::{events, expectations, stories};

/// A chat service as strict as the real one.
pub(crate) trait ChatService: Send + 'static {
    /// The settings of a channel that posts to the server at this address, besides its name and type.
    fn settings(&self, base: &str) -> Value;

    /// The service's answer to a request that it accepts, else its error.
    fn answer(&mut self, request: &Request) -> Result<ResponseTemplate, Refusal>;
}

/// An error of a service.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// What was wrong.
    pub(crate) why: String,
}

pub(crate) fn refusal(status: u16, why: &str) -> Refusal {
    Refusal {
        status,
        why: why.to_owned(),
    }
}

/// A server with a strict service, and what it received.
pub(crate) struct StrictServer {
    server: MockServer,
    state: Arc<Mutex<ServerState>>,
}

struct ServerState {
    service: Box<dyn ChatService>,
    accepted: Vec<Value>,
    refused: Vec<String>,
}

struct Answers(Arc<Mutex<ServerState>>);

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap();
        match state.service.answer(request) {
            Ok(answer) => {
                let body = serde_json::from_slice(&request.body).unwrap_or_default();
                state.accepted.push(body);
                answer
            }
            Err(Refusal { status, why }) => {
                let answer = json!({"message": why});
                state.refused.push(format!("{status} {why}"));
                ResponseTemplate::new(status).set_body_json(answer)
            }
        }
    }
}

impl StrictServer {
    pub(crate) async fn start(service: Box<dyn ChatService>) -> Self {
        let server = MockServer::start().await;
        let state = Arc::new(Mutex::new(ServerState {
            service,
            accepted: Vec::new(),
            refused: Vec::new(),
        }));
        let every = Mock::given(any()).respond_with(Answers(Arc::clone(&state)));
        every.mount(&server).await;
        Self { server, state }
    }

    /// A channel `ops` of this type that posts here.
    pub(crate) fn channel(&self, channel_type: ChannelType) -> ConfiguredChannel {
        let mut settings = self
            .state
            .lock()
            .unwrap()
            .service
            .settings(&self.server.uri());
        settings["name"] = json!("ops");
        settings["type"] = json!(channel_type.to_string());
        let variable = ("CHANNELS".to_owned(), json!([settings]).to_string());
        let config = NotifierConfig::read(&[variable]).unwrap();
        config.channels.configured.into_iter().next().unwrap()
    }

    /// The address that the channel posts to, if it is the setting `url`.
    pub(crate) fn channel_url(&self) -> String {
        let service = &self.state.lock().unwrap().service;
        let settings = service.settings(&self.server.uri());
        settings["url"].as_str().unwrap().to_owned()
    }

    /// The address of the server, without a path.
    pub(crate) fn address(&self) -> String {
        self.server.uri()
    }

    /// The bodies of the accepted requests.
    pub(crate) fn accepted(&self) -> Vec<Value> {
        self.state.lock().unwrap().accepted.clone()
    }

    /// What was wrong with the refused requests.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.state.lock().unwrap().refused.clone()
    }
}

/// The status of the answer to a POST that no channel makes.
pub(crate) async fn status_of(url: String, headers: &[(&str, &str)], body: String) -> u16 {
    let client = SharedClient::default();
    let mut request = client.get().unwrap().post(url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().status().as_u16()
}

/// Sends once. Panics if the service does not accept it.
async fn send(
    http: &Http,
    channel: &ConfiguredChannel,
    message: &Message,
    operation: Operation<'_>,
    context: &str,
) -> Option<MessageRef> {
    if channel.channel.skips(message, operation) {
        return None;
    }
    let prepared = channel.channel.prepare(message, operation);
    match channel.channel.send(http, &prepared).await {
        Outcome::Delivered { root } => root,
        other => panic!("{context}: {other:?}"),
    }
}

/// Sends the lines of a replay as they are, with the references that the service gives.
pub(crate) async fn send_replay(channel: &ConfiguredChannel, lines: &[ReplayLine], context: &str) {
    let http = Http::default();
    let mut roots: HashMap<u64, MessageRef> = HashMap::new();
    for line in lines {
        let root = roots.get(&line.message).cloned();
        let operation = match (line.action, &root) {
            (ActionKind::Update, Some(root)) => Operation::Update(root),
            (ActionKind::Reply, Some(root)) => Operation::Reply {
                root,
                broadcast: false,
            },
            (ActionKind::Broadcast, Some(root)) => Operation::Reply {
                root,
                broadcast: true,
            },
            (ActionKind::Post, _) => Operation::Post,
            (_, None) => panic!(
                "{context}: a message without a reference: {}",
                line.headline
            ),
        };
        let context = format!("{context}: {} {}", line.action, line.headline);
        if let Some(root) = send(&http, channel, &line.shown, operation, &context).await {
            roots.insert(line.message, root);
        }
    }
}

fn strict_types() -> impl Iterator<Item = (ChannelType, Box<dyn ChatService>)> {
    let types = ChannelType::VARIANTS.iter();
    types.filter_map(|it| Some((*it, service_of(*it)?)))
}

#[tokio::test]
async fn each_service_takes_every_sample() {
    for (channel_type, service) in strict_types() {
        let server = StrictServer::start(service).await;
        let channel = server.channel(channel_type);
        let http = Http::default();
        for (name, payload) in events::all() {
            for evaluated in events::evaluate(payload, &Policy::default())
                .into_iter()
                .flatten()
            {
                let Some(priority) = evaluated.priority().filter(|it| channel.accepts(*it)) else {
                    continue;
                };
                let group = Group::of_one(&evaluated.notice, priority);
                let message = events::renderer().render(View::of_channel(&channel), &group);
                send(&http, &channel, &message.unwrap(), Operation::Post, name).await;
            }
        }
        assert!(server.refused().is_empty(), "{:?}", server.refused());
        assert!(!server.accepted().is_empty(), "{channel_type}");
    }
}

#[tokio::test]
async fn each_service_takes_every_story() {
    for (channel_type, service) in strict_types() {
        let server = StrictServer::start(service).await;
        let channel = server.channel(channel_type);
        for name in stories::names() {
            let lines = stories::play_in(name, &channel);
            let context = format!("{channel_type}, {name}");
            send_replay(&channel, &lines, &context).await;
        }
        // What did not run, with a task before and without one.
        for entry in [expectations::NIGHTLY, "nobody: 12h"] {
            let lines = expectations::play_in(entry, &channel, None);
            let context = format!("{channel_type}, {entry}");
            send_replay(&channel, &lines, &context).await;
        }
        assert!(server.refused().is_empty(), "{:?}", server.refused());
    }
}
