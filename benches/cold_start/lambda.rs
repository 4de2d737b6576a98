//! One run of a function: it starts, gets a first event and then warm events, and ends.

use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::Request;
use serde_json::json;
use tokio::sync::Notify;

use crate::contestant::{Contestant, Transport};
use crate::loopback::aws::{Aws, QueueCalls};
use crate::loopback::process::Process;
use crate::loopback::server::{Answer, answer_with, invocation, serve};
use crate::tls::{Authority, serve_tls};

/// After this time the benchmark fails because the program does not answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The queue takes the timers of threads. A run ends before one of them is due.
struct TimersOnly;

impl QueueCalls for TimersOnly {
    fn change_visibility(&self, _: &str, _: Duration) {}

    fn send_later(&self, body: String, delay: Duration) {
        assert!(body.contains("Thread Timer") && delay > TIMEOUT, "{body}");
    }
}

/// The figures of one run.
pub(crate) struct Run {
    /// From its start until it asked for an event.
    pub(crate) poll: Duration,
    /// From its start until the first event was answered.
    pub(crate) cold: Duration,
    /// From an event until its answer, without the chat's own time.
    pub(crate) first: Duration,
    /// The part of this time in which AWS calls were open.
    pub(crate) aws: Duration,
    pub(crate) warm: Vec<Duration>,
    /// The CPU time of a warm event.
    pub(crate) cpu: Duration,
    pub(crate) peak_kib: u64,
}

struct Lambda {
    contestant: Contestant,
    events: usize,
    aws: Aws,
    process: OnceLock<Process>,
    state: Mutex<State>,
    done: Notify,
}

#[derive(Default)]
struct State {
    polled: Option<Instant>,
    handed_out: Option<Instant>,
    /// The chat's time for the current event.
    chat: Duration,
    /// AWS's time for all events.
    busy: Busy,
    posts: usize,
    answers: Vec<Answered>,
}

/// The time in which at least one call was open.
#[derive(Default)]
struct Busy {
    calls: usize,
    since: Option<Instant>,
    time: Duration,
}

struct Answered {
    at: Instant,
    took: Duration,
    /// The time of AWS and the CPU time until then.
    aws: Duration,
    cpu: Duration,
}

/// Starts a contestant and gives it events, one after another.
pub(crate) async fn run(
    contestant: &Contestant,
    transport: Transport,
    authority: &Authority,
    warm: usize,
) -> Run {
    let lambda = Arc::new(Lambda {
        contestant: *contestant,
        events: warm + 1,
        aws: Aws::new(TimersOnly),
        process: OnceLock::new(),
        state: Mutex::default(),
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
    let aws = Arc::clone(&lambda);
    let aws = move |request| {
        let aws = Arc::clone(&aws);
        async move { aws.call_aws(request).await }
    };
    let acceptor = || authority.acceptor.clone();
    let (scheme, chat, aws) = match transport {
        Transport::Plain => ("http", serve(chat).await, serve(aws).await),
        Transport::Tls => (
            "https",
            serve_tls(acceptor(), chat).await,
            serve_tls(acceptor(), aws).await,
        ),
    };
    let (variable, channels) = contestant.channels(&format!("{scheme}://{chat}"));
    let endpoint = format!("{scheme}://{aws}");
    let api = api.await.to_string();
    let mut environment = vec![(variable, channels.as_str()), ("AWS_REGION", "eu-west-1")];
    match contestant {
        Contestant::Deployed => environment.extend([
            ("STATE_TABLE", "state"),
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]),
        // The other contestants make no AWS calls.
        _ => environment.push(("ENRICH", "false")),
    }
    if transport == Transport::Tls {
        let certificate = authority.certificate.path().to_str().unwrap();
        environment.push(("SSL_CERT_FILE", certificate));
    }
    let mut command = contestant.command();
    command.stdin(Stdio::null());
    let started = Instant::now();
    let process = Process::start(command, &api, &environment, |_| ());
    let process = lambda.process.get_or_init(|| process);
    tokio::time::timeout(TIMEOUT, lambda.done.notified())
        .await
        .unwrap_or_else(|_| panic!("{contestant} does not answer over {transport}"));
    lambda.figures(started, process.peak_kib(), contestant.posts())
}

impl Lambda {
    async fn answer(&self, request: Request<Bytes>) -> Answer {
        let path = request.uri().path();
        if path.ends_with("/next") {
            return self.next().await;
        }
        let is_done = {
            let mut state = self.state.lock().unwrap();
            let at = Instant::now();
            assert!(path.ends_with("/response"), "{path}: {:?}", request.body());
            let took = at - state.handed_out.take().unwrap();
            let took = took.saturating_sub(state.chat);
            let answered = Answered {
                at,
                took,
                aws: state.busy.time,
                cpu: self.cpu(),
            };
            state.answers.push(answered);
            state.answers.len() == self.events
        };
        if is_done {
            self.done.notify_one();
        }
        answer_with(202, "")
    }

    async fn next(&self) -> Answer {
        let number = {
            let mut state = self.state.lock().unwrap();
            state.polled.get_or_insert_with(Instant::now);
            state.answers.len()
        };
        if number == self.events {
            std::future::pending::<()>().await;
        }
        let event = event(number);
        let payload = match self.contestant {
            Contestant::Deployed => record(number, &event),
            _ => event,
        };
        let answer = invocation(payload, TIMEOUT);
        let mut state = self.state.lock().unwrap();
        state.chat = Duration::ZERO;
        state.handed_out = Some(Instant::now());
        answer
    }

    async fn call_aws(&self, request: Request<Bytes>) -> Answer {
        self.state.lock().unwrap().busy.begin();
        let answer = self.aws.answer(request).await;
        self.state.lock().unwrap().busy.end();
        answer
    }

    /// The CPU time of the function: <https://docs.kernel.org/scheduler/sched-stats.html>.
    fn cpu(&self) -> Duration {
        let figures = self.process.get().map(|process| process.read("schedstat"));
        let figures = figures.unwrap_or_default();
        let figure = figures
            .split_whitespace()
            .next()
            .and_then(|it| it.parse().ok());
        Duration::from_nanos(figure.unwrap_or_default())
    }

    fn take(&self) -> Answer {
        let began = Instant::now();
        let answer = answer_with(200, self.contestant.answer());
        let mut state = self.state.lock().unwrap();
        state.posts += 1;
        state.chat += began.elapsed();
        answer
    }

    fn figures(&self, started: Instant, peak_kib: u64, posts: usize) -> Run {
        let state = self.state.lock().unwrap();
        assert_eq!(state.posts, self.events * posts, "each event is posted");
        let stored = match self.contestant {
            Contestant::Deployed => self.events,
            _ => 0,
        };
        assert!(self.aws.calls("PutItem") >= stored, "each is stored");
        assert!(
            self.aws.table_costs().reads >= stored,
            "each is read from the table"
        );
        let (first, warm) = state.answers.split_first().unwrap();
        let last = state.answers.last().unwrap();
        let warm_events = u32::try_from(warm.len()).unwrap();
        Run {
            poll: state.polled.unwrap() - started,
            cold: first.at - started,
            first: first.took,
            aws: first.aws,
            cpu: (last.cpu - first.cpu) / warm_events,
            warm: warm.iter().map(|it| it.took).collect(),
            peak_kib,
        }
    }
}

impl Busy {
    fn begin(&mut self) {
        self.calls += 1;
        self.since.get_or_insert_with(Instant::now);
    }

    fn end(&mut self) {
        self.calls -= 1;
        if let (0, Some(since)) = (self.calls, self.since) {
            self.time += since.elapsed();
            self.since = None;
        }
    }
}

/// The event as a queue delivers it.
fn record(number: usize, event: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let sent = now.as_millis().to_string();
    json!({"Records": [{
        "messageId": format!("{number:08x}-5f0a-4d5e-9a55-5c1d00000000"),
        "receiptHandle": "A".repeat(400),
        "body": event,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": sent,
            "SenderId": "AROAEXAMPLE",
            "ApproximateFirstReceiveTimestamp": sent,
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:210987654321:ecs-parrot-events",
        "awsRegion": "eu-west-1",
    }]})
    .to_string()
}

/// The event of a new task that ran out of memory, each in another cluster: it opens an incident, and is posted.
fn event(number: usize) -> String {
    const SAMPLE: &str = include_str!("../../samples/task_stopped-out-of-memory.json");
    const TASK: &str = "62e6771e";
    const CLUSTER: &str = "prod-web";
    assert!(SAMPLE.contains(TASK) && SAMPLE.contains(CLUSTER));
    let event = SAMPLE.replace(TASK, &format!("{number:08x}"));
    event.replace(CLUSTER, &format!("web-{number}"))
}
