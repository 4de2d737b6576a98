//! Shows a thread in a channel: its steps one after another, because a reply needs the message before it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::notifier::channel::{MessageRef, Operation, Outcome};
use crate::notifier::dedup::Unanswered;
use crate::notifier::metrics;
use crate::notifier::report::{Delivery, DeliveryStatus};
use crate::notifier::thread::{
    ClaimedDue, DueResult, Reason, Step, SubjectKey, Thread, ThreadForm, ThreadId,
};

/// The wait before a message without an answer is sent again.
const UNANSWERED_WAIT: Duration = Duration::from_secs(60);

/// The same before the last time. So an outage of an hour is over before it.
const LAST_WAIT: Duration = Duration::from_secs(3_600);

/// A summary has counted the thread, because there is no time for many messages. There is none for many edits.
const AFTER_SUMMARY: Duration = Duration::from_secs(60);
const NOT_SENT: &str = "what was due in a thread was not sent; a timer tries it again";

/// The steps of one thread in one channel.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) subject: SubjectKey,
    pub(super) thread: Thread,
    steps: VecDeque<ClaimedDue>,
    root: Option<MessageRef>,
    /// A kept event of the batch that the first step is about.
    pub(super) event: Option<usize>,
    /// How often the queue has delivered the events that are new here. Other processes may have sent the message each
    /// time.
    receives: u32,
    /// Whether an event of the batch asks for it, so that the event's own log line says what came of it.
    pub(super) has_sender: bool,
    pub(super) results: Vec<(ClaimedDue, DueResult)>,
    /// The status of the events that these steps show.
    pub(super) status: Option<DeliveryStatus>,
}

/// One step, ready to be sent.
pub(super) struct ChainStep<'a> {
    pub(super) claimed: &'a ClaimedDue,
    pub(super) operation: Operation<'a>,
    pub(super) form: ThreadForm,
}

impl Chain {
    pub(super) fn new(
        subject: SubjectKey,
        thread: Thread,
        steps: Vec<ClaimedDue>,
        event: Option<usize>,
        receives: u32,
    ) -> Self {
        let root = steps.first().and_then(|it| it.root.clone());
        Self {
            subject,
            thread,
            steps: steps.into(),
            root,
            event,
            receives,
            has_sender: true,
            results: Vec::new(),
            status: None,
        }
    }

    pub(super) fn id(&self) -> &ThreadId {
        self.thread.id()
    }

    /// Whether a step is urgent and more than an edit.
    pub(super) fn is_urgent(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|it| it.due.turn.urgent && it.due.step != Step::Edit)
    }

    /// Whether it posts or replies.
    pub(super) fn has_message(&self) -> bool {
        self.steps.iter().any(|it| it.due.step != Step::Edit)
    }

    /// Whether its only message says no more than the event that it is about: that a thread begins, or ends well. Then a
    /// summary may count the event instead.
    pub(super) fn may_be_summarized(&self) -> bool {
        let messages = self.steps.iter().filter(|it| it.due.step != Step::Edit);
        let says_more = |it: &ClaimedDue| {
            !matches!(
                it.due.turn.reason,
                Reason::Opened | Reason::Completed | Reason::Stopped
            )
        };
        let has_more = messages.clone().any(says_more);
        self.event.is_some() && !self.is_urgent() && messages.count() == 1 && !has_more
    }

    /// The next step. A step that has nothing to edit is done.
    pub(super) fn next(&mut self) -> Option<ChainStep<'_>> {
        while let Some(first) = self.steps.front() {
            if first.due.step == Step::Edit && self.root.is_none() {
                let done = self.steps.pop_front()?;
                self.results.push((done, DueResult::Done { root: None }));
                continue;
            }
            break;
        }
        let claimed = self.steps.front()?;
        let operation = match (claimed.due.step, &self.root) {
            (Step::Edit, Some(root)) => Operation::Update(root),
            (Step::Reply { broadcast }, Some(root)) => Operation::Reply { root, broadcast },
            (Step::Edit | Step::Reply { .. } | Step::Post, _) => Operation::Post,
        };
        Some(ChainStep {
            claimed,
            operation,
            form: claimed.due.form,
        })
    }

    /// Notes what came of the first step. After a failure the others wait too.
    pub(super) fn note(&mut self, outcome: &Outcome) {
        let Some(claimed) = self.steps.pop_front() else {
            return;
        };
        let is_edit = claimed.due.step == Step::Edit;
        let unanswered = claimed.due.unanswered + 1;
        let (result, status) = match outcome {
            Outcome::Delivered { root } => {
                if root.is_some() {
                    self.root.clone_from(root);
                }
                let done = DueResult::Done { root: root.clone() };
                (done, DeliveryStatus::Tried(outcome.clone()))
            }
            // The reply after it says what matters, and the next edit shows the same and more.
            Outcome::Refused { .. } if is_edit && !self.steps.is_empty() => {
                return self.results.push((claimed, DueResult::Done { root: None }));
            }
            // An edit may be repeated.
            Outcome::Retry { .. } | Outcome::Refused { .. } => {
                (DueResult::Failed, DeliveryStatus::Tried(outcome.clone()))
            }
            Outcome::Unanswered { .. } if is_edit => {
                (DueResult::Failed, DeliveryStatus::Tried(outcome.clone()))
            }
            Outcome::Unanswered { why, .. } => {
                let count = match unanswered {
                    1 if self.receives > 1 => Unanswered::Received(self.receives),
                    times => Unanswered::Sent(times),
                };
                let status = DeliveryStatus::unanswered(count, why);
                let result = match (&status, count) {
                    (DeliveryStatus::GivenUp { .. }, _) => DueResult::GivenUp,
                    (_, Unanswered::Sent(1)) => DueResult::Unanswered {
                        wait: UNANSWERED_WAIT,
                    },
                    (_, _) => DueResult::Unanswered { wait: LAST_WAIT },
                };
                (result, status)
            }
        };
        let has_failed = !matches!(result, DueResult::Done { .. });
        self.results.push((claimed, result));
        self.note_status(status);
        // A reply needs no edit before it, and an alarm must not wait for one.
        if has_failed && !is_edit {
            self.give_back();
        }
    }

    /// The first step, an edit, must wait. What comes after it need not.
    pub(super) fn postpone(&mut self, wait: Duration) {
        if let Some(edit) = self.steps.pop_front() {
            self.results.push((edit, DueResult::Postponed { wait }));
        }
    }

    /// The steps that are left are not sent now.
    pub(super) fn give_back(&mut self) {
        let left = self.steps.drain(..);
        self.results.extend(left.map(|it| (it, DueResult::Failed)));
    }

    /// Nothing is sent now.
    pub(super) fn skip(&mut self, outcome: &Outcome) {
        if !self.steps.is_empty() {
            self.give_back();
            self.note_status(DeliveryStatus::Tried(outcome.clone()));
        }
    }

    /// A summary counted the thread, so that it has no message of its own.
    pub(super) fn note_summary(&mut self, status: Option<DeliveryStatus>) {
        match status {
            Some(DeliveryStatus::Tried(Outcome::Delivered { .. })) => {
                // The message of the thread itself is still to be edited.
                let is_edit = self
                    .steps
                    .front()
                    .is_some_and(|it| it.due.step == Step::Edit);
                if is_edit && self.root.is_some() {
                    self.postpone(AFTER_SUMMARY);
                }
                while !self.steps.is_empty() {
                    self.note(&Outcome::Delivered { root: None });
                }
            }
            Some(DeliveryStatus::Tried(outcome)) => self.note(&outcome),
            Some(_) | None => self.give_back(),
        }
    }

    /// Says that a timer's message was not sent. No event comes again for it, so nothing else would say it.
    pub(super) fn report_failure(&self, channel: &str) {
        let status = self.status.clone().filter(|_| !self.has_sender);
        let delivery = status.map(|status| Delivery {
            channel: channel.to_owned(),
            status,
        });
        if let Some(error) = delivery.as_ref().and_then(Delivery::failure) {
            let (thread, error) = (self.id().as_str(), error.escape_debug());
            tracing::error!(thread, %error, "{NOT_SENT}");
            metrics::count_thread_failure(channel);
        }
    }

    /// A failure counts more than a success.
    fn note_status(&mut self, status: DeliveryStatus) {
        let is_delivered = matches!(
            &self.status,
            None | Some(DeliveryStatus::Tried(Outcome::Delivered { .. }))
        );
        if is_delivered {
            self.status = Some(status);
        }
    }
}
