//! DescribeTasks: the facts about a task that an agent's report and a call do not contain.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html>

use std::collections::HashMap;

use super::calls::{AwsCalls, Cluster, Location, Member};
use crate::aws::{CallError, Task};
use crate::ecs::affected::AffectedTask;
use crate::ecs::arn::is_id;
use crate::ecs::classify::actor_of_started_by;
use crate::ecs::notice::{Container, Facts, Kind, Notice, TaskFacts, TaskSource};

/// The most tasks in one call.
const MOST: usize = 100;

pub(super) type Tasks = HashMap<Member, Task>;

/// The task to ask for: that of a report or call that does not name the service.
pub(super) fn missing(notice: &Notice) -> Option<Member> {
    let lacks_facts = match (&notice.facts, notice.kind) {
        (Facts::Task(task), _) => task.reported_by == TaskSource::AgentReport,
        (Facts::Call(_), Kind::StopTask) => true,
        (_, _) => false,
    };
    let subject = &notice.subject;
    let has_no_workload = subject.service.is_none() && subject.family.is_none();
    let is_missing = lacks_facts && (matches!(notice.facts, Facts::Task(_)) || has_no_workload);
    let task = subject.task.clone().filter(|it| is_id(it))?;
    is_missing.then_some((Cluster::of(notice)?, task))
}

/// The first tasks outside services that AWS retires. The message names no more.
pub(super) fn retired(notice: &Notice) -> Vec<Member> {
    /// The most tasks of one event.
    const MOST: usize = 10;
    let Facts::AwsHealth(health) = &notice.facts else {
        return Vec::new();
    };
    let tasks = health.affected.tasks.iter().take(MOST);
    tasks.filter_map(|it| member_of(it, notice)).collect()
}

fn member_of(task: &AffectedTask, notice: &Notice) -> Option<Member> {
    let is_missing = task.task_definition.is_none() && is_id(&task.task);
    let cluster = Cluster::new(Location::of(notice)?, task.cluster.as_deref()?)?;
    is_missing.then(|| (cluster, task.task.clone()))
}

pub(super) async fn fetch(aws: &AwsCalls<'_>, notices: &[&mut Notice]) -> Tasks {
    let wanted = notices.iter().flat_map(|notice| {
        let retired = retired(notice).into_iter();
        missing(notice).into_iter().chain(retired)
    });
    let described = aws.each(wanted, MOST, |cluster, tasks| describe(aws, cluster, tasks));
    let found = described.await.into_iter().flat_map(|(cluster, tasks)| {
        let tasks = tasks.into_iter();
        tasks.map(move |task| ((cluster.clone(), task.id().to_owned()), task))
    });
    found.collect()
}

async fn describe(aws: &AwsCalls<'_>, cluster: Cluster, tasks: Vec<String>) -> Option<Vec<Task>> {
    const CALL: &str = "DescribeTasks";
    let ecs = aws.ecs(&cluster.location);
    let answer = async {
        ecs.describe_tasks()
            .cluster(&cluster.arn)
            .set_tasks(Some(tasks))
            .send()
            .await
            .map_err(|error| CallError::of(CALL, error))
    };
    let answer = aws.call(CALL, &cluster.location, answer).await?;
    aws.note_missing(CALL, answer.failures().len());
    Some(answer.tasks().iter().map(Task::read).collect())
}

/// Facts of the event itself are not replaced: they are from the time of the event, and AWS returns later ones.
pub(super) fn add_to(notice: &mut Notice, tasks: &Tasks) {
    add_to_retired(notice, tasks);
    let Some(task) = missing(notice).and_then(|member| tasks.get(&member)) else {
        return;
    };
    let (subject, learned) = (&mut notice.subject, &task.subject);
    fill(&mut subject.service, &learned.service);
    fill(&mut subject.family, &learned.family);
    fill(&mut subject.revision, &learned.revision);
    fill(&mut subject.container_instance, &learned.container_instance);
    fill(&mut subject.availability_zone, &learned.availability_zone);
    let Facts::Task(facts) = &mut notice.facts else {
        return;
    };
    add_facts(facts, &task.facts, notice.kind);
    // The agent that sent the report is not a useful actor. The one that started the task is.
    notice.actor = facts.started_by.as_deref().map(actor_of_started_by);
}

/// What a retired task is, and who launched it: that tells whether it comes again by itself.
fn add_to_retired(notice: &mut Notice, tasks: &Tasks) {
    let known: Vec<_> = match &notice.facts {
        Facts::AwsHealth(health) => {
            let affected = health.affected.tasks.iter();
            affected
                .map(|it| tasks.get(&member_of(it, notice)?))
                .collect()
        }
        _ => return,
    };
    let Facts::AwsHealth(health) = &mut notice.facts else {
        return;
    };
    for (affected, task) in health.affected.tasks.iter_mut().zip(known) {
        if let Some(task) = task {
            affected.task_definition = task.subject.task_definition();
            let started_by = task.facts.started_by.as_deref();
            affected.launched_by = started_by.map(|it| actor_of_started_by(it).name);
        }
    }
}

fn add_facts(facts: &mut TaskFacts, learned: &TaskFacts, kind: Kind) {
    facts.reported_by = TaskSource::StateChange;
    fill(&mut facts.started_by, &learned.started_by);
    fill(&mut facts.group, &learned.group);
    fill(&mut facts.created_at, &learned.created_at);
    fill(&mut facts.launch_type, &learned.launch_type);
    fill(&mut facts.capacity_provider, &learned.capacity_provider);
    fill(&mut facts.started_at, &learned.started_at);
    fill(&mut facts.memory_limit, &learned.memory_limit);
    if kind == Kind::TaskStopped {
        fill(&mut facts.stop_code, &learned.stop_code);
        fill(&mut facts.stopped_reason, &learned.stopped_reason);
        fill(&mut facts.stopping_at, &learned.stopping_at);
        fill(&mut facts.stopped_at, &learned.stopped_at);
    }
    for container in &learned.containers {
        let mut known = facts.containers.iter_mut();
        match known.find(|it| it.name == container.name) {
            Some(known) => add_container(known, container, kind),
            // The agent reports only the containers that changed. The present state of the others is later than the event.
            None => facts.containers.push(Container {
                last_status: None,
                exit_code: container.exit_code.filter(|_| kind == Kind::TaskStopped),
                reason: container
                    .reason
                    .clone()
                    .filter(|_| kind == Kind::TaskStopped),
                ..container.clone()
            }),
        }
    }
}

fn add_container(known: &mut Container, learned: &Container, kind: Kind) {
    fill(&mut known.image, &learned.image);
    fill(&mut known.memory_limit, &learned.memory_limit);
    if kind == Kind::TaskStopped {
        fill(&mut known.exit_code, &learned.exit_code);
        fill(&mut known.reason, &learned.reason);
    }
}

pub(super) fn fill<T: Clone>(known: &mut Option<T>, learned: &Option<T>) {
    if known.is_none() {
        known.clone_from(learned);
    }
}
