//! Which channel takes what: the route of an event or of a thread, and the patterns of channels that it is matched
//! against.
//!
//! [`EventRoute`] is the flat object. [`RouteFilter`] is `only` and `except` of a channel. [`threads`] has the routes of
//! what a thread shows: one for each of its problems.

mod check;
pub mod fields;
mod filter;
pub mod pattern;
#[cfg(test)]
mod tests;
pub mod threads;

use serde_json::{Map, Value};

use crate::ecs::notice::{Facts, Notice, Origin, Subject, TaskFacts};
use crate::notifier::policy::{Decision, Severity};
use crate::notifier::thread::{ThreadKind, cause_name};
use fields::{RouteField, TAGS};
use pattern::{FieldValues, Scalar};

pub use filter::{ClauseResult, RouteFilter, SETTINGS};

/// What patterns are matched against: a flat object. A fact that is not known is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventRoute {
    fields: FieldValues,
}

impl EventRoute {
    /// The route of an event. `heard_by` are the kinds of thread that hear of it. A dropped event has no severity, no
    /// urgency and no cause.
    pub fn of_event(notice: &Notice, decision: Decision, heard_by: &[ThreadKind]) -> Self {
        let mut route = Self::of_subject(&notice.subject, &notice.origin);
        route.set(RouteField::Kind, Some(notice.kind.into()));
        route.set_threads(heard_by);
        if let Decision::Keep(priority) = decision {
            route.set(RouteField::Cause, cause_name(notice, priority).as_deref());
            route.set_priority(priority.severity, priority.urgent);
        }
        let actor = notice.actor.as_ref().map(|it| it.name.as_str());
        route.set(RouteField::Actor, actor);
        route.set(RouteField::LaunchType, launch_type(notice));
        route
    }

    /// What is true of everything that happens to a subject.
    fn of_subject(subject: &Subject, origin: &Origin) -> Self {
        let mut route = Self::default();
        route.set(RouteField::Cluster, subject.cluster.as_deref());
        route.set(RouteField::Service, subject.service.as_deref());
        route.set(RouteField::Family, subject.family.as_deref());
        route.set(RouteField::InstanceType, subject.instance_type.as_deref());
        route.set(RouteField::Account, origin.account.as_deref());
        route.set(RouteField::AccountName, origin.account_name.as_deref());
        if origin.lacks_account_name {
            route.fields.set_unknown(RouteField::AccountName.into());
        }
        route.set(RouteField::Region, origin.region.as_deref());
        route.set_tags(subject);
        route
    }

    fn set(&mut self, field: RouteField, value: Option<&str>) {
        let value = value.map(|it| Scalar::Text(it.to_owned()));
        self.set_values(field, value.into_iter().collect());
    }

    fn set_values(&mut self, field: RouteField, values: Vec<Scalar>) {
        self.fields.set(field.into(), values);
    }

    /// Takes what is absent or not known here from another route.
    fn fill_from(&mut self, other: &Self) {
        if !other.fields.is_unknown(TAGS) {
            self.fields.set_known(TAGS);
        }
        for (field, values) in other.fields.iter() {
            if self.fields.get(field).is_empty() && !values.is_empty() {
                self.fields.set(field, values.to_vec());
            }
        }
    }

    fn set_priority(&mut self, severity: Severity, urgent: bool) {
        self.set(RouteField::Severity, Some(severity.into()));
        self.set_values(RouteField::Urgent, vec![Scalar::Bool(urgent)]);
    }

    fn set_threads(&mut self, kinds: &[ThreadKind]) {
        let kinds = kinds.iter().map(|it| Scalar::Text(it.to_string()));
        self.set_values(RouteField::Thread, kinds.collect());
    }

    /// Instances and clusters have no tags that are looked up. So what is about no service, family or task is known to
    /// have none.
    fn set_tags(&mut self, subject: &Subject) {
        let has_owner =
            subject.service.is_some() || subject.family.is_some() || subject.task.is_some();
        if subject.tags.is_none() && has_owner {
            self.fields.set_unknown(TAGS);
        }
        for (key, value) in subject.tags.iter().flatten() {
            let values = vec![Scalar::Text(value.clone())];
            self.fields.set(&format!("{TAGS}{key}"), values);
        }
    }

    /// Makes the tags unknown, of something that has no name here.
    fn forget_tags(&mut self) {
        self.fields.set_unknown(TAGS);
    }

    /// The values, by the paths that patterns have.
    pub fn fields(&self) -> &FieldValues {
        &self.fields
    }

    /// The flat object, without what is absent. `thread` is always a list.
    pub fn to_json(&self) -> Map<String, Value> {
        let list = RouteField::Thread.to_string();
        let present = self.fields.iter().filter(|(_, values)| !values.is_empty());
        let entries = present.map(|(field, values)| {
            let value = match field == list {
                true => values.iter().map(Value::from).collect(),
                false => filter::shown(values),
            };
            (field.to_owned(), value)
        });
        entries.collect()
    }
}

/// A task of a Fargate capacity provider may lack its launch type.
fn launch_type(notice: &Notice) -> Option<&str> {
    let task: &TaskFacts = match &notice.facts {
        Facts::Task(task) => task,
        Facts::Call(_)
        | Facts::Service(_)
        | Facts::Instance(_)
        | Facts::Health(_)
        | Facts::Hook(_)
        | Facts::Unknown(_)
        | Facts::Missed(_)
        | Facts::Foreign => return None,
    };
    let provider = task.capacity_provider.as_deref();
    let is_fargate = provider.is_some_and(|it| it == "FARGATE" || it == "FARGATE_SPOT");
    let launch_type = task.launch_type.as_deref();
    launch_type.or(is_fargate.then_some("FARGATE"))
}
