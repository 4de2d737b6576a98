//! Test messages: `ecs-parrot send-test`, and the same as a payload of the function.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::chat::{SECRET, chat, messages, ok, texts, webhook};
use crate::runtime_api::{Answer, RuntimeApi};

const NO_SERVICE: &str = "404 no_service: the webhook was removed, or its address is incomplete: make a webhook and store its address";

/// Two channels: one that works, and one whose webhook is gone.
async fn channels() -> ([MockServer; 2], String) {
    let working = chat(ok()).await;
    let gone = chat(ResponseTemplate::new(404).set_body_string("no_service")).await;
    let list = json!([
        {"name": "ops", "type": "slack", "url": webhook(&working), "mention": "<!here>"},
        {"name": "old", "type": "slack", "url": webhook(&gone), "minimum": "urgent"},
    ]);
    ([working, gone], list.to_string())
}

/// Runs `ecs-parrot send-test`.
pub(crate) async fn run(arguments: &'static [&str], channels: Option<String>) -> Output {
    let run = move || {
        Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
            .arg("send-test")
            .args(arguments)
            .env_clear()
            .envs(channels.map(|it| ("CHANNELS", it)))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// What a stream says. It never shows a secret.
pub(crate) fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(!text.contains(SECRET), "{text}");
    text
}

#[tokio::test]
async fn each_channel_gets_one_message_and_one_line() {
    let ([working, _gone], list) = channels().await;
    let output = run(&[], Some(list)).await;
    // The order is that of the answers.
    let printed = text(&output.stdout);
    let mut lines: Vec<_> = printed.lines().collect();
    lines.sort_unstable();
    let expected = [
        format!("old (slack): not delivered: {NO_SERVICE}"),
        "ops (slack): delivered".to_owned(),
    ];
    assert_eq!(lines, expected, "{output:?}");
    assert_eq!(output.status.code(), Some(1));
    let [message] = &messages(&working).await[..] else {
        panic!("not one message");
    };
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines[0], "⚪ Test message of ecs-parrot");
    assert_eq!(
        lines[1],
        "*What*: nothing happened; this message shows that the channel works"
    );
    assert_eq!(lines[2], "*Channel*: ops, of type slack");
    assert_eq!(lines[3], "*Sent by*: ecs-parrot send-test, by hand");
    assert!(lines[4].starts_with("*When*: 20"), "{message}");
}

#[tokio::test]
async fn one_channel_is_tested_by_its_name() {
    let ([working, _gone], list) = channels().await;
    let output = run(&["--channel", "ops"], Some(list)).await;
    assert_eq!(
        text(&output.stdout),
        "ops (slack): delivered\n",
        "{output:?}"
    );
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(texts(&working).await.len(), 1);
}

#[tokio::test]
async fn an_unknown_channel_is_an_error_and_nothing_is_sent() {
    for (name, error) in [
        (
            "--channel=opps",
            "there is no channel `opps`; did you mean `ops`?",
        ),
        (
            "--channel=elsewhere",
            "there is no channel `elsewhere`; allowed: ops, old",
        ),
    ] {
        let ([working, _gone], list) = channels().await;
        let output = run(Box::leak(Box::new([name])), Some(list)).await;
        assert_eq!(text(&output.stderr), format!("ecs-parrot: {error}\n"));
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(texts(&working).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn without_a_channel_the_message_is_printed() {
    let output = run(&[], None).await;
    let printed = text(&output.stdout);
    assert!(
        printed.starts_with("⚪ Test message of ecs-parrot\n"),
        "{printed}"
    );
    let note = text(&output.stderr);
    assert!(note.contains("no channel is configured here"), "{note}");
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn a_configured_terminal_gets_the_message_without_a_note() {
    let list = json!([{"name": "here", "type": "terminal"}]);
    let output = run(&[], Some(list.to_string())).await;
    let printed = text(&output.stdout);
    assert!(
        printed.contains("Channel: here, of type terminal"),
        "{printed}"
    );
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

/// The first channel of the list answers last.
#[tokio::test]
async fn a_result_is_printed_when_it_is_known() {
    let slow = chat(ok().set_delay(Duration::from_secs(2))).await;
    let fast = chat(ok()).await;
    let list = json!([
        {"name": "slow", "type": "slack", "url": webhook(&slow)},
        {"name": "fast", "type": "slack", "url": webhook(&fast)},
    ]);
    let output = run(&[], Some(list.to_string())).await;
    let expected = "fast (slack): delivered\nslow (slack): delivered\n";
    assert_eq!(text(&output.stdout), expected, "{output:?}");
}

fn busy(seconds: &str) -> ResponseTemplate {
    ResponseTemplate::new(429).insert_header("retry-after", seconds)
}

#[tokio::test]
async fn a_wait_is_said_before_it_begins() {
    let server = MockServer::start().await;
    let once = Mock::given(method("POST")).respond_with(busy("1"));
    once.up_to_n_times(1).mount(&server).await;
    Mock::given(method("POST"))
        .respond_with(ok())
        .mount(&server)
        .await;
    let list = json!([{"name": "ops", "type": "slack", "url": webhook(&server)}]);
    let output = run(&[], Some(list.to_string())).await;
    let said = text(&output.stderr);
    assert!(
        said.starts_with("ecs-parrot: ops: 429 Too Many Requests; trying again in 1."),
        "{said}"
    );
    assert_eq!(text(&output.stdout), "ops (slack): delivered\n");
    assert_eq!(output.status.code(), Some(0));
}

/// Nobody waits at a terminal for as long as this chat wants.
#[tokio::test]
async fn a_long_wait_is_not_begun() {
    let server = chat(busy("31")).await;
    let list = json!([{"name": "ops", "type": "slack", "url": webhook(&server)}]);
    let output = run(&[], Some(list.to_string())).await;
    let expected = "ops (slack): not delivered: 429 Too Many Requests: the service accepts no more messages for now: try again later\n";
    assert_eq!(text(&output.stdout), expected, "{output:?}");
    assert_eq!(text(&output.stderr), "");
    assert_eq!(texts(&server).await.len(), 1);
}

#[tokio::test]
async fn what_may_pass_says_what_to_do_only_at_the_end() {
    let server = chat(ResponseTemplate::new(500)).await;
    let list = json!([{"name": "ops", "type": "slack", "url": webhook(&server)}]);
    let output = run(&[], Some(list.to_string())).await;
    let expected = "ops (slack): not delivered: 500 Internal Server Error: the service has a problem: try again later\n";
    assert_eq!(text(&output.stdout), expected, "{output:?}");
    let said = text(&output.stderr);
    assert_eq!(said.lines().count(), 4, "{said}");
    assert!(!said.contains("the service has a problem"), "{said}");
    assert_eq!(texts(&server).await.len(), 5);
}

#[tokio::test]
async fn the_function_sends_and_answers_what_came_of_it() {
    let ([working, _gone], list) = channels().await;
    let of = |detail: Value| json!({"source": "ecs-parrot", "detail-type": "Send Test", "detail": detail});
    let payloads = vec![
        of(json!({})),
        of(json!({"channel": "opps"})),
        of(json!({"channel": 7})),
    ];
    let api = RuntimeApi::with(payloads).await;
    let (answers, log) = api.run(&[("CHANNELS", &list)]).await;
    let result = |channel: &str, status: &str, error: Option<&str>| json!({"channel": channel, "type": "slack", "status": status, "note": null, "error": error});
    let refused = |message: &str| Answer::Error {
        kind: "TestFailed".to_owned(),
        message: message.to_owned(),
    };
    let expected = [
        Answer::Response(json!({"channels": [
            result("ops", "delivered", None),
            result("old", "not_delivered", Some(NO_SERVICE)),
        ]})),
        refused("there is no channel `opps`; did you mean `ops`?"),
        refused("`detail.channel` is not the name of a channel; it must be a text, or be left out"),
    ];
    assert_eq!(answers, expected, "{log}");
    assert_eq!(texts(&working).await, ["⚪ Test message of ecs-parrot"]);
}
