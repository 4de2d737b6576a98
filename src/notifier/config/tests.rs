mod channels;
mod escalations;

use std::time::Duration;

use serde_json::{Value, json};
use strum::VariantArray as _;

use super::*;
use crate::ecs::archive::Archive;
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::Kind;
use crate::notifier::channel::{Minimum, Operation};
use crate::notifier::message::{Message, MessageFacts};
use crate::notifier::policy::{CallWord, DropReason, Selection, Severity};

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn problems(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let error = NotifierConfig::read(&environment(pairs)).unwrap_err();
    error
        .0
        .into_iter()
        .map(|problem| (problem.variable, problem.problem))
        .collect()
}

/// The payload of a critical message in a channel.
fn payload(config: &NotifierConfig, index: usize) -> Value {
    let message = Message {
        kind: Kind::TaskStopped,
        severity: Severity::Critical,
        urgent: true,
        mentions: true,
        subjects: Vec::new(),
        headline: "web failed".to_owned(),
        details: Vec::new(),
        facts: MessageFacts::default(),
        thread: None,
    };
    let channel = &config.channels.configured[index].channel;
    channel.payload(&message, Operation::Post).unwrap()
}

fn minimums(config: &NotifierConfig) -> Vec<Minimum> {
    let channels = config.channels.configured.iter();
    channels.map(|it| it.minimum).collect()
}

fn channel_names(config: &NotifierConfig) -> Vec<String> {
    let channels = config.channels.configured.iter();
    channels.map(|it| it.name.clone()).collect()
}

#[test]
fn without_variables_the_channel_is_the_terminal() {
    let config = NotifierConfig::read(&[]).unwrap();
    assert_eq!(channel_names(&config), ["terminal"]);
    assert!(config.warnings.is_empty());
}

#[test]
fn the_variables_of_carnival_keep_their_meaning() {
    let config = NotifierConfig::read(&environment(&[
        (
            "SLACK_WEBHOOKURL",
            "https://hooks.example.com/services/T/B/x",
        ),
        ("SLACK_CHANNEL", "#devops"),
        ("SLACK_USERNAME", "ECSParrot"),
        ("SLACK_ICON_EMOJI", ":bird:"),
        ("SLACK_QUIET", "True"),
        ("FLOWDOCK_API_TOKEN", "DISABLED"),
        ("FLOWDOCK_QUIET", "False"),
        (
            "IGNORED_EXIT_CODE_CONTAINER_NAMES",
            "mongo-router::fake-test",
        ),
    ]))
    .unwrap();
    assert_eq!(
        config.filter.policy.ignored_containers,
        ["mongo-router", "fake-test"]
    );
    assert_eq!(minimums(&config), [Minimum::Urgent]);
    let payload = payload(&config, 0);
    assert_eq!(payload["channel"], "#devops");
    assert_eq!(payload["icon_emoji"], ":bird:");
}

#[test]
fn keep_and_drop_accept_execute_command() {
    let variables = [
        ("KEEP", "execute_command, rebalancing"),
        ("DROP", "execute_command"),
    ];
    let policy = NotifierConfig::read(&environment(&variables))
        .unwrap()
        .filter
        .policy;
    let session = Selection::Call(CallWord::ExecuteCommand);
    let reason = Selection::Reason(DropReason::Rebalancing);
    assert_eq!(
        (policy.keep, policy.drop),
        (vec![session, reason], vec![session])
    );
}

#[test]
fn empty_and_disabled_are_unset() {
    for value in ["", " ", "DISABLED", "disabled"] {
        let config = NotifierConfig::read(&environment(&[
            ("SLACK_WEBHOOKURL", value),
            ("FLOWDOCK_API_TOKEN", value),
        ]));
        assert_eq!(channel_names(&config.unwrap()), ["terminal"], "{value:?}");
    }
}

#[test]
fn flowdock_beside_slack_needs_a_server() {
    let slack = ("SLACK_WEBHOOKURL", "https://hooks.example.com/x");
    let token = ("FLOWDOCK_API_TOKEN", "abc123");
    let url = ("FLOWDOCK_URL", "http://127.0.0.1:8080/");
    let alone = NotifierConfig::read(&environment(&[slack, token])).unwrap();
    assert_eq!(channel_names(&alone), ["slack"]);
    assert_eq!(alone.warnings.len(), 1);
    let both = NotifierConfig::read(&environment(&[slack, token, url])).unwrap();
    assert_eq!(channel_names(&both), ["slack", "flowdock"]);
    assert!(both.warnings.is_empty());
    let shown = &both.channels.shown[1].settings;
    let url = shown.iter().find(|it| it.name == "url").unwrap();
    assert_eq!(
        (url.value.as_str(), url.source.as_str()),
        ("http://127.0.0.1:8080", "FLOWDOCK_URL")
    );
}

#[test]
fn all_problems_are_reported_at_once_without_secrets() {
    let secret = "http://hooks.example.com/services/T/B/very-secret";
    let wrong = [
        ("SLACK_WEBHOOKURL", secret),
        ("SLACK_QUIET", "maybe"),
        ("SLACK_MENTION", "@here"),
        ("FLOWDOCK_API_TOKEN", "a/../very-secret"),
        ("FLOWDOCK_URL", "ftp://example.com"),
        ("IGNORED_CLUSTERS", "a[b"),
        ("KEEP", "task_stopped,nonsense"),
        ("DROP", "routine_stop"),
        ("TEMPLATES_DIR", "/nonexistent/templates"),
        ("ENRICH", "perhaps"),
        ("LOOKUP_ROLE", "arn:aws:iam::123456789012:role/lookup"),
        ("LOOKUP_EXTERNAL_ID", "#"),
        ("LOG_TAIL_LINES", "51"),
        ("LOG_TAIL_MASK", "password=("),
        ("STATE_TABLE", "two words"),
        ("REMIND_AFTER", "15m,5m"),
        ("RESOLVE_AFTER", "soon"),
        ("STORM_AFTER", "many"),
        ("ARCHIVE_LOG_GROUP", "/aws/events/my events"),
        ("IGNORED_EXIT_CODE_CONTAINER_NAMES", "a,b"),
        ("SLACK_CHANNEL", "\u{fffd}"),
    ];
    let found: Vec<_> = problems(&wrong)
        .into_iter()
        .map(|(variable, _)| variable)
        .collect();
    let mut expected: Vec<_> = wrong
        .iter()
        .map(|(variable, _)| (*variable).to_owned())
        .collect();
    let mut sorted = found.clone();
    sorted.sort();
    expected.sort();
    assert_eq!(sorted, expected);
    let error = NotifierConfig::read(&environment(&wrong)).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("very-secret"));
    assert!(
        error
            .to_string()
            .contains("KEEP: `nonsense` is not a known word; allowed: kinds, causes and reasons")
    );
}

/// Each wrong word is a problem with its own advice. At most one problem lists all words.
#[test]
fn a_wrong_word_is_reported_with_the_right_one() {
    for (variable, value, expected) in [
        (
            "KEEP",
            "stop_tsk",
            "`stop_tsk` is not a known word; did you mean `stop_task`?",
        ),
        (
            "KEEP",
            "StedyState",
            "`StedyState` is not a known word; did you mean `steady_state`?",
        ),
        (
            "DROP",
            "outofmemory",
            "`outofmemory` is not a known word; did you mean `out_of_memory`?",
        ),
        (
            "DROP",
            "task-stopped",
            "`task-stopped` is not a known word; did you mean `task_stopped`?",
        ),
        (
            "DROP",
            "steady_state",
            "`steady_state` cannot be used here; events with this reason are dropped anyway; only KEEP accepts it",
        ),
        (
            "KEEP",
            "not_ecs",
            "`not_ecs` cannot be used here; events with this reason are not about Amazon ECS",
        ),
        (
            "KEEP",
            "ignored_cluster",
            "`ignored_cluster` cannot be used here; IGNORED_CLUSTERS drops these events; remove the cluster from IGNORED_CLUSTERS instead",
        ),
        (
            "DROP",
            "ignored_cluster",
            "`ignored_cluster` cannot be used here; events with this reason are dropped anyway",
        ),
        (
            "DROP",
            "foo",
            &format!(
                "`foo` is not a known word; allowed: kinds and causes: {}",
                words_of_drop().join(", ")
            ),
        ),
        (
            "KEEP",
            "finished stop_task",
            "`finished stop_task` is not a known word; separate words by `,`",
        ),
        (
            "KEEP",
            "finished::stop_task",
            "`finished::stop_task` is not a known word; separate words by `,`",
        ),
    ] {
        let error = NotifierConfig::read(&environment(&[(variable, value)])).unwrap_err();
        assert_eq!(error.to_string(), format!("{variable}: {expected}"));
    }
    let error = NotifierConfig::read(&environment(&[("DROP", "foo,bar,baz")])).unwrap_err();
    let lines: Vec<_> = error.0.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[..2].iter().all(|line| line.len() < 150), "{lines:?}");
    let braces =
        NotifierConfig::read(&environment(&[("IGNORED_CLUSTERS", "dev-{a,b}")])).unwrap_err();
    let expected = "allowed: glob patterns separated by commas; a comma within `{…}` separates too, so write each pattern in full, `dev-a,dev-b`";
    assert!(braces.to_string().ends_with(expected), "{braces}");
}

fn words_of_drop() -> Vec<&'static str> {
    let kinds = Kind::VARIANTS.iter().filter(|it| **it != Kind::DidNotRun);
    let kinds = kinds.map(<&str>::from);
    let causes = Cause::VARIANTS.iter().map(<&str>::from);
    let calls = CallWord::VARIANTS.iter().map(<&str>::from);
    kinds.chain(causes).chain(calls).collect()
}

/// In the function, only the operator sets variables.
const IN_FUNCTION: (&str, &str) = ("AWS_LAMBDA_FUNCTION_NAME", "parrot");
const CHANNEL: (&str, &str) = ("SLACK_WEBHOOKURL", "https://hooks.example.com/x");

fn warnings(pairs: &[(&str, &str)]) -> Vec<String> {
    NotifierConfig::read(&environment(pairs)).unwrap().warnings
}

/// A misspelt variable would not be read, and nothing would be posted.
#[test]
fn a_misspelt_variable_is_an_error() {
    for (name, meant) in [
        ("SLACK_WEBHOOK_URL", "SLACK_WEBHOOKURL"),
        ("SLACK_WEBHOOK", "SLACK_WEBHOOKURL"),
        ("SLACK_WEBHOOKURI", "SLACK_WEBHOOKURL"),
        ("Slack_WebhookUrl", "SLACK_WEBHOOKURL"),
        ("FLOWDOCK_APITOKEN", "FLOWDOCK_API_TOKEN"),
        ("SLACK_CHANEL", "SLACK_CHANNEL"),
        ("SLACK_QUITE", "SLACK_QUIET"),
        ("SLACK-QUIET", "SLACK_QUIET"),
        ("STATE_TABEL", "STATE_TABLE"),
        ("ARCHIVE_LOGGROUP", "ARCHIVE_LOG_GROUP"),
        ("REMIND_AFTR", "REMIND_AFTER"),
        ("TEMPLATE_DIR", "TEMPLATES_DIR"),
        ("KEPE", "KEEP"),
        ("IGNORE_CLUSTERS", "IGNORED_CLUSTERS"),
        ("LOG_TAIL_LINE", "LOG_TAIL_LINES"),
    ] {
        let misspelt = (name, "https://example.com/very-secret");
        let expected = format!("{name}: there is no such variable; did you mean `{meant}`?");
        let in_function = NotifierConfig::read(&environment(&[IN_FUNCTION, misspelt]));
        assert_eq!(in_function.unwrap_err().to_string(), expected);
        // In a shell it is an error only for variables that decide where messages go.
        let in_shell = NotifierConfig::read(&environment(&[misspelt]));
        match meant {
            "SLACK_WEBHOOKURL" | "FLOWDOCK_API_TOKEN" | "SLACK_CHANNEL" => {
                assert_eq!(in_shell.unwrap_err().to_string(), expected);
            }
            _ => {
                let expected = expected.replacen(':', " is not read:", 1);
                assert_eq!(in_shell.unwrap().warnings, [expected]);
            }
        }
    }
}

/// A variable that is `DISABLED` counts as unset, so the misspelt one is probably meant.
#[test]
fn a_misspelt_channel_beside_one_that_is_off_is_an_error() {
    let off = ("SLACK_WEBHOOKURL", "DISABLED");
    let meant = ("SLACK_WEBHOOK_URL", "https://hooks.example.com/x");
    let found = problems(&[IN_FUNCTION, off, meant]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "SLACK_WEBHOOK_URL");
    let warned = warnings(&[IN_FUNCTION, CHANNEL, meant]);
    let expected =
        "SLACK_WEBHOOK_URL is not read: there is no such variable, and SLACK_WEBHOOKURL is set";
    assert_eq!(warned, [expected]);
}

/// A variable that only begins like a known one must not stop a working configuration.
#[test]
fn a_similar_name_is_a_warning_if_a_channel_is_set() {
    for name in [
        "SLACK_BOT_TOKEN",
        "SLACK_CHANNEL_ID",
        "SLACK_USER",
        "SLACK_SIGNING_SECRET",
    ] {
        let foreign = (name, "xoxb-very-secret");
        for set in [&[IN_FUNCTION, CHANNEL, foreign][..], &[foreign]] {
            let warned = warnings(set).join(" ");
            let start = format!("{name} is not read: there is no such variable; ");
            assert!(warned.starts_with(&start), "{warned}");
            assert!(!warned.contains("very-secret"), "{warned}");
        }
        let error = NotifierConfig::read(&environment(&[IN_FUNCTION, foreign])).unwrap_err();
        let start = format!("{name}: there is no such variable; allowed: SLACK_");
        assert!(error.to_string().starts_with(&start), "{error}");
        assert!(!error.to_string().contains("very-secret"), "{error}");
    }
}

/// Parts of known names, and other forms of their words, give a warning.
#[test]
fn a_part_of_a_name_is_a_warning() {
    for (name, meant) in [
        ("WEBHOOK_URL", "SLACK_WEBHOOKURL"),
        ("WEBHOOKURL", "SLACK_WEBHOOKURL"),
        ("LOG_LINES", "LOG_TAIL_LINES"),
        ("IGNORE_CONTAINERS", "IGNORED_EXIT_CODE_CONTAINER_NAMES"),
        ("TABLE", "STATE_TABLE"),
        ("TEMPLATES", "TEMPLATES_DIR"),
        ("TEMPLATES_DIRECTORY", "TEMPLATES_DIR"),
        ("MENTION", "SLACK_MENTION"),
        ("API_TOKEN", "FLOWDOCK_API_TOKEN"),
    ] {
        let expected =
            format!("{name} is not read: there is no such variable; did you mean `{meant}`?");
        let warned = warnings(&[IN_FUNCTION, (name, "very-secret")]);
        assert_eq!(warned, [expected]);
    }
    let expected =
        "QUIET is not read: there is no such variable; allowed: FLOWDOCK_QUIET, SLACK_QUIET";
    assert_eq!(warnings(&[IN_FUNCTION, ("QUIET", "true")]), [expected]);
    for name in ["LOG_TAIL", "LOG_TAIL_COUNT"] {
        let warned = warnings(&[IN_FUNCTION, (name, "20")]);
        assert_eq!(warned.len(), 1, "{name}: {warned:?}");
    }
    // The right variable is set, so this one belongs to another program.
    assert_eq!(warnings(&[CHANNEL, ("WEBHOOK_URL", "x")]), [""; 0]);
}

/// A preview reads KEEP but no channel, and only warns.
#[test]
fn misspelt_variables_do_not_stop_a_preview() {
    let both = environment(&[
        ("KEPE", "other"),
        ("SLACK_QUITE", "true"),
        ("LOG_LINES", "1"),
    ]);
    assert!(Filter::read(&both).is_ok() && Lookup::read(&both).is_ok());
    let kept = "KEPE is not read: there is no such variable; did you mean `KEEP`?";
    let lines = "LOG_LINES is not read: there is no such variable; did you mean `LOG_TAIL_LINES`?";
    assert_eq!(preview_warnings(&both, false), [kept]);
    assert_eq!(preview_warnings(&both, true), [kept, lines]);
}

/// A shell has many variables of other programs.
#[test]
fn variables_of_other_programs_give_no_warning() {
    let foreign = [
        "PATH",
        "HOME",
        "LANG",
        "TERM",
        "SHELL",
        "PWD",
        "OLDPWD",
        "USER",
        "LOGNAME",
        "EDITOR",
        "PS1",
        "MAIL",
        "TZ",
        "DISPLAY",
        "HOSTNAME",
        "LS_COLORS",
        "SSH_AUTH_SOCK",
        "XDG_RUNTIME_DIR",
        "LC_ALL",
        "CI",
        "GITHUB_TOKEN",
        "GITHUB_RUN_ID",
        "CI_COMMIT_SHA",
        "JAVA_HOME",
        "CARGO_HOME",
        "RUST_LOG",
        "RUST_BACKTRACE",
        "NODE_ENV",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_LAMBDA_LOG_LEVEL",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_EXECUTION_ENV",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "LD_LIBRARY_PATH",
        "LOG_LEVEL",
        "LOG_FILE",
        "DEBUG",
        "PROMPT_COMMAND",
        "COMMAND_MODE",
        "DATABASE_URL",
        "TABLE_NAME",
        "CLUSTER",
        "SERVICE",
        "URL",
        "TOKEN",
        "DEDUP",
        "NO_PROXY",
        "SSL_MODE",
        "drop",
        "keep",
        "wait",
    ];
    let foreign: Vec<_> = foreign.iter().map(|name| (*name, "something")).collect();
    let environment = environment(&foreign);
    assert_eq!(
        NotifierConfig::read(&environment).unwrap().warnings,
        [""; 0]
    );
    assert_eq!(preview_warnings(&environment, true), [""; 0]);
}

/// In most shells it belongs to another program, so it is not an error there.
#[test]
fn a_channel_without_an_s_is_a_warning_in_a_shell() {
    let warned = warnings(&[("CHANNEL", "stable")]);
    assert!(warned[0].contains("did you mean `CHANNELS`?"), "{warned:?}");
    assert_eq!(problems(&[IN_FUNCTION, ("CHANNEL", "stable")]).len(), 1);
}

#[test]
fn log_tail_lines_and_masks_are_read() {
    let lookup = |pairs: &[(&str, &str)]| NotifierConfig::read(&environment(pairs)).unwrap().lookup;
    for pairs in [&[][..], &[("LOG_TAIL_LINES", "0"), ("LOG_TAIL_MASK", "a")]] {
        assert!(lookup(pairs).log_tail.is_none(), "{pairs:?}");
    }
    let pairs = [
        ("LOG_TAIL_LINES", " 20 "),
        ("LOG_TAIL_MASK", "a{1,2}::b\n\n  token=\\S+\n"),
    ];
    let log_tail = lookup(&pairs).log_tail.unwrap();
    let masks: Vec<_> = log_tail.masks.iter().map(|it| it.as_str()).collect();
    assert_eq!(
        (log_tail.lines, &masks[..]),
        (20, &["a{1,2}::b", "token=\\S+"][..])
    );
    for (wrong, problem) in [
        ("x*", "matches an empty text"),
        ("[", "not a regular expression"),
    ] {
        let found = problems(&[("LOG_TAIL_MASK", wrong)]);
        assert!(
            found.len() == 1 && found[0].1.contains(problem),
            "{found:?}"
        );
    }
    let unused = [("LOG_TAIL_LINES", "5"), ("ENRICH", "false")];
    let warnings = NotifierConfig::read(&environment(&unused))
        .unwrap()
        .warnings;
    assert_eq!(
        warnings,
        ["LOG_TAIL_LINES has no effect while ENRICH is false"]
    );
}

#[test]
fn the_times_of_threads_are_read() {
    let threads = |pairs: &[(&str, &str)]| Filter::read(&environment(pairs)).unwrap().threads;
    let default = ThreadSettings {
        expectations: Some(Vec::new()),
        ..ThreadSettings::default()
    };
    assert_eq!(threads(&[]), default);
    // The defaults as `config` and the pages show them.
    let shown = [
        ("REMIND_AFTER", values::REMIND_AFTER),
        ("RESOLVE_AFTER", values::RESOLVE_AFTER),
        ("STORM_AFTER", values::STORM_AFTER),
    ];
    assert_eq!(threads(&shown), default);
    // An empty variable counts as unset.
    let empty = shown.map(|(name, _)| (name, " "));
    assert_eq!(threads(&empty), default);

    for (value, seconds) in [
        ("90", vec![90]),
        ("1s", vec![1]),
        (" 5m , 1h,24h ", vec![300, 3_600, 86_400]),
        ("90s,2m,1h 30m", vec![90, 120, 5_400]),
        ("DISABLED", vec![]),
        ("disabled", vec![]),
    ] {
        let seconds: Vec<_> = seconds.into_iter().map(Duration::from_secs).collect();
        let found = threads(&[("REMIND_AFTER", value)]).remind_after;
        assert_eq!(found, seconds, "{value}");
    }
    for (value, seconds) in [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7_200)] {
        let found = threads(&[("RESOLVE_AFTER", value)]).resolve_after;
        assert_eq!(found, Duration::from_secs(seconds), "{value}");
    }
    for (value, number) in [("0", 0), ("1", 1), (" 12 ", 12)] {
        let found = threads(&[("STORM_AFTER", value)]).storm_after;
        assert_eq!(found, number, "{value}");
    }
}

/// The archive is in the function's region, which Lambda sets.
#[test]
fn the_archive_is_in_the_functions_region() {
    let name = "/aws/events/ecs-parrot-dev";
    let read = |pairs: &[(&str, &str)]| {
        let config = NotifierConfig::read(&environment(pairs)).unwrap();
        (config.filter.archive, config.warnings)
    };
    let (archive, warnings) = read(&[("ARCHIVE_LOG_GROUP", name), ("AWS_REGION", "eu-west-1")]);
    let expected = Archive {
        region: "eu-west-1".to_owned(),
        log_group: name.to_owned(),
    };
    assert_eq!(archive, Some(expected));
    assert_eq!(warnings, [""; 0]);
    for unset in [
        &[("ARCHIVE_LOG_GROUP", " "), ("AWS_REGION", "eu-west-1")][..],
        &[("AWS_REGION", "eu-west-1")],
    ] {
        assert_eq!(read(unset), (None, Vec::new()), "{unset:?}");
    }
    let without_region = [("ARCHIVE_LOG_GROUP", name), ("AWS_REGION", "")];
    let warning = "ARCHIVE_LOG_GROUP has no effect, because AWS_REGION is not set";
    assert_eq!(read(&without_region), (None, vec![warning.to_owned()]));
    let of_preview = preview_warnings(&environment(&without_region), false);
    assert_eq!(of_preview, [warning]);

    let too_long = "a".repeat(513);
    for wrong in [
        "two words",
        "arn:aws:logs:eu-west-1:1:log-group:x",
        "é",
        &too_long,
    ] {
        let found = problems(&[("ARCHIVE_LOG_GROUP", wrong)]);
        let names: Vec<_> = found.into_iter().map(|(variable, _)| variable).collect();
        assert_eq!(names, ["ARCHIVE_LOG_GROUP"], "{wrong}");
    }
}

#[test]
fn the_dimensions_of_metrics_are_read() {
    let read = |value: &str| {
        let config = NotifierConfig::read(&environment(&[("METRICS_BY", value)])).unwrap();
        config
            .metrics_by
            .into_iter()
            .map(<&str>::from)
            .collect::<Vec<_>>()
    };
    assert_eq!(read(""), Vec::<&str>::new());
    assert_eq!(read("service"), ["service"]);
    assert_eq!(read(" service , cluster,service"), ["cluster", "service"]);
    for (value, expected) in [
        (
            "clusters",
            "`clusters` is not a known word; did you mean `cluster`?",
        ),
        (
            "Service",
            "`Service` is not a known word; did you mean `service`?",
        ),
        (
            "family",
            "`family` is not a known word; allowed: `cluster`, `service`, or both, separated by `,`",
        ),
        (
            "cluster;service",
            "`cluster;service` is not a known word; allowed: `cluster`, `service`, or both, separated by `,`",
        ),
    ] {
        let error = NotifierConfig::read(&environment(&[("METRICS_BY", value)])).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn wrong_times_of_threads_are_reported() {
    const LIST: &str = "is not a list of durations in rising order; allowed: durations separated by commas, such as `5m,15m,1h,4h,24h`; the last one repeats; or DISABLED";
    const DURATION: &str = "is not a duration; allowed: a number of seconds, or a number with a unit, such as 90s, 10m, 2h";
    const NUMBER: &str =
        "is not an allowed number; allowed: a number of services, such as 5; 0 turns storms off";
    for (variable, values, expected) in [
        (
            "REMIND_AFTER",
            vec![
                "soon",
                "5mm",
                "5 mn,1h",
                "5x",
                "15m,5m",
                "5m,5m",
                "1h,5m,24h",
                "-5m",
                "5m,-1h",
                "0",
                "0s,5m",
                ",",
                "5m;15m",
                "5m,DISABLED",
                "none",
                "off",
                "99999999999999999h",
            ],
            LIST,
        ),
        (
            "RESOLVE_AFTER",
            vec![
                "soon",
                "5mm",
                "5 mn",
                "-5m",
                "-300",
                "0",
                "0s",
                "5m,10m",
                "DISABLED",
                "99999999999999999h",
            ],
            DURATION,
        ),
        (
            "STORM_AFTER",
            vec!["five", "-1", "2.5", "5m", "DISABLED", "99999999999999999h"],
            NUMBER,
        ),
    ] {
        for value in values {
            let error = NotifierConfig::read(&environment(&[(variable, value)])).unwrap_err();
            let expected = format!("{variable}: `{value}` {expected}");
            assert_eq!(error.to_string(), expected);
        }
    }
}

#[test]
fn http_is_allowed_for_loopback_only() {
    for allowed in [
        "http://localhost:1/x",
        "http://127.0.0.9/x",
        "http://[::1]:8080/x",
    ] {
        assert!(
            NotifierConfig::read(&environment(&[("SLACK_WEBHOOKURL", allowed)])).is_ok(),
            "{allowed}"
        );
    }
    for refused in [
        "http://example.com/x",
        "http://localhost.example.com/x",
        "http://127.0.0.1.example.com/x",
        "https://user:pass@example.com/x",
        "hooks.slack.com/services/x",
        "javascript:alert(1)",
        // Such a host is written in Punycode.
        "https://chät.example.com/x",
    ] {
        assert_eq!(
            problems(&[("SLACK_WEBHOOKURL", refused)]).len(),
            1,
            "{refused}"
        );
    }
}

#[test]
fn names_of_variables_are_case_sensitive() {
    let config = NotifierConfig::read(&environment(&[
        ("slack_quiet", "perhaps"),
        ("drop", "nonsense"),
        ("Slack_WebhookUrl", "nonsense"),
        ("SLACK_QUIET", "true"),
        ("SLACK_WEBHOOKURL", " https://hooks.example.com/x "),
    ]))
    .unwrap();
    assert_eq!(minimums(&config), [Minimum::Urgent]);
    assert!(config.filter.policy.drop.is_empty());
}

#[test]
fn a_path_can_be_appended_to_a_flowdock_address() {
    let token = ("FLOWDOCK_API_TOKEN", "abc");
    for refused in [
        "https://chat.example.com/?a=b",
        "https://chat.example.com/#c",
    ] {
        assert_eq!(
            problems(&[token, ("FLOWDOCK_URL", refused)]).len(),
            1,
            "{refused}"
        );
    }
    for refused in ["..", ".", "a/b", "a b"] {
        assert_eq!(
            problems(&[("FLOWDOCK_API_TOKEN", refused)]).len(),
            1,
            "{refused}"
        );
    }
}

#[test]
fn secrets_may_be_references() {
    for name in ["SLACK_WEBHOOKURL", "FLOWDOCK_API_TOKEN"] {
        for reference in ["ssm:/ops/webhook", "secretsmanager:chat:slack"] {
            assert!(
                NotifierConfig::read(&environment(&[(name, reference)])).is_ok(),
                "{name} {reference}"
            );
        }
        for wrong in ["ssm:", "secretsmanager:chat:"] {
            let found = problems(&[(name, wrong)]);
            assert!(found[0].1.contains("a parameter or a secret"), "{found:?}");
        }
    }
}

#[test]
fn accounts_have_names() {
    let read = |value: &str| NotifierConfig::read(&environment(&[("ACCOUNT_NAMES", value)]));
    for (value, names, uses_alias) in [
        ("", &[][..], false),
        ("ALIAS", &[], true),
        (
            " 210987654321 = prod , ALIAS",
            &[("210987654321", "prod")],
            true,
        ),
        (
            "210987654321=prod,123456789012=a=b",
            &[("210987654321", "prod"), ("123456789012", "a=b")],
            false,
        ),
    ] {
        let filter = read(value).unwrap().filter;
        let found: Vec<_> = filter.policy.account_names.into_iter().collect();
        let mut expected: Vec<_> = names
            .iter()
            .map(|(account, name)| ((*account).to_owned(), (*name).to_owned()))
            .collect();
        expected.sort();
        assert_eq!(
            (found, filter.uses_alias),
            (expected, uses_alias),
            "{value}"
        );
    }
    for (value, problem) in [
        ("prod", "`prod` is no account number with a name"),
        ("alias", "`alias` is no account number with a name"),
        ("21=prod", "`21` is no account number; it has 12 digits"),
        ("210987654321=", "the account `210987654321` has no name"),
        (
            "210987654321=a,210987654321=b",
            "the account `210987654321` has two names",
        ),
        (
            &format!("210987654321={}", "ä".repeat(51)),
            "the name of `210987654321` is longer than 50 characters",
        ),
    ] {
        let expected = format!(
            "ACCOUNT_NAMES: {problem}; allowed: account numbers with names, such as `210987654321=prod,123456789012=staging`, and `ALIAS`"
        );
        assert_eq!(read(value).unwrap_err().to_string(), expected, "{value}");
    }
    let set = environment(&[("ACCOUNT_NAMES", "ALIAS"), ("ENRICH", "false")]);
    let warnings = NotifierConfig::read(&set).unwrap().warnings;
    let warning = "ACCOUNT_NAMES: `ALIAS` has no effect while ENRICH is false";
    assert!(warnings.iter().any(|it| it == warning), "{warnings:?}");
}

#[test]
fn mentions_are_in_slack_markup() {
    for allowed in ["<!subteam^S0123>", "<@U0123> <!here>", "<!channel>"] {
        assert!(
            NotifierConfig::read(&environment(&[("SLACK_MENTION", allowed)])).is_ok(),
            "{allowed}"
        );
    }
    for refused in ["@here", "<https://example.com|x>", "<@>", "hello <!here>"] {
        assert_eq!(
            problems(&[("SLACK_MENTION", refused)]).len(),
            1,
            "{refused}"
        );
    }
}

#[test]
fn a_preview_does_not_check_channels() {
    let wrong = environment(&[("SLACK_WEBHOOKURL", "nonsense"), ("KEEP", "routine_stop")]);
    assert_eq!(Filter::read(&wrong).unwrap().policy.keep.len(), 1);
}

#[test]
fn settings_show_no_secret() {
    let set = environment(&[
        ("SLACK_WEBHOOKURL", "https://example.com/very-secret"),
        ("KEEP", "other"),
    ]);
    let settings = settings(&set);
    assert!(!format!("{settings:?}").contains("very-secret"));
    let password = environment(&[("FLOWDOCK_URL", "https://user:very-secret@example.com")]);
    assert!(!format!("{:?}", super::settings(&password)).contains("very-secret"));
    let misplaced = environment(&[("KEEP", "https://example.com/very-secret")]);
    assert!(!format!("{:?}", super::settings(&misplaced)).contains("very-secret"));
    let flowdock = [(
        "FLOWDOCK_URL",
        "https://hooks.slack.com/services/very-secret",
    )];
    let shown = format!("{:?}", super::settings(&environment(&flowdock)));
    assert!(shown.contains("\"https://hooks.slack.com\""), "{shown}");
    assert!(!shown.contains("very-secret"), "{shown}");
    for name in [
        "SLACK_CHANNEL",
        "SLACK_USERNAME",
        "FLOWDOCK_URL",
        "TEMPLATES_DIR",
        "ARCHIVE_LOG_GROUP",
        "DROP",
    ] {
        for secret in ["xoxb-very-secret", "0123456789abcdef0123456789abcdef"] {
            let shown = format!("{:?}", super::settings(&environment(&[(name, secret)])));
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    for (name, value) in [
        ("IGNORED_CLUSTERS", "dev-*,staging-1,staging-2,staging-3"),
        (
            "STATE_TABLE",
            "arn:aws:dynamodb:eu-west-1:210987654321:table/posted",
        ),
        (
            "ARCHIVE_LOG_GROUP",
            "/aws/events/ecs-parrot-production-eu-west-1",
        ),
    ] {
        let shown = format!("{:?}", super::settings(&environment(&[(name, value)])));
        assert!(shown.contains(value), "{shown}");
    }
    let keep = settings
        .iter()
        .find(|setting| setting.name == "KEEP")
        .unwrap();
    assert_eq!(
        (keep.value.as_str(), keep.source),
        ("other", Source::Environment)
    );
    assert_eq!(
        settings.len(),
        crate::config::names_of::<NotifierVariables>().len()
    );
}
