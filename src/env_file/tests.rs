use super::*;

/// The problems of a file with these settings below `mysettings`.
fn problems_of(settings: &str) -> Vec<String> {
    let indented: String = settings.lines().map(|line| format!("  {line}\n")).collect();
    let text = format!("mysettings:\n{indented}");
    let findings = check(&text).err().unwrap_or_default();
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn an_unknown_key_gets_a_suggestion() {
    for (settings, expected) in [
        (
            "slack:\n  webhook_url: https://hooks.example.com/very-secret",
            "3: slack.webhook_url: there is no such key; did you mean `slack.webhookurl`?",
        ),
        (
            "slack:\n  quite: true",
            "3: slack.quite: there is no such key; did you mean `slack.quiet`?",
        ),
        (
            "webhookurl: https://hooks.example.com/very-secret",
            "2: webhookurl: there is no such key; did you mean `slack.webhookurl`?",
        ),
        (
            "slack.webhookurl: https://hooks.example.com/very-secret",
            "2: slack.webhookurl: there is no such key; write `slack: {webhookurl: …}`",
        ),
        (
            "slack.webhook_url: https://hooks.example.com/very-secret",
            "2: slack.webhook_url: there is no such key; write `slack: {webhookurl: …}`",
        ),
        (
            "ignored:\n  exit_code.container_name: web",
            "3: ignored.exit_code.container_name: there is no such key; write `exit_code: {container_names: …}`",
        ),
        (
            "memory: 256\nslak: {quiet: true}",
            "3: slak: there is no such key; did you mean `slack`?",
        ),
        (
            "state_tabel: events",
            "2: state_tabel: there is no such key; did you mean `state_table`?",
        ),
        (
            "resolve_afer: 5m",
            "2: resolve_afer: there is no such key; did you mean `resolve_after`?",
        ),
        (
            "hook_events: true",
            "2: hook_events: there is no such key; did you mean `deploy_hook.hook_events`?",
        ),
        (
            "rules: {apicalls: false}",
            "2: rules.apicalls: there is no such key; did you mean `rules.api_calls`?",
        ),
        (
            "rules: {scheduled: false}",
            "2: rules.scheduled: there is no such key; allowed: api_calls, native, health, scaling, alarms, code_deploy, instances",
        ),
        (
            "rules: {codedeploy: true}",
            "2: rules.codedeploy: there is no such key; did you mean `rules.code_deploy`?",
        ),
        (
            "archive_retentoin: 7",
            "2: archive_retentoin: there is no such key; did you mean `archive_retention`?",
        ),
        (
            "slack: https://hooks.example.com/very-secret",
            "2: slack: expected keys below it, but found a value; allowed: webhookurl, username, channel, icon_emoji, quiet, mention",
        ),
        (
            "ignored: {exit_code: web}",
            "2: ignored.exit_code: expected keys below it, but found a value; allowed: container_names",
        ),
    ] {
        assert_eq!(problems_of(settings), [expected], "{settings}");
    }
}

#[test]
fn top_level_keys_are_checked_too() {
    for (text, expected) in [
        (
            "mysetings:\n  keep: other\n",
            "1: mysetings: this key is not read; did you mean `mysettings`?",
        ),
        (
            "mysettings:\n  keep: other\nslack:\n  quiet: true\n",
            "3: slack: this key is not read; move it below `mysettings` and indent it by two spaces",
        ),
        (
            "mysettings:\n  keep: other\nchat: &chat {quiet: true}\n",
            "3: chat: this key is not read",
        ),
        (
            "chat: &chat {quiet: true}\nmysettings: {keep: other}\n",
            "1: chat: this key is not read",
        ),
        (
            "mysettings: [a]\n",
            "1: mysettings: expected keys below it, but found a value",
        ),
        ("- a\n", "1: the file: expected keys below it"),
        ("a: [\n", "the file: "),
        (
            "mysettings: {}\n---\nmysettings: {}\n",
            "3: the file: it holds more than one document",
        ),
        (
            "mysettings:\n  keep: other\n  keep: other\n",
            "3: the file: duplicated key",
        ),
    ] {
        let findings = check(text).unwrap_err();
        assert_eq!(findings.len(), 1, "{findings:?}");
        let found = findings[0].to_string();
        assert!(found.contains(expected), "{text}: {found}");
    }
}

#[test]
fn a_wrong_value_is_reported_with_what_is_allowed() {
    for (settings, expected) in [
        (
            "slack: {quiet: yes}",
            "2: slack.quiet: `yes` cannot be used; allowed: `true` or `false`",
        ),
        (
            "keep: foo",
            "2: keep: `foo` is not a known word; allowed: kinds, causes and reasons for dropping",
        ),
        (
            "drop: stop_tsk",
            "2: drop: `stop_tsk` is not a known word; did you mean `stop_task`?",
        ),
        (
            "keep: [steady_state]",
            "2: keep: expected a text, but found a list or keys; allowed: one text",
        ),
        (
            "ingest: queu",
            "2: ingest: `queu` cannot be used; did you mean `queue`?",
        ),
        (
            "ingest: kafka",
            "2: ingest: `kafka` cannot be used; allowed: queue, direct",
        ),
        (
            "log_level: info",
            "2: log_level: `info` cannot be used; did you mean `INFO`?",
        ),
        (
            "memory: 64",
            "2: memory: `64` cannot be used; allowed: 128 to 10240",
        ),
        (
            "timeout: soon",
            "2: timeout: `soon` cannot be used; allowed: 1 to 900",
        ),
        (
            "log_retention: 31",
            "2: log_retention: `31` cannot be used; allowed: 1, 3, 5",
        ),
        (
            "retry_attempts: 3",
            "2: retry_attempts: `3` cannot be used; allowed: 0 to 2",
        ),
        (
            "region: ireland",
            "2: region: `ireland` cannot be used; allowed: a region's name",
        ),
        (
            "stage: a b",
            "2: stage: `a b` cannot be used; allowed: letters, digits and `-`",
        ),
        (
            "trail: perhaps",
            "2: trail: `perhaps` cannot be used; allowed: `true` or `false`",
        ),
        (
            "log_tail: {lines: 99}",
            "2: log_tail.lines: `99` is not an allowed number; allowed: 0 to 50",
        ),
        (
            "remind_after: '15m,5m'",
            "2: remind_after: `15m,5m` is not a list of durations in rising order; allowed: durations separated by commas",
        ),
        (
            "remind_after: [5m, 15m]",
            "2: remind_after: expected a text, but found a list or keys; allowed: one text",
        ),
        (
            "resolve_after: 5mm",
            "2: resolve_after: `5mm` is not a duration; allowed: a number of seconds, or a number with a unit",
        ),
        (
            "resolve_after: false",
            "2: resolve_after: `false` is not a duration; allowed: ",
        ),
        (
            "storm_after: -1",
            "2: storm_after: `-1` is not an allowed number; allowed: a number of services",
        ),
        (
            "deploy_hook: {wait: stoped}",
            "2: deploy_hook.wait: `stoped` is not a known word; allowed: `stopped` or `started`",
        ),
        (
            "run_from_queue:\n  allowed_clusters: 'a[b'",
            "3: run_from_queue.allowed_clusters: ",
        ),
        (
            "alarm_actions: arn:aws:sns:eu-west-1:210987654321:ops",
            "2: alarm_actions: it is not a list; allowed: a list of ARNs",
        ),
        (
            "pass_roles: [job]",
            "2: pass_roles: `job` is not an ARN; allowed: a list of ARNs",
        ),
        (
            "slack: {webhookurl: 'http://example.com/very-secret'}",
            "2: slack.webhookurl: messages would be sent unencrypted; allowed: an https:// address",
        ),
        (
            "slack:\n  channel: #devops",
            "3: slack.channel: `#` starts a comment, so the key has no value; put the value in quotes",
        ),
        (
            "rules: {native: ''}",
            "2: rules.native: an empty text cannot be used; allowed: `true` or `false`, or leave the key out",
        ),
        (
            "rules: {health: perhaps}",
            "2: rules.health: `perhaps` cannot be used; allowed: `true` or `false`",
        ),
        (
            "archive: /aws/events/all",
            "2: archive: `/aws/events/all` cannot be used; allowed: `true` or `false`",
        ),
        (
            "archive_retention: 15",
            "2: archive_retention: `15` cannot be used; allowed: 1, 3, 5, 7, 14, 30, ",
        ),
        (
            "ingest: ' '",
            "2: ingest: an empty text cannot be used; allowed: queue, direct, or leave the key out",
        ),
        (
            "memory: ''",
            "2: memory: an empty text cannot be used; allowed: 128 to 10240",
        ),
        (
            "run_from_queue:\n  allowed_clusters: arn:aws:ecs:eu-west-1:210987654321:cluster/prod",
            "3: run_from_queue.allowed_clusters: `arn:aws:ecs:eu-west-1:210987654321:cluster/prod` is an ARN; expected a name or a pattern of names; write `prod`",
        ),
        (
            "keep: ignored_cluster",
            "2: keep: `ignored_cluster` cannot be used here; IGNORED_CLUSTERS drops these events; remove the cluster from IGNORED_CLUSTERS instead",
        ),
        (
            "ignored: {clusters: 'dev-{a,b}'}",
            "2: ignored.clusters: `dev-{a` is not a valid pattern: ",
        ),
        // A secret under the wrong key is not shown either.
        (
            "slack: {quiet: 'https://hooks.example.com/very-secret'}",
            "2: slack.quiet: its value cannot be used",
        ),
        (
            "ingest: https://hooks.example.com/very-secret",
            "2: ingest: its value cannot be used",
        ),
        (
            "keep: 0123456789abcdef0123456789abcdef",
            "2: keep: its value is not a known word",
        ),
    ] {
        let found = problems_of(settings);
        assert_eq!(found.len(), 1, "{settings}: {found:?}");
        assert!(found[0].starts_with(expected), "{settings}: {}", found[0]);
        assert!(
            !found[0].contains("very-secret"),
            "{settings}: {}",
            found[0]
        );
    }
}

/// A secret is not printed, whichever key it stands under.
#[test]
fn no_secret_is_printed() {
    const SECRET: &str = "https://hooks.example.com/services/very-secret";
    for settings in [
        format!("slack: {SECRET}"),
        format!("slack: {{'{SECRET}'}}"),
        format!("slack: {{'{SECRET}': x}}"),
        format!("slack: ['{SECRET}']"),
        format!("'{SECRET}': x"),
        format!("keep: '{SECRET}'"),
        format!("keep: ['{SECRET}']"),
        format!("ignored: {{clusters: '{SECRET}['}}"),
        format!("ignored: {{exit_code: {{container_names: '{SECRET}'}}}}"),
        format!("log_tail: {{lines: '{SECRET}', mask: '{SECRET}('}}"),
        format!("state_table: '{SECRET} x'"),
        format!("pass_roles: ['{SECRET}']"),
        format!("pass_roles: '{SECRET}'"),
        format!("stage: '{SECRET}'"),
        format!("region: '{SECRET}'"),
        format!("memory: '{SECRET}'"),
        format!("deploy_hook: {{wait: '{SECRET}', command: \"'{SECRET}\"}}"),
        format!("slack: {{mention: '{SECRET}'}}"),
        format!("flowdock: {{api_token: '{SECRET}', url: '{SECRET}?a'}}"),
        format!("slack: {SECRET}: x"),
    ] {
        let found = problems_of(&settings).join("\n");
        assert!(
            !found.is_empty() && !found.contains("very-secret"),
            "{settings}: {found}"
        );
    }
}

/// All problems are reported at once, in the order of their lines.
#[test]
fn each_problem_has_its_line() {
    let found = problems_of("keep: foo\nslack:\n  quiet: yes\n  qiet: true\nmemory: little");
    let lines: Vec<_> = found
        .iter()
        .map(|it| it.split(':').next().unwrap())
        .collect();
    assert_eq!(lines, ["2", "4", "5", "6"], "{found:?}");
}

/// Values that only Serverless or CloudFormation knows are accepted.
#[test]
fn unknown_values_are_accepted() {
    for settings in [
        "slack: {webhookurl: '${ssm:/ops/webhook}', quiet: '${param:quiet}'}",
        "slack: ${file(slack.yml)}",
        "memory: ${env:MEMORY, '256'}",
        "stage: ${opt:stage, 'dev'}\nkeep: ${env:KEEP}",
        "alarm_actions: [!Ref Topic, {Ref: Topic}, '${self:custom.topic}']",
        "pass_roles: !Split [',', '${env:ROLES}']",
        "pass_roles: {'Fn::Split': [',', {'Fn::ImportValue': roles}]}",
        "state_table: {Ref: T}\nslack: {webhookurl: {Fn::ImportValue: hook}, quiet: {Ref: Quiet}}",
        "slack: &chat {quiet: true}\nflowdock:\n  <<: *chat",
        "slack:\n  channel: # none\nkeep: ''\ndrop: ~\nignored: {clusters: }",
        "trail: 1\nrules: {native: 'False', api_calls: TRUE}",
    ] {
        assert_eq!(problems_of(settings), [""; 0], "{settings}");
    }
    for text in [
        "",
        "---\n",
        "# nothing\n",
        "mysettings:\n",
        "mysettings: ${file(settings.yml):prod}\n",
        "prod: {anything: at all}\nmysettings: ${self:prod}\n",
        "slack: &chat\n  quiet: true\nmysettings:\n  slack: *chat\n",
        "common:\n  one: &one {quiet: true}\nmysettings: {slack: {<<: *one}}\n",
    ] {
        assert!(check(text).is_ok(), "{text}");
    }
    for text in [
        "mysettings: {slack: {webhookurl: '${ssm:/a}'}}",
        "mysettings: {slack: '${file(slack.yml)}'}",
        "mysettings: ${file(settings.yml):prod}",
    ] {
        let report = check(text).unwrap();
        assert_eq!(
            (report.channels, report.warnings),
            (None, Vec::new()),
            "{text}"
        );
        assert_eq!(report.unchecked.len(), 1, "{text}");
    }
    let report = check("mysettings: {memory: '${env:MEMORY}', state_table: {Ref: T}}").unwrap();
    assert_eq!(report.unchecked, ["memory", "state_table"]);
    assert_eq!(report.channels, Some(Vec::new()));
}

#[test]
fn the_report_names_the_channels() {
    let channels = |text: &str| check(text).unwrap();
    let report = channels("mysettings: {slack: {webhookurl: 'https://hooks.example.com/x'}}");
    assert_eq!(report.channels, Some(vec!["slack".to_owned()]));
    assert_eq!(report.warnings, [""; 0]);
    let report = channels("mysettings: {slack: {webhookurl: disabled}}");
    assert_eq!(report.channels, Some(Vec::new()));
    assert!(
        report.warnings[0].starts_with("no channel is set"),
        "{report:?}"
    );
    let report = channels("mysettings: {functions: {parrot: false}}");
    assert_eq!(report, Report::default());
    let settings = "mysettings: {functions: {run_from_queue: true}, slack: {webhookurl: 'ssm:/a'}}";
    assert!(channels(settings).warnings[0].starts_with("no task may be run"));
}

/// The file says what the function cannot know: whether it has a queue, and that no table is made.
#[test]
fn limits_of_threads_are_warnings() {
    const URL: &str = "slack: {webhookurl: 'ssm:/a'}";
    const DIRECT: &str = "ingest is direct";
    const NO_TABLE: &str = "state_table is DISABLED";
    for (settings, expected) in [
        ("ingest: queue", vec![]),
        ("ingest: direct", vec![DIRECT]),
        ("ingest: '${param:ingest}'", vec![]),
        ("state_table: mine", vec![]),
        ("state_table: disabled", vec![NO_TABLE]),
        ("state_table: '${param:table}'", vec![]),
        (
            "ingest: direct, state_table: DISABLED",
            vec![DIRECT, NO_TABLE],
        ),
        // Another value that is not known here changes nothing.
        ("ingest: direct, memory: '${param:memory}'", vec![DIRECT]),
        ("ingest: direct, functions: {parrot: false}", vec![]),
        ("rules: {native: false}", vec![]),
        (
            "rules: {native: false}, expect: 'report: 25h'",
            vec!["expect: with rules.native false"],
        ),
    ] {
        let report = check(&format!("mysettings: {{{settings}, {URL}}}")).unwrap();
        let warnings = &report.warnings;
        assert_eq!(warnings.len(), expected.len(), "{settings}: {warnings:?}");
        for (warning, expected) in warnings.iter().zip(expected) {
            assert!(warning.starts_with(expected), "{settings}: {warning}");
        }
    }
}

/// What must run is a list of entries, keys with their schedules, or one text, as `deploy/serverless/arns.js` reads it.
#[test]
fn what_must_run_is_a_list_or_a_text() {
    const URL: &str = "slack: {webhookurl: 'ssm:/a'}";
    for expect in [
        "[report-nightly: 25h, 'prod/invoices: cron(30 2 * * ? *) grace 2h']",
        "{report-nightly: 25h, prod/invoices: rate(1 day)}",
        "'report-nightly: 25h, prod/invoices: 26h'",
        "[report-nightly: 90000]",
        "'${ssm:/expected}'",
        "['${ssm:/expected}']",
        "[]",
        "",
    ] {
        let text = format!("mysettings:\n  {URL}\n  expect: {expect}\n");
        let report = check(&text).unwrap_or_else(|findings| panic!("{expect}: {findings:?}"));
        assert_eq!(
            report.unchecked.is_empty(),
            !expect.contains("${"),
            "{expect}"
        );
    }
    for (expect, expected) in [
        (
            "[report-nightly: daily]",
            "3: expect: `report-nightly`: `daily` is not a schedule; allowed: a duration",
        ),
        (
            "[report-nightly]",
            "3: expect: `report-nightly` has no schedule; allowed: `NAME: SCHEDULE`",
        ),
        (
            "{a: 25h, a/b/c: 25h}",
            "3: expect: `b/c` is not the name of a family",
        ),
        (
            "[a: 25h, a: 26h]",
            "3: expect: `a` is there twice; write each name once",
        ),
    ] {
        let text = format!("mysettings:\n  {URL}\n  expect: {expect}\n");
        let findings = check(&text).unwrap_err();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].to_string().starts_with(expected),
            "{findings:?}"
        );
    }
}

#[test]
fn what_must_run_needs_timers_and_a_table() {
    for (settings, expected) in [
        ("ingest: direct", "expect: without timers"),
        (
            "state_table: DISABLED",
            "expect: each new process begins its clocks anew",
        ),
    ] {
        let text = format!(
            "mysettings: {{slack: {{webhookurl: 'ssm:/a'}}, {settings}, expect: [a: 25h]}}"
        );
        let warnings = check(&text).unwrap().warnings;
        let of_expect = warnings.iter().filter(|it| it.starts_with("expect: "));
        let of_expect: Vec<_> = of_expect.collect();
        assert_eq!(of_expect.len(), 1, "{warnings:?}");
        assert!(of_expect[0].starts_with(expected), "{warnings:?}");
    }
}

#[test]
fn the_example_and_the_file_of_carnival_are_accepted() {
    for text in [
        include_str!("../../serverless.env.yml.example"),
        include_str!("../../tests/carnival/serverless.env.yml"),
    ] {
        assert_eq!(check(text).err(), None);
    }
}

#[test]
fn channels_are_a_list_or_the_place_of_one() {
    let text = "mysettings:\n  channels:\n    - {name: ops, type: slack, url: 'ssm:/ops'}\n    - {name: oncall, type: slack, url: 'ssm:/oncall', minimum: urgent}\n";
    let channels = check(text).unwrap().channels.unwrap();
    assert_eq!(channels, ["ops", "oncall"]);
    let report = check("mysettings: {channels: 'ssm:/parrot/channels'}").unwrap();
    assert_eq!(report.channels.unwrap(), ["those of ssm:/parrot/channels"]);
    // What only Serverless knows is not guessed.
    let report =
        check("mysettings: {channels: [{name: ops, type: slack, url: '${env:URL}'}]}").unwrap();
    assert_eq!(
        (report.channels, report.unchecked),
        (None, vec!["channels".to_owned()])
    );
}

#[test]
fn a_wrong_channel_is_reported_with_its_place() {
    let list = "channels:\n  - {name: ops, type: slack, url: 'https://hooks.example.com/very-secret', chanel: '#x'}\n  - {name: ops, type: slak}";
    let found = problems_of(list);
    let expected = [
        "3: channels, `ops`: `chanel` is not a known setting; did you mean `channel`?",
        "4: channels, channel 2, `name`: another channel has the name `ops`; give each channel its own name",
        "3: channels, `ops`, `type`: not a channel type; did you mean `slack`?",
    ];
    assert!(!format!("{found:?}").contains("very-secret"), "{found:?}");
    for problem in expected {
        assert!(
            found.iter().any(|it| it == problem),
            "{problem}\n{found:#?}"
        );
    }
}

#[test]
fn patterns_of_channels_are_checked_with_their_place() {
    let list = "channels:\n  - {name: web, type: slack, url: 'ssm:/web', only: {cluster: [{prefix: prod-}], $or: [{urgent: [true]}, {thread: [run]}]}}\n";
    assert_eq!(problems_of(list), [""; 0]);
    let list = "channels:\n  - {name: web, type: slack, url: 'ssm:/web', except: {service: [noisy]}}\n  - name: ops\n    type: slack\n    url: ssm:/ops\n    only:\n      account: [210987654321]\n      severity: [criticl]\n";
    let found = problems_of(list);
    assert_eq!(
        found,
        [
            "4: channels, `ops`, `only.account[0]`: `account` is text; write the value in quotes, `[\"210987654321\"]`",
            "4: channels, `ops`, `only.severity[0]`: `severity` never has this value; did you mean `critical`?",
        ]
    );
}

/// Lambda takes 4 kB of variables, and CloudFormation says so only in the middle of a deployment.
#[test]
fn too_many_bytes_of_variables_are_an_error() {
    let channel = |number: usize| {
        format!("  - {{name: c{number}, type: slack, url: 'ssm:/parrot/channels/{number}'}}\n")
    };
    let few: String = (0..30).map(channel).collect();
    assert_eq!(problems_of(&format!("channels:\n{few}")), [""; 0]);
    let many: String = (0..80).map(channel).collect();
    let found = problems_of(&format!("channels:\n{many}"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("Lambda allows 4096"), "{found:?}");
    assert!(
        found[0].ends_with("write `channels: ssm:/path`"),
        "{found:?}"
    );
}
