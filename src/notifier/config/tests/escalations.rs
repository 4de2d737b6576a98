//! Tests of `escalate_after` and `escalate_to`.

use std::time::Duration;

use super::*;
use crate::notifier::channel::EscalationSource;

fn config(list: &Value) -> Result<NotifierConfig, ConfigError> {
    NotifierConfig::read(&environment(&[("CHANNELS", &list.to_string())]))
}

fn slack(name: &str, settings: Value) -> Value {
    let mut channel = json!({"name": name, "type": "slack", "url": "ssm:/ops"});
    for (key, value) in settings.as_object().unwrap() {
        channel[key] = value.clone();
    }
    channel
}

#[test]
fn a_channel_that_is_alone_has_none_to_escalate_to() {
    let alone = json!([{"name": "ops", "type": "terminal", "escalate_after": "5m", "escalate_to": "oncall"}]);
    let with_flowdock = [
        ("SLACK_WEBHOOKURL", "https://hooks.slack.com/services/x"),
        ("FLOWDOCK_API_TOKEN", "0123456789"),
        (
            "CHANNELS",
            r#"[{"name": "ops", "type": "terminal", "escalate_after": "5m", "escalate_to": "flowdock"}]"#,
        ),
    ];
    for (variables, allowed) in [
        (
            vec![("CHANNELS", alone.to_string())],
            "the name of another channel; add one, because there is no other",
        ),
        (
            with_flowdock
                .map(|(name, value)| (name, value.to_owned()))
                .to_vec(),
            "slack",
        ),
    ] {
        let variables: Vec<_> = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let error = NotifierConfig::read(&variables).unwrap_err().to_string();
        let expected =
            format!("`ops`, `escalate_to`: there is no channel with this name; allowed: {allowed}");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn a_channel_knows_which_others_escalate_to_it() {
    let list = json!([
        slack(
            "ops",
            json!({"escalate_after": "15m", "escalate_to": "oncall"})
        ),
        slack(
            "web",
            json!({"escalate_after": 90, "escalate_to": "oncall"})
        ),
        slack("oncall", json!({"minimum": "escalated"})),
    ]);
    let config = config(&list).unwrap();
    let source = |channel: &str, seconds| EscalationSource {
        channel: channel.to_owned(),
        after: Duration::from_secs(seconds),
    };
    let found: Vec<_> = config
        .channels
        .configured
        .iter()
        .map(|it| &it.escalated_from)
        .collect();
    let of_oncall = vec![source("ops", 900), source("web", 90)];
    assert_eq!(found, [&vec![], &vec![], &of_oncall]);
    assert_eq!(config.warnings, Vec::<String>::new());
    let settings = &config.channels.shown[0].settings;
    let shown: Vec<_> = settings
        .iter()
        .map(|it| (it.name, it.value.as_str()))
        .collect();
    assert!(
        shown.ends_with(&[("escalate_after", "900 s"), ("escalate_to", "oncall")]),
        "{shown:?}"
    );
}

#[test]
fn a_wrong_escalation_is_reported_with_what_is_allowed() {
    for (settings, expected) in [
        (
            json!({"escalate_after": "15m"}),
            "`ops`, `escalate_to`: it is missing, and `escalate_after` needs it; allowed: the name of another channel",
        ),
        (
            json!({"escalate_to": "oncall"}),
            "`ops`, `escalate_after`: it is missing, and `escalate_to` needs it; allowed: a number of seconds",
        ),
        (
            json!({"escalate_after": "soon", "escalate_to": "oncall"}),
            "`ops`, `escalate_after`: not a duration; allowed: a number of seconds",
        ),
        (
            json!({"escalate_after": "15m", "escalate_to": ["oncall"]}),
            "`ops`, `escalate_to`: not a text; allowed: the name of another channel",
        ),
        (
            json!({"escalate_after": "15m", "escalate_to": "ops"}),
            "`ops`, `escalate_to`: it is the channel itself; allowed: the name of another channel",
        ),
        (
            json!({"escalate_after": "15m", "escalate_to": "oncal"}),
            "`ops`, `escalate_to`: there is no channel with this name; did you mean `oncall`?",
        ),
        (
            json!({"escalate_after": "15m", "escalate_to": "nobody-here"}),
            "`ops`, `escalate_to`: there is no channel with this name; allowed: oncall",
        ),
        (
            json!({"escalate_aftr": "15m"}),
            "`ops`: `escalate_aftr` is not a known setting; did you mean `escalate_after`?",
        ),
    ] {
        let list = json!([slack("ops", settings.clone()), slack("oncall", json!({}))]);
        let error = config(&list).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("CHANNELS, {expected}")),
            "{settings}: {error}"
        );
    }
}

#[test]
fn a_channel_that_nobody_escalates_to_is_warned_of() {
    let list = json!([slack("oncall", json!({"minimum": "escalated"}))]);
    let expected = "the channel `oncall` never gets a message: its minimum is `escalated`, and no channel has it as `escalate_to`";
    assert_eq!(config(&list).unwrap().warnings, [expected]);
}
