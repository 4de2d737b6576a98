//! The templates that come with the program: `templates/` of the source tree.

use super::{TemplateKind, ThreadTemplate};
use crate::ecs::notice::Kind;

/// The names and texts of templates.
pub(super) type Sources = Vec<(String, &'static str)>;

/// The template of one kind and all parts that it includes, directly or not. Other templates are not compiled, because
/// they are not needed.
pub(super) fn of(template: TemplateKind) -> Sources {
    let text = match template {
        TemplateKind::Of(kind) => text(kind),
        TemplateKind::Thread(thread) => text_of_thread(thread),
        TemplateKind::Summary => include_str!("../../../templates/summary.tera"),
        TemplateKind::Default => DEFAULT,
    };
    let parts = parts();
    let mut sources = vec![(format!("{}.tera", template.name()), text)];
    let mut read = 0;
    while let Some((_, text)) = sources.get(read) {
        for name in included(text) {
            let part = parts.iter().find(|(part, _)| part == name);
            sources.extend(part.filter(|part| !sources.contains(part)).cloned());
        }
        read += 1;
    }
    sources
}

/// The names in `{% include "…" %}`.
fn included(text: &'static str) -> impl Iterator<Item = &'static str> {
    let rests = text.split("{% include \"").skip(1);
    rests.filter_map(|rest| rest.split('"').next())
}

const DEFAULT: &str = include_str!("../../../templates/default.tera");

pub(super) fn parts() -> Sources {
    [
        ("default.tera", DEFAULT),
        (
            "parts/advice.tera",
            include_str!("../../../templates/parts/advice.tera"),
        ),
        (
            "parts/cause.tera",
            include_str!("../../../templates/parts/cause.tera"),
        ),
        (
            "parts/changes.tera",
            include_str!("../../../templates/parts/changes.tera"),
        ),
        (
            "parts/commands.tera",
            include_str!("../../../templates/parts/commands.tera"),
        ),
        (
            "parts/containers.tera",
            include_str!("../../../templates/parts/containers.tera"),
        ),
        (
            "parts/deployment_event.tera",
            include_str!("../../../templates/parts/deployment_event.tera"),
        ),
        (
            "parts/failures.tera",
            include_str!("../../../templates/parts/failures.tera"),
        ),
        (
            "parts/hook.tera",
            include_str!("../../../templates/parts/hook.tera"),
        ),
        (
            "parts/instance.tera",
            include_str!("../../../templates/parts/instance.tera"),
        ),
        (
            "parts/log_tail.tera",
            include_str!("../../../templates/parts/log_tail.tera"),
        ),
        (
            "parts/launch.tera",
            include_str!("../../../templates/parts/launch.tera"),
        ),
        (
            "parts/links.tera",
            include_str!("../../../templates/parts/links.tera"),
        ),
        (
            "parts/subject.tera",
            include_str!("../../../templates/parts/subject.tera"),
        ),
        (
            "parts/task.tera",
            include_str!("../../../templates/parts/task.tera"),
        ),
        (
            "parts/where.tera",
            include_str!("../../../templates/parts/where.tera"),
        ),
        (
            "parts/who.tera",
            include_str!("../../../templates/parts/who.tera"),
        ),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .to_vec()
}

fn text_of_thread(thread: ThreadTemplate) -> &'static str {
    match thread {
        ThreadTemplate::Incident => include_str!("../../../templates/incident.tera"),
        ThreadTemplate::Storm => include_str!("../../../templates/storm.tera"),
        ThreadTemplate::Run => include_str!("../../../templates/run.tera"),
        ThreadTemplate::Activity => include_str!("../../../templates/activity.tera"),
        ThreadTemplate::Announcement => include_str!("../../../templates/announcement.tera"),
    }
}

fn text(kind: Kind) -> &'static str {
    match kind {
        Kind::RunTask => include_str!("../../../templates/run_task.tera"),
        Kind::StartTask => include_str!("../../../templates/start_task.tera"),
        Kind::StopTask => include_str!("../../../templates/stop_task.tera"),
        Kind::TaskStarted => include_str!("../../../templates/task_started.tera"),
        Kind::TaskRunning => include_str!("../../../templates/task_running.tera"),
        Kind::TaskStopped => include_str!("../../../templates/task_stopped.tera"),
        Kind::InstanceRegistered => include_str!("../../../templates/instance_registered.tera"),
        Kind::InstanceDeregistered => include_str!("../../../templates/instance_deregistered.tera"),
        Kind::InstanceState => include_str!("../../../templates/instance_state.tera"),
        Kind::InstanceHealth => include_str!("../../../templates/instance_health.tera"),
        Kind::ServiceChanged => include_str!("../../../templates/service_changed.tera"),
        Kind::TaskDefinition => include_str!("../../../templates/task_definition.tera"),
        Kind::ApiCall => include_str!("../../../templates/api_call.tera"),
        Kind::ApiDenied => include_str!("../../../templates/api_denied.tera"),
        Kind::ServiceAction => include_str!("../../../templates/service_action.tera"),
        Kind::Deployment => include_str!("../../../templates/deployment.tera"),
        Kind::DeploymentHook => include_str!("../../../templates/deployment_hook.tera"),
        Kind::InstanceInterruption => include_str!("../../../templates/instance_interruption.tera"),
        Kind::InstanceLaunchFailed => {
            include_str!("../../../templates/instance_launch_failed.tera")
        }
        Kind::DaemonDeployment => include_str!("../../../templates/daemon_deployment.tera"),
        Kind::DaemonAction => include_str!("../../../templates/daemon_action.tera"),
        Kind::CodeDeploy => include_str!("../../../templates/code_deploy.tera"),
        Kind::TaskRetirement => include_str!("../../../templates/task_retirement.tera"),
        Kind::AwsHealth => include_str!("../../../templates/aws_health.tera"),
        Kind::ScaledToMax => include_str!("../../../templates/scaled_to_max.tera"),
        Kind::Alarm => include_str!("../../../templates/alarm.tera"),
        Kind::DidNotRun => include_str!("../../../templates/did_not_run.tera"),
        Kind::Other => include_str!("../../../templates/other.tera"),
    }
}
