//! The command line: its whole output and its exit status.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::secret_leaks::assert_no_secrets_printed;
use ecs_parrot::notifier::channel::ChannelType;
use insta::assert_snapshot;
use serde_json::Value;
use strum::VariantArray as _;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A run of `ecs-parrot` in the project's folder, with only the environment that the test sets.
struct Run {
    command: Command,
    input: Option<String>,
}

fn ecs_parrot(arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-parrot"));
    command
        .args(arguments)
        .env_clear()
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Run {
        command,
        input: None,
    }
}

impl Run {
    fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    fn input(mut self, text: &str) -> Self {
        self.input = Some(text.to_owned());
        self
    }

    fn output(mut self) -> Output {
        let mut child = self.command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin
            .write_all(self.input.unwrap_or_default().as_bytes())
            .unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert_no_secrets_printed(&self.command, &output);
        output
    }

    /// The exit status, stdout and stderr as one text.
    fn shown(self) -> String {
        let output = self.output();
        format!(
            "exit status: {}\n---- stdout\n{}\n---- stderr\n{}",
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }
}

#[test]
fn preview_shows_decision_reason_and_message() {
    assert_snapshot!(
        ecs_parrot(&[
            "preview",
            "samples/task_stopped-out-of-memory.json",
            "samples/task_stopped-scaled-in-exit-0.json",
        ])
        .shown()
    );
}

#[test]
fn preview_in_a_channels_markup() {
    assert_snapshot!(
        ecs_parrot(&[
            "preview",
            "--channel",
            "slack",
            "samples/deployment-rollback.json"
        ])
        .shown()
    );
}

#[test]
fn preview_as_json_lines() {
    let output = ecs_parrot(&["preview", "--output", "json", "samples"]).output();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut decisions = std::collections::BTreeSet::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let decision = line["decision"].as_str().unwrap();
        decisions.insert(decision.to_owned());
        assert!(line["file"].as_str().unwrap().starts_with("samples/"));
        assert!(line["kind"].is_string() && line["reason"].is_string());
        let is_kept = decision == "keep";
        assert_eq!(line.get("payloads").is_some(), is_kept, "{line}");
        assert_eq!(
            line["severity"].is_string() && line["urgent"].is_boolean(),
            is_kept
        );
        if is_kept {
            let (headline, text) = (
                line["headline"].as_str().unwrap(),
                line["text"].as_str().unwrap(),
            );
            assert!(
                text.starts_with(headline) && !text.contains('\u{1b}'),
                "{text}"
            );
            assert!(line["payloads"]["slack"]["text"].is_string());
            assert!(line["payloads"]["flowdock"]["content"].is_string());
        }
    }
    assert_eq!(decisions.into_iter().collect::<Vec<_>>(), ["drop", "keep"]);
}

#[test]
fn a_batch_is_a_line_for_each_event() {
    let output = ecs_parrot(&[
        "preview",
        "--output",
        "json",
        "samples/task_stopped-in-sqs.json",
    ])
    .output();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
}

/// Writes files that users give by mistake. Each must be named in the output, and the valid ones must still be shown.
fn bad_inputs(folder: &Path) {
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    write("01-empty-object.json", "{}");
    write("02-empty-list.json", "[]");
    write("03-null.json", "null");
    write("04-string.json", "\"hello\"");
    write("05-truncated.json", "{\"source\": \"aws.ecs\", \"detail");
    write(
        "06-s3.json",
        r#"{"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]}"#,
    );
    write(
        "07-alarm.json",
        r#"{"source": "aws.cloudwatch", "alarmArn": "arn:aws:cloudwatch:eu-west-1:210987654321:alarm:cpu"}"#,
    );
    write(
        "08-detail-is-text.json",
        r#"{"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": "{}"}"#,
    );
    write("09-no-source.json", r#"{"hello": "world"}"#);
    write("10-empty-file.json", "");
    write(
        "11-fine.json",
        &fs::read_to_string("samples/service_action-service-task-start-impaired.json").unwrap(),
    );
    write("ignored.txt", "not JSON");
    fs::create_dir(folder.join("below")).unwrap();
    fs::write(folder.join("below/not-read.json"), "{}").unwrap();
}

fn shown_in(folder: &Path, run: Run) -> String {
    run.shown().replace(folder.to_str().unwrap(), "[folder]")
}

#[test]
fn bad_input_is_named_and_the_rest_is_processed() {
    let folder = tempfile::tempdir().unwrap();
    bad_inputs(folder.path());
    let path = folder.path().to_str().unwrap();
    for command in ["preview", "notify"] {
        assert_snapshot!(
            format!("bad_input_{command}"),
            shown_in(folder.path(), ecs_parrot(&[command, path]))
        );
    }
}

#[test]
fn an_event_of_a_megabyte_is_shown() {
    let mut event = crate::events::sample("stop_task-by-iam-user");
    event["detail"]["requestParameters"]["reason"] = Value::from("x<".repeat(512 * 1024));
    let output = ecs_parrot(&["preview", "--output", "json", "-"])
        .input(&event.to_string())
        .output();
    assert!(output.status.success());
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["reason"], "stop_task");
    assert!(line["text"].as_str().unwrap().len() < 10_000);
}

#[test]
fn wrong_usage() {
    assert_snapshot!("no_arguments", ecs_parrot(&["preview"]).shown());
    assert_snapshot!(
        "a_file_that_is_not_there",
        ecs_parrot(&["preview", "nowhere.json"]).shown()
    );
    assert_snapshot!(
        "an_unknown_channel",
        ecs_parrot(&["preview", "--channel", "irc", "-"]).shown()
    );
    let empty = tempfile::tempdir().unwrap();
    let run = ecs_parrot(&["notify", empty.path().to_str().unwrap()]);
    assert_snapshot!("an_empty_folder", shown_in(empty.path(), run));
}

#[test]
fn a_preview_reads_the_filter_and_no_channel() {
    let run = ecs_parrot(&["preview", "samples/stop_task-by-iam-user.json"])
        .env("SLACK_WEBHOOKURL", "nonsense")
        .env("DROP", "stop_task");
    assert_snapshot!(run.shown());
}

#[test]
fn config_shows_every_variable_and_no_secret() {
    let run = ecs_parrot(&["config"])
        .env(
            "SLACK_WEBHOOKURL",
            "https://hooks.example.com/services/very-secret",
        )
        .env("SLACK_QUIET", "True")
        .env("FLOWDOCK_API_TOKEN", "very-secret");
    assert_snapshot!(run.shown());
}

#[test]
fn config_reports_every_error() {
    let run = ecs_parrot(&["config"])
        .env("SLACK_WEBHOOKURL", "http://hooks.example.com/very-secret")
        .env("DROP", "everything")
        .env("LOG_TAIL_LINES", "10");
    assert_snapshot!(run.shown());
}

#[test]
fn config_reports_the_errors_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("serverless.env.yml");
    let text = "mysettings:
  slack:
    webhook_url: https://hooks.example.com/services/very-secret
    quiet: yes
  flowdock: 0123456789abcdef0123456789abcdef
  keep: stop_tsk,foo
  ingest: queu
  memory: ${env:MEMORY}
mysetings:
";
    fs::write(&file, text).unwrap();
    let shown = shown_in(
        folder.path(),
        ecs_parrot(&["config", file.to_str().unwrap()]),
    );
    assert!(
        !shown.contains("very-secret") && !shown.contains("0123456789"),
        "{shown}"
    );
    assert_snapshot!(shown);
}

#[test]
fn config_reports_the_channels_of_a_file() {
    let run = ecs_parrot(&["config", "tests/carnival/serverless.env.yml"]);
    assert_snapshot!("config_of_the_file_of_carnival_ecs_parrot", run.shown());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("serverless.env.yml");
    fs::write(&file, "mysettings: {slack: {webhookurl: ssm:/ops/webhook}}").unwrap();
    let shown = shown_in(
        folder.path(),
        ecs_parrot(&["config", file.to_str().unwrap()]),
    );
    assert!(shown.starts_with("exit status: 0"), "{shown}");
    assert!(
        shown.contains("no problems\nmessages are sent to: slack\n"),
        "{shown}"
    );
    for (text, expected) in [
        (
            "mysettings: ${file(./x.yml)}",
            "nothing was checked, because only Serverless knows the value of `mysettings`\n",
        ),
        (
            "mysettings: {memory: '${env:MEMORY}', slack: {webhookurl: {Ref: Hook}}}",
            "no problems in the part that can be checked\nnot checked, because only Serverless or CloudFormation knows the values: memory, slack.webhookurl\n",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let run = ecs_parrot(&["config", file.to_str().unwrap()]);
        let shown = shown_in(folder.path(), run);
        assert!(shown.contains(expected), "{shown}");
    }
    let shown = ecs_parrot(&["config", "nowhere.yml"]).shown();
    assert!(shown.starts_with("exit status: 1"), "{shown}");
    assert!(
        shown.contains("nowhere.yml cannot be read: No such file"),
        "{shown}"
    );
}

/// With a misspelt variable of a channel nothing would be sent, so that it is an error. Variables of other programs are
/// not.
#[test]
fn only_a_misspelt_channel_stops_what_sends() {
    let sample = "samples/stop_task-by-iam-user.json";
    for (arguments, name, stops, warns) in [
        (&["notify", sample][..], "SLACK_WEBHOOK_URL", true, false),
        (&["config"], "SLACK_WEBHOOK_URL", true, false),
        (&["preview", sample], "SLACK_WEBHOOK_URL", false, false),
        (&["preview", sample], "TEMPLATE_DIR", false, true),
        (&["preview", sample], "TEMPLATES", false, true),
        (&["notify", sample], "TEMPLATE_DIR", false, true),
        (&["notify", sample], "TEMPLATES", false, true),
        (&["notify", sample], "SLACK_BOT_TOKEN", false, true),
        (&["notify", sample], "SLACK_CHANNEL_ID", false, true),
        (&["notify", sample], "SLACK_USER", false, true),
    ] {
        let run = ecs_parrot(arguments).env(name, "https://example.com/very-secret");
        let shown = run.shown();
        let status = format!("exit status: {}", u8::from(stops));
        assert!(shown.starts_with(&status), "{arguments:?} {name}: {shown}");
        let error = format!("{name}: there is no such variable; did you mean `");
        assert_eq!(shown.contains(&error), stops, "{shown}");
        let warning = format!("ecs-parrot: {name} is not read: there is no such variable");
        assert_eq!(shown.contains(&warning), warns, "{shown}");
        assert!(!shown.contains("very-secret"), "{shown}");
    }
}

/// The error comes before anything is sent, and not once for each connection.
#[test]
fn a_missing_certificate_file_is_named_at_once() {
    let sample = "samples/stop_task-by-iam-user.json";
    for (arguments, variable) in [
        (&["notify", sample][..], "SSL_CERT_FILE"),
        (&["notify", sample], "SSL_CERT_DIR"),
        (&["config"], "SSL_CERT_FILE"),
        (&["preview", "--enrich", sample], "SSL_CERT_FILE"),
        (
            &[
                "run",
                "--task-name",
                "x",
                "--cluster",
                "prod",
                "--from-task",
                "web",
                "--",
                "true",
            ],
            "SSL_CERT_FILE",
        ),
    ] {
        let shown = ecs_parrot(arguments)
            .env("SLACK_WEBHOOKURL", "https://hooks.example.com/services/x")
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", "mine")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env(variable, "/nosuch")
            .shown();
        assert!(
            shown.starts_with("exit status: 1"),
            "{arguments:?}: {shown}"
        );
        let expected = format!("{variable}: `/nosuch` cannot be read: No such file or directory");
        assert!(shown.contains(&expected), "{arguments:?}: {shown}");
        assert_eq!(shown.matches("nosuch").count(), 1, "{arguments:?}: {shown}");
    }
}

/// The SDK panics if the endpoint is empty.
#[test]
fn an_endpoint_that_is_not_an_address_is_named() {
    let sample = "samples/task_stopped-out-of-memory.json";
    for (variable, value) in [
        ("AWS_ENDPOINT_URL", ""),
        ("AWS_ENDPOINT_URL_ECS", "127.0.0.1:9"),
    ] {
        let shown = ecs_parrot(&["preview", "--enrich", sample])
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", "mine")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env(variable, value)
            .shown();
        let expected = format!("{variable} is not an address: give one that begins with https://");
        assert!(shown.contains(&expected), "{shown}");
    }
}

/// If an event has another text in place of a time, this is not an error of the template. The text is shown.
#[test]
fn an_event_without_valid_times_is_shown() {
    for (sample, place) in [
        ("task_stopped-out-of-memory", "/time"),
        (
            "instance_health-agent-connectivity-impaired",
            "/detail/healthChecks/0/lastStatusChange",
        ),
        ("deployment_hook-awaiting-action", "/detail/expiresAt"),
    ] {
        let mut event = crate::events::sample(sample);
        *event.pointer_mut(place).unwrap() = Value::from("some day");
        let run = ecs_parrot(&["preview", "-"]).input(&event.to_string());
        let shown = run.shown();
        assert!(shown.starts_with("exit status: 0"), "{sample}: {shown}");
        assert!(shown.contains("some day"), "{sample}: {shown}");
    }
}

/// A template that is never used gives a warning. If none of the templates can be used, this is an error.
#[test]
fn unused_templates_are_reported() {
    let types = ChannelType::VARIANTS.iter();
    let of_each_type: Vec<_> = types.map(|it| format!("{it}/stop_task.tera")).collect();
    let mut of_each_type: Vec<_> = of_each_type.iter().map(String::as_str).collect();
    of_each_type.push("stop_task.tera");
    let sample = "samples/stop_task-by-iam-user.json";
    for (files, status, expected) in [
        (&[][..], 1, &["[folder]: it contains no template"][..]),
        (
            &["stop_task.html", "notes.txt"],
            1,
            &[
                "[folder]: it contains no template",
                "[folder]/notes.txt is not read: the name of a template must end with `.tera`",
                "[folder]/stop_task.html is not read",
            ],
        ),
        (
            &["stop_task.tera.bak"],
            1,
            &["[folder]/stop_task.tera.bak is not read"],
        ),
        (
            &["default.tera"],
            1,
            &[
                "none of its templates is ever used",
                "[folder]/default.tera is never used: each kind has its own template",
            ],
        ),
        (
            &["parts/unused.tera"],
            1,
            &["[folder]/parts/unused.tera is never used: no template that is used includes it"],
        ),
        (
            &[
                "stop_task.tera",
                "default.tera",
                "stop_task.txt",
                "README.md",
                "slack/below/x.tera",
            ],
            0,
            &[
                "ecs-parrot: [folder]/default.tera is never used",
                "ecs-parrot: [folder]/stop_task.txt is not read: the name of a template must end with `.tera`",
                "ecs-parrot: [folder]/slack/below is not read: only one level of folders is read",
            ],
        ),
        (
            &of_each_type[..],
            0,
            &[
                "[folder]/stop_task.tera is never used: each channel type has its own template for this kind",
            ],
        ),
        (&["stop_task.tera", "README.md"], 0, &[]),
        (&["slack/stop_task.tera"], 0, &[]),
        (&["parts/where.tera"], 0, &[]),
        (&["summary.tera"], 0, &[]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "own: {{ kind }}").unwrap();
        }
        let templates = folder.path().to_str().unwrap();
        for command in [&["preview", sample][..], &["notify", sample], &["config"]] {
            let run = ecs_parrot(command).env("TEMPLATES_DIR", templates);
            let shown = shown_in(folder.path(), run);
            assert!(
                shown.starts_with(&format!("exit status: {status}")),
                "{files:?}: {shown}"
            );
            for expected in expected {
                let expected = match command {
                    ["config"] => expected.trim_start_matches("ecs-parrot: "),
                    _ => expected,
                };
                assert!(shown.contains(expected), "{command:?} {files:?}: {shown}");
            }
            let warns = ["never used", "is not read"]
                .iter()
                .any(|it| shown.contains(it));
            assert!(!expected.is_empty() || !warns, "{files:?}: {shown}");
            assert!(!shown.contains("README.md"), "{shown}");
        }
    }
}

#[test]
fn a_part_that_a_custom_template_includes_is_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("parts")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("stop_task.tera", "{% include \"parts/first.tera\" %}");
    write("parts/first.tera", "one {% include 'parts/second.tera' %}");
    write("parts/second.tera", "two");
    let run = ecs_parrot(&["preview", "samples/stop_task-by-iam-user.json"])
        .env("TEMPLATES_DIR", folder.path().to_str().unwrap());
    let shown = run.shown();
    assert!(shown.contains("one two"), "{shown}");
    assert!(!shown.contains("never used"), "{shown}");
}

#[test]
fn config_lists_the_templates_in_force() {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in [
        ("stop_task.tera", "own"),
        ("slack/deployment.tera", "own"),
        ("parts/where.tera", "own"),
        ("default.tera", "own"),
    ] {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let run = ecs_parrot(&["config"]).env("TEMPLATES_DIR", folder.path().to_str().unwrap());
    let shown = shown_in(folder.path(), run);
    let (_, templates) = shown.split_once("templates:\n").unwrap();
    assert_snapshot!(templates);
}

/// In a custom template the argument of `time` must be a time. If the event has another text in place of a time, this
/// is not an error of the template.
#[test]
fn an_invalid_time_in_a_template_is_an_error_in_a_preview() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("task_stopped.tera");
    let mut event = crate::events::sample("task_stopped-out-of-memory");
    event["time"] = Value::from("yesterday");
    for (text, shown_as) in [
        (
            "{{ time(at=cluster) }}",
            Err("`prod-web` is not a time; allowed: happened_at, first_at"),
        ),
        (
            "{{ time(at=\"yesterday evening\") }}",
            Err("`yesterday evening` is not a time"),
        ),
        ("{{ time(at=count) }}", Err("`1` is not a time")),
        (
            "when {{ time(at=\"2026-11-21T15:00:00Z\") }}",
            Ok("when 2026-11-21 15:00:00 UTC"),
        ),
        ("when {{ time(at=expires_at) }}!", Ok("when !")),
        ("when {{ time(at=happened_at) }}!", Ok("when yesterday!")),
    ] {
        fs::write(&file, text).unwrap();
        let run = ecs_parrot(&["preview", "-"])
            .env("TEMPLATES_DIR", folder.path().to_str().unwrap())
            .input(&event.to_string());
        let shown = shown_in(folder.path(), run);
        let (status, expected) = match shown_as {
            Ok(expected) => ("exit status: 0", expected),
            Err(expected) => ("exit status: 1", expected),
        };
        assert!(
            shown.starts_with(status) && shown.contains(expected),
            "{text}: {shown}"
        );
    }
}

#[test]
fn a_wrong_custom_template_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("stop_task.tera");
    let sample = "samples/stop_task-by-iam-user.json";
    let templates = folder.path().to_str().unwrap();
    for (name, text) in [
        ("syntax", "{{ mark }}\n{% if reason %}never closed"),
        ("misspelt", "{{ mark }}\n{{ servce }}"),
        (
            "misspelt_condition",
            "{{ mark }}\n{% if servce %}x{% endif %}",
        ),
        ("unsafe", "{{ mark }}\n{{ reason | safe }}"),
        ("unknown_function", "{{ mark }}\n{{ shout(text=reason) }}"),
        ("empty", "{# nothing #}"),
    ] {
        fs::write(&template, text).unwrap();
        let run = ecs_parrot(&["preview", sample]).env("TEMPLATES_DIR", templates);
        assert_snapshot!(format!("template_{name}"), shown_in(folder.path(), run));
    }
    fs::remove_file(&template).unwrap();
    fs::write(folder.path().join("stop_tsk.tera"), "x").unwrap();
    let run = ecs_parrot(&["preview", sample]).env("TEMPLATES_DIR", templates);
    assert_snapshot!("template_of_an_unknown_kind", shown_in(folder.path(), run));
    fs::remove_file(folder.path().join("stop_tsk.tera")).unwrap();
    fs::create_dir(folder.path().join("slak")).unwrap();
    for (name, advice) in [
        (
            "slak/task_stopped.tera",
            "`slak` is not a channel type; did you mean `slack`?\n",
        ),
        (
            "slack.tera",
            "the templates of a channel type belong in its folder, such as `slack/stop_task.tera`\n",
        ),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, "x").unwrap();
        let run = ecs_parrot(&["preview", sample]).env("TEMPLATES_DIR", templates);
        let shown = shown_in(folder.path(), run);
        let expected =
            format!("[folder]/{name}: no message uses a template with this name; {advice}");
        assert!(shown.contains(&expected), "{shown}");
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn custom_templates_replace_the_built_in_ones() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("slack")).unwrap();
    fs::create_dir(folder.path().join("parts")).unwrap();
    fs::write(
        folder.path().join("stop_task.tera"),
        "own for all: {{ task_short }}",
    )
    .unwrap();
    fs::write(
        folder.path().join("slack/stop_task.tera"),
        "own for Slack: {{ bold(text=task_short) }}",
    )
    .unwrap();
    fs::write(
        folder.path().join("parts/where.tera"),
        "runbook: {{ link(url=\"https://wiki.example.com/ecs\", text=\"what to do\") }}",
    )
    .unwrap();
    let preview = |channel, sample| {
        ecs_parrot(&["preview", "--channel", channel, sample])
            .env("TEMPLATES_DIR", folder.path().to_str().unwrap())
            .shown()
    };
    assert_snapshot!(format!(
        "{}\n{}\n{}",
        preview("slack", "samples/stop_task-by-iam-user.json"),
        preview("flowdock", "samples/stop_task-by-iam-user.json"),
        preview("slack", "samples/deployment-rollback.json"),
    ));
}

#[tokio::test]
async fn notify_delivers_to_the_configured_channel() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_string("ok"))
        .mount(&server)
        .await;
    let uri = format!("{}/hook", server.uri());
    let shown = tokio::task::spawn_blocking(move || {
        ecs_parrot(&[
            "notify",
            "samples/stop_task-by-iam-user.json",
            "samples/task_stopped-scaled-in-exit-0.json",
        ])
        .env("SLACK_WEBHOOKURL", &uri)
        .shown()
    })
    .await
    .unwrap();
    assert_snapshot!(shown);
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn notify_fails_when_a_channel_does() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(404).set_body_string("channel_not_found"))
        .mount(&server)
        .await;
    let uri = format!("{}/very-secret-hook", server.uri());
    let shown = tokio::task::spawn_blocking(move || {
        ecs_parrot(&["notify", "samples/stop_task-by-iam-user.json"])
            .env("SLACK_WEBHOOKURL", &uri)
            .shown()
    })
    .await
    .unwrap();
    assert_snapshot!(shown);
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[test]
fn the_functions_explain_themselves_when_run_by_hand() {
    for program in [
        env!("CARGO_BIN_EXE_parrot"),
        env!("CARGO_BIN_EXE_run-from-queue"),
        env!("CARGO_BIN_EXE_deploy-hook"),
    ] {
        let output = Command::new(program).env_clear().output().unwrap();
        assert!(!output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.contains("cargo lambda watch") && text.contains("`ecs-parrot`"),
            "{text}"
        );
    }
}

#[test]
fn a_slack_app_uses_the_templates_of_slack() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("slack")).unwrap();
    fs::write(folder.path().join("stop_task.tera"), "for all").unwrap();
    fs::write(folder.path().join("slack/stop_task.tera"), "for Slack").unwrap();
    let preview = |channel: &str| {
        ecs_parrot(&[
            "preview",
            "--channel",
            channel,
            "samples/stop_task-by-iam-user.json",
        ])
        .env("TEMPLATES_DIR", folder.path().to_str().unwrap())
        .shown()
    };
    for (channel, text) in [
        ("slack", "for Slack"),
        ("slack_app", "for Slack"),
        ("flowdock", "for all"),
    ] {
        assert!(preview(channel).contains(text), "{channel}");
    }
    // A folder of its own comes first.
    fs::create_dir(folder.path().join("slack_app")).unwrap();
    fs::write(
        folder.path().join("slack_app/stop_task.tera"),
        "for the app",
    )
    .unwrap();
    assert!(preview("slack_app").contains("for the app"));
    assert!(preview("slack").contains("for Slack"));
}

#[test]
fn a_template_of_a_thread_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let text = "{{ mark }} mine: {{ thread.says or event_headline }}";
    fs::write(folder.path().join("incident.tera"), text).unwrap();
    let shown = ecs_parrot(&["replay", "samples/stories/crash-loop.json"])
        .env("TEMPLATES_DIR", folder.path().to_str().unwrap())
        .shown();
    assert!(shown.contains("mine: mailer in prod-web: task"), "{shown}");
    assert!(shown.contains("mine: is still failing: "), "{shown}");
}

#[test]
fn a_replay_of_events_without_any_time_happens_now() {
    let mut event = crate::events::sample("stop_task-by-iam-user");
    event["time"] = Value::Null;
    event["detail"]["eventTime"] = Value::Null;
    let shown = ecs_parrot(&["replay", "-"])
        .input(&event.to_string())
        .shown();
    assert!(shown.contains("Z post 1: "), "{shown}");
    assert!(!shown.contains("1970"), "{shown}");
}
