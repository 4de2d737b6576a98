//! Which subjects an event is about, and which kinds of thread hear of it.

use super::action::ThreadKind;
use super::observation::Observation;
use super::subject::{SubjectKey, SubjectKind};
use super::{activity, recent_launches, registration, rollout, run};
use crate::ecs::diagnosis::Cause;
use crate::ecs::launcher::{Launcher, is_stop_of_scheduled, launcher};
use crate::ecs::notice::{CallPurpose, Facts, Kind, Notice, RolloutState};
use crate::ecs::target_tracking::TrackingEnd;

/// The most container instances of one call. ECS takes ten.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerInstancesState.html>
const MOST_INSTANCES: usize = 10;

/// The subjects of an event.
#[derive(Debug, Clone, Default)]
pub(super) struct Route {
    /// A service, a family, an instance or a launch.
    pub(super) primary: Option<SubjectKey>,
    /// The other tasks of a launch, or several container instances of a call.
    pub(super) others: Vec<SubjectKey>,
    /// Where the launch of a task is looked for, if no call has named it yet.
    pub(super) recent_launches: Option<SubjectKey>,
    /// The activity that counts the event if no other thread takes it.
    pub(super) activity: Option<SubjectKey>,
    /// The activity that may have counted the stop that a call asked for.
    pub(super) stops: Option<SubjectKey>,
    /// Who registered the revision.
    pub(super) registration: Option<SubjectKey>,
    /// Where it is remembered what a composite alarm is about.
    pub(super) composite: Option<SubjectKey>,
    /// The container instance of a task that failed. It hears nothing of the event; its problem may be the reason.
    pub(super) host: Option<SubjectKey>,
}

impl Route {
    /// The container instances of a call about several.
    pub(super) fn instances(&self) -> impl Iterator<Item = &SubjectKey> {
        let others = self.others.iter();
        others.filter(|it| it.kind == SubjectKind::Instance)
    }

    /// The tasks of a launch.
    pub(super) fn launches(&self) -> impl Iterator<Item = &SubjectKey> {
        let tasks = self.primary.iter().chain(&self.others);
        tasks.filter(|it| it.kind == SubjectKind::Launch)
    }

    pub(super) fn subjects(&self) -> impl Iterator<Item = SubjectKey> {
        let one = [
            &self.primary,
            &self.activity,
            &self.registration,
            &self.composite,
            &self.host,
        ];
        one.into_iter().flatten().chain(&self.others).cloned()
    }
}

/// The subjects whose states an event needs.
pub fn subjects(observation: &Observation<'_>) -> Vec<SubjectKey> {
    match observation.is_heard() {
        true => route(observation).subjects().collect(),
        false => Vec::new(),
    }
}

pub(super) fn route(observation: &Observation<'_>) -> Route {
    let mut launched = launched(observation).into_iter();
    let primary = launched.next().or_else(|| primary(observation));
    let is_launch = |it: &SubjectKey| it.kind == SubjectKind::Launch;
    let is_launch = primary.as_ref().is_some_and(is_launch);
    Route {
        primary,
        recent_launches: recent_launches::subject(observation).filter(|_| is_launch),
        others: launched.chain(changed_instances(observation)).collect(),
        activity: activity::subject(observation),
        stops: activity::stops(observation),
        registration: registration_of(observation),
        composite: composite(observation.notice),
        host: host_of_failure(observation),
    }
}

/// The key has no cluster: not every event of the alarm shows it.
fn composite(notice: &Notice) -> Option<SubjectKey> {
    let Facts::Alarm(alarm) = &notice.facts else {
        return None;
    };
    let name = alarm.name.as_deref().filter(|_| alarm.is_composite)?;
    Some(SubjectKey {
        cluster: String::new(),
        ..SubjectKey::new(SubjectKind::Alarm, notice, name)
    })
}

fn host_of_failure(observation: &Observation<'_>) -> Option<SubjectKey> {
    let notice = observation.notice;
    let is_failure = observation.urgent().is_some() && observation.is_stop();
    let instance = notice.subject.container_instance.as_deref();
    let instance = instance.filter(|_| is_failure)?;
    Some(SubjectKey::new(SubjectKind::Instance, notice, instance))
}

/// The kinds of thread that hear of an event.
pub fn kinds_heard(observation: &Observation<'_>) -> Vec<ThreadKind> {
    if !observation.is_heard() {
        return Vec::new();
    }
    let route = route(observation);
    let notice = observation.notice;
    let urgent = observation.urgent().is_some();
    let mut kinds = match route.primary.as_ref().map(|it| it.kind) {
        Some(SubjectKind::Service | SubjectKind::Daemon) => kinds_of_service(observation),
        // What a person decides is no failure.
        Some(SubjectKind::Family) if notice.kind == Kind::StopTask => Vec::new(),
        Some(SubjectKind::Family) if urgent || ends_well(observation) => vec![ThreadKind::Incident],
        Some(SubjectKind::Instance) if urgent || is_end_of_instance(notice) => {
            vec![ThreadKind::Incident]
        }
        Some(SubjectKind::Family | SubjectKind::Instance | SubjectKind::Alarm)
            if matches!(notice.facts, Facts::Alarm(_)) =>
        {
            vec![ThreadKind::Incident]
        }
        Some(SubjectKind::Announcement) => vec![ThreadKind::Announcement],
        Some(SubjectKind::Launch) => vec![ThreadKind::Run],
        Some(_) | None => Vec::new(),
    };
    // Only a problem that is open takes what scaling says.
    let may_be_taken = matches!(notice.facts, Facts::Scaling(_));
    let is_owned = kinds.contains(&ThreadKind::Run)
        || kinds.contains(&ThreadKind::Deployment) && !observation.is_stop()
        || kinds.contains(&ThreadKind::Incident) && urgent && !may_be_taken;
    if route.activity.is_some() && !is_owned && !observation.is_brought_back {
        kinds.push(ThreadKind::Activity);
    }
    kinds
}

fn kinds_of_service(observation: &Observation<'_>) -> Vec<ThreadKind> {
    let notice = observation.notice;
    let urgent = observation.urgent().is_some();
    match &notice.facts {
        Facts::Task(task) => {
            let counts = observation.is_start() || observation.is_stop();
            let started_by = task.started_by.as_deref().unwrap_or_default();
            let deployment = counts && started_by.starts_with("ecs-svc/");
            let deployment = deployment.then_some(ThreadKind::Deployment);
            let incident = urgent.then_some(ThreadKind::Incident);
            deployment.into_iter().chain(incident).collect()
        }
        Facts::Service(service) if notice.kind == Kind::Deployment => {
            let name = service.event_name.as_deref();
            let is_sign = name == Some("SERVICE_DEPLOYMENT_COMPLETED");
            let hears = is_sign || urgent && !rollout::is_known(service);
            let incident = hears.then_some(ThreadKind::Incident);
            [ThreadKind::Deployment]
                .into_iter()
                .chain(incident)
                .collect()
        }
        Facts::Service(service) => {
            let is_sign = service.event_name.as_deref() == Some("SERVICE_STEADY_STATE");
            let hears = urgent || is_sign;
            hears.then_some(ThreadKind::Incident).into_iter().collect()
        }
        Facts::Hook(_) => vec![ThreadKind::Deployment],
        // Its good end is a sign that the service recovers.
        Facts::Rollout(rollout) if rollout.state == RolloutState::Succeeded => {
            vec![ThreadKind::Deployment, ThreadKind::Incident]
        }
        Facts::Rollout(_) => vec![ThreadKind::Deployment],
        Facts::Call(call) if call.error.is_none() => match call.name.as_str() {
            "DeleteService" => vec![ThreadKind::Incident],
            "ContinueServiceDeployment" | "StopServiceDeployment" => vec![ThreadKind::Deployment],
            _ if changes_deployment(observation) => vec![ThreadKind::Deployment],
            _ => Vec::new(),
        },
        Facts::Unknown(_) if urgent => vec![ThreadKind::Incident],
        Facts::Alarm(_) | Facts::Scaling(_) => vec![ThreadKind::Incident],
        Facts::Call(_)
        | Facts::AwsHealth(_)
        | Facts::Host(_)
        | Facts::Unknown(_)
        | Facts::Instance(_)
        | Facts::Health(_)
        | Facts::Missed(_)
        | Facts::Foreign => Vec::new(),
    }
}

fn changes_deployment(observation: &Observation<'_>) -> bool {
    let Facts::Call(call) = &observation.notice.facts else {
        return false;
    };
    let by_autoscaling = matches!(
        call.purpose,
        CallPurpose::ChangeService {
            by_autoscaling: true
        }
    );
    let change = call.service.as_ref();
    !by_autoscaling
        && change.is_some_and(|it| it.asks_for_deployment || call.name == "CreateService")
}

fn ends_well(observation: &Observation<'_>) -> bool {
    observation.cause() == Some(Cause::Finished)
}

/// Whether an instance is healthy again, or gone.
fn is_end_of_instance(notice: &Notice) -> bool {
    match &notice.facts {
        Facts::Health(health) => health.overall_status.as_deref() == Some("OK"),
        Facts::Call(call) => call.name == "DeregisterContainerInstance" && call.error.is_none(),
        Facts::Instance(instance) => instance.status.as_deref() == Some("INACTIVE"),
        Facts::Task(_)
        | Facts::Service(_)
        | Facts::Hook(_)
        | Facts::Rollout(_)
        | Facts::Host(_)
        | Facts::AwsHealth(_)
        | Facts::Scaling(_)
        | Facts::Alarm(_)
        | Facts::Unknown(_)
        | Facts::Missed(_)
        | Facts::Foreign => false,
    }
}

/// The tasks that a call launched for a person or a tool.
fn launched(observation: &Observation<'_>) -> Vec<SubjectKey> {
    let Facts::Call(call) = &observation.notice.facts else {
        return Vec::new();
    };
    let is_kept = observation.priority().is_some();
    let by_service = is_by_service(observation.notice);
    if !is_kept || by_service || !run::is_launch(call) {
        return Vec::new();
    }
    let key = |task: &String| SubjectKey::new(SubjectKind::Launch, observation.notice, task);
    let tasks = call.launched_tasks.iter().take(run::MOST_TASKS);
    tasks.map(key).collect()
}

/// The container instances of a call, if it is about several. A call about one is that instance's own.
fn changed_instances(observation: &Observation<'_>) -> Vec<SubjectKey> {
    let notice = observation.notice;
    let Facts::Call(call) = &notice.facts else {
        return Vec::new();
    };
    let is_one = notice.subject.container_instance.is_some();
    let key = |instance: &String| SubjectKey::new(SubjectKind::Instance, notice, instance);
    let instances = call.instances.iter().take(MOST_INSTANCES);
    instances
        .filter(|_| !is_one && call.error.is_none())
        .map(key)
        .collect()
}

fn primary(observation: &Observation<'_>) -> Option<SubjectKey> {
    let notice = observation.notice;
    let key = |kind, name: &Option<String>| {
        let name = name.as_deref()?;
        Some(SubjectKey::new(kind, notice, name))
    };
    let subject = &notice.subject;
    match &notice.facts {
        // No thread hears of the states between start and stop, so that no state is read for them.
        Facts::Task(_) if !observation.is_start() && !observation.is_stop() => None,
        Facts::Task(task) => match launcher(notice, task) {
            Launcher::Service => key(SubjectKind::Service, &subject.service),
            Launcher::Schedule => key(SubjectKind::Family, &subject.family),
            Launcher::Caller => key(SubjectKind::Launch, &subject.task),
            Launcher::Unknown => None,
        },
        Facts::Service(_) if notice.kind == Kind::DaemonAction => daemon(notice),
        Facts::Rollout(_) => key(SubjectKind::Service, &subject.service).or_else(|| daemon(notice)),
        Facts::Scaling(scaling) if !scaling.scaled_to_max => None,
        Facts::Service(_) | Facts::Hook(_) | Facts::Scaling(_) => {
            key(SubjectKind::Service, &subject.service)
        }
        Facts::AwsHealth(health) => key(SubjectKind::Announcement, &health.event_arn),
        // It says nothing about problems.
        Facts::Alarm(alarm) if alarm.tracks == Some(TrackingEnd::Low) => None,
        Facts::Alarm(alarm) => key(SubjectKind::Service, &subject.service)
            .or_else(|| key(SubjectKind::Family, &subject.family))
            .or_else(|| key(SubjectKind::Instance, &subject.container_instance))
            .or_else(|| key(SubjectKind::Alarm, &alarm.name)),
        Facts::Instance(_) | Facts::Health(_) | Facts::Host(_) => {
            key(SubjectKind::Instance, &subject.container_instance)
        }
        Facts::Unknown(_) => key(SubjectKind::Service, &subject.service)
            .or_else(|| key(SubjectKind::Instance, &subject.container_instance)),
        // What a schedule could not launch is an incident of its family.
        Facts::Call(call) if call.purpose == CallPurpose::Launch => {
            key(SubjectKind::Family, &subject.family).filter(|_| is_by_service(notice))
        }
        Facts::Call(call) if call.error.is_some() => None,
        Facts::Call(call) if is_stop_of_scheduled(notice, call) => {
            key(SubjectKind::Family, &subject.family)
        }
        Facts::Call(_) => key(SubjectKind::Service, &subject.service)
            .or_else(|| key(SubjectKind::Instance, &subject.container_instance)),
        Facts::Missed(_) | Facts::Foreign => None,
    }
}

fn daemon(notice: &Notice) -> Option<SubjectKey> {
    let resource = notice.subject.resource.as_ref();
    let daemon = resource.filter(|it| it.kind == "daemon")?;
    Some(SubjectKey::new(SubjectKind::Daemon, notice, &daemon.name))
}

/// Whether a person's call may explain what happens to a subject, so that it is posted first.
pub fn may_explain(notice: &Notice, subject: &SubjectKey) -> bool {
    let Facts::Call(call) = &notice.facts else {
        return false;
    };
    let service = notice.subject.service.as_deref();
    let service = service.map(|it| SubjectKey::new(SubjectKind::Service, notice, it));
    call.error.is_none() && !is_by_service(notice) && service.as_ref() == Some(subject)
}

fn is_by_service(notice: &Notice) -> bool {
    notice.actor.as_ref().is_some_and(|it| it.is_service)
}

/// The family whose registrations an event adds to or mentions.
fn registration_of(observation: &Observation<'_>) -> Option<SubjectKey> {
    let family = observation.notice.subject.family.as_deref()?;
    let mentions = registration::is_registration(observation) || changes_deployment(observation);
    mentions.then(|| SubjectKey::new(SubjectKind::Definition, observation.notice, family))
}
