//! A task from DescribeTasks, in the types of [`notice`](crate::ecs::notice).

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types;

use crate::ecs::arn;
use crate::ecs::event::Time;
use crate::ecs::notice::{Container, Subject, TaskFacts, TaskSource};

#[derive(Debug, Clone)]
pub struct Task {
    pub arn: String,
    pub cluster: Option<String>,
    pub definition: Option<String>,
    pub created_at: Option<Time>,
    pub subject: Subject,
    pub facts: TaskFacts,
}

impl Task {
    pub fn read(task: &types::Task) -> Self {
        let arn = task.task_arn().unwrap_or_default().to_owned();
        Self {
            cluster: task.cluster_arn().map(|it| arn::name(it).to_owned()),
            definition: task.task_definition_arn().map(str::to_owned),
            created_at: task.created_at().and_then(time),
            subject: subject(task),
            facts: facts(task),
            arn,
        }
    }

    pub fn last_status(&self) -> &str {
        self.facts.last_status.as_deref().unwrap_or("UNKNOWN")
    }

    pub fn has_stopped(&self) -> bool {
        self.last_status() == "STOPPED"
    }

    /// The id, without the cluster.
    pub fn id(&self) -> &str {
        arn::name(&self.arn)
    }

    pub fn container(&self, name: &str) -> Option<&Container> {
        let mut containers = self.facts.containers.iter();
        containers.find(|it| it.name.as_deref() == Some(name))
    }
}

fn subject(task: &types::Task) -> Subject {
    let (family, revision) = match task.task_definition_arn().map(arn::task_definition) {
        Some((family, revision)) => (Some(family), revision),
        None => (None, None),
    };
    Subject {
        cluster: task.cluster_arn().map(|it| arn::name(it).to_owned()),
        service: task
            .group()
            .and_then(|group| group.strip_prefix("service:"))
            .map(str::to_owned),
        family,
        revision,
        task: task.task_arn().map(|it| arn::name(it).to_owned()),
        container_instance: task
            .container_instance_arn()
            .map(|it| arn::name(it).to_owned()),
        availability_zone: owned(task.availability_zone()),
        ..Subject::default()
    }
}

fn facts(task: &types::Task) -> TaskFacts {
    TaskFacts {
        reported_by: TaskSource::StateChange,
        last_status: owned(task.last_status()),
        desired_status: owned(task.desired_status()),
        stop_code: task.stop_code().map(|code| code.as_str().to_owned()),
        stopped_reason: owned(task.stopped_reason()),
        started_by: owned(task.started_by()),
        group: owned(task.group()),
        created_at: task.created_at().and_then(time),
        launch_type: task.launch_type().map(|it| it.as_str().to_owned()),
        capacity_provider: owned(task.capacity_provider_name()),
        started_at: task.started_at().and_then(time),
        stopping_at: task.stopping_at().and_then(time),
        stopped_at: task.stopped_at().and_then(time),
        updated_at: None,
        version: None,
        memory_limit: task.memory().and_then(|it| it.parse().ok()),
        host: None,
        containers: task.containers().iter().map(container).collect(),
    }
}

fn container(container: &types::Container) -> Container {
    Container {
        name: owned(container.name()),
        image: owned(container.image()),
        last_status: owned(container.last_status()),
        exit_code: container.exit_code().map(i64::from),
        reason: owned(container.reason()),
        memory_limit: container.memory().and_then(|it| it.parse().ok()),
        ..Container::default()
    }
}

/// An empty text counts as missing.
fn owned(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn time(time: &DateTime) -> Option<Time> {
    let instant =
        jiff::Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()?;
    Some(Time::read(instant.to_string()))
}
