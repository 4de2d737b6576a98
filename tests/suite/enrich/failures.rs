//! AWS denies a call, does not answer, or gives an invalid answer. The message is posted all the same.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;

use super::{INSTANCE, NotifyRun, TASK, account, notify, notify_with, report};
use crate::chat::chat;
use crate::fake_aws::{FakeAws, Refusal};
use crate::runtime_api::{Answer, RuntimeApi};

/// Each call, and a text of the message that depends on it.
const CALLS: [(&str, &str); 3] = [
    ("DescribeTasks", "report in batch"),
    ("DescribeTaskDefinition", "logs of report-nightly"),
    ("DescribeContainerInstances", "instance i-0ef2883a096765cc9"),
];

/// Runs an invocation with two seconds for its work, and half a second more for its answer.
async fn notify_within_two_seconds(aws: &FakeAws) -> NotifyRun {
    let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
    let api =
        RuntimeApi::ending_after(Duration::from_millis(2_500), vec![report().to_string()]).await;
    notify_with(&slack, aws, api, &[]).await
}

/// Runs the function in an AWS account in which one call fails.
async fn run_with(fail: impl Fn(&FakeAws, &str), call: &str) -> NotifyRun {
    let aws = account().await;
    fail(&aws, call);
    let run = notify_within_two_seconds(&aws).await;
    assert_eq!(
        run.answers,
        [Answer::Response(Value::Null)],
        "{call}: {}",
        run.log
    );
    assert_eq!(run.messages.len(), 1, "{call}: {}", run.log);
    run
}

fn assert_fact_is_missing(run: &NotifyRun, call: &str, why: &str) {
    for (other, fact) in CALLS {
        // The other calls need the answer of DescribeTasks.
        let is_lost = other == call || call == "DescribeTasks";
        assert_eq!(
            !run.messages[0].contains(fact),
            is_lost,
            "{call}: {}",
            run.messages[0]
        );
    }
    let lines: Vec<_> = run
        .log
        .lines()
        .filter(|it| it.contains("messages lack"))
        .collect();
    let [line] = lines[..] else {
        panic!("{call}: {}", run.log)
    };
    assert!(
        line.contains(call) && line.contains(why),
        "{call} {why}: {line}"
    );
}

#[tokio::test]
async fn denied() {
    for (call, _) in CALLS {
        let denied = Refusal::new(
            "AccessDeniedException",
            "User is not authorized to perform it",
        );
        let run = run_with(|aws, call| aws.refuse(call, 9, &denied), call).await;
        assert_fact_is_missing(&run, call, "not authorized");
    }
}

#[tokio::test]
async fn throttled() {
    for (call, _) in CALLS {
        let run = run_with(|aws, call| aws.refuse(call, 9, &Refusal::throttled()), call).await;
        assert_fact_is_missing(&run, call, "Rate exceeded");
    }
}

/// After one throttled call there is time for a second attempt.
#[tokio::test]
async fn throttled_once() {
    for (call, fact) in CALLS {
        let run = run_with(|aws, call| aws.refuse(call, 1, &Refusal::throttled()), call).await;
        assert!(
            run.messages[0].contains(fact),
            "{call}: {}",
            run.messages[0]
        );
    }
}

#[tokio::test]
async fn slow() {
    for (call, _) in CALLS {
        let run = run_with(
            |aws, call| aws.answer_late(call, Duration::from_secs(30)),
            call,
        )
        .await;
        assert_fact_is_missing(&run, call, "no answer in time");
    }
}

#[tokio::test]
async fn broken() {
    for (call, _) in CALLS {
        let run = run_with(|aws, call| aws.refuse(call, 9, &Refusal::nameless()), call).await;
        assert_fact_is_missing(&run, call, "503");
        let garble = |aws: &FakeAws, call: &str| (0..9).for_each(|_| aws.garble(call));
        let run = run_with(garble, call).await;
        assert_fact_is_missing(&run, call, "");
    }
}

#[tokio::test]
async fn all_calls_slow() {
    let aws = account().await;
    for (call, _) in CALLS {
        aws.answer_late(call, Duration::from_secs(30));
    }
    let run = notify_within_two_seconds(&aws).await;
    assert_eq!(run.messages.len(), 1, "{}", run.log);
}

/// The connection is refused, or closed at once.
#[tokio::test]
async fn no_connection() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refusing = unused.local_addr().unwrap();
    drop(unused);
    let closing = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closing_address = closing.local_addr().unwrap();
    let closer = tokio::spawn(async move {
        while let Ok((stream, _)) = closing.accept().await {
            drop(stream);
        }
    });
    for address in [refusing, closing_address] {
        let aws = account().await;
        let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
        let time = Duration::from_millis(2_500);
        let api = RuntimeApi::ending_after(time, vec![report().to_string()]).await;
        let endpoint = format!("http://{address}");
        let run = notify_with(&slack, &aws, api, &[("AWS_ENDPOINT_URL", &endpoint)]).await;
        assert_eq!(run.messages.len(), 1, "{}", run.log);
        assert_fact_is_missing(&run, "DescribeTasks", "");
    }
    closer.abort();
}

#[tokio::test]
async fn missing_task_or_instance() {
    let aws = account().await;
    aws.forget(TASK);
    let run = notify(&aws, vec![report()], &[]).await;
    assert_fact_is_missing(&run, "DescribeTasks", "1 MISSING");

    let aws = account().await;
    aws.forget(INSTANCE);
    let run = notify(&aws, vec![report()], &[]).await;
    assert_fact_is_missing(&run, "DescribeContainerInstances", "1 MISSING");
}

/// Without credentials no call is made.
#[tokio::test]
async fn no_credentials() {
    let aws = account().await;
    let variables = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    let run = notify(&aws, vec![report()], &variables).await;
    assert_eq!(run.messages.len(), 1, "{}", run.log);
    assert_fact_is_missing(&run, "DescribeTasks", "");
    assert_eq!(aws.calls().len(), 0);
}

/// AWS's error message may contain line breaks. It must not forge a line of the log.
#[tokio::test]
async fn an_error_with_line_breaks() {
    let aws = account().await;
    let hostile = Refusal::new("ClientException", "no\n{\"level\":\"INFO\"}\u{1b}[2J");
    aws.refuse("DescribeTasks", 9, &hostile);
    let run = notify(&aws, vec![report()], &[]).await;
    let line = run
        .log
        .lines()
        .find(|it| it.contains("messages lack"))
        .unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let why = line["fields"]["why"].as_str().unwrap();
    assert!(!why.contains(char::is_control), "{why:?}");
    assert_eq!(json!(line["level"]), json!("WARN"));
}
