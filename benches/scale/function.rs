//! One instance of the function, and its Runtime API.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use tokio::time::Instant;

use crate::chat::{Chat, ChatType};
use crate::loopback::aws::Aws;
use crate::loopback::process::Process;
use crate::loopback::server::{Answer, answer_with, invocation, serve};
use crate::queue::{Batch, Queue};

/// The function's timeout in the deployment.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(15);

pub(crate) struct Function {
    process: Process,
    /// How many bytes it has logged.
    written: Arc<AtomicU64>,
    lambda: Arc<Lambda>,
}

struct Lambda {
    slot: usize,
    queue: Arc<Queue>,
    running: Mutex<Option<Running>>,
    done: Mutex<Vec<Invocation>>,
}

struct Running {
    numbers: Vec<usize>,
    urgent: Vec<Instant>,
    started: Instant,
}

#[derive(Clone)]
pub(crate) struct Invocation {
    pub(crate) slot: usize,
    pub(crate) started: Instant,
    pub(crate) ended: Instant,
    /// When each of its urgent events was sent to the queue.
    pub(crate) urgent: Vec<Instant>,
}

impl Function {
    pub(crate) async fn start(
        slot: usize,
        queue: &Arc<Queue>,
        chat_type: ChatType,
        chat: &Arc<Chat>,
        aws: &Arc<Aws>,
    ) -> Self {
        let lambda = Arc::new(Lambda {
            slot,
            queue: Arc::clone(queue),
            running: Mutex::default(),
            done: Mutex::default(),
        });
        let api = Arc::clone(&lambda);
        let api = serve(move |request| {
            let api = Arc::clone(&api);
            async move { api.answer(request).await }
        });
        let (chat, aws) = (Arc::clone(chat), Arc::clone(aws));
        let chat = serve(move |request| {
            let chat = Arc::clone(&chat);
            async move { chat.answer(request).await }
        });
        let aws = serve(move |request| {
            let aws = Arc::clone(&aws);
            async move { aws.answer(request).await }
        });
        let (api, chat, aws) = (api.await, chat.await, aws.await);
        let environment = [
            chat_type.variable(&chat.to_string(), slot),
            ("STATE_TABLE", "state".to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://{aws}")),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ];
        let environment = environment
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let built = || env!("CARGO_BIN_EXE_parrot").into();
        let program = Command::new(std::env::var_os("PARROT").unwrap_or_else(built));
        let written = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&written);
        let count_bytes = move |bytes: usize| {
            counter.fetch_add(bytes as u64, Ordering::Relaxed);
        };
        let process = Process::start(program, &api.to_string(), &environment, count_bytes);
        Self {
            process,
            written,
            lambda,
        }
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    pub(crate) fn peak_kib(&self) -> u64 {
        self.process.peak_kib()
    }

    /// The CPU time, in the program and in the kernel.
    pub(crate) fn cpu(&self) -> Duration {
        const TICKS_A_SECOND: u64 = 100;
        let stat = self.process.read("stat");
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<_> = fields.split_whitespace().collect();
        let ticks = [11, 12].map(|place: usize| fields.get(place)?.parse::<u64>().ok());
        Duration::from_millis(ticks.into_iter().flatten().sum::<u64>() * 1_000 / TICKS_A_SECOND)
    }

    pub(crate) fn invocations(&self) -> Vec<Invocation> {
        self.lambda.done.lock().unwrap().clone()
    }
}

impl Lambda {
    async fn answer(&self, request: Request<Bytes>) -> Answer {
        let path = request.uri().path();
        if path.ends_with("/next") {
            let batch = self.queue.batch().await;
            return self.deliver(batch);
        }
        self.finish(path.ends_with("/response"), request.body());
        answer_with(202, "")
    }

    fn deliver(&self, batch: Batch) -> Answer {
        let Batch {
            payload,
            numbers,
            urgent,
        } = batch;
        let started = Instant::now();
        *self.running.lock().unwrap() = Some(Running {
            numbers,
            urgent,
            started,
        });
        invocation(payload, TIMEOUT)
    }

    fn finish(&self, is_response: bool, body: &[u8]) {
        let running = self.running.lock().unwrap().take().unwrap();
        let response = is_response.then(|| serde_json::from_slice(body).unwrap());
        self.queue.finish(&running.numbers, response.as_ref());
        let Running {
            started, urgent, ..
        } = running;
        let ended = Instant::now();
        self.done.lock().unwrap().push(Invocation {
            slot: self.slot,
            started,
            ended,
            urgent,
        });
    }
}
