//! The events of a cluster whose services are all replaced at once while one of them runs out of memory. They are in
//! the order in which ECS sends them.

use std::time::Duration;

use serde_json::Value;

/// How long the rollover takes.
pub(crate) const TIME: Duration = Duration::from_secs(300);

/// A new task of that service runs out of memory after this time, and a next task replaces it.
const UNTIL_OUT_OF_MEMORY: Duration = Duration::from_secs(40);

const CLUSTER: &str = "prod-web";

/// The states that occur in a rollover. Each has a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    DeploymentInProgress,
    Provisioning,
    Pending,
    Running,
    Stopping,
    Deprovisioning,
    Stopped,
    OutOfMemory,
    DeploymentCompleted,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    pub(crate) state: State,
    service: u32,
    task: u32,
}

/// Creates events from samples: the ids, the task and the service of a sample are replaced.
pub(crate) struct Samples(Vec<(State, Sample)>);

struct Sample {
    text: String,
    id: String,
    task: Option<String>,
    service: String,
    deployment: Option<String>,
}

/// All events of the rollover, in the order of their times.
pub(crate) fn events(tasks: u32, services: u32) -> Vec<Event> {
    let mut events = Vec::new();
    for service in 0..services {
        events.push(Event {
            at: Duration::ZERO,
            state: State::DeploymentInProgress,
            service,
            task: 0,
        });
        if service > 0 {
            events.push(Event {
                at: TIME,
                state: State::DeploymentCompleted,
                service,
                task: 0,
            });
        }
    }
    for task in 0..tasks {
        let service = task % services;
        let begin = TIME.mul_f64(0.85) * task / tasks;
        replace(&mut events, begin, service, task);
        if service == 0 {
            run_out_of_memory(&mut events, begin, task, tasks);
        }
    }
    events.sort_by_key(|event| event.at);
    events
}

/// A new task starts, and then the old one stops.
fn replace(events: &mut Vec<Event>, begin: Duration, service: u32, task: u32) {
    let states = [
        (0, State::Provisioning),
        (8, State::Pending),
        (15, State::Running),
        (25, State::Stopping),
        (35, State::Deprovisioning),
        (40, State::Stopped),
    ];
    for (seconds, state) in states {
        events.push(Event {
            at: begin + Duration::from_secs(seconds),
            state,
            service,
            task,
        });
    }
}

/// The new task and all that replace it run out of memory.
fn run_out_of_memory(events: &mut Vec<Event>, begin: Duration, task: u32, tasks: u32) {
    let mut at = begin + UNTIL_OUT_OF_MEMORY;
    let mut next_task = task + tasks;
    while at < TIME {
        for (state, later) in [
            (State::OutOfMemory, 0),
            (State::Provisioning, 1),
            (State::Pending, 9),
            (State::Running, 16),
        ] {
            let at = at + Duration::from_secs(later);
            events.push(Event {
                at,
                state,
                service: 0,
                task: next_task,
            });
        }
        at += UNTIL_OUT_OF_MEMORY;
        next_task += tasks;
    }
}

impl Samples {
    pub(crate) fn read() -> Self {
        let samples = [
            (State::DeploymentInProgress, "deployment-in-progress"),
            (State::Provisioning, "task_running-provisioning"),
            (State::Pending, "task_running-pending"),
            (State::Running, "task_started-fargate"),
            (State::Stopping, "task_running-stopping"),
            (State::Deprovisioning, "task_running-deprovisioning"),
            (State::Stopped, "task_stopped-scaled-in-exit-0"),
            (State::OutOfMemory, "task_stopped-out-of-memory"),
            (State::DeploymentCompleted, "deployment-completed"),
        ];
        Self(
            samples
                .map(|(state, name)| (state, Sample::read(name)))
                .into(),
        )
    }

    /// The event as EventBridge delivers it.
    pub(crate) fn body(&self, event: &Event) -> String {
        let sample = self.0.iter().find(|(state, _)| *state == event.state);
        let (_, sample) = sample.unwrap();
        let number =
            (u64::from(event.task) << 24) | (u64::from(event.service) << 8) | event.state as u64;
        let mut text = sample.text.replace(
            &sample.id,
            &format!("{number:08x}-0000-4000-8000-000000000000"),
        );
        if let Some(task) = &sample.task {
            text = text.replace(task, &format!("{:08x}{:024x}", event.task, 0));
        }
        if let Some(deployment) = &sample.deployment {
            text = text.replace(deployment, &format!("ecs-svc/{:019}", event.service));
        }
        text.replace(&sample.service, &format!("service-{:04}", event.service))
    }
}

impl Sample {
    fn read(name: &str) -> Self {
        let path = format!("{}/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let event: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let last = |arn: &Value| text(arn).rsplit('/').next().unwrap().to_owned();
        let detail = &event["detail"];
        let is_task = detail["taskArn"].is_string();
        let service = match detail["group"].as_str() {
            Some(group) => group.strip_prefix("service:").unwrap().to_owned(),
            None => last(&event["resources"][0]),
        };
        assert!(event.to_string().contains(CLUSTER), "{name}");
        Self {
            id: text(&event["id"]),
            task: is_task.then(|| last(&detail["taskArn"])),
            deployment: detail["deploymentId"].as_str().map(ToOwned::to_owned),
            service,
            text: event.to_string(),
        }
    }
}
