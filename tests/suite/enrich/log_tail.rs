//! The log tail of a container that failed: it is shown only where it is configured, and masked text is never shown.

use serde_json::{Value, json};

use super::{STREAM, TASK, account, notify, report, task};
use crate::fake_aws::{FakeAws, Refusal, arn};

async fn crashed(lines: &[&str]) -> FakeAws {
    let aws = account().await;
    let mut shown = task(TASK, &arn("task-definition/report:1"));
    shown["containers"][0] = json!({"name": "report-nightly", "exitCode": 1});
    aws.described(TASK, shown);
    aws.log_stream("/ecs/report", STREAM, lines);
    aws
}

fn crash() -> Value {
    let mut event = report();
    event["detail"]["requestParameters"]["containers"][0]["exitCode"] = json!(1);
    event
}

#[tokio::test]
async fn off_by_default() {
    let aws = crashed(&["secret"]).await;
    for variables in [&[][..], &[("LOG_TAIL_LINES", "0")]] {
        let run = notify(&aws, vec![crash()], variables).await;
        assert!(!run.messages[0].contains("secret"), "{}", run.messages[0]);
    }
    assert_eq!(aws.bodies("GetLogEvents").len(), 0);
}

#[tokio::test]
async fn the_last_lines_masked_in_a_block() {
    let aws = crashed(&[
        "first",
        "\u{1b}[31mERROR\u{1b}[0m connect postgres://report:hunter2@db <!channel> `x` ```",
        "  at main\u{7}.rs:7\u{202e}\nTOKEN=abc123",
        "*bye* _now_ &lt;",
    ])
    .await;
    let variables = [
        ("LOG_TAIL_LINES", "3"),
        ("LOG_TAIL_MASK", "(?i)token=\\S+\n://[^@]+@"),
    ];
    let run = notify(&aws, vec![crash()], &variables).await;
    let message = &run.messages[0];
    let (_, block) = message
        .split_once("*Last log lines of* `report-nightly`:\n")
        .unwrap();
    let (block, _) = block.split_once("\n```").unwrap();
    assert_eq!(
        block, "```\n  at main.rs:7\n•••\n*bye* _now_ &amp;lt;",
        "{message}"
    );
    assert!(!message.contains("hunter2") && !run.log.contains("hunter2"));
    assert!(!message.contains("abc123") && !run.log.contains("abc123"));
    let asked = &aws.bodies("GetLogEvents")[0];
    assert_eq!(asked["limit"], 3);
    assert_eq!(asked["startFromHead"], false);
    assert_eq!(asked["logStreamName"], STREAM);
}

/// The log tail is too long for the channel. Its end is shown, and the rest of the message stays complete.
#[tokio::test]
async fn the_log_tail_is_cut_to_the_channels_limit() {
    let lines: Vec<_> = (0..50)
        .map(|number| format!("{number} {}", "&".repeat(200)))
        .collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let aws = crashed(&lines).await;
    let run = notify(&aws, vec![crash()], &[("LOG_TAIL_LINES", "50")]).await;
    let message = &run.messages[0];
    assert!(message.contains("\n49 &amp;"), "{message}");
    assert!(!message.contains("\n40 &amp;"), "{message}");
    assert!(message.contains("*Open*"), "{message}");
    assert_eq!(message.matches("```").count(), 2, "{message}");
}

/// A page may hold a megabyte. Only a bounded part of it is read, and a line that is too long is left out.
#[tokio::test]
async fn a_very_long_line_is_left_out() {
    let long = "x".repeat(200_000);
    let aws = crashed(&["before", &long, "after"]).await;
    let run = notify(&aws, vec![crash()], &[("LOG_TAIL_LINES", "5")]).await;
    let message = &run.messages[0];
    assert!(
        message.contains("\nafter\n") && !message.contains("xxx"),
        "{message}"
    );
    let long = format!("{} end", "y".repeat(3_000));
    let aws = crashed(&[&long]).await;
    let run = notify(&aws, vec![crash()], &[("LOG_TAIL_LINES", "5")]).await;
    assert!(
        run.messages[0].contains("yyy") && !run.messages[0].contains("end"),
        "{}",
        run.messages[0]
    );
}

/// The log contains the cause, which is in no event.
#[tokio::test]
async fn the_log_tail_explains_the_stop() {
    let aws = crashed(&["exec /bin/report: exec format error"]).await;
    let run = notify(&aws, vec![crash()], &[("LOG_TAIL_LINES", "5")]).await;
    let headline = run.messages[0].lines().next().unwrap();
    assert!(
        headline.ends_with("its image is built for another CPU architecture"),
        "{headline}"
    );
}

#[tokio::test]
async fn without_log_lines_there_is_no_block() {
    let aws = crashed(&[]).await;
    let run = notify(&aws, vec![crash()], &[("LOG_TAIL_LINES", "5")]).await;
    assert!(
        !run.messages[0].contains("Last log lines"),
        "{}",
        run.messages[0]
    );
    assert!(!run.log.contains("messages lack"), "{}", run.log);

    // A missing log group is a mistake of the configuration, so that it is logged.
    let aws = account().await;
    let mut shown = task(TASK, &arn("task-definition/report:1"));
    shown["containers"][0] = json!({"name": "report-nightly", "exitCode": 1});
    aws.described(TASK, shown);
    let run = notify(&aws, vec![crash()], &[("LOG_TAIL_LINES", "5")]).await;
    assert!(run.log.contains("log group does not exist"), "{}", run.log);

    let aws = crashed(&["something"]).await;
    let denied = Refusal::new(
        "AccessDeniedException",
        "User is not authorized to perform it",
    );
    aws.refuse("GetLogEvents", 9, &denied);
    let run = notify(&aws, vec![crash()], &[("LOG_TAIL_LINES", "5")]).await;
    assert!(
        !run.messages[0].contains("Last log lines"),
        "{}",
        run.messages[0]
    );
    assert!(run.log.contains("messages lack"), "{}", run.log);
}
