//! The events of a cluster whose services are all replaced at once while one of them runs out of memory. They are in
//! the order in which ECS sends them, and their times and ids fit together.

use std::time::Duration;

use crate::samples::State;

/// How long the rollover takes.
pub(crate) const TIME: Duration = Duration::from_secs(300);

/// In the end somebody corrects the service that runs out of memory.
const CORRECTED: Duration = Duration::from_secs(330);

/// The time from a task's creation until it runs out of memory, and a next task replaces it.
const UNTIL_OUT_OF_MEMORY: Duration = Duration::from_secs(40);

/// How long the old tasks have run before.
const AGE: Duration = Duration::from_secs(24 * 3_600);

/// The hot service: so long its tasks begin to fail.
const HOT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// The time since the start.
    pub(crate) at: Duration,
    /// How old the task is then.
    pub(crate) age: Duration,
    pub(crate) state: State,
    pub(crate) service: u32,
    pub(crate) task: u32,
}

/// A task, with the time of its creation since the start.
#[derive(Clone, Copy)]
struct Task {
    service: u32,
    number: u32,
    created: Duration,
}

impl Task {
    fn event(self, seconds: u64, state: State) -> Event {
        let age = Duration::from_secs(seconds);
        self.event_at(self.created + age, age, state)
    }

    fn event_at(self, at: Duration, age: Duration, state: State) -> Event {
        Event {
            at,
            age,
            state,
            service: self.service,
            task: self.number,
        }
    }

    /// It starts and runs.
    fn starts(self, events: &mut Vec<Event>) {
        events.extend([
            self.event(0, State::Provisioning),
            self.event(8, State::Pending),
            self.event(15, State::Running),
        ]);
    }
}

/// All events of the rollover, in the order of their times.
pub(crate) fn rollover(tasks: u32, services: u32) -> Vec<Event> {
    let mut events = Vec::new();
    for service in 0..services {
        let end = if service == 0 { CORRECTED } else { TIME };
        events.push(of_service(
            service,
            Duration::ZERO,
            State::DeploymentInProgress,
        ));
        events.push(of_service(service, end, State::DeploymentCompleted));
        events.push(of_service(service, end, State::Steady));
    }
    for number in 0..tasks {
        let service = number % services;
        let created = TIME.mul_f64(0.85) * number / tasks;
        let new = Task {
            service,
            number: number + tasks,
            created,
        };
        new.starts(&mut events);
        stop_old(&mut events, Task { number, ..new });
        if service == 0 {
            run_out_of_memory(&mut events, new, tasks);
        }
    }
    events.sort_by_key(|event| event.at);
    events
}

/// The tasks of one service start, and each runs out of memory.
pub(crate) fn hot_service(tasks: u32) -> Vec<Event> {
    let mut events = Vec::new();
    for number in 0..tasks {
        let created = HOT * number / tasks;
        let task = Task {
            service: 0,
            number,
            created,
        };
        events.push(task.event(15, State::Running));
        events.push(task.event(40, State::OutOfMemory));
    }
    events.sort_by_key(|event| event.at);
    events
}

fn of_service(service: u32, at: Duration, state: State) -> Event {
    let number = 0;
    let task = Task {
        service,
        number,
        created: at,
    };
    task.event_at(at, Duration::ZERO, state)
}

/// The old task stops as soon as the new one runs.
fn stop_old(events: &mut Vec<Event>, task: Task) {
    for (seconds, state) in [
        (25, State::Stopping),
        (35, State::Deprovisioning),
        (40, State::Stopped),
    ] {
        let later = Duration::from_secs(seconds);
        events.push(task.event_at(task.created + later, AGE + later, state));
    }
}

/// The new task and all that replace it run out of memory, until somebody corrects the service.
fn run_out_of_memory(events: &mut Vec<Event>, mut task: Task, tasks: u32) {
    while task.created + UNTIL_OUT_OF_MEMORY < TIME {
        events.push(task.event(UNTIL_OUT_OF_MEMORY.as_secs(), State::OutOfMemory));
        task = Task {
            number: task.number + tasks,
            created: task.created + UNTIL_OUT_OF_MEMORY + Duration::from_secs(1),
            ..task
        };
        task.starts(events);
    }
}
