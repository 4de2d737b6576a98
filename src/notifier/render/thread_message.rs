//! What the message of a thread shows: the thread itself, or one of its turns.

use std::borrow::Cow;

use crate::ecs::arn;
use crate::ecs::event::HookStateChange;
use crate::ecs::event::Time;
use crate::ecs::links::links;
use crate::ecs::notice::{Facts, Kind, Links, Notice, Origin, ServiceFacts, Subject};
use crate::notifier::message::MessageThread;
use crate::notifier::policy::{Priority, Severity};
use crate::notifier::thread::{
    Announcement, Deployment, Hook, ShownNotice, Storm, Thread, ThreadForm, Turn, UnixTime,
};

/// A message of a thread.
#[derive(Debug, Clone, Copy)]
pub struct ThreadMessage<'a> {
    pub thread: &'a Thread,
    /// Why the message is written now.
    pub turn: &'a Turn,
    pub form: ThreadForm,
}

impl ThreadMessage<'_> {
    pub(super) fn severity(&self) -> Severity {
        match self.form {
            ThreadForm::Whole => self.thread.severity(),
            ThreadForm::Turn => self.turn.severity,
        }
    }

    pub(super) fn urgent(&self) -> bool {
        self.turn.urgent
    }

    pub(super) fn as_message_thread(&self) -> MessageThread {
        MessageThread {
            id: self.thread.id().clone(),
            kind: self.thread.kind(),
            state: self.thread.state(),
            is_open: self.thread.is_open(),
            has_been_urgent: self.thread.has_been_urgent(),
            reason: self.turn.reason,
            at: self.turn.at.timestamp().map(|it| it.to_string()),
        }
    }

    /// The turn that the message is about. `None` for the thread's own message.
    pub(super) fn turn(&self) -> Option<&Turn> {
        (self.form == ThreadForm::Turn).then_some(self.turn)
    }

    /// The event that the message shows. A deployment and a storm are about many events, so they have one of their own.
    pub(super) fn event(&self) -> Cow<'_, ShownNotice> {
        let shown = match self.thread {
            Thread::Incident(it) => it.newest.as_deref(),
            Thread::Run(it) => it.newest.as_deref(),
            Thread::Activity(it) => it.newest.as_deref(),
            Thread::Announcement(it) if it.is_over() => return self.of_past(it),
            Thread::Announcement(it) => it.newest.as_deref(),
            Thread::Deployment(it) => return Cow::Owned(self.of_deployment(it)),
            Thread::Storm(it) => return Cow::Owned(self.of_storm(it)),
        };
        match shown {
            Some(shown) => Cow::Borrowed(shown),
            None => {
                let (origin, subject) = (Origin::default(), Subject::default());
                Cow::Owned(self.of_subject(Kind::Other, &origin, &subject))
            }
        }
    }

    /// The first and the last time that the message is about.
    pub(super) fn times(&self) -> (Option<UnixTime>, Option<UnixTime>) {
        match self.thread {
            Thread::Deployment(it) => (Some(it.started_at), it.ended_at()),
            Thread::Incident(it) => (Some(it.first_at), Some(it.over_at())),
            Thread::Storm(it) => (Some(it.first_at), it.ended_at),
            Thread::Activity(it) => (Some(it.first_at), Some(it.last_at)),
            Thread::Announcement(it) => (Some(it.first_at), None),
            Thread::Run(_) => (None, None),
        }
    }

    /// The announcement without what was to be done.
    fn of_past(&self, announcement: &Announcement) -> Cow<'_, ShownNotice> {
        let shown = announcement.newest.as_deref().cloned();
        let mut shown = shown.unwrap_or_else(|| {
            let (origin, subject) = (Origin::default(), Subject::default());
            self.of_subject(Kind::AwsHealth, &origin, &subject)
        });
        if let Facts::AwsHealth(health) = &mut shown.notice.facts {
            health.has_passed = true;
        }
        Cow::Owned(shown)
    }

    fn of_deployment(&self, deployment: &Deployment) -> ShownNotice {
        let definition = deployment.to.as_deref().map(arn::task_definition);
        let (family, revision) = definition.unzip();
        let subject = Subject {
            family,
            revision: revision.flatten(),
            ..deployment.subject.clone()
        };
        let mut shown = self.of_subject(Kind::Deployment, &deployment.origin, &subject);
        let waits = deployment.waits_at(self.turn.at);
        if let Some(hook) = deployment.hook.as_ref().filter(|_| waits) {
            shown.notice.facts = Facts::Hook(hook_facts(hook));
        }
        shown
    }

    /// The cluster, with the reason of its newest failure. Links and places are those of the cluster.
    fn of_storm(&self, storm: &Storm) -> ShownNotice {
        let mut shown = self.of_subject(Kind::Other, &storm.origin, &storm.subject);
        if let Some(newest) = storm.newest.as_deref().filter(|_| !storm.is_over()) {
            shown.priority.cause = newest.priority.cause;
            shown.notice.facts = newest.notice.facts.clone();
            shown.notice.subject = Subject {
                availability_zone: None,
                ..newest.notice.subject.clone()
            };
        }
        shown
    }

    fn of_subject(&self, kind: Kind, origin: &Origin, subject: &Subject) -> ShownNotice {
        let mut notice = Notice {
            kind,
            origin: origin.clone(),
            subject: subject.clone(),
            facts: Facts::Service(ServiceFacts::default()),
            actor: None,
            links: Links::default(),
        };
        notice.links = links(notice.kind, &notice.subject, &notice.origin);
        let priority = Priority {
            cause: None,
            severity: self.severity(),
            urgent: self.urgent(),
        };
        ShownNotice { notice, priority }
    }
}

fn hook_facts(hook: &Hook) -> HookStateChange {
    HookStateChange {
        event_name: Some(hook.name.clone()),
        hook_id: hook.id.clone(),
        lifecycle_stage: hook.stage.clone(),
        expires_at: hook.expires_at.clone().map(Time::read),
        timeout_action: hook.timeout_action.clone(),
        service_deployment_arn: hook.service_deployment.clone(),
        reason: hook.reason.clone(),
        ..HookStateChange::default()
    }
}
