//! A fake of Lambda's Runtime API, as far as a function uses it, and helpers that run the built functions against it.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::collections::VecDeque;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::secret_leaks::assert_no_secrets;

/// A test fails if anything here takes longer than this.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct RuntimeApi {
    pub(crate) server: MockServer,
    expected: usize,
}

/// The function's answer to one invocation.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Response(Value),
    Error { kind: String, message: String },
}

struct NextInvocation {
    payloads: Arc<Mutex<VecDeque<(usize, String)>>>,
    deadline: Duration,
    /// The client context of the caller.
    context: Option<String>,
}

impl Respond for NextInvocation {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        match self.payloads.lock().unwrap().pop_front() {
            Some((number, payload)) => self
                .headers()
                .insert_header("lambda-runtime-aws-request-id", format!("request-{number}"))
                .insert_header(
                    "lambda-runtime-deadline-ms",
                    self.deadline.as_millis().to_string(),
                )
                .insert_header(
                    "lambda-runtime-invoked-function-arn",
                    "arn:aws:lambda:eu-west-1:210987654321:function:parrot",
                )
                .set_body_raw(payload, "application/json"),
            // As the real Runtime API: it does not answer while there is no event.
            None => ResponseTemplate::new(200).set_delay(TIMEOUT * 2),
        }
    }
}

impl NextInvocation {
    fn headers(&self) -> ResponseTemplate {
        let answer = ResponseTemplate::new(200);
        match &self.context {
            Some(context) => {
                answer.insert_header("lambda-runtime-client-context", context.as_str())
            }
            None => answer,
        }
    }
}

impl RuntimeApi {
    pub(crate) async fn with(payloads: Vec<Value>) -> Self {
        Self::with_texts(payloads.iter().map(Value::to_string).collect()).await
    }

    pub(crate) async fn with_texts(payloads: Vec<String>) -> Self {
        Self::ending_after(TIMEOUT, payloads).await
    }

    /// The deadline of every invocation is this long after now.
    pub(crate) async fn ending_after(time: Duration, payloads: Vec<String>) -> Self {
        Self::create(None, time, payloads).await
    }

    /// With a client context, which a caller of Invoke may add.
    pub(crate) async fn called_by(context: String, payloads: Vec<String>) -> Self {
        Self::create(Some(context), TIMEOUT, payloads).await
    }

    async fn create(context: Option<String>, time: Duration, payloads: Vec<String>) -> Self {
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + time;
        // Each Runtime API needs a new server and not one of wiremock's pool: a function that has just been ended may
        // have a request on its way. This request would take an event from the next user of a pooled server.
        let server = MockServer::builder().start().await;
        let expected = payloads.len();
        let queue = Arc::new(Mutex::new(payloads.into_iter().enumerate().collect()));
        Mock::given(method("GET"))
            .and(path("/2018-06-01/runtime/invocation/next"))
            .respond_with(NextInvocation {
                payloads: queue,
                deadline,
                context,
            })
            .mount(&server)
            .await;
        Mock::given(method("POST"))
            .and(path_regex(
                r"^/2018-06-01/runtime/invocation/request-\d+/(response|error)$",
            ))
            .respond_with(ResponseTemplate::new(202))
            .mount(&server)
            .await;
        Self { server, expected }
    }

    /// Runs `parrot` until every invocation is answered. Returns the answers and the log.
    pub(crate) async fn run(&self, environment: &[(&str, &str)]) -> (Vec<Answer>, String) {
        self.run_program(env!("CARGO_BIN_EXE_parrot"), environment)
            .await
    }

    pub(crate) async fn run_program(
        &self,
        program: &str,
        environment: &[(&str, &str)],
    ) -> (Vec<Answer>, String) {
        let runtime_api = self.server.address().to_string();
        let mut function = Function::start(program, &runtime_api, environment);
        let started = Instant::now();
        loop {
            let answers = self.answers().await;
            if answers.len() == self.expected {
                let log = function.stop();
                assert_no_secrets(environment, &format!("{answers:?}"));
                return (answers, log);
            }
            if let Some(status) = function.child.try_wait().unwrap() {
                panic!("the function ended with {status}: {}", function.stop());
            }
            assert!(
                started.elapsed() < TIMEOUT,
                "no answer: {}",
                function.stop()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How often the function has asked for an event.
    pub(crate) async fn polls(&self) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests
            .iter()
            .filter(|request| request.method == "GET")
            .count()
    }

    pub(crate) async fn answers(&self) -> Vec<Answer> {
        let requests = self.server.received_requests().await.unwrap();
        requests
            .iter()
            .filter(|request| request.method == "POST")
            .map(answer)
            .collect()
    }
}

fn answer(request: &Request) -> Answer {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    if request.url.path().ends_with("/response") {
        return Answer::Response(body);
    }
    Answer::Error {
        kind: body["errorType"].as_str().unwrap().to_owned(),
        message: body["errorMessage"].as_str().unwrap().to_owned(),
    }
}

/// A running function program.
pub(crate) struct Function {
    pub(crate) child: Child,
    environment: Vec<(String, String)>,
    /// Threads that read its output all the time: a full pipe would block the function.
    written: Vec<JoinHandle<String>>,
}

impl Function {
    pub(crate) fn start(program: &str, runtime_api: &str, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
            .env("AWS_LAMBDA_FUNCTION_NAME", "parrot")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            // Only tests with a fake AWS switch enrichment on.
            .env("ENRICH", "false")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let written = vec![
            read(child.stdout.take().unwrap()),
            read(child.stderr.take().unwrap()),
        ];
        let environment = environment.iter();
        let environment =
            environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            child,
            environment: environment.collect(),
            written,
        }
    }

    /// Ends the function and returns its log.
    pub(crate) fn stop(&mut self) -> String {
        // It may have ended already. This is no error here.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let written = self.written.drain(..);
        let log: String = written.map(|it| it.join().unwrap()).collect();
        assert_no_secrets(&self.environment, &log);
        log
    }
}

fn read(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}

/// The peak memory of a process so far, in kB.
pub(crate) fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    figure.unwrap_or(0)
}
