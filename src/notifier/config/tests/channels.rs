//! Tests of the list `CHANNELS`.

use super::*;

fn channels(list: &Value) -> Result<NotifierConfig, ConfigError> {
    NotifierConfig::read(&environment(&[("CHANNELS", &list.to_string())]))
}

#[test]
fn two_channels_of_one_type_have_their_own_minimum() {
    let config = channels(&json!([
        {"name": "ops", "type": "slack", "url": "ssm:/ops/slack"},
        {"name": "oncall", "type": "slack", "url": "ssm:/oncall/slack", "minimum": "urgent"},
        {"name": "audit", "type": "slack", "url": "https://hooks.slack.com/very-secret"},
    ]));
    let config = config.unwrap();
    assert_eq!(channel_names(&config), ["ops", "oncall", "audit"]);
    assert_eq!(
        minimums(&config),
        [Minimum::All, Minimum::Urgent, Minimum::All]
    );
    let shown = format!("{:?}", config.channels.shown);
    assert!(
        shown.contains("ssm:/oncall/slack") && !shown.contains("very-secret"),
        "{shown}"
    );
}

#[test]
fn a_list_is_added_to_the_variables() {
    let list = json!([{"name": "audit", "type": "slack", "url": "ssm:/audit"}]);
    let config = NotifierConfig::read(&environment(&[
        ("SLACK_WEBHOOKURL", "https://hooks.example.com/x"),
        ("CHANNELS", &list.to_string()),
    ]));
    assert_eq!(channel_names(&config.unwrap()), ["slack", "audit"]);
    let twice = json!([{"name": "slack", "type": "slack", "url": "ssm:/audit"}]).to_string();
    let found = problems(&[
        ("SLACK_WEBHOOKURL", "https://hooks.example.com/x"),
        ("CHANNELS", &twice),
    ]);
    assert_eq!(found[0].1, "another channel has the name `slack`");
}

#[test]
fn a_list_may_be_a_reference() {
    let config = NotifierConfig::read(&environment(&[("CHANNELS", "ssm:/parrot/channels")]));
    let config = config.unwrap();
    assert_eq!(channel_names(&config), [""; 0]);
    let reference = config.channels.reference.map(|it| it.to_string());
    assert_eq!(reference.as_deref(), Some("ssm:/parrot/channels"));
}

#[test]
fn all_problems_of_a_list_are_reported_at_once_without_values() {
    for (list, expected) in [
        (
            "{\"name\": \"ops\"}",
            "CHANNELS: not a list; allowed: a list of channels",
        ),
        (
            "[very-secret",
            "CHANNELS: not JSON (expected value at line 1 column 2)",
        ),
        ("ssm:", "CHANNELS: it does not name a parameter"),
        ("[7]", "CHANNELS, channel 1: not an object"),
    ] {
        let error = NotifierConfig::read(&environment(&[("CHANNELS", list)])).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains("very-secret"), "{error}");
    }
    let secret = "https://hooks.slack.com/very-secret";
    let error = channels(&json!([
        {"type": "slack", "url": secret},
        {"name": "a b", "type": "slack", "url": "http://hooks.example.com/very-secret"},
        {"name": "ops", "type": "slak", "url": secret},
        {"name": "ops", "type": "slack"},
        {"name": "oncall", "type": "slack", "url": secret, "chanel": "#x", "minimum": "quiet"},
        {"name": "other", "type": "slack", "url": 7, "username": secret, "icon_emoji": ["x"]},
        {"name": "flow", "type": "flowdock", "token": "abc"},
    ]));
    let error = error.unwrap_err().to_string();
    assert!(!error.contains("very-secret"), "{error}");
    for expected in [
        "CHANNELS, channel 1, `name`: it is missing; allowed: 1 to 50 letters",
        "CHANNELS, channel 2, `name`: not an allowed name",
        "CHANNELS, channel 2, `url`: messages would be sent unencrypted",
        "CHANNELS, `ops`, `type`: not a channel type; did you mean `slack`?",
        "CHANNELS, `ops`, `url`: it is missing",
        "CHANNELS, `oncall`: `chanel` is not a known setting; did you mean `channel`?",
        "CHANNELS, `oncall`, `minimum`: not a minimum; allowed: `all`, `urgent` or `escalated`",
        "CHANNELS, `other`, `url`: not a text; allowed: a text",
        "CHANNELS, `other`, `username`: it looks like a secret, but the value of this setting is not hidden",
        "CHANNELS, `other`, `icon_emoji`: not a text; allowed: a text",
        "CHANNELS, `flow`, `url`: it is missing",
    ] {
        assert!(error.contains(expected), "{expected}\n{error}");
    }
}

/// A channel that cannot be read has its name all the same, so that all problems are reported at once.
#[test]
fn a_name_is_taken_by_a_channel_with_problems_too() {
    let error = channels(&json!([
        {"name": "a", "type": "slack"},
        {"name": "a", "type": "slack", "url": "ssm:/a"},
        {"name": "slack", "type": "slack", "url": "ssm:/slack"},
    ]));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("CHANNELS, `a`, `url`: it is missing"),
        "{error}"
    );
    let twice = "CHANNELS, channel 2, `name`: another channel has the name `a`; give each channel its own name";
    assert!(error.contains(twice), "{error}");
    let list = json!([{"name": "slack", "type": "slack", "url": "ssm:/slack"}]).to_string();
    let found = problems(&[
        ("SLACK_WEBHOOKURL", "http://example.com/x"),
        ("CHANNELS", &list),
    ]);
    assert_eq!(found.len(), 2, "{found:?}");
}

/// A value in the wrong place is not shown, wherever the settings are printed.
#[test]
fn what_may_be_a_secret_is_not_shown_with_the_channels() {
    let secret = "hooks.slack.com/services/T01234567/B01234567/very-secret";
    let config = NotifierConfig::read(&environment(&[
        ("SLACK_WEBHOOKURL", "https://hooks.example.com/x"),
        ("SLACK_CHANNEL", secret),
        ("SLACK_USERNAME", "0123456789abcdef-very-secret"),
    ]));
    let shown = format!("{:?}", config.unwrap().channels.shown);
    assert!(!shown.contains("very-secret"), "{shown}");
    let error = channels(&json!([{"name": "a", "type": "slack", "url": "ssm:/a", secret: "x"}]));
    assert!(!error.unwrap_err().to_string().contains("very-secret"));
}

fn with_mention(mention: &Value) -> Result<NotifierConfig, ConfigError> {
    channels(&json!([{"name": "ops", "type": "slack", "url": "ssm:/ops", "mention": mention}]))
}

/// A mention of so many characters.
fn longest(characters: usize) -> String {
    format!("<@{}>", "U".repeat(characters - 3))
}

#[test]
fn mentions_may_have_1500_characters_together() {
    for mention in [
        json!(longest(1_500)),
        json!({"default": longest(1_500)}),
        json!({"service=a": longest(750), "default": longest(749)}),
    ] {
        let read = with_mention(&mention);
        assert!(read.is_ok(), "{:?}", read.err());
    }
}

#[test]
fn what_is_wrong_with_a_map_of_mentions_is_named() {
    const KEYS: &str = "`tags.KEY=VALUE`, `service=NAME`, `family=NAME`, `cluster=NAME`, `account=NUMBER`, `account_name=NAME`, `default`";
    const MENTIONS: &str = "`<!subteam^S…>`, `<@U…>`, `<!here>`, `<!channel>` or `<!everyone>`, several separated by spaces";
    const TOO_LONG: &str = "`mention`: its mentions are longer than 1500 characters together; allowed: fewer or shorter mentions";
    let long = (0..300).map(|it| (format!("service=s{it}"), json!(format!("<@U{it}>"))));
    for (mention, expected) in [
        (json!({}), format!("`mention`: it is empty; allowed: a text, or a map with {KEYS}")),
        (
            json!({"team=payments": "<@U1>"}),
            format!("`mention.team=payments`: not a fact that can be compared; allowed: {KEYS}"),
        ),
        (
            json!({"severity=critical": "<@U1>"}),
            format!("`mention.severity=critical`: not a fact that can be compared; allowed: {KEYS}"),
        ),
        (json!({"service": "<@U1>"}), format!("`mention.service`: it has no `=`; allowed: {KEYS}")),
        (json!({"service=": "<@U1>"}), format!("`mention.service=`: it has no value; allowed: {KEYS}")),
        (json!({"tags.=x": "<@U1>"}), format!("`mention.tags.=x`: it does not say which tag; allowed: {KEYS}")),
        (
            json!({"account=21": "<@U1>"}),
            "`mention.account=21`: not the number of an account; allowed: 12 digits".to_owned(),
        ),
        (
            json!({"service=web": "@here"}),
            format!("`mention.service=web`: not a mention in Slack's markup; allowed: {MENTIONS}"),
        ),
        (json!({"service=web": ["<@U1>"]}), format!("`mention.service=web`: not a text; allowed: {MENTIONS}")),
        (json!({"default": ""}), format!("`mention.default`: not a text; allowed: {MENTIONS}")),
        (
            json!({"service=web": "https://example.com/very-secret"}),
            "`mention.service=web`: it looks like a secret, but the value of this setting is not hidden; allowed: a text without a secret".to_owned(),
        ),
        (
            json!({"https://example.com/very-secret": "<@U1>"}),
            format!("`mention`: it has no `=`; allowed: {KEYS}"),
        ),
        (
            Value::Object(long.collect()),
            TOO_LONG.to_owned(),
        ),
        (json!(["<@U1>"]), format!("`mention`: neither a text nor a map; allowed: a text, or a map with {KEYS}")),
        (json!({}), format!("`mention`: it is empty; allowed: a text, or a map with {KEYS}")),
        (json!(longest(1_501)), TOO_LONG.to_owned()),
        (json!({"default": longest(1_501)}), TOO_LONG.to_owned()),
        (json!({"service=a": longest(750), "default": longest(751)}), TOO_LONG.to_owned()),
    ] {
        let error = with_mention(&mention).unwrap_err().to_string();
        assert_eq!(error, format!("CHANNELS, `ops`, {expected}"), "{mention}");
    }
}

#[test]
fn a_map_of_mentions_is_shown() {
    let mention = json!({"tags.team=payments": "<!subteam^S1>", "default": "<!here>"});
    let config = with_mention(&mention).unwrap();
    let settings = &config.channels.shown[0].settings;
    let shown = settings.iter().find(|it| it.name == "mention").unwrap();
    assert_eq!(shown.value, mention.to_string());
    assert_eq!(shown.source, "CHANNELS");
    let keys = config.channels.configured[0].tag_keys();
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["team"]);
}

#[test]
fn tags_need_enrichment_and_are_few() {
    let list = json!([
        {"name": "payments", "type": "slack", "url": "ssm:/ops", "only": {"tags.team": ["payments"]}},
        {"name": "ops", "type": "slack", "url": "ssm:/ops", "mention": {"tags.team=a": "<@U1>", "default": "<@U2>"}},
        {"name": "all", "type": "slack", "url": "ssm:/ops", "only": {"cluster": ["prod"]}},
    ]);
    let read = |enrich: &str| {
        let list = list.to_string();
        let set = environment(&[("CHANNELS", &list), ("ENRICH", enrich)]);
        NotifierConfig::read(&set).unwrap().warnings
    };
    assert_eq!(read("true"), [""; 0]);
    assert_eq!(
        read("false"),
        [
            "the channel `payments` gets messages whatever their tags are: ENRICH is false, so tags are not known, and its `only` and `except` refuse nothing because of a tag",
            "the channel `ops` mentions nobody by a tag: ENRICH is false, so tags are not known",
        ]
    );
    let tags: serde_json::Map<_, _> = (0..11).map(|it| (format!("t{it}"), json!(["x"]))).collect();
    let error = channels(&json!([
        {"name": "ops", "type": "slack", "url": "ssm:/ops", "only": {"tags": tags}},
    ]));
    assert_eq!(
        error.unwrap_err().to_string(),
        "CHANNELS: the channels name 11 tags; allowed: 10 different tags in `only`, `except` and `mention` together"
    );
}
