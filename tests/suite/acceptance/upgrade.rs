//! The documented commands against moto, where a stack of carnival-ecs-parrot is deployed.

use std::fs;

use serde_json::{Value, json};

use super::package::{CARNIVAL, Package};
use crate::moto::Moto;
use crate::tools;

fn run(cloud: &Moto, package: &Package, arguments: &[&str]) -> String {
    let output = tools::osls()
        .args(arguments)
        .current_dir(&package.folder)
        .env("AWS_ENDPOINT_URL", cloud.url())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "osls {}: {}",
        arguments.join(" "),
        tools::output_text(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn deployed(cloud: &Moto) -> Value {
    serde_json::from_str(&tools::run_python("deployed.py", &[cloud.url()], "")).unwrap()
}

/// The three commands of README, in an account where carnival-ecs-parrot is deployed.
#[test]
#[ignore = "acceptance"]
fn the_documented_commands_upgrade_the_stack_of_carnival_ecs_parrot() {
    let stack = tools::root().join("tests/carnival/stack.json");
    let cloud = Moto::with_stacks(&["ecs-parrot-staging", stack.to_str().unwrap()]);
    let before = deployed(&cloud);
    assert_eq!(before["functions"][0]["Runtime"], "python2.7");

    let package = Package::new().settings(CARNIVAL);
    run(&cloud, &package, &["deploy"]);
    let after = deployed(&cloud);
    assert_eq!(after["stacks"].as_array().unwrap().len(), 1);
    assert_eq!(
        after["stacks"][0]["StackId"],
        before["stacks"][0]["StackId"]
    );
    assert_eq!(after["stacks"][0]["StackStatus"], "UPDATE_COMPLETE");
    let functions = after["functions"].as_array().unwrap();
    assert_eq!(functions.len(), 1);
    assert_eq!(
        functions[0]["FunctionArn"],
        before["functions"][0]["FunctionArn"]
    );
    assert_eq!(functions[0]["Runtime"], "provided.al2023");
    assert_eq!(
        functions[0]["Environment"]["Variables"]["SLACK_CHANNEL"],
        "#devops"
    );
    let rules = after["rules"].as_array().unwrap().iter();
    let mut rules: Vec<_> = rules.map(|rule| rule["Name"].as_str().unwrap()).collect();
    rules.sort_unstable();
    assert_eq!(
        rules,
        [
            "ecs-parrot-staging-queued-alarms",
            "ecs-parrot-staging-queued-api-calls",
            "ecs-parrot-staging-queued-code-deploy",
            "ecs-parrot-staging-queued-ecs-events",
            "ecs-parrot-staging-queued-health",
            "ecs-parrot-staging-queued-instances",
            "ecs-parrot-staging-queued-scaling",
        ]
    );
    let queues = after["queues"].as_array().unwrap().iter();
    let mut queues: Vec<_> = queues
        .map(|url| url.as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    queues.sort_unstable();
    assert_eq!(
        queues,
        [
            "ecs-parrot-staging-dead-letters",
            "ecs-parrot-staging-events"
        ]
    );

    fs::write(
        package.folder.path().join("dist/parrot.zip"),
        "another program",
    )
    .unwrap();
    let package = package.settings(&CARNIVAL.replace("#devops", "#elsewhere"));
    run(
        &cloud,
        &package,
        &["deploy", "function", "--function", "parrot"],
    );
    let redeployed = &deployed(&cloud)["functions"][0];
    assert_ne!(redeployed["CodeSha256"], functions[0]["CodeSha256"]);
    assert_eq!(
        redeployed["Environment"]["Variables"]["SLACK_CHANNEL"],
        "#elsewhere"
    );

    // moto's function answers with its payload.
    let sample = json!({"source": "aws.ecs", "detail-type": "ECS Task State Change"});
    fs::create_dir(package.folder.path().join("samples")).unwrap();
    fs::write(
        package.folder.path().join("samples/task.json"),
        sample.to_string(),
    )
    .unwrap();
    let answer = run(
        &cloud,
        &package,
        &[
            "invoke",
            "--function",
            "parrot",
            "--path",
            "samples/task.json",
        ],
    );
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), sample);
}

/// A new stack with every function, as far as moto's CloudFormation supports it.
#[test]
#[ignore = "acceptance"]
fn a_new_stack_has_all_functions() {
    let cloud = Moto::with_stacks(&[]);
    let settings = "mysettings: {functions: {run_from_queue: true, deploy_hook: true}}";
    let package = Package::new().settings(settings);
    run(&cloud, &package, &["deploy"]);
    let deployed = deployed(&cloud);
    assert_eq!(deployed["stacks"][0]["StackStatus"], "UPDATE_COMPLETE");
    let names = |list: &str, field: &str| {
        let mut names: Vec<_> = deployed[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it[field].as_str().or(it.as_str()).unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names("functions", "FunctionName"),
        [
            "CodeDeployHook_ecs-parrot-dev",
            "ecs-parrot-dev-parrot",
            "ecs-parrot-dev-run-from-queue"
        ]
    );
    let queues = names("queues", "");
    for queue in ["dead-letters", "events", "run-queue", "run-dead-letters"] {
        let name = format!("/ecs-parrot-dev-{queue}");
        assert!(queues.iter().any(|url| url.ends_with(&name)), "{queues:?}");
    }
    let rules = names("rules", "Name");
    for rule in [
        "queued-api-calls",
        "queued-ecs-events",
        "hook-tasks",
        "run-again",
    ] {
        assert!(
            rules.contains(&format!("ecs-parrot-dev-{rule}")),
            "{rules:?}"
        );
    }
}
