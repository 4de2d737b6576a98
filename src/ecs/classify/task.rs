//! Classifies "ECS Task State Change": which task of which service is in which state.

use jiff::SignedDuration;

use super::{Classification, actor, cluster_name, owned_name, resource};
use crate::ecs::arn;
use crate::ecs::event::{self, Envelope, TaskStateChange};
use crate::ecs::notice::{Container, Facts, Kind, Subject, TaskFacts, TaskSource};

pub(super) fn find(task: &TaskStateChange, envelope: &Envelope) -> Classification {
    // `detail.taskArn` and `resources` may differ. The other fields belong to the task in the detail.
    let task_arn = task
        .task_arn
        .as_deref()
        .or_else(|| resource(envelope, "task"));
    let (family, revision) = family_and_revision(task);
    Classification {
        kind: kind(task),
        subject: Subject {
            cluster: cluster_name(task.cluster_arn.as_deref(), &[task_arn]),
            service: service_of_group(task.group.as_deref()),
            family,
            revision,
            task: owned_name(task_arn),
            container_instance: owned_name(task.container_instance_arn.as_deref()),
            availability_zone: task.availability_zone.clone(),
            ..Subject::default()
        },
        facts: Facts::Task(Box::new(facts(task))),
        actor: task.started_by.as_deref().map(actor::of_started_by),
    }
}

/// A RUNNING event reports the start itself only if it comes this soon after the start. Later changes of a task (an
/// attachment, an agent, a sidecar) repeat RUNNING with the same `startedAt`.
const JUST_STARTED: SignedDuration = SignedDuration::from_secs(60);

fn kind(task: &TaskStateChange) -> Kind {
    match task.last_status.as_deref() {
        Some("STOPPED") => Kind::TaskStopped,
        Some("RUNNING")
            if task.desired_status.as_deref() != Some("STOPPED") && has_just_started(task) =>
        {
            Kind::TaskStarted
        }
        Some(_) | None => Kind::TaskRunning,
    }
}

/// If a time is missing or unreadable, the event counts as a start, because a message too many is better than one too
/// few. A task in which a container has already failed does not count as started: its message shows the failure
/// instead.
fn has_just_started(task: &TaskStateChange) -> bool {
    let is_soon = match (&task.started_at, &task.updated_at) {
        (Some(started), Some(updated)) => updated
            .since(started)
            .is_none_or(|passed| passed <= JUST_STARTED),
        (_, _) => true,
    };
    let has_stopped = |it: &event::ContainerState| it.last_status.as_deref() == Some("STOPPED");
    let has_failed =
        |it: &event::ContainerState| has_stopped(it) && it.exit_code.is_some_and(|code| code != 0);
    is_soon && !task.containers.iter().any(has_failed)
}

fn family_and_revision(task: &TaskStateChange) -> (Option<String>, Option<String>) {
    match &task.task_definition_arn {
        Some(text) => {
            let (family, revision) = arn::task_definition(text);
            (Some(family), revision)
        }
        None => {
            let family = task
                .group
                .as_deref()
                .and_then(|group| group.strip_prefix("family:"));
            (family.map(str::to_owned), None)
        }
    }
}

/// `service:web` → `web`. A group can also be `family:web`, a word without a colon, or missing.
pub(super) fn service_of_group(group: Option<&str>) -> Option<String> {
    group?.strip_prefix("service:").map(str::to_owned)
}

fn facts(task: &TaskStateChange) -> TaskFacts {
    TaskFacts {
        reported_by: TaskSource::StateChange,
        last_status: task.last_status.clone(),
        desired_status: task.desired_status.clone(),
        stop_code: task.stop_code.clone(),
        stopped_reason: task.stopped_reason.clone(),
        started_by: task.started_by.clone(),
        group: task.group.clone(),
        created_at: task.created_at.clone(),
        launch_type: task.launch_type.clone(),
        capacity_provider: task.capacity_provider.clone(),
        started_at: task.started_at.clone(),
        stopping_at: task.stopping_at.clone(),
        stopped_at: task.stopped_at.clone(),
        updated_at: task.updated_at.clone(),
        version: task.version,
        memory_limit: task.memory,
        host: None,
        containers: task.containers.iter().map(container).collect(),
    }
}

fn container(state: &event::ContainerState) -> Container {
    Container {
        name: state.name.clone(),
        image: state.image.clone(),
        last_status: state.last_status.clone(),
        exit_code: state.exit_code,
        reason: state.reason.clone(),
        memory_limit: state.memory,
        ..Container::default()
    }
}
