//! The last lines of a container that failed: only where they are wanted, and never what is masked.

use serde_json::{Value, json};

use super::{STREAM, TASK, account, report, task, tell};
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
        let told = tell(&aws, vec![crash()], variables).await;
        assert!(!told.messages[0].contains("secret"), "{}", told.messages[0]);
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
    let told = tell(&aws, vec![crash()], &variables).await;
    let message = &told.messages[0];
    let (_, block) = message
        .split_once("*Last log lines of* `report-nightly`:\n")
        .unwrap();
    let (block, _) = block.split_once("\n```").unwrap();
    assert_eq!(
        block, "```\n  at main.rs:7\n•••\n*bye* _now_ &amp;lt;",
        "{message}"
    );
    assert!(!message.contains("hunter2") && !told.log.contains("hunter2"));
    assert!(!message.contains("abc123") && !told.log.contains("abc123"));
    let asked = &aws.bodies("GetLogEvents")[0];
    assert_eq!(asked["limit"], 3);
    assert_eq!(asked["startFromHead"], false);
    assert_eq!(asked["logStreamName"], STREAM);
}

/// A monster of a line, or too many of them: the end is what counts, and the rest of the message stays.
#[tokio::test]
async fn cut_to_what_the_channel_takes() {
    let lines: Vec<_> = (0..50)
        .map(|number| format!("{number} {}", "&".repeat(200)))
        .collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let aws = crashed(&lines).await;
    let told = tell(&aws, vec![crash()], &[("LOG_TAIL_LINES", "50")]).await;
    let message = &told.messages[0];
    assert!(message.contains("\n49 &amp;"), "{message}");
    assert!(!message.contains("\n40 &amp;"), "{message}");
    assert!(message.contains("*Open*"), "{message}");
    assert_eq!(message.matches("```").count(), 2, "{message}");
}

/// A page may hold a megabyte: what is looked at of it is bounded, and a monster is left out whole.
#[tokio::test]
async fn a_monster_of_a_line_is_left_out() {
    let monster = "x".repeat(200_000);
    let aws = crashed(&["before", &monster, "after"]).await;
    let told = tell(&aws, vec![crash()], &[("LOG_TAIL_LINES", "5")]).await;
    let message = &told.messages[0];
    assert!(
        message.contains("\nafter\n") && !message.contains("xxx"),
        "{message}"
    );
    let long = format!("{} end", "y".repeat(3_000));
    let aws = crashed(&[&long]).await;
    let told = tell(&aws, vec![crash()], &[("LOG_TAIL_LINES", "5")]).await;
    assert!(
        told.messages[0].contains("yyy") && !told.messages[0].contains("end"),
        "{}",
        told.messages[0]
    );
}

/// The log says what no event does.
#[tokio::test]
async fn last_words_explain() {
    let aws = crashed(&["exec /bin/report: exec format error"]).await;
    let told = tell(&aws, vec![crash()], &[("LOG_TAIL_LINES", "5")]).await;
    let headline = told.messages[0].lines().next().unwrap();
    assert!(
        headline.ends_with("its image is built for another CPU architecture"),
        "{headline}"
    );
}

#[tokio::test]
async fn no_words_no_block() {
    let aws = crashed(&[]).await;
    let told = tell(&aws, vec![crash()], &[("LOG_TAIL_LINES", "5")]).await;
    assert!(
        !told.messages[0].contains("Last log lines"),
        "{}",
        told.messages[0]
    );
    assert!(!told.log.contains("messages lack"), "{}", told.log);

    // A whole group that is not there is somebody's mistake.
    let aws = account().await;
    let mut shown = task(TASK, &arn("task-definition/report:1"));
    shown["containers"][0] = json!({"name": "report-nightly", "exitCode": 1});
    aws.described(TASK, shown);
    let told = tell(&aws, vec![crash()], &[("LOG_TAIL_LINES", "5")]).await;
    assert!(
        told.log.contains("log group does not exist"),
        "{}",
        told.log
    );

    let aws = crashed(&["something"]).await;
    let denied = Refusal::new(
        "AccessDeniedException",
        "User is not authorized to perform it",
    );
    aws.refuse("GetLogEvents", 9, &denied);
    let told = tell(&aws, vec![crash()], &[("LOG_TAIL_LINES", "5")]).await;
    assert!(
        !told.messages[0].contains("Last log lines"),
        "{}",
        told.messages[0]
    );
    assert!(told.log.contains("messages lack"), "{}", told.log);
}
