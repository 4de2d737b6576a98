//! However `redrive` ends: what it holds is returned to the queue, and its status says whether anything is left.

use std::collections::{BTreeSet, VecDeque};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::chat::{chat, ok, texts, webhook};
use crate::events;
use crate::fake_aws::REGION;
use crate::runtime_api::TIMEOUT;
use crate::tools;

/// A queue in which everything can be seen: what is waiting, what is hidden, what was deleted.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    waiting: VecDeque<(String, String)>,
    hidden: Vec<(String, String)>,
    deleted: BTreeSet<String>,
    receives: usize,
    /// The receive that fails, counted from 1.
    failing: Option<usize>,
    /// Hidden messages come back before the next one is handed out, so often.
    impatient: usize,
    delay: Duration,
    /// Messages that another reader holds.
    elsewhere: usize,
    /// A call that is refused each time.
    refused: Option<&'static str>,
}

impl Queue {
    async fn serve(&self) -> MockServer {
        let server = MockServer::start().await;
        let mock = Mock::given(method("POST")).respond_with(self.clone());
        mock.mount(&server).await;
        server
    }

    fn of(bodies: &[(&str, String)]) -> Self {
        let queue = Self::default();
        let waiting = bodies
            .iter()
            .map(|(id, body)| ((*id).to_owned(), body.clone()));
        queue.state().waiting = waiting.collect();
        queue
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn deleted(&self) -> Vec<String> {
        self.state().deleted.iter().cloned().collect()
    }

    /// Nothing is hidden any more, and these can be seen.
    fn left(&self) -> Vec<String> {
        let state = self.state();
        assert_eq!(state.hidden, [], "messages stay hidden");
        let mut left: Vec<_> = state.waiting.iter().map(|(id, _)| id.clone()).collect();
        left.sort();
        left
    }
}

impl Respond for Queue {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let target = request.headers["x-amz-target"].to_str().unwrap();
        let mut state = self.state();
        let take = |state: &mut State| {
            let handle = body["ReceiptHandle"].as_str().unwrap();
            let place = state.hidden.iter().position(|(id, _)| id == handle);
            state
                .hidden
                .remove(place.unwrap_or_else(|| panic!("{handle} is not held")))
        };
        let call = target.split_once('.').unwrap().1;
        if state.refused == Some(call) {
            let denied =
                json!({"__type": "com.amazonaws.sqs#AccessDeniedException", "message": "no"});
            return ResponseTemplate::new(403).set_body_json(denied);
        }
        let answer = match call {
            "GetQueueAttributes" => {
                json!({"Attributes": {
                    "ApproximateNumberOfMessages": state.waiting.len().to_string(),
                    "ApproximateNumberOfMessagesNotVisible":
                        (state.hidden.len() + state.elsewhere).to_string(),
                }})
            }
            "ReceiveMessage" => {
                state.receives += 1;
                if state.failing == Some(state.receives) {
                    let denied = json!({"__type": "com.amazonaws.sqs#AccessDeniedException", "message": "no"});
                    return ResponseTemplate::new(403).set_body_json(denied);
                }
                if state.impatient > 0 && !state.hidden.is_empty() {
                    state.impatient -= 1;
                    let back = state.hidden.remove(0);
                    state.waiting.push_front(back);
                }
                let next = state.waiting.pop_front();
                state.hidden.extend(next.clone());
                let messages = next
                    .map(|(id, body)| json!({"MessageId": id, "ReceiptHandle": id, "Body": body}));
                let answer = json!({"Messages": messages.into_iter().collect::<Vec<_>>()});
                return ResponseTemplate::new(200)
                    .set_delay(state.delay)
                    .set_body_json(answer);
            }
            "DeleteMessage" => {
                let (id, _) = take(&mut state);
                state.deleted.insert(id);
                json!({})
            }
            "ChangeMessageVisibility" => {
                assert_eq!(body["VisibilityTimeout"], 0);
                let back = take(&mut state);
                state.waiting.push_back(back);
                json!({})
            }
            other => panic!("{other} is not played"),
        };
        ResponseTemplate::new(200).set_body_json(answer)
    }
}

fn good() -> String {
    events::sample("task_stopped-out-of-memory").to_string()
}

fn dropped() -> String {
    events::sample("service_action-service-steady-state").to_string()
}

fn bad() -> String {
    "{ no JSON".to_owned()
}

fn redrive(queue: &MockServer, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"));
    command
        .args([
            "redrive",
            "--region",
            REGION,
            "--queue",
            "https://sqs.eu-west-1.amazonaws.com/210987654321/letters",
        ])
        .args(arguments)
        .env_clear()
        .env("AWS_ENDPOINT_URL", queue.uri())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

async fn output_of(child: Child) -> Output {
    tokio::task::spawn_blocking(|| child.wait_with_output().unwrap())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_failed_receive_returns_what_is_held() {
    let queue = Queue::of(&[("a", bad()), ("b", good()), ("c", good())]);
    queue.state().failing = Some(3);
    let (server, slack) = (queue.serve().await, chat(ok()).await);
    let webhook = webhook(&slack);
    let output = output(redrive(
        &server,
        &["--local"],
        &[("SLACK_WEBHOOKURL", &webhook)],
    ))
    .await;
    let said = tools::told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("1 told, 0 dropped, 1 kept"), "{said}");
    assert!(said.contains("ReceiveMessage"), "{said}");
    assert!(said.contains("the queue may hold more"), "{said}");
    assert_eq!(queue.deleted(), ["b"]);
    assert_eq!(queue.left(), ["a", "c"]);
}

/// Whoever reads no further has not asked to have the rest told where nobody sees it.
#[tokio::test]
async fn a_closed_pipe_returns_what_is_held() {
    let all = [("a", bad()), ("b", bad()), ("c", dropped()), ("d", good())];
    for arguments in [&["--dry-run"][..], &["--local"]] {
        let queue = Queue::of(&all);
        let (server, slack) = (queue.serve().await, chat(ok()).await);
        let webhook = webhook(&slack);
        let mut command = redrive(&server, arguments, &[("SLACK_WEBHOOKURL", &webhook)]);
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = output_of(child).await;
        let said = tools::told(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("standard output"), "{said}");
        assert!(said.contains("the queue may hold more"), "{said}");
        assert_eq!(queue.deleted(), [""; 0]);
        assert_eq!(queue.left(), ["a", "b", "c", "d"]);
    }
}

/// A function that takes its time, and how often it was asked.
async fn slow_function(delay: Duration) -> MockServer {
    chat(
        ResponseTemplate::new(200)
            .set_delay(delay)
            .set_body_string("null"),
    )
    .await
}

async fn asked(function: &MockServer) {
    let started = Instant::now();
    while function.received_requests().await.unwrap().is_empty() {
        assert!(started.elapsed() < TIMEOUT, "the function was not asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

/// The message at hand comes to its end, and all else is where it was.
#[tokio::test]
async fn a_signal_returns_what_is_held() {
    // Where the tests themselves run under `nohup`, so do the programs that they start.
    let hup = (!ignores_hup()).then_some(("-HUP", 129));
    for (name, status) in [("-INT", 130), ("-TERM", 143)].into_iter().chain(hup) {
        let queue = Queue::of(&[("a", bad()), ("b", good()), ("c", good())]);
        let (server, function) = (
            queue.serve().await,
            slow_function(Duration::from_secs(1)).await,
        );
        let url = function.uri();
        let variables = [("AWS_ENDPOINT_URL_LAMBDA", url.as_str())];
        let mut command = redrive(&server, &["--function", "parrot"], &variables);
        let child = command.spawn().unwrap();
        asked(&function).await;
        signal(&child, name);
        let output = output_of(child).await;
        let said = tools::told(&output);
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains("the queue may hold more"), "{said}");
        assert_eq!(queue.deleted(), ["b"], "{said}");
        assert_eq!(queue.left(), ["a", "c"]);
    }
}

/// `SigIgn` is a mask in hexadecimal digits, SIGHUP its lowest bit.
fn ignores_hup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

/// Who asks twice does not wait for a quarter of an hour.
#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let queue = Queue::of(&[("a", good()), ("b", good())]);
    let (server, function) = (queue.serve().await, slow_function(TIMEOUT).await);
    let url = function.uri();
    let variables = [("AWS_ENDPOINT_URL_LAMBDA", url.as_str())];
    let mut command = redrive(&server, &["--function", "parrot"], &variables);
    let started = Instant::now();
    let child = command.spawn().unwrap();
    asked(&function).await;
    signal(&child, "-INT");
    tokio::time::sleep(Duration::from_millis(300)).await;
    signal(&child, "-INT");
    let output = output_of(child).await;
    assert_eq!(output.status.code(), Some(130), "{}", tools::told(&output));
    assert!(started.elapsed() < TIMEOUT);
    assert_eq!(queue.deleted(), [""; 0]);
    assert_eq!(queue.left(), ["a", "b"]);
}

/// A message that is on its way when the signal comes would be hidden, and nobody would know of it.
#[tokio::test]
async fn a_signal_while_the_queue_is_asked_loses_no_message() {
    let queue = Queue::of(&[("a", good())]);
    queue.state().delay = Duration::from_secs(2);
    let server = queue.serve().await;
    let mut command = redrive(&server, &["--dry-run"], &[]);
    let child = command.spawn().unwrap();
    let started = Instant::now();
    while queue.state().receives == 0 {
        assert!(started.elapsed() < TIMEOUT, "the queue was not asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    signal(&child, "-INT");
    let output = output_of(child).await;
    assert_eq!(output.status.code(), Some(130), "{}", tools::told(&output));
    assert_eq!(queue.left(), ["a"]);
}

/// What was kept comes again before others were seen: they are told all the same.
#[tokio::test]
async fn a_message_that_comes_again_does_not_end_it() {
    let queue = Queue::of(&[("a", bad()), ("b", good()), ("c", dropped()), ("d", good())]);
    queue.state().impatient = 3;
    let (server, slack) = (queue.serve().await, chat(ok()).await);
    let webhook = webhook(&slack);
    let output = output(redrive(
        &server,
        &["--local"],
        &[("SLACK_WEBHOOKURL", &webhook)],
    ))
    .await;
    let said = tools::told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    // The second of the two is the same stop.
    assert!(said.contains("1 told, 2 dropped, 1 kept"), "{said}");
    assert_eq!(queue.deleted(), ["b", "c", "d"]);
    assert_eq!(queue.left(), ["a"]);
    assert_eq!(texts(&slack).await.len(), 1);
}

/// Not for ever, where a queue hands out the same again and again.
#[tokio::test]
async fn a_queue_that_hides_nothing_ends_it() {
    let queue = Queue::of(&[("a", bad())]);
    queue.state().impatient = usize::MAX;
    let server = queue.serve().await;
    let output = output(redrive(&server, &["--dry-run"], &[])).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(queue.left(), ["a"]);
}

/// All was dealt with: what was dropped is counted as that, and nothing is left.
#[tokio::test]
async fn what_is_dropped_is_not_told() {
    for (arguments, totals) in [
        (
            &["--dry-run"][..],
            "1 would be told, 2 would be dropped, 0 kept",
        ),
        (
            &["--dry-run", "--local"],
            "1 would be told, 2 would be dropped, 0 kept",
        ),
        (&["--local"], "1 told, 2 dropped, 0 kept"),
    ] {
        let queue = Queue::of(&[("a", dropped()), ("b", good()), ("c", dropped())]);
        let (server, slack) = (queue.serve().await, chat(ok()).await);
        let webhook = webhook(&slack);
        let output = output(redrive(
            &server,
            arguments,
            &[("SLACK_WEBHOOKURL", &webhook)],
        ))
        .await;
        let said = tools::told(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains(totals), "{said}");
        assert!(said.contains("a: dropped as steady_state"), "{said}");
        let is_dry = arguments.contains(&"--dry-run");
        assert_eq!(queue.deleted().is_empty(), is_dry);
        assert_eq!(texts(&slack).await.is_empty(), is_dry);
    }
}

/// A dry run of what could not be done says so, and shows the messages all the same.
#[tokio::test]
async fn a_dry_run_from_here_says_what_is_missing() {
    let queue = Queue::of(&[("a", good())]);
    let server = queue.serve().await;
    let output = output(redrive(&server, &["--dry-run", "--local"], &[])).await;
    let said = tools::told(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("without --dry-run this ends at once: no channel"),
        "{said}"
    );
    assert!(said.contains("1 would be told"), "{said}");
}

/// What cannot be returned is not called returned: how many stay hidden, until when, and why.
#[tokio::test]
async fn what_could_not_be_returned_is_said() {
    for failing in [None, Some(4)] {
        let queue = Queue::of(&[("a", bad()), ("b", good()), ("c", bad())]);
        queue.state().refused = Some("ChangeMessageVisibility");
        queue.state().failing = failing;
        let (server, slack) = (queue.serve().await, chat(ok()).await);
        let webhook = webhook(&slack);
        let variables = [("SLACK_WEBHOOKURL", webhook.as_str())];
        let output = output(redrive(&server, &["--local"], &variables)).await;
        let said = tools::told(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("2 could not be returned and stay hidden until "),
            "{said}"
        );
        assert!(said.contains("ChangeMessageVisibility"), "{said}");
        assert!(!said.contains("was returned"), "{said}");
        assert!(!said.contains("another reader"), "{said}");
    }
}

/// Whoever shall delete them must know which.
#[tokio::test]
async fn what_could_not_be_deleted_is_named() {
    let queue = Queue::of(&[("a", good()), ("b", dropped())]);
    queue.state().refused = Some("DeleteMessage");
    let (server, slack) = (queue.serve().await, chat(ok()).await);
    let webhook = webhook(&slack);
    let variables = [("SLACK_WEBHOOKURL", webhook.as_str())];
    let output = output(redrive(&server, &["--local"], &variables)).await;
    let said = tools::told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("told again: a, b"), "{said}");
    assert!(said.contains("DeleteMessage"), "{said}");
    assert_eq!(queue.left(), ["a", "b"]);
}

/// A queue that seems to be empty is not, where somebody else holds messages.
#[tokio::test]
async fn what_another_reader_hides_is_said() {
    let queue = Queue::of(&[("a", good())]);
    queue.state().elsewhere = 7;
    let (server, slack) = (queue.serve().await, chat(ok()).await);
    let webhook = webhook(&slack);
    let variables = [("SLACK_WEBHOOKURL", webhook.as_str())];
    let output = output(redrive(&server, &["--local"], &variables)).await;
    let said = tools::told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(
            "7 messages are hidden by another reader or an earlier run; run redrive again when they are visible"
        ),
        "{said}"
    );
    assert_eq!(queue.deleted(), ["a"]);
}
