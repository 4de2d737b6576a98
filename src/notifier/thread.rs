//! Threads: what people follow. A deployment, an incident, a storm, a run, an activity, an announcement.
//!
//! The core is pure: [`advance`] takes the states of subjects, the events of a batch and the time, and returns the new
//! states, the actions that are due, and when to look again. It knows no channel, no clock and no AWS. Events may come in
//! any order and more than once: the states hold facts with the events' own times.
//!
//! | file | contents |
//! |---|---|
//! | `observation`, `route` | an event as threads see it; which subjects it is about |
//! | `board` | advances all subjects of a batch, their storms, and the launches of tasks |
//! | `service`, `rollout`, `other_rollout`, `service_task` | what events mean for a service, its deployments, its tasks |
//! | `workload` | what events mean for a family or an instance |
//! | `host` | what is remembered of an instance for the incidents of its tasks |
//! | `expectation` | what must happen, and opens an incident if it does not |
//! | `deployment`, `incident`, `storm`, `run`, `activity`, `announcement` | one kind of thread each |
//! | `escalation` | what another channel gets too because it stays open |
//! | `action` | what is due, and why |
//! | `outbox` | what is due in each channel |
//! | `display` | what a channel does for an action, by what it can do |

mod action;
mod activity;
mod announcement;
mod board;
mod counter;
mod deployment;
mod display;
mod escalation;
mod expectation;
mod fit;
mod host;
mod incident;
mod observation;
mod opening;
mod other_rollout;
mod outbox;
mod recent_launches;
mod registration;
mod rollout;
mod route;
mod run;
mod seen;
mod service;
mod service_task;
mod settings;
mod shared_facts;
mod shown;
mod state;
mod storm;
mod subject;
mod tags;
#[cfg(test)]
mod tests;
mod text;
mod timer;
mod unix_time;
mod workload;

use crate::ecs::notice::{Origin, Resource, Subject};

pub use action::{Action, ActionKind, Reason, ThreadId, ThreadKind, ThreadState, Turn};
pub use activity::{Activity, ActivityCount};
pub use announcement::{Announcement, is_moved, is_reopened};
pub use board::{MissingStates, Progress, States, Surroundings, advance, needs_counts};
pub use counter::Counter;
pub use deployment::{Deployment, Hook, Replacement};
pub use display::{Step, ThreadForm, steps};
pub use escalation::Escalation;
pub use expectation::{Expectation, Rhythm, Schedule, expected, is_configured};
pub use host::{HostState, HostTrouble};
pub use incident::{
    AlarmEndType, AlarmPart, CauseCount, CommonFact, Deployed, Incident, Resolution, Sign, Touch,
    cause_name, is_alarm,
};
pub use observation::Observation;
pub use opening::opening;
pub use outbox::{Asked, ClaimedDue, Due, DueResult, Outbox, OutboxChannel};
pub use route::{kinds_heard, may_explain, subjects};
pub use run::{Launch, Run, RunTask};
pub use settings::ThreadSettings;
pub use state::{ShownNotice, SubjectState, Thread};
pub use storm::{Member, Storm};
pub use subject::{SubjectKey, SubjectKind};
pub use timer::ThreadTimer;
pub use unix_time::UnixTime;

/// The longest name of a cluster, a service or a family, in bytes.
const LONGEST_NAME: usize = 255;

/// The service without a task: a deployment is about all its tasks.
fn subject_without_task(subject: &Subject) -> Subject {
    let name = |name: &Option<String>| text::cut_known(name.as_deref(), LONGEST_NAME);
    Subject {
        cluster: name(&subject.cluster),
        service: name(&subject.service),
        family: name(&subject.family),
        revision: name(&subject.revision),
        tags: subject.tags.clone(),
        resource: subject.resource.clone().filter(Resource::has_deployments),
        ..Subject::default()
    }
}

/// Where it happens, without what is only true of one event.
fn bounded_origin(origin: &Origin) -> Origin {
    let name = |name: &Option<String>| text::cut_known(name.as_deref(), LONGEST_NAME);
    Origin {
        account: name(&origin.account),
        account_name: name(&origin.account_name),
        lacks_account_name: origin.lacks_account_name,
        region: name(&origin.region),
        lookup_problem: name(&origin.lookup_problem),
        ..Origin::default()
    }
}
