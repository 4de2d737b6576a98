//! Which notices say the same, so that one message can tell all of them.

use super::Item;
use crate::ecs::diagnosis::Cause;
use crate::ecs::diagnosis::explain;
use crate::ecs::notice::{CallFacts, Facts, Kind, TaskFacts};
use crate::notifier::policy::Severity;

/// What two notices must have in common to be told as one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct GroupKey<'a> {
    kind: Kind,
    account: Option<&'a str>,
    region: Option<&'a str>,
    cluster: Option<&'a str>,
    /// The service, or else the family.
    workload: Option<&'a str>,
    decision: (Option<Cause>, Severity, bool),
    /// What else a reader would miss.
    detail: Detail<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Detail<'a> {
    /// Why it stopped, in words, and with which exit codes: a headline says either of all of them.
    Stop(Option<String>, Vec<i64>),
    Event(Option<&'a str>, Option<&'a str>, Option<&'a str>),
    Call(&'a str, Option<&'a str>, [Option<&'a str>; 3], Vec<&'a str>),
    /// Nothing is like it.
    Itself(usize),
}

impl<'a> GroupKey<'a> {
    pub(super) fn of(item: &Item<'a>) -> Self {
        let Item {
            notice, priority, ..
        } = *item;
        let (origin, subject) = (&notice.origin, &notice.subject);
        let workload = subject.service.as_deref().or(subject.family.as_deref());
        let detail = match &notice.facts {
            // Without either, they may be anybody's.
            Facts::Task(_) if workload.is_none() => Detail::Itself(item.index),
            Facts::Task(task) => Detail::Stop(
                priority.cause.map(|cause| explain(cause, task).words),
                exit_codes(priority.cause, task),
            ),
            Facts::Call(call) => Detail::Call(
                &call.name,
                notice.actor.as_ref().map(|actor| actor.name.as_str()),
                [
                    call.error.as_ref().map(|error| error.code.as_str()),
                    call.error
                        .as_ref()
                        .and_then(|error| error.message.as_deref()),
                    call.reason.as_deref(),
                ],
                asked_for(call),
            ),
            Facts::Service(service) => Detail::Event(
                service.event_name.as_deref(),
                service.deployment_id.as_deref(),
                service.reason.as_deref(),
            ),
            Facts::Instance(instance) => Detail::Event(
                instance.status.as_deref(),
                instance.status_reason.as_deref(),
                None,
            ),
            Facts::Health(health) => Detail::Event(health.overall_status.as_deref(), None, None),
            Facts::Unknown(unknown) => Detail::Event(
                origin.detail_type.as_deref(),
                unknown.event_name.as_deref(),
                unknown.reason.as_deref(),
            ),
            // Each waits for an answer of its own.
            Facts::Hook(_) | Facts::Foreign => Detail::Itself(item.index),
        };
        // Calls on different things are different news.
        let is_change = matches!(
            notice.kind,
            Kind::ApiCall | Kind::TaskDefinition | Kind::ServiceChanged
        );
        Self {
            kind: notice.kind,
            account: origin.account.as_deref(),
            region: origin.region.as_deref(),
            cluster: subject.cluster.as_deref(),
            workload,
            decision: (priority.cause, priority.severity, priority.urgent),
            detail: if is_change {
                Detail::Itself(item.index)
            } else {
                detail
            },
        }
    }
}

/// What a call set. Which instances it named is counted.
fn asked_for(call: &CallFacts) -> Vec<&str> {
    let changes = call.changes.iter().filter(|it| it.label == "Status");
    changes.map(|it| it.value.as_str()).collect()
}

/// What a headline may say of an exit. Where something else is the cause, it says that, and sidecars end as they do.
fn exit_codes(cause: Option<Cause>, task: &TaskFacts) -> Vec<i64> {
    if cause != Some(Cause::ApplicationExit) {
        return Vec::new();
    }
    let codes = task.containers.iter().filter_map(|it| it.exit_code);
    let mut codes: Vec<_> = codes.filter(|code| *code != 0).collect();
    codes.sort_unstable();
    codes
}
