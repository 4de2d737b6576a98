//! The names of events of daemons and of other AWS services: CodeDeploy, AWS Health, Application Auto Scaling, CloudWatch.

use serde::Serialize;

use super::{TemplateNames, is_shell_safe, text};
use crate::ecs::affected::{Affected, AffectedInstance, AffectedService, AffectedTask};
use crate::ecs::arn::is_region;
use crate::ecs::event::{HostEventType, Time};
use crate::ecs::notice::{
    AlarmFacts, AlarmState, AwsHealthFacts, HostFacts, Kind, RolloutFacts, RolloutState,
    RolloutTool, ScalingFacts,
};
use crate::ecs::target_tracking::shown_name;

/// What happens to tasks.
const RETIREMENT_PAGE: &str =
    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-maintenance.html";

/// How to choose the time: a wait of 0, 7 or 14 days, or event windows.
const PREPARATION_PAGE: &str =
    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/prepare-task-retirement.html";

const SCALING_PAGE: &str =
    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html";

/// The most affected resources of one kind in a message.
const MOST_AFFECTED: usize = 10;

/// The most commands for resources of one kind.
const MOST_COMMANDS: usize = 3;

/// A command that a reader can copy.
#[derive(Debug, Serialize)]
pub(super) struct CommandNames {
    /// What it is for: `To replace checkout now`.
    purpose: String,
    command: String,
}

/// Events of managed daemons.
pub(super) const DAEMON_PAGE: &str =
    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-daemons-events.html";

/// What to do about a daemon's task that does not start.
pub(super) fn daemon_advice(failure_type: &str) -> Option<&'static str> {
    Some(match failure_type {
        "TASK_FAILED_TO_RUN" => {
            "see why the task stopped: its image, its health check, or its own exit"
        }
        "TASK_CREATION_FAILED" => {
            "give the daemon less CPU and memory, or use larger instances; without a daemon that is critical an instance gets no tasks"
        }
        _ => return None,
    })
}

/// What a reader can do with a deployment of CodeDeploy that waits.
/// <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ContinueDeployment.html>
pub(super) fn code_deploy_commands(id: &str, region: Option<&str>) -> Vec<CommandNames> {
    let region = region.filter(|it| is_region(it) && is_shell_safe(id));
    let commands = region.map(|region| {
        let of = |purpose: &str, call: &str, options: &str| CommandNames {
            purpose: purpose.to_owned(),
            command: format!("aws deploy {call} --region {region} --deployment-id {id} {options}"),
        };
        [
            of(
                "To continue",
                "continue-deployment",
                "--deployment-wait-type READY_WAIT",
            ),
            of("To roll back", "stop-deployment", "--auto-rollback-enabled"),
        ]
    });
    commands.into_iter().flatten().collect()
}

/// How to find out why a deployment of CodeDeploy failed.
pub(super) fn code_deploy_question(id: &str, region: Option<&str>) -> Option<CommandNames> {
    let region = region.filter(|it| is_region(it) && is_shell_safe(id))?;
    Some(CommandNames {
        purpose: "To see why".to_owned(),
        command: format!("aws deploy get-deployment --region {region} --deployment-id {id}"),
    })
}

fn rollout_in_words(rollout: &RolloutFacts) -> String {
    let words = match rollout.state {
        RolloutState::InProgress => "in progress",
        RolloutState::Ready => "waits before it moves the traffic",
        RolloutState::Succeeded => "completed",
        RolloutState::Failed => "failed",
        RolloutState::Stopping => "is being stopped",
        RolloutState::Stopped => match rollout.tool {
            RolloutTool::CodeDeploy => "was stopped",
            RolloutTool::Daemon => "was stopped: it failed, or a newer one replaces it",
        },
        RolloutState::RollingBack => "is rolling back",
        RolloutState::RolledBack => "was rolled back, the previous revision runs",
        RolloutState::RollbackFailed => "could not be rolled back",
        RolloutState::Unknown => {
            let name = rollout.event_name.as_deref().unwrap_or("an unknown state");
            return format!("reports {name}");
        }
    };
    words.to_owned()
}

impl TemplateNames {
    pub(super) fn add_host(&mut self, host: &HostFacts) {
        self.event_text = Some(host.what.in_words().to_owned());
        self.group = host.group.clone();
        self.action = host.action.clone();
        self.reason = host.reason.clone();
        self.services = listed(&host.services, host.services.len(), Clone::clone);
        self.task_count = host.tasks;
        self.capacity_providers = host.capacity_provider.iter().cloned().collect();
        self.advice = match host.what {
            HostEventType::LaunchFailed => Some(
                "see the group's activity history; until instances start, tasks wait for capacity",
            ),
            HostEventType::SpotInterruption
            | HostEventType::RebalanceRecommendation
            | HostEventType::Termination => None,
        };
    }

    pub(super) fn add_rollout(&mut self, rollout: &RolloutFacts) {
        self.event_name = rollout.event_name.clone();
        self.event_text = Some(rollout_in_words(rollout));
        self.reason = rollout.reason.clone();
        self.deployment = rollout.id.clone();
        self.expires_at = text(rollout.decide_by.as_ref());
        self.application = rollout.application.clone();
        self.is_rollback = rollout.rolls_back.is_some()
            || matches!(
                rollout.state,
                RolloutState::RollingBack | RolloutState::RolledBack
            );
        let region = self.region.as_deref();
        self.commands = match (rollout.state, &rollout.id) {
            (RolloutState::Ready, Some(id)) => code_deploy_commands(id, region),
            (RolloutState::Failed | RolloutState::Stopped, Some(id))
                if rollout.reason.is_none() && rollout.tool == RolloutTool::CodeDeploy =>
            {
                code_deploy_question(id, region).into_iter().collect()
            }
            (_, _) => Vec::new(),
        };
    }

    pub(super) fn add_aws_health(&mut self, health: &AwsHealthFacts, kind: Kind) {
        let affected = &health.affected;
        self.type_code = health.type_code.clone();
        self.category = health.category.clone();
        self.status = health.status.clone();
        self.description = health.description.clone();
        self.starts_at = text(health.starts_at.as_ref());
        self.ends_at = text(health.ends_at.as_ref());
        self.affected_services = of_services(affected);
        self.standalone_tasks = of_tasks(affected);
        self.affected_instances = of_instances(affected);
        self.affected_others = listed(&affected.others, affected.other_count, Clone::clone);
        self.event_text = Some(announced(health, kind));
        self.is_over = health.is_over();
        if kind == Kind::TaskRetirement && !health.is_over() {
            self.add_retirement(affected);
        }
        if affected.instance_count > 0 && !health.is_over() {
            self.add_instances(affected);
        }
    }

    fn add_retirement(&mut self, affected: &Affected) {
        self.advice = Some(match (affected.task_count, affected.service_count) {
            (0, 0) => "look up in the AWS Health Dashboard which tasks are affected",
            (0, _) => {
                "make sure that new tasks can start: a service that cannot start them loses capacity"
            }
            (_, _) => {
                "start these tasks again yourself before that time; what a schedule launches comes again with its next run"
            }
        });
        self.advice_url = Some(match affected.task_count {
            0 => PREPARATION_PAGE,
            _ => RETIREMENT_PAGE,
        });
        let Some(region) = self.region.clone().filter(|it| is_region(it)) else {
            return;
        };
        let services = affected.services.iter().take(MOST_COMMANDS);
        let services = services.filter_map(|it| replacement(it, &region));
        let mut commands: Vec<_> = services.collect();
        if let Some(last) = commands
            .last_mut()
            .filter(|_| affected.service_count > MOST_COMMANDS)
        {
            last.purpose
                .push_str(", and each of the others in the same way");
        }
        let tasks = affected.tasks.iter().take(MOST_COMMANDS);
        commands.extend(tasks.flat_map(|it| starting_again(it, &region)));
        self.commands = commands;
    }

    /// AWS plans something for container instances.
    fn add_instances(&mut self, affected: &Affected) {
        self.advice = Some(
            "drain the instance before that time and let its group replace it; tasks outside services are not started again",
        );
        let Some(region) = self.region.clone().filter(|it| is_region(it)) else {
            return;
        };
        let instances = affected.instances.iter().take(MOST_COMMANDS);
        self.commands = instances.filter_map(|it| draining(it, &region)).collect();
    }

    pub(super) fn add_scaling(&mut self, scaling: &ScalingFacts) {
        self.old_count = scaling.old_count;
        self.new_count = scaling.new_count;
        self.max_count = scaling.most;
        self.event_text = Some(scaling.in_words());
        self.advice = Some(
            "see whether it has enough tasks for the load; if not, raise the maximum of its scaling",
        );
        self.advice_url = Some(SCALING_PAGE);
    }

    pub(super) fn add_alarm(&mut self, alarm: &AlarmFacts) {
        self.resource = None;
        // A name that only looks like one of target tracking is shown as it is.
        let shown = |it: &str| match alarm.tracks {
            Some(_) => shown_name(it).to_owned(),
            None => it.to_owned(),
        };
        self.alarm = alarm.name.as_deref().map(shown);
        self.status = Some(in_words(alarm.state).to_owned());
        self.measured = alarm.measured();
        // The headline says the same with fewer words.
        let is_said = self.measured.is_some() && alarm.value.is_some() && alarm.threshold.is_some();
        let is_said = is_said || !alarm.triggered_by.is_empty();
        self.reason = alarm.reason.clone().filter(|_| !is_said);
        self.advice = (alarm.tracks.is_some() && alarm.is_on()).then_some(
            "wait while the service scales out; if this lasts, see whether it is at its maximum",
        );
        self.description = alarm.description.clone();
        let triggers = &alarm.triggered_by;
        self.triggered_by = listed(triggers, triggers.len(), |it| shown_name(it).to_owned());
    }
}

/// What AWS announces, in words.
pub(super) fn announced(health: &AwsHealthFacts, kind: Kind) -> String {
    match kind {
        Kind::TaskRetirement => retirement(health),
        _ => type_in_words(health),
    }
}

fn in_words(state: AlarmState) -> &'static str {
    match state {
        AlarmState::Ok => "OK",
        AlarmState::Alarm => "in alarm",
        AlarmState::InsufficientData => "without data",
        AlarmState::Deleted => "deleted",
        AlarmState::Changed => "changed",
        AlarmState::Unknown => "in an unknown state",
    }
}

/// `checkout in prod-web`, and how many more there are.
fn of_services(affected: &Affected) -> Vec<String> {
    listed(&affected.services, affected.service_count, |it| {
        format!("{} in {}", it.service, it.cluster)
    })
}

fn of_tasks(affected: &Affected) -> Vec<String> {
    listed(&affected.tasks, affected.task_count, |it| {
        let task: String = it.task.chars().take(8).collect();
        let part = |before: &str, text: &Option<String>| {
            let text = text.as_ref().map(|it| format!("{before}{it}"));
            text.unwrap_or_default()
        };
        let definition = part(" of ", &it.task_definition);
        let launched_by = part(", launched by ", &it.launched_by);
        format!(
            "{task}{definition}{}{launched_by}",
            part(" in ", &it.cluster)
        )
    })
}

/// `i-0abc… in prod-web (checkout, mailer)`.
fn of_instances(affected: &Affected) -> Vec<String> {
    listed(&affected.instances, affected.instance_count, |it| {
        let cluster = it.cluster.as_ref().map(|it| format!(" in {it}"));
        let services = match it.services.is_empty() {
            true => String::new(),
            false => format!(" ({})", it.services.join(", ")),
        };
        format!("{}{}{services}", it.id, cluster.unwrap_or_default())
    })
}

fn listed<T>(items: &[T], count: usize, words: impl Fn(&T) -> String) -> Vec<String> {
    let shown = items.iter().take(MOST_AFFECTED);
    let shown: Vec<_> = shown.map(|it| shortened(&words(it))).collect();
    let more = count.saturating_sub(shown.len());
    let more = (more > 0).then(|| format!("{more} more"));
    shown.into_iter().chain(more).collect()
}

/// All items stand in one line, so each is cut.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 120;
    match text.chars().nth(LONGEST) {
        Some(_) => text.chars().take(LONGEST).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// `AWS stops 2 tasks on Fargate from 2026-12-03 on and does not replace them`.
fn retirement(health: &AwsHealthFacts) -> String {
    let affected = &health.affected;
    let from = health.starts_at.as_ref().map(from_day).unwrap_or_default();
    let (tasks, them) = match affected.task_count {
        1 => ("1 task".to_owned(), "it"),
        count => (format!("{count} tasks"), "them"),
    };
    let services = match affected.service_count {
        1 => "1 service".to_owned(),
        count => format!("{count} services"),
    };
    match (affected.task_count, affected.service_count) {
        _ if health.is_closed() => "the retirement of tasks on Fargate is over".to_owned(),
        (0, 0) => format!("AWS stops tasks on Fargate{from}"),
        (0, _) => format!("AWS replaces the tasks of {services} on Fargate{from}"),
        (_, 0) => format!("AWS stops {tasks} on Fargate{from} and does not replace {them}"),
        (_, _) => format!(
            "AWS stops {tasks} on Fargate{from} and does not replace {them}; those of {services} are replaced"
        ),
    }
}

/// ` from 2026-12-03 on`. AWS says a day's time only roughly, and the lines below have it.
fn from_day(time: &Time) -> String {
    let day = time.instant();
    let day = day.map(|it| it.strftime("%Y-%m-%d").to_string());
    day.map(|it| format!(" from {it} on")).unwrap_or_default()
}

/// `AWS_ECS_OPERATIONAL_ISSUE` → `operational issue`.
fn type_in_words(health: &AwsHealthFacts) -> String {
    let code = health.type_code.as_deref().unwrap_or("an event");
    let known = ["AWS_ECS_", "AWS_FARGATE_", "AWS_EC2_", "AWS_"];
    let code = known
        .iter()
        .find_map(|prefix| code.strip_prefix(prefix))
        .unwrap_or(code);
    let is_code = code
        .bytes()
        .all(|it| it.is_ascii_uppercase() || b"_0123456789".contains(&it));
    let words = match is_code {
        true => code.to_ascii_lowercase().replace('_', " "),
        false => code.to_owned(),
    };
    match health.is_closed() {
        true => format!("{words}, which is over"),
        false => words,
    }
}

fn replacement(service: &AffectedService, region: &str) -> Option<CommandNames> {
    let AffectedService { cluster, service } = service;
    let is_safe = is_shell_safe(cluster) && is_shell_safe(service);
    is_safe.then(|| CommandNames {
        purpose: format!("To replace {service} now"),
        command: format!(
            "aws ecs update-service --region {region} --cluster {cluster} --service {service} --force-new-deployment"
        ),
    })
}

fn draining(instance: &AffectedInstance, region: &str) -> Option<CommandNames> {
    let cluster = instance.cluster.as_ref()?;
    let id = instance.container_instance.as_ref()?;
    let is_safe = is_shell_safe(cluster) && is_shell_safe(id);
    is_safe.then(|| CommandNames {
        purpose: format!("To drain {}", instance.id),
        command: format!(
            "aws ecs update-container-instances-state --region {region} --cluster {cluster} --container-instances {id} --status DRAINING"
        ),
    })
}

/// A task outside services has the network that its caller chose, so that this must be looked up first.
fn starting_again(task: &AffectedTask, region: &str) -> Vec<CommandNames> {
    let id = &task.task;
    let short: String = id.chars().take(8).collect();
    let cluster = task.cluster.as_ref();
    let cluster = cluster.filter(|it| is_shell_safe(it) && is_shell_safe(id));
    let Some(cluster) = cluster else {
        return Vec::new();
    };
    let place = format!("--region {region} --cluster {cluster}");
    let definition = task.task_definition.as_ref();
    let again = definition.filter(|it| is_shell_safe(it)).map(|it| CommandNames {
        purpose: format!("To run {it} again, with these subnets and groups"),
        command: format!(
            "aws ecs run-task {place} --task-definition {it} --launch-type FARGATE --network-configuration 'awsvpcConfiguration={{subnets=[…],securityGroups=[…]}}'"
        ),
    });
    let look = CommandNames {
        purpose: format!("To see how {short} was launched"),
        command: format!("aws ecs describe-tasks {place} --tasks {id}"),
    };
    let stop = CommandNames {
        purpose: format!("To stop {short} once another one runs"),
        command: format!("aws ecs stop-task {place} --task {id}"),
    };
    std::iter::once(look).chain(again).chain([stop]).collect()
}
