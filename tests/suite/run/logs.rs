//! The containers' log lines: each one once, complete and in order.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{MIGRATE, account, finish, program, run, web};
use crate::fake_aws::{FakeAws, Life, Log, Refusal};

fn line(container: &'static str, after: u64, at: i64, text: &str) -> Log {
    Log {
        container,
        after: Duration::from_millis(after),
        at,
        text: text.to_owned(),
    }
}

/// `web` with more containers, each with its log driver.
async fn account_with(containers: &[(&str, &str)]) -> FakeAws {
    let aws = account().await;
    let mut definition = web();
    for (name, driver) in containers {
        let container = json!({
            "name": name, "image": "x:1", "essential": false,
            "logConfiguration": {"logDriver": driver, "options": {"awslogs-group": "/other"}},
        });
        definition["containerDefinitions"]
            .as_array_mut()
            .unwrap()
            .push(container);
    }
    aws.definition(definition, json!([]));
    aws
}

/// 50,000 lines of three containers, from the start of the task until after its stop. Many have the same millisecond.
/// The pages have different sizes, and some are empty.
#[tokio::test]
#[ignore = "acceptance: it needs the machine for itself"]
async fn fifty_thousand_lines_of_three_containers() {
    const LINES: usize = 50_000;
    let aws = account_with(&[("proxy", "awslogs"), ("sidecar", "awslogs")]).await;
    let names = ["app", "proxy", "sidecar"];
    let mut written: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let logs = (0..LINES).map(|index| {
        let container = names[index * index % 3 % names.len()];
        let text = format!("{container} writes line {index}");
        written.entry(container).or_default().push(text.clone());
        // From the start to two seconds after the end.
        let after = index * 6_500 / LINES;
        line(
            container,
            after as u64,
            1_790_000_000_000 + (index / 50) as i64,
            &text,
        )
    });
    let life = Life {
        states: vec![("PENDING", 1), ("RUNNING", 2)],
        containers: json!({"app": {"exitCode": 9}, "proxy": {"exitCode": 0}, "sidecar": {"exitCode": 143}}),
        logs: logs.collect(),
        ..Life::default()
    };
    aws.next_task(life);
    let finished = run(&aws, MIGRATE).await;
    assert_eq!(finished.status, 9, "{}", finished.err);
    assert_eq!(finished.out.lines().count(), LINES);
    for (container, lines) in written {
        let prefix = format!("{container} | ");
        let read: Vec<_> = finished
            .out
            .lines()
            .filter_map(|it| it.strip_prefix(&prefix))
            .collect();
        assert_eq!(read, lines, "{container}");
    }
}

/// The lines of a container are printed unchanged, with colours, indentation and empty lines.
#[tokio::test]
async fn lines_are_printed_unchanged() {
    let aws = account().await;
    let texts = [
        "",
        "  indented\t",
        "\u{1b}[31mred\u{1b}[0m",
        "Umläute ✓",
        "a\nb",
        "::add-mask::x",
    ];
    let logs = texts.iter().map(|text| line("app", 0, 1, text)).collect();
    aws.next_task(Life {
        logs,
        ..Life::default()
    });
    let finished = run(&aws, MIGRATE).await;
    assert_eq!(finished.out, format!("{}\n", texts.join("\n")));
}

#[tokio::test]
async fn a_line_that_arrives_after_the_stop() {
    let aws = account().await;
    let logs = vec![line("app", 0, 1, "first"), line("app", 6_500, 2, "late")];
    aws.next_task(Life {
        logs,
        ..Life::default()
    });
    let finished = run(&aws, MIGRATE).await;
    assert_eq!(finished.out, "first\nlate\n", "{finished:?}");
}

#[tokio::test]
async fn containers_with_another_driver_are_named_once() {
    let aws = account_with(&[("router", "awsfirelens"), ("proxy", "awslogs")]).await;
    aws.next_task(Life {
        containers: json!({"app": {"exitCode": 0}, "proxy": {}, "router": {}}),
        logs: vec![line("app", 0, 1, "x"), line("proxy", 0, 2, "y")],
        ..Life::default()
    });
    let finished = run(&aws, MIGRATE).await;
    assert_eq!(finished.out, "app | x\nproxy | y\n");
    let note = "`router` uses the log driver `awsfirelens`: its lines are not shown here";
    assert_eq!(finished.err.matches(note).count(), 1, "{finished:?}");
}

#[tokio::test]
async fn lines_of_several_tasks_have_their_ids() {
    let aws = account().await;
    for text in ["one", "two"] {
        aws.next_task(Life {
            logs: vec![line("app", 0, 1, text)],
            ..Life::default()
        });
    }
    let finished = run(&aws, &format!("--count 2 {MIGRATE}")).await;
    assert_eq!(
        finished.out, "1a2b3c4d | one\n1a2b3c4d | two\n",
        "{finished:?}"
    );
}

/// The exit code does not depend on the permission to read the log.
#[tokio::test]
async fn without_permission_only_the_lines_are_missing() {
    let aws = account().await;
    aws.next_task(super::exits_with(5));
    aws.refuse(
        "GetLogEvents",
        1,
        &Refusal::new("AccessDeniedException", "no"),
    );
    let finished = run(&aws, MIGRATE).await;
    assert_eq!(finished.status, 5, "{finished:?}");
    assert_eq!(
        finished
            .err
            .matches("the log of `app` cannot be read")
            .count(),
        1
    );
    assert!(
        finished
            .err
            .contains("allow logs:GetLogEvents on log group `/ecs/web-migrate`"),
        "{finished:?}"
    );
    assert_eq!(aws.bodies("GetLogEvents").len(), 1);
}

#[tokio::test]
async fn with_json_they_go_to_standard_error() {
    let aws = account().await;
    aws.next_task(Life {
        logs: vec![line("app", 0, 1, "hello")],
        ..Life::default()
    });
    let finished = run(&aws, &format!("--output json {MIGRATE}")).await;
    let report: Value = finished.json();
    assert!(finished.err.contains("hello\n"));
    assert_eq!(report["status"], 0);
    assert_eq!(
        report["logs"],
        json!([{
            "container": "app",
            "task": "1a2b3c4d000000000000000000000000",
            "log_group": "/ecs/web-migrate",
            "log_stream": "ecs/app/1a2b3c4d000000000000000000000000",
        }])
    );
}

/// As with `| head -1`: the output is closed, but the task continues and its exit code is still needed.
#[tokio::test]
async fn a_closed_output_does_not_end_the_task() {
    let aws = account().await;
    let logs = (0..2_000)
        .map(|index| line("app", index * 3, 1, "a line"))
        .collect();
    aws.next_task(Life {
        logs,
        ..super::exits_with(4)
    });
    let mut child = program(&aws, MIGRATE).spawn().unwrap();
    drop(child.stdout.take());
    let finished = finish(child).await;
    assert_eq!(finished.status, 4, "{finished:?}");
    assert_eq!(
        finished.err.matches("lines are not shown any more").count(),
        1,
        "{finished:?}"
    );
}
