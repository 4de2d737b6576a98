//! How `redrive` ends. Messages that it did not delete are returned to the queue, and its exit status shows whether any
//! are left.

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

/// A queue that shows which messages are visible, which are invisible and which were deleted.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    waiting: VecDeque<(String, String)>,
    invisible: Vec<(String, String)>,
    deleted: BTreeSet<String>,
    receives: usize,
    /// The receive that fails, counted from 1.
    failing: Option<usize>,
    /// How often an invisible message becomes visible again before the next receive.
    early_returns: usize,
    delay: Duration,
    /// How many messages another reader holds.
    of_others: usize,
    /// A call that is denied each time.
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

    /// The visible messages. No message may be invisible any more.
    fn left(&self) -> Vec<String> {
        let state = self.state();
        assert_eq!(state.invisible, [], "messages stay invisible");
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
            let place = state.invisible.iter().position(|(id, _)| id == handle);
            state
                .invisible
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
                        (state.invisible.len() + state.of_others).to_string(),
                }})
            }
            "ReceiveMessage" => {
                state.receives += 1;
                if state.failing == Some(state.receives) {
                    let denied = json!({"__type": "com.amazonaws.sqs#AccessDeniedException", "message": "no"});
                    return ResponseTemplate::new(403).set_body_json(denied);
                }
                if state.early_returns > 0 && !state.invisible.is_empty() {
                    state.early_returns -= 1;
                    let back = state.invisible.remove(0);
                    state.waiting.push_front(back);
                }
                let next = state.waiting.pop_front();
                state.invisible.extend(next.clone());
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
            other => panic!("{other} is not supported"),
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
            "https://sqs.eu-west-1.amazonaws.com/210987654321/dead-letters",
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
    let printed = tools::output_text(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("1 posted, 0 dropped, 1 kept"), "{printed}");
    assert!(printed.contains("ReceiveMessage"), "{printed}");
    assert!(
        printed.contains("the queue may contain more messages"),
        "{printed}"
    );
    assert_eq!(queue.deleted(), ["b"]);
    assert_eq!(queue.left(), ["a", "c"]);
}

/// If the output is closed, the remaining events must not be posted: nobody would see the result.
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
        let printed = tools::output_text(&output);
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert!(printed.contains("standard output"), "{printed}");
        assert!(
            printed.contains("the queue may contain more messages"),
            "{printed}"
        );
        assert_eq!(queue.deleted(), [""; 0]);
        assert_eq!(queue.left(), ["a", "b", "c", "d"]);
    }
}

/// A function that answers after a delay.
async fn slow_function(delay: Duration) -> MockServer {
    chat(
        ResponseTemplate::new(200)
            .set_delay(delay)
            .set_body_string("null"),
    )
    .await
}

async fn invoked(function: &MockServer) {
    let started = Instant::now();
    while function.received_requests().await.unwrap().is_empty() {
        assert!(started.elapsed() < TIMEOUT, "the function was not invoked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

/// The current message is finished, and all others are returned.
#[tokio::test]
async fn a_signal_returns_what_is_held() {
    // If the tests run under `nohup`, so do the programs that they start.
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
        invoked(&function).await;
        signal(&child, name);
        let output = output_of(child).await;
        let printed = tools::output_text(&output);
        assert_eq!(output.status.code(), Some(status), "{printed}");
        assert!(
            printed.contains("the queue may contain more messages"),
            "{printed}"
        );
        assert_eq!(queue.deleted(), ["b"], "{printed}");
        assert_eq!(queue.left(), ["a", "c"]);
    }
}

/// `SigIgn` is a mask in hexadecimal digits. Its lowest bit is SIGHUP.
fn ignores_hup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

/// After a second signal, a user does not have to wait up to 15 minutes.
#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let queue = Queue::of(&[("a", good()), ("b", good())]);
    let (server, function) = (queue.serve().await, slow_function(TIMEOUT).await);
    let url = function.uri();
    let variables = [("AWS_ENDPOINT_URL_LAMBDA", url.as_str())];
    let mut command = redrive(&server, &["--function", "parrot"], &variables);
    let started = Instant::now();
    let child = command.spawn().unwrap();
    invoked(&function).await;
    signal(&child, "-INT");
    tokio::time::sleep(Duration::from_millis(300)).await;
    signal(&child, "-INT");
    let output = output_of(child).await;
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        tools::output_text(&output)
    );
    assert!(started.elapsed() < TIMEOUT);
    assert_eq!(queue.deleted(), [""; 0]);
    assert_eq!(queue.left(), ["a", "b"]);
}

/// A message that is being received during a signal would stay invisible.
#[tokio::test]
async fn a_signal_during_a_receive_loses_no_message() {
    let queue = Queue::of(&[("a", good())]);
    queue.state().delay = Duration::from_secs(2);
    let server = queue.serve().await;
    let mut command = redrive(&server, &["--dry-run"], &[]);
    let child = command.spawn().unwrap();
    let started = Instant::now();
    while queue.state().receives == 0 {
        assert!(started.elapsed() < TIMEOUT, "no message was received");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    signal(&child, "-INT");
    let output = output_of(child).await;
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        tools::output_text(&output)
    );
    assert_eq!(queue.left(), ["a"]);
}

/// A kept message is received again before others: those are posted as well.
#[tokio::test]
async fn a_repeated_message_does_not_end_the_run() {
    let queue = Queue::of(&[("a", bad()), ("b", good()), ("c", dropped()), ("d", good())]);
    queue.state().early_returns = 3;
    let (server, slack) = (queue.serve().await, chat(ok()).await);
    let webhook = webhook(&slack);
    let output = output(redrive(
        &server,
        &["--local"],
        &[("SLACK_WEBHOOKURL", &webhook)],
    ))
    .await;
    let printed = tools::output_text(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    // The second event reports the same stop.
    assert!(printed.contains("1 posted, 2 dropped, 1 kept"), "{printed}");
    assert_eq!(queue.deleted(), ["b", "c", "d"]);
    assert_eq!(queue.left(), ["a"]);
    assert_eq!(texts(&slack).await.len(), 1);
}

/// The run ends if the queue delivers the same message again and again.
#[tokio::test]
async fn a_message_without_end_ends_the_run() {
    let queue = Queue::of(&[("a", bad())]);
    queue.state().early_returns = usize::MAX;
    let server = queue.serve().await;
    let output = output(redrive(&server, &["--dry-run"], &[])).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(queue.left(), ["a"]);
}

/// All messages were processed: dropped ones are counted as dropped, and none is left.
#[tokio::test]
async fn dropped_events_are_not_posted() {
    for (arguments, totals) in [
        (
            &["--dry-run"][..],
            "1 would be posted, 2 would be dropped, 0 kept",
        ),
        (
            &["--dry-run", "--local"],
            "1 would be posted, 2 would be dropped, 0 kept",
        ),
        (&["--local"], "1 posted, 2 dropped, 0 kept"),
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
        let printed = tools::output_text(&output);
        assert_eq!(output.status.code(), Some(0), "{printed}");
        assert!(printed.contains(totals), "{printed}");
        assert!(printed.contains("a: dropped as steady_state"), "{printed}");
        let is_dry = arguments.contains(&"--dry-run");
        assert_eq!(queue.deleted().is_empty(), is_dry);
        assert_eq!(texts(&slack).await.is_empty(), is_dry);
    }
}

/// A dry run says that the real run would fail, and shows the messages all the same.
#[tokio::test]
async fn a_local_dry_run_says_what_is_missing() {
    let queue = Queue::of(&[("a", good())]);
    let server = queue.serve().await;
    let output = output(redrive(&server, &["--dry-run", "--local"], &[])).await;
    let printed = tools::output_text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(
        printed.contains("without --dry-run this command would fail: no channel"),
        "{printed}"
    );
    assert!(printed.contains("1 would be posted"), "{printed}");
}

/// If messages cannot be returned, the output says how many stay invisible, until when and why.
#[tokio::test]
async fn messages_that_could_not_be_returned_are_reported() {
    for failing in [None, Some(4)] {
        let queue = Queue::of(&[("a", bad()), ("b", good()), ("c", bad())]);
        queue.state().refused = Some("ChangeMessageVisibility");
        queue.state().failing = failing;
        let (server, slack) = (queue.serve().await, chat(ok()).await);
        let webhook = webhook(&slack);
        let variables = [("SLACK_WEBHOOKURL", webhook.as_str())];
        let output = output(redrive(&server, &["--local"], &variables)).await;
        let printed = tools::output_text(&output);
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert!(
            printed.contains("2 could not be returned to the queue and stay invisible until "),
            "{printed}"
        );
        assert!(printed.contains("ChangeMessageVisibility"), "{printed}");
        assert!(!printed.contains("were returned"), "{printed}");
        assert!(!printed.contains("another reader"), "{printed}");
    }
}

/// The user must know which messages to delete.
#[tokio::test]
async fn messages_that_could_not_be_deleted_are_named() {
    let queue = Queue::of(&[("a", good()), ("b", dropped())]);
    queue.state().refused = Some("DeleteMessage");
    let (server, slack) = (queue.serve().await, chat(ok()).await);
    let webhook = webhook(&slack);
    let variables = [("SLACK_WEBHOOKURL", webhook.as_str())];
    let output = output(redrive(&server, &["--local"], &variables)).await;
    let printed = tools::output_text(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("posted again: a, b"), "{printed}");
    assert!(printed.contains("DeleteMessage"), "{printed}");
    assert_eq!(queue.left(), ["a", "b"]);
}

/// A queue that seems to be empty may not be: another reader may hold messages.
#[tokio::test]
async fn messages_of_another_reader_are_reported() {
    let queue = Queue::of(&[("a", good())]);
    queue.state().of_others = 7;
    let (server, slack) = (queue.serve().await, chat(ok()).await);
    let webhook = webhook(&slack);
    let variables = [("SLACK_WEBHOOKURL", webhook.as_str())];
    let output = output(redrive(&server, &["--local"], &variables)).await;
    let printed = tools::output_text(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains(
            "7 messages are held by another reader or an earlier run; run redrive again when they are visible"
        ),
        "{printed}"
    );
    assert_eq!(queue.deleted(), ["a"]);
}
