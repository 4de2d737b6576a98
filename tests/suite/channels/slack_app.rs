//! Slack's Web API: what each operation sends, and what follows from each error.

use std::time::Duration;

use ecs_parrot::notifier::channel::{ConfiguredChannel, Http, MessageRef, Operation, Outcome};
use ecs_parrot::notifier::config::NotifierConfig;
use ecs_parrot::notifier::message::{Line, Message};
use ecs_parrot::notifier::policy::Severity;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::{channel, message};
use crate::events;
use crate::fake_aws::FakeAws;
use crate::runtime_api::{Answer, RuntimeApi};
use crate::slack_api::{CHANNEL, SlackApi, SlackMessage, TOKEN};

const PARROT: &str = env!("CARGO_BIN_EXE_parrot");

/// Slack, and a channel that posts to it.
async fn slack() -> (SlackApi, ConfiguredChannel) {
    let slack = SlackApi::start().await;
    let mut settings = slack.settings();
    settings["mention"] = json!("<!subteam^S123>");
    (slack, channel(settings))
}

async fn send(channel: &ConfiguredChannel, message: &Message, operation: Operation<'_>) -> Outcome {
    let prepared = channel.channel.prepare(message, operation);
    channel.channel.send(&Http::default(), &prepared).await
}

/// Posts a message and returns its reference.
async fn posted(channel: &ConfiguredChannel) -> MessageRef {
    let outcome = send(channel, &message(Severity::Warning), Operation::Post).await;
    let Outcome::Delivered { root: Some(root) } = outcome else {
        panic!("{outcome:?}");
    };
    root
}

fn root(number: u32) -> MessageRef {
    MessageRef {
        channel: CHANNEL.to_owned(),
        id: format!("1793064704.{number:06}"),
    }
}

fn delivered(root: Option<MessageRef>) -> Outcome {
    Outcome::Delivered { root }
}

fn details() -> Value {
    let text = "*Why*: too little\n*Where*: prod-web";
    json!([{
        "color": "warning",
        "fallback": "checkout ran out of memory",
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}}],
    }])
}

#[tokio::test]
async fn a_post_gives_the_reference_of_the_message() {
    let (slack, channel) = slack().await;
    let outcome = send(&channel, &message(Severity::Warning), Operation::Post).await;
    assert_eq!(outcome, delivered(Some(root(1))));
    let calls = slack.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].method, "chat.postMessage");
    let expected = json!({
        "channel": CHANNEL,
        "text": "checkout ran out of memory",
        "attachments": details(),
        "parse": "none",
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
    });
    assert_eq!(calls[0].body, expected);
}

#[tokio::test]
async fn an_edit_replaces_the_message() {
    let (slack, channel) = slack().await;
    let first = posted(&channel).await;
    let mut later = message(Severity::Warning);
    later.headline = "checkout recovered".to_owned();
    later.details.clear();
    let outcome = send(&channel, &later, Operation::Update(&first)).await;
    assert_eq!(outcome, delivered(None));
    let calls = slack.calls();
    assert_eq!(calls[1].method, "chat.update");
    let expected = json!({
        "channel": CHANNEL,
        "ts": first.id,
        "text": "checkout recovered",
        "attachments": [],
        "parse": "none",
        "link_names": false,
    });
    assert_eq!(calls[1].body, expected);
    let [shown] = &slack.messages()[..] else {
        panic!("{:?}", slack.messages());
    };
    assert_eq!(
        (shown.text.as_str(), shown.edits),
        ("checkout recovered", 1)
    );
}

#[tokio::test]
async fn a_reply_is_in_the_thread_and_a_broadcast_also_in_the_channel() {
    let (slack, channel) = slack().await;
    let first = posted(&channel).await;
    for (broadcast, sent) in [(false, Value::Null), (true, json!(true))] {
        let operation = Operation::Reply {
            root: &first,
            broadcast,
        };
        let outcome = send(&channel, &message(Severity::Warning), operation).await;
        assert_eq!(outcome, delivered(None));
        let call = slack.calls().pop().unwrap();
        assert_eq!(call.method, "chat.postMessage");
        assert_eq!(call.body["thread_ts"], *first.id);
        assert_eq!(call.body["reply_broadcast"], sent);
        let shown = slack.messages().pop().unwrap();
        assert_eq!(shown.thread_ts.as_ref(), Some(&first.id));
        assert_eq!(shown.is_broadcast, broadcast);
    }
}

#[tokio::test]
async fn only_a_message_that_mentions_has_the_mention() {
    let (slack, channel) = slack().await;
    for severity in [Severity::Warning, Severity::Critical] {
        send(&channel, &message(severity), Operation::Post).await;
    }
    let texts: Vec<_> = slack.messages().into_iter().map(|it| it.text).collect();
    assert_eq!(
        texts,
        [
            "checkout ran out of memory",
            "<!subteam^S123> checkout ran out of memory"
        ]
    );
}

/// The only message in the channel is the new one, which is a root.
fn assert_posted_anew(slack: &SlackApi, outcome: Outcome) {
    let [SlackMessage { ts, thread_ts, .. }] = &slack.messages()[..] else {
        panic!("{:?}", slack.messages());
    };
    assert_eq!(*thread_ts, None);
    let new = MessageRef {
        channel: CHANNEL.to_owned(),
        id: ts.clone(),
    };
    assert_eq!(outcome, delivered(Some(new)));
}

#[tokio::test]
async fn an_edit_of_a_message_that_is_gone_posts_it_anew() {
    for error in [
        None,
        Some("cant_update_message"),
        Some("edit_window_closed"),
        Some("is_inactive"),
        Some("streaming_state_conflict"),
    ] {
        let (slack, channel) = slack().await;
        let first = posted(&channel).await;
        slack.delete(&first.id);
        if let Some(error) = error {
            slack.fail_next(error);
        }
        let message = message(Severity::Warning);
        let outcome = send(&channel, &message, Operation::Update(&first)).await;
        assert_posted_anew(&slack, outcome);
        assert_eq!(slack.methods()[1..], ["chat.update", "chat.postMessage"]);
        assert!(slack.calls()[2].body.get("ts").is_none());
    }
}

/// Slack gives no error for a reply to a message that does not exist. It posts it at the top level.
#[tokio::test]
async fn a_reply_to_a_message_that_is_gone_is_the_new_root() {
    let (slack, channel) = slack().await;
    let first = posted(&channel).await;
    slack.delete(&first.id);
    let reply = Operation::Reply {
        root: &first,
        broadcast: true,
    };
    let outcome = send(&channel, &message(Severity::Warning), reply).await;
    assert_posted_anew(&slack, outcome);
    assert_eq!(slack.calls().len(), 2);
}

#[tokio::test]
async fn a_reply_that_the_thread_does_not_accept_is_posted_anew() {
    for error in [
        "restricted_action_thread_locked",
        "cannot_reply_to_message",
        "thread_not_found",
    ] {
        let (slack, channel) = slack().await;
        slack.fail_next(error);
        let first = root(9);
        let reply = Operation::Reply {
            root: &first,
            broadcast: false,
        };
        let outcome = send(&channel, &message(Severity::Warning), reply).await;
        assert_posted_anew(&slack, outcome);
        assert!(slack.calls()[1].body.get("thread_ts").is_none());
    }
}

/// The operator has set another channel, and the app is not in the old one any more.
#[tokio::test]
async fn a_message_in_a_former_channel_is_posted_anew() {
    let (slack, channel) = slack().await;
    let former = MessageRef {
        channel: "C0000000001".to_owned(),
        ..root(9)
    };
    let message = message(Severity::Warning);
    let outcome = send(&channel, &message, Operation::Update(&former)).await;
    assert_eq!(slack.calls()[0].body["channel"], "C0000000001");
    assert_posted_anew(&slack, outcome);
}

#[tokio::test]
async fn each_error_has_its_outcome() {
    let retried = ["ratelimited", "rate_limited", "message_limit_exceeded"]
        .into_iter()
        .chain(["service_unavailable", "fatal_error", "internal_error"])
        .chain(["request_timeout", "team_added_to_org", "update_failed"]);
    let refused = [
        ("invalid_auth", "`token` must be"),
        ("not_authed", "`token` must be"),
        ("token_revoked", "install the app again"),
        ("account_inactive", "install the app again"),
        ("token_expired", "token rotation"),
        ("missing_scope", "add the scope `chat:write`"),
        ("no_permission", "an administrator"),
        ("channel_not_found", "check the ID in `channel`"),
        ("not_in_channel", "invite the app to the channel"),
        ("is_archived", "unarchive the channel"),
        (
            "restricted_action_read_only_channel",
            "the channel must allow",
        ),
        ("an_error_of_tomorrow", ""),
    ];
    let retried = retried.map(|word| (word, None));
    let refused = refused.map(|(word, advice)| (word, Some(advice)));
    for (word, advice) in retried.chain(refused) {
        let (slack, channel) = slack().await;
        slack.fail_next(word);
        let outcome = send(&channel, &message(Severity::Warning), Operation::Post).await;
        match (&outcome, advice) {
            (
                Outcome::Retry {
                    after: None,
                    why,
                    advice: Some(_),
                },
                None,
            ) => assert_eq!(*why, format!("200 {word}")),
            (Outcome::Refused { why }, Some(advice)) => {
                assert!(why.starts_with(&format!("200 {word}")), "{why}");
                assert!(why.contains(advice), "{why}");
            }
            (_, _) => panic!("{word}: {outcome:?}"),
        }
        assert_eq!(slack.calls().len(), 1, "{word}");
    }
}

#[tokio::test]
async fn the_missing_scope_is_named_and_the_delay_is_slacks() {
    let (slack, channel) = slack().await;
    let missing = json!({"ok": false, "error": "missing_scope", "needed": "chat:write.public"});
    slack.answer_next(ResponseTemplate::new(200).set_body_json(missing));
    let busy = json!({"ok": false, "error": "ratelimited"});
    let busy = ResponseTemplate::new(429).set_body_json(busy);
    slack.answer_next(busy.insert_header("retry-after", "17"));
    let message = message(Severity::Warning);
    let why =
        "200 missing_scope: add the scope `chat:write.public` to the app and install it again";
    assert_eq!(
        send(&channel, &message, Operation::Post).await,
        Outcome::Refused {
            why: why.to_owned()
        }
    );
    assert_eq!(
        send(&channel, &message, Operation::Post).await,
        Outcome::Retry {
            after: Some(Duration::from_secs(17)),
            why: "429 ratelimited".to_owned(),
            advice: Some("the service accepts no more messages for now: try again later"),
        }
    );
}

/// Lines, and a headline, that are together far beyond Slack's limits.
fn very_long() -> Message {
    let line = |number| Line::of_text(format!("{number} {}", "word ".repeat(50)));
    Message {
        headline: "checkout ".repeat(1_000),
        details: (0..200).map(line).collect(),
        ..message(Severity::Critical)
    }
}

#[tokio::test]
async fn a_very_long_message_is_within_slacks_limits() {
    let (slack, channel) = slack().await;
    let first = posted(&channel).await;
    for operation in [Operation::Post, Operation::Update(&first)] {
        let outcome = send(&channel, &very_long(), operation).await;
        assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    }
    assert_eq!(slack.calls().len(), 3, "one call each");
    let text = &slack.messages()[0].text;
    assert!(
        text.starts_with("<!subteam^S123> checkout checkout"),
        "{text}"
    );
    assert!(text.ends_with("checkout…"), "{text}");
    assert!((3_900..=4_000).contains(&text.encode_utf16().count()));
    let blocks = slack.calls()[1].body["attachments"][0]["blocks"].to_string();
    assert!(blocks.contains("more lines left out"), "{blocks}");
}

#[tokio::test]
async fn a_message_that_slack_does_not_accept_is_shortened_twice() {
    for (failures, delivers) in [(1, true), (2, true), (3, false)] {
        let (slack, channel) = slack().await;
        let first = posted(&channel).await;
        (0..failures).for_each(|_| slack.fail_next("msg_blocks_too_long"));
        let mut long = very_long();
        long.headline = "checkout failed".to_owned();
        let outcome = send(&channel, &long, Operation::Update(&first)).await;
        let calls = slack.calls().split_off(1);
        match delivers {
            true => assert_eq!(outcome, delivered(None)),
            false => assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}"),
        }
        let expected: &[_] = match failures {
            1 => &["blocks", "fewer blocks"],
            2 | 3 => &["blocks", "fewer blocks", "text"],
            _ => panic!("{failures}"),
        };
        let blocks = |body: &Value| body["attachments"].to_string().len();
        let sent = calls.iter().map(|it| match blocks(&it.body) {
            6_000.. => "blocks",
            100.. => "fewer blocks",
            _ => "text",
        });
        assert_eq!(sent.collect::<Vec<_>>(), expected);
        // The text alone has some lines too.
        let last = calls.last().unwrap().body["text"].as_str().unwrap();
        assert_eq!(last.contains("\n7 word word"), failures > 1, "{last}");
        assert!(calls.iter().all(|it| it.body["ts"] == *first.id));
    }
}

/// An edit may be repeated, because the second has the same result. A post may not.
#[tokio::test]
async fn only_an_edit_without_an_answer_is_tried_again() {
    let late = || ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    let (slack, channel) = slack().await;
    slack.answer_next(late());
    slack.answer_next(late());
    let (first, message) = (root(1), message(Severity::Warning));
    let operations = [Operation::Post, Operation::Update(&first)];
    let sending = operations.map(|it| send(&channel, &message, it));
    let [posted, edited] = &futures::future::join_all(sending).await[..] else {
        panic!("two outcomes");
    };
    assert!(matches!(posted, Outcome::Unanswered { .. }), "{posted:?}");
    let why = "no answer within 5 s".to_owned();
    assert_eq!(
        *edited,
        Outcome::Retry {
            after: None,
            why,
            advice: None
        }
    );
}

/// A token can be replaced without a new deployment. No output contains the old or the new one.
#[tokio::test]
async fn a_refused_token_is_read_again_from_where_it_is_kept() {
    let (aws, slack) = (FakeAws::start().await, SlackApi::start().await);
    let mut settings = slack.settings();
    settings["token"] = json!("ssm:/ops/token");
    aws.secret("/ops/token", TOKEN);
    let old = json!({"Parameter": {"Value": "xoxb-old-very-secret-token"}});
    aws.answer_once("GetParameter", old);
    let events = ["by-iam-user", "by-root"].map(|it| events::sample(&format!("stop_task-{it}")));
    let api = RuntimeApi::with(events.to_vec()).await;
    let channels = json!([settings]).to_string();
    let (answers, log) = aws.invoke(PARROT, api, &[("CHANNELS", &channels)]).await;
    assert_eq!(
        answers,
        [Answer::Response(Value::Null), Answer::Response(Value::Null)]
    );
    assert_eq!(slack.messages().len(), 2, "{log}");
    assert_eq!(
        slack.calls().len(),
        3,
        "the first with the old token: {log}"
    );
    assert_eq!(aws.bodies("GetParameter").len(), 2, "{log}");
    assert!(log.contains("oncall delivered"), "{log}");
    assert!(!log.contains("very-secret"), "{log}");
}

#[tokio::test]
async fn a_refused_message_shows_no_token() {
    let slack = SlackApi::start().await;
    let echo = json!({"ok": false, "error": format!("no token {TOKEN}"), "needed": TOKEN});
    slack.answer_next(ResponseTemplate::new(200).set_body_json(echo));
    let api = RuntimeApi::with(vec![events::sample("stop_task-by-root")]).await;
    let channels = json!([slack.settings()]).to_string();
    let (answers, log) = api.run(&[("CHANNELS", &channels)]).await;
    let shown = format!("{answers:?} {log}");
    assert!(shown.contains("200 no token [redacted]"), "{shown}");
    assert!(!shown.contains("very-secret"), "{shown}");
}

#[test]
fn what_is_wrong_with_the_settings_is_said_without_the_token() {
    let id =
        "`channel`: not the ID of a channel; its name cannot be used; allowed: the ID of a channel";
    for (setting, value, problem) in [
        (
            "token",
            "xoxp-very-secret",
            "`token`: not the token of a Slack app's bot",
        ),
        (
            "token",
            "https://hooks.slack.com/services/very-secret",
            "`token`: it contains characters that are not allowed in a token",
        ),
        ("token", "", "`token`: it is missing"),
        ("channel", "#ops", id),
        ("channel", "", "`channel`: it is missing"),
        (
            "channel",
            "xoxb-very-secret",
            "`channel`: it looks like a secret",
        ),
        (
            "mention",
            "@channel",
            "`mention`: not a mention in Slack's markup",
        ),
        (
            "url",
            "http://slack.com/api",
            "`url`: messages would be sent unencrypted",
        ),
        (
            "url",
            "https://slack.com/api?x=1",
            "`url`: it contains a query or a fragment",
        ),
    ] {
        let mut settings = json!({
            "name": "oncall",
            "type": "slack_app",
            "token": TOKEN,
            "channel": CHANNEL,
        });
        settings[setting] = json!(value);
        let variable = ("CHANNELS".to_owned(), json!([settings]).to_string());
        let error = NotifierConfig::read(&[variable]).unwrap_err().to_string();
        let expected = format!("CHANNELS, `oncall`, {problem}");
        assert!(error.starts_with(&expected), "{error}");
        assert!(!error.contains("very-secret"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
