//! What is deployed: the zip that `make package` builds, the stack that serverless.yml describes, and the
//! commands that README names, against moto's AWS.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::tools;

const EXAMPLE: &str = include_str!("../../serverless.env.yml.example");
const CARNIVAL: &str = include_str!("../carnival/serverless.env.yml");

/// A copy of this service with site settings of its own and a zip that holds no program.
pub(crate) struct Package {
    folder: TempDir,
}

impl Package {
    /// Without a serverless.env.yml.
    pub(crate) fn new() -> Self {
        let folder = tools::scratch();
        fs::copy(
            tools::root().join("serverless.yml"),
            folder.path().join("serverless.yml"),
        )
        .unwrap();
        fs::create_dir(folder.path().join("dist")).unwrap();
        fs::write(folder.path().join("dist/parrot.zip"), "no program").unwrap();
        Self { folder }
    }

    pub(crate) fn settings(self, yaml: &str) -> Self {
        fs::write(self.folder.path().join("serverless.env.yml"), yaml).unwrap();
        self
    }

    fn osls(&self, arguments: &[&str]) -> std::process::Output {
        tools::osls()
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .unwrap()
    }

    /// The CloudFormation template, which cfn-lint finds nothing wrong with.
    pub(crate) fn template(&self) -> Value {
        self.template_with(&[])
    }

    fn template_with(&self, options: &[&str]) -> Value {
        let output = self.osls(&[&["package"], options].concat());
        assert!(
            output.status.success(),
            "osls package: {}",
            tools::told(&output)
        );
        let template = self
            .folder
            .path()
            .join(".serverless/cloudformation-template-update-stack.json");
        let lint = Command::new(tools::python_bin().join("cfn-lint"))
            .arg(&template)
            .output()
            .unwrap();
        assert!(lint.status.success(), "cfn-lint: {}", tools::told(&lint));
        parse(&template)
    }

    /// What `osls package` says against the settings.
    fn refusal(&self) -> String {
        let output = self.osls(&["package"]);
        assert!(
            !output.status.success(),
            "osls package accepted it: {}",
            tools::told(&output)
        );
        tools::told(&output)
    }
}

pub(crate) fn parse(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn function(template: &Value) -> &Value {
    &template["Resources"]["ParrotLambdaFunction"]["Properties"]
}

fn environment(template: &Value) -> &Value {
    &function(template)["Environment"]["Variables"]
}

/// The rule whose name ends like this.
fn rule<'a>(template: &'a Value, name: &str) -> &'a Value {
    let mut rules = template["Resources"]
        .as_object()
        .unwrap()
        .values()
        .filter(|resource| {
            resource["Type"] == "AWS::Events::Rule"
                && resource["Properties"]["Name"]
                    .as_str()
                    .unwrap()
                    .ends_with(name)
        });
    let rule = rules.next().unwrap_or_else(|| panic!("no rule `{name}`"));
    assert!(rules.next().is_none(), "two rules `{name}`");
    &rule["Properties"]
}

#[test]
fn without_settings_everything_has_a_default() {
    let template = Package::new().template();
    let parrot = function(&template);
    assert_eq!(parrot["FunctionName"], "ecs-parrot-dev-parrot");
    assert_eq!(parrot["Runtime"], "provided.al2023");
    assert_eq!(parrot["Architectures"], json!(["x86_64"]));
    assert_eq!(parrot["MemorySize"], 256);
    assert_eq!(parrot["Timeout"], 15);
    assert_eq!(parrot["LoggingConfig"]["LogFormat"], "JSON");
    assert_eq!(parrot["LoggingConfig"]["ApplicationLogLevel"], "INFO");
    assert!(
        parrot["Code"]["S3Key"]
            .as_str()
            .unwrap()
            .ends_with("/parrot.zip")
    );
    for (name, value) in environment(&template).as_object().unwrap() {
        assert_eq!(value, "", "{name} is set");
    }
    assert_eq!(
        template["Conditions"]["Trail"]["Fn::Equals"],
        json!(["trail: false", "trail: true"])
    );
}

#[test]
fn the_example_packages_as_it_is() {
    let template = Package::new().settings(EXAMPLE).template();
    assert_eq!(function(&template)["FunctionName"], "ecs-parrot-dev-parrot");
    let expected = json!({
        "SLACK_WEBHOOKURL": "DISABLED",
        "SLACK_USERNAME": "ECSParrot",
        "SLACK_CHANNEL": "#devops",
        "SLACK_ICON_EMOJI": ":bird:",
        "SLACK_QUIET": "false",
        "SLACK_MENTION": "",
        "FLOWDOCK_API_TOKEN": "DISABLED",
        "FLOWDOCK_USERNAME": "ECSParrot",
        "FLOWDOCK_ICON_EMOJI": ":bird:",
        "FLOWDOCK_QUIET": "false",
        "FLOWDOCK_URL": "",
        "IGNORED_EXIT_CODE_CONTAINER_NAMES": "",
        "IGNORED_CLUSTERS": "",
        "IGNORED_SERVICES": "",
        "KEEP": "",
        "DROP": "",
        "TEMPLATES_DIR": "",
    });
    assert_eq!(environment(&template), &expected);
}

/// The example says of its values that they are the defaults, and shows every key that is read.
#[test]
fn the_example_shows_every_key_with_its_default() {
    let mut with = Package::new().settings(EXAMPLE).template();
    let mut without = Package::new().template();
    for template in [&mut with, &mut without] {
        let parrot = &mut template["Resources"]["ParrotLambdaFunction"]["Properties"];
        parrot["Environment"] = Value::Null;
        // The upload's name has the time in it.
        parrot["Code"] = Value::Null;
    }
    assert_eq!(with, without);

    let service = fs::read_to_string(tools::root().join("serverless.yml")).unwrap();
    let path_end = |c: char| !(c.is_ascii_lowercase() || c == '_' || c == '.');
    let mut keys: Vec<&str> = service
        .split("self:custom.mysettings.")
        .skip(1)
        .map(|rest| {
            rest.split(path_end)
                .next()
                .unwrap()
                .rsplit('.')
                .next()
                .unwrap()
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    assert!(
        keys.len() > 20,
        "serverless.yml reads its settings in another way now: {keys:?}"
    );
    for key in keys {
        let shown = EXAMPLE
            .lines()
            .any(|line| line.trim_start().starts_with(&format!("{key}:")));
        assert!(shown, "serverless.env.yml.example does not show `{key}`");
    }
}

#[test]
fn carnivals_own_file_packages_unchanged() {
    let template = Package::new().settings(CARNIVAL).template();
    assert_eq!(
        function(&template)["FunctionName"],
        "ecs-parrot-staging-parrot"
    );
    let environment = environment(&template);
    assert_eq!(environment["SLACK_CHANNEL"], "#devops");
    assert_eq!(environment["SLACK_QUIET"], "false");
    assert_eq!(environment["FLOWDOCK_ICON_EMOJI"], ":bird:");
    assert_eq!(
        environment["IGNORED_EXIT_CODE_CONTAINER_NAMES"],
        "mongo-router::fake-test"
    );

    let documented = CARNIVAL
        .replace("  ignore:", "  ignored:")
        .replace(": False", ": True");
    assert_ne!(documented, CARNIVAL);
    let template = Package::new().settings(&documented).template();
    assert_eq!(
        self::environment(&template)["IGNORED_EXIT_CODE_CONTAINER_NAMES"],
        "mongo-router::fake-test"
    );
    assert_eq!(self::environment(&template)["FLOWDOCK_QUIET"], "true");
}

#[test]
fn every_setting_arrives() {
    let template = Package::new()
        .settings(
            "mysettings:
  stage: prod
  region: cn-north-1
  architecture: arm64
  memory: 512
  timeout: 20
  log_retention: 7
  log_level: DEBUG
  retry_attempts: 1
  event_age: 900
  templates_dir: /opt/templates
  layers: ['arn:aws-cn:lambda:cn-north-1:123456789012:layer:templates:1']
  slack: {webhookurl: a, username: b, channel: 12, icon_emoji: c, quiet: TRUE, mention: '<!subteam^S1>'}
  flowdock: {api_token: d, username: e, icon_emoji: null, quiet: true, url: 'https://flow.example'}
  ignored: {exit_code: {container_names: 'x::y'}, clusters: 'dev-*,test', services: '*/canary'}
  ignore: {exit_code: {container_names: the other spelling}}
  keep: steady_state
  drop: 'run_task,finished'
  rules: {api_calls: 'false', native: False}
  trail: true
  trail_retention: 30
",
        )
        .template();
    let expected = json!({
        "SLACK_WEBHOOKURL": "a",
        "SLACK_USERNAME": "b",
        "SLACK_CHANNEL": "12",
        "SLACK_ICON_EMOJI": "c",
        "SLACK_QUIET": "true",
        "SLACK_MENTION": "<!subteam^S1>",
        "FLOWDOCK_API_TOKEN": "d",
        "FLOWDOCK_USERNAME": "e",
        "FLOWDOCK_ICON_EMOJI": "",
        "FLOWDOCK_QUIET": "true",
        "FLOWDOCK_URL": "https://flow.example",
        "IGNORED_EXIT_CODE_CONTAINER_NAMES": "x::y",
        "IGNORED_CLUSTERS": "dev-*,test",
        "IGNORED_SERVICES": "*/canary",
        "KEEP": "steady_state",
        "DROP": "run_task,finished",
        "TEMPLATES_DIR": "/opt/templates",
    });
    assert_eq!(environment(&template), &expected);

    let parrot = function(&template);
    assert_eq!(parrot["FunctionName"], "ecs-parrot-prod-parrot");
    assert_eq!(parrot["Architectures"], json!(["arm64"]));
    assert_eq!(parrot["MemorySize"], 512);
    assert_eq!(parrot["Timeout"], 20);
    assert_eq!(
        parrot["Layers"],
        json!(["arn:aws-cn:lambda:cn-north-1:123456789012:layer:templates:1"])
    );
    assert_eq!(parrot["LoggingConfig"]["ApplicationLogLevel"], "DEBUG");

    let resources = &template["Resources"];
    assert_eq!(
        resources["ParrotLogGroup"]["Properties"]["RetentionInDays"],
        7
    );
    let invoke = &resources["ParrotLambdaEvConf"]["Properties"];
    assert_eq!(invoke["MaximumRetryAttempts"], 1);
    assert_eq!(invoke["MaximumEventAgeInSeconds"], 900);
    for name in ["-api-calls", "-ecs-events"] {
        let rule = rule(&template, name);
        assert_eq!(rule["State"], "DISABLED");
        assert_eq!(
            rule["Targets"][0]["RetryPolicy"]["MaximumEventAgeInSeconds"],
            900
        );
    }
    assert_eq!(
        template["Conditions"]["Trail"]["Fn::Equals"],
        json!(["trail: true", "trail: true"])
    );
}

#[test]
fn the_rules_are_switched_and_divide_the_events() {
    let chatter = [
        "SubmitContainerStateChange",
        "SubmitAttachmentStateChanges",
        "DiscoverPollEndpoint",
    ];
    for (api_calls, native) in [(true, true), (true, false), (false, true)] {
        let template = Package::new()
            .settings(&format!(
                "mysettings: {{rules: {{api_calls: {api_calls}, native: {native}}}}}"
            ))
            .template();
        let state = |on| if on { "ENABLED" } else { "DISABLED" };
        let (calls, events) = (
            rule(&template, "-api-calls"),
            rule(&template, "-ecs-events"),
        );
        assert_eq!(calls["State"], state(api_calls));
        assert_eq!(events["State"], state(native));
        let mut left_out = chatter.to_vec();
        if native {
            left_out.push("SubmitTaskStateChange");
        }
        let expected = json!({
            "source": ["aws.ecs"],
            "detail-type": ["AWS API Call via CloudTrail"],
            "detail": {"eventSource": ["ecs.amazonaws.com"], "eventName": [{"anything-but": left_out}]},
        });
        assert_eq!(calls["EventPattern"], expected);
        let expected = json!({"source": ["aws.ecs"], "detail-type": [{"anything-but": ["AWS API Call via CloudTrail"]}]});
        assert_eq!(events["EventPattern"], expected);
    }
}

/// Nothing on the way may lose an event without a trace, or wait for ever.
#[test]
fn what_fails_goes_to_the_dead_letter_queue() {
    let template = Package::new().template();
    let resources = &template["Resources"];
    let queue = json!({"Fn::GetAtt": ["DeadLetterQueue", "Arn"]});

    let invoke = &resources["ParrotLambdaEvConf"]["Properties"];
    assert_eq!(
        invoke["FunctionName"],
        json!({"Ref": "ParrotLambdaFunction"})
    );
    assert_eq!(
        invoke["DestinationConfig"]["OnFailure"]["Destination"],
        queue
    );
    assert_eq!(invoke["MaximumRetryAttempts"], 2);
    assert_eq!(invoke["MaximumEventAgeInSeconds"], 3600);

    let mut senders = Vec::new();
    for name in ["ecs-parrot-dev-api-calls", "ecs-parrot-dev-ecs-events"] {
        let rule = rule(&template, name);
        let targets = rule["Targets"].as_array().unwrap();
        assert_eq!(targets.len(), 1);
        assert_eq!(
            targets[0]["Arn"],
            json!({"Fn::GetAtt": ["ParrotLambdaFunction", "Arn"]})
        );
        assert_eq!(targets[0]["DeadLetterConfig"]["Arn"], queue);
        assert_eq!(
            targets[0]["RetryPolicy"],
            json!({"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 185})
        );
        senders.push(json!({
            "Fn::Sub": format!("arn:${{AWS::Partition}}:events:${{AWS::Region}}:${{AWS::AccountId}}:rule/{name}")
        }));
        let permitted = resources.as_object().unwrap().values().any(|resource| {
            resource["Type"] == "AWS::Lambda::Permission"
                && resource["Properties"]["Principal"] == "events.amazonaws.com"
                && resource["Properties"]["SourceArn"]
                    .to_string()
                    .contains(name)
        });
        assert!(permitted, "`{name}` may not invoke the function");
    }

    assert_eq!(
        resources["DeadLetterQueue"]["Properties"]["SqsManagedSseEnabled"],
        true
    );
    assert_eq!(
        resources["DeadLetterQueue"]["Properties"]["MessageRetentionPeriod"],
        14 * 24 * 60 * 60
    );
    let statements =
        &resources["DeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"];
    assert_eq!(statements.as_array().unwrap().len(), 2);
    assert_eq!(statements[0]["Effect"], "Allow");
    assert_eq!(
        statements[0]["Principal"],
        json!({"Service": "events.amazonaws.com"})
    );
    assert_eq!(statements[0]["Action"], "sqs:SendMessage");
    assert_eq!(
        statements[0]["Condition"],
        json!({"ArnEquals": {"aws:SourceArn": senders}})
    );
    assert_eq!(statements[1]["Effect"], "Deny");
    assert_eq!(statements[1]["Action"], "sqs:*");
    assert_eq!(
        statements[1]["Condition"],
        json!({"Bool": {"aws:SecureTransport": "false"}})
    );
}

#[test]
fn the_function_may_write_its_log_and_keep_what_failed_and_nothing_else() {
    let template = Package::new().template();
    let resources = template["Resources"].as_object().unwrap();
    let roles: Vec<&String> = resources
        .iter()
        .filter(|(_, r)| r["Type"] == "AWS::IAM::Role")
        .map(|(name, _)| name)
        .collect();
    assert_eq!(roles, ["ParrotRole"]);
    assert!(
        resources
            .values()
            .all(|r| r["Type"] != "AWS::IAM::Policy" && r["Type"] != "AWS::IAM::ManagedPolicy")
    );
    assert_eq!(
        function(&template)["Role"],
        json!({"Fn::GetAtt": ["ParrotRole", "Arn"]})
    );

    let role = &resources["ParrotRole"]["Properties"];
    assert!(role.get("ManagedPolicyArns").is_none());
    let policies = role["Policies"].as_array().unwrap();
    assert_eq!(policies.len(), 1);
    let allowed: Vec<Value> = policies[0]["PolicyDocument"]["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| {
            json!([
                statement["Effect"],
                statement["Action"],
                statement["Resource"]
            ])
        })
        .collect();
    let log = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/ecs-parrot-dev-parrot:*";
    let expected = [
        json!(["Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], {"Fn::Sub": log}]),
        json!(["Allow", "sqs:SendMessage", {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}]),
    ];
    assert_eq!(allowed, expected);

    let log = &resources["ParrotLogGroup"]["Properties"];
    assert_eq!(log["LogGroupName"], "/aws/lambda/ecs-parrot-dev-parrot");
    assert_eq!(log["RetentionInDays"], 30);
}

#[test]
fn the_stack_says_where_to_look() {
    let template = Package::new().template();
    let output = |name: &str| &template["Outputs"][name]["Value"]["Ref"];
    assert_eq!(output("FunctionName"), "ParrotLambdaFunction");
    assert_eq!(output("LogGroupName"), "ParrotLogGroup");
    assert_eq!(output("DeadLetterQueueUrl"), "DeadLetterQueue");
    assert_eq!(output("TrailBucketName"), "TrailBucket");
    assert_eq!(template["Outputs"]["TrailBucketName"]["Condition"], "Trail");
}

#[test]
fn the_trail_keeps_its_log_files_to_itself() {
    let template = Package::new()
        .settings("mysettings: {trail: true, trail_retention: 30}")
        .template();
    let resources = &template["Resources"];
    for name in ["Trail", "TrailBucket", "TrailBucketPolicy"] {
        assert_eq!(resources[name]["Condition"], "Trail");
    }
    let trail = &resources["Trail"]["Properties"];
    assert_eq!(trail["IsLogging"], true);
    assert_eq!(
        trail["EventSelectors"],
        json!([{"IncludeManagementEvents": true, "ReadWriteType": "WriteOnly"}])
    );

    let bucket = &resources["TrailBucket"]["Properties"];
    let encryption = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
    assert_eq!(
        encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"],
        "AES256"
    );
    let blocked = bucket["PublicAccessBlockConfiguration"]
        .as_object()
        .unwrap();
    assert_eq!(blocked.len(), 4);
    assert!(blocked.values().all(|blocks| blocks == true));
    assert_eq!(
        bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"],
        30
    );

    let arn =
        "arn:${AWS::Partition}:cloudtrail:${AWS::Region}:${AWS::AccountId}:trail/ecs-parrot-dev";
    assert_eq!(trail["TrailName"], "ecs-parrot-dev");
    let statements = resources["TrailBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        .as_array()
        .unwrap();
    for statement in statements {
        if statement["Effect"] == "Allow" {
            assert_eq!(
                statement["Principal"],
                json!({"Service": "cloudtrail.amazonaws.com"})
            );
            assert_eq!(
                statement["Condition"]["StringEquals"]["aws:SourceArn"],
                json!({"Fn::Sub": arn})
            );
        } else {
            assert_eq!(
                statement["Condition"],
                json!({"Bool": {"aws:SecureTransport": "false"}})
            );
        }
    }
    assert_eq!(statements.len(), 3);
}

#[test]
fn a_wrong_setting_is_refused_by_its_name() {
    for (setting, named, allowed) in [
        (
            "architecture: sparc",
            "provider.architecture",
            "[arm64, x86_64]",
        ),
        ("trail: perhaps", "custom.trail", "\"true\", \"false\""),
        (
            "rules: {native: perhaps}",
            "custom.rules.native",
            "\"true\", \"false\"",
        ),
        ("timeout: soon", "parrot.timeout", "integer"),
        ("log_retention: 31", "logRetentionInDays", "allowed values"),
        (
            "log_level: LOUD",
            "applicationLogLevel",
            "[DEBUG, ERROR, FATAL, INFO, TRACE, WARN]",
        ),
        ("retry_attempts: 3", "maximumRetryAttempts", "<= 2"),
        ("event_age: 5", "maximumEventAge", ">= 60"),
        ("keep: [a, b]", "environment.KEEP", "unsupported"),
    ] {
        let refusal = Package::new()
            .settings(&format!("mysettings: {{{setting}}}"))
            .refusal();
        assert!(
            refusal.contains(named) && refusal.contains(allowed),
            "{setting}: {refusal}"
        );
    }
}

#[test]
fn packaging_before_building_names_the_missing_file() {
    let package = Package::new();
    fs::remove_file(package.folder.path().join("dist/parrot.zip")).unwrap();
    assert!(package.refusal().contains("dist/parrot.zip"));
}

/// A Makefile of its own, with settings of its own. Its `cargo lambda` either is the pinned one, or only
/// writes down what it was asked to build.
struct Workshop {
    folder: PathBuf,
}

impl Workshop {
    fn new(folder: &Path, settings: &str) -> Self {
        for entry in fs::read_dir(tools::root()).unwrap() {
            let entry = entry.unwrap();
            let left_out = [
                "target",
                "dist",
                "node_modules",
                ".git",
                ".serverless",
                "serverless.env.yml",
            ];
            if !left_out.iter().any(|name| entry.file_name() == *name) {
                symlink(entry.path(), folder.join(entry.file_name())).unwrap();
            }
        }
        fs::write(folder.join("serverless.env.yml"), settings).unwrap();
        Self {
            folder: folder.to_owned(),
        }
    }

    fn make(&self, arguments: &[&str], programs: &Path) -> std::process::Output {
        let mut path = OsString::from(programs);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let mut make = Command::new("make");
        for name in ["MAKEFLAGS", "MAKEOVERRIDES", "ARCH", "CARGO_BUILD_TARGET"] {
            make.env_remove(name);
        }
        make.args(arguments)
            .current_dir(&self.folder)
            .env("PATH", path)
            .output()
            .expect("this test needs make")
    }

    fn package(&self, arguments: &[&str]) -> std::process::Output {
        let programs = self.folder.join("programs");
        if !programs.exists() {
            fs::create_dir(&programs).unwrap();
            write_program(&programs.join("cargo-lambda"), "exit 1");
            write_program(
                &programs.join("cargo"),
                r#"echo "$@" > asked
while [ $# -gt 1 ]; do
    case $1 in
        --bin) name=$2 ;;
        --lambda-dir) folder=$2 ;;
    esac
    shift
done
mkdir -p $folder/$name
echo "$folder $name" > $folder/$name/bootstrap.zip"#,
            );
        }
        let arguments: Vec<&str> = [&["package"], arguments].concat();
        self.make(&arguments, &programs)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap()
    }
}

fn write_program(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn make_package_builds_for_the_configured_architecture() {
    for (settings, arguments, flag, other) in [
        ("mysettings:\n", vec![], "--x86-64", "--arm64"),
        (
            "mysettings:\n  architecture: arm64\n",
            vec![],
            "--arm64",
            "--x86-64",
        ),
        (
            "mysettings:\n  architecture: 'arm64' # Graviton\n",
            vec![],
            "--arm64",
            "--x86-64",
        ),
        (
            "mysettings:\n  # architecture: arm64\n",
            vec![],
            "--x86-64",
            "--arm64",
        ),
        (
            "mysettings:\n  architecture: \"x86_64\"\n",
            vec![],
            "--x86-64",
            "--arm64",
        ),
        (
            "mysettings:\n  architecture:\n  memory: 128\n",
            vec![],
            "--x86-64",
            "--arm64",
        ),
        (
            "mysettings:\n  architecture: x86_64\n",
            vec!["ARCH=arm64"],
            "--arm64",
            "--x86-64",
        ),
        (EXAMPLE, vec![], "--x86-64", "--arm64"),
        (CARNIVAL, vec![], "--x86-64", "--arm64"),
    ] {
        let folder = tools::scratch();
        let workshop = Workshop::new(folder.path(), settings);
        let output = workshop.package(&arguments);
        assert!(
            output.status.success(),
            "{settings}: {}",
            tools::told(&output)
        );
        let asked = workshop.read("asked");
        let words: Vec<&str> = asked.split_whitespace().collect();
        assert_eq!(words[..2], ["lambda", "build"]);
        assert!(words.contains(&"--release"), "{asked}");
        assert!(
            words.contains(&flag) && !words.contains(&other),
            "{settings}: {asked}"
        );
        assert!(workshop.read("dist/parrot.zip").contains(" parrot"));
    }
}

#[test]
fn make_package_refuses_an_architecture_that_does_not_exist() {
    for (settings, arguments) in [
        ("mysettings:\n  architecture: sparc\n", vec![]),
        ("mysettings:\n", vec!["ARCH=sparc"]),
    ] {
        let folder = tools::scratch();
        let workshop = Workshop::new(folder.path(), settings);
        let output = workshop.package(&arguments);
        assert!(!output.status.success());
        let told = tools::told(&output);
        assert!(
            told.contains("architecture `sparc` is unknown; use x86_64 or arm64"),
            "{told}"
        );
        assert!(
            !workshop.folder.join("asked").exists(),
            "it built something"
        );
    }
}

/// `ARCH` is for a trial: the zip and the function it is deployed to must still agree.
#[test]
fn an_architecture_for_a_trial_reaches_the_function_too() {
    let folder = tools::scratch();
    let workshop = Workshop::new(folder.path(), "mysettings:\n  architecture: x86_64\n");
    for (arguments, parameter) in [
        (["-n", "deploy", "ARCH=arm64"], true),
        (["-n", "deploy", "ARCH=x86_64"], false),
    ] {
        let output = workshop.make(&arguments, &tools::python_bin());
        let commands = String::from_utf8(output.stdout).unwrap();
        let deploy = commands
            .lines()
            .find(|line| line.contains("serverless deploy"))
            .unwrap();
        assert_eq!(
            deploy.contains("--param=architecture=arm64"),
            parameter,
            "{deploy}"
        );
    }

    let package = Package::new().settings("mysettings: {architecture: x86_64}");
    let template = package.template_with(&["--param=architecture=arm64"]);
    assert_eq!(function(&template)["Architectures"], json!(["arm64"]));
}

/// The machine in an ELF header, by Lambda's name for it.
fn machine(program: &[u8]) -> Result<&'static str, String> {
    // e_ident: the magic number, then 64 bits, little-endian; e_machine stands at 18.
    if program.len() < 20 || program[..6] != *b"\x7fELF\x02\x01" {
        return Err("not a 64-bit little-endian ELF file".to_owned());
    }
    match u16::from_le_bytes([program[18], program[19]]) {
        0x3e => Ok("x86_64"),
        0xb7 => Ok("arm64"),
        other => Err(format!("machine {other:#x} is none of Lambda's")),
    }
}

#[test]
fn the_machine_is_read_from_the_header() {
    let header = |machine: u16| {
        let mut header = b"\x7fELF\x02\x01\x01".to_vec();
        header.resize(16, 0);
        // e_type: a position-independent program.
        header.extend(3u16.to_le_bytes());
        header.extend(machine.to_le_bytes());
        header
    };
    assert_eq!(machine(&header(62)), Ok("x86_64"));
    assert_eq!(machine(&header(183)), Ok("arm64"));
    assert_eq!(
        machine(&header(2)),
        Err("machine 0x2 is none of Lambda's".to_owned())
    );
    assert!(machine(b"#!/bin/sh\nexec something-else\n").is_err());
    assert!(machine(b"\x7fELF").is_err());
}

/// Unpacks `bootstrap`, the only file that a function's zip holds.
fn bootstrap(zip: &Path) -> Vec<u8> {
    let mut zip = zip::ZipArchive::new(fs::File::open(zip).unwrap()).unwrap();
    assert_eq!(zip.len(), 1);
    let mut file = zip.by_name("bootstrap").unwrap();
    assert_eq!(
        file.unix_mode().map(|mode| mode & 0o111),
        Some(0o111),
        "bootstrap cannot be executed"
    );
    let mut program = Vec::new();
    file.read_to_end(&mut program).unwrap();
    program
}

/// The real build. This machine has the Rust target of its own architecture only.
#[test]
fn each_zip_holds_a_program_for_the_configured_architecture() {
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    };
    let settings = format!("mysettings:\n  architecture: {architecture}\n");
    // Always the same folder and the usual target/, so that what cargo has built stays for the next time.
    let (folder, _lock) = tools::reserve("package");
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir(&folder).unwrap();
    let workshop = Workshop::new(&folder, &settings);
    symlink(target(), folder.join("target")).unwrap();
    let output = workshop.make(&["package"], &tools::python_bin());
    assert!(output.status.success(), "{}", tools::told(&output));

    let template = Package::new().settings(&settings).template();
    assert_eq!(function(&template)["Architectures"], json!([architecture]));
    let zips: Vec<PathBuf> = fs::read_dir(folder.join("dist"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(zips.len(), 1, "{zips:?}");
    for zip in zips {
        assert_eq!(
            machine(&bootstrap(&zip)),
            Ok(architecture),
            "{}",
            zip.display()
        );
    }
}

/// The folder that this test was built in.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

/// moto's AWS on a port of its own. It ends with the value, whose end closes the server's stdin.
struct Cloud {
    server: Child,
    stdin: Option<ChildStdin>,
    url: String,
}

impl Cloud {
    /// `stack`: the name and the template of a stack that is there already.
    fn start(stack: &[&str]) -> Self {
        let mut server = tools::script("cloud.py")
            .args(stack)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = server.stdin.take();
        let mut url = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut url)
            .unwrap();
        assert!(
            url.starts_with("http://127.0.0.1:"),
            "moto did not start: {url}"
        );
        Self {
            server,
            stdin,
            url: url.trim().to_owned(),
        }
    }

    fn run(&self, package: &Package, arguments: &[&str]) -> String {
        let output = tools::osls()
            .args(arguments)
            .current_dir(&package.folder)
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "osls {}: {}",
            arguments.join(" "),
            tools::told(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn deployed(&self) -> Value {
        serde_json::from_str(&tools::run_python("deployed.py", &[&self.url], "")).unwrap()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.server.wait();
    }
}

/// README's three commands, on an account where carnival-ecs-parrot is running.
#[test]
fn the_documented_commands_upgrade_carnivals_stack_in_place() {
    let stack = tools::root().join("tests/carnival/stack.json");
    let cloud = Cloud::start(&["ecs-parrot-staging", stack.to_str().unwrap()]);
    let before = cloud.deployed();
    assert_eq!(before["functions"][0]["Runtime"], "python2.7");

    let package = Package::new().settings(CARNIVAL);
    cloud.run(&package, &["deploy"]);
    let after = cloud.deployed();
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
    let rules: Vec<&str> = after["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["Name"].as_str().unwrap())
        .collect();
    assert_eq!(
        rules,
        [
            "ecs-parrot-staging-api-calls",
            "ecs-parrot-staging-ecs-events"
        ]
    );
    let queues = after["queues"].as_array().unwrap();
    assert!(
        queues.len() == 1
            && queues[0]
                .as_str()
                .unwrap()
                .ends_with("/ecs-parrot-staging-dead-letters")
    );

    fs::write(
        package.folder.path().join("dist/parrot.zip"),
        "another program",
    )
    .unwrap();
    let package = package.settings(&CARNIVAL.replace("#devops", "#elsewhere"));
    cloud.run(&package, &["deploy", "function", "--function", "parrot"]);
    let redeployed = &cloud.deployed()["functions"][0];
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
    let answer = cloud.run(
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
