//! Creates events from the project's samples: the ids, the names and the times of a sample are replaced.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::rollover::Event;

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
    Steady,
}

pub(crate) struct Samples(Vec<(State, Vec<Piece>)>);

/// A part of an event's text.
enum Piece {
    Fixed(String),
    Id,
    Task,
    Service,
    Deployment,
    /// So long after the creation of the task.
    Created(Duration),
    /// So long before the event.
    Before(Duration),
    /// The event's own time, in whole seconds.
    Now,
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
            (State::Steady, "service_action-service-steady-state"),
        ];
        Self(samples.map(|(state, name)| (state, read(name))).into())
    }

    /// The event as EventBridge delivers it.
    pub(crate) fn body(&self, event: &Event, number: usize, started: SystemTime) -> String {
        let (_, pieces) = self.0.iter().find(|(it, _)| *it == event.state).unwrap();
        let at = started + event.at;
        let mut text = String::with_capacity(3_000);
        for piece in pieces {
            match piece {
                Piece::Fixed(fixed) => text.push_str(fixed),
                Piece::Id => text.push_str(&format!("{number:08x}-0000-4000-8000-000000000000")),
                Piece::Task => text.push_str(&format!("{:08x}{:024x}", event.task, 0)),
                Piece::Service => text.push_str(&format!("service-{:04}", event.service)),
                Piece::Deployment => text.push_str(&deployment(event)),
                Piece::Created(later) => text.push_str(&exact(at - event.age + *later)),
                Piece::Before(before) => text.push_str(&exact(at - *before)),
                Piece::Now => text.push_str(&format!("{}Z", &exact(at)[..19])),
            }
        }
        text
    }
}

/// The old tasks are those of an older deployment.
fn deployment(event: &Event) -> String {
    let is_old = matches!(
        event.state,
        State::Stopping | State::Deprovisioning | State::Stopped
    );
    let number = u64::from(event.service) * 2 + u64::from(!is_old);
    format!("ecs-svc/{number:019}")
}

fn exact(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap();
    format!("{at:.3}")
}

fn read(name: &str) -> Vec<Piece> {
    let path = format!("{}/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let mut event: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(event.to_string().contains(CLUSTER), "{name}");
    let last = |arn: &Value| arn.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let detail = event["detail"].clone();
    let group = detail["group"].as_str();
    let service = match group {
        Some(group) => group.strip_prefix("service:").unwrap().to_owned(),
        None => last(&event["resources"][0]),
    };
    event["id"] = json!("@id@");
    event["time"] = json!("@now@");
    set_times(&mut event["detail"]);
    if detail["taskDefinitionArn"].is_string() {
        let definition = detail["taskDefinitionArn"].as_str().unwrap();
        let (family, _) = definition.rsplit_once(':').unwrap();
        let is_old = ["STOPPING", "DEPROVISIONING"]
            .contains(&detail["lastStatus"].as_str().unwrap())
            || detail["stopCode"] == "ServiceSchedulerInitiated";
        let revision = if is_old { 57 } else { 58 };
        event["detail"]["taskDefinitionArn"] = json!(format!("{family}:{revision}"));
    }
    let mut text = event.to_string();
    if let Some(task) = detail["taskArn"].as_str() {
        text = text.replace(task.rsplit('/').next().unwrap(), "@task@");
    }
    for id in [&detail["deploymentId"], &detail["startedBy"]] {
        if let Some(id) = id.as_str() {
            text = text.replace(id, "@deployment@");
        }
    }
    let text = text
        .replace(CLUSTER, "@cluster@")
        .replace(&service, "@service@");
    pieces(&text.replace("@cluster@", CLUSTER))
}

/// The times of a task's life, as the rollover has them.
fn set_times(detail: &mut Value) {
    let (stopping, killed) = match detail["lastStatus"].as_str() {
        Some("DEPROVISIONING") => (10, 3),
        Some("STOPPED") if detail["stopCode"] == "ServiceSchedulerInitiated" => (15, 8),
        Some("STOPPED") => (6, 5),
        _ => (0, 0),
    };
    let is_task = detail["taskArn"].is_string();
    for (field, time) in [
        (
            "createdAt",
            if is_task { "@+0@" } else { "@-0@" }.to_owned(),
        ),
        ("connectivityAt", "@+5@".to_owned()),
        ("pullStartedAt", "@+7@".to_owned()),
        ("pullStoppedAt", "@+13@".to_owned()),
        ("startedAt", "@+15@".to_owned()),
        ("stoppingAt", format!("@-{stopping}@")),
        ("executionStoppedAt", format!("@-{killed}@")),
        ("stoppedAt", "@-0@".to_owned()),
        ("updatedAt", "@-0@".to_owned()),
    ] {
        if detail[field].is_string() {
            detail[field] = json!(time);
        }
    }
}

/// Divides a text at its marks. Each mark stands between two `@`.
fn pieces(text: &str) -> Vec<Piece> {
    let parts = text.split('@').enumerate();
    let seconds = |text: &str| Duration::from_secs(text.parse().unwrap());
    let piece = |(index, part): (usize, &str)| match part {
        _ if index % 2 == 0 => Piece::Fixed(part.to_owned()),
        "id" => Piece::Id,
        "task" => Piece::Task,
        "service" => Piece::Service,
        "deployment" => Piece::Deployment,
        "now" => Piece::Now,
        _ => match part.split_at(1) {
            ("+", later) => Piece::Created(seconds(later)),
            ("-", before) => Piece::Before(seconds(before)),
            _ => panic!("unexpected mark {part}"),
        },
    };
    parts.map(piece).collect()
}
