//! One life of a function: started, an event, more events, ended.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Request;
use tokio::sync::Notify;

use crate::common::process::Process;
use crate::common::server::{Answer, answer_with, invocation, serve};
use crate::contestant::{Contestant, Transport};
use crate::tls::{Authority, serve_tls};

/// Until the program is taken to hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of one life.
pub(crate) struct Life {
    /// From its start until it asked for an event.
    pub(crate) poll: Duration,
    /// From its start until the first event was answered.
    pub(crate) cold: Duration,
    /// From an event until its answer, without the chat's own time.
    pub(crate) first: Duration,
    pub(crate) warm: Vec<Duration>,
    pub(crate) peak_kib: u64,
}

struct Lambda {
    events: usize,
    inside: Mutex<Inside>,
    done: Notify,
}

#[derive(Default)]
struct Inside {
    polled: Option<Instant>,
    handed_out: Option<Instant>,
    /// The chat's part of the present event.
    chat: Duration,
    posts: usize,
    answers: Vec<Answered>,
}

struct Answered {
    at: Instant,
    took: Duration,
}

/// Starts a contestant and has it tell some events, one after another.
pub(crate) async fn run(
    contestant: &Contestant,
    transport: Transport,
    authority: &Authority,
    warm: usize,
) -> Life {
    let lambda = Arc::new(Lambda {
        events: warm + 1,
        inside: Mutex::default(),
        done: Notify::new(),
    });
    let api = Arc::clone(&lambda);
    let api = serve(move |request| {
        let api = Arc::clone(&api);
        async move { api.answer(request).await }
    });
    let chat = Arc::clone(&lambda);
    let chat = move |_| {
        let chat = Arc::clone(&chat);
        async move { chat.take() }
    };
    let (scheme, chat) = match transport {
        Transport::Plain => ("http", serve(chat).await),
        Transport::Tls => ("https", serve_tls(authority.acceptor.clone(), chat).await),
    };
    let webhook = format!("{scheme}://{chat}/services/T0/B0/x");
    let api = api.await.to_string();
    let mut environment = vec![
        ("SLACK_WEBHOOKURL", webhook.as_str()),
        ("AWS_REGION", "eu-west-1"),
        // Nobody else looks anything up.
        ("ENRICH", "false"),
    ];
    if transport == Transport::Tls {
        let certificate = authority.certificate.path().to_str().unwrap();
        environment.push(("SSL_CERT_FILE", certificate));
    }
    let mut command = contestant.command();
    command.stdin(Stdio::null());
    let started = Instant::now();
    let process = Process::start(command, &api, &environment, |_| ());
    tokio::time::timeout(PATIENCE, lambda.done.notified())
        .await
        .unwrap_or_else(|_| panic!("{contestant} does not answer over {transport}"));
    lambda.life(started, process.peak_kib(), contestant.posts())
}

impl Lambda {
    async fn answer(&self, request: Request<Bytes>) -> Answer {
        let path = request.uri().path();
        if path.ends_with("/next") {
            return self.next().await;
        }
        let is_done = {
            let mut inside = self.inside.lock().unwrap();
            let at = Instant::now();
            assert!(path.ends_with("/response"), "{path}: {:?}", request.body());
            let took = at - inside.handed_out.take().unwrap();
            let took = took.saturating_sub(inside.chat);
            inside.answers.push(Answered { at, took });
            inside.answers.len() == self.events
        };
        if is_done {
            self.done.notify_one();
        }
        answer_with(202, "")
    }

    async fn next(&self) -> Answer {
        let number = {
            let mut inside = self.inside.lock().unwrap();
            inside.polled.get_or_insert_with(Instant::now);
            inside.answers.len()
        };
        if number == self.events {
            std::future::pending::<()>().await;
        }
        let answer = invocation(event(number), PATIENCE);
        let mut inside = self.inside.lock().unwrap();
        inside.chat = Duration::ZERO;
        inside.handed_out = Some(Instant::now());
        answer
    }

    fn take(&self) -> Answer {
        let began = Instant::now();
        let answer = answer_with(200, "ok");
        let mut inside = self.inside.lock().unwrap();
        inside.posts += 1;
        inside.chat += began.elapsed();
        answer
    }

    fn life(&self, started: Instant, peak_kib: u64, posts: bool) -> Life {
        let inside = self.inside.lock().unwrap();
        let expected = if posts { self.events } else { 0 };
        assert_eq!(inside.posts, expected, "each event is told");
        let (first, warm) = inside.answers.split_first().unwrap();
        Life {
            poll: inside.polled.unwrap() - started,
            cold: first.at - started,
            first: first.took,
            warm: warm.iter().map(|it| it.took).collect(),
            peak_kib,
        }
    }
}

/// A task of its own that ran out of memory.
fn event(number: usize) -> String {
    const SAMPLE: &str = include_str!("../../samples/task_stopped-out-of-memory.json");
    const TASK: &str = "62e6771e";
    assert!(SAMPLE.contains(TASK));
    SAMPLE.replace(TASK, &format!("{number:08x}"))
}
