//! `ecs-parrot notify` at a terminal and in a pipe: what it prints while it waits, how it ends, and its exit status.

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

/// The totals count posted, dropped and failed events. A file without an event counts as failed.
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
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.ends_with("1 posted, 1 dropped, 1 failed, 1 not urgent enough for any channel\n"),
        "{stderr}"
    );
}

/// `notify` reports a long wait to the user at the terminal.
#[tokio::test]
async fn notify_reports_that_it_waits() {
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
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert!(
        stderr.contains("slack: 429 Too Many Requests; trying again in 1 s"),
        "{stderr}"
    );
    assert!(
        stderr.ends_with("1 posted, 0 dropped, 0 failed\n"),
        "{stderr}"
    );
}

/// A reader may close the pipe early. Events that were not sent because of this are still a failure.
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
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.contains("not sent because standard output was closed"),
            "{stderr}"
        );
    }
}

/// A preview sends nothing, so a closed pipe is no failure.
#[test]
fn preview_succeeds_where_the_pipe_is_closed() {
    let mut command = ecs_parrot(&["preview", "samples"]);
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
