//! The errors of Slack's Web API and of its webhooks: what each means for the message, and what an operator can do.
//!
//! Slack answers 200 to most of them: `{"ok": false, "error": "channel_not_found"}`. The words are listed with each
//! method: <https://docs.slack.dev/reference/methods/chat.postMessage#errors>,
//! <https://docs.slack.dev/reference/methods/chat.update#errors>.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use crate::notifier::channel::Outcome;
use crate::notifier::channel::answer::{Answer, BUSY, OUTAGE, object, shortened};

/// What an error is about. It decides what is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorClass {
    /// Too many messages. Slack says when to try again.
    Busy,
    /// Slack itself has a problem, which passes.
    Outage,
    /// The token is wrong.
    Token,
    /// The app lacks a right.
    Right,
    /// The app cannot post in the channel.
    Channel,
    /// The message that is edited or replied to is gone, or cannot be edited or replied to any more.
    RootGone,
    /// Slack does not accept the content of the message.
    Content,
    Unknown,
}

/// An error that Slack names in its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) class: ErrorClass,
    why: String,
    retry_after: Option<Duration>,
}

/// The words, the class, and what the operator can do.
type Row = (&'static [&'static str], ErrorClass, &'static str);

const ERRORS: &[Row] = &[
    (
        &["ratelimited", "rate_limited", "message_limit_exceeded"],
        ErrorClass::Busy,
        "",
    ),
    (
        &[
            "service_unavailable",
            "fatal_error",
            "internal_error",
            "request_timeout",
            "update_failed",
            "team_added_to_org",
            "org_login_required",
            "external_channel_migrating",
        ],
        ErrorClass::Outage,
        "",
    ),
    (
        &["not_authed", "invalid_auth"],
        ErrorClass::Token,
        "`token` must be the app's Bot User OAuth Token, and the app must allow requests from the function's IP address",
    ),
    (
        &["token_revoked", "account_inactive"],
        ErrorClass::Token,
        "the app was removed, or its token was revoked: install the app again and store its new token",
    ),
    (
        &["token_expired"],
        ErrorClass::Token,
        "store a current token, or turn off token rotation for the app",
    ),
    (
        &["missing_scope"],
        ErrorClass::Right,
        "add the scope `chat:write` to the app and install it again",
    ),
    (
        &["not_allowed_token_type"],
        ErrorClass::Right,
        "`token` must be the app's Bot User OAuth Token",
    ),
    (
        &[
            "no_permission",
            "access_denied",
            "ekm_access_denied",
            "app_access_restricted",
            "enterprise_is_restricted",
            "team_access_not_granted",
            "accesslimited",
        ],
        ErrorClass::Right,
        "an administrator of the workspace must allow the app to post",
    ),
    (
        &["channel_not_found"],
        ErrorClass::Channel,
        "check the ID in `channel`; if the channel is private, invite the app to it",
    ),
    (
        &["not_in_channel"],
        ErrorClass::Channel,
        "invite the app to the channel, or give it the scope `chat:write.public`",
    ),
    (
        &["is_archived"],
        ErrorClass::Channel,
        "unarchive the channel, or set another `channel`",
    ),
    (
        &[
            "restricted_action",
            "restricted_action_read_only_channel",
            "restricted_action_thread_only_channel",
            "messages_tab_disabled",
        ],
        ErrorClass::Channel,
        "the channel must allow the app to post; or set another `channel`",
    ),
    (
        &[
            // The message was deleted, is another author's, is too old to edit, or its channel is frozen.
            "message_not_found",
            "cant_update_message",
            "edit_window_closed",
            "is_inactive",
            "streaming_state_conflict",
            // The thread accepts no replies.
            "thread_not_found",
            "cannot_reply_to_message",
            "restricted_action_thread_locked",
            "restricted_action_non_threadable_channel",
        ],
        ErrorClass::RootGone,
        "",
    ),
    (
        &[
            "msg_too_long",
            "msg_blocks_too_long",
            "invalid_blocks",
            "invalid_blocks_format",
            "invalid_attachments",
            "too_many_attachments",
            "attachment_payload_limit_exceeded",
            "no_text",
        ],
        ErrorClass::Content,
        "the text alone is not accepted either; check your templates with `ecs-parrot preview`",
    ),
];

/// What the operator can do about the errors of an incoming webhook. Some words of the API mean something else there.
/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors>
const WEBHOOK_ERRORS: &[(&[&str], &str)] = &[
    (
        &[
            "no_service",
            "no_service_id",
            "no_active_hooks",
            "no_team",
            "invalid_token",
        ],
        "the webhook was removed, or its address is incomplete: make a webhook and store its address",
    ),
    (
        &["team_disabled"],
        "the workspace is deactivated: make a webhook in another one",
    ),
    (
        &["channel_not_found", "user_not_found"],
        "who or what `channel` names does not exist, or the webhook's own channel was deleted",
    ),
    (
        &["channel_is_archived"],
        "unarchive the channel, or make a webhook for another one",
    ),
    (
        &[
            "action_prohibited",
            "posting_to_general_channel_denied",
            "restricted_action",
        ],
        "an administrator of the workspace must allow the webhook to post in the channel; or make a webhook for another one",
    ),
    (
        &[
            "invalid_payload",
            "invalid_attachments",
            "invalid_blocks",
            "too_many_attachments",
            "no_text",
        ],
        "the service does not accept the message: check your templates with `ecs-parrot preview`",
    ),
];

/// What the operator can do about an answer to an incoming webhook, also one of another service that takes Slack's JSON.
pub(super) fn webhook_advice(answer: &Answer) -> &'static str {
    let word = answer.error_word().unwrap_or_default();
    let row = WEBHOOK_ERRORS
        .iter()
        .find(|(words, _)| words.contains(&word.as_str()));
    match row {
        Some((_, advice)) => advice,
        None if answer.status == StatusCode::PAYLOAD_TOO_LARGE => {
            "the message is too large: check your templates with `ecs-parrot preview`"
        }
        None => {
            "check that `url` is the whole address of the webhook, and that the webhook still exists"
        }
    }
}

impl ApiError {
    /// `None` if the answer names no error as Slack's API does.
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        let body = object(&answer.body)?;
        if body.get("ok") != Some(&Value::Bool(false)) {
            return None;
        }
        let word = body.get("error").and_then(Value::as_str)?;
        let needed = body.get("needed").and_then(Value::as_str);
        let (class, advice) = known(word);
        let advice = match needed.filter(|_| class == ErrorClass::Right) {
            Some(scope) => format!(
                "add the scope `{}` to the app and install it again",
                shortened(scope)
            ),
            None => advice.to_owned(),
        };
        let (code, word) = (answer.status.as_u16(), shortened(word));
        Some(Self {
            // A status that says "later" has priority over the word.
            class: match answer.status {
                StatusCode::TOO_MANY_REQUESTS => ErrorClass::Busy,
                _ if answer.is_temporary() => ErrorClass::Outage,
                _ => class,
            },
            why: match advice.is_empty() {
                true => format!("{code} {word}"),
                false => format!("{code} {word}: {advice}"),
            },
            retry_after: answer.retry_after,
        })
    }

    /// Whether the secret is read once more: another token may have the right, or see the channel.
    pub(super) fn may_be_old_token(&self) -> bool {
        match self.class {
            ErrorClass::Token | ErrorClass::Right | ErrorClass::Channel => true,
            ErrorClass::Busy
            | ErrorClass::Outage
            | ErrorClass::RootGone
            | ErrorClass::Content
            | ErrorClass::Unknown => false,
        }
    }

    pub(super) fn into_outcome(self) -> Outcome {
        let Self {
            class,
            why,
            retry_after,
        } = self;
        let later = |why, advice| Outcome::Retry {
            after: retry_after,
            why,
            advice: Some(advice),
        };
        match class {
            ErrorClass::Busy => later(why, BUSY),
            ErrorClass::Outage => later(why, OUTAGE),
            ErrorClass::Token
            | ErrorClass::Right
            | ErrorClass::Channel
            | ErrorClass::RootGone
            | ErrorClass::Content
            | ErrorClass::Unknown => Outcome::Refused { why },
        }
    }
}

fn known(word: &str) -> (ErrorClass, &'static str) {
    let row = ERRORS.iter().find(|(words, _, _)| words.contains(&word));
    row.map_or((ErrorClass::Unknown, ""), |(_, class, advice)| {
        (*class, *advice)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: Some(Duration::from_secs(7)),
            body: body.to_owned(),
        }
    }

    fn outcome(status: u16, body: &str) -> Outcome {
        ApiError::of(&answer(status, body)).unwrap().into_outcome()
    }

    fn retry(why: &str, advice: &'static str) -> Outcome {
        Outcome::Retry {
            after: Some(Duration::from_secs(7)),
            why: why.to_owned(),
            advice: Some(advice),
        }
    }

    fn refused(why: &str) -> Outcome {
        Outcome::Refused {
            why: why.to_owned(),
        }
    }

    #[test]
    fn each_error_has_its_outcome() {
        for (status, body, expected) in [
            (
                200,
                r#"{"ok": false, "error": "ratelimited"}"#,
                retry("200 ratelimited", BUSY),
            ),
            (
                429,
                r#"{"ok": false, "error": "ratelimited"}"#,
                retry("429 ratelimited", BUSY),
            ),
            (
                200,
                r#"{"ok": false, "error": "fatal_error"}"#,
                retry("200 fatal_error", OUTAGE),
            ),
            (
                503,
                r#"{"ok": false, "error": "rollup_error"}"#,
                retry("503 rollup_error", OUTAGE),
            ),
            (
                200,
                r#"{"ok": false, "error": "is_archived"}"#,
                refused("200 is_archived: unarchive the channel, or set another `channel`"),
            ),
            (
                200,
                r#"{"ok": false, "error": "missing_scope", "needed": "chat:write.public"}"#,
                refused(
                    "200 missing_scope: add the scope `chat:write.public` to the app and install it again",
                ),
            ),
            (
                200,
                r#"{"ok": false, "error": "an_error_of_tomorrow"}"#,
                refused("200 an_error_of_tomorrow"),
            ),
        ] {
            assert_eq!(outcome(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn other_answers_name_no_error() {
        for body in [
            "",
            "ok",
            "[]",
            r#"{"ok": true}"#,
            r#"{"ok": false}"#,
            r#"{"error": "x"}"#,
        ] {
            assert_eq!(ApiError::of(&answer(200, body)), None, "{body}");
        }
    }

    /// A word in two rows would have the advice of the first.
    #[test]
    fn no_word_is_in_two_rows() {
        let of_api: Vec<_> = ERRORS.iter().flat_map(|(words, _, _)| *words).collect();
        let of_webhooks: Vec<_> = WEBHOOK_ERRORS
            .iter()
            .flat_map(|(words, _)| *words)
            .collect();
        for words in [of_api, of_webhooks] {
            assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len());
        }
    }

    /// Slack's answers come from another program, so they may contain anything.
    #[test]
    fn a_long_or_strange_word_is_shortened() {
        let word = "x".repeat(500);
        let body = serde_json::json!({"ok": false, "error": format!("a\n{word}")}).to_string();
        let Outcome::Refused { why } = outcome(200, &body) else {
            panic!("{body}");
        };
        assert!(why.starts_with("200 axxx") && why.len() < 130, "{why}");
    }
}
