//! Against moto, which has the same API as AWS.

use std::fs;
use std::process::{Command, Output};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;
use tempfile::TempDir;

use super::permissions;
use crate::fake_aws::Call;
use crate::fake_aws::policy::{self, Policy};
use crate::moto::Moto;
use crate::tools;

/// moto with a cluster, an instance, `myapp` and a service.
struct Account {
    moto: Moto,
    recording: TempDir,
    /// The subnet and the group of the service.
    network: Value,
}

fn account() -> Account {
    let recording = tools::scratch();
    let moto = Moto::recording(&recording.path().join("requests"));
    let network = tools::run_python("cluster.py", &[moto.url()], "");
    Account {
        moto,
        recording,
        network: serde_json::from_str(&network).unwrap(),
    }
}

impl Account {
    /// The calls of `ecs-parrot` to moto.
    fn calls(&self) -> Vec<Call> {
        let requests = fs::read_to_string(self.recording.path().join("requests")).unwrap();
        let requests = requests
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let header = |request: &Value, name: &str| {
            request["headers"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        requests
            .filter(|request| header(request, "User-Agent").contains("aws-sdk-rust"))
            .map(|request| {
                let body = BASE64_STANDARD
                    .decode(request["body"].as_str().unwrap())
                    .unwrap();
                Call::read(&header(&request, "X-Amz-Target"), &body)
            })
            .collect()
    }
}

/// Checks that the IAM policy of the README allows these calls, with the names of this account.
fn assert_allowed(calls: &[Call]) {
    let policy = permissions::of_readme().to_string();
    let policy = policy
        .replace("web-migrate", "myapp-db-migrations")
        .replace("/prod", "/myEcsCluster");
    let mut policy = Policy::new(&serde_json::from_str(&policy).unwrap());
    assert!(!calls.is_empty());
    for call in calls {
        for need in policy::needs_elsewhere(call) {
            assert!(policy.allows(&need), "{need:?}");
        }
    }
}

fn run(account: &Account, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ecs-parrot"))
        .arg("run")
        .args(shell_words::split(arguments).unwrap())
        .env_clear()
        .env("AWS_ENDPOINT_URL", account.moto.url())
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output()
        .unwrap()
}

/// The example of ecs-one-off-task's README, with `ecs-parrot run` in place of the script.
#[test]
fn the_example_of_ecs_one_off_task() {
    let account = account();
    let output = run(
        &account,
        "--task-name myapp-db-migrations --from-task myapp --cluster myEcsCluster \
         --image myapp:v2 --command bundle exec rake db:migrate",
    );
    let printed = tools::output_text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert_eq!(output.stdout, b"", "moto's containers log nothing");
    for line in [
        "registered myapp-db-migrations:1, a copy of myapp:1",
        "logs go to /ecs/myapp-db-migrations, a new log group that keeps them 7 days",
        "`app` exited with 0",
    ] {
        assert!(printed.contains(line), "{printed}");
    }
    assert_allowed(&account.calls());
}

/// The example of the same README for Fargate, twice: the second run has a new revision and the existing log group.
#[test]
fn the_example_of_ecs_one_off_task_on_fargate_twice() {
    let account = account();
    let network = &account.network;
    let (subnet, group) = (
        network["subnet"].as_str().unwrap(),
        network["group"].as_str().unwrap(),
    );
    let arguments = format!(
        "--task-name myapp-db-migrations --from-task myapp --cluster myEcsCluster \
         --image myapp:v2 --command bundle exec rake db:migrate --launch-type FARGATE \
         --networks-id {subnet} --security-groups-id {group} --output json",
    );
    for revision in 1..=2 {
        let output = run(&account, &arguments);
        let printed = tools::output_text(&output);
        assert_eq!(output.status.code(), Some(0), "{printed}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let definition = report["task_definition"].as_str().unwrap();
        assert!(
            definition.ends_with(&format!("/myapp-db-migrations:{revision}")),
            "{printed}"
        );
        assert_eq!(report["tasks"][0]["exit_code"], 0, "{printed}");
    }
}

#[test]
fn like_a_service() {
    let account = account();
    let network = &account.network;
    let output = run(
        &account,
        "--task-name once --like-service web --cluster myEcsCluster --dry-run --output json -- rake -T",
    );
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    let request = &plan["request"];
    assert_eq!(request["launchType"], "FARGATE");
    let expected = serde_json::json!({"awsvpcConfiguration": {
        "subnets": [network["subnet"]],
        "securityGroups": [network["group"]],
        "assignPublicIp": "ENABLED",
    }});
    assert_eq!(request["networkConfiguration"], expected);
    let app = &plan["task_definition"]["containerDefinitions"][0];
    assert_eq!(app["command"], serde_json::json!(["rake", "-T"]));
    assert_eq!(
        app["image"], "myapp:v1",
        "without --image, the image of the reference"
    );
}
