//! The routes of what a thread shows. A message about several problems has one for each of them: a channel takes it if it
//! takes one of them. If a storm had one route, an `except` for one of its services would hide all others.

use super::EventRoute;
use super::fields::RouteField;
use super::pattern::Scalar;
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::{Kind, Notice};
use crate::notifier::policy::Decision;
use crate::notifier::thread::{
    Action, Activity, Announcement, Deployment, Incident, Member, Run, ShownNotice, Storm,
    SubjectKind, Thread, ThreadKind, cause_name, is_alarm,
};

/// The routes of an action: those of a storm's services, of an incident's causes, or of the events that another thread
/// shows. `events` are the events that the action is about.
pub fn routes(action: &Action, events: &[(&Notice, Decision)]) -> Vec<EventRoute> {
    let (urgent, severity) = (action.turn.urgent, action.turn.severity);
    let (mut routes, kinds): (_, &[ThreadKind]) = match &action.thread {
        // A storm shows incidents.
        Thread::Storm(storm) => {
            let routes = of_storm(storm, urgent);
            (routes, &[ThreadKind::Incident, ThreadKind::Storm])
        }
        Thread::Incident(it) => (of_incident(it), &[ThreadKind::Incident]),
        Thread::Deployment(it) => {
            let routes = of_events(events, &of_deployment(it));
            (routes, &[ThreadKind::Deployment])
        }
        Thread::Run(it) => (of_events(events, &of_run(it)), &[ThreadKind::Run]),
        Thread::Activity(it) => {
            let routes = of_events(events, &of_activity(it));
            (routes, &[ThreadKind::Activity])
        }
        Thread::Announcement(it) => (of_announcement(it), &[ThreadKind::Announcement]),
    };
    for route in &mut routes {
        route.set_threads(kinds);
        if !matches!(action.thread, Thread::Storm(_)) {
            route.set_priority(severity, urgent);
        }
    }
    routes
}

/// The routes of the events that are posted, or of all if none is. What they lack, the thread may know.
fn of_events(events: &[(&Notice, Decision)], thread: &EventRoute) -> Vec<EventRoute> {
    let is_kept = |it: &&(&Notice, Decision)| matches!(it.1, Decision::Keep(_));
    let are_kept = events.iter().any(|it| is_kept(&it));
    let events = events.iter().filter(|it| !are_kept || is_kept(it));
    let routes: Vec<_> = events
        .map(|(notice, decision)| {
            let mut route = EventRoute::of_event(notice, *decision, &[]);
            route.fill_from(thread);
            route
        })
        .collect();
    match routes.is_empty() {
        true => vec![thread.clone()],
        false => routes,
    }
}

fn of_shown(shown: Option<&ShownNotice>) -> EventRoute {
    let route = shown.map(|it| {
        let decision = Decision::Keep(it.priority);
        EventRoute::of_event(&it.notice, decision, &[])
    });
    route.unwrap_or_default()
}

fn of_incident(incident: &Incident) -> Vec<EventRoute> {
    let newest = incident.newest.as_deref();
    let latest = of_shown(newest);
    let latest_cause = newest.and_then(|it| cause_name(&it.notice, it.priority));
    let subject = newest.map(|it| &it.notice.subject);
    let is_instance =
        subject.is_some_and(|it| it.task.is_none() && it.container_instance.is_some());
    let of_cause = |name: &str| {
        let mut route = latest.clone();
        if latest_cause.as_deref() != Some(name) {
            route.set(RouteField::Kind, Some(kind_of(name, is_instance).into()));
            route.set(RouteField::Cause, Some(name));
        }
        route
    };
    let routes: Vec<_> = incident
        .causes
        .iter()
        .map(|it| of_cause(&it.name))
        .collect();
    match routes.is_empty() {
        true => vec![latest],
        false => routes,
    }
}

/// The routes of the services that have not recovered. Those that the storm does not remember by name have one route
/// together, without a name.
fn of_storm(storm: &Storm, urgent: bool) -> Vec<EventRoute> {
    let cluster = EventRoute::of_subject(&storm.subject, &storm.origin);
    let fails = |it: &&Member| !it.has_recovered();
    let has_failing = storm.members.iter().any(|it| fails(&it));
    let members = storm.members.iter().filter(|it| !has_failing || fails(it));
    let mut routes: Vec<_> = members
        .flat_map(|it| of_member(it, storm, urgent))
        .collect();
    if storm.others > 0 || routes.is_empty() {
        let mut others = cluster;
        others.forget_tags();
        others.set(RouteField::Kind, Some(Kind::TaskStopped.into()));
        others.set_priority(storm.severity(), urgent);
        routes.push(others);
    }
    routes
}

fn of_member(member: &Member, storm: &Storm, urgent: bool) -> Vec<EventRoute> {
    let subject = storm.subject_of(member);
    let is_instance = member.kind() == SubjectKind::Instance;
    let of_cause = |cause: &str| {
        let mut route = EventRoute::of_subject(&subject, &storm.origin);
        route.set(RouteField::Kind, Some(kind_of(cause, is_instance).into()));
        route.set(RouteField::Cause, Some(cause));
        route.set_priority(member.severity, urgent);
        route
    };
    member
        .causes
        .iter()
        .map(|(cause, _)| of_cause(cause))
        .collect()
}

fn of_deployment(deployment: &Deployment) -> EventRoute {
    let mut route = EventRoute::of_subject(&deployment.subject, &deployment.origin);
    route.set(RouteField::Kind, Some(Kind::Deployment.into()));
    route.set(RouteField::Actor, deployment.actor.as_deref());
    route
}

fn of_run(run: &Run) -> EventRoute {
    let mut route = of_shown(run.newest.as_deref());
    let actor = run.launch.as_ref().and_then(|it| it.actor.as_deref());
    if actor.is_some() {
        route.set(RouteField::Actor, actor);
    }
    route
}

/// An activity has everything that it counts.
fn of_activity(activity: &Activity) -> EventRoute {
    let mut route = of_shown(activity.newest.as_deref());
    let mut kinds: Vec<Scalar> = Vec::new();
    for count in &activity.counts {
        let kind = Scalar::Text(count.kind.to_string());
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    route.set_values(RouteField::Kind, kinds);
    route
}

/// The routes of the affected services, and one of all that is affected.
fn of_announcement(announcement: &Announcement) -> Vec<EventRoute> {
    let whole = of_shown(announcement.newest.as_deref());
    let services = announcement.services.iter().map(|it| {
        let mut route = whole.clone();
        route.set(RouteField::Cluster, Some(&it.cluster));
        route.set(RouteField::Service, Some(&it.service));
        route
    });
    let mut routes: Vec<_> = services.collect();
    let has_others = announcement.has_others();
    if has_others || routes.is_empty() {
        routes.push(whole);
    }
    routes
}

/// The kind of the events with this cause. An incident remembers the names of its causes only.
fn kind_of(cause: &str, is_instance: bool) -> Kind {
    if let Ok(kind) = cause.parse::<Kind>() {
        return kind;
    }
    if is_alarm(cause) {
        return Kind::Alarm;
    }
    match cause.parse::<Cause>() {
        Ok(Cause::LaunchFailed) => Kind::RunTask,
        Ok(_) => Kind::TaskStopped,
        // The code of an error: `AccessDeniedException`.
        Err(_) if cause.chars().any(char::is_lowercase) => Kind::ApiDenied,
        Err(_) if is_instance && cause == "REGISTRATION_FAILED" => Kind::InstanceState,
        Err(_) if is_instance => Kind::InstanceHealth,
        Err(_) if cause.starts_with("SERVICE_DEPLOYMENT_") => Kind::Deployment,
        Err(_) => Kind::ServiceAction,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_has_the_kind_of_its_events() {
        for (cause, is_instance, expected) in [
            ("out_of_memory", false, Kind::TaskStopped),
            ("launch_failed", false, Kind::RunTask),
            ("SERVICE_TASK_PLACEMENT_FAILURE", false, Kind::ServiceAction),
            ("VPC_LATTICE_TARGET_UNHEALTHY", false, Kind::ServiceAction),
            ("SERVICE_DEPLOYMENT_FAILED", false, Kind::Deployment),
            ("CONTAINER_RUNTIME", true, Kind::InstanceHealth),
            ("REGISTRATION_FAILED", true, Kind::InstanceState),
            ("AccessDeniedException", false, Kind::ApiDenied),
            ("instance_state", true, Kind::InstanceState),
            ("alarm checkout-cpu", false, Kind::Alarm),
            ("scaled_to_max", false, Kind::ScaledToMax),
        ] {
            assert_eq!(kind_of(cause, is_instance), expected, "{cause}");
        }
    }
}
