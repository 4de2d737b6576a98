//! `ecs-parrot notify` at a terminal and in a pipe: what it says while it waits, how it ends, and what its status means.

use std::process::{Command, Stdio};

use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::chat::{chat, ok};

fn ecs_parrot(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"));
    command
        .args(arguments)
        .env_clear()
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What was posted, what was dropped and what failed, files that hold no event among it.
#[tokio::test]
async fn notify_ends_with_totals() {
    let server = chat(ok()).await;
    let uri = format!("{}/hook", server.uri());
    let output = tokio::task::spawn_blocking(move || {
        ecs_parrot(&[
            "notify",
            "samples/stop_task-by-iam-user.json",
            "samples/task_stopped-scaled-in-exit-0.json",
            "samples/service_changed-update.json",
            "Cargo.toml",
        ])
        .env("SLACK_WEBHOOKURL", &uri)
        .env("SLACK_QUIET", "true")
        .output()
        .unwrap()
    })
    .await
    .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.ends_with("1 posted, 1 dropped, 1 failed, 1 not urgent enough for any channel\n"),
        "{said}"
    );
}

/// Of a wait that is longer than a moment somebody at a terminal is told.
#[tokio::test]
async fn notify_says_that_it_waits() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "1");
    Mock::given(method("POST"))
        .respond_with(busy)
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_string("ok"))
        .mount(&server)
        .await;
    let uri = format!("{}/hook", server.uri());
    let output = tokio::task::spawn_blocking(move || {
        ecs_parrot(&["notify", "samples/stop_task-by-iam-user.json"])
            .env("SLACK_WEBHOOKURL", &uri)
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("slack: 429 Too Many Requests; trying again in 1 s"),
        "{said}"
    );
    assert!(said.ends_with("1 posted, 0 dropped, 0 failed\n"), "{said}");
}

/// Whoever reads no further has seen enough, but what was not sent is no success.
#[tokio::test]
async fn notify_fails_where_a_closed_pipe_leaves_events_unsent() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_string("ok"))
        .mount(&server)
        .await;
    for uri in [Some(format!("{}/hook", server.uri())), None] {
        let files = ["by-iam-user", "by-root", "by-sso-person"]
            .map(|who| format!("samples/stop_task-{who}.json"));
        let mut arguments = vec!["notify"];
        arguments.extend(files.iter().map(String::as_str));
        let mut command = ecs_parrot(&arguments);
        command.envs(uri.as_ref().map(|uri| ("SLACK_WEBHOOKURL", uri)));
        let output = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            drop(child.stdout.take());
            child.wait_with_output().unwrap()
        })
        .await
        .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("not sent because standard output was closed"),
            "{said}"
        );
    }
}

/// A preview leaves nothing undone.
#[test]
fn preview_may_be_cut_short() {
    let mut command = ecs_parrot(&["preview", "samples"]);
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
