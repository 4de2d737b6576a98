//! One call of Slack's Web API, and what its answer means.
//!
//! <https://docs.slack.dev/reference/methods/chat.postMessage>, <https://docs.slack.dev/reference/methods/chat.update>

use serde_json::{Map, Value};

use super::errors::{ApiError, ErrorClass};
use crate::aws::secret::{Secret, SecretSource};
use crate::notifier::channel::address::problem_of_token;
use crate::notifier::channel::answer::{Answer, Success, object};
use crate::notifier::channel::http::{ChatRequest, unusable};
use crate::notifier::channel::{Http, MessageRef, Operation, Outcome};

const SUCCESS: Success = Success {
    matches: |body| object(body).is_some_and(|it| it.get("ok") == Some(&Value::Bool(true))),
    expected: "Slack's JSON",
    check: "is `url` the address of Slack's API?",
};

/// The API, as one app's bot uses it.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) token: SecretSource,
    /// The address before the name of a method.
    pub(super) base: String,
}

/// The result of a call. An accepted message has a reference if it stands at the top level of the channel.
pub(super) type Sent = Result<Option<MessageRef>, Failure>;

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Slack named an error.
    Named(ApiError),
    /// There is no answer, or it is not one of Slack's API.
    Other(Outcome),
}

impl Failure {
    /// What the error is about, if Slack named one.
    pub(super) fn class(&self) -> Option<ErrorClass> {
        match self {
            Self::Named(error) => Some(error.class),
            Self::Other(_) => None,
        }
    }

    pub(super) fn into_outcome(self) -> Outcome {
        match self {
            Self::Named(error) => error.into_outcome(),
            Self::Other(outcome) => outcome,
        }
    }

    /// Whether the secret is read once more.
    fn may_be_old_token(&self) -> bool {
        match self {
            Self::Named(error) => error.may_be_old_token(),
            Self::Other(outcome) => matches!(outcome, Outcome::Refused { .. }),
        }
    }
}

/// A token after a rotation begins with `xoxe.`. <https://docs.slack.dev/authentication/tokens>
pub(super) fn problem_of_bot_token(text: &str) -> Result<(), &'static str> {
    problem_of_token(text)?;
    let token = text.strip_prefix("xoxe.").unwrap_or(text);
    match token.starts_with("xoxb-") {
        true => Ok(()),
        false => Err("not the token of a Slack app's bot"),
    }
}

impl Api {
    /// Calls the method for this operation. If Slack refuses the token, it is read once more, because it may have been
    /// changed.
    pub(super) async fn call(&self, http: &Http, operation: Operation<'_>, body: &Value) -> Sent {
        let token = http.open(&self.token).await.map_err(Failure::Other)?;
        let sent = self.call_with(http, &token, method(operation), operation, body);
        let sent = sent.await;
        if !matches!(&sent, Err(failure) if failure.may_be_old_token()) {
            return sent;
        }
        match http.renew(&self.token).await {
            Some(token) => {
                let method = method(operation);
                self.call_with(http, &token, method, operation, body).await
            }
            None => sent,
        }
    }

    /// Asks whether the token is valid: <https://docs.slack.dev/reference/methods/auth.test>. It needs no scope.
    pub(super) async fn check(&self, http: &Http) -> Outcome {
        let token = match http.open(&self.token).await {
            Ok(token) => token,
            Err(outcome) => return outcome,
        };
        let body = Value::Object(Map::new());
        let sent = self.call_with(http, &token, "auth.test", Operation::Post, &body);
        match sent.await {
            Ok(_) => Outcome::Delivered { root: None },
            Err(failure) => failure.into_outcome(),
        }
    }

    async fn call_with(
        &self,
        http: &Http,
        token: &Secret,
        method: &str,
        operation: Operation<'_>,
        body: &Value,
    ) -> Sent {
        if let Err(problem) = problem_of_bot_token(token.expose()) {
            return Err(Failure::Other(unusable(problem)));
        }
        let base = self.base.trim_end_matches('/');
        let url = format!("{base}/{method}");
        let request = ChatRequest::to_api(url, body).with_authorization("Bearer", token);
        let request = match request {
            Ok(request) => request,
            Err(problem) => return Err(Failure::Other(unusable(problem))),
        };
        match http.call(request).await {
            Ok(answer) => read(&answer, operation),
            Err(outcome) => Err(Failure::Other(repeatable(outcome, operation))),
        }
    }
}

fn method(operation: Operation<'_>) -> &'static str {
    match operation {
        Operation::Post | Operation::Reply { .. } => "chat.postMessage",
        Operation::Update(_) => "chat.update",
    }
}

fn read(answer: &Answer, operation: Operation<'_>) -> Sent {
    if let Some(error) = ApiError::of(answer) {
        return Err(Failure::Named(error));
    }
    match answer.outcome(&SUCCESS) {
        Outcome::Delivered { .. } => {
            let answer = object(&answer.body).unwrap_or_default();
            Ok(new_root(&answer, operation))
        }
        failed => Err(Failure::Other(repeatable(failed, operation))),
    }
}

/// An edit may be repeated, because it has the same result again. A post would be there twice.
fn repeatable(outcome: Outcome, operation: Operation<'_>) -> Outcome {
    match (operation, outcome) {
        (Operation::Update(_), Outcome::Unanswered { why, .. }) => Outcome::retry(why),
        (Operation::Update(_) | Operation::Post | Operation::Reply { .. }, outcome) => outcome,
    }
}

/// The message that Slack made, if it stands at the top level. Slack accepts a reply to a message that does not exist,
/// and posts it there.
fn new_root(answer: &Map<String, Value>, operation: Operation<'_>) -> Option<MessageRef> {
    let text = |key: &str| answer.get(key)?.as_str();
    let thread = answer.get("message").and_then(|it| it.get("thread_ts"));
    let is_root = match operation {
        Operation::Post => true,
        Operation::Update(_) => false,
        Operation::Reply { root, .. } => thread.and_then(Value::as_str) != Some(&root.id),
    };
    is_root.then_some(MessageRef {
        channel: text("channel")?.to_owned(),
        id: text("ts")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::notifier::channel::UnansweredKind;

    fn root() -> MessageRef {
        MessageRef {
            channel: "C1".to_owned(),
            id: "1.000001".to_owned(),
        }
    }

    #[test]
    fn only_the_token_of_a_bot_is_accepted() {
        for (token, is_accepted) in [
            ("xoxb-1-2-abc", true),
            ("xoxe.xoxb-1-abc", true),
            ("xoxp-1-2-abc", false),
            ("xapp-1-A-abc", false),
            ("xoxb-1 2", false),
            ("xoxb-1\n", false),
            ("https://hooks.slack.com/services/xoxb-", false),
            ("", false),
        ] {
            assert_eq!(problem_of_bot_token(token).is_ok(), is_accepted, "{token}");
        }
    }

    #[test]
    fn the_answer_says_which_message_is_the_root() {
        let root = root();
        let reply = Operation::Reply {
            root: &root,
            broadcast: false,
        };
        let in_thread =
            |ts: &str| json!({"channel": "C1", "ts": "2.2", "message": {"thread_ts": ts}});
        let at_top = json!({"channel": "C1", "ts": "2.2", "message": {"text": "x"}});
        for (operation, answer, expected) in [
            (Operation::Post, at_top.clone(), Some("2.2")),
            (Operation::Update(&root), at_top.clone(), None),
            (reply, in_thread("1.000001"), None),
            (reply, in_thread("1.000002"), Some("2.2")),
            (reply, at_top, Some("2.2")),
            (Operation::Post, json!({"channel": "C1"}), None),
            (Operation::Post, json!({"ts": "2.2"}), None),
            (Operation::Post, json!({"channel": 7, "ts": 7}), None),
        ] {
            let found = new_root(answer.as_object().unwrap(), operation);
            let expected = expected.map(|id| MessageRef {
                channel: "C1".to_owned(),
                id: id.to_owned(),
            });
            assert_eq!(found, expected, "{operation:?} {answer}");
        }
    }

    #[test]
    fn only_an_edit_without_an_answer_may_be_repeated() {
        let root = root();
        let unanswered = || Outcome::Unanswered {
            kind: UnansweredKind::Stalled,
            why: "no answer".to_owned(),
        };
        let reply = Operation::Reply {
            root: &root,
            broadcast: true,
        };
        assert_eq!(repeatable(unanswered(), Operation::Post), unanswered());
        assert_eq!(repeatable(unanswered(), reply), unanswered());
        assert_eq!(
            repeatable(unanswered(), Operation::Update(&root)),
            Outcome::retry("no answer".to_owned())
        );
    }
}
