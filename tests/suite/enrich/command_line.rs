//! Enrichment on the command line: it uses the user's credentials, and it happens only on request.

use std::process::{Command, Output};

use serde_json::json;

use super::{account, report};
use crate::fake_aws::FakeAws;
use crate::fake_aws::policy::Policy;
use crate::tools;

async fn run(aws: &FakeAws, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = tools::scratch();
    std::fs::write(folder.path().join("report.json"), report().to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"));
    command
        .args(arguments)
        .arg("report.json")
        .current_dir(&folder)
        .env_clear()
        .env("AWS_ENDPOINT_URL", aws.url())
        .env("AWS_ACCESS_KEY_ID", "mine")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .envs(variables.iter().copied());
    // The fake AWS must answer while the program runs.
    tokio::task::spawn_blocking(move || {
        let output = command.output().unwrap();
        drop(folder);
        output
    })
    .await
    .unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", tools::output_text(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn calls_are_made_only_on_request() {
    for (arguments, variables, makes_calls) in [
        (&["preview"][..], &[][..], false),
        (&["preview"], &[("ENRICH", "true")], false),
        (&["preview", "--enrich"], &[], true),
        (&["preview", "--enrich", "--output", "json"], &[], true),
        (&["preview", "--enrich", "--output", "html"], &[], true),
        (&["notify"], &[], false),
        (&["notify"], &[("ENRICH", "true")], true),
        (&["notify", "--enrich"], &[], true),
    ] {
        let aws = account().await;
        let printed = printed(&run(&aws, arguments, variables).await);
        assert_eq!(
            printed.contains("report in batch"),
            makes_calls,
            "{arguments:?}: {printed}"
        );
        assert_eq!(
            printed.contains("out_of_memory"),
            makes_calls && arguments[0] == "preview",
            "{printed}"
        );
        assert_eq!(aws.calls().is_empty(), !makes_calls, "{arguments:?}");
        assert!(aws.calls().iter().all(|call| call.access_key == "mine"));
    }
}

/// Without credentials one sentence says so and says what to do, however many events there are.
#[tokio::test]
async fn without_credentials_one_sentence_says_so() {
    let aws = account().await;
    let no_credentials = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/nonexistent"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent"),
    ];
    for program in ["preview", "notify"] {
        let arguments = [program, "--enrich", "report.json"];
        let output = run(&aws, &arguments, &no_credentials).await;
        assert!(
            printed(&output).contains("in batch"),
            "{}",
            tools::output_text(&output)
        );
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr.matches("AWS is not asked").count(), 1, "{stderr}");
        assert_eq!(
            stderr.lines().next().unwrap_or_default(),
            "ecs-parrot: AWS is not asked, so messages lack its facts: no AWS credentials: there are none in the \
             environment, a profile or a role of this machine; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
             or log in with `aws sso login`"
        );
        assert!(aws.calls().is_empty());
    }
}

/// A denied call is reported, and the message is shown without its facts.
#[tokio::test]
async fn the_reason_for_missing_facts_is_printed() {
    let aws = account().await;
    aws.allow_only(Policy::new(&json!({"Statement": []})));
    let output = run(&aws, &["preview", "--enrich"], &[]).await;
    assert!(
        printed(&output).contains("in batch"),
        "{}",
        tools::output_text(&output)
    );
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(
        stderr.contains("messages lack facts that AWS did not return"),
        "{stderr}"
    );
}

#[tokio::test]
async fn the_log_tail_is_read_as_the_function_reads_it() {
    let aws = account().await;
    aws.log_stream("/ecs/report", super::STREAM, &["key=abc", "bye"]);
    let variables = [("LOG_TAIL_LINES", "2"), ("LOG_TAIL_MASK", "key=\\w+")];
    for program in ["preview", "notify"] {
        let printed = printed(&run(&aws, &[program, "--enrich"], &variables).await);
        assert!(printed.contains("  | •••\n  | bye\n"), "{printed}");
    }
    let wrong = [("LOG_TAIL_LINES", "many"), ("LOG_TAIL_MASK", "(")];
    let output = run(&aws, &["preview", "--enrich"], &wrong).await;
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("LOG_TAIL_LINES: `many`") && stderr.contains("LOG_TAIL_MASK: pattern 1"),
        "{stderr}"
    );
}
