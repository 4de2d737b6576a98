//! Which messages are alerts, for services that page people.
//!
//! Such a service has incidents of its own, each under a key. The key is derived from the thread, so nothing is stored:
//! a new state is sent with the same key.

use serde_json::{Map, Value};

use super::fit::note;
use super::hash::hash;
use super::operation::{Capabilities, MessageRef, Operation};
use crate::notifier::message::{Message, MessageThread};
use crate::notifier::policy::{Priority, Severity};
use crate::notifier::thread::{Reason, Step, ThreadKind, steps};

/// A new state is sent where a chat edits its message. While a storm lasts, incidents of its cluster have nothing else.
pub(super) const CAPABILITIES: Capabilities = Capabilities {
    edits: true,
    replies: false,
};

/// The label of lines that have none.
const OTHER_LINES: &str = "Details";

/// What an alert's incident is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AlertState {
    Triggered,
    Resolved,
}

/// The state of the alert that the message is about. `None` if it is about none.
pub(super) fn state(message: &Message) -> Option<AlertState> {
    let thread = message.thread.as_ref();
    let kind = thread.map(|it| it.kind);
    let priority = Priority {
        cause: None,
        severity: message.severity,
        urgent: match kind {
            // Its end is an alert's end, and not urgent.
            Some(ThreadKind::Incident) => thread.is_some_and(|it| it.has_been_urgent),
            _ => message.urgent,
        },
    };
    let is_over = message.thread.as_ref().is_some_and(is_over);
    let is_good = matches!(message.severity, Severity::Success | Severity::Info);
    is_alert(kind, priority).then_some(match is_over && is_good {
        true => AlertState::Resolved,
        false => AlertState::Triggered,
    })
}

fn is_over(thread: &MessageThread) -> bool {
    !thread.is_open
}

/// Whether a thread of this kind, or an event that belongs to none, is an alert.
///
/// Storms and urgent incidents are alerts, and of runs and single events those that are urgent and critical. A deployment is
/// none: where it fails, its tasks are an incident. An announcement of AWS is none: nobody can end it.
pub(super) fn is_alert(thread: Option<ThreadKind>, priority: Priority) -> bool {
    match thread {
        Some(ThreadKind::Storm) => true,
        Some(ThreadKind::Incident) => priority.urgent,
        Some(ThreadKind::Deployment | ThreadKind::Activity | ThreadKind::Announcement) => false,
        Some(ThreadKind::Run) | None => priority.urgent && priority.severity == Severity::Critical,
    }
}

/// Whether an edit of an alert's message has nothing to say. It is about no alert, or a post with the same state follows
/// it, or it has counts only: somebody may have resolved the alert by hand, and a count must not open it again.
pub(super) fn is_idle_edit(message: &Message, operation: Operation<'_>) -> bool {
    let is_edit = matches!(operation, Operation::Update(_));
    let reason = message.thread.as_ref().map(|it| it.reason);
    let is_followed = || reason.is_some_and(|it| steps(it, CAPABILITIES).contains(&Step::Post));
    let is_idle = || match state(message) {
        None => true,
        Some(AlertState::Triggered) => reason == Some(Reason::Counted) || is_followed(),
        Some(AlertState::Resolved) => is_followed(),
    };
    is_edit && is_idle()
}

/// Whether what is no alert ends with this message: a deployment or a run.
pub(super) fn is_end_of_change(message: &Message) -> bool {
    let reason = message.thread.as_ref().map(|it| it.reason);
    let is_end = matches!(
        reason,
        Some(Reason::Completed | Reason::RolledBack | Reason::Stopped)
    );
    is_end && state(message).is_none()
}

/// The key of the service's incident: the thread's id, or for a single event its kind and what it is about. It has less
/// than 100 characters: letters, digits, `-` and `_`.
pub(super) fn key(message: &Message) -> String {
    match &message.thread {
        Some(thread) => thread.id.to_string(),
        None => {
            let facts = &message.facts;
            let of = [&facts.account, &facts.region, &facts.cluster];
            let of = of.map(|it| it.as_deref().unwrap_or_default());
            let subject = facts.subject().unwrap_or_default();
            let about = hash(&format!("{} {subject}", of.join(" ")));
            format!("{}-{about}", message.kind)
        }
    }
}

/// The reference that stands for the key.
pub(super) fn root(message: &Message) -> MessageRef {
    MessageRef {
        channel: "alert".to_owned(),
        id: key(message),
    }
}

/// The first lines of the message by their labels, and where it happened.
pub(super) fn details(message: &Message, lines: usize) -> Map<String, Value> {
    let (shown, left_out) = message.details.split_at(lines);
    let mut texts: Vec<(&str, String)> = Vec::new();
    let note = note(left_out.len());
    let lines = shown.iter().map(|line| match &line.label {
        Some(label) => (label.as_str(), line.value.clone()),
        None => (OTHER_LINES, line.text.clone()),
    });
    for (label, text) in lines.chain(note.map(|it| (OTHER_LINES, it))) {
        match texts.iter_mut().find(|(known, _)| *known == label) {
            Some((_, known)) => {
                known.push('\n');
                known.push_str(&text);
            }
            None => texts.push((label, text)),
        }
    }
    let facts = &message.facts;
    let places = [("Account", &facts.account), ("Region", &facts.region)];
    let places = places
        .into_iter()
        .filter_map(|(label, place)| Some((label, place.clone()?)));
    let entries = places.chain(texts);
    entries
        .map(|(label, text)| (label.to_owned(), Value::from(text)))
        .collect()
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;
    use crate::ecs::notice::Kind;
    use crate::notifier::message::{Line, MessageFacts};
    use crate::notifier::thread::ThreadId;

    fn message(
        kind: Option<ThreadKind>,
        severity: Severity,
        urgent: bool,
        is_open: bool,
    ) -> Message {
        Message {
            kind: Kind::TaskStopped,
            severity,
            urgent,
            mentions: false,
            headline: "checkout ran out of memory".to_owned(),
            details: Vec::new(),
            facts: MessageFacts::default(),
            subjects: Vec::new(),
            thread: kind.map(|kind| MessageThread {
                id: ThreadId::default(),
                kind,
                state: None,
                is_open,
                has_been_urgent: true,
                reason: Reason::Opened,
                at: None,
            }),
        }
    }

    #[test]
    fn an_incident_that_was_never_urgent_is_no_alert() {
        let mut message = message(Some(ThreadKind::Incident), Severity::Warning, false, true);
        if let Some(thread) = &mut message.thread {
            thread.has_been_urgent = false;
        }
        assert_eq!(state(&message), None);
    }

    #[test]
    fn only_problems_are_alerts() {
        use AlertState::{Resolved, Triggered};
        use Severity::{Critical, Info, Success, Warning};
        use ThreadKind::{Activity, Deployment, Incident, Run, Storm};
        for (kind, severity, urgent, is_open, expected) in [
            (Some(Incident), Warning, true, true, Some(Triggered)),
            (Some(Incident), Warning, false, true, Some(Triggered)),
            (Some(Incident), Success, false, false, Some(Resolved)),
            (Some(Incident), Success, false, true, Some(Triggered)),
            // It ended without a recovery.
            (Some(Incident), Critical, true, false, Some(Triggered)),
            (Some(Storm), Critical, true, true, Some(Triggered)),
            (Some(Storm), Info, false, false, Some(Resolved)),
            (Some(Run), Critical, true, false, Some(Triggered)),
            (Some(Run), Info, false, true, None),
            (Some(Run), Success, false, false, None),
            (Some(Deployment), Critical, true, false, None),
            (Some(Activity), Warning, true, true, None),
            (None, Critical, true, true, Some(Triggered)),
            (None, Critical, false, true, None),
            (None, Warning, true, true, None),
        ] {
            let found = state(&message(kind, severity, urgent, is_open));
            assert_eq!(found, expected, "{kind:?} {severity} {urgent} {is_open}");
        }
    }

    /// The post after it has the same state. A resolution within a storm is an edit alone.
    #[test]
    fn an_edit_is_idle_if_a_post_follows_or_it_counts() {
        let root = MessageRef {
            channel: "alert".to_owned(),
            id: "incident-1".to_owned(),
        };
        for reason in Reason::VARIANTS {
            let mut alert = message(Some(ThreadKind::Incident), Severity::Critical, true, true);
            alert.thread.as_mut().unwrap().reason = *reason;
            let is_idle = matches!(
                reason,
                Reason::Opened
                    | Reason::Counted
                    | Reason::Waits
                    | Reason::HookFailed
                    | Reason::RollsBack
                    | Reason::Failed
                    | Reason::Worse
                    | Reason::CameBack
                    | Reason::Recovered
            );
            let found = is_idle_edit(&alert, Operation::Update(&root));
            assert_eq!(found, is_idle, "{reason}");
            assert!(!is_idle_edit(&alert, Operation::Post), "{reason}");
        }
    }

    #[test]
    fn a_key_is_that_of_the_subject() {
        let mut one = message(None, Severity::Critical, true, true);
        one.facts.cluster = Some("prod-web".to_owned());
        one.facts.service = Some("checkout".repeat(100));
        let mut other = one.clone();
        other.headline = "another".to_owned();
        assert_eq!(key(&one), key(&other));
        other.facts.region = Some("eu-west-1".to_owned());
        assert_ne!(key(&one), key(&other));
        for message in [one, other] {
            let key = key(&message);
            assert!(key.starts_with("task_stopped-") && key.len() < 100, "{key}");
        }
    }

    #[test]
    fn lines_of_one_label_are_together() {
        let mut message = message(None, Severity::Critical, true, true);
        message.facts.account = Some("210987654321".to_owned());
        let fact = |label: &str, value: &str| Line {
            label: Some(label.to_owned()),
            ..Line::of_text(value.to_owned())
        };
        message.details = vec![
            fact("Why", "too little"),
            Line::of_text("one".to_owned()),
            fact("Why", "too late"),
            Line::of_text("two".to_owned()),
        ];
        let found = |lines| Value::Object(details(&message, lines));
        let all = serde_json::json!({
            "Account": "210987654321",
            "Why": "too little\ntoo late",
            "Details": "one\ntwo",
        });
        assert_eq!(found(4), all);
        let some = serde_json::json!({
            "Account": "210987654321",
            "Why": "too little",
            "Details": "… 3 more lines left out",
        });
        assert_eq!(found(1), some);
    }
}
