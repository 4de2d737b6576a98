//! Decides which notices are equal, so that one message can show all of them.

use super::GroupItem;
use crate::ecs::diagnosis::Cause;
use crate::ecs::diagnosis::explain;
use crate::ecs::notice::{CallFacts, Facts, Kind, TaskFacts};
use crate::notifier::policy::Severity;

/// Notices with the same key become one message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct GroupKey<'a> {
    kind: Kind,
    account: Option<&'a str>,
    region: Option<&'a str>,
    cluster: Option<&'a str>,
    /// The service, or the family if there is no service.
    workload: Option<&'a str>,
    decision: (Option<Cause>, Severity, bool),
    /// Other facts that the message shows for all its notices.
    detail: KeyDetail<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum KeyDetail<'a> {
    /// Why the task stopped, in words, and the exit codes. The headline shows both for all tasks of the group.
    Stop(Option<String>, Vec<i64>),
    Event(Option<&'a str>, Option<&'a str>, Option<&'a str>),
    Call(&'a str, Option<&'a str>, [Option<&'a str>; 3], Vec<&'a str>),
    /// The notice is never grouped. The index makes the key unique.
    Unique(usize),
}

impl<'a> GroupKey<'a> {
    pub(super) fn of(item: &GroupItem<'a>) -> Self {
        let GroupItem {
            notice, priority, ..
        } = *item;
        let (origin, subject) = (&notice.origin, &notice.subject);
        let workload = subject.service.as_deref().or(subject.family.as_deref());
        let detail = match &notice.facts {
            // Without service and family, two tasks may be unrelated.
            Facts::Task(_) if workload.is_none() => KeyDetail::Unique(item.index),
            Facts::Task(task) => KeyDetail::Stop(
                priority.cause.map(|cause| explain(cause, task).words),
                exit_codes(priority.cause, task),
            ),
            Facts::Call(call) => KeyDetail::Call(
                &call.name,
                notice.actor.as_ref().map(|actor| actor.name.as_str()),
                [
                    call.error.as_ref().map(|error| error.code.as_str()),
                    call.error
                        .as_ref()
                        .and_then(|error| error.message.as_deref()),
                    call.reason.as_deref(),
                ],
                statuses_set_by(call),
            ),
            Facts::Service(service) => KeyDetail::Event(
                service.event_name.as_deref(),
                service.deployment_id.as_deref(),
                service.reason.as_deref(),
            ),
            Facts::Instance(instance) => KeyDetail::Event(
                instance.status.as_deref(),
                instance.status_reason.as_deref(),
                None,
            ),
            Facts::Health(health) => KeyDetail::Event(health.overall_status.as_deref(), None, None),
            Facts::Unknown(unknown) => KeyDetail::Event(
                origin.detail_type.as_deref(),
                unknown.event_name.as_deref(),
                unknown.reason.as_deref(),
            ),
            // Each hook waits for its own answer, and each of the others has its own numbers.
            Facts::Hook(_)
            | Facts::Rollout(_)
            | Facts::Host(_)
            | Facts::AwsHealth(_)
            | Facts::Scaling(_)
            | Facts::Alarm(_)
            | Facts::Missed(_)
            | Facts::Foreign => KeyDetail::Unique(item.index),
        };
        // These calls change different things, so each one gets its own message.
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
                KeyDetail::Unique(item.index)
            } else {
                detail
            },
        }
    }
}

/// The statuses that a call set. The instances that it named are not compared, only counted.
fn statuses_set_by(call: &CallFacts) -> Vec<&str> {
    let changes = call.changes.iter().filter(|it| it.label == "Status");
    changes.map(|it| it.value.as_str()).collect()
}

/// The exit codes that the headline shows. With another cause the headline shows no exit code.
fn exit_codes(cause: Option<Cause>, task: &TaskFacts) -> Vec<i64> {
    if cause != Some(Cause::ApplicationExit) {
        return Vec::new();
    }
    let codes = task.containers.iter().filter_map(|it| it.exit_code);
    let mut codes: Vec<_> = codes.filter(|code| *code != 0).collect();
    codes.sort_unstable();
    codes
}
