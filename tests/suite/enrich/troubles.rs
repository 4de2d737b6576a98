//! AWS says no, says nothing, or says what is no answer: the message goes out all the same.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;

use super::{INSTANCE, TASK, Told, account, report, tell, tell_to};
use crate::chat::chat;
use crate::fake_aws::{FakeAws, Refusal};
use crate::runtime_api::{Answer, RuntimeApi};

/// What the message says that only this call can tell.
const CALLS: [(&str, &str); 3] = [
    ("DescribeTasks", "report in batch"),
    ("DescribeTaskDefinition", "logs of report-nightly"),
    ("DescribeContainerInstances", "instance i-0ef2883a096765cc9"),
];

/// An invocation that has two seconds, and half of one to answer.
async fn tell_within_two_seconds(aws: &FakeAws) -> Told {
    let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
    let api =
        RuntimeApi::ending_after(Duration::from_millis(2_500), vec![report().to_string()]).await;
    tell_to(&slack, aws, api, &[]).await
}

/// The message of an account in which one call goes wrong.
async fn told_with(go_wrong: impl Fn(&FakeAws, &str), call: &str) -> Told {
    let aws = account().await;
    go_wrong(&aws, call);
    let told = tell_within_two_seconds(&aws).await;
    assert_eq!(
        told.answers,
        [Answer::Response(Value::Null)],
        "{call}: {}",
        told.log
    );
    assert_eq!(told.messages.len(), 1, "{call}: {}", told.log);
    told
}

fn assert_says_less(told: &Told, call: &str, why: &str) {
    for (other, fact) in CALLS {
        // Without the task nothing is known of what it leads to.
        let is_lost = other == call || call == "DescribeTasks";
        assert_eq!(
            !told.messages[0].contains(fact),
            is_lost,
            "{call}: {}",
            told.messages[0]
        );
    }
    let lines: Vec<_> = told
        .log
        .lines()
        .filter(|it| it.contains("messages lack"))
        .collect();
    let [line] = lines[..] else {
        panic!("{call}: {}", told.log)
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
        let told = told_with(|aws, call| aws.refuse(call, 9, &denied), call).await;
        assert_says_less(&told, call, "not authorized");
    }
}

#[tokio::test]
async fn throttled() {
    for (call, _) in CALLS {
        let told = told_with(|aws, call| aws.refuse(call, 9, &Refusal::throttled()), call).await;
        assert_says_less(&told, call, "Rate exceeded");
    }
}

/// Once is not always: there is time for a second attempt.
#[tokio::test]
async fn throttled_once() {
    for (call, fact) in CALLS {
        let told = told_with(|aws, call| aws.refuse(call, 1, &Refusal::throttled()), call).await;
        assert!(
            told.messages[0].contains(fact),
            "{call}: {}",
            told.messages[0]
        );
    }
}

#[tokio::test]
async fn slow() {
    for (call, _) in CALLS {
        let told = told_with(
            |aws, call| aws.answer_late(call, Duration::from_secs(30)),
            call,
        )
        .await;
        assert_says_less(&told, call, "no answer in time");
    }
}

#[tokio::test]
async fn broken() {
    for (call, _) in CALLS {
        let told = told_with(|aws, call| aws.refuse(call, 9, &Refusal::nameless()), call).await;
        assert_says_less(&told, call, "503");
        let garble = |aws: &FakeAws, call: &str| (0..9).for_each(|_| aws.garble(call));
        let told = told_with(garble, call).await;
        assert_says_less(&told, call, "");
    }
}

#[tokio::test]
async fn all_of_it_slow() {
    let aws = account().await;
    for (call, _) in CALLS {
        aws.answer_late(call, Duration::from_secs(30));
    }
    let told = tell_within_two_seconds(&aws).await;
    assert_eq!(told.messages.len(), 1, "{}", told.log);
}

/// Nobody listens, or somebody who closes at once.
#[tokio::test]
async fn no_server_at_all() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = closed.local_addr().unwrap();
    drop(closed);
    let closing = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let somebody = closing.local_addr().unwrap();
    let closer = tokio::spawn(async move {
        while let Ok((stream, _)) = closing.accept().await {
            drop(stream);
        }
    });
    for address in [nobody, somebody] {
        let aws = account().await;
        let slack = chat(ResponseTemplate::new(200).set_body_string("ok")).await;
        let time = Duration::from_millis(2_500);
        let api = RuntimeApi::ending_after(time, vec![report().to_string()]).await;
        let endpoint = format!("http://{address}");
        let told = tell_to(&slack, &aws, api, &[("AWS_ENDPOINT_URL", &endpoint)]).await;
        assert_eq!(told.messages.len(), 1, "{}", told.log);
        assert_says_less(&told, "DescribeTasks", "");
    }
    closer.abort();
}

#[tokio::test]
async fn unknown_by_now() {
    let aws = account().await;
    aws.forget(TASK);
    let told = tell(&aws, vec![report()], &[]).await;
    assert_says_less(&told, "DescribeTasks", "1 MISSING");

    let aws = account().await;
    aws.forget(INSTANCE);
    let told = tell(&aws, vec![report()], &[]).await;
    assert_says_less(&told, "DescribeContainerInstances", "1 MISSING");
}

/// Without a credential nothing can be asked.
#[tokio::test]
async fn no_credentials() {
    let aws = account().await;
    let variables = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    let told = tell(&aws, vec![report()], &variables).await;
    assert_eq!(told.messages.len(), 1, "{}", told.log);
    assert_says_less(&told, "DescribeTasks", "");
    assert_eq!(aws.calls().len(), 0);
}

/// An error quotes names: it must not forge a line of the log.
#[tokio::test]
async fn an_error_with_line_breaks() {
    let aws = account().await;
    let hostile = Refusal::new("ClientException", "no\n{\"level\":\"INFO\"}\u{1b}[2J");
    aws.refuse("DescribeTasks", 9, &hostile);
    let told = tell(&aws, vec![report()], &[]).await;
    let line = told
        .log
        .lines()
        .find(|it| it.contains("messages lack"))
        .unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let why = line["fields"]["why"].as_str().unwrap();
    assert!(!why.contains(char::is_control), "{why:?}");
    assert_eq!(json!(line["level"]), json!("WARN"));
}
