//! `ecs-parrot run`: the built program, and the calls that AWS received.

mod bad_input;
mod exits;
mod logs;
mod on_moto;
mod permissions;
mod starts;

use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::fake_aws::policy::Policy;
use crate::fake_aws::{FakeAws, Life};
use crate::tools;

/// The shortest command line: a migration with the definition `web`.
const MIGRATE: &str =
    "--task-name web-migrate --from-task web --cluster prod --command rake db:migrate";

/// An account with a cluster and the definition `web`, which has one container, `app`. Its user has the IAM policy of
/// the README, so that the policy must allow each call of each test.
async fn account() -> FakeAws {
    let aws = FakeAws::start().await;
    aws.allow_only(Policy::new(&permissions::of_readme()));
    aws.cluster("prod");
    aws.definition(web(), json!([]));
    aws
}

fn web() -> Value {
    json!({
        "family": "web",
        "containerDefinitions": [{"name": "app", "image": "web:1", "memory": 400}],
    })
}

/// `ecs-parrot run` with these arguments, split as a shell does.
fn program(aws: &FakeAws, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"));
    command
        .arg("run")
        .args(shell_words::split(arguments).unwrap())
        .env_clear()
        .env("AWS_ENDPOINT_URL", aws.url())
        .env("AWS_REGION", crate::fake_aws::REGION)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// The output of a program and its exit status.
#[derive(Debug)]
struct Finished {
    status: i32,
    out: String,
    err: String,
}

impl Finished {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

async fn run(aws: &FakeAws, arguments: &str) -> Finished {
    finish(program(aws, arguments).spawn().unwrap()).await
}

async fn finish(child: Child) -> Finished {
    let output = tokio::time::timeout(Duration::from_secs(120), child.wait_with_output());
    let output: Output = output.await.expect("it ends").unwrap();
    Finished {
        status: output
            .status
            .code()
            .unwrap_or_else(|| panic!("{}", tools::output_text(&output))),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Waits until this call was received so often.
async fn received(aws: &FakeAws, operation: &str, times: usize) {
    for _ in 0..600 {
        if aws.bodies(operation).len() >= times {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{operation} was not received {times} times");
}

/// A task whose only container ends with this code.
fn exits_with(code: i64) -> Life {
    Life {
        containers: json!({"app": {"exitCode": code}}),
        ..Life::default()
    }
}
